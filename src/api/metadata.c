/* Metadata and DescribeCluster: who we are, and what topics there are.
 *
 * Owner: the request; rows live in its arena.
 *
 * Happy path: the topics that are asked for (all, by name, by id) -> made where that is allowed ->
 *             a row each -> the reply when the metadata that it shows is durable.
 * Failures:   per topic, an error code in its row; a request that contradicts its version, the same
 *             error in every row.
 *
 * A missing topic that may be made is made and shown at once. Apache Kafka answers
 * UNKNOWN_TOPIC_OR_PARTITION first, while its controller makes the topic; clients then ask again.
 */
#include "rows.h"

/* ---- partitions ------------------------------------------------------------------------------ */

static bool all_dirs_offline(const struct broker *b)
{
    for (int i = 0; i < logm_n_dirs(b->logm); i++)
        if (!logm_dir_offline(b->logm, i))
            return false;
    return true;
}

bool api_partition_offline(const struct broker *b, const struct meta_partition *p)
{
    int dir = p->log ? log_dir_index(p->log) : broker_dir_of(b, p->dir_id);

    return dir >= 0 ? logm_dir_offline(b->logm, dir) : all_dirs_offline(b);
}

/* The one element of every list of replicas. */
static int32_t *self_alone(struct request *rq)
{
    int32_t *ids = arena_array(&rq->arena, 1, sizeof(*ids));

    ids[0] = rq->broker->node_id;
    return ids;
}

static void fill_partitions(struct request *rq, const struct meta_topic *t,
                            struct metadata_response_topics *row)
{
    int32_t *self = self_alone(rq);

    row->partitions = arena_array(&rq->arena, (size_t)t->n_partitions, sizeof(*row->partitions));
    row->n_partitions = t->n_partitions;
    for (int32_t i = 0; i < t->n_partitions; i++) {
        struct metadata_response_topics_partitions *p = &row->partitions[i];
        bool offline = api_partition_offline(rq->broker, &t->partitions[i]);

        metadata_response_topics_partitions_init(p);
        p->error_code = offline ? KE_LEADER_NOT_AVAILABLE : KE_NONE;
        p->partition_index = i;
        p->leader_id = offline ? -1 : rq->broker->node_id;
        p->leader_epoch = t->partitions[i].leader_epoch;
        p->replica_nodes = p->isr_nodes = p->offline_replicas = self;
        p->n_replica_nodes = p->n_isr_nodes = 1;
        p->n_offline_replicas = offline ? 1 : 0;
    }
}

/* ---- topics ---------------------------------------------------------------------------------- */

static struct metadata_response_topics *new_row(struct request *rq, struct str name)
{
    struct metadata_response *rsp = rq->response;
    struct metadata_response_topics *row = &rsp->topics[rsp->n_topics++];

    metadata_response_topics_init(row);
    row->name = name;
    return row;
}

static void fill_operations(struct request *rq, struct metadata_response_topics *row)
{
    const struct metadata_request *body = rq->body;

    if (body->include_topic_authorized_operations)
        row->topic_authorized_operations = security_allowed_operations(
            rq->broker->security, &rq->conn->principal, RESOURCE_TOPIC, row->name);
}

static void topic_row(struct request *rq, const struct meta_topic *t)
{
    struct metadata_response_topics *row = new_row(rq, str_of(t->name));

    row->topic_id = t->id;
    row->is_internal = t->internal;
    fill_partitions(rq, t, row);
    fill_operations(rq, row);
}

static void error_row(struct request *rq, struct str name, int16_t error)
{
    struct metadata_response_topics *row = new_row(rq, name);

    row->error_code = error;
    row->is_internal = meta_topic_name_internal(name);
    if (error != KE_TOPIC_AUTHORIZATION_FAILED)
        fill_operations(rq, row);
}

/* AutoTopicCreationManager: the broker's defaults; a coordinator's topic as its coordinator would
 * make it. */
static struct meta_topic *make_topic(struct request *rq, struct str name)
{
    struct meta_new_topic nt = {.name = name, .n_partitions = -1, .replication_factor = -1};
    struct meta *m = rq->broker->meta;
    struct meta_topic *t = NULL;
    struct errmsg why = {.text = ""};
    int16_t error;
    int rc;

    if (meta_topic_name_internal(name))
        rc = meta_create_internal_topic(m, name, &t, &error, &why);
    else
        rc = meta_create_topic(m, &nt, &t, &error, &why);
    if (rc < 0)
        diag_debug("topic %s is not made: %s", diag_escape(name), err_text(rc));
    else if (error)
        diag_debug("topic %s is not made: %s", diag_escape(name), why.text);
    return t;
}

static bool may_make(struct request *rq, struct str name)
{
    const struct metadata_request *body = rq->body;

    /* Before version 4 there was no choice (KIP-204's predecessor: the broker's alone). */
    return (rq->version < 4 || body->allow_auto_topic_creation) &&
           rq->broker->config->auto_create_topics_enable && !str_is(name, METADATA_TOPIC);
}

