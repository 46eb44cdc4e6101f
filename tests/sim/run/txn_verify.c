/* After a start, and in the end: all partitions of transactions, as committed and as uncommitted readers see them, and the offsets
 * of their groups, against everything that is known.
 *
 * Requests like any client's, while nobody else asks for anything.
 */
#include "txn.h"

#define API_FETCH        1
#define API_OFFSET_FETCH 9
#define FETCH_BYTES      20000

static const struct fetch_response_responses_partitions *
fetch(const struct txn_part *p, bool committed, int64_t offset, struct arena *arena)
{
    const struct fetch_response_responses_partitions *row =
        verify_fetch(p->all->w, p->topic->name, p->index, offset, FETCH_BYTES, committed, arena);

    if (!row || row->error_code != KE_NONE)
        world_wrong(p->all->w, "%s cannot be read at %lld after a start: %s", p->name,
                    (long long)offset, row ? kafka_error_name(row->error_code) : "no answer");
    return row;
}

/* All of it; the bound that it was read to, and the high watermark. */
static int64_t scan(struct txn_part *p, bool committed, int64_t *high_watermark)
{
    int64_t known = p->stable, before, bound, n = p->n;
    bool *there = xcalloc((size_t)n + 1, sizeof(*there));
    struct txn_scan s;

    txn_scan_begin(&s, p, committed, 0);
    s.there = there;
    s.n_there = n;
    do {
        const struct fetch_response_responses_partitions *row;
        struct arena arena;

        arena_init(&arena);
        before = s.at;
        row = fetch(p, committed, s.at, &arena);
        txn_scan_row(&s, row);
        txn_stable(p, known, row->last_stable_offset, row->high_watermark);
        *high_watermark = row->high_watermark;
        bound = committed ? row->last_stable_offset : row->high_watermark;
        arena_release(&arena);
    } while (s.at > before && s.at < bound);
    if (s.at != bound && !(p->topic->compacted && s.at < bound)) /* the end may be a gap */
        world_wrong(p->all->w, "%s: readable up to %lld are %lld", p->name, (long long)bound,
                    (long long)s.at);
    if (p->topic->compacted)
        txn_kept_check(p, there, MIN(n, bound));
    free(there);
    return bound;
}

/* What was acknowledged or read is still there. */
static void check_there(const struct txn_part *p, int64_t end)
{
    for (int64_t i = end; i < p->n && !p->weak; i++)
        if (p->slots[i] >= 0)
            world_wrong(p->all->w,
                        "%s offset %lld: record %lld of transaction %lld is gone; the "
                        "log ends at %lld",
                        p->name, (long long)i, (long long)p->slots[i],
                        (long long)p->all->records[p->slots[i]].txn, (long long)end);
}

static void verify_part(struct txn_part *p, bool lossy)
{
    int64_t high_watermark, stable, end;

    if (lossy && !p->topic->durable)
        txn_part_weakens(p);
    end = scan(p, false, &high_watermark);
    check_there(p, end);
    stable = scan(p, true, &high_watermark);
    world_event(p->all->w, "%s holds %lld, stable are %lld", p->name, (long long)high_watermark,
                (long long)stable);
}

/* What waits for stable offsets is told; -1: none. unstable: a transaction that has not ended is no fault. */
static int64_t offset_of(struct txns *all, int i, bool unstable)
{
    int64_t told = all->ids[i].offset_told, seen = all->ids[i].offset_seen, got = -1;
    struct offset_fetch_request_topics t;
    struct offset_fetch_request rq;
    const struct offset_fetch_response *rsp;
    struct arena arena;
    int32_t index = 0;
    int16_t error;

    arena_init(&arena);
    offset_fetch_request_init(&rq);
    offset_fetch_request_topics_init(&t);
    rq.group_id = str_of(all->ids[i].group);
    rq.topics = &t;
    rq.n_topics = 1;
    rq.require_stable = true;
    t.name = str_of(all->topics[0].name);
    t.partition_indexes = &index;
    t.n_partition_indexes = 1;
    rsp = world_ask(all->w, API_OFFSET_FETCH, 7, &rq, &arena);
    if (!rsp || rsp->error_code != KE_NONE)
        world_wrong(all->w, "the offset of %s cannot be fetched", all->ids[i].group);
    error = rsp->topics[0].partitions[0].error_code;
    if (error != KE_NONE && !(error == KE_UNSTABLE_OFFSET_COMMIT && unstable))
        world_wrong(all->w, "the offset of %s: %s", all->ids[i].group, kafka_error_name(error));
    if (error == KE_NONE) {
        got = rsp->topics[0].partitions[0].committed_offset;
        txn_offset_fetched(all, i, told, seen, got);
    }
    arena_release(&arena);
    return got;
}

void txns_verify(struct world *w, bool lossy)
{
    struct txns *all = w->txns;

    if (!all->topics_there)
        return;
    for (int i = 0; i < all->n_parts; i++)
        verify_part(&all->parts[i], lossy);
    for (int i = 0; i < all->n_ids; i++)
        (void)offset_of(all, i, true);
}

/* ---- in the end -------------------------------------------------------------------------------------- */

/* The newest offset of a transaction that was committed is the group's. */
static void check_offset(struct txns *all, int i)
{
    int64_t got = offset_of(all, i, false);

    for (int64_t n = got + 1; n < all->n_txns; n++) {
        const struct txn *t = &all->txns[n];

        if (t->id == i && t->offset_acked && t->end == TXN_END_COMMITTED)
            world_wrong(all->w,
                        "%s: the committed offset is %lld, but transaction %lld is committed",
                        all->ids[i].group, (long long)got, (long long)n);
    }
}

void txns_verify_end(struct world *w)
{
    struct txns *all = w->txns;

    if (!all->topics_there)
        return;
    for (int i = 0; i < all->n_parts; i++) {
        int64_t high_watermark, stable = scan(&all->parts[i], true, &high_watermark);

        if (stable != high_watermark)
            world_wrong(w, "%s: a transaction is open at %lld, and nothing is going on",
                        all->parts[i].name, (long long)stable);
    }
    for (int i = 0; i < all->n_ids; i++)
        check_offset(all, i);
    world_event(w, "%llu transactions committed, %llu aborted, %llu times fenced",
                (unsigned long long)all->n_committed, (unsigned long long)all->n_aborted,
                (unsigned long long)all->n_fenced);
}

uint64_t txns_told(const struct world *w)
{
    return w->txns->n_committed + w->txns->n_aborted;
}
