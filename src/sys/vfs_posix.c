/* Files of the operating system (Linux).
 *
 * Owner: a struct posix_file holds one descriptor, closed with its last reference. A watch holds one until the end.
 *
 * Failures:   EINTR is repeated and a short transfer goes on where it ended, except for fdatasync:
 *             an error of it is final, because the kernel may have dropped the pages that it could
 *             not write. A write that makes no progress is E_IO.
 */
#include "sys.h"

#include "vfs_posix.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* syncfs tells a descriptor what failed in its file system since the descriptor was opened, once (Linux 5.8). Two lanes ask, so the
 * answer is kept. */
struct watch {
    struct watch *next;
    char *path;
    int fd;
    pthread_mutex_t lock;
    int rc; /* what it said once it failed */
};
struct vfs_posix {
    struct vfs v;
    struct watch *watches; /* added by the core thread before lanes look */
};

static int last_error(void)
{
    return err_from_errno(errno);
}

static int rc_of(int result)
{
    return result < 0 ? last_error() : 0;
}

static int open_retried(const char *path, int flags)
{
    int fd;

    do
        fd = open(path, flags | O_CLOEXEC, 0644);
    while (fd < 0 && errno == EINTR);
    return fd;
}

static int posix_open(struct vfs *v, const char *path, int flags, struct file **out)
{
    int os_flags = (flags & VFS_WRITE) ? O_RDWR : O_RDONLY;
    struct stat st;
    int fd;

    os_flags |= (flags & VFS_CREATE) ? O_CREAT : 0;
    os_flags |= (flags & VFS_EXCLUSIVE) ? O_EXCL : 0;
    os_flags |= (flags & VFS_TRUNCATE) ? O_TRUNC : 0;
    fd = open_retried(path, os_flags);
    if (fd < 0)
        return last_error();
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        close(fd);
        return E_ISDIR;
    }
    *out = posix_file_new(fd);
    return 0;
}

static int posix_stat(struct vfs *v, const char *path, struct vfs_stat *out)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return last_error();
    out->size_bytes = (uint64_t)st.st_size;
    out->mtime.ms = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
    out->is_dir = S_ISDIR(st.st_mode);
    return 0;
}

static int posix_rename(struct vfs *v, const char *from, const char *to)
{
    return rc_of(rename(from, to));
}

static int posix_unlink(struct vfs *v, const char *path)
{
    return rc_of(unlink(path));
}

static int posix_mkdir(struct vfs *v, const char *path)
{
    return rc_of(mkdir(path, 0755));
}

static int posix_rmdir(struct vfs *v, const char *path)
{
    return rc_of(rmdir(path));
}

/* A link to a directory is not one: what removes a tree must not follow it. */
static bool entry_is_dir(DIR *dir, const struct dirent *entry)
{
    struct stat st;

    if (entry->d_type != DT_UNKNOWN)
        return entry->d_type == DT_DIR;
    return fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static int posix_list(struct vfs *v, const char *path, vfs_entry_fn *fn, void *arg)
{
    DIR *dir = opendir(path);
    int rc = 0;

    if (!dir)
        return last_error();
    while (rc == 0) {
        const struct dirent *entry;

        errno = 0;
        entry = readdir(dir);
        if (!entry) {
            rc = errno ? last_error() : 0;
            break;
        }
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        rc = fn(arg, entry->d_name, entry_is_dir(dir, entry));
    }
    closedir(dir);
    return rc;
}

static int posix_sync_dir(struct vfs *v, const char *path)
{
    int fd = open_retried(path, O_RDONLY | O_DIRECTORY);
    int rc;

    if (fd < 0)
        return last_error();
    rc = rc_of(fsync(fd));
    close(fd);
    return rc;
}

static struct watch *find_watch(struct vfs *v, const char *path)
{
    struct watch *w = CONTAINER_OF(v, struct vfs_posix, v)->watches;

    while (w && strcmp(w->path, path) != 0)
        w = w->next;
    return w;
}

static int posix_watch(struct vfs *v, const char *path)
{
    struct vfs_posix *p = CONTAINER_OF(v, struct vfs_posix, v);
    struct watch *w = find_watch(v, path);
    int fd;

    if (w)
        return 0;
    fd = open_retried(path, O_RDONLY | O_DIRECTORY);
    if (fd < 0)
        return last_error();
    w = xcalloc(1, sizeof(*w));
    w->path = xstrdup(path);
    w->fd = fd;
    ASSERT(pthread_mutex_init(&w->lock, NULL) == 0);
    w->next = p->watches;
    p->watches = w;
    return 0;
}

static void watch_free(struct watch *w)
{
    pthread_mutex_destroy(&w->lock);
    close(w->fd);
    free(w->path);
    free(w);
}

/* The lock is held while it waits for the device: whoever comes second needs to know what the first was told. */
static int sync_watched(struct watch *w)
{
    int rc;

    pthread_mutex_lock(&w->lock);
    if (w->rc == 0)
        w->rc = rc_of(syncfs(w->fd));
    rc = w->rc;
    pthread_mutex_unlock(&w->lock);
    return rc;
}

static int posix_sync_all(struct vfs *v, const char *path)
{
    struct watch *w = find_watch(v, path);
    int fd, rc;

    if (w)
        return sync_watched(w);
    fd = open_retried(path, O_RDONLY);
    if (fd < 0)
        return last_error();
    rc = rc_of(syncfs(fd));
    close(fd);
    return rc;
}

static int posix_space(struct vfs *v, const char *path, struct vfs_space *out)
{
    struct statvfs st;

    if (statvfs(path, &st) < 0)
        return last_error();
    out->total_bytes = (uint64_t)st.f_blocks * st.f_frsize;
    out->free_bytes = MIN((uint64_t)st.f_bavail * st.f_frsize, out->total_bytes);
    return 0;
}

const struct vfs_ops vfs_posix_ops = {
    .open = posix_open,
    .stat = posix_stat,
    .rename = posix_rename,
    .unlink = posix_unlink,
    .mkdir = posix_mkdir,
    .rmdir = posix_rmdir,
    .list = posix_list,
    .sync_dir = posix_sync_dir,
    .sync_all = posix_sync_all,
    .watch = posix_watch,
    .space = posix_space,
    .file_pread = posix_file_pread,
    .file_pwritev = posix_file_pwritev,
    .file_datasync = posix_file_datasync,
    .file_truncate = posix_file_truncate,
    .file_reserve = posix_file_reserve,
    .file_size = posix_file_size,
    .file_set_mtime = posix_file_set_mtime,
    .file_lock = posix_file_lock,
    .file_drop_cache = posix_file_drop_cache,
    .file_is_warm = posix_file_is_warm,
    .file_fd = posix_file_fd,
    .file_close = posix_file_close,
};

struct vfs *vfs_posix_new(void)
{
    struct vfs_posix *p = xcalloc(1, sizeof(*p));

    p->v.ops = &vfs_posix_ops;
    return &p->v;
}

void vfs_posix_free(struct vfs *v)
{
    struct vfs_posix *p = v ? CONTAINER_OF(v, struct vfs_posix, v) : NULL;

    while (p && p->watches) {
        struct watch *w = p->watches;

        p->watches = w->next;
        watch_free(w);
    }
    free(p);
}
