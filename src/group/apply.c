/* Applying records: the only place where what is durable changes.
 *
 * Owner: struct group_shard, core thread.
 *
 * Happy path: key's type -> value's version -> offset stored or removed, group made, loaded or
 *             removed. While replaying, a GroupMetadata record is the group: Stable with its
 *             members, or Empty (GroupMetadataManager.replay). Once loaded, the members are there
 *             already, and the record brings their assignments.
 * Invariant:  after a replay each group is Empty or Stable, and a Stable one has a leader.
 * Failures:   a record that cannot be read is reported and skipped, as are kinds of records that
 *             are not served: they stay in the log.
 */
#include "consumer.h"

#define OFFSET_VALUE_VERSION_MAX 4
#define GROUP_VALUE_VERSION_MAX  4

struct applying {
    struct group_shard *s;
    const struct statelog_record *r;
    struct wire_reader key, value;
    struct arena *arena;
    int16_t version; /* of the value */
};

/* ---- OffsetCommit */

static int read_offset_value(struct applying *a, struct offset_entry *e, struct str *metadata)
{
    struct offset_commit_value v;

    if (a->version < 0 || a->version > OFFSET_VALUE_VERSION_MAX ||
        offset_commit_value_decode(&v, &a->value, a->version) < 0)
        return E_CORRUPT;
    e->offset = v.offset;
    e->leader_epoch = v.leader_epoch;
    e->commit_ms = v.commit_timestamp;
    e->expire_ms = v.expire_timestamp;
    e->topic_id = v.topic_id;
    e->at = a->r->offset;
    *metadata = v.metadata;
    return 0;
}

/* A group that nobody joined comes to be with its first offset: a "simple" group. */
static int apply_offset(struct applying *a)
{
    struct offset_commit_key key;
    struct offset_entry e = {0};
    struct str metadata;
    struct group *g;
    int rc = offset_commit_key_decode(&key, &a->key, 0);

    if (rc < 0)
        return rc;
    g = group_find(a->s, key.group);
    e.partition = key.partition;
    if (!a->r->value.p) {
        if (g)
            offsets_remove(g, key.topic, key.partition);
        txn_remove_offset(a->s, key.group, key.topic, key.partition);
        return 0;
    }
    rc = read_offset_value(a, &e, &metadata);
    if (rc < 0)
        return rc;
    if (!g)
        g = group_add(a->s, key.group);
    if (a->r->transactional && a->r->producer_id != NO_PRODUCER_ID)
        txn_put(a->s, a->r->producer_id, key.group, key.topic, &e, metadata);
    else
        offsets_put(g, key.topic, &e, metadata);
    return 0;
}

/* ---- GroupMetadata */

/* Loaded members know only the protocol that was chosen. */
static void load_member(struct group *g, const struct group_metadata_value *v,
                        const struct group_metadata_value_members *row)
{
    struct join_group_request_protocols protocol = {
        .name = v->protocol.p ? v->protocol : STR(""),
        .metadata = row->subscription,
    };
    struct member_details d = {
        .id = row->member_id,
        .instance_id = row->group_instance_id,
        .client_id = row->client_id,
        .client_host = row->client_host,
        .rebalance_timeout_ms =
            row->rebalance_timeout == -1 ? row->session_timeout : row->rebalance_timeout,
        .session_timeout_ms = row->session_timeout,
        .protocol_type = v->protocol_type,
        .protocols = &protocol,
        .n_protocols = 1,
    };

    if (member_find(g, d.id) || (d.instance_id.p && member_find_static(g, d.instance_id)))
        return; /* twice in one record: cannot be */
    member_set_assignment(member_add(g, &d), row->assignment);
}

static void load_group(struct group *g, const struct group_metadata_value *v)
{
    struct member *leader;

    ASSERT(!g->shard->loaded || g->shard->downgrading);
    while (g->members)
        member_remove(g->members);
    text_free(&g->protocol_type);
    text_set(&g->protocol, v->protocol);
    if (v->protocol_type.n > 0)
        text_set(&g->protocol_type, v->protocol_type);
    g->generation = v->generation;
    for (int32_t i = 0; i < v->n_members; i++)
        load_member(g, v, &v->members[i]);
    leader = v->leader.p ? member_find(g, v->leader) : NULL;
    if (leader)
        g->leader = leader;
    if (g->n_members > 0 && !g->protocol.p)
        text_set(&g->protocol, STR(""));
    g->state = g->n_members > 0 ? GROUP_STABLE : GROUP_EMPTY;
    g->state_ms = v->current_state_timestamp;
    group_learn_topics(g);
}

/* The record of a decision that was just made here. */
static void confirm_group(struct group *g, const struct group_metadata_value *v)
{
    ASSERT(g->generation == v->generation);
    ASSERT(g->n_members == (uint32_t)v->n_members);
    for (int32_t i = 0; i < v->n_members; i++) {
        struct member *m = member_find(g, v->members[i].member_id);

        ASSERT(m);
        member_set_assignment(m, v->members[i].assignment);
    }
}

static int apply_group(struct applying *a)
{
    struct group_metadata_key key;
    struct group_metadata_value v;
    struct group *g;

    if (group_metadata_key_decode(&key, &a->key, 0) < 0)
        return E_CORRUPT;
    g = group_find(a->s, key.group);
    if (!a->r->value.p) {
        if (!g || g->consumer)
            return 0;
        group_reset(g);
        group_remove_unused(g);
        return 0;
    }
    if (a->version < 0 || a->version > GROUP_VALUE_VERSION_MAX ||
        group_metadata_value_decode(&v, &a->value, a->version) < 0)
        return E_CORRUPT;
    if (g && a->s->loaded && !a->s->downgrading) {
        confirm_group(g, &v);
        return 0;
    }
    if (!g)
        g = group_add(a->s, key.group);
    if (g->consumer)
        return E_CORRUPT; /* its tombstones come first */
    if (!a->s->loaded || a->s->downgrading)
        load_group(g, &v);
    return 0;
}

/* ---- all of it */

static int apply_control(struct applying *a)
{
    int16_t type;

    if (control_key_get(a->r->key, &type) < 0)
        return E_CORRUPT;
    if (type == CONTROL_COMMIT || type == CONTROL_ABORT)
        txn_end(a->s, a->r->producer_id, type == CONTROL_COMMIT);
    return 0;
}

static int apply(struct applying *a)
{
    int16_t type;

    if (a->r->control)
        return apply_control(a);
    type = wire_get_int16(&a->key);
    if (is_consumer_record(type))
        return apply_consumer_record(a->s, type, &a->key, &a->value, a->r->value.p != NULL,
                                     a->version, a->arena);
    switch (type) {
    case RECORD_LEGACY_OFFSET_COMMIT:
    case RECORD_OFFSET_COMMIT:
        return apply_offset(a);
    case RECORD_GROUP_METADATA:
        return apply_group(a);
    default:
        a->s->n_skipped++;
        return 0;
    }
}

void group_shard_apply(void *machine, const struct statelog_record *r)
{
    struct group_shard *s = CHECKED_CAST(machine, struct group_shard, SHARD_MAGIC);
    struct applying a = {.s = s, .r = r};
    struct arena arena;

    arena_init(&arena);
    a.arena = &arena;
    wire_reader_init(&a.key, r->key, &arena);
    wire_reader_init(&a.value, r->value, &arena);
    if (r->value.p && !r->control)
        a.version = wire_get_int16(&a.value);
    if (apply(&a) < 0)
        diag_error("__consumer_offsets-%d at offset %lld: a record cannot be read and is skipped",
                   s->index, (long long)r->offset);
    arena_release(&arena);
}
