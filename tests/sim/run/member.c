/* A member of a consumer group: joins, takes its partitions, reads them, commits, and now and then leaves
 * or is lost.
 *
 * Owner: struct member_actor; what all members of a group know together is struct group_model.
 *
 *     OUT --JoinGroup--> JOINED --SyncGroup--> SYNCED --OffsetFetch--> STABLE --leave, loss--> OUT
 *      ^                   |                     |                        |
 *      +-------------------+---------------------+----- any error --------+
 *
 * A static member (KIP-345) has an instance id: lost, it takes its place again under a new member id, in the same generation.
 *
 * Checked: in one generation a partition has one owner; a committed offset that is fetched is not
 * below the newest one acknowledged when it was asked for, and not above the highest that was tried.
 */
#include "world.h"

#include "record.h"

#define API_FETCH         1
#define API_OFFSET_COMMIT 8
#define API_OFFSET_FETCH  9
#define API_JOIN_GROUP    11
#define API_HEARTBEAT     12
#define API_LEAVE_GROUP   13
#define API_SYNC_GROUP    14
#define SESSION_MS        10000
#define REBALANCE_MS      20000
#define HEARTBEAT_MS      2000

enum member_state { OUT = 0, JOINED, SYNCED, STABLE };
struct member_actor {
    struct actor a;
    struct group_model *group;
    enum member_state state;
    bool waiting;
    char id[80], leader[80];
    char instance[16]; /* "": not a static member */
    bool skip_assignment;
    uint64_t life; /* of the broker, when it joined */
    int deletes_before; /* of the group, when its offsets were asked for or committed */
    int32_t generation;
    char ids[8][80]; /* of all members, where this one leads */
    int n_ids;
    bool owns[PARTITIONS_MAX];
    int64_t positions[PARTITIONS_MAX], committed[PARTITIONS_MAX];
    int64_t acked_before[PARTITIONS_MAX]; /* when the offsets were asked for */
};

static struct str instance_of(const struct member_actor *m)
{
    return m->instance[0] ? str_of(m->instance) : (struct str){NULL, 0};
}

/* Who owns a partition: a static member stays who it is. */
static const char *name_of(const struct member_actor *m)
{
    return m->instance[0] ? m->instance : m->id;
}

static void next(struct member_actor *m, int64_t mean_ms)
{
    m->waiting = false;
    actor_sleep(&m->a, mean_ms);
}

/* What an error means for the member; true: none. */
static bool is_well(struct member_actor *m, const char *what, int16_t error)
{
    world_event(m->a.w, "%s %s: %s", m->a.name, what, kafka_error_name(error));
    switch (error) {
    case KE_NONE:
        return true;
    case KE_UNKNOWN_MEMBER_ID:
    case KE_ILLEGAL_GENERATION:
        m->id[0] = 0;
        m->state = OUT;
        return false;
    case KE_FENCED_INSTANCE_ID: /* of a rebalance that a crash has taken back, nothing was stored */
        if (!m->instance[0] || m->life == m->a.w->n_starts)
            world_wrong(m->a.w, "%s %s: fenced, and nobody has its name", m->a.name, what);
        m->id[0] = 0;
        m->state = OUT;
        return false;
    case KE_REBALANCE_IN_PROGRESS:
        m->state = OUT;
        return false;
    case KE_COORDINATOR_NOT_AVAILABLE: /* a stop that hurries the waiting ones */
    case KE_NOT_COORDINATOR:
    case KE_COORDINATOR_LOAD_IN_PROGRESS:
        m->state = OUT;
        return false;
    default:
        if (!world_faulty(m->a.w))
            world_wrong(m->a.w, "%s %s: %s", m->a.name, what, kafka_error_name(error));
        m->state = OUT;
        return false;
    }
}

/* ---- what the group knows ------------------------------------------------------------------------- */

