/* The simulated disk: operations on names, and the table.
 *
 * Owner: who built the env; one thread at a time. It outlives brokers, so that a restart finds what
 * the end of the one before left.
 *
 * Failures:   as POSIX, and as vfs_mem answers: a directory that is not empty stays, a file does
 *             not replace a directory, nor the reverse. A call that fails by a fault has changed
 *             nothing (a short write apart).
 */
#include "sim_impl.h"

#define SECTOR_BYTES_DEFAULT 512
#define SPACE_BYTES_DEFAULT  ((uint64_t)1 << 40)

struct sim *sim_of(const struct vfs *v)
{
    struct sim *s = CONTAINER_OF(v, struct sim, vfs);

    ASSERT(s->magic == SIM_MAGIC);
    return s;
}

/* Puts one name where none is, or takes one away (node NULL). */
static void change_name(struct sim *s, struct sim_node *dir, struct str name, struct sim_node *node)
{
    char *text = str_dup(name);
    struct name_set set = {.dir = dir, .name = text, .node = node};

    sim_change_names(s, &set, 1);
    free(text);
}

static struct sim_node *create(struct sim *s, struct sim_node *dir, struct str name, bool is_dir)
{
    struct sim_node *n = node_new(s, is_dir);

    change_name(s, dir, name, n);
    node_unref(s, n); /* its names hold it */
    return n;
}

static int open_checked(struct sim *s, const char *path, int flags, struct sim_node *n, int rc,
                        struct file **out)
{
    struct str last;
    struct sim_node *dir;

    if (n && n->is_dir)
        return E_ISDIR;
    if (n && (flags & VFS_EXCLUSIVE))
        return E_EXIST;
    if (!n && (rc != E_NOENT || !(flags & VFS_CREATE)))
        return rc;
    if (!n) {
        dir = sim_find_parent(s, path, &last, &rc);
        if (!dir)
            return rc;
        n = create(s, dir, last, false);
    }
    *out = sim_file_new(s, n, path, (flags & VFS_WRITE) != 0);
    if (flags & VFS_TRUNCATE) {
        n->reserved_bytes = 0;
        data_resize(s, n, 0);
        n->mtime = clock_wall(s->clock);
        node_count_space(s, n);
    }
    return 0;
}

static int sim_open(struct vfs *v, const char *path, int flags, struct file **out)
{
    struct sim *s = sim_of(v);
    int found;
    struct sim_node *n = sim_find(s, path, false, &found);
    bool makes = !n && found == E_NOENT && (flags & VFS_CREATE);
    bool empties = n && (flags & VFS_TRUNCATE) && n->live.size > 0;
    struct call c = {
        .s = s, .op = SIM_OPEN, .path = path, .at = (uint64_t)flags, .change = makes || empties};
    int rc = sim_begin(&c);

    return sim_end(&c, rc < 0 ? rc : open_checked(s, path, flags, n, found, out));
}

static int sim_stat(struct vfs *v, const char *path, struct vfs_stat *out)
{
    struct sim *s = sim_of(v);
    struct call c = {.s = s, .op = SIM_STAT, .path = path};
    int rc = sim_begin(&c);
    struct sim_node *n;

    if (rc < 0)
        return sim_end(&c, rc);
    n = sim_find(s, path, false, &rc);
    if (n)
        *out =
            (struct vfs_stat){.size_bytes = n->live.size, .mtime = n->mtime, .is_dir = n->is_dir};
    return sim_end(&c, rc);
}

static bool is_within(const struct sim_node *n, const struct sim_node *dir)
{
    while (n && n != dir)
        n = n->parent;
    return n != NULL;
}

static const char *name_of(const struct sim_node *n)
{
    struct sim_entry *e;
    struct sim_entry *next;

    HASH_ITER(hh, n->parent->live_names, e, next)
    if (e->node == n)
        return e->name;
    ASSERT(false);
    return NULL;
}

static int rename_node(struct sim *s, struct sim_node *n, struct sim_node *dir, struct str last)
{
    struct sim_node *there = names_get(dir->live_names, last);
    struct name_set sets[2];
    char *old_name, *new_name;

    if (there == n)
        return 0;
    if (n == s->root || is_within(dir, n))
        return E_IO;
    if (there && there->is_dir != n->is_dir)
        return E_ISDIR;
    if (there && there->live_names)
        return E_NOTEMPTY;
    old_name = xstrdup(name_of(n));
    new_name = str_dup(last);
    sets[0] = (struct name_set){.dir = n->parent, .name = old_name};
    sets[1] = (struct name_set){.dir = dir, .name = new_name, .node = n};
    node_ref(n);
    sim_change_names(s, sets, 2);
    node_unref(s, n);
    free(old_name);
    free(new_name);
    return 0;
}

