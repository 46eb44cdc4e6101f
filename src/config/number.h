/* Numbers as Java reads and writes them. */
#ifndef BARNABAS_CONFIG_NUMBER_H
#define BARNABAS_CONFIG_NUMBER_H

#include "base.h"

/* Long.parseLong, within [min, max]: an optional sign and decimal digits, else false. */
bool number_parse_long(struct str s, int64_t min, int64_t max, int64_t *out);
/* Double.parseDouble without NaN: decimal or hexadecimal (with p), Infinity, a suffix f or d. */
bool number_parse_double(struct str s, double *out);
/* Double.toString: "0.5", "1.0E10"; the shortest digits that give the same number. The caller
 * frees. */
char *number_double_text(double d);

#endif
