/* Settings of groups and of subscriptions to clients' metrics: what may be stored (GroupConfig, ClientMetricsConfigs).
 *
 * Owner: nobody; pure functions.
 *
 * Failures:   E_INVALID with Kafka's words.
 */
#include "config.h"
#include "fields.h"
#include "text.h"

const struct config_pair *config_pair_find(const struct config_pair *pairs, int n, struct str name)
{
    for (int i = n - 1; i >= 0; i--)
        if (str_eq(pairs[i].name, name))
            return &pairs[i];
    return NULL;
}

static int invalid(struct errmsg *msg, const char *fmt, ...) PRINTF_LIKE(2, 3);
static int invalid(struct errmsg *msg, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    if (msg != NULL)
        vsnprintf(msg->text, sizeof(msg->text), fmt, args);
    va_end(args);
    return E_INVALID;
}

/* Parses it, and lets it go again. */
static int check_value(const struct config_setting *st, struct str text, struct errmsg *msg)
{
    union config_value v;
    int rc = config_parse(st, text, &v, msg);

    if (rc == 0)
        value_release(st, &v);
    return rc;
}

/* ---- groups ---------------------------------------------------------------------------------- */

/* Bounds that the broker's settings give. */
#define FIELD(f) offsetof(struct config, f)
#define NONE     SIZE_MAX
#define RANGE(group, what)                                                                         \
    {                                                                                              \
        FIELD(group_##group##_min_##what), FIELD(group_##group##_max_##what)                       \
    }
static const struct bound {
    const char *name;
    struct {
        size_t least_at, most_at;
    } at;
} bounds[] = {
    {"consumer.heartbeat.interval.ms", RANGE(consumer, heartbeat_interval_ms)},
    {"consumer.session.timeout.ms", RANGE(consumer, session_timeout_ms)},
    {"consumer.assignment.interval.ms", RANGE(consumer, assignment_interval_ms)},
    {"share.heartbeat.interval.ms", RANGE(share, heartbeat_interval_ms)},
    {"share.session.timeout.ms", RANGE(share, session_timeout_ms)},
    {"share.record.lock.duration.ms", RANGE(share, record_lock_duration_ms)},
    {"share.delivery.count.limit", RANGE(share, delivery_count_limit)},
    {"share.partition.max.record.locks", RANGE(share, partition_max_record_locks)},
    {"share.assignment.interval.ms", RANGE(share, assignment_interval_ms)},
    {"streams.heartbeat.interval.ms", RANGE(streams, heartbeat_interval_ms)},
    {"streams.session.timeout.ms", RANGE(streams, session_timeout_ms)},
    {"streams.num.standby.replicas", {NONE, FIELD(group_streams_max_standby_replicas)}},
    {"streams.assignment.interval.ms", RANGE(streams, assignment_interval_ms)},
    {"streams.task.offset.interval.ms", {FIELD(group_streams_min_task_offset_interval_ms), NONE}},
    {"streams.num.warmup.replicas", {NONE, FIELD(group_streams_max_warmup_replicas)}},
};

static int64_t field_at(const struct config *c, size_t at)
{
    return *(const int64_t *)((const char *)c + at);
}

static int check_bound(const struct config *c, const struct bound *b, int64_t v, struct errmsg *msg)
{
    int64_t least = b->at.least_at == NONE ? INT64_MIN : field_at(c, b->at.least_at);
    int64_t most = b->at.most_at == NONE ? INT64_MAX : field_at(c, b->at.most_at);

    if (v >= least && v <= most)
        return 0;
    if (b->at.least_at == NONE)
        return invalid(msg, "%s must be less than or equal to %s", b->name,
                       config_setting_at(b->at.most_at)->name);
    if (b->at.most_at == NONE)
        return invalid(msg, "%s must be greater than or equal to %s", b->name,
                       config_setting_at(b->at.least_at)->name);
    return invalid(msg, "%s must be in the range %lld to %lld inclusive.", b->name,
                   (long long)least, (long long)most);
}

/* A number that was set; it was checked before. */
static int64_t number_of(const struct config_pair *p)
{
    union config_value v;
    int rc = config_parse(config_group_setting(p->name), p->value, &v, NULL);

    ASSERT(rc == 0);
    return v.i;
}

static const struct {
    const char *session, *heartbeat;
    size_t session_at, heartbeat_at;
} timeouts[] = {
    {"consumer.session.timeout.ms", "consumer.heartbeat.interval.ms",
     FIELD(group_consumer_session_timeout_ms), FIELD(group_consumer_heartbeat_interval_ms)},
    {"share.session.timeout.ms", "share.heartbeat.interval.ms",
     FIELD(group_share_session_timeout_ms), FIELD(group_share_heartbeat_interval_ms)},
    {"streams.session.timeout.ms", "streams.heartbeat.interval.ms",
     FIELD(group_streams_session_timeout_ms), FIELD(group_streams_heartbeat_interval_ms)},
};

/* A member must be able to send a heartbeat before its session ends. */
static int check_timeouts(const struct config *c, const struct config_pair *pairs, int n,
                          struct errmsg *msg)
{
    for (size_t i = 0; i < ARRAY_SIZE(timeouts); i++) {
        const struct config_pair *s = config_pair_find(pairs, n, str_of(timeouts[i].session));
        const struct config_pair *h = config_pair_find(pairs, n, str_of(timeouts[i].heartbeat));
        int64_t session = s != NULL ? number_of(s) : field_at(c, timeouts[i].session_at);
        int64_t heartbeat = h != NULL ? number_of(h) : field_at(c, timeouts[i].heartbeat_at);

        if ((s != NULL || h != NULL) && session <= heartbeat)
            return invalid(msg, "%s must be greater than %s", timeouts[i].session,
                           timeouts[i].heartbeat);
    }
    return 0;
}

/* "a:1" and "a:2" are two tags; equal texts are one too many. */
static int check_tags(const struct config_pair *p, struct errmsg *msg)
{
    struct str rest = p->value, item, other_rest, other;

    while (text_next(&rest, ',', &item)) {
        other_rest = rest;
        while (text_next(&other_rest, ',', &other))
            if (str_eq(text_trim(item), text_trim(other)))
                return invalid(
                    msg, "streams.rack.aware.assignment.tags must not contain duplicate tag keys.");
    }
    return 0;
}

static int check_texts(const struct config *c, const struct config_pair *pairs, int n,
                       struct errmsg *msg)
{
    const struct config_pair *assignor = config_pair_find(pairs, n, STR("streams.assignor.name"));
    const struct config_pair *dlq =
        config_pair_find(pairs, n, STR("errors.deadletterqueue.topic.name"));

    if (assignor != NULL && assignor->value.n > 0) {
        char *name = str_dup(assignor->value);
        bool known = config_list_has(c->group_streams_assignors, name);

        free(name);
        if (!known)
            return invalid(msg,
                           "streams.assignor.name '%s' is not a registered task assignor. "
                           "Registered assignors are: [%s].",
                           diag_escape(assignor->value), c->group_streams_assignors);
    }
    if (dlq != NULL && text_starts(dlq->value, "__"))
        return invalid(
            msg, "errors.deadletterqueue.topic.name: DLQ topic name must not start with '__'");
    return 0;
}

int config_check_group(const struct config *c, const struct config_pair *pairs, int n,
                       struct errmsg *msg)
{
    const struct config_pair *tags =
        config_pair_find(pairs, n, STR("streams.rack.aware.assignment.tags"));
    int rc = 0;

    for (int i = 0; i < n; i++)
        if (config_group_setting(pairs[i].name) == NULL)
            return invalid(msg, "Unknown group config name: %s", diag_escape(pairs[i].name));
    if (tags != NULL && tags->value.n > 0)
        rc = check_tags(tags, msg);
    for (int i = 0; rc == 0 && i < n; i++)
        rc = check_value(config_group_setting(pairs[i].name), pairs[i].value, msg);
    for (size_t i = 0; rc == 0 && i < ARRAY_SIZE(bounds); i++) {
        const struct config_pair *p = config_pair_find(pairs, n, str_of(bounds[i].name));

        if (p != NULL)
            rc = check_bound(c, &bounds[i], number_of(p), msg);
    }
    if (rc == 0)
        rc = check_texts(c, pairs, n, msg);
    return rc < 0 ? rc : check_timeouts(c, pairs, n, msg);
}

/* ---- client metrics -------------------------------------------------------------------------- */

#define INTERVAL_MS_MIN 100
#define INTERVAL_MS_MAX 3600000

/* String.split: what is empty at the end does not count. */
static struct str without_last(struct str text, char c)
{
    while (text.n > 0 && text.p[text.n - 1] == c)
        text.n--;
    return text;
}

bool config_client_match(struct str item, struct str *pattern)
{
    static const char *const selectors[] = {
        "client_instance_id",    "client_id",
        "client_software_name",  "client_software_version",
        "client_source_address", "client_source_port",
    };
    struct str rest = without_last(item, '='), selector, more;

    if (!text_next(&rest, '=', &selector) || !text_next(&rest, '=', pattern) ||
        text_next(&rest, '=', &more))
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(selectors); i++)
        if (str_is(selector, selectors[i]))
            return true;
    return false;
}

