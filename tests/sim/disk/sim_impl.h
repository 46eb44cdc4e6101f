/* What the parts of the simulated disk share.
 *
 * Owner of a node: its references. A live name, a durable name, each place in a pending name
 * operation, and an open handle hold one each. `parent` is not a reference.
 */
#ifndef TEST_SIM_IMPL_H
#define TEST_SIM_IMPL_H

#include "vfs_sim.h"

/* ---- contents (sim_content.c) ---------------------------------------------------------------- */

/* Bytes that clones share; who writes copies them first, where they are shared. */
struct sim_bytes {
    uint32_t refs;
    uint64_t cap;
    uint8_t p[];
};
struct content {
    struct sim_bytes *bytes; /* NULL: none; from size to cap they are zero */
    uint64_t size;
};
struct sim_bytes *sim_bytes_new(const void *p, uint64_t n);
struct sim_bytes *sim_bytes_ref(struct sim_bytes *b); /* NULL is fine */
void sim_bytes_unref(struct sim_bytes *b);
void content_release(struct content *c);
void content_share(struct content *to,
                   const struct content *from); /* to: released or zero before */
void content_resize(struct content *c, uint64_t size);
void content_write(struct content *c, const uint8_t *p, uint64_t n,
                   uint64_t at);                                  /* grows it; a gap is zero */
void content_zero(struct content *c, uint64_t from, uint64_t to); /* inside its size */
size_t content_read(const struct content *c, uint8_t *p, size_t n, uint64_t at);
uint8_t *content_own(struct content *c); /* its bytes, to change in place */

/* ---- nodes (sim_node.c) ---------------------------------------------------------------------- */

enum data_kind { DATA_WRITE = 0, DATA_SIZE };
/* Between what the process sees of a file and what is on the device. */
struct data_op {
    uint64_t seq;
    enum data_kind kind;
    uint64_t at; /* of a write; or the new size */
    uint64_t n;
    bool grows; /* a write that made the file longer */
    struct sim_bytes *bytes;
};
struct range {
    uint64_t from, to;
};
struct sim_entry {
    UT_hash_handle hh;
    char *name;
    struct sim_node *node; /* a reference */
};
struct sim_node {
    struct list link; /* in sim.nodes */
    uint32_t refs;
    bool is_dir;
    struct sim_node *parent; /* of the live name */
    struct sim_node *twin;   /* while a clone is made */
    /* a directory */
    struct sim_entry *live_names, *durable_names;
    /* a file */
    struct content live, durable;
    struct data_op *ops;
    uint32_t n_ops, cap_ops;
    struct range *gaps; /* between the end and a write behind it: nobody wrote that */
    uint32_t n_gaps;
    bool stale; /* the cache shows what neither the device nor a pending write has */
    bool cold;
    bool locked;
    uint32_t n_open;
    const struct file *writer; /* the open handle that wrote first; not a reference */
    uint64_t reserved_bytes, counted_bytes;
    struct wall mtime, durable_mtime;
};
/* A change of names that is not on the device yet: it happens whole or not at all. */
struct name_set {
    struct sim_node *dir;
    char *name;
    struct sim_node *node; /* NULL: the name goes */
};
struct name_op {
    uint64_t seq;
    struct name_set sets[2];
    uint32_t n_sets;
    bool kept; /* chosen for the device by a sync or a power cut */
};

#define SIM_MAGIC 0x51D15C01u
struct sim {
    struct vfs vfs;
    uint32_t magic;
    struct clock *clock;
    struct vfs_sim_options options;
    struct sim_node *root;
    struct list nodes;
    struct name_op *name_ops;
    uint32_t n_name_ops, cap_name_ops;
    uint64_t seq_next;
    uint64_t used_bytes;
    uint64_t generation; /* of handles: older ones are dead */
    size_t n_open;
    bool startup, down;
    struct rng rng;
    /* faults */
    struct armed_fault *faults;
    uint32_t n_faults;
    struct {
        uint32_t ops, per_million;
        int64_t slow_ns;
    } rates[SIM_FAULTS];
    bool has_rates;
    uint64_t n_fired;
    int64_t latency_ns;
    /* counting */
    uint64_t n_calls, n_changes, stop_at;
    void (*hook)(void *arg, struct vfs *v, uint64_t change);
    void *hook_arg;
    void (*trace)(void *arg, const char *text);
    void *trace_arg;
};
struct sim *sim_of(const struct vfs *v);

