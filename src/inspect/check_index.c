/* The indexes of a segment against its batches, in one pass over both.
 *
 * Owner: struct index_check, while check_segment goes through the batches.
 *
 * Happy path: each offset entry is met by the batch that begins at its position and ends with its
 *             offset; each time entry by the batch that holds its offset and has the largest
 *             timestamp so far; the last one of a sealed segment has the largest of all.
 * Failures:   the first fault of an index is told; the rest of it is not looked at. Past the recovery
 *             point after an unclean stop nothing is told: there no index is whole, and a recovery
 *             builds it anew.
 */
#include "check.h"

#define SPARSE_BYTES (1u << 20) /* an index that has no entry for so long is not whole */

static void bad(struct index_check *x, bool times, const char *what, int64_t a, int64_t b)
{
    bool *flag = times ? &x->times_bad : &x->offsets_bad;
    const char *suffix = times ? "timeindex" : "index";

    if (*flag)
        return;
    *flag = true;
    if (!x->facts->index_is_sure)
        return;
    check_fault(x->c, x->p, "%020lld.%s: %s (%lld, %lld)", (long long)x->facts->base, suffix, what,
                (long long)a, (long long)b);
    x->p->bad_index_segment = MIN(x->p->bad_index_segment, x->facts->base);
}

static bool open_one(struct index_check *x, bool times)
{
    struct entries *e = times ? &x->times : &x->offsets;
    char name[64], *path;
    int rc;

    snprintf(name, sizeof(name), "%020lld.%s", (long long)x->facts->base,
             times ? "timeindex" : "index");
    path = check_path(x->c, x->p, name);
    rc = entries_open(e, x->c->vfs, path, times ? TIME_ENTRY_BYTES : OFFSET_ENTRY_BYTES);
    free(path);
    if (rc == E_NOENT)
        bad(x, times, "missing", 0, 0);
    else if (rc < 0)
        bad(x, times, err_text(rc), 0, rc);
    else if (e->file_bytes % e->each != 0)
        bad(x, times, "its size is no whole number of entries: bytes, of an entry",
            (int64_t)e->file_bytes, (int64_t)e->each);
    return rc == 0;
}

void index_check_begin(struct index_check *x, struct check *c, struct check_partition *p,
                       const struct segment_facts *facts)
{
    *x = (struct index_check){.c = c, .p = p, .facts = facts, .max_timestamp_ms = NO_TIMESTAMP};
    x->offsets_there = open_one(x, false);
    x->times_there = open_one(x, true);
}

/* Apache Kafka preallocates an active segment's indexes, and leaves those of its metadata log so: zeros end them. */
static bool is_unused(const struct index_check *x, const uint8_t *e, size_t n)
{
    static const uint8_t zeros[TIME_ENTRY_BYTES];

    ASSERT(n <= sizeof(zeros));
    return x->facts->last && memcmp(e, zeros, n) == 0;
}

static void end_at_zeros(struct index_check *x)
{
    const uint8_t *e;

    if (x->offset_next < x->offsets.n && entries_get(&x->offsets, x->offset_next, &e) == 0 &&
        is_unused(x, e, OFFSET_ENTRY_BYTES))
        x->offsets.n = x->offset_next;
    if (x->time_next < x->times.n && entries_get(&x->times, x->time_next, &e) == 0 &&
        is_unused(x, e, TIME_ENTRY_BYTES)) {
        x->times.n = x->time_next;
        x->times_open = true;
    }
}

static void offsets_of(struct index_check *x, const struct batch *b, uint64_t position)
{
    const uint8_t *e;
    int64_t offset;

    if (x->offset_next >= x->offsets.n || entries_get(&x->offsets, x->offset_next, &e) < 0)
        return;
    offset = x->facts->base + (int32_t)get_be32(e);
    if (get_be32(e + 4) > position)
        return;
    if (get_be32(e + 4) < position)
        bad(x, false, "an entry leads to no begin of a batch: offset, position", offset,
            get_be32(e + 4));
    else if (offset != batch_last_offset(b))
        bad(x, false, "an entry leads to another batch: offset, last offset of the batch", offset,
            batch_last_offset(b));
    x->offset_next++;
    x->bytes_since = 0;
}

static void times_of(struct index_check *x, const struct batch *b)
{
    const uint8_t *e;
    int64_t timestamp, offset;

    if (x->time_next >= x->times.n || entries_get(&x->times, x->time_next, &e) < 0)
        return;
    timestamp = (int64_t)get_be64(e);
    offset = x->facts->base + (int32_t)get_be32(e + 8);
    if (offset > batch_last_offset(b))
        return;
    if (offset < b->base_offset)
        bad(x, true, "an entry's offset is in no batch, or does not rise: timestamp, offset",
            timestamp, offset);
    else if (timestamp != x->max_timestamp_ms)
        bad(x, true, "an entry's timestamp is not the largest up to it: timestamp, of the log",
            timestamp, x->max_timestamp_ms);
    x->time_next++;
}

void index_check_batch(struct index_check *x, const struct batch *b, uint64_t position)
{
    x->max_timestamp_ms = MAX(x->max_timestamp_ms, b->max_timestamp_ms);
    if (x->facts->last)
        end_at_zeros(x);
    if (!x->offsets_bad && x->offsets_there)
        offsets_of(x, b, position);
    if (!x->times_bad && x->times_there)
        times_of(x, b);
    if (!x->offsets_bad && x->offsets_there &&
        x->bytes_since > SPARSE_BYTES + 16 * (uint64_t)x->facts->interval_bytes)
        bad(x, false, "no entry for long: bytes without one, position", (int64_t)x->bytes_since,
            (int64_t)position);
    x->bytes_since += b->total_bytes;
}

static int64_t last_timestamp(struct index_check *x)
{
    const uint8_t *e;

    return x->times.n > 0 && entries_get(&x->times, x->times.n - 1, &e) == 0 ? (int64_t)get_be64(e)
                                                                             : NO_TIMESTAMP;
}

void index_check_end(struct index_check *x, bool whole)
{
    end_at_zeros(x);
    if (whole && x->offsets_there && !x->offsets_bad && x->offset_next < x->offsets.n)
        bad(x, false, "entries lead past the end of the segment: good ones, all", x->offset_next,
            x->offsets.n);
    if (whole && x->times_there && !x->times_bad && x->time_next < x->times.n)
        bad(x, true, "entries lead past the end of the segment: good ones, all", x->time_next,
            x->times.n);
    /* Of the active one the end may be open after a kill. */
    if (whole && x->times_there && !x->times_bad && !x->times_open &&
        (!x->facts->last || x->c->clean) && last_timestamp(x) != x->max_timestamp_ms)
        bad(x, true, "the last entry is not the largest timestamp: timestamp, of the log",
            last_timestamp(x), x->max_timestamp_ms);
    entries_close(&x->offsets);
    entries_close(&x->times);
}
