/* What concerns several settings at once. */
#ifndef BARNABAS_CONFIG_FINISH_H
#define BARNABAS_CONFIG_FINISH_H

#include "config.h"

/* The rules between settings (KafkaConfig.validateValues); fills the derived fields first.
 * E_INVALID names the settings. */
int finish_values(struct config *c, struct errmsg *msg);
/* The same, of what may change while running, as often as it changes. */
int finish_changed(struct config *c, struct errmsg *msg);
/* Every exception of max.connections.per.ip is one: E_INVALID. Warns of names. */
int config_check_ip_limits(const struct config *c, struct errmsg *msg);
/* Reports every given name that is accepted, removed or unknown. E_INVALID for an unknown one when
 * strict. */
int finish_names(const struct config *c, bool strict, struct errmsg *msg);

#endif
