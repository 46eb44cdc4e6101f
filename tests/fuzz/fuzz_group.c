/* Records of __consumer_offsets from anybody: applied as at a start, then the groups are loaded and
 * hashed. Embedded in them: subscriptions and assignments, which are clients' own bytes.
 *
 * The top bits of a key's length say what the batch around it is: a transaction's, or a marker.
 */
#include "group.h"
#include "log.h"
#include "machine.h"

#define TRANSACTIONAL  0x4000
#define CONTROL        0x2000
#define PRODUCERS_MASK 3

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void apply(void *machine, struct statelog_record *r, int32_t bits)
{
    r->transactional = (bits & TRANSACTIONAL) != 0;
    r->control = (bits & CONTROL) != 0;
    if (r->transactional || r->control)
        r->producer_id = (r->offset + 1) & PRODUCERS_MASK;
    group_shard_apply(machine, r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct fuzz_ground ground;
    struct groupm_options options = {
        .config = &ground.config, .shard = fuzz_no_shard, .n_shards = fuzz_some_shards};
    struct groupm *g;

    fuzz_ground_init(&ground);
    g = groupm_new(&ground.env, &options);
    fuzz_records(bytes_of(data, n), apply, groupm_shard(g, FUZZ_SHARD));
    group_shard_loaded(groupm_shard(g, FUZZ_SHARD));
    groupm_digest(g);
    groupm_free(g);
    fuzz_ground_release(&ground);
    return 0;
}
