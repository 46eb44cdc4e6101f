/* Offsets of groups: OffsetCommit, OffsetFetch, OffsetDelete.
 *
 * Owner: struct offsets_request, in the request's arena; core thread.
 *
 * Happy path: authorize the group and its topics -> the group coordinator gets what is allowed ->
 *             `done` when durable -> rows that were refused are put back in their places -> reply.
 */
#include "groups.h"

static void offsets_end(struct group_call *call)
{
    struct request *rq = group_request_of(call)->rq;

    if (call->rc < 0)
        request_drop(rq, err_text(call->rc));
    else
        request_reply(rq);
}

static bool topic_allowed(struct request *rq, enum acl_operation op, struct str name)
{
    return request_allowed(rq, op, RESOURCE_TOPIC, name);
}

/* The name to be authorized; null: an id that nobody knows, which needs no right. */
static struct str topic_name(struct request *rq, struct str name, struct uuid id)
{
    struct meta_topic *t;

    if (rq->version < 10)
        return name;
    t = meta_topic_by_id(rq->broker->meta, id);
    return t ? str_of(t->name) : (struct str){NULL, 0};
}

/* ---- OffsetCommit */

typedef struct offset_commit_request_topics commit_topic;
typedef struct offset_commit_response_topics commit_row;

struct commit {
    struct group_request base;
    struct offset_commit_request allowed;
    bool *refused; /* by topic of the request; NULL: none is */
};

static void commit_refuse(struct request *rq, const commit_topic *t, int16_t error, commit_row *row)
{
    offset_commit_response_topics_init(row);
    row->name = t->name;
    row->topic_id = t->topic_id;
    row->n_partitions = t->n_partitions;
    row->partitions = arena_array(&rq->arena, (size_t)t->n_partitions, sizeof(*row->partitions));
    for (int32_t i = 0; i < t->n_partitions; i++) {
        offset_commit_response_topics_partitions_init(&row->partitions[i]);
        row->partitions[i].partition_index = t->partitions[i].partition_index;
        row->partitions[i].error_code = error;
    }
}

static void commit_refuse_all(struct request *rq, int16_t error)
{
    const struct offset_commit_request *body = rq->body;
    struct offset_commit_response *rsp = rq->response;

    rsp->n_topics = body->n_topics;
    rsp->topics = arena_array(&rq->arena, (size_t)body->n_topics, sizeof(*rsp->topics));
    for (int32_t i = 0; i < body->n_topics; i++)
        commit_refuse(rq, &body->topics[i], error, &rsp->topics[i]);
    request_reply(rq);
}

/* Keeps the order of the request. */
static void commit_done(struct group_call *call)
{
    struct commit *c = CONTAINER_OF(group_request_of(call), struct commit, base);
    struct request *rq = c->base.rq;
    const struct offset_commit_request *body = rq->body;
    struct offset_commit_response *rsp = rq->response;
    commit_row *rows;
    int32_t n = 0;

    if (c->refused) {
        rows = arena_array(&rq->arena, (size_t)body->n_topics, sizeof(*rows));
        for (int32_t i = 0; i < body->n_topics; i++)
            if (c->refused[i])
                commit_refuse(rq, &body->topics[i], KE_TOPIC_AUTHORIZATION_FAILED, &rows[i]);
            else
                rows[i] = rsp->topics[n++];
        ASSERT(n == rsp->n_topics);
        rsp->topics = rows;
        rsp->n_topics = body->n_topics;
    }
    offsets_end(call);
}

static void commit_authorize(struct commit *c)
{
    struct request *rq = c->base.rq;
    const struct offset_commit_request *body = rq->body;
    size_t n = (size_t)body->n_topics;

    c->allowed = *body;
    c->allowed.topics = arena_array(&rq->arena, n, sizeof(*c->allowed.topics));
    c->allowed.n_topics = 0;
    for (size_t i = 0; i < n; i++) {
        const commit_topic *t = &body->topics[i];
        struct str name = topic_name(rq, t->name, t->topic_id);

        if (!name.p || topic_allowed(rq, ACL_READ, name)) {
            c->allowed.topics[c->allowed.n_topics++] = *t;
            continue;
        }
        if (!c->refused)
            c->refused = arena_array(&rq->arena, n, sizeof(*c->refused));
        c->refused[i] = true;
    }
}

void api_offset_commit_handle(struct request *rq)
{
    const struct offset_commit_request *body = rq->body;
    struct group_client who = group_request_client(rq);
    struct commit *c;

    if (!group_request_allowed(rq, ACL_READ, body->group_id)) {
        commit_refuse_all(rq, KE_GROUP_AUTHORIZATION_FAILED);
        return;
    }
    c = arena_alloc(&rq->arena, sizeof(*c));
    c->base.rq = rq;
    c->base.call.done = commit_done;
    c->base.call.arena = &rq->arena;
    commit_authorize(c);
    groupm_offset_commit(rq->broker->groups, &who, &c->allowed, rq->version, rq->response,
                         &c->base.call);
}

/* ---- OffsetFetch: what may not be seen is taken out of the answer */

typedef struct offset_fetch_response_topics old_topic;
typedef struct offset_fetch_response_groups_topics new_topic;

static void old_refuse(old_topic *t, int16_t error)
{
    for (int32_t i = 0; i < t->n_partitions; i++) {
        t->partitions[i].committed_offset = -1;
        t->partitions[i].committed_leader_epoch = -1;
        t->partitions[i].metadata = STR("");
        t->partitions[i].error_code = error;
    }
}

static void new_refuse(new_topic *t, int16_t error)
{
    for (int32_t i = 0; i < t->n_partitions; i++) {
        t->partitions[i].committed_offset = -1;
        t->partitions[i].committed_leader_epoch = -1;
        t->partitions[i].metadata = STR("");
        t->partitions[i].error_code = error;
    }
}

