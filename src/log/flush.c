/* The background flush: segments to the disk, so that the journal may come round and recovery
 * points rise.
 *
 * Owner: struct log_dir, core thread; the syncing is a job on the flush lane, one at a time.
 *
 * Asked for by:
 *             - a journal half that is full: all that it covers;
 *             - flush.messages > 1 and flush.ms: one log;
 *             - the checkpoint's interval: durable logs, and logs that have rolled;
 *             - commits that synced many bytes in segments: their indexes;
 *             - a clean stop: everything.
 * Happy path: flush_start takes the logs and the ends that they have now -> the lane syncs segments
 *             and their indexes -> done: recovery points and flushed offsets move to those ends, the
 *             half is free, the checkpoint of the recovery points is written.
 * Invariant:  a half is freed only by a flush that began after its last entry was planned, and
 *             every log with bytes in it that no earlier flush had covered took part; none is freed
 *             while such a log is leaving for another directory (move_switch.c). The indexes
 *             hold all below indexed_point, on the disk; no recovery point past it is noted.
 * Failures:   the directory goes offline, and what ends on the other lane after the failure does not
 *             count any more (dir_sync_result). An index that can not be written or opened only holds
 *             indexed_point back.
 */
#include "directory.h"

struct flush_log {
    struct log *l; /* NULL: gone meanwhile */
    int64_t end;
    bool names;
    bool indexes; /* all of its entries are in the files */
};
struct flush {
    struct log_dir *d;
    struct job job;
    bool running;
    bool any_wanted;      /* some log has flush_wanted */
    bool all_wanted;      /* every dirty log */
    bool then_checkpoint; /* when the next one ends */
    int half;             /* of the journal, freed by the running one; -1 */
    bool checkpoint;      /* after the running one */
    struct mono begun;
    struct flush_log *logs;
    uint32_t n_logs, cap_logs;
    struct flush_list list;
    bool sync_all;
    /* the lane's */
    struct vfs *vfs;
    int rc;
    bool indexes_left; /* one could not be opened: the next flush sees to it */
};

/* ---- the lane ------------------------------------------------------------------------------- */

int flush_list_sync(struct vfs *v, const char *dir_path, const struct flush_list *list, bool all)
{
    bool is_missing = false;
    int rc = 0;

    ASSERT_LANE();
    /* The directory is watched: this hears of every writeback that failed since the start, of any of its files. */
    if (all && list->n + list->n_dirs + list->n_paths > 0)
        rc = vfs_sync_all(v, dir_path);
    for (uint32_t i = 0; i < list->n && rc == 0 && !all; i++)
        rc = file_datasync(list->files[i]);
    for (uint32_t i = 0; i < list->n_dirs && rc == 0 && !all; i++) {
        rc = PLANTED(skip_dir_sync) ? 0 : vfs_sync_dir(v, list->dirs[i]);
        if (rc == E_NOENT) {
            is_missing = true;
            rc = 0;
        }
    }
    return rc == 0 && is_missing ? E_NOENT : rc;
}

/* Opened here: ten thousand segments that are sealed at once must not need twice as many descriptors. */
static int sync_indexes(struct flush *f)
{
    int rc = 0;

    for (uint32_t i = 0; i < f->list.n_paths && rc == 0; i++) {
        struct file *file;

        rc = vfs_open(f->vfs, f->list.paths[i], VFS_READ, &file);
        if (rc == 0) {
            rc = file_datasync(file);
            file_unref(file);
        } else if (rc == E_NOENT) {
            rc = 0; /* the log was deleted, or goes without */
        } else {
            f->indexes_left = true;
            return 0;
        }
    }
    return rc;
}

static void flush_work(struct job *j)
{
    struct flush *f = CONTAINER_OF(j, struct flush, job);
    int rc = 0;

    ASSERT_LANE();
    f->indexes_left = false;
    f->rc = flush_list_sync(f->vfs, f->d->path, &f->list, f->sync_all);
    if ((f->rc == 0 || f->rc == E_NOENT) && !f->sync_all)
        rc = sync_indexes(f);
    if (rc < 0)
        f->rc = rc;
    f->rc = dir_synced(f->d, f->rc);
}

/* ---- what a sync means for a log ------------------------------------------------------------ */

void flushed_moved(struct log *l, int64_t end)
{
    ASSERT(end <= l->end_offset);
    if (end <= l->flushed_offset)
        return;
    l->flushed_offset = end;
    if (!l->config.durable)
        return;
    if (end > l->high_watermark) {
        l->high_watermark = end;
        log_bound_moved(l);
        checkpoint_note(l->dir, CHECKPOINT_WATERMARK);
    }
    waits_wake(l);
}

