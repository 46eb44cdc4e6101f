/* The tables of settings.
 *
 * Owner: nobody; constants.
 *
 * Each .def file in include/config is read here once more, to make the rows that the parser,
 * DescribeConfigs and the example file work from. What the words of a row mean (ANY, AT_LEAST, ...)
 * is said at the top of broker_settings.def.
 */
#include "config.h"

#include <math.h>

#include "names.h"

/* What is valid, as initialisers of a row. */
#define NUMBERS(lo, hi, other) .min = (lo), .max = (hi), .also = (other)
#define ANY                    NUMBERS(-INFINITY, INFINITY, NAN)
#define AT_LEAST(lo)           NUMBERS(lo, INFINITY, NAN), .valid = "[" #lo ",...]"
#define BETWEEN(lo, hi)        NUMBERS(lo, hi, NAN), .valid = "[" #lo ",...," #hi "]"
#define BETWEEN_OR(lo, hi, other)                                                                  \
    NUMBERS(lo, hi, other), .valid = "[" #lo ",...," #hi "] or " #other
#define ONE_OF(...)          ANY, .one_of = WORDS(__VA_ARGS__), .valid = "[" #__VA_ARGS__ "]"
#define ONE_OF_ANY_CASE(...) ONE_OF(__VA_ARGS__), .rules = CONFIG_RULE_ANY_CASE
#define NOT_EMPTY            ANY, .rules = CONFIG_RULE_NOT_EMPTY, .valid = "non-empty string"
#define REPLICAS                                                                                   \
    ANY, .rules = CONFIG_RULE_REPLICAS,                                                            \
         .valid = "[partitionId]:[brokerId],[partitionId]:[brokerId],..."
#define OFFSET_RESET                                                                               \
    ANY, .rules = CONFIG_RULE_OFFSET_RESET, .valid = "[latest, earliest, by_duration:PnDTnHnMn.nS]"
#define ANY_LIST          ANY, .rules = CONFIG_RULE_ITEMS
#define FULL_LIST         ANY, .rules = FULL, .valid = "non-empty list"
#define LIST_OF(...)      ONE_OF(__VA_ARGS__), .rules = CONFIG_RULE_ITEMS
#define FULL_LIST_OF(...) ONE_OF(__VA_ARGS__), .rules = FULL
#define FULL              (CONFIG_RULE_ITEMS | CONFIG_RULE_NOT_EMPTY)

/* At most six words as a NULL-terminated array of strings. */
#define WORDS(...)                                                                                 \
    (const char *const[])                                                                          \
    {                                                                                              \
        WORDS_OF(__VA_ARGS__, WORDS_6, WORDS_5, WORDS_4, WORDS_3, WORDS_2, WORDS_1, )              \
        (__VA_ARGS__), NULL                                                                        \
    }
#define WORDS_OF(a, b, c, d, e, f, chosen, ...) chosen
#define WORDS_1(a)                              #a
#define WORDS_2(a, b)                           #a, #b
#define WORDS_3(a, b, c)                        #a, #b, #c
#define WORDS_4(a, b, c, d)                     #a, #b, #c, #d
#define WORDS_5(a, b, c, d, e)                  #a, #b, #c, #d, #e
#define WORDS_6(a, b, c, d, e, f)               #a, #b, #c, #d, #e, #f

#define ROW(used, at, key, kind, initial, about)                                                   \
    .name = key, .type = CONFIG_##kind, .sensitive = CONFIG_##kind == CONFIG_PASSWORD,             \
    .default_text = initial, .support = used, .field_at = at, .doc = about

