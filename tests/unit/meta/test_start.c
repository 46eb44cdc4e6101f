/* Opening: an empty log, a restart, a log that Apache Kafka wrote, and logs that must be
 * refused. */
#include "meta_fixture.h"

static int count(const char *text, const char *what)
{
    int n = 0;

    for (const char *at = text; (at = strstr(at, what)); at += strlen(what))
        n++;
    return n;
}

static int16_t level(struct meta *m, const char *name)
{
    const struct meta_feature *f;
    int n;

    f = meta_features(m, &n);
    for (int i = 0; i < n; i++)
        if (!strcmp(f[i].name, name))
            return f[i].level;
    return 0;
}

/* A new log begins as KRaft's does: LeaderChange of epoch 1, the levels of 4.4, this broker
 * registered and then unfenced. */
static void an_empty_log_is_initialised(void **state)
{
    struct fixture fx;
    struct buf text;

    fixture_init(&fx, NULL);
    fixture_open(&fx);
    buf_init(&text);
    fixture_dump(&fx, &text);
    assert_non_null(buf_cstr(&text));
    assert_ptr_equal(strstr((char *)text.p, "control of 19 bytes, epoch 1\n-\n"), text.p);
    assert_int_equal(count((char *)text.p, "FeatureLevelRecord v0"), 6);
    assert_int_equal(count((char *)text.p, "ConfigRecord v0"), 1);
    assert_int_equal(count((char *)text.p, "RegisterBrokerRecord v4"), 1);
    assert_int_equal(count((char *)text.p, "BrokerRegistrationChangeRecord v3"), 1);
    assert_int_equal(count((char *)text.p, "BrokerRegistrationChangeRecord v0"), 1);
    assert_int_equal(count((char *)text.p, "-\n"), 3);
    assert_int_equal(level(fx.m, "metadata.version"), 33);
    assert_int_equal(level(fx.m, "transaction.version"), 2);
    assert_int_equal(level(fx.m, "kraft.version"), 0);
    assert_int_equal(meta_end(fx.m), 11);
    assert_int_equal(meta_broker_epoch(fx.m), 8);
    assert_int_equal(meta_n_topics(fx.m), 0);
    buf_release(&text);
    fixture_release(&fx);
}

/* A restart finds all, writes one more registration with a higher epoch, and tells the observer
 * nothing of what was there before. */
static void a_restart_keeps_everything_and_registers_again(void **state)
{
    struct config_pair own = {STR("retention.ms"), STR("5")};
    struct fixture fx;
    struct meta_topic *t;
    struct uuid id;
    int64_t epoch, end, first;
    int32_t n;

    fixture_init(&fx, NULL);
    fixture_open(&fx);
    t = fixture_create(&fx, (struct meta_new_topic){.name = STR("orders"),
                                                    .n_partitions = 3,
                                                    .replication_factor = 1,
                                                    .configs = &own,
                                                    .n_configs = 1});
    id = t->id;
    fixture_topic(&fx, "gone", 1);
    assert_int_equal(meta_delete_topic(fx.m, meta_topic(fx.m, STR("gone")), &fx.error, &fx.msg), 0);
    assert_int_equal(meta_allocate_producer_ids(fx.m, 0, &first, &n), 0);
    epoch = meta_broker_epoch(fx.m);
    end = meta_end(fx.m);
    fixture_close(&fx, true);
    fixture_told(&fx);
    fixture_open(&fx);
    assert_string_equal(fixture_told(&fx), "");
    assert_int_equal(meta_n_topics(fx.m), 1);
    t = meta_topic(fx.m, STR("orders"));
    assert_ptr_equal(t, meta_topic_by_id(fx.m, id));
    assert_int_equal(t->n_partitions, 3);
    assert_int_equal(t->n_configs, 1);
    assert_int_equal(t->config.retention_ms, 5);
    assert_true(uuid_eq(t->partitions[2].dir_id, fx.dir_ids[0]));
    assert_true(meta_broker_epoch(fx.m) > epoch);
    assert_int_equal(meta_broker_epoch(fx.m), end);
    assert_int_equal(meta_end(fx.m), end + 3);
    assert_int_equal(meta_allocate_producer_ids(fx.m, 0, &first, &n), 0);
    assert_int_equal(first, 1000);
    fixture_release(&fx);
}

