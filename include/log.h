/* log: Apache Kafka's log store on one machine (LogManager, UnifiedLog, LogSegment, ProducerStateManager).
 *
 * struct logm owns the log directories: their locks, meta.properties, checkpoints, clean-shutdown markers, one journal
 * each, and all partition logs in them. struct log is one partition: segments with sparse indexes, producer state,
 * leader epochs. All functions run on the core thread; what may block is a job on a lane of the log directory.
 *
 * The promise (design, section 4). Three offsets rise through every log:
 *
 *     log start  <=  high watermark  <=  end
 *
 * With transactions there is a fourth, the last stable offset: the high watermark, or where the oldest transaction begins that is
 * open, or that has ended above the high watermark. Readers with READ_COMMITTED see what is below it.
 *
 * Records below `end` are in the file (the page cache). Where the topic is durable (flush.messages = 1) the high watermark
 * is the flushed end, and a commit moves it: appends go on while a commit runs; when it ends, all that it covered is
 * durable. Otherwise the high watermark is the end. Readers never see past the high watermark.
 *
 * One turn of the loop: any number of log_append, log_read, log_wait_...; then logm_turn once, which starts a commit when
 * there is something to commit and none runs on that directory, and fires the waits whose time has come. Waits fire only
 * from logm_turn, never from inside log_append or log_read, so a caller is never entered again under its own feet.
 *
 * Failure: a full disk (E_NOSPC) is a state: the append is cut back and refused, and service resumes when space returns.
 * Any other failed write and every failed flush takes the log directory offline for good: appends give E_OFFLINE, waits fire
 * with E_OFFLINE, readers keep what is durable. See src/log/README.md for the order of things.
 *
 * Lanes: each log directory has two, for commits and for background flushes. libuv's pool has 4 threads unless
 * UV_THREADPOOL_SIZE says otherwise, which must be set before the first job: for no commit ever to wait for a thread it must be at
 * least 2 x log directories + 1 for each other lane of the process.
 */
#ifndef BARNABAS_LOG_H
#define BARNABAS_LOG_H

#include "base.h"
#include "config.h"
#include "record.h"
#include "sys.h"

struct logm;
struct log;

/* ---- all log directories ----------------------------------------------------------------------------------------- */

struct logm_options {
    const struct config *config;
    struct uuid cluster_id; /* used when no directory has a meta.properties yet; zero: made from env->rng */
    /* A log directory went offline; `all`: it was the last one. Called from logm_turn. May be NULL. */
    void (*offline)(void *arg, const char *dir, bool all);
    void *arg;
};
/* Opens (making what is missing) every log directory: lock, meta.properties (refused when it names another node.id or
 * cluster), checkpoints, the clean-shutdown marker (removed durably before anything else is changed), and after an unclean stop
 * the replay of the journal. Opens no partition. Errors, each with one clear line in msg: E_LOCKED, E_ACCESS, E_FORMAT, ... */
int logm_open(struct env *env, const struct logm_options *options, struct logm **out, struct errmsg *msg);
/* Writes checkpoints and, when everything is flushed, the clean-shutdown markers; releases everything. Call it when
 * logm_quiet says so, or at once to simulate a kill (clean = false writes nothing; jobs that run must have ended). Waits that
 * are left do not fire. */
void logm_close(struct logm *m, bool clean);
/* A batch was refused before its partition had a log, because there was no space to make one. What its producer has sent behind it is
 * refused, too, when there is one: as after a log_append that found no space. Anything but a whole batch header is passed over. */
void logm_refused(struct logm *m, const char *topic, int32_t partition, struct uuid topic_id, struct bytes batch);
/* Asks for everything to be flushed and committed (a clean stop): call logm_turn until logm_quiet. */
void logm_flush_all(struct logm *m);
bool logm_quiet(const struct logm *m); /* no commit running or waiting, no job on any lane, no wait due */

