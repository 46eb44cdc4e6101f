/* ListTransactions and DescribeTransactions (TransactionStateManager.listTransactionStates,
 * TransactionCoordinator.handleDescribeTransactions).
 *
 * Owner: the call, its caller's. Core thread. Rows point into the arena.
 */
#include "internal.h"

typedef struct list_transactions_response_transaction_states list_row;
typedef struct describe_transactions_response_transaction_states describe_row;

/* ---- ListTransactions */

struct lister {
    const struct list_transactions_request *rq;
    const struct txn_sight *sight;
    unsigned states; /* a bit each */
    int64_t now_ms;
};

/* Names that are no state are told; the others are looked for. */
static void read_states(struct lister *l, struct list_transactions_response *rsp,
                        struct arena *arena)
{
    rsp->unknown_state_filters =
        arena_array(arena, (size_t)l->rq->n_state_filters, sizeof(*rsp->unknown_state_filters));
    for (int32_t i = 0; i < l->rq->n_state_filters; i++) {
        enum txn_state state;

        if (txn_state_of(l->rq->state_filters[i], &state))
            l->states |= 1u << state;
        else
            rsp->unknown_state_filters[rsp->n_unknown_state_filters++] = l->rq->state_filters[i];
    }
}

static bool has_producer(const struct list_transactions_request *rq, int64_t producer_id)
{
    for (int32_t i = 0; i < rq->n_producer_id_filters; i++)
        if (rq->producer_id_filters[i] == producer_id)
            return true;
    return rq->n_producer_id_filters == 0;
}

static bool is_wanted(const struct lister *l, const struct transaction *t)
{
    if (!has_producer(l->rq, t->v.producer_id))
        return false;
    if (l->rq->n_state_filters > 0 && !(l->states & (1u << t->v.state)))
        return false;
    if (l->rq->duration_filter >= 0 && txn_age_ms(t, l->now_ms) <= l->rq->duration_filter)
        return false;
    if (l->sight->matches && !l->sight->matches(l->sight->arg, t->id))
        return false;
    return !l->sight->may_describe || l->sight->may_describe(l->sight->arg, t->id);
}

static void list_shard(const struct lister *l, const struct txn_shard *s,
                       struct list_transactions_response *rsp, struct arena *arena)
{
    for (const struct transaction *t = s->transactions; t; t = t->hh.next) {
        list_row *row;

        if (!is_wanted(l, t))
            continue;
        row = &rsp->transaction_states[rsp->n_transaction_states++];
        list_transactions_response_transaction_states_init(row);
        row->transactional_id = arena_str(arena, t->id);
        row->producer_id = t->v.producer_id;
        row->transaction_state = str_of(txn_state_name(t->v.state));
    }
}

void txnm_list(struct txnm *m, const struct list_transactions_request *rq,
               const struct txn_sight *sight, struct list_transactions_response *rsp,
               struct txn_call *call)
{
    struct lister l = {.rq = rq, .sight = sight, .now_ms = txnm_now_ms(m)};

    ASSERT_CORE();
    if (m->stopping) {
        rsp->error_code = KE_COORDINATOR_NOT_AVAILABLE;
        txn_call_end_now(call, 0);
        return;
    }
    read_states(&l, rsp, call->arena);
    rsp->transaction_states =
        arena_array(call->arena, HASH_CNT(by_producer, m->by_producer), sizeof(list_row));
    for (int32_t i = 0; i < m->n_shards; i++)
        if (m->shards[i])
            list_shard(&l, m->shards[i], rsp, call->arena);
    txn_call_end_all(m->shards, m->n_shards, call);
}

/* ---- DescribeTransactions */

static void describe_topics(const struct transaction *t, describe_row *row, struct arena *arena)
{
    row->topics = arena_array(arena, HASH_CNT(hh, t->topics), sizeof(*row->topics));
    for (const struct txn_topic *topic = t->topics; topic; topic = topic->hh.next) {
        struct describe_transactions_response_transaction_states_topics *to =
            &row->topics[row->n_topics++];

        describe_transactions_response_transaction_states_topics_init(to);
        to->topic = arena_str(arena, topic->name);
        to->n_partitions = topic->n;
        to->partitions = arena_array(arena, (size_t)topic->n, sizeof(*to->partitions));
        memcpy(to->partitions, topic->partitions, (size_t)topic->n * sizeof(*to->partitions));
    }
}

static void describe(const struct transaction *t, describe_row *row, struct arena *arena)
{
    row->transaction_state = str_of(txn_state_name(t->v.state));
    row->transaction_timeout_ms = t->v.timeout_ms;
    row->transaction_start_time_ms = t->v.start_ms;
    row->producer_id = t->v.producer_id;
    row->producer_epoch = t->v.producer_epoch;
    describe_topics(t, row, arena);
}

void txnm_describe(struct txnm *m, struct describe_transactions_response *rsp,
                   struct txn_call *call)
{
    int32_t n = rsp->n_transaction_states;
    struct txn_shard **shards = arena_array(call->arena, (size_t)n, sizeof(struct txn_shard *));

    ASSERT_CORE();
    for (int32_t i = 0; i < n; i++) {
        describe_row *row = &rsp->transaction_states[i];
        const struct transaction *t;

        if (row->error_code)
            continue;
        if (row->transactional_id.n == 0) {
            row->error_code = KE_INVALID_REQUEST;
            continue;
        }
        row->error_code = txn_shard_get(m, row->transactional_id, false, &shards[i]);
        if (row->error_code)
            continue;
        t = transaction_find(shards[i], row->transactional_id);
        if (t)
            describe(t, row, call->arena);
        else
            row->error_code = KE_TRANSACTIONAL_ID_NOT_FOUND;
    }
    txn_call_end_all(shards, n, call);
}
