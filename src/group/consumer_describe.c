/* ConsumerGroupDescribe.
 *
 * Owner: the call, its caller's. Core thread. Everything is copied: a group may be gone when the reply leaves.
 */
#include "consumer.h"

typedef struct consumer_group_describe_response_groups group_row;
typedef struct consumer_group_describe_response_groups_members member_row;
typedef struct consumer_group_describe_response_groups_members_assignment assignment_row;

/* One row per topic; a topic that is gone is not shown. */
static void describe_partitions(struct groupm *m, const struct cg_partitions *ps,
                                struct arena *arena, assignment_row *row)
{
    const struct groupm_options *o = &m->options;

    row->topic_partitions = arena_array(arena, (size_t)ps->n, sizeof(*row->topic_partitions));
    for (int32_t at = 0, n; at < ps->n; at += n) {
        struct consumer_group_describe_response_groups_members_assignment_topic_partitions *tp =
            &row->topic_partitions[row->n_topic_partitions];
        struct str name = o->topic_name(o->arg, ps->items[at].topic);

        n = cg_partitions_run(ps, at);
        if (!name.p)
            continue;
        row->n_topic_partitions++;
        tp->topic_id = ps->items[at].topic;
        tp->topic_name = arena_str(arena, name);
        tp->n_partitions = n;
        tp->partitions = arena_array(arena, (size_t)n, sizeof(*tp->partitions));
        for (int32_t i = 0; i < n; i++)
            tp->partitions[i] = ps->items[at + i].partition;
    }
}

/* What it has, with what it has not yet given up. */
static struct cg_partitions all_of(const struct cg_current *c, struct arena *arena)
{
    struct cg_partitions all = {
        arena_array(arena, (size_t)c->assigned.n + (size_t)c->revoking.n, sizeof(*all.items)), 0};

    for (int32_t i = 0; i < c->assigned.n; i++)
        all.items[all.n++] = c->assigned.items[i];
    for (int32_t i = 0; i < c->revoking.n; i++)
        all.items[all.n++] = c->revoking.items[i];
    cg_partitions_sort(&all);
    return all;
}

static void describe_member(const struct cg_member *m, struct arena *arena, member_row *row)
{
    struct groupm *gm = m->group->shard->m;
    struct cg_partitions has = all_of(&m->current, arena), target = cg_target_of(m->group, m->id);
    const struct cg_details *d = &m->details;

    consumer_group_describe_response_groups_members_init(row);
    row->member_id = arena_str(arena, m->id);
    row->instance_id = arena_str(arena, d->instance_id);
    row->rack_id = arena_str(arena, d->rack_id);
    row->member_epoch = m->current.epoch;
    row->client_id = arena_str(arena, d->client_id);
    row->client_host = arena_str(arena, d->client_host);
    row->n_subscribed_topic_names = d->n_topics;
    row->subscribed_topic_names = arena_array(arena, (size_t)d->n_topics, sizeof(struct str));
    for (int32_t i = 0; i < d->n_topics; i++)
        row->subscribed_topic_names[i] = arena_str(arena, d->topics[i]);
    row->subscribed_topic_regex = arena_str(arena, d->regex);
    row->member_type = d->classic ? 0 : 1;
    describe_partitions(gm, &has, arena, &row->assignment);
    describe_partitions(gm, &target, arena, &row->target_assignment);
}

static void describe_group(const struct group *g, struct arena *arena, group_row *row)
{
    const struct consumer_group *cg = g->consumer;

    row->group_state = str_of(cg_state_name(consumer_group_state(g)));
    row->group_epoch = cg->epoch;
    row->assignment_epoch = cg->assignment_epoch;
    row->assignor_name = arena_str(arena, cg_preferred_assignor(g, (struct cg_change){NULL, NULL}));
    row->members = arena_array(arena, (size_t)cg->n_members, sizeof(*row->members));
    for (const struct cg_member *m = cg->members; m; m = m->by_id.next)
        describe_member(m, arena, &row->members[row->n_members++]);
}

static void describe_one(struct groupm *m, struct str id, struct arena *arena, group_row *row,
                         struct group_shard **shard)
{
    struct group *g;

    consumer_group_describe_response_groups_init(row);
    row->group_id = id;
    row->error_code = group_get_named(m, id, shard, &g);
    if (row->error_code) {
        *shard = NULL;
    } else if (g && g->consumer) {
        describe_group(g, arena, row);
    } else {
        row->error_code = KE_GROUP_ID_NOT_FOUND;
        row->error_message =
            arena_printf(arena, g ? "Group %.*s is not a consumer group." : "Group %.*s not found.",
                         STR_ARG(id));
    }
}

void groupm_consumer_describe(struct groupm *m, const struct consumer_group_describe_request *rq,
                              struct consumer_group_describe_response *rsp, struct group_call *call)
{
    struct group_shard **shards =
        arena_array(call->arena, (size_t)rq->n_group_ids, sizeof(struct group_shard *));

    ASSERT_CORE();
    rsp->n_groups = rq->n_group_ids;
    rsp->groups = arena_array(call->arena, (size_t)rq->n_group_ids, sizeof(*rsp->groups));
    for (int32_t i = 0; i < rq->n_group_ids; i++)
        describe_one(m, rq->group_ids[i], call->arena, &rsp->groups[i], &shards[i]);
    call_end_all(shards, rq->n_group_ids, call);
}