static void missing_topic(struct request *rq, struct str name)
{
    struct meta_topic *t;

    if (!meta_topic_name_valid(name, NULL)) {
        error_row(rq, name, KE_INVALID_TOPIC_EXCEPTION);
        return;
    }
    if (!may_make(rq, name)) {
        error_row(rq, name, KE_UNKNOWN_TOPIC_OR_PARTITION);
        return;
    }
    if (!request_allowed(rq, ACL_CREATE, RESOURCE_CLUSTER, CLUSTER_RESOURCE_NAME) &&
        !request_allowed(rq, ACL_CREATE, RESOURCE_TOPIC, name)) {
        error_row(rq, name, KE_TOPIC_AUTHORIZATION_FAILED);
        return;
    }
    t = make_topic(rq, name);
    if (t)
        topic_row(rq, t);
    else
        error_row(rq, name, KE_UNKNOWN_TOPIC_OR_PARTITION);
}

static void by_name(struct request *rq, struct str name)
{
    struct meta_topic *t;

    if (!request_allowed(rq, ACL_DESCRIBE, RESOURCE_TOPIC, name)) {
        struct metadata_response_topics *row = new_row(rq, name);

        row->error_code = KE_TOPIC_AUTHORIZATION_FAILED; /* and not a word on whether it exists */
        return;
    }
    t = meta_topic(rq->broker->meta, name);
    if (t)
        topic_row(rq, t);
    else
        missing_topic(rq, name);
}

static void by_id(struct request *rq, struct uuid id)
{
    struct meta_topic *t = meta_topic_by_id(rq->broker->meta, id);
    struct metadata_response_topics *row;

    if (t && request_allowed(rq, ACL_DESCRIBE, RESOURCE_TOPIC, str_of(t->name))) {
        topic_row(rq, t);
        return;
    }
    row = new_row(rq, (struct str){NULL, 0});
    row->topic_id = id;
    row->error_code = t ? KE_TOPIC_AUTHORIZATION_FAILED : KE_UNKNOWN_TOPIC_ID;
}

static void all_topics(struct request *rq)
{
    struct meta *m = rq->broker->meta;
    struct meta_topic **topics = meta_topics_sorted(m);
    struct metadata_response *rsp = rq->response;
    int n = meta_n_topics(m);

    rsp->topics = arena_array(&rq->arena, (size_t)n, sizeof(*rsp->topics));
    rsp->n_topics = 0;
    for (int i = 0; i < n; i++)
        if (request_allowed(rq, ACL_DESCRIBE, RESOURCE_TOPIC, str_of(topics[i]->name)))
            topic_row(rq, topics[i]);
}

/* From version 12 on ids count; where there is one, names do not (MetadataRequest.topicIds). */
static bool asks_by_id(const struct request *rq)
{
    const struct metadata_request *body = rq->body;

    for (int32_t i = 0; rq->version >= 12 && i < body->n_topics; i++)
        if (!uuid_is_zero(body->topics[i].topic_id))
            return true;
    return false;
}

static void asked_topics(struct request *rq)
{
    const struct metadata_request *body = rq->body;
    struct metadata_response *rsp = rq->response;
    struct bytes *keys = arena_array(&rq->arena, (size_t)body->n_topics, sizeof(*keys));
    bool ids = asks_by_id(rq);
    enum key_seen *seen;

    for (int32_t i = 0; i < body->n_topics; i++)
        keys[i] = ids ? bytes_of(body->topics[i].topic_id.b, sizeof(struct uuid))
                      : bytes_of(body->topics[i].name.p, body->topics[i].name.n);
    seen = api_keys_seen(&rq->arena, keys, body->n_topics);
    rsp->topics = arena_array(&rq->arena, (size_t)body->n_topics, sizeof(*rsp->topics));
    rsp->n_topics = 0;
    for (int32_t i = 0; i < body->n_topics; i++) {
        if (seen[i] == KEY_AGAIN || (ids && uuid_is_zero(body->topics[i].topic_id)))
            continue;
        if (ids)
            by_id(rq, body->topics[i].topic_id);
        else
            by_name(rq, body->topics[i].name);
    }
}

/* ---- requests that contradict themselves ----------------------------------------------------- */

/* Versions 10 and 11 have ids in their form, but must not use them (KAFKA-12701); in 12 one of both
 * must be there. */
static int16_t body_error(const struct request *rq)
{
    const struct metadata_request *body = rq->body;

    for (int32_t i = 0; rq->version >= 10 && i < body->n_topics; i++) {
        const struct metadata_request_topics *t = &body->topics[i];

        if (rq->version < 12 && (!t->name.p || !uuid_is_zero(t->topic_id)))
            return KE_INVALID_REQUEST;
        if (!t->name.p && uuid_is_zero(t->topic_id))
            return KE_UNKNOWN_SERVER_ERROR;
    }
    return KE_NONE;
}

