/* EndTxn, and transactions that the coordinator aborts (TransactionCoordinator.endTransaction).
 *
 * Owner: the call, its caller's. Core thread.
 *
 * Happy path: the producer is who it says -> a Prepare record says how the transaction ends; from
 *             then on there is no way back -> ending_start.
 * TV2:        (EndTxn v5, KIP-890) the epoch grows with the Prepare record, so that a late record of
 *             this transaction cannot fall into the next one. The answer has the new epoch; a
 *             repeat, with the old one, gets the same answer.
 */
#include "internal.h"

bool txn_epoch_exhausted(int16_t epoch)
{
    return epoch >= PRODUCER_EPOCH_LAST;
}

struct end {
    struct txn_shard *s;
    struct transaction *t;
    struct txn_producer producer;
    bool commit;
    /* TV2: this is a repeat of a request that was carried out: under the same producer id, or under
     * the one that followed it. */
    bool retry, retry_overflow;
};

/* ---- deciding: KE_NONE with *to == Prepare..., or with TXN_N_STATES: it is ended already */

/* What an end means in a state where it is not a repeat of the last one. */
static int16_t ended(const struct end *e)
{
    enum txn_state state = e->t->v.state;
    bool same = e->commit ? state == TXN_PREPARE_COMMIT || state == TXN_COMPLETE_COMMIT
                          : state == TXN_PREPARE_ABORT || state == TXN_COMPLETE_ABORT;

    if (!same)
        return KE_INVALID_TXN_STATE;
    return state == TXN_PREPARE_COMMIT || state == TXN_PREPARE_ABORT ? KE_CONCURRENT_TRANSACTIONS
                                                                     : KE_NONE;
}

static int16_t decide_v1(const struct end *e, enum txn_state *to)
{
    const struct transaction *t = e->t;

    *to = TXN_N_STATES;
    if (t->v.producer_id != e->producer.producer_id)
        return KE_INVALID_PRODUCER_ID_MAPPING;
    if (t->v.producer_epoch != e->producer.producer_epoch)
        return KE_PRODUCER_FENCED;
    if (t->v.state == TXN_EMPTY)
        return KE_INVALID_TXN_STATE;
    if (t->v.state != TXN_ONGOING)
        return ended(e);
    *to = e->commit ? TXN_PREPARE_COMMIT : TXN_PREPARE_ABORT;
    return KE_NONE;
}

/* The same epoch alone means the end of the next transaction: a repeat is known by the epoch
 * before. */
static bool epoch_fits(const struct end *e)
{
    bool same = e->producer.producer_epoch == e->t->v.producer_epoch;

    switch (e->t->v.state) {
    case TXN_PREPARE_COMMIT:
    case TXN_PREPARE_ABORT:
        return e->retry;
    case TXN_COMPLETE_COMMIT:
    case TXN_COMPLETE_ABORT:
        return e->retry || e->retry_overflow || same;
    default:
        return same;
    }
}

static int16_t decide_v2(struct end *e, enum txn_state *to)
{
    const struct txn_values *v = &e->t->v;
    int32_t epoch = e->producer.producer_epoch;

    *to = TXN_N_STATES;
    e->retry_overflow = v->previous_producer_id == e->producer.producer_id &&
                        epoch == PRODUCER_EPOCH_LAST && v->producer_epoch == 0;
    e->retry = v->producer_epoch == epoch + 1;
    if (!e->retry_overflow && v->producer_id != e->producer.producer_id)
        return KE_INVALID_PRODUCER_ID_MAPPING;
    if (!epoch_fits(e))
        return KE_PRODUCER_FENCED;
    if (v->state == TXN_ONGOING) {
        *to = e->commit ? TXN_PREPARE_COMMIT : TXN_PREPARE_ABORT;
        return KE_NONE;
    }
    if (e->retry || e->retry_overflow)
        return v->state == TXN_EMPTY ? KE_INVALID_TXN_STATE : ended(e);
    if (e->commit)
        return KE_INVALID_TXN_STATE;
    *to = TXN_PREPARE_ABORT; /* its writes have not come here yet, if there were any */
    return KE_NONE;
}

/* ---- the Prepare record */

