/* A whole broker in one test process: over the in-memory vfs (or any other), the simulated clock
 * and lanes, with no socket.
 *
 *   box_start(&b, "key=value", ..., NULL);
 *   conn = box_connect(&b);
 *   rsp = box_call(conn, 3, 12, &request);   sends one request, turns until its reply is there,
 *                                            decodes it
 */
#ifndef TEST_BOX_H
#define TEST_BOX_H

#include "api.h"
#include "wire.h"

struct box {
    struct env env;
    struct metrics *metrics;
    struct config config;
    struct broker *broker;
    struct arena arena; /* decoded replies; until box_end */
    struct list conns;
    bool owns_ground; /* the vfs and the clock are the box's */
    /* Called with true before the broker starts or ends, and with false after: what may block
     * there. May be NULL. */
    void (*blocking)(struct box *b, bool on);
    bool (*deaf)(struct box *b); /* true: replies do not reach the clients any more. May be NULL. */
    bool tolerant;               /* a reply whose file cannot be read closes its connection */
    void *arg;                   /* the test's */
};
struct box_reply {
    struct list link;
    uint64_t frame;
    struct buf bytes; /* with the length in front; empty: no answer was due */
};
struct box_conn {
    struct list link;
    struct box *box;
    struct api_conn *api;
    uint64_t frame_next;
    struct list replies; /* in the order they came */
    bool closed;
    char *why;
};

/* Overrides are "key=value", the list ends with NULL. Every file is in memory. */
void box_start(struct box *b, ...);
/* The same on a vfs and a clock of the caller's, which outlive the box. */
void box_start_on(struct box *b, struct vfs *vfs, struct clock *clock, ...);
/* The steps, for tests where they may fail. box_init_on: everything but the broker; overrides end
 * with NULL. box_try_start: 0 or the E_* that the broker did not start with. box_try_stop: a clean
 * stop, or as if killed; false: a clean stop did not come to its end, and the broker was freed as
 * if killed. There is no broker afterwards. box_release: after box_try_stop. */
void box_init_on(struct box *b, struct vfs *vfs, struct clock *clock, const char *const *overrides);
int box_try_start(struct box *b, struct errmsg *msg);
bool box_try_stop(struct box *b, bool clean);
void box_release(struct box *b);
void box_restart(
    struct box *b,
    bool clean);             /* stops (or kills) the broker and starts it again on the same files */
void box_end(struct box *b); /* also checks that nothing leaks: files, connections */
/* One turn of the loop: broker_turn and every job that waits. */
void box_turn(struct box *b);
void box_advance_ms(struct box *b, int64_t ms); /* the clock, timer by timer, with turns between */

struct box_conn *box_connect(struct box *b);
void box_disconnect(struct box_conn *c);
/* Sends a request (a wire struct of that API); returns its frame number. */
uint64_t box_send(struct box_conn *c, int16_t key, int16_t version, const void *request);
uint64_t box_send_raw(struct box_conn *c, struct bytes body);
/* The reply of a frame, decoded, if it has come: NULL otherwise. Lives until box_end. */
void *box_reply(struct box_conn *c, uint64_t frame, int16_t key, int16_t version);
/* The same, for those who ask much: the reply is taken away. */
void *box_take_reply(struct box_conn *c, uint64_t frame, int16_t key, int16_t version);
/* Send, turn until the reply is there (at most some turns; the clock stands), decode. */
void *box_call(struct box_conn *c, int16_t key, int16_t version, const void *request);
/* As box_call, but NULL where no reply comes or the connection is closed. */
void *box_try_call(struct box_conn *c, int16_t key, int16_t version, const void *request);

/* Shorthands. */
void box_create_topic(struct box_conn *c, const char *name, int32_t n_partitions,
                      const char *config_name, const char *config_value);
/* One uncompressed batch of n records, values "<prefix><i>". Lives until box_end. */
struct wire_records box_batch(struct box *b, const char *prefix, int n, int64_t producer_id,
                              int16_t epoch, int32_t sequence);
/* Produces one batch to a partition; returns the error; *base_offset as answered. */
int16_t box_produce(struct box_conn *c, const char *topic, int32_t partition,
                    struct wire_records records, int16_t acks, int64_t *base_offset);
/* Fetches from one partition and returns the values of all whole records, joined by ','. NULL with
 * *error set. */
char *box_fetch(struct box_conn *c, const char *topic, int32_t partition, int64_t offset,
                int16_t *error);

#endif
