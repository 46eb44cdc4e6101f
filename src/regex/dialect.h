/* Patterns of RE2/J in the words of RE2. */
#ifndef BARNABAS_REGEX_DIALECT_H
#define BARNABAS_REGEX_DIALECT_H

#include "base.h"

/* Appends the pattern as RE2 takes it. False: it has an escape (\C, one byte) that RE2 knows and RE2/J does not. */
bool dialect_to_re2(struct str pattern, struct buf *out);

#endif
