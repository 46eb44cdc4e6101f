/* The time in front of log lines: local time, to the millisecond. */
#include "sys.h"

#include <time.h>

static void clock_text(char *out, size_t n)
{
    struct timespec now;
    struct tm local;
    size_t used;

    ASSERT(clock_gettime(CLOCK_REALTIME, &now) == 0);
    ASSERT(localtime_r(&now.tv_sec, &local));
    used = strftime(out, n, "%Y-%m-%d %H:%M:%S", &local);
    ASSERT(used > 0);
    snprintf(out + used, n - used, ".%03d", (int)(now.tv_nsec / 1000000));
}

void sys_install_diag_clock(void)
{
    diag_set_clock(clock_text);
}
