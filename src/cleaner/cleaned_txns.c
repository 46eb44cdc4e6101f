/* Which batches belong to aborted transactions, and which markers end transactions of which nothing is left.
 *
 * Owner: the pass. The core adds between steps; a lane asks, batch after batch, from the log's first segment on.
 *
 *     waiting --a batch at or past its first offset--> aborted (by producer) --its ABORT marker--> kept, or forgotten
 *     a batch of nobody in `aborted` ----------------> committed (by producer) --its COMMIT marker--> forgotten
 *
 * Invariant:  a producer has one transaction at a time. A marker stays while a batch of its transaction was met, be it an empty
 *             one; so does the index entry, for readers have to be told of what is there.
 */
#include "cleaned_txns.h"

struct met_txn {
    int64_t producer_id;
    struct log_aborted txn; /* of an aborted one */
    bool seen;              /* a batch of it */
    UT_hash_handle by_id;
};

static struct met_txn *find(struct met_txn *in, int64_t producer_id)
{
    struct met_txn *m;

    HASH_FIND(by_id, in, &producer_id, sizeof(producer_id), m);
    return m;
}

static struct met_txn *add(struct met_txn **in, int64_t producer_id)
{
    struct met_txn *m = xcalloc(1, sizeof(*m));

    ASSERT(!find(*in, producer_id));
    m->producer_id = producer_id;
    HASH_ADD(by_id, *in, producer_id, sizeof(m->producer_id), m);
    return m;
}

static void forget(struct met_txn **in, struct met_txn *m)
{
    HASH_DELETE(by_id, *in, m);
    free(m);
}

static void forget_all(struct met_txn **in)
{
    struct met_txn *m, *next;

    HASH_ITER(by_id, *in, m, next)
    forget(in, m);
    ASSERT(!*in);
}

void cleaned_txns_release(struct cleaned_txns *t)
{
    log_aborted_list_release(&t->waiting);
    log_aborted_list_release(&t->kept);
    t->at = 0;
    forget_all(&t->aborted);
    forget_all(&t->committed);
}

static int by_first_offset(const void *a, const void *b)
{
    int64_t x = ((const struct log_aborted *)a)->first_offset;
    int64_t y = ((const struct log_aborted *)b)->first_offset;

    return (x > y) - (x < y);
}

void cleaned_txns_add(struct cleaned_txns *t, const struct log_aborted_list *more)
{
    struct log_aborted_list *w = &t->waiting;

    ASSERT(t->at <= w->n);
    if (t->at > 0) {
        w->n -= t->at;
        memmove(w->p, w->p + t->at, w->n * sizeof(*w->p));
        t->at = 0;
    }
    for (uint32_t i = 0; i < more->n; i++)
        log_aborted_list_add(w, &more->p[i]);
    if (w->n > 1)
        qsort(w->p, w->n, sizeof(*w->p), by_first_offset);
}

static void reach(struct cleaned_txns *t, int64_t offset)
{
    for (; t->at < t->waiting.n && t->waiting.p[t->at].first_offset <= offset; t->at++) {
        const struct log_aborted *a = &t->waiting.p[t->at];

        if (!find(t->aborted, a->producer_id))
            add(&t->aborted, a->producer_id)->txn = *a;
    }
}

bool cleaned_txns_meet(struct cleaned_txns *t, const struct batch *b)
{
    struct met_txn *m;

    ASSERT(!(b->attributes & BATCH_CONTROL));
    reach(t, batch_last_offset(b));
    if (!(b->attributes & BATCH_TRANSACTIONAL))
        return false;
    m = find(t->aborted, b->producer_id);
    if (m)
        m->seen = true;
    else if (!find(t->committed, b->producer_id))
        add(&t->committed, b->producer_id)->seen = true;
    return m;
}

static bool meet_abort(struct cleaned_txns *t, int64_t producer_id)
{
    struct met_txn *m = find(t->aborted, producer_id);
    bool seen = m && m->seen;

    if (seen)
        log_aborted_list_add(&t->kept, &m->txn);
    if (m)
        forget(&t->aborted, m);
    return !seen;
}

static bool meet_commit(struct cleaned_txns *t, int64_t producer_id)
{
    struct met_txn *m = find(t->committed, producer_id);

    if (!m)
        return true;
    forget(&t->committed, m);
    return false;
}

int cleaned_txns_meet_marker(struct cleaned_txns *t, const uint8_t *p, const struct batch *b, bool *done)
{
    struct end_marker marker;
    int rc = 0;

    ASSERT(b->attributes & BATCH_CONTROL);
    reach(t, batch_last_offset(b));
    *done = b->record_count == 0;
    if (*done)
        return 0;
    rc = marker_of_batch(p, b, &marker);
    if (rc < 0)
        return rc == E_NOENT ? 0 : rc; /* another kind of control record: it stays */
    *done = marker.committed ? meet_commit(t, b->producer_id) : meet_abort(t, b->producer_id);
    return 0;
}
