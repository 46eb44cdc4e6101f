/* A net with real sockets on loopback, its loop driven by the test; simulated time; an up side that
 * keeps what comes. */
#ifndef BARNABAS_TEST_NET_FIXTURE_H
#define BARNABAS_TEST_NET_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "metrics.h"
#include "net.h"

#include <uv.h>

struct up_frame {
    struct chunk *chunk; /* a reference; NULL after release_frame */
    uint8_t *body;
    size_t n;
    uint64_t number;
    bool answered;
};
struct up_conn {
    struct fixture *fx;
    struct net_conn *c;
    struct net_peer peer;
    struct up_frame *frames;
    int n_frames, frames_cap;
    bool closed;
};
struct fixture {
    uv_loop_t loop;
    struct env env;
    struct metrics metrics;
    struct clock *clock;
    struct net_listener listener;
    struct net_options options;
    struct net *net;
    int port;
    struct up_conn *conns[4096];
    int n_conns, n_closed, n_turns;
    bool echo;   /* answers each frame with itself, in the turn */
    bool refuse; /* opened says no */
    bool done;   /* net has let go of everything */
    int n_lines; /* of diag, at INFO and above */
    char lines[8192];
};

/* Options for a test to change; then start. */
void fixture_init(struct fixture *fx);
void fixture_start(struct fixture *fx);
void fixture_release(struct fixture *fx); /* closes net if it is open; checks that nothing leaked */
void fixture_pump(struct fixture *fx);    /* one turn, without waiting */
void fixture_advance_ms(struct fixture *fx, int64_t ms); /* and a turn */

/* Turns until cond holds; fails after very many. */
#define UNTIL(fx, cond)                                                                            \
    do {                                                                                           \
        for (int until_i = 0; !(cond); until_i++) {                                                \
            assert_true(until_i < 200000 && "never: " #cond);                                      \
            fixture_pump(fx);                                                                      \
        }                                                                                          \
    } while (0)

int client_connect(struct fixture *fx); /* non-blocking; the up side knows it when this returns */
int client_connect_to(const char *host, int port); /* -1 when refused */
void client_send(struct fixture *fx, int fd, const void *p, size_t n);
/* As much as goes until net takes no more; returns how much. */
size_t client_send_some(struct fixture *fx, int fd, const void *p, size_t n);
void client_frame(struct fixture *fx, int fd, const void *body, size_t n);
void client_read(struct fixture *fx, int fd, void *p, size_t n); /* exactly n, turning meanwhile */
size_t client_drain(int fd);                                     /* what is there now */
bool client_is_closed(int fd);                                   /* drains; end or reset */

/* Body byte i of a test frame that is told apart by its seed. */
uint8_t pattern(size_t seed, size_t i);
uint8_t *pattern_new(size_t seed, size_t n);

struct up_conn *up_last(struct fixture *fx);
void up_reply(struct up_conn *u, int frame_index, const void *p,
              size_t n); /* length put in front */
void up_echo(struct up_conn *u, int frame_index);
void up_forget(struct up_conn *u, int frame_index); /* drops the reference to its bytes */
void client_expect_echo(struct fixture *fx, int fd, size_t seed, size_t n);

#endif
