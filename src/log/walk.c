/* Walking the batches of a segment by their headers, and what is found that way: places, the end,
 * indexes anew.
 *
 * Owner: the segment, core thread.
 *
 * Happy path: index entry -> walk from there -> the batch. The walk reads a header at a time where
 *             batches are large, and runs of them where they are small.
 * Invariant:  an index is only a hint: what it leads to must be a batch that begins at or before
 *             what is looked for.
 * Failures:   an index that leads astray is rebuilt once (mark: index_rebuilt). E_CORRUPT when the
 *             headers themselves do not lead from one to the next.
 */
#include "segment.h"

#define SMALL_BATCH_BYTES 2048

int walk_init(struct walk *w, struct segment *s, uint64_t position, uint64_t end)
{
    ASSERT(end <= s->size_bytes);
    ASSERT(position <= end);
    w->s = s;
    w->position = position;
    w->end = end;
    w->buffer_at = 0;
    w->buffer_n = 0;
    w->last_bytes = UINT32_MAX;
    w->hopped = false;
    return segment_file(s, &w->file);
}

static int fill(struct walk *w)
{
    size_t want = w->last_bytes <= SMALL_BATCH_BYTES ? WALK_BUFFER_BYTES : BATCH_HEADER_BYTES;

    want = MIN(want, w->end - w->position);
    w->buffer_at = w->position;
    w->buffer_n = 0;
    if (want < BATCH_HEADER_BYTES)
        return E_CORRUPT;
    w->buffer_n = want;
    return file_pread_full(w->file, w->buffer, want, w->position);
}

/* The CRC does not cover the base offset, so this may be anything. */
static bool offsets_fit(const struct segment *s, const struct batch *b)
{
    return b->base_offset >= s->base_offset &&
           b->base_offset - s->base_offset <= INT32_MAX - (int64_t)b->last_offset_delta;
}

int walk_next(struct walk *w, struct batch *out, uint64_t *position)
{
    const struct log_rot *rot;
    int rc;

    ASSERT(w->position <= w->end);
    rot = w->s->n_rot > 0 ? rot_from(w->s, w->position) : NULL;
    w->hopped = rot && rot->position <= w->position;
    if (w->hopped)
        w->position = MIN(rot->until, w->end);
    if (w->position == w->end)
        return 0;
    if (w->position < w->buffer_at ||
        w->position + BATCH_HEADER_BYTES > w->buffer_at + w->buffer_n) {
        rc = fill(w);
        if (rc < 0)
            return rc;
    }
    if (batch_decode(w->buffer + (w->position - w->buffer_at), out) < 0)
        return E_CORRUPT;
    if (out->total_bytes > w->end - w->position || !offsets_fit(w->s, out))
        return E_CORRUPT;
    *position = w->position;
    w->position += out->total_bytes;
    w->last_bytes = out->total_bytes;
    return 1;
}

int segment_locate_from(struct segment *s, int64_t offset, uint64_t from, uint64_t end,
                        int max_steps, struct batch *b, uint64_t *position, bool *found)
{
    struct walk w;
    int rc = walk_init(&w, s, from, end);

    *found = false;
    while (rc >= 0 && max_steps-- > 0) {
        rc = walk_next(&w, b, position);
        if (rc <= 0)
            break;
        if (batch_last_offset(b) >= offset) {
            *found = true;
            return w.hopped && b->base_offset > offset ? E_ROT : 0;
        }
    }
    if (rc < 0)
        return rc;
    *position = w.position;
    if (rc == 0 && w.hopped)
        return E_ROT;
    return rc == 0 ? 0 : E_AGAIN;
}

/* ---- loading and rebuilding ----------------------------------------------------------------- */

/* The last entries of both indexes, and what they say. */
static int last_entries(struct segment *s, struct offset_entry *last)
{
    uint32_t n_offsets = index_count(&s->offsets), n_times = index_count(&s->times);
    struct time_entry t = {NO_TIMESTAMP, -1};
    struct index_reader r;
    int rc = 0;

    *last = (struct offset_entry){-1, 0};
    if (n_offsets > 0) {
        rc = index_open(&r, &s->offsets, s);
        if (rc == 0)
            rc = index_get_offset(&r, n_offsets - 1, last);
        index_close(&r);
    }
    if (rc == 0 && n_times > 0) {
        rc = index_open(&r, &s->times, s);
        if (rc == 0)
            rc = index_get_time(&r, n_times - 1, &t);
        index_close(&r);
    }
    s->indexed_timestamp_ms = t.timestamp_ms;
    s->max_timestamp_ms = t.timestamp_ms;
    s->max_timestamp_offset = t.offset;
    return rc;
}

