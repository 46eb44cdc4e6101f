/* Consumer groups of the newer protocol (KIP-848): the inside.
 *
 * struct group (internal.h) is what groups of both protocols share: an id, a place in the shard, offsets. A group that
 * speaks the newer protocol has a struct consumer_group besides; its classic half is then empty.
 *
 *     struct group --consumer--> struct consumer_group -> members, each with its current assignment
 *                                                      -> targets: who is to have what
 *                                                      -> owners: at which epoch a partition is owned
 *                                                      -> counts of subscriptions, regular expressions, assignors
 *
 * All of it is the replay of records (consumer_apply.c); live only are the members' timers. Names follow Kafka's:
 * ConsumerGroup, ConsumerGroupMember, TargetAssignmentBuilder, CurrentAssignmentBuilder.
 */
#ifndef BARNABAS_GROUP_CONSUMER_H
#define BARNABAS_GROUP_CONSUMER_H

#include "internal.h"

#define CONSUMER_GROUP_MAGIC      0x43475250u
#define CONSUMER_MEMBER_MAGIC     0x434d454du
#define MEMBER_EPOCH_JOIN         0
#define MEMBER_EPOCH_LEAVE        (-1)
#define MEMBER_EPOCH_LEAVE_STATIC (-2) /* for a while: the member comes back, or its session ends */
#define NO_EPOCH                  (-1) /* of a partition that nobody owns */
/* A partition number beyond this in a record or in a client's bytes is nonsense. */
#define PARTITION_MAX 1000000
/* A record that could not be written when a member's time was up is tried again so soon. */
#define FENCE_RETRY_MS 500

/* ---- partitions.c: sets of partitions --------------------------------------------------------- */

struct cg_partition {
    struct uuid topic;
    int32_t partition;
    int32_t epoch; /* at which its member was given it; 0 where that does not matter */
};
/* Sorted by topic id, then partition; none twice. */
struct cg_partitions {
    struct cg_partition *items;
    int32_t n;
};
int cg_partition_cmp(const struct cg_partition *a,
                     const struct cg_partition *b); /* without the epoch */
/* Brings items that were put in any order into shape; of two alike the first stays. */
void cg_partitions_sort(struct cg_partitions *ps);
const struct cg_partition *cg_partitions_find(const struct cg_partitions *ps, struct uuid topic,
                                              int32_t partition);
bool cg_partitions_equal(const struct cg_partitions *a, const struct cg_partitions *b, bool epochs);
struct cg_partitions cg_partitions_copy(const struct cg_partitions *ps); /* the caller releases */
void cg_partitions_release(struct cg_partitions *ps);
/* How many items from `at` on are of one topic. */
int32_t cg_partitions_run(const struct cg_partitions *ps, int32_t at);

/* ---- members ---------------------------------------------------------------------------------- */

