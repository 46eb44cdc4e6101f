/* The inside of net: its structs, and what its files call of each other. */
#ifndef NET_IMPL_H
#define NET_IMPL_H

#include "net.h"
#include "pool.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <uv.h>

#define NET_MAGIC      0x4E455421u
#define CONN_MAGIC     0x434F4E4Eu
#define LISTENER_MAGIC 0x4C49534Eu

#define SCRATCH_BYTES  ((size_t)256 << 10) /* what one recv can bring of small frames */
#define COPY_BYTES_MAX                                                                             \
    ((size_t)2 << 10) /* a frame up to this size is copied out of the scratch chunk */
#define WHOLE_BYTES_MAX                                                                            \
    ((size_t)64 << 10) /* memory for a frame up to this size is taken on its first bytes */
#define BIG_FRAME_BYTES                                                                            \
    ((size_t)128 << 10) /* the next frame after such a one is received into its own chunk */
#define READ_BYTES_PER_TURN ((size_t)1 << 20) /* of one connection */
#define SEND_BYTES_PER_TURN ((size_t)4 << 20)
#define ACCEPTS_PER_TURN    64
#define IOVS_MAX            64
#define SWEEP_MS            1000
#define PARTIAL_BYTES_PER_S 1024 /* a frame that comes faster may take its time */
#define SHED_SWEEPS         2
#define TRIM_SWEEPS         5

/* An address without its port, IPv4 as ::ffff:a.b.c.d. */
struct ip {
    uint8_t bytes[16];
};
struct ip_count {
    struct ip ip;
    uint32_t n_conns;
    UT_hash_handle hh;
};

struct socket_listener {
    uint32_t magic;
    int fd;
    int listener; /* index in net.listeners */
    struct net *net;
    uv_poll_t poll;
    struct list link;
};

/* A line that repeats is written at most once in a while. */
struct quiet {
    int64_t next_ns;
    unsigned n_hidden; /* since the last line */
    unsigned n_told;   /* hidden before the last line */
};

enum net_phase { NET_OPEN = 0, NET_SERVING, NET_STOPPING, NET_CLOSED };
struct net {
    uint32_t magic;
    struct net_options options;
    enum net_phase phase;
    struct env *env;
    uv_loop_t *loop;
    char **listener_names;
    int *listener_ports;
    struct list sockets; /* of struct socket_listener */
    int spare_fd; /* given up to accept, and close, what a full table of files keeps waiting */

    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t idle;
    uv_timer_t alarm;
    struct mono alarm_at; /* what the alarm is set to; INT64_MAX: not set */
    struct mono now;      /* of the end of the last turn: up to SWEEP_MS old */
    struct timers timers; /* mutes and the sweep */
    struct timer sweep;
    unsigned n_sweeps;
    int n_handles; /* of libuv's, not yet let go */
    void (*done)(void *arg);
    void *done_arg;

    struct list conns;
    uint32_t n_conns;
    struct list dirty;   /* connections with something to send or to end, at the end of this turn */
    struct list resumed; /* connections whose backlog may go on */
    uint64_t n_unsent;   /* frames handed up and not answered to the last byte */
    struct ip_count *by_ip;
    struct quiet quiet_files, quiet_limit;
    uint32_t conns_by_files; /* as many as there are files for */
    int64_t second_ns;       /* when the second began in which n_accepted came */
    uint32_t n_accepted;
    struct timer accept_again; /* armed: nobody is accepted until this second is over */

    struct pool *pool;
    struct chunk
        *scratch; /* where recv puts what belongs to no half received frame; NULL until needed */
    size_t scratch_at;  /* the free part begins here */
    bool scratch_used;  /* since the last sweep */
    bool over;          /* more bytes held than options.queued_bytes_max: nothing is read */
    bool paused;        /* and some connection was told so */
    int n_stuck_sweeps; /* `over`, and no frame in work that could end it */
};

