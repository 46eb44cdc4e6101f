/* Sending: replies to bytes, in the order of frames.
 *
 * Owner: struct net_conn, core thread; runs at the end of a turn.
 *
 * Happy path: up to IOVS_MAX pieces of all replies that are next -> one sendmsg (MSG_MORE when a
 *             file range follows) -> sendfile -> ... -> what is sent is released -> nothing is
 *             left.
 * Invariant:  (frame_first, piece, piece_at) is the first byte that the socket has not taken.
 * Limits:     SEND_BYTES_PER_TURN, then the others have their turn; a full socket: go on when it is
 *             writable.
 * Failures:   the peer is gone, or a file gave fewer bytes than were promised: the connection ends,
 *             for its stream has a hole.
 */
#include "net_impl.h"

#include "metrics.h"

#include <errno.h>
#include <sys/sendfile.h>

#define COPY_FILE_BYTES ((size_t)256 << 10) /* at once, from a file without a descriptor */

enum sent { SENT_SOME = 0, SENT_BLOCKED, SENT_FAILED };

void send_release(struct net_conn *c)
{
    for (; c->frame_first < c->frame_next; c->frame_first++) {
        out_release(&conn_slot(c, c->frame_first)->out);
        ASSERT(c->net->n_unsent > 0);
        c->net->n_unsent--;
    }
    free(c->ring);
    c->ring = NULL;
    c->ring_cap = 0;
}

/* May the reply to this frame leave, as far as it is concerned? */
static bool may_send(struct net_conn *c, uint64_t frame)
{
    return frame < c->frame_next && frame < c->close_at && conn_slot(c, frame)->answered;
}

/* Drops what is wholly sent, empty replies too. */
static void pop_sent(struct net_conn *c)
{
    while (may_send(c, c->frame_first)) {
        struct slot *slot = conn_slot(c, c->frame_first);

        ASSERT(c->piece <= slot->out.n_pieces);
        if (c->piece < slot->out.n_pieces)
            return;
        out_release(&slot->out);
        c->piece = 0;
        c->frame_first++;
        ASSERT(c->net->n_unsent > 0);
        c->net->n_unsent--;
    }
}

static struct out_piece *next_piece(struct net_conn *c)
{
    return &conn_slot(c, c->frame_first)->out.pieces[c->piece];
}

static void advance(struct net_conn *c, size_t n)
{
    while (n > 0) {
        struct out_piece *piece = next_piece(c);
        size_t n_here = MIN(n, piece->n - c->piece_at);

        c->piece_at += n_here;
        n -= n_here;
        if (c->piece_at < piece->n)
            return;
        c->piece_at = 0;
        c->piece++;
        pop_sent(c);
    }
}

/* The run of chunk pieces that is next, over several replies. *more: a file range comes right
 * behind it. */
static int gather(struct net_conn *c, struct iovec *iov, bool *more)
{
    uint32_t piece = c->piece;
    size_t at = c->piece_at;
    int n_iov = 0;

    *more = false;
    for (uint64_t frame = c->frame_first; may_send(c, frame); frame++, piece = 0) {
        const struct out *out = &conn_slot(c, frame)->out;

        for (; piece < out->n_pieces; piece++, at = 0) {
            const struct out_piece *p = &out->pieces[piece];

            *more = p->kind == OUT_FILE;
            if (*more || n_iov == IOVS_MAX)
                return n_iov;
            iov[n_iov++] = (struct iovec){p->chunk->data + p->at + at, p->n - at};
        }
    }
    return n_iov;
}

static enum sent took(struct net_conn *c, ssize_t n)
{
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? SENT_BLOCKED : SENT_FAILED;
    advance(c, (size_t)n);
    c->blocked_ns = c->active_ns = c->net->now.ns;
    return SENT_SOME;
}

static enum sent send_iov(struct net_conn *c, struct iovec *iov, int n_iov, bool more, size_t *n)
{
    struct msghdr m = {.msg_iov = iov, .msg_iovlen = (size_t)n_iov};
    size_t asked = 0;
    ssize_t got;
    enum sent sent;

