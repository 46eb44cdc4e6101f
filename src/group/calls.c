/* How answers leave, and who waits for other members.
 *
 * Owner: a call is its caller's until `done`; core thread.
 *
 * Happy path: the answer is filled -> call_end -> statelog_after -> all that it saw is durable ->
 *             done.
 * Invariant:  a parked call is in groupm.parked and in exactly one of its member's `join` and
 *             `sync`.
 * Failures:   E_OFFLINE reaches `done` as call->rc: the connection is closed without an answer.
 */
#include "internal.h"

void call_end_now(struct group_call *call, int rc)
{
    call->rc = rc;
    call->done(call);
}

static void call_durable(struct statelog_wait *w, int rc)
{
    call_end_now(CONTAINER_OF(w, struct group_call, wait), rc);
}

void call_end(struct group_shard *s, struct group_call *call)
{
    if (!s || !s->log) {
        call_end_now(call, 0);
        return;
    }
    statelog_after(s->log, &call->wait, call_durable);
}

/* ---- several shards */

static void all_durable(struct statelog_waits *w, int rc)
{
    call_end_now(CONTAINER_OF(w, struct group_call, waits), rc);
}

void call_end_all(struct group_shard **shards, int n, struct group_call *call)
{
    struct statelog **logs = arena_array(call->arena, (size_t)n, sizeof(struct statelog *));

    for (int i = 0; i < n; i++)
        logs[i] = shards[i] ? shards[i]->log : NULL;
    statelog_after_all(logs, n, call->arena, &call->waits, all_durable);
}

/* ---- waiting for other members */

struct parked *call_park(struct groupm *m, struct group_call *call, struct member *member,
                         int16_t version)
{
    struct parked *p = arena_alloc(call->arena, sizeof(*p));

    p->call = call;
    p->member = member;
    p->version = version;
    call->state = p;
    list_push(&m->parked, &call->link);
    return p;
}

void call_unpark(struct parked *p)
{
    struct member *m = p->member;

    ASSERT(p->call->state == p);
    if (m->join == p)
        m->join = NULL;
    else if (m->sync == p)
        m->sync = NULL;
    list_remove(&p->call->link);
    p->call->state = NULL;
}

static void parked_give_up(struct parked *p)
{
    struct group_call *call = p->call;

    if (p->join)
        answer_join_error(p->member->id, KE_COORDINATOR_NOT_AVAILABLE, p->version, call->arena,
                          p->join);
    else
        p->sync->error_code = KE_COORDINATOR_NOT_AVAILABLE;
    call_unpark(p);
    call_end_now(call, 0);
}

void groupm_give_up(struct groupm *m, struct group_call *call)
{
    ASSERT(m->magic == GROUPM_MAGIC);
    if (call->state)
        parked_give_up(call->state);
}

void call_give_up_all(struct groupm *m)
{
    struct list *first;

    while ((first = list_first(&m->parked)))
        parked_give_up(CONTAINER_OF(first, struct group_call, link)->state);
}

void groupm_stop(struct groupm *m)
{
    ASSERT_CORE();
    ASSERT(m->magic == GROUPM_MAGIC);
    m->stopping = true;
    call_give_up_all(m);
}
