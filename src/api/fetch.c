/* Fetch: from offsets to file ranges.
 *
 * Owner: struct fetch, in the request's arena; core thread. The warming of cold ranges runs on a
 * lane.
 *
 * Happy path: plan (fetch_session.c) -> read each partition: a range of a segment file -> enough
 *             bytes, or an error, or no time left? -> ranges that are not in the page cache are
 *             warmed and checked on a lane -> reply: header and ranges, sent by sendfile. Else wait: on every
 *             partition's readable mark, and on the clock; then read again.
 * Invariant:  a file in a part is a reference that fetch_forget drops; a part waits only while the
 *             request has not been answered.
 * Failures:   a read that fails is KAFKA_STORAGE_ERROR of its partition; a batch that has rotted is
 *             CORRUPT_MESSAGE, when it is the first one that was asked for: what stands before it is
 *             given out.
 */
#include "fetch.h"

struct fetch {
    struct request *rq;
    struct fetch_plan plan;
    enum isolation isolation;
    int32_t max_bytes, min_bytes;
    struct timer deadline;
    uint64_t n_bytes; /* read by the last pass */
    bool any_error;
    bool has_waited;
    struct job warming;
    bool warming_on; /* not to be answered before it is over */
};

static const uint8_t no_records[1];

/* ---- reading --------------------------------------------------------------------------------- */

/* Tells a client whose log is not ours where they part (KIP-595's tag in the reply; Partition.readRecords). An epoch that we
 * never had has no such place. True when there is nothing to be read. */
static bool diverges(struct fetch_part *part)
{
    int32_t epoch;
    int64_t end;

    if (part->last_fetched_epoch < 0)
        return false;
    log_epoch_end(part->log, part->last_fetched_epoch, &epoch, &end);
    if (epoch < 0) {
        part->error = KE_OFFSET_OUT_OF_RANGE;
        return true;
    }
    if (epoch == part->last_fetched_epoch && end >= part->offset)
        return false;
    part->diverging_epoch = epoch;
    part->diverging_end = end;
    return true;
}

static void read_log(struct fetch *f, struct fetch_part *part, uint32_t room)
{
    bool parts_here = diverges(part);
    struct log_read r;
    int rc;

    if (part->error)
        return;
    rc = log_read(part->log, parts_here ? log_start_offset(part->log) : part->offset,
                  MIN(room, (uint32_t)MAX(part->max_bytes, 0)), f->n_bytes == 0, f->isolation, &r);
    part->error = rc < 0 ? (int16_t)err_kafka(rc) : r.error;
    if (part->error)
        return; /* with offsets of -1 */
    part->high_watermark = r.high_watermark;
    part->stable_offset = r.stable_offset;
    part->start_offset = r.start_offset;
    if (parts_here || r.n_bytes == 0)
        return;
    part->file = file_ref(r.file);
    part->n_bytes = r.n_bytes;
    part->read = r;
}

/* A partition that nobody has written to yet is an empty log. */
static void read_nothing(struct fetch_part *part)
{
    part->error = part->offset == 0 ? KE_NONE : KE_OFFSET_OUT_OF_RANGE;
    if (!part->error)
        part->high_watermark = part->stable_offset = part->start_offset = 0;
}

static void part_forget_read(struct fetch_part *part)
{
    file_unref(part->file);
    part->file = NULL;
    part->n_bytes = 0;
    part->n_aborted = 0;
    part->high_watermark = part->stable_offset = part->start_offset = -1;
    part->diverging_epoch = -1;
    part->error = KE_NONE;
    part->log = NULL;
}

static struct meta_topic *part_topic(struct fetch *f, struct fetch_part *part)
{
    struct request *rq = f->rq;
    bool by_id = rq->version >= 13;
    const struct fetch_request *body = rq->body;
    struct meta_topic *t = request_topic(rq, by_id, part->name, part->id, &part->error);
    struct str name = t ? str_of(t->name) : part->name;

