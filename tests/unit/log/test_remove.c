/* Deleting a log: its name goes at once, its bytes later, and nothing that was queued for it matters any more. */
#include "log_fixture.h"

#include "directory.h"
#include "spy_vfs.h"

static const char *const no_journal[] = {"log.journal.bytes=0", NULL};

struct names {
    int n, n_delete;
    char last[256];
};

static int count_name(void *arg, const char *name, bool is_dir)
{
    struct names *names = arg;
    size_t n = strlen(name);

    if (!is_dir)
        return 0;
    names->n++;
    if (n > 7 && strcmp(name + n - 7, "-delete") == 0) {
        names->n_delete++;
        (void)snprintf(names->last, sizeof(names->last), "%s", name);
    }
    return 0;
}

static struct names list_names(struct fixture *fx)
{
    struct names names = {0};

    assert_int_equal(vfs_list(fx->env.vfs, FIXTURE_DIR, count_name, &names), 0);
    return names;
}

/* "<topic>-<partition>.<32 hex>-delete" at once; nothing after file.delete.delay.ms. */
static void the_directory_is_renamed_and_removed_later(void **state)
{
    struct fixture fx;
    struct names names;

    fixture_init(&fx, no_journal);
    fixture_open(&fx);
    fixture_append(&fx, (struct test_batch){0});
    fixture_settle(&fx);
    log_delete(fx.log);
    assert_false(log_exists(fx.m, "t", 0));
    names = list_names(&fx);
    assert_int_equal(names.n, 1);
    assert_int_equal(names.n_delete, 1);
    assert_int_equal(strlen(names.last), strlen("t-0.") + 32 + strlen("-delete"));
    assert_memory_equal(names.last, "t-0.", 4);
    assert_int_equal(strspn(names.last + 4, "0123456789abcdef"), 32);
    fixture_advance_ms(&fx, 59999);
    fixture_settle(&fx);
    assert_int_equal(list_names(&fx).n, 1);
    fixture_advance_ms(&fx, 1);
    fixture_settle(&fx);
    assert_int_equal(list_names(&fx).n, 0);
    assert_true(logm_quiet(fx.m));
    fixture_release(&fx);
}

/* A topic of the longest name is cut so that the new name fits. */
static void long_names_are_cut(void **state)
{
    char topic[250];
    struct fixture fx;
    struct names names;
    struct log *l;

    memset(topic, 'x', 249);
    topic[249] = 0;
    fixture_init(&fx, no_journal);
    assert_int_equal(fixture_open_manager(&fx), 0);
    assert_int_equal(log_open(fx.m, topic, 12345, UUID_ZERO, &fx.topic, 0, -1, &l, &fx.msg), 0);
    log_delete(l);
    names = list_names(&fx);
    assert_int_equal(strlen(names.last), 255);
    assert_non_null(strstr(names.last, "x-12345."));
    fixture_release(&fx);
}

/* What a process that ended before left behind is removed at the next start. */
static void leftovers_are_removed_at_the_start(void **state)
{
    struct fixture fx;

    fixture_init(&fx, no_journal);
    fixture_open(&fx);
    fixture_append(&fx, (struct test_batch){0});
    log_delete(fx.log);
    fixture_kill(&fx);
    assert_int_equal(list_names(&fx).n_delete, 1);
    assert_int_equal(fixture_open_manager(&fx), 0);
    assert_int_equal(logm_n_found(fx.m), 0);
    fixture_advance_ms(&fx, 0); /* the first turn */
    fixture_settle(&fx);
    assert_int_equal(list_names(&fx).n, 0);
    fixture_release(&fx);
}

/* A start gives the lanes nothing to do: one that fails later can be given up at once. */
static void a_start_keeps_no_lane_busy(void **state)
{
    struct fixture fx;

    fixture_init(&fx, no_journal);
    fixture_open(&fx);
    fixture_append(&fx, (struct test_batch){0});
    log_delete(fx.log);
    fixture_kill(&fx);
    assert_int_equal(fixture_open_manager(&fx), 0);
    assert_int_equal(fx.env.lanes->n_running, 0);
    logm_close(fx.m, false);
    fx.m = NULL;
    assert_int_equal(list_names(&fx).n_delete, 1);
    fixture_release(&fx);
}

