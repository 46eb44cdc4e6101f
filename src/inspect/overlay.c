/* Changes to files, in memory, over a file system that is only read.
 *
 * Owner: who made it; one thread (jobs of simulated lanes run on the same).
 *
 * Every file that is opened, made, renamed or removed has a node by its path (overlay_bytes.c: its
 * contents). What is removed leaves a node that is `gone`.
 *
 * Invariant:  nothing below is opened for writing.
 * Failures:   E_* of the reads below. Renaming a directory is E_INVALID: nobody here does.
 */
#include "overlay_impl.h"

static struct overlay *overlay_of(struct vfs *v)
{
    struct overlay *o = CONTAINER_OF(v, struct overlay, vfs);

    ASSERT(o->magic == OVERLAY_MAGIC);
    return o;
}

static struct node *node_of(struct file *f)
{
    return CONTAINER_OF(f, struct overlay_file, file)->node;
}

/* ---- nodes ---------------------------------------------------------------------------------- */

static struct node *find(struct overlay *o, const char *path)
{
    struct node *n;

    HASH_FIND(by_path, o->nodes, path, strlen(path), n);
    return n;
}

static void link_node(struct overlay *o, struct node *n, const char *path)
{
    ASSERT(!n->linked);
    free(n->path);
    n->path = xstrdup(path);
    n->linked = true;
    HASH_ADD_KEYPTR(by_path, o->nodes, n->path, strlen(n->path), n);
}

static struct node *add(struct overlay *o, const char *path)
{
    struct node *n = xcalloc(1, sizeof(*n));
    static const char aside[] = ".corrupt";
    size_t length = strlen(path);

    n->no_pages = length > sizeof(aside) && strcmp(path + length + 1 - sizeof(aside), aside) == 0;
    link_node(o, n, path);
    return n;
}

static void free_if_unused(struct node *n)
{
    if (n->linked || n->n_open > 0)
        return;
    overlay_drop_pages(n, 0);
    file_unref(n->below);
    free(n->origin);
    free(n->path);
    free(n);
}

static void unlink_node(struct overlay *o, struct node *n)
{
    HASH_DELETE(by_path, o->nodes, n);
    n->linked = false;
    free_if_unused(n);
}

/* The node of what is there, made when it is only below; NULL and *rc when nothing is there. */
static struct node *need(struct overlay *o, const char *path, int *rc)
{
    struct node *n = find(o, path);
    struct vfs_stat st;

    *rc = n && n->gone ? E_NOENT : 0;
    if (n)
        return n->gone ? NULL : n;
    *rc = vfs_stat(o->base, path, &st);
    if (*rc < 0)
        return NULL;
    n = add(o, path);
    n->is_dir = st.is_dir;
    n->origin = xstrdup(path);
    n->origin_bytes = n->size_bytes = st.size_bytes;
    n->no_pages = false;
    return n;
}

static void bury(struct overlay *o, const char *path)
{
    add(o, path)->gone = true;
}

/* ---- open files ----------------------------------------------------------------------------- */

static int overlay_pread(struct file *f, void *p, size_t want, uint64_t at, size_t *got)
{
    struct node *n = node_of(f);

    *got = at < n->size_bytes ? (size_t)MIN(want, n->size_bytes - at) : 0;
    return overlay_read_bytes(CONTAINER_OF(f, struct overlay_file, file)->o, n, p, *got, at);
}

static int overlay_pwritev(struct file *f, const struct piece *pieces, int n_pieces, uint64_t at)
{
    int rc = 0;

    for (int i = 0; i < n_pieces && rc == 0; i++) {
        rc = overlay_write_bytes(CONTAINER_OF(f, struct overlay_file, file)->o, node_of(f),
                                 pieces[i].p, pieces[i].n, at);
        at += pieces[i].n;
    }
    return rc;
}

static int overlay_truncate(struct file *f, uint64_t size_bytes)
{
    overlay_cut_bytes(node_of(f), size_bytes);
    return 0;
}

static int overlay_size(struct file *f, uint64_t *out)
{
    *out = node_of(f)->size_bytes;
    return 0;
}

static int overlay_drop_cache(struct file *f, uint64_t from)
{
    struct node *n = node_of(f);

    return n->below ? file_drop_cache(n->below, from) : 0;
}

