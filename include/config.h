/* config: settings with Kafka's names, values, defaults and documentation.
 *
 * Two tables, include/config/broker_settings.def and include/config/topic_settings.def, are the only place where a setting is
 * written down: the struct's fields, the parser, server.properties' documentation, DescribeConfigs and the list of what
 * may change while running all derive from them.
 */
#ifndef BARNABAS_CONFIG_H
#define BARNABAS_CONFIG_H

#include "base.h"

/* ConfigDef.Type, with DescribeConfigs' numbers (DescribeConfigsResponse.ConfigType). */
enum config_type {
    CONFIG_UNKNOWN = 0,
    CONFIG_BOOLEAN = 1,
    CONFIG_STRING = 2,
    CONFIG_INT = 3,
    CONFIG_SHORT = 4,
    CONFIG_LONG = 5,
    CONFIG_DOUBLE = 6,
    CONFIG_LIST = 7,
    CONFIG_CLASS = 8,
    CONFIG_PASSWORD = 9,
};
/* Who may change it while running. */
enum config_dynamic { CONFIG_STATIC = 0, CONFIG_PER_BROKER, CONFIG_CLUSTER_WIDE };
/* What we do with it. */
enum config_support {
    CONFIG_USED = 0,
    CONFIG_ACCEPTED, /* known to Kafka, without meaning on one node: parsed, shown, otherwise ignored */
};

const char *config_type_name(enum config_type type); /* "LONG" */

/* What is checked beyond type, bounds and words. */
enum config_rule {
    CONFIG_RULE_NOT_EMPTY = 1,    /* a string or list holds something */
    CONFIG_RULE_ITEMS = 2,        /* a list has no empty item; of equal ones the first stays */
    CONFIG_RULE_ANY_CASE = 4,     /* one_of in upper or lower case */
    CONFIG_RULE_REPLICAS = 8,     /* "*" or a list of partition:broker */
    CONFIG_RULE_OFFSET_RESET = 16, /* earliest, latest or by_duration: with config_parse_duration's text */
};
/* A number that is null: an unset setting whose default is null (log.retention.ms). */
#define CONFIG_NULL INT64_MIN

/* A row of a table. */
struct config_setting {
    const char *name;
    enum config_type type;
    const char *default_text; /* NULL: null */
    enum config_dynamic dynamic;
    enum config_support support;
    bool sensitive;
    const char *valid;        /* for people, "[0,...]", "[producer, gzip, ...]"; NULL: anything of the type */
    const char *broker_synonym; /* topic settings: the broker setting that gives the default; NULL: none */
    const char *doc;
    size_t field_at;          /* of the value in struct config or struct topic_config; SIZE_MAX when none is kept */
    double min, max;          /* numbers: bounds, inclusive */
    double also;              /* numbers: allowed beside the bounds; NAN: nothing */
    const char *const *one_of; /* strings and lists: what is allowed, NULL-terminated; NULL: anything */
    unsigned rules;           /* enum config_rule bits */
};
extern const struct config_setting config_broker_settings[];
extern const int config_n_broker_settings;
extern const struct config_setting config_topic_settings[];
extern const int config_n_topic_settings;
const struct config_setting *config_broker_setting(struct str name); /* NULL when not Kafka's nor ours */
const struct config_setting *config_topic_setting(struct str name);
/* What the metadata may say of brokers: a broker setting; one that no file can give (QuotaConfig.brokerQuotaConfigs); or, of
 * "listener.name.<name>.<setting>", that setting. NULL for other names. */
const struct config_setting *config_dynamic_setting(struct str name);
/* A group's settings, as rows only: no struct holds them. */
extern const struct config_setting config_group_settings[];
extern const int config_n_group_settings;
const struct config_setting *config_group_setting(struct str name);
/* Those of a subscription to clients' metrics (KIP-714). */
extern const struct config_setting config_client_metrics_settings[];
extern const int config_n_client_metrics_settings;
const struct config_setting *config_client_metrics_setting(struct str name);
/* The known name that is nearest to a mistyped one, or NULL when none is near. A topic's setting leads to its broker
 * synonym. */
const char *config_nearest_broker_setting(struct str name);
/* The broker setting that counts when `broker_name` is not set (log.retention.ms -> log.retention.minutes -> .hours,
 * listener.name.x.ssl.keystore.type -> ssl.keystore.type), or NULL. With broker_synonym first it lists all synonyms of a topic setting, as DescribeConfigs does
 * (ServerTopicConfigSynonyms). */
