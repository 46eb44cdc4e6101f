/* The background flush: indexes, names, and what it means for the next start. */
#include "log_fixture.h"

#include "directory.h"
#include "segment.h"
#include "spy_vfs.h"

static void begin(struct fixture *fx, struct spy_vfs **spy)
{
    fixture_init(fx, (const char *[]){"log.journal.bytes=0", NULL});
    fixture_topic(fx,
                  (const char *[]){"internal.segment.bytes=300", "index.interval.bytes=10", NULL});
    *spy = spy_vfs_new(fx->env.vfs);
    (*spy)->only = "index";
    fx->env.vfs = &(*spy)->vfs;
    fixture_open(fx);
}

static void end(struct fixture *fx, struct spy_vfs *spy)
{
    fixture_kill(fx);
    fx->env.vfs = spy->under;
    spy_vfs_free(spy);
    fixture_release(fx);
}

/* Appends until a segment is sealed, and commits without a flush. */
static void seal_and_commit(struct fixture *fx)
{
    int n = log_n_segments(fx->log);

    while (log_n_segments(fx->log) == n)
        fixture_append(fx, (struct test_batch){0});
    logm_turn(fx->m);
    while (log_high_watermark(fx->log) < log_end_offset(fx->log))
        assert_true(lanes_sim_step(fx->env.lanes));
}

static int count_syncs(const struct spy_vfs *spy)
{
    int n = 0;

    for (const char *p = spy->log; *p; p++)
        n += *p == SPY_DATASYNC;
    return n;
}

/* What the checkpoint's interval asks for. */
static void tick(struct fixture *fx)
{
    fixture_advance_ms(fx, 60 * 1000);
    fixture_settle(fx);
}

/* The recovery point is noted only when the indexes up to it are synced, which holds up no commit. */
static void indexes_are_synced_before_the_recovery_point_is_noted(void **state)
{
    struct spy_vfs *spy;
    struct fixture fx;

    begin(&fx, &spy);
    seal_and_commit(&fx);
    fixture_settle(&fx);
    assert_int_equal(fx.log->recovery_point, log_end_offset(fx.log));
    assert_int_equal(fx.log->indexed_point, 0);
    assert_int_equal(count_syncs(spy), 0);
    tick(&fx);
    assert_int_equal(count_syncs(spy), 4); /* of two segments */
    assert_int_equal(fx.log->indexed_point, log_end_offset(fx.log));
    assert_int_equal(checkpoint_recovery_point_written(fx.log), log_end_offset(fx.log));
    tick(&fx);
    assert_int_equal(count_syncs(spy), 4);
    fixture_append(&fx, (struct test_batch){0});
    tick(&fx);
    assert_int_equal(count_syncs(spy), 6); /* not the first one again */
    assert_int_equal(checkpoint_recovery_point_written(fx.log), log_end_offset(fx.log));
    end(&fx, spy);
}

/* A clean stop takes what is appended after it has begun, too: markers of transactions. */
static void stop_with_a_latecomer(const char *broker_setting, const char *topic_setting)
{
    struct fixture fx;

    fixture_init(&fx, (const char *[]){broker_setting, NULL});
    fixture_topic(&fx, (const char *[]){topic_setting, NULL});
    fixture_open(&fx);
    fixture_append(&fx, (struct test_batch){0});
    logm_flush_all(fx.m);
    fixture_settle(&fx);
    fixture_append(&fx, (struct test_batch){0});
    fixture_settle(&fx);
    assert_true(logm_quiet(fx.m));
    assert_int_equal(fx.log->recovery_point, 2);
    assert_int_equal(fx.log->indexed_point, 2);
    logm_close(fx.m, true);
    fx.m = NULL;
    fx.log = NULL;
    fixture_open(&fx);
    assert_true(logm_was_clean(fx.m));
    fixture_release(&fx);
}

/* Also where no commit is due. */
static void a_clean_stop_flushes_what_comes_late(void **state)
{
    stop_with_a_latecomer(NULL, "flush.messages=9223372036854775807");
}

/* So it does where a commit syncs the segment by itself: that does not see to the indexes. */
static void a_clean_stop_flushes_the_indexes_of_what_comes_late(void **state)
{
    stop_with_a_latecomer("log.journal.bytes=0", "flush.messages=1");
}

