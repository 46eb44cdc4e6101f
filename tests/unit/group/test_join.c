/* JoinGroup: how a group gathers, votes, and refuses (src/group/join.c, rebalance.c,
 * protocols.c). */
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

/* A newcomer of version 4 or later is told its id, made of its client id, and is no member yet. */
static void newcomer_is_told_its_id_first(void **state)
{
    struct answer *a = ask_join(&c, (struct joiner){.client = "app"});

    assert_false(a->done); /* the group's record is not durable yet */
    club_settle(&c);
    assert_true(a->done);
    assert_int_equal(a->join.error_code, KE_MEMBER_ID_REQUIRED);
    assert_int_equal(a->join.generation_id, -1);
    assert_int_equal(a->join.member_id.n, 4 + 36);
    assert_memory_equal(a->join.member_id.p, "app-", 4);
    assert_string_equal(state_of(&c, "g"), "Empty");
    assert_int_equal(club_records(&c), 1);
}

/* Before version 4 there is no such step. */
static void old_newcomer_joins_at_once(void **state)
{
    struct answer *a = ask_join(&c, (struct joiner){.version = 3});

    club_settle(&c);
    assert_false(a->done);
    assert_string_equal(state_of(&c, "g"), "PreparingRebalance");
    club_pass_ms(&c, 3000);
    assert_true(a->done);
    assert_int_equal(a->join.error_code, KE_NONE);
    assert_int_equal(a->join.generation_id, 1);
    assert_true(str_eq(a->join.leader, a->join.member_id));
    assert_int_equal(a->join.n_members, 1);
}

/* Version 0 has no rebalance timeout: the session timeout counts. */
static void version_0_takes_the_session_timeout_for_the_rebalance(void **state)
{
    struct answer *a = ask_join(&c, (struct joiner){.version = -1, .session_ms = 6000});
    struct answer *b;

    club_pass_ms(&c, 3000);
    assert_true(a->done);
    b = ask_join(&c, (struct joiner){.version = -1, .session_ms = 6000});
    club_pass_ms(&c, 5999);
    assert_false(b->done);
    club_pass_ms(&c, 1);
    assert_true(b->done); /* the first one did not come again within 6 s */
    assert_int_equal(b->join.n_members, 1);
}

/* The first rebalance of a group waits group.initial.rebalance.delay.ms. */
static void first_rebalance_is_delayed(void **state)
{
    struct answer *a = ask_join_new(&c, (struct joiner){0});

    club_pass_ms(&c, 2999);
    assert_false(a->done);
    club_pass_ms(&c, 1);
    assert_true(a->done);
    assert_int_equal(a->join.generation_id, 1);
}

/* Each newcomer extends the delay, but not past the rebalance timeout. */
static void newcomers_extend_the_delay_up_to_the_rebalance_timeout(void **state)
{
    struct answer *first = ask_join_new(&c, (struct joiner){.rebalance_ms = 8000});
    struct answer *late;

    club_pass_ms(&c, 2000);
    ask_join_new(&c, (struct joiner){.rebalance_ms = 8000});
    club_pass_ms(&c, 2000); /* at 3 s: extended to 6 s */
    assert_false(first->done);
    ask_join_new(&c, (struct joiner){.rebalance_ms = 8000});
    club_pass_ms(&c, 3000); /* at 6 s: extended by what is left of 8 s */
    assert_false(first->done);
    late = ask_join_new(&c, (struct joiner){.rebalance_ms = 8000});
    club_pass_ms(&c, 1000);
    assert_true(first->done);
    assert_true(late->done);
    assert_int_equal(first->join.n_members, 4);
}

/* A storm of members ends in one generation with one leader, who alone learns of all members. */
static void storm_makes_one_generation(void **state)
{
    struct answer *members[50];
    int n_told = 0;

    for (int i = 0; i < 50; i++)
        members[i] = ask_join_new(&c, (struct joiner){0});
    club_pass_ms(&c, 6000);
    for (int i = 0; i < 50; i++) {
        assert_true(members[i]->done);
        assert_int_equal(members[i]->join.error_code, KE_NONE);
        assert_int_equal(members[i]->join.generation_id, 1);
        assert_true(str_eq(members[i]->join.leader, members[0]->join.member_id));
        n_told += members[i]->join.n_members;
    }
    assert_int_equal(n_told, 50);
    assert_int_equal(members[0]->join.n_members, 50);
    assert_true(str_is(members[0]->join.protocol_name, "range"));
    assert_true(str_is(members[0]->join.protocol_type, "consumer"));
}

