/* Small helpers over text that the files of config share. */
#ifndef BARNABAS_CONFIG_TEXT_H
#define BARNABAS_CONFIG_TEXT_H

#include "base.h"

/* String.trim() of Java: without the characters up to ' ' at both ends. */
struct str text_trim(struct str s);
/* Takes the text up to the next `separator` off *rest, trimmed. False when *rest is null, which
 * follows the last. */
bool text_next(struct str *rest, char separator, struct str *item);
bool text_equal_any_case(struct str a, struct str b); /* ASCII */
bool text_starts(struct str s, const char *prefix);
struct str text_from(struct str s, size_t at); /* s without its first `at` bytes */
char *text_upper(struct str s);                /* an upper-case copy (ASCII); the caller frees */

#endif
