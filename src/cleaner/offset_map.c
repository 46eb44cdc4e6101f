/* A hash table with linear probing: 96 bits of a keyed 128-bit hash, and 32 bits of offset, in 16 bytes an entry.
 *
 * Owner: whoever made it; one thread at a time.
 *
 *   | u64 hash | u32 hash | u32 offset - base |        Apache Kafka: 16 bytes of MD5, 8 of offset
 *
 * Happy path: the lowest bits of the hash choose a shard, the rest a place in it. Shards grow by half, one at a time, so that
 *             what is needed while one grows is small beside the whole, and the memory is never past the bound.
 * Invariant:  equal keys are one entry. Two different keys are taken for one with a chance of n^2 / 2^97: for a hundred million
 *             keys 10^-13, and nobody can do better who does not know the hash's key.
 * Failures:   full: put says so.
 */
#include "offset_map.h"

#include "hash.h"

struct offset_map_entry {
    uint32_t a_low, a_high, b;
    uint32_t distance; /* offset - base */
};
STATIC_ASSERT(sizeof(struct offset_map_entry) == OFFSET_MAP_ENTRY_BYTES, "what the bound is counted in");

#define EMPTY         UINT32_MAX
#define SHARD_CAP_MIN 64

void offset_map_init(struct offset_map *m, const uint64_t key[2], int64_t base, uint64_t bytes_max, double load)
{
    uint64_t most = bytes_max / OFFSET_MAP_ENTRY_BYTES / OFFSET_MAP_SHARDS;

    ASSERT(load > 0);
    *m = (struct offset_map){.key = {key[0], key[1]}, .base = base, .load = MIN(load, 0.95)};
    m->cap_max = (uint32_t)MAX(2, MIN(most, INT32_MAX));
}

void offset_map_release(struct offset_map *m)
{
    for (int i = 0; i < OFFSET_MAP_SHARDS; i++)
        free(m->shards[i].entries);
    memset(m->shards, 0, sizeof(m->shards));
    m->n = 0;
}

/* Where an entry belongs, by bits that the shard was not chosen by. */
static uint32_t home(const struct offset_map_entry *e, uint32_t cap)
{
    return (uint32_t)(((uint64_t)e->a_high * cap) >> 32);
}

static bool same_key(const struct offset_map_entry *x, const struct offset_map_entry *y)
{
    return x->a_low == y->a_low && x->a_high == y->a_high && x->b == y->b;
}

/* The entry of that key, or the empty place where it would be. */
static struct offset_map_entry *find(const struct offset_map_shard *s, const struct offset_map_entry *of)
{
    uint32_t i = home(of, s->cap);

    while (s->entries[i].distance != EMPTY && !same_key(&s->entries[i], of))
        i = i + 1 == s->cap ? 0 : i + 1;
    return &s->entries[i];
}

static bool has_room(const struct offset_map *m, const struct offset_map_shard *s)
{
    return s->cap > 0 && (double)(s->n + 1) <= (double)s->cap * m->load && s->n + 1 < s->cap;
}

static bool grow(struct offset_map *m, struct offset_map_shard *s)
{
    struct offset_map_shard bigger = {.n = s->n};
    uint64_t cap = MAX(SHARD_CAP_MIN, (uint64_t)s->cap + s->cap / 2);

    bigger.cap = (uint32_t)MIN(cap, m->cap_max);
    if (bigger.cap <= s->cap)
        return false;
    bigger.entries = xcalloc(bigger.cap, sizeof(*bigger.entries));
    for (uint32_t i = 0; i < bigger.cap; i++)
        bigger.entries[i].distance = EMPTY;
    for (uint32_t i = 0; i < s->cap; i++) {
        if (s->entries[i].distance != EMPTY)
            *find(&bigger, &s->entries[i]) = s->entries[i];
    }
    free(s->entries);
    *s = bigger;
    return true;
}

static struct offset_map_shard *entry_of(const struct offset_map *m, struct bytes key, struct offset_map_entry *out)
{
    struct hash128 h = hash128(m->key, key);

    if (PLANTED(lose_keys))
        h = (struct hash128){h.a & 7, 0};
    *out = (struct offset_map_entry){(uint32_t)h.a, (uint32_t)(h.a >> 32), (uint32_t)h.b, EMPTY};
    return (struct offset_map_shard *)&m->shards[(h.b >> 32) % OFFSET_MAP_SHARDS];
}

bool offset_map_put(struct offset_map *m, struct bytes key, int64_t offset)
{
    struct offset_map_entry e, *at;
    struct offset_map_shard *s = entry_of(m, key, &e);

    ASSERT(offset >= m->base);
    if (offset - m->base >= EMPTY)
        return false;
    e.distance = (uint32_t)(offset - m->base);
    at = s->cap > 0 ? find(s, &e) : NULL;
    if (at && at->distance != EMPTY) {
        ASSERT(at->distance <= e.distance);
        at->distance = e.distance;
        return true;
    }
    while (!has_room(m, s)) {
        if (!grow(m, s))
            return false;
        at = NULL;
    }
    *(at ? at : find(s, &e)) = e;
    s->n++;
    m->n++;
    return true;
}

int64_t offset_map_get(const struct offset_map *m, struct bytes key)
{
    struct offset_map_entry e;
    const struct offset_map_shard *s = entry_of(m, key, &e);
    const struct offset_map_entry *at = s->cap > 0 ? find(s, &e) : NULL;

    return at && at->distance != EMPTY ? m->base + at->distance : -1;
}

uint64_t offset_map_bytes(const struct offset_map *m)
{
    uint64_t n = 0;

    for (int i = 0; i < OFFSET_MAP_SHARDS; i++)
        n += (uint64_t)m->shards[i].cap * OFFSET_MAP_ENTRY_BYTES;
    return n;
}
