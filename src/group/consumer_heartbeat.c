/* ConsumerGroupHeartbeat (KIP-848): a member joins, lives, lets go, leaves.
 *
 * Owner: the call, its caller's; struct cg_beat, on the stack. Core thread.
 *
 * Happy path: check the request -> find the group and the member (consumer_beat.c) -> what changed: names, regular expression,
 *             assignor, topics: then the group's epoch grows -> the target for that epoch, if it is time
 *             (consumer_target.c) -> what the member has, a step towards it (consumer_reconcile.c) -> one batch of records
 *             -> answered when they are durable. A heartbeat that changes nothing writes nothing.
 * Failures:   every refusal is an error with Kafka's message.
 */
#include "consumer.h"

typedef struct consumer_group_heartbeat_request beat_request;
typedef struct consumer_group_heartbeat_response beat_response;

struct heartbeat {
    struct cg_beat b;
    const beat_request *rq;
    beat_response *rsp;
    const struct group_sight *sight;
    struct cg_partitions owned;
};

/* ---- the request: throwIfConsumerGroupHeartbeatRequestIsInvalid */

static bool blank(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((uint8_t)s.p[i] > ' ')
            return false;
    return s.p != NULL;
}

static const char *join_fault(const beat_request *rq)
{
    if (rq->rebalance_timeout_ms == -1)
        return "RebalanceTimeoutMs must be provided in first request.";
    if (rq->n_topic_partitions != 0)
        return "TopicPartitions must be empty when (re-)joining.";
    if (rq->n_subscribed_topic_names < 0 && !rq->subscribed_topic_regex.p)
        return "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when "
               "(re-)joining.";
    return NULL;
}

static const char *fault(const beat_request *rq, int16_t version)
{
    bool needs_id = version >= 1 || rq->member_epoch > 0 || rq->member_epoch == MEMBER_EPOCH_LEAVE;

    if (needs_id && blank(rq->member_id))
        return "MemberId can't be empty.";
    if (blank(rq->group_id))
        return "GroupId can't be empty.";
    if (blank(rq->instance_id))
        return "InstanceId can't be empty.";
    if (blank(rq->rack_id))
        return "RackId can't be empty.";
    if (rq->member_epoch == MEMBER_EPOCH_JOIN)
        return join_fault(rq);
    if (rq->member_epoch == MEMBER_EPOCH_LEAVE_STATIC && !rq->instance_id.p)
        return "InstanceId can't be null.";
    if (rq->member_epoch < MEMBER_EPOCH_LEAVE_STATIC)
        return "MemberEpoch is invalid.";
    return NULL;
}

static int check_request(struct heartbeat *h, int16_t version)
{
    const char *what = fault(h->rq, version);
    struct cg_beat *b = &h->b;

    if (b->m->stopping) {
        b->error = KE_COORDINATOR_NOT_AVAILABLE;
        return -1;
    }
    if (what)
        return cg_beat_fail(b, KE_INVALID_REQUEST, "%s", what);
    if (h->rq->server_assignor.p && !cg_assignor_supported(b->m, h->rq->server_assignor))
        return cg_beat_fail(b, KE_UNSUPPORTED_ASSIGNOR,
                            "ServerAssignor %.*s is not supported. Supported assignors: %.*s.",
                            STR_ARG(h->rq->server_assignor),
                            STR_ARG(cg_assignors_text(b->m, b->arena)));
    return 0;
}

/* What the member says that it owns. */
static void read_owned(struct heartbeat *h)
{
    size_t n = 0;

    if (h->rq->n_topic_partitions < 0)
        return;
    for (int32_t i = 0; i < h->rq->n_topic_partitions; i++)
        n += (size_t)h->rq->topic_partitions[i].n_partitions;
    h->owned.items = arena_array(h->b.arena, n, sizeof(*h->owned.items));
    for (int32_t i = 0; i < h->rq->n_topic_partitions; i++)
        for (int32_t j = 0; j < h->rq->topic_partitions[i].n_partitions; j++)
            h->owned.items[h->owned.n++] =
                (struct cg_partition){.topic = h->rq->topic_partitions[i].topic_id,
                                      .partition = h->rq->topic_partitions[i].partitions[j]};
    cg_partitions_sort(&h->owned);
    h->b.owned = &h->owned;
}

/* ---- the answer */

