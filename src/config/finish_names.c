/* What is said about the names that were given.
 *
 * Owner: nobody; reads struct config, writes log lines.
 *
 * Happy path: each given name is used, accepted (one line for all), removed from Kafka (one line
 *             for all) or unknown (a line each, or the error when strict).
 */
#include "finish.h"
#include "names.h"

enum name_kind { NAME_USED = 0, NAME_ACCEPTED, NAME_REMOVED, NAME_UNKNOWN };

static enum name_kind kind_of(struct str name)
{
    const struct config_setting *st = config_broker_setting(name);

    if (st == NULL)
        st = name_listener_setting(name);
    if (st != NULL)
        return st->support == CONFIG_USED ? NAME_USED : NAME_ACCEPTED;
    if (name_is_removed(name))
        return NAME_REMOVED;
    return name_is_known_by_prefix(name) ? NAME_USED : NAME_UNKNOWN;
}

static void tell_all(const struct config *c, enum name_kind kind, enum diag_level level,
                     const char *what)
{
    struct buf names;

    buf_init(&names);
    for (int i = 0; i < c->n_given; i++)
        if (kind_of(str_of(c->given[i].name)) == kind)
            buf_printf(&names, "%s%s", names.n > 0 ? ", " : "", c->given[i].name);
    if (names.n > 0)
        diag(level, "%s: %s", what, buf_cstr(&names));
    buf_release(&names);
}

static void unknown_text(const struct config *c, const struct config_given *g, struct errmsg *msg)
{
    const char *nearest = config_nearest_broker_setting(str_of(g->name));
    const char *name = diag_escape(str_of(g->name));

    if (nearest != NULL)
        errmsg_set(msg, "unknown setting %s; the nearest known one is %s", name, nearest);
    else
        errmsg_set(msg, "unknown setting %s", name);
    if (g->line > 0)
        errmsg_wrap(msg, "%s:%d", c->file_name, g->line);
}

int finish_names(const struct config *c, bool strict, struct errmsg *msg)
{
    struct errmsg text;

    for (int i = 0; i < c->n_given; i++) {
        if (kind_of(str_of(c->given[i].name)) != NAME_UNKNOWN)
            continue;
        unknown_text(c, &c->given[i], &text);
        if (strict) {
            errmsg_set(msg, "%s", text.text);
            return E_INVALID;
        }
        diag_warn("%s", text.text);
    }
    tell_all(c, NAME_REMOVED, DIAG_WARN, "settings that Kafka 4 no longer has, ignored");
    tell_all(c, NAME_ACCEPTED, DIAG_INFO, "settings without meaning on one node, ignored");
    return 0;
}
