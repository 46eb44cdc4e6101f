/* vfs_sim: a simulated disk, file system included, for everything that stands on struct vfs.
 *
 * It keeps, for each file, what the process reads, what is on the device, and the writes and size
 * changes between the two in their order; for each directory, the names that the process sees,
 * those on the device, and the creations, renames and removals between. A process may die
 * (vfs_sim_kill: what it saw stays), the power may fail (vfs_sim_power_loss: each operation that
 * was not synced is kept, dropped or torn), and single operations may fail (vfs_sim_fault).
 *
 * The life of a test:
 *
 *   v = vfs_sim_new(clock, &options);  broker on v ...
 *   vfs_sim_stop_at(v, 17);  ...
 *   vfs_sim_is_down(v): nothing reaches the disk any more, every call fails;  free the broker
 *   vfs_sim_power_loss(v, &rng);  broker on v ...
 *
 * All of it is one thread's. The same calls, options and seeds give the same results.
 */
#ifndef TEST_VFS_SIM_H
#define TEST_VFS_SIM_H

#include "sys.h"

enum vfs_sim_op {
    SIM_OPEN = 0,
    SIM_STAT,
    SIM_RENAME,
    SIM_UNLINK,
    SIM_MKDIR,
    SIM_RMDIR,
    SIM_LIST,
    SIM_SYNC_DIR,
    SIM_SYNC_ALL,
    SIM_SPACE,
    SIM_PREAD,
    SIM_PWRITEV,
    SIM_DATASYNC,
    SIM_TRUNCATE,
    SIM_RESERVE,
    SIM_SIZE,
    SIM_SET_MTIME,
    SIM_LOCK,
    SIM_DROP_CACHE,
    SIM_OPS, /* how many */
};
#define SIM_OP(op) (1u << (op)) /* for masks */
#define SIM_ANY_OP 0u           /* a mask: every operation that the fault can happen to */
const char *vfs_sim_op_name(enum vfs_sim_op op);

enum vfs_sim_fault_kind {
    SIM_EIO = 0, /* the operation fails, nothing is changed; what is not synced stays so */
    SIM_ENOSPC,  /* as EIO, on what may take space: creating, growing, renaming, syncing */
    SIM_EMFILE,  /* as EIO, on what opens: open, list, sync_dir, sync_all */
    SIM_SHORT,   /* a write does a part of its bytes, then fails (E_NOSPC, or the fault's rc) */
    SIM_LOSE,    /* a sync fails, and what it should have written is forgotten: a later one succeeds
                  * without it; the cache shows the bytes until it is dropped (ext4, XFS and Btrfs
                  * mark such pages clean) */
    SIM_ROT,     /* one bit of a durable sector that is read flips, for good */
    SIM_SLOW,    /* the operation takes slow_ns, and succeeds */
    SIM_FAULTS,  /* how many */
};
const char *vfs_sim_fault_name(enum vfs_sim_fault_kind kind);

struct vfs_sim_options {
    uint32_t sector_bytes; /* what the device writes whole or not at all; 0: 512 */
    /* The device works in the order of the calls: a power cut keeps everything up to some point.
     * Otherwise each operation has its own fate; but a sector is what it was at one moment: bytes
     * of an early write are there when those of a later one are. */
    bool ordered;
    bool size_before_data; /* a file may have its new size with zeros in place of the data */
    bool two_writers;      /* a file may be written through two handles */
    bool cold_reads;      /* after a power cut or file_drop_cache a file is cold until it is read */
    uint64_t total_bytes; /* 0: 1 TiB */
    uint64_t seed;        /* of short writes, rot and rates */
    /* What no correct program does: reading a gap that was never written, a second writer, a
     * blocking call off its lane, a handle that is left open. NULL: printed, and the process ends.
     */
    void (*misuse)(void *arg, const char *text);
    void *arg;
};
struct vfs *vfs_sim_new(struct clock *clock,
                        const struct vfs_sim_options *options); /* NULL: all default */
void vfs_sim_free(struct vfs *v);                               /* open handles are misuse */
/* The same disk again, pending operations included, without handles, faults, hooks and trace. The
 * contents are shared until one side writes. `clock`: the copy's; NULL: the same one. */
