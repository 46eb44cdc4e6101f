/* How answers leave.
 *
 * Owner: a call is its caller's until `done`; core thread.
 *
 * Happy path: the answer is filled -> txn_call_end -> statelog_after -> all that it saw is durable
 *             -> done.
 * Failures:   E_OFFLINE reaches `done` as call->rc: the connection is closed without an answer.
 */
#include "internal.h"

void txn_call_end_now(struct txn_call *call, int rc)
{
    call->rc = rc;
    call->done(call);
}

static void call_durable(struct statelog_wait *w, int rc)
{
    txn_call_end_now(CONTAINER_OF(w, struct txn_call, wait), rc);
}

void txn_call_end(struct txn_shard *s, struct txn_call *call)
{
    if (!s || !s->log)
        txn_call_end_now(call, 0);
    else
        statelog_after(s->log, &call->wait, call_durable);
}

/* ---- several shards */

static void all_durable(struct statelog_waits *w, int rc)
{
    txn_call_end_now(CONTAINER_OF(w, struct txn_call, waits), rc);
}

void txn_call_end_all(struct txn_shard **shards, int32_t n, struct txn_call *call)
{
    struct statelog **logs = arena_array(call->arena, (size_t)n, sizeof(struct statelog *));

    for (int32_t i = 0; i < n; i++)
        logs[i] = shards[i] ? shards[i]->log : NULL;
    statelog_after_all(logs, n, call->arena, &call->waits, all_durable);
}

/* TransactionStateManager.appendTransactionToLog */
int16_t txn_error(int rc)
{
    switch (rc) {
    case 0:
        return KE_NONE;
    case E_LIMIT:
    case E_INVALID:
        return KE_UNKNOWN_SERVER_ERROR;
    default:
        return KE_COORDINATOR_NOT_AVAILABLE; /* every client tries again */
    }
}
