/* The index of aborted transactions of a segment (TransactionIndex, AbortedTxn).
 *
 *   NNN.txnindex   | i16 version 0 | i64 producer id | i64 first offset | i64 last offset | i64 last stable offset |
 *                  34 bytes an entry; last offset: of the ABORT marker, which is in this segment
 *
 * Owner: the segment, core thread.
 *
 * Happy path: a marker ends a transaction that had records -> txn_index_add: the file is made with the first entry, entries
 *             wait in memory -> txn_index_write: with a background flush, a roll, a clean stop -> a READ_COMMITTED reader ->
 *             txn_index_collect: a search by the last offset, then entry by entry.
 * Invariant:  entries rise by their last offset; so do their stable offsets. A segment without the file has none.
 * Failures:   an index that cannot be written goes on waiting in memory, and holds the recovery point back (log_collect_indexes)
 *             or the roll. Whatever cannot have been written by an append is made anew from the batches (mark: txn_index_rebuilt).
 */
#include "segment.h"

#define SUFFIX      ".txnindex"
#define VERSION     0
#define PENDING_MAX 64  /* that wait until they are written */
#define READ_MAX    256 /* read at a time */

struct reader {
    const struct segment *s;
    struct file *file; /* NULL: nothing is in it */
    uint32_t at, n;    /* the entries in bytes */
    uint8_t bytes[READ_MAX * INDEX_TXN_ENTRY_BYTES];
};

static struct vfs *vfs_of(const struct segment *s)
{
    return s->log->m->env->vfs;
}

void log_aborted_encode(const struct log_aborted *a, uint8_t out[LOG_ABORTED_BYTES])
{
    put_be16(out, VERSION);
    put_be64(out + 2, (uint64_t)a->producer_id);
    put_be64(out + 10, (uint64_t)a->first_offset);
    put_be64(out + 18, (uint64_t)a->last_offset);
    put_be64(out + 26, (uint64_t)a->stable_offset);
}

/* E_CORRUPT for what no append of this segment has made, be it the zeroes of a power cut. */
static int decode(const struct segment *s, const uint8_t *p, struct log_aborted *out)
{
    *out = (struct log_aborted){
        .producer_id = (int64_t)get_be64(p + 2),
        .first_offset = (int64_t)get_be64(p + 10),
        .last_offset = (int64_t)get_be64(p + 18),
        .stable_offset = (int64_t)get_be64(p + 26),
    };
    if ((int16_t)get_be16(p) != VERSION || out->producer_id < 0 || out->first_offset < 0)
        return E_CORRUPT;
    return out->first_offset < out->last_offset && out->last_offset >= s->base_offset ? 0 : E_CORRUPT;
}

void log_aborted_list_add(struct log_aborted_list *out, const struct log_aborted *a)
{
    if (out->n == out->cap) {
        out->cap = MAX(16, out->cap * 2);
        out->p = xrealloc_array(out->p, out->cap, sizeof(*out->p));
    }
    out->p[out->n++] = *a;
}

static uint32_t count(const struct txn_index *x)
{
    return x->n_written + x->n_pending;
}

/* ---- reading ---------------------------------------------------------------------------------- */

static int reader_open(struct reader *r, const struct segment *s)
{
    char path[SEGMENT_PATH_MAX];

    r->s = s;
    r->file = NULL;
    r->at = r->n = 0;
    if (s->txns.n_written == 0)
        return 0;
    return vfs_open(vfs_of(s), segment_path(s, SUFFIX, path), VFS_READ, &r->file);
}

static void reader_close(struct reader *r)
{
    file_unref(r->file);
    r->file = NULL;
}

static int get(struct reader *r, uint32_t i, struct log_aborted *out)
{
    const struct txn_index *x = &r->s->txns;

    ASSERT(i < count(x));
    if (i >= x->n_written) {
        *out = x->pending[i - x->n_written];
        return 0;
    }
    if (i < r->at || i >= r->at + r->n) {
        uint32_t n = MIN(READ_MAX, x->n_written - i);
        int rc = file_pread_full(r->file, r->bytes, (size_t)n * INDEX_TXN_ENTRY_BYTES,
                                 (uint64_t)i * INDEX_TXN_ENTRY_BYTES);

        if (rc < 0)
            return rc;
        r->at = i;
        r->n = n;
    }
    return decode(r->s, r->bytes + (size_t)(i - r->at) * INDEX_TXN_ENTRY_BYTES, out);
}

/* Of the entries in the file, how many lie below `until`: *n. E_CORRUPT: not all up to there can have been written. */
static int count_sound(const struct segment *s, int64_t until, uint32_t *n)
{
    struct log_aborted a, last = {.last_offset = -1};
    struct reader r;
    int rc = reader_open(&r, s);

    *n = 0;
    while (rc == 0 && *n < s->txns.n_written) {
        rc = get(&r, *n, &a);
        if (rc == 0 && (a.last_offset <= last.last_offset || a.stable_offset < last.stable_offset))
            rc = E_CORRUPT;
        if (rc < 0 || a.last_offset >= until)
            break;
        last = a;
        ++*n;
    }
    reader_close(&r);
    return rc;
}

