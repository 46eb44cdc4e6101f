/* JoinGroup.
 *
 * Owner: the call, its caller's; the member that it makes, the group's. Core thread.
 *
 * Happy path: a dynamic newcomer is told its id (MEMBER_ID_REQUIRED, KIP-394) -> comes again with
 *             it -> is a member, waiting -> the rebalance completes (rebalance.c) and answers. A
 *             static member (KIP-345) is known by its instance id: whoever comes with it takes its
 *             place.
 * Failures:   every refusal is data in the reply. A group that comes to be is written first; when
 *             that cannot be, it does not come to be.
 */
#include "consumer.h"

struct join {
    struct groupm *m;
    struct group_shard *s;
    struct group *g;
    const struct group_client *who;
    const struct join_group_request *rq;
    int16_t version;
    struct join_group_response *rsp;
    struct group_call *call;
    struct member_details details; /* id: empty for a newcomer */
};

static struct str reason(const struct join *j)
{
    return j->rq->reason.n > 0 ? j->rq->reason : STR("not provided");
}

static const char *why(const struct join *j, const char *what)
{
    return arena_printf(j->call->arena, "%s; client reason: %s", what, diag_escape(reason(j))).p;
}

static void refuse(struct join *j, struct str member_id, int16_t error)
{
    answer_join_error(member_id, error, j->version, j->call->arena, j->rsp);
    call_end(j->s, j->call);
}

/* Waits for the end of the rebalance. A member that asks twice is answered once: the older request
 * comes from a connection that it gave up. */
static void park(struct join *j, struct member *m)
{
    if (m->join)
        member_fail_join(m, m->id, KE_REBALANCE_IN_PROGRESS);
    member_set_awaiting_join(m, true);
    m->join = call_park(j->m, j->call, m, j->version);
    m->join->join = j->rsp;
}

static struct str new_member_id(struct join *j)
{
    struct uuid u = rng_uuid(&j->m->env->rng);
    struct str name = j->rq->group_instance_id.p ? j->rq->group_instance_id : j->who->client_id;
    struct str id = {.n = name.n + 37};
    char *p = arena_alloc(j->call->arena, id.n + 1);
    size_t at = name.n;

    /* java.util.UUID.toString */
    if (name.n)
        memcpy(p, name.p, name.n);
    p[at++] = '-';
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            p[at++] = '-';
        p[at++] = "0123456789abcdef"[u.b[i] >> 4];
        p[at++] = "0123456789abcdef"[u.b[i] & 15];
    }
    ASSERT(at == id.n);
    id.p = p;
    return id;
}

static void add_member(struct join *j, struct str id)
{
    struct group *g = j->g;
    struct member *m;

    if (g->state == GROUP_PREPARING && g->previous == GROUP_EMPTY)
        g->new_member_added = true;
    j->details.id = id;
    m = member_add(g, &j->details);
    m->is_new = true;
    park(j, m);
    session_set(m, NEW_MEMBER_JOIN_TIMEOUT_MS);
    rebalance_or_complete(g, why(j, "a new member joins"));
}

static void update_member(struct join *j, struct member *m, const char *what)
{
    member_update(m, &j->details);
    park(j, m);
    rebalance_or_complete(j->g, why(j, what));
}

/* ---- static members */

/* KIP-814: a leader that comes back learns its members again, but is not to assign. */
static void answer_replaced(struct join *j, struct member *m, struct str old_leader_id)
{
    struct group *g = j->g;
    bool leads = g->leader == m;

    if (j->version >= 9) {
        answer_join(g, m, leads, j->version, j->call->arena, j->rsp);
        j->rsp->skip_assignment = leads;
    } else {
        /* It is told the old leader's id, so that it does not take itself for the leader. */
        answer_join(g, m, false, j->version, j->call->arena, j->rsp);
        j->rsp->leader = old_leader_id;
    }
    call_end(j->s, j->call);
}

/* Nothing that the others could notice has changed: the new id is stored, and that is all. If it
 * cannot be, the client asks again: whoever comes with the instance id is taken. */
