/* Files in memory: what a test or the simulator stands on. Nothing is lost; a power cut is another
 * implementation's.
 *
 * Owner: who built the env; one thread at a time. It outlives a broker, so that a restart finds its
 * files.
 *
 * Failures:   as POSIX: a directory that is not empty stays, a file does not replace a directory,
 *             nor the reverse.
 */
#include "vfs_mem.h"

#define SPACE_BYTES_DEFAULT ((uint64_t)1 << 40)

struct vfs_mem *mem_of(struct vfs *v)
{
    struct vfs_mem *m = CONTAINER_OF(v, struct vfs_mem, vfs);

    ASSERT(m->magic == VFS_MEM_MAGIC);
    return m;
}

static int mem_open(struct vfs *v, const char *path, int flags, struct file **out)
{
    struct vfs_mem *m = mem_of(v);
    bool creates = (flags & VFS_CREATE) != 0;
    char *name = NULL;
    struct mem_node *dir;
    struct mem_node *node;
    int rc;

    node = mem_find(m, path, &rc);
    if (node && node->is_dir)
        return E_ISDIR;
    if (node && (flags & VFS_EXCLUSIVE))
        return E_EXIST;
    if (!node && (rc != E_NOENT || !creates))
        return rc;
    if (!node) {
        dir = mem_find_parent(m, path, &name, &rc);
        if (!dir)
            return rc;
        node = mem_add(m, dir, name, false);
        free(name);
    }
    *out = mem_file_new(m, node, (flags & VFS_WRITE) != 0);
    return (flags & VFS_TRUNCATE) ? file_truncate(*out, 0) : 0;
}

static int mem_stat(struct vfs *v, const char *path, struct vfs_stat *out)
{
    int rc;
    const struct mem_node *node = mem_find(mem_of(v), path, &rc);

    if (!node)
        return rc;
    *out = (struct vfs_stat){
        .size_bytes = node->size_bytes, .mtime = node->mtime, .is_dir = node->is_dir};
    return 0;
}

static bool is_within(const struct mem_node *node, const struct mem_node *dir)
{
    while (node && node != dir)
        node = node->parent;
    return node != NULL;
}

/* Whether node may take the place of `there`, which has the name that it is to get. */
static int replaceable(const struct mem_node *node, const struct mem_node *there)
{
    if (node->is_dir != there->is_dir)
        return E_ISDIR;
    return there->children ? E_NOTEMPTY : 0;
}

static int rename_node(struct vfs_mem *m, struct mem_node *node, struct mem_node *dir,
                       const char *name)
{
    struct mem_node *there = mem_child(dir, name);
    int rc = there ? replaceable(node, there) : 0;

    if (there == node)
        return 0;
    if (node == m->root || is_within(dir, node))
        return E_IO;
    if (rc < 0)
        return rc;
    if (there)
        mem_unlink(m, there);
    mem_move(m, node, dir, name);
    return 0;
}

static int mem_rename(struct vfs *v, const char *from, const char *to)
{
    struct vfs_mem *m = mem_of(v);
    char *name;
    int rc;
    struct mem_node *dir;
    struct mem_node *node = mem_find(m, from, &rc);

    if (!node)
        return rc;
    dir = mem_find_parent(m, to, &name, &rc);
    if (!dir)
        return rc;
    rc = rename_node(m, node, dir, name);
    free(name);
    return rc;
}

static int mem_remove(struct vfs *v, const char *path, bool is_dir)
{
    struct vfs_mem *m = mem_of(v);
    int rc;
    struct mem_node *node = mem_find(m, path, &rc);

    if (!node)
        return rc;
    if (node->is_dir != is_dir)
        return E_ISDIR;
    if (node->children)
        return E_NOTEMPTY;
    if (node == m->root)
        return E_ACCESS;
    mem_unlink(m, node);
    return 0;
}

static int mem_unlink_path(struct vfs *v, const char *path)
{
    return mem_remove(v, path, false);
}

