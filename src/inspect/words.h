/* The words of a tool's command line. Inner header of inspect. */
#ifndef INSPECT_WORDS_H
#define INSPECT_WORDS_H

#include "base.h"

struct word_option {
    const char *name;  /* "--files" */
    const char *value; /* what it takes, for people; NULL: nothing */
};
struct words {
    const char *tool; /* for messages */
    const struct word_option *options;
    int n_options;
    char **argv; /* ended by NULL; what is left */
};
/* 1: an option of the table (*option, *value); 2: a word that is none (*value); 0: the end; E_INVALID
 * with a line for the user. "--name=value" and "--name value" are the same. */
int words_next(struct words *w, int *option, const char **value, struct errmsg *msg);
/* A whole number from 0 to max, as the value of that option. */
int words_number(const struct words *w, int option, const char *value, int64_t max, int64_t *out,
                 struct errmsg *msg);

#endif
