/* A compacted topic under load: many updates of few keys, and what is left of them.
 *
 * `write` sends COUNT records, record i with key number mix(i) mod KEYS, five requests in flight. `check` reads the topic from its
 * begin to its end, and knows by the same rule which value each key must have in the end.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common.h"
#include "protocol.h"
#include "writer.h"

static const char USAGE[] = "usage: bench_compact COMMAND HOST:PORT TOPIC ...\n"
                            "  create HOST:PORT TOPIC NAME=VALUE...          a compacted topic of one partition\n"
                            "  write  HOST:PORT TOPIC COUNT KEYS VALUE_BYTES\n"
                            "  check  HOST:PORT TOPIC COUNT KEYS             every key has its last value; how many records are read\n";

#define API_CREATE_TOPICS  19
#define BATCH_RECORDS      200
#define IN_FLIGHT          5
#define VALUE_BYTES_MAX    4096
#define FETCH_BYTES        (4 << 20)
#define BATCH_HEADER_BYTES 61

static uint64_t key_of(uint64_t i, uint64_t keys)
{
    uint64_t x = i + 0x9e3779b97f4a7c15u;

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return (x ^ x >> 31) % keys;
}

static int create(int fd, const char *topic, int n, char **settings)
{
    struct bytes rq = {0}, reply = {0};

    request_begin(&rq, API_CREATE_TOPICS, 4);
    add32(&rq, 1);
    add_string(&rq, topic);
    add32(&rq, 1);
    add16(&rq, 1);
    add32(&rq, 0);
    add32(&rq, (uint32_t)n + 1);
    add_string(&rq, "cleanup.policy");
    add_string(&rq, "compact");
    for (int i = 0; i < n; i++) {
        char *equals = strchr(settings[i], '=');

        if (!equals)
            die("%s is no NAME=VALUE", settings[i]);
        *equals = 0;
        add_string(&rq, settings[i]);
        add_string(&rq, equals + 1);
    }
    add32(&rq, 30000);
    add8(&rq, 0);
    request_end(&rq);
    send_all(fd, rq.data, rq.n);
    reply_receive(fd, &reply);
    reply_check_created(&reply, topic);
    return 0;
}

static void add_keyed(struct bytes *records, int delta, uint64_t key, const char *value, size_t n)
{
    struct bytes record = {0};
    char text[32];
    size_t n_key = (size_t)snprintf(text, sizeof(text), "key-%llu", (unsigned long long)key);

    add8(&record, 0);
    add_varint(&record, 0);
    add_varint(&record, delta);
    add_varint(&record, (int64_t)n_key);
    add(&record, text, n_key);
    add_varint(&record, (int64_t)n);
    add(&record, value, n);
    add_varint(&record, 0);
    add_varint(records, (int64_t)record.n);
    add(records, record.data, record.n);
    bytes_release(&record);
}

static void send_batch(int fd, const char *topic, uint64_t first, int n, uint64_t keys, size_t value_bytes)
{
    static struct bytes records, batch, rq;
    const struct batch_producer none = {-1, -1, -1};
    char value[VALUE_BYTES_MAX + 32];

    records.n = batch.n = rq.n = 0;
    memset(value, '.', sizeof(value));
    for (int i = 0; i < n; i++) {
        int digits = snprintf(value, 32, "%llu ", (unsigned long long)first + (unsigned)i);

        value[digits] = '.';
        add_keyed(&records, i, key_of(first + (unsigned)i, keys), value, value_bytes);
    }
    batch_of(&batch, &records, n, &none);
    request_produce(&rq, topic, 0, -1, &batch);
    send_all(fd, rq.data, rq.n);
}

static int write_all(int fd, const char *topic, uint64_t count, uint64_t keys, size_t value_bytes)
{
    int64_t begun = now_ns();
    struct bytes reply = {0};
    int in_flight = 0;

    for (uint64_t at = 0; at < count || in_flight > 0;) {
        if (at < count && in_flight < IN_FLIGHT) {
            int n = (int)(count - at < BATCH_RECORDS ? count - at : BATCH_RECORDS);

            send_batch(fd, topic, at, n, keys, value_bytes);
            at += (uint64_t)n;
            in_flight++;
            continue;
        }
        reply_receive(fd, &reply);
        reply_check_produced(&reply, topic);
        in_flight--;
    }
    printf("written=%llu seconds=%.1f per_second=%.0f\n", (unsigned long long)count, seconds_since(begun),
           (double)count / seconds_since(begun));
    return 0;
}

/* ---- checking --------------------------------------------------------------------------------- */

