/* Compaction: which worker does what, when (LogCleaner, Cleaner.doClean).
 *
 * Owner: struct cleaner, core thread; each worker's steps run on a lane of its own.
 *
 *     scan over all partitions --the dirtiest that is due--> a worker
 *     worker:  idle -> build -> copy -> finish -> swap -> copy ... -> idle, and a new scan
 *     nothing is due: the next scan after log.cleaner.backoff.ms
 *
 * Happy path: build: the keys of the dirty segments, with their last offsets, into the map, until it is full.
 *             Then from the log's first segment on, group by group (as many neighbours as fit into one segment.bytes):
 *             copy what stays into a .cleaned, finish it, swap it in. At the end what the map covered is clean.
 * Invariant:  a worker's log has its segments changed by that worker alone (retention leaves it out, cleaner_forget ends it).
 *             Appends and readers go on. Memory is bounded by log.cleaner.dedupe.buffer.size, and the windows.
 * Failures:   a source that cannot be read: the log is left out until the next start, with an error line. No space: said, the files
 *             are removed, tried again later. Any other failed write takes the directory offline.
 */
#include "internal.h"
#include "metrics.h"

#define QUANTUM_BYTES      (4 << 20) /* of a step */
#define QUANTUM_BYTES_MIN  (64 << 10)
#define WINDOW_BYTES_MIN   (64 << 10)
#define WINDOW_BYTES_MAX   (4 << 20)
#define MAP_BYTES_MIN      (1 << 20)
#define NOTHING_FITS_HINT  "a larger log.cleaner.dedupe.buffer.size is needed"

static void worker_next(struct worker *w);

bool compact_may_work(const struct cleaner *c)
{
    return !c->stopping && c->options.config->log_cleaner_enable;
}

/* ---- ending --------------------------------------------------------------------------------- */

static void remove_output(struct worker *w)
{
    struct pass *p = &w->pass;

    if (!p->out_path)
        return;
    if (w->log) {
        (void)vfs_unlink(p->vfs, p->out_path);
        (void)vfs_unlink(p->vfs, p->index_path);
        (void)vfs_unlink(p->vfs, p->timeindex_path);
        (void)vfs_unlink(p->vfs, p->txnindex_path);
    }
    pass_end_output(p);
}

static void worker_idle(struct worker *w)
{
    remove_output(w);
    pass_release(&w->pass);
    free((void *)(uintptr_t)w->pass.filter.producers);
    w->pass = (struct pass){0};
    w->log = NULL;
    w->state = WORKER_IDLE;
    if (compact_may_work(w->cleaner))
        compact_scan_soon(w->cleaner, 0);
}

/* The next scan waits: it would choose the same log again. */
static void worker_gave_up(struct worker *w)
{
    struct cleaner *c = w->cleaner;

    worker_idle(w);
    if (compact_may_work(c))
        compact_scan_soon(c, c->options.config->log_cleaner_backoff_ms);
}

static void worker_failed(struct worker *w, int rc)
{
    struct log *l = w->log;

    if (rc == E_NOSPC || rc == E_MFILE) {
        diag_warn("%s-%d: not compacted: %s", log_topic(l), log_partition(l), err_text(rc));
    } else if (w->pass.write_failed) {
        (void)log_failed(l, "compaction", rc);
    } else {
        MARK(clean_uncleanable);
        diag_error("%s-%d: not compacted any more until the next start: segment %lld, position %llu: %s", log_topic(l),
                   log_partition(l), (long long)w->source_base, (unsigned long long)w->pass.position, err_text(rc));
        log_set_uncleanable(l);
    }
    worker_gave_up(w);
}

