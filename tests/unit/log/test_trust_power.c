/* The power fails while indexes are built anew, by recovery or for a reader: the start after it must not take what is there of them
 * for all of it. */
#include "log_fixture.h"

#include "directory.h"
#include "segment.h"
#include "vfs_sim.h"

#define BATCHES 200
#define SEEDS   40
#define PEAK    100
#define PEAK_MS 9000
static const char *const suffixes[] = {".index", ".timeindex"};

struct ground {
    struct fixture fx;
    struct vfs *memory; /* the fixture's own */
    struct vfs *disk;   /* damaged, and its broker was killed */
    struct buf whole[2];
    uint64_t at, seed; /* the power is cut at this change */
};

static void quiet(enum diag_level level, const char *text, void *arg)
{
}

static void sync_file(struct vfs *v, const char *path)
{
    struct file *f;

    assert_int_equal(vfs_open(v, path, VFS_WRITE, &f), 0);
    assert_int_equal(file_datasync(f), 0);
    file_unref(f);
}

/* As after a power cut with this recovery point noted. */
static void make_unclean(struct fixture *fx, int64_t recovery_point)
{
    static const char path[] = FIXTURE_DIR "/recovery-point-offset-checkpoint";
    char text[64];
    int n = snprintf(text, sizeof(text), "0\n1\nt 0 %lld\n", (long long)recovery_point);

    fixture_write_file(fx, path, text, (size_t)n);
    sync_file(fx->env.vfs, path);
    assert_int_equal(vfs_unlink(fx->env.vfs, FIXTURE_DIR "/" DIR_MARKER_NAME), 0);
    assert_int_equal(vfs_sync_dir(fx->env.vfs, FIXTURE_DIR), 0);
}

/* Timestamps rise, so both indexes have an entry for nearly every batch; but batch `peak` has the largest. */
static void ground_init_with(struct ground *g, const char *segment_bytes, int peak)
{
    struct fixture *fx = &g->fx;

    fixture_init(fx, (const char *[]){"log.journal.bytes=0", NULL});
    diag_set_sink(quiet, NULL);
    g->memory = fx->env.vfs;
    g->disk = fx->env.vfs = vfs_sim_new(fx->clock, NULL);
    vfs_sim_set_startup(g->disk, true);
    fixture_topic(fx, (const char *[]){"index.interval.bytes=100", segment_bytes, NULL});
    fixture_open(fx);
    for (int i = 0; i < BATCHES; i++)
        fixture_append(fx, (struct test_batch){.timestamp_ms = i == peak ? PEAK_MS : 1000 + 10 * i, .value_bytes = 100});
    fixture_stop(fx);
    for (int k = 0; k < 2; k++)
        fixture_read_file(fx, fixture_path(fx, 0, suffixes[k]), &g->whole[k]);
}

static void ground_init(struct ground *g)
{
    ground_init_with(g, NULL, -1);
    assert_int_equal(g->whole[1].n, (BATCHES - 1) * INDEX_TIME_ENTRY_BYTES);
    make_unclean(&g->fx, BATCHES);
}

static void ground_release(struct ground *g)
{
    for (int k = 0; k < 2; k++)
        buf_release(&g->whole[k]);
    vfs_sim_free(g->disk);
    g->fx.env.vfs = g->memory;
    fixture_release(&g->fx);
}

/* All that is done until the disk stops at its n-th change. */
static void live_until(struct fixture *fx, uint64_t n, void (*live)(struct fixture *fx))
{
    vfs_sim_stop_at(fx->env.vfs, n);
    if (fixture_open_manager(fx) == 0) {
        if (fixture_open_log(fx) == 0)
            live(fx);
        fixture_kill(fx);
    }
    fx->m = NULL;
}

/* Both indexes are what they were. */
static void assert_whole(struct ground *g)
{
    struct fixture *fx = &g->fx;

    fixture_open(fx);
    assert_int_equal(log_end_offset(fx->log), BATCHES);
    fixture_stop(fx);
    for (int k = 0; k < 2; k++) {
        struct buf now;

        fixture_read_file(fx, fixture_path(fx, 0, suffixes[k]), &now);
        if (now.n != g->whole[k].n || memcmp(now.p, g->whole[k].p, now.n) != 0)
            fail_msg("%s is not what it was (%zu bytes of %zu): power cut at change %llu, seed %llu", suffixes[k], now.n,
                     g->whole[k].n, (unsigned long long)g->at, (unsigned long long)g->seed);
        buf_release(&now);
    }
}

/* True: it was cut, and had not come to its end. */
static bool cut_once(struct ground *g, void (*live)(struct fixture *fx), void (*look)(struct ground *g))
{
    struct fixture *fx = &g->fx;
    struct rng rng;
    bool cut;

    fx->env.vfs = vfs_sim_clone(g->disk, NULL);
    vfs_sim_set_startup(fx->env.vfs, true);
    live_until(fx, g->at, live);
    cut = vfs_sim_is_down(fx->env.vfs);
    rng_init(&rng, g->seed);
    vfs_sim_power_loss(fx->env.vfs, &rng);
    vfs_sim_set_startup(fx->env.vfs, true);
    look(g);
    vfs_sim_free(fx->env.vfs);
    fx->env.vfs = g->disk;
    return cut;
}

