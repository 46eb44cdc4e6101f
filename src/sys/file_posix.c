/* Open files of the operating system (Linux).
 *
 * Owner: a struct posix_file holds one descriptor, closed with its last reference.
 *
 * Happy path: pwritev hands the kernel up to IOVECS_MAX pieces at a time and goes on where a short
 *             write ended.
 * Failures:   a write that makes no progress is E_IO; ENOSPC, EDQUOT and EFBIG are E_NOSPC.
 *             fdatasync is called once: an error of it is final, because the kernel may have
 *             dropped the pages that it could not write, and tells it to one caller only. So one
 *             thread at a time asks, and who asks later, or waited meanwhile, is told the same.
 */
#include "vfs_posix.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define IOVECS_MAX 128
#define PAGE_BYTES 4096

struct posix_file {
    struct file file;
    int fd;
    pthread_mutex_t sync_lock;
    int sync_rc; /* of the fdatasync that failed; 0: none did */
};

static int fd_of(struct file *f)
{
    struct posix_file *pf = CONTAINER_OF(f, struct posix_file, file);

    ASSERT(pf->fd >= 0);
    return pf->fd;
}

static int rc_of(int result)
{
    return result < 0 ? err_from_errno(errno) : 0;
}

struct file *posix_file_new(int fd)
{
    struct posix_file *pf = xcalloc(1, sizeof(*pf));

    ASSERT(fd >= 0);
    file_init(&pf->file, &vfs_posix_ops);
    pf->fd = fd;
    ASSERT(pthread_mutex_init(&pf->sync_lock, NULL) == 0);
    return &pf->file;
}

int posix_file_pread(struct file *f, void *p, size_t n, uint64_t at, size_t *got)
{
    int fd = fd_of(f);

    while (*got < n) {
        ssize_t now = pread(fd, (uint8_t *)p + *got, n - *got, (off_t)(at + *got));

        if (now < 0 && errno == EINTR)
            continue;
        if (now < 0)
            return err_from_errno(errno);
        if (now == 0)
            break;
        *got += (size_t)now;
    }
    return 0;
}

/* Where a write of many pieces has come to. */
struct progress {
    const struct piece *pieces;
    int i, n_pieces;
    size_t skip; /* bytes of pieces[i] that are written */
};

/* What is next, as the kernel wants it; empty pieces are left out. */
static int fill_iovecs(const struct progress *at, struct iovec *iovecs)
{
    size_t skip = at->skip;
    int n = 0;

    for (int i = at->i; i < at->n_pieces && n < IOVECS_MAX; i++) {
        const struct piece *piece = &at->pieces[i];

        ASSERT(skip <= piece->n);
        if (piece->n > skip)
            iovecs[n++] = (struct iovec){(uint8_t *)(uintptr_t)piece->p + skip, piece->n - skip};
        skip = 0;
    }
    return n;
}

static void progress_by(struct progress *at, size_t written)
{
    while (at->i < at->n_pieces && written >= at->pieces[at->i].n - at->skip) {
        written -= at->pieces[at->i].n - at->skip;
        at->skip = 0;
        at->i++;
    }
    ASSERT(IMPLIES(at->i == at->n_pieces, written == 0));
    at->skip += written;
}

int posix_file_pwritev(struct file *f, const struct piece *pieces, int n_pieces, uint64_t position)
{
    struct iovec iovecs[IOVECS_MAX];
    struct progress at = {.pieces = pieces, .n_pieces = n_pieces};
    int fd = fd_of(f);

    for (;;) {
        int n = fill_iovecs(&at, iovecs);
        ssize_t now;

        if (n == 0)
            return 0;
        now = pwritev(fd, iovecs, n, (off_t)position);
        if (now < 0 && errno == EINTR)
            continue;
        if (now < 0)
            return err_from_errno(errno);
        if (now == 0)
            return E_IO;
        position += (size_t)now;
        progress_by(&at, (size_t)now);
    }
}

int posix_file_datasync(struct file *f)
{
    struct posix_file *pf = CONTAINER_OF(f, struct posix_file, file);
    int rc;

    pthread_mutex_lock(&pf->sync_lock);
    if (pf->sync_rc == 0)
        pf->sync_rc = rc_of(fdatasync(fd_of(f)));
    rc = pf->sync_rc;
    pthread_mutex_unlock(&pf->sync_lock);
    return rc;
}

