/* A hash over the state that a clean stop and a start must not change.
 *
 * Owner: struct broker, core thread.
 *
 * In this order: topics by name with their ids, settings and partitions; of each partition that was ever
 * written to, where its log begins and ends, its epochs and its producers; then groups and transactions. What a process has for itself (sessions, the
 * block of producer ids in use) is not in it.
 */
#include "parts.h"

static void add(uint64_t *h, const void *p, size_t n)
{
    const uint8_t *at = p;

    for (size_t i = 0; i < n; i++)
        *h = (*h ^ at[i]) * 1099511628211u;
}

static void add_int(uint64_t *h, int64_t v)
{
    add(h, &v, sizeof(v));
}

static void add_str(uint64_t *h, struct str s)
{
    add_int(h, s.p ? (int64_t)s.n : -1);
    if (s.n)
        add(h, s.p, s.n);
}

static void add_partition(uint64_t *h, struct broker *b, struct meta_topic *t, int32_t partition)
{
    struct log *log = NULL;

    add_int(h, t->partitions[partition].leader_epoch);
    add(h, t->partitions[partition].dir_id.b, sizeof(t->partitions[partition].dir_id.b));
    if (broker_log(b, t, partition, false, &log) < 0 || !log) {
        add_int(h, -1);
        return;
    }
    add_int(h, log_start_offset(log));
    add_int(h, log_end_offset(log));
    add_int(h, log_high_watermark(log));
    add_int(h, log_stable_offset(log));
    add_int(h, (int64_t)log_size_bytes(log));
    add_int(h, log_epoch_at(log, log_end_offset(log) - 1));
    add_int(h, (int64_t)log_producers_digest(log));
}

uint64_t broker_digest(struct broker *b)
{
    struct meta_topic **topics = meta_topics_sorted(b->meta);
    uint64_t h = 14695981039346656037u;

    ASSERT_CORE();
    for (int i = 0; i < meta_n_topics(b->meta); i++) {
        struct meta_topic *t = topics[i];

        add_str(&h, str_of(t->name));
        add(&h, t->id.b, sizeof(t->id.b));
        for (int c = 0; c < t->n_configs; c++) {
            add_str(&h, t->configs[c].name);
            add_str(&h, t->configs[c].value);
        }
        for (int32_t p = 0; p < t->n_partitions; p++)
            add_partition(&h, b, t, p);
    }
    add_int(&h, (int64_t)groupm_digest(b->groups));
    add_int(&h, (int64_t)txnm_digest(b->txns));
    return h;
}
