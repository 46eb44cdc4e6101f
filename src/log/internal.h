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
struct ended_txn; /* transactions.c */
struct journal;   /* journal.c */

/* Files of sealed segments that are kept open while idle, and files of segments in all: past it the longest unused are closed
 * (never one with unflushed bytes: an error of its writeback could then be missed). */
#define LOG_OPEN_SEALED_MAX 512
#define LOG_OPEN_FILES_MAX 4096

/* ---- a partition ---------------------------------------------------------------------------- */

/* Where an offset is: `offset` begins a batch (or is the end) at `position` of the segment. */
struct log_place {
    int64_t offset; /* -1: nothing is known here */
    int64_t segment_base;
    uint64_t position;
    uint64_t until; /* readers: the last read went up to here, so that the next one is found by a short walk */
};
#define LOG_PLACES_READERS 4 /* sequential readers that are remembered */
#define LOG_PLACES_ENDS 16   /* ends of the last appends: where a high watermark will come to be */

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
    int64_t first_dirty_offset; /* compaction has looked at what is below; -1: at nothing */
    int64_t end_offset;       /* in the file */
    uint64_t size_bytes;
    bool dir_is_new;          /* the directory's own name is not durable yet */
    bool names_are_new;       /* names in the directory are not durable yet */
    bool metadata_is_new;     /* nor is what partition.metadata says */
    bool metadata_is_missing; /* there was no space for it */
    uint64_t bytes_since_snapshot; /* of producer state */
    int64_t extra_snapshots[2]; /* offsets of the newest two snapshots that are not at a segment's base, newer first; -1 */
    struct log_place readers[LOG_PLACES_READERS];
    struct log_place ends[LOG_PLACES_ENDS];
    struct log_place bounds[2]; /* by isolation: of the last bound that was looked up */
    struct ended_txn *ended;  /* transactions whose marker is not below the high watermark yet, by marker */
    uint32_t n_ended, cap_ended;
    struct list checks;       /* struct log_check.link: on a lane */
    bool any_remade;          /* indexes made anew may be on their way to the disk (remake.c) */
    bool bears_rot;           /* damaged batches are passed over and noted; not so while recovery decides what is kept */
    uint8_t reader_next, end_next;

    /* directory half */
    int64_t flushed_offset;    /* below it everything is durable; what a commit moves */
    int64_t recovery_point;    /* below it the *segment files* are flushed; <= flushed_offset */
    int64_t indexed_point;     /* below it so are the indexes. The checkpoint says the lower of the two */
    int64_t high_watermark;
    int64_t stable_offset;
    bool deleted;
    struct list in_commit;     /* in dir->appended while something is to be made durable */
    struct list in_dirty;      /* in dir->dirty while a segment file has unflushed bytes */
    struct list durable_waits; /* struct log_wait.link */
    struct list readable_waits;
    struct list start_waits;   /* for the durable log start */
    struct list in_awake;      /* in m->awake while waits are to be looked at in logm_turn */
    int64_t appended_since_flush; /* records; flush.messages > 1 counts them */
    uint64_t bytes_since_flush;   /* appended while not durable */
    struct mono first_unflushed;  /* flush.ms */
    struct list committed_waits;  /* readable_waits of READ_COMMITTED: they look at the stable offset */
    bool needs_sync;       /* bytes below the end are in no journal: the next commit syncs the segments */
    bool flush_wanted;     /* on the flush lane, as soon as it is free */
    bool in_flush;         /* the running flush covers it */
    bool indexes_left;     /* the last one could not write or open its indexes */
    uint32_t names_in_flight; /* running jobs that sync names of this log */
    int64_t journaled_end; /* end of the newest part in the journal; 0: none */
    struct list swaps;     /* swap.c: struct log_swap.link */
    struct log_move *move; /* to another directory; NULL */
    int64_t held_from;     /* move_switch.c: from here on nothing is acknowledged, nor shown to a reader; INT64_MAX: it is not held */
    bool uncleanable;      /* its contents cannot be read */
    struct wall cleaned;   /* last compacted */
    uint32_t n_departures; /* delete.c: rows of segments that are leaving */
    struct dir_entry *entry; /* what the directory half keeps of every partition, open or not */
};

/* A log that goes over to another directory is held: up to where it can be promised that a record is there. */
static inline bool log_is_held(const struct log *l)
{
    return l->held_from < INT64_MAX;
}
static inline int64_t log_promised_end(const struct log *l)
{
    return MIN(l->end_offset, l->held_from);
}

/* ---- a log directory ------------------------------------------------------------------------ */

