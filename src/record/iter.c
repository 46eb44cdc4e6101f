/* Walking the records of a batch, and the headers of a record.
 *
 * Owner: the caller; the iterator borrows the batch's bytes, or, for a compressed batch, the
 * scratch buffer.
 *
 * Happy path: init (decompress once) -> next, next ... -> 0.
 * Invariant:  what next returns lies wholly inside the records' bytes; offset deltas are in
 *             0..lastOffsetDelta.
 * Failures:   E_CORRUPT, where Kafka's RecordIterator throws: fields that leave their record,
 *             malformed headers, bytes behind the last record. E_LIMIT from decompression.
 *             After a failure the iterator is at its end.
 */
#include "record_parse.h"

int record_iter_init(struct record_iter *it, const uint8_t *p, const struct batch *b,
                     size_t max_bytes, struct buf *scratch)
{
    struct bytes body = {p + BATCH_HEADER_BYTES, b->total_bytes - BATCH_HEADER_BYTES};
    int rc;

    ASSERT(b->total_bytes >= BATCH_HEADER_BYTES);
    *it = (struct record_iter){.batch = *b, .at = body.p, .end = body.p + body.n, .n_left = 0};
    if (b->record_count < 0 || (b->attributes & BATCH_CODEC_MASK) >= CODEC_COUNT)
        return E_CORRUPT;
    if (batch_codec(b) != CODEC_NONE && b->record_count > 0) {
        scratch->n = 0;
        buf_reserve(scratch, 1); /* so that no records at all are not at NULL */
        rc = codec_decompress(batch_codec(b), body, max_bytes, scratch);
        if (rc < 0)
            return rc;
        it->at = scratch->p;
        it->end = scratch->p + scratch->n;
    }
    it->n_left = b->record_count;
    return 0;
}

static const uint8_t *read_record(const struct record_iter *it, struct record *out,
                                  int64_t *delta_ms)
{
    const uint8_t *p, *end;
    int32_t n;

    p = read_varint(it->at, it->end, &n);
    if (!p || n < 0 || n > it->end - p)
        return NULL;
    end = p + n;
    if (!read_fields(p, end, out, delta_ms) || !headers_ok(out))
        return NULL;
    if (out->offset_delta < 0 || out->offset_delta > it->batch.last_offset_delta)
        return NULL;
    return end;
}

int record_iter_next(struct record_iter *it, struct record *out)
{
    const struct batch *b = &it->batch;
    int64_t delta_ms;

    ASSERT(it->n_left >= 0);
    if (it->n_left == 0)
        return 0;
    it->n_left--;
    it->at = read_record(it, out, &delta_ms);
    if (!it->at || (it->n_left == 0 && it->at != it->end)) {
        it->at = it->end;
        it->n_left = 0;
        return E_CORRUPT;
    }
    out->offset = wrapping_add(b->base_offset, out->offset_delta);
    out->timestamp_ms = b->attributes & BATCH_LOG_APPEND_TIME
                            ? b->max_timestamp_ms
                            : wrapping_add(b->base_timestamp_ms, delta_ms);
    return 1;
}

int record_header_next(struct record *r, struct record_header *out)
{
    const uint8_t *p;
    struct bytes key;

    if (r->n_headers <= 0)
        return 0;
    p = read_header(r->headers, r->headers_end, &key, &out->value);
    if (!p) {
        r->n_headers = 0;
        return E_CORRUPT;
    }
    out->key = (struct str){(const char *)key.p, key.n};
    r->headers = p;
    r->n_headers--;
    return 1;
}
