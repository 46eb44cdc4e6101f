/* What is known of transactions, and what must follow from it.
 *
 * Owner: struct txns.
 *
 *     begun --EndTxn that commits is sent--> may be seen --an answer, or a reader--> committed or aborted, for ever
 *       |
 *       +-- anything else --> never seen: aborted
 */
#include "txn.h"

static struct txn *txn_get(struct txns *all, int64_t number)
{
    if (number < 0 || number >= all->n_txns)
        world_wrong(all->w, "transaction %lld was never begun", (long long)number);
    return &all->txns[number];
}

int64_t txn_begin(struct txns *all, int id)
{
    if (all->n_txns == all->cap_txns) {
        all->cap_txns = all->cap_txns ? all->cap_txns * 2 : 64;
        all->txns = xrealloc_array(all->txns, (size_t)all->cap_txns, sizeof(*all->txns));
    }
    all->txns[all->n_txns] = (struct txn){.number = all->n_txns, .id = id};
    return all->n_txns++;
}

int64_t txn_records_new(struct txns *all, int64_t txn, int n)
{
    int64_t first = all->n_records;

    while (all->n_records + n > all->cap_records) {
        all->cap_records = all->cap_records ? all->cap_records * 2 : 256;
        all->records =
            xrealloc_array(all->records, (size_t)all->cap_records, sizeof(*all->records));
    }
    for (int i = 0; i < n; i++)
        all->records[all->n_records++] = (struct txn_record){.txn = txn, .offset = -1};
    return first;
}

/* ---- places */

static void grow(struct txn_part *p, int64_t n)
{
    while (n > p->cap) {
        p->cap = p->cap ? p->cap * 2 : 256;
        p->slots = xrealloc_array(p->slots, (size_t)p->cap, sizeof(*p->slots));
        p->gone = xrealloc_array(p->gone, (size_t)p->cap, sizeof(*p->gone));
    }
    for (; p->n < n; p->n++) {
        p->slots[p->n] = -1;
        p->gone[p->n] = false;
    }
}

void txn_found(struct txn_part *p, int64_t offset, int64_t record)
{
    struct world *w = p->all->w;
    struct txn_record *r;

    if (record < 0 || record >= p->all->n_records)
        world_wrong(w, "%s offset %lld: record %lld was never sent", p->name, (long long)offset,
                    (long long)record);
    r = &p->all->records[record];
    if (r->offset >= 0 && r->offset != offset)
        world_wrong(w, "%s: record %lld is at offset %lld and at %lld", p->name, (long long)record,
                    (long long)r->offset, (long long)offset);
    grow(p, offset + 1);
    if (p->slots[offset] >= 0 && p->slots[offset] != record)
        world_wrong(w, "%s offset %lld: record %lld, it was %lld before", p->name,
                    (long long)offset, (long long)record, (long long)p->slots[offset]);
    if (p->gone[offset])
        world_wrong(w, "%s offset %lld: record %lld was gone and is back", p->name,
                    (long long)offset, (long long)record);
    p->slots[offset] = record;
    r->offset = offset;
}

void txn_acked(struct txn_part *p, int64_t first_record, int n, int64_t base_offset)
{
    for (int i = 0; i < n; i++) {
        txn_found(p, base_offset + i, first_record + i);
        p->all->records[first_record + i].acked = true;
    }
    p->all->w->n_acked += (uint64_t)n;
}

void txn_part_weakens(struct txn_part *p)
{
    for (int64_t i = 0; i < p->n; i++)
        if (p->slots[i] >= 0)
            p->all->records[p->slots[i]].offset = -1;
    p->n = 0;
    p->stable = 0;
    p->weak = true;
}

/* What lies below the last stable offset has ended: its marker is below that high watermark. */
static void note_shown(struct txn_part *p, int64_t stable, int64_t high_watermark)
{
    for (int64_t i = 0; i < MIN(stable, p->n); i++) {
        int64_t *shown;

        if (p->slots[i] < 0)
            continue;
        shown = &p->all->txns[p->all->records[p->slots[i]].txn].shown[p->number];
        if (*shown == 0)
            *shown = high_watermark;
    }
}

