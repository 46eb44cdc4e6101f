/* What lies behind a bad batch: is it good, and where it is kept.
 *
 * Owner: struct log, core thread; used by recovery alone.
 *
 * Happy path: nothing good follows: a torn tail, which is cut.
 * Invariant:  bytes that may be good are never cut before they were copied or renamed aside.
 * Failures:   E_* of the copy: then nothing is cut.
 */
#include "segment.h"

#define SEARCH_BYTES_MAX      (64 * 1024 * 1024)
#define SEARCH_WINDOW_BYTES   (256 * 1024)
#define SEARCH_CANDIDATES_MAX 4096 /* checksums that are computed before giving up */
#define CORRUPT_SUFFIX        ".corrupt"

struct search {
    struct segment *s;
    struct file *file;
    int64_t expected;
    int n_candidates;
    struct buf batch;
};

static bool plausible(const struct search *q, const uint8_t *p, uint64_t position, struct batch *b)
{
    return p[BATCH_MAGIC_AT] == BATCH_MAGIC && batch_decode(p, b) == 0 &&
           b->base_offset >= q->expected && b->base_offset - q->s->base_offset <= INT32_MAX &&
           b->total_bytes <= q->s->size_bytes - position;
}

static bool good_at(struct search *q, const uint8_t *p, uint64_t position)
{
    struct batch b;

    if (!plausible(q, p, position, &b) || q->n_candidates++ >= SEARCH_CANDIDATES_MAX)
        return false;
    return segment_read_batch(q->s, position, b.total_bytes, &q->batch, &b) == 0;
}

static bool good_in_window(struct search *q, const uint8_t *p, size_t n, uint64_t at)
{
    for (size_t i = 0; i + BATCH_HEADER_BYTES <= n; i++) {
        if (good_at(q, p + i, at + i))
            return true;
    }
    return false;
}

static bool good_after(struct segment *s, uint64_t from, int64_t expected)
{
    struct search q = {.s = s, .expected = expected};
    uint64_t end = MIN(s->size_bytes, from + SEARCH_BYTES_MAX);
    uint8_t *window;
    bool good = false;

    if (from >= end || segment_file(s, &q.file) < 0)
        return false;
    window = xmalloc(SEARCH_WINDOW_BYTES);
    buf_init(&q.batch);
    for (uint64_t at = from; !good && at + BATCH_HEADER_BYTES <= end;
         at += SEARCH_WINDOW_BYTES - BATCH_HEADER_BYTES) {
        size_t n = MIN(SEARCH_WINDOW_BYTES, end - at);

        if (file_pread_full(q.file, window, n, at) < 0)
            break;
        good = good_in_window(&q, window, n, at);
    }
    buf_release(&q.batch);
    free(window);
    return good;
}

bool salvage_any(struct log *l, int i, uint64_t position, int64_t expected)
{
    if (good_after(l->segments[i], position, expected))
        return true;
    for (int k = i + 1; k < l->n_segments; k++) {
        if (good_after(l->segments[k], 0, expected))
            return true;
    }
    return false;
}

static int copy_bytes(struct segment *s, uint64_t from, struct file *to)
{
    uint8_t *bytes = xmalloc(SEARCH_WINDOW_BYTES);
    struct file *f;
    int rc = segment_file(s, &f);

    for (uint64_t at = from; rc == 0 && at < s->size_bytes; at += SEARCH_WINDOW_BYTES) {
        size_t n = MIN(SEARCH_WINDOW_BYTES, s->size_bytes - at);

        rc = file_pread_full(f, bytes, n, at);
        if (rc == 0)
            rc = file_pwrite(to, bytes, n, at - from);
    }
    free(bytes);
    return rc;
}

static int copy_tail(struct segment *s, uint64_t from)
{
    char path[SEGMENT_PATH_MAX];
    struct vfs *v = s->log->m->env->vfs;
    struct file *to;
    int rc;

    if (from >= s->size_bytes)
        return 0;
    rc = vfs_open(v, segment_path(s, ".log" CORRUPT_SUFFIX, path),
                  VFS_WRITE | VFS_CREATE | VFS_TRUNCATE, &to);
    if (rc < 0)
        return rc;
    rc = copy_bytes(s, from, to);
    if (rc == 0)
        rc = file_datasync(to);
    file_unref(to);
    if (rc < 0)
        (void)vfs_unlink(v, path);
    return rc;
}

int salvage(struct log *l, int i, uint64_t position)
{
    char from[SEGMENT_PATH_MAX], to[SEGMENT_PATH_MAX];
    int rc = copy_tail(l->segments[i], position);

    for (int k = i + 1; rc == 0 && k < l->n_segments; k++) {
        segment_close_file(l->segments[k]);
        rc = vfs_rename(l->m->env->vfs, segment_path(l->segments[k], ".log", from),
                        segment_path(l->segments[k], ".log" CORRUPT_SUFFIX, to));
    }
    return rc;
}
