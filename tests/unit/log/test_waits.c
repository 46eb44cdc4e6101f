/* Waits: when they fire, in which order, and what may happen meanwhile. */
#include "log_fixture.h"

#include "directory.h"

static const char *const no_journal[] = {"log.journal.bytes=0", NULL};

struct waiter {
    struct log_wait wait;
    int n_fired, rc, order;
    void (*then)(struct waiter *w);
    struct fixture *fx;
    struct waiter *other;
};
static int order_next;

static void fired(struct log_wait *wait, int rc)
{
    struct waiter *w = CONTAINER_OF(wait, struct waiter, wait);

    assert_null(wait->log);
    w->n_fired++;
    w->rc = rc;
    w->order = order_next++;
    if (w->then)
        w->then(w);
}

static void begin(struct fixture *fx)
{
    fixture_init(fx, no_journal);
    fixture_open(fx);
    order_next = 1;
}

/* A durable wait fires when the commit that covers it has ended, from the turn after that. */
static void durable_waits_fire_after_their_commit(void **state)
{
    struct waiter first = {0}, second = {0};
    struct fixture fx;

    begin(&fx);
    fixture_append(&fx, (struct test_batch){0});
    log_wait_durable(fx.log, &first.wait, 1, fired);
    logm_turn(fx.m);
    fixture_append(&fx, (struct test_batch){0});
    log_wait_durable(fx.log, &second.wait, 2, fired);
    assert_true(lanes_sim_step(fx.env.lanes));
    assert_int_equal(first.n_fired, 0);
    logm_turn(fx.m);
    assert_int_equal(first.n_fired, 1);
    assert_int_equal(first.rc, 0);
    assert_int_equal(second.n_fired, 0);
    fixture_settle(&fx);
    assert_int_equal(second.n_fired, 1);
    assert_int_equal(first.n_fired, 1);
    fixture_release(&fx);
}

/* What is durable already fires in the next turn, not at once. */
static void a_wait_never_fires_under_its_caller(void **state)
{
    struct waiter w = {0};
    struct fixture fx;

    begin(&fx);
    log_wait_durable(fx.log, &w.wait, 0, fired);
    assert_int_equal(w.n_fired, 0);
    assert_true(logm_wants_turn(fx.m));
    assert_false(logm_quiet(fx.m));
    logm_turn(fx.m);
    assert_int_equal(w.n_fired, 1);
    assert_false(logm_wants_turn(fx.m));
    fixture_release(&fx);
}

/* A topic that is not durable promises no more than the append. */
static void volatile_topics_wait_for_nothing(void **state)
{
    struct waiter w = {0};
    struct fixture fx;

    fixture_init(&fx, no_journal);
    fixture_topic(&fx, (const char *const[]){"flush.messages=1000", NULL});
    fixture_open(&fx);
    fixture_append(&fx, (struct test_batch){0});
    log_wait_durable(fx.log, &w.wait, 1, fired);
    logm_turn(fx.m);
    assert_int_equal(w.n_fired, 1);
    assert_int_equal(w.rc, 0);
    fixture_release(&fx);
}

/* Waits fire in the order of their offsets, equal ones in the order in which they began. */
static void waits_fire_in_order(void **state)
{
    static const int64_t ends[] = {3, 1, 2, 1, 3};
    static const int order[] = {4, 1, 3, 2, 5};
    struct waiter w[ARRAY_SIZE(ends)] = {0};
    struct fixture fx;

    begin(&fx);
    fixture_append(&fx, (struct test_batch){.n_records = 3});
    for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
        log_wait_durable(fx.log, &w[i].wait, ends[i], fired);
    fixture_settle(&fx);
    for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
        assert_int_equal(w[i].order, order[i]);
    fixture_release(&fx);
}

