/* What is there when the log directories are opened: partitions, copies of them, and leftovers.
 *
 * Owner: struct logm (m->found), core thread, at the start.
 *
 * Happy path: every directory has been listed (dir.c) -> found_make: one sorted list -> remove_leftovers -> the broker compares the list
 *             with its metadata, and sets aside what it does not know (logm_found_set_stray).
 * Invariant:  nothing that may be the only copy of a partition is removed: what ends with "-delete", and what ends with "-future" while
 *             the partition itself is there.
 * Failures:   the metadata's own log in two directories, or two that do not say whose they are: E_FORMAT, the start ends.
 */
#include "directory.h"

#define METADATA_LOG_TOPIC "__cluster_metadata"

void found_release(struct logm *m)
{
    for (int i = 0; i < m->n_found; i++)
        free((void *)(uintptr_t)m->found[i].topic);
    free(m->found);
    for (int i = 0; i < m->n_futures; i++) {
        free(m->futures[i].name_key);
        free(m->futures[i].path);
    }
    free(m->futures);
    m->found = NULL;
    m->futures = NULL;
    m->n_found = m->n_futures = 0;
}

static int found_cmp(const void *a, const void *b)
{
    const struct logm_found *x = a, *y = b;
    int rc = strcmp(x->topic, y->topic);

    if (rc != 0)
        return rc;
    if (x->partition != y->partition)
        return x->partition < y->partition ? -1 : 1;
    return memcmp(x->topic_id.b, y->topic_id.b, sizeof(x->topic_id.b));
}

static void found_add(struct logm *m, const struct log_dir *d)
{
    for (struct dir_entry *e = d->entries; e; e = e->by_name.next) {
        if (e->gone)
            continue;
        m->found[m->n_found++] = (struct logm_found){
            .topic = str_dup((struct str){e->name_key, e->topic_bytes}),
            .partition = e->partition,
            .topic_id = e->topic_id,
            .dir = d->index,
            .was_clean = d->was_clean,
            .id_unread = e->id_unread,
        };
    }
}

/* One list of what is there. Two directories may hold the same partition: of another topic id it is another one, since the rename of a
 * deletion is not synced, so that after a power cut a directory may be back whose name was given again, elsewhere; of the same one it
 * was being moved (move_switch.c). The metadata knows which is meant; E_FORMAT where it cannot: it is the metadata's own log, or they
 * do not say whose they are. */
int found_make(struct logm *m, struct errmsg *msg)
{
    size_t n = 0;

    for (int i = 0; i < m->n_dirs; i++)
        n += (size_t)m->dirs[i].n_entries;
    m->found = xcalloc(MAX(n, 1), sizeof(*m->found));
    for (int i = 0; i < m->n_dirs; i++)
        found_add(m, &m->dirs[i]);
    ASSERT((size_t)m->n_found == n);
    qsort(m->found, n, sizeof(*m->found), found_cmp);
    for (size_t i = 1; i < n; i++) {
        const struct logm_found *a = &m->found[i - 1], *b = &m->found[i];

        if (found_cmp(a, b) != 0 ||
            (uuid_is_zero(a->topic_id) && !(a->was_clean && b->was_clean)) ||
            (!uuid_is_zero(a->topic_id) && strcmp(a->topic, METADATA_LOG_TOPIC) != 0))
            continue;
        errmsg_set(msg, "partition %s-%d is in both %s and %s", a->topic, a->partition,
                   m->dirs[a->dir].path, m->dirs[b->dir].path);
        return E_FORMAT;
    }
    return 0;
}

/* ---- leftovers ------------------------------------------------------------------------------ */

/* The partition that a copy is of, elsewhere: by its topic id, since the topic's name may be cut short in the copy's own; by name where a
 * power cut took the id. NULL: it is nowhere. */
static const struct logm_found *found_of(const struct logm *m, struct uuid topic_id,
                                         struct str topic, int32_t partition)
{
    for (int i = 0; i < m->n_found; i++) {
        const struct logm_found *f = &m->found[i];

        if (f->partition == partition &&
            (uuid_is_zero(topic_id) ? str_is(topic, f->topic) : uuid_eq(f->topic_id, topic_id)))
            return f;
    }
    return NULL;
}