static void worker_ended(struct worker *w)
{
    struct log *l = w->log;
    struct cleaner *c = w->cleaner;
    double seconds = (double)(clock_mono(c->env->clock).ns - w->begun.ns) / 1e9;

    log_set_first_dirty(l, w->pass.filter.latest + 1);
    metric_add(c->env->metrics, M_log_cleaner_passes_total, 1);
    diag_info("%s-%d: compacted up to offset %lld: %llu of %llu records left, %.1f MB became %.1f MB, in %.1f s; %llu keys took %.1f MB",
              log_topic(l), log_partition(l), (long long)w->pass.filter.latest, (unsigned long long)w->pass.filter.n_left,
              (unsigned long long)w->pass.filter.n_read, (double)w->source_total / 1e6, (double)w->out_total / 1e6, seconds,
              (unsigned long long)w->pass.map.n, (double)offset_map_bytes(&w->pass.map) / 1e6);
    worker_idle(w);
}

/* ---- steps ---------------------------------------------------------------------------------- */

static void step_work(struct job *j)
{
    pass_run(&CONTAINER_OF(j, struct worker, job)->pass);
}

static void submit(struct worker *w)
{
    w->running = true;
    w->step_begun = clock_mono(w->cleaner->env->clock);
    lane_submit(&w->lane, &w->job, step_work, worker_step_done);
}

/* How long this worker has to pause, so that all of them keep to log.cleaner.io.max.bytes.per.second. */
static int64_t pause_ms(const struct worker *w)
{
    double rate = w->cleaner->options.config->log_cleaner_io_max_bytes_per_second / w->cleaner->n_busy;
    double took_ms = (double)(clock_mono(w->cleaner->env->clock).ns - w->step_begun.ns) / 1e6;
    double due_ms = (double)w->pass.n_bytes * 1000 / MAX(rate, 1);

    return due_ms > took_ms + 1 ? (int64_t)MIN(due_ms - took_ms, 3600e3) : 0;
}

static void pause_over(struct timer *t)
{
    worker_next(CONTAINER_OF(t, struct worker, timer));
}

/* False: the log is gone or wanted, or the broker stops. */
static bool goes_on(struct worker *w)
{
    if (w->log && !w->given_up && compact_may_work(w->cleaner))
        return true;
    worker_idle(w);
    return false;
}

void worker_step_done(struct job *j)
{
    struct worker *w = CONTAINER_OF(j, struct worker, job);
    struct pass *p = &w->pass;
    int64_t ms;

    ASSERT_CORE();
    w->running = false;
    metric_add(w->cleaner->env->metrics, M_log_cleaner_io_bytes_total, (int64_t)p->n_bytes);
    if (!goes_on(w))
        return;
    if (p->rc < 0) {
        worker_failed(w, p->rc);
        return;
    }
    ms = pause_ms(w);
    if (ms > 0)
        timer_set(&w->cleaner->env->timers, &w->timer, mono_after_ms(clock_mono(w->cleaner->env->clock), ms));
    else
        worker_next(w);
}

/* Opens segment i as the source; false: it failed, and the worker has given up. */
static bool open_source(struct worker *w, int i, const struct log_segment *s)
{
    struct file *f;
    int rc;

    file_unref(w->pass.source);
    w->pass.source = NULL;
    w->source_base = s->base_offset;
    rc = log_segment_file(w->log, i, &f);
    if (rc < 0) {
        worker_failed(w, rc);
        return false;
    }
    pass_begin_source(&w->pass, f, s->size_bytes);
    return true;
}

/* Tells `txns` what was aborted in [from, until); false: an index could not be read, and the worker has given up. */
static bool tell_aborted(struct worker *w, struct cleaned_txns *txns, int64_t from, int64_t until)
{
    struct log_aborted_list aborted = {0};
    int rc = log_aborted_between(w->log, from, until, &aborted);

    if (rc == 0)
        cleaned_txns_add(txns, &aborted);
    log_aborted_list_release(&aborted);
    if (rc < 0)
        worker_failed(w, rc);
    return rc == 0;
}

/* ---- build ---------------------------------------------------------------------------------- */

