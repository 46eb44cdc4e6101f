/* Numbers as Java reads and writes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "number.h"

#include <math.h>

static bool long_is(const char *text, int64_t expected)
{
    int64_t v = 12345;

    return number_parse_long(str_of(text), INT64_MIN, INT64_MAX, &v) && v == expected;
}

static bool double_is(const char *text, double expected)
{
    double v = 12345;

    return number_parse_double(str_of(text), &v) && v == expected;
}

/* Long.parseLong's texts, to both ends of its range. */
static void longs_are_read(void **state)
{
    assert_true(long_is("0", 0));
    assert_true(long_is("-0", 0));
    assert_true(long_is("+7", 7));
    assert_true(long_is("007", 7));
    assert_true(long_is("9223372036854775807", INT64_MAX));
    assert_true(long_is("-9223372036854775808", INT64_MIN));
}

/* What is not wholly a number, or too large, is refused. */
static void other_longs_are_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "-",
                                      "+",
                                      "--1",
                                      "1 ",
                                      " 1",
                                      "1.0",
                                      "1_000",
                                      "0x10",
                                      "abc",
                                      "9223372036854775808",
                                      "-9223372036854775809",
                                      "99999999999999999999999999"};
    int64_t v;

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        if (number_parse_long(str_of(bad[i]), INT64_MIN, INT64_MAX, &v))
            fail_msg("%s", bad[i]);
    assert_false(number_parse_long((struct str){0}, INT64_MIN, INT64_MAX, &v));
    assert_true(number_parse_long(STR("5"), 0, 5, &v));
    assert_false(number_parse_long(STR("6"), 0, 5, &v));
    assert_false(number_parse_long(STR("-1"), 0, 5, &v));
}

/* Double.parseDouble's texts: decimal, hexadecimal, infinite, with a suffix. */
static void doubles_are_read(void **state)
{
    assert_true(double_is("0.5", 0.5));
    assert_true(double_is(".5", 0.5));
    assert_true(double_is("5.", 5));
    assert_true(double_is("-1e3", -1000));
    assert_true(double_is("1E-2f", 0.01));
    assert_true(double_is("2d", 2));
    assert_true(double_is("0x1p-1", 0.5));
    assert_true(double_is("0X.8P0", 0.5));
    assert_true(double_is("Infinity", INFINITY));
    assert_true(double_is("-Infinity", -INFINITY));
    assert_true(double_is("1.7976931348623157E308", 1.7976931348623157e308));
}

/* What C would take and Java would not is refused, and so is NaN. */
static void other_doubles_are_refused(void **state)
{
    static const char *const bad[] = {"",    ".",  "-",   "x",        "1e",  "1e+",
                                      "0x1", "0x", "inf", "infinity", "nan", "NaN",
                                      "1 ",  " 1", "1ff", "1,5",      "1..2"};
    double v;

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        if (number_parse_double(str_of(bad[i]), &v))
            fail_msg("%s", bad[i]);
    assert_false(number_parse_double((struct str){"1\0002", 3}, &v));
}

/* Double.toString: plain from 0.001 up to ten million, with an exponent elsewhere. */
static void doubles_are_written(void **state)
{
    static const struct {
        double d;
        const char *text;
    } cases[] = {
        {0, "0.0"},
        {-0.0, "-0.0"},
        {1, "1.0"},
        {0.5, "0.5"},
        {-0.25, "-0.25"},
        {0.1, "0.1"},
        {0.001, "0.001"},
        {0.0001, "1.0E-4"},
        {9999999, "9999999.0"},
        {10000000, "1.0E7"},
        {123456.75, "123456.75"},
        {100, "100.0"},
        {1.5e300, "1.5E300"},
        {1.7976931348623157e308, "1.7976931348623157E308"},
        {INFINITY, "Infinity"},
        {-INFINITY, "-Infinity"},
        {1.0 / 3, "0.3333333333333333"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char *text = number_double_text(cases[i].d);

        assert_string_equal(text, cases[i].text);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(longs_are_read),      cmocka_unit_test(other_longs_are_refused),
        cmocka_unit_test(doubles_are_read),    cmocka_unit_test(other_doubles_are_refused),
        cmocka_unit_test(doubles_are_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
