/* The bytes of records (src/group/records.c), compared with what a broker of Apache Kafka 4.4.0
 * wrote. */
#include "club.h"

#include "internal.h"

/* kafka-python joined "gk" as a consumer of topic "t" with four partitions, committed, and left. */
static const char new_group[] = "0003"
                                "0000"
                                "00000000"
                                "ffff"
                                "ffff"
                                "000001a205975d66"
                                "00000000";
static const char stable_group[] =
    "00030008636f6e73756d657200000001000572616e676500386b61666b612d707974686f6e2d332e302e31322d63"
    "393766613834352d303838312d346531362d393062612d396166303630373032323335000001a20597692a000000"
    "0100386b61666b612d707974686f6e2d332e302e31322d63393766613834352d303838312d346531362d39306261"
    "2d396166303630373032323335ffff00136b61666b612d707974686f6e2d332e302e3132000a2f3132372e302e30"
    "2e31000493e0000027100000000d0000000000010001740000000000000021000000000001000174000000040000"
    "000000000001000000020000000300000000";
static const char empty_group[] =
    "00030008636f6e73756d657200000002ffffffff000001a20597750000000000";
static const char offset[] =
    "00040000000000000005ffffffff01000001a205975d460100103b4195a6d05044b09b097c061bb9f75e";

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

static struct bytes unhex(struct arena *arena, const char *hex)
{
    size_t n = strlen(hex) / 2;
    uint8_t *p = arena_alloc(arena, n + 1);

    for (size_t i = 0; i < n; i++) {
        char byte[3] = {hex[2 * i], hex[2 * i + 1], '\0'};

        p[i] = (uint8_t)strtoul(byte, NULL, 16);
    }
    return bytes_of(p, n);
}

static void assert_proposed(const struct statelog_proposal *p, int i, struct bytes key,
                            struct bytes value)
{
    struct statelog_entry e;

    assert_true(i < p->n);
    e = statelog_proposal_entry(p, i);
    assert_int_equal(e.key.n, key.n);
    assert_memory_equal(e.key.p, key.p, key.n);
    assert_int_equal(e.value.p == NULL, value.p == NULL);
    assert_int_equal(e.value.n, value.n);
    if (value.n)
        assert_memory_equal(e.value.p, value.p, value.n);
}

/* A group that comes to be, and tombstones. */
static void new_group_and_tombstones(void **state)
{
    struct arena arena;
    struct statelog_proposal p;

    arena_init(&arena);
    statelog_proposal_init(&p);
    propose_new_group(&p, STR("gk"), 0x1a205975d66);
    propose_group_tombstone(&p, STR("gk"));
    propose_offset_tombstone(&p, STR("gk"), STR("t"), 3);
    assert_proposed(&p, 0, unhex(&arena, "00020002676b"), unhex(&arena, new_group));
    assert_proposed(&p, 1, unhex(&arena, "00020002676b"), bytes_of(NULL, 0));
    assert_proposed(&p, 2, unhex(&arena, "00010002676b00017400000003"), bytes_of(NULL, 0));
    statelog_proposal_release(&p);
    arena_release(&arena);
}

/* A group is read from Kafka's record and written again as the same bytes: Stable and Empty. */
static void groups_round_trip(void **state)
{
    static const char *const rows[] = {stable_group, empty_group};

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct group_shard *s = groupm_shard(c.g, 0);
        struct arena arena;
        struct statelog_proposal p;
        struct statelog_record r = {.offset = (int64_t)i, .producer_id = NO_PRODUCER_ID};

        arena_init(&arena);
        r.key = unhex(&arena, "00020002676b");
        r.value = unhex(&arena, rows[i]);
        group_shard_apply(s, &r);
        statelog_proposal_init(&p);
        propose_group(&p, group_find(s, STR("gk")), false);
        assert_proposed(&p, 0, r.key, r.value);
        statelog_proposal_release(&p);
        arena_release(&arena);
    }
}

/* An offset as well; with a time of its own it is written in version 1, which has room for it. */
static void offsets_round_trip(void **state)
{
    struct statelog_record r = {.producer_id = NO_PRODUCER_ID};
    struct group_shard *s = groupm_shard(c.g, 0);
    const struct offset_entry *found;
    struct offset_entry own;
    struct arena arena;
    struct statelog_proposal p;

    arena_init(&arena);
    r.key = unhex(&arena, "0001000000017400000001");
    r.value = unhex(&arena, offset);
    group_shard_apply(s, &r);
    found = offsets_find(group_find(s, STR("")), STR("t"), 1);
    assert_non_null(found);
    assert_int_equal(found->offset, 5);
    own = *found;
    statelog_proposal_init(&p);
    propose_offset(&p, STR(""), STR("t"), &own, offset_metadata(found));
    assert_proposed(&p, 0, r.key, r.value);
    own.expire_ms = 0x1a2059847a4;
    propose_offset(&p, STR(""), STR("t"), &own, offset_metadata(found));
    assert_proposed(&p, 1, r.key,
                    unhex(&arena, "000100000000000000050000000001a205975d46000001a2059847a4"));
    statelog_proposal_release(&p);
    arena_release(&arena);
}

/* The shard is that of String.hashCode, as Kafka puts it. */
static void shards_are_kafkas(void **state)
{
    assert_int_equal(group_shard_of(STR("g-consumer"), 50), 32);
    assert_int_equal(group_shard_of(STR("g-classic"), 50), 18);
    assert_int_equal(group_shard_of(STR("txg"), 50), 49);
    assert_int_equal(group_shard_of(STR(""), 50), 0);
    assert_int_equal(group_shard_of(STR("gk"), 50), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(new_group_and_tombstones),
        TEST(groups_round_trip),
        TEST(offsets_round_trip),
        TEST(shards_are_kafkas),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
