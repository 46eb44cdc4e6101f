/* Groups: FindCoordinator, JoinGroup, SyncGroup, Heartbeat, LeaveGroup, ListGroups, DescribeGroups,
 * DeleteGroups.
 *
 * Owner: struct group_request, in the request's arena; core thread.
 *
 * Happy path: authorize -> the group coordinator decides -> `done` when all that the answer says is
 *             durable -> reply. A JoinGroup or SyncGroup may wait for other members: `hurry` ends
 *             that.
 * Failures:   a flush that failed closes the connection without an answer.
 */
#include "groups.h"

static void group_done(struct group_call *call)
{
    struct request *rq = group_request_of(call)->rq;

    if (call->rc < 0)
        request_drop(rq, err_text(call->rc));
    else
        request_reply(rq);
}

struct group_request *group_request_new(struct request *rq, void (*done)(struct group_call *))
{
    struct group_request *gr = arena_alloc(&rq->arena, sizeof(*gr));

    gr->rq = rq;
    gr->call.done = done;
    gr->call.arena = &rq->arena;
    rq->state = gr;
    return gr;
}

struct group_request *group_request_of(struct group_call *call)
{
    return CONTAINER_OF(call, struct group_request, call);
}

struct group_client group_request_client(struct request *rq)
{
    return (struct group_client){.client_id = rq->header.client_id,
                                 .client_host = rq->conn->principal.host};
}

bool group_request_allowed(struct request *rq, enum acl_operation op, struct str group_id)
{
    return request_allowed(rq, op, RESOURCE_GROUP, group_id);
}

/* ---- FindCoordinator */

enum coordinator_type {
    COORDINATOR_GROUP = 0,
    COORDINATOR_TRANSACTION = 1, /* v1 */
    COORDINATOR_SHARE = 2,       /* v6 */
};

struct coordinator {
    int16_t error;
    struct str message; /* of the error */
};

static const struct str no_message = {NULL, 0};

/* KafkaApis.getCoordinator */
static struct coordinator find_coordinator(struct request *rq, int8_t type, struct str key)
{
    if (type == COORDINATOR_GROUP && !group_request_allowed(rq, ACL_DESCRIBE, key))
        return (struct coordinator){KE_GROUP_AUTHORIZATION_FAILED, no_message};
    if (type == COORDINATOR_TRANSACTION &&
        !request_allowed(rq, ACL_DESCRIBE, RESOURCE_TRANSACTIONAL_ID, key))
        return (struct coordinator){KE_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, no_message};
    if (type != COORDINATOR_GROUP && type != COORDINATOR_TRANSACTION)
        return (struct coordinator){KE_INVALID_REQUEST, no_message};
    if ((type == COORDINATOR_GROUP ? broker_offsets_topic(rq->broker)
                                   : broker_transactions_topic(rq->broker)) == 0)
        return (struct coordinator){KE_COORDINATOR_NOT_AVAILABLE, no_message};
    return (struct coordinator){KE_NONE, no_message};
}

static struct str error_text(const struct coordinator *c)
{
    return c->message.p ? c->message : str_of(kafka_error_name(c->error));
}

static void find_coordinators(struct request *rq)
{
    const struct find_coordinator_request *body = rq->body;
    struct find_coordinator_response *rsp = rq->response;

    rsp->n_coordinators = body->n_coordinator_keys;
    rsp->coordinators =
        arena_array(&rq->arena, (size_t)body->n_coordinator_keys, sizeof(*rsp->coordinators));
    for (int32_t i = 0; i < body->n_coordinator_keys; i++) {
        struct find_coordinator_response_coordinators *row = &rsp->coordinators[i];
        struct coordinator c = find_coordinator(rq, body->key_type, body->coordinator_keys[i]);

        find_coordinator_response_coordinators_init(row);
        row->key = body->coordinator_keys[i];
        row->error_code = c.error;
        row->error_message = c.message.p ? c.message : STR("");
        row->node_id = c.error ? -1 : rq->broker->node_id;
        row->host = c.error ? STR("") : request_advertised_host(rq);
        row->port = c.error ? -1 : request_advertised_port(rq);
    }
}

