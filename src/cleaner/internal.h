/* What cleaner's files ask of one another. */
#ifndef BARNABAS_CLEANER_INTERNAL_H
#define BARNABAS_CLEANER_INTERNAL_H

#include "cleaner.h"

/* Free space of one log directory, looked at once a round: growth.c */
#define GROWTH_SAMPLES 12
struct growth {
    struct {
        struct mono at;
        uint64_t free_bytes;
    } samples[GROWTH_SAMPLES]; /* oldest first */
    int n;
    struct mono said_at; /* with said */
    bool said;
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
};

/* retention.c: what the settings say of an open log; 0, or E_* of a segment that could not be looked at, or of the roll. */
int retention_apply(struct log *l, struct wall now);
/* Whether a log that is not open has to be opened for it. */
bool retention_wants(const struct log_peek *peek, const struct topic_config *config, struct wall now);
/* growth.c: once a round. */
void growth_look(struct cleaner *c);

#endif
