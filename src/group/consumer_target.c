/* The target assignment: who is to have what, at which epoch of the group (TargetAssignmentBuilder).
 *
 * Owner: struct cg_beat; all memory from its arena.
 *
 * Happy path: the group's epoch is past the assignment's, and the last computation was long enough ago -> the subscribed
 *             topics that exist, by name -> the members in the order they came, each with its topics and its target of
 *             now -> the assignor -> a record for each target that is another now, and one for the epoch.
 */
#include "assignor.h"
#include "consumer.h"

struct target_builder {
    struct cg_beat *b;
    struct cg_subscription *subs; /* the topics of the spec, by name; same order as spec.topics */
    int32_t *by_id;               /* indices of spec.topics, by topic id */
    struct assignor_topic *topics;
    bool **taken; /* by topic and partition: somebody's target already */
    struct assignor_spec spec;
};

/* ---- topics */

static int by_topic_id(const void *a, const void *b, void *arg)
{
    const struct assignor_topic *topics = arg;

    return memcmp(topics[*(const int32_t *)a].id.b, topics[*(const int32_t *)b].id.b,
                  sizeof(topics->id.b));
}

static void put_topics(struct target_builder *t, const struct cg_subscriptions *subs)
{
    const struct groupm_options *o = &t->b->m->options;
    struct arena *arena = t->b->arena;
    int32_t n = 0;

    t->subs = arena_array(arena, (size_t)subs->n, sizeof(*t->subs));
    t->topics = arena_array(arena, (size_t)subs->n, sizeof(*t->topics));
    t->by_id = arena_array(arena, (size_t)subs->n, sizeof(*t->by_id));
    t->taken = arena_array(arena, (size_t)subs->n, sizeof(*t->taken));
    for (int32_t i = 0; i < subs->n; i++) {
        int32_t n_partitions = o->topic_partitions(o->arg, subs->items[i].topic);

        if (n_partitions <= 0)
            continue;
        t->subs[n] = subs->items[i];
        t->topics[n] =
            (struct assignor_topic){o->topic_id(o->arg, subs->items[i].topic), n_partitions};
        t->taken[n] = arena_array(arena, (size_t)n_partitions, sizeof(bool));
        t->by_id[n] = n;
        n++;
    }
    t->spec.topics = t->topics;
    t->spec.n_topics = n;
    if (n > 1)
        qsort_r(t->by_id, (size_t)n, sizeof(*t->by_id), by_topic_id, t->topics);
}

