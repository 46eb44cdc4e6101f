/* Lanes on libuv's thread pool, with a real loop. */
#include "sys.h"

#include <setjmp.h>
#include <stdatomic.h>

#include <uv.h>

#include <cmocka.h>

#define N_LANES      3
#define JOBS_OF_LANE 200

/* One per lane; `work` and `done` use it in turn without a lock: the lane is what orders them. */
struct counter {
    struct lane lane;
    int n_worked, n_done, n_submitted;
    _Atomic int n_inside;
};

struct task {
    struct job job;
    struct counter *counter;
    int number;
    bool out_of_order, overlapped, wrong_thread;
};

static struct task tasks[N_LANES][JOBS_OF_LANE];

static void work(struct job *j)
{
    struct task *t = CONTAINER_OF(j, struct task, job);

    t->overlapped = atomic_fetch_add(&t->counter->n_inside, 1) != 0;
    t->wrong_thread = thread_kind() != THREAD_LANE;
    t->out_of_order = t->counter->n_worked++ != t->number;
    trace("job worked", t->number, 0);
    mark_hit("lanes_uv_work");
    atomic_fetch_sub(&t->counter->n_inside, 1);
}

static void submit_next(struct counter *c, struct task *of_lane);

static void done(struct job *j)
{
    struct task *t = CONTAINER_OF(j, struct task, job);
    struct counter *c = t->counter;

    assert_int_equal(thread_kind(), THREAD_CORE);
    assert_false(t->overlapped);
    assert_false(t->wrong_thread);
    assert_false(t->out_of_order);
    assert_int_equal(c->n_done++, t->number);
    assert_int_equal(c->n_worked, c->n_done);
    if (c->n_submitted < JOBS_OF_LANE)
        submit_next(c, t - t->number);
}

static void submit_next(struct counter *c, struct task *of_lane)
{
    struct task *t = &of_lane[c->n_submitted];

    *t = (struct task){.counter = c, .number = c->n_submitted++};
    lane_submit(&c->lane, &t->job, work, done);
}

/* On real threads, too, a lane's jobs run one at a time and in order, marked as a lane's; done runs
 * on the core thread. */
static void jobs_run_in_order_on_real_threads(void **state)
{
    struct counter counters[N_LANES] = {0};
    struct lanes *lanes;
    uv_loop_t loop;

    thread_mark(THREAD_CORE);
    assert_int_equal(uv_loop_init(&loop), 0);
    lanes = lanes_uv_new(&loop);
    for (int i = 0; i < N_LANES; i++) {
        lane_init(&counters[i].lane, lanes, "lane");
        for (int k = 0; k < 5; k++)
            submit_next(&counters[i], tasks[i]);
    }
    assert_int_equal(lanes->n_running, N_LANES);
    assert_int_equal(lanes->n_queued, 4 * N_LANES);
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    for (int i = 0; i < N_LANES; i++) {
        assert_int_equal(counters[i].n_done, JOBS_OF_LANE);
        assert_true(lane_idle(&counters[i].lane));
    }
    assert_int_equal(lanes->n_running, 0);
    assert_int_equal(lanes->n_queued, 0);
    assert_true(mark_count("lanes_uv_work") == N_LANES * JOBS_OF_LANE);
    lanes_uv_free(lanes);
    lanes_uv_free(NULL);
    assert_int_equal(uv_loop_close(&loop), 0);
    thread_mark(THREAD_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_run_in_order_on_real_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
