/* Forgetting: offsets past their retention, and groups that nothing is left of.
 *
 * Owner: struct group_shard's timer, core thread, every offsets.retention.check.interval.ms.
 *
 * Rules (ClassicGroup.offsetExpirationCondition, OffsetMetadataManager.cleanupExpiredOffsets):
 *   nobody ever joined     an offset expires so long after its commit
 *   Empty                  all expire so long after the group became empty
 *   Stable, of consumers   those of topics that no member reads, so long after their commit
 *   a consumer group       those of topics that no member is subscribed to, so long after their commit
 *   otherwise              none
 * An offset with a time of its own (OffsetCommit v2-4) expires then. A group that is Empty and has
 * no offsets left gets its tombstone.
 *
 * A calendar that jumps makes nothing old: times are stamped with clock_wall_later and judged by
 * clock_wall_earlier.
 */
#include "internal.h"

enum expiry_base { EXPIRY_NEVER = 0, EXPIRY_AFTER_COMMIT, EXPIRY_AFTER_STATE };

static enum expiry_base expiry_base(const struct group *g)
{
    if (g->consumer || !g->protocol_type.p)
        return EXPIRY_AFTER_COMMIT;
    if (g->state == GROUP_EMPTY)
        return g->state_ms == NO_TIME ? EXPIRY_AFTER_COMMIT : EXPIRY_AFTER_STATE;
    if (g->state == GROUP_STABLE && group_uses_consumer_protocol(g) && g->knows_topics)
        return EXPIRY_AFTER_COMMIT;
    return EXPIRY_NEVER;
}

static bool expired(const struct group *g, const struct offset_entry *e, enum expiry_base base,
                    int64_t now_ms)
{
    int64_t retention_ms = g->shard->m->options.config->offsets_retention_minutes * 60000;
    int64_t since_ms = base == EXPIRY_AFTER_STATE ? g->state_ms : e->commit_ms;

    if (e->expire_ms != NO_TIME)
        return now_ms >= e->expire_ms;
    return since_ms <= now_ms - retention_ms; /* any number: OffsetCommit v1 brings its own time */
}

/* Proposes what is to go; true when nothing would be left. */
static bool expire_offsets(struct statelog_proposal *p, struct group *g, int64_t now_ms)
{
    enum expiry_base base = expiry_base(g);
    bool all = true;

    if (base == EXPIRY_NEVER)
        return !g->offsets;
    for (struct group_topic *t = g->offsets; t; t = t->hh.next) {
        struct str topic = t->topic->name;

        if (group_subscribed(g, topic)) {
            all = false;
            continue;
        }
        for (uint32_t i = 0; i < t->n; i++) {
            const struct offset_entry *e = &t->entries[i];

            if (expired(g, e, base, now_ms) &&
                !(g->shard->txns && txn_has_offset(g->shard, g->id, topic, e->partition)))
                propose_offset_tombstone(p, g->id, topic, e->partition);
            else
                all = false;
        }
    }
    return all && !txn_has_group(g->shard, g->id);
}

static void expire_shard(struct group_shard *s)
{
    int64_t now_ms = clock_wall_earlier(s->m->env->clock).ms;
    struct statelog_proposal p;
    int rc;

    statelog_proposal_init(&p);
    for (struct group *g = s->groups; g; g = g->hh.next)
        if (expire_offsets(&p, g, now_ms) && group_is_empty(g) && !g->pending)
            propose_tombstones(&p, g);
    rc = proposal_send(&p, s);
    if (rc < 0)
        diag_warn("__consumer_offsets-%d: what is past its retention stays for now: %s", s->index,
                  err_text(rc));
    else if (p.n > 0)
        diag_info("__consumer_offsets-%d: %d offsets and groups are past their retention", s->index,
                  p.n);
    statelog_proposal_release(&p);
}

void expiry_start(struct group_shard *s)
{
    int64_t ms = s->m->options.config->offsets_retention_check_interval_ms;

    timer_set(groupm_timers(s->m), &s->expiry, groupm_after_ms(s->m, ms));
}

void expiry_fired(struct timer *t)
{
    struct group_shard *s = CONTAINER_OF(t, struct group_shard, expiry);

    ASSERT(s->magic == SHARD_MAGIC);
    if (s->m->stopping)
        return;
    expire_shard(s);
    expiry_start(s);
}
