/* Requests, replies and record batches.
 *
 *   frame:   length i32, then the rest
 *   request: key i16, version i16, correlation i32, client id string, body
 *   reply:   correlation i32, body
 */
#include "protocol.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common.h"
#include "writer.h"

enum {
    API_PRODUCE = 0,
    API_FETCH = 1,
    API_VERSIONS = 18,
    API_CREATE_TOPICS = 19,
    API_INIT_PRODUCER_ID = 22,
};
enum {
    BATCH_LENGTH_AT = 8,
    BATCH_CRC_AT = 17,
    BATCH_CHECKED_AT = 21,
    BATCH_LAST_DELTA_AT = 23,
    BATCH_COUNT_AT = 57,
    BATCH_HEADER_BYTES = 61,
    BATCH_PREFIX_BYTES = 12, /* base offset and length, which the length does not count */
};
enum { CORRELATION_AT = 8, TIMEOUT_MS = 30000 };

void bytes_release(struct bytes *b)
{
    free(b->data);
    *b = (struct bytes){0};
}

static uint64_t wall_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* length, attributes, timestamp delta, offset delta, no key, value, no headers */
void record_add(struct bytes *b, int delta, const void *value, size_t n)
{
    struct bytes record = {0};

    add8(&record, 0);
    add_varint(&record, 0);
    add_varint(&record, delta);
    add_varint(&record, -1);
    add_varint(&record, (int64_t)n);
    add(&record, value, n);
    add_varint(&record, 0);
    add_varint(b, (int64_t)record.n);
    add(b, record.data, record.n);
    bytes_release(&record);
}

void batch_of(struct bytes *out, const struct bytes *records, int count,
              const struct batch_producer *producer)
{
    uint64_t time_ms = wall_ms();

    out->n = 0;
    add64(out, 0);                                                                /* base offset */
    add32(out, (uint32_t)(BATCH_HEADER_BYTES - BATCH_PREFIX_BYTES + records->n)); /* length */
    add32(out, (uint32_t)-1);                                                     /* leader epoch */
    add8(out, 2);                                                                 /* magic */
    add32(out, 0);                   /* checksum, below */
    add16(out, 0);                   /* attributes */
    add32(out, (uint32_t)count - 1); /* last offset delta */
    add64(out, time_ms);
    add64(out, time_ms);
    add64(out, (uint64_t)producer->id);
    add16(out, producer->epoch);
    add32(out, (uint32_t)producer->sequence);
    add32(out, (uint32_t)count);
    add(out, records->data, records->n);
    put32(out->data + BATCH_CRC_AT,
          crc32c(out->data + BATCH_CHECKED_AT, out->n - BATCH_CHECKED_AT));
}

void batch_build(struct bytes *out, size_t batch_bytes, size_t record_bytes)
{
    static const struct batch_producer NOBODY = {.id = -1, .epoch = -1, .sequence = -1};
    uint8_t *value = allocate(record_bytes + 1);
    struct bytes records = {0};
    int count = 0;

    for (size_t i = 0; i < record_bytes; i++)
        value[i] = "abcdefghijklmnop"[(i * 7 + record_bytes) % 16];
    while (count == 0 || records.n + record_bytes + BATCH_HEADER_BYTES + 8 <= batch_bytes)
        record_add(&records, count++, value, record_bytes);
    batch_of(out, &records, count, &NOBODY);
    bytes_release(&records);
    free(value);
}

uint32_t batch_record_count(const struct bytes *batch)
{
    return get32(batch->data + BATCH_COUNT_AT);
}

void request_begin(struct bytes *out, int key, int version)
{
    out->n = 0;
    add32(out, 0);
    add16(out, key);
    add16(out, version);
    add32(out, 0);
    add_string(out, "bench");
}

void request_end(struct bytes *out)
{
    put32(out->data, (uint32_t)out->n - 4);
}

void request_number(struct bytes *request, uint32_t correlation)
{
    put32(request->data + CORRELATION_AT, correlation);
}

void request_api_versions(struct bytes *out)
{
    request_begin(out, API_VERSIONS, 0);
    request_end(out);
}

void request_create_topic(struct bytes *out, const char *topic, int partitions)
{
    request_begin(out, API_CREATE_TOPICS, 4);
    add32(out, 1);
    add_string(out, topic);
    add32(out, (uint32_t)partitions);
    add16(out, 1); /* replicas */
    add32(out, 0); /* assignments */
    add32(out, 0); /* settings */
    add32(out, TIMEOUT_MS);
    add8(out, 0); /* not only validated */
    request_end(out);
}

