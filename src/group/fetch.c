/* OffsetFetch.
 *
 * Owner: the call, its caller's. Core thread.
 *
 * Happy path: all versions are brought into the form of v8 (groups, each with topics) -> looked up
 *             -> for v0-7 brought back. What has no offset is -1, not an error: so is an unknown
 *             group.
 * Invariant:  a fetch sees everything decided so far and waits until that is durable, so that
 *             `require_stable` is always kept, but for offsets of open transactions.
 */
#include "consumer.h"

typedef struct offset_fetch_request_groups fetch_group;
typedef struct offset_fetch_request_groups_topics fetch_topic;
typedef struct offset_fetch_response_groups group_row;
typedef struct offset_fetch_response_groups_topics topic_row;
typedef struct offset_fetch_response_groups_topics_partitions part_row;

struct fetch {
    struct groupm *m;
    struct arena *arena;
    bool by_id;  /* v10+ */
    bool stable; /* require_stable */
    struct group_shard *s;
    struct group *g; /* NULL: unknown */
    struct str group_id;
};

static void part_init(part_row *row, int32_t partition, int16_t error)
{
    offset_fetch_response_groups_topics_partitions_init(row);
    row->partition_index = partition;
    row->committed_offset = -1;
    row->committed_leader_epoch = -1;
    row->metadata = STR("");
    row->error_code = error;
}

static void part_fill(struct fetch *f, part_row *row, const struct offset_entry *e)
{
    row->committed_offset = e->offset;
    row->committed_leader_epoch = e->leader_epoch;
    row->metadata = arena_str(f->arena, offset_metadata(e));
}

static bool unstable(const struct fetch *f, struct str topic, int32_t partition)
{
    return f->stable && f->s && f->s->txns && txn_has_offset(f->s, f->group_id, topic, partition);
}

/* An offset of an older topic of that name (isMismatchedTopicId). */
static bool stale(const struct offset_entry *e, struct uuid topic_id)
{
    return !uuid_is_zero(e->topic_id) && !uuid_is_zero(topic_id) && !uuid_eq(e->topic_id, topic_id);
}

/* ---- named topics */

static void fetch_parts(struct fetch *f, const fetch_topic *t, struct str name, topic_row *row)
{
    const struct groupm_options *o = &f->m->options;
    struct group_topic *offsets = f->g && name.p ? offsets_topic(f->g, name) : NULL;
    struct uuid id = name.p ? o->topic_id(o->arg, name) : UUID_ZERO;

    row->n_partitions = t->n_partition_indexes;
    row->partitions =
        arena_array(f->arena, (size_t)t->n_partition_indexes, sizeof(*row->partitions));
    for (int32_t i = 0; i < t->n_partition_indexes; i++) {
        int32_t partition = t->partition_indexes[i];
        part_row *part = &row->partitions[i];
        const struct offset_entry *e = offsets ? offsets_find_in(offsets, partition) : NULL;

        part_init(part, partition, name.p ? KE_NONE : KE_UNKNOWN_TOPIC_ID);
        if (name.p && unstable(f, name, partition))
            part->error_code = KE_UNSTABLE_OFFSET_COMMIT;
        else if (e && !stale(e, id))
            part_fill(f, part, e);
    }
}

static void fetch_named(struct fetch *f, const fetch_group *rq, group_row *row)
{
    const struct groupm_options *o = &f->m->options;

    row->n_topics = rq->n_topics;
    row->topics = arena_array(f->arena, (size_t)rq->n_topics, sizeof(*row->topics));
    for (int32_t i = 0; i < rq->n_topics; i++) {
        const fetch_topic *t = &rq->topics[i];
        struct str name = f->by_id ? o->topic_name(o->arg, t->topic_id) : t->name;

        offset_fetch_response_groups_topics_init(&row->topics[i]);
        row->topics[i].name = t->name;
        row->topics[i].topic_id = t->topic_id;
        fetch_parts(f, t, name, &row->topics[i]);
    }
}

/* ---- all topics */

/* Both the name and, where that is what the client understands, the id: the caller filters by
 * name. False: a topic without an id. */
static bool fetch_all_topic(struct fetch *f, struct group_topic *t, topic_row *row)
{
    const struct groupm_options *o = &f->m->options;
    struct str name = t->topic->name;
    struct uuid id = o->topic_id(o->arg, name);
    int32_t n = 0;

    if (f->by_id && uuid_is_zero(id))
        return false;
    offset_fetch_response_groups_topics_init(row);
    row->name = arena_str(f->arena, name);
    row->topic_id = id;
    row->partitions = arena_array(f->arena, t->n, sizeof(*row->partitions));
    for (uint32_t i = 0; i < t->n; i++) {
        const struct offset_entry *e = &t->entries[i];
        part_row *part = &row->partitions[n];

        if (stale(e, id))
            continue;
        part_init(part, e->partition, KE_NONE);
        if (unstable(f, name, e->partition))
            part->error_code = KE_UNSTABLE_OFFSET_COMMIT;
        else
            part_fill(f, part, e);
        n++;
    }
    row->n_partitions = n;
    return n > 0;
}

