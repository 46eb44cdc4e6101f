/* A net with real sockets on loopback: see the header. */
#include "net_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

static void *opened(void *arg, struct net_conn *c, const struct net_peer *peer)
{
    struct fixture *fx = arg;
    struct up_conn *u;

    if (fx->refuse)
        return NULL;
    u = xcalloc(1, sizeof(*u));
    u->fx = fx;
    u->c = c;
    u->peer = *peer;
    assert_true(fx->n_conns < (int)ARRAY_SIZE(fx->conns));
    fx->conns[fx->n_conns++] = u;
    return u;
}

static void frame(void *conn, uint64_t number, struct chunk *chunk, uint8_t *body, size_t n)
{
    struct up_conn *u = conn;

    assert_false(u->closed);
    assert_true(body >= chunk->data);
    assert_true(body + n <= chunk->data + chunk->cap);
    assert_int_equal(number, u->n_frames);
    if (u->n_frames == u->frames_cap) {
        u->frames_cap = u->frames_cap ? u->frames_cap * 2 : 8;
        u->frames = xrealloc_array(u->frames, (size_t)u->frames_cap, sizeof(*u->frames));
    }
    u->frames[u->n_frames++] =
        (struct up_frame){.chunk = chunk_ref(chunk), .body = body, .n = n, .number = number};
}

static void closed(void *conn)
{
    struct up_conn *u = conn;

    assert_false(u->closed);
    u->closed = true;
    u->fx->n_closed++;
}

void up_forget(struct up_conn *u, int i)
{
    chunk_unref(u->frames[i].chunk);
    u->frames[i].chunk = NULL;
}

void up_reply(struct up_conn *u, int i, const void *p, size_t n)
{
    struct chunk *chunk = chunk_new(4 + n);
    struct out out;

    assert_true(i < u->n_frames);
    assert_false(u->frames[i].answered);
    u->frames[i].answered = true;
    put_be32(chunk->data, (uint32_t)n);
    memcpy(chunk->data + 4, p, n);
    out_init(&out);
    out_put_chunk(&out, chunk, 0, 4 + n);
    net_reply(u->c, u->frames[i].number, &out, 0);
}

void up_echo(struct up_conn *u, int i)
{
    up_reply(u, i, u->frames[i].body, u->frames[i].n);
    up_forget(u, i);
}

static void turn(void *arg)
{
    struct fixture *fx = arg;

    fx->n_turns++;
    if (!fx->echo)
        return;
    for (int i = 0; i < fx->n_conns; i++)
        for (int k = 0; k < fx->conns[i]->n_frames; k++)
            if (!fx->conns[i]->closed && !fx->conns[i]->frames[k].answered)
                up_echo(fx->conns[i], k);
}

static void keep_line(enum diag_level level, const char *text, void *arg)
{
    struct fixture *fx = arg;
    size_t n = strlen(fx->lines);

    fx->n_lines++;
    snprintf(fx->lines + n, sizeof(fx->lines) - n, "%s\n", text);
}

void fixture_init(struct fixture *fx)
{
    *fx = (struct fixture){0};
    thread_mark(THREAD_CORE);
    assert_int_equal(uv_loop_init(&fx->loop), 0);
    fx->clock = clock_sim_new((struct wall){1000000});
    clock_sim_advance(fx->clock, 1000000000);
    fx->env.clock = fx->clock;
    fx->env.metrics = &fx->metrics;
    fx->listener = (struct net_listener){.name = "PLAINTEXT", .host = "127.0.0.1", .port = 0};
    fx->options = (struct net_options){
        .loop = &fx->loop,
        .env = &fx->env,
        .up = {.opened = opened, .frame = frame, .closed = closed, .turn = turn, .arg = fx},
        .listeners = &fx->listener,
        .n_listeners = 1,
        .frame_bytes_max = 100 << 20,
        .idle_ms_max = 600000,
        .partial_frame_ms_max = 30000,
        .send_stall_ms_max = 60000,
        .in_work_max = 64,
        .limits = {.conns_max = INT32_MAX,
                   .conns_per_ip_max = INT32_MAX,
                   .conns_per_second_max = INT32_MAX},
        .backlog = 128,
        .send_buffer_bytes = -1,
        .receive_buffer_bytes = -1,
    };
    diag_set_sink(keep_line, fx);
}

void fixture_start(struct fixture *fx)
{
    struct errmsg msg = {0};
    int rc = net_open(&fx->options, &fx->net, &msg);

    if (rc < 0)
        fail_msg("net_open: %s", msg.text);
    fx->port = net_listener_port(fx->net, 0);
    assert_true(fx->port > 0);
    net_start(fx->net);
}

static void done(void *arg)
{
    struct fixture *fx = arg;

    net_free(fx->net);
    fx->net = NULL;
    fx->done = true;
}