/* A reader waits for the high watermark to pass its offset; reaching it is not enough. */
static void readers_wait_for_the_high_watermark_to_pass(void **state)
{
    struct waiter at_end = {0}, beyond = {0}, committed = {0};
    struct fixture fx;

    begin(&fx);
    log_wait_readable(fx.log, &at_end.wait, 0, READ_UNCOMMITTED, fired);
    log_wait_readable(fx.log, &committed.wait, 0, READ_COMMITTED, fired);
    log_wait_readable(fx.log, &beyond.wait, 1, READ_UNCOMMITTED, fired);
    fixture_append(&fx, (struct test_batch){0});
    logm_turn(fx.m);
    assert_int_equal(at_end.n_fired, 0);
    fixture_settle(&fx);
    assert_int_equal(at_end.n_fired, 1);
    assert_int_equal(committed.n_fired, 1);
    assert_int_equal(beyond.n_fired, 0);
    fixture_append(&fx, (struct test_batch){0});
    fixture_settle(&fx);
    assert_int_equal(beyond.n_fired, 1);
    fixture_release(&fx);
}

/* Readers of committed records look at the stable offset alone. */
static void committed_readers_wait_for_the_stable_offset(void **state)
{
    struct waiter w = {0};
    struct fixture fx;

    begin(&fx);
    fixture_append(&fx, (struct test_batch){0});
    fixture_settle(&fx);
    fx.log->stable_offset = 0; /* as if a transaction were open */
    log_wait_readable(fx.log, &w.wait, 0, READ_COMMITTED, fired);
    waits_wake(fx.log);
    logm_turn(fx.m);
    assert_int_equal(w.n_fired, 0);
    fx.log->stable_offset = 1;
    waits_wake(fx.log);
    logm_turn(fx.m);
    assert_int_equal(w.n_fired, 1);
    fixture_release(&fx);
}

/* A wait that is cancelled does not fire, and can be used again; not waiting is fine. */
static void a_cancelled_wait_does_not_fire(void **state)
{
    struct waiter w = {0};
    struct fixture fx;

    begin(&fx);
    log_wait_cancel(&w.wait);
    log_wait_durable(fx.log, &w.wait, 0, fired);
    log_wait_cancel(&w.wait);
    log_wait_cancel(&w.wait);
    fixture_settle(&fx);
    assert_int_equal(w.n_fired, 0);
    log_wait_durable(fx.log, &w.wait, 0, fired);
    fixture_settle(&fx);
    assert_int_equal(w.n_fired, 1);
    fixture_release(&fx);
}

static void cancel_other(struct waiter *w)
{
    log_wait_cancel(&w->other->wait);
}

/* One that is due in the same turn may still be cancelled by one that fires before it. */
static void what_fires_may_cancel_what_is_due(void **state)
{
    struct waiter first = {0}, second = {0};
    struct fixture fx;

    begin(&fx);
    first.then = cancel_other;
    first.other = &second;
    log_wait_durable(fx.log, &first.wait, 0, fired);
    log_wait_durable(fx.log, &second.wait, 0, fired);
    fixture_settle(&fx);
    assert_int_equal(first.n_fired, 1);
    assert_int_equal(second.n_fired, 0);
    fixture_release(&fx);
}

static void wait_again(struct waiter *w)
{
    if (w->n_fired < 3)
        log_wait_durable(w->fx->log, &w->wait, 0, fired);
}

/* One that waits again, for what is there already, fires once a turn: a turn always ends. */
static void waiting_again_fires_in_the_next_turn(void **state)
{
    struct waiter w = {0};
    struct fixture fx;

    begin(&fx);
    w.then = wait_again;
    w.fx = &fx;
    log_wait_durable(fx.log, &w.wait, 0, fired);
    logm_turn(fx.m);
    assert_int_equal(w.n_fired, 1);
    assert_true(logm_wants_turn(fx.m));
    logm_turn(fx.m);
    assert_int_equal(w.n_fired, 2);
    logm_turn(fx.m);
    assert_int_equal(w.n_fired, 3);
    assert_false(logm_wants_turn(fx.m));
    fixture_release(&fx);
}

static void append_more(struct waiter *w)
{
    fixture_append(w->fx, (struct test_batch){0});
}