struct vfs *vfs_sim_clone(struct vfs *v, struct clock *clock);
/* The options of these names, for the next power cut. */
void vfs_sim_set_device(struct vfs *v, uint32_t sector_bytes, bool ordered, bool size_before_data);
void vfs_sim_set_space(struct vfs *v, uint64_t total_bytes);
size_t vfs_sim_open_files(struct vfs *v);
/* While on, any thread may sync: what happens before the first request and after the last. Off at
 * first. */
void vfs_sim_set_startup(struct vfs *v, bool on);

/* ---- the end of a process, the end of the power ---------------------------------------------- */

/* The process is gone: locks are released, its handles fail and can only be closed. What it wrote
 * is still there, and still not durable. Ends the state that vfs_sim_stop_at brought. */
void vfs_sim_kill(struct vfs *v);
/* As vfs_sim_kill, and what was not synced is kept, dropped or torn. */
void vfs_sim_power_loss(struct vfs *v, struct rng *rng);
/* The disk stops before the n-th change from now (1: the next one): that call and all later ones
 * fail and do nothing, until vfs_sim_kill or vfs_sim_power_loss. Of a write, a part may have been
 * done. 0: never. */
void vfs_sim_stop_at(struct vfs *v, uint64_t n);
bool vfs_sim_is_down(struct vfs *v);
/* Called before each change with the number it will have (vfs_sim_changes() + 1); may clone v, must
 * not touch it. NULL: none. */
void vfs_sim_on_change(struct vfs *v, void (*hook)(void *arg, struct vfs *v, uint64_t change),
                       void *arg);

/* ---- faults ---------------------------------------------------------------------------------- */

struct vfs_sim_fault {
    enum vfs_sim_fault_kind kind;
    uint32_t ops;     /* a mask of SIM_OP(); SIM_ANY_OP */
    const char *path; /* a pattern, '*' matches anything; NULL: every path. Copied. */
    uint64_t nth;     /* 1: the next operation that it can happen to; 0 is taken as 1 */
    bool lasting;     /* that one and all that follow */
    int rc;           /* the error given; 0: the kind's own */
    int64_t slow_ns;  /* for SIM_SLOW */
};
void vfs_sim_add_fault(struct vfs *v, const struct vfs_sim_fault *fault);
/* Each operation of the mask fails with this chance. 0 ends it. */
void vfs_sim_set_rate(struct vfs *v, enum vfs_sim_fault_kind kind, uint32_t ops,
                      uint32_t per_million, int64_t slow_ns);
void vfs_sim_lift_faults(struct vfs *v); /* all, counted and random */
uint64_t vfs_sim_faults_fired(const struct vfs *v);
int64_t vfs_sim_take_latency_ns(struct vfs *v); /* what slow operations took since the last call */
/* Flips bit `bit` of the device's byte `at`; the cache goes on showing the old one until it is
 * dropped. E_NOENT, or E_EOF. */
int vfs_sim_rot(struct vfs *v, const char *path, uint64_t at, unsigned bit);
void vfs_sim_drop_caches(struct vfs *v); /* of all files */

/* ---- looking --------------------------------------------------------------------------------- */

uint64_t vfs_sim_ops(const struct vfs *v);     /* calls so far, but for close, is_warm and fd */
uint64_t vfs_sim_changes(const struct vfs *v); /* those of them that change something, or sync */
uint64_t vfs_sim_pending(const struct vfs *v); /* operations that a power cut may undo */
/* One line per operation: "#17 !9 pwritev /data/x 0+100 = 0" is the ninth change. NULL: none. */
void vfs_sim_set_trace(struct vfs *v, void (*line)(void *arg, const char *text), void *arg);
/* What the device holds under a name: E_NOENT when the name is not durable. */
int vfs_sim_device_read(struct vfs *v, const char *path, struct buf *out);
/* Writes the tree that the process sees to a directory of the machine (made when it is missing). 0
 * or E_IO. */
int vfs_sim_export(struct vfs *v, const char *host_dir);

#endif
