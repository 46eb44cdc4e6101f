/* What the files of the directory half share: logm.c dir.c checkpoint.c commit.c flush.c journal.c
 * replay.c waits.c remove.c. All of it is the core thread's, but for what is marked "lane".
 */
#ifndef BARNABAS_LOG_DIRECTORY_H
#define BARNABAS_LOG_DIRECTORY_H

#include "internal.h"
#include "metrics.h"

#define DIR_LOCK_NAME      ".lock"
#define DIR_META_NAME      "meta.properties"
#define DIR_MARKER_NAME    ".kafka_cleanshutdown"
#define DIR_JOURNAL_NAME   ".barnabas-journal"
#define DIR_META_BYTES_MAX 65536
#define DIR_PATH_MAX       4096
#define DIR_NAME_MAX       255 /* of one name in a file system */
#define DIR_DELETE_SUFFIX  "-delete"
#define DIR_STRAY_SUFFIX   "-stray"
#define DIR_FUTURE_SUFFIX  "-future"

/* ---- partitions of a directory, open or not ------------------------------------------------- */

enum checkpoint_kind { CHECKPOINT_RECOVERY = 0, CHECKPOINT_START, CHECKPOINT_WATERMARK, CHECKPOINT_CLEANER };
#define CHECKPOINT_KINDS 4
#define CHECKPOINT_NONE  (-1) /* the file says nothing of this partition */

/* A partition directory. An open log's values are taken from it when a file is written; those of
 * one that was not opened stay as they were read. */
struct dir_entry {
    char *name_key; /* owned; "<topic>-<partition>" */
    int32_t partition;
    uint16_t topic_bytes; /* of name_key */
    bool id_unread; /* partition.metadata could not be read: the topic id is not known, which says nothing */
    bool unrecovered;     /* the stop was unclean and nobody has opened it since */
    bool refused;         /* opening it failed then: not again before the next start */
    bool gone;            /* deleted; stays until no checkpoint file has a line of it */
    enum dir_stale {
        STALE_NONE = 0,
        STALE_LINE,   /* made anew, and the file may hold a line of the one that was deleted */
        STALE_WRITING /* a text that replaces that line is on its way */
    } stale[CHECKPOINT_KINDS];
    struct log *log;      /* NULL while not open */
    struct uuid topic_id; /* of partition.metadata at the start */
    bool peeked;          /* while not open: peek is what the files say */
    struct log_peek peek;
    int64_t value[CHECKPOINT_KINDS];
    int64_t written[CHECKPOINT_KINDS]; /* what the file holds, durably */
    UT_hash_handle by_name;
};
struct dir_entry *dir_entry_find(const struct log_dir *d,
                                 const char *name_key); /* NULL: not there, or gone */
struct dir_entry *dir_entry_add(struct log_dir *d, const char *name_key);
/* A checkpoint's line of a partition that has no directory. */
void dir_entry_add_gone(struct log_dir *d, const char *name_key, enum checkpoint_kind kind,
                        int64_t offset);
void dir_entry_remove(struct log_dir *d, struct dir_entry *e); /* e may live on as `gone` */
void dir_entry_forget(struct log_dir *d, struct dir_entry *e); /* a gone one, for good */
/* Nothing of this log may be acknowledged: after a crash, a line of its namesake would be taken for
 * its own. */
bool checkpoint_is_stale(const struct log *l);
bool dir_entry_is_stale(const struct dir_entry *e);
bool dir_is_future(const char *name); /* of a copy that is being made (move.c) */
/* "orders-3" into 6 and 3; false when it is no such name. */
bool dir_parse_name(const char *name, size_t *topic_bytes, int32_t *partition);

/* ---- dir.c ---------------------------------------------------------------------------------- */

/* Lock, meta.properties, list of partitions, marker, checkpoints: changes nothing but what a new
 * directory needs. Leftovers to be removed go to `leftovers` as names, each ended by 0. */
int dir_open(struct log_dir *d, struct uuid *cluster_id, struct buf *leftovers, struct errmsg *msg);
/* The marker goes, durably. */
int dir_unmark(struct log_dir *d, struct errmsg *msg);
int dir_mark(struct log_dir *d); /* the last step of a clean stop */
void dir_close(struct log_dir *d);
char *dir_file_path(const struct log_dir *d, const char *name, char out[DIR_PATH_MAX]); /* out */
/* properties.c. The file is read, or made where the directory is empty (*is_new). *cluster_id zero: not
 * known yet. */
