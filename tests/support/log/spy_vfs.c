/* A vfs in front of another: see spy_vfs.h. */
#include "spy_vfs.h"

struct spy_file {
    struct file file;
    struct file *under;
    struct spy_vfs *spy;
    char path[SPY_PATH_MAX];
};

static int note(struct spy_vfs *s, char what, const char *path)
{
    if (s->only && !strstr(path, s->only))
        return 0;
    if (s->n_log + 1 < SPY_LOG_MAX && what != SPY_OPEN && what != SPY_READ)
        s->log[s->n_log++] = what;
    if (what == s->fail_what && s->fail_after-- == 0)
        return s->fail_rc;
    return 0;
}

static struct spy_vfs *spy_of(struct vfs *v)
{
    return CONTAINER_OF(v, struct spy_vfs, vfs);
}

static struct spy_file *file_of(struct file *f)
{
    return CONTAINER_OF(f, struct spy_file, file);
}

static const struct vfs_ops spy_ops;

static int spy_open(struct vfs *v, const char *path, int flags, struct file **out)
{
    struct spy_file *f = xcalloc(1, sizeof(*f));
    int rc = note(spy_of(v), SPY_OPEN, path);

    if (rc == 0)
        rc = vfs_open(spy_of(v)->under, path, flags, &f->under);
    if (rc < 0) {
        free(f);
        return rc;
    }
    file_init(&f->file, &spy_ops);
    f->spy = spy_of(v);
    (void)snprintf(f->path, sizeof(f->path), "%s", path);
    *out = &f->file;
    return 0;
}

static int spy_stat(struct vfs *v, const char *path, struct vfs_stat *out)
{
    return vfs_stat(spy_of(v)->under, path, out);
}

static int spy_rename(struct vfs *v, const char *from, const char *to)
{
    int rc = note(spy_of(v), SPY_RENAME, to);

    return rc < 0 ? rc : vfs_rename(spy_of(v)->under, from, to);
}

static int spy_unlink(struct vfs *v, const char *path)
{
    int rc = note(spy_of(v), SPY_UNLINK, path);

    return rc < 0 ? rc : vfs_unlink(spy_of(v)->under, path);
}

static int spy_mkdir(struct vfs *v, const char *path)
{
    return vfs_mkdir(spy_of(v)->under, path);
}

static int spy_rmdir(struct vfs *v, const char *path)
{
    return vfs_rmdir(spy_of(v)->under, path);
}

static int spy_list(struct vfs *v, const char *path, vfs_entry_fn *fn, void *arg)
{
    return vfs_list(spy_of(v)->under, path, fn, arg);
}

static int spy_sync_dir(struct vfs *v, const char *path)
{
    int rc = note(spy_of(v), SPY_SYNC_DIR, path);

    return rc < 0 ? rc : vfs_sync_dir(spy_of(v)->under, path);
}

static int spy_sync_all(struct vfs *v, const char *path)
{
    int rc = note(spy_of(v), SPY_SYNC_ALL, path);

    return rc < 0 ? rc : vfs_sync_all(spy_of(v)->under, path);
}

static int spy_space(struct vfs *v, const char *path, struct vfs_space *out)
{
    return vfs_space(spy_of(v)->under, path, out);
}

static int spy_pread(struct file *f, void *p, size_t n, uint64_t at, size_t *got)
{
    int rc = note(file_of(f)->spy, SPY_READ, file_of(f)->path);

    return rc < 0 ? rc : file_pread(file_of(f)->under, p, n, at, got);
}

static int spy_pwritev(struct file *f, const struct piece *pieces, int n, uint64_t at)
{
    int rc = note(file_of(f)->spy, SPY_WRITE, file_of(f)->path);

    return rc < 0 ? rc : file_pwritev(file_of(f)->under, pieces, n, at);
}

static int spy_datasync(struct file *f)
{
    int rc = note(file_of(f)->spy, SPY_DATASYNC, file_of(f)->path);

    return rc < 0 ? rc : file_datasync(file_of(f)->under);
}

static int spy_truncate(struct file *f, uint64_t size)
{
    return file_truncate(file_of(f)->under, size);
}

static int spy_reserve(struct file *f, uint64_t at, uint64_t n)
{
    return file_reserve(file_of(f)->under, at, n);
}

static int spy_size(struct file *f, uint64_t *out)
{
    return file_size(file_of(f)->under, out);
}

static int spy_set_mtime(struct file *f, struct wall mtime)
{
    return file_set_mtime(file_of(f)->under, mtime);
}

static int spy_lock(struct file *f)
{
    return file_lock(file_of(f)->under);
}

static int spy_drop_cache(struct file *f, uint64_t from)
{
    return file_drop_cache(file_of(f)->under, from);
}

static bool spy_is_warm(struct file *f, uint64_t at, size_t n)
{
    return file_is_warm(file_of(f)->under, at, n);
}

static int spy_fd(struct file *f)
{
    return file_fd(file_of(f)->under);
}

static void spy_close(struct file *f)
{
    file_unref(file_of(f)->under);
    free(file_of(f));
}

static const struct vfs_ops spy_ops = {
    .open = spy_open,
    .stat = spy_stat,
    .rename = spy_rename,
    .unlink = spy_unlink,
    .mkdir = spy_mkdir,
    .rmdir = spy_rmdir,
    .list = spy_list,
    .sync_dir = spy_sync_dir,
    .sync_all = spy_sync_all,
    .space = spy_space,
    .file_pread = spy_pread,
    .file_pwritev = spy_pwritev,
    .file_datasync = spy_datasync,
    .file_truncate = spy_truncate,
    .file_reserve = spy_reserve,
    .file_size = spy_size,
    .file_set_mtime = spy_set_mtime,
    .file_lock = spy_lock,
    .file_drop_cache = spy_drop_cache,
    .file_is_warm = spy_is_warm,
    .file_fd = spy_fd,
    .file_close = spy_close,
};

struct spy_vfs *spy_vfs_new(struct vfs *under)
{
    struct spy_vfs *s = xcalloc(1, sizeof(*s));

    s->vfs.ops = &spy_ops;
    s->under = under;
    return s;
}

void spy_vfs_free(struct spy_vfs *s)
{
    free(s);
}

void spy_forget(struct spy_vfs *s)
{
    s->n_log = 0;
    memset(s->log, 0, sizeof(s->log));
}

bool spy_has_failed(const struct spy_vfs *s)
{
    return s->fail_after < 0;
}

void spy_fail(struct spy_vfs *s, char what, int after, int rc)
{
    s->fail_what = what;
    s->fail_after = after;
    s->fail_rc = rc;
}
