/* What a restart finds (src/group/apply.c, records.c, transactions.c): each state, old and foreign
 * records, offsets of transactions. */
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

static int16_t beat(const char *member, int32_t generation)
{
    struct answer *a = ask_heartbeat(&c, "g", member, generation);

    club_settle(&c);
    assert_true(a->done);
    return a->heartbeat.error_code;
}

/* ---- in each state */

/* A stable group goes on after a restart as if nothing had been: members, generation, assignments,
 * leader. */
static void stable_group_goes_on(void **state)
{
    struct crew crew;
    struct answer *sync, *again;

    for (int clean = 0; clean < 2; clean++) {
        club_stable(&c, clean ? "h" : "g", 2, &crew);
        club_restart(&c, clean);
    }
    club_stable(&c, "x", 2, &crew);
    club_restart(&c, false);
    assert_string_equal(state_of(&c, "x"), "Stable");
    sync = ask_sync(&c, "x", crew_id(&crew, 1), crew.generation);
    club_settle(&c);
    assert_int_equal(sync->sync.error_code, KE_NONE);
    assert_memory_equal(sync->sync.assignment.p + 3, crew_id(&crew, 1), strlen(crew_id(&crew, 1)));
    again = ask_join(&c, (struct joiner){.group = "x", .member = crew_id(&crew, 0)});
    ask_join(&c, (struct joiner){.group = "x", .member = crew_id(&crew, 1)});
    club_settle(&c);
    assert_true(again->done);
    assert_int_equal(again->join.generation_id, crew.generation + 1);
    assert_int_equal(again->join.n_members, 2); /* still the leader */
}

/* Members that are silent after a restart are removed after their session timeout, counted from
 * the restart. */
static void members_must_be_heard_after_a_restart(void **state)
{
    struct crew crew;

    club_stable(&c, "g", 1, &crew);
    club_pass_ms(&c, 9000);
    club_restart(&c, true);
    club_pass_ms(&c, 9999);
    assert_string_equal(state_of(&c, "g"), "Stable");
    club_pass_ms(&c, 1);
    assert_string_equal(state_of(&c, "g"), "Empty");
}

/* A restart while members gather for the first time: the group is Empty, and they are unknown. */
static void restart_while_first_members_gather(void **state)
{
    struct answer *a = ask_join_new(&c, (struct joiner){0}), *again;

    club_settle(&c);
    club_restart(&c, false);
    assert_string_equal(state_of(&c, "g"), "Empty");
    assert_false(a->done);
    again = ask_join(&c, (struct joiner){.member = "client-1"});
    club_settle(&c);
    assert_int_equal(again->join.error_code, KE_UNKNOWN_MEMBER_ID);
}

/* A restart during a later rebalance goes back to the last generation that was stored. */
static void restart_during_a_rebalance(void **state)
{
    struct crew crew;
    struct answer *again;

    club_stable(&c, "g", 2, &crew);
    ask_join(&c, (struct joiner){.member = crew_id(&crew, 0)});
    club_settle(&c);
    club_restart(&c, false); /* PreparingRebalance */
    assert_string_equal(state_of(&c, "g"), "Stable");
    assert_int_equal(beat(crew_id(&crew, 1), crew.generation), KE_NONE);
    again = ask_join(&c, (struct joiner){.member = crew_id(&crew, 0)});
    ask_join(&c, (struct joiner){.member = crew_id(&crew, 1)});
    club_settle(&c);
    assert_int_equal(again->join.generation_id, 2);
    club_restart(&c, false); /* CompletingRebalance */
    assert_string_equal(state_of(&c, "g"), "Stable");
    assert_int_equal(beat(crew_id(&crew, 1), 2), KE_ILLEGAL_GENERATION);
    assert_int_equal(beat(crew_id(&crew, 1), 1), KE_NONE);
}

/* An empty group keeps its generation. */
static void empty_group_keeps_its_generation(void **state)
{
    struct crew crew;

    club_stable(&c, "g", 1, &crew);
    ask_leave(&c, "g", crew_id(&crew, 0), NULL);
    club_settle(&c);
    club_restart(&c, true);
    assert_string_equal(state_of(&c, "g"), "Empty");
    club_stable(&c, "g", 1, &crew);
    assert_int_equal(crew.generation, 3);
}

