/* Index files: entries in memory and in the file are one sequence; searches; what cannot be an
 * index. */
#include "log_fixture.h"

#include "segment.h"

#define BASE 1000

struct ground {
    struct fixture fx;
    struct segment *s;
};

static int setup(void **state)
{
    struct ground *g = xcalloc(1, sizeof(*g));

    fixture_init(&g->fx, NULL);
    fixture_open(&g->fx);
    g->s = segment_new(g->fx.log, BASE, 0);
    assert_int_equal(index_load(&g->s->offsets, g->s), 0);
    assert_int_equal(index_load(&g->s->times, g->s), 0);
    *state = g;
    return 0;
}

static int teardown(void **state)
{
    struct ground *g = *state;

    segment_free(g->s);
    fixture_release(&g->fx);
    free(g);
    return 0;
}

static void add(struct ground *g, int n)
{
    for (int i = 1; i <= n; i++) {
        assert_int_equal(
            index_add_offset(&g->s->offsets, g->s,
                             (struct offset_entry){BASE + 10 * i, (uint32_t)(100 * i)}),
            0);
        assert_int_equal(
            index_add_time(&g->s->times, g->s, (struct time_entry){5000 + i, BASE + 10 * i}), 0);
    }
}

static uint32_t below_offset(struct ground *g, int64_t offset)
{
    struct index_reader r;
    uint32_t n;

    assert_int_equal(index_open(&r, &g->s->offsets, g->s), 0);
    assert_int_equal(index_count_below_offset(&r, offset, &n), 0);
    index_close(&r);
    return n;
}

static uint32_t below_time(struct ground *g, int64_t timestamp_ms)
{
    struct index_reader r;
    uint32_t n;

    assert_int_equal(index_open(&r, &g->s->times, g->s), 0);
    assert_int_equal(index_count_below_time(&r, timestamp_ms, &n), 0);
    index_close(&r);
    return n;
}

/* Some are in the file, some wait: the searches see one sequence, at every border. */
static void searches_span_file_and_memory(void **state)
{
    struct ground *g = *state;
    uint32_t n = INDEX_PENDING_MAX * 2 + 7;

    add(g, (int)n);
    assert_true(g->s->offsets.n_written > 0 && g->s->offsets.n_pending > 0);
    assert_int_equal(index_count(&g->s->offsets), n);
    for (uint32_t i = 1; i <= n; i++) {
        assert_int_equal(below_offset(g, BASE + 10 * i), i - 1);
        assert_int_equal(below_offset(g, BASE + 10 * i + 1), i);
        assert_int_equal(below_time(g, 5000 + i), i - 1);
    }
    assert_int_equal(below_offset(g, 0), 0);
    assert_int_equal(below_offset(g, INT64_MAX), n);
    assert_int_equal(below_time(g, INT64_MAX), n);
}

/* The bytes are Kafka's: big-endian, relative offsets. */
static void bytes_are_kafkas(void **state)
{
    struct ground *g = *state;
    static const uint8_t offsets[8] = {0, 0, 0, 10, 0, 0, 0, 100};
    static const uint8_t times[12] = {0, 0, 0, 0, 0, 0, 0x13, 0x89, 0, 0, 0, 10};
    struct buf b;

    add(g, 1);
    assert_int_equal(index_flush(&g->s->offsets, g->s), 0);
    assert_int_equal(index_flush(&g->s->times, g->s), 0);
    fixture_read_file(&g->fx, fixture_path(&g->fx, BASE, ".index"), &b);
    assert_int_equal(b.n, 8);
    assert_memory_equal(b.p, offsets, 8);
    buf_release(&b);
    fixture_read_file(&g->fx, fixture_path(&g->fx, BASE, ".timeindex"), &b);
    assert_int_equal(b.n, 12);
    assert_memory_equal(b.p, times, 12);
    buf_release(&b);
}

/* Cut back within what waits and within the file; what is added then follows. */
static void truncation_reaches_memory_and_file(void **state)
{
    struct ground *g = *state;
    struct index *x = &g->s->offsets;

    add(g, INDEX_PENDING_MAX + 5);
    assert_int_equal(index_truncate(x, g->s, INDEX_PENDING_MAX + 2), 0);
    assert_int_equal(index_count(x), INDEX_PENDING_MAX + 2);
    assert_int_equal(index_truncate(x, g->s, 3), 0);
    assert_int_equal(index_count(x), 3);
    assert_int_equal(fixture_file_bytes(&g->fx, fixture_path(&g->fx, BASE, ".index")), 24);
    assert_int_equal(index_add_offset(x, g->s, (struct offset_entry){BASE + 99, 990}), 0);
    assert_int_equal(below_offset(g, BASE + 99), 3);
    assert_int_equal(below_offset(g, BASE + 100), 4);
}

/* Half an entry, zeroes at the end (as a preallocated file has), an offset at the base: no index.
 */
static void what_is_no_index_is_refused(void **state)
{
    struct ground *g = *state;
    struct index *x = &g->s->offsets, *t = &g->s->times;
    const char *path = FIXTURE_DIR "/t-0/00000000000000001000.index";
    const char *time_path = FIXTURE_DIR "/t-0/00000000000000001000.timeindex";

    add(g, 2);
    assert_int_equal(index_flush(x, g->s), 0);
    assert_int_equal(index_flush(t, g->s), 0);
    assert_int_equal(index_load(x, g->s), 0);
    assert_int_equal(index_count(x), 2);
    assert_int_equal(index_load(t, g->s), 0);
    fixture_truncate(&g->fx, path, 15);
    assert_int_equal(index_load(x, g->s), E_CORRUPT);
    fixture_truncate(&g->fx, path, 16384);
    assert_int_equal(index_load(x, g->s), E_CORRUPT);
    fixture_truncate(&g->fx, time_path, 23);
    assert_int_equal(index_load(t, g->s), E_CORRUPT);
    fixture_truncate(&g->fx, time_path, 12000);
    assert_int_equal(index_load(t, g->s), E_CORRUPT);
    assert_int_equal(index_truncate(x, g->s, 0), 0);
    assert_int_equal(index_load(x, g->s), 0);
    assert_int_equal(index_count(x), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(searches_span_file_and_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(bytes_are_kafkas, setup, teardown),
        cmocka_unit_test_setup_teardown(truncation_reaches_memory_and_file, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_index_is_refused, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