static void check_golden(struct fixture *fx)
{
    struct meta_topic *orders = meta_topic(fx->m, STR("orders")),
                      *ab = meta_topic(fx->m, STR("a.b"));
    const struct config_pair *pairs;
    int64_t first;
    int32_t count_ids;
    int n;

    assert_int_equal(meta_n_topics(fx->m), 2);
    assert_int_equal(orders->n_partitions, 3);
    assert_int_equal(ab->n_partitions, 4);
    assert_null(meta_topic(fx->m, STR("gone")));
    /* Two clean stops and a start in between: three changes of the leader. */
    assert_int_equal(orders->partitions[0].leader_epoch, 3);
    assert_int_equal(orders->partitions[0].partition_epoch, 3);
    assert_int_equal(ab->partitions[3].leader_epoch, 3);
    assert_int_equal(orders->n_configs, 2);
    assert_int_equal(orders->config.segment_bytes, 2000000);
    assert_int_equal(orders->config.cleanup, CLEANUP_COMPACT);
    assert_int_equal(orders->config.retention_ms, 86400000); /* the cluster's log.retention.ms */
    pairs = meta_configs(fx->m, META_RESOURCE_GROUP, STR("g1"), &n);
    assert_int_equal(n, 1);
    assert_true(str_is(pairs[0].value, "50000"));
    assert_int_equal(meta_allocate_producer_ids(fx->m, 0, &first, &count_ids), 0);
    assert_int_equal(first, 2000);
    assert_int_equal(level(fx->m, "metadata.version"), 33);
}

/* A metadata log that Apache Kafka 4.4 wrote is read, with the snapshot that its format leaves or
 * without, and is gone on with: records that we do not use (quotas, controllers, no-ops) are no
 * obstacle. */
static void a_log_of_apache_kafka_is_read(void **state)
{
    for (int with_snapshot = 0; with_snapshot < 2; with_snapshot++) {
        struct fixture fx;

        fixture_init(&fx, NULL);
        fixture_put_golden(&fx, "kafka-4.4.0.log", "00000000000000000000.log");
        if (with_snapshot)
            fixture_put_golden(&fx, "kafka-4.4.0-format.checkpoint",
                               "00000000000000000000-0000000000.checkpoint");
        fx.look_for_snapshot = with_snapshot;
        fixture_open(&fx);
        check_golden(&fx);
        fixture_topic(&fx, "ours", 2);
        fixture_close(&fx, true);
        fixture_open(&fx);
        assert_int_equal(meta_n_topics(fx.m), 3);
        fixture_release(&fx);
    }
}

/* A directory that kafka-storage formatted has a snapshot and no log: its levels are taken, not
 * written twice. */
static void a_formatted_directory_is_taken_over(void **state)
{
    struct fixture fx;
    struct buf text;

    fixture_init(&fx, NULL);
    fixture_put_golden(&fx, "kafka-4.4.0-format.checkpoint",
                       "00000000000000000000-0000000000.checkpoint");
    fx.look_for_snapshot = true;
    fixture_open(&fx);
    assert_int_equal(level(fx.m, "share.version"), 2);
    buf_init(&text);
    fixture_dump(&fx, &text);
    assert_int_equal(count(buf_cstr(&text), "FeatureLevelRecord"), 0);
    assert_int_equal(count((char *)text.p, "RegisterBrokerRecord"), 1);
    buf_release(&text);
    fixture_release(&fx);
}

/* Writes a snapshot of one topic that ends at `end`. */
static void put_snapshot(struct fixture *fx, int64_t end, const char *topic)
{
    struct topic_record r = {.name = str_of(topic), .topic_id = {{1, 1}}};
    char *path =
        xasprintf("/data/" METADATA_TOPIC "-0/%020lld-0000000001.checkpoint", (long long)end);
    struct batch_builder bb;
    struct wire_writer w;
    struct buf value, file;

    buf_init(&value);
    buf_init(&file);
    wire_writer_init(&w, &value);
    wire_put_uvarint(&w, 1);
    wire_put_uvarint(&w, 2);
    wire_put_uvarint(&w, 0);
    topic_record_encode(&r, &w, 0);
    wire_writer_release(&w);
    batch_begin(&bb, &file, BATCH_OPTIONS_NONE);
    batch_add(&bb, 1, (struct bytes){0}, bytes_of(value.p, value.n), NULL, 0);
    assert_int_equal(batch_end(&bb), 0);
    assert_int_equal(vfs_replace(fx->env.vfs, path, file.p, file.n), 0);
    buf_release(&value);
    buf_release(&file);
    free(path);
}