/* What the members read is known after a restart, too. */
static void subscriptions_are_known_after_a_restart(void **state)
{
    struct group_shard *s;
    struct crew crew;
    struct group *g;

    club_stable(&c, "g", 1, &crew);
    club_restart(&c, true);
    s = groupm_shard(c.g, group_shard_of(STR("g"), CLUB_SHARDS));
    g = group_find(s, STR("g"));
    assert_true(group_subscribed(g, STR("t")));
    assert_false(group_subscribed(g, STR("u")));
}

/* Offsets, their epochs and their metadata are there again. */
static void offsets_are_there_again(void **state)
{
    struct answer *a;

    ask_commit(&c, (struct committer){.generation = -1,
                                      .partition = 2,
                                      .offset = 1234567890123,
                                      .leader_epoch = 5,
                                      .metadata = "note"});
    club_settle(&c);
    club_restart(&c, false);
    a = ask_fetch(&c, "g", "t", 2);
    club_settle(&c);
    assert_int_equal(a->fetch.topics[0].partitions[0].committed_offset, 1234567890123);
    assert_int_equal(a->fetch.topics[0].partitions[0].committed_leader_epoch, 5);
    assert_true(str_is(a->fetch.topics[0].partitions[0].metadata, "note"));
}

/* A group that is over group.max.size after a restart rebalances. */
static void group_over_the_new_limit_rebalances(void **state)
{
    struct crew crew;

    club_stable(&c, "g", 3, &crew);
    c.config.group_max_size = 2;
    club_restart(&c, true);
    assert_string_equal(state_of(&c, "g"), "PreparingRebalance");
    ask_join(&c, (struct joiner){.member = crew_id(&crew, 0)});
    ask_join(&c, (struct joiner){.member = crew_id(&crew, 1)});
    club_settle(&c);
    crew.members[2] = ask_join(&c, (struct joiner){.member = crew_id(&crew, 2)});
    club_settle(&c);
    assert_int_equal(crew.members[2]->join.error_code, KE_GROUP_MAX_SIZE_REACHED);
    assert_string_equal(state_of(&c, "g"), "CompletingRebalance");
}

/* ---- records that others wrote */

struct shown {
    struct group_shard *s;
    struct buf key, value;
    int64_t offset;
};

static void shown_init(struct shown *x)
{
    memset(x, 0, sizeof(*x));
    x->s = groupm_shard(c.g, 0);
    buf_init(&x->key);
    buf_init(&x->value);
}

static void shown_release(struct shown *x)
{
    buf_release(&x->key);
    buf_release(&x->value);
}

static void show(struct shown *x, struct statelog_record r)
{
    r.offset = x->offset++;
    r.key = bytes_of(x->key.p, x->key.n);
    if (!r.value.p && x->value.n > 0)
        r.value = bytes_of(x->value.p, x->value.n);
    group_shard_apply(x->s, &r);
}

static void put_key(struct shown *x, int16_t type, const char *group, const char *topic,
                    int32_t partition)
{
    struct wire_writer w;

    x->key.n = x->value.n = 0;
    wire_writer_init(&w, &x->key);
    wire_put_int16(&w, type);
    wire_put_str(&w, str_of(group), false);
    if (topic) {
        wire_put_str(&w, str_of(topic), false);
        wire_put_int32(&w, partition);
    }
    wire_writer_release(&w);
}

static void put_offset(struct shown *x, int16_t version, int64_t offset)
{
    struct offset_commit_value v;
    struct wire_writer w;

    offset_commit_value_init(&v);
    v.offset = offset;
    v.metadata = STR("");
    wire_writer_init(&w, &x->value);
    wire_put_int16(&w, version);
    offset_commit_value_encode(&v, &w, version);
    wire_writer_release(&w);
}

static int64_t offset_in(struct shown *x, const char *group, const char *topic, int32_t partition)
{
    struct group *g = group_find(x->s, str_of(group));
    const struct offset_entry *e = g ? offsets_find(g, str_of(topic), partition) : NULL;

    return e ? e->offset : -1;
}

/* All versions of an offset's value are read, with both types of keys. */
static void all_versions_of_offsets_are_read(void **state)
{
    struct shown x;

    shown_init(&x);
    for (int16_t version = 0; version <= 4; version++) {
        put_key(&x, version % 2, "g", "t", version);
        put_offset(&x, version, 100 + version);
        show(&x, (struct statelog_record){.producer_id = NO_PRODUCER_ID});
        assert_int_equal(offset_in(&x, "g", "t", version), 100 + version);
    }
    put_key(&x, 1, "g", "t", 0);
    put_offset(&x, 4, 7);
    x.value.p[1] = 5; /* a version that is not known */
    show(&x, (struct statelog_record){.producer_id = NO_PRODUCER_ID});
    assert_int_equal(offset_in(&x, "g", "t", 0), 100);
    shown_release(&x);
}