void request_produce(struct bytes *out, const char *topic, int partition, int acks,
                     const struct bytes *batch)
{
    request_begin(out, API_PRODUCE, 7);
    add_string(out, NULL); /* transactional id */
    add16(out, acks);
    add32(out, TIMEOUT_MS);
    add32(out, 1);
    add_string(out, topic);
    add32(out, 1);
    add32(out, (uint32_t)partition);
    add32(out, (uint32_t)batch->n);
    add(out, batch->data, batch->n);
    request_end(out);
}

void request_init_producer_id(struct bytes *out)
{
    request_begin(out, API_INIT_PRODUCER_ID, 1);
    add_string(out, NULL); /* transactional id */
    add32(out, TIMEOUT_MS);
    request_end(out);
}

void request_fetch(struct bytes *out, const struct fetch_ask *ask)
{
    request_begin(out, API_FETCH, 11);
    add32(out, (uint32_t)-1); /* not a replica */
    add32(out, (uint32_t)ask->wait_ms_max);
    add32(out, (uint32_t)ask->bytes_min);
    add32(out, ask->bytes_max);
    add8(out, 0);             /* read uncommitted */
    add32(out, 0);            /* no session */
    add32(out, (uint32_t)-1); /* and none wanted */
    add32(out, 1);
    add_string(out, ask->topic);
    add32(out, 1);
    add32(out, (uint32_t)ask->partition);
    add32(out, (uint32_t)-1); /* leader epoch unknown */
    add64(out, ask->offset);
    add64(out, (uint64_t)-1); /* log start */
    add32(out, ask->bytes_max);
    add32(out, 0); /* forgotten topics */
    add_string(out, "");
    request_end(out);
}

void reply_receive(int fd, struct bytes *into)
{
    uint8_t length[4];

    receive_all(fd, length, 4);
    into->n = 0;
    reserve(into, get32(length));
    into->n = get32(length);
    receive_all(fd, into->data, into->n);
}

uint32_t reply_number(const struct bytes *reply)
{
    return get32(reply->data);
}

static void check_error(const struct bytes *reply, size_t at, const char *what)
{
    if (at + 2 > reply->n)
        die("%s: a short reply", what);
    if (get16(reply->data + at) != 0)
        die("%s: error %d", what, (int16_t)get16(reply->data + at));
}

void reply_check_created(const struct bytes *reply, const char *topic)
{
    /* correlation, throttle time, count, name */
    check_error(reply, 4 + 4 + 4 + 2 + strlen(topic), "create topic");
}

void reply_check_produced(const struct bytes *reply, const char *topic)
{
    /* correlation, count, name, count, partition */
    check_error(reply, 4 + 4 + 2 + strlen(topic) + 4 + 4, "produce");
}

struct fetched reply_fetched(const struct bytes *reply, const char *topic)
{
    /* correlation, throttle time, error, session, count, name, count, partition */
    size_t at = 4 + 4 + 2 + 4 + 4 + 2 + strlen(topic) + 4 + 4;
    struct fetched f;
    int32_t n_aborted, n;

    check_error(reply, at, "fetch");
    f.high_watermark = get64(reply->data + at + 2);
    at += 2 + 8 + 8 + 8; /* error, high watermark, last stable offset, log start */
    n_aborted = (int32_t)get32(reply->data + at);
    at += 4 + (size_t)(n_aborted > 0 ? n_aborted : 0) * 16 + 4; /* and the preferred replica */
    n = (int32_t)get32(reply->data + at);
    f.records = reply->data + at + 4;
    f.n = n > 0 ? (size_t)n : 0;
    return f;
}

uint64_t batches_walk(const uint8_t *records, size_t n, uint64_t offset, uint64_t *record_count)
{
    while (n >= BATCH_HEADER_BYTES) {
        size_t batch_bytes = BATCH_PREFIX_BYTES + (size_t)get32(records + BATCH_LENGTH_AT);

        if (batch_bytes > n)
            break;
        offset = get64(records) + get32(records + BATCH_LAST_DELTA_AT) + 1;
        *record_count += get32(records + BATCH_COUNT_AT);
        records += batch_bytes;
        n -= batch_bytes;
    }
    return offset;
}
