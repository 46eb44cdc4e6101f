/* What Produce asks the transaction coordinator (KIP-890; ReplicaManager.handleProduceAppend, AddPartitionsToTxnManager).
 *
 * Owner: struct produce_txn, in the request's arena; core thread.
 *
 * Happy path: one transactional id, allowed, and one producer in the whole request -> for each partition: does its log have the
 *             transaction already? -> the coordinator: verified, or (v12, KIP-890's second part) put in -> the append follows
 *             in the same turn; the reply waits for what the coordinator has noted, too.
 * Failures:   the coordinator's errors, in the words that this version of the client knows.
 */
#include "produce.h"

#define VERSION_ABORTABLE   11 /* knows TRANSACTION_ABORTABLE */
#define VERSION_EPOCH_BUMPS 12 /* its first write puts a partition into its transaction */

/* A whole batch header at least is there. */
static bool holds_header(const struct wire_records *records)
{
    return records->p && records->n_bytes >= BATCH_HEADER_BYTES;
}

/* RequestUtils.hasTransactionalRecords. */
static bool is_transactional(const struct wire_records *records)
{
    return holds_header(records) && (records->p[22] & BATCH_TRANSACTIONAL);
}

bool produce_txn_has(const struct wire_records *records, struct batch *b)
{
    return is_transactional(records) && batch_decode(records->p, b) != E_CORRUPT &&
           b->producer_id >= 0;
}

static void take_producer(struct produce_txn *x, const struct batch *b)
{
    struct txn_producer *p = &x->producer;

    if (x->any && (p->producer_id != b->producer_id || p->producer_epoch != b->producer_epoch)) {
        x->error = KE_INVALID_PRODUCER_ID_MAPPING;
        x->why = STR("Transactional records contained more than one producer ID");
        return;
    }
    p->producer_id = b->producer_id;
    p->producer_epoch = b->producer_epoch;
    x->any = true;
}

void produce_txn_begin(struct produce_txn *x, struct request *rq)
{
    const struct produce_request *body = rq->body;
    struct batch b;
    bool any = false;

    *x = (struct produce_txn){.rq = rq, .producer.transactional_id = body->transactional_id};
    for (int32_t i = 0; i < body->n_topic_data; i++) {
        for (int32_t k = 0; k < body->topic_data[i].n_partition_data; k++) {
            const struct wire_records *records = &body->topic_data[i].partition_data[k].records;

            any |= is_transactional(records);
            if (produce_txn_has(records, &b))
                take_producer(x, &b);
        }
    }
    if (any &&
        (!body->transactional_id.p ||
         !request_allowed(rq, ACL_WRITE, RESOURCE_TRANSACTIONAL_ID, body->transactional_id))) {
        x->error = KE_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
        x->why = (struct str){0};
    }
}

/* Retriable errors of the coordinator, as one that every producer tries again without asking for metadata first. */
static int16_t not_now(struct request *rq, int16_t error, struct str *why)
{
    *why = arena_printf(
        &rq->arena,
        "Unable to verify the partition has been added to the transaction. Underlying error: %s",
        kafka_error_name(error));
    return KE_NOT_ENOUGH_REPLICAS;
}

static int16_t translate(struct request *rq, int16_t error, struct str *why)
{
    if (error == KE_TRANSACTION_ABORTABLE && rq->version < VERSION_ABORTABLE)
        error = KE_INVALID_TXN_STATE;
    switch (error) {
    case KE_INVALID_TXN_STATE:
        *why = STR("Partition was not added to the transaction");
        return error;
    case KE_CONCURRENT_TRANSACTIONS:
        return rq->version >= VERSION_EPOCH_BUMPS ? error : not_now(rq, error, why);
    case KE_NETWORK_EXCEPTION:
    case KE_COORDINATOR_LOAD_IN_PROGRESS:
    case KE_COORDINATOR_NOT_AVAILABLE:
    case KE_NOT_COORDINATOR:
        return not_now(rq, error, why);
    default:
        return error;
    }
}

int16_t produce_txn_verify(struct produce_txn *x, struct log *log, const struct batch *b,
                           struct str *why)
{
    bool bumps = x->rq->version >= VERSION_EPOCH_BUMPS;
    struct broker *broker = x->rq->broker;
    struct str topic = str_of(log_topic(log));
    struct statelog *noted = NULL;
    int16_t error;

    if (!bumps && !broker->config->transaction_partition_verification_enable)
        return KE_NONE;
    if (!log_must_verify(log, b->producer_id, b->producer_epoch, b->base_sequence, bumps) && !bumps)
        return KE_NONE;
    if (bumps)
        error = txnm_verify_or_add(broker->txns, &x->producer, topic, log_partition(log), &noted);
    else
        error = txnm_verify(broker->txns, &x->producer, topic, log_partition(log));
    ASSERT(!noted || !x->noted || noted == x->noted);
    x->noted = noted ? noted : x->noted;
    return error ? translate(x->rq, error, why) : KE_NONE;
}