static int file_nothing(struct file *f)
{
    return 0;
}

static int overlay_reserve(struct file *f, uint64_t at, uint64_t n)
{
    return 0;
}

static int overlay_set_mtime(struct file *f, struct wall mtime)
{
    return 0;
}

static bool overlay_is_warm(struct file *f, uint64_t at, size_t n)
{
    return true;
}

static int overlay_fd(struct file *f)
{
    return -1;
}

static void overlay_close(struct file *f)
{
    struct overlay_file *of = CONTAINER_OF(f, struct overlay_file, file);
    struct node *n = of->node;

    ASSERT(n->n_open > 0);
    if (--n->n_open == 0) {
        file_unref(n->below);
        n->below = NULL;
    }
    free_if_unused(n);
    free(of);
}

/* ---- names ---------------------------------------------------------------------------------- */

static int overlay_open(struct vfs *v, const char *path, int flags, struct file **out)
{
    struct overlay *o = overlay_of(v);
    struct overlay_file *of;
    struct node *n;
    int rc;

    n = need(o, path, &rc);
    if (n && (flags & VFS_EXCLUSIVE))
        return E_EXIST;
    if (n && n->is_dir)
        return E_ISDIR;
    if (!n && (rc != E_NOENT || !(flags & VFS_CREATE)))
        return rc;
    if (!n) {
        if (find(o, path))
            unlink_node(o, find(o, path));
        n = add(o, path);
    }
    of = xcalloc(1, sizeof(*of));
    file_init(&of->file, v->ops);
    of->o = o;
    of->node = n;
    n->n_open++;
    if (flags & VFS_TRUNCATE)
        (void)overlay_truncate(&of->file, 0);
    *out = &of->file;
    return 0;
}

static int overlay_stat(struct vfs *v, const char *path, struct vfs_stat *out)
{
    struct overlay *o = overlay_of(v);
    struct node *n = find(o, path);

    if (!n)
        return vfs_stat(o->base, path, out);
    if (n->gone)
        return E_NOENT;
    *out = (struct vfs_stat){.size_bytes = n->size_bytes, .is_dir = n->is_dir};
    return 0;
}

static int overlay_unlink(struct vfs *v, const char *path)
{
    struct overlay *o = overlay_of(v);
    int rc;
    struct node *n = need(o, path, &rc);

    if (!n)
        return rc;
    unlink_node(o, n);
    bury(o, path);
    return 0;
}

static int overlay_rename(struct vfs *v, const char *from, const char *to)
{
    struct overlay *o = overlay_of(v);
    int rc;
    struct node *n = need(o, from, &rc), *other = find(o, to);

    if (!n)
        return rc;
    if (n->is_dir)
        return E_INVALID;
    if (other)
        unlink_node(o, other);
    HASH_DELETE(by_path, o->nodes, n);
    n->linked = false;
    link_node(o, n, to);
    bury(o, from);
    return 0;
}

static int overlay_mkdir(struct vfs *v, const char *path)
{
    struct overlay *o = overlay_of(v);
    int rc;

    if (need(o, path, &rc))
        return E_EXIST;
    if (rc != E_NOENT)
        return rc;
    if (find(o, path))
        unlink_node(o, find(o, path));
    add(o, path)->is_dir = true;
    return 0;
}

struct listing {
    struct overlay *o;
    const char *dir;
    vfs_entry_fn *fn;
    void *arg;
};

static int list_below(void *arg, const char *name, bool is_dir)
{
    struct listing *l = arg;
    char *path = xasprintf("%s/%s", l->dir, name);
    bool known = find(l->o, path);

    free(path);
    return known ? 0 : l->fn(l->arg, name, is_dir);
}

/* What comes after the directory's name and a slash, where no more slash follows; else NULL. */
static const char *name_in(const char *path, const char *dir)
{
    size_t n = strlen(dir);

    if (strncmp(path, dir, n) != 0 || path[n] != '/' || strchr(path + n + 1, '/'))
        return NULL;
    return path + n + 1;
}