static void store_replaced(struct join *j, struct member *m, struct str old_leader_id)
{
    struct statelog_proposal p;
    int rc;

    statelog_proposal_init(&p);
    propose_group(&p, j->g, false);
    rc = proposal_send(&p, j->s);
    statelog_proposal_release(&p);
    if (rc < 0)
        refuse(j, STR(""), proposal_error(rc));
    else
        answer_replaced(j, m, old_leader_id);
}

/* Whoever had the place until now is fenced at once if it waits, and by its id later. */
static void replace_static(struct join *j, struct member *m, struct str id)
{
    struct group *g = j->g;
    struct str old_leader_id = arena_str(j->call->arena, g->leader->id);

    ASSERT(g->state != GROUP_EMPTY);
    MARK(group_static_replaced);
    member_fail_join(m, m->id, KE_FENCED_INSTANCE_ID);
    member_fail_sync(m, KE_FENCED_INSTANCE_ID);
    member_rename(m, id);
    session_touch(m);
    m->is_new = false;
    member_update(m, &j->details);
    if (g->state == GROUP_STABLE && str_eq(g->protocol, group_select_protocol(g))) {
        store_replaced(j, m, old_leader_id);
        return;
    }
    park(j, m);
    if (group_can_rebalance(g))
        rebalance_prepare(g, why(j, "a static member came back"));
    else
        rebalance_maybe_complete(g);
}

/* ---- newcomers */

static void join_new(struct join *j)
{
    struct group *g = j->g;
    struct str instance = j->rq->group_instance_id, id;
    struct member *m;

    if (!group_supports(g, &j->details)) {
        refuse(j, STR(""), KE_INCONSISTENT_GROUP_PROTOCOL);
        return;
    }
    id = new_member_id(j);
    m = instance.p ? member_find_static(g, instance) : NULL;
    if (m) {
        replace_static(j, m, id);
    } else if (instance.p || j->version < 4) {
        add_member(j, id);
    } else if (HASH_COUNT(g->pending) >= PENDING_MEMBERS_MAX) {
        refuse(j, STR(""), KE_GROUP_MAX_SIZE_REACHED);
    } else {
        pending_add(g, id, j->rq->session_timeout_ms);
        refuse(j, id, KE_MEMBER_ID_REQUIRED);
    }
}

/* ---- who comes with an id */

static void answer_current(struct join *j, struct member *m)
{
    bool whole = j->g->state == GROUP_COMPLETING && m == j->g->leader;

    answer_join(j->g, m, whole, j->version, j->call->arena, j->rsp);
    call_end(j->s, j->call);
}

static void join_known(struct join *j, struct member *m)
{
    struct group *g = j->g;

    if (g->state == GROUP_PREPARING)
        update_member(j, m, "a member joins again");
    else if (!member_matches(m, &j->details))
        update_member(j, m, "a member's metadata changed");
    else if (g->state == GROUP_STABLE && m == g->leader)
        update_member(j, m, "the leader joins again");
    else
        answer_current(j, m); /* it missed the answer, or wants to know */
}

static void join_with_id(struct join *j)
{
    struct group *g = j->g;
    struct str id = j->rq->member_id;
    struct pending_member *p = pending_find(g, id);
    struct member *m;
    int16_t error;

    if (!group_supports(g, &j->details)) {
        refuse(j, id, KE_INCONSISTENT_GROUP_PROTOCOL);
        return;
    }
    if (p && j->rq->group_instance_id.p) {
        refuse(j, id, KE_UNKNOWN_SERVER_ERROR); /* as Kafka, which does not expect it */
        return;
    }
    if (p) {
        pending_remove(p);
        add_member(j, id);
        return;
    }
    error = member_check(g, id, j->rq->group_instance_id, &m);
    if (error)
        refuse(j, id, error);
    else
        join_known(j, m);
}

/* ---- */

/* While members gather, those who came count; later, those who are in. (acceptJoiningMember) */
static bool has_room(struct join *j)
{
    struct group *g = j->g;
    struct member *m = member_find(g, j->rq->member_id);
    int64_t size_max = j->m->options.config->group_max_size;

    if (g->state == GROUP_EMPTY)
        return true;
    if (g->state == GROUP_PREPARING)
        return (m && m->awaiting_join) || g->n_awaiting_join < size_max;
    return m || g->n_members < size_max;
}

