/* Groups that change between the protocols while they have members (KIP-848, group.consumer.migration.policy).
 *
 *     classic group --- a member of the newer protocol joins: cg_upgrade ---> consumer group
 *                                                                          its classic members go on as such:
 *                                                                          consumer_classic.c
 *     classic group <-- the last member of the newer protocol goes: cg_downgrade --- consumer group
 *
 * Owner: struct group, core thread. Both ways are one batch of records: the tombstones of what it was, and what it is. The
 * other form is built beside the group first, in a group that is in no shard, and written from there.
 *
 * Failures:   a group that does not speak the "consumer" protocol, or whose embedded bytes cannot be read, stays what it is.
 *             Records that cannot be written change nothing.
 */
#include "consumer.h"

/* ---- classic -> consumer: ConsumerGroup.fromClassicGroup */

static int refuse_upgrade(struct cg_beat *b, const char *why)
{
    return cg_beat_fail(b, KE_GROUP_ID_NOT_FOUND,
                        "Cannot upgrade classic group %.*s to consumer group because %s.",
                        STR_ARG(b->group_id), why);
}

static int check_upgrade(struct cg_beat *b, const struct group *classic)
{
    if (!cg_may_upgrade(b->m))
        return refuse_upgrade(b, "online upgrade is disabled");
    if (!group_uses_consumer_protocol(classic))
        return refuse_upgrade(b, "the group does not use the consumer embedded protocol");
    if (classic->n_members > b->m->options.config->group_consumer_max_size)
        return refuse_upgrade(b, "the group size exceeds the consumer group maximum size");
    return 0;
}

/* Partitions of topics that exist. */
static int read_assignment(struct cg_beat *b, struct bytes bytes, int32_t epoch,
                           struct cg_partitions *out)
{
    const struct groupm_options *o = &b->m->options;
    struct consumer_protocol_assignment a;
    size_t n = 0;

    *out = (struct cg_partitions){NULL, 0};
    if (bytes.n == 0)
        return 0;
    if (embedded_assignment(bytes, b->arena, &a) < 0)
        return refuse_upgrade(b, "the embedded consumer protocol is malformed");
    if (a.user_data.n > 0)
        return refuse_upgrade(
            b, "an unsupported custom assignor is in use. Please refer to the documentation or "
               "switch to a default assignor before re-attempting the upgrade");
    for (int32_t i = 0; i < a.n_assigned_partitions; i++)
        n += (size_t)a.assigned_partitions[i].n_partitions;
    out->items = arena_array(b->arena, n, sizeof(*out->items));
    for (int32_t i = 0; i < a.n_assigned_partitions; i++) {
        struct uuid id = o->topic_id(o->arg, a.assigned_partitions[i].topic);
        int32_t n_partitions = o->topic_partitions(o->arg, a.assigned_partitions[i].topic);

        for (int32_t j = 0; j < a.assigned_partitions[i].n_partitions; j++) {
            int32_t partition = a.assigned_partitions[i].partitions[j];

            if (partition >= 0 && partition < n_partitions)
                out->items[out->n++] = (struct cg_partition){id, partition, epoch};
        }
    }
    cg_partitions_sort(out);
    return 0;
}

static struct cg_details details_of_classic(struct cg_beat *b, const struct member *m,
                                            struct consumer_protocol_subscription *sub)
{
    struct cg_classic *c = arena_alloc(b->arena, sizeof(*c));

    *c = (struct cg_classic){m->session_timeout_ms, m->protocols, m->n_protocols};
    return (struct cg_details){.instance_id = m->instance_id,
                               .rack_id = sub->rack_id.n > 0 ? sub->rack_id : (struct str){NULL, 0},
                               .client_id = m->client_id,
                               .client_host = m->client_host,
                               .topics = sub->topics,
                               .n_topics = cg_sort_names(sub->topics, sub->n_topics),
                               .regex = STR(""),
                               .rebalance_timeout_ms = m->rebalance_timeout_ms,
                               .classic = c};
}

/* Two members that were given one partition: the assignment is no assignment. */
static bool is_free(const struct group *g, const struct cg_partitions *ps)
{
    for (int32_t i = 0; i < ps->n; i++)
        if (cg_owner_epoch(g, ps->items[i].topic, ps->items[i].partition) != NO_EPOCH)
            return false;
    return true;
}

