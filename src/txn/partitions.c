/* Partitions come into a transaction: AddPartitionsToTxn, AddOffsetsToTxn, and what Produce asks
 * (TransactionCoordinator.handleAddPartitionsToTransaction, handleVerifyPartitionsInTransaction).
 *
 * Owner: the call, its caller's. Core thread.
 *
 * Happy path: the producer is who it says -> its transaction has the partitions already, or one
 *             record adds them and begins it, if need be.
 * Invariant:  a transactional batch is appended only where its transaction has the partition, so
 *             that whoever ends it knows where to put a marker.
 */
#include "internal.h"

/* Who may go on with its transaction. */
static int16_t producer_check(const struct transaction *t, const struct txn_producer *p)
{
    if (!t || t->v.producer_id != p->producer_id)
        return KE_INVALID_PRODUCER_ID_MAPPING;
    if (t->v.producer_epoch != p->producer_epoch && !PLANTED(skip_fence))
        return KE_PRODUCER_FENCED;
    if (t->v.state == TXN_PREPARE_COMMIT || t->v.state == TXN_PREPARE_ABORT)
        return KE_CONCURRENT_TRANSACTIONS;
    return KE_NONE;
}

static int16_t producer_find(struct txnm *m, const struct txn_producer *p, struct txn_shard **s,
                             struct transaction **t)
{
    int16_t error;

    *s = NULL;
    *t = NULL;
    if (p->transactional_id.n == 0)
        return KE_INVALID_REQUEST;
    error = txn_shard_get(m, p->transactional_id, false, s);
    if (error)
        return error;
    *t = transaction_find(*s, p->transactional_id);
    return producer_check(*t, p);
}

static bool has(const struct transaction *t, struct str topic, int32_t partition)
{
    return t->v.state == TXN_ONGOING && txn_topics_has(t, topic, partition);
}

/* ---- adding */

static bool has_all(const struct transaction *t, const struct txn_partition *partitions, int32_t n)
{
    for (int32_t i = 0; i < n; i++)
        if (!has(t, partitions[i].topic, partitions[i].partition))
            return false;
    return t->v.state == TXN_ONGOING;
}

static int16_t add(struct transaction *t, const struct txn_partition *partitions, int32_t n,
                   int16_t client_version)
{
    struct txn_proposal p = {.shard = t->shard,
                             .id = t->id,
                             .t = t->v.state == TXN_ONGOING ? t : NULL,
                             .v = t->v,
                             .more = partitions,
                             .n_more = n};
    int16_t error;

    if (has_all(t, partitions, n))
        return KE_NONE;
    p.v.update_ms = txnm_now_ms(t->shard->m);
    if (t->v.state != TXN_ONGOING)
        p.v.start_ms = p.v.update_ms;
    p.v.state = TXN_ONGOING;
    p.v.previous_producer_id = t->v.producer_id;
    p.v.client_version = client_version;
    error = txn_error(txn_propose(&p));
    txn_timers_wanted(t->shard->m);
    return error;
}

/* ---- requests */

static void verify_each(const struct transaction *t, struct txn_add *a)
{
    for (int32_t i = 0; i < a->n_partitions; i++)
        a->partitions[i].error = has(t, a->partitions[i].topic, a->partitions[i].partition)
                                     ? KE_NONE
                                     : KE_TRANSACTION_ABORTABLE;
}

void txnm_add_partitions(struct txnm *m, struct txn_add *adds, int32_t n, struct txn_call *call)
{
    struct txn_shard **shards = arena_array(call->arena, (size_t)n, sizeof(struct txn_shard *));

    ASSERT_CORE();
    for (int32_t i = 0; i < n; i++) {
        struct txn_add *a = &adds[i];
        struct transaction *t;

        if (a->error)
            continue;
        a->error = producer_find(m, &a->producer, &shards[i], &t);
        if (a->error)
            continue;
        if (a->verify_only)
            verify_each(t, a);
        else
            a->error = add(t, a->partitions, a->n_partitions, a->client_version);
    }
    txn_call_end_all(shards, n, call);
}

void txnm_add_offsets(struct txnm *m, const struct add_offsets_to_txn_request *rq,
                      struct add_offsets_to_txn_response *rsp, struct txn_call *call)
{
    struct txn_producer p = {rq->transactional_id, rq->producer_id, rq->producer_epoch};
    struct txn_partition partition = {0};
    struct txn_shard *s;
    struct transaction *t;

    ASSERT_CORE();
    rsp->error_code = producer_find(m, &p, &s, &t);
    if (!rsp->error_code && !m->options.group_partition(m->options.arg, rq->group_id,
                                                        &partition.topic, &partition.partition))
        rsp->error_code = KE_COORDINATOR_NOT_AVAILABLE;
    if (!rsp->error_code)
        rsp->error_code = add(t, &partition, 1, TXN_VERSION_0);
    txn_call_end(s, call);
}

