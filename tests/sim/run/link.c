/* Connections of clients, and the requests on them.
 *
 * Owner: a link is who opened it; its calls are the link's.
 *
 * Happy path: link_send -> api_frame -> (turns) reply -> the network's delay -> links_deliver -> done.
 * Invariant:  `done` runs exactly once per call, never from inside link_send.
 * Failures:   the connection is lost instead of a reply, or closed by the broker, or by the client,
 *             or the process ends: done(NULL), and nobody knows what the broker did.
 */
#include "world.h"

#define MINUTE_MS 60000

static void on_reply(void *carrier, uint64_t frame, struct out *out, int64_t mute_ms);
static void on_close(void *carrier, uint64_t frame, const char *why);
const struct api_transport link_transport = {on_reply, on_close};

static struct call *find_call(struct link *l, uint64_t frame)
{
    LIST_FOREACH(it, &l->calls)
    {
        struct call *c = CONTAINER_OF(it, struct call, item);

        if (c->frame == frame)
            return c;
    }
    return NULL;
}

static void on_reply(void *carrier, uint64_t frame, struct out *out, int64_t mute_ms)
{
    struct link *l = carrier;
    struct world *w = l->w;
    struct call *c = find_call(l, frame);
    int rc = 0;

    if (host_is_dead(w)) {
        out_release(out);
        return;
    }
    if (!c || c->replied)
        world_wrong(w, "a reply to frame %llu, which waits for none", (unsigned long long)frame);
    if (out->total_bytes)
        rc = out_read(out, buf_grow(&c->bytes, out->total_bytes));
    out_release(out);
    if (rc < 0) { /* as net does when sendfile fails */
        if (!world_faulty(w))
            world_wrong(w, "a reply to API key %d could not be read: %s", c->key, err_name(rc));
        l->closed = true;
        return;
    }
    c->replied = true;
    c->arrives_ns = world_now(w) + world_spread_ns(w, w->options.network_ns);
}

static void on_close(void *carrier, uint64_t frame, const char *why)
{
    struct link *l = carrier;

    if (!host_is_dead(l->w))
        world_event(l->w, "closed by the broker: %s", why ? why : "-");
    if (why && !host_is_dead(l->w) && !world_faulty(l->w))
        world_wrong(l->w, "the broker closed a connection: %s", why);
    l->closed = true;
}

struct link *link_open(struct world *w)
{
    static const struct api_peer peer = {.listener = "PLAINTEXT",
                                         .peer_host = "127.0.0.1",
                                         .peer_port = 40000,
                                         .local_host = "localhost",
                                         .local_port = 9092};
    struct link *l = xcalloc(1, sizeof(*l));

    ASSERT(w->host.broker);
    l->w = w;
    list_init(&l->calls);
    list_push(&w->links, &l->item);
    l->api = api_opened(w->host.broker, &link_transport, l, &peer);
    return l;
}

static void call_end(struct call *c, const void *reply)
{
    list_remove(&c->item);
    c->done(c, reply);
    buf_release(&c->bytes);
    free(c);
}

void link_close(struct link *l)
{
    struct list *it;

    api_closed(l->api);
    while ((it = list_first(&l->calls)))
        call_end(CONTAINER_OF(it, struct call, item), NULL);
    list_remove(&l->item);
    free(l);
}

struct call *link_send(struct link *l, int16_t key, int16_t version, const void *request,
                       void (*done)(struct call *, const void *), void *arg)
{
    const struct wire_api *api = wire_api_find(key);
    struct call *c = xcalloc(1, sizeof(*c));
    struct wire_writer writer;
    struct chunk *chunk;
    struct buf body;

    *c = (struct call){.link = l, .frame = l->frame_next++, .key = key, .version = version};
    c->sent_ns = world_now(l->w);
    c->limit_ms = MINUTE_MS;
    c->done = done;
    c->arg = arg;
    c->lost = rng_below(&l->w->rng, 1000000) < l->w->options.drop_per_million;
    buf_init(&c->bytes);
    list_push(&l->calls, &c->item);
    buf_init(&body);
    wire_writer_init(&writer, &body);
    wire_put_int16(&writer, key);
    wire_put_int16(&writer, version);
    wire_put_int32(&writer, (int32_t)c->frame);
    wire_put_str(&writer, STR("sim"), false);
    if (version >= api->request.flexible_from)
        wire_put_uvarint(&writer, 0);
    api->request.encode(request, &writer, version);
    chunk = chunk_new(body.n);
    memcpy(chunk->data, body.p, body.n);
    api_frame(l->api, c->frame, chunk, chunk->data, body.n);
    chunk_unref(chunk);
    wire_writer_release(&writer);
    buf_release(&body);
    host_wake(l->w);
    return c;
}

