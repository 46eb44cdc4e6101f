/* Records of __consumer_offsets, proposed (GroupCoordinatorRecordHelpers).
 *
 *     key    i16 type | fields        1 OffsetCommit: group, topic, partition
 *                                     2 GroupMetadata: group
 *     value  i16 version | fields     null: a tombstone
 *
 * The versions are those that Kafka 4.4 writes at metadata.version 33.
 */
#include "internal.h"

#define GROUP_VALUE_VERSION         3
#define OFFSET_VALUE_VERSION        4
#define OFFSET_VALUE_EXPIRE_VERSION 1 /* the one that has an expire timestamp */

void record_key_begin(struct statelog_proposal *p, struct wire_writer *w, int16_t type)
{
    statelog_proposal_begin(p);
    wire_writer_init(w, &p->bytes);
    wire_put_int16(w, type);
}

void record_value_begin(struct statelog_proposal *p, struct wire_writer *w, int16_t version)
{
    statelog_proposal_key_end(p);
    wire_put_int16(w, version);
}

void record_value_end(struct statelog_proposal *p, struct wire_writer *w)
{
    statelog_proposal_value_end(p);
    wire_writer_release(w);
}

void record_tombstone_end(struct statelog_proposal *p, struct wire_writer *w)
{
    statelog_proposal_key_end(p);
    wire_writer_release(w);
}

/* ---- GroupMetadata */

static void group_key(struct statelog_proposal *p, struct wire_writer *w, struct str id)
{
    struct group_metadata_key key;

    record_key_begin(p, w, RECORD_GROUP_METADATA);
    group_metadata_key_init(&key);
    key.group = id;
    group_metadata_key_encode(&key, w, 0);
}

static void member_row(const struct member *m, bool proposed_assignments,
                       struct group_metadata_value_members *row)
{
    struct bytes assignment = proposed_assignments ? m->proposed : m->assignment;

    group_metadata_value_members_init(row);
    row->member_id = m->id;
    row->group_instance_id = m->instance_id;
    row->client_id = m->client_id;
    row->client_host = m->client_host;
    row->rebalance_timeout = m->rebalance_timeout_ms;
    row->session_timeout = m->session_timeout_ms;
    row->subscription = member_metadata(m, m->group->protocol);
    row->assignment = assignment.n ? assignment : bytes_of("", 0);
}

void propose_group(struct statelog_proposal *p, struct group *g, bool proposed_assignments)
{
    struct group_metadata_value value;
    struct wire_writer w;
    int32_t i = 0;

    group_key(p, &w, g->id);
    record_value_begin(p, &w, GROUP_VALUE_VERSION);
    group_metadata_value_init(&value);
    value.protocol_type = g->protocol_type.p ? g->protocol_type : STR("");
    value.generation = g->generation;
    value.protocol = g->protocol;
    value.leader = g->leader ? g->leader->id : (struct str){NULL, 0};
    value.current_state_timestamp = g->state_ms;
    value.n_members = (int32_t)g->n_members;
    value.members = xcalloc(MAX(g->n_members, 1), sizeof(*value.members));
    for (struct member *m = g->members; m; m = m->by_id.next)
        member_row(m, proposed_assignments, &value.members[i++]);
    group_metadata_value_encode(&value, &w, GROUP_VALUE_VERSION);
    free(value.members);
    record_value_end(p, &w);
}

void propose_new_group(struct statelog_proposal *p, struct str id, int64_t now_ms)
{
    struct group_metadata_value value;
    struct wire_writer w;

    group_key(p, &w, id);
    record_value_begin(p, &w, GROUP_VALUE_VERSION);
    group_metadata_value_init(&value);
    value.protocol_type = STR("");
    value.protocol = (struct str){NULL, 0};
    value.leader = (struct str){NULL, 0};
    value.current_state_timestamp = now_ms;
    group_metadata_value_encode(&value, &w, GROUP_VALUE_VERSION);
    record_value_end(p, &w);
}

void propose_group_tombstone(struct statelog_proposal *p, struct str id)
{
    struct wire_writer w;

    group_key(p, &w, id);
    record_tombstone_end(p, &w);
}

/* ---- OffsetCommit */

static void offset_key(struct statelog_proposal *p, struct wire_writer *w, struct str group,
                       struct str topic, int32_t partition)
{
    struct offset_commit_key key;

    record_key_begin(p, w, RECORD_OFFSET_COMMIT);
    offset_commit_key_init(&key);
    key.group = group;
    key.topic = topic;
    key.partition = partition;
    offset_commit_key_encode(&key, w, 0);
}

void propose_offset(struct statelog_proposal *p, struct str group, struct str topic,
                    const struct offset_entry *e, struct str metadata)
{
    int16_t version = e->expire_ms == NO_TIME ? OFFSET_VALUE_VERSION : OFFSET_VALUE_EXPIRE_VERSION;
    struct offset_commit_value value;
    struct wire_writer w;

    offset_key(p, &w, group, topic, e->partition);
    record_value_begin(p, &w, version);
    offset_commit_value_init(&value);
    value.offset = e->offset;
    value.leader_epoch = e->leader_epoch;
    value.metadata = metadata.p ? metadata : STR("");
    value.commit_timestamp = e->commit_ms;
    value.expire_timestamp = e->expire_ms;
    value.topic_id = e->topic_id;
    offset_commit_value_encode(&value, &w, version);
    record_value_end(p, &w);
}

void propose_offset_tombstone(struct statelog_proposal *p, struct str group, struct str topic,
                              int32_t partition)
{
    struct wire_writer w;

    offset_key(p, &w, group, topic, partition);
    record_tombstone_end(p, &w);
}

void propose_all_offset_tombstones(struct statelog_proposal *p, struct group *g)
{
    for (struct group_topic *t = g->offsets; t; t = t->hh.next)
        for (uint32_t i = 0; i < t->n; i++)
            propose_offset_tombstone(p, g->id, t->topic->name, t->entries[i].partition);
    propose_txn_tombstones(p, g);
}

/* ---- sending */

int proposal_send(struct statelog_proposal *p, struct group_shard *s)
{
    if (p->n == 0)
        return 0;
    if (shard_log(s))
        return E_AGAIN;
    return statelog_proposal_send(p, s->log);
}

int16_t proposal_error(int rc)
{
    switch (rc) {
    case 0:
        return KE_NONE;
    case E_LIMIT:
    case E_INVALID:
        return KE_UNKNOWN_SERVER_ERROR;
    default:
        return KE_COORDINATOR_NOT_AVAILABLE; /* every client tries again */
    }
}
