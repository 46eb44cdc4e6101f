/* Batches of producers, read back from the log: those behind a snapshot, and those that it does not hold.
 *
 * Owner: struct log, core thread, while it is loaded.
 *
 * Happy path: a snapshot is loaded -> the end of the log before it is walked, headers only, into a state of its own ->
 *             a producer whose last batch is the same in both gets the up to five batches of the walk.
 * Invariant:  a batch that is remembered was written, and is in the log.
 * Failures:   what cannot be read, or does not lead to the snapshot, is not recalled: the state is then the snapshot's, as in
 *             Apache Kafka.
 *
 * A snapshot has one batch of each producer (ProducerSnapshot.json). A client repeats the batches that were in flight when the
 * broker was stopped, up to five: the last one would be known for what it is, the others taken for a gap in the sequence.
 */
#include "segment.h"

#define RECALL_BYTES (256 * 1024)     /* of the log before the snapshot */
#define RECALL_MS    (60 * 60 * 1000) /* who wrote longer ago does not repeat any more */

struct replay {
    struct log *l;
    struct producers *to;
    struct log_aborted_list *aborted; /* NULL: nobody asks */
    struct buf buf;
};

static int replay_batch(void *arg, struct segment *s, const struct batch *b, uint64_t position)
{
    struct replay *r = arg;
    struct batch whole = *b;
    struct ended_txn ended;
    int rc = 0;

    if (b->producer_id < 0)
        return 0;
    if (b->attributes & BATCH_CONTROL)
        rc = segment_read_batch(s, position, b->total_bytes, &r->buf, &whole);
    if (rc == 0 && producers_apply(r->to, &whole, r->buf.p, (struct wall){NO_TIMESTAMP}, &ended) && ended.aborted &&
        r->aborted)
        log_aborted_list_add(r->aborted, &ended.txn);
    return rc;
}

int producers_replay(struct log *l, struct producers *to, int64_t from, int64_t end,
                     struct log_aborted_list *aborted)
{
    struct replay r = {.l = l, .to = to, .aborted = aborted};
    int rc;

    ASSERT(from <= end);
    buf_init(&r.buf);
    rc = from < end ? log_walk(l, from, end, replay_batch, &r) : 0;
    buf_release(&r.buf);
    return rc;
}

static bool any_wrote_lately(const struct producers *ps, struct wall now)
{
    LIST_FOREACH(it, (struct list *)(uintptr_t)&ps->used)
    {
        const struct producer *p = CONTAINER_OF(it, struct producer, in_use);

        if (llabs(now.ms - p->timestamp_ms) <= RECALL_MS)
            return true;
    }
    return false;
}

/* The last indexed batch of s that begins before `position`, or the segment's base. */
static int indexed_before(struct segment *s, uint64_t position, int64_t *offset)
{
    struct offset_entry e = {s->base_offset, 0};
    struct index_reader r;
    uint32_t n = 0;
    int rc = segment_need_indexes(s);

    if (rc < 0)
        return rc;
    rc = index_open(&r, &s->offsets, s);
    if (rc == 0)
        rc = index_count_below_position(&r, position, &n);
    if (rc == 0 && n > 0)
        rc = index_get_offset(&r, n - 1, &e);
    index_close(&r);
    *offset = e.offset;
    return rc;
}

/* From where about RECALL_BYTES of batches lie before `end`. */
static int where_to_begin(struct log *l, int64_t end, int64_t *from)
{
    int i = log_segment_floor(l, end - 1);
    uint64_t left = RECALL_BYTES, position;
    struct batch b;
    bool found;
    int rc;

    *from = end;
    if (i < 0)
        return 0;
    rc = segment_locate(l->segments[i], end - 1, &b, &position, &found);
    while (rc == 0 && position < left && i > 0) {
        left -= position;
        position = l->segments[--i]->size_bytes;
    }
    if (rc == 0 && position < left)
        *from = l->segments[i]->base_offset;
    else if (rc == 0)
        rc = indexed_before(l->segments[i], position - left, from);
    return rc;
}

static void take_over(struct producers *ps, const struct producer *walked)
{
    struct producer *p = producers_find(ps, walked->id);
    const struct producer_batch *a, *b;

    if (!p || p->epoch != walked->epoch || p->n_batches != 1 || walked->n_batches < 2)
        return;
    a = &p->batches[0];
    b = &walked->batches[walked->n_batches - 1];
    if (a->last_offset != b->last_offset || a->last_sequence != b->last_sequence)
        return;
    MARK(producers_recalled);
    memcpy(p->batches, walked->batches, sizeof(p->batches));
    p->n_batches = walked->n_batches;
}

int producers_recall(struct log *l, int64_t end)
{
    struct producers *walked;
    int64_t from;
    int rc;

    if (!any_wrote_lately(l->producers, clock_wall(l->m->env->clock)))
        return 0;
    walked = producers_new();
    rc = where_to_begin(l, end, &from);
    if (rc == 0 && from < end)
        rc = producers_replay(l, walked, from, end, NULL);
    if (rc == 0)
        LIST_FOREACH(it, &walked->used)
        take_over(l->producers, CONTAINER_OF(it, struct producer, in_use));
    producers_free(walked);
    return rc == E_CORRUPT || rc == E_EOF || rc == E_ROT ? 0 : rc;
}
