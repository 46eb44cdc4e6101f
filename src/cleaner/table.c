/* The growth of partitions, as a table of metrics: size, offsets, segments, what compaction has to do, when the next segment leaves.
 *
 * Owner: none; walks all partitions when it is asked.
 *
 * Of a partition whose log is not open only its size and its segments are known.
 */
#include "internal.h"

#include <math.h>

/* What one partition shows. */
struct shown {
    struct log *log; /* NULL: not open */
    struct log_peek peek;
    struct wall now;
};
struct column {
    const char *name, *help;
    double (*get)(const struct shown *s); /* NAN: nothing to show */
};

static double size_of(const struct shown *s)
{
    return (double)(s->log ? log_size_bytes(s->log) : s->peek.size_bytes);
}

static double segments_of(const struct shown *s)
{
    return s->log ? log_n_segments(s->log) : s->peek.n_segments;
}

static double start_of(const struct shown *s)
{
    return s->log ? (double)log_start_offset(s->log) : NAN;
}

static double end_of(const struct shown *s)
{
    return s->log ? (double)log_end_offset(s->log) : NAN;
}

static bool is_compacted(const struct shown *s)
{
    return s->log && (log_config(s->log)->cleanup & CLEANUP_COMPACT);
}

static double dirty_ratio_of(const struct shown *s)
{
    struct cleanable k;

    if (!is_compacted(s))
        return NAN;
    choose_measure(s->log, s->now, &k);
    return k.ratio;
}

static double last_cleaned_of(const struct shown *s)
{
    return is_compacted(s) && log_last_cleaned(s->log).ms > 0
               ? (double)log_last_cleaned(s->log).ms / 1000
               : NAN;
}

static double next_expiry_of(const struct shown *s)
{
    int64_t ms = s->log ? cleaner_next_expiry_ms(s->log) : -1;

    return ms >= 0 ? (double)ms / 1000 : NAN;
}

static const struct column columns[] = {
    {"log_size_bytes", "Bytes of a partition's segments", size_of},
    {"log_segments", "Segments of a partition", segments_of},
    {"log_start_offset", "The first offset of a partition", start_of},
    {"log_end_offset", "The offset that the next record of a partition gets", end_of},
    {"log_dirty_ratio",
     "Share of a compacted partition that was written since it was compacted; it is due above "
     "min.cleanable.dirty.ratio",
     dirty_ratio_of},
    {"log_last_cleaned_seconds", "When a partition was compacted last, in Unix time",
     last_cleaned_of},
    {"log_next_expiry_seconds",
     "When retention.ms ends for the oldest segment of a partition, in Unix time", next_expiry_of},
};

static bool look(struct cleaner *c, const struct cleaner_partition *p, struct shown *s)
{
    s->log = p->log;
    return p->log || logm_peek(c->options.logm, p->topic, p->partition, &s->peek) == 0;
}

static void print_column(struct cleaner *c, const struct column *column, struct buf *out)
{
    struct shown s = {.now = clock_wall(c->env->clock)};
    struct cleaner_cursor at = {0};
    struct cleaner_partition p;

    buf_printf(out, "# HELP %s %s\n# TYPE %s gauge\n", column->name, column->help, column->name);
    while (c->options.next(c->options.arg, &at, &p)) {
        double v = look(c, &p, &s) ? column->get(&s) : NAN;

        if (!isnan(v))
            buf_printf(out, "%s{topic=\"%s\",partition=\"%d\"} %.15g\n", column->name, p.topic,
                       p.partition, v);
    }
}

void cleaner_print(struct cleaner *c, struct buf *out)
{
    ASSERT(c->magic == CLEANER_MAGIC);
    for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
        print_column(c, &columns[i], out);
}
