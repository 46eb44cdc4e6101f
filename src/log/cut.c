/* Cutting a log back.
 *
 * Owner: struct log, core thread, during recovery.
 *
 * Happy path: later segments go (renamed, removed later) -> the one that is cut is truncated, with
 *             its indexes -> it is the active one.
 * Invariant:  there is always a segment left; end_offset is where the cut was.
 * Failures:   E_* of the truncation.
 */
#include "segment.h"

static void remove_segment(struct log *l, struct segment *s)
{
    static const char *const derived[] = {".index", ".timeindex", ".txnindex", ".snapshot"};
    char from[SEGMENT_PATH_MAX], to[SEGMENT_PATH_MAX];
    struct vfs *v = l->m->env->vfs;

    l->size_bytes -= s->size_bytes;
    segment_close_file(s);
    for (size_t i = 0; i < ARRAY_SIZE(derived); i++)
        (void)vfs_unlink(v, segment_path(s, derived[i], from));
    /* Not there when it was kept aside. */
    if (vfs_rename(v, segment_path(s, ".log", from), segment_path(s, ".log.deleted", to)) == 0)
        remove_later(l->dir, to, l->config.file_delete_delay_ms);
    segment_free(s);
}

int log_cut(struct log *l, int i, uint64_t position, int64_t offset)
{
    struct segment *s = l->segments[i];
    int keep =
        position == 0 && i > 0 ? i : i + 1; /* a segment of which nothing is left goes, too */
    int rc = 0;

    ASSERT(i < l->n_segments);
    places_forget(l);
    for (int k = l->n_segments - 1; k >= keep; k--)
        remove_segment(l, l->segments[k]);
    if (keep < l->n_segments)
        l->names_are_new = true;
    l->n_segments = keep;
    l->end_offset = offset;
    l->first_dirty_offset = MIN(l->first_dirty_offset, offset);
    if (keep == i + 1 && position < s->size_bytes)
        rc = segment_truncate(s, position, offset);
    segment_set_active(log_active(l));
    return rc;
}
