/* Connections and dispatch: a frame becomes a request, a request meets its handler.
 *
 * Owner: struct api_conn, core thread.
 *
 * Happy path: api_frame -> header -> handler by key and version -> body into the arena -> handler.
 * Failures:   a frame that cannot be read, an unknown API key or version closes that connection
 *             with one log line, as Kafka does; only ApiVersions has an answer for an unknown
 *             version (KIP-511). Nothing else is touched.
 */
#include "internal.h"

static void conn_unref(struct api_conn *c)
{
    ASSERT(c->refs > 0);
    if (--c->refs > 0)
        return;
    free(c->listener);
    free(c->peer_host);
    free(c->local_host);
    free(c->advertised_host);
    free(c->software_name);
    free(c->software_version);
    free((void *)c->principal.host.p);
    c->magic = 0;
    free(c);
}

struct api_conn *api_opened(struct broker *b, const struct api_transport *t, void *carrier,
                            const struct api_peer *peer)
{
    struct api_conn *c = xcalloc(1, sizeof(*c));

    c->magic = API_CONN_MAGIC;
    c->refs = 1;
    c->broker = b;
    c->transport = *t;
    c->carrier = carrier;
    c->listener = xstrdup(peer->listener);
    c->peer_host = xstrdup(peer->peer_host);
    c->peer_port = peer->peer_port;
    c->local_host = xstrdup(peer->local_host);
    c->local_port = peer->local_port;
    c->advertised_host = peer->advertised_host ? xstrdup(peer->advertised_host) : NULL;
    c->advertised_port = peer->advertised_port;
    c->principal = (struct principal){.type = STR("User"), .name = STR("ANONYMOUS")};
    /* Kafka shows a peer as InetAddress.toString does, with a slash in front. */
    c->principal.host = str_of(xasprintf("/%s", peer->peer_host));
    return c;
}

void api_closed(struct api_conn *c)
{
    ASSERT(c->magic == API_CONN_MAGIC);
    c->closed = true;
    c->refs++; /* stays while its requests end */
    LIST_FOREACH_SAFE(it, &c->broker->requests)
    {
        struct request *rq = CONTAINER_OF(it, struct request, link);

        if (rq->conn == c && rq->hurry)
            rq->hurry(rq); /* nobody waits for it any more */
    }
    conn_unref(c);
    conn_unref(c);
}

static struct request *request_new(struct api_conn *c, uint64_t frame, struct chunk *chunk)
{
    struct request *rq = xmalloc(sizeof(*rq));

    *rq = (struct request){.magic = REQUEST_MAGIC, .broker = c->broker, .conn = c, .frame = frame};
    c->refs++;
    rq->chunk = chunk_ref(chunk);
    arena_init(&rq->arena);
    rq->received = clock_mono(c->broker->env->clock);
    list_push(&c->broker->requests, &rq->link);
    return rq;
}

static void request_free(struct request *rq)
{
    ASSERT(rq->magic == REQUEST_MAGIC);
    list_remove(&rq->link);
    out_release(&rq->encoded);
    arena_release(&rq->arena);
    chunk_unref(rq->chunk);
    conn_unref(rq->conn);
    rq->magic = 0;
    free(rq);
}

static void refuse(struct request *rq, const char *what)
{
    struct env *env = rq->broker->env;

    metric_add(env->metrics, M_requests_malformed_total, 1);
    request_drop(rq, what);
}

/* ApiVersions of a version that we do not know is answered in version 0 (KIP-511); anything else
 * unknown closes. */
static bool accept_version(struct request *rq)
{
    const struct api_handler *h = rq->handler;
    int16_t v = rq->header.api_version;

    if (v >= h->min_decoded && v <= h->max)
        return true;
    if (h->key == 18 && (v > h->max || v < 0)) {
        rq->response_version = 0;
        return true;
    }
    return false;
}

/* Makes the response at its defaults and decodes the body. */
static int request_decode(struct request *rq, struct wire_reader *r)
{
    rq->response = arena_alloc(&rq->arena, rq->api->response.struct_bytes);
    rq->api->response.init(rq->response);
    if (rq->response_version != rq->version)
        return 0; /* its body is of a version that we cannot read */
    rq->body = arena_alloc(&rq->arena, rq->api->request.struct_bytes);
    return rq->api->request.decode(rq->body, r, rq->version);
}

void api_frame(struct api_conn *c, uint64_t frame, struct chunk *chunk, uint8_t *body, size_t n)
{
    struct request *rq = request_new(c, frame, chunk);
    struct wire_reader r;

    ASSERT_CORE();
    wire_reader_init(&r, bytes_of(body, n), &rq->arena);
    if (wire_request_header_get(&r, &rq->header) < 0) {
        refuse(rq, "the request header cannot be read");
        return;
    }
    rq->version = rq->response_version = rq->header.api_version;
    rq->handler = api_handler_find(rq->header.api_key);
    rq->api = wire_api_find(rq->header.api_key);
    if (!rq->handler || !rq->api || !accept_version(rq)) {
        struct str why = arena_printf(&rq->arena, "API key %d version %d is not supported",
                                      rq->header.api_key, rq->header.api_version);
        refuse(rq, why.p);
        return;
    }
    if (request_decode(rq, &r) < 0) {
        struct str why = arena_printf(&rq->arena, "the body of %s version %d cannot be read",
                                      rq->api->name, rq->version);
        refuse(rq, why.p);
        return;
    }
    metric_add(c->broker->env->metrics, M_requests_total, 1);
    rq->handler->handle(rq);
}

