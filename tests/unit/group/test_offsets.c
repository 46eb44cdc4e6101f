/* OffsetCommit, OffsetFetch, OffsetDelete, deleted topics (src/group/commit.c, fetch.c, delete.c,
 * offsets.c). */
#include "club.h"

#include "internal.h"

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

static int16_t committed(struct committer o)
{
    struct answer *a = ask_commit(&c, o);

    club_settle(&c);
    return commit_error(a);
}

static struct committer simple(int32_t partition, int64_t offset)
{
    return (struct committer){.generation = -1, .partition = partition, .offset = offset};
}

/* ---- OffsetCommit */

/* A consumer that assigns itself commits to a group that comes to be with that. */
static void simple_commit_makes_a_group(void **state)
{
    struct answer *a = ask_commit(&c, simple(1, 42));

    assert_false(a->done); /* not yet durable */
    club_settle(&c);
    assert_int_equal(commit_error(a), KE_NONE);
    assert_int_equal(fetched(&c, "g", "t", 1), 42);
    assert_int_equal(fetched(&c, "g", "t", 0), -1);
    assert_string_equal(state_of(&c, "g"), "Empty");
    assert_int_equal(club_records(&c), 1); /* the offset alone */
}

/* The group id "" may commit and fetch, for old consumers' sake. */
static void nameless_group_may_commit(void **state)
{
    struct committer o = simple(0, 5);

    o.group = "";
    assert_int_equal(committed(o), KE_NONE);
    assert_int_equal(fetched(&c, "", "t", 0), 5);
}

/* A member commits in Stable; what others send is refused, each with its error. */
static void commits_in_a_stable_group(void **state)
{
    struct crew crew;
    struct committer ok;

    club_stable(&c, "g", 1, &crew);
    ok = (struct committer){.member = crew_id(&crew, 0), .generation = 1, .offset = 7};
    assert_int_equal(committed(ok), KE_NONE);
    assert_int_equal(fetched(&c, "g", "t", 0), 7);
    ok.generation = 0;
    assert_int_equal(committed(ok), KE_ILLEGAL_GENERATION);
    ok.generation = -1;
    assert_int_equal(committed(ok), KE_ILLEGAL_GENERATION);
    ok.member = "ghost";
    ok.generation = 1;
    assert_int_equal(committed(ok), KE_UNKNOWN_MEMBER_ID);
    ok.member = "";
    ok.generation = -1;
    assert_int_equal(committed(ok), KE_UNKNOWN_MEMBER_ID);
    assert_int_equal(fetched(&c, "g", "t", 0), 7);
}

/* While members gather a commit of the old generation is still taken, while the leader assigns
 * none. */
static void commits_during_a_rebalance(void **state)
{
    struct crew crew;
    struct answer *again;
    struct committer o;

    club_stable(&c, "g", 2, &crew);
    again = ask_join(&c, (struct joiner){.member = crew_id(&crew, 0)});
    assert_string_equal(state_of(&c, "g"), "PreparingRebalance");
    o = (struct committer){.member = crew_id(&crew, 1), .generation = 1, .offset = 9};
    assert_int_equal(committed(o), KE_NONE);
    ask_join(&c, (struct joiner){.member = crew_id(&crew, 1)});
    club_settle(&c);
    assert_true(again->done);
    assert_string_equal(state_of(&c, "g"), "CompletingRebalance");
    o.generation = 2;
    assert_int_equal(committed(o), KE_REBALANCE_IN_PROGRESS);
    assert_int_equal(fetched(&c, "g", "t", 0), 9);
}

/* An empty group that had members takes simple commits, and those of nobody else. */
static void commits_in_an_empty_group(void **state)
{
    struct crew crew;
    struct committer o;

    club_stable(&c, "g", 1, &crew);
    o = (struct committer){.member = crew_id(&crew, 0), .generation = 1, .offset = 9};
    ask_leave(&c, "g", crew_id(&crew, 0), NULL);
    assert_int_equal(committed(o), KE_UNKNOWN_MEMBER_ID);
    assert_int_equal(committed(simple(0, 3)), KE_NONE);
}

/* A generation of a group that is not there: version 9 names that, older ones say
 * ILLEGAL_GENERATION. */
static void commit_to_an_unknown_group(void **state)
{
    struct committer o = {.member = "m", .generation = 1, .version = 9};

    assert_int_equal(committed(o), KE_GROUP_ID_NOT_FOUND);
    o.version = 8;
    assert_int_equal(committed(o), KE_ILLEGAL_GENERATION);
    assert_int_equal(club_records(&c), 0);
}

