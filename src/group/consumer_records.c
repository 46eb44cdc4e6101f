/* Records of consumer groups, proposed (GroupCoordinatorRecordHelpers).
 *
 *      3 ConsumerGroupMetadata                  group            epoch, hash of the metadata
 *      4 ConsumerGroupPartitionMetadata         group            only tombstones, of what older versions wrote
 *      5 ConsumerGroupMemberMetadata            group, member    what the member said of itself
 *      6 ConsumerGroupTargetAssignmentMetadata  group            the epoch that the target was computed for, and when
 *      7 ConsumerGroupTargetAssignmentMember    group, member    what it is to have
 *      8 ConsumerGroupCurrentMemberAssignment   group, member    what it has, and is to give up
 *     16 ConsumerGroupRegularExpression         group, regex     the topics that it matched
 *
 * All values are of version 0.
 */
#include "consumer.h"

/* ---- keys */

static void group_key(struct statelog_proposal *p, struct wire_writer *w, int16_t type,
                      struct str group)
{
    record_key_begin(p, w, type);
    wire_put_str(w, group, false);
}

/* Keys of members, and of regular expressions, are two texts. */
static void member_key(struct statelog_proposal *p, struct wire_writer *w, int16_t type,
                       struct str group, struct str member)
{
    group_key(p, w, type, group);
    wire_put_str(w, member, false);
}

static void group_tombstone(struct statelog_proposal *p, int16_t type, struct str group)
{
    struct wire_writer w;

    group_key(p, &w, type, group);
    record_tombstone_end(p, &w);
}

static void member_tombstone(struct statelog_proposal *p, int16_t type, struct str group,
                             struct str member)
{
    struct wire_writer w;

    member_key(p, &w, type, group, member);
    record_tombstone_end(p, &w);
}

/* ---- 5: members */

typedef struct consumer_group_member_metadata_value_classic_member_metadata classic_value;

static void classic_to_value(const struct cg_classic *c, classic_value *v)
{
    consumer_group_member_metadata_value_classic_member_metadata_init(v);
    v->session_timeout_ms = c->session_timeout_ms;
    v->n_supported_protocols = c->n_protocols;
    v->supported_protocols =
        xcalloc((size_t)MAX(c->n_protocols, 1), sizeof(*v->supported_protocols));
    for (int32_t i = 0; i < c->n_protocols; i++) {
        v->supported_protocols[i].name = c->protocols[i].name;
        v->supported_protocols[i].metadata =
            c->protocols[i].metadata.n ? c->protocols[i].metadata : bytes_of("", 0);
    }
}

void propose_cg_member(struct statelog_proposal *p, struct str group, struct str member,
                       const struct cg_details *d)
{
    struct consumer_group_member_metadata_value v;
    classic_value classic = {0};
    struct wire_writer w;

    member_key(p, &w, RECORD_CONSUMER_GROUP_MEMBER_METADATA, group, member);
    record_value_begin(p, &w, 0);
    consumer_group_member_metadata_value_init(&v);
    v.instance_id = d->instance_id;
    v.rack_id = d->rack_id;
    v.client_id = d->client_id.p ? d->client_id : STR("");
    v.client_host = d->client_host.p ? d->client_host : STR("");
    v.subscribed_topic_names = d->topics;
    v.n_subscribed_topic_names = d->n_topics;
    v.subscribed_topic_regex = d->regex;
    v.rebalance_timeout_ms = d->rebalance_timeout_ms;
    v.server_assignor = d->assignor;
    v.classic_member_metadata = NULL; /* not the schema's default */
    if (d->classic) {
        classic_to_value(d->classic, &classic);
        v.classic_member_metadata = &classic;
    }
    consumer_group_member_metadata_value_encode(&v, &w, 0);
    free(classic.supported_protocols);
    record_value_end(p, &w);
}

/* ---- 3, 6: epochs */

