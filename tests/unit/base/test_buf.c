/* Buffers: they grow, keep what they hold, and print. */
#include "base.h"
#include "support_death.h"

#include <setjmp.h>

#include <cmocka.h>

/* Many small writes end up one after the other. */
static void writes_follow_one_another(void **state)
{
    struct buf b;

    buf_init(&b);
    for (int i = 0; i < 10000; i++)
        buf_put(&b, &(uint8_t){(uint8_t)i}, 1);
    assert_int_equal(b.n, 10000);
    assert_true(b.cap >= b.n);
    for (int i = 0; i < 10000; i++)
        assert_int_equal(b.p[i], (uint8_t)i);
    buf_release(&b);
    assert_null(b.p);
    assert_int_equal(b.n, 0);
}

/* An empty write is fine, also of nothing into nothing. */
static void empty_write_changes_nothing(void **state)
{
    struct buf b;

    buf_init(&b);
    buf_put(&b, NULL, 0);
    buf_put_str(&b, "");
    assert_int_equal(b.n, 0);
    assert_string_equal(buf_cstr(&b), "");
    buf_release(&b);
}

/* The terminator is not part of the content: a later write goes over it. */
static void cstr_does_not_count_its_terminator(void **state)
{
    struct buf b;

    buf_init(&b);
    buf_put_str(&b, "ab");
    assert_string_equal(buf_cstr(&b), "ab");
    assert_int_equal(b.n, 2);
    buf_put_str(&b, "c");
    assert_string_equal(buf_cstr(&b), "abc");
    buf_release(&b);
}

/* Text that is longer than the room is printed whole, at each length around the first capacity. */
static void printf_grows_as_needed(void **state)
{
    for (int width = 1; width < 300; width++) {
        struct buf b;

        buf_init(&b);
        buf_printf(&b, "<%*d>", width, 7);
        buf_printf(&b, "%s", "end");
        assert_int_equal(b.n, width + 5);
        assert_int_equal(b.p[0], '<');
        assert_int_equal(b.p[width], '7');
        assert_int_equal(b.p[width + 1], '>');
        assert_string_equal(buf_cstr(&b) + width + 2, "end");
        buf_release(&b);
    }
}

/* What was reserved is written without moving. */
static void reserve_keeps_the_place(void **state)
{
    struct buf b;
    const uint8_t *p;

    buf_init(&b);
    buf_reserve(&b, 5000);
    p = b.p;
    assert_ptr_equal(buf_grow(&b, 5000), p);
    assert_int_equal(b.n, 5000);
    buf_release(&b);
}

static void grow_too_far(void *arg)
{
    struct buf b;

    buf_init(&b);
    buf_put_str(&b, "x");
    buf_grow(&b, SIZE_MAX);
}

/* A size that overflows is a bug, not a small buffer. */
static void overflowing_growth_aborts(void **state)
{
    assert_true(dies_with(grow_too_far, NULL, "assert failed"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_follow_one_another),
        cmocka_unit_test(empty_write_changes_nothing),
        cmocka_unit_test(cstr_does_not_count_its_terminator),
        cmocka_unit_test(printf_grows_as_needed),
        cmocka_unit_test(reserve_keeps_the_place),
        cmocka_unit_test(overflowing_growth_aborts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