/* Topics and partitions that do not exist, by name and by id. */
static void commit_to_unknown_topics(void **state)
{
    struct committer o = simple(0, 1);

    o.topic = "nowhere";
    assert_int_equal(committed(o), KE_UNKNOWN_TOPIC_OR_PARTITION);
    o.version = 10;
    assert_int_equal(committed(o), KE_UNKNOWN_TOPIC_ID);
    assert_int_equal(committed(simple(3, 1)), KE_NONE);
    assert_int_equal(committed(simple(4, 1)), KE_UNKNOWN_TOPIC_OR_PARTITION);
    assert_int_equal(committed(simple(-1, 1)), KE_UNKNOWN_TOPIC_OR_PARTITION);
}

/* What is known of a request is committed, though the rest is not; an error of the group is told
 * for the known ones only. */
static void unknown_partitions_do_not_hinder_known_ones(void **state)
{
    struct group_client who = {STR("c"), STR("/h")};
    struct offset_commit_request_topics_partitions parts[2];
    struct offset_commit_request_topics topic;
    struct offset_commit_request rq;
    struct answer *a;

    offset_commit_request_init(&rq);
    offset_commit_request_topics_init(&topic);
    for (int i = 0; i < 2; i++) {
        offset_commit_request_topics_partitions_init(&parts[i]);
        parts[i].partition_index = i * 100;
        parts[i].committed_offset = 5;
    }
    topic.name = STR("t");
    topic.partitions = parts;
    topic.n_partitions = 2;
    rq.group_id = STR("g");
    rq.member_id = STR("");
    rq.topics = &topic;
    rq.n_topics = 1;
    for (int round = 0; round < 2; round++) {
        rq.generation_id_or_member_epoch = round == 0 ? -1 : 3;
        a = answer_new(&c, 8);
        groupm_offset_commit(c.g, &who, &rq, 8, &a->commit, &a->call);
        club_settle(&c);
        assert_true(a->done);
        assert_int_equal(a->commit.topics[0].partitions[0].error_code,
                         round == 0 ? KE_NONE : KE_UNKNOWN_MEMBER_ID);
        assert_int_equal(a->commit.topics[0].partitions[1].error_code,
                         KE_UNKNOWN_TOPIC_OR_PARTITION);
    }
    assert_int_equal(fetched(&c, "g", "t", 0), 5);
}

/* Metadata is kept, up to offset.metadata.max.bytes of Java's characters. */
static void metadata_has_a_limit(void **state)
{
    char text[4096 * 3 + 2] = {0};
    struct committer o = simple(0, 1);
    struct answer *a;

    memset(text, 'x', 4096);
    o.metadata = text;
    assert_int_equal(committed(o), KE_NONE);
    a = ask_fetch(&c, "g", "t", 0);
    club_settle(&c);
    assert_true(str_is(a->fetch.topics[0].partitions[0].metadata, text));
    text[4096] = 'x';
    assert_int_equal(committed(o), KE_OFFSET_METADATA_TOO_LARGE);
    for (int i = 0; i < 4096; i++)
        memcpy(text + 3 * i, "\xe2\x82\xac", 3); /* one UTF-16 unit each */
    assert_int_equal(committed(o), KE_NONE);
    for (int i = 0; i < 2048; i++)
        memcpy(text + 4 * i, "\xf0\x9f\x98\x80", 4); /* two each */
    text[4 * 2048] = '\0';
    assert_int_equal(committed(o), KE_NONE);
    memcpy(text + 4 * 2048, "x", 2);
    assert_int_equal(committed(o), KE_OFFSET_METADATA_TOO_LARGE);
}

/* A later commit replaces everything of the earlier one. */
static void later_commit_counts(void **state)
{
    struct committer o = simple(2, 10);
    struct answer *a;

    o.metadata = "first";
    o.leader_epoch = 3;
    committed(o);
    committed(simple(2, 4));
    a = ask_fetch(&c, "g", "t", 2);
    club_settle(&c);
    assert_int_equal(a->fetch.topics[0].partitions[0].committed_offset, 4);
    assert_int_equal(a->fetch.topics[0].partitions[0].committed_leader_epoch, -1);
    assert_int_equal(a->fetch.topics[0].partitions[0].metadata.n, 0);
    assert_non_null(a->fetch.topics[0].partitions[0].metadata.p);
}

