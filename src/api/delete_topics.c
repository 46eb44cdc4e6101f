/* DeleteTopics (ControllerApis.deleteTopics): by name, or by id.
 *
 * Owner: the request; rows live in its arena.
 *
 * Happy path: names and ids, doubles out -> known? allowed? -> removed one by one -> the reply when
 *             all is durable.
 * Failures:   per topic. Nobody learns of a topic that they may not describe.
 */
#include "rows.h"

struct deletion {
    struct str name; /* p NULL: by id */
    struct uuid id;
};
struct deletions {
    struct request *rq;
    struct deletion *list; /* each name and each id once */
    int n;
    bool all; /* the whole cluster may be deleted */
};

static struct delete_topics_response_responses *
add_row(struct request *rq, struct str name, struct uuid id, int16_t error, const char *message)
{
    struct delete_topics_response *rsp = rq->response;
    struct delete_topics_response_responses *row = &rsp->responses[rsp->n_responses++];

    delete_topics_response_responses_init(row);
    row->name = name;
    row->topic_id = id;
    row->error_code = error;
    row->error_message = str_of(message);
    return row;
}

static const struct str no_name;

/* Names of versions 0-5, then names and ids of version 6. What is neither or both has its row at
 * once. */
static void collect(struct deletions *d)
{
    const struct delete_topics_request *body = d->rq->body;

    for (int32_t i = 0; i < body->n_topic_names; i++)
        d->list[d->n++] = (struct deletion){.name = body->topic_names[i]};
    for (int32_t i = 0; i < body->n_topics; i++) {
        const struct delete_topics_request_topics *t = &body->topics[i];

        if (t->name.p && !uuid_is_zero(t->topic_id))
            add_row(d->rq, t->name, t->topic_id, KE_INVALID_REQUEST,
                    "You may not specify both topic name and topic id.");
        else if (!t->name.p && uuid_is_zero(t->topic_id))
            add_row(d->rq, no_name, UUID_ZERO, KE_INVALID_REQUEST,
                    "Neither topic name nor id were specified.");
        else
            d->list[d->n++] = (struct deletion){.name = t->name, .id = t->topic_id};
    }
}

/* The first byte keeps names and ids apart. */
static struct bytes key_of(struct arena *a, const struct deletion *d)
{
    struct bytes of =
        d->name.p ? bytes_of(d->name.p, d->name.n) : bytes_of(d->id.b, sizeof(d->id.b));
    uint8_t *p = arena_alloc(a, of.n + 1);

    p[0] = d->name.p ? 'n' : 'i';
    memcpy(p + 1, of.p, of.n);
    return bytes_of(p, of.n + 1);
}

static void drop_doubles(struct deletions *d)
{
    struct arena *a = &d->rq->arena;
    struct bytes *keys = arena_array(a, (size_t)d->n, sizeof(*keys));
    enum key_seen *seen;
    int n = 0;

    for (int i = 0; i < d->n; i++)
        keys[i] = key_of(a, &d->list[i]);
    seen = api_keys_seen(a, keys, d->n);
    for (int i = 0; i < d->n; i++) {
        if (seen[i] == KEY_ONCE)
            d->list[n++] = d->list[i];
        else if (seen[i] == KEY_FIRST_OF_SEVERAL)
            add_row(d->rq, d->list[i].name, d->list[i].id, KE_INVALID_REQUEST,
                    d->list[i].name.p ? "Duplicate topic name." : "Duplicate topic id.");
    }
    d->n = n;
}

static bool allowed(const struct deletions *d, enum acl_operation op, struct str name)
{
    return d->all || request_allowed(d->rq, op, RESOURCE_TOPIC, name);
}

#define DENIED KE_TOPIC_AUTHORIZATION_FAILED, "Topic authorization failed."

/* The topic, or NULL with its row written. */
static struct meta_topic *find_by_id(struct deletions *d, struct uuid id)
{
    struct meta_topic *t = meta_topic_by_id(d->rq->broker->meta, id);

    if (!t) {
        add_row(d->rq, no_name, id, KE_UNKNOWN_TOPIC_ID,
                "This server does not host this topic ID.");
        return NULL;
    }
    if (allowed(d, ACL_DELETE, str_of(t->name)))
        return t;
    add_row(d->rq,
            allowed(d, ACL_DESCRIBE, str_of(t->name)) ? arena_str(&d->rq->arena, str_of(t->name))
                                                      : no_name,
            id, DENIED);
    return NULL;
}

static struct meta_topic *find_by_name(struct deletions *d, struct str name)
{
    struct meta_topic *t = meta_topic(d->rq->broker->meta, name);

