/* Records of __consumer_offsets, proposed (GroupCoordinatorRecordHelpers).
 *
 *     key    i16 type | fields           1 OffsetCommit: group, topic, partition    2
 * GroupMetadata: group value  i16 version | fields        null: a tombstone
 *
 * The versions are those that Kafka 4.4 writes at metadata.version 33. All bytes of a proposal are
 * in one buffer; entries point into it only once it is whole.
 */
#include "internal.h"

#define KEY_OFFSET_COMMIT           1
#define KEY_GROUP_METADATA          2
#define GROUP_VALUE_VERSION         3
#define OFFSET_VALUE_VERSION        4
#define OFFSET_VALUE_EXPIRE_VERSION 1 /* the one that has an expire timestamp */

void proposal_init(struct proposal *p)
{
    *p = (struct proposal){0};
    buf_init(&p->bytes);
}

void proposal_release(struct proposal *p)
{
    buf_release(&p->bytes);
    free(p->items);
    p->items = NULL;
    p->n = p->cap = 0;
}

static struct proposed *item_begin(struct proposal *p, struct wire_writer *w, int16_t type)
{
    if (p->n == p->cap) {
        p->cap = MAX(4, p->cap * 2);
        p->items = xrealloc_array(p->items, (size_t)p->cap, sizeof(*p->items));
    }
    p->items[p->n] = (struct proposed){.key_at = p->bytes.n};
    wire_writer_init(w, &p->bytes);
    wire_put_int16(w, type);
    return &p->items[p->n++];
}

static void item_value(struct proposal *p, struct proposed *item, struct wire_writer *w,
                       int16_t version)
{
    item->value_at = p->bytes.n;
    wire_put_int16(w, version);
}

static void item_end(struct proposal *p, struct proposed *item, struct wire_writer *w)
{
    item->end = p->bytes.n;
    wire_writer_release(w);
}

static void item_end_tombstone(struct proposal *p, struct proposed *item, struct wire_writer *w)
{
    item->value_at = p->bytes.n;
    item->tombstone = true;
    item_end(p, item, w);
}

/* ---- GroupMetadata */

static struct proposed *group_key(struct proposal *p, struct wire_writer *w, struct str id)
{
    struct group_metadata_key key;
    struct proposed *item = item_begin(p, w, KEY_GROUP_METADATA);

    group_metadata_key_init(&key);
    key.group = id;
    group_metadata_key_encode(&key, w, 0);
    return item;
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

void propose_group(struct proposal *p, struct group *g, bool proposed_assignments)
{
    struct group_metadata_value value;
    struct wire_writer w;
    struct proposed *item = group_key(p, &w, g->id);
    int32_t i = 0;

    item_value(p, item, &w, GROUP_VALUE_VERSION);
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
    item_end(p, item, &w);
}

void propose_new_group(struct proposal *p, struct str id, int64_t now_ms)
{
    struct group_metadata_value value;
    struct wire_writer w;
    struct proposed *item = group_key(p, &w, id);

    item_value(p, item, &w, GROUP_VALUE_VERSION);
    group_metadata_value_init(&value);
    value.protocol_type = STR("");
    value.protocol = (struct str){NULL, 0};
    value.leader = (struct str){NULL, 0};
    value.current_state_timestamp = now_ms;
    group_metadata_value_encode(&value, &w, GROUP_VALUE_VERSION);
    item_end(p, item, &w);
}

void propose_group_tombstone(struct proposal *p, struct str id)
{
    struct wire_writer w;
    struct proposed *item = group_key(p, &w, id);

    item_end_tombstone(p, item, &w);
}

/* ---- OffsetCommit */

static struct proposed *offset_key(struct proposal *p, struct wire_writer *w, struct str group,
                                   struct str topic, int32_t partition)
{
    struct offset_commit_key key;
    struct proposed *item = item_begin(p, w, KEY_OFFSET_COMMIT);

    offset_commit_key_init(&key);
    key.group = group;
    key.topic = topic;
    key.partition = partition;
    offset_commit_key_encode(&key, w, 0);
    return item;
}

void propose_offset(struct proposal *p, struct str group, struct str topic,
                    const struct offset_entry *e, struct str metadata)
{
    int16_t version = e->expire_ms == NO_TIME ? OFFSET_VALUE_VERSION : OFFSET_VALUE_EXPIRE_VERSION;
    struct offset_commit_value value;
    struct wire_writer w;
    struct proposed *item = offset_key(p, &w, group, topic, e->partition);

    item_value(p, item, &w, version);
    offset_commit_value_init(&value);
    value.offset = e->offset;
    value.leader_epoch = e->leader_epoch;
    value.metadata = metadata.p ? metadata : STR("");
    value.commit_timestamp = e->commit_ms;
    value.expire_timestamp = e->expire_ms;
    value.topic_id = e->topic_id;
    offset_commit_value_encode(&value, &w, version);
    item_end(p, item, &w);
}

void propose_offset_tombstone(struct proposal *p, struct str group, struct str topic,
                              int32_t partition)
{
    struct wire_writer w;
    struct proposed *item = offset_key(p, &w, group, topic, partition);

    item_end_tombstone(p, item, &w);
}

void propose_all_offset_tombstones(struct proposal *p, struct group *g)
{
    for (struct group_topic *t = g->offsets; t; t = t->hh.next)
        for (uint32_t i = 0; i < t->n; i++)
            propose_offset_tombstone(p, g->id, t->topic->name, t->entries[i].partition);
}

/* ---- sending */

int proposal_send(struct proposal *p, struct group_shard *s)
{
    struct statelog_entry *entries;
    int rc;

    if (p->n == 0)
        return 0;
    if (shard_log(s))
        return E_AGAIN;
    entries = xcalloc((size_t)p->n, sizeof(*entries));
    for (int i = 0; i < p->n; i++) {
        const struct proposed *item = &p->items[i];

        ASSERT(item->key_at < item->value_at);
        ASSERT(item->value_at <= item->end);
        entries[i].key = bytes_of(p->bytes.p + item->key_at, item->value_at - item->key_at);
        if (!item->tombstone)
            entries[i].value = bytes_of(p->bytes.p + item->value_at, item->end - item->value_at);
    }
    rc = statelog_propose(s->log, entries, p->n, NULL, NULL);
    free(entries);
    return rc;
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
