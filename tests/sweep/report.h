/* Where the sweep is, and what it has found. */
#ifndef SWEEP_REPORT_H
#define SWEEP_REPORT_H

#include "base.h"

struct sweep_report {
    const char *kind;  /* what was done: "kill", "power cut", "EIO" ... */
    uint64_t at;       /* at which operation or change; 0: at none */
    const char *phase; /* what was going on when something was wrong */
    uint64_t n_operations, n_cases, n_restarts;
    uint64_t n_sparse; /* indexes with fewer entries than a broker that never stopped makes */
    int n_violations, n_deaths;
    struct {
        char text[160]; /* of the first one, with its place */
        uint64_t shape; /* of the text without its numbers */
        uint64_t n;
    } classes[200]; /* violations that look alike */
    int n_classes;
    /* where to go on: cases before it are not looked at again */
    uint64_t from_at;
    size_t from_kind;
};
/* One per program. In memory that forked children share: a case that ends its process is a violation like others. */
extern struct sweep_report *sweep_shared;
#define sweep (*sweep_shared)

void report_init(void);
void report_print(void); /* what was found, one line for what looks alike */
/* Runs fn in child processes until one comes to its end; each death is a violation, and the next child goes on behind it: fn
 * keeps from_at and from_kind. */
void report_run(void (*fn)(void));
/* Something that must not be. The first of those that look alike is printed, with where the sweep is;
 * the sweep goes on. */
void violation(const char *fmt, ...) PRINTF_LIKE(1, 2);
#endif