/* A commit is a sign of life. */
static void commit_keeps_the_session(void **state)
{
    struct crew crew;

    club_stable(&c, "g", 1, &crew);
    for (int i = 0; i < 4; i++) {
        committed((struct committer){.member = crew_id(&crew, 0), .generation = 1, .offset = i});
        club_pass_ms(&c, 9000);
    }
    assert_string_equal(state_of(&c, "g"), "Stable");
}

/* A full disk refuses the commit, and nothing of it is seen. */
static void full_disk_refuses_a_commit(void **state)
{
    char text[4096] = {0};
    struct committer o = simple(0, 2);
    int16_t error = KE_NONE;

    committed(simple(0, 1));
    memset(text, 'x', sizeof(text) - 1);
    o.metadata = text;
    vfs_mem_set_space(c.env.vfs, 1);
    for (int i = 0; i < 20 && !error; i++, o.offset += error ? 0 : 1)
        error = committed(o);
    assert_int_equal(error, KE_COORDINATOR_NOT_AVAILABLE);
    assert_int_equal(fetched(&c, "g", "t", 0), o.offset - 1);
    vfs_mem_set_space(c.env.vfs, UINT64_MAX);
    assert_int_equal(committed(simple(0, 77)), KE_NONE);
}

/* ---- OffsetFetch */

static struct answer *fetch_v8(int16_t version, const struct offset_fetch_request *rq)
{
    struct answer *a = answer_new(&c, version);

    groupm_offset_fetch(c.g, rq, version, &a->fetch, &a->call);
    club_settle(&c);
    assert_true(a->done);
    return a;
}

/* All topics of a group, when no list is given. */
static void all_topics(void **state)
{
    struct answer *a;
    int64_t sum = 0;

    club_topic(&c, "u", 2);
    committed(simple(0, 1));
    committed(simple(3, 10));
    committed((struct committer){.topic = "u", .generation = -1, .partition = 1, .offset = 100});
    a = ask_fetch(&c, "g", NULL, 0);
    club_settle(&c);
    assert_int_equal(a->fetch.n_topics, 2);
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < a->fetch.topics[i].n_partitions; j++)
            sum += a->fetch.topics[i].partitions[j].committed_offset;
    assert_int_equal(sum, 111);
    a = ask_fetch(&c, "nobody", NULL, 0);
    club_settle(&c);
    assert_int_equal(a->fetch.error_code, KE_NONE);
    assert_int_equal(a->fetch.n_topics, 0);
}

/* From version 8 on several groups are asked at once, each on its own. */
static void several_groups_at_once(void **state)
{
    struct offset_fetch_request_groups groups[3];
    struct offset_fetch_request_groups_topics topic;
    struct offset_fetch_request rq;
    int32_t partition = 0;
    struct answer *a;

    committed((struct committer){.group = "a", .generation = -1, .offset = 1});
    committed((struct committer){.group = "b", .generation = -1, .offset = 2});
    offset_fetch_request_init(&rq);
    offset_fetch_request_groups_topics_init(&topic);
    topic.name = STR("t");
    topic.partition_indexes = &partition;
    topic.n_partition_indexes = 1;
    for (int i = 0; i < 3; i++) {
        offset_fetch_request_groups_init(&groups[i]);
        groups[i].group_id = i == 0 ? STR("a") : i == 1 ? STR("b") : STR("nobody");
        groups[i].topics = &topic;
        groups[i].n_topics = 1;
    }
    groups[1].n_topics = -1;
    rq.groups = groups;
    rq.n_groups = 3;
    a = fetch_v8(8, &rq);
    assert_int_equal(a->fetch.n_groups, 3);
    assert_int_equal(a->fetch.groups[0].topics[0].partitions[0].committed_offset, 1);
    assert_int_equal(a->fetch.groups[1].topics[0].partitions[0].committed_offset, 2);
    assert_int_equal(a->fetch.groups[2].topics[0].partitions[0].committed_offset, -1);
    assert_int_equal(a->fetch.groups[2].error_code, KE_NONE);
}

/* From version 10 on topics are known by their ids; those of an older topic of the name are not
 * shown. */
