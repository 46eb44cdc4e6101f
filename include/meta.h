/* meta: the cluster's metadata: topics, partitions, settings, features, producer id blocks, this broker's registration.
 *
 * A machine over statelog on __cluster_metadata-0, in KRaft's framing and record schemas (kafka-metadata's common/metadata): a
 * record's value is frame version (unsigned varint 1), record type, record version, body; the key is null. So that
 * `kafka-dump-log --cluster-metadata-decoder` prints it and Apache Kafka can open it. Records that we do not use are
 * skipped, never dropped from the log.
 *
 * Functions that decide return 0, or E_* when the log refused; what the peer did wrong is *error, with a reason. Changes are
 * visible at once and durable later: meta_after tells when.
 */
#ifndef BARNABAS_META_H
#define BARNABAS_META_H

#include "base.h"
#include "config.h"
#include "log.h"
#include "statelog.h"

#define METADATA_TOPIC "__cluster_metadata"
#define OFFSETS_TOPIC "__consumer_offsets"
#define TRANSACTION_TOPIC "__transaction_state"
#define SHARE_TOPIC "__share_group_state"
#define TOPIC_NAME_BYTES_MAX 249
#define META_TOPIC_PARTITIONS_MAX 100000 /* in one topic; a limit of ours */
#define META_FEATURE_METADATA_VERSION 33

struct meta;

struct meta_partition {
    int32_t leader_epoch, partition_epoch;
    struct uuid dir_id;
    struct log *log; /* the broker's: NULL until opened; meta never looks at it */
};
struct meta_topic {
    char *name;
    struct uuid id;
    struct meta_partition *partitions;
    int32_t n_partitions;
    struct config_pair *configs; /* the topic's own settings, by name ascending; owned text */
    int n_configs;
    struct topic_config config; /* resolved: broker values under the own settings */
    bool internal;              /* __consumer_offsets, __transaction_state, __share_group_state */
    UT_hash_handle by_name, by_id;
    /* meta's own */
    char *unified; /* the name with '_' for '.', where it has one of them: two such names must differ; else NULL */
    UT_hash_handle by_unified;
    struct list changed_link; /* in meta's changed: what the observer has not been told yet */
    unsigned changes;
    int32_t first_new;
};
/* What the broker does when the metadata changes: called while running and not while loading, when all records of the change are
 * applied, before the deciding function returns. It may look, but not change metadata. NULL: nobody cares. */
struct meta_observer {
    void (*topic_created)(void *arg, struct meta_topic *t);
    void (*partitions_added)(void *arg, struct meta_topic *t, int32_t first_new);
    void (*topic_deleted)(void *arg, struct meta_topic *t); /* not found any more; t dies after the call */
    void (*topic_configured)(void *arg, struct meta_topic *t);
    void (*broker_configured)(void *arg); /* the settings in meta_options.config have changed */
    void *arg;
};
struct meta_endpoint {
    struct str name, host;
    int port;
    int16_t security_protocol;
};
struct meta_options {
    struct config *config; /* borrowed; settings of brokers in the metadata are put into it (config_set_dynamic) */
    struct log *log; /* __cluster_metadata-0; borrowed */
    const char *dir_path; /* the log's directory: the newest KRaft snapshot in it is loaded first, and new ones are
                             written there from time to time; NULL: neither */
    struct uuid cluster_id;
    int32_t node_id;
    const struct uuid *dir_ids;
    int n_dir_ids;
    const struct meta_endpoint *endpoints; /* for the broker's registration record */
    int n_endpoints;
    struct meta_observer observer;
};
/* Replays; an empty log is initialised (leader change, feature levels, this broker's registration). E_FORMAT when the metadata is of
 * a newer feature level than we read; msg says so. */
int meta_open(struct env *env, const struct meta_options *options, struct meta **out, struct errmsg *msg);
void meta_close(struct meta *m);
/* No snapshot is being written. A clean stop waits for it. */
bool meta_quiet(const struct meta *m);

struct meta_topic *meta_topic(struct meta *m, struct str name);              /* NULL */
struct meta_topic *meta_topic_by_id(struct meta *m, struct uuid id);         /* NULL */
int meta_n_topics(const struct meta *m);
struct meta_topic **meta_topics_sorted(struct meta *m); /* by name; borrowed, valid until the next change */
int64_t meta_end(const struct meta *m);                 /* the offset after the last applied record: the features' epoch */
int64_t meta_broker_epoch(const struct meta *m);
/* No new partition goes to this one of options.dir_ids any more. */
void meta_set_dir_offline(struct meta *m, int dir);
struct meta_feature {
    const char *name;
    int16_t level;
};
const struct meta_feature *meta_features(const struct meta *m, int *n); /* finalized levels */
/* The levels that this broker knows (the Feature and MetadataVersion enums of Kafka 4.4). */
struct meta_feature_range {
    const char *name;
    int16_t min, max;
};
extern const struct meta_feature_range meta_supported_features[];
extern const int meta_n_supported_features;

/* ConfigResource.Type, in ConfigRecords and in the protocol. */
enum meta_resource_type {
    META_RESOURCE_TOPIC = 2,
    META_RESOURCE_BROKER = 4, /* "": all brokers' */
    META_RESOURCE_BROKER_LOGGER = 8,
    META_RESOURCE_CLIENT_METRICS = 16,
    META_RESOURCE_GROUP = 32,
};
/* The settings that the metadata holds for a resource, by name ascending; a topic's are its `configs`. Borrowed until the next
 * change; NULL and 0 when there are none. */