void recovery_point_moved(struct log *l, int64_t end)
{
    ASSERT(end <= l->flushed_offset);
    if (end > l->recovery_point) {
        l->recovery_point = end;
        log_flushed(l, end);
        checkpoint_note(l->dir, CHECKPOINT_RECOVERY);
    }
    if (l->recovery_point == l->end_offset && l->indexed_point == l->end_offset && !l->any_remade)
        list_remove(&l->in_dirty);
}

static void indexed_point_moved(struct log *l, int64_t end)
{
    if (end <= l->indexed_point)
        return;
    l->indexed_point = end;
    checkpoint_note(l->dir, CHECKPOINT_RECOVERY);
}

/* ---- beginning and ending ------------------------------------------------------------------- */

static void flush_take(struct flush *f, struct log *l)
{
    struct flush_log *fl;

    if (f->n_logs == f->cap_logs) {
        f->cap_logs = MAX(16, f->cap_logs * 2);
        f->logs = xrealloc_array(f->logs, f->cap_logs, sizeof(*f->logs));
    }
    fl = &f->logs[f->n_logs++];
    *fl = (struct flush_log){.l = l, .end = log_promised_end(l)};
    fl->indexes = log_collect_indexes(l, &f->list); /* which may make files: their names count, too */
    fl->names = collect_names(l, &f->list);
    log_collect_flush(l, &f->list);
    l->in_flush = true;
    l->flush_wanted = false;
    l->appended_since_flush = 0;
    l->bytes_since_flush = 0;
}

static void flush_put(struct flush *f)
{
    for (uint32_t i = 0; i < f->n_logs; i++) {
        struct log *l = f->logs[i].l;

        if (!l)
            continue;
        l->in_flush = false;
        if (f->logs[i].names)
            l->names_in_flight--;
    }
    f->n_logs = 0;
    flush_list_release(&f->list);
    f->running = false;
}

static void log_flush_done(struct flush *f, const struct flush_log *fl)
{
    struct log *l = fl->l;

    flushed_moved(l, fl->end);
    if (!f->indexes_left)
        remake_synced(l);
    l->indexes_left = !fl->indexes || f->indexes_left;
    if (!l->indexes_left)
        indexed_point_moved(l, fl->end);
    else
        checkpoint_note(l->dir, CHECKPOINT_RECOVERY); /* again at the next interval */
    recovery_point_moved(l, fl->end);
    if (!list_empty(&l->in_dirty)) {
        l->first_unflushed = f->begun;
        flush_note_age(l);
    }
}

static bool some_log_is_gone(const struct flush *f)
{
    for (uint32_t i = 0; i < f->n_logs; i++) {
        if (!f->logs[i].l)
            return true;
    }
    return false;
}

static void flush_done(struct job *j)
{
    struct flush *f = CONTAINER_OF(j, struct flush, job);
    struct log_dir *d = f->d;

    ASSERT_CORE();
    ASSERT(f->running);
    if (f->rc == E_NOENT && some_log_is_gone(f))
        f->rc = 0;
    f->rc = dir_sync_result(d, f->rc);
    if (PLANTED(serve_after_failed_flush))
        f->rc = 0;
    if (f->rc < 0)
        (void)dir_fail(d, "flush", d->path, f->rc); /* sticky */
    if (!d->offline) {
        for (uint32_t i = 0; i < f->n_logs; i++) {
            if (f->logs[i].l)
                log_flush_done(f, &f->logs[i]);
        }
        if (f->half >= 0)
            journal_half_flushed(d->journal, f->half);
        if (f->half >= 0 || f->checkpoint)
            checkpoint_want(d, CHECKPOINT_RECOVERY);
    }
    flush_put(f);
}

/* A clean stop takes what is appended after it has begun, too: markers of transactions that were being ended. A commit syncs their
 * segments, but not the indexes. */
static void want_rest(struct log_dir *d)
{
    bool any = false;

    LIST_FOREACH(it, &d->dirty)
    {
        const struct log *l = CONTAINER_OF(it, struct log, in_dirty);

        any |= (l->indexes_left ? l->recovery_point : MIN(l->recovery_point, l->indexed_point)) < log_promised_end(l);
    }
    if (any)
        flush_want_all(d);
}

void flush_start(struct log_dir *d)
{
    struct flush *f = d->flush;
    bool for_half = d->journal && journal_wants_flush(d->journal) && d->n_leaving == 0;

    if (f->running || d->offline)
        return;
    if (d->m->flushing_all)
        want_rest(d);
    if (!f->any_wanted && !f->all_wanted && !for_half)
        return;
    f->running = true;
    f->begun = clock_mono(d->m->env->clock);
    f->half = for_half ? journal_flush_begins(d->journal) : -1;
    LIST_FOREACH_SAFE(it, &d->dirty)
    {
        struct log *l = CONTAINER_OF(it, struct log, in_dirty);

        if (f->all_wanted || l->flush_wanted || (for_half && l->recovery_point < l->journaled_end))
            flush_take(f, l);
    }
    f->any_wanted = false;
    f->all_wanted = false;
    f->checkpoint = f->then_checkpoint;
    f->then_checkpoint = false;
    if (d->offline) { /* a file could not be opened */
        flush_put(f);
        return;
    }
    f->sync_all = f->list.n + f->list.n_dirs + f->list.n_paths > COMMIT_FILES_MAX;
    lane_submit(&d->flush_lane, &f->job, flush_work, flush_done);
}

