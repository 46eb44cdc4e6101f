/* The indexes of a segment (DumpLogSegments.dumpIndex, dumpTimeIndex, dumpTxnIndex): each entry, and
 * whether the segment says the same.
 *
 * Owner: struct dump.
 *
 * Happy path: entries up to the end, or to the first that is zero: what follows was preallocated.
 * Failures:   a segment that is not there or can not be read is a line in err, as is an index that
 *             fails the sanity check.
 */
#include "dump.h"

/* "dir/NNN.index" -> "dir/NNN<suffix>"; the caller frees. */
static char *sibling(const struct dump *d, const char *suffix)
{
    const char *dot = strchr(d->name, '.');

    return xasprintf("%.*s%s", (int)(dot - d->path), d->path, suffix);
}

static int open_segment(struct dump *d, struct scan *s)
{
    char *path = sibling(d, ".log");
    int rc = scan_open(s, d->vfs, path);

    if (rc < 0)
        dump_fail(d, path, rc);
    free(path);
    return rc;
}

static struct bytes header_at(struct scan *s, uint64_t position, struct batch *b)
{
    const uint8_t *p = NULL;
    uint64_t at;

    s->position = MIN(position, s->end);
    return scan_next(s, b, &p, &at) > 0 ? (struct bytes){p, b->total_bytes} : (struct bytes){0};
}

/* What OffsetIndex.sanityCheck and TimeIndex.sanityCheck look at. */
static void sanity(struct dump *d, struct entries *x, int64_t base, bool times)
{
    const uint8_t *last, *first;
    int64_t last_offset;

    if (x->file_bytes % x->each != 0) {
        fprintf(
            d->err,
            "Index file %s is corrupt, found %llu bytes which is neither positive nor a multiple "
            "of %zu.\n",
            d->path, (unsigned long long)x->file_bytes, x->each);
        d->rc = d->rc ? d->rc : E_CORRUPT;
        return;
    }
    if (x->n > 0 && entries_get(x, x->n - 1, &last) == 0) {
        int64_t timestamp = times ? (int64_t)get_be64(last) : 0;

        last_offset = base + (int32_t)get_be32(last + (times ? 8 : 0));
        if (times && entries_get(x, 0, &first) == 0 && timestamp < (int64_t)get_be64(first)) {
            fprintf(d->err,
                    "Corrupt time index found, time index file (%s): the last timestamp is "
                    "%lld, less than the first one %lld\n",
                    d->path, (long long)timestamp, (long long)get_be64(first));
            d->rc = d->rc ? d->rc : E_CORRUPT;
            return;
        }
        if (last_offset < base) {
            fprintf(d->err,
                    "Corrupt index found, index file (%s) has non-zero size but the last offset is "
                    "%lld which is less than the base offset %lld\n",
                    d->path, (long long)last_offset, (long long)base);
            d->rc = d->rc ? d->rc : E_CORRUPT;
            return;
        }
    }
    fprintf(d->out, "%s passed sanity check.\n", d->path);
}

static int print_offset_entry(struct dump *d, struct scan *s, int64_t offset, uint32_t position)
{
    struct batch b;
    struct bytes batch = header_at(s, position, &b);

    if (!batch.p || (int64_t)batch.n > d->options->max_message_bytes) {
        fprintf(d->err, "%s: no batch at position %u, where offset %lld is said to be\n", d->path,
                position, (long long)offset);
        d->rc = d->rc ? d->rc : E_CORRUPT;
    } else if (batch_last_offset(&b) != offset) {
        dump_note(d, NOTE_INDEX_MISMATCH, offset, batch_last_offset(&b));
    }
    if (!d->options->verify_only)
        fprintf(d->out, "offset: %lld position: %u\n", (long long)offset, position);
    return 0;
}

static int print_offset_entries(struct dump *d, struct entries *x, int64_t base)
{
    const uint8_t *e;
    struct scan s;
    int rc = open_segment(d, &s);

    for (uint32_t i = 0; rc == 0 && i < x->n; i++) {
        rc = entries_get(x, i, &e);
        if (rc < 0) {
            dump_fail(d, d->path, rc);
            break;
        }
        if (get_be32(e) == 0 && (i > 0 || s.end == 0))
            break;
        rc = print_offset_entry(d, &s, base + (int32_t)get_be32(e), get_be32(e + 4));
    }
    scan_close(&s);
    return rc;
}

void dump_offset_index(struct dump *d)
{
    int64_t base = MAX(offset_in_name(d->name), 0);
    struct entries x;
    int rc = entries_open(&x, d->vfs, d->path, OFFSET_ENTRY_BYTES);

    if (rc < 0)
        dump_fail(d, d->path, rc);
    else if (x.n == 0)
        fprintf(d->out, "%s is empty.\n", d->path);
    else if (d->options->sanity_only)
        sanity(d, &x, base, false);
    else
        (void)print_offset_entries(d, &x, base);
    entries_close(&x);
}

