/* api: the upper seam: a frame in, a reply out. Decodes requests, hands each to its handler, encodes replies.
 *
 * Whoever carries frames (cli over net, a test, the simulator) gives a transport and calls api_opened, api_frame, api_closed.
 * Requests of one connection may be in work together and are answered in any order: each reply names the number that its frame
 * was given, and the transport sends replies in the order of frames.
 */
#ifndef BARNABAS_API_H
#define BARNABAS_API_H

#include "base.h"
#include "broker.h"
#include "sys.h"

struct api_conn;

struct api_transport {
    /* The reply to frame number `frame`, framed (length first); out is taken. An empty out means: nothing is sent for it
     * (acks=0), but its turn is over. mute_ms > 0: do not read from the connection for so long (KIP-219). */
    void (*reply)(void *carrier, uint64_t frame, struct out *out, int64_t mute_ms);
    /* Close now, after the replies that are before `frame`; why is for the log line, NULL for none. */
    void (*close)(void *carrier, uint64_t frame, const char *why);
};
/* What is known of a connection when it is opened; text is copied. */
struct api_peer {
    const char *listener;    /* name of the listener it came to */
    const char *peer_host;   /* "127.0.0.1" */
    int peer_port;
    const char *local_host;  /* the address that it connected to, as a client should be told it: "localhost" for loopback */
    int local_port;
    const char *advertised_host; /* of the listener; NULL: local_host and local_port are told */
    int advertised_port;
};
struct api_conn *api_opened(struct broker *b, const struct api_transport *t, void *carrier, const struct api_peer *peer);
/* One whole frame without its length field: body points into chunk, whose reference is the caller's (api takes its own). */
void api_frame(struct api_conn *c, uint64_t frame, struct chunk *chunk, uint8_t *body, size_t n);
void api_closed(struct api_conn *c);

/* Stopping: every long poll is answered now. Call it with broker_stop. */
void api_hurry(struct broker *b);
/* How many requests are in work: a stop waits for 0. */
int api_in_work(const struct broker *b);

/* The documentation's table of supported APIs, one "key name min max" line each. */
void api_print_table(struct buf *out);

#endif
