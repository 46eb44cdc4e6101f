/* What a log remembers of where offsets are; see places.c. */
#ifndef BARNABAS_LOG_PLACES_H
#define BARNABAS_LOG_PLACES_H

#include "segment.h"

/* Where the batches below `offset` (a batch's begin, or the end) end. */
int places_of_bound(struct log *l, int64_t offset, enum isolation isolation, struct log_place *out);
/* The nearest place that a reader left, at or before the offset. NULL. */
struct log_place *places_find_reader(struct log *l, int64_t offset);
/* A read began at `now` and was given bytes up to now.until; it went on from `was` (NULL: a new
 * reader). */
void places_add_reader(struct log *l, struct log_place *was, struct log_place now);

#endif