static void fetch_all(struct fetch *f, group_row *row)
{
    row->n_topics = 0;
    if (!f->g)
        return;
    row->topics = arena_array(f->arena, HASH_COUNT(f->g->offsets), sizeof(*row->topics));
    for (struct group_topic *t = f->g->offsets; t; t = t->hh.next)
        row->n_topics += fetch_all_topic(f, t, &row->topics[row->n_topics]);
}

static struct group_shard *fetch_one(struct fetch *f, const fetch_group *rq, group_row *row)
{
    offset_fetch_response_groups_init(row);
    row->group_id = rq->group_id;
    f->group_id = rq->group_id;
    row->error_code = group_get(f->m, rq->group_id, &f->s, &f->g);
    if (row->error_code)
        return NULL;
    if (f->g && f->g->consumer)
        row->error_code = cg_fetch_allowed(f->g, rq->member_id, rq->member_epoch);
    if (row->error_code)
        return f->s;
    if (rq->n_topics < 0)
        fetch_all(f, row);
    else
        fetch_named(f, rq, row);
    return f->s;
}

/* ---- v0-7 */

static fetch_group from_old(const struct offset_fetch_request *rq, struct arena *arena)
{
    fetch_group g;

    offset_fetch_request_groups_init(&g);
    g.group_id = rq->group_id;
    g.n_topics = rq->n_topics;
    if (rq->n_topics <= 0)
        return g;
    g.topics = arena_array(arena, (size_t)rq->n_topics, sizeof(*g.topics));
    for (int32_t i = 0; i < rq->n_topics; i++) {
        offset_fetch_request_groups_topics_init(&g.topics[i]);
        g.topics[i].name = rq->topics[i].name;
        g.topics[i].partition_indexes = rq->topics[i].partition_indexes;
        g.topics[i].n_partition_indexes = rq->topics[i].n_partition_indexes;
    }
    return g;
}

static void topic_to_old(const topic_row *from, struct offset_fetch_response_topics *to,
                         struct arena *arena)
{
    offset_fetch_response_topics_init(to);
    to->name = from->name;
    to->n_partitions = from->n_partitions;
    to->partitions = arena_array(arena, (size_t)from->n_partitions, sizeof(*to->partitions));
    for (int32_t i = 0; i < from->n_partitions; i++) {
        const part_row *p = &from->partitions[i];

        offset_fetch_response_topics_partitions_init(&to->partitions[i]);
        to->partitions[i].partition_index = p->partition_index;
        to->partitions[i].committed_offset = p->committed_offset;
        to->partitions[i].committed_leader_epoch = p->committed_leader_epoch;
        to->partitions[i].metadata = p->metadata;
        to->partitions[i].error_code = p->error_code;
    }
}

/* v0-1 have no error of their own: every partition that was asked for tells it. */
static void error_rows(const fetch_group *rq, group_row *row, struct arena *arena)
{
    row->n_topics = MAX(rq->n_topics, 0);
    row->topics = arena_array(arena, (size_t)row->n_topics, sizeof(*row->topics));
    for (int32_t i = 0; i < row->n_topics; i++) {
        const fetch_topic *t = &rq->topics[i];
        topic_row *tr = &row->topics[i];

        offset_fetch_response_groups_topics_init(tr);
        tr->name = t->name;
        tr->n_partitions = t->n_partition_indexes;
        tr->partitions = arena_array(arena, (size_t)tr->n_partitions, sizeof(*tr->partitions));
        for (int32_t j = 0; j < tr->n_partitions; j++)
            part_init(&tr->partitions[j], t->partition_indexes[j], row->error_code);
    }
}

static void fetch_old(struct fetch *f, const struct offset_fetch_request *rq, int16_t version,
                      struct offset_fetch_response *rsp, struct group_call *call)
{
    fetch_group g = from_old(rq, f->arena);
    struct group_shard *s;
    group_row row;

    s = fetch_one(f, &g, &row);
    if (row.error_code && version < 2)
        error_rows(&g, &row, f->arena);
    rsp->error_code = row.error_code;
    rsp->n_topics = row.n_topics;
    rsp->topics = arena_array(f->arena, (size_t)row.n_topics, sizeof(*rsp->topics));
    for (int32_t i = 0; i < row.n_topics; i++)
        topic_to_old(&row.topics[i], &rsp->topics[i], f->arena);
    call_end(s, call);
}

void groupm_offset_fetch(struct groupm *m, const struct offset_fetch_request *rq, int16_t version,
                         struct offset_fetch_response *rsp, struct group_call *call)
{
    struct fetch f = {
        .m = m, .arena = call->arena, .by_id = version >= 10, .stable = rq->require_stable};
    struct group_shard **shards;

    ASSERT_CORE();
    if (version < 8) {
        fetch_old(&f, rq, version, rsp, call);
        return;
    }
    shards = arena_array(f.arena, (size_t)rq->n_groups, sizeof(struct group_shard *));
    rsp->n_groups = rq->n_groups;
    rsp->groups = arena_array(f.arena, (size_t)rq->n_groups, sizeof(*rsp->groups));
    for (int32_t i = 0; i < rq->n_groups; i++)
        shards[i] = fetch_one(&f, &rq->groups[i], &rsp->groups[i]);
    call_end_all(shards, rq->n_groups, call);
}