static void answer_error(struct heartbeat *h)
{
    h->rsp->error_code = h->b.error;
    h->rsp->error_message = h->b.message;
}

static void answer_assignment(struct heartbeat *h, const struct cg_partitions *ps)
{
    struct consumer_group_heartbeat_response_assignment *a = arena_alloc(h->b.arena, sizeof(*a));

    a->topic_partitions = arena_array(h->b.arena, (size_t)ps->n, sizeof(*a->topic_partitions));
    for (int32_t at = 0, n; at < ps->n; at += n) {
        struct consumer_group_heartbeat_response_assignment_topic_partitions *row =
            &a->topic_partitions[a->n_topic_partitions++];

        n = cg_partitions_run(ps, at);
        row->topic_id = ps->items[at].topic;
        row->n_partitions = n;
        row->partitions = arena_array(h->b.arena, (size_t)n, sizeof(*row->partitions));
        for (int32_t i = 0; i < n; i++)
            row->partitions[i] = ps->items[at + i].partition;
    }
    h->rsp->assignment = a;
}

static bool is_full_request(const beat_request *rq)
{
    return rq->rebalance_timeout_ms != -1 && rq->n_topic_partitions >= 0 &&
           (rq->n_subscribed_topic_names >= 0 || rq->subscribed_topic_regex.p);
}

/* The assignment is copied before the records are applied: what is kept may be the member's own array. */
static void answer(struct heartbeat *h)
{
    struct cg_beat *b = &h->b;

    h->rsp->member_id = arena_str(b->arena, b->member_id);
    h->rsp->member_epoch = b->current.epoch;
    h->rsp->heartbeat_interval_ms = (int32_t)cg_heartbeat_interval_ms(b->m, b->group_id);
    if (h->rq->member_epoch == MEMBER_EPOCH_JOIN || is_full_request(h->rq) ||
        !cg_partitions_equal(&b->old_current.assigned, &b->current.assigned, true))
        answer_assignment(h, &b->current.assigned);
}

/* ---- joins and lives */

/* Only what is given changes; a member that speaks here is no classic one any more. */
static void update_details(struct heartbeat *h)
{
    const beat_request *rq = h->rq;
    struct cg_details *d = &h->b.new;

    if (rq->instance_id.p)
        d->instance_id = rq->instance_id;
    if (rq->rack_id.p)
        d->rack_id = rq->rack_id;
    if (rq->rebalance_timeout_ms != -1)
        d->rebalance_timeout_ms = rq->rebalance_timeout_ms;
    if (rq->server_assignor.p)
        d->assignor = rq->server_assignor;
    if (rq->subscribed_topic_regex.p)
        d->regex = rq->subscribed_topic_regex;
    if (rq->n_subscribed_topic_names >= 0) {
        d->topics = rq->subscribed_topic_names;
        d->n_topics = cg_sort_names(rq->subscribed_topic_names, rq->n_subscribed_topic_names);
    }
    d->client_id = h->b.who->client_id.p ? h->b.who->client_id : STR("");
    d->client_host = h->b.who->client_host;
    d->classic = NULL;
}

static void give_id(struct cg_beat *b)
{
    char text[UUID_TEXT_BYTES + 1];

    if (b->member_id.n > 0)
        return;
    uuid_text(rng_uuid(&b->m->env->rng), text);
    b->member_id = arena_str(b->arena, str_of(text));
}

static int decide(struct heartbeat *h)
{
    struct cg_beat *b = &h->b;
    bool join = h->rq->member_epoch == MEMBER_EPOCH_JOIN;

    if (cg_beat_find_group(b, join) < 0 || cg_beat_check_full(b, h->rq->instance_id) < 0)
        return -1;
    give_id(b);
    if (cg_beat_find_member(b, h->rq->member_epoch, h->rq->instance_id, join, false) < 0)
        return -1;
    update_details(h);
    cg_beat_subscribe(b);
    if (cg_beat_regexes(b) < 0)
        return -1;
    cg_beat_metadata(b, b->topics_changed || b->regex_resolved || cg_beat_assignor_changed(b));
    cg_beat_target(b);
    return cg_beat_reconcile(b, b->topics_changed || b->regex_changed);
}

