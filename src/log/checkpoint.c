/* Checkpoints: four small text files of each log directory (CheckpointFile, OffsetCheckpointFile).
 *
 *     0                 version
 *     2                 lines that follow
 *     orders 0 4711     topic, partition, offset
 *     orders 1 12
 *
 *     recovery-point-offset-checkpoint  below it the segment files are flushed: recovery begins here
 *     log-start-offset-checkpoint       first offset, where that is past the first segment's base
 *     replication-offset-checkpoint     high watermark
 *     cleaner-offset-checkpoint         first offset that compaction has not looked at (LogCleanerManager)
 *
 * Owner: struct log_dir, core thread; written by a job on the flush lane, and at a clean stop on
 * this thread.
 *
 * Happy path: something moves -> checkpoint_note (arms the timer) -> the timer fires ->
 *             checkpoint_turn takes the values of now and submits one job -> vfs_replace of each
 *             file -> done: `written` is what the files say.
 * Invariant:  a recovery point in the file was reached by a flush that had ended when the text was
 *             made. Lines of partitions that are not open are carried over. What has not changed is
 *             not written: an idle broker writes nothing. A partition that was deleted and made
 *             anew must not inherit the lines of the old one (a recovery point too high would hide
 *             acknowledged records from recovery): until they are overwritten nothing of it is
 *             acknowledged.
 * Failures:   E_NOSPC, E_MFILE: said once, tried again at the next interval, since an older file is only a
 *             longer recovery. Other errors take the directory offline.
 */
#include "directory.h"

#define CHECKPOINT_VERSION   "0"
#define CHECKPOINT_BYTES_MAX (256u << 20)

static const struct {
    const char *name;
    const char *what;
} checkpoint_files[CHECKPOINT_KINDS] = {
    [CHECKPOINT_RECOVERY] = {"recovery-point-offset-checkpoint", "recovery points"},
    [CHECKPOINT_START] = {"log-start-offset-checkpoint", "log start offsets"},
    [CHECKPOINT_WATERMARK] = {"replication-offset-checkpoint", "high watermarks"},
    [CHECKPOINT_CLEANER] = {"cleaner-offset-checkpoint", "compacted offsets"},
};

struct checkpoint {
    struct log_dir *d;
    struct job job;
    bool running;
    bool full; /* E_NOSPC was said */
    struct {
        bool noted;           /* something may have changed; deadline says when to look */
        bool wanted;          /* to be looked at now */
        bool writing;         /* by the running job */
        struct mono deadline; /* with noted */
        struct buf text;
        int rc;
    } kind[CHECKPOINT_KINDS];
};

/* ---- text ----------------------------------------------------------------------------------- */

