/* Segments and their indexes: what the files of the partition half share.
 *
 *   NNN.log        record batches back to back; NNN is the first offset it may hold, 20 digits
 *   NNN.index      | i32 offset - NNN | i32 position |             8 bytes an entry
 *   NNN.timeindex  | i64 timestamp ms | i32 offset - NNN |         12 bytes an entry
 *
 * An offset entry: the batch whose *last* offset is this begins at this position. A time entry: up
 * to here the largest timestamp is this one, and the batch that holds it ends with this offset.
 * Both rise in both fields. (OffsetIndex, TimeIndex, LogSegment.append)
 *
 *   NNN.txnindex   transactions that an ABORT marker in this segment has ended, see txn_index.c
 *
 * Indexes are derived: entries wait in memory and are written in runs; whatever looks wrong is
 * rebuilt from the .log file.
 */
#ifndef BARNABAS_LOG_SEGMENT_H
#define BARNABAS_LOG_SEGMENT_H

#include "internal.h"

/* ---- an index file -------------------------------------------------------------------------- */

enum index_kind { INDEX_OFFSET = 0, INDEX_TIME = 1 };
#define INDEX_OFFSET_ENTRY_BYTES 8
#define INDEX_TIME_ENTRY_BYTES   12
#define INDEX_PENDING_MAX        64 /* entries that wait in memory */

struct segment;
struct offset_entry {
    int64_t offset; /* the last one of the batch */
    uint32_t position;
};
struct time_entry {
    int64_t timestamp_ms;
    int64_t offset;
};
struct index {
    enum index_kind kind;
    bool loaded;        /* n_written is known */
    bool missing;       /* there is no file: the next index_flush makes one */
    uint32_t n_written; /* entries in the file */
    bool in_memory;     /* nothing is written now (remake.c) */
    uint32_t n_pending, cap_pending;
    uint8_t *pending; /* encoded; made with the first entry, freed when the segment is sealed */
};
size_t index_entry_bytes(const struct index *x);
uint32_t index_count(const struct index *x);
/* An empty file, whatever was there; Apache Kafka has both of every segment. */
int index_create(struct index *x, const struct segment *s);
int index_drop(struct index *x, const struct segment *s); /* no file, and nothing waits */
/* Looks at the file's size and at its last entry. E_CORRUPT: not a whole number of entries, or the
 * last one is not after the segment's base (as where zeroes follow the entries). A file that is not
 * there is an empty index. */
int index_load(struct index *x, const struct segment *s);
void index_release(struct index *x);
/* The next read asks the device: of a file whose sync failed before a crash the cache may show what is nowhere else. */
int index_forget_cache(const struct index *x, const struct segment *s);
/* Adds an entry; the caller keeps the order. Writes the waiting ones when there are enough. */
int index_add_offset(struct index *x, const struct segment *s, struct offset_entry e);
int index_add_time(struct index *x, const struct segment *s, struct time_entry e);
int index_flush(struct index *x, const struct segment *s);      /* writes what waits */
int index_truncate(struct index *x, const struct segment *s, uint32_t n_entries);
/* How many entries, from the first, may have been made by appends: both fields rise, offsets stay
 * below `until` and positions in the segment. What a power cut lost is zeros, and does not rise. */
int index_count_sound(const struct index *x, const struct segment *s, int64_t until, uint32_t *n);

/* Reading: of what is written from the file, of what waits from memory. */
struct index_reader {
    const struct index *x;
    int64_t base_offset;
    struct file *file; /* NULL: nothing is in it */
};
int index_open(struct index_reader *r, const struct index *x, const struct segment *s);
void index_close(struct index_reader *r);
int index_get_offset(struct index_reader *r, uint32_t i, struct offset_entry *out);
int index_get_time(struct index_reader *r, uint32_t i, struct time_entry *out);
/* How many entries, from the first, have an offset (a position; a timestamp) below what is given: a
 * binary search. */
int index_count_below_offset(struct index_reader *r, int64_t offset, uint32_t *n);
int index_count_below_position(struct index_reader *r, uint64_t position, uint32_t *n);
int index_count_below_time(struct index_reader *r, int64_t timestamp_ms, uint32_t *n);

/* ---- the index of aborted transactions (txn_index.c) --------------------------------------- */

