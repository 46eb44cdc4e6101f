/* Topics: what may be created, what it is then, how it grows and goes; and producer ids. */
#include "meta_fixture.h"

#define NAME_249                                                                                   \
    "12345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012" \
    "34567890"                                                                                     \
    "12345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012" \
    "34567890"                                                                                     \
    "1234567890123456789012345678901234567890123456789"

static void refused(struct fixture *fx, struct meta_new_topic nt, int16_t error, const char *words)
{
    int64_t end = meta_end(fx->m);

    assert_null(fixture_create(fx, nt));
    assert_string_equal(fx->msg.text, words);
    assert_int_equal(fx->error, error);
    assert_int_equal(meta_end(fx->m), end);
    nt.validate_only = true;
    assert_null(fixture_create(fx, nt));
    assert_string_equal(fx->msg.text, words);
}

/* Names follow Topic.validate, to the letter and to the byte. */
static void names_are_checked_as_kafka_does(void **state)
{
    static const struct {
        const char *name, *why;
    } bad[] = {
        {"", "Topic name is invalid: the empty string is not allowed"},
        {".", "Topic name is invalid: '.' is not allowed"},
        {"..", "Topic name is invalid: '..' is not allowed"},
        {"a b", "Topic name is invalid: 'a b' contains one or more characters other than ASCII "
                "alphanumerics, '.', '_' and '-'"},
        {"a/b", "Topic name is invalid: 'a/b' contains one or more characters other than ASCII "
                "alphanumerics, '.', '_' and '-'"},
        {"\xc3\xa4", "Topic name is invalid: '\xc3\xa4' contains one or more characters other than "
                     "ASCII alphanumerics, '.', '_' and '-'"},
        {NAME_249 "x", "Topic name is invalid: the length of '" NAME_249
                       "x' is longer than the max allowed length 249"},
    };
    static const char *const good[] = {"...", "a", "-", "_", "A.b_c-9", NAME_249};
    struct errmsg why;

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_false(meta_topic_name_valid(str_of(bad[i].name), &why));
        assert_string_equal(why.text, bad[i].why);
        assert_false(meta_topic_name_valid(str_of(bad[i].name), NULL));
    }
    for (size_t i = 0; i < ARRAY_SIZE(good); i++)
        assert_true(meta_topic_name_valid(str_of(good[i]), NULL));
}

/* A topic is there as soon as it is created, by name, by id and in the sorted list, and the
 * observer has heard of it. */
static void a_created_topic_is_there_at_once(void **state)
{
    struct meta_topic *b, *a;
    struct fixture fx;

    fixture_init(&fx, NULL);
    fixture_open(&fx);
    b = fixture_topic(&fx, "b", 2);
    a = fixture_topic(&fx, "a", -1);
    assert_ptr_equal(meta_topic(fx.m, STR("b")), b);
    assert_ptr_equal(meta_topic_by_id(fx.m, a->id), a);
    assert_false(uuid_eq(a->id, b->id));
    assert_int_equal(a->n_partitions, 1); /* num.partitions */
    assert_int_equal(b->n_partitions, 2);
    assert_int_equal(b->partitions[1].leader_epoch, 0);
    assert_int_equal(b->partitions[1].partition_epoch, 0);
    assert_int_equal(meta_n_topics(fx.m), 2);
    assert_ptr_equal(meta_topics_sorted(fx.m)[0], a);
    assert_ptr_equal(meta_topics_sorted(fx.m)[1], b);
    assert_string_equal(fixture_told(&fx), "created b 2 durable\ncreated a 1 durable\n");
    assert_null(meta_topic(fx.m, STR("c")));
    assert_null(meta_topic(fx.m, STR("")));
    fixture_release(&fx);
}

