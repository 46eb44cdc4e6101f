/* Moving a log to another log directory: the copy (Kafka's future replica, ReplicaAlterLogDirsThread).
 *
 * Owner: struct log_move, its owner's; core thread. The copying is a job on the flush lane of the directory that it goes to.
 *
 * Happy path: log_move_begin -> the name is reserved, the directory is made -> segment after segment, 4 MiB a job, each job synced; with
 *             the last of a sealed one its indexes and its producer snapshot -> of the active one what is there already, while that is
 *             more than 1 MiB -> move_switch.c, which comes back here for what was appended meanwhile. What lies below a log's end does
 *             not change, so that the active one need not be rolled for this.
 * Invariant:  nothing of the log is changed, and nobody waits: retention and compaction go on. A segment that has left or was replaced
 *             since (its serial is not the log's any more) leaves the copy, too, and what took its place is copied. "-future" is no
 *             partition's name: a start removes it, and the broker may begin again.
 * Failures:   a source that cannot be read, no space: the move is given up, and the copy removed. A write or sync that fails takes the
 *             directory that is copied to offline. The log stays as it was.
 */
#include "move_internal.h"

#define SLICE_BYTES_MAX   (4u << 20)
#define SLICE_BYTES_MIN   (64u << 10)
#define COPY_BUFFER_BYTES ((size_t)(128u << 10))
#define SMALL_FILE_MAX    (1u << 30)

char *move_path(const char *dir, int64_t base, const char *suffix, char out[SEGMENT_PATH_MAX])
{
    int n = snprintf(out, SEGMENT_PATH_MAX, "%s/%020lld%s", dir, (long long)base, suffix);

    ASSERT(n > 0 && n < SEGMENT_PATH_MAX);
    return out;
}

/* ---- the lane ------------------------------------------------------------------------------- */

int move_copy_file(struct vfs *v, const char *from, const char *to, bool sync, int *rc_read)
{
    struct buf text;
    struct file *f;
    int rc = 0;

    buf_init(&text);
    *rc_read = vfs_read_all(v, from, SMALL_FILE_MAX, &text);
    if (*rc_read == 0)
        rc = vfs_open(v, to, VFS_WRITE | VFS_CREATE | VFS_TRUNCATE, &f);
    if (*rc_read == 0 && rc == 0) {
        if (text.n > 0)
            rc = file_pwrite(f, text.p, text.n, 0);
        if (rc == 0 && sync)
            rc = file_datasync(f);
        file_unref(f);
    }
    buf_release(&text);
    if (*rc_read == E_NOENT)
        *rc_read = 0;
    return rc;
}

static void copy_small(struct log_move *v, const char *name)
{
    char from[SEGMENT_PATH_MAX], to[SEGMENT_PATH_MAX];
    int n = snprintf(from, sizeof(from), "%s/%s", v->old_path, name);
    int k = snprintf(to, sizeof(to), "%s/%s", v->path, name);

    ASSERT(n > 0 && (size_t)n < sizeof(from));
    ASSERT(k > 0 && (size_t)k < sizeof(to));
    if (v->rc == 0 && v->rc_read == 0)
        v->rc = move_copy_file(v->m->env->vfs, from, to, true, &v->rc_read);
}

/* The copy is not made, and that is all. */
static bool is_passing(int rc)
{
    return rc == E_NOSPC || rc == E_MFILE || rc == E_NOENT;
}

static int lane_result(const struct log_move *v)
{
    return is_passing(v->rc) ? v->rc : dir_synced(v->to, v->rc);
}

static void make_work(struct job *j)
{
    struct log_move *v = CONTAINER_OF(j, struct log_move, job);

    ASSERT_LANE();
    copy_small(v, METADATA_FILE);
    if (v->rc == 0)
        v->rc = vfs_sync_dir(v->m->env->vfs, v->path);
    if (v->rc == 0) /* a start is to know that a move was wanted */
        v->rc = vfs_sync_dir(v->m->env->vfs, v->to->path);
    v->rc = lane_result(v);
}

