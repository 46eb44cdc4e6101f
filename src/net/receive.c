/* Receiving: bytes to frames.
 *
 * Owner: struct net_conn, core thread.
 *
 *          one recv
 *     rx |====>| scratch |[len frame][len frame][len fra|      the tail begins the next rx
 *
 * Happy path: socket readable -> recvmsg into what is missing of the half received frame (rx), and
 *             behind it into the scratch chunk, which all connections share -> each whole frame
 *             goes up as a slice -> the tail is copied to an rx of its own. No byte of a large
 *             frame is copied: after one, only the head of the next is received into scratch. Small
 *             frames are copied out, because a long poll of 100 bytes must not hold 256 KiB.
 * Invariant:  rx is used alone; the bytes of a backlog come after those of `head` and before all
 *             that is still in the socket.
 * Limits:     an rx grows fourfold with what has arrived, never with what the length announces.
 *             What is held, by frames in work, too, is counted by the pool: above queued_bytes_max
 *             nothing is read, below 90 % it goes on.
 * Failures:   a length that can not be closes the connection, with one line.
 */
#include "net_impl.h"

#include "metrics.h"

#include <errno.h>

#define HEAD_BYTES 4

bool receive_over(struct net *n)
{
    size_t max = n->options.queued_bytes_max;

    if (n->pool->held_bytes > max) {
        MARK(net_too_much_held);
        n->over = true;
        n->paused = true;
    } else if (n->pool->held_bytes < max / 10 * 9) {
        n->over = false;
    }
    return n->over;
}

void receive_release(struct net_conn *c)
{
    chunk_unref(c->rx);
    c->rx = NULL;
    chunk_unref(c->backlog);
    c->backlog = NULL;
    c->n_head = 0;
    c->partial_ns = 0;
}

static void deliver(struct net_conn *c, struct chunk *chunk, uint8_t *body, size_t n)
{
    uint64_t frame = conn_begin_frame(c);

    c->big_frames = n >= BIG_FRAME_BYTES;
    c->net->options.up.frame(c->up, frame, chunk, body, n);
}

/* Large slices share the scratch chunk; a small frame gets a chunk of its own. */
static void deliver_slice(struct net_conn *c, struct chunk *chunk, uint8_t *body, size_t n)
{
    struct chunk *own;

    if (n > COPY_BYTES_MAX) {
        deliver(c, chunk, body, n);
        return;
    }
    own = pool_get(c->net->pool, n);
    memcpy(own->data, body, n);
    deliver(c, own, own->data, n);
    chunk_unref(own);
}

