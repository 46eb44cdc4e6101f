/* The header of a batch: decoding, checking, patching, sequences, control keys. */
#include "golden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* A header's fields come out as Kafka wrote them. */
static void decodes_every_field(void **state)
{
    struct buf f = golden_file("idempotent-sequence-wraps.bin");
    struct batch b;

    assert_int_equal(batch_decode(f.p, &b), 0);
    assert_int_equal(b.base_offset, 5);
    assert_int_equal(b.total_bytes, f.n);
    assert_int_equal(b.producer_id, 4000);
    assert_int_equal(b.producer_epoch, 3);
    assert_int_equal(b.base_sequence, INT32_MAX - 2);
    assert_int_equal(b.record_count, 7);
    assert_int_equal(batch_last_offset(&b), 11);
    assert_int_equal(batch_last_sequence(&b), 3);
    buf_release(&f);
}

/* Sequences count on from 2^31 - 1 to 0. */
static void sequences_wrap(void **state)
{
    struct batch none = {.base_sequence = NO_SEQUENCE, .last_offset_delta = 4};

    assert_int_equal(sequence_after(0, 0), 0);
    assert_int_equal(sequence_after(0, 5), 5);
    assert_int_equal(sequence_after(INT32_MAX - 1, 1), INT32_MAX);
    assert_int_equal(sequence_after(INT32_MAX, 1), 0);
    assert_int_equal(sequence_after(INT32_MAX, INT32_MAX), INT32_MAX - 1);
    assert_int_equal(batch_last_sequence(&none), NO_SEQUENCE);
}

/* A length below the header's, and any other magic, is not a batch. */
static void refuses_bad_length_and_magic(void **state)
{
    struct buf f = golden_file("emptied.bin");
    struct batch b;

    assert_int_equal(batch_decode(f.p, &b), 0);
    put_be32(f.p + BATCH_LENGTH_AT, BATCH_HEADER_BYTES - BATCH_PREFIX_BYTES - 1);
    assert_int_equal(batch_decode(f.p, &b), E_CORRUPT);
    put_be32(f.p + BATCH_LENGTH_AT, (uint32_t)-1);
    assert_int_equal(batch_decode(f.p, &b), E_CORRUPT);
    put_be32(f.p + BATCH_LENGTH_AT, INT32_MAX);
    assert_int_equal(batch_decode(f.p, &b), 0);
    assert_int_equal(b.total_bytes, (uint32_t)INT32_MAX + BATCH_PREFIX_BYTES);
    assert_int_equal(batch_check(f.p, f.n, &b), E_CORRUPT);
    f.p[BATCH_MAGIC_AT] = 1;
    assert_int_equal(batch_decode(f.p, &b), E_CORRUPT);
    buf_release(&f);
}

static void sign(struct buf *f)
{
    put_be32(f->p + BATCH_CRC_AT, crc32c(0, f->p + BATCH_CRC_FROM, f->n - BATCH_CRC_FROM));
}

/* Counts that contradict one another are told from damage: E_INVALID only under a right CRC. */
static void tells_bad_counts_from_damage(void **state)
{
    static const struct {
        int32_t last_offset_delta, count;
        int rc;
    } cases[] = {{9, 0, 0},
                 {9, 10, 0},
                 {9, 11, E_INVALID},
                 {9, -1, E_INVALID},
                 {-1, 0, E_INVALID},
                 {INT32_MAX, INT32_MAX, 0},
                 {0, INT32_MAX, E_INVALID}};
    struct buf f = golden_file("emptied.bin");
    struct batch b;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        put_be32(f.p + 23, (uint32_t)cases[i].last_offset_delta);
        put_be32(f.p + 57, (uint32_t)cases[i].count);
        sign(&f);
        assert_int_equal(batch_decode(f.p, &b), cases[i].rc);
        assert_int_equal(batch_check(f.p, f.n, &b), cases[i].rc);
        assert_int_equal(b.record_count, cases[i].count);
        f.p[BATCH_CRC_AT] ^= 1;
        assert_int_equal(batch_check(f.p, f.n, &b), E_CORRUPT);
    }
    buf_release(&f);
}

