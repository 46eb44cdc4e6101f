/* The coordinator that the tests of groups talk to: see club.h. */
#include "club.h"

#define CLUB_DIR "/data"

/* ---- the broker's side */

static struct club_topic *topic_find(struct club *c, struct str name)
{
    for (int i = 0; i < c->n_topics; i++)
        if (str_is(name, c->topics[i].name))
            return &c->topics[i];
    return NULL;
}

static int32_t n_shards(void *arg)
{
    return CLUB_SHARDS;
}

static void shard_open(struct club *c, int32_t shard)
{
    struct statelog_options o = {.apply = group_shard_apply, .origin = LOG_FROM_COORDINATOR};
    struct uuid id = {{9, 9, (uint8_t)(shard + 1)}};
    int rc = log_open(c->logm, "__consumer_offsets", shard, id, &c->topic, 0, -1, &c->logs[shard],
                      &c->msg);

    if (rc < 0)
        fail_msg("%s", c->msg.text);
    o.log = c->logs[shard];
    o.machine = groupm_shard(c->g, shard);
    rc = statelog_open(&c->env, &o, &c->shards[shard], &c->msg);
    if (rc < 0)
        fail_msg("%s", c->msg.text);
    group_shard_loaded(o.machine);
}

static int16_t shard_get(void *arg, int32_t shard, struct statelog **out)
{
    struct club *c = arg;

    *out = NULL;
    if (c->unavailable)
        return KE_COORDINATOR_NOT_AVAILABLE;
    if (!c->shards[shard])
        shard_open(c, shard);
    *out = c->shards[shard];
    return KE_NONE;
}

static struct str topic_name(void *arg, struct uuid id)
{
    struct club *c = arg;

    for (int i = 0; i < c->n_topics; i++)
        if (uuid_eq(c->topics[i].id, id))
            return str_of(c->topics[i].name);
    return (struct str){NULL, 0};
}

static struct uuid topic_id(void *arg, struct str name)
{
    struct club_topic *t = topic_find(arg, name);

    return t ? t->id : UUID_ZERO;
}

static int32_t topic_partitions(void *arg, struct str name)
{
    struct club_topic *t = topic_find(arg, name);

    return t ? t->n_partitions : 0;
}

static int32_t n_topics(void *arg)
{
    return ((struct club *)arg)->n_topics;
}

static struct str topic_at(void *arg, int32_t i)
{
    return str_of(((struct club *)arg)->topics[i].name);
}

static int64_t metadata_version(void *arg)
{
    return ((struct club *)arg)->metadata_version;
}

void club_open_shards(struct club *c)
{
    for (int32_t i = 0; i < CLUB_SHARDS; i++)
        if (!c->shards[i])
            shard_open(c, i);
    club_settle(c);
}

/* ---- life */

static void start(struct club *c)
{
    struct logm_options lo = {.config = &c->config};
    struct groupm_options go = {.config = &c->config,
                                .shard = shard_get,
                                .n_shards = n_shards,
                                .topic_name = topic_name,
                                .topic_id = topic_id,
                                .topic_partitions = topic_partitions,
                                .n_topics = n_topics,
                                .topic_at = topic_at,
                                .metadata_version = metadata_version,
                                .arg = c};

    if (logm_open(&c->env, &lo, &c->logm, &c->msg) < 0)
        fail_msg("%s", c->msg.text);
    c->g = groupm_new(&c->env, &go);
    for (int32_t i = 0; i < CLUB_SHARDS; i++)
        if (log_exists(c->logm, "__consumer_offsets", i))
            shard_open(c, i);
}

static void stop(struct club *c, bool clean)
{
    if (clean) {
        groupm_stop(c->g);
        logm_flush_all(c->logm);
        for (int i = 0; i < 100 && !logm_quiet(c->logm); i++)
            club_settle(c);
        assert_true(logm_quiet(c->logm));
    }
    while (lanes_sim_step(c->env.lanes))
        ;
    for (int i = 0; i < CLUB_SHARDS; i++) {
        statelog_close(c->shards[i]);
        c->shards[i] = NULL;
        c->logs[i] = NULL;
    }
    groupm_free(c->g);
    c->g = NULL;
    logm_close(c->logm, clean);
    c->logm = NULL;
}