/* The epoch of the broker's registration, which the clean-shutdown marker keeps (CleanShutdownFileHandler); -1 until it is set. */
void logm_set_broker_epoch(struct logm *m, int64_t broker_epoch);

struct uuid logm_cluster_id(const struct logm *m);
int logm_n_dirs(const struct logm *m);
const char *logm_dir_path(const struct logm *m, int dir);
struct uuid logm_dir_id(const struct logm *m, int dir); /* directory.id of meta.properties */
bool logm_dir_offline(const struct logm *m, int dir);
bool logm_was_clean(const struct logm *m); /* every directory had its clean-shutdown marker, or was new */

/* A partition directory that was there at logm_open. */
struct logm_found {
    const char *topic;
    int32_t partition;
    struct uuid topic_id; /* of partition.metadata; zero without one, or where it is torn */
    int dir;
    bool was_clean; /* that log directory was */
    bool id_unread; /* partition.metadata could not be read: log_open tries again, and compares */
};
int logm_n_found(const struct logm *m);
const struct logm_found *logm_found_get(const struct logm *m, int i);
/* What is known of a partition's log without opening it: whether retention or compaction have something to do there. */
struct log_peek {
    uint64_t size_bytes, oldest_bytes; /* of all segments, of the first */
    int64_t oldest_timestamp_ms;       /* the first segment's largest timestamp, or its file's mtime */
    int32_t n_segments;
    bool front_below_start; /* the first segment lies wholly below the log start */
    bool has_dirty;         /* segments were finished that compaction has not looked at */
};
/* Reads the directory the first time, and nothing after that. E_NOENT: it is open, or has no directory. E_IO ... */
int logm_peek(struct logm *m, const char *topic, int32_t partition, struct log_peek *out);
/* Sets a directory aside that belongs to no known topic: renamed to "...-stray", as Kafka does. */
int logm_found_set_stray(struct logm *m, int i);

/* The end of a turn; see above. */
void logm_turn(struct logm *m);
/* Waits came due while others fired: call logm_turn again before the loop sleeps. */
bool logm_wants_turn(const struct logm *m);

/* ---- one log: life ------------------------------------------------------------------------------------------------ */

/* Opens a partition's log, or makes it in the directory `dir` (-1: the one with the fewest logs). After an unclean stop this
 * recovers it: from the recovery point, truncating at the first bad batch. A new log is cheap: its directory and
 * files are made at once, their names become durable with the first commit. E_NOSPC, E_OFFLINE, E_CORRUPT (good batches after a bad
 * one, inside what was flushed: the log is not served) ... After an unclean stop a log that could not be opened is refused with
 * E_OFFLINE from then on, until the next start. `config` is copied; later changes with log_set_config. */
int log_open(struct logm *m, const char *topic, int32_t partition, struct uuid topic_id,
             const struct topic_config *config, int32_t leader_epoch, int dir, struct log **out, struct errmsg *msg);
/* Whether the partition has a directory already (without opening it), be it in a log directory that is offline. */
bool log_exists(const struct logm *m, const char *topic, int32_t partition);
/* Drops it from memory at once (waits fire with E_CANCELED from the next turn), renames the directory to
 * "<topic>-<p>.<uuid>-delete" and removes that after file.delete.delay.ms on a lane. */
void log_delete(struct log *l);
void log_set_config(struct log *l, const struct topic_config *config);
const struct topic_config *log_config(const struct log *l); /* borrowed; until the next log_set_config */

const char *log_topic(const struct log *l);
int32_t log_partition(const struct log *l);
int log_dir_index(const struct log *l);
int64_t log_start_offset(const struct log *l);
int64_t log_end_offset(const struct log *l);
int64_t log_high_watermark(const struct log *l);
int64_t log_stable_offset(const struct log *l); /* last stable offset; the high watermark while no transaction is open */
uint64_t log_size_bytes(const struct log *l);
int log_n_segments(const struct log *l);
int32_t log_leader_epoch(const struct log *l);

