/* Reading: ranges, bounds, and the readers that the log remembers. Offsets by time. */
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

static void fill(struct fixture *fx, int n_batches)
{
    fixture_topic(
        fx, (const char *[]){"internal.segment.bytes=2000", "index.interval.bytes=300", NULL});
    fixture_open(fx);
    for (int i = 0; i < n_batches; i++)
        fixture_append(fx, (struct test_batch){
                               .n_records = 2, .value_bytes = 50, .timestamp_ms = 1000 + 10 * i});
    fixture_settle(fx);
}

static struct log_read read_at(struct fixture *fx, int64_t offset, uint32_t max_bytes,
                               bool at_least_one)
{
    struct log_read r;

    assert_int_equal(log_read(fx->log, offset, max_bytes, at_least_one, READ_UNCOMMITTED, &r), 0);
    return r;
}

/* The first batch of what was read, and how many whole batches there are. */
static int batches_in(const struct log_read *r, struct batch *first)
{
    uint8_t bytes[4096];
    struct batch b;
    int n = 0;

    assert_true(r->n_bytes <= sizeof(bytes));
    assert_int_equal(file_pread_full(r->file, bytes, r->n_bytes, r->position), 0);
    for (uint32_t at = 0; at + BATCH_HEADER_BYTES <= r->n_bytes; at += b.total_bytes) {
        assert_int_equal(batch_decode(bytes + at, &b), 0);
        if (b.total_bytes > r->n_bytes - at)
            break;
        if (n++ == 0)
            *first = b;
    }
    return n;
}

/* Any offset of a batch leads to the batch's begin, from either side of every index entry. */
static void every_offset_leads_to_its_batch(void **state)
{
    struct fixture *fx = *state;
    struct batch b;

    fill(fx, 40);
    for (int64_t offset = 79; offset >= 0; offset--) {
        struct log_read r = read_at(fx, offset, 1, true);

        assert_int_equal(batches_in(&r, &b), 1);
        assert_int_equal(b.base_offset, offset / 2 * 2);
        assert_int_equal(r.n_bytes, b.total_bytes);
    }
}

/* A reader that goes on where it stopped is led by memory, never by an index, also across segments
 * and in pieces that end inside a batch. */
static void sequential_reader_touches_no_index(void **state)
{
    struct fixture *fx = *state;
    int64_t offset = 0;
    uint64_t marks, segments;
    struct batch b;

    fill(fx, 40);
    segments = (uint64_t)log_n_segments(fx->log);
    marks = mark_count("read_by_index");
    while (offset < 80) {
        struct log_read r = read_at(fx, offset, 700, true);
        int n = batches_in(&r, &b);

        assert_true(n > 0);
        assert_int_equal(b.base_offset, offset);
        offset += 2 * n;
    }
    assert_true(segments > 2);
    assert_true(mark_count("read_by_index") - marks <= segments);
    marks = mark_count("read_by_index");
    for (int i = 0; i < 5; i++) {
        fixture_append(fx, (struct test_batch){.n_records = 2, .value_bytes = 1});
        fixture_settle(fx);
        assert_int_equal(batches_in(&(struct log_read[]){read_at(fx, offset, 1000, true)}[0], &b),
                         1);
        offset += 2;
    }
    assert_true(mark_count("read_by_index") - marks <= 1);
}

/* max_bytes cuts, at_least_one does not let it cut the first batch, and without it nothing is
 * promised. */
static void sizes_are_kept(void **state)
{
    struct fixture *fx = *state;
    struct log_read r;
    struct batch b;

    fill(fx, 4);
    assert_int_equal(read_at(fx, 0, 0, false).n_bytes, 0);
    assert_int_equal(read_at(fx, 0, 10, false).n_bytes, 10);
    r = read_at(fx, 0, 0, true);
    assert_int_equal(batches_in(&r, &b), 1);
    assert_int_equal(r.n_bytes, b.total_bytes);
    assert_int_equal(read_at(fx, 2, 2 * b.total_bytes + 5, true).n_bytes, 2 * b.total_bytes + 5);
    assert_int_equal(read_at(fx, 2, UINT32_MAX, true).n_bytes, 3 * b.total_bytes);
}

/* Offsets outside the log are an error, those between the high watermark and the end are not. */
static void bounds_are_exact(void **state)
{
    struct fixture *fx = *state;
    struct log_read r;

    fill(fx, 2);
    fixture_append(fx, (struct test_batch){0});
    assert_int_equal(read_at(fx, -1, 100, true).error, KE_OFFSET_OUT_OF_RANGE);
    assert_int_equal(read_at(fx, 6, 100, true).error, KE_OFFSET_OUT_OF_RANGE);
    r = read_at(fx, 4, 100, true);
    assert_int_equal(r.error, KE_NONE);
    assert_null(r.file);
    assert_int_equal(r.high_watermark, 4);
    assert_int_equal(r.end_offset, 5);
    r = read_at(fx, 5, 100, true);
    assert_int_equal(r.error, KE_NONE);
    assert_null(r.file);
    /* Up to the high watermark, not a byte more. */
    r = read_at(fx, 0, UINT32_MAX, true);
    assert_true(r.n_bytes < fixture_file_bytes(fx, fixture_path(fx, 0, ".log")));
    assert_int_equal(log_read_to_end(fx->log, 4, 1000, &r), 0);
    assert_non_null(r.file);
}

