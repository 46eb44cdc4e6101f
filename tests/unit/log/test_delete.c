/* Deleting from the front of a log. */
#include "log_fixture.h"
#include "spy_vfs.h"

#include "segment.h"

static const char *const small_segments[] = {"segment.ms=1000", "file.delete.delay.ms=5000", NULL};

/* n segments of one batch of two records each. */
static void fill(struct fixture *fx, int n)
{
    for (int i = 0; i < n; i++)
        fixture_append(fx, (struct test_batch){.n_records = 2, .timestamp_ms = FIXTURE_START_MS + i * 10000});
    fixture_settle(fx);
    assert_int_equal(log_n_segments(fx->log), n);
}

static int setup(void **state)
{
    static struct fixture fx;

    fixture_init(&fx, NULL);
    fixture_topic(&fx, small_segments);
    fixture_open(&fx);
    *state = &fx;
    return 0;
}

static int teardown(void **state)
{
    fixture_release(*state);
    return 0;
}

/* Segments leave memory at once and the directory soon; the .log stays for the delay under another name. */
static void the_front_leaves(void **state)
{
    struct fixture *fx = *state;
    char aside[SEGMENT_PATH_MAX];

    fill(fx, 4);
    assert_int_equal(log_delete_segments(fx->log, 2), 0);
    assert_int_equal(log_start_offset(fx->log), 4);
    assert_int_equal(log_n_segments(fx->log), 2);
    fixture_settle(fx);
    assert_false(fixture_exists(fx, fixture_path(fx, 0, ".log")));
    assert_false(fixture_exists(fx, fixture_path(fx, 2, ".index")));
    snprintf(aside, sizeof(aside), "%s", fixture_path(fx, 2, ".log.deleted"));
    assert_true(fixture_exists(fx, aside));
    fixture_advance_ms(fx, 6000);
    fixture_settle(fx);
    assert_false(fixture_exists(fx, aside));
    assert_int_equal(fixture_count_records(fx), 4);
}

/* What a reader was given stays readable. */
static void a_reader_keeps_its_file(void **state)
{
    struct fixture *fx = *state;
    struct log_read r;
    uint8_t header[BATCH_HEADER_BYTES];
    struct batch b;
    struct file *f;

    fill(fx, 3);
    assert_int_equal(log_read(fx->log, 0, 1000, true, READ_UNCOMMITTED, &r), 0);
    f = file_ref(r.file);
    assert_int_equal(log_delete_segments(fx->log, 1), 0);
    fixture_settle(fx);
    fixture_advance_ms(fx, 6000);
    fixture_settle(fx);
    assert_int_equal(file_pread_full(f, header, sizeof(header), r.position), 0);
    assert_int_equal(batch_decode(header, &b), 0);
    assert_int_equal(b.base_offset, 0);
    file_unref(f);
    assert_int_equal(log_read(fx->log, 0, 1000, true, READ_UNCOMMITTED, &r), 0);
    assert_int_equal(r.error, KE_OFFSET_OUT_OF_RANGE);
}

/* When all goes, the log goes on in a new segment, where it ended. */
static void the_active_segment_is_rolled_and_goes(void **state)
{
    struct fixture *fx = *state;

    fill(fx, 2);
    assert_int_equal(log_delete_segments(fx->log, 2), 0);
    fixture_settle(fx);
    assert_int_equal(log_start_offset(fx->log), 4);
    assert_int_equal(log_size_bytes(fx->log), 0);
    fixture_kill(fx);
    fixture_open(fx);
    assert_int_equal(log_start_offset(fx->log), 4);
    assert_int_equal(log_end_offset(fx->log), 4);
    assert_int_equal(fixture_append(fx, (struct test_batch){0}), 4);
}

/* A sync of the directory between any two renames, and one before the first: a power cut leaves no hole. */
static void one_rename_is_durable_before_the_next(void **state)
{
    struct fixture *fx = *state;
    struct spy_vfs *spy = spy_vfs_new(fx->env.vfs);
    struct vfs *under = fx->env.vfs;
    int n_syncs = 0;

    fill(fx, 4);
    fx->env.vfs = &spy->vfs;
    spy_forget(spy);
    spy->only = "t-0";
    assert_int_equal(log_delete_segments(fx->log, 3), 0);
    fixture_settle(fx);
    fx->env.vfs = under;
    assert_non_null(strstr(spy->log, "r"));
    for (const char *r = strchr(spy->log, 'r'); r; r = strchr(r + 1, 'r')) {
        const char *next = strchr(r + 1, 'r');

        assert_non_null(memchr(r, 'd', next ? (size_t)(next - r) : strlen(r)));
    }
    for (const char *d = strchr(spy->log, 'd'); d; d = strchr(d + 1, 'd'))
        n_syncs++;
    assert_int_equal(n_syncs, 1 + 3);
    spy_vfs_free(spy);
}