/* A new partition of the same name can be made at once, and starts empty. */
static void the_name_is_free_at_once(void **state)
{
    struct fixture fx;

    fixture_init(&fx, (const char *const[]){"log.journal.bytes=262144", NULL});
    fixture_open(&fx);
    fixture_append(&fx, (struct test_batch){.n_records = 9});
    fixture_settle(&fx);
    log_delete(fx.log);
    assert_int_equal(fixture_open_log(&fx), 0);
    assert_int_equal(log_end_offset(fx.log), 0);
    fixture_append(&fx, (struct test_batch){0});
    fixture_settle(&fx);
    assert_int_equal(log_high_watermark(fx.log), 1);
    fixture_advance_ms(&fx, 60000);
    fixture_settle(&fx);
    assert_int_equal(fixture_count_records(&fx), 1);
    fixture_release(&fx);
}

/* A commit and a flush that run may end after the log has gone; what waits for a commit is dropped. */
static void a_log_may_go_while_jobs_run(void **state)
{
    struct fixture fx;
    struct log *other;

    fixture_init(&fx, (const char *const[]){"log.journal.bytes=262144", NULL});
    fixture_open(&fx);
    assert_int_equal(log_open(fx.m, "u", 0, UUID_ZERO, &fx.topic, 0, -1, &other, &fx.msg), 0);
    fixture_append(&fx, (struct test_batch){0});
    fixture_settle(&fx);
    fixture_append(&fx, (struct test_batch){0});
    logm_flush_all(fx.m);
    logm_turn(fx.m); /* a commit and a flush of "t" run */
    assert_true(commit_running(fx.log->dir));
    assert_true(flush_running(fx.log->dir));
    fixture_append(&fx, (struct test_batch){0}); /* queued behind them */
    log_delete(fx.log);
    fx.log = other;
    fixture_append(&fx, (struct test_batch){0});
    fixture_settle(&fx);
    assert_int_equal(log_high_watermark(other), 1);
    fixture_stop(&fx);
    assert_true(fixture_exists(&fx, FIXTURE_DIR "/" DIR_MARKER_NAME));
    fixture_release(&fx);
}

/* A rename that fails is a failed write; one that fails for space is done without. */
static void a_failed_rename(void **state)
{
    struct fixture fx;
    struct spy_vfs *spy;

    for (int i = 0; i < 2; i++) {
        fixture_init(&fx, no_journal);
        spy = spy_vfs_new(fx.env.vfs);
        fx.env.vfs = &spy->vfs;
        fixture_open(&fx);
        fixture_append(&fx, (struct test_batch){0});
        fixture_settle(&fx);
        spy->only = "-delete";
        spy_fail(spy, SPY_RENAME, 0, i == 0 ? E_IO : E_NOSPC);
        log_delete(fx.log);
        assert_int_equal(logm_dir_offline(fx.m, 0), i == 0);
        assert_int_equal(fixture_exists(&fx, FIXTURE_DIR "/t-0"), i == 0);
        fixture_kill(&fx);
        fx.env.vfs = spy->under;
        spy_vfs_free(spy);
        fixture_release(&fx);
    }
}

/* A single file can be removed later, too, and what is gone already is fine. */
static void files_are_removed_later(void **state)
{
    struct fixture fx;

    fixture_init(&fx, no_journal);
    fixture_open(&fx);
    fixture_write_file(&fx, FIXTURE_DIR "/t-0/x.deleted", "x", 1);
    remove_later(fx.log->dir, FIXTURE_DIR "/t-0/x.deleted", 10);
    remove_later(fx.log->dir, FIXTURE_DIR "/t-0/y.deleted", 10);
    fixture_advance_ms(&fx, 9);
    fixture_settle(&fx);
    assert_true(fixture_exists(&fx, FIXTURE_DIR "/t-0/x.deleted"));
    fixture_advance_ms(&fx, 1);
    fixture_settle(&fx);
    assert_false(fixture_exists(&fx, FIXTURE_DIR "/t-0/x.deleted"));
    assert_true(list_empty(&fx.log->dir->removals));
    fixture_release(&fx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_directory_is_renamed_and_removed_later),
        cmocka_unit_test(long_names_are_cut),
        cmocka_unit_test(leftovers_are_removed_at_the_start),
        cmocka_unit_test(a_start_keeps_no_lane_busy),
        cmocka_unit_test(the_name_is_free_at_once),
        cmocka_unit_test(a_log_may_go_while_jobs_run),
        cmocka_unit_test(a_failed_rename),
        cmocka_unit_test(files_are_removed_later),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
