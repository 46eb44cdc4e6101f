/* Named clients: a connection each, made when it is first used and again after it was closed.
 *
 * Owner: struct client, the stage's list; the connection is the box's.
 *
 * Requests are sent at once and the broker is turned, with the clock standing. A request that is
 * not answered then waits, and its answer is output of whatever command it comes under.
 */
#include "stage.h"
#include "peer.h"
#include "text.h"

#define TURNS          20
#define PEER_WAIT_MS   400 /* a reply that is not there by then waits */
#define PEER_OTHERS_MS 30
#define LINE_WIDTH     96

struct pending {
    struct list link;
    uint64_t frame;
    const struct wire_api *api;
    int16_t version;
};
struct client {
    struct list link;
    char *name;
    struct box_conn *conn;
    struct list pending;
};

/* ---- connections ------------------------------------------------------------------------------ */

static void disconnect(struct stage *s, struct client *c)
{
    if (s->peer_port)
        peer_disconnect(c->conn);
    else
        box_disconnect(c->conn);
}

static void forget(struct client *c)
{
    LIST_FOREACH_SAFE(it, &c->pending)
    {
        list_remove(it);
        free(CONTAINER_OF(it, struct pending, link));
    }
    list_remove(&c->link);
    free(c->name);
    free(c);
}

static struct client *find(struct stage *s, struct str name)
{
    LIST_FOREACH(it, &s->clients)
    {
        struct client *c = CONTAINER_OF(it, struct client, link);

        if (str_is(name, c->name))
            return c;
    }
    return NULL;
}

static struct client *find_or_connect(struct stage *s, struct str name)
{
    struct client *c = find(s, name);

    if (c)
        return c;
    c = xcalloc(1, sizeof(*c));
    c->name = str_dup(name);
    c->conn = s->peer_port ? peer_connect(s->peer_port) : box_connect(&s->box);
    ASSERT(c->conn);
    list_init(&c->pending);
    list_push(&s->clients, &c->link);
    return c;
}

void clients_disconnect(struct stage *s, const char *name)
{
    struct client *c = find(s, str_of(name));

    if (!c) {
        stage_error(s, "no such client");
        return;
    }
    disconnect(s, c);
    forget(c);
    clients_settle(s);
}

void clients_forget(struct stage *s)
{
    LIST_FOREACH_SAFE(it, &s->clients)
    {
        struct client *c = CONTAINER_OF(it, struct client, link);

        if (s->peer_port)
            peer_disconnect(c->conn);
        forget(c);
    }
}

/* ---- replies ---------------------------------------------------------------------------------- */

/* An unknown version of ApiVersions is answered in version 0 (KIP-511). */
static void *decode(const struct pending *p, struct bytes body, struct arena *arena,
                    int16_t *version)
{
    void *m = arena_alloc(arena, p->api->response.struct_bytes);
    int16_t tries[] = {p->version, 0};

    for (size_t i = 0; i < (p->api->key == 18 ? 2 : 1); i++) {
        struct wire_reader r;

        *version = tries[i];
        wire_reader_init(&r, body, arena);
        if (wire_get_int32(&r) != (int32_t)p->frame)
            return NULL;
        if (*version >= p->api->response.flexible_from && p->api->key != 18)
            wire_skip_tags(&r);
        if (p->api->response.decode(m, &r, *version) == 0 && r.at == r.end)
            return m;
    }
    return NULL;
}

static void print_reply(struct stage *s, const struct client *c, const struct pending *p,
                        const struct box_reply *reply, bool own)
{
    struct buf text;
    struct text_out o = {.names = &s->names, .out = &text};
    struct arena arena;
    void *m;

    if (!own)
        buf_printf(s->out, "%s %s:", c->name, p->api->name);
    if (reply->bytes.n == 0) {
        stage_say(s, own ? "(no answer)" : " (no answer)");
        return;
    }
    buf_init(&text);
    arena_init(&arena);
    m = decode(p, bytes_of(reply->bytes.p + 4, reply->bytes.n - 4), &arena, &o.version);
    if (m) {
        text_out_message(&o, p->api->response.shape, m, LINE_WIDTH, own ? 0 : 2);
        if (!own)
            buf_put_str(s->out, strchr(buf_cstr(&text), '\n') ? "\n  " : " ");
        stage_say(s, "%s", buf_cstr(&text));
    } else {
        stage_error(s, "the reply cannot be decoded");
    }
    buf_release(&text);
    arena_release(&arena);
}

static struct box_reply *reply_of(const struct client *c, uint64_t frame)
{
    LIST_FOREACH(it, &c->conn->replies)
    {
        struct box_reply *r = CONTAINER_OF(it, struct box_reply, link);

        if (r->frame == frame)
            return r;
    }
    return NULL;
}

