/* The hashes of topics and of a group's metadata, as Kafka has them.
 *
 * Owner: nobody; pure functions.
 *
 * XXH3 (64 bits, no seed) over what hash4j's HashStream64 makes of the values: integers little-endian, a string
 * as its UTF-16 units, little-endian, and then their number as an int.
 *
 *   topic:  byte 0 (a version) | id, high long | id, low long | name | partitions, int
 *           | for each partition: its number, int | for each rack of its replicas, sorted: length, int | rack
 *   group:  for each topic, by name: its hash, long
 */
#include "topic_hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

static void put_number(struct buf *b, uint64_t v, size_t bytes)
{
    uint8_t *p = buf_grow(b, bytes);

    for (size_t i = 0; i < bytes; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

static uint64_t big_endian_long(const uint8_t *p)
{
    uint64_t v = 0;

    for (int i = 0; i < 8; i++)
        v = v << 8 | p[i];
    return v;
}

/* The next character of valid UTF-8. */
static uint32_t next_char(struct str s, size_t *at)
{
    uint8_t first = (uint8_t)s.p[(*at)++];
    int more = first < 0x80 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
    uint32_t c = more == 0 ? first : first & (0x3fu >> more);

    for (; more > 0 && *at < s.n; more--)
        c = c << 6 | ((uint8_t)s.p[(*at)++] & 0x3f);
    return c;
}

static int32_t put_utf16(struct buf *b, struct str s)
{
    size_t before = b->n;

    for (size_t at = 0; at < s.n;) {
        uint32_t c = next_char(s, &at);

        if (c >= 0x10000) {
            put_number(b, 0xd800 + ((c - 0x10000) >> 10), 2);
            put_number(b, 0xdc00 + ((c - 0x10000) & 0x3ff), 2);
        } else {
            put_number(b, c, 2);
        }
    }
    return (int32_t)((b->n - before) / 2);
}

static void put_string(struct buf *b, struct str s)
{
    int32_t n_units = put_utf16(b, s);

    put_number(b, (uint32_t)n_units, 4);
}

static void put_rack(struct buf *b, struct str rack)
{
    struct buf text;

    buf_init(&text);
    put_number(b, (uint32_t)put_utf16(&text, rack), 4);
    buf_release(&text);
    put_string(b, rack);
}

static int64_t hash_and_release(struct buf *b)
{
    uint64_t hash = XXH3_64bits(b->p, b->n);

    buf_release(b);
    return (int64_t)hash;
}

int64_t topic_hash_of(struct uuid id, struct str name, int32_t n_partitions, struct str rack)
{
    struct buf b;

    ASSERT(n_partitions >= 0);
    buf_init(&b);
    put_number(&b, 0, 1);
    put_number(&b, big_endian_long(id.b), 8);
    put_number(&b, big_endian_long(id.b + 8), 8);
    put_string(&b, name);
    put_number(&b, (uint32_t)n_partitions, 4);
    for (int32_t i = 0; i < n_partitions; i++) {
        put_number(&b, (uint32_t)i, 4);
        if (rack.p)
            put_rack(&b, rack);
    }
    return hash_and_release(&b);
}

static int by_name(const void *a, const void *b)
{
    return str_cmp(((const struct topic_hash *)a)->name, ((const struct topic_hash *)b)->name);
}

int64_t topic_hashes_of_group(struct topic_hash *topics, size_t n)
{
    struct buf b;

    if (n == 0)
        return 0;
    qsort(topics, n, sizeof(*topics), by_name);
    buf_init(&b);
    for (size_t i = 0; i < n; i++)
        put_number(&b, (uint64_t)topics[i].hash, 8);
    return hash_and_release(&b);
}
