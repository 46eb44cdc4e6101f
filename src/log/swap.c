/* Putting a cleaned segment in the place of those that it was made of (LocalLog.replaceSegments), and what else compaction asks of a
 * log.
 *
 * Owner: struct log, core thread; the directory is synced on the flush lane.
 *
 *     NNN.log.cleaned  --whole, synced by the cleaner--> log_swap
 *       0                                                      -> the directory is synced: the names of all its files
 *       1  indexes, then the .log: renamed to .swap            -> the directory is synced
 *       2  in memory the new segment takes the place of the old ones, whose .log become .deleted  -> the directory is synced
 *       3  the .log.swap becomes the name of a segment         -> the directory is synced
 *       4  so do the indexes                                   -> the directory is synced
 *
 * Invariant:  once there is a .log.swap, a start finishes the work: it replaces every segment between its base and its last batch
 *             (load.c), and that batch is the last one of the old segments; an index may be called .cleaned still. While there
 *             is a .log.cleaned, all that belongs to it is removed. Old segments are gone
 *             durably before 3: else one of them could stand beside the file that replaces it. While there is a .log.swap, what is
 *             called an index is an old one and goes with its segment: so the new ones get that name durably later. While a segment is
 *             in the middle of it, segment_path leads to the .swap.
 *             All of it lies below the noted recovery point: no journal is replayed over it.
 * Failures:   no space for the names of 1: the files are removed again, E_NOSPC. Any other rename or sync that fails takes the directory offline.
 *             Readers that still send a range hold the old file.
 */
#include "directory.h"
#include "segment.h"

#define SWAP_SUFFIX ".swap"

static const char *const swapped[] = {".index", ".timeindex", ".txnindex", ".log"}; /* the .log last: it is what counts */
static const char *const derived[] = {".index", ".timeindex", ".txnindex"};

static char *path_of(const struct log_swap *w, int64_t base, const char *suffix, const char *then, char out[SEGMENT_PATH_MAX])
{
    int n = snprintf(out, SEGMENT_PATH_MAX, "%s/%020lld%s%s", w->path, (long long)base, suffix, then);

    ASSERT(n > 0 && n < SEGMENT_PATH_MAX);
    return out;
}

char *log_cleaned_path(const struct log *l, int64_t base_offset, const char *suffix)
{
    return xasprintf("%s/%020lld%s" LOG_CLEANED_SUFFIX, l->path, (long long)base_offset, suffix);
}

/* ---- the steps ------------------------------------------------------------------------------ */

static int rename_one(struct log_swap *w, const char *suffix, const char *from_suffix, const char *to_suffix)
{
    char from[SEGMENT_PATH_MAX], to[SEGMENT_PATH_MAX];

    return vfs_rename(w->vfs, path_of(w, w->base_offset, suffix, from_suffix, from),
                      path_of(w, w->base_offset, suffix, to_suffix, to));
}

/* Renames the indexes of the new segment, and its .log, the last, where it is wanted; *n of them were. */
static int rename_some(struct log_swap *w, const char *from_suffix, const char *to_suffix, bool log_too, size_t *n)
{
    size_t count = ARRAY_SIZE(swapped) - (log_too ? 0 : 1);
    int rc = 0;

    for (*n = 0; *n < count; ++*n) {
        rc = rename_one(w, swapped[*n], from_suffix, to_suffix);
        if (rc == E_NOENT && *n + 1 < ARRAY_SIZE(swapped))
            rc = 0; /* an index may have been given up */
        if (rc < 0)
            break;
    }
    return rc;
}

static void give_up(struct log_swap *w, size_t n)
{
    char path[SEGMENT_PATH_MAX];

    for (size_t i = 0; i < n; i++)
        (void)vfs_unlink(w->vfs, path_of(w, w->base_offset, swapped[i], SWAP_SUFFIX, path));
}

