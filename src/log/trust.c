/* Indexes after an unclean stop: they were synced before the recovery point was noted, so what they
 * hold below it counts, and the rest is cut off. (What is missing is made anew: remake.c.)
 *
 * Owner: the segment, core thread, during recovery.
 *
 * Happy path: entries that rise up to the recovery point -> the last of them leads to a whole batch,
 *             and the last time entry up to there names a batch with that timestamp -> all entries
 *             behind it go -> recovery walks on from that batch.
 *             Where there is an offset entry, the time index is whole up to it (index_entry), however
 *             long ago its last entry was made: timestamps need not rise.
 * Invariant:  after trust_indexes the segment counts exactly the batches before the returned
 *             position, in both indexes and in the largest timestamp.
 * Failures:   an index that proves nothing is emptied, and the segment walked from its begin. E_*
 *             of the files.
 */
#include "segment.h"

#define TRIES_MAX 8 /* entries that are looked at before all are given up */

/* The indexes of a segment may be torn anywhere: they are cut back to the greatest entry below
 * `offset` that proves true. */
static int entry_holds(struct segment *s, const struct offset_entry *e, struct batch *b,
                       struct buf *bytes, bool *holds)
{
    struct walk w;
    uint64_t position;
    int rc;

    *holds = false;
    if (e->position >= s->size_bytes)
        return 0;
    rc = walk_init(&w, s, e->position, s->size_bytes);
    if (rc < 0)
        return rc;
    rc = walk_next(&w, b, &position);
    if (rc > 0)
        rc = segment_read_batch(s, e->position, b->total_bytes, bytes, b);
    if (rc == E_CORRUPT || rc == E_EOF)
        return 0;
    *holds = rc == 0 && b->base_offset <= e->offset;
    return rc;
}

/* Of the first *n entries; *n: up to and with the one that was found. */
static int last_true_entry(struct segment *s, int64_t offset, struct batch *b,
                           struct offset_entry *e, uint32_t *n)
{
    struct index_reader r;
    struct buf bytes;
    bool holds = false;
    uint32_t n_below = 0;
    int rc = index_open(&r, &s->offsets, s);

    buf_init(&bytes);
    if (rc == 0)
        rc = index_count_below_offset(&r, offset, &n_below);
    *n = MIN(*n, n_below);
    for (int tries = 0; rc == 0 && *n > 0 && !holds; tries++) {
        *n = tries < TRIES_MAX ? *n : 0;
        if (*n == 0)
            break;
        rc = index_get_offset(&r, *n - 1, e);
        if (rc == 0)
            rc = entry_holds(s, e, b, &bytes, &holds);
        *n -= rc == 0 && !holds;
    }
    index_close(&r);
    buf_release(&bytes);
    return rc;
}

static int cut_times(struct segment *s, int64_t up_to)
{
    uint32_t n = index_count(&s->times);
    struct index_reader r;
    struct time_entry e;
    int rc = index_open(&r, &s->times, s);

    while (rc == 0 && n > 0) {
        rc = index_get_time(&r, n - 1, &e);
        if (rc == 0 && e.offset <= up_to)
            break;
        n--;
    }
    index_close(&r);
    if (rc == 0 && n > 0) {
        s->indexed_timestamp_ms = e.timestamp_ms;
        s->max_timestamp_ms = e.timestamp_ms;
        s->max_timestamp_offset = e.offset;
    }
    return rc < 0 ? rc : index_truncate(&s->times, s, n);
}

static void count_none(struct segment *s)
{
    s->bytes_since_index = 0;
    s->indexed_timestamp_ms = NO_TIMESTAMP;
    s->max_timestamp_ms = NO_TIMESTAMP;
    s->max_timestamp_offset = -1;
    s->first_known = false;
    s->indexes_loaded = true;
}

/* Whether an entry of the time index names a batch with that timestamp. */
static int time_holds(struct segment *s, const struct time_entry *t, bool *holds)
{
    struct offset_entry e = {-1, 0};
    struct index_reader r;
    struct batch b;
    uint64_t position;
    uint32_t n = 0;
    int rc = index_open(&r, &s->offsets, s);

    *holds = false;
    if (rc == 0)
        rc = index_count_below_offset(&r, t->offset + 1, &n);
    if (rc == 0 && n > 0)
        rc = index_get_offset(&r, n - 1, &e);
    index_close(&r);
    if (rc == 0)
        rc = segment_locate_from(s, t->offset, e.position, s->size_bytes, INT32_MAX, &b, &position,
                                 holds);
    *holds =
        rc == 0 && *holds && b.base_offset <= t->offset && b.max_timestamp_ms == t->timestamp_ms;
    return rc == E_CORRUPT || rc == E_EOF ? 0 : rc;
}

/* Cuts both indexes back to a batch that is there, below `offset`. 1: to b, at e->position; 0: nothing
 * proves true. */
static int cut_to_true(struct segment *s, int64_t offset, struct batch *b, struct offset_entry *e)
{
    uint32_t n, n_times;
    bool holds;
    int rc = index_count_sound(&s->offsets, s, offset, &n);

    if (rc == 0)
        rc = index_count_sound(&s->times, s, offset, &n_times);
    if (rc == 0)
        rc = last_true_entry(s, offset, b, e, &n);
    if (rc < 0 || n == 0 || n_times == 0)
        return rc;
    rc = index_truncate(&s->offsets, s, n);
    if (rc == 0)
        rc = index_truncate(&s->times, s, n_times);
    if (rc == 0)
        rc = cut_times(s, batch_last_offset(b));
    if (rc < 0 || index_count(&s->times) == 0)
        return rc;
    rc = time_holds(s, &(struct time_entry){s->max_timestamp_ms, s->max_timestamp_offset}, &holds);
    return rc < 0 ? rc : holds;
}

static int prove_nothing(struct segment *s, uint64_t *position, int64_t *expected)
{
    int rc = index_truncate(&s->offsets, s, 0);

    if (rc == 0)
        rc = index_truncate(&s->times, s, 0);
    count_none(s);
    *position = 0;
    *expected = s->base_offset;
    return rc;
}

/* Indexes with what holds below `offset`; *position: from where headers have to be walked. */
int trust_indexes(struct segment *s, int64_t offset, uint64_t *position, int64_t *expected)
{
    struct offset_entry e = {-1, 0};
    struct batch b;
    int rc;

    index_release(&s->offsets);
    index_release(&s->times);
    rc = index_forget_cache(&s->offsets, s);
    if (rc == 0)
        rc = index_forget_cache(&s->times, s);
    if (rc == 0)
        rc = index_load(&s->offsets, s);
    if (rc == 0)
        rc = index_load(&s->times, s);
    count_none(s);
    if (rc == 0 && offset > s->base_offset)
        rc = cut_to_true(s, offset, &b, &e);
    if (rc < 0 && rc != E_CORRUPT && rc != E_EOF)
        return rc;
    if (rc <= 0)
        return prove_nothing(s, position, expected);
    if (b.max_timestamp_ms > s->max_timestamp_ms) {
        s->max_timestamp_ms = b.max_timestamp_ms;
        s->max_timestamp_offset = batch_last_offset(&b);
    }
    s->bytes_since_index = b.total_bytes;
    *position = e.position + b.total_bytes;
    *expected = batch_last_offset(&b) + 1;
    return 0;
}
