/* Settings that change while running (DynamicBrokerConfig).
 *
 * Owner: struct config. The pairs are the caller's: the metadata's, of all brokers and of this one.
 *
 * Happy path: each dynamic setting that has a field takes the last pair's value, else what file and overrides gave, else
 *             the default -> derived values and rules again.
 * Failures:   config_check_dynamic tries it on a copy, so what is stored can be taken. What was stored under another
 *             file may not go together with this one: then all pairs are left out, with a warning.
 */
#include "finish.h"
#include "fields.h"
#include "names.h"

static bool is_kept(const struct config_setting *st)
{
    return st->dynamic != CONFIG_STATIC && st->field_at != SIZE_MAX;
}

/* What the setting is without the metadata; text is the caller's. It was parsed before. */
static union config_value static_value(const struct config *c, const struct config_setting *st)
{
    const struct config_given *g = config_given_find(c, str_of(st->name));
    union config_value v;
    int rc;

    if (g == NULL)
        return setting_default(st);
    rc = config_parse(st, str_of(g->text), &v, NULL);
    ASSERT(rc == 0);
    return v;
}

/* Listeners are bound once. */
static bool is_bound_at_start(const struct config_setting *st)
{
    return st->field_at == offsetof(struct config, listeners) ||
           st->field_at == offsetof(struct config, listener_security_protocol_map);
}

static void take(struct config *c, const struct config_setting *st, const struct config_pair *pair)
{
    union config_value v;
    struct errmsg why;

    if (pair != NULL && config_parse(st, pair->value, &v, &why) < 0) {
        diag_warn("a stored setting is left out: %s", why.text);
        pair = NULL;
    }
    if (pair == NULL)
        v = static_value(c, st);
    field_set(c, st, v);
}

static void take_all(struct config *c, const struct config_pair *pairs, int n)
{
    for (int i = 0; i < config_n_broker_settings; i++) {
        const struct config_setting *st = &config_broker_settings[i];

        if (is_kept(st) && !is_bound_at_start(st))
            take(c, st, config_pair_find(pairs, n, str_of(st->name)));
    }
}

void config_set_dynamic(struct config *c, const struct config_pair *pairs, int n)
{
    struct errmsg why;

    take_all(c, pairs, n);
    if (finish_changed(c, &why) == 0)
        return;
    diag_warn("the stored settings do not go together with the others and are left out: %s",
              why.text);
    take_all(c, NULL, 0);
    if (finish_changed(c, &why) < 0)
        base_assert_failed("the settings of the file go together", __FILE__, __LINE__);
}

/* ---- checking -------------------------------------------------------------------------------- */

/* SslConfigs.RECONFIGURABLE_CONFIGS */
static const char *const of_listeners_only[] = {
    "ssl.keystore.type",
    "ssl.keystore.location",
    "ssl.keystore.password",
    "ssl.key.password",
    "ssl.truststore.type",
    "ssl.truststore.location",
    "ssl.truststore.password",
    "ssl.keystore.certificate.chain",
    "ssl.keystore.key",
    "ssl.truststore.certificates",
};

static bool is_static(struct str name)
{
    const struct config_setting *st = config_broker_setting(name);

    return st != NULL && st->dynamic == CONFIG_STATIC;
}

static bool is_of_listeners_only(struct str name)
{
    for (size_t i = 0; i < ARRAY_SIZE(of_listeners_only); i++)
        if (str_is(name, of_listeners_only[i]))
            return true;
    return false;
}

static bool is_of_one_broker(struct str name)
{
    const struct config_setting *st = config_broker_setting(name);
    const struct config_setting *of_listener = name_listener_setting(name);

    if (of_listener != NULL)
        return of_listener->dynamic != CONFIG_CLUSTER_WIDE;
    return st != NULL && st->dynamic == CONFIG_PER_BROKER;
}

/* Refuses when there are such names; the message has them as a list. */
static int refuse_those(const struct config_pair *pairs, int n, bool (*such)(struct str name),
                        const char *why, struct errmsg *msg)
{
    struct buf names;
    int rc = 0;

    buf_init(&names);
    for (int i = 0; i < n; i++)
        if (such(pairs[i].name))
            buf_printf(&names, "%s%s", names.n > 0 ? ", " : "", diag_escape(pairs[i].name));
    if (names.n > 0) {
        errmsg_set(msg, "%s: [%s]", why, buf_cstr(&names));
        rc = E_INVALID;
    }
    buf_release(&names);
    return rc;
}

static int check_values(const struct config_pair *pairs, int n, struct errmsg *msg)
{
    for (int i = 0; i < n; i++) {
        const struct config_setting *st = config_dynamic_setting(pairs[i].name);
        union config_value v;

        if (st == NULL)
            continue;
        if (config_parse(st, pairs[i].value, &v, msg) < 0)
            return E_INVALID;
        value_release(st, &v);
    }
    return 0;
}

/* The rules between settings, on a copy of what they look at. */
static int check_together(const struct config *c, const struct config_pair *pairs, int n,
                          struct errmsg *msg)
{
    struct config copy = {.given = c->given, .n_given = c->n_given};
    int rc;

    fields_init(&copy, config_broker_settings, config_n_broker_settings);
    for (int i = 0; i < config_n_broker_settings; i++)
        if (config_broker_settings[i].field_at != SIZE_MAX)
            field_set(&copy, &config_broker_settings[i],
                      static_value(c, &config_broker_settings[i]));
    take_all(&copy, pairs, n);
    rc = finish_changed(&copy, msg);
    fields_release(&copy, config_broker_settings, config_n_broker_settings);
    return rc;
}

int config_check_dynamic(const struct config *c, const struct config_pair *pairs, int n,
                         bool per_broker, struct errmsg *msg)
{
    int rc = refuse_those(pairs, n, is_static, "Cannot update these configs dynamically", msg);

    if (rc == 0)
        rc = refuse_those(pairs, n, is_of_listeners_only,
                          "These security configs can be dynamically updated only per-listener "
                          "using the listener prefix",
                          msg);
    if (rc == 0)
        rc = check_values(pairs, n, msg);
    if (rc == 0 && !per_broker)
        rc = refuse_those(pairs, n, is_of_one_broker,
                          "Cannot update these configs at default cluster level, broker id must be "
                          "specified",
                          msg);
    return rc < 0 ? rc : check_together(c, pairs, n, msg);
}