/* Checking alone changes nothing. */
static void validate_only_changes_nothing(void **state)
{
    struct meta_new_topic nt = {
        .name = STR("v"), .n_partitions = 1, .replication_factor = 1, .validate_only = true};
    struct fixture fx;
    int64_t end;

    fixture_init(&fx, NULL);
    fixture_open(&fx);
    end = meta_end(fx.m);
    assert_null(fixture_create(&fx, nt));
    assert_int_equal(fx.error, KE_NONE);
    assert_int_equal(meta_end(fx.m), end);
    assert_int_equal(meta_n_topics(fx.m), 0);
    fixture_release(&fx);
}

/* Names that are taken, or differ from one that is only in '.' and '_', and numbers that cannot
 * be. */
static void names_and_numbers_are_refused_in_kafkas_words(void **state)
{
    struct meta_new_topic nt = {.name = STR("c_d.e"), .n_partitions = 1, .replication_factor = 1};
    struct fixture fx;

    fixture_init(&fx, NULL);
    fixture_open(&fx);
    fixture_topic(&fx, "c.d_e", 1);
    refused(&fx, nt, KE_INVALID_TOPIC_EXCEPTION,
            "Topic 'c_d.e' collides with existing topic: c.d_e");
    nt.name = STR("c.d_e");
    refused(&fx, nt, KE_TOPIC_ALREADY_EXISTS, "Topic 'c.d_e' already exists.");
    nt.n_partitions = 0; /* it exists: that comes first */
    refused(&fx, nt, KE_TOPIC_ALREADY_EXISTS, "Topic 'c.d_e' already exists.");
    nt.name = STR("n");
    refused(&fx, nt, KE_INVALID_PARTITIONS,
            "Number of partitions was set to an invalid non-positive value.");
    nt.n_partitions = -2;
    refused(&fx, nt, KE_INVALID_PARTITIONS,
            "Number of partitions was set to an invalid non-positive value.");
    nt.replication_factor = 0;
    refused(&fx, nt, KE_INVALID_REPLICATION_FACTOR,
            "Replication factor must be larger than 0, or -1 to use the default value.");
    nt.n_partitions = 1;
    nt.replication_factor = 3;
    refused(
        &fx, nt, KE_INVALID_REPLICATION_FACTOR,
        "Unable to replicate the partition 3 time(s): The target replication factor of 3 cannot be "
        "reached because "
        "only 1 broker(s) are registered or some brokers have all their log directories cordoned.");
    nt.replication_factor = 1;
    nt.n_partitions = META_TOPIC_PARTITIONS_MAX + 1;
    refused(&fx, nt, KE_INVALID_PARTITIONS, "Number of partitions is above the limit of 100000.");
    fixture_release(&fx);
}

/* A default replication factor above 1 is refused like a given one, but for the coordinators'
 * topics. */
static void replication_of_internal_topics_is_taken_as_one(void **state)
{
    const char *overrides[] = {"default.replication.factor=3", "offsets.topic.replication.factor=3",
                               "transaction.state.log.min.isr=2", NULL};
    struct meta_topic *t;
    struct fixture fx;

    fixture_init(&fx, overrides);
    fixture_open(&fx);
    assert_null(fixture_create(
        &fx,
        (struct meta_new_topic){.name = STR("x"), .n_partitions = 1, .replication_factor = -1}));
    assert_int_equal(fx.error, KE_INVALID_REPLICATION_FACTOR);
    assert_int_equal(meta_create_internal_topic(fx.m, STR(OFFSETS_TOPIC), &t, &fx.error, &fx.msg),
                     0);
    assert_true(t->internal);
    assert_int_equal(t->n_partitions, 50);
    assert_int_equal(t->n_configs, 3);
    assert_int_equal(t->config.cleanup, CLEANUP_COMPACT);
    assert_int_equal(t->config.segment_bytes, 104857600);
    assert_int_equal(
        meta_create_internal_topic(fx.m, STR(TRANSACTION_TOPIC), &t, &fx.error, &fx.msg), 0);
    assert_int_equal(t->config.min_insync_replicas, 1);
    assert_string_equal(t->config.compression_type, "uncompressed");
    assert_int_equal(meta_create_internal_topic(fx.m, STR(SHARE_TOPIC), &t, &fx.error, &fx.msg), 0);
    assert_int_equal(t->config.retention_ms, -1);
    assert_int_equal(t->config.cleanup, CLEANUP_DELETE);
    assert_int_equal(meta_create_internal_topic(fx.m, STR(SHARE_TOPIC), &t, &fx.error, &fx.msg), 0);
    assert_int_equal(fx.error, KE_TOPIC_ALREADY_EXISTS);
    assert_null(t);
    fixture_release(&fx);
}

