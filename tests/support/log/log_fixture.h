/* A log manager over files in memory, simulated time and simulated lanes; batches to append; turns
 * until all is quiet. */
#ifndef BARNABAS_TEST_LOG_FIXTURE_H
#define BARNABAS_TEST_LOG_FIXTURE_H

#include "log.h"

#include <setjmp.h>

#include <cmocka.h>

#define FIXTURE_DIR      "/data"
#define FIXTURE_START_MS 1000000

struct fixture {
    struct env env;
    struct clock *clock;
    struct config config;
    struct topic_config topic; /* changed by a test before the log is opened */
    struct logm *m;
    struct log *log; /* "t-0" */
    struct errmsg msg;
};

/* Setting overrides "key=value" of the broker, ended by NULL. Opens nothing. */
void fixture_init(struct fixture *fx, const char *const *overrides);
void fixture_release(struct fixture *fx);
void fixture_open(struct fixture *fx);        /* log directory and log; must succeed */
int fixture_open_manager(struct fixture *fx); /* the first half of it */
int fixture_open_log(struct fixture *fx);     /* the other */
void fixture_settle(struct fixture *fx);      /* turns and jobs until nothing happens any more */
void fixture_stop(struct fixture *fx);        /* a clean stop */
void fixture_kill(struct fixture *fx);        /* the process is gone; what was written stays */
/* The topic's settings, "key=value" pairs ended by NULL. */
void fixture_topic(struct fixture *fx, const char *const *pairs);
void fixture_advance_ms(struct fixture *fx, int64_t ms);

struct test_batch {
    int n_records;        /* 1 */
    int64_t timestamp_ms; /* of the first record; each next one is a ms later. 0: now */
    int64_t producer_id;  /* 0: none */
    int16_t producer_epoch;
    int32_t sequence;
    int16_t attributes;
    int value_bytes; /* 10 */
    bool no_keys;
    int64_t base_offset;
    int32_t leader_epoch;
    bool verified;               /* a transactional one: the coordinator said yes */
    bool is_marker, commits;     /* a control batch that ends a transaction */
    int32_t coordinator_epoch;   /* of a marker */
    int16_t transaction_version; /* of a marker */
};
struct chunk *fixture_batch(struct fixture *fx, struct test_batch tb, size_t *n_bytes);
/* Appends; the whole answer. */
int fixture_append_as(struct fixture *fx, enum log_origin origin, struct test_batch tb,
                      struct log_append *a);
/* Appends as a client; must succeed; the base offset. */
int64_t fixture_append(struct fixture *fx, struct test_batch tb);
/* What a refused batch is told. */
int16_t fixture_append_error(struct fixture *fx, struct test_batch tb);
/* All of the log from its start, read batch by batch: each must be whole, and offsets must follow.
 * The number of records. */
int64_t fixture_count_records(struct fixture *fx);
/* Path of a file of the log: name as "%020d.log" of offset and suffix. */
const char *fixture_path(struct fixture *fx, int64_t offset, const char *suffix);
bool fixture_exists(struct fixture *fx, const char *path);
void fixture_read_file(struct fixture *fx, const char *path,
                       struct buf *out); /* initialised here */
void fixture_write_file(struct fixture *fx, const char *path, const void *p, size_t n);
/* Changes one byte. */
void fixture_flip(struct fixture *fx, const char *path, uint64_t at);
void fixture_truncate(struct fixture *fx, const char *path, uint64_t size);
uint64_t fixture_file_bytes(struct fixture *fx, const char *path);

#endif
