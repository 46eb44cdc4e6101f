/* Producers that wait for a batch that was refused: what they sent behind it is refused too.
 *
 * Owner: struct producers of one log, core thread.
 *
 *     nothing known --a batch is refused for lack of space--> held at its first sequence
 *     held --that sequence is written, or a new epoch comes, or HELD_MS pass--> nothing known
 *
 * Happy path: an idempotent client has five batches in flight, the disk is full for the first and not for the second (there is
 *             space again, or it is smaller) -> the second gets the same error as the first -> the client sends both again.
 * Invariant:  a producer that is held is there once; its sequence is the lowest that was refused.
 * Failures:   none. Past HELD_MAX the one that was refused longest ago is forgotten.
 *
 * Why: a producer that is not known may begin with any sequence, as in Apache Kafka. So after the first batch of a new one was
 * refused the second would be taken, and the first be out of order for good.
 */
#include "segment.h"

#define HELD_MAX 1000
#define HELD_MS  (10 * 60 * 1000) /* five times delivery.timeout.ms: the client has given up */

struct held {
    int64_t id;
    int16_t epoch;
    int32_t sequence;
    struct mono since;
};

static bool is_after(int32_t a, int32_t b)
{
    uint32_t distance = ((uint32_t)a - (uint32_t)b) & INT32_MAX; /* they wrap past 2^31-1 */

    return distance > 0 && distance <= INT32_MAX / 2;
}

static struct held *find(const struct producers *ps, int64_t id)
{
    for (uint32_t i = 0; i < ps->n_held; i++)
        if (ps->held[i].id == id)
            return &ps->held[i];
    return NULL;
}

static void forget(struct producers *ps, struct held *h)
{
    uint32_t i = (uint32_t)(h - ps->held);

    ASSERT(i < ps->n_held);
    ps->n_held--;
    memmove(h, h + 1, (ps->n_held - i) * sizeof(*h));
    if (ps->n_held == 0)
        held_release(ps);
}

void held_release(struct producers *ps)
{
    free(ps->held);
    ps->held = NULL;
    ps->n_held = ps->cap_held = 0;
}

bool held_check(struct producers *ps, const struct batch *b, struct mono now)
{
    struct held *h = b->producer_id >= 0 ? find(ps, b->producer_id) : NULL;

    if (!h)
        return false;
    if (b->producer_epoch > h->epoch || mono_after_ms(h->since, HELD_MS).ns <= now.ns) {
        forget(ps, h);
        return false;
    }
    return b->producer_epoch == h->epoch && is_after(b->base_sequence, h->sequence);
}

void held_refused(struct producers *ps, const struct batch *b, struct mono now)
{
    struct held *h = b->producer_id >= 0 ? find(ps, b->producer_id) : NULL;
    int32_t sequence = b->base_sequence;

    if (b->producer_id < 0)
        return;
    if (h && h->epoch == b->producer_epoch && is_after(sequence, h->sequence))
        sequence = h->sequence;
    if (h)
        forget(ps, h); /* the list is by age */
    if (ps->n_held == HELD_MAX)
        forget(ps, &ps->held[0]);
    if (ps->n_held == ps->cap_held) {
        ps->cap_held = MAX(4, ps->cap_held * 2);
        ps->held = xrealloc_array(ps->held, ps->cap_held, sizeof(*ps->held));
    }
    ps->held[ps->n_held++] = (struct held){b->producer_id, b->producer_epoch, sequence, now};
}

void held_written(struct producers *ps, const struct batch *b)
{
    struct held *h = b->producer_id >= 0 ? find(ps, b->producer_id) : NULL;

    if (h && (h->epoch != b->producer_epoch || !is_after(h->sequence, batch_last_sequence(b))))
        forget(ps, h);
}

/* ---- before there is a log ------------------------------------------------------------------ */

struct refused {
    struct list link; /* in logm.refused, oldest first */
    char *name_key;
    struct uuid topic_id;
    struct batch batch; /* its header */
    struct mono at;
};

static void refused_free(struct logm *m, struct refused *r)
{
    ASSERT(m->n_refused > 0);
    m->n_refused--;
    list_remove(&r->link);
    free(r->name_key);
    free(r);
}

void logm_refused(struct logm *m, const char *topic, int32_t partition, struct uuid topic_id,
                  struct bytes batch)
{
    struct refused *r;
    struct batch b;

    ASSERT_CORE();
    if (batch.n < BATCH_HEADER_BYTES || batch_decode(batch.p, &b) < 0 || b.producer_id < 0)
        return;
    if (m->n_refused == HELD_MAX)
        refused_free(m, CONTAINER_OF(list_first(&m->refused), struct refused, link));
    r = xcalloc(1, sizeof(*r));
    r->name_key = xasprintf("%s-%d", topic, partition);
    r->topic_id = topic_id;
    r->batch = b;
    r->at = clock_mono(m->env->clock);
    list_init(&r->link);
    list_push(&m->refused, &r->link);
    m->n_refused++;
}

void refused_take(struct log *l)
{
    LIST_FOREACH_SAFE(it, &l->m->refused)
    {
        struct refused *r = CONTAINER_OF(it, struct refused, link);

        if (strcmp(r->name_key, l->name_key) != 0 || !uuid_eq(r->topic_id, l->topic_id))
            continue;
        held_refused(l->producers, &r->batch, r->at);
        refused_free(l->m, r);
    }
}

void refused_release(struct logm *m)
{
    struct list *first;

    while ((first = list_first(&m->refused)))
        refused_free(m, CONTAINER_OF(first, struct refused, link));
}