/* What is known of a member that uses the classic protocol (ClassicMemberMetadata). */
struct cg_classic {
    int32_t session_timeout_ms;
    struct member_protocol *protocols; /* in the order of preference */
    int32_t n_protocols;
};
/* What a ConsumerGroupMemberMetadata record says. Texts are owned by a member, borrowed everywhere else. */
struct cg_details {
    struct str instance_id, rack_id; /* may be null */
    struct str client_id, client_host;
    struct str *topics; /* sorted, none twice */
    int32_t n_topics;
    struct str regex;    /* "" or null: none */
    struct str assignor; /* null: no preference */
    int32_t rebalance_timeout_ms;
    const struct cg_classic *classic; /* NULL: it speaks the consumer protocol */
};
enum cg_member_state {
    CG_STABLE = 0,
    CG_UNREVOKED = 1,  /* has not yet let go of what it is to give up */
    CG_UNRELEASED = 2, /* waits for what others have not yet let go of */
    CG_UNKNOWN = 127,  /* written by a newer version */
};
/* What a ConsumerGroupCurrentMemberAssignment record says. */
struct cg_current {
    int32_t epoch, previous_epoch;
    enum cg_member_state state;
    struct cg_partitions assigned, revoking;
};
struct cg_member {
    uint32_t magic;
    struct group *group;
    struct str id;
    struct cg_details details; /* in one block: details_block */
    void *details_block;
    struct cg_current current;
    struct timer session; /* may fire early: `deadline` counts, so that a heartbeat costs nothing */
    struct mono deadline;
    struct timer rebalance; /* it must have let go of its partitions by then */
    int32_t rebalance_epoch;
    struct timer join,
        sync; /* of a classic member: it must have sent JoinGroup, SyncGroup by then */
    UT_hash_handle by_id, by_instance;
};
/* Who is to have what. A target may be there before its member is, while records are read. */
struct cg_target {
    struct str member_id;
    struct cg_partitions partitions;
    UT_hash_handle hh;
};
/* A name and how many members have it. */
struct cg_count {
    struct str name;
    int32_t n_members; /* that say it themselves */
    int32_t n_regexes; /* of a topic: regular expressions that it matches */
    UT_hash_handle hh;
};
struct cg_regex {
    struct str regex;
    struct str *topics; /* sorted, one block */
    int32_t n_topics;
    int64_t version;      /* of the metadata that it was resolved against */
    int64_t timestamp_ms; /* when */
    UT_hash_handle hh;
};
/* At which epoch the partitions of a topic are owned. */
struct cg_owners {
    struct uuid topic;
    int32_t *epochs; /* by partition; NO_EPOCH: free */
    int32_t n, n_owned;
    UT_hash_handle hh;
};
struct consumer_group {
    uint32_t magic;
    int32_t epoch;
    int64_t metadata_hash;
    int32_t assignment_epoch;
    int64_t assignment_ms;              /* 0: compute the next at once */
    bool has_partition_metadata_record; /* an old record that is to get a tombstone */
    struct cg_member *members;          /* uthash by_id, in the order they came */
    struct cg_member *statics;          /* uthash by_instance */
    struct cg_target *targets;
    struct cg_owners *owners;
    struct cg_count *topics;    /* that members are subscribed to */
    struct cg_count *regexes;   /* that members are subscribed with */
    struct cg_count *assignors; /* that members prefer */
    struct cg_count *protocols; /* that classic members support */
    struct cg_regex *resolved;
    int32_t n_members, n_classic;
    uint64_t refreshed_at; /* groupm.topics_changed when the metadata was last looked at */
};
enum cg_state {
    CG_GROUP_EMPTY = 0,
    CG_GROUP_ASSIGNING,
    CG_GROUP_RECONCILING,
    CG_GROUP_STABLE,
    CG_GROUP_DEAD
};

/* ---- consumer_group.c: the object -------------------------------------------------------------- */

struct consumer_group *consumer_group_new(void);
void consumer_group_free(struct group *g); /* g->consumer becomes NULL */
enum cg_state consumer_group_state(const struct group *g);
const char *cg_state_name(enum cg_state state);
struct cg_member *cg_member_find(const struct group *g, struct str id);
struct cg_member *cg_member_find_static(const struct group *g,
                                        struct str instance_id); /* null: NULL */
struct cg_target *cg_target_find(const struct group *g, struct str member_id);
/* The target of a member; of nobody: an empty one. */
struct cg_partitions cg_target_of(const struct group *g, struct str member_id);
/* The epoch at which a partition is owned, or NO_EPOCH. */
int32_t cg_owner_epoch(const struct group *g, struct uuid topic, int32_t partition);
struct cg_regex *cg_regex_find(const struct group *g, struct str regex);
int32_t cg_count_of(struct cg_count *counts, struct str name); /* members */
bool cg_is_subscribed(const struct group *g, struct str topic);
bool cg_is_reconciled(const struct cg_current *c, int32_t assignment_epoch);
bool cg_has_regex(const struct cg_details *d);

/* ---- consumer_members.c: changes that only apply makes ------------------------------------------ */

