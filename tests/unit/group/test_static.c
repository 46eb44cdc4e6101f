/* Static members (KIP-345, KIP-814): src/group/join.c, replace_static. */
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

static const char *id(struct answer *a)
{
    return arena_str(&a->arena, a->join.member_id).p;
}

/* Two static members "a" (leads) and "b" in Stable. */
static void stable_pair(struct answer **m)
{
    m[0] = ask_join(&c, (struct joiner){.instance = "a"});
    m[1] = ask_join(&c, (struct joiner){.instance = "b"});
    club_pass_ms(&c, 6000);
    assert_true(m[0]->done);
    assert_int_equal(m[0]->join.error_code, KE_NONE);
    ask_sync_leader(&c, "g", m[0]);
    ask_sync(&c, "g", id(m[1]), 1);
    club_settle(&c);
    assert_string_equal(state_of(&c, "g"), "Stable");
}

/* A static member needs no id first; its id is made of its instance id, and the leader is told
 * which instance is which member. */
static void static_member_joins_at_once(void **state)
{
    struct answer *m[2];

    stable_pair(m);
    assert_memory_equal(m[1]->join.member_id.p, "b-", 2);
    assert_int_equal(m[0]->join.n_members, 2);
    assert_true(str_is(m[0]->join.members[1].group_instance_id, "b"));
}

/* A follower that comes back takes its place: a new id, the same generation, no rebalance. */
static void follower_comes_back_without_a_rebalance(void **state)
{
    struct answer *m[2], *back, *sync;

    stable_pair(m);
    back = ask_join(&c, (struct joiner){.instance = "b"});
    assert_false(back->done); /* the new id is not durable yet */
    club_settle(&c);
    assert_true(back->done);
    assert_int_equal(back->join.error_code, KE_NONE);
    assert_int_equal(back->join.generation_id, 1);
    assert_false(back->join.skip_assignment);
    assert_int_equal(back->join.n_members, 0);
    assert_string_not_equal(id(back), id(m[1]));
    assert_true(str_is(back->join.leader, id(m[0])));
    assert_string_equal(state_of(&c, "g"), "Stable");
    sync = ask_sync(&c, "g", id(back), 1);
    club_settle(&c);
    assert_memory_equal(sync->sync.assignment.p + 3, id(m[1]), strlen(id(m[1])));
}

/* A leader that comes back learns its members again and is told not to assign (v9); before v9 it is
 * told the old leader's id, so that it does not assign either. */
static void leader_comes_back_without_a_rebalance(void **state)
{
    struct answer *m[2], *back, *old;

    stable_pair(m);
    back = ask_join(&c, (struct joiner){.instance = "a"});
    club_settle(&c);
    assert_true(back->join.skip_assignment);
    assert_int_equal(back->join.n_members, 2);
    assert_true(str_is(back->join.leader, id(back)));
    old = ask_join(&c, (struct joiner){.instance = "a", .version = 8});
    club_settle(&c);
    assert_int_equal(old->join.error_code, KE_NONE);
    assert_int_equal(old->join.n_members, 0);
    assert_true(str_is(old->join.leader, id(back)));
    assert_false(old->join.skip_assignment);
    assert_string_equal(state_of(&c, "g"), "Stable");
}

/* The new id outlives a restart, and so does the place. */
static void new_id_is_stored(void **state)
{
    struct answer *m[2], *back, *beat;

    stable_pair(m);
    back = ask_join(&c, (struct joiner){.instance = "b"});
    club_settle(&c);
    club_restart(&c, false);
    beat = ask_heartbeat_static(&c, "g", id(back), "b", 1);
    club_settle(&c);
    assert_int_equal(beat->heartbeat.error_code, KE_NONE);
    beat = ask_heartbeat_static(&c, "g", id(m[1]), "b", 1);
    club_settle(&c);
    assert_int_equal(beat->heartbeat.error_code, KE_FENCED_INSTANCE_ID);
}

/* Whoever still uses the old id is fenced, whatever it asks. */
static void old_id_is_fenced(void **state)
{
    struct answer *m[2], *a;

    stable_pair(m);
    ask_join(&c, (struct joiner){.instance = "b"});
    club_settle(&c);
    a = ask_heartbeat_static(&c, "g", id(m[1]), "b", 1);
    club_settle(&c);
    assert_int_equal(a->heartbeat.error_code, KE_FENCED_INSTANCE_ID);
    a = ask_heartbeat(&c, "g", id(m[1]), 1); /* without its name it is nobody */
    club_settle(&c);
    assert_int_equal(a->heartbeat.error_code, KE_UNKNOWN_MEMBER_ID);
    a = ask_heartbeat_static(&c, "g", id(m[0]), "nobody", 1);
    club_settle(&c);
    assert_int_equal(a->heartbeat.error_code, KE_UNKNOWN_MEMBER_ID);
    a = ask_join(&c, (struct joiner){.member = id(m[1]), .instance = "b"});
    club_settle(&c);
    assert_int_equal(a->join.error_code, KE_FENCED_INSTANCE_ID);
    a = ask_commit(&c, (struct committer){.member = id(m[1]), .instance = "b", .generation = 1});
    club_settle(&c);
    assert_int_equal(commit_error(a), KE_FENCED_INSTANCE_ID);
    a = ask_leave(&c, "g", id(m[1]), "b");
    club_settle(&c);
    assert_int_equal(a->leave.members[0].error_code, KE_FENCED_INSTANCE_ID);
}

