/* What is forgotten, and when (src/group/expiry.c). Retention is two minutes, looked at each
 * second. */
#include "club.h"

#define MINUTE 60000

static struct club c;
static const char *const settings[] = {"offsets.retention.minutes=2",
                                       "offsets.retention.check.interval.ms=1000", NULL};

static int setup(void **state)
{
    club_open(&c, settings);
    return 0;
}

static int teardown(void **state)
{
    club_close(&c);
    return 0;
}

static void commit(struct committer o)
{
    struct answer *a = ask_commit(&c, o);

    club_settle(&c);
    assert_int_equal(commit_error(a), KE_NONE);
}

static void stay_alive(const struct crew *crew, int64_t ms)
{
    for (; ms > 0; ms -= 5000) {
        for (int i = 0; i < crew->n; i++)
            ask_heartbeat(&c, "g", crew_id(crew, i), crew->generation);
        club_pass_ms(&c, MIN(ms, 5000));
    }
}

/* Offsets of a group that nobody ever joined go so long after each commit; the group with the
 * last. */
static void simple_offsets_expire_after_their_commit(void **state)
{
    commit((struct committer){.generation = -1, .partition = 0, .offset = 1});
    club_pass_ms(&c, MINUTE);
    commit((struct committer){.generation = -1, .partition = 1, .offset = 2});
    club_pass_ms(&c, MINUTE - 1);
    assert_int_equal(fetched(&c, "g", "t", 0), 1);
    club_pass_ms(&c, 1001);
    assert_int_equal(fetched(&c, "g", "t", 0), -1);
    assert_int_equal(fetched(&c, "g", "t", 1), 2);
    club_pass_ms(&c, MINUTE);
    assert_string_equal(state_of(&c, "g"), "Dead");
    club_restart(&c, true);
    assert_string_equal(state_of(&c, "g"), "Dead");
}

/* Offsets of an empty group go so long after it became empty, however old the commits are. */
static void offsets_of_an_empty_group_expire_after_it_emptied(void **state)
{
    struct crew crew;

    club_stable(&c, "g", 1, &crew);
    commit((struct committer){.member = crew_id(&crew, 0), .generation = 1, .offset = 5});
    stay_alive(&crew, 3 * MINUTE);
    ask_leave(&c, "g", crew_id(&crew, 0), NULL);
    club_pass_ms(&c, 2 * MINUTE - 1500);
    assert_int_equal(fetched(&c, "g", "t", 0), 5);
    club_pass_ms(&c, 2500);
    assert_int_equal(fetched(&c, "g", "t", 0), -1);
    assert_string_equal(state_of(&c, "g"), "Dead");
}

/* The time at which a group became empty outlives a restart. */
static void time_of_becoming_empty_is_stored(void **state)
{
    struct crew crew;

    club_stable(&c, "g", 1, &crew);
    commit((struct committer){.member = crew_id(&crew, 0), .generation = 1, .offset = 5});
    ask_leave(&c, "g", crew_id(&crew, 0), NULL);
    club_pass_ms(&c, MINUTE);
    club_restart(&c, true);
    club_pass_ms(&c, MINUTE - 1500);
    assert_int_equal(fetched(&c, "g", "t", 0), 5);
    club_pass_ms(&c, 2500);
    assert_int_equal(fetched(&c, "g", "t", 0), -1);
}

/* Of a group at work only offsets of topics that no member reads any more go. */
static void unread_topics_of_a_stable_group_expire(void **state)
{
    struct crew crew;

    club_topic(&c, "u", 1);
    commit((struct committer){.generation = -1, .offset = 1});
    commit((struct committer){.topic = "u", .generation = -1, .offset = 2});
    club_stable(&c, "g", 1, &crew);
    stay_alive(&crew, 3 * MINUTE);
    assert_int_equal(fetched(&c, "g", "t", 0), 1);
    assert_int_equal(fetched(&c, "g", "u", 0), -1);
}

/* Where the subscription cannot be read, or the group is not of consumers, none goes. */
static void unreadable_subscriptions_keep_everything(void **state)
{
    struct join_group_request_protocols p = {.name = STR("range"),
                                             .metadata = bytes_of("\0\1garbage", 9)};
    struct group_client who = {STR("c"), STR("/h")};
    struct join_group_request rq;
    struct answer *a = answer_new(&c, 3);
    struct crew crew;

    commit((struct committer){.generation = -1, .offset = 1});
    join_group_request_init(&rq);
    rq.group_id = STR("g");
    rq.member_id = STR("");
    rq.protocol_type = STR("consumer");
    rq.session_timeout_ms = rq.rebalance_timeout_ms = 10000;
    rq.protocols = &p;
    rq.n_protocols = 1;
    groupm_join(c.g, &who, &rq, 3, &a->join, &a->call);
    club_pass_ms(&c, 3000);
    assert_true(a->done);
    ask_sync_leader(&c, "g", a);
    crew = (struct crew){.members = {a}, .n = 1, .generation = 1};
    stay_alive(&crew, 3 * MINUTE);
    assert_string_equal(state_of(&c, "g"), "Stable");
    assert_int_equal(fetched(&c, "g", "t", 0), 1);
}

/* While a group rebalances nothing goes. */
static void nothing_expires_during_a_rebalance(void **state)
{
    struct crew crew;

    club_topic(&c, "u", 1);
    commit((struct committer){.topic = "u", .generation = -1, .offset = 2});
    club_stable(&c, "g", 1, &crew);
    ask_join_new(&c, (struct joiner){.session_ms = 1800000, .rebalance_ms = 1000000});
    stay_alive(&crew, 3 * MINUTE);
    assert_string_equal(state_of(&c, "g"), "PreparingRebalance");
    assert_int_equal(fetched(&c, "g", "u", 0), 2);
}

/* A retention time that came with the commit (v2-4) counts instead of the broker's, also after a
 * restart. */
static void own_retention_time(void **state)
{
    commit((struct committer){
        .generation = -1, .partition = 0, .offset = 1, .retention_ms = 10000, .version = 4});
    commit((struct committer){
        .generation = -1, .partition = 1, .offset = 2, .retention_ms = 5 * MINUTE, .version = 2});
    club_restart(&c, true);
    club_pass_ms(&c, 8000);
    assert_int_equal(fetched(&c, "g", "t", 0), 1);
    club_pass_ms(&c, 3000);
    assert_int_equal(fetched(&c, "g", "t", 0), -1);
    club_pass_ms(&c, 4 * MINUTE);
    assert_int_equal(fetched(&c, "g", "t", 1), 2);
    club_pass_ms(&c, MINUTE);
    assert_int_equal(fetched(&c, "g", "t", 1), -1);
}

/* A group that nothing is left of is forgotten, but not while somebody is about to join. */
static void group_of_nothing_is_forgotten(void **state)
{
    ask_join(&c, (struct joiner){.session_ms = 10000});
    club_pass_ms(&c, 9000);
    assert_string_equal(state_of(&c, "g"), "Empty");
    club_pass_ms(&c, 2000);
    assert_string_equal(state_of(&c, "g"), "Dead");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(simple_offsets_expire_after_their_commit),
        TEST(offsets_of_an_empty_group_expire_after_it_emptied),
        TEST(time_of_becoming_empty_is_stored),
        TEST(unread_topics_of_a_stable_group_expire),
        TEST(unreadable_subscriptions_keep_everything),
        TEST(nothing_expires_during_a_rebalance),
        TEST(own_retention_time),
        TEST(group_of_nothing_is_forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
