/* Produce.
 *
 * Owner: struct produce, in the request's arena; core thread.
 *
 * Happy path: for each partition: authorize -> find -> the coordinator, for a transaction (produce_txn.c)
 *             -> log_append (checks, offsets, page cache) -> acks=all waits until the log says
 *             durable -> when the last one is, reply. acks=1 replies at once, acks=0 never.
 * Failures:   what a batch did wrong is its partition's error; the others go on. A flush that
 *             failed closes the connection without an answer: "maybe written" has no other truthful
 *             one. acks=0 with an error closes too, as in Kafka.
 */
#include "produce.h"

struct produce_part {
    struct log_wait wait;
    struct produce *produce;
    struct produce_response_responses_partition_responses *rsp;
};
struct produce {
    struct request *rq;
    struct produce_part *parts;
    int32_t n_parts, n_parts_max;
    int32_t n_waiting;
    int32_t n_errors;
    struct timer timeout;
    struct produce_txn txn;
    struct statelog_wait noted; /* for what the coordinator has noted; counts in n_waiting */
    bool maybe_written; /* an error that leaves open whether the bytes stay */
};

typedef struct produce_response_responses_partition_responses part_response;

static void part_error(struct produce *p, part_response *rsp, int16_t error)
{
    rsp->error_code = error;
    rsp->base_offset = -1;
    p->n_errors++;
}

/* Where single records are to blame, which and why (KIP-467); Kafka gives no text for anything else. */
static void part_refused(struct produce *p, part_response *rsp, const struct log_append *a)
{
    struct arena *arena = &p->rq->arena;

    part_error(p, rsp, a->error);
    if (a->n_record_errors > 0)
        rsp->error_message = arena_str(arena, str_of(a->reason.text));
    rsp->n_record_errors = a->n_record_errors;
    rsp->record_errors =
        arena_array(arena, (size_t)a->n_record_errors, sizeof(*rsp->record_errors));
    for (int32_t i = 0; i < a->n_record_errors; i++) {
        struct produce_response_responses_partition_responses_record_errors *row =
            &rsp->record_errors[i];

        produce_response_responses_partition_responses_record_errors_init(row);
        row->batch_index = a->record_errors[i].batch_index;
        row->batch_index_error_message = str_of(a->record_errors[i].message);
    }
    rsp->log_start_offset = a->start_offset;
}

static bool acks_valid(int16_t acks)
{
    return acks >= -1 && acks <= 1;
}

/* Whether the bytes that the header of a first batch announces are there
 * (ProduceRequest.validateRecords). */
static bool holds_a_batch(const struct wire_records *records)
{
    return records->p && records->n_bytes >= BATCH_HEADER_BYTES &&
           get_be32(records->p + BATCH_LENGTH_AT) <= records->n_bytes - BATCH_PREFIX_BYTES;
}

/* What must hold before the log is asked: KafkaApis.handleProduceRequest,
 * ReplicaManager.appendRecordsToLeader. */
static int16_t part_allowed(struct produce *p, const struct meta_topic *t, int32_t partition,
                            const struct wire_records *records)
{
    const struct produce_request *body = p->rq->body;
    int16_t error = request_partition_check(t, partition, NO_LEADER_EPOCH);

    if (error)
        return error;
    if (!acks_valid(body->acks))
        return KE_INVALID_REQUIRED_ACKS;
    if (t->internal && !str_is(p->rq->header.client_id, "__admin_client"))
        return KE_INVALID_TOPIC_EXCEPTION;
    if (body->acks == -1 && t->config.min_insync_replicas > 1)
        return KE_NOT_ENOUGH_REPLICAS;
    if (!holds_a_batch(records))
        return KE_INVALID_RECORD;
    if (p->rq->version < 7 && (records->p[22] & BATCH_CODEC_MASK) == CODEC_ZSTD)
        return KE_UNSUPPORTED_COMPRESSION_TYPE; /* KIP-110 */
    return KE_NONE;
}

