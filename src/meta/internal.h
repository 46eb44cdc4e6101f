/* The inside of meta. */
#ifndef BARNABAS_META_INTERNAL_H
#define BARNABAS_META_INTERNAL_H

#include "meta.h"
#include "wire.h"

#define META_MAGIC              0x4d455441u
#define META_FRAME_VERSION      1
#define META_PRODUCER_IDS_BLOCK 1000
/* A snapshot is read whole. */
#define META_SNAPSHOT_BYTES_MAX ((size_t)1 << 30)
#define META_SNAPSHOT_NAME_BYTES 42 /* "%020d-%010d.checkpoint" */

/* MetadataRecordType: what we read or write of it. */
enum meta_record_type {
    RECORD_REGISTER_BROKER = 0,
    RECORD_UNREGISTER_BROKER = 1,
    RECORD_TOPIC = 2,
    RECORD_PARTITION = 3,
    RECORD_CONFIG = 4,
    RECORD_PARTITION_CHANGE = 5,
    RECORD_FENCE_BROKER = 7,
    RECORD_UNFENCE_BROKER = 8,
    RECORD_REMOVE_TOPIC = 9,
    RECORD_DELEGATION_TOKEN = 10,
    RECORD_USER_SCRAM_CREDENTIAL = 11,
    RECORD_FEATURE_LEVEL = 12,
    RECORD_CLIENT_QUOTA = 14,
    RECORD_PRODUCER_IDS = 15,
    RECORD_BROKER_REGISTRATION_CHANGE = 17,
    RECORD_ACCESS_CONTROL_ENTRY = 18,
    RECORD_REMOVE_ACCESS_CONTROL_ENTRY = 19,
    RECORD_ZK_MIGRATION_STATE = 21,
    RECORD_REMOVE_USER_SCRAM_CREDENTIAL = 22,
    RECORD_BEGIN_TRANSACTION = 23,
    RECORD_END_TRANSACTION = 24,
    RECORD_ABORT_TRANSACTION = 25,
    RECORD_REMOVE_DELEGATION_TOKEN = 26,
    RECORD_REGISTER_CONTROLLER = 27,
    RECORD_UNREGISTER_CONTROLLER = 29,
};

/* meta_topic.changes */
enum meta_change {
    CHANGE_CREATED = 1,
    CHANGE_PARTITIONS = 2,
    CHANGE_CONFIG = 4,
    CHANGE_DELETED = 8,
};

/* Settings of one resource that is not a topic. */
struct meta_resource {
    char *key; /* "<type>/<name>" */
    struct config_pair *pairs;
    int n_pairs;
    UT_hash_handle hh;
};

/* A record that waits for the end of its transaction. */
struct meta_held {
    struct bytes value; /* owned */
    int64_t offset;
};

/* A KRaft snapshot beside the log. */
struct meta_snapshot_file {
    char name[META_SNAPSHOT_NAME_BYTES + 1];
    uint64_t bytes;
};

struct meta {
    uint32_t magic;
    struct env *env;
    struct config *config; /* borrowed; brokers' settings of the metadata are put into it */
    int32_t node_id;
    struct uuid *dir_ids;
    int64_t *dir_partitions; /* how many partitions each directory was given */
    bool *dir_offline;
    int n_dir_ids;
    struct meta_observer observer;
    struct log *log_file; /* borrowed */
    struct statelog *log;

    struct meta_topic *by_name, *by_id,
        *by_unified; /* owners: by_name, and `changed` for the deleted */
    int n_topics;
    struct meta_topic **sorted; /* NULL when it must be made anew */
    struct meta_resource *resources;
    struct meta_feature *features; /* names owned */
    int n_features;
    int64_t broker_epoch;
    bool registered;
    int64_t producer_id_next;
    struct meta_kept *kept;
    struct meta_preferred *preferred; /* directories.c */

    /* take_snapshot.c */
    char *dir_path; /* NULL: none are written */
    struct lane lane;
    struct timer snapshot_timer;
    struct meta_snapshot *snapshot; /* the one being written; NULL */
    int64_t bytes_since_snapshot;   /* of records */

    /* trim.c */
    struct meta_snapshot_file *files; /* that count, oldest first */
    int n_files, cap_files;
    int64_t oldest_ms; /* what the first of them says of its time; -1: it was not read yet */
    struct timer trim_timer;

    bool loading;
    int64_t
        snapshot_end; /* while loading: records of the log below it are in the snapshot already */
    int32_t snapshot_epoch;
    int load_error; /* while loading: the first thing that forbids serving */
    struct errmsg load_why;
    bool in_transaction;
    struct meta_held *held;
    int n_held, cap_held;
    bool brokers_configured; /* since meta_settle */
    struct list changed; /* of struct meta_topic.changed_link */
};