void api_hurry(struct broker *b)
{
    LIST_FOREACH_SAFE(it, &b->requests)
    {
        struct request *rq = CONTAINER_OF(it, struct request, link);

        if (rq->hurry)
            rq->hurry(rq);
    }
}

int api_in_work(const struct broker *b)
{
    int n = 0;

    LIST_FOREACH(it, &b->requests)
    n++;
    return n;
}

/* ---- the ends of a request ------------------------------------------------------------------- */

#define REPLY_CHUNK_MIN 512

/* Cuts the encoded bytes at the splices and puts the file ranges between. */
static void gather(struct out *out, struct chunk *c, size_t n, const struct wire_writer *w)
{
    size_t at = 0;

    for (uint32_t i = 0; i < w->n_splices; i++) {
        const struct wire_splice *s = &w->splices[i];

        if (s->at > at)
            out_put_chunk(out, chunk_ref(c), at, s->at - at);
        out_put_file(out, s->source, s->position, s->n_bytes);
        at = s->at;
    }
    if (n > at)
        out_put_chunk(out, chunk_ref(c), at, n - at);
    chunk_unref(c);
}

static size_t spliced_bytes(const struct wire_writer *w)
{
    size_t n = 0;

    for (uint32_t i = 0; i < w->n_splices; i++)
        n += w->splices[i].n_bytes;
    return n;
}

/* Encodes length, header and body straight into the chunk that goes out. */
static void encode(struct request *rq, struct out *out)
{
    const struct wire_message_info *info = &rq->api->response;
    struct wire_writer w;
    struct buf head;
    struct chunk *c;
    size_t n;

    buf_init(&head);
    wire_writer_init(&w, &head);
    wire_put_int32(&w, 0);
    wire_response_header_put(&w, rq->header.api_key, rq->response_version,
                             rq->header.correlation_id);
    info->encode(rq->response, &w, rq->response_version);
    n = head.n;
    c = chunk_new(MAX(n, REPLY_CHUNK_MIN));
    memcpy(c->data, head.p, n);
    put_be32(c->data, (uint32_t)(n + spliced_bytes(&w) - 4));
    gather(out, c, n, &w);
    wire_writer_release(&w);
    buf_release(&head);
}

static void send_encoded(struct request *rq)
{
    struct api_conn *c = rq->conn;

    if (!c->closed)
        c->transport.reply(c->carrier, rq->frame, &rq->encoded, rq->throttle_ms);
    request_free(rq);
}

void request_reply(struct request *rq)
{
    ASSERT(rq->magic == REQUEST_MAGIC);
    if (!rq->conn->closed)
        encode(rq, &rq->encoded);
    send_encoded(rq);
}

void request_reply_none(struct request *rq)
{
    send_encoded(rq);
}

void request_drop(struct request *rq, const char *why)
{
    struct api_conn *c = rq->conn;

    if (!c->closed)
        c->transport.close(c->carrier, rq->frame, why);
    request_free(rq);
}

struct meta_reply {
    struct statelog_wait wait;
    struct request *rq;
};

static void meta_durable(struct statelog_wait *w, int rc)
{
    struct request *rq = CONTAINER_OF(w, struct meta_reply, wait)->rq;

    if (rc < 0)
        request_drop(rq, err_text(rc));
    else
        send_encoded(rq);
}

void request_reply_after_meta(struct request *rq)
{
    struct meta_reply *mr = arena_alloc(&rq->arena, sizeof(*mr));

    mr->rq = rq;
    encode(rq, &rq->encoded);
    meta_after(rq->broker->meta, &mr->wait, meta_durable);
}

/* ---- shorthands ------------------------------------------------------------------------------ */

bool request_allowed(struct request *rq, enum acl_operation op, enum acl_resource resource,
                     struct str name)
{
    return security_allows(rq->broker->security, &rq->conn->principal, op, resource, name);
}

struct str request_advertised_host(struct request *rq)
{
    const struct api_conn *c = rq->conn;

    return str_of(c->advertised_host ? c->advertised_host : c->local_host);
}

int request_advertised_port(struct request *rq)
{
    const struct api_conn *c = rq->conn;

    return c->advertised_host && c->advertised_port > 0 ? c->advertised_port : c->local_port;
}

struct meta_topic *request_topic(struct request *rq, bool by_id, struct str name, struct uuid id,
                                 int16_t *error)
{
    struct meta *m = rq->broker->meta;
    struct meta_topic *t = by_id ? meta_topic_by_id(m, id) : meta_topic(m, name);

    *error = t ? KE_NONE : by_id ? KE_UNKNOWN_TOPIC_ID : KE_UNKNOWN_TOPIC_OR_PARTITION;
    return t;
}

int16_t request_partition_check(const struct meta_topic *t, int32_t partition,
                                int32_t client_leader_epoch)
{
    int32_t ours;

    if (partition < 0 || partition >= t->n_partitions)
        return KE_UNKNOWN_TOPIC_OR_PARTITION;
    ours = t->partitions[partition].leader_epoch;
    if (client_leader_epoch == NO_LEADER_EPOCH || client_leader_epoch == ours)
        return KE_NONE;
    return client_leader_epoch < ours ? KE_FENCED_LEADER_EPOCH : KE_UNKNOWN_LEADER_EPOCH;
}
