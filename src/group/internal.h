/* The inside of group.
 *
 * groupm -> shards (one per partition of __consumer_offsets) -> groups -> members, waiting joiners,
 * offsets. Durable: a group as its last GroupMetadata record says, and its offsets. Live only:
 * sessions, joins in waiting, votes.
 */
#ifndef BARNABAS_GROUP_INTERNAL_H
#define BARNABAS_GROUP_INTERNAL_H

#include "group.h"
#include "record.h"

/* Most groups have a few members and topics: their hashes begin with 4 buckets, not 32. */
#undef HASH_INITIAL_NUM_BUCKETS
#undef HASH_INITIAL_NUM_BUCKETS_LOG2
#define HASH_INITIAL_NUM_BUCKETS      4U
#define HASH_INITIAL_NUM_BUCKETS_LOG2 2U

#define GROUPM_MAGIC                  0x47525053u
#define SHARD_MAGIC                   0x53485244u
#define GROUP_MAGIC                   0x47525550u
#define MEMBER_MAGIC                  0x4d454d42u

/* A member that nobody heard of before keeps its place for so long while its JoinGroup waits
 * (GroupMetadataManager.classicGroupNewMemberJoinTimeoutMs). */
#define NEW_MEMBER_JOIN_TIMEOUT_MS 300000
/* Member ids that were handed out and not yet used, per group; a limit of ours. */
#define PENDING_MEMBERS_MAX 10000
/* What all members of a group list, of all protocols together; a limit of ours. A generation has to fit into one record,
 * of 1 MiB, so that no group that works comes near it. */
#define GROUP_METADATA_BYTES_MAX (32 << 20)
#define NO_TIME                  (-1)
#define CONSUMER_PROTOCOL_TYPE   STR("consumer")

/* ---- states (state.c) ------------------------------------------------------------------------ */

enum group_state {
    GROUP_EMPTY = 0,
    GROUP_PREPARING,  /* members are asked to join again */
    GROUP_COMPLETING, /* a generation is made; the leader's assignment is awaited */
    GROUP_STABLE,
    GROUP_DEAD, /* removed; nobody sees it any more */
    GROUP_N_STATES,
};
const char *group_state_name(enum group_state state); /* "PreparingRebalance" */

/* ---- who waits ------------------------------------------------------------------------------- */

/* A JoinGroup or SyncGroup that waits for other members; in its call's arena. */
struct parked {
    struct group_call *call; /* in groupm.parked while it waits; call->state leads back here */
    struct member *member;
    struct join_group_response *join; /* one of the two */
    struct sync_group_response *sync;
    int16_t version;
};

/* ---- members --------------------------------------------------------------------------------- */

struct member_protocol {
    struct str name;
    struct bytes metadata;
};
struct member {
    uint32_t magic;
    struct group *group;
    struct str id;          /* owned text, here and below: it may hold any bytes */
    struct str instance_id; /* null: a dynamic member */
    struct str client_id, client_host;
    int32_t rebalance_timeout_ms, session_timeout_ms;
    struct member_protocol *protocols; /* one block with all text and bytes behind the array */
    int32_t n_protocols;
    size_t protocols_bytes;  /* of that block */
    struct bytes assignment; /* owned; of the last generation that was stable */
    struct bytes proposed;   /* borrowed: what the leader just sent, until its record is applied */
    bool is_new; /* has not been through a rebalance: its session counts even while it waits */
    bool awaiting_join, awaiting_sync;
    bool pending_sync;   /* has not sent its SyncGroup in this generation */
    struct parked *join; /* NULL also when the asker went away meanwhile */
    struct parked *sync;
    struct timer session; /* may fire early: `deadline` counts, so that a heartbeat costs nothing */
    struct mono deadline;
    UT_hash_handle by_id, by_instance;
};
/* A member id that was handed out with MEMBER_ID_REQUIRED. */
struct pending_member {
    struct group *group;
    struct str id;
    struct timer session;
    UT_hash_handle hh;
};
/* How many members can speak a protocol. */
struct protocol_count {
    struct str name;
    uint32_t n_members, n_votes;
    uint64_t stamp; /* counts a name once, however often a member lists it */
    UT_hash_handle hh;
};

/* ---- offsets --------------------------------------------------------------------------------- */