struct sim_node *node_new(struct sim *s, bool is_dir); /* one reference */
struct sim_node *node_ref(struct sim_node *n);
void node_unref(struct sim *s, struct sim_node *n); /* NULL is fine */
void node_count_space(struct sim *s, struct sim_node *n);
/* A reference to every node there is, in an array; and back. */
struct sim_node **sim_hold_all(struct sim *s, size_t *n);
void sim_let_go(struct sim *s, struct sim_node **held, size_t n);
struct sim_node *names_get(struct sim_entry *names, struct str name);
void names_set(struct sim *s, struct sim_entry **names, const char *name,
               struct sim_node *node); /* NULL removes */
void names_clear(struct sim *s, struct sim_entry **names);
/* As vfs_mem finds them: NULL with *rc set. `parent`: the directory of the last part, which goes to
 * *last. */
struct sim_node *sim_find(struct sim *s, const char *path, bool durable, int *rc);
struct sim_node *sim_find_parent(struct sim *s, const char *path, struct str *last, int *rc);
/* Changes live names and notes it as pending. */
void sim_change_names(struct sim *s, const struct name_set *sets, uint32_t n_sets);
/* Brings the pending operations that are `kept`, and those that they rest on, to the device. The
 * others wait on, or are dropped. */
void sim_settle_names(struct sim *s, bool drop_rest);

/* ---- data (sim_data.c) ----------------------------------------------------------------------- */

void data_write(struct sim *s, struct sim_node *n, const void *p, uint64_t bytes, uint64_t at);
void data_resize(struct sim *s, struct sim_node *n, uint64_t size);
void data_sync(struct sim_node *n);
void data_lose(struct sim_node *n);    /* what is pending will never be written */
void data_refresh(struct sim_node *n); /* the cache is dropped where it is clean */
void data_drop_ops(struct sim_node *n);
void data_clear_gaps(struct sim_node *n);
bool data_has_gap(const struct sim_node *n, uint64_t from, uint64_t to);

/* ---- files (sim_file.c) ---------------------------------------------------------------------- */

extern const struct vfs_ops sim_ops;
struct file *sim_file_new(struct sim *s, struct sim_node *n, const char *path, bool writable);
int sim_file_pread(struct file *f, void *p, size_t n, uint64_t at, size_t *got);
int sim_file_pwritev(struct file *f, const struct piece *pieces, int n_pieces, uint64_t at);
int sim_file_datasync(struct file *f);
int sim_file_truncate(struct file *f, uint64_t size_bytes);
int sim_file_reserve(struct file *f, uint64_t at, uint64_t n);
int sim_file_size(struct file *f, uint64_t *out);
int sim_file_set_mtime(struct file *f, struct wall mtime);
int sim_file_lock(struct file *f);
int sim_file_drop_cache(struct file *f, uint64_t from);
bool sim_file_is_warm(struct file *f, uint64_t at, size_t n);
int sim_file_fd(struct file *f);
void sim_file_close(struct file *f);
/* The largest size that a file may have. */
uint64_t sim_size_limit(const struct sim *s, const struct sim_node *n);

/* ---- calls (sim_call.c) ---------------------------------------------------------------------- */

struct armed_fault {
    struct vfs_sim_fault fault; /* path is owned */
    uint64_t seen;
};
/* One operation on its way: sim_begin counts it and decides what happens to it, sim_end writes its
 * line. */
struct call {
    struct sim *s;
    enum vfs_sim_op op;
    const char *path, *path2;
    uint64_t at, n;
    bool change;
    bool torn; /* the disk stops inside this write */
    int fault; /* SIM_SHORT, SIM_LOSE, SIM_ROT that the operation itself plays; -1 none */
    int fault_rc;
};
/* 0: go on. Otherwise the error to give (through sim_end). */
int sim_begin(struct call *c);
int sim_end(struct call *c, int rc);
void sim_misuse(struct sim *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
void sim_release_faults(struct sim *s);

#endif
