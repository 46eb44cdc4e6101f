/* Members of consumer groups that go: they leave, their time is up, an administrator removes them (consumerGroupFenceMembers).
 *
 * Owner: struct cg_member's timers, core thread.
 *
 *     session    the member was silent for the session timeout
 *     rebalance  it did not let go of its partitions within its rebalance timeout (Unrevoked only)
 *     join       a classic member did not rejoin within its rebalance timeout, though it was told to
 *     sync       a classic member did not send SyncGroup within its rebalance timeout
 *
 * Happy path: tombstones of the members -> of regular expressions that nobody has any more -> the group's epoch grows.
 *             When only classic members would be left, the group becomes a classic one instead (consumer_migrate.c).
 * Failures:   a record that cannot be written (full disk) leaves the member where it is; its timer tries again.
 */
#include "consumer.h"

/* ---- removing */

static int32_t leaving_with_regex(struct str regex, struct cg_member **members, int n)
{
    int32_t count = 0;

    for (int i = 0; i < n; i++)
        count += str_eq(members[i]->details.regex, regex);
    return count;
}

/* maybeDeleteResolvedRegularExpressions */
static void drop_regexes(struct statelog_proposal *p, struct group *g, struct cg_member **members,
                         int n, struct cg_subscriptions *s)
{
    for (const struct cg_count *c = g->consumer->regexes; c; c = c->hh.next) {
        const struct cg_regex *r = cg_regex_find(g, c->name);

        if (leaving_with_regex(c->name, members, n) != c->n_members)
            continue;
        propose_cg_regex_tombstone(p, g->id, c->name);
        if (r)
            cg_subscriptions_regex(s, r->topics, r->n_topics, -1);
    }
}

int cg_fence(struct group *g, struct cg_member **members, int n)
{
    struct consumer_group *cg = g->consumer;
    struct groupm *gm = g->shard->m;
    struct statelog_proposal p;
    struct cg_subscriptions s;
    struct arena arena;
    int32_t epoch = cg->epoch + 1;
    int rc;

    if (n == 0)
        return 0;
    if (cg_may_downgrade_without(g, members, n))
        return cg_downgrade(g, members, n, NULL, "consumers of the newer protocol are gone");
    arena_init(&arena);
    statelog_proposal_init(&p);
    s = cg_subscriptions_of(g, &arena);
    for (int i = 0; i < n; i++) {
        ASSERT(members[i]->group == g);
        propose_cg_member_tombstones(&p, g->id, members[i]->id);
        cg_subscriptions_member(&s, &members[i]->details, -1);
    }
    drop_regexes(&p, g, members, n, &s);
    cg_subscriptions_settle(&s);
    propose_cg_epoch(&p, g->id, epoch, cg_metadata_hash(gm, &s));
    if (cg->n_members == n)
        propose_cg_target_epoch(&p, g->id, epoch, 0);
    rc = proposal_send(&p, g->shard);
    statelog_proposal_release(&p);
    arena_release(&arena);
    return rc;
}

/* ---- timers */

static void fence_one(struct cg_member *m, struct timer *t, const char *why)
{
    struct group *g = m->group;
    struct groupm *gm = g->shard->m;

    if (gm->stopping)
        return;
    diag_info("group %s: member %s is fenced: %s", diag_escape(g->id), diag_escape(m->id), why);
    if (cg_fence(g, &m, 1) < 0)
        timer_set(groupm_timers(gm), t, groupm_after_ms(gm, FENCE_RETRY_MS));
}

static void session_over(struct timer *t)
{
    struct cg_member *m = CONTAINER_OF(t, struct cg_member, session);
    struct groupm *gm = m->group->shard->m;

    ASSERT(m->magic == CONSUMER_MEMBER_MAGIC);
    if (m->deadline.ns > clock_mono(gm->env->clock).ns)
        timer_set(groupm_timers(gm), t, m->deadline);
    else
        fence_one(m, t, "its session timed out");
}

static void rebalance_over(struct timer *t)
{
    struct cg_member *m = CONTAINER_OF(t, struct cg_member, rebalance);

    ASSERT(m->magic == CONSUMER_MEMBER_MAGIC);
    if (m->current.epoch == m->rebalance_epoch)
        fence_one(m, t, "it did not let go of its partitions in time");
}

static void join_over(struct timer *t)
{
    fence_one(CONTAINER_OF(t, struct cg_member, join), t, "it did not join again in time");
}

static void sync_over(struct timer *t)
{
    fence_one(CONTAINER_OF(t, struct cg_member, sync), t, "it did not send SyncGroup in time");
}

void cg_timers_init(struct cg_member *m)
{
    timer_init(&m->session, session_over);
    timer_init(&m->rebalance, rebalance_over);
    timer_init(&m->join, join_over);
    timer_init(&m->sync, sync_over);
}

void cg_timers_cancel(struct cg_member *m)
{
    struct timers *timers = groupm_timers(m->group->shard->m);

    timer_cancel(timers, &m->session);
    timer_cancel(timers, &m->rebalance);
    timer_cancel(timers, &m->join);
    timer_cancel(timers, &m->sync);
}

void cg_session_touch(struct cg_member *m, int64_t timeout_ms)
{
    struct groupm *gm = m->group->shard->m;

    m->deadline = groupm_after_ms(gm, timeout_ms);
    if (!timer_armed(&m->session) || m->session.deadline.ns > m->deadline.ns)
        timer_set(groupm_timers(gm), &m->session, m->deadline);
}

void cg_rebalance_timer(struct cg_member *m)
{
    struct groupm *gm = m->group->shard->m;

    if (m->current.state != CG_UNREVOKED) {
        timer_cancel(groupm_timers(gm), &m->rebalance);
        return;
    }
    m->rebalance_epoch = m->current.epoch;
    timer_set(groupm_timers(gm), &m->rebalance,
              groupm_after_ms(gm, m->details.rebalance_timeout_ms));
}

void cg_join_timer_if_absent(struct cg_member *m)
{
    struct groupm *gm = m->group->shard->m;

    if (!timer_armed(&m->join))
        timer_set(groupm_timers(gm), &m->join,
                  groupm_after_ms(gm, m->details.rebalance_timeout_ms));
}

void cg_sync_timer(struct cg_member *m, int64_t ms)
{
    struct groupm *gm = m->group->shard->m;

    timer_set(groupm_timers(gm), &m->sync, groupm_after_ms(gm, ms));
}
