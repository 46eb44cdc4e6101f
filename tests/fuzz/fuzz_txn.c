/* Records of __transaction_state from anybody: applied as at a start, then the transactions are described and hashed.
 *
 * The input is cut into records: key length i16, value length i16 (below 0: null), key, value.
 */
#include "log.h"
#include "txn.h"

#define LENGTH_MASK 0x0fff
#define SHARD       3
#define START_MS    1700000000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static int16_t no_shard(void *arg, int32_t shard, struct statelog **out)
{
    return KE_COORDINATOR_NOT_AVAILABLE;
}

static int32_t some_shards(void *arg)
{
    return SHARD + 1;
}

static int no_marker(void *arg, struct str topic, int32_t partition, const struct txn_marker *marker,
                     struct log **log, int64_t *end)
{
    *log = NULL;
    return 0;
}

static struct bytes cut(struct wire_reader *r, int32_t n)
{
    size_t left = (size_t)(r->end - r->at);
    struct bytes b = bytes_of(r->at, MIN((size_t)n, left));

    r->at += b.n;
    return b;
}

static void apply_all(struct txn_shard *s, struct bytes input)
{
    struct wire_reader r;
    struct arena arena;
    int64_t offset = 0;

    arena_init(&arena);
    wire_reader_init(&r, input, &arena);
    while (r.end - r.at >= 4) {
        struct statelog_record record = {.offset = offset++, .producer_id = NO_PRODUCER_ID};
        int32_t key_n = (uint16_t)wire_get_int16(&r), value_n = wire_get_int16(&r);

        record.key = cut(&r, key_n & LENGTH_MASK);
        if (value_n >= 0)
            record.value = cut(&r, value_n & LENGTH_MASK);
        txn_shard_apply(s, &record);
    }
    arena_release(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct clock *clock = clock_sim_new((struct wall){START_MS});
    struct txnm_options options = {
        .shard = no_shard, .n_shards = some_shards, .write_marker = no_marker};
    struct env env = {.clock = clock};
    struct errmsg msg = {0};
    struct config config;
    struct txnm *m;

    thread_mark(THREAD_CORE);
    diag_set_level(DIAG_ERROR + 1);
    config_init(&config);
    ASSERT(config_finish(&config, true, &msg) == 0);
    timers_init(&env.timers);
    rng_init(&env.rng, 1);
    options.config = &config;
    m = txnm_new(&env, &options);
    apply_all(txnm_shard(m, SHARD, 0), bytes_of(data, n));
    txnm_digest(m);
    txnm_settled(m);
    txnm_free(m);
    timers_release(&env.timers);
    config_release(&config);
    clock_sim_free(clock);
    return 0;
}
