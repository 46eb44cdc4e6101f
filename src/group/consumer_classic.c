/* Members that speak the classic protocol in a consumer group: JoinGroup, SyncGroup, Heartbeat, LeaveGroup
 * (classicGroupJoinToConsumerGroup and its like).
 *
 * Such a member is one like the others, with a session timeout and protocols of its own. It has no leader: the broker
 * assigns. A generation is its member epoch; where a consumer of the newer protocol would be given something by its heartbeat,
 * this one is told REBALANCE_IN_PROGRESS, joins again, says in its subscription what it owns, and gets its assignment with
 * SyncGroup.
 *
 * Owner: the call, its caller's. Core thread. Nobody waits: each answer is made at once.
 */
#include "consumer.h"

/* ---- JoinGroup */

struct classic_join {
    struct cg_beat b;
    const struct join_group_request *rq;
    int16_t version;
    struct join_group_response *rsp;
    struct group_call *call;
    struct cg_classic classic;
    struct consumer_protocol_subscription sub;
    struct cg_partitions owned;
};

static bool supports_protocols(const struct group *g, const struct join_group_request *rq)
{
    struct consumer_group *cg = g->consumer;

    if (!str_eq(rq->protocol_type, CONSUMER_PROTOCOL_TYPE))
        return false;
    for (int32_t i = 0; i < rq->n_protocols; i++)
        if (cg_count_of(cg->protocols, rq->protocols[i].name) == cg->n_classic)
            return true;
    return false;
}

static int check_join(struct classic_join *j)
{
    struct cg_beat *b = &j->b;

    if (!cg_may_migrate(b->m))
        return cg_beat_fail(b, KE_INCONSISTENT_GROUP_PROTOCOL, "The group migration is disabled.");
    if (cg_beat_check_full(b, j->rq->group_instance_id) < 0)
        return -1;
    if (!supports_protocols(b->g, j->rq))
        return cg_beat_fail(b, KE_INCONSISTENT_GROUP_PROTOCOL, "The protocols are not supported.");
    if (embedded_subscription(j->rq->protocols[0].metadata, b->arena, &j->sub) < 0)
        return cg_beat_fail(b, KE_INCONSISTENT_GROUP_PROTOCOL, "The subscription is malformed.");
    return 0;
}

static void read_owned(struct classic_join *j)
{
    const struct groupm_options *o = &j->b.m->options;
    size_t n = 0;

    for (int32_t i = 0; i < j->sub.n_owned_partitions; i++)
        n += (size_t)j->sub.owned_partitions[i].n_partitions;
    j->owned.items = arena_array(j->b.arena, n, sizeof(*j->owned.items));
    for (int32_t i = 0; i < j->sub.n_owned_partitions; i++) {
        struct uuid id = o->topic_id(o->arg, j->sub.owned_partitions[i].topic);

        for (int32_t k = 0; !uuid_is_zero(id) && k < j->sub.owned_partitions[i].n_partitions; k++)
            j->owned.items[j->owned.n++] = (struct cg_partition){
                .topic = id, .partition = j->sub.owned_partitions[i].partitions[k]};
    }
    cg_partitions_sort(&j->owned);
    j->b.owned = &j->owned;
}

static void update_details(struct classic_join *j)
{
    const struct join_group_request *rq = j->rq;
    struct cg_details *d = &j->b.new;

    j->classic = (struct cg_classic){.session_timeout_ms = rq->session_timeout_ms,
                                     .protocols = arena_array(j->b.arena, (size_t)rq->n_protocols,
                                                              sizeof(*j->classic.protocols)),
                                     .n_protocols = rq->n_protocols};
    for (int32_t i = 0; i < rq->n_protocols; i++)
        j->classic.protocols[i] =
            (struct member_protocol){rq->protocols[i].name, rq->protocols[i].metadata};
    if (rq->group_instance_id.p)
        d->instance_id = rq->group_instance_id;
    if (j->sub.rack_id.n > 0)
        d->rack_id = j->sub.rack_id;
    if (rq->rebalance_timeout_ms != -1)
        d->rebalance_timeout_ms = rq->rebalance_timeout_ms;
    else if (d->rebalance_timeout_ms == -1)
        d->rebalance_timeout_ms = rq->session_timeout_ms; /* v0 */
    d->topics = j->sub.topics;
    d->n_topics = cg_sort_names(j->sub.topics, j->sub.n_topics);
    d->regex = STR("");
    d->client_id = j->b.who->client_id.p ? j->b.who->client_id : STR("");
    d->client_host = j->b.who->client_host;
    d->classic = &j->classic;
}

static void answer_joined(struct classic_join *j)
{
    j->rsp->member_id = arena_str(j->b.arena, j->b.member_id);
    j->rsp->generation_id = j->b.current.epoch;
    j->rsp->protocol_type = CONSUMER_PROTOCOL_TYPE;
    j->rsp->protocol_name = j->rq->protocols[0].name;
}

