/* What cleaner's files ask of one another. */
#ifndef BARNABAS_CLEANER_INTERNAL_H
#define BARNABAS_CLEANER_INTERNAL_H

#include "cleaner.h"
#include "pass.h"

#include <math.h>

/* Free space of one log directory: growth.c */
#define GROWTH_SAMPLES 13 /* an hour, with the default interval of the rounds */
struct growth {
    struct {
        struct mono at;
        uint64_t free_bytes;
    } samples[GROWTH_SAMPLES]; /* oldest first */
    int n;
    double said_left_s; /* in the last warning; 0: there is none that still holds */
};

/* ---- compaction ----------------------------------------------------------------------------- */

#define WORKERS_MAX        16 /* of log.cleaner.threads */
#define GROUP_SEGMENTS_MAX 64 /* their files are renamed in one turn */

/* A log as it lies before compaction: choose.c. */
struct cleanable {
    struct log *log;
    int64_t first_dirty, end; /* what would be looked at */
    uint64_t clean_bytes, dirty_bytes;
    double ratio;
};
enum worker_state {
    WORKER_IDLE = 0,
    WORKER_BUILD, /* the map */
    WORKER_GROUP, /* chooses the next group */
    WORKER_COPY,  /* what is left of its segments */
    WORKER_SWAP,  /* finishes the output, and puts it in their place */
};
struct worker {
    struct cleaner *cleaner;
    enum worker_state state;
    struct log *log; /* NULL while idle; also when it was deleted meanwhile */
    bool given_up;   /* somebody else wants it */
    struct lane lane;
    struct job job;
    struct timer timer; /* a pause, for the throttle */
    bool running;       /* a step is on the lane */
    bool swapping;      /* log_swap is under way */
    struct pass pass;
    struct log_swap swap;
    int64_t first_dirty, end;
    int i;            /* segment: build: the source; then: where the group begins */
    int at;           /* copy: the source */
    int group_n;      /* segments of the group */
    int last_filled;  /* the last of them with records */
    int64_t group_base, source_base;
    uint64_t source_total, out_total;
    struct mono begun, step_begun;
};

#define CLEANER_MAGIC 0x434c4e52u
struct cleaner {
    uint32_t magic;
    struct env *env;
    struct cleaner_options options;
    bool stopping;
    /* retention */
    struct timer round_timer;
    bool in_round;
    struct mono round_begun;
    int64_t step_ms; /* between two looks of a round */
    struct cleaner_cursor cursor;
    struct growth *growth; /* of each log directory */
    /* compaction */
    struct worker workers[WORKERS_MAX];
    int n_busy;
    struct timer scan_timer;
    bool scanning;
    struct cleaner_cursor scan_cursor;
    struct cleanable best; /* of the scan so far; log NULL: none */
};

/* retention.c: what the settings say of an open log; 0, or E_* of a segment that could not be looked at, or of the roll. */
int retention_apply(struct log *l, struct wall now);
/* Whether a log that is not open has to be opened for it. */
bool retention_wants(const struct log_peek *peek, const struct topic_config *config, struct wall now);
/* growth.c: once a round. */
void growth_look(struct cleaner *c);

/* choose.c */
void choose_measure(struct log *l, struct wall now, struct cleanable *out);
bool choose_is_due(const struct cleanable *k, struct wall now);
/* compact.c */
void compact_init(struct cleaner *c);
void compact_release(struct cleaner *c);
void compact_stop(struct cleaner *c);
bool compact_idle(const struct cleaner *c);
void compact_forget(struct cleaner *c, const struct log *l);
bool compact_let_go(struct cleaner *c, const struct log *l);
bool compact_has(const struct cleaner *c, const struct log *l); /* a worker is at it */
void compact_scan_soon(struct cleaner *c, int64_t delay_ms);
bool compact_may_work(const struct cleaner *c);
struct worker *compact_idle_worker(struct cleaner *c); /* NULL: all are busy, or log.cleaner.threads is 0 */
void compact_begin(struct worker *w, const struct cleanable *k);
/* scan.c */
void compact_scan_fire(struct timer *t);
void worker_step_done(struct job *j);

#endif