static void quiet_sink(enum diag_level level, const char *line, void *arg)
{
}

void club_open(struct club *c, const char *const *overrides)
{
    struct config_pair own[] = {{STR("cleanup.policy"), STR("compact")}};

    memset(c, 0, sizeof(*c));
    thread_mark(THREAD_CORE);
    diag_set_sink(quiet_sink, NULL);
    list_init(&c->answers);
    c->clock = clock_sim_new((struct wall){CLUB_START_MS});
    c->env.clock = c->clock;
    c->env.vfs = vfs_mem_new(c->clock);
    c->env.lanes = lanes_sim_new();
    rng_init(&c->env.rng, 11);
    timers_init(&c->env.timers);
    config_init(&c->config);
    assert_int_equal(config_override(&c->config, "log.dirs=" CLUB_DIR, &c->msg), 0);
    for (int i = 0; overrides && overrides[i]; i++)
        assert_int_equal(config_override(&c->config, overrides[i], &c->msg), 0);
    assert_int_equal(config_finish(&c->config, true, &c->msg), 0);
    assert_int_equal(topic_config_init(&c->topic, &c->config, own, 1, &c->msg), 0);
    club_topic(c, "t", 4);
    start(c);
}

void club_restart(struct club *c, bool clean)
{
    stop(c, clean);
    start(c);
}

void club_close(struct club *c)
{
    stop(c, true);
    LIST_FOREACH_SAFE(it, &c->answers)
    {
        struct answer *a = CONTAINER_OF(it, struct answer, link);

        arena_release(&a->arena);
        free(a);
    }
    topic_config_release(&c->topic);
    config_release(&c->config);
    assert_int_equal(c->env.timers.n, 0); /* nothing of a group may outlive it */
    timers_release(&c->env.timers);
    lanes_sim_free(c->env.lanes);
    assert_int_equal(vfs_mem_open_files(c->env.vfs), 0);
    vfs_mem_free(c->env.vfs);
    clock_sim_free(c->clock);
    diag_set_sink(NULL, NULL);
}

void club_settle(struct club *c)
{
    do
        logm_turn(c->logm);
    while (lanes_sim_step(c->env.lanes));
}

void club_pass_ms(struct club *c, int64_t ms)
{
    struct mono end = mono_after_ms(clock_mono(c->clock), ms);

    club_settle(c);
    for (;;) {
        struct mono next;
        int64_t now = clock_mono(c->clock).ns;

        if (!timers_next(&c->env.timers, &next) || next.ns > end.ns)
            next = end;
        if (next.ns > now)
            clock_sim_advance(c->clock, next.ns - now);
        timers_fire(&c->env.timers, clock_mono(c->clock));
        club_settle(c);
        if (next.ns >= end.ns)
            break;
    }
}

void club_topic(struct club *c, const char *name, int32_t n_partitions)
{
    struct club_topic *t = topic_find(c, str_of(name));

    if (!t)
        t = &c->topics[c->n_topics++];
    assert_true(c->n_topics <= CLUB_TOPICS_MAX);
    *t = (struct club_topic){name, rng_uuid(&c->env.rng), n_partitions};
}

struct uuid club_topic_id(struct club *c, const char *name)
{
    return topic_id(c, str_of(name));
}

int64_t club_records(struct club *c)
{
    int64_t n = 0;

    for (int i = 0; i < CLUB_SHARDS; i++)
        n += c->shards[i] ? statelog_end(c->shards[i]) : 0;
    return n;
}

/* ---- answers */

static void answered(struct group_call *call)
{
    struct answer *a = CONTAINER_OF(call, struct answer, call);

    assert_false(a->done);
    a->done = true;
}

struct answer *answer_new(struct club *c, int16_t version)
{
    struct answer *a = xcalloc(1, sizeof(*a));

