/* What goes wrong, and when: kills, power cuts, clean restarts, faults of the disk, a disk that is
 * full, a calendar that jumps, connections that are lost.
 *
 * Owner: the seed. Before the broker is started again faults are lifted; what the disk lost stays so.
 */
#include "world.h"

#define GRACE_MS 60000 /* so long after a fault its effects may be told */
#define FAULT_MS 15000 /* the longest fault */

static void plan(struct world *w)
{
    w->trouble_ns = world_now(w) + 1000 * NS_PER_MS +
                    (int64_t)world_below(w, (uint64_t)w->options.crash_ms * 2) * NS_PER_MS;
}

int64_t trouble_next(const struct world *w)
{
    return w->draining ? INT64_MAX : w->trouble_ns;
}

static void lift(struct world *w)
{
    vfs_sim_stop_at(w->vfs, 0);
    vfs_sim_lift_faults(w->vfs);
    vfs_sim_set_space(w->vfs, 1ull << 40);
}

/* Now and then the start itself is cut off, by a kill or by the power, and then the next one. Returns
 * whether a power cut was among it. */
static bool start_at_last(struct world *w)
{
    bool lossy = false;

    for (int i = 0; i < 3 && world_chance(w, 250); i++) {
        bool power = world_chance(w, 700);

        vfs_sim_stop_at(w->vfs, 1 + world_below(w, 60));
        if (host_start(w) && !vfs_sim_is_down(w->vfs)) {
            vfs_sim_stop_at(w->vfs, 0);
            return lossy;
        }
        host_end(w, power);
        lossy |= power;
    }
    (void)host_start(w);
    return lossy;
}

static void restart(struct world *w, bool lossy)
{
    lossy |= w->lossy;
    w->lossy = false;
    w->stop_is_power = false;
    lift(w);
    w->faults_until_ns = 0;
    lossy |= start_at_last(w);
    verify_all(w, lossy);
}

static void crash(struct world *w, bool power)
{
    host_end(w, power);
    restart(w, power);
}

void trouble_recover(struct world *w)
{
    crash(w, w->stop_is_power || (!vfs_sim_is_down(w->vfs) && world_chance(w, 500)));
}

static void stop_and_start(struct world *w)
{
    uint64_t before, after;
    bool settled, whole = !host_any_offline(w);

    if (!host_stop_clean(w, &before, &settled)) {
        crash(w, w->stop_is_power);
        return;
    }
    lift(w);
    if (!whole) { /* what one directory could not flush is lost */
        restart(w, false);
        return;
    }
    w->lossy = false; /* all was flushed */
    (void)host_start(w);
    after = broker_digest(w->host.broker);
    if (settled && before != after)
        world_wrong(w, "the state after a clean restart is another: %016llx, %016llx",
                    (unsigned long long)before, (unsigned long long)after);
    if (!logm_was_clean(w->host.broker->logm))
        world_wrong(w, "the start after a clean stop was not clean");
    w->n_digests += settled;
    verify_all(w, false);
    w->faults_until_ns = 0;
}

static void restart_clean(struct world *w)
{
    lift(w);
    stop_and_start(w);
}

/* ---- kinds ----------------------------------------------------------------------------------------- */

static void kill_now(struct world *w)
{
    crash(w, false);
}

static void cut_power_now(struct world *w)
{
    crash(w, true);
}

/* In the middle of what the broker does next. */
static void stop_soon(struct world *w)
{
    uint64_t n = 1 + world_below(w, 40);

    w->stop_is_power = world_chance(w, 700);
    world_event(w, "the disk stops in %llu changes", (unsigned long long)n);
    vfs_sim_stop_at(w->vfs, n);
}

/* In the middle of a clean stop. */
static void stop_in_stop(struct world *w)
{
    lift(w);
    w->stop_is_power = world_chance(w, 700);
    vfs_sim_stop_at(w->vfs, 1 + world_below(w, 30));
    stop_and_start(w);
}

static void jump_calendar(struct world *w)
{
    int64_t ms = (int64_t)world_below(w, 1200000) - 600000;

    if (llabs(w->jumped_ms + ms) > 1200000)
        ms = -w->jumped_ms;
    w->jumped_ms += ms;
    w->n_jumps++;
    world_event(w, "the calendar jumps by %lld ms", (long long)ms);
    clock_sim_jump_wall(w->clock, ms);
}

