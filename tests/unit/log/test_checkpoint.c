/* The checkpoint files: their text, when they are written, what they may say. */
#include "log_fixture.h"

#include "directory.h"
#include "spy_vfs.h"

#define RECOVERY  FIXTURE_DIR "/recovery-point-offset-checkpoint"
#define START     FIXTURE_DIR "/log-start-offset-checkpoint"
#define WATERMARK FIXTURE_DIR "/replication-offset-checkpoint"

static const char *const no_journal[] = {"log.journal.bytes=0", NULL};

struct seen {
    int n;
    char text[256];
};

static int see(void *arg, struct str topic, int32_t partition, int64_t offset)
{
    struct seen *seen = arg;
    size_t n = strlen(seen->text);

    seen->n++;
    (void)snprintf(seen->text + n, sizeof(seen->text) - n, "%.*s/%d=%lld ", STR_ARG(topic),
                   partition, (long long)offset);
    return 0;
}

static void assert_file(struct fixture *fx, const char *path, const char *expected)
{
    struct buf text;

    fixture_read_file(fx, path, &text);
    assert_string_equal(buf_cstr(&text), expected);
    buf_release(&text);
}

/* Kafka's text is read, also without the last line's end; an empty file says nothing. */
static void good_text_is_read(void **state)
{
    static const struct {
        const char *text, *seen;
    } cases[] = {
        {"", ""},
        {"0\n0\n", ""},
        {"0\n0", ""},
        {"0\n1\n__transaction_state 42 0\n", "__transaction_state/42=0 "},
        {"0\n2\na.b 0 9223372036854775807\nc 2147483647 7",
         "a.b/0=9223372036854775807 c/2147483647=7 "},
        {"0\n1\na 0 -1\n", "a/0=-1 "},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct seen seen = {0};

        assert_int_equal(
            checkpoint_parse(bytes_of(cases[i].text, strlen(cases[i].text)), see, &seen), 0);
        assert_string_equal(seen.text, cases[i].seen);
    }
}

/* A wrong version, a wrong count, a short file or a line that is none is refused as a whole. */
static void bad_text_is_refused(void **state)
{
    static const char *const cases[] = {
        "1\n0\n",
        "0",
        "0\n",
        "\n0\n",
        "0\n-1\n",
        "0\n2\na 0 1\n",
        "0\n0\na 0 1\n",
        "0\nx\n",
        "0\n1\na 0\n",
        "0\n1\na 0 1 2\n",
        "0\n1\n 0 1\n",
        "0\n1\na b 1\n",
        "0\n1\na -1 1\n",
        "0\n1\na 2147483648 1\n",
        "0\n1\na 0 x\n",
        "0\n1\na 0 \n",
        "0\n1\na 0 9223372036854775808\n",
        "0\n1\n\n",
        "0\n1\na  0 1\n",
        "0\n99999999999999999999\n",
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct seen seen = {0};

        if (checkpoint_parse(bytes_of(cases[i], strlen(cases[i])), see, &seen) != E_CORRUPT)
            fail_msg("taken: %s", cases[i]);
    }
}

/* The files are written at their intervals, and say what holds then. */
static void files_are_written_at_their_intervals(void **state)
{
    struct fixture fx;

    fixture_init(&fx, no_journal);
    fixture_open(&fx);
    fixture_append(&fx, (struct test_batch){.n_records = 5});
    fixture_settle(&fx);
    assert_false(fixture_exists(&fx, WATERMARK));
    fixture_advance_ms(&fx, 4999);
    fixture_settle(&fx);
    assert_false(fixture_exists(&fx, WATERMARK));
    fixture_advance_ms(&fx, 1);
    fixture_settle(&fx);
    assert_file(&fx, WATERMARK, "0\n1\nt 0 5\n");
    assert_false(fixture_exists(&fx, RECOVERY));
    fixture_advance_ms(&fx, 55000);
    fixture_settle(&fx);
    assert_file(&fx, RECOVERY, "0\n1\nt 0 5\n");
    assert_false(fixture_exists(&fx, START)); /* it begins where its first segment does */
    fixture_release(&fx);
}

/* Nothing is written, and no timer of the checkpoints or the flush runs, while nothing happens. */
static void an_idle_broker_writes_nothing(void **state)
{
    struct spy_vfs *spy;
    struct fixture fx;

    fixture_init(&fx, no_journal);
    spy = spy_vfs_new(fx.env.vfs);
    fx.env.vfs = &spy->vfs;
    fixture_open(&fx);
    fixture_append(&fx, (struct test_batch){0});
    fixture_settle(&fx);
    for (int i = 0; i < 3; i++) {
        fixture_advance_ms(&fx, 60000);
        fixture_settle(&fx);
    }
    spy_forget(spy);
    assert_false(timer_armed(&fx.m->checkpoint_timer));
    assert_false(timer_armed(&fx.m->flush_timer));
    for (int i = 0; i < 10; i++) {
        fixture_advance_ms(&fx, 60000);
        fixture_settle(&fx);
    }
    assert_string_equal(spy->log, "");
    fixture_kill(&fx);
    fx.env.vfs = spy->under;
    spy_vfs_free(spy);
    fixture_release(&fx);
}

