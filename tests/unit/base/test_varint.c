/* Variable-length integers: known bytes, round trips, early ends, too long. */
#include "base.h"

#include <setjmp.h>

#include <cmocka.h>

static const int64_t edges[] = {
    0,
    1,
    -1,
    63,
    64,
    -64,
    -65,
    8191,
    8192,
    -8192,
    -8193,
    1048575,
    1048576,
    134217727,
    134217728,
    INT32_MAX,
    INT32_MIN,
    UINT32_MAX,
    INT64_MAX,
    INT64_MIN,
    INT64_MAX - 1,
    (int64_t)1 << 34,
    (int64_t)1 << 41,
    (int64_t)1 << 48,
    (int64_t)1 << 55,
    (int64_t)1 << 62,
};

/* Bytes known from Kafka's own tests (ByteUtilsTest). */
static void known_values_have_kafkas_bytes(void **state)
{
    static const struct {
        int32_t value;
        struct bytes bytes;
    } known[] = {
        {0, {(const uint8_t *)"\x00", 1}},
        {-1, {(const uint8_t *)"\x01", 1}},
        {1, {(const uint8_t *)"\x02", 1}},
        {63, {(const uint8_t *)"\x7e", 1}},
        {-64, {(const uint8_t *)"\x7f", 1}},
        {64, {(const uint8_t *)"\x80\x01", 2}},
        {-65, {(const uint8_t *)"\x81\x01", 2}},
        {8191, {(const uint8_t *)"\xfe\x7f", 2}},
        {1048576, {(const uint8_t *)"\x80\x80\x80\x01", 4}},
        {INT32_MAX, {(const uint8_t *)"\xfe\xff\xff\xff\x0f", 5}},
        {INT32_MIN, {(const uint8_t *)"\xff\xff\xff\xff\x0f", 5}},
    };

    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        uint8_t p[VARINT_BYTES_MAX];
        size_t n = varint_put(p, known[i].value);

        assert_true(bytes_eq(bytes_of(p, n), known[i].bytes));
    }
}

static void round_trip(int64_t value)
{
    uint8_t p[VARLONG_BYTES_MAX];
    int64_t long_value;
    int32_t int_value;
    uint32_t unsigned_value;
    size_t n;

    n = varlong_put(p, value);
    assert_int_equal(n, varlong_size(value));
    assert_int_equal(varlong_get(p, p + n, &long_value), n);
    assert_true(long_value == value);
    for (size_t k = 0; k < n; k++)
        assert_int_equal(varlong_get(p, p + k, &long_value), 0);

    n = varint_put(p, (int32_t)value);
    assert_int_equal(n, varint_size((int32_t)value));
    assert_int_equal(varint_get(p, p + n, &int_value), n);
    assert_int_equal(int_value, (int32_t)value);
    for (size_t k = 0; k < n; k++)
        assert_int_equal(varint_get(p, p + k, &int_value), 0);

    n = varint_put_unsigned(p, (uint32_t)value);
    assert_int_equal(n, varint_size_unsigned((uint32_t)value));
    assert_int_equal(varint_get_unsigned(p, p + n, &unsigned_value), n);
    assert_int_equal(unsigned_value, (uint32_t)value);
    for (size_t k = 0; k < n; k++)
        assert_int_equal(varint_get_unsigned(p, p + k, &unsigned_value), 0);
}

/* Every length comes back, says its size before, and is refused when cut anywhere. */
static void all_lengths_round_trip_and_refuse_cuts(void **state)
{
    struct rng rng;

    for (size_t i = 0; i < ARRAY_SIZE(edges); i++)
        round_trip(edges[i]);
    for (int bit = 0; bit < 64; bit++)
        for (int64_t d = -2; d <= 2; d++)
            round_trip((int64_t)(((uint64_t)1 << bit) + (uint64_t)d));
    rng_init(&rng, 1);
    for (int i = 0; i < 20000; i++)
        round_trip((int64_t)(rng_next(&rng) >> rng_below(&rng, 64)));
}

/* A number that goes on past the most bytes of its type is refused, however long the input is. */
static void too_long_is_refused(void **state)
{
    uint8_t p[16];
    uint32_t u;
    int32_t i;
    int64_t l;

    memset(p, 0x80, sizeof(p));
    assert_int_equal(varint_get_unsigned(p, p + sizeof(p), &u), 0);
    assert_int_equal(varint_get(p, p + sizeof(p), &i), 0);
    assert_int_equal(varlong_get(p, p + sizeof(p), &l), 0);
}

/* Long forms of short numbers and bits above the type are taken, as Kafka takes them. */
static void long_forms_are_taken_as_kafka_does(void **state)
{
    static const uint8_t zero[] = {0x80, 0x80, 0x80, 0x80, 0x00};
    static const uint8_t above[] = {0xff, 0xff, 0xff, 0xff, 0x7f};
    uint32_t u;

    assert_int_equal(varint_get_unsigned(zero, zero + 5, &u), 5);
    assert_int_equal(u, 0);
    assert_int_equal(varint_get_unsigned(above, above + 5, &u), 5);
    assert_int_equal(u, UINT32_MAX);
}

/* Fixed-width numbers are big-endian. */
static void fixed_numbers_are_big_endian(void **state)
{
    uint8_t p[8];

    put_be64(p, 0x0102030405060708u);
    assert_memory_equal(p, "\x01\x02\x03\x04\x05\x06\x07\x08", 8);
    assert_true(get_be64(p) == 0x0102030405060708u);
    assert_int_equal(get_be32(p + 1), 0x02030405);
    assert_int_equal(get_be16(p + 3), 0x0405);
    put_be32(p, 0xa1b2c3d4u);
    put_be16(p + 4, 0xe5f6);
    assert_memory_equal(p, "\xa1\xb2\xc3\xd4\xe5\xf6", 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_values_have_kafkas_bytes),
        cmocka_unit_test(all_lengths_round_trip_and_refuse_cuts),
        cmocka_unit_test(too_long_is_refused),
        cmocka_unit_test(long_forms_are_taken_as_kafka_does),
        cmocka_unit_test(fixed_numbers_are_big_endian),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