static void topics_by_id(void **state)
{
    struct offset_fetch_request_groups group;
    struct offset_fetch_request_groups_topics topic;
    struct offset_fetch_request rq;
    int32_t partition = 0;
    struct answer *a;
    struct committer o = simple(0, 33);

    o.version = 10;
    assert_int_equal(committed(o), KE_NONE);
    offset_fetch_request_init(&rq);
    offset_fetch_request_groups_init(&group);
    offset_fetch_request_groups_topics_init(&topic);
    topic.topic_id = club_topic_id(&c, "t");
    topic.partition_indexes = &partition;
    topic.n_partition_indexes = 1;
    group.group_id = STR("g");
    group.topics = &topic;
    group.n_topics = 1;
    rq.groups = &group;
    rq.n_groups = 1;
    a = fetch_v8(10, &rq);
    assert_int_equal(a->fetch.groups[0].topics[0].partitions[0].committed_offset, 33);
    topic.topic_id.b[0] ^= 1;
    a = fetch_v8(10, &rq);
    assert_int_equal(a->fetch.groups[0].topics[0].partitions[0].error_code, KE_UNKNOWN_TOPIC_ID);
    assert_int_equal(a->fetch.groups[0].topics[0].partitions[0].committed_offset, -1);
    group.n_topics = -1;
    a = fetch_v8(10, &rq);
    assert_int_equal(a->fetch.groups[0].n_topics, 1);
    assert_true(uuid_eq(a->fetch.groups[0].topics[0].topic_id, club_topic_id(&c, "t")));
    club_topic(&c, "t", 4); /* another topic of that name */
    a = fetch_v8(10, &rq);
    assert_int_equal(a->fetch.groups[0].n_topics, 0);
    assert_int_equal(fetched(&c, "g", "t", 0), -1);
}

/* Versions 0 and 1 have no error of their own: each partition carries it. */
static void old_fetch_tells_errors_per_partition(void **state)
{
    struct offset_fetch_request_topics topic;
    struct offset_fetch_request rq;
    int32_t partition = 0;
    struct answer *a;

    committed(simple(0, 1));
    offset_fetch_request_init(&rq);
    offset_fetch_request_topics_init(&topic);
    topic.name = STR("t");
    topic.partition_indexes = &partition;
    topic.n_partition_indexes = 1;
    rq.group_id = STR("g");
    rq.topics = &topic;
    rq.n_topics = 1;
    c.unavailable = true;
    a = fetch_v8(1, &rq);
    assert_int_equal(a->fetch.topics[0].partitions[0].error_code, KE_COORDINATOR_NOT_AVAILABLE);
    a = fetch_v8(2, &rq);
    assert_int_equal(a->fetch.error_code, KE_COORDINATOR_NOT_AVAILABLE);
    assert_int_equal(a->fetch.n_topics, 0);
    c.unavailable = false;
}

/* ---- OffsetDelete and deleted topics */

static struct answer *delete_offset(const char *group, const char *topic, int32_t partition)
{
    struct offset_delete_request_topics_partitions p;
    struct offset_delete_request_topics t;
    struct offset_delete_request rq;
    struct answer *a = answer_new(&c, 0);

    offset_delete_request_init(&rq);
    offset_delete_request_topics_init(&t);
    offset_delete_request_topics_partitions_init(&p);
    p.partition_index = partition;
    t.name = str_of(topic);
    t.partitions = &p;
    t.n_partitions = 1;
    rq.group_id = str_of(group);
    rq.topics = &t;
    rq.n_topics = 1;
    groupm_offset_delete(c.g, &rq, 0, &a->offset_delete, &a->call);
    club_settle(&c);
    assert_true(a->done);
    return a;
}

static int16_t part_error(const struct answer *a)
{
    assert_int_equal(a->offset_delete.error_code, KE_NONE);
    return a->offset_delete.topics[0].partitions[0].error_code;
}

/* Offsets of an empty group may be deleted, and stay so. */
static void offsets_of_an_empty_group_are_deleted(void **state)
{
    committed(simple(0, 1));
    committed(simple(1, 2));
    assert_int_equal(part_error(delete_offset("g", "t", 0)), KE_NONE);
    assert_int_equal(fetched(&c, "g", "t", 0), -1);
    assert_int_equal(part_error(delete_offset("g", "t", 2)), KE_NONE); /* there was none */
    assert_int_equal(part_error(delete_offset("g", "t", 9)), KE_UNKNOWN_TOPIC_OR_PARTITION);
    club_restart(&c, true);
    assert_int_equal(fetched(&c, "g", "t", 0), -1);
    assert_int_equal(fetched(&c, "g", "t", 1), 2);
}

/* Of a group at work only those of topics that no member reads; of one that is not of consumers,
 * none. */
