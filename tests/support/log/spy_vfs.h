/* A vfs in front of another: it writes down what is done, and makes the n-th call of a kind fail. */
#ifndef BARNABAS_TEST_LOG_SPY_VFS_H
#define BARNABAS_TEST_LOG_SPY_VFS_H

#include "sys.h"

/* What is written down, one character each. */
#define SPY_DATASYNC 'f'
#define SPY_SYNC_DIR 'd'
#define SPY_SYNC_ALL 'a'
#define SPY_WRITE    'w'
#define SPY_RENAME   'r'
#define SPY_UNLINK   'u'
/* Only fail, and are not written down. */
#define SPY_OPEN     'o'
#define SPY_READ     'R'

#define SPY_PATH_MAX 256
#define SPY_LOG_MAX  4096

struct spy_vfs {
    struct vfs vfs;
    struct vfs *under;
    char log[SPY_LOG_MAX]; /* in order; "" after spy_forget */
    size_t n_log;
    char fail_what; /* 0: nothing fails */
    int fail_after; /* of these, so many succeed before one fails */
    int fail_rc;
    const char *only; /* NULL, or: only paths that contain this are written down and fail */
};
bool spy_has_failed(const struct spy_vfs *s); /* what spy_fail asked for has happened */
struct spy_vfs *spy_vfs_new(struct vfs *under);
void spy_vfs_free(struct spy_vfs *s); /* not what is under it */
void spy_forget(struct spy_vfs *s);
void spy_fail(struct spy_vfs *s, char what, int after, int rc);

#endif
