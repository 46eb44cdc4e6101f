/* listeners, advertised.listeners and listener.security.protocol.map.
 *
 * Owner: struct config, which gets the finished array.
 *
 * Happy path: every listener (name, host, port), names and ports differ -> the advertised
 *             addresses join them by name -> controllers' listeners are dropped -> protocols.
 * Failures:   E_INVALID in the words of Kafka's SocketServerConfigs and KafkaConfig;
 *             config_release frees what there is.
 */
#include "listeners.h"

#include "number.h"
#include "text.h"

#define LISTENERS_MAX 64

/* NAME://host:port, taken apart. */
struct endpoint {
    struct str name, host;
    int port;
};

/* ---- one endpoint ------------------------------------------------------------------------ */

static bool host_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c != 0 && strchr("-%._:", c) != NULL);
}

/* "[::1]:9092", "localhost:9092", ":9092". Without brackets the last colon parts host and port. */
static bool split_address(struct str s, struct str *host, struct str *port)
{
    const char *colon = s.n > 0 ? memrchr(s.p, ':', s.n) : NULL;

    if (colon == NULL)
        return false;
    *host = (struct str){s.p, (size_t)(colon - s.p)};
    *port = text_from(s, host->n + 1);
    if (host->n > 0 && host->p[0] == '[') {
        if (host->n < 2 || host->p[host->n - 1] != ']')
            return false;
        *host = (struct str){host->p + 1, host->n - 2};
    }
    for (size_t i = 0; i < host->n; i++)
        if (!host_char(host->p[i]))
            return false;
    return true;
}

static int parse_endpoint(const char *setting, struct str text, struct endpoint *e,
                          struct errmsg *msg)
{
    const char *mark = text.n > 0 ? memmem(text.p, text.n, "://", 3) : NULL;
    struct str port;
    int64_t number;

    if (mark == NULL || mark == text.p ||
        !split_address(text_from(text, (size_t)(mark - text.p) + 3), &e->host, &port)) {
        errmsg_set(msg, "%s: unable to parse %s to a broker endpoint; valid is NAME://host:port",
                   setting, diag_escape(text));
        return E_INVALID;
    }
    e->name = text_trim((struct str){text.p, (size_t)(mark - text.p)});
    if (!number_parse_long(port, 0, 65535, &number)) {
        errmsg_set(msg, "%s: %s has the port %s; valid is a number from 0 to 65535", setting,
                   diag_escape(text), diag_escape(port));
        return E_INVALID;
    }
    e->port = (int)number;
    return 0;
}

/* ---- the protocol map -------------------------------------------------------------------- */

static const char *const protocol_names[] = {
    [SECURITY_PLAINTEXT] = "PLAINTEXT",
    [SECURITY_SSL] = "SSL",
    [SECURITY_SASL_PLAINTEXT] = "SASL_PLAINTEXT",
    [SECURITY_SASL_SSL] = "SASL_SSL",
};

static bool protocol_parse(struct str text, enum security_protocol *out)
{
    for (size_t i = 0; i < ARRAY_SIZE(protocol_names); i++) {
        if (text_equal_any_case(text, str_of(protocol_names[i]))) {
            *out = (enum security_protocol)i;
            return true;
        }
    }
    return false;
}

/* Walks listener.security.protocol.map whole, so that a mistake in any entry is told; the last
 * entry for `name` counts. *found says whether there was one. */
static int map_find(const char *map, struct str name, enum security_protocol *out, bool *found,
                    struct errmsg *msg)
{
    struct str rest = str_of(map), item, key, value;
    enum security_protocol protocol;

    *found = false;
    while (text_next(&rest, ',', &item)) {
        struct str parts = item;

        if (item.n == 0)
            continue;
        if (!text_next(&parts, ':', &key) || key.n == 0 || !text_next(&parts, ':', &value) ||
            parts.p != NULL || !protocol_parse(value, &protocol)) {
            errmsg_set(msg,
                       "listener.security.protocol.map: %s is not valid; valid is NAME:PROTOCOL "
                       "with PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL",
                       diag_escape(item));
            return E_INVALID;
        }
        if (text_equal_any_case(key, name)) {
            *out = protocol;
            *found = true;
        }
    }
    return 0;
}

