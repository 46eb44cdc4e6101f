/* Deleting from the front: the log start moves, whole segments leave (UnifiedLog.maybeIncrementLogStartOffset,
 * deleteOldSegments).
 *
 * Owner: struct log, core thread; the syncs run on the flush lane.
 *
 * Happy path: the segments leave the memory at once, and the log start with them -> a sync of what stays (names, the producer
 *             snapshot) -> the oldest .log is renamed to .log.deleted -> a sync of the directory -> the next one ... ->
 *             each file is removed after file.delete.delay.ms.
 * Invariant:  what a crash leaves of the segments is a row without a hole: a segment's new name is durable before the next one
 *             gets its own, also where segments leave while others are still on their way. (Recovery takes a hole for damage, and sets aside what is behind it.) The last one goes only when the
 *             name of the new active segment is durable: else the log would begin at 0 again.
 * Failures:   a rename or sync that fails takes the directory offline. Readers that still send a range hold the file.
 *
 * The log start that a client asked for (DeleteRecords) is durable when log-start-offset-checkpoint has it; that file keeps its
 * line while segments below the start may still come back. Of a start that retention moved nothing is promised: after a power cut
 * the segments may be there again, and leave again.
 */
#include "directory.h"
#include "segment.h"

#define DEPARTURE_MAGIC 0x44455041u

struct departure {
    uint32_t magic;
    struct log_dir *d;
    struct log *l; /* NULL: the log was deleted meanwhile */
    char *path;    /* of its directory */
    int64_t delay_ms;
    int64_t first_kept; /* base offset of the first segment that stays */
    int64_t *bases;     /* of those that leave, oldest first */
    int n, at;          /* so many are renamed */
    struct list link;   /* d->departures, in the order in which they began */
    bool runs;          /* false: waits for those of the same log before it */
    struct job job;
    struct vfs *vfs;
    int rc;
};

static char *file_path(const struct departure *p, int64_t base, const char *suffix, char out[SEGMENT_PATH_MAX])
{
    int n = snprintf(out, SEGMENT_PATH_MAX, "%s/%020lld%s", p->path, (long long)base, suffix);

    ASSERT(n > 0 && n < SEGMENT_PATH_MAX);
    return out;
}

static void departure_free(struct departure *p)
{
    ASSERT(p->magic == DEPARTURE_MAGIC);
    list_remove(&p->link);
    p->magic = 0;
    free(p->bases);
    free(p->path);
    free(p);
}

/* ---- the lane ------------------------------------------------------------------------------- */

static int sync_file(struct vfs *v, const char *path)
{
    struct file *f;
    int rc = vfs_open(v, path, VFS_READ, &f);

    if (rc < 0)
        return rc == E_NOENT || rc == E_MFILE ? 0 : rc;
    rc = file_datasync(f);
    file_unref(f);
    return rc;
}

static void departure_work(struct job *j)
{
    struct departure *p = CONTAINER_OF(j, struct departure, job);
    char path[SEGMENT_PATH_MAX];

    ASSERT_LANE();
    p->rc = 0;
    if (p->at == 0) {
        p->rc = sync_file(p->vfs, file_path(p, p->first_kept, ".log", path));
        if (p->rc == 0)
            p->rc = sync_file(p->vfs, file_path(p, p->first_kept, ".snapshot", path));
    }
    if (p->rc == 0)
        p->rc = vfs_sync_dir(p->vfs, p->path);
    p->rc = dir_synced(p->d, p->rc);
}

/* ---- one after the other -------------------------------------------------------------------- */

/* What is derived is of no use to anybody any more; the .log may still be sent. */
static int rename_one(struct departure *p)
{
    static const char *const derived[] = {".index", ".timeindex", ".txnindex"};
    char from[SEGMENT_PATH_MAX], to[SEGMENT_PATH_MAX];
    int64_t base = p->bases[p->at];
    int rc;

    for (size_t i = 0; i < ARRAY_SIZE(derived); i++)
        (void)vfs_unlink(p->vfs, file_path(p, base, derived[i], from));
    file_path(p, base, ".log", from);
    rc = vfs_rename(p->vfs, from, file_path(p, base, ".log.deleted", to));
    if (rc == 0)
        remove_later(p->d, to, p->delay_ms);
    else if (rc == E_NOSPC)
        rc = vfs_unlink(p->vfs, from);
    return rc == E_NOENT ? 0 : rc;
}