static void settle_timers(struct cg_beat *b, bool current_changed)
{
    struct cg_member *m = cg_beat_member(b);

    ASSERT(m);
    cg_session_touch(m, cg_session_timeout_ms(b->m, b->group_id));
    if (current_changed)
        cg_rebalance_timer(m);
    timer_cancel(groupm_timers(b->m), &m->join);
    timer_cancel(groupm_timers(b->m), &m->sync);
}

static void beat(struct heartbeat *h)
{
    struct cg_beat *b = &h->b;
    bool current_changed;

    read_owned(h);
    if (decide(h) < 0) {
        answer_error(h);
        return;
    }
    answer(h);
    current_changed = cg_beat_current_changed(b);
    if (cg_beat_send(b) < 0) {
        consumer_group_heartbeat_response_init(h->rsp);
        answer_error(h);
        return;
    }
    settle_timers(b, current_changed);
    if (b->regexes_stale)
        cg_resolve_regexes(b->m, b->s, b->group_id, h->sight, b->arena);
}

/* ---- leaves */

static int find_leaver(struct heartbeat *h, struct group **g, struct cg_member **m)
{
    struct cg_beat *b = &h->b;

    *g = group_find(b->s, b->group_id);
    if (!*g || !(*g)->consumer)
        return cg_beat_fail(b, KE_GROUP_ID_NOT_FOUND,
                            *g ? "Group %.*s is not a consumer group." : "Group %.*s not found.",
                            STR_ARG(b->group_id));
    b->g = *g;
    if (cg_beat_find_member(b, MEMBER_EPOCH_JOIN, h->rq->instance_id, false, true) < 0)
        return -1;
    *m = cg_member_find(*g, b->member->id);
    return 0;
}

/* A static member that says it comes back keeps its partitions until its session ends. */
static int leave_for_a_while(struct group *g, const struct cg_member *m, struct arena *arena)
{
    struct cg_current c = m->current;
    struct statelog_proposal p;
    int rc;

    c.epoch = MEMBER_EPOCH_LEAVE_STATIC;
    c.revoking = (struct cg_partitions){NULL, 0};
    c.assigned.items = arena_array(arena, (size_t)c.assigned.n, sizeof(*c.assigned.items));
    for (int32_t i = 0; i < c.assigned.n; i++) {
        c.assigned.items[i] = m->current.assigned.items[i];
        c.assigned.items[i].epoch = 0;
    }
    statelog_proposal_init(&p);
    propose_cg_current(&p, g->id, m->id, &c);
    rc = proposal_send(&p, g->shard);
    statelog_proposal_release(&p);
    return rc;
}

static void leave(struct heartbeat *h)
{
    struct cg_beat *b = &h->b;
    struct cg_member *m;
    struct group *g;
    int rc;

    if (find_leaver(h, &g, &m) < 0) {
        answer_error(h);
        return;
    }
    h->rsp->member_id = arena_str(b->arena, h->rq->member_id);
    h->rsp->member_epoch = h->rq->member_epoch;
    if (h->rq->instance_id.p && h->rq->member_epoch == MEMBER_EPOCH_LEAVE_STATIC)
        rc = leave_for_a_while(g, m, b->arena);
    else
        rc = cg_fence(g, &m, 1);
    if (rc < 0) {
        consumer_group_heartbeat_response_init(h->rsp);
        h->rsp->error_code = proposal_error(rc);
    }
}

/* ---- */

void groupm_consumer_heartbeat(struct groupm *m, const struct group_client *who,
                               const struct group_sight *sight, const beat_request *rq,
                               int16_t version, beat_response *rsp, struct group_call *call)
{
    struct heartbeat h = {.rq = rq, .rsp = rsp, .sight = sight};
    struct cg_beat *b = &h.b;

    ASSERT_CORE();
    ASSERT(m->magic == GROUPM_MAGIC);
    b->m = m;
    b->who = who;
    b->arena = call->arena;
    b->group_id = rq->group_id;
    b->member_id = rq->member_id;
    statelog_proposal_init(&b->p);
    if (check_request(&h, version) == 0)
        b->error = shard_of(m, rq->group_id, rq->member_epoch == MEMBER_EPOCH_JOIN, &b->s);
    if (b->error)
        answer_error(&h);
    else if (rq->member_epoch < 0)
        leave(&h);
    else
        beat(&h);
    cg_beat_release(b);
    call_end(b->s, call);
}
