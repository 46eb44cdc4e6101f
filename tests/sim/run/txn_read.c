/* Reading transactions, as clients do.
 *
 * Owner: struct txn_scan, its user's.
 *
 * read_committed (Fetcher.fetchRecords of the Java client): the answer names aborted transactions; from its first offset on,
 *     and up to its marker, what such a producer wrote is dropped. What is left must be committed, what is dropped must be aborted.
 * read_uncommitted: all that is there. Of one producer, between two markers all is of one transaction; the marker says how that
 *     ended, and nothing of it comes later.
 */
#include "txn.h"

#include "record.h"

void txn_scan_begin(struct txn_scan *s, struct txn_part *p, bool committed, int64_t from)
{
    *s = (struct txn_scan){.p = p, .committed = committed, .at = from, .number = ++p->all->n_scans};
}

/* ---- read_uncommitted: who has which transaction open -------------------------------------------- */

static int open_find(const struct txn_scan *s, int64_t producer_id)
{
    for (int i = 0; i < s->n_open; i++)
        if (s->open[i].producer_id == producer_id)
            return i;
    return -1;
}

static void open_record(struct txn_scan *s, int64_t producer_id, int64_t txn)
{
    struct txn_part *p = s->p;
    int i = open_find(s, producer_id);

    if (p->weak)
        return;
    if (p->all->txns[txn].seen_end[p->number] == s->number)
        world_wrong(p->all->w, "%s offset %lld: of transaction %lld, whose marker came before",
                    p->name, (long long)s->at, (long long)txn);
    if (i >= 0 && s->open[i].txn != txn)
        world_wrong(p->all->w, "%s offset %lld: of transaction %lld, and %lld has no marker",
                    p->name, (long long)s->at, (long long)txn, (long long)s->open[i].txn);
    if (i >= 0)
        return;
    ASSERT(s->n_open < SCAN_PRODUCERS_MAX);
    s->open[s->n_open].producer_id = producer_id;
    s->open[s->n_open++].txn = txn;
}

static void open_marker(struct txn_scan *s, int64_t producer_id, int64_t offset, bool committed)
{
    struct txn_part *p = s->p;
    int i = open_find(s, producer_id);
    const struct txn *t;

    if (i < 0 || p->weak)
        return;
    txn_ended(p->all, s->open[i].txn, committed ? TXN_END_COMMITTED : TXN_END_ABORTED, p->name);
    t = &p->all->txns[s->open[i].txn];
    if (t->shown[p->number] > 0 && offset >= t->shown[p->number])
        world_wrong(p->all->w,
                    "%s: transaction %lld was stable when the high watermark was %lld, and its "
                    "marker is at %lld",
                    p->name, (long long)t->number, (long long)t->shown[p->number],
                    (long long)offset);
    p->all->txns[s->open[i].txn].seen_end[p->number] = s->number;
    s->open[i] = s->open[--s->n_open];
}

/* ---- read_committed: whose records are dropped ----------------------------------------------------- */

struct dropped {
    const struct fetch_response_responses_partitions *row;
    bool *begun; /* by row of aborted transactions: its producer's records are dropped */
};

/* How many transactions of the producer are being dropped. */
static bool is_dropped(struct dropped *d, const struct batch *b)
{
    bool any = false;

    for (int i = 0; i < d->row->n_aborted_transactions; i++)
        any |= d->begun[i] && d->row->aborted_transactions[i].producer_id == b->producer_id;
    return any;
}

static void begin_up_to(struct dropped *d, int64_t last_offset, bool *over)
{
    for (int i = 0; i < d->row->n_aborted_transactions; i++)
        if (!over[i] && d->row->aborted_transactions[i].first_offset <= last_offset)
            d->begun[i] = true;
}

static void end_of(struct dropped *d, const struct batch *b, bool *over)
{
    for (int i = 0; i < d->row->n_aborted_transactions; i++)
        if (d->begun[i] && d->row->aborted_transactions[i].producer_id == b->producer_id) {
            d->begun[i] = false;
            over[i] = true;
        }
}

/* ---- batches ------------------------------------------------------------------------------------------ */

static int64_t parse(struct txn_scan *s, const struct record *r, int64_t *txn)
{
    struct txn_part *p = s->p;
    char text[64];
    int part = -1;
    long long number = -1, record = -1;

    snprintf(text, sizeof(text), "%.*s", (int)MIN(r->value.n, sizeof(text) - 1), r->value.p);
    if (sscanf(text, "T%lld %d %lld ", &number, &part, &record) != 3 || part != p->number)
        world_wrong(p->all->w, "%s offset %lld: a record that nobody sent here", p->name,
                    (long long)r->offset);
    *txn = number;
    return record;
}

static void check_key(struct txn_scan *s, const struct record *r, int64_t record)
{
    char text[TXN_KEY_TEXT_MAX];
    struct bytes key = txn_key(s->p->topic, record, text);

    if (key.n != r->key.n || (key.n > 0 && memcmp(key.p, r->key.p, key.n) != 0))
        world_wrong(s->p->all->w, "%s offset %lld: record %lld has another key", s->p->name,
                    (long long)r->offset, (long long)record);
}

static void note_there(struct txn_scan *s, int64_t offset)
{
    if (s->there && offset < s->n_there)
        s->there[offset] = true;
}

