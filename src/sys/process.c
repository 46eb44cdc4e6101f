/* What a process asks of its machine once or now and then: a seed, limits, its name, its memory. */
#include "sys.h"

#include <errno.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

uint64_t sys_random_seed(void)
{
    uint64_t seed;
    ssize_t got;

    do
        got = getrandom(&seed, sizeof(seed), 0);
    while (got < 0 && errno == EINTR);
    ASSERT(got == (ssize_t)sizeof(seed));
    return seed;
}

int sys_raise_file_limit(uint64_t *soft)
{
    struct rlimit limit;
    rlim_t before;
    int rc = 0;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return err_from_errno(errno);
    before = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    if (before != limit.rlim_max && setrlimit(RLIMIT_NOFILE, &limit) < 0) {
        rc = err_from_errno(errno);
        limit.rlim_cur = before;
    }
    *soft = limit.rlim_cur;
    return rc;
}

int sys_hostname(char *out, size_t n)
{
    int rc = 0;

    ASSERT(n > 0);
    if (gethostname(out, n) < 0) {
        rc = err_from_errno(errno);
        out[0] = 0;
    }
    out[n - 1] = 0; /* a name that fits but for its end may come without it */
    return rc;
}

/* The second number of /proc/self/statm, in pages; 0 where there is no such file. */
uint64_t sys_resident_bytes(void)
{
    FILE *statm = fopen("/proc/self/statm", "re");
    unsigned long long total, resident;
    int n_read;

    if (!statm)
        return 0;
    n_read = fscanf(statm, "%llu %llu", &total, &resident);
    fclose(statm);
    return n_read == 2 ? resident * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}
