/* A group coordinator in one process: real logs and statelogs over files in memory, a clock and
 * lanes that are told.
 *
 *     club_open -> ask_...(request) -> settle -> look at the answer -> pass time -> ...
 *               -> club_close
 *
 * Answers belong to the club and live until it closes.
 */
#ifndef CLUB_H
#define CLUB_H

#include "group.h"
#include "log.h"
#include "statelog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define CLUB_SHARDS     4
#define CLUB_TOPICS_MAX 8
#define CLUB_START_MS   1700000000000

struct club_topic {
    const char *name;
    struct uuid id;
    int32_t n_partitions;
};
struct club {
    struct env env;
    struct clock *clock;
    struct config config;
    struct topic_config topic;
    struct logm *logm;
    struct log *logs[CLUB_SHARDS];
    struct statelog *shards[CLUB_SHARDS];
    struct groupm *g;
    struct club_topic topics[CLUB_TOPICS_MAX];
    int n_topics;
    int64_t metadata_version;
    bool unavailable; /* the shard cannot be had */
    struct list answers;
    struct errmsg msg;
};
/* `overrides` are settings, "key=value", and end with NULL; may be NULL. */
void club_open(struct club *c, const char *const *overrides);
void club_close(struct club *c);
/* Stops and starts again over the same files. clean = false: as if killed. */
void club_restart(struct club *c, bool clean);
void club_open_shards(struct club *c); /* all of them, now */
/* Everything that can happen now happens: waits fire, commits run. */
void club_settle(struct club *c);
/* Time goes by in small steps, and everything that is due happens. */
void club_pass_ms(struct club *c, int64_t ms);
void club_topic(struct club *c, const char *name, int32_t n_partitions); /* makes one */
struct uuid club_topic_id(struct club *c, const char *name);
/* How many records there are in all shards. */
int64_t club_records(struct club *c);

/* ---- answers */

struct answer {
    struct list link;
    struct group_call call;
    struct arena arena;
    bool done;
    int16_t version;
    struct join_group_response join;
    struct sync_group_response sync;
    struct heartbeat_response heartbeat;
    struct leave_group_response leave;
    struct offset_commit_response commit;
    struct offset_fetch_response fetch;
    struct list_groups_response list;
    struct describe_groups_response describe;
    struct delete_groups_response del;
    struct offset_delete_response offset_delete;
};
struct answer *answer_new(struct club *c, int16_t version);

struct joiner {
    const char *group;     /* NULL: "g" */
    const char *member;    /* NULL: "" */
    const char *instance;  /* NULL: dynamic */
    const char *type;      /* NULL: "consumer" */
    const char *protocols; /* NULL: "range"; several with "," between */
    const char *topics;    /* of the subscription; NULL: "t" */
    const char *client;    /* NULL: "client" */
    int32_t session_ms;    /* 0: 10,000 */
    int32_t rebalance_ms;  /* 0: 60,000 */
    int16_t version;       /* 0: 9; use -1 for 0 */
};
struct answer *ask_join(struct club *c, struct joiner j);
/* Joins with MEMBER_ID_REQUIRED in between; the answer is that of the second request. */
struct answer *ask_join_new(struct club *c, struct joiner j);
struct answer *ask_sync(struct club *c, const char *group, const char *member, int32_t generation);
/* The leader's: for each member of `joined` the assignment "to <member id>". */
struct answer *ask_sync_leader(struct club *c, const char *group, const struct answer *joined);
struct answer *ask_heartbeat(struct club *c, const char *group, const char *member,
                             int32_t generation);
struct answer *ask_heartbeat_static(struct club *c, const char *group, const char *member,
                                    const char *instance, int32_t generation);
struct answer *ask_leave(struct club *c, const char *group, const char *member,
                         const char *instance);
struct committer {
    const char *group, *member, *instance, *topic, *metadata; /* NULL: "g", "", none, "t", "" */
    int32_t generation; /* 0 is sent as it is; simple commits say -1 */
    int32_t partition;
    int64_t offset;
    int64_t retention_ms; /* 0: none */
    int32_t leader_epoch;
    int16_t version; /* 0: 9 */
};
struct answer *ask_commit(struct club *c, struct committer o);
int16_t commit_error(const struct answer *a); /* of its one partition; the answer must be there */
struct answer *ask_fetch(struct club *c, const char *group, const char *topic, int32_t partition);
/* The committed offset, settled; -1: none. */
int64_t fetched(struct club *c, const char *group, const char *topic, int32_t partition);
/* "Stable" etc., as DescribeGroups v5 says. */
const char *state_of(struct club *c, const char *group);
struct answer *ask_describe(struct club *c, const char *group, int16_t version);
struct answer *ask_list(struct club *c, const char *state, const char *type);

/* A group with n members in Stable, dynamic, all of topic "t". members[0] leads. */
struct crew {
    struct answer *members[16]; /* their JoinGroup answers */
    int n;
    int32_t generation;
};
void club_stable(struct club *c, const char *group, int n, struct crew *crew);
const char *crew_id(const struct crew *crew, int i); /* terminated */
#endif
