/* The inside of log: the objects, and what its files ask of one another.
 *
 * Two halves meet here. The *partition half* (log.c append.c read.c segment.c index.c epochs.c producers.c recover.c) knows
 * segments and what is in them. The *directory half* (logm.c dir.c checkpoint.c commit.c journal.c waits.c remove.c) knows log
 * directories, what is durable, and when. See README.md for the order of things between them.
 */
#ifndef BARNABAS_LOG_INTERNAL_H
#define BARNABAS_LOG_INTERNAL_H

#include "log.h"

struct segment;
struct producers; /* producers.c: idempotent producer state */
struct epochs;    /* epochs.c: leader-epoch-checkpoint */
struct journal;   /* journal.c */

/* ---- a partition ---------------------------------------------------------------------------------------------------- */

#define LOG_MAGIC 0x4c4f4731u
struct log {
    uint32_t magic;
    struct logm *m;
    struct log_dir *dir;
    char *topic;
    int32_t partition;
    struct uuid topic_id;
    char *path; /* "<log dir>/<topic>-<partition>" */
    struct topic_config config; /* copied text included */
    int32_t leader_epoch;
    UT_hash_handle by_name; /* in logm.logs, key: name_key */
    char *name_key;         /* "<topic>-<partition>" */

    /* partition half */
    struct segment **segments; /* by base offset, ascending; the last is the active one; never empty */
    int n_segments, cap_segments;
    struct epochs *epochs;
    struct producers *producers;
    int64_t start_offset;
    int64_t end_offset;       /* in the file */
    uint64_t size_bytes;

    /* directory half */
    int64_t flushed_offset;    /* below it everything is durable; what a commit moves */
    int64_t recovery_point;    /* below it the *segment files* are flushed: the checkpointed one; <= flushed_offset */
    int64_t high_watermark;
    int64_t stable_offset;
    bool deleted;
    struct list in_commit;     /* in dir->appended while something is to be made durable */
    struct list in_dirty;      /* in dir->dirty while a segment file has unflushed bytes */
    struct list durable_waits; /* struct log_wait.link */
    struct list readable_waits;
    struct list in_awake;      /* in m->awake while waits are to be looked at in logm_turn */
    int64_t appended_since_flush; /* records; flush.messages > 1 counts them */
    struct mono first_unflushed;  /* flush.ms */
};

/* ---- a log directory -------------------------------------------------------------------------------------------------- */

struct log_dir {
    struct logm *m;
    int index;
    char *path;
    struct uuid id;
    struct file *lock;
    bool offline;
    bool was_clean;
    bool full; /* the last append failed with E_NOSPC: said once, until it succeeds */
    struct lane commit_lane; /* fdatasync of the journal or of big commits: never waits behind anything long */
    struct lane flush_lane;  /* background flush of segments, checkpoints, removals */
    struct list appended;    /* struct log.in_commit: appended since the last commit began */
    struct list dirty;       /* struct log.in_dirty */
    struct journal *journal; /* NULL until the first durable append, and where log.journal.bytes is 0 */
    struct commit *commit;   /* commit.c's state */
};

#define LOGM_MAGIC 0x4c4f474du
struct logm {
    uint32_t magic;
    struct env *env;
    struct logm_options options;
    const struct config *config;
    struct uuid cluster_id;
    struct log_dir *dirs;
    int n_dirs;
    struct log *logs; /* uthash by name_key */
    struct logm_found *found;
    int n_found;
    struct list awake; /* logs whose waits may fire */
    struct checkpoints *checkpoints; /* checkpoint.c: recovery points, log start offsets, high watermarks as read at open */
    struct timer checkpoint_timer;
    bool stopping;
};

/* ---- what the partition half offers ------------------------------------------------------------------------------------- */

/* Loads the segments of l->path, or makes the first one; recovers when the directory was not clean or when doubt arises. Sets segments,
 * start_offset, end_offset, size_bytes, epochs, producers; returns with recovery_point <= end_offset. */
int log_load(struct log *l, bool create, struct errmsg *msg);
void log_unload(struct log *l); /* closes files, frees everything of the partition half */
/* What a flush of the segment files must do, as values for a lane: references to the files that have bytes below
 * `end` not yet flushed (segment .log of every dirty segment; indexes need no flush, they are rebuilt on doubt). */
struct flush_list {
    struct file **files; /* references */
    uint32_t n, cap;
    char **dirs;         /* directory paths whose names must be synced (owned copies) */
    uint32_t n_dirs, cap_dirs;
};
void flush_list_release(struct flush_list *f); /* core thread */
/* Adds this log's unflushed segment files. Marks them as being flushed up to their present size; log_flushed says that it succeeded. */
void log_collect_flush(struct log *l, struct flush_list *f);
void log_flushed(struct log *l, int64_t recovery_point);
/* Adds only names (new segment files, the directory itself, its parent) that are not durable yet, and the file each names. */
void log_collect_names(struct log *l, struct flush_list *f);
/* At a clean stop, after the flush: trims indexes as Kafka does, writes the producer snapshot at end_offset. Small files. */
int log_finish(struct log *l);
/* The producer snapshot and the like that a roll leaves behind is written by the partition half itself. */
int log_expire_producers(struct log *l, struct wall now);
int64_t log_segment_base_of(const struct log *l, int64_t offset);

/* ---- what the directory half offers --------------------------------------------------------------------------------------- */

/* Bytes were appended to a segment file at `position`; c holds them until they are durable (NULL: p is not kept, and the
 * commit syncs the segment instead of journaling them). Sets high_watermark at once where the topic is not durable. */
void commit_appended(struct log *l, struct chunk *c, const uint8_t *p, uint32_t n_bytes, int64_t segment_base,
                     uint64_t position, int32_t n_records);
/* A name was made (segment, directory): it must be durable before the next acknowledgement of this log. */
void commit_named(struct log *l);
/* A write failed for another reason than space, or a flush did: the directory is offline for good. Returns E_OFFLINE. */
int dir_fail(struct log_dir *d, const char *what, const char *path, int rc);
/* The high watermark, stable offset or anything a wait may look at has moved. */
void waits_wake(struct log *l);
/* What the checkpoint files said when the directories were opened; -1 when they say nothing. */
int64_t checkpoint_recovery_point(const struct logm *m, const struct log_dir *d, const char *name_key);
int64_t checkpoint_start_offset(const struct logm *m, const struct log_dir *d, const char *name_key);
int64_t checkpoint_high_watermark(const struct logm *m, const struct log_dir *d, const char *name_key);
/* Removes files or a directory on the flush lane after `delay_ms`; the path was renamed already. Path copied. */
void remove_later(struct log_dir *d, const char *path, int64_t delay_ms);

#endif
