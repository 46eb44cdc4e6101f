/* Without faults the simulated disk answers as vfs_mem does: the same random calls on both give the
 * same results, and a disk that is copied, killed, or cut after a sync goes on the same. */
#include "disk_ground.h"

#define PATHS   12
#define HANDLES 6
#define STEPS   1500
#define SEEDS   20

static const char *const paths[PATHS] = {"/a",     "/b", "/d",   "/d/a", "/d/b",   "/d/e",
                                         "/d/e/a", "/f", "/f/a", "/f/g", "/f/g/a", "/.//d/./b"};

struct twins {
    struct clock *clock;
    struct vfs *sim, *mem;
    struct file *sim_files[HANDLES], *mem_files[HANDLES];
    struct rng rng;
    bool ends; /* lives end on the way */
};

static int note_entry(void *arg, const char *name, bool is_dir)
{
    buf_printf(arg, "%s%s ", name, is_dir ? "/" : "");
    return 0;
}

/* The entries of one directory as text; they come in the same order from both. */
static void compare_list(struct twins *t, const char *path)
{
    struct buf a, b;

    buf_init(&a);
    buf_init(&b);
    assert_int_equal(vfs_list(t->sim, path, note_entry, &a),
                     vfs_list(t->mem, path, note_entry, &b));
    assert_int_equal(a.n, b.n);
    for (size_t i = 0; i < a.n; i++) /* the order is nobody's promise */
        assert_non_null(memchr(b.p, a.p[i], b.n));
    buf_release(&a);
    buf_release(&b);
}

static void compare_stat(struct twins *t, const char *path)
{
    struct vfs_stat a = {0}, b = {0};

    assert_int_equal(vfs_stat(t->sim, path, &a), vfs_stat(t->mem, path, &b));
    assert_int_equal(a.is_dir, b.is_dir);
    assert_int_equal(a.size_bytes, b.size_bytes);
}

static void compare_space(struct twins *t)
{
    struct vfs_space a, b;

    assert_int_equal(vfs_space(t->sim, "/", &a), 0);
    assert_int_equal(vfs_space(t->mem, "/", &b), 0);
    assert_int_equal(a.total_bytes, b.total_bytes);
    assert_int_equal(a.free_bytes, b.free_bytes);
}

static void close_both(struct twins *t, size_t h)
{
    file_unref(t->sim_files[h]);
    file_unref(t->mem_files[h]);
    t->sim_files[h] = t->mem_files[h] = NULL;
}

static void open_both(struct twins *t, size_t h, const char *path)
{
    static const int flags[] = {
        VFS_READ,
        VFS_WRITE,
        VFS_WRITE | VFS_CREATE,
        VFS_WRITE | VFS_CREATE | VFS_EXCLUSIVE,
        VFS_WRITE | VFS_CREATE | VFS_TRUNCATE,
    };
    int how = flags[rng_below(&t->rng, ARRAY_SIZE(flags))];

    close_both(t, h);
    assert_int_equal(vfs_open(t->sim, path, how, &t->sim_files[h]),
                     vfs_open(t->mem, path, how, &t->mem_files[h]));
}

static void names_step(struct twins *t)
{
    const char *path = paths[rng_below(&t->rng, PATHS)];
    const char *other = paths[rng_below(&t->rng, PATHS)];

    switch (rng_below(&t->rng, 9)) {
    case 0:
        assert_int_equal(vfs_mkdir(t->sim, path), vfs_mkdir(t->mem, path));
        return;
    case 1:
        assert_int_equal(vfs_rmdir(t->sim, path), vfs_rmdir(t->mem, path));
        return;
    case 2:
        assert_int_equal(vfs_unlink(t->sim, path), vfs_unlink(t->mem, path));
        return;
    case 3:
        assert_int_equal(vfs_rename(t->sim, path, other), vfs_rename(t->mem, path, other));
        return;
    case 4:
        assert_int_equal(vfs_sync_dir(t->sim, path), vfs_sync_dir(t->mem, path));
        return;
    case 5:
        compare_list(t, path);
        return;
    case 6:
        compare_stat(t, path);
        return;
    case 7:
        compare_space(t);
        return;
    default:
        open_both(t, rng_below(&t->rng, HANDLES), path);
    }
}

static void read_both(struct twins *t, size_t h)
{
    uint8_t a[3000], b[3000];
    uint64_t at = rng_below(&t->rng, 6000);
    size_t n = rng_below(&t->rng, sizeof(a)), got_a, got_b;

    assert_int_equal(file_pread(t->sim_files[h], a, n, at, &got_a),
                     file_pread(t->mem_files[h], b, n, at, &got_b));
    assert_int_equal(got_a, got_b);
    assert_memory_equal(a, b, got_a);
}