static int upgrade_member(struct cg_beat *b, const struct member *m, struct str protocol)
{
    struct cg_current c = {.epoch = m->group->generation, .previous_epoch = m->group->generation};
    struct consumer_protocol_subscription sub;
    struct cg_details d;
    struct cg_member *own;

    if (embedded_subscription(member_metadata(m, protocol), b->arena, &sub) < 0)
        return refuse_upgrade(b, "the embedded consumer protocol is malformed");
    if (read_assignment(b, m->assignment, c.epoch, &c.assigned) < 0)
        return -1;
    if (!is_free(b->g, &c.assigned))
        return cg_beat_fail(b, KE_UNKNOWN_SERVER_ERROR,
                            "A partition is assigned to two members of group %.*s.",
                            STR_ARG(b->group_id));
    d = details_of_classic(b, m, &sub);
    own = cg_member_add(b->g, m->id);
    cg_member_set_details(own, &d);
    cg_member_set_current(own, &c);
    cg_target_set(b->g, m->id, &c.assigned);
    return 0;
}

/* createConsumerGroupRecords */
static void propose_upgraded(struct cg_beat *b)
{
    const struct consumer_group *cg = b->g->consumer;

    propose_group_tombstone(&b->p, b->group_id);
    for (const struct cg_member *m = cg->members; m; m = m->by_id.next)
        propose_cg_member(&b->p, b->group_id, m->id, &m->details);
    propose_cg_epoch(&b->p, b->group_id, cg->epoch, cg->metadata_hash);
    for (const struct cg_target *t = cg->targets; t; t = t->hh.next)
        propose_cg_target(&b->p, b->group_id, t->member_id, &t->partitions);
    propose_cg_target_epoch(&b->p, b->group_id, cg->assignment_epoch, cg->assignment_ms);
    for (const struct cg_member *m = cg->members; m; m = m->by_id.next)
        propose_cg_current(&b->p, b->group_id, m->id, &m->current);
}

/* Before the first rebalance has ended no protocol is chosen; what they have in common can be read all the same. */
static struct str protocol_of(struct group *classic)
{
    return classic->protocol.p ? classic->protocol : group_select_protocol(classic);
}

int cg_upgrade(struct cg_beat *b)
{
    struct group *classic = group_find(b->s, b->group_id);
    struct consumer_group *cg = b->g->consumer;
    struct cg_subscriptions s;
    struct str protocol;

    ASSERT(b->detached);
    ASSERT(classic->n_members > 0 || classic->state != GROUP_EMPTY);
    if (check_upgrade(b, classic) < 0)
        return -1;
    protocol = classic->n_members > 0 ? protocol_of(classic) : STR("");
    cg->epoch = cg->assignment_epoch = classic->generation;
    for (struct member *m = classic->members; m; m = m->by_id.next)
        if (upgrade_member(b, m, protocol) < 0)
            return -1;
    s = cg_subscriptions_of(b->g, b->arena);
    cg_subscriptions_settle(&s);
    cg->metadata_hash = cg_metadata_hash(b->m, &s);
    propose_upgraded(b);
    for (struct member *m = classic->members; m; m = m->by_id.next) {
        member_fail_join(m, m->id, KE_REBALANCE_IN_PROGRESS);
        member_fail_sync(m, KE_REBALANCE_IN_PROGRESS);
    }
    b->upgraded = true;
    diag_info("group %s: becomes a consumer group", diag_escape(b->group_id));
    return 0;
}

/* ---- consumer -> classic: ClassicGroup.fromConsumerGroup */

static bool leaves(const struct cg_member *m, struct cg_member **leaving, int n)
{
    for (int i = 0; i < n; i++)
        if (leaving[i] == m)
            return true;
    return false;
}

bool cg_may_downgrade_without(const struct group *g, struct cg_member **leaving, int n)
{
    const struct consumer_group *cg = g->consumer;
    int32_t n_classic = cg->n_classic;

    for (int i = 0; i < n; i++)
        n_classic -= leaving[i]->details.classic != NULL;
    return n_classic == cg->n_members - n && n_classic > 0 && cg_may_downgrade(g->shard->m) &&
           n_classic <= g->shard->m->options.config->group_max_size;
}

static struct member_details details_of_consumer(struct str id, const struct cg_details *d,
                                                 struct arena *arena)
{
    const struct cg_classic *c = d->classic;
    struct join_group_request_protocols *protocols =
        arena_array(arena, (size_t)c->n_protocols, sizeof(*protocols));

    for (int32_t i = 0; i < c->n_protocols; i++) {
        protocols[i].name = c->protocols[i].name;
        protocols[i].metadata = c->protocols[i].metadata;
    }
    return (struct member_details){.id = id,
                                   .instance_id = d->instance_id,
                                   .client_id = d->client_id,
                                   .client_host = d->client_host,
                                   .rebalance_timeout_ms = d->rebalance_timeout_ms,
                                   .session_timeout_ms = c->session_timeout_ms,
                                   .protocol_type = CONSUMER_PROTOCOL_TYPE,
                                   .protocols = protocols,
                                   .n_protocols = c->n_protocols};
}

