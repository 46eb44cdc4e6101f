/* CreateTopics and DeleteTopics (ControllerApis).
 *
 * Owner: the request; rows live in its arena.
 *
 * Happy path: doubles out, authorization -> every topic checked -> the limits of one request ->
 *             created one by one -> the reply when all is durable.
 * Failures:   per topic, with Kafka's words; a request that is too large, or has no time, fails
 *             whole and changes nothing.
 */
#include "rows.h"

#define REQUEST_RECORDS_MAX 10000 /* Apache Kafka's limit of one request (QuorumController) */

struct creation {
    const struct create_topics_request_topics *asked;
    struct create_topics_response_topics *row;
    struct meta_new_topic topic;
};
struct creations {
    struct request *rq;
    struct creation *list; /* what may be created */
    int n;
};

static void set_error(struct create_topics_response_topics *row, int16_t error, struct str message)
{
    row->error_code = error;
    row->error_message = message;
}

static struct create_topics_response_topics *new_row(struct request *rq, struct str name)
{
    struct create_topics_response *rsp = rq->response;
    struct create_topics_response_topics *row = &rsp->topics[rsp->n_topics++];

    create_topics_response_topics_init(row);
    row->name = name;
    row->error_message = (struct str){NULL, 0};
    return row;
}

/* The same answer for every topic (CreateTopicsRequest.getErrorResponse). */
static void create_refuse_all(struct request *rq, int16_t error, struct str message)
{
    const struct create_topics_request *body = rq->body;
    struct create_topics_response *rsp = rq->response;

    rsp->n_topics = 0;
    for (int32_t i = 0; i < body->n_topics; i++)
        set_error(new_row(rq, body->topics[i].name), error, message);
}

static struct meta_new_topic new_topic(struct request *rq,
                                       const struct create_topics_request_topics *asked)
{
    struct arena *a = &rq->arena;
    struct config_pair *configs = arena_array(a, (size_t)asked->n_configs, sizeof(*configs));
    struct meta_assignment *manual = arena_array(a, (size_t)asked->n_assignments, sizeof(*manual));

    for (int32_t i = 0; i < asked->n_configs; i++)
        configs[i] = (struct config_pair){asked->configs[i].name, asked->configs[i].value};
    for (int32_t i = 0; i < asked->n_assignments; i++)
        manual[i] = (struct meta_assignment){asked->assignments[i].partition_index,
                                             asked->assignments[i].broker_ids,
                                             asked->assignments[i].n_broker_ids};
    return (struct meta_new_topic){.name = asked->name,
                                   .n_partitions = asked->num_partitions,
                                   .replication_factor = asked->replication_factor,
                                   .assignments = manual,
                                   .n_assignments = asked->n_assignments,
                                   .configs = configs,
                                   .n_configs = asked->n_configs};
}

/* What may be created goes on the list; what may not has its row, and so do doubles, once. */
static void sort_out(struct creations *c)
{
    const struct create_topics_request *body = c->rq->body;
    struct bytes *names = arena_array(&c->rq->arena, (size_t)body->n_topics, sizeof(*names));
    bool all = request_allowed(c->rq, ACL_CREATE, RESOURCE_CLUSTER, CLUSTER_RESOURCE_NAME);
    enum key_seen *seen;

    for (int32_t i = 0; i < body->n_topics; i++)
        names[i] = bytes_of(body->topics[i].name.p, body->topics[i].name.n);
    seen = api_keys_seen(&c->rq->arena, names, body->n_topics);
    for (int32_t i = 0; i < body->n_topics; i++) {
        const struct create_topics_request_topics *t = &body->topics[i];
        struct create_topics_response_topics *row;

        if (seen[i] == KEY_AGAIN)
            continue;
        row = new_row(c->rq, t->name);
        if (seen[i] == KEY_FIRST_OF_SEVERAL)
            set_error(row, KE_INVALID_REQUEST, STR("Duplicate topic name."));
        else if (str_is(t->name, METADATA_TOPIC))
            set_error(row, KE_INVALID_REQUEST,
                      STR("Creation of internal topic " METADATA_TOPIC " is prohibited."));
        else if (!all && !request_allowed(c->rq, ACL_CREATE, RESOURCE_TOPIC, t->name))
            set_error(row, KE_TOPIC_AUTHORIZATION_FAILED, STR("Authorization failed."));
        else
            c->list[c->n++] =
                (struct creation){.asked = t, .row = row, .topic = new_topic(c->rq, t)};
    }
}

/* Negative counts are found out later. */
static bool too_many_partitions(const struct creations *c)
{
    int64_t n = 0;

    for (int i = 0; i < c->n; i++)
        n += MAX(meta_new_topic_partitions(c->rq->broker->meta, &c->list[i].topic), 0);
    return n > REQUEST_PARTITIONS_MAX;
}

static void create_one(struct request *rq, struct creation *c, bool validate_only,
                       struct meta_topic **t)
{
    struct errmsg why = {.text = ""};
    int16_t error = KE_NONE;
    int rc;

    c->topic.validate_only = validate_only;
    rc = meta_create_topic(rq->broker->meta, &c->topic, t, &error, &why);
    if (rc < 0)
        set_error(c->row, (int16_t)err_kafka(rc), str_of(err_text(rc)));
    else if (error)
        set_error(c->row, error, arena_str(&rq->arena, str_of(why.text)));
}

