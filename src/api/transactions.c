/* Transactions: InitProducerId, AddPartitionsToTxn, AddOffsetsToTxn, EndTxn, WriteTxnMarkers,
 * DescribeTransactions, ListTransactions.
 *
 * Owner: struct txn_request, in the request's arena; core thread.
 *
 * Happy path: authorize -> the transaction coordinator decides -> `done` when all that the answer
 *             says is durable -> reply.
 * Failures:   a flush that failed closes the connection without an answer.
 */
#include "transactions.h"

#include "regex.h"

struct txn_request *txn_request_new(struct request *rq, void (*done)(struct txn_call *))
{
    struct txn_request *tr = arena_alloc(&rq->arena, sizeof(*tr));

    tr->rq = rq;
    tr->call.done = done;
    tr->call.arena = &rq->arena;
    return tr;
}

struct request *txn_request_end(struct txn_call *call)
{
    struct request *rq = CONTAINER_OF(call, struct txn_request, call)->rq;

    if (call->rc == 0)
        return rq;
    request_drop(rq, err_text(call->rc));
    return NULL;
}

bool txn_request_allowed(struct request *rq, enum acl_operation op, struct str transactional_id)
{
    return request_allowed(rq, op, RESOURCE_TRANSACTIONAL_ID, transactional_id);
}

static void txn_done(struct txn_call *call)
{
    struct request *rq = txn_request_end(call);

    if (rq)
        request_reply(rq);
}

/* Producer ids come from the metadata: their block is to be durable too. */
static void done_after_meta(struct txn_call *call)
{
    struct request *rq = txn_request_end(call);

    if (rq)
        request_reply_after_meta(rq);
}

/* Clients of old versions do not know PRODUCER_FENCED. */
static int16_t fenced_as(int16_t error, int16_t version, int16_t first)
{
    return error == KE_PRODUCER_FENCED && version < first ? KE_INVALID_PRODUCER_EPOCH : error;
}

/* ---- InitProducerId */

static void init_done(struct txn_call *call)
{
    struct request *rq = txn_request_end(call);
    struct init_producer_id_response *rsp;

    if (!rq)
        return;
    rsp = rq->response;
    rsp->error_code = fenced_as(rsp->error_code, rq->version, 4);
    request_reply_after_meta(rq);
}

/* Without a transactional id a new producer id is handed out, whatever else the request says
 * (TransactionCoordinator). */
static int16_t init_idempotent(struct request *rq, struct init_producer_id_response *rsp)
{
    int rc;

    if (!request_allowed(rq, ACL_IDEMPOTENT_WRITE, RESOURCE_CLUSTER, CLUSTER_RESOURCE_NAME))
        return KE_CLUSTER_AUTHORIZATION_FAILED;
    rc = broker_producer_id(rq->broker, &rsp->producer_id);
    if (rc < 0)
        return KE_COORDINATOR_NOT_AVAILABLE;
    rsp->producer_epoch = 0;
    return KE_NONE;
}

static int16_t init_check(struct request *rq)
{
    const struct init_producer_id_request *body = rq->body;

    if (!txn_request_allowed(rq, ACL_WRITE, body->transactional_id))
        return KE_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
    if (body->transactional_id.n == 0)
        return KE_INVALID_REQUEST;
    if ((body->producer_id == NO_PRODUCER_ID) != (body->producer_epoch == NO_PRODUCER_EPOCH))
        return KE_INVALID_REQUEST;
    return KE_NONE;
}

void api_init_producer_id_handle(struct request *rq)
{
    const struct init_producer_id_request *body = rq->body;
    struct init_producer_id_response *rsp = rq->response;
    struct txn_request *tr;

    rsp->producer_id = NO_PRODUCER_ID;
    rsp->producer_epoch = NO_PRODUCER_EPOCH;
    rsp->error_code = body->transactional_id.p ? init_check(rq) : init_idempotent(rq, rsp);
    if (!body->transactional_id.p || rsp->error_code) {
        request_reply_after_meta(rq);
        return;
    }
    tr = txn_request_new(rq, init_done);
    txnm_init_producer_id(rq->broker->txns, body, rsp, &tr->call);
}

/* ---- AddOffsetsToTxn, EndTxn */

static void add_offsets_done(struct txn_call *call)
{
    struct request *rq = txn_request_end(call);
    struct add_offsets_to_txn_response *rsp;

    if (!rq)
        return;
    rsp = rq->response;
    rsp->error_code = fenced_as(rsp->error_code, rq->version, 2);
    request_reply_after_meta(rq); /* the topic of offsets may just have been made */
}

