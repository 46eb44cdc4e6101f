/* ListConfigResources (KafkaApis.handleListConfigResources, KIP-1142): what has settings, or could have.
 *
 * Owner: the request; rows live in its arena.
 *
 * Failures:   a type that cannot be listed fails the request whole.
 */
#include "rows.h"

struct listing {
    struct request *rq;
    struct list_config_resources_response_config_resources *rows;
    int32_t n, cap;
    int8_t type; /* of what is being added */
};

static void add(void *arg, struct str name)
{
    struct listing *l = arg;
    struct list_config_resources_response_config_resources *row;

    if (l->n == l->cap) {
        int32_t cap = MAX(64, l->cap * 2);
        struct list_config_resources_response_config_resources *rows =
            arena_array(&l->rq->arena, (size_t)cap, sizeof(*rows));

        for (int32_t i = 0; i < l->n; i++)
            rows[i] = l->rows[i];
        l->rows = rows;
        l->cap = cap;
    }
    row = &l->rows[l->n++];
    list_config_resources_response_config_resources_init(row);
    row->resource_name = name;
    row->resource_type = l->type;
}

static void add_this_broker(struct listing *l)
{
    add(l, arena_printf(&l->rq->arena, "%d", l->rq->broker->node_id));
}

static void add_brokers(struct listing *l)
{
    add_this_broker(l);
}

static void add_topics(struct listing *l)
{
    struct meta *m = l->rq->broker->meta;
    struct meta_topic **topics = meta_topics_sorted(m);

    for (int i = 0; i < meta_n_topics(m); i++)
        add(l, str_of(topics[i]->name));
}

static void add_configured(struct listing *l)
{
    meta_each_configured(l->rq->broker->meta, (enum meta_resource_type)l->type, add, l);
}

/* In the order of ConfigResource.Type. */
static const struct kind {
    enum meta_resource_type type;
    void (*list)(struct listing *l);
} kinds[] = {
    {META_RESOURCE_TOPIC, add_topics},
    {META_RESOURCE_BROKER, add_brokers},
    {META_RESOURCE_BROKER_LOGGER, add_this_broker},
    {META_RESOURCE_CLIENT_METRICS, add_configured},
    {META_RESOURCE_GROUP, add_configured},
};

static bool is_asked(const struct list_config_resources_request *body, int16_t version, int8_t type)
{
    if (version == 0)
        return type == META_RESOURCE_CLIENT_METRICS;
    for (int32_t i = 0; i < body->n_resource_types; i++)
        if (body->resource_types[i] == type)
            return true;
    return body->n_resource_types == 0;
}

static bool all_known(const struct list_config_resources_request *body)
{
    for (int32_t i = 0; i < body->n_resource_types; i++) {
        bool known = false;

        for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
            known |= (int)kinds[k].type == body->resource_types[i];
        if (!known)
            return false;
    }
    return true;
}

void api_list_config_resources_handle(struct request *rq)
{
    const struct list_config_resources_request *body = rq->body;
    struct list_config_resources_response *rsp = rq->response;
    struct listing l = {.rq = rq};

    rsp->throttle_time_ms = rq->throttle_ms;
    if (!request_allowed(rq, ACL_DESCRIBE_CONFIGS, RESOURCE_CLUSTER, CLUSTER_RESOURCE_NAME))
        rsp->error_code = KE_CLUSTER_AUTHORIZATION_FAILED;
    else if (!all_known(body))
        rsp->error_code = KE_UNSUPPORTED_VERSION;
    for (size_t k = 0; rsp->error_code == KE_NONE && k < ARRAY_SIZE(kinds); k++) {
        l.type = (int8_t)kinds[k].type;
        if (is_asked(body, rq->version, l.type))
            kinds[k].list(&l);
    }
    rsp->config_resources = l.rows;
    rsp->n_config_resources = l.n;
    request_reply_after_meta(rq);
}