/* Of several snapshots the newest counts, and what it covers is not applied again from the log. */
static void the_newest_snapshot_counts(void **state)
{
    struct fixture fx;

    fixture_init(&fx, NULL);
    fx.look_for_snapshot = true;
    fixture_open(&fx);
    fixture_topic(&fx, "covered", 1);
    put_snapshot(&fx, meta_end(fx.m), "new");
    put_snapshot(&fx, 1, "old");
    fixture_topic(&fx, "after", 1);
    fixture_close(&fx, true);
    fixture_open(&fx);
    assert_int_equal(meta_n_topics(fx.m), 2);
    assert_non_null(meta_topic(fx.m, STR("new")));
    assert_non_null(meta_topic(fx.m, STR("after")));
    fixture_release(&fx);
}

/* Between a snapshot and the log nothing may be missing. */
static void a_snapshot_ahead_of_the_log_is_refused(void **state)
{
    struct fixture fx;

    fixture_init(&fx, NULL);
    fx.look_for_snapshot = true;
    fixture_open(&fx);
    put_snapshot(&fx, meta_end(fx.m) + 1, "ahead");
    fixture_close(&fx, true);
    fixture_open_log(&fx);
    assert_int_equal(fixture_open_meta(&fx), E_CORRUPT);
    assert_non_null(strstr(fx.msg.text, "leave a gap"));
    fixture_release(&fx);
}

/* A snapshot whose bytes are wrong is refused with its path. */
static void a_rotten_snapshot_is_refused(void **state)
{
    const char *path = "/data/" METADATA_TOPIC "-0/00000000000000000001-0000000001.checkpoint";
    struct fixture fx;

    fixture_init(&fx, NULL);
    fx.look_for_snapshot = true;
    fixture_open_log(&fx);
    assert_int_equal(vfs_replace(fx.env.vfs, path, "rot", 3), 0);
    assert_int_equal(fixture_open_meta(&fx), E_CORRUPT);
    assert_non_null(strstr(fx.msg.text, path));
    fixture_release(&fx);
}

static void refuse_level(const char *name, int16_t value, const char *words)
{
    struct feature_level_record r = {.name = str_of(name), .feature_level = value};
    struct fixture fx;

    fixture_init(&fx, NULL);
    fixture_open_log(&fx);
    fixture_append_record(&fx, "FeatureLevelRecord", 0, &r);
    assert_int_equal(fixture_open_meta(&fx), E_FORMAT);
    if (!strstr(fx.msg.text, words))
        fail_msg("%s", fx.msg.text);
    fixture_release(&fx);
}

/* Levels above ours would mean records that we do not understand. */
static void newer_levels_are_refused(void **state)
{
    refuse_level("metadata.version", 34,
                 "metadata.version at level 34, newer than this broker reads (33)");
    refuse_level("group.version", 2, "group.version at level 2");
    refuse_level("unheard.of", 1, "unheard.of at level 1");
}

/* Lower levels are raised, each with one record. */
static void older_levels_are_raised(void **state)
{
    struct feature_level_record r = {.name = STR("metadata.version"), .feature_level = 30};
    struct fixture fx;

    fixture_init(&fx, NULL);
    fixture_open_log(&fx);
    fixture_append_record(&fx, "FeatureLevelRecord", 0, &r);
    assert_int_equal(fixture_open_meta(&fx), 0);
    assert_int_equal(level(fx.m, "metadata.version"), 33);
    assert_int_equal(level(fx.m, "group.version"), 1);
    fixture_release(&fx);
}

/* The metadata of a cluster whose partitions are elsewhere is not ours to serve. */
static void metadata_of_other_brokers_is_refused(void **state)
{
    struct topic_record t = {.name = STR("far"), .topic_id = {{1, 1}}};
    struct partition_record p;
    int32_t other = 2;
    struct fixture fx;

    fixture_init(&fx, NULL);
    fixture_open_log(&fx);
    partition_record_init(&p);
    p.partition_id = 0;
    p.topic_id = t.topic_id;
    p.replicas = p.isr = &other;
    p.n_replicas = p.n_isr = 1;
    fixture_append_record(&fx, "TopicRecord", 0, &t);
    fixture_append_record(&fx, "PartitionRecord", 2, &p);
    assert_int_equal(fixture_open_meta(&fx), E_FORMAT);
    assert_non_null(strstr(fx.msg.text, "topic far partition 0 is not on broker 1"));
    fixture_release(&fx);
}

/* A record of a version that we do not know may mean anything. */
static void a_newer_record_version_is_refused(void **state)
{
    static const uint8_t record[] = {1, 2 /* TopicRecord */, 9, 0};
    struct fixture fx;

    fixture_init(&fx, NULL);
    fixture_open_log(&fx);
    fixture_append_value(&fx, bytes_of(record, sizeof(record)));
    assert_int_equal(fixture_open_meta(&fx), E_FORMAT);
    fixture_release(&fx);
}

/* Records that make no sense are skipped: unknown types, torn bodies, changes of what is not
 * there. */
