/* What the handlers of topics, metadata and settings share. */
#ifndef BARNABAS_API_ROWS_H
#define BARNABAS_API_ROWS_H

#include "internal.h"

/* Which of the keys come more than once. Peers send many: n log n. */
enum key_seen { KEY_ONCE = 0, KEY_FIRST_OF_SEVERAL, KEY_AGAIN };
enum key_seen *api_keys_seen(struct arena *a, const struct bytes *keys, int32_t n);

/* How many partitions the topics of one request may get together (ReplicationControlManager). */
#define REQUEST_PARTITIONS_MAX 10000

/* Whether its log directory failed: it then has no leader. metadata.c */
bool api_partition_offline(const struct broker *b, const struct meta_partition *p);

/* ConfigSource of DescribeConfigs. */
enum config_shown_source {
    SHOWN_TOPIC = 1,
    SHOWN_DYNAMIC_BROKER = 2,
    SHOWN_DYNAMIC_DEFAULT_BROKER = 3,
    SHOWN_STATIC_BROKER = 4,
    SHOWN_DEFAULT = 5,
    SHOWN_BROKER_LOGGER = 6,
    SHOWN_CLIENT_METRICS = 7,
    SHOWN_GROUP = 8,
};
struct api_synonym {
    struct str name, value;
    int8_t source;
};
/* Four sources of at most three names, and one own value before them. */
#define API_SYNONYMS_MAX 13
/* What a broker setting has its value from, and every value that this one covers, the effective
 * first (ConfigHelper.configSynonyms). Texts live in the arena or as long as the config. Returns
 * how many. */
int api_broker_synonyms(struct request *rq, const char *broker_name,
                        struct api_synonym out[API_SYNONYMS_MAX]);
/* A value as its type prints it: a double that was given as 3 is 3.0. */
struct str api_canonical(struct request *rq, const struct config_setting *st, struct str text);
/* The value that a broker setting has now; null where it has none, or is a secret. */
struct str api_broker_value(struct request *rq, const struct config_setting *st);
/* Settings that are not shown unless they were set (ConfigDef.defineInternal). */
bool api_setting_hidden(const struct config_setting *st);
/* Text that ends with the request; frees what it is given. */
struct str api_taken_text(struct request *rq, char *text);

#endif
