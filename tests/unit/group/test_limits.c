/* What a group may grow to, and what clients' own bytes can do to it: nothing. */
#include "club.h"

#include "internal.h"

#define SESSION_MS 1800000

static struct club c;

static int setup(void **state)
{
    club_open(&c, NULL);
    return 0;
}

static int teardown(void **state)
{
    club_close(&c);
    return 0;
}

/* A JoinGroup 3 with any bytes for metadata: a new member, or the one of that id. */
static struct answer *join_with(const char *group, const char *member, struct bytes metadata)
{
    struct answer *a = answer_new(&c, 3);
    struct group_client who = {STR("client"), STR("/127.0.0.1")};
    struct join_group_request_protocols protocol;
    struct join_group_request rq;

    join_group_request_protocols_init(&protocol);
    protocol.name = STR("range");
    protocol.metadata = metadata;
    join_group_request_init(&rq);
    rq.group_id = str_of(group);
    rq.member_id = str_of(member);
    rq.protocol_type = STR("consumer");
    rq.session_timeout_ms = SESSION_MS;
    rq.rebalance_timeout_ms = SESSION_MS;
    rq.protocols = &protocol;
    rq.n_protocols = 1;
    groupm_join(c.g, &who, &rq, a->version, &a->join, &a->call);
    return a;
}

/* A leader's SyncGroup: every member gets these bytes. */
static struct answer *sync_with(const char *group, const struct answer *leader,
                                struct bytes assignment)
{
    struct answer *a = answer_new(&c, 3);
    struct sync_group_request rq;

    sync_group_request_init(&rq);
    rq.group_id = str_of(group);
    rq.member_id = leader->join.member_id;
    rq.generation_id = leader->join.generation_id;
    rq.n_assignments = leader->join.n_members;
    rq.assignments = arena_array(&a->arena, (size_t)rq.n_assignments, sizeof(*rq.assignments));
    for (int32_t i = 0; i < rq.n_assignments; i++) {
        sync_group_request_assignments_init(&rq.assignments[i]);
        rq.assignments[i].member_id = leader->join.members[i].member_id;
        rq.assignments[i].assignment = assignment;
    }
    groupm_sync(c.g, &rq, a->version, &a->sync, &a->call);
    return a;
}

static const char *id_of(struct answer *a)
{
    return arena_str(&a->arena, a->join.member_id).p;
}

static struct bytes filled(struct arena *arena, size_t n)
{
    uint8_t *p = arena_alloc(arena, n);

    memset(p, 7, n);
    return bytes_of(p, n);
}

/* ---- how much a group may hold */

/* A thousand members come at once: one generation of all of them, one record, everybody is
 * answered; it is there after a restart. */
static void thousand_members(void **state)
{
    enum { N = 1000 };
    struct answer **joins = xcalloc(N, sizeof(struct answer *)), *leader = NULL, *sync;
    struct bytes subscription;
    struct arena arena;

    arena_init(&arena);
    subscription = filled(&arena, 100);
    for (int i = 0; i < N; i++)
        joins[i] = join_with("g", "", subscription);
    club_pass_ms(&c, 3000);
    club_pass_ms(&c, 3000);
    for (int i = 0; i < N; i++) {
        assert_true(joins[i]->done);
        assert_int_equal(joins[i]->join.error_code, KE_NONE);
        assert_int_equal(joins[i]->join.generation_id, 1);
        if (joins[i]->join.n_members > 0)
            leader = joins[i];
    }
    assert_non_null(leader);
    assert_int_equal(leader->join.n_members, N);
    sync = sync_with("g", leader, filled(&arena, 200));
    club_settle(&c);
    assert_true(sync->done);
    assert_int_equal(sync->sync.error_code, KE_NONE);
    club_restart(&c, true);
    assert_string_equal(state_of(&c, "g"), "Stable");
    assert_int_equal(ask_describe(&c, "g", 5)->describe.groups[0].n_members, N);
    club_settle(&c);
    arena_release(&arena);
    free(joins);
}

/* A subscription to ten thousand topics, an assignment of ten thousand partitions. */
static void ten_thousand_topics_and_partitions(void **state)
{
    enum { N = 10000 };
    struct wire_writer w;
    struct answer *join, *sync;
    struct arena arena;
    struct buf b;

    buf_init(&b);
    arena_init(&arena);
    wire_writer_init(&w, &b);
    wire_put_int16(&w, 0);
    wire_put_int32(&w, N);
    for (int i = 0; i < N; i++) {
        char name[16];

        snprintf(name, sizeof(name), "topic-%05d", N - i);
        wire_put_int16(&w, (int16_t)strlen(name));
        buf_put_str(&b, name);
    }
    wire_put_int32(&w, -1);
    join = join_with("g", "", bytes_of(b.p, b.n));
    club_pass_ms(&c, 3000);
    assert_int_equal(join->join.error_code, KE_NONE);
    sync = sync_with("g", join, filled(&arena, N * 4));
    club_settle(&c);
    assert_int_equal(sync->sync.error_code, KE_NONE);
    assert_int_equal(sync->sync.assignment.n, N * 4);
    for (int restarted = 0; restarted < 2; restarted++) {
        struct group_shard *s = groupm_shard(c.g, group_shard_of(STR("g"), CLUB_SHARDS));
        struct group *g = group_find(s, STR("g"));

        assert_int_equal(g->n_topics, N);
        assert_true(group_subscribed(g, STR("topic-00001")));
        assert_true(group_subscribed(g, STR("topic-10000")));
        assert_false(group_subscribed(g, STR("topic-10001")));
        club_restart(&c, false);
        club_open_shards(&c);
    }
    wire_writer_release(&w);
    buf_release(&b);
    arena_release(&arena);
}

