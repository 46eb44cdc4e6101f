/* Lanes on libuv's thread pool.
 *
 * Owner: the core thread, whose loop it is. This is the one file outside the edge that knows libuv.
 *
 * Happy path: start -> a request from the free ones -> uv_queue_work -> (pool) work -> (loop) done,
 *             the request goes back.
 * Invariant:  there are as many requests as ever ran at once: at most one for each lane.
 */
#include "sys.h"

#include <uv.h>

#define LANES_UV_MAGIC 0x1A9E5001u

struct lanes_uv {
    uint32_t magic;
    struct lanes lanes;
    uv_loop_t *loop;
    struct list free; /* of struct request */
};

struct request {
    uv_work_t work;
    struct list link;
    struct lanes_uv *owner;
    struct job *job;
};

static void run_work(uv_work_t *work)
{
    struct request *r = work->data;
    enum thread_kind before = thread_mark(THREAD_LANE);

    r->job->work(r->job);
    thread_mark(before);
}

static void run_done(uv_work_t *work, int status)
{
    struct request *r = work->data;
    struct lanes_uv *uv = CHECKED_CAST(r->owner, struct lanes_uv, LANES_UV_MAGIC);
    struct job *j = r->job;

    ASSERT(status == 0); /* nothing is ever cancelled */
    r->job = NULL;
    list_push(&uv->free, &r->link);
    lanes_job_done(&uv->lanes, j);
}

static struct request *request_take(struct lanes_uv *uv)
{
    struct list *first = list_first(&uv->free);
    struct request *r;

    if (first) {
        list_remove(first);
        return CONTAINER_OF(first, struct request, link);
    }
    r = xcalloc(1, sizeof(*r));
    list_init(&r->link);
    r->owner = uv;
    return r;
}

static void uv_start(struct lanes *l, struct lane *lane, struct job *j)
{
    struct lanes_uv *uv = CONTAINER_OF(l, struct lanes_uv, lanes);
    struct request *r = request_take(uv);

    ASSERT(uv->magic == LANES_UV_MAGIC);
    ASSERT(!r->job);
    r->job = j;
    r->work.data = r;
    ASSERT(uv_queue_work(uv->loop, &r->work, run_work, run_done) == 0);
}

struct lanes *lanes_uv_new(void *loop)
{
    struct lanes_uv *uv = xcalloc(1, sizeof(*uv));

    ASSERT(loop);
    uv->magic = LANES_UV_MAGIC;
    uv->lanes.start = uv_start;
    uv->loop = loop;
    list_init(&uv->free);
    return &uv->lanes;
}

void lanes_uv_free(struct lanes *l)
{
    struct lanes_uv *uv;

    if (!l)
        return;
    uv = CONTAINER_OF(l, struct lanes_uv, lanes);
    ASSERT(uv->magic == LANES_UV_MAGIC);
    ASSERT(l->n_running == 0);
    LIST_FOREACH_SAFE(it, &uv->free)
    {
        list_remove(it);
        free(CONTAINER_OF(it, struct request, link));
    }
    uv->magic = 0;
    free(uv);
}
