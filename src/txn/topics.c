/* The partitions of a transaction.
 *
 * Owner: struct transaction, core thread.
 *
 * Happy path: many are appended, in any order -> txn_topics_sort, once.
 * Invariant:  a topic is there with at least one partition; partitions ascend; n_partitions counts
 *             them all.
 */
#include "internal.h"

/* The place of a partition, or where it would go. */
static int32_t place_of(const struct txn_topic *topic, int32_t partition)
{
    int32_t from = 0, end = topic->n;

    while (from < end) {
        int32_t middle = from + (end - from) / 2;

        if (topic->partitions[middle] < partition)
            from = middle + 1;
        else
            end = middle;
    }
    return from;
}

static struct txn_topic *topic_find(const struct transaction *t, struct str name)
{
    struct txn_topic *topic;

    HASH_FIND(hh, t->topics, name.p, name.n, topic);
    return topic;
}

bool txn_topics_has(const struct transaction *t, struct str name, int32_t partition)
{
    const struct txn_topic *topic = topic_find(t, name);
    int32_t at = topic ? place_of(topic, partition) : 0;

    return topic && at < topic->n && topic->partitions[at] == partition;
}

static struct txn_topic *topic_add(struct transaction *t, struct str name)
{
    struct txn_topic *topic = xcalloc(1, sizeof(*topic));

    topic->name = (struct str){str_dup(name), name.n};
    HASH_ADD_KEYPTR(hh, t->topics, topic->name.p, topic->name.n, topic);
    return topic;
}

void txn_topics_append(struct transaction *t, struct str name, int32_t partition)
{
    struct txn_topic *topic = topic_find(t, name);

    if (!topic)
        topic = topic_add(t, name);
    if (topic->n == topic->cap) {
        topic->cap = MAX(4, topic->cap * 2);
        topic->partitions =
            xrealloc_array(topic->partitions, (size_t)topic->cap, sizeof(*topic->partitions));
    }
    topic->partitions[topic->n++] = partition;
}

static int ascending(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

    return (x > y) - (x < y);
}

static void topic_sort(struct txn_topic *topic)
{
    int32_t n = 0;

    ASSERT(topic->n > 0);
    qsort(topic->partitions, (size_t)topic->n, sizeof(*topic->partitions), ascending);
    for (int32_t i = 0; i < topic->n; i++)
        if (n == 0 || topic->partitions[i] != topic->partitions[n - 1])
            topic->partitions[n++] = topic->partitions[i];
    topic->n = n;
}

void txn_topics_sort(struct transaction *t)
{
    t->n_partitions = 0;
    for (struct txn_topic *topic = t->topics; topic; topic = topic->hh.next) {
        topic_sort(topic);
        t->n_partitions += topic->n;
    }
}

void txn_topics_clear(struct transaction *t)
{
    while (t->topics) {
        struct txn_topic *topic = t->topics;

        HASH_DELETE(hh, t->topics, topic);
        free((char *)topic->name.p);
        free(topic->partitions);
        free(topic);
    }
    t->n_partitions = 0;
}
