/* ElectLeaders, AlterPartitionReassignments and ListPartitionReassignments (ReplicationControlManager): the answers that a
 * cluster of this one node gives. Every partition has one replica, so nothing ever moves.
 *
 * Owner: the request; rows live in its arena.
 *
 * Failures:   per partition, with Kafka's words.
 */
#include "rows.h"

static const struct str no_text;

/* ---- ElectLeaders ------------------------------------------------------------------------------ */

enum election { ELECTION_PREFERRED = 0, ELECTION_UNCLEAN = 1 };

static void elect(struct request *rq, struct meta_topic *t, struct str topic,
                  struct elect_leaders_response_replica_election_results_partition_result *row)
{
    const struct elect_leaders_request *body = rq->body;

    if (body->election_type != ELECTION_PREFERRED && body->election_type != ELECTION_UNCLEAN) {
        row->error_code = KE_INVALID_REQUEST;
        row->error_message =
            arena_printf(&rq->arena, "Unknown election type %d", body->election_type);
    } else if (!t) {
        row->error_code = KE_UNKNOWN_TOPIC_OR_PARTITION;
        row->error_message = arena_printf(&rq->arena, "No such topic as %.*s", STR_ARG(topic));
    } else if (row->partition_id < 0 || row->partition_id >= t->n_partitions) {
        row->error_code = KE_UNKNOWN_TOPIC_OR_PARTITION;
        row->error_message = arena_printf(&rq->arena, "No such partition as %.*s-%d",
                                          STR_ARG(topic), row->partition_id);
    } else if (!api_partition_offline(rq->broker, &t->partitions[row->partition_id])) {
        row->error_code = KE_ELECTION_NOT_NEEDED;
        row->error_message = STR("Leader election not needed for topic partition.");
    } else if (body->election_type == ELECTION_PREFERRED) {
        row->error_code = KE_PREFERRED_LEADER_NOT_AVAILABLE;
        row->error_message = STR("The preferred leader was not available.");
    } else {
        row->error_code = KE_ELIGIBLE_LEADERS_NOT_AVAILABLE;
        row->error_message = STR("Eligible topic partition leaders are not available.");
    }
}

static void elect_asked(struct request *rq)
{
    const struct elect_leaders_request *body = rq->body;
    struct elect_leaders_response *rsp = rq->response;

    rsp->replica_election_results = arena_array(&rq->arena, (size_t)body->n_topic_partitions,
                                                sizeof(*rsp->replica_election_results));
    rsp->n_replica_election_results = body->n_topic_partitions;
    for (int32_t i = 0; i < body->n_topic_partitions; i++) {
        const struct elect_leaders_request_topic_partitions *asked = &body->topic_partitions[i];
        struct elect_leaders_response_replica_election_results *row =
            &rsp->replica_election_results[i];
        struct meta_topic *t = meta_topic(rq->broker->meta, asked->topic);

        elect_leaders_response_replica_election_results_init(row);
        row->topic = asked->topic;
        row->partition_result =
            arena_array(&rq->arena, (size_t)asked->n_partitions, sizeof(*row->partition_result));
        row->n_partition_result = asked->n_partitions;
        for (int32_t p = 0; p < asked->n_partitions; p++) {
            elect_leaders_response_replica_election_results_partition_result_init(
                &row->partition_result[p]);
            row->partition_result[p].partition_id = asked->partitions[p];
            row->partition_result[p].error_message = no_text;
            elect(rq, t, asked->topic, &row->partition_result[p]);
        }
    }
}

/* Asked for all, Kafka shows only those for which it had something to do: every topic, without partitions. */
static void elect_all(struct request *rq)
{
    struct elect_leaders_response *rsp = rq->response;
    struct meta_topic **topics = meta_topics_sorted(rq->broker->meta);
    int n = meta_n_topics(rq->broker->meta);

    rsp->replica_election_results =
        arena_array(&rq->arena, (size_t)n, sizeof(*rsp->replica_election_results));
    rsp->n_replica_election_results = n;
    for (int i = 0; i < n; i++) {
        elect_leaders_response_replica_election_results_init(&rsp->replica_election_results[i]);
        rsp->replica_election_results[i].topic = arena_str(&rq->arena, str_of(topics[i]->name));
    }
}

