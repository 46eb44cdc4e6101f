/* Reading: from an offset to a range of a segment file.
 *
 * Owner: struct log, core thread. The bytes are read by whoever sends them.
 *
 * Happy path: where the reader stopped last time -> a few headers on -> the range up to the bound.
 *             No index is touched. Anybody else: index -> a short walk -> the same.
 * Invariant:  no byte at or past the bound is given out; a range begins with a batch.
 * Failures:   an offset outside the log is the peer's error. E_* when files can not be read,
 *             E_CORRUPT when headers do not lead on.
 */
#include "places.h"

#define WALK_STEPS_MAX 256 /* from where a reader stopped; past it the index is quicker */

struct reading {
    struct log *l;
    int64_t offset;
    struct log_place bound; /* nothing from here on */
    struct log_place *was;  /* the reader's place of last time; NULL */
    struct segment *s;      /* where the first batch is: */
    uint64_t position;
    uint32_t batch_bytes; /* its size; 0: not looked at yet */
    bool found;
};

/* Up to where this segment may be given out. */
static uint64_t readable_until(const struct reading *r, const struct segment *s)
{
    return s->base_offset < r->bound.segment_base    ? s->size_bytes
           : s->base_offset == r->bound.segment_base ? r->bound.position
                                                     : 0;
}

/* From a remembered place: exactly there, or some headers on. */
static int find_from_place(struct reading *r)
{
    struct log_place *p = places_find_reader(r->l, r->offset);
    struct segment *s = p ? log_segment_at_base(r->l, p->segment_base) : NULL;
    struct batch b;
    int rc;

    if (!s || p->until > s->size_bytes)
        return 0;
    if (p->offset == r->offset && p->position < readable_until(r, s)) {
        *r = (struct reading){r->l, r->offset, r->bound, p, s, p->position, 0, true};
        return 0;
    }
    if (p->offset == r->offset || p->until == p->position)
        return 0;
    /* One batch past what it was given at most: else somebody else's reader. */
    rc = segment_locate_from(s, r->offset, p->position, s->size_bytes, WALK_STEPS_MAX, &b,
                             &r->position, &r->found);
    if (rc == E_AGAIN || rc == E_CORRUPT ||
        (rc == 0 && (!r->found || r->position > p->until))) {
        r->found = false;
        return 0;
    }
    r->was = p;
    r->s = s;
    r->batch_bytes = b.total_bytes;
    return rc;
}

static int find_by_index(struct reading *r)
{
    struct batch b;

    MARK(read_by_index);
    for (int i = MAX(0, log_segment_floor(r->l, r->offset)); i < r->l->n_segments; i++) {
        struct segment *s = r->l->segments[i];
        int rc;

        if (s->base_offset > r->bound.segment_base)
            break;
        if (s->size_bytes == 0)
            continue;
        rc = segment_locate(s, r->offset, &b, &r->position, &r->found);
        if (rc < 0)
            return rc;
        if (r->found) {
            r->s = s;
            r->batch_bytes = b.total_bytes;
            return 0;
        }
    }
    return 0;
}

static int first_batch_bytes(struct reading *r, uint32_t *out)
{
    struct walk w;
    struct batch b;
    uint64_t position;
    int rc = 0;

    if (r->batch_bytes == 0) {
        rc = walk_init(&w, r->s, r->position, r->s->size_bytes);
        if (rc == 0)
            rc = walk_next(&w, &b, &position);
        if (rc <= 0)
            return rc < 0 ? rc : E_CORRUPT;
        r->batch_bytes = b.total_bytes;
    }
    *out = r->batch_bytes;
    return 0;
}

/* Where the next read of this reader will begin, when that can be said now. */
static struct log_place next_place(const struct reading *r, uint64_t until)
{
    const struct segment *s = r->s;

    if (s->base_offset == r->bound.segment_base && until == r->bound.position)
        return (struct log_place){r->bound.offset, s->base_offset, until, until};
    if (until == s->size_bytes && s->sealed) {
        int64_t next = segment_end_offset(s);

        return (struct log_place){next, next, 0, 0};
    }
    return (struct log_place){r->offset, s->base_offset, r->position, until};
}

/* Nothing of what is known to be damaged is given out. */
static int up_to_rot(const struct reading *r, uint64_t *until)
{
    const struct log_rot *rot = rot_from(r->s, r->position);

    if (rot && rot->position <= r->position)
        return E_ROT;
    if (rot)
        *until = MIN(*until, rot->position);
    return 0;
}

static int give(struct reading *r, uint32_t max_bytes, bool at_least_one, struct log_read *out)
{
    uint64_t until = readable_until(r, r->s), n;
    uint32_t first_bytes;
    int rc;

    ASSERT(r->position <= until);
    rc = up_to_rot(r, &until);
    if (rc < 0)
        return rc;
    n = MIN(until - r->position, max_bytes);
    if (at_least_one && n < until - r->position) {
        rc = first_batch_bytes(r, &first_bytes);
        if (rc == E_CORRUPT && rot_find(r->s, r->position, r->offset) == 0)
            rc = E_ROT;
        if (rc < 0)
            return rc;
        n = MIN(MAX(n, first_bytes), until - r->position);
    }
    if (n == 0)
        return 0;
    rc = segment_file(r->s, &out->file);
    if (rc < 0)
        return rc;
    out->segment_base = r->s->base_offset;
    out->checked = rot_is_checked(r->s, r->position, r->position + n);
    out->position = r->position;
    out->n_bytes = (uint32_t)n;
    places_add_reader(r->l, r->was, next_place(r, r->position + n));
    return 0;
}

static int read_below(struct log *l, int64_t offset, int64_t bound, enum isolation isolation,
                      uint32_t max_bytes, bool at_least_one, struct log_read *out)
{
    struct reading r = {.l = l, .offset = offset};
    int rc;

    ASSERT_CORE();
    ASSERT(l->magic == LOG_MAGIC);
    *out = (struct log_read){.high_watermark = l->high_watermark,
                             .stable_offset = l->stable_offset,
                             .start_offset = l->start_offset,
                             .end_offset = l->end_offset,
                             .offset = offset};
    if (offset < l->start_offset || offset > l->end_offset) {
        out->error = KE_OFFSET_OUT_OF_RANGE;
        return 0;
    }
    if (offset >= bound)
        return 0;
    rc = places_of_bound(l, bound, isolation, &r.bound);
    if (rc == 0)
        rc = find_from_place(&r);
    if (rc == 0 && !r.found)
        rc = find_by_index(&r);
    if (rc == 0 && r.found && r.position < readable_until(&r, r.s))
        rc = give(&r, max_bytes, at_least_one, out);
    return rc;
}

int log_read(struct log *l, int64_t offset, uint32_t max_bytes, bool at_least_one,
             enum isolation isolation, struct log_read *out)
{
    int64_t bound = isolation == READ_COMMITTED ? l->stable_offset : l->high_watermark;

    return read_below(l, offset, bound, isolation, max_bytes, at_least_one, out);
}

int log_read_to_end(struct log *l, int64_t offset, uint32_t max_bytes, struct log_read *out)
{
    return read_below(l, offset, l->end_offset, READ_UNCOMMITTED, max_bytes, true, out);
}