/* A later rebalance is over as soon as everybody joined again. */
static void later_rebalance_ends_when_all_have_joined(void **state)
{
    struct crew crew;
    struct answer *fresh, *again[2];

    club_stable(&c, "g", 2, &crew);
    fresh = ask_join_new(&c, (struct joiner){0});
    club_settle(&c);
    assert_string_equal(state_of(&c, "g"), "PreparingRebalance");
    for (int i = 0; i < 2; i++) {
        assert_false(fresh->done);
        again[i] = ask_join(&c, (struct joiner){.member = crew_id(&crew, i)});
        club_settle(&c);
    }
    assert_true(fresh->done);
    assert_true(again[0]->done);
    assert_int_equal(again[0]->join.generation_id, crew.generation + 1);
    assert_int_equal(again[0]->join.n_members, 3); /* the leader stays the leader */
    assert_int_equal(fresh->join.n_members, 0);
}

/* Who does not join again within the rebalance timeout is removed. */
static void slow_member_is_removed_at_the_rebalance_timeout(void **state)
{
    struct crew crew;
    struct answer *fresh, *beat;

    club_stable(&c, "g", 2, &crew);
    fresh = ask_join_new(&c, (struct joiner){.session_ms = 1800000});
    ask_join(&c, (struct joiner){.member = crew_id(&crew, 1)});
    for (int i = 0; i < 11; i++) { /* the leader is alive, but does not join */
        beat = ask_heartbeat(&c, "g", crew_id(&crew, 0), crew.generation);
        club_pass_ms(&c, 5000);
        assert_int_equal(beat->heartbeat.error_code, KE_REBALANCE_IN_PROGRESS);
        assert_false(fresh->done);
    }
    club_pass_ms(&c, 5000);
    assert_true(fresh->done);
    assert_int_equal(fresh->join.generation_id, crew.generation + 1);
    assert_true(str_is(fresh->join.leader, crew_id(&crew, 1))); /* a new leader */
    beat = ask_heartbeat(&c, "g", crew_id(&crew, 0), crew.generation);
    club_settle(&c);
    assert_int_equal(beat->heartbeat.error_code, KE_UNKNOWN_MEMBER_ID);
}

/* The protocol that most members name first, of those that all of them know, is chosen. */
static void protocol_is_chosen_by_vote(void **state)
{
    struct answer *a = ask_join_new(&c, (struct joiner){.protocols = "x,range,sticky"});

    ask_join_new(&c, (struct joiner){.protocols = "sticky,range"});
    ask_join_new(&c, (struct joiner){.protocols = "sticky,range,y"});
    club_pass_ms(&c, 6000);
    assert_true(a->done);
    assert_true(str_is(a->join.protocol_name, "sticky"));
}

/* A protocol that is listed twice counts once. */
static void doubled_protocol_counts_once(void **state)
{
    struct answer *a = ask_join_new(&c, (struct joiner){.protocols = "range,range,sticky"});
    struct answer *b = ask_join_new(&c, (struct joiner){.protocols = "sticky,range"});

    club_pass_ms(&c, 6000);
    assert_true(a->done);
    assert_int_equal(a->join.error_code, KE_NONE);
    assert_int_equal(b->join.error_code, KE_NONE);
    assert_int_equal(a->join.n_members, 2);
}

/* Without a protocol in common, or with another type, one is refused. */
static void inconsistent_protocols_are_refused(void **state)
{
    static const struct joiner bad[] = {
        {.protocols = "sticky"},
        {.type = "connect"},
        {.type = ""},
        {.protocols = ""},
    };

    ask_join_new(&c, (struct joiner){.protocols = "range"});
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct answer *a = ask_join(&c, bad[i]);

        club_settle(&c);
        assert_true(a->done);
        assert_int_equal(a->join.error_code, KE_INCONSISTENT_GROUP_PROTOCOL);
        assert_int_equal(a->join.member_id.n, 0);
    }
}

/* An empty group takes no nameless type and no empty list either. */
static void empty_group_wants_type_and_protocols(void **state)
{
    struct answer *a = ask_join(&c, (struct joiner){.type = "", .version = 3});
    struct answer *b = ask_join(&c, (struct joiner){.protocols = "", .version = 3});

    club_settle(&c);
    assert_int_equal(a->join.error_code, KE_INCONSISTENT_GROUP_PROTOCOL);
    assert_int_equal(b->join.error_code, KE_INCONSISTENT_GROUP_PROTOCOL);
    assert_true(a->join.protocol_name.p != NULL); /* not nullable before version 7 */
}