/* ---- deleting from the front ---------------------------------------------------------------------------------------- */

/* Segment i of log_n_segments(l), the oldest first; the last is the active one. */
struct log_segment {
    int64_t base_offset, end_offset;
    uint64_t size_bytes;
    int64_t timestamp_ms; /* the largest of its records, or the file's mtime when they have none (LogSegment.largestTimestamp) */
};
int log_segment_get(struct log *l, int i, struct log_segment *out); /* 0; E_IO ... when an index cannot be read */
/* The first n segments leave, and the log start moves to the first one that stays; when all do, the active one is rolled before. All
 * must lie below the high watermark. In memory at once; in the directory on a lane, one after the other; their bytes after
 * file.delete.delay.ms. E_NOSPC, E_OFFLINE ... of the roll. (UnifiedLog.deleteSegments) */
int log_delete_segments(struct log *l, int n);
/* DeleteRecords: the log start moves up to `offset`; nothing happens where it is past that already. Whole segments below it are
 * left to retention. KE_OFFSET_OUT_OF_RANGE: below 0, or past the high watermark. Durable when log_wait_start says so. */
int16_t log_delete_records(struct log *l, int64_t offset);
/* What is below `offset` (at most the high watermark) is of no use any more: the log start moves there, and whole segments below it
 * leave, the active one too when all of it is below. For logs whose owner has a snapshot (__cluster_metadata): where it is made,
 * log_roll_active lets a later trim take everything before it. (KafkaRaftLog.deleteBeforeSnapshot) 0, or as log_delete_segments. */
int log_trim(struct log *l, int64_t offset);
/* A file that the log's owner keeps in its directory is of no use any more: it becomes "<name>.deleted", and is removed after
 * file.delete.delay.ms. Not synced: a power cut may bring it back. (Snapshots.markForDelete) */
void log_set_file_aside(struct log *l, const char *name);
/* The log goes on in a new segment; nothing happens while the active one is empty. */
int log_roll_active(struct log *l);

/* ---- compaction ------------------------------------------------------------------------------------------------------ */

/* What is below it was compacted; from the checkpoint, or the log start where that says nothing useful (LogCleanerManager). */
int64_t log_first_dirty(const struct log *l);
void log_set_first_dirty(struct log *l, int64_t offset);
struct wall log_last_cleaned(const struct log *l); /* 0: not since it was opened */
void log_set_uncleanable(struct log *l);           /* until the next start */
bool log_is_uncleanable(const struct log *l);
/* Where the first segment begins that must be left alone: the active one, one with records past the stable offset, or one that a
 * journal could be replayed over (past the noted recovery point). */
int64_t log_cleanable_end(const struct log *l);
void log_want_recovery_point(struct log *l); /* notes one soon, when that holds compaction back */
int log_segment_file(struct log *l, int i, struct file **out); /* a reference, for a lane */
int log_segment_first_timestamp(struct log *l, int i, int64_t *timestamp_ms);
/* The last offset that each producer wrote (-1: none that is known), by id; the caller frees. */
struct log_producer_end {
    int64_t producer_id, last_offset;
    int16_t epoch;
};
struct log_producer_end *log_producer_ends(const struct log *l, uint32_t *n);
/* A lane's write or sync for this log has failed: its directory goes offline. E_OFFLINE. */
int log_failed(struct log *l, const char *what, int rc);

#define LOG_CLEANED_SUFFIX ".cleaned"
/* "<directory>/NNN<suffix>.cleaned"; suffix ".log", ".index" or ".timeindex". The caller frees. */
char *log_cleaned_path(const struct log *l, int64_t base_offset, const char *suffix);
/* The cleaned segment of that base, whose files are written and synced, takes the place of the n_segments from there on; its last
 * batch ends where theirs does. Embedded; done on the core thread: 0, E_OFFLINE, E_CANCELED (the log was deleted), E_NOSPC
 * (nothing has changed; the cleaned files may be left). */
