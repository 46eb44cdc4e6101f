/* A hash over what groups hold and will hold again after a clean stop and a start.
 *
 * Owner: struct groupm, core thread.
 *
 * A group in a rebalance is live state: a start brings back its last stable generation. So the digest is
 * only the same where groupm_settled says so. Shards are taken in their order, groups by id, members by id,
 * offsets by topic and partition.
 */
#include "consumer.h"

struct digest {
    uint64_t h;
};

static void add(struct digest *d, const void *p, size_t n)
{
    const uint8_t *at = p;

    for (size_t i = 0; i < n; i++)
        d->h = (d->h ^ at[i]) * 1099511628211u;
}

static void add_int(struct digest *d, int64_t v)
{
    add(d, &v, sizeof(v));
}

static void add_str(struct digest *d, struct str s)
{
    add_int(d, s.p ? (int64_t)s.n : -1);
    if (s.n)
        add(d, s.p, s.n);
}

static int compare_groups(const void *a, const void *b)
{
    return str_cmp((*(const struct group *const *)a)->id, (*(const struct group *const *)b)->id);
}

static int compare_members(const void *a, const void *b)
{
    return str_cmp((*(const struct member *const *)a)->id, (*(const struct member *const *)b)->id);
}

static int compare_topics(const void *a, const void *b)
{
    return str_cmp((*(const struct group_topic *const *)a)->topic->name,
                   (*(const struct group_topic *const *)b)->topic->name);
}

static int compare_entries(const void *a, const void *b)
{
    int32_t p = (*(const struct offset_entry *const *)a)->partition;
    int32_t q = (*(const struct offset_entry *const *)b)->partition;

    return (p > q) - (p < q);
}

static void add_topic(struct digest *d, const struct group_topic *t)
{
    const struct offset_entry **sorted = xcalloc((size_t)t->n + 1, sizeof(struct offset_entry *));

    for (uint32_t i = 0; i < t->n; i++)
        sorted[i] = &t->entries[i];
    qsort(sorted, t->n, sizeof(struct offset_entry *), compare_entries);
    add_str(d, t->topic->name);
    for (uint32_t i = 0; i < t->n; i++) {
        add_int(d, sorted[i]->partition);
        add_int(d, sorted[i]->offset);
        add_int(d, sorted[i]->leader_epoch);
        add_int(d, sorted[i]->commit_ms);
        add_str(d, offset_metadata(sorted[i]));
    }
    free(sorted);
}

static void add_offsets(struct digest *d, const struct group *g)
{
    size_t n = HASH_CNT(hh, g->offsets), i = 0;
    const struct group_topic **sorted = xcalloc(n + 1, sizeof(struct group_topic *));

    for (struct group_topic *t = g->offsets; t; t = t->hh.next)
        sorted[i++] = t;
    ASSERT(i == n);
    qsort(sorted, n, sizeof(struct group_topic *), compare_topics);
    for (i = 0; i < n; i++)
        add_topic(d, sorted[i]);
    free(sorted);
}

static void add_members(struct digest *d, const struct group *g)
{
    const struct member **sorted = xcalloc((size_t)g->n_members + 1, sizeof(struct member *));
    size_t n = 0;

    for (struct member *m = g->members; m; m = m->by_id.next)
        sorted[n++] = m;
    ASSERT(n == g->n_members);
    qsort(sorted, n, sizeof(struct member *), compare_members);
    for (size_t i = 0; i < n; i++) {
        add_str(d, sorted[i]->id);
        add_str(d, sorted[i]->instance_id);
        add_int(d, sorted[i]->session_timeout_ms);
        add_int(d, sorted[i]->rebalance_timeout_ms);
        add_str(d, (struct str){(const char *)sorted[i]->assignment.p, sorted[i]->assignment.n});
    }
    free(sorted);
}

