/* DeleteRecords (ReplicaManager.deleteRecords): the log starts of partitions move.
 *
 * Owner: the request; rows and waits live in its arena.
 *
 * Happy path: each partition's log start moves at once -> the reply when all of them are durable.
 * Failures:   per partition. One whose new start is not durable in time: REQUEST_TIMED_OUT; it has moved all the same, as in Kafka.
 */
#include "internal.h"

#define NO_LOW_WATERMARK (-1)
#define HIGH_WATERMARK   (-1)

struct part {
    struct log_wait wait;
    struct deletion *deletion;
    struct delete_records_response_topics_partitions *row;
};
struct deletion {
    struct request *rq;
    struct part *parts; /* those that wait */
    int n_parts, n_waiting;
    struct timer deadline;
};

static int16_t refuse(struct request *rq, struct str name, int32_t partition, struct meta_topic **t)
{
    *t = meta_topic(rq->broker->meta, name);
    if (!request_allowed(rq, ACL_DELETE, RESOURCE_TOPIC, name))
        return KE_TOPIC_AUTHORIZATION_FAILED;
    if (!*t || partition < 0 || partition >= (*t)->n_partitions)
        return KE_UNKNOWN_TOPIC_OR_PARTITION;
    if ((*t)->internal)
        return KE_INVALID_TOPIC_EXCEPTION;
    return KE_NONE;
}

/* Partition.deleteRecordsOnLeader */
static int16_t delete_in(struct log *log, int64_t offset)
{
    if (log_config(log)->cleanup == CLEANUP_COMPACT)
        return KE_POLICY_VIOLATION;
    return log_delete_records(log, offset == HIGH_WATERMARK ? log_high_watermark(log) : offset);
}

/* Nothing was ever written to it. */
static int16_t delete_nothing(const struct meta_topic *t, int64_t offset)
{
    if (t->config.cleanup == CLEANUP_COMPACT)
        return KE_POLICY_VIOLATION;
    return offset == HIGH_WATERMARK || offset == 0 ? KE_NONE : KE_OFFSET_OUT_OF_RANGE;
}

static void ended(struct deletion *d);

static void part_durable(struct log_wait *w, int rc)
{
    struct part *p = CONTAINER_OF(w, struct part, wait);
    struct deletion *d = p->deletion;

    if (rc < 0) {
        p->row->low_watermark = NO_LOW_WATERMARK;
        p->row->error_code =
            rc == E_CANCELED ? KE_UNKNOWN_TOPIC_OR_PARTITION : (int16_t)err_kafka(rc);
    }
    ASSERT(d->n_waiting > 0);
    if (--d->n_waiting == 0)
        ended(d);
}

static void ended(struct deletion *d)
{
    timer_cancel(&d->rq->broker->env->timers, &d->deadline);
    request_reply(d->rq);
}

static void timed_out(struct timer *t)
{
    struct deletion *d = CONTAINER_OF(t, struct deletion, deadline);

    for (int i = 0; i < d->n_parts; i++) {
        if (!d->parts[i].wait.log)
            continue;
        log_wait_cancel(&d->parts[i].wait);
        d->parts[i].row->low_watermark = NO_LOW_WATERMARK;
        d->parts[i].row->error_code = KE_REQUEST_TIMED_OUT;
    }
    request_reply(d->rq);
}

static void delete_one(struct deletion *d, struct str name,
                       const struct delete_records_request_topics_partitions *asked,
                       struct delete_records_response_topics_partitions *row)
{
    struct meta_topic *t;
    struct log *log = NULL;
    int rc = 0;

    delete_records_response_topics_partitions_init(row);
    row->partition_index = asked->partition_index;
    row->low_watermark = NO_LOW_WATERMARK;
    row->error_code = refuse(d->rq, name, asked->partition_index, &t);
    if (row->error_code)
        return;
    rc = broker_log(d->rq->broker, t, asked->partition_index, false, &log);
    if (rc < 0)
        row->error_code = (int16_t)err_kafka(rc);
    else
        row->error_code = log ? delete_in(log, asked->offset) : delete_nothing(t, asked->offset);
    if (row->error_code)
        return;
    row->low_watermark = log ? log_start_offset(log) : 0;
    if (log) {
        struct part *p = &d->parts[d->n_parts++];

        *p = (struct part){.deletion = d, .row = row};
        d->n_waiting++;
        log_wait_start(log, &p->wait, row->low_watermark, part_durable);
    }
}

static size_t count(const struct delete_records_request *body)
{
    size_t n = 0;

    for (int32_t i = 0; i < body->n_topics; i++)
        n += (size_t)body->topics[i].n_partitions;
    return n;
}

static void delete_all(struct deletion *d)
{
    const struct delete_records_request *body = d->rq->body;
    struct delete_records_response *rsp = d->rq->response;

    rsp->topics = arena_array(&d->rq->arena, (size_t)body->n_topics, sizeof(*rsp->topics));
    rsp->n_topics = body->n_topics;
    for (int32_t i = 0; i < body->n_topics; i++) {
        const struct delete_records_request_topics *asked = &body->topics[i];
        struct delete_records_response_topics *topic = &rsp->topics[i];

        delete_records_response_topics_init(topic);
        topic->name = asked->name;
        topic->partitions =
            arena_array(&d->rq->arena, (size_t)asked->n_partitions, sizeof(*topic->partitions));
        topic->n_partitions = asked->n_partitions;
        for (int32_t k = 0; k < asked->n_partitions; k++)
            delete_one(d, asked->name, &asked->partitions[k], &topic->partitions[k]);
    }
}

void api_delete_records_handle(struct request *rq)
{
    const struct delete_records_request *body = rq->body;
    struct delete_records_response *rsp = rq->response;
    struct deletion *d = arena_alloc(&rq->arena, sizeof(*d));
    struct env *env = rq->broker->env;

    *d = (struct deletion){.rq = rq};
    d->parts = arena_array(&rq->arena, count(body), sizeof(*d->parts));
    timer_init(&d->deadline, timed_out);
    rsp->throttle_time_ms = rq->throttle_ms;
    delete_all(d);
    if (d->n_waiting == 0)
        request_reply(rq);
    else
        timer_set(&env->timers, &d->deadline,
                  mono_after_ms(clock_mono(env->clock), MAX(0, body->timeout_ms)));
}
