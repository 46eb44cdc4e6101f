/* Groups of the newer protocol (KIP-848): ConsumerGroupHeartbeat, ConsumerGroupDescribe.
 *
 * Owner: struct group_request, in the request's arena; core thread.
 *
 * Happy path: authorize the group, and the topics that are named -> the group coordinator decides -> `done` when all that
 *             the answer says is durable -> what may not be seen is taken out -> reply.
 */
#include "groups.h"

static bool may_describe_topic(struct request *rq, struct str name)
{
    return request_allowed(rq, ACL_DESCRIBE, RESOURCE_TOPIC, name);
}

/* ---- ConsumerGroupHeartbeat */

static void heartbeat_done(struct group_call *call)
{
    struct request *rq = group_request_of(call)->rq;

    if (call->rc < 0)
        request_drop(rq, err_text(call->rc));
    else
        request_reply(rq);
}

static int16_t heartbeat_authorize(struct request *rq)
{
    const struct consumer_group_heartbeat_request *body = rq->body;

    if (!group_request_allowed(rq, ACL_READ, body->group_id))
        return KE_GROUP_AUTHORIZATION_FAILED;
    for (int32_t i = 0; i < body->n_subscribed_topic_names; i++)
        if (!may_describe_topic(rq, body->subscribed_topic_names[i]))
            return KE_TOPIC_AUTHORIZATION_FAILED;
    return KE_NONE;
}

static bool heartbeat_may_describe(void *arg, struct str topic)
{
    return may_describe_topic(arg, topic);
}

void api_consumer_group_heartbeat_handle(struct request *rq)
{
    struct consumer_group_heartbeat_response *rsp = rq->response;
    struct group_client who = group_request_client(rq);
    struct group_sight sight = {.may_describe = heartbeat_may_describe, .arg = rq};
    struct group_request *gr;

    rsp->error_code = heartbeat_authorize(rq);
    if (rsp->error_code) {
        request_reply(rq);
        return;
    }
    gr = group_request_new(rq, heartbeat_done);
    groupm_consumer_heartbeat(rq->broker->groups, &who, &sight, rq->body, rq->version, rsp,
                              &gr->call);
}

/* ---- ConsumerGroupDescribe */

typedef struct consumer_group_describe_response_groups group_row;
typedef struct consumer_group_describe_response_groups_members_assignment assignment_row;

static bool assignment_allowed(struct request *rq, const assignment_row *a)
{
    for (int32_t i = 0; i < a->n_topic_partitions; i++)
        if (!may_describe_topic(rq, a->topic_partitions[i].topic_name))
            return false;
    return true;
}

/* Whether all the topics that a group's members name or have may be seen. */
static bool topics_allowed(struct request *rq, const group_row *row)
{
    for (int32_t i = 0; i < row->n_members; i++) {
        for (int32_t j = 0; j < row->members[i].n_subscribed_topic_names; j++)
            if (!may_describe_topic(rq, row->members[i].subscribed_topic_names[j]))
                return false;
        if (!assignment_allowed(rq, &row->members[i].assignment) ||
            !assignment_allowed(rq, &row->members[i].target_assignment))
            return false;
    }
    return true;
}

static void refuse(group_row *row, int16_t error, struct str message)
{
    struct str group_id = row->group_id;

    consumer_group_describe_response_groups_init(row);
    row->group_id = group_id;
    row->error_code = error;
    row->error_message = message;
}

static void describe_done(struct group_call *call)
{
    struct request *rq = group_request_of(call)->rq;
    const struct consumer_group_describe_request *body = rq->body;
    struct consumer_group_describe_response *rsp = rq->response;

    for (int32_t i = 0; call->rc == 0 && i < rsp->n_groups; i++) {
        group_row *row = &rsp->groups[i];

        if (!group_request_allowed(rq, ACL_DESCRIBE, row->group_id))
            refuse(row, KE_GROUP_AUTHORIZATION_FAILED, (struct str){NULL, 0});
        else if (!topics_allowed(rq, row))
            refuse(row, KE_TOPIC_AUTHORIZATION_FAILED,
                   STR("The group has described topic(s) that the client is not authorized to "
                       "describe."));
        else if (body->include_authorized_operations && !row->error_code)
            row->authorized_operations = security_allowed_operations(
                rq->broker->security, &rq->conn->principal, RESOURCE_GROUP, row->group_id);
    }
    heartbeat_done(call);
}

void api_consumer_group_describe_handle(struct request *rq)
{
    struct group_request *gr = group_request_new(rq, describe_done);

    groupm_consumer_describe(rq->broker->groups, rq->body, rq->response, &gr->call);
}
