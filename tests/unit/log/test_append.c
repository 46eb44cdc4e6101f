/* Appending: what is taken, what is refused and with which error, rolling, and a full disk. */
#include "log_fixture.h"

#include "segment.h"

static int setup(void **state)
{
    struct fixture *fx = xcalloc(1, sizeof(*fx));

    fixture_init(fx, NULL);
    *state = fx;
    return 0;
}

static int teardown(void **state)
{
    fixture_release(*state);
    free(*state);
    return 0;
}

/* Offsets are given without gaps, batches keep their bytes but for offset and epoch, and all is
 * read back. */
static void offsets_follow_one_another(void **state)
{
    struct fixture *fx = *state;

    fixture_open(fx);
    assert_int_equal(fixture_append(fx, (struct test_batch){.n_records = 3}), 0);
    assert_int_equal(fixture_append(fx, (struct test_batch){.n_records = 2}), 3);
    assert_int_equal(fixture_append(fx, (struct test_batch){0}), 5);
    assert_int_equal(log_end_offset(fx->log), 6);
    assert_int_equal(fixture_count_records(fx), 6);
    assert_int_equal(log_size_bytes(fx->log), fixture_file_bytes(fx, fixture_path(fx, 0, ".log")));
}

/* A durable topic shows records when the commit is over, not before. */
static void high_watermark_waits_for_the_commit(void **state)
{
    struct fixture *fx = *state;
    struct log_read r;

    fixture_open(fx);
    fixture_append(fx, (struct test_batch){.n_records = 4});
    assert_int_equal(log_high_watermark(fx->log), 0);
    assert_int_equal(log_read(fx->log, 0, 1000, true, READ_UNCOMMITTED, &r), 0);
    assert_null(r.file);
    fixture_settle(fx);
    assert_int_equal(log_high_watermark(fx->log), 4);
    assert_int_equal(log_read(fx->log, 0, 1000, true, READ_UNCOMMITTED, &r), 0);
    assert_non_null(r.file);
}

/* The first append of a partition writes the epoch file that Kafka writes. */
static void first_append_writes_the_epoch(void **state)
{
    struct fixture *fx = *state;
    struct buf text;

    fixture_open(fx);
    fixture_append(fx, (struct test_batch){0});
    fixture_read_file(fx, FIXTURE_DIR "/t-0/leader-epoch-checkpoint", &text);
    assert_string_equal(buf_cstr(&text), "0\n1\n0 0\n");
    buf_release(&text);
    fixture_read_file(fx, FIXTURE_DIR "/t-0/partition.metadata", &text);
    assert_int_equal(text.n, 43);
    buf_release(&text);
}

static int16_t append_bytes(struct fixture *fx, struct chunk *c, size_t n)
{
    struct log_append a = {.chunk = c, .p = c->data, .n_bytes = n, .origin = LOG_FROM_CLIENT};

    assert_int_equal(log_append(fx->log, &a), 0);
    return a.error;
}

/* Nothing, half a batch, a wrong checksum, two batches, an old format: each with its error, and
 * nothing is written. */
static void malformed_batches_are_refused(void **state)
{
    struct fixture *fx = *state;
    size_t n;
    struct chunk *c = fixture_batch(fx, (struct test_batch){.n_records = 2}, &n);
    struct chunk *two = chunk_new(2 * n);

    fixture_open(fx);
    memcpy(two->data, c->data, n);
    memcpy(two->data + n, c->data, n);
    assert_int_equal(append_bytes(fx, c, 0), KE_INVALID_RECORD);
    assert_int_equal(append_bytes(fx, c, 16), KE_CORRUPT_MESSAGE);
    assert_int_equal(append_bytes(fx, c, 60), KE_CORRUPT_MESSAGE);
    assert_int_equal(append_bytes(fx, c, n - 1), KE_CORRUPT_MESSAGE);
    assert_int_equal(append_bytes(fx, two, 2 * n), KE_INVALID_RECORD);
    c->data[n - 1] ^= 1;
    assert_int_equal(append_bytes(fx, c, n), KE_CORRUPT_MESSAGE);
    c->data[BATCH_MAGIC_AT] = 1;
    assert_int_equal(append_bytes(fx, c, n), KE_INVALID_RECORD);
    assert_int_equal(log_end_offset(fx->log), 0);
    assert_int_equal(fixture_file_bytes(fx, fixture_path(fx, 0, ".log")), 0);
    chunk_unref(c);
    chunk_unref(two);
}