/* What cannot be stored in one record is the leader's UNKNOWN_SERVER_ERROR, and another
 * rebalance, as in Kafka. */
static void subscription_larger_than_a_record(void **state)
{
    struct answer *join, *sync;
    struct arena arena;

    arena_init(&arena);
    join = join_with("g", "", filled(&arena, 2 << 20));
    club_pass_ms(&c, 3000);
    assert_int_equal(join->join.error_code, KE_NONE);
    sync = sync_with("g", join, filled(&arena, 10));
    club_settle(&c);
    assert_true(sync->done);
    assert_int_equal(sync->sync.error_code, KE_UNKNOWN_SERVER_ERROR);
    assert_string_equal(state_of(&c, "g"), "PreparingRebalance");
    arena_release(&arena);
}

/* The metadata of all members together has a limit: who would go beyond it is refused; who is in
 * may say the same again, or less, but not more. */
static void metadata_of_a_group_is_bounded(void **state)
{
    enum { N = 4, EACH = GROUP_METADATA_BYTES_MAX / N - 100 };
    struct answer *joins[N], *more;
    struct bytes metadata;
    struct arena arena;
    struct group *g;

    arena_init(&arena);
    metadata = filled(&arena, EACH);
    for (int i = 0; i < N; i++)
        joins[i] = join_with("g", "", metadata);
    more = join_with("g", "", metadata);
    club_settle(&c);
    assert_true(more->done);
    assert_int_equal(more->join.error_code, KE_UNKNOWN_SERVER_ERROR);
    club_pass_ms(&c, 3000);
    club_pass_ms(&c, 3000);
    for (int i = 0; i < N; i++)
        assert_int_equal(joins[i]->join.error_code, KE_NONE);
    more = join_with("g", id_of(joins[0]), filled(&arena, EACH + 1000));
    club_settle(&c);
    assert_int_equal(more->join.error_code, KE_UNKNOWN_SERVER_ERROR);
    more = join_with("g", id_of(joins[0]), bytes_of(metadata.p, EACH));
    club_settle(&c);
    assert_true(more->done);
    assert_int_equal(more->join.error_code, KE_NONE);
    join_with("g", id_of(joins[0]), bytes_of(metadata.p, 10));
    join_with("g", "", bytes_of(metadata.p, EACH - 1000)); /* now there is room */
    g = group_find(groupm_shard(c.g, group_shard_of(STR("g"), CLUB_SHARDS)), STR("g"));
    assert_int_equal(g->n_members, N + 1);
    assert_true(g->metadata_bytes <= GROUP_METADATA_BYTES_MAX);
    arena_release(&arena);
}

/* A thousand commits of one partition leave one entry: the old value and its text are gone. */
static void one_value_per_partition(void **state)
{
    struct group_topic *t;
    struct group *g;

    for (int i = 0; i < 1000; i++)
        ask_commit(&c, (struct committer){.generation = -1, .offset = i, .metadata = "a note"});
    club_settle(&c);
    g = group_find(groupm_shard(c.g, group_shard_of(STR("g"), CLUB_SHARDS)), STR("g"));
    t = offsets_topic(g, STR("t"));
    assert_int_equal(t->n, 1);
    assert_int_equal(t->cap, 1);
    assert_int_equal(t->entries[0].offset, 999);
    assert_int_equal(fetched(&c, "g", "t", 0), 999);
}

/* ---- bytes of clients */

/* A subscription, whole: version 3, two topics, user data, owned partitions, generation, rack. */
static void whole_subscription(struct buf *b)
{
    static const char bytes[] = "\0\3"
                                "\0\0\0\2"
                                "\0\1t"
                                "\0\1u"
                                "\0\0\0\2ab"
                                "\0\0\0\1\0\1t\0\0\0\1\0\0\0\0"
                                "\0\0\0\1"
                                "\0\1r";

    buf_init(b);
    buf_put(b, bytes, sizeof(bytes) - 1);
}