struct log_dir {
    struct logm *m;
    int index;
    char *path;
    struct uuid id;
    struct file *lock;
    bool offline;
    _Atomic int sync_rc; /* a lane's: of a sync or write there that failed, before its job has ended; 0: none */
    bool was_clean;
    bool was_ours; /* after an unclean stop: certainly, for the journal had entries */
    bool full; /* the last append failed with E_NOSPC: said once, until it succeeds */
    struct lane commit_lane; /* fdatasync of the journal or of big commits: never waits behind anything long */
    struct lane flush_lane;  /* background flush of segments, checkpoints, removals */
    struct list appended;    /* struct log.in_commit: appended since the last commit began */
    struct list dirty;       /* struct log.in_dirty */
    struct journal *journal; /* NULL until the first durable append, and where log.journal.bytes is 0 */
    struct commit *commit;   /* commit.c's state */
    struct flush *flush;     /* flush.c's state */
    uint64_t volatile_bytes; /* appended to logs that are not durable since a flush of all was asked for */
    struct checkpoint *checkpoint; /* checkpoint.c's state */
    struct log_move *mover;  /* the one that copies into it, or is held for it: others wait; NULL */
    int n_leaving;           /* logs that have gone over to another directory, while this one may still be the one that counts */
    struct list departures;  /* delete.c: struct departure.link */
    struct list removals;    /* remove.c: struct removal.link */
    struct dir_entry *entries; /* uthash by name_key: every partition directory in it, open or not */
    int n_entries;
    int n_unrecovered;       /* after an unclean stop: entries that were not opened yet, so not looked at */
    bool offline_told;       /* options.offline was called */
};

#define LOGM_MAGIC 0x4c4f474du
struct logm {
    uint32_t magic;
    struct env *env;
    struct logm_options options;
    const struct config *config;
    struct uuid cluster_id;
    int64_t broker_epoch; /* for the clean-shutdown marker; -1 */
    uint64_t n_segments_made; /* segment.serial */
    struct log_dir *dirs;
    int n_dirs;
    struct log *logs; /* uthash by name_key */
    struct logm_found *found;
    int n_found;
    struct logm_future *futures;
    int n_futures;
    struct list awake; /* logs whose waits may fire */
    struct timer checkpoint_timer;
    struct timer flush_timer; /* flush.ms */
    struct list refused;       /* held.c: producers that wait for a log that could not be made */
    uint32_t n_refused;
    struct timer expiry_timer; /* producer.id.expiration.check.interval.ms */
    bool stopping;
    bool flushing_all; /* a clean stop has begun */
    struct list due[3]; /* waits that fire in this turn: waits.c's enum due */

    /* partition half: segments whose .log file is open (segment.in_open), longest unused first. Zero-filled is fine. */
    struct list open_sealed, open_active;
    uint32_t n_open_sealed, n_open_active;
};

/* ---- what the partition half offers --------------------------------------------------------- */

/* Loads the segments of l->path, or makes the first one; recovers when the directory was not clean or when doubt arises. Sets segments,
 * start_offset, end_offset, size_bytes, epochs, producers; returns with recovery_point <= end_offset. */
int log_load(struct log *l, bool create, struct errmsg *msg);
void log_unload(struct log *l); /* closes files, frees everything of the partition half */
/* Frees the struct that log_open made, with all in it; unloads first where that was not done. Its owner has taken it out of
 * m->logs and out of every list. NULL is fine. */
void log_free(struct log *l);
/* What a flush of the segment files must do, as values for a lane: references to the files that have bytes below
 * `end` not yet flushed (segment .log of every dirty segment). */
struct flush_list {
    struct file **files; /* references */
    uint32_t n, cap;
    char **dirs;         /* directory paths whose names must be synced (owned copies) */
    uint32_t n_dirs, cap_dirs;
    char **paths;        /* indexes, which the lane opens and syncs (owned copies) */
    uint32_t n_paths, cap_paths;
};
void flush_list_release(struct flush_list *f); /* core thread */
/* Adds this log's unflushed segment files: those that end past l->recovery_point. Nothing is marked: jobs of both lanes may hold
 * collections of one log at the same time. log_flushed: the segment files are flushed below recovery_point (l->recovery_point has
 * been set to it already, and never goes back). */
void log_collect_flush(struct log *l, struct flush_list *f);
void log_flushed(struct log *l, int64_t recovery_point);
/* Writes the entries that wait, and adds the indexes that are not synced. The checkpoint may pass an offset only when the indexes
 * are on the disk up to there: recovery takes their word for what is below it, and Apache Kafka does so after a clean stop. A
 * background flush sees to it. False: an index could not be written; indexed_point has to stay. */
bool log_collect_indexes(struct log *l, struct flush_list *f);
/* The same of indexes that were made anew: one step for each of them. True: some are still on their way. remake_synced: the step is
 * on the disk, the next flush may take the next one. */