static int set_aside(struct log_swap *w, int64_t base)
{
    char from[SEGMENT_PATH_MAX], to[SEGMENT_PATH_MAX];
    struct log *l = w->log;
    int rc;

    for (size_t i = 0; i < ARRAY_SIZE(derived); i++)
        (void)vfs_unlink(w->vfs, path_of(w, base, derived[i], "", from));
    if (base != w->base_offset && l->extra_snapshots[0] != base && l->extra_snapshots[1] != base)
        snapshot_remove(l, base);
    path_of(w, base, ".log", "", from);
    rc = vfs_rename(w->vfs, from, path_of(w, base, ".log", ".deleted", to));
    if (rc == 0)
        remove_later(l->dir, to, l->config.file_delete_delay_ms);
    else if (rc == E_NOSPC)
        rc = vfs_unlink(w->vfs, from);
    return rc == E_NOENT ? 0 : rc;
}

static int install(struct log_swap *w)
{
    struct log *l = w->log;
    struct segment *s = segment_new(l, w->base_offset, w->size_bytes);
    int i = log_segment_floor(l, w->base_offset), rc = 0;

    ASSERT(l->segments[i]->base_offset == w->base_offset);
    ASSERT(i + w->n_segments < l->n_segments); /* never the active one */
    s->sealed = true;
    s->swapping = SWAPPING_ALL;
    s->written_from = 0;
    s->txns.exists = w->has_txn_index;
    l->size_bytes += w->size_bytes;
    for (int k = i; k < i + w->n_segments; k++) {
        int64_t base = l->segments[k]->base_offset;

        l->size_bytes -= l->segments[k]->size_bytes;
        segment_free(l->segments[k]);
        if (rc == 0)
            rc = set_aside(w, base);
    }
    l->segments[i] = s;
    memmove(&l->segments[i + 1], &l->segments[i + w->n_segments],
            (size_t)(l->n_segments - i - w->n_segments) * sizeof(struct segment *));
    l->n_segments -= w->n_segments - 1;
    places_forget(l);
    return rc;
}

/* No space for a name: nothing has happened yet. */
static int name_swap(struct log_swap *w)
{
    size_t n;
    int rc = rename_some(w, LOG_CLEANED_SUFFIX, SWAP_SUFFIX, true, &n);

    if (rc < 0)
        give_up(w, n);
    w->given_up = rc == E_NOSPC;
    return rc;
}

static int name_log(struct log_swap *w)
{
    struct segment *s = log_segment_at_base(w->log, w->base_offset);

    ASSERT(s);
    ASSERT(s->swapping == SWAPPING_ALL);
    s->swapping = SWAPPING_INDEXES;
    return rename_one(w, ".log", SWAP_SUFFIX, "");
}

static int name_indexes(struct log_swap *w)
{
    struct segment *s = log_segment_at_base(w->log, w->base_offset);
    size_t n;

    ASSERT(s);
    ASSERT(s->swapping == SWAPPING_INDEXES);
    s->swapping = SWAPPING_NONE;
    return rename_some(w, SWAP_SUFFIX, "", false, &n);
}

static void ended(struct log_swap *w, int rc)
{
    struct log *l = w->log;

    list_remove(&w->link);
    free(w->path);
    w->path = NULL;
    w->log = NULL;
    if (l)
        ASSERT(rc != E_CANCELED);
    w->done(w, rc);
}

/* ---- one after the other -------------------------------------------------------------------- */

static void swap_work(struct job *j)
{
    struct log_swap *w = CONTAINER_OF(j, struct log_swap, job);

    ASSERT_LANE();
    w->rc = dir_synced(w->dir, PLANTED(swap_unsynced) ? 0 : vfs_sync_dir(w->vfs, w->path));
}

static void swap_done(struct job *j)
{
    static int (*const steps[])(struct log_swap *) = {name_swap, install, name_log, name_indexes};
    struct log_swap *w = CONTAINER_OF(j, struct log_swap, job);
    int rc = w->rc;
    bool is_last;

    ASSERT_CORE();
    if (!w->log) {
        ended(w, E_CANCELED);
        return;
    }
    rc = rc < 0 ? rc : dir_sync_result(w->dir, 0);
    is_last = w->step == (int)ARRAY_SIZE(steps);
    if (rc == 0 && !w->dir->offline && !is_last)
        rc = steps[w->step++](w);
    if (rc < 0 && !w->given_up)
        rc = dir_fail(w->dir, "swap segments", w->path, rc);
    else if (rc == 0 && w->dir->offline)
        rc = E_OFFLINE;
    if (rc < 0 || is_last)
        ended(w, rc);
    else
        lane_submit(&w->dir->flush_lane, &w->job, swap_work, swap_done);
}