void fixture_release(struct fixture *fx)
{
    if (fx->net) {
        net_close(fx->net, done, fx);
        uv_run(&fx->loop, UV_RUN_DEFAULT);
        assert_true(fx->done);
    }
    uv_run(&fx->loop, UV_RUN_DEFAULT);
    assert_int_equal(fx->n_closed, fx->n_conns);
    for (int i = 0; i < fx->n_conns; i++) {
        for (int k = 0; k < fx->conns[i]->n_frames; k++)
            chunk_unref(fx->conns[i]->frames[k].chunk);
        free(fx->conns[i]->frames);
        free(fx->conns[i]);
    }
    assert_int_equal(uv_loop_close(&fx->loop), 0);
    diag_set_sink(NULL, NULL);
    clock_sim_free(fx->clock);
}

void fixture_pump(struct fixture *fx)
{
    uv_run(&fx->loop, UV_RUN_NOWAIT);
}

void fixture_advance_ms(struct fixture *fx, int64_t ms)
{
    clock_sim_advance(fx->clock, ms * 1000000);
    net_wake(fx->net);
    fixture_pump(fx);
}

int client_connect_to(const char *host, int port)
{
    bool v6 = strchr(host, ':') != NULL;
    struct sockaddr_in6 sa6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), rc, on = 1;

    assert_true(fd >= 0);
    inet_pton(AF_INET, host, &sa.sin_addr);
    inet_pton(AF_INET6, host, &sa6.sin6_addr);
    rc = v6 ? connect(fd, (struct sockaddr *)&sa6, sizeof(sa6))
            : connect(fd, (struct sockaddr *)&sa, sizeof(sa));
    if (rc < 0) {
        close(fd);
        return -1;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return fd;
}

int client_connect(struct fixture *fx)
{
    int n_before = fx->n_conns;
    int fd = client_connect_to("127.0.0.1", fx->port);

    assert_true(fd >= 0);
    UNTIL(fx, fx->n_conns > n_before);
    return fd;
}

void client_send(struct fixture *fx, int fd, const void *p, size_t n)
{
    const uint8_t *at = p;

    while (n > 0) {
        ssize_t sent = send(fd, at, n, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (sent < 0) {
            assert_int_equal(errno, EAGAIN);
            fixture_pump(fx);
            continue;
        }
        at += sent;
        n -= (size_t)sent;
    }
}

size_t client_send_some(struct fixture *fx, int fd, const void *p, size_t n)
{
    size_t n_sent = 0;

    for (int stuck = 0; n_sent < n && stuck < 1000;) {
        ssize_t sent =
            send(fd, (const uint8_t *)p + n_sent, n - n_sent, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (sent > 0) {
            n_sent += (size_t)sent;
            stuck = 0;
        } else {
            assert_int_equal(errno, EAGAIN);
            stuck++;
        }
        fixture_pump(fx);
    }
    return n_sent;
}

void client_frame(struct fixture *fx, int fd, const void *body, size_t n)
{
    uint8_t *whole = xmalloc(4 + n);

    put_be32(whole, (uint32_t)n);
    if (n)
        memcpy(whole + 4, body, n);
    client_send(fx, fd, whole, 4 + n);
    free(whole);
}

void client_read(struct fixture *fx, int fd, void *p, size_t n)
{
    uint8_t *at = p;

    for (int tries = 0; n > 0; tries++) {
        ssize_t got = recv(fd, at, n, MSG_DONTWAIT);

        assert_true(tries < 1000000);
        assert_int_not_equal(got, 0);
        if (got < 0) {
            assert_int_equal(errno, EAGAIN);
            fixture_pump(fx);
            continue;
        }
        at += got;
        n -= (size_t)got;
    }
}

size_t client_drain(int fd)
{
    uint8_t sink[65536];
    size_t total = 0;
    ssize_t got;

    while ((got = recv(fd, sink, sizeof(sink), MSG_DONTWAIT)) > 0)
        total += (size_t)got;
    return total;
}

bool client_is_closed(int fd)
{
    uint8_t byte;
    ssize_t got;

    client_drain(fd);
    got = recv(fd, &byte, 1, MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno != EAGAIN);
}

uint8_t pattern(size_t seed, size_t i)
{
    return (uint8_t)(seed * 31 + i * 7 + (i >> 8) * 13);
}

uint8_t *pattern_new(size_t seed, size_t n)
{
    uint8_t *p = xmalloc(n + 1);

    for (size_t i = 0; i < n; i++)
        p[i] = pattern(seed, i);
    return p;
}

struct up_conn *up_last(struct fixture *fx)
{
    assert_true(fx->n_conns > 0);
    return fx->conns[fx->n_conns - 1];
}

void client_expect_echo(struct fixture *fx, int fd, size_t seed, size_t n)
{
    uint8_t *expected = pattern_new(seed, n), *got = xmalloc(n + 1), head[4];

    client_read(fx, fd, head, 4);
    assert_int_equal(get_be32(head), n);
    client_read(fx, fd, got, n);
    assert_memory_equal(got, expected, n);
    free(expected);
    free(got);
}