/* Only compaction leaves gaps. */
static void check_next(const struct txn_scan *s, int64_t offset)
{
    if (offset > s->at && !s->p->topic->compacted)
        world_wrong(s->p->all->w, "%s: offset %lld where %lld is due", s->p->name,
                    (long long)offset, (long long)s->at);
}

static void take_record(struct txn_scan *s, const struct batch *b, const struct record *r,
                        bool dropped)
{
    struct txns *all = s->p->all;
    int64_t txn, record = parse(s, r, &txn);

    txn_found(s->p, r->offset, record);
    check_key(s, r, record);
    note_there(s, r->offset);
    if (all->records[record].txn != txn)
        world_wrong(all->w, "%s offset %lld: record %lld is not of transaction %lld", s->p->name,
                    (long long)r->offset, (long long)record, (long long)txn);
    all->w->n_read++;
    if (!s->committed)
        open_record(s, b->producer_id, txn);
    else if (!s->p->weak)
        txn_ended(all, txn, dropped ? TXN_END_ABORTED : TXN_END_COMMITTED, s->p->name);
}

static void take_marker(struct txn_scan *s, const struct batch *b, const struct record *r,
                        struct dropped *d, bool *over)
{
    int16_t type = -1;

    if (control_key_get(r->key, &type) < 0 || (type != CONTROL_ABORT && type != CONTROL_COMMIT))
        world_wrong(s->p->all->w, "%s offset %lld: a control record of type %d", s->p->name,
                    (long long)r->offset, type);
    if (r->offset < s->p->n && s->p->slots[r->offset] >= 0)
        world_wrong(s->p->all->w, "%s offset %lld: a marker, it was record %lld before", s->p->name,
                    (long long)r->offset, (long long)s->p->slots[r->offset]);
    if (s->committed && type == CONTROL_ABORT)
        end_of(d, b, over);
    if (!s->committed)
        open_marker(s, b->producer_id, r->offset, type == CONTROL_COMMIT);
}

static void take_batch(struct txn_scan *s, const uint8_t *bytes, const struct batch *b,
                       struct dropped *d, bool *over)
{
    struct world *w = s->p->all->w;
    bool control = b->attributes & BATCH_CONTROL;
    struct record_iter it;
    struct record r;
    struct buf scratch;
    bool dropped;

    if (!(b->attributes & BATCH_TRANSACTIONAL))
        world_wrong(w, "%s offset %lld: a batch of no transaction", s->p->name,
                    (long long)b->base_offset);
    if (s->committed && batch_last_offset(b) >= d->row->last_stable_offset)
        world_wrong(w, "%s offset %lld: past the last stable offset %lld", s->p->name,
                    (long long)b->base_offset, (long long)d->row->last_stable_offset);
    begin_up_to(d, batch_last_offset(b), over);
    dropped = is_dropped(d, b);
    buf_init(&scratch);
    if (record_iter_init(&it, bytes, b, 1 << 20, &scratch) < 0)
        world_wrong(w, "%s offset %lld: a batch that cannot be read", s->p->name,
                    (long long)b->base_offset);
    while (record_iter_next(&it, &r) == 1) {
        if (control) { /* one of a batch that begins before s->at counts, too */
            take_marker(s, b, &r, d, over);
            s->at = MAX(s->at, r.offset + 1);
            continue;
        }
        if (r.offset < s->at)
            continue;
        check_next(s, r.offset);
        take_record(s, b, &r, dropped);
        s->at = r.offset + 1;
    }
    buf_release(&scratch);
}

void txn_scan_row(struct txn_scan *s, const struct fetch_response_responses_partitions *row)
{
    struct world *w = s->p->all->w;
    size_t n = (size_t)MAX(row->n_aborted_transactions, 0) + 1;
    bool *begun = xcalloc(n, sizeof(*begun)), *over = xcalloc(n, sizeof(*over));
    struct dropped d = {row, begun};
    struct bytes bytes = {row->records.p, row->records.n_bytes};
    struct batch b;

    for (int i = 0; i < row->n_aborted_transactions; i++)
        world_event(w, "%s from %lld: producer %lld aborted what it wrote from %lld on", s->p->name,
                    (long long)s->at, (long long)row->aborted_transactions[i].producer_id,
                    (long long)row->aborted_transactions[i].first_offset);
    while (bytes.n >= BATCH_HEADER_BYTES && batch_decode(bytes.p, &b) == 0 &&
           b.total_bytes <= bytes.n) {
        if (batch_check(bytes.p, bytes.n, &b) < 0)
            world_wrong(w, "%s offset %lld: a damaged batch was served", s->p->name,
                        (long long)b.base_offset);
        check_next(s, b.base_offset);
        take_batch(s, bytes.p, &b, &d, over);
        if (s->p->topic->compacted) /* its last records may be gone, or all */
            s->at = MAX(s->at, batch_last_offset(&b) + 1);
        bytes.p += b.total_bytes;
        bytes.n -= b.total_bytes;
    }
    if (s->at > row->high_watermark)
        world_wrong(w, "%s: read to %lld, the high watermark is %lld", s->p->name, (long long)s->at,
                    (long long)row->high_watermark);
    free(begun);
    free(over);
}