/* All versions of a group's value are read; what old ones lack has Kafka's stand-in. */
static void all_versions_of_groups_are_read(void **state)
{
    struct group_metadata_value_members row;
    struct group_metadata_value v;
    struct wire_writer w;
    struct shown x;
    char name[] = "g0";

    shown_init(&x);
    group_metadata_value_init(&v);
    group_metadata_value_members_init(&row);
    row.member_id = v.leader = STR("m");
    row.client_id = STR("c");
    row.client_host = STR("/h");
    row.rebalance_timeout = 7000;
    row.session_timeout = 8000;
    row.subscription = bytes_of("s", 1);
    row.assignment = bytes_of("a", 1);
    v.protocol_type = STR("consumer");
    v.protocol = STR("range");
    v.generation = 4;
    v.current_state_timestamp = 99;
    v.members = &row;
    v.n_members = 1;
    for (int16_t version = 0; version <= 4; version++, name[1]++) {
        struct group *g;

        put_key(&x, 2, name, NULL, 0);
        wire_writer_init(&w, &x.value);
        wire_put_int16(&w, version);
        group_metadata_value_encode(&v, &w, version);
        wire_writer_release(&w);
        show(&x, (struct statelog_record){.producer_id = NO_PRODUCER_ID});
        g = group_find(x.s, str_of(name));
        assert_non_null(g);
        assert_int_equal(g->state, GROUP_STABLE);
        assert_int_equal(g->generation, 4);
        assert_int_equal(g->state_ms, version >= 2 ? 99 : NO_TIME);
        assert_int_equal(g->members->rebalance_timeout_ms, version >= 1 ? 7000 : 8000);
        assert_true(g->leader == g->members);
    }
    show(&x, (struct statelog_record){.value = {(const uint8_t *)"\0\5", 2}}); /* version 5 */
    put_key(&x, 2, "g0", NULL, 0);
    show(&x, (struct statelog_record){0}); /* a tombstone */
    assert_null(group_find(x.s, STR("g0")));
    shown_release(&x);
}

/* Bytes that mean nothing are skipped, and do no harm. */
static void garbage_is_skipped(void **state)
{
    struct shown x;
    struct rng rng;

    shown_init(&x);
    rng_init(&rng, 5);
    for (int i = 0; i < 20000; i++) {
        x.key.n = x.value.n = 0;
        for (uint64_t n = rng_below(&rng, 24); n > 0; n--)
            *buf_grow(&x.key, 1) = (uint8_t)(rng_below(&rng, 3) ? 0 : rng_below(&rng, 256));
        if (x.key.n >= 2) {
            x.key.p[0] = 0;
            x.key.p[1] = (uint8_t)rng_below(&rng, 5);
        }
        for (uint64_t n = rng_below(&rng, 64); n > 0; n--)
            *buf_grow(&x.value, 1) = (uint8_t)(rng_below(&rng, 2) ? rng_below(&rng, 8) : 0);
        show(&x, (struct statelog_record){.producer_id = (int64_t)rng_below(&rng, 3),
                                          .transactional = rng_below(&rng, 2) == 0,
                                          .control = rng_below(&rng, 10) == 0});
    }
    shown_release(&x);
}

/* Kinds of records that are not served are left alone. */
static void foreign_records_are_left_alone(void **state)
{
    struct shown x;

    shown_init(&x);
    put_key(&x, 11, "g", NULL, 0);
    *buf_grow(&x.value, 1) = 0;
    show(&x, (struct statelog_record){.producer_id = NO_PRODUCER_ID});
    assert_int_equal(x.s->n_skipped, 1);
    assert_null(group_find(x.s, STR("g")));
    shown_release(&x);
}

/* ---- offsets of transactions */

static void put_marker(struct shown *x, enum control_type type)
{
    x->key.n = x->value.n = 0;
    control_key_put(buf_grow(&x->key, 4), type);
}