struct log_swap {
    /* in */
    int64_t base_offset;
    int n_segments;
    uint64_t size_bytes;
    bool has_txn_index; /* there is a .txnindex.cleaned */
    /* its own */
    struct log *log;
    struct log_dir *dir;
    struct vfs *vfs;
    char *path;
    struct list link;
    struct job job;
    int step, rc;
    bool given_up;
    void (*done)(struct log_swap *w, int rc);
};
/* 0: it has begun. E_OFFLINE: it has not, and the cleaned files are left. */
int log_swap(struct log *l, struct log_swap *w, void (*done)(struct log_swap *w, int rc));

/* ---- moving to another log directory ------------------------------------------------------------------------------------ */

/* A log moves to the log directory `dir` while it serves (KIP-113). Embedded in its owner's struct; zero-filled but for what goes in.
 *
 *   1  log_move_begin       the segments are copied on a lane, into "<topic>-<p>.<32 hex>-future" of that directory
 *   2  switching            the rest is copied, and the copy gets the partition's name; what is appended from here on is not acknowledged,
 *                           and no reader sees it. The log is still where it was, and stays there when anything fails
 *   3  switched             the copy is whole, and on the disk up to where anything was promised. The owner says, in its metadata, that it
 *                           is the one that counts; the log goes on there at once
 *   4  log_move_end         when that is durable: the old directory is deleted; what was held back is acknowledged
 *
 * A start finds one directory that counts (src/log/README.directory.md). It can be given up before 3: log_move_cancel, the log's deletion;
 * in 1 a clean stop does, too. */
struct log_move {
    /* in */
    int dir;
    int64_t bytes_per_second;                 /* of 1; 0: it waits. Later: log_move_set_rate */
    bool (*switching)(struct log_move *v);    /* 2: who works in the log's directory is to let go of it; false: soon. May be NULL */
    int (*switched)(struct log_move *v);      /* 3: 0, and log_move_end follows, later; E_*: nothing was said, the log stays */
    void (*done)(struct log_move *v, int rc); /* it has ended: 0 after 4; E_CANCELED; E_NOSPC, E_IO ...: the log stays where it is;
                                                 E_OFFLINE after 3: it is in a directory that has failed */
    /* its own */
    struct log *log; /* NULL: it was closed, or deleted, meanwhile */
    struct logm *m;
    struct log_dir *to, *from;
    struct dir_entry *entry;        /* of the copy, in `to`: nobody else gets the name */
    char *path, *old_path;          /* of the copy; of the log before the switch */
    struct log_move_copied *copied; /* by base offset */
    uint32_t n_copied, cap_copied;
    uint32_t at;                    /* the one that is being copied */
    uint64_t serial, position;      /* of that segment; in it */
    int64_t copied_end;             /* the copy has all batches below it */
    uint64_t held_serial, held_position; /* the end of the log when it was held */
    enum log_move_state { LOG_MOVE_COPIES = 0, LOG_MOVE_HOLDS, LOG_MOVE_NAMED, LOG_MOVE_SWITCHED } state;
    bool canceled, running;
    bool is_ready;                  /* for 2: no compaction of the log begins any more */
    int n_tries;                    /* to have the checkpoints written */
    struct timer timer;
    struct job job;
    struct file *source, *target;   /* references, for the job */
    uint32_t n_bytes;               /* of the job */
    bool is_last;                   /* of its segment */
    int64_t base_offset;
    uint64_t walked;                /* position behind the last batch that is whole in the copy */
    int64_t walked_end;             /* its last offset + 1 */
    int rc_read, rc;
};
/* l does not move, and is not in v->dir. E_EXIST: that has a directory of the same name. E_NOSPC: the log has no partition.metadata.
 * E_OFFLINE, E_MFILE. Then nothing has begun, and `done` is not called. */