/* ---- loading ---------------------------------------------------------------------------------- */

/* n_written, from the file's size. E_CORRUPT: not a whole number of entries; the whole ones count. */
static int load_size(struct segment *s)
{
    struct txn_index *x = &s->txns;
    char path[SEGMENT_PATH_MAX];
    struct vfs_stat st = {0};
    int rc = vfs_stat(vfs_of(s), segment_path(s, SUFFIX, path), &st);

    x->exists = rc == 0;
    if (rc < 0 && rc != E_NOENT)
        return rc;
    x->n_written = (uint32_t)(st.size_bytes / INDEX_TXN_ENTRY_BYTES);
    x->loaded = true;
    return st.size_bytes % INDEX_TXN_ENTRY_BYTES == 0 ? 0 : E_CORRUPT;
}

static int cut_file(struct segment *s, uint32_t n)
{
    char path[SEGMENT_PATH_MAX];
    struct file *f;
    int rc;

    ASSERT(n <= s->txns.n_written);
    if (s->txns.exists) {
        rc = vfs_open(vfs_of(s), segment_path(s, SUFFIX, path), VFS_WRITE, &f);
        if (rc < 0)
            return rc;
        rc = file_truncate(f, (uint64_t)n * INDEX_TXN_ENTRY_BYTES);
        file_unref(f);
        if (rc < 0)
            return rc;
    }
    s->txns.n_written = n;
    return 0;
}

/* What the batches of the segment say, up to `until`, from the snapshot before them on. */
static int collect_again(struct segment *s, int64_t until, struct log_aborted_list *out)
{
    struct log *l = s->log;
    struct producers *present = l->producers;
    int rc;

    l->producers = producers_new();
    rc = snapshot_load(l, s->base_offset);
    if (rc == 0 && s->base_offset < until)
        rc = producers_replay(l, l->producers, s->base_offset, until, out);
    producers_free(l->producers);
    l->producers = present;
    return rc;
}

/* The new file takes the place of the old one, which a kill must not leave half made: below the recovery point nobody
 * would look again. Without space the entries are in memory, and the next start finds the old one. */
static int replace_file(struct segment *s, const struct log_aborted_list *a)
{
    size_t n = (size_t)a->n * INDEX_TXN_ENTRY_BYTES;
    char path[SEGMENT_PATH_MAX];
    uint8_t *bytes = xmalloc(n + 1);
    int rc;

    for (uint32_t i = 0; i < a->n; i++)
        log_aborted_encode(&a->p[i], bytes + (size_t)i * INDEX_TXN_ENTRY_BYTES);
    rc = vfs_replace(vfs_of(s), segment_path(s, SUFFIX, path), bytes, n);
    free(bytes);
    return rc;
}

/* What waits in memory and is behind `until` waits on. */
static int rebuild(struct segment *s, int64_t until)
{
    struct txn_index *x = &s->txns;
    struct log_aborted_list again = {0};
    bool replaced;
    int rc;

    MARK(txn_index_rebuilt);
    diag_warn("%s-%d: the index of aborted transactions of segment %lld is not sound: made anew", s->log->topic,
              s->log->partition, (long long)s->base_offset);
    rc = collect_again(s, until, &again);
    for (uint32_t i = 0; rc == 0 && i < x->n_pending; i++) {
        if (x->pending[i].last_offset >= until)
            log_aborted_list_add(&again, &x->pending[i]);
    }
    if (rc == 0)
        rc = replace_file(s, &again);
    replaced = rc == 0;
    if (rc < 0 && rc != E_NOSPC) {
        log_aborted_list_release(&again);
        return rc;
    }
    free(x->pending);
    *x = (struct txn_index){.exists = true, .loaded = true, .pending = again.p, .cap_pending = again.cap};
    x->n_written = replaced ? again.n : 0;
    x->n_pending = replaced ? 0 : again.n;
    return 0;
}

/* The file is looked at once, when it is needed. */
static int need(struct segment *s)
{
    uint32_t n;
    int rc;

    if (s->txns.loaded || !s->txns.exists) {
        s->txns.loaded = true;
        return 0;
    }
    rc = load_size(s);
    if (rc == 0)
        rc = count_sound(s, INT64_MAX, &n);
    if (rc == E_CORRUPT || rc == E_EOF)
        rc = rebuild(s, segment_end_offset(s));
    if (rc < 0)
        s->txns.loaded = false;
    return rc;
}

int txn_index_trust(struct segment *s, int64_t offset)
{
    char path[SEGMENT_PATH_MAX];
    struct file *f;
    uint32_t n = 0;
    int rc;

    ASSERT(s->txns.n_pending == 0);
    if (!s->txns.exists)
        return 0;
    rc = vfs_open(vfs_of(s), segment_path(s, SUFFIX, path), VFS_READ, &f);
    if (rc < 0)
        return rc;
    (void)file_drop_cache(f, 0); /* advice */
    file_unref(f);
    rc = load_size(s);
    if (rc == 0 || rc == E_CORRUPT) {
        int rc_sound = count_sound(s, offset, &n);

        rc = rc_sound < 0 || n < s->txns.n_written ? rc_sound : rc;
    }
    if (rc == E_CORRUPT || rc == E_EOF)
        return rebuild(s, offset);
    return rc < 0 ? rc : cut_file(s, n);
}