static int check_interval(struct str text, struct errmsg *msg)
{
    union config_value v;

    if (config_parse(config_client_metrics_setting(STR("interval.ms")), text, &v, msg) < 0)
        return E_INVALID;
    if (v.i >= INTERVAL_MS_MIN && v.i <= INTERVAL_MS_MAX)
        return 0;
    return invalid(
        msg, "Invalid value %lld for interval.ms, interval must be between %d and %d (1 hour)",
        (long long)v.i, INTERVAL_MS_MIN, INTERVAL_MS_MAX);
}

int config_check_client_metrics(const struct config_pair *pairs, int n, bool *well_formed,
                                struct errmsg *msg)
{
    const struct config_pair *interval = config_pair_find(pairs, n, STR("interval.ms"));
    int rc = 0;

    *well_formed = false;
    for (int i = 0; i < n; i++)
        if (config_client_metrics_setting(pairs[i].name) == NULL)
            return invalid(msg, "Unknown client metrics configuration: %s",
                           diag_escape(pairs[i].name));
    *well_formed = true;
    for (int i = 0; rc == 0 && i < n; i++)
        rc = check_value(config_client_metrics_setting(pairs[i].name), pairs[i].value, msg);
    if (rc < 0)
        return rc;
    *well_formed = false;
    return interval != NULL ? check_interval(interval->value, msg) : 0;
}
