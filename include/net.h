/* net: sockets. Frames in, replies out; knows nothing of Kafka but the four length bytes before a frame.
 *
 * Listeners and connections on libuv (uv_poll on non-blocking sockets), one thread. It calls up three times — opened, frame,
 * closed — and once per turn of the loop, after it has taken in what all sockets brought; it is called down once per frame: net_reply.
 * Replies leave in the order of frames; what a turn makes ready goes out in as few calls as possible (writev, sendfile).
 *
 * Memory: bytes are received into pooled chunks; frames are slices of them. A buffer grows with what has arrived, never with what
 * a length field announces. A connection with too much in work, and every connection when the total is reached, is not read
 * from. An idle connection holds no buffer.
 */
#ifndef BARNABAS_NET_H
#define BARNABAS_NET_H

#include "base.h"
#include "sys.h"

struct net;
struct net_conn;

struct net_peer {
    int listener; /* index in options.listeners */
    char peer_host[64], local_host[64]; /* numeric; local_host is "localhost" for a loopback address */
    int peer_port, local_port;
};
/* Of connections: max.connections, max.connections.per.ip, max.connection.creation.rate. */
struct net_limits {
    uint32_t conns_max, conns_per_ip_max, conns_per_second_max;
};
struct net_upcalls {
    /* Returns the up side's own pointer for the connection. NULL refuses it. */
    void *(*opened)(void *arg, struct net_conn *c, const struct net_peer *peer);
    /* A whole frame, without its length. Number: 0, 1, 2 ... of this connection. */
    void (*frame)(void *conn, uint64_t frame, struct chunk *chunk, uint8_t *body, size_t n);
    void (*closed)(void *conn); /* no reply is of use any more; net_conn is gone after it */
    /* What holds for one who connects from this address now; *l is options.limits. NULL: that. */
    void (*limits)(void *arg, const char *host, struct net_limits *l);
    void (*turn)(void *arg);    /* once per turn, after all reads */
    bool (*deadline)(void *arg, struct mono *at); /* when to turn again at the latest */
    void *arg;
};
struct net_listener {
    const char *name, *host; /* host "": every address */
    int port;                /* 0: any; net_listener_port says which */
};
struct net_options {
    void *loop; /* uv_loop_t */
    struct env *env;
    struct net_upcalls up;
    const struct net_listener *listeners;
    int n_listeners;
    size_t frame_bytes_max;        /* socket.request.max.bytes */
    size_t queued_bytes_max;       /* all frames in work; 0: a quarter of the memory */
    int64_t idle_ms_max;           /* connections.max.idle.ms; -1: never */
    int64_t partial_frame_ms_max;  /* a frame that stays incomplete so long closes its connection */
    int64_t send_stall_ms_max;     /* a peer that takes nothing for so long is dropped */
    uint32_t in_work_max;          /* frames of one connection in work together */
    struct net_limits limits;      /* while up.limits says nothing else */
    int backlog;
    int send_buffer_bytes, receive_buffer_bytes; /* -1: the system's */
};
/* Binds and listens; raises the limit of open files. E_INUSE, E_ACCESS, E_INVALID with one clear line in msg ("listener PLAINTEXT:
 * localhost:9092 is taken ..."); the loop must still run then, until libuv has let go of the handles. */
int net_open(const struct net_options *options, struct net **out, struct errmsg *msg);
void net_start(struct net *n); /* accepts and serves from here on; until then who connects waits in the backlog */
int net_listener_port(const struct net *n, int listener);
/* Stops accepting and reading; frames in work may still be answered. */
void net_stop_reading(struct net *n);
bool net_all_sent(const struct net *n); /* no frame in work, nothing left to send */
/* Closes everything; `closed` runs for each connection; then, when libuv has let go of all handles, done(arg). Not from within
 * opened, frame or closed. */
void net_close(struct net *n, void (*done)(void *arg), void *arg);
void net_free(struct net *n); /* after done */

/* The reply to a frame; out is taken; empty: nothing to send. Never sends at once: at the end of the turn. */
void net_reply(struct net_conn *c, uint64_t frame, struct out *out, int64_t mute_ms);
/* Closes after the replies before `frame` are sent; why (copied) goes into one log line, NULL: none. */
void net_conn_close(struct net_conn *c, uint64_t frame, const char *why);
void net_wake(struct net *n); /* a turn is due soon although no socket has anything (uv_idle): from the core thread */

#endif