#define INDEX_TXN_ENTRY_BYTES LOG_ABORTED_BYTES
struct txn_index {
    bool exists;        /* there is a file */
    bool loaded;        /* n_written is known */
    uint32_t n_written; /* entries in the file */
    uint32_t n_pending, cap_pending;
    struct log_aborted *pending; /* not in the file yet */
};
/* Adds an entry, whose last offset is behind all others'. It waits in memory where it cannot be written. */
void txn_index_add(struct segment *s, const struct log_aborted *a);
/* What waits goes to the file. 1: the file was made, and its name is not durable. E_*: all of it goes on waiting. */
int txn_index_write(struct segment *s);
/* Entries whose marker is at or past end_offset go. */
int txn_index_truncate(struct segment *s, int64_t end_offset);
/* After an unclean stop: only what is below `offset` is there. An index with anything that cannot have been written is made
 * anew from the batches. */
int txn_index_trust(struct segment *s, int64_t offset);
/* Adds the entries that touch [from, until). *complete: those of later segments cannot. (TransactionIndex.collectAbortedTxns) */
int txn_index_collect(struct segment *s, int64_t from, int64_t until, struct log_aborted_list *out, bool *complete);
bool txn_index_is_empty(const struct segment *s);
void txn_index_release(struct segment *s);

/* ---- a segment ------------------------------------------------------------------------------ */

#define SEGMENT_MAGIC       0x5345474du
#define SEGMENT_CHECKED_MAX 3 /* ranges that are remembered: one for each sequential reader */
struct segment {
    uint32_t magic;
    struct log *log;
    uint64_t serial; /* no other segment that this process has made has it */
    int64_t base_offset;
    bool sealed;         /* not the active one: the file is opened for reading only */
    enum swapping { SWAPPING_NONE = 0, SWAPPING_INDEXES, SWAPPING_ALL } swapping; /* which of its files are still called .swap */
    struct file *file;   /* .log; NULL while closed */
    struct list in_open; /* in m->open_sealed or m->open_active */
    uint64_t size_bytes;
    uint64_t reserved_bytes; /* the file has space up to here; 0: none beyond its size */
    uint32_t bytes_since_index;
    struct index offsets, times;
    struct txn_index txns;
    enum remaking { REMADE_NONE = 0, REMADE_CUT, REMADE_TIMES, REMADE_OFFSETS } remaking; /* remake.c: what is synced next */
    bool remade_listed;           /* and the running flush syncs it */
    bool indexes_loaded;          /* and with them: */
    int64_t indexed_timestamp_ms; /* of the last time entry; NO_TIMESTAMP: none */
    int64_t max_timestamp_ms;     /* NO_TIMESTAMP: none */
    int64_t max_timestamp_offset; /* last offset of the batch that holds it */
    bool first_known;
    int64_t first_timestamp_ms; /* largest one of the first batch: segment.ms counts from it */
    struct wall created;
    int64_t jitter_ms;
    /* rot.c: what is known of the bytes. Positions fit 32 bits. */
    uint32_t written_from; /* from here on this process wrote them */
    struct checked {
        uint32_t from, until;
    } checked[SEGMENT_CHECKED_MAX]; /* found good since they were read; until 0: unused */
    struct log_rot *rot;            /* ascending */
    uint32_t n_rot;
};

#define SEGMENT_PATH_MAX 4096
char *segment_path(const struct segment *s, const char *suffix,
                   char out[SEGMENT_PATH_MAX]); /* returns out */
char *log_file_path(const struct log *l, int64_t offset, const char *suffix,
                    char out[SEGMENT_PATH_MAX]);

/* The struct alone; files are as they are. Owned by l->segments. */
struct segment *segment_new(struct log *l, int64_t base_offset, uint64_t size_bytes);
void segment_free(struct segment *s); /* closes; NULL is fine */
/* Makes the .log file, which must not be there (E_EXIST), and empty indexes. Not in l->segments yet. */
int segment_create(struct log *l, int64_t base_offset, struct segment **out);
/* The .log file, opened when it was not. Borrowed. */
int segment_file(struct segment *s, struct file **out);
void segment_close_file(struct segment *s);
void segment_file_opened(struct segment *s); /* s->file was just set */
void segment_set_sealed(struct segment *s);  /* it is not the active one any more */
void segment_set_active(struct segment *s);  /* it is again: those behind it are gone */
/* Where the segment ends: the next one's base, or the log's end. */
int64_t segment_end_offset(const struct segment *s);
struct segment *log_active(const struct log *l);
/* The segment that holds `offset`, or, in a gap, the one before it. -1: before the first. */
int log_segment_floor(const struct log *l, int64_t offset);
struct segment *log_segment_at_base(const struct log *l, int64_t base_offset); /* NULL */
void log_segments_insert(struct log *l, struct segment *s); /* at the end; seals the one before */