/* MetadataRequest.getErrorResponse */
static void refuse(struct request *rq, int16_t error)
{
    const struct metadata_request *body = rq->body;
    struct metadata_response *rsp = rq->response;

    rsp->topics = arena_array(&rq->arena, (size_t)body->n_topics, sizeof(*rsp->topics));
    rsp->n_topics = 0;
    for (int32_t i = 0; i < body->n_topics; i++) {
        struct metadata_response_topics *row =
            new_row(rq, body->topics[i].name.p ? body->topics[i].name : STR(""));

        row->topic_id = body->topics[i].topic_id;
        row->error_code = error;
    }
    rsp->error_code = error;
}

/* ---- the cluster ----------------------------------------------------------------------------- */

static struct str cluster_id(struct request *rq)
{
    char text[UUID_TEXT_BYTES + 1];

    uuid_text(logm_cluster_id(rq->broker->logm), text);
    return arena_str(&rq->arena, str_of(text));
}

static int32_t cluster_operations(struct request *rq)
{
    if (!request_allowed(rq, ACL_DESCRIBE, RESOURCE_CLUSTER, CLUSTER_RESOURCE_NAME))
        return 0;
    return security_allowed_operations(rq->broker->security, &rq->conn->principal, RESOURCE_CLUSTER,
                                       CLUSTER_RESOURCE_NAME);
}

static void fill_cluster(struct request *rq, struct metadata_response *rsp)
{
    const struct metadata_request *body = rq->body;

    rsp->brokers = arena_array(&rq->arena, 1, sizeof(*rsp->brokers));
    rsp->n_brokers = 1;
    metadata_response_brokers_init(&rsp->brokers[0]);
    rsp->brokers[0].node_id = rq->broker->node_id;
    rsp->brokers[0].host = request_advertised_host(rq);
    rsp->brokers[0].port = request_advertised_port(rq);
    rsp->brokers[0].rack = str_of(rq->broker->config->broker_rack);
    rsp->cluster_id = cluster_id(rq);
    rsp->controller_id = rq->broker->node_id;
    if (rq->version >= 8 && rq->version <= 10 && body->include_cluster_authorized_operations)
        rsp->cluster_authorized_operations = cluster_operations(rq);
}

void api_metadata_handle(struct request *rq)
{
    const struct metadata_request *body = rq->body;
    struct metadata_response *rsp = rq->response;
    int16_t error = body_error(rq);

    rsp->throttle_time_ms = rq->throttle_ms;
    if (error) {
        refuse(rq, error);
        request_reply(rq);
        return;
    }
    fill_cluster(rq, rsp);
    /* In version 0 an empty list asks for all; later null does, and an empty one for none. */
    if (body->n_topics < 0 || (rq->version == 0 && body->n_topics == 0))
        all_topics(rq);
    else
        asked_topics(rq);
    request_reply_after_meta(rq);
}

#define ENDPOINT_BROKER     1
#define ENDPOINT_CONTROLLER 2

static void wrong_endpoint(struct request *rq, int8_t type)
{
    struct describe_cluster_response *rsp = rq->response;

    if (type == ENDPOINT_CONTROLLER) {
        rsp->error_code = KE_MISMATCHED_ENDPOINT_TYPE;
        rsp->error_message =
            STR("The request was sent to an endpoint of type BROKER, but we wanted an "
                "endpoint of type CONTROLLER");
    } else {
        rsp->error_code = KE_UNSUPPORTED_ENDPOINT_TYPE;
        rsp->error_message = arena_printf(&rq->arena, "Unsupported endpoint type %d", type);
    }
}

void api_describe_cluster_handle(struct request *rq)
{
    const struct describe_cluster_request *body = rq->body;
    struct describe_cluster_response *rsp = rq->response;

    rsp->throttle_time_ms = rq->throttle_ms;
    if (body->endpoint_type != ENDPOINT_BROKER) {
        wrong_endpoint(rq, body->endpoint_type);
        request_reply(rq);
        return;
    }
    if (body->include_cluster_authorized_operations)
        rsp->cluster_authorized_operations = cluster_operations(rq);
    rsp->cluster_id = cluster_id(rq);
    rsp->controller_id = rq->broker->node_id;
    rsp->brokers = arena_array(&rq->arena, 1, sizeof(*rsp->brokers));
    rsp->n_brokers = 1;
    describe_cluster_response_brokers_init(&rsp->brokers[0]);
    rsp->brokers[0].broker_id = rq->broker->node_id;
    rsp->brokers[0].host = request_advertised_host(rq);
    rsp->brokers[0].port = request_advertised_port(rq);
    rsp->brokers[0].rack = str_of(rq->broker->config->broker_rack);
    request_reply_after_meta(rq);
}
