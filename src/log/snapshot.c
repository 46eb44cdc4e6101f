/* Producer snapshots: the producers' state before an offset, as a file of that name.
 *
 *   | i16 version 1 | u32 CRC-32C of what follows | i32 count | entries ...
 *   entry, 46 bytes:
 *   | i64 producer id | i16 epoch | i32 last sequence | i64 last offset | i32 offset delta |
 *   | i64 timestamp | i32 coordinator epoch | i64 first offset of the open transaction |
 *   (ProducerStateManager, ProducerSnapshot.json)
 *
 * Owner: struct log, core thread.
 *
 * Happy path: written at each roll and at a clean stop; loading takes the newest one at or below an
 *             offset and replays the batches from there on.
 * Invariant:  there is one at the base of every segment but the first, and at most two more.
 * Failures:   a snapshot that is missing, short or fails its CRC is skipped: the one before it
 *             means a longer replay, not a loss.
 */
#include "segment.h"

#define SNAPSHOT_SUFFIX   ".snapshot"
#define SNAPSHOT_CRC_AT   2
#define SNAPSHOT_CRC_FROM 6
#define SNAPSHOT_BYTES_MAX                                                                         \
    (SNAPSHOT_HEADER_BYTES + (size_t)SNAPSHOT_ENTRY_BYTES * PRODUCERS_MAX * 10)

static void encode_entry(const struct producer *p, uint8_t *out)
{
    static const struct producer_batch none = {.last_sequence = NO_SEQUENCE, .last_offset = -1};
    const struct producer_batch *last = p->n_batches > 0 ? &p->batches[p->n_batches - 1] : &none;

    put_be64(out, (uint64_t)p->id);
    put_be16(out + 8, (uint16_t)p->epoch);
    put_be32(out + 10, (uint32_t)last->last_sequence);
    put_be64(out + 14, (uint64_t)last->last_offset);
    put_be32(out + 22, (uint32_t)last->offset_delta);
    put_be64(out + 26, (uint64_t)p->timestamp_ms);
    put_be32(out + 34, (uint32_t)p->coordinator_epoch);
    put_be64(out + 38, (uint64_t)p->txn_first_offset);
}

void producers_encode(const struct producers *ps, struct buf *out)
{
    size_t n = SNAPSHOT_HEADER_BYTES + (size_t)SNAPSHOT_ENTRY_BYTES * ps->n;
    uint8_t *start = buf_grow(out, n), *at = start + SNAPSHOT_HEADER_BYTES;

    put_be16(start, SNAPSHOT_VERSION);
    put_be32(start + 6, ps->n);
    LIST_FOREACH(it, (struct list *)&ps->used)
    {
        encode_entry(CONTAINER_OF(it, struct producer, in_use), at);
        at += SNAPSHOT_ENTRY_BYTES;
    }
    ASSERT(at == start + n);
    put_be32(start + SNAPSHOT_CRC_AT, crc32c(0, start + SNAPSHOT_CRC_FROM, n - SNAPSHOT_CRC_FROM));
}

static void decode_entry(struct producers *ps, const uint8_t *p, struct wall now,
                         int64_t expiration_ms)
{
    int64_t id = (int64_t)get_be64(p), timestamp_ms = (int64_t)get_be64(p + 26);
    int64_t last_offset = (int64_t)get_be64(p + 14), txn_first_offset = (int64_t)get_be64(p + 38);
    struct producer *producer;

    if (id < 0 || (txn_first_offset < 0 && now.ms - timestamp_ms > expiration_ms))
        return;
    producer = producers_take(ps, id);
    producer->epoch = (int16_t)get_be16(p + 8);
    producer->timestamp_ms = timestamp_ms;
    producer->used.ms = timestamp_ms;
    producer->coordinator_epoch = (int32_t)get_be32(p + 34);
    producer->txn_first_offset = txn_first_offset;
    producer->n_batches = 0;
    if (last_offset >= 0)
        producer->batches[producer->n_batches++] = (struct producer_batch){
            (int32_t)get_be32(p + 10), (int32_t)get_be32(p + 22), last_offset, timestamp_ms};
}

