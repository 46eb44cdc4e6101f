/* Consumer groups (KIP-848) where scenarios are too small: many members and partitions, restarts, bytes that are no
 * subscription: src/group/consumer_*.c. */
#include "club.h"

static struct club c;

static int setup(void **state)
{
    static const char *const settings[] = {"group.consumer.assignment.interval.ms=0", NULL};

    club_open(&c, settings);
    return 0;
}

static int teardown(void **state)
{
    club_close(&c);
    return 0;
}

struct beat {
    struct group_call call;
    struct arena arena;
    struct consumer_group_heartbeat_response rsp;
    bool done;
};

static void beat_done(struct group_call *call)
{
    CONTAINER_OF(call, struct beat, call)->done = true;
}

static void beat_send(struct beat *b, const struct consumer_group_heartbeat_request *rq)
{
    struct group_client who = {.client_id = STR("client"), .client_host = STR("/127.0.0.1")};
    struct group_sight all = {NULL, NULL};

    memset(b, 0, sizeof(*b));
    arena_init(&b->arena);
    b->call.done = beat_done;
    b->call.arena = &b->arena;
    consumer_group_heartbeat_response_init(&b->rsp);
    groupm_consumer_heartbeat(c.g, &who, &all, rq, 1, &b->rsp, &b->call);
    club_settle(&c);
    assert_true(b->done);
}

/* What a member says, and what it was given last. */
struct consumer {
    char id[16];
    int32_t epoch;
    struct consumer_group_heartbeat_request_topic_partitions owned;
    int32_t partitions[64];
};

static void take_assignment(struct consumer *m, const struct consumer_group_heartbeat_response *rsp)
{
    m->epoch = rsp->member_epoch;
    if (!rsp->assignment)
        return;
    m->owned.n_partitions = 0;
    m->owned.partitions = m->partitions;
    if (rsp->assignment->n_topic_partitions == 0)
        return;
    assert_int_equal(rsp->assignment->n_topic_partitions, 1);
    m->owned.topic_id = rsp->assignment->topic_partitions[0].topic_id;
    m->owned.n_partitions = rsp->assignment->topic_partitions[0].n_partitions;
    assert_true(m->owned.n_partitions <= 64);
    memcpy(m->partitions, rsp->assignment->topic_partitions[0].partitions,
           (size_t)m->owned.n_partitions * sizeof(int32_t));
}

/* Joins at epoch 0, and says what it owns later on. */
static void tell(struct consumer *m)
{
    struct consumer_group_heartbeat_request rq;
    struct str topic = STR("t");
    struct beat b;

    consumer_group_heartbeat_request_init(&rq);
    rq.group_id = STR("g");
    rq.member_id = str_of(m->id);
    rq.member_epoch = m->epoch;
    rq.n_topic_partitions = m->owned.n_partitions > 0 ? 1 : 0;
    rq.topic_partitions = &m->owned;
    rq.rebalance_timeout_ms = 60000;
    rq.subscribed_topic_names = &topic;
    rq.n_subscribed_topic_names = 1;
    beat_send(&b, &rq);
    assert_int_equal(b.rsp.error_code, KE_NONE);
    take_assignment(m, &b.rsp);
    arena_release(&b.arena);
}

/* Who has which partition, by what the members were told. Nobody has one that another has. */
static int32_t n_owned(const struct consumer *members, int32_t n, bool *owned, int32_t n_partitions)
{
    int32_t total = 0;

    memset(owned, 0, (size_t)n_partitions);
    for (int32_t i = 0; i < n; i++)
        for (int32_t j = 0; j < members[i].owned.n_partitions; j++) {
            assert_false(owned[members[i].partitions[j]]);
            owned[members[i].partitions[j]] = true;
            total++;
        }
    return total;
}

/* Members come one after the other, and all of them beat in turn: no partition ever has two owners, in the end each has its
 * share, and a restart in the middle changes nothing. */
static void no_partition_has_two_owners(void **state)
{
    struct consumer members[20] = {0};
    bool owned[60];

    club_topic(&c, "t", 60);
    for (int32_t n = 1; n <= 20; n++) {
        snprintf(members[n - 1].id, sizeof(members[0].id), "m%d", n);
        for (int32_t i = n - 1; i >= 0; i--) {
            tell(&members[i]);
            n_owned(members, n, owned, 60);
        }
        if (n == 10)
            club_restart(&c, true);
    }
    for (int32_t round = 0; round < 3; round++)
        for (int32_t i = 0; i < 20; i++)
            tell(&members[i]);
    assert_int_equal(n_owned(members, 20, owned, 60), 60);
    for (int32_t i = 0; i < 20; i++)
        assert_int_equal(members[i].owned.n_partitions, 3);
}