/* What a length that can not be looks like. */
static const char *guess(const uint8_t *head)
{
    static const struct {
        char head[5];
        const char *text;
    } known[] = {
        {"GET ", "; this looks like HTTP"},
        {"POST", "; this looks like HTTP"},
        {"HEAD", "; this looks like HTTP"},
        {"PUT ", "; this looks like HTTP"},
        {"\x16\x03\x01\x00", "; this looks like TLS"},
        {"\x16\x03\x01\x01", "; this looks like TLS"},
        {"\x16\x03\x01\x02", "; this looks like TLS"},
        {"\x16\x03\x01\x05", "; this looks like TLS"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if (memcmp(head, known[i].head, HEAD_BYTES) == 0)
            return known[i].text;
    return "";
}

static bool length_is_good(struct net_conn *c, const uint8_t *head)
{
    int32_t n = (int32_t)get_be32(head);
    char why[160];

    if (n >= 0 && (size_t)n <= c->net->options.frame_bytes_max)
        return true;
    MARK(net_bad_length);
    if (n < 0)
        snprintf(why, sizeof(why), "a request of negative size (%d)%s", n, guess(head));
    else
        snprintf(why, sizeof(why),
                 "a request of %d bytes is larger than socket.request.max.bytes (%zu)%s", n,
                 c->net->options.frame_bytes_max, guess(head));
    metric_add(c->net->env->metrics, M_requests_malformed_total, 1);
    conn_close(c, DIAG_INFO, why);
    return false;
}

static void begin_partial(struct net_conn *c, size_t have)
{
    c->partial_ns = MAX(clock_mono(c->net->env->clock).ns, 1);
    c->partial_bytes = have;
}

/* Memory for a frame of `total` bytes, of which `have` are here. */
static struct chunk *chunk_for(struct net *n, size_t total, size_t have)
{
    if (total <= WHOLE_BYTES_MAX || pool_has(n->pool, total))
        return pool_get(n->pool, total);
    return pool_get(n->pool, MIN(total, MAX(WHOLE_BYTES_MAX, have * 4)));
}

static void begin_rx(struct net_conn *c, size_t total, const uint8_t *p, size_t have)
{
    ASSERT(!c->rx);
    ASSERT(have < total);
    c->rx = chunk_for(c->net, total, have);
    c->rx_total = total;
    c->rx_have = have;
    if (have)
        memcpy(c->rx->data, p, have);
    if (c->partial_ns == 0)
        begin_partial(c, have);
}

/* Keeps the slice for later: more may not be handed up now. */
static void keep_backlog(struct net_conn *c, struct chunk *chunk, size_t at, size_t end)
{
    ASSERT(!c->backlog);
    MARK(net_backlog);
    c->backlog = chunk_ref(chunk);
    c->backlog_at = at;
    c->backlog_end = end;
}

/* Hands up the frames in chunk->data[at, end); keeps what is left. False: the connection is closed.
 */
static bool feed(struct net_conn *c, struct chunk *chunk, size_t at, size_t end)
{
    ASSERT(!c->rx);
    while (at < end) {
        uint8_t *p = chunk->data + at;
        size_t have = end - at, total;
        int n_add = (int)MIN((size_t)(HEAD_BYTES - c->n_head), have);

        if (!conn_may_read(c)) {
            keep_backlog(c, chunk, at, end);
            return true;
        }
        memcpy(c->head + c->n_head, p, (size_t)n_add);
        c->n_head += (uint8_t)n_add;
        at += (size_t)n_add;
        if (c->n_head < HEAD_BYTES) {
            if (c->partial_ns == 0)
                begin_partial(c, have);
            return true;
        }
        if (!length_is_good(c, c->head))
            return false;
        c->n_head = 0;
        total = get_be32(c->head);
        have = end - at;
        if (have < total) {
            begin_rx(c, total, chunk->data + at, have);
            return true;
        }
        c->partial_ns = 0;
        deliver_slice(c, chunk, chunk->data + at, total);
        at += total;
    }
    return true;
}

bool receive_backlog(struct net_conn *c)
{
    struct chunk *chunk = c->backlog;
    bool alive;

    if (!chunk || !conn_may_read(c))
        return true;
    c->backlog = NULL;
    alive = feed(c, chunk, c->backlog_at, c->backlog_end);
    chunk_unref(chunk);
    return alive;
}

/* Room in the scratch chunk: the same bytes again when nobody refers to them any more. */
static size_t scratch_room(struct net *n)
{
    if (n->scratch && n->scratch->refs == 1)
        n->scratch_at = 0;
    if (n->scratch && n->scratch->cap - n->scratch_at < SCRATCH_BYTES / 4) {
        chunk_unref(n->scratch);
        n->scratch = NULL;
    }
    if (!n->scratch) {
        n->scratch = pool_get(n->pool, SCRATCH_BYTES);
        n->scratch_at = 0;
    }
    n->scratch_used = true;
    return n->scratch->cap - n->scratch_at;
}

/* The rx is full but not whole: more has arrived, so more is given. */
static void grow_rx(struct net_conn *c)
{
    ASSERT(c->rx_have == c->rx->cap);
    c->rx = pool_grow(c->net->pool, c->rx, c->rx_have, MIN(c->rx_total, c->rx_have * 4));
}

/* Where the next recv shall put its bytes: the missing part of rx and then, unless much is missing,
 * scratch. */
static int plan(struct net_conn *c, struct iovec iov[2])
{
    struct net *n = c->net;
    int n_iov = 0;

    if (c->rx) {
        size_t cap;

        if (c->rx_have == c->rx->cap)
            grow_rx(c);
        cap = MIN(c->rx->cap, c->rx_total);
        iov[n_iov++] = (struct iovec){c->rx->data + c->rx_have, cap - c->rx_have};
        if (cap < c->rx_total || c->rx_total >= BIG_FRAME_BYTES)
            return n_iov;
    }
    iov[n_iov].iov_len = scratch_room(n);
    iov[n_iov].iov_base = n->scratch->data + n->scratch_at;
    if (c->big_frames && !c->rx)
        iov[n_iov].iov_len = MIN(iov[n_iov].iov_len, HEAD_BYTES + COPY_BYTES_MAX);
    return n_iov + 1;
}

static ssize_t receive(int fd, struct iovec *iov, int n_iov)
{
    struct msghdr m = {.msg_iov = iov, .msg_iovlen = (size_t)n_iov};
    ssize_t got;

    do
        got = n_iov == 1 ? recv(fd, iov->iov_base, iov->iov_len, 0) : recvmsg(fd, &m, 0);
    while (got < 0 && errno == EINTR);
    return got;
}

/* got bytes came in as planned. False: the connection is closed. */
static bool received(struct net_conn *c, size_t got)
{
    struct net *n = c->net;
    size_t at;

    c->partial_bytes += got;
    if (c->rx) {
        size_t n_rx = MIN(got, MIN(c->rx->cap, c->rx_total) - c->rx_have);

        c->rx_have += n_rx;
        got -= n_rx;
        if (c->rx_have == c->rx_total) {
            struct chunk *whole = c->rx;

            c->rx = NULL;
            c->partial_ns = 0;
            deliver(c, whole, whole->data, c->rx_total);
            chunk_unref(whole);
        }
    }
    if (got == 0)
        return true;
    at = n->scratch_at;
    n->scratch_at += got;
    return feed(c, n->scratch, at, n->scratch_at);
}

/* The peer is done: what is in work is still answered. */
static void ended(struct net_conn *c)
{
    char why[100];

    c->eof = true;
    conn_soon(c);
    if (!c->rx && !c->n_head)
        return;
    MARK(net_truncated_frame);
    if (c->rx)
        snprintf(why, sizeof(why), "the peer ended after %zu of the %zu bytes of a request",
                 c->rx_have, c->rx_total);
    else
        snprintf(why, sizeof(why), "the peer ended after %d bytes of a request", c->n_head);
    net_conn_close(c, c->frame_next, why);
    receive_release(c);
}

bool receive_socket(struct net_conn *c)
{
    size_t budget = READ_BYTES_PER_TURN, total = 0;
    bool alive = true;

    while (budget > 0 && !c->backlog && conn_may_read(c)) {
        struct iovec iov[2];
        int n_iov = plan(c, iov);
        size_t asked = iov[0].iov_len + (n_iov > 1 ? iov[1].iov_len : 0);
        ssize_t got = receive(c->fd, iov, n_iov);

        if (got < 0 && errno == EAGAIN)
            break;
        if (got < 0) {
            conn_close(c, DIAG_DEBUG, strerror(errno));
            alive = false;
            break;
        }
        if (got == 0) {
            ended(c);
            break;
        }
        total += (size_t)got;
        budget -= MIN(budget, (size_t)got);
        alive = received(c, (size_t)got);
        if (!alive || (size_t)got < asked)
            break;
    }
    metric_add(c->net->env->metrics, M_bytes_received_total, (int64_t)total);
    if (alive && total > 0)
        c->active_ns = c->net->now.ns;
    return alive;
}
