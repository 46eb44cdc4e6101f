/* Looking at a simulated disk, damaging it from outside, and copying it. */
#include "sim_impl.h"

#include <errno.h>
#include <sys/stat.h>

uint64_t vfs_sim_ops(const struct vfs *v)
{
    return sim_of(v)->n_calls;
}

uint64_t vfs_sim_changes(const struct vfs *v)
{
    return sim_of(v)->n_changes;
}

uint64_t vfs_sim_pending(const struct vfs *v)
{
    struct sim *s = sim_of(v);
    uint64_t n = s->n_name_ops;

    LIST_FOREACH(it, &s->nodes)
    n += CONTAINER_OF(it, struct sim_node, link)->n_ops;
    return n;
}

uint64_t vfs_sim_faults_fired(const struct vfs *v)
{
    return sim_of(v)->n_fired;
}

int64_t vfs_sim_take_latency_ns(struct vfs *v)
{
    struct sim *s = sim_of(v);
    int64_t ns = s->latency_ns;

    s->latency_ns = 0;
    return ns;
}

void vfs_sim_set_trace(struct vfs *v, void (*line)(void *arg, const char *text), void *arg)
{
    struct sim *s = sim_of(v);

    s->trace = line;
    s->trace_arg = arg;
}

static struct sim_node *find_durable_file(struct sim *s, const char *path, int *rc)
{
    struct sim_node *n = sim_find(s, path, true, rc);

    if (n && n->is_dir) {
        *rc = E_ISDIR;
        return NULL;
    }
    return n;
}

int vfs_sim_device_read(struct vfs *v, const char *path, struct buf *out)
{
    int rc;
    const struct sim_node *n = find_durable_file(sim_of(v), path, &rc);

    if (n)
        (void)content_read(&n->durable, buf_grow(out, n->durable.size), n->durable.size, 0);
    return rc;
}

int vfs_sim_rot(struct vfs *v, const char *path, uint64_t at, unsigned bit)
{
    int rc;
    struct sim_node *n = find_durable_file(sim_of(v), path, &rc);

    ASSERT(bit < 8);
    if (!n)
        return rc;
    if (at >= n->durable.size)
        return E_EOF;
    content_own(&n->durable)[at] ^= (uint8_t)(1u << bit);
    n->stale = true;
    return 0;
}

void vfs_sim_drop_caches(struct vfs *v)
{
    struct sim *s = sim_of(v);

    LIST_FOREACH(it, &s->nodes)
    {
        struct sim_node *n = CONTAINER_OF(it, struct sim_node, link);

        data_refresh(n);
        n->cold = s->options.cold_reads;
    }
}

/* ---- copies ---------------------------------------------------------------------------------- */

static void copy_file(struct sim_node *to, const struct sim_node *from)
{
    content_share(&to->live, &from->live);
    content_share(&to->durable, &from->durable);
    to->stale = from->stale;
    to->cold = from->cold;
    to->reserved_bytes = from->reserved_bytes;
    to->mtime = from->mtime;
    to->durable_mtime = from->durable_mtime;
    if (from->n_gaps)
        to->gaps = xmemdup(from->gaps, from->n_gaps * sizeof(*from->gaps));
    to->n_gaps = from->n_gaps;
    if (from->n_ops == 0)
        return;
    to->ops = xmemdup(from->ops, from->n_ops * sizeof(*from->ops));
    to->n_ops = to->cap_ops = from->n_ops;
    for (uint32_t i = 0; i < to->n_ops; i++)
        (void)sim_bytes_ref(to->ops[i].bytes);
}

static void copy_names(struct sim *s, struct sim_node *to, const struct sim_node *from)
{
    struct sim_entry *e;
    struct sim_entry *next;

    HASH_ITER(hh, from->live_names, e, next)
    {
        names_set(s, &to->live_names, e->name, e->node->twin);
        e->node->twin->parent = to;
    }
    HASH_ITER(hh, from->durable_names, e, next)
    names_set(s, &to->durable_names, e->name, e->node->twin);
}

static void copy_name_ops(struct sim *to, const struct sim *from)
{
    to->name_ops = xcalloc(from->n_name_ops + 1, sizeof(*to->name_ops));
    to->cap_name_ops = from->n_name_ops + 1;
    to->n_name_ops = from->n_name_ops;
    for (uint32_t i = 0; i < to->n_name_ops; i++) {
        struct name_op *op = &to->name_ops[i];

        *op = from->name_ops[i];
        for (uint32_t k = 0; k < op->n_sets; k++) {
            struct name_set *set = &op->sets[k];

            set->name = xstrdup(set->name);
            set->dir = node_ref(set->dir->twin);
            set->node = set->node ? node_ref(set->node->twin) : NULL;
        }
    }
}

struct vfs *vfs_sim_clone(struct vfs *v, struct clock *clock)
{
    struct sim *from = sim_of(v);
    struct sim *to = sim_of(vfs_sim_new(clock ? clock : from->clock, &from->options));
    struct sim_node **held;
    size_t n_held;

    to->rng = from->rng;
    to->seq_next = from->seq_next;
    to->startup = from->startup;
    from->root->twin = to->root;
    LIST_FOREACH(it, &from->nodes)
    {
        struct sim_node *n = CONTAINER_OF(it, struct sim_node, link);

        if (n != from->root)
            n->twin = node_new(to, n->is_dir);
        copy_file(n->twin, n);
    }
    LIST_FOREACH(it, &from->nodes)
    {
        const struct sim_node *n = CONTAINER_OF(it, struct sim_node, link);

        copy_names(to, n->twin, n);
    }
    copy_name_ops(to, from);
    held = sim_hold_all(to, &n_held);
    for (size_t i = 0; i < n_held; i++) {
        node_count_space(to, held[i]);
        if (held[i] != to->root)
            node_unref(to, held[i]); /* of its making */
    }
    sim_let_go(to, held, n_held);
    return &to->vfs;
}

/* ---- to the machine's own file system -------------------------------------------------------- */

static int export_file(const struct content *c, const char *path)
{
    FILE *f = fopen(path, "wb");
    bool good;

    if (!f)
        return E_IO;
    good = c->size == 0 || fwrite(c->bytes->p, 1, c->size, f) == c->size;
    good = fclose(f) == 0 && good;
    return good ? 0 : E_IO;
}

/* A level of recursion is a level of directories that a test has made. */
static int export_dir(const struct sim_node *dir, const char *path)
{
    struct sim_entry *e;
    struct sim_entry *next;
    int rc = mkdir(path, 0777) == 0 || errno == EEXIST ? 0 : E_IO;

    HASH_ITER(hh, dir->live_names, e, next)
    {
        char *inner = xasprintf("%s/%s", path, e->name);

        if (rc == 0)
            rc = e->node->is_dir ? export_dir(e->node, inner) : export_file(&e->node->live, inner);
        free(inner);
    }
    return rc;
}

int vfs_sim_export(struct vfs *v, const char *host_dir)
{
    return export_dir(sim_of(v)->root, host_dir);
}
