/* InitProducerId with a transactional id (TransactionCoordinator.handleInitProducerId).
 *
 * Owner: the call, its caller's. Core thread.
 *
 * Happy path: no such id: a new producer id with epoch 0. One that is idle: the epoch grows, or, when it cannot, a new
 *             producer id. One with a transaction: that is aborted under a higher epoch, and the client is told to ask
 *             again (CONCURRENT_TRANSACTIONS).
 * Invariant:  of two producers with one transactional id, the later has the higher epoch, or a later producer id.
 */
#include "internal.h"

struct init {
    struct txn_shard *s;
    struct transaction *t; /* NULL: new */
    const struct init_producer_id_request *rq;
    struct init_producer_id_response *rsp;
};

static bool has_expected(const struct init_producer_id_request *rq)
{
    return rq->producer_id != NO_PRODUCER_ID;
}

/* The next epoch, and the one before it as the retry of this very request would name it (KIP-360;
 * TransactionMetadata.prepareIncrementProducerEpoch). */
static int16_t next_epoch(const struct transaction *t, const struct init_producer_id_request *rq,
                          int16_t *epoch, int16_t *last_epoch)
{
    int16_t now = t->v.producer_epoch;

    if (has_expected(rq) && rq->producer_epoch != now) {
        if (rq->producer_epoch != t->last_epoch || t->last_epoch == NO_PRODUCER_EPOCH)
            return KE_PRODUCER_FENCED;
        *epoch = now;
        *last_epoch = t->last_epoch;
        return KE_NONE;
    }
    if (txn_epoch_exhausted(now))
        return KE_PRODUCER_FENCED;
    *epoch = now + 1;
    *last_epoch = has_expected(rq) ? now : NO_PRODUCER_EPOCH;
    return KE_NONE;
}

static int16_t store(struct init *i, const struct txn_values *v, int16_t last_epoch)
{
    struct txn_proposal p = {.shard = i->s, .id = i->rq->transactional_id, .v = *v};
    int16_t error = txn_error(txn_propose(&p));

    if (error)
        return error;
    i->t = transaction_find(i->s, i->rq->transactional_id);
    ASSERT(i->t);
    i->t->last_epoch = last_epoch;
    i->rsp->producer_id = i->t->v.producer_id;
    i->rsp->producer_epoch = i->t->v.producer_epoch;
    return KE_NONE;
}

static struct txn_values empty(const struct init *i, int64_t producer_id, int16_t epoch)
{
    const struct transaction *t = i->t;

    return (struct txn_values){
        .producer_id = producer_id,
        .previous_producer_id = t ? t->v.producer_id : producer_id,
        .next_producer_id = NO_PRODUCER_ID,
        .producer_epoch = epoch,
        .timeout_ms = i->rq->transaction_timeout_ms,
        .state = TXN_EMPTY,
        .start_ms = NO_TIME,
        .update_ms = txnm_now_ms(i->s->m),
        .client_version = t ? t->v.client_version : TXN_VERSION_0,
    };
}

/* A new transactional id, or one whose epochs are used up. */
static int16_t with_new_producer_id(struct init *i)
{
    const struct txnm_options *o = &i->s->m->options;
    int16_t last_epoch = i->t && has_expected(i->rq) ? i->t->v.producer_epoch : NO_PRODUCER_EPOCH;
    struct txn_values v;
    int64_t producer_id;
    int16_t error = o->producer_id(o->arg, &producer_id);

    if (error)
        return error;
    v = empty(i, producer_id, 0);
    return store(i, &v, last_epoch);
}

static int16_t with_next_epoch(struct init *i)
{
    int16_t epoch, last_epoch, error;
    struct txn_values v;

    error = next_epoch(i->t, i->rq, &epoch, &last_epoch);
    if (error)
        return error;
    v = empty(i, i->t->v.producer_id, epoch);
    return store(i, &v, last_epoch);
}

/* The producer id that the client believes to have may be the one before, where its epochs were
 * used up. */
static bool expected_id_is_ours(const struct transaction *t,
                                const struct init_producer_id_request *rq)
{
    if (!has_expected(rq) || rq->producer_id == t->v.producer_id)
        return true;
    return rq->producer_id == t->v.previous_producer_id && txn_epoch_exhausted(rq->producer_epoch);
}

static int16_t of_idle(struct init *i)
{
    bool matches = !has_expected(i->rq) || i->rq->producer_epoch == i->t->v.producer_epoch;

    if (txn_epoch_exhausted(i->t->v.producer_epoch) && matches)
        return with_new_producer_id(i);
    return with_next_epoch(i);
}

static int16_t init(struct init *i)
{
    if (!i->t)
        return with_new_producer_id(i);
    if (!expected_id_is_ours(i->t, i->rq))
        return KE_PRODUCER_FENCED;
    switch (i->t->v.state) {
    case TXN_ONGOING: {
        int16_t error = txn_error(txn_abort(i->t));

        return error ? error : KE_CONCURRENT_TRANSACTIONS;
    }
    case TXN_PREPARE_COMMIT:
    case TXN_PREPARE_ABORT:
        return KE_CONCURRENT_TRANSACTIONS;
    default:
        return of_idle(i);
    }
}

void txnm_init_producer_id(struct txnm *m, const struct init_producer_id_request *rq,
                           struct init_producer_id_response *rsp, struct txn_call *call)
{
    struct init i = {.rq = rq, .rsp = rsp};

    ASSERT_CORE();
    ASSERT(rq->transactional_id.n > 0);
    rsp->producer_id = NO_PRODUCER_ID;
    rsp->producer_epoch = NO_PRODUCER_EPOCH;
    if (rq->transaction_timeout_ms <= 0 ||
        rq->transaction_timeout_ms > m->options.config->transaction_max_timeout_ms) {
        rsp->error_code = KE_INVALID_TRANSACTION_TIMEOUT;
        txn_call_end_now(call, 0);
        return;
    }
    rsp->error_code = txn_shard_get(m, rq->transactional_id, true, &i.s);
    if (!rsp->error_code) {
        i.t = transaction_find(i.s, rq->transactional_id);
        rsp->error_code = init(&i);
        txn_timers_wanted(m);
    }
    txn_call_end(i.s, call);
}