void api_find_coordinator_handle(struct request *rq)
{
    const struct find_coordinator_request *body = rq->body;
    struct find_coordinator_response *rsp = rq->response;
    struct coordinator c;

    if (rq->version >= 4) {
        find_coordinators(rq);
    } else {
        c = find_coordinator(rq, body->key_type, body->key);
        rsp->error_code = c.error;
        rsp->error_message = error_text(&c); /* "NONE" too, as Kafka says it */
        rsp->node_id = c.error ? -1 : rq->broker->node_id;
        rsp->host = c.error ? STR("") : request_advertised_host(rq);
        rsp->port = c.error ? -1 : request_advertised_port(rq);
    }
    request_reply_after_meta(rq); /* the coordinator's topic may just have been made */
}

/* ---- members */

static void group_hurry(struct request *rq)
{
    struct group_request *gr = rq->state;

    groupm_give_up(rq->broker->groups, &gr->call);
}

void api_join_group_handle(struct request *rq)
{
    const struct join_group_request *body = rq->body;
    struct join_group_response *rsp = rq->response;
    struct group_client who = group_request_client(rq);
    struct group_request *gr;

    if (!group_request_allowed(rq, ACL_READ, body->group_id)) {
        rsp->error_code = KE_GROUP_AUTHORIZATION_FAILED;
        if (rq->version >= 7)
            rsp->protocol_name = (struct str){NULL, 0};
        request_reply(rq);
        return;
    }
    gr = group_request_new(rq, group_done);
    rq->hurry = group_hurry;
    groupm_join(rq->broker->groups, &who, body, rq->version, rsp, &gr->call);
}

void api_sync_group_handle(struct request *rq)
{
    const struct sync_group_request *body = rq->body;
    struct sync_group_response *rsp = rq->response;
    struct group_request *gr;

    /* From version 5 on both must be there (KIP-559). */
    if (rq->version >= 5 && (!body->protocol_type.p || !body->protocol_name.p))
        rsp->error_code = KE_INCONSISTENT_GROUP_PROTOCOL;
    else if (!group_request_allowed(rq, ACL_READ, body->group_id))
        rsp->error_code = KE_GROUP_AUTHORIZATION_FAILED;
    if (rsp->error_code) {
        request_reply(rq);
        return;
    }
    gr = group_request_new(rq, group_done);
    rq->hurry = group_hurry;
    groupm_sync(rq->broker->groups, body, rq->version, rsp, &gr->call);
}

void api_heartbeat_handle(struct request *rq)
{
    const struct heartbeat_request *body = rq->body;
    struct heartbeat_response *rsp = rq->response;
    struct group_request *gr;

    if (!group_request_allowed(rq, ACL_READ, body->group_id)) {
        rsp->error_code = KE_GROUP_AUTHORIZATION_FAILED;
        request_reply(rq);
        return;
    }
    gr = group_request_new(rq, group_done);
    groupm_heartbeat(rq->broker->groups, body, rq->version, rsp, &gr->call);
}

void api_leave_group_handle(struct request *rq)
{
    const struct leave_group_request *body = rq->body;
    struct leave_group_response *rsp = rq->response;
    struct group_request *gr;

    if (!group_request_allowed(rq, ACL_READ, body->group_id)) {
        rsp->error_code = KE_GROUP_AUTHORIZATION_FAILED;
        request_reply(rq);
        return;
    }
    gr = group_request_new(rq, group_done);
    groupm_leave(rq->broker->groups, body, rq->version, rsp, &gr->call);
}

/* ---- all groups */