const struct config_pair *meta_configs(const struct meta *m, enum meta_resource_type type, struct str name, int *n);

/* Topic.validate: 1..249 of [a-zA-Z0-9._-], not "." or "..". False with Kafka's text in why (which may be NULL). */
bool meta_topic_name_valid(struct str name, struct errmsg *why);
bool meta_topic_name_internal(struct str name); /* one of the three coordinators' topics */

struct meta_new_topic {
    struct str name;
    int32_t n_partitions;       /* -1: num.partitions */
    int16_t replication_factor; /* -1: default.replication.factor; > 1 refused, but taken as 1 for internal topics */
    const struct meta_assignment *assignments; /* manual: each must be this node alone */
    int n_assignments;
    const struct config_pair *configs;
    int n_configs;
    bool validate_only;
};
struct meta_assignment {
    int32_t partition;
    const int32_t *broker_ids;
    int n_broker_ids;
};
/* ReplicationControlManager.createTopic: checks in its order, with its errors. *out may be NULL; with validate_only, or with
 * *error, it stays NULL. */
int meta_create_topic(struct meta *m, const struct meta_new_topic *t, struct meta_topic **out, int16_t *error,
                      struct errmsg *why);
/* A topic's settings: its own (of two for one name the last) over the cluster's over the broker's. E_INVALID with Kafka's words. */
int meta_topic_config(const struct meta *m, const struct config_pair *own, int n_own, struct topic_config *out,
                      struct errmsg *msg);
/* How many partitions it would have: assignments, num_partitions or num.partitions. */
int32_t meta_new_topic_partitions(const struct meta *m, const struct meta_new_topic *t);
/* One of the three coordinators' topics, with the partitions and settings that the broker's settings give it
 * (DefaultAutoTopicCreationManager). */
int meta_create_internal_topic(struct meta *m, struct str name, struct meta_topic **out, int16_t *error,
                               struct errmsg *why);
int meta_delete_topic(struct meta *m, struct meta_topic *t, int16_t *error, struct errmsg *why);
struct meta_more_partitions {
    int32_t count; /* how many the topic shall have */
    const struct meta_assignment *assignments; /* of the new ones, in order; their `partition` is not looked at */
    int n_assignments;                         /* -1: none were given */
    bool validate_only;
};
/* ReplicationControlManager.createPartitions: checks in its order, with its errors. */
int meta_create_partitions(struct meta *m, struct meta_topic *t, const struct meta_more_partitions *more, int16_t *error,
                           struct errmsg *why);
/* Whether these can be one partition's replicas, on a cluster of this node alone: a kafka_error. */
int16_t meta_check_replicas(const struct meta *m, const struct meta_assignment *a, struct errmsg *why);
/* The partition lies in this one of options.dir_ids from now on (ReplicationControlManager.handleAssignReplicasToDirs); its log, if
 * it has one, is the caller's. */
int meta_assign_dir(struct meta *m, struct meta_topic *t, int32_t partition, int dir);
/* When this partition is made, it shall lie in this one of options.dir_ids. Remembered until then, or the stop of the process. */
void meta_prefer_dir(struct meta *m, struct str topic, int32_t partition, int dir);
/* FeatureUpdate.UpgradeType */
enum meta_feature_upgrade { META_FEATURE_UPGRADE = 1, META_FEATURE_SAFE_DOWNGRADE = 2, META_FEATURE_UNSAFE_DOWNGRADE = 3 };
struct meta_feature_update {
    struct str name;
    int16_t level;
    enum meta_feature_upgrade type;
};
/* Finalizes levels, all or none (FeatureControlManager.updateFeatures). */
int meta_update_features(struct meta *m, const struct meta_feature_update *updates, int n, bool validate_only, int16_t *error,
                         struct errmsg *why);
/* Takes a broker's registration away. Ours comes back with the next start (ClusterControlManager). */
int meta_unregister_broker(struct meta *m, int32_t broker_id, int16_t *error, struct errmsg *why);
/* AlterConfigOp.OpType */
enum meta_config_op { META_CONFIG_SET = 0, META_CONFIG_DELETE = 1, META_CONFIG_APPEND = 2, META_CONFIG_SUBTRACT = 3 };
struct meta_config_change {
    enum meta_config_op op;
    struct str name, value;
};
struct meta_alter_configs {
    enum meta_resource_type type; /* not a logger: their levels are not stored */
    struct str name;
    const struct meta_config_change *changes;
    int n_changes;
    bool replace; /* AlterConfigs: settings that are not named are removed */
    bool validate_only;
};
/* Changes a resource's settings (ConfigurationControlManager): all of them, or none. Takes effect at once. */
int meta_alter_configs(struct meta *m, const struct meta_alter_configs *a, int16_t *error, struct errmsg *why);
/* Calls `fn` for each resource of this type, other than topics, that has settings, in no order. */
void meta_each_configured(const struct meta *m, enum meta_resource_type type, void (*fn)(void *arg, struct str name),
                          void *arg);
/* A block of 1,000 producer ids, none below `at_least`, persisted before use (ProducerIdControlManager). */
int meta_allocate_producer_ids(struct meta *m, int64_t at_least, int64_t *first, int32_t *count);
/* Runs `then` when all that was decided so far is durable. */
void meta_after(struct meta *m, struct statelog_wait *w, void (*then)(struct statelog_wait *, int rc));

#endif