static int32_t index_of_name(const struct target_builder *t, struct str name)
{
    int32_t low = 0, high = t->spec.n_topics;

    while (low < high) {
        int32_t mid = low + (high - low) / 2;
        int c = str_cmp(t->subs[mid].topic, name);

        if (c == 0)
            return mid;
        if (c < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return -1;
}

static int32_t index_of_id(const struct target_builder *t, struct uuid id)
{
    int32_t low = 0, high = t->spec.n_topics;

    while (low < high) {
        int32_t mid = low + (high - low) / 2;
        int c = memcmp(t->topics[t->by_id[mid]].id.b, id.b, sizeof(id.b));

        if (c == 0)
            return t->by_id[mid];
        if (c < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return -1;
}

/* ---- members */

static int by_index(const void *a, const void *b)
{
    const struct assignor_partition *x = a, *y = b;

    if (x->topic != y->topic)
        return x->topic < y->topic ? -1 : 1;
    return (x->partition > y->partition) - (x->partition < y->partition);
}

/* What is gone, and what another one has, is left out. */
static void put_owned(struct target_builder *t, struct assignor_member *am,
                      struct cg_partitions target)
{
    struct assignor_partition *owned = arena_array(t->b->arena, (size_t)target.n, sizeof(*owned));

    am->owned = owned;
    for (int32_t i = 0; i < target.n; i++) {
        int32_t topic = index_of_id(t, target.items[i].topic);
        int32_t partition = target.items[i].partition;

        if (topic < 0 || partition >= t->topics[topic].n_partitions || t->taken[topic][partition])
            continue;
        t->taken[topic][partition] = true;
        owned[am->n_owned++] = (struct assignor_partition){topic, partition};
    }
    if (am->n_owned > 1)
        qsort(owned, (size_t)am->n_owned, sizeof(*owned), by_index);
}

static void put_member(struct target_builder *t, struct str id, const struct cg_details *d,
                       struct str target_of)
{
    struct assignor_member *am = &t->spec.members[t->spec.n_members++];
    int32_t n_names;
    struct str *names = cg_topics_of(t->b->g, d, t->b->arena, &n_names);
    int32_t *topics = arena_array(t->b->arena, (size_t)n_names, sizeof(*topics));

    am->member_id = id;
    am->instance_id = d->instance_id;
    am->topics = topics;
    for (int32_t i = 0; i < n_names; i++) {
        int32_t index = index_of_name(t, names[i]);

        if (index >= 0)
            topics[am->n_topics++] = index;
    }
    put_owned(t, am, cg_target_of(t->b->g, target_of));
}

static void put_members(struct target_builder *t)
{
    struct cg_beat *b = t->b;
    bool newcomer = !b->member && !b->replaced;

    t->spec.members =
        arena_array(b->arena, (size_t)b->g->consumer->n_members + 1, sizeof(*t->spec.members));
    for (const struct cg_member *m = b->g->consumer->members; m; m = m->by_id.next) {
        if (m == b->member || m == b->replaced)
            put_member(t, b->member_id, &b->new, m->id);
        else
            put_member(t, m->id, &m->details, m->id);
    }
    if (newcomer)
        put_member(t, b->member_id, &b->new, b->member_id);
}

/* ---- the result */

static struct cg_partitions assigned(const struct target_builder *t,
                                     const struct assignor_member *am)
{
    struct cg_partitions ps = {arena_array(t->b->arena, (size_t)am->n_assigned, sizeof(*ps.items)),
                               am->n_assigned};

    for (int32_t i = 0; i < am->n_assigned; i++)
        ps.items[i] = (struct cg_partition){.topic = t->topics[am->assigned[i].topic].id,
                                            .partition = am->assigned[i].partition};
    cg_partitions_sort(&ps);
    ASSERT(ps.n == am->n_assigned);
    return ps;
}

/* A member without a target gets a record even when there is nothing in it. */
static void propose_changes(struct target_builder *t)
{
    struct cg_beat *b = t->b;

    for (int32_t i = 0; i < t->spec.n_members; i++) {
        const struct assignor_member *am = &t->spec.members[i];
        bool self = str_eq(am->member_id, b->member_id);
        struct str target_of = self && b->replaced ? b->replaced->id : am->member_id;
        struct cg_partitions now = assigned(t, am);
        struct cg_target *before = cg_target_find(b->g, target_of);

        if (!before || !cg_partitions_equal(&before->partitions, &now, false))
            propose_cg_target(&b->p, b->group_id, am->member_id, &now);
        if (self)
            b->target = now;
    }
    propose_cg_target_epoch(&b->p, b->group_id, b->group_epoch, groupm_now_ms(b->m));
}

/* A last one that is still to come is of a calendar that was set back, in this process or before it. */
static bool may_compute(const struct cg_beat *b)
{
    int64_t last_ms = b->g->consumer->assignment_ms, now_ms = groupm_now_ms(b->m);

    return now_ms < last_ms || last_ms == 0 ||
           now_ms >= last_ms + cg_assignment_interval_ms(b->m, b->group_id);
}

static void last_target(struct cg_beat *b)
{
    const struct cg_member *m = b->replaced ? b->replaced : b->member;

    b->target_epoch = b->g->consumer->assignment_epoch;
    b->target = m ? cg_target_of(b->g, m->id) : (struct cg_partitions){NULL, 0};
}

void cg_beat_target(struct cg_beat *b)
{
    struct target_builder t = {.b = b, .spec.homogeneous = b->homogeneous};
    bool known = b->member || b->replaced;
    struct cg_change change = {.old = known ? &b->old : NULL, .new = &b->new};
    struct str name = cg_preferred_assignor(b->g, change);
    const struct assignor *assignor = assignor_find(name);
    struct cg_subscriptions subs;

    if (b->g->consumer->assignment_epoch >= b->group_epoch || !may_compute(b)) {
        last_target(b);
        return;
    }
    ASSERT(assignor);
    subs = cg_subscriptions_of(b->g, b->arena);
    cg_subscriptions_member(&subs, &b->new,
                            1); /* what it had before may stay: nobody is given it */
    cg_subscriptions_settle(&subs);
    put_topics(&t, &subs);
    put_members(&t);
    assignor->assign(&t.spec, b->arena);
    diag_info("group %s: a target for epoch %d by the assignor %.*s", diag_escape(b->group_id),
              b->group_epoch, STR_ARG(name));
    b->target_epoch = b->group_epoch;
    propose_changes(&t);
}
