/* The turn of the loop, and the life of it all.
 *
 * Owner: struct net, core thread, which runs the libuv loop.
 *
 *     poll:  sockets bring frames (receive.c), lanes' jobs end
 *     check: timers -> backlogs -> up.turn -> what is ready is sent (send.c) -> the alarm is set
 *
 * So replies of one turn leave together, after all that the turn brought was taken in. A turn that
 * is wanted although nothing happens (net_wake) comes through an idle handle, which keeps the poll
 * from waiting.
 *
 *     phase        | begins with       | legal in it
 *     NET_OPEN     | net_open          | net_start, net_close
 *     NET_SERVING  | net_start         | net_reply, net_conn_close, net_stop_reading, net_close
 *     NET_STOPPING | net_stop_reading  | net_reply, net_conn_close, net_close
 *     NET_CLOSED   | net_close         | nothing until its `done` has run, then net_free
 */
#include "net_impl.h"

#include <unistd.h>

#define FILES_WANTED   2000 /* connections that everyone may expect */
#define BUFFERS_ROOM   ((size_t)1 << 20)
#define HANDLES_OF_NET 4

bool net_quiet_passes(struct net *n, struct quiet *q)
{
    int64_t now_ns = clock_mono(n->env->clock).ns;

    if (now_ns < q->next_ns) {
        q->n_hidden++;
        return false;
    }
    q->next_ns = now_ns + QUIET_S * INT64_C(1000000000);
    q->n_told = q->n_hidden;
    q->n_hidden = 0;
    return true;
}

void net_handle_opened(struct net *n, uv_handle_t *h, void *data)
{
    h->data = data;
    n->n_handles++;
}

void net_handle_closed(struct net *n)
{
    ASSERT(n->n_handles > 0);
    n->n_handles--;
    if (n->n_handles == 0 && n->phase == NET_CLOSED && n->done)
        n->done(n->done_arg);
}

static void idle_done(uv_idle_t *h)
{
    /* That it is active is all: the poll does not wait. The check handle stops it. */
}

void net_wake(struct net *n)
{
    ASSERT_CORE();
    ASSERT(n->magic == NET_MAGIC);
    if (n->phase != NET_CLOSED)
        uv_idle_start(&n->idle, idle_done);
}

static void prepare_done(uv_prepare_t *h)
{
    struct net *n = CHECKED_CAST(h->data, struct net, NET_MAGIC);

    if (!list_empty(&n->dirty) || !list_empty(&n->resumed))
        net_wake(n);
}

static void alarm_done(uv_timer_t *h)
{
    struct net *n = CHECKED_CAST(h->data, struct net, NET_MAGIC);

    n->alarm_at.ns = INT64_MAX;
    net_wake(n);
}

/* When to turn at the latest: what comes first of our own timers and those of the up side. */
static bool next_deadline(struct net *n, struct mono *at)
{
    struct mono ours = {INT64_MAX}, theirs = {INT64_MAX};
    bool any = timers_next(&n->timers, &ours);

    if (n->options.up.deadline && n->options.up.deadline(n->options.up.arg, &theirs))
        any = true;
    at->ns = MIN(ours.ns, theirs.ns);
    return any;
}

static void set_alarm(struct net *n)
{
    struct mono at;

    if (!next_deadline(n, &at)) {
        uv_timer_stop(&n->alarm);
        n->alarm_at.ns = INT64_MAX;
    } else if (at.ns <= n->now.ns) {
        net_wake(n);
    } else if (at.ns != n->alarm_at.ns) {
        uint64_t ms = (uint64_t)(at.ns - n->now.ns + 999999) / 1000000;

        ASSERT(uv_timer_start(&n->alarm, alarm_done, ms, 0) == 0);
        n->alarm_at = at;
    }
}

static void resume_backlogs(struct net *n)
{
    struct list todo;

    list_move_all(&n->resumed, &todo);
    while (!list_empty(&todo)) {
        struct net_conn *c = CONTAINER_OF(todo.next, struct net_conn, resumed);

        ASSERT(c->magic == CONN_MAGIC);
        list_remove(&c->resumed);
        if (receive_backlog(c))
            conn_soon(c);
    }
}

static void send_dirty(struct net *n)
{
    struct list todo;

    list_move_all(&n->dirty, &todo);
    while (!list_empty(&todo)) {
        struct net_conn *c = CONTAINER_OF(todo.next, struct net_conn, dirty);

        ASSERT(c->magic == CONN_MAGIC);
        list_remove(&c->dirty);
        send_ready(c);
    }
}

/* Enough was released: all may be read again. */
static void end_pause(struct net *n)
{
    if (!n->paused || receive_over(n))
        return;
    n->paused = false;
    LIST_FOREACH(it, &n->conns)
    {
        conn_soon(CONTAINER_OF(it, struct net_conn, link));
    }
}

static void turn(uv_check_t *h)
{
    struct net *n = CHECKED_CAST(h->data, struct net, NET_MAGIC);

    ASSERT_CORE();
    uv_idle_stop(&n->idle);
    n->now = clock_mono(n->env->clock);
    timers_fire(&n->timers, n->now);
    resume_backlogs(n);
    if (n->options.up.turn)
        n->options.up.turn(n->options.up.arg);
    if (n->phase == NET_CLOSED) /* by the up side */
        return;
    send_dirty(n);
    end_pause(n);
    set_alarm(n);
}