    part->unknown =
        (!t || part->partition < 0 || part->partition >= t->n_partitions) && !f->has_waited;
    if ((t || !by_id) && !request_allowed(rq, ACL_READ, RESOURCE_TOPIC, name))
        part->error = KE_TOPIC_AUTHORIZATION_FAILED;
    else if (body->replica_id >= 0 || body->replica_state.replica_id >= 0)
        part->error =
            KE_CLUSTER_AUTHORIZATION_FAILED; /* there are no followers here (CVE-2018-1288) */
    else if (t)
        part->error = request_partition_check(t, part->partition, part->leader_epoch);
    if (!part->error && rq->version < 10 && str_is(str_of(t->config.compression_type), "zstd"))
        part->error = KE_UNSUPPORTED_COMPRESSION_TYPE; /* KIP-110 */
    return part->error ? NULL : t;
}

/* make: the log is wanted to wait on, so it must exist. */
static void part_read(struct fetch *f, struct fetch_part *part, bool make)
{
    uint64_t room = (uint64_t)f->max_bytes > f->n_bytes ? (uint64_t)f->max_bytes - f->n_bytes : 0;
    struct meta_topic *t;
    int rc;

    part_forget_read(part);
    t = part_topic(f, part);
    if (t) {
        rc = broker_log(f->rq->broker, t, part->partition, make, &part->log);
        if (rc < 0)
            part->error = (int16_t)err_kafka(rc);
        else if (part->log)
            read_log(f, part, (uint32_t)room);
        else
            read_nothing(part);
    }
    f->n_bytes += part->n_bytes;
    f->any_error |= part->error != KE_NONE || part->diverging_epoch >= 0;
}

static void read_all(struct fetch *f, bool make)
{
    f->n_bytes = 0;
    f->any_error = false;
    for (int32_t i = 0; i < f->plan.n_parts; i++)
        part_read(f, &f->plan.parts[i], make);
}

/* Which transactions a reader of committed records must drop. Without that it can be given nothing. */
static void note_aborted(struct fetch *f, struct fetch_part *part)
{
    struct log_aborted_list list = {0};
    int rc = log_aborted_of_read(part->log, &part->read, &list);

    if (rc == 0) {
        part->aborted = arena_array(&f->rq->arena, list.n, sizeof(*part->aborted));
        part->n_aborted = (int32_t)list.n;
        if (list.n > 0)
            memcpy(part->aborted, list.p, list.n * sizeof(*part->aborted));
    } else {
        f->n_bytes -= part->n_bytes;
        part_forget_read(part);
        part->error = (int16_t)err_kafka(rc);
    }
    log_aborted_list_release(&list);
}

/* Right behind the last pass: a log may be gone later. */
static void note_all_aborted(struct fetch *f)
{
    if (f->isolation != READ_COMMITTED)
        return;
    for (int32_t i = 0; i < f->plan.n_parts; i++)
        if (f->plan.parts[i].n_bytes > 0)
            note_aborted(f, &f->plan.parts[i]);
}

static bool enough(const struct fetch *f)
{
    return f->any_error || f->n_bytes >= (uint64_t)f->min_bytes || f->plan.n_parts == 0;
}

/* ---- answering ------------------------------------------------------------------------------- */

static void fill_aborted(struct fetch *f, const struct fetch_part *part,
                         struct fetch_response_responses_partitions *rsp)
{
    if (f->isolation != READ_COMMITTED && !part->unknown) {
        rsp->n_aborted_transactions = -1;
        return;
    }
    rsp->n_aborted_transactions = part->n_aborted;
    rsp->aborted_transactions =
        arena_array(&f->rq->arena, (size_t)part->n_aborted, sizeof(*rsp->aborted_transactions));
    for (int32_t i = 0; i < part->n_aborted; i++) {
        rsp->aborted_transactions[i].producer_id = part->aborted[i].producer_id;
        rsp->aborted_transactions[i].first_offset = part->aborted[i].first_offset;
    }
}

static void fill_part(struct fetch *f, struct fetch_part *part,
                      struct fetch_response_responses_partitions *rsp)
{
    fetch_response_responses_partitions_init(rsp);
    rsp->partition_index = part->partition;
    rsp->error_code = part->error;
    rsp->high_watermark = part->high_watermark;
    rsp->last_stable_offset = part->stable_offset;
    rsp->log_start_offset = part->start_offset;
    if (part->diverging_epoch >= 0) {
        rsp->diverging_epoch.epoch = part->diverging_epoch;
        rsp->diverging_epoch.end_offset = part->diverging_end;
    }
    fill_aborted(f, part, rsp);
    rsp->records = (struct wire_records){.p = no_records};
    if (part->n_bytes)
        rsp->records = (struct wire_records){
            .source = part->file, .position = part->read.position, .n_bytes = part->n_bytes};
}

