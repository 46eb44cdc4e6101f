/* A transactional producer, of either generation. Several have the same transactional id, and fence one another.
 *
 * Owner: struct producer; one request is on its way at a time, and is sent again until it is answered for good.
 *
 *     none --InitProducerId--> ready --> [ AddPartitionsToTxn -> Produce | AddOffsetsToTxn -> TxnOffsetCommit ] ...
 *                                ^                 |           |
 *                                +---- EndTxn <----+           +--> forgotten, or fenced: none
 *
 * TV1 (librdkafka): partitions and groups are added before they are written to; the epoch stays. TV2 (KIP-890): the write adds
 * them; the epoch grows with each EndTxn.
 */
#include "txn_producer.h"

static struct producer *producer_of(struct actor *a)
{
    return CONTAINER_OF(a, struct producer, a);
}

static void begin(struct producer *p)
{
    struct world *w = p->a.w;

    p->txn = txn_begin(p->all, p->id_number);
    p->begin_ns = world_now(w);
    p->jumped_ms = w->jumped_ms;
    p->n_ops = 1 + (int)world_below(w, 5);
    p->offsets_added = p->anything = false;
    p->commit = world_chance(w, 750);
    memset(p->added, 0, sizeof(p->added));
    tp_to_phase(p, PHASE_WORK);
}

/* What comes next in the transaction; false: its end. */
static bool choose_op(struct producer *p)
{
    struct world *w = p->a.w;

    if (p->n_ops-- == 0)
        return false;
    if (world_chance(w, 200)) {
        p->op = OP_OFFSETS;
        return true;
    }
    p->op = OP_PRODUCE;
    for (int n = 1 + (int)world_below(w, 3); n > 0; n--) {
        int part = (int)world_below(w, (uint64_t)p->all->n_parts);

        if (!p->out[part].due)
            tp_build(p, part);
    }
    return true;
}

static void work(struct producer *p)
{
    if (p->op == OP_NONE && !choose_op(p)) {
        tp_to_phase(p, PHASE_END);
        tp_step_later(p, world_chance(p->a.w, 50) ? 20000 : 100); /* now and then one is away */
        return;
    }
    if (p->op == OP_PRODUCE && tp_must_add(p))
        tp_add_partitions(p);
    else if (p->op == OP_PRODUCE && tp_any_due(p))
        tp_produce(p);
    else if (p->op == OP_OFFSETS && !p->v2 && !p->offsets_added)
        tp_add_offsets(p);
    else if (p->op == OP_OFFSETS)
        tp_commit_offsets(p);
    else
        p->op = OP_NONE;
}

static void step(struct actor *a)
{
    struct producer *p = producer_of(a);
    struct world *w = a->w;

    if (p->waiting || !actor_connect(a))
        return;
    actor_sleep(a, RETRY_MS);
    if (!p->all->topics_there)
        return;
    if (w->draining && (p->phase == PHASE_NONE || p->phase == PHASE_READY))
        return;
    a->next_ns = INT64_MAX;
    if (p->phase != PHASE_NONE && world_chance(w, 15)) { /* it crashes, and knows nothing */
        world_event(w, "%s forgets all", a->name);
        p->bump = false;
        tp_forget(p);
        tp_step_later(p, world_chance(w, 300) ? 40000 : w->options.think_ms);
        return;
    }
    switch (p->phase) {
    case PHASE_NONE:
        tp_ask_id(p);
        break;
    case PHASE_READY:
        begin(p);
        tp_step_later(p, MIN(w->options.think_ms, 1000));
        break;
    case PHASE_WORK:
        work(p);
        break;
    case PHASE_END:
        tp_end(p);
        break;
    }
    if (!p->waiting && a->next_ns == INT64_MAX)
        actor_sleep(a, RETRY_MS);
}

static bool idle(const struct actor *a)
{
    const struct producer *p = CONTAINER_OF(a, const struct producer, a);

    return !p->waiting && (p->phase == PHASE_NONE || p->phase == PHASE_READY);
}

static void release(struct actor *a)
{
    tp_drop_batches(producer_of(a));
    free(producer_of(a));
}

void txn_producer_new(struct txns *all, int id, int number)
{
    struct producer *p = xcalloc(1, sizeof(*p));

    actor_add(all->w, &p->a, "txn", number, step);
    p->a.idle = idle;
    p->a.release = release;
    p->all = all;
    p->id = &all->ids[id];
    p->id_number = id;
    p->txn = p->producer_id = -1;
    p->epoch = -1;
}
