/* What the fuzz targets of coordinators share: the ground that a machine stands on, and an input that is cut into records.
 *
 * A record: key length i16, value length i16 (below 0: null), key, value. Of a key's length only the low 12 bits count; the others say
 * what the target makes of them.
 */
#ifndef FUZZ_MACHINE_H
#define FUZZ_MACHINE_H

#include "config.h"
#include "statelog.h"
#include "sys.h"
#include "wire.h"

#define FUZZ_LENGTH_MASK 0x0fff
#define FUZZ_SHARD       3
#define FUZZ_START_MS    1700000000000

struct fuzz_ground {
    struct env env;
    struct config config;
};

static inline void fuzz_ground_init(struct fuzz_ground *f)
{
    struct errmsg msg = {0};

    thread_mark(THREAD_CORE);
    diag_set_level(DIAG_ERROR + 1);
    *f = (struct fuzz_ground){.env.clock = clock_sim_new((struct wall){FUZZ_START_MS})};
    config_init(&f->config);
    ASSERT(config_finish(&f->config, true, &msg) == 0);
    timers_init(&f->env.timers);
    rng_init(&f->env.rng, 1);
}

static inline void fuzz_ground_release(struct fuzz_ground *f)
{
    timers_release(&f->env.timers);
    config_release(&f->config);
    clock_sim_free(f->env.clock);
}

static inline int16_t fuzz_no_shard(void *arg, int32_t shard, struct statelog **out)
{
    return KE_COORDINATOR_NOT_AVAILABLE;
}

static inline int32_t fuzz_some_shards(void *arg)
{
    return FUZZ_SHARD + 1;
}

static inline struct bytes fuzz_cut(struct wire_reader *r, int32_t n)
{
    size_t left = (size_t)(r->end - r->at);
    struct bytes b = bytes_of(r->at, MIN((size_t)n, left));

    r->at += b.n;
    return b;
}

/* apply is given each record, with its number as the offset, and the bits of its key's length. */
static inline void
fuzz_records(struct bytes input,
             void (*apply)(void *machine, struct statelog_record *r, int32_t bits), void *machine)
{
    struct wire_reader r;
    struct arena arena;
    int64_t offset = 0;

    arena_init(&arena);
    wire_reader_init(&r, input, &arena);
    while (r.end - r.at >= 4) {
        struct statelog_record record = {.offset = offset++, .producer_id = -1};
        int32_t key_n = (uint16_t)wire_get_int16(&r), value_n = wire_get_int16(&r);

        record.key = fuzz_cut(&r, key_n & FUZZ_LENGTH_MASK);
        if (value_n >= 0)
            record.value = fuzz_cut(&r, value_n & FUZZ_LENGTH_MASK);
        apply(machine, &record, key_n & ~FUZZ_LENGTH_MASK);
    }
    arena_release(&arena);
}

#endif
