/* The daemon: start, turns, stop.
 *
 * Owner: struct server, core thread, which runs the loop.
 *
 * Start:      ports are taken first, so that a second broker fails before it touches anything ->
 *             broker_start locks and recovers the data, for which the ports must be known ->
 *             net_start -> the ready file.
 * Stop:       SERVER_SERVING -> (SIGTERM, SIGINT) nothing is read any more, broker_stop ->
 *             SERVER_STOPPING, until the broker has stopped and all replies are sent, for which
 *             clients get REPLIES_MS -> SERVER_ENDING: net lets go of everything, the loop runs dry
 *             -> checkpoints and the mark of a clean stop.
 * Failures:   a failed start is one line and takes back what was opened. When the last log
 *             directory failed, the process ends with EXIT_CODE_STORAGE, and its next start
 *             recovers. A second signal kills.
 */
#include "serve.h"

#include "api.h"
#include "metrics.h"

#include <signal.h>

#define REPLIES_MS       5000  /* for clients to take their last replies */
#define STOP_MS          30000 /* for everything; then the stop is not clean */
#define PARTIAL_FRAME_MS 30000
#define SEND_STALL_MS    60000
#define IN_WORK_MAX      64
#define BACKLOG                                                                                    \
    1024 /* unless socket.listen.backlog.size is given: Kafka's 50 drops who comes in a crowd */

/* ---- stop ---------------------------------------------------------------------------------- */

static void net_gone(void *arg)
{
    struct server *s = CHECKED_CAST(arg, struct server, SERVER_MAGIC);

    net_free(s->net);
    s->net = NULL;
    uv_close((uv_handle_t *)&s->on_term, NULL);
    uv_close((uv_handle_t *)&s->on_int, NULL);
    uv_close((uv_handle_t *)&s->on_hup, NULL);
    uv_close((uv_handle_t *)&s->on_usr1, NULL);
}

static void end(struct server *s, int exit_code, bool clean)
{
    ASSERT(s->phase != SERVER_ENDING);
    s->phase = SERVER_ENDING;
    s->exit_code = exit_code;
    s->clean = clean;
    net_close(s->net, net_gone, s);
}

static void begin_stop(struct server *s, int exit_code)
{
    ASSERT(s->phase == SERVER_SERVING);
    s->phase = SERVER_STOPPING;
    s->exit_code = exit_code;
    s->stop_began = clock_mono(s->env.clock);
    net_stop_reading(s->net);
    api_hurry(s->broker);
    broker_stop(s->broker);
    net_wake(s->net);
}

static void stop(uv_signal_t *h, int number)
{
    struct server *s = CHECKED_CAST(h->data, struct server, SERVER_MAGIC);

    /* Without a handler the next one ends the process. */
    uv_signal_stop(&s->on_term);
    uv_signal_stop(&s->on_int);
    if (s->phase != SERVER_SERVING)
        return;
    diag_info("%s: stopping; once more ends at once", number == SIGINT ? "SIGINT" : "SIGTERM");
    begin_stop(s, EXIT_CODE_OK);
}

static void hangup(uv_signal_t *h, int number)
{
    diag_info("SIGHUP: settings are read at the start only");
}

static void show_metrics(uv_signal_t *h, int number)
{
    struct server *s = CHECKED_CAST(h->data, struct server, SERVER_MAGIC);
    struct buf text;

    if (s->phase != SERVER_SERVING)
        return;
    buf_init(&text);
    broker_print_metrics(s->broker, &text);
    fwrite(text.p, 1, text.n, stdout);
    fflush(stdout);
    buf_release(&text);
}

static int64_t stopping_ms(const struct server *s)
{
    return (clock_mono(s->env.clock).ns - s->stop_began.ns) / 1000000;
}

static void continue_stop(struct server *s)
{
    int64_t ms = stopping_ms(s);

    if (!broker_stopped(s->broker)) {
        if (ms < STOP_MS)
            return;
        diag_error("not everything could be finished within %d s; the next start recovers",
                   STOP_MS / 1000);
        end(s, EXIT_CODE_START, false);
    } else if (net_all_sent(s->net)) {
        end(s, s->exit_code, true);
    } else if (ms >= REPLIES_MS) {
        diag_warn("some clients did not take their last replies");
        end(s, s->exit_code, true);
    }
}