int posix_file_truncate(struct file *f, uint64_t size_bytes)
{
    int fd = fd_of(f);
    int result;

    do
        result = ftruncate(fd, (off_t)size_bytes);
    while (result < 0 && errno == EINTR);
    return rc_of(result);
}

/* A file system that cannot reserve is no error: the write itself will tell. */
int posix_file_reserve(struct file *f, uint64_t at, uint64_t n)
{
    int fd = fd_of(f);
    int result;

    do
        result = fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)at, (off_t)n);
    while (result < 0 && errno == EINTR);
    if (result < 0 && (errno == EOPNOTSUPP || errno == ENOSYS))
        return 0;
    return rc_of(result);
}

int posix_file_size(struct file *f, uint64_t *out)
{
    struct stat st;
    int rc = rc_of(fstat(fd_of(f), &st));

    if (rc == 0)
        *out = (uint64_t)st.st_size;
    return rc;
}

int posix_file_set_mtime(struct file *f, struct wall mtime)
{
    int64_t ms = mtime.ms % 1000;
    int64_t s = mtime.ms / 1000 - (ms < 0);
    struct timespec times[2] = {
        {.tv_nsec = UTIME_OMIT},
        {.tv_sec = (time_t)s, .tv_nsec = (long)(ms < 0 ? ms + 1000 : ms) * 1000000},
    };

    return rc_of(futimens(fd_of(f), times));
}

/* A lock of the open file description: it conflicts with every other open of the file, in this
 * process, too, and with the locks of other processes, also the ones that Java's
 * FileChannel.tryLock takes. */
int posix_file_lock(struct file *f)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    if (fcntl(fd_of(f), F_OFD_SETLK, &lock) == 0)
        return 0;
    if (errno == EAGAIN || errno == EACCES)
        return E_LOCKED;
    return err_from_errno(errno);
}

/* The page cache keeps a file in folios of many pages, aligned to their size, and one that is named in part stays whole (Linux,
 * mapping_try_invalidate). The largest is what one entry of the page tables' second level maps: 2 MiB with pages of 4 KiB. */
static uint64_t folio_bytes_max(void)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

    return page * (page / sizeof(uint64_t));
}

/* Dirty folios stay, with all that is in them, so they are written first. What cannot be written is clean then, and goes with the
 * rest: the next read tells what the device has, which is why the error says nothing that the caller will not see. Writing the same
 * bytes again without this is not enough: ext4 takes blocks of a folio whose writeback failed for written ones, and after the next
 * writeback, a good one, they still read as zeros. */
int posix_file_drop_cache(struct file *f, uint64_t from)
{
    const unsigned all = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
    off_t begin = (off_t)(from & ~(folio_bytes_max() - 1));
    int error_number;

    (void)sync_file_range(fd_of(f), begin, 0, all);
    error_number = posix_fadvise(fd_of(f), begin, 0, POSIX_FADV_DONTNEED);
    return error_number ? err_from_errno(error_number) : 0;
}

/* Where the file system cannot tell (EOPNOTSUPP: tmpfs), the answer is yes: asking a lane each time
 * would cost more than it saves. */
static bool byte_is_warm(int fd, uint64_t at)
{
    uint8_t byte;
    struct iovec iovec = {&byte, 1};
    ssize_t got;

    do
        got = preadv2(fd, &iovec, 1, (off_t)at, RWF_NOWAIT);
    while (got < 0 && errno == EINTR);
    return got >= 0 || errno != EAGAIN;
}

bool posix_file_is_warm(struct file *f, uint64_t at, size_t n)
{
    int fd = fd_of(f);

    ASSERT(n > 0);
    if (!byte_is_warm(fd, at))
        return false;
    if (n > PAGE_BYTES && !byte_is_warm(fd, at + n - 1))
        return false;
    return n <= 2 * PAGE_BYTES || byte_is_warm(fd, at + n / 2);
}

int posix_file_fd(struct file *f)
{
    return fd_of(f);
}

/* What close says is of no use: what must be on the disk was synced. */
void posix_file_close(struct file *f)
{
    struct posix_file *pf = CONTAINER_OF(f, struct posix_file, file);

    (void)close(fd_of(f));
    pthread_mutex_destroy(&pf->sync_lock);
    free(pf);
}
