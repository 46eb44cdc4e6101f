/* Old snapshots, and the log before them (KafkaRaftLog.maybeClean): what a start does not need any more.
 *
 * Owner: struct meta.files, core thread.
 *
 * Happy path: a snapshot was written, or a minute is over -> while there are two at least, and the log and all of them are too
 *             large, or the oldest is too old: the log start moves up to the end of the second, and the oldest leaves.
 * Invariant:  of all that is below the log start there is a snapshot on the disk. The newest stays.
 * Failures:   what could not be done is tried again with the next snapshot, or after a start. A snapshot that lies before the log
 *             start, because power failed between the two steps, goes with the next start.
 */
#include "internal.h"

#define TRIM_EVERY_MS 60000 /* RaftMetadataLogCleanerManager */
#define TIME_UNREAD   (-1)

/* ---- which there are --------------------------------------------------------------------------- */

static void put(struct meta *m, const char *name, uint64_t bytes)
{
    struct meta_snapshot_file *f;

    ASSERT(meta_snapshot_name(name));
    if (m->n_files == m->cap_files) {
        m->cap_files = MAX(8, 2 * m->cap_files);
        m->files = xrealloc_array(m->files, (size_t)m->cap_files, sizeof(*m->files));
    }
    f = &m->files[m->n_files++];
    memcpy(f->name, name, sizeof(f->name));
    f->bytes = bytes;
}

static int note(void *arg, const char *name, bool is_dir)
{
    if (!is_dir && meta_snapshot_name(name))
        put(arg, name, 0);
    return 0;
}

static int measure(struct meta *m)
{
    int rc = 0;

    for (int i = 0; i < m->n_files && rc == 0; i++) {
        char *path = xasprintf("%s/%s", m->dir_path, m->files[i].name);
        struct vfs_stat st = {0};

        rc = vfs_stat(m->env->vfs, path, &st);
        m->files[i].bytes = st.size_bytes;
        free(path);
    }
    return rc;
}

/* Zero-padded numbers: a later one is the greater text. */
static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct meta_snapshot_file *)a)->name,
                  ((const struct meta_snapshot_file *)b)->name);
}

int meta_trim_list(struct meta *m, struct errmsg *msg)
{
    int rc = m->dir_path ? vfs_list(m->env->vfs, m->dir_path, note, m) : 0;

    if (rc == E_NOENT)
        return 0;
    if (rc == 0)
        rc = measure(m);
    if (rc < 0)
        errmsg_set(msg, "%s: %s", m->dir_path, err_text(rc));
    else if (m->n_files > 0)
        qsort(m->files, (size_t)m->n_files, sizeof(*m->files), by_name);
    return rc;
}

const char *meta_trim_newest(const struct meta *m)
{
    return m->n_files > 0 ? m->files[m->n_files - 1].name : NULL;
}

void meta_trim_add(struct meta *m, const char *name, uint64_t bytes)
{
    ASSERT(m->n_files == 0 || strcmp(meta_trim_newest(m), name) < 0);
    put(m, name, bytes);
}

/* ---- what leaves ------------------------------------------------------------------------------- */

static void drop_oldest(struct meta *m)
{
    ASSERT(m->n_files > 1);
    diag_info("metadata: the snapshot %s is not needed any more; the log begins at offset %lld",
              m->files[0].name, (long long)log_start_offset(m->log_file));
    log_set_file_aside(m->log_file, m->files[0].name);
    m->n_files--;
    memmove(m->files, m->files + 1, (size_t)m->n_files * sizeof(*m->files));
    m->oldest_ms = TIME_UNREAD;
}

static bool too_large(struct meta *m)
{
    uint64_t bytes = log_size_bytes(m->log_file);

    for (int i = 0; i < m->n_files; i++)
        bytes += m->files[i].bytes;
    return m->config->metadata_max_retention_bytes >= 0 &&
           bytes > (uint64_t)m->config->metadata_max_retention_bytes;
}

static bool too_old(struct meta *m)
{
    int64_t retention_ms = m->config->metadata_max_retention_ms;

    if (retention_ms < 0)
        return false;
    if (m->oldest_ms == TIME_UNREAD && meta_snapshot_timestamp(m, m->files[0].name, &m->oldest_ms) < 0)
        return false;
    return clock_wall_earlier(m->env->clock).ms - m->oldest_ms > retention_ms;
}

static void trim_while(struct meta *m, bool (*is_due)(struct meta *m))
{
    while (m->n_files > 1 && is_due(m)) {
        int64_t start = meta_snapshot_end(m->files[1].name);

        if (start <= log_start_offset(m->log_file) || log_trim(m->log_file, start) < 0)
            return;
        MARK(metadata_trimmed);
        drop_oldest(m);
    }
}

static void set_timer(struct meta *m)
{
    if (m->n_files > 1 && !timer_armed(&m->trim_timer))
        timer_set(&m->env->timers, &m->trim_timer,
                  mono_after_ms(clock_mono(m->env->clock), TRIM_EVERY_MS));
}

void meta_trim(struct meta *m)
{
    trim_while(m, too_large);
    trim_while(m, too_old);
    set_timer(m);
}

static void fire(struct timer *t)
{
    meta_trim(CONTAINER_OF(t, struct meta, trim_timer));
}

/* KafkaRaftLog.recoverSnapshots. Nothing is trimmed yet: a start gives no lane anything to do. */
void meta_trim_loaded(struct meta *m)
{
    while (m->n_files > 1 && meta_snapshot_end(m->files[0].name) < log_start_offset(m->log_file)) {
        MARK(metadata_snapshot_before_start);
        drop_oldest(m);
    }
    set_timer(m);
}

/* ---- life -------------------------------------------------------------------------------------- */

void meta_trim_init(struct meta *m)
{
    timer_init(&m->trim_timer, fire);
    m->oldest_ms = TIME_UNREAD;
}

void meta_trim_release(struct meta *m)
{
    timer_cancel(&m->env->timers, &m->trim_timer);
    free(m->files);
    m->files = NULL;
    m->n_files = m->cap_files = 0;
}