static bool is_whole(struct bytes file)
{
    if (file.n < SNAPSHOT_HEADER_BYTES || get_be16(file.p) != SNAPSHOT_VERSION)
        return false;
    if (crc32c(0, file.p + SNAPSHOT_CRC_FROM, file.n - SNAPSHOT_CRC_FROM) !=
        get_be32(file.p + SNAPSHOT_CRC_AT))
        return false;
    return get_be32(file.p + 6) == (file.n - SNAPSHOT_HEADER_BYTES) / SNAPSHOT_ENTRY_BYTES &&
           (file.n - SNAPSHOT_HEADER_BYTES) % SNAPSHOT_ENTRY_BYTES == 0;
}

int producers_decode(struct producers *ps, struct bytes file, struct wall now,
                     int64_t expiration_ms)
{
    uint32_t count;

    producers_clear(ps);
    if (!is_whole(file))
        return E_CORRUPT;
    count = get_be32(file.p + 6);
    for (uint32_t i = 0; i < count; i++)
        decode_entry(ps, file.p + SNAPSHOT_HEADER_BYTES + (size_t)SNAPSHOT_ENTRY_BYTES * i, now,
                     expiration_ms);
    producers_list_open(ps);
    return 0;
}

/* ---- files ---------------------------------------------------------------------------------- */

/* Two are kept beside those of the segments: the newer may lie past the recovery point, where it is
 * of no use. */
static void note_extra(struct log *l, int64_t offset)
{
    int64_t gone = l->extra_snapshots[1];

    if (l->extra_snapshots[0] == offset)
        return;
    if (gone >= 0 && gone != offset && !log_segment_at_base(l, gone))
        snapshot_remove(l, gone);
    l->extra_snapshots[1] = l->extra_snapshots[0];
    l->extra_snapshots[0] = offset;
}

int snapshot_save(struct log *l, int64_t offset)
{
    char path[SEGMENT_PATH_MAX];
    struct file *f;
    struct buf b;
    int rc;

    ASSERT(offset <= l->end_offset);
    rc = vfs_open(l->m->env->vfs, log_file_path(l, offset, SNAPSHOT_SUFFIX, path),
                  VFS_WRITE | VFS_CREATE | VFS_TRUNCATE, &f);
    if (rc < 0)
        return rc;
    buf_init(&b);
    producers_encode(l->producers, &b);
    rc = file_pwrite(f, b.p, b.n, 0);
    buf_release(&b);
    file_unref(f);
    if (rc < 0) {
        snapshot_remove(l, offset);
        return rc;
    }
    l->bytes_since_snapshot = 0;
    note_extra(l, offset);
    return 0;
}

void snapshot_remove(struct log *l, int64_t offset)
{
    char path[SEGMENT_PATH_MAX];

    /* One that stays is only a file too many. */
    (void)vfs_unlink(l->m->env->vfs, log_file_path(l, offset, SNAPSHOT_SUFFIX, path));
}

struct offsets {
    int64_t *p;
    int n, cap;
};

static int collect(void *arg, const char *name, bool is_dir)
{
    struct offsets *o = arg;
    int64_t offset = is_dir ? -1 : offset_of_file_name(name, SNAPSHOT_SUFFIX);

    if (offset < 0)
        return 0;
    if (o->n == o->cap) {
        o->cap = MAX(8, o->cap * 2);
        o->p = xrealloc_array(o->p, (size_t)o->cap, sizeof(*o->p));
    }
    o->p[o->n++] = offset;
    return 0;
}

static int later_first(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x < y) - (x > y);
}

static int list_snapshots(struct log *l, struct offsets *o)
{
    int rc;

    *o = (struct offsets){0};
    rc = vfs_list(l->m->env->vfs, l->path, collect, o);
    if (rc == 0 && o->n > 0)
        qsort(o->p, (size_t)o->n, sizeof(*o->p), later_first);
    return rc;
}

