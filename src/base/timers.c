/* Timers in one heap.
 *
 * Owner: struct timers, core thread. A timer is embedded in what it wakes and must be cancelled
 * before that is freed.
 *
 * Happy path: timer_set (into the heap) -> timers_next tells the loop how long to sleep ->
 *             timers_fire takes what is due out of the heap, earliest first, and calls it; it may
 *             set itself again.
 * Invariant:  heap[i] is not later than heap[2i+1] and heap[2i+2], by (deadline, order);
 *             heap[i]->at_plus_one == i + 1. While firing, no deadline is set before `firing`, and
 *             what was set since waits for the next call: a timer that sets itself for "now" can
 *             not keep timers_fire from ending.
 */
#include "base.h"

#define FIRING_NONE ((struct mono){INT64_MIN})

void timers_init(struct timers *ts)
{
    *ts = (struct timers){.firing = FIRING_NONE};
}

void timers_release(struct timers *ts)
{
    for (uint32_t i = 0; i < ts->n; i++)
        ts->heap[i]->at_plus_one = 0;
    free(ts->heap);
    *ts = (struct timers){.firing = FIRING_NONE};
}

void timer_init(struct timer *t, void (*fire)(struct timer *t))
{
    ASSERT(fire);
    *t = (struct timer){.fire = fire};
}

bool timer_armed(const struct timer *t)
{
    return t->at_plus_one != 0;
}

static bool earlier(const struct timer *a, const struct timer *b)
{
    if (a->deadline.ns != b->deadline.ns)
        return a->deadline.ns < b->deadline.ns;
    return a->order < b->order;
}

static void place(struct timers *ts, uint32_t i, struct timer *t)
{
    ts->heap[i] = t;
    t->at_plus_one = i + 1;
}

/* Puts t where it belongs on the way from the hole at i to the root, moving later ones down. */
static void sift_up(struct timers *ts, uint32_t i, struct timer *t)
{
    while (i > 0) {
        uint32_t parent = (i - 1) / 2;

        if (!earlier(t, ts->heap[parent]))
            break;
        place(ts, i, ts->heap[parent]);
        i = parent;
    }
    place(ts, i, t);
}

/* Puts t where it belongs below the hole at i, moving earlier ones up. */
static void sift_down(struct timers *ts, uint32_t i, struct timer *t)
{
    for (;;) {
        uint32_t child = 2 * i + 1;

        if (child >= ts->n)
            break;
        if (child + 1 < ts->n && earlier(ts->heap[child + 1], ts->heap[child]))
            child++;
        if (!earlier(ts->heap[child], t))
            break;
        place(ts, i, ts->heap[child]);
        i = child;
    }
    place(ts, i, t);
}

static bool heap_holds(const struct timers *ts)
{
    for (uint32_t i = 0; i < ts->n; i++) {
        if (ts->heap[i]->at_plus_one != i + 1)
            return false;
        if (i > 0 && earlier(ts->heap[i], ts->heap[(i - 1) / 2]))
            return false;
    }
    return true;
}

void timer_cancel(struct timers *ts, struct timer *t)
{
    struct timer *last;
    uint32_t i;

    if (!timer_armed(t))
        return;
    i = t->at_plus_one - 1;
    ASSERT(i < ts->n);
    ASSERT(ts->heap[i] == t);
    last = ts->heap[--ts->n];
    t->at_plus_one = 0;
    if (last == t)
        return;
    if (i > 0 && earlier(last, ts->heap[(i - 1) / 2]))
        sift_up(ts, i, last);
    else
        sift_down(ts, i, last);
}

void timer_set(struct timers *ts, struct timer *t, struct mono deadline)
{
    ASSERT(t->fire);
    timer_cancel(ts, t);
    if (ts->n == ts->cap) {
        ts->cap = ts->cap ? ts->cap * 2 : 16;
        ts->heap = xrealloc_array(ts->heap, ts->cap, sizeof(*ts->heap));
    }
    t->deadline.ns = MAX(deadline.ns, ts->firing.ns);
    t->order = ts->order_next++;
    ts->n++;
    sift_up(ts, ts->n - 1, t);
    if (ts->n <= 64)
        ASSERT_SLOW(heap_holds(ts));
}

bool timers_next(const struct timers *ts, struct mono *deadline)
{
    if (ts->n == 0)
        return false;
    *deadline = ts->heap[0]->deadline;
    return true;
}

void timers_fire(struct timers *ts, struct mono now)
{
    uint64_t order_end = ts->order_next;

    ASSERT(ts->firing.ns == FIRING_NONE.ns);
    ASSERT_SLOW(heap_holds(ts));
    ts->firing = now;
    while (ts->n > 0) {
        struct timer *t = ts->heap[0];

        if (t->deadline.ns > now.ns || t->order >= order_end)
            break;
        timer_cancel(ts, t);
        t->fire(t);
    }
    ts->firing = FIRING_NONE;
}
