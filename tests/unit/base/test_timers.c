/* Timers: order, moving, cancelling, and what a firing timer may do. */
#include "base.h"
#include "support_death.h"

#include <setjmp.h>

#include <cmocka.h>

#define N_TIMERS 500

struct wake {
    struct timer timer;
    struct timers *timers;
    struct timer *other;
    int64_t again_ns; /* sets itself (or `other`) for this when not 0 */
    int n_fired;
    int *order;
    int turn;
};

static void count(struct timer *t)
{
    struct wake *w = CONTAINER_OF(t, struct wake, timer);

    w->n_fired++;
    if (w->order)
        w->turn = (*w->order)++;
}

static void count_and_set_again(struct timer *t)
{
    struct wake *w = CONTAINER_OF(t, struct wake, timer);

    count(t);
    timer_set(w->timers, t, (struct mono){w->again_ns});
}

static void count_and_cancel_other(struct timer *t)
{
    struct wake *w = CONTAINER_OF(t, struct wake, timer);

    count(t);
    timer_cancel(w->timers, w->other);
}

/* Timers fire in the order of their deadlines, each once, and only when due; with random setting,
 * moving, cancelling. */
static void random_timers_fire_in_order(void **state)
{
    static struct wake wakes[N_TIMERS];
    struct timers ts;
    struct rng rng;
    int order = 0, n_armed = 0;
    int64_t last_ns = -1;
    struct mono next;

    rng_init(&rng, 11);
    timers_init(&ts);
    for (int i = 0; i < N_TIMERS; i++) {
        wakes[i] = (struct wake){.order = &order};
        timer_init(&wakes[i].timer, count);
    }
    for (int i = 0; i < 20 * N_TIMERS; i++) {
        struct wake *w = &wakes[rng_below(&rng, N_TIMERS)];

        if (rng_below(&rng, 3) == 0)
            timer_cancel(&ts, &w->timer);
        else
            timer_set(&ts, &w->timer, (struct mono){(int64_t)rng_below(&rng, 1000)});
    }
    for (int i = 0; i < N_TIMERS; i++)
        n_armed += timer_armed(&wakes[i].timer);
    assert_int_equal(ts.n, n_armed);
    while (timers_next(&ts, &next)) {
        assert_true(next.ns > last_ns);
        timers_fire(&ts, (struct mono){next.ns - 1});
        assert_int_equal(ts.n, n_armed - order);
        timers_fire(&ts, next);
        last_ns = next.ns;
    }
    assert_int_equal(order, n_armed);
    for (int i = 0; i < N_TIMERS; i++)
        for (int k = 0; k < N_TIMERS; k++)
            if (wakes[i].n_fired && wakes[k].n_fired &&
                wakes[i].timer.deadline.ns < wakes[k].timer.deadline.ns)
                assert_true(wakes[i].turn < wakes[k].turn);
    timers_release(&ts);
}

/* Equal deadlines fire in the order in which they were armed, not in that of the heap. */
static void equal_deadlines_fire_as_armed(void **state)
{
    struct wake wakes[20];
    struct timers ts;
    int order = 0;

    timers_init(&ts);
    for (int i = 0; i < 20; i++) {
        wakes[i] = (struct wake){.order = &order};
        timer_init(&wakes[i].timer, count);
        timer_set(&ts, &wakes[i].timer, (struct mono){5});
    }
    timer_set(&ts, &wakes[0].timer, (struct mono){5});
    timers_fire(&ts, (struct mono){5});
    for (int i = 1; i < 20; i++)
        assert_int_equal(wakes[i].turn, i - 1);
    assert_int_equal(wakes[0].turn, 19);
    timers_release(&ts);
}

/* A timer that sets itself for a time that is past waits for the next call, and does not hold up
 * others that are due. */
static void timer_set_for_the_past_waits_for_the_next_call(void **state)
{
    struct wake eager = {.again_ns = 1}, late = {0};
    struct timers ts;

    timers_init(&ts);
    eager.timers = &ts;
    timer_init(&eager.timer, count_and_set_again);
    timer_init(&late.timer, count);
    timer_set(&ts, &eager.timer, (struct mono){1});
    timer_set(&ts, &late.timer, (struct mono){9});
    timers_fire(&ts, (struct mono){10});
    assert_int_equal(eager.n_fired, 1);
    assert_int_equal(late.n_fired, 1);
    assert_true(timer_armed(&eager.timer));
    timers_fire(&ts, (struct mono){10});
    assert_int_equal(eager.n_fired, 2);
    timers_release(&ts);
    assert_false(timer_armed(&eager.timer));
}

/* A timer that is due, too, can be cancelled by the one that fires before it. */
static void firing_timer_cancels_another_that_is_due(void **state)
{
    struct wake first = {0}, second = {0};
    struct timers ts;

    timers_init(&ts);
    first.timers = &ts;
    first.other = &second.timer;
    timer_init(&first.timer, count_and_cancel_other);
    timer_init(&second.timer, count);
    timer_set(&ts, &first.timer, (struct mono){1});
    timer_set(&ts, &second.timer, (struct mono){2});
    timers_fire(&ts, (struct mono){3});
    assert_int_equal(first.n_fired, 1);
    assert_int_equal(second.n_fired, 0);
    assert_false(timer_armed(&second.timer));
    timer_cancel(&ts, &second.timer);
    timers_release(&ts);
}

/* A wait without end does not wrap into the past. */
static void far_deadlines_do_not_overflow(void **state)
{
    struct mono t = {1000};

    assert_true(mono_after_ms(t, 5).ns == 5001000);
    assert_true(mono_after_ms(t, INT64_MAX).ns > INT64_MAX - 2000000);
    assert_true(mono_after_ms(t, -1).ns == -999000);
}

/* What began before the clock did, as a transaction from before a reboot, has its time, too. */
static void deadlines_of_what_began_before_the_clock(void **state)
{
    struct mono t = {-5000000000};

    assert_true(mono_after_ms(t, 6000).ns == 1000000000);
    assert_true(mono_after_ms(t, INT64_MAX).ns > INT64_MAX - 6000000000);
}

static void fire_in_fire(struct timer *t)
{
    struct wake *w = CONTAINER_OF(t, struct wake, timer);

    timers_fire(w->timers, (struct mono){2});
}

static void nest_fire(void *arg)
{
    struct timers ts;
    struct wake w = {.timers = &ts};

    timers_init(&ts);
    timer_init(&w.timer, fire_in_fire);
    timer_set(&ts, &w.timer, (struct mono){1});
    timers_fire(&ts, (struct mono){2});
}

/* Firing from within a timer is a bug. */
static void nested_fire_aborts(void **state)
{
    assert_true(dies_with(nest_fire, NULL, "firing"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_timers_fire_in_order),
        cmocka_unit_test(equal_deadlines_fire_as_armed),
        cmocka_unit_test(timer_set_for_the_past_waits_for_the_next_call),
        cmocka_unit_test(firing_timer_cancels_another_that_is_due),
        cmocka_unit_test(far_deadlines_do_not_overflow),
        cmocka_unit_test(deadlines_of_what_began_before_the_clock),
        cmocka_unit_test(nested_fire_aborts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