/* Keeps count of a batch that is in the file at `position`: indexes, largest timestamp. The indexes
 * were loaded. */
void segment_index_batch(struct segment *s, const struct batch *b, uint64_t position);
/* Space for n more bytes at the end, reserved some way ahead. Without use_last_space,
 * log.min.free.bytes stay free. E_NOSPC. */
int segment_reserve(struct segment *s, size_t n, bool use_last_space);
/* Writes at the end. On failure the file is cut back; E_NOSPC, E_OFFLINE. */
int segment_write(struct segment *s, const void *p, size_t n);
/* The indexes with the last time entry (as Kafka's close writes it), and no reservation past the
 * end. */
int segment_finish(struct segment *s);
int segment_drop_indexes(struct segment *s); /* there is no space for them: they go */

/* Indexes are about to be made anew (remake.c): both were cut; entries stay in memory from here on. */
void remake_begin(struct segment *s);
void remake_cancel(struct segment *s); /* there were none to make */
void remake_made(struct segment *s);   /* all are: background flushes bring them to the files, step by step */
int remake_finish(struct segment *s);  /* at a clean stop: all steps, with their syncs. E_* of the files */

/* Entries that wait go to the files. 1: a file was made, whose name is not durable. */
int segment_write_indexes(struct segment *s);
/* Cuts the .log file and both indexes back. */
int segment_truncate(struct segment *s, uint64_t size_bytes, int64_t end_offset);
/* Loads the indexes and walks from the last entry to the end of the file. Indexes that do not fit
 * the file are rebuilt. *end_offset: after the last batch. E_CORRUPT when the headers do not lead
 * to the file's end. */
int segment_load(struct segment *s, int64_t *end_offset);
int segment_need_indexes(struct segment *s); /* segment_load where that was not done yet */
/* Both indexes anew from the headers of the batches in [0, size). */
int segment_rebuild_indexes(struct segment *s);
/* The largest timestamp and the last offset of the batch that holds it; NO_TIMESTAMP and -1 when
 * there is none. */
int segment_max_timestamp(struct segment *s, int64_t *timestamp_ms, int64_t *offset);
/* The largest timestamp of the first batch, or NO_TIMESTAMP. */
int segment_first_timestamp(struct segment *s, int64_t *timestamp_ms);

/* ---- walking batches ------------------------------------------------------------------------ */

/* Walks the headers of a segment's batches. Reads little where batches are large, more at a time
 * where they are small. */
#define WALK_BUFFER_BYTES 8192
struct walk {
    struct segment *s;
    struct file *file; /* borrowed: nothing else may use the log's files meanwhile */
    uint64_t position; /* of the next batch */
    uint64_t end;
    uint64_t buffer_at; /* of buffer[0] in the file */
    size_t buffer_n;
    uint32_t last_bytes; /* of the last batch: small ones are read in runs */
    bool hopped;         /* the last batch stands behind damage that is known (rot.c) */
    uint8_t buffer[WALK_BUFFER_BYTES];
};
/* From position to `end` (the segment's size at most). */
int walk_init(struct walk *w, struct segment *s, uint64_t position, uint64_t end);
/* 1 and the header of the batch at *position; 0 at the end; E_CORRUPT when what is there is no
 * batch or leaves the segment. */
int walk_next(struct walk *w, struct batch *out, uint64_t *position);

/* The batch that holds `offset` or the first one after it: by index and a short walk. *found false:
 * none up to the segment's size (then *position is that). Rebuilds an index that leads astray. */
int segment_locate(struct segment *s, int64_t offset, struct batch *b, uint64_t *position,
                   bool *found);
/* The same, walking from a place that is known to be a batch's begin, at most max_steps batches
 * (then E_AGAIN). */
int segment_locate_from(struct segment *s, int64_t offset, uint64_t from, uint64_t end,
                        int max_steps, struct batch *b, uint64_t *position, bool *found);