struct cg_member *cg_member_add(struct group *g,
                                struct str id); /* as ConsumerGroupMember.Builder begins */
void cg_member_set_details(struct cg_member *m, const struct cg_details *d);
void cg_member_set_current(struct cg_member *m, const struct cg_current *c);
void cg_member_remove(struct cg_member *m);
void cg_target_set(struct group *g, struct str member_id, const struct cg_partitions *ps);
void cg_target_remove(struct group *g, struct str member_id);
void cg_regex_set(struct group *g, struct str regex, struct str *topics, int32_t n, int64_t version,
                  int64_t ms);
void cg_regex_remove(struct group *g, struct str regex);

/* ---- consumer_details.c -------------------------------------------------------------------------- */

bool cg_details_equal(const struct cg_details *a, const struct cg_details *b);
bool cg_topics_equal(const struct cg_details *a, const struct cg_details *b);
struct cg_details cg_details_new(void); /* of a member that nobody heard of */
/* One block with all texts; *d is made to point into it. */
void *cg_details_own(struct cg_details *d);
/* Sorts names in place, drops what is there twice; returns how many are left. */
int32_t cg_sort_names(struct str *names, int32_t n);
bool cg_names_contain(const struct str *names, int32_t n, struct str name);

/* ---- consumer_subscriptions.c: which topics the members read -------------------------------------- */

struct cg_subscription {
    struct str topic;
    int32_t n_members, n_regexes;
};
/* The subscribed topics as they will be, by name. */
struct cg_subscriptions {
    struct cg_subscription *items;
    int32_t n, cap;
    struct arena *arena;
};
/* As they are; then the changes that are about to be made; then settle. */
struct cg_subscriptions cg_subscriptions_of(const struct group *g, struct arena *arena);
void cg_subscriptions_member(struct cg_subscriptions *s, const struct cg_details *d, int32_t sign);
void cg_subscriptions_regex(struct cg_subscriptions *s, const struct str *topics, int32_t n,
                            int32_t sign);
void cg_subscriptions_settle(struct cg_subscriptions *s);
int64_t cg_metadata_hash(struct groupm *m, const struct cg_subscriptions *s);
/* Whether all members have the same subscription, given how many there will be of each regular expression. */
struct cg_change {
    const struct cg_details *old,
        *new; /* of the member that changes; old NULL: a newcomer; new NULL: it leaves */
};
bool cg_is_homogeneous(const struct group *g, struct cg_change change,
                       const struct cg_subscriptions *s, int32_t n_members);
/* The names that a member reads: its own and those of its regular expression. */
struct str *cg_topics_of(const struct group *g, const struct cg_details *d, struct arena *arena,
                         int32_t *n);

/* ---- consumer_settings.c --------------------------------------------------------------------------- */

int64_t cg_session_timeout_ms(struct groupm *m, struct str group_id);
int64_t cg_heartbeat_interval_ms(struct groupm *m, struct str group_id);
int64_t cg_assignment_interval_ms(struct groupm *m, struct str group_id);
/* The assignor that members want most, or the broker's first. */
struct str cg_preferred_assignor(const struct group *g,
                                 struct cg_change change); /* static or borrowed */
bool cg_assignor_supported(const struct groupm *m, struct str name);
struct str cg_assignors_text(const struct groupm *m, struct arena *arena); /* "uniform, range" */
bool cg_may_upgrade(const struct groupm *m);
bool cg_may_downgrade(const struct groupm *m);
bool cg_may_migrate(const struct groupm *m);

/* ---- consumer_records.c ------------------------------------------------------------------------------ */

void propose_cg_member(struct statelog_proposal *p, struct str group, struct str member,
                       const struct cg_details *d);
void propose_cg_epoch(struct statelog_proposal *p, struct str group, int32_t epoch,
                      int64_t metadata_hash);
void propose_cg_target(struct statelog_proposal *p, struct str group, struct str member,
                       const struct cg_partitions *ps);
void propose_cg_target_epoch(struct statelog_proposal *p, struct str group, int32_t epoch,
                             int64_t ms);