static struct meta_new_topic manual(const struct meta_assignment *a, int n)
{
    return (struct meta_new_topic){.name = STR("m"),
                                   .n_partitions = -1,
                                   .replication_factor = -1,
                                   .assignments = a,
                                   .n_assignments = n};
}

/* Partitions placed by hand must be on this broker, each once, numbered from 0 in any order. */
static void manual_assignments_are_checked(void **state)
{
    static const int32_t one[] = {1}, two[] = {2}, twice[] = {1, 1}, both[] = {2, 1};
    struct meta_assignment a = {0, one, 1}, pair[2] = {{0, one, 1}, {0, one, 1}};
    struct meta_new_topic nt = manual(&a, 1);
    struct fixture fx;

    fixture_init(&fx, NULL);
    fixture_open(&fx);
    nt.replication_factor = 1;
    refused(
        &fx, nt, KE_INVALID_REQUEST,
        "A manual partition assignment was specified, but replication factor was not set to -1.");
    nt = manual(&a, 1);
    nt.n_partitions = 1;
    refused(&fx, nt, KE_INVALID_REQUEST,
            "A manual partition assignment was specified, but numPartitions was not set to -1.");
    a = (struct meta_assignment){0, one, 0};
    refused(&fx, manual(&a, 1), KE_INVALID_REPLICA_ASSIGNMENT,
            "The manual partition assignment includes an empty replica list.");
    a = (struct meta_assignment){0, two, 1};
    refused(&fx, manual(&a, 1), KE_INVALID_REPLICA_ASSIGNMENT,
            "The manual partition assignment includes broker 2, but no such broker is registered.");
    a = (struct meta_assignment){0, both, 2};
    refused(&fx, manual(&a, 1), KE_INVALID_REPLICA_ASSIGNMENT,
            "The manual partition assignment includes broker 2, but no such broker is registered.");
    a = (struct meta_assignment){0, twice, 2};
    refused(&fx, manual(&a, 1), KE_INVALID_REPLICA_ASSIGNMENT,
            "The manual partition assignment includes the broker 1 more than once.");
    a = (struct meta_assignment){1, one, 1};
    refused(&fx, manual(&a, 1), KE_INVALID_REPLICA_ASSIGNMENT,
            "partitions should be a consecutive 0-based integer sequence");
    refused(&fx, manual(pair, 2), KE_INVALID_REPLICA_ASSIGNMENT,
            "Found multiple manual partition assignments for partition 0");
    pair[0].partition = 1;
    assert_int_equal(fixture_create(&fx, manual(pair, 2))->n_partitions, 2);
    fixture_release(&fx);
}

static void refused_config(struct fixture *fx, const char *name, const char *value,
                           const char *words)
{
    struct config_pair p = {str_of(name), str_of(value)};

    refused(fx,
            (struct meta_new_topic){.name = STR("s"),
                                    .n_partitions = 1,
                                    .replication_factor = 1,
                                    .configs = &p,
                                    .n_configs = 1},
            KE_INVALID_CONFIG, words);
}

