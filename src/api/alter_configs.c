/* AlterConfigs and IncrementalAlterConfigs (ConfigAdminManager, ControllerApis): one shape for both.
 *
 * Owner: the request; everything lives in its arena.
 *
 * Happy path: doubles out -> each resource: well formed? allowed? -> meta_alter_configs -> the reply when all is durable.
 * Failures:   per resource, with Kafka's words; the others are changed all the same.
 */
#include "configs.h"

/* A resource to change, whichever request named it. */
struct wanted {
    int8_t type;
    struct str name;
    struct meta_config_change *changes;
    int n_changes;
    int16_t error;
    struct str message;
};
struct alter {
    struct request *rq;
    struct wanted *list;
    int n;
    bool replace, validate_only;
};

static bool refuse(struct wanted *w, int16_t error, struct str message)
{
    w->error = error;
    w->message = message;
    return false;
}

/* ---- what is well formed ---------------------------------------------------------------------- */

static void refuse_doubles(struct alter *a)
{
    struct arena *arena = &a->rq->arena;
    struct bytes *keys = arena_array(arena, (size_t)a->n, sizeof(*keys));
    enum key_seen *seen;

    for (int i = 0; i < a->n; i++) {
        struct str key = arena_printf(arena, "%d/%.*s", a->list[i].type, STR_ARG(a->list[i].name));

        keys[i] = bytes_of(key.p, key.n);
    }
    seen = api_keys_seen(arena, keys, a->n);
    for (int i = 0; i < a->n; i++)
        if (seen[i] != KEY_ONCE)
            refuse(&a->list[i], KE_INVALID_REQUEST, STR("Each resource must appear at most once."));
}

static bool names_differ(struct arena *arena, const struct wanted *w)
{
    struct bytes *keys = arena_array(arena, (size_t)w->n_changes, sizeof(*keys));
    enum key_seen *seen;

    for (int i = 0; i < w->n_changes; i++)
        keys[i] = bytes_of(w->changes[i].name.p, w->changes[i].name.n);
    seen = api_keys_seen(arena, keys, w->n_changes);
    for (int i = 0; i < w->n_changes; i++)
        if (seen[i] != KEY_ONCE)
            return false;
    return true;
}

/* The names of those that lack a value, with ", " between. */
static struct str without_value(struct arena *arena, const struct wanted *w)
{
    struct str names = {NULL, 0};

    for (int i = 0; i < w->n_changes; i++) {
        const struct meta_config_change *c = &w->changes[i];

        if (c->op == META_CONFIG_DELETE || c->value.p)
            continue;
        names =
            names.p ? arena_printf(arena, "%.*s, %.*s", STR_ARG(names), STR_ARG(c->name)) : c->name;
    }
    return names;
}

static bool check_form(struct alter *a, struct wanted *w)
{
    struct arena *arena = &a->rq->arena;
    struct str empty;

    if (!names_differ(arena, w))
        return refuse(w, KE_INVALID_REQUEST, STR("Error due to duplicate config keys"));
    empty = without_value(arena, w);
    if (empty.p)
        return refuse(w, KE_INVALID_REQUEST,
                      arena_printf(arena, "Null value not supported for : %.*s", STR_ARG(empty)));
    for (int i = 0; i < w->n_changes; i++)
        if (w->changes[i].op < META_CONFIG_SET || w->changes[i].op > META_CONFIG_SUBTRACT)
            return refuse(w, KE_INVALID_REQUEST,
                          arena_printf(arena,
                                       "Unknown operation type %d for the configuration %.*s",
                                       (int)w->changes[i].op, STR_ARG(w->changes[i].name)));
    return true;
}

/* A broker is named by its id; "" is all of them. */
static bool check_broker_name(struct alter *a, struct wanted *w, bool or_empty)
{
    struct arena *arena = &a->rq->arena;
    int64_t id;

    if (or_empty && w->name.n == 0)
        return true;
    if (!configs_parse_id(w->name, &id))
        return refuse(
            w, KE_INVALID_REQUEST,
            arena_printf(arena, "Node id must be an integer, but it is: %.*s", STR_ARG(w->name)));
    if (id != a->rq->broker->node_id)
        return refuse(w, KE_INVALID_REQUEST,
                      arena_printf(arena, "Unexpected broker id, expected %d, but received %.*s",
                                   a->rq->broker->node_id, STR_ARG(w->name)));
    return true;
}

/* ---- loggers: not stored ----------------------------------------------------------------------- */

