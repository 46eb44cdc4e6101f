/* Text and bytes: null, equality, order. */
#include "base.h"

#include <setjmp.h>

#include <cmocka.h>

/* Null equals only null; empty is not null. */
static void null_equals_only_null(void **state)
{
    struct str null = str_of(NULL);

    assert_true(str_eq(null, null));
    assert_false(str_eq(null, STR("")));
    assert_false(str_eq(STR(""), null));
    assert_true(str_eq(STR(""), STR("")));
    assert_true(str_is(null, NULL));
    assert_false(str_is(null, ""));
    assert_true(bytes_eq((struct bytes){0}, (struct bytes){0}));
    assert_false(bytes_eq((struct bytes){0}, bytes_of("", 0)));
}

/* Equality looks at all bytes, also behind a zero. */
static void equality_is_of_all_bytes(void **state)
{
    assert_true(str_eq((struct str){"a\0b", 3}, (struct str){"a\0b", 3}));
    assert_false(str_eq((struct str){"a\0b", 3}, (struct str){"a\0c", 3}));
    assert_false(str_eq(STR("ab"), STR("abc")));
    assert_true(str_is(STR("ab"), "ab"));
}

/* The order is bytewise and unsigned; of two that begin alike the shorter is first, null before
 * all. */
static void order_is_bytewise(void **state)
{
    static const struct str sorted[] = {{NULL, 0}, {"", 0},  {"A", 1},   {"a", 1},
                                        {"ab", 2}, {"b", 1}, {"\xff", 1}};

    for (size_t i = 0; i < ARRAY_SIZE(sorted); i++)
        for (size_t k = 0; k < ARRAY_SIZE(sorted); k++) {
            int order = str_cmp(sorted[i], sorted[k]);

            assert_int_equal((order > 0) - (order < 0), (i > k) - (i < k));
        }
}

/* Copies are terminated and keep null. */
static void copies_keep_null(void **state)
{
    char *copy = str_dup((struct str){"abcdef", 3});
    struct bytes bytes = bytes_dup(bytes_of("xyz", 3));

    assert_string_equal(copy, "abc");
    assert_null(str_dup(str_of(NULL)));
    assert_true(bytes_eq(bytes, bytes_of("xyz", 3)));
    assert_null(bytes_dup((struct bytes){0}).p);
    free(copy);
    free((void *)(uintptr_t)bytes.p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(null_equals_only_null),
        cmocka_unit_test(equality_is_of_all_bytes),
        cmocka_unit_test(order_is_bytewise),
        cmocka_unit_test(copies_keep_null),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