    for (int i = 0; i < n_iov; i++)
        asked += iov[i].iov_len;
    got = sendmsg(c->fd, &m, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
    sent = took(c, got);
    if (sent != SENT_SOME)
        return sent;
    *n += (size_t)got;
    return (size_t)got < asked ? SENT_BLOCKED : SENT_SOME;
}

/* A file without a descriptor (in memory): through a buffer. */
static enum sent send_copied(struct net_conn *c, struct out_piece *p, size_t *n)
{
    size_t n_part = MIN(p->n - c->piece_at, COPY_FILE_BYTES);
    struct chunk *part = pool_get(c->net->pool, n_part);
    struct iovec iov = {part->data, n_part};
    enum sent sent = SENT_FAILED;

    errno = EIO;
    if (file_pread_full(p->file, part->data, n_part, p->position + c->piece_at) == 0)
        sent = send_iov(c, &iov, 1, n_part < p->n - c->piece_at, n);
    chunk_unref(part);
    return sent;
}

static enum sent send_file(struct net_conn *c, size_t *n)
{
    struct out_piece *p = next_piece(c);
    int fd = file_fd(p->file);
    size_t asked = MIN(p->n - c->piece_at, SEND_BYTES_PER_TURN);
    off_t at = (off_t)(p->position + c->piece_at);
    ssize_t got;
    enum sent sent;

    ASSERT(p->kind == OUT_FILE);
    if (fd < 0)
        return send_copied(c, p, n);
    got = sendfile(c->fd, fd, &at, asked);
    if (got == 0) {
        MARK(net_file_too_short);
        errno = ENODATA;
        got = -1;
    }
    sent = took(c, got);
    if (sent != SENT_SOME)
        return sent;
    *n += (size_t)got;
    return (size_t)got < asked ? SENT_BLOCKED : SENT_SOME;
}

static enum sent send_next(struct net_conn *c, size_t *n)
{
    struct iovec iov[IOVS_MAX];
    bool more;
    int n_iov = gather(c, iov, &more);

    return n_iov > 0 ? send_iov(c, iov, n_iov, more, n) : send_file(c, n);
}

/* Below 90 % of in_work_max again, no longer muted: what waits may come. */
static void resume(struct net_conn *c)
{
    uint64_t max = c->net->options.in_work_max;

    if (c->full && conn_in_work(c) * UINT64_C(10) < max * 9)
        c->full = false;
    if (c->backlog && conn_may_read(c) && list_empty(&c->resumed))
        list_push(&c->net->resumed, &c->resumed);
    conn_poll(c);
}

static void fail(struct net_conn *c, int e)
{
    char why[100];

    if (e == EIO || e == ENODATA) {
        snprintf(why, sizeof(why), "its reply can not be read from the log: %s", strerror(e));
        conn_close(c, DIAG_WARN, why);
    } else {
        conn_close(c, DIAG_DEBUG, strerror(e));
    }
}

bool send_ready(struct net_conn *c)
{
    enum sent sent = SENT_SOME;
    size_t n = 0;

    pop_sent(c);
    while (!c->blocked && may_send(c, c->frame_first)) {
        sent = n < SEND_BYTES_PER_TURN ? send_next(c, &n) : SENT_BLOCKED;
        if (sent == SENT_FAILED)
            break;
        if (sent == SENT_BLOCKED && may_send(c, c->frame_first)) {
            c->blocked = true;
            c->blocked_ns = clock_mono(c->net->env->clock).ns;
        }
    }
    metric_add(c->net->env->metrics, M_bytes_sent_total, (int64_t)n);
    if (sent == SENT_FAILED) {
        fail(c, errno);
        return false;
    }
    if (c->frame_first >= c->close_at || (c->eof && conn_in_work(c) == 0)) {
        conn_close(c, DIAG_INFO, c->close_why);
        return false;
    }
    resume(c);
    return true;
}