static void note_owner(struct member_actor *m, int partition)
{
    struct group_model *g = m->group;

    for (int i = 0; i < g->n_owners; i++) {
        const struct owner *o = &g->owners[i];

        if (o->generation == m->generation && o->partition == partition &&
            strcmp(o->member, name_of(m)) != 0)
            world_wrong(m->a.w, "%s generation %d: partition %d is %s's and %s's", g->name,
                        m->generation, partition, o->member, name_of(m));
    }
    if (g->n_owners == g->cap_owners) {
        g->cap_owners = g->cap_owners ? g->cap_owners * 2 : 32;
        g->owners = xrealloc_array(g->owners, (size_t)g->cap_owners, sizeof(*g->owners));
    }
    g->owners[g->n_owners++] = (struct owner){m->generation, partition, xstrdup(name_of(m))};
}

void group_model_release(struct group_model *g)
{
    for (int i = 0; i < g->n_owners; i++)
        free(g->owners[i].member);
    free(g->owners);
}

void group_model_fetched(struct world *w, struct group_model *g, int p, int64_t acked, int64_t got)
{
    if (got < acked || got > g->tried[p])
        world_wrong(w, "%s partition %d: committed offset %lld; acknowledged was %lld, tried %lld",
                    g->name, p, (long long)got, (long long)acked, (long long)g->tried[p]);
    g->acked[p] = MAX(g->acked[p], got);
}

void group_model_delete_begins(struct group_model *g)
{
    g->deletes++;
    g->delete_is_alone = g->commits_in_flight == 0;
    for (int p = 0; p < PARTITIONS_MAX; p++) {
        g->acked_before[p] = g->acked[p];
        g->acked[p] = g->tried_since[p] = -1;
    }
}

void group_model_delete_ended(struct group_model *g, int partition, bool deleted)
{
    if (deleted && g->delete_is_alone) /* nothing is left but what was committed meanwhile */
        g->tried[partition] = MAX(g->tried_since[partition], g->acked[partition]);
    else if (!deleted)
        g->acked[partition] = MAX(g->acked[partition], g->acked_before[partition]);
}

/* A group without members and offsets is removed (GroupMetadataManager.cleanupGroupMetadata): it may begin anew. */
static bool may_begin_anew(struct group_model *g)
{
    for (int p = 0; p < g->topic->n_parts; p++)
        if (g->acked[p] >= 0)
            return false;
    return g->deletes > 0;
}

static void note_generation(struct world *w, struct group_model *g, int32_t generation)
{
    if (generation >= g->generation_synced)
        return;
    if (!may_begin_anew(g))
        world_wrong(w, "%s: generation %d after %d", g->name, generation, g->generation_synced);
    group_model_release(g);
    g->owners = NULL;
    g->n_owners = g->cap_owners = 0;
    g->generation_synced = 0;
}

/* ---- joining --------------------------------------------------------------------------------------- */

static void joined(struct call *c, const void *reply)
{
    const struct join_group_response *rsp = reply;
    struct member_actor *m = c->arg;

    next(m, 200);
    if (!rsp)
        return;
    if (rsp->error_code == KE_MEMBER_ID_REQUIRED) {
        snprintf(m->id, sizeof(m->id), "%.*s", STR_ARG(rsp->member_id));
        return;
    }
    if (!is_well(m, "join", rsp->error_code))
        return;
    note_generation(m->a.w, m->group, rsp->generation_id);
    snprintf(m->id, sizeof(m->id), "%.*s", STR_ARG(rsp->member_id));
    snprintf(m->leader, sizeof(m->leader), "%.*s", STR_ARG(rsp->leader));
    m->generation = rsp->generation_id;
    m->life = m->a.w->n_starts;
    m->skip_assignment = rsp->skip_assignment;
    m->n_ids = 0;
    for (int i = 0; i < rsp->n_members && m->n_ids < (int)ARRAY_SIZE(m->ids); i++)
        snprintf(m->ids[m->n_ids++], sizeof(m->ids[0]), "%.*s", STR_ARG(rsp->members[i].member_id));
    m->state = JOINED;
}