/* An index that can not be opened holds back what is noted, and nothing else. */
static void an_index_that_can_not_be_opened_is_no_failure(void **state)
{
    struct spy_vfs *spy;
    struct fixture fx;

    begin(&fx, &spy);
    seal_and_commit(&fx);
    spy_fail(spy, SPY_OPEN, 0, E_MFILE);
    tick(&fx);
    assert_true(spy_has_failed(spy));
    assert_false(logm_dir_offline(fx.m, 0));
    assert_int_equal(fx.log->recovery_point, log_end_offset(fx.log));
    assert_int_equal(fx.log->indexed_point, 0);
    tick(&fx);
    assert_int_equal(fx.log->indexed_point, log_end_offset(fx.log));
    end(&fx, spy);
}

/* Nor can one that can not be written. */
static void an_index_that_can_not_be_written_is_no_failure(void **state)
{
    struct spy_vfs *spy;
    struct fixture fx;

    begin(&fx, &spy);
    for (int i = 0; i < 3; i++)
        fixture_append(&fx, (struct test_batch){0});
    fixture_settle(&fx);
    spy_fail(spy, SPY_WRITE, 0, E_NOSPC);
    tick(&fx);
    assert_true(spy_has_failed(spy));
    assert_false(logm_dir_offline(fx.m, 0));
    assert_int_equal(fx.log->indexed_point, 0);
    tick(&fx);
    assert_int_equal(fx.log->indexed_point, log_end_offset(fx.log));
    end(&fx, spy);
}

/* One whose sync fails is a failed flush like any other. */
static void an_index_that_can_not_be_synced_takes_the_directory_offline(void **state)
{
    struct spy_vfs *spy;
    struct fixture fx;

    begin(&fx, &spy);
    seal_and_commit(&fx);
    spy_fail(spy, SPY_DATASYNC, 0, E_IO);
    tick(&fx);
    assert_true(logm_dir_offline(fx.m, 0));
    end(&fx, spy);
}

/* With many indexes one syncfs is for all: also where commits have synced the segments and there is nothing else to sync. */
static void many_indexes_are_synced_with_nothing_else_to_sync(void **state)
{
    struct spy_vfs *spy;
    struct fixture fx;

    begin(&fx, &spy);
    spy->only = NULL;
    while (log_n_segments(fx.log) <= COMMIT_FILES_MAX / 2)
        seal_and_commit(&fx);
    fixture_settle(&fx);
    assert_int_equal(fx.log->recovery_point, log_end_offset(fx.log));
    spy_forget(spy);
    tick(&fx);
    assert_int_equal(fx.log->indexed_point, log_end_offset(fx.log));
    assert_non_null(strchr(spy->log, SPY_SYNC_ALL));
    end(&fx, spy);
}

/* An index that was gone is a new file: its name is synced with it. */
static void the_name_of_an_index_that_is_made_anew_is_synced(void **state)
{
    struct spy_vfs *spy;
    struct fixture fx;

    begin(&fx, &spy);
    for (int i = 0; i < 2; i++)
        fixture_append(&fx, (struct test_batch){.timestamp_ms = 1000 + i});
    tick(&fx);
    assert_int_equal(checkpoint_recovery_point_written(fx.log), 2);
    fixture_kill(&fx);
    assert_int_equal(vfs_unlink(spy->under, FIXTURE_DIR "/t-0/00000000000000000000.timeindex"), 0);
    spy->only = FIXTURE_DIR "/t-0";
    spy_forget(spy);
    fixture_open(&fx);
    tick(&fx);
    assert_true(fixture_exists(&fx, fixture_path(&fx, 0, ".timeindex")));
    assert_non_null(strchr(spy->log, SPY_SYNC_DIR));
    end(&fx, spy);
}

/* The sync of partition.metadata fails and loses its pages, and the process is killed: what is read is not what the device has. It is
 * written again, and synced, before what is in the log is served. */
static void a_topic_id_that_may_be_lost_is_written_again(void **state)
{
    struct spy_vfs *spy;
    struct fixture fx;

    begin(&fx, &spy);
    spy->only = "partition.metadata";
    fixture_append(&fx, (struct test_batch){0});
    spy_fail(spy, SPY_DATASYNC, 0, E_IO);
    fixture_settle(&fx);
    assert_true(logm_dir_offline(fx.m, 0));
    fixture_kill(&fx);
    spy_forget(spy);
    fixture_open(&fx);
    assert_int_equal(log_high_watermark(fx.log), 1);
    assert_string_equal(spy->log, "wf");
    tick(&fx);
    fixture_kill(&fx);
    fixture_open(&fx);
    assert_string_equal(spy->log, "wf"); /* a recovery point was noted: it is durable */
    end(&fx, spy);
}

