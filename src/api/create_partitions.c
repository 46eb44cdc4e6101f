/* CreatePartitions (ControllerApis.createPartitions).
 *
 * Owner: the request; rows live in its arena.
 *
 * Happy path: doubles out -> allowed? known? -> grown one by one -> the reply when all is durable.
 * Failures:   per topic, with Kafka's words; a request that is too large fails whole and changes
 *             nothing.
 */
#include "rows.h"

static struct create_partitions_response_results *add_row(struct request *rq, struct str name,
                                                          int16_t error, struct str message)
{
    struct create_partitions_response *rsp = rq->response;
    struct create_partitions_response_results *row = &rsp->results[rsp->n_results++];

    create_partitions_response_results_init(row);
    row->name = name;
    row->error_code = error;
    row->error_message = message;
    return row;
}

static const struct str no_text;

/* The same answer for every topic (CreatePartitionsRequest.getErrorResponse). */
static void refuse_all(struct request *rq, int16_t error, struct str message)
{
    const struct create_partitions_request *body = rq->body;

    for (int32_t i = 0; i < body->n_topics; i++)
        add_row(rq, body->topics[i].name, error, message);
}

static struct meta_more_partitions wanted(struct request *rq,
                                          const struct create_partitions_request_topics *asked)
{
    const struct create_partitions_request *body = rq->body;
    int32_t n = MAX(asked->n_assignments, 0);
    struct meta_assignment *manual = arena_array(&rq->arena, (size_t)n, sizeof(*manual));

    for (int32_t i = 0; i < n; i++)
        manual[i] = (struct meta_assignment){.broker_ids = asked->assignments[i].broker_ids,
                                             .n_broker_ids = asked->assignments[i].n_broker_ids};
    return (struct meta_more_partitions){.count = asked->count,
                                         .assignments = manual,
                                         .n_assignments = asked->n_assignments,
                                         .validate_only = body->validate_only};
}

static void grow(struct request *rq, struct meta_topic *t,
                 const struct create_partitions_request_topics *asked)
{
    struct create_partitions_response_results *row = add_row(rq, asked->name, KE_NONE, no_text);
    struct meta_more_partitions more = wanted(rq, asked);
    struct errmsg why = {.text = ""};
    int rc = meta_create_partitions(rq->broker->meta, t, &more, &row->error_code, &why);

    if (rc < 0) {
        row->error_code = (int16_t)err_kafka(rc);
        row->error_message = str_of(err_text(rc));
    } else if (row->error_code) {
        row->error_message = arena_str(&rq->arena, str_of(why.text));
    }
}

static void one(struct request *rq, const struct create_partitions_request_topics *asked)
{
    struct meta_topic *t = meta_topic(rq->broker->meta, asked->name);

    if (!request_allowed(rq, ACL_ALTER, RESOURCE_TOPIC, asked->name))
        add_row(rq, asked->name, KE_TOPIC_AUTHORIZATION_FAILED, no_text);
    else if (!t)
        add_row(rq, asked->name, KE_UNKNOWN_TOPIC_OR_PARTITION, no_text);
    else
        grow(rq, t, asked);
}

/* How many partitions there would be more, of topics that are known, may grow, and are named once. */
static int64_t additional(struct request *rq, const enum key_seen *seen)
{
    const struct create_partitions_request *body = rq->body;
    int64_t n = 0;

    for (int32_t i = 0; i < body->n_topics; i++) {
        const struct create_partitions_request_topics *asked = &body->topics[i];
        const struct meta_topic *t = meta_topic(rq->broker->meta, asked->name);

        if (seen[i] == KEY_ONCE && t && asked->count > t->n_partitions &&
            request_allowed(rq, ACL_ALTER, RESOURCE_TOPIC, asked->name))
            n += asked->count - t->n_partitions;
    }
    return n;
}

static void grow_all(struct request *rq, const enum key_seen *seen)
{
    const struct create_partitions_request *body = rq->body;

    for (int32_t i = 0; i < body->n_topics; i++) {
        if (seen[i] == KEY_FIRST_OF_SEVERAL)
            add_row(rq, body->topics[i].name, KE_INVALID_REQUEST, STR("Duplicate topic name."));
        else if (seen[i] == KEY_ONCE)
            one(rq, &body->topics[i]);
    }
}

void api_create_partitions_handle(struct request *rq)
{
    const struct create_partitions_request *body = rq->body;
    struct create_partitions_response *rsp = rq->response;
    struct bytes *names = arena_array(&rq->arena, (size_t)body->n_topics, sizeof(*names));
    enum key_seen *seen;
    int64_t n_more;

    rsp->results = arena_array(&rq->arena, (size_t)body->n_topics, sizeof(*rsp->results));
    rsp->n_results = 0;
    for (int32_t i = 0; i < body->n_topics; i++)
        names[i] = bytes_of(body->topics[i].name.p, body->topics[i].name.n);
    seen = api_keys_seen(&rq->arena, names, body->n_topics);
    n_more = additional(rq, seen);
    if (n_more > REQUEST_PARTITIONS_MAX) {
        refuse_all(rq, KE_POLICY_VIOLATION,
                   STR("Excessively large number of additional partitions per request."));
    } else {
        rq->throttle_ms = quota_charge(rq->broker->quota, QUOTA_CONTROLLER_MUTATION,
                                       rq->conn->principal.name, rq->header.client_id,
                                       (double)n_more, rq->received);
        grow_all(rq, seen);
    }
    rsp->throttle_time_ms = rq->throttle_ms;
    request_reply_after_meta(rq);
}