void api_add_offsets_to_txn_handle(struct request *rq)
{
    const struct add_offsets_to_txn_request *body = rq->body;
    struct add_offsets_to_txn_response *rsp = rq->response;
    struct txn_request *tr;

    if (!txn_request_allowed(rq, ACL_WRITE, body->transactional_id))
        rsp->error_code = KE_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
    else if (!request_allowed(rq, ACL_READ, RESOURCE_GROUP, body->group_id))
        rsp->error_code = KE_GROUP_AUTHORIZATION_FAILED;
    if (rsp->error_code) {
        request_reply(rq);
        return;
    }
    tr = txn_request_new(rq, add_offsets_done);
    txnm_add_offsets(rq->broker->txns, body, rsp, &tr->call);
}

static void end_done(struct txn_call *call)
{
    struct request *rq = CONTAINER_OF(call, struct txn_request, call)->rq;
    struct end_txn_response *rsp = rq->response;

    rsp->error_code = fenced_as(rsp->error_code, rq->version, 2);
    done_after_meta(call);
}

void api_end_txn_handle(struct request *rq)
{
    const struct end_txn_request *body = rq->body;
    struct end_txn_response *rsp = rq->response;
    struct txn_request *tr;

    if (!txn_request_allowed(rq, ACL_WRITE, body->transactional_id)) {
        rsp->error_code = KE_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
        request_reply(rq);
        return;
    }
    tr = txn_request_new(rq, end_done);
    txnm_end(rq->broker->txns, body, rq->version, rsp, &tr->call);
}

/* ---- WriteTxnMarkers */

struct marker_wait {
    struct log_wait wait;
    struct markers *markers;
    int16_t *error;
};
struct markers {
    struct request *rq;
    struct marker_wait *waits;
    int32_t n_waits, n_left;
};

static void markers_end(struct markers *m)
{
    if (m->n_left == 0)
        request_reply(m->rq);
}

static void marker_durable(struct log_wait *w, int rc)
{
    struct marker_wait *mw = CONTAINER_OF(w, struct marker_wait, wait);

    if (rc < 0)
        *mw->error = rc == E_CANCELED ? KE_UNKNOWN_TOPIC_OR_PARTITION : (int16_t)err_kafka(rc);
    mw->markers->n_left--;
    markers_end(mw->markers);
}

static void write_one(struct markers *m, const struct write_txn_markers_request_markers *row,
                      struct str topic, int32_t partition, int16_t *error)
{
    struct txn_marker marker = {.producer_id = row->producer_id,
                                .producer_epoch = row->producer_epoch,
                                .coordinator_epoch = row->coordinator_epoch,
                                .committed = row->transaction_result,
                                .transaction_version = row->transaction_version};
    struct log *log = NULL;
    int64_t end = 0;
    int rc = 0;

    if (row->producer_id < 0 || row->producer_epoch < 0)
        *error = KE_UNKNOWN_SERVER_ERROR; /* what Kafka makes of it */
    else
        rc = broker_write_marker(m->rq->broker, topic, partition, &marker, &log, &end, error);
    if (rc < 0)
        *error = (int16_t)err_kafka(rc);
    if (rc == 0 && log) {
        struct marker_wait *w = &m->waits[m->n_waits++];

        w->markers = m;
        w->error = error;
        m->n_left++;
        log_wait_durable(log, &w->wait, end, marker_durable);
    }
}

static void write_rows(struct markers *m, const struct write_txn_markers_request_markers *row,
                       struct write_txn_markers_response_markers *out, struct arena *arena)
{
    write_txn_markers_response_markers_init(out);
    out->producer_id = row->producer_id;
    out->n_topics = row->n_topics;
    out->topics = arena_array(arena, (size_t)row->n_topics, sizeof(*out->topics));
    for (int32_t i = 0; i < row->n_topics; i++) {
        const struct write_txn_markers_request_markers_topics *t = &row->topics[i];
        struct write_txn_markers_response_markers_topics *to = &out->topics[i];

        write_txn_markers_response_markers_topics_init(to);
        to->name = t->name;
        to->n_partitions = t->n_partition_indexes;
        to->partitions =
            arena_array(arena, (size_t)t->n_partition_indexes, sizeof(*to->partitions));
        for (int32_t j = 0; j < t->n_partition_indexes; j++) {
            write_txn_markers_response_markers_topics_partitions_init(&to->partitions[j]);
            to->partitions[j].partition_index = t->partition_indexes[j];
            if (m)
                write_one(m, row, t->name, t->partition_indexes[j], &to->partitions[j].error_code);
            else
                to->partitions[j].error_code = KE_CLUSTER_AUTHORIZATION_FAILED;
        }
    }
}

