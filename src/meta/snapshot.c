/* Reading a KRaft snapshot (Snapshots, RecordsSnapshotReader): the state up to an offset, in a file
 * beside the log.
 *
 *   name      %020d-%010d.checkpoint: end offset, epoch
 *   contents  control batch (header) | batches of metadata records | control batch (footer)
 *
 * Apache Kafka writes one when it formats a directory (end offset 0: the feature levels) and from
 * time to time (we: take_snapshot.c); the log before it may then be deleted (trim.c).
 *
 * Happy path: the newest -> read whole -> batch by batch through apply.
 * Failures:   E_CORRUPT, E_IO, E_LIMIT with the path.
 */
#include "internal.h"

#define SUFFIX           ".checkpoint"
#define HEADER_BYTES_MAX 512 /* of the first batch, with its one record */

static bool digits(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] < '0' || p[i] > '9')
            return false;
    return true;
}

bool meta_snapshot_name(const char *name)
{
    STATIC_ASSERT(META_SNAPSHOT_NAME_BYTES == 31 + sizeof(SUFFIX) - 1, "offset, epoch, suffix");
    return strlen(name) == META_SNAPSHOT_NAME_BYTES && digits(name, 20) && name[20] == '-' &&
           digits(name + 21, 10) && !strcmp(name + 31, SUFFIX);
}

int64_t meta_snapshot_end(const char *name)
{
    ASSERT(meta_snapshot_name(name));
    return strtoll(name, NULL, 10);
}

static int apply_batch(struct meta *m, const uint8_t *p, const struct batch *b, struct buf *scratch)
{
    struct record_iter it;
    struct record r;
    int rc = record_iter_init(&it, p, b, META_SNAPSHOT_BYTES_MAX, scratch);

    if (rc < 0 || b->attributes & BATCH_CONTROL)
        return rc;
    while ((rc = record_iter_next(&it, &r)) > 0)
        if (r.value.p)
            meta_apply_value(m, r.value, r.offset);
    return rc;
}

static int apply_all(struct meta *m, const struct buf *file)
{
    struct buf scratch;
    int rc = 0;

    buf_init(&scratch);
    for (size_t at = 0; rc == 0 && at < file->n;) {
        struct batch b;

        rc = file->n - at < BATCH_HEADER_BYTES ? E_CORRUPT
                                               : batch_check(file->p + at, file->n - at, &b);
        if (rc == 0) {
            rc = apply_batch(m, file->p + at, &b, &scratch);
            at += b.total_bytes;
        }
    }
    buf_release(&scratch);
    return rc;
}

int meta_load_snapshot(struct meta *m, struct errmsg *msg)
{
    const char *name = meta_trim_newest(m);
    struct buf file;
    char *path;
    int rc;

    if (!name)
        return 0;
    path = xasprintf("%s/%s", m->dir_path, name);
    buf_init(&file);
    rc = vfs_read_all(m->env->vfs, path, META_SNAPSHOT_BYTES_MAX, &file);
    if (rc == 0)
        rc = apply_all(m, &file);
    if (rc < 0)
        errmsg_set(msg, "snapshot %s: %s", path, err_text(rc));
    m->snapshot_end = meta_snapshot_end(name);
    m->snapshot_epoch = (int32_t)strtoll(name + 21, NULL, 10);
    buf_release(&file);
    free(path);
    return rc;
}

static int header_of(const uint8_t *p, size_t n, int64_t *timestamp_ms)
{
    struct snapshot_header_record header;
    struct record_iter it;
    struct wire_reader in;
    struct arena arena;
    struct record r;
    struct buf scratch;
    struct batch b;
    int rc = batch_check(p, n, &b);

    buf_init(&scratch);
    arena_init(&arena);
    if (rc == 0)
        rc = record_iter_init(&it, p, &b, HEADER_BYTES_MAX, &scratch);
    if (rc == 0)
        rc = record_iter_next(&it, &r) == 1 && b.attributes & BATCH_CONTROL ? 0 : E_CORRUPT;
    if (rc == 0) {
        wire_reader_init(&in, r.value, &arena);
        rc = snapshot_header_record_decode(&header, &in, 0);
    }
    if (rc == 0)
        *timestamp_ms = header.last_contained_log_timestamp;
    arena_release(&arena);
    buf_release(&scratch);
    return rc;
}

int meta_snapshot_timestamp(struct meta *m, const char *name, int64_t *timestamp_ms)
{
    char *path = xasprintf("%s/%s", m->dir_path, name);
    uint8_t head[HEADER_BYTES_MAX];
    struct file *f;
    size_t n;
    int rc = vfs_open(m->env->vfs, path, VFS_READ, &f);

    free(path);
    if (rc < 0)
        return rc;
    rc = file_pread(f, head, sizeof(head), 0, &n);
    file_unref(f);
    return rc < 0 ? rc : header_of(head, n, timestamp_ms);
}