/* ---- writing ---------------------------------------------------------------------------------- */

static int make_file(struct segment *s)
{
    char path[SEGMENT_PATH_MAX];
    struct file *f;
    int rc = vfs_open(vfs_of(s), segment_path(s, SUFFIX, path), VFS_WRITE | VFS_CREATE | VFS_TRUNCATE, &f);

    if (rc < 0)
        return rc;
    file_unref(f);
    s->txns.exists = true;
    s->txns.loaded = true;
    s->log->names_are_new = true;
    commit_named(s->log);
    return 0;
}

static int write_pending(struct segment *s)
{
    struct txn_index *x = &s->txns;
    size_t n = (size_t)x->n_pending * INDEX_TXN_ENTRY_BYTES;
    char path[SEGMENT_PATH_MAX];
    struct file *f;
    uint8_t *bytes;
    int rc = vfs_open(vfs_of(s), segment_path(s, SUFFIX, path), VFS_WRITE, &f);

    if (rc < 0)
        return rc;
    bytes = xmalloc(n);
    for (uint32_t i = 0; i < x->n_pending; i++)
        log_aborted_encode(&x->pending[i], bytes + (size_t)i * INDEX_TXN_ENTRY_BYTES);
    rc = file_pwrite(f, bytes, n, (uint64_t)x->n_written * INDEX_TXN_ENTRY_BYTES);
    free(bytes);
    file_unref(f);
    if (rc < 0)
        return rc;
    x->n_written += x->n_pending;
    x->n_pending = 0;
    return 0;
}

int txn_index_write(struct segment *s)
{
    struct txn_index *x = &s->txns;
    bool was_there = x->exists;
    int rc;

    if (x->n_pending == 0)
        return 0;
    rc = need(s);
    if (rc == 0 && !was_there)
        rc = make_file(s);
    if (rc == 0)
        rc = write_pending(s);
    return rc < 0 ? rc : !was_there;
}

void txn_index_add(struct segment *s, const struct log_aborted *a)
{
    struct txn_index *x = &s->txns;

    ASSERT(a->first_offset < a->last_offset);
    ASSERT(a->last_offset >= s->base_offset);
    ASSERT(IMPLIES(x->n_pending > 0, x->pending[x->n_pending - 1].last_offset < a->last_offset));
    if (x->n_pending == x->cap_pending) {
        x->cap_pending = MAX(4, x->cap_pending * 2);
        x->pending = xrealloc_array(x->pending, x->cap_pending, sizeof(*x->pending));
    }
    x->pending[x->n_pending++] = *a;
    /* What does not go now waits for the next flush. */
    if (!x->exists)
        (void)make_file(s);
    else if (x->n_pending >= PENDING_MAX)
        (void)txn_index_write(s);
}

int txn_index_truncate(struct segment *s, int64_t end_offset)
{
    struct txn_index *x = &s->txns;
    uint32_t n = 0;
    int rc;

    while (x->n_pending > 0 && x->pending[x->n_pending - 1].last_offset >= end_offset)
        x->n_pending--;
    if (!x->exists)
        return 0;
    rc = load_size(s);
    if (rc == 0 && end_offset > s->base_offset)
        rc = count_sound(s, end_offset, &n);
    return rc < 0 && rc != E_CORRUPT ? rc : cut_file(s, n);
}

void txn_index_release(struct segment *s)
{
    free(s->txns.pending);
    s->txns = (struct txn_index){0};
}

bool txn_index_is_empty(const struct segment *s)
{
    return !s->txns.exists && s->txns.n_pending == 0;
}

/* ---- what readers ask ------------------------------------------------------------------------- */

/* How many entries, from the first, end before `from`. */
static int count_before(struct reader *r, int64_t from, uint32_t *n)
{
    uint32_t low = 0, high = count(&r->s->txns);
    struct log_aborted a;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int rc = get(r, middle, &a);

        if (rc < 0)
            return rc;
        if (a.last_offset < from)
            low = middle + 1;
        else
            high = middle;
    }
    *n = low;
    return 0;
}

int txn_index_collect(struct segment *s, int64_t from, int64_t until, struct log_aborted_list *out, bool *complete)
{
    struct log_aborted a;
    struct reader r;
    uint32_t i = 0;
    int rc;

    *complete = false;
    if (txn_index_is_empty(s))
        return 0;
    rc = need(s);
    if (rc < 0)
        return rc;
    rc = reader_open(&r, s);
    if (rc == 0)
        rc = count_before(&r, from, &i);
    for (; rc == 0 && i < count(&s->txns) && !*complete; i++) {
        rc = get(&r, i, &a);
        if (rc == 0 && a.first_offset < until)
            log_aborted_list_add(out, &a);
        *complete = rc == 0 && a.stable_offset >= until;
    }
    reader_close(&r);
    return rc;
}
