/* Memory that dies all at once.
 *
 * Owner: one request (or one piece of work); its thread only.
 *
 *     blocks -> newest [ older | used ... | at: free ... | end ) -> older [ older | ... ) -> NULL
 *
 * Happy path: init -> alloc (moves `at`) ... -> release frees every block. Blocks double from 4 KB
 *             to 64 KB; what is large gets a block of its own, so that the rest of the newest one
 *             is not lost.
 * Invariant:  at and end are 16-aligned and at <= end; total_bytes is what all blocks take.
 * Failures:   none; sizes were checked against a limit before.
 */
#include "base.h"

#define ARENA_ALIGN           16
#define ARENA_BLOCK_BYTES_MIN 4096
#define ARENA_BLOCK_BYTES_MAX 65536

struct arena_block {
    struct arena_block *older;
    _Alignas(ARENA_ALIGN) uint8_t data[];
};
STATIC_ASSERT(offsetof(struct arena_block, data) == ARENA_ALIGN, "data is aligned");

void arena_init(struct arena *a)
{
    *a = (struct arena){0};
}

void arena_release(struct arena *a)
{
    struct arena_block *block = a->blocks;

    ASSERT(IMPLIES(!block, a->total_bytes == 0));
    while (block) {
        struct arena_block *older = block->older;

        free(block);
        block = older;
    }
    *a = (struct arena){0};
}

/* A block for exactly n bytes, put behind the newest one, which stays the one that is filled. */
static uint8_t *alloc_own_block(struct arena *a, size_t n)
{
    struct arena_block *block = xmalloc(sizeof(*block) + n);

    if (a->blocks) {
        block->older = a->blocks->older;
        a->blocks->older = block;
    } else {
        block->older = NULL;
        a->blocks = block;
    }
    a->total_bytes += sizeof(*block) + n;
    return block->data;
}

static void start_block(struct arena *a)
{
    size_t bytes = a->total_bytes;
    struct arena_block *block;

    bytes =
        MIN(MAX(bytes, ARENA_BLOCK_BYTES_MIN), ARENA_BLOCK_BYTES_MAX) & ~(size_t)(ARENA_ALIGN - 1);
    block = xmalloc(bytes);
    block->older = a->blocks;
    a->blocks = block;
    a->at = block->data;
    a->end = (uint8_t *)block + bytes;
    a->total_bytes += bytes;
}

static void *alloc_slow(struct arena *a, size_t n)
{
    uint8_t *p;

    if (n > ARENA_BLOCK_BYTES_MIN / 4)
        return alloc_own_block(a, n);
    start_block(a);
    p = a->at;
    a->at += n;
    ASSERT(a->at <= a->end);
    return p;
}

void *arena_alloc(struct arena *a, size_t n)
{
    size_t rounded;
    void *p;

    ASSERT(n <= SIZE_MAX / 2);
    rounded = (MAX(n, 1) + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    if (rounded <= (size_t)(a->end - a->at)) {
        p = a->at;
        a->at += rounded;
    } else {
        p = alloc_slow(a, rounded);
    }
    return memset(p, 0, rounded);
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
    size_t n;

    ASSERT(!__builtin_mul_overflow(count, size, &n));
    return arena_alloc(a, n);
}

struct bytes arena_bytes(struct arena *a, struct bytes b)
{
    uint8_t *copy;

    ASSERT(b.p || b.n == 0);
    if (!b.p)
        return b;
    copy = arena_alloc(a, b.n);
    memcpy(copy, b.p, b.n);
    return (struct bytes){copy, b.n};
}

struct str arena_str(struct arena *a, struct str s)
{
    char *copy;

    ASSERT(s.p || s.n == 0);
    if (!s.p)
        return s;
    copy = arena_alloc(a, s.n + 1);
    memcpy(copy, s.p, s.n);
    return (struct str){copy, s.n};
}

struct str arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list args;
    char *text;
    int n;

    va_start(args, fmt);
    n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    ASSERT(n >= 0);
    text = arena_alloc(a, (size_t)n + 1);
    va_start(args, fmt);
    vsnprintf(text, (size_t)n + 1, fmt, args);
    va_end(args);
    return (struct str){text, (size_t)n};
}
