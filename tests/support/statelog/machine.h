/* A machine that remembers what it was shown, over a real log on files in memory. */
#ifndef BARNABAS_TEST_MACHINE_H
#define BARNABAS_TEST_MACHINE_H

#include "statelog.h"

#include <setjmp.h>

#include <cmocka.h>

struct seen {
    int64_t offset, timestamp_ms;
    struct bytes key, value; /* owned */
    bool control, transactional;
    int64_t producer_id;
    int32_t leader_epoch;
};
struct machine {
    struct env env;
    struct config config;
    struct logm *m;
    struct log *log;
    struct statelog *s;
    struct statelog_options options;
    struct errmsg msg;
    struct seen *seen;
    int n_seen, cap_seen;
    const char *topic_setting; /* "name=value" of the log's own, or NULL */
};

void machine_init(struct machine *x, enum log_origin origin);
void machine_release(struct machine *x);
void machine_open_log(struct machine *x);
int machine_open(struct machine *x); /* log and statelog; forgets what was seen */
void machine_close(struct machine *x, bool clean);
void machine_settle(struct machine *x); /* turns and jobs until nothing happens any more */
struct statelog_entry entry(const char *key, const char *value); /* NULL: null */
bool seen_is(const struct machine *x, int i, int64_t offset, const char *key, const char *value);
/* A batch straight into the log, as somebody else would write it. */
void machine_append(struct machine *x, struct batch_options options, int n_records);
/* Where the first segment is. */
const char *machine_segment_path(void);

#endif