/* ---- replies that arrive ----------------------------------------------------------------------------- */

/* The call whose reply arrives first. On one connection replies come in the order of requests. */
static struct call *next_call(const struct world *w)
{
    struct call *best = NULL;

    LIST_FOREACH(it, &w->links)
    {
        struct link *l = CONTAINER_OF(it, struct link, item);
        struct list *first = list_first(&l->calls);
        struct call *c = first ? CONTAINER_OF(first, struct call, item) : NULL;

        if (c && c->replied && (!best || c->arrives_ns < best->arrives_ns))
            best = c;
    }
    return best;
}

int64_t links_next(const struct world *w)
{
    const struct call *c = next_call(w);

    return c ? c->arrives_ns : INT64_MAX;
}

static void decode(struct call *c)
{
    const struct wire_api *api = wire_api_find(c->key);
    struct world *w = c->link->w;
    struct wire_reader reader;
    struct arena arena;
    void *reply;
    uint32_t sum = 2166136261u;

    for (size_t i = 0; i < c->bytes.n; i++)
        sum = (sum ^ c->bytes.p[i]) * 16777619u;
    world_event(w, "%s replied, %zu bytes, %08x", api->name, c->bytes.n, sum);
    if (c->bytes.n < 8 || get_be32(c->bytes.p) != c->bytes.n - 4)
        world_wrong(w, "a frame of %zu bytes that says otherwise", c->bytes.n);
    arena_init(&arena);
    wire_reader_init(&reader, (struct bytes){c->bytes.p + 4, c->bytes.n - 4}, &arena);
    if (wire_get_int32(&reader) != (int32_t)c->frame)
        world_wrong(w, "%s: another correlation id", api->name);
    if (c->version >= api->response.flexible_from && c->key != 18)
        wire_skip_tags(&reader);
    reply = arena_alloc(&arena, api->response.struct_bytes);
    if (api->response.decode(reply, &reader, c->version) < 0 || reader.at != reader.end)
        world_wrong(w, "%s v%d: the reply cannot be decoded", api->name, c->version);
    call_end(c, reply);
    arena_release(&arena);
}

static void lose_link(struct link *l)
{
    struct world *w = l->w;

    world_event(w, "a connection is lost");
    for (int i = 0; i < w->n_actors; i++)
        if (w->actors[i]->link == l)
            w->actors[i]->link = NULL;
    link_close(l);
    host_wake(w);
}

bool links_deliver(struct world *w)
{
    struct call *c = next_call(w);

    if (!c || c->arrives_ns > world_now(w))
        return false;
    if (c->lost)
        lose_link(c->link);
    else
        decode(c);
    return true;
}

void links_check(struct world *w)
{
    LIST_FOREACH(it, &w->links)
    {
        struct link *l = CONTAINER_OF(it, struct link, item);

        LIST_FOREACH(at, &l->calls)
        {
            struct call *c = CONTAINER_OF(at, struct call, item);
            int64_t limit_ns =
                MAX(c->sent_ns, MIN(w->faults_until_ns, world_now(w))) + c->limit_ms * NS_PER_MS;

            if (!c->replied && !l->closed && !world_faulty(w) && world_now(w) > limit_ns)
                world_wrong(w, "API key %d was not answered in %lld ms", c->key,
                            (long long)((world_now(w) - c->sent_ns) / NS_PER_MS));
        }
    }
}

/* The process is gone. What it sent before may still arrive. */
void links_close_all(struct world *w)
{
    struct list *it;

    for (int i = 0; i < w->n_actors; i++)
        w->actors[i]->link = NULL;
    while ((it = list_first(&w->links))) {
        struct link *l = CONTAINER_OF(it, struct link, item);

        struct list *first;

        while ((first = list_first(&l->calls)) && world_chance(w, 800)) {
            struct call *c = CONTAINER_OF(first, struct call, item);

            if (!c->replied || c->lost)
                break;
            decode(c);
        }
        link_close(l);
    }
}