/* Which batches are whole in the copy with these n bytes. What does not look like one ends the walk of this segment: whether
 * records are good is not asked here. */
static void follow(struct log_move *v, const uint8_t *bytes, uint64_t position, size_t n)
{
    uint8_t header[BATCH_HEADER_BYTES];
    struct batch b;

    while (v->walked + BATCH_HEADER_BYTES <= position + n) {
        const uint8_t *p = header;

        if (v->walked >= position)
            p = bytes + (v->walked - position);
        else if (file_pread_full(v->source, header, sizeof(header), v->walked) < 0)
            return;
        if (batch_decode(p, &b) == E_CORRUPT || v->walked + b.total_bytes > position + n)
            return;
        v->walked += b.total_bytes;
        v->walked_end = batch_last_offset(&b) + 1;
    }
}

/* Through a buffer that stays in the processor's cache. */
static void copy_slice(struct log_move *v)
{
    uint8_t *bytes = xmalloc(COPY_BUFFER_BYTES);
    size_t n;

    for (size_t at = 0; at < v->n_bytes && v->rc_read == 0 && v->rc == 0; at += n) {
        n = MIN(v->n_bytes - at, COPY_BUFFER_BYTES);
        v->rc_read = file_pread_full(v->source, bytes, n, v->position + at);
        if (v->rc_read == 0)
            v->rc = file_pwrite(v->target, bytes, n, v->position + at);
        if (v->rc_read == 0 && v->rc == 0)
            follow(v, bytes, v->position + at, n);
    }
    if (v->rc_read == 0 && v->rc == 0)
        v->rc = PLANTED(move_unsynced) ? 0 : file_datasync(v->target);
    free(bytes);
}

static void copy_work(struct job *j)
{
    static const char *const suffixes[] = {".index", ".timeindex", ".txnindex", ".snapshot"};
    struct log_move *v = CONTAINER_OF(j, struct log_move, job);
    char name[64];

    ASSERT_LANE();
    copy_slice(v);
    for (size_t i = 0; i < ARRAY_SIZE(suffixes) && v->is_last; i++) {
        snprintf(name, sizeof(name), "%020lld%s", (long long)v->base_offset, suffixes[i]);
        copy_small(v, name);
    }
    v->rc = lane_result(v);
}

/* ---- one after the other -------------------------------------------------------------------- */

static void put_files(struct log_move *v)
{
    file_unref(v->source);
    file_unref(v->target);
    v->source = NULL;
    v->target = NULL;
}

static void timer_fire(struct timer *t)
{
    move_next(CONTAINER_OF(t, struct log_move, timer));
}

void move_again(struct log_move *v, int64_t delay_ns)
{
    struct env *env = v->m->env;
    struct mono at = clock_mono(env->clock);

    ASSERT(delay_ns >= 0);
    at.ns += delay_ns;
    timer_set(&env->timers, &v->timer, at);
}

/* One at a time for each directory: one that is held must not stand behind the jobs of a hundred others on the lane. */
static int take_turn(struct log_move *v)
{
    if (v->to->mover && v->to->mover != v)
        return E_AGAIN;
    v->to->mover = v;
    return 0;
}

static void end_turn(struct log_move *v)
{
    if (v->to->mover == v)
        v->to->mover = NULL;
}

static void forget(struct log_move *v)
{
    end_turn(v);
    timer_cancel(&v->m->env->timers, &v->timer);
    if (v->log)
        v->log->move = NULL;
    v->log = NULL;
    put_files(v);
    free(v->copied);
    free(v->path);
    free(v->old_path);
    v->copied = NULL;
    v->path = v->old_path = NULL;
    v->n_copied = v->cap_copied = 0;
}

/* Its name is free at once, its bytes go later. A clean stop leaves the directory, empty, to say that a move was wanted: to the next start,
 * and to Apache Kafka, which would take half a batch in it for records. */