int properties_open(struct log_dir *d, struct uuid *cluster_id, bool *is_new, struct errmsg *msg);
/* Sets a zero one, where the file says it. */
void properties_peek(const struct log_dir *d, struct uuid *cluster_id);
/* topic_id of a partition directory's partition.metadata; zero without one. E_FORMAT: unreadable. */
int dir_read_topic_id(struct vfs *v, const char *partition_path, struct uuid *out);
/* The name of a set-aside directory: "<topic>-<p>.<32 hex><suffix>", as LocalLog.logDeleteDirName. */
void dir_aside_name(struct rng *rng, const char *name_key, size_t topic_bytes, const char *suffix,
                    char out[DIR_NAME_MAX + 1]);

/* ---- found.c -------------------------------------------------------------------------------- */

int found_make(struct logm *m, struct errmsg *msg);
void found_release(struct logm *m);
/* Names that dir_open has collected, each ended by a zero byte. */
void remove_leftovers(struct log_dir *d, const struct buf *names);

/* ---- checkpoint.c --------------------------------------------------------------------------- */

/* One file's lines, topic and partition joined again. Returns what fn returns when that is not 0. */
typedef int checkpoint_line_fn(void *arg, struct str topic, int32_t partition, int64_t offset);
/* E_CORRUPT: a wrong version, a wrong count, or a line that is none. Nothing at all is an empty
 * file. */
int checkpoint_parse(struct bytes text, checkpoint_line_fn *fn, void *arg);
void checkpoint_init(struct log_dir *d);
void checkpoint_release(struct log_dir *d);
int checkpoint_load(struct log_dir *d, struct errmsg *msg);         /* into the entries */
void checkpoint_note(struct log_dir *d, enum checkpoint_kind kind); /* something may have changed */
/* To be written as soon as the flush lane is free. */
void checkpoint_want(struct log_dir *d, enum checkpoint_kind kind);
void checkpoint_turn(struct log_dir *d); /* submits what is due */
bool checkpoint_idle(const struct log_dir *d);
int checkpoint_write_all(struct log_dir *d); /* at a clean stop, on this thread */
void checkpoint_timer_fire(struct timer *t);

/* ---- journal.c, replay.c -------------------------------------------------------------------- */

#define JOURNAL_BLOCK_BYTES        4096
#define JOURNAL_HEADER_BYTES       (2 * JOURNAL_BLOCK_BYTES)
#define JOURNAL_ENTRY_BYTES_MAX    (1u << 20)
#define JOURNAL_BYTES_MIN          (JOURNAL_HEADER_BYTES + 2 * 4 * JOURNAL_BLOCK_BYTES)
#define JOURNAL_ENTRY_HEADER_BYTES 40
#define JOURNAL_PART_BYTES         48 /* without the name */
#define JOURNAL_MAGIC              0x426a4831u
#define JOURNAL_ENTRY_MAGIC        0x426a4531u

/* Appended bytes that wait for a commit, or are in one. */
struct commit_part {
    struct log *l;       /* NULL: the log is gone, the bytes no longer matter */
    struct chunk *chunk; /* a reference */
    const uint8_t *p;
    uint32_t n_bytes;
    int64_t segment_base;
    uint64_t position;
    int64_t end_offset; /* of the log behind these bytes */
};

enum journal_half_state {
    JOURNAL_HALF_FREE = 0,
    JOURNAL_HALF_CURRENT,
    JOURNAL_HALF_FULL,    /* waits for a flush of all that it covers to begin */
    JOURNAL_HALF_FLUSHING /* that flush runs */
};
struct journal {
    struct log_dir *d;
    struct file *file; /* NULL while it is being made */
    bool failed;       /* there was no space to make it; said once */
    struct mono retry; /* with failed */
    uint64_t generation, sequence_next;
    uint64_t file_bytes, half_bytes;
    enum journal_half_state half_state[2];
    int half;    /* the current one */
    uint64_t at; /* in it */
    struct job make_job;
    bool making;
    struct file *made; /* the lane's until it is done, as make_rc */
    int make_rc;
};
/* A commit's entries, ready to be written. Buffers are reused. */
struct journal_write {
    struct file *file; /* a reference while in use */
    struct buf head;   /* headers and parts of all entries */
    struct piece *pieces;
    uint32_t n_pieces, cap_pieces;
    struct journal_out {
        uint64_t position;
        uint32_t first_piece, n_pieces;
    } * entries;
    uint32_t n_entries, cap_entries;
    uint64_t total_bytes;
};
/* At logm_open: `replay` when the stop was unclean. The file is taken over, and reset. */
int journal_open(struct log_dir *d, bool replay, struct errmsg *msg);
void journal_close(struct log_dir *d);
int journal_reset(struct journal *j); /* durably: no entry counts any more. All must be flushed. */
bool journal_ready(const struct log_dir *d);
void journal_want(
    struct log_dir *d); /* makes it on the flush lane, when there is none and should be */