    list_push(&c->answers, &a->link);
    arena_init(&a->arena);
    a->call.done = answered;
    a->call.arena = &a->arena;
    a->version = version;
    join_group_response_init(&a->join);
    sync_group_response_init(&a->sync);
    heartbeat_response_init(&a->heartbeat);
    leave_group_response_init(&a->leave);
    offset_commit_response_init(&a->commit);
    offset_fetch_response_init(&a->fetch);
    list_groups_response_init(&a->list);
    describe_groups_response_init(&a->describe);
    delete_groups_response_init(&a->del);
    offset_delete_response_init(&a->offset_delete);
    return a;
}

static struct str or_else(const char *given, const char *otherwise)
{
    return str_of(given ? given : otherwise);
}

/* Splits "a,b". */
static int32_t words(struct arena *arena, struct str list, struct str **out)
{
    int32_t n = 0;

    *out = arena_array(arena, list.n + 1, sizeof(**out));
    while (list.n > 0) {
        const char *comma = memchr(list.p, ',', list.n);
        size_t len = comma ? (size_t)(comma - list.p) : list.n;

        (*out)[n++] = (struct str){list.p, len};
        len = MIN(len + 1, list.n);
        list = (struct str){list.p + len, list.n - len};
    }
    return n;
}

static struct bytes subscription(struct arena *arena, struct str topics)
{
    struct consumer_protocol_subscription sub;
    struct wire_writer w;
    struct bytes out;
    struct buf b;

    consumer_protocol_subscription_init(&sub);
    sub.n_topics = words(arena, topics, &sub.topics);
    buf_init(&b);
    wire_writer_init(&w, &b);
    wire_put_int16(&w, 1);
    consumer_protocol_subscription_encode(&sub, &w, 1);
    out = arena_bytes(arena, bytes_of(b.p, b.n));
    wire_writer_release(&w);
    buf_release(&b);
    return out;
}

struct answer *ask_join(struct club *c, struct joiner j)
{
    struct answer *a = answer_new(c, j.version == 0 ? 9 : MAX(j.version, 0));
    struct group_client who = {or_else(j.client, "client"), STR("/127.0.0.1")};
    struct join_group_request rq;
    struct str *names;

    join_group_request_init(&rq);
    rq.group_id = or_else(j.group, "g");
    rq.member_id = arena_str(&a->arena, or_else(j.member, ""));
    rq.group_instance_id = str_of(j.instance);
    rq.protocol_type = or_else(j.type, "consumer");
    rq.session_timeout_ms = j.session_ms ? j.session_ms : 10000;
    rq.rebalance_timeout_ms = j.rebalance_ms ? j.rebalance_ms : 60000;
    rq.n_protocols = words(&a->arena, or_else(j.protocols, "range"), &names);
    rq.protocols = arena_array(&a->arena, (size_t)rq.n_protocols + 1, sizeof(*rq.protocols));
    for (int32_t i = 0; i < rq.n_protocols; i++) {
        rq.protocols[i].name = names[i];
        rq.protocols[i].metadata = subscription(&a->arena, or_else(j.topics, "t"));
    }
    groupm_join(c->g, &who, &rq, a->version, &a->join, &a->call);
    return a;
}

struct answer *ask_join_new(struct club *c, struct joiner j)
{
    struct answer *a = ask_join(c, j);

    club_settle(c);
    assert_true(a->done);
    assert_int_equal(a->join.error_code, KE_MEMBER_ID_REQUIRED);
    j.member = arena_str(&a->arena, a->join.member_id).p;
    return ask_join(c, j);
}

struct answer *ask_sync(struct club *c, const char *group, const char *member, int32_t generation)
{
    struct answer *a = answer_new(c, 5);
    struct sync_group_request rq;

    sync_group_request_init(&rq);
    rq.group_id = str_of(group);
    rq.member_id = str_of(member);
    rq.generation_id = generation;
    rq.protocol_type = STR("consumer");
    rq.protocol_name = STR("range");
    groupm_sync(c->g, &rq, a->version, &a->sync, &a->call);
    return a;
}

