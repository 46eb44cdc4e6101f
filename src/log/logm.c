/* All log directories: opening, the end of a turn, going offline, closing.
 *
 * Owner: struct logm, core thread. struct log objects enter m->logs with log_opened and leave with
 * log_detach.
 *
 * Start:      for every directory: lock, meta.properties, list (nothing is changed, but that a new
 *             directory gets what it needs); then for each:
 *               clean stop:  journal reset -> marker removed, durably;
 *               unclean:     journal replayed into the segments, flushed -> journal reset.
 *             The journal of a clean directory is reset *before* the marker goes: the other way
 *             round, a crash between the two would replay an old journal over what somebody else
 *             (Apache Kafka, say) has written since.
 * Turn:       one commit and one flush begin for each directory that has something to do -> waits
 *             fire -> what they appended begins.
 * Clean stop: logm_flush_all, turns until logm_quiet, then logm_close: indexes and producer
 *             snapshots -> checkpoints -> journal reset -> marker; each durable before the next.
 * Invariant:  after `offline` nothing of a directory is written any more.
 * Failures:   dir_fail: sticky. The log line is written once, where it happened.
 */
#include "directory.h"

/* ---- opening -------------------------------------------------------------------------------- */

static void dir_init(struct log_dir *d, struct logm *m, int index, const char *path)
{
    struct lanes *lanes = m->env->lanes;

    d->m = m;
    d->index = index;
    d->path = xstrdup(path);
    lane_init(&d->commit_lane, lanes, "commit");
    lane_init(&d->flush_lane, lanes, "flush");
    list_init(&d->appended);
    list_init(&d->dirty);
    list_init(&d->departures);
    list_init(&d->removals);
    commit_init(d);
    flush_init(d);
    checkpoint_init(d);
}

static void dir_release(struct log_dir *d)
{
    ASSERT(lane_idle(&d->commit_lane));
    ASSERT(lane_idle(&d->flush_lane));
    departures_release(d);
    remove_release(d);
    commit_release(d);
    flush_release(d);
    checkpoint_release(d);
    journal_close(d);
    dir_close(d);
    free(d->path);
}

/* From here on the directory may be changed. */
static int dir_take_over(struct log_dir *d, struct errmsg *msg)
{
    int rc = journal_open(d, !d->was_clean, msg);

    return rc < 0 ? rc : dir_unmark(d, msg);
}

static int check_ids(const struct logm *m, struct errmsg *msg)
{
    for (int i = 0; i < m->n_dirs; i++) {
        for (int k = 0; k < i; k++) {
            if (!uuid_eq(m->dirs[i].id, m->dirs[k].id))
                continue;
            errmsg_set(msg, "%s and %s have the same directory.id: one is a copy of the other",
                       m->dirs[k].path, m->dirs[i].path);
            return E_FORMAT;
        }
    }
    return 0;
}

static int open_dirs(struct logm *m, struct buf *leftovers, struct errmsg *msg)
{
    int rc = 0;

    for (int i = 0; i < m->n_dirs; i++)
        properties_peek(&m->dirs[i], &m->cluster_id);
    for (int i = 0; i < m->n_dirs && rc == 0; i++)
        rc = dir_open(&m->dirs[i], &m->cluster_id, &leftovers[i], msg);
    if (rc == 0)
        rc = check_ids(m, msg);
    if (rc == 0)
        rc = found_make(m, msg);
    for (int i = 0; i < m->n_dirs && rc == 0; i++)
        rc = dir_take_over(&m->dirs[i], msg);
    for (int i = 0; i < m->n_dirs && rc == 0; i++)
        remove_leftovers(&m->dirs[i], &leftovers[i]);
    return rc;
}

static void logm_free(struct logm *m)
{
    timer_cancel(&m->env->timers, &m->checkpoint_timer);
    timer_cancel(&m->env->timers, &m->flush_timer);
    timer_cancel(&m->env->timers, &m->expiry_timer);
    for (int i = 0; i < m->n_dirs; i++)
        dir_release(&m->dirs[i]);
    found_release(m);
    refused_release(m);
    free(m->dirs);
    m->magic = 0;
    free(m);
}

