/* metrics: counters and gauges as one table, read by whoever shows them.
 *
 * Core thread only. METRIC(name, kind, help) lines live in include/metrics/metrics.def; a metric is one int64 in one array.
 */
#ifndef BARNABAS_METRICS_H
#define BARNABAS_METRICS_H

#include "base.h"

enum metric_kind { METRIC_COUNTER = 0, METRIC_GAUGE };
enum metric {
#define METRIC(name, kind, help) M_##name,
#include "metrics/metrics.def"
#undef METRIC
    METRIC_COUNT
};
struct metrics {
    int64_t value[METRIC_COUNT];
};
struct metric_info {
    const char *name;
    enum metric_kind kind;
    const char *help;
};
extern const struct metric_info metric_table[METRIC_COUNT];

/* m may be NULL: nothing is counted. */
static inline void metric_add(struct metrics *m, enum metric which, int64_t n)
{
    if (m)
        m->value[which] += n;
}
static inline void metric_set(struct metrics *m, enum metric which, int64_t v)
{
    if (m)
        m->value[which] = v;
}
/* One line per metric, "name value", with a "# HELP" line before each (Prometheus' text format). */
void metrics_print(const struct metrics *m, struct buf *out);

#endif