/* A group is after a restart what it was before. */
static void restart_changes_nothing(void **state)
{
    struct consumer a = {.id = "a"}, b = {.id = "b"};
    uint64_t digest;

    tell(&a);
    tell(&b);
    tell(&a);
    digest = groupm_digest(c.g);
    club_restart(&c, true);
    assert_true(groupm_digest(c.g) == digest);
    tell(&b);
    tell(&a);
    tell(&b);
    assert_int_equal(a.owned.n_partitions + b.owned.n_partitions, 4);
}

/* A heartbeat that changes nothing writes nothing. */
static void quiet_heartbeat_writes_nothing(void **state)
{
    struct consumer a = {.id = "a"};
    int64_t records;

    tell(&a);
    records = club_records(&c);
    for (int i = 0; i < 5; i++)
        tell(&a);
    assert_int_equal(club_records(&c), records);
}

/* A member that goes on saying that it owns what it is to give up is fenced when its rebalance timeout is over; the other
 * gets what it had. */
static void slow_member_is_fenced(void **state)
{
    struct consumer a = {.id = "a"}, b = {.id = "b"}, before, again;

    tell(&a);
    before = a;
    tell(&b);
    for (int i = 0; i < 3; i++) {
        again = before;
        again.owned.partitions = again.partitions;
        tell(&again);
        assert_int_equal(again.owned.n_partitions, 2);
        tell(&b);
        assert_int_equal(b.owned.n_partitions, 0);
        club_pass_ms(&c, i < 2 ? 25000 : 10000);
    }
    tell(&b);
    assert_int_equal(b.owned.n_partitions, 4);
}

/* Silence for the session timeout ends a member. */
static void silent_member_is_fenced(void **state)
{
    struct consumer a = {.id = "a"}, b = {.id = "b"};

    tell(&a);
    club_pass_ms(&c, 44999);
    tell(&b);
    club_pass_ms(&c, 1);
    tell(&b);
    assert_int_equal(b.owned.n_partitions, 4);
}

/* The calendar was wrong, and is set back: the next target does not wait until the time of the last one has come again. */
static void calendar_that_goes_back_delays_no_target(void **state)
{
    struct consumer a = {.id = "a"}, b = {.id = "b"};

    clock_sim_jump_wall(c.clock, 600000);
    tell(&a);
    assert_int_equal(a.owned.n_partitions, 4);
    clock_sim_jump_wall(c.clock, -600000);
    tell(&b);
    tell(&a);
    tell(&a);
    tell(&b);
    assert_int_equal(a.owned.n_partitions, 2);
    assert_int_equal(b.owned.n_partitions, 2);
}

/* 1,000 members and 10,000 partitions. */
static void large_group(void **state)
{
    struct consumer *members = xcalloc(1000, sizeof(*members));
    bool *owned = xcalloc(10000, 1);

    club_close(&c);
    club_open(&c, (const char *const[]){"group.consumer.assignment.interval.ms=15000", NULL});
    club_topic(&c, "t", 10000);
    /* The first is computed at once, with one member: more partitions than a test member keeps. */
    club_topic(&c, "t", 1);
    for (int32_t i = 0; i < 1000; i++) {
        snprintf(members[i].id, sizeof(members[0].id), "m%d", (int)i);
        tell(&members[i]);
    }
    club_topic(&c, "t", 10000);
    groupm_topic_changed(c.g, true);
    club_pass_ms(&c, 15000);
    for (int32_t round = 0; round < 3; round++)
        for (int32_t i = 0; i < 1000; i++)
            tell(&members[i]);
    assert_int_equal(n_owned(members, 1000, owned, 10000), 10000);
    free(owned);
    free(members);
}

/* Classic members whose bytes are no subscription: the newer protocol is refused, the group goes on. */
static void malformed_bytes_are_refused(void **state)
{
    struct consumer_group_heartbeat_request rq;
    struct str topic = STR("t");
    struct crew crew;
    struct beat b;

    club_stable(&c, "g", 1, &crew); /* its assignment is the text "to ..." */
    consumer_group_heartbeat_request_init(&rq);
    rq.group_id = STR("g");
    rq.member_id = STR("a");
    rq.n_topic_partitions = 0;
    rq.rebalance_timeout_ms = 60000;
    rq.subscribed_topic_names = &topic;
    rq.n_subscribed_topic_names = 1;
    beat_send(&b, &rq);
    assert_int_equal(b.rsp.error_code, KE_GROUP_ID_NOT_FOUND);
    arena_release(&b.arena);
    assert_string_equal(state_of(&c, "g"), "Stable");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(no_partition_has_two_owners),    TEST(restart_changes_nothing),
        TEST(quiet_heartbeat_writes_nothing), TEST(slow_member_is_fenced),
        TEST(silent_member_is_fenced),        TEST(large_group),
        TEST(malformed_bytes_are_refused),    TEST(calendar_that_goes_back_delays_no_target),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
