/* SyncGroup, Heartbeat, LeaveGroup and sessions (src/group/sync.c, leave.c, sessions.c). */
#include "club.h"

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

static struct str assignment(const struct answer *a)
{
    return (struct str){(const char *)a->sync.assignment.p, a->sync.assignment.n};
}

/* Two members in CompletingRebalance; [0] leads. */
static void two_completing(struct answer **m)
{
    m[0] = ask_join_new(&c, (struct joiner){0});
    m[1] = ask_join_new(&c, (struct joiner){0});
    club_pass_ms(&c, 6000);
    assert_true(m[0]->done);
    assert_string_equal(state_of(&c, "g"), "CompletingRebalance");
}

static const char *id(struct answer *a)
{
    return arena_str(&a->arena, a->join.member_id).p;
}

/* ---- SyncGroup */

/* Followers wait for the leader, and everybody gets what it assigned, once that is durable. */
static void leader_assigns_everybody(void **state)
{
    struct answer *m[2], *follows, *leads;

    two_completing(m);
    follows = ask_sync(&c, "g", id(m[1]), 1);
    club_settle(&c);
    assert_false(follows->done);
    leads = ask_sync_leader(&c, "g", m[0]);
    assert_false(leads->done); /* not yet durable */
    assert_false(follows->done);
    club_settle(&c);
    assert_true(leads->done);
    assert_true(follows->done);
    assert_int_equal(assignment(leads).n, 3 + m[0]->join.member_id.n);
    assert_memory_equal(assignment(follows).p, "to ", 3);
    assert_memory_equal(assignment(follows).p + 3, id(m[1]), strlen(id(m[1])));
    assert_true(str_is(follows->sync.protocol_name, "range"));
    assert_true(str_is(follows->sync.protocol_type, "consumer"));
    assert_string_equal(state_of(&c, "g"), "Stable");
}

/* Whoever the leader forgot, and who comes late, gets what there is. */
static void forgotten_member_gets_nothing(void **state)
{
    struct answer *m[2], *late;

    two_completing(m);
    ask_sync(&c, "g", id(m[0]), 1); /* the leader, without assignments */
    late = ask_sync(&c, "g", id(m[1]), 1);
    club_settle(&c);
    assert_true(late->done);
    assert_int_equal(late->sync.error_code, KE_NONE);
    assert_int_equal(late->sync.assignment.n, 0);
    assert_non_null(late->sync.assignment.p);
}

/* What SyncGroup refuses, and with what. */
static void refused_syncs(void **state)
{
    struct answer *m[2], *a;
    struct sync_group_request rq;

    two_completing(m);
    a = ask_sync(&c, "", id(m[0]), 1);
    club_settle(&c);
    assert_int_equal(a->sync.error_code, KE_INVALID_GROUP_ID);
    a = ask_sync(&c, "nobody", id(m[0]), 1);
    club_settle(&c);
    assert_int_equal(a->sync.error_code, KE_UNKNOWN_MEMBER_ID);
    a = ask_sync(&c, "g", "ghost", 1);
    club_settle(&c);
    assert_int_equal(a->sync.error_code, KE_UNKNOWN_MEMBER_ID);
    a = ask_sync(&c, "g", id(m[0]), 2);
    club_settle(&c);
    assert_int_equal(a->sync.error_code, KE_ILLEGAL_GENERATION);
    sync_group_request_init(&rq);
    rq.group_id = STR("g");
    rq.member_id = m[0]->join.member_id;
    rq.generation_id = 1;
    rq.protocol_type = STR("consumer");
    rq.protocol_name = STR("sticky");
    a = answer_new(&c, 5);
    groupm_sync(c.g, &rq, 5, &a->sync, &a->call);
    club_settle(&c);
    assert_int_equal(a->sync.error_code, KE_INCONSISTENT_GROUP_PROTOCOL);
}

/* In a group of another state: Preparing says so, Stable gives the assignment, Empty knows
 * nobody. */
