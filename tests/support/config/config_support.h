/* What the tests of config share: a config from a text, and the log lines that loading wrote. */
#ifndef BARNABAS_TESTS_CONFIG_SUPPORT_H
#define BARNABAS_TESTS_CONFIG_SUPPORT_H

#include "config.h"

/* Log lines since captured_start, "WARN text\n" each. */
void captured_start(void);
const char *captured(void);           /* valid until the next line */
int captured_count(const char *part); /* lines that contain `part` */

/* Init, load from `text` under the name "t.properties", finish. The config must be released in any
 * case. */
int config_from_text(struct config *c, const char *text, bool strict, struct errmsg *msg);
/* The same, for texts that must load. */
void config_must_load(struct config *c, const char *text);

#endif