/* Settings are checked before numbers, with Kafka's words. */
static void settings_are_checked(void **state)
{
    struct fixture fx;

    fixture_init(&fx, NULL);
    fixture_open(&fx);
    refused_config(&fx, "nosuch", "5", "Unknown topic config name: nosuch");
    refused_config(&fx, "retention.ms", NULL,
                   "Null value not supported for topic configs: retention.ms");
    refused_config(&fx, "retention.ms", "abc",
                   "Invalid value abc for configuration retention.ms: Not a number of type LONG");
    refused_config(&fx, "retention.ms", "-5",
                   "Invalid value -5 for configuration retention.ms: Value must be at least -1");
    refused_config(&fx, "cleanup.policy", "foo",
                   "Invalid value foo for configuration cleanup.policy: String must be one of: "
                   "compact, delete");
    refused_config(
        &fx, "max.compaction.lag.ms", "0",
        "Invalid value 0 for configuration max.compaction.lag.ms: Value must be at least 1");
    fixture_release(&fx);
}

/* A topic's settings are its own over the broker's; of two values for one name the last counts;
 * they are kept by name. */
static void settings_are_kept_and_resolved(void **state)
{
    const char *overrides[] = {"log.retention.ms=1234", "log.segment.bytes=2000000", NULL};
    struct config_pair own[] = {{STR("segment.bytes"), STR("3000000")},
                                {STR("cleanup.policy"), STR("compact")},
                                {STR("segment.bytes"), STR(" 4000000 ")},
                                {STR("flush.messages"), STR("9")}};
    struct meta_topic *t;
    struct fixture fx;

    fixture_init(&fx, overrides);
    fixture_open(&fx);
    t = fixture_create(&fx, (struct meta_new_topic){.name = STR("s"),
                                                    .n_partitions = 1,
                                                    .replication_factor = 1,
                                                    .configs = own,
                                                    .n_configs = 4});
    assert_string_equal(fixture_told(&fx), "created s 1 fast\n");
    for (int round = 0; round < 2; round++) {
        assert_int_equal(t->n_configs, 3);
        assert_true(str_is(t->configs[0].name, "cleanup.policy"));
        assert_true(str_is(t->configs[1].name, "flush.messages"));
        assert_true(str_is(t->configs[2].name, "segment.bytes"));
        assert_true(str_is(t->configs[2].value, " 4000000 "));
        assert_int_equal(t->config.segment_bytes, 4000000);
        assert_int_equal(t->config.retention_ms, 1234);
        fixture_close(&fx, true);
        fixture_open(&fx);
        t = meta_topic(fx.m, STR("s"));
    }
    fixture_release(&fx);
}

/* A deleted topic is gone before the observer hears of it, its name and its collisions are free
 * again, and its settings do not come back with the name. */
static void a_deleted_topic_leaves_nothing(void **state)
{
    struct config_pair own = {STR("retention.ms"), STR("5")};
    struct meta_new_topic nt = {.name = STR("d.x"),
                                .n_partitions = 2,
                                .replication_factor = 1,
                                .configs = &own,
                                .n_configs = 1};
    struct meta_topic *t;
    struct fixture fx;
    struct uuid id;

    fixture_init(&fx, NULL);
    fixture_open(&fx);
    t = fixture_create(&fx, nt);
    id = t->id;
    fixture_told(&fx);
    assert_int_equal(meta_delete_topic(fx.m, t, &fx.error, &fx.msg), 0);
    assert_int_equal(fx.error, KE_NONE);
    assert_string_equal(fixture_told(&fx), "deleted d.x\n");
    assert_null(meta_topic_by_id(fx.m, id));
    assert_int_equal(meta_n_topics(fx.m), 0);
    t = fixture_topic(&fx, "d_x", 1);
    assert_int_equal(meta_delete_topic(fx.m, t, &fx.error, &fx.msg), 0);
    t = fixture_topic(&fx, "d.x", 1);
    assert_int_equal(t->n_configs, 0);
    assert_int_equal(t->n_partitions, 1);
    assert_false(uuid_eq(t->id, id));
    fixture_release(&fx);
}