struct answer *ask_sync_leader(struct club *c, const char *group, const struct answer *joined)
{
    struct answer *a = answer_new(c, 5);
    struct sync_group_request rq;

    sync_group_request_init(&rq);
    rq.group_id = str_of(group);
    rq.member_id = joined->join.member_id;
    rq.generation_id = joined->join.generation_id;
    rq.n_assignments = joined->join.n_members;
    rq.assignments = arena_array(&a->arena, (size_t)rq.n_assignments, sizeof(*rq.assignments));
    for (int32_t i = 0; i < rq.n_assignments; i++) {
        struct str id = joined->join.members[i].member_id;
        struct str to = arena_printf(&a->arena, "to %.*s", STR_ARG(id));

        sync_group_request_assignments_init(&rq.assignments[i]);
        rq.assignments[i].member_id = id;
        rq.assignments[i].assignment = bytes_of(to.p, to.n);
    }
    groupm_sync(c->g, &rq, a->version, &a->sync, &a->call);
    return a;
}

struct answer *ask_heartbeat_static(struct club *c, const char *group, const char *member,
                                    const char *instance, int32_t generation)
{
    struct answer *a = answer_new(c, 4);
    struct heartbeat_request rq;

    heartbeat_request_init(&rq);
    rq.group_id = str_of(group);
    rq.member_id = str_of(member);
    rq.group_instance_id = str_of(instance);
    rq.generation_id = generation;
    groupm_heartbeat(c->g, &rq, a->version, &a->heartbeat, &a->call);
    return a;
}

struct answer *ask_heartbeat(struct club *c, const char *group, const char *member,
                             int32_t generation)
{
    return ask_heartbeat_static(c, group, member, NULL, generation);
}

struct answer *ask_leave(struct club *c, const char *group, const char *member,
                         const char *instance)
{
    struct answer *a = answer_new(c, 5);
    struct leave_group_request rq;

    leave_group_request_init(&rq);
    rq.group_id = str_of(group);
    rq.n_members = 1;
    rq.members = arena_array(&a->arena, 1, sizeof(*rq.members));
    leave_group_request_members_init(rq.members);
    rq.members[0].member_id = str_of(member);
    rq.members[0].group_instance_id = str_of(instance);
    groupm_leave(c->g, &rq, a->version, &a->leave, &a->call);
    return a;
}

/* ---- offsets */

struct answer *ask_commit(struct club *c, struct committer o)
{
    struct answer *a = answer_new(c, o.version ? o.version : 9);
    struct group_client who = {STR("client"), STR("/127.0.0.1")};
    struct offset_commit_request rq;
    struct offset_commit_request_topics *t = arena_alloc(&a->arena, sizeof(*t));

    offset_commit_request_init(&rq);
    offset_commit_request_topics_init(t);
    rq.group_id = or_else(o.group, "g");
    rq.generation_id_or_member_epoch = o.generation;
    rq.member_id = or_else(o.member, "");
    rq.group_instance_id = str_of(o.instance);
    rq.retention_time_ms = o.retention_ms ? o.retention_ms : -1;
    rq.topics = t;
    rq.n_topics = 1;
    if (a->version >= 10)
        t->topic_id = club_topic_id(c, o.topic ? o.topic : "t");
    else
        t->name = or_else(o.topic, "t");
    t->n_partitions = 1;
    t->partitions = arena_alloc(&a->arena, sizeof(*t->partitions));
    offset_commit_request_topics_partitions_init(t->partitions);
    t->partitions[0].partition_index = o.partition;
    t->partitions[0].committed_offset = o.offset;
    t->partitions[0].committed_leader_epoch = o.leader_epoch ? o.leader_epoch : -1;
    t->partitions[0].committed_metadata = str_of(o.metadata);
    groupm_offset_commit(c->g, &who, &rq, a->version, &a->commit, &a->call);
    return a;
}

int16_t commit_error(const struct answer *a)
{
    assert_true(a->done);
    assert_int_equal(a->commit.n_topics, 1);
    assert_int_equal(a->commit.topics[0].n_partitions, 1);
    return a->commit.topics[0].partitions[0].error_code;
}

