/* How fast the disks fill: a warning when one will be full within a day.
 *
 * Owner: struct cleaner (one struct growth for each log directory), core thread.
 *
 * Happy path: free space once a round -> the rate since the oldest sample that is kept (an hour, with the default interval) ->
 *             how long the rest will last.
 * Invariant:  nothing is said before there are three samples, and not more than once in an hour.
 * Failures:   space that cannot be asked for is not looked at.
 */
#include "internal.h"

#define GROWTH_SAMPLES_MIN 3
#define GROWTH_DAY_S       (24 * 60 * 60)
#define GROWTH_SAY_EVERY_MS (60 * 60 * 1000)

static void add_sample(struct growth *g, struct mono now, uint64_t free_bytes)
{
    if (g->n == GROWTH_SAMPLES) {
        g->n--;
        memmove(&g->samples[0], &g->samples[1], (size_t)g->n * sizeof(g->samples[0]));
    }
    g->samples[g->n].at = now;
    g->samples[g->n].free_bytes = free_bytes;
    g->n++;
}

/* Seconds until it is full; -1: not in sight. */
static double seconds_left(const struct growth *g)
{
    const uint64_t was = g->samples[0].free_bytes, is = g->samples[g->n - 1].free_bytes;
    double seconds = (double)(g->samples[g->n - 1].at.ns - g->samples[0].at.ns) / 1e9;

    if (g->n < GROWTH_SAMPLES_MIN || is >= was || seconds <= 0)
        return -1;
    return (double)is * seconds / (double)(was - is);
}

static void warn(struct growth *g, const char *path, double left_s)
{
    const int last = g->n - 1;
    double seconds = (double)(g->samples[last].at.ns - g->samples[0].at.ns) / 1e9;
    double bytes = (double)(g->samples[0].free_bytes - g->samples[last].free_bytes);

    MARK(growth_warned);
    diag_warn("log directory %s: %.1f GB are free, and %.1f MB a second are used up: full in about %.1f hours; topics that grow "
              "need a smaller retention.ms or retention.bytes",
              path, (double)g->samples[last].free_bytes / 1e9, bytes / seconds / 1e6, left_s / 3600);
}

static void look_at(struct cleaner *c, int dir, struct mono now)
{
    struct growth *g = &c->growth[dir];
    const char *path = logm_dir_path(c->options.logm, dir);
    struct vfs_space space;
    double left_s;

    if (logm_dir_offline(c->options.logm, dir) || vfs_space(c->env->vfs, path, &space) < 0)
        return;
    add_sample(g, now, space.free_bytes);
    left_s = seconds_left(g);
    if (left_s < 0 || left_s > GROWTH_DAY_S)
        return;
    if (g->said && mono_after_ms(g->said_at, GROWTH_SAY_EVERY_MS).ns > now.ns)
        return;
    g->said = true;
    g->said_at = now;
    warn(g, path, left_s);
}

void growth_look(struct cleaner *c)
{
    struct mono now = clock_mono(c->env->clock);

    for (int i = 0; i < logm_n_dirs(c->options.logm); i++)
        look_at(c, i, now);
}