struct slot {
    struct out out;
    bool answered;
};

struct net_conn {
    uint32_t magic;
    int fd;
    struct net *net;
    void *up;
    uv_poll_t poll;
    int polled; /* the events that poll waits for */
    struct list link, dirty, resumed;
    struct ip peer_ip;
    uint16_t peer_port;

    /* receive.c. A frame begins in `head`; when its length is known it goes on in `rx`. */
    uint8_t head[4];
    uint8_t n_head;
    bool big_frames;  /* the last frame was one */
    bool eof;         /* the peer has nothing more to say */
    bool urgent;      /* out-of-band data waits: do not poll for it again */
    struct chunk *rx; /* a half received frame; owned alone */
    size_t rx_have, rx_total;
    struct chunk *backlog; /* a slice that was received and must wait: muted, too much in work */
    size_t backlog_at, backlog_end;

    /* send.c. Frames frame_first .. frame_next - 1 are in work; ring[frame % ring_cap]. */
    struct slot *ring;
    uint32_t ring_cap;
    bool full;    /* reached in_work_max; until there are 90 % of it */
    bool blocked; /* the socket takes no more */
    bool muted;
    struct timer unmute;
    uint64_t frame_first, frame_next;
    uint32_t piece;    /* of frame_first's reply: the first that is not wholly sent */
    size_t piece_at;   /* bytes of it that are sent */
    uint64_t close_at; /* close before this frame's turn to reply; UINT64_MAX: not */
    char *close_why;

    int64_t active_ns; /* something was received or sent */
    int64_t
        partial_ns; /* when reading of the half received frame began or resumed; 0: there is none */
    uint64_t partial_bytes; /* received of it since then */
    int64_t blocked_ns;     /* the peer last took something */
};

/* net.c */
#define QUIET_S 10
bool net_quiet_passes(struct net *n, struct quiet *q);
void net_handle_opened(struct net *n, uv_handle_t *h, void *data);
void net_handle_closed(struct net *n);

/* listen.c */
int listen_open(struct net *n, int listener, const struct net_listener *l, struct errmsg *msg);
void listen_start(struct net *n);
void listen_close(struct net *n);
void listen_again(struct timer *t);

/* address.c */
struct ip ip_of(const struct sockaddr_storage *sa);
bool ip_is_loopback(const struct ip *ip);
void ip_text(const struct ip *ip, char *out, size_t n);
int port_of(const struct sockaddr_storage *sa);
uint32_t ip_count_add(struct net *n, const struct ip *ip); /* how many it has now */
void ip_count_remove(struct net *n, const struct ip *ip);

/* conn.c */
struct net_conn *conn_new(struct net *n, int fd, const struct ip *ip, int port);
void conn_serve(struct net_conn *c, void *up);
/* The end: `closed` runs, the socket closes, c is gone soon. A line at this level when why is not
 * NULL. */
void conn_close(struct net_conn *c, enum diag_level level, const char *why);
void conn_poll(struct net_conn *c); /* waits for what makes sense in its state */
bool conn_may_read(struct net_conn *c);
bool conn_is_closing(const struct net_conn *c);
uint32_t conn_in_work(const struct net_conn *c);
void conn_soon(struct net_conn *c); /* into the dirty list */
struct slot *conn_slot(struct net_conn *c, uint64_t frame);
uint64_t conn_begin_frame(struct net_conn *c);

/* receive.c; both return false when they have closed the connection */
bool receive_socket(struct net_conn *c);
bool receive_backlog(struct net_conn *c);
void receive_release(struct net_conn *c);
bool receive_over(struct net *n); /* decides anew whether too many bytes are held */

/* send.c */
bool send_ready(struct net_conn *c); /* false: it has closed the connection */
void send_release(struct net_conn *c);

/* sweep.c */
void sweep_init(struct net *n);
void sweep_wanted(struct net *n); /* there is something to look after */

#endif
