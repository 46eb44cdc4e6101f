/* sys: the lower seam. Files, clocks, random numbers and lanes, each behind a table of functions.
 *
 * Production is POSIX and libuv (vfs_posix, clock_real, lanes_uv). A test or the simulator gives its own: vfs_mem,
 * clock_sim, lanes_sim. Nothing above this header calls the operating system.
 */
#ifndef BARNABAS_SYS_H
#define BARNABAS_SYS_H

#include "base.h"

struct metrics;
struct vfs;
struct file;
struct clock;
struct lanes;

/* What the broker stands on. Every pointer is owned by who built the env. */
struct env {
    struct vfs *vfs;
    struct clock *clock;
    struct lanes *lanes;
    struct rng rng;
    struct timers timers;    /* the one heap; fired by broker_turn */
    struct metrics *metrics; /* may be NULL in unit tests */
};

/* ---- files ---------------------------------------------------------------------------------------------------- */

enum vfs_open_flags {
    VFS_READ = 0,
    VFS_WRITE = 1,     /* read and write */
    VFS_CREATE = 2,    /* with VFS_WRITE: make it if it is not there */
    VFS_EXCLUSIVE = 4, /* with VFS_CREATE: E_EXIST if it is there */
    VFS_TRUNCATE = 8,  /* with VFS_WRITE */
};

struct vfs_stat {
    uint64_t size_bytes;
    struct wall mtime;
    bool is_dir;
};
struct vfs_space {
    uint64_t total_bytes, free_bytes; /* free: what this process may still use */
};
/* A piece of memory to write. */
struct piece {
    const void *p;
    size_t n;
};
/* Called once per entry of a directory, in no order, without "." and ".."; anything but 0 stops and is returned. */
typedef int vfs_entry_fn(void *arg, const char *name, bool is_dir);

/* The table that an implementation fills; callers use the vfs_ and file_ functions below, which assert and forward. */
struct vfs_ops {
    int (*open)(struct vfs *v, const char *path, int flags, struct file **out);
    int (*stat)(struct vfs *v, const char *path, struct vfs_stat *out);
    int (*rename)(struct vfs *v, const char *from, const char *to);
    int (*unlink)(struct vfs *v, const char *path);
    int (*mkdir)(struct vfs *v, const char *path);
    int (*rmdir)(struct vfs *v, const char *path);
    int (*list)(struct vfs *v, const char *path, vfs_entry_fn *fn, void *arg);
    int (*sync_dir)(struct vfs *v, const char *path);
    int (*sync_all)(struct vfs *v, const char *path);
    int (*watch)(struct vfs *v, const char *path); /* NULL: sync_all misses nothing anyway */
    int (*space)(struct vfs *v, const char *path, struct vfs_space *out);
    int (*file_pread)(struct file *f, void *p, size_t n, uint64_t at, size_t *got);
    int (*file_pwritev)(struct file *f, const struct piece *pieces, int n_pieces, uint64_t at);
    int (*file_datasync)(struct file *f);
    int (*file_truncate)(struct file *f, uint64_t size_bytes);
    int (*file_reserve)(struct file *f, uint64_t at, uint64_t n);
    int (*file_size)(struct file *f, uint64_t *out);
    int (*file_set_mtime)(struct file *f, struct wall mtime);
    int (*file_lock)(struct file *f);
    int (*file_drop_cache)(struct file *f, uint64_t from);
    bool (*file_is_warm)(struct file *f, uint64_t at, size_t n);
    int (*file_fd)(struct file *f);
    void (*file_close)(struct file *f);
};
struct vfs {
    const struct vfs_ops *ops;
};
/* Counted references, on the core thread only, like chunks; the last one closes. A reply may still be sending a range
 * of a file that was deleted meanwhile. */
struct file {
    const struct vfs_ops *ops;
    uint32_t refs;
    uint32_t magic;
};

#define FILE_MAGIC 0xF11E0001u
void file_init(struct file *f, const struct vfs_ops *ops); /* for implementations: one reference */

