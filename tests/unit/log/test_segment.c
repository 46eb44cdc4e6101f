/* Segments: reservations, index entries as Kafka places them, open files. */
#include "log_fixture.h"

#include "segment.h"
#include "spy_vfs.h"

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

/* An entry when more than index.interval.bytes were appended since the last one: it names the
 * batch's last offset and its place. */
static void index_entries_are_where_kafka_puts_them(void **state)
{
    struct fixture *fx = *state;
    struct segment *s;
    struct index_reader r;
    struct offset_entry e;
    struct time_entry t;
    char interval[64];
    size_t n;

    chunk_unref(fixture_batch(fx, (struct test_batch){.n_records = 3}, &n));
    (void)snprintf(interval, sizeof(interval), "index.interval.bytes=%zu", 2 * n);
    fixture_topic(fx, (const char *[]){interval, NULL});
    fixture_open(fx);
    for (int i = 0; i < 8; i++)
        fixture_append(
            fx, (struct test_batch){.n_records = 3, .timestamp_ms = i == 5 ? 10 : 1000 + 10 * i});
    s = log_active(fx->log);
    /* Two batches are not more than the interval; before the fourth there are three, and so on. */
    assert_int_equal(index_count(&s->offsets), 2);
    assert_int_equal(index_open(&r, &s->offsets, s), 0);
    assert_int_equal(index_get_offset(&r, 0, &e), 0);
    assert_int_equal(e.offset, 11);
    assert_int_equal(e.position, 3 * n);
    assert_int_equal(index_get_offset(&r, 1, &e), 0);
    assert_int_equal(e.offset, 20);
    assert_int_equal(e.position, 6 * n);
    index_close(&r);
    assert_int_equal(index_count(&s->times), 2);
    assert_int_equal(index_open(&r, &s->times, s), 0);
    assert_int_equal(index_get_time(&r, 1, &t), 0);
    assert_int_equal(t.timestamp_ms, 1062);
    assert_int_equal(t.offset, 20);
    index_close(&r);
}

/* The reservation goes ahead of the end, never past segment.bytes, never shows in the size, and
 * goes with a clean stop. */
static void reservation_never_shows(void **state)
{
    struct fixture *fx = *state;
    struct vfs_space before, with, after;
    struct segment *s;

    fixture_topic(fx, (const char *[]){"internal.segment.bytes=40000", NULL});
    fixture_open(fx);
    fixture_settle(fx);
    assert_int_equal(vfs_space(fx->env.vfs, "/", &before), 0);
    fixture_append(fx, (struct test_batch){.value_bytes = 1000});
    s = log_active(fx->log);
    assert_true(s->reserved_bytes >= s->size_bytes + 10000);
    assert_true(s->reserved_bytes <= 40000);
    assert_int_equal(fixture_file_bytes(fx, fixture_path(fx, 0, ".log")), s->size_bytes);
    assert_int_equal(vfs_space(fx->env.vfs, "/", &with), 0);
    assert_true(before.free_bytes - with.free_bytes >= s->reserved_bytes);
    for (int i = 0; i < 37; i++)
        fixture_append(fx, (struct test_batch){.value_bytes = 930});
    assert_true(s->reserved_bytes <= 40000);
    assert_int_equal(segment_finish(s), 0);
    assert_int_equal(vfs_space(fx->env.vfs, "/", &after), 0);
    assert_true(s->reserved_bytes <= s->size_bytes);
    assert_true(after.free_bytes >= with.free_bytes - s->size_bytes);
}

/* A closed segment has its largest timestamp as last time entry, as Kafka's close writes it. */
static void last_time_entry_is_the_largest(void **state)
{
    struct fixture *fx = *state;
    struct buf b;

    fixture_open(fx);
    fixture_append(fx, (struct test_batch){.timestamp_ms = 500});
    fixture_append(fx, (struct test_batch){.timestamp_ms = 700});
    fixture_append(fx, (struct test_batch){.timestamp_ms = 600});
    fixture_stop(fx);
    fixture_read_file(fx, fixture_path(fx, 0, ".timeindex"), &b);
    assert_int_equal(b.n, INDEX_TIME_ENTRY_BYTES);
    assert_int_equal(get_be64(b.p), 700);
    assert_int_equal(get_be32(b.p + 8), 1);
    buf_release(&b);
}

