/* The coordinator: its shards, and the groups in them.
 *
 * Owner: struct groupm, core thread.
 *
 * Happy path: group id -> shard (hash) -> the shard's log, opened or made by the broker -> group.
 * Invariant:  a group is in the shard that its id hashes to; a shard without an object never held
 *             one.
 * Failures:   a shard that cannot be opened answers COORDINATOR_NOT_AVAILABLE and is asked for
 *             again next time.
 */
#include "consumer.h"

struct groupm *groupm_new(struct env *env, const struct groupm_options *options)
{
    struct groupm *m = xcalloc(1, sizeof(*m));

    ASSERT(options->config);
    ASSERT(options->shard);
    ASSERT(options->n_shards);
    m->magic = GROUPM_MAGIC;
    m->env = env;
    m->options = *options;
    list_init(&m->parked);
    m->topics_changed = 1;
    m->new_topics_version = -1;
    return m;
}

int64_t groupm_now_ms(const struct groupm *m)
{
    return clock_wall_later(m->env->clock).ms;
}

struct timers *groupm_timers(struct groupm *m)
{
    return &m->env->timers;
}

struct mono groupm_after_ms(const struct groupm *m, int64_t ms)
{
    return mono_after_ms(clock_mono(m->env->clock), MAX(ms, 0));
}

/* ---- shards */

int32_t group_shard_of(struct str group_id, int32_t n_shards)
{
    ASSERT(n_shards > 0);
    return java_abs(java_hash(group_id)) % n_shards;
}

struct group_shard *groupm_shard(struct groupm *m, int32_t shard)
{
    struct group_shard *s;

    ASSERT(m->magic == GROUPM_MAGIC);
    ASSERT(shard >= 0);
    if (shard >= m->n_shards) {
        m->shards = xrealloc_array(m->shards, (size_t)shard + 1, sizeof(struct group_shard *));
        while (m->n_shards <= shard)
            m->shards[m->n_shards++] = NULL;
    }
    if (m->shards[shard])
        return m->shards[shard];
    s = xcalloc(1, sizeof(*s));
    s->magic = SHARD_MAGIC;
    s->m = m;
    s->index = shard;
    timer_init(&s->expiry, expiry_fired);
    m->shards[shard] = s;
    return s;
}

int16_t shard_log(struct group_shard *s)
{
    struct statelog *log = NULL;
    int16_t error = s->m->options.shard(s->m->options.arg, s->index, &log);

    if (error)
        return error;
    ASSERT(log);
    s->log = log;
    return KE_NONE;
}

int16_t shard_of(struct groupm *m, struct str id, bool make, struct group_shard **out)
{
    int32_t n, index;

    ASSERT_CORE();
    ASSERT(m->magic == GROUPM_MAGIC);
    *out = NULL;
    if (m->stopping)
        return KE_COORDINATOR_NOT_AVAILABLE;
    n = m->options.n_shards(m->options.arg);
    if (n <= 0)
        return KE_COORDINATOR_NOT_AVAILABLE;
    index = group_shard_of(id, n);
    if (!make && (index >= m->n_shards || !m->shards[index]))
        return KE_NONE;
    *out = groupm_shard(m, index);
    return shard_log(*out);
}

/* ---- groups */

struct group *group_find(struct group_shard *s, struct str id)
{
    struct group *g = NULL;

    if (s)
        HASH_FIND(hh, s->groups, id.p, id.n, g);
    return g;
}

int16_t group_get(struct groupm *m, struct str id, struct group_shard **s, struct group **out)
{
    int16_t error = shard_of(m, id, false, s);

    *out = error ? NULL : group_find(*s, id);
    return error;
}

int16_t group_get_named(struct groupm *m, struct str id, struct group_shard **s, struct group **out)
{
    return id.n == 0 ? KE_INVALID_GROUP_ID : group_get(m, id, s, out);
}

struct group *group_add(struct group_shard *s, struct str id)
{
    struct group *g = xcalloc(1, sizeof(*g));

