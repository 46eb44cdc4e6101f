/* What only the files in memory do: limited space, counted handles, the simulated clock. */
#include "sys.h"

#include <setjmp.h>

#include <cmocka.h>

struct ground {
    struct clock *clock;
    struct vfs *vfs;
};

static int setup(void **state)
{
    struct ground *g = xcalloc(1, sizeof(*g));

    g->clock = clock_sim_new((struct wall){5000});
    g->vfs = vfs_mem_new(g->clock);
    *state = g;
    return 0;
}

static int teardown(void **state)
{
    struct ground *g = *state;

    vfs_mem_free(g->vfs);
    clock_sim_free(g->clock);
    free(g);
    return 0;
}

static struct file *create(struct ground *g, const char *path)
{
    struct file *f;

    assert_int_equal(vfs_open(g->vfs, path, VFS_WRITE | VFS_CREATE, &f), 0);
    return f;
}

static uint64_t free_bytes(struct ground *g)
{
    struct vfs_space space;

    assert_int_equal(vfs_space(g->vfs, "/", &space), 0);
    return space.free_bytes;
}

/* A write past the space fails; the last byte that fits is taken; space comes back with truncation
 * and removal. */
static void full_disk_refuses_and_recovers(void **state)
{
    struct ground *g = *state;
    struct file *f = create(g, "a");
    struct file *other;
    char bytes[100];

    memset(bytes, 'x', sizeof(bytes));
    vfs_mem_set_space(g->vfs, 150);
    assert_int_equal(file_pwrite(f, bytes, 100, 0), 0);
    assert_int_equal(file_pwrite(f, bytes, 51, 100), E_NOSPC);
    assert_int_equal(file_truncate(f, 100), 0);
    assert_int_equal(file_pwrite(f, bytes, 50, 100), 0);
    assert_int_equal(free_bytes(g), 0);
    assert_int_equal(file_pwrite(f, "overwriting is fine", 19, 0), 0);
    other = create(g, "b");
    assert_int_equal(file_pwrite(other, bytes, 1, 0), E_NOSPC);
    assert_int_equal(file_truncate(f, 149), 0);
    assert_int_equal(file_pwrite(other, bytes, 1, 0), 0);
    assert_int_equal(file_truncate(other, 2), E_NOSPC);
    assert_int_equal(vfs_unlink(g->vfs, "a"), 0);
    assert_int_equal(file_pwrite(other, bytes, 2, 0), E_NOSPC);
    file_unref(f);
    assert_int_equal(file_pwrite(other, bytes, 2, 0), 0);
    assert_int_equal(free_bytes(g), 148);
    file_unref(other);
}

/* Reserved space is there for the write that was promised it, and for no other. */
static void reserved_space_is_kept(void **state)
{
    struct ground *g = *state;
    struct file *f = create(g, "a"), *other = create(g, "b");
    char bytes[100];

    memset(bytes, 'x', sizeof(bytes));
    vfs_mem_set_space(g->vfs, 150);
    assert_int_equal(file_reserve(f, 0, 151), E_NOSPC);
    assert_int_equal(file_reserve(f, 0, 100), 0);
    assert_int_equal(free_bytes(g), 50);
    assert_int_equal(file_pwrite(other, bytes, 51, 0), E_NOSPC);
    assert_int_equal(file_truncate(other, 0), 0);
    assert_int_equal(file_pwrite(f, bytes, 100, 0), 0);
    assert_int_equal(free_bytes(g), 50);
    assert_int_equal(file_truncate(f, 10), 0);
    assert_int_equal(free_bytes(g), 140);
    assert_int_equal(file_reserve(f, 0, 60), 0);
    assert_int_equal(free_bytes(g), 90);
    assert_int_equal(file_truncate(f, 10), 0);
    assert_int_equal(free_bytes(g), 140);
    file_unref(f);
    file_unref(other);
}

/* Open files are counted, not references. */
static void open_files_are_counted(void **state)
{
    struct ground *g = *state;
    struct file *a = create(g, "a"), *again = create(g, "a");

    assert_int_equal(vfs_mem_open_files(g->vfs), 2);
    file_ref(a);
    assert_int_equal(vfs_mem_open_files(g->vfs), 2);
    file_unref(a);
    file_unref(a);
    assert_int_equal(vfs_mem_open_files(g->vfs), 1);
    file_unref(again);
    assert_int_equal(vfs_mem_open_files(g->vfs), 0);
}

/* Writing stamps a file with the simulated time. */
static void writes_are_stamped(void **state)
{
    struct ground *g = *state;
    struct file *f = create(g, "a");
    struct vfs_stat st;

    clock_sim_advance(g->clock, 3000000);
    assert_int_equal(file_pwrite(f, "x", 1, 0), 0);
    clock_sim_advance(g->clock, 3000000);
    assert_int_equal(vfs_stat(g->vfs, "a", &st), 0);
    assert_true(st.mtime.ms == 5003);
    file_unref(f);
}

/* The same place has many spellings; going up is none of them. */
static void paths_are_normalized(void **state)
{
    struct ground *g = *state;
    struct vfs_stat st;
    struct file *f;

    assert_int_equal(vfs_mkdirs(g->vfs, "/data/x", NULL), 0);
    file_unref(create(g, "data/x/f"));
    assert_int_equal(vfs_stat(g->vfs, "/data//x/./f", &st), 0);
    assert_int_equal(vfs_stat(g->vfs, "./data/x/", &st), 0);
    assert_int_equal(vfs_stat(g->vfs, ".", &st), 0);
    assert_true(st.is_dir);
    assert_int_equal(vfs_stat(g->vfs, "data/../data", &st), E_INVALID);
    assert_int_equal(vfs_open(g->vfs, "/", VFS_READ, &f), E_ISDIR);
    assert_int_equal(vfs_rmdir(g->vfs, "/data/x"), E_NOTEMPTY);
    assert_int_equal(vfs_mkdir(g->vfs, "/"), E_EXIST);
}

/* There is no descriptor to hand to sendfile. */
static void memory_has_no_descriptor(void **state)
{
    struct file *f = create(*state, "a");

    assert_int_equal(file_fd(f), -1);
    file_unref(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(full_disk_refuses_and_recovers, setup, teardown),
        cmocka_unit_test_setup_teardown(reserved_space_is_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(open_files_are_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(writes_are_stamped, setup, teardown),
        cmocka_unit_test_setup_teardown(paths_are_normalized, setup, teardown),
        cmocka_unit_test_setup_teardown(memory_has_no_descriptor, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