void server_turn(struct server *s)
{
    if (s->phase == SERVER_STARTING || s->phase == SERVER_ENDING)
        return;
    broker_turn(s->broker);
    if (s->broker->failed) {
        diag_error("no log directory is left: ending; what was acknowledged is on the disk");
        end(s, EXIT_CODE_STORAGE, false);
    } else if (s->phase == SERVER_STOPPING) {
        continue_stop(s);
    }
}

bool server_deadline(struct server *s, struct mono *at)
{
    struct mono limit;
    bool any;

    if (!s->broker || s->phase == SERVER_ENDING)
        return false;
    any = broker_next_deadline(s->broker, at);
    if (s->phase != SERVER_STOPPING)
        return any;
    limit = mono_after_ms(s->stop_began, stopping_ms(s) < REPLIES_MS ? REPLIES_MS : STOP_MS);
    if (!any || limit.ns < at->ns)
        *at = limit;
    return true;
}

/* ---- start --------------------------------------------------------------------------------- */

static void init_signal(struct server *s, uv_signal_t *h)
{
    ASSERT(uv_signal_init(&s->loop, h) == 0);
    h->data = s;
    uv_unref((uv_handle_t *)h);
}

/* Before the broker serves, a signal simply ends the process: that loses nothing, and a recovery
 * may be long. */
static void watch_signals(struct server *s)
{
    ASSERT(uv_signal_start(&s->on_term, stop, SIGTERM) == 0);
    ASSERT(uv_signal_start(&s->on_int, stop, SIGINT) == 0);
    ASSERT(uv_signal_start(&s->on_hup, hangup, SIGHUP) == 0);
    ASSERT(uv_signal_start(&s->on_usr1, show_metrics, SIGUSR1) == 0);
}

static uint32_t clamp_u32(int64_t v)
{
    return v < 0 ? 0 : (uint32_t)MIN(v, INT32_MAX);
}

/* Kafka's default of 100 KiB would end the kernel's own tuning: a third of the throughput of large
 * requests. */
static int buffer_bytes(const struct config *c, const char *name, int64_t value)
{
    if (!config_given_find(c, str_of(name)) || value <= 0)
        return -1;
    return (int)MIN(value, INT32_MAX);
}

static int backlog(const struct config *c)
{
    if (!config_given_find(c, STR("socket.listen.backlog.size")))
        return BACKLOG;
    return (int)clamp_u32(c->socket_listen_backlog_size);
}

static int open_net(struct server *s, struct errmsg *msg)
{
    const struct config *c = s->config;
    int n = c->n_parsed_listeners, rc;
    struct net_listener *listeners = xcalloc((size_t)n, sizeof(*listeners));
    struct net_options o = {
        .loop = &s->loop,
        .env = &s->env,
        .up = wire_up(s),
        .listeners = listeners,
        .n_listeners = n,
        .frame_bytes_max = (size_t)c->socket_request_max_bytes,
        .queued_bytes_max = (size_t)MAX(c->queued_max_request_bytes, 0),
        .idle_ms_max = c->connections_max_idle_ms,
        .partial_frame_ms_max = PARTIAL_FRAME_MS,
        .send_stall_ms_max = SEND_STALL_MS,
        .in_work_max = IN_WORK_MAX,
        .limits = {INT32_MAX, INT32_MAX, INT32_MAX}, /* wire_up.c knows what holds */
        .backlog = backlog(c),
        .send_buffer_bytes =
            buffer_bytes(c, "socket.send.buffer.bytes", c->socket_send_buffer_bytes),
        .receive_buffer_bytes =
            buffer_bytes(c, "socket.receive.buffer.bytes", c->socket_receive_buffer_bytes),
    };

    for (int i = 0; i < n; i++) {
        const struct config_listener *l = &c->parsed_listeners[i];

        listeners[i] = (struct net_listener){.name = l->name, .host = l->host, .port = l->port};
    }
    rc = net_open(&o, &s->net, msg);
    free(listeners);
    return rc;
}