/* Group ids and session timeouts have bounds, and are refused just past them. */
static void bounds_of_group_id_and_session_timeout(void **state)
{
    static const struct {
        struct joiner j;
        int16_t error;
    } rows[] = {
        {{.group = ""}, KE_INVALID_GROUP_ID},
        {{.session_ms = 5999}, KE_INVALID_SESSION_TIMEOUT},
        {{.session_ms = 1800001}, KE_INVALID_SESSION_TIMEOUT},
        {{.session_ms = -1}, KE_INVALID_SESSION_TIMEOUT},
        {{.session_ms = 6000}, KE_MEMBER_ID_REQUIRED},
        {{.session_ms = 1800000}, KE_MEMBER_ID_REQUIRED},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct answer *a = ask_join(&c, rows[i].j);

        club_settle(&c);
        assert_true(a->done);
        assert_int_equal(a->join.error_code, rows[i].error);
    }
}

/* A member id that nobody gave out is unknown, with and without its group. */
static void unknown_member_id_is_refused(void **state)
{
    struct answer *a = ask_join(&c, (struct joiner){.member = "ghost"});
    struct answer *b;

    club_settle(&c);
    assert_int_equal(a->join.error_code, KE_UNKNOWN_MEMBER_ID);
    assert_true(str_is(a->join.member_id, "ghost"));
    assert_int_equal(club_records(&c), 0); /* no group came to be */
    ask_join_new(&c, (struct joiner){0});
    b = ask_join(&c, (struct joiner){.member = "ghost"});
    club_settle(&c);
    assert_int_equal(b->join.error_code, KE_UNKNOWN_MEMBER_ID);
}

/* An id that was handed out is forgotten after the session timeout. */
static void handed_out_id_is_forgotten(void **state)
{
    struct answer *a = ask_join(&c, (struct joiner){.session_ms = 6000});
    struct answer *b;

    club_pass_ms(&c, 6000);
    b = ask_join(&c, (struct joiner){.member = arena_str(&a->arena, a->join.member_id).p});
    club_settle(&c);
    assert_int_equal(b->join.error_code, KE_UNKNOWN_MEMBER_ID);
}

/* A rebalance waits for ids that were handed out, until they are forgotten. */
static void rebalance_waits_for_handed_out_ids(void **state)
{
    struct crew crew;
    struct answer *again;

    club_stable(&c, "g", 1, &crew);
    ask_join(&c, (struct joiner){.session_ms = 6000});
    again = ask_join(&c, (struct joiner){.member = crew_id(&crew, 0)});
    club_pass_ms(&c, 5999);
    assert_false(again->done);
    club_pass_ms(&c, 1);
    assert_true(again->done);
    assert_int_equal(again->join.generation_id, crew.generation + 1);
}

/* A newcomer whose JoinGroup waits for too long is removed, so that dead connections do not
 * gather. */
static void waiting_newcomer_is_removed_after_five_minutes(void **state)
{
    struct crew crew;
    struct answer *fresh;

    club_stable(&c, "g", 1, &crew);
    fresh = ask_join_new(&c, (struct joiner){.rebalance_ms = 1000000, .session_ms = 6000});
    for (int i = 0; i < 60; i++) {
        ask_heartbeat(&c, "g", crew_id(&crew, 0), crew.generation);
        club_pass_ms(&c, i < 59 ? 5000 : 4999);
        assert_false(fresh->done);
    }
    club_pass_ms(&c, 1);
    assert_true(fresh->done);
    assert_int_equal(fresh->join.error_code, KE_UNKNOWN_MEMBER_ID);
    assert_int_equal(fresh->join.member_id.n, 0);
}

/* While the leader assigns, a member that asks again with the same metadata gets the same answer;
 * the leader with all members. */
static void same_join_again_gets_the_same_generation(void **state)
{
    struct answer *a = ask_join_new(&c, (struct joiner){0}), *b, *again;

    b = ask_join_new(&c, (struct joiner){0});
    club_pass_ms(&c, 6000);
    again = ask_join(&c, (struct joiner){.member = arena_str(&a->arena, a->join.member_id).p});
    club_settle(&c);
    assert_true(again->done);
    assert_int_equal(again->join.generation_id, 1);
    assert_int_equal(again->join.n_members, 2);
    again = ask_join(&c, (struct joiner){.member = arena_str(&b->arena, b->join.member_id).p});
    club_settle(&c);
    assert_true(again->done);
    assert_int_equal(again->join.n_members, 0);
    assert_string_equal(state_of(&c, "g"), "CompletingRebalance");
}

/* A follower of a stable group that asks again changes nothing; a leader, or one with other
 * metadata, starts a rebalance. */