/* ---- all listeners ----------------------------------------------------------------------- */

static bool is_controller(const struct config *c, const char *name)
{
    struct str rest = str_of(c->controller_listener_names), item;

    while (text_next(&rest, ',', &item))
        if (text_equal_any_case(item, str_of(name)))
            return true;
    return false;
}

static struct config_listener *find(struct config *c, struct str name)
{
    for (int i = 0; i < c->n_parsed_listeners; i++)
        if (text_equal_any_case(str_of(c->parsed_listeners[i].name), name))
            return &c->parsed_listeners[i];
    return NULL;
}

static bool is_ipv6(const char *host)
{
    return strchr(host, ':') != NULL;
}

static bool is_ipv4(const char *host)
{
    struct str rest = str_of(host), item;
    int n = 0;
    int64_t v;

    while (text_next(&rest, '.', &item)) {
        if (!number_parse_long(item, 0, 255, &v))
            return false;
        n++;
    }
    return n == 4;
}

/* Two listeners may have one port when one is IPv4 and the other IPv6 (KIP-797). */
static bool may_share_port(const char *a, const char *b)
{
    return (is_ipv4(a) && is_ipv6(b)) || (is_ipv6(a) && is_ipv4(b));
}

static int check_differs(struct config *c, const struct endpoint *e, const char *host,
                         struct errmsg *msg)
{
    if (find(c, e->name) != NULL) {
        errmsg_set(msg, "listeners: Each listener must have a different name, listeners: %s",
                   c->listeners);
        return E_INVALID;
    }
    for (int i = 0; e->port != 0 && i < c->n_parsed_listeners; i++) {
        if (c->parsed_listeners[i].port != e->port ||
            may_share_port(c->parsed_listeners[i].host, host))
            continue;
        errmsg_set(msg,
                   "listeners: Each listener must have a different port unless exactly one "
                   "listener has an IPv4 address and the other IPv6 address, listeners: %s",
                   c->listeners);
        return E_INVALID;
    }
    return 0;
}

static void append(struct config *c, const struct endpoint *e, char *host)
{
    c->parsed_listeners = xrealloc_array(c->parsed_listeners, (size_t)c->n_parsed_listeners + 1,
                                         sizeof(c->parsed_listeners[0]));
    c->parsed_listeners[c->n_parsed_listeners++] = (struct config_listener){
        .name = text_upper(e->name), .host = host, .port = e->port, .advertised_port = -1};
}

static int add_listener(struct config *c, struct str text, struct errmsg *msg)
{
    struct endpoint e;
    char *host;
    int rc = parse_endpoint("listeners", text, &e, msg);

    if (rc < 0)
        return rc;
    if (c->n_parsed_listeners == LISTENERS_MAX) {
        errmsg_set(msg, "listeners: more than %d", LISTENERS_MAX);
        return E_INVALID;
    }
    host = str_dup(e.host);
    rc = check_differs(c, &e, host, msg);
    if (rc < 0)
        free(host);
    else
        append(c, &e, host);
    return rc;
}

static int set_protocol(struct config *c, struct config_listener *l, struct errmsg *msg)
{
    bool found;
    int rc =
        map_find(c->listener_security_protocol_map, str_of(l->name), &l->protocol, &found, msg);

    if (rc < 0 || found)
        return rc;
    errmsg_set(msg,
               "listeners: No security protocol defined for listener %s; name it in "
               "listener.security.protocol.map",
               l->name);
    return E_INVALID;
}

/* ---- advertised addresses ---------------------------------------------------------------- */

