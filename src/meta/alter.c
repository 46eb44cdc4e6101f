/* Changing settings of topics, brokers, groups and client metrics (ConfigurationControlManager).
 *
 * Owner: nobody; the settings as they would be live on the stack of one call, as texts of their own.
 *
 * Happy path: the settings as they are -> the changes, one by one -> all of them checked together -> one ConfigRecord per
 *             change -> apply.
 * Failures:   what the peer did wrong is *error with Kafka's words, and nothing is changed; E_* when the log refused.
 */
#include "internal.h"
#include "regex.h"

/* A change on its way. */
struct alteration {
    struct meta *m;
    const struct meta_alter_configs *asked;
    struct config_pair *pairs; /* the resource's settings as they would be */
    int n_pairs;
    struct statelog_proposal proposal;
};

static void put(struct alteration *a, struct str name, struct str value)
{
    struct config_record r;

    config_record_init(&r);
    r.resource_type = (int8_t)a->asked->type;
    r.resource_name = a->asked->name;
    r.name = name;
    r.value = value;
    meta_proposal_put(&a->proposal, RECORD_CONFIG, 0, &r);
    meta_pairs_set(&a->pairs, &a->n_pairs, name, value);
}

/* ---- lists: APPEND and SUBTRACT ---------------------------------------------------------------- */

static const struct config_setting *setting_of(enum meta_resource_type type, struct str name)
{
    switch (type) {
    case META_RESOURCE_TOPIC:
        return config_topic_setting(name);
    case META_RESOURCE_BROKER:
        return config_broker_setting(name);
    case META_RESOURCE_GROUP:
        return config_group_setting(name);
    default:
        return NULL; /* client metrics: Kafka knows no lists there (KafkaConfigSchema) */
    }
}

static bool is_list(enum meta_resource_type type, struct str name)
{
    const struct config_setting *st = setting_of(type, name);

    return st && st->type == CONFIG_LIST;
}

/* What the list is when it was never set; the caller frees it. */
static char *list_default(const struct alteration *a, struct str name)
{
    const struct config_setting *st = setting_of(a->asked->type, name);

    if (st && a->asked->type == META_RESOURCE_TOPIC && st->broker_synonym)
        return config_text(a->m->config, config_broker_setting(str_of(st->broker_synonym)));
    if (st && a->asked->type == META_RESOURCE_BROKER)
        return config_text(a->m->config, st);
    return xstrdup(st && st->default_text ? st->default_text : "");
}

/* The next item; empty ones count only where `empty_too`. */
static bool next_item(struct str *rest, struct str *item)
{
    const char *comma;

    if (!rest->p || rest->n == 0)
        return false;
    comma = memchr(rest->p, ',', rest->n);
    *item = (struct str){rest->p, comma ? (size_t)(comma - rest->p) : rest->n};
    *rest = comma ? (struct str){comma + 1, rest->n - item->n - 1} : (struct str){NULL, 0};
    return true;
}

static bool has_item(struct str list, struct str wanted)
{
    struct str item;

    while (next_item(&list, &item))
        if (str_eq(item, wanted))
            return true;
    return false;
}

static void put_item(struct buf *out, struct str item)
{
    if (item.n == 0)
        return;
    buf_printf(out, "%s%.*s", out->n > 0 ? "," : "", STR_ARG(item));
}

/* The items of `from` that are not in `without`, added to `out`. */
static void put_items(struct buf *out, struct str from, struct str without)
{
    struct str item;

    while (next_item(&from, &item))
        if (!has_item(without, item))
            put_item(out, item);
}

static void change_list(struct alteration *a, const struct meta_config_change *c, struct str now)
{
    char *unset = now.p ? NULL : list_default(a, c->name);
    struct str old = now.p ? now : str_of(unset);
    struct buf out;

    buf_init(&out);
    if (c->op == META_CONFIG_APPEND) {
        put_items(&out, old, (struct str){NULL, 0});
        put_items(&out, c->value, old);
    } else {
        put_items(&out, old, c->value);
    }
    put(a, c->name, str_of(buf_cstr(&out)));
    buf_release(&out);
    free(unset);
}

/* ---- the changes ------------------------------------------------------------------------------- */

