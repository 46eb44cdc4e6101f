/* What compaction leaves of one batch. */
#ifndef BARNABAS_CLEANER_FILTER_H
#define BARNABAS_CLEANER_FILTER_H

#include "cleaned_txns.h"
#include "log.h"
#include "offset_map.h"
#include "record.h"

#define FILTER_BATCH_BYTES_MAX (1u << 30) /* decompressed */

struct kept; /* filter.c */
struct filter {
    const struct offset_map *map;
    int64_t latest; /* the last offset that the map knows */
    int64_t now_ms, delete_retention_ms;
    const struct log_producer_end *producers; /* by id */
    uint32_t n_producers;
    struct cleaned_txns txns; /* what was met so far */
    /* scratch */
    struct buf records, body;
    struct kept *kept;
    uint32_t n_kept, cap_kept;
    /* counted */
    uint64_t n_read, n_left;
};
void filter_release(struct filter *f);
/* Appends to `out` what is left of the batch at p (b: decoded, checked): it as it is, less of it, only its header, or nothing.
 * must_stay: at least the header. *left: it in `out`, when anything is left. Batches come in the log's order, from its first one on.
 * E_CORRUPT when the records cannot be read. */
int filter_batch(struct filter *f, const uint8_t *p, const struct batch *b, bool must_stay, struct buf *out,
                 struct batch *left);
/* Adds the keys of a batch with data to the map. False in *fits: the map is full. */
int filter_add_keys(struct offset_map *map, const uint8_t *p, const struct batch *b, int64_t from, struct buf *scratch,
                    bool *fits);

#endif
