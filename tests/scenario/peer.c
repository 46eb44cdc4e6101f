/* Frames over a socket of the loopback interface. For looking at another broker by hand: the suite
 * does not come here.
 */
#include "peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PART_BYTES 65536

struct peer_conn {
    struct box_conn conn;
    int fd;
    struct buf in;
};

static struct peer_conn *peer_of(struct box_conn *c)
{
    return CONTAINER_OF(c, struct peer_conn, conn);
}

struct box_conn *peer_connect(int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct peer_conn *p = xcalloc(1, sizeof(*p));

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    list_init(&p->conn.replies);
    buf_init(&p->in);
    p->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (p->fd >= 0 && connect(p->fd, (struct sockaddr *)&to, sizeof(to)) == 0)
        return &p->conn;
    if (p->fd >= 0)
        close(p->fd);
    free(p);
    return NULL;
}

void peer_disconnect(struct box_conn *c)
{
    struct peer_conn *p = peer_of(c);

    LIST_FOREACH_SAFE(it, &c->replies)
    {
        struct box_reply *r = CONTAINER_OF(it, struct box_reply, link);

        buf_release(&r->bytes);
        free(r);
    }
    close(p->fd);
    buf_release(&p->in);
    free(p);
}

uint64_t peer_send_raw(struct box_conn *c, struct bytes body)
{
    struct peer_conn *p = peer_of(c);
    uint8_t length[4];

    put_be32(length, (uint32_t)body.n);
    if (send(p->fd, length, 4, MSG_NOSIGNAL) != 4 ||
        send(p->fd, body.p, body.n, MSG_NOSIGNAL) != (ssize_t)body.n)
        c->closed = true;
    return c->frame_next++;
}

/* Whole frames become replies: the correlation id is the frame's number. */
static void take_frames(struct peer_conn *p)
{
    size_t at = 0;

    while (p->in.n - at >= 8 && p->in.n - at - 4 >= get_be32(p->in.p + at)) {
        size_t n = 4 + get_be32(p->in.p + at);
        struct box_reply *r = xcalloc(1, sizeof(*r));

        r->frame = get_be32(p->in.p + at + 4);
        buf_init(&r->bytes);
        buf_put(&r->bytes, p->in.p + at, n);
        list_push(&p->conn.replies, &r->link);
        at += n;
    }
    memmove(p->in.p, p->in.p + at, p->in.n - at);
    p->in.n -= at;
}

bool peer_pump(struct box_conn *c, int wait_ms)
{
    struct peer_conn *p = peer_of(c);
    struct pollfd poll_fd = {.fd = p->fd, .events = POLLIN};
    ssize_t got;

    if (c->closed || poll(&poll_fd, 1, wait_ms) <= 0)
        return false;
    buf_reserve(&p->in, PART_BYTES);
    got = recv(p->fd, p->in.p + p->in.n, PART_BYTES, 0);
    if (got <= 0) {
        c->closed = true;
        return false;
    }
    p->in.n += (size_t)got;
    take_frames(p);
    return true;
}

int64_t peer_wall_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void peer_sleep_ms(int64_t ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    nanosleep(&t, NULL);
}
