/* The text format of java.util.Properties. */
#ifndef BARNABAS_CONFIG_PROPERTIES_H
#define BARNABAS_CONFIG_PROPERTIES_H

#include "base.h"

/* Reading place in a text that the caller keeps. */
struct properties {
    struct buf text; /* the whole text as UTF-8 */
    size_t at;
    int line;       /* of the next byte, from 1 */
    struct buf raw; /* one logical line, escapes as they stand */
    struct buf key, value;
};
/* Takes the text as UTF-8 (a byte order mark is skipped), or as ISO 8859-1 when it is not valid
 * UTF-8. */
void properties_init(struct properties *p, struct bytes text);
void properties_release(struct properties *p);
/* The next pair: 1, with p->key and p->value (UTF-8, valid until the next call) and the number of
 * its first line; 0 at the end; E_INVALID with a message for a broken \u escape or a character 0.
 */
int properties_next(struct properties *p, int *line, struct errmsg *msg);

#endif
