/* What may be appended (UnifiedLog.analyzeAndValidateRecords, LogValidator).
 *
 * Owner: nobody; the log is only read.
 *
 * Happy path: sizes -> CRC -> header and framing -> the topic's own rules, from what the framing
 *             walk saw.
 * Invariant:  a->error is KE_NONE exactly when w describes batches that may be written.
 * Failures:   a protocol error with Kafka's text. What single records did wrong is also listed
 *             record by record.
 *
 * A compressed batch is taken apart only where the topic's rules cannot be told from its header: a
 * compacted topic (keys), a lower bound for timestamps, or a largest timestamp that is out of the
 * window. In Kafka every one is.
 */
#include "segment.h"

void append_refuse(struct log_append *a, enum kafka_error error, const char *fmt, ...)
{
    va_list args;

    ASSERT(error != KE_NONE);
    a->error = (int16_t)error;
    if (error == KE_CORRUPT_MESSAGE || error == KE_MESSAGE_TOO_LARGE ||
        error == KE_RECORD_LIST_TOO_LARGE)
        a->start_offset = -1; /* ReplicaManager.appendToLocalLog */
    va_start(args, fmt);
    (void)vsnprintf(a->reason.text, sizeof(a->reason.text), fmt, args);
    va_end(args);
}

/* ---- sizes and checksums -------------------------------------------------------------------- */

static void check_sizes(const struct log *l, struct log_append *a, const struct batch *b)
{
    if (b->total_bytes > l->config.max_message_bytes)
        append_refuse(a, KE_MESSAGE_TOO_LARGE,
                      "The record batch size in the append to %s-%d is %u bytes which exceeds the "
                      "maximum configured value of %lld.",
                      l->topic, l->partition, b->total_bytes,
                      (long long)l->config.max_message_bytes);
    else if (a->n_bytes > log_segment_bytes_max(l))
        append_refuse(a, KE_RECORD_LIST_TOO_LARGE,
                      "Message batch size is %zu bytes in append to partition %s-%d, which exceeds "
                      "the maximum configured segment size "
                      "of %llu.",
                      a->n_bytes, l->topic, l->partition,
                      (unsigned long long)log_segment_bytes_max(l));
}

static void check_whole(const struct log *l, struct log_append *a, const uint8_t *p, size_t n,
                        struct batch *b)
{
    int rc = batch_check(p, n, b);

    if (rc == E_CORRUPT)
        append_refuse(
            a, KE_CORRUPT_MESSAGE,
            "Record is corrupt (its length or its checksum is wrong) in topic partition %s-%d.",
            l->topic, l->partition);
    else if (rc < 0)
        append_refuse(
            a, KE_INVALID_RECORD,
            "The counts of the record batch contradict one another in topic partition %s-%d.",
            l->topic, l->partition);
}

/* ProduceRequest.validateRecords: the log is not asked, so its start is not answered. */
static void refuse_request(struct log_append *a, const char *why)
{
    append_refuse(a, KE_INVALID_RECORD, "Produce requests %s", why);
    a->start_offset = -1;
}

/* That, and what the log checks before it looks inside. */
static void check_outside(const struct log *l, struct log_append *a, struct batch *b)
{
    int rc;

    if (a->n_bytes == 0) {
        refuse_request(a, "must have at least one record batch per partition");
        return;
    }
    if (a->n_bytes > BATCH_MAGIC_AT && a->p[BATCH_MAGIC_AT] != BATCH_MAGIC) {
        refuse_request(a, "are only allowed to contain record batches with magic version 2");
        return;
    }
    rc = a->n_bytes < BATCH_HEADER_BYTES ? E_CORRUPT : batch_decode(a->p, b);
    if (rc == E_CORRUPT || (rc == 0 && b->total_bytes > a->n_bytes)) {
        append_refuse(a, KE_CORRUPT_MESSAGE,
                      "The record batch is cut short in topic partition %s-%d.", l->topic,
                      l->partition);
        return;
    }
    if (b->total_bytes < a->n_bytes) {
        refuse_request(a, "are only allowed to contain exactly one record batch per partition");
        return;
    }
    if (b->base_offset != 0) {
        append_refuse(
            a, KE_INVALID_RECORD,
            "The baseOffset of the record batch in the append to %s-%d should be 0, but it is %lld",
            l->topic, l->partition, (long long)b->base_offset);
        return;
    }
    check_sizes(l, a, b);
    if (!a->error)
        check_whole(l, a, a->p, a->n_bytes, b);
}

/* ---- the records' own errors ---------------------------------------------------------------- */

struct topic_rules {
    const struct log *l;
    int64_t now_ms;
    int64_t earliest_ms, latest_ms; /* of a CreateTime; */
    bool create_time;
    bool wants_keys;
};

static struct topic_rules rules_of(const struct log *l, struct wall now)
{
    int64_t before_ms = l->config.message_timestamp_before_max_ms,
            after_ms = l->config.message_timestamp_after_max_ms;
    struct topic_rules r = {.l = l, .now_ms = now.ms};

