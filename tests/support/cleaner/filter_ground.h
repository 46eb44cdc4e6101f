/* A filter with its map, and batches to put through it. */
#ifndef BARNABAS_TEST_FILTER_GROUND_H
#define BARNABAS_TEST_FILTER_GROUND_H

#include "filter.h"

#include <setjmp.h>

#include <cmocka.h>

#define GROUND_NOW_MS    1000000
#define GROUND_RETAIN_MS 5000
#define GROUND_PRODUCER  7
#define GROUND_EPOCH     2
#define GROUND_SEQUENCE  40

struct ground {
    struct offset_map map;
    struct filter filter;
    struct buf batch, out;
    struct batch b, left;
};
struct ground *ground_new(void);
void ground_free(struct ground *g);
/* Makes a batch: "key=value" each, "key" for a tombstone, "=value" without a key; ended by NULL. Offsets from `base` on, the first
 * record at 100 ms, each next one a ms later. */
void ground_make(struct ground *g, int64_t base, int16_t attributes, const char *const *records);
/* Makes the marker of a transaction, at one offset. */
void ground_make_marker(struct ground *g, int64_t offset, bool commits);
/* Its keys become known. */
void ground_learn(struct ground *g);
/* Filters it. */
void ground_run(struct ground *g, bool must_stay);
/* What was left becomes the batch. */
void ground_again(struct ground *g);
/* "offset:timestamp:key=value" of what is left, with a space behind each. */
void ground_expect_left(struct ground *g, const char *expected);

#endif
