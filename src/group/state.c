/* The states of a group, and which moves are allowed (ClassicGroupState).
 *
 *                  first member joins
 *        Empty ------------------------> PreparingRebalance <-----------+
 *          ^                               |     |    ^                 | somebody joins, leaves,
 *          |     nobody joined             |     |    |                 | is lost, or the leader
 *          +-------------------------------+     |    |                 | joins again
 *                        all joined, or time up  |    | join, leave,    |
 *                                                v    | loss, no sync   |
 *                                        CompletingRebalance            |
 *                                                |                      |
 *                         the leader's SyncGroup |                      |
 *                                                v                      |
 *                                              Stable ------------------+
 *
 *        Empty -> Dead: the group's tombstone was applied, and the group is gone.
 *
 * Owner: struct group, core thread.
 */
#include "internal.h"

static const char *const names[GROUP_N_STATES] = {
    [GROUP_EMPTY] = "Empty",
    [GROUP_PREPARING] = "PreparingRebalance",
    [GROUP_COMPLETING] = "CompletingRebalance",
    [GROUP_STABLE] = "Stable",
    [GROUP_DEAD] = "Dead",
};

/* allowed[from][to] */
static const bool allowed[GROUP_N_STATES][GROUP_N_STATES] = {
    [GROUP_EMPTY] = {[GROUP_PREPARING] = true, [GROUP_DEAD] = true},
    [GROUP_PREPARING] = {[GROUP_EMPTY] = true, [GROUP_COMPLETING] = true},
    [GROUP_COMPLETING] = {[GROUP_PREPARING] = true, [GROUP_STABLE] = true},
    [GROUP_STABLE] = {[GROUP_PREPARING] = true},
};

const char *group_state_name(enum group_state state)
{
    ASSERT(state < GROUP_N_STATES);
    return names[state];
}

bool group_can_rebalance(const struct group *g)
{
    return allowed[g->state][GROUP_PREPARING];
}

static bool counts_agree(const struct group *g)
{
    uint32_t n_awaiting = 0;

    for (struct member *m = g->members; m; m = m->by_id.next)
        n_awaiting += m->awaiting_join;
    return n_awaiting == g->n_awaiting_join && HASH_CNT(by_id, g->members) == g->n_members;
}

void group_move(struct group *g, enum group_state to)
{
    ASSERT(g->magic == GROUP_MAGIC);
    ASSERT(allowed[g->state][to]);
    ASSERT(IMPLIES(to == GROUP_EMPTY || to == GROUP_DEAD, g->n_members == 0));
    ASSERT(IMPLIES(to == GROUP_STABLE, g->protocol.p && g->leader));
    ASSERT_SLOW(counts_agree(g));
    trace("group state", g->state, to);
    g->previous = g->state;
    g->state = to;
    g->state_ms = groupm_now_ms(g->shard->m);
}
