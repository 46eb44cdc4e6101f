/* The files that a broker left behind, without a broker: for the sweep and the simulator. */
#ifndef TEST_CHECK_DIR_H
#define TEST_CHECK_DIR_H

#include "sys.h"

/* After a clean stop: every segment is whole batches that follow one another, every entry of its indexes is one that its batches give,
 * its time index ends with its largest timestamp, and nothing half-made is left. Each line that says what is wrong goes to `wrong`.
 * Returns how many indexes have fewer entries than a broker that never stopped makes. */
typedef void check_dir_wrong(void *arg, const char *text);
uint64_t check_dir(struct vfs *v, const char *path, uint32_t index_interval_bytes,
                   check_dir_wrong *wrong, void *arg);

#endif