/* The base offset and the leader epoch are outside the CRC: patching them leaves the batch whole.
 */
static void patches_outside_the_crc(void **state)
{
    struct buf f = golden_file("mixed-zstd.bin");
    struct batch b;

    batch_set_base_offset(f.p, INT64_MAX - 100);
    batch_set_leader_epoch(f.p, 123456);
    assert_int_equal(batch_check(f.p, f.n, &b), 0);
    assert_int_equal(b.base_offset, INT64_MAX - 100);
    assert_int_equal(b.leader_epoch, 123456);
    buf_release(&f);
}

/* Stamping the append time gives the very bytes that Kafka's setMaxTimestamp gives, and back. */
static void stamps_append_time_as_kafka(void **state)
{
    struct batch_options options = BATCH_OPTIONS_NONE;
    struct buf f = golden_file("log-append-time.bin"), ours, before;
    struct batch b;

    options.base_offset = (int64_t)1 << 40;
    options.leader_epoch = -1;
    ours = golden_mixed(options);
    before = golden_mixed(options);
    assert_int_equal(batch_check(ours.p, ours.n, &b), 0);
    batch_set_append_time(ours.p, &b, 1700000000077);
    assert_int_equal(ours.n, f.n);
    assert_memory_equal(ours.p, f.p, f.n);
    assert_int_equal(b.crc, get_be32(f.p + BATCH_CRC_AT));
    assert_true(b.attributes & BATCH_LOG_APPEND_TIME);
    batch_set_create_time(ours.p, &b, 1704000000000);
    assert_memory_equal(ours.p, before.p, before.n);
    buf_release(&f);
    buf_release(&ours);
    buf_release(&before);
}

/* Where the time is right already nothing is written, not even attribute bits without a meaning. */
static void leaves_the_right_time_alone(void **state)
{
    struct buf f = golden_file("mixed-none.bin");
    struct batch b;

    f.p[21] = 0x40;
    sign(&f);
    assert_int_equal(batch_check(f.p, f.n, &b), 0);
    batch_set_create_time(f.p, &b, b.max_timestamp_ms);
    assert_int_equal(f.p[21], 0x40);
    batch_set_create_time(f.p, &b, 7);
    assert_int_equal(f.p[21], 0);
    assert_int_equal(batch_check(f.p, f.n, &b), 0);
    assert_int_equal(b.max_timestamp_ms, 7);
    buf_release(&f);
}

/* Control keys: four bytes; longer ones of later versions are read too, short and negative ones are
 * not. */
static void reads_control_keys(void **state)
{
    uint8_t key[6] = {0};
    int16_t type;

    control_key_put(key, CONTROL_COMMIT);
    assert_memory_equal(key, ((uint8_t[]){0, 0, 0, 1}), 4);
    assert_int_equal(control_key_get(bytes_of(key, 4), &type), 0);
    assert_int_equal(type, CONTROL_COMMIT);
    key[1] = 3;
    assert_int_equal(control_key_get(bytes_of(key, 6), &type), 0);
    assert_int_equal(control_key_get(bytes_of(key, 3), &type), E_CORRUPT);
    assert_int_equal(control_key_get((struct bytes){NULL, 0}, &type), E_CORRUPT);
    key[0] = 0x80;
    assert_int_equal(control_key_get(bytes_of(key, 4), &type), E_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decodes_every_field),
        cmocka_unit_test(sequences_wrap),
        cmocka_unit_test(refuses_bad_length_and_magic),
        cmocka_unit_test(tells_bad_counts_from_damage),
        cmocka_unit_test(patches_outside_the_crc),
        cmocka_unit_test(stamps_append_time_as_kafka),
        cmocka_unit_test(leaves_the_right_time_alone),
        cmocka_unit_test(reads_control_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
