/* Rot: what comes from the device is checked before it is given out, once; what is damaged is answered
 * so, and nothing else is lost. */
#include "log_fixture.h"

#include "metrics.h"
#include "segment.h"

#define LOG_FILE fixture_path(fx, 0, ".log")

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

/* Ten batches of two records; the process that wrote them has stopped. The bytes of one. */
static uint64_t fill(struct fixture *fx)
{
    uint64_t n_bytes;

    fixture_topic(fx, (const char *[]){"index.interval.bytes=300", NULL});
    fixture_open(fx);
    for (int i = 0; i < 10; i++)
        fixture_append(fx, (struct test_batch){
                               .n_records = 2, .value_bytes = 50, .timestamp_ms = 1000 + 10 * i});
    fixture_settle(fx);
    n_bytes = fixture_file_bytes(fx, LOG_FILE) / 10;
    fixture_stop(fx);
    return n_bytes;
}

/* What a reader at this offset is given; *n_bytes of it. */
static int read_checked(struct fixture *fx, int64_t offset, uint32_t max_bytes, uint32_t *n_bytes)
{
    struct log_check c;
    struct log_read r;
    int rc = log_read(fx->log, offset, max_bytes, true, READ_UNCOMMITTED, &r);

    *n_bytes = 0;
    if (rc < 0)
        return rc;
    assert_int_equal(r.error, KE_NONE);
    *n_bytes = r.n_bytes;
    if (r.checked)
        return 0;
    log_check_begin(fx->log, &c, &r);
    log_check_run(&c);
    rc = log_check_end(&c);
    *n_bytes = c.n_good;
    return rc;
}

static bool is_checked(struct fixture *fx, int64_t offset, uint32_t max_bytes)
{
    struct log_read r;

    assert_int_equal(log_read(fx->log, offset, max_bytes, true, READ_UNCOMMITTED, &r), 0);
    return r.checked;
}

/* Bytes that this process wrote, or checked, cost nothing; a start forgets what was known. */
static void good_bytes_are_checked_once(void **state)
{
    struct fixture *fx = *state;
    uint64_t n = fill(fx);
    uint32_t got;

    fixture_open(fx);
    assert_false(is_checked(fx, 0, 10000));
    assert_int_equal(read_checked(fx, 0, (uint32_t)(3 * n + n / 2), &got), 0);
    assert_int_equal(got, 3 * n + n / 2);
    assert_true(is_checked(fx, 0, (uint32_t)(3 * n)));
    assert_false(is_checked(fx, 0, (uint32_t)(3 * n + 1))); /* of that batch only a part was seen */
    assert_int_equal(read_checked(fx, 14, 10000, &got), 0);
    assert_int_equal(read_checked(fx, 6, 10000, &got), 0);
    assert_true(is_checked(fx, 0, 10000)); /* the ranges have met */
    fixture_append(fx, (struct test_batch){.n_records = 2});
    fixture_settle(fx);
    assert_true(is_checked(fx, 0, 10000));
    assert_true(is_checked(fx, 20, 10000));
    fixture_stop(fx);
    fixture_open(fx);
    assert_false(is_checked(fx, 20, 10000));
}

/* A reader is given what stands before the damage, is refused at it, and goes on behind it. */
static void rot_inside_a_batch(void **state)
{
    struct fixture *fx = *state;
    uint64_t n = fill(fx);
    struct buf text;
    uint32_t got;

    fixture_flip(fx, LOG_FILE, 4 * n + 80);
    fixture_open(fx);
    assert_int_equal(read_checked(fx, 0, 10000, &got), 0);
    assert_int_equal(got, 4 * n);
    for (int64_t offset = 8; offset < 10; offset++)
        assert_int_equal(read_checked(fx, offset, 10000, &got), E_ROT);
    assert_int_equal(read_checked(fx, 10, 10000, &got), 0);
    assert_int_equal(got, 5 * n);
    assert_int_equal(read_checked(fx, 0, 10000, &got), 0);
    assert_int_equal(got, 4 * n);
    assert_int_equal(fx->env.metrics ? fx->env.metrics->value[M_log_corrupt_ranges] : 1, 1);
    buf_init(&text);
    logm_print_rot(fx->m, &text);
    assert_non_null(strstr(buf_cstr(&text),
                           "log_corrupt_range{topic=\"t\",partition=\"0\",offset=\"8\","
                           "offset_next=\"10\",file=\"/data/t-0/00000000000000000000.log\"} "));
    buf_release(&text);
}

