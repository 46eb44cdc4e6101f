/* record: record batches, format 2 (KIP-98; DefaultRecordBatch, DefaultRecord).
 *
 *   0 baseOffset i64 | 8 batchLength i32 | 12 partitionLeaderEpoch i32 | 16 magic i8 | 17 crc u32 | 21 attributes i16
 *   23 lastOffsetDelta i32 | 27 baseTimestamp i64 | 35 maxTimestamp i64 | 43 producerId i64 | 51 producerEpoch i16
 *   53 baseSequence i32 | 57 recordCount i32 | 61 records
 *
 * The CRC covers from attributes to the end: neither the base offset nor the length nor the epoch.
 */
#ifndef BARNABAS_RECORD_H
#define BARNABAS_RECORD_H

#include "base.h"
#include "codec.h"

#define BATCH_HEADER_BYTES 61
#define BATCH_LENGTH_AT 8
#define BATCH_PREFIX_BYTES 12 /* before what batchLength counts */
#define BATCH_MAGIC_AT 16
#define BATCH_CRC_AT 17
#define BATCH_CRC_FROM 21
#define BATCH_MAGIC 2

enum batch_attributes {
    BATCH_CODEC_MASK = 7,
    BATCH_LOG_APPEND_TIME = 1 << 3,
    BATCH_TRANSACTIONAL = 1 << 4,
    BATCH_CONTROL = 1 << 5,
    BATCH_DELETE_HORIZON = 1 << 6,
};
#define NO_TIMESTAMP (-1)
#define NO_PRODUCER_ID (-1)
#define NO_PRODUCER_EPOCH (-1)
#define NO_SEQUENCE (-1)

/* A batch's header, decoded. */
struct batch {
    int64_t base_offset;
    uint32_t total_bytes; /* the whole batch, prefix included */
    int32_t leader_epoch;
    uint32_t crc;
    int16_t attributes;
    int32_t last_offset_delta;
    int64_t base_timestamp_ms; /* the delete horizon when BATCH_DELETE_HORIZON is set */
    int64_t max_timestamp_ms;
    int64_t producer_id;
    int16_t producer_epoch;
    int32_t base_sequence;
    int32_t record_count;
};
static inline int64_t batch_last_offset(const struct batch *b) { return b->base_offset + b->last_offset_delta; }
static inline enum codec batch_codec(const struct batch *b) { return (enum codec)(b->attributes & BATCH_CODEC_MASK); }
int32_t batch_last_sequence(const struct batch *b);          /* NO_SEQUENCE without one; wraps past 2^31-1 to 0 */
int32_t sequence_after(int32_t sequence, int32_t increment); /* DefaultRecordBatch.incrementSequence */

/* Decodes the header at p, which must hold BATCH_HEADER_BYTES: E_CORRUPT when magic is not 2 or a length is below the
 * header's; E_INVALID, with *out filled, when counts contradict one another (negative, or more records than offsets).
 * The CRC is not looked at, nor need the rest of the batch be there. */
int batch_decode(const uint8_t *p, struct batch *out);
/* All of one batch: p[0..n) must hold at least it. E_CORRUPT also when n is too small or the CRC is wrong; E_INVALID, as
 * above, only for a batch that is otherwise whole: to a producer that is INVALID_RECORD, not CORRUPT_MESSAGE. */
int batch_check(const uint8_t *p, size_t n, struct batch *out);
/* What a producer may send, past batch_check: codec known, count == lastOffsetDelta + 1 > 0, no control bit; and, where the
 * records are not compressed, the framing of each record: offset deltas 0..n-1, lengths that add up. E_INVALID with a
 * reason. (LogValidator) */
int batch_check_produced(const uint8_t *p, const struct batch *b, struct errmsg *why);
/* The same, and what the walk saw, for the topic's own rules (compacted topics want keys, timestamps have a window, and the
 * header's maxTimestamp is corrected: LogValidator). n_without_key is 0 and both timestamps are NO_TIMESTAMP where the
 * records are compressed: nothing was seen, and whoever must know walks them with record_iter. */