void propose_cg_epoch(struct statelog_proposal *p, struct str group, int32_t epoch,
                      int64_t metadata_hash)
{
    struct consumer_group_metadata_value v;
    struct wire_writer w;

    group_key(p, &w, RECORD_CONSUMER_GROUP_METADATA, group);
    record_value_begin(p, &w, 0);
    consumer_group_metadata_value_init(&v);
    v.epoch = epoch;
    v.metadata_hash = metadata_hash;
    consumer_group_metadata_value_encode(&v, &w, 0);
    record_value_end(p, &w);
}

void propose_cg_target_epoch(struct statelog_proposal *p, struct str group, int32_t epoch,
                             int64_t ms)
{
    struct consumer_group_target_assignment_metadata_value v;
    struct wire_writer w;

    group_key(p, &w, RECORD_CONSUMER_GROUP_TARGET_ASSIGNMENT_METADATA, group);
    record_value_begin(p, &w, 0);
    consumer_group_target_assignment_metadata_value_init(&v);
    v.assignment_epoch = epoch;
    v.assignment_timestamp = ms;
    consumer_group_target_assignment_metadata_value_encode(&v, &w, 0);
    record_value_end(p, &w);
}

/* ---- 7, 8: assignments. The items of a set become one row per topic. */

static int32_t *partitions_of_run(const struct cg_partitions *ps, int32_t at, int32_t n,
                                  struct arena *arena)
{
    int32_t *out = arena_array(arena, (size_t)n, sizeof(*out));

    for (int32_t i = 0; i < n; i++)
        out[i] = ps->items[at + i].partition;
    return out;
}

void propose_cg_target(struct statelog_proposal *p, struct str group, struct str member,
                       const struct cg_partitions *ps)
{
    struct consumer_group_target_assignment_member_value v;
    struct wire_writer w;
    struct arena arena;

    arena_init(&arena);
    member_key(p, &w, RECORD_CONSUMER_GROUP_TARGET_ASSIGNMENT_MEMBER, group, member);
    record_value_begin(p, &w, 0);
    consumer_group_target_assignment_member_value_init(&v);
    v.topic_partitions = arena_array(&arena, (size_t)ps->n, sizeof(*v.topic_partitions));
    for (int32_t at = 0, n; at < ps->n; at += n) {
        n = cg_partitions_run(ps, at);
        v.topic_partitions[v.n_topic_partitions].topic_id = ps->items[at].topic;
        v.topic_partitions[v.n_topic_partitions].n_partitions = n;
        v.topic_partitions[v.n_topic_partitions++].partitions =
            partitions_of_run(ps, at, n, &arena);
    }
    consumer_group_target_assignment_member_value_encode(&v, &w, 0);
    record_value_end(p, &w);
    arena_release(&arena);
}

typedef struct consumer_group_current_member_assignment_value_assigned_partitions current_row;

static current_row *current_rows(const struct cg_partitions *ps, struct arena *arena,
                                 int32_t *n_rows)
{
    current_row *rows = arena_array(arena, (size_t)ps->n, sizeof(*rows));

    *n_rows = 0;
    for (int32_t at = 0, n; at < ps->n; at += n) {
        current_row *row = &rows[(*n_rows)++];

        n = cg_partitions_run(ps, at);
        row->topic_id = ps->items[at].topic;
        row->n_partitions = row->n_assignment_epochs = n;
        row->partitions = partitions_of_run(ps, at, n, arena);
        row->assignment_epochs = arena_array(arena, (size_t)n, sizeof(int32_t));
        for (int32_t i = 0; i < n; i++)
            row->assignment_epochs[i] = ps->items[at + i].epoch;
    }
    return rows;
}

