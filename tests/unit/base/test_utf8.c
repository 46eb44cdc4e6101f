/* UTF-8 and the hash of Java strings. */
#include "base.h"

#include <setjmp.h>

#include <cmocka.h>

/* What is well-formed, at the first and last code point of each length. */
static void well_formed_text_is_valid(void **state)
{
    assert_true(utf8_valid(str_of(NULL)));
    assert_true(utf8_valid(STR("")));
    assert_true(utf8_valid(STR("plain\x7f")));
    assert_true(utf8_valid(STR("\xc2\x80\xdf\xbf")));
    assert_true(utf8_valid(STR("\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf")));
    assert_true(utf8_valid(STR("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf")));
    assert_true(utf8_valid((struct str){"a\0b", 3}));
}

/* Overlong forms, surrogates, code points past the last, stray and missing bytes. */
static void malformed_text_is_not(void **state)
{
    static const struct str bad[] = {
        {"\x80", 1},
        {"\xc0\x80", 2},
        {"\xc1\xbf", 2},
        {"\xc2", 1},
        {"\xc2\x41", 2},
        {"\xe0\x9f\xbf", 3},
        {"\xed\xa0\x80", 3},
        {"\xed\xbf\xbf", 3},
        {"\xe2\x82", 2},
        {"\xf0\x8f\xbf\xbf", 4},
        {"\xf4\x90\x80\x80", 4},
        {"\xf8\x88\x80\x80\x80", 5},
        {"\xff", 1},
        {"ok\xfe", 3},
        {"\xf0\x90\x80", 3},
    };

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_false(utf8_valid(bad[i]));
}

/* Known values of String.hashCode, among them text with a character outside the basic plane. */
static void hash_is_javas(void **state)
{
    assert_int_equal(java_hash(STR("")), 0);
    assert_int_equal(java_hash(STR("a")), 97);
    assert_int_equal(java_hash(STR("hello")), 99162322);
    assert_int_equal(java_hash(STR("polygenelubricants")), INT32_MIN);
    assert_int_equal(java_hash(STR("\xc3\xa4")), 0xe4);
    assert_int_equal(java_hash(STR("\xf0\x9f\x98\x80")), 0xd83d * 31 + 0xde00);
}

/* A byte that is not UTF-8 counts as U+FFFD. */
static void hash_replaces_bad_bytes(void **state)
{
    assert_int_equal(java_hash(STR("\xff")), 0xfffd);
    assert_int_equal(java_hash(STR("\xff"
                                   "a")),
                     0xfffd * 31 + 'a');
}

/* Kafka's Utils.abs gives 0 for the one number that has no positive twin. */
static void abs_of_the_least_is_zero(void **state)
{
    assert_int_equal(java_abs(INT32_MIN), 0);
    assert_int_equal(java_abs(INT32_MIN + 1), INT32_MAX);
    assert_int_equal(java_abs(-1), 1);
    assert_int_equal(java_abs(0), 0);
    assert_int_equal(java_abs(INT32_MAX), INT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(well_formed_text_is_valid),
        cmocka_unit_test(malformed_text_is_not),
        cmocka_unit_test(hash_is_javas),
        cmocka_unit_test(hash_replaces_bad_bytes),
        cmocka_unit_test(abs_of_the_least_is_zero),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
