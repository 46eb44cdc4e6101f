/* Clocks. */
#include "sys.h"

#include <setjmp.h>

#include <cmocka.h>

/* The simulated clock stands until it is told to move, and then both of its faces move. */
static void simulated_clock_moves_when_told(void **state)
{
    struct clock *c = clock_sim_new((struct wall){1000});
    struct mono start = clock_mono(c);

    assert_true(clock_wall(c).ms == 1000);
    clock_sim_advance(c, 1500000);
    assert_true(clock_wall(c).ms == 1001);
    assert_true(clock_mono(c).ns - start.ns == 1500000);
    clock_sim_advance(c, 500000);
    assert_true(clock_wall(c).ms == 1002);
    clock_sim_free(c);
    clock_sim_free(NULL);
}

/* The calendar may jump, back too; the other clock does not notice. */
static void calendar_jumps_alone(void **state)
{
    struct clock *c = clock_sim_new((struct wall){1000});
    struct mono before = clock_mono(c);

    clock_sim_jump_wall(c, -400);
    assert_true(clock_wall(c).ms == 600);
    assert_true(clock_mono(c).ns == before.ns);
    clock_sim_free(c);
}

/* The real one does not go back and lives in this century. */
static void real_clock_does_not_go_back(void **state)
{
    struct clock *c = clock_real_new();
    struct mono last = clock_mono(c);

    for (int i = 0; i < 1000; i++) {
        struct mono now = clock_mono(c);

        assert_true(now.ns >= last.ns);
        last = now;
    }
    assert_true(clock_wall(c).ms > 1600000000000);
    clock_real_free(c);
}

/* Whichever way the calendar jumps: what is stamped by the later and judged by the earlier is not older
 * than it is. */
static void ages_do_not_jump(void **state)
{
    struct clock *c = clock_sim_new((struct wall){1000});

    clock_sim_advance(c, 5000000);
    assert_int_equal(clock_wall_later(c).ms, 1005);
    assert_int_equal(clock_wall_earlier(c).ms, 1005);
    clock_sim_jump_wall(c, 500);
    assert_int_equal(clock_wall_later(c).ms, 1505);
    assert_int_equal(clock_wall_earlier(c).ms, 1005);
    clock_sim_jump_wall(c, -600);
    clock_sim_advance(c, 1000000);
    assert_int_equal(clock_wall_later(c).ms, 1006);
    assert_int_equal(clock_wall_earlier(c).ms, 906);
    clock_sim_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ages_do_not_jump),
        cmocka_unit_test(simulated_clock_moves_when_told),
        cmocka_unit_test(calendar_jumps_alone),
        cmocka_unit_test(real_clock_does_not_go_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
