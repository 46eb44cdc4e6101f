/* Listeners: names to addresses, bind, accept.
 *
 * Owner: struct net, core thread.
 *
 * Happy path: listen_open (resolve, bind, listen: from here on the port is ours) -> listen_start ->
 *             acceptable -> accept4, limits, up.opened -> a connection.
 * Addresses:  "localhost" is both 127.0.0.1 and ::1, with one port; the empty host is every address
 *             of both kinds.
 * Failures:   at start one clear line. Later: over a limit the connection is accepted and closed;
 *             with no file left, a spare one is given up for a moment to do the same, because a
 *             connection that stays in the queue would wake the loop for ever.
 */
#include "net_impl.h"

#include "metrics.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <unistd.h>

#define PORT_TRIES 16 /* for a free port that two addresses can share */

static int bind_error(const struct net_listener *l, const char *host, int port, struct errmsg *msg)
{
    int e = errno;

    if (e == EADDRINUSE) {
        errmsg_set(msg, "listener %s: %s:%d is taken by another program", l->name, host, port);
        return E_INUSE;
    }
    if (e == EACCES) {
        errmsg_set(msg, "listener %s: %s:%d: permission denied%s", l->name, host, port,
                   port < 1024 ? " (ports below 1024 are for root)" : "");
        return E_ACCESS;
    }
    if (e == EADDRNOTAVAIL) {
        errmsg_set(msg, "listener %s: %s is not an address of this machine", l->name, host);
        return E_INVALID;
    }
    errmsg_set(msg, "listener %s: %s:%d: %s", l->name, host, port, strerror(e));
    return err_from_errno(e);
}

static void set_port(struct sockaddr_storage *sa, int port)
{
    if (sa->ss_family == AF_INET)
        ((struct sockaddr_in *)sa)->sin_port = htons((uint16_t)port);
    else
        ((struct sockaddr_in6 *)sa)->sin6_port = htons((uint16_t)port);
}

/* -1 with errno. Buffer sizes are set here: accepted sockets inherit them, window scale included.
 */
static int bind_socket(const struct net_options *o, struct sockaddr_storage *sa, bool dual)
{
    const int on = 1, v6_only = !dual;
    socklen_t n =
        sa->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    int fd = socket(sa->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (sa->ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof(v6_only));
    if (o->send_buffer_bytes > 0)
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &o->send_buffer_bytes, sizeof(int));
    if (o->receive_buffer_bytes > 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &o->receive_buffer_bytes, sizeof(int));
    if (bind(fd, (struct sockaddr *)sa, n) < 0 || listen(fd, o->backlog) < 0 ||
        getsockname(fd, (struct sockaddr *)sa, &n) < 0) {
        int e = errno;

        close(fd);
        errno = e;
        return -1;
    }
    return fd;
}

static void add_socket(struct net *n, int listener, int fd)
{
    struct socket_listener *s = xcalloc(1, sizeof(*s));

    s->magic = LISTENER_MAGIC;
    s->fd = fd;
    s->listener = listener;
    s->net = n;
    list_push(&n->sockets, &s->link);
    ASSERT(uv_poll_init(n->loop, &s->poll, fd) == 0);
    net_handle_opened(n, (uv_handle_t *)&s->poll, s);
}

static bool no_such_family(int e)
{
    return e == EAFNOSUPPORT || e == EADDRNOTAVAIL || e == EPROTONOSUPPORT;
}

/* 127.0.0.1 and ::1, one port; a machine without IPv6, or without IPv4, has the other. */
static int open_localhost(struct net *n, int listener, const struct net_listener *l,
                          struct errmsg *msg)
{
    for (int try = 1;; try++) {
        struct sockaddr_storage v4 = {.ss_family = AF_INET}, v6 = {.ss_family = AF_INET6};
        int fd4, fd6, port = l->port;

        ((struct sockaddr_in *)&v4)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        ((struct sockaddr_in6 *)&v6)->sin6_addr = in6addr_loopback;
        set_port(&v4, port);
        fd4 = bind_socket(&n->options, &v4, false);
        if (fd4 < 0 && !no_such_family(errno))
            return bind_error(l, "localhost", port, msg);
        if (fd4 >= 0)
            port = port_of(&v4);
        set_port(&v6, port);
        fd6 = bind_socket(&n->options, &v6, false);
        if (fd6 < 0 && (fd4 < 0 || !no_such_family(errno))) {
            if (fd4 >= 0) {
                int e = errno;

                close(fd4);
                errno = e;
                if (l->port == 0 && e == EADDRINUSE && try < PORT_TRIES)
                    continue;
            }
            return bind_error(l, "localhost", port, msg);
        }
        if (fd4 >= 0)
            add_socket(n, listener, fd4);
        if (fd6 >= 0)
            add_socket(n, listener, fd6);
        n->listener_ports[listener] = fd4 >= 0 ? port : port_of(&v6);
        return 0;
    }
}