static bool parse_number(struct str s, int64_t *out)
{
    uint64_t limit = INT64_MAX, v = 0;
    bool negative = s.n > 0 && s.p[0] == '-';
    size_t i = negative ? 1 : 0;

    if (i == s.n)
        return false;
    for (; i < s.n; i++) {
        uint64_t digit = (uint64_t)(s.p[i] - '0');

        if (s.p[i] < '0' || s.p[i] > '9' || v > (limit - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    *out = negative ? -(int64_t)v : (int64_t)v;
    return true;
}

/* Takes up to `end_char` (left out) off the front; false when it is not there. */
static bool take_until(struct str *s, char end_char, struct str *out)
{
    const char *end = s->n ? memchr(s->p, end_char, s->n) : NULL;
    size_t n;

    if (!end)
        return false;
    n = (size_t)(end - s->p);
    *out = (struct str){s->p, n};
    s->p += n + 1;
    s->n -= n + 1;
    return true;
}

/* The last line need not be ended. */
static bool take_line(struct str *text, struct str *line)
{
    if (take_until(text, '\n', line))
        return true;
    *line = *text;
    text->n = 0;
    return line->n > 0;
}

static int parse_line(struct str line, checkpoint_line_fn *fn, void *arg)
{
    struct str topic, partition;
    int64_t number, offset;

    if (!take_until(&line, ' ', &topic) || !take_until(&line, ' ', &partition) || topic.n == 0)
        return E_CORRUPT;
    if (!parse_number(partition, &number) || number < 0 || number > INT32_MAX)
        return E_CORRUPT;
    if (!parse_number(line, &offset))
        return E_CORRUPT;
    return fn(arg, topic, (int32_t)number, offset);
}

int checkpoint_parse(struct bytes bytes, checkpoint_line_fn *fn, void *arg)
{
    struct str text = {(const char *)bytes.p, bytes.n}, line;
    int64_t n_expected, n = 0;
    int rc;

    if (text.n == 0)
        return 0;
    if (!take_line(&text, &line) || !str_is(line, CHECKPOINT_VERSION))
        return E_CORRUPT;
    if (!take_line(&text, &line) || !parse_number(line, &n_expected) || n_expected < 0)
        return E_CORRUPT;
    while (take_line(&text, &line)) {
        if (n == n_expected)
            return E_CORRUPT;
        rc = parse_line(line, fn, arg);
        if (rc != 0)
            return rc;
        n++;
    }
    return n == n_expected ? 0 : E_CORRUPT;
}

/* ---- reading -------------------------------------------------------------------------------- */

struct load {
    struct log_dir *d;
    enum checkpoint_kind kind;
};

static int load_line(void *arg, struct str topic, int32_t partition, int64_t offset)
{
    struct load *at = arg;
    char name_key[DIR_NAME_MAX + 1];
    struct dir_entry *e;
    size_t topic_bytes;
    int32_t number;
    int n = snprintf(name_key, sizeof(name_key), "%.*s-%d", STR_ARG(topic), partition);

    if (n < 0 || (size_t)n >= sizeof(name_key) || !dir_parse_name(name_key, &topic_bytes, &number))
        return E_CORRUPT;
    if (offset < 0)
        return 0;
    e = dir_entry_find(at->d, name_key);
    if (e)
        e->value[at->kind] = e->written[at->kind] = offset;
    else
        dir_entry_add_gone(at->d, name_key, at->kind, offset);
    return 0;
}

static void forget_kind(struct log_dir *d, enum checkpoint_kind kind)
{
    for (struct dir_entry *e = d->entries; e; e = e->by_name.next)
        e->value[kind] = e->written[kind] = CHECKPOINT_NONE;
}

static int load_kind(struct log_dir *d, enum checkpoint_kind kind, struct errmsg *msg)
{
    struct load at = {d, kind};
    char path[DIR_PATH_MAX];
    struct buf text;
    int rc;

    buf_init(&text);
    dir_file_path(d, checkpoint_files[kind].name, path);
    rc = vfs_read_all(d->m->env->vfs, path, CHECKPOINT_BYTES_MAX, &text);
    if (rc == 0)
        rc = checkpoint_parse(bytes_of(text.p, text.n), load_line, &at);
    buf_release(&text);
    if (rc == E_CORRUPT || rc == E_LIMIT) {
        MARK(checkpoint_malformed);
        diag_warn("%s is malformed; taken as missing", path);
        forget_kind(d, kind);
        rc = 0;
    }
    if (rc == E_NOENT)
        rc = 0;
    if (rc < 0)
        errmsg_set(msg, "%s: %s", path, err_text(rc));
    return rc;
}

int checkpoint_load(struct log_dir *d, struct errmsg *msg)
{
    int rc = 0;

    for (int k = 0; k < CHECKPOINT_KINDS && rc == 0; k++)
        rc = load_kind(d, (enum checkpoint_kind)k, msg);
    return rc;
}

static int64_t value_read(const struct log_dir *d, const char *name_key, enum checkpoint_kind kind)
{
    const struct dir_entry *e = dir_entry_find(d, name_key);

    return e ? e->value[kind] : CHECKPOINT_NONE;
}

int64_t checkpoint_recovery_point(const struct logm *m, const struct log_dir *d,
                                  const char *name_key)
{
    return value_read(d, name_key, CHECKPOINT_RECOVERY);
}

int64_t checkpoint_start_offset(const struct logm *m, const struct log_dir *d, const char *name_key)
{
    return value_read(d, name_key, CHECKPOINT_START);
}

int64_t checkpoint_high_watermark(const struct logm *m, const struct log_dir *d,
                                  const char *name_key)
{
    return value_read(d, name_key, CHECKPOINT_WATERMARK);
}

int64_t checkpoint_cleaner_offset(const struct logm *m, const struct log_dir *d, const char *name_key)
{
    return value_read(d, name_key, CHECKPOINT_CLEANER);
}

void checkpoint_cleaner_moved(struct log *l)
{
    checkpoint_want(l->dir, CHECKPOINT_CLEANER);
}

int64_t checkpoint_recovery_point_written(const struct log *l)
{
    return l->entry ? l->entry->written[CHECKPOINT_RECOVERY] : CHECKPOINT_NONE;
}

/* ---- writing -------------------------------------------------------------------------------- */

/* What a file is to say of an open log. */
static int64_t value_now(const struct log *l, enum checkpoint_kind kind)
{
    switch (kind) {
    case CHECKPOINT_RECOVERY:
        ASSERT(l->recovery_point <= l->end_offset);
        if (log_is_held(l)) /* the copy's line is past what the old directory has flushed: move_switch.c */
            return l->entry->value[kind];
        return MIN(l->recovery_point, l->indexed_point);
    case CHECKPOINT_START:
        return l->start_offset > log_first_base(l) || l->n_departures > 0 ? l->start_offset
                                                                          : CHECKPOINT_NONE;
    case CHECKPOINT_WATERMARK:
        return l->high_watermark;
    case CHECKPOINT_CLEANER:
        return l->first_dirty_offset;
    }
    return CHECKPOINT_NONE;
}

bool dir_entry_is_stale(const struct dir_entry *e)
{
    return e->stale[CHECKPOINT_RECOVERY] != STALE_NONE ||
           e->stale[CHECKPOINT_START] != STALE_NONE || e->stale[CHECKPOINT_CLEANER] != STALE_NONE;
}

bool checkpoint_is_stale(const struct log *l)
{
    return dir_entry_is_stale(l->entry);
}

/* Takes the values of now; false when the file says just that. */
static bool take_values(struct log_dir *d, enum checkpoint_kind kind, int *n_lines)
{
    bool changed = false;

    *n_lines = 0;
    for (struct dir_entry *e = d->entries; e; e = e->by_name.next) {
        if (e->gone)
            e->value[kind] = CHECKPOINT_NONE;
        else if (e->log)
            e->value[kind] = value_now(e->log, kind);
        if (e->stale[kind] == STALE_LINE && !e->gone)
            e->stale[kind] = STALE_WRITING;
        changed |= e->value[kind] != e->written[kind] || e->stale[kind] != STALE_NONE;
        *n_lines += e->value[kind] != CHECKPOINT_NONE;
    }
    return changed;
}

static void put_number(struct buf *b, int64_t v)
{
    char text[20], *at = text + sizeof(text);
    uint64_t rest = (uint64_t)v;

    ASSERT(v >= 0);
    do
        *--at = (char)('0' + rest % 10);
    while (rest /= 10);
    buf_put(b, at, (size_t)(text + sizeof(text) - at));
}

static void put_text(struct log_dir *d, enum checkpoint_kind kind, int n_lines, struct buf *b)
{
    b->n = 0;
    buf_printf(b, CHECKPOINT_VERSION "\n%d\n", n_lines);
    for (struct dir_entry *e = d->entries; e; e = e->by_name.next) {
        if (e->value[kind] == CHECKPOINT_NONE)
            continue;
        buf_put(b, e->name_key, e->topic_bytes);
        buf_put(b, " ", 1);
        buf_put_str(b, e->name_key + e->topic_bytes + 1);
        buf_put(b, " ", 1);
        put_number(b, e->value[kind]);
        buf_put(b, "\n", 1);
    }
}

static bool no_lines(const struct dir_entry *e)
{
    for (int k = 0; k < CHECKPOINT_KINDS; k++) {
        if (e->written[k] != CHECKPOINT_NONE || e->value[k] != CHECKPOINT_NONE)
            return false;
    }
    return true;
}

static void values_written(struct log_dir *d, enum checkpoint_kind kind)
{
    struct dir_entry *e, *tmp;

    HASH_ITER(by_name, d->entries, e, tmp)
    {
        e->written[kind] = e->value[kind];
        if (e->stale[kind] == STALE_WRITING)
            e->stale[kind] = STALE_NONE;
        if (kind == CHECKPOINT_START && e->log)
            waits_start_noted(e->log);
        if (e->gone && no_lines(e))
            dir_entry_forget(d, e);
    }
}

/* The older file stays, and is only a longer recovery. */
static bool is_passing(int rc)
{
    return rc == E_NOSPC || rc == E_MFILE;
}

static int write_file(struct vfs *v, struct log_dir *d, enum checkpoint_kind kind,
                      const struct buf *text)
{
    char path[DIR_PATH_MAX];

    return vfs_replace(v, dir_file_path(d, checkpoint_files[kind].name, path), text->p, text->n);
}

static void checkpoint_work(struct job *j)
{
    struct checkpoint *c = CONTAINER_OF(j, struct checkpoint, job);

    ASSERT_LANE();
    for (int k = 0; k < CHECKPOINT_KINDS; k++) {
        int rc;

        if (!c->kind[k].writing)
            continue;
        rc = write_file(c->d->m->env->vfs, c->d, (enum checkpoint_kind)k, &c->kind[k].text);
        c->kind[k].rc = is_passing(rc) ? rc : dir_synced(c->d, rc);
    }
}

static void kind_done(struct checkpoint *c, enum checkpoint_kind kind)
{
    struct log_dir *d = c->d;
    int rc = dir_sync_result(d, c->kind[kind].rc);

    c->kind[kind].writing = false;
    if (rc == 0) {
        c->full = false;
        values_written(d, kind);
        return;
    }
    if (!is_passing(rc)) {
        (void)dir_fail(d, "write", checkpoint_files[kind].name, rc); /* sticky */
        return;
    }
    if (!c->full)
        diag_warn("log directory %s: the %s can not be written: %s", d->path,
                  checkpoint_files[kind].what, err_text(rc));
    c->full = true;
    checkpoint_note(d, kind);
}

static void checkpoint_done(struct job *j)
{
    struct checkpoint *c = CONTAINER_OF(j, struct checkpoint, job);

    ASSERT_CORE();
    ASSERT(c->running);
    c->running = false;
    for (int k = 0; k < CHECKPOINT_KINDS; k++) {
        if (c->kind[k].writing)
            kind_done(c, (enum checkpoint_kind)k);
    }
}

void checkpoint_turn(struct log_dir *d)
{
    struct checkpoint *c = d->checkpoint;
    bool any = false;

    if (c->running || d->offline)
        return;
    for (int k = 0; k < CHECKPOINT_KINDS; k++) {
        enum checkpoint_kind kind = (enum checkpoint_kind)k;
        int n_lines;

        if (!c->kind[k].wanted)
            continue;
        c->kind[k].wanted = false;
        if (!take_values(d, kind, &n_lines))
            continue;
        put_text(d, kind, n_lines, &c->kind[k].text);
        c->kind[k].writing = true;
        any = true;
    }
    if (!any)
        return;
    c->running = true;
    lane_submit(&d->flush_lane, &c->job, checkpoint_work, checkpoint_done);
}

bool checkpoint_idle(const struct log_dir *d)
{
    const struct checkpoint *c = d->checkpoint;

    if (c->running)
        return false;
    for (int k = 0; k < CHECKPOINT_KINDS; k++) {
        if (c->kind[k].wanted && !d->offline)
            return false;
    }
    return true;
}

/* What a crash left of writing the file. */
static void remove_aside(struct log_dir *d, enum checkpoint_kind kind)
{
    char path[DIR_PATH_MAX], aside[DIR_PATH_MAX + sizeof(".tmp")];

    if (d->was_clean)
        return;
    snprintf(aside, sizeof(aside), "%s.tmp", dir_file_path(d, checkpoint_files[kind].name, path));
    (void)vfs_unlink(d->m->env->vfs, aside);
}

int checkpoint_write_all(struct log_dir *d)
{
    struct checkpoint *c = d->checkpoint;
    int rc = 0;

    ASSERT(!c->running);
    ASSERT(!d->offline);
    for (int k = 0; k < CHECKPOINT_KINDS && rc == 0; k++) {
        enum checkpoint_kind kind = (enum checkpoint_kind)k;
        int n_lines;

        if (!take_values(d, kind, &n_lines)) {
            remove_aside(d, kind);
            continue;
        }
        put_text(d, kind, n_lines, &c->kind[k].text);
        rc = write_file(d->m->env->vfs, d, kind, &c->kind[k].text);
        if (rc == 0)
            values_written(d, kind);
    }
    return rc;
}

/* ---- when ----------------------------------------------------------------------------------- */

static int64_t interval_ms(const struct config *c, enum checkpoint_kind kind)
{
    int64_t ms = kind == CHECKPOINT_RECOVERY ? c->log_flush_offset_checkpoint_interval_ms
                 : kind == CHECKPOINT_START  ? c->log_flush_start_offset_checkpoint_interval_ms
                                             : c->replica_high_watermark_checkpoint_interval_ms;

    return MAX(ms, 1);
}

static void timer_no_later(struct logm *m, struct mono deadline)
{
    struct timer *t = &m->checkpoint_timer;

    if (!timer_armed(t) || deadline.ns < t->deadline.ns)
        timer_set(&m->env->timers, t, deadline);
}

void checkpoint_note(struct log_dir *d, enum checkpoint_kind kind)
{
    struct checkpoint *c = d->checkpoint;
    struct env *env = d->m->env;

    ASSERT_CORE();
    if (c->kind[kind].noted || d->offline)
        return;
    c->kind[kind].noted = true;
    c->kind[kind].deadline = mono_after_ms(clock_mono(env->clock), interval_ms(d->m->config, kind));
    timer_no_later(d->m, c->kind[kind].deadline);
}

void checkpoint_want(struct log_dir *d, enum checkpoint_kind kind)
{
    d->checkpoint->kind[kind].wanted = true;
}

void checkpoint_start_moved(struct log *l)
{
    checkpoint_note(l->dir, CHECKPOINT_START);
}

static void dir_due(struct log_dir *d, struct mono now)
{
    struct checkpoint *c = d->checkpoint;

    for (int k = 0; k < CHECKPOINT_KINDS; k++) {
        if (!c->kind[k].noted)
            continue;
        if (c->kind[k].deadline.ns > now.ns) {
            timer_no_later(d->m, c->kind[k].deadline);
            continue;
        }
        c->kind[k].noted = false;
        if (k == CHECKPOINT_RECOVERY)
            flush_tick(d); /* wants the checkpoint when it has flushed */
        else
            checkpoint_want(d, (enum checkpoint_kind)k);
    }
}

void checkpoint_timer_fire(struct timer *t)
{
    struct logm *m = CONTAINER_OF(t, struct logm, checkpoint_timer);
    struct mono now = clock_mono(m->env->clock);

    ASSERT(m->magic == LOGM_MAGIC);
    for (int i = 0; i < m->n_dirs; i++)
        dir_due(&m->dirs[i], now);
}

void checkpoint_init(struct log_dir *d)
{
    ASSERT(!d->checkpoint);
    d->checkpoint = xcalloc(1, sizeof(*d->checkpoint));
    d->checkpoint->d = d;
    for (int k = 0; k < CHECKPOINT_KINDS; k++)
        buf_init(&d->checkpoint->kind[k].text);
}

void checkpoint_release(struct log_dir *d)
{
    if (!d->checkpoint)
        return;
    ASSERT(!d->checkpoint->running);
    for (int k = 0; k < CHECKPOINT_KINDS; k++)
        buf_release(&d->checkpoint->kind[k].text);
    free(d->checkpoint);
    d->checkpoint = NULL;
}