static void build_ended(struct worker *w)
{
    struct pass *p = &w->pass;

    if (!p->full)
        p->filter.latest = w->end - 1;
    if (p->filter.latest < w->first_dirty) {
        diag_error("%s-%d: cannot be compacted: not even one batch's keys fit; " NOTHING_FITS_HINT, log_topic(w->log),
                   log_partition(w->log));
        log_set_uncleanable(w->log);
        worker_gave_up(w);
        return;
    }
    file_unref(p->source);
    p->source = NULL;
    w->state = WORKER_GROUP;
    w->i = 0;
    worker_next(w);
}

static void build_next(struct worker *w)
{
    struct pass *p = &w->pass;
    struct log_segment s;
    int rc = 0;

    if (p->full) {
        build_ended(w);
        return;
    }
    while (!p->source || p->position == p->source_bytes) {
        do
            rc = ++w->i < log_n_segments(w->log) ? log_segment_get(w->log, w->i, &s) : 1;
        while (rc == 0 && s.end_offset <= w->first_dirty);
        if (rc < 0) {
            worker_failed(w, rc);
            return;
        }
        if (rc > 0 || s.base_offset >= w->end) {
            build_ended(w);
            return;
        }
        if (!open_source(w, w->i, &s))
            return;
    }
    p->what = PASS_BUILD;
    submit(w);
}

/* ---- copy ----------------------------------------------------------------------------------- */

/* Cleaner.groupSegmentsBySize: as many neighbours from w->i on as fit into one segment. */
static int take_group(struct worker *w)
{
    const struct topic_config *c = log_config(w->log);
    int64_t index_bytes = 0;
    uint64_t bytes = 0;
    struct log_segment s;
    int n = 0, rc = 0;

    w->last_filled = -1;
    for (; w->i + n < log_n_segments(w->log); n++) {
        rc = log_segment_get(w->log, w->i + n, &s);
        if (rc < 0 || s.base_offset > w->pass.filter.latest)
            break;
        index_bytes += ((int64_t)s.size_bytes / MAX(1, c->index_interval_bytes) + 1) * 12;
        if (n > 0 && (bytes + s.size_bytes > (uint64_t)c->effective_segment_bytes || n == GROUP_SEGMENTS_MAX ||
                      s.end_offset - 1 - w->group_base > INT32_MAX || index_bytes > c->segment_index_bytes))
            break;
        if (n == 0)
            w->group_base = s.base_offset;
        bytes += s.size_bytes;
        if (s.size_bytes > 0)
            w->last_filled = w->i + n;
    }
    w->group_n = n;
    return rc;
}

static char *source_path(const struct log *l, int64_t base_offset, const char *suffix)
{
    char *path = log_cleaned_path(l, base_offset, suffix);

    path[strlen(path) - strlen(LOG_CLEANED_SUFFIX)] = 0;
    return path;
}

/* Whose time of change the output gets. */
static int name_newest(struct worker *w)
{
    struct log_segment s;
    int rc = log_segment_get(w->log, w->last_filled, &s);

    if (rc == 0)
        w->pass.mtime_of = source_path(w->log, s.base_offset, ".log");
    return rc;
}

static void group_begin(struct worker *w)
{
    struct pass *p = &w->pass;
    int rc;

    do {
        rc = take_group(w);
        if (rc < 0) {
            worker_failed(w, rc);
            return;
        }
        if (w->group_n > 0 && w->last_filled < 0)
            w->i += w->group_n; /* empty ones stay as they are */
    } while (w->group_n > 0 && w->last_filled < 0);
    if (w->group_n == 0) {
        worker_ended(w);
        return;
    }
    pass_begin_output(p, w->group_base);
    p->out_path = log_cleaned_path(w->log, w->group_base, ".log");
    p->index_path = log_cleaned_path(w->log, w->group_base, ".index");
    p->timeindex_path = log_cleaned_path(w->log, w->group_base, ".timeindex");
    p->txnindex_path = log_cleaned_path(w->log, w->group_base, ".txnindex");
    p->index_interval = log_config(w->log)->index_interval_bytes;
    w->at = w->i;
    w->state = WORKER_COPY;
    rc = name_newest(w);
    if (rc < 0)
        worker_failed(w, rc);
    else
        worker_next(w);
}