const char *config_synonym_after(const char *broker_name);
/* Where the list of all synonyms of a broker setting begins: log.retention.hours -> log.retention.ms; mostly itself. */
const char *config_synonym_first(const char *broker_name);

/* A parsed value: numbers in i or d, text in s (terminated, owned), a list as text with "," between. */
union config_value {
    int64_t i; /* CONFIG_NULL: null */
    double d;
    bool b;
    char *s; /* NULL: null */
};
/* Parses and checks one value as ConfigDef.parseType and the validators do (trimmed, booleans in any case, bounds, one_of;
 * the null str only where the default is null). E_INVALID with a message that names the setting and what is wrong in Kafka's
 * words. Unlike Kafka, NaN is no number. Text in `out` is the caller's to free. */
int config_parse(const struct config_setting *st, struct str text, union config_value *out, struct errmsg *msg);
/* Calls `fn` for each item of a list's canonical text ("a,b"; empty or NULL: none) until it returns other than 0, and
 * returns that. */
int config_list_each(const char *list, int (*fn)(void *arg, struct str item), void *arg);
bool config_list_has(const char *list, const char *item);
/* java.time.Duration.parse, "P1DT2H3M4.5S" in any case: to whole milliseconds, rounded down. False for other text and for
 * what does not fit. */
bool config_parse_duration(struct str text, int64_t *ms);
/* The canonical text of a value, as DescribeConfigs shows it. Caller frees; NULL for null. */
char *config_value_text(const struct config_setting *st, const union config_value *v);

/* Text pairs, as topics and other resources of the metadata carry them. */
struct config_pair {
    struct str name, value;
};
/* The last one of this name, which is the one that counts; NULL. */
const struct config_pair *config_pair_find(const struct config_pair *pairs, int n, struct str name);

/* ---- listeners ------------------------------------------------------------------------------------------------- */

enum security_protocol { SECURITY_PLAINTEXT = 0, SECURITY_SSL, SECURITY_SASL_PLAINTEXT, SECURITY_SASL_SSL };
struct config_listener {
    char *name; /* upper case as Kafka normalises it: "PLAINTEXT" */
    char *host; /* "" : every address */
    int port;
    enum security_protocol protocol;
    char *advertised_host; /* NULL: tell each client the address that it connected to */
    int advertised_port;   /* with advertised_host; -1: the bound port */
};

/* ---- the broker's settings -------------------------------------------------------------------------------------- */

/* Where a value came from, for DescribeConfigs. */
enum config_source { CONFIG_FROM_DEFAULT = 0, CONFIG_FROM_FILE, CONFIG_FROM_OVERRIDE };

/* Field names are Kafka's with '_' for '.'. Generated from the table by the preprocessor: the type of a field follows
 * from the setting's type (BOOLEAN bool, INT/SHORT/LONG int64_t, DOUBLE double, the rest char *). */
struct config {
#define C_BOOLEAN bool
#define C_INT int64_t
#define C_SHORT int64_t
#define C_LONG int64_t
#define C_DOUBLE double
#define C_STRING char *
#define C_LIST char *
#define C_CLASS char *
#define C_PASSWORD char *
#define SETTING(field, name, type, ...) C_##type field;
#define SETTING_ACCEPTED(name, type, ...)
#include "config/broker_settings.def"
#undef SETTING
#undef SETTING_ACCEPTED
    /* Derived by config_finish. */
    struct config_listener *parsed_listeners; /* controller listeners left out */
    int n_parsed_listeners;
    char **parsed_log_dirs; /* log.dirs, else log.dir, else ./barnabas-data */
    int n_parsed_log_dirs;
    int64_t effective_log_retention_ms; /* ms, else minutes, else hours */
    int64_t effective_log_roll_ms;
    int64_t effective_log_roll_jitter_ms;
    int64_t effective_log_flush_ms; /* log.flush.interval.ms, else log.flush.scheduler.interval.ms */
    /* Every name that was set, with its text and source: also the accepted and the unknown ones. */
    struct config_given *given;
    int n_given;
    char *file_name; /* as given to config_load_text; NULL without a file */
};
struct config_given { /* one per name: the last one given */
    char *name, *text;
    enum config_source source;
    int line; /* in the file; 0 for overrides */
};

