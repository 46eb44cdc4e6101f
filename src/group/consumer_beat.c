/* The steps of a heartbeat that look at the group and at the member (GroupMetadataManager.consumerGroupHeartbeat).
 *
 * Owner: struct cg_beat, its maker's; what it points to is borrowed from the group or the arena.
 *
 * Happy path: find the group -> find the member -> what it says now: a record if that is new -> do the topics still look as
 *             they did? else the group's epoch grows -> (consumer_target.c) -> (consumer_reconcile.c) -> send.
 * Invariant:  nothing of the group changes before send; b->member and b->replaced are dead after it.
 * Failures:   a refusal is b->error with Kafka's message.
 */
#include "consumer.h"

int cg_beat_fail(struct cg_beat *b, int16_t error, const char *fmt, ...)
{
    struct buf text;
    va_list args;

    buf_init(&text);
    va_start(args, fmt);
    buf_vprintf(&text, fmt, args);
    va_end(args);
    b->error = error;
    b->message = arena_str(b->arena, str_of(buf_cstr(&text)));
    buf_release(&text);
    return -1;
}

/* ---- the group */

/* A group that is looked at while its records are decided, and is in no shard. */
static void detach(struct cg_beat *b)
{
    struct group *g = xcalloc(1, sizeof(*g));

    g->magic = GROUP_MAGIC;
    g->shard = b->s;
    g->id = text_copy(b->group_id);
    g->consumer = consumer_group_new();
    b->g = g;
    b->detached = true;
}

static void detached_free(struct cg_beat *b)
{
    if (!b->detached)
        return;
    consumer_group_free(b->g);
    text_free(&b->g->id);
    b->g->magic = 0;
    free(b->g);
    b->g = NULL;
    b->detached = false;
}

/* getOrMaybeCreateConsumerGroup */
int cg_beat_find_group(struct cg_beat *b, bool may_create)
{
    struct group *g = group_find(b->s, b->group_id);

    if (g && g->consumer) {
        b->g = g;
        return 0;
    }
    if (!may_create)
        return cg_beat_fail(b, KE_GROUP_ID_NOT_FOUND,
                            g ? "Group %.*s is not a consumer group."
                              : "Consumer group %.*s not found.",
                            STR_ARG(b->group_id));
    detach(b);
    if (!g)
        return 0;
    if (g->state != GROUP_EMPTY)
        return cg_upgrade(b);
    propose_group_tombstone(&b->p, b->group_id);
    return 0;
}

int cg_beat_check_full(struct cg_beat *b, struct str instance_id)
{
    int64_t size_max = b->m->options.config->group_consumer_max_size;

    if (cg_member_find_static(b->g, instance_id) || b->g->consumer->n_members < size_max)
        return 0;
    if (b->member_id.n > 0 && cg_member_find(b->g, b->member_id))
        return 0;
    return cg_beat_fail(b, KE_GROUP_MAX_SIZE_REACHED,
                        "The consumer group has reached its maximum capacity of %lld members.",
                        (long long)size_max);
}

/* ---- the member */

/* isSubset */
static bool owns_only(const struct cg_partitions *owned, const struct cg_partitions *assigned)
{
    if (!owned)
        return false;
    for (int32_t i = 0; i < owned->n; i++)
        if (!cg_partitions_find(assigned, owned->items[i].topic, owned->items[i].partition))
            return false;
    return true;
}

/* throwIfConsumerGroupMemberEpochIsInvalid. The answer to the last heartbeat may have been lost: then the previous epoch is
 * fine, as long as the member has no more than it is to have. */
static int check_epoch(struct cg_beat *b, const struct cg_current *c, int32_t epoch)
{
    if (epoch == MEMBER_EPOCH_JOIN || epoch == c->epoch)
        return 0;
    if (epoch > c->epoch)
        return cg_beat_fail(
            b, KE_FENCED_MEMBER_EPOCH,
            "The consumer group member has a greater member epoch (%d) than the one known by the "
            "group coordinator (%d). The member must abandon all its partitions and rejoin.",
            epoch, c->epoch);
    if (epoch == c->previous_epoch && owns_only(b->owned, &c->assigned))
        return 0;
    return cg_beat_fail(
        b, KE_FENCED_MEMBER_EPOCH,
        "The consumer group member has a smaller member epoch (%d) than the one known by the "
        "group coordinator (%d). The member must abandon all its partitions and rejoin.",
        epoch, c->epoch);
}

static void take_member(struct cg_beat *b, const struct cg_member *m)
{
    b->member = m;
    b->old = m ? m->details : cg_details_new();
    b->old_current = m ? m->current : (struct cg_current){.previous_epoch = -1};
    b->new = b->old;
    b->current = b->old_current;
}

/* replaceMember: the new one gets what the old one had, at epoch 0. */
static void replace_member(struct cg_beat *b, const struct cg_member *old)
{
    struct cg_partitions target = cg_target_of(b->g, old->id);

    take_member(b, old);
    b->member = NULL;
    b->replaced = old;
    b->old_current.epoch = b->old_current.previous_epoch = 0;
    b->current = b->old_current;
    propose_cg_member_tombstones(&b->p, b->group_id, old->id);
    propose_cg_member(&b->p, b->group_id, b->member_id, &b->old);
    propose_cg_target(&b->p, b->group_id, b->member_id, &target);
    propose_cg_current(&b->p, b->group_id, b->member_id, &b->current);
}