/* Nor where more leave while others are on their way: what is there at any time is a row without a hole. */
static void segments_leave_in_order(void **state)
{
    struct fixture *fx = *state;
    bool moved;

    fill(fx, 7);
    assert_int_equal(log_delete_segments(fx->log, 3), 0);
    assert_int_equal(log_delete_segments(fx->log, 1), 0);
    assert_int_equal(log_delete_segments(fx->log, 2), 0);
    do {
        bool there = false;

        moved = lanes_sim_step(fx->env.lanes);
        for (int64_t base = 0; base < 14; base += 2) {
            if (there)
                assert_true(fixture_exists(fx, fixture_path(fx, base, ".log")));
            there |= fixture_exists(fx, fixture_path(fx, base, ".log"));
        }
    } while (moved);
    fixture_settle(fx);
    assert_false(fixture_exists(fx, fixture_path(fx, 10, ".log")));
    assert_true(fixture_exists(fx, fixture_path(fx, 12, ".log")));
}

static int fired;
static int fired_rc;

static void note_fired(struct log_wait *w, int rc)
{
    fired++;
    fired_rc = rc;
}

/* The log start that a client asked for outlives a kill as soon as its wait has fired. */
static void a_log_start_is_durable_when_its_wait_fires(void **state)
{
    struct fixture *fx = *state;
    struct log_wait w = {0};

    fired = 0;
    fill(fx, 3);
    assert_int_equal(log_delete_records(fx->log, 3), KE_NONE);
    log_wait_start(fx->log, &w, 3, note_fired);
    assert_int_equal(fired, 0);
    fixture_settle(fx);
    assert_int_equal(fired, 1);
    assert_int_equal(fired_rc, 0);
    fixture_kill(fx);
    fixture_open(fx);
    assert_int_equal(log_start_offset(fx->log), 3);
    assert_int_equal(log_delete_records(fx->log, 7), KE_OFFSET_OUT_OF_RANGE);
    assert_int_equal(log_delete_records(fx->log, -1), KE_OFFSET_OUT_OF_RANGE);
    assert_int_equal(log_delete_records(fx->log, 1), KE_NONE);
    assert_int_equal(log_start_offset(fx->log), 3);
}

/* The line stays in the checkpoint while segments below it are leaving. */
static void a_log_start_at_a_segment_is_kept(void **state)
{
    struct fixture *fx = *state;

    fill(fx, 3);
    assert_int_equal(log_delete_records(fx->log, 2), KE_NONE);
    fixture_settle(fx);
    fixture_kill(fx);
    fixture_open(fx);
    assert_int_equal(log_start_offset(fx->log), 2);
}

/* A log whose owner has a snapshot drops what is below it; the active segment too, when it was rolled there. */
static void trimming_takes_whole_segments(void **state)
{
    struct fixture *fx = *state;

    fill(fx, 3);
    assert_int_equal(log_trim(fx->log, 3), 0);
    assert_int_equal(log_start_offset(fx->log), 3);
    assert_int_equal(log_n_segments(fx->log), 2);
    assert_int_equal(log_roll_active(fx->log), 0);
    fixture_append(fx, (struct test_batch){.n_records = 1});
    fixture_settle(fx);
    assert_int_equal(log_trim(fx->log, 6), 0);
    assert_int_equal(log_n_segments(fx->log), 1);
    assert_int_equal(log_start_offset(fx->log), 6);
    assert_int_equal(log_trim(fx->log, 100), 0);
    assert_int_equal(log_start_offset(fx->log), 7);
    assert_int_equal(log_size_bytes(fx->log), 0);
    fixture_settle(fx);
    assert_int_equal(fixture_count_records(fx), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_front_leaves, setup, teardown),
        cmocka_unit_test_setup_teardown(a_reader_keeps_its_file, setup, teardown),
        cmocka_unit_test_setup_teardown(the_active_segment_is_rolled_and_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(one_rename_is_durable_before_the_next, setup, teardown),
        cmocka_unit_test_setup_teardown(segments_leave_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(a_log_start_is_durable_when_its_wait_fires, setup, teardown),
        cmocka_unit_test_setup_teardown(a_log_start_at_a_segment_is_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(trimming_takes_whole_segments, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
