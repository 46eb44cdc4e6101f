/* Produce: what produce.c (appending, waiting, answering) and produce_txn.c (transactions) share. */
#ifndef BARNABAS_API_PRODUCE_H
#define BARNABAS_API_PRODUCE_H

#include "internal.h"
#include "txn.h"

/* The transaction of a request. */
struct produce_txn {
    struct request *rq;
    struct txn_producer producer;
    bool any;       /* the producer is known */
    int16_t error;  /* of all partitions: an id that is not allowed, or more than one producer */
    struct str why; /* what Kafka says beside it, if anything */
    struct statelog *
        noted; /* what the coordinator has noted for this request is here: the reply waits for it; NULL */
};
/* What the request is as a whole: x->error. */
void produce_txn_begin(struct produce_txn *x, struct request *rq);
/* Whether the batch belongs to a transaction; *b is its header. */
bool produce_txn_has(const struct wire_records *records, struct batch *b);
/* Whether it may be appended to the log; in the same turn. *why: what Kafka says beside its error, if anything. */
int16_t produce_txn_verify(struct produce_txn *x, struct log *log, const struct batch *b,
                           struct str *why);

#endif