static void departure_done(struct job *j);

static void depart(struct departure *p)
{
    p->runs = true;
    lane_submit(&p->d->flush_lane, &p->job, departure_work, departure_done);
}

static struct departure *first_of(const struct log *l)
{
    LIST_FOREACH(it, &l->dir->departures)
    {
        struct departure *p = CONTAINER_OF(it, struct departure, link);

        if (p->l == l)
            return p;
    }
    return NULL;
}

static void departure_ended(struct departure *p)
{
    struct log *l = p->l;

    departure_free(p);
    if (!l)
        return;
    ASSERT(l->n_departures > 0);
    l->n_departures--;
    checkpoint_note(l->dir, CHECKPOINT_START);
    waits_wake(l);
    p = first_of(l);
    ASSERT(!p == (l->n_departures == 0));
    if (p)
        depart(p);
}

static void departure_done(struct job *j)
{
    struct departure *p = CONTAINER_OF(j, struct departure, job);
    struct log_dir *d = p->d;
    int rc = p->l ? p->rc : 0;

    ASSERT_CORE();
    ASSERT(p->magic == DEPARTURE_MAGIC);
    rc = rc < 0 ? rc : dir_sync_result(d, 0);
    if (rc == 0 && p->l && !d->offline && p->at < p->n) {
        rc = rename_one(p);
        p->at++;
        if (rc == 0) {
            depart(p);
            return;
        }
    }
    if (rc < 0)
        (void)dir_fail(d, "delete segments", p->path, rc); /* sticky */
    departure_ended(p);
}

void departures_drop_log(struct log *l)
{
    LIST_FOREACH_SAFE(it, &l->dir->departures)
    {
        struct departure *p = CONTAINER_OF(it, struct departure, link);

        if (p->l == l && !p->runs)
            departure_free(p);
        else if (p->l == l)
            p->l = NULL; /* done frees it */
    }
    l->n_departures = 0;
}

void departures_release(struct log_dir *d)
{
    struct list *first;

    while ((first = list_first(&d->departures)))
        departure_free(CONTAINER_OF(first, struct departure, link));
}

/* ---- out of memory -------------------------------------------------------------------------- */

static void start_moves(struct log *l, int64_t offset)
{
    if (offset <= l->start_offset)
        return;
    ASSERT(offset <= l->high_watermark);
    l->start_offset = offset;
    epochs_truncate_start(l->epochs, offset);
    log_bound_moved(l); /* a transaction that began before it */
    waits_wake(l);
    checkpoint_start_moved(l);
    trace("log start moved", l->partition, offset);
}

static void drop_snapshots(struct log *l, const struct departure *p)
{
    for (int i = 0; i < p->n; i++)
        snapshot_remove(l, p->bases[i]);
    for (int i = 0; i < 2; i++) {
        if (l->extra_snapshots[i] < 0 || l->extra_snapshots[i] >= p->first_kept)
            continue;
        snapshot_remove(l, l->extra_snapshots[i]);
        l->extra_snapshots[i] = -1;
    }
}

static struct departure *take_front(struct log *l, int n)
{
    struct departure *p = xcalloc(1, sizeof(*p));

    p->magic = DEPARTURE_MAGIC;
    p->d = l->dir;
    p->l = l;
    p->vfs = l->m->env->vfs;
    p->path = xstrdup(l->path);
    p->delay_ms = l->config.file_delete_delay_ms;
    p->first_kept = l->segments[n]->base_offset;
    p->bases = xcalloc((size_t)n, sizeof(*p->bases));
    p->n = n;
    for (int i = 0; i < n; i++) {
        p->bases[i] = l->segments[i]->base_offset;
        l->size_bytes -= l->segments[i]->size_bytes;
        segment_free(l->segments[i]);
    }
    l->n_segments -= n;
    memmove(l->segments, l->segments + n, (size_t)l->n_segments * sizeof(struct segment *));
    places_forget(l);
    list_init(&p->link);
    list_push(&l->dir->departures, &p->link);
    l->n_departures++;
    return p;
}

