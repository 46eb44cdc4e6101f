/* A transaction that is being ended: markers to all its partitions, then the Complete record
 * (TransactionMarkerChannelManager).
 *
 * Owner: struct transaction.ending, core thread.
 *
 *     Prepare applied -> ... durable -> markers appended, all in one turn -> ... durable
 *                     -> Complete applied; the answer leaves
 *
 * The markers of all partitions, and those of other transactions that end at the same time, share
 * the next commit: whatever the number of partitions, two commits lie between EndTxn and its answer.
 * Kafka answers after the first; here the answer waits for the second, so that the client's next
 * transaction does not run into CONCURRENT_TRANSACTIONS. Nobody waits for the Complete record: when it
 * is lost, the markers are written again after the start.
 * Invariant:  no marker before the Prepare record is durable; no Complete record before all markers
 *             are.
 * Failures:   a marker that cannot be written now is tried again every second, and the client is
 *             answered at once: the outcome is decided. A partition that is gone needs none.
 */
#include "internal.h"

struct marker_part {
    struct log_wait wait;
    struct ending *ending;
    struct str topic; /* the transaction's */
    int32_t partition;
    bool is_written;
};
struct ending {
    struct transaction *t;
    struct txn_call *call; /* NULL: nobody waits any more */
    struct statelog_wait prepared;
    struct timer retry;
    int32_t n_parts, n_waiting;
    bool is_decided; /* the Prepare record is durable */
    bool in_turn;    /* inside write_markers */
    struct marker_part parts[];
};

static void answer(struct ending *e, int rc)
{
    struct txn_call *call = e->call;

    e->call = NULL;
    if (call)
        txn_call_end_now(call, rc);
}

bool ending_is_decided(const struct transaction *t)
{
    return t->ending && t->ending->is_decided;
}

void ending_free(struct transaction *t)
{
    struct ending *e = t->ending;

    if (!e)
        return;
    t->ending = NULL;
    timer_cancel(&t->shard->m->env->timers, &e->retry);
    statelog_wait_cancel(&e->prepared);
    for (int32_t i = 0; i < e->n_parts; i++)
        log_wait_cancel(&e->parts[i].wait);
    free(e);
}

void ending_give_up(struct transaction *t)
{
    if (t->ending)
        answer(t->ending, E_OFFLINE);
}

static void retry_later(struct ending *e)
{
    struct env *env = e->t->shard->m->env;

    timer_set(&env->timers, &e->retry, mono_after_ms(clock_mono(env->clock), MARKERS_RETRY_MS));
}

/* ---- the Complete record: TransactionMetadata.prepareComplete */

static int complete(struct transaction *t)
{
    struct txn_proposal p = {.shard = t->shard, .id = t->id, .v = t->v};

    p.v.state = t->v.state == TXN_PREPARE_COMMIT ? TXN_COMPLETE_COMMIT : TXN_COMPLETE_ABORT;
    p.v.update_ms = txnm_now_ms(t->shard->m);
    p.v.previous_producer_id = t->v.producer_id;
    p.v.next_producer_id = NO_PRODUCER_ID;
    if (t->v.client_version >= TXN_VERSION_2 && t->v.next_producer_id != NO_PRODUCER_ID) {
        p.v.producer_id = t->v.next_producer_id;
        p.v.producer_epoch = 0;
    }
    return txn_propose(&p);
}

static void markers_written(struct ending *e)
{
    struct transaction *t = e->t;
    struct txn_call *call = e->call;

    if (complete(t) < 0) {
        retry_later(e);
        answer(e, 0);
        return;
    }
    ending_free(t);
    if (call)
        txn_call_end_now(call, 0);
}

/* ---- markers */

static void settle(struct ending *e)
{
    bool all = true;

    if (e->n_waiting > 0 || e->in_turn)
        return;
    for (int32_t i = 0; i < e->n_parts; i++)
        all = all && e->parts[i].is_written;
    if (all) {
        markers_written(e);
        return;
    }
    retry_later(e);
    answer(e, 0);
}

static void marker_durable(struct log_wait *w, int rc)
{
    struct marker_part *part = CONTAINER_OF(w, struct marker_part, wait);

    ASSERT(part->ending->n_waiting > 0);
    part->ending->n_waiting--;
    part->is_written = rc == 0 || rc == E_CANCELED; /* deleted */
    settle(part->ending);
}

static struct txn_marker marker_of(const struct transaction *t)
{
    return (struct txn_marker){.producer_id = t->v.producer_id,
                               .producer_epoch = t->v.producer_epoch,
                               .coordinator_epoch = t->shard->coordinator_epoch,
                               .committed = t->v.state == TXN_PREPARE_COMMIT,
                               .transaction_version = t->v.client_version};
}

static void write_marker(struct marker_part *part)
{
    const struct txnm_options *o = &part->ending->t->shard->m->options;
    struct txn_marker marker = marker_of(part->ending->t);
    struct log *log = NULL;
    int64_t end;
    int rc = o->write_marker(o->arg, part->topic, part->partition, &marker, &log, &end);

    if (rc < 0)
        return;
    if (!log) {
        part->is_written = true;
        return;
    }
    part->ending->n_waiting++;
    log_wait_durable(log, &part->wait, end, marker_durable);
}

static void write_markers(struct ending *e)
{
    ASSERT(e->n_waiting == 0);
    e->in_turn = true;
    for (int32_t i = 0; i < e->n_parts; i++)
        if (!e->parts[i].is_written)
            write_marker(&e->parts[i]);
    e->in_turn = false;
    settle(e);
}

static void retry(struct timer *timer)
{
    write_markers(CONTAINER_OF(timer, struct ending, retry));
}

static void prepared(struct statelog_wait *w, int rc)
{
    struct ending *e = CONTAINER_OF(w, struct ending, prepared);

    e->is_decided = rc == 0;
    if (rc == 0)
        write_markers(e);
    else
        answer(e, rc); /* whether it is kept is not known: the next start will see */
}

/* ---- beginning */

static struct ending *ending_new(struct transaction *t)
{
    struct ending *e =
        xcalloc(1, sizeof(*e) + (size_t)t->n_partitions * sizeof(struct marker_part));

    e->t = t;
    timer_init(&e->retry, retry);
    for (const struct txn_topic *topic = t->topics; topic; topic = topic->hh.next)
        for (int32_t i = 0; i < topic->n; i++) {
            struct marker_part *part = &e->parts[e->n_parts++];

            part->ending = e;
            part->topic = topic->name;
            part->partition = topic->partitions[i];
        }
    ASSERT(e->n_parts == t->n_partitions);
    return e;
}

void ending_start(struct transaction *t, struct txn_call *call)
{
    ASSERT(!t->ending);
    ASSERT(t->v.state == TXN_PREPARE_COMMIT || t->v.state == TXN_PREPARE_ABORT);
    ASSERT(t->shard->log);
    t->ending = ending_new(t);
    t->ending->call = call;
    if (PLANTED(markers_before_prepare)) {
        write_markers(t->ending);
        return;
    }
    if (PLANTED(forget_marker) && !call && t->n_partitions > 0)
        t->ending->parts[0].is_written = true;
    statelog_after(t->shard->log, &t->ending->prepared, prepared);
}
