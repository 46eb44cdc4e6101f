/* Which records of a batch stay, and the batch that is left (Cleaner.cleanInto, shouldRetainRecord, MemoryRecords.filterTo).
 *
 * Owner: a job of the cleaner; pure but for its scratch.
 *
 *   a record stays   past what the map knows; or it is the last of its key, and has a value, or its tombstone's time has not come
 *   a tombstone      the first pass that keeps it sets the batch's delete horizon, now + delete.retention.ms; a pass at or
 *                    after the horizon drops it. The horizon is kept as the base timestamp (KIP-534)
 *   aborted records  go at once, whether the map knows of them or not; they supersede nothing
 *   a marker         stays while a batch of its transaction was met. The first pass that met none sets the batch's delete
 *                    horizon; a pass at or after it drops the marker
 *   an empty batch   stays as its header when it holds the last sequence of a producer (or, where that wrote nothing since, the
 *                    marker with its epoch), or when its file must not end earlier
 *
 * Invariant:  offsets, the first and last offset of a batch, producer id, epoch, sequence, leader epoch and codec stay.
 */
#include "filter.h"

#define ATTRIBUTES_AT     21
#define BASE_TIMESTAMP_AT 27
#define MAX_TIMESTAMP_AT  35
#define RECORD_COUNT_AT   57

struct kept {
    const uint8_t *p; /* the record, its length first */
    size_t n;
    int64_t timestamp_ms;
};

void filter_release(struct filter *f)
{
    buf_release(&f->records);
    buf_release(&f->body);
    cleaned_txns_release(&f->txns);
    free(f->kept);
    f->kept = NULL;
    f->n_kept = f->cap_kept = 0;
}

int filter_add_keys(struct offset_map *map, const uint8_t *p, const struct batch *b, int64_t from, struct buf *scratch,
                    bool *fits)
{
    struct record_iter it;
    struct record r;
    int rc;

    ASSERT(!(b->attributes & BATCH_CONTROL));
    *fits = true;
    rc = record_iter_init(&it, p, b, FILTER_BATCH_BYTES_MAX, scratch);
    while (rc >= 0 && *fits && (rc = record_iter_next(&it, &r)) > 0) {
        if (r.key.p && r.offset >= from)
            *fits = offset_map_put(map, r.key, r.offset);
    }
    return MIN(rc, 0);
}

/* ---- which stay ----------------------------------------------------------------------------- */

static bool horizon_passed(const struct filter *f, const struct batch *b)
{
    return ((b->attributes & BATCH_DELETE_HORIZON) && f->now_ms >= b->base_timestamp_ms) || PLANTED(drop_tombstones_early);
}

static bool stays(const struct filter *f, const struct batch *b, const struct record *r)
{
    if (r->offset > f->latest || (b->attributes & BATCH_CONTROL))
        return true;
    if (!r->key.p)
        return false;
    if (r->offset < offset_map_get(f->map, r->key))
        return false;
    return r->value.p || !horizon_passed(f, b);
}

static void keep(struct filter *f, const uint8_t *from, const uint8_t *until, int64_t timestamp_ms)
{
    if (f->n_kept == f->cap_kept) {
        f->cap_kept = MAX(256, f->cap_kept * 2);
        f->kept = xrealloc_array(f->kept, f->cap_kept, sizeof(*f->kept));
    }
    f->kept[f->n_kept++] = (struct kept){from, (size_t)(until - from), timestamp_ms};
}

static int choose(struct filter *f, const uint8_t *p, const struct batch *b, bool *tombstones)
{
    struct record_iter it;
    struct record r;
    int rc = record_iter_init(&it, p, b, FILTER_BATCH_BYTES_MAX, &f->records);

    f->n_kept = 0;
    *tombstones = false;
    while (rc >= 0) {
        const uint8_t *from = it.at;

        rc = record_iter_next(&it, &r);
        if (rc <= 0)
            break;
        f->n_read++;
        if (!stays(f, b, &r))
            continue;
        keep(f, from, it.at, r.timestamp_ms);
        *tombstones = *tombstones || !r.value.p;
    }
    return MIN(rc, 0);
}

/* ---- what is left --------------------------------------------------------------------------- */

/* What a start must find of a producer that is known: its last sequence, or its epoch. */
static bool is_last_of_producer(const struct filter *f, const struct batch *b)
{
    uint32_t low = 0, high = f->n_producers;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (f->producers[middle].producer_id < b->producer_id)
            low = middle + 1;
        else
            high = middle;
    }
    if (b->producer_id < 0 || low == f->n_producers || f->producers[low].producer_id != b->producer_id)
        return false;
    if (f->producers[low].last_offset >= 0)
        return f->producers[low].last_offset == batch_last_offset(b);
    return (b->attributes & BATCH_CONTROL) && f->producers[low].epoch == b->producer_epoch;
}

/* A record whose distance to the base timestamp may be another. */
static void put_record(struct buf *out, const struct kept *k, int64_t base_ms)
{
    const uint8_t *at = k->p, *end = k->p + k->n;
    uint8_t delta[VARLONG_BYTES_MAX], length[VARINT_BYTES_MAX];
    int64_t was_ms = 0, delta_ms = (int64_t)((uint64_t)k->timestamp_ms - (uint64_t)base_ms);
    int32_t n = 0;
    size_t n_delta, rest;
    uint8_t attributes;

    at += varint_get(at, end, &n);
    attributes = *at++;
    at += varlong_get(at, end, &was_ms);
    if (was_ms == delta_ms) {
        buf_put(out, k->p, k->n);
        return;
    }
    rest = (size_t)(end - at);
    n_delta = varlong_put(delta, delta_ms);
    buf_put(out, length, varint_put(length, (int32_t)(1 + n_delta + rest)));
    buf_put(out, &attributes, 1);
    buf_put(out, delta, n_delta);
    buf_put(out, at, rest);
}