/* From the last indexed batch to the end, which must be the file's. */
static int walk_tail(struct segment *s, struct offset_entry last, int64_t *end_offset)
{
    bool first = last.offset >= 0;
    struct walk w;
    struct batch b;
    uint64_t position;
    int rc;

    if (last.position > s->size_bytes)
        return E_CORRUPT;
    *end_offset = s->base_offset;
    s->bytes_since_index = (uint32_t)(s->size_bytes - last.position);
    rc = walk_init(&w, s, last.position, s->size_bytes);
    while (rc >= 0 && (rc = walk_next(&w, &b, &position)) > 0) {
        if (first &&
            (b.base_offset > last.offset || batch_last_offset(&b) > last.offset + INT32_MAX))
            return E_CORRUPT;
        first = false;
        if (b.base_offset<*end_offset && * end_offset> s->base_offset)
            return E_CORRUPT;
        if (last.offset < 0 && (int64_t)position > s->log->config.index_interval_bytes)
            return E_CORRUPT; /* an index that was being made anew (remake.c), or one that found no space */
        *end_offset = batch_last_offset(&b) + 1;
        if (b.max_timestamp_ms > s->max_timestamp_ms) {
            s->max_timestamp_ms = b.max_timestamp_ms;
            s->max_timestamp_offset = batch_last_offset(&b);
        }
    }
    return first && rc == 0 ? E_CORRUPT : rc; /* an entry, but no batch */
}

static int load_trusting(struct segment *s, int64_t *end_offset)
{
    struct offset_entry last;
    int rc = index_load(&s->offsets, s);

    if (rc == 0)
        rc = index_load(&s->times, s);
    /* What one says of the tail, the other does not say of what is before it: no offset entry is made before the first time entry. */
    if (rc == 0 && (s->offsets.missing != s->times.missing || (index_count(&s->offsets) > 0 && index_count(&s->times) == 0)))
        rc = E_CORRUPT;
    if (rc == 0)
        rc = last_entries(s, &last);
    return rc < 0 ? rc : walk_tail(s, last, end_offset);
}

static void count_none(struct segment *s)
{
    s->bytes_since_index = 0;
    s->indexed_timestamp_ms = NO_TIMESTAMP;
    s->max_timestamp_ms = NO_TIMESTAMP;
    s->max_timestamp_offset = -1;
    s->first_known = false;
}

/* Over damage that is found here, too. */
static int next_or_rot(struct walk *w, struct batch *b, uint64_t *position, int64_t expected)
{
    int rc = walk_next(w, b, position);

    if (rc == E_CORRUPT && w->s->log->bears_rot) {
        rc = rot_find(w->s, w->position, expected);
        if (rc == 0)
            rc = walk_next(w, b, position);
    }
    return rc;
}

static int rebuild(struct segment *s, int64_t *end_offset)
{
    struct walk w;
    struct batch b;
    uint64_t position;
    int rc;

    MARK(index_rebuilt);
    count_none(s);
    *end_offset = s->base_offset;
    rc = index_truncate(&s->offsets, s, 0);
    if (rc == 0)
        rc = index_truncate(&s->times, s, 0);
    if (rc < 0)
        return rc;
    remake_begin(s);
    s->indexes_loaded = true;
    rc = walk_init(&w, s, 0, s->size_bytes);
    while (rc >= 0 && (rc = next_or_rot(&w, &b, &position, *end_offset)) > 0) {
        if (b.base_offset < *end_offset)
            rc = E_CORRUPT;
        if (rc < 0)
            break;
        segment_index_batch(s, &b, position);
        *end_offset = batch_last_offset(&b) + 1;
    }
    if (rc == 0 && w.hopped) /* nothing stands behind the last damage */
        *end_offset = MAX(*end_offset, s->rot[s->n_rot - 1].offset_next);
    s->indexes_loaded = rc == 0;
    if (rc < 0) {
        remake_cancel(s);
        index_release(&s->offsets);
        index_release(&s->times);
        return rc;
    }
    remake_made(s);
    return s->sealed ? segment_finish(s) : 0;
}

int segment_rebuild_indexes(struct segment *s)
{
    int64_t end_offset;

    return rebuild(s, &end_offset);
}

int segment_load(struct segment *s, int64_t *end_offset)
{
    int rc = load_trusting(s, end_offset);

    if (rc == E_CORRUPT || rc == E_EOF) {
        index_release(&s->offsets);
        index_release(&s->times);
        rc = rebuild(s, end_offset);
        if (rc == 0)
            diag_warn("%s-%d: the indexes of segment %lld did not fit it and were rebuilt",
                      s->log->topic, s->log->partition, (long long)s->base_offset);
    }
    s->indexes_loaded = rc == 0;
    return rc;
}

