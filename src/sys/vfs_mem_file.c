/* Open files in memory.
 *
 * Owner: an open file keeps its node alive, also when the name is gone. One thread at a time.
 *
 * Happy path: a write past the end grows the data by doubling; what lies between is zero.
 * Failures:   a write or a reservation past the total space is E_NOSPC; as much of the write as
 *             fits is done, as a disk does it.
 */
#include "vfs_mem.h"

#define DATA_BYTES_MIN 64

struct mem_file {
    struct file file;
    struct vfs_mem *mem;
    struct mem_node *node;
    bool writable, has_lock;
};

static struct mem_file *mem_file_of(struct file *f)
{
    struct mem_file *mf = CONTAINER_OF(f, struct mem_file, file);

    ASSERT(f->ops == &vfs_mem_ops);
    return mf;
}

struct file *mem_file_new(struct vfs_mem *m, struct mem_node *node, bool writable)
{
    struct mem_file *mf = xcalloc(1, sizeof(*mf));

    ASSERT(!node->is_dir);
    file_init(&mf->file, &vfs_mem_ops);
    mf->mem = m;
    mf->node = node;
    mf->writable = writable;
    node->n_open++;
    m->n_open++;
    return &mf->file;
}

int mem_file_pread(struct file *f, void *p, size_t n, uint64_t at, size_t *got)
{
    const struct mem_node *node = mem_file_of(f)->node;

    if (at >= node->size_bytes)
        return 0;
    *got = MIN(n, node->size_bytes - at);
    if (*got)
        memcpy(p, node->data + at, *got);
    return 0;
}

/* How many bytes the file may be long without taking more than the space there is. */
static uint64_t size_limit(const struct vfs_mem *m, const struct mem_node *node)
{
    uint64_t others = m->used_bytes - mem_used(node);

    return MAX(m->total_bytes > others ? m->total_bytes - others : 0, mem_used(node));
}

static void set_extent(struct vfs_mem *m, struct mem_node *node, uint64_t size_bytes,
                       uint64_t reserved_bytes)
{
    m->used_bytes -= mem_used(node);
    node->size_bytes = size_bytes;
    node->reserved_bytes = reserved_bytes;
    m->used_bytes += mem_used(node);
}

static void grow_data(struct mem_node *node, uint64_t size_bytes)
{
    uint64_t cap = MAX(node->cap, DATA_BYTES_MIN);

    ASSERT(size_bytes <= SIZE_MAX / 4);
    if (size_bytes <= node->cap)
        return;
    while (cap < size_bytes)
        cap *= 2;
    node->data = xrealloc(node->data, cap);
    memset(node->data + node->cap, 0, cap - node->cap);
    node->cap = cap;
}

/* Makes the file at least `end` bytes long, or as long as the space allows: then E_NOSPC. */
static int extend(struct mem_file *mf, uint64_t end)
{
    struct mem_node *node = mf->node;
    uint64_t limit = size_limit(mf->mem, node);
    uint64_t size_bytes = MIN(end, limit);

    if (size_bytes > node->size_bytes) {
        grow_data(node, size_bytes);
        set_extent(mf->mem, node, size_bytes, node->reserved_bytes);
    }
    return end > limit ? E_NOSPC : 0;
}

static int write_piece(struct mem_file *mf, const struct piece *piece, uint64_t at)
{
    struct mem_node *node = mf->node;
    int rc = extend(mf, at + piece->n);

    if (at < node->size_bytes)
        memcpy(node->data + at, piece->p, MIN(piece->n, node->size_bytes - at));
    return rc;
}

int mem_file_pwritev(struct file *f, const struct piece *pieces, int n_pieces, uint64_t at)
{
    struct mem_file *mf = mem_file_of(f);
    int rc = 0;

    if (!mf->writable)
        return E_IO;
    for (int i = 0; i < n_pieces && rc == 0; i++) {
        if (pieces[i].n == 0)
            continue;
        rc = write_piece(mf, &pieces[i], at);
        at += pieces[i].n;
    }
    mf->node->mtime = clock_wall(mf->mem->clock);
    return rc;
}

int mem_file_datasync(struct file *f)
{
    (void)mem_file_of(f);
    return 0;
}

int mem_file_truncate(struct file *f, uint64_t size_bytes)
{
    struct mem_file *mf = mem_file_of(f);
    struct mem_node *node = mf->node;
    int rc = 0;

    if (!mf->writable)
        return E_IO;
    if (size_bytes > size_limit(mf->mem, node))
        return E_NOSPC;
    if (size_bytes <= node->size_bytes) {
        if (size_bytes < node->size_bytes)
            memset(node->data + size_bytes, 0, node->size_bytes - size_bytes);
        set_extent(mf->mem, node, size_bytes, MIN(node->reserved_bytes, size_bytes));
    } else {
        rc = extend(mf, size_bytes);
    }
    node->mtime = clock_wall(mf->mem->clock);
    return rc;
}

int mem_file_reserve(struct file *f, uint64_t at, uint64_t n)
{
    struct mem_file *mf = mem_file_of(f);
    struct mem_node *node = mf->node;

    if (!mf->writable)
        return E_IO;
    if (at + n > size_limit(mf->mem, node))
        return E_NOSPC;
    set_extent(mf->mem, node, node->size_bytes, MAX(node->reserved_bytes, at + n));
    return 0;
}

int mem_file_size(struct file *f, uint64_t *out)
{
    *out = mem_file_of(f)->node->size_bytes;
    return 0;
}

int mem_file_set_mtime(struct file *f, struct wall mtime)
{
    mem_file_of(f)->node->mtime = mtime;
    return 0;
}

int mem_file_lock(struct file *f)
{
    struct mem_file *mf = mem_file_of(f);

    if (mf->has_lock)
        return 0;
    if (mf->node->locked)
        return E_LOCKED;
    mf->node->locked = true;
    mf->has_lock = true;
    return 0;
}

int mem_file_drop_cache(struct file *f, uint64_t from)
{
    (void)mem_file_of(f);
    return 0;
}

bool mem_file_is_warm(struct file *f, uint64_t at, size_t n)
{
    (void)mem_file_of(f);
    return true;
}

int mem_file_fd(struct file *f)
{
    (void)mem_file_of(f);
    return -1;
}

void mem_file_close(struct file *f)
{
    struct mem_file *mf = mem_file_of(f);

    ASSERT(mf->node->n_open > 0);
    ASSERT(mf->mem->n_open > 0);
    if (mf->has_lock)
        mf->node->locked = false;
    mf->node->n_open--;
    mf->mem->n_open--;
    mem_free_if_unused(mf->mem, mf->node);
    free(mf);
}
