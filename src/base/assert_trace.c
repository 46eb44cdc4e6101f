/* The trace ring, and the end of the process when an assert fails.
 *
 * Owner: one ring for the process; any thread writes. A slot is taken by an atomic counter and its
 * fields are atomic, so a writer that was overtaken by 4,096 others leaves at worst one mixed line.
 *
 * Happy path: trace() is a few stores. A failed assert prints the condition, its place and the
 *             ring, and aborts.
 */
#include "base.h"

#include <stdatomic.h>

#define TRACE_EVENTS 4096
STATIC_ASSERT((TRACE_EVENTS & (TRACE_EVENTS - 1)) == 0, "a slot is the low bits of the counter");

struct trace_event {
    _Atomic(const char *) what;
    _Atomic int64_t a, b;
};

static struct trace_event ring[TRACE_EVENTS];
static _Atomic uint64_t ring_end;
static atomic_flag dying = ATOMIC_FLAG_INIT;

void trace(const char *what, int64_t a, int64_t b)
{
    uint64_t at = atomic_fetch_add_explicit(&ring_end, 1, memory_order_relaxed);
    struct trace_event *e = &ring[at % TRACE_EVENTS];

    atomic_store_explicit(&e->what, what, memory_order_relaxed);
    atomic_store_explicit(&e->a, a, memory_order_relaxed);
    atomic_store_explicit(&e->b, b, memory_order_relaxed);
}

void trace_print(FILE *out)
{
    uint64_t end = atomic_load_explicit(&ring_end, memory_order_relaxed);

    for (uint64_t at = end > TRACE_EVENTS ? end - TRACE_EVENTS : 0; at < end; at++) {
        struct trace_event *e = &ring[at % TRACE_EVENTS];
        const char *what = atomic_load_explicit(&e->what, memory_order_relaxed);
        int64_t a = atomic_load_explicit(&e->a, memory_order_relaxed);
        int64_t b = atomic_load_explicit(&e->b, memory_order_relaxed);

        fprintf(out, "trace %llu %s %lld %lld\n", (unsigned long long)at, what ? what : "?",
                (long long)a, (long long)b);
    }
}

_Noreturn void base_assert_failed(const char *cond, const char *file, int line)
{
    fprintf(stderr, "%s:%d: assert failed: %s\n", file, line, cond);
    if (!atomic_flag_test_and_set(&dying))
        trace_print(stderr);
    fprintf(stderr, "%s:%d: assert failed: %s\n", file, line, cond);
    fflush(stderr);
    abort();
}

void *base_checked_cast(void *ptr, size_t magic_at, uint32_t expected, const char *file, int line)
{
    uint32_t magic;

    if (!ptr)
        base_assert_failed("cast pointer is not NULL", file, line);
    memcpy(&magic, (const char *)ptr + magic_at, sizeof(magic));
    if (magic != expected)
        base_assert_failed("cast object has the expected magic", file, line);
    return ptr;
}