static void drop_all(struct log_move *v)
{
    const struct log *l = v->log;

    ASSERT(v->state != LOG_MOVE_SWITCHED);
    if (v->entry)
        dir_entry_remove(v->to, v->entry);
    v->entry = NULL;
    if (v->to->offline)
        return;
    if (v->state != LOG_MOVE_COPIES || !v->m->flushing_all)
        dir_set_aside(v->to, v->path, l->name_key, l->entry->topic_bytes, 0);
    else
        while (v->n_copied > 0)
            move_drop_copy(v, v->n_copied - 1);
}

void move_over(struct log_move *v, int rc)
{
    ASSERT_CORE();
    ASSERT(!v->running);
    if (v->state == LOG_MOVE_SWITCHED)
        v->from->n_leaving--;
    if (v->log && v->state != LOG_MOVE_SWITCHED) {
        drop_all(v);
        move_let_go(v);
    }
    forget(v);
    v->done(v, rc);
}

int move_outcome(struct log_move *v)
{
    int rc = is_passing(v->rc) ? v->rc : dir_sync_result(v->to, v->rc);

    if (rc < 0 && !is_passing(rc))
        rc = dir_fail(v->to, "copy a partition", v->path, rc);
    if (!v->log || v->canceled)
        return E_CANCELED;
    return rc == 0 && (v->to->offline || v->log->dir->offline) ? E_OFFLINE : rc;
}

static void job_done(struct log_move *v)
{
    ASSERT_CORE();
    ASSERT(v->running);
    v->running = false;
    put_files(v);
}

static void make_done(struct job *j)
{
    struct log_move *v = CONTAINER_OF(j, struct log_move, job);

    job_done(v);
    if (v->rc == 0 && v->rc_read < 0)
        move_over(v, v->rc_read);
    else
        move_next(v);
}

static void slice_copied(struct log_move *v)
{
    v->position += v->n_bytes;
    v->copied[v->at].whole = v->is_last;
    v->copied[v->at].size_bytes = v->position;
    v->copied_end =
        v->is_last ? segment_end_offset(move_source_of(v, &v->copied[v->at])) : v->walked_end;
}

/* A source that has left meanwhile is no failure: another look says so. */
static void copy_done(struct job *j)
{
    struct log_move *v = CONTAINER_OF(j, struct log_move, job);
    bool is_there = v->log && v->at < v->n_copied && move_source_of(v, &v->copied[v->at]);

    job_done(v);
    if (is_there && v->rc == 0 && v->rc_read < 0) {
        move_over(v, v->rc_read);
        return;
    }
    if (is_there && v->rc == 0)
        slice_copied(v);
    if (v->state == LOG_MOVE_COPIES && v->bytes_per_second > 0 && move_outcome(v) == 0)
        move_again(v, (int64_t)((double)v->n_bytes * 1e9 / (double)v->bytes_per_second));
    else
        move_next(v);
}

void move_submit(struct log_move *v, void (*work)(struct job *), void (*done)(struct job *))
{
    ASSERT(!v->running);
    v->running = true;
    v->rc = v->rc_read = 0;
    lane_submit(&v->to->flush_lane, &v->job, work, done);
}

static int copy_next(struct log_move *v, struct segment *s)
{
    char path[SEGMENT_PATH_MAX];
    struct file *source;
    uint64_t step = MAX(MIN((uint64_t)v->bytes_per_second, SLICE_BYTES_MAX), SLICE_BYTES_MIN);
    bool is_whole = s->swapping == SWAPPING_NONE && s->remaking == REMADE_NONE;
    int rc = is_whole && segment_write_indexes(s) >= 0 ? segment_file(s, &source) : E_AGAIN;

    if (rc < 0)
        return rc;
    rc = vfs_open(v->m->env->vfs, move_path(v->path, s->base_offset, ".log", path),
                  VFS_WRITE | VFS_CREATE | (v->position == 0 ? VFS_TRUNCATE : 0), &v->target);
    if (rc < 0)
        return rc;
    v->source = file_ref(source);
    v->base_offset = s->base_offset;
    v->n_bytes = (uint32_t)MIN(s->size_bytes - v->position, step);
    v->is_last = s->sealed && v->position + v->n_bytes == s->size_bytes;
    move_submit(v, copy_work, copy_done);
    return 0;
}