int log_move_begin(struct log *l, struct log_move *v);
void log_move_end(struct log_move *v);                                /* after `switched`; calls `done` */
/* After `switched`: it cannot be said durably, and nobody knows which copy the next start will take. Who waits is told E_OFFLINE; the log is
 * held until the process ends. */
void log_move_lost(struct log_move *v);
void log_move_set_rate(struct log_move *v, int64_t bytes_per_second); /* takes effect at once */
/* Gives it up, where it was not switched yet; `done` is called, later when a job runs. */
void log_move_cancel(struct log_move *v);
struct log_move *log_moving(const struct log *l); /* NULL: it does not */
/* Before 3: where the copy ends, and how many bytes it has (DescribeLogDirs: the future replica). */
int64_t log_move_end_offset(const struct log_move *v);
uint64_t log_move_size_bytes(const struct log_move *v);

/* Copies that were there at logm_open: their moves had not ended. Those of partitions that are elsewhere are removed, and who wants such
 * a move to go on begins it again. (Kafka goes on with them: LogManager.futureLogs) */
struct logm_future {
    struct uuid topic_id; /* zero: not known */
    int32_t partition;
    int dir;
    char *path;     /* the partition is nowhere else, and it is still there; otherwise NULL */
    char *name_key; /* "<topic>-<p>"; the topic may be cut short */
};
int logm_n_futures(const struct logm *m);
const struct logm_future *logm_future_get(const struct logm *m, int i);
int logm_future_set_stray(struct logm *m, int i); /* one with a path: as logm_found_set_stray */

/* ---- appending ------------------------------------------------------------------------------------------------------ */

enum log_origin {
    LOG_FROM_CLIENT = 0,   /* exactly one batch; full validation (LogValidator); no control batches */
    LOG_FROM_COORDINATOR,  /* our own records; control batches allowed; timestamps not checked */
    LOG_FROM_RAFT,         /* __cluster_metadata: offsets, epochs and timestamps are the caller's and must fit */
};
struct log_record_error {
    int32_t batch_index; /* of the record in its batch */
    const char *message; /* in the arena */
};
#define LOG_RECORD_ERRORS_MAX 1000 /* named one by one */
struct log_append {
    /* in */
    struct chunk *chunk; /* holds p; the log takes references of its own as it needs them */
    uint8_t *p;          /* patched in place: base offset, leader epoch, LogAppendTime */
    size_t n_bytes;
    enum log_origin origin;
    struct arena *arena; /* for record_errors; NULL: none are wanted */
    bool verified;       /* a client's transactional batch: log_must_verify was asked, and the coordinator said that it may */
    int16_t transaction_version; /* of a COMMIT or ABORT marker: from 2 on its epoch must be above that of the data (KIP-890) */
    /* out */
    const struct log_record_error *record_errors; /* with error INVALID_RECORD or INVALID_TIMESTAMP: which records, why */
    int32_t n_record_errors;
    int16_t error;       /* enum kafka_error: what the peer did wrong; nothing was written */
    struct errmsg reason; /* with error */
    int64_t base_offset, last_offset;
    int64_t append_time_ms; /* -1 unless the topic stamps LogAppendTime */
    int64_t start_offset; /* -1 with an error after which Kafka does not tell it (ReplicaManager.appendToLocalLog) */
    bool duplicate;      /* an idempotent producer's repeat: base_offset is the first one's; nothing was written */
};
/* Checks, assigns offsets, writes to the page cache, updates indexes and producer state; rolls the segment first where due. Returns 0
 * (look at a->error), or E_NOSPC, E_OFFLINE, E_IO with nothing appended. */
int log_append(struct log *l, struct log_append *a);

/* ---- reading --------------------------------------------------------------------------------------------------------- */

