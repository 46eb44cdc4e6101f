/* SyncGroup and Heartbeat.
 *
 * Owner: the call, its caller's. Core thread.
 *
 * Happy path: followers wait -> the leader brings all assignments -> one GroupMetadata record ->
 *             applied: the group is Stable -> everybody is answered when that is durable.
 * Failures:   assignments that cannot be stored make everybody join again.
 */
#include "consumer.h"

static void sync_refuse(struct group_shard *s, struct sync_group_response *rsp, int16_t error,
                        struct group_call *call)
{
    rsp->error_code = error;
    call_end(s, call);
}

static bool inconsistent(struct str asked, struct str have)
{
    return asked.p && have.p && !str_eq(asked, have);
}

/* validateSyncGroup */
static int16_t sync_check(struct group *g, const struct sync_group_request *rq, struct member **m)
{
    int16_t error = member_check(g, rq->member_id, rq->group_instance_id, m);

    if (error)
        return error;
    if (rq->generation_id != g->generation)
        return KE_ILLEGAL_GENERATION;
    if (inconsistent(rq->protocol_type, g->protocol_type) ||
        inconsistent(rq->protocol_name, g->protocol))
        return KE_INCONSISTENT_GROUP_PROTOCOL;
    return KE_NONE;
}

static void sync_arrived(struct member *m)
{
    struct group *g = m->group;

    member_set_pending_sync(m, false);
    if (g->n_pending_sync == 0)
        timer_cancel(groupm_timers(g->shard->m), &g->sync_timer);
}

/* Whoever the leader forgot gets nothing. */
static int store_assignments(struct group *g, const struct sync_group_request *rq)
{
    struct statelog_proposal p;
    int rc;

    for (struct member *m = g->members; m; m = m->by_id.next)
        m->proposed = bytes_of("", 0);
    for (int32_t i = 0; i < rq->n_assignments; i++) {
        struct member *m = member_find(g, rq->assignments[i].member_id);

        if (m)
            m->proposed = rq->assignments[i].assignment;
    }
    statelog_proposal_init(&p);
    propose_group(&p, g, true);
    rc = proposal_send(&p, g->shard);
    statelog_proposal_release(&p);
    for (struct member *m = g->members; m; m = m->by_id.next)
        m->proposed = bytes_of("", 0);
    return rc;
}

static void lead(struct group *g, const struct sync_group_request *rq)
{
    int rc = store_assignments(g, rq);
    int16_t error = proposal_error(rc);

    if (error) {
        diag_warn("group %s: its assignment cannot be stored: %s", diag_escape(g->id),
                  err_text(rc));
        for (struct member *m = g->members; m; m = m->by_id.next)
            member_fail_sync(m, error);
        rebalance_prepare(g, "the assignment could not be stored");
        return;
    }
    group_move(g, GROUP_STABLE);
    for (struct member *m = g->members; m; m = m->by_id.next) {
        if (!m->awaiting_sync)
            continue;
        member_end_sync(m);
        session_touch(m);
    }
}

static void sync_park(struct group *g, struct member *m, const struct sync_group_request *rq,
                      int16_t version, struct sync_group_response *rsp, struct group_call *call)
{
    if (m->sync)
        member_fail_sync(m, KE_REBALANCE_IN_PROGRESS); /* it gave up that connection */
    m->awaiting_sync = true;
    m->sync = call_park(g->shard->m, call, m, version);
    m->sync->sync = rsp;
    sync_arrived(m);
    if (m == g->leader)
        lead(g, rq);
}

void groupm_sync(struct groupm *gm, const struct sync_group_request *rq, int16_t version,
                 struct sync_group_response *rsp, struct group_call *call)
{
    struct group_shard *s = NULL;
    struct group *g = NULL;
    struct member *m = NULL;
    int16_t error;

    ASSERT_CORE();
    error = group_get_named(gm, rq->group_id, &s, &g);
    if (!error && (!g || group_is_empty(g)))
        error = KE_UNKNOWN_MEMBER_ID;
    if (!error && g->consumer) {
        consumer_sync(s, g, rq, rsp, call);
        return;
    }
    if (!error)
        error = sync_check(g, rq, &m);
    if (!error && g->state == GROUP_PREPARING)
        error = KE_REBALANCE_IN_PROGRESS;
    if (error) {
        sync_refuse(s, rsp, error, call);
    } else if (g->state == GROUP_COMPLETING) {
        sync_park(g, m, rq, version, rsp, call);
    } else {
        ASSERT(g->state == GROUP_STABLE);
        sync_arrived(m);
        answer_sync(g, m, call->arena, rsp);
        call_end(s, call);
    }
}

/* ---- Heartbeat */

static int16_t beat(struct group *g, const struct heartbeat_request *rq)
{
    struct member *m;
    int16_t error;

    if (g->consumer)
        return consumer_classic_heartbeat(g, rq);
    error = member_check(g, rq->member_id, rq->group_instance_id, &m);
    if (error)
        return error;
    if (rq->generation_id != g->generation)
        return KE_ILLEGAL_GENERATION;
    ASSERT(g->state != GROUP_EMPTY);
    session_touch(m);
    return g->state == GROUP_PREPARING ? KE_REBALANCE_IN_PROGRESS : KE_NONE;
}

void groupm_heartbeat(struct groupm *gm, const struct heartbeat_request *rq, int16_t version,
                      struct heartbeat_response *rsp, struct group_call *call)
{
    struct group_shard *s = NULL;
    struct group *g = NULL;
    int16_t error;

    ASSERT_CORE();
    error = group_get_named(gm, rq->group_id, &s, &g);
    if (!error)
        error = g ? beat(g, rq) : KE_UNKNOWN_MEMBER_ID;
    rsp->error_code = error;
    call_end(s, call);
}