/* A torn epoch file is no reason to begin below the noted recovery point: the indexes there are durable, and stay as they are. */
static void a_torn_epoch_file_leaves_durable_indexes_alone(void **state)
{
    struct spy_vfs *spy;
    struct fixture fx;

    begin(&fx, &spy);
    seal_and_commit(&fx);
    seal_and_commit(&fx);
    tick(&fx);
    fixture_kill(&fx);
    fixture_write_file(&fx, FIXTURE_DIR "/t-0/leader-epoch-checkpoint", "0\n1\n", 4);
    spy->only = "00000000000000000000.";
    spy_forget(spy);
    fixture_open(&fx);
    assert_int_equal(log_epoch_at(fx.log, 0), 0);
    assert_string_equal(spy->log, "");
    end(&fx, spy);
}

/* Lanes whose jobs begin and end in the order that a test wants. */
struct slow_lanes {
    struct lanes lanes;
    struct job *jobs[8];
    int n;
};

static void take_job(struct lanes *l, struct lane *lane, struct job *j)
{
    struct slow_lanes *slow = CONTAINER_OF(l, struct slow_lanes, lanes);

    assert_true(slow->n < 8);
    slow->jobs[slow->n++] = j;
}

static void work(struct job *j)
{
    enum thread_kind before = thread_mark(THREAD_LANE);

    j->work(j);
    thread_mark(before);
}

/* One lane's sync fails and loses pages; the other's, which runs at the same time, finds them clean and succeeds. It counts for
 * nothing, though it ends first: nothing is acknowledged by it, and no recovery point moves. */
static void a_failed_sync_spoils_what_ends_after_it(void **state)
{
    for (int failing = 0; failing < 2; failing++) {
        uint64_t marks = mark_count("sync_failed_beside");
        struct slow_lanes slow = {.lanes = {.start = take_job}};
        struct lanes *before;
        struct spy_vfs *spy;
        struct fixture fx;

        begin(&fx, &spy);
        before = fx.env.lanes;
        fixture_kill(&fx);
        fx.env.lanes = &slow.lanes;
        fixture_open(&fx);
        spy->only = ".log";
        fixture_append(&fx, (struct test_batch){0});
        flush_want(fx.log);
        logm_turn(fx.m);
        assert_int_equal(slow.n, 2); /* a commit, a flush */
        spy_fail(spy, SPY_DATASYNC, 0, E_IO);
        work(slow.jobs[failing]);
        assert_true(spy_has_failed(spy));
        work(slow.jobs[1 - failing]);
        lanes_job_done(&slow.lanes, slow.jobs[1 - failing]);
        assert_true(logm_dir_offline(fx.m, 0));
        assert_int_equal(mark_count("sync_failed_beside"), marks + 1);
        assert_int_equal(log_high_watermark(fx.log), 0);
        assert_int_equal(fx.log->recovery_point, 0);
        lanes_job_done(&slow.lanes, slow.jobs[failing]);
        assert_int_equal(log_high_watermark(fx.log), 0);
        logm_close(fx.m, false);
        fx.m = NULL;
        fx.env.lanes = before;
        fixture_open(&fx);
        end(&fx, spy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(indexes_are_synced_before_the_recovery_point_is_noted),
        cmocka_unit_test(a_clean_stop_flushes_what_comes_late),
        cmocka_unit_test(a_clean_stop_flushes_the_indexes_of_what_comes_late),
        cmocka_unit_test(an_index_that_can_not_be_opened_is_no_failure),
        cmocka_unit_test(an_index_that_can_not_be_written_is_no_failure),
        cmocka_unit_test(an_index_that_can_not_be_synced_takes_the_directory_offline),
        cmocka_unit_test(many_indexes_are_synced_with_nothing_else_to_sync),
        cmocka_unit_test(the_name_of_an_index_that_is_made_anew_is_synced),
        cmocka_unit_test(a_topic_id_that_may_be_lost_is_written_again),
        cmocka_unit_test(a_torn_epoch_file_leaves_durable_indexes_alone),
        cmocka_unit_test(a_failed_sync_spoils_what_ends_after_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
