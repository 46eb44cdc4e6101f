/* Lanes that run when told, on the caller's thread.
 *
 * Owner: a test or the simulator.
 *
 * Happy path: start puts the job in a line -> lanes_sim_step takes the first: its work, marked as a
 *             lane's thread, then its done, marked as the core thread.
 * Invariant:  jobs of different lanes run in the order in which they were started: the same calls,
 *             the same run.
 */
#include "sys.h"

struct lanes_sim {
    struct lanes lanes;
    struct list ready;
};

static void sim_start(struct lanes *l, struct lane *lane, struct job *j)
{
    struct lanes_sim *sim = CONTAINER_OF(l, struct lanes_sim, lanes);

    list_push(&sim->ready, &j->link);
}

struct lanes *lanes_sim_new(void)
{
    struct lanes_sim *sim = xcalloc(1, sizeof(*sim));

    sim->lanes.start = sim_start;
    list_init(&sim->ready);
    return &sim->lanes;
}

void lanes_sim_free(struct lanes *l)
{
    if (!l)
        return;
    ASSERT(l->n_running == 0);
    free(CONTAINER_OF(l, struct lanes_sim, lanes));
}

bool lanes_sim_step(struct lanes *l)
{
    struct lanes_sim *sim = CONTAINER_OF(l, struct lanes_sim, lanes);
    struct list *first;
    struct job *j;
    enum thread_kind before;

    ASSERT(l->start == sim_start);
    first = list_first(&sim->ready);
    if (!first)
        return false;
    list_remove(first);
    j = CONTAINER_OF(first, struct job, link);
    before = thread_mark(THREAD_LANE);
    j->work(j);
    thread_mark(THREAD_CORE);
    lanes_job_done(l, j);
    thread_mark(before);
    return true;
}