static void put_txn_offset(struct shown *x, int64_t producer_id, int32_t partition, int64_t offset)
{
    put_key(x, 1, "g", "t", partition);
    put_offset(x, 3, offset);
    show(x, (struct statelog_record){.producer_id = producer_id, .transactional = true});
}

static void end_txn(struct shown *x, int64_t producer_id, enum control_type type)
{
    put_marker(x, type);
    show(x, (struct statelog_record){
                .producer_id = producer_id, .transactional = true, .control = true});
}

/* They are seen when the transaction commits, never when it aborts. */
static void transactional_offsets_wait_for_their_marker(void **state)
{
    struct shown x;

    shown_init(&x);
    put_txn_offset(&x, 7, 0, 10);
    put_txn_offset(&x, 8, 1, 20);
    assert_int_equal(offset_in(&x, "g", "t", 0), -1);
    assert_true(txn_has_offset(x.s, STR("g"), STR("t"), 0));
    assert_false(txn_has_offset(x.s, STR("g"), STR("t"), 2));
    end_txn(&x, 7, CONTROL_COMMIT);
    end_txn(&x, 8, CONTROL_ABORT);
    end_txn(&x, 9, CONTROL_COMMIT); /* of nothing */
    assert_int_equal(offset_in(&x, "g", "t", 0), 10);
    assert_int_equal(offset_in(&x, "g", "t", 1), -1);
    assert_false(txn_has_group(x.s, STR("g")));
    shown_release(&x);
}

/* Of a transaction's commit and a plain one the later record counts, whenever the marker comes; a
 * tombstone takes both. */
static void later_record_counts(void **state)
{
    struct shown x;

    shown_init(&x);
    put_txn_offset(&x, 7, 0, 10);
    put_key(&x, 1, "g", "t", 0);
    put_offset(&x, 3, 99);
    show(&x, (struct statelog_record){.producer_id = NO_PRODUCER_ID});
    put_txn_offset(&x, 7, 1, 10);
    put_txn_offset(&x, 7, 1, 11);
    put_txn_offset(&x, 7, 2, 10);
    put_key(&x, 1, "g", "t", 2);
    show(&x, (struct statelog_record){.producer_id = NO_PRODUCER_ID});
    end_txn(&x, 7, CONTROL_COMMIT);
    assert_int_equal(offset_in(&x, "g", "t", 0), 99);
    assert_int_equal(offset_in(&x, "g", "t", 1), 11);
    assert_int_equal(offset_in(&x, "g", "t", 2), -1);
    shown_release(&x);
}

/* A group that is deleted takes the offsets of open transactions along, each partition once: their
 * marker must not bring the group back. */
static void deleted_group_takes_pending_offsets_along(void **state)
{
    struct statelog_proposal p;
    struct shown x;

    shown_init(&x);
    put_key(&x, 1, "g", "t", 0);
    put_offset(&x, 3, 99);
    show(&x, (struct statelog_record){.producer_id = NO_PRODUCER_ID});
    put_txn_offset(&x, 7, 0, 10);
    put_txn_offset(&x, 7, 1, 10);
    statelog_proposal_init(&p);
    propose_all_offset_tombstones(&p, group_find(x.s, STR("g")));
    assert_int_equal(p.n, 2);
    for (int i = 0; i < p.n; i++) {
        struct statelog_entry e = statelog_proposal_entry(&p, i);

        group_shard_apply(x.s, &(struct statelog_record){
                                   .key = e.key, .offset = 100 + i, .producer_id = NO_PRODUCER_ID});
    }
    statelog_proposal_release(&p);
    end_txn(&x, 7, CONTROL_COMMIT);
    assert_int_equal(offset_in(&x, "g", "t", 0), -1);
    assert_int_equal(offset_in(&x, "g", "t", 1), -1);
    shown_release(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(stable_group_goes_on),
        TEST(members_must_be_heard_after_a_restart),
        TEST(restart_while_first_members_gather),
        TEST(restart_during_a_rebalance),
        TEST(empty_group_keeps_its_generation),
        TEST(subscriptions_are_known_after_a_restart),
        TEST(offsets_are_there_again),
        TEST(group_over_the_new_limit_rebalances),
        TEST(all_versions_of_offsets_are_read),
        TEST(all_versions_of_groups_are_read),
        TEST(garbage_is_skipped),
        TEST(foreign_records_are_left_alone),
        TEST(transactional_offsets_wait_for_their_marker),
        TEST(later_record_counts),
        TEST(deleted_group_takes_pending_offsets_along),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
