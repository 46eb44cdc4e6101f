/* TxnOffsetCommit.
 *
 * Owner: struct txn_commit, in the request's arena; core thread.
 *
 * Happy path: authorize -> the transaction has the group's partition of __consumer_offsets, or it is
 *             put in (v5, KIP-890) -> the group coordinator keeps the offsets aside -> reply when the
 *             records of both coordinators are durable.
 */
#include "groups.h"
#include "transactions.h"

typedef struct txn_offset_commit_request_topics commit_topic;
typedef struct txn_offset_commit_response_topics commit_row;

#define ADDS_FROM      5 /* the group's partition comes in with the commit */
#define ABORTABLE_FROM 4 /* knows TRANSACTION_ABORTABLE */

struct txn_commit {
    struct request *rq;
    struct group_call call;
    struct statelog_wait added; /* the transaction coordinator's record */
    struct txn_offset_commit_request allowed;
    struct txn_offset_commit_response rsp;
    int16_t *refused; /* by topic of the request */
    int n_left, rc;
};

/* ---- answers */

static void fill_row(struct request *rq, const commit_topic *t, int16_t error, commit_row *row)
{
    txn_offset_commit_response_topics_init(row);
    row->name = t->name;
    row->topic_id = t->topic_id;
    row->n_partitions = t->n_partitions;
    row->partitions = arena_array(&rq->arena, (size_t)t->n_partitions, sizeof(*row->partitions));
    for (int32_t i = 0; i < t->n_partitions; i++) {
        txn_offset_commit_response_topics_partitions_init(&row->partitions[i]);
        row->partitions[i].partition_index = t->partitions[i].partition_index;
        row->partitions[i].error_code = error;
    }
}

static void fail_all(struct request *rq, int16_t error)
{
    const struct txn_offset_commit_request *body = rq->body;
    struct txn_offset_commit_response *rsp = rq->response;

    rsp->n_topics = body->n_topics;
    rsp->topics = arena_array(&rq->arena, (size_t)body->n_topics, sizeof(*rsp->topics));
    for (int32_t i = 0; i < body->n_topics; i++)
        fill_row(rq, &body->topics[i], error, &rsp->topics[i]);
    request_reply(rq);
}

/* The coordinator's rows, and those that it did not get to see. */
static void merge(struct txn_commit *c)
{
    const struct txn_offset_commit_request *body = c->rq->body;
    struct txn_offset_commit_response *rsp = c->rq->response;

    rsp->topics = arena_array(&c->rq->arena, (size_t)(body->n_topics + c->rsp.n_topics),
                              sizeof(*rsp->topics));
    for (int32_t i = 0; i < body->n_topics; i++)
        if (c->refused[i])
            fill_row(c->rq, &body->topics[i], c->refused[i], &rsp->topics[rsp->n_topics++]);
    for (int32_t i = 0; i < c->rsp.n_topics; i++)
        rsp->topics[rsp->n_topics++] = c->rsp.topics[i];
}

static void part_done(struct txn_commit *c, int rc)
{
    ASSERT(c->n_left > 0);
    if (rc < 0)
        c->rc = rc;
    if (--c->n_left > 0)
        return;
    if (c->rc < 0) {
        request_drop(c->rq, err_text(c->rc));
        return;
    }
    merge(c);
    request_reply(c->rq);
}

static void committed(struct group_call *call)
{
    part_done(CONTAINER_OF(call, struct txn_commit, call), call->rc);
}

static void added(struct statelog_wait *w, int rc)
{
    part_done(CONTAINER_OF(w, struct txn_commit, added), rc);
}

/* ---- the request */

static void sort_out(struct txn_commit *c)
{
    const struct txn_offset_commit_request *body = c->rq->body;
    size_t n = (size_t)body->n_topics;

    c->refused = arena_array(&c->rq->arena, n, sizeof(*c->refused));
    c->allowed = *body;
    c->allowed.n_topics = 0;
    c->allowed.topics = arena_array(&c->rq->arena, n, sizeof(*c->allowed.topics));
    for (int32_t i = 0; i < body->n_topics; i++) {
        const commit_topic *t = &body->topics[i];
        int16_t error;
        struct meta_topic *topic =
            request_topic(c->rq, c->rq->version >= 6, t->name, t->topic_id, &error);
        struct str name = topic ? str_of(topic->name) : t->name;

        if (name.n > 0 && !request_allowed(c->rq, ACL_READ, RESOURCE_TOPIC, name))
            c->refused[i] = KE_TOPIC_AUTHORIZATION_FAILED;
        else
            c->allowed.topics[c->allowed.n_topics++] = *t;
    }
}

/* In the words that a client of this version knows (AddPartitionsToTxnManager,
 * CoordinatorOperationExceptionHelper). */
static int16_t refusal(int16_t error, int16_t version)
{
    if (error == KE_TRANSACTION_ABORTABLE && version < ABORTABLE_FROM)
        return KE_INVALID_TXN_STATE;
    if (error == KE_CONCURRENT_TRANSACTIONS && version < ADDS_FROM)
        return KE_COORDINATOR_NOT_AVAILABLE;
    return error;
}

static int16_t verify(struct request *rq, struct statelog **log)
{
    const struct txn_offset_commit_request *body = rq->body;
    struct txn_producer p = {body->transactional_id, body->producer_id, body->producer_epoch};
    int32_t n = broker_offsets_topic(rq->broker), partition;

    *log = NULL;
    if (n <= 0)
        return KE_COORDINATOR_NOT_AVAILABLE;
    partition = group_shard_of(body->group_id, n);
    if (rq->version >= ADDS_FROM)
        return txnm_verify_or_add(rq->broker->txns, &p, STR(OFFSETS_TOPIC), partition, log);
    if (!rq->broker->config->transaction_partition_verification_enable)
        return KE_NONE;
    return txnm_verify(rq->broker->txns, &p, STR(OFFSETS_TOPIC), partition);
}

static int16_t authorize(struct request *rq)
{
    const struct txn_offset_commit_request *body = rq->body;

    if (!txn_request_allowed(rq, ACL_WRITE, body->transactional_id))
        return KE_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
    if (!group_request_allowed(rq, ACL_READ, body->group_id))
        return KE_GROUP_AUTHORIZATION_FAILED;
    return KE_NONE;
}

void api_txn_offset_commit_handle(struct request *rq)
{
    struct txn_commit *c;
    struct statelog *log = NULL;
    int16_t error = authorize(rq);

    if (!error)
        error = refusal(verify(rq, &log), rq->version);
    if (error) {
        fail_all(rq, error);
        return;
    }
    c = arena_alloc(&rq->arena, sizeof(*c));
    c->rq = rq;
    c->call.done = committed;
    c->call.arena = &rq->arena;
    c->n_left = log ? 2 : 1;
    sort_out(c);
    if (log)
        statelog_after(log, &c->added, added);
    groupm_txn_offset_commit(rq->broker->groups, &c->allowed, rq->version, &c->rsp, &c->call);
}
