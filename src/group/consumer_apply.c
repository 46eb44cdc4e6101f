/* Applying the records of consumer groups: the only place where what is durable of them changes (GroupMetadataManager.replay).
 *
 * Owner: struct group_shard, core thread.
 *
 * Happy path: key -> the group, made for a record that has a value -> one change of consumer_members.c.
 * Invariant:  records of a group may come in any order that compaction leaves: a target before its member, a current
 *             assignment before what the member said of itself.
 * Failures:   a record that cannot be read, or that names a group of the classic protocol that has members, is reported
 *             by the caller and skipped.
 */
#include "consumer.h"

struct consumer_record {
    struct group_shard *s;
    struct group *g; /* NULL: a tombstone of a group that is not there */
    struct wire_reader *value;
    bool has_value;
    struct arena *arena;
    struct str group_id, second; /* the member's id, or the regular expression */
};

/* getOrMaybeCreatePersistedConsumerGroup. A group that only has offsets becomes one. */
static int find_group(struct consumer_record *r)
{
    r->g = group_find(r->s, r->group_id);
    if (r->g && r->g->consumer)
        return 0;
    if (!r->has_value) {
        r->g = NULL;
        return 0;
    }
    if (!r->g)
        r->g = group_add(r->s, r->group_id);
    if (!group_is_simple(r->g))
        return E_CORRUPT;
    r->g->consumer = consumer_group_new();
    return 0;
}

static struct cg_member *member_get(struct consumer_record *r)
{
    struct cg_member *m = cg_member_find(r->g, r->second);

    return m ? m : cg_member_add(r->g, r->second);
}

/* ---- 3: the group */

static int apply_metadata(struct consumer_record *r)
{
    struct consumer_group_metadata_value v;

    if (!r->has_value) {
        consumer_group_free(r->g);
        group_remove_unused(r->g);
        return 0;
    }
    if (consumer_group_metadata_value_decode(&v, r->value, 0) < 0)
        return E_CORRUPT;
    r->g->consumer->epoch = v.epoch;
    r->g->consumer->metadata_hash = v.metadata_hash;
    return 0;
}

static int apply_partition_metadata(struct consumer_record *r)
{
    r->g->consumer->has_partition_metadata_record = r->has_value;
    return 0;
}

/* ---- 5: members */

static const struct cg_classic *
classic_of(const struct consumer_group_member_metadata_value_classic_member_metadata *v,
           struct arena *arena)
{
    struct cg_classic *c;

    if (!v)
        return NULL;
    c = arena_alloc(arena, sizeof(*c));
    c->session_timeout_ms = v->session_timeout_ms;
    c->n_protocols = v->n_supported_protocols;
    c->protocols = arena_array(arena, (size_t)v->n_supported_protocols, sizeof(*c->protocols));
    for (int32_t i = 0; i < v->n_supported_protocols; i++) {
        c->protocols[i].name = v->supported_protocols[i].name;
        c->protocols[i].metadata = v->supported_protocols[i].metadata;
    }
    return c;
}

static int apply_member(struct consumer_record *r)
{
    struct consumer_group_member_metadata_value v;
    struct cg_details d;
    struct cg_member *m;

    if (!r->has_value) {
        m = cg_member_find(r->g, r->second);
        if (m)
            cg_member_remove(m);
        return 0;
    }
    if (consumer_group_member_metadata_value_decode(&v, r->value, 0) < 0)
        return E_CORRUPT;
    d = (struct cg_details){.instance_id = v.instance_id,
                            .rack_id = v.rack_id,
                            .client_id = v.client_id,
                            .client_host = v.client_host,
                            .topics = v.subscribed_topic_names,
                            .n_topics =
                                cg_sort_names(v.subscribed_topic_names, v.n_subscribed_topic_names),
                            .regex = v.subscribed_topic_regex,
                            .assignor = v.server_assignor,
                            .rebalance_timeout_ms = v.rebalance_timeout_ms,
                            .classic = classic_of(v.classic_member_metadata, r->arena)};
    cg_member_set_details(member_get(r), &d);
    return 0;
}

/* ---- 6, 7: targets */

static int apply_target_metadata(struct consumer_record *r)
{
    struct consumer_group_target_assignment_metadata_value v;

    if (!r->has_value) {
        r->g->consumer->assignment_epoch = NO_EPOCH;
        r->g->consumer->assignment_ms = 0;
        return 0;
    }
    if (consumer_group_target_assignment_metadata_value_decode(&v, r->value, 0) < 0)
        return E_CORRUPT;
    r->g->consumer->assignment_epoch = v.assignment_epoch;
    r->g->consumer->assignment_ms = v.assignment_timestamp;
    return 0;
}

static bool partitions_valid(const int32_t *partitions, int32_t n)
{
    for (int32_t i = 0; i < n; i++)
        if (partitions[i] < 0 || partitions[i] >= PARTITION_MAX)
            return false;
    return true;
}

static int apply_target(struct consumer_record *r)
{
    struct consumer_group_target_assignment_member_value v;
    struct cg_partitions ps = {0};
    size_t n = 0;

    if (!r->has_value) {
        cg_target_remove(r->g, r->second);
        return 0;
    }
    if (consumer_group_target_assignment_member_value_decode(&v, r->value, 0) < 0)
        return E_CORRUPT;
    for (int32_t i = 0; i < v.n_topic_partitions; i++) {
        if (!partitions_valid(v.topic_partitions[i].partitions, v.topic_partitions[i].n_partitions))
            return E_CORRUPT;
        n += (size_t)v.topic_partitions[i].n_partitions;
    }
    ps.items = arena_array(r->arena, n, sizeof(*ps.items));
    for (int32_t i = 0; i < v.n_topic_partitions; i++)
        for (int32_t j = 0; j < v.topic_partitions[i].n_partitions; j++)
            ps.items[ps.n++] =
                (struct cg_partition){.topic = v.topic_partitions[i].topic_id,
                                      .partition = v.topic_partitions[i].partitions[j]};
    cg_partitions_sort(&ps);
    cg_target_set(r->g, r->second, &ps);
    return 0;
}

