/* What a producer may send.
 *
 * Owner: nobody; pure functions.
 *
 * Happy path: the header's rules -> one walk over the records, all of them once, no allocation.
 * Invariant:  a batch that passes can be walked by record_iter to its end, each record one
 *             offset after the other.
 * Failures:   E_INVALID with a reason; the producer is told INVALID_RECORD.
 *
 * The header's rules are those of LogValidator.validateBatch, the records' those of
 * DefaultRecord.readFrom and of RecordIterator. Stricter than Kafka in two points, both about
 * bytes that no client sends and that would make readers disagree: offset deltas of
 * uncompressed records must count from 0 (Kafka stores others as they are), and the delete
 * horizon bit, the cleaner's own, is refused.
 */
#include "record_parse.h"

struct rule {
    bool (*broken)(const struct batch *b);
    const char *text;
};

static bool range_empty(const struct batch *b)
{
    return b->last_offset_delta < 0;
}

static bool count_not_positive(const struct batch *b)
{
    return b->record_count <= 0;
}

static bool count_not_range(const struct batch *b)
{
    return b->record_count - 1 != b->last_offset_delta;
}

static bool is_control(const struct batch *b)
{
    return b->attributes & BATCH_CONTROL;
}

static bool sequence_missing(const struct batch *b)
{
    return b->producer_id > NO_PRODUCER_ID && b->base_sequence < 0;
}

static bool codec_unknown(const struct batch *b)
{
    return (b->attributes & BATCH_CODEC_MASK) >= CODEC_COUNT;
}

static bool has_delete_horizon(const struct batch *b)
{
    return b->attributes & BATCH_DELETE_HORIZON;
}

/* In Kafka's order. A later rule relies on the earlier ones. */
static const struct rule rules[] = {
    {range_empty, "the batch has an invalid offset range"},
    {count_not_positive, "the batch says that it has no records"},
    {count_not_range, "the batch's offset range and its count of records differ"},
    {is_control, "clients are not allowed to write control records"},
    {sequence_missing, "the batch has a producer id and an invalid sequence number"},
    {codec_unknown, "the batch's compression type is unknown"},
    {has_delete_horizon, "clients are not allowed to set the delete horizon"},
};

static int check_header(const struct batch *b, struct errmsg *why)
{
    for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
        if (rules[i].broken(b)) {
            errmsg_set(why, "%s (count %d, last offset delta %d, attributes 0x%x, sequence %d)",
                       rules[i].text, b->record_count, b->last_offset_delta,
                       (uint16_t)b->attributes, b->base_sequence);
            return E_INVALID;
        }
    }
    return 0;
}

/* Reads the record at p and returns the place behind it, or NULL. */
static inline const uint8_t *check_record(const uint8_t *p, const uint8_t *end, struct record *r,
                                          int64_t *delta_ms)
{
    int32_t n;

    p = read_varint(p, end, &n);
    if (UNLIKELY(!p || n < 0 || n > end - p))
        return NULL;
    end = p + n;
    p = read_fields(p, end, r, delta_ms);
    if (UNLIKELY(!p))
        return NULL;
    if (LIKELY(r->n_headers == 0 && p == end))
        return end;
    return headers_ok(r) ? end : NULL;
}

static void facts_add(struct record_facts *f, const struct record *r, int64_t timestamp_ms)
{
    f->n_without_key += !r->key.p;
    f->max_timestamp_ms = MAX(f->max_timestamp_ms, timestamp_ms);
    if (timestamp_ms != NO_TIMESTAMP)
        f->min_timestamp_ms = MIN(f->min_timestamp_ms, timestamp_ms);
}

static __attribute__((cold)) int refuse(struct errmsg *why, int32_t index, const char *text)
{
    errmsg_set(why, "record %d: %s", index, text);
    return E_INVALID;
}

static int walk(const uint8_t *p, const struct batch *b, struct record_facts *facts,
                struct errmsg *why)
{
    const uint8_t *end = p + b->total_bytes;
    struct record_facts f = {.max_timestamp_ms = NO_TIMESTAMP, .min_timestamp_ms = INT64_MAX};
    struct record r = {0};
    int64_t delta_ms = 0;

    p += BATCH_HEADER_BYTES;
    for (int32_t i = 0; i < b->record_count; i++) {
        p = check_record(p, end, &r, &delta_ms);
        if (UNLIKELY(!p))
            return refuse(why, i, "its lengths do not add up, or its headers are malformed");
        if (UNLIKELY(r.offset_delta != i))
            return refuse(why, i, "its offset delta is not its place in the batch");
        facts_add(&f, &r, wrapping_add(b->base_timestamp_ms, delta_ms));
    }
    if (p != end)
        return refuse(why, b->record_count, "bytes follow the last record");
    if (f.min_timestamp_ms == INT64_MAX)
        f.min_timestamp_ms = NO_TIMESTAMP;
    *facts = f;
    return 0;
}

int batch_check_records(const uint8_t *p, const struct batch *b, struct record_facts *facts,
                        struct errmsg *why)
{
    int rc = check_header(b, why);

    ASSERT(b->total_bytes >= BATCH_HEADER_BYTES);
    *facts =
        (struct record_facts){.max_timestamp_ms = NO_TIMESTAMP, .min_timestamp_ms = NO_TIMESTAMP};
    if (rc < 0 || batch_codec(b) != CODEC_NONE)
        return rc;
    return walk(p, b, facts, why);
}

int batch_check_produced(const uint8_t *p, const struct batch *b, struct errmsg *why)
{
    struct record_facts facts;

    return batch_check_records(p, b, &facts, why);
}