/* Calls fn for every batch with offsets in [from, to); anything but 0 from it ends the walk and is
 * returned. */
typedef int walk_fn(void *arg, struct segment *s, const struct batch *b, uint64_t position);
int log_walk(struct log *l, int64_t from, int64_t to, walk_fn *fn, void *arg);
/* The whole batch, checked, into buf (cleared first). */
int segment_read_batch(struct segment *s, uint64_t position, uint32_t n_bytes, struct buf *buf,
                       struct batch *b);

/* ---- leader epochs -------------------------------------------------------------------------- */

struct epoch_entry {
    int32_t epoch;
    int64_t start_offset;
};
struct epochs {
    struct epoch_entry *entries; /* both fields rise */
    int n, cap;
    bool changed; /* since the file was written */
};
struct epochs *epochs_new(void);
void epochs_free(struct epochs *e);
int epochs_parse(struct epochs *e, struct bytes text); /* E_CORRUPT; e is then empty */
void epochs_print(const struct epochs *e, struct buf *out);
bool epochs_assign(struct epochs *e, int32_t epoch,
                   int64_t start_offset);                  /* true when that is new */
int32_t epochs_latest(const struct epochs *e);             /* -1 */
int32_t epochs_at(const struct epochs *e, int64_t offset); /* -1 */
void epochs_end(const struct epochs *e, int32_t epoch, int64_t log_end, int32_t *found_epoch,
                int64_t *end_offset);
void epochs_truncate_end(struct epochs *e,
                         int64_t end_offset); /* entries that start at or past it go */
void epochs_truncate_start(struct epochs *e,
                           int64_t start_offset); /* what is wholly before it goes */
int epochs_load(struct log *l); /* from leader-epoch-checkpoint; missing is fine; E_CORRUPT */
int epochs_save(struct log *l); /* not synced: derived */

/* ---- idempotent producers ------------------------------------------------------------------- */

/* ProducerStateEntry.NUM_BATCHES_TO_RETAIN: clients have at most 5 requests in flight. */
#define PRODUCER_BATCHES_MAX 5
/* Of one partition; past it the one that wrote longest ago is forgotten. */
#define PRODUCERS_MAX 100000
struct producer_batch {
    int32_t last_sequence;
    int32_t offset_delta;
    int64_t last_offset;
    int64_t timestamp_ms;
};
struct producer {
    int64_t id;
    int16_t epoch;
    int32_t coordinator_epoch; /* -1 */
    int64_t timestamp_ms;      /* of the last batch or marker; what the snapshot holds */
    struct wall used; /* the later of that and the time of the append: expiry counts from it */
    int64_t txn_first_offset; /* of the open transaction; -1 */
    int n_batches;
    struct producer_batch batches[PRODUCER_BATCHES_MAX]; /* oldest first */
    struct list in_use;                                  /* producers.used, longest unused first */
    struct list in_open;                                 /* producers.open while a transaction is */
    UT_hash_handle by_id;
};
struct held;
struct producers {
    struct producer *by_id;
    struct list used;
    struct list open; /* by txn_first_offset */
    uint32_t n;
    struct verification *verifications; /* transactions.c: uthash by producer id */
    struct held *held; /* held.c: who waits for a batch that was refused, longest ago first */
    uint32_t n_held, cap_held;
};
#define SNAPSHOT_VERSION      1
#define SNAPSHOT_HEADER_BYTES 10
#define SNAPSHOT_ENTRY_BYTES  46
struct producers *producers_new(void);
void producers_free(struct producers *ps);
struct producer *producers_find(const struct producers *ps, int64_t id); /* NULL */
struct producer *producers_take(struct producers *ps, int64_t id); /* made when it is not there */
/* What an append of this batch is to be told, before it is written: KE_NONE,
 * KE_OUT_OF_ORDER_SEQUENCE_NUMBER, KE_INVALID_PRODUCER_EPOCH, KE_INVALID_TXN_STATE,
 * KE_TRANSACTION_COORDINATOR_FENCED. p: all of it. a: how it is appended; a client's sequence numbers count.
 * *duplicate: the same batch was written before (NULL when not). */
int16_t producers_check(const struct producers *ps, const struct log *l, const struct batch *b,
                        const uint8_t *p, const struct log_append *a,
                        const struct producer_batch **duplicate, struct errmsg *why);
