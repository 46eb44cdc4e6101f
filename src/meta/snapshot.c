/* Reading a KRaft snapshot (Snapshots, RecordsSnapshotReader): the state up to an offset, in a file
 * beside the log.
 *
 *   name      %020d-%010d.checkpoint: end offset, epoch
 *   contents  control batch (header) | batches of metadata records | control batch (footer)
 *
 * Apache Kafka writes one when it formats a directory (end offset 0: the feature levels) and from
 * time to time (we: take_snapshot.c); the log before it may then be deleted.
 *
 * Happy path: list the directory -> the newest -> read whole -> batch by batch through apply.
 * Failures:   E_CORRUPT, E_IO, E_LIMIT with the path.
 */
#include "internal.h"

#define SUFFIX     ".checkpoint"
#define NAME_BYTES (20 + 1 + 10 + sizeof(SUFFIX) - 1)

struct newest {
    char name[NAME_BYTES + 1]; /* "" : none */
};

static bool digits(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] < '0' || p[i] > '9')
            return false;
    return true;
}

bool meta_snapshot_name(const char *name)
{
    return strlen(name) == NAME_BYTES && digits(name, 20) && name[20] == '-' &&
           digits(name + 21, 10) && !strcmp(name + 31, SUFFIX);
}

/* Zero-padded numbers: the newest is the greatest text. */
static int look(void *arg, const char *name, bool is_dir)
{
    struct newest *newest = arg;

    if (!is_dir && meta_snapshot_name(name) && strcmp(name, newest->name) > 0)
        memcpy(newest->name, name, NAME_BYTES + 1);
    return 0;
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

int meta_load_snapshot(struct meta *m, const char *dir_path, struct errmsg *msg)
{
    struct newest newest = {.name = ""};
    struct buf file;
    char *path;
    int rc = vfs_list(m->env->vfs, dir_path, look, &newest);

    if (rc == E_NOENT || (rc == 0 && !newest.name[0]))
        return 0;
    if (rc < 0) {
        errmsg_set(msg, "%s: %s", dir_path, err_text(rc));
        return rc;
    }
    path = xasprintf("%s/%s", dir_path, newest.name);
    buf_init(&file);
    rc = vfs_read_all(m->env->vfs, path, META_SNAPSHOT_BYTES_MAX, &file);
    if (rc == 0)
        rc = apply_all(m, &file);
    if (rc < 0)
        errmsg_set(msg, "snapshot %s: %s", path, err_text(rc));
    m->snapshot_end = strtoll(newest.name, NULL, 10);
    m->snapshot_epoch = (int32_t)strtoll(newest.name + 21, NULL, 10);
    buf_release(&file);
    free(path);
    return rc;
}