/* They are not synced before a clean stop: after a power cut an older one may be torn as well as the newest. */
static bool is_torn(struct log *l, int64_t offset)
{
    char path[SEGMENT_PATH_MAX];
    struct buf b;
    int rc;

    buf_init(&b);
    rc = vfs_read_all(l->m->env->vfs, log_file_path(l, offset, SNAPSHOT_SUFFIX, path),
                      SNAPSHOT_BYTES_MAX, &b);
    if (rc == 0 && !is_whole(bytes_of(b.p, b.n)))
        rc = E_CORRUPT;
    buf_release(&b);
    return rc == E_CORRUPT || rc == E_LIMIT;
}

int snapshot_remove_strays(struct log *l)
{
    struct offsets o;
    int rc = list_snapshots(l, &o);

    for (int i = 0; rc == 0 && i < o.n; i++) {
        if (!l->dir->was_clean && is_torn(l, o.p[i])) {
            MARK(snapshot_torn);
            snapshot_remove(l, o.p[i]);
            continue;
        }
        if (log_segment_at_base(l, o.p[i]) || o.p[i] == l->extra_snapshots[0])
            continue;
        if (l->extra_snapshots[0] < 0 && o.p[i] <= l->end_offset &&
            o.p[i] >= log_active(l)->base_offset)
            l->extra_snapshots[0] = o.p[i];
        else
            snapshot_remove(l, o.p[i]);
    }
    free(o.p);
    return rc;
}

/* A transaction that is open began before the snapshot. */
static bool fits(const struct producers *ps, int64_t offset)
{
    LIST_FOREACH(it, (struct list *)(uintptr_t)&ps->open)
    {
        if (CONTAINER_OF(it, struct producer, in_open)->txn_first_offset >= offset)
            return false;
    }
    return true;
}

static int load_one(struct log *l, int64_t offset)
{
    char path[SEGMENT_PATH_MAX];
    struct buf b;
    int rc;

    buf_init(&b);
    rc = vfs_read_all(l->m->env->vfs, log_file_path(l, offset, SNAPSHOT_SUFFIX, path),
                      SNAPSHOT_BYTES_MAX, &b);
    if (rc == 0)
        rc = producers_decode(l->producers, bytes_of(b.p, b.n), clock_wall(l->m->env->clock),
                              l->m->config->producer_id_expiration_ms);
    if (rc == 0 && !fits(l->producers, offset))
        rc = E_CORRUPT;
    if (rc == E_CORRUPT || rc == E_LIMIT) {
        MARK(snapshot_skipped);
        diag_warn("%s: not a whole producer snapshot; going back to the one before it", path);
        snapshot_remove(l, offset);
    }
    buf_release(&b);
    return rc;
}

/* The newest valid one at or below offset; without one, the log's start. */
static int load_newest(struct log *l, int64_t offset, int64_t *from)
{
    struct offsets o;
    int rc = list_snapshots(l, &o), i = 0;

    producers_clear(l->producers);
    *from = l->n_segments > 0 ? l->segments[0]->base_offset : 0;
    while (rc == 0 && i < o.n && o.p[i] > offset)
        i++;
    for (; rc == 0 && i < o.n; i++) {
        rc = load_one(l, o.p[i]);
        if (rc < 0)
            producers_clear(l->producers);
        if (rc == 0) {
            *from = MAX(*from, o.p[i]);
            break;
        }
        rc = rc == E_CORRUPT || rc == E_LIMIT || rc == E_NOENT ? 0 : rc;
    }
    free(o.p);
    return rc;
}

int snapshot_load(struct log *l, int64_t offset)
{
    int64_t from;
    int rc = load_newest(l, offset, &from);

    if (rc == 0 && from <= offset)
        rc = producers_recall(l, from);
    if (rc == 0 && from < offset)
        rc = producers_replay(l, l->producers, from, offset, NULL);
    producers_expire(l->producers, clock_wall(l->m->env->clock),
                     l->m->config->producer_id_expiration_ms);
    return rc;
}
