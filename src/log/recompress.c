/* A topic with a compression.type of its own: the client's batch in another codec
 * (LogValidator.buildRecordsAndAssignOffsets).
 *
 * Owner: the append; the new batch is a chunk of its own.
 *
 * Happy path: each record out of the old batch -> into a new one with the same producer, sequence
 *             and times.
 * Invariant:  the records, their order and the header's producer fields stay; only codec, length
 *             and CRC differ.
 * Failures:   records that can not be read, or are too many bytes: a protocol error, and nothing is
 *             changed.
 */
#include "segment.h"

static int32_t level_of(const struct log *l, enum codec codec)
{
    const int64_t levels[CODEC_COUNT] = {
        [CODEC_NONE] = INT32_MIN,
        [CODEC_SNAPPY] = INT32_MIN,
        [CODEC_GZIP] = l->config.compression_gzip_level,
        [CODEC_LZ4] = l->config.compression_lz4_level,
        [CODEC_ZSTD] = l->config.compression_zstd_level,
    };

    return (int32_t)levels[codec];
}

static int copy_record(struct batch_builder *bb, struct record *r, struct buf *scratch)
{
    int32_t n = r->n_headers;
    struct record_header *headers;

    scratch->n = 0;
    headers = (struct record_header *)(void *)buf_grow(scratch, (size_t)n * sizeof(*headers));
    for (int32_t i = 0; i < n; i++) {
        if (record_header_next(r, &headers[i]) != 1)
            return E_CORRUPT;
    }
    batch_add(bb, r->timestamp_ms, r->key, r->value, headers, n);
    return 0;
}

static int copy_records(const struct log *l, const struct append_bytes *w, struct batch_builder *bb)
{
    struct buf body, headers;
    struct record_iter it;
    struct record r;
    int rc;

    buf_init(&body);
    buf_init(&headers);
    rc = record_iter_init(&it, w->p, &w->first, (size_t)l->config.max_decompressed_message_bytes,
                          &body);
    while (rc == 0 && (rc = record_iter_next(&it, &r)) == 1)
        rc = copy_record(bb, &r, &headers);
    buf_release(&headers);
    buf_release(&body);
    return rc;
}

static void take_result(struct append_bytes *w, const struct buf *out)
{
    struct batch old = w->first;
    int rc;

    w->chunk = chunk_new(out->n);
    memcpy(w->chunk->data, out->p, out->n);
    w->p = w->chunk->data;
    w->n_bytes = out->n;
    w->ours = true;
    rc = batch_check(w->p, w->n_bytes, &w->first);
    ASSERT(rc == 0);
    ASSERT(w->first.last_offset_delta == old.last_offset_delta);
    if (old.attributes & BATCH_LOG_APPEND_TIME)
        batch_set_append_time(w->p, &w->first, old.max_timestamp_ms);
}

void recompress(struct log *l, struct log_append *a, struct append_bytes *w, enum codec target)
{
    struct batch_options options = BATCH_OPTIONS_NONE;
    struct batch_builder bb;
    struct buf out;
    int rc, rc_end;

    ASSERT(!w->ours);
    options.attributes = (int16_t)target;
    options.level = level_of(l, target);
    options.producer_id = w->first.producer_id;
    options.producer_epoch = w->first.producer_epoch;
    options.base_sequence = w->first.base_sequence;
    buf_init(&out);
    batch_begin(&bb, &out, options);
    rc = copy_records(l, w, &bb);
    if (rc == 0 && bb.n_records != w->first.record_count)
        rc = E_CORRUPT;
    if (bb.n_records == 0) {
        rc = E_CORRUPT;
        batch_add(&bb, 0, (struct bytes){0}, (struct bytes){0}, NULL,
                  0); /* a builder is released by its end only */
    }
    rc_end = batch_end(&bb);
    if (rc == 0)
        rc = rc_end;
    if (rc == 0)
        take_result(w, &out);
    else
        append_refuse(a, rc == E_LIMIT ? KE_MESSAGE_TOO_LARGE : KE_INVALID_RECORD,
                      "The record batch in the append to %s-%d can not be compressed anew: %s",
                      l->topic, l->partition, err_text(rc));
    buf_release(&out);
}