/* What a wait appends is committed from the same turn. */
static void what_fires_may_append(void **state)
{
    struct waiter w = {0};
    struct fixture fx;

    begin(&fx);
    w.then = append_more;
    w.fx = &fx;
    log_wait_durable(fx.log, &w.wait, 0, fired);
    logm_turn(fx.m);
    assert_true(commit_running(fx.log->dir));
    fixture_settle(&fx);
    assert_int_equal(log_high_watermark(fx.log), 1);
    fixture_release(&fx);
}

static void delete_log(struct waiter *w)
{
    log_delete(w->fx->log);
    w->fx->log = NULL;
}

/* A log that is deleted tells all who wait, from the next turn; also when it is a wait that deletes it. */
static void deleting_a_log_cancels_its_waits(void **state)
{
    struct waiter w = {0}, durable = {0}, readable = {0}, committed = {0};
    struct fixture fx;

    begin(&fx);
    w.then = delete_log;
    w.fx = &fx;
    fixture_append(&fx, (struct test_batch){0});
    log_wait_durable(fx.log, &w.wait, 0, fired);
    log_wait_durable(fx.log, &durable.wait, 1, fired);
    log_wait_readable(fx.log, &readable.wait, 5, READ_UNCOMMITTED, fired);
    log_wait_readable(fx.log, &committed.wait, 5, READ_COMMITTED, fired);
    logm_turn(fx.m);
    assert_int_equal(w.n_fired, 1);
    assert_int_equal(durable.n_fired, 0);
    fixture_settle(&fx);
    assert_int_equal(durable.rc, E_CANCELED);
    assert_int_equal(readable.rc, E_CANCELED);
    assert_int_equal(committed.rc, E_CANCELED);
    assert_int_equal(durable.n_fired + readable.n_fired + committed.n_fired, 3);
    assert_false(
        logm_dir_offline(fx.m, 0)); /* the commit that ran could not find the directory any more */
    fixture_release(&fx);
}

/* When the directory fails, what is durable is still told as such, and readers go on waiting. */
static void an_offline_directory_tells_durable_waits(void **state)
{
    struct waiter durable = {0}, lost = {0}, readable = {0};
    struct fixture fx;

    begin(&fx);
    fixture_append(&fx, (struct test_batch){0});
    fixture_settle(&fx);
    fixture_append(&fx, (struct test_batch){0});
    log_wait_durable(fx.log, &durable.wait, 1, fired);
    log_wait_durable(fx.log, &lost.wait, 2, fired);
    log_wait_readable(fx.log, &readable.wait, 1, READ_UNCOMMITTED, fired);
    assert_int_equal(dir_fail(fx.log->dir, "test", "-", E_IO), E_OFFLINE);
    logm_turn(fx.m);
    assert_int_equal(durable.n_fired, 1);
    assert_int_equal(durable.rc, 0);
    assert_int_equal(lost.n_fired, 1);
    assert_int_equal(lost.rc, E_OFFLINE);
    assert_int_equal(readable.n_fired, 0);
    log_wait_cancel(&readable.wait);
    fixture_release(&fx);
}

/* Waits that are left when all is closed do not fire. */
static void closing_drops_waits(void **state)
{
    struct waiter w = {0};
    struct fixture fx;

    begin(&fx);
    log_wait_durable(fx.log, &w.wait, 100, fired);
    fixture_kill(&fx);
    assert_int_equal(w.n_fired, 0);
    assert_null(w.wait.log);
    fixture_release(&fx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durable_waits_fire_after_their_commit),
        cmocka_unit_test(a_wait_never_fires_under_its_caller),
        cmocka_unit_test(volatile_topics_wait_for_nothing),
        cmocka_unit_test(waits_fire_in_order),
        cmocka_unit_test(readers_wait_for_the_high_watermark_to_pass),
        cmocka_unit_test(committed_readers_wait_for_the_stable_offset),
        cmocka_unit_test(a_cancelled_wait_does_not_fire),
        cmocka_unit_test(what_fires_may_cancel_what_is_due),
        cmocka_unit_test(waiting_again_fires_in_the_next_turn),
        cmocka_unit_test(what_fires_may_append),
        cmocka_unit_test(deleting_a_log_cancels_its_waits),
        cmocka_unit_test(an_offline_directory_tells_durable_waits),
        cmocka_unit_test(closing_drops_waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