static void joined_timers(struct classic_join *j)
{
    struct cg_member *m = cg_beat_member(&j->b);

    ASSERT(m);
    timer_cancel(groupm_timers(j->b.m), &m->join);
    timer_cancel(groupm_timers(j->b.m), &m->rebalance);
    cg_session_touch(m, j->rq->session_timeout_ms);
    cg_sync_timer(m, m->details.rebalance_timeout_ms);
}

/* The static member of the newer protocol that it replaces was the last of them. */
static bool downgrades(struct classic_join *j)
{
    struct cg_member *there = cg_member_find_static(j->b.g, j->rq->group_instance_id);
    const struct consumer_group *cg = j->b.g->consumer;

    return there && !there->details.classic && cg->n_classic == cg->n_members - 1 &&
           cg_may_downgrade(j->b.m) && cg->n_members <= j->b.m->options.config->group_max_size;
}

static int downgrade(struct classic_join *j, bool changed)
{
    struct cg_beat *b = &j->b;
    struct cg_member *there = cg_member_find_static(b->g, j->rq->group_instance_id);
    bool rebalance = b->g->consumer->assignment_epoch < b->group_epoch;
    int rc;

    if (!rebalance) {
        b->target_epoch = b->g->consumer->assignment_epoch;
        b->target = cg_target_of(b->g, there->id);
        if (cg_beat_reconcile(b, changed) < 0)
            return -1;
    }
    answer_joined(j);
    rc = cg_downgrade(b->g, &there, 1, b, rebalance ? "the assignment is stale" : NULL);
    if (rc < 0)
        b->error = proposal_error(rc);
    return rc;
}

static int decide_join(struct classic_join *j)
{
    bool newcomer = j->rq->member_id.n == 0, changed, down;
    struct cg_beat *b = &j->b;

    if (cg_beat_find_member(b, MEMBER_EPOCH_LEAVE, j->rq->group_instance_id,
                            newcomer || !j->rq->group_instance_id.p, true) < 0)
        return -1;
    down = downgrades(j);
    update_details(j);
    read_owned(j);
    cg_beat_subscribe(b);
    if (cg_beat_regexes(b) < 0)
        return -1;
    changed = b->topics_changed || b->regex_changed;
    cg_beat_metadata(b, changed);
    if (down)
        return downgrade(j, changed);
    cg_beat_target(b);
    if (cg_beat_reconcile(b, changed) < 0)
        return -1;
    answer_joined(j);
    if (cg_beat_send(b) < 0)
        return -1;
    joined_timers(j);
    return 0;
}

static void give_id(struct classic_join *j)
{
    char text[UUID_TEXT_BYTES + 1];

    uuid_text(rng_uuid(&j->b.m->env->rng), text);
    j->b.member_id = arena_str(j->b.arena, str_of(text));
}

static void join_failed(struct classic_join *j, struct str member_id, int16_t error)
{
    join_group_response_init(j->rsp);
    answer_join_error(member_id, error, j->version, j->b.arena, j->rsp);
}

void consumer_join(struct groupm *m, struct group_shard *s, struct group *g,
                   const struct group_client *who, const struct join_group_request *rq,
                   int16_t version, struct join_group_response *rsp, struct group_call *call)
{
    struct classic_join j = {.rq = rq, .version = version, .rsp = rsp, .call = call};
    struct cg_beat *b = &j.b;

    b->m = m;
    b->s = s;
    b->g = g;
    b->who = who;
    b->arena = call->arena;
    b->group_id = rq->group_id;
    b->member_id = rq->member_id;
    statelog_proposal_init(&b->p);
    if (b->member_id.n == 0)
        give_id(&j);
    if (check_join(&j) < 0)
        join_failed(&j, STR(""), b->error);
    else if (version >= 4 && !rq->group_instance_id.p && rq->member_id.n == 0)
        join_failed(&j, b->member_id, KE_MEMBER_ID_REQUIRED);
    else if (decide_join(&j) < 0)
        join_failed(&j, STR(""), b->error);
    cg_beat_release(b);
    call_end(s, call);
}

/* ---- SyncGroup, Heartbeat */

/* validateConsumerGroupMember, and what else both check. */
static int16_t check_member(struct group *g, struct str id, struct str instance_id,
                            int32_t generation, struct cg_member **m)
{
    *m = instance_id.p ? cg_member_find_static(g, instance_id) : cg_member_find(g, id);
    if (!*m)
        return KE_UNKNOWN_MEMBER_ID;
    if (!str_eq((*m)->id, id))
        return KE_FENCED_INSTANCE_ID;
    if (!(*m)->details.classic)
        return KE_UNKNOWN_MEMBER_ID;
    return (*m)->current.epoch == generation ? KE_NONE : KE_ILLEGAL_GENERATION;
}

static int16_t check_sync(struct group *g, const struct sync_group_request *rq,
                          struct cg_member **m)
{
    int16_t error = check_member(g, rq->member_id, rq->group_instance_id, rq->generation_id, m);
    const struct cg_classic *c;

