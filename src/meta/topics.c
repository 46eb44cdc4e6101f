/* The tables of topics, and what follows a change.
 *
 * Owner: struct meta. A topic is in by_name, by_id and, where its name has a '.' or '_', in
 * by_unified; a deleted one is only in `changed`, until the observer was told.
 *
 * Happy path: apply changes topics and notes it (meta_topic_changed) -> meta_settle resolves
 *             settings and tells the observer.
 * Invariant:  outside of apply `changed` is empty, and every topic's `config` is what its `configs`
 *             say.
 */
#include "internal.h"

static bool has_collision_char(struct str name)
{
    return name.n > 0 && (memchr(name.p, '.', name.n) || memchr(name.p, '_', name.n));
}

static char *unify(struct str name)
{
    char *u = str_dup(name);

    for (char *c = u; *c; c++)
        if (*c == '.')
            *c = '_';
    return u;
}

struct meta_topic *meta_topic_add(struct meta *m, struct str name, struct uuid id)
{
    struct meta_topic *t = xcalloc(1, sizeof(*t));

    ASSERT(!meta_topic(m, name));
    ASSERT(!meta_topic_by_id(m, id));
    t->name = str_dup(name);
    t->id = id;
    t->internal = meta_topic_name_internal(name);
    list_init(&t->changed_link);
    HASH_ADD_KEYPTR(by_name, m->by_name, t->name, name.n, t);
    HASH_ADD(by_id, m->by_id, id, sizeof(t->id), t);
    if (has_collision_char(name)) {
        t->unified = unify(name);
        HASH_ADD_KEYPTR(by_unified, m->by_unified, t->unified, name.n, t);
    }
    m->n_topics++;
    free(m->sorted);
    m->sorted = NULL;
    meta_topic_changed(m, t, CHANGE_CREATED | CHANGE_CONFIG);
    return t;
}

void meta_topic_remove(struct meta *m, struct meta_topic *t)
{
    ASSERT(m->n_topics > 0);
    HASH_DELETE(by_name, m->by_name, t);
    HASH_DELETE(by_id, m->by_id, t);
    if (t->unified)
        HASH_DELETE(by_unified, m->by_unified, t);
    m->n_topics--;
    free(m->sorted);
    m->sorted = NULL;
    meta_topic_changed(m, t, CHANGE_DELETED);
}

void meta_topic_free(struct meta_topic *t)
{
    list_remove(&t->changed_link);
    free(t->name);
    free(t->unified);
    free(t->partitions);
    meta_pairs_release(&t->configs, &t->n_configs);
    topic_config_release(&t->config);
    free(t);
}

void meta_topic_changed(struct meta *m, struct meta_topic *t, unsigned change)
{
    if (t->changes == 0)
        list_push(&m->changed, &t->changed_link);
    t->changes |= change;
}

struct meta_partition *meta_topic_partition_add(struct meta_topic *t)
{
    /* Doubling keeps loading linear; the capacity is the next power of two. */
    if ((t->n_partitions & (t->n_partitions - 1)) == 0) {
        size_t cap = t->n_partitions > 0 ? (size_t)t->n_partitions * 2 : 1;

        t->partitions = xrealloc_array(t->partitions, cap, sizeof(*t->partitions));
    }
    t->partitions[t->n_partitions] = (struct meta_partition){0};
    return &t->partitions[t->n_partitions++];
}

const struct meta_topic *meta_topic_colliding(const struct meta *m, struct str name)
{
    struct meta_topic *t = NULL;
    char *unified;

    if (!has_collision_char(name))
        return NULL;
    unified = unify(name);
    HASH_FIND(by_unified, m->by_unified, unified, name.n, t);
    free(unified);
    return t;
}

/* ---- settings -------------------------------------------------------------------------------- */

int meta_topic_config(const struct meta *m, const struct config_pair *own, int n_own,
                      struct topic_config *out, struct errmsg *msg)
{
    return topic_config_init(out, m->config, own, n_own, msg);
}

