/* The daemon. Inner header of cli. */
#ifndef CLI_SERVE_H
#define CLI_SERVE_H

#include "args.h"
#include "broker.h"
#include "config.h"
#include "net.h"
#include "sys.h"

#include <uv.h>

#define SERVER_MAGIC 0x53455256u

enum server_phase { SERVER_STARTING = 0, SERVER_SERVING, SERVER_STOPPING, SERVER_ENDING };
struct server {
    uint32_t magic;
    enum server_phase phase;
    const struct args *args;
    struct config *config;
    struct env env;
    struct metrics *metrics;
    uv_loop_t loop;
    struct net *net;
    struct broker *broker;
    uv_signal_t on_term, on_int, on_hup, on_usr1;
    struct mono started;
    struct mono stop_began;
    int exit_code;
    bool clean; /* the broker may leave its mark of a clean stop */
};

/* Runs a broker until it is told to stop, or fails. The exit code; on a failed start one line in
 * msg. */
int serve(const struct args *a, struct config *c, struct vfs *vfs, struct errmsg *msg);

/* wire_up.c: net <-> api, the seam between sockets and requests. */
struct net_upcalls wire_up(struct server *s);
void server_turn(struct server *s); /* the end of a turn */
bool server_deadline(struct server *s, struct mono *at);

/* announce.c */
/* How a client on this machine names the listener: "localhost:9092", "[::1]:9092". */
void announce_address(const struct server *s, int listener, char *out, size_t n);
void announce_start(const struct server *s);   /* before anything is opened */
void announce_serving(const struct server *s); /* the lines that a person wants to see */
int announce_ready_file(const struct server *s, struct errmsg *msg);
void announce_end(const struct server *s);

#endif
