/* A transaction coordinator in one process: real logs and statelogs over files in memory, a clock and
 * lanes that are told. Markers go into real logs of topic "t", and are counted.
 *
 *     desk_open -> desk_init, desk_add, desk_end ... -> desk_settle -> look at the answer
 *               -> pass time, restart -> ... -> desk_close
 *
 * Answers belong to the desk and live until it closes.
 */
#ifndef DESK_H
#define DESK_H

#include "log.h"
#include "statelog.h"
#include "txn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define DESK_SHARDS     3
#define DESK_PARTITIONS 12 /* of topic "t" */
#define DESK_MARKERS    256
#define DESK_START_MS   1700000000000

struct desk_marker {
    char topic[32];
    int32_t partition;
    struct txn_marker marker;
};
struct desk {
    struct env env;
    struct clock *clock;
    struct config config;
    struct topic_config topic;
    struct logm *logm;
    struct log *logs[DESK_SHARDS];
    struct statelog *shards[DESK_SHARDS];
    struct log *partitions[DESK_PARTITIONS];
    struct txnm *m;
    struct list answers;
    int64_t next_producer_id;
    int16_t producer_id_error; /* of the next ones */
    int16_t level;             /* of transaction.version */
    bool unavailable;          /* no shard can be had */
    int markers_rc;            /* of the next markers */
    int n_markers;
    struct desk_marker markers[DESK_MARKERS];
    struct errmsg msg;
};
/* `overrides` are settings, "key=value", and end with NULL; may be NULL. */
void desk_open(struct desk *d, const char *const *overrides);
void desk_close(struct desk *d);
/* Stops and starts again over the same files. clean = false: as if killed. */
void desk_restart(struct desk *d, bool clean);
/* Everything that can happen now happens. */
void desk_settle(struct desk *d);
/* One turn of the logs alone: waits fire, the next commit begins; no job is run. */
void desk_turn(struct desk *d);
void desk_pass_ms(struct desk *d, int64_t ms);
int64_t desk_records(struct desk *d); /* in all shards */
/* Puts a record into the shard that the id hashes to, as if it had been found there. */
void desk_record(struct desk *d, const char *id, const struct transaction_log_value *v,
                 int16_t version);

struct desk_answer {
    struct list link;
    struct txn_call call;
    struct arena arena;
    bool done;
    struct init_producer_id_response init;
    struct add_offsets_to_txn_response offsets;
    struct end_txn_response end;
    struct list_transactions_response list;
    struct describe_transactions_response describe;
    struct txn_add add;
};
/* A producer as a client knows it. */
struct desk_producer {
    const char *id;
    int64_t producer_id;
    int16_t epoch;
};
#define NOBODY(name) ((struct desk_producer){name, NO_PRODUCER_ID, NO_PRODUCER_EPOCH})

/* desk_open, and *p is "x", which has come. 0. */
int desk_open_with(struct desk *d, struct desk_producer *p);
/* As found in the log: its transaction is in this state (enum txn_state), all of its times are DESK_START_MS. */
void desk_found(struct desk *d, struct desk_producer p, int8_t status);

struct desk_answer *desk_ask_init(struct desk *d, struct desk_producer expected,
                                  int32_t timeout_ms);
struct desk_answer *desk_ask_add(struct desk *d, struct desk_producer p, const int32_t *partitions,
                                 int n, bool verify_only);
struct desk_answer *desk_ask_end(struct desk *d, struct desk_producer p, bool commit,
                                 int16_t version);
/* The same, settled; kafka errors. */
int16_t desk_init(struct desk *d, struct desk_producer *p); /* expects nothing; p is what came */
int16_t desk_init_again(struct desk *d, struct desk_producer *p); /* expects what p is */
int16_t desk_add(struct desk *d, struct desk_producer p, int32_t partition);
int16_t desk_write(struct desk *d, struct desk_producer p, int32_t partition); /* as TV2 Produce */
int16_t desk_verify(struct desk *d, struct desk_producer p, int32_t partition);
int16_t desk_end(struct desk *d, struct desk_producer p, bool commit);     /* v4 */
int16_t desk_end_v2(struct desk *d, struct desk_producer *p, bool commit); /* v5 */
/* "Ongoing 1:0" and so on: state, producer id, epoch; then " t-3" for each partition. */
const char *desk_state(struct desk *d, const char *id);
int desk_markers_of(const struct desk *d, int32_t partition); /* how many came */
#endif
