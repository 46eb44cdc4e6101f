/* A start that goes wrong after an unclean stop: no descriptors, no space, a disk that can not read. */
#include "log_fixture.h"

#include "segment.h"
#include "spy_vfs.h"

static int setup(void **state)
{
    struct fixture *fx = xcalloc(1, sizeof(*fx));
    struct spy_vfs *spy;

    fixture_init(fx, (const char *[]){"log.journal.bytes=0", NULL});
    spy = spy_vfs_new(fx->env.vfs);
    fx->env.vfs = &spy->vfs;
    *state = fx;
    return 0;
}

static struct spy_vfs *spy_of(struct fixture *fx)
{
    return CONTAINER_OF(fx->env.vfs, struct spy_vfs, vfs);
}

static int teardown(void **state)
{
    struct fixture *fx = *state;
    struct spy_vfs *spy = spy_of(fx);

    if (fx->m)
        fixture_kill(fx);
    fx->env.vfs = spy->under;
    spy_vfs_free(spy);
    fixture_release(fx);
    free(fx);
    return 0;
}

/* Four segments, of which nothing is flushed; the process is killed. */
static void fill_and_kill(struct fixture *fx)
{
    fixture_topic(fx, (const char *[]){"internal.segment.bytes=1000", "index.interval.bytes=100",
                                       "flush.messages=1000000", NULL});
    fixture_open(fx);
    for (int i = 0; i < 10; i++)
        fixture_append(fx, (struct test_batch){.n_records = 2, .value_bytes = 100});
    fixture_kill(fx);
}

/* Opens the log with the n-th call of a kind failing. False: there were not so many. */
static bool open_with_fault(struct fixture *fx, char what, int n, const char *only, int error,
                            int *rc)
{
    assert_int_equal(fixture_open_manager(fx), 0);
    spy_of(fx)->only = only;
    spy_fail(spy_of(fx), what, n, error);
    *rc = fixture_open_log(fx);
    spy_of(fx)->fail_what = 0;
    return spy_has_failed(spy_of(fx));
}

/* The log is whole at the next start. */
static void expect_whole(struct fixture *fx)
{
    if (fx->m)
        fixture_kill(fx);
    fixture_open(fx);
    assert_int_equal(log_end_offset(fx->log), 20);
    assert_int_equal(fixture_count_records(fx), 20);
}

/* Whatever could not be opened, read or given space: the log is not served until the next start, and its
 * directory is no worse for it. */
static void a_log_that_could_not_be_recovered_is_refused(void **state)
{
    static const struct {
        char what;
        int error;
    } faults[] = {{SPY_OPEN, E_MFILE}, {SPY_READ, E_IO}, {SPY_WRITE, E_NOSPC}};
    struct fixture *fx = *state;
    int n_refused = 0, rc;

    diag_set_level(DIAG_ERROR + 1);
    for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
        bool more = true;

        for (int n = 0; more; n++) {
            fill_and_kill(fx);
            more = open_with_fault(fx, faults[i].what, n, "t-0/", faults[i].error, &rc);
            assert_false(logm_dir_offline(fx->m, 0));
            if (rc < 0) {
                assert_int_equal(rc, faults[i].error);
                assert_memory_equal(fx->msg.text, "t-0: ", 5);
                assert_non_null(strstr(fx->msg.text, err_text(rc)));
                assert_true(log_exists(fx->m, "t", 0));
                assert_int_equal(fixture_open_log(fx), E_OFFLINE);
                n_refused++;
            }
            expect_whole(fx);
            fixture_kill(fx);
            assert_int_equal(vfs_remove_tree(fx->env.vfs, FIXTURE_DIR), 0);
        }
    }
    assert_true(n_refused > 20);
    diag_set_level(DIAG_INFO);
}

/* What is derived and finds no space is done without. */
static void a_full_disk_does_not_stop_a_start(void **state)
{
    static const char *const derived[] = {"index", ".snapshot", "leader-epoch"};
    struct fixture *fx = *state;
    uint64_t marks = mark_count("recover_without_index");
    int rc;

    for (size_t i = 0; i < ARRAY_SIZE(derived); i++) {
        bool more = true;

        for (int n = 0; more; n++) {
            fill_and_kill(fx);
            more = open_with_fault(fx, SPY_WRITE, n, derived[i], E_NOSPC, &rc);
            assert_int_equal(rc, 0);
            assert_int_equal(log_end_offset(fx->log), 20);
            assert_int_equal(fixture_count_records(fx), 20);
            fixture_append(fx, (struct test_batch){0});
            fixture_stop(fx);
            fixture_open(fx);
            assert_true(logm_was_clean(fx->m));
            assert_int_equal(fixture_count_records(fx), 21);
            fixture_kill(fx);
            assert_int_equal(vfs_remove_tree(fx->env.vfs, FIXTURE_DIR), 0);
        }
    }
    assert_true(mark_count("recover_without_index") > marks);
}

/* A flush that fails takes the directory offline; what is known to be in it still exists. */
static void a_partition_in_an_offline_directory_exists(void **state)
{
    struct fixture *fx = *state;
    int rc;

    fill_and_kill(fx);
    assert_true(open_with_fault(fx, SPY_DATASYNC, 0, "t-0/", E_IO, &rc));
    assert_int_equal(rc, E_OFFLINE);
    assert_true(logm_dir_offline(fx->m, 0));
    assert_true(log_exists(fx->m, "t", 0));
    assert_false(log_exists(fx->m, "t", 1));
    assert_int_equal(fixture_open_log(fx), E_OFFLINE);
    expect_whole(fx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_log_that_could_not_be_recovered_is_refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_full_disk_does_not_stop_a_start, setup, teardown),
        cmocka_unit_test_setup_teardown(a_partition_in_an_offline_directory_exists, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