static void who_may_start_a_rebalance_of_a_stable_group(void **state)
{
    struct crew crew;
    struct answer *a;

    club_stable(&c, "g", 2, &crew);
    a = ask_join(&c, (struct joiner){.member = crew_id(&crew, 1)});
    club_settle(&c);
    assert_true(a->done);
    assert_int_equal(a->join.generation_id, crew.generation);
    assert_int_equal(a->join.n_members, 0);
    assert_string_equal(state_of(&c, "g"), "Stable");

    ask_join(&c, (struct joiner){.member = crew_id(&crew, 1), .topics = "t,u"});
    assert_string_equal(state_of(&c, "g"), "PreparingRebalance");

    club_stable(&c, "h", 2, &crew);
    ask_join(&c, (struct joiner){.group = "h", .member = crew_id(&crew, 0)});
    assert_string_equal(state_of(&c, "h"), "PreparingRebalance");
}

/* Changed metadata while the leader assigns: everybody who waits for an assignment joins again. */
static void changed_metadata_while_the_leader_assigns(void **state)
{
    struct answer *a = ask_join_new(&c, (struct joiner){0}), *b, *waits;

    b = ask_join_new(&c, (struct joiner){0});
    club_pass_ms(&c, 6000);
    waits = ask_sync(&c, "g", arena_str(&b->arena, b->join.member_id).p, 1);
    club_settle(&c);
    assert_false(waits->done);
    ask_join(&c,
             (struct joiner){.member = arena_str(&a->arena, a->join.member_id).p, .topics = "u"});
    club_settle(&c);
    assert_true(waits->done);
    assert_int_equal(waits->sync.error_code, KE_REBALANCE_IN_PROGRESS);
    assert_string_equal(state_of(&c, "g"), "PreparingRebalance");
}

/* Of two requests of one member the older one is answered: its connection was given up. */
static void second_request_ends_the_first(void **state)
{
    struct crew crew;
    struct answer *first, *second;

    club_stable(&c, "g", 2, &crew);
    first = ask_join(&c, (struct joiner){.member = crew_id(&crew, 0)});
    second = ask_join(&c, (struct joiner){.member = crew_id(&crew, 0)});
    club_settle(&c);
    assert_true(first->done);
    assert_int_equal(first->join.error_code, KE_REBALANCE_IN_PROGRESS);
    assert_false(second->done);
    ask_join(&c, (struct joiner){.member = crew_id(&crew, 1)});
    club_settle(&c);
    assert_true(second->done);
    assert_int_equal(second->join.error_code, KE_NONE);
}

/* A connection that goes away does not take its member along: the rebalance counts it as joined. */
static void given_up_request_leaves_the_member(void **state)
{
    struct crew crew;
    struct answer *gone, *other;

    club_stable(&c, "g", 2, &crew);
    gone = ask_join(&c, (struct joiner){.member = crew_id(&crew, 0)});
    groupm_give_up(c.g, &gone->call);
    assert_true(gone->done);
    assert_int_equal(gone->join.error_code, KE_COORDINATOR_NOT_AVAILABLE);
    other = ask_join(&c, (struct joiner){.member = crew_id(&crew, 1)});
    club_settle(&c);
    assert_true(other->done);
    assert_true(str_is(other->join.leader, crew_id(&crew, 0)));
    assert_int_equal(ask_describe(&c, "g", 5)->describe.groups[0].n_members, 2);
}

/* Whoever waits when the broker stops is told, and later requests are refused. */
static void stop_answers_everybody(void **state)
{
    struct answer *a = ask_join_new(&c, (struct joiner){0}), *b;

    groupm_stop(c.g);
    assert_true(a->done);
    assert_int_equal(a->join.error_code, KE_COORDINATOR_NOT_AVAILABLE);
    b = ask_join(&c, (struct joiner){0});
    assert_true(b->done);
    assert_int_equal(b->join.error_code, KE_COORDINATOR_NOT_AVAILABLE);
    club_pass_ms(&c, 3600000); /* and no timer does anything any more */
    assert_int_equal(club_records(&c), 1);
}

/* A shard that cannot be had is the coordinator's fault, not the client's. */
static void unavailable_shard(void **state)
{
    struct answer *a;

    c.unavailable = true;
    a = ask_join(&c, (struct joiner){0});
    assert_true(a->done);
    assert_int_equal(a->join.error_code, KE_COORDINATOR_NOT_AVAILABLE);
    c.unavailable = false;
}

