/* Where offsets are, as far as it is remembered: so that those who go on where they stopped need no
 * index.
 *
 * Owner: struct log, core thread.
 *
 *   ends     of the last appends: a high watermark will come to be one of them
 *   bounds   the high watermark and the stable offset that reads had to find last
 *   readers  the last reads: where each began, and up to where it was given bytes
 *
 * Invariant:  appending makes no place untrue. Whatever else changes segment files calls
 *             places_forget.
 */
#include "places.h"

void places_forget(struct log *l)
{
    for (int i = 0; i < LOG_PLACES_READERS; i++)
        l->readers[i].offset = -1;
    for (int i = 0; i < LOG_PLACES_ENDS; i++)
        l->ends[i].offset = -1;
    l->bounds[READ_UNCOMMITTED].offset = -1;
    l->bounds[READ_COMMITTED].offset = -1;
}

void places_add_end(struct log *l, const struct segment *s)
{
    ASSERT(s == log_active(l));
    l->ends[l->end_next] = (struct log_place){l->end_offset, s->base_offset, s->size_bytes, 0};
    l->end_next = (uint8_t)((l->end_next + 1) % LOG_PLACES_ENDS);
}

static bool find_end(const struct log *l, int64_t offset, struct log_place *out)
{
    for (int i = 0; i < LOG_PLACES_ENDS; i++) {
        if (l->ends[i].offset == offset) {
            *out = l->ends[i];
            return true;
        }
    }
    return false;
}

static int look_up(struct log *l, int64_t offset, struct log_place *out)
{
    struct segment *s = l->segments[MAX(0, log_segment_floor(l, offset))];
    struct batch b;
    bool found;
    int rc;

    MARK(bound_by_index);
    *out = (struct log_place){.offset = offset, .segment_base = s->base_offset};
    if (offset <= s->base_offset)
        return 0;
    rc = segment_locate(s, offset, &b, &out->position, &found);
    return rc;
}

int places_of_bound(struct log *l, int64_t offset, enum isolation isolation, struct log_place *out)
{
    struct log_place *last = &l->bounds[isolation];
    const struct segment *active = log_active(l);
    int rc;

    ASSERT(offset <= l->end_offset);
    if (offset == l->end_offset) {
        *out = (struct log_place){offset, active->base_offset, active->size_bytes, 0};
        return 0;
    }
    if (last->offset == offset) {
        *out = *last;
        return 0;
    }
    rc = find_end(l, offset, out) ? 0 : look_up(l, offset, out);
    if (rc == 0)
        *last = *out;
    return rc;
}

struct log_place *places_find_reader(struct log *l, int64_t offset)
{
    struct log_place *best = NULL;

    for (int i = 0; i < LOG_PLACES_READERS; i++) {
        struct log_place *r = &l->readers[i];

        if (r->offset < 0 || r->offset > offset)
            continue;
        if (!best || r->offset > best->offset)
            best = r;
    }
    return best;
}

void places_add_reader(struct log *l, struct log_place *was, struct log_place now)
{
    struct log_place *r = was ? was : &l->readers[l->reader_next];

    ASSERT(now.until >= now.position);
    if (!was)
        l->reader_next = (uint8_t)((l->reader_next + 1) % LOG_PLACES_READERS);
    *r = now;
}