/* Control and transactional batches, and base offsets other than 0, are not a client's to send. */
static void reserved_attributes_are_refused(void **state)
{
    struct fixture *fx = *state;

    fixture_open(fx);
    assert_int_equal(fixture_append_error(fx, (struct test_batch){.attributes = BATCH_CONTROL}),
                     KE_INVALID_RECORD);
    assert_int_equal(
        fixture_append_error(fx, (struct test_batch){.attributes = BATCH_TRANSACTIONAL, .producer_id = 5}),
        KE_INVALID_TXN_STATE);
    assert_int_equal(fixture_append_error(fx, (struct test_batch){.base_offset = 1}),
                     KE_INVALID_RECORD);
    assert_int_equal(
        fixture_append_error(fx, (struct test_batch){.producer_id = 5, .sequence = -1}),
        KE_INVALID_RECORD);
}

/* max.message.bytes is the last size that is taken. */
static void message_size_limit_is_exact(void **state)
{
    struct fixture *fx = *state;
    char setting[64];
    size_t n;

    chunk_unref(fixture_batch(fx, (struct test_batch){.value_bytes = 500}, &n));
    (void)snprintf(setting, sizeof(setting), "max.message.bytes=%zu", n);
    fixture_topic(fx, (const char *[]){setting, NULL});
    fixture_open(fx);
    assert_int_equal(fixture_append_error(fx, (struct test_batch){.value_bytes = 500}), KE_NONE);
    assert_int_equal(fixture_append_error(fx, (struct test_batch){.value_bytes = 501}),
                     KE_MESSAGE_TOO_LARGE);
}

/* A batch that no segment can hold. */
static void batch_larger_than_a_segment_is_refused(void **state)
{
    struct fixture *fx = *state;

    fixture_topic(fx, (const char *[]){"internal.segment.bytes=400", NULL});
    fixture_open(fx);
    assert_int_equal(fixture_append_error(fx, (struct test_batch){.value_bytes = 500}),
                     KE_RECORD_LIST_TOO_LARGE);
}

/* In a compacted topic each record without a key is named; compressed ones are looked into, too. */
static void compacted_topic_wants_keys(void **state)
{
    struct fixture *fx = *state;
    struct arena arena;
    size_t n;
    struct chunk *c = fixture_batch(fx, (struct test_batch){.n_records = 3, .no_keys = true}, &n);
    struct log_append a = {
        .chunk = c, .p = c->data, .n_bytes = n, .origin = LOG_FROM_CLIENT, .arena = &arena};

    fixture_topic(fx, (const char *[]){"cleanup.policy=compact", NULL});
    fixture_open(fx);
    arena_init(&arena);
    assert_int_equal(log_append(fx->log, &a), 0);
    assert_int_equal(a.error, KE_INVALID_RECORD);
    assert_int_equal(a.n_record_errors, 3);
    assert_int_equal(a.record_errors[2].batch_index, 2);
    assert_string_equal(a.record_errors[2].message,
                        "Compacted topic cannot accept message without key in topic partition t-0");
    arena_release(&arena);
    chunk_unref(c);
    assert_int_equal(
        fixture_append_error(fx, (struct test_batch){.no_keys = true, .attributes = CODEC_LZ4}),
        KE_INVALID_RECORD);
    assert_int_equal(fixture_append_error(fx, (struct test_batch){.attributes = CODEC_LZ4}),
                     KE_NONE);
}

/* Times out of the window are refused at both sides, exactly. */
static void timestamps_have_a_window(void **state)
{
    struct fixture *fx = *state;
    int64_t now = FIXTURE_START_MS;

    fixture_topic(fx, (const char *[]){"message.timestamp.before.max.ms=1000",
                                       "message.timestamp.after.max.ms=500", NULL});
    fixture_open(fx);
    for (int codec = CODEC_NONE; codec < CODEC_COUNT; codec++) {
        int16_t attributes = (int16_t)codec;

        assert_int_equal(fixture_append_error(fx, (struct test_batch){.timestamp_ms = now - 1000,
                                                                      .attributes = attributes}),
                         KE_NONE);
        assert_int_equal(fixture_append_error(fx, (struct test_batch){.timestamp_ms = now - 1001,
                                                                      .attributes = attributes}),
                         KE_INVALID_TIMESTAMP);
        assert_int_equal(fixture_append_error(fx, (struct test_batch){.timestamp_ms = now + 500,
                                                                      .attributes = attributes}),
                         KE_NONE);
        assert_int_equal(fixture_append_error(fx, (struct test_batch){.timestamp_ms = now + 501,
                                                                      .attributes = attributes}),
                         KE_INVALID_TIMESTAMP);
    }
}

