/* The table of metrics and its text. */
#include "metrics.h"

#include <setjmp.h>

#include <cmocka.h>

/* Counting without metrics is fine: unit tests of other modules have none. */
static void nothing_is_counted_without_metrics(void **state)
{
    struct metrics m = {0};

    metric_add(NULL, M_requests_total, 1);
    metric_set(NULL, M_connections_open, 1);
    metric_add(&m, M_requests_total, 2);
    metric_add(&m, M_requests_total, 3);
    metric_set(&m, M_connections_open, 9);
    metric_add(&m, M_connections_open, -1);
    assert_int_equal(m.value[M_requests_total], 5);
    assert_int_equal(m.value[M_connections_open], 8);
}

/* Each metric has three lines, in the format that Prometheus reads. */
static void every_metric_is_printed(void **state)
{
    struct metrics m = {0};
    struct buf out;

    buf_init(&out);
    for (int i = 0; i < METRIC_COUNT; i++)
        m.value[i] = 1000 + i;
    m.value[M_log_dirs_offline] = -5;
    metrics_print(&m, &out);
    for (int i = 0; i < METRIC_COUNT; i++) {
        const struct metric_info *info = &metric_table[i];
        char *lines = xasprintf("# HELP %s %s\n# TYPE %s %s\n%s %lld\n", info->name, info->help,
                                info->name, info->kind == METRIC_GAUGE ? "gauge" : "counter",
                                info->name, (long long)m.value[i]);

        assert_non_null(strstr(buf_cstr(&out), lines));
        free(lines);
    }
    assert_non_null(strstr(buf_cstr(&out), "\nlog_dirs_offline -5\n"));
    buf_release(&out);
}

/* Counters, and only they, are named _total, as Prometheus asks. */
static void counters_are_named_total(void **state)
{
    for (int i = 0; i < METRIC_COUNT; i++) {
        const char *name = metric_table[i].name;
        size_t n = strlen(name);
        bool is_total = n > 6 && strcmp(name + n - 6, "_total") == 0;

        assert_int_equal(is_total, metric_table[i].kind == METRIC_COUNTER);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_counted_without_metrics),
        cmocka_unit_test(every_metric_is_printed),
        cmocka_unit_test(counters_are_named_total),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
