/* Marks: how often a special branch was taken, for tests.
 *
 * Owner: one table for the process; any thread hits. A name is claimed by a compare-and-swap and
 * never leaves.
 *
 * Invariant: names are unique; a chain of probes ends at the first free slot.
 * Failures:  a full table is a bug: make it larger.
 */
#include "base.h"

#include <stdatomic.h>

#define MARK_SLOTS 1024

static struct mark {
    _Atomic(const char *) name;
    _Atomic uint64_t count;
} marks[MARK_SLOTS];

/* The slot of name, or the free one where it belongs. */
static struct mark *mark_find(const char *name)
{
    uint32_t h = (uint32_t)java_hash(str_of(name));

    for (uint32_t i = 0; i < MARK_SLOTS; i++) {
        struct mark *m = &marks[(h + i) % MARK_SLOTS];
        const char *have = atomic_load_explicit(&m->name, memory_order_acquire);

        if (!have || strcmp(have, name) == 0)
            return m;
    }
    base_assert_failed("a slot for a mark is free", __FILE__, __LINE__);
}

void mark_hit(const char *name)
{
    for (;;) {
        struct mark *m = mark_find(name);
        const char *have = NULL;

        /* Another thread may claim the free slot first, for this name or another: then look again.
         */
        if (!atomic_load_explicit(&m->name, memory_order_acquire) &&
            !atomic_compare_exchange_strong(&m->name, &have, name))
            continue;
        atomic_fetch_add_explicit(&m->count, 1, memory_order_relaxed);
        return;
    }
}

uint64_t mark_count(const char *name)
{
    return atomic_load_explicit(&mark_find(name)->count, memory_order_relaxed);
}
