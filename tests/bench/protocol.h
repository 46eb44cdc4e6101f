/* As much of the Kafka protocol as a load generator needs. Requests are prebuilt, so that sending
 * one costs a system call.
 *
 * Versions are old, non-flexible ones that Kafka 4 still takes: Produce 7, Fetch 11, CreateTopics
 * 4, InitProducerId 1, ApiVersions 0. A batch is magic 2, with a real CRC-32C.
 */
#ifndef BENCH_PROTOCOL_H
#define BENCH_PROTOCOL_H

#include <stddef.h>
#include <stdint.h>

struct bytes {
    uint8_t *data;
    size_t n, capacity;
};
void bytes_release(struct bytes *b);

/* A batch of records with values of record_bytes each, of about batch_bytes in all; at least one
 * record. */
void batch_build(struct bytes *out, size_t batch_bytes, size_t record_bytes);
/* One by one: a record without a key, `delta` behind the batch's first; then the batch of them. */
struct batch_producer {
    int64_t id; /* all three are -1 when there is none */
    int16_t epoch;
    int32_t sequence;
};
void record_add(struct bytes *records, int delta, const void *value, size_t n);
void batch_of(struct bytes *out, const struct bytes *records, int count,
              const struct batch_producer *producer);
uint32_t batch_record_count(const struct bytes *batch);

/* Requests, with their length in front. Between begin and end stands the body (writer.h). */
void request_begin(struct bytes *out, int key, int version);
void request_end(struct bytes *out);
void request_api_versions(struct bytes *out);
void request_create_topic(struct bytes *out, const char *topic, int partitions);
void request_produce(struct bytes *out, const char *topic, int partition, int acks,
                     const struct bytes *batch);
struct fetch_ask {
    const char *topic;
    int partition;
    uint64_t offset;
    uint32_t bytes_max;
    int wait_ms_max, bytes_min;
};
void request_fetch(struct bytes *out, const struct fetch_ask *ask);
void request_init_producer_id(struct bytes *out);
void request_number(struct bytes *request, uint32_t correlation);

/* One reply into `into`, without its length; dies at the end of the connection. */
void reply_receive(int fd, struct bytes *into);
uint32_t reply_number(const struct bytes *reply);
/* Each dies when the reply says that there was an error. */
void reply_check_created(const struct bytes *reply, const char *topic);
void reply_check_produced(const struct bytes *reply, const char *topic);
struct fetched {
    uint64_t high_watermark;
    const uint8_t *records; /* in the reply */
    size_t n;
};
struct fetched reply_fetched(const struct bytes *reply, const char *topic);

/* Walks the whole batches of a fetch; returns the offset after the last one, or `offset` when there
 * is none. */
uint64_t batches_walk(const uint8_t *records, size_t n, uint64_t offset, uint64_t *record_count);

#endif
