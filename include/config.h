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

/* A row of either table. */
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
    const char *const *one_of; /* strings and lists: what is allowed, NULL-terminated; NULL: anything */
};
extern const struct config_setting config_broker_settings[];
extern const int config_n_broker_settings;
extern const struct config_setting config_topic_settings[];
extern const int config_n_topic_settings;
const struct config_setting *config_broker_setting(struct str name); /* NULL when not Kafka's nor ours */
const struct config_setting *config_topic_setting(struct str name);
/* The known name that is nearest to a mistyped one, or NULL. */
const char *config_nearest_broker_setting(struct str name);

/* A parsed value: numbers and booleans in i or d, text in s (terminated, owned), a list as text with "," between. */
union config_value {
    int64_t i;
    double d;
    bool b;
    char *s; /* NULL: null */
};
/* Parses and checks one value as Kafka does (trimmed, booleans in any case, bounds, one_of). E_INVALID with a message that
 * names the setting and what would be valid. */
int config_parse(const struct config_setting *st, struct str text, union config_value *out, struct errmsg *msg);
/* The canonical text of a value, as DescribeConfigs shows it. Caller frees; NULL for null. */
char *config_value_text(const struct config_setting *st, const union config_value *v);

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
    /* Every name that was set, with its text and source: also the accepted and the unknown ones. */
    struct config_given *given;
    int n_given;
};
struct config_given {
    char *name, *text;
    enum config_source source;
    int line; /* in the file; 0 for overrides */
};

/* Loading: init with defaults; the file (java.util.Properties format); overrides "key=value"; then finish, which checks what
 * concerns several settings, parses listeners and reports unknown names (a warning each with the nearest known name, an
 * error when strict) and accepted ones (one log line in all). Errors name file, line, key and what would be valid. */
void config_init(struct config *c);
void config_release(struct config *c);
int config_load_text(struct config *c, const char *file_name, struct bytes text, struct errmsg *msg);
int config_override(struct config *c, const char *key_equals_value, struct errmsg *msg);
int config_finish(struct config *c, bool strict, struct errmsg *msg);
const struct config_given *config_given_find(const struct config *c, struct str name); /* the last one given; NULL */
/* The current value of a setting, by table row. Caller frees; NULL for null. */
char *config_text(const struct config *c, const struct config_setting *st);

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
    unsigned cleanup; /* enum cleanup_policy bits */
    enum timestamp_type timestamp_type;
    bool durable; /* flush.messages is 1: acknowledgements and the high watermark wait for the flush */
};
/* Text pairs as a topic carries them. */
struct config_pair {
    struct str name, value;
};
/* Starts from the broker's values (through the synonyms), then the overrides; `msg` names the first bad one. */
int topic_config_init(struct topic_config *tc, const struct config *broker, const struct config_pair *overrides,
                      int n_overrides, struct errmsg *msg);
void topic_config_release(struct topic_config *tc);
char *topic_config_text(const struct topic_config *tc, const struct config_setting *st); /* caller frees; NULL for null */

#endif