/* Whoever waits for a rebalance when its place is taken is fenced at once. */
static void waiting_member_is_fenced_at_once(void **state)
{
    struct answer *m[2], *waits, *back;

    stable_pair(m);
    ask_join_new(&c, (struct joiner){0}); /* a newcomer: all join again */
    waits = ask_join(&c, (struct joiner){.member = id(m[1]), .instance = "b"});
    club_settle(&c);
    assert_false(waits->done);
    back = ask_join(&c, (struct joiner){.instance = "b"});
    club_settle(&c);
    assert_true(waits->done);
    assert_int_equal(waits->join.error_code, KE_FENCED_INSTANCE_ID);
    assert_true(str_is(waits->join.member_id, id(m[1])));
    assert_false(back->done);
    ask_join(&c, (struct joiner){.member = id(m[0]), .instance = "a"});
    club_settle(&c);
    assert_true(back->done);
    assert_int_equal(back->join.generation_id, 2);
}

/* While the leader assigns, a new id must not miss its assignment: everybody joins again. */
static void coming_back_while_the_leader_assigns(void **state)
{
    struct answer *a = ask_join(&c, (struct joiner){.instance = "a"});
    struct answer *b = ask_join(&c, (struct joiner){.instance = "b"}), *sync;

    club_pass_ms(&c, 6000);
    sync = ask_sync(&c, "g", id(b), 1);
    ask_join(&c, (struct joiner){.instance = "b"});
    club_settle(&c);
    assert_true(sync->done);
    assert_int_equal(sync->sync.error_code, KE_FENCED_INSTANCE_ID);
    assert_string_equal(state_of(&c, "g"), "PreparingRebalance");
    assert_true(a->done);
}

/* Coming back with protocols that change the choice needs a rebalance. */
static void coming_back_with_another_protocol(void **state)
{
    struct answer *a = ask_join(&c, (struct joiner){.instance = "a", .protocols = "range,sticky"});
    struct answer *b = ask_join(&c, (struct joiner){.instance = "b", .protocols = "range,sticky"});

    club_pass_ms(&c, 6000);
    ask_sync_leader(&c, "g", a);
    ask_sync(&c, "g", id(b), 1);
    club_settle(&c);
    ask_join(&c, (struct joiner){.instance = "b", .protocols = "sticky"});
    club_settle(&c);
    assert_string_equal(state_of(&c, "g"), "PreparingRebalance");
}

/* A static member that is away at the end of the rebalance keeps its place until its session
 * ends. */
static void absent_static_member_keeps_its_place(void **state)
{
    struct answer *m[2], *again;

    m[0] = ask_join(&c, (struct joiner){.instance = "a", .session_ms = 1000000});
    m[1] = ask_join(&c, (struct joiner){.instance = "b", .session_ms = 1000000});
    club_pass_ms(&c, 6000);
    ask_sync_leader(&c, "g", m[0]);
    ask_sync(&c, "g", id(m[1]), 1);
    club_settle(&c);
    again = ask_join(&c, (struct joiner){.member = id(m[0]), .instance = "a"});
    club_pass_ms(&c, 59999);
    assert_false(again->done);
    club_pass_ms(&c, 1);
    assert_true(again->done);
    assert_int_equal(again->join.n_members, 2); /* the absent one too */
}

/* When nobody but absent static members is left, the rebalance goes on until one comes. */
static void rebalance_of_absent_static_members_waits(void **state)
{
    struct answer *a, *b, *back;

    a = ask_join(&c, (struct joiner){.instance = "a", .session_ms = 1000000});
    b = ask_join_new(&c, (struct joiner){.session_ms = 6000});
    club_pass_ms(&c, 6000);
    ask_sync_leader(&c, "g", a);
    ask_sync(&c, "g", id(b), 1);
    club_pass_ms(&c, 6000); /* the dynamic one is silent and gone */
    assert_string_equal(state_of(&c, "g"), "PreparingRebalance");
    club_pass_ms(&c, 130000); /* twice the rebalance timeout */
    assert_string_equal(state_of(&c, "g"), "PreparingRebalance");
    back = ask_join(&c, (struct joiner){.instance = "a"});
    club_settle(&c);
    assert_true(back->done);
    assert_int_equal(back->join.generation_id, 2);
}

/* An administrator removes a static member by its name alone. */
static void administrator_removes_by_instance(void **state)
{
    struct answer *m[2], *a;

    stable_pair(m);
    a = ask_leave(&c, "g", "", "b");
    club_settle(&c);
    assert_int_equal(a->leave.members[0].error_code, KE_NONE);
    assert_true(str_is(a->leave.members[0].group_instance_id, "b"));
    a = ask_leave(&c, "g", "", "b");
    club_settle(&c);
    assert_int_equal(a->leave.members[0].error_code, KE_UNKNOWN_MEMBER_ID);
    assert_string_equal(state_of(&c, "g"), "PreparingRebalance");
}

/* A static member that is silent for its session timeout is removed like any other. */
static void silent_static_member_is_removed(void **state)
{
    struct answer *m[2];

    stable_pair(m);
    club_pass_ms(&c, 10000);
    assert_string_equal(state_of(&c, "g"), "Empty");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(static_member_joins_at_once),
        TEST(follower_comes_back_without_a_rebalance),
        TEST(leader_comes_back_without_a_rebalance),
        TEST(new_id_is_stored),
        TEST(old_id_is_fenced),
        TEST(waiting_member_is_fenced_at_once),
        TEST(coming_back_while_the_leader_assigns),
        TEST(coming_back_with_another_protocol),
        TEST(absent_static_member_keeps_its_place),
        TEST(rebalance_of_absent_static_members_waits),
        TEST(administrator_removes_by_instance),
        TEST(silent_static_member_is_removed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