static int mem_rmdir(struct vfs *v, const char *path)
{
    return mem_remove(v, path, true);
}

static int mem_mkdir(struct vfs *v, const char *path)
{
    struct vfs_mem *m = mem_of(v);
    char *name;
    int rc;
    struct mem_node *dir = mem_find_parent(m, path, &name, &rc);

    if (!dir)
        return rc;
    if (mem_child(dir, name))
        rc = E_EXIST;
    else
        mem_add(m, dir, name, true);
    free(name);
    return rc;
}

static struct mem_node *find_dir(struct vfs *v, const char *path, int *rc)
{
    struct mem_node *node = mem_find(mem_of(v), path, rc);

    if (node && !node->is_dir) {
        *rc = E_ISDIR;
        return NULL;
    }
    return node;
}

/* fn may remove the entry that it is called for, and no other. */
static int mem_list(struct vfs *v, const char *path, vfs_entry_fn *fn, void *arg)
{
    int rc;
    struct mem_node *dir = find_dir(v, path, &rc);
    struct mem_node *node;
    struct mem_node *next;

    if (!dir)
        return rc;
    HASH_ITER(hh, dir->children, node, next)
    {
        rc = fn(arg, node->name, node->is_dir);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int mem_sync_dir(struct vfs *v, const char *path)
{
    int rc;

    (void)find_dir(v, path, &rc);
    return rc;
}

static int mem_sync_all(struct vfs *v, const char *path)
{
    int rc;

    (void)mem_find(mem_of(v), path, &rc);
    return rc;
}

static int mem_space(struct vfs *v, const char *path, struct vfs_space *out)
{
    const struct vfs_mem *m = mem_of(v);
    int rc;

    if (!mem_find(mem_of(v), path, &rc))
        return rc;
    out->total_bytes = m->total_bytes;
    out->free_bytes = m->total_bytes > m->used_bytes ? m->total_bytes - m->used_bytes : 0;
    return 0;
}

const struct vfs_ops vfs_mem_ops = {
    .open = mem_open,
    .stat = mem_stat,
    .rename = mem_rename,
    .unlink = mem_unlink_path,
    .mkdir = mem_mkdir,
    .rmdir = mem_rmdir,
    .list = mem_list,
    .sync_dir = mem_sync_dir,
    .sync_all = mem_sync_all,
    .space = mem_space,
    .file_pread = mem_file_pread,
    .file_pwritev = mem_file_pwritev,
    .file_datasync = mem_file_datasync,
    .file_truncate = mem_file_truncate,
    .file_reserve = mem_file_reserve,
    .file_size = mem_file_size,
    .file_set_mtime = mem_file_set_mtime,
    .file_lock = mem_file_lock,
    .file_drop_cache = mem_file_drop_cache,
    .file_is_warm = mem_file_is_warm,
    .file_fd = mem_file_fd,
    .file_close = mem_file_close,
};

struct vfs *vfs_mem_new(struct clock *clock)
{
    struct vfs_mem *m = xcalloc(1, sizeof(*m));

    ASSERT(clock);
    m->vfs.ops = &vfs_mem_ops;
    m->magic = VFS_MEM_MAGIC;
    m->clock = clock;
    m->total_bytes = SPACE_BYTES_DEFAULT;
    m->root = mem_add(m, NULL, "", true);
    return &m->vfs;
}

void vfs_mem_free(struct vfs *v)
{
    struct vfs_mem *m;

    if (!v)
        return;
    m = mem_of(v);
    ASSERT(m->n_open == 0);
    mem_free_tree(m);
    ASSERT(m->used_bytes == 0);
    m->magic = 0;
    free(m);
}

void vfs_mem_set_space(struct vfs *v, uint64_t total_bytes)
{
    mem_of(v)->total_bytes = total_bytes;
}

size_t vfs_mem_open_files(struct vfs *v)
{
    return mem_of(v)->n_open;
}
