/* What must be true of consumer groups, and of all of them together when nothing goes wrong any more.
 *
 * Owner: world.cgroups.
 *
 * Checked: a committed offset is not below the newest that was acknowledged when it was asked for, nor above what was tried,
 * in the life of a topic (its id); within a virtual minute after faults were lifted each partition that somebody is subscribed
 * to has one owner, and all members are in one epoch.
 */
#include "cg.h"

#define API_OFFSET_FETCH 9
#define SETTLE_MS        60000

/* ---- sets of partitions */

static bool same_place(struct cg_place a, struct cg_place b)
{
    return a.partition == b.partition && uuid_eq(a.id, b.id);
}

bool cg_set_has(const struct cg_set *s, struct cg_place p)
{
    for (int i = 0; i < s->n; i++)
        if (same_place(s->items[i], p))
            return true;
    return false;
}

void cg_set_add(struct cg_set *s, struct cg_place p)
{
    ASSERT(s->n < CG_SET_MAX);
    if (!cg_set_has(s, p))
        s->items[s->n++] = p;
}

bool cg_set_within(const struct cg_set *a, const struct cg_set *b)
{
    for (int i = 0; i < a->n; i++)
        if (!cg_set_has(b, a->items[i]))
            return false;
    return true;
}

/* ---- partitions of a group */

struct cg_slot *cg_slot_get(struct cg_group *g, struct cg_place p)
{
    for (int i = 0; i < g->n_slots; i++)
        if (same_place(g->slots[i].place, p))
            return &g->slots[i];
    if (g->n_slots == g->cap_slots) {
        g->cap_slots = g->cap_slots ? g->cap_slots * 2 : 32;
        g->slots = xrealloc_array(g->slots, (size_t)g->cap_slots, sizeof(*g->slots));
    }
    g->slots[g->n_slots] = (struct cg_slot){.place = p, .acked = -1, .tried = -1, .epoch = -1};
    return &g->slots[g->n_slots++];
}

bool cg_topic_is_live(const struct cgroups *all, struct uuid id)
{
    for (int i = 0; i < all->n_topics; i++)
        if (all->topics[i].there && !all->topics[i].unsure && uuid_eq(all->topics[i].id, id))
            return true;
    return false;
}

bool cg_may_begin_anew(const struct cg_group *g)
{
    for (int i = 0; i < g->n_slots; i++)
        if (g->slots[i].acked >= 0 && cg_topic_is_live(g->all, g->slots[i].place.id))
            return false;
    return true;
}

void cg_begin_anew(struct cg_group *g)
{
    g->epoch_max = 0;
    for (int i = 0; i < g->n_slots; i++)
        g->slots[i].epoch = -1;
}

void cg_fetched(struct cg_group *g, struct cg_slot *s, int64_t acked, int64_t got)
{
    if (got < acked || got > s->tried)
        world_wrong(
            g->all->w, "%s partition %d: committed offset %lld; acknowledged was %lld, tried %lld",
            g->name, s->place.partition, (long long)got, (long long)acked, (long long)s->tried);
    s->acked = MAX(s->acked, got);
}

/* ---- after a start */

static void verify_topic(struct cg_group *g, const struct cg_topic *t, struct arena *arena)
{
    struct offset_fetch_request_groups_topics topic;
    struct offset_fetch_request_groups group;
    const struct offset_fetch_response *rsp;
    struct offset_fetch_request rq;
    int32_t indexes[CG_PARTS_MAX];

    offset_fetch_request_init(&rq);
    offset_fetch_request_groups_init(&group);
    offset_fetch_request_groups_topics_init(&topic);
    rq.groups = &group;
    rq.n_groups = 1;
    group.group_id = str_of(g->name);
    group.topics = &topic;
    group.n_topics = 1;
    topic.topic_id = t->id;
    topic.partition_indexes = indexes;
    topic.n_partition_indexes = t->n_parts;
    for (int i = 0; i < t->n_parts; i++)
        indexes[i] = i;
    rsp = world_ask(g->all->w, API_OFFSET_FETCH, 10, &rq, arena);
    if (!rsp || rsp->n_groups != 1 || rsp->groups[0].error_code != KE_NONE)
        world_wrong(g->all->w, "the offsets of %s cannot be fetched after a start: %s", g->name,
                    rsp ? kafka_error_name(rsp->groups[0].error_code) : "no answer");
    for (int i = 0; i < rsp->groups[0].topics[0].n_partitions; i++) {
        struct cg_place p = {t->id, rsp->groups[0].topics[0].partitions[i].partition_index};
        struct cg_slot *s = cg_slot_get(g, p);

        cg_fetched(g, s, s->acked, rsp->groups[0].topics[0].partitions[i].committed_offset);
    }
}

