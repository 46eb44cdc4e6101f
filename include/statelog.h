/* statelog: the one runtime under the state machines (CoordinatorRuntime, in small).
 *
 * A machine's durable state is a log of key-value records. A handler decides: it looks at the state and proposes records.
 * statelog appends them as one batch and applies each at once, in order, so that the next decision sees it; `then` runs when
 * they are durable. Opening replays the log through the same apply. A reply that only looked at the state waits too, with
 * statelog_after: it leaves when everything that it may have seen is durable. Nothing needs undoing: a commit that fails
 * takes the log directory offline.
 */
#ifndef BARNABAS_STATELOG_H
#define BARNABAS_STATELOG_H

#include "base.h"
#include "log.h"
#include "record.h"
#include "sys.h"

struct statelog;

/* What apply is shown: a record of the log. */
struct statelog_record {
    struct bytes key, value; /* p NULL: null (a tombstone's value; the metadata log's keys) */
    int64_t offset;
    int64_t timestamp_ms;
    int64_t producer_id; /* of its batch, NO_PRODUCER_ID mostly */
    int16_t producer_epoch;
    int32_t leader_epoch;
    bool transactional;
    bool control;
};
/* Called in log order, while proposing and while replaying. Must not fail: a record that it cannot read is reported by the machine
 * itself and skipped. The bytes are borrowed. */
typedef void statelog_apply_fn(void *machine, const struct statelog_record *r);

struct statelog_options {
    struct log *log;              /* borrowed; outlives the statelog */
    statelog_apply_fn *apply;
    void *machine;
    enum log_origin origin;       /* LOG_FROM_COORDINATOR, or LOG_FROM_RAFT for the metadata log */
    int32_t leader_epoch;         /* LOG_FROM_RAFT: stamped on batches */
    uint32_t batch_bytes_max;     /* proposals are split into batches of at most this; 0: 1 MiB */
};
/* Replays everything from the log's start to its end, then is ready. E_CORRUPT, E_IO with msg. */
int statelog_open(struct env *env, const struct statelog_options *options, struct statelog **out, struct errmsg *msg);
void statelog_close(struct statelog *s); /* waits are cancelled silently */
/* Its log is about to be deleted: whoever waits is told E_OFFLINE now. Nothing is proposed any more. */
void statelog_give_up(struct statelog *s);
int64_t statelog_end(const struct statelog *s); /* the offset after the last applied record */

/* What a machine proposes. */
struct statelog_entry {
    struct bytes key, value;
};
/* Embedded in what waits; `then` runs once, from logm_turn: rc 0 or E_OFFLINE. */
struct statelog_wait {
    struct log_wait wait; /* zero-filled before first use, as all of it */
    struct list link;     /* in the statelog's waits, so that closing finds them */
    void (*then)(struct statelog_wait *w, int rc);
};
/* Appends and applies. 0, or E_NOSPC, E_OFFLINE, E_LIMIT (an entry larger than a batch may be) with nothing appended or applied. n == 0 is
 * fine: then it is statelog_after. w may be NULL: nobody waits. */
int statelog_propose(struct statelog *s, const struct statelog_entry *entries, int n, struct statelog_wait *w,
                     void (*then)(struct statelog_wait *, int));
/* The same for a control record (LeaderChange in the metadata log). */
int statelog_propose_control(struct statelog *s, enum control_type type, struct bytes value);
/* Records of a producer's transaction (offsets that are committed in one): the machine's apply sees the producer, and keeps them
 * aside until the marker. */
struct statelog_producer {
    int64_t id;
    int16_t epoch;
};
/* *error: the log refuses the producer, a kafka_error, with 0; nothing was applied. */
int statelog_propose_transactional(struct statelog *s, struct statelog_producer producer, const struct statelog_entry *entries, int n,
                                   int16_t *error);
/* The marker that ends a transaction: CONTROL_COMMIT or CONTROL_ABORT, with marker_value_put's bytes. transaction_version: log_append's. *error: as
 * above. */
int statelog_propose_marker(struct statelog *s, struct statelog_producer producer, enum control_type type, struct bytes value,
                            int16_t transaction_version, int16_t *error);
struct log *statelog_log(const struct statelog *s); /* borrowed */
/* `then` runs when everything applied so far is durable. */
void statelog_after(struct statelog *s, struct statelog_wait *w, void (*then)(struct statelog_wait *, int));
void statelog_wait_cancel(struct statelog_wait *w);
/* The same of several at once, NULLs left out; without any `then` runs before this returns. rc is E_OFFLINE if one was. */
struct statelog_waits {
    int n_left, rc;
    void (*then)(struct statelog_waits *w, int rc);
};
void statelog_after_all(struct statelog **logs, int n, struct arena *arena, struct statelog_waits *w,
                        void (*then)(struct statelog_waits *, int));

/* Entries that are written one after the other into one buffer, which moves while it grows: until they are sent each is known
 * by its place. Zero-filled is empty. */
struct statelog_place {
    size_t at, key_end, end; /* in bytes: the key is [at, key_end), the value [key_end, end) */
    bool has_key, has_value; /* false: null, which is not empty */
};
struct statelog_proposal {
    struct buf bytes; /* to be written to between begin and key_end or value_end */
    struct statelog_place *items;
    int n, cap;
};
void statelog_proposal_init(struct statelog_proposal *p);
void statelog_proposal_release(struct statelog_proposal *p);
/* One entry: begin; the key's bytes, key_end; the value's bytes, value_end. What is left out is null. */
void statelog_proposal_begin(struct statelog_proposal *p);
void statelog_proposal_key_end(struct statelog_proposal *p);
void statelog_proposal_value_end(struct statelog_proposal *p);
/* One of the n entries; its bytes are good until the next is written. */
struct statelog_entry statelog_proposal_entry(const struct statelog_proposal *p, int i);
/* statelog_propose of all, in the order of items. 0 without an entry. The proposal stays its owner's. */
int statelog_proposal_send(const struct statelog_proposal *p, struct statelog *s);
/* statelog_propose_transactional of all. */
int statelog_proposal_send_transactional(const struct statelog_proposal *p, struct statelog *s, struct statelog_producer producer,
                                         int16_t *error);

#endif
