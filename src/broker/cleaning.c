/* How the cleaner sees the partitions: one after the other in the order of the metadata, opened when there is something to do.
 *
 * Owner: struct broker, core thread.
 */
#include "parts.h"

#include "metrics.h"

static bool next_partition(void *arg, struct cleaner_cursor *at, struct cleaner_partition *out)
{
    struct broker *b = arg;
    struct meta_topic **topics = meta_topics_sorted(b->meta);

    while (at->topic < meta_n_topics(b->meta)) {
        struct meta_topic *t = topics[at->topic];

        if (at->partition < t->n_partitions) {
            *out = (struct cleaner_partition){.topic = t->name,
                                              .partition = at->partition,
                                              .config = &t->config,
                                              .log = t->partitions[at->partition].log};
            at->partition++;
            return true;
        }
        *at = (struct cleaner_cursor){.topic = at->topic + 1};
    }
    return false;
}

static uint64_t count_partitions(void *arg)
{
    return broker_n_partitions(arg);
}

static int open_log(void *arg, const char *topic, int32_t partition, struct log **out)
{
    struct broker *b = arg;
    struct meta_topic *t = meta_topic(b->meta, str_of(topic));

    *out = NULL;
    return t && partition < t->n_partitions ? broker_log(b, t, partition, false, out) : 0;
}

struct cleaner *broker_cleaner_new(struct broker *b)
{
    const struct cleaner_options options = {.config = b->config,
                                            .logm = b->logm,
                                            .next = next_partition,
                                            .count = count_partitions,
                                            .open = open_log,
                                            .arg = b};

    return cleaner_new(b->env, &options);
}

void broker_print_metrics(struct broker *b, struct buf *out)
{
    metrics_print(b->env->metrics, out);
    logm_print_rot(b->logm, out);
    cleaner_print(b->cleaner, out);
}