void propose_cg_current(struct statelog_proposal *p, struct str group, struct str member,
                        const struct cg_current *c);
void propose_cg_regex(struct statelog_proposal *p, struct str group, const struct cg_regex *r);
void propose_cg_regex_tombstone(struct statelog_proposal *p, struct str group, struct str regex);
void propose_cg_partition_metadata_tombstone(struct statelog_proposal *p, struct str group);
/* The three tombstones of a member: ConsumerGroupCurrentMemberAssignment, ...TargetAssignmentMember, ...MemberMetadata. */
void propose_cg_member_tombstones(struct statelog_proposal *p, struct str group, struct str member);
/* All of a group (createGroupTombstoneRecords). */
void propose_cg_tombstones(struct statelog_proposal *p, const struct group *g);

/* ---- consumer_apply.c ---------------------------------------------------------------------------------- */

/* A record of one of the kinds 3 to 8 and 16; `type` was read from the key. 0 or E_CORRUPT. */
int apply_consumer_record(struct group_shard *s, int16_t type, struct wire_reader *key,
                          struct wire_reader *value, bool has_value, int16_t version,
                          struct arena *arena);
bool is_consumer_record(int16_t type);
/* After a replay: sessions begin. */
void consumer_group_loaded(struct group *g);

/* ---- deciding ------------------------------------------------------------------------------------------ */

/* A heartbeat, or a JoinGroup of a classic member, while it is decided (GroupMetadataManager.consumerGroupHeartbeat): the
 * group as it is, the member as it was and as it will be, the records that lead there. */
struct cg_beat {
    struct groupm *m;
    struct group_shard *s;
    struct group *g; /* what is looked at: the group, or */
    bool detached;   /* ... one that is not in the shard: it comes to be with the records */
    const struct group_client *who;
    struct arena *arena;
    struct statelog_proposal p;
    struct str group_id, member_id;
    const struct cg_member *member;   /* NULL: new */
    const struct cg_member *replaced; /* the static member whose place a new one takes; NULL */
    struct cg_details old, new;
    struct cg_current old_current, current;
    const struct cg_partitions *owned; /* what the member says that it owns; NULL: it did not say */
    bool topics_changed;               /* the names that it is subscribed to */
    bool regex_changed;
    bool regex_resolved; /* it changed, and what it matches is known, or it is gone */
    bool regexes_stale;  /* all are to be evaluated after this */
    bool refreshed;      /* the topics were looked at */
    bool upgraded;       /* the group was a classic one */
    int32_t group_epoch;
    bool homogeneous;
    int32_t target_epoch;
    struct cg_partitions target;
    int16_t error;
    struct str message; /* of the error; null: none */
};
/* ---- consumer_beat.c: its steps, in their order. Those that can fail return 0, or -1 with the error. */
int cg_beat_fail(struct cg_beat *b, int16_t error, const char *fmt, ...) PRINTF_LIKE(3, 4); /* -1 */
/* The group; with may_create it comes to be, or is turned from a classic one. */
int cg_beat_find_group(struct cg_beat *b, bool may_create);
int cg_beat_check_full(struct cg_beat *b, struct str instance_id);
/* The member, dynamic or static (instance_id not null), known or new; with the records that a replacement takes. */
int cg_beat_find_member(struct cg_beat *b, int32_t epoch, struct str instance_id, bool may_create,
                        bool classic);
/* The record of what the member says of itself, if that has changed. */
void cg_beat_subscribe(struct cg_beat *b);
bool cg_beat_assignor_changed(const struct cg_beat *b);
/* updateSubscriptionMetadata: bumps the epoch if there is a reason, looks at the topics. */
void cg_beat_metadata(struct cg_beat *b, bool bump);
/* Writes the records and applies them; then b->g is the group, or NULL. */
int cg_beat_send(struct cg_beat *b);
void cg_beat_release(struct cg_beat *b);
/* The member after the records were applied. */
struct cg_member *cg_beat_member(const struct cg_beat *b);

