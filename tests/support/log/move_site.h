/* Two log directories, /a and /b, and one log, t-0, that moves between them: as much of a broker as that needs, on a simulated disk. */
#ifndef BARNABAS_TEST_MOVE_SITE_H
#define BARNABAS_TEST_MOVE_SITE_H

#include "disk_env.h"

#include <setjmp.h>

#include <cmocka.h>

#define SITE_START_MS 1000000

/* What a broker would know: which directory the metadata names; what was written, and acknowledged. */
struct site_model {
    int n, n_written, n_acked, dir;
    int64_t start_noted; /* of DeleteRecords, promised */
};
struct site_options {
    bool is_volatile;          /* the topic is not durable */
    const char *segment_bytes; /* NULL: "400" */
    size_t value_bytes;        /* 0: 30 */
};
struct site {
    struct site_options options;
    struct env env;
    struct clock *clock;
    struct config config;
    struct topic_config topic;
    struct logm *m;
    struct log *log;
    struct log_move move;
    struct log_wait start_wait;
    struct site_model *model;
    bool keeps;  /* the metadata does not become durable */
    int refuses; /* the metadata cannot be written */
    int ends;    /* so many steps until its record is durable; 0: there is none */
    int n_switching, n_switched, n_done, rc;
};

/* Which case a check that fails belongs to. */
void site_case(const char *kind, uint64_t at);
void site_failed(const char *cond);
#define check(cond)                                                                                \
    do {                                                                                           \
        if (!(cond))                                                                               \
            site_failed(#cond);                                                                    \
    } while (0)

void site_init(struct site *s, struct vfs *v, struct clock *clock, struct site_model *model,
               struct site_options options);
void site_release(struct site *s);
int site_open(struct site *s); /* a start: of two copies the one that the model names counts */
void site_close(struct site *s, bool clean); /* clean = false: as if killed */
void site_settle(struct site *s);            /* until nothing is to be done */
void site_advance(struct site *s, int64_t ms);

/* A record that says `number`. */
int site_append(struct site *s, struct log *l, int number, int64_t *base_offset);
bool site_put_only(struct site *s); /* the next one; false: it was refused */
bool site_put(struct site *s);      /* and it was acknowledged */
void site_count_acked(struct site *s);
/* From its start, each record is the one that was written there, and none that was promised is missing. */
void site_compare(struct site *s);

void site_begin_move(struct site *s, int dir);
void site_end_if_named(
    struct site *s); /* a step nearer to the metadata's record being durable; then the move ends */
/* Writes while it moves, a record for each job that ends. True: it has moved. */
bool site_move(struct site *s, int dir);

#endif
