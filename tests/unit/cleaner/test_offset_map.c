/* The map from keys to last offsets, and its hash. */
#include "offset_map.h"

#include "hash.h"

#include <setjmp.h>

#include <cmocka.h>

static const uint64_t key_of_test[2] = {0x0706050403020100u, 0x0f0e0d0c0b0a0908u};

static void expect_hash(size_t n, uint64_t a, uint64_t b)
{
    uint8_t in[16];
    struct hash128 h;

    for (size_t i = 0; i < sizeof(in); i++)
        in[i] = (uint8_t)i;
    h = hash128(key_of_test, bytes_of(in, n));
    assert_true(h.a == __builtin_bswap64(a));
    assert_true(h.b == __builtin_bswap64(b));
}

/* The first two of SipHash's reference vectors for 128 bits, and a whole word. */
static void the_hash_is_siphash(void **state)
{
    expect_hash(0, 0xa3817f04ba25a8e6u, 0x6df67214c7550293u);
    expect_hash(1, 0xda87c1d86b99af44u, 0x347659119b22fc45u);
}

static struct bytes key_number(int i, char text[16])
{
    int n = snprintf(text, 16, "k%d", i);

    return bytes_of(text, (size_t)n);
}

/* What is put is found, the last offset counts, and nothing else is found. */
static void last_offsets_are_found(void **state)
{
    struct offset_map m;
    char text[16];

    offset_map_init(&m, key_of_test, 1000, 16 << 20, 0.9);
    for (int i = 0; i < 50000; i++)
        assert_true(offset_map_put(&m, key_number(i % 20000, text), 1000 + i));
    assert_int_equal(m.n, 20000);
    for (int i = 0; i < 20000; i++)
        assert_int_equal(offset_map_get(&m, key_number(i, text)), 1000 + (i < 10000 ? 40000 + i : 20000 + i));
    assert_int_equal(offset_map_get(&m, key_number(20000, text)), -1);
    offset_map_release(&m);
}

/* Memory stays below the bound; a full map refuses, and has all that it took. */
static void a_full_map_refuses(void **state)
{
    struct offset_map m;
    char text[16];
    int n = 0;

    offset_map_init(&m, key_of_test, 0, 1 << 20, 0.9);
    while (offset_map_put(&m, key_number(n, text), n))
        n++;
    assert_true(offset_map_bytes(&m) <= 1 << 20);
    assert_true(n > 45000); /* of 65,536 entries; some shard is the first to be full */
    assert_int_equal(m.n, n);
    for (int i = 0; i < n; i++)
        assert_int_equal(offset_map_get(&m, key_number(i, text)), i);
    assert_true(offset_map_put(&m, key_number(0, text), n + 1)); /* a known key needs no room */
    offset_map_release(&m);
}

/* Offsets are kept in 32 bits from the base on. */
static void offsets_far_from_the_base_are_refused(void **state)
{
    struct offset_map m;
    char text[16];

    offset_map_init(&m, key_of_test, 5, 1 << 20, 0.9);
    assert_true(offset_map_put(&m, key_number(1, text), 5 + (int64_t)UINT32_MAX - 1));
    assert_false(offset_map_put(&m, key_number(1, text), 5 + (int64_t)UINT32_MAX));
    assert_int_equal(offset_map_get(&m, key_number(1, text)), 5 + (int64_t)UINT32_MAX - 1);
    offset_map_release(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_hash_is_siphash),
        cmocka_unit_test(last_offsets_are_found),
        cmocka_unit_test(a_full_map_refuses),
        cmocka_unit_test(offsets_far_from_the_base_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