int vfs_open(struct vfs *v, const char *path, int flags, struct file **out); /* one reference */
int vfs_stat(struct vfs *v, const char *path, struct vfs_stat *out);         /* E_NOENT when not there */
/* The bare rename. Everything durable goes through vfs_replace instead. */
int vfs_rename(struct vfs *v, const char *from, const char *to);
int vfs_unlink(struct vfs *v, const char *path);
int vfs_mkdir(struct vfs *v, const char *path); /* E_EXIST when there */
int vfs_mkdirs(struct vfs *v, const char *path, struct errmsg *msg); /* with parents; being there is fine */
int vfs_rmdir(struct vfs *v, const char *path);
int vfs_list(struct vfs *v, const char *path, vfs_entry_fn *fn, void *arg);
int vfs_sync_dir(struct vfs *v, const char *path);  /* makes creations, renames, removals in it durable */
/* syncfs of the file system that holds path. Where that path is watched it fails, and does so from then on, when anything of the file
 * system could not be written since vfs_watch, be it long ago and in the background; else only what fails during the call counts. */
int vfs_sync_all(struct vfs *v, const char *path);
int vfs_watch(struct vfs *v, const char *path); /* a directory; core thread, before jobs may sync it. Ends with the vfs */
int vfs_space(struct vfs *v, const char *path, struct vfs_space *out);
/* Writes a whole small file durably: aside ("<path>.tmp"), datasync, rename, sync of the directory. */
int vfs_replace(struct vfs *v, const char *path, const void *p, size_t n);
/* Reads a whole file of at most `limit` bytes into b (E_LIMIT when it is larger). */
int vfs_read_all(struct vfs *v, const char *path, size_t limit, struct buf *b);
int vfs_remove_tree(struct vfs *v, const char *path); /* a directory with all in it; not being there is fine */

struct file *file_ref(struct file *f);
void file_unref(struct file *f); /* NULL is fine */
int file_pread(struct file *f, void *p, size_t n, uint64_t at, size_t *got); /* fewer only at the end of the file */
int file_pread_full(struct file *f, void *p, size_t n, uint64_t at);         /* E_EOF when it ends early */
int file_pwrite(struct file *f, const void *p, size_t n, uint64_t at);
/* All or an error; on an error some prefix may have been written and the caller cuts it off. */
int file_pwritev(struct file *f, const struct piece *pieces, int n_pieces, uint64_t at);
/* May block: on a lane. One that fails is final: every later one through this struct file, and one that runs at
 * the same time and ends later, fails the same way. */
int file_datasync(struct file *f);
int file_truncate(struct file *f, uint64_t size_bytes);
int file_reserve(struct file *f, uint64_t at, uint64_t n); /* space for later writes, size unchanged; E_NOSPC */
int file_size(struct file *f, uint64_t *out);
int file_set_mtime(struct file *f, struct wall mtime);
int file_lock(struct file *f);       /* exclusive, this process; E_LOCKED at once when somebody else has it */
int file_drop_cache(struct file *f, uint64_t from); /* forget cached pages from there on: the next read asks the device. May block */
bool file_is_warm(struct file *f, uint64_t at, size_t n); /* can be read without waiting for the device */
int file_fd(struct file *f);         /* for sendfile; -1 where there is none (memory) */

struct vfs *vfs_posix_new(void);
void vfs_posix_free(struct vfs *v);
/* In memory: one process, no loss. It outlives a broker, so that a restart finds its files. */
struct vfs *vfs_mem_new(struct clock *clock);
void vfs_mem_free(struct vfs *v);
void vfs_mem_set_space(struct vfs *v, uint64_t total_bytes); /* writes past it: E_NOSPC */
size_t vfs_mem_open_files(struct vfs *v);                    /* a leak shows here */

/* ---- clocks --------------------------------------------------------------------------------------------------- */