/* Places the parts in the current half, or, when that is full and the other free, in the other.
 * False: no room now, or a part is too large; nothing has changed but that a flush may be wanted
 * (journal_wants_flush). */
bool journal_plan(struct journal *j, const struct commit_part *parts, uint32_t n,
                  struct journal_write *w);
int journal_write(struct journal_write *w);      /* lane: checksums, writes, datasyncs */
void journal_write_put(struct journal_write *w); /* after the commit */
void journal_write_release(struct journal_write *w);
bool journal_wants_flush(const struct journal *j);
int journal_flush_begins(struct journal *j); /* the half that the flush frees, or -1 */
void journal_half_flushed(struct journal *j, int half);
/* replay.c: writes valid entries into the segments again and datasyncs those. The log directory is
 * not open yet. */
int journal_replay(struct log_dir *d, struct file *file, uint64_t generation, uint64_t file_bytes,
                   struct errmsg *msg);

/* ---- commit.c, flush.c ---------------------------------------------------------------------- */

#define COMMIT_FILES_MAX 16 /* past it one syncfs is cheaper than so many fdatasyncs */

void commit_init(struct log_dir *d);
void commit_release(struct log_dir *d);
void commit_start(struct log_dir *d); /* when there is something to commit, and none runs */
bool commit_idle(const struct log_dir *d);
bool commit_running(const struct log_dir *d);
void commit_drop_log(struct log *l);       /* it is going away */
void commit_let_go(struct log *l);         /* it was held: what it appended meanwhile is to be committed */
void commit_drop_queue(struct log_dir *d); /* the directory is offline */
/* Everything below the end is committed, or nothing waits for it. */
void flush_init(struct log_dir *d);
void flush_release(struct log_dir *d);
void flush_start(struct log_dir *d);
bool flush_idle(const struct log_dir *d);
bool flush_running(const struct log_dir *d);
void flush_drop_log(struct log *l);
/* Before the recovery points are written: durable logs, and what was rolled. */
void flush_tick(struct log_dir *d);
void flush_want(struct log *l);
void flush_want_noted(struct log *l); /* and recovery points are written when it has ended */
void flush_want_all(struct log_dir *d); /* likewise, every dirty log */
void flush_note_age(struct log *l); /* first unflushed byte of a log that is not durable */
void flush_timer_fire(struct timer *t);
/* Shared by the two: names of l that are not durable yet. True when this job is to sync some. */
bool collect_names(struct log *l, struct flush_list *list);
/* Lane. Syncs what is in the list: one by one, or with one call where that is less. Names after the
 * files that they name. A directory that is not there is passed over, and E_NOENT returned when all
 * the rest is done. */
int flush_list_sync(struct vfs *v, const char *dir_path, const struct flush_list *list, bool all);
/* Lane. A job that syncs has ended with rc: a failure is known to the other lane's job at once. Returns rc. */
int dir_synced(struct log_dir *d, int rc);
/* Core: what the job's rc means. Once one sync has failed, no other that ends later counts as done: it may have found
 * the pages that the failed one lost marked clean. */
int dir_sync_result(const struct log_dir *d, int rc);
/* The segments of l are flushed below `end`. */
void recovery_point_moved(struct log *l, int64_t end);
/* All below `end` is durable. */
void flushed_moved(struct log *l, int64_t end);

/* ---- waits.c, remove.c ---------------------------------------------------------------------- */

enum due { DUE_OK = 0, DUE_OFFLINE, DUE_CANCELED };
void waits_init(struct logm *m);
void waits_turn(struct logm *m);
bool waits_idle(const struct logm *m);
void waits_offline(struct log *l);
void waits_start_noted(struct log *l); /* the checkpoint of log starts was written */
void waits_cancel_all(struct log *l);
void remove_release(struct log_dir *d);
/* A partition's directory gets out of the way at once, and is removed later. Its entry is the caller's. */
void dir_set_aside(struct log_dir *d, const char *path, const char *name_key, size_t topic_bytes, int64_t delay_ms);
bool remove_idle(const struct log_dir *d);

#endif
