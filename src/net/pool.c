/* Chunks that bytes are received into, recycled.
 *
 * Owner: struct net, core thread; chunks may outlive it, for the log holds what it journals.
 *
 * Happy path: pool_get -> slices are handed up, each with a reference -> the last unref comes back
 *             here (chunk.recycle) -> the free list of its class -> pool_get. The same few chunks
 *             go round, warm in the cache, and no page is mapped or faulted in.
 * Invariant:  every chunk is either held (counted in held_bytes) or on one free list (free_bytes).
 * Limits:     free lists hold at most POOL_FREE_BYTES_MAX; what nobody took between two trims is
 *             freed. held_bytes has no limit here: receive.c stops reading.
 */
#include "pool.h"

#define POOL_MAGIC 0x4E504F4Cu

/* Sizes are 4 KiB times 1, 1.5, 2, 3, 4, 6 ...: at most a third of a chunk is waste. */
static size_t class_bytes(int class)
{
    return (class & 1 ? (size_t)6144 : (size_t)4096) << (class / 2);
}

STATIC_ASSERT(((size_t)4096 << ((POOL_CLASSES - 1) / 2)) == (size_t)1 << 31,
              "the last class: 2 GiB");

static int class_of(size_t n)
{
    int octave, class;

    ASSERT(n <= class_bytes(POOL_CLASSES - 1));
    if (n <= class_bytes(0))
        return 0;
    octave = 63 - __builtin_clzll((n - 1) >> 12);
    class = octave * 2;
    while (class_bytes(class) < n)
        class ++;
    return class;
}

struct pool *pool_new(void)
{
    struct pool *p = xcalloc(1, sizeof(*p));

    p->magic = POOL_MAGIC;
    return p;
}

static struct chunk *pop(struct pool *p, struct pool_class *class)
{
    struct chunk *c = class->free;

    ASSERT(c);
    ASSERT(class->n_free > 0);
    memcpy(&class->free, c->data, sizeof(class->free));
    class->n_free--;
    class->n_idle = MIN(class->n_idle, class->n_free);
    p->free_bytes -= c->cap;
    return c;
}

static void free_some(struct pool *p, struct pool_class *class, uint32_t n)
{
    while (n-- > 0)
        free(pop(p, class));
}

static void free_unheld(struct pool *p)
{
    for (int i = 0; i < POOL_CLASSES; i++)
        free_some(p, &p->classes[i], p->classes[i].n_free);
    ASSERT(p->free_bytes == 0);
}

void pool_free(struct pool *p)
{
    if (!p)
        return;
    ASSERT(p->magic == POOL_MAGIC);
    free_unheld(p);
    p->orphan = true;
    if (p->n_held == 0) {
        p->magic = 0;
        free(p);
    }
}

/* The last reference to a chunk is gone. */
static void come_home(struct chunk *c, void *arg)
{
    struct pool *p = CHECKED_CAST(arg, struct pool, POOL_MAGIC);

    ASSERT(c->refs == 0);
    ASSERT(p->n_held > 0);
    ASSERT(p->held_bytes >= c->cap);
    p->n_held--;
    p->held_bytes -= c->cap;
    if (p->orphan || c->cap < POOL_SMALL_BYTES || p->free_bytes + c->cap > POOL_FREE_BYTES_MAX) {
        free(c);
        if (p->orphan && p->n_held == 0)
            pool_free(p);
    } else {
        struct pool_class *class = &p->classes[class_of(c->cap)];

        memcpy(c->data, &class->free, sizeof(class->free));
        class->free = c;
        class->n_free++;
        p->free_bytes += c->cap;
    }
}

static struct chunk *hold(struct pool *p, struct chunk *c)
{
    c->refs = 1;
    c->recycle = come_home;
    c->pool = p;
    p->n_held++;
    p->held_bytes += c->cap;
    return c;
}

/* The class that has a used chunk for n bytes: the right one or the next two, twice the size. */
static int class_with_free(const struct pool *p, size_t n)
{
    int first = class_of(n);

    for (int i = first; i < POOL_CLASSES && i <= first + 2; i++)
        if (p->classes[i].free)
            return i;
    return -1;
}

bool pool_has(const struct pool *p, size_t n)
{
    return class_with_free(p, n) >= 0;
}

struct chunk *pool_get(struct pool *p, size_t n)
{
    int class;

    ASSERT(!p->orphan);
    if (n < POOL_SMALL_BYTES)
        return hold(p, chunk_new(n));
    class = class_with_free(p, n);
    if (class >= 0)
        return hold(p, pop(p, &p->classes[class]));
    return hold(p, chunk_new(class_bytes(class_of(n))));
}

struct chunk *pool_grow(struct pool *p, struct chunk *c, size_t have, size_t n)
{
    size_t cap = class_bytes(class_of(n));

    ASSERT(c->refs == 1);
    ASSERT(c->cap >= POOL_SMALL_BYTES);
    ASSERT(c->cap < n);
    ASSERT(have <= c->cap);
    if (pool_has(p, n)) {
        struct chunk *larger = pool_get(p, n);

        memcpy(larger->data, c->data, have);
        chunk_unref(c);
        return larger;
    }
    p->held_bytes += cap - c->cap;
    c = xrealloc(c, sizeof(*c) + cap);
    c->cap = (uint32_t)cap;
    return c;
}

void pool_trim(struct pool *p)
{
    for (int i = 0; i < POOL_CLASSES; i++) {
        struct pool_class *class = &p->classes[i];

        free_some(p, class, class->n_idle);
        class->n_idle = class->n_free;
    }
}
