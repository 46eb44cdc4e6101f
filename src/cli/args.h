/* The command line. Inner header of cli. */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include "base.h"

/* What the process ends with; --help lists them. */
enum exit_code {
    EXIT_CODE_OK = 0,
    EXIT_CODE_START = 1, /* settings, a taken port, a data directory that can not be used */
    EXIT_CODE_USAGE = 2,
    EXIT_CODE_LOCKED = 73,  /* the data directory belongs to another broker that runs */
    EXIT_CODE_STORAGE = 74, /* the last data directory failed while running */
};

enum args_action { ARGS_SERVE = 0, ARGS_HELP, ARGS_VERSION, ARGS_APIS };
struct args {
    enum args_action action;
    const char *config_path; /* NULL: defaults */
    const char **overrides;  /* "key=value"; owned array of argv's text */
    int n_overrides;
    bool strict;
    const char *ready_path; /* NULL: none */
};
/* E_INVALID with a line for the user. Release in either case. */
int args_parse(struct args *a, int argc, char **argv, struct errmsg *msg);
void args_release(struct args *a);

void args_print_help(FILE *out);
void args_print_version(FILE *out);

#endif
