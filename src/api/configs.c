/* DescribeConfigs (ConfigHelper): settings of topics, the broker, its loggers, client metrics and
 * groups.
 *
 * Owner: the request; rows live in its arena.
 *
 * Happy path: per resource: allowed? -> its row of the table -> a row per setting that was asked
 * for -> the reply when the metadata that it shows is durable. Failures:   per resource, with
 * Kafka's words; an unknown kind of resource fails the request whole.
 */
#include "rows.h"

/* Rows of one reply: a limit of ours, for a short request may ask for much. */
#define REPLY_ROWS_MAX 500000

struct describe {
    struct request *rq;
    const struct describe_configs_request_resources *asked;
    struct describe_configs_response_results *result;
    int64_t rows_left;
};

static void refuse(struct describe *d, int16_t error, struct str message)
{
    d->result->error_code = error;
    d->result->error_message = message;
}

/* Room for the resource's rows; false, with the error, when the reply would be too large. */
static bool reserve(struct describe *d, int n)
{
    if (n > d->rows_left) {
        refuse(d, KE_POLICY_VIOLATION,
               STR("The settings of these resources do not fit into one reply."));
        return false;
    }
    d->rows_left -= n;
    d->result->configs = arena_array(&d->rq->arena, (size_t)n, sizeof(*d->result->configs));
    d->result->n_configs = 0;
    return true;
}

/* No names, or an empty list of them, asks for all. */
static bool asked_for(const struct describe *d, struct str name)
{
    if (d->asked->n_configuration_keys <= 0)
        return true;
    for (int32_t i = 0; i < d->asked->n_configuration_keys; i++)
        if (str_eq(d->asked->configuration_keys[i], name))
            return true;
    return false;
}

static struct describe_configs_response_results_configs *add_row(struct describe *d,
                                                                 struct str name)
{
    struct describe_configs_response_results_configs *row =
        &d->result->configs[d->result->n_configs++];

    describe_configs_response_results_configs_init(row);
    row->name = name;
    row->value = row->documentation = (struct str){NULL, 0};
    row->config_source = SHOWN_DEFAULT;
    return row;
}

static struct describe_configs_response_results_configs *
add_setting(struct describe *d, const struct config_setting *st)
{
    const struct describe_configs_request *body = d->rq->body;
    struct describe_configs_response_results_configs *row = add_row(d, str_of(st->name));

    row->config_type = (int8_t)st->type;
    row->is_sensitive = st->sensitive;
    if (body->include_documentation)
        row->documentation = str_of(st->doc);
    return row;
}

/* A setting that is no one's: set by hand, kept, and not shown, for it may be a secret. */
static struct describe_configs_response_results_configs *add_unknown(struct describe *d,
                                                                     struct str name, int8_t source)
{
    struct describe_configs_response_results_configs *row = add_row(d, name);

    row->is_sensitive = true;
    row->config_source = source;
    return row;
}

static void set_source(struct describe *d, struct describe_configs_response_results_configs *row,
                       const struct api_synonym *synonyms, int n)
{
    const struct describe_configs_request *body = d->rq->body;

    row->config_source = n > 0 ? synonyms[0].source : SHOWN_DEFAULT;
    row->is_default = d->rq->version == 0 && row->config_source == SHOWN_DEFAULT;
    if (!body->include_synonyms)
        return;
    row->synonyms = arena_array(&d->rq->arena, (size_t)n, sizeof(*row->synonyms));
    row->n_synonyms = n;
    for (int i = 0; i < n; i++) {
        describe_configs_response_results_configs_synonyms_init(&row->synonyms[i]);
        row->synonyms[i].name = synonyms[i].name;
        row->synonyms[i].value = synonyms[i].value;
        row->synonyms[i].source = synonyms[i].source;
    }
}

/* ---- text of values
 * ------------------------------------------------------------------------------------------------------
 */

static const struct config_pair *find_pair(const struct config_pair *pairs, int n, struct str name)
{
    for (int i = 0; i < n; i++)
        if (str_eq(pairs[i].name, name))
            return &pairs[i];
    return NULL;
}

static bool holds_text(const struct config_setting *st)
{
    return st->type == CONFIG_STRING || st->type == CONFIG_LIST || st->type == CONFIG_CLASS ||
           st->type == CONFIG_PASSWORD;
}

/* What was set as text, as it reads when parsed. */
static struct str canonical(struct describe *d, const struct config_setting *st, struct str text)
{
    union config_value v;
    struct str shown;

