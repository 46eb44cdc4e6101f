/* DescribeConfigs (ConfigHelper): the request, the rows of its reply, and the settings of topics.
 *
 * Owner: the request; rows live in its arena.
 *
 * Happy path: each resource: allowed? -> its row of the table -> a row per setting that was asked
 *             for -> the reply when the metadata that it shows is durable.
 * Failures:   per resource, with Kafka's words; an unknown kind of resource fails the request
 *             whole.
 */
#include "configs.h"

/* Rows of one reply: a limit of ours, for a short request may ask for much. */
#define REPLY_ROWS_MAX 500000

/* ---- rows ------------------------------------------------------------------------------------ */

void configs_refuse(struct describe *d, int16_t error, struct str message)
{
    d->result->error_code = error;
    d->result->error_message = message;
}

bool configs_reserve(struct describe *d, int n)
{
    if (n > d->rows_left) {
        configs_refuse(d, KE_POLICY_VIOLATION,
                       STR("The settings of these resources do not fit into one reply."));
        return false;
    }
    d->rows_left -= n;
    d->result->configs = arena_array(&d->rq->arena, (size_t)n, sizeof(*d->result->configs));
    d->result->n_configs = 0;
    return true;
}

bool configs_asked_for(const struct describe *d, struct str name)
{
    if (d->asked->n_configuration_keys <= 0)
        return true;
    for (int32_t i = 0; i < d->asked->n_configuration_keys; i++)
        if (str_eq(d->asked->configuration_keys[i], name))
            return true;
    return false;
}

struct describe_configs_response_results_configs *configs_add_row(struct describe *d,
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

struct describe_configs_response_results_configs *
configs_add_setting(struct describe *d, const struct config_setting *st)
{
    const struct describe_configs_request *body = d->rq->body;
    struct describe_configs_response_results_configs *row = configs_add_row(d, str_of(st->name));

    row->config_type = (int8_t)st->type;
    row->is_sensitive = st->sensitive;
    if (body->include_documentation)
        row->documentation = str_of(st->doc);
    return row;
}

/* A setting that is no one's: set by hand, kept, and not shown, for it may be a secret. */
struct describe_configs_response_results_configs *
configs_add_unknown(struct describe *d, struct str name, int8_t source)
{
    struct describe_configs_response_results_configs *row = configs_add_row(d, name);

    row->is_sensitive = true;
    row->config_source = source;
    return row;
}

void configs_set_source(struct describe *d, struct describe_configs_response_results_configs *row,
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

/* ---- text of values -------------------------------------------------------------------------- */

struct str configs_canonical(struct describe *d, const struct config_setting *st, struct str text)
{
    return api_canonical(d->rq, st, text);
}

/* ---- a topic --------------------------------------------------------------------------------- */

static struct str topic_value(struct describe *d, const struct meta_topic *t,
                              const struct config_setting *st, const struct config_pair *own)
{
    if (own)
        return configs_canonical(d, st, own->value);
    if (st->field_at == SIZE_MAX && st->broker_synonym)
        return api_broker_value(d->rq, config_broker_setting(str_of(st->broker_synonym)));
    return api_taken_text(d->rq, topic_config_text(&t->config, st));
}

static void topic_setting(struct describe *d, const struct meta_topic *t,
                          const struct config_setting *st)
{
    const struct config_pair *own = config_pair_find(t->configs, t->n_configs, str_of(st->name));
    struct api_synonym synonyms[API_SYNONYMS_MAX + 1];
    struct describe_configs_response_results_configs *row;
    int n = 0;

    if (!configs_asked_for(d, str_of(st->name)) || (!own && api_setting_hidden(st)))
        return;
    row = configs_add_setting(d, st);
    row->value = topic_value(d, t, st, own);
    if (own)
        synonyms[n++] = (struct api_synonym){row->name, row->value, SHOWN_TOPIC};
    if (st->broker_synonym)
        n += api_broker_synonyms(d->rq, st->broker_synonym, synonyms + n);
    configs_set_source(d, row, synonyms, n);
}

static void describe_topic(struct describe *d)
{
    struct str name = d->asked->resource_name;
    struct meta_topic *t = meta_topic(d->rq->broker->meta, name);
    struct errmsg why;

    if (!meta_topic_name_valid(name, &why)) {
        configs_refuse(d, KE_INVALID_TOPIC_EXCEPTION, arena_str(&d->rq->arena, str_of(why.text)));
        return;
    }
    if (!t) {
        configs_refuse(d, KE_UNKNOWN_TOPIC_OR_PARTITION, STR(""));
        return;
    }
    if (!configs_reserve(d, config_n_topic_settings + t->n_configs))
        return;
    for (int i = 0; i < config_n_topic_settings; i++)
        topic_setting(d, t, &config_topic_settings[i]);
    for (int i = 0; i < t->n_configs; i++)
        if (!config_topic_setting(t->configs[i].name) && configs_asked_for(d, t->configs[i].name))
            configs_add_unknown(d, t->configs[i].name, SHOWN_TOPIC);
}

/* ---- the request ----------------------------------------------------------------------------- */

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
     "Cluster authorization failed.", configs_describe_broker},
    {META_RESOURCE_BROKER_LOGGER, RESOURCE_CLUSTER, KE_CLUSTER_AUTHORIZATION_FAILED,
     "Cluster authorization failed.", configs_describe_loggers},
    {META_RESOURCE_CLIENT_METRICS, RESOURCE_CLUSTER, KE_CLUSTER_AUTHORIZATION_FAILED,
     "Cluster authorization failed.", configs_describe_client_metrics},
    {META_RESOURCE_GROUP, RESOURCE_GROUP, KE_GROUP_AUTHORIZATION_FAILED,
     "Group authorization failed.", configs_describe_group},
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
        configs_refuse(d, kind->denied, str_of(kind->denied_text));
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
            configs_refuse(
                &d, KE_INVALID_REQUEST,
                STR("This most likely occurs because of a request being malformed by the client "
                    "library or the message was sent to an incompatible broker. See the broker "
                    "logs for more details."));
    }
    request_reply_after_meta(rq);
}
