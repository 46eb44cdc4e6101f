/* A look at a partition that is not open: whether it is worth opening.
 *
 * Owner: struct dir_entry keeps what was seen, core thread.
 *
 * Happy path: the first time the directory is listed, its .log files are sized, and the last entry of the first .timeindex is
 *             read. A log that is not open does not change, so the second time costs nothing.
 * Invariant:  only for logs that a clean stop has left (after another one all of them are opened, and so recovered).
 * Failures:   what cannot be read is E_*, and nothing is kept.
 */
#include "directory.h"
#include "segment.h"

struct look {
    struct log_dir *d;
    const struct dir_entry *e;
    struct log_peek *out;
    int64_t base[2]; /* of the first two segments; -1 */
    int64_t last;    /* of the last one */
    uint64_t first_bytes;
};

static int note_segment(void *arg, const char *name, bool is_dir)
{
    struct look *k = arg;
    int64_t base = is_dir ? -1 : offset_of_file_name(name, ".log");
    char path[DIR_PATH_MAX];
    struct vfs_stat st;
    int n, rc;

    if (base < 0)
        return 0;
    n = snprintf(path, sizeof(path), "%s/%s/%s", k->d->path, k->e->name_key, name);
    ASSERT(n > 0 && (size_t)n < sizeof(path));
    rc = vfs_stat(k->d->m->env->vfs, path, &st);
    if (rc < 0)
        return rc;
    k->out->size_bytes += st.size_bytes;
    k->out->n_segments++;
    k->last = MAX(k->last, base);
    if (k->base[0] < 0 || base < k->base[0]) {
        k->base[1] = k->base[0];
        k->base[0] = base;
        k->first_bytes = st.size_bytes;
        k->out->oldest_timestamp_ms = st.mtime.ms;
    } else if (k->base[1] < 0 || base < k->base[1]) {
        k->base[1] = base;
    }
    return 0;
}

/* After a clean stop every segment's time index ends with its largest timestamp. */
static int last_time(struct look *k)
{
    char path[DIR_PATH_MAX];
    uint8_t entry[INDEX_TIME_ENTRY_BYTES];
    struct file *f;
    uint64_t size;
    int n, rc;

    n = snprintf(path, sizeof(path), "%s/%s/%020lld.timeindex", k->d->path, k->e->name_key, (long long)k->base[0]);
    ASSERT(n > 0 && (size_t)n < sizeof(path));
    rc = vfs_open(k->d->m->env->vfs, path, VFS_READ, &f);
    if (rc < 0)
        return rc == E_NOENT ? 0 : rc;
    rc = file_size(f, &size);
    if (rc == 0 && size >= sizeof(entry)) {
        rc = file_pread_full(f, entry, sizeof(entry), size - sizeof(entry));
        if (rc == 0)
            k->out->oldest_timestamp_ms = (int64_t)get_be64(entry);
    }
    file_unref(f);
    return rc;
}

static int look(struct look *k)
{
    char path[DIR_PATH_MAX];
    int rc = vfs_list(k->d->m->env->vfs, dir_file_path(k->d, k->e->name_key, path), note_segment, k);
    int64_t start = k->e->value[CHECKPOINT_START];

    if (rc == 0 && k->base[0] >= 0)
        rc = last_time(k);
    if (rc < 0)
        return rc;
    k->out->oldest_bytes = k->first_bytes;
    k->out->front_below_start = k->base[1] >= 0 && k->base[1] <= start;
    k->out->has_dirty = k->last > MAX(k->base[0], k->e->value[CHECKPOINT_CLEANER]);
    return 0;
}

int logm_peek(struct logm *m, const char *topic, int32_t partition, struct log_peek *out)
{
    char *key = xasprintf("%s-%d", topic, partition);
    struct dir_entry *e = NULL;
    int rc = E_NOENT;

    ASSERT_CORE();
    for (int i = 0; i < m->n_dirs && !e; i++) {
        struct look k = {.d = &m->dirs[i], .base = {-1, -1}, .last = -1};

        e = m->dirs[i].offline ? NULL : dir_entry_find(&m->dirs[i], key);
        if (!e || e->log || e->unrecovered)
            continue;
        rc = 0;
        if (!e->peeked) {
            e->peek = (struct log_peek){0};
            k.e = e;
            k.out = &e->peek;
            rc = look(&k);
            e->peeked = rc == 0;
        }
        *out = e->peek;
    }
    free(key);
    return rc;
}
