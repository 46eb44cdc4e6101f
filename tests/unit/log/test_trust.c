/* Indexes after an unclean stop: whatever was lost of them, they are what they were. */
#include "log_fixture.h"

#include "directory.h"
#include "segment.h"

static const char *const suffixes[] = {".index", ".timeindex"};

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

/* Ten batches, all below the recovery point; the largest timestamp is in the fourth. */
static void fill(struct fixture *fx)
{
    fixture_topic(fx, (const char *[]){"index.interval.bytes=100", NULL});
    fixture_open(fx);
    for (int i = 0; i < 10; i++)
        fixture_append(fx, (struct test_batch){.n_records = 2,
                                               .timestamp_ms = i == 3 ? 9000 : 1000 + 10 * i,
                                               .value_bytes = 100});
    fixture_stop(fx);
}

static void zero(struct fixture *fx, const char *path, uint64_t at, size_t n)
{
    uint8_t zeros[64] = {0};
    struct file *f;

    assert_int_equal(vfs_open(fx->env.vfs, path, VFS_WRITE, &f), 0);
    assert_int_equal(file_pwrite(f, zeros, n, at), 0);
    file_unref(f);
}

/* Starts as after a power cut with this recovery point noted, and stops cleanly. */
static void restart(struct fixture *fx, int64_t recovery_point)
{
    char text[64];
    int n = snprintf(text, sizeof(text), "0\n1\nt 0 %lld\n", (long long)recovery_point);

    fixture_write_file(fx, FIXTURE_DIR "/recovery-point-offset-checkpoint", text, (size_t)n);
    assert_int_equal(vfs_unlink(fx->env.vfs, FIXTURE_DIR "/" DIR_MARKER_NAME), 0);
    fixture_open(fx);
    assert_int_equal(log_end_offset(fx->log), 20);
    fixture_stop(fx);
}

/* The offset of entry i of either index: the time index has the first three. */
static int64_t offset_of_entry(size_t i)
{
    return 2 * (int64_t)i + 3;
}

static void read_indexes(struct fixture *fx, struct buf out[2])
{
    for (int k = 0; k < 2; k++)
        fixture_read_file(fx, fixture_path(fx, 0, suffixes[k]), &out[k]);
}

static void assert_same(struct buf a[2], struct buf b[2])
{
    for (int k = 0; k < 2; k++) {
        assert_int_equal(a[k].n, b[k].n);
        assert_memory_equal(a[k].p, b[k].p, a[k].n);
    }
}

/* Each entry of either index past the recovery point may be gone, or be zeros. */
static void any_lost_entry_comes_back(void **state)
{
    static const int64_t points[] = {0, 2, 4, 6, 8, 14};
    struct fixture *fx = *state;
    struct buf before[2], after[2];

    fill(fx);
    read_indexes(fx, before);
    assert_int_equal(before[0].n, 9 * INDEX_OFFSET_ENTRY_BYTES);
    assert_int_equal(before[1].n, 3 * INDEX_TIME_ENTRY_BYTES);
    for (size_t p = 0; p < ARRAY_SIZE(points); p++) {
        for (int k = 0; k < 2; k++) {
            size_t each = k ? INDEX_TIME_ENTRY_BYTES : INDEX_OFFSET_ENTRY_BYTES;

            for (size_t i = 0; i < before[k].n / each; i++) {
                if (offset_of_entry(i) < points[p])
                    continue;
                zero(fx, fixture_path(fx, 0, suffixes[k]), i * each, each);
                restart(fx, points[p]);
                fixture_truncate(fx, fixture_path(fx, 0, suffixes[k]), i * each);
                restart(fx, points[p]);
                read_indexes(fx, after);
                assert_same(before, after);
                buf_release(&after[0]);
                buf_release(&after[1]);
            }
        }
    }
    buf_release(&before[0]);
    buf_release(&before[1]);
}

