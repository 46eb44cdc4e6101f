/* A consumer group: what is in it, and what state that is.
 *
 * Owner: struct group, core thread. Changes are made by records alone: consumer_members.c.
 *
 *                a member joins: the group's epoch grows
 *      Empty ------------------------------------------> Assigning <------------------+
 *        ^                                                  |                         | a subscription or a topic
 *        | the last member goes                             | a target is computed    | changes, a member goes:
 *        +----------------- from all                        v for that epoch          | the epoch grows
 *                                                        Reconciling -----------------+
 *                                                           |                         |
 *                                                           | every member has        |
 *                                                           v what it is to have      |
 *                                                        Stable ----------------------+
 *
 * The state is not stored: it follows from the epochs (ConsumerGroup.maybeUpdateGroupState).
 */
#include "consumer.h"

static const char *const state_names[] = {
    [CG_GROUP_EMPTY] = "Empty",
    [CG_GROUP_ASSIGNING] = "Assigning",
    [CG_GROUP_RECONCILING] = "Reconciling",
    [CG_GROUP_STABLE] = "Stable",
    [CG_GROUP_DEAD] = "Dead",
};

const char *cg_state_name(enum cg_state state)
{
    ASSERT((size_t)state < ARRAY_SIZE(state_names));
    return state_names[state];
}

bool cg_is_reconciled(const struct cg_current *c, int32_t assignment_epoch)
{
    return c->state == CG_STABLE && c->epoch == assignment_epoch;
}

enum cg_state consumer_group_state(const struct group *g)
{
    const struct consumer_group *cg = g->consumer;

    ASSERT(cg->magic == CONSUMER_GROUP_MAGIC);
    if (cg->n_members == 0)
        return CG_GROUP_EMPTY;
    if (cg->epoch > cg->assignment_epoch)
        return CG_GROUP_ASSIGNING;
    for (const struct cg_member *m = cg->members; m; m = m->by_id.next)
        if (!cg_is_reconciled(&m->current, cg->assignment_epoch))
            return CG_GROUP_RECONCILING;
    return CG_GROUP_STABLE;
}

/* ---- life */

struct consumer_group *consumer_group_new(void)
{
    struct consumer_group *cg = xcalloc(1, sizeof(*cg));

    cg->magic = CONSUMER_GROUP_MAGIC;
    cg->epoch = 1;
    cg->assignment_epoch = 1;
    return cg;
}

void consumer_group_free(struct group *g)
{
    struct consumer_group *cg = g->consumer;

    if (!cg)
        return;
    ASSERT(cg->magic == CONSUMER_GROUP_MAGIC);
    while (cg->members)
        cg_member_remove(cg->members);
    while (cg->targets)
        cg_target_remove(g, cg->targets->member_id);
    while (cg->resolved)
        cg_regex_remove(g, cg->resolved->regex);
    ASSERT(!cg->topics);
    ASSERT(!cg->regexes);
    ASSERT(!cg->assignors);
    ASSERT(!cg->protocols);
    ASSERT(!cg->owners);
    cg->magic = 0;
    free(cg);
    g->consumer = NULL;
}

/* ---- finding */

struct cg_member *cg_member_find(const struct group *g, struct str id)
{
    struct cg_member *m = NULL;

    HASH_FIND(by_id, g->consumer->members, id.p, id.n, m);
    return m;
}

struct cg_member *cg_member_find_static(const struct group *g, struct str instance_id)
{
    struct cg_member *m = NULL;

    if (instance_id.p)
        HASH_FIND(by_instance, g->consumer->statics, instance_id.p, instance_id.n, m);
    return m;
}

struct cg_target *cg_target_find(const struct group *g, struct str member_id)
{
    struct cg_target *t = NULL;

    HASH_FIND(hh, g->consumer->targets, member_id.p, member_id.n, t);
    return t;
}

struct cg_partitions cg_target_of(const struct group *g, struct str member_id)
{
    struct cg_target *t = g ? cg_target_find(g, member_id) : NULL;

    return t ? t->partitions : (struct cg_partitions){NULL, 0};
}

int32_t cg_owner_epoch(const struct group *g, struct uuid topic, int32_t partition)
{
    struct cg_owners *o = NULL;

    HASH_FIND(hh, g->consumer->owners, &topic, sizeof(topic), o);
    return o && partition >= 0 && partition < o->n ? o->epochs[partition] : NO_EPOCH;
}

struct cg_regex *cg_regex_find(const struct group *g, struct str regex)
{
    struct cg_regex *r = NULL;

    HASH_FIND(hh, g->consumer->resolved, regex.p, regex.n, r);
    return r;
}

int32_t cg_count_of(struct cg_count *counts, struct str name)
{
    struct cg_count *c = NULL;

    HASH_FIND(hh, counts, name.p, name.n, c);
    return c ? c->n_members : 0;
}

bool cg_is_subscribed(const struct group *g, struct str topic)
{
    struct cg_count *c = NULL;

    HASH_FIND(hh, g->consumer->topics, topic.p, topic.n, c);
    return c != NULL;
}
