/* Faults of the simulated disk: where they strike, what they answer, what they leave. */
#include "disk_ground.h"

static void add(struct ground *g, enum vfs_sim_fault_kind kind, uint32_t ops, const char *path,
                uint64_t nth, bool lasting)
{
    vfs_sim_add_fault(g->v,
                      &(struct vfs_sim_fault){
                          .kind = kind, .ops = ops, .path = path, .nth = nth, .lasting = lasting});
}

/* The n-th operation of a kind on a matching path fails, and no other. */
static void counted_fault_strikes_once(void **state)
{
    struct ground g;
    struct file *log, *other;

    ground_init(&g, (struct vfs_sim_options){0});
    log = make(g.v, "/a.log");
    other = make(g.v, "/a.index");
    add(&g, SIM_EIO, SIM_OP(SIM_PWRITEV), "*.log", 2, false);
    write_text(log, "one", 0);
    write_text(other, "other", 0);
    write_text(other, "other", 0);
    assert_int_equal(file_pwrite(log, "two", 3, 0), E_IO);
    write_text(log, "six", 0);
    assert_int_equal(vfs_sim_faults_fired(g.v), 1);
    assert_string_equal(text_of(g.v, "/a.log"), "six");
    file_unref(log);
    file_unref(other);
    ground_release(&g);
}

/* A lasting fault strikes from the n-th on, until it is lifted. */
static void lasting_fault_ends_when_lifted(void **state)
{
    struct ground g;
    struct file *f;

    ground_init(&g, (struct vfs_sim_options){0});
    f = make(g.v, "/f");
    add(&g, SIM_ENOSPC, SIM_ANY_OP, NULL, 2, true);
    write_text(f, "a", 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(file_pwrite(f, "b", 1, 0), E_NOSPC);
    assert_int_equal(vfs_unlink(g.v, "/none"), E_NOENT); /* removing takes no space */
    vfs_sim_lift_faults(g.v);
    write_text(f, "c", 0);
    file_unref(f);
    ground_release(&g);
}

/* Running out of handles happens to what opens; a full disk to opening only where it makes a
 * file. */
static void faults_strike_where_they_can(void **state)
{
    struct ground g;
    struct file *f = NULL;
    struct vfs_stat st;

    ground_init(&g, (struct vfs_sim_options){0});
    file_unref(make(g.v, "/f"));
    add(&g, SIM_EMFILE, SIM_ANY_OP, NULL, 1, true);
    assert_int_equal(vfs_stat(g.v, "/f", &st), 0);
    assert_int_equal(vfs_open(g.v, "/f", VFS_READ, &f), E_MFILE);
    assert_int_equal(vfs_sync_dir(g.v, "/"), E_MFILE);
    assert_int_equal(vfs_mkdir(g.v, "/d"), 0);
    vfs_sim_lift_faults(g.v);
    add(&g, SIM_ENOSPC, SIM_ANY_OP, NULL, 1, true);
    assert_int_equal(vfs_open(g.v, "/f", VFS_WRITE | VFS_CREATE, &f), 0);
    assert_int_equal(file_truncate(f, 1), E_NOSPC);
    assert_int_equal(file_truncate(f, 0), 0);
    file_unref(f);
    assert_int_equal(vfs_open(g.v, "/g", VFS_WRITE | VFS_CREATE, &f), E_NOSPC);
    assert_int_equal(vfs_mkdir(g.v, "/e"), E_NOSPC);
    assert_int_equal(vfs_rename(g.v, "/f", "/g"), E_NOSPC);
    assert_true(is_there(g.v, "/f"));
    assert_false(is_there(g.v, "/g"));
    ground_release(&g);
}

/* A short write leaves a part of its bytes, less than all, and its error; the error may be
 * chosen. */
static void short_write_leaves_a_part(void **state)
{
    bool some = false;

    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct ground g;
        struct file *f;
        uint64_t size;
        struct vfs_sim_fault fault = {.kind = SIM_SHORT, .rc = seed % 2 ? 0 : E_IO};

        ground_init(&g, (struct vfs_sim_options){.seed = seed});
        f = make(g.v, "/f");
        vfs_sim_add_fault(g.v, &fault);
        assert_int_equal(file_pwrite(f, "abcdef", 6, 0), seed % 2 ? E_NOSPC : E_IO);
        assert_int_equal(file_size(f, &size), 0);
        assert_true(size < 6);
        some |= size > 0;
        assert_memory_equal(text_of(g.v, "/f"), "abcdef", size);
        file_unref(f);
        ground_release(&g);
    }
    assert_true(some);
}

/* A sync that fails with a plain EIO has written nothing and forgotten nothing: the next one makes
 * it good, through another handle. Through the same one it goes on failing. */
