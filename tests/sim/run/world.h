/* The simulator: a broker on a simulated disk, its clients, and what goes wrong, all from one seed.
 *
 * struct world holds everything. Time is virtual and moves from event to event: a job of a lane, a
 * reply that arrives, a client's next step, a timer of the broker, a turn. Nothing happens that the
 * seed did not choose, so that the hash of the events is the run.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "api.h"
#include "record.h"
#include "vfs_sim.h"
#include "wire.h"

#define NS_PER_MS        1000000LL
#define TOPICS_MAX       6
#define PARTITIONS_MAX   4
#define ACTORS_MAX       40
#define GROUPS_MAX       2
#define JOBS_MAX         64
#define PRODUCER_IDS_MAX 4096

struct world;
struct actor;
struct link;
struct call;
struct cgroups;
struct txns;

/* ---- what a seed chooses (options.c) --------------------------------------------------------- */

enum policy { POLICY_NONE = 0, POLICY_DELETE = 1, POLICY_COMPACT = 2 };
struct kept_rules {
    int policy; /* bits */
    int64_t retention_ms, retention_bytes, delete_retention_ms, min_lag_ms, max_lag_ms, segment_ms;
    bool half_dirty;
};
struct options {
    int n_topics, n_churn, n_partitions[TOPICS_MAX];
    bool durable[TOPICS_MAX];
    int segment_bytes[TOPICS_MAX];
    struct kept_rules kept[TOPICS_MAX];
    int cleaner_threads;
    int64_t cleaner_io_bytes, roll_ms;
    int n_producers, n_consumers, n_groups, n_members, n_dirs;
    int n_cgroups, n_cmembers; /* of the newer protocol; n_cmembers: of each */
    int n_txn_ids, n_txn_producers; /* transactional ids; producers of each */
    int64_t journal_bytes, checkpoint_ms, think_ms, crash_ms, flush_ns, network_ns;
    uint32_t record_bytes_max;
    uint32_t drop_per_million; /* a reply's connection is lost instead */
    bool faults;
    uint32_t sector_bytes;
    bool ordered, size_before_data;
};
void options_choose(struct options *o, struct rng *rng);
void options_tell(struct world *w); /* as an event */

/* ---- what clients know of a partition (model.c) ---------------------------------------------- */

enum slot_flag { SLOT_ACKED_ONE = 1, SLOT_ACKED_ALL = 2, SLOT_READ = 4, SLOT_GONE = 8 /* compacted away */ };
enum id_state { ID_SENT = 0, ID_REFUSED };
struct id_info {
    int64_t offset; /* -1: not known */
    int producer;
    enum id_state state;
    bool idempotent;
    int64_t sent_ns; /* with the calendar as it was after n_jumps */
    int n_jumps;
};
/* A partition of one incarnation of its topic: record ids by offset, records by id. */
struct part {
    struct topic *topic;
    int index;
    int64_t *ids; /* by offset; -1 not known */
    uint8_t *flags;
    int64_t n, cap, start; /* below start nothing is left */
    struct id_info *info; /* by id */
    int64_t n_ids, cap_ids;
    bool lost_acked; /* a power cut took what was acknowledged but not promised */
    bool expired_unseen; /* records whose answers were lost were deleted before anybody saw them: so the log cannot tell a repeated batch */
    int64_t cut_end; /* the highest end that a log with losses had: below it an active segment may have been compacted */
};
enum topic_state { TOPIC_ABSENT = 0, TOPIC_THERE, TOPIC_MAYBE_THERE, TOPIC_MAYBE_REMOVED };
struct topic {
    struct world *w;
    char name[16];
    int index, n_parts;
    bool durable, churn;
    int incarnation;
    enum topic_state state;
    struct part parts[PARTITIONS_MAX];
};
void model_reset(struct topic *t); /* a new incarnation: nothing is known */
void model_release(struct topic *t);
int64_t model_new_ids(struct part *p, int n, int producer, bool idempotent);
void model_acked(struct part *p, int64_t first_id, int n, int64_t base_offset, int acks);
void model_refused(struct part *p, int64_t first_id, int n); /* must never be seen */
void model_seen(struct part *p, int64_t offset, int64_t id);
/* What a whole partition holds after a restart, from start to n; ids: from 0 on, -1 where a record was compacted away. lossy: what was not promised may be gone. */
void model_settle(struct part *p, const int64_t *ids, int64_t start, int64_t n, bool lossy);