/* ---- times ---------------------------------------------------------------------------------- */

/* The position of the greatest offset entry at or below `offset`; 0 without one. */
static uint32_t position_below(struct entries *x, int64_t base, int64_t offset)
{
    uint32_t low = 0, high = x->n, position = 0;
    const uint8_t *e;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (entries_get(x, middle, &e) < 0)
            return 0;
        if (base + (int32_t)get_be32(e) <= offset) {
            position = get_be32(e + 4);
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return position;
}

static int64_t max_timestamp(struct dump *d, const struct batch *b, const uint8_t *p)
{
    int64_t max = NO_TIMESTAMP;
    struct record_iter it;
    struct record r;

    if (record_iter_init(&it, p, b, 1u << 30, &d->scratch) < 0)
        return max;
    while (record_iter_next(&it, &r) > 0)
        max = MAX(max, r.timestamp_ms);
    return max;
}

struct times {
    struct entries x, offsets;
    struct scan s;
    int64_t base, previous;
};

static void compare_time(struct dump *d, struct times *t, int64_t timestamp, int64_t offset)
{
    const uint8_t *p = NULL;
    struct batch b = {0};
    uint64_t at;
    bool found = false;

    t->s.position = MIN(position_below(&t->offsets, t->base, offset), t->s.end);
    while (!found && scan_next(&t->s, &b, &p, &at) > 0)
        found = batch_last_offset(&b) >= offset;
    if (!found || batch_last_offset(&b) != offset) {
        dump_note(d, NOTE_TIME_NOT_FOUND, offset, found ? batch_last_offset(&b) : -1);
        return;
    }
    if (max_timestamp(d, &b, p) != timestamp)
        dump_note(d, NOTE_TIME_MISMATCH, timestamp, max_timestamp(d, &b, p));
    if (t->previous >= timestamp)
        dump_note(d, NOTE_TIME_ORDER, timestamp, t->previous);
}

static void print_times(struct dump *d, struct times *t)
{
    const uint8_t *e;

    t->previous = NO_TIMESTAMP;
    for (uint32_t i = 0; i < t->x.n; i++) {
        int rc = entries_get(&t->x, i, &e);
        int64_t timestamp, offset;

        if (rc < 0) {
            dump_fail(d, d->path, rc);
            return;
        }
        timestamp = (int64_t)get_be64(e);
        offset = t->base + (int32_t)get_be32(e + 8);
        if (offset == t->base && i > 0)
            return;
        compare_time(d, t, timestamp, offset);
        if (!d->options->verify_only)
            fprintf(d->out, "timestamp: %lld offset: %lld\n", (long long)timestamp,
                    (long long)offset);
        t->previous = timestamp;
    }
}

void dump_time_index(struct dump *d)
{
    struct times t = {.base = MAX(offset_in_name(d->name), 0)};
    char *index_path = sibling(d, ".index");
    int rc = entries_open(&t.x, d->vfs, d->path, TIME_ENTRY_BYTES);

    if (rc < 0)
        dump_fail(d, d->path, rc);
    if (rc == 0 && d->options->sanity_only) {
        sanity(d, &t.x, t.base, true);
    } else if (rc == 0) {
        /* without an index the search begins at the segment's begin */
        (void)entries_open(&t.offsets, d->vfs, index_path, OFFSET_ENTRY_BYTES);
        if (open_segment(d, &t.s) == 0)
            print_times(d, &t);
        scan_close(&t.s);
        entries_close(&t.offsets);
    }
    entries_close(&t.x);
    free(index_path);
}

/* ---- aborted transactions ------------------------------------------------------------------- */

void dump_txn_index(struct dump *d)
{
    struct entries x;
    const uint8_t *e;
    int rc = entries_open(&x, d->vfs, d->path, TXN_ENTRY_BYTES);

    for (uint32_t i = 0; rc == 0 && i < x.n; i++) {
        rc = entries_get(&x, i, &e);
        if (rc == 0)
            fprintf(d->out,
                    "version: %d producerId: %lld firstOffset: %lld lastOffset: %lld "
                    "lastStableOffset: %lld\n",
                    (int16_t)get_be16(e), (long long)get_be64(e + 2), (long long)get_be64(e + 10),
                    (long long)get_be64(e + 18), (long long)get_be64(e + 26));
    }
    if (rc < 0)
        dump_fail(d, d->path, rc);
    entries_close(&x);
}
