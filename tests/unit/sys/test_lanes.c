/* Lanes, with jobs that run when told. */
#include "sys.h"

#include <setjmp.h>

#include <cmocka.h>

struct task {
    struct job job;
    char name;
    struct buf *story; /* gets the name in lower case for work, in upper case for done */
    struct task *next; /* submitted to the same lane by done, when there is one */
    bool frees_lane;
};

static void tell(struct task *t, int shift, enum thread_kind kind)
{
    assert_int_equal(thread_kind(), kind);
    buf_put(t->story, &(char){(char)(t->name + shift)}, 1);
}

static void work(struct job *j)
{
    tell(CONTAINER_OF(j, struct task, job), 0, THREAD_LANE);
}

static void done(struct job *j)
{
    struct task *t = CONTAINER_OF(j, struct task, job);

    tell(t, 'A' - 'a', THREAD_CORE);
    if (t->next)
        lane_submit(j->lane, &t->next->job, work, done);
    if (t->frees_lane) {
        assert_true(lane_idle(j->lane));
        free(j->lane);
    }
}

static void submit(struct lane *lane, struct task *t, char name, struct buf *story)
{
    *t = (struct task){.name = name, .story = story};
    lane_submit(lane, &t->job, work, done);
}

/* A lane runs its jobs one at a time, in order; another lane's come in between as they were
 * started. */
static void jobs_of_a_lane_run_in_order(void **state)
{
    struct lanes *lanes = lanes_sim_new();
    struct lane commit, cleaner;
    struct task tasks[4];
    struct buf story;

    buf_init(&story);
    lane_init(&commit, lanes, "commit");
    lane_init(&cleaner, lanes, "cleaner");
    assert_true(lane_idle(&commit));
    submit(&commit, &tasks[0], 'a', &story);
    submit(&commit, &tasks[1], 'b', &story);
    submit(&cleaner, &tasks[2], 'x', &story);
    submit(&commit, &tasks[3], 'c', &story);
    assert_int_equal(lanes->n_running, 2);
    assert_int_equal(lanes->n_queued, 2);
    assert_false(lane_idle(&commit));
    assert_string_equal(buf_cstr(&story), "");
    while (lanes_sim_step(lanes))
        ;
    assert_string_equal(buf_cstr(&story), "aAxXbBcC");
    assert_true(lane_idle(&commit));
    assert_true(lane_idle(&cleaner));
    assert_int_equal(lanes->n_running, 0);
    assert_int_equal(lanes->n_queued, 0);
    assert_int_equal(thread_kind(), THREAD_NONE);
    lanes_sim_free(lanes);
    buf_release(&story);
}

/* One step is one job; without jobs there is none. */
static void a_step_runs_one_job(void **state)
{
    struct lanes *lanes = lanes_sim_new();
    struct lane lane;
    struct task tasks[2];
    struct buf story;

    buf_init(&story);
    lane_init(&lane, lanes, "lane");
    assert_false(lanes_sim_step(lanes));
    submit(&lane, &tasks[0], 'a', &story);
    submit(&lane, &tasks[1], 'b', &story);
    assert_true(lanes_sim_step(lanes));
    assert_string_equal(buf_cstr(&story), "aA");
    assert_false(lane_idle(&lane));
    assert_true(lanes_sim_step(lanes));
    assert_string_equal(buf_cstr(&story), "aAbB");
    assert_true(lane_idle(&lane));
    assert_false(lanes_sim_step(lanes));
    lanes_sim_free(lanes);
    lanes_sim_free(NULL);
    buf_release(&story);
}

/* What done submits goes behind what waits already; the last done sees its lane idle. */
static void done_may_submit_and_comes_last(void **state)
{
    struct lanes *lanes = lanes_sim_new();
    struct lane lane;
    struct task tasks[3];
    struct buf story;

    buf_init(&story);
    lane_init(&lane, lanes, "lane");
    submit(&lane, &tasks[0], 'a', &story);
    submit(&lane, &tasks[1], 'b', &story);
    tasks[2] = (struct task){.name = 'c', .story = &story};
    tasks[0].next = &tasks[2];
    while (lanes_sim_step(lanes))
        ;
    assert_string_equal(buf_cstr(&story), "aAbBcC");
    tasks[2].next = NULL;
    tasks[0].next = &tasks[2];
    submit(&lane, &tasks[1], 'd', &story);
    tasks[1].next = &tasks[2];
    while (lanes_sim_step(lanes))
        ;
    assert_string_equal(buf_cstr(&story), "aAbBcCdDcC");
    lanes_sim_free(lanes);
    buf_release(&story);
}

/* The last done may free what holds the lane. */
static void last_done_may_free_the_lane(void **state)
{
    struct lanes *lanes = lanes_sim_new();
    struct lane *lane = xmalloc(sizeof(*lane));
    struct task task;
    struct buf story;

    buf_init(&story);
    lane_init(lane, lanes, "lane");
    submit(lane, &task, 'a', &story);
    task.frees_lane = true;
    assert_true(lanes_sim_step(lanes));
    assert_int_equal(lanes->n_running, 0);
    lanes_sim_free(lanes);
    buf_release(&story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_of_a_lane_run_in_order),
        cmocka_unit_test(a_step_runs_one_job),
        cmocka_unit_test(done_may_submit_and_comes_last),
        cmocka_unit_test(last_done_may_free_the_lane),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
