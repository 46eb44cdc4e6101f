/* Group commit: when the high watermark moves, what goes into one commit, which way it takes. */
#include "log_fixture.h"

#include "directory.h"
#include "spy_vfs.h"

static const char *const small_journal[] = {"log.journal.bytes=262144", NULL};
static const char *const no_journal[] = {"log.journal.bytes=0", NULL};

static void open_with(struct fixture *fx, const char *const *overrides)
{
    fixture_init(fx, overrides);
    fixture_open(fx);
}

/* Appends and commits once, so that the journal is there. */
static void open_with_journal(struct fixture *fx)
{
    open_with(fx, small_journal);
    fixture_append(fx, (struct test_batch){0});
    fixture_settle(fx);
    assert_true(journal_ready(fx->log->dir));
}

/* A durable record is not visible until its commit has ended. */
static void high_watermark_waits_for_the_commit(void **state)
{
    struct fixture fx;

    open_with(&fx, no_journal);
    fixture_append(&fx, (struct test_batch){.n_records = 3});
    assert_int_equal(log_end_offset(fx.log), 3);
    assert_int_equal(log_high_watermark(fx.log), 0);
    logm_turn(fx.m);
    assert_int_equal(log_high_watermark(fx.log), 0);
    assert_true(lanes_sim_step(fx.env.lanes));
    assert_int_equal(log_high_watermark(fx.log), 3);
    assert_int_equal(log_stable_offset(fx.log), 3);
    fixture_release(&fx);
}

/* What is appended while a commit runs is not covered by it, and goes into the next one together. */
static void a_commit_covers_what_was_there_when_it_began(void **state)
{
    struct fixture fx;

    open_with(&fx, no_journal);
    fixture_append(&fx, (struct test_batch){0});
    logm_turn(fx.m);
    fixture_append(&fx, (struct test_batch){0});
    fixture_append(&fx, (struct test_batch){0});
    logm_turn(fx.m); /* none begins beside it */
    assert_true(lanes_sim_step(fx.env.lanes));
    assert_int_equal(log_high_watermark(fx.log), 1);
    logm_turn(fx.m);
    assert_true(lanes_sim_step(fx.env.lanes));
    assert_int_equal(log_high_watermark(fx.log), 3);
    fixture_release(&fx);
}

/* With flush.messages other than 1 the high watermark is the end at once. */
static void volatile_topics_do_not_wait(void **state)
{
    struct fixture fx;

    fixture_init(&fx, no_journal);
    fixture_topic(&fx, (const char *const[]){"flush.messages=9223372036854775807", NULL});
    fixture_open(&fx);
    fixture_append(&fx, (struct test_batch){.n_records = 2});
    assert_int_equal(log_high_watermark(fx.log), 2);
    logm_turn(fx.m);
    assert_false(lanes_sim_step(fx.env.lanes));
    fixture_release(&fx);
}

/* flush.messages = 3 flushes in the background with the third record, and moves the recovery point. */
static void flush_messages_flushes_every_n_records(void **state)
{
    struct fixture fx;

    fixture_init(&fx, no_journal);
    fixture_topic(&fx, (const char *const[]){"flush.messages=3", NULL});
    fixture_open(&fx);
    fixture_append(&fx, (struct test_batch){.n_records = 2});
    fixture_settle(&fx);
    assert_int_equal(fx.log->recovery_point, 0);
    fixture_append(&fx, (struct test_batch){0});
    fixture_settle(&fx);
    assert_int_equal(fx.log->recovery_point, 3);
    fixture_append(&fx, (struct test_batch){0});
    fixture_settle(&fx);
    assert_int_equal(fx.log->recovery_point, 3);
    fixture_release(&fx);
}

/* flush.ms flushes when the first unflushed record is that old, and not before. */
static void flush_ms_flushes_by_age(void **state)
{
    struct fixture fx;

    fixture_init(&fx, no_journal);
    fixture_topic(&fx, (const char *const[]){"flush.messages=1000", "flush.ms=100", NULL});
    fixture_open(&fx);
    fixture_append(&fx, (struct test_batch){0});
    fixture_advance_ms(&fx, 60);
    fixture_append(&fx, (struct test_batch){0});
    fixture_advance_ms(&fx, 39);
    fixture_settle(&fx);
    assert_int_equal(fx.log->recovery_point, 0);
    fixture_advance_ms(&fx, 1);
    fixture_settle(&fx);
    assert_int_equal(fx.log->recovery_point, 2);
    fixture_release(&fx);
}

