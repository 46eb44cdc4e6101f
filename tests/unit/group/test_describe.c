/* ListGroups, DescribeGroups, DeleteGroups (src/group/describe.c). */
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

static void simple_commit(const char *group)
{
    struct answer *a =
        ask_commit(&c, (struct committer){.group = group, .generation = -1, .offset = 1});

    club_settle(&c);
    assert_int_equal(commit_error(a), KE_NONE);
}

/* ---- ListGroups */

/* Nothing is listed, and nothing made, where there are no groups. */
static void no_groups(void **state)
{
    struct answer *a = ask_list(&c, NULL, NULL);

    assert_int_equal(a->list.error_code, KE_NONE);
    assert_int_equal(a->list.n_groups, 0);
    for (int i = 0; i < CLUB_SHARDS; i++)
        assert_null(c.shards[i]);
}

/* Every group is listed with protocol type, state and type. */
static void groups_of_all_shards(void **state)
{
    struct crew crew;
    struct answer *a;
    int seen = 0;

    simple_commit("a");
    simple_commit("b");
    simple_commit("c");
    club_stable(&c, "d", 1, &crew);
    a = ask_list(&c, NULL, NULL);
    assert_int_equal(a->list.n_groups, 4);
    for (int i = 0; i < 4; i++) {
        const struct list_groups_response_groups *row = &a->list.groups[i];
        bool stable = str_is(row->group_id, "d");

        seen |= 1 << (row->group_id.p[0] - 'a');
        assert_true(str_is(row->group_state, stable ? "Stable" : "Empty"));
        assert_true(str_is(row->protocol_type, stable ? "consumer" : ""));
        assert_true(str_is(row->group_type, "classic"));
    }
    assert_int_equal(seen, 15);
}

/* Filters, in any case, with blanks; a word that nobody knows matches nothing. */
static void filters(void **state)
{
    static const struct {
        const char *state, *type;
        int n;
    } rows[] = {
        {"Stable", NULL, 1},       {" stable ", NULL, 1},      {"EMPTY", NULL, 1},
        {"Empty,Stable", NULL, 2}, {"Dead", NULL, 0},          {"bogus", NULL, 0},
        {NULL, "classic", 2},      {NULL, "Classic,bogus", 2}, {NULL, "consumer", 0},
        {NULL, "bogus", 0},        {"Stable", "consumer", 0},  {"Stable", "CLASSIC", 1},
    };
    struct crew crew;

    simple_commit("a");
    club_stable(&c, "d", 1, &crew);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        assert_int_equal(ask_list(&c, rows[i].state, rows[i].type)->list.n_groups, rows[i].n);
}

/* ---- DescribeGroups */

/* A stable group shows its members with metadata and assignment. */
static void stable_group_is_described(void **state)
{
    const struct describe_groups_response_groups *row;
    struct crew crew;

    club_stable(&c, "g", 2, &crew);
    row = &ask_describe(&c, "g", 5)->describe.groups[0];
    assert_int_equal(row->error_code, KE_NONE);
    assert_true(str_is(row->protocol_type, "consumer"));
    assert_true(str_is(row->protocol_data, "range"));
    assert_int_equal(row->n_members, 2);
    assert_true(str_is(row->members[0].member_id, crew_id(&crew, 0)));
    assert_true(str_is(row->members[0].client_id, "client"));
    assert_true(str_is(row->members[0].client_host, "/127.0.0.1"));
    assert_memory_equal(row->members[0].member_assignment.p, "to ", 3);
    assert_true(row->members[0].member_metadata.n > 0);
    assert_int_equal(row->authorized_operations, INT32_MIN);
}

/* During a rebalance neither the protocol nor the metadata is settled. */
static void rebalancing_group_is_described(void **state)
{
    const struct describe_groups_response_groups *row;

    ask_join_new(&c, (struct joiner){.instance = NULL});
    row = &ask_describe(&c, "g", 5)->describe.groups[0];
    assert_true(str_is(row->group_state, "PreparingRebalance"));
    assert_int_equal(row->protocol_data.n, 0);
    assert_int_equal(row->n_members, 1);
    assert_int_equal(row->members[0].member_metadata.n, 0);
    assert_int_equal(row->members[0].member_assignment.n, 0);
}

/* A group that is not there is Dead; from version 6 on that is an error with a message. */
static void unknown_group_is_dead(void **state)
{
    const struct describe_groups_response_groups *row;

    row = &ask_describe(&c, "nobody", 5)->describe.groups[0];
    assert_int_equal(row->error_code, KE_NONE);
    assert_true(str_is(row->group_state, "Dead"));
    row = &ask_describe(&c, "nobody", 6)->describe.groups[0];
    assert_int_equal(row->error_code, KE_GROUP_ID_NOT_FOUND);
    assert_true(str_is(row->group_state, "Dead"));
    assert_true(str_is(row->error_message, "Group nobody not found."));
}

/* ---- DeleteGroups */

static struct answer *delete_groups(const char *const *names, int n)
{
    struct answer *a = answer_new(&c, 2);
    struct delete_groups_request rq;

    delete_groups_request_init(&rq);
    rq.n_groups_names = n;
    rq.groups_names = arena_array(&a->arena, (size_t)n, sizeof(*rq.groups_names));
    for (int i = 0; i < n; i++)
        rq.groups_names[i] = str_of(names[i]);
    groupm_delete(c.g, &rq, 2, &a->del, &a->call);
    return a;
}

/* An empty group goes with its offsets, for good; one at work stays; a name asked twice is answered
 * once. */
static void delete_each(void **state)
{
    static const char *const names[] = {"empty", "busy", "nobody", "empty"};
    struct crew crew;
    struct answer *a;

    simple_commit("empty");
    club_stable(&c, "busy", 1, &crew);
    a = delete_groups(names, 4);
    assert_false(a->done);
    club_settle(&c);
    assert_true(a->done);
    assert_int_equal(a->del.n_results, 3);
    assert_int_equal(a->del.results[0].error_code, KE_NONE);
    assert_int_equal(a->del.results[1].error_code, KE_NON_EMPTY_GROUP);
    assert_int_equal(a->del.results[2].error_code, KE_GROUP_ID_NOT_FOUND);
    assert_string_equal(state_of(&c, "empty"), "Dead");
    club_restart(&c, true);
    assert_string_equal(state_of(&c, "empty"), "Dead");
    assert_int_equal(fetched(&c, "empty", "t", 0), -1);
    assert_string_equal(state_of(&c, "busy"), "Stable");
}

/* A deleted group with an id handed out: that id is unknown then. */
static void delete_with_an_id_handed_out(void **state)
{
    static const char *const names[] = {"g"};
    struct answer *a = ask_join(&c, (struct joiner){0}), *again;

    club_settle(&c);
    delete_groups(names, 1);
    club_settle(&c);
    again = ask_join(&c, (struct joiner){.member = arena_str(&a->arena, a->join.member_id).p});
    club_settle(&c);
    assert_int_equal(again->join.error_code, KE_UNKNOWN_MEMBER_ID);
    club_pass_ms(&c, 60000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(no_groups),
        TEST(groups_of_all_shards),
        TEST(filters),
        TEST(stable_group_is_described),
        TEST(rebalancing_group_is_described),
        TEST(unknown_group_is_dead),
        TEST(delete_each),
        TEST(delete_with_an_id_handed_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