/* ---- groups, as their clients know them (member.c) ------------------------------------------- */

struct owner {
    int32_t generation;
    int partition;
    char *member;
};
struct group_model {
    char name[16];
    struct topic *topic;
    int64_t acked[PARTITIONS_MAX], tried[PARTITIONS_MAX]; /* committed offsets; -1 none */
    int64_t acked_before[PARTITIONS_MAX], tried_since[PARTITIONS_MAX]; /* the last deletion */
    struct owner *owners;
    int n_owners, cap_owners;
    int32_t generation_synced;
    int deletes; /* of its offsets, that were asked for */
    int commits_in_flight;
    bool delete_is_alone; /* no commit was on its way when the last one was asked for */
};

/* ---- connections and requests (link.c) ------------------------------------------------------- */

struct link {
    struct list item; /* in world.links */
    struct world *w;
    struct api_conn *api;
    struct list calls; /* sent, oldest first */
    uint64_t frame_next;
    bool closed; /* by the broker */
};
/* A request on its way. `done` runs once: with the decoded reply, or NULL when there will be none.
 * What it points to lives until `done` returns. */
struct call {
    struct list item;
    struct link *link;
    uint64_t frame;
    int16_t key, version;
    int64_t sent_ns, limit_ms;
    int64_t arrives_ns; /* once replied */
    bool replied, lost; /* lost: the connection breaks when the reply would arrive */
    struct buf bytes;
    void (*done)(struct call *c, const void *reply);
    void *arg;
    int64_t a, b; /* the asker's */
};
struct link *link_open(struct world *w);
void link_close(struct link *l); /* every call ends with NULL */
struct call *link_send(struct link *l, int16_t key, int16_t version, const void *request,
                       void (*done)(struct call *, const void *), void *arg);
int64_t links_next(const struct world *w); /* when the next reply arrives; INT64_MAX */
bool links_deliver(struct world *w);       /* one that has arrived */
void links_check(struct world *w);         /* nobody waits too long */
void links_close_all(struct world *w);
/* verify.c: one partition from an offset on, asked of the broker itself; NULL: no answer. In the arena. */
const struct fetch_response_responses_partitions *verify_fetch(struct world *w, const char *topic, int32_t partition,
                                                               int64_t offset, int32_t max_bytes, bool committed, struct arena *arena);
extern const struct api_transport link_transport;

/* ---- the broker's process (host.c) ----------------------------------------------------------- */

struct sim_job {
    struct job *job;
    int64_t at_ns;
    bool worked;
    uint64_t order;
};
struct host {
    struct env env;
    struct config config;
    struct metrics *metrics;
    struct broker *broker; /* NULL: there is no process */
    struct lanes lanes;
    struct sim_job jobs[JOBS_MAX];
    int n_jobs;
    int64_t turn_ns; /* when the next turn begins; INT64_MAX */
    uint64_t n_turns;
    struct buf *names; /* while they are compared */
};
void host_init(struct world *w);
void host_release(struct world *w);
bool host_start(struct world *w);         /* false: the disk stopped meanwhile */
void host_wake(struct world *w);          /* a turn soon */
int64_t host_next(const struct world *w); /* when it does something by itself; INT64_MAX */
bool host_step(struct world *w);          /* one job, or a turn, that is due */
/* The digest is of the moment when everything is flushed; settled: no group was in a rebalance. False:
 * the disk stopped meanwhile, and host_end is due. */