/* Loading: init with defaults; the file (java.util.Properties format, read as UTF-8, or as ISO 8859-1 when it is not); overrides
 * "key=value"; then finish, which checks what concerns several settings, parses listeners and reports unknown names (a warning
 * each with the nearest known name, an error when strict) and accepted ones (one log line in all). A name that the file sets
 * twice gets a warning, and its last value. E_INVALID: the message names file, line, key and what would be valid. */
void config_init(struct config *c);
void config_release(struct config *c);
int config_load_text(struct config *c, const char *file_name, struct bytes text, struct errmsg *msg);
int config_override(struct config *c, const char *key_equals_value, struct errmsg *msg);
int config_finish(struct config *c, bool strict, struct errmsg *msg);
/* What the metadata says of settings that may change while running, weakest first, over file and default: a setting that is no longer
 * among the pairs falls back to those. Derived values follow. Names that are unknown or static, and values that cannot be read or
 * do not go together with the others, get a warning and are left out (DynamicBrokerConfig.processReconfiguration). Texts of `c` that
 * somebody borrowed may be gone after it. */
void config_set_dynamic(struct config *c, const struct config_pair *pairs, int n);
/* Whether config_set_dynamic would take them all: E_INVALID with Kafka's words. `per_broker`: they are one broker's, not the cluster's
 * (DynamicBrokerConfig.validate). */
int config_check_dynamic(const struct config *c, const struct config_pair *pairs, int n, bool per_broker, struct errmsg *msg);
/* How many connections this address may have: max.connections.per.ip, or its exception. `address` as inet_ntop shows it. */
int64_t config_connections_per_ip(const struct config *c, const char *address);
const struct config_given *config_given_find(const struct config *c, struct str name); /* the last one given; NULL */
/* The current value of a setting, by table row. Caller frees; NULL for null. */
char *config_text(const struct config *c, const struct config_setting *st);

/* ---- settings of groups and of client metrics ------------------------------------------------------------------- */

/* GroupConfig.validate: names, values, the broker's bounds. E_INVALID with Kafka's words. */
int config_check_group(const struct config *c, const struct config_pair *pairs, int n, struct errmsg *msg);
/* ClientMetricsConfigs.validate, but for the items of `match`. With E_INVALID *well_formed tells a value that is wrong in itself from a
 * request that is. */
int config_check_client_metrics(const struct config_pair *pairs, int n, bool *well_formed, struct errmsg *msg);
/* The pattern of an item of `match`, "client_id=app-.*": a piece of it, not looked at. False: not of that form, or Kafka has no such selector. */
bool config_client_match(struct str item, struct str *pattern);

/* ---- a topic's settings ------------------------------------------------------------------------------------------ */

enum timestamp_type { TIMESTAMP_CREATE_TIME = 0, TIMESTAMP_LOG_APPEND_TIME = 1 };
enum cleanup_policy { CLEANUP_DELETE = 1, CLEANUP_COMPACT = 2 }; /* bits */

struct topic_config {
#define SETTING(field, name, type, ...) C_##type field;
#define SETTING_ACCEPTED(name, type, ...)
#include "config/topic_settings.def"
#undef SETTING
#undef SETTING_ACCEPTED
#undef C_BOOLEAN
#undef C_INT
#undef C_SHORT
#undef C_LONG
#undef C_DOUBLE
#undef C_STRING
#undef C_LIST
#undef C_CLASS
#undef C_PASSWORD
    /* Derived. */
    int64_t effective_segment_bytes; /* internal.segment.bytes, else segment.bytes */
    unsigned cleanup; /* enum cleanup_policy bits */
    enum timestamp_type timestamp_type;
    bool durable; /* flush.messages is 1: acknowledgements and the high watermark wait for the flush */
};
/* Starts from the values of a finished broker config (through the synonyms), then the overrides; of two for one name the last
 * counts. E_INVALID: `msg` says what is wrong with the first bad one in the words of Kafka's LogConfig, and `tc` needs no
 * release. */
int topic_config_init(struct topic_config *tc, const struct config *broker, const struct config_pair *overrides,
                      int n_overrides, struct errmsg *msg);
void topic_config_release(struct topic_config *tc);
/* The current value; of a setting without a field, its default. */
char *topic_config_text(const struct topic_config *tc, const struct config_setting *st); /* caller frees; NULL for null */

#endif