enum isolation { READ_UNCOMMITTED = 0, READ_COMMITTED = 1 };
struct log_read {
    int16_t error;             /* KE_NONE, or KE_OFFSET_OUT_OF_RANGE */
    struct file *file;         /* NULL when there is nothing; borrowed: take a reference to keep it past this turn */
    uint64_t position;         /* of the batch that holds the offset */
    uint32_t n_bytes;          /* at most max_bytes, but one whole batch when at_least_one; may end inside a batch (as Kafka's) */
    int64_t offset;            /* that was asked for */
    int64_t segment_base;      /* of the file */
    bool checked;              /* good as long as it stays in the page cache: nothing was read from the device since it was written
                                  or checked. Otherwise, or when it is not warm, it goes through a log_check first. */
    int64_t high_watermark, stable_offset, start_offset, end_offset;
};
/* One slice of one segment: from the batch that holds `offset`, up to the high watermark (or the stable offset). 0, or
 * E_IO etc. when the index or the segment could not be read. offset == the bound gives no bytes. */
int log_read(struct log *l, int64_t offset, uint32_t max_bytes, bool at_least_one, enum isolation isolation,
             struct log_read *out);
/* As log_read, but up to `end` instead of the high watermark: replay by statelog, tools and tests. */
int log_read_to_end(struct log *l, int64_t offset, uint32_t max_bytes, struct log_read *out);

/* ---- transactions ------------------------------------------------------------------------------------------------------ */

/* A transaction ends with a control batch of its producer, appended LOG_FROM_COORDINATOR: one record, key control_key_put, value
 * marker_value_put. Refused with INVALID_PRODUCER_EPOCH or TRANSACTION_COORDINATOR_FENCED (ProducerAppendInfo.appendEndTxnMarker). A
 * marker without a transaction is taken, and fences. What a coordinator writes itself in a transaction is not verified. */

/* A client's transactional batch comes: whether the coordinator has to be asked about it, because it would be the first of its
 * transaction here. Remembers the lowest sequence that came so, for it must be the first one that is written.
 * supports_epoch_bump: of a client of KIP-890's second part. (UnifiedLog.maybeStartTransactionVerification) */
bool log_must_verify(struct log *l, int64_t producer_id, int16_t producer_epoch, int32_t sequence, bool supports_epoch_bump);

/* What is known of one producer (DescribeProducers). */
struct log_producer {
    int64_t producer_id;
    int16_t producer_epoch;
    int32_t last_sequence;     /* -1 */
    int64_t last_timestamp_ms; /* -1 */
    int32_t coordinator_epoch; /* -1 */
    int64_t txn_first_offset;  /* of its open transaction; -1 */
};
uint32_t log_n_producers(const struct log *l);
/* Fills out[0..log_n_producers). Any order. */
void log_producers_list(const struct log *l, struct log_producer *out);
bool log_producer_get(const struct log *l, int64_t producer_id, struct log_producer *out);

/* A transaction that was aborted (AbortedTxn). */
struct log_aborted {
    int64_t producer_id;
    int64_t first_offset, last_offset; /* of its first batch; of the marker */
    int64_t stable_offset;             /* the last stable offset when the marker was written */
};
struct log_aborted_list {
    struct log_aborted *p; /* by last_offset */
    uint32_t n, cap;
};
void log_aborted_list_release(struct log_aborted_list *a);
void log_aborted_list_add(struct log_aborted_list *out, const struct log_aborted *a);
/* An entry of a .txnindex. */
#define LOG_ABORTED_BYTES 34
void log_aborted_encode(const struct log_aborted *a, uint8_t out[LOG_ABORTED_BYTES]);
/* Adds the aborted transactions that a READ_COMMITTED reader of what log_read has just given must know: it drops their records.
 * Some may lie behind it (LocalLog.addAbortedTransactions). E_*: an index could not be read. */
int log_aborted_of_read(struct log *l, const struct log_read *r, struct log_aborted_list *out);
/* Adds those with a record or marker in [from, until): all of them (LocalLog.collectAbortedTransactions). For a cleaner. */
int log_aborted_between(struct log *l, int64_t from, int64_t until, struct log_aborted_list *out);

/* ---- rot -------------------------------------------------------------------------------------------------------------- */

