/* What a seed chooses before anything runs. */
#include "world.h"

static int64_t pick(struct rng *rng, const int64_t *from, size_t n)
{
    return from[rng_below(rng, n)];
}
#define PICK(rng, ...)                                                                             \
    pick(rng, (const int64_t[]){__VA_ARGS__}, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t))

void options_choose(struct options *o, struct rng *rng)
{
    *o = (struct options){0};
    o->n_churn = (int)PICK(rng, 0, 1, 2);
    o->n_topics = o->n_churn + (int)PICK(rng, 2, 3, 4);
    for (int i = 0; i < o->n_topics; i++) {
        o->n_partitions[i] = (int)PICK(rng, 1, 2, 4);
        o->durable[i] = i == 0 || rng_below(rng, 4) > 0;
        o->segment_bytes[i] = (int)PICK(rng, 3000, 6000, 16000, 64000, 1 << 20);
    }
    o->n_producers = (int)PICK(rng, 2, 3, 5);
    o->n_consumers = (int)PICK(rng, 1, 2, 3);
    o->n_groups = (int)PICK(rng, 0, 1, 1, 2);
    o->n_members = (int)PICK(rng, 1, 2, 3);
    o->n_dirs = (int)PICK(rng, 1, 1, 2, 3);
    o->journal_bytes = PICK(rng, 0, 32768, 49152, 262144, 1 << 20);
    o->checkpoint_ms = PICK(rng, 5000, 20000, 60000);
    o->think_ms = PICK(rng, 200, 1000, 4000);
    o->crash_ms = PICK(rng, 20000, 60000, 300000);
    o->flush_ns = PICK(rng, 0, 200000, 3000000, 60000000);
    o->network_ns = PICK(rng, 100000, 2000000, 50000000);
    o->record_bytes_max = (uint32_t)PICK(rng, 30, 200, 2000);
    o->drop_per_million = (uint32_t)PICK(rng, 0, 2000, 20000);
    o->faults = rng_below(rng, 3) > 0;
    o->sector_bytes = (uint32_t)PICK(rng, 512, 512, 4096, 64);
    o->ordered = rng_below(rng, 4) == 0;
    o->size_before_data = rng_below(rng, 2) == 0;
    o->n_cgroups = (int)PICK(rng, 0, 0, 1, 2);
    o->n_cmembers = (int)PICK(rng, 2, 3, 4);
    o->n_txn_ids = (int)PICK(rng, 0, 1, 2, 3);
    o->n_txn_producers = (int)PICK(rng, 1, 2, 2);
    kept_choose(o, rng);
}

void options_tell(struct world *w)
{
    const struct options *o = &w->options;

    for (int i = 0; i < w->n_topics; i++)
        world_event(w, "%s: %d partitions, segments of %d bytes%s", w->topics[i].name,
                    o->n_partitions[i], o->segment_bytes[i], o->durable[i] ? "" : ", not durable");
    for (int i = 0; i < w->n_topics; i++)
        kept_tell(w, &w->topics[i]);
    world_event(w, "%d log directories", o->n_dirs);
    world_event(w, "journal of %lld bytes, sectors of %u, %s, %s, flushes take %lld ns, %s",
                (long long)o->journal_bytes, o->sector_bytes,
                o->ordered ? "ordered" : "not ordered",
                o->size_before_data ? "size before data" : "data before size",
                (long long)o->flush_ns, o->faults ? "faults" : "no faults");
}