/* ---- producers that have been silent for long ----------------------------------------------- */

static void expiry_again(struct logm *m)
{
    int64_t every_ms = m->config->producer_id_expiration_check_interval_ms;

    timer_set(&m->env->timers, &m->expiry_timer,
              mono_after_ms(clock_mono(m->env->clock), every_ms));
}

/* ProducerStateManager.removeExpiredProducers, for every log that is open. */
static void expire_producers(struct timer *t)
{
    struct logm *m = CONTAINER_OF(t, struct logm, expiry_timer);
    struct wall now = clock_wall_earlier(m->env->clock);

    for (struct log *l = m->logs; l; l = l->by_name.next)
        log_expire_producers(l, now);
    expiry_again(m);
}

int logm_open(struct env *env, const struct logm_options *options, struct logm **out,
              struct errmsg *msg)
{
    struct logm *m = xcalloc(1, sizeof(*m));
    struct buf *leftovers;
    int rc;

    ASSERT_CORE();
    ASSERT(options->config);
    ASSERT(options->config->n_parsed_log_dirs > 0);
    m->magic = LOGM_MAGIC;
    m->env = env;
    m->options = *options;
    m->config = options->config;
    m->broker_epoch = -1;
    timer_init(&m->checkpoint_timer, checkpoint_timer_fire);
    timer_init(&m->flush_timer, flush_timer_fire);
    timer_init(&m->expiry_timer, expire_producers);
    expiry_again(m);
    waits_init(m);
    list_init(&m->refused);
    m->n_dirs = m->config->n_parsed_log_dirs;
    m->dirs = xcalloc((size_t)m->n_dirs, sizeof(*m->dirs));
    leftovers = xcalloc((size_t)m->n_dirs, sizeof(*leftovers));
    for (int i = 0; i < m->n_dirs; i++) {
        dir_init(&m->dirs[i], m, i, m->config->parsed_log_dirs[i]);
        buf_init(&leftovers[i]);
    }
    rc = open_dirs(m, leftovers, msg);
    for (int i = 0; i < m->n_dirs; i++)
        buf_release(&leftovers[i]);
    free(leftovers);
    if (rc < 0)
        logm_free(m);
    *out = rc < 0 ? NULL : m;
    return rc;
}

/* ---- what is there -------------------------------------------------------------------------- */

void logm_set_broker_epoch(struct logm *m, int64_t broker_epoch)
{
    m->broker_epoch = broker_epoch;
}

struct uuid logm_cluster_id(const struct logm *m)
{
    return m->cluster_id;
}

int logm_n_dirs(const struct logm *m)
{
    return m->n_dirs;
}

static const struct log_dir *dir_at(const struct logm *m, int dir)
{
    ASSERT(dir >= 0);
    ASSERT(dir < m->n_dirs);
    return &m->dirs[dir];
}

const char *logm_dir_path(const struct logm *m, int dir)
{
    return dir_at(m, dir)->path;
}

struct uuid logm_dir_id(const struct logm *m, int dir)
{
    return dir_at(m, dir)->id;
}

bool logm_dir_offline(const struct logm *m, int dir)
{
    return dir_at(m, dir)->offline;
}

bool logm_was_clean(const struct logm *m)
{
    for (int i = 0; i < m->n_dirs; i++) {
        if (!m->dirs[i].was_clean)
            return false;
    }
    return true;
}

/* ---- logs ----------------------------------------------------------------------------------- */

