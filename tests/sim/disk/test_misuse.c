/* What no correct program does to a disk is found out. */
#include "disk_ground.h"

#include <sys/stat.h>
#include <unistd.h>

/* A write behind the end leaves a gap that must not be read until it is written; a hole made by
 * truncation may be. */
static void gap_must_not_be_read(void **state)
{
    struct ground g;
    struct file *f;
    char bytes[32];
    size_t got;

    ground_init(&g, (struct vfs_sim_options){0});
    f = make(g.v, "/f");
    write_text(f, "ab", 0);
    write_text(f, "cd", 10);
    assert_int_equal(file_pread(f, bytes, 2, 0, &got), 0);
    assert_int_equal(file_pread(f, bytes, 5, 10, &got), 0);
    assert_string_equal(buf_cstr(&g.misuse), "");
    assert_int_equal(file_pread(f, bytes, 3, 0, &got), 0);
    expect_misuse(&g, "read of /f at 0+3: never written");
    write_text(f, "1234", 2);
    assert_int_equal(file_pread(f, bytes, 6, 0, &got), 0);
    assert_string_equal(buf_cstr(&g.misuse), "");
    assert_int_equal(file_pread(f, bytes, 12, 0, &got), 0);
    expect_misuse(&g, "never written");
    assert_int_equal(file_truncate(f, 6), 0);
    assert_int_equal(file_truncate(f, 12), 0);
    assert_int_equal(file_pread(f, bytes, 12, 0, &got), 0);
    file_unref(f);
    ground_release(&g);
}

/* After a power cut anything may be looked at: recovery has to. */
static void recovery_may_read_everything(void **state)
{
    struct ground g;
    struct file *f;
    struct rng rng;

    rng_init(&rng, 1);
    ground_init(&g, (struct vfs_sim_options){0});
    put_durable(g.v, "/f", "ab");
    f = make(g.v, "/f");
    write_text(f, "cd", 10);
    assert_int_equal(file_datasync(f), 0);
    file_unref(f);
    vfs_sim_power_loss(g.v, &rng);
    assert_string_equal(text_of(g.v, "/f"), "ab00000000cd");
    ground_release(&g);
}

/* A file is written through one handle at a time, unless the options say otherwise; others may read
 * and sync. A killed one does not count. */
static void second_writer_is_misuse(void **state)
{
    struct ground g;
    struct file *a, *b;

    ground_init(&g, (struct vfs_sim_options){0});
    a = make(g.v, "/f");
    b = make(g.v, "/f");
    write_text(a, "a", 0);
    assert_int_equal(file_datasync(b), 0);
    assert_string_equal(buf_cstr(&g.misuse), "");
    write_text(b, "b", 0);
    expect_misuse(&g, "/f is written through two handles");
    file_unref(a);
    write_text(b, "b", 0);
    vfs_sim_kill(g.v);
    a = make(g.v, "/f");
    assert_int_equal(file_truncate(a, 0), 0);
    file_unref(a);
    file_unref(b);
    ground_release(&g);
    ground_init(&g, (struct vfs_sim_options){.two_writers = true});
    a = make(g.v, "/f");
    b = make(g.v, "/f");
    write_text(a, "a", 0);
    write_text(b, "b", 0);
    file_unref(a);
    file_unref(b);
    ground_release(&g);
}

/* What may block belongs on a lane, but for the time before the first request. */
static void sync_belongs_on_a_lane(void **state)
{
    struct ground g;
    struct file *f;
    enum thread_kind before;

    ground_init(&g, (struct vfs_sim_options){0});
    f = make(g.v, "/f");
    assert_int_equal(file_datasync(f), 0);
    vfs_sim_set_startup(g.v, false);
    before = thread_mark(THREAD_CORE);
    assert_int_equal(file_datasync(f), 0);
    expect_misuse(&g, "datasync of /f off its lane");
    assert_int_equal(vfs_sync_dir(g.v, "/"), 0);
    expect_misuse(&g, "sync_dir of / off its lane");
    assert_int_equal(vfs_sync_all(g.v, "/"), 0);
    expect_misuse(&g, "sync_all of / off its lane");
    thread_mark(THREAD_LANE);
    assert_int_equal(file_datasync(f), 0);
    assert_int_equal(vfs_sync_dir(g.v, "/"), 0);
    assert_int_equal(vfs_sync_all(g.v, "/"), 0);
    thread_mark(before);
    file_unref(f);
    ground_release(&g);
}

/* Handles are counted until they are closed, also those of a process that is gone. */
static void handles_are_counted(void **state)
{
    struct ground g;
    struct file *f;

    ground_init(&g, (struct vfs_sim_options){0});
    f = make(g.v, "/f");
    assert_int_equal(vfs_sim_open_files(g.v), 1);
    (void)file_ref(f);
    file_unref(f);
    vfs_sim_kill(g.v);
    assert_int_equal(vfs_sim_open_files(g.v), 1);
    file_unref(f);
    assert_int_equal(vfs_sim_open_files(g.v), 0);
    ground_release(&g);
}

/* The tree can be looked at with other programs. */
static void tree_is_exported(void **state)
{
    struct ground g;
    char dir[] = "/tmp/barnabas-sim-XXXXXX", text[8] = {0};
    char *path;
    FILE *f;

    assert_non_null(mkdtemp(dir));
    ground_init(&g, (struct vfs_sim_options){0});
    assert_int_equal(vfs_mkdir(g.v, "/d"), 0);
    assert_int_equal(vfs_replace(g.v, "/d/f", "text", 4), 0);
    assert_int_equal(vfs_sim_export(g.v, dir), 0);
    path = xasprintf("%s/d/f", dir);
    f = fopen(path, "rb");
    assert_non_null(f);
    assert_int_equal(fread(text, 1, sizeof(text), f), 4);
    assert_string_equal(text, "text");
    fclose(f);
    assert_int_equal(unlink(path), 0);
    free(path);
    path = xasprintf("%s/d", dir);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(rmdir(dir), 0);
    free(path);
    ground_release(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gap_must_not_be_read),    cmocka_unit_test(recovery_may_read_everything),
        cmocka_unit_test(second_writer_is_misuse), cmocka_unit_test(sync_belongs_on_a_lane),
        cmocka_unit_test(handles_are_counted),     cmocka_unit_test(tree_is_exported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