    if (config_parse(st, text, &v, NULL) < 0)
        return text;
    shown = api_taken_text(d->rq, config_value_text(st, &v));
    if (holds_text(st))
        free(v.s);
    return shown;
}

/* ---- a topic
 * ---------------------------------------------------------------------------------------------------------------
 */

static struct str topic_value(struct describe *d, const struct meta_topic *t,
                              const struct config_setting *st, const struct config_pair *own)
{
    if (own)
        return canonical(d, st, own->value);
    if (st->field_at == SIZE_MAX && st->broker_synonym)
        return api_broker_value(d->rq, config_broker_setting(str_of(st->broker_synonym)));
    return api_taken_text(d->rq, topic_config_text(&t->config, st));
}

static void topic_setting(struct describe *d, const struct meta_topic *t,
                          const struct config_setting *st)
{
    const struct config_pair *own = find_pair(t->configs, t->n_configs, str_of(st->name));
    struct api_synonym synonyms[API_SYNONYMS_MAX + 1];
    struct describe_configs_response_results_configs *row;
    int n = 0;

    if (!asked_for(d, str_of(st->name)) || (!own && api_setting_hidden(st)))
        return;
    row = add_setting(d, st);
    row->value = topic_value(d, t, st, own);
    if (own)
        synonyms[n++] = (struct api_synonym){row->name, row->value, SHOWN_TOPIC};
    if (st->broker_synonym)
        n += api_broker_synonyms(d->rq, st->broker_synonym, synonyms + n);
    set_source(d, row, synonyms, n);
}

static void describe_topic(struct describe *d)
{
    struct str name = d->asked->resource_name;
    struct meta_topic *t = meta_topic(d->rq->broker->meta, name);
    struct errmsg why;

    if (!meta_topic_name_valid(name, &why)) {
        refuse(d, KE_INVALID_TOPIC_EXCEPTION, arena_str(&d->rq->arena, str_of(why.text)));
        return;
    }
    if (!t) {
        refuse(d, KE_UNKNOWN_TOPIC_OR_PARTITION, STR(""));
        return;
    }
    if (!reserve(d, config_n_topic_settings + t->n_configs))
        return;
    for (int i = 0; i < config_n_topic_settings; i++)
        topic_setting(d, t, &config_topic_settings[i]);
    for (int i = 0; i < t->n_configs; i++)
        if (!config_topic_setting(t->configs[i].name) && asked_for(d, t->configs[i].name))
            add_unknown(d, t->configs[i].name, SHOWN_TOPIC);
}

/* ---- the broker
 * ------------------------------------------------------------------------------------------------------------
 */

static void broker_setting(struct describe *d, const struct config_setting *st)
{
    struct api_synonym synonyms[API_SYNONYMS_MAX];
    struct describe_configs_response_results_configs *row;
    int n;

    if (!asked_for(d, str_of(st->name)))
        return;
    n = api_broker_synonyms(d->rq, st->name, synonyms);
    if (api_setting_hidden(st) && (n == 0 || synonyms[0].source == SHOWN_DEFAULT))
        return;
    row = add_setting(d, st);
    row->value = api_broker_value(d->rq, st);
    row->read_only = st->dynamic == CONFIG_STATIC;
    set_source(d, row, synonyms, n);
}

static void describe_this_broker(struct describe *d)
{
    const struct config *c = d->rq->broker->config;

    if (!reserve(d, config_n_broker_settings + c->n_given))
        return;
    for (int i = 0; i < config_n_broker_settings; i++)
        broker_setting(d, &config_broker_settings[i]);
    for (int i = 0; i < c->n_given; i++)
        if (!config_broker_setting(str_of(c->given[i].name)) &&
            asked_for(d, str_of(c->given[i].name)))
            add_unknown(d, str_of(c->given[i].name), SHOWN_STATIC_BROKER)->read_only = true;
}

/* The empty name: what holds for all brokers, and nothing else. */
static void describe_all_brokers(struct describe *d)
{
    const struct config_pair *pairs;
    int n;

    pairs = meta_configs(d->rq->broker->meta, META_RESOURCE_BROKER, STR(""), &n);
    if (!reserve(d, n))
        return;
    for (int i = 0; i < n; i++) {
        const struct config_setting *st = config_broker_setting(pairs[i].name);
        struct api_synonym self = {pairs[i].name, pairs[i].value, SHOWN_DYNAMIC_DEFAULT_BROKER};
        struct describe_configs_response_results_configs *row;

        if (!asked_for(d, pairs[i].name))
            continue;
        row = st ? add_setting(d, st) : add_unknown(d, pairs[i].name, SHOWN_DYNAMIC_DEFAULT_BROKER);
        row->read_only = !st || st->dynamic == CONFIG_STATIC;
        row->value = self.value = row->is_sensitive ? (struct str){NULL, 0} : pairs[i].value;
        set_source(d, row, &self, 1);
    }
}

