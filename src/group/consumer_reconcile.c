/* What a member has, brought towards what it is to have (CurrentAssignmentBuilder).
 *
 *                    nothing to give up                    others have let go of all
 *      Stable ---------------------------> Unreleased ------------------------------> Stable
 *        |  its epoch becomes the target's     ^   |
 *        |                                     |   | a newer target takes something away
 *        +-- there is something to give up     |   v
 *        +-----------------------------------> Unrevoked: the epoch stays, until the member says that it owns
 *                                              nothing of it any more
 *
 * Owner: struct cg_beat; all memory from its arena.
 *
 * Invariant:  a partition is given only when nobody owns it: not as assigned, and not as something that is yet to be given up.
 */
#include "consumer.h"

bool cg_beat_current_changed(const struct cg_beat *b)
{
    const struct cg_current *x = &b->old_current, *y = &b->current;

    return x->epoch != y->epoch || x->previous_epoch != y->previous_epoch || x->state != y->state ||
           !cg_partitions_equal(&x->assigned, &y->assigned, true) ||
           !cg_partitions_equal(&x->revoking, &y->revoking, true);
}

/* ownsRevokedPartitions: a member that does not say what it owns may own all. */
static bool still_owns(const struct cg_beat *b, const struct cg_partitions *revoking)
{
    if (!b->owned)
        return true;
    for (int32_t i = 0; i < b->owned->n; i++)
        if (cg_partitions_find(revoking, b->owned->items[i].topic, b->owned->items[i].partition))
            return true;
    return false;
}

static void move_to(struct cg_current *c, int32_t epoch)
{
    c->previous_epoch = c->epoch;
    c->epoch = epoch;
}

static void put(struct cg_partitions *ps, struct cg_partition p)
{
    ps->items[ps->n++] = p;
}

static struct cg_partitions room(struct cg_beat *b, size_t n)
{
    return (struct cg_partitions){arena_array(b->arena, n, sizeof(struct cg_partition)), 0};
}

/* ---- is the member subscribed to a topic, by id? Asked once per run of a topic. */

struct subscribed {
    struct cg_beat *b;
    struct str *names;
    int32_t n;
    struct uuid last;
    bool last_answer, asked;
};

static bool is_subscribed(struct subscribed *s, struct uuid topic)
{
    const struct groupm_options *o = &s->b->m->options;
    struct str name;

    if (s->asked && uuid_eq(s->last, topic))
        return s->last_answer;
    name = o->topic_name(o->arg, topic);
    s->asked = true;
    s->last = topic;
    s->last_answer = name.p && cg_names_contain(s->names, s->n, name);
    return s->last_answer;
}

static struct subscribed subscribed_of(struct cg_beat *b)
{
    struct subscribed s = {.b = b};

    s.names = cg_topics_of(b->g, &b->new, b->arena, &s.n);
    return s;
}

/* ---- the next assignment */

struct next {
    struct cg_partitions kept, revoking, given;
    bool unreleased;
};

static bool is_free(const struct cg_beat *b, const struct cg_partition *p)
{
    return PLANTED(give_before_release) ||
           cg_owner_epoch(b->g, p->topic, p->partition) == NO_EPOCH ||
           cg_partitions_find(&b->old_current.revoking, p->topic, p->partition);
}

static void next_wanted(struct cg_beat *b, struct next *n, const struct cg_partition *p)
{
    if (is_free(b, p))
        put(&n->given, (struct cg_partition){p->topic, p->partition, b->target_epoch});
    else
        n->unreleased = true;
}

static struct next next_of(struct cg_beat *b)
{
    const struct cg_partitions *have = &b->old_current.assigned, *want = &b->target;
    struct subscribed s = subscribed_of(b);
    struct next n = {.kept = room(b, (size_t)have->n + (size_t)want->n),
                     .revoking = room(b, (size_t)have->n),
                     .given = room(b, (size_t)want->n)};
    int32_t i = 0, j = 0;

    while (i < have->n || j < want->n) {
        int c = i == have->n   ? 1
                : j == want->n ? -1
                               : cg_partition_cmp(&have->items[i], &want->items[j]);
        bool wanted = c >= 0 && is_subscribed(&s, want->items[j].topic);

        if (c == 0 && wanted)
            put(&n.kept, have->items[i]);
        else if (c <= 0)
            put(&n.revoking, have->items[i]);
        else if (wanted)
            next_wanted(b, &n, &want->items[j]);
        i += c <= 0;
        j += c >= 0;
    }
    return n;
}

/* computeNextAssignment */
static void advance(struct cg_beat *b, int32_t member_epoch)
{
    struct next n = next_of(b);
    struct cg_current *c = &b->current;

    c->assigned = n.kept;
    if (n.revoking.n > 0 && still_owns(b, &n.revoking)) {
        c->state = CG_UNREVOKED;
        move_to(c, member_epoch);
        c->revoking = n.revoking;
        return;
    }
    for (int32_t i = 0; i < n.given.n; i++)
        put(&c->assigned, n.given.items[i]);
    cg_partitions_sort(&c->assigned);
    c->state = n.unreleased ? CG_UNRELEASED : CG_STABLE;
    move_to(c, b->target_epoch);
    c->revoking = (struct cg_partitions){NULL, 0};
}

/* updateCurrentAssignment: topics that it is no longer subscribed to are taken at once. */
static void shrink(struct cg_beat *b)
{
    const struct cg_partitions *have = &b->old_current.assigned;
    struct subscribed s = subscribed_of(b);
    struct cg_partitions kept = room(b, (size_t)have->n);
    struct cg_partitions revoking = room(b, (size_t)have->n + (size_t)b->old_current.revoking.n);
    struct cg_current *c = &b->current;

    for (int32_t i = 0; i < have->n; i++)
        put(is_subscribed(&s, have->items[i].topic) ? &kept : &revoking, have->items[i]);
    if (revoking.n == 0)
        return;
    for (int32_t i = 0; i < b->old_current.revoking.n; i++)
        put(&revoking, b->old_current.revoking.items[i]);
    cg_partitions_sort(&revoking);
    c->assigned = kept;
    move_to(c, c->epoch);
    if (!still_owns(b, &revoking))
        return;
    c->state = CG_UNREVOKED;
    c->revoking = revoking;
}

static int step(struct cg_beat *b, bool subscription_changed)
{
    const struct cg_current *c = &b->old_current;

    switch (c->state) {
    case CG_STABLE:
        if (c->epoch != b->target_epoch)
            advance(b, c->epoch);
        else if (subscription_changed)
            shrink(b);
        return 0;
    case CG_UNREVOKED:
        if (!still_owns(b, &c->revoking))
            advance(b, c->epoch);
        else if (subscription_changed)
            shrink(b);
        return 0;
    case CG_UNRELEASED:
        advance(b, c->epoch);
        return 0;
    case CG_UNKNOWN:
        if (!b->owned || b->owned->n > 0)
            return cg_beat_fail(
                b, KE_FENCED_MEMBER_EPOCH,
                "The consumer group member is in a unknown state. The member must abandon all its "
                "partitions and rejoin.");
        advance(b, b->target_epoch);
        return 0;
    }
    return 0;
}

int cg_beat_reconcile(struct cg_beat *b, bool subscription_changed)
{
    if (!subscription_changed && cg_is_reconciled(&b->old_current, b->target_epoch))
        return 0;
    if (step(b, subscription_changed) < 0)
        return -1;
    if (cg_beat_current_changed(b))
        propose_cg_current(&b->p, b->group_id, b->member_id, &b->current);
    return 0;
}
