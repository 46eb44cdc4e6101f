/* Records of __transaction_state from anybody: applied as at a start, then the transactions are hashed. */
#include "log.h"
#include "machine.h"
#include "txn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static int no_marker(void *arg, struct str topic, int32_t partition,
                     const struct txn_marker *marker, struct log **log, int64_t *end)
{
    *log = NULL;
    return 0;
}

static void apply(void *machine, struct statelog_record *r, int32_t bits)
{
    txn_shard_apply(machine, r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct fuzz_ground ground;
    struct txnm_options options = {.config = &ground.config,
                                   .shard = fuzz_no_shard,
                                   .n_shards = fuzz_some_shards,
                                   .write_marker = no_marker};
    struct txnm *m;

    fuzz_ground_init(&ground);
    m = txnm_new(&ground.env, &options);
    fuzz_records(bytes_of(data, n), apply, txnm_shard(m, FUZZ_SHARD, 0));
    txnm_digest(m);
    txnm_settled(m);
    txnm_free(m);
    fuzz_ground_release(&ground);
    return 0;
}
