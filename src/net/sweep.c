/* Once a second: who is idle, who sends a frame too slowly, who takes no replies, and which memory
 * is not needed.
 *
 * Owner: struct net, core thread. One timer for all connections, for none of these needs to be
 * punctual.
 *
 * What ends a connection: nothing in work and nothing received for idle_ms_max; a half received
 * frame that is partial_frame_ms_max old and came slower than PARTIAL_BYTES_PER_S; a socket that
 * took no byte for send_stall_ms_max. And when all bytes that may be held are held by half received
 * frames, so that no reply can ever free one: the one that holds most.
 */
#include "net_impl.h"

#define NS_PER_MS INT64_C(1000000)

static bool older(int64_t since_ns, int64_t now_ns, int64_t ms_max)
{
    return ms_max >= 0 && (now_ns - since_ns) / NS_PER_MS >= ms_max;
}

static bool is_idle(const struct net *n, const struct net_conn *c)
{
    return conn_in_work(c) == 0 && !c->rx && !c->n_head && !c->backlog && !c->muted &&
           older(c->active_ns, n->now.ns, n->options.idle_ms_max);
}

static bool is_trickling(const struct net *n, const struct net_conn *c)
{
    int64_t s = (n->now.ns - c->partial_ns) / (1000 * NS_PER_MS);

    return c->partial_ns != 0 && (c->polled & UV_READABLE) &&
           older(c->partial_ns, n->now.ns, n->options.partial_frame_ms_max) &&
           c->partial_bytes < (uint64_t)s * PARTIAL_BYTES_PER_S;
}

static bool is_stalled(const struct net *n, const struct net_conn *c)
{
    return c->blocked && older(c->blocked_ns, n->now.ns, n->options.send_stall_ms_max);
}

static void check_conn(struct net *n, struct net_conn *c)
{
    char why[120];

    if (is_idle(n, c)) {
        MARK(net_idle);
        conn_close(c, DIAG_DEBUG, "idle for connections.max.idle.ms");
    } else if (is_trickling(n, c)) {
        MARK(net_partial);
        snprintf(why, sizeof(why), "a request came too slowly, %llu bytes in %lld s",
                 (unsigned long long)c->partial_bytes,
                 (long long)((n->now.ns - c->partial_ns) / (1000 * NS_PER_MS)));
        conn_close(c, DIAG_INFO, why);
    } else if (is_stalled(n, c)) {
        MARK(net_stalled);
        snprintf(why, sizeof(why), "it took no byte of its replies for %lld s",
                 (long long)(n->options.send_stall_ms_max / 1000));
        conn_close(c, DIAG_INFO, why);
    }
}

static struct net_conn *holds_most(struct net *n)
{
    struct net_conn *most = NULL;

    LIST_FOREACH(it, &n->conns)
    {
        struct net_conn *c = CONTAINER_OF(it, struct net_conn, link);

        if (c->rx && (!most || c->rx->cap > most->rx->cap))
            most = c;
    }
    return most;
}

/* The way out of a dead end: requests that are half here hold all the memory there is. */
static void shed(struct net *n)
{
    struct net_conn *c;

    if (!receive_over(n) || n->n_unsent > 0) {
        n->n_stuck_sweeps = 0;
        return;
    }
    if (++n->n_stuck_sweeps < SHED_SWEEPS)
        return;
    c = holds_most(n);
    if (!c)
        return;
    MARK(net_shed);
    conn_close(c, DIAG_WARN,
               "the memory for requests (queued.max.request.bytes) is full of incomplete ones, and "
               "this is the largest");
}

static void spare_memory(struct net *n)
{
    if (++n->n_sweeps % TRIM_SWEEPS != 0)
        return;
    if (n->scratch && !n->scratch_used) {
        chunk_unref(n->scratch);
        n->scratch = NULL;
    }
    n->scratch_used = false;
    pool_trim(n->pool);
}

/* Without connections and memory of theirs nothing wakes the process up. */
static bool is_needed(const struct net *n)
{
    return n->n_conns > 0 || n->scratch || n->pool->n_held > 0 || n->pool->free_bytes > 0;
}

static void sweep(struct timer *t)
{
    struct net *n = CONTAINER_OF(t, struct net, sweep);

    ASSERT(n->magic == NET_MAGIC);
    LIST_FOREACH_SAFE(it, &n->conns)
    {
        check_conn(n, CONTAINER_OF(it, struct net_conn, link));
    }
    shed(n);
    spare_memory(n);
    if (is_needed(n))
        sweep_wanted(n);
}

void sweep_init(struct net *n)
{
    timer_init(&n->sweep, sweep);
}

void sweep_wanted(struct net *n)
{
    if (!timer_armed(&n->sweep))
        timer_set(&n->timers, &n->sweep, mono_after_ms(clock_mono(n->env->clock), SWEEP_MS));
}