static int advertise(struct config *c, struct str text, struct errmsg *msg)
{
    struct config_listener *l;
    struct endpoint e;
    int rc = parse_endpoint("advertised.listeners", text, &e, msg);

    if (rc < 0)
        return rc;
    l = find(c, e.name);
    if (l == NULL) {
        errmsg_set(msg,
                   "advertised.listeners: listener names must be equal to or a subset of the ones "
                   "defined in listeners; %s is not in %s",
                   diag_escape(e.name), c->listeners);
        return E_INVALID;
    }
    if (l->advertised_host != NULL) {
        errmsg_set(msg, "advertised.listeners: Each listener must have a different name: %s",
                   c->advertised_listeners);
        return E_INVALID;
    }
    if (str_is(e.host, "0.0.0.0") || str_is(e.host, "::")) {
        errmsg_set(msg,
                   "advertised.listeners cannot use the nonroutable meta-address %.*s. Use a "
                   "routable IP address.",
                   STR_ARG(e.host));
        return E_INVALID;
    }
    if (e.host.n == 0)
        return 0; /* the address that the client connected to */
    l->advertised_host = str_dup(e.host);
    l->advertised_port = e.port == 0 ? -1 : e.port;
    return 0;
}

/* Without advertised.listeners a listener with a host of its own tells that. */
static void advertise_own_hosts(struct config *c)
{
    for (int i = 0; i < c->n_parsed_listeners; i++) {
        struct config_listener *l = &c->parsed_listeners[i];

        if (l->host[0] != 0 && strcmp(l->host, "0.0.0.0") != 0 && strcmp(l->host, "::") != 0)
            l->advertised_host = xstrdup(l->host);
    }
}

static int advertise_all(struct config *c, struct errmsg *msg)
{
    struct str rest = str_of(c->advertised_listeners), item;
    int rc = 0;

    if (c->advertised_listeners == NULL)
        advertise_own_hosts(c);
    while (rc == 0 && text_next(&rest, ',', &item))
        rc = advertise(c, item, msg);
    return rc;
}

/* ---- controllers' listeners -------------------------------------------------------------- */

static void release_one(struct config_listener *l)
{
    free(l->name);
    free(l->host);
    free(l->advertised_host);
    *l = (struct config_listener){0};
}

/* Drops the listeners in controller.listener.names; the broker serves none of them. */
static int drop_controllers(struct config *c, struct errmsg *msg)
{
    bool also_controller = config_list_has(c->process_roles, "controller");
    int n_kept = 0;

    for (int i = 0; i < c->n_parsed_listeners; i++) {
        struct config_listener *l = &c->parsed_listeners[i];

        if (!is_controller(c, l->name)) {
            c->parsed_listeners[n_kept++] = *l;
            continue;
        }
        if (!also_controller) {
            errmsg_set(msg,
                       "controller.listener.names must not contain a value appearing in the "
                       "'listeners' configuration when running with just the broker role: %s",
                       l->name);
            for (; i < c->n_parsed_listeners; i++)
                c->parsed_listeners[n_kept++] = c->parsed_listeners[i];
            c->n_parsed_listeners = n_kept;
            return E_INVALID;
        }
        release_one(l);
    }
    c->n_parsed_listeners = n_kept;
    if (n_kept > 0)
        return 0;
    errmsg_set(msg, "listeners: there must be at least one listener that is not in "
                    "controller.listener.names");
    return E_INVALID;
}

int listeners_parse(struct config *c, struct errmsg *msg)
{
    struct str rest = str_of(c->listeners), item;
    int rc = 0;

    ASSERT(c->n_parsed_listeners == 0);
    ASSERT(c->listeners != NULL);
    while (rc == 0 && text_next(&rest, ',', &item))
        rc = add_listener(c, item, msg);
    if (rc == 0)
        rc = advertise_all(c, msg);
    if (rc == 0)
        rc = drop_controllers(c, msg);
    for (int i = 0; rc == 0 && i < c->n_parsed_listeners; i++)
        rc = set_protocol(c, &c->parsed_listeners[i], msg);
    return rc;
}

void listeners_release(struct config *c)
{
    for (int i = 0; i < c->n_parsed_listeners; i++)
        release_one(&c->parsed_listeners[i]);
    free(c->parsed_listeners);
    c->parsed_listeners = NULL;
    c->n_parsed_listeners = 0;
}