/* A topic that becomes durable gets its unflushed records synced, although no append follows. */
static void becoming_durable_syncs_what_is_there(void **state)
{
    struct fixture fx;
    struct topic_config durable;

    fixture_init(&fx, small_journal);
    assert_int_equal(topic_config_init(&durable, &fx.config, NULL, 0, NULL), 0);
    fixture_topic(&fx, (const char *const[]){"flush.messages=1000", NULL});
    fixture_open(&fx);
    fixture_append(&fx, (struct test_batch){0});
    log_set_config(fx.log, &durable);
    assert_int_equal(fx.log->flushed_offset, 0);
    assert_int_equal(log_high_watermark(fx.log), 1); /* never goes back */
    fixture_settle(&fx);
    assert_int_equal(fx.log->flushed_offset, 1);
    assert_int_equal(fx.log->recovery_point, 1);
    topic_config_release(&durable);
    fixture_release(&fx);
}

/* A topic that stops being durable shows at once what waited. */
static void ceasing_to_be_durable_moves_the_high_watermark(void **state)
{
    struct fixture fx;

    open_with(&fx, no_journal);
    fixture_append(&fx, (struct test_batch){0});
    fixture_topic(&fx, (const char *const[]){"flush.messages=1000", NULL});
    log_set_config(fx.log, &fx.topic);
    assert_int_equal(log_high_watermark(fx.log), 1);
    fixture_settle(&fx);
    fixture_release(&fx);
}

/* Few bytes go through the journal: they are durable, and the segment is not synced yet. */
static void small_commits_use_the_journal(void **state)
{
    struct fixture fx;

    open_with_journal(&fx);
    assert_int_equal(fx.log->recovery_point, 1);
    fixture_append(&fx, (struct test_batch){0});
    fixture_settle(&fx);
    assert_int_equal(log_high_watermark(fx.log), 2);
    assert_int_equal(fx.log->recovery_point, 1);
    assert_int_equal(fx.log->dir->journal->at, JOURNAL_BLOCK_BYTES);
    fixture_release(&fx);
}

/* Many bytes of one log go to the disk once: the segment is synced, the journal stays as it is. */
static void big_commits_sync_the_segments(void **state)
{
    struct fixture fx;

    open_with_journal(&fx);
    fixture_append(&fx, (struct test_batch){.value_bytes = 600 * 1024});
    fixture_settle(&fx);
    assert_int_equal(log_high_watermark(fx.log), 2);
    assert_int_equal(fx.log->recovery_point, 2);
    assert_int_equal(fx.log->dir->journal->at, 0);
    fixture_release(&fx);
}

/* What comes without a chunk can not be journaled. */
static void bytes_that_nobody_keeps_are_synced(void **state)
{
    struct fixture fx;

    open_with_journal(&fx);
    fixture_append(&fx, (struct test_batch){0});
    commit_drop_log(fx.log); /* as if the queue had it not */
    commit_appended(fx.log, NULL, NULL, 70, 0, 70, 1);
    fixture_settle(&fx);
    assert_int_equal(log_high_watermark(fx.log), 2);
    assert_int_equal(fx.log->recovery_point, 2);
    fixture_release(&fx);
}

/* The chunk of an append is held until the commit has ended, and let go then. */
static void chunks_are_held_until_the_commit_ends(void **state)
{
    struct log_append a = {.origin = LOG_FROM_CLIENT};
    struct fixture fx;

    open_with_journal(&fx);
    a.chunk = fixture_batch(&fx, (struct test_batch){0}, &a.n_bytes);
    a.p = a.chunk->data;
    assert_int_equal(log_append(fx.log, &a), 0);
    assert_int_equal(a.error, KE_NONE);
    assert_int_equal(a.chunk->refs, 2);
    logm_turn(fx.m);
    assert_int_equal(a.chunk->refs, 2);
    fixture_settle(&fx);
    assert_int_equal(a.chunk->refs, 1);
    chunk_unref(a.chunk);
    fixture_release(&fx);
}

/* ---- faults and the order of operations ----------------------------------------------------- */

static struct spy_vfs *spy;

static void spy_install(struct fixture *fx)
{
    spy = spy_vfs_new(fx->env.vfs);
    fx->env.vfs = &spy->vfs;
}

static void spy_end(struct fixture *fx)
{
    if (fx->m)
        fixture_kill(fx);
    fx->env.vfs = spy->under;
    spy_vfs_free(spy);
    fixture_release(fx);
}