void propose_cg_current(struct statelog_proposal *p, struct str group, struct str member,
                        const struct cg_current *c)
{
    struct consumer_group_current_member_assignment_value v;
    struct wire_writer w;
    struct arena arena;

    arena_init(&arena);
    member_key(p, &w, RECORD_CONSUMER_GROUP_CURRENT_MEMBER_ASSIGNMENT, group, member);
    record_value_begin(p, &w, 0);
    consumer_group_current_member_assignment_value_init(&v);
    v.member_epoch = c->epoch;
    v.previous_member_epoch = c->previous_epoch;
    v.state = (int8_t)c->state;
    v.assigned_partitions = current_rows(&c->assigned, &arena, &v.n_assigned_partitions);
    v.partitions_pending_revocation =
        current_rows(&c->revoking, &arena, &v.n_partitions_pending_revocation);
    consumer_group_current_member_assignment_value_encode(&v, &w, 0);
    record_value_end(p, &w);
    arena_release(&arena);
}

/* ---- 16, 4 */

void propose_cg_regex(struct statelog_proposal *p, struct str group, const struct cg_regex *r)
{
    struct consumer_group_regular_expression_value v;
    struct wire_writer w;

    member_key(p, &w, RECORD_CONSUMER_GROUP_REGULAR_EXPRESSION, group, r->regex);
    record_value_begin(p, &w, 0);
    consumer_group_regular_expression_value_init(&v);
    v.topics = r->topics;
    v.n_topics = r->n_topics;
    v.version = r->version;
    v.timestamp = r->timestamp_ms;
    consumer_group_regular_expression_value_encode(&v, &w, 0);
    record_value_end(p, &w);
}

void propose_cg_regex_tombstone(struct statelog_proposal *p, struct str group, struct str regex)
{
    member_tombstone(p, RECORD_CONSUMER_GROUP_REGULAR_EXPRESSION, group, regex);
}

void propose_cg_partition_metadata_tombstone(struct statelog_proposal *p, struct str group)
{
    group_tombstone(p, RECORD_CONSUMER_GROUP_PARTITION_METADATA, group);
}

/* ---- tombstones */

void propose_cg_member_tombstones(struct statelog_proposal *p, struct str group, struct str member)
{
    member_tombstone(p, RECORD_CONSUMER_GROUP_CURRENT_MEMBER_ASSIGNMENT, group, member);
    member_tombstone(p, RECORD_CONSUMER_GROUP_TARGET_ASSIGNMENT_MEMBER, group, member);
    member_tombstone(p, RECORD_CONSUMER_GROUP_MEMBER_METADATA, group, member);
}

void propose_tombstones(struct statelog_proposal *p, const struct group *g)
{
    if (g->consumer)
        propose_cg_tombstones(p, g);
    else
        propose_group_tombstone(p, g->id);
}

void propose_cg_tombstones(struct statelog_proposal *p, const struct group *g)
{
    const struct consumer_group *cg = g->consumer;

    for (const struct cg_member *m = cg->members; m; m = m->by_id.next)
        member_tombstone(p, RECORD_CONSUMER_GROUP_CURRENT_MEMBER_ASSIGNMENT, g->id, m->id);
    for (const struct cg_target *t = cg->targets; t; t = t->hh.next)
        member_tombstone(p, RECORD_CONSUMER_GROUP_TARGET_ASSIGNMENT_MEMBER, g->id, t->member_id);
    group_tombstone(p, RECORD_CONSUMER_GROUP_TARGET_ASSIGNMENT_METADATA, g->id);
    for (const struct cg_member *m = cg->members; m; m = m->by_id.next)
        member_tombstone(p, RECORD_CONSUMER_GROUP_MEMBER_METADATA, g->id, m->id);
    for (const struct cg_regex *r = cg->resolved; r; r = r->hh.next)
        member_tombstone(p, RECORD_CONSUMER_GROUP_REGULAR_EXPRESSION, g->id, r->regex);
    group_tombstone(p, RECORD_CONSUMER_GROUP_PARTITION_METADATA, g->id);
    group_tombstone(p, RECORD_CONSUMER_GROUP_METADATA, g->id);
}
