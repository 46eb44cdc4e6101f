/* What answers mean to a transactional producer, and whether it may have got them.
 *
 * Owner: struct producer.
 *
 * Invariant:  a producer is told that it is fenced only if somebody else has asked for its id since, or its time was up.
 */
#include "txn_producer.h"

void tp_tell(struct producer *p, const char *what, int16_t error)
{
    world_event(p->a.w, "%s txn %lld (%lld, %d) %s: %s", p->a.name, (long long)p->txn,
                (long long)p->producer_id, p->epoch, what, kafka_error_name(error));
}

void tp_drop_batches(struct producer *p)
{
    for (int i = 0; i < p->all->n_parts; i++) {
        buf_release(&p->out[i].bytes);
        p->out[i] = (struct batch_out){0};
    }
    p->op = OP_NONE;
}

void tp_to_phase(struct producer *p, enum phase phase)
{
    bool was_busy = p->phase == PHASE_WORK || p->phase == PHASE_END;
    bool is_busy = phase == PHASE_WORK || phase == PHASE_END;

    p->all->n_busy += is_busy - was_busy;
    p->phase = phase;
}

void tp_forget(struct producer *p)
{
    tp_drop_batches(p);
    tp_to_phase(p, PHASE_NONE);
    p->unsure = false;
}

void tp_step_later(struct producer *p, int64_t mean_ms)
{
    p->waiting = false;
    actor_sleep(&p->a, mean_ms);
    if (p->a.w->draining) /* nobody thinks for minutes now */
        p->a.next_ns = MIN(p->a.next_ns, world_now(p->a.w) + 1000 * NS_PER_MS);
}

static bool may_be_fenced(const struct producer *p)
{
    const struct world *w = p->a.w;

    if (p->id->n_inits != p->my_init)
        return true;
    return (p->phase == PHASE_WORK || p->phase == PHASE_END) &&
           (world_now(w) - p->begin_ns >= p->timeout_ms * NS_PER_MS ||
            w->jumped_ms != p->jumped_ms);
}

static bool any_weak(const struct producer *p)
{
    for (int i = 0; i < p->all->n_parts; i++)
        if (p->all->parts[i].weak)
            return true;
    return false;
}

enum verdict tp_judge(struct producer *p, const char *what, int16_t error)
{
    struct world *w = p->a.w;
    bool right = true;
    enum verdict v = AGAIN;

    tp_tell(p, what, error);
    switch (error) {
    case KE_NONE:
        return GOOD;
    case KE_CONCURRENT_TRANSACTIONS:
    case KE_COORDINATOR_LOAD_IN_PROGRESS:
        break;
    case KE_NOT_ENOUGH_REPLICAS: /* the transaction before, or this one, is being ended */
        right = may_be_fenced(p) || world_faulty(w);
        break;
    case KE_COORDINATOR_NOT_AVAILABLE:
    case KE_KAFKA_STORAGE_ERROR:
    case KE_REQUEST_TIMED_OUT:
        right = world_faulty(w);
        break;
    case KE_PRODUCER_FENCED:
    case KE_INVALID_PRODUCER_EPOCH:
        right = may_be_fenced(p);
        v = FENCED;
        break;
    case KE_INVALID_TXN_STATE: /* TV2: it was aborted when its time was up */
    case KE_TRANSACTION_ABORTABLE:
        right = may_be_fenced(p);
        v = SPOILED;
        break;
    case KE_OUT_OF_ORDER_SEQUENCE_NUMBER:
        right = any_weak(p) || may_be_fenced(p);
        v = SPOILED;
        break;
    default:
        right = false;
    }
    if (!right)
        world_wrong(w, "%s: transaction %lld: %s: %s", p->a.name, (long long)p->txn, what,
                    kafka_error_name(error));
    return v;
}

void tp_check_holder(struct producer *p, const struct call *c, const char *what)
{
    if (p->id->holder && p->id->holder != p && c->sent_ns > p->id->holder_ns)
        world_wrong(p->a.w,
                    "%s: transaction %lld: %s was carried out after %s was given to another",
                    p->a.name, (long long)p->txn, what, p->id->name);
}

bool tp_dealt_with(struct producer *p, enum verdict v)
{
    if (v == FENCED) {
        p->all->n_fenced++;
        p->bump = false;
        tp_forget(p);
        tp_step_later(p, p->a.w->options.think_ms * 5);
        return true;
    }
    if (v == SPOILED) {
        if (p->phase == PHASE_END) {
            p->bump = false;
            tp_forget(p);
        } else {
            tp_drop_batches(p);
            p->commit = false;
            p->bump = true;
            tp_to_phase(p, PHASE_END);
        }
        tp_step_later(p, RETRY_MS);
        return true;
    }
    if (v == AGAIN)
        tp_step_later(p, RETRY_MS);
    return v == AGAIN;
}
