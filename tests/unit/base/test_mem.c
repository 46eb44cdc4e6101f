/* Memory: never NULL, and no size that overflows. */
#include "base.h"
#include "support_death.h"

#include <setjmp.h>

#include <cmocka.h>

/* Zero bytes are memory, too: the result can be told from "none" and freed. */
static void zero_bytes_are_not_null(void **state)
{
    void *p = xmalloc(0);
    void *q = xcalloc(0, 8);
    void *r = xmemdup(NULL, 0);

    assert_non_null(p);
    assert_non_null(q);
    assert_non_null(r);
    p = xrealloc(p, 0);
    assert_non_null(p);
    free(p);
    free(q);
    free(r);
}

/* What xcalloc gives is zero. */
static void calloc_zeroes(void **state)
{
    static const uint8_t zeros[24];
    uint8_t *p = xcalloc(3, 8);

    assert_memory_equal(p, zeros, sizeof(zeros));
    free(p);
}

/* A grown array keeps what it held. */
static void realloc_array_keeps_content(void **state)
{
    int *p = xrealloc_array(NULL, 2, sizeof(*p));

    p[0] = 7;
    p[1] = 8;
    p = xrealloc_array(p, 1000, sizeof(*p));
    assert_int_equal(p[0], 7);
    assert_int_equal(p[1], 8);
    free(p);
}

/* Copies are equal and their own. */
static void copies_are_equal_and_separate(void **state)
{
    char text[] = "abc";
    char *copy = xstrdup(text);
    char *same = xmemdup(text, sizeof(text));
    char *printed = xasprintf("%s-%d", text, 42);

    text[0] = 'x';
    assert_string_equal(copy, "abc");
    assert_string_equal(same, "abc");
    assert_string_equal(printed, "abc-42");
    free(copy);
    free(same);
    free(printed);
}

static void overflow_calloc(void *arg)
{
    free(xcalloc(SIZE_MAX / 2, 3));
}

static void overflow_realloc(void *arg)
{
    free(xrealloc_array(NULL, SIZE_MAX, 2));
}

/* A product that does not fit into a size must not become a small allocation. */
static void overflowing_products_abort(void **state)
{
    assert_true(dies_with(overflow_calloc, NULL, "count * size fits"));
    assert_true(dies_with(overflow_realloc, NULL, "count * size fits"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zero_bytes_are_not_null),
        cmocka_unit_test(calloc_zeroes),
        cmocka_unit_test(realloc_array_keeps_content),
        cmocka_unit_test(copies_are_equal_and_separate),
        cmocka_unit_test(overflowing_products_abort),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