void cgroups_verify(struct world *w)
{
    struct cgroups *all = w->cgroups;
    struct arena arena;

    arena_init(&arena);
    for (int i = 0; i < all->n_groups; i++)
        for (int t = 0; t < all->n_topics; t++)
            if (cg_topic_is_live(all, all->topics[t].id))
                verify_topic(&all->groups[i], &all->topics[t], &arena);
    arena_release(&arena);
}

/* ---- does a group rest? */

static int count_owners(const struct cg_group *g, struct cg_place p)
{
    int n = 0;

    for (int i = 0; i < g->n_members; i++)
        n += cg_set_has(cg_member_owns(g->members[i]), p);
    return n;
}

static bool is_wanted(const struct cg_group *g, int topic)
{
    for (int i = 0; i < g->n_members; i++)
        if (cg_member_wants(g->members[i], topic))
            return true;
    return false;
}

/* NULL, or what is not as it is to be. */
static const char *unrest(const struct cg_group *g)
{
    const struct cgroups *all = g->all;
    int32_t first = -1, epoch;
    int n_owned = 0, n_wanted = 0;

    for (int i = 0; i < g->n_members; i++) {
        if (!cg_member_rests(g->members[i], &epoch))
            return "a member is on its way";
        if (first >= 0 && epoch != first)
            return "there are two epochs";
        first = epoch;
        n_owned += cg_member_owns(g->members[i])->n;
    }
    for (int t = 0; t < all->n_topics; t++) {
        const struct cg_topic *topic = &all->topics[t];

        if (topic->unsure)
            return "a topic is not known";
        for (int p = 0; is_wanted(g, t) && topic->there && p < topic->n_parts; p++, n_wanted++)
            if (count_owners(g, (struct cg_place){topic->id, p}) != 1)
                return "a partition has not one owner";
    }
    return n_owned == n_wanted ? NULL : "what is not there is owned";
}

bool cgroups_settled(struct world *w)
{
    struct cgroups *all = w->cgroups;
    bool whole = true;

    if (all->drain_ns == 0) {
        if (!w->draining)
            return true;
        all->drain_ns = world_now(w);
    }
    for (int i = 0; i < all->n_groups; i++) {
        struct cg_group *g = &all->groups[i];
        const char *what = g->settled ? NULL : unrest(g);

        if (!what && !g->settled)
            world_event(w, "%s has settled", g->name);
        g->settled |= !what;
        whole &= g->settled;
        if (what && world_now(w) > all->drain_ns + SETTLE_MS * NS_PER_MS) {
            for (int m = 0; m < g->n_members; m++)
                cg_member_tell(g->members[m]);
            world_wrong(w, "%s has not settled within a minute: %s", g->name, what);
        }
    }
    return whole;
}

/* ---- life */

void cgroups_new(struct world *w)
{
    struct cgroups *all = w->cgroups = xcalloc(1, sizeof(*all));

    all->w = w;
    all->n_groups = w->options.n_cgroups;
    all->n_topics = all->n_groups ? CG_TOPICS_MAX : 0;
    for (int t = 0; t < all->n_topics; t++) {
        all->topics[t].unsure = true;
        snprintf(all->topics[t].name, sizeof(all->topics[t].name), "cg%d", t);
    }
    if (all->n_groups)
        cg_admin_new(all);
    for (int i = 0; i < all->n_groups; i++) {
        struct cg_group *g = &all->groups[i];

        g->all = all;
        snprintf(g->name, sizeof(g->name), "cgroup%d", i);
        for (int m = 0; m < w->options.n_cmembers; m++)
            cg_member_new(g, i * 10 + m);
    }
}

void cgroups_free(struct world *w)
{
    for (int i = 0; i < w->cgroups->n_groups; i++)
        free(w->cgroups->groups[i].slots);
    free(w->cgroups);
}