bool remake_collect(struct log *l, struct flush_list *f);
void remake_synced(struct log *l);
void flush_list_path(struct flush_list *f, const char *path); /* a file that is opened on the lane; copied */
/* Adds only names (new segment files, the directory itself, its parent) that are not durable yet, and the file each names. */
void log_collect_names(struct log *l, struct flush_list *f);
/* At a clean stop, after the flush: trims indexes as Kafka does, writes the producer snapshot at end_offset. Small files. */
int log_finish(struct log *l);
/* The producer snapshot and the like that a roll leaves behind is written by the partition half itself. */
void log_expire_producers(struct log *l, struct wall now);
int64_t log_segment_base_of(const struct log *l, int64_t offset);
int64_t log_first_base(const struct log *l);    /* base offset of the first segment */
int64_t log_start_durable(const struct log *l); /* the log start that a power cut leaves, at least; -1 */
/* The high watermark has moved: sets stable_offset from it and from the open transactions. */
void log_bound_moved(struct log *l);

/* ---- what the directory half offers --------------------------------------------------------- */

/* log_open is, in this order: dir_place; the struct, filled; log_attach (sets up the fields of the directory half, so that log_load may
 * call commit_named); log_load; log_opened (flushed_offset, high_watermark, stable_offset := end_offset; enters m->logs). When
 * log_load fails: log_detach, log_free. */
/* Where a partition's directory is (*exists), or where a new one goes: `wanted`, or for -1 the online directory with the fewest
 * partitions. E_OFFLINE. */
int dir_place(const struct logm *m, const char *name_key, int wanted, struct log_dir **out, bool *exists);
/* After an unclean stop: a log that could not be recovered is refused until the next start. */
void dir_refuse(struct log_dir *d, const char *name_key);
bool dir_is_refused(const struct log_dir *d, const char *name_key);
/* An unclean start could not read its partition.metadata, so it was not decided whose it is. */
bool dir_id_is_unread(const struct log_dir *d, const char *name_key);
void log_attach(struct log *l);
void log_opened(struct log *l);
void log_detach(struct log *l); /* out of every list and of m->logs; waits fire with E_CANCELED; what is queued is dropped */
/* l->config was changed; whether it was durable before. Moves the high watermark or asks for a commit, where that follows. */
void commit_config_changed(struct log *l, bool was_durable);
/* held.c: l was opened; who waits for it waits in it. */
void refused_take(struct log *l);
void refused_release(struct logm *m);
/* l->start_offset has moved: its checkpoint is to be written. */
void checkpoint_start_moved(struct log *l);
/* l->first_dirty_offset has moved. */
void checkpoint_cleaner_moved(struct log *l);
/* The recovery point that is durably written in the checkpoint; -1 none. Whoever replaces what is in a segment (the cleaner) may do
 * so only below it: the journal could otherwise be replayed over the new contents. */
int64_t checkpoint_recovery_point_written(const struct log *l);

/* Bytes were appended to a segment file at `position`, l->end_offset is past them already; c holds them until they are durable (NULL: p is not kept, and the
 * commit syncs the segment instead of journaling them). Sets high_watermark at once where the topic is not durable. */
void commit_appended(struct log *l, struct chunk *c, const uint8_t *p, uint32_t n_bytes, int64_t segment_base,
                     uint64_t position, int32_t n_records);
/* A name was made (segment, directory): it must be durable before the next acknowledgement of this log. */
void commit_named(struct log *l);
/* Indexes were made anew: a flush is to take them a step on. */
void commit_remade(struct log *l);
/* delete.c. The log is going away, or its directory. */
void departures_drop_log(struct log *l);
void departures_release(struct log_dir *d);
void swaps_drop_log(struct log *l); /* swap.c */
/* move.c */
void moves_drop_log(struct log *l);
void move_log_deleted(struct log *l); /* what it has in another directory goes, too; before log_detach */
void moves_stop(struct logm *m);      /* a clean stop begins: those that copy still end */
/* l was recovered: the flush lane is to sync its indexes, and to note its recovery point. */
void commit_recovered(struct log *l);
/* A write failed for another reason than space, or a flush did: the directory is offline for good. Returns E_OFFLINE. */
int dir_fail(struct log_dir *d, const char *what, const char *path, int rc);
/* The high watermark, stable offset or anything a wait may look at has moved. */
void waits_wake(struct log *l);
/* What the checkpoint files said when the directories were opened; -1 when they say nothing. */
int64_t checkpoint_recovery_point(const struct logm *m, const struct log_dir *d, const char *name_key);
int64_t checkpoint_start_offset(const struct logm *m, const struct log_dir *d, const char *name_key);
int64_t checkpoint_cleaner_offset(const struct logm *m, const struct log_dir *d, const char *name_key);
int64_t checkpoint_high_watermark(const struct logm *m, const struct log_dir *d, const char *name_key);
/* Removes files or a directory on the flush lane after `delay_ms`; the path was renamed already. Path copied. */
void remove_later(struct log_dir *d, const char *path, int64_t delay_ms);

#endif
