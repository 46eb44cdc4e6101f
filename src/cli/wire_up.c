/* Where net meets api: frames up, replies down.
 *
 * The up side's pointer of a connection is its api_conn, the carrier of an api_conn is its
 * net_conn: nothing is kept between the two.
 */
#include "serve.h"

#include "api.h"

static void carry_reply(void *carrier, uint64_t frame, struct out *out, int64_t mute_ms)
{
    net_reply(carrier, frame, out, mute_ms);
}

static void carry_close(void *carrier, uint64_t frame, const char *why)
{
    net_conn_close(carrier, frame, why);
}

static const struct api_transport transport = {.reply = carry_reply, .close = carry_close};

static void *opened(void *arg, struct net_conn *c, const struct net_peer *peer)
{
    struct server *s = CHECKED_CAST(arg, struct server, SERVER_MAGIC);
    const struct config_listener *l = &s->config->parsed_listeners[peer->listener];
    struct api_peer ap = {.listener = l->name,
                          .peer_host = peer->peer_host,
                          .peer_port = peer->peer_port,
                          .local_host = peer->local_host,
                          .local_port = peer->local_port,
                          .advertised_host = l->advertised_host,
                          .advertised_port = l->advertised_port};

    ASSERT(peer->listener < s->config->n_parsed_listeners);
    if (ap.advertised_port < 0)
        ap.advertised_port = net_listener_port(s->net, peer->listener);
    return api_opened(s->broker, &transport, c, &ap);
}

static void frame(void *conn, uint64_t number, struct chunk *chunk, uint8_t *body, size_t n)
{
    api_frame(conn, number, chunk, body, n);
}

static void closed(void *conn)
{
    api_closed(conn);
}

static uint32_t count(int64_t v)
{
    return (uint32_t)MIN(MAX(v, 0), INT32_MAX);
}

/* From the settings as they are now: they may change while the broker runs. */
static void limits(void *arg, const char *host, struct net_limits *l)
{
    const struct config *c = CHECKED_CAST(arg, struct server, SERVER_MAGIC)->config;

    l->conns_max = count(c->max_connections);
    l->conns_per_ip_max = count(config_connections_per_ip(c, host));
    l->conns_per_second_max = count(c->max_connection_creation_rate);
}

static void turn(void *arg)
{
    server_turn(CHECKED_CAST(arg, struct server, SERVER_MAGIC));
}

static bool deadline(void *arg, struct mono *at)
{
    return server_deadline(CHECKED_CAST(arg, struct server, SERVER_MAGIC), at);
}

struct net_upcalls wire_up(struct server *s)
{
    return (struct net_upcalls){.opened = opened,
                                .frame = frame,
                                .closed = closed,
                                .limits = limits,
                                .turn = turn,
                                .deadline = deadline,
                                .arg = s};
}
