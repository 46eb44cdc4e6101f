/* Looking for a good batch in bytes whose headers do not lead on.
 *
 * Owner: nobody; reads the file it is given, on any thread.
 *
 * Happy path: byte by byte, until a header makes sense and the checksum of its batch is right.
 * Invariant:  what is found is whole, in the file, and its offsets fit the area.
 * Failures:   a file that can not be read holds nothing good. A search ends after SEARCH_BYTES_MAX,
 *             or so many checksums.
 */
#include "segment.h"

#define SEARCH_BYTES_MAX      (64 * 1024 * 1024)
#define SEARCH_WINDOW_BYTES   (256 * 1024)
#define SEARCH_CANDIDATES_MAX 4096 /* checksums that are computed before giving up */

struct search {
    const struct search_area *area;
    int n_candidates;
    struct buf batch;
};

static bool plausible(const struct search *q, const uint8_t *p, uint64_t position, struct batch *b)
{
    const struct search_area *a = q->area;

    return p[BATCH_MAGIC_AT] == BATCH_MAGIC && batch_decode(p, b) == 0 &&
           b->base_offset >= a->offset_min && b->base_offset - a->segment_base <= INT32_MAX &&
           batch_last_offset(b) < a->offset_end && b->total_bytes <= a->size_bytes - position;
}

static bool good_at(struct search *q, const uint8_t *p, uint64_t position, struct batch *b)
{
    if (!plausible(q, p, position, b) || q->n_candidates++ >= SEARCH_CANDIDATES_MAX)
        return false;
    q->batch.n = 0;
    return file_pread_full(q->area->file, buf_grow(&q->batch, b->total_bytes), b->total_bytes,
                           position) == 0 &&
           batch_check(q->batch.p, b->total_bytes, b) == 0;
}

/* Of the headers that begin in p[0..n). */
static bool good_in_window(struct search *q, const uint8_t *p, size_t n, uint64_t at,
                           struct batch *b, uint64_t *position)
{
    for (size_t i = 0; i + BATCH_HEADER_BYTES <= n; i++) {
        if (good_at(q, p + i, at + i, b)) {
            *position = at + i;
            return true;
        }
    }
    return false;
}

static bool search_good(const struct search_area *area, uint64_t from, struct batch *b,
                        uint64_t *position)
{
    struct search q = {.area = area};
    uint64_t end = MIN(area->size_bytes, from + SEARCH_BYTES_MAX);
    uint8_t *window;
    bool good = false;

    ASSERT(area->file);
    if (from >= end)
        return false;
    window = xmalloc(SEARCH_WINDOW_BYTES);
    buf_init(&q.batch);
    for (uint64_t at = from; !good && at + BATCH_HEADER_BYTES <= end;
         at += SEARCH_WINDOW_BYTES - BATCH_HEADER_BYTES) {
        size_t n = MIN(SEARCH_WINDOW_BYTES, end - at);

        if (file_pread_full(area->file, window, n, at) < 0)
            break;
        good = good_in_window(&q, window, n, at, b, position);
    }
    buf_release(&q.batch);
    free(window);
    return good;
}

static int header_at(const struct search_area *area, uint64_t position, uint8_t *p, struct batch *b)
{
    if (position + BATCH_HEADER_BYTES > area->size_bytes ||
        file_pread_full(area->file, p, BATCH_HEADER_BYTES, position) < 0)
        return E_EOF;
    return batch_decode(p, b);
}

/* Whether the bad one's length is right: it leads to a good batch, or to the end of the area. Its records
 * may hold whole batches, which are not to be found then. */
static bool length_leads_on(const struct search_area *area, uint64_t position, struct batch *b,
                            uint64_t *after)
{
    struct search q = {.area = area};
    uint8_t p[BATCH_HEADER_BYTES];
    int rc = header_at(area, position, p, b);
    bool good;

    if (rc == E_CORRUPT || rc == E_EOF || b->total_bytes > area->size_bytes - position)
        return false;
    *after = position + b->total_bytes;
    if (*after == area->size_bytes)
        return true;
    buf_init(&q.batch);
    good = header_at(area, *after, p, b) == 0 && good_at(&q, p, *after, b);
    buf_release(&q.batch);
    return good;
}

bool search_any(const struct search_area *area, uint64_t from)
{
    struct batch b;
    uint64_t position;

    return search_good(area, from, &b, &position);
}

void search_rot(const struct search_area *area, uint64_t position, int64_t offset,
                struct log_rot *out)
{
    struct batch b;

    ASSERT(position < area->size_bytes);
    *out = (struct log_rot){position, area->size_bytes, offset, area->offset_end};
    if (!length_leads_on(area, position, &b, &out->until) &&
        !search_good(area, position + 1, &b, &out->until))
        out->until = area->size_bytes;
    if (out->until < area->size_bytes)
        out->offset_next = b.base_offset;
}
