/* The states of a transaction, and which may follow which (TransactionState).
 *
 *              +--------- InitProducerId ---------+
 *              v                                  |
 *     ---> Empty ---> Ongoing ---> PrepareCommit ---> CompleteCommit --+
 *                      ^    |                                          |
 *                      |    +----> PrepareAbort  ---> CompleteAbort ---+
 *                      +-----------------------------------------------+
 *
 * Owner: nobody; a table.
 */
#include "internal.h"

struct state_row {
    const char *name;
    unsigned from; /* a bit per state before */
};
#define FROM(state) (1u << TXN_##state)

static const struct state_row states[TXN_N_STATES] = {
    [TXN_EMPTY] = {"Empty", FROM(EMPTY) | FROM(COMPLETE_COMMIT) | FROM(COMPLETE_ABORT)},
    [TXN_ONGOING] = {"Ongoing",
                     FROM(ONGOING) | FROM(EMPTY) | FROM(COMPLETE_COMMIT) | FROM(COMPLETE_ABORT)},
    [TXN_PREPARE_COMMIT] = {"PrepareCommit", FROM(ONGOING)},
    [TXN_PREPARE_ABORT] = {"PrepareAbort", FROM(ONGOING)},
    [TXN_COMPLETE_COMMIT] = {"CompleteCommit", FROM(PREPARE_COMMIT)},
    [TXN_COMPLETE_ABORT] = {"CompleteAbort", FROM(PREPARE_ABORT)},
    [TXN_DEAD] = {"Dead", FROM(EMPTY) | FROM(COMPLETE_COMMIT) | FROM(COMPLETE_ABORT)},
    [TXN_PREPARE_EPOCH_FENCE] = {"PrepareEpochFence", FROM(ONGOING)},
};
/* KIP-890: a producer may abort before its first write has come here. */
#define EMPTY_ABORT_FROM (FROM(EMPTY) | FROM(COMPLETE_COMMIT) | FROM(COMPLETE_ABORT))

const char *txn_state_name(enum txn_state state)
{
    ASSERT(state < TXN_N_STATES);
    return states[state].name;
}

bool txn_state_of(struct str name, enum txn_state *out)
{
    for (int i = 0; i < TXN_N_STATES; i++)
        if (str_is(name, states[i].name)) {
            *out = (enum txn_state)i;
            return true;
        }
    return false;
}

bool txn_move_allowed(enum txn_state from, enum txn_state to, int16_t client_version)
{
    unsigned allowed;

    ASSERT(from < TXN_N_STATES);
    ASSERT(to < TXN_N_STATES);
    allowed = states[to].from;
    if (to == TXN_PREPARE_ABORT && client_version >= TXN_VERSION_2)
        allowed |= EMPTY_ABORT_FROM;
    return (allowed & (1u << from)) != 0;
}
