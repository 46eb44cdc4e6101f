/* Moving a log to another log directory: the log goes over to the copy (log_move, states 2 to 4).
 *
 * Owner: struct log_move, core thread; the syncs run on the flush lane of the directory that it goes to.
 *
 *                 the copy has                  its name         the log is    at a start counts
 *     COPIES      most of the log               -future          served        the old one
 *       the checkpoints' lines of the copy are written; the log is held: from its end on nothing is acknowledged, or shown
 *     HOLDS       all below that end, synced    -future          held          the old one
 *       the copy's directory is synced, it is renamed, the directory of it is synced
 *     NAMED       the same                      the partition's  held          the old one, which the metadata names
 *       what was appended since is copied, not synced; the metadata says the new one; the log's files are the copy's
 *     SWITCHED    all                           the partition's  held          whichever the metadata names: after a kill the new one
 *       the metadata's record is durable -> log_move_end: the old one is renamed to -delete, the log is let go
 *
 * Invariant:  what was acknowledged is in both directories, as durable as it was promised, as long as it is not decided which counts: the
 *             old one gets no promises after the copy was synced, and no half of its journal is freed before log_move_end. A record that was only written (acks=1) survives a kill: it is in the
 *             old directory until the metadata is written, and in both then.
 * Failures:   up to SWITCHED the log is where it was: whatever fails, it is let go there, and the copy is dropped. After that it shares the
 *             fate of its new directory.
 */
#include "move_internal.h"

#define EPOCHS_FILE "leader-epoch-checkpoint"
#define LINES_TRIES 3 /* at once */

/* ---- before it is held ---------------------------------------------------------------------- */

/* In the checkpoints of the new directory: the lines of a namesake are gone; a log start that was promised is in its file; and a journal
 * that has entries from an earlier stay of this log there leaves alone what may have been compacted since: below the active segment. */
static bool lines_are_written(const struct log_move *v)
{
    const struct log *l = v->log;
    const struct dir_entry *e = v->entry;

    return !dir_entry_is_stale(e) &&
           e->written[CHECKPOINT_RECOVERY] == log_active(l)->base_offset &&
           MAX(e->written[CHECKPOINT_START], log_first_base(l)) >= l->start_offset;
}

static void nothing(struct job *j)
{
}

static void lines_done(struct job *j)
{
    struct log_move *v = CONTAINER_OF(j, struct log_move, job);

    v->running = false;
    move_next(v);
}

/* The checkpoints' job is before ours on the lane, unless one was running: then it is tried again. */
static int write_lines(struct log_move *v)
{
    const struct log *l = v->log;
    int64_t start = l->start_offset;

    if (v->n_tries++ == LINES_TRIES) {
        v->n_tries = 0;
        return E_AGAIN;
    }
    v->entry->value[CHECKPOINT_RECOVERY] = log_active(l)->base_offset;
    v->entry->value[CHECKPOINT_START] = start > log_first_base(l) ? start : CHECKPOINT_NONE;
    for (int k = 0; k < CHECKPOINT_KINDS; k++)
        checkpoint_want(v->to, (enum checkpoint_kind)k);
    checkpoint_turn(v->to);
    move_submit(v, nothing, lines_done);
    return 0;
}

static bool is_busy(const struct log *l)
{
    return !list_empty((struct list *)&l->swaps) || l->n_departures > 0 || l->any_remade;
}

static int hold(struct log_move *v)
{
    struct log *l = v->log;

    if (!lines_are_written(v))
        return write_lines(v);
    v->is_ready = true;
    if ((v->switching && !v->switching(v)) || is_busy(l))
        return E_AGAIN;
    if (!PLANTED(move_unheld))
        l->held_from = l->end_offset;
    v->held_serial = log_active(l)->serial;
    v->held_position = log_active(l)->size_bytes;
    v->state = LOG_MOVE_HOLDS;
    return 1;
}

/* ---- the copy gets its name ----------------------------------------------------------------- */

static void names_work(struct job *j)
{
    struct log_move *v = CONTAINER_OF(j, struct log_move, job);

    ASSERT_LANE();
    v->rc = dir_synced(v->to, vfs_sync_dir(v->m->env->vfs, v->path));
}

static void parent_work(struct job *j)
{
    struct log_move *v = CONTAINER_OF(j, struct log_move, job);

    ASSERT_LANE();
    v->rc = dir_synced(v->to, vfs_sync_dir(v->m->env->vfs, v->to->path));
}