static int find_dynamic(struct cg_beat *b, int32_t epoch, bool may_create, bool classic)
{
    struct cg_member *m = cg_member_find(b->g, b->member_id);

    if (!m && !may_create)
        return cg_beat_fail(b, KE_UNKNOWN_MEMBER_ID, "Member %.*s is not a member of group %.*s.",
                            STR_ARG(b->member_id), STR_ARG(b->group_id));
    take_member(b, m);
    return classic ? 0 : check_epoch(b, &b->old_current, epoch);
}

/* Somebody comes with an instance id, and no place of its own yet. */
static int join_static(struct cg_beat *b, struct str instance_id, struct cg_member *there,
                       bool classic)
{
    if (!there) {
        take_member(b, cg_member_find(b->g, b->member_id));
        return 0;
    }
    if (!classic && !there->details.classic && there->current.epoch != MEMBER_EPOCH_LEAVE_STATIC)
        return cg_beat_fail(b, KE_UNRELEASED_INSTANCE_ID,
                            "Static member %.*s with instance id %.*s cannot join the group "
                            "because the instance id "
                            "is owned by %.*s member.",
                            STR_ARG(b->member_id), STR_ARG(instance_id), STR_ARG(there->id));
    MARK(consumer_static_replaced);
    replace_member(b, there);
    return 0;
}

int cg_beat_find_member(struct cg_beat *b, int32_t epoch, struct str instance_id, bool may_create,
                        bool classic)
{
    struct cg_member *there;

    if (!instance_id.p)
        return find_dynamic(b, epoch, may_create, classic);
    there = cg_member_find_static(b->g, instance_id);
    if (may_create)
        return join_static(b, instance_id, there, classic);
    if (!there)
        return cg_beat_fail(b, KE_UNKNOWN_MEMBER_ID, "Instance id %.*s is unknown.",
                            STR_ARG(instance_id));
    if (!str_eq(there->id, b->member_id))
        return cg_beat_fail(b, KE_FENCED_INSTANCE_ID,
                            "Static member %.*s with instance id %.*s was fenced by member %.*s.",
                            STR_ARG(b->member_id), STR_ARG(instance_id), STR_ARG(there->id));
    take_member(b, there);
    return classic ? 0 : check_epoch(b, &b->old_current, epoch);
}

/* hasMemberSubscriptionChanged */
void cg_beat_subscribe(struct cg_beat *b)
{
    if (cg_details_equal(&b->old, &b->new) && (b->member || b->replaced))
        return;
    propose_cg_member(&b->p, b->group_id, b->member_id, &b->new);
    b->topics_changed = !cg_topics_equal(&b->old, &b->new);
}

static struct cg_change change_of(const struct cg_beat *b)
{
    bool known = b->member || b->replaced;

    return (struct cg_change){.old = known ? &b->old : NULL, .new = &b->new};
}

bool cg_beat_assignor_changed(const struct cg_beat *b)
{
    struct cg_change none = {NULL, NULL};

    if (str_eq(b->old.assignor, b->new.assignor) && (b->member || b->replaced))
        return false;
    return !str_eq(cg_preferred_assignor(b->g, none), cg_preferred_assignor(b->g, change_of(b)));
}

/* ---- the topics */

void cg_beat_metadata(struct cg_beat *b, bool bump)
{
    struct consumer_group *cg = b->g->consumer;
    int32_t n_members = cg->n_members + (b->member || b->replaced ? 0 : 1);
    bool known = !bump && cg->refreshed_at == b->m->topics_changed; /* the hash is still right */
    struct cg_subscriptions s;
    int64_t hash;

    b->group_epoch = cg->epoch;
    if (known && cg->assignment_epoch >= cg->epoch) {
        b->homogeneous = true; /* nothing will be assigned */
        return;
    }
    s = cg_subscriptions_of(b->g, b->arena);
    cg_subscriptions_member(&s, &b->old, b->member || b->replaced ? -1 : 0);
    cg_subscriptions_member(&s, &b->new, 1);
    if (b->regex_changed && cg_has_regex(&b->old) && cg_count_of(cg->regexes, b->old.regex) == 1) {
        const struct cg_regex *gone = cg_regex_find(b->g, b->old.regex);

        if (gone)
            cg_subscriptions_regex(&s, gone->topics, gone->n_topics, -1);
    }
    cg_subscriptions_settle(&s);
    b->homogeneous = cg_is_homogeneous(b->g, change_of(b), &s, n_members);
    if (known)
        return;
    hash = cg_metadata_hash(b->m, &s);
    b->refreshed = true;
    if (bump || hash != cg->metadata_hash)
        propose_cg_epoch(&b->p, b->group_id, ++b->group_epoch, hash);
    if (cg->has_partition_metadata_record)
        propose_cg_partition_metadata_tombstone(&b->p, b->group_id);
}

/* ---- the records */

int cg_beat_send(struct cg_beat *b)
{
    int rc = proposal_send(&b->p, b->s);

    if (rc < 0) {
        b->error = proposal_error(rc);
        return rc;
    }
    if (b->p.n > 0) {
        detached_free(b);
        b->g = group_find(b->s, b->group_id);
        b->member = b->replaced = NULL;
        ASSERT(b->g);
        ASSERT(b->g->consumer);
    }
    if (b->refreshed)
        b->g->consumer->refreshed_at = b->m->topics_changed;
    for (struct cg_member *m = b->upgraded ? b->g->consumer->members : NULL; m; m = m->by_id.next)
        if (m->details.classic)
            cg_session_touch(m, m->details.classic->session_timeout_ms);
    return 0;
}

struct cg_member *cg_beat_member(const struct cg_beat *b)
{
    return b->g && b->g->consumer ? cg_member_find(b->g, b->member_id) : NULL;
}

void cg_beat_release(struct cg_beat *b)
{
    detached_free(b);
    statelog_proposal_release(&b->p);
}