    if (error)
        return error;
    c = (*m)->details.classic;
    if (rq->protocol_type.p && !str_eq(rq->protocol_type, CONSUMER_PROTOCOL_TYPE))
        return KE_INCONSISTENT_GROUP_PROTOCOL;
    if (rq->protocol_name.p &&
        (c->n_protocols == 0 || !str_eq(rq->protocol_name, c->protocols[0].name)))
        return KE_INCONSISTENT_GROUP_PROTOCOL;
    if (g->consumer->assignment_epoch > (*m)->current.epoch &&
        (*m)->current.state != CG_UNREVOKED) {
        cg_join_timer_if_absent(*m);
        return KE_REBALANCE_IN_PROGRESS;
    }
    return KE_NONE;
}

void consumer_sync(struct group_shard *s, struct group *g, const struct sync_group_request *rq,
                   struct sync_group_response *rsp, struct group_call *call)
{
    const struct cg_classic *c;
    struct cg_member *m;
    int16_t version;

    rsp->error_code = check_sync(g, rq, &m);
    if (rsp->error_code == KE_NONE) {
        c = m->details.classic;
        version = c->n_protocols > 0 ? embedded_version(c->protocols[0].metadata) : 0;
        timer_cancel(groupm_timers(s->m), &m->sync);
        cg_session_touch(m, c->session_timeout_ms);
        rsp->protocol_type = rq->protocol_type;
        rsp->protocol_name = rq->protocol_name;
        rsp->assignment =
            embedded_assignment_put(s->m, &m->current.assigned, MAX(version, 0), call->arena);
    }
    call_end(s, call);
}

/* waitingOnUnreleasedPartition */
static bool waits_for_others(const struct group *g, const struct cg_member *m)
{
    struct cg_partitions target = cg_target_of(g, m->id);

    for (int32_t i = 0; i < target.n; i++) {
        const struct cg_partition *p = &target.items[i];

        if (!cg_partitions_find(&m->current.assigned, p->topic, p->partition) &&
            cg_owner_epoch(g, p->topic, p->partition) != NO_EPOCH)
            return true;
    }
    return false;
}

int16_t consumer_classic_heartbeat(struct group *g, const struct heartbeat_request *rq)
{
    const struct cg_current *c;
    struct cg_member *m;
    int16_t error = check_member(g, rq->member_id, rq->group_instance_id, rq->generation_id, &m);

    if (error)
        return error;
    c = &m->current;
    cg_session_touch(m, m->details.classic->session_timeout_ms);
    if (c->epoch >= g->consumer->assignment_epoch && c->state != CG_UNREVOKED &&
        !(c->state == CG_UNRELEASED && !waits_for_others(g, m)))
        return KE_NONE;
    cg_join_timer_if_absent(m);
    return KE_REBALANCE_IN_PROGRESS;
}

/* ---- LeaveGroup */

static int16_t find_leaver(struct group *g, struct str id, struct str instance_id,
                           struct cg_member **m)
{
    *m = instance_id.p ? cg_member_find_static(g, instance_id) : cg_member_find(g, id);
    if (!*m)
        return KE_UNKNOWN_MEMBER_ID;
    return instance_id.p && id.n > 0 && !str_eq((*m)->id, id) ? KE_FENCED_INSTANCE_ID : KE_NONE;
}

static int16_t fence(struct group *g, struct cg_member **members, int n)
{
    return proposal_error(cg_fence(g, members, n));
}

static bool contains(struct cg_member **members, int n, const struct cg_member *m)
{
    for (int i = 0; i < n; i++)
        if (members[i] == m)
            return true;
    return false;
}

void consumer_leave(struct group *g, const struct leave_group_request *rq, int16_t version,
                    struct leave_group_response *rsp, struct arena *arena)
{
    struct cg_member **leaving = arena_array(arena, (size_t)MAX(rq->n_members, 1),
                                             sizeof(struct cg_member *)),
                     *m;
    int n = 0;

    if (version < 3) {
        rsp->error_code = find_leaver(g, rq->member_id, (struct str){NULL, 0}, &m);
        if (!rsp->error_code)
            rsp->error_code = fence(g, &m, 1);
        return;
    }
    rsp->n_members = rq->n_members;
    rsp->members = arena_array(arena, (size_t)rq->n_members, sizeof(*rsp->members));
    for (int32_t i = 0; i < rq->n_members; i++) {
        struct leave_group_response_members *row = &rsp->members[i];

        leave_group_response_members_init(row);
        row->member_id = rq->members[i].member_id;
        row->group_instance_id = rq->members[i].group_instance_id;
        row->error_code = find_leaver(g, row->member_id, row->group_instance_id, &m);
        if (!row->error_code && !contains(leaving, n, m))
            leaving[n++] = m;
    }
    rsp->error_code = fence(g, leaving, n);
    if (rsp->error_code)
        rsp->n_members = 0;
}
