/* The files that a broker left behind, without a broker. */
#ifndef SWEEP_CHECK_DIR_H
#define SWEEP_CHECK_DIR_H

#include "sys.h"

/* After a clean stop: every segment is whole batches that follow one another, every entry of its indexes is one that its batches give,
 * its time index ends with its largest timestamp, and nothing half-made is left. Reports violations. */
void check_dir(struct vfs *v, const char *path, uint32_t index_interval_bytes);

#endif
