/* Sets of partitions: sorted arrays.
 *
 * Owner: whoever holds the items; most live in the arena of the call that made them.
 *
 * Invariant:  ascending by topic id, then partition, none twice. So two sets meet in one walk.
 */
#include "consumer.h"

int cg_partition_cmp(const struct cg_partition *a, const struct cg_partition *b)
{
    int c = memcmp(a->topic.b, b->topic.b, sizeof(a->topic.b));

    if (c != 0)
        return c;
    return (a->partition > b->partition) - (a->partition < b->partition);
}

static int by_partition(const void *a, const void *b)
{
    return cg_partition_cmp(a, b);
}

void cg_partitions_sort(struct cg_partitions *ps)
{
    int32_t n = 0;

    if (ps->n > 1)
        qsort(ps->items, (size_t)ps->n, sizeof(*ps->items), by_partition);
    for (int32_t i = 0; i < ps->n; i++)
        if (n == 0 || cg_partition_cmp(&ps->items[n - 1], &ps->items[i]) != 0)
            ps->items[n++] = ps->items[i];
    ps->n = n;
}

const struct cg_partition *cg_partitions_find(const struct cg_partitions *ps, struct uuid topic,
                                              int32_t partition)
{
    struct cg_partition key = {.topic = topic, .partition = partition};

    if (ps->n == 0)
        return NULL;
    return bsearch(&key, ps->items, (size_t)ps->n, sizeof(key), by_partition);
}

bool cg_partitions_equal(const struct cg_partitions *a, const struct cg_partitions *b, bool epochs)
{
    if (a->n != b->n)
        return false;
    for (int32_t i = 0; i < a->n; i++) {
        if (cg_partition_cmp(&a->items[i], &b->items[i]) != 0)
            return false;
        if (epochs && a->items[i].epoch != b->items[i].epoch)
            return false;
    }
    return true;
}

struct cg_partitions cg_partitions_copy(const struct cg_partitions *ps)
{
    struct cg_partitions copy = {.n = ps->n};

    if (ps->n > 0)
        copy.items = xmemdup(ps->items, (size_t)ps->n * sizeof(*ps->items));
    return copy;
}

void cg_partitions_release(struct cg_partitions *ps)
{
    free(ps->items);
    *ps = (struct cg_partitions){NULL, 0};
}

int32_t cg_partitions_run(const struct cg_partitions *ps, int32_t at)
{
    int32_t n = 1;

    ASSERT(at < ps->n);
    while (at + n < ps->n && uuid_eq(ps->items[at].topic, ps->items[at + n].topic))
        n++;
    return n;
}
