/* Names for values that differ between runs of different builds: <member-1>, <id-2>, <pid-1>.
 *
 * The first value of a kind that is printed gets number 1. A command may use a name in place of the
 * value.
 */
#ifndef SCENARIO_NAMES_H
#define SCENARIO_NAMES_H

#include "base.h"

#define NAMES_START_MS 1750000000000 /* where the simulated calendar begins */

struct name {
    char *kind, *raw;
    unsigned number;
};
struct names {
    struct name *rows;
    size_t n;
    int64_t start_ms; /* the calendar when the file began: T+5 is five ms later */
};
void names_init(struct names *s);
void names_release(struct names *s);
/* Prints the name of a value, given one when it is new. */
void names_print(struct names *s, const char *kind, const char *raw, struct buf *out);
/* The value of "<kind-number>"; NULL where there is none. */
const char *names_find(const struct names *s, struct str name);
/* Prints text with the generated member ids in it named. */
void names_print_text(struct names *s, struct str text, struct buf *out);

#endif
