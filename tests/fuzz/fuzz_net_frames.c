/* Bytes from anybody on a real socket, cut anywhere, with replies in any order in between: exactly
 * the frames that were sent go up, whole and in order, and exactly the replies that were made come
 * back.
 *
 * The input is a program: each step's first byte says what it does, see step(). What was sent is
 * parsed again at the end, simply.
 */
#include "net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#define FRAME_BYTES_MAX 300000
#define SENT_BYTES_MAX  ((size_t)4 << 20)
#define FRAMES_MAX      4096
#define PUMPS           400

struct run {
    uv_loop_t loop;
    struct env env;
    struct net *net;
    struct net_conn *conn; /* NULL: closed, or not opened yet */
    bool opened, done;
    int fd;
    struct buf sent;
    size_t checked;    /* the frames up to here went up */
    uint64_t n_frames; /* that went up */
    bool answered[FRAMES_MAX];
    uint64_t n_back; /* reply bytes that came back */
    uint64_t n_due;  /* reply bytes made */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void *opened(void *arg, struct net_conn *c, const struct net_peer *peer)
{
    struct run *r = arg;

    r->conn = c;
    r->opened = true;
    return r;
}

static void closed(void *conn)
{
    struct run *r = conn;

    r->conn = NULL;
}

/* The frame must be the next of what was sent. */
static void frame(void *conn, uint64_t number, struct chunk *chunk, uint8_t *body, size_t n)
{
    struct run *r = conn;
    const uint8_t *p = r->sent.p + r->checked;

    ASSERT(number == r->n_frames);
    ASSERT(r->checked + 4 + n <= r->sent.n);
    ASSERT(get_be32(p) == n);
    ASSERT(memcmp(p + 4, body, n) == 0);
    ASSERT(body >= chunk->data);
    ASSERT(body + n <= chunk->data + chunk->cap);
    r->checked += 4 + n;
    r->n_frames++;
}

static void reply(struct run *r, uint64_t number)
{
    struct chunk *chunk;
    struct out out;

    if (!r->conn || number >= r->n_frames || number >= FRAMES_MAX || r->answered[number])
        return;
    chunk = chunk_new(7);
    memcpy(chunk->data, "\0\0\0\3abc", 7);
    out_init(&out);
    out_put_chunk(&out, chunk, 0, 7);
    r->answered[number] = true;
    r->n_due += 7;
    net_reply(r->conn, number, &out, 0);
}

static void pump(struct run *r, int n)
{
    uint8_t back[4096];
    ssize_t got;

    for (int i = 0; i < n; i++) {
        uv_run(&r->loop, UV_RUN_NOWAIT);
        while ((got = recv(r->fd, back, sizeof(back), MSG_DONTWAIT)) > 0)
            r->n_back += (uint64_t)got;
    }
}

/* What was not taken, because the other side has closed, was not sent. */
static void put(struct run *r, const uint8_t *p, size_t n)
{
    if (r->sent.n + n > SENT_BYTES_MAX || r->n_frames > FRAMES_MAX / 2)
        return;
    buf_put(&r->sent, p, n);
    for (int tries = 0; n > 0 && tries < PUMPS;) {
        ssize_t done = send(r->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (done > 0) {
            p += done;
            n -= (size_t)done;
        } else if (errno == EAGAIN) {
            for (uint64_t i = 0; i < r->n_frames; i++)
                reply(r, i); /* or nothing will ever move */
            pump(r, 1);
            tries++;
        } else {
            return;
        }
    }
}

static void put_frame(struct run *r, size_t n)
{
    uint8_t *p = xmalloc(4 + n);

    put_be32(p, (uint32_t)n);
    for (size_t i = 0; i < n; i++)
        p[4 + i] = (uint8_t)(i * 7 + n);
    put(r, p, 4 + n);
    free(p);
}

/* One step; how many bytes of the program it took. */
static size_t step(struct run *r, const uint8_t *p, size_t n)
{
    size_t arg = n > 1 ? p[1] : 0, n_text;

    switch (p[0] % 8) {
    case 0: /* bytes as they stand */
        n_text = MIN(arg % 32, n > 2 ? n - 2 : 0);
        put(r, p + 2, n_text);
        return 2 + n_text;
    case 1:
        put_frame(r, arg);
        return 2;
    case 2:
        put_frame(r, arg * 64);
        return 2;
    case 3:
        put_frame(r, arg * 1200);
        return 2;
    case 4:
        pump(r, 1);
        return 1;
    case 5: /* a reply, not the oldest first */
        reply(r, r->n_frames > arg ? r->n_frames - 1 - arg : 0);
        return 2;
    case 6:
        for (uint64_t i = 0; i < r->n_frames; i++)
            reply(r, i);
        return 1;
    default:
        pump(r, 1 + (int)arg % 4);
        return 2;
    }
}

/* The frames in what was sent, until one is not whole or can not be. */
static uint64_t count_sent(const struct buf *sent, bool *bad)
{
    uint64_t n_frames = 0;
    size_t at = 0;

    *bad = false;
    while (sent->n - at >= 4) {
        uint32_t n = get_be32(sent->p + at);

        *bad = n > FRAME_BYTES_MAX;
        if (*bad || sent->n - at - 4 < n)
            break;
        at += 4 + (size_t)n;
        n_frames++;
    }
    return n_frames;
}

static void open_run(struct run *r)
{
    struct net_listener listener = {.name = "F", .host = "127.0.0.1", .port = 0};
    struct net_options o = {
        .loop = &r->loop,
        .env = &r->env,
        .up = {.opened = opened, .frame = frame, .closed = closed, .arg = r},
        .listeners = &listener,
        .n_listeners = 1,
        .frame_bytes_max = FRAME_BYTES_MAX,
        .queued_bytes_max = 1,
        .idle_ms_max = -1,
        .partial_frame_ms_max = 30000,
        .send_stall_ms_max = 60000,
        .in_work_max = 5,
        .limits = {.conns_max = 100,
                   .conns_per_ip_max = INT32_MAX,
                   .conns_per_second_max = INT32_MAX},
        .backlog = 8,
        .send_buffer_bytes = -1,
        .receive_buffer_bytes = -1,
    };
    const int on = 1;
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    thread_mark(THREAD_CORE);
    diag_set_level(DIAG_ERROR);
    ASSERT(uv_loop_init(&r->loop) == 0);
    r->env.clock = clock_sim_new((struct wall){0});
    ASSERT(net_open(&o, &r->net, NULL) == 0);
    net_start(r->net);
    buf_init(&r->sent);
    sa.sin_port = htons((uint16_t)net_listener_port(r->net, 0));
    r->fd = socket(AF_INET, SOCK_STREAM, 0);
    ASSERT(r->fd >= 0);
    setsockopt(r->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    ASSERT(connect(r->fd, (struct sockaddr *)&sa, sizeof(sa)) == 0);
    while (!r->opened)
        pump(r, 1);
}

static void done(void *arg)
{
    struct run *r = arg;

    net_free(r->net);
    r->done = true;
}

static void close_run(struct run *r)
{
    const struct linger now = {.l_onoff = 1, .l_linger = 0};

    setsockopt(r->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)); /* no ports in TIME_WAIT */
    close(r->fd);
    net_close(r->net, done, r);
    uv_run(&r->loop, UV_RUN_DEFAULT);
    ASSERT(r->done);
    ASSERT(uv_loop_close(&r->loop) == 0);
    clock_sim_free(r->env.clock);
    buf_release(&r->sent);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct run *r = xcalloc(1, sizeof(*r));
    uint64_t n_sent;
    bool bad;

    open_run(r);
    for (size_t at = 0; at < n && r->conn;)
        at += step(r, data + at, n - at);
    n_sent = count_sent(&r->sent, &bad);
    for (int i = 0; i < PUMPS && r->conn && r->n_frames < n_sent; i++) {
        for (uint64_t k = 0; k < r->n_frames; k++)
            reply(r, k);
        pump(r, 2);
    }
    ASSERT(r->n_frames == n_sent);
    for (uint64_t k = 0; k < r->n_frames; k++)
        reply(r, k);
    for (int i = 0; i < PUMPS && bad && r->conn; i++)
        pump(r, 1);
    ASSERT(bad == !r->conn);
    for (int i = 0; i < PUMPS && r->conn && r->n_back < r->n_due; i++)
        pump(r, 1);
    ASSERT(IMPLIES(!bad, r->n_back == r->n_due));
    close_run(r);
    free(r);
    return 0;
}
