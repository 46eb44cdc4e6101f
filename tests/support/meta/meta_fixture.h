/* A meta over a real log on files in memory, and what its observer was told. */
#ifndef BARNABAS_TEST_META_FIXTURE_H
#define BARNABAS_TEST_META_FIXTURE_H

#include "meta.h"
#include "wire.h"

#include <setjmp.h>

#include <cmocka.h>

struct fixture {
    struct env env;
    struct config config;
    struct logm *logm;
    struct log *log;
    struct meta *m;
    struct uuid dir_ids[3];
    int n_dir_ids;   /* 1 */
    int32_t node_id; /* 1 */
    bool look_for_snapshot;
    struct errmsg msg;
    struct buf told; /* one line per call of the observer */
    int16_t error;   /* of the last decision */
};

/* Overrides "key=value", ended by NULL. Opens nothing. */
void fixture_init(struct fixture *fx, const char *const *overrides);
void fixture_release(struct fixture *fx);
void fixture_open_log(struct fixture *fx);
int fixture_open_meta(struct fixture *fx);
void fixture_open(struct fixture *fx); /* both; must succeed */
void fixture_close(struct fixture *fx, bool clean);
void fixture_settle(struct fixture *fx);
const char *fixture_told(struct fixture *fx); /* and forgets it */

/* A topic of n partitions; must succeed. */
struct meta_topic *fixture_topic(struct fixture *fx, const char *name, int32_t n);
/* Creates as asked; the error in fx->error, its words in fx->msg. */
struct meta_topic *fixture_create(struct fixture *fx, struct meta_new_topic nt);
/* Every record of the log, one "TYPE vN {...}" line each: control batches as "control", batches
 * apart by "-". */
void fixture_dump(struct fixture *fx, struct buf *out);
/* Puts a file of the tests' directory into the metadata log's directory. */
void fixture_put_golden(struct fixture *fx, const char *golden, const char *name);
/* One record, framed, straight into the log. */
void fixture_append_value(struct fixture *fx, struct bytes value);
void fixture_append_record(struct fixture *fx, const char *schema_name, int16_t version,
                           const void *record);

#endif