/* Joins with these bytes, assigns them too, and does everything that reads them. */
static void live_with(struct bytes bytes)
{
    struct answer *join = join_with("g", "", bytes), *sync, *described, *deleted;
    struct offset_delete_request rq;
    struct offset_delete_request_topics topic;
    struct offset_delete_request_topics_partitions part;

    club_pass_ms(&c, 3000);
    assert_int_equal(join->join.error_code, KE_NONE);
    sync = sync_with("g", join, bytes);
    club_settle(&c);
    assert_int_equal(sync->sync.error_code, KE_NONE);
    assert_memory_equal(sync->sync.assignment.p, bytes.p, bytes.n);
    described = ask_describe(&c, "g", 5);
    deleted = answer_new(&c, 0);
    offset_delete_request_init(&rq);
    offset_delete_request_topics_init(&topic);
    offset_delete_request_topics_partitions_init(&part);
    rq.group_id = STR("g");
    rq.topics = &topic;
    rq.n_topics = 1;
    topic.name = STR("t");
    topic.partitions = &part;
    topic.n_partitions = 1;
    groupm_offset_delete(c.g, &rq, 0, &deleted->offset_delete, &deleted->call);
    club_settle(&c);
    assert_int_equal(deleted->offset_delete.error_code, KE_NONE);
    assert_memory_equal(described->describe.groups[0].members[0].member_metadata.p, bytes.p,
                        bytes.n);
    ask_leave(&c, "g", id_of(join), NULL);
    club_settle(&c);
    assert_string_equal(state_of(&c, "g"), "Empty");
}

/* Every prefix of a subscription, and each of its bytes turned into the worst ones, as metadata
 * and as an assignment; then the same again from the log. */
static void malformed_subscriptions_harm_nobody(void **state)
{
    static const uint8_t worst[] = {0x00, 0x7f, 0x80, 0xff};
    struct buf whole;

    whole_subscription(&whole);
    assert_int_equal(ask_commit(&c, (struct committer){.generation = -1, .offset = 1})->call.rc, 0);
    for (size_t n = 0; n <= whole.n; n++)
        live_with(bytes_of(whole.p, n));
    for (size_t i = 0; i < whole.n; i++) {
        uint8_t was = whole.p[i];

        whole.p[i] = worst[i % ARRAY_SIZE(worst)];
        live_with(bytes_of(whole.p, whole.n));
        whole.p[i] = was;
    }
    club_restart(&c, false);
    assert_string_equal(state_of(&c, "g"), "Empty");
    buf_release(&whole);
}

/* ---- reasons (KIP-800) */

static char lines[65536];

static void keep_line(enum diag_level level, const char *text, void *arg)
{
    size_t n = strlen(lines);

    snprintf(lines + n, sizeof(lines) - n, "%s\n", text);
}

static void join_because(const char *reason)
{
    struct answer *a = answer_new(&c, 9);
    struct group_client who = {STR("client"), STR("/127.0.0.1")};
    struct join_group_request_protocols protocol;
    struct join_group_request rq;

    join_group_request_protocols_init(&protocol);
    protocol.name = STR("range");
    join_group_request_init(&rq);
    rq.group_id = STR("g");
    rq.group_instance_id = STR("one");
    rq.protocol_type = STR("consumer");
    rq.session_timeout_ms = 10000;
    rq.rebalance_timeout_ms = 10000;
    rq.protocols = &protocol;
    rq.n_protocols = 1;
    rq.reason = str_of(reason);
    groupm_join(c.g, &who, &rq, a->version, &a->join, &a->call);
    club_pass_ms(&c, 3000);
    assert_int_equal(a->join.error_code, KE_NONE);
}

static void leave_because(const char *reason)
{
    struct answer *a = answer_new(&c, 5);
    struct leave_group_request_members member;
    struct leave_group_request rq;

    leave_group_request_members_init(&member);
    member.group_instance_id = STR("one");
    member.reason = str_of(reason);
    leave_group_request_init(&rq);
    rq.group_id = STR("g");
    rq.members = &member;
    rq.n_members = 1;
    groupm_leave(c.g, &rq, 5, &a->leave, &a->call);
    club_settle(&c);
    assert_int_equal(a->leave.members[0].error_code, KE_NONE);
}

/* Why a member joins and leaves is in the log, with what does not print escaped; who says nothing
 * is "not provided". */
static void reasons_are_logged(void **state)
{
    lines[0] = '\0';
    diag_set_sink(keep_line, NULL);
    join_because("the process\nbegan anew");
    leave_because("moved away");
    join_because(NULL);
    leave_because(NULL);
    diag_set_sink(NULL, NULL);
    assert_non_null(
        strstr(lines, "a new member joins; client reason: the process\\x0abegan anew\n"));
    assert_non_null(strstr(lines, "client reason: moved away\n"));
    assert_non_null(strstr(lines, "a new member joins; client reason: not provided\n"));
    assert_non_null(strstr(lines, "leaves; client reason: not provided\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(thousand_members, setup, teardown),
        cmocka_unit_test_setup_teardown(ten_thousand_topics_and_partitions, setup, teardown),
        cmocka_unit_test_setup_teardown(subscription_larger_than_a_record, setup, teardown),
        cmocka_unit_test_setup_teardown(metadata_of_a_group_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(one_value_per_partition, setup, teardown),
        cmocka_unit_test_setup_teardown(malformed_subscriptions_harm_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(reasons_are_logged, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
