/* How fast the disks fill: a warning when one will be full within a day at the present rate.
 *
 * Owner: struct cleaner (one struct growth for each log directory), core thread.
 *
 * Happy path: free space after a round, every five minutes at most -> what was used up in each third of the last hour -> the
 *             smallest of these is the rate -> how long the rest will last.
 * Invariant:  nothing is said before half an hour was seen. A burst is over in some third, so it is no rate. A state is said once:
 *             again when only half the time is left that was said, or when more than two days were in sight meanwhile.
 * Failures:   space that cannot be asked for is not looked at.
 */
#include "internal.h"

#define NS_PER_S            1e9
#define GROWTH_SAMPLE_MS    (5 * 60 * 1000)
#define GROWTH_SEEN_MIN_S   (30 * 60)
#define GROWTH_DAY_S        (24 * 60 * 60)
#define GROWTH_OUT_OF_SIGHT INFINITY
#define PARTS               3

static bool add_sample(struct growth *g, struct mono now, uint64_t free_bytes)
{
    if (g->n > 0 && now.ns < mono_after_ms(g->samples[g->n - 1].at, GROWTH_SAMPLE_MS).ns)
        return false;
    if (g->n == GROWTH_SAMPLES) {
        g->n--;
        memmove(&g->samples[0], &g->samples[1], (size_t)g->n * sizeof(g->samples[0]));
    }
    g->samples[g->n].at = now;
    g->samples[g->n].free_bytes = free_bytes;
    g->n++;
    return true;
}

static double seconds_between(const struct growth *g, int from, int to)
{
    ASSERT(from < to);
    return (double)(g->samples[to].at.ns - g->samples[from].at.ns) / NS_PER_S;
}

/* Bytes a second that were used up between two samples; below 0: more was freed. */
static double rate_between(const struct growth *g, int from, int to)
{
    double used = (double)g->samples[from].free_bytes - (double)g->samples[to].free_bytes;

    return used / seconds_between(g, from, to);
}

static double present_rate(const struct growth *g)
{
    const int last = g->n - 1;
    double least;

    if (g->n <= PARTS || seconds_between(g, 0, last) < GROWTH_SEEN_MIN_S)
        return 0;
    least = rate_between(g, 0, last / PARTS);
    for (int i = 1; i < PARTS; i++) {
        double rate = rate_between(g, last * i / PARTS, last * (i + 1) / PARTS);

        least = MIN(least, rate);
    }
    return least;
}

static void say(struct growth *g, const char *path, uint64_t free_bytes, double rate, double left_s)
{
    if (left_s > 2 * GROWTH_DAY_S)
        g->said_left_s = 0;
    if (left_s > GROWTH_DAY_S || (g->said_left_s > 0 && left_s > g->said_left_s / 2))
        return;
    MARK(growth_warned);
    g->said_left_s = left_s;
    diag_warn("log directory %s: %.1f GB are free, and %.2f MB a second are used up: full in about %.1f hours; topics that grow "
              "need a smaller retention.ms or retention.bytes",
              path, (double)free_bytes / 1e9, rate / 1e6, left_s / 3600);
}

static void look_at(struct cleaner *c, int dir, struct mono now)
{
    struct growth *g = &c->growth[dir];
    const char *path = logm_dir_path(c->options.logm, dir);
    struct vfs_space space;
    double rate;

    if (logm_dir_offline(c->options.logm, dir) || vfs_space(c->env->vfs, path, &space) < 0 ||
        !add_sample(g, now, space.free_bytes))
        return;
    rate = present_rate(g);
    say(g, path, space.free_bytes, rate, rate > 0 ? (double)space.free_bytes / rate : GROWTH_OUT_OF_SIGHT);
}

void growth_look(struct cleaner *c)
{
    struct mono now = clock_mono(c->env->clock);

    for (int i = 0; i < logm_n_dirs(c->options.logm); i++)
        look_at(c, i, now);
}
