/* DescribeQuorum, UpdateFeatures, UnregisterBroker (KRaft's controller): this broker is the only voter of the metadata's quorum.
 *
 * Owner: the request; rows live in its arena.
 *
 * Failures:   with Kafka's words.
 */
#include "rows.h"

/* ---- DescribeQuorum ---------------------------------------------------------------------------- */

/* Only the metadata's one partition has a quorum; asked for anything else, nothing is shown (DescribeQuorumRequest). */
static bool only_metadata(const struct describe_quorum_request *body)
{
    return body->n_topics == 1 && str_is(body->topics[0].topic_name, METADATA_TOPIC) &&
           body->topics[0].n_partitions == 1 && body->topics[0].partitions[0].partition_index == 0;
}

static void refuse_partitions(struct request *rq)
{
    const struct describe_quorum_request *body = rq->body;
    struct describe_quorum_response *rsp = rq->response;

    rsp->topics = arena_array(&rq->arena, (size_t)body->n_topics, sizeof(*rsp->topics));
    rsp->n_topics = body->n_topics;
    for (int32_t i = 0; i < body->n_topics; i++) {
        const struct describe_quorum_request_topics *asked = &body->topics[i];
        struct describe_quorum_response_topics *row = &rsp->topics[i];

        describe_quorum_response_topics_init(row);
        row->topic_name = asked->topic_name;
        row->partitions =
            arena_array(&rq->arena, (size_t)asked->n_partitions, sizeof(*row->partitions));
        row->n_partitions = asked->n_partitions;
        for (int32_t p = 0; p < asked->n_partitions; p++) {
            describe_quorum_response_topics_partitions_init(&row->partitions[p]);
            row->partitions[p].partition_index = asked->partitions[p].partition_index;
            row->partitions[p].error_code = KE_UNKNOWN_TOPIC_OR_PARTITION;
            row->partitions[p].error_message =
                STR("This server does not host this topic-partition.");
        }
    }
}

static void show_partition(struct request *rq, struct describe_quorum_response_topics_partitions *p)
{
    struct broker *b = rq->broker;
    int64_t now = clock_wall(b->env->clock).ms;

    describe_quorum_response_topics_partitions_init(p);
    p->leader_id = b->node_id;
    p->leader_epoch = log_leader_epoch(b->metadata_log);
    p->high_watermark = meta_end(b->meta);
    p->current_voters = arena_array(&rq->arena, 1, sizeof(*p->current_voters));
    p->n_current_voters = 1;
    describe_quorum_response_topics_partitions_current_voters_init(&p->current_voters[0]);
    p->current_voters[0].replica_id = b->node_id;
    p->current_voters[0].log_end_offset = meta_end(b->meta);
    p->current_voters[0].last_fetch_timestamp = now;
    p->current_voters[0].last_caught_up_timestamp = now;
}

static void show_node(struct request *rq)
{
    struct describe_quorum_response *rsp = rq->response;

    rsp->nodes = arena_array(&rq->arena, 1, sizeof(*rsp->nodes));
    rsp->n_nodes = 1;
    describe_quorum_response_nodes_init(&rsp->nodes[0]);
    rsp->nodes[0].node_id = rq->broker->node_id;
    rsp->nodes[0].listeners = arena_array(&rq->arena, 1, sizeof(*rsp->nodes[0].listeners));
    rsp->nodes[0].n_listeners = 1;
    describe_quorum_response_nodes_listeners_init(&rsp->nodes[0].listeners[0]);
    rsp->nodes[0].listeners[0].name = str_of(rq->conn->listener);
    rsp->nodes[0].listeners[0].host = request_advertised_host(rq);
    rsp->nodes[0].listeners[0].port = (uint16_t)request_advertised_port(rq);
}

static void show_metadata(struct request *rq)
{
    struct describe_quorum_response *rsp = rq->response;

    rsp->topics = arena_array(&rq->arena, 1, sizeof(*rsp->topics));
    rsp->n_topics = 1;
    describe_quorum_response_topics_init(&rsp->topics[0]);
    rsp->topics[0].topic_name = STR(METADATA_TOPIC);
    rsp->topics[0].partitions = arena_array(&rq->arena, 1, sizeof(*rsp->topics[0].partitions));
    rsp->topics[0].n_partitions = 1;
    show_partition(rq, &rsp->topics[0].partitions[0]);
    if (rq->version >= 2)
        show_node(rq);
}