/* A group that nothing was ever written of: it began, and nobody stayed. */
static bool is_only_live(const struct group *g)
{
    return !g->consumer && g->state == GROUP_EMPTY && g->generation == 0 && !g->offsets;
}

/* ---- consumer groups: all of it is durable */

static int compare_cg_members(const void *a, const void *b)
{
    return str_cmp((*(const struct cg_member *const *)a)->id, (*(const struct cg_member *const *)b)->id);
}

static void add_partitions(struct digest *d, const struct cg_partitions *ps)
{
    add_int(d, ps->n);
    for (int32_t i = 0; i < ps->n; i++) {
        add(d, ps->items[i].topic.b, sizeof(ps->items[i].topic.b));
        add_int(d, ps->items[i].partition);
        add_int(d, ps->items[i].epoch);
    }
}

static void add_cg_member(struct digest *d, const struct cg_member *m)
{
    struct cg_partitions target = cg_target_of(m->group, m->id);

    add_str(d, m->id);
    add_str(d, m->details.instance_id);
    add_str(d, m->details.regex);
    add_int(d, m->details.rebalance_timeout_ms);
    add_int(d, m->details.classic ? m->details.classic->session_timeout_ms : -1);
    for (int32_t i = 0; i < m->details.n_topics; i++)
        add_str(d, m->details.topics[i]);
    add_int(d, m->current.epoch);
    add_int(d, m->current.previous_epoch);
    add_int(d, m->current.state);
    add_partitions(d, &m->current.assigned);
    add_partitions(d, &m->current.revoking);
    add_partitions(d, &target);
}

static void add_consumer_group(struct digest *d, const struct group *g)
{
    const struct consumer_group *cg = g->consumer;
    const struct cg_member **sorted = xcalloc((size_t)cg->n_members + 1, sizeof(struct cg_member *));
    int32_t n = 0;

    add_int(d, cg->epoch);
    add_int(d, cg->assignment_epoch);
    add_int(d, cg->metadata_hash);
    for (struct cg_member *m = cg->members; m; m = m->by_id.next)
        sorted[n++] = m;
    ASSERT(n == cg->n_members);
    qsort(sorted, (size_t)n, sizeof(struct cg_member *), compare_cg_members);
    for (int32_t i = 0; i < n; i++)
        add_cg_member(d, sorted[i]);
    free(sorted);
}

/* ---- */

static void add_group(struct digest *d, const struct group *g)
{
    if (is_only_live(g))
        return;
    add_str(d, g->id);
    if (g->consumer) {
        add_consumer_group(d, g);
        add_offsets(d, g);
        return;
    }
    add_int(d, g->state);
    add_int(d, g->generation);
    add_str(d, g->protocol_type);
    if (g->state == GROUP_STABLE)
        add_str(d, g->protocol);
    add_members(d, g);
    add_offsets(d, g);
}

uint64_t groupm_digest(const struct groupm *m)
{
    struct digest d = {14695981039346656037u};

    ASSERT(m->magic == GROUPM_MAGIC);
    for (int32_t s = 0; s < m->n_shards; s++) {
        size_t n = m->shards[s] ? HASH_CNT(hh, m->shards[s]->groups) : 0, i = 0;
        const struct group **sorted = xcalloc(n + 1, sizeof(struct group *));

        for (struct group *g = n ? m->shards[s]->groups : NULL; g; g = g->hh.next)
            sorted[i++] = g;
        ASSERT(i == n);
        qsort(sorted, n, sizeof(struct group *), compare_groups);
        for (i = 0; i < n; i++)
            add_group(&d, sorted[i]);
        free(sorted);
    }
    return d.h;
}

bool groupm_settled(const struct groupm *m)
{
    for (int32_t s = 0; s < m->n_shards; s++)
        for (struct group *g = m->shards[s] ? m->shards[s]->groups : NULL; g; g = g->hh.next)
            if (g->state == GROUP_PREPARING || g->state == GROUP_COMPLETING)
                return false;
    return true;
}
