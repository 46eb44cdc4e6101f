/* A connection: its life, its frames in work, and what it waits for.
 *
 * Owner: struct net, core thread; freed in libuv's close callback.
 *
 *     conn_new -> up.opened -> conn_serve -> frames <-> replies -> conn_close -> up.closed -> freed
 *
 * Nothing ends a connection inside a call from above: net_conn_close only says before which frame
 * it shall end, and the end of the turn does it (send_ready). So a pointer that `opened` got is
 * good until `closed` is called.
 *
 * Invariant:  frame_first <= frame_next; the slots between them hold what is in work or not wholly
 *             sent. ring_cap is a power of two, or 0 before the first frame.
 */
#include "net_impl.h"

#include "metrics.h"

#include <unistd.h>

#define RING_SLOTS_FIRST 4

static void unmuted(struct timer *t)
{
    struct net_conn *c = CONTAINER_OF(t, struct net_conn, unmute);

    ASSERT(c->magic == CONN_MAGIC);
    c->muted = false;
    conn_soon(c);
}

struct net_conn *conn_new(struct net *n, int fd, const struct ip *ip, int port)
{
    struct net_conn *c = xcalloc(1, sizeof(*c));

    c->magic = CONN_MAGIC;
    c->fd = fd;
    c->net = n;
    c->peer_ip = *ip;
    c->peer_port = (uint16_t)port;
    c->close_at = UINT64_MAX;
    c->active_ns = clock_mono(n->env->clock).ns;
    timer_init(&c->unmute, unmuted);
    list_init(&c->dirty);
    list_init(&c->resumed);
    list_push(&n->conns, &c->link);
    n->n_conns++;
    metric_set(n->env->metrics, M_connections_open, n->n_conns);
    ASSERT(uv_poll_init(n->loop, &c->poll, fd) == 0);
    net_handle_opened(n, (uv_handle_t *)&c->poll, c);
    sweep_wanted(n);
    return c;
}

void conn_serve(struct net_conn *c, void *up)
{
    ASSERT(!c->up);
    c->up = up;
    if (up)
        conn_poll(c);
    else
        conn_close(c, DIAG_DEBUG, "it was not wanted");
}

uint32_t conn_in_work(const struct net_conn *c)
{
    ASSERT(c->frame_next - c->frame_first <= UINT32_MAX);
    return (uint32_t)(c->frame_next - c->frame_first);
}

bool conn_is_closing(const struct net_conn *c)
{
    return c->close_at != UINT64_MAX;
}

bool conn_may_read(struct net_conn *c)
{
    return !c->full && !c->muted && !c->eof && !conn_is_closing(c) &&
           c->net->phase == NET_SERVING && !receive_over(c->net);
}

static void ready(uv_poll_t *poll, int status, int events)
{
    struct net_conn *c = CHECKED_CAST(poll->data, struct net_conn, CONN_MAGIC);

    ASSERT_CORE();
    if (status < 0) {
        c->polled = 0; /* libuv has stopped it */
        conn_close(c, DIAG_DEBUG, "the peer reset it");
        return;
    }
    if (events & UV_WRITABLE) {
        c->blocked = false;
        conn_soon(c);
    }
    if (events & UV_PRIORITIZED)
        c->urgent = true;
    if ((events & UV_READABLE) && !receive_socket(c))
        return;
    if (list_empty(&c->dirty)) /* else at the end of the turn */
        conn_poll(c);
}

/* A connection that is not read from is still watched for its end: UV_PRIORITIZED alone reports
 * resets. */
void conn_poll(struct net_conn *c)
{
    int events = 0;

    if (!c->backlog && conn_may_read(c))
        events |= UV_READABLE;
    if (c->blocked)
        events |= UV_WRITABLE;
    if (!events && !c->urgent)
        events = UV_PRIORITIZED;
    if (events == c->polled)
        return;
    if (events)
        ASSERT(uv_poll_start(&c->poll, events, ready) == 0);
    else
        uv_poll_stop(&c->poll);
    /* Time in which we did not want to read is not held against a half received frame. */
    if ((events & ~c->polled & UV_READABLE) && c->partial_ns != 0) {
        c->partial_ns = clock_mono(c->net->env->clock).ns;
        c->partial_bytes = 0;
    }
    c->polled = events;
}