static void cut_everywhere(struct ground *g, void (*live)(struct fixture *fx), void (*look)(struct ground *g))
{
    bool cut = true;

    for (g->at = 1; cut; g->at++)
        for (g->seed = 1; g->seed <= SEEDS; g->seed++)
            cut = cut_once(g, live, look);
}

static void sync_all(struct ground *g)
{
    for (int k = 0; k < 2; k++)
        sync_file(g->disk, fixture_path(&g->fx, 0, suffixes[k]));
}

/* Its last entry names a time that no batch has: both are built anew. */
static void a_bad_time_index(void **state)
{
    struct ground g = {0};

    ground_init(&g);
    fixture_flip(&g.fx, fixture_path(&g.fx, 0, ".timeindex"), g.whole[1].n - INDEX_TIME_ENTRY_BYTES + 6);
    sync_all(&g);
    cut_everywhere(&g, fixture_settle, assert_whole);
    ground_release(&g);
}

/* From its middle on it does not rise. */
static void a_bad_offset_index(void **state)
{
    struct ground g = {0};

    ground_init(&g);
    fixture_flip(&g.fx, fixture_path(&g.fx, 0, ".index"), (BATCHES / 2) * INDEX_OFFSET_ENTRY_BYTES + 1);
    sync_all(&g);
    cut_everywhere(&g, fixture_settle, assert_whole);
    ground_release(&g);
}

/* As Apache Kafka does when it finds one missing. */
static void a_missing_time_index(void **state)
{
    struct ground g = {0};

    ground_init(&g);
    assert_int_equal(vfs_unlink(g.disk, fixture_path(&g.fx, 0, ".timeindex")), 0);
    assert_int_equal(vfs_sync_dir(g.disk, FIXTURE_DIR "/t-0"), 0);
    cut_everywhere(&g, fixture_settle, assert_whole);
    ground_release(&g);
}

/* A reader wants an offset of the first segment, and flushes go on. */
static void read_and_flush(struct fixture *fx)
{
    struct log_read r;

    (void)log_read_to_end(fx->log, 50, 1, &r);
    for (int i = 0; i < 3; i++) {
        fixture_advance_ms(fx, 70000);
        fixture_settle(fx);
    }
}

static void assert_peak_is_found(struct ground *g)
{
    struct fixture *fx = &g->fx;
    int64_t offset, timestamp_ms;
    int32_t epoch;

    fixture_open(fx);
    assert_int_equal(log_offset_for_time(fx->log, PEAK_MS, READ_UNCOMMITTED, &offset, &timestamp_ms, &epoch), 0);
    assert_int_equal(offset, PEAK);
    fixture_stop(fx);
}

/* Of an older segment, which no recovery looks at. */
static void a_torn_index_of_an_older_segment(void **state)
{
    struct ground g = {0};
    struct fixture *fx = &g.fx;

    ground_init_with(&g, "internal.segment.bytes=20000", PEAK);
    assert_int_equal(g.whole[1].n, PEAK * INDEX_TIME_ENTRY_BYTES);
    assert_true(g.whole[0].n > PEAK * INDEX_OFFSET_ENTRY_BYTES);
    fixture_truncate(fx, fixture_path(fx, 0, ".index"), g.whole[0].n - 1);
    sync_all(&g);
    cut_everywhere(&g, read_and_flush, assert_peak_is_found);
    ground_release(&g);
}

/* Nothing can be written of an index: flushes do not follow one another for it, and once there is space it is written. */
static void a_full_disk(void **state)
{
    struct ground g = {0};
    struct fixture *fx = &g.fx;
    int n = 0;

    ground_init(&g);
    fixture_truncate(fx, fixture_path(fx, 0, ".index"), 0);
    vfs_sim_add_fault(g.disk, &(struct vfs_sim_fault){
                                  .kind = SIM_ENOSPC, .ops = SIM_OP(SIM_PWRITEV), .path = "*.timeindex", .lasting = true});
    fixture_open(fx);
    do
        logm_turn(fx->m);
    while (lanes_sim_step(fx->env.lanes) && ++n < 100);
    assert_true(n < 100);
    vfs_sim_lift_faults(g.disk);
    for (int i = 0; i < 4; i++) {
        fixture_advance_ms(fx, 70000);
        fixture_settle(fx);
    }
    assert_false(fx->log->any_remade);
    fixture_kill(fx);
    assert_whole(&g);
    ground_release(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bad_time_index),
        cmocka_unit_test(a_bad_offset_index),
        cmocka_unit_test(a_missing_time_index),
        cmocka_unit_test(a_torn_index_of_an_older_segment),
        cmocka_unit_test(a_full_disk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