void txn_stable(struct txn_part *p, int64_t known, int64_t stable, int64_t high_watermark)
{
    if (p->weak)
        return;
    if (stable < known)
        world_wrong(p->all->w, "%s: the last stable offset is %lld, it was %lld", p->name,
                    (long long)stable, (long long)known);
    if (stable > p->stable)
        note_shown(p, stable, high_watermark);
    p->stable = MAX(p->stable, stable);
}

/* ---- ends */

static const char *end_name(enum txn_end end)
{
    return end == TXN_END_COMMITTED ? "committed" : end == TXN_END_ABORTED ? "aborted" : "open";
}

void txn_ended(struct txns *all, int64_t number, enum txn_end end, const char *who)
{
    struct txn *t = txn_get(all, number);

    if (end == TXN_END_COMMITTED && !t->commit_sent)
        world_wrong(all->w, "%s: transaction %lld is committed, and nobody asked for it", who,
                    (long long)number);
    if (t->end != TXN_END_UNKNOWN && t->end != end)
        world_wrong(all->w, "%s: transaction %lld is %s, it was %s%s", who, (long long)number,
                    end_name(end), t->told ? "told to be " : "", end_name(t->end));
    t->end = end;
}

void txn_told(struct txns *all, int64_t number, enum txn_end end)
{
    struct txn *t = txn_get(all, number);
    struct txn_id *id = &all->ids[t->id];

    txn_ended(all, number, end, "EndTxn");
    t->told = true;
    all->n_committed += end == TXN_END_COMMITTED;
    all->n_aborted += end == TXN_END_ABORTED;
    if (t->offset_acked && end == TXN_END_COMMITTED)
        id->offset_told = MAX(id->offset_told, number);
}

void txn_offset_fetched(struct txns *all, int i, int64_t told, int64_t seen, int64_t got)
{
    struct txn_id *id = &all->ids[i];

    if (got < told)
        world_wrong(all->w, "%s: the committed offset is %lld, %lld was told to be committed",
                    id->group, (long long)got, (long long)told);
    if (got < seen)
        world_wrong(all->w, "%s: the committed offset is %lld, it was %lld", id->group,
                    (long long)got, (long long)seen);
    if (got >= 0) {
        if (txn_get(all, got)->id != i)
            world_wrong(all->w, "%s: offset %lld is of another group", id->group, (long long)got);
        txn_ended(all, got, TXN_END_COMMITTED, id->group);
    }
    id->offset_seen = MAX(id->offset_seen, got);
}

/* ---- life */

static void add_topics(struct txns *all)
{
    struct world *w = all->w;

    all->n_topics = 1 + (int)world_below(w, TXN_TOPICS_MAX);
    for (int i = 0; i < all->n_topics; i++) {
        struct txn_topic *t = &all->topics[i];

        txn_topic_choose(all, t, i);
        t->first_part = all->n_parts;
        for (int p = 0; p < t->n_parts; p++) {
            struct txn_part *part = &all->parts[all->n_parts];

            ASSERT(all->n_parts < TXN_PARTS_MAX);
            *part = (struct txn_part){.all = all, .number = all->n_parts, .topic = t, .index = p};
            snprintf(part->name, sizeof(part->name), "%s-%d", t->name, p);
            all->n_parts++;
        }
    }
}

void txns_new(struct world *w)
{
    struct txns *all = w->txns = xcalloc(1, sizeof(*all));

    all->w = w;
    all->n_ids = w->options.n_txn_ids;
    if (all->n_ids == 0)
        return;
    add_topics(all);
    for (int i = 0; i < TXN_READERS_MAX; i++)
        txn_reader_new(all, i);
    for (int i = 0; i < all->n_ids; i++) {
        struct txn_id *id = &all->ids[i];

        id->producer_id = id->epoch = -1;
        id->offset_told = id->offset_seen = -1;
        snprintf(id->name, sizeof(id->name), "txid%d", i);
        snprintf(id->group, sizeof(id->group), "txgroup%d", i);
        for (int k = 0; k < w->options.n_txn_producers; k++)
            txn_producer_new(all, i, i * 10 + k);
    }
}

void txns_free(struct world *w)
{
    struct txns *all = w->txns;

    for (int i = 0; i < all->n_parts; i++) {
        free(all->parts[i].slots);
        free(all->parts[i].gone);
    }
    free(all->txns);
    free(all->records);
    free(all);
}
