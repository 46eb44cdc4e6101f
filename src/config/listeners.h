/* listeners, advertised.listeners and listener.security.protocol.map. */
#ifndef BARNABAS_CONFIG_LISTENERS_H
#define BARNABAS_CONFIG_LISTENERS_H

#include "config.h"

/* Fills c->parsed_listeners from c's settings. E_INVALID with a message that names the setting. */
int listeners_parse(struct config *c, struct errmsg *msg);
void listeners_release(struct config *c);

#endif