void api_elect_leaders_handle(struct request *rq)
{
    const struct elect_leaders_request *body = rq->body;
    struct elect_leaders_response *rsp = rq->response;

    rsp->throttle_time_ms = rq->throttle_ms;
    if (!request_allowed(rq, ACL_ALTER, RESOURCE_CLUSTER, CLUSTER_RESOURCE_NAME)) {
        rsp->error_code = KE_CLUSTER_AUTHORIZATION_FAILED;
    } else {
        if (body->election_type != ELECTION_PREFERRED && body->election_type != ELECTION_UNCLEAN)
            rsp->error_code = KE_INVALID_REQUEST;
        if (body->n_topic_partitions < 0)
            elect_all(rq);
        else
            elect_asked(rq);
    }
    request_reply_after_meta(rq);
}

/* ---- reassignments ----------------------------------------------------------------------------- */

static void reassign(struct request *rq, struct meta_topic *t, struct str topic,
                     const struct alter_partition_reassignments_request_topics_partitions *asked,
                     struct alter_partition_reassignments_response_responses_partitions *row)
{
    struct meta_assignment wanted = {.broker_ids = asked->replicas,
                                     .n_broker_ids = asked->n_replicas};
    struct errmsg why = {.text = ""};

    row->partition_index = asked->partition_index;
    row->error_message = no_text;
    if (!t) {
        row->error_code = KE_UNKNOWN_TOPIC_OR_PARTITION;
        row->error_message =
            arena_printf(&rq->arena, "Unable to find a topic named %.*s.", STR_ARG(topic));
    } else if (asked->partition_index < 0 || asked->partition_index >= t->n_partitions) {
        row->error_code = KE_UNKNOWN_TOPIC_OR_PARTITION;
        row->error_message = arena_printf(&rq->arena, "Unable to find partition %.*s:%d.",
                                          STR_ARG(topic), asked->partition_index);
    } else if (asked->n_replicas < 0) {
        row->error_code = KE_NO_REASSIGNMENT_IN_PROGRESS;
    } else {
        row->error_code = meta_check_replicas(rq->broker->meta, &wanted, &why);
        if (row->error_code)
            row->error_message = arena_str(&rq->arena, str_of(why.text));
    }
}

static void reassign_all(struct request *rq)
{
    const struct alter_partition_reassignments_request *body = rq->body;
    struct alter_partition_reassignments_response *rsp = rq->response;

    rsp->responses = arena_array(&rq->arena, (size_t)body->n_topics, sizeof(*rsp->responses));
    rsp->n_responses = body->n_topics;
    for (int32_t i = 0; i < body->n_topics; i++) {
        const struct alter_partition_reassignments_request_topics *asked = &body->topics[i];
        struct alter_partition_reassignments_response_responses *row = &rsp->responses[i];
        struct meta_topic *t = meta_topic(rq->broker->meta, asked->name);

        alter_partition_reassignments_response_responses_init(row);
        row->name = asked->name;
        row->partitions =
            arena_array(&rq->arena, (size_t)asked->n_partitions, sizeof(*row->partitions));
        row->n_partitions = asked->n_partitions;
        for (int32_t p = 0; p < asked->n_partitions; p++) {
            alter_partition_reassignments_response_responses_partitions_init(&row->partitions[p]);
            reassign(rq, t, asked->name, &asked->partitions[p], &row->partitions[p]);
        }
    }
}

void api_alter_partition_reassignments_handle(struct request *rq)
{
    const struct alter_partition_reassignments_request *body = rq->body;
    struct alter_partition_reassignments_response *rsp = rq->response;

    rsp->throttle_time_ms = rq->throttle_ms;
    rsp->allow_replication_factor_change = body->allow_replication_factor_change;
    rsp->error_message = no_text;
    if (request_allowed(rq, ACL_ALTER, RESOURCE_CLUSTER, CLUSTER_RESOURCE_NAME)) {
        reassign_all(rq);
    } else {
        rsp->error_code = KE_CLUSTER_AUTHORIZATION_FAILED;
        rsp->error_message = STR("Cluster authorization failed.");
    }
    request_reply_after_meta(rq);
}

/* None is ever going on. */
void api_list_partition_reassignments_handle(struct request *rq)
{
    struct list_partition_reassignments_response *rsp = rq->response;

    rsp->throttle_time_ms = rq->throttle_ms;
    rsp->error_message = no_text;
    if (!request_allowed(rq, ACL_DESCRIBE, RESOURCE_CLUSTER, CLUSTER_RESOURCE_NAME)) {
        rsp->error_code = KE_CLUSTER_AUTHORIZATION_FAILED;
        rsp->error_message = STR("Cluster authorization failed.");
    }
    request_reply_after_meta(rq);
}