/* The recovery point of records that only the journal holds is written when their segments were flushed, not before. */
static void a_recovery_point_is_never_ahead_of_the_flush(void **state)
{
    struct fixture fx;

    fixture_init(&fx, (const char *const[]){"log.journal.bytes=262144", NULL});
    fixture_open(&fx);
    fixture_append(&fx, (struct test_batch){0});
    fixture_settle(&fx);
    fixture_append(&fx, (struct test_batch){0});
    fixture_settle(&fx);
    assert_int_equal(fx.log->recovery_point, 1);
    assert_int_equal(fx.log->flushed_offset, 2);
    fixture_advance_ms(&fx, 60000);
    logm_turn(fx.m); /* the flush is submitted, the checkpoint waits for it */
    assert_true(lanes_sim_step(fx.env.lanes));
    assert_int_equal(checkpoint_recovery_point_written(fx.log), -1);
    fixture_settle(&fx);
    assert_file(&fx, RECOVERY, "0\n1\nt 0 2\n");
    assert_int_equal(checkpoint_recovery_point_written(fx.log), 2);
    fixture_release(&fx);
}

/* A log that starts past its first segment's base has a line; others have none. */
static void the_log_start_is_written_where_the_files_do_not_say_it(void **state)
{
    struct fixture fx;

    fixture_init(&fx, no_journal);
    fixture_open(&fx);
    fixture_append(&fx, (struct test_batch){.n_records = 5});
    fixture_settle(&fx);
    fx.log->start_offset = 3;
    checkpoint_start_moved(fx.log);
    fixture_advance_ms(&fx, 60000);
    fixture_settle(&fx);
    assert_file(&fx, START, "0\n1\nt 0 3\n");
    fixture_stop(&fx);
    assert_file(&fx, START, "0\n1\nt 0 3\n");
    fixture_open(&fx);
    assert_int_equal(log_start_offset(fx.log), 3);
    fixture_release(&fx);
}

/* Lines of partitions that were not opened are carried over. */
static void lines_of_closed_partitions_stay(void **state)
{
    struct fixture fx;
    struct log *other;

    fixture_init(&fx, no_journal);
    fixture_open(&fx);
    fixture_append(&fx, (struct test_batch){.n_records = 5});
    fixture_stop(&fx);
    assert_int_equal(fixture_open_manager(&fx), 0);
    assert_int_equal(checkpoint_recovery_point(fx.m, &fx.m->dirs[0], "t-0"), 5);
    assert_int_equal(checkpoint_high_watermark(fx.m, &fx.m->dirs[0], "t-0"), 5);
    assert_int_equal(checkpoint_start_offset(fx.m, &fx.m->dirs[0], "t-0"), -1);
    assert_int_equal(checkpoint_recovery_point(fx.m, &fx.m->dirs[0], "t-1"), -1);
    assert_int_equal(log_open(fx.m, "u", 0, UUID_ZERO, &fx.topic, 0, -1, &other, &fx.msg), 0);
    fixture_stop(&fx);
    assert_file(&fx, RECOVERY, "0\n2\nt 0 5\nu 0 0\n");
    fixture_release(&fx);
}

/* A malformed file is as good as none. */
static void a_malformed_file_counts_as_missing(void **state)
{
    struct fixture fx;

    fixture_init(&fx, no_journal);
    fixture_open(&fx);
    fixture_append(&fx, (struct test_batch){.n_records = 5});
    fixture_stop(&fx);
    fixture_write_file(&fx, RECOVERY, "0\n2\nt 0 5\n", 10);
    assert_int_equal(fixture_open_manager(&fx), 0);
    assert_int_equal(checkpoint_recovery_point(fx.m, &fx.m->dirs[0], "t-0"), -1);
    assert_int_equal(fixture_open_log(&fx), 0);
    assert_int_equal(log_end_offset(fx.log), 5);
    fixture_release(&fx);
}