static int sim_rename(struct vfs *v, const char *from, const char *to)
{
    struct sim *s = sim_of(v);
    struct call c = {.s = s, .op = SIM_RENAME, .path = from, .path2 = to};
    int rc = sim_begin(&c);
    struct str last;
    struct sim_node *n;
    struct sim_node *dir = NULL;

    if (rc < 0)
        return sim_end(&c, rc);
    n = sim_find(s, from, false, &rc);
    if (n)
        dir = sim_find_parent(s, to, &last, &rc);
    return sim_end(&c, dir ? rename_node(s, n, dir, last) : rc);
}

static int remove_checked(struct sim *s, const char *path, bool is_dir)
{
    int rc;
    struct sim_node *n = sim_find(s, path, false, &rc);
    struct str last;
    struct sim_node *dir;

    if (!n)
        return rc;
    if (n->is_dir != is_dir)
        return E_ISDIR;
    if (n->live_names)
        return E_NOTEMPTY;
    if (n == s->root)
        return E_ACCESS;
    dir = sim_find_parent(s, path, &last, &rc);
    change_name(s, dir, last, NULL);
    return 0;
}

static int sim_unlink(struct vfs *v, const char *path)
{
    struct call c = {.s = sim_of(v), .op = SIM_UNLINK, .path = path};
    int rc = sim_begin(&c);

    return sim_end(&c, rc < 0 ? rc : remove_checked(c.s, path, false));
}

static int sim_rmdir(struct vfs *v, const char *path)
{
    struct call c = {.s = sim_of(v), .op = SIM_RMDIR, .path = path};
    int rc = sim_begin(&c);

    return sim_end(&c, rc < 0 ? rc : remove_checked(c.s, path, true));
}

static int mkdir_checked(struct sim *s, const char *path)
{
    struct str last;
    int rc;
    struct sim_node *dir = sim_find_parent(s, path, &last, &rc);

    if (!dir)
        return rc;
    if (names_get(dir->live_names, last))
        return E_EXIST;
    (void)create(s, dir, last, true);
    return 0;
}

static int sim_mkdir(struct vfs *v, const char *path)
{
    struct call c = {.s = sim_of(v), .op = SIM_MKDIR, .path = path};
    int rc = sim_begin(&c);

    return sim_end(&c, rc < 0 ? rc : mkdir_checked(c.s, path));
}

static struct sim_node *find_dir(struct sim *s, const char *path, int *rc)
{
    struct sim_node *n = sim_find(s, path, false, rc);

    if (n && !n->is_dir) {
        *rc = E_ISDIR;
        return NULL;
    }
    return n;
}

