/* Memory that is always there.
 *
 * Owner: the caller; free() gives it back. Any thread.
 *
 * Invariant:  the result is never NULL, also for zero bytes.
 * Failures:   out of memory and a size that overflows end the process with the trace ring: sizes
 *             from a peer were checked against a limit before they came here.
 */
#include "base.h"

static size_t size_product(size_t count, size_t size)
{
    size_t n;

    if (__builtin_mul_overflow(count, size, &n))
        base_assert_failed("count * size fits", __FILE__, __LINE__);
    return n;
}

static void *or_abort(void *p)
{
    if (!p)
        base_assert_failed("out of memory", __FILE__, __LINE__);
    return p;
}

void *xmalloc(size_t n)
{
    return or_abort(malloc(n ? n : 1));
}

void *xcalloc(size_t count, size_t size)
{
    size_t n = size_product(count, size);

    return or_abort(calloc(1, n ? n : 1));
}

void *xrealloc(void *p, size_t n)
{
    return or_abort(realloc(p, n ? n : 1));
}

void *xrealloc_array(void *p, size_t count, size_t size)
{
    return xrealloc(p, size_product(count, size));
}

void *xmemdup(const void *p, size_t n)
{
    void *copy = xmalloc(n);

    ASSERT(p || n == 0);
    if (n)
        memcpy(copy, p, n);
    return copy;
}

char *xstrdup(const char *s)
{
    ASSERT(s);
    return xmemdup(s, strlen(s) + 1);
}

char *xasprintf(const char *fmt, ...)
{
    va_list args;
    char *text;
    int n;

    va_start(args, fmt);
    n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    ASSERT(n >= 0);
    text = xmalloc((size_t)n + 1);
    va_start(args, fmt);
    vsnprintf(text, (size_t)n + 1, fmt, args);
    va_end(args);
    return text;
}