/* A classic group beside the shard, Stable, each member with its target as its assignment. */
struct downgrade {
    struct group *from, *to;
    struct cg_member **leaving;
    int n_leaving;
    const struct cg_beat *joining;
    struct arena arena;
};

static void downgrade_members(struct downgrade *d)
{
    struct member_details details;

    for (struct cg_member *m = d->from->consumer->members; m; m = m->by_id.next) {
        if (leaves(m, d->leaving, d->n_leaving))
            continue;
        details = details_of_consumer(m->id, &m->details, &d->arena);
        member_add(d->to, &details);
    }
    if (!d->joining)
        return;
    details = details_of_consumer(d->joining->member_id, &d->joining->new, &d->arena);
    member_add(d->to, &details);
}

static void downgrade_assignments(struct downgrade *d)
{
    for (struct member *m = d->to->members; m; m = m->by_id.next) {
        bool joins = d->joining && str_eq(m->id, d->joining->member_id);
        struct cg_partitions target = cg_target_of(d->from, joins ? d->leaving[0]->id : m->id);
        int16_t version = embedded_version(member_metadata(m, d->to->protocol));

        member_set_assignment(
            m, embedded_assignment_put(d->from->shard->m, &target, MAX(version, 0), &d->arena));
    }
}

static void downgrade_build(struct downgrade *d)
{
    struct group *to = xcalloc(1, sizeof(*to));

    to->magic = GROUP_MAGIC;
    to->shard = d->from->shard;
    to->id = text_copy(d->from->id);
    to->state = GROUP_STABLE;
    to->state_ms = groupm_now_ms(to->shard->m);
    to->generation = d->from->consumer->epoch;
    d->to = to;
    downgrade_members(d);
    text_set(&to->protocol, group_select_protocol(to));
    downgrade_assignments(d);
}

static void downgrade_release(struct downgrade *d)
{
    while (d->to->members)
        member_remove(d->to->members);
    text_free(&d->to->protocol_type);
    text_free(&d->to->protocol);
    text_free(&d->to->id);
    d->to->magic = 0;
    free(d->to);
    arena_release(&d->arena);
}

/* A record knows only the protocol that was chosen; the members know the others, too. */
static void install_protocols(struct downgrade *d, struct group *g)
{
    for (struct member *m = d->to->members; m; m = m->by_id.next) {
        struct member *own = member_find(g, m->id);
        struct join_group_request_protocols *protocols =
            arena_array(&d->arena, (size_t)m->n_protocols, sizeof(*protocols));
        struct member_details details = {.rebalance_timeout_ms = m->rebalance_timeout_ms,
                                         .session_timeout_ms = m->session_timeout_ms,
                                         .protocols = protocols,
                                         .n_protocols = m->n_protocols};

        ASSERT(own);
        for (int32_t i = 0; i < m->n_protocols; i++) {
            protocols[i].name = m->protocols[i].name;
            protocols[i].metadata = m->protocols[i].metadata;
        }
        member_update(own, &details);
        session_touch(own);
    }
}

static void propose_downgraded(struct downgrade *d, struct statelog_proposal *p)
{
    if (d->joining) /* in the records before these it has taken its place */
        propose_cg_member_tombstones(p, d->from->id, d->joining->member_id);
    propose_cg_tombstones(p, d->from);
    propose_group(p, d->to, false);
}

int cg_downgrade(struct group *g, struct cg_member **leaving, int n, struct cg_beat *joining,
                 const char *rebalance_why)
{
    struct downgrade d = {.from = g, .leaving = leaving, .n_leaving = n, .joining = joining};
    struct group_shard *s = g->shard;
    struct statelog_proposal own, *p = joining ? &joining->p : &own;
    int rc;

    arena_init(&d.arena);
    downgrade_build(&d);
    statelog_proposal_init(&own);
    propose_downgraded(&d, p);
    s->downgrading = true;
    rc = proposal_send(p, s);
    s->downgrading = false;
    if (rc == 0) {
        g = group_find(s, d.to->id);
        ASSERT(g);
        ASSERT(!g->consumer);
        install_protocols(&d, g);
        diag_info("group %s: becomes a classic group", diag_escape(g->id));
        if (rebalance_why)
            rebalance_prepare(g, rebalance_why);
    }
    statelog_proposal_release(&own);
    downgrade_release(&d);
    return rc;
}