static void join(struct member_actor *m)
{
    /* ConsumerProtocolSubscription v0: the topic, no user data */
    uint8_t metadata[64];
    size_t n = strlen(m->group->topic->name);
    struct join_group_request_protocols protocol = {.name = STR("range")};
    struct join_group_request rq;

    put_be16(metadata, 0);
    put_be32(metadata + 2, 1);
    put_be16(metadata + 6, (uint16_t)n);
    memcpy(metadata + 8, m->group->topic->name, n);
    put_be32(metadata + 8 + n, UINT32_MAX);
    protocol.metadata = bytes_of(metadata, 12 + n);
    join_group_request_init(&rq);
    rq.group_id = str_of(m->group->name);
    rq.session_timeout_ms = SESSION_MS;
    rq.rebalance_timeout_ms = REBALANCE_MS;
    rq.member_id = str_of(m->id);
    rq.group_instance_id = instance_of(m);
    rq.protocol_type = STR("consumer");
    rq.protocols = &protocol;
    rq.n_protocols = 1;
    m->waiting = true;
    link_send(m->a.link, API_JOIN_GROUP, 9, &rq, joined, m)->limit_ms += REBALANCE_MS;
}

static void synced(struct call *c, const void *reply)
{
    const struct sync_group_response *rsp = reply;
    struct member_actor *m = c->arg;

    next(m, 200);
    if (!rsp) {
        m->state = OUT;
        return;
    }
    if (!is_well(m, "sync", rsp->error_code))
        return;
    memset(m->owns, 0, sizeof(m->owns));
    for (size_t i = 0; i < rsp->assignment.n; i++) {
        ASSERT(rsp->assignment.p[i] < PARTITIONS_MAX);
        m->owns[rsp->assignment.p[i]] = true;
        note_owner(m, rsp->assignment.p[i]);
    }
    m->group->generation_synced = MAX(m->group->generation_synced, m->generation);
    m->state = SYNCED;
}

static void sync_group(struct member_actor *m)
{
    struct sync_group_request_assignments rows[8];
    uint8_t parts[8][PARTITIONS_MAX];
    struct sync_group_request rq;

    sync_group_request_init(&rq);
    rq.group_id = str_of(m->group->name);
    rq.generation_id = m->generation;
    rq.member_id = str_of(m->id);
    rq.group_instance_id = instance_of(m);
    rq.protocol_type = STR("consumer");
    rq.protocol_name = STR("range");
    for (int i = 0; strcmp(m->leader, m->id) == 0 && !m->skip_assignment && i < m->n_ids; i++) {
        size_t n = 0;

        sync_group_request_assignments_init(&rows[i]);
        for (int p = 0; p < m->group->topic->n_parts; p++)
            if (p % m->n_ids == i)
                parts[i][n++] = (uint8_t)p;
        rows[i].member_id = str_of(m->ids[i]);
        rows[i].assignment = bytes_of(parts[i], n);
        rq.n_assignments = i + 1;
    }
    rq.assignments = rows;
    m->waiting = true;
    link_send(m->a.link, API_SYNC_GROUP, 5, &rq, synced, m)->limit_ms += REBALANCE_MS;
}

static void fetched_offsets(struct call *c, const void *reply)
{
    const struct offset_fetch_response *rsp = reply;
    struct member_actor *m = c->arg;

    next(m, 200);
    if (!rsp || !is_well(m, "offset fetch", rsp->error_code))
        return;
    for (int i = 0; i < rsp->topics[0].n_partitions; i++) {
        int p = rsp->topics[0].partitions[i].partition_index;
        int64_t got = rsp->topics[0].partitions[i].committed_offset;

        if (m->deletes_before == m->group->deletes) /* else it may be from before the deletion */
            group_model_fetched(m->a.w, m->group, p, m->acked_before[p], got);
        m->committed[p] = got;
        m->positions[p] = MAX(got, 0);
    }
    m->state = STABLE;
}