struct answer *ask_fetch(struct club *c, const char *group, const char *topic, int32_t partition)
{
    struct answer *a = answer_new(c, 7);
    struct offset_fetch_request rq;
    struct offset_fetch_request_topics *t = arena_alloc(&a->arena, sizeof(*t));

    offset_fetch_request_init(&rq);
    offset_fetch_request_topics_init(t);
    rq.group_id = str_of(group);
    rq.topics = t;
    rq.n_topics = topic ? 1 : -1;
    rq.require_stable = true;
    t->name = str_of(topic);
    t->n_partition_indexes = 1;
    t->partition_indexes = arena_alloc(&a->arena, sizeof(int32_t));
    t->partition_indexes[0] = partition;
    groupm_offset_fetch(c->g, &rq, a->version, &a->fetch, &a->call);
    return a;
}

int64_t fetched(struct club *c, const char *group, const char *topic, int32_t partition)
{
    struct answer *a = ask_fetch(c, group, topic, partition);

    club_settle(c);
    assert_true(a->done);
    assert_int_equal(a->fetch.error_code, KE_NONE);
    assert_int_equal(a->fetch.n_topics, 1);
    assert_int_equal(a->fetch.topics[0].n_partitions, 1);
    assert_int_equal(a->fetch.topics[0].partitions[0].error_code, KE_NONE);
    return a->fetch.topics[0].partitions[0].committed_offset;
}

/* ---- looking */

struct answer *ask_describe(struct club *c, const char *group, int16_t version)
{
    struct answer *a = answer_new(c, version);
    struct describe_groups_request rq;

    describe_groups_request_init(&rq);
    rq.n_groups = 1;
    rq.groups = arena_alloc(&a->arena, sizeof(*rq.groups));
    rq.groups[0] = str_of(group);
    groupm_describe(c->g, &rq, version, &a->describe, &a->call);
    club_settle(c);
    assert_true(a->done);
    assert_int_equal(a->describe.n_groups, 1);
    return a;
}

const char *state_of(struct club *c, const char *group)
{
    struct answer *a = ask_describe(c, group, 5);

    return arena_str(&a->arena, a->describe.groups[0].group_state).p;
}

struct answer *ask_list(struct club *c, const char *state, const char *type)
{
    struct answer *a = answer_new(c, 5);
    struct list_groups_request rq;

    list_groups_request_init(&rq);
    rq.n_states_filter = words(&a->arena, or_else(state, ""), &rq.states_filter);
    rq.n_types_filter = words(&a->arena, or_else(type, ""), &rq.types_filter);
    groupm_list(c->g, &rq, a->version, &a->list, &a->call);
    club_settle(c);
    assert_true(a->done);
    return a;
}

/* ---- a group at work */

const char *crew_id(const struct crew *crew, int i)
{
    return arena_str(&crew->members[i]->arena, crew->members[i]->join.member_id).p;
}

void club_stable(struct club *c, const char *group, int n, struct crew *crew)
{
    struct answer *lead;

    assert_true(n <= (int)ARRAY_SIZE(crew->members));
    crew->n = n;
    for (int i = 0; i < n; i++)
        crew->members[i] = ask_join_new(c, (struct joiner){.group = group});
    club_pass_ms(c, c->config.group_initial_rebalance_delay_ms * 2);
    for (int i = 0; i < n; i++) {
        assert_true(crew->members[i]->done);
        assert_int_equal(crew->members[i]->join.error_code, KE_NONE);
    }
    crew->generation = crew->members[0]->join.generation_id;
    lead = ask_sync_leader(c, group, crew->members[0]);
    club_settle(c);
    assert_true(lead->done);
    assert_int_equal(lead->sync.error_code, KE_NONE);
    for (int i = 1; i < n; i++) {
        struct answer *a = ask_sync(c, group, crew_id(crew, i), crew->generation);

        club_settle(c);
        assert_true(a->done);
        assert_int_equal(a->sync.error_code, KE_NONE);
    }
    assert_string_equal(state_of(c, group), "Stable");
}