static bool check_level(struct alter *a, struct wanted *w, const struct meta_config_change *c)
{
    struct arena *arena = &a->rq->arena;
    enum diag_area area;
    enum diag_level level;

    if (c->op == META_CONFIG_APPEND || c->op == META_CONFIG_SUBTRACT)
        return refuse(w, KE_INVALID_REQUEST,
                      arena_printf(arena,
                                   "%s operation is not allowed for the BROKER_LOGGER resource",
                                   c->op == META_CONFIG_APPEND ? "APPEND" : "SUBTRACT"));
    if (!diag_area_of(c->name, &area))
        return refuse(w, KE_INVALID_CONFIG,
                      arena_printf(arena, "Logger %.*s does not exist!", STR_ARG(c->name)));
    if (c->op == META_CONFIG_DELETE && area != DIAG_AREA_ROOT)
        return true;
    if (c->op == META_CONFIG_DELETE)
        return refuse(w, KE_INVALID_REQUEST,
                      STR("Removing the log level of the root logger is not allowed"));
    if (!diag_level_of(c->value, &level))
        return refuse(
            w, KE_INVALID_CONFIG,
            arena_printf(arena,
                         "Cannot set the log level of %.*s to %.*s as it is not a supported "
                         "log level. Valid log levels are DEBUG, ERROR, FATAL, INFO, TRACE, "
                         "WARN",
                         STR_ARG(c->name), STR_ARG(c->value)));
    return true;
}

static void alter_logger(const struct meta_config_change *c)
{
    enum diag_area area = DIAG_N_AREAS;
    enum diag_level level = DIAG_INFO;

    diag_area_of(c->name, &area); /* both are known to be good */
    diag_level_of(c->value, &level);
    if (c->op == META_CONFIG_DELETE)
        diag_unset_area_level(area);
    else
        diag_set_area_level(area, level);
}

static void alter_loggers(struct alter *a, struct wanted *w)
{
    if (a->replace) {
        refuse(w, KE_INVALID_REQUEST, STR("Unknown resource type 8"));
        return;
    }
    if (!check_broker_name(a, w, false))
        return;
    for (int i = 0; i < w->n_changes; i++)
        if (!check_level(a, w, &w->changes[i]))
            return;
    for (int i = 0; !a->validate_only && i < w->n_changes; i++)
        alter_logger(&w->changes[i]);
}

/* ---- the resources ----------------------------------------------------------------------------- */

static void alter_stored(struct alter *a, struct wanted *w)
{
    struct meta_alter_configs change = {.type = (enum meta_resource_type)w->type,
                                        .name = w->name,
                                        .changes = w->changes,
                                        .n_changes = w->n_changes,
                                        .replace = a->replace,
                                        .validate_only = a->validate_only};
    struct errmsg why = {.text = ""};
    int rc = meta_alter_configs(a->rq->broker->meta, &change, &w->error, &why);

    if (rc < 0)
        refuse(w, (int16_t)err_kafka(rc), str_of(err_text(rc)));
    else if (w->error)
        w->message = arena_str(&a->rq->arena, str_of(why.text));
}

static void alter_broker(struct alter *a, struct wanted *w)
{
    if (check_broker_name(a, w, true))
        alter_stored(a, w);
}

static const struct kind {
    enum meta_resource_type type;
    enum acl_resource acl;
    int16_t denied;
    const char *denied_text;
    void (*alter)(struct alter *a, struct wanted *w);
} kinds[] = {
    {META_RESOURCE_TOPIC, RESOURCE_TOPIC, KE_TOPIC_AUTHORIZATION_FAILED,
     "Topic authorization failed.", alter_stored},
    {META_RESOURCE_BROKER, RESOURCE_CLUSTER, KE_CLUSTER_AUTHORIZATION_FAILED,
     "Cluster authorization failed.", alter_broker},
    {META_RESOURCE_BROKER_LOGGER, RESOURCE_CLUSTER, KE_CLUSTER_AUTHORIZATION_FAILED,
     "Cluster authorization failed.", alter_loggers},
    {META_RESOURCE_CLIENT_METRICS, RESOURCE_CLUSTER, KE_CLUSTER_AUTHORIZATION_FAILED,
     "Cluster authorization failed.", alter_stored},
    {META_RESOURCE_GROUP, RESOURCE_GROUP, KE_GROUP_AUTHORIZATION_FAILED,
     "Group authorization failed.", alter_stored},
};