/* The length is not covered by the checksum, and nothing leads on from it. */
static void rot_in_a_length(void **state)
{
    struct fixture *fx = *state;
    uint64_t n = fill(fx);
    uint32_t got;

    fixture_flip(fx, LOG_FILE, 4 * n + BATCH_LENGTH_AT);
    fixture_open(fx);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(read_checked(fx, 19, 10000, &got), 0);
        assert_int_equal(got, n);
        assert_int_equal(read_checked(fx, 10, 10000, &got), 0);
        assert_int_equal(got, 5 * n);
        assert_int_equal(read_checked(fx, 9, 10000, &got), E_ROT);
        assert_int_equal(read_checked(fx, 8, 1, &got), E_ROT);
        assert_int_equal(read_checked(fx, 6, 10000, &got), 0);
        assert_int_equal(got, n);
    }
    assert_int_equal(log_end_offset(fx->log), 20);
}

/* A base offset that has risen leaves a gap, and the batch behind it stands before its end. */
static void rot_in_a_base_offset(void **state)
{
    struct fixture *fx = *state;
    uint64_t n = fill(fx);
    struct buf file;
    uint32_t got;

    fixture_read_file(fx, LOG_FILE, &file);
    file.p[4 * n + 7] = 11; /* 8 was there */
    fixture_write_file(fx, LOG_FILE, file.p, file.n);
    buf_release(&file);
    fixture_open(fx);
    assert_int_equal(read_checked(fx, 0, 10000, &got), 0);
    assert_int_equal(got, 4 * n);
    assert_int_equal(read_checked(fx, 10, 10000, &got), 0);
    assert_int_equal(got, 5 * n);
}

/* A time that a damaged batch may hold has no answer; earlier ones have. */
static void times_around_rot(void **state)
{
    struct fixture *fx = *state;
    uint64_t n = fill(fx);
    int64_t offset, ms;
    int32_t epoch;

    fixture_flip(fx, LOG_FILE, 4 * n + 80);
    fixture_open(fx);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            log_offset_for_time(fx->log, 1030, READ_UNCOMMITTED, &offset, &ms, &epoch), 0);
        assert_int_equal(offset, 6);
        assert_int_equal(
            log_offset_for_time(fx->log, 1040, READ_UNCOMMITTED, &offset, &ms, &epoch), E_ROT);
        assert_int_equal(log_offset_of_max_timestamp(fx->log, READ_UNCOMMITTED, &offset, &ms, &epoch), 0);
        assert_int_equal(offset, 19);
    }
}

/* A topic that is deleted while its bytes are on a lane. */
static void log_goes_while_it_is_checked(void **state)
{
    struct fixture *fx = *state;
    struct log_check c;
    struct log_read r;

    fill(fx);
    fixture_open(fx);
    assert_int_equal(log_read(fx->log, 0, 10000, true, READ_UNCOMMITTED, &r), 0);
    log_check_begin(fx->log, &c, &r);
    log_delete(fx->log);
    fx->log = NULL;
    fixture_settle(fx);
    log_check_run(&c);
    assert_int_equal(log_check_end(&c), 0);
    assert_int_equal(c.n_good, c.n_bytes);
}

/* Damage at any byte, in any way: nothing but what was written is given out, and all that is good still
 * can be read. */
static void any_flip_is_found(void **state)
{
    struct fixture *fx = *state;
    uint64_t n = fill(fx);
    struct buf before;
    uint8_t *after = xmalloc(10 * n);

    fixture_read_file(fx, LOG_FILE, &before);
    for (uint64_t at = 3 * n; at < 4 * n; at++) {
        int n_refused = 0;

        if (at - 3 * n >= 12 && at - 3 * n < 16)
            continue; /* the leader epoch: nothing covers it, and the records are what they were */
        fixture_write_file(fx, LOG_FILE, before.p, before.n);
        fixture_flip(fx, LOG_FILE, at);
        fixture_open(fx);
        for (int64_t offset = 0; offset < 20; offset++) {
            uint32_t got;
            struct log_read r;
            int rc = read_checked(fx, offset, 1, &got);

            n_refused += rc < 0;
            if (rc < 0 || log_read(fx->log, offset, 1, true, READ_UNCOMMITTED, &r) < 0)
                continue;
            assert_int_equal(r.position, (uint64_t)offset / 2 * n);
            assert_int_equal(got, n);
            assert_int_equal(file_pread_full(r.file, after, n, r.position), 0);
            assert_memory_equal(after, before.p + r.position, n);
        }
        assert_int_equal(n_refused, 2);
        fixture_stop(fx);
    }
    buf_release(&before);
    free(after);
    fixture_open(fx);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(good_bytes_are_checked_once),
        TEST(rot_inside_a_batch),
        TEST(rot_in_a_length),
        TEST(rot_in_a_base_offset),
        TEST(times_around_rot),
        TEST(log_goes_while_it_is_checked),
        TEST(any_flip_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