    r.create_time = l->config.timestamp_type == TIMESTAMP_CREATE_TIME;
    r.wants_keys = l->config.cleanup & CLEANUP_COMPACT;
    r.earliest_ms = before_ms > now.ms + INT64_MAX / 2 ? INT64_MIN : now.ms - before_ms;
    r.latest_ms = after_ms > INT64_MAX - now.ms ? INT64_MAX : now.ms + after_ms;
    return r;
}

static bool timestamp_fits(const struct topic_rules *rules, int64_t timestamp_ms)
{
    return timestamp_ms >= rules->earliest_ms && timestamp_ms <= rules->latest_ms;
}

struct record_errors {
    struct log_append *a;
    struct log_record_error *list; /* in the arena; NULL: not wanted */
    int32_t n;
    bool of_time;
};

static __attribute__((cold)) void record_error(struct record_errors *e, int32_t index, bool of_time,
                                               struct str text)
{
    struct arena *arena = e->a->arena;

    e->of_time = e->of_time || of_time;
    if (e->n == 0)
        errmsg_set(&e->a->reason, "RecordError(batchIndex=%d, message='%.*s')", index,
                   STR_ARG(text));
    if (arena && !e->list)
        e->list = arena_array(arena, LOG_RECORD_ERRORS_MAX, sizeof(*e->list));
    if (e->list && e->n < LOG_RECORD_ERRORS_MAX)
        e->list[e->n] = (struct log_record_error){index, arena_str(arena, text).p};
    e->n++;
}

static void check_record(const struct topic_rules *rules, const struct record *r, bool stamped,
                         int32_t index, struct record_errors *e)
{
    char text[256];
    const char *topic = rules->l->topic;
    int n;

    if (rules->wants_keys && !r->key.p) {
        n = snprintf(
            text, sizeof(text),
            "Compacted topic cannot accept message without key in topic partition %.180s-%d", topic,
            rules->l->partition);
        record_error(e, index, false, (struct str){text, (size_t)n});
    } else if (rules->create_time && r->timestamp_ms != NO_TIMESTAMP) {
        if (timestamp_fits(rules, r->timestamp_ms))
            return;
        n = snprintf(text, sizeof(text),
                     "Timestamp %lld of message with offset %lld is out of range. The timestamp "
                     "should be within [%lld, %lld]",
                     (long long)r->timestamp_ms, (long long)r->offset,
                     (long long)rules->earliest_ms, (long long)rules->latest_ms);
        record_error(e, index, true, (struct str){text, (size_t)n});
    } else if (stamped) {
        record_error(e, index, true,
                     STR("Invalid timestamp type in message. Producer should not set timestamp "
                         "type to LogAppendTime."));
    }
}

static void report(struct record_errors *e)
{
    struct log_append *a = e->a;
    struct errmsg first = a->reason;

    if (e->n == 0)
        return;
    a->record_errors = e->list;
    a->n_record_errors = e->list ? MIN(e->n, LOG_RECORD_ERRORS_MAX) : 0;
    if (e->of_time)
        append_refuse(a, KE_INVALID_TIMESTAMP,
                      "One or more records have been rejected due to invalid timestamp");
    else
        append_refuse(a, KE_INVALID_RECORD,
                      "One or more records have been rejected due to %d record errors in total, "
                      "and only showing the first error: "
                      "%.400s",
                      e->n, first.text);
}

/* Record by record; *max_timestamp_ms is what they say themselves. */
static void check_each(const struct topic_rules *rules, struct log_append *a, const struct batch *b,
                       int64_t *max_timestamp_ms)
{
    struct record_errors errors = {.a = a};
    struct record_iter it;
    struct record r;
    struct buf scratch;
    int32_t index = 0;
    int rc;

    buf_init(&scratch);
    *max_timestamp_ms = NO_TIMESTAMP;
    rc = record_iter_init(&it, a->p, b, (size_t)rules->l->config.max_decompressed_message_bytes,
                          &scratch);
    while (rc == 0 && (rc = record_iter_next(&it, &r)) == 1) {
        if (r.offset_delta != index) {
            rc = E_CORRUPT;
            break;
        }
        check_record(rules, &r, b->attributes & BATCH_LOG_APPEND_TIME, index++, &errors);
        *max_timestamp_ms = MAX(*max_timestamp_ms, r.timestamp_ms);
        rc = 0;
    }
    buf_release(&scratch);
    if (rc == E_LIMIT)
        append_refuse(
            a, KE_MESSAGE_TOO_LARGE,
            "The record batch in the append to %s-%d is larger than %lld bytes when decompressed.",
            rules->l->topic, rules->l->partition,
            (long long)rules->l->config.max_decompressed_message_bytes);
    else if (rc < 0)
        append_refuse(a, KE_INVALID_RECORD,
                      "Record %d of the batch can not be read in topic partition %s-%d", index,
                      rules->l->topic, rules->l->partition);
    else
        report(&errors);
}

