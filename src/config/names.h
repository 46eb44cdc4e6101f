/* Names that are in no table, and names that are near one. */
#ifndef BARNABAS_CONFIG_NAMES_H
#define BARNABAS_CONFIG_NAMES_H

#include "config.h"

/* Kafka's once, removed by version 4.0 (ZooKeeper, old formats and protocols). */
bool name_is_removed(struct str name);
/* Not in a table but known by its beginning: listener.name.*, sasl.*, ssl.*, plug-ins. */
bool name_is_known_by_prefix(struct str name);
/* "listener.name.<name>.<setting>": the setting after the prefix, or NULL. */
const struct config_setting *name_listener_setting(struct str name);
/* Levenshtein's distance, or limit + 1 when it is larger. At most 128 bytes each. */
int name_distance(struct str a, struct str b, int limit);

#endif
