/* broker: owns everything below the requests: logs, metadata, groups; start, stop, and the end of a turn.
 *
 * One turn of the loop, whoever runs it (cli's libuv loop, a test): frames go in through api; then broker_turn once, which fires due
 * timers and ends the logs' turn; replies leave through the transport. broker_next_deadline says when to come again at the latest.
 */
#ifndef BARNABAS_BROKER_H
#define BARNABAS_BROKER_H

#include "base.h"
#include "cleaner.h"
#include "config.h"
#include "group.h"
#include "log.h"
#include "meta.h"
#include "quota.h"
#include "security.h"
#include "sys.h"
#include "txn.h"

struct broker {
    struct env *env;
    struct config *config; /* borrowed */
    struct logm *logm;
    struct cleaner *cleaner;
    struct log *metadata_log;
    struct meta *meta;
    struct groupm *groups;
    struct shards *offset_shards; /* of __consumer_offsets */
    struct txnm *txns;
    struct shards *txn_shards; /* of __transaction_state */
    uint32_t n_shard_errors; /* shards.c: requests for shards that cannot be opened */
    struct mono shard_errors_quiet_until;
    struct security *security;
    struct quota *quota;
    int32_t node_id;
    int64_t producer_id_next, producer_id_end; /* the block in use */
    struct list requests; /* api's: in work */
    struct list deletions; /* partitions.c: topics whose end is not durable yet */
    struct list moves;     /* moves.c: logs on their way to another directory */
    struct list hanging;   /* hanging.c: logs with open transactions that somebody has to look at */
    struct timer hanging_timer;
    struct list decided; /* hanging.c: transactions that a deleted coordinator had committed */
    bool stopping;
    bool freeing;
    bool failed; /* the last log directory went offline: the process ends with 74 */
    void *api;   /* api's own state (fetch sessions) */
    void (*api_free)(void *api);
};

struct broker_options {
    struct config *config;
    const struct meta_endpoint *endpoints; /* what this broker registers as its addresses */
    int n_endpoints;
};
/* Opens the log directories, recovers after an unclean stop, loads metadata, groups and transactions. One clear line in msg on failure. */
int broker_start(struct env *env, const struct broker_options *options, struct broker **out, struct errmsg *msg);
/* The end of a turn. */
void broker_turn(struct broker *b);
/* When to call broker_turn again if nothing else happens; false: never. */
bool broker_next_deadline(const struct broker *b, struct mono *at);
/* Begins a clean stop: waiting requests are answered, everything is flushed. Turn until broker_stopped. */
void broker_stop(struct broker *b);
bool broker_stopped(const struct broker *b);
void broker_free(struct broker *b, bool clean); /* clean = false: as if killed */

/* The log of a partition, opened when it is there. NULL with rc 0: the partition is known but nothing was ever written to it
 * (make = false). make = true creates it. 0, or E_* (offline, no space, corrupt). */
int broker_log(struct broker *b, struct meta_topic *t, int32_t partition, bool make, struct log **out);
/* Its log, which is open, is to be in this log directory: it moves there while it serves, and the metadata follows. Another move of it is
 * given up. The rate is replica.alter.log.dirs.io.max.bytes.per.second. (KIP-113) */
void broker_move_log(struct broker *b, struct meta_topic *t, int32_t partition, int dir);
/* The log directory of this id, as an index; -1 when it is none of ours. */
int broker_dir_of(const struct broker *b, struct uuid id);
/* The topic __consumer_offsets, made when it is missing; its partition count, 0 when it cannot be made now. */
int32_t broker_offsets_topic(struct broker *b);
/* The topic __transaction_state, made when it is missing; its partition count, 0 when it cannot be made now. */
int32_t broker_transactions_topic(struct broker *b);
/* Appends the marker that ends a producer's transaction in a partition. 0, and *log is where it is, to be waited for up to *end; or
 * *log is NULL and *error a kafka_error that the partition, or that it is unknown, is to blame for. E_*: it could not be written. */
int broker_write_marker(struct broker *b, struct str topic, int32_t partition, const struct txn_marker *marker,
                        struct log **log, int64_t *end, int16_t *error);
/* The next producer id; 0 or E_*. Its block may not be durable yet: reply after meta_after. */
int broker_producer_id(struct broker *b, int64_t *producer_id);
/* A hash over topics, their settings, what their partitions hold, and groups, in a defined order: the same before a clean stop and after
 * the next start. Opens the logs of partitions that have one. */
uint64_t broker_digest(struct broker *b);
/* All metrics, in Prometheus' text format: counters, rot, and the growth of partitions. */
void broker_print_metrics(struct broker *b, struct buf *out);
/* For log lines. */
uint64_t broker_n_partitions(const struct broker *b);

#endif
