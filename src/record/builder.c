/* Building a batch.
 *
 * Owner: the caller; the records gather in the builder's own buffer, because a header with
 * their count and a compressed body can only follow.
 *
 * Happy path: batch_begin -> batch_add ... -> batch_end. Nothing is written to the output
 *             before batch_end.
 * Invariant:  the records have the offset deltas 0, 1, 2 ...; the base timestamp is the first
 *             record's.
 * Failures:   batch_end only: E_INVALID for a level that the codec does not have, E_LIMIT for a
 *             batch past 2^31 - 1 bytes. The output is then as it was.
 */
#include "record.h"

void batch_begin(struct batch_builder *bb, struct buf *out, struct batch_options options)
{
    ASSERT((options.attributes & BATCH_CODEC_MASK) < CODEC_COUNT);
    *bb = (struct batch_builder){
        .options = options, .out = out, .start = out->n, .max_timestamp_ms = NO_TIMESTAMP};
    buf_init(&bb->body);
}

static size_t bytes_size(struct bytes b)
{
    ASSERT(b.n <= INT32_MAX);
    return b.p ? varint_size((int32_t)b.n) + b.n : varint_size(-1);
}

static struct bytes key_of(const struct record_header *h)
{
    ASSERT(h->key.p);
    return (struct bytes){(const uint8_t *)h->key.p, h->key.n};
}

/* What a record's length field counts. */
static size_t record_size(int64_t delta_ms, int32_t offset_delta, struct bytes key,
                          struct bytes value, const struct record_header *headers,
                          int32_t n_headers)
{
    size_t n = 1 + varlong_size(delta_ms) + varint_size(offset_delta) + bytes_size(key) +
               bytes_size(value) + varint_size(n_headers);

    for (int32_t i = 0; i < n_headers; i++)
        n += bytes_size(key_of(&headers[i])) + bytes_size(headers[i].value);
    ASSERT(n <= INT32_MAX);
    return n;
}

static uint8_t *put_bytes(uint8_t *p, struct bytes b)
{
    if (!b.p)
        return p + varint_put(p, -1);
    p += varint_put(p, (int32_t)b.n);
    memcpy(p, b.p, b.n);
    return p + b.n;
}

void batch_add(struct batch_builder *bb, int64_t timestamp_ms, struct bytes key, struct bytes value,
               const struct record_header *headers, int32_t n_headers)
{
    int64_t delta_ms;
    size_t n;
    uint8_t *p, *end;

    ASSERT(n_headers >= 0);
    ASSERT(bb->n_records < INT32_MAX);
    if (bb->n_records == 0)
        bb->base_timestamp_ms = timestamp_ms;
    bb->max_timestamp_ms = MAX(bb->max_timestamp_ms, timestamp_ms);
    delta_ms = (int64_t)((uint64_t)timestamp_ms - (uint64_t)bb->base_timestamp_ms);
    n = record_size(delta_ms, bb->n_records, key, value, headers, n_headers);
    p = buf_grow(&bb->body, varint_size((int32_t)n) + n);
    p += varint_put(p, (int32_t)n);
    end = p + n;
    *p++ = 0; /* attributes */
    p += varlong_put(p, delta_ms);
    p += varint_put(p, bb->n_records);
    p = put_bytes(p, key);
    p = put_bytes(p, value);
    p += varint_put(p, n_headers);
    for (int32_t i = 0; i < n_headers; i++) {
        p = put_bytes(p, key_of(&headers[i]));
        p = put_bytes(p, headers[i].value);
    }
    ASSERT(p == end);
    bb->n_records++;
}

static void put_header(const struct batch_builder *bb, uint8_t *p, size_t total_bytes)
{
    const struct batch_options *o = &bb->options;

    put_be64(p, (uint64_t)o->base_offset);
    put_be32(p + BATCH_LENGTH_AT, (uint32_t)(total_bytes - BATCH_PREFIX_BYTES));
    put_be32(p + 12, (uint32_t)o->leader_epoch);
    p[BATCH_MAGIC_AT] = BATCH_MAGIC;
    put_be16(p + 21, (uint16_t)o->attributes);
    put_be32(p + 23, (uint32_t)(bb->n_records - 1));
    put_be64(p + 27, (uint64_t)bb->base_timestamp_ms);
    put_be64(p + 35, (uint64_t)bb->max_timestamp_ms);
    put_be64(p + 43, (uint64_t)o->producer_id);
    put_be16(p + 51, (uint16_t)o->producer_epoch);
    put_be32(p + 53, (uint32_t)o->base_sequence);
    put_be32(p + 57, (uint32_t)bb->n_records);
    put_be32(p + BATCH_CRC_AT, crc32c(0, p + BATCH_CRC_FROM, total_bytes - BATCH_CRC_FROM));
}

int batch_end(struct batch_builder *bb)
{
    enum codec codec = (enum codec)(bb->options.attributes & BATCH_CODEC_MASK);
    struct bytes body = {bb->body.p, bb->body.n};
    size_t total_bytes;
    int rc;

    ASSERT(bb->n_records > 0);
    ASSERT(bb->out->n == bb->start);
    buf_grow(bb->out, BATCH_HEADER_BYTES);
    rc = codec_compress(codec, body, bb->options.level, bb->out);
    total_bytes = bb->out->n - bb->start;
    if (rc == 0 && total_bytes > INT32_MAX)
        rc = E_LIMIT;
    if (rc == 0)
        put_header(bb, bb->out->p + bb->start, total_bytes);
    else
        bb->out->n = bb->start;
    buf_release(&bb->body);
    return rc;
}
