/* Opening, closing, looking up.
 *
 * Owner: struct meta, core thread.
 *
 * Happy path: snapshot, if there is one -> the log through apply (statelog) -> settle -> the
 *             records of this start.
 * Invariant:  between two calls from outside nothing is pending: no transaction is open, `changed`
 *             is empty.
 * Failures:   metadata that we cannot serve (newer levels, other brokers' partitions, rot) is
 *             refused whole, with one line.
 */
#include "internal.h"

static void free_resources(struct meta *m)
{
    struct meta_resource *r, *next;

    HASH_ITER(hh, m->resources, r, next)
    {
        HASH_DEL(m->resources, r);
        free(r->key);
        meta_pairs_release(&r->pairs, &r->n_pairs);
        free(r);
    }
}

static void free_topics(struct meta *m)
{
    struct meta_topic *t, *next;

    HASH_CLEAR(by_id, m->by_id);
    HASH_CLEAR(by_unified, m->by_unified);
    HASH_ITER(by_name, m->by_name, t, next)
    {
        HASH_DELETE(by_name, m->by_name, t);
        meta_topic_free(t);
    }
    while (!list_empty(&m->changed)) /* deleted in a log that could not be loaded */
        meta_topic_free(CONTAINER_OF(list_first(&m->changed), struct meta_topic, changed_link));
}

void meta_close(struct meta *m)
{
    if (!m)
        return;
    ASSERT(m->magic == META_MAGIC);
    meta_trim_release(m);
    meta_snapshots_release(m);
    statelog_close(m->log);
    meta_kept_release(m);
    meta_preferred_release(m);
    free_topics(m);
    free_resources(m);
    meta_drop_held(m);
    free(m->held);
    for (int i = 0; i < m->n_features; i++)
        free((void *)m->features[i].name);
    free(m->features);
    free(m->sorted);
    free(m->dir_ids);
    free(m->dir_partitions);
    free(m->dir_offline);
    m->magic = 0;
    free(m);
}

static struct meta *meta_new(struct env *env, const struct meta_options *o)
{
    struct meta *m = xcalloc(1, sizeof(*m));

    m->magic = META_MAGIC;
    m->env = env;
    m->config = o->config;
    m->node_id = o->node_id;
    m->dir_ids = xmemdup(o->dir_ids, (size_t)o->n_dir_ids * sizeof(*o->dir_ids));
    m->dir_partitions = xcalloc((size_t)o->n_dir_ids, sizeof(*m->dir_partitions));
    m->dir_offline = xcalloc((size_t)o->n_dir_ids, sizeof(*m->dir_offline));
    m->n_dir_ids = o->n_dir_ids;
    m->observer = o->observer;
    m->log_file = o->log;
    m->broker_epoch = -1;
    m->loading = true;
    list_init(&m->changed);
    meta_snapshots_init(m, o->dir_path);
    meta_trim_init(m);
    return m;
}

/* What we append continues the log's last epoch; a new log begins with 1, as KRaft's first election
 * does. */
static int32_t leader_epoch(const struct meta *m)
{
    int64_t end = log_end_offset(m->log_file);
    int32_t last = end > log_start_offset(m->log_file) ? log_epoch_at(m->log_file, end - 1) : -1;

    return MAX(1, MAX(last, m->snapshot_epoch));
}

static int load(struct meta *m, const struct meta_options *o, struct errmsg *msg)
{
    struct statelog_options so = {
        .log = o->log, .apply = meta_apply, .machine = m, .origin = LOG_FROM_RAFT};
    int rc = meta_trim_list(m, msg);

    if (rc == 0)
        rc = meta_load_snapshot(m, msg);
    so.leader_epoch = leader_epoch(m);
    if (rc == 0)
        rc = statelog_open(m->env, &so, &m->log, msg);
    if (rc == 0 && m->load_error) {
        errmsg_set(msg, "%s", m->load_why.text);
        rc = m->load_error;
    }
    if (rc == 0 &&
        (statelog_end(m->log) < m->snapshot_end || log_start_offset(o->log) > m->snapshot_end)) {
        errmsg_set(msg,
                   "the snapshot up to offset %lld and the log of offsets %lld to %lld leave a gap",
                   (long long)m->snapshot_end, (long long)log_start_offset(o->log),
                   (long long)statelog_end(m->log));
        rc = E_CORRUPT;
    }
    return rc;
}

int meta_open(struct env *env, const struct meta_options *options, struct meta **out,
              struct errmsg *msg)
{
    struct meta *m;
    int rc;

    ASSERT_CORE();
    ASSERT(options->n_dir_ids > 0);
    m = meta_new(env, options);
    rc = load(m, options, msg);
    if (rc < 0)
        goto out;
    meta_settle(m);
    m->loading = false;
    rc = meta_start(m, options, msg);
    if (rc < 0)
        goto out;
    meta_trim_loaded(m);
    meta_snapshot_consider(m);
    *out = m;
out:
    if (rc < 0) {
        errmsg_wrap(msg, "metadata");
        meta_close(m);
    }
    return rc;
}

/* ---- looking --------------------------------------------------------------------------------- */

struct meta_topic *meta_topic(struct meta *m, struct str name)
{
    struct meta_topic *t = NULL;

    if (name.n > 0)
        HASH_FIND(by_name, m->by_name, name.p, name.n, t);
    return t;
}

struct meta_topic *meta_topic_by_id(struct meta *m, struct uuid id)
{
    struct meta_topic *t = NULL;

    HASH_FIND(by_id, m->by_id, &id, sizeof(id), t);
    return t;
}

int meta_n_topics(const struct meta *m)
{
    return m->n_topics;
}

static int by_name_order(const void *a, const void *b)
{
    const struct meta_topic *const *x = a, *const *y = b;

    return strcmp((*x)->name, (*y)->name);
}

struct meta_topic **meta_topics_sorted(struct meta *m)
{
    struct meta_topic *t, *next;
    int n = 0;

    if (m->sorted)
        return m->sorted;
    m->sorted = xcalloc((size_t)m->n_topics + 1, sizeof(struct meta_topic *));
    HASH_ITER(by_name, m->by_name, t, next)
    m->sorted[n++] = t;
    ASSERT(n == m->n_topics);
    qsort(m->sorted, (size_t)n, sizeof(struct meta_topic *), by_name_order);
    return m->sorted;
}

int64_t meta_end(const struct meta *m)
{
    return statelog_end(m->log);
}

void meta_set_dir_offline(struct meta *m, int dir)
{
    ASSERT(dir >= 0);
    ASSERT(dir < m->n_dir_ids);
    m->dir_offline[dir] = true;
}

int64_t meta_broker_epoch(const struct meta *m)
{
    return m->broker_epoch;
}

const struct meta_feature *meta_features(const struct meta *m, int *n)
{
    *n = m->n_features;
    return m->features;
}

const struct config_pair *meta_configs(const struct meta *m, enum meta_resource_type type,
                                       struct str name, int *n)
{
    struct meta_resource *r;
    char *key;

    *n = 0;
    if (type == META_RESOURCE_TOPIC) {
        struct meta_topic *t = meta_topic((struct meta *)m, name);

        *n = t ? t->n_configs : 0;
        return t ? t->configs : NULL;
    }
    key = xasprintf("%d/%.*s", type, STR_ARG(name));
    HASH_FIND_STR(m->resources, key, r);
    free(key);
    *n = r ? r->n_pairs : 0;
    return r ? r->pairs : NULL;
}

void meta_after(struct meta *m, struct statelog_wait *w,
                void (*then)(struct statelog_wait *, int rc))
{
    statelog_after(m->log, w, then);
}