/* A transaction that a marker has ended (CompletedTxn). */
struct ended_txn {
    struct log_aborted txn; /* stable_offset: of all but this one and those that ended, too */
    bool aborted;
};
/* A batch was written, or is replayed. p: all of it, needed of a control batch only (which marker
 * is it?). True: it has ended a transaction that had records, *ended. */
bool producers_apply(struct producers *ps, const struct batch *b, const uint8_t *p,
                     struct wall now, struct ended_txn *ended);
void producers_expire(struct producers *ps, struct wall now, int64_t expiration_ms);
void producers_clear(struct producers *ps);

/* The same whenever the state is the same; of a producer's batches the last counts, for a snapshot has no more. */
uint64_t producers_digest(const struct producers *ps);

/* transactions.c. */
void producers_txn_begin(struct producers *ps, struct producer *p, int64_t first_offset);
/* Its transaction, which is open, ends with the marker at last_offset. */
struct ended_txn producers_txn_end(struct producers *ps, struct producer *p, int64_t last_offset, bool aborted);
/* The begin of the oldest that is open; -1. */
int64_t producers_first_open(const struct producers *ps);
/* Lists those that are open, of a state whose producers were set one by one. */
void producers_list_open(struct producers *ps);
/* What is being verified of a producer (VerificationStateEntry). */
struct verification {
    int64_t producer_id;
    int16_t producer_epoch;
    int32_t lowest_sequence;
    bool supports_epoch_bump;
    struct wall begun;
    UT_hash_handle by_id;
};
const struct verification *verification_find(const struct producers *ps, int64_t producer_id); /* NULL */
void verification_end(struct producers *ps, int64_t producer_id);
void verifications_expire(struct producers *ps, struct wall now, int64_t expiration_ms);
void verifications_release(struct producers *ps);
/* An append has ended a transaction in s: until the high watermark has passed the marker it holds the stable offset back. */
void log_txn_ended(struct log *l, struct segment *s, const struct ended_txn *ended);

/* held.c. A batch was refused for lack of space or handles; a batch was written. */
void held_refused(struct producers *ps, const struct batch *b, struct mono now);
void held_written(struct producers *ps, const struct batch *b);
/* Whether a batch is behind one that was refused, and so is to be refused with the same error. */
bool held_check(struct producers *ps, const struct batch *b, struct mono now);
void held_release(struct producers *ps);

/* recall.c. The batches in [from, end), as if they were written now. aborted: what they abort is added; NULL. */
int producers_replay(struct log *l, struct producers *to, int64_t from, int64_t end, struct log_aborted_list *aborted);
/* l->producers is what a snapshot of `end` says: the batches before the last one of each producer, up to five, from the log. */
int producers_recall(struct log *l, int64_t end);

/* snapshot.c. The .snapshot file. */
void producers_encode(const struct producers *ps, struct buf *out);
int producers_decode(struct producers *ps, struct bytes file, struct wall now,
                     int64_t expiration_ms); /* E_CORRUPT: empty */
/* Writes the snapshot for `offset`. Names and bytes are not synced: it carries a CRC, and a missing
 * one is a scan. */
int snapshot_save(struct log *l, int64_t offset);
void snapshot_remove(struct log *l, int64_t offset);
/* The state at `offset`: the newest valid snapshot at or below it, then the batches from there on.
 */
int snapshot_load(struct log *l, int64_t offset);
/* At load: removes snapshots that no segment begins with, but for the newest one, and, after an unclean stop, those that
 * were torn. */
int snapshot_remove_strays(struct log *l);

/* ---- loading and recovery ------------------------------------------------------------------- */

#define SEGMENT_BASE_MAX (INT64_MAX - UINT32_MAX) /* so that offsets near it can be added to */
/* "00000000000000000123.log" with suffix ".log": 123; -1 for another name. */
int64_t offset_of_file_name(const char *name, const char *suffix);
/* Finds the segments of l->path (none is fine); leftovers of interrupted work are finished or
 * removed. */
int load_directory(struct log *l, struct errmsg *msg);
/* What went wrong, where nobody has said it in msg. */
void log_say_why(struct errmsg *msg, int rc);
/* partition.metadata: reads, compares, or writes it; may_be_lost: the device may not have what is read, so it is written again.
 * E_FORMAT: another topic's. */