struct offset_text {
    uint32_t n;
    char p[];
};
struct offset_entry {
    int64_t offset;
    int64_t commit_ms;
    int64_t expire_ms;            /* of OffsetCommit v2-4; NO_TIME: the broker's retention counts */
    int64_t at;                   /* offset of its record */
    struct offset_text *metadata; /* owned; NULL: empty */
    int32_t partition, leader_epoch;
    struct uuid topic_id; /* zero where the writer knew none */
};
STATIC_ASSERT(sizeof(struct offset_entry) == 64, "a million offsets are to stay small");
/* A topic's name, once for all groups. */
struct topic_name {
    struct str name;
    struct list users; /* of struct group_topic.link */
    UT_hash_handle hh;
};
struct group_topic {
    struct topic_name *topic; /* the hash key, by address */
    struct group *group;
    struct list link;
    struct offset_entry *entries;
    uint32_t n, cap;
    uint32_t *slots; /* by partition: index + 1; NULL while few */
    uint32_t n_slots;
    UT_hash_handle hh;
};
struct str offset_metadata(const struct offset_entry *e);

/* ---- group, shard, all ----------------------------------------------------------------------- */

/* A group is of one of two kinds. What both share is first; what follows is the classic protocol's,
 * and empty while `consumer` is there. A group that nobody joined, and that only has offsets, is a
 * "simple" one: classic, Empty, without a protocol type. */
struct group {
    uint32_t magic;
    struct group_shard *shard;
    struct str id;
    struct group_topic *offsets;
    UT_hash_handle hh;
    struct consumer_group *consumer; /* of the newer protocol (consumer.h); NULL: a classic group */
    /* classic */
    enum group_state state, previous;
    int64_t state_ms;                   /* wall time of the last move; NO_TIME from an old record */
    struct str protocol_type, protocol; /* null: none */
    int32_t generation;
    struct member *leader;
    struct member *members; /* uthash by_id, oldest first */
    struct member *statics; /* uthash by_instance */
    uint32_t n_members, n_awaiting_join, n_pending_sync;
    struct pending_member *pending;
    struct protocol_count *counts;
    uint64_t stamp;
    size_t metadata_bytes; /* protocols_bytes of all members */
    bool new_member_added; /* during the initial delay */
    bool knows_topics;     /* what the members' subscriptions name could be read */
    struct str *topics;    /* sorted, one block */
    int32_t n_topics;
    struct timer join_timer, sync_timer;
    bool initial_delay; /* what join_timer is for */
    int32_t delay_ms, remaining_ms;
};
struct group_shard {
    uint32_t magic;
    struct groupm *m;
    int32_t index;
    struct statelog *log; /* borrowed; NULL until somebody asked for it */
    bool loaded;          /* apply confirms what is decided, and no longer builds groups */
    bool downgrading;     /* but it builds the classic group that a consumer group becomes */
    struct group *groups;
    struct pending_txn *txns;
    struct timer expiry;
    uint32_t n_skipped; /* records of kinds that are not served yet */
};
struct groupm {
    uint32_t magic;
    struct env *env;
    struct groupm_options options;
    struct group_shard **shards;
    int32_t n_shards;
    struct topic_name *topic_names;
    struct list parked; /* of struct group_call.link */
    uint64_t topics_changed;    /* grows when a topic comes, grows or goes */
    int64_t new_topics_version; /* of the metadata when a topic came last; -1: not yet known */
    bool stopping;
};

/* ---- group.c: finding, making ---------------------------------------------------------------- */

/* The shard of a group id. With make = false *out is NULL with KE_NONE when nothing ever was in it.
 */
int16_t shard_of(struct groupm *m, struct str id, bool make, struct group_shard **out);
/* Asks for the shard's log, which may have to be made or opened. */
int16_t shard_log(struct group_shard *s);
struct group *group_find(struct group_shard *s, struct str id); /* NULL; s may be NULL */
struct group *group_add(struct group_shard *s, struct str id);  /* Empty, generation 0 */
void group_remove(struct group *g);                             /* no member may be left */
/* Nobody ever joined, as far as is still known. */
bool group_is_simple(const struct group *g);
bool group_is_empty(const struct group *g); /* of members; of either kind */
/* The classic half becomes that of a simple group. */
void group_reset(struct group *g);
/* Removes a simple group that has no offsets. */
void group_remove_unused(struct group *g);
/* shard_of and group_find in one. */
int16_t group_get(struct groupm *m, struct str id, struct group_shard **s, struct group **out);
/* The same where a group must have a name: INVALID_GROUP_ID leaves *s and *out as they are. */
int16_t group_get_named(struct groupm *m, struct str id, struct group_shard **s,
                        struct group **out);
int64_t groupm_now_ms(const struct groupm *m); /* to stamp with; expiry.c judges by another */
struct timers *groupm_timers(struct groupm *m);
struct mono groupm_after_ms(const struct groupm *m, int64_t ms);