/* What was found damaged in a segment, up to the next good batch. Its offsets are answered E_CORRUPT until the next start. */
struct log_rot {
    uint64_t position, until; /* in the .log file */
    int64_t offset, offset_next;
};
/* Checks what log_read gave: the length, the offsets and the CRC of every batch that is whole in it. Embedded in what reads;
 * log_check_run is for a lane, and reads the bytes into the page cache on the way. */
struct log_check {
    struct list link;  /* in log.checks */
    struct log *log;   /* NULL when it was closed meanwhile */
    struct file *file; /* a reference */
    int64_t segment_base, offset, offset_end;
    uint64_t position, size_bytes;
    uint32_t n_bytes;
    /* what the lane found */
    int rc;           /* of the first batch that is not good: E_CORRUPT, or why it could not be read */
    uint32_t n_good;  /* bytes from `position` on, before that batch */
    uint32_t n_whole; /* of these, in whole batches */
    struct log_rot rot;
};
void log_check_begin(struct log *l, struct log_check *c, const struct log_read *r);
void log_check_run(struct log_check *c);
/* Remembers what was checked; of rot says the place, once. 0: c->n_good bytes may be given out. E_CORRUPT, E_IO, ...: none. */
int log_check_end(struct log_check *c);
/* All rot that is known, in Prometheus' text format: log_corrupt_range{topic,partition,offset,offset_next,file} bytes. */
void logm_print_rot(struct logm *m, struct buf *out);
/* "<path of the segment file>" that holds the offset: for messages. */
void log_file_of(const struct log *l, int64_t offset, struct errmsg *out);

/* ---- offsets by time --------------------------------------------------------------------------------------------------- */

/* The first record with timestamp >= timestamp_ms below the isolation's bound: exact, inside the batch. *offset == -1: none.
 * E_CORRUPT: a damaged batch stands before any that is known to hold it. */
int log_offset_for_time(struct log *l, int64_t timestamp_ms, enum isolation isolation, int64_t *offset,
                        int64_t *found_timestamp_ms, int32_t *epoch);
/* The record with the highest timestamp (ListOffsets -3). *offset == -1: the log is empty, or it is not below the bound. */
int log_offset_of_max_timestamp(struct log *l, enum isolation isolation, int64_t *offset, int64_t *timestamp_ms,
                                int32_t *epoch);
/* OffsetForLeaderEpoch: the largest epoch <= the asked one, and where it ends; -1, -1 when unknown (LeaderEpochFileCache). */
void log_epoch_end(const struct log *l, int32_t epoch, int32_t *found_epoch, int64_t *end_offset);
int32_t log_epoch_at(const struct log *l, int64_t offset); /* -1 when unknown */
/* Of the state of idempotent producers: what a clean stop and a start must not change. */
uint64_t log_producers_digest(const struct log *l);

/* ---- waiting --------------------------------------------------------------------------------------------------------- */

/* Embedded in what waits. Fires once, from logm_turn: rc 0, E_OFFLINE or E_CANCELED (the log was deleted). */
struct log_wait {
    struct list link; /* zero-filled or list_init'ed before first use */
    struct log *log;  /* NULL when not waiting */
    int64_t offset;
    void (*fire)(struct log_wait *w, int rc);
};
/* When everything below `end` is as durable as the topic promises (at the next logm_turn when it already is). */
void log_wait_durable(struct log *l, struct log_wait *w, int64_t end, void (*fire)(struct log_wait *, int));
/* When the high watermark or the stable offset is past `beyond`. */
void log_wait_readable(struct log *l, struct log_wait *w, int64_t beyond, enum isolation isolation,
                       void (*fire)(struct log_wait *, int));
/* When a log start at or past `offset` is durable. */
void log_wait_start(struct log *l, struct log_wait *w, int64_t offset, void (*fire)(struct log_wait *, int));
void log_wait_cancel(struct log_wait *w); /* not waiting is fine */

#endif
