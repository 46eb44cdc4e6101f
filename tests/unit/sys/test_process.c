/* What a process asks of its machine. */
#include "sys.h"

#include <setjmp.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

/* Seeds differ. */
static void seeds_differ(void **state)
{
    assert_true(sys_random_seed() != sys_random_seed());
}

/* The file limit ends at the hard one, from wherever it was, and is told. */
static void file_limit_is_raised_to_the_hard_one(void **state)
{
    struct rlimit before, limit;
    uint64_t soft = 0;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    limit = before;
    limit.rlim_cur = 64;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(sys_raise_file_limit(&soft), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_true(soft == limit.rlim_max);
    assert_true(limit.rlim_cur == limit.rlim_max);
    assert_int_equal(sys_raise_file_limit(&soft), 0);
    assert_true(soft == limit.rlim_max);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

/* The machine's name is what the system says; a buffer that is too short is an error or a cut,
 * never an overrun. */
static void hostname_is_terminated(void **state)
{
    char name[256], want[256], tiny[2];

    assert_int_equal(gethostname(want, sizeof(want)), 0);
    assert_int_equal(sys_hostname(name, sizeof(name)), 0);
    assert_string_equal(name, want);
    memset(tiny, 'x', sizeof(tiny));
    assert_int_equal(sys_hostname(tiny, sizeof(tiny)), strlen(want) < sizeof(tiny) ? 0 : E_INVALID);
    assert_int_equal(strlen(tiny), strlen(want) < sizeof(tiny) ? strlen(want) : 0);
}

/* Touching memory shows in what is resident. */
static void resident_bytes_grow_with_use(void **state)
{
    const size_t n = 64u << 20;
    uint64_t before = sys_resident_bytes();
    volatile uint8_t *p = xmalloc(n);

    for (size_t i = 0; i < n; i += 4096)
        p[i] = 1;
    assert_true(before > 0);
    assert_true(sys_resident_bytes() > before + n / 2);
    free((void *)(uintptr_t)p);
}

static char first_line[256];

static ssize_t keep_line(void *cookie, const char *p, size_t n)
{
    size_t room = sizeof(first_line) - 1 - strlen(first_line);

    memcpy(first_line + strlen(first_line), p, MIN(n, room));
    return (ssize_t)n;
}

/* Log lines begin with the local time, to the millisecond. */
static void log_lines_begin_with_the_time(void **state)
{
    int y, mo, d, h, mi, s, ms, used = 0;
    FILE *real = stderr;

    stderr = fopencookie(NULL, "w", (cookie_io_functions_t){.write = keep_line});
    sys_install_diag_clock();
    diag_info("started");
    fclose(stderr);
    stderr = real;
    diag_set_clock(NULL);
    assert_int_equal(sscanf(first_line, "%4d-%2d-%2d %2d:%2d:%2d.%3d INFO  [root] started%n", &y,
                            &mo, &d, &h, &mi, &s, &ms, &used),
                     7);
    assert_int_equal(used, 44);
    assert_int_equal(first_line[used], '\n');
    assert_in_range(y, 2020, 2200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seeds_differ),
        cmocka_unit_test(file_limit_is_raised_to_the_hard_one),
        cmocka_unit_test(hostname_is_terminated),
        cmocka_unit_test(resident_bytes_grow_with_use),
        cmocka_unit_test(log_lines_begin_with_the_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
