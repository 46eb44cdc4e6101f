/* Files: the forwarders to an implementation, and what can be said in terms of them.
 *
 * Owner: struct vfs is the env's. struct file is counted; the count is the core thread's alone,
 * while the other calls may come from one lane at a time that was given a reference to read or
 * write through.
 *
 * Invariant: a file with references has its magic; the last file_unref clears it and closes.
 * Failures:  E_* of the environment, as the implementation found them. Only bugs are asserted.
 */
#include "sys.h"

#define TEMPORARY_SUFFIX ".tmp"

void file_init(struct file *f, const struct vfs_ops *ops)
{
    ASSERT(ops);
    f->ops = ops;
    f->refs = 1;
    f->magic = FILE_MAGIC;
}

/* Also asked on lanes, where the count of references is not ours to look at. */
static bool file_sound(const struct file *f)
{
    return f->magic == FILE_MAGIC;
}

static int rc_checked(int rc)
{
    ASSERT(rc <= 0);
    return rc;
}

int vfs_open(struct vfs *v, const char *path, int flags, struct file **out)
{
    int rc;

    ASSERT(path[0]);
    ASSERT(IMPLIES(flags & (VFS_CREATE | VFS_TRUNCATE), flags & VFS_WRITE));
    ASSERT(IMPLIES(flags & VFS_EXCLUSIVE, flags & VFS_CREATE));
    *out = NULL;
    rc = rc_checked(v->ops->open(v, path, flags, out));
    ASSERT((rc == 0) == (*out != NULL));
    return rc;
}

int vfs_stat(struct vfs *v, const char *path, struct vfs_stat *out)
{
    ASSERT(path[0]);
    return rc_checked(v->ops->stat(v, path, out));
}

int vfs_rename(struct vfs *v, const char *from, const char *to)
{
    ASSERT(from[0]);
    ASSERT(to[0]);
    return rc_checked(v->ops->rename(v, from, to));
}

int vfs_unlink(struct vfs *v, const char *path)
{
    ASSERT(path[0]);
    return rc_checked(v->ops->unlink(v, path));
}

int vfs_mkdir(struct vfs *v, const char *path)
{
    ASSERT(path[0]);
    return rc_checked(v->ops->mkdir(v, path));
}

int vfs_rmdir(struct vfs *v, const char *path)
{
    ASSERT(path[0]);
    return rc_checked(v->ops->rmdir(v, path));
}

int vfs_list(struct vfs *v, const char *path, vfs_entry_fn *fn, void *arg)
{
    ASSERT(path[0]);
    ASSERT(fn);
    return v->ops->list(v, path, fn, arg);
}

int vfs_sync_dir(struct vfs *v, const char *path)
{
    ASSERT(path[0]);
    return rc_checked(v->ops->sync_dir(v, path));
}

int vfs_sync_all(struct vfs *v, const char *path)
{
    ASSERT(path[0]);
    return rc_checked(v->ops->sync_all(v, path));
}

int vfs_watch(struct vfs *v, const char *path)
{
    ASSERT(path[0]);
    return v->ops->watch ? rc_checked(v->ops->watch(v, path)) : 0;
}

int vfs_space(struct vfs *v, const char *path, struct vfs_space *out)
{
    int rc;

    ASSERT(path[0]);
    rc = rc_checked(v->ops->space(v, path, out));
    ASSERT(IMPLIES(rc == 0, out->free_bytes <= out->total_bytes));
    return rc;
}

/* The directory that holds path: a string the caller frees. */
static char *parent_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        return xstrdup(".");
    return str_dup((struct str){path, slash == path ? 1 : (size_t)(slash - path)});
}

static int sync_parent(struct vfs *v, const char *path)
{
    char *parent = parent_of(path);
    int rc = vfs_sync_dir(v, parent);

    free(parent);
    return rc;
}

/* One directory that should be there. Its name is made durable; where the parent may not be opened
 * for reading that is left to its owner. */
static int mkdir_wanted(struct vfs *v, const char *path)
{
    struct vfs_stat st;
    int rc = vfs_stat(v, path, &st);

    if (rc == 0)
        return st.is_dir ? 0 : E_ISDIR;
    if (rc != E_NOENT)
        return rc;
    rc = vfs_mkdir(v, path);
    if (rc == E_EXIST)
        return 0;
    if (rc < 0)
        return rc;
    rc = sync_parent(v, path);
    return rc == E_ACCESS ? 0 : rc;
}

int vfs_mkdirs(struct vfs *v, const char *path, struct errmsg *msg)
{
    char *prefix = xstrdup(path);
    int rc = 0;

    ASSERT(path[0]);
    for (size_t i = 1; rc == 0; i++) {
        if (prefix[i] != '/' && prefix[i] != 0)
            continue;
        prefix[i] = 0;
        rc = mkdir_wanted(v, prefix);
        if (rc < 0)
            errmsg_set(msg, "directory %s: %s", prefix, err_text(rc));
        if (path[i] == 0)
            break;
        prefix[i] = '/';
    }
    free(prefix);
    return rc;
}

