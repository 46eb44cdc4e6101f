/* Group commit: making what was appended durable, for all logs of a directory at once.
 *
 * Owner: struct log_dir, core thread; the syncing is a job on the commit lane, one at a time.
 *
 *     idle --commit_start: something is queued--> running --the job ends--> idle
 *                                                 running --it failed--> the directory is offline
 *
 * Happy path: log_append -> commit_appended (an entry in `queue`) ... logm_turn -> commit_start:
 *             takes the whole queue, decides on the way, submits -> the lane: names, then the
 *             journal or the segments -> done: flushed_offset and the high watermark of every log
 *             in it move to the end that the log had when the commit began -> waits_wake. What is
 *             appended meanwhile is queued for the next one.
 * The way:    a few bytes for each log go into the journal: one write, one fdatasync. Many bytes go
 *             to the disk once only: their segments are synced instead. So is what the journal has
 *             no room for, and what was appended before the topic became durable.
 * Invariant:  bytes below flushed_offset are in synced segments or in the synced journal, and the
 *             names of their files are durable. In the steady state an append costs an array element
 *             here and no malloc.
 * Failures:   see dir_fail in logm.c. Nothing is tried again.
 */
#include "directory.h"

/* Small, as a whole or on average: then one write beats so many syncs. */
#define COMMIT_SMALL_BYTES         (512u << 10)
#define COMMIT_SMALL_BYTES_PER_LOG (64u << 10)
/* Synced past the written recovery points: what a start after a kill reads again. */
#define COMMIT_UNNOTED_BYTES     (64u << 20)

#define VOLATILE_UNFLUSHED_BYTES     (32u << 20)  /* of one log that is not durable */
#define VOLATILE_UNFLUSHED_BYTES_ALL (128u << 20) /* of all of them in a log directory */

struct parts {
    struct commit_part *p;
    uint32_t n, cap;
    uint64_t total_bytes;
};
struct commit_log {
    struct log *l; /* NULL: gone meanwhile */
    int64_t end;
    bool synced; /* its segments; otherwise its bytes are in the journal */
    bool names;
};
struct commit {
    struct log_dir *d;
    struct job job;
    bool running;
    struct parts queue, taken;
    struct commit_log *logs;
    uint32_t n_logs, cap_logs;
    struct flush_list names, files;
    bool sync_all;
    bool journaled;
    uint64_t
        unnoted_bytes; /* synced in segments since recovery points were last asked to be written */
    struct journal_write write;
    /* the lane's */
    struct vfs *vfs;
    int rc;
    bool dir_is_missing;
};

/* ---- the queue ------------------------------------------------------------------------------ */

static struct commit_part *parts_push(struct parts *ps)
{
    if (ps->n == ps->cap) {
        ps->cap = MAX(64, ps->cap * 2);
        ps->p = xrealloc_array(ps->p, ps->cap, sizeof(*ps->p));
    }
    return &ps->p[ps->n++];
}

static void parts_drop(struct parts *ps)
{
    for (uint32_t i = 0; i < ps->n; i++)
        chunk_unref(ps->p[i].chunk);
    ps->n = 0;
    ps->total_bytes = 0;
}

static void mark_dirty(struct log *l)
{
    if (list_empty(&l->in_dirty)) {
        list_push(&l->dir->dirty, &l->in_dirty);
        flush_note_age(l);
    }
}

static void want_commit(struct log *l)
{
    if (list_empty(&l->in_commit))
        list_push(&l->dir->appended, &l->in_commit);
}

/* Nobody waits for these bytes, but a start after a kill would have to look at all of them. */
static void appended_volatile(struct log *l, uint32_t n_bytes, int32_t n_records)
{
    l->needs_sync = true;
    l->high_watermark = l->end_offset;
    log_bound_moved(l);
    waits_wake(l);
    checkpoint_note(l->dir, CHECKPOINT_WATERMARK);
    l->appended_since_flush += n_records;
    l->bytes_since_flush += n_bytes;
    l->dir->volatile_bytes += n_bytes;
    if (l->appended_since_flush >= l->config.flush_messages)
        flush_want(l);
    if (l->bytes_since_flush >= VOLATILE_UNFLUSHED_BYTES)
        flush_want_noted(l);
    if (l->dir->volatile_bytes >= VOLATILE_UNFLUSHED_BYTES_ALL) {
        MARK(flush_of_all_volatile);
        flush_want_all(l->dir);
    }
}