static void copy_next(struct worker *w)
{
    struct pass *p = &w->pass;
    struct log_segment s;
    int rc;

    while (!p->source || p->position == p->source_bytes) {
        if (p->source) {
            w->source_total += p->source_bytes;
            w->at++;
        }
        if (w->at == w->i + w->group_n) {
            file_unref(p->source);
            p->source = NULL;
            p->what = PASS_FINISH;
            w->state = WORKER_SWAP;
            submit(w);
            return;
        }
        rc = log_segment_get(w->log, w->at, &s);
        if (rc < 0) {
            worker_failed(w, rc);
            return;
        }
        if (!open_source(w, w->at, &s) || !tell_aborted(w, &p->filter.txns, s.base_offset, s.end_offset))
            return;
        p->keep_last = w->at == w->last_filled;
    }
    p->what = PASS_COPY;
    submit(w);
}

static void swap_done(struct log_swap *s, int rc)
{
    struct worker *w = CONTAINER_OF(s, struct worker, swap);

    w->swapping = false;
    if (rc == E_NOSPC && goes_on(w)) {
        worker_failed(w, rc); /* and the output goes */
        return;
    }
    if (rc == E_NOSPC)
        return;
    pass_end_output(&w->pass);
    if (!goes_on(w))
        return;
    if (rc < 0) {
        worker_gave_up(w);
        return;
    }
    w->i++;
    w->state = WORKER_GROUP;
    worker_next(w);
}

static void swap_begin(struct worker *w)
{
    int rc;

    ASSERT(w->pass.out_bytes > 0);
    w->swap = (struct log_swap){
        .base_offset = w->group_base, .n_segments = w->group_n, .size_bytes = w->pass.out_bytes,
        .has_txn_index = w->pass.has_txn_index};
    w->out_total += w->pass.out_bytes;
    w->swapping = true;
    rc = log_swap(w->log, &w->swap, swap_done);
    if (rc < 0) {
        w->swapping = false;
        w->pass.write_failed = true;
        worker_failed(w, rc);
    }
}

static void worker_next(struct worker *w)
{
    static void (*const next[])(struct worker *) = {
        [WORKER_BUILD] = build_next, [WORKER_GROUP] = group_begin, [WORKER_COPY] = copy_next, [WORKER_SWAP] = swap_begin};

    ASSERT(w->state != WORKER_IDLE);
    if (goes_on(w))
        next[w->state](w);
}

/* ---- beginning ------------------------------------------------------------------------------ */

static uint64_t share(int64_t of, const struct cleaner *c)
{
    return (uint64_t)MAX(of, 0) / (uint64_t)MAX(c->options.config->log_cleaner_threads, 1);
}

void compact_begin(struct worker *w, const struct cleanable *k)
{
    struct cleaner *c = w->cleaner;
    const struct config *config = c->options.config;
    struct pass *p = &w->pass;
    uint64_t hash_key[2] = {rng_next(&c->env->rng), rng_next(&c->env->rng)};
    double rate = config->log_cleaner_io_max_bytes_per_second;

    ASSERT(w->state == WORKER_IDLE);
    *p = (struct pass){.vfs = c->env->vfs, .first_dirty = k->first_dirty};
    offset_map_init(&p->map, hash_key, k->first_dirty, MAX(share(config->log_cleaner_dedupe_buffer_size, c), MAP_BYTES_MIN),
                    config->log_cleaner_io_buffer_load_factor > 0 ? config->log_cleaner_io_buffer_load_factor : 0.9);
    p->filter.map = &p->map;
    p->filter.latest = k->first_dirty - 1;
    p->filter.now_ms = clock_wall(c->env->clock).ms;
    p->filter.delete_retention_ms = log_config(k->log)->delete_retention_ms;
    p->filter.producers = log_producer_ends(k->log, &p->filter.n_producers);
    p->window_bytes = MIN(MAX(share(config->log_cleaner_io_buffer_size, c) / 2, WINDOW_BYTES_MIN), WINDOW_BYTES_MAX);
    p->quantum_bytes = (uint64_t)MAX(QUANTUM_BYTES_MIN, MIN(QUANTUM_BYTES, rate / 10));
    w->log = k->log;
    w->given_up = false;
    w->first_dirty = k->first_dirty;
    w->end = k->end;
    w->state = WORKER_BUILD;
    w->i = -1;
    w->source_total = w->out_total = 0;
    w->begun = clock_mono(c->env->clock);
    c->n_busy++;
    if (tell_aborted(w, &p->build_txns, k->first_dirty, MAX(k->first_dirty, k->end)))
        worker_next(w);
}

