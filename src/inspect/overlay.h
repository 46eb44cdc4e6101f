/* A file system over another one: what is changed is kept in memory, and the one below stays as it is.
 * Inner header of inspect. */
#ifndef INSPECT_OVERLAY_H
#define INSPECT_OVERLAY_H

#include "sys.h"

/* Borrows `base`, which only ever gets reads. Locks are not taken: the caller has them. */
struct vfs *overlay_new(struct vfs *base);
void overlay_free(struct vfs *v); /* no file of it is open */

/* What has become of a file since overlay_new. */
enum overlay_change {
    OVERLAY_CUT = 0, /* it is shorter; n_bytes: by how much */
    OVERLAY_CHANGED, /* other bytes in it, or more of them */
    OVERLAY_MADE,    /* it is new; n_bytes: its size */
    OVERLAY_RENAMED, /* from `from` */
    OVERLAY_REMOVED,
};
typedef void overlay_change_fn(void *arg, enum overlay_change change, const char *path,
                               const char *from, uint64_t n_bytes);
/* Each changed file whose path begins with dir and a slash, by its name. */
void overlay_changes(struct vfs *v, const char *dir, overlay_change_fn *fn, void *arg);

#endif