static bool same_topic(const struct fetch_part *a, const struct fetch_part *b)
{
    return uuid_eq(a->id, b->id) && str_eq(a->name, b->name);
}

/* Parts of one topic that follow one another share a topic row, in the order of the request. */
static void fill_response(struct fetch *f)
{
    struct request *rq = f->rq;
    struct fetch_response *rsp = rq->response;
    struct fetch_plan *plan = &f->plan;
    bool same = plan->session && fetch_session_same(rq->broker, plan);
    struct fetch_response_responses *topic = NULL;
    struct fetch_response_responses_partitions *rows;
    struct fetch_part *last = NULL;

    rows = arena_array(&rq->arena, (size_t)plan->n_parts, sizeof(*rows));
    rsp->responses = arena_array(&rq->arena, (size_t)plan->n_parts, sizeof(*rsp->responses));
    for (int32_t i = 0; i < plan->n_parts; i++) {
        struct fetch_part *part = &plan->parts[i];
        bool shows = same ? fetch_session_shows(plan, part) : true;

        if (plan->incremental && !shows)
            continue;
        if (!last || !same_topic(last, part)) {
            topic = &rsp->responses[rsp->n_responses++];
            fetch_response_responses_init(topic);
            topic->topic = part->name;
            topic->topic_id = part->id;
            topic->partitions = rows;
        }
        fill_part(f, part, rows++);
        topic->n_partitions++;
        last = part;
    }
    rsp->session_id = plan->session_id;
}

static void fetch_forget(struct fetch *f)
{
    timer_cancel(&f->rq->broker->env->timers, &f->deadline);
    for (int32_t i = 0; i < f->plan.n_parts; i++)
        log_wait_cancel(&f->plan.parts[i].wait);
}

static void fetch_reply(struct fetch *f)
{
    struct request *rq = f->rq;
    struct fetch_response *rsp = rq->response;
    struct fetch_part *parts = f->plan.parts;
    int32_t n_parts = f->plan.n_parts;
    struct file **files = NULL;

    rq->hurry = NULL;
    fetch_forget(f);
    fill_response(f);
    rq->throttle_ms = quota_charge(rq->broker->quota, QUOTA_FETCH, rq->conn->principal.name,
                                   rq->header.client_id, (double)f->n_bytes, rq->received);
    rsp->throttle_time_ms = rq->throttle_ms;
    /* The reply takes references of its own; ours are kept outside the arena that dies with the
     * request. */
    files = xmalloc((size_t)n_parts * sizeof(*files) + 1);
    for (int32_t i = 0; i < n_parts; i++)
        files[i] = parts[i].file;
    request_reply(rq);
    for (int32_t i = 0; i < n_parts; i++)
        file_unref(files[i]);
    free(files);
}

/* ---- cold ranges ----------------------------------------------------------------------------- */

static void warm_work(struct job *j)
{
    struct fetch *f = CONTAINER_OF(j, struct fetch, warming);

    for (int32_t i = 0; i < f->plan.n_parts; i++)
        if (f->plan.parts[i].in_check)
            log_check_run(&f->plan.parts[i].check);
}

/* What is good is given out; where nothing is, the partition has an error, and no offsets. */
static void part_checked(struct fetch *f, struct fetch_part *part)
{
    int rc = log_check_end(&part->check);

    f->n_bytes -= part->n_bytes - part->check.n_good;
    part->n_bytes = part->check.n_good;
    part->in_check = false;
    if (rc == 0)
        return;
    part_forget_read(part);
    part->error = (int16_t)err_kafka(rc);
}

static void warm_done(struct job *j)
{
    struct fetch *f = CONTAINER_OF(j, struct fetch, warming);

    f->warming_on = false;
    for (int32_t i = 0; i < f->plan.n_parts; i++)
        if (f->plan.parts[i].in_check)
            part_checked(f, &f->plan.parts[i]);
    fetch_reply(f);
}

