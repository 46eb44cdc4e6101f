/* Reference-counted bytes.
 *
 * Owner: whoever holds a reference; counted on the core thread only.
 *
 * Happy path: chunk_new (one reference) -> ref, unref ... -> the last unref frees, or hands the
 *             chunk back to its pool, which gives it one reference again before it is used.
 */
#include "base.h"

struct chunk *chunk_new(size_t cap)
{
    struct chunk *c;

    ASSERT(cap <= UINT32_MAX);
    c = xmalloc(sizeof(*c) + cap);
    c->refs = 1;
    c->cap = (uint32_t)cap;
    c->recycle = NULL;
    c->pool = NULL;
    return c;
}

struct chunk *chunk_ref(struct chunk *c)
{
    ASSERT(c->refs > 0);
    ASSERT(c->refs < UINT32_MAX);
    c->refs++;
    return c;
}

void chunk_unref(struct chunk *c)
{
    if (!c)
        return;
    ASSERT(c->refs > 0);
    if (--c->refs > 0)
        return;
    if (c->recycle)
        c->recycle(c, c->pool);
    else
        free(c);
}
