/* Files and directories of the simulated disk, and their names: those that the process sees, those
 * on the device, and the changes between.
 *
 *   create    {dir, name, node}
 *   unlink    {dir, name, -}
 *   rename    {dir, name, -} {dir2, name2, node}
 *
 * All are in sim.name_ops, in their order, until a sync or a power cut.
 *
 * Invariant:  a node has at most one live and one durable name: an operation that the device has
 *             seen has all that it rests on there too, that is the earlier ones about the same name
 *             or the same node. Independent ones may come in any order.
 */
#include "sim_impl.h"

struct sim_node *node_new(struct sim *s, bool is_dir)
{
    struct sim_node *n = xcalloc(1, sizeof(*n));

    n->refs = 1;
    n->is_dir = is_dir;
    n->mtime = clock_wall(s->clock);
    n->durable_mtime = n->mtime;
    list_push(&s->nodes, &n->link);
    return n;
}

struct sim_node *node_ref(struct sim_node *n)
{
    n->refs++;
    return n;
}

static void node_free(struct sim *s, struct sim_node *n)
{
    ASSERT(n->n_open == 0);
    names_clear(s, &n->live_names);
    names_clear(s, &n->durable_names);
    data_drop_ops(n);
    data_clear_gaps(n);
    free(n->ops);
    content_release(&n->live);
    content_release(&n->durable);
    s->used_bytes -= n->counted_bytes;
    list_remove(&n->link);
    free(n);
}

void node_unref(struct sim *s, struct sim_node *n)
{
    if (!n)
        return;
    ASSERT(n->refs > 0);
    if (--n->refs == 0)
        node_free(s, n);
}

struct sim_node **sim_hold_all(struct sim *s, size_t *n)
{
    struct sim_node **held;
    size_t i = 0;

    LIST_FOREACH(it, &s->nodes)
    i++;
    held = xcalloc(i, sizeof(struct sim_node *));
    *n = i;
    i = 0;
    LIST_FOREACH(it, &s->nodes)
    held[i++] = node_ref(CONTAINER_OF(it, struct sim_node, link));
    return held;
}

void sim_let_go(struct sim *s, struct sim_node **held, size_t n)
{
    for (size_t i = 0; i < n; i++)
        node_unref(s, held[i]);
    free(held);
}

/* A file takes space while the process can reach it. */
void node_count_space(struct sim *s, struct sim_node *n)
{
    bool reachable = n->parent || n->n_open > 0;

    s->used_bytes -= n->counted_bytes;
    n->counted_bytes = reachable && !n->is_dir ? MAX(n->live.size, n->reserved_bytes) : 0;
    s->used_bytes += n->counted_bytes;
}

static struct sim_entry *names_find(struct sim_entry *names, const char *name, size_t n)
{
    struct sim_entry *e;

    HASH_FIND(hh, names, name, n, e);
    return e;
}

struct sim_node *names_get(struct sim_entry *names, struct str name)
{
    struct sim_entry *e = names_find(names, name.p, name.n);

    return e ? e->node : NULL;
}

static void names_remove(struct sim *s, struct sim_entry **names, struct sim_entry *e)
{
    HASH_DELETE(hh, *names, e);
    node_unref(s, e->node);
    free(e->name);
    free(e);
}

void names_set(struct sim *s, struct sim_entry **names, const char *name, struct sim_node *node)
{
    struct sim_entry *e = names_find(*names, name, strlen(name));

    if (node)
        node_ref(node);
    if (e)
        names_remove(s, names, e);
    if (!node)
        return;
    e = xcalloc(1, sizeof(*e));
    e->name = xstrdup(name);
    e->node = node;
    HASH_ADD_KEYPTR(hh, *names, e->name, strlen(e->name), e);
}

void names_clear(struct sim *s, struct sim_entry **names)
{
    while (*names)
        names_remove(s, names, *names);
}

/* The next part of a path, empty at its end; *path moves behind it. "." and empty parts are
 * skipped. */
static struct str next_part(const char **path)
{
    struct str part;

    do {
        *path += strspn(*path, "/");
        part = (struct str){*path, strcspn(*path, "/")};
        *path += part.n;
    } while (part.n == 1 && part.p[0] == '.');
    return part;
}