/* Every address: one IPv6 socket that takes IPv4, too; IPv4 alone where there is no IPv6. */
static int open_all(struct net *n, int listener, const struct net_listener *l, struct errmsg *msg)
{
    struct sockaddr_storage sa = {.ss_family = AF_INET6};
    int fd;

    set_port(&sa, l->port);
    fd = bind_socket(&n->options, &sa, true);
    if (fd < 0 && no_such_family(errno)) {
        sa = (struct sockaddr_storage){.ss_family = AF_INET};
        set_port(&sa, l->port);
        fd = bind_socket(&n->options, &sa, false);
    }
    if (fd < 0)
        return bind_error(l, "every address", l->port, msg);
    add_socket(n, listener, fd);
    n->listener_ports[listener] = port_of(&sa);
    return 0;
}

/* The first address of the name that this machine has the family of. */
static int bind_first(struct net *n, const struct addrinfo *found, int port, bool dual,
                      struct sockaddr_storage *sa)
{
    int fd = -1;

    for (const struct addrinfo *a = found; a; a = a->ai_next) {
        *sa = (struct sockaddr_storage){0};
        ASSERT(a->ai_addrlen <= sizeof(*sa));
        memcpy(sa, a->ai_addr, a->ai_addrlen);
        set_port(sa, port);
        fd = bind_socket(&n->options, sa, dual);
        if (fd >= 0 || !no_such_family(errno))
            break;
    }
    return fd;
}

static int open_host(struct net *n, int listener, const struct net_listener *l, struct errmsg *msg)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct sockaddr_storage sa;
    struct addrinfo *found;
    char host[256];
    size_t len = strlen(l->host);
    bool bracketed = len > 2 && l->host[0] == '[' && l->host[len - 1] == ']';
    int rc, fd;

    snprintf(host, sizeof(host), "%.*s", (int)(bracketed ? len - 2 : len), l->host + bracketed);
    rc = getaddrinfo(host, NULL, &hints, &found);
    if (rc != 0) {
        errmsg_set(msg, "listener %s: host %s: %s", l->name, diag_escape(str_of(host)),
                   gai_strerror(rc));
        return E_INVALID;
    }
    fd = bind_first(n, found, l->port, strcmp(host, "::") == 0, &sa);
    rc = fd < 0 ? bind_error(l, host, l->port, msg) : 0;
    freeaddrinfo(found);
    if (rc < 0)
        return rc;
    add_socket(n, listener, fd);
    n->listener_ports[listener] = port_of(&sa);
    return 0;
}

int listen_open(struct net *n, int listener, const struct net_listener *l, struct errmsg *msg)
{
    ASSERT(l->port >= 0);
    ASSERT(l->port <= UINT16_MAX);
    if (l->host[0] == 0)
        return open_all(n, listener, l, msg);
    if (strcmp(l->host, "localhost") == 0)
        return open_localhost(n, listener, l, msg);
    return open_host(n, listener, l, msg);
}

/* What is not sent yet stays with us: it costs less there (a third of the processor time of large
 * fetches), and a slow reader holds no megabytes in the kernel. The window itself still grows as
 * the kernel sees fit. */
static void tune(int fd)
{
    static const struct {
        int level, name, value;
    } options[] = {
        {IPPROTO_TCP, TCP_NODELAY, 1},          {SOL_SOCKET, SO_KEEPALIVE, 1},
        {IPPROTO_TCP, TCP_KEEPIDLE, 60},        {IPPROTO_TCP, TCP_KEEPINTVL, 10},
        {IPPROTO_TCP, TCP_KEEPCNT, 3},          {IPPROTO_TCP, TCP_NOTSENT_LOWAT, 128 << 10},
        {IPPROTO_TCP, TCP_USER_TIMEOUT, 90000},
    };

    for (size_t i = 0; i < ARRAY_SIZE(options); i++)
        setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof(int));
}

static void describe(int fd, struct net_peer *peer)
{
    struct sockaddr_storage sa = {.ss_family = AF_INET};
    socklen_t n = sizeof(sa);
    struct ip local;

    getsockname(fd, (struct sockaddr *)&sa, &n); /* can not fail on a socket of ours */
    local = ip_of(&sa);
    if (ip_is_loopback(&local))
        snprintf(peer->local_host, sizeof(peer->local_host), "localhost");
    else
        ip_text(&local, peer->local_host, sizeof(peer->local_host));
    peer->local_port = port_of(&sa);
}

/* ---- so many in a second: who comes then waits in the backlog (ConnectionQuotas.waitForConnectionSlot) */

#define SECOND_NS 1000000000

static void listen_pause(struct net *n, int64_t until_ns)
{
    LIST_FOREACH(it, &n->sockets)
    {
        uv_poll_stop(&CONTAINER_OF(it, struct socket_listener, link)->poll);
    }
    timer_set(&n->timers, &n->accept_again, (struct mono){until_ns});
}

