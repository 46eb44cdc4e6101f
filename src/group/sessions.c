/* Sessions: who is silent for too long is removed.
 *
 * Owner: struct member and struct pending_member, core thread; the clock only grows.
 *
 * Happy path: heartbeat -> session_touch moves the deadline -> the timer fires at the old one, sees
 *             that it is not yet time, and is set again. So a heartbeat costs an assignment.
 * Invariant:  an armed timer is never later than the deadline.
 */
#include "internal.h"

void session_set(struct member *m, int64_t timeout_ms)
{
    struct groupm *gm = m->group->shard->m;

    m->deadline = groupm_after_ms(gm, timeout_ms);
    if (!timer_armed(&m->session) || m->session.deadline.ns > m->deadline.ns)
        timer_set(groupm_timers(gm), &m->session, m->deadline);
}

void session_touch(struct member *m)
{
    session_set(m, m->session_timeout_ms);
}

/* Who waits for a rebalance need not send heartbeats, but for newcomers, whose connection may be
 * long gone. */
static bool satisfied(const struct member *m)
{
    return !m->is_new && (m->awaiting_join || m->awaiting_sync);
}

static void expire(struct member *m)
{
    struct group *g = m->group;

    diag_info("group %s: member %s is silent and is removed", diag_escape(g->id),
              diag_escape(m->id));
    member_remove(m);
    if (g->state == GROUP_STABLE || g->state == GROUP_COMPLETING)
        rebalance_or_complete(g, "a member's session timed out");
    else if (g->state == GROUP_PREPARING && rebalance_all_joined(g))
        rebalance_complete(g);
}

void session_fired(struct timer *t)
{
    struct member *m = CONTAINER_OF(t, struct member, session);
    struct groupm *gm = m->group->shard->m;

    ASSERT(m->magic == MEMBER_MAGIC);
    if (gm->stopping)
        return;
    if (m->deadline.ns > clock_mono(gm->env->clock).ns)
        timer_set(groupm_timers(gm), t, m->deadline);
    else if (!satisfied(m))
        expire(m);
}

void session_pending_fired(struct timer *t)
{
    struct pending_member *p = CONTAINER_OF(t, struct pending_member, session);
    struct group *g = p->group;

    if (g->shard->m->stopping)
        return;
    pending_remove(p);
    if (g->state == GROUP_PREPARING && rebalance_all_joined(g))
        rebalance_complete(g);
}
