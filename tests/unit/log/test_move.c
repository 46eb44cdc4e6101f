/* A log moves to another log directory, under every fault: at each change of the disk the process is killed, or the power fails; at each
 * operation an error. Whatever happened: what was acknowledged is there, in the directory that the metadata names where there are two.
 */
#include "move_site.h"

struct life {
    struct site *site;
    uint64_t n_cases;
};

/* DeleteRecords is answered. */
static void start_promised(struct log_wait *w, int rc)
{
    if (rc == 0)
        CONTAINER_OF(w, struct site, start_wait)->model->start_noted = 3;
}

/* at_move is called before the move. */
static void live(struct site *s, void (*at_move)(struct site *s, void *arg), void *arg)
{
    for (int i = 0; i < 10; i++)
        if (!site_put(s))
            return;
    if (log_delete_records(s->log, 3) != KE_NONE)
        return;
    log_wait_start(s->log, &s->start_wait, 3, start_promised);
    site_settle(s);
    site_advance(s, 6000);
    at_move(s, arg);
    if (!site_move(s, 1))
        return;
    for (int i = 0; i < 2; i++)
        if (!site_put(s))
            return;
    site_advance(s, 6000);
    (void)site_put(s);
}

/* ---- after it ------------------------------------------------------------------------------- */

static void look_after(struct vfs *v, struct clock *clock, const struct site_model *m,
                       struct site_options options)
{
    struct site_model model = *m;
    struct site s;

    site_init(&s, v, clock, &model, options);
    check(site_open(&s) == 0);
    site_compare(&s);
    model.n = model.n_acked = (int)log_end_offset(s.log);
    check(site_put(&s));
    site_advance(&s, 2000);
    site_compare(&s);
    check(site_move(&s, 1 - log_dir_index(s.log)));
    site_compare(&s);
    check(site_put(&s));
    site_close(&s, true);
    check(site_open(&s) == 0);
    check(logm_was_clean(s.m));
    check(logm_n_found(s.m) == 1);
    check(log_dir_index(s.log) == model.dir);
    site_compare(&s);
    site_release(&s);
}

struct cut {
    const char *name;
    uint64_t seed; /* 0: a kill */
    bool ordered;
};

static void look_after_cut(const struct life *life, const struct cut *cut, uint64_t change, int dir)
{
    struct clock *clock = clock_sim_new(clock_wall(life->site->clock));
    struct vfs *copy = vfs_sim_clone(life->site->env.vfs, clock);
    struct site_model m = *life->site->model;
    struct rng rng;

    m.dir = dir;
    if (!cut->seed)
        m.n_acked = m.n_written; /* acks=1 */
    else if (life->site->options.is_volatile)
        m.n_acked = 0; /* nothing was promised */
    site_case(cut->name, change);
    rng_init(&rng, change * 31 + cut->seed);
    vfs_sim_set_device(copy, 512, cut->ordered, true);
    if (cut->seed)
        vfs_sim_power_loss(copy, &rng);
    else
        vfs_sim_kill(copy);
    look_after(copy, clock, &m, life->site->options);
    vfs_sim_free(copy);
    clock_sim_free(clock);
}

/* While the metadata's record is on its way a kill leaves it, and a power cut may. */
static void before_change(void *arg, struct vfs *v, uint64_t change)
{
    static const struct cut cuts[] = {
        {"kill", 0, false}, {"power cut, one by one", 1, false}, {"power cut, in order", 3, true}};
    enum thread_kind before = thread_mark(THREAD_CORE);
    struct life *life = arg;
    const struct site *s = life->site;

    for (size_t i = 0; i < ARRAY_SIZE(cuts); i++) {
        life->n_cases++;
        if (s->ends)
            look_after_cut(life, &cuts[i], change, s->move.dir);
        if (!s->ends || cuts[i].seed)
            look_after_cut(life, &cuts[i], change, s->model->dir);
    }
    site_case("life", 0);
    thread_mark(before);
}

static void quiet(enum diag_level level, const char *text, void *arg)
{
}

static void look_at_changes(struct site *s, void *arg)
{
    vfs_sim_on_change(s->env.vfs, before_change, arg);
}

static void live_through_ends(struct site_options options)
{
    struct clock *clock = clock_sim_new((struct wall){SITE_START_MS});
    struct vfs *v = vfs_sim_new(clock, NULL);
    struct site_model m = {0};
    struct site s;
    struct life life = {.site = &s};

    diag_set_sink(quiet, NULL);
    site_init(&s, v, clock, &m, options);
    assert_int_equal(site_open(&s), 0);
    live(&s, look_at_changes, &life);
    vfs_sim_on_change(v, NULL, NULL);
    assert_int_equal(s.n_done, 1);
    assert_int_equal(s.rc, 0);
    assert_int_equal(m.dir, 1);
    assert_int_equal(log_dir_index(s.log), 1);
    assert_int_equal(m.n, m.n_acked);
    site_compare(&s);
    site_release(&s);
    vfs_sim_free(v);
    clock_sim_free(clock);
    print_message("%llu changes were the last one\n", (unsigned long long)life.n_cases);
    assert_true(life.n_cases > 100);
}

static void at_every_change_the_process_or_the_power_ends(void **state)
{
    live_through_ends((struct site_options){0});
}

/* Of a topic that is not durable nothing is lost to a kill. */
static void the_same_where_the_topic_is_not_durable(void **state)
{
    live_through_ends((struct site_options){.is_volatile = true});
}

static void add_fault(struct site *s, void *arg)
{
    vfs_sim_add_fault(s->env.vfs, arg);
}

/* Where it did not move, and its own directory has not failed, it goes on as if nothing had been. */
static void look_at_what_is_left(struct site *s)
{
    if (s->n_done == 0 || s->rc == 0 || log_dir_index(s->log) != 0 || logm_dir_offline(s->m, 0))
        return;
    check(site_put(s));
    site_compare(s);
}

static bool live_with(enum vfs_sim_fault_kind kind, uint64_t nth)
{
    struct clock *clock = clock_sim_new((struct wall){SITE_START_MS});
    const struct site_options options = {0};
    struct vfs_sim_options disk = {.seed = nth};
    struct vfs *v = vfs_sim_new(clock, &disk);
    struct vfs_sim_fault fault = {.kind = kind, .nth = nth};
    struct site_model m = {0};
    struct site s;
    bool fired;

    site_case(vfs_sim_fault_name(kind), nth);
    site_init(&s, v, clock, &m, options);
    assert_int_equal(site_open(&s), 0);
    live(&s, add_fault, &fault);
    fired = vfs_sim_faults_fired(v) > 0;
    vfs_sim_lift_faults(v);
    look_at_what_is_left(&s);
    site_release(&s);
    vfs_sim_kill(v);
    if (m.n > 0)
        look_after(v, clock, &m, options);
    vfs_sim_free(v);
    clock_sim_free(clock);
    return fired;
}

static void every_operation_may_fail_once(void **state)
{
    diag_set_sink(quiet, NULL);
    each_fault_once(live_with);
    site_case("life", 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_every_change_the_process_or_the_power_ends),
        cmocka_unit_test(the_same_where_the_topic_is_not_durable),
        cmocka_unit_test(every_operation_may_fail_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
