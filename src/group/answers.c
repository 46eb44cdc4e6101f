/* Replies to JoinGroup and SyncGroup.
 *
 * Owner: the call's arena: everything is copied, because the group may change before the reply
 * leaves.
 */
#include "internal.h"

static struct bytes copy_bytes(struct arena *arena, struct bytes b)
{
    return b.n ? arena_bytes(arena, b) : bytes_of("", 0);
}

/* ---- JoinGroup */

static void answer_members(struct group *g, struct arena *arena, struct join_group_response *rsp)
{
    int32_t i = 0;

    ASSERT(g->state == GROUP_COMPLETING || g->state == GROUP_STABLE);
    rsp->n_members = (int32_t)g->n_members;
    rsp->members = arena_array(arena, g->n_members, sizeof(*rsp->members));
    for (struct member *m = g->members; m; m = m->by_id.next) {
        struct join_group_response_members *row = &rsp->members[i++];

        join_group_response_members_init(row);
        row->member_id = arena_str(arena, m->id);
        row->group_instance_id = arena_str(arena, m->instance_id);
        row->metadata = copy_bytes(arena, member_metadata(m, g->protocol));
    }
    ASSERT(i == rsp->n_members);
}

void answer_join(struct group *g, const struct member *m, bool whole, int16_t version,
                 struct arena *arena, struct join_group_response *rsp)
{
    rsp->error_code = KE_NONE;
    rsp->generation_id = g->generation;
    rsp->protocol_type = arena_str(arena, g->protocol_type);
    rsp->protocol_name = arena_str(arena, g->protocol);
    if (!rsp->protocol_name.p && version < 7)
        rsp->protocol_name = STR("");
    rsp->leader = arena_str(arena, g->leader->id);
    rsp->member_id = arena_str(arena, m->id);
    if (whole)
        answer_members(g, arena, rsp);
}

void answer_join_error(struct str member_id, int16_t error, int16_t version, struct arena *arena,
                       struct join_group_response *rsp)
{
    if (version >= 7)
        rsp->protocol_name = (struct str){NULL, 0};
    rsp->member_id = arena_str(arena, member_id);
    rsp->error_code = error;
}

void member_end_join(struct member *m)
{
    struct group_shard *s = m->group->shard;
    struct parked *p = m->join;

    member_set_awaiting_join(m, false);
    if (!p)
        return;
    answer_join(m->group, m, m == m->group->leader, p->version, p->call->arena, p->join);
    call_unpark(p);
    call_end(s, p->call);
}

void member_fail_join(struct member *m, struct str id, int16_t error)
{
    struct group_shard *s = m->group->shard;
    struct parked *p = m->join;

    member_set_awaiting_join(m, false);
    if (!p)
        return;
    answer_join_error(id, error, p->version, p->call->arena, p->join);
    call_unpark(p);
    call_end(s, p->call);
}

/* ---- SyncGroup */

void answer_sync(struct group *g, const struct member *m, struct arena *arena,
                 struct sync_group_response *rsp)
{
    rsp->error_code = KE_NONE;
    rsp->protocol_type = arena_str(arena, g->protocol_type);
    rsp->protocol_name = arena_str(arena, g->protocol);
    rsp->assignment = copy_bytes(arena, m->assignment);
}

void member_end_sync(struct member *m)
{
    struct group_shard *s = m->group->shard;
    struct parked *p = m->sync;

    m->awaiting_sync = false;
    if (!p)
        return;
    answer_sync(m->group, m, p->call->arena, p->sync);
    call_unpark(p);
    call_end(s, p->call);
}

void member_fail_sync(struct member *m, int16_t error)
{
    struct group_shard *s = m->group->shard;
    struct parked *p = m->sync;

    m->awaiting_sync = false;
    if (!p)
        return;
    p->sync->error_code = error;
    call_unpark(p);
    call_end(s, p->call);
}
