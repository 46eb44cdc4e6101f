/* Rebalances: everybody joins again, a generation is made, the leader assigns.
 *
 * Owner: struct group, core thread. The rules are GroupMetadataManager's; see README.md for the
 * states.
 *
 * Happy path: rebalance_prepare -> members join -> all there, or time up -> rebalance_complete:
 *             generation + 1, protocol by vote, the waiting joins are answered -> the leader's
 *             SyncGroup (sync.c).
 * Invariant:  in CompletingRebalance and Stable every member that has not yet sent SyncGroup is
 *             `pending_sync`, and the sync timer runs while there is one.
 * Failures:   a record of an empty generation that cannot be written is only logged: no member is
 *             in it.
 */
#include "internal.h"

static int32_t rebalance_timeout_ms(const struct group *g)
{
    int32_t ms = 0;

    for (struct member *m = g->members; m; m = m->by_id.next)
        ms = MAX(ms, m->rebalance_timeout_ms);
    return ms;
}

bool rebalance_all_joined(const struct group *g)
{
    return g->n_members == g->n_awaiting_join && !g->pending;
}

static void join_timer_set(struct group *g, int64_t ms, bool initial)
{
    struct groupm *m = g->shard->m;

    g->initial_delay = initial;
    timer_set(groupm_timers(m), &g->join_timer, groupm_after_ms(m, ms));
}

static void forget_syncs(struct group *g)
{
    for (struct member *m = g->members; m; m = m->by_id.next)
        member_set_pending_sync(m, false);
    timer_cancel(groupm_timers(g->shard->m), &g->sync_timer);
}

/* Those who wait for an assignment are to join again. */
static void fail_syncs(struct group *g)
{
    ASSERT(g->state == GROUP_COMPLETING);
    for (struct member *m = g->members; m; m = m->by_id.next) {
        member_set_assignment(m, bytes_of(NULL, 0));
        if (!m->awaiting_sync)
            continue;
        member_fail_sync(m, KE_REBALANCE_IN_PROGRESS);
        session_touch(m);
    }
}

static void start_initial_delay(struct group *g)
{
    int32_t delay_ms = (int32_t)g->shard->m->options.config->group_initial_rebalance_delay_ms;

    g->new_member_added = false;
    g->delay_ms = delay_ms;
    g->remaining_ms = MAX(rebalance_timeout_ms(g) - delay_ms, 0);
    join_timer_set(g, delay_ms, true);
}

void rebalance_prepare(struct group *g, const char *why)
{
    bool initial = g->state == GROUP_EMPTY;

    ASSERT(group_can_rebalance(g));
    if (g->state == GROUP_COMPLETING)
        fail_syncs(g);
    forget_syncs(g);
    if (initial)
        start_initial_delay(g);
    diag_info("group %s: rebalance after generation %d: %s", diag_escape(g->id), g->generation,
              why);
    group_move(g, GROUP_PREPARING);
    if (initial)
        return;
    if (rebalance_all_joined(g))
        rebalance_complete(g);
    else
        join_timer_set(g, rebalance_timeout_ms(g), false);
}

void rebalance_maybe_complete(struct group *g)
{
    if (g->state == GROUP_PREPARING && g->previous != GROUP_EMPTY && rebalance_all_joined(g))
        rebalance_complete(g);
}

void rebalance_or_complete(struct group *g, const char *why)
{
    if (group_can_rebalance(g))
        rebalance_prepare(g, why);
    else
        rebalance_maybe_complete(g);
}

/* ---- the end of the join phase */

static void remove_absent(struct group *g)
{
    struct member *next;

    for (struct member *m = g->members; m; m = next) {
        next = m->by_id.next;
        if (!m->awaiting_join && !m->instance_id.p)
            member_remove(m);
    }
}