static void fetch_offsets(struct member_actor *m)
{
    struct offset_fetch_request rq;
    struct offset_fetch_request_topics t;
    int32_t indexes[PARTITIONS_MAX];

    offset_fetch_request_init(&rq);
    offset_fetch_request_topics_init(&t);
    for (int i = 0; i < PARTITIONS_MAX; i++)
        indexes[i] = i;
    memcpy(m->acked_before, m->group->acked, sizeof(m->acked_before));
    m->deletes_before = m->group->deletes;
    rq.group_id = str_of(m->group->name);
    rq.topics = &t;
    rq.n_topics = 1;
    t.name = str_of(m->group->topic->name);
    t.partition_indexes = indexes;
    t.n_partition_indexes = m->group->topic->n_parts;
    m->waiting = true;
    link_send(m->a.link, API_OFFSET_FETCH, 7, &rq, fetched_offsets, m);
}

/* ---- a member's life --------------------------------------------------------------------------------- */

static void beaten(struct call *c, const void *reply)
{
    const struct heartbeat_response *rsp = reply;
    struct member_actor *m = c->arg;

    next(m, HEARTBEAT_MS);
    if (rsp)
        (void)is_well(m, "heartbeat", rsp->error_code);
}

static void heartbeat(struct member_actor *m)
{
    struct heartbeat_request rq;

    heartbeat_request_init(&rq);
    rq.group_id = str_of(m->group->name);
    rq.generation_id = m->generation;
    rq.member_id = str_of(m->id);
    rq.group_instance_id = instance_of(m);
    m->waiting = true;
    link_send(m->a.link, API_HEARTBEAT, 4, &rq, beaten, m);
}

static void take_seen(struct part *p, int64_t offset, int64_t id, void *arg)
{
    model_seen(p, offset, id);
}

static void fetched(struct call *c, const void *reply)
{
    const struct fetch_response *rsp = reply;
    const struct fetch_response_responses_partitions *row;
    struct member_actor *m = c->arg;
    struct part *p = &m->group->topic->parts[c->a];

    next(m, HEARTBEAT_MS / 2);
    if (!rsp || rsp->n_responses != 1)
        return;
    row = &rsp->responses[0].partitions[0];
    if (row->error_code == KE_NONE)
        m->positions[c->a] = read_records(p, (struct bytes){row->records.p, row->records.n_bytes},
                                          m->positions[c->a], take_seen, NULL);
    else if (!world_faulty(m->a.w))
        world_wrong(m->a.w, "%s: Fetch at %lld: %s", m->a.name, (long long)m->positions[c->a],
                    kafka_error_name(row->error_code));
}

static void fetch(struct member_actor *m, int partition)
{
    struct fetch_request rq;
    struct fetch_request_topics t;
    struct fetch_request_topics_partitions p;

    fetch_request_init(&rq);
    fetch_request_topics_init(&t);
    fetch_request_topics_partitions_init(&p);
    rq.session_epoch = -1;
    rq.max_wait_ms = 500;
    rq.min_bytes = 1;
    rq.max_bytes = 4000;
    rq.topics = &t;
    rq.n_topics = 1;
    t.topic = str_of(m->group->topic->name);
    t.partitions = &p;
    t.n_partitions = 1;
    p.partition = partition;
    p.fetch_offset = m->positions[partition];
    p.partition_max_bytes = 4000;
    m->waiting = true;
    link_send(m->a.link, API_FETCH, 12, &rq, fetched, m)->a = partition;
}

static void committed(struct call *c, const void *reply)
{
    const struct offset_commit_response *rsp = reply;
    struct member_actor *m = c->arg;
    int p = (int)c->a;

    m->group->commits_in_flight--;
    next(m, HEARTBEAT_MS / 2);
    if (!rsp || !is_well(m, "commit", rsp->topics[0].partitions[0].error_code))
        return;
    if (m->deletes_before == m->group->deletes)
        m->group->acked[p] = MAX(m->group->acked[p], c->b);
    m->committed[p] = MAX(m->committed[p], c->b);
    m->a.w->n_committed++;
}

