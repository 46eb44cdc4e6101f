/* One segment: its files, its end, and keeping count of what is appended.
 *
 * Owner: struct log (l->segments), core thread.
 *
 * Happy path: create -> (reserve -> write -> index_batch)* -> finish (rolled: sealed) -> ... ->
 *             free.
 * Invariant:  the .log file ends at size_bytes; whole batches up to there; its blocks reach to
 *             reserved_bytes, which the file's size never shows.
 * Failures:   a write that fails is cut back. No space is E_NOSPC and leaves all as it was;
 *             anything else, or a cut that fails, takes the log directory offline (dir_fail). Index
 *             writes are not worth a failure: they can be rebuilt.
 */
#include "segment.h"

#define RESERVE_BYTES_MIN (16 * 1024)
#define RESERVE_BYTES_MAX (16 * 1024 * 1024)
STATIC_ASSERT(INT32_MAX <= UINT32_MAX, "positions in an index entry are 32 bits");

char *log_file_path(const struct log *l, int64_t offset, const char *suffix,
                    char out[SEGMENT_PATH_MAX])
{
    int n = snprintf(out, SEGMENT_PATH_MAX, "%s/%020lld%s", l->path, (long long)offset, suffix);

    ASSERT(n > 0 && n < SEGMENT_PATH_MAX);
    return out;
}

char *segment_path(const struct segment *s, const char *suffix, char out[SEGMENT_PATH_MAX])
{
    size_t n;

    ASSERT(s->magic == SEGMENT_MAGIC);
    log_file_path(s->log, s->base_offset, suffix, out);
    n = strlen(out);
    if (s->swapping == SWAPPING_ALL || (s->swapping == SWAPPING_INDEXES && strcmp(suffix, ".log") != 0))
        n += (size_t)snprintf(out + n, SEGMENT_PATH_MAX - n, ".swap");
    ASSERT(n < SEGMENT_PATH_MAX);
    return out;
}

static int64_t random_jitter_ms(struct log *l)
{
    int64_t max_ms = MIN(l->config.segment_jitter_ms, l->config.segment_ms);

    return max_ms > 0 ? (int64_t)rng_below(&l->m->env->rng, (uint64_t)max_ms) : 0;
}

struct segment *segment_new(struct log *l, int64_t base_offset, uint64_t size_bytes)
{
    struct segment *s = xcalloc(1, sizeof(*s));

    ASSERT(base_offset >= 0);
    s->magic = SEGMENT_MAGIC;
    s->log = l;
    s->serial = ++l->m->n_segments_made;
    s->base_offset = base_offset;
    s->size_bytes = size_bytes;
    s->written_from = (uint32_t)size_bytes;
    s->offsets.kind = INDEX_OFFSET;
    s->times.kind = INDEX_TIME;
    s->indexed_timestamp_ms = NO_TIMESTAMP;
    s->max_timestamp_ms = NO_TIMESTAMP;
    s->max_timestamp_offset = -1;
    s->first_timestamp_ms = NO_TIMESTAMP;
    s->created = clock_wall(l->m->env->clock);
    s->jitter_ms = random_jitter_ms(l);
    list_init(&s->in_open);
    return s;
}

void segment_free(struct segment *s)
{
    if (!s)
        return;
    ASSERT(s->magic == SEGMENT_MAGIC);
    segment_close_file(s);
    index_release(&s->offsets);
    index_release(&s->times);
    txn_index_release(s);
    rot_forget(s);
    s->magic = 0;
    free(s);
}

struct segment *log_active(const struct log *l)
{
    ASSERT(l->n_segments > 0);
    return l->segments[l->n_segments - 1];
}

