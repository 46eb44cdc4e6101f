/* A log goes over to another log directory, step by step: what others do in the meantime, and every way in which it does not. */
#include "move_site.h"

struct ground {
    struct clock *clock;
    struct vfs *v;
    struct site_model m;
    struct site s;
};

static void quiet(enum diag_level level, const char *text, void *arg)
{
}

static void ground_init(struct ground *g, struct site_options options)
{
    *g = (struct ground){.clock = clock_sim_new((struct wall){SITE_START_MS})};
    diag_set_sink(quiet, NULL);
    g->v = vfs_sim_new(g->clock, NULL);
    site_init(&g->s, g->v, g->clock, &g->m, options);
    assert_int_equal(site_open(&g->s), 0);
}

static void ground_release(struct ground *g)
{
    site_release(&g->s);
    vfs_sim_free(g->v);
    clock_sim_free(g->clock);
}

static void power_cut(struct ground *g)
{
    struct site_options options = g->s.options;
    struct rng rng;

    site_release(&g->s);
    rng_init(&rng, 5);
    vfs_sim_power_loss(g->v, &rng);
    site_init(&g->s, g->v, g->clock, &g->m, options);
    assert_int_equal(site_open(&g->s), 0);
}

static void put_some(struct ground *g, int n)
{
    for (int i = 0; i < n; i++)
        assert_true(site_put(&g->s));
}

static int count_t(void *arg, const char *name, bool is_dir)
{
    *(int *)arg += name[0] == 't';
    return 0;
}

/* What is there of t-0. */
static int n_dirs(struct ground *g, const char *dir)
{
    int n = 0;

    assert_int_equal(vfs_list(g->v, dir, count_t, &n), 0);
    return n;
}

/* A step of the move: one job. */
static void step(struct ground *g)
{
    timers_fire(&g->s.env.timers, clock_mono(g->clock));
    logm_turn(g->s.m);
    (void)lanes_sim_step(g->s.env.lanes);
}

static void switch_over(struct ground *g)
{
    for (int i = 0; i < 50 && g->s.n_switched == 0; i++) {
        site_settle(&g->s);
        site_advance(&g->s, 100);
    }
    assert_int_equal(g->s.n_switched, 1);
}

/* While the metadata does not say durably where it is, the old directory counts. Others go on writing there, and the journal would come
 * round: what it holds of the log that has left stays. */
static void the_old_journal_comes_round(void **state)
{
    struct ground g;
    struct errmsg msg;
    struct log *u;
    int64_t base_offset;

    ground_init(&g, (struct site_options){0});
    assert_int_equal(log_open(g.s.m, "u", 0, (struct uuid){{2}}, &g.s.topic, 0, 0, &u, &msg), 0);
    put_some(&g, 5);
    g.s.keeps = true;
    site_begin_move(&g.s, 1);
    switch_over(&g);
    assert_int_equal(log_dir_index(g.s.log), 1);
    for (int i = 0; i < 40; i++) {
        assert_int_equal(site_append(&g.s, u, i, &base_offset), 0);
        site_settle(&g.s);
    }
    assert_true(site_put_only(&g.s));
    site_settle(&g.s);
    assert_int_equal(log_high_watermark(g.s.log), g.m.n_acked); /* held */
    power_cut(&g);
    assert_int_equal(log_dir_index(g.s.log), 0);
    site_compare(&g.s);
    ground_release(&g);
}

/* Of a large active segment most is copied on the lane, too: no segment is made for it, and what is written meanwhile comes along. */
static void a_large_active_segment_is_not_rolled(void **state)
{
    struct ground g;

    ground_init(&g, (struct site_options){.segment_bytes = "100000000", .value_bytes = 300000});
    put_some(&g, 20);
    assert_true(site_move(&g.s, 1));
    assert_true(g.m.n > 20);
    assert_int_equal(g.m.n, g.m.n_acked);
    assert_int_equal(log_n_segments(g.s.log), 1);
    assert_int_equal(log_dir_index(g.s.log), 1);
    site_compare(&g.s);
    power_cut(&g);
    assert_int_equal(log_dir_index(g.s.log), 1);
    site_compare(&g.s);
    ground_release(&g);
}

/* Where retention has left nothing but an empty segment, its name is all that says where the log ends. */
static void an_empty_log_keeps_its_end(void **state)
{
    struct ground g;

    ground_init(&g, (struct site_options){0});
    put_some(&g, 10);
    assert_int_equal(log_delete_segments(g.s.log, log_n_segments(g.s.log)), 0);
    site_settle(&g.s);
    site_advance(&g.s, 6000);
    g.s.keeps = true;
    site_begin_move(&g.s, 1);
    switch_over(&g);
    log_move_end(&g.s.move);
    g.m.dir = 1;
    g.m.start_noted = 10;
    power_cut(&g);
    assert_int_equal(log_dir_index(g.s.log), 1);
    assert_int_equal(log_start_offset(g.s.log), 10);
    assert_int_equal(log_end_offset(g.s.log), 10);
    ground_release(&g);
}

/* The end of the copy is told by whole batches, up to the last one. */
static void how_far_it_is_counts_batches(void **state)
{
    struct ground g;
    int64_t end = 0;

    ground_init(&g, (struct site_options){.segment_bytes = "100000000", .value_bytes = 300000});
    put_some(&g, 20);
    site_begin_move(&g.s, 1);
    assert_int_equal(log_move_end_offset(&g.s.move), 0);
    for (int i = 0; i < 50 && g.s.n_switched == 0; i++) {
        step(&g);
        if (g.s.n_switched == 0 && log_move_end_offset(&g.s.move) > 0)
            end = log_move_end_offset(&g.s.move);
        if (end == 13) /* 4 MiB of batches of 300,000 bytes */
            break;
        if (end == 0)
            site_advance(&g.s, 1);
    }
    assert_int_equal(end, 13);
    ground_release(&g);
}

