/* How many connections an address may have: max.connections.per.ip and its exceptions.
 *
 * Exceptions are "host:count", the last colon parts them. A host is an address in the form in which peers are shown, or localhost,
 * which means both of its addresses. Other names are not looked up (Kafka does, once): a start that waits for a name server would
 * be worse, so they get a warning.
 */
#include "finish.h"
#include "number.h"
#include "text.h"

struct exception {
    struct str text, host; /* host.p NULL: it is none */
    int64_t count;
};

/* The next one; false after the last. */
static bool next(struct str *rest, struct exception *e)
{
    const char *colon;

    do
        if (!text_next(rest, ',', &e->text))
            return false;
    while (e->text.n == 0);
    e->host = (struct str){NULL, 0};
    colon = memrchr(e->text.p, ':', e->text.n);
    if (colon && colon != e->text.p &&
        number_parse_long(text_trim(text_from(e->text, (size_t)(colon - e->text.p) + 1)), 0,
                          INT32_MAX, &e->count))
        e->host = text_trim((struct str){e->text.p, (size_t)(colon - e->text.p)});
    return true;
}

static bool looks_like_an_address(struct str host)
{
    for (size_t i = 0; i < host.n; i++)
        if (!strchr("0123456789abcdefABCDEF.:", host.p[i]))
            return false;
    return true;
}

int config_check_ip_limits(const struct config *c, struct errmsg *msg)
{
    struct str rest = str_of(c->max_connections_per_ip_overrides);
    struct exception e;

    while (next(&rest, &e)) {
        if (!e.host.p) {
            errmsg_set(msg,
                       "max.connections.per.ip.overrides: %s is not valid; valid is host:count",
                       diag_escape(e.text));
            return E_INVALID;
        }
        if (!looks_like_an_address(e.host) && !str_is(e.host, "localhost"))
            diag_warn(
                "max.connections.per.ip.overrides: names are not looked up: give the address of %s",
                diag_escape(e.host));
    }
    return 0;
}

static bool is_localhost(const char *host)
{
    return strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0;
}

int64_t config_connections_per_ip(const struct config *c, const char *address)
{
    struct str rest = str_of(c->max_connections_per_ip_overrides);
    int64_t found = c->max_connections_per_ip;
    struct exception e;

    while (next(&rest, &e))
        if (e.host.p &&
            (str_is(e.host, address) || (str_is(e.host, "localhost") && is_localhost(address))))
            found = e.count;
    return found;
}