/* LogAppendTime: the batch carries the broker's time, and its checksum is right. */
static void log_append_time_is_stamped(void **state)
{
    struct fixture *fx = *state;
    struct log_append a;
    struct log_read r;
    uint8_t bytes[200];
    struct batch b;

    fixture_topic(fx, (const char *[]){"message.timestamp.type=LogAppendTime", NULL});
    fixture_open(fx);
    assert_int_equal(
        fixture_append_as(fx, LOG_FROM_CLIENT, (struct test_batch){.timestamp_ms = 17}, &a), 0);
    assert_int_equal(a.error, KE_NONE);
    assert_int_equal(a.append_time_ms, FIXTURE_START_MS);
    assert_int_equal(log_read_to_end(fx->log, 0, 200, &r), 0);
    assert_int_equal(file_pread_full(r.file, bytes, r.n_bytes, r.position), 0);
    assert_int_equal(batch_check(bytes, r.n_bytes, &b), 0);
    assert_true(b.attributes & BATCH_LOG_APPEND_TIME);
    assert_int_equal(b.max_timestamp_ms, FIXTURE_START_MS);
}

/* A topic with a codec of its own stores batches in that codec, with the same records. */
static void topic_codec_replaces_the_producers(void **state)
{
    struct fixture *fx = *state;
    struct log_read r;
    uint8_t header[BATCH_HEADER_BYTES];
    struct batch b;

    fixture_topic(fx, (const char *[]){"compression.type=zstd", NULL});
    fixture_open(fx);
    fixture_append(fx, (struct test_batch){.n_records = 20, .producer_id = 9, .sequence = 4});
    fixture_append(fx, (struct test_batch){.n_records = 5, .attributes = CODEC_GZIP});
    assert_int_equal(log_read_to_end(fx->log, 0, 1, &r), 0);
    assert_int_equal(file_pread_full(r.file, header, sizeof(header), r.position), 0);
    assert_int_equal(batch_decode(header, &b), 0);
    assert_int_equal(batch_codec(&b), CODEC_ZSTD);
    assert_int_equal(b.producer_id, 9);
    assert_int_equal(b.base_sequence, 4);
    assert_int_equal(fixture_count_records(fx), 25);
}

/* The segment that would grow past segment.bytes is left behind, with a snapshot for the next one.
 */
static void segment_rolls_by_size(void **state)
{
    struct fixture *fx = *state;

    fixture_topic(fx, (const char *[]){"internal.segment.bytes=1000", NULL});
    fixture_open(fx);
    for (int i = 0; i < 10; i++)
        assert_int_equal(fixture_append(fx, (struct test_batch){.value_bytes = 300}), i);
    assert_int_equal(log_n_segments(fx->log), 5);
    assert_true(fixture_exists(fx, fixture_path(fx, 2, ".log")));
    assert_true(fixture_exists(fx, fixture_path(fx, 2, ".snapshot")));
    assert_int_equal(fixture_file_bytes(fx, fixture_path(fx, 2, ".snapshot")),
                     SNAPSHOT_HEADER_BYTES);
    assert_int_equal(fixture_count_records(fx), 10);
    assert_int_equal(log_segment_base_of(fx->log, 3), 2);
}

/* By the records' own time where they have one; the record that comes too late opens the next
 * segment. */
static void segment_rolls_by_record_time(void **state)
{
    struct fixture *fx = *state;

    fixture_topic(fx, (const char *[]){"segment.ms=1000", NULL});
    fixture_open(fx);
    fixture_append(fx, (struct test_batch){.timestamp_ms = 5000});
    fixture_append(fx, (struct test_batch){.timestamp_ms = 6000});
    assert_int_equal(log_n_segments(fx->log), 1);
    fixture_append(fx, (struct test_batch){.timestamp_ms = 6001});
    assert_int_equal(log_n_segments(fx->log), 2);
}

/* A full index closes its segment. */
static void segment_rolls_when_the_index_is_full(void **state)
{
    struct fixture *fx = *state;

    fixture_topic(fx, (const char *[]){"index.interval.bytes=0", "segment.index.bytes=40", NULL});
    fixture_open(fx);
    for (int i = 0; i < 8; i++)
        fixture_append(fx, (struct test_batch){.timestamp_ms = 1000 + i});
    assert_true(log_n_segments(fx->log) > 1);
    assert_int_equal(fixture_count_records(fx), 8);
}