static int more(struct fixture *fx, struct meta_topic *t, int32_t count, bool validate_only)
{
    struct meta_more_partitions m = {
        .count = count, .n_assignments = -1, .validate_only = validate_only};

    return meta_create_partitions(fx->m, t, &m, &fx->error, &fx->msg);
}

/* Partitions can be added, not taken away. */
static void partitions_can_only_grow(void **state)
{
    struct meta_topic *t;
    struct fixture fx;

    fixture_init(&fx, NULL);
    fixture_open(&fx);
    t = fixture_topic(&fx, "g", 3);
    fixture_told(&fx);
    assert_int_equal(more(&fx, t, 3, false), 0);
    assert_int_equal(fx.error, KE_INVALID_PARTITIONS);
    assert_string_equal(fx.msg.text, "Topic already has 3 partition(s).");
    assert_int_equal(more(&fx, t, 2, false), 0);
    assert_string_equal(fx.msg.text,
                        "The topic g currently has 3 partition(s); 2 would not be an increase.");
    assert_int_equal(more(&fx, t, META_TOPIC_PARTITIONS_MAX + 1, false), 0);
    assert_int_equal(fx.error, KE_INVALID_PARTITIONS);
    assert_int_equal(more(&fx, t, 5, true), 0);
    assert_int_equal(fx.error, KE_NONE);
    assert_int_equal(t->n_partitions, 3);
    assert_int_equal(more(&fx, t, 5, false), 0);
    assert_int_equal(t->n_partitions, 5);
    assert_string_equal(fixture_told(&fx), "grown g from 3 to 5\n");
    fixture_close(&fx, true);
    fixture_open(&fx);
    assert_int_equal(meta_topic(fx.m, STR("g"))->n_partitions, 5);
    fixture_release(&fx);
}

/* A change larger than a batch is a KRaft transaction, here and in the log, and comes back
 * whole. */
static void a_huge_topic_is_one_transaction(void **state)
{
    struct meta_topic *t;
    struct fixture fx;
    struct buf text;

    fixture_init(&fx, NULL);
    fixture_open(&fx);
    t = fixture_topic(&fx, "huge", 30000);
    assert_int_equal(t->n_partitions, 30000);
    assert_string_equal(fixture_told(&fx), "created huge 30000 durable\n");
    buf_init(&text);
    fixture_dump(&fx, &text);
    assert_non_null(strstr(buf_cstr(&text), "BeginTransactionRecord v0"));
    assert_non_null(strstr((char *)text.p, "EndTransactionRecord v0"));
    buf_release(&text);
    fixture_close(&fx, true);
    fixture_open(&fx);
    assert_int_equal(meta_topic(fx.m, STR("huge"))->n_partitions, 30000);
    fixture_release(&fx);
}

/* With several directories each partition goes where the fewest are. */
static void partitions_are_spread_over_directories(void **state)
{
    int counts[3] = {0};
    struct meta_topic *t;
    struct fixture fx;

    fixture_init(&fx, NULL);
    fx.n_dir_ids = 3;
    fixture_open(&fx);
    fixture_topic(&fx, "a", 2);
    t = fixture_topic(&fx, "b", 7);
    for (int i = 0; i < 7; i++)
        for (int d = 0; d < 3; d++)
            counts[d] += uuid_eq(t->partitions[i].dir_id, fx.dir_ids[d]);
    assert_int_equal(counts[0], 2);
    assert_int_equal(counts[1], 2);
    assert_int_equal(counts[2], 3);
    fixture_release(&fx);
}

/* Blocks of producer ids follow one another, also over a kill, and are never given out twice. */
static void producer_id_blocks_follow_one_another(void **state)
{
    struct fixture fx;
    int64_t first;
    int32_t n;

    fixture_init(&fx, NULL);
    fixture_open(&fx);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(meta_allocate_producer_ids(fx.m, 0, &first, &n), 0);
        assert_int_equal(first, i * 1000);
        assert_int_equal(n, 1000);
    }
    fixture_settle(&fx);
    fixture_close(&fx, false);
    fixture_open(&fx);
    assert_int_equal(meta_allocate_producer_ids(fx.m, 0, &first, &n), 0);
    assert_int_equal(first, 3000);
    fixture_release(&fx);
}