static int overlay_list(struct vfs *v, const char *path, vfs_entry_fn *fn, void *arg)
{
    struct overlay *o = overlay_of(v);
    struct listing l = {o, path, fn, arg};
    struct node *dir = find(o, path), *n, *tmp;
    int rc;

    if (dir && dir->gone)
        return E_NOENT;
    rc = dir && !dir->origin ? 0 : vfs_list(o->base, path, list_below, &l);
    HASH_ITER(by_path, o->nodes, n, tmp)
    {
        const char *name = rc == 0 && !n->gone ? name_in(n->path, path) : NULL;

        if (name)
            rc = fn(arg, name, n->is_dir);
    }
    return rc;
}

static int name_nothing(struct vfs *v, const char *path)
{
    return 0;
}

static int overlay_space(struct vfs *v, const char *path, struct vfs_space *out)
{
    return vfs_space(overlay_of(v)->base, path, out);
}

static const struct vfs_ops overlay_ops = {
    .open = overlay_open,
    .stat = overlay_stat,
    .rename = overlay_rename,
    .unlink = overlay_unlink,
    .mkdir = overlay_mkdir,
    .rmdir = overlay_unlink,
    .list = overlay_list,
    .sync_dir = name_nothing,
    .sync_all = name_nothing,
    .space = overlay_space,
    .file_pread = overlay_pread,
    .file_pwritev = overlay_pwritev,
    .file_datasync = file_nothing,
    .file_truncate = overlay_truncate,
    .file_reserve = overlay_reserve,
    .file_size = overlay_size,
    .file_set_mtime = overlay_set_mtime,
    .file_lock = file_nothing,
    .file_drop_cache = overlay_drop_cache,
    .file_is_warm = overlay_is_warm,
    .file_fd = overlay_fd,
    .file_close = overlay_close,
};

/* ---- life, and what has changed ------------------------------------------------------------- */

struct vfs *overlay_new(struct vfs *base)
{
    struct overlay *o = xcalloc(1, sizeof(*o));

    o->vfs.ops = &overlay_ops;
    o->magic = OVERLAY_MAGIC;
    o->base = base;
    return &o->vfs;
}

void overlay_free(struct vfs *v)
{
    struct overlay *o = overlay_of(v);
    struct node *n, *tmp;

    HASH_ITER(by_path, o->nodes, n, tmp)
    {
        ASSERT(n->n_open == 0);
        unlink_node(o, n);
    }
    free(o);
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(struct node *const *)a)->path, (*(struct node *const *)b)->path);
}

static void tell(struct overlay *o, const struct node *n, overlay_change_fn *fn, void *arg)
{
    struct vfs_stat st;
    bool was = vfs_stat(o->base, n->path, &st) == 0;

    if (n->is_dir)
        return;
    if (n->gone && was)
        fn(arg, OVERLAY_REMOVED, n->path, NULL, st.size_bytes);
    else if (n->gone)
        return;
    else if (n->origin && strcmp(n->origin, n->path) != 0)
        fn(arg, OVERLAY_RENAMED, n->path, n->origin, n->size_bytes);
    else if (!was)
        fn(arg, OVERLAY_MADE, n->path, NULL, n->size_bytes);
    else if (!n->pages && n->size_bytes < st.size_bytes && n->origin_bytes == n->size_bytes)
        fn(arg, OVERLAY_CUT, n->path, NULL, st.size_bytes - n->size_bytes);
    else if (n->pages || n->size_bytes != st.size_bytes || n->origin_bytes != n->size_bytes)
        fn(arg, OVERLAY_CHANGED, n->path, NULL, n->size_bytes);
}

void overlay_changes(struct vfs *v, const char *dir, overlay_change_fn *fn, void *arg)
{
    struct overlay *o = overlay_of(v);
    struct node **all = xcalloc(HASH_CNT(by_path, o->nodes) + 1, sizeof(struct node *));
    size_t n_all = 0, n_dir = strlen(dir);
    struct node *n, *tmp;

    HASH_ITER(by_path, o->nodes, n, tmp)
    {
        if (strncmp(n->path, dir, n_dir) == 0 && n->path[n_dir] == '/')
            all[n_all++] = n;
    }
    qsort(all, n_all, sizeof(struct node *), by_name);
    for (size_t i = 0; i < n_all; i++)
        tell(o, all[i], fn, arg);
    free(all);
}