int log_roll_active(struct log *l)
{
    int rc;

    ASSERT_CORE();
    ASSERT(l->magic == LOG_MAGIC);
    if (l->dir->offline || l->deleted)
        return E_OFFLINE;
    if (log_active(l)->base_offset == l->end_offset)
        return 0;
    rc = segment_need_indexes(log_active(l));
    if (rc == 0)
        rc = log_roll(l, l->end_offset);
    return rc;
}

int log_delete_segments(struct log *l, int n)
{
    struct departure *p;
    int rc = 0;

    ASSERT_CORE();
    ASSERT(l->magic == LOG_MAGIC);
    ASSERT(n >= 0);
    ASSERT(n <= l->n_segments);
    if (l->dir->offline || l->deleted)
        return E_OFFLINE;
    if (log_is_held(l))
        return E_AGAIN;
    if (n == l->n_segments) {
        ASSERT(l->high_watermark == l->end_offset);
        rc = log_roll_active(l);
        n = MIN(n, l->n_segments - 1);
    }
    if (rc < 0 || n == 0)
        return rc;
    start_moves(l, l->segments[n]->base_offset);
    p = take_front(l, n);
    drop_snapshots(l, p);
    if (epochs_save(l) < 0)
        l->epochs->changed = true; /* derived: log_finish tries again */
    if (first_of(l) == p)
        depart(p);
    return 0;
}

int16_t log_delete_records(struct log *l, int64_t offset)
{
    ASSERT_CORE();
    ASSERT(l->magic == LOG_MAGIC);
    if (offset < 0 || offset > l->high_watermark)
        return KE_OFFSET_OUT_OF_RANGE;
    if (l->dir->offline)
        return KE_KAFKA_STORAGE_ERROR;
    start_moves(l, offset);
    checkpoint_want(l->dir, CHECKPOINT_START);
    return KE_NONE;
}

int log_trim(struct log *l, int64_t offset)
{
    int n = 0;

    ASSERT_CORE();
    offset = MIN(offset, l->high_watermark);
    if (l->dir->offline || l->deleted)
        return E_OFFLINE;
    start_moves(l, offset);
    while (n < l->n_segments && segment_end_offset(l->segments[n]) <= offset)
        n++;
    if (n == l->n_segments && log_active(l)->size_bytes == 0)
        n--;
    return log_delete_segments(l, n);
}

int log_segment_get(struct log *l, int i, struct log_segment *out)
{
    struct segment *s;
    struct vfs_stat st;
    char path[SEGMENT_PATH_MAX];
    int64_t offset;
    int rc;

    ASSERT_CORE();
    ASSERT(i >= 0);
    ASSERT(i < l->n_segments);
    s = l->segments[i];
    *out = (struct log_segment){.base_offset = s->base_offset,
                                .end_offset = segment_end_offset(s),
                                .size_bytes = s->size_bytes,
                                .timestamp_ms = NO_TIMESTAMP};
    rc = segment_max_timestamp(s, &out->timestamp_ms, &offset);
    if (rc < 0 || out->timestamp_ms >= 0)
        return rc;
    rc = vfs_stat(l->m->env->vfs, segment_path(s, ".log", path), &st);
    if (rc == 0)
        out->timestamp_ms = st.mtime.ms;
    return rc;
}

/* ---- durable -------------------------------------------------------------------------------- */

int64_t log_first_base(const struct log *l)
{
    return l->segments[0]->base_offset;
}

/* Segments that are leaving may come back until their new names are durable. */
int64_t log_start_durable(const struct log *l)
{
    const struct dir_entry *e = l->entry;
    int64_t noted = e->stale[CHECKPOINT_START] == STALE_NONE ? e->written[CHECKPOINT_START] : CHECKPOINT_NONE;

    if (log_is_held(l)) /* which of two directories counts after a power cut is not decided */
        return CHECKPOINT_NONE;
    return l->n_departures > 0 ? noted : MAX(noted, log_first_base(l));
}
