/* AddPartitionsToTxn.
 *
 * Owner: struct add_request, in the request's arena; core thread.
 *
 * Happy path: of each transaction: authorize -> every partition is there and may be written -> the
 *             transaction coordinator adds all of them, or verifies each -> reply when durable.
 * Failures:   one partition that is refused keeps the others of its transaction out, too:
 *             OPERATION_NOT_ATTEMPTED.
 * Versions:   0-3 are one transaction of a client; 4 and later are batches of brokers.
 */
#include "transactions.h"

typedef struct add_partitions_to_txn_request_transactions add_txn;
typedef struct add_partitions_to_txn_request_transactions_topics add_topic;
typedef struct add_partitions_to_txn_response_results_by_transaction result_txn;
typedef struct add_partitions_to_txn_response_results_by_transaction_topic_results result_topic;
typedef struct
    add_partitions_to_txn_response_results_by_transaction_topic_results_results_by_partition
        result_part;

#define BATCHES_FROM 4

struct add_request {
    struct txn_request base;
    const add_txn *txns;
    struct txn_add *adds; /* by transaction, their partitions in the order of the request */
    int32_t n;
};

/* ---- checks */

static int16_t partition_check(struct request *rq, struct str topic, int32_t partition)
{
    struct meta_topic *t = meta_topic(rq->broker->meta, topic);

    if (rq->version < BATCHES_FROM &&
        (meta_topic_name_internal(topic) || !request_allowed(rq, ACL_WRITE, RESOURCE_TOPIC, topic)))
        return KE_TOPIC_AUTHORIZATION_FAILED;
    if (!t || partition < 0 || partition >= t->n_partitions)
        return KE_UNKNOWN_TOPIC_OR_PARTITION;
    return KE_NONE;
}

static int32_t count_partitions(const add_txn *txn)
{
    int32_t n = 0;

    for (int32_t i = 0; i < txn->n_topics; i++)
        n += txn->topics[i].n_partitions;
    return n;
}

/* False when one of them is refused; then each has an error. */
static bool partitions_check(struct request *rq, struct txn_add *a)
{
    bool fine = true;

    for (int32_t i = 0; i < a->n_partitions; i++) {
        struct txn_partition *p = &a->partitions[i];

        p->error = partition_check(rq, p->topic, p->partition);
        fine = fine && !p->error;
    }
    for (int32_t i = 0; i < a->n_partitions && !fine; i++)
        if (!a->partitions[i].error)
            a->partitions[i].error = KE_OPERATION_NOT_ATTEMPTED;
    return fine;
}

static void add_prepare(struct request *rq, const add_txn *txn, struct txn_add *a)
{
    int32_t n = count_partitions(txn);

    a->producer =
        (struct txn_producer){txn->transactional_id, txn->producer_id, txn->producer_epoch};
    a->verify_only = txn->verify_only;
    a->client_version = rq->version < BATCHES_FROM ? TXN_VERSION_0 : TXN_VERSION_2;
    a->partitions = arena_array(&rq->arena, (size_t)n, sizeof(*a->partitions));
    for (int32_t i = 0; i < txn->n_topics; i++)
        for (int32_t j = 0; j < txn->topics[i].n_partitions; j++) {
            struct txn_partition *p = &a->partitions[a->n_partitions++];

            p->topic = txn->topics[i].name;
            p->partition = txn->topics[i].partitions[j];
        }
    if (!txn_request_allowed(rq, ACL_WRITE, txn->transactional_id))
        a->error = KE_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
    else if (!partitions_check(rq, a))
        a->error = KE_OPERATION_NOT_ATTEMPTED; /* the partitions say it themselves */
}

/* ---- answers */

static void result_topics(struct request *rq, const add_txn *txn, const struct txn_add *a,
                          result_topic **topics, int32_t *n_topics)
{
    bool own = a->error == KE_NONE || a->error == KE_OPERATION_NOT_ATTEMPTED;
    int16_t error =
        a->error == KE_PRODUCER_FENCED && rq->version < 2 ? KE_INVALID_PRODUCER_EPOCH : a->error;
    int32_t at = 0;

    *n_topics = txn->n_topics;
    *topics = arena_array(&rq->arena, (size_t)txn->n_topics, sizeof(**topics));
    for (int32_t i = 0; i < txn->n_topics; i++) {
        const add_topic *from = &txn->topics[i];
        result_topic *to = &(*topics)[i];

        to->name = from->name;
        to->n_results_by_partition = from->n_partitions;
        to->results_by_partition =
            arena_array(&rq->arena, (size_t)from->n_partitions, sizeof(*to->results_by_partition));
        for (int32_t j = 0; j < from->n_partitions; j++, at++)
            to->results_by_partition[j] =
                (result_part){from->partitions[j], own ? a->partitions[at].error : error};
    }
}

static void add_done(struct txn_call *call)
{
    struct request *rq = txn_request_end(call);
    struct add_request *ar = CONTAINER_OF(call, struct add_request, base.call);
    struct add_partitions_to_txn_response *rsp;

    if (!rq)
        return;
    rsp = rq->response;
    if (rq->version < BATCHES_FROM) {
        result_topics(rq, ar->txns, ar->adds, &rsp->results_by_topic_v3_and_below,
                      &rsp->n_results_by_topic_v3_and_below);
        request_reply(rq);
        return;
    }
    rsp->n_results_by_transaction = ar->n;
    rsp->results_by_transaction =
        arena_array(&rq->arena, (size_t)ar->n, sizeof(*rsp->results_by_transaction));
    for (int32_t i = 0; i < ar->n; i++) {
        result_txn *row = &rsp->results_by_transaction[i];

        row->transactional_id = ar->txns[i].transactional_id;
        result_topics(rq, &ar->txns[i], &ar->adds[i], &row->topic_results, &row->n_topic_results);
    }
    request_reply(rq);
}

/* ---- the request */

static add_txn *single(struct request *rq)
{
    const struct add_partitions_to_txn_request *body = rq->body;
    add_txn *txn = arena_alloc(&rq->arena, sizeof(*txn));

    txn->transactional_id = body->v3_and_below_transactional_id;
    txn->producer_id = body->v3_and_below_producer_id;
    txn->producer_epoch = body->v3_and_below_producer_epoch;
    txn->topics = body->v3_and_below_topics;
    txn->n_topics = body->n_v3_and_below_topics;
    return txn;
}

void api_add_partitions_to_txn_handle(struct request *rq)
{
    const struct add_partitions_to_txn_request *body = rq->body;
    struct add_partitions_to_txn_response *rsp = rq->response;
    bool batch = rq->version >= BATCHES_FROM;
    struct add_request *ar = arena_alloc(&rq->arena, sizeof(*ar));

    if (batch &&
        !request_allowed(rq, ACL_CLUSTER_ACTION, RESOURCE_CLUSTER, CLUSTER_RESOURCE_NAME)) {
        rsp->error_code = KE_CLUSTER_AUTHORIZATION_FAILED;
        request_reply(rq);
        return;
    }
    ar->base.rq = rq;
    ar->base.call.done = add_done;
    ar->base.call.arena = &rq->arena;
    ar->n = batch ? body->n_transactions : 1;
    ar->txns = batch ? body->transactions : single(rq);
    ar->adds = arena_array(&rq->arena, (size_t)ar->n, sizeof(*ar->adds));
    for (int32_t i = 0; i < ar->n; i++)
        add_prepare(rq, &ar->txns[i], &ar->adds[i]);
    txnm_add_partitions(rq->broker->txns, ar->adds, ar->n, &ar->base.call);
}
