/* A log's life, and what it says of itself. */
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

/* A new log is empty, has its first segment, and its directory was not there before. */
static void new_log_is_empty(void **state)
{
    struct fixture *fx = *state;

    assert_int_equal(fixture_open_manager(fx), 0);
    assert_false(log_exists(fx->m, "t", 0));
    assert_int_equal(fixture_open_log(fx), 0);
    assert_true(log_exists(fx->m, "t", 0));
    assert_false(log_exists(fx->m, "t", 1));
    assert_string_equal(log_topic(fx->log), "t");
    assert_int_equal(log_partition(fx->log), 0);
    assert_int_equal(log_start_offset(fx->log), 0);
    assert_int_equal(log_end_offset(fx->log), 0);
    assert_int_equal(log_high_watermark(fx->log), 0);
    assert_int_equal(log_stable_offset(fx->log), 0);
    assert_int_equal(log_n_segments(fx->log), 1);
    assert_int_equal(log_size_bytes(fx->log), 0);
}

/* What must be durable before the first acknowledgement: two files, two directories; and only once. */
static void new_names_are_collected_once(void **state)
{
    struct fixture *fx = *state;
    struct flush_list list = {0};

    fixture_open(fx);
    log_collect_names(fx->log, &list);
    assert_int_equal(list.n, 2); /* the segment and partition.metadata */
    assert_int_equal(list.n_dirs, 2);
    assert_string_equal(list.dirs[0], FIXTURE_DIR "/t-0");
    assert_string_equal(list.dirs[1], FIXTURE_DIR);
    flush_list_release(&list);
    log_collect_names(fx->log, &list);
    assert_int_equal(list.n + list.n_dirs, 0);
}

/* A flush covers the segments past the recovery point, and no others. */
static void flush_covers_unflushed_segments(void **state)
{
    struct fixture *fx = *state;
    struct flush_list list = {0};

    fixture_topic(fx,
                  (const char *[]){"internal.segment.bytes=200", "flush.messages=1000000", NULL});
    fixture_open(fx);
    for (int i = 0; i < 6; i++)
        fixture_append(fx, (struct test_batch){0});
    assert_int_equal(log_n_segments(fx->log), 3);
    log_collect_flush(fx->log, &list);
    assert_int_equal(list.n, 3);
    flush_list_release(&list);
    fx->log->recovery_point = 4;
    log_collect_flush(fx->log, &list);
    assert_int_equal(list.n, 1);
    flush_list_release(&list);
}

/* Many restarts without a record leave the log, and its files, as they are. */
static void restarts_change_nothing(void **state)
{
    struct fixture *fx = *state;

    for (int i = 0; i < 6; i++) {
        fixture_open(fx);
        assert_int_equal(log_end_offset(fx->log), i > 0 ? 2 : 0);
        if (i == 0)
            fixture_append(fx, (struct test_batch){.n_records = 2, .producer_id = 3});
        fixture_settle(fx);
        assert_int_equal(log_high_watermark(fx->log), 2);
        if (i % 2)
            fixture_stop(fx);
        else
            fixture_kill(fx);
    }
    fixture_open(fx);
    assert_int_equal(fixture_count_records(fx), 2);
    assert_int_equal(fixture_file_bytes(fx, fixture_path(fx, 2, ".snapshot")), 56);
}

/* A topic that is no longer durable shows at once what was waiting. */
static void settings_change_while_open(void **state)
{
    struct fixture *fx = *state;

    fixture_open(fx);
    fixture_append(fx, (struct test_batch){0});
    assert_int_equal(log_high_watermark(fx->log), 0);
    fixture_topic(fx, (const char *[]){"flush.messages=100", "max.message.bytes=10", NULL});
    log_set_config(fx->log, &fx->topic);
    assert_int_equal(log_high_watermark(fx->log), 1);
    assert_int_equal(fixture_append_error(fx, (struct test_batch){0}), KE_MESSAGE_TOO_LARGE);
}

/* Epochs as OffsetForLeaderEpoch asks for them. */
static void epoch_ends_follow_the_log(void **state)
{
    struct fixture *fx = *state;
    int32_t epoch;
    int64_t end;

    fixture_open(fx);
    log_epoch_end(fx->log, 0, &epoch, &end);
    assert_int_equal(epoch, -1);
    fixture_append(fx, (struct test_batch){.n_records = 7});
    log_epoch_end(fx->log, 0, &epoch, &end);
    assert_int_equal(epoch, 0);
    assert_int_equal(end, 7);
    assert_int_equal(log_epoch_at(fx->log, 6), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(new_log_is_empty, setup, teardown),
        cmocka_unit_test_setup_teardown(new_names_are_collected_once, setup, teardown),
        cmocka_unit_test_setup_teardown(flush_covers_unflushed_segments, setup, teardown),
        cmocka_unit_test_setup_teardown(restarts_change_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(settings_change_while_open, setup, teardown),
        cmocka_unit_test_setup_teardown(epoch_ends_follow_the_log, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