struct worker *compact_idle_worker(struct cleaner *c)
{
    int64_t n = MIN(c->options.config->log_cleaner_threads, WORKERS_MAX);

    c->n_busy = 0;
    for (int i = 0; i < WORKERS_MAX; i++)
        c->n_busy += c->workers[i].state != WORKER_IDLE;
    for (int i = 0; i < n; i++) {
        struct worker *w = &c->workers[i];

        if (w->state != WORKER_IDLE)
            continue;
        return w;
    }
    return NULL;
}

bool compact_has(const struct cleaner *c, const struct log *l)
{
    for (int i = 0; i < WORKERS_MAX; i++) {
        if (c->workers[i].log == l)
            return true;
    }
    return false;
}

/* ---- life ----------------------------------------------------------------------------------- */

void compact_init(struct cleaner *c)
{
    for (int i = 0; i < WORKERS_MAX; i++) {
        c->workers[i].cleaner = c;
        lane_init(&c->workers[i].lane, c->env->lanes, "cleaner");
        timer_init(&c->workers[i].timer, pause_over);
    }
    timer_init(&c->scan_timer, compact_scan_fire);
    if (compact_may_work(c))
        compact_scan_soon(c, c->options.config->log_cleaner_backoff_ms);
}

void compact_release(struct cleaner *c)
{
    timer_cancel(&c->env->timers, &c->scan_timer);
    for (int i = 0; i < WORKERS_MAX; i++) {
        struct worker *w = &c->workers[i];

        ASSERT(!w->running);
        timer_cancel(&c->env->timers, &w->timer);
        if (w->swapping)
            list_remove(&w->swap.link);
        if (w->state == WORKER_IDLE)
            continue;
        w->log = NULL; /* the files are a start's business */
        c->stopping = true;
        worker_idle(w);
    }
}

void compact_stop(struct cleaner *c)
{
    timer_cancel(&c->env->timers, &c->scan_timer);
    for (int i = 0; i < WORKERS_MAX; i++) {
        struct worker *w = &c->workers[i];

        if (!timer_armed(&w->timer))
            continue;
        timer_cancel(&c->env->timers, &w->timer);
        worker_idle(w);
    }
}

bool compact_idle(const struct cleaner *c)
{
    for (int i = 0; i < WORKERS_MAX; i++) {
        if (c->workers[i].state != WORKER_IDLE)
            return false;
    }
    return true;
}

/* Nobody begins anything with it from here on; a job that is at it goes on to its own end. */
static void take_away(struct cleaner *c, const struct log *l, bool is_gone)
{
    if (c->best.log == l)
        c->best.log = NULL;
    for (int i = 0; i < WORKERS_MAX; i++) {
        struct worker *w = &c->workers[i];

        if (w->log != l)
            continue;
        w->given_up = true;
        if (is_gone)
            w->log = NULL;
        if (timer_armed(&w->timer)) {
            timer_cancel(&c->env->timers, &w->timer);
            worker_idle(w);
        }
    }
}

bool compact_let_go(struct cleaner *c, const struct log *l)
{
    take_away(c, l, false);
    return !compact_has(c, l);
}

void compact_forget(struct cleaner *c, const struct log *l)
{
    take_away(c, l, true);
}
