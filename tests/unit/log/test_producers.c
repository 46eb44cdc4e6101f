/* Idempotent producers: the rules of ProducerStateManager, and that they hold over restarts. */
#include "log_fixture.h"

#include "segment.h"
#include "spy_vfs.h"

static int setup(void **state)
{
    struct fixture *fx = xcalloc(1, sizeof(*fx));

    fixture_init(fx, (const char *[]){"log.journal.bytes=0", NULL});
    *state = fx;
    return 0;
}

static int teardown(void **state)
{
    fixture_release(*state);
    free(*state);
    return 0;
}

static struct test_batch from(int64_t id, int16_t epoch, int32_t sequence, int n_records)
{
    return (struct test_batch){
        .producer_id = id, .producer_epoch = epoch, .sequence = sequence, .n_records = n_records};
}

/* A repeat is answered with the first one's offset and time, and nothing is written; the last five
 * are known. */
static void repeats_are_answered_with_the_first_offset(void **state)
{
    struct fixture *fx = *state;
    struct log_append a;

    fixture_open(fx);
    for (int i = 0; i < 6; i++)
        assert_int_equal(fixture_append(fx, from(1, 0, 3 * i, 3)), 3 * i);
    for (int i = 1; i < 6; i++) {
        assert_int_equal(fixture_append_as(fx, LOG_FROM_CLIENT, from(1, 0, 3 * i, 3), &a), 0);
        assert_int_equal(a.error, KE_NONE);
        assert_true(a.duplicate);
        assert_int_equal(a.base_offset, 3 * i);
        assert_int_equal(a.last_offset, 3 * i + 2);
        assert_int_equal(a.append_time_ms, FIXTURE_START_MS + 2);
    }
    assert_int_equal(log_end_offset(fx->log), 18);
    /* The sixth but last is forgotten; the same begin with another length is no repeat. */
    assert_int_equal(fixture_append_error(fx, from(1, 0, 0, 3)), KE_OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_int_equal(fixture_append_error(fx, from(1, 0, 15, 2)), KE_OUT_OF_ORDER_SEQUENCE_NUMBER);
}

/* A gap is refused; an unknown producer may begin anywhere (KIP-360). */
static void sequences_have_no_gaps(void **state)
{
    struct fixture *fx = *state;

    fixture_open(fx);
    assert_int_equal(fixture_append_error(fx, from(1, 0, 77, 2)), KE_NONE);
    assert_int_equal(fixture_append_error(fx, from(1, 0, 80, 1)), KE_OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_int_equal(fixture_append_error(fx, from(1, 0, 79, 1)), KE_NONE);
    assert_int_equal(log_end_offset(fx->log), 3);
}

/* 2^31-1 is followed by 0, also inside a batch. */
static void sequences_wrap(void **state)
{
    struct fixture *fx = *state;
    struct log_append a;

    fixture_open(fx);
    assert_int_equal(fixture_append_error(fx, from(1, 0, INT32_MAX - 1, 2)), KE_NONE);
    assert_int_equal(fixture_append_error(fx, from(1, 0, 0, 1)), KE_NONE);
    assert_int_equal(fixture_append_error(fx, from(2, 0, INT32_MAX, 3)), KE_NONE);
    assert_int_equal(fixture_append_as(fx, LOG_FROM_CLIENT, from(2, 0, INT32_MAX, 3), &a), 0);
    assert_true(a.duplicate);
    assert_int_equal(fixture_append_error(fx, from(2, 0, 2, 1)), KE_NONE);
}

/* An older epoch is fenced; a newer one begins at 0. */
static void epochs_fence(void **state)
{
    struct fixture *fx = *state;

    fixture_open(fx);
    fixture_append(fx, from(1, 5, 0, 1));
    assert_int_equal(fixture_append_error(fx, from(1, 4, 1, 1)), KE_INVALID_PRODUCER_EPOCH);
    assert_int_equal(fixture_append_error(fx, from(1, 6, 1, 1)), KE_OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_int_equal(fixture_append_error(fx, from(1, 6, 0, 1)), KE_NONE);
    assert_int_equal(fixture_append_error(fx, from(1, 5, 0, 1)), KE_INVALID_PRODUCER_EPOCH);
}

static void check_goes_on(struct fixture *fx)
{
    struct log_append a;

    assert_int_equal(fixture_append_as(fx, LOG_FROM_CLIENT, from(1, 0, 18, 2), &a), 0);
    assert_int_equal(a.error, KE_NONE);
    assert_true(a.duplicate);
    assert_int_equal(a.base_offset, 18);
    assert_int_equal(fixture_append_error(fx, from(1, 0, 22, 1)), KE_OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_int_equal(fixture_append_error(fx, from(1, 0, 20, 1)), KE_NONE);
}

static void fill(struct fixture *fx)
{
    fixture_topic(fx, (const char *[]){"internal.segment.bytes=300", NULL});
    fixture_open(fx);
    for (int i = 0; i < 10; i++)
        fixture_append(fx, from(1, 0, 2 * i, 2));
    assert_true(log_n_segments(fx->log) > 2);
}

/* What is known of a producer outlives a clean stop, a kill, and the loss of every snapshot. */
static void state_outlives_restarts(void **state)
{
    struct fixture *fx = *state;

    for (int way = 0; way < 3; way++) {
        fill(fx);
        if (way == 0)
            fixture_stop(fx);
        else
            fixture_kill(fx);
        for (int64_t offset = 0; way == 2 && offset <= 20; offset++)
            (void)vfs_unlink(fx->env.vfs, fixture_path(fx, offset, ".snapshot"));
        fixture_open(fx);
        check_goes_on(fx);
        fixture_kill(fx);
        assert_int_equal(vfs_remove_tree(fx->env.vfs, FIXTURE_DIR), 0);
    }
}

/* A client repeats all that was in flight when the broker stopped: up to five batches are known, though a snapshot has one, wherever
 * segments end. */
static void five_repeats_are_known_after_a_restart(void **state)
{
    struct fixture *fx = *state;

    for (int way = 0; way < 4; way++) {
        fixture_topic(fx, (const char *[]){way % 2 ? "internal.segment.bytes=300"
                                                   : "internal.segment.bytes=100000",
                                           "index.interval.bytes=10", NULL});
        fixture_open(fx);
        for (int i = 0; i < 10; i++) {
            fixture_append(fx, from(1, 0, 2 * i, 2));
            fixture_append(fx, from(2, 3, i, 1));
        }
        if (way < 2)
            fixture_stop(fx);
        else
            fixture_kill(fx);
        fixture_open(fx);
        for (int i = 5; i < 10; i++) {
            assert_int_equal(fixture_append(fx, from(1, 0, 2 * i, 2)), 3 * i);
            assert_int_equal(fixture_append(fx, from(2, 3, i, 1)), 3 * i + 2);
        }
        assert_int_equal(log_end_offset(fx->log), 30);
        assert_int_equal(fixture_append_error(fx, from(1, 0, 20, 1)), KE_NONE);
        fixture_kill(fx);
        assert_int_equal(vfs_remove_tree(fx->env.vfs, FIXTURE_DIR), 0);
    }
}

/* The state that counts is the same before a stop and after the start. */
static void the_digest_outlives_a_restart(void **state)
{
    struct fixture *fx = *state;
    uint64_t before, other;

    fixture_open(fx);
    fixture_append(fx, from(1, 0, 0, 3));
    other = log_producers_digest(fx->log);
    fixture_append(fx, from(2, 5, 0, 1));
    fixture_append(fx, from(1, 0, 3, 1));
    before = log_producers_digest(fx->log);
    assert_true(before != other);
    fixture_stop(fx);
    fixture_open(fx);
    assert_true(log_producers_digest(fx->log) == before);
    fixture_append(fx, from(1, 0, 4, 1));
    assert_true(log_producers_digest(fx->log) != before);
}

static int append_rc(struct fixture *fx, struct test_batch tb)
{
    struct log_append a;

    return fixture_append_as(fx, LOG_FROM_CLIENT, tb, &a);
}

/* What was sent behind a batch that found no space finds none either, until that one is written: the log is in the order of the
 * sequences, and the producer is never out of order. */
static void what_is_behind_a_refused_batch_is_refused(void **state)
{
    struct fixture *fx = *state;
    struct spy_vfs *spy = spy_vfs_new(fx->env.vfs);

    fx->env.vfs = &spy->vfs;
    spy->only = ".log";
    fixture_open(fx);
    spy_fail(spy, SPY_WRITE, 0, E_NOSPC);
    assert_int_equal(append_rc(fx, from(1, 0, 0, 2)), E_NOSPC);
    assert_true(spy_has_failed(spy));
    for (int i = 1; i < 5; i++)
        assert_int_equal(append_rc(fx, from(1, 0, 2 * i, 2)), E_NOSPC);
    fixture_append(fx, from(2, 0, 0, 1)); /* another one has to do with none of it */
    for (int i = 0; i < 5; i++)
        assert_int_equal(fixture_append(fx, from(1, 0, 2 * i, 2)), 1 + 2 * i);
    /* Of one that is known, in the middle. */
    spy_fail(spy, SPY_WRITE, 1, E_NOSPC);
    assert_int_equal(append_rc(fx, from(1, 0, 10, 1)), 0);
    assert_int_equal(append_rc(fx, from(1, 0, 11, 1)), E_NOSPC);
    assert_int_equal(append_rc(fx, from(1, 0, 12, 1)), E_NOSPC);
    fixture_append(fx, from(1, 0, 10, 1)); /* a repeat of what is there */
    fixture_append(fx, from(1, 0, 11, 1));
    fixture_append(fx, from(1, 0, 12, 1));
    fixture_kill(fx);
    fx->env.vfs = spy->under;
    spy_vfs_free(spy);
}

/* A new epoch, or a long time, and nothing is waited for any more. */
static void a_refused_batch_is_not_waited_for_for_ever(void **state)
{
    struct producers *ps = producers_new();
    struct batch b = {.producer_id = 7, .producer_epoch = 1, .base_sequence = INT32_MAX};
    struct batch behind = b, newer = b;

    behind.base_sequence = 3; /* it wraps */
    newer.producer_epoch = 2;
    newer.base_sequence = 5;
    held_refused(ps, &b, (struct mono){0});
    assert_false(held_check(ps, &b, (struct mono){1}));
    assert_true(held_check(ps, &behind, (struct mono){1}));
    held_refused(ps, &behind, (struct mono){1});
    assert_true(held_check(ps, &behind, (struct mono){2}));
    assert_false(held_check(ps, &behind, (struct mono){600 * 1000000000LL + 1}));
    held_refused(ps, &b, (struct mono){0});
    assert_false(held_check(ps, &newer, (struct mono){1}));
    assert_int_equal(ps->n_held, 0);
    for (int i = 0; i < 3000; i++) {
        b.producer_id = i;
        held_refused(ps, &b, (struct mono){i});
    }
    assert_int_equal(ps->n_held, 1000);
    behind.producer_id = 1999;
    assert_false(held_check(ps, &behind, (struct mono){3000}));
    behind.producer_id = 2000;
    assert_true(held_check(ps, &behind, (struct mono){3000}));
    producers_free(ps);
}

/* Of a power cut: an older one is torn as well as the newest. */
static void older_torn_snapshots_are_removed(void **state)
{
    struct fixture *fx = *state;
    int64_t base;

    fill(fx);
    base = fx->log->segments[1]->base_offset;
    fixture_kill(fx);
    fixture_truncate(fx, fixture_path(fx, base, ".snapshot"), 0);
    fixture_open(fx);
    assert_false(fixture_exists(fx, fixture_path(fx, base, ".snapshot")));
    check_goes_on(fx);
}

/* A snapshot that is torn is skipped: the one before it, and a longer replay. */
static void torn_snapshot_is_skipped(void **state)
{
    struct fixture *fx = *state;
    uint64_t marks = mark_count("snapshot_skipped");

    fill(fx);
    fixture_stop(fx);
    fixture_flip(fx, fixture_path(fx, 20, ".snapshot"), 20);
    fixture_open(fx);
    assert_int_equal(mark_count("snapshot_skipped"), marks + 1);
    check_goes_on(fx);
}

/* The file has Kafka's layout, byte for byte. */
static void snapshot_has_kafkas_layout(void **state)
{
    struct fixture *fx = *state;
    struct buf b;

    fixture_open(fx);
    fixture_append(fx, from(0x0102030405060708, 9, 3, 4));
    fixture_stop(fx);
    fixture_read_file(fx, fixture_path(fx, 4, ".snapshot"), &b);
    assert_int_equal(b.n, 56);
    assert_int_equal(get_be16(b.p), 1);
    assert_int_equal(get_be32(b.p + 2), crc32c(0, b.p + 6, 50));
    assert_int_equal(get_be32(b.p + 6), 1);
    assert_int_equal(get_be64(b.p + 10), 0x0102030405060708);
    assert_int_equal(get_be16(b.p + 18), 9);
    assert_int_equal(get_be32(b.p + 20), 6);
    assert_int_equal(get_be64(b.p + 24), 3);
    assert_int_equal(get_be32(b.p + 32), 3);
    assert_int_equal(get_be64(b.p + 36), FIXTURE_START_MS + 3);
    assert_int_equal(get_be32(b.p + 44), UINT32_MAX);
    assert_int_equal(get_be64(b.p + 48), UINT64_MAX);
    buf_release(&b);
}

/* Every truncation and every flipped bit of a snapshot is refused, and leaves nothing behind. */
static void bad_snapshots_are_refused(void **state)
{
    struct producers *ps = producers_new(), *other = producers_new();
    struct batch b = {.producer_id = 3,
                      .producer_epoch = 1,
                      .base_sequence = 0,
                      .max_timestamp_ms = 50,
                      .record_count = 1};
    struct wall now = {100};
    struct ended_txn ended;
    struct buf file;

    (void)state;
    buf_init(&file);
    producers_apply(ps, &b, NULL, now, &ended);
    producers_encode(ps, &file);
    assert_int_equal(producers_decode(other, bytes_of(file.p, file.n), now, 1000), 0);
    assert_int_equal(other->n, 1);
    for (size_t n = 0; n < file.n; n++)
        assert_int_equal(producers_decode(other, bytes_of(file.p, n), now, 1000), E_CORRUPT);
    for (size_t i = 0; i < file.n * 8; i++) {
        file.p[i / 8] ^= (uint8_t)(1 << i % 8);
        assert_int_equal(producers_decode(other, bytes_of(file.p, file.n), now, 1000), E_CORRUPT);
        assert_int_equal(other->n, 0);
        file.p[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    buf_release(&file);
    producers_free(ps);
    producers_free(other);
}

/* Silent producers are forgotten, to the millisecond; one with an open transaction is not. */
static void silent_producers_expire(void **state)
{
    struct producers *ps = producers_new();
    struct batch b = {
        .producer_id = 3, .base_sequence = 0, .max_timestamp_ms = 50, .record_count = 1};
    struct batch open = {.producer_id = 4,
                         .max_timestamp_ms = 50,
                         .record_count = 1,
                         .attributes = BATCH_TRANSACTIONAL};
    struct ended_txn ended;

    (void)state;
    producers_apply(ps, &b, NULL, (struct wall){100}, &ended);
    producers_apply(ps, &open, NULL, (struct wall){100}, &ended);
    producers_expire(ps, (struct wall){1100}, 1000);
    assert_non_null(producers_find(ps, 3));
    producers_expire(ps, (struct wall){1101}, 1000);
    assert_null(producers_find(ps, 3));
    assert_non_null(producers_find(ps, 4));
    producers_free(ps);
}

/* A marker ends the transaction; one with a newer epoch also forgets the batches. */
static void markers_reset_the_producer(void **state)
{
    struct producers *ps = producers_new();
    struct batch b = {.producer_id = 3,
                      .producer_epoch = 1,
                      .max_timestamp_ms = 50,
                      .record_count = 1,
                      .attributes = BATCH_TRANSACTIONAL};
    struct batch_options options = BATCH_OPTIONS_NONE;
    struct batch_builder bb;
    struct batch marker;
    struct buf out;
    uint8_t key[4], value[MARKER_VALUE_BYTES];
    struct ended_txn ended;

    (void)state;
    buf_init(&out);
    options.attributes = BATCH_TRANSACTIONAL | BATCH_CONTROL;
    options.producer_id = 3;
    options.producer_epoch = 2;
    options.base_offset = 1;
    batch_begin(&bb, &out, options);
    control_key_put(key, CONTROL_COMMIT);
    marker_value_put(value, 7);
    batch_add(&bb, 60, bytes_of(key, 4), bytes_of(value, sizeof(value)), NULL, 0);
    assert_int_equal(batch_end(&bb), 0);
    assert_int_equal(batch_check(out.p, out.n, &marker), 0);
    assert_false(producers_apply(ps, &b, NULL, (struct wall){100}, &ended));
    assert_int_equal(producers_find(ps, 3)->txn_first_offset, 0);
    assert_true(producers_apply(ps, &marker, out.p, (struct wall){100}, &ended));
    assert_false(ended.aborted);
    assert_int_equal(ended.txn.stable_offset, 2);
    assert_int_equal(producers_find(ps, 3)->txn_first_offset, -1);
    assert_int_equal(producers_find(ps, 3)->epoch, 2);
    assert_int_equal(producers_find(ps, 3)->n_batches, 0);
    assert_int_equal(producers_find(ps, 3)->coordinator_epoch, 7);
    buf_release(&out);
    producers_free(ps);
}

/* Past the limit the producer that wrote longest ago is forgotten. */
static void producers_have_a_limit(void **state)
{
    struct producers *ps = producers_new();
    struct batch b = {.base_sequence = 0, .max_timestamp_ms = 50, .record_count = 1};
    struct ended_txn ended;

    (void)state;
    for (int64_t id = 0; id <= PRODUCERS_MAX; id++) {
        b.producer_id = id;
        producers_apply(ps, &b, NULL, (struct wall){100}, &ended);
    }
    assert_int_equal(ps->n, PRODUCERS_MAX);
    assert_null(producers_find(ps, 0));
    assert_non_null(producers_find(ps, 1));
    producers_free(ps);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(repeats_are_answered_with_the_first_offset, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(sequences_have_no_gaps, setup, teardown),
        cmocka_unit_test_setup_teardown(sequences_wrap, setup, teardown),
        cmocka_unit_test_setup_teardown(epochs_fence, setup, teardown),
        cmocka_unit_test_setup_teardown(state_outlives_restarts, setup, teardown),
        cmocka_unit_test_setup_teardown(five_repeats_are_known_after_a_restart, setup, teardown),
        cmocka_unit_test_setup_teardown(the_digest_outlives_a_restart, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_behind_a_refused_batch_is_refused, setup, teardown),
        cmocka_unit_test(a_refused_batch_is_not_waited_for_for_ever),
        cmocka_unit_test_setup_teardown(older_torn_snapshots_are_removed, setup, teardown),
        cmocka_unit_test_setup_teardown(torn_snapshot_is_skipped, setup, teardown),
        cmocka_unit_test_setup_teardown(snapshot_has_kafkas_layout, setup, teardown),
        cmocka_unit_test(bad_snapshots_are_refused),
        cmocka_unit_test(silent_producers_expire),
        cmocka_unit_test(markers_reset_the_producer),
        cmocka_unit_test(producers_have_a_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
