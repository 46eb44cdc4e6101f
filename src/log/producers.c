/* Idempotent producers: who wrote what last (ProducerStateManager, ProducerAppendInfo,
 * ProducerStateEntry).
 *
 * Owner: struct log, core thread. Which transactions are open: transactions.c.
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
    list_init(&ps->open);
    return ps;
}

static void forget(struct producers *ps, struct producer *p)
{
    ASSERT(ps->n > 0);
    HASH_DELETE(by_id, ps->by_id, p);
    list_remove(&p->in_use);
    list_remove(&p->in_open);
    ps->n--;
    free(p);
}

void producers_clear(struct producers *ps)
{
    LIST_FOREACH_SAFE(it, &ps->used)
    forget(ps, CONTAINER_OF(it, struct producer, in_use));
    verifications_release(ps);
    ASSERT(ps->n == 0);
    ASSERT(list_empty(&ps->open));
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
    list_init(&p->in_open);
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

static int16_t out_of_order(const struct batch *b, const struct log *l, struct errmsg *why,
                            int64_t current, const char *of_what)
{
    errmsg_set(why,
               "Out of order sequence number for producer %lld at offset %lld in partition %s-%d: "
               "%d (incoming seq. number), %lld (%s)",
               (long long)b->producer_id, (long long)l->end_offset, l->topic, l->partition,
               b->base_sequence, (long long)current, of_what);
    return KE_OUT_OF_ORDER_SEQUENCE_NUMBER;
}

/* The first batch of a transaction here must be the one with the lowest sequence that came; of KIP-890's producers,
 * where nothing is known, sequence 0. What came of an older epoch says nothing: one that is fenced must not hold up the one that
 * fences it. (In Apache Kafka's ProducerAppendInfo.checkSequence it does, and that one has to abort.) */
static int16_t check_first(const struct verification *v, const struct producer *p,
                           const struct log *l, const struct batch *b, struct errmsg *why)
{
    bool is_known = p && p->n_batches > 0;

    if (!v || v->producer_epoch < b->producer_epoch)
        return KE_NONE;
    if (v->supports_epoch_bump && b->base_sequence != 0 && !is_known) {
        errmsg_set(why,
                   "Invalid sequence number for producer %lld at offset %lld in partition %s-%d: %d "
                   "(incoming seq. number). Expected sequence 0 for transactions v2 idempotent "
                   "producer with no existing state.",
                   (long long)b->producer_id, (long long)l->end_offset, l->topic, l->partition,
                   b->base_sequence);
        return KE_OUT_OF_ORDER_SEQUENCE_NUMBER;
    }
    if (b->base_sequence > v->lowest_sequence)
        return out_of_order(b, l, why, v->lowest_sequence, "earliest seen sequence");
    return KE_NONE;
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
    return out_of_order(b, l, why, last_sequence(p), "current end sequence number");
}

/* transaction_version is 0 of data. From 2 on a marker's epoch is above that of its data; the same once more is the repeat
 * of a marker, which is written again (ProducerAppendInfo.checkProducerEpoch, KAFKA-19999). */
static int16_t check_epoch(const struct producer *p, const struct log *l, const struct batch *b,
                           int16_t transaction_version, struct errmsg *why)
{
    bool above = transaction_version >= 2;
    bool is_repeat = b->producer_epoch == p->epoch && (p->txn_first_offset < 0 || p->epoch == INT16_MAX);

    if (b->producer_epoch > p->epoch || (b->producer_epoch == p->epoch && (!above || is_repeat)))
        return KE_NONE;
    errmsg_set(why,
               "Epoch of producer %lld at offset %lld in %s-%d is %d, which is %s "
               "the last seen epoch %d",
               (long long)p->id, (long long)l->end_offset, l->topic, l->partition, b->producer_epoch,
               above ? "not above" : "smaller than", p->epoch);
    return KE_INVALID_PRODUCER_EPOCH;
}