/* Without DESCRIBE on the cluster only the groups that one may describe are shown. */
static void list_done(struct group_call *call)
{
    struct request *rq = group_request_of(call)->rq;
    struct list_groups_response *rsp = rq->response;
    int32_t n = 0;

    if (call->rc == 0 &&
        !request_allowed(rq, ACL_DESCRIBE, RESOURCE_CLUSTER, CLUSTER_RESOURCE_NAME)) {
        for (int32_t i = 0; i < rsp->n_groups; i++)
            if (group_request_allowed(rq, ACL_DESCRIBE, rsp->groups[i].group_id))
                rsp->groups[n++] = rsp->groups[i];
        rsp->n_groups = n;
    }
    group_done(call);
}

void api_list_groups_handle(struct request *rq)
{
    struct group_request *gr = group_request_new(rq, list_done);

    groupm_list(rq->broker->groups, rq->body, rq->version, rq->response, &gr->call);
}

static void describe_refused(struct describe_groups_response_groups *row)
{
    struct str group_id = row->group_id;

    describe_groups_response_groups_init(row);
    row->group_id = group_id;
    row->error_code = KE_GROUP_AUTHORIZATION_FAILED;
}

static void describe_done(struct group_call *call)
{
    struct request *rq = group_request_of(call)->rq;
    const struct describe_groups_request *body = rq->body;
    struct describe_groups_response *rsp = rq->response;

    for (int32_t i = 0; call->rc == 0 && i < rsp->n_groups; i++) {
        struct describe_groups_response_groups *row = &rsp->groups[i];

        if (!group_request_allowed(rq, ACL_DESCRIBE, row->group_id))
            describe_refused(row);
        else if (rq->version >= 3 && body->include_authorized_operations && !row->error_code)
            row->authorized_operations = security_allowed_operations(
                rq->broker->security, &rq->conn->principal, RESOURCE_GROUP, row->group_id);
    }
    group_done(call);
}

void api_describe_groups_handle(struct request *rq)
{
    struct group_request *gr = group_request_new(rq, describe_done);

    groupm_describe(rq->broker->groups, rq->body, rq->version, rq->response, &gr->call);
}

/* What may not be deleted is kept from the coordinator and told last, as Kafka does. */
struct delete_groups {
    struct group_request base; /* first: the call leads here */
    struct delete_groups_request allowed;
    struct str *refused;
    int32_t n_refused;
};

static void delete_groups_done(struct group_call *call)
{
    struct delete_groups *d = CONTAINER_OF(group_request_of(call), struct delete_groups, base);
    struct request *rq = d->base.rq;
    struct delete_groups_response *rsp = rq->response;
    struct delete_groups_response_results *results =
        arena_array(&rq->arena, (size_t)rsp->n_results + (size_t)d->n_refused, sizeof(*results));

    for (int32_t i = 0; i < rsp->n_results; i++)
        results[i] = rsp->results[i];
    for (int32_t i = 0; i < d->n_refused; i++) {
        struct delete_groups_response_results *row = &results[rsp->n_results++];

        delete_groups_response_results_init(row);
        row->group_id = d->refused[i];
        row->error_code = KE_GROUP_AUTHORIZATION_FAILED;
    }
    rsp->results = results;
    group_done(call);
}

void api_delete_groups_handle(struct request *rq)
{
    const struct delete_groups_request *body = rq->body;
    size_t n = (size_t)body->n_groups_names;
    struct delete_groups *d = arena_alloc(&rq->arena, sizeof(*d));

    d->base.rq = rq;
    d->base.call.done = delete_groups_done;
    d->base.call.arena = &rq->arena;
    d->refused = arena_array(&rq->arena, n, sizeof(*d->refused));
    delete_groups_request_init(&d->allowed);
    d->allowed.groups_names = arena_array(&rq->arena, n, sizeof(*d->allowed.groups_names));
    for (size_t i = 0; i < n; i++) {
        struct str id = body->groups_names[i];

        if (group_request_allowed(rq, ACL_DELETE, id))
            d->allowed.groups_names[d->allowed.n_groups_names++] = id;
        else
            d->refused[d->n_refused++] = id;
    }
    groupm_delete(rq->broker->groups, &d->allowed, rq->version, rq->response, &d->base.call);
}