static void begin_fault(struct world *w)
{
    w->faults_until_ns = INT64_MAX;
    w->lossy = true;
}

static void one_fault(struct world *w)
{
    static const struct {
        enum vfs_sim_fault_kind kind;
        uint32_t ops;
        const char *path;
        uint64_t nth_max;
    } kinds[] = {
        {SIM_EIO, SIM_OP(SIM_PWRITEV), NULL, 30},
        {SIM_EIO, SIM_OP(SIM_DATASYNC), NULL, 30},
        {SIM_EIO, SIM_OP(SIM_SYNC_DIR), NULL, 5},
        {SIM_LOSE, SIM_OP(SIM_DATASYNC), NULL, 30},
        {SIM_LOSE, SIM_OP(SIM_DATASYNC), "*.log", 3},
        {SIM_LOSE, SIM_OP(SIM_DATASYNC), "*journal*", 10},
        {SIM_SHORT, SIM_OP(SIM_PWRITEV), NULL, 30},
        {SIM_ENOSPC, SIM_OP(SIM_PWRITEV), NULL, 30},
        {SIM_EMFILE, SIM_OP(SIM_OPEN), NULL, 10},
    };
    char name[HOST_DIR_MAX], path[HOST_DIR_MAX + 2];
    size_t i = world_below(w, ARRAY_SIZE(kinds));
    struct vfs_sim_fault fault = {.kind = kinds[i].kind,
                                  .ops = kinds[i].ops,
                                  .path = kinds[i].path,
                                  .nth = 1 + world_below(w, kinds[i].nth_max)};

    if (!w->options.faults)
        return;
    if (w->options.n_dirs > 1 && !fault.path && world_chance(w, 800)) {
        int dir = (int)world_below(w, (uint64_t)w->options.n_dirs);

        snprintf(path, sizeof(path), "%s/*", host_dir(w, dir, name));
        fault.path = path;
    }
    world_event(w, "fault: %s %s", vfs_sim_fault_name(fault.kind), fault.path ? fault.path : "");
    vfs_sim_add_fault(w->vfs, &fault);
    begin_fault(w);
}

static void fill_disk(struct world *w)
{
    struct vfs_space space = {0, 0};
    uint64_t left = world_below(w, 100000);

    if (!w->options.faults || vfs_space(w->vfs, "/data", &space) < 0)
        return;
    world_event(w, "the disk is full but for %llu bytes", (unsigned long long)left);
    vfs_sim_set_space(w->vfs, space.total_bytes - space.free_bytes + left);
    begin_fault(w);
}

static const struct {
    void (*run)(struct world *w);
    uint64_t weight;
} kinds[] = {
    {kill_now, 2},     {cut_power_now, 3}, {stop_soon, 4}, {restart_clean, 3},
    {stop_in_stop, 1}, {jump_calendar, 1}, {one_fault, 8}, {fill_disk, 2},
};

void trouble_begin(struct world *w)
{
    w->faults_until_ns = 0;
    plan(w);
}

void trouble_step(struct world *w)
{
    uint64_t sum = 0, at;
    size_t i = 0;

    if (w->faults_until_ns == INT64_MAX) { /* a fault lasts until the next trouble */
        if (world_chance(w, 500)) {        /* which may come before the broker has seen to it */
            crash(w, true);
            plan(w);
            return;
        }
        lift(w);
        w->faults_until_ns = world_now(w) + GRACE_MS * NS_PER_MS;
        world_event(w, "faults are lifted");
        plan(w);
        return;
    }
    for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
        sum += kinds[k].weight;
    for (at = world_below(w, sum); at >= kinds[i].weight; i++)
        at -= kinds[i].weight;
    kinds[i].run(w);
    plan(w);
    if (w->faults_until_ns == INT64_MAX)
        w->trouble_ns = MIN(w->trouble_ns, world_now(w) + FAULT_MS * NS_PER_MS);
}

void trouble_end(struct world *w)
{
    w->draining = true;
    if (!host_is_dead(w))
        lift(w);
    if (world_faulty(w))
        w->faults_until_ns = world_now(w) + GRACE_MS * NS_PER_MS;
}

void trouble_finish(struct world *w)
{
    uint64_t digest;
    bool settled;

    w->paused = true;
    restart_clean(w);
    if (!host_stop_clean(w, &digest, &settled))
        world_wrong(w, "the last stop failed");
}
