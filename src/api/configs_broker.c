/* DescribeConfigs of brokers and their loggers.
 *
 * Owner: the request; rows live in its arena.
 *
 * Failures:   a name that is not this broker's id is INVALID_REQUEST with Kafka's words.
 */
#include "configs.h"

static void broker_setting(struct describe *d, const struct config_setting *st)
{
    struct api_synonym synonyms[API_SYNONYMS_MAX];
    struct describe_configs_response_results_configs *row;
    int n;

    if (!configs_asked_for(d, str_of(st->name)))
        return;
    n = api_broker_synonyms(d->rq, st->name, synonyms);
    if (api_setting_hidden(st) && (n == 0 || synonyms[0].source == SHOWN_DEFAULT))
        return;
    row = configs_add_setting(d, st);
    row->value = api_broker_value(d->rq, st);
    row->read_only = st->dynamic == CONFIG_STATIC;
    configs_set_source(d, row, synonyms, n);
}

/* A name of the metadata's that is in no table of brokers: a listener's setting, a throttle, or no one's. */
static void dynamic_row(struct describe *d, struct str name)
{
    const struct config_setting *st = config_dynamic_setting(name);
    struct api_synonym synonyms[API_SYNONYMS_MAX];
    struct describe_configs_response_results_configs *row;
    int n;

    if (!configs_asked_for(d, name))
        return;
    n = api_broker_synonyms(d->rq, arena_printf(&d->rq->arena, "%.*s", STR_ARG(name)).p, synonyms);
    ASSERT(n > 0);
    row = st ? configs_add_setting(d, st) : configs_add_unknown(d, name, synonyms[0].source);
    row->name = synonyms[0].name;
    if (st && !st->sensitive)
        row->value = configs_canonical(d, st, synonyms[0].value);
    row->read_only = !st || st->dynamic == CONFIG_STATIC;
    configs_set_source(d, row, synonyms, n);
}

struct dynamic_pairs {
    const struct config_pair *pairs;
    int n;
};

static struct dynamic_pairs pairs_of(struct describe *d, struct str resource)
{
    struct dynamic_pairs p;

    p.pairs = meta_configs(d->rq->broker->meta, META_RESOURCE_BROKER, resource, &p.n);
    return p;
}

static bool is_among(struct dynamic_pairs p, struct str name)
{
    return config_pair_find(p.pairs, p.n, name) != NULL;
}

static void describe_this_broker(struct describe *d)
{
    const struct config *c = d->rq->broker->config;
    struct dynamic_pairs own = pairs_of(d, d->asked->resource_name);
    struct dynamic_pairs all = pairs_of(d, STR(""));

    if (!configs_reserve(d, config_n_broker_settings + own.n + all.n + c->n_given))
        return;
    for (int i = 0; i < config_n_broker_settings; i++)
        broker_setting(d, &config_broker_settings[i]);
    for (int i = 0; i < own.n; i++)
        if (!config_broker_setting(own.pairs[i].name))
            dynamic_row(d, own.pairs[i].name);
    for (int i = 0; i < all.n; i++)
        if (!config_broker_setting(all.pairs[i].name) && !is_among(own, all.pairs[i].name))
            dynamic_row(d, all.pairs[i].name);
    for (int i = 0; i < c->n_given; i++) {
        struct str name = str_of(c->given[i].name);

        if (!config_broker_setting(name) && !is_among(own, name) && !is_among(all, name) &&
            configs_asked_for(d, name))
            configs_add_unknown(d, name, SHOWN_STATIC_BROKER)->read_only = true;
    }
}

/* The empty name: what holds for all brokers, and nothing else. */
static void describe_all_brokers(struct describe *d)
{
    const struct config_pair *pairs;
    int n;

    pairs = meta_configs(d->rq->broker->meta, META_RESOURCE_BROKER, STR(""), &n);
    if (!configs_reserve(d, n))
        return;
    for (int i = 0; i < n; i++) {
        const struct config_setting *st = config_dynamic_setting(pairs[i].name);
        struct api_synonym self = {pairs[i].name, pairs[i].value, SHOWN_DYNAMIC_DEFAULT_BROKER};
        struct describe_configs_response_results_configs *row;

        if (!configs_asked_for(d, pairs[i].name))
            continue;
        row = st ? configs_add_setting(d, st)
                 : configs_add_unknown(d, pairs[i].name, SHOWN_DYNAMIC_DEFAULT_BROKER);
        row->name = pairs[i].name;
        row->read_only = !st || st->dynamic == CONFIG_STATIC;
        row->value = self.value = row->is_sensitive ? (struct str){NULL, 0} : pairs[i].value;
        configs_set_source(d, row, &self, 1);
    }
}

bool configs_parse_id(struct str text, int64_t *id)
{
    bool negative = text.n > 0 && text.p[0] == '-';
    size_t i = negative || (text.n > 0 && text.p[0] == '+') ? 1 : 0;

    *id = 0;
    if (i == text.n)
        return false;
    for (; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return false;
        *id = *id * 10 + (text.p[i] - '0');
        if (*id > (int64_t)INT32_MAX + negative)
            return false;
    }
    if (negative)
        *id = -*id;
    return true;
}

/* Whether the resource is this broker; otherwise the error is set. */
static bool is_this_broker(struct describe *d, const char *or_what)
{
    struct arena *a = &d->rq->arena;
    struct str name = d->asked->resource_name;
    int64_t id;

    if (!configs_parse_id(name, &id))
        configs_refuse(
            d, KE_INVALID_REQUEST,
            arena_printf(a, "Broker id must be an integer, but it is: %.*s", STR_ARG(name)));
    else if (id != d->rq->broker->node_id)
        configs_refuse(d, KE_INVALID_REQUEST,
                       arena_printf(a, "Unexpected broker id, expected %d%s but received %.*s",
                                    d->rq->broker->node_id, or_what, STR_ARG(name)));
    else
        return true;
    return false;
}

void configs_describe_broker(struct describe *d)
{
    if (d->asked->resource_name.n == 0)
        describe_all_brokers(d);
    else if (is_this_broker(d, " or empty string,"))
        describe_this_broker(d);
}

static void logger(struct describe *d, enum diag_area area)
{
    struct str name = str_of(diag_area_name(area));
    struct describe_configs_response_results_configs *row;

    if (!configs_asked_for(d, name))
        return;
    row = configs_add_row(d, name);
    row->value = str_of(diag_level_name(diag_area_level(area)));
    row->config_source = SHOWN_BROKER_LOGGER;
    row->documentation = STR("");
}

void configs_describe_loggers(struct describe *d)
{
    if (d->asked->resource_name.n == 0) {
        configs_refuse(d, KE_INVALID_REQUEST, STR("Broker id must not be empty"));
        return;
    }
    if (!is_this_broker(d, "") || !configs_reserve(d, DIAG_N_AREAS))
        return;
    for (int i = 0; i < DIAG_N_AREAS; i++)
        logger(d, (enum diag_area)i);
}
