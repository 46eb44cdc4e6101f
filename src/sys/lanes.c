/* Lanes: queues of jobs, of which one at a time runs off the core thread.
 *
 * Owner: the core thread; only `work` runs elsewhere.
 *
 *     idle --submit: start--> running --its job is done, queue empty--> idle
 *                             running --submit--> running (queued)
 *                             running --its job is done, queue not empty: start the next--> running
 *
 * Happy path: lane_submit -> lanes->start -> (a thread) work -> (core) lanes_job_done -> done ->
 *             the next one starts.
 * Invariant:  a lane that is not running has an empty queue. A job's work begins after the done of
 *             the job before it. After its last `done` an idle lane is not touched: done may free
 *             what holds it.
 */
#include "sys.h"

void lane_init(struct lane *lane, struct lanes *lanes, const char *name)
{
    ASSERT(lanes);
    *lane = (struct lane){.lanes = lanes, .name = name};
    list_init(&lane->queue);
}

bool lane_idle(const struct lane *lane)
{
    ASSERT(IMPLIES(!lane->running, list_empty(&lane->queue)));
    return !lane->running;
}

void lane_submit(struct lane *lane, struct job *j, void (*work)(struct job *),
                 void (*done)(struct job *))
{
    ASSERT(thread_kind() != THREAD_LANE);
    ASSERT(work);
    ASSERT(done);
    *j = (struct job){.work = work, .done = done, .lane = lane};
    list_init(&j->link);
    if (lane->running) {
        list_push(&lane->queue, &j->link);
        lane->lanes->n_queued++;
        return;
    }
    ASSERT(list_empty(&lane->queue));
    lane->running = true;
    lane->lanes->n_running++;
    lane->lanes->start(lane->lanes, lane, j);
}

/* The next job of a lane whose job has ended, or NULL: then the lane is idle. */
static struct job *take_next(struct lane *lane)
{
    struct list *first = list_first(&lane->queue);

    if (!first) {
        ASSERT(lane->lanes->n_running > 0);
        lane->lanes->n_running--;
        lane->running = false;
        return NULL;
    }
    ASSERT(lane->lanes->n_queued > 0);
    lane->lanes->n_queued--;
    list_remove(first);
    return CONTAINER_OF(first, struct job, link);
}

void lanes_job_done(struct lanes *l, struct job *j)
{
    struct lane *lane = j->lane;
    struct job *next;

    ASSERT(thread_kind() != THREAD_LANE);
    ASSERT(lane->lanes == l);
    ASSERT(lane->running);
    next = take_next(lane);
    j->done(j);
    if (next)
        l->start(l, lane, next);
}