int dir_place(const struct logm *m, const char *name_key, int wanted, struct log_dir **out,
              bool *exists)
{
    struct log_dir *best = NULL;

    ASSERT(wanted >= -1);
    ASSERT(wanted < m->n_dirs);
    for (int i = 0; i < m->n_dirs; i++) {
        struct log_dir *d = &m->dirs[i];

        if (dir_entry_find(d, name_key)) {
            *exists = true;
            *out = d;
            return d->offline ? E_OFFLINE : 0;
        }
        if (d->offline || (wanted >= 0 && wanted != i))
            continue;
        if (!best || d->n_entries < best->n_entries)
            best = d;
    }
    *exists = false;
    *out = best;
    return best ? 0 : E_OFFLINE;
}

void log_attach(struct log *l)
{
    ASSERT_CORE();
    ASSERT(l->dir);
    list_init(&l->in_commit);
    list_init(&l->in_dirty);
    list_init(&l->durable_waits);
    list_init(&l->readable_waits);
    list_init(&l->committed_waits);
    list_init(&l->start_waits);
    list_init(&l->swaps);
    list_init(&l->in_awake);
    list_init(&l->checks);
}

void log_opened(struct log *l)
{
    struct log_dir *d = l->dir;
    struct dir_entry *e = dir_entry_find(d, l->name_key);

    ASSERT_CORE();
    ASSERT(l->recovery_point <= l->end_offset);
    if (!e) {
        e = dir_entry_add(d, l->name_key);
        checkpoint_note(d, CHECKPOINT_WATERMARK);
    }
    ASSERT(!e->log);
    e->log = l;
    e->peeked = false;
    e->topic_id = l->topic_id;
    l->entry = e;
    if (e->unrecovered) {
        ASSERT(d->n_unrecovered > 0);
        e->unrecovered = false;
        d->n_unrecovered--;
    }
    l->flushed_offset = l->end_offset;
    l->high_watermark = l->end_offset;
    log_bound_moved(l);
    l->bears_rot = true;
    if (e->written[CHECKPOINT_RECOVERY] != l->recovery_point)
        checkpoint_note(d, CHECKPOINT_RECOVERY);
    refused_take(l);
    HASH_ADD_KEYPTR(by_name, l->m->logs, l->name_key, strlen(l->name_key), l);
}

void log_detach(struct log *l)
{
    ASSERT_CORE();
    if (l->entry) {
        ASSERT(l->entry->log == l);
        l->entry->log = NULL;
        l->entry = NULL;
        HASH_DELETE(by_name, l->m->logs, l);
    }
    waits_cancel_all(l);
    LIST_FOREACH_SAFE(it, &l->checks)
    {
        CONTAINER_OF(it, struct log_check, link)->log = NULL;
        list_remove(it);
    }
    commit_drop_log(l);
    flush_drop_log(l);
    departures_drop_log(l);
    swaps_drop_log(l);
    moves_drop_log(l);
}

/* ---- the end of a turn ---------------------------------------------------------------------- */

static bool all_offline(const struct logm *m)
{
    for (int i = 0; i < m->n_dirs; i++) {
        if (!m->dirs[i].offline)
            return false;
    }
    return true;
}

static void tell_offline(struct logm *m)
{
    for (int i = 0; i < m->n_dirs; i++) {
        struct log_dir *d = &m->dirs[i];

        if (!d->offline || d->offline_told)
            continue;
        d->offline_told = true;
        if (m->options.offline)
            m->options.offline(m->options.arg, d->path, all_offline(m));
    }
}

static void begin_work(struct logm *m)
{
    for (int i = 0; i < m->n_dirs; i++) {
        commit_start(&m->dirs[i]);
        checkpoint_turn(&m->dirs[i]);
        flush_start(&m->dirs[i]);
    }
}

void logm_turn(struct logm *m)
{
    ASSERT_CORE();
    ASSERT(m->magic == LOGM_MAGIC);
    begin_work(m);
    waits_turn(m);
    begin_work(m);
    tell_offline(m);
}

bool logm_wants_turn(const struct logm *m)
{
    return !waits_idle(m);
}

static bool dir_quiet(const struct log_dir *d)
{
    return commit_idle(d) && flush_idle(d) && checkpoint_idle(d) && lane_idle(&d->commit_lane) &&
           lane_idle(&d->flush_lane);
}

