/* Transactions that ran out of time, and transactional ids that nobody uses
 * (TransactionCoordinator.abortTimedOutTransactions, TransactionStateManager.
 * removeExpiredTransactionalIds).
 *
 * Owner: struct txnm, core thread.
 *
 * Happy path: every transaction.abort.timed.out.transaction.cleanup.interval.ms, while there is an
 *             ongoing transaction, each that is older than its timeout is aborted; every
 *             transaction.remove.expired.transaction.cleanup.interval.ms each transactional id that
 *             was idle for transactional.id.expiration.ms is forgotten.
 * Invariant:  a calendar that jumps ends nothing early, and a transaction not late: its time is that of the process.
 *             Over a restart, and for transactional ids, ages are judged so that nothing is taken for older than it is.
 * Failures:   what cannot be appended is tried again the next time.
 */
#include "internal.h"

static int64_t judged_now_ms(const struct txnm *m)
{
    return clock_wall_earlier(m->env->clock).ms;
}

void txn_time_begins(struct transaction *t)
{
    struct txnm *m = t->shard->m;
    int64_t age_ms = MAX(txn_age_ms(t, judged_now_ms(m)), 0);

    ASSERT(t->v.state == TXN_ONGOING);
    t->begun = clock_mono(m->env->clock);
    t->begun.ns -= MIN(age_ms, TIMEOUT_NEVER_MS) * 1000000;
}

static bool is_timed_out(const struct transaction *t, struct mono now)
{
    if (t->v.state != TXN_ONGOING || t->v.timeout_ms == TIMEOUT_NEVER_MS)
        return false;
    return mono_after_ms(t->begun, t->v.timeout_ms).ns < now.ns;
}

static bool is_expired(const struct transaction *t, int64_t now_ms)
{
    int64_t expiration_ms = t->shard->m->options.config->transactional_id_expiration_ms;

    if (t->v.state == TXN_ONGOING || t->ending)
        return false;
    return t->v.update_ms <= now_ms - expiration_ms;
}

static void timeouts_fired(struct timer *timer)
{
    struct txnm *m = CONTAINER_OF(timer, struct txnm, timeouts);
    struct mono now = clock_mono(m->env->clock);

    for (int32_t i = 0; i < m->n_shards; i++) {
        struct transaction *t, *next;

        if (!m->shards[i] || !m->shards[i]->log)
            continue;
        HASH_ITER(hh, m->shards[i]->transactions, t, next)
        {
            if (is_timed_out(t, now) && txn_abort(t) == 0)
                diag_debug("transaction of %s timed out", diag_escape(t->id));
        }
    }
    txn_timers_wanted(m);
}

static void expiry_fired(struct timer *timer)
{
    struct txnm *m = CONTAINER_OF(timer, struct txnm, expiry);
    int64_t now_ms = judged_now_ms(m);

    for (int32_t i = 0; i < m->n_shards; i++) {
        struct transaction *t, *next;

        if (!m->shards[i] || !m->shards[i]->log)
            continue;
        HASH_ITER(hh, m->shards[i]->transactions, t, next)
        {
            if (is_expired(t, now_ms))
                txn_propose_tombstone(t);
        }
    }
    txn_timers_wanted(m);
}

/* ---- timers */

static void arm(struct txnm *m, struct timer *t, int64_t interval_ms)
{
    struct env *env = m->env;

    if (!timer_armed(t))
        timer_set(&env->timers, t, mono_after_ms(clock_mono(env->clock), interval_ms));
}

void txn_timers_init(struct txnm *m)
{
    timer_init(&m->timeouts, timeouts_fired);
    timer_init(&m->expiry, expiry_fired);
}

void txn_timers_wanted(struct txnm *m)
{
    const struct config *c = m->options.config;

    if (m->stopping)
        return;
    if (m->n_ongoing > 0)
        arm(m, &m->timeouts, c->transaction_abort_timed_out_transaction_cleanup_interval_ms);
    if (m->by_producer)
        arm(m, &m->expiry, c->transaction_remove_expired_transaction_cleanup_interval_ms);
}

void txn_timers_cancel(struct txnm *m)
{
    timer_cancel(&m->env->timers, &m->timeouts);
    timer_cancel(&m->env->timers, &m->expiry);
}
