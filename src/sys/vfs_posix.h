/* What the two halves of the POSIX implementation share: names are in vfs_posix.c, open files in
 * file_posix.c. */
#ifndef BARNABAS_SYS_VFS_POSIX_H
#define BARNABAS_SYS_VFS_POSIX_H

#include "sys.h"

extern const struct vfs_ops vfs_posix_ops;

struct file *posix_file_new(int fd); /* takes the descriptor */

/* The file_ entries of the table, as struct vfs_ops describes them. */
int posix_file_pread(struct file *f, void *p, size_t n, uint64_t at, size_t *got);
int posix_file_pwritev(struct file *f, const struct piece *pieces, int n_pieces, uint64_t at);
int posix_file_datasync(struct file *f);
int posix_file_truncate(struct file *f, uint64_t size_bytes);
int posix_file_reserve(struct file *f, uint64_t at, uint64_t n);
int posix_file_size(struct file *f, uint64_t *out);
int posix_file_set_mtime(struct file *f, struct wall mtime);
int posix_file_lock(struct file *f);
int posix_file_drop_cache(struct file *f, uint64_t from);
bool posix_file_is_warm(struct file *f, uint64_t at, size_t n);
int posix_file_fd(struct file *f);
void posix_file_close(struct file *f);

#endif