/* Of all topics the others are not even named. */
static void old_filter(struct request *rq)
{
    const struct offset_fetch_request *body = rq->body;
    struct offset_fetch_response *rsp = rq->response;
    bool group_ok = group_request_allowed(rq, ACL_DESCRIBE, body->group_id);
    int32_t n = 0;

    if (!group_ok && rq->version >= 2) {
        rsp->error_code = KE_GROUP_AUTHORIZATION_FAILED;
        rsp->n_topics = 0;
    }
    for (int32_t i = 0; i < rsp->n_topics; i++) {
        bool ok = group_ok && topic_allowed(rq, ACL_DESCRIBE, rsp->topics[i].name);

        if (!ok && body->n_topics < 0)
            continue;
        if (!ok)
            old_refuse(&rsp->topics[i],
                       group_ok ? KE_TOPIC_AUTHORIZATION_FAILED : KE_GROUP_AUTHORIZATION_FAILED);
        rsp->topics[n++] = rsp->topics[i];
    }
    rsp->n_topics = n;
}

static void new_filter_group(struct request *rq, bool all, struct offset_fetch_response_groups *row)
{
    int32_t n = 0;

    if (!group_request_allowed(rq, ACL_DESCRIBE, row->group_id)) {
        row->error_code = KE_GROUP_AUTHORIZATION_FAILED;
        row->n_topics = 0;
        return;
    }
    for (int32_t i = 0; i < row->n_topics; i++) {
        struct str name = topic_name(rq, row->topics[i].name, row->topics[i].topic_id);
        bool ok = !name.p || topic_allowed(rq, ACL_DESCRIBE, name);

        if (!ok && all)
            continue;
        if (!ok)
            new_refuse(&row->topics[i], KE_TOPIC_AUTHORIZATION_FAILED);
        row->topics[n++] = row->topics[i];
    }
    row->n_topics = n;
}

static void fetch_done(struct group_call *call)
{
    struct request *rq = group_request_of(call)->rq;
    const struct offset_fetch_request *body = rq->body;
    struct offset_fetch_response *rsp = rq->response;

    if (call->rc == 0 && rq->version < 8)
        old_filter(rq);
    for (int32_t i = 0; call->rc == 0 && i < rsp->n_groups; i++)
        new_filter_group(rq, body->groups[i].n_topics < 0, &rsp->groups[i]);
    offsets_end(call);
}

void api_offset_fetch_handle(struct request *rq)
{
    struct group_request *gr = group_request_new(rq, fetch_done);

    groupm_offset_fetch(rq->broker->groups, rq->body, rq->version, rq->response, &gr->call);
}

/* ---- OffsetDelete */

typedef struct offset_delete_request_topics delete_topic;
typedef struct offset_delete_response_topics delete_row;

struct offset_delete {
    struct group_request base;
    struct offset_delete_request allowed;
    bool *refused; /* by topic of the request */
};

static void delete_refuse(struct request *rq, const delete_topic *t, delete_row *row)
{
    offset_delete_response_topics_init(row);
    row->name = t->name;
    row->n_partitions = t->n_partitions;
    row->partitions = arena_array(&rq->arena, (size_t)t->n_partitions, sizeof(*row->partitions));
    for (int32_t i = 0; i < t->n_partitions; i++) {
        offset_delete_response_topics_partitions_init(&row->partitions[i]);
        row->partitions[i].partition_index = t->partitions[i].partition_index;
        row->partitions[i].error_code = KE_TOPIC_AUTHORIZATION_FAILED;
    }
}

static void delete_done(struct group_call *call)
{
    struct offset_delete *d = CONTAINER_OF(group_request_of(call), struct offset_delete, base);
    struct request *rq = d->base.rq;
    const struct offset_delete_request *body = rq->body;
    struct offset_delete_response *rsp = rq->response;
    delete_row *rows = arena_array(&rq->arena, (size_t)body->n_topics, sizeof(*rows));
    int32_t n = 0;

    if (rsp->error_code == KE_NONE) {
        for (int32_t i = 0; i < body->n_topics; i++)
            if (d->refused[i])
                delete_refuse(rq, &body->topics[i], &rows[i]);
            else
                rows[i] = rsp->topics[n++];
        rsp->topics = rows;
        rsp->n_topics = body->n_topics;
    }
    offsets_end(call);
}

void api_offset_delete_handle(struct request *rq)
{
    const struct offset_delete_request *body = rq->body;
    struct offset_delete_response *rsp = rq->response;
    size_t n = (size_t)body->n_topics;
    struct offset_delete *d;

    if (!group_request_allowed(rq, ACL_DELETE, body->group_id)) {
        rsp->error_code = KE_GROUP_AUTHORIZATION_FAILED;
        request_reply(rq);
        return;
    }
    d = arena_alloc(&rq->arena, sizeof(*d));
    d->base.rq = rq;
    d->base.call.done = delete_done;
    d->base.call.arena = &rq->arena;
    d->refused = arena_array(&rq->arena, n, sizeof(*d->refused));
    d->allowed = *body;
    d->allowed.n_topics = 0;
    d->allowed.topics = arena_array(&rq->arena, n, sizeof(*d->allowed.topics));
    for (size_t i = 0; i < n; i++) {
        d->refused[i] = !topic_allowed(rq, ACL_READ, body->topics[i].name);
        if (!d->refused[i])
            d->allowed.topics[d->allowed.n_topics++] = body->topics[i];
    }
    groupm_offset_delete(rq->broker->groups, &d->allowed, rq->version, rsp, &d->base.call);
}