struct record_facts {
    int64_t max_timestamp_ms, min_timestamp_ms; /* of the records that have one; NO_TIMESTAMP when none has */
    int32_t n_without_key;
};
int batch_check_records(const uint8_t *p, const struct batch *b, struct record_facts *facts, struct errmsg *why);
/* Patches what the CRC does not cover, in place. */
void batch_set_base_offset(uint8_t *p, int64_t base_offset);
void batch_set_leader_epoch(uint8_t *p, int32_t leader_epoch);
/* Stamps LogAppendTime: attribute bit, maxTimestamp, and the CRC anew. Updates *b too. */
void batch_set_append_time(uint8_t *p, struct batch *b, int64_t timestamp_ms);
/* Clears the LogAppendTime bit and sets maxTimestamp; the CRC anew only where that changes something. Updates *b too. */
void batch_set_create_time(uint8_t *p, struct batch *b, int64_t max_timestamp_ms);

/* One record; key, value and header names point into the records' bytes. */
struct record {
    int64_t offset;
    int64_t timestamp_ms;
    int32_t offset_delta;
    struct bytes key, value; /* p NULL: null */
    int32_t n_headers;
    const uint8_t *headers, *headers_end; /* for record_header_next */
};
/* Walks the records of a batch, decompressing into `scratch` (max_bytes bounds it), whose former contents are dropped. The
 * iterator borrows p and scratch. init: E_CORRUPT, E_LIMIT. A record whose offset delta is outside 0..lastOffsetDelta is
 * corrupt, as are bytes behind the last record; after a failure the iterator is at its end. */
struct record_iter {
    struct batch batch;
    const uint8_t *at, *end;
    int32_t n_left;
};
int record_iter_init(struct record_iter *it, const uint8_t *p, const struct batch *b, size_t max_bytes,
                     struct buf *scratch);
int record_iter_next(struct record_iter *it, struct record *out); /* 1 a record, 0 the end, E_CORRUPT */
struct record_header {
    struct str key;
    struct bytes value;
};
int record_header_next(struct record *r, struct record_header *out); /* 1, 0 at the end, E_CORRUPT */

/* Builds one batch into a buf. */
struct batch_options {
    int64_t base_offset;
    int32_t leader_epoch;
    int16_t attributes; /* codec in the low bits */
    int64_t producer_id; /* NO_PRODUCER_ID etc. where there is none: see BATCH_OPTIONS_NONE */
    int16_t producer_epoch;
    int32_t base_sequence;
    int32_t level; /* of the codec; INT32_MIN for its default */
};
#define BATCH_OPTIONS_NONE                                                                                    \
    ((struct batch_options){.producer_id = NO_PRODUCER_ID, .producer_epoch = NO_PRODUCER_EPOCH,               \
                            .base_sequence = NO_SEQUENCE, .level = INT32_MIN})
struct batch_builder {
    struct batch_options options;
    struct buf *out;
    size_t start;      /* of this batch in out */
    struct buf body;   /* records so far */
    int32_t n_records;
    int64_t base_timestamp_ms, max_timestamp_ms;
};
void batch_begin(struct batch_builder *bb, struct buf *out, struct batch_options options);
void batch_add(struct batch_builder *bb, int64_t timestamp_ms, struct bytes key, struct bytes value,
               const struct record_header *headers, int32_t n_headers);
int batch_end(struct batch_builder *bb); /* writes header, body and CRC; releases the builder; n_records must be > 0. E_INVALID: the level */

/* Control records (ControlRecordType). */
enum control_type {
    CONTROL_ABORT = 0,
    CONTROL_COMMIT = 1,
    CONTROL_LEADER_CHANGE = 2,
    CONTROL_SNAPSHOT_HEADER = 3,
    CONTROL_SNAPSHOT_FOOTER = 4,
    CONTROL_KRAFT_VERSION = 5,
    CONTROL_KRAFT_VOTERS = 6,
};
/* The key of a control record: i16 version 0, i16 type. */
void control_key_put(uint8_t key[4], enum control_type type);
int control_key_get(struct bytes key, int16_t *type); /* E_CORRUPT */
/* The value of a COMMIT or ABORT marker: i16 version 0, i32 coordinator epoch, any (EndTransactionMarker). */
#define MARKER_VALUE_BYTES 6
void marker_value_put(uint8_t value[MARKER_VALUE_BYTES], int32_t coordinator_epoch);
int marker_value_get(struct bytes value, int32_t *coordinator_epoch); /* E_CORRUPT */
/* What one whole control batch is. E_CORRUPT; E_NOENT: it has no record, or none that ends a transaction. */
struct end_marker {
    bool committed;
    int32_t coordinator_epoch;
};
int marker_of_batch(const uint8_t *p, const struct batch *b, struct end_marker *out);

#endif