/* Checks all. How many records it would take to create those that passed. */
static int64_t check_all(const struct creations *c)
{
    int64_t n = 0;

    for (int i = 0; i < c->n; i++) {
        create_one(c->rq, &c->list[i], true, NULL);
        if (c->list[i].row->error_code == KE_NONE)
            n += 1 + c->list[i].topic.n_configs +
                 meta_new_topic_partitions(c->rq->broker->meta, &c->list[i].topic);
    }
    return n;
}

/* ---- what the reply shows of a topic, from version 5 on (KIP-525) ---------------------------- */

static int by_name(const void *a, const void *b)
{
    const struct create_topics_response_topics_configs *x = a, *y = b;

    return str_cmp(x->name, y->name);
}

/* Of two for one name the last counts. */
static bool fill_config(struct request *rq, const struct meta_new_topic *t,
                        const struct topic_config *tc, const struct config_setting *st,
                        struct create_topics_response_topics_configs *row)
{
    const struct config_pair *own = config_pair_find(t->configs, t->n_configs, str_of(st->name));
    struct api_synonym synonyms[API_SYNONYMS_MAX];

    if (!own && api_setting_hidden(st))
        return false;
    create_topics_response_topics_configs_init(row);
    row->name = str_of(st->name);
    row->value = own ? own->value : api_taken_text(rq, topic_config_text(tc, st));
    row->config_source = SHOWN_DEFAULT;
    if (own)
        row->config_source = SHOWN_TOPIC;
    else if (st->broker_synonym && api_broker_synonyms(rq, st->broker_synonym, synonyms) > 0)
        row->config_source = synonyms[0].source;
    return true;
}

static void fill_configs(struct request *rq, struct creation *c)
{
    struct topic_config tc;

    if (meta_topic_config(rq->broker->meta, c->topic.configs, c->topic.n_configs, &tc, NULL) < 0)
        return; /* it was checked: it cannot be */
    c->row->configs =
        arena_array(&rq->arena, (size_t)config_n_topic_settings, sizeof(*c->row->configs));
    c->row->n_configs = 0;
    for (int i = 0; i < config_n_topic_settings; i++)
        if (fill_config(rq, &c->topic, &tc, &config_topic_settings[i],
                        &c->row->configs[c->row->n_configs]))
            c->row->n_configs++;
    qsort(c->row->configs, (size_t)c->row->n_configs, sizeof(*c->row->configs), by_name);
    topic_config_release(&tc);
}

static void fill_created(struct request *rq, struct creation *c, const struct meta_topic *t)
{
    c->row->topic_id =
        t ? t->id : rng_uuid(&rq->broker->env->rng); /* when only checked, one that it could have */
    if (rq->version < 5)
        return;
    if (!request_allowed(rq, ACL_DESCRIBE_CONFIGS, RESOURCE_TOPIC, c->topic.name)) {
        c->row->topic_config_error_code = KE_TOPIC_AUTHORIZATION_FAILED;
        return;
    }
    c->row->num_partitions = meta_new_topic_partitions(rq->broker->meta, &c->topic);
    c->row->replication_factor = 1;
    fill_configs(rq, c);
}

static void create_all(struct creations *c)
{
    const struct create_topics_request *body = c->rq->body;

    for (int i = 0; i < c->n; i++) {
        struct meta_topic *t = NULL;

        if (c->list[i].row->error_code == KE_NONE && !body->validate_only)
            create_one(c->rq, &c->list[i], false, &t);
        if (c->list[i].row->error_code == KE_NONE)
            fill_created(c->rq, &c->list[i], t);
    }
}

static void charge(struct request *rq, double mutations)
{
    rq->throttle_ms =
        quota_charge(rq->broker->quota, QUOTA_CONTROLLER_MUTATION, rq->conn->principal.name,
                     rq->header.client_id, mutations, rq->received);
}

static void create_topics(struct request *rq)
{
    const struct create_topics_request *body = rq->body;
    struct creations c = {.rq = rq};
    int64_t n_records;

    if (body->timeout_ms <= 0) {
        create_refuse_all(rq, KE_REQUEST_TIMED_OUT, (struct str){NULL, 0});
        return;
    }
    c.list = arena_array(&rq->arena, (size_t)body->n_topics, sizeof(*c.list));
    sort_out(&c);
    if (too_many_partitions(&c)) {
        create_refuse_all(rq, KE_POLICY_VIOLATION,
                          STR("Excessively large number of partitions per request."));
        return;
    }
    n_records = check_all(&c);
    if (n_records > REQUEST_RECORDS_MAX) {
        create_refuse_all(rq, KE_POLICY_VIOLATION,
                          STR("Unable to perform excessively large batch operation."));
        return;
    }
    charge(rq, (double)n_records);
    create_all(&c);
}

void api_create_topics_handle(struct request *rq)
{
    const struct create_topics_request *body = rq->body;
    struct create_topics_response *rsp = rq->response;

    rsp->topics = arena_array(&rq->arena, (size_t)body->n_topics, sizeof(*rsp->topics));
    rsp->n_topics = 0;
    create_topics(rq);
    rsp->throttle_time_ms = rq->throttle_ms;
    request_reply_after_meta(rq);
}
