/* Idempotent producers: who wrote what last (ProducerStateManager, ProducerAppendInfo,
 * ProducerStateEntry).
 *
 * Owner: struct log, core thread.
 *
 * Happy path: check (before the write) -> write -> apply (after it). Replay is apply alone.
 * Invariant:  a producer's batches are of its present epoch, oldest first, at most 5; `used` holds
 *             every producer once.
 * Failures:   none of the environment. What a producer did wrong is a protocol error, and nothing
 *             is changed.
 *
 * A producer that is not known may begin with any sequence number: its state may have expired or
 * gone with a snapshot (KIP-360).
 */
#include "segment.h"

struct producers *producers_new(void)
{
    struct producers *ps = xcalloc(1, sizeof(*ps));

    list_init(&ps->used);
    return ps;
}

static void forget(struct producers *ps, struct producer *p)
{
    ASSERT(ps->n > 0);
    HASH_DELETE(by_id, ps->by_id, p);
    list_remove(&p->in_use);
    ps->n--;
    free(p);
}

void producers_clear(struct producers *ps)
{
    LIST_FOREACH_SAFE(it, &ps->used)
    forget(ps, CONTAINER_OF(it, struct producer, in_use));
    ASSERT(ps->n == 0);
}

void producers_free(struct producers *ps)
{
    if (!ps)
        return;
    producers_clear(ps);
    held_release(ps);
    free(ps);
}

struct producer *producers_find(const struct producers *ps, int64_t id)
{
    struct producer *p;

    HASH_FIND(by_id, ps->by_id, &id, sizeof(id), p);
    return p;
}

static void make_room(struct producers *ps)
{
    LIST_FOREACH_SAFE(it, &ps->used)
    {
        struct producer *p = CONTAINER_OF(it, struct producer, in_use);

        if (ps->n < PRODUCERS_MAX)
            return;
        if (p->txn_first_offset < 0)
            forget(ps, p);
    }
}

struct producer *producers_take(struct producers *ps, int64_t id)
{
    struct producer *p = producers_find(ps, id);

    ASSERT(id >= 0);
    if (p) {
        list_remove(&p->in_use);
        list_push(&ps->used, &p->in_use);
        return p;
    }
    if (ps->n >= PRODUCERS_MAX)
        make_room(ps);
    p = xcalloc(1, sizeof(*p));
    p->id = id;
    p->epoch = NO_PRODUCER_EPOCH;
    p->coordinator_epoch = -1;
    p->timestamp_ms = NO_TIMESTAMP;
    p->txn_first_offset = -1;
    HASH_ADD(by_id, ps->by_id, id, sizeof(p->id), p);
    list_push(&ps->used, &p->in_use);
    ps->n++;
    return p;
}

/* ---- checks --------------------------------------------------------------------------------- */

static int32_t last_sequence(const struct producer *p)
{
    return p->n_batches > 0 ? p->batches[p->n_batches - 1].last_sequence : NO_SEQUENCE;
}

static int32_t first_sequence(const struct producer_batch *b)
{
    int64_t first = (int64_t)b->last_sequence - b->offset_delta;

    return (int32_t)(first >= 0 ? first : first + INT32_MAX + 1); /* it wrapped past 2^31-1 */
}

static const struct producer_batch *find_duplicate(const struct producer *p, const struct batch *b)
{
    if (b->producer_epoch != p->epoch)
        return NULL;
    for (int i = 0; i < p->n_batches; i++) {
        const struct producer_batch *have = &p->batches[i];

        if (first_sequence(have) == b->base_sequence &&
            have->last_sequence == batch_last_sequence(b))
            return have;
    }
    return NULL;
}

static bool in_sequence(int32_t last, int32_t next)
{
    return next == (int64_t)last + 1 || (next == 0 && last == INT32_MAX);
}

static int16_t check_sequence(const struct producer *p, const struct log *l, const struct batch *b,
                              struct errmsg *why)
{
    if (b->producer_epoch != p->epoch) {
        if (b->base_sequence == 0 || p->epoch == NO_PRODUCER_EPOCH)
            return KE_NONE;
        errmsg_set(why,
                   "Invalid sequence number for new epoch of producer %lld at offset %lld in "
                   "partition %s-%d: %d (request "
                   "epoch), %d (seq. number), %d (current producer epoch)",
                   (long long)p->id, (long long)l->end_offset, l->topic, l->partition,
                   b->producer_epoch, b->base_sequence, p->epoch);
        return KE_OUT_OF_ORDER_SEQUENCE_NUMBER;
    }
    if (in_sequence(last_sequence(p), b->base_sequence))
        return KE_NONE;
    errmsg_set(why,
               "Out of order sequence number for producer %lld at offset %lld in partition %s-%d: "
               "%d (incoming seq. number), "
               "%d (current end sequence number)",
               (long long)p->id, (long long)l->end_offset, l->topic, l->partition, b->base_sequence,
               last_sequence(p));
    return KE_OUT_OF_ORDER_SEQUENCE_NUMBER;
}

