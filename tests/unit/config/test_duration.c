/* java.time.Duration.parse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config.h"

/* Every unit, signs, fractions and small letters. */
static void durations_are_read(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {
        {"PT0S", 0},
        {"PT20.345S", 20345},
        {"PT15M", 900000},
        {"PT10H", 36000000},
        {"P2D", 172800000},
        {"P2DT3H4M", 183840000},
        {"pt1s", 1000},
        {"PT-6H3M", -21420000},
        {"-PT6H3M", -21780000},
        {"-PT-6H+3M", 21420000},
        {"PT0.0019S", 1},
        {"PT-0.5S", -500},
        {"PT1,25S", 1250},
        {"P1DT1.S", 86401000},
    };
    int64_t ms;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        if (!config_parse_duration(str_of(cases[i].text), &ms) || ms != cases[i].ms)
            fail_msg("%s", cases[i].text);
    }
}

/* Parts out of order, without a number, after nothing, or too large. */
static void other_texts_are_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "P",
                                      "PT",
                                      "1D",
                                      "P1",
                                      "PD",
                                      "P1H",
                                      "PT1D",
                                      "P1DT",
                                      "PT1M1H",
                                      "PT1S1S",
                                      "P1.5D",
                                      "PT1S ",
                                      "PTT1S",
                                      "P1Y",
                                      "PT1.1234567890S",
                                      "P--1D",
                                      "PT.5S",
                                      "P99999999999999999D"};
    int64_t ms;

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        if (config_parse_duration(str_of(bad[i]), &ms))
            fail_msg("%s", bad[i]);
    assert_false(config_parse_duration((struct str){0}, &ms));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_are_read),
        cmocka_unit_test(other_texts_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
