/* Random numbers. */
#include "base.h"

#include <setjmp.h>

#include <cmocka.h>

/* The same seed gives the same run, another seed another. */
static void seed_decides(void **state)
{
    struct rng a, b, c;

    rng_init(&a, 42);
    rng_init(&b, 42);
    rng_init(&c, 43);
    for (int i = 0; i < 100; i++) {
        uint64_t v = rng_next(&a);

        assert_true(v == rng_next(&b));
        assert_true(v != rng_next(&c));
    }
}

/* The first numbers of xoshiro256** from the state 1, 2, 3, 4, as its authors' program prints them.
 */
static void generator_is_xoshiro256starstar(void **state)
{
    struct rng r = {{1, 2, 3, 4}};
    static const uint64_t known[] = {11520, 0, 1509978240, 1215971899390074240};

    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        assert_true(rng_next(&r) == known[i]);
}

/* Results are below the bound and reach all of it, evenly enough. */
static void below_covers_its_range(void **state)
{
    int counts[7] = {0};
    struct rng r;

    rng_init(&r, 5);
    for (int i = 0; i < 7000; i++)
        counts[rng_below(&r, 7)]++;
    for (int i = 0; i < 7; i++)
        assert_in_range(counts[i], 850, 1150);
    for (int i = 0; i < 100; i++) {
        assert_true(rng_below(&r, 1) == 0);
        assert_true(rng_below(&r, UINT64_MAX) < UINT64_MAX);
    }
}

/* Ids are of version 4 and never look like an option on a command line. */
static void uuids_are_version_4_without_a_leading_dash(void **state)
{
    struct rng r;

    rng_init(&r, 9);
    for (int i = 0; i < 5000; i++) {
        struct uuid u = rng_uuid(&r);
        char text[UUID_TEXT_BYTES + 1];

        uuid_text(u, text);
        assert_int_equal(u.b[6] >> 4, 4);
        assert_int_equal(u.b[8] >> 6, 2);
        assert_true(text[0] != '-');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seed_decides),
        cmocka_unit_test(generator_is_xoshiro256starstar),
        cmocka_unit_test(below_covers_its_range),
        cmocka_unit_test(uuids_are_version_4_without_a_leading_dash),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