/* A broker's setting is written again even where it does not change: it makes brokers load what it names again (KAFKA-14136). */
static bool worth_writing(const struct alteration *a, struct str now, struct str value)
{
    return a->asked->type == META_RESOURCE_BROKER || (now.p != NULL) != (value.p != NULL) ||
           (now.p && !str_eq(now, value));
}

static bool change(struct alteration *a, const struct meta_config_change *c, struct meta_refusal *r)
{
    const struct config_pair *found = meta_pairs_find(a->pairs, a->n_pairs, c->name);
    struct str now = found ? found->value : (struct str){NULL, 0};
    struct str value = c->op == META_CONFIG_SET ? c->value : (struct str){NULL, 0};

    if (c->op == META_CONFIG_SET || c->op == META_CONFIG_DELETE) {
        if (worth_writing(a, now, value))
            put(a, c->name, value);
        return true;
    }
    if (!is_list(a->asked->type, c->name))
        return meta_refuse(r, KE_INVALID_CONFIG, "Can't %s to key %s because its type is not LIST.",
                           c->op == META_CONFIG_APPEND ? "APPEND" : "SUBTRACT",
                           diag_escape(c->name));
    change_list(a, c, now);
    return true;
}

static bool is_named(const struct meta_alter_configs *asked, struct str name)
{
    for (int i = 0; i < asked->n_changes; i++)
        if (str_eq(asked->changes[i].name, name))
            return true;
    return false;
}

/* AlterConfigs: what is not named goes. But min.insync.replicas of the cluster has to stay. */
static void remove_others(struct alteration *a)
{
    for (int i = a->n_pairs - 1; i >= 0; i--) {
        struct str name = a->pairs[i].name;
        char *copy;

        if (is_named(a->asked, name) ||
            (a->asked->type == META_RESOURCE_BROKER && str_is(name, "min.insync.replicas")))
            continue;
        copy = str_dup(name);
        put(a, str_of(copy), (struct str){NULL, 0});
        free(copy);
    }
}

/* ---- checks ------------------------------------------------------------------------------------ */

/* With eligible leader replicas min.insync.replicas belongs to the cluster (KIP-966). */
static bool check_min_insync(const struct alteration *a, struct meta_refusal *r)
{
    for (int i = 0; i < a->asked->n_changes; i++) {
        const struct meta_config_change *c = &a->asked->changes[i];

        if (!str_is(c->name, "min.insync.replicas"))
            continue;
        if (a->asked->name.n > 0 && c->op == META_CONFIG_SET)
            return meta_refuse(
                r, KE_INVALID_CONFIG,
                "Broker-level min.insync.replicas cannot be altered while ELR is enabled.");
        if (a->asked->name.n == 0 && c->op == META_CONFIG_DELETE)
            return meta_refuse(
                r, KE_INVALID_CONFIG,
                "Cluster-level min.insync.replicas cannot be removed while ELR is enabled.");
    }
    return true;
}

static bool check_broker(const struct alteration *a, struct meta_refusal *r)
{
    struct errmsg why;

    if (!check_min_insync(a, r))
        return false;
    if (config_check_dynamic(a->m->config, a->pairs, a->n_pairs, a->asked->name.n > 0, &why) < 0)
        return meta_refuse(r, KE_INVALID_REQUEST, "%s", why.text);
    return true;
}

/* Texts that a log of Kafka's may hold, and that we cannot read, do not stand in the way of other changes. */
static bool check_topic(const struct alteration *a, struct meta_refusal *r)
{
    struct topic_config tc;
    struct errmsg why;

    if (!meta_topic_name_valid(a->asked->name, &why))
        return meta_refuse(r, KE_INVALID_TOPIC_EXCEPTION, "%s", why.text);
    for (int i = 0; i < a->n_pairs; i++)
        if (!config_topic_setting(a->pairs[i].name))
            return meta_refuse(r, KE_INVALID_CONFIG, "Unknown topic config name: %s",
                               diag_escape(a->pairs[i].name));
    if (meta_topic_config(a->m, a->pairs, a->n_pairs, &tc, &why) < 0)
        return meta_refuse(r, KE_INVALID_CONFIG, "%s", why.text);
    topic_config_release(&tc);
    if (!meta_topic(a->m, a->asked->name))
        return meta_refuse(r, KE_UNKNOWN_TOPIC_OR_PARTITION, "The topic '%.*s' does not exist.",
                           STR_ARG(a->asked->name));
    return true;
}