/* Two pieces, sometimes empty, never past the end by a gap. */
static void write_both(struct twins *t, size_t h)
{
    uint8_t bytes[2000];
    uint64_t size = 0, at;
    struct piece pieces[2] = {{bytes, rng_below(&t->rng, 1000)}, {bytes, rng_below(&t->rng, 1000)}};

    memset(bytes, (int)rng_below(&t->rng, 256), sizeof(bytes));
    assert_int_equal(file_size(t->mem_files[h], &size), 0);
    at = rng_below(&t->rng, size + 1);
    if (at + 2000 > 8000)
        at = 0;
    assert_int_equal(file_pwritev(t->sim_files[h], pieces, 2, at),
                     file_pwritev(t->mem_files[h], pieces, 2, at));
}

static void file_step(struct twins *t)
{
    size_t h = rng_below(&t->rng, HANDLES);
    struct file *a = t->sim_files[h], *b = t->mem_files[h];
    uint64_t n = rng_below(&t->rng, 6000), size_a, size_b;

    assert_int_equal(a != NULL, b != NULL);
    if (!a)
        return;
    switch (rng_below(&t->rng, 9)) {
    case 0:
    case 1:
        write_both(t, h);
        return;
    case 2:
    case 3:
        read_both(t, h);
        return;
    case 4:
        assert_int_equal(file_truncate(a, n), file_truncate(b, n));
        return;
    case 5:
        if (t->ends) /* a power cut forgets reservations */
            return;
        assert_int_equal(file_reserve(a, n, 100), file_reserve(b, n, 100));
        return;
    case 6:
        assert_int_equal(file_datasync(a), file_datasync(b));
        return;
    case 7:
        assert_int_equal(file_lock(a), file_lock(b));
        assert_int_equal(file_drop_cache(a, 0), file_drop_cache(b, 0));
        return;
    default:
        assert_int_equal(file_size(a, &size_a), file_size(b, &size_b));
        assert_int_equal(size_a, size_b);
        close_both(t, h);
    }
}

/* Every name and every byte. */
static void compare_all(struct twins *t)
{
    for (size_t i = 0; i < PATHS; i++) {
        struct buf a, b;

        buf_init(&a);
        buf_init(&b);
        compare_stat(t, paths[i]);
        assert_int_equal(vfs_read_all(t->sim, paths[i], 1 << 20, &a),
                         vfs_read_all(t->mem, paths[i], 1 << 20, &b));
        assert_int_equal(a.n, b.n);
        if (a.n)
            assert_memory_equal(a.p, b.p, a.n);
        buf_release(&a);
        buf_release(&b);
    }
    compare_space(t);
}

/* One of the ends that lose nothing; handles are closed first, as their process does it. */
static void end_life(struct twins *t)
{
    struct vfs *before = t->sim;

    for (size_t h = 0; h < HANDLES; h++)
        close_both(t, h);
    switch (rng_below(&t->rng, 3)) {
    case 0:
        vfs_sim_kill(t->sim);
        return;
    case 1:
        assert_int_equal(vfs_sync_all(t->sim, "/"), 0);
        assert_int_equal(vfs_sim_pending(t->sim), 0);
        vfs_sim_power_loss(t->sim, &t->rng);
        assert_int_equal(vfs_sim_pending(t->sim), 0);
        return;
    default:
        t->sim = vfs_sim_clone(before, NULL);
        assert_int_equal(vfs_sim_pending(t->sim), vfs_sim_pending(before));
        vfs_sim_free(before);
    }
}

static void run(uint64_t seed, uint64_t space, bool ends)
{
    struct vfs_sim_options options = {.seed = seed, .two_writers = true, .total_bytes = space};
    struct twins t = {.clock = clock_sim_new((struct wall){1}), .ends = ends};

    rng_init(&t.rng, seed);
    t.sim = vfs_sim_new(t.clock, &options);
    t.mem = vfs_mem_new(t.clock);
    vfs_mem_set_space(t.mem, space);
    vfs_sim_set_startup(t.sim, true);
    for (int i = 0; i < STEPS; i++) {
        if (rng_below(&t.rng, 2))
            names_step(&t);
        else
            file_step(&t);
        if (ends && i % 100 == 99)
            end_life(&t);
    }
    for (size_t h = 0; h < HANDLES; h++)
        close_both(&t, h);
    compare_all(&t);
    assert_int_equal(vfs_sim_open_files(t.sim), 0);
    vfs_sim_free(t.sim);
    vfs_mem_free(t.mem);
    clock_sim_free(t.clock);
}

/* The same calls give the same answers, bytes and names. */
static void answers_as_vfs_mem(void **state)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        run(seed, (uint64_t)1 << 40, false);
}

/* So they do where space runs out. */
static void answers_as_vfs_mem_when_full(void **state)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        run(seed, 9000, false);
}

/* So they do where the process dies, where the power fails just after a sync of everything, and on
 * a copy of the disk. */
static void ends_without_loss_change_nothing(void **state)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        run(seed, (uint64_t)1 << 40, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_as_vfs_mem),
        cmocka_unit_test(answers_as_vfs_mem_when_full),
        cmocka_unit_test(ends_without_loss_change_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
