/* LeaveGroup.
 *
 * Happy path: each one named is removed, by its id or (an administrator) by its instance id -> one
 *             rebalance for all of them (KIP-345) -> the reply names each with its error.
 */
#include "consumer.h"

/* A leaving member as all versions put it: v0-2 name one. */
struct leaver {
    struct str id, instance_id, reason;
};

static int16_t leave_one(struct group *g, const struct leaver *l)
{
    struct pending_member *p;
    struct member *m;
    int16_t error;

    if (l->id.n == 0) {
        m = l->instance_id.p ? member_find_static(g, l->instance_id) : NULL;
        if (!m)
            return KE_UNKNOWN_MEMBER_ID;
    } else {
        p = pending_find(g, l->id);
        if (p) {
            pending_remove(p);
            return KE_NONE;
        }
        error = member_check(g, l->id, l->instance_id, &m);
        if (error)
            return error;
    }
    diag_info("group %s: member %s leaves; client reason: %s", diag_escape(g->id),
              diag_escape(m->id), l->reason.n ? diag_escape(l->reason) : "not provided");
    member_remove(m);
    return KE_NONE;
}

static void leave_settle(struct group *g)
{
    if (g->state == GROUP_STABLE || g->state == GROUP_COMPLETING)
        rebalance_or_complete(g, "members left");
    else
        rebalance_maybe_complete(g);
}

static void leave_old(struct group *g, const struct leave_group_request *rq,
                      struct leave_group_response *rsp)
{
    struct leaver l = {.id = rq->member_id};

    rsp->error_code = g ? leave_one(g, &l) : KE_UNKNOWN_MEMBER_ID;
    if (!rsp->error_code)
        leave_settle(g);
}

static void leave_many(struct group *g, const struct leave_group_request *rq,
                       struct leave_group_response *rsp, struct arena *arena)
{
    int n = 0;

    rsp->n_members = rq->n_members;
    rsp->members = arena_array(arena, (size_t)rq->n_members, sizeof(*rsp->members));
    for (int32_t i = 0; i < rq->n_members; i++) {
        struct leave_group_response_members *row = &rsp->members[i];
        struct leaver l = {.id = rq->members[i].member_id,
                           .instance_id = rq->members[i].group_instance_id,
                           .reason = rq->members[i].reason};

        leave_group_response_members_init(row);
        row->member_id = l.id;
        row->group_instance_id = l.instance_id;
        row->error_code = g ? leave_one(g, &l) : KE_UNKNOWN_MEMBER_ID;
        n += row->error_code == KE_NONE;
    }
    if (n > 0)
        leave_settle(g);
}

void groupm_leave(struct groupm *gm, const struct leave_group_request *rq, int16_t version,
                  struct leave_group_response *rsp, struct group_call *call)
{
    struct group_shard *s = NULL;
    struct group *g = NULL;
    int16_t error;

    ASSERT_CORE();
    error = group_get_named(gm, rq->group_id, &s, &g);
    rsp->error_code = error;
    if (!error && g && g->consumer)
        consumer_leave(g, rq, version, rsp, call->arena);
    else if (!error && version < 3)
        leave_old(g, rq, rsp);
    else if (!error)
        leave_many(g, rq, rsp, call->arena);
    call_end(s, call);
}
