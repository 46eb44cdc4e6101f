/* The coordinator: its shards, and the transactional ids in them.
 *
 * Owner: struct txnm, core thread.
 *
 * Happy path: transactional id -> shard (hash) -> the shard's log, opened or made by the broker ->
 *             transaction.
 * Invariant:  a transaction is in the shard that its id hashes to, and in by_producer under its
 *             producer id; n_ongoing counts those that are Ongoing.
 * Failures:   a shard that cannot be opened answers COORDINATOR_NOT_AVAILABLE and is asked for
 *             again next time.
 */
#include "internal.h"

struct txnm *txnm_new(struct env *env, const struct txnm_options *options)
{
    struct txnm *m = xcalloc(1, sizeof(*m));

    ASSERT(options->config);
    ASSERT(options->shard);
    ASSERT(options->write_marker);
    m->magic = TXNM_MAGIC;
    m->env = env;
    m->options = *options;
    txn_timers_init(m);
    return m;
}

int64_t txnm_now_ms(const struct txnm *m)
{
    return clock_wall_later(m->env->clock).ms;
}

/* ---- shards */

int32_t txn_shard_of(struct str transactional_id, int32_t n_shards)
{
    ASSERT(n_shards > 0);
    return java_abs(java_hash(transactional_id)) % n_shards;
}

static struct txn_shard *shard_at(struct txnm *m, int32_t shard)
{
    ASSERT(shard >= 0);
    if (shard >= m->n_shards) {
        m->shards = xrealloc_array(m->shards, (size_t)shard + 1, sizeof(struct txn_shard *));
        while (m->n_shards <= shard)
            m->shards[m->n_shards++] = NULL;
    }
    if (!m->shards[shard]) {
        struct txn_shard *s = xcalloc(1, sizeof(*s));

        s->magic = TXN_SHARD_MAGIC;
        s->m = m;
        s->index = shard;
        m->shards[shard] = s;
    }
    return m->shards[shard];
}

struct txn_shard *txnm_shard(struct txnm *m, int32_t shard, int32_t coordinator_epoch)
{
    struct txn_shard *s = shard_at(m, shard);

    ASSERT(m->magic == TXNM_MAGIC);
    s->coordinator_epoch = coordinator_epoch;
    return s;
}

int64_t txnm_producer_id_next(const struct txnm *m)
{
    ASSERT(m->magic == TXNM_MAGIC);
    return m->producer_id_next;
}

int16_t txn_shard_get(struct txnm *m, struct str id, bool make, struct txn_shard **out)
{
    struct statelog *log = NULL;
    int16_t error;
    int32_t n, index;

    ASSERT_CORE();
    ASSERT(m->magic == TXNM_MAGIC);
    *out = NULL;
    if (m->stopping)
        return KE_COORDINATOR_NOT_AVAILABLE;
    n = m->options.n_shards(m->options.arg);
    if (n <= 0)
        return KE_COORDINATOR_NOT_AVAILABLE;
    index = txn_shard_of(id, n);
    if (!make && (index >= m->n_shards || !m->shards[index]))
        return KE_NONE;
    error = m->options.shard(m->options.arg, index, &log);
    if (error)
        return error;
    ASSERT(log);
    *out = shard_at(m, index);
    ASSERT((*out)->log == log); /* txn_shard_loaded */
    return KE_NONE;
}

/* ---- transactions */

struct transaction *transaction_find(struct txn_shard *s, struct str id)
{
    struct transaction *t = NULL;

    if (s)
        HASH_FIND(hh, s->transactions, id.p, id.n, t);
    return t;
}

struct transaction *transaction_of_producer(const struct txnm *m, int64_t producer_id)
{
    struct transaction *t;

    HASH_FIND(by_producer, m->by_producer, &producer_id, sizeof(producer_id), t);
    return t;
}

void transaction_set_producer(struct transaction *t, int64_t producer_id)
{
    struct txnm *m = t->shard->m;

    if (t->v.producer_id == producer_id)
        return;
    HASH_DELETE(by_producer, m->by_producer, t);
    t->v.producer_id = producer_id;
    HASH_ADD(by_producer, m->by_producer, v.producer_id, sizeof(t->v.producer_id), t);
}

struct transaction *transaction_add(struct txn_shard *s, struct str id, int64_t producer_id)
{
    struct transaction *t = xcalloc(1, sizeof(*t));

    ASSERT(!transaction_find(s, id));
    t->magic = TRANSACTION_MAGIC;
    t->shard = s;
    t->id = (struct str){str_dup(id), id.n};
    t->v.producer_id = producer_id;
    t->v.state = TXN_EMPTY;
    t->last_epoch = NO_PRODUCER_EPOCH;
    HASH_ADD_KEYPTR(hh, s->transactions, t->id.p, id.n, t);
    HASH_ADD(by_producer, s->m->by_producer, v.producer_id, sizeof(t->v.producer_id), t);
    return t;
}

void transaction_remove(struct transaction *t)
{
    struct txnm *m = t->shard->m;

    ASSERT(t->magic == TRANSACTION_MAGIC);
    if (t->v.state == TXN_ONGOING)
        m->n_ongoing--;
    ending_free(t);
    txn_topics_clear(t);
    HASH_DELETE(hh, t->shard->transactions, t);
    HASH_DELETE(by_producer, m->by_producer, t);
    t->magic = 0;
    free((char *)t->id.p);
    free(t);
}

/* ---- life */

void txn_shard_loaded(struct txn_shard *s, struct statelog *log)
{
    ASSERT(s->magic == TXN_SHARD_MAGIC);
    ASSERT(log);
    s->log = log;
    s->loaded = true;
    for (struct transaction *t = s->transactions; t; t = t->hh.next)
        if (t->v.state == TXN_PREPARE_COMMIT || t->v.state == TXN_PREPARE_ABORT)
            ending_start(t, NULL);
    txn_timers_wanted(s->m);
}

void txnm_stop(struct txnm *m)
{
    ASSERT(m->magic == TXNM_MAGIC);
    m->stopping = true;
    txn_timers_cancel(m);
}

static void shards_free(struct txnm *m)
{
    txn_timers_cancel(m);
    for (int32_t i = 0; i < m->n_shards; i++) {
        struct txn_shard *s = m->shards[i];

        while (s && s->transactions)
            transaction_remove(s->transactions);
        free(s);
    }
    ASSERT(!m->by_producer);
    free(m->shards);
    m->shards = NULL;
    m->n_shards = 0;
}

void txnm_forget(struct txnm *m)
{
    ASSERT_CORE();
    ASSERT(m->magic == TXNM_MAGIC);
    for (int32_t i = 0; i < m->n_shards; i++)
        for (struct transaction *t = m->shards[i] ? m->shards[i]->transactions : NULL; t;
             t = t->hh.next)
            ending_give_up(t);
    shards_free(m);
}

void txnm_free(struct txnm *m)
{
    if (!m)
        return;
    ASSERT(m->magic == TXNM_MAGIC);
    shards_free(m);
    m->magic = 0;
    free(m);
}
