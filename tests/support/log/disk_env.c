/* The ground of the log's tests on the simulated disk: see disk_env.h. */
#include "disk_env.h"

#include <setjmp.h>

#include <cmocka.h>

void disk_env_init(struct env *env, struct vfs *v, struct clock *clock)
{
    thread_mark(THREAD_CORE);
    *env = (struct env){.clock = clock, .vfs = v, .lanes = lanes_sim_new()};
    rng_init(&env->rng, 3);
    timers_init(&env->timers);
}

void disk_env_release(struct env *env)
{
    timers_release(&env->timers);
    lanes_sim_free(env->lanes);
}

void disk_config_init(struct config *config, const char *const *overrides, struct topic_config *topic,
                      const struct config_pair *pairs, int n)
{
    struct errmsg msg;

    config_init(config);
    for (int i = 0; overrides[i]; i++)
        assert_int_equal(config_override(config, overrides[i], &msg), 0);
    assert_int_equal(config_finish(config, true, &msg), 0);
    assert_int_equal(topic_config_init(topic, config, pairs, n, &msg), 0);
}

void disk_settle(struct env *env, struct logm *m)
{
    do
        logm_turn(m);
    while (lanes_sim_step(env->lanes) || logm_wants_turn(m));
}

void disk_advance(struct env *env, struct logm *m, int64_t ms)
{
    struct mono until = mono_after_ms(clock_mono(env->clock), ms), next;

    while (timers_next(&env->timers, &next) && next.ns <= until.ns) {
        clock_sim_advance(env->clock, MAX(0, next.ns - clock_mono(env->clock).ns));
        timers_fire(&env->timers, clock_mono(env->clock));
        disk_settle(env, m);
    }
    clock_sim_advance(env->clock, MAX(0, until.ns - clock_mono(env->clock).ns));
}

void each_fault_once(bool (*live_with)(enum vfs_sim_fault_kind kind, uint64_t nth))
{
    static const enum vfs_sim_fault_kind kinds[] = {SIM_EIO, SIM_ENOSPC, SIM_EMFILE, SIM_SHORT};

    for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
        uint64_t nth = 1;

        while (live_with(kinds[k], nth))
            nth++;
        assert_true(nth > 10);
    }
}