/* One that is held is copied as fast as it goes, and has no time to wait. */
static bool must_wait(const struct log_move *v, int rc)
{
    return v->state == LOG_MOVE_COPIES && (rc == E_AGAIN || (rc == 0 && v->bytes_per_second <= 0));
}

void move_next(struct log_move *v)
{
    int rc = move_outcome(v);

    ASSERT_CORE();
    ASSERT(!v->running);
    if (rc == 0)
        rc = take_turn(v);
    while (rc >= 0 && !must_wait(v, rc)) {
        struct segment *s;

        move_drop_gone(v);
        s = move_next_source(v);
        rc = s ? copy_next(v, s) : move_switch(v);
        if (rc == 0)
            return;
    }
    if (must_wait(v, rc)) {
        end_turn(v);
        move_again(v, (int64_t)MOVE_RETRY_MS * 1000000);
    } else {
        move_over(v, rc);
    }
}

/* ---- from outside --------------------------------------------------------------------------- */

int log_move_begin(struct log *l, struct log_move *v)
{
    char name[DIR_NAME_MAX + 1], path[DIR_PATH_MAX];
    int rc;

    ASSERT_CORE();
    ASSERT(l->magic == LOG_MAGIC);
    ASSERT(!l->move);
    ASSERT(v->dir >= 0);
    ASSERT(v->dir < l->m->n_dirs);
    ASSERT(v->dir != l->dir->index);
    v->m = l->m;
    v->from = l->dir;
    v->to = &l->m->dirs[v->dir];
    if (v->to->offline || v->from->offline)
        return E_OFFLINE;
    if (dir_entry_find(v->to, l->name_key))
        return E_EXIST;
    if (l->metadata_is_missing)
        return E_NOSPC;
    dir_aside_name(&l->m->env->rng, l->name_key, l->entry->topic_bytes, DIR_FUTURE_SUFFIX, name);
    rc = vfs_mkdir(l->m->env->vfs, dir_file_path(v->to, name, path));
    if (rc < 0)
        return is_passing(rc) ? rc : dir_fail(v->to, "make", path, rc);
    v->log = l;
    l->move = v;
    v->entry = dir_entry_add(v->to, l->name_key);
    v->entry->topic_id = l->topic_id;
    v->copied_end = l->start_offset;
    timer_init(&v->timer, timer_fire);
    v->path = xstrdup(path);
    v->old_path = xstrdup(l->path);
    move_submit(v, make_work, make_done);
    return 0;
}

void log_move_set_rate(struct log_move *v, int64_t bytes_per_second)
{
    ASSERT_CORE();
    v->bytes_per_second = bytes_per_second;
    if (v->state == LOG_MOVE_COPIES && timer_armed(&v->timer))
        move_again(v, 0); /* what it waited for was the old one's */
}

void log_move_cancel(struct log_move *v)
{
    ASSERT_CORE();
    if (v->state == LOG_MOVE_SWITCHED)
        return;
    v->canceled = true;
    if (!v->running)
        move_over(v, E_CANCELED);
}

void moves_stop(struct logm *m)
{
    struct log *l, *tmp;

    HASH_ITER(by_name, m->logs, l, tmp)
    {
        if (l->move && l->move->state == LOG_MOVE_COPIES)
            log_move_cancel(l->move);
    }
}

struct log_move *log_moving(const struct log *l)
{
    return l->move;
}

int64_t log_move_end_offset(const struct log_move *v)
{
    return v->copied_end;
}

void move_log_deleted(struct log *l)
{
    struct log_move *v = l->move;

    if (v && v->state == LOG_MOVE_SWITCHED)
        move_drop_old(v);
    else if (v)
        drop_all(v);
}

/* The log is closed, or deleted: then what it has in the other directory is gone already. */
void moves_drop_log(struct log *l)
{
    struct log_move *v = l->move;

    if (!v)
        return;
    l->move = NULL;
    v->log = NULL;
    if (!v->running)
        move_over(v, E_CANCELED);
}