    ASSERT(!group_find(s, id));
    g->magic = GROUP_MAGIC;
    g->shard = s;
    g->id = text_copy(id);
    g->state = GROUP_EMPTY;
    g->previous = GROUP_DEAD;
    g->state_ms = groupm_now_ms(s->m);
    timer_init(&g->join_timer, rebalance_join_timer_fired);
    timer_init(&g->sync_timer, rebalance_sync_timer_fired);
    HASH_ADD_KEYPTR(hh, s->groups, g->id.p, id.n, g);
    return g;
}

void group_reset(struct group *g)
{
    struct timers *timers = groupm_timers(g->shard->m);

    while (g->members)
        member_remove(g->members);
    while (g->pending)
        pending_remove(g->pending);
    ASSERT(!g->counts);
    group_forget_topics(g);
    timer_cancel(timers, &g->join_timer);
    timer_cancel(timers, &g->sync_timer);
    text_free(&g->protocol_type);
    text_free(&g->protocol);
    g->generation = 0;
    g->state = GROUP_EMPTY;
    g->previous = GROUP_DEAD;
    g->state_ms = groupm_now_ms(g->shard->m);
}

bool group_is_simple(const struct group *g)
{
    return !g->consumer && g->state == GROUP_EMPTY && !g->protocol_type.p && !g->pending;
}

bool group_is_empty(const struct group *g)
{
    if (g->consumer)
        return consumer_group_state(g) == CG_GROUP_EMPTY;
    return g->state == GROUP_EMPTY;
}

static void group_free(struct group *g)
{
    group_reset(g);
    consumer_group_free(g);
    offsets_clear(g);
    HASH_DELETE(hh, g->shard->groups, g);
    g->magic = 0;
    text_free(&g->id);
    free(g);
}

void group_remove_unused(struct group *g)
{
    if (group_is_simple(g) && !g->offsets && !txn_has_group(g->shard, g->id))
        group_remove(g);
}

void group_remove(struct group *g)
{
    if (g->state != GROUP_DEAD)
        group_move(g, GROUP_DEAD);
    group_free(g);
}

static void shard_free(struct group_shard *s)
{
    if (!s)
        return;
    ASSERT(s->magic == SHARD_MAGIC);
    while (s->groups)
        group_free(s->groups);
    txn_release(s);
    timer_cancel(groupm_timers(s->m), &s->expiry);
    s->magic = 0;
    free(s);
}

void groupm_forget(struct groupm *m)
{
    ASSERT_CORE();
    ASSERT(m->magic == GROUPM_MAGIC);
    call_give_up_all(m);
    for (int32_t i = 0; i < m->n_shards; i++)
        shard_free(m->shards[i]);
    free(m->shards);
    m->shards = NULL;
    m->n_shards = 0;
}

void groupm_free(struct groupm *m)
{
    if (!m)
        return;
    ASSERT(m->magic == GROUPM_MAGIC);
    m->stopping = true;
    /* Whoever still waits is not told: it ends as if the process was killed. */
    LIST_FOREACH_SAFE(it, &m->parked)
    call_unpark(CONTAINER_OF(it, struct group_call, link)->state);
    for (int32_t i = 0; i < m->n_shards; i++)
        shard_free(m->shards[i]);
    free(m->shards);
    topic_names_release(m);
    m->magic = 0;
    free(m);
}

void groupm_topic_changed(struct groupm *m, bool created)
{
    ASSERT(m->magic == GROUPM_MAGIC);
    m->topics_changed++;
    if (created)
        m->new_topics_version = m->options.metadata_version(m->options.arg);
}

void group_shard_loaded(struct group_shard *s)
{
    int64_t size_max = s->m->options.config->group_max_size;

    ASSERT(s->magic == SHARD_MAGIC);
    s->loaded = true;
    if (s->n_skipped)
        diag_warn("__consumer_offsets-%d: %u records of kinds that are not served were skipped",
                  s->index, s->n_skipped);
    for (struct group *g = s->groups; g; g = g->hh.next) {
        if (g->consumer) {
            consumer_group_loaded(g);
            continue;
        }
        for (struct member *m = g->members; m; m = m->by_id.next)
            session_touch(m);
        if (g->n_members > size_max)
            rebalance_prepare(g, "the group is over the capacity that is set now");
    }
    expiry_start(s);
}