static void produce_timed_out(struct timer *t);
static void part_durable(struct log_wait *w, int rc);

/* Whether a batch of a transaction may be appended. */
static bool part_verify(struct produce *p, struct log *log, const struct wire_records *records,
                        part_response *rsp, struct log_append *a)
{
    struct batch b;
    int16_t error;

    if (!produce_txn_has(records, &b))
        return true;
    error = produce_txn_verify(&p->txn, log, &b, &rsp->error_message);
    a->verified = error == KE_NONE;
    if (error)
        part_error(p, rsp, error);
    return a->verified;
}

static void part_append(struct produce *p, struct meta_topic *t, int32_t partition,
                        const struct wire_records *records, part_response *rsp)
{
    const struct produce_request *body = p->rq->body;
    struct log_append a = {.chunk = p->rq->chunk,
                           .p = (uint8_t *)records->p,
                           .n_bytes = records->n_bytes,
                           .origin = LOG_FROM_CLIENT,
                           .arena = &p->rq->arena};
    struct log *log;
    int rc = broker_log(p->rq->broker, t, partition, true, &log);

    if (rc == 0 && !part_verify(p, log, records, rsp, &a))
        return;
    if (rc == 0)
        rc = log_append(log, &a);
    else if (rc != E_OFFLINE)
        logm_refused(p->rq->broker->logm, t->name, partition, t->id,
                     (struct bytes){a.p, a.n_bytes});
    if (rc < 0) {
        p->maybe_written |= rc == E_IO;
        part_error(p, rsp, (int16_t)err_kafka(rc));
        return;
    }
    if (a.error) {
        part_refused(p, rsp, &a);
        return;
    }
    rsp->base_offset = a.base_offset;
    rsp->log_append_time_ms = a.append_time_ms;
    rsp->log_start_offset = a.start_offset;
    if (body->acks == -1 && log_high_watermark(log) <= a.last_offset) {
        struct produce_part *part = &p->parts[p->n_parts++];

        ASSERT(p->n_parts <= p->n_parts_max);
        part->produce = p;
        part->rsp = rsp;
        p->n_waiting++;
        log_wait_durable(log, &part->wait, a.last_offset + 1, part_durable);
    }
}

static void produce_topic(struct produce *p, const struct produce_request_topic_data *td,
                          struct produce_response_responses *rsp)
{
    struct request *rq = p->rq;
    int16_t topic_error;
    struct meta_topic *t =
        request_topic(rq, rq->version >= 13, td->name, td->topic_id, &topic_error);
    struct str name = t ? str_of(t->name) : td->name;

    produce_response_responses_init(rsp);
    rsp->name = td->name;
    rsp->topic_id = td->topic_id;
    rsp->n_partition_responses = td->n_partition_data;
    rsp->partition_responses =
        arena_array(&rq->arena, (size_t)td->n_partition_data, sizeof(*rsp->partition_responses));
    /* An unknown topic id has no name to be authorized. */
    if ((t || rq->version < 13) && !request_allowed(rq, ACL_WRITE, RESOURCE_TOPIC, name))
        topic_error = KE_TOPIC_AUTHORIZATION_FAILED;
    for (int32_t i = 0; i < td->n_partition_data; i++) {
        const struct produce_request_topic_data_partition_data *pd = &td->partition_data[i];
        part_response *part = &rsp->partition_responses[i];
        int16_t error = p->txn.error ? p->txn.error : topic_error;

        produce_response_responses_partition_responses_init(part);
        part->index = pd->index;
        if (p->txn.error)
            part->error_message = p->txn.why;
        if (!error)
            error = part_allowed(p, t, pd->index, &pd->records);
        if (error)
            part_error(p, part, error);
        else
            part_append(p, t, pd->index, &pd->records, part);
    }
}

