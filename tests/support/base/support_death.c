/* Expecting that the process ends with a failed assert.
 *
 * Happy path: fork -> the child's stderr is a pipe -> fn -> the parent reads all, waits, and looks
 *             for SIGABRT.
 */
#include "support_death.h"

#include "base.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static void run_child(int out, void (*fn)(void *arg), void *arg)
{
    signal(SIGABRT, SIG_DFL);
    dup2(out, STDERR_FILENO);
    close(out);
    fn(arg);
    _exit(0);
}

bool dies_with(void (*fn)(void *arg), void *arg, const char *text)
{
    struct buf said;
    int ends[2];
    int status;
    pid_t child;
    ssize_t n;
    bool found;

    ASSERT(pipe(ends) == 0);
    fflush(NULL);
    child = fork();
    ASSERT(child >= 0);
    if (child == 0) {
        close(ends[0]);
        run_child(ends[1], fn, arg);
    }
    close(ends[1]);
    buf_init(&said);
    do {
        buf_reserve(&said, 4096);
        n = read(ends[0], said.p + said.n, 4096);
        said.n += n > 0 ? (size_t)n : 0;
    } while (n > 0);
    close(ends[0]);
    ASSERT(waitpid(child, &status, 0) == child);
    found = strstr(buf_cstr(&said), text) != NULL;
    buf_release(&said);
    return found && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}
