/* Marks, and marks of threads. */
#include "base.h"

#include <setjmp.h>

#include <cmocka.h>

/* Each name has a count of its own; a name that was never hit counts zero. */
static void names_count_apart(void **state)
{
    assert_true(mark_count("never") == 0);
    for (int i = 0; i < 3; i++)
        MARK(mark_test_a);
    MARK(mark_test_b);
    assert_true(mark_count("mark_test_a") == 3);
    assert_true(mark_count("mark_test_b") == 1);
    assert_true(mark_count("never") == 0);
}

/* Names that share a slot ("Aa" and "BB" hash alike in Java) are kept apart. */
static void colliding_names_count_apart(void **state)
{
    mark_hit("Aa");
    mark_hit("BB");
    mark_hit("BB");
    assert_true(mark_count("Aa") == 1);
    assert_true(mark_count("BB") == 2);
}

/* A thread is unmarked until it says what it is; marking tells what it was. */
static void thread_mark_tells_what_it_was(void **state)
{
    assert_int_equal(thread_kind(), THREAD_NONE);
    assert_int_equal(thread_mark(THREAD_CORE), THREAD_NONE);
    ASSERT_CORE();
    assert_int_equal(thread_mark(THREAD_LANE), THREAD_CORE);
    ASSERT_LANE();
    assert_int_equal(thread_mark(THREAD_NONE), THREAD_LANE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_count_apart),
        cmocka_unit_test(colliding_names_count_apart),
        cmocka_unit_test(thread_mark_tells_what_it_was),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