static void commit(struct member_actor *m, int partition)
{
    struct offset_commit_request rq;
    struct offset_commit_request_topics t;
    struct offset_commit_request_topics_partitions p;
    int64_t offset = m->positions[partition];
    struct call *c;

    offset_commit_request_init(&rq);
    offset_commit_request_topics_init(&t);
    offset_commit_request_topics_partitions_init(&p);
    rq.group_id = str_of(m->group->name);
    rq.generation_id_or_member_epoch = m->generation;
    rq.member_id = str_of(m->id);
    rq.group_instance_id = instance_of(m);
    rq.topics = &t;
    rq.n_topics = 1;
    t.name = str_of(m->group->topic->name);
    t.partitions = &p;
    t.n_partitions = 1;
    p.partition_index = partition;
    p.committed_offset = offset;
    p.committed_metadata = STR("");
    m->group->tried[partition] = MAX(m->group->tried[partition], offset);
    m->group->tried_since[partition] = MAX(m->group->tried_since[partition], offset);
    m->group->commits_in_flight++;
    m->deletes_before = m->group->deletes;
    m->waiting = true;
    c = link_send(m->a.link, API_OFFSET_COMMIT, 8, &rq, committed, m);
    c->a = partition;
    c->b = offset;
}

static void left(struct call *c, const void *reply)
{
    struct member_actor *m = c->arg;

    next(m, 5000);
    m->id[0] = 0;
    m->state = OUT;
}

static void leave(struct member_actor *m)
{
    struct leave_group_request rq;
    struct leave_group_request_members row;

    leave_group_request_init(&rq);
    leave_group_request_members_init(&row);
    rq.group_id = str_of(m->group->name);
    rq.members = &row;
    rq.n_members = 1;
    row.member_id = m->instance[0] ? STR("") : str_of(m->id);
    row.group_instance_id = instance_of(m);
    world_event(m->a.w, "%s leaves", m->a.name);
    m->waiting = true;
    link_send(m->a.link, API_LEAVE_GROUP, 5, &rq, left, m);
}

/* Silently gone: the coordinator finds out when the session ends. */
static void vanish(struct member_actor *m)
{
    world_event(m->a.w, "%s vanishes", m->a.name);
    m->id[0] = 0;
    m->state = OUT;
    actor_sleep(&m->a, m->instance[0] ? SESSION_MS / 4 : SESSION_MS);
}

static void live(struct member_actor *m)
{
    struct world *w = m->a.w;
    int partition = (int)world_below(w, (uint64_t)m->group->topic->n_parts);

    if (world_chance(w, 5))
        vanish(m);
    else if (world_chance(w, 10))
        leave(m);
    else if (m->owns[partition] && m->positions[partition] > m->committed[partition] &&
             world_chance(w, 600))
        commit(m, partition);
    else if (m->owns[partition] && world_chance(w, 500))
        fetch(m, partition);
    else
        heartbeat(m);
}

static void step(struct actor *a)
{
    struct member_actor *m = CONTAINER_OF(a, struct member_actor, a);

    if (m->waiting || !actor_connect(a))
        return;
    if (m->group->topic->state != TOPIC_THERE || a->w->draining)
        actor_sleep(a, 1000);
    else if (m->state == OUT)
        join(m);
    else if (m->state == JOINED)
        sync_group(m);
    else if (m->state == SYNCED)
        fetch_offsets(m);
    else
        live(m);
}

static bool idle(const struct actor *a)
{
    return !CONTAINER_OF(a, const struct member_actor, a)->waiting;
}

static void release(struct actor *a)
{
    free(CONTAINER_OF(a, struct member_actor, a));
}

struct actor *member_new(struct world *w, int number, struct group_model *g)
{
    struct member_actor *m = xcalloc(1, sizeof(*m));

    actor_add(w, &m->a, "member", number, step);
    m->a.idle = idle;
    m->a.release = release;
    m->group = g;
    if (world_chance(w, 300))
        snprintf(m->instance, sizeof(m->instance), "i%d", number);
    return &m->a;
}