/* Told now what the leader's SyncGroup would be told: a group of such members cannot be stored. */
static bool is_too_large(const struct join *j)
{
    struct member *m = member_find(j->g, j->rq->member_id);

    if (!m && j->rq->group_instance_id.p)
        m = member_find_static(j->g, j->rq->group_instance_id);
    return !member_fits(j->g, m, &j->details);
}

static void turn_away(struct join *j)
{
    struct member *m = member_find(j->g, j->rq->member_id);
    struct pending_member *p = pending_find(j->g, j->rq->member_id);

    if (m)
        member_remove(m);
    if (p)
        pending_remove(p);
    refuse(j, STR(""), KE_GROUP_MAX_SIZE_REACHED);
    rebalance_maybe_complete(j->g);
}

/* A group comes to be with a record of its own, so that it is there after a restart; a consumer
 * group without members becomes one. */
static int make_group(struct join *j)
{
    struct statelog_proposal p;
    int rc;

    statelog_proposal_init(&p);
    if (j->g)
        propose_cg_tombstones(&p, j->g);
    propose_new_group(&p, j->rq->group_id, groupm_now_ms(j->m));
    j->s->downgrading = j->g != NULL;
    rc = proposal_send(&p, j->s);
    j->s->downgrading = false;
    statelog_proposal_release(&p);
    j->g = group_find(j->s, j->rq->group_id);
    ASSERT(rc < 0 || j->g);
    return rc;
}

static int16_t check(const struct join *j)
{
    const struct config *c = j->m->options.config;

    if (j->m->stopping)
        return KE_COORDINATOR_NOT_AVAILABLE;
    if (j->rq->group_id.n == 0)
        return KE_INVALID_GROUP_ID;
    if (j->rq->session_timeout_ms < c->group_min_session_timeout_ms ||
        j->rq->session_timeout_ms > c->group_max_session_timeout_ms)
        return KE_INVALID_SESSION_TIMEOUT;
    return KE_NONE;
}

/* The group, made for a newcomer. A member id without its group is unknown. */
static int16_t find_group(struct join *j)
{
    bool newcomer = j->rq->member_id.n == 0;
    int16_t error = shard_of(j->m, j->rq->group_id, newcomer, &j->s);
    int rc;

    if (error)
        return error;
    j->g = group_find(j->s, j->rq->group_id);
    if (j->g && (!j->g->consumer || !group_is_empty(j->g)))
        return KE_NONE;
    if (!newcomer)
        return KE_UNKNOWN_MEMBER_ID;
    rc = make_group(j);
    return proposal_error(rc);
}

void groupm_join(struct groupm *m, const struct group_client *who,
                 const struct join_group_request *rq, int16_t version,
                 struct join_group_response *rsp, struct group_call *call)
{
    struct join j = {.m = m, .who = who, .rq = rq, .version = version, .rsp = rsp, .call = call};
    int16_t error;

    ASSERT_CORE();
    ASSERT(m->magic == GROUPM_MAGIC);
    j.details = (struct member_details){
        .instance_id = rq->group_instance_id,
        .client_id = who->client_id,
        .client_host = who->client_host,
        .rebalance_timeout_ms =
            version == 0 ? rq->session_timeout_ms : MAX(rq->rebalance_timeout_ms, 0),
        .session_timeout_ms = rq->session_timeout_ms,
        .protocol_type = rq->protocol_type,
        .protocols = rq->protocols,
        .n_protocols = rq->n_protocols,
    };
    error = check(&j);
    if (!error)
        error = find_group(&j);
    if (error)
        refuse(&j, rq->member_id, error);
    else if (j.g->consumer)
        consumer_join(m, j.s, j.g, who, rq, version, rsp, call);
    else if (!has_room(&j))
        turn_away(&j);
    else if (is_too_large(&j))
        refuse(&j, rq->member_id, KE_UNKNOWN_SERVER_ERROR);
    else if (rq->member_id.n == 0)
        join_new(&j);
    else
        join_with_id(&j);
}
