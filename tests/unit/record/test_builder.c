/* Building batches: beside Kafka's own bytes, and round trips. */
#include "golden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct batch_options mixed_options(enum codec c)
{
    struct batch_options o = BATCH_OPTIONS_NONE;

    o.base_offset = 42;
    o.leader_epoch = 7;
    o.attributes = (int16_t)c;
    return o;
}

/* The same records give the very bytes that Kafka's builder gives. */
static void builds_the_bytes_that_kafka_builds(void **state)
{
    struct batch_options o = mixed_options(CODEC_NONE);
    struct buf ours = golden_mixed(o), kafka = golden_file("mixed-none.bin");

    assert_int_equal(ours.n, kafka.n);
    assert_memory_equal(ours.p, kafka.p, kafka.n);
    buf_release(&ours);
    buf_release(&kafka);
    o = (struct batch_options){.base_offset = 5,
                               .producer_id = 4000,
                               .producer_epoch = 3,
                               .base_sequence = INT32_MAX - 2,
                               .level = INT32_MIN};
    ours = golden_mixed(o);
    kafka = golden_file("idempotent-sequence-wraps.bin");
    assert_int_equal(ours.n, kafka.n);
    assert_memory_equal(ours.p, kafka.p, kafka.n);
    buf_release(&ours);
    buf_release(&kafka);
}

/* A transaction marker is byte for byte Kafka's. */
static void builds_a_marker_as_kafka(void **state)
{
    static const uint8_t value[6] = {0, 0, 0, 0, 0, 21};
    struct batch_options o = BATCH_OPTIONS_NONE;
    struct buf ours, kafka = golden_file("marker-abort.bin");
    struct batch_builder bb;
    uint8_t key[4];

    o.base_offset = 13;
    o.leader_epoch = 9;
    o.attributes = BATCH_TRANSACTIONAL | BATCH_CONTROL;
    o.producer_id = 4000;
    o.producer_epoch = 3;
    buf_init(&ours);
    batch_begin(&bb, &ours, o);
    control_key_put(key, CONTROL_ABORT);
    batch_add(&bb, 1700000000000, bytes_of(key, 4), bytes_of(value, 6), NULL, 0);
    assert_int_equal(batch_end(&bb), 0);
    assert_int_equal(ours.n, kafka.n);
    assert_memory_equal(ours.p, kafka.p, kafka.n);
    buf_release(&ours);
    buf_release(&kafka);
}

/* The lines behind a dump's two header lines: those of the records. */
static const char *records_of(const char *dump)
{
    dump = strchr(dump, '\n') + 1;
    return strchr(dump, '\n') + 1;
}

/* Every codec gives back the records that Kafka's batch of the same codec holds. */
static void every_codec_round_trips(void **state)
{
    struct buf expected = golden_file("mixed-none.txt");

    for (int c = 0; c < CODEC_COUNT; c++) {
        struct buf ours = golden_mixed(mixed_options((enum codec)c)), seen;
        struct batch b;

        buf_init(&seen);
        assert_int_equal(golden_dump(bytes_of(ours.p, ours.n), &seen), 0);
        assert_string_equal(records_of(buf_cstr(&seen)), records_of(buf_cstr(&expected)));
        assert_int_equal(batch_check(ours.p, ours.n, &b), 0);
        assert_int_equal(batch_check_produced(ours.p, &b, NULL), 0);
        assert_int_equal(b.attributes, c);
        buf_release(&seen);
        buf_release(&ours);
    }
    buf_release(&expected);
}

/* A batch goes behind what the output already holds; a level that no codec has leaves the output as
 * it was. */
static void appends_or_leaves_the_output_alone(void **state)
{
    struct batch_options o = BATCH_OPTIONS_NONE;
    struct batch_builder bb;
    struct batch b;
    struct buf out;

    buf_init(&out);
    buf_put_str(&out, "before");
    o.attributes = CODEC_GZIP;
    o.level = 10;
    batch_begin(&bb, &out, o);
    batch_add(&bb, 1, (struct bytes){0}, (struct bytes){0}, NULL, 0);
    assert_int_equal(batch_end(&bb), E_INVALID);
    assert_int_equal(out.n, 6);
    o.level = 9;
    batch_begin(&bb, &out, o);
    batch_add(&bb, 1, (struct bytes){0}, (struct bytes){0}, NULL, 0);
    assert_int_equal(batch_end(&bb), 0);
    assert_memory_equal(out.p, "before", 6);
    assert_int_equal(batch_check(out.p + 6, out.n - 6, &b), 0);
    assert_int_equal(b.total_bytes, out.n - 6);
    buf_release(&out);
}

/* Timestamps at the ends of their range come back. */
static void keeps_extreme_timestamps(void **state)
{
    static const int64_t times[] = {0, INT64_MAX, INT64_MIN, NO_TIMESTAMP, INT64_MIN + 1};
    struct buf out, scratch;
    struct batch_builder bb;
    struct record_iter it;
    struct record r;
    struct batch b;

    buf_init(&out);
    buf_init(&scratch);
    batch_begin(&bb, &out, BATCH_OPTIONS_NONE);
    for (size_t i = 0; i < ARRAY_SIZE(times); i++)
        batch_add(&bb, times[i], (struct bytes){0}, (struct bytes){0}, NULL, 0);
    assert_int_equal(batch_end(&bb), 0);
    assert_int_equal(batch_check(out.p, out.n, &b), 0);
    assert_int_equal(b.max_timestamp_ms, INT64_MAX);
    assert_int_equal(record_iter_init(&it, out.p, &b, 0, &scratch), 0);
    for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
        assert_int_equal(record_iter_next(&it, &r), 1);
        assert_true(r.timestamp_ms == times[i]);
        assert_int_equal(r.offset, i);
    }
    assert_int_equal(record_iter_next(&it, &r), 0);
    buf_release(&scratch);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(builds_the_bytes_that_kafka_builds),
        cmocka_unit_test(builds_a_marker_as_kafka),
        cmocka_unit_test(every_codec_round_trips),
        cmocka_unit_test(appends_or_leaves_the_output_alone),
        cmocka_unit_test(keeps_extreme_timestamps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