static int16_t check_marker(const struct producer *p, const struct log *l, const struct batch *b,
                            const uint8_t *bytes, int16_t transaction_version, struct errmsg *why)
{
    struct end_marker marker;
    int16_t error;

    if (!p || marker_of_batch(bytes, b, &marker) < 0)
        return KE_NONE;
    error = check_epoch(p, l, b, transaction_version, why);
    if (error || p->coordinator_epoch <= marker.coordinator_epoch)
        return error;
    errmsg_set(why,
               "Invalid coordinator epoch for producerId %lld at offset %lld in partition %s-%d: "
               "%d (zombie), %d (current)",
               (long long)p->id, (long long)l->end_offset, l->topic, l->partition,
               marker.coordinator_epoch, p->coordinator_epoch);
    return KE_TRANSACTION_COORDINATOR_FENCED;
}

/* UnifiedLog.hasOngoingTransaction. */
static bool is_ongoing(const struct producer *p, const struct batch *b)
{
    return p && p->txn_first_offset >= 0 && p->epoch == b->producer_epoch;
}

static int16_t check_data(const struct producers *ps, const struct producer *p, const struct log *l,
                          const struct batch *b, bool sequences, struct errmsg *why)
{
    int16_t error = p && !PLANTED(skip_fence) ? check_epoch(p, l, b, 0, why) : KE_NONE;

    if (!error && sequences)
        error = check_first(verification_find(ps, b->producer_id), p, l, b, why);
    if (!error && sequences && p)
        error = check_sequence(p, l, b, why);
    if (!error && p && p->txn_first_offset >= 0 && !(b->attributes & BATCH_TRANSACTIONAL)) {
        errmsg_set(why,
                   "Expected transactional write from producer %lld at offset %lld in partition %s-%d",
                   (long long)p->id, (long long)l->end_offset, l->topic, l->partition);
        error = KE_INVALID_TXN_STATE;
    }
    return error;
}

int16_t producers_check(const struct producers *ps, const struct log *l, const struct batch *b,
                        const uint8_t *bytes, const struct log_append *a,
                        const struct producer_batch **duplicate, struct errmsg *why)
{
    bool from_client = a->origin == LOG_FROM_CLIENT;
    const struct producer *p;

    *duplicate = NULL;
    if (b->producer_id < 0)
        return KE_NONE;
    p = producers_find(ps, b->producer_id);
    if (b->attributes & BATCH_CONTROL)
        return check_marker(p, l, b, bytes, a->transaction_version, why);
    *duplicate = from_client && p ? find_duplicate(p, b) : NULL;
    if (*duplicate)
        return KE_NONE;
    if (from_client && (b->attributes & BATCH_TRANSACTIONAL) && !a->verified && !is_ongoing(p, b) &&
        l->m->config->transaction_partition_verification_enable) {
        errmsg_set(why, "Record was not part of an ongoing transaction");
        return KE_INVALID_TXN_STATE;
    }
    return check_data(ps, p, l, b, from_client, why);
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
        producers_txn_begin(ps, p, b->base_offset);
}

static bool apply_control(struct producers *ps, const struct batch *b, const uint8_t *p,
                          struct wall now, struct ended_txn *ended)
{
    struct end_marker marker;
    struct producer *producer;
    bool was_open;

    if (marker_of_batch(p, b, &marker) < 0)
        return false;
    producer = producers_take(ps, b->producer_id);
    set_epoch(producer, b->producer_epoch);
    producer->coordinator_epoch = marker.coordinator_epoch;
    set_used(producer, b, now);
    was_open = producer->txn_first_offset >= 0;
    if (was_open)
        *ended = producers_txn_end(ps, producer, b->base_offset, !marker.committed);
    return was_open;
}

bool producers_apply(struct producers *ps, const struct batch *b, const uint8_t *p, struct wall now,
                     struct ended_txn *ended)
{
    bool has_ended = false;

    ASSERT(IMPLIES(b->attributes & BATCH_CONTROL, p));
    if (b->producer_id < 0)
        return false;
    if (b->attributes & BATCH_CONTROL)
        has_ended = apply_control(ps, b, p, now, ended);
    else
        apply_data(ps, b, now);
    if (b->attributes & BATCH_TRANSACTIONAL)
        verification_end(ps, b->producer_id);
    return has_ended;
}

void producers_expire(struct producers *ps, struct wall now, int64_t expiration_ms)
{
    LIST_FOREACH_SAFE(it, &ps->used)
    {
        struct producer *p = CONTAINER_OF(it, struct producer, in_use);

        if (p->txn_first_offset < 0 && now.ms - p->used.ms > expiration_ms)
            forget(ps, p);
    }
    verifications_expire(ps, now, expiration_ms);
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