bool logm_quiet(const struct logm *m)
{
    for (int i = 0; i < m->n_dirs; i++) {
        if (!dir_quiet(&m->dirs[i]))
            return false;
    }
    return waits_idle(m);
}

int dir_synced(struct log_dir *d, int rc)
{
    ASSERT_LANE();
    if (rc < 0 && rc != E_NOENT && !PLANTED(serve_after_failed_flush)) /* a directory that was deleted meanwhile: the job's done knows */
        d->sync_rc = rc;
    return rc;
}

int dir_sync_result(const struct log_dir *d, int rc)
{
    ASSERT_CORE();
    if (rc < 0)
        return rc;
    if (d->sync_rc < 0)
        MARK(sync_failed_beside);
    return d->sync_rc;
}

int dir_fail(struct log_dir *d, const char *what, const char *path, int rc)
{
    struct log *l, *tmp;

    ASSERT_CORE();
    ASSERT(rc < 0);
    if (d->offline)
        return E_OFFLINE;
    d->offline = true;
    diag_error("log directory %s is offline until the next start: %s %s: %s", d->path, what, path,
               err_text(rc));
    trace("log directory offline", d->index, rc);
    metric_add(d->m->env->metrics, M_log_dirs_offline, 1);
    commit_drop_queue(d);
    HASH_ITER(by_name, d->m->logs, l, tmp)
    {
        if (l->dir == d)
            waits_offline(l);
    }
    return E_OFFLINE;
}

/* ---- closing -------------------------------------------------------------------------------- */

/* Producer snapshots and what else a clean start looks at. False: some log is not as the marker
 * would say. */
static bool finish_logs(struct log_dir *d)
{
    struct log *l, *tmp;
    bool all = list_empty(&d->dirty);

    if (!all)
        diag_warn("log directory %s is closed with records that were not flushed", d->path);
    HASH_ITER(by_name, d->m->logs, l, tmp)
    {
        int rc = l->dir == d ? log_finish(l) : 0;

        if (rc == 0)
            continue;
        diag_warn("%s: %s", l->path, err_text(rc));
        all = false;
    }
    return all;
}

static void dir_close_clean(struct log_dir *d)
{
    bool may_mark = finish_logs(d);
    int rc = checkpoint_write_all(d);

    /* Indexes and the like: where the marker is, nobody looks whether they are whole. */
    if (rc == 0 && may_mark)
        rc = vfs_sync_all(d->m->env->vfs, d->path);
    if (rc == 0 && may_mark && journal_ready(d))
        rc = journal_reset(d->journal);
    if (rc == 0 && d->n_unrecovered > 0) {
        MARK(close_with_unrecovered);
        diag_info("log directory %s: %d partitions were not opened since the unclean stop; the "
                  "next start "
                  "counts as one after an unclean stop, too",
                  d->path, d->n_unrecovered);
        may_mark = false;
    }
    if (rc == 0 && may_mark)
        rc = dir_mark(d);
    if (rc < 0)
        diag_warn("log directory %s can not be closed cleanly (%s); the next start recovers it",
                  d->path, err_text(rc));
}

static void drop_waits(struct logm *m)
{
    for (int i = 0; i < 3; i++) {
        struct list *first;

        while ((first = list_first(&m->due[i])))
            log_wait_cancel(CONTAINER_OF(first, struct log_wait, link));
    }
}

void logm_close(struct logm *m, bool clean)
{
    struct log *l, *tmp;

    if (!m)
        return;
    ASSERT_CORE();
    ASSERT(m->magic == LOGM_MAGIC);
    for (int i = 0; i < m->n_dirs && clean; i++) {
        ASSERT(dir_quiet(&m->dirs[i]));
        if (!m->dirs[i].offline)
            dir_close_clean(&m->dirs[i]);
    }
    HASH_ITER(by_name, m->logs, l, tmp)
    {
        log_detach(l);
        log_free(l);
    }
    drop_waits(m);
    logm_free(m);
}