static void parent_done(struct job *j)
{
    struct log_move *v = CONTAINER_OF(j, struct log_move, job);

    v->running = false;
    move_next(v);
}

static void names_done(struct job *j)
{
    struct log_move *v = CONTAINER_OF(j, struct log_move, job);
    char path[DIR_PATH_MAX];
    int rc;

    v->running = false;
    rc = move_outcome(v);
    if (rc == 0)
        rc = vfs_rename(v->m->env->vfs, v->path, dir_file_path(v->to, v->log->name_key, path));
    if (rc < 0) { /* something else may be there: the copy has no name, and that is all */
        move_over(v, rc);
        return;
    }
    v->state = LOG_MOVE_NAMED;
    free(v->path);
    v->path = xstrdup(path);
    move_submit(v, parent_work, parent_done);
}

/* ---- the tail, all at once ------------------------------------------------------------------ */

static int copy_small(struct log_move *v, const char *name)
{
    char from[SEGMENT_PATH_MAX], to[SEGMENT_PATH_MAX];
    int n = snprintf(from, sizeof(from), "%s/%s", v->old_path, name);
    int k = snprintf(to, sizeof(to), "%s/%s", v->path, name), rc_read, rc;

    ASSERT(n > 0 && (size_t)n < sizeof(from));
    ASSERT(k > 0 && (size_t)k < sizeof(to));
    rc = move_copy_file(v->m->env->vfs, from, to, false, &rc_read);
    return rc < 0 ? rc : rc_read;
}

static int copy_of_offset(struct log_move *v, int64_t offset, const char *suffix)
{
    char name[64];

    if (offset < 0)
        return 0;
    snprintf(name, sizeof(name), "%020lld%s", (long long)offset, suffix);
    return copy_small(v, name);
}

/* What belongs to the active segment, and what is of the whole log. */
static int copy_derived(struct log_move *v)
{
    static const char *const suffixes[] = {".index", ".timeindex", ".txnindex", ".snapshot"};
    struct log *l = v->log;
    int rc = MIN(segment_write_indexes(log_active(l)), 0);

    if (rc == 0 && l->epochs->changed)
        rc = epochs_save(l);
    for (size_t i = 0; i < ARRAY_SIZE(suffixes) && rc == 0; i++)
        rc = copy_of_offset(v, log_active(l)->base_offset, suffixes[i]);
    for (size_t i = 0; i < ARRAY_SIZE(l->extra_snapshots) && rc == 0; i++)
        rc = copy_of_offset(v, l->extra_snapshots[i], ".snapshot");
    return rc == 0 ? copy_small(v, EPOCHS_FILE) : rc;
}

/* What the copy does not have of the active segment's records; v->target is its file. */
static int copy_tail(struct log_move *v)
{
    struct segment *s = log_active(v->log);
    uint64_t from = v->serial == s->serial ? v->position : 0;
    size_t n = (size_t)(s->size_bytes - from);
    char path[SEGMENT_PATH_MAX];
    struct file *source;
    uint8_t *bytes;
    int rc = segment_file(s, &source);

    ASSERT(from <= s->size_bytes);
    ASSERT(n <= MOVE_TAIL_BYTES);
    if (rc == 0)
        rc = vfs_open(v->m->env->vfs, move_path(v->path, s->base_offset, ".log", path),
                      VFS_WRITE | VFS_CREATE | (from == 0 ? VFS_TRUNCATE : 0), &v->target);
    if (rc < 0)
        return rc;
    bytes = xmalloc(MAX(n, 1));
    if (n > 0)
        rc = file_pread_full(source, bytes, n, from);
    if (rc == 0 && n > 0)
        rc = file_pwrite(v->target, bytes, n, from);
    free(bytes);
    return rc;
}

/* ---- the log goes over ---------------------------------------------------------------------- */

static void forget_checks(struct log *l)
{
    LIST_FOREACH_SAFE(it, &l->checks)
    {
        CONTAINER_OF(it, struct log_check, link)->log = NULL;
        list_remove(it);
    }
}

/* Its file is the copy's. What came from a device is looked at again before it is given out; of a sealed one's indexes what
 * is in the files is read again. */
