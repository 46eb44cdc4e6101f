/* The inside of statelog. */
#ifndef BARNABAS_STATELOG_INTERNAL_H
#define BARNABAS_STATELOG_INTERNAL_H

#include "statelog.h"

#define STATELOG_MAGIC       0x53544c47u
#define STATELOG_BATCH_BYTES 1048576u
/* The most that a batch of the log may be, decompressed: a limit on what a file can make us
 * allocate. */
#define STATELOG_BATCH_BYTES_MAX (256u << 20)

struct statelog {
    uint32_t magic;
    struct statelog_options options;
    struct env *env;
    int64_t end;       /* the offset after the last applied record */
    bool applying;     /* inside options.apply: nothing may be proposed from there */
    struct list waits; /* of struct statelog_wait.link */
};

/* Shows one record to the machine. */
void statelog_apply_one(struct statelog *s, const struct statelog_record *r);
int statelog_replay(struct statelog *s, struct errmsg *msg); /* replay.c */

#endif
