/* What lies behind a bad batch: is it good, and where it is kept.
 *
 * Owner: struct log, core thread; used by recovery alone.
 *
 * Happy path: nothing good follows: a torn tail, which is cut.
 * Invariant:  bytes that may be good are never cut before they were copied or renamed aside.
 * Failures:   E_* of the copy: then nothing is cut.
 */
#include "segment.h"

#define COPY_BYTES     (256 * 1024)
#define CORRUPT_SUFFIX ".corrupt"

static bool good_after(struct segment *s, uint64_t from, int64_t expected)
{
    struct search_area area = {.segment_base = s->base_offset,
                               .size_bytes = s->size_bytes,
                               .offset_min = expected,
                               .offset_end = INT64_MAX};

    return segment_file(s, &area.file) == 0 && search_any(&area, from);
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
    uint8_t *bytes = xmalloc(COPY_BYTES);
    struct file *f;
    int rc = segment_file(s, &f);

    for (uint64_t at = from; rc == 0 && at < s->size_bytes; at += COPY_BYTES) {
        size_t n = MIN(COPY_BYTES, s->size_bytes - at);

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
