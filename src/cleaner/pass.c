/* A step of compaction: what a lane does.
 *
 * Owner: a worker of the cleaner; while a step runs, its lane.
 *
 * Happy path: build: window after window of the source, batch after batch, keys to the map.
 *             copy: the same, through the filter, into the .log.cleaned; index entries gather in memory.
 *             finish: the index files, and a sync of all three.
 * Invariant:  position and out_bytes stand between two batches after every step. Every batch that is read is checked, CRC too.
 * Failures:   E_CORRUPT and the like of the source; of the output with write_failed.
 */
#include "pass.h"

#define INDEX_ENTRY_BYTES_MAX 12

void pass_begin_source(struct pass *p, struct file *source, uint64_t source_bytes)
{
    ASSERT(!p->source);
    p->source = source;
    p->source_bytes = source_bytes;
    p->position = 0;
    p->window.n = 0;
    p->window_at = 0;
}

void pass_begin_output(struct pass *p, int64_t base)
{
    ASSERT(!p->out);
    p->out_base = base;
    p->out_bytes = 0;
    p->offsets.n = p->times.n = 0;
    p->since_index = 0;
    p->max_timestamp_ms = p->indexed_timestamp_ms = NO_TIMESTAMP;
    p->max_timestamp_offset = -1;
    p->filter.txns.kept.n = 0;
}

void pass_end_output(struct pass *p)
{
    file_unref(p->out);
    p->out = NULL;
    free(p->out_path);
    free(p->index_path);
    free(p->timeindex_path);
    free(p->txnindex_path);
    free(p->mtime_of);
    p->out_path = p->index_path = p->timeindex_path = p->txnindex_path = p->mtime_of = NULL;
}

void pass_release(struct pass *p)
{
    file_unref(p->source);
    p->source = NULL;
    pass_end_output(p);
    offset_map_release(&p->map);
    cleaned_txns_release(&p->build_txns);
    filter_release(&p->filter);
    buf_release(&p->offsets);
    buf_release(&p->times);
    buf_release(&p->window);
    buf_release(&p->left);
    buf_release(&p->scratch);
}

/* ---- reading -------------------------------------------------------------------------------- */

/* So that the bytes [position, position + want) are in the window. */
static int fill(struct pass *p, uint64_t want)
{
    uint64_t left = p->source_bytes - p->position, n;

    if (want > left)
        return E_CORRUPT;
    if (p->position >= p->window_at && p->position + want <= p->window_at + p->window.n)
        return 0;
    n = MIN(left, MAX(want, p->window_bytes));
    p->window.n = 0;
    p->window_at = p->position;
    p->n_bytes += n;
    return file_pread_full(p->source, buf_grow(&p->window, n), n, p->position);
}

/* The batch at the position, whole and checked. */
static int next_batch(struct pass *p, struct batch *b, const uint8_t **at)
{
    int rc = fill(p, BATCH_HEADER_BYTES);

    if (rc == 0 && batch_decode(p->window.p + (p->position - p->window_at), b) == E_CORRUPT)
        rc = E_CORRUPT;
    if (rc == 0)
        rc = fill(p, b->total_bytes);
    if (rc < 0)
        return rc;
    *at = p->window.p + (p->position - p->window_at);
    return batch_check(*at, b->total_bytes, b) < 0 ? E_CORRUPT : 0;
}

/* Nothing that was aborted supersedes anything. */
static int learn(struct pass *p, const uint8_t *at, const struct batch *b, bool *fits)
{
    bool done;

    *fits = true;
    if (b->attributes & BATCH_CONTROL)
        return cleaned_txns_meet_marker(&p->build_txns, at, b, &done);
    if ((cleaned_txns_meet(&p->build_txns, b) && !PLANTED(aborted_supersede)) || batch_last_offset(b) < p->first_dirty)
        return 0;
    return filter_add_keys(&p->map, at, b, p->first_dirty, &p->scratch, fits);
}

static void build(struct pass *p)
{
    struct batch b;
    const uint8_t *at;
    bool fits;

    while (p->rc == 0 && p->position < p->source_bytes && p->n_bytes <= p->quantum_bytes) {
        p->rc = next_batch(p, &b, &at);
        if (p->rc == 0)
            p->rc = learn(p, at, &b, &fits);
        p->full = p->rc == 0 && !fits;
        if (p->rc < 0 || p->full)
            return;
        p->filter.latest = MAX(p->filter.latest, batch_last_offset(&b));
        p->position += b.total_bytes;
    }
}

/* ---- writing -------------------------------------------------------------------------------- */