static void sync_in_each_state(void **state)
{
    struct crew crew;
    struct answer *a;

    ask_join(&c, (struct joiner){.group = "empty"});
    a = ask_sync(&c, "empty", "m", 0);
    club_settle(&c);
    assert_int_equal(a->sync.error_code, KE_UNKNOWN_MEMBER_ID);
    club_stable(&c, "g", 2, &crew);
    a = ask_sync(&c, "g", crew_id(&crew, 1), crew.generation);
    club_settle(&c);
    assert_int_equal(a->sync.error_code, KE_NONE);
    assert_true(a->sync.assignment.n > 0);
    ask_join(&c, (struct joiner){.member = crew_id(&crew, 0)});
    a = ask_sync(&c, "g", crew_id(&crew, 1), crew.generation);
    club_settle(&c);
    assert_int_equal(a->sync.error_code, KE_REBALANCE_IN_PROGRESS);
}

/* The leader is lost while it should assign: the others are sent to join again. */
static void lost_leader_starts_a_rebalance(void **state)
{
    struct answer *m[2], *waits, *again;

    two_completing(m);
    waits = ask_sync(&c, "g", id(m[1]), 1);
    club_pass_ms(&c, 10000); /* the leader's session; a waiting member has none */
    assert_true(waits->done);
    assert_int_equal(waits->sync.error_code, KE_REBALANCE_IN_PROGRESS);
    again = ask_join(&c, (struct joiner){.member = id(m[1])});
    club_settle(&c);
    assert_true(again->done);
    assert_int_equal(again->join.generation_id, 2);
    assert_true(str_is(again->join.leader, id(m[1])));
}

/* A member that joined but never sends SyncGroup is removed at the rebalance timeout, although its
 * heartbeats go on. */
static void member_that_never_syncs_is_removed(void **state)
{
    struct answer *m[2], *beat = NULL;

    two_completing(m);
    ask_sync_leader(&c, "g", m[0]);
    club_settle(&c);
    assert_string_equal(state_of(&c, "g"), "Stable");
    for (int i = 0; i < 12; i++) {
        beat = ask_heartbeat(&c, "g", id(m[0]), 1);
        ask_heartbeat(&c, "g", id(m[1]), 1);
        club_pass_ms(&c, i < 11 ? 5000 : 4999);
        assert_int_equal(beat->heartbeat.error_code, KE_NONE);
    }
    club_pass_ms(&c, 1);
    beat = ask_heartbeat(&c, "g", id(m[1]), 1);
    club_settle(&c);
    assert_int_equal(beat->heartbeat.error_code, KE_UNKNOWN_MEMBER_ID);
    beat = ask_heartbeat(&c, "g", id(m[0]), 1);
    club_settle(&c);
    assert_int_equal(beat->heartbeat.error_code, KE_REBALANCE_IN_PROGRESS);
}

/* Everybody has synced: then the timer is over, and nobody is removed. */
static void members_that_synced_stay(void **state)
{
    struct crew crew;
    struct answer *beat = NULL;

    club_stable(&c, "g", 2, &crew);
    for (int i = 0; i < 30; i++) {
        ask_heartbeat(&c, "g", crew_id(&crew, 0), crew.generation);
        beat = ask_heartbeat(&c, "g", crew_id(&crew, 1), crew.generation);
        club_pass_ms(&c, 5000);
        assert_int_equal(beat->heartbeat.error_code, KE_NONE);
    }
}

/* An assignment that cannot be written is no assignment: everybody is told, and joins again. */
static void full_disk_refuses_the_assignment(void **state)
{
    struct answer *m[2], *follows, *leads;
    char topics[32768]; /* more than a log keeps in reserve */

    memset(topics, 'x', sizeof(topics) - 1);
    topics[sizeof(topics) - 1] = '\0';
    m[0] = ask_join_new(&c, (struct joiner){.topics = topics});
    m[1] = ask_join_new(&c, (struct joiner){.topics = topics});
    club_pass_ms(&c, 6000);
    follows = ask_sync(&c, "g", id(m[1]), 1);
    vfs_mem_set_space(c.env.vfs, 1);
    leads = ask_sync_leader(&c, "g", m[0]);
    club_settle(&c);
    assert_true(leads->done);
    assert_true(follows->done);
    assert_int_equal(leads->sync.error_code, KE_COORDINATOR_NOT_AVAILABLE);
    assert_int_equal(follows->sync.error_code, KE_COORDINATOR_NOT_AVAILABLE);
    assert_string_equal(state_of(&c, "g"), "PreparingRebalance");
    vfs_mem_set_space(c.env.vfs, UINT64_MAX);
}

/* ---- Heartbeat */