void conn_soon(struct net_conn *c)
{
    if (list_empty(&c->dirty))
        list_push(&c->net->dirty, &c->dirty);
}

static void let_go(uv_handle_t *h)
{
    struct net_conn *c = CHECKED_CAST(h->data, struct net_conn, CONN_MAGIC);
    struct net *n = c->net;

    c->magic = 0;
    free(c);
    net_handle_closed(n);
}

void conn_close(struct net_conn *c, enum diag_level level, const char *why)
{
    struct net *n = c->net;
    char host[INET6_ADDRSTRLEN];

    ASSERT(!uv_is_closing((uv_handle_t *)&c->poll));
    if (why) {
        ip_text(&c->peer_ip, host, sizeof(host));
        diag(level, "connection from %s:%u closed: %s", host, c->peer_port, why);
    }
    list_remove(&c->link);
    list_remove(&c->dirty);
    list_remove(&c->resumed);
    timer_cancel(&n->timers, &c->unmute);
    n->n_conns--;
    ip_count_remove(n, &c->peer_ip);
    metric_set(n->env->metrics, M_connections_open, n->n_conns);
    uv_close((uv_handle_t *)&c->poll, let_go);
    close(c->fd);
    c->fd = -1;
    if (c->up)
        n->options.up.closed(c->up);
    c->up = NULL;
    send_release(c);
    receive_release(c);
    free(c->close_why);
    c->close_why = NULL;
}

struct slot *conn_slot(struct net_conn *c, uint64_t frame)
{
    ASSERT(frame >= c->frame_first);
    ASSERT(frame < c->frame_next);
    return &c->ring[frame & (c->ring_cap - 1)];
}

static void grow_ring(struct net_conn *c)
{
    uint32_t cap = c->ring_cap ? c->ring_cap * 2 : RING_SLOTS_FIRST;
    struct slot *ring = xmalloc(cap * sizeof(*ring));

    for (uint64_t frame = c->frame_first; frame < c->frame_next; frame++)
        ring[frame & (cap - 1)] = *conn_slot(c, frame);
    free(c->ring);
    c->ring = ring;
    c->ring_cap = cap;
}

uint64_t conn_begin_frame(struct net_conn *c)
{
    uint64_t frame = c->frame_next;

    if (conn_in_work(c) == c->ring_cap)
        grow_ring(c);
    c->frame_next++;
    c->net->n_unsent++;
    *conn_slot(c, frame) = (struct slot){0};
    if (conn_in_work(c) >= c->net->options.in_work_max)
        c->full = true;
    return frame;
}

void net_reply(struct net_conn *c, uint64_t frame, struct out *out, int64_t mute_ms)
{
    struct net *n = c->net;
    struct slot *slot;

    ASSERT_CORE();
    ASSERT(c->magic == CONN_MAGIC);
    ASSERT(c->fd >= 0);
    slot = conn_slot(c, frame);
    ASSERT(!slot->answered);
    slot->answered = true;
    if (frame < c->close_at)
        out_move(out, &slot->out);
    else
        out_release(out);
    if (frame == c->frame_first && !c->blocked)
        conn_soon(c);
    if (mute_ms > 0) {
        c->muted = true;
        timer_set(&n->timers, &c->unmute, mono_after_ms(clock_mono(n->env->clock), mute_ms));
        conn_soon(c);
    }
}

void net_conn_close(struct net_conn *c, uint64_t frame, const char *why)
{
    ASSERT_CORE();
    ASSERT(c->magic == CONN_MAGIC);
    ASSERT(c->fd >= 0);
    conn_soon(c);
    if (frame >= c->close_at)
        return;
    c->close_at = frame;
    free(c->close_why);
    c->close_why = why ? xstrdup(why) : NULL;
}
