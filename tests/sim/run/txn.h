/* Transactions, as their producers and readers know them.
 *
 * They have topics and groups of their own. Every transaction has a number, every record says which transaction it is of; the
 * offset that a transaction commits in its group is its number. What is not sent to be committed must never be seen; what
 * was told to be committed must be; what was never told ends one way everywhere.
 */
#ifndef SIM_TXN_H
#define SIM_TXN_H

#include "world.h"

#define TXN_TOPICS_MAX  2
#define TXN_PARTS_MAX   5
#define TXN_IDS_MAX     3
#define TXN_READERS_MAX 2

enum txn_end { TXN_END_UNKNOWN = 0, TXN_END_COMMITTED, TXN_END_ABORTED };

struct txn {
    int64_t number; /* also its place */
    int id;         /* which transactional id */
    bool commit_sent;
    bool told;                   /* its producer was told how it ended */
    bool offset_acked;           /* its number was taken as an offset of its group */
    enum txn_end end;            /* as far as anybody knows */
    int seen_end[TXN_PARTS_MAX]; /* the scan that has seen its marker there */
    int64_t shown
        [TXN_PARTS_MAX]; /* the high watermark when a record of it was first below the last stable offset; 0: never */
};
struct txn_record {
    int64_t txn;
    int64_t offset; /* -1: not known */
    bool acked;
};
struct txn_part {
    struct txns *all;
    char name[32]; /* with the number of the partition */
    int number;    /* among all partitions */
    struct txn_topic *topic;
    int index;
    int64_t *slots; /* records by offset; -1 not known */
    bool *gone;     /* by offset: compaction has taken it */
    int64_t n, cap;
    int64_t stable; /* the highest last stable offset that anybody was told */
    bool weak;      /* not durable, and something was lost: little is promised */
};
struct txn_topic {
    char name[16];
    bool durable, compacted;
    int delete_retention_ms, segment_ms; /* where it is compacted */
    int segment_bytes, n_parts, first_part;
};
struct txn_id {
    char name[24], group[24];
    int n_inits;         /* InitProducerId, sent by anybody */
    int64_t producer_id; /* the newest that anybody was given; -1 */
    int32_t epoch;       /* of it; -1 */
    const void *holder;  /* the producer that got it */
    int64_t holder_ns;   /* when */
    int64_t offset_told; /* the last that was told to be committed; -1 */
    int64_t offset_seen; /* the largest that was fetched; -1 */
};
struct txns {
    struct world *w;
    struct txn_topic topics[TXN_TOPICS_MAX];
    int n_topics;
    bool topics_there;
    struct txn_part parts[TXN_PARTS_MAX];
    int n_parts;
    struct txn_id ids[TXN_IDS_MAX];
    int n_ids;
    struct txn *txns;
    int64_t n_txns, cap_txns;
    struct txn_record *records;
    int64_t n_records, cap_records;
    int n_scans;
    int n_busy; /* producers that have not come to an end */
    uint64_t n_committed, n_aborted, n_fenced;
};

/* ---- what is known (txn_model.c) */

int64_t txn_begin(struct txns *all, int id);
int64_t txn_records_new(struct txns *all, int64_t txn, int n); /* the first */
void txn_acked(struct txn_part *p, int64_t first_record, int n, int64_t base_offset);
/* A record was read. */
void txn_found(struct txn_part *p, int64_t offset, int64_t record);
/* How a transaction ended, and who says so. */
void txn_ended(struct txns *all, int64_t txn, enum txn_end end, const char *who);
void txn_told(struct txns *all, int64_t txn, enum txn_end end);
/* A last stable offset came with a high watermark, asked for when `known` was the highest. */
void txn_stable(struct txn_part *p, int64_t known, int64_t stable, int64_t high_watermark);
/* The group's offset was asked for when told and seen were what they are here; this came. */
void txn_offset_fetched(struct txns *all, int id, int64_t told, int64_t seen, int64_t got);
/* After a power cut: what a part that is not durable held is not sure. */
void txn_part_weakens(struct txn_part *p);

/* ---- compacted topics (txn_kept.c) */

#define TXN_KEY_TEXT_MAX 16
#define TXN_CONFIGS_MAX  8
struct txn_configs {
    struct create_topics_request_topics_configs rows[TXN_CONFIGS_MAX];
    char text[TXN_CONFIGS_MAX][24];
    int n;
};
void txn_topic_choose(struct txns *all, struct txn_topic *t, int number);
void txn_topic_settings(const struct txn_topic *t, struct txn_configs *c);
/* The key of a record; null where the topic is not compacted. */
struct bytes txn_key(const struct txn_topic *t, int64_t record, char text[TXN_KEY_TEXT_MAX]);
/* All of a partition was read: there[i] says whether a record came at offset i < n. What is known and did not come must have been aborted, or
 * a later record of its key came that is committed. */
void txn_kept_check(struct txn_part *p, const bool *there, int64_t n);

/* ---- reading (txn_read.c) */

#define SCAN_PRODUCERS_MAX 64
struct txn_scan {
    struct txn_part *p;
    bool committed; /* a read_committed reader */
    int64_t at;     /* the next offset */
    int number;
    bool *there; /* of all offsets below n_there; NULL: not wanted */
    int64_t n_there;
    /* read_uncommitted: who has a transaction open */
    struct {
        int64_t producer_id, txn;
    } open[SCAN_PRODUCERS_MAX];
    int n_open;
};
void txn_scan_begin(struct txn_scan *s, struct txn_part *p, bool committed, int64_t from);
/* The answer of a Fetch at s->at. */
void txn_scan_row(struct txn_scan *s, const struct fetch_response_responses_partitions *row);

void txn_reader_new(struct txns *all, int number);

/* ---- producers (txn_producer.c) */

void txn_producer_new(struct txns *all, int id, int number);

#endif