/* ---- the topic's rules ---------------------------------------------------------------------- */

/* Whether the records must be looked at one by one: something may be wrong with them, or cannot be
 * known otherwise. */
static bool must_look(const struct topic_rules *rules, const struct batch *b,
                      const struct record_facts *facts)
{
    bool compressed = batch_codec(b) != CODEC_NONE;

    if (b->attributes & BATCH_LOG_APPEND_TIME)
        return true;
    if (rules->wants_keys && (compressed || facts->n_without_key > 0))
        return true;
    if (!rules->create_time)
        return false;
    if (compressed)
        return rules->earliest_ms != INT64_MIN || b->max_timestamp_ms > rules->latest_ms;
    return facts->max_timestamp_ms > rules->latest_ms ||
           (facts->min_timestamp_ms != NO_TIMESTAMP &&
            facts->min_timestamp_ms < rules->earliest_ms);
}

static void stamp(const struct topic_rules *rules, struct log_append *a, struct batch *b,
                  int64_t max_timestamp_ms)
{
    if (rules->create_time) {
        batch_set_create_time(a->p, b, max_timestamp_ms);
        return;
    }
    batch_set_append_time(a->p, b, rules->now_ms);
    a->append_time_ms = rules->now_ms;
}

static void check_client(struct log *l, struct log_append *a, struct append_bytes *w,
                         struct wall now)
{
    struct topic_rules rules = rules_of(l, now);
    struct record_facts facts;
    struct batch *b = &w->first;
    int64_t max_timestamp_ms;
    struct errmsg why;

    check_outside(l, a, b);
    if (a->error)
        return;
    if (batch_check_records(a->p, b, &facts, &why) < 0) {
        append_refuse(a, KE_INVALID_RECORD, "%.600s in topic partition %s-%d", why.text, l->topic,
                      l->partition);
        return;
    }
    max_timestamp_ms = batch_codec(b) == CODEC_NONE ? facts.max_timestamp_ms : b->max_timestamp_ms;
    if (must_look(&rules, b, &facts))
        check_each(&rules, a, b, &max_timestamp_ms);
    if (!a->error)
        stamp(&rules, a, b, max_timestamp_ms);
}

static void wanted_codec(struct log *l, struct log_append *a, struct append_bytes *w)
{
    const char *name = l->config.compression_type;
    enum codec target;

    if (name[0] == 'p' || !codec_parse(str_of(name), &target) || target == batch_codec(&w->first))
        return;
    recompress(l, a, w, target);
}

/* ---- our own -------------------------------------------------------------------------------- */

static void check_raft(const struct log *l, struct log_append *a, const struct batch *b,
                       int64_t expected)
{
    if (b->base_offset != expected)
        append_refuse(a, KE_INVALID_RECORD,
                      "The batch begins at offset %lld, but %s-%d goes on at %lld",
                      (long long)b->base_offset, l->topic, l->partition, (long long)expected);
    else if (b->leader_epoch < epochs_latest(l->epochs))
        append_refuse(a, KE_INVALID_RECORD, "The batch is of epoch %d, but %s-%d is at %d",
                      b->leader_epoch, l->topic, l->partition, epochs_latest(l->epochs));
}

/* One or more batches, one behind the other. */
static void check_own(struct log *l, struct log_append *a, struct append_bytes *w)
{
    struct batch b;

    for (size_t at = 0; at < a->n_bytes && !a->error; at += b.total_bytes) {
        check_whole(l, a, a->p + at, a->n_bytes - at, &b);
        if (a->error)
            return;
        if (a->origin == LOG_FROM_RAFT)
            check_raft(l, a, &b, l->end_offset + w->n_offsets);
        else
            check_sizes(l, a, &b);
        if (at == 0)
            w->first = b;
        w->n_offsets += b.last_offset_delta + 1;
        w->max_timestamp_ms = MAX(w->max_timestamp_ms, b.max_timestamp_ms);
    }
    if (a->n_bytes == 0)
        append_refuse(a, KE_INVALID_RECORD, "There is no batch to append");
    else if (!a->error && a->n_bytes > log_segment_bytes_max(l))
        check_sizes(l, a, &w->first);
}

void validate_append(struct log *l, struct log_append *a, struct append_bytes *w, struct wall now)
{
    *w = (struct append_bytes){.max_timestamp_ms = NO_TIMESTAMP};
    w->chunk = a->chunk;
    w->p = a->p;
    w->n_bytes = a->n_bytes;
    if (a->origin != LOG_FROM_CLIENT) {
        check_own(l, a, w);
        return;
    }
    check_client(l, a, w, now);
    if (a->error)
        return;
    w->n_offsets = (int64_t)w->first.last_offset_delta + 1;
    w->max_timestamp_ms = w->first.max_timestamp_ms;
    wanted_codec(l, a, w);
}
