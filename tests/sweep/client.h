/* A client of a broker in a box that takes every answer, or none, and writes down what it knows in a ledger. */
#ifndef SWEEP_CLIENT_H
#define SWEEP_CLIENT_H

#include "box.h"
#include "ledger.h"

struct client {
    struct box *box;
    struct box_conn *conn; /* NULL: to be opened again */
    struct ledger *ledger;
    bool must_work; /* nothing is wrong with the disk: an error is a violation */
};
/* The broker takes no more requests: its disk is down, or has failed. */
bool client_gone(const struct client *c);
/* Sends a request and waits for the reply, up to a virtual minute. NULL: there is none; that is a violation where nothing is wrong
 * with the disk. */
void *client_call(struct client *c, int16_t key, int16_t version, const void *request);
void client_create_topic(struct client *c, enum topic topic);
void client_delete_topic(struct client *c, enum topic topic);
void client_producer_id(struct client *c);
/* One batch of n records, acks=-1 or 1. On TOPIC_IDEM: sends what is unanswered first, and a new batch only when all is answered. */
void client_produce(struct client *c, enum topic topic, int partition, int n, int acks);
/* Sends the newest idempotent batch again, answered or not. */
void client_repeat(struct client *c);
/* Batches to all partitions of TOPIC_PLAIN and to TOPIC_LOOSE in one go, then their answers. */
void client_produce_together(struct client *c);
/* Reads a partition from its start. False: it could not be read. */
bool client_read(struct client *c, enum topic topic, int partition, struct view *out);
/* Reads everything, and remembers it. */
void client_read_all(struct client *c);
void client_commit(struct client *c, int64_t offset);
/* Everything that is known, against what the broker says. */
void client_verify(struct client *c, bool power_lost);

#endif
