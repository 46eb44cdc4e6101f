/* The two forms of CRC-32C, against known values and against one another. */
#include "codec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* The check value of the catalogues, and those of RFC 3720 (appendix B.4). */
static void gives_known_values(void **state)
{
    uint8_t zeros[32] = {0}, ones[32], counting[32];

    memset(ones, 0xff, sizeof(ones));
    for (size_t i = 0; i < sizeof(counting); i++)
        counting[i] = (uint8_t)i;
    assert_int_equal(crc32c(0, "123456789", 9), 0xE3069283);
    assert_int_equal(crc32c(0, zeros, 32), 0x8A9136AA);
    assert_int_equal(crc32c(0, ones, 32), 0x62A8AB43);
    assert_int_equal(crc32c(0, counting, 32), 0x46DD794E);
    assert_int_equal(crc32c_table(0, "123456789", 9), 0xE3069283);
    assert_int_equal(crc32c(0, NULL, 0), 0);
    assert_int_equal(crc32c_table(0, NULL, 0), 0);
}

/* One bit at a time, from the polynomial alone. */
static uint32_t by_bits(const uint8_t *p, size_t n)
{
    uint32_t crc = UINT32_MAX;

    for (size_t i = 0; i < n * 8; i++) {
        uint32_t bit = (crc ^ (uint32_t)(p[i / 8] >> i % 8)) & 1;

        crc = crc >> 1 ^ (bit ? 0x82F63B78 : 0);
    }
    return ~crc;
}

/* All three agree on every single byte, which derives the table, and on every length and alignment.
 */
static void all_forms_agree(void **state)
{
    uint8_t data[1200];
    struct rng rng;

    rng_init(&rng, 1);
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)rng_next(&rng);
    for (int i = 0; i < 256; i++) {
        uint8_t byte = (uint8_t)i;

        assert_int_equal(crc32c_table(0, &byte, 1), by_bits(&byte, 1));
        assert_int_equal(crc32c(0, &byte, 1), by_bits(&byte, 1));
    }
    for (size_t n = 0; n + 17 < sizeof(data); n++) {
        const uint8_t *p = data + n % 17;

        assert_int_equal(crc32c(0, p, n), crc32c_table(0, p, n));
    }
    assert_int_equal(crc32c(0, data, sizeof(data)), by_bits(data, sizeof(data)));
}

/* A sum may be cut anywhere, and go on with the other form. */
static void results_continue_one_another(void **state)
{
    const char *text = "The quick brown fox jumps over the lazy dog";
    size_t n = strlen(text);

    for (size_t cut = 0; cut <= n; cut++) {
        assert_int_equal(crc32c(crc32c(0, text, cut), text + cut, n - cut), crc32c(0, text, n));
        assert_int_equal(crc32c_table(crc32c(0, text, cut), text + cut, n - cut),
                         crc32c(0, text, n));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_known_values),
        cmocka_unit_test(all_forms_agree),
        cmocka_unit_test(results_continue_one_another),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