/* A heartbeat in each state of the group. */
static void heartbeat_in_each_state(void **state)
{
    struct answer *m[2], *a;

    a = ask_heartbeat(&c, "", "m", 1);
    club_settle(&c);
    assert_int_equal(a->heartbeat.error_code, KE_INVALID_GROUP_ID);
    a = ask_heartbeat(&c, "g", "m", 1);
    club_settle(&c);
    assert_int_equal(a->heartbeat.error_code, KE_UNKNOWN_MEMBER_ID);
    two_completing(m);
    a = ask_heartbeat(&c, "g", id(m[0]), 1);
    club_settle(&c);
    assert_int_equal(a->heartbeat.error_code, KE_NONE); /* CompletingRebalance */
    a = ask_heartbeat(&c, "g", id(m[0]), 0);
    club_settle(&c);
    assert_int_equal(a->heartbeat.error_code, KE_ILLEGAL_GENERATION);
    ask_sync_leader(&c, "g", m[0]);
    a = ask_heartbeat(&c, "g", id(m[1]), 1);
    club_settle(&c);
    assert_int_equal(a->heartbeat.error_code, KE_NONE); /* Stable */
    ask_join(&c, (struct joiner){.member = id(m[0])});
    a = ask_heartbeat(&c, "g", id(m[1]), 1);
    club_settle(&c);
    assert_int_equal(a->heartbeat.error_code, KE_REBALANCE_IN_PROGRESS);
}

/* Heartbeats keep a member; silence for the session timeout removes it, to the millisecond. */
static void silence_removes_a_member(void **state)
{
    struct crew crew;
    struct answer *a;

    club_stable(&c, "g", 2, &crew);
    for (int i = 0; i < 5; i++) {
        ask_heartbeat(&c, "g", crew_id(&crew, 0), 1);
        ask_heartbeat(&c, "g", crew_id(&crew, 1), 1);
        club_pass_ms(&c, 9999);
    }
    ask_heartbeat(&c, "g", crew_id(&crew, 0), 1);
    club_settle(&c);
    assert_string_equal(state_of(&c, "g"), "Stable");
    club_pass_ms(&c, 1);
    assert_string_equal(state_of(&c, "g"), "PreparingRebalance");
    a = ask_heartbeat(&c, "g", crew_id(&crew, 1), 1);
    club_settle(&c);
    assert_int_equal(a->heartbeat.error_code, KE_UNKNOWN_MEMBER_ID);
}

/* When the last member is silent the group is empty, in a generation of its own. */
static void last_silent_member_empties_the_group(void **state)
{
    struct crew crew;

    club_stable(&c, "g", 1, &crew);
    club_pass_ms(&c, 10000);
    assert_string_equal(state_of(&c, "g"), "Empty");
    club_restart(&c, true);
    assert_string_equal(state_of(&c, "g"), "Empty");
    club_stable(&c, "g", 1, &crew);
    assert_int_equal(crew.generation, 3);
}

/* ---- LeaveGroup */

static int16_t left(struct answer *a)
{
    club_settle(&c);
    assert_true(a->done);
    assert_int_equal(a->leave.error_code, KE_NONE);
    assert_int_equal(a->leave.n_members, 1);
    return a->leave.members[0].error_code;
}

/* Who leaves is gone at once, and the others join again. */
static void leaving_starts_a_rebalance(void **state)
{
    struct crew crew;
    struct answer *again;

    club_stable(&c, "g", 2, &crew);
    assert_int_equal(left(ask_leave(&c, "g", crew_id(&crew, 0), NULL)), KE_NONE);
    assert_string_equal(state_of(&c, "g"), "PreparingRebalance");
    again = ask_join(&c, (struct joiner){.member = crew_id(&crew, 1)});
    club_settle(&c);
    assert_true(again->done);
    assert_int_equal(again->join.n_members, 1);
}

/* The last one to leave empties the group, and that is stored. */
static void last_one_empties_the_group(void **state)
{
    struct crew crew;

    club_stable(&c, "g", 1, &crew);
    assert_int_equal(left(ask_leave(&c, "g", crew_id(&crew, 0), NULL)), KE_NONE);
    assert_string_equal(state_of(&c, "g"), "Empty");
    club_restart(&c, false);
    assert_string_equal(state_of(&c, "g"), "Empty");
}

