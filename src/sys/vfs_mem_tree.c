/* The tree of directories and files in memory.
 *
 * Owner: struct vfs_mem owns the root; a directory owns its children. An unlinked node is owned by
 * its open files.
 *
 * Invariant:  node->parent->children holds node under node->name. A directory has no data, a file
 *             no children. used_bytes is the sum of mem_used over all files, unlinked ones
 *             included, as on a disk.
 */
#include "vfs_mem.h"

uint64_t mem_used(const struct mem_node *node)
{
    return MAX(node->size_bytes, node->reserved_bytes);
}

/* The next part of a path, empty at its end; *path moves behind it. */
static struct str part_next(const char **path)
{
    for (;;) {
        const char *start;

        while (**path == '/')
            (*path)++;
        start = *path;
        while (**path && **path != '/')
            (*path)++;
        if (*path - start != 1 || *start != '.')
            return (struct str){start, (size_t)(*path - start)};
    }
}

static struct mem_node *child_by_part(struct mem_node *dir, struct str part)
{
    struct mem_node *node;

    HASH_FIND(hh, dir->children, part.p, part.n, node);
    return node;
}

struct mem_node *mem_child(struct mem_node *dir, const char *name)
{
    ASSERT(dir->is_dir);
    return child_by_part(dir, str_of(name));
}

/* Walks down to the last part of path, which is left in *last: empty when path is the root. */
static struct mem_node *walk(struct vfs_mem *m, const char *path, struct str *last, int *rc)
{
    struct mem_node *dir = m->root;
    struct str part = part_next(&path);

    for (;;) {
        struct str next = part_next(&path);

        if (str_is(part, "..")) {
            *rc = E_INVALID;
            return NULL;
        }
        if (!dir || !dir->is_dir) {
            *rc = dir ? E_ISDIR : E_NOENT;
            return NULL;
        }
        if (next.n == 0)
            break;
        dir = child_by_part(dir, part);
        part = next;
    }
    *last = part;
    *rc = 0;
    return dir;
}

struct mem_node *mem_find(struct vfs_mem *m, const char *path, int *rc)
{
    struct str last;
    struct mem_node *dir = walk(m, path, &last, rc);
    struct mem_node *node;

    if (!dir || last.n == 0)
        return dir;
    node = child_by_part(dir, last);
    if (!node)
        *rc = E_NOENT;
    return node;
}

struct mem_node *mem_find_parent(struct vfs_mem *m, const char *path, char **name, int *rc)
{
    struct str last;
    struct mem_node *dir = walk(m, path, &last, rc);

    *name = NULL;
    if (!dir)
        return NULL;
    if (last.n == 0) {
        *rc = E_EXIST; /* the root is there, and stays */
        return NULL;
    }
    *name = str_dup(last);
    return dir;
}

static void link_node(struct vfs_mem *m, struct mem_node *node, struct mem_node *dir,
                      const char *name)
{
    ASSERT(!mem_child(dir, name));
    ASSERT(!node->parent);
    node->name = xstrdup(name);
    node->parent = dir;
    HASH_ADD_KEYPTR(hh, dir->children, node->name, strlen(node->name), node);
    dir->mtime = clock_wall(m->clock);
}

static void unlink_node(struct vfs_mem *m, struct mem_node *node)
{
    ASSERT(node->parent);
    HASH_DELETE(hh, node->parent->children, node);
    node->parent->mtime = clock_wall(m->clock);
    node->parent = NULL;
    free(node->name);
    node->name = NULL;
}

struct mem_node *mem_add(struct vfs_mem *m, struct mem_node *dir, const char *name, bool is_dir)
{
    struct mem_node *node = xcalloc(1, sizeof(*node));

    node->is_dir = is_dir;
    node->mtime = clock_wall(m->clock);
    if (dir)
        link_node(m, node, dir, name);
    return node;
}

void mem_move(struct vfs_mem *m, struct mem_node *node, struct mem_node *dir, const char *name)
{
    unlink_node(m, node);
    link_node(m, node, dir, name);
}

void mem_free_if_unused(struct vfs_mem *m, struct mem_node *node)
{
    if (node->parent || node->n_open > 0 || node == m->root)
        return;
    ASSERT(!node->children);
    ASSERT(m->used_bytes >= mem_used(node));
    m->used_bytes -= mem_used(node);
    free(node->data);
    free(node);
}

void mem_unlink(struct vfs_mem *m, struct mem_node *node)
{
    ASSERT(!node->children);
    unlink_node(m, node);
    mem_free_if_unused(m, node);
}

/* Goes down to a leaf, removes it, goes on at its parent: no recursion. */
void mem_free_tree(struct vfs_mem *m)
{
    struct mem_node *node = m->root;

    while (node != m->root || node->children) {
        struct mem_node *parent = node->parent;

        if (node->children) {
            node = node->children;
            continue;
        }
        mem_unlink(m, node);
        node = parent;
    }
    m->root = NULL;
    free(node);
}
