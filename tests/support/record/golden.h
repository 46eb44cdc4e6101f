/* Golden batches (tests/golden/record, made by Apache Kafka's classes) and batches in the same
 * words. */
#ifndef BARNABAS_TEST_GOLDEN_H
#define BARNABAS_TEST_GOLDEN_H

#include "record.h"

/* A file below tests/golden/record; it must be there. The caller releases it. */
struct buf golden_file(const char *name);
/* What is in a batch, in the words of scripts/golden/record/GoldenRecords.java; fails where the
 * batch cannot be read. */
int golden_dump(struct bytes batch, struct buf *out);
/* The records of the mixed-NAME files, built by us. The caller releases the result. */
struct buf golden_mixed(struct batch_options options);

#endif
