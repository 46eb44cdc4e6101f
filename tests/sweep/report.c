/* Where the sweep is, and what it has found.
 *
 * Owner: the parent process makes the shared memory; one child at a time writes to it.
 */
#include "report.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEATHS_MAX 40

struct sweep_report *sweep_shared;

void report_init(void)
{
    sweep_shared = mmap(NULL, sizeof(*sweep_shared), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT(sweep_shared != MAP_FAILED);
    *sweep_shared = (struct sweep_report){0};
}

/* FNV-1a of the kind of case and of a text, without its digits and what is in parentheses. */
static uint64_t shape_of(const char *kind, const char *text)
{
    uint64_t h = 14695981039346656037u;
    int depth = 0;

    for (; *kind; kind++)
        h = (h ^ (uint8_t)*kind) * 1099511628211u;
    for (; *text; text++) {
        depth += (*text == '(') - (*text == ')');
        if (depth == 0 && (*text < '0' || *text > '9'))
            h = (h ^ (uint8_t)*text) * 1099511628211u;
    }
    return h;
}

/* The place of violations of this shape; the last place is for all that find no other. */
static size_t class_of(uint64_t shape)
{
    size_t i = 0;

    while (i < (size_t)sweep.n_classes && sweep.classes[i].shape != shape)
        i++;
    return MIN(i, ARRAY_SIZE(sweep.classes) - 1);
}

void violation(const char *fmt, ...)
{
    char text[512], where[256];
    uint64_t shape;
    va_list args;
    size_t i;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    snprintf(where, sizeof(where), "%s %llu, %s", sweep.kind ? sweep.kind : "-",
             (unsigned long long)sweep.at, sweep.phase ? sweep.phase : "-");
    sweep.n_violations++;
    shape = shape_of(sweep.kind ? sweep.kind : "-", text);
    i = class_of(shape);
    if (i == (size_t)sweep.n_classes) {
        sweep.n_classes++;
        sweep.classes[i].shape = shape;
        snprintf(sweep.classes[i].text, sizeof(sweep.classes[i].text), "%.80s: %.70s", where, text);
        fprintf(stderr, "%s: %s\n", where, text);
    }
    sweep.classes[i].n++;
}

void report_print(void)
{
    for (int i = 0; i < sweep.n_classes; i++)
        fprintf(stderr, "%6llu x %s\n", (unsigned long long)sweep.classes[i].n,
                sweep.classes[i].text);
}

/* True when the child came to its end. */
static bool run_child(void (*fn)(void))
{
    int status;
    pid_t pid;

    fflush(NULL);
    pid = fork();
    ASSERT(pid >= 0);
    if (pid == 0) {
        fn();
        exit(0);
    }
    ASSERT(waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void report_run(void (*fn)(void))
{
    sweep.from_at = 1;
    sweep.from_kind = 0;
    while (!run_child(fn)) {
        violation("the process died");
        if (++sweep.n_deaths >= DEATHS_MAX) {
            violation("too many deaths: the rest is not looked at");
            return;
        }
    }
}