int log_segment_floor(const struct log *l, int64_t offset)
{
    int low = 0, high = l->n_segments;

    while (low < high) {
        int middle = low + (high - low) / 2;

        if (l->segments[middle]->base_offset <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low - 1;
}

struct segment *log_segment_at_base(const struct log *l, int64_t base_offset)
{
    int i = log_segment_floor(l, base_offset);

    return i >= 0 && l->segments[i]->base_offset == base_offset ? l->segments[i] : NULL;
}

void log_segments_insert(struct log *l, struct segment *s)
{
    ASSERT(l->n_segments == 0 || log_active(l)->base_offset < s->base_offset);
    if (l->n_segments == l->cap_segments) {
        l->cap_segments = MAX(1, l->cap_segments * 2);
        l->segments =
            xrealloc_array(l->segments, (size_t)l->cap_segments, sizeof(struct segment *));
    }
    if (l->n_segments > 0)
        segment_set_sealed(log_active(l));
    l->segments[l->n_segments++] = s;
}

int64_t segment_end_offset(const struct segment *s)
{
    const struct log *l = s->log;
    int i = log_segment_floor(l, s->base_offset);

    ASSERT(l->segments[i] == s);
    return i + 1 < l->n_segments ? l->segments[i + 1]->base_offset : l->end_offset;
}

int segment_create(struct log *l, int64_t base_offset, struct segment **out)
{
    struct segment *s = segment_new(l, base_offset, 0);
    struct vfs *v = l->m->env->vfs;
    char path[SEGMENT_PATH_MAX];
    int rc = vfs_open(v, segment_path(s, ".log", path), VFS_WRITE | VFS_CREATE | VFS_EXCLUSIVE,
                      &s->file);

    if (rc < 0) {
        segment_free(s);
        return rc;
    }
    segment_file_opened(s);
    rc = index_create(&s->offsets, s);
    if (rc == 0)
        rc = index_create(&s->times, s);
    if (rc < 0) { /* an index alone belongs to no segment: the next start removes it */
        (void)vfs_unlink(v, path);
        segment_free(s);
        return rc;
    }
    s->indexes_loaded = true;
    *out = s;
    return 0;
}

/* ---- keeping count -------------------------------------------------------------------------- */

/* TimeIndex.maybeAppend: an entry only where the largest timestamp has grown. */
static int index_time(struct segment *s)
{
    int rc;

    if (s->max_timestamp_ms <= s->indexed_timestamp_ms)
        return 0;
    rc = index_add_time(&s->times, s,
                        (struct time_entry){s->max_timestamp_ms, s->max_timestamp_offset});
    if (rc == 0)
        s->indexed_timestamp_ms = s->max_timestamp_ms;
    return rc;
}

/* The time first: where there is an offset entry, the time index is whole up to it. Recovery counts on
 * that. */
static void index_entry(struct segment *s, const struct batch *b, uint64_t position)
{
    int rc = index_time(s);

    if (rc == 0)
        rc = index_add_offset(&s->offsets, s,
                              (struct offset_entry){batch_last_offset(b), (uint32_t)position});
    if (rc < 0)
        trace("index entry not written", s->base_offset, rc);
    s->bytes_since_index = 0;
}

void segment_index_batch(struct segment *s, const struct batch *b, uint64_t position)
{
    ASSERT(s->indexes_loaded);
    ASSERT(position <= INT32_MAX);
    if (position == 0)
        s->first_timestamp_ms = b->max_timestamp_ms;
    s->first_known = s->first_known || position == 0;
    if (b->max_timestamp_ms > s->max_timestamp_ms) {
        s->max_timestamp_ms = b->max_timestamp_ms;
        s->max_timestamp_offset = batch_last_offset(b);
    }
    if (s->bytes_since_index > s->log->config.index_interval_bytes)
        index_entry(s, b, position);
    s->bytes_since_index += b->total_bytes;
}

/* ---- writing -------------------------------------------------------------------------------- */

static bool space_is_left(const struct log *l, uint64_t n_bytes)
{
    struct vfs_space space;
    uint64_t keep = (uint64_t)l->m->config->log_min_free_bytes;

    if (keep == 0 || vfs_space(l->m->env->vfs, l->dir->path, &space) < 0)
        return true;
    return space.free_bytes >= keep && space.free_bytes - keep >= n_bytes;
}

static int reserve_to(struct segment *s, uint64_t until, bool use_last_space)
{
    uint64_t from = MAX(s->reserved_bytes, s->size_bytes);
    int rc;

    ASSERT(until > from);
    if (!use_last_space && !space_is_left(s->log, until - from))
        return E_NOSPC;
    rc = file_reserve(s->file, from, until - from);
    if (rc == 0)
        s->reserved_bytes = until;
    return rc;
}

int segment_reserve(struct segment *s, size_t n, bool use_last_space)
{
    uint64_t need = s->size_bytes + n, most = MAX(need, log_segment_bytes_max(s->log));
    uint64_t step = MIN(MAX(s->size_bytes, RESERVE_BYTES_MIN), RESERVE_BYTES_MAX);
    uint64_t ahead = s->log->config.preallocate ? most : MIN(most, s->size_bytes + MAX(n, step));
    struct file *f;
    int rc;

    if (need <= s->reserved_bytes)
        return 0;
    rc = segment_file(s, &f);
    if (rc < 0)
        return rc;
    rc = reserve_to(s, ahead, use_last_space);
    if (rc == E_NOSPC && ahead > need)
        rc = reserve_to(s, need, use_last_space);
    return rc;
}

/* After a write that failed: the file ends where it ended. */
static int cut_back(struct segment *s)
{
    int rc = file_truncate(s->file, s->size_bytes);

    s->reserved_bytes = 0;
    return rc;
}

int segment_write(struct segment *s, const void *p, size_t n)
{
    char path[SEGMENT_PATH_MAX];
    struct file *f;
    int rc, rc_cut;

    ASSERT(!s->sealed);
    ASSERT(s->size_bytes + n <= INT32_MAX);
    rc = segment_file(s, &f);
    if (rc < 0)
        return rc;
    rc = file_pwrite(f, p, n, s->size_bytes);
    if (rc == 0) {
        s->size_bytes += n;
        return 0;
    }
    rc_cut = cut_back(s);
    if (rc == E_NOSPC && rc_cut == 0)
        return E_NOSPC;
    return dir_fail(s->log->dir, rc_cut < 0 ? "truncate" : "write", segment_path(s, ".log", path),
                    rc);
}

static int drop_reservation(struct segment *s)
{
    struct file *f;
    int rc;

    if (s->reserved_bytes <= s->size_bytes)
        return 0;
    rc = segment_file(s, &f);
    if (rc == 0)
        rc = cut_back(s);
    return rc;
}

/* Neither a wrong index nor half a one: Apache Kafka builds one that is missing anew, as we do. */
int segment_drop_indexes(struct segment *s)
{
    int rc = index_drop(&s->offsets, s);

    if (rc == 0)
        rc = index_drop(&s->times, s);
    s->remaking = REMADE_NONE;
    s->indexes_loaded = false;
    return rc;
}

int segment_write_indexes(struct segment *s)
{
    int rc = txn_index_write(s), rc_times = 0;

    if (rc < 0 || !s->indexes_loaded)
        return rc;
    rc_times = index_flush(&s->times, s);
    if (rc_times == 0)
        rc_times = index_flush(&s->offsets, s);
    return rc_times < 0 ? rc_times : rc;
}

int segment_finish(struct segment *s)
{
    int rc = MIN(txn_index_write(s), 0);

    if (rc == 0 && s->indexes_loaded) {
        rc = index_flush(&s->offsets, s);
        if (rc == 0)
            rc = index_flush(&s->times, s);
        if (rc == 0)
            rc = index_time(s);
        if (rc == 0)
            rc = index_flush(&s->times, s);
    }
    if (rc < 0)
        return rc;
    if (s->remaking == REMADE_NONE) {
        index_release(&s->offsets);
        index_release(&s->times);
    }
    return drop_reservation(s);
}

/* ---- cutting -------------------------------------------------------------------------------- */

static int truncate_indexes(struct segment *s, uint64_t size_bytes, int64_t end_offset)
{
    struct index_reader r;
    uint32_t n_offsets, n_times = 0;
    int rc = index_open(&r, &s->offsets, s);

    if (rc < 0)
        return rc;
    rc = index_count_below_position(&r, size_bytes, &n_offsets);
    index_close(&r);
    if (rc == 0)
        rc = index_open(&r, &s->times, s);
    if (rc < 0)
        return rc;
    while (rc == 0 && n_times < index_count(&s->times)) {
        struct time_entry e;

        rc = index_get_time(&r, index_count(&s->times) - 1 - n_times, &e);
        if (rc == 0 && e.offset < end_offset)
            break;
        n_times++;
    }
    index_close(&r);
    if (rc == 0)
        rc = index_truncate(&s->offsets, s, n_offsets);
    return rc < 0 ? rc : index_truncate(&s->times, s, index_count(&s->times) - n_times);
}

/* Waiting entries are written or forgotten: what follows reads the files. */
static void settle_index(struct index *x, const struct segment *s)
{
    if (x->in_memory || index_flush(x, s) < 0)
        index_release(x);
}

int segment_truncate(struct segment *s, uint64_t size_bytes, int64_t end_offset)
{
    struct file *f;
    int rc;

    ASSERT(size_bytes <= s->size_bytes);
    rc = segment_file(s, &f);
    if (rc == 0)
        rc = file_truncate(f, size_bytes);
    if (rc < 0)
        return rc;
    s->log->size_bytes -= s->size_bytes - size_bytes;
    s->size_bytes = size_bytes;
    s->reserved_bytes = 0;
    rot_forget(s);
    ASSERT(s->indexes_loaded);
    if (rc == 0)
        rc = truncate_indexes(s, size_bytes, end_offset);
    if (rc == 0)
        rc = txn_index_truncate(s, end_offset);
    settle_index(&s->offsets, s);
    settle_index(&s->times, s);
    s->indexes_loaded = false; /* what was known of its end is not true any more */
    return rc < 0 ? rc : segment_need_indexes(s);
}
