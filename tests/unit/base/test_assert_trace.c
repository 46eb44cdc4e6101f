/* Failed asserts, checked casts and the trace ring. */
#include "base.h"
#include "support_death.h"

#include <setjmp.h>

#include <cmocka.h>

#define THING_MAGIC 0x7419u

struct thing {
    int other;
    uint32_t magic;
};

static void assert_falsely(void *arg)
{
    trace("before the end", 11, -22);
    ASSERT(1 + 1 == 3);
}

/* A false assert names its condition and place, prints the trace and aborts. */
static void failed_assert_tells_condition_place_and_trace(void **state)
{
    assert_true(dies_with(assert_falsely, NULL, "assert failed: 1 + 1 == 3"));
    assert_true(dies_with(assert_falsely, NULL, "test_assert_trace.c:"));
    assert_true(dies_with(assert_falsely, NULL, "before the end 11 -22"));
}

static void cast_null(void *arg)
{
    (void)CHECKED_CAST(NULL, struct thing, THING_MAGIC);
}

static void cast_other(void *arg)
{
    struct thing t = {.magic = THING_MAGIC + 1};

    (void)CHECKED_CAST(&t, struct thing, THING_MAGIC);
}

/* A void pointer comes back as what it is, and as nothing else. */
static void checked_cast_checks_the_magic(void **state)
{
    struct thing t = {.magic = THING_MAGIC};
    void *p = &t;

    assert_ptr_equal(CHECKED_CAST(p, struct thing, THING_MAGIC), &t);
    assert_true(dies_with(cast_null, NULL, "not NULL"));
    assert_true(dies_with(cast_other, NULL, "expected magic"));
}

/* A rule that does not apply holds. */
static void implies_holds_where_it_does_not_apply(void **state)
{
    assert_true(IMPLIES(false, false));
    assert_true(IMPLIES(true, true));
    assert_false(IMPLIES(true, false));
}

/* The ring keeps the last 4,096 events, the oldest first. */
static void ring_keeps_the_last_events(void **state)
{
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    int n_lines = 0;

    assert_non_null(out);
    for (int i = 0; i < 5000; i++)
        trace("event", i, 0);
    trace_print(out);
    fclose(out);
    for (size_t i = 0; i < n; i++)
        n_lines += text[i] == '\n';
    assert_int_equal(n_lines, 4096);
    assert_null(strstr(text, " event 903 "));
    assert_non_null(strstr(text, " event 904 "));
    assert_non_null(strstr(text, " event 4999 "));
    assert_true(strstr(text, " event 904 ") < strstr(text, " event 4999 "));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failed_assert_tells_condition_place_and_trace),
        cmocka_unit_test(checked_cast_checks_the_magic),
        cmocka_unit_test(implies_holds_where_it_does_not_apply),
        cmocka_unit_test(ring_keeps_the_last_events),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
