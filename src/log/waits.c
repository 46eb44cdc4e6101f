/* Waits: telling somebody when an offset is durable, or when there is something new to read.
 *
 * Owner: core thread. A wait is embedded in what waits, and sits in one list at a time.
 *
 *     not waiting --log_wait_...--> in a log's list --the bound passes it, or the log ends--> due
 *     due --fire--> not waiting                            log_wait_cancel leads back from both
 *
 * Happy path: a commit moves flushed_offset -> waits_wake puts the log on m->awake -> waits_turn
 *             moves what is due to m->due -> fires one after the other.
 * Invariant:  a log's lists are sorted by offset, so that waking costs as much as it fires. While
 *             waits fire, no log is touched: what fires may append, delete logs and wait again.
 *             What comes due meanwhile fires in the next turn.
 */
#include "directory.h"

void waits_init(struct logm *m)
{
    list_init(&m->awake);
    for (int i = 0; i < 3; i++)
        list_init(&m->due[i]);
}

bool waits_idle(const struct logm *m)
{
    return list_empty(&m->awake) && list_empty(&m->due[DUE_OK]) &&
           list_empty(&m->due[DUE_OFFLINE]) && list_empty(&m->due[DUE_CANCELED]);
}

void waits_wake(struct log *l)
{
    ASSERT_CORE();
    if (list_empty(&l->in_awake))
        list_push(&l->m->awake, &l->in_awake);
}

/* Everything below it is as durable as the topic promises. */
static int64_t durable_bound(const struct log *l)
{
    return l->config.durable && !PLANTED(ack_before_flush) ? l->flushed_offset : log_promised_end(l);
}

static struct log_wait *wait_of(struct list *link)
{
    return CONTAINER_OF(link, struct log_wait, link);
}

static void wait_begin(struct log *l, struct list *head, struct log_wait *w, int64_t offset,
                       void (*fire)(struct log_wait *, int))
{
    struct list *before = head->prev;

    ASSERT_CORE();
    ASSERT(l->magic == LOG_MAGIC);
    ASSERT(!w->log);
    ASSERT(fire);
    ASSERT(offset >= 0);
    w->log = l;
    w->offset = offset;
    w->fire = fire;
    while (before != head && wait_of(before)->offset > offset)
        before = before->prev;
    list_init(&w->link);
    list_push(before->next, &w->link); /* before what follows */
}

void log_wait_durable(struct log *l, struct log_wait *w, int64_t end,
                      void (*fire)(struct log_wait *, int))
{
    wait_begin(l, &l->durable_waits, w, end, fire);
    if (durable_bound(l) >= end)
        waits_wake(l);
    else if (l->dir->offline)
        waits_offline(l);
}

void log_wait_start(struct log *l, struct log_wait *w, int64_t offset, void (*fire)(struct log_wait *, int))
{
    wait_begin(l, &l->start_waits, w, offset, fire);
    if (log_start_durable(l) >= offset)
        waits_wake(l);
    else if (l->dir->offline)
        waits_offline(l);
}

void waits_start_noted(struct log *l)
{
    if (!list_empty(&l->start_waits))
        waits_wake(l);
}

void log_wait_readable(struct log *l, struct log_wait *w, int64_t beyond, enum isolation isolation,
                       void (*fire)(struct log_wait *, int))
{
    bool committed = isolation == READ_COMMITTED;

    wait_begin(l, committed ? &l->committed_waits : &l->readable_waits, w, beyond, fire);
    if ((committed ? l->stable_offset : l->high_watermark) > beyond)
        waits_wake(l);
}

void log_wait_cancel(struct log_wait *w)
{
    ASSERT_CORE();
    if (!w->log)
        return;
    list_remove(&w->link);
    w->log = NULL;
}

static void move_due(struct list *waits, struct list *due, int64_t end)
{
    struct list *first;

    while ((first = list_first(waits)) && wait_of(first)->offset < end) {
        list_remove(first);
        list_push(due, first);
    }
}

/* A durable wait for `end` is due when the bound is `end`; a reader's when its bound is past it. */
static void move_due_of(struct log *l)
{
    struct list *due = &l->m->due[DUE_OK];
    int64_t durable = durable_bound(l);

    move_due(&l->durable_waits, due, durable < INT64_MAX ? durable + 1 : durable);
    move_due(&l->readable_waits, due, l->high_watermark);
    move_due(&l->committed_waits, due, l->stable_offset);
    if (!list_empty(&l->start_waits))
        move_due(&l->start_waits, due, log_start_durable(l) + 1);
}

void waits_offline(struct log *l)
{
    int64_t durable = durable_bound(l);

    move_due(&l->durable_waits, &l->m->due[DUE_OK], durable < INT64_MAX ? durable + 1 : durable);
    move_due(&l->durable_waits, &l->m->due[DUE_OFFLINE], INT64_MAX);
    if (!list_empty(&l->start_waits))
        move_due(&l->start_waits, &l->m->due[DUE_OK], log_start_durable(l) + 1);
    move_due(&l->start_waits, &l->m->due[DUE_OFFLINE], INT64_MAX);
}

void waits_cancel_all(struct log *l)
{
    struct list *due = &l->m->due[DUE_CANCELED];

    move_due(&l->durable_waits, due, INT64_MAX);
    move_due(&l->readable_waits, due, INT64_MAX);
    move_due(&l->committed_waits, due, INT64_MAX);
    move_due(&l->start_waits, due, INT64_MAX);
    list_remove(&l->in_awake);
}

/* `batch` is on the stack and not in m->due, so that what comes due while waits fire is not fired
 * in this turn; a wait that is cancelled meanwhile leaves it by list_remove. */
static void fire_all(struct list *batch, int rc)
{
    struct list *first;

    while ((first = list_first(batch))) {
        struct log_wait *w = wait_of(first);

        list_remove(first);
        ASSERT(w->log);
        w->log = NULL;
        w->fire(w, rc);
    }
}

void waits_turn(struct logm *m)
{
    static const int rcs[3] = {[DUE_OFFLINE] = E_OFFLINE, [DUE_CANCELED] = E_CANCELED};
    struct list batches[3];
    struct list *first;

    ASSERT_CORE();
    while ((first = list_first(&m->awake))) {
        list_remove(first);
        move_due_of(CONTAINER_OF(first, struct log, in_awake));
    }
    for (int i = 0; i < 3; i++)
        list_move_all(&m->due[i], &batches[i]);
    for (int i = 0; i < 3; i++)
        fire_all(&batches[i], rcs[i]);
}