static void failed_sync_may_be_good_later(void **state)
{
    struct ground g;
    struct file *f;
    struct rng rng;

    rng_init(&rng, 1);
    ground_init(&g, (struct vfs_sim_options){0});
    put_durable(g.v, "/f", "old");
    f = make(g.v, "/f");
    write_text(f, "new", 0);
    add(&g, SIM_EIO, SIM_OP(SIM_DATASYNC), NULL, 1, false);
    assert_int_equal(file_datasync(f), E_IO);
    assert_int_equal(file_datasync(f), E_IO);
    file_unref(f);
    f = make(g.v, "/f");
    assert_int_equal(file_datasync(f), 0);
    file_unref(f);
    vfs_sim_power_loss(g.v, &rng);
    assert_string_equal(text_of(g.v, "/f"), "new");
    ground_release(&g);
}

/* A sync that loses pages: the next one, through another handle, answers success, the cache shows the bytes, a kill keeps
 * showing them; only the device, a dropped cache and a power cut tell the truth. */
static void lost_pages_are_lost(void **state)
{
    struct ground g;
    struct file *f;
    struct rng rng;

    rng_init(&rng, 1);
    ground_init(&g, (struct vfs_sim_options){0});
    put_durable(g.v, "/f", "old");
    f = make(g.v, "/f");
    write_text(f, "new and long", 0);
    add(&g, SIM_LOSE, SIM_ANY_OP, NULL, 1, false);
    assert_int_equal(file_datasync(f), E_IO);
    file_unref(f);
    f = make(g.v, "/f");
    assert_int_equal(file_datasync(f), 0);
    assert_string_equal(text_of(g.v, "/f"), "new and long");
    file_unref(f);
    vfs_sim_kill(g.v);
    assert_string_equal(text_of(g.v, "/f"), "new and long");
    f = make(g.v, "/f");
    write_text(f, "G", 11);
    assert_int_equal(file_drop_cache(f, 0), 0);
    assert_string_equal(text_of(g.v, "/f"), "old00000000G"); /* the size was the file system's */
    assert_int_equal(file_datasync(f), 0);
    file_unref(f);
    vfs_sim_power_loss(g.v, &rng);
    assert_string_equal(text_of(g.v, "/f"), "old00000000G");
    ground_release(&g);
}

/* A failing sync of everything loses the pages of every file, and makes no name durable. */
static void lost_sync_all_loses_everything(void **state)
{
    struct ground g;
    struct file *f;
    struct buf device;

    ground_init(&g, (struct vfs_sim_options){0});
    put_durable(g.v, "/f", "old");
    f = make(g.v, "/f");
    write_text(f, "new", 0);
    file_unref(f);
    file_unref(make(g.v, "/g"));
    add(&g, SIM_LOSE, SIM_ANY_OP, NULL, 1, false);
    assert_int_equal(vfs_sync_all(g.v, "/"), E_IO);
    buf_init(&device);
    assert_int_equal(vfs_sim_device_read(g.v, "/g", &device), E_NOENT);
    assert_int_equal(vfs_sync_all(g.v, "/"), 0);
    assert_int_equal(vfs_sim_device_read(g.v, "/g", &device), 0);
    assert_int_equal(vfs_sim_device_read(g.v, "/f", &device), 0);
    assert_string_equal(buf_cstr(&device), "old");
    buf_release(&device);
    ground_release(&g);
}

/* Rot that strikes a read flips one bit of it, for good; what is not on the device yet does not
 * rot. */
static void rot_strikes_durable_bytes(void **state)
{
    struct ground g;
    struct file *f;
    char first[8] = {0}, second[8] = {0};
    size_t got;
    int n_bits = 0;

    ground_init(&g, (struct vfs_sim_options){.seed = 7});
    f = make(g.v, "/f");
    write_text(f, "pending", 0);
    add(&g, SIM_ROT, SIM_ANY_OP, NULL, 1, false);
    assert_int_equal(file_pread(f, first, 7, 0, &got), 0);
    assert_string_equal(first, "pending");
    assert_int_equal(file_datasync(f), 0);
    add(&g, SIM_ROT, SIM_ANY_OP, NULL, 1, false);
    assert_int_equal(file_pread(f, first, 7, 0, &got), 0);
    assert_int_equal(file_pread(f, second, 7, 0, &got), 0);
    assert_memory_equal(first, second, 7);
    for (int i = 0; i < 7; i++)
        n_bits += __builtin_popcount((unsigned)(first[i] ^ "pending"[i]));
    assert_int_equal(n_bits, 1);
    file_unref(f);
    ground_release(&g);
}

/* Rot from outside is on the device at once, and seen when the cache is dropped. */
static void rot_is_hidden_by_the_cache(void **state)
{
    struct ground g;

    ground_init(&g, (struct vfs_sim_options){0});
    put_durable(g.v, "/f", "abc");
    assert_int_equal(vfs_sim_rot(g.v, "/f", 3, 0), E_EOF);
    assert_int_equal(vfs_sim_rot(g.v, "/g", 0, 0), E_NOENT);
    assert_int_equal(vfs_sim_rot(g.v, "/f", 1, 0), 0);
    assert_string_equal(text_of(g.v, "/f"), "abc");
    vfs_sim_drop_caches(g.v);
    assert_string_equal(text_of(g.v, "/f"), "acc");
    ground_release(&g);
}