/* The names of a new partition are on the disk before the journal says that its records are. */
static void names_are_durable_before_the_journal(void **state)
{
    struct fixture fx;
    struct log *other;

    fixture_init(&fx, small_journal);
    spy_install(&fx);
    fixture_open(&fx);
    fixture_append(&fx, (struct test_batch){0});
    fixture_settle(&fx);
    assert_int_equal(log_open(fx.m, "u", 0, UUID_ZERO, &fx.topic, 0, -1, &other, &fx.msg), 0);
    spy_forget(spy);
    fx.log = other;
    fixture_append(&fx, (struct test_batch){0});
    spy_forget(spy);
    logm_turn(fx.m);
    assert_true(lanes_sim_step(fx.env.lanes));
    assert_int_equal(log_high_watermark(other), 1);
    /* the file, its directory, the parent; then one write and one sync */
    assert_string_equal(spy->log, "fddwf");
    spy_end(&fx);
}

static int n_offline, n_offline_all;

static void count_offline(void *arg, const char *dir, bool all)
{
    n_offline++;
    n_offline_all += all;
}

static int fired_rc = 1;

static void remember_rc(struct log_wait *w, int rc)
{
    fired_rc = rc;
}

/* A sync that fails is final: waits are told, appends refused, the high watermark stays, no sync is tried again, and there is
 * no clean-shutdown marker afterwards. */
static void a_failed_sync_takes_the_directory_offline(void **state)
{
    struct logm_options options = {.offline = count_offline};
    struct log_wait w = {0};
    struct log_append a;
    struct fixture fx;

    fixture_init(&fx, no_journal);
    spy_install(&fx);
    options.config = &fx.config;
    assert_int_equal(logm_open(&fx.env, &options, &fx.m, &fx.msg), 0);
    assert_int_equal(fixture_open_log(&fx), 0);
    fixture_append(&fx, (struct test_batch){0});
    log_wait_durable(fx.log, &w, 1, remember_rc);
    spy_fail(spy, SPY_DATASYNC, 0, E_IO);
    fixture_settle(&fx);
    assert_int_equal(fired_rc, E_OFFLINE);
    assert_int_equal(n_offline, 1);
    assert_int_equal(n_offline_all, 1);
    assert_true(logm_dir_offline(fx.m, 0));
    assert_int_equal(log_high_watermark(fx.log), 0);
    spy_forget(spy);
    assert_int_equal(fixture_append_as(&fx, LOG_FROM_CLIENT, (struct test_batch){0}, &a),
                     E_OFFLINE);
    log_wait_durable(fx.log, &w, 1, remember_rc);
    fired_rc = 1;
    fixture_settle(&fx);
    assert_int_equal(fired_rc, E_OFFLINE);
    fixture_stop(&fx);
    assert_string_equal(spy->log, "");
    assert_false(fixture_exists(&fx, FIXTURE_DIR "/" DIR_MARKER_NAME));
    spy_end(&fx);
}

/* Past a few files one syncfs takes the place of many syncs, and all logs become durable together. */
static void many_files_are_synced_at_once(void **state)
{
    struct log *logs[COMMIT_FILES_MAX + 4];
    struct fixture fx;

    fixture_init(&fx, no_journal);
    spy_install(&fx);
    assert_int_equal(fixture_open_manager(&fx), 0);
    for (size_t i = 0; i < ARRAY_SIZE(logs); i++) {
        assert_int_equal(
            log_open(fx.m, "t", (int32_t)i, UUID_ZERO, &fx.topic, 0, -1, &logs[i], &fx.msg), 0);
        fx.log = logs[i];
        fixture_append(&fx, (struct test_batch){0});
    }
    spy_forget(spy);
    logm_turn(fx.m);
    assert_true(lanes_sim_step(fx.env.lanes));
    assert_int_equal(spy->log[0], SPY_SYNC_ALL);
    assert_null(strchr(spy->log, SPY_SYNC_DIR));
    for (size_t i = 0; i < ARRAY_SIZE(logs); i++)
        assert_int_equal(log_high_watermark(logs[i]), 1);
    spy_end(&fx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(high_watermark_waits_for_the_commit),
        cmocka_unit_test(a_commit_covers_what_was_there_when_it_began),
        cmocka_unit_test(volatile_topics_do_not_wait),
        cmocka_unit_test(flush_messages_flushes_every_n_records),
        cmocka_unit_test(flush_ms_flushes_by_age),
        cmocka_unit_test(becoming_durable_syncs_what_is_there),
        cmocka_unit_test(ceasing_to_be_durable_moves_the_high_watermark),
        cmocka_unit_test(small_commits_use_the_journal),
        cmocka_unit_test(big_commits_sync_the_segments),
        cmocka_unit_test(bytes_that_nobody_keeps_are_synced),
        cmocka_unit_test(chunks_are_held_until_the_commit_ends),
        cmocka_unit_test(names_are_durable_before_the_journal),
        cmocka_unit_test(a_failed_sync_takes_the_directory_offline),
        cmocka_unit_test(many_files_are_synced_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