/* ---- calls.c: how answers leave -------------------------------------------------------------- */

/* `done` runs when all that the shard holds now is durable; s NULL, or never asked for: at once. */
void call_end(struct group_shard *s, struct group_call *call);
void call_end_now(struct group_call *call, int rc);
/* The same for an answer that looked at several shards. */
void call_end_all(struct group_shard **shards, int n, struct group_call *call);
struct parked *call_park(struct groupm *m, struct group_call *call, struct member *member,
                         int16_t version);
void call_unpark(struct parked *p);
/* Everybody who waits for other members is answered COORDINATOR_NOT_AVAILABLE. */
void call_give_up_all(struct groupm *m);

/* ---- state.c --------------------------------------------------------------------------------- */
void group_move(struct group *g, enum group_state to);
bool group_can_rebalance(const struct group *g);

/* ---- members.c ------------------------------------------------------------------------------- */
struct member *member_find(struct group *g, struct str id);
struct member *member_find_static(struct group *g, struct str instance_id);
/* ClassicGroup.validateMember: a kafka_error, or KE_NONE with *out. */
int16_t member_check(struct group *g, struct str id, struct str instance_id, struct member **out);
struct member_details {
    struct str id, instance_id, client_id, client_host;
    int32_t rebalance_timeout_ms, session_timeout_ms;
    struct str protocol_type;
    const struct join_group_request_protocols *protocols;
    int32_t n_protocols;
};
struct member *member_add(struct group *g, const struct member_details *d);
/* What a later JoinGroup may change. */
void member_update(struct member *m, const struct member_details *d);
void member_rename(struct member *m, struct str id); /* a static member's new id */
void member_set_assignment(struct member *m, struct bytes assignment);
void member_set_awaiting_join(struct member *m, bool awaiting);
void member_set_pending_sync(struct member *m, bool pending);
/* Ends what it waits for with UNKNOWN_MEMBER_ID, and removes it. */
void member_remove(struct member *m);
/* Whether the group may keep what is listed, in place of what m (NULL: a newcomer) listed before. */
bool member_fits(const struct group *g, const struct member *m, const struct member_details *d);
bool member_matches(const struct member *m, const struct member_details *d);
struct bytes member_metadata(const struct member *m, struct str protocol);
struct pending_member *pending_find(struct group *g, struct str id);
void pending_add(struct group *g, struct str id, int32_t session_timeout_ms);
void pending_remove(struct pending_member *p);

/* ---- protocols.c: what the members have in common -------------------------------------------- */
void protocols_count(struct member *m);
void protocols_uncount(struct member *m);
bool group_supports(struct group *g, const struct member_details *d);
struct str group_select_protocol(struct group *g); /* borrowed from the group's counts */
void group_learn_topics(struct group *g);
void group_forget_topics(struct group *g);
bool group_uses_consumer_protocol(const struct group *g);
bool group_subscribed(const struct group *g, struct str topic);

/* ---- rebalance.c ----------------------------------------------------------------------------- */
void rebalance_prepare(struct group *g, const char *why);
void rebalance_or_complete(struct group *g,
                           const char *why);    /* maybePrepareRebalanceOrCompleteJoin */
void rebalance_maybe_complete(struct group *g); /* maybeCompleteJoinPhase */
void rebalance_complete(struct group *g);       /* completeClassicGroupJoin */
bool rebalance_all_joined(const struct group *g);
void rebalance_join_timer_fired(struct timer *t);
void rebalance_sync_timer_fired(struct timer *t);

/* ---- sessions.c ------------------------------------------------------------------------------ */
void session_touch(struct member *m); /* a heartbeat: the session timeout begins anew */
void session_set(struct member *m, int64_t timeout_ms);
void session_fired(struct timer *t);
void session_pending_fired(struct timer *t);

/* ---- answers.c: replies to JoinGroup and SyncGroup ------------------------------------------- */
/* The current generation, for a member; whole: with all members' metadata. */
void answer_join(struct group *g, const struct member *m, bool whole, int16_t version,
                 struct arena *arena, struct join_group_response *rsp);
void answer_join_error(struct str member_id, int16_t error, int16_t version, struct arena *arena,
                       struct join_group_response *rsp);
void answer_sync(struct group *g, const struct member *m, struct arena *arena,
                 struct sync_group_response *rsp);
/* End what a member waits for; not waiting is fine. */
void member_end_join(struct member *m); /* with the current generation */
void member_fail_join(struct member *m, struct str id, int16_t error);
void member_end_sync(struct member *m);
void member_fail_sync(struct member *m, int16_t error);

