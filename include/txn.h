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

/* TransactionVersion: what of KIP-890 a client does. */
enum txn_version {
    TXN_VERSION_0 = 0,
    TXN_VERSION_1 = 1, /* flexible records */
    TXN_VERSION_2 = 2, /* the epoch grows with every transaction; partitions are put in by their first write */
};
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
    /* The topic and partition that a group's offsets live in; false: not available. */
    bool (*group_partition)(void *arg, struct str group_id, struct str *topic, int32_t *partition);
    /* A producer id that was never used: 0 or a kafka_error. */
    int16_t (*producer_id)(void *arg, int64_t *out);
    /* Appends a marker to a partition. *log is where it is: to be waited for up to *end. 0, with *log NULL when the partition is
     * gone and there is nothing to end; or E_*: to be tried again. */
    int (*write_marker)(void *arg, struct str topic, int32_t partition, const struct txn_marker *marker,
                        struct log **log, int64_t *end);
    /* The finalized level of transaction.version. */
    int16_t (*transaction_version)(void *arg);
    void *arg;
};
struct txnm *txnm_new(struct env *env, const struct txnm_options *options);
void txnm_free(struct txnm *m);
/* A record of a shard's log: the machine given to statelog_open is a struct txn_shard. coordinator_epoch: the leader epoch of its
 * partition, which markers carry. */
struct txn_shard *txnm_shard(struct txnm *m, int32_t shard, int32_t coordinator_epoch);
void txn_shard_apply(void *machine, const struct statelog_record *r);
/* After a shard has been replayed: what was being ended is ended, from the next turn of the timers on. */
void txn_shard_loaded(struct txn_shard *s, struct statelog *log);

struct txn_call {
    void (*done)(struct txn_call *c);
    int rc;
    struct arena *arena;       /* for the response */
    struct statelog_wait wait; /* txn's own, like the rest */
    struct statelog_waits waits;
    struct list link;
    void *state;
};
/* Answers may be made at once: `done` can run before the function returns, and the call may be gone then. */

/* One more than the highest producer id in the coordinator's records; 0 without any. */
int64_t txnm_producer_id_next(const struct txnm *m);
/* With a transactional id, which is not empty. (The idempotent producer's InitProducerId is the broker's.) */
void txnm_init_producer_id(struct txnm *m, const struct init_producer_id_request *rq,
                           struct init_producer_id_response *rsp, struct txn_call *call);
void txnm_end(struct txnm *m, const struct end_txn_request *rq, int16_t version, struct end_txn_response *rsp,
              struct txn_call *call);

struct txn_producer {
    struct str transactional_id;
    int64_t producer_id;
    int16_t producer_epoch;
};
struct txn_partition {
    struct str topic;
    int32_t partition;
    int16_t error; /* out */
};
/* AddPartitionsToTxn of one transaction: all partitions are added, or none. */
struct txn_add {
    struct txn_producer producer;
    struct txn_partition *partitions;
    int32_t n_partitions;
    int16_t client_version; /* enum txn_version */
    bool verify_only; /* partitions[].error says which of them are not in (TRANSACTION_ABORTABLE) */
    int16_t error;    /* in: not KE_NONE: it is left alone. out: of all partitions; KE_NONE: see theirs */
};
void txnm_add_partitions(struct txnm *m, struct txn_add *adds, int32_t n, struct txn_call *call);
void txnm_add_offsets(struct txnm *m, const struct add_offsets_to_txn_request *rq,
                      struct add_offsets_to_txn_response *rsp, struct txn_call *call);

/* Which transactional ids a lister is shown, beside the request's filters; both may be NULL. */
struct txn_sight {
    bool (*may_describe)(void *arg, struct str transactional_id);
    bool (*matches)(void *arg, struct str transactional_id); /* its pattern */
    void *arg;
};
void txnm_list(struct txnm *m, const struct list_transactions_request *rq, const struct txn_sight *sight,
               struct list_transactions_response *rsp, struct txn_call *call);
/* Rows that have an error already are left alone. */
void txnm_describe(struct txnm *m, struct describe_transactions_response *rsp, struct txn_call *call);

/* ---- what Produce and TxnOffsetCommit ask (KIP-890) --------------------------------------------------------------- */

/* Whether the producer's transaction is Ongoing and has this partition. KE_NONE: it may write. TRANSACTION_ABORTABLE: it is not in
 * (clients below Produce v11 and TxnOffsetCommit v4 are told INVALID_TXN_STATE); CONCURRENT_TRANSACTIONS: the transaction
 * before is not over yet (Produce below v12: NOT_ENOUGH_REPLICAS); INVALID_PRODUCER_ID_MAPPING, INVALID_PRODUCER_EPOCH,
 * INVALID_REQUEST; COORDINATOR_NOT_AVAILABLE (Produce: NOT_ENOUGH_REPLICAS). Changes nothing. The errors are those of
 * AddPartitionsToTxnManager; the mapping for old versions is the caller's. */
int16_t txnm_verify(struct txnm *m, const struct txn_producer *p, struct str topic, int32_t partition);
/* The same of a TV2 client (Produce v12+, TxnOffsetCommit v5+): a partition that is not in its transaction is put in, which
 * begins one if none is ongoing. Applied at once, so that the append can follow in the same turn; the answer must also wait for
 * statelog_after(*log). *log is NULL with an error. */
int16_t txnm_verify_or_add(struct txnm *m, const struct txn_producer *p, struct str topic, int32_t partition,
                           struct statelog **log);
/* What shall become of an open transaction that a log has when it is opened: a power cut may take the coordinator's note that the
 * partition is in it, or its marker, and leave the partition's own records. All shards must be loaded. */
enum txn_fate {
    TXN_FATE_OPEN = 0,  /* the coordinator has it and will end it */
    TXN_FATE_JOINS,     /* of a TV2 producer's present transaction, or begins one: the note was lost; see txnm_join */
    TXN_FATE_COMMITTED, /* it was committed: the marker was lost */
    TXN_FATE_ABORTED,   /* aborted, or nobody knows it */
};
enum txn_fate txnm_fate(const struct txnm *m, int64_t producer_id, int16_t producer_epoch, struct str topic,
                        int32_t partition);
/* Puts the partition into the transaction of a producer whose fate is TXN_FATE_JOINS. What is sent again may be taken for a repeat
 * by the log, so these records must not be lost. 0 or a kafka_error: to be tried again. */
int16_t txnm_join(struct txnm *m, int64_t producer_id, struct str topic, int32_t partition);
/* Transactions that are committed for good while markers of theirs may be missing: the epoch is that of their records. */
void txnm_each_committed(const struct txnm *m, void (*fn)(void *arg, int64_t producer_id, int16_t producer_epoch), void *arg);

/* __transaction_state is being deleted: all transactions are forgotten, and who waits for an end has no answer (E_OFFLINE). What they
 * have open in partitions is ended when those are opened next (txnm_fate), or by hand. */
void txnm_forget(struct txnm *m);
/* Stopping: from now on requests are answered COORDINATOR_NOT_AVAILABLE; what is being ended goes on. */
void txnm_stop(struct txnm *m);
/* A hash over all transactions, for broker_digest; the same before a clean stop and after the start where txnm_settled said
 * that none was being ended. */
uint64_t txnm_digest(const struct txnm *m);
bool txnm_settled(const struct txnm *m);
/* Which shard: Utils.abs(transactional_id.hashCode()) % n. */
int32_t txn_shard_of(struct str transactional_id, int32_t n_shards);

#endif