void commit_appended(struct log *l, struct chunk *c, const uint8_t *p, uint32_t n_bytes,
                     int64_t segment_base, uint64_t position, int32_t n_records)
{
    struct parts *queue = &l->dir->commit->queue;

    ASSERT_CORE();
    ASSERT(l->magic == LOG_MAGIC);
    ASSERT(segment_base < l->end_offset);
    ASSERT(l->flushed_offset < l->end_offset);
    if (l->dir->offline)
        return;
    mark_dirty(l);
    checkpoint_note(l->dir, CHECKPOINT_RECOVERY);
    if (!l->config.durable && !log_is_held(l)) {
        appended_volatile(l, n_bytes, n_records);
        return;
    }
    want_commit(l);
    if (!c) {
        l->needs_sync = true;
        return;
    }
    *parts_push(queue) = (struct commit_part){
        .l = l,
        .chunk = chunk_ref(c),
        .p = p,
        .n_bytes = n_bytes,
        .segment_base = segment_base,
        .position = position,
        .end_offset = l->end_offset,
    };
    queue->total_bytes += n_bytes;
}

void commit_named(struct log *l)
{
    ASSERT_CORE();
    mark_dirty(l);
}

void commit_recovered(struct log *l)
{
    ASSERT_CORE();
    mark_dirty(l);
    flush_want_noted(l);
}

void commit_remade(struct log *l)
{
    ASSERT_CORE();
    mark_dirty(l);
    flush_want(l);
}

void commit_config_changed(struct log *l, bool was_durable)
{
    ASSERT_CORE();
    if (l->dir->offline || was_durable == l->config.durable || log_is_held(l))
        return; /* commit_let_go sees to it */
    if (!l->config.durable) {
        l->high_watermark = l->end_offset;
        l->needs_sync = l->flushed_offset < l->end_offset;
        log_bound_moved(l);
        waits_wake(l);
        checkpoint_note(l->dir, CHECKPOINT_WATERMARK);
    } else if (l->flushed_offset < l->end_offset) {
        l->needs_sync = true;
        want_commit(l);
    }
}

void commit_let_go(struct log *l)
{
    ASSERT_CORE();
    ASSERT(!log_is_held(l));
    if (l->flushed_offset < l->end_offset) {
        l->needs_sync = true; /* it may have been durable, or not, in between */
        want_commit(l);
    }
    if (!l->config.durable && l->high_watermark < l->end_offset) {
        l->high_watermark = l->end_offset;
        log_bound_moved(l);
        checkpoint_note(l->dir, CHECKPOINT_WATERMARK);
    }
}

/* ---- beginning ------------------------------------------------------------------------------ */

bool collect_names(struct log *l, struct flush_list *list)
{
    uint32_t n_before = list->n + list->n_dirs;

    if (l->names_in_flight > 0) { /* another job syncs them, but may end later than this one */
        MARK(names_collected_twice);
        l->dir_is_new = true;
        l->names_are_new = true;
    }
    log_collect_names(l, list);
    if (list->n + list->n_dirs == n_before)
        return false;
    l->names_in_flight++;
    return true;
}

static void take_log(struct commit *c, struct log *l)
{
    if (c->n_logs == c->cap_logs) {
        c->cap_logs = MAX(16, c->cap_logs * 2);
        c->logs = xrealloc_array(c->logs, c->cap_logs, sizeof(*c->logs));
    }
    c->logs[c->n_logs++] = (struct commit_log){.l = l, .end = l->end_offset};
    list_remove(&l->in_commit);
}

static bool must_stay(const struct log *l)
{
    return log_is_held(l) || checkpoint_is_stale(l);
}

