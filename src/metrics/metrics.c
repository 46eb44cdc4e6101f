/* Metrics: one table of names, one array of numbers.
 *
 * Owner: the env's, core thread. The table comes from include/metrics/metrics.def.
 */
#include "metrics.h"

const struct metric_info metric_table[METRIC_COUNT] = {
#define METRIC(name, kind, help) [M_##name] = {#name, METRIC_##kind, help},
#include "metrics/metrics.def"
#undef METRIC
};

void metrics_print(const struct metrics *m, struct buf *out)
{
    static const char *const kinds[] = {[METRIC_COUNTER] = "counter", [METRIC_GAUGE] = "gauge"};

    ASSERT(m);
    for (size_t i = 0; i < METRIC_COUNT; i++) {
        const struct metric_info *info = &metric_table[i];

        buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s %lld\n", info->name, info->help, info->name,
                   kinds[info->kind], info->name, (long long)m->value[i]);
    }
}