/* The addresses that the broker registers in the metadata: those that clients are told, as far as
 * they are known. */
static int open_broker(struct server *s, struct errmsg *msg)
{
    int n = s->config->n_parsed_listeners, rc;
    struct meta_endpoint *endpoints = xcalloc((size_t)n, sizeof(*endpoints));
    struct broker_options o = {.config = s->config, .endpoints = endpoints, .n_endpoints = n};
    char hostname[256];

    if (sys_hostname(hostname, sizeof(hostname)) < 0)
        snprintf(hostname, sizeof(hostname), "localhost");
    for (int i = 0; i < n; i++) {
        const struct config_listener *l = &s->config->parsed_listeners[i];
        int port = net_listener_port(s->net, i);

        endpoints[i] = (struct meta_endpoint){
            .name = str_of(l->name),
            .host = str_of(l->advertised_host ? l->advertised_host : hostname),
            .port = l->advertised_host && l->advertised_port >= 0 ? l->advertised_port : port,
            .security_protocol = (int16_t)l->protocol};
    }
    rc = broker_start(&s->env, &o, &s->broker, msg);
    free(endpoints);
    return rc;
}

static void open_env(struct server *s, struct vfs *vfs)
{
    ASSERT(uv_loop_init(&s->loop) == 0);
    init_signal(s, &s->on_term);
    init_signal(s, &s->on_int);
    init_signal(s, &s->on_hup);
    init_signal(s, &s->on_usr1);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error of the write */
    s->env.vfs = vfs;
    s->env.clock = clock_real_new();
    s->env.lanes = lanes_uv_new(&s->loop);
    s->env.metrics = s->metrics = xcalloc(1, sizeof(*s->metrics));
    rng_init(&s->env.rng, sys_random_seed());
    timers_init(&s->env.timers);
}

static void close_env(struct server *s)
{
    timers_release(&s->env.timers);
    lanes_uv_free(s->env.lanes);
    clock_real_free(s->env.clock);
    free(s->metrics);
    ASSERT(uv_loop_close(&s->loop) == 0);
}

/* A ready file of another run must not speak for this one, nor this one's for the next. */
static void drop_ready_file(const struct server *s)
{
    if (s->args->ready_path)
        vfs_unlink(s->env.vfs, s->args->ready_path); /* mostly it is not there */
}

static int start(struct server *s, struct errmsg *msg)
{
    int rc;

    announce_start(s);
    rc = open_net(s, msg);
    if (rc < 0)
        return rc;
    drop_ready_file(s);
    rc = open_broker(s, msg);
    if (rc < 0)
        return rc;
    watch_signals(s);
    net_start(s->net);
    s->phase = SERVER_SERVING;
    announce_serving(s);
    rc = announce_ready_file(s, msg);
    if (rc < 0)
        begin_stop(s, EXIT_CODE_START);
    return rc;
}

int serve(const struct args *a, struct config *c, struct vfs *vfs, struct errmsg *msg)
{
    struct server s = {.magic = SERVER_MAGIC, .args = a, .config = c};
    bool served;
    int rc;

    thread_mark(THREAD_CORE);
    open_env(&s, vfs);
    s.started = clock_mono(s.env.clock);
    rc = start(&s, msg);
    served = s.phase != SERVER_STARTING;
    if (!served)
        s.exit_code = rc == E_LOCKED ? EXIT_CODE_LOCKED : EXIT_CODE_START;
    if (!served && s.net)
        end(&s, s.exit_code, false);
    else if (!served)
        net_gone(&s);
    uv_run(&s.loop, UV_RUN_DEFAULT);
    broker_free(s.broker, s.clean);
    if (served)
        drop_ready_file(&s);
    announce_end(&s);
    close_env(&s);
    s.magic = 0;
    return s.exit_code;
}
