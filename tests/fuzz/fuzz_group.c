/* Records of __consumer_offsets from anybody: applied as at a start, then the groups are loaded and
 * hashed. Embedded in them: subscriptions and assignments, which are clients' own bytes.
 *
 * The input is cut into records: key length i16, value length i16 (below 0: null), key, value. The top
 * bits of a key's length say what the batch around it is: a transaction's, or a marker.
 */
#include "group.h"
#include "log.h"

#define TRANSACTIONAL  0x4000
#define CONTROL        0x2000
#define LENGTH_MASK    0x0fff
#define SHARD          3
#define PRODUCERS_MASK 3
#define START_MS       1700000000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static int16_t no_shard(void *arg, int32_t shard, struct statelog **out)
{
    return KE_COORDINATOR_NOT_AVAILABLE;
}

static int32_t some_shards(void *arg)
{
    return SHARD + 1;
}

static struct bytes cut(struct wire_reader *r, int32_t n)
{
    size_t left = (size_t)(r->end - r->at);
    struct bytes b = bytes_of(r->at, MIN((size_t)n, left));

    r->at += b.n;
    return b;
}

static void apply_all(struct group_shard *s, struct bytes input)
{
    struct wire_reader r;
    struct arena arena;
    int64_t offset = 0;

    arena_init(&arena);
    wire_reader_init(&r, input, &arena);
    while (r.end - r.at >= 4) {
        struct statelog_record record = {.offset = offset++};
        int32_t key_n = (uint16_t)wire_get_int16(&r), value_n = wire_get_int16(&r);

        record.transactional = (key_n & TRANSACTIONAL) != 0;
        record.control = (key_n & CONTROL) != 0;
        record.producer_id = record.transactional || record.control ? offset & PRODUCERS_MASK : -1;
        record.key = cut(&r, key_n & LENGTH_MASK);
        if (value_n >= 0)
            record.value = cut(&r, value_n & LENGTH_MASK);
        group_shard_apply(s, &record);
    }
    arena_release(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct clock *clock = clock_sim_new((struct wall){START_MS});
    struct groupm_options options = {.shard = no_shard, .n_shards = some_shards};
    struct env env = {.clock = clock};
    struct errmsg msg = {0};
    struct config config;
    struct groupm *g;

    thread_mark(THREAD_CORE);
    diag_set_level(DIAG_ERROR + 1);
    config_init(&config);
    ASSERT(config_finish(&config, true, &msg) == 0);
    timers_init(&env.timers);
    rng_init(&env.rng, 1);
    options.config = &config;
    g = groupm_new(&env, &options);
    apply_all(groupm_shard(g, SHARD), bytes_of(data, n));
    group_shard_loaded(groupm_shard(g, SHARD));
    groupm_digest(g);
    groupm_free(g);
    timers_release(&env.timers);
    config_release(&config);
    clock_sim_free(clock);
    return 0;
}