struct clock {
    struct wall (*wall)(struct clock *c);
    struct mono (*mono)(struct clock *c);
    struct wall made_wall; /* both clocks, when this was made: clock_init */
    struct mono made_mono;
};
void clock_init(struct clock *c); /* for implementations, when both can be asked */
struct wall clock_wall(struct clock *c);
struct mono clock_mono(struct clock *c);
/* For ages that outlive the process, where the calendar may jump: the later (earlier) one of the calendar and of what it would be
 * had it run evenly since the clock was made. What is stamped with the later and judged by the earlier is never taken for older
 * than it is, whichever way the calendar was wrong. */
struct wall clock_wall_later(struct clock *c);
struct wall clock_wall_earlier(struct clock *c);
struct clock *clock_real_new(void);
void clock_real_free(struct clock *c);
struct clock *clock_sim_new(struct wall start);
void clock_sim_free(struct clock *c);
void clock_sim_advance(struct clock *c, int64_t ns);             /* both clocks */
void clock_sim_jump_wall(struct clock *c, int64_t ms);           /* the calendar alone */

/* ---- lanes ---------------------------------------------------------------------------------------------------- */

/* A lane is a queue of jobs of which one at a time runs off the core thread, in order. A job is embedded in what it
 * is for. `work` touches only what the job was given; `done` runs on the core thread, also after lanes_stop. */
struct job {
    void (*work)(struct job *j);
    void (*done)(struct job *j);
    struct list link; /* lanes' own */
    struct lane *lane;
};
struct lane {
    struct list queue;
    bool running;
    const char *name;
    struct lanes *lanes;
    void *impl;
};
struct lanes {
    void (*start)(struct lanes *l, struct lane *lane, struct job *j); /* hand one job to a thread */
    uint32_t n_running, n_queued;
};
void lane_init(struct lane *lane, struct lanes *lanes, const char *name);
bool lane_idle(const struct lane *lane);
void lane_submit(struct lane *lane, struct job *j, void (*work)(struct job *), void (*done)(struct job *));
void lanes_job_done(struct lanes *l, struct job *j); /* implementations call it on the core thread */

/* libuv's thread pool; `loop` is a uv_loop_t. The pool must have a thread for each lane that must not wait. */
struct lanes *lanes_uv_new(void *loop);
void lanes_uv_free(struct lanes *l); /* all lanes idle */
/* Jobs run when told: one step runs one job's work and its done. */
struct lanes *lanes_sim_new(void);
void lanes_sim_free(struct lanes *l);
bool lanes_sim_step(struct lanes *l); /* false when nothing waits */

/* ---- what goes out --------------------------------------------------------------------------------------------- */

/* A reply on its way to a socket: pieces in order, each owned. */
enum out_kind { OUT_CHUNK = 0, OUT_FILE };
struct out_piece {
    enum out_kind kind;
    size_t n;
    union {
        struct {
            struct chunk *chunk; /* a reference */
            size_t at;
        };
        struct {
            struct file *file; /* a reference */
            uint64_t position;
        };
    };
};
struct out {
    struct out_piece *pieces;
    uint32_t n_pieces, cap;
    size_t total_bytes;
};
void out_init(struct out *o);
void out_release(struct out *o); /* drops all references */
void out_put_chunk(struct out *o, struct chunk *c, size_t at, size_t n); /* takes the caller's reference */
void out_put_file(struct out *o, struct file *f, uint64_t position, size_t n); /* takes a reference of its own */
void out_move(struct out *from, struct out *to); /* to was empty; from is empty after */
int out_read(const struct out *o, uint8_t *p);   /* all of it into p[total_bytes]: tests and TLS */

/* ---- the process ---------------------------------------------------------------------------------------------- */

uint64_t sys_random_seed(void);                 /* from the kernel */
int sys_raise_file_limit(uint64_t *soft);       /* to the hard limit; *soft is what holds now */
int sys_hostname(char *out, size_t n);
uint64_t sys_resident_bytes(void);
void sys_install_diag_clock(void);              /* log lines begin with the local time from here on */

#endif
