/* A topic's settings: the broker's values, then the topic's own.
 *
 * Owner: struct topic_config; text fields are its copies. It keeps nothing of the broker's config.
 *
 * Happy path: for each row the broker's value through the synonym, or the default -> the
 *             overrides, parsed -> the rules between settings -> the derived fields.
 * Failures:   E_INVALID in the words of Kafka's LogConfig.validate; nothing is left to release.
 */
#include "config.h"
#include "fields.h"

/* Synonyms with a chain behind them: the finished broker config holds what counts. */
static const struct {
    const char *name;
    size_t at;
} chained[] = {
    {"retention.ms", offsetof(struct config, effective_log_retention_ms)},
    {"segment.ms", offsetof(struct config, effective_log_roll_ms)},
    {"segment.jitter.ms", offsetof(struct config, effective_log_roll_jitter_ms)},
    {"flush.ms", offsetof(struct config, effective_log_flush_ms)},
};

static bool from_chain(const struct config *broker, const char *name, int64_t *out)
{
    for (size_t i = 0; i < ARRAY_SIZE(chained); i++) {
        if (strcmp(chained[i].name, name) == 0) {
            *out = *(const int64_t *)((const char *)broker + chained[i].at);
            return true;
        }
    }
    return false;
}

/* What a setting is when the topic does not say; text is the caller's. */
static union config_value from_broker(const struct config *broker, const struct config_setting *st)
{
    const struct config_setting *synonym;
    union config_value v;
    struct errmsg msg;
    char *text;
    int rc;

    if (from_chain(broker, st->name, &v.i))
        return v;
    if (st->broker_synonym == NULL)
        return setting_default(st);
    synonym = config_broker_setting(str_of(st->broker_synonym));
    ASSERT(synonym != NULL);
    text = config_text(broker, synonym);
    rc = config_parse(st, str_of(text), &v, &msg);
    ASSERT(rc == 0); /* same type and bounds: a unit test */
    free(text);
    return v;
}

static int override(struct topic_config *tc, const struct config_pair *o, struct errmsg *msg)
{
    const struct config_setting *st = config_topic_setting(o->name);
    union config_value v;
    int rc;

    if (st == NULL) {
        errmsg_set(msg, "Unknown topic config name: %s", diag_escape(o->name));
        return E_INVALID;
    }
    rc = config_parse(st, o->value, &v, msg);
    if (rc < 0)
        return rc;
    if (strcmp(st->name, "remote.storage.enable") == 0 && v.b) {
        errmsg_set(msg, "Tiered Storage functionality is disabled in the broker. Topic cannot be "
                        "configured with remote log storage.");
        return E_INVALID;
    }
    if (st->field_at != SIZE_MAX)
        field_set(tc, st, v);
    else
        value_release(st, &v);
    return 0;
}

static int check(const struct topic_config *tc, struct errmsg *msg)
{
    if (tc->min_compaction_lag_ms <= tc->max_compaction_lag_ms)
        return 0;
    errmsg_set(msg,
               "conflict topic config setting min.compaction.lag.ms (%lld) > "
               "max.compaction.lag.ms (%lld)",
               (long long)tc->min_compaction_lag_ms, (long long)tc->max_compaction_lag_ms);
    return E_INVALID;
}

static void derive(struct topic_config *tc)
{
    tc->effective_segment_bytes =
        tc->internal_segment_bytes == CONFIG_NULL ? tc->segment_bytes : tc->internal_segment_bytes;
    tc->cleanup = (config_list_has(tc->cleanup_policy, "delete") ? CLEANUP_DELETE : 0) |
                  (config_list_has(tc->cleanup_policy, "compact") ? CLEANUP_COMPACT : 0);
    tc->timestamp_type = strcmp(tc->message_timestamp_type, "LogAppendTime") == 0
                             ? TIMESTAMP_LOG_APPEND_TIME
                             : TIMESTAMP_CREATE_TIME;
    tc->durable = tc->flush_messages == 1;
}

int topic_config_init(struct topic_config *tc, const struct config *broker,
                      const struct config_pair *overrides, int n_overrides, struct errmsg *msg)
{
    int rc = 0;

    ASSERT(broker->n_parsed_listeners > 0); /* config_finish */
    *tc = (struct topic_config){0};
    for (int i = 0; i < config_n_topic_settings; i++)
        if (config_topic_settings[i].field_at != SIZE_MAX)
            field_set(tc, &config_topic_settings[i],
                      from_broker(broker, &config_topic_settings[i]));
    for (int i = 0; rc == 0 && i < n_overrides; i++)
        rc = override(tc, &overrides[i], msg);
    if (rc == 0)
        rc = check(tc, msg);
    if (rc < 0)
        topic_config_release(tc);
    else
        derive(tc);
    return rc;
}

void topic_config_release(struct topic_config *tc)
{
    fields_release(tc, config_topic_settings, config_n_topic_settings);
    *tc = (struct topic_config){0};
}

char *topic_config_text(const struct topic_config *tc, const struct config_setting *st)
{
    union config_value v;
    char *text;

    if (st->field_at != SIZE_MAX) {
        v = field_get(tc, st);
        return config_value_text(st, &v);
    }
    v = setting_default(st);
    text = config_value_text(st, &v);
    value_release(st, &v);
    return text;
}