/* The directory of the last part, which is left in *last: empty when path is the root. */
static struct sim_node *walk(struct sim *s, const char *path, bool durable, struct str *last,
                             int *rc)
{
    struct sim_node *dir = s->root;
    struct str part = next_part(&path);

    for (;;) {
        struct str next = next_part(&path);

        *rc = str_is(part, "..") ? E_INVALID : !dir ? E_NOENT : !dir->is_dir ? E_ISDIR : 0;
        if (*rc < 0)
            return NULL;
        *last = part;
        if (next.n == 0)
            return dir;
        dir = names_get(durable ? dir->durable_names : dir->live_names, part);
        part = next;
    }
}

struct sim_node *sim_find(struct sim *s, const char *path, bool durable, int *rc)
{
    struct str last;
    struct sim_node *dir = walk(s, path, durable, &last, rc);
    struct sim_node *n;

    if (!dir || last.n == 0)
        return dir;
    n = names_get(durable ? dir->durable_names : dir->live_names, last);
    *rc = n ? 0 : E_NOENT;
    return n;
}

struct sim_node *sim_find_parent(struct sim *s, const char *path, struct str *last, int *rc)
{
    struct sim_node *dir = walk(s, path, false, last, rc);

    if (dir && last->n == 0) {
        *rc = E_EXIST; /* the root is there, and stays */
        return NULL;
    }
    return dir;
}

static void set_live(struct sim *s, const struct name_set *set)
{
    struct sim_node *before = names_get(set->dir->live_names, str_of(set->name));

    if (before) {
        before->parent = NULL;
        node_count_space(s, before);
    }
    names_set(s, &set->dir->live_names, set->name, set->node);
    if (set->node) {
        set->node->parent = set->dir;
        node_count_space(s, set->node);
    }
    set->dir->mtime = clock_wall(s->clock);
}

void sim_change_names(struct sim *s, const struct name_set *sets, uint32_t n_sets)
{
    struct name_op *op;

    ASSERT(n_sets >= 1);
    ASSERT(n_sets <= ARRAY_SIZE(op->sets));
    if (s->n_name_ops == s->cap_name_ops) {
        s->cap_name_ops = MAX(s->cap_name_ops * 2, 16);
        s->name_ops = xrealloc_array(s->name_ops, s->cap_name_ops, sizeof(*s->name_ops));
    }
    op = &s->name_ops[s->n_name_ops++];
    *op = (struct name_op){.seq = s->seq_next++, .n_sets = n_sets};
    for (uint32_t i = 0; i < n_sets; i++) {
        op->sets[i] = (struct name_set){.dir = node_ref(sets[i].dir),
                                        .name = xstrdup(sets[i].name),
                                        .node = sets[i].node ? node_ref(sets[i].node) : NULL};
        set_live(s, &op->sets[i]);
    }
}

static bool sets_meet(const struct name_set *a, const struct name_set *b)
{
    if (a->dir == b->dir && strcmp(a->name, b->name) == 0)
        return true;
    return a->node && a->node == b->node;
}

/* Whether `late` rests on `early`: they are about one name, or about one node. */
static bool ops_meet(const struct name_op *early, const struct name_op *late)
{
    for (uint32_t i = 0; i < early->n_sets; i++)
        for (uint32_t k = 0; k < late->n_sets; k++)
            if (sets_meet(&early->sets[i], &late->sets[k]))
                return true;
    return false;
}

static void settle(struct sim *s, struct name_op *op, bool keep)
{
    for (uint32_t i = 0; i < op->n_sets; i++) {
        struct name_set *set = &op->sets[i];

        if (keep)
            names_set(s, &set->dir->durable_names, set->name, set->node);
        free(set->name);
        node_unref(s, set->node);
        node_unref(s, set->dir);
    }
}

/* What a kept one rests on is kept, too. Thousands may be pending, of directories that are gone and never synced; few are kept. */
static void keep_what_they_rest_on(struct sim *s)
{
    uint32_t *kept = xmalloc((s->n_name_ops + 1) * sizeof(*kept)), n = 0;

    for (uint32_t i = s->n_name_ops; i-- > 0;) {
        struct name_op *op = &s->name_ops[i];

        for (uint32_t k = 0; k < n && !op->kept; k++)
            op->kept = ops_meet(op, &s->name_ops[kept[k]]);
        if (op->kept)
            kept[n++] = i;
    }
    free(kept);
}

void sim_settle_names(struct sim *s, bool drop_rest)
{
    uint32_t left = 0;

    keep_what_they_rest_on(s);
    for (uint32_t i = 0; i < s->n_name_ops; i++) {
        struct name_op *op = &s->name_ops[i];

        if (op->kept || drop_rest)
            settle(s, op, op->kept);
        else
            s->name_ops[left++] = *op;
    }
    s->n_name_ops = left;
}