/* Answers, or does what stands for an answer. */
static void produce_finish(struct produce *p)
{
    struct request *rq = p->rq;
    const struct produce_request *body = rq->body;
    struct produce_response *rsp = rq->response;

    ASSERT(p->n_waiting == 0);
    timer_cancel(&rq->broker->env->timers, &p->timeout);
    if (p->maybe_written) {
        request_drop(rq, "a write failed: whether the records are kept is not known");
    } else if (body->acks == 0 && p->n_errors > 0) {
        request_drop(rq, "an error in a produce request with acks=0, which has no answer");
    } else if (body->acks == 0) {
        request_reply_none(rq);
    } else {
        rsp->throttle_time_ms = rq->throttle_ms;
        request_reply(rq);
    }
}

static void part_durable(struct log_wait *w, int rc)
{
    struct produce_part *part = CONTAINER_OF(w, struct produce_part, wait);
    struct produce *p = part->produce;

    ASSERT(p->n_waiting > 0);
    if (rc == E_CANCELED)
        part_error(p, part->rsp, KE_UNKNOWN_TOPIC_OR_PARTITION);
    else if (rc < 0)
        p->maybe_written = true;
    if (--p->n_waiting == 0)
        produce_finish(p);
}

/* The flush takes longer than the client wants to wait: "maybe" too, but with an error that clients
 * retry. */
static void produce_timed_out(struct timer *t)
{
    struct produce *p = CONTAINER_OF(t, struct produce, timeout);

    for (int32_t i = 0; i < p->n_parts; i++) {
        struct produce_part *part = &p->parts[i];

        if (!part->wait.log)
            continue;
        log_wait_cancel(&part->wait);
        part_error(p, part->rsp, KE_REQUEST_TIMED_OUT);
        p->n_waiting--;
    }
    if (p->n_waiting > 0) { /* the coordinator's note; what was written without it has no truthful answer */
        statelog_wait_cancel(&p->noted);
        p->maybe_written = true;
        p->n_waiting--;
    }
    produce_finish(p);
}

static void noted_durable(struct statelog_wait *w, int rc)
{
    struct produce *p = CONTAINER_OF(w, struct produce, noted);

    ASSERT(p->n_waiting > 0);
    p->maybe_written |= rc < 0;
    if (--p->n_waiting == 0)
        produce_finish(p);
}

static int32_t count_partitions(const struct produce_request *body, size_t *n_bytes)
{
    int32_t n = 0;

    *n_bytes = 0;
    for (int32_t i = 0; i < body->n_topic_data; i++) {
        n += body->topic_data[i].n_partition_data;
        for (int32_t j = 0; j < body->topic_data[i].n_partition_data; j++)
            *n_bytes += body->topic_data[i].partition_data[j].records.n_bytes;
    }
    return n;
}

void api_produce_handle(struct request *rq)
{
    const struct produce_request *body = rq->body;
    struct produce_response *rsp = rq->response;
    struct produce *p = arena_alloc(&rq->arena, sizeof(*p));
    size_t n_bytes;

    p->rq = rq;
    produce_txn_begin(&p->txn, rq);
    p->n_parts_max = count_partitions(body, &n_bytes);
    p->parts = arena_array(&rq->arena, (size_t)p->n_parts_max, sizeof(*p->parts));
    timer_init(&p->timeout, produce_timed_out);
    rsp->n_responses = body->n_topic_data;
    rsp->responses = arena_array(&rq->arena, (size_t)body->n_topic_data, sizeof(*rsp->responses));
    for (int32_t i = 0; i < body->n_topic_data; i++)
        produce_topic(p, &body->topic_data[i], &rsp->responses[i]);
    if (p->txn.noted) {
        p->n_waiting++;
        statelog_after(p->txn.noted, &p->noted, noted_durable);
    }
    rq->throttle_ms = quota_charge(rq->broker->quota, QUOTA_PRODUCE, rq->conn->principal.name,
                                   rq->header.client_id, (double)n_bytes, rq->received);
    if (p->n_waiting == 0)
        produce_finish(p);
    else
        timer_set(&rq->broker->env->timers, &p->timeout,
                  mono_after_ms(rq->received, MAX(body->timeout_ms, 0)));
}
