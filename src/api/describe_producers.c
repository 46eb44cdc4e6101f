/* DescribeProducers: who writes to a partition, and which transactions are open there (KIP-664).
 *
 * Happy path: topic -> partition -> what its log knows of producers, by their id -> reply at once.
 * Failures:   what is wrong with a topic is every partition's error, with its text; what is wrong with one partition has none
 *             (KafkaApis.handleDescribeProducersRequest, ReplicaManager.activeProducerState).
 */
#include "internal.h"

typedef struct describe_producers_response_topics_partitions partition_row;
typedef struct describe_producers_response_topics_partitions_active_producers producer_row;

static int by_id(const void *a, const void *b)
{
    const struct log_producer *x = a, *y = b;

    return (x->producer_id > y->producer_id) - (x->producer_id < y->producer_id);
}

static void fill(struct request *rq, const struct log *log, partition_row *row)
{
    uint32_t n = log_n_producers(log);
    struct log_producer *producers = arena_array(&rq->arena, n, sizeof(*producers));

    log_producers_list(log, producers);
    if (n > 0)
        qsort(producers, n, sizeof(*producers), by_id);
    row->active_producers = arena_array(&rq->arena, n, sizeof(*row->active_producers));
    row->n_active_producers = (int32_t)n;
    for (uint32_t i = 0; i < n; i++) {
        producer_row *p = &row->active_producers[i];

        describe_producers_response_topics_partitions_active_producers_init(p);
        p->producer_id = producers[i].producer_id;
        p->producer_epoch = producers[i].producer_epoch;
        p->last_sequence = producers[i].last_sequence;
        p->last_timestamp = producers[i].last_timestamp_ms;
        p->coordinator_epoch = producers[i].coordinator_epoch;
        p->current_txn_start_offset = producers[i].txn_first_offset;
    }
}

static void describe(struct request *rq, struct meta_topic *t, partition_row *row)
{
    struct log *log = NULL;
    int rc;

    row->error_code = request_partition_check(t, row->partition_index, NO_LEADER_EPOCH);
    if (row->error_code)
        return;
    rc = broker_log(rq->broker, t, row->partition_index, false, &log);
    if (rc < 0)
        row->error_code = (int16_t)err_kafka(rc);
    else if (log)
        fill(rq, log, row);
}

static int16_t refuse(struct request *rq, struct str name, struct meta_topic **t, struct str *why)
{
    struct errmsg msg;

    *t = NULL;
    if (!meta_topic_name_valid(name, &msg)) {
        *why = arena_str(&rq->arena, str_of(msg.text));
        return KE_INVALID_TOPIC_EXCEPTION;
    }
    if (!request_allowed(rq, ACL_READ, RESOURCE_TOPIC, name)) {
        *why = STR("Topic authorization failed.");
        return KE_TOPIC_AUTHORIZATION_FAILED;
    }
    *t = meta_topic(rq->broker->meta, name);
    if (*t)
        return KE_NONE;
    *why = STR("This server does not host this topic-partition.");
    return KE_UNKNOWN_TOPIC_OR_PARTITION;
}

void api_describe_producers_handle(struct request *rq)
{
    const struct describe_producers_request *body = rq->body;
    struct describe_producers_response *rsp = rq->response;

    rsp->throttle_time_ms = rq->throttle_ms;
    rsp->n_topics = body->n_topics;
    rsp->topics = arena_array(&rq->arena, (size_t)body->n_topics, sizeof(*rsp->topics));
    for (int32_t i = 0; i < body->n_topics; i++) {
        const struct describe_producers_request_topics *asked = &body->topics[i];
        struct describe_producers_response_topics *topic = &rsp->topics[i];
        struct str why = {0};
        struct meta_topic *t;
        int16_t error = refuse(rq, asked->name, &t, &why);

        describe_producers_response_topics_init(topic);
        topic->name = asked->name;
        topic->n_partitions = asked->n_partition_indexes;
        topic->partitions = arena_array(&rq->arena, (size_t)topic->n_partitions, sizeof(*topic->partitions));
        for (int32_t k = 0; k < topic->n_partitions; k++) {
            partition_row *row = &topic->partitions[k];

            describe_producers_response_topics_partitions_init(row);
            row->partition_index = asked->partition_indexes[k];
            row->error_code = error;
            row->error_message = why;
            if (!error)
                describe(rq, t, row);
        }
    }
    request_reply(rq);
}