static void offsets_of_a_group_at_work(void **state)
{
    struct crew crew;
    struct answer *other;

    club_topic(&c, "u", 1);
    committed((struct committer){.topic = "u", .generation = -1, .offset = 5});
    committed(simple(0, 1));
    club_stable(&c, "g", 1, &crew);
    assert_int_equal(part_error(delete_offset("g", "t", 0)), KE_GROUP_SUBSCRIBED_TO_TOPIC);
    assert_int_equal(part_error(delete_offset("g", "u", 0)), KE_NONE);
    assert_int_equal(fetched(&c, "g", "u", 0), -1);
    assert_int_equal(fetched(&c, "g", "t", 0), 1);
    other = ask_join_new(&c, (struct joiner){.group = "w", .type = "connect"});
    club_pass_ms(&c, 3000);
    assert_true(other->done);
    assert_int_equal(delete_offset("w", "t", 0)->offset_delete.error_code, KE_NON_EMPTY_GROUP);
    assert_int_equal(delete_offset("nobody", "t", 0)->offset_delete.error_code,
                     KE_GROUP_ID_NOT_FOUND);
    assert_int_equal(delete_offset("", "t", 0)->offset_delete.error_code, KE_INVALID_GROUP_ID);
}

/* A topic's end is the end of its offsets, in every group and every shard, and only of its own. */
static void deleted_topic_takes_its_offsets_along(void **state)
{
    char group[] = "g0";

    club_topic(&c, "u", 1);
    for (int i = 0; i < 9; i++, group[1]++) {
        committed((struct committer){.group = group, .generation = -1, .offset = 5});
        committed((struct committer){.group = group, .topic = "u", .generation = -1, .offset = 6});
    }
    groupm_topic_deleted(c.g, STR("t"));
    groupm_topic_deleted(c.g, STR("never was"));
    club_restart(&c, true);
    for (int i = 0; i < 9; i++) {
        group[1] = (char)('0' + i);
        assert_int_equal(fetched(&c, group, "t", 0), -1);
        assert_int_equal(fetched(&c, group, "u", 0), 6);
    }
}

/* ---- the store: many partitions, put and removed in all orders */

static void store_of_many_partitions(void **state)
{
    struct group_shard *s = groupm_shard(c.g, 0);
    struct group *g;
    int64_t want[500];
    struct rng rng;

    rng_init(&rng, 3);
    for (int i = 0; i < 500; i++)
        want[i] = -1;
    g = group_add(s, STR("many"));
    for (int round = 0; round < 20000; round++) {
        int32_t p = (int32_t)rng_below(&rng, 500);
        struct offset_entry e = {.partition = p, .offset = round};
        const struct offset_entry *found;

        if (rng_below(&rng, round < 10000 ? 3 : 2) == 0) {
            offsets_remove(g, STR("t"), p);
            want[p] = -1;
        } else {
            offsets_put(g, STR("t"), &e, p % 7 == 0 ? STR("text") : STR(""));
            want[p] = round;
        }
        found = offsets_find(g, STR("t"), p);
        assert_int_equal(found ? found->offset : -1, want[p]);
        p = (int32_t)rng_below(&rng, 500);
        found = offsets_find(g, STR("t"), p);
        assert_int_equal(found ? found->offset : -1, want[p]);
    }
    for (int32_t p = 0; p < 500; p++)
        offsets_remove(g, STR("t"), p);
    assert_null(offsets_topic(g, STR("t")));
    assert_null(c.g->topic_names);
    group_remove(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(simple_commit_makes_a_group),
        TEST(nameless_group_may_commit),
        TEST(commits_in_a_stable_group),
        TEST(commits_during_a_rebalance),
        TEST(commits_in_an_empty_group),
        TEST(commit_to_an_unknown_group),
        TEST(commit_to_unknown_topics),
        TEST(unknown_partitions_do_not_hinder_known_ones),
        TEST(metadata_has_a_limit),
        TEST(later_commit_counts),
        TEST(commit_keeps_the_session),
        TEST(full_disk_refuses_a_commit),
        TEST(all_topics),
        TEST(several_groups_at_once),
        TEST(topics_by_id),
        TEST(old_fetch_tells_errors_per_partition),
        TEST(offsets_of_an_empty_group_are_deleted),
        TEST(offsets_of_a_group_at_work),
        TEST(deleted_topic_takes_its_offsets_along),
        TEST(store_of_many_partitions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
