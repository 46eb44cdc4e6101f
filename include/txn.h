/* txn: the transaction coordinator (TransactionCoordinator, TransactionStateManager, TransactionMarkerChannelManager).
 *
 * A machine over one statelog per partition of __transaction_state, in Kafka's own record schema. Requests come decoded and
 * replies leave as wire structs. Calls are asynchronous: the response and the arena live until `done` runs, once, when
 * everything that the reply says is durable; call->rc is then 0, or E_OFFLINE: the connection is closed without an answer.
 * See src/txn/README.md for the states of a transaction.
 */
#ifndef BARNABAS_TXN_H
#define BARNABAS_TXN_H

#include "base.h"
#include "config.h"
#include "statelog.h"
#include "sys.h"
#include "wire.h"

struct txnm;
struct txn_shard;

/* What ends a transaction in one partition: EndTransactionMarker. */
struct txn_marker {
    int64_t producer_id;
    int16_t producer_epoch;
    int32_t coordinator_epoch; /* the leader epoch of the __transaction_state partition */
    bool committed;
    int16_t transaction_version; /* 2: the log checks that the epoch grew (KIP-890) */
};
struct txnm_options {
    const struct config *config;
    /* The statelog of the shard that a transactional id lives in; made when it is missing. 0 or a kafka_error. */
    int16_t (*shard)(void *arg, int32_t shard, struct statelog **out);
    /* How many shards there are: partitions of __transaction_state; the topic is made when it is missing. 0: not available. */
    int32_t (*n_shards)(void *arg);
    /* The partition of __consumer_offsets that a group lives in; -1: not available. */
    int32_t (*group_shard)(void *arg, struct str group_id);
    /* A producer id that was never used: 0 or a kafka_error. */
    int16_t (*producer_id)(void *arg, int64_t *out);
    /* Whether a topic has this partition. */
    bool (*partition_exists)(void *arg, struct str topic, int32_t partition);
    /* Appends a marker to a partition; *log is what it is in, to wait for. 0, with *log NULL when the partition is gone and
     * there is nothing to end; or E_*: to be tried again. */
    int (*write_marker)(void *arg, struct str topic, int32_t partition, const struct txn_marker *marker, struct log **log);
    /* The finalized level of transaction.version. */
    int16_t (*transaction_version)(void *arg);
    void *arg;
};
struct txnm *txnm_new(struct env *env, const struct txnm_options *options);
void txnm_free(struct txnm *m);
/* The machine given to statelog_open is a struct txn_shard. coordinator_epoch: the leader epoch of its partition. */
struct txn_shard *txnm_shard(struct txnm *m, int32_t shard, int32_t coordinator_epoch);
void txn_shard_apply(void *machine, const struct statelog_record *r);
/* After a shard has been replayed: what was being ended is ended with the next turn of the timers. */
void txn_shard_loaded(struct txn_shard *s);

struct txn_call {
    void (*done)(struct txn_call *c);
    int rc;
    struct arena *arena; /* for the response */
    struct statelog_wait wait; /* txn's own, like the rest */
    struct list link;
};
/* Answers may be made at once: `done` can run before the function returns, and the call may be gone then. */
/* With a transactional id, which is not null. (The idempotent producer's InitProducerId is the broker's.) */
void txnm_init_producer_id(struct txnm *m, const struct init_producer_id_request *rq, int16_t version,
                           struct init_producer_id_response *rsp, struct txn_call *call);
/* What is in the response already is kept: a row with an error is not looked at, and one that is allowed has KE_NONE; see
 * txn_add_partitions_rows, which makes the rows. One partition that is refused makes the others of its transaction
 * OPERATION_NOT_ATTEMPTED (but for v4+ verify-only). */
void txnm_add_partitions(struct txnm *m, const struct add_partitions_to_txn_request *rq, int16_t version,
                         struct add_partitions_to_txn_response *rsp, struct txn_call *call);
void txnm_add_offsets(struct txnm *m, const struct add_offsets_to_txn_request *rq, int16_t version,
                      struct add_offsets_to_txn_response *rsp, struct txn_call *call);
void txnm_end(struct txnm *m, const struct end_txn_request *rq, int16_t version, struct end_txn_response *rsp,
              struct txn_call *call);
void txnm_list(struct txnm *m, const struct list_transactions_request *rq, int16_t version,
               struct list_transactions_response *rsp, struct txn_call *call);
void txnm_describe(struct txnm *m, const struct describe_transactions_request *rq,
                   struct describe_transactions_response *rsp, struct txn_call *call);

/* ---- what Produce and TxnOffsetCommit ask (KIP-890) --------------------------------------------------------------- */

struct txn_producer {
    struct str transactional_id;
    int64_t producer_id;
    int16_t producer_epoch;
};
/* Whether the producer's transaction is Ongoing and has this partition (AddPartitionsToTxn with VerifyOnly). KE_NONE: it may write.
 * INVALID_TXN_STATE: it is not in (Produce v11: answered as TRANSACTION_ABORTABLE); CONCURRENT_TRANSACTIONS: the transaction
 * before is not over yet: retriable (Produce answers NOT_ENOUGH_REPLICAS below v12); INVALID_PRODUCER_ID_MAPPING,
 * INVALID_PRODUCER_EPOCH, PRODUCER_FENCED. Changes nothing. */
int16_t txnm_verify(struct txnm *m, const struct txn_producer *p, struct str topic, int32_t partition);
/* The same of a TV2 client (Produce v12+, TxnOffsetCommit v5+): a partition that is not in its transaction is put in, which
 * begins one if none is ongoing. Applied at once, so that the append can follow in the same turn; the answer must also wait for
 * statelog_after(*log). *log is NULL with an error. */
int16_t txnm_verify_or_add(struct txnm *m, const struct txn_producer *p, struct str topic, int32_t partition,
                           struct statelog **log);
/* What shall become of an open transaction that a log has at its opening, and which may be one that the coordinator does not
 * know (its records were lost with a power cut, the partition's not). */
enum txn_fate {
    TXN_FATE_OPEN = 0,  /* the coordinator has it and will end it */
    TXN_FATE_COMMITTED, /* it was committed there: the marker was lost */
    TXN_FATE_ABORTED,   /* nobody knows it: to be ended with an abort marker */
};
enum txn_fate txnm_fate(const struct txnm *m, int64_t producer_id, int16_t producer_epoch, struct str topic, int32_t partition);

/* Stopping: every call that waits is answered now (COORDINATOR_NOT_AVAILABLE). */
void txnm_stop(struct txnm *m);
/* A hash over all transactions, for broker_digest; the same before a clean stop and after the start where txnm_settled said
 * that none was about to end. */
uint64_t txnm_digest(const struct txnm *m);
bool txnm_settled(const struct txnm *m);
/* Which shard: Utils.abs(transactional_id.hashCode()) % n. */
int32_t txn_shard_of(struct str transactional_id, int32_t n_shards);

#endif