/* An index that leads astray is built anew, and the read succeeds. */
static void lying_index_is_rebuilt(void **state)
{
    struct fixture *fx = *state;
    uint8_t lie[8] = {0, 0, 0, 3, 0, 0, 0, 77};
    uint64_t marks = mark_count("index_rebuilt");
    struct log_read r;
    struct batch b;

    fill(fx, 40);
    fixture_stop(fx);
    fixture_write_file(fx, fixture_path(fx, 0, ".index"), lie, sizeof(lie));
    fixture_open(fx);
    r = read_at(fx, 4, 1, true);
    assert_int_equal(batches_in(&r, &b), 1);
    assert_int_equal(b.base_offset, 4);
    assert_int_equal(mark_count("index_rebuilt"), marks + 1);
}

/* By time: the first record that is not earlier, exactly, for times at, before, between and after
 * the records. */
static void offsets_by_time_are_exact(void **state)
{
    struct fixture *fx = *state;
    int64_t offset, timestamp_ms;
    int32_t epoch;

    fill(fx, 40);
    for (int i = 0; i < 40; i++) {
        for (int k = -1; k < 2; k++) {
            /* Records of batch i: 1000 + 10 i, and one ms later. */
            assert_int_equal(log_offset_for_time(fx->log, 1000 + 10 * i + k, READ_UNCOMMITTED,
                                                 &offset, &timestamp_ms, &epoch),
                             0);
            assert_int_equal(offset, 2 * i + (k == 1));
            assert_int_equal(timestamp_ms, 1000 + 10 * i + (k == 1));
            assert_int_equal(epoch, 0);
        }
    }
    assert_int_equal(
        log_offset_for_time(fx->log, 1392, READ_UNCOMMITTED, &offset, &timestamp_ms, &epoch), 0);
    assert_int_equal(offset, -1);
    assert_int_equal(timestamp_ms, -1);
}

/* Times that go back: the answer is the first record in offset order; the greatest time is found
 * wherever it is. */
static void times_may_go_back(void **state)
{
    struct fixture *fx = *state;
    int64_t times[] = {500, 900, 100, 100, 700, 950, 10}, offset, timestamp_ms;
    int32_t epoch;

    fixture_topic(fx,
                  (const char *[]){"internal.segment.bytes=300", "index.interval.bytes=0", NULL});
    fixture_open(fx);
    for (size_t i = 0; i < ARRAY_SIZE(times); i++)
        fixture_append(fx,
                       (struct test_batch){.timestamp_ms = times[i], .attributes = CODEC_SNAPPY});
    fixture_settle(fx);
    assert_int_equal(
        log_offset_for_time(fx->log, 600, READ_UNCOMMITTED, &offset, &timestamp_ms, &epoch), 0);
    assert_int_equal(offset, 1);
    assert_int_equal(
        log_offset_for_time(fx->log, 901, READ_UNCOMMITTED, &offset, &timestamp_ms, &epoch), 0);
    assert_int_equal(offset, 5);
    assert_int_equal(log_offset_of_max_timestamp(fx->log, READ_UNCOMMITTED, &offset, &timestamp_ms, &epoch), 0);
    assert_int_equal(offset, 5);
    assert_int_equal(timestamp_ms, 950);
}

/* An empty log has no offset for any time. */
static void empty_log_has_no_times(void **state)
{
    struct fixture *fx = *state;
    int64_t offset, timestamp_ms;
    int32_t epoch;

    fixture_open(fx);
    assert_int_equal(
        log_offset_for_time(fx->log, 0, READ_UNCOMMITTED, &offset, &timestamp_ms, &epoch), 0);
    assert_int_equal(offset, -1);
    assert_int_equal(log_offset_of_max_timestamp(fx->log, READ_UNCOMMITTED, &offset, &timestamp_ms, &epoch), 0);
    assert_int_equal(offset, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_offset_leads_to_its_batch, setup, teardown),
        cmocka_unit_test_setup_teardown(sequential_reader_touches_no_index, setup, teardown),
        cmocka_unit_test_setup_teardown(sizes_are_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(bounds_are_exact, setup, teardown),
        cmocka_unit_test_setup_teardown(lying_index_is_rebuilt, setup, teardown),
        cmocka_unit_test_setup_teardown(offsets_by_time_are_exact, setup, teardown),
        cmocka_unit_test_setup_teardown(times_may_go_back, setup, teardown),
        cmocka_unit_test_setup_teardown(empty_log_has_no_times, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