/* The largest timestamp may be old: headers are walked from the last entry all the same. */
static void recovery_walks_on_from_the_last_entry(void **state)
{
    struct fixture *fx = *state;
    int64_t expected;
    uint64_t position;

    fill(fx);
    fixture_open(fx);
    assert_int_equal(trust_indexes(log_active(fx->log), 20, &position, &expected), 0);
    assert_int_equal(expected, 20);
    assert_int_equal(log_active(fx->log)->max_timestamp_ms, 9001);
    assert_int_equal(trust_indexes(log_active(fx->log), 6, &position, &expected), 0);
    assert_int_equal(expected, 6);
    assert_int_equal(log_active(fx->log)->max_timestamp_ms, 1021);
}

/* A time index that proves nothing: all is walked. */
static void a_time_index_that_is_gone_is_built_anew(void **state)
{
    struct fixture *fx = *state;
    int64_t expected;
    uint64_t position;

    fill(fx);
    fixture_open(fx);
    fixture_truncate(fx, fixture_path(fx, 0, ".timeindex"), 0);
    assert_int_equal(trust_indexes(log_active(fx->log), 20, &position, &expected), 0);
    assert_int_equal(expected, 0);
    assert_int_equal(log_active(fx->log)->max_timestamp_ms, NO_TIMESTAMP);
}

/* A time entry that names another batch's time is not believed. */
static void a_time_that_no_batch_has_goes(void **state)
{
    struct fixture *fx = *state;
    int64_t offset, timestamp_ms;
    int32_t epoch;

    fill(fx);
    fixture_flip(fx, fixture_path(fx, 0, ".timeindex"), 2 * INDEX_TIME_ENTRY_BYTES + 6);
    restart(fx, 20);
    fixture_open(fx);
    assert_int_equal(log_offset_of_max_timestamp(fx->log, READ_UNCOMMITTED, &offset, &timestamp_ms, &epoch), 0);
    assert_int_equal(timestamp_ms, 9001);
    assert_int_equal(offset, 7);
}

/* Of a long index only what rises counts: zeros in its middle end it. */
static void zeros_in_the_middle_end_an_index(void **state)
{
    struct fixture *fx = *state;
    struct segment *s;
    uint8_t bytes[5000 * INDEX_OFFSET_ENTRY_BYTES];
    struct index x = {.kind = INDEX_OFFSET};
    uint32_t n;

    fill(fx);
    fixture_open(fx);
    s = log_active(fx->log);
    s->size_bytes = 6000; /* as if */
    for (uint32_t i = 0; i < 5000; i++) {
        put_be32(bytes + (size_t)i * INDEX_OFFSET_ENTRY_BYTES, i + 1);
        put_be32(bytes + (size_t)i * INDEX_OFFSET_ENTRY_BYTES + 4, i + 10);
    }
    fixture_write_file(fx, fixture_path(fx, 0, ".index"), bytes, sizeof(bytes));
    assert_int_equal(index_load(&x, s), 0);
    assert_int_equal(index_count_sound(&x, s, INT64_MAX, &n), 0);
    assert_int_equal(n, 5000);
    assert_int_equal(index_count_sound(&x, s, 4001, &n), 0);
    assert_int_equal(n, 4000);
    s->size_bytes = 2010; /* positions lie in the segment */
    assert_int_equal(index_count_sound(&x, s, INT64_MAX, &n), 0);
    assert_int_equal(n, 2000);
    s->size_bytes = 6000;
    zero(fx, fixture_path(fx, 0, ".index"), 1700 * INDEX_OFFSET_ENTRY_BYTES, 8);
    assert_int_equal(index_count_sound(&x, s, INT64_MAX, &n), 0);
    assert_int_equal(n, 1700);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(any_lost_entry_comes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(recovery_walks_on_from_the_last_entry, setup, teardown),
        cmocka_unit_test_setup_teardown(a_time_index_that_is_gone_is_built_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(a_time_that_no_batch_has_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(zeros_in_the_middle_end_an_index, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