/* ---- Produce, TxnOffsetCommit */

/* AddPartitionsToTxnManager: a fenced producer is told so in the words of Produce. */
static int16_t for_writer(int16_t error)
{
    return error == KE_PRODUCER_FENCED ? KE_INVALID_PRODUCER_EPOCH : error;
}

int16_t txnm_verify(struct txnm *m, const struct txn_producer *p, struct str topic,
                    int32_t partition)
{
    struct txn_shard *s;
    struct transaction *t;
    int16_t error = producer_find(m, p, &s, &t);

    if (error)
        return for_writer(error);
    return has(t, topic, partition) ? KE_NONE : KE_TRANSACTION_ABORTABLE;
}

int16_t txnm_verify_or_add(struct txnm *m, const struct txn_producer *p, struct str topic,
                           int32_t partition, struct statelog **log)
{
    struct txn_partition row = {.topic = topic, .partition = partition};
    struct txn_shard *s;
    struct transaction *t;
    int16_t error = producer_find(m, p, &s, &t);

    *log = NULL;
    if (!error)
        error = add(t, &row, 1, TXN_VERSION_2);
    if (error)
        return for_writer(error);
    *log = s->log;
    return KE_NONE;
}

/* ---- logs that are opened */

static enum txn_fate outcome(const struct transaction *t)
{
    return t->v.state == TXN_COMPLETE_COMMIT ? TXN_FATE_COMMITTED : TXN_FATE_ABORTED;
}

/* Whose last transaction is over. The epoch of TV2 grows with each, so its present one is of the next. */
static enum txn_fate fate_of_idle(const struct transaction *t, int16_t producer_epoch)
{
    bool v2 = t->v.client_version >= TXN_VERSION_2;

    if (t->v.state == TXN_EMPTY || v2) {
        if (producer_epoch == t->v.producer_epoch)
            return TXN_FATE_JOINS;
        return v2 && producer_epoch == t->v.producer_epoch - 1 ? outcome(t) : TXN_FATE_ABORTED;
    }
    return producer_epoch == t->v.producer_epoch ? outcome(t) : TXN_FATE_ABORTED;
}

/* The producer id of somebody's next transactions, when the present one is over. */
static bool will_be_of(const struct txnm *m, int64_t producer_id)
{
    for (const struct transaction *t = m->by_producer; t; t = t->by_producer.next)
        if (t->v.next_producer_id == producer_id)
            return true;
    return false;
}

/* Notes are lost of TV2 only: a producer of TV1 is told that they are durable before it writes. */
enum txn_fate txnm_fate(const struct txnm *m, int64_t producer_id, int16_t producer_epoch,
                        struct str topic, int32_t partition)
{
    const struct transaction *t = transaction_of_producer(m, producer_id);
    bool is_present;

    if (!t)
        return will_be_of(m, producer_id) ? TXN_FATE_JOINS : TXN_FATE_ABORTED;
    is_present = t->v.producer_epoch == producer_epoch;
    switch (t->v.state) {
    case TXN_ONGOING:
        if (!is_present)
            return TXN_FATE_ABORTED;
        if (txn_topics_has(t, topic, partition))
            return TXN_FATE_OPEN;
        return t->v.client_version >= TXN_VERSION_2 ? TXN_FATE_JOINS : TXN_FATE_ABORTED;
    case TXN_PREPARE_COMMIT:
    case TXN_PREPARE_ABORT: /* of TV2's next one, which was begun when this was over: that is lost, too */
        if (is_present && t->v.client_version >= TXN_VERSION_2)
            return TXN_FATE_JOINS;
        return txn_topics_has(t, topic, partition) ? TXN_FATE_OPEN : TXN_FATE_ABORTED;
    default:
        return fate_of_idle(t, producer_epoch);
    }
}

void txnm_each_committed(const struct txnm *m,
                         void (*fn)(void *arg, int64_t producer_id, int16_t producer_epoch),
                         void *arg)
{
    for (const struct transaction *t = m->by_producer; t; t = t->by_producer.next) {
        int16_t grown = t->v.client_version >= TXN_VERSION_2; /* with the Prepare record */

        if (t->v.state == TXN_PREPARE_COMMIT && ending_is_decided(t))
            fn(arg, t->v.producer_id, t->v.producer_epoch - grown);
    }
}

int16_t txnm_join(struct txnm *m, int64_t producer_id, struct str topic, int32_t partition)
{
    struct txn_partition row = {.topic = topic, .partition = partition};
    struct transaction *t = transaction_of_producer(m, producer_id);

    ASSERT_CORE();
    ASSERT(t || will_be_of(m, producer_id));
    if (!t || t->v.state == TXN_PREPARE_COMMIT || t->v.state == TXN_PREPARE_ABORT)
        return KE_CONCURRENT_TRANSACTIONS;
    return add(t, &row, 1, TXN_VERSION_2);
}
