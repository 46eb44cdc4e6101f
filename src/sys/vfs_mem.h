/* What the parts of the in-memory implementation share: the tree is in vfs_mem_tree.c, open files
 * are in vfs_mem_file.c, the names' operations and the table in vfs_mem.c. */
#ifndef BARNABAS_SYS_VFS_MEM_H
#define BARNABAS_SYS_VFS_MEM_H

#include "sys.h"

/* A file or a directory. It lives while it has a name (linked) or an open file. */
struct mem_node {
    UT_hash_handle hh;         /* in parent->children, by name */
    char *name;                /* owned */
    struct mem_node *parent;   /* NULL: the root, or unlinked */
    struct mem_node *children; /* of a directory: a hash by name */
    bool is_dir;
    bool locked;
    uint32_t n_open;
    struct wall mtime;
    uint8_t *data; /* bytes from size to cap are zero */
    uint64_t size_bytes, cap;
    uint64_t reserved_bytes; /* as of file_reserve; counts as used */
};

struct vfs_mem {
    struct vfs vfs;
    uint32_t magic;
    struct clock *clock; /* borrowed; stamps what is written */
    struct mem_node *root;
    uint64_t total_bytes, used_bytes;
    size_t n_open;
};

#define VFS_MEM_MAGIC 0x3E3F5001u
extern const struct vfs_ops vfs_mem_ops;

struct vfs_mem *mem_of(struct vfs *v);

/* The node of a path, NULL with *rc set when there is none. Paths are taken from the root, "." and
 * empty parts are skipped, ".." is E_INVALID. */
struct mem_node *mem_find(struct vfs_mem *m, const char *path, int *rc);
/* The directory that holds (or would hold) the last part of path, and that part: a string the
 * caller frees. */
struct mem_node *mem_find_parent(struct vfs_mem *m, const char *path, char **name, int *rc);
struct mem_node *mem_child(struct mem_node *dir, const char *name);
struct mem_node *mem_add(struct vfs_mem *m, struct mem_node *dir, const char *name, bool is_dir);
/* Gives node another place and name; nothing has that name there. */
void mem_move(struct vfs_mem *m, struct mem_node *node, struct mem_node *dir, const char *name);
void mem_unlink(struct vfs_mem *m,
                struct mem_node *node); /* no children; freed when nobody has it open */
void mem_free_if_unused(struct vfs_mem *m, struct mem_node *node);
void mem_free_tree(struct vfs_mem *m);
uint64_t mem_used(const struct mem_node *node); /* what it takes of the space */

struct file *mem_file_new(struct vfs_mem *m, struct mem_node *node, bool writable);

/* The file_ entries of the table, as struct vfs_ops describes them. */
int mem_file_pread(struct file *f, void *p, size_t n, uint64_t at, size_t *got);
int mem_file_pwritev(struct file *f, const struct piece *pieces, int n_pieces, uint64_t at);
int mem_file_datasync(struct file *f);
int mem_file_truncate(struct file *f, uint64_t size_bytes);
int mem_file_reserve(struct file *f, uint64_t at, uint64_t n);
int mem_file_size(struct file *f, uint64_t *out);
int mem_file_set_mtime(struct file *f, struct wall mtime);
int mem_file_lock(struct file *f);
int mem_file_drop_cache(struct file *f, uint64_t from);
bool mem_file_is_warm(struct file *f, uint64_t at, size_t n);
int mem_file_fd(struct file *f);
void mem_file_close(struct file *f);

#endif