static size_t count_markers(const struct write_txn_markers_request *body)
{
    size_t n = 0;

    for (int32_t i = 0; i < body->n_markers; i++)
        for (int32_t j = 0; j < body->markers[i].n_topics; j++)
            n += (size_t)body->markers[i].topics[j].n_partition_indexes;
    return n;
}

void api_write_txn_markers_handle(struct request *rq)
{
    const struct write_txn_markers_request *body = rq->body;
    struct write_txn_markers_response *rsp = rq->response;
    struct markers *m = arena_alloc(&rq->arena, sizeof(*m));
    bool allowed = request_allowed(rq, ACL_ALTER, RESOURCE_CLUSTER, CLUSTER_RESOURCE_NAME) ||
                   request_allowed(rq, ACL_CLUSTER_ACTION, RESOURCE_CLUSTER, CLUSTER_RESOURCE_NAME);

    m->rq = rq;
    m->waits = arena_array(&rq->arena, count_markers(body), sizeof(*m->waits));
    rsp->n_markers = body->n_markers;
    rsp->markers = arena_array(&rq->arena, (size_t)body->n_markers, sizeof(*rsp->markers));
    for (int32_t i = 0; i < body->n_markers; i++)
        write_rows(allowed ? m : NULL, &body->markers[i], &rsp->markers[i], &rq->arena);
    markers_end(m);
}

/* ---- ListTransactions, DescribeTransactions */

struct list_request {
    struct txn_request base;
    struct txn_sight sight;
    struct regex *pattern; /* owned; NULL: none */
};

static bool list_may_describe(void *arg, struct str transactional_id)
{
    struct list_request *l = arg;

    return txn_request_allowed(l->base.rq, ACL_DESCRIBE, transactional_id);
}

static bool list_matches(void *arg, struct str transactional_id)
{
    struct list_request *l = arg;

    return !l->pattern || regex_matches(l->pattern, transactional_id);
}

void api_list_transactions_handle(struct request *rq)
{
    const struct list_transactions_request *body = rq->body;
    struct list_transactions_response *rsp = rq->response;
    struct list_request *l = arena_alloc(&rq->arena, sizeof(*l));
    struct regex *pattern = NULL;

    l->base.rq = rq;
    l->base.call.done = txn_done;
    l->base.call.arena = &rq->arena;
    if (body->transactional_id_pattern.n > 0 &&
        regex_compile(body->transactional_id_pattern, &pattern, NULL) < 0) {
        rsp->error_code = KE_INVALID_REGULAR_EXPRESSION;
        request_reply(rq);
        return;
    }
    l->pattern = pattern;
    l->sight = (struct txn_sight){list_may_describe, list_matches, l};
    txnm_list(rq->broker->txns, body, &l->sight, rsp, &l->base.call);
    regex_free(pattern); /* the rows are made; the request may be gone */
}

static void describe_drop_topics(struct request *rq,
                                 struct describe_transactions_response_transaction_states *row)
{
    int32_t n = 0;

    for (int32_t i = 0; i < row->n_topics; i++)
        if (request_allowed(rq, ACL_DESCRIBE, RESOURCE_TOPIC, row->topics[i].topic))
            row->topics[n++] = row->topics[i];
    row->n_topics = n;
}

static void describe_done(struct txn_call *call)
{
    struct request *rq = txn_request_end(call);
    struct describe_transactions_response *rsp;

    if (!rq)
        return;
    rsp = rq->response;
    for (int32_t i = 0; i < rsp->n_transaction_states; i++)
        describe_drop_topics(rq, &rsp->transaction_states[i]);
    request_reply(rq);
}

void api_describe_transactions_handle(struct request *rq)
{
    const struct describe_transactions_request *body = rq->body;
    struct describe_transactions_response *rsp = rq->response;
    struct txn_request *tr = txn_request_new(rq, describe_done);
    size_t n = (size_t)body->n_transactional_ids;

    rsp->n_transaction_states = body->n_transactional_ids;
    rsp->transaction_states = arena_array(&rq->arena, n, sizeof(*rsp->transaction_states));
    for (size_t i = 0; i < n; i++) {
        struct describe_transactions_response_transaction_states *row = &rsp->transaction_states[i];

        describe_transactions_response_transaction_states_init(row);
        row->transactional_id = body->transactional_ids[i];
        if (!txn_request_allowed(rq, ACL_DESCRIBE, row->transactional_id))
            row->error_code = KE_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
    }
    txnm_describe(rq->broker->txns, rsp, &tr->call);
}
