/* The bytes of simulated files.
 *
 * Owner: struct content holds one reference to its bytes; clones share them.
 * Invariant:  from size to cap all is zero, so growing shows zeros. Bytes with more than one
 *             reference do not change.
 */
#include "sim_impl.h"

#define CAP_MIN 256

struct sim_bytes *sim_bytes_new(const void *p, uint64_t n)
{
    struct sim_bytes *b = xmalloc(sizeof(*b) + n);

    b->refs = 1;
    b->cap = n;
    memcpy(b->p, p, n);
    return b;
}

struct sim_bytes *sim_bytes_ref(struct sim_bytes *b)
{
    if (b)
        b->refs++;
    return b;
}

void sim_bytes_unref(struct sim_bytes *b)
{
    if (!b)
        return;
    ASSERT(b->refs > 0);
    if (--b->refs == 0)
        free(b);
}

void content_release(struct content *c)
{
    sim_bytes_unref(c->bytes);
    *c = (struct content){0};
}

void content_share(struct content *to, const struct content *from)
{
    ASSERT(!to->bytes);
    to->bytes = sim_bytes_ref(from->bytes);
    to->size = from->size;
}

/* Makes the bytes this content's own, with room for `cap`. */
static void make_own(struct content *c, uint64_t cap)
{
    uint64_t cap_now = c->bytes ? c->bytes->cap : 0;
    struct sim_bytes *b;

    if (c->bytes && c->bytes->refs == 1 && cap <= cap_now)
        return;
    if (cap > cap_now)
        cap = MAX(MAX(cap, cap_now * 2), CAP_MIN);
    else
        cap = cap_now;
    b = xcalloc(1, sizeof(*b) + cap);
    b->refs = 1;
    b->cap = cap;
    if (c->size)
        memcpy(b->p, c->bytes->p, c->size);
    sim_bytes_unref(c->bytes);
    c->bytes = b;
}

void content_resize(struct content *c, uint64_t size)
{
    if (size < c->size) {
        make_own(c, c->size);
        memset(c->bytes->p + size, 0, c->size - size);
    } else if (size > c->size) {
        make_own(c, size);
    }
    c->size = size;
}

void content_write(struct content *c, const uint8_t *p, uint64_t n, uint64_t at)
{
    if (n == 0)
        return;
    make_own(c, MAX(at + n, c->size));
    memcpy(c->bytes->p + at, p, n);
    c->size = MAX(c->size, at + n);
}

void content_zero(struct content *c, uint64_t from, uint64_t to)
{
    to = MIN(to, c->size);
    if (from >= to)
        return;
    make_own(c, c->size);
    memset(c->bytes->p + from, 0, to - from);
}

size_t content_read(const struct content *c, uint8_t *p, size_t n, uint64_t at)
{
    if (at >= c->size)
        return 0;
    n = MIN(n, c->size - at);
    if (n)
        memcpy(p, c->bytes->p + at, n);
    return n;
}

uint8_t *content_own(struct content *c)
{
    ASSERT(c->size > 0);
    make_own(c, c->size);
    return c->bytes->p;
}