/* A leader that did not join again is replaced by one that did. False: nobody joined. */
static bool elect_leader(struct group *g)
{
    if (!g->leader || g->leader->awaiting_join)
        return g->leader != NULL;
    for (struct member *m = g->members; m; m = m->by_id.next)
        if (m->awaiting_join) {
            g->leader = m;
            return true;
        }
    return false;
}

static void become_empty(struct group *g)
{
    struct statelog_proposal p;
    int rc;

    text_free(&g->protocol);
    group_learn_topics(g);
    group_move(g, GROUP_EMPTY);
    diag_info("group %s: generation %d is empty", diag_escape(g->id), g->generation);
    statelog_proposal_init(&p);
    propose_group(&p, g, false);
    rc = proposal_send(&p, g->shard);
    statelog_proposal_release(&p);
    if (rc < 0)
        diag_warn("group %s: its empty generation cannot be stored: %s", diag_escape(g->id),
                  err_text(rc));
}

static void start_generation(struct group *g)
{
    struct groupm *gm = g->shard->m;

    text_set(&g->protocol, group_select_protocol(g));
    group_learn_topics(g);
    group_move(g, GROUP_COMPLETING);
    diag_info("group %s: generation %d with %u members", diag_escape(g->id), g->generation,
              g->n_members);
    for (struct member *m = g->members; m; m = m->by_id.next) {
        member_end_join(m);
        session_touch(m);
        m->is_new = false;
        member_set_pending_sync(m, true);
    }
    timer_set(groupm_timers(gm), &g->sync_timer, groupm_after_ms(gm, rebalance_timeout_ms(g)));
}

void rebalance_complete(struct group *g)
{
    ASSERT(g->state == GROUP_PREPARING);
    timer_cancel(groupm_timers(g->shard->m), &g->join_timer);
    remove_absent(g);
    if (!elect_leader(g) && g->n_members > 0) {
        /* Only static members are left, and none of them is there: until one joins or their
           sessions end, there is nobody to lead. */
        join_timer_set(g, rebalance_timeout_ms(g), false);
        return;
    }
    g->generation = g->generation == INT32_MAX ? 0 : g->generation + 1;
    forget_syncs(g);
    if (g->n_members == 0)
        become_empty(g);
    else
        start_generation(g);
}

/* ---- timers */

/* The first rebalance waits for more members: each newcomer extends it, up to the rebalance
 * timeout. */
static void initial_delay_over(struct group *g)
{
    int32_t delay_ms = g->delay_ms;

    if (!g->new_member_added || g->remaining_ms == 0) {
        rebalance_complete(g);
        return;
    }
    g->new_member_added = false;
    g->delay_ms = MIN((int32_t)g->shard->m->options.config->group_initial_rebalance_delay_ms,
                      g->remaining_ms);
    g->remaining_ms = MAX(g->remaining_ms - delay_ms, 0);
    join_timer_set(g, g->delay_ms, true);
}

void rebalance_join_timer_fired(struct timer *t)
{
    struct group *g = CONTAINER_OF(t, struct group, join_timer);

    ASSERT(g->magic == GROUP_MAGIC);
    if (g->shard->m->stopping)
        return;
    ASSERT(g->state == GROUP_PREPARING);
    if (g->initial_delay)
        initial_delay_over(g);
    else
        rebalance_complete(g);
}

/* Members that joined but never sent SyncGroup are lost. */
void rebalance_sync_timer_fired(struct timer *t)
{
    struct group *g = CONTAINER_OF(t, struct group, sync_timer);
    struct member *next;
    int n = 0;

    ASSERT(g->magic == GROUP_MAGIC);
    if (g->shard->m->stopping)
        return;
    ASSERT(g->state == GROUP_COMPLETING || g->state == GROUP_STABLE);
    for (struct member *m = g->members; m; m = next) {
        next = m->by_id.next;
        if (!m->pending_sync)
            continue;
        member_remove(m);
        n++;
    }
    if (n > 0)
        rebalance_prepare(g, "members did not send SyncGroup in time");
}