/* TransactionMetadata.prepareAbortOrCommit. `epoch` is what markers will have. */
static int prepare(struct transaction *t, enum txn_state to, int16_t client_version, int16_t epoch,
                   int64_t next_producer_id)
{
    struct txn_proposal p = {.shard = t->shard, .id = t->id, .t = t, .v = t->v};
    int16_t before = t->v.producer_epoch;
    int rc;

    p.v.update_ms = txnm_now_ms(t->shard->m);
    if (t->v.state != TXN_ONGOING)
        p.v.start_ms = p.v.update_ms;
    p.v.state = to;
    p.v.producer_epoch = epoch;
    p.v.previous_producer_id = t->v.producer_id;
    p.v.next_producer_id = next_producer_id;
    p.v.client_version = client_version;
    rc = txn_propose(&p);
    if (rc == 0 && client_version >= TXN_VERSION_2)
        t->last_epoch = before;
    return rc;
}

static int16_t prepare_v2(struct end *e, enum txn_state to)
{
    const struct txnm_options *o = &e->s->m->options;
    int64_t next = NO_PRODUCER_ID;
    int16_t epoch = e->t->v.producer_epoch;

    if (txn_epoch_exhausted(epoch)) {
        int16_t error = o->producer_id(o->arg, &next);

        if (error)
            return error;
    }
    epoch += epoch < PRODUCER_EPOCH_MAX;
    return txn_error(prepare(e->t, to, TXN_VERSION_2, epoch, next));
}

/* Of the broker's own generation, whatever the client's is: in TV2 a client that says who it was gets the new epoch, in TV1
 * nobody does: whoever asks gets a higher one. The epoch grows once in both, so that the markers fence the producer
 * (KAFKA-19367). */
int txn_abort(struct transaction *t)
{
    const struct txnm_options *o = &t->shard->m->options;
    bool v2 = o->transaction_version(o->arg) >= TXN_VERSION_2;
    int16_t epoch = t->v.producer_epoch;
    int rc;

    ASSERT(t->v.state == TXN_ONGOING);
    epoch += epoch < PRODUCER_EPOCH_MAX;
    rc = prepare(t, TXN_PREPARE_ABORT, v2 ? TXN_VERSION_2 : TXN_VERSION_0, epoch, NO_PRODUCER_ID);
    if (rc < 0)
        return rc;
    if (!v2)
        t->last_epoch = NO_PRODUCER_EPOCH;
    ending_start(t, NULL);
    return 0;
}

/* ---- EndTxn */

/* What a TV2 client goes on with. */
static void tell_producer(const struct transaction *t, struct end_txn_response *rsp)
{
    bool overflow = t->v.next_producer_id != NO_PRODUCER_ID;

    rsp->producer_id = overflow ? t->v.next_producer_id : t->v.producer_id;
    rsp->producer_epoch = overflow ? 0 : t->v.producer_epoch;
}

static int16_t end_find(struct txnm *m, struct end *e)
{
    int16_t error;

    if (e->producer.transactional_id.n == 0)
        return KE_INVALID_REQUEST;
    error = txn_shard_get(m, e->producer.transactional_id, false, &e->s);
    if (error)
        return error;
    e->t = transaction_find(e->s, e->producer.transactional_id);
    return e->t ? KE_NONE : KE_INVALID_PRODUCER_ID_MAPPING;
}

void txnm_end(struct txnm *m, const struct end_txn_request *rq, int16_t version,
              struct end_txn_response *rsp, struct txn_call *call)
{
    struct end e = {.producer = {rq->transactional_id, rq->producer_id, rq->producer_epoch},
                    .commit = rq->committed};
    enum txn_state to = TXN_N_STATES;
    bool v2 = version >= 5;
    int16_t error = end_find(m, &e);

    ASSERT_CORE();
    if (!error)
        error = v2 ? decide_v2(&e, &to) : decide_v1(&e, &to);
    if (!error && to != TXN_N_STATES)
        error =
            v2 ? prepare_v2(&e, to)
               : txn_error(prepare(e.t, to, TXN_VERSION_0, e.t->v.producer_epoch, NO_PRODUCER_ID));
    rsp->error_code = error;
    rsp->producer_id = NO_PRODUCER_ID;
    rsp->producer_epoch = NO_PRODUCER_EPOCH;
    if (!error)
        tell_producer(e.t, rsp);
    if (!error && to != TXN_N_STATES)
        ending_start(e.t, call);
    else
        txn_call_end(e.s, call);
}
