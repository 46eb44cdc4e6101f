/* The last offset of each key of a range of a log (SkimpyOffsetMap). */
#ifndef BARNABAS_CLEANER_OFFSET_MAP_H
#define BARNABAS_CLEANER_OFFSET_MAP_H

#include "base.h"

#define OFFSET_MAP_SHARDS      64
#define OFFSET_MAP_ENTRY_BYTES 16
struct offset_map_shard {
    struct offset_map_entry *entries;
    uint32_t n, cap;
};
struct offset_map {
    uint64_t key[2]; /* of the hash */
    int64_t base;    /* offsets are kept relative to it */
    double load;     /* how full a shard may become */
    uint32_t cap_max; /* of a shard */
    struct offset_map_shard shards[OFFSET_MAP_SHARDS];
    uint64_t n;
};
/* Offsets from `base` on; at most `bytes_max` of memory, which grows as keys come, filled up to `load` (0..1). */
void offset_map_init(struct offset_map *m, const uint64_t key[2], int64_t base, uint64_t bytes_max, double load);
void offset_map_release(struct offset_map *m);
/* False: there is no room (or the offset is too far from the base); nothing has changed. Offsets of one key must rise. */
bool offset_map_put(struct offset_map *m, struct bytes key, int64_t offset);
int64_t offset_map_get(const struct offset_map *m, struct bytes key); /* -1 */
uint64_t offset_map_bytes(const struct offset_map *m);

#endif
