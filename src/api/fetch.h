/* Fetch: what fetch.c (reading, waiting, answering) and fetch_session.c (what a session remembers)
 * share. */
#ifndef BARNABAS_API_FETCH_H
#define BARNABAS_API_FETCH_H

#include "internal.h"

struct fetch_session;
struct session_part;

/* One partition to read, from the request or from its session. */
struct fetch_part {
    struct str name; /* of the request, or a copy in the arena; by topic id: may be null */
    struct uuid id;
    int32_t partition;
    int64_t offset;
    int32_t max_bytes;
    int32_t leader_epoch, last_fetched_epoch;
    struct session_part *remembered; /* NULL without a session */

    /* What reading it gave. */
    int16_t error;
    bool unknown;     /* no such topic or partition: FetchResponse.partitionResponse lists no transactions then, not null */
    struct log *log;   /* NULL: nothing was ever written to it, or error */
    struct file *file; /* a reference */
    struct log_check check; /* where the range is not known to be good */
    bool in_check;
    uint32_t n_bytes;
    struct log_read read; /* which gave them */
    struct log_aborted *aborted; /* that a reader of them must know, with READ_COMMITTED; in the arena */
    int32_t n_aborted;
    int64_t high_watermark, stable_offset, start_offset;
    int32_t diverging_epoch; /* -1: none */
    int64_t diverging_end;
    struct log_wait wait;
    struct fetch *fetch;
};

/* Fills parts from the request and its session, as FetchManager.newContext does. Returns a
 * kafka_error for the whole request. */
struct fetch_plan {
    struct fetch_part *parts; /* in the arena */
    int32_t n_parts;
    bool incremental;              /* answer only what changed */
    int32_t session_id;            /* to be answered; 0: none */
    struct fetch_session *session; /* valid while fetch_session_same says so */
    uint64_t session_edit;
};
int16_t fetch_plan_make(struct request *rq, struct fetch_plan *plan);
bool fetch_session_same(struct broker *b, const struct fetch_plan *plan);
/* Whether an incremental answer must show this partition; remembers what it shows. */
bool fetch_session_shows(struct fetch_plan *plan, struct fetch_part *part);

/* api's state of a broker. */
struct api_state {
    struct fetch_session *sessions; /* uthash by id */
    struct list session_age;        /* least recently used first */
    uint64_t session_edits;
    struct lane cold_lanes[2]; /* reads that must wait for the device */
    uint32_t cold_next;
};
struct api_state *api_state(struct broker *b);
void fetch_sessions_free(struct api_state *s);

#endif