/* Files are for the log, too: connections get three quarters of them. */
static void limit_by_files(struct net *n)
{
    uint64_t files = 1024, conns;
    int rc = sys_raise_file_limit(&files);

    conns = files / 4 * 3;
    if (rc < 0)
        diag_warn("the limit of open files could not be raised: %s", err_text(rc));
    if (conns < FILES_WANTED && n->options.limits.conns_max >= FILES_WANTED)
        diag_warn(
            "only %llu connections can be served, for this process may open no more than %llu "
            "files: see `ulimit -n`, or LimitNOFILE of systemd",
            (unsigned long long)conns, (unsigned long long)files);
    n->conns_by_files = (uint32_t)MIN(conns, INT32_MAX);
}

/* A limit below one frame would be a dead end; the half is what rounding up to a pool class may
 * cost. */
static size_t queued_bytes_max(const struct net_options *o)
{
    uint64_t limit = uv_get_constrained_memory(), memory = uv_get_total_memory();
    size_t least = o->frame_bytes_max / 2 * 3 + BUFFERS_ROOM;
    size_t wanted = o->queued_bytes_max;

    if (wanted == 0)
        wanted = (limit > 0 && limit < memory ? limit : memory) / 4;
    return MAX(wanted, least);
}

static void open_handles(struct net *n)
{
    ASSERT(uv_prepare_init(n->loop, &n->prepare) == 0);
    ASSERT(uv_check_init(n->loop, &n->check) == 0);
    ASSERT(uv_idle_init(n->loop, &n->idle) == 0);
    ASSERT(uv_timer_init(n->loop, &n->alarm) == 0);
    net_handle_opened(n, (uv_handle_t *)&n->prepare, n);
    net_handle_opened(n, (uv_handle_t *)&n->check, n);
    net_handle_opened(n, (uv_handle_t *)&n->idle, n);
    net_handle_opened(n, (uv_handle_t *)&n->alarm, n);
    ASSERT(n->n_handles == HANDLES_OF_NET);
}

static struct net *net_new(const struct net_options *o)
{
    struct net *n = xcalloc(1, sizeof(*n));

    n->magic = NET_MAGIC;
    n->options = *o;
    n->options.queued_bytes_max = queued_bytes_max(o);
    n->env = o->env;
    n->loop = o->loop;
    n->now = clock_mono(n->env->clock);
    n->alarm_at.ns = INT64_MAX;
    n->spare_fd = -1;
    n->listener_ports = xcalloc((size_t)o->n_listeners, sizeof(*n->listener_ports));
    n->pool = pool_new();
    list_init(&n->sockets);
    timer_init(&n->accept_again, listen_again);
    list_init(&n->conns);
    list_init(&n->dirty);
    list_init(&n->resumed);
    timers_init(&n->timers);
    sweep_init(n);
    limit_by_files(n);
    open_handles(n);
    return n;
}

static void free_when_closed(void *arg)
{
    net_free(arg);
}

int net_open(const struct net_options *o, struct net **out, struct errmsg *msg)
{
    struct net *n;
    int rc = 0;

    ASSERT_CORE();
    ASSERT(o->up.opened);
    ASSERT(o->up.frame);
    ASSERT(o->up.closed);
    ASSERT(o->n_listeners > 0);
    ASSERT(o->in_work_max > 0);
    n = net_new(o);
    for (int i = 0; i < o->n_listeners && rc == 0; i++)
        rc = listen_open(n, i, &o->listeners[i], msg);
    n->options.listeners = NULL; /* the caller's */
    if (rc < 0) {
        net_close(n, free_when_closed, n);
        n = NULL;
    }
    *out = n;
    return rc;
}

int net_listener_port(const struct net *n, int listener)
{
    ASSERT(listener >= 0);
    ASSERT(listener < n->options.n_listeners);
    return n->listener_ports[listener];
}

void net_start(struct net *n)
{
    ASSERT_CORE();
    ASSERT(n->phase == NET_OPEN);
    n->phase = NET_SERVING;
    n->spare_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT(uv_prepare_start(&n->prepare, prepare_done) == 0);
    ASSERT(uv_check_start(&n->check, turn) == 0);
    listen_start(n);
    net_wake(n);
}

void net_stop_reading(struct net *n)
{
    ASSERT_CORE();
    if (n->phase == NET_SERVING)
        n->phase = NET_STOPPING;
    listen_close(n);
    LIST_FOREACH(it, &n->conns)
    {
        conn_soon(CONTAINER_OF(it, struct net_conn, link));
    }
}

bool net_all_sent(const struct net *n)
{
    return n->n_unsent == 0;
}

static void net_let_go(uv_handle_t *h)
{
    net_handle_closed(CHECKED_CAST(h->data, struct net, NET_MAGIC));
}

void net_close(struct net *n, void (*done)(void *arg), void *arg)
{
    ASSERT_CORE();
    ASSERT(n->phase != NET_CLOSED);
    n->phase = NET_CLOSED;
    n->done = done;
    n->done_arg = arg;
    listen_close(n);
    LIST_FOREACH_SAFE(it, &n->conns)
    {
        conn_close(CONTAINER_OF(it, struct net_conn, link), DIAG_DEBUG, "the broker stops");
    }
    ASSERT(n->n_unsent == 0);
    uv_close((uv_handle_t *)&n->prepare, net_let_go);
    uv_close((uv_handle_t *)&n->check, net_let_go);
    uv_close((uv_handle_t *)&n->idle, net_let_go);
    uv_close((uv_handle_t *)&n->alarm, net_let_go);
}

void net_free(struct net *n)
{
    if (!n)
        return;
    ASSERT(n->magic == NET_MAGIC);
    ASSERT(n->phase == NET_CLOSED);
    ASSERT(n->n_handles == 0);
    ASSERT(n->n_conns == 0);
    ASSERT(!n->by_ip);
    timer_cancel(&n->timers, &n->sweep);
    timers_release(&n->timers);
    chunk_unref(n->scratch);
    pool_free(n->pool);
    free(n->listener_ports);
    n->magic = 0;
    free(n);
}