void api_describe_quorum_handle(struct request *rq)
{
    struct describe_quorum_response *rsp = rq->response;

    if (!request_allowed(rq, ACL_DESCRIBE, RESOURCE_CLUSTER, CLUSTER_RESOURCE_NAME))
        rsp->error_code = KE_CLUSTER_AUTHORIZATION_FAILED;
    else if (only_metadata(rq->body))
        show_metadata(rq);
    else
        refuse_partitions(rq);
    request_reply_after_meta(rq);
}

/* ---- UpdateFeatures ---------------------------------------------------------------------------- */

/* Version 0 has no upgrade type, and Kafka 4.4 does not look at its allow_downgrade: it can only
 * upgrade. */
static void update_features(struct request *rq)
{
    const struct update_features_request *body = rq->body;
    struct update_features_response *rsp = rq->response;
    struct meta_feature_update *updates =
        arena_array(&rq->arena, (size_t)body->n_feature_updates, sizeof(*updates));
    struct errmsg why = {.text = ""};
    int rc;

    for (int32_t i = 0; i < body->n_feature_updates; i++)
        updates[i] = (struct meta_feature_update){
            body->feature_updates[i].feature, body->feature_updates[i].max_version_level,
            (enum meta_feature_upgrade)body->feature_updates[i].upgrade_type};
    rc = meta_update_features(rq->broker->meta, updates, body->n_feature_updates,
                              body->validate_only, &rsp->error_code, &why);
    if (rc < 0) {
        rsp->error_code = (int16_t)err_kafka(rc);
        rsp->error_message = str_of(err_text(rc));
    } else if (rsp->error_code) {
        rsp->error_message = arena_str(&rq->arena, str_of(why.text));
    }
}

/* Up to version 1 each feature has a row, of which nothing is new: all succeed, or there are none. */
static void show_updates(struct request *rq)
{
    const struct update_features_request *body = rq->body;
    struct update_features_response *rsp = rq->response;

    if (rq->version > 1 || rsp->error_code)
        return;
    rsp->results = arena_array(&rq->arena, (size_t)body->n_feature_updates, sizeof(*rsp->results));
    rsp->n_results = body->n_feature_updates;
    for (int32_t i = 0; i < body->n_feature_updates; i++) {
        update_features_response_results_init(&rsp->results[i]);
        rsp->results[i].feature = body->feature_updates[i].feature;
        rsp->results[i].error_message = STR("NONE");
    }
}

void api_update_features_handle(struct request *rq)
{
    struct update_features_response *rsp = rq->response;

    rsp->throttle_time_ms = rq->throttle_ms;
    rsp->error_message = (struct str){NULL, 0};
    if (request_allowed(rq, ACL_ALTER, RESOURCE_CLUSTER, CLUSTER_RESOURCE_NAME)) {
        update_features(rq);
    } else {
        rsp->error_code = KE_CLUSTER_AUTHORIZATION_FAILED;
        rsp->error_message = STR("Cluster authorization failed.");
    }
    show_updates(rq);
    request_reply_after_meta(rq);
}

/* ---- UnregisterBroker -------------------------------------------------------------------------- */

void api_unregister_broker_handle(struct request *rq)
{
    const struct unregister_broker_request *body = rq->body;
    struct unregister_broker_response *rsp = rq->response;
    struct errmsg why = {.text = ""};
    int rc = 0;

    rsp->throttle_time_ms = rq->throttle_ms;
    if (!request_allowed(rq, ACL_ALTER, RESOURCE_CLUSTER, CLUSTER_RESOURCE_NAME)) {
        rsp->error_code = KE_CLUSTER_AUTHORIZATION_FAILED;
        rsp->error_message = STR("Cluster authorization failed.");
        request_reply(rq);
        return;
    }
    rc = meta_unregister_broker(rq->broker->meta, body->broker_id, &rsp->error_code, &why);
    if (rc < 0) {
        rsp->error_code = (int16_t)err_kafka(rc);
        rsp->error_message = str_of(err_text(rc));
    } else if (rsp->error_code) {
        rsp->error_message = arena_str(&rq->arena, str_of(why.text));
    }
    request_reply_after_meta(rq);
}