/* A group that cannot be written does not come to be. */
static void full_disk_refuses_a_new_group(void **state)
{
    struct answer *a;

    club_open_shards(&c);
    vfs_mem_set_space(c.env.vfs, 1);
    a = ask_join(&c, (struct joiner){0});
    club_settle(&c);
    assert_true(a->done);
    assert_int_equal(a->join.error_code, KE_COORDINATOR_NOT_AVAILABLE);
    assert_int_equal(ask_list(&c, NULL, NULL)->list.n_groups, 0);
    vfs_mem_set_space(c.env.vfs, UINT64_MAX);
    a = ask_join(&c, (struct joiner){0});
    club_settle(&c);
    assert_int_equal(a->join.error_code, KE_MEMBER_ID_REQUIRED);
}

/* Names may hold any bytes, zeros too: two that differ behind one are two. */
static void names_with_zeros_differ(void **state)
{
    struct answer *a = answer_new(&c, 9), *b = answer_new(&c, 9);
    struct join_group_request_protocols p = {.name = STR("range"), .metadata = bytes_of("", 0)};
    struct group_client who = {STR("c"), STR("/h")};
    struct join_group_request rq;

    join_group_request_init(&rq);
    rq.protocol_type = STR("consumer");
    rq.session_timeout_ms = rq.rebalance_timeout_ms = 10000;
    rq.protocols = &p;
    rq.n_protocols = 1;
    rq.member_id = STR("");
    rq.group_id = STR("a\0b");
    groupm_join(c.g, &who, &rq, 9, &a->join, &a->call);
    rq.group_id = STR("a\0c");
    groupm_join(c.g, &who, &rq, 9, &b->join, &b->call);
    club_settle(&c);
    assert_int_equal(b->join.error_code, KE_MEMBER_ID_REQUIRED);
    club_restart(&c, true);
    assert_int_equal(ask_list(&c, NULL, NULL)->list.n_groups, 2);
}

/* ---- group.max.size */

static const char *const small[] = {"group.max.size=2", NULL};

static int setup_small(void **state)
{
    club_open(&c, small);
    return 0;
}

/* A group takes group.max.size members and no more. */
static void full_group_turns_away(void **state)
{
    struct crew crew;
    struct answer *a;

    club_stable(&c, "g", 2, &crew);
    a = ask_join(&c, (struct joiner){0});
    club_settle(&c);
    assert_true(a->done);
    assert_int_equal(a->join.error_code, KE_GROUP_MAX_SIZE_REACHED);
    a = ask_join(&c, (struct joiner){.member = crew_id(&crew, 1)}); /* members are welcome */
    club_settle(&c);
    assert_int_equal(a->join.error_code, KE_NONE);
}

/* While members gather, only those who already came count. */
static void full_group_while_gathering(void **state)
{
    struct answer *a = ask_join_new(&c, (struct joiner){.version = 9});
    struct answer *b = ask_join_new(&c, (struct joiner){0});
    struct answer *third;

    third = ask_join(&c, (struct joiner){0});
    club_settle(&c);
    assert_int_equal(third->join.error_code, KE_GROUP_MAX_SIZE_REACHED);
    club_pass_ms(&c, 6000);
    assert_int_equal(a->join.error_code, KE_NONE);
    assert_int_equal(b->join.error_code, KE_NONE);
    assert_int_equal(a->join.n_members, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(newcomer_is_told_its_id_first),
        TEST(old_newcomer_joins_at_once),
        TEST(version_0_takes_the_session_timeout_for_the_rebalance),
        TEST(first_rebalance_is_delayed),
        TEST(newcomers_extend_the_delay_up_to_the_rebalance_timeout),
        TEST(storm_makes_one_generation),
        TEST(later_rebalance_ends_when_all_have_joined),
        TEST(slow_member_is_removed_at_the_rebalance_timeout),
        TEST(protocol_is_chosen_by_vote),
        TEST(doubled_protocol_counts_once),
        TEST(inconsistent_protocols_are_refused),
        TEST(empty_group_wants_type_and_protocols),
        TEST(bounds_of_group_id_and_session_timeout),
        TEST(unknown_member_id_is_refused),
        TEST(handed_out_id_is_forgotten),
        TEST(rebalance_waits_for_handed_out_ids),
        TEST(waiting_newcomer_is_removed_after_five_minutes),
        TEST(same_join_again_gets_the_same_generation),
        TEST(who_may_start_a_rebalance_of_a_stable_group),
        TEST(changed_metadata_while_the_leader_assigns),
        TEST(second_request_ends_the_first),
        TEST(given_up_request_leaves_the_member),
        TEST(stop_answers_everybody),
        TEST(unavailable_shard),
        TEST(full_disk_refuses_a_new_group),
        TEST(names_with_zeros_differ),
        cmocka_unit_test_setup_teardown(full_group_turns_away, setup_small, teardown),
        cmocka_unit_test_setup_teardown(full_group_while_gathering, setup_small, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