/* False: the name is none. */
static bool note_future(struct log_dir *d, const char *name, const char *path,
                        const struct logm_found **found)
{
    struct logm_future f = {.name_key =
                                str_dup((struct str){name, (size_t)(strrchr(name, '.') - name)}),
                            .dir = d->index};
    struct logm *m = d->m;
    size_t topic_bytes;
    int rc;

    *found = NULL;
    if (!dir_parse_name(f.name_key, &topic_bytes, &f.partition)) {
        free(f.name_key);
        return false;
    }
    rc = dir_read_topic_id(m->env->vfs, path, &f.topic_id);
    if (rc == 0 || rc == E_FORMAT)
        *found = found_of(m, f.topic_id, (struct str){f.name_key, topic_bytes}, f.partition);
    if (*found)
        f.topic_id = (*found)->topic_id;
    else
        f.path = xstrdup(path);
    m->futures = xrealloc_array(m->futures, (size_t)m->n_futures + 1, sizeof(f));
    m->futures[m->n_futures++] = f;
    return true;
}

/* A copy that was being made when the process ended is of no use while the partition itself is there. It is begun anew, not gone on with:
 * what it has was not always synced in the order of the log. Until its bytes are gone it is no future replica for Apache Kafka either. */
static void remove_future(struct log_dir *d, const char *name, const char *path)
{
    const struct logm_found *found;
    char *name_key;

    if (!note_future(d, name, path, &found) || !found)
        return;
    name_key = xasprintf("%s-%d", found->topic, found->partition);
    dir_set_aside(d, path, name_key, strlen(found->topic), 0);
    free(name_key);
}

void remove_leftovers(struct log_dir *d, const struct buf *names)
{
    const char *name = (const char *)names->p;
    char path[DIR_PATH_MAX];

    for (size_t at = 0; at < names->n; at += strlen(name + at) + 1) {
        dir_file_path(d, name + at, path);
        if (dir_is_future(name + at))
            remove_future(d, name + at, path);
        else
            remove_later(d, path, 0);
    }
}

int logm_n_futures(const struct logm *m)
{
    return m->n_futures;
}

const struct logm_future *logm_future_get(const struct logm *m, int i)
{
    ASSERT(i >= 0);
    ASSERT(i < m->n_futures);
    return &m->futures[i];
}

/* ---- for the broker -------------------------------------------------------------------------- */

int logm_n_found(const struct logm *m)
{
    return m->n_found;
}

const struct logm_found *logm_found_get(const struct logm *m, int i)
{
    ASSERT(i >= 0);
    ASSERT(i < m->n_found);
    return &m->found[i];
}

/* 0, and it has another name; E_OFFLINE. */
static int set_stray(struct log_dir *d, const char *path, const char *name_key)
{
    char name[DIR_NAME_MAX + 1], to[DIR_PATH_MAX];
    size_t topic_bytes;
    int32_t partition;
    bool is_name = dir_parse_name(name_key, &topic_bytes, &partition);
    int rc;

    ASSERT_CORE();
    ASSERT(is_name);
    dir_aside_name(&d->m->env->rng, name_key, topic_bytes, DIR_STRAY_SUFFIX, name);
    rc = vfs_rename(d->m->env->vfs, path, dir_file_path(d, name, to));
    if (rc == 0)
        rc = vfs_sync_dir(d->m->env->vfs, d->path);
    if (rc < 0)
        return dir_fail(d, "rename", path, rc);
    diag_warn("%s is kept as %s", path, name);
    return 0;
}

int logm_found_set_stray(struct logm *m, int i)
{
    const struct logm_found *found = logm_found_get(m, i);
    struct log_dir *d = &m->dirs[found->dir];
    char *name_key = xasprintf("%s-%d", found->topic, found->partition), path[DIR_PATH_MAX];
    struct dir_entry *e = dir_entry_find(d, name_key);
    int rc;

    ASSERT(e);
    ASSERT(!e->log);
    rc = set_stray(d, dir_file_path(d, name_key, path), name_key);
    if (rc == 0)
        dir_entry_remove(d, e);
    free(name_key);
    return rc;
}

int logm_future_set_stray(struct logm *m, int i)
{
    const struct logm_future *f = logm_future_get(m, i);

    ASSERT(f->path);
    return set_stray(&m->dirs[f->dir], f->path, f->name_key);
}
