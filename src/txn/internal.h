/* The inside of txn.
 *
 * txnm -> shards (one per partition of __transaction_state) -> transactions, one per transactional id. Durable: what the last
 * record says. Live only: the epoch before the last bump, and the end that is on its way.
 */
#ifndef BARNABAS_TXN_INTERNAL_H
#define BARNABAS_TXN_INTERNAL_H

#include "record.h"
#include "txn.h"

#define TXNM_MAGIC         0x54584e4du
#define TXN_SHARD_MAGIC    0x54585348u
#define TRANSACTION_MAGIC  0x5452414eu
#define PRODUCER_EPOCH_MAX INT16_MAX
#define PRODUCER_EPOCH_LAST                                                                        \
    (INT16_MAX - 1) /* the last that a producer has: one more is kept to fence it */
#define NO_TIME          (-1)
#define TIMEOUT_NEVER_MS INT32_MAX /* a transaction of KIP-939, in a log that Kafka wrote */
#define MARKERS_RETRY_MS 1000

/* ---- states (state.c) ------------------------------------------------------------------------ */

enum txn_state { /* as in records */
                 TXN_EMPTY = 0,
                 TXN_ONGOING = 1,
                 TXN_PREPARE_COMMIT = 2,
                 TXN_PREPARE_ABORT = 3,
                 TXN_COMPLETE_COMMIT = 4,
                 TXN_COMPLETE_ABORT = 5,
                 TXN_DEAD = 6,
                 TXN_PREPARE_EPOCH_FENCE = 7, /* Kafka's own step in between; never here */
                 TXN_N_STATES,
};
const char *txn_state_name(enum txn_state state);
bool txn_state_of(struct str name, enum txn_state *out);
bool txn_move_allowed(enum txn_state from, enum txn_state to, int16_t client_version);

/* ---- one transactional id -------------------------------------------------------------------- */

struct txn_topic {
    struct str name;     /* owned */
    int32_t *partitions; /* ascending */
    int32_t n, cap;
    UT_hash_handle hh;
};
/* What a record says. */
struct txn_values {
    int64_t producer_id, previous_producer_id, next_producer_id;
    int16_t producer_epoch;
    int32_t timeout_ms;
    enum txn_state state;
    int64_t start_ms, update_ms; /* wall time; NO_TIME: none */
    int16_t client_version;      /* enum txn_version */
};
struct transaction {
    uint32_t magic;
    struct txn_shard *shard;
    struct str id; /* owned */
    struct txn_values v;
    struct txn_topic *topics; /* empty unless Ongoing or Prepare */
    int32_t n_partitions;
    UT_hash_handle hh, by_producer; /* the latter by v.producer_id */
    /* live */
    int16_t
        last_epoch; /* before the bump that was answered last; NO_PRODUCER_EPOCH after a start */
    struct mono begun;     /* while Ongoing: as the clock of this process would have it */
    struct ending *ending; /* while Prepare; ending.c */
};

struct txn_shard {
    uint32_t magic;
    struct txnm *m;
    int32_t index, coordinator_epoch;
    struct statelog *log; /* borrowed; NULL until somebody asked for it */
    bool loaded;
    struct transaction *transactions;
};
struct txnm {
    uint32_t magic;
    struct env *env;
    struct txnm_options options;
    struct txn_shard **shards;
    int32_t n_shards;
    struct transaction *by_producer;
    int64_t producer_id_next; /* past all that were in a record */
    uint32_t n_ongoing;    /* transactions whose time may run out */
    struct timer timeouts; /* armed while there are some */
    struct timer expiry;   /* armed while there is a shard */
    bool stopping;
};

/* ---- txnm.c ---------------------------------------------------------------------------------- */
/* The shard of a transactional id, with its log. *out stays NULL where nothing ever was in it and make is false. */
int16_t txn_shard_get(struct txnm *m, struct str id, bool make, struct txn_shard **out);
struct transaction *transaction_find(struct txn_shard *s, struct str id); /* NULL; s may be NULL */
struct transaction *transaction_add(struct txn_shard *s, struct str id, int64_t producer_id);
void transaction_remove(struct transaction *t);
void transaction_set_producer(struct transaction *t, int64_t producer_id);
/* By its producer id; NULL. */
struct transaction *transaction_of_producer(const struct txnm *m, int64_t producer_id);
/* How long ago it began; a record may name any time. */
static inline int64_t txn_age_ms(const struct transaction *t, int64_t now_ms)
{
    return MAX(now_ms, 0) - MAX(t->v.start_ms, 0);
}
int64_t txnm_now_ms(const struct txnm *m); /* to stamp with */

/* ---- calls.c --------------------------------------------------------------------------------- */
void txn_call_end_now(struct txn_call *call, int rc);
/* `done` runs when all that the shard holds now is durable; s NULL, or without a log: at once. */
void txn_call_end(struct txn_shard *s, struct txn_call *call);
void txn_call_end_all(struct txn_shard **shards, int32_t n, struct txn_call *call);
int16_t txn_error(int rc); /* what a client is told when a record could not be appended */

/* ---- topics.c: the partitions of a transaction ----------------------------------------------- */
bool txn_topics_has(const struct transaction *t, struct str topic, int32_t partition);
void txn_topics_append(struct transaction *t, struct str topic, int32_t partition);
void txn_topics_sort(struct transaction *t); /* after the last append; drops doubles */
void txn_topics_clear(struct transaction *t);

/* ---- records.c ------------------------------------------------------------------------------- */
/* Appends and applies one record of a transaction: with `v`, and with its own partitions and those in `more`; or with none where the
 * state has none. `id` may be of a transaction that is not there yet. 0 or E_*. */
struct txn_proposal {
    struct txn_shard *shard;
    struct str id;
    const struct transaction *t; /* whose partitions stay; NULL: none do */
    struct txn_values v;
    const struct txn_partition *more;
    int32_t n_more;
};
int txn_propose(const struct txn_proposal *p);
int txn_propose_tombstone(struct transaction *t);

/* ---- end.c ----------------------------------------------------------------------------------- */
bool txn_epoch_exhausted(int16_t epoch);
/* The coordinator ends an ongoing transaction itself, under an epoch that fences its producer. 0 or E_*. */
int txn_abort(struct transaction *t);

/* ---- ending.c: markers, and the Complete record ----------------------------------------------- */
/* t was just moved to Prepare, or was found there. `call` may be NULL; it is answered when the transaction has ended, or
 * cannot for now. */
void ending_start(struct transaction *t, struct txn_call *call);
/* Its Prepare record is durable. */
bool ending_is_decided(const struct transaction *t);
void ending_free(struct transaction *t);
void ending_give_up(struct transaction *t); /* who waits for it gets no answer (E_OFFLINE) */

/* ---- expiry.c -------------------------------------------------------------------------------- */
/* Its time runs since v.start_ms; of one that is found in the log, as far as the calendar can be trusted. */
void txn_time_begins(struct transaction *t);
void txn_timers_init(struct txnm *m);
void txn_timers_wanted(struct txnm *m); /* arms what should be armed */
void txn_timers_cancel(struct txnm *m);

#endif