static void put_time(struct pass *p)
{
    uint8_t entry[INDEX_ENTRY_BYTES_MAX];

    if (p->max_timestamp_ms <= p->indexed_timestamp_ms)
        return;
    put_be64(entry, (uint64_t)p->max_timestamp_ms);
    put_be32(entry + 8, (uint32_t)(p->max_timestamp_offset - p->out_base));
    buf_put(&p->times, entry, 12);
    p->indexed_timestamp_ms = p->max_timestamp_ms;
}

/* LogSegment.append: the batch that is at `position` of the output. */
static void note_batch(struct pass *p, const struct batch *b, uint64_t position)
{
    uint8_t entry[INDEX_ENTRY_BYTES_MAX];

    if (b->max_timestamp_ms > p->max_timestamp_ms) {
        p->max_timestamp_ms = b->max_timestamp_ms;
        p->max_timestamp_offset = batch_last_offset(b);
    }
    if (p->since_index > (uint64_t)p->index_interval) {
        put_time(p);
        put_be32(entry, (uint32_t)(batch_last_offset(b) - p->out_base));
        put_be32(entry + 4, (uint32_t)position);
        buf_put(&p->offsets, entry, 8);
        p->since_index = 0;
    }
    p->since_index += b->total_bytes;
}

static void write_left(struct pass *p)
{
    if (p->left.n == 0)
        return;
    if (!p->out)
        p->rc = vfs_open(p->vfs, p->out_path, VFS_WRITE | VFS_CREATE | VFS_TRUNCATE, &p->out);
    if (p->rc == 0)
        p->rc = file_pwrite(p->out, p->left.p, p->left.n, p->out_bytes);
    p->write_failed = p->rc < 0;
    if (p->rc == 0)
        p->out_bytes += p->left.n;
    p->n_bytes += p->left.n;
    p->left.n = 0;
}

static void copy(struct pass *p)
{
    struct batch b, left;
    const uint8_t *at;

    while (p->rc == 0 && p->position < p->source_bytes && p->n_bytes <= p->quantum_bytes) {
        size_t start = p->left.n;
        bool must_stay;

        p->rc = next_batch(p, &b, &at);
        if (p->rc < 0)
            return;
        must_stay = p->keep_last && p->position + b.total_bytes == p->source_bytes;
        p->rc = filter_batch(&p->filter, at, &b, must_stay, &p->left, &left);
        if (p->rc < 0)
            return;
        if (p->left.n > start)
            note_batch(p, &left, p->out_bytes + start);
        p->position += b.total_bytes;
        if (p->left.n >= p->window_bytes)
            write_left(p);
    }
    if (p->rc == 0)
        write_left(p);
}

static int write_index(struct pass *p, const char *path, const struct buf *entries)
{
    struct file *f;
    int rc = vfs_open(p->vfs, path, VFS_WRITE | VFS_CREATE | VFS_TRUNCATE, &f);

    if (rc < 0)
        return rc;
    if (entries->n > 0)
        rc = file_pwrite(f, entries->p, entries->n, 0);
    if (rc == 0)
        rc = file_datasync(f);
    file_unref(f);
    p->n_bytes += entries->n;
    return rc;
}

/* Transactions of which something is left: the others need not be told of. */
static int write_txn_index(struct pass *p)
{
    struct log_aborted_list *kept = &p->filter.txns.kept;
    struct buf entries;
    int rc = 0;

    buf_init(&entries);
    for (uint32_t i = 0; i < kept->n; i++)
        log_aborted_encode(&kept->p[i], buf_grow(&entries, LOG_ABORTED_BYTES));
    p->has_txn_index = kept->n > 0;
    if (p->has_txn_index)
        rc = write_index(p, p->txnindex_path, &entries);
    kept->n = 0;
    buf_release(&entries);
    return rc;
}

/* Of records without timestamps only the file knows how old they are. */
static int set_mtime(struct pass *p)
{
    struct vfs_stat st;

    if (vfs_stat(p->vfs, p->mtime_of, &st) < 0)
        return 0;
    return file_set_mtime(p->out, st.mtime);
}

static void finish(struct pass *p)
{
    put_time(p);
    p->rc = write_index(p, p->index_path, &p->offsets);
    if (p->rc == 0)
        p->rc = write_index(p, p->timeindex_path, &p->times);
    if (p->rc == 0)
        p->rc = write_txn_index(p);
    if (p->rc == 0)
        p->rc = set_mtime(p);
    if (p->rc == 0)
        p->rc = file_datasync(p->out);
    p->write_failed = p->rc < 0;
}

void pass_run(struct pass *p)
{
    static void (*const steps[])(struct pass *) = {
        [PASS_BUILD] = build, [PASS_COPY] = copy, [PASS_FINISH] = finish};

    ASSERT_LANE();
    p->rc = 0;
    p->write_failed = false;
    p->n_bytes = 0;
    steps[p->what](p);
}