/* True when some must stay behind. */
static bool take_logs(struct commit *c)
{
    bool stale = false;

    ASSERT(c->n_logs == 0);
    LIST_FOREACH_SAFE(it, &c->d->appended)
    {
        struct log *l = CONTAINER_OF(it, struct log, in_commit);

        if (must_stay(l))
            stale = true;
        else
            take_log(c, l);
    }
    return stale;
}

static void take_parts(struct commit *c, bool some_stay)
{
    struct parts all = c->queue;

    ASSERT(c->taken.n == 0);
    c->queue = c->taken;
    c->taken = all;
    if (!some_stay)
        return;
    c->taken.n = 0;
    c->taken.total_bytes = 0;
    for (uint32_t i = 0; i < all.n; i++) {
        struct parts *to = must_stay(all.p[i].l) ? &c->queue : &c->taken;

        *parts_push(to) = all.p[i]; /* never overtakes i */
        to->total_bytes += all.p[i].n_bytes;
    }
}

static bool is_small(const struct commit *c)
{
    return c->taken.total_bytes <= COMMIT_SMALL_BYTES ||
           c->taken.total_bytes / c->n_logs <= COMMIT_SMALL_BYTES_PER_LOG;
}

static bool use_journal(struct commit *c)
{
    struct log_dir *d = c->d;

    if (c->taken.n == 0 || !is_small(c) || !journal_ready(d))
        return false;
    return journal_plan(d->journal, c->taken.p, c->taken.n, &c->write);
}

/* What the job has to sync beside the journal. */
static void collect(struct commit *c)
{
    for (uint32_t i = 0; i < c->n_logs; i++) {
        struct commit_log *cl = &c->logs[i];

        cl->names = collect_names(cl->l, &c->names);
        cl->synced = !c->journaled || cl->l->needs_sync;
        if (!cl->synced) {
            cl->l->journaled_end = cl->end;
            continue;
        }
        log_collect_flush(cl->l, &c->files);
        cl->l->needs_sync = false;
    }
    c->sync_all = c->names.n + c->names.n_dirs + c->files.n > COMMIT_FILES_MAX;
}

static void commit_put(struct commit *c)
{
    for (uint32_t i = 0; i < c->n_logs; i++) {
        struct log *l = c->logs[i].l;

        if (l && c->logs[i].names)
            l->names_in_flight--;
    }
    c->n_logs = 0;
    parts_drop(&c->taken);
    if (c->journaled)
        journal_write_put(&c->write);
    c->journaled = false;
    flush_list_release(&c->names);
    flush_list_release(&c->files);
    c->running = false;
}

static void commit_work(struct job *j)
{
    struct commit *c = CONTAINER_OF(j, struct commit, job);

    ASSERT_LANE();
    c->rc = flush_list_sync(c->vfs, c->d->path, &c->names, c->sync_all);
    c->dir_is_missing = c->rc == E_NOENT;
    /* One syncfs is for both. */
    if ((c->rc == 0 && !(c->sync_all && c->names.n + c->names.n_dirs > 0)) || c->dir_is_missing)
        c->rc = flush_list_sync(c->vfs, c->d->path, &c->files, c->sync_all);
    if (c->rc == 0 && c->journaled)
        c->rc = journal_write(&c->write);
    if (c->rc == 0 && c->dir_is_missing)
        c->rc = E_NOENT;
    c->rc = dir_synced(c->d, c->rc);
}

/* The directory of a log that was deleted while its names were being synced is not missed. */
static bool some_log_is_gone(const struct commit *c)
{
    for (uint32_t i = 0; i < c->n_logs; i++) {
        if (!c->logs[i].l)
            return true;
    }
    return false;
}

static void commit_count(struct commit *c)
{
    struct metrics *m = c->d->m->env->metrics;

    metric_add(m, M_log_commits_total, 1);
    if (c->journaled)
        metric_add(m, M_log_commit_journal_bytes_total, (int64_t)c->taken.total_bytes);
}

