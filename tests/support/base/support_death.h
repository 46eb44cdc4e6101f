/* Expecting that the process ends with a failed assert. */
#ifndef BARNABAS_SUPPORT_DEATH_H
#define BARNABAS_SUPPORT_DEATH_H

#include <stdbool.h>

/* Runs fn in a child process; true when it aborted and what it wrote to stderr contains text. */
bool dies_with(void (*fn)(void *arg), void *arg, const char *text);

#endif