/* True when some range must be looked at on a lane: it comes from the device, or has not been checked
 * since it did. */
static bool begin_checks(struct fetch *f)
{
    bool any = false;

    for (int32_t i = 0; i < f->plan.n_parts; i++) {
        struct fetch_part *part = &f->plan.parts[i];
        const struct log_read *r = &part->read;

        if (part->n_bytes == 0 || (r->checked && file_is_warm(part->file, r->position, r->n_bytes)))
            continue;
        log_check_begin(part->log, &part->check, r);
        part->in_check = true;
        any = true;
    }
    return any;
}

/* Replies now, or when the ranges have been read into the page cache and checked: sendfile must not wait
 * for the device here, and what has rotted there must not be sent. */
static void fetch_send(struct fetch *f)
{
    struct api_state *st = api_state(f->rq->broker);

    note_all_aborted(f);
    if (!begin_checks(f)) {
        fetch_reply(f);
        return;
    }
    MARK(fetch_cold);
    f->rq->hurry = NULL;
    fetch_forget(f);
    f->warming_on = true;
    lane_submit(&st->cold_lanes[st->cold_next++ % ARRAY_SIZE(st->cold_lanes)], &f->warming,
                warm_work, warm_done);
}

/* ---- waiting --------------------------------------------------------------------------------- */

static void fetch_woken(struct log_wait *w, int rc);

static void fetch_wait(struct fetch *f)
{
    f->has_waited = true;
    for (int32_t i = 0; i < f->plan.n_parts; i++) {
        struct fetch_part *part = &f->plan.parts[i];
        int64_t seen = f->isolation == READ_COMMITTED ? part->stable_offset : part->high_watermark;

        part->fetch = f;
        if (part->log)
            log_wait_readable(part->log, &part->wait, seen, f->isolation, fetch_woken);
    }
}

static void fetch_again(struct fetch *f)
{
    for (int32_t i = 0; i < f->plan.n_parts; i++)
        log_wait_cancel(&f->plan.parts[i].wait);
    read_all(f, true);
    if (enough(f))
        fetch_send(f);
    else
        fetch_wait(f);
}

static void fetch_woken(struct log_wait *w, int rc)
{
    fetch_again(CONTAINER_OF(w, struct fetch_part, wait)->fetch);
}

static void fetch_timed_out(struct timer *t)
{
    struct fetch *f = CONTAINER_OF(t, struct fetch, deadline);

    read_all(f, false);
    fetch_send(f);
}

/* It is answered without records, and its client asks again: what was read for it may have been compacted since, and what the
 * transaction index says now is not what it said of that. */
static void fetch_hurry(struct request *rq)
{
    struct fetch *f = rq->state;

    ASSERT(!f->warming_on);
    for (int32_t i = 0; i < f->plan.n_parts; i++) {
        struct fetch_part *part = &f->plan.parts[i];

        file_unref(part->file);
        part->file = NULL;
        part->n_bytes = 0;
    }
    f->n_bytes = 0;
    fetch_reply(f);
}

void api_fetch_handle(struct request *rq)
{
    const struct fetch_request *body = rq->body;
    struct fetch_response *rsp = rq->response;
    struct fetch *f = arena_alloc(&rq->arena, sizeof(*f));

    f->rq = rq;
    rq->state = f;
    timer_init(&f->deadline, fetch_timed_out);
    rsp->error_code = fetch_plan_make(rq, &f->plan);
    if (rsp->error_code) {
        request_reply(rq);
        return;
    }
    f->isolation = body->isolation_level == 1 ? READ_COMMITTED : READ_UNCOMMITTED;
    f->max_bytes = (int32_t)MIN((int64_t)body->max_bytes, rq->broker->config->fetch_max_bytes);
    f->min_bytes = MIN(body->min_bytes, f->max_bytes);
    read_all(f, false);
    if (enough(f) || body->max_wait_ms <= 0 || rq->broker->stopping) {
        fetch_send(f);
        return;
    }
    rq->hurry = fetch_hurry;
    timer_set(&rq->broker->env->timers, &f->deadline,
              mono_after_ms(rq->received, body->max_wait_ms));
    fetch_again(f);
}
