/* The transactions of a partition: which are open, where readers of committed records must stop, what was aborted.
 *
 * Owner: struct log, core thread. The producers' state says who has one open (producers.c).
 *
 *     none --the first batch, verified by the coordinator--> open --a marker--> ended --the high watermark passes it--> none
 *
 * Happy path: a batch opens a transaction: producers.open, by its first offset -> a marker ends it: l->ended, and, aborted, an
 *             entry in the segment's .txnindex -> a commit moves the high watermark past the marker -> log_bound_moved: the
 *             stable offset moves, readers wake.
 * Invariant:  the stable offset never goes back: a transaction begins at the end of the log, and one that was ended counts
 *             until its marker is as durable as the topic promises (ProducerStateManager.firstUnstableOffset).
 * Failures:   none here; the index looks after its own.
 *
 * Verification (KIP-890): the first batch of a transaction in a partition is taken when the coordinator has the partition in it.
 * It is asked in the same turn in which the batch is written, so nothing can come between: no guard is needed beside the
 * lowest sequence, which keeps first batches in their order when one was refused.
 */
#include "places.h"

#define VERIFICATIONS_MAX 100000 /* of one partition; past it nothing is remembered of a new one */

/* ---- which are open --------------------------------------------------------------------------- */

static struct producer *producer_of(const struct list *in_open)
{
    return CONTAINER_OF(in_open, struct producer, in_open);
}

void producers_txn_begin(struct producers *ps, struct producer *p, int64_t first_offset)
{
    ASSERT(p->txn_first_offset < 0);
    ASSERT(list_empty(&p->in_open));
    ASSERT(IMPLIES(!list_empty(&ps->open), producer_of(ps->open.prev)->txn_first_offset < first_offset));
    p->txn_first_offset = first_offset;
    list_push(&ps->open, &p->in_open);
}

int64_t producers_first_open(const struct producers *ps)
{
    return ps->open.next == &ps->open ? -1 : producer_of(ps->open.next)->txn_first_offset;
}

struct ended_txn producers_txn_end(struct producers *ps, struct producer *p, int64_t last_offset, bool aborted)
{
    struct ended_txn ended = {.aborted = aborted};
    int64_t first_open;

    ASSERT(p->txn_first_offset >= 0);
    ASSERT(p->txn_first_offset < last_offset);
    ended.txn = (struct log_aborted){p->id, p->txn_first_offset, last_offset, last_offset + 1};
    list_remove(&p->in_open);
    p->txn_first_offset = -1;
    first_open = producers_first_open(ps);
    if (first_open >= 0)
        ended.txn.stable_offset = first_open;
    return ended;
}

static int by_first_offset(const void *a, const void *b)
{
    const struct producer *x = *(struct producer *const *)a, *y = *(struct producer *const *)b;

    return (x->txn_first_offset > y->txn_first_offset) - (x->txn_first_offset < y->txn_first_offset);
}

void producers_list_open(struct producers *ps)
{
    struct producer **open = xmalloc((size_t)ps->n * sizeof(struct producer *) + 1);
    uint32_t n = 0;

    LIST_FOREACH(it, &ps->used)
    {
        struct producer *p = CONTAINER_OF(it, struct producer, in_use);

        list_remove(&p->in_open);
        if (p->txn_first_offset >= 0)
            open[n++] = p;
    }
    if (n > 0)
        qsort(open, n, sizeof(struct producer *), by_first_offset);
    for (uint32_t i = 0; i < n; i++)
        list_push(&ps->open, &open[i]->in_open);
    free(open);
}

/* ---- the stable offset ------------------------------------------------------------------------ */

void log_txn_ended(struct log *l, struct segment *s, const struct ended_txn *ended)
{
    if (ended->aborted)
        txn_index_add(s, &ended->txn);
    if (l->n_ended == l->cap_ended) {
        l->cap_ended = MAX(4, l->cap_ended * 2);
        l->ended = xrealloc_array(l->ended, l->cap_ended, sizeof(*l->ended));
    }
    l->ended[l->n_ended++] = *ended;
}

/* The markers below the high watermark are as good as the topic promises. */
static void forget_ended(struct log *l)
{
    uint32_t n = 0;

    while (n < l->n_ended &&
           (l->ended[n].txn.last_offset < l->high_watermark || PLANTED(stable_before_marker)))
        n++;
    if (n == 0)
        return;
    l->n_ended -= n;
    memmove(l->ended, l->ended + n, l->n_ended * sizeof(*l->ended));
}

static int64_t first_unstable(const struct log *l)
{
    int64_t first = producers_first_open(l->producers);

    for (uint32_t i = 0; i < l->n_ended; i++) {
        if (first < 0 || l->ended[i].txn.first_offset < first)
            first = l->ended[i].txn.first_offset;
    }
    return first;
}

void log_bound_moved(struct log *l)
{
    int64_t first;

    ASSERT(l->high_watermark <= l->end_offset);
    forget_ended(l);
    first = first_unstable(l);
    if (first >= 0)
        first = MAX(first, l->start_offset);
    l->stable_offset = first >= 0 ? MIN(first, l->high_watermark) : l->high_watermark;
}

/* ---- what was aborted ------------------------------------------------------------------------- */

void log_aborted_list_release(struct log_aborted_list *a)
{
    free(a->p);
    *a = (struct log_aborted_list){0};
}