bool host_stop_clean(struct world *w, uint64_t *digest, bool *settled);
void host_end(struct world *w, bool power); /* a kill, or the power fails */
bool host_is_dead(const struct world *w);   /* the disk stopped, or the last directory failed */
/* Log directories: their names; whether one, or that of a partition, is offline in a broker that goes on. */
#define HOST_DIR_MAX 16
const char *host_dir(const struct world *w, int i, char out[HOST_DIR_MAX]);
bool host_any_offline(const struct world *w);
int host_part_dir(const struct world *w, const struct part *p); /* its log directory; -1: not known */
bool host_dir_offline(const struct world *w, int dir);
bool host_part_offline(const struct world *w, const struct part *p);

/* ---- those who act (world.c) ----------------------------------------------------------------- */

struct actor {
    struct world *w;
    char name[16];
    int64_t next_ns; /* INT64_MAX: waits for a reply */
    struct link *link;
    void (*step)(struct actor *a);
    void (*broken)(struct actor *a);     /* its connection is gone; may be NULL */
    bool (*idle)(const struct actor *a); /* nothing is left to be done; NULL: always */
    void (*release)(struct actor *a);
};
struct world {
    uint64_t seed;
    struct rng rng;
    struct options options;
    bool print;
    uint64_t hash, n_events;
    struct clock *clock;
    struct vfs *vfs;
    struct host host;
    struct list links;
    struct topic topics[TOPICS_MAX];
    int n_topics;
    struct group_model groups[GROUPS_MAX];
    int n_groups;
    struct cgroups *cgroups; /* never NULL */
    struct txns *txns;       /* never NULL */
    struct actor *actors[ACTORS_MAX];
    int n_actors;
    bool paused;   /* actors do not act */
    bool draining; /* nothing new is begun */
    int64_t trouble_ns, jumped_ms;
    int n_jumps; /* of the calendar */
    bool stop_is_power;      /* what the end will be that vfs_sim_stop_at brings */
    int64_t faults_until_ns; /* errors of the disk may be told until then */
    bool lossy;              /* since the last start a fault may have taken what was not flushed */
    int64_t producer_ids[PRODUCER_IDS_MAX];
    int n_producer_ids;
    uint64_t n_acked, n_read, n_committed, n_crashes, n_digests, n_starts, n_compacted, n_expired, n_moves;
};
struct world *world_new(uint64_t seed, bool print);
void world_free(struct world *w);
int64_t world_now(const struct world *w);
/* One thing that happened: part of the hash, a line on request. */
void world_event(struct world *w, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Something that must not be: told, and the process ends with 1. */
_Noreturn void world_wrong(struct world *w, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The disk may be to blame for an error: now, or of a log directory that is offline since. */
bool world_faulty(const struct world *w);
uint64_t world_below(struct world *w, uint64_t n);
bool world_chance(struct world *w, uint32_t per_thousand);
int64_t world_spread_ns(struct world *w,
                        int64_t mean_ns); /* 0 .. 2 means, now and then much more */
/* Moves time to `until`, event by event; ends early when the process is dead. */
void world_run(struct world *w, int64_t until_ns);
/* Sends a request and runs until it is answered; actors are paused. The reply is the caller's
 * (arena). NULL: none. */
const void *world_ask(struct world *w, int16_t key, int16_t version, const void *request,
                      struct arena *arena);
void actor_add(struct world *w, struct actor *a, const char *kind, int number,
               void (*step)(struct actor *));
void actor_sleep(struct actor *a, int64_t mean_ms);
bool actor_connect(struct actor *a); /* false: nobody is there; sleeps */

struct actor *producer_new(struct world *w, int number, struct topic *t, bool idempotent, int acks);
struct actor *consumer_new(struct world *w, int number, struct topic *t);
struct actor *member_new(struct world *w, int number, struct group_model *g);
struct actor *admin_new(struct world *w);
struct actor *mover_new(struct world *w);
void group_model_release(struct group_model *g);
/* All offsets of the group are about to be deleted: what was acknowledged is not sure any more. ended: whether they were. */
void group_model_delete_begins(struct group_model *g);
void group_model_delete_ended(struct group_model *g, int partition, bool deleted);
/* The group's committed offset of a partition was asked for when `acked` was known; this came. */
void group_model_fetched(struct world *w, struct group_model *g, int p, int64_t acked, int64_t got);

/* ---- groups of the newer protocol (cg.h, cg_*.c) ---------------------------------------------- */

void cgroups_new(struct world *w);
void cgroups_free(struct world *w);
/* The settings that the members count on: in ms. */
#define CG_SESSION_MS   10000
#define CG_BEAT_MS      1000
#define CG_REBALANCE_MS 8000
void cgroups_verify(struct world *w); /* after a start: committed offsets */
/* All groups rest, or nothing was lifted yet; that they do not within a minute is wrong. */
bool cgroups_settled(struct world *w);

/* ---- retention and compaction (kept.c) -------------------------------------------------------- */

#define KEPT_SETTINGS_MAX 12
#define KEPT_CONFIGS_MAX  12
#define KEPT_TEXT_MAX     64
struct kept_configs {
    struct create_topics_request_topics_configs rows[KEPT_CONFIGS_MAX];
    char text[KEPT_CONFIGS_MAX][KEPT_TEXT_MAX];
    int n;
};
void kept_choose(struct options *o, struct rng *rng);
void kept_tell(struct world *w, const struct topic *t);
int kept_broker_settings(const struct options *o, char out[KEPT_SETTINGS_MAX][KEPT_TEXT_MAX]); /* "key=value"; how many */
void kept_topic_settings(const struct topic *t, struct kept_configs *c);
bool kept_has(const struct part *p, enum policy policy);
/* The record with that id, whose value is to be *value: a compacted topic's gets a key, and a tombstone's value goes to a header. */
void kept_record(const struct part *p, int64_t id, struct bytes *value, char key_text[KEPT_TEXT_MAX], struct bytes *key,
                 struct record_header *header, int *n_headers);
struct bytes kept_value(const struct part *p, const struct record *r);        /* as it was sent */
void kept_expect(const struct part *p, const struct record *r, int64_t id); /* its key is the one that was sent */
void kept_expired(const struct part *p, int64_t offset); /* what is known there lies below the log start now */
/* A compacted topic's partition, after a restart: as model_settle. */
void kept_check(struct part *p, const int64_t *ids, int64_t start, int64_t n, bool lossy);

/* ---- transactions (txn.h, txn_*.c) ------------------------------------------------------------- */

void txns_new(struct world *w);
void txns_free(struct world *w);
void txns_verify(struct world *w, bool lossy); /* after a start: everything that is there */
void txns_verify_end(struct world *w);         /* nothing may be open any more */
uint64_t txns_told(const struct world *w); /* transactions whose end was told */
void world_producer_id(struct world *w, int64_t id); /* one that was given, to anybody: the first time */

/* ---- whole partitions, topics and groups, after a start (verify.c) ---------------------------- */

void verify_all(struct world *w, bool lossy);
/* The records of a fetched partition, in order; ids from `from` on go to `take`. */
int64_t read_records(struct part *p, struct bytes records, int64_t from,
                     void (*take)(struct part *p, int64_t offset, int64_t id, void *arg),
                     void *arg);

/* ---- what goes wrong (trouble.c) --------------------------------------------------------------- */

void trouble_begin(struct world *w);
int64_t trouble_next(const struct world *w);
void trouble_step(struct world *w);
void trouble_recover(struct world *w); /* of a process that is dead */
void trouble_end(struct world *w);     /* faults are lifted, and none begin */
void trouble_finish(struct world *w);  /* a clean restart, a check, a clean stop */

#endif
