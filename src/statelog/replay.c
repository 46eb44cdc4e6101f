/* Opening: the log from its start to its end through apply.
 *
 * Owner: the caller's struct statelog; buffers live for the replay only.
 *
 * Happy path: log_read_to_end gives a slice of a segment -> read it -> batch by batch: check, walk
 *             the records, apply.
 * Invariant:  every slice moves `end` forward. A compacted log has gaps: offsets rise, but do not
 *             follow one another.
 * Failures:   a batch that does not check is E_CORRUPT with topic, partition and offset; the log
 *             was recovered before, so this is rot, and a machine with half of its state must not
 *             serve.
 */
#include "internal.h"

#define READ_BYTES 1048576u

struct replay {
    struct statelog *s;
    struct buf bytes, scratch;
    struct errmsg *msg;
};

static int corrupt(const struct replay *r, const char *what)
{
    struct log *l = r->s->options.log;
    struct errmsg file;

    log_file_of(l, r->s->end, &file);
    errmsg_set(r->msg, "%s-%d at offset %lld (%s): %s", log_topic(l), log_partition(l),
               (long long)r->s->end, file.text, what);
    return E_CORRUPT;
}

static int replay_batch(struct replay *r, const uint8_t *p, const struct batch *b)
{
    struct statelog *s = r->s;
    struct record_iter it;
    struct record rec;
    int rc = record_iter_init(&it, p, b, STATELOG_BATCH_BYTES_MAX, &r->scratch);

    if (rc < 0)
        return corrupt(r, "its records cannot be unpacked");
    while ((rc = record_iter_next(&it, &rec)) > 0) {
        struct statelog_record sr = {.key = rec.key,
                                     .value = rec.value,
                                     .offset = rec.offset,
                                     .timestamp_ms = rec.timestamp_ms,
                                     .producer_id = b->producer_id,
                                     .producer_epoch = b->producer_epoch,
                                     .leader_epoch = b->leader_epoch,
                                     .transactional = (b->attributes & BATCH_TRANSACTIONAL) != 0,
                                     .control = (b->attributes & BATCH_CONTROL) != 0};
        if (sr.offset >= s->end)
            statelog_apply_one(s, &sr);
    }
    if (rc < 0)
        return corrupt(r, "a record cannot be read");
    s->end = MAX(s->end, batch_last_offset(b) + 1);
    return 0;
}

/* The whole batches at p[0..n). *need: bytes that the first batch takes, when it is larger than n.
 */
static int replay_slice(struct replay *r, const uint8_t *p, size_t n, size_t *need)
{
    size_t at = 0;

    *need = 0;
    while (n - at >= BATCH_HEADER_BYTES) {
        struct batch b;
        int rc = batch_decode(p + at, &b);

        if (rc < 0 || b.total_bytes > STATELOG_BATCH_BYTES_MAX)
            return corrupt(r, "the header of a batch is wrong");
        if (b.total_bytes > n - at) {
            if (at == 0)
                *need = b.total_bytes;
            return 0;
        }
        if (batch_check(p + at, n - at, &b) < 0)
            return corrupt(r, "the checksum of a batch is wrong");
        rc = replay_batch(r, p + at, &b);
        if (rc < 0)
            return rc;
        at += b.total_bytes;
    }
    if (at == 0)
        *need = BATCH_HEADER_BYTES;
    return 0;
}

static int read_slice(struct replay *r, uint32_t bytes_max, size_t *n)
{
    struct log *l = r->s->options.log;
    struct log_read got = {0};
    int rc = log_read_to_end(l, r->s->end, bytes_max, &got);

    if (rc == 0 && got.error)
        return corrupt(r, "the log has no such offset");
    if (rc == 0 && got.n_bytes == 0)
        return corrupt(r, "the log ends before its end");
    if (rc == 0) {
        r->bytes.n = 0;
        buf_grow(&r->bytes, got.n_bytes);
        rc = file_pread_full(got.file, r->bytes.p, got.n_bytes, got.position);
    }
    if (rc < 0) {
        errmsg_set(r->msg, "%s-%d: reading at offset %lld: %s", log_topic(l), log_partition(l),
                   (long long)r->s->end, err_text(rc));
        return rc;
    }
    *n = got.n_bytes;
    return 0;
}

int statelog_replay(struct statelog *s, struct errmsg *msg)
{
    struct replay r = {.s = s, .msg = msg};
    uint32_t bytes_max = READ_BYTES;
    int rc = 0;

    buf_init(&r.bytes);
    buf_init(&r.scratch);
    while (s->end < log_end_offset(s->options.log)) {
        int64_t before = s->end;
        size_t n = 0, need = 0;

        rc = read_slice(&r, bytes_max, &n);
        if (rc == 0)
            rc = replay_slice(&r, r.bytes.p, n, &need);
        if (rc < 0)
            break;
        if (s->end == before && need <= n) {
            rc = corrupt(&r, "a batch does not hold the offset that it should");
            break;
        }
        if (s->end == before && bytes_max >= need) {
            rc = corrupt(&r, "a batch is cut off");
            break;
        }
        bytes_max = MAX(READ_BYTES, (uint32_t)need);
    }
    buf_release(&r.bytes);
    buf_release(&r.scratch);
    return rc;
}
