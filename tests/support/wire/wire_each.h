/* Every message of the protocol, one after the other, for tests. */
#ifndef BARNABAS_TEST_WIRE_EACH_H
#define BARNABAS_TEST_WIRE_EACH_H

#include "wire.h"

/* All requests, responses and records. */
int wire_each_count(void);
const struct wire_message_info *wire_each_get(int i);
const struct wire_message_info *wire_each_find(const char *name); /* by Kafka's name; NULL */

/* What a test of one message in one version needs. */
struct wire_case {
    const struct wire_message_info *info;
    int16_t version;
    struct arena arena;
    struct buf encoded;
    void *filled; /* in the arena */
};
void wire_case_init(struct wire_case *c, const struct wire_message_info *info, int16_t version);
void wire_case_fill(struct wire_case *c, struct rng *rng); /* a new random message, encoded */
void wire_case_release(struct wire_case *c);
/* Decodes exactly these bytes, from a block of exactly their size, walks the result, frees the
 * block. Returns what decode returns; *left the bytes not read. */
int wire_case_decode(struct wire_case *c, const void *p, size_t n, void **out, size_t *left);
void wire_case_encode(struct wire_case *c, const void *m, struct buf *out);

#endif
