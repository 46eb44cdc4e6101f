/* The header of a batch: decoding, checking the whole, patching.
 *
 * Owner: the caller owns the bytes; pure functions but for the batch_set_ ones, which write in
 * place.
 *
 * Happy path: batch_check = decode the header -> the length fits -> the CRC is right -> counts
 *             agree.
 * Invariant:  a decoded batch has total_bytes >= 61, and where 0 is returned also counts that
 *             agree.
 * Failures:   E_CORRUPT: this is not a batch, or not the one that was written. E_INVALID: it is
 *             what was written, but its counts contradict one another; a producer is told
 *             INVALID_RECORD for that, not CORRUPT_MESSAGE.
 */
#include "record.h"

#define BASE_OFFSET_AT       0
#define LEADER_EPOCH_AT      12
#define ATTRIBUTES_AT        21
#define LAST_OFFSET_DELTA_AT 23
#define BASE_TIMESTAMP_AT    27
#define MAX_TIMESTAMP_AT     35
#define PRODUCER_ID_AT       43
#define PRODUCER_EPOCH_AT    51
#define BASE_SEQUENCE_AT     53
#define RECORD_COUNT_AT      57

STATIC_ASSERT(RECORD_COUNT_AT + 4 == BATCH_HEADER_BYTES, "the last field ends the header");
STATIC_ASSERT(BATCH_LENGTH_AT + 4 == BATCH_PREFIX_BYTES, "the length ends the prefix");
STATIC_ASSERT(BATCH_CRC_AT + 4 == BATCH_CRC_FROM, "the CRC covers what follows it");

/* The attribute bits that have a meaning; Kafka drops the others when it rewrites the attributes.
 */
#define ATTRIBUTES_KNOWN                                                                           \
    (BATCH_CODEC_MASK | BATCH_LOG_APPEND_TIME | BATCH_TRANSACTIONAL | BATCH_CONTROL |              \
     BATCH_DELETE_HORIZON)

int32_t sequence_after(int32_t sequence, int32_t increment)
{
    ASSERT(sequence >= 0);
    ASSERT(increment >= 0);
    return (int32_t)(((uint32_t)sequence + (uint32_t)increment) & INT32_MAX);
}

int32_t batch_last_sequence(const struct batch *b)
{
    return b->base_sequence < 0 ? NO_SEQUENCE
                                : sequence_after(b->base_sequence, b->last_offset_delta);
}

/* Compaction takes records away and keeps lastOffsetDelta, so there may be fewer, but never more.
 */
static bool counts_agree(const struct batch *b)
{
    return b->record_count >= 0 && b->last_offset_delta >= 0 &&
           (int64_t)b->record_count <= (int64_t)b->last_offset_delta + 1;
}

/* Reads all fields, judging only what is needed to find the end of the batch. */
static int read_header(const uint8_t *p, struct batch *out)
{
    int32_t length = (int32_t)get_be32(p + BATCH_LENGTH_AT);

    if (p[BATCH_MAGIC_AT] != BATCH_MAGIC || length < BATCH_HEADER_BYTES - BATCH_PREFIX_BYTES)
        return E_CORRUPT;
    *out = (struct batch){
        .base_offset = (int64_t)get_be64(p + BASE_OFFSET_AT),
        .total_bytes = (uint32_t)length + BATCH_PREFIX_BYTES,
        .leader_epoch = (int32_t)get_be32(p + LEADER_EPOCH_AT),
        .crc = get_be32(p + BATCH_CRC_AT),
        .attributes = (int16_t)get_be16(p + ATTRIBUTES_AT),
        .last_offset_delta = (int32_t)get_be32(p + LAST_OFFSET_DELTA_AT),
        .base_timestamp_ms = (int64_t)get_be64(p + BASE_TIMESTAMP_AT),
        .max_timestamp_ms = (int64_t)get_be64(p + MAX_TIMESTAMP_AT),
        .producer_id = (int64_t)get_be64(p + PRODUCER_ID_AT),
        .producer_epoch = (int16_t)get_be16(p + PRODUCER_EPOCH_AT),
        .base_sequence = (int32_t)get_be32(p + BASE_SEQUENCE_AT),
        .record_count = (int32_t)get_be32(p + RECORD_COUNT_AT),
    };
    return 0;
}

int batch_decode(const uint8_t *p, struct batch *out)
{
    int rc = read_header(p, out);

    if (rc < 0)
        return rc;
    return counts_agree(out) ? 0 : E_INVALID;
}

static uint32_t compute_crc(const uint8_t *p, uint32_t total_bytes)
{
    ASSERT(total_bytes >= BATCH_HEADER_BYTES);
    return crc32c(0, p + BATCH_CRC_FROM, total_bytes - BATCH_CRC_FROM);
}

int batch_check(const uint8_t *p, size_t n, struct batch *out)
{
    int rc;

    if (n < BATCH_HEADER_BYTES)
        return E_CORRUPT;
    rc = read_header(p, out);
    if (rc < 0)
        return rc;
    if (out->total_bytes > n || out->crc != compute_crc(p, out->total_bytes))
        return E_CORRUPT;
    return counts_agree(out) ? 0 : E_INVALID;
}

void batch_set_base_offset(uint8_t *p, int64_t base_offset)
{
    ASSERT(p[BATCH_MAGIC_AT] == BATCH_MAGIC);
    put_be64(p + BASE_OFFSET_AT, (uint64_t)base_offset);
}

void batch_set_leader_epoch(uint8_t *p, int32_t leader_epoch)
{
    ASSERT(p[BATCH_MAGIC_AT] == BATCH_MAGIC);
    put_be32(p + LEADER_EPOCH_AT, (uint32_t)leader_epoch);
}

/* DefaultRecordBatch.setMaxTimestamp: nothing is written, and no CRC computed, where nothing
 * changes. */
static void set_time(uint8_t *p, struct batch *b, int16_t time_bit, int64_t timestamp_ms)
{
    ASSERT(p[BATCH_MAGIC_AT] == BATCH_MAGIC);
    ASSERT(b->total_bytes == get_be32(p + BATCH_LENGTH_AT) + BATCH_PREFIX_BYTES);
    if ((b->attributes & BATCH_LOG_APPEND_TIME) == time_bit && b->max_timestamp_ms == timestamp_ms)
        return;
    b->attributes =
        (int16_t)((b->attributes & ATTRIBUTES_KNOWN & ~BATCH_LOG_APPEND_TIME) | time_bit);
    b->max_timestamp_ms = timestamp_ms;
    put_be16(p + ATTRIBUTES_AT, (uint16_t)b->attributes);
    put_be64(p + MAX_TIMESTAMP_AT, (uint64_t)timestamp_ms);
    b->crc = compute_crc(p, b->total_bytes);
    put_be32(p + BATCH_CRC_AT, b->crc);
}

void batch_set_append_time(uint8_t *p, struct batch *b, int64_t timestamp_ms)
{
    set_time(p, b, BATCH_LOG_APPEND_TIME, timestamp_ms);
}

void batch_set_create_time(uint8_t *p, struct batch *b, int64_t max_timestamp_ms)
{
    set_time(p, b, 0, max_timestamp_ms);
}