/* ---- consumer_target.c: maybeUpdateTargetAssignment, TargetAssignmentBuilder */
void cg_beat_target(struct cg_beat *b);

/* ---- consumer_reconcile.c: maybeReconcile, CurrentAssignmentBuilder */
int cg_beat_reconcile(struct cg_beat *b, bool subscription_changed);
/* The member as it is now: the records do not change what it has. */
bool cg_beat_current_changed(const struct cg_beat *b);

/* ---- consumer_regex.c: maybeUpdateRegularExpressions, TopicRegexResolver */
int cg_beat_regexes(struct cg_beat *b);
/* Evaluates all regular expressions of the group, and stores what they match now. */
void cg_resolve_regexes(struct groupm *m, struct group_shard *s, struct str group_id,
                        const struct group_sight *sight, struct arena *arena);

/* ---- consumer_fence.c: members that go -------------------------------------------------------------------- */

/* Removes them; the group may become a classic one by that. 0 or E_*. */
int cg_fence(struct group *g, struct cg_member **members, int n);
void cg_session_touch(struct cg_member *m, int64_t timeout_ms);
void cg_rebalance_timer(struct cg_member *m); /* set or cancelled, as its state asks */
void cg_join_timer_if_absent(struct cg_member *m);
void cg_sync_timer(struct cg_member *m, int64_t ms);
void cg_timers_init(struct cg_member *m);
void cg_timers_cancel(struct cg_member *m);

/* ---- consumer_classic.c: members that speak the classic protocol -------------------------------------------- */

void consumer_join(struct groupm *m, struct group_shard *s, struct group *g,
                   const struct group_client *who, const struct join_group_request *rq,
                   int16_t version, struct join_group_response *rsp, struct group_call *call);
void consumer_sync(struct group_shard *s, struct group *g, const struct sync_group_request *rq,
                   struct sync_group_response *rsp, struct group_call *call);
int16_t consumer_classic_heartbeat(struct group *g, const struct heartbeat_request *rq);
void consumer_leave(struct group *g, const struct leave_group_request *rq, int16_t version,
                    struct leave_group_response *rsp, struct arena *arena);

/* ---- consumer_migrate.c ---------------------------------------------------------------------------------------- */

/* Turns a classic group with members into a consumer group. 0, or -1 with the error. */
int cg_upgrade(struct cg_beat *b);
/* Whether the group becomes a classic one when these members are gone. */
bool cg_may_downgrade_without(const struct group *g, struct cg_member **leaving, int n);
/* Turns it into a classic one without them. With `joining` that member takes the place of leaving[0], which is static.
 * 0 or E_*. */
int cg_downgrade(struct group *g, struct cg_member **leaving, int n, struct cg_beat *joining,
                 const char *rebalance_why);

/* ---- embedded.c: the clients' own bytes inside classic messages ------------------------------------------------ */

/* 0 or E_CORRUPT; everything comes from the arena or from the bytes. */
int embedded_subscription(struct bytes b, struct arena *arena,
                          struct consumer_protocol_subscription *out);
int embedded_assignment(struct bytes b, struct arena *arena,
                        struct consumer_protocol_assignment *out);
int16_t embedded_version(struct bytes b); /* -1: there is none */
/* An assignment in a member's own version; topics that are gone are left out. */
struct bytes embedded_assignment_put(struct groupm *m, const struct cg_partitions *ps,
                                     int16_t version, struct arena *arena);

/* ---- consumer_offsets.c ------------------------------------------------------------------------------------------ */

int16_t cg_commit_allowed(const struct group *g, const struct offset_commit_request *rq,
                          int16_t version, const struct cg_member **m);
/* One partition of a commit by a member whose epoch has moved on. */
int16_t cg_commit_partition_allowed(const struct cg_member *m, int32_t epoch, struct uuid topic,
                                    int32_t partition);
int16_t cg_fetch_allowed(const struct group *g, struct str member_id, int32_t epoch);

#endif