/* An id that was handed out may be given back; unknown ones are named as such. */
static void leaving_before_joining(void **state)
{
    struct answer *a = ask_join(&c, (struct joiner){0}), *again;

    club_settle(&c);
    assert_int_equal(left(ask_leave(&c, "g", id(a), NULL)), KE_NONE);
    again = ask_join(&c, (struct joiner){.member = id(a)});
    club_settle(&c);
    assert_int_equal(again->join.error_code, KE_UNKNOWN_MEMBER_ID);
    assert_int_equal(left(ask_leave(&c, "g", "ghost", NULL)), KE_UNKNOWN_MEMBER_ID);
    assert_int_equal(left(ask_leave(&c, "nobody", "ghost", NULL)), KE_UNKNOWN_MEMBER_ID);
    assert_int_equal(left(ask_leave(&c, "g", "", NULL)), KE_UNKNOWN_MEMBER_ID);
}

/* Before version 3 one member leaves, and the error is the reply's own. */
static void old_leave_has_one_error(void **state)
{
    struct answer *a = answer_new(&c, 2);
    struct leave_group_request rq;
    struct crew crew;

    leave_group_request_init(&rq);
    rq.group_id = STR("g");
    rq.member_id = STR("ghost");
    groupm_leave(c.g, &rq, 2, &a->leave, &a->call);
    club_settle(&c);
    assert_int_equal(a->leave.error_code, KE_UNKNOWN_MEMBER_ID);
    club_stable(&c, "g", 1, &crew);
    rq.member_id = str_of(crew_id(&crew, 0));
    a = answer_new(&c, 2);
    groupm_leave(c.g, &rq, 2, &a->leave, &a->call);
    club_settle(&c);
    assert_int_equal(a->leave.error_code, KE_NONE);
    assert_string_equal(state_of(&c, "g"), "Empty");
}

/* Several at once make one rebalance. */
static void several_leave_at_once(void **state)
{
    struct leave_group_request rq;
    struct answer *a = answer_new(&c, 5), *again;
    struct crew crew;

    club_stable(&c, "g", 3, &crew);
    leave_group_request_init(&rq);
    rq.group_id = STR("g");
    rq.n_members = 3;
    rq.members = arena_array(&a->arena, 3, sizeof(*rq.members));
    for (int i = 0; i < 3; i++)
        leave_group_request_members_init(&rq.members[i]);
    rq.members[0].member_id = str_of(crew_id(&crew, 0));
    rq.members[1].member_id = STR("ghost");
    rq.members[2].member_id = str_of(crew_id(&crew, 2));
    groupm_leave(c.g, &rq, 5, &a->leave, &a->call);
    club_settle(&c);
    assert_int_equal(a->leave.members[0].error_code, KE_NONE);
    assert_int_equal(a->leave.members[1].error_code, KE_UNKNOWN_MEMBER_ID);
    assert_int_equal(a->leave.members[2].error_code, KE_NONE);
    again = ask_join(&c, (struct joiner){.member = crew_id(&crew, 1)});
    club_settle(&c);
    assert_int_equal(again->join.generation_id, crew.generation + 1);
    assert_int_equal(again->join.n_members, 1);
}

/* Who leaves while its own JoinGroup waits gets an answer to both. */
static void leaving_while_joining(void **state)
{
    struct crew crew;
    struct answer *waits;

    club_stable(&c, "g", 2, &crew);
    waits = ask_join(&c, (struct joiner){.member = crew_id(&crew, 0)});
    assert_int_equal(left(ask_leave(&c, "g", crew_id(&crew, 0), NULL)), KE_NONE);
    assert_true(waits->done);
    assert_int_equal(waits->join.error_code, KE_UNKNOWN_MEMBER_ID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(leader_assigns_everybody),
        TEST(forgotten_member_gets_nothing),
        TEST(refused_syncs),
        TEST(sync_in_each_state),
        TEST(lost_leader_starts_a_rebalance),
        TEST(member_that_never_syncs_is_removed),
        TEST(members_that_synced_stay),
        TEST(full_disk_refuses_the_assignment),
        TEST(heartbeat_in_each_state),
        TEST(silence_removes_a_member),
        TEST(last_silent_member_empties_the_group),
        TEST(leaving_starts_a_rebalance),
        TEST(last_one_empties_the_group),
        TEST(leaving_before_joining),
        TEST(old_leave_has_one_error),
        TEST(several_leave_at_once),
        TEST(leaving_while_joining),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