static bool pair_readable(const struct config_pair *p)
{
    const struct config_setting *st = config_topic_setting(p->name);
    union config_value v;

    if (!st || config_parse(st, p->value, &v, NULL) < 0)
        return false;
    if (st->type == CONFIG_STRING || st->type == CONFIG_LIST || st->type == CONFIG_CLASS ||
        st->type == CONFIG_PASSWORD)
        free(v.s);
    return true;
}

/* A log that somebody else wrote may hold settings that we do not know: they are kept, and left out
 * here. */
static void resolve_readable(const struct meta *m, struct meta_topic *t)
{
    struct config_pair *own = xcalloc((size_t)t->n_configs + 1, sizeof(*own));
    struct errmsg msg;
    int n = 0;

    for (int i = 0; i < t->n_configs; i++)
        if (pair_readable(&t->configs[i]))
            own[n++] = t->configs[i];
    if (meta_topic_config(m, own, n, &t->config, &msg) < 0) {
        diag_warn("topic %s: %s; its own settings are not used", t->name, msg.text);
        if (topic_config_init(&t->config, m->config, NULL, 0, &msg) < 0)
            base_assert_failed("the broker's own settings make a topic's", __FILE__, __LINE__);
    }
    free(own);
}

static void resolve(const struct meta *m, struct meta_topic *t)
{
    struct topic_config fresh;
    struct errmsg msg;

    topic_config_release(&t->config);
    if (meta_topic_config(m, t->configs, t->n_configs, &fresh, &msg) == 0) {
        t->config = fresh;
        return;
    }
    diag_warn("topic %s: %s", t->name, msg.text);
    resolve_readable(m, t);
}

/* ---- after a change -------------------------------------------------------------------------- */

static void tell(struct meta *m, struct meta_topic *t, unsigned changes, int32_t first_new)
{
    const struct meta_observer *o = &m->observer;

    if (changes & CHANGE_CREATED) {
        if (o->topic_created)
            o->topic_created(o->arg, t);
        return;
    }
    if (changes & CHANGE_PARTITIONS && o->partitions_added)
        o->partitions_added(o->arg, t, first_new);
    if (changes & CHANGE_CONFIG && o->topic_configured)
        o->topic_configured(o->arg, t);
}

/* All brokers' settings, over them this broker's. */
static void settle_brokers(struct meta *m)
{
    const struct config_pair *all, *ours;
    struct config_pair *pairs;
    char node[16];
    int n_all, n_ours;

    if (!m->brokers_configured)
        return;
    m->brokers_configured = false;
    snprintf(node, sizeof(node), "%d", m->node_id);
    all = meta_configs(m, META_RESOURCE_BROKER, STR(""), &n_all);
    ours = meta_configs(m, META_RESOURCE_BROKER, str_of(node), &n_ours);
    pairs = xcalloc((size_t)(n_all + n_ours) + 1, sizeof(*pairs));
    for (int i = 0; i < n_all; i++)
        pairs[i] = all[i];
    for (int i = 0; i < n_ours; i++)
        pairs[n_all + i] = ours[i];
    config_set_dynamic(m->config, pairs, n_all + n_ours);
    free(pairs);
    if (!m->loading && m->observer.broker_configured)
        m->observer.broker_configured(m->observer.arg);
}

void meta_settle(struct meta *m)
{
    struct list *it;

    settle_brokers(m);
    while ((it = list_first(&m->changed))) {
        struct meta_topic *t = CONTAINER_OF(it, struct meta_topic, changed_link);
        unsigned changes = t->changes;

        list_remove(it);
        t->changes = 0;
        if (changes & CHANGE_DELETED) {
            /* Made and gone within one change: nobody heard of it. */
            if (!m->loading && !(changes & CHANGE_CREATED) && m->observer.topic_deleted)
                m->observer.topic_deleted(m->observer.arg, t);
            meta_topic_free(t);
            continue;
        }
        if (changes & CHANGE_CONFIG)
            resolve(m, t);
        if (!m->loading)
            tell(m, t, changes, t->first_new);
    }
}