/* Whenever it is deleted: nothing is left of it, in neither directory, and nothing has failed. */
static void it_may_be_deleted_at_any_time(void **state)
{
    bool before_switch = true;

    for (int n_jobs = 0; before_switch; n_jobs++) {
        struct ground g;

        ground_init(&g, (struct site_options){0});
        put_some(&g, 10);
        g.s.keeps = true;
        site_begin_move(&g.s, 1);
        for (int i = 0; i < n_jobs; i++)
            step(&g);
        before_switch = g.s.n_switched == 0;
        log_delete(g.s.log);
        g.s.log = NULL;
        site_settle(&g.s);
        site_advance(&g.s, 5000);
        assert_int_equal(g.s.n_done, 1);
        assert_int_equal(g.s.rc, E_CANCELED);
        assert_false(logm_dir_offline(g.s.m, 0));
        assert_false(logm_dir_offline(g.s.m, 1));
        assert_int_equal(n_dirs(&g, "/a") + n_dirs(&g, "/b"), 0);
        assert_true(n_jobs < 200);
        ground_release(&g);
    }
}

/* Whenever it is given up before the switch: the log is where it was, all that was written is acknowledged, and the copy is gone. */
static void it_may_be_given_up_at_any_time(void **state)
{
    bool before_switch = true;

    for (int n_jobs = 0; before_switch; n_jobs++) {
        struct ground g;

        ground_init(&g, (struct site_options){0});
        put_some(&g, 10);
        site_begin_move(&g.s, 1);
        for (int i = 0; i < n_jobs; i++)
            step(&g);
        before_switch = g.s.n_switched == 0;
        assert_true(site_put_only(&g.s));
        if (before_switch) {
            log_move_cancel(&g.s.move);
            put_some(&g, 1);
            site_advance(&g.s, 5000);
            assert_int_equal(g.s.rc, E_CANCELED);
            assert_int_equal(g.s.n_done, 1);
            assert_int_equal(log_dir_index(g.s.log), 0);
            assert_int_equal(n_dirs(&g, "/b"), 0);
            assert_true(site_move(&g.s, 1));
        }
        assert_true(n_jobs < 200);
        ground_release(&g);
    }
}

/* Nothing that says where it is: it stays. */
static void metadata_that_cannot_be_written(void **state)
{
    struct ground g;

    ground_init(&g, (struct site_options){0});
    put_some(&g, 10);
    g.s.refuses = E_NOSPC;
    assert_false(site_move(&g.s, 1));
    assert_int_equal(g.s.rc, E_NOSPC);
    assert_int_equal(log_dir_index(g.s.log), 0);
    assert_int_equal(g.m.n, g.m.n_acked);
    site_advance(&g.s, 5000);
    assert_int_equal(n_dirs(&g, "/b"), 0);
    put_some(&g, 1);
    power_cut(&g);
    site_compare(&g.s);
    ground_release(&g);
}

/* Somebody has put a directory of that name there: it is left alone, and the log where it is. */
static void a_name_that_is_taken(void **state)
{
    struct ground g;
    struct file *f;

    ground_init(&g, (struct site_options){0});
    put_some(&g, 10);
    assert_int_equal(vfs_mkdir(g.v, "/b/t-0"), 0);
    assert_int_equal(vfs_open(g.v, "/b/t-0/notes", VFS_WRITE | VFS_CREATE, &f), 0);
    file_unref(f);
    assert_false(site_move(&g.s, 1));
    assert_int_equal(log_dir_index(g.s.log), 0);
    assert_false(logm_dir_offline(g.s.m, 1));
    assert_int_equal(g.m.n, g.m.n_acked);
    site_advance(&g.s, 5000);
    assert_int_equal(n_dirs(&g, "/b"), 1);
    ground_release(&g);
}

/* A clean stop leaves the wish: an empty directory, which the next start tells of, and removes. */
static void a_clean_stop_while_it_copies(void **state)
{
    struct ground g;
    const struct logm_future *f;

    ground_init(&g, (struct site_options){0});
    put_some(&g, 10);
    site_begin_move(&g.s, 1);
    step(&g);
    step(&g);
    site_close(&g.s, true);
    assert_int_equal(g.s.rc, E_CANCELED);
    assert_int_equal(n_dirs(&g, "/b"), 1);
    assert_int_equal(site_open(&g.s), 0);
    assert_true(logm_was_clean(g.s.m));
    assert_int_equal(logm_n_futures(g.s.m), 1);
    f = logm_future_get(g.s.m, 0);
    assert_int_equal(f->dir, 1);
    assert_int_equal(f->partition, 0);
    assert_int_equal(f->topic_id.b[0], 1);
    site_advance(&g.s, 100);
    assert_int_equal(n_dirs(&g, "/b"), 0);
    site_compare(&g.s);
    ground_release(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_old_journal_comes_round),
        cmocka_unit_test(a_large_active_segment_is_not_rolled),
        cmocka_unit_test(an_empty_log_keeps_its_end),
        cmocka_unit_test(how_far_it_is_counts_batches),
        cmocka_unit_test(it_may_be_deleted_at_any_time),
        cmocka_unit_test(it_may_be_given_up_at_any_time),
        cmocka_unit_test(metadata_that_cannot_be_written),
        cmocka_unit_test(a_name_that_is_taken),
        cmocka_unit_test(a_clean_stop_while_it_copies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