/* Integer.parseInt */
static bool parse_id(struct str text, int64_t *id)
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

    if (!parse_id(name, &id))
        refuse(d, KE_INVALID_REQUEST,
               arena_printf(a, "Broker id must be an integer, but it is: %.*s", STR_ARG(name)));
    else if (id != d->rq->broker->node_id)
        refuse(d, KE_INVALID_REQUEST,
               arena_printf(a, "Unexpected broker id, expected %d%s but received %.*s",
                            d->rq->broker->node_id, or_what, STR_ARG(name)));
    else
        return true;
    return false;
}

static void describe_broker(struct describe *d)
{
    if (d->asked->resource_name.n == 0)
        describe_all_brokers(d);
    else if (is_this_broker(d, " or empty string,"))
        describe_this_broker(d);
}

/* There is one logger, and one level that it starts with. */
static void describe_loggers(struct describe *d)
{
    struct describe_configs_response_results_configs *row;

    if (d->asked->resource_name.n == 0) {
        refuse(d, KE_INVALID_REQUEST, STR("Broker id must not be empty"));
        return;
    }
    if (!is_this_broker(d, "") || !reserve(d, 1) || !asked_for(d, STR("root")))
        return;
    row = add_row(d, STR("root"));
    row->value = STR("INFO");
    row->config_source = SHOWN_BROKER_LOGGER;
    row->documentation = STR("");
}

/* ---- groups and client metrics
 * -----------------------------------------------------------------------------------------------
 */

/* ClientMetricsConfigs */
static const struct config_setting metrics_settings[] = {
    {.name = "metrics",
     .type = CONFIG_LIST,
     .default_text = "",
     .doc = "Prefixes of the metrics that clients push."},
    {.name = "interval.ms",
     .type = CONFIG_INT,
     .default_text = "300000",
     .doc = "How often they are pushed.",
     .min = 100,
     .max = 3600000,
     .also = 300000},
    {.name = "match",
     .type = CONFIG_LIST,
     .default_text = "",
     .doc = "Which clients are meant, as selector=pattern."},
};

static void describe_client_metrics(struct describe *d)
{
    const struct config_pair *pairs, *own;
    int n;

    if (d->asked->resource_name.n == 0) {
        refuse(d, KE_INVALID_REQUEST, STR("Client metrics subscription name must not be empty"));
        return;
    }
    pairs = meta_configs(d->rq->broker->meta, META_RESOURCE_CLIENT_METRICS, d->asked->resource_name,
                         &n);
    if (!reserve(d, ARRAY_SIZE(metrics_settings)))
        return;
    for (size_t i = 0; i < ARRAY_SIZE(metrics_settings); i++) {
        const struct config_setting *st = &metrics_settings[i];
        struct api_synonym self = {.name = str_of(st->name), .source = SHOWN_CLIENT_METRICS};
        struct describe_configs_response_results_configs *row;

        if (!asked_for(d, self.name))
            continue;
        own = find_pair(pairs, n, self.name);
        row = add_setting(d, st);
        row->value = self.value = own ? canonical(d, st, own->value) : str_of(st->default_text);
        set_source(d, row, &self, own ? 1 : 0);
    }
}

/* The broker setting that gives a group's default. One is a list there, of which the group takes
 * the first. */
static const struct config_setting *group_default(const struct config_setting *st)
{
    const char *name = st->broker_synonym;

    if (strcmp(st->name, "streams.assignor.name") == 0)
        name = "group.streams.assignors";
    return name ? config_broker_setting(str_of(name)) : NULL;
}

static struct str first_item(struct str list)
{
    const char *comma = list.n > 0 ? memchr(list.p, ',', list.n) : NULL;

    if (comma)
        list.n = (size_t)(comma - list.p);
    return list;
}