void listen_again(struct timer *t)
{
    listen_start(CONTAINER_OF(t, struct net, accept_again));
}

static void count_in_second(struct net *n, uint32_t max)
{
    int64_t now_ns = clock_mono(n->env->clock).ns;

    if (now_ns >= n->second_ns + SECOND_NS) {
        n->second_ns = now_ns;
        n->n_accepted = 0;
    }
    if (++n->n_accepted >= MAX(max, 1))
        listen_pause(n, n->second_ns + SECOND_NS);
}

/* Over a limit? Then the connection was counted nowhere. */
static bool refused(struct net *n, const struct ip *ip, const struct net_limits *limits,
                    const char *host)
{
    const char *limit = "max.connections.per.ip";
    uint32_t max = limits->conns_per_ip_max;

    if (ip_count_add(n, ip) > max) {
        ip_count_remove(n, ip);
    } else if (n->n_conns >= limits->conns_max) {
        limit = "the limit of connections";
        max = limits->conns_max;
        ip_count_remove(n, ip);
    } else {
        return false;
    }
    MARK(net_conn_refused);
    if (net_quiet_passes(n, &n->quiet_limit))
        diag_warn(
            "connection from %s refused: %s (%u) is reached (%u more since the last such line)",
            host, limit, max, n->quiet_limit.n_told);
    metric_add(n->env->metrics, M_connections_refused_total, 1);
    return true;
}

static void welcome(struct socket_listener *s, int fd, const struct sockaddr_storage *sa)
{
    struct net *n = s->net;
    struct net_peer peer = {.listener = s->listener, .peer_port = port_of(sa)};
    struct net_limits limits = n->options.limits;
    struct ip ip = ip_of(sa);
    struct net_conn *c;
    void *up;

    ip_text(&ip, peer.peer_host, sizeof(peer.peer_host));
    if (n->options.up.limits)
        n->options.up.limits(n->options.up.arg, peer.peer_host, &limits);
    limits.conns_max = MIN(limits.conns_max, n->conns_by_files);
    count_in_second(n, limits.conns_per_second_max);
    if (refused(n, &ip, &limits, peer.peer_host)) {
        close(fd);
        return;
    }
    tune(fd);
    describe(fd, &peer);
    c = conn_new(n, fd, &ip, peer.peer_port);
    metric_add(n->env->metrics, M_connections_total, 1);
    up = n->options.up.opened(n->options.up.arg, c, &peer);
    conn_serve(c, up);
}

/* No file is left: make room with the spare one, close what waits. Returns false when nothing
 * waits. */
static bool turn_away(struct net *n, int listen_fd)
{
    int fd;

    MARK(net_no_files);
    if (net_quiet_passes(n, &n->quiet_files))
        diag_warn("connections are refused: this process has as many files open as it may (%u "
                  "connections are open)",
                  n->n_conns);
    if (n->spare_fd >= 0)
        close(n->spare_fd);
    fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
        close(fd);
    n->spare_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    metric_add(n->env->metrics, M_connections_refused_total, fd >= 0);
    return fd >= 0;
}

static void acceptable(uv_poll_t *poll, int status, int events)
{
    struct socket_listener *s = CHECKED_CAST(poll->data, struct socket_listener, LISTENER_MAGIC);

    ASSERT_CORE();
    for (int i = 0; i < ACCEPTS_PER_TURN && !timer_armed(&s->net->accept_again); i++) {
        struct sockaddr_storage sa;
        socklen_t n = sizeof(sa);
        int fd = accept4(s->fd, (struct sockaddr *)&sa, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0)
            welcome(s, fd, &sa);
        else if (errno == EAGAIN)
            return;
        else if ((errno == EMFILE || errno == ENFILE) && !turn_away(s->net, s->fd))
            return;
        /* else: this one went away while it waited, or the like; the next may be fine */
    }
}

void listen_start(struct net *n)
{
    LIST_FOREACH(it, &n->sockets)
    {
        struct socket_listener *s = CONTAINER_OF(it, struct socket_listener, link);

        ASSERT(uv_poll_start(&s->poll, UV_READABLE, acceptable) == 0);
    }
}

static void socket_closed(uv_handle_t *h)
{
    struct socket_listener *s = CHECKED_CAST(h->data, struct socket_listener, LISTENER_MAGIC);
    struct net *n = s->net;

    s->magic = 0;
    free(s);
    net_handle_closed(n);
}

void listen_close(struct net *n)
{
    timer_cancel(&n->timers, &n->accept_again);
    LIST_FOREACH_SAFE(it, &n->sockets)
    {
        struct socket_listener *s = CONTAINER_OF(it, struct socket_listener, link);

        list_remove(&s->link);
        uv_close((uv_handle_t *)&s->poll, socket_closed);
        close(s->fd);
    }
    if (n->spare_fd >= 0)
        close(n->spare_fd);
    n->spare_fd = -1;
}