static int write_aside(struct vfs *v, const char *path, const void *p, size_t n)
{
    struct file *f;
    int rc = vfs_open(v, path, VFS_WRITE | VFS_CREATE | VFS_TRUNCATE, &f);

    if (rc < 0)
        return rc;
    rc = file_pwrite(f, p, n, 0);
    if (rc == 0)
        rc = file_datasync(f);
    file_unref(f);
    return rc;
}

int vfs_replace(struct vfs *v, const char *path, const void *p, size_t n)
{
    char *aside = xasprintf("%s" TEMPORARY_SUFFIX, path);
    int rc = write_aside(v, aside, p, n);

    if (rc == 0)
        rc = vfs_rename(v, aside, path);
    if (rc < 0)
        (void)vfs_unlink(v, aside); /* what could not be written may not be there to unlink */
    else
        rc = sync_parent(v, path);
    free(aside);
    return rc;
}

int vfs_read_all(struct vfs *v, const char *path, size_t limit, struct buf *b)
{
    struct file *f;
    uint64_t size;
    size_t n_before = b->n;
    int rc = vfs_open(v, path, VFS_READ, &f);

    if (rc < 0)
        return rc;
    rc = file_size(f, &size);
    if (rc == 0 && size > limit)
        rc = E_LIMIT;
    if (rc == 0)
        rc = file_pread_full(f, buf_grow(b, size), size, 0);
    if (rc < 0)
        b->n = n_before;
    file_unref(f);
    return rc;
}

struct file *file_ref(struct file *f)
{
    ASSERT(file_sound(f));
    ASSERT(f->refs > 0);
    ASSERT(f->refs < UINT32_MAX);
    f->refs++;
    return f;
}

void file_unref(struct file *f)
{
    if (!f)
        return;
    ASSERT(file_sound(f));
    ASSERT(f->refs > 0);
    if (--f->refs > 0)
        return;
    f->magic = 0;
    f->ops->file_close(f);
}

int file_pread(struct file *f, void *p, size_t n, uint64_t at, size_t *got)
{
    int rc;

    ASSERT(file_sound(f));
    ASSERT(at <= INT64_MAX - n);
    *got = 0;
    rc = rc_checked(f->ops->file_pread(f, p, n, at, got));
    ASSERT(*got <= n);
    return rc;
}

int file_pread_full(struct file *f, void *p, size_t n, uint64_t at)
{
    size_t got;
    int rc = file_pread(f, p, n, at, &got);

    if (rc < 0)
        return rc;
    return got < n ? E_EOF : 0;
}

int file_pwrite(struct file *f, const void *p, size_t n, uint64_t at)
{
    struct piece piece = {p, n};

    return file_pwritev(f, &piece, 1, at);
}

int file_pwritev(struct file *f, const struct piece *pieces, int n_pieces, uint64_t at)
{
    ASSERT(file_sound(f));
    ASSERT(n_pieces >= 0);
    ASSERT(at <= INT64_MAX);
    return rc_checked(f->ops->file_pwritev(f, pieces, n_pieces, at));
}

int file_datasync(struct file *f)
{
    ASSERT(file_sound(f));
    return rc_checked(f->ops->file_datasync(f));
}

int file_truncate(struct file *f, uint64_t size_bytes)
{
    ASSERT(file_sound(f));
    ASSERT(size_bytes <= INT64_MAX);
    return rc_checked(f->ops->file_truncate(f, size_bytes));
}

int file_reserve(struct file *f, uint64_t at, uint64_t n)
{
    ASSERT(file_sound(f));
    ASSERT(n <= INT64_MAX);
    ASSERT(at <= INT64_MAX - n);
    return n ? rc_checked(f->ops->file_reserve(f, at, n)) : 0;
}

int file_size(struct file *f, uint64_t *out)
{
    ASSERT(file_sound(f));
    return rc_checked(f->ops->file_size(f, out));
}

int file_set_mtime(struct file *f, struct wall mtime)
{
    ASSERT(file_sound(f));
    return rc_checked(f->ops->file_set_mtime(f, mtime));
}

int file_lock(struct file *f)
{
    ASSERT(file_sound(f));
    return rc_checked(f->ops->file_lock(f));
}

int file_drop_cache(struct file *f, uint64_t from)
{
    ASSERT(file_sound(f));
    return rc_checked(f->ops->file_drop_cache(f, from));
}

bool file_is_warm(struct file *f, uint64_t at, size_t n)
{
    ASSERT(file_sound(f));
    return n == 0 || f->ops->file_is_warm(f, at, n);
}

int file_fd(struct file *f)
{
    ASSERT(file_sound(f));
    return f->ops->file_fd(f);
}