static int check_match(void *arg, struct str item)
{
    struct regex *compiled;
    struct str pattern;

    if (!config_client_match(item, &pattern) || regex_compile(pattern, &compiled, NULL) < 0) {
        meta_refuse(arg, KE_INVALID_CONFIG, "Illegal client matching pattern: %s",
                    diag_escape(item));
        return E_INVALID;
    }
    regex_free(compiled);
    return 0;
}

/* ClientMetricsConfigs.parseMatchingPatterns */
static bool check_matches(const struct alteration *a, struct meta_refusal *r)
{
    const struct config_pair *match = config_pair_find(a->pairs, a->n_pairs, STR("match"));
    union config_value v;
    int rc;

    if (!match)
        return true;
    rc = config_parse(config_client_metrics_setting(match->name), match->value, &v, NULL);
    ASSERT(rc == 0); /* it has been checked */
    rc = config_list_each(v.s, check_match, r);
    free(v.s);
    return rc == 0;
}

static bool check_client_metrics(const struct alteration *a, struct meta_refusal *r)
{
    struct errmsg why;
    bool well_formed;

    if (config_check_client_metrics(a->pairs, a->n_pairs, &well_formed, &why) < 0)
        return meta_refuse(r, well_formed ? KE_INVALID_CONFIG : KE_INVALID_REQUEST, "%s", why.text);
    return check_matches(a, r);
}

static bool check_group(const struct alteration *a, struct meta_refusal *r)
{
    struct errmsg why;

    if (config_check_group(a->m->config, a->pairs, a->n_pairs, &why) == 0)
        return true;
    return meta_refuse(r, KE_INVALID_CONFIG, "%s", why.text);
}

static bool check(const struct alteration *a, struct meta_refusal *r)
{
    switch (a->asked->type) {
    case META_RESOURCE_TOPIC:
        if (a->asked->name.n == 0)
            return meta_refuse(r, KE_INVALID_REQUEST, "Default topic resources are not allowed.");
        return check_topic(a, r);
    case META_RESOURCE_BROKER:
        return check_broker(a, r);
    case META_RESOURCE_CLIENT_METRICS:
        if (a->asked->name.n == 0)
            return meta_refuse(r, KE_INVALID_REQUEST, "Subscription name can't be empty");
        return check_client_metrics(a, r);
    case META_RESOURCE_GROUP:
        if (a->asked->name.n == 0)
            return meta_refuse(r, KE_INVALID_REQUEST, "Default group resources are not allowed.");
        return check_group(a, r);
    default:
        return meta_refuse(r, KE_INVALID_REQUEST, "Unknown resource type %d", (int)a->asked->type);
    }
}

/* ---- the whole --------------------------------------------------------------------------------- */

static bool decide(struct alteration *a, struct meta_refusal *r)
{
    for (int i = 0; i < a->asked->n_changes; i++)
        if (!change(a, &a->asked->changes[i], r))
            return false;
    if (a->asked->replace)
        remove_others(a);
    return check(a, r);
}

int meta_alter_configs(struct meta *m, const struct meta_alter_configs *asked, int16_t *error,
                       struct errmsg *why)
{
    struct alteration a = {.m = m, .asked = asked};
    struct meta_refusal r = {error, why};
    const struct config_pair *now;
    int n, rc = 0;

    ASSERT(m->magic == META_MAGIC);
    *error = KE_NONE;
    statelog_proposal_init(&a.proposal);
    now = meta_configs(m, asked->type, asked->name, &n);
    for (int i = 0; i < n; i++)
        meta_pairs_set(&a.pairs, &a.n_pairs, now[i].name, now[i].value);
    if (decide(&a, &r) && !asked->validate_only && a.proposal.n > 0)
        rc = meta_propose(m, &a.proposal);
    statelog_proposal_release(&a.proposal);
    meta_pairs_release(&a.pairs, &a.n_pairs);
    return rc;
}

void meta_each_configured(const struct meta *m, enum meta_resource_type type,
                          void (*fn)(void *arg, struct str name), void *arg)
{
    char prefix[16];
    size_t n = (size_t)snprintf(prefix, sizeof(prefix), "%d/", (int)type);

    for (const struct meta_resource *r = m->resources; r; r = r->hh.next)
        if (r->n_pairs > 0 && strncmp(r->key, prefix, n) == 0)
            fn(arg, str_of(r->key + n));
}