int metadata_check(struct log *l, bool may_be_lost, struct errmsg *msg);
int metadata_sync(struct log *l);
int metadata_make(struct log *l); /* where there was no space for it at the start: before anything is appended */
#define METADATA_FILE "partition.metadata"
/* From the recovery point to the end: checks every batch, cuts at the first bad one, rewrites and
 * syncs what is kept. Sets end_offset, recovery_point, producers, epochs. strict: a gap in the
 * offsets is damage. */
int log_recover(struct log *l, bool strict, struct errmsg *msg);
/* Loads the indexes of a segment, cut back to what holds below `offset`; *position, *expected:
 * behind the last batch that is accounted for, from where headers have to be walked. */
int trust_indexes(struct segment *s, int64_t offset, uint64_t *position, int64_t *expected);
/* Where to look for a good batch (search.c): in a file of a segment, up to size_bytes. */
struct search_area {
    struct file *file;
    int64_t segment_base;
    uint64_t size_bytes;
    int64_t offset_min, offset_end; /* of the batch's first offset; its last is below offset_end */
};
/* Whether there is a good batch at or past `from`: its CRC and offsets hold. Any thread: reads the
 * file only. */
bool search_any(const struct search_area *area, uint64_t from);
/* No good batch begins at `position`, where `offset` should be: *out is the damage, up to the next good
 * one, or to the end of the area. Any thread. */
void search_rot(const struct search_area *area, uint64_t position, int64_t offset,
                struct log_rot *out);

/* ---- rot ------------------------------------------------------------------------------------ */

/* Whether these bytes are good as long as they are in the page cache. */
bool rot_is_checked(const struct segment *s, uint64_t from, uint64_t until);
/* The damage at `position`, or the first behind it. NULL. */
const struct log_rot *rot_from(const struct segment *s, uint64_t position);
/* Notes damage: one error line with the place, once. Readers are led around it from then on. */
void rot_note(struct segment *s, const struct log_rot *rot);
/* No good batch begins at `position`, where `expected` should be: notes the damage up to the next good
 * one. Reads the file on this thread, once for each place. E_CORRUPT: no offset is missing there, or
 * it is not the time for it (recovery). */
int rot_find(struct segment *s, uint64_t position, int64_t expected);
void rot_forget(struct segment *s);

/* Whether a good batch follows what is bad at `position` of segment i, there or in a later segment.
 */
bool salvage_any(struct log *l, int i, uint64_t position, int64_t expected);
/* Keeps the bytes from `position` of segment i, and all later segments, under names that end with
 * ".corrupt". */
int salvage(struct log *l, int i, uint64_t position);
/* Cuts segment i at `position`, where `offset` would be; later segments go (what is left of them is
 * removed later). */
int log_cut(struct log *l, int i, uint64_t position, int64_t offset);
/* Empties the log; it goes on at `offset`. */
int log_restart_at(struct log *l, int64_t offset);
/* epochs of the batches in [from, to). */
int epochs_replay(struct log *l, int64_t from, int64_t to);

/* ---- appending ------------------------------------------------------------------------------ */

/* The bytes of one append: the caller's, or, where the topic wants another codec, a batch of our
 * own. */
struct append_bytes {
    struct chunk *chunk; /* a reference of our own only when `ours` */
    uint8_t *p;
    size_t n_bytes;
    bool ours;
    struct batch first; /* of the only batch of a client's append */
    int64_t n_offsets;  /* that all batches take */
    int64_t max_timestamp_ms;
};
/* Every check of what is appended but the producer's; a->error says what is wrong. Nothing is
 * changed but a, w, and the timestamp fields of a client's batch. */
void validate_append(struct log *l, struct log_append *a, struct append_bytes *w, struct wall now);
/* An error of the peer's, with its reason. */
void append_refuse(struct log_append *a, enum kafka_error error, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* The topic's compression.type is not the batch's: w gets a batch of our own. KE_NONE or what is
 * wrong with the records. */
void recompress(struct log *l, struct log_append *a, struct append_bytes *w, enum codec target);
int log_roll(struct log *l, int64_t base_offset);
uint64_t log_segment_bytes_max(const struct log *l);
/* What readers left is not true any more: anything but an append has changed the files. */
void places_forget(struct log *l);
void places_add_end(struct log *l, const struct segment *s); /* the end of an append */

#endif
