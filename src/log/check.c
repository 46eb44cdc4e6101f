/* Checking what came from the device: the lane's part of rot.c.
 *
 * Owner: struct log_check, which is the lane's between log_check_begin and log_check_end.
 *
 * Happy path: window after window of the file -> batch after batch: length, CRC, offsets that rise.
 * Invariant:  n_whole ends with a batch. What is left of the range behind it is a part of a batch, which
 *             no reader takes for one: n_good is the whole range then.
 * Failures:   the first batch that is not good ends the check: E_ROT, with the place of the next good
 *             one. The CRC covers neither the base offset nor the length, so a batch that leaves a gap
 *             is held against the one behind it. A read that fails: its error.
 */
#include "segment.h"

#define WINDOW_BYTES (256 * 1024)

struct checking {
    struct log_check *c;
    struct buf bytes; /* of the file from `at` on */
    uint64_t at;
    uint64_t position;
    int64_t expected; /* -1: not known yet */
};

/* n bytes at `position`; NULL: c->rc tells why. */
static const uint8_t *bytes_at(struct checking *k, uint64_t position, size_t n)
{
    struct log_check *c = k->c;

    if (position < k->at || position + n > k->at + k->bytes.n) {
        size_t want = MAX(n, MIN(WINDOW_BYTES, c->size_bytes - position));

        k->at = position;
        k->bytes.n = 0;
        c->rc = file_pread_full(c->file, buf_grow(&k->bytes, want), want, position);
        if (c->rc < 0)
            return NULL;
    }
    return k->bytes.p + (position - k->at);
}

static int64_t offset_here(const struct checking *k)
{
    return k->expected >= 0 ? k->expected : k->c->offset;
}

static bool offsets_fit(const struct checking *k, const struct batch *b)
{
    const struct log_check *c = k->c;

    return b->base_offset >= c->segment_base && batch_last_offset(b) < c->offset_end &&
           b->base_offset >= k->expected &&
           IMPLIES(k->expected < 0, batch_last_offset(b) >= c->offset);
}

/* A gap is what a compaction leaves, or a base offset that has risen: then the next one does not. */
static bool next_agrees(struct checking *k, const struct batch *b)
{
    uint64_t next = k->position + b->total_bytes;
    const uint8_t *p;
    struct batch n;

    if (k->expected < 0 || b->base_offset == k->expected ||
        next + BATCH_HEADER_BYTES > k->c->size_bytes)
        return true;
    p = bytes_at(k, next, BATCH_HEADER_BYTES);
    return !p || batch_decode(p, &n) < 0 || n.base_offset > batch_last_offset(b);
}

static void found_rot(struct checking *k, int64_t offset)
{
    struct log_check *c = k->c;
    struct search_area area = {c->file, c->segment_base, c->size_bytes, offset + 1, c->offset_end};

    c->rc = E_ROT;
    search_rot(&area, k->position, offset, &c->rot);
    c->rot.offset_next = MAX(c->rot.offset_next, offset + 1);
}

/* The header is there and says how long it is; false: the check is over. */
static bool check_one(struct checking *k, const struct batch *header)
{
    struct log_check *c = k->c;
    const uint8_t *p = bytes_at(k, k->position, header->total_bytes);
    int64_t offset = offset_here(k);
    struct batch b;

    if (!p)
        return false;
    if (batch_check(p, header->total_bytes, &b) < 0) {
        if (k->expected < 0 && b.base_offset >= c->segment_base && b.base_offset < offset)
            offset = b.base_offset;
        found_rot(k, offset);
        return false;
    }
    if (!offsets_fit(k, &b) || !next_agrees(k, &b)) {
        if (c->rc == 0)
            found_rot(k, offset);
        return false;
    }
    k->position += b.total_bytes;
    k->expected = batch_last_offset(&b) + 1;
    c->n_whole = (uint32_t)(k->position - c->position);
    return c->rc == 0;
}

static void check_all(struct checking *k)
{
    struct log_check *c = k->c;
    uint64_t end = c->position + c->n_bytes;

    while (k->position + BATCH_HEADER_BYTES <= end) {
        const uint8_t *p = bytes_at(k, k->position, BATCH_HEADER_BYTES);
        struct batch b;

        if (!p)
            return;
        if (batch_decode(p, &b) == E_CORRUPT || b.total_bytes > c->size_bytes - k->position) {
            found_rot(k, offset_here(k));
            return;
        }
        if (b.total_bytes > end - k->position)
            break;
        if (!check_one(k, &b))
            return;
    }
    c->n_good = c->n_bytes;
}

void log_check_run(struct log_check *c)
{
    struct checking k = {.c = c, .position = c->position, .expected = -1};

    buf_init(&k.bytes);
    check_all(&k);
    buf_release(&k.bytes);
    if (c->rc < 0)
        c->n_good = c->n_whole;
}