static void odd_records_are_skipped(void **state)
{
    static const uint8_t unknown[] = {1, 120, 0, 1, 2, 3}, torn[] = {1, 2, 0, 40, 'x'},
                         frame[] = {2, 2, 0}, empty[] = {1};
    struct remove_topic_record remove = {.topic_id = {{8}}};
    struct topic_record bad_name = {.name = STR("a b"), .topic_id = {{4}}};
    struct config_record config = {
        .resource_type = 2, .resource_name = STR("nowhere"), .name = STR("x"), .value = STR("y")};
    struct partition_change_record change;
    struct fixture fx;

    fixture_init(&fx, NULL);
    fixture_open_log(&fx);
    fixture_append_value(&fx, bytes_of(unknown, sizeof(unknown)));
    fixture_append_value(&fx, bytes_of(torn, sizeof(torn)));
    fixture_append_value(&fx, bytes_of(frame, sizeof(frame)));
    fixture_append_value(&fx, bytes_of(empty, sizeof(empty)));
    fixture_append_record(&fx, "RemoveTopicRecord", 0, &remove);
    fixture_append_record(&fx, "TopicRecord", 0, &bad_name);
    fixture_append_record(&fx, "ConfigRecord", 0, &config);
    partition_change_record_init(&change);
    change.partition_id = 0;
    fixture_append_record(&fx, "PartitionChangeRecord", 2, &change);
    if (fixture_open_meta(&fx) < 0)
        fail_msg("%s", fx.msg.text);
    assert_int_equal(meta_n_topics(fx.m), 0);
    assert_int_equal(level(fx.m, "metadata.version"), 33);
    fixture_release(&fx);
}

/* A transaction that a crash cut off counts for nothing, and is closed by an abort; what comes
 * after it counts. */
static void a_transaction_cut_off_is_aborted(void **state)
{
    struct begin_transaction_record begin;
    struct topic_record t = {.name = STR("half"), .topic_id = {{1, 1}}};
    struct fixture fx;
    struct buf text;

    fixture_init(&fx, NULL);
    fixture_open_log(&fx);
    begin_transaction_record_init(&begin);
    fixture_append_record(&fx, "BeginTransactionRecord", 0, &begin);
    fixture_append_record(&fx, "TopicRecord", 0, &t);
    assert_int_equal(fixture_open_meta(&fx), 0);
    assert_int_equal(meta_n_topics(fx.m), 0);
    assert_int_equal(level(fx.m, "metadata.version"), 33);
    buf_init(&text);
    fixture_dump(&fx, &text);
    assert_int_equal(count(buf_cstr(&text), "AbortTransactionRecord"), 1);
    buf_release(&text);
    fixture_close(&fx, true);
    fixture_open(&fx);
    assert_int_equal(meta_n_topics(fx.m), 0);
    fixture_release(&fx);
}

/* On a full disk a broker that was started before starts again, with its last registration. */
static void a_full_disk_does_not_stop_a_start(void **state)
{
    const char *overrides[] = {"log.journal.bytes=0", NULL};
    struct vfs_space space;
    struct fixture fx;
    int64_t epoch;

    fixture_init(&fx, overrides);
    fixture_open(&fx);
    fixture_topic(&fx, "there", 1);
    epoch = meta_broker_epoch(fx.m);
    fixture_close(&fx, true);
    assert_int_equal(vfs_space(fx.env.vfs, "/data", &space), 0);
    vfs_mem_set_space(fx.env.vfs, space.total_bytes - space.free_bytes);
    fixture_open(&fx);
    assert_int_equal(meta_broker_epoch(fx.m), epoch);
    assert_non_null(meta_topic(fx.m, STR("there")));
    fixture_release(&fx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_log_is_initialised),
        cmocka_unit_test(a_restart_keeps_everything_and_registers_again),
        cmocka_unit_test(a_log_of_apache_kafka_is_read),
        cmocka_unit_test(a_formatted_directory_is_taken_over),
        cmocka_unit_test(the_newest_snapshot_counts),
        cmocka_unit_test(a_snapshot_ahead_of_the_log_is_refused),
        cmocka_unit_test(a_rotten_snapshot_is_refused),
        cmocka_unit_test(newer_levels_are_refused),
        cmocka_unit_test(older_levels_are_raised),
        cmocka_unit_test(metadata_of_other_brokers_is_refused),
        cmocka_unit_test(a_newer_record_version_is_refused),
        cmocka_unit_test(odd_records_are_skipped),
        cmocka_unit_test(a_transaction_cut_off_is_aborted),
        cmocka_unit_test(a_full_disk_does_not_stop_a_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