static const uint8_t *varint(const uint8_t *p, int64_t *out)
{
    uint64_t v = 0;

    for (int shift = 0;; shift += 7, p++) {
        v |= (uint64_t)(*p & 0x7f) << shift;
        if (*p < 0x80)
            break;
    }
    *out = (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
    return p + 1;
}

struct seen {
    uint64_t *last; /* value by key, plus one */
    uint64_t keys, n_records, n_batches;
};

static void take_record(struct seen *s, const uint8_t *p)
{
    int64_t ignored, n_key, n_value;
    const uint8_t *key;
    uint64_t number_of_key;

    p = varint(p + 1, &ignored);
    p = varint(p, &ignored);
    p = varint(p, &n_key);
    key = p;
    p = varint(p + n_key, &n_value);
    number_of_key = strtoull((const char *)key + 4, NULL, 10);
    if (number_of_key >= s->keys)
        die("a key that nobody wrote");
    s->last[number_of_key] = strtoull((const char *)p, NULL, 10) + 1;
    s->n_records++;
}

/* Whole batches of the answer; where the next one begins. */
static uint64_t take(struct seen *s, const uint8_t *p, size_t n, uint64_t from)
{
    while (n >= BATCH_HEADER_BYTES && get32(p + 8) + 12 <= n) {
        size_t size = get32(p + 8) + 12;
        const uint8_t *at = p + BATCH_HEADER_BYTES;

        if (get64(p) + get32(p + 23) >= from) {
            for (uint32_t i = get32(p + 57); i > 0; i--) {
                int64_t length;

                at = varint(at, &length);
                take_record(s, at);
                at += length;
            }
            s->n_batches++;
            from = get64(p) + get32(p + 23) + 1;
        }
        p += size;
        n -= size;
    }
    return from;
}

static int check(int fd, const char *topic, uint64_t count, uint64_t keys)
{
    struct seen s = {allocate(keys * sizeof(uint64_t)), keys, 0, 0};
    uint64_t *due = allocate(keys * sizeof(uint64_t)), wrong = 0;
    int64_t begun = now_ns();
    struct bytes rq = {0}, reply = {0};
    struct fetch_ask ask = {topic, 0, 0, FETCH_BYTES, 100, 1};
    struct fetched got;

    do {
        rq.n = 0;
        request_fetch(&rq, &ask);
        send_all(fd, rq.data, rq.n);
        reply_receive(fd, &reply);
        got = reply_fetched(&reply, topic);
        ask.offset = take(&s, got.records, got.n, ask.offset);
    } while (ask.offset < got.high_watermark);
    for (uint64_t i = 0; i < count; i++)
        due[key_of(i, keys)] = i + 1;
    for (uint64_t i = 0; i < keys; i++)
        wrong += s.last[i] != due[i];
    printf("read=%llu batches=%llu end=%llu wrong_keys=%llu seconds=%.1f\n", (unsigned long long)s.n_records,
           (unsigned long long)s.n_batches, (unsigned long long)got.high_watermark, (unsigned long long)wrong,
           seconds_since(begun));
    return wrong > 0;
}

int main(int argc, char **argv)
{
    if (argc >= 4 && strcmp(argv[1], "create") == 0)
        return create(connect_to(argv[2]), argv[3], argc - 4, argv + 4);
    if (argc == 7 && strcmp(argv[1], "write") == 0 && number(argv[6]) >= 24 && number(argv[6]) <= VALUE_BYTES_MAX)
        return write_all(connect_to(argv[2]), argv[3], number(argv[4]), number(argv[5]), number(argv[6]));
    if (argc == 6 && strcmp(argv[1], "check") == 0)
        return check(connect_to(argv[2]), argv[3], number(argv[4]), number(argv[5]));
    fputs(USAGE, stderr);
    return 2;
}