static void segment_goes_over(struct segment *s)
{
    segment_close_file(s);
    s->reserved_bytes = 0;
    s->written_from = (uint32_t)s->size_bytes;
    memset(s->checked, 0, sizeof(s->checked));
    if (!s->sealed)
        return;
    index_release(&s->offsets);
    index_release(&s->times);
    s->indexes_loaded = false;
    s->txns.loaded = false;
    s->txns.n_written = 0;
}

/* Out of the old directory's queues, as if it were deleted. Its entry there stays, without a log. */
static void leave(struct log *l)
{
    forget_checks(l);
    commit_drop_log(l);
    flush_drop_log(l);
    l->entry->log = NULL;
    l->entry->peeked = false;
    l->names_in_flight = 0;
    l->in_flush = false;
    l->flush_wanted = false;
    l->journaled_end = 0;
    l->appended_since_flush = 0;
    l->bytes_since_flush = 0;
    l->dir_is_new = false;
    l->metadata_is_new = false;
}

static void arrive(struct log_move *v)
{
    struct log *l = v->log;

    l->dir = v->to;
    l->entry = v->entry;
    l->entry->log = l;
    free(l->path);
    l->path = xstrdup(v->path);
    l->needs_sync = true;    /* what came after the hold */
    l->names_are_new = true; /* so did names */
    l->recovery_point = MIN(l->flushed_offset, log_active(l)->base_offset);
    l->indexed_point = MIN(l->indexed_point, l->recovery_point);
    for (int i = 0; i < l->n_segments; i++)
        segment_goes_over(l->segments[i]);
    v->from->n_leaving++;
    log_active(l)->file = file_ref(v->target);
    segment_file_opened(log_active(l));
    places_forget(l);
    commit_named(l);
    for (int k = 0; k < CHECKPOINT_KINDS; k++)
        checkpoint_want(v->to, (enum checkpoint_kind)k);
}

/* In one go: what is written by whoever comes next is in the new directory. */
static int go_over(struct log_move *v)
{
    int rc = v->log->any_remade ? E_AGAIN : copy_tail(v); /* an index was found wrong meanwhile: another time */

    if (rc == 0)
        rc = copy_derived(v);
    if (rc == 0 && (v->from->offline || v->to->offline))
        rc = E_OFFLINE;
    if (rc == 0)
        rc = v->switched(v);
    if (rc < 0)
        return rc;
    leave(v->log);
    arrive(v);
    v->state = LOG_MOVE_SWITCHED;
    diag_info("%s goes on in %s", v->old_path, v->to->path);
    return 0;
}

int move_switch(struct log_move *v)
{
    ASSERT_CORE();
    ASSERT(v->state != LOG_MOVE_SWITCHED);
    if (v->state == LOG_MOVE_COPIES)
        return hold(v);
    if (v->state == LOG_MOVE_NAMED)
        return go_over(v);
    move_submit(v, names_work, names_done);
    return 0;
}

/* ---- the end -------------------------------------------------------------------------------- */

void move_let_go(struct log_move *v)
{
    struct log *l = v->log;
    int64_t held_from = l->held_from;

    if (!log_is_held(l))
        return;
    l->held_from = INT64_MAX;
    if (v->state ==
        LOG_MOVE_SWITCHED) { /* it was synced in the copy, whatever the old directory did */
        flushed_moved(l, held_from);
        l->recovery_point = MIN(held_from, log_active(l)->base_offset);
        l->indexed_point = l->recovery_point;
    }
    commit_let_go(l);
    waits_wake(l);
}

void move_drop_old(struct log_move *v)
{
    const struct log *l = v->log;
    struct dir_entry *e = dir_entry_find(v->from, l->name_key);

    if (!e || v->from->offline)
        return;
    dir_set_aside(v->from, v->old_path, l->name_key, e->topic_bytes,
                  l->config.file_delete_delay_ms);
    dir_entry_remove(v->from, e);
    checkpoint_note(v->from, CHECKPOINT_RECOVERY);
}

void log_move_lost(struct log_move *v)
{
    ASSERT_CORE();
    ASSERT(v->state == LOG_MOVE_SWITCHED);
    ASSERT(v->log);
    waits_offline(v->log);
}

void log_move_end(struct log_move *v)
{
    int rc = v->to->offline ? E_OFFLINE : 0;

    ASSERT_CORE();
    ASSERT(v->state == LOG_MOVE_SWITCHED);
    ASSERT(v->log);
    move_drop_old(v);
    move_let_go(v);
    move_over(v, rc);
}
