/* Looking for the log that is to be compacted next.
 *
 * Owner: struct cleaner, core thread.
 *
 * Happy path: SCAN_PARTITIONS partitions in a turn -> the dirtiest that is due -> a worker that is idle. A log that is not open is
 *             opened only when segments of it were finished that compaction has not looked at (logm_peek).
 * Invariant:  what the scan holds (c->best) is an open log that no worker has; compact_forget drops it.
 */
#include "internal.h"

#define SCAN_PARTITIONS 64

static void measure(struct cleaner *c, struct cleaner_partition *p)
{
    struct wall now = clock_wall(c->env->clock);
    struct log_peek peek;
    struct cleanable k;

    if (!(p->config->cleanup & CLEANUP_COMPACT))
        return;
    if (!p->log && logm_peek(c->options.logm, p->topic, p->partition, &peek) == 0 && peek.has_dirty)
        (void)c->options.open(c->options.arg, p->topic, p->partition, &p->log);
    if (!p->log || log_is_uncleanable(p->log) || compact_has(c, p->log))
        return;
    choose_measure(p->log, now, &k);
    log_want_recovery_point(p->log);
    if (choose_is_due(&k, now) && (!c->best.log || k.ratio > c->best.ratio))
        c->best = k;
}

static void scan_ended(struct cleaner *c)
{
    struct worker *w = compact_idle_worker(c);
    struct cleanable k = c->best;

    c->best.log = NULL;
    c->scanning = false;
    if (!k.log || !w) {
        if (w)
            compact_scan_soon(c, MAX(1, c->options.config->log_cleaner_backoff_ms));
        return;
    }
    /* What was measured some turns ago may have changed. */
    choose_measure(k.log, clock_wall(c->env->clock), &k);
    compact_begin(w, &k);
    /* A worker that is idle again has said when to look again. */
    if (w->state != WORKER_IDLE && compact_idle_worker(c))
        compact_scan_soon(c, 1);
}

void compact_scan_fire(struct timer *t)
{
    struct cleaner *c = CONTAINER_OF(t, struct cleaner, scan_timer);
    struct cleaner_partition p;

    if (!compact_may_work(c))
        return;
    if (!c->scanning) {
        c->scanning = true;
        c->scan_cursor = (struct cleaner_cursor){0};
        c->best.log = NULL;
    }
    for (int i = 0; i < SCAN_PARTITIONS; i++) {
        if (!c->options.next(c->options.arg, &c->scan_cursor, &p)) {
            scan_ended(c);
            return;
        }
        measure(c, &p);
    }
    timer_set(&c->env->timers, &c->scan_timer, mono_after_ms(clock_mono(c->env->clock), 1));
}

void compact_scan_soon(struct cleaner *c, int64_t delay_ms)
{
    struct mono at = mono_after_ms(clock_mono(c->env->clock), delay_ms);

    if (!c->scanning || !timer_armed(&c->scan_timer))
        timer_set(&c->env->timers, &c->scan_timer, at);
}