/* A full disk refuses, changes nothing, and takes records again when there is space. */
static void full_disk_is_a_state(void **state)
{
    struct fixture *fx = *state;
    struct vfs_space space;
    struct log_append a;
    uint64_t size;

    config_release(&fx->config);
    config_init(&fx->config);
    assert_int_equal(config_override(&fx->config, "log.dirs=" FIXTURE_DIR, &fx->msg), 0);
    assert_int_equal(config_override(&fx->config, "log.min.free.bytes=0", &fx->msg), 0);
    assert_int_equal(config_override(&fx->config, "log.journal.bytes=0", &fx->msg), 0);
    assert_int_equal(config_finish(&fx->config, true, &fx->msg), 0);
    fixture_open(fx);
    fixture_append(fx, (struct test_batch){.value_bytes = 100});
    fixture_settle(fx);
    size = fixture_file_bytes(fx, fixture_path(fx, 0, ".log"));
    assert_int_equal(vfs_space(fx->env.vfs, "/", &space), 0);
    vfs_mem_set_space(fx->env.vfs, space.total_bytes - space.free_bytes + 10);
    assert_int_equal(
        fixture_append_as(fx, LOG_FROM_CLIENT, (struct test_batch){.value_bytes = 100000}, &a),
        E_NOSPC);
    assert_int_equal(log_end_offset(fx->log), 1);
    assert_int_equal(fixture_file_bytes(fx, fixture_path(fx, 0, ".log")), size);
    vfs_mem_set_space(fx->env.vfs, space.total_bytes);
    assert_int_equal(fixture_append(fx, (struct test_batch){.value_bytes = 100000}), 1);
    fixture_settle(fx);
    assert_int_equal(log_high_watermark(fx->log), 2);
}

/* log.min.free.bytes are kept from clients, not from the broker's own records. */
static void last_space_is_the_brokers_own(void **state)
{
    struct fixture *fx = *state;
    struct vfs_space space;
    struct log_append a;

    fixture_open(fx);
    assert_int_equal(vfs_space(fx->env.vfs, "/", &space), 0);
    vfs_mem_set_space(fx->env.vfs, space.total_bytes - space.free_bytes +
                                       (uint64_t)fx->config.log_min_free_bytes);
    assert_int_equal(fixture_append_as(fx, LOG_FROM_CLIENT, (struct test_batch){0}, &a), E_NOSPC);
    assert_int_equal(fixture_append_as(fx, LOG_FROM_COORDINATOR, (struct test_batch){0}, &a), 0);
    assert_int_equal(a.error, KE_NONE);
    assert_int_equal(log_end_offset(fx->log), 1);
}

/* The metadata log's batches bring their own offsets and epochs, which must go on where the log
 * ends. */
static void raft_batches_keep_their_offsets(void **state)
{
    struct fixture *fx = *state;
    struct log_append a;

    fixture_open(fx);
    assert_int_equal(
        fixture_append_as(fx, LOG_FROM_RAFT,
                          (struct test_batch){.n_records = 2, .leader_epoch = 3, .timestamp_ms = 5},
                          &a),
        0);
    assert_int_equal(a.error, KE_NONE);
    assert_int_equal(fixture_append_as(fx, LOG_FROM_RAFT,
                                       (struct test_batch){.base_offset = 3, .leader_epoch = 3},
                                       &a),
                     0);
    assert_int_equal(a.error, KE_INVALID_RECORD);
    assert_int_equal(fixture_append_as(fx, LOG_FROM_RAFT,
                                       (struct test_batch){.base_offset = 2, .leader_epoch = 2},
                                       &a),
                     0);
    assert_int_equal(a.error, KE_INVALID_RECORD);
    assert_int_equal(fixture_append_as(fx, LOG_FROM_RAFT,
                                       (struct test_batch){.base_offset = 2, .leader_epoch = 4},
                                       &a),
                     0);
    assert_int_equal(a.error, KE_NONE);
    assert_int_equal(log_epoch_at(fx->log, 1), 3);
    assert_int_equal(log_epoch_at(fx->log, 2), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(offsets_follow_one_another, setup, teardown),
        cmocka_unit_test_setup_teardown(high_watermark_waits_for_the_commit, setup, teardown),
        cmocka_unit_test_setup_teardown(first_append_writes_the_epoch, setup, teardown),
        cmocka_unit_test_setup_teardown(malformed_batches_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(reserved_attributes_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(message_size_limit_is_exact, setup, teardown),
        cmocka_unit_test_setup_teardown(batch_larger_than_a_segment_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(compacted_topic_wants_keys, setup, teardown),
        cmocka_unit_test_setup_teardown(timestamps_have_a_window, setup, teardown),
        cmocka_unit_test_setup_teardown(log_append_time_is_stamped, setup, teardown),
        cmocka_unit_test_setup_teardown(topic_codec_replaces_the_producers, setup, teardown),
        cmocka_unit_test_setup_teardown(segment_rolls_by_size, setup, teardown),
        cmocka_unit_test_setup_teardown(segment_rolls_by_record_time, setup, teardown),
        cmocka_unit_test_setup_teardown(segment_rolls_when_the_index_is_full, setup, teardown),
        cmocka_unit_test_setup_teardown(full_disk_is_a_state, setup, teardown),
        cmocka_unit_test_setup_teardown(last_space_is_the_brokers_own, setup, teardown),
        cmocka_unit_test_setup_teardown(raft_batches_keep_their_offsets, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