/* ---- refuse.c: what the peer did wrong, on its way out of a deciding function */
struct meta_refusal {
    int16_t *error;
    struct errmsg *why; /* may be NULL */
};
/* Sets the error; false, so that a check can end with it. */
bool meta_refuse(struct meta_refusal *r, int16_t error, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* ---- pairs.c: settings as text, by name ascending, owned */
const struct config_pair *meta_pairs_find(const struct config_pair *pairs, int n,
                                          struct str name); /* NULL */
void meta_pairs_set(struct config_pair **pairs, int *n, struct str name,
                    struct str value); /* null value: removes */
void meta_pairs_release(struct config_pair **pairs, int *n);

/* ---- topics.c: the tables of topics */
struct meta_topic *meta_topic_add(struct meta *m, struct str name, struct uuid id);
void meta_topic_remove(struct meta *m,
                       struct meta_topic *t); /* out of the tables; dies when it was told about */
void meta_topic_free(struct meta_topic *t);
void meta_topic_changed(struct meta *m, struct meta_topic *t, unsigned change);
struct meta_partition *meta_topic_partition_add(struct meta_topic *t); /* the next one */
const struct meta_topic *meta_topic_colliding(const struct meta *m, struct str name); /* NULL */
/* Puts what the metadata says of brokers' settings into the config, tells the observer, resolves settings, frees the deleted: after loading and after each change. */
void meta_settle(struct meta *m);

/* ---- apply.c */
void meta_apply(void *machine, const struct statelog_record *r);
/* A framed record. offset is for messages. */
void meta_apply_value(struct meta *m, struct bytes value, int64_t offset);
const struct wire_message_info *meta_record_info(enum meta_record_type type);
void meta_load_failed(struct meta *m, int rc, const char *fmt, ...)
    PRINTF_LIKE(3, 4); /* keeps the first */
void meta_drop_held(struct meta *m);

/* ---- kept.c: records that only a snapshot needs again */
bool meta_kept_has(uint32_t type);
/* `record` is the struct of that type, `value` its framed bytes. */
void meta_kept_arrived(struct meta *m, uint32_t type, const void *record, struct bytes value,
                       int64_t offset);
void meta_kept_each(const struct meta *m, void (*fn)(void *arg, struct bytes value), void *arg);
void meta_kept_release(struct meta *m);

/* ---- take_snapshot.c */
void meta_snapshots_init(struct meta *m, const char *dir_path);
void meta_snapshots_release(struct meta *m);
/* The metadata changed, or was loaded: when it is time for a snapshot, the timer is set. */
void meta_snapshot_consider(struct meta *m);

/* ---- snapshot.c */
bool meta_snapshot_name(const char *name); /* of a file: "%020d-%010d.checkpoint" */
int64_t meta_snapshot_end(const char *name); /* the offset up to which it says everything */
int meta_load_snapshot(struct meta *m, struct errmsg *msg); /* the newest, if there is one */
/* Of its header: the time of the last record that it holds (Snapshots.lastContainedLogTimestamp). */
int meta_snapshot_timestamp(struct meta *m, const char *name, int64_t *timestamp_ms);

/* ---- trim.c: which snapshots there are, and which part of the log is still needed */
void meta_trim_init(struct meta *m);
void meta_trim_release(struct meta *m);
int meta_trim_list(struct meta *m, struct errmsg *msg); /* before anything is loaded */
void meta_trim_loaded(struct meta *m); /* the log is open: those that lie before its start go */
const char *meta_trim_newest(const struct meta *m); /* NULL: there is none */
void meta_trim_add(struct meta *m, const char *name, uint64_t bytes); /* is on the disk now, and is the newest */
void meta_trim(struct meta *m);

/* ---- directories.c */
int meta_preferred_dir(const struct meta *m, struct str topic, int32_t partition); /* -1: none that is online */
void meta_preference_used(struct meta *m, struct str topic, int32_t partition);
void meta_preferred_release(struct meta *m);

/* ---- propose.c */
/* Adds a record: `record` is the struct of that type. */
void meta_proposal_put(struct statelog_proposal *p, enum meta_record_type type, int16_t version,
                       const void *record);
/* create.c: whether one partition's replicas are this node alone. */
bool meta_check_assignment(const struct meta *m, const struct meta_assignment *a,
                           struct meta_refusal *r);
/* create.c: PartitionRecords for from..to-1, each in the directory that was named for it, or in the one with the fewest partitions. */
void meta_proposal_put_partitions(const struct meta *m, struct statelog_proposal *p,
                                  struct str topic, struct uuid topic_id, int32_t from, int32_t to);
/* One atomic change: one batch, or a KRaft transaction over several. Applied and told when it
 * returns 0. */
int meta_propose(struct meta *m, struct statelog_proposal *p);

/* ---- features.c */
struct meta_feature *meta_feature_find(const struct meta *m, struct str name); /* NULL */
const struct meta_feature_range *meta_feature_range_of(struct str name);       /* NULL */

/* ---- start.c: what each start writes */
int meta_start(struct meta *m, const struct meta_options *options, struct errmsg *msg);

#endif
