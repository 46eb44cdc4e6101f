/* Offsets by time (ListOffsets).
 *
 * Owner: struct log, core thread.
 *
 * Happy path: the first segment whose largest timestamp reaches the one asked for -> time index ->
 *             offset index -> the batch -> the record in it.
 * Invariant:  the answer is exact: the first record with such a time, not its batch. A batch that
 *             is compressed is taken apart.
 * Failures:   E_* of the files; E_LIMIT for a batch that is larger than the topic allows when
 *             decompressed; E_CORRUPT.
 */
#include "segment.h"

struct found {
    int64_t offset, timestamp_ms;
    int32_t epoch;
};
static const struct found found_none = {-1, NO_TIMESTAMP, -1};

/* The first record at or past start_offset with at least this time. 1 when there is one. */
static int find_in_batch(struct segment *s, const struct batch *header, uint64_t position,
                         int64_t timestamp_ms, int64_t start_offset, struct found *out)
{
    struct buf bytes, scratch;
    struct record_iter it;
    struct record r;
    struct batch b;
    int rc;

    buf_init(&bytes);
    buf_init(&scratch);
    rc = segment_read_batch(s, position, header->total_bytes, &bytes, &b);
    if (rc == 0)
        rc = record_iter_init(&it, bytes.p, &b,
                              (size_t)s->log->config.max_decompressed_message_bytes, &scratch);
    if (rc == E_CORRUPT && rot_find(s, position, header->base_offset) == 0)
        rc = E_ROT;
    while (rc == 0) {
        rc = record_iter_next(&it, &r);
        if (rc <= 0)
            break;
        rc = r.timestamp_ms >= timestamp_ms && r.offset >= start_offset;
        if (rc)
            *out = (struct found){r.offset, r.timestamp_ms, b.leader_epoch};
    }
    buf_release(&bytes);
    buf_release(&scratch);
    return rc;
}

/* Behind the last batch up to which all timestamps are known to be smaller. */
static int skip_by_index(struct segment *s, int64_t timestamp_ms, uint64_t *position)
{
    struct index_reader r;
    struct time_entry e;
    struct batch b;
    uint32_t n = 0;
    bool found;
    int rc = segment_need_indexes(s);

    *position = 0;
    if (rc == 0)
        rc = index_open(&r, &s->times, s);
    if (rc < 0)
        return rc;
    rc = index_count_below_time(&r, timestamp_ms, &n);
    if (rc == 0 && n > 0)
        rc = index_get_time(&r, n - 1, &e);
    index_close(&r);
    if (rc < 0 || n == 0)
        return rc;
    return segment_locate(s, e.offset + 1, &b, position, &found);
}

static int find_in_segment(struct segment *s, int64_t timestamp_ms, struct found *out)
{
    struct batch b;
    struct walk w;
    uint64_t position;
    int rc = skip_by_index(s, timestamp_ms, &position);

    if (rc == 0)
        rc = walk_init(&w, s, position, s->size_bytes);
    while (rc >= 0 && (rc = walk_next(&w, &b, &position)) > 0) {
        if (w.hopped) /* it may be what is looked for */
            return E_ROT;
        if (b.max_timestamp_ms < timestamp_ms || batch_last_offset(&b) < s->log->start_offset)
            continue;
        rc = find_in_batch(s, &b, position, timestamp_ms, s->log->start_offset, out);
        if (rc != 0)
            return rc;
    }
    return rc == 0 && w.hopped ? E_ROT : rc;
}

static int64_t bound_of(const struct log *l, enum isolation isolation)
{
    return isolation == READ_COMMITTED ? l->stable_offset : l->high_watermark;
}

int log_offset_for_time(struct log *l, int64_t timestamp_ms, enum isolation isolation,
                        int64_t *offset, int64_t *found_timestamp_ms, int32_t *epoch)
{
    int64_t max_ms, max_offset;
    struct found found = found_none;
    int rc = 0;

    ASSERT_CORE();
    ASSERT(timestamp_ms >= 0);
    for (int i = MAX(0, log_segment_floor(l, l->start_offset)); rc == 0 && i < l->n_segments; i++) {
        rc = segment_max_timestamp(l->segments[i], &max_ms, &max_offset);
        if (rc == 0 && max_ms >= timestamp_ms)
            rc = find_in_segment(l->segments[i], timestamp_ms, &found);
    }
    if (rc <= 0 || found.offset >= bound_of(l, isolation))
        found = found_none;
    *offset = found.offset;
    *found_timestamp_ms = found.timestamp_ms;
    *epoch = found.epoch;
    return MIN(rc, 0);
}

int log_offset_of_max_timestamp(struct log *l, enum isolation isolation, int64_t *offset,
                                int64_t *timestamp_ms, int32_t *epoch)
{
    struct segment *best = NULL;
    int64_t best_ms = NO_TIMESTAMP, best_offset = -1, ms, last_offset;
    struct found found = found_none;
    uint64_t position;
    struct batch b;
    bool here = false;
    int rc = 0;

    ASSERT_CORE();
    for (int i = 0; rc == 0 && i < l->n_segments; i++) {
        rc = segment_max_timestamp(l->segments[i], &ms, &last_offset);
        if (rc < 0 || ms <= best_ms)
            continue;
        best = l->segments[i];
        best_ms = ms;
        best_offset = last_offset;
    }
    if (rc == 0 && best)
        rc = segment_locate(best, best_offset, &b, &position, &here);
    if (rc == 0 && here)
        rc = find_in_batch(best, &b, position, best_ms, 0, &found);
    if (rc <= 0 || found.offset >= bound_of(l, isolation))
        found = found_none;
    *offset = found.offset;
    *timestamp_ms = found.timestamp_ms;
    *epoch = found.epoch;
    return MIN(rc, 0);
}
