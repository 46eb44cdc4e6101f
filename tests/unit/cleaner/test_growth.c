/* Disks that will be full within a day: when that is said, and how often. */
#include "cleaner.h"

#include <setjmp.h>

#include <cmocka.h>

#define MINUTES 60000
#define GB      UINT64_C(1000000000)

struct site {
    struct env env;
    struct config config;
    struct logm *m;
    struct cleaner *cleaner;
    uint64_t free_bytes;
    int n_said;
    char last[400];
};

static void hear(enum diag_level level, const char *text, void *arg)
{
    struct site *s = arg;

    if (level != DIAG_WARN || !strstr(text, "are free"))
        return;
    s->n_said++;
    snprintf(s->last, sizeof(s->last), "%s", text);
}

static bool no_partition(void *arg, struct cleaner_cursor *at, struct cleaner_partition *out)
{
    return false;
}

static uint64_t count_none(void *arg)
{
    return 0;
}

static int open_none(void *arg, const char *topic, int32_t partition, struct log **out)
{
    return E_NOENT;
}

static void set_free(struct site *s, uint64_t bytes)
{
    struct vfs_space space;

    s->free_bytes = bytes;
    assert_int_equal(vfs_space(s->env.vfs, "/data", &space), 0);
    vfs_mem_set_space(s->env.vfs, space.total_bytes - space.free_bytes + bytes);
}

static void site_init(struct site *s)
{
    struct cleaner_options co = {.config = &s->config, .next = no_partition, .count = count_none, .open = open_none};
    struct logm_options options = {.config = &s->config};
    struct errmsg msg = {0};

    *s = (struct site){0};
    thread_mark(THREAD_CORE);
    s->env.clock = clock_sim_new((struct wall){1000000});
    s->env.vfs = vfs_mem_new(s->env.clock);
    s->env.lanes = lanes_sim_new();
    rng_init(&s->env.rng, 3);
    timers_init(&s->env.timers);
    config_init(&s->config);
    assert_int_equal(config_override(&s->config, "log.dirs=/data", &msg), 0);
    assert_int_equal(config_override(&s->config, "log.retention.check.interval.ms=60000", &msg), 0);
    assert_int_equal(config_finish(&s->config, true, &msg), 0);
    assert_int_equal(logm_open(&s->env, &options, &s->m, &msg), 0);
    co.logm = s->m;
    s->cleaner = cleaner_new(&s->env, &co);
    set_free(s, 100 * GB);
    diag_set_sink(hear, s);
}

static void site_release(struct site *s)
{
    diag_set_sink(NULL, NULL);
    cleaner_free(s->cleaner);
    logm_close(s->m, false);
    config_release(&s->config);
    timers_release(&s->env.timers);
    lanes_sim_free(s->env.lanes);
    vfs_mem_free(s->env.vfs);
    clock_sim_free(s->env.clock);
}

/* So many minutes, in each of which so much is used up (below 0: freed). */
static void live(struct site *s, int minutes, int64_t bytes_each)
{
    for (int i = 0; i < minutes; i++) {
        set_free(s, (uint64_t)((int64_t)s->free_bytes - bytes_each));
        clock_sim_advance(s->env.clock, (int64_t)MINUTES * 1000000);
        timers_fire(&s->env.timers, clock_mono(s->env.clock));
    }
}

/* 100 GB at 0.1 GB a minute last 16 hours: said when half an hour was seen, not before, and once. */
static void a_day_in_sight_is_said_once(void **state)
{
    struct site s;

    site_init(&s);
    live(&s, 29, 100000000);
    assert_int_equal(s.n_said, 0);
    live(&s, 20, 100000000);
    assert_int_equal(s.n_said, 1);
    assert_non_null(strstr(s.last, "log directory /data: "));
    assert_non_null(strstr(s.last, "1.67 MB a second are used up: full in about 16."));
    live(&s, 300, 100000000);
    assert_int_equal(s.n_said, 1);
    site_release(&s);
}

/* When half of the time is left it is said again. */
static void less_than_half_of_what_was_said_is_said_again(void **state)
{
    struct site s;

    site_init(&s);
    live(&s, 60, 100000000);
    assert_int_equal(s.n_said, 1);
    live(&s, 420, 100000000);
    assert_int_equal(s.n_said, 1);
    live(&s, 60, 100000000);
    assert_int_equal(s.n_said, 2);
    assert_non_null(strstr(s.last, "full in about 8."));
    site_release(&s);
}

/* A slow growth, a disk that stays as it is, and one that empties are no reason to say anything. */
static void more_than_a_day_is_not_said(void **state)
{
    struct site s;

    site_init(&s);
    live(&s, 600, 10000000);
    live(&s, 100, 0);
    live(&s, 100, -50000000);
    assert_int_equal(s.n_said, 0);
    site_release(&s);
}

/* 40 GB in ten minutes, and quiet before and after: at no time a rate. */
static void a_burst_is_not_said(void **state)
{
    struct site s;

    site_init(&s);
    live(&s, 95, 1000);
    live(&s, 10, 4000000000);
    live(&s, 200, 1000);
    assert_int_equal(s.n_said, 0);
    site_release(&s);
}

/* What was over and comes back is said anew. */
static void a_growth_that_stopped_is_said_again_when_it_comes_back(void **state)
{
    struct site s;

    site_init(&s);
    live(&s, 60, 100000000);
    live(&s, 120, 0);
    assert_int_equal(s.n_said, 1);
    live(&s, 90, 100000000);
    assert_int_equal(s.n_said, 2);
    site_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_day_in_sight_is_said_once),
        cmocka_unit_test(less_than_half_of_what_was_said_is_said_again),
        cmocka_unit_test(more_than_a_day_is_not_said),
        cmocka_unit_test(a_burst_is_not_said),
        cmocka_unit_test(a_growth_that_stopped_is_said_again_when_it_comes_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