static void group_setting(struct describe *d, const struct config_setting *st,
                          const struct config_pair *own)
{
    const struct config_setting *from = group_default(st);
    struct api_synonym synonyms[API_SYNONYMS_MAX + 1];
    struct describe_configs_response_results_configs *row = add_setting(d, st);
    int n = 0;

    if (own)
        row->value = canonical(d, st, own->value);
    else
        row->value = from ? api_broker_value(d->rq, from) : str_of(st->default_text);
    if (!own && from && from->type == CONFIG_LIST && st->type != CONFIG_LIST)
        row->value = first_item(row->value);
    if (own)
        synonyms[n++] = (struct api_synonym){row->name, row->value, SHOWN_GROUP};
    if (from)
        n += api_broker_synonyms(d->rq, from->name, synonyms + n);
    else if (st->default_text)
        synonyms[n++] = (struct api_synonym){row->name, str_of(st->default_text), SHOWN_DEFAULT};
    set_source(d, row, synonyms, n);
}

static void describe_group(struct describe *d)
{
    const struct config_pair *pairs;
    int n;

    if (d->asked->resource_name.n == 0) {
        refuse(d, KE_INVALID_REQUEST, STR("Group name must not be empty"));
        return;
    }
    pairs = meta_configs(d->rq->broker->meta, META_RESOURCE_GROUP, d->asked->resource_name, &n);
    if (!reserve(d, config_n_group_settings))
        return;
    for (int i = 0; i < config_n_group_settings; i++) {
        const struct config_setting *st = &config_group_settings[i];
        const struct config_pair *own = find_pair(pairs, n, str_of(st->name));

        if (asked_for(d, str_of(st->name)) && (own || !api_setting_hidden(st)))
            group_setting(d, st, own);
    }
}

/* ---- the request
 * ---------------------------------------------------------------------------------------------------------------
 */

static const struct kind {
    enum meta_resource_type type;
    enum acl_resource acl;
    int16_t denied;
    const char *denied_text;
    void (*describe)(struct describe *d);
} kinds[] = {
    {META_RESOURCE_TOPIC, RESOURCE_TOPIC, KE_TOPIC_AUTHORIZATION_FAILED,
     "Topic authorization failed.", describe_topic},
    {META_RESOURCE_BROKER, RESOURCE_CLUSTER, KE_CLUSTER_AUTHORIZATION_FAILED,
     "Cluster authorization failed.", describe_broker},
    {META_RESOURCE_BROKER_LOGGER, RESOURCE_CLUSTER, KE_CLUSTER_AUTHORIZATION_FAILED,
     "Cluster authorization failed.", describe_loggers},
    {META_RESOURCE_CLIENT_METRICS, RESOURCE_CLUSTER, KE_CLUSTER_AUTHORIZATION_FAILED,
     "Cluster authorization failed.", describe_client_metrics},
    {META_RESOURCE_GROUP, RESOURCE_GROUP, KE_GROUP_AUTHORIZATION_FAILED,
     "Group authorization failed.", describe_group},
};

static const struct kind *kind_of(int8_t type)
{
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if ((int)kinds[i].type == type)
            return &kinds[i];
    return NULL;
}

static bool all_kinds_known(const struct describe_configs_request *body)
{
    for (int32_t i = 0; i < body->n_resources; i++)
        if (!kind_of(body->resources[i].resource_type))
            return false;
    return true;
}

static void describe_one(struct describe *d)
{
    const struct kind *kind = kind_of(d->asked->resource_type);
    struct str name =
        kind->acl == RESOURCE_CLUSTER ? CLUSTER_RESOURCE_NAME : d->asked->resource_name;

    if (request_allowed(d->rq, ACL_DESCRIBE_CONFIGS, kind->acl, name))
        kind->describe(d);
    else
        refuse(d, kind->denied, str_of(kind->denied_text));
}

void api_describe_configs_handle(struct request *rq)
{
    const struct describe_configs_request *body = rq->body;
    struct describe_configs_response *rsp = rq->response;
    struct describe d = {.rq = rq, .rows_left = REPLY_ROWS_MAX};
    bool known = all_kinds_known(body);

    rsp->throttle_time_ms = rq->throttle_ms;
    rsp->results = arena_array(&rq->arena, (size_t)body->n_resources, sizeof(*rsp->results));
    rsp->n_results = body->n_resources;
    for (int32_t i = 0; i < body->n_resources; i++) {
        d.asked = &body->resources[i];
        d.result = &rsp->results[i];
        describe_configs_response_results_init(d.result);
        d.result->error_message = STR("");
        d.result->resource_type = d.asked->resource_type;
        d.result->resource_name = d.asked->resource_name;
        if (known)
            describe_one(&d);
        else
            refuse(&d, KE_INVALID_REQUEST,
                   STR("This most likely occurs because of a request being malformed by the client "
                       "library or the "
                       "message was sent to an incompatible broker. See the broker logs for more "
                       "details."));
    }
    request_reply_after_meta(rq);
}
