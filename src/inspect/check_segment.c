/* The batches of a segment: framing, checksums, offsets that follow one another, and, where that is
 * asked for, their records.
 *
 * Owner: struct check.
 *
 * Happy path: batch after batch, the indexes along with them.
 * Failures:   the first bad batch ends the segment: behind it nothing is sure. What a recovery makes
 *             of it is recovery's own to say.
 */
#include "check.h"

#define RECORDS_BYTES_MAX (1u << 30)
#define PROGRESS_BYTES    (256u << 20)

struct segment_check {
    struct check *c;
    struct check_partition *p;
    const struct segment_facts *facts;
    int64_t expected;
    bool bad;
};

static void bad_batch(struct segment_check *s, uint64_t position, const char *what, int64_t a,
                      int64_t b)
{
    s->bad = true;
    check_fault(s->c, s->p, "%020lld.log: position %llu, offset %lld: %s (%lld, %lld)",
                (long long)s->facts->base, (unsigned long long)position, (long long)s->expected,
                what, (long long)a, (long long)b);
    if (s->facts->base < s->p->bad_batch_segment) {
        s->p->bad_batch_segment = s->facts->base;
        s->p->bad_offset = s->expected;
    }
}

/* Why the bytes at the scan's position can be no batch of this file. */
static void no_batch(struct segment_check *s, struct scan *scan)
{
    uint64_t left = scan->end - scan->position;
    uint8_t head[BATCH_HEADER_BYTES] = {0};
    int32_t length;

    if (left < BATCH_HEADER_BYTES) {
        bad_batch(s, scan->position,
                  "a torn tail, shorter than a batch's header: bytes, of a header", (int64_t)left,
                  BATCH_HEADER_BYTES);
        return;
    }
    (void)file_pread_full(scan->file, head, sizeof(head), scan->position);
    length = (int32_t)get_be32(head + BATCH_LENGTH_AT);
    if (head[BATCH_MAGIC_AT] != BATCH_MAGIC)
        bad_batch(s, scan->position, "no batch: magic, bytes to the end of the file",
                  head[BATCH_MAGIC_AT], (int64_t)left);
    else if (length < BATCH_HEADER_BYTES - BATCH_PREFIX_BYTES)
        bad_batch(s, scan->position,
                  "a batch's length is less than a header's: length, bytes to the "
                  "end of the file",
                  length, (int64_t)left);
    else
        bad_batch(
            s, scan->position,
            "a batch reaches past the end of the file: its bytes, bytes to the end of the file",
            (int64_t)length + BATCH_PREFIX_BYTES, (int64_t)left);
}

static void check_records(struct segment_check *s, const struct batch *b, const uint8_t *p,
                          uint64_t position)
{
    struct record_iter it;
    struct record r;
    int rc = record_iter_init(&it, p, b, RECORDS_BYTES_MAX, &s->c->scratch);
    int64_t previous = -1;

    while (rc == 0 && (rc = record_iter_next(&it, &r)) > 0) {
        rc = r.offset > previous ? 0 : E_CORRUPT;
        previous = r.offset;
    }
    if (rc < 0) /* a client's own fault, behind a right checksum: nothing is cut for it */
        check_fault(s->c, s->p,
                    "%020lld.log: position %llu, offset %lld: the records can not be "
                    "read: %s",
                    (long long)s->facts->base, (unsigned long long)position,
                    (long long)b->base_offset, err_text(rc));
}

static void check_batch(struct segment_check *s, const struct batch *b, const uint8_t *p,
                        uint64_t position)
{
    struct batch checked;
    int rc = batch_check(p, b->total_bytes, &checked);

    if (rc == E_CORRUPT)
        bad_batch(s, position, "wrong checksum: in the header, offset in the header", b->crc,
                  b->base_offset);
    else if (rc < 0)
        bad_batch(s, position, "counts contradict one another: records, last offset delta",
                  b->record_count, b->last_offset_delta);
    else if (b->base_offset < s->expected ||
             b->base_offset - s->facts->base > INT32_MAX - (int64_t)b->last_offset_delta)
        bad_batch(s, position, "the offset does not follow: in the header, expected",
                  b->base_offset, s->expected);
    else if (b->base_offset > s->expected && !s->p->compacted)
        bad_batch(s, position, "a gap in the offsets: in the header, expected", b->base_offset,
                  s->expected);
    else if (s->c->records)
        check_records(s, b, p, position);
}

static void show_progress(const struct check *c, uint64_t before, uint64_t now)
{
    if (c->progress && before / PROGRESS_BYTES != now / PROGRESS_BYTES)
        fprintf(c->progress, "\r%llu GB ", (unsigned long long)(now >> 30));
}

/* Where the segment must begin, from what is before it. */
static void check_begin(struct segment_check *s)
{
    if (s->expected >= 0 && s->facts->base < s->expected)
        bad_batch(s, 0, "the segment begins before the end of the one before it: begin, end",
                  s->facts->base, s->expected);
    else if (s->expected >= 0 && s->facts->base > s->expected && !s->p->compacted)
        bad_batch(s, 0, "a gap before this segment: begin, end of the one before it",
                  s->facts->base, s->expected);
    else
        s->expected = s->facts->base;
}

bool check_segment(struct check *c, struct check_partition *p, const struct segment_facts *facts,
                   int64_t *expected)
{
    struct segment_check s = {.c = c, .p = p, .facts = facts, .expected = *expected};
    char name[64], *path;
    struct index_check index;
    const uint8_t *bytes;
    struct scan scan;
    struct batch b;
    uint64_t position;
    int rc;

    snprintf(name, sizeof(name), "%020lld.log", (long long)facts->base);
    path = check_path(c, p, name);
    rc = scan_open(&scan, c->vfs, path);
    check_begin(&s);
    if (rc == 0 && !s.bad) {
        index_check_begin(&index, c, p, facts);
        while (!s.bad && (rc = scan_next(&scan, &b, &bytes, &position)) > 0) {
            check_batch(&s, &b, bytes, position);
            if (s.bad)
                break;
            index_check_batch(&index, &b, position);
            s.expected = batch_last_offset(&b) + 1;
            show_progress(c, c->n_bytes + position, c->n_bytes + scan.position);
        }
        if (rc == E_CORRUPT)
            no_batch(&s, &scan);
        index_check_end(&index, !s.bad);
    }
    if (rc < 0 && rc != E_CORRUPT) {
        s.bad = true;
        check_fault(c, p, "%s: %s", name, err_text(rc));
    }
    c->n_segments++;
    c->n_bytes += scan.end;
    scan_close(&scan);
    free(path);
    *expected = s.expected;
    return !s.bad;
}