int16_t producers_check(const struct producers *ps, const struct log *l, const struct batch *b,
                        bool sequences, const struct producer_batch **duplicate, struct errmsg *why)
{
    const struct producer *p;

    *duplicate = NULL;
    if (b->producer_id < 0)
        return KE_NONE;
    p = producers_find(ps, b->producer_id);
    if (!p)
        return KE_NONE;
    *duplicate = sequences ? find_duplicate(p, b) : NULL;
    if (*duplicate)
        return KE_NONE;
    if (b->producer_epoch < p->epoch) {
        errmsg_set(why,
                   "Epoch of producer %lld at offset %lld in %s-%d is %d, which is smaller than "
                   "the last seen epoch %d",
                   (long long)p->id, (long long)l->end_offset, l->topic, l->partition,
                   b->producer_epoch, p->epoch);
        return KE_INVALID_PRODUCER_EPOCH;
    }
    return sequences ? check_sequence(p, l, b, why) : KE_NONE;
}

/* ---- changes -------------------------------------------------------------------------------- */

static void set_epoch(struct producer *p, int16_t epoch)
{
    if (p->epoch == epoch)
        return;
    p->epoch = epoch;
    p->n_batches = 0;
}

static void add_batch(struct producer *p, const struct batch *b)
{
    if (p->n_batches == PRODUCER_BATCHES_MAX)
        memmove(p->batches, p->batches + 1, (size_t)--p->n_batches * sizeof(p->batches[0]));
    p->batches[p->n_batches++] = (struct producer_batch){
        .last_sequence = batch_last_sequence(b),
        .offset_delta = b->last_offset_delta,
        .last_offset = batch_last_offset(b),
        .timestamp_ms = b->max_timestamp_ms,
    };
}

static void set_used(struct producer *p, const struct batch *b, struct wall now)
{
    p->timestamp_ms = b->max_timestamp_ms;
    p->used.ms = MAX(p->timestamp_ms, now.ms);
}

static void apply_data(struct producers *ps, const struct batch *b, struct wall now)
{
    struct producer *p = producers_take(ps, b->producer_id);

    set_epoch(p, b->producer_epoch);
    add_batch(p, b);
    set_used(p, b, now);
    if ((b->attributes & BATCH_TRANSACTIONAL) && p->txn_first_offset < 0)
        p->txn_first_offset = b->base_offset;
}

/* EndTransactionMarker: which one, and of which coordinator. False for control records of another
 * kind. */
static bool marker_of(const struct batch *b, const uint8_t *p, int32_t *coordinator_epoch)
{
    struct record_iter it;
    struct record r;
    struct buf scratch;
    int16_t type;
    bool is_marker;

    buf_init(&scratch);
    is_marker = record_iter_init(&it, p, b, b->total_bytes, &scratch) == 0 &&
                record_iter_next(&it, &r) == 1 && control_key_get(r.key, &type) == 0 &&
                (type == CONTROL_ABORT || type == CONTROL_COMMIT);
    *coordinator_epoch = is_marker && r.value.n >= 6 ? (int32_t)get_be32(r.value.p + 2) : -1;
    buf_release(&scratch);
    return is_marker;
}

static void apply_control(struct producers *ps, const struct batch *b, const uint8_t *p,
                          struct wall now)
{
    int32_t coordinator_epoch;
    struct producer *producer;

    if (b->record_count == 0 || !marker_of(b, p, &coordinator_epoch))
        return;
    producer = producers_take(ps, b->producer_id);
    set_epoch(producer, b->producer_epoch);
    producer->coordinator_epoch = coordinator_epoch;
    producer->txn_first_offset = -1;
    set_used(producer, b, now);
}

void producers_apply(struct producers *ps, const struct batch *b, const uint8_t *p, struct wall now)
{
    ASSERT(IMPLIES(b->attributes & BATCH_CONTROL, p));
    if (b->producer_id < 0)
        return;
    if (b->attributes & BATCH_CONTROL)
        apply_control(ps, b, p, now);
    else
        apply_data(ps, b, now);
}

void producers_expire(struct producers *ps, struct wall now, int64_t expiration_ms)
{
    LIST_FOREACH_SAFE(it, &ps->used)
    {
        struct producer *p = CONTAINER_OF(it, struct producer, in_use);

        if (p->txn_first_offset < 0 && now.ms - p->used.ms > expiration_ms)
            forget(ps, p);
    }
}

static uint64_t mix(uint64_t h, int64_t v)
{
    h = (h ^ (uint64_t)v) * 0x9e3779b97f4a7c15u;
    return h ^ (h >> 29);
}

uint64_t producers_digest(const struct producers *ps)
{
    uint64_t sum = ps->n;

    for (const struct producer *p = ps->by_id; p; p = p->by_id.next) {
        uint64_t h = mix(mix(mix(1, p->id), p->epoch), p->coordinator_epoch);

        h = mix(mix(h, last_sequence(p)), p->txn_first_offset);
        h = mix(h, p->timestamp_ms);
        if (p->n_batches > 0)
            h = mix(h, p->batches[p->n_batches - 1].last_offset);
        sum += h; /* whatever the order */
    }
    return sum;
}