/* fn may remove the entry that it is called for, and no other. */
static int sim_list(struct vfs *v, const char *path, vfs_entry_fn *fn, void *arg)
{
    struct call c = {.s = sim_of(v), .op = SIM_LIST, .path = path};
    int rc = sim_begin(&c);
    struct sim_node *dir;
    struct sim_entry *e;
    struct sim_entry *next;

    if (rc < 0)
        return sim_end(&c, rc);
    dir = find_dir(c.s, path, &rc);
    (void)sim_end(&c, rc);
    if (!dir)
        return rc;
    HASH_ITER(hh, dir->live_names, e, next)
    {
        rc = fn(arg, e->name, e->node->is_dir);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int sync_dir_checked(struct sim *s, const char *path)
{
    int rc;
    const struct sim_node *dir = find_dir(s, path, &rc);

    if (!dir)
        return rc;
    for (uint32_t i = 0; i < s->n_name_ops; i++)
        for (uint32_t k = 0; k < s->name_ops[i].n_sets; k++)
            s->name_ops[i].kept |= s->name_ops[i].sets[k].dir == dir;
    sim_settle_names(s, false);
    return 0;
}

static int sim_sync_dir(struct vfs *v, const char *path)
{
    struct call c = {.s = sim_of(v), .op = SIM_SYNC_DIR, .path = path};
    int rc = sim_begin(&c);

    return sim_end(&c, rc < 0 ? rc : sync_dir_checked(c.s, path));
}

static int sync_all_checked(struct sim *s, const char *path, bool lose)
{
    int rc;

    if (!sim_find(s, path, false, &rc))
        return rc;
    LIST_FOREACH(it, &s->nodes)
    {
        struct sim_node *n = CONTAINER_OF(it, struct sim_node, link);

        if (lose)
            data_lose(n);
        else
            data_sync(n);
    }
    for (uint32_t i = 0; i < s->n_name_ops && !lose; i++)
        s->name_ops[i].kept = true;
    sim_settle_names(s, false);
    return 0;
}

static int sim_sync_all(struct vfs *v, const char *path)
{
    struct call c = {.s = sim_of(v), .op = SIM_SYNC_ALL, .path = path};
    int rc = sim_begin(&c);

    if (rc == 0)
        rc = sync_all_checked(c.s, path, c.fault == SIM_LOSE);
    return sim_end(&c, rc == 0 && c.fault == SIM_LOSE ? c.fault_rc : rc);
}

static int sim_space(struct vfs *v, const char *path, struct vfs_space *out)
{
    struct sim *s = sim_of(v);
    struct call c = {.s = s, .op = SIM_SPACE, .path = path};
    int rc = sim_begin(&c);

    if (rc == 0 && sim_find(s, path, false, &rc)) {
        out->total_bytes = s->options.total_bytes;
        out->free_bytes = out->total_bytes > s->used_bytes ? out->total_bytes - s->used_bytes : 0;
    }
    return sim_end(&c, rc);
}

const struct vfs_ops sim_ops = {
    .open = sim_open,
    .stat = sim_stat,
    .rename = sim_rename,
    .unlink = sim_unlink,
    .mkdir = sim_mkdir,
    .rmdir = sim_rmdir,
    .list = sim_list,
    .sync_dir = sim_sync_dir,
    .sync_all = sim_sync_all,
    .space = sim_space,
    .file_pread = sim_file_pread,
    .file_pwritev = sim_file_pwritev,
    .file_datasync = sim_file_datasync,
    .file_truncate = sim_file_truncate,
    .file_reserve = sim_file_reserve,
    .file_size = sim_file_size,
    .file_set_mtime = sim_file_set_mtime,
    .file_lock = sim_file_lock,
    .file_drop_cache = sim_file_drop_cache,
    .file_is_warm = sim_file_is_warm,
    .file_fd = sim_file_fd,
    .file_close = sim_file_close,
};

struct vfs *vfs_sim_new(struct clock *clock, const struct vfs_sim_options *options)
{
    struct sim *s = xcalloc(1, sizeof(*s));

    ASSERT(clock);
    s->vfs.ops = &sim_ops;
    s->magic = SIM_MAGIC;
    s->clock = clock;
    if (options)
        s->options = *options;
    if (!s->options.sector_bytes)
        s->options.sector_bytes = SECTOR_BYTES_DEFAULT;
    if (!s->options.total_bytes)
        s->options.total_bytes = SPACE_BYTES_DEFAULT;
    rng_init(&s->rng, s->options.seed);
    list_init(&s->nodes);
    s->root = node_new(s, true);
    return &s->vfs;
}

void vfs_sim_free(struct vfs *v)
{
    struct sim *s;

    if (!v)
        return;
    s = sim_of(v);
    if (s->n_open > 0)
        sim_misuse(s, "%zu files are still open", s->n_open);
    ASSERT(s->n_open == 0);
    sim_settle_names(s, true);
    node_unref(s, s->root);
    ASSERT(list_empty(&s->nodes));
    sim_release_faults(s);
    free(s->name_ops);
    s->magic = 0;
    free(s);
}

void vfs_sim_set_device(struct vfs *v, uint32_t sector_bytes, bool ordered, bool size_before_data)
{
    ASSERT(sector_bytes > 0);
    sim_of(v)->options.sector_bytes = sector_bytes;
    sim_of(v)->options.ordered = ordered;
    sim_of(v)->options.size_before_data = size_before_data;
}

void vfs_sim_set_space(struct vfs *v, uint64_t total_bytes)
{
    sim_of(v)->options.total_bytes = total_bytes;
}

size_t vfs_sim_open_files(struct vfs *v)
{
    return sim_of(v)->n_open;
}

void vfs_sim_set_startup(struct vfs *v, bool on)
{
    sim_of(v)->startup = on;
}