/* A commit does not wait for indexes, and without them no recovery point is noted: the flush lane follows. */
static void note_synced(struct commit *c)
{
    if (c->journaled || c->unnoted_bytes < COMMIT_UNNOTED_BYTES)
        return;
    c->unnoted_bytes = 0;
    flush_tick(c->d);
}

static void commit_done(struct job *j)
{
    struct commit *c = CONTAINER_OF(j, struct commit, job);
    struct log_dir *d = c->d;

    ASSERT_CORE();
    ASSERT(c->running);
    if (c->rc == E_NOENT && some_log_is_gone(c))
        c->rc = 0;
    c->rc = dir_sync_result(d, c->rc);
    if (PLANTED(serve_after_failed_flush))
        c->rc = 0;
    if (c->rc < 0)
        (void)dir_fail(d, "commit", d->path, c->rc); /* sticky */
    if (!d->offline) {
        for (uint32_t i = 0; i < c->n_logs; i++) {
            struct commit_log *cl = &c->logs[i];

            if (!cl->l)
                continue;
            flushed_moved(cl->l, cl->end);
            if (cl->synced)
                recovery_point_moved(cl->l, cl->end);
        }
        note_synced(c);
        commit_count(c);
        journal_want(d);
    }
    commit_put(c);
}

void commit_start(struct log_dir *d)
{
    struct commit *c = d->commit;
    bool some_stay;

    if (c->running || d->offline || list_empty(&d->appended))
        return;
    some_stay = take_logs(c);
    if (some_stay) {
        MARK(commit_waits_for_checkpoint);
        checkpoint_turn(d);
    }
    if (c->n_logs == 0)
        return;
    c->running = true;
    take_parts(c, some_stay);
    c->journaled = use_journal(c);
    if (!c->journaled) {
        c->unnoted_bytes += c->taken.total_bytes;
        parts_drop(&c->taken); /* the segments have them */
    }
    collect(c);
    if (d->offline) { /* a file could not be opened */
        commit_put(c);
        return;
    }
    lane_submit(&d->commit_lane, &c->job, commit_work, commit_done);
}

/* ---- life ----------------------------------------------------------------------------------- */

bool commit_running(const struct log_dir *d)
{
    return d->commit->running;
}

bool commit_idle(const struct log_dir *d)
{
    return !d->commit->running && (d->offline || list_empty(&d->appended));
}

static void parts_drop_log(struct parts *ps, const struct log *l)
{
    uint32_t n_kept = 0;

    for (uint32_t i = 0; i < ps->n; i++) {
        if (ps->p[i].l == l) {
            ps->total_bytes -= ps->p[i].n_bytes;
            chunk_unref(ps->p[i].chunk);
        } else {
            ps->p[n_kept++] = ps->p[i];
        }
    }
    ps->n = n_kept;
}

void commit_drop_log(struct log *l)
{
    struct commit *c = l->dir->commit;

    list_remove(&l->in_commit);
    parts_drop_log(&c->queue, l);
    for (uint32_t i = 0; i < c->n_logs; i++) { /* the running job keeps its chunks */
        if (c->logs[i].l == l)
            c->logs[i].l = NULL;
    }
    for (uint32_t i = 0; i < c->taken.n; i++) {
        if (c->taken.p[i].l == l)
            c->taken.p[i].l = NULL;
    }
}

void commit_drop_queue(struct log_dir *d)
{
    ASSERT(d->offline);
    parts_drop(&d->commit->queue);
    LIST_FOREACH_SAFE(it, &d->appended)
    list_remove(it);
}

void commit_init(struct log_dir *d)
{
    struct commit *c = xcalloc(1, sizeof(*c));

    ASSERT(!d->commit);
    c->d = d;
    c->vfs = d->m->env->vfs;
    buf_init(&c->write.head);
    d->commit = c;
}

void commit_release(struct log_dir *d)
{
    struct commit *c = d->commit;

    if (!c)
        return;
    ASSERT(!c->running);
    parts_drop(&c->queue);
    free(c->queue.p);
    free(c->taken.p);
    free(c->logs);
    journal_write_release(&c->write);
    free(c);
    d->commit = NULL;
}