/* Prints and forgets one request's reply; false: it has not come. */
static bool take_reply(struct stage *s, struct client *c, struct pending *p, bool own)
{
    struct box_reply *reply = reply_of(c, p->frame);

    if (!reply)
        return false;
    print_reply(s, c, p, reply, own);
    list_remove(&reply->link);
    buf_release(&reply->bytes);
    free(reply);
    list_remove(&p->link);
    free(p);
    return true;
}

void clients_collect(struct stage *s)
{
    LIST_FOREACH_SAFE(at, &s->clients)
    {
        struct client *c = CONTAINER_OF(at, struct client, link);

        LIST_FOREACH_SAFE(it, &c->pending)
        (void)take_reply(s, c, CONTAINER_OF(it, struct pending, link), false);
        if (!c->conn->closed)
            continue;
        stage_say(s, "%s: closed", c->name);
        disconnect(s, c);
        forget(c);
    }
}

void clients_wait_ms(struct stage *s, int64_t ms)
{
    int64_t until = peer_wall_ms() + ms;

    do {
        LIST_FOREACH(it, &s->clients)
        while (peer_pump(CONTAINER_OF(it, struct client, link)->conn, 0))
            ;
        peer_sleep_ms(1);
    } while (peer_wall_ms() < until);
}

void clients_settle(struct stage *s)
{
    if (s->peer_port) {
        clients_wait_ms(s, PEER_OTHERS_MS);
        return;
    }
    for (int i = 0; i < TURNS; i++)
        box_turn(&s->box);
}

/* ---- requests --------------------------------------------------------------------------------- */

static struct pending *send_request(struct stage *s, struct client *c, const struct wire_api *api,
                                    int16_t version, const void *request)
{
    struct pending *p = xcalloc(1, sizeof(*p));
    struct wire_writer w;
    struct buf body;

    *p = (struct pending){.frame = c->conn->frame_next, .api = api, .version = version};
    list_push(&c->pending, &p->link);
    buf_init(&body);
    wire_writer_init(&w, &body);
    wire_put_int16(&w, api->key);
    wire_put_int16(&w, version);
    wire_put_int32(&w, (int32_t)p->frame);
    wire_put_str(&w, str_of(c->name), false);
    if (version >= api->request.flexible_from)
        wire_put_uvarint(&w, 0);
    api->request.encode(request, &w, version);
    if (s->peer_port)
        peer_send_raw(c->conn, bytes_of(body.p, body.n));
    else
        box_send_raw(c->conn, bytes_of(body.p, body.n));
    wire_writer_release(&w);
    buf_release(&body);
    return p;
}

static const struct wire_api *api_of(struct str name)
{
    for (int i = 0; i < wire_n_apis; i++)
        if (str_is(name, wire_apis[i].name))
            return &wire_apis[i];
    return NULL;
}

static bool take_version(struct text_in *in, const struct wire_api *api)
{
    struct str word;
    int64_t v;

    if (!text_in_word(in, &word))
        return false;
    if (word.n < 2 || word.p[0] != 'v' ||
        !text_in_number(in, (struct str){word.p + 1, word.n - 1}, &v))
        return text_in_fail(in, "a version is missing");
    if (v < api->request.version_min || v > api->request.version_max)
        return text_in_fail(in, "there is no such version");
    in->version = (int16_t)v;
    return true;
}

/* "ApiName vN field=value ..."; NULL: msg says why. */
static struct pending *read_and_send(struct stage *s, struct client *c, struct text_in *in)
{
    const struct wire_api *api;
    struct str word;
    void *request;

    if (!text_in_word(in, &word))
        return NULL;
    api = api_of(word);
    if (!api) {
        text_in_fail(in, "there is no API %.*s", STR_ARG(word));
        return NULL;
    }
    if (!take_version(in, api))
        return NULL;
    request = arena_alloc(in->arena, api->request.struct_bytes);
    if (!text_in_message(in, api->request.shape, request))
        return NULL;
    return send_request(s, c, api, in->version, request);
}

void clients_run(struct stage *s, struct str name, const char *rest)
{
    struct errmsg msg = {0};
    struct arena arena;
    struct text_in in = {.at = rest, .names = &s->names, .arena = &arena, .msg = &msg};
    struct client *c;
    struct pending *p;
    bool only_send;

    if (!s->up) {
        stage_error(s, "no broker runs");
        return;
    }
    arena_init(&arena);
    in.wall_ms = s->peer_port ? peer_wall_ms() : clock_wall(s->clock).ms;
    c = find_or_connect(s, name);
    text_in_skip_space(&in);
    only_send = strncmp(in.at, "send ", 5) == 0;
    if (only_send)
        in.at += 5;
    p = read_and_send(s, c, &in);
    if (!p) {
        stage_error(s, "%s", msg.text);
    } else if (!only_send) {
        for (int ms = 0; s->peer_port && ms < PEER_WAIT_MS && !reply_of(c, p->frame); ms += 10)
            (void)peer_pump(c->conn, 10);
        clients_settle(s);
        if (!take_reply(s, c, p, true) && !c->conn->closed)
            stage_say(s, "(waits)");
    }
    arena_release(&arena);
}
