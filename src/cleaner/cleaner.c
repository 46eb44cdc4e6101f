/* The cleaner: its life, and the rounds of retention (LogManager.cleanupLogs).
 *
 * Owner: struct broker; core thread.
 *
 *     idle --log.initial.task.delay.ms--> round --all partitions looked at--> idle --log.retention.check.interval.ms--> round ...
 *
 * Happy path: a round looks at STEP_PARTITIONS partitions at a time, with pauses between, so that thousands of them are done in
 *             half the interval and no turn is long. A log that is not open is only peeked at (logm_peek), which costs a listing
 *             of its directory once after a start.
 * Invariant:  a log that is being compacted is not looked at.
 * Failures:   of one log: a line, and the next round tries again.
 */
#include "internal.h"

#define STEP_PARTITIONS 16

static void say_failed(const struct cleaner_partition *p, int rc)
{
    if (rc != E_OFFLINE && rc != E_AGAIN)
        diag_warn("%s-%d: retention: %s", p->topic, p->partition, err_text(rc));
}

static void look_at(struct cleaner *c, struct cleaner_partition *p)
{
    struct wall now = clock_wall(c->env->clock);
    struct log_peek peek;
    int rc = 0;

    if (!p->log) {
        if (logm_peek(c->options.logm, p->topic, p->partition, &peek) < 0 ||
            !retention_wants(&peek, p->config, now))
            return;
        rc = c->options.open(c->options.arg, p->topic, p->partition, &p->log);
    }
    if (rc == 0 && p->log && !compact_has(c, p->log))
        rc = retention_apply(p->log, now);
    if (rc < 0)
        say_failed(p, rc);
}

static int64_t interval_ms(const struct cleaner *c)
{
    return MAX(1, c->options.config->log_retention_check_interval_ms);
}

static void begin_round(struct cleaner *c, struct mono now)
{
    uint64_t n = c->options.count(c->options.arg);
    int64_t n_steps = (int64_t)(n / STEP_PARTITIONS) + 1;

    c->in_round = true;
    c->round_begun = now;
    c->step_ms = MAX(1, interval_ms(c) / 2 / n_steps);
    c->cursor = (struct cleaner_cursor){0};
}

static void end_round(struct cleaner *c, struct mono now)
{
    struct mono next = mono_after_ms(c->round_begun, interval_ms(c)), soonest = mono_after_ms(now, 1);

    c->in_round = false;
    growth_look(c);
    timer_set(&c->env->timers, &c->round_timer, next.ns > soonest.ns ? next : soonest);
}

static void round_fire(struct timer *t)
{
    struct cleaner *c = CONTAINER_OF(t, struct cleaner, round_timer);
    struct mono now = clock_mono(c->env->clock);
    struct cleaner_partition p;

    ASSERT(c->magic == CLEANER_MAGIC);
    if (c->stopping)
        return;
    if (!c->in_round)
        begin_round(c, now);
    for (int i = 0; i < STEP_PARTITIONS; i++) {
        if (!c->options.next(c->options.arg, &c->cursor, &p)) {
            end_round(c, now);
            return;
        }
        look_at(c, &p);
    }
    timer_set(&c->env->timers, &c->round_timer, mono_after_ms(now, c->step_ms));
}

struct cleaner *cleaner_new(struct env *env, const struct cleaner_options *options)
{
    struct cleaner *c = xcalloc(1, sizeof(*c));

    ASSERT_CORE();
    c->magic = CLEANER_MAGIC;
    c->env = env;
    c->options = *options;
    c->growth = xcalloc((size_t)logm_n_dirs(options->logm), sizeof(*c->growth));
    compact_init(c);
    timer_init(&c->round_timer, round_fire);
    timer_set(&env->timers, &c->round_timer,
              mono_after_ms(clock_mono(env->clock), options->config->log_initial_task_delay_ms));
    return c;
}

void cleaner_free(struct cleaner *c)
{
    if (!c)
        return;
    ASSERT(c->magic == CLEANER_MAGIC);
    compact_release(c);
    timer_cancel(&c->env->timers, &c->round_timer);
    c->magic = 0;
    free(c->growth);
    free(c);
}

void cleaner_stop(struct cleaner *c)
{
    c->stopping = true;
    compact_stop(c);
}

bool cleaner_idle(const struct cleaner *c)
{
    return compact_idle(c);
}

void cleaner_configured(struct cleaner *c)
{
    ASSERT(c->magic == CLEANER_MAGIC);
    if (!c->stopping && c->options.config->log_cleaner_enable)
        compact_scan_soon(c, 0);
}

bool cleaner_let_go(struct cleaner *c, const struct log *l)
{
    ASSERT(c->magic == CLEANER_MAGIC);
    return compact_let_go(c, l);
}

void cleaner_forget(struct cleaner *c, const struct log *l)
{
    ASSERT(c->magic == CLEANER_MAGIC);
    compact_forget(c, l);
}
