/* group: the coordinator of consumer groups (GroupCoordinatorService, GroupMetadataManager, OffsetMetadataManager).
 *
 * A machine over one statelog per partition of __consumer_offsets, in Kafka's own record schemas. Requests come decoded and replies
 * leave as wire structs. Every call is asynchronous: the response and the arena live until `done` runs, once, when
 * everything that the reply says is durable; call->rc is then 0, or E_OFFLINE: the connection is closed without an answer.
 * See src/group/README.md for the states of a group.
 */
#ifndef BARNABAS_GROUP_H
#define BARNABAS_GROUP_H

#include "base.h"
#include "config.h"
#include "statelog.h"
#include "sys.h"
#include "wire.h"

struct groupm;

struct groupm_options {
    const struct config *config;
    /* The statelog of the shard that a group lives in; made when it is missing. 0 or a kafka_error. */
    int16_t (*shard)(void *arg, int32_t shard, struct statelog **out);
    /* How many shards there are: partitions of __consumer_offsets; the topic is made when it is missing. 0: not available. */
    int32_t (*n_shards)(void *arg);
    /* Names of topics by id and back; NULL / zero when unknown (OffsetCommit v10). */
    struct str (*topic_name)(void *arg, struct uuid id);
    struct uuid (*topic_id)(void *arg, struct str name);
    int32_t (*topic_partitions)(void *arg, struct str name); /* 0: no such topic */
    /* All topics, for regular expressions; the names are borrowed until the next change. */
    int32_t (*n_topics)(void *arg);
    struct str (*topic_at)(void *arg, int32_t i);
    int64_t (*metadata_version)(void *arg); /* grows with every change of the metadata */
    /* A group's own settings (GROUP resources); NULL and 0 when there are none. */
    const struct config_pair *(*group_configs)(void *arg, struct str group_id, int *n);
    void *arg;
};
struct groupm *groupm_new(struct env *env, const struct groupm_options *options);
void groupm_free(struct groupm *g);
/* A record of a shard's log: the machine given to statelog_open is a struct group_shard. */
struct group_shard *groupm_shard(struct groupm *g, int32_t shard);
void group_shard_apply(void *machine, const struct statelog_record *r);
/* After a shard has been replayed: members get their session timers, groups their states (onLoaded). */
void group_shard_loaded(struct group_shard *s);

struct group_client {
    struct str client_id;   /* may be null */
    struct str client_host; /* "/127.0.0.1", as Kafka shows it */
};
struct group_call {
    void (*done)(struct group_call *c);
    int rc;
    struct arena *arena; /* for the response */
    struct statelog_wait wait; /* group's own, like the rest */
    struct statelog_waits waits;
    struct list link;
    void *state;
};
/* Answers may be made at once: `done` can run before the function returns, and the call may be gone then. */
void groupm_join(struct groupm *g, const struct group_client *who, const struct join_group_request *rq, int16_t version,
                 struct join_group_response *rsp, struct group_call *call);
void groupm_sync(struct groupm *g, const struct sync_group_request *rq, int16_t version,
                 struct sync_group_response *rsp, struct group_call *call);
void groupm_heartbeat(struct groupm *g, const struct heartbeat_request *rq, int16_t version,
                      struct heartbeat_response *rsp, struct group_call *call);
void groupm_leave(struct groupm *g, const struct leave_group_request *rq, int16_t version,
                  struct leave_group_response *rsp, struct group_call *call);
void groupm_offset_commit(struct groupm *g, const struct group_client *who, const struct offset_commit_request *rq,
                          int16_t version, struct offset_commit_response *rsp, struct group_call *call);
/* In a producer's transaction, which has the group's partition already: seen when it is committed. */
void groupm_txn_offset_commit(struct groupm *g, const struct txn_offset_commit_request *rq, int16_t version,
                              struct txn_offset_commit_response *rsp, struct group_call *call);
void groupm_offset_fetch(struct groupm *g, const struct offset_fetch_request *rq, int16_t version,
                         struct offset_fetch_response *rsp, struct group_call *call);
/* Which topics a client may see, of those that its regular expression matches. */
struct group_sight {
    bool (*may_describe)(void *arg, struct str topic); /* NULL: all */
    void *arg;
};
/* KIP-848: members of consumer groups. Topics by name were authorized. */
void groupm_consumer_heartbeat(struct groupm *g, const struct group_client *who, const struct group_sight *sight,
                               const struct consumer_group_heartbeat_request *rq, int16_t version,
                               struct consumer_group_heartbeat_response *rsp, struct group_call *call);
void groupm_consumer_describe(struct groupm *g, const struct consumer_group_describe_request *rq,
                              struct consumer_group_describe_response *rsp, struct group_call *call);
void groupm_list(struct groupm *g, const struct list_groups_request *rq, int16_t version,
                 struct list_groups_response *rsp, struct group_call *call);
void groupm_describe(struct groupm *g, const struct describe_groups_request *rq, int16_t version,
                     struct describe_groups_response *rsp, struct group_call *call);
void groupm_delete(struct groupm *g, const struct delete_groups_request *rq, int16_t version,
                   struct delete_groups_response *rsp, struct group_call *call);
void groupm_offset_delete(struct groupm *g, const struct offset_delete_request *rq, int16_t version,
                          struct offset_delete_response *rsp, struct group_call *call);
/* Nobody waits for the answer any more, or it must come now: a JoinGroup or SyncGroup that waits for other members ends with
 * COORDINATOR_NOT_AVAILABLE, and `done` runs before this returns. The member stays what it was, as after a lost reply. A call
 * that only waits to be durable is left alone. */
void groupm_give_up(struct groupm *g, struct group_call *call);
/* A topic came, or has more partitions: consumer groups look at their topics again. */
void groupm_topic_changed(struct groupm *g, bool created);
/* A topic is gone: its offsets go too. */
void groupm_topic_deleted(struct groupm *g, struct str topic);
/* __consumer_offsets is being deleted: all groups are forgotten, whoever waits is answered (COORDINATOR_NOT_AVAILABLE). The shards are
 * asked for anew. (CoordinatorRuntime.scheduleUnloadOperation) */
void groupm_forget(struct groupm *g);
/* Stopping: every call that waits is answered now (COORDINATOR_NOT_AVAILABLE). */
void groupm_stop(struct groupm *g);
/* A hash over the groups, their members and offsets, for broker_digest; the same before a clean stop and after the start where
 * groupm_settled said that no group was in a rebalance. */
uint64_t groupm_digest(const struct groupm *g);
bool groupm_settled(const struct groupm *g);
/* Which shard: Utils.abs(group_id.hashCode()) % n. */
int32_t group_shard_of(struct str group_id, int32_t n_shards);

#endif
