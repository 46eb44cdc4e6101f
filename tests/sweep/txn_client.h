/* The transactional clients of a short life, and what they know: what they sent, what was answered, what a read_committed reader saw.
 * All of it is values, so that a copy is the knowledge of one moment. */
#ifndef SWEEP_TXN_CLIENT_H
#define SWEEP_TXN_CLIENT_H

#include "client.h"

#define TXN_TOPIC        "transacted"
#define TXN_PARTS        3 /* partitions of TXN_TOPIC */
#define TXN_PART_RECORDS 2 /* what a transaction writes to each of its partitions, in a batch */
#define TXN_MAX          64
#define TXN_GROUP        "transacted-group" /* transaction i commits offset i of partition 0 */
#define TXN_TIMEOUT_MS   10000
#define TXN_RECORDS_MAX  256
#define TXN_ALL_PARTS    ((1 << TXN_PARTS) - 1)

enum txn_outcome {
    TXN_UNKNOWN = 0,
    TXN_COMMITTED, /* EndTxn was answered so; or readers saw it */
    TXN_ABORTED, /* EndTxn was answered so; or it was over and readers did not see it; or it may never be seen */
};
struct txn {
    unsigned parts; /* bits; what was sent, answered or not */
    bool offsets;   /* TxnOffsetCommit was sent */
    bool commit_sent;
    enum txn_outcome outcome;
};
enum who { WHO_TV2 = 0, WHO_TV1, WHO_LATE, WHOS };
enum producer_phase { PRODUCER_NONE = 0, PRODUCER_READY, PRODUCER_WORK, PRODUCER_END };
struct producer {
    enum who who;
    enum producer_phase phase;
    int64_t producer_id; /* -1: none yet */
    int16_t epoch;
    int32_t sequences[TXN_PARTS];
    int txn;          /* in WORK and END */
    bool good;        /* everything in it was answered */
    int64_t begun_ms; /* wall */
};
struct txn_view {
    bool stable; /* read to the high watermark */
    int n;
    int records[TXN_RECORDS_MAX]; /* transaction * TXN_PART_RECORDS + index */
    int64_t offsets[TXN_RECORDS_MAX];
};
struct txns {
    bool topic_there;
    int n_txns;
    struct txn txns[TXN_MAX];
    struct producer producers[WHOS];
    struct txn_view read[TXN_PARTS];
    int64_t stable_offsets[TXN_PARTS]; /* the highest that were answered */
};
void txns_init(struct txns *t);
void txns_create_topic(struct client *c, struct txns *t);
/* Begins a transaction: InitProducerId where there is no producer id, then a batch to each of the partitions, and an offset. What is
 * still to be ended is ended first. */
void txns_begin(struct client *c, struct txns *t, enum who who, unsigned parts, bool offsets);
/* Writes on in the transaction that is open. */
void txns_go_on(struct client *c, struct txns *t, enum who who, unsigned parts);
/* Ends it; as an abort where something of it was not answered. What stays unanswered is asked again by the next call for this producer. */
void txns_end(struct client *c, struct txns *t, enum who who, bool commit);
/* Asks again for the end that was answered last: it must be answered alike. */
void txns_repeat_end(struct client *c, struct txns *t, enum who who, bool commit);
/* Another producer takes the transactional id; the one before tries to write, and to commit, and must not. */
void txns_fence(struct client *c, struct txns *t, enum who who);
/* Asks again for ends that are unanswered. */
void txns_ask_ends(struct client *c, struct txns *t);

/* txn_read.c: reads a partition as read_committed consumers do. False: it could not be read. */
bool txns_read(struct client *c, struct txns *t, int part, struct txn_view *out, bool settled);
/* The committed offset of TXN_GROUP; -1 none, -2: it could not be read. */
int64_t txns_read_offset(struct client *c);
/* txn_verify.c: reads everything and compares. settled: every transaction had its time, and is over. */
void txns_verify(struct client *c, struct txns *t, bool settled);
#endif