static int64_t max_timestamp(const struct filter *f, const struct batch *b)
{
    int64_t max_ms = NO_TIMESTAMP;

    if (b->attributes & BATCH_LOG_APPEND_TIME)
        return b->max_timestamp_ms;
    for (uint32_t i = 0; i < f->n_kept; i++)
        max_ms = MAX(max_ms, f->kept[i].timestamp_ms);
    return max_ms;
}

static void put_header(struct buf *out, size_t start, const uint8_t *was, const struct batch *b)
{
    uint8_t *p = out->p + start;
    size_t n = out->n - start;

    memcpy(p, was, BATCH_HEADER_BYTES);
    put_be32(p + BATCH_LENGTH_AT, (uint32_t)(n - BATCH_PREFIX_BYTES));
    put_be16(p + ATTRIBUTES_AT, (uint16_t)b->attributes);
    put_be64(p + BASE_TIMESTAMP_AT, (uint64_t)b->base_timestamp_ms);
    put_be64(p + MAX_TIMESTAMP_AT, (uint64_t)b->max_timestamp_ms);
    put_be32(p + RECORD_COUNT_AT, (uint32_t)b->record_count);
    put_be32(p + BATCH_CRC_AT, crc32c(0, p + BATCH_CRC_FROM, n - BATCH_CRC_FROM));
}

/* DefaultRecordBatch.writeEmptyHeader */
static void put_empty(struct buf *out, const uint8_t *p, const struct batch *b)
{
    struct batch e = *b;
    size_t start = out->n;

    MARK(clean_kept_empty);
    e.attributes &= (int16_t) ~(BATCH_CODEC_MASK | BATCH_DELETE_HORIZON);
    e.base_timestamp_ms = NO_TIMESTAMP;
    e.record_count = 0;
    buf_grow(out, BATCH_HEADER_BYTES);
    put_header(out, start, p, &e);
}

static int put_fewer(struct filter *f, const uint8_t *p, const struct batch *b, bool set_horizon, struct buf *out)
{
    struct batch e = *b;
    size_t start = out->n;
    int rc;

    if (set_horizon) {
        MARK(clean_horizon_set);
        e.attributes |= BATCH_DELETE_HORIZON;
        e.base_timestamp_ms = f->now_ms + f->delete_retention_ms;
    } else if (!(e.attributes & BATCH_DELETE_HORIZON)) {
        e.base_timestamp_ms = f->kept[0].timestamp_ms; /* as Kafka's builder has it */
    }
    e.max_timestamp_ms = max_timestamp(f, b);
    e.record_count = (int32_t)f->n_kept;
    f->body.n = 0;
    for (uint32_t i = 0; i < f->n_kept; i++)
        put_record(&f->body, &f->kept[i], e.base_timestamp_ms);
    buf_grow(out, BATCH_HEADER_BYTES);
    rc = codec_compress(batch_codec(b), bytes_of(f->body.p, f->body.n), INT32_MIN, out);
    if (rc == 0 && out->n - start > INT32_MAX)
        rc = E_LIMIT;
    if (rc < 0) {
        out->n = start;
        return rc;
    }
    put_header(out, start, p, &e);
    return 0;
}

/* All of its records go, without a look at them. *expires: a marker without a transaction, whose time begins or ran out. */
static int meet(struct filter *f, const uint8_t *p, const struct batch *b, bool *discard, bool *expires)
{
    int rc;

    *expires = false;
    if (!(b->attributes & BATCH_CONTROL)) {
        *discard = cleaned_txns_meet(&f->txns, b);
        return 0;
    }
    rc = cleaned_txns_meet_marker(&f->txns, p, b, expires);
    *discard = *expires && horizon_passed(f, b);
    return rc;
}

int filter_batch(struct filter *f, const uint8_t *p, const struct batch *b, bool must_stay, struct buf *out,
                 struct batch *left)
{
    size_t start = out->n;
    bool discard, expires, tombstones = false, set_horizon;
    int rc = meet(f, p, b, &discard, &expires);

    f->n_kept = 0;
    if (rc == 0 && !discard)
        rc = choose(f, p, b, &tombstones);
    if (rc < 0)
        return rc;
    if (discard) {
        MARK(clean_discarded);
        f->n_read += (uint64_t)b->record_count;
    }
    f->n_left += f->n_kept;
    set_horizon = (tombstones || expires) && !(b->attributes & BATCH_DELETE_HORIZON);
    if (f->n_kept > 0 && f->n_kept == (uint32_t)b->record_count && !set_horizon)
        buf_put(out, p, b->total_bytes);
    else if (f->n_kept > 0)
        rc = put_fewer(f, p, b, set_horizon, out);
    else if (must_stay || is_last_of_producer(f, b))
        put_empty(out, p, b);
    if (rc == 0 && out->n > start)
        rc = batch_decode(out->p + start, left);
    return rc;
}
