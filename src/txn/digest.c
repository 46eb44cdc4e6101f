/* A hash over what transactions hold and will hold again after a clean stop and a start.
 *
 * Owner: struct txnm, core thread.
 *
 * A sum over all transactions, so that the order in which they are kept does not matter. What a start
 * forgets, the epoch before the last, is not in it.
 */
#include "internal.h"

static uint64_t add(uint64_t h, const void *p, size_t n)
{
    const uint8_t *at = p;

    for (size_t i = 0; i < n; i++)
        h = (h ^ at[i]) * 1099511628211u;
    return h;
}

static uint64_t add_int(uint64_t h, int64_t v)
{
    return add(h, &v, sizeof(v));
}

static uint64_t of_partitions(const struct transaction *t)
{
    uint64_t sum = 0;

    for (const struct txn_topic *topic = t->topics; topic; topic = topic->hh.next) {
        uint64_t h = add(14695981039346656037u, topic->name.p, topic->name.n);

        sum += add(h, topic->partitions, (size_t)topic->n * sizeof(*topic->partitions));
    }
    return sum;
}

static uint64_t of_transaction(const struct transaction *t)
{
    uint64_t h = add(14695981039346656037u, t->id.p, t->id.n);

    h = add_int(h, t->shard->index);
    h = add_int(add_int(h, t->v.producer_id), t->v.producer_epoch);
    h = add_int(add_int(h, t->v.previous_producer_id), t->v.next_producer_id);
    h = add_int(add_int(h, t->v.timeout_ms), t->v.state);
    h = add_int(add_int(h, t->v.start_ms), t->v.update_ms);
    h = add_int(h, t->v.client_version);
    return add_int(h, (int64_t)of_partitions(t));
}

uint64_t txnm_digest(const struct txnm *m)
{
    uint64_t sum = 0;

    ASSERT(m->magic == TXNM_MAGIC);
    for (const struct transaction *t = m->by_producer; t; t = t->by_producer.next)
        sum += of_transaction(t);
    return sum;
}

bool txnm_settled(const struct txnm *m)
{
    ASSERT(m->magic == TXNM_MAGIC);
    for (const struct transaction *t = m->by_producer; t; t = t->by_producer.next)
        if (t->ending)
            return false;
    return true;
}