/* A block that a crash took is not given again where its ids are known to be in use; nor does the count go back. */
static void producer_ids_begin_past_what_is_in_use(void **state)
{
    struct fixture fx;
    int64_t first;
    int32_t n;

    fixture_init(&fx, NULL);
    fixture_open(&fx);
    assert_int_equal(meta_allocate_producer_ids(fx.m, 7, &first, &n), 0);
    assert_int_equal(first, 7);
    assert_int_equal(meta_allocate_producer_ids(fx.m, 8, &first, &n), 0);
    assert_int_equal(first, 1007);
    fixture_settle(&fx);
    fixture_close(&fx, false);
    fixture_open(&fx);
    assert_int_equal(meta_allocate_producer_ids(fx.m, 0, &first, &n), 0);
    assert_int_equal(first, 2007);
    fixture_release(&fx);
}

/* At the end of all numbers there are no more producer ids. */
static void producer_ids_end(void **state)
{
    struct producer_ids_record r = {.broker_id = 1, .next_producer_id = INT64_MAX - 1000};
    struct fixture fx;
    int64_t first;
    int32_t n;

    fixture_init(&fx, NULL);
    fixture_open_log(&fx);
    fixture_append_record(&fx, "ProducerIdsRecord", 0, &r);
    assert_int_equal(fixture_open_meta(&fx), 0);
    assert_int_equal(meta_allocate_producer_ids(fx.m, 0, &first, &n), 0);
    assert_int_equal(meta_allocate_producer_ids(fx.m, 0, &first, &n), E_LIMIT);
    fixture_release(&fx);
}

struct waiter {
    struct statelog_wait wait;
    int n_told;
};

static void told(struct statelog_wait *w, int rc)
{
    assert_int_equal(rc, 0);
    CONTAINER_OF(w, struct waiter, wait)->n_told++;
}

/* What is decided is visible at once, and durable when meta_after says so, not before. */
static void meta_after_tells_when_a_change_is_durable(void **state)
{
    struct waiter w = {.n_told = 0};
    struct fixture fx;

    fixture_init(&fx, NULL);
    fixture_open(&fx);
    fixture_settle(&fx);
    fixture_topic(&fx, "t", 1);
    meta_after(fx.m, &w.wait, told);
    assert_non_null(meta_topic(fx.m, STR("t")));
    assert_int_equal(w.n_told, 0);
    assert_true(log_high_watermark(fx.log) < meta_end(fx.m));
    fixture_settle(&fx);
    assert_int_equal(w.n_told, 1);
    assert_int_equal(log_high_watermark(fx.log), meta_end(fx.m));
    fixture_release(&fx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_checked_as_kafka_does),
        cmocka_unit_test(a_created_topic_is_there_at_once),
        cmocka_unit_test(validate_only_changes_nothing),
        cmocka_unit_test(names_and_numbers_are_refused_in_kafkas_words),
        cmocka_unit_test(replication_of_internal_topics_is_taken_as_one),
        cmocka_unit_test(manual_assignments_are_checked),
        cmocka_unit_test(settings_are_checked),
        cmocka_unit_test(settings_are_kept_and_resolved),
        cmocka_unit_test(a_deleted_topic_leaves_nothing),
        cmocka_unit_test(partitions_can_only_grow),
        cmocka_unit_test(a_huge_topic_is_one_transaction),
        cmocka_unit_test(partitions_are_spread_over_directories),
        cmocka_unit_test(producer_id_blocks_follow_one_another),
        cmocka_unit_test(producer_ids_begin_past_what_is_in_use),
        cmocka_unit_test(producer_ids_end),
        cmocka_unit_test(meta_after_tells_when_a_change_is_durable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
