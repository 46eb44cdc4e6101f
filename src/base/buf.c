/* A growing run of bytes.
 *
 * Owner: whoever called buf_init, one writer at a time.
 *
 * Invariant:  n <= cap, and p is NULL only while cap is 0. Pointers into it live until the next
 *             write.
 * Failures:   none; a size that overflows is a bug.
 */
#include "base.h"

#define BUF_BYTES_MIN 64

void buf_init(struct buf *b)
{
    *b = (struct buf){0};
}

void buf_release(struct buf *b)
{
    ASSERT(b->n <= b->cap);
    free(b->p);
    *b = (struct buf){0};
}

static void buf_enlarge(struct buf *b, size_t n)
{
    size_t need;
    size_t cap = MAX(b->cap, BUF_BYTES_MIN);

    ASSERT(!__builtin_add_overflow(b->n, n, &need));
    ASSERT(need <= SIZE_MAX / 4);
    while (cap < need)
        cap *= 2;
    b->p = xrealloc(b->p, cap);
    b->cap = cap;
}

void buf_reserve(struct buf *b, size_t n)
{
    ASSERT(b->n <= b->cap);
    if (n > b->cap - b->n || !b->p)
        buf_enlarge(b, n);
}

uint8_t *buf_grow(struct buf *b, size_t n)
{
    uint8_t *at;

    buf_reserve(b, n);
    at = b->p + b->n;
    b->n += n;
    return at;
}

void buf_put(struct buf *b, const void *p, size_t n)
{
    ASSERT(p || n == 0);
    if (n)
        memcpy(buf_grow(b, n), p, n);
}

void buf_put_str(struct buf *b, const char *s)
{
    buf_put(b, s, strlen(s));
}

void buf_vprintf(struct buf *b, const char *fmt, va_list args)
{
    va_list again;
    size_t room;
    int n;

    buf_reserve(b, BUF_BYTES_MIN);
    room = b->cap - b->n;
    va_copy(again, args);
    n = vsnprintf((char *)b->p + b->n, room, fmt, args);
    ASSERT(n >= 0);
    if ((size_t)n >= room) {
        buf_reserve(b, (size_t)n + 1);
        vsnprintf((char *)b->p + b->n, (size_t)n + 1, fmt, again);
    }
    va_end(again);
    b->n += (size_t)n;
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    buf_vprintf(b, fmt, args);
    va_end(args);
}

const char *buf_cstr(struct buf *b)
{
    buf_reserve(b, 1);
    b->p[b->n] = 0;
    return (const char *)b->p;
}
