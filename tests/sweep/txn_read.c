/* Reading as a read_committed consumer does: what lies below the stable offset, without what the list of aborted transactions, and the
 * markers, take away.
 *
 * Owner: nobody; the view is the caller's.
 */
#include "txn_client.h"

#include "record.h"
#include "report.h"

#define API_FETCH        1
#define API_OFFSET_FETCH 9
#define FETCH_BYTES      4096
#define ABORTED_MAX      64

/* Those aborted transactions of an answer that have begun at the offset that is read, and are not over. */
struct aborted {
    const struct fetch_response_responses_partitions *row;
    bool begun[ABORTED_MAX], over[ABORTED_MAX];
};

static bool is_aborted(struct aborted *a, const struct batch *b, bool end)
{
    bool found = false;

    for (int i = 0; i < a->row->n_aborted_transactions; i++) {
        a->begun[i] |= a->row->aborted_transactions[i].first_offset <= batch_last_offset(b);
        if (!a->begun[i] || a->over[i] ||
            a->row->aborted_transactions[i].producer_id != b->producer_id)
            continue;
        found = true;
        a->over[i] |= end;
        if (end)
            break;
    }
    return found;
}

static void take_record(struct txn_view *out, int part, const struct record *r)
{
    char text[32];
    int own = -1, record = -1;

    snprintf(text, sizeof(text), "%.*s", (int)MIN(r->value.n, sizeof(text) - 1),
             (const char *)r->value.p);
    if (sscanf(text, "%d %d ", &own, &record) != 2 || own != part) {
        violation("%s-%d offset %lld: a record that nobody sent here", TXN_TOPIC, part,
                  (long long)r->offset);
        return;
    }
    ASSERT(out->n < TXN_RECORDS_MAX);
    out->offsets[out->n] = r->offset;
    out->records[out->n++] = record;
}

static void take_batch(struct txn_view *out, int part, const uint8_t *bytes, const struct batch *b,
                       struct aborted *aborted, int64_t at)
{
    struct record_iter it;
    struct record r;
    struct buf scratch;
    int16_t type = -1;
    bool dropped;

    buf_init(&scratch);
    if (record_iter_init(&it, bytes, b, 1 << 20, &scratch) < 0 || record_iter_next(&it, &r) != 1) {
        violation("%s-%d offset %lld: a batch that cannot be read", TXN_TOPIC, part, (long long)at);
    } else if (b->attributes & BATCH_CONTROL) {
        if (control_key_get(r.key, &type) < 0 || type > CONTROL_COMMIT)
            violation("%s-%d offset %lld: a control record of type %d", TXN_TOPIC, part,
                      (long long)at, type);
        (void)is_aborted(aborted, b, type == CONTROL_ABORT);
    } else {
        dropped = is_aborted(aborted, b, false);
        do
            if (r.offset >= at && !dropped)
                take_record(out, part, &r);
        while (record_iter_next(&it, &r) == 1);
    }
    buf_release(&scratch);
}

static int64_t take_row(struct txn_view *out, int part,
                        const struct fetch_response_responses_partitions *row, int64_t at)
{
    struct bytes bytes = {row->records.p, row->records.n_bytes};
    struct aborted aborted = {.row = row};
    struct batch b;

    ASSERT(row->n_aborted_transactions <= ABORTED_MAX);
    while (bytes.n >= BATCH_HEADER_BYTES && batch_decode(bytes.p, &b) == 0 &&
           b.total_bytes <= bytes.n) {
        if (batch_check(bytes.p, bytes.n, &b) < 0 || b.base_offset > at)
            violation("%s-%d: at offset %lld a damaged batch was served, or a later one", TXN_TOPIC,
                      part, (long long)at);
        if (batch_last_offset(&b) >= row->last_stable_offset)
            violation("%s-%d offset %lld: past the stable offset %lld", TXN_TOPIC, part,
                      (long long)b.base_offset, (long long)row->last_stable_offset);
        take_batch(out, part, bytes.p, &b, &aborted, at);
        at = batch_last_offset(&b) + 1;
        bytes.p += b.total_bytes;
        bytes.n -= b.total_bytes;
    }
    return at;
}

static const struct fetch_response_responses_partitions *fetch(struct client *c, int part,
                                                               int64_t offset)
{
    struct fetch_request_topics_partitions p;
    struct fetch_request_topics t;
    struct fetch_request rq;
    const struct fetch_response *rsp;

    fetch_request_init(&rq);
    fetch_request_topics_init(&t);
    fetch_request_topics_partitions_init(&p);
    rq.session_epoch = -1;
    rq.isolation_level = 1;
    rq.max_bytes = FETCH_BYTES;
    rq.topics = &t;
    rq.n_topics = 1;
    t.topic = STR(TXN_TOPIC);
    t.partitions = &p;
    t.n_partitions = 1;
    p.partition = part;
    p.fetch_offset = offset;
    p.partition_max_bytes = FETCH_BYTES;
    rsp = client_call(c, API_FETCH, 12, &rq);
    return rsp && rsp->n_responses == 1 ? &rsp->responses[0].partitions[0] : NULL;
}

bool txns_read(struct client *c, struct txns *t, int part, struct txn_view *out, bool settled)
{
    int64_t at = 0, before = -1, stable = 0, high_watermark = 0;

    out->n = 0;
    while (at > before) {
        const struct fetch_response_responses_partitions *row =
            client_gone(c) ? NULL : fetch(c, part, at);

        if (!row || row->error_code != KE_NONE) {
            if (row && c->must_work)
                violation("Fetch: %s", kafka_error_name(row->error_code));
            return false;
        }
        stable = row->last_stable_offset;
        high_watermark = row->high_watermark;
        before = at;
        at = take_row(out, part, row, at);
    }
    if (at != stable || stable > high_watermark || (settled && stable != high_watermark))
        violation("%s-%d: readable are %lld, the stable offset is %lld, the high watermark %lld",
                  TXN_TOPIC, part, (long long)at, (long long)stable, (long long)high_watermark);
    if (stable < t->stable_offsets[part])
        violation("%s-%d: the stable offset is %lld, it was %lld", TXN_TOPIC, part,
                  (long long)stable, (long long)t->stable_offsets[part]);
    t->stable_offsets[part] = stable;
    out->stable = stable == high_watermark;
    return true;
}

int64_t txns_read_offset(struct client *c)
{
    struct offset_fetch_request_topics t;
    struct offset_fetch_request rq;
    const struct offset_fetch_response *rsp;
    int32_t partition = 0;
    int16_t error;

    offset_fetch_request_init(&rq);
    offset_fetch_request_topics_init(&t);
    rq.group_id = STR(TXN_GROUP);
    rq.require_stable = true;
    rq.topics = &t;
    rq.n_topics = 1;
    t.name = STR(TXN_TOPIC);
    t.partition_indexes = &partition;
    t.n_partition_indexes = 1;
    rsp = client_call(c, API_OFFSET_FETCH, 7, &rq);
    if (!rsp)
        return -2;
    error = rsp->error_code ? rsp->error_code : rsp->topics[0].partitions[0].error_code;
    if (error != KE_NONE) {
        violation("OffsetFetch: %s", kafka_error_name(error));
        return -2;
    }
    return rsp->topics[0].partitions[0].committed_offset;
}
