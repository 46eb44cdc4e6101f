/* Filling the least loaded and emptying the most loaded subscribers of a topic, round by round.
 *
 * Owner: assignor_balanced.c; everything lives in the arena of one call.
 *
 * The rounds are those of Kafka's UniformHeterogeneousAssignmentBuilder (MemberAssignmentBalancer): they
 * decide which of several good assignments is made, so they are the same here. Sizes are compared
 * when a run grows, not when it was made: the other end changes them meanwhile.
 */
#include "assignor_balancer.h"

void balancer_init(struct balancer *b, const int32_t *sizes, int32_t n_members, struct arena *arena)
{
    *b = (struct balancer){.sizes = sizes};
    b->sorted = arena_array(arena, (size_t)n_members, sizeof(*b->sorted));
    b->scratch = arena_array(arena, (size_t)n_members * 2 + 1, sizeof(*b->scratch));
}

static int by_size(const void *a, const void *b, void *arg)
{
    const int32_t *sizes = ((const struct balancer *)arg)->sizes;
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

    if (sizes[x] != sizes[y])
        return sizes[x] < sizes[y] ? -1 : 1;
    return (x > y) - (x < y);
}

/* A counting sort: sizes lie close together but for the first steps of an odd group. */
static void sort_close(struct balancer *b, const int32_t *members, int32_t min, int32_t spread)
{
    int32_t *starts = b->scratch; /* per size: where the next member of this size goes */

    memset(starts, 0, ((size_t)spread + 2) * sizeof(*starts));
    for (int32_t i = 0; i < b->n; i++)
        starts[b->sizes[members[i]] - min + 1]++;
    for (int32_t s = 0; s < spread; s++)
        starts[s + 1] += starts[s];
    for (int32_t i = 0; i < b->n; i++)
        b->sorted[starts[b->sizes[members[i]] - min]++] = members[i];
}

void balancer_load(struct balancer *b, const int32_t *members, int32_t n)
{
    int32_t min = INT32_MAX, max = 0;

    ASSERT(n > 0);
    b->n = n;
    for (int32_t i = 0; i < n; i++) {
        min = MIN(min, b->sizes[members[i]]);
        max = MAX(max, b->sizes[members[i]]);
    }
    if (max - min < n * 2) {
        sort_close(b, members, min, max - min);
    } else {
        memcpy(b->sorted, members, (size_t)n * sizeof(*members));
        qsort_r(b->sorted, (size_t)n, sizeof(*b->sorted), by_size, b);
    }
    b->least.end = b->least.next = 0;
    b->least.level = min - 1;
    b->most.start = b->most.end = n;
    b->most.level = max + 1;
    b->most.next = n - 1;
}

int32_t balancer_next_least(struct balancer *b)
{
    if (b->least.next >= b->least.end) { /* the round is over: all have one more */
        b->least.level++;
        while (b->least.end < b->n && b->sizes[b->sorted[b->least.end]] == b->least.level)
            b->least.end++;
        b->least.next = 0;
    }
    return b->sorted[b->least.next++];
}

int32_t balancer_next_most(struct balancer *b)
{
    if (b->most.next < b->most.start) {
        if (b->most.end <= b->most.start && b->most.start > 0)
            b->most.level =
                b->sizes[b->sorted[b->most.start - 1]]; /* all were excluded: the next run */
        else
            b->most.level--;
        while (b->most.start > 0 && b->sizes[b->sorted[b->most.start - 1]] == b->most.level)
            b->most.start--;
        b->most.next = b->most.end - 1;
    }
    return b->most.next < 0 ? NO_MEMBER : b->sorted[b->most.next--];
}

void balancer_exclude(struct balancer *b)
{
    int32_t *last = &b->sorted[b->most.end - 1];
    int32_t *out = &b->sorted[b->most.next + 1];
    int32_t member = *out;

    ASSERT(b->most.end > b->most.start);
    *out = *last;
    *last = member;
    b->most.end--;
}

bool balancer_even(const struct balancer *b)
{
    return b->most.level - b->least.level <= 1;
}