int segment_need_indexes(struct segment *s)
{
    int64_t end_offset;

    return s->indexes_loaded ? 0 : segment_load(s, &end_offset);
}

int segment_max_timestamp(struct segment *s, int64_t *timestamp_ms, int64_t *offset)
{
    int rc = segment_need_indexes(s);

    if (rc < 0)
        return rc;
    *timestamp_ms = s->max_timestamp_ms;
    *offset = s->max_timestamp_offset;
    return 0;
}

int segment_first_timestamp(struct segment *s, int64_t *timestamp_ms)
{
    struct walk w;
    struct batch b;
    uint64_t position;
    int rc = 0;

    if (!s->first_known && s->size_bytes > 0) {
        rc = walk_init(&w, s, 0, s->size_bytes);
        if (rc == 0)
            rc = walk_next(&w, &b, &position);
        if (rc < 0 && rc != E_CORRUPT)
            return rc;
        /* Damage at the begin of a segment stops no append. */
        s->first_timestamp_ms = rc > 0 ? b.max_timestamp_ms : NO_TIMESTAMP;
        s->first_known = true;
    }
    *timestamp_ms = s->size_bytes > 0 ? s->first_timestamp_ms : NO_TIMESTAMP;
    return 0;
}

/* ---- finding -------------------------------------------------------------------------------- */

static int floor_entry(struct segment *s, int64_t offset, struct offset_entry *out)
{
    struct index_reader r;
    uint32_t n;
    int rc = index_open(&r, &s->offsets, s);

    *out = (struct offset_entry){-1, 0};
    if (rc == 0)
        rc = index_count_below_offset(&r, offset < INT64_MAX ? offset + 1 : offset, &n);
    if (rc == 0 && n > 0)
        rc = index_get_offset(&r, n - 1, out);
    index_close(&r);
    return rc;
}

/* By the index, which may lie: E_CORRUPT then. */
static int locate_by_index(struct segment *s, int64_t offset, struct batch *b, uint64_t *position,
                           bool *found)
{
    struct offset_entry e;
    struct walk w;
    int rc = floor_entry(s, offset, &e);

    if (rc < 0)
        return rc;
    if (e.position >= s->size_bytes && e.offset >= 0)
        return E_CORRUPT;
    rc = walk_init(&w, s, e.position, s->size_bytes);
    if (rc == 0 && e.offset >= 0) {
        rc = walk_next(&w, b, position);
        if (rc > 0 && b->base_offset > e.offset && !w.hopped)
            rc = E_CORRUPT;
    }
    return rc < 0 ? rc
                  : segment_locate_from(s, offset, e.position, s->size_bytes, INT32_MAX, b,
                                        position, found);
}

int segment_locate(struct segment *s, int64_t offset, struct batch *b, uint64_t *position,
                   bool *found)
{
    int rc = segment_need_indexes(s);

    if (rc == 0)
        rc = locate_by_index(s, offset, b, position, found);
    if (rc != E_CORRUPT && rc != E_EOF)
        return rc;
    rc = segment_rebuild_indexes(s);
    if (rc == 0)
        rc = locate_by_index(s, offset, b, position, found);
    return rc;
}

int log_walk(struct log *l, int64_t from, int64_t to, walk_fn *fn, void *arg)
{
    int rc = 0;

    for (int i = MAX(0, log_segment_floor(l, from)); rc >= 0 && i < l->n_segments; i++) {
        struct segment *s = l->segments[i];
        struct batch b;
        struct walk w;
        uint64_t position = 0;
        bool found = true;

        if (s->base_offset >= to)
            break;
        if (from > s->base_offset)
            rc = segment_locate(s, from, &b, &position, &found);
        if (rc == E_ROT)
            rc = 0; /* from behind it */
        if (rc < 0 || !found)
            continue;
        rc = walk_init(&w, s, position, s->size_bytes);
        while (rc >= 0 && (rc = walk_next(&w, &b, &position)) > 0) {
            if (b.base_offset >= to)
                return 0;
            rc = fn(arg, s, &b, position);
            if (rc != 0 || batch_last_offset(&b) + 1 >= to)
                return rc;
        }
    }
    return MIN(rc, 0);
}

int segment_read_batch(struct segment *s, uint64_t position, uint32_t n_bytes, struct buf *buf,
                       struct batch *b)
{
    struct file *f;
    int rc = segment_file(s, &f);

    ASSERT(position + n_bytes <= s->size_bytes);
    if (rc < 0)
        return rc;
    buf->n = 0;
    rc = file_pread_full(f, buf_grow(buf, n_bytes), n_bytes, position);
    if (rc == 0 && batch_check(buf->p, n_bytes, b) < 0)
        rc = E_CORRUPT;
    return rc;
}