/* ---- 8: what members have */

typedef struct consumer_group_current_member_assignment_value_assigned_partitions current_row;

/* Utils.assignmentFromTopicPartitions: without an epoch for each, all have the member's. */
static int current_partitions(const current_row *rows, int32_t n_rows, int32_t member_epoch,
                              struct arena *arena, struct cg_partitions *out)
{
    size_t n = 0;

    for (int32_t i = 0; i < n_rows; i++) {
        if (!partitions_valid(rows[i].partitions, rows[i].n_partitions))
            return E_CORRUPT;
        n += (size_t)rows[i].n_partitions;
    }
    *out = (struct cg_partitions){arena_array(arena, n, sizeof(*out->items)), 0};
    for (int32_t i = 0; i < n_rows; i++) {
        bool epochs = rows[i].n_assignment_epochs == rows[i].n_partitions;

        for (int32_t j = 0; j < rows[i].n_partitions; j++)
            out->items[out->n++] =
                (struct cg_partition){rows[i].topic_id, rows[i].partitions[j],
                                      epochs ? rows[i].assignment_epochs[j] : MAX(member_epoch, 0)};
    }
    cg_partitions_sort(out);
    return 0;
}

static enum cg_member_state member_state(int8_t stored)
{
    return stored >= CG_STABLE && stored <= CG_UNRELEASED ? (enum cg_member_state)stored
                                                          : CG_UNKNOWN;
}

static int apply_current(struct consumer_record *r)
{
    struct consumer_group_current_member_assignment_value v;
    struct cg_current c = {.epoch = -1, .previous_epoch = -1};
    struct cg_member *m;

    if (!r->has_value) {
        m = cg_member_find(r->g, r->second);
        if (m) {
            c.state = m->current.state;
            cg_member_set_current(m, &c);
        }
        return 0;
    }
    if (consumer_group_current_member_assignment_value_decode(&v, r->value, 0) < 0)
        return E_CORRUPT;
    c.epoch = v.member_epoch;
    c.previous_epoch = v.previous_member_epoch;
    c.state = member_state(v.state);
    if (current_partitions(v.assigned_partitions, v.n_assigned_partitions, c.epoch, r->arena,
                           &c.assigned) < 0 ||
        current_partitions(v.partitions_pending_revocation, v.n_partitions_pending_revocation,
                           c.epoch, r->arena, &c.revoking) < 0)
        return E_CORRUPT;
    cg_member_set_current(member_get(r), &c);
    return 0;
}

/* ---- 16: regular expressions */

static int apply_regex(struct consumer_record *r)
{
    struct consumer_group_regular_expression_value v;

    if (!r->has_value) {
        cg_regex_remove(r->g, r->second);
        return 0;
    }
    if (consumer_group_regular_expression_value_decode(&v, r->value, 0) < 0)
        return E_CORRUPT;
    cg_regex_set(r->g, r->second, v.topics, v.n_topics, v.version, v.timestamp);
    return 0;
}

/* ---- all of them */

/* By type; two: whether the key has a second text. */
static const struct {
    int (*apply)(struct consumer_record *r);
    bool two;
} kinds[] = {
    [RECORD_CONSUMER_GROUP_METADATA] = {apply_metadata, false},
    [RECORD_CONSUMER_GROUP_PARTITION_METADATA] = {apply_partition_metadata, false},
    [RECORD_CONSUMER_GROUP_MEMBER_METADATA] = {apply_member, true},
    [RECORD_CONSUMER_GROUP_TARGET_ASSIGNMENT_METADATA] = {apply_target_metadata, false},
    [RECORD_CONSUMER_GROUP_TARGET_ASSIGNMENT_MEMBER] = {apply_target, true},
    [RECORD_CONSUMER_GROUP_CURRENT_MEMBER_ASSIGNMENT] = {apply_current, true},
    [RECORD_CONSUMER_GROUP_REGULAR_EXPRESSION] = {apply_regex, true},
};

bool is_consumer_record(int16_t type)
{
    return type >= 0 && (size_t)type < ARRAY_SIZE(kinds) && kinds[type].apply;
}

int apply_consumer_record(struct group_shard *s, int16_t type, struct wire_reader *key,
                          struct wire_reader *value, bool has_value, int16_t version,
                          struct arena *arena)
{
    struct consumer_record r = {.s = s, .value = value, .has_value = has_value, .arena = arena};
    int rc;

    ASSERT(is_consumer_record(type));
    r.group_id = wire_get_str(key, false, false);
    if (kinds[type].two)
        r.second = wire_get_str(key, false, false);
    if (key->error || (has_value && version != 0))
        return E_CORRUPT;
    rc = find_group(&r);
    if (rc < 0 || !r.g)
        return rc;
    return kinds[type].apply(&r);
}

void consumer_group_loaded(struct group *g)
{
    for (struct cg_member *m = g->consumer->members; m; m = m->by_id.next) {
        cg_session_touch(m, cg_session_timeout_ms(g->shard->m, g->id));
        cg_rebalance_timer(m);
    }
}