/* A partition that was deleted and made anew is not acknowledged while a file may hold the old one's recovery point. */
static void a_new_partition_does_not_inherit_lines(void **state)
{
    struct fixture fx;

    fixture_init(&fx, no_journal);
    fixture_open(&fx);
    fixture_append(&fx, (struct test_batch){.n_records = 50});
    fixture_stop(&fx);
    fixture_open(&fx);
    assert_int_equal(checkpoint_recovery_point_written(fx.log), 50);
    log_delete(fx.log);
    assert_int_equal(fixture_open_log(&fx), 0);
    fixture_append(&fx, (struct test_batch){0});
    logm_turn(fx.m); /* the checkpoint, and no commit */
    assert_true(commit_idle(fx.log->dir) == false && !commit_running(fx.log->dir));
    assert_true(lanes_sim_step(fx.env.lanes));
    assert_file(&fx, RECOVERY, "0\n1\nt 0 0\n");
    assert_int_equal(log_high_watermark(fx.log), 0);
    logm_turn(fx.m);
    assert_true(commit_running(fx.log->dir));
    fixture_settle(&fx);
    assert_int_equal(log_high_watermark(fx.log), 1);
    fixture_release(&fx);
}

/* The same when the broker was killed in between, and only the file remembers the old one. */
static void lines_without_a_directory_are_not_inherited_either(void **state)
{
    static const char text[] = "0\n1\nt 0 50\n";
    struct fixture fx;

    fixture_init(&fx, no_journal);
    assert_int_equal(fixture_open_manager(&fx), 0);
    fixture_kill(&fx);
    fixture_write_file(&fx, RECOVERY, text, strlen(text));
    fixture_open(&fx);
    assert_int_equal(checkpoint_recovery_point(fx.m, fx.log->dir, "t-0"), 50);
    assert_true(checkpoint_is_stale(fx.log));
    fixture_append(&fx, (struct test_batch){0});
    fixture_settle(&fx);
    assert_false(checkpoint_is_stale(fx.log));
    assert_int_equal(log_high_watermark(fx.log), 1);
    fixture_kill(&fx);
    assert_int_equal(fixture_open_manager(&fx), 0);
    assert_int_equal(checkpoint_recovery_point(fx.m, &fx.m->dirs[0], "t-0"), 0);
    fixture_release(&fx);
}

/* A full disk is no failure: the file is written when there is space. */
static void a_full_disk_is_waited_out(void **state)
{
    struct spy_vfs *spy;
    struct fixture fx;

    fixture_init(&fx, no_journal);
    spy = spy_vfs_new(fx.env.vfs);
    fx.env.vfs = &spy->vfs;
    fixture_open(&fx);
    fixture_append(&fx, (struct test_batch){0});
    fixture_settle(&fx);
    spy->only = "replication-offset-checkpoint";
    spy_fail(spy, SPY_WRITE, 0, E_NOSPC);
    fixture_advance_ms(&fx, 5000);
    fixture_settle(&fx);
    assert_false(fixture_exists(&fx, WATERMARK));
    assert_false(logm_dir_offline(fx.m, 0));
    fixture_advance_ms(&fx, 5000);
    fixture_settle(&fx);
    assert_file(&fx, WATERMARK, "0\n1\nt 0 1\n");
    fixture_kill(&fx);
    fx.env.vfs = spy->under;
    spy_vfs_free(spy);
    fixture_release(&fx);
}

/* A sync of it that fails takes the directory offline, like any other. */
static void a_failed_sync_is_final(void **state)
{
    struct spy_vfs *spy;
    struct fixture fx;

    fixture_init(&fx, no_journal);
    spy = spy_vfs_new(fx.env.vfs);
    fx.env.vfs = &spy->vfs;
    fixture_open(&fx);
    fixture_append(&fx, (struct test_batch){0});
    fixture_settle(&fx);
    spy->only = "replication-offset-checkpoint";
    spy_fail(spy, SPY_DATASYNC, 0, E_IO);
    fixture_advance_ms(&fx, 5000);
    fixture_settle(&fx);
    assert_true(logm_dir_offline(fx.m, 0));
    fixture_kill(&fx);
    fx.env.vfs = spy->under;
    spy_vfs_free(spy);
    fixture_release(&fx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_text_is_read),
        cmocka_unit_test(bad_text_is_refused),
        cmocka_unit_test(files_are_written_at_their_intervals),
        cmocka_unit_test(an_idle_broker_writes_nothing),
        cmocka_unit_test(a_recovery_point_is_never_ahead_of_the_flush),
        cmocka_unit_test(the_log_start_is_written_where_the_files_do_not_say_it),
        cmocka_unit_test(lines_of_closed_partitions_stay),
        cmocka_unit_test(a_malformed_file_counts_as_missing),
        cmocka_unit_test(a_new_partition_does_not_inherit_lines),
        cmocka_unit_test(lines_without_a_directory_are_not_inherited_either),
        cmocka_unit_test(a_full_disk_is_waited_out),
        cmocka_unit_test(a_failed_sync_is_final),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