/* Sealed segments' files are closed past the limit; those with unflushed bytes are not. */
static void open_files_have_a_limit(void **state)
{
    struct fixture *fx = *state;
    struct log_read r;
    int n;

    fixture_topic(fx,
                  (const char *[]){"internal.segment.bytes=100", "flush.messages=100000000", NULL});
    fixture_open(fx);
    for (n = 0; n < LOG_OPEN_SEALED_MAX + 50; n++)
        fixture_append(fx, (struct test_batch){0});
    assert_int_equal(log_n_segments(fx->log), n);
    assert_int_equal(fx->m->n_open_sealed, n - 1);
    fixture_stop(fx);
    fixture_open(fx);
    for (int64_t offset = 0; offset < n; offset++) {
        assert_int_equal(log_read_to_end(fx->log, offset, 1, &r), 0);
        assert_non_null(r.file);
        assert_true(fx->m->n_open_sealed <= LOG_OPEN_SEALED_MAX);
    }
    assert_int_equal(fx->m->n_open_sealed, LOG_OPEN_SEALED_MAX);
}

/* Offsets that are too far from the base for an index entry begin a new segment. */
static void relative_offsets_fit_an_entry(void **state)
{
    struct fixture *fx = *state;
    struct segment *s;

    fixture_open(fx);
    fixture_append(fx, (struct test_batch){0});
    s = log_active(fx->log);
    /* As if two billion records had been here. */
    fx->log->end_offset = (int64_t)INT32_MAX;
    fixture_append(fx, (struct test_batch){0});
    assert_ptr_equal(log_active(fx->log), s);
    fixture_append(fx, (struct test_batch){0});
    assert_ptr_not_equal(log_active(fx->log), s);
    assert_int_equal(log_active(fx->log)->base_offset, (int64_t)INT32_MAX + 1);
}

/* Apache Kafka has both indexes of every segment, empty ones too. */
static void a_segment_has_both_indexes_from_the_start(void **state)
{
    struct fixture *fx = *state;

    fixture_open(fx);
    assert_int_equal(fixture_file_bytes(fx, fixture_path(fx, 0, ".index")), 0);
    assert_int_equal(fixture_file_bytes(fx, fixture_path(fx, 0, ".timeindex")), 0);
    fixture_stop(fx);
    assert_int_equal(vfs_unlink(fx->env.vfs, fixture_path(fx, 0, ".index")), 0);
    fixture_open(fx);
    fixture_stop(fx); /* one that was lost is there again */
    assert_int_equal(fixture_file_bytes(fx, fixture_path(fx, 0, ".index")), 0);
}

/* Where a file of the new segment can not be made, the append is refused, and the old segment goes on
 * until it can. */
static void a_roll_that_fails_changes_nothing(void **state)
{
    static const char *const files[] = {"1.log", "1.index", "1.timeindex", "1.snapshot"};

    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        struct fixture *fx = *state;
        struct spy_vfs *spy = spy_vfs_new(fx->env.vfs);
        struct log_append a;

        fx->env.vfs = &spy->vfs;
        fixture_topic(fx, (const char *[]){"internal.segment.bytes=100", NULL});
        fixture_open(fx);
        fixture_append(fx, (struct test_batch){0});
        spy->only = files[i];
        spy_fail(spy, SPY_OPEN, 0, E_MFILE);
        assert_int_equal(fixture_append_as(fx, LOG_FROM_CLIENT, (struct test_batch){0}, &a),
                         E_MFILE);
        assert_int_equal(log_n_segments(fx->log), 1);
        assert_int_equal(log_end_offset(fx->log), 1);
        assert_false(fixture_exists(fx, fixture_path(fx, 1, ".log")));
        assert_int_equal(fixture_append(fx, (struct test_batch){0}), 1);
        assert_int_equal(log_n_segments(fx->log), 2);
        assert_int_equal(fixture_count_records(fx), 2);
        fixture_kill(fx);
        assert_int_equal(vfs_remove_tree(fx->env.vfs, FIXTURE_DIR), 0);
        fx->env.vfs = spy->under;
        spy_vfs_free(spy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(index_entries_are_where_kafka_puts_them, setup, teardown),
        cmocka_unit_test_setup_teardown(reservation_never_shows, setup, teardown),
        cmocka_unit_test_setup_teardown(last_time_entry_is_the_largest, setup, teardown),
        cmocka_unit_test_setup_teardown(open_files_have_a_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(relative_offsets_fit_an_entry, setup, teardown),
        cmocka_unit_test_setup_teardown(a_segment_has_both_indexes_from_the_start, setup, teardown),
        cmocka_unit_test_setup_teardown(a_roll_that_fails_changes_nothing, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