int log_aborted_between(struct log *l, int64_t from, int64_t until, struct log_aborted_list *out)
{
    bool complete = false;
    int rc = 0;

    ASSERT_CORE();
    ASSERT(from <= until);
    for (int i = MAX(0, log_segment_floor(l, from)); rc == 0 && i < l->n_segments && !complete; i++)
        rc = txn_index_collect(l->segments[i], from, until, out, &complete);
    return rc;
}

static bool none_from(const struct log *l, int i)
{
    while (i < l->n_segments && txn_index_is_empty(l->segments[i]))
        i++;
    return i == l->n_segments;
}

/* What the read may reach up to: the next entry of the offset index, else the segment's end
 * (LogSegment.fetchUpperBoundOffset). */
static int upper_bound(struct segment *s, uint64_t position, int64_t *until)
{
    struct index_reader r;
    struct offset_entry e;
    uint32_t n = 0;
    int rc = segment_need_indexes(s);

    *until = segment_end_offset(s);
    if (rc == 0)
        rc = index_open(&r, &s->offsets, s);
    if (rc < 0)
        return rc;
    rc = index_count_below_position(&r, position, &n);
    if (rc == 0 && n < index_count(&s->offsets)) {
        rc = index_get_offset(&r, n, &e);
        if (rc == 0)
            *until = e.offset;
    }
    index_close(&r);
    return rc;
}

int log_aborted_of_read(struct log *l, const struct log_read *r, struct log_aborted_list *out)
{
    int i = log_segment_floor(l, r->segment_base);
    int64_t until;
    int rc;

    ASSERT_CORE();
    ASSERT(i >= 0);
    ASSERT(r->n_bytes > 0);
    if (none_from(l, i))
        return 0;
    rc = upper_bound(l->segments[i], r->position + r->n_bytes, &until);
    return rc < 0 ? rc : log_aborted_between(l, r->offset, MAX(until, r->offset), out);
}

/* ---- producers -------------------------------------------------------------------------------- */

static struct log_producer tell(const struct producer *p)
{
    return (struct log_producer){
        .producer_id = p->id,
        .producer_epoch = p->epoch,
        .last_sequence = p->n_batches > 0 ? p->batches[p->n_batches - 1].last_sequence : NO_SEQUENCE,
        .last_timestamp_ms = p->timestamp_ms,
        .coordinator_epoch = p->coordinator_epoch,
        .txn_first_offset = p->txn_first_offset,
    };
}

uint32_t log_n_producers(const struct log *l)
{
    return l->producers->n;
}

void log_producers_list(const struct log *l, struct log_producer *out)
{
    uint32_t n = 0;

    for (const struct producer *p = l->producers->by_id; p; p = p->by_id.next)
        out[n++] = tell(p);
    ASSERT(n == l->producers->n);
}

bool log_producer_get(const struct log *l, int64_t producer_id, struct log_producer *out)
{
    const struct producer *p = producers_find(l->producers, producer_id);

    if (p)
        *out = tell(p);
    return p;
}

/* ---- verification ----------------------------------------------------------------------------- */

static struct verification *find(const struct producers *ps, int64_t producer_id)
{
    struct verification *v;

    HASH_FIND(by_id, ps->verifications, &producer_id, sizeof(producer_id), v);
    return v;
}

const struct verification *verification_find(const struct producers *ps, int64_t producer_id)
{
    return find(ps, producer_id);
}

static void forget(struct producers *ps, struct verification *v)
{
    HASH_DELETE(by_id, ps->verifications, v);
    free(v);
}

void verification_end(struct producers *ps, int64_t producer_id)
{
    struct verification *v = find(ps, producer_id);

    if (v)
        forget(ps, v);
}

void verifications_expire(struct producers *ps, struct wall now, int64_t expiration_ms)
{
    struct verification *v, *next;

    HASH_ITER(by_id, ps->verifications, v, next)
    {
        if (now.ms - v->begun.ms >= expiration_ms)
            forget(ps, v);
    }
}

void verifications_release(struct producers *ps)
{
    struct verification *v, *next;

    HASH_ITER(by_id, ps->verifications, v, next)
    forget(ps, v);
    ASSERT(!ps->verifications);
}

/* VerificationStateEntry.maybeUpdateLowestSequenceAndEpoch. */
static void verification_again(struct verification *v, int16_t producer_epoch, int32_t sequence)
{
    if (producer_epoch > v->producer_epoch || (producer_epoch == v->producer_epoch && sequence < v->lowest_sequence))
        v->lowest_sequence = sequence;
    v->producer_epoch = MAX(v->producer_epoch, producer_epoch);
}

bool log_must_verify(struct log *l, int64_t producer_id, int16_t producer_epoch, int32_t sequence, bool supports_epoch_bump)
{
    struct producers *ps = l->producers;
    const struct producer *p = producers_find(ps, producer_id);
    struct verification *v = find(ps, producer_id);

    ASSERT_CORE();
    ASSERT(producer_id >= 0);
    if (p && p->txn_first_offset >= 0 && p->epoch == producer_epoch)
        return false;
    if (v) {
        verification_again(v, producer_epoch, sequence);
        return true;
    }
    if (HASH_CNT(by_id, ps->verifications) >= VERIFICATIONS_MAX)
        return true;
    v = xcalloc(1, sizeof(*v));
    v->producer_id = producer_id;
    v->producer_epoch = producer_epoch;
    v->lowest_sequence = sequence;
    v->supports_epoch_bump = supports_epoch_bump;
    v->begun = clock_wall(l->m->env->clock);
    HASH_ADD(by_id, ps->verifications, producer_id, sizeof(v->producer_id), v);
    return true;
}