int log_swap(struct log *l, struct log_swap *w, void (*done)(struct log_swap *, int))
{
    ASSERT_CORE();
    ASSERT(l->magic == LOG_MAGIC);
    ASSERT(w->n_segments > 0);
    if (l->dir->offline || l->deleted || log_is_held(l))
        return E_OFFLINE;
    w->log = l;
    w->dir = l->dir;
    w->vfs = l->m->env->vfs;
    w->path = xstrdup(l->path);
    w->done = done;
    w->step = 0;
    list_init(&w->link);
    w->given_up = false;
    list_push(&l->swaps, &w->link);
    lane_submit(&l->dir->flush_lane, &w->job, swap_work, swap_done);
    return 0;
}

void swaps_drop_log(struct log *l)
{
    struct list *first;

    while ((first = list_first(&l->swaps))) {
        list_remove(first);
        CONTAINER_OF(first, struct log_swap, link)->log = NULL; /* its job runs */
    }
}

/* ---- what may be compacted ------------------------------------------------------------------ */

int64_t log_first_dirty(const struct log *l)
{
    int64_t offset = l->first_dirty_offset;

    return offset < l->start_offset || offset > l->end_offset ? l->start_offset : offset;
}

void log_set_first_dirty(struct log *l, int64_t offset)
{
    ASSERT(offset <= l->end_offset);
    l->first_dirty_offset = offset;
    l->cleaned = clock_wall(l->m->env->clock);
    checkpoint_cleaner_moved(l);
}

struct wall log_last_cleaned(const struct log *l)
{
    return l->cleaned;
}

void log_set_uncleanable(struct log *l)
{
    l->uncleanable = true;
}

bool log_is_uncleanable(const struct log *l)
{
    return l->uncleanable || (l->move && l->move->is_ready) || l->dir->offline;
}

int64_t log_cleanable_end(const struct log *l)
{
    int64_t limit = MIN(l->stable_offset, log_active(l)->base_offset);

    limit = MIN(limit, checkpoint_is_stale(l) ? 0 : MAX(0, checkpoint_recovery_point_written(l)));
    return l->segments[MAX(0, log_segment_floor(l, limit))]->base_offset;
}

void log_want_recovery_point(struct log *l)
{
    if (checkpoint_recovery_point_written(l) >= log_active(l)->base_offset)
        return;
    flush_want_noted(l);
    checkpoint_want(l->dir, CHECKPOINT_RECOVERY);
}

int log_segment_file(struct log *l, int i, struct file **out)
{
    int rc;

    ASSERT(i >= 0);
    ASSERT(i < l->n_segments);
    rc = segment_file(l->segments[i], out);
    if (rc == 0)
        file_ref(*out);
    return rc;
}

int log_segment_first_timestamp(struct log *l, int i, int64_t *timestamp_ms)
{
    ASSERT(i >= 0);
    ASSERT(i < l->n_segments);
    return segment_first_timestamp(l->segments[i], timestamp_ms);
}

static int by_id(const void *a, const void *b)
{
    int64_t x = ((const struct log_producer_end *)a)->producer_id;
    int64_t y = ((const struct log_producer_end *)b)->producer_id;

    return (x > y) - (x < y);
}

struct log_producer_end *log_producer_ends(const struct log *l, uint32_t *n)
{
    struct log_producer_end *ends = xcalloc(MAX(l->producers->n, 1), sizeof(*ends));

    *n = 0;
    LIST_FOREACH(it, &l->producers->used)
    {
        const struct producer *p = CONTAINER_OF(it, struct producer, in_use);

        ends[(*n)++] = (struct log_producer_end){
            p->id, p->n_batches > 0 ? p->batches[p->n_batches - 1].last_offset : -1, p->epoch};
    }
    qsort(ends, *n, sizeof(*ends), by_id);
    return ends;
}

int log_failed(struct log *l, const char *what, int rc)
{
    return dir_fail(l->dir, what, l->path, rc);
}