/* ---- records.c ------------------------------------------------------------------------------- */
/* CoordinatorRecordType: what a key begins with. */
enum group_record {
    RECORD_LEGACY_OFFSET_COMMIT = 0,
    RECORD_OFFSET_COMMIT = 1,
    RECORD_GROUP_METADATA = 2,
    RECORD_CONSUMER_GROUP_METADATA = 3,
    RECORD_CONSUMER_GROUP_PARTITION_METADATA = 4,
    RECORD_CONSUMER_GROUP_MEMBER_METADATA = 5,
    RECORD_CONSUMER_GROUP_TARGET_ASSIGNMENT_METADATA = 6,
    RECORD_CONSUMER_GROUP_TARGET_ASSIGNMENT_MEMBER = 7,
    RECORD_CONSUMER_GROUP_CURRENT_MEMBER_ASSIGNMENT = 8,
    RECORD_CONSUMER_GROUP_REGULAR_EXPRESSION = 16,
};
/* One record: key_begin, the key's fields, then value_begin, the value's fields, value_end; or
 * tombstone_end. */
void record_key_begin(struct statelog_proposal *p, struct wire_writer *w, int16_t type);
void record_value_begin(struct statelog_proposal *p, struct wire_writer *w, int16_t version);
void record_value_end(struct statelog_proposal *p, struct wire_writer *w);
void record_tombstone_end(struct statelog_proposal *p, struct wire_writer *w);
void propose_group(struct statelog_proposal *p, struct group *g, bool proposed_assignments);
void propose_new_group(struct statelog_proposal *p, struct str id, int64_t now_ms);
void propose_group_tombstone(struct statelog_proposal *p, struct str id);
/* What ends a group without members, of either kind; not its offsets. */
void propose_tombstones(struct statelog_proposal *p, const struct group *g);
void propose_offset(struct statelog_proposal *p, struct str group, struct str topic,
                    const struct offset_entry *e, struct str metadata);
void propose_offset_tombstone(struct statelog_proposal *p, struct str group, struct str topic,
                              int32_t partition);
/* Of transactions that are open, too (OffsetMetadataManager.deleteAllOffsets). */
void propose_all_offset_tombstones(struct statelog_proposal *p, struct group *g);
/* Appends and applies. 0 or E_*. */
int proposal_send(struct statelog_proposal *p, struct group_shard *s);
int16_t proposal_error(int rc); /* what a client is told: appendGroupMetadataErrorToResponseError */

/* ---- offsets.c ------------------------------------------------------------------------------- */
struct group_topic *offsets_topic(struct group *g, struct str topic);                    /* NULL */
struct offset_entry *offsets_find(struct group *g, struct str topic, int32_t partition); /* NULL */
struct offset_entry *offsets_find_in(struct group_topic *t, int32_t partition);          /* NULL */
void offsets_put(struct group *g, struct str topic, const struct offset_entry *e,
                 struct str metadata);
void offsets_remove(struct group *g, struct str topic, int32_t partition);
void offsets_clear(struct group *g);
void topic_names_release(struct groupm *m);

/* ---- transactions.c: offsets of open transactions -------------------------------------------- */
/* Not visible until the marker of their transaction comes. */
void txn_put(struct group_shard *s, int64_t producer_id, struct str group, struct str topic,
             const struct offset_entry *e, struct str metadata);
void txn_end(struct group_shard *s, int64_t producer_id, bool committed);
void txn_remove_offset(struct group_shard *s, struct str group, struct str topic,
                       int32_t partition);
bool txn_has_offset(const struct group_shard *s, struct str group, struct str topic,
                    int32_t partition);
/* For those of a group that have no committed offset beside them, which has a tombstone of its own. */
void propose_txn_tombstones(struct statelog_proposal *p, struct group *g);
bool txn_has_group(const struct group_shard *s, struct str group);
void txn_release(struct group_shard *s);

/* ---- expiry.c -------------------------------------------------------------------------------- */
void expiry_start(struct group_shard *s);
void expiry_fired(struct timer *t);

/* Text that its holder owns. */
static inline struct str text_copy(struct str s)
{
    return (struct str){str_dup(s), s.n};
}
static inline void text_free(struct str *s)
{
    free((char *)s->p);
    *s = (struct str){NULL, 0};
}
static inline void text_set(struct str *s, struct str to)
{
    struct str own = text_copy(to);

    text_free(s);
    *s = own;
}

#endif