/* ---- when ----------------------------------------------------------------------------------- */

void flush_want(struct log *l)
{
    ASSERT_CORE();
    if (list_empty(&l->in_dirty))
        return;
    l->flush_wanted = true;
    l->dir->flush->any_wanted = true;
}

void flush_want_noted(struct log *l)
{
    flush_want(l);
    l->dir->flush->then_checkpoint = true;
}

void flush_want_all(struct log_dir *d)
{
    ASSERT_CORE();
    d->volatile_bytes = 0;
    d->flush->all_wanted = !list_empty(&d->dirty);
    d->flush->then_checkpoint = d->flush->all_wanted;
}

static bool has_rolled(const struct log *l)
{
    return log_segment_base_of(l, l->end_offset) > MIN(l->recovery_point, l->indexed_point);
}

void flush_tick(struct log_dir *d)
{
    struct flush *f = d->flush;

    LIST_FOREACH(it, &d->dirty)
    {
        struct log *l = CONTAINER_OF(it, struct log, in_dirty);

        if (l->any_remade || (MIN(l->recovery_point, l->indexed_point) < l->end_offset && (l->config.durable || has_rolled(l))))
            flush_want(l);
    }
    if (f->any_wanted)
        f->then_checkpoint = true;
    else
        checkpoint_want(d, CHECKPOINT_RECOVERY);
}

static bool flushes_by_age(const struct log *l)
{
    return !l->config.durable && l->config.flush_ms < INT64_MAX;
}

static void timer_no_later(struct logm *m, struct mono deadline)
{
    if (!timer_armed(&m->flush_timer) || deadline.ns < m->flush_timer.deadline.ns)
        timer_set(&m->env->timers, &m->flush_timer, deadline);
}

void flush_note_age(struct log *l)
{
    if (!flushes_by_age(l))
        return;
    if (!l->in_flush)
        l->first_unflushed = clock_mono(l->m->env->clock);
    timer_no_later(l->m, mono_after_ms(l->first_unflushed, l->config.flush_ms));
}

static void flush_old(struct log *l, struct mono now)
{
    struct mono deadline = mono_after_ms(l->first_unflushed, l->config.flush_ms);

    if (!flushes_by_age(l))
        return;
    if (deadline.ns <= now.ns)
        flush_want(l);
    else
        timer_no_later(l->m, deadline);
}

void flush_timer_fire(struct timer *t)
{
    struct logm *m = CONTAINER_OF(t, struct logm, flush_timer);
    struct mono now = clock_mono(m->env->clock);

    ASSERT(m->magic == LOGM_MAGIC);
    for (int i = 0; i < m->n_dirs; i++) {
        LIST_FOREACH(it, &m->dirs[i].dirty)
        flush_old(CONTAINER_OF(it, struct log, in_dirty), now);
    }
}

void logm_flush_all(struct logm *m)
{
    ASSERT_CORE();
    m->flushing_all = true;
    moves_stop(m);
    for (int i = 0; i < m->n_dirs; i++) {
        struct log_dir *d = &m->dirs[i];

        if (d->offline)
            continue;
        flush_want_all(d);
        for (int k = 0; k < CHECKPOINT_KINDS; k++)
            checkpoint_want(d, (enum checkpoint_kind)k);
    }
}

/* ---- life ----------------------------------------------------------------------------------- */

bool flush_running(const struct log_dir *d)
{
    return d->flush->running;
}

bool flush_idle(const struct log_dir *d)
{
    const struct flush *f = d->flush;

    return !f->running && (d->offline || (!f->any_wanted && !f->all_wanted));
}

void flush_drop_log(struct log *l)
{
    struct flush *f = l->dir->flush;

    list_remove(&l->in_dirty);
    for (uint32_t i = 0; i < f->n_logs; i++) {
        if (f->logs[i].l == l)
            f->logs[i].l = NULL;
    }
}

void flush_init(struct log_dir *d)
{
    ASSERT(!d->flush);
    d->flush = xcalloc(1, sizeof(*d->flush));
    d->flush->d = d;
    d->flush->half = -1;
    d->flush->vfs = d->m->env->vfs;
}

void flush_release(struct log_dir *d)
{
    if (!d->flush)
        return;
    ASSERT(!d->flush->running);
    free(d->flush->logs);
    free(d->flush);
    d->flush = NULL;
}