/* A slow operation succeeds; its time is there to be taken, once. */
static void slow_operations_say_how_long(void **state)
{
    struct ground g;
    struct vfs_sim_fault slow = {
        .kind = SIM_SLOW, .ops = SIM_OP(SIM_STAT), .lasting = true, .slow_ns = 1000};
    struct vfs_stat st;

    ground_init(&g, (struct vfs_sim_options){0});
    vfs_sim_add_fault(g.v, &slow);
    for (int i = 0; i < 3; i++)
        assert_int_equal(vfs_stat(g.v, "/", &st), 0);
    assert_int_equal(vfs_sim_take_latency_ns(g.v), 3000);
    assert_int_equal(vfs_sim_take_latency_ns(g.v), 0);
    ground_release(&g);
}

/* A rate strikes about as often as it says, the same way for the same seed, and not at all once
 * lifted. */
static void rates_strike_at_random(void **state)
{
    int counts[2] = {0};
    struct vfs_stat st;

    for (int run = 0; run < 2; run++) {
        struct ground g;

        ground_init(&g, (struct vfs_sim_options){.seed = 3});
        vfs_sim_set_rate(g.v, SIM_EIO, SIM_OP(SIM_STAT), 100000, 0);
        for (int i = 0; i < 1000; i++)
            counts[run] += vfs_stat(g.v, "/", &st) == E_IO;
        file_unref(make(g.v, "/f")); /* another operation */
        vfs_sim_lift_faults(g.v);
        for (int i = 0; i < 100; i++)
            assert_int_equal(vfs_stat(g.v, "/", &st), 0);
        ground_release(&g);
    }
    assert_int_equal(counts[0], counts[1]);
    assert_in_range(counts[0], 60, 140);
}

/* Cold files become warm by reading, where the option is on. */
static void files_are_cold_until_read(void **state)
{
    struct ground g;
    struct file *f;
    char c;
    size_t got;

    ground_init(&g, (struct vfs_sim_options){.cold_reads = true});
    put_durable(g.v, "/f", "abc");
    f = make(g.v, "/f");
    assert_true(file_is_warm(f, 0, 3));
    assert_int_equal(file_drop_cache(f, 0), 0);
    assert_false(file_is_warm(f, 0, 3));
    assert_int_equal(file_pread(f, &c, 1, 0, &got), 0);
    assert_true(file_is_warm(f, 0, 3));
    file_unref(f);
    ground_release(&g);
}

static void note_line(void *arg, const char *text)
{
    buf_printf(arg, "%s\n", text);
}

static void note_change(void *arg, struct vfs *v, uint64_t change)
{
    assert_int_equal(change, vfs_sim_changes(v) + 1);
    buf_printf(arg, "%d ", (int)change);
}

/* Operations and changes are counted, told line by line, and each change is announced. */
static void operations_are_counted_and_told(void **state)
{
    struct ground g;
    struct buf lines, changes;
    struct file *f;
    struct vfs_stat st;

    ground_init(&g, (struct vfs_sim_options){0});
    buf_init(&lines);
    buf_init(&changes);
    vfs_sim_set_trace(g.v, note_line, &lines);
    vfs_sim_on_change(g.v, note_change, &changes);
    f = make(g.v, "/f");
    write_text(f, "abc", 2);
    file_unref(f);
    assert_int_equal(vfs_stat(g.v, "/none", &st), E_NOENT);
    assert_int_equal(vfs_rename(g.v, "/f", "/g"), 0);
    assert_string_equal(buf_cstr(&lines), "#1 !1 open /f 3+0 = 0\n"
                                          "#2 !2 pwritev /f 2+3 = 0\n"
                                          "#3 stat /none 0+0 = E_NOENT\n"
                                          "#4 !3 rename /f -> /g 0+0 = 0\n");
    assert_string_equal(buf_cstr(&changes), "1 2 3 ");
    assert_int_equal(vfs_sim_ops(g.v), 4);
    assert_int_equal(vfs_sim_changes(g.v), 3);
    buf_release(&lines);
    buf_release(&changes);
    ground_release(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counted_fault_strikes_once),
        cmocka_unit_test(lasting_fault_ends_when_lifted),
        cmocka_unit_test(faults_strike_where_they_can),
        cmocka_unit_test(short_write_leaves_a_part),
        cmocka_unit_test(failed_sync_may_be_good_later),
        cmocka_unit_test(lost_pages_are_lost),
        cmocka_unit_test(lost_sync_all_loses_everything),
        cmocka_unit_test(rot_strikes_durable_bytes),
        cmocka_unit_test(rot_is_hidden_by_the_cache),
        cmocka_unit_test(slow_operations_say_how_long),
        cmocka_unit_test(rates_strike_at_random),
        cmocka_unit_test(files_are_cold_until_read),
        cmocka_unit_test(operations_are_counted_and_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