static const struct kind *kind_of(int8_t type)
{
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if ((int)kinds[i].type == type)
            return &kinds[i];
    return NULL;
}

static void alter_one(struct alter *a, struct wanted *w)
{
    const struct kind *kind = kind_of(w->type);
    struct str name;

    if (w->error || !check_form(a, w))
        return;
    if (!kind) {
        refuse(w, KE_INVALID_REQUEST,
               arena_printf(&a->rq->arena, "Unknown resource type %d", w->type));
        return;
    }
    name = kind->acl == RESOURCE_CLUSTER ? CLUSTER_RESOURCE_NAME : w->name;
    if (request_allowed(a->rq, ACL_ALTER_CONFIGS, kind->acl, name))
        kind->alter(a, w);
    else
        refuse(w, kind->denied, str_of(kind->denied_text));
}

static void alter_all(struct alter *a)
{
    refuse_doubles(a);
    for (int i = 0; i < a->n; i++)
        alter_one(a, &a->list[i]);
}

/* ---- the two requests -------------------------------------------------------------------------- */

static void answer(const struct wanted *w, int16_t *error, struct str *message, int8_t *type,
                   struct str *name)
{
    *error = w->error;
    *message = w->message;
    *type = w->type;
    *name = w->name;
}

void api_alter_configs_handle(struct request *rq)
{
    const struct alter_configs_request *body = rq->body;
    struct alter_configs_response *rsp = rq->response;
    struct alter a = {
        .rq = rq, .n = body->n_resources, .replace = true, .validate_only = body->validate_only};

    a.list = arena_array(&rq->arena, (size_t)a.n, sizeof(*a.list));
    for (int i = 0; i < a.n; i++) {
        const struct alter_configs_request_resources *r = &body->resources[i];
        struct meta_config_change *changes =
            arena_array(&rq->arena, (size_t)r->n_configs, sizeof(*changes));

        for (int32_t j = 0; j < r->n_configs; j++)
            changes[j] = (struct meta_config_change){META_CONFIG_SET, r->configs[j].name,
                                                     r->configs[j].value};
        a.list[i] = (struct wanted){.type = r->resource_type,
                                    .name = r->resource_name,
                                    .changes = changes,
                                    .n_changes = r->n_configs};
    }
    alter_all(&a);
    rsp->throttle_time_ms = rq->throttle_ms;
    rsp->responses = arena_array(&rq->arena, (size_t)a.n, sizeof(*rsp->responses));
    rsp->n_responses = a.n;
    for (int i = 0; i < a.n; i++) {
        struct alter_configs_response_responses *row = &rsp->responses[i];

        alter_configs_response_responses_init(row);
        answer(&a.list[i], &row->error_code, &row->error_message, &row->resource_type,
               &row->resource_name);
    }
    request_reply_after_meta(rq);
}

void api_incremental_alter_configs_handle(struct request *rq)
{
    const struct incremental_alter_configs_request *body = rq->body;
    struct incremental_alter_configs_response *rsp = rq->response;
    struct alter a = {.rq = rq, .n = body->n_resources, .validate_only = body->validate_only};

    a.list = arena_array(&rq->arena, (size_t)a.n, sizeof(*a.list));
    for (int i = 0; i < a.n; i++) {
        const struct incremental_alter_configs_request_resources *r = &body->resources[i];
        struct meta_config_change *changes =
            arena_array(&rq->arena, (size_t)r->n_configs, sizeof(*changes));

        for (int32_t j = 0; j < r->n_configs; j++)
            changes[j] =
                (struct meta_config_change){(enum meta_config_op)r->configs[j].config_operation,
                                            r->configs[j].name, r->configs[j].value};
        a.list[i] = (struct wanted){.type = r->resource_type,
                                    .name = r->resource_name,
                                    .changes = changes,
                                    .n_changes = r->n_configs};
    }
    alter_all(&a);
    rsp->throttle_time_ms = rq->throttle_ms;
    rsp->responses = arena_array(&rq->arena, (size_t)a.n, sizeof(*rsp->responses));
    rsp->n_responses = a.n;
    for (int i = 0; i < a.n; i++) {
        struct incremental_alter_configs_response_responses *row = &rsp->responses[i];

        incremental_alter_configs_response_responses_init(row);
        answer(&a.list[i], &row->error_code, &row->error_message, &row->resource_type,
               &row->resource_name);
    }
    request_reply_after_meta(rq);
}