#define SETTING(field, key, kind, initial, who, check, about)                                      \
    {ROW(CONFIG_USED, offsetof(struct config, field), key, kind, initial, about),                  \
     .dynamic = CONFIG_##who, check},
#define SETTING_ACCEPTED(key, kind, initial, who, check, about)                                    \
    {ROW(CONFIG_ACCEPTED, SIZE_MAX, key, kind, initial, about), .dynamic = CONFIG_##who, check},
const struct config_setting config_broker_settings[] = {
#include "config/broker_settings.def"
};
const int config_n_broker_settings = ARRAY_SIZE(config_broker_settings);
#undef SETTING
#undef SETTING_ACCEPTED

#define SETTING(field, key, kind, initial, synonym, check, about)                                  \
    {ROW(CONFIG_USED, offsetof(struct topic_config, field), key, kind, initial, about),            \
     .broker_synonym = synonym, check},
#define SETTING_ACCEPTED(key, kind, initial, synonym, check, about)                                \
    {ROW(CONFIG_ACCEPTED, SIZE_MAX, key, kind, initial, about), .broker_synonym = synonym, check},
const struct config_setting config_topic_settings[] = {
#include "config/topic_settings.def"
};
const int config_n_topic_settings = ARRAY_SIZE(config_topic_settings);
#undef SETTING
#undef SETTING_ACCEPTED

#define SETTING(field, key, kind, initial, synonym, check, about)                                  \
    {ROW(CONFIG_USED, SIZE_MAX, key, kind, initial, about), .broker_synonym = synonym, check},
const struct config_setting config_group_settings[] = {
#include "config/group_settings.def"
};
const int config_n_group_settings = ARRAY_SIZE(config_group_settings);
#undef SETTING

#define SETTING(field, key, kind, initial, check, about)                                           \
    {ROW(CONFIG_USED, SIZE_MAX, key, kind, initial, about), check},
const struct config_setting config_client_metrics_settings[] = {
#include "config/client_metrics_settings.def"
};
const int config_n_client_metrics_settings = ARRAY_SIZE(config_client_metrics_settings);
#undef SETTING

/* What only the metadata says, never a file. */
#define SETTING_ACCEPTED(key, kind, initial, who, check, about)                                    \
    {ROW(CONFIG_ACCEPTED, SIZE_MAX, key, kind, initial, about), .dynamic = CONFIG_##who, check},
static const struct config_setting throttles[] = {
#include "config/throttle_settings.def"
};
#undef SETTING_ACCEPTED

static const struct config_setting *find(const struct config_setting *rows, int n, struct str name)
{
    ASSERT(n > 0);
    for (int i = 0; i < n; i++)
        if (str_is(name, rows[i].name))
            return &rows[i];
    return NULL;
}

const struct config_setting *config_broker_setting(struct str name)
{
    return find(config_broker_settings, config_n_broker_settings, name);
}

const struct config_setting *config_dynamic_setting(struct str name)
{
    const struct config_setting *st = config_broker_setting(name);

    if (st == NULL)
        st = find(throttles, ARRAY_SIZE(throttles), name);
    return st != NULL ? st : name_listener_setting(name);
}

const struct config_setting *config_topic_setting(struct str name)
{
    return find(config_topic_settings, config_n_topic_settings, name);
}

const struct config_setting *config_group_setting(struct str name)
{
    return find(config_group_settings, config_n_group_settings, name);
}

const struct config_setting *config_client_metrics_setting(struct str name)
{
    return find(config_client_metrics_settings, config_n_client_metrics_settings, name);
}

/* Which broker setting counts when another is not set. Kafka lists the whole chain also for its
 * later members, but not for the flush scheduler's (DynamicBrokerConfig.brokerConfigSynonyms). */
static const struct {
    const char *name, *after;
    bool both_ways;
} chain[] = {
    {"log.retention.ms", "log.retention.minutes", true},
    {"log.retention.minutes", "log.retention.hours", true},
    {"log.roll.ms", "log.roll.hours", true},
    {"log.roll.jitter.ms", "log.roll.jitter.hours", true},
    {"log.flush.interval.ms", "log.flush.scheduler.interval.ms", false},
};

const char *config_synonym_after(const char *broker_name)
{
    const struct config_setting *of_listener;

    ASSERT(broker_name != NULL);
    for (size_t i = 0; i < ARRAY_SIZE(chain); i++)
        if (strcmp(chain[i].name, broker_name) == 0)
            return chain[i].after;
    of_listener = name_listener_setting(str_of(broker_name));
    return of_listener != NULL ? of_listener->name : NULL;
}

const char *config_synonym_first(const char *broker_name)
{
    const char *first = broker_name;

    ASSERT(broker_name != NULL);
    /* Backwards, because a chain's rows stand in its order. */
    for (size_t i = ARRAY_SIZE(chain); i-- > 0;)
        if (chain[i].both_ways && strcmp(chain[i].after, first) == 0)
            first = chain[i].name;
    return first;
}