    if (!allowed(d, ACL_DESCRIBE, name))
        add_row(d->rq, name, UUID_ZERO, DENIED);
    else if (!t)
        add_row(d->rq, name, UUID_ZERO, KE_UNKNOWN_TOPIC_OR_PARTITION,
                "This server does not host this topic-partition.");
    else if (!allowed(d, ACL_DELETE, name))
        add_row(d->rq, name, UUID_ZERO, DENIED);
    else
        return t;
    return NULL;
}

/* The distinct topics that the list means, with what they were asked for by; one meant both by name
 * and by id is refused. */
static struct meta_topic **find_all(struct deletions *d)
{
    struct arena *a = &d->rq->arena;
    struct meta_topic **topics = arena_array(a, (size_t)d->n, sizeof(struct meta_topic *));
    struct bytes *keys = arena_array(a, (size_t)d->n, sizeof(*keys));
    enum key_seen *seen;
    int n = 0;

    for (int i = 0; i < d->n; i++) {
        struct meta_topic *t =
            d->list[i].name.p ? find_by_name(d, d->list[i].name) : find_by_id(d, d->list[i].id);

        if (t)
            topics[n++] = t;
    }
    for (int i = 0; i < n; i++)
        keys[i] = bytes_of(topics[i]->id.b, sizeof(topics[i]->id.b));
    seen = api_keys_seen(a, keys, n);
    d->n = 0;
    for (int i = 0; i < n; i++) {
        if (seen[i] == KEY_ONCE)
            topics[d->n++] = topics[i];
        else if (seen[i] == KEY_FIRST_OF_SEVERAL)
            add_row(d->rq, arena_str(a, str_of(topics[i]->name)), topics[i]->id, KE_INVALID_REQUEST,
                    "The provided topic name maps to an ID that was already supplied.");
    }
    return topics;
}

static void delete_one(struct request *rq, struct meta_topic *t)
{
    struct delete_topics_response_responses *row =
        add_row(rq, arena_str(&rq->arena, str_of(t->name)), t->id, KE_NONE, NULL);
    struct errmsg why = {.text = ""};
    int rc = meta_delete_topic(rq->broker->meta, t, &row->error_code, &why);

    if (rc < 0) {
        row->error_code = (int16_t)err_kafka(rc);
        row->error_message = str_of(err_text(rc));
    } else if (row->error_code) {
        row->error_message = arena_str(&rq->arena, str_of(why.text));
    }
}

/* DeleteTopicsRequest.getErrorResponse */
static void refuse_all(struct request *rq, int16_t error, const char *message)
{
    const struct delete_topics_request *body = rq->body;

    for (int32_t i = 0; i < body->n_topic_names; i++)
        add_row(rq, body->topic_names[i], UUID_ZERO, error, message);
    for (int32_t i = 0; i < body->n_topics; i++)
        add_row(rq, body->topics[i].name, body->topics[i].topic_id, error, message);
}

static void delete_all(struct deletions *d)
{
    struct request *rq = d->rq;
    struct meta_topic **topics = find_all(d);
    double mutations = 0;

    for (int i = 0; i < d->n; i++)
        mutations += topics[i]->n_partitions;
    rq->throttle_ms =
        quota_charge(rq->broker->quota, QUOTA_CONTROLLER_MUTATION, rq->conn->principal.name,
                     rq->header.client_id, mutations, rq->received);
    for (int i = 0; i < d->n; i++)
        delete_one(rq, topics[i]);
}

static void delete_topics(struct request *rq, size_t n)
{
    const struct delete_topics_request *body = rq->body;
    struct deletions d = {.rq = rq};

    if (!rq->broker->config->delete_topic_enable) {
        refuse_all(rq, rq->version < 3 ? KE_INVALID_REQUEST : KE_TOPIC_DELETION_DISABLED,
                   "Topic deletion is disabled.");
        return;
    }
    d.list = arena_array(&rq->arena, n, sizeof(*d.list));
    d.all = request_allowed(rq, ACL_DELETE, RESOURCE_CLUSTER, CLUSTER_RESOURCE_NAME);
    collect(&d);
    drop_doubles(&d);
    if (body->timeout_ms > 0) {
        delete_all(&d);
        return;
    }
    for (int i = 0; i < d.n; i++)
        add_row(rq, d.list[i].name, d.list[i].id, KE_REQUEST_TIMED_OUT, NULL);
}

void api_delete_topics_handle(struct request *rq)
{
    const struct delete_topics_request *body = rq->body;
    struct delete_topics_response *rsp = rq->response;
    size_t n = (size_t)body->n_topic_names + (size_t)body->n_topics;

    rsp->responses = arena_array(&rq->arena, n, sizeof(*rsp->responses));
    rsp->n_responses = 0;
    delete_topics(rq, n);
    rsp->throttle_time_ms = rq->throttle_ms;
    request_reply_after_meta(rq);
}
