/* What is left on the simulated disk when the process dies and when the power fails. */
#include "disk_ground.h"

#define SEEDS 300

/* Which of some texts were seen. */
struct seen {
    const char *const *allowed;
    size_t n;
    uint32_t mask;
};

static void see(struct seen *s, const char *text)
{
    for (size_t i = 0; i < s->n; i++) {
        if (strcmp(text, s->allowed[i]) == 0) {
            s->mask |= 1u << i;
            return;
        }
    }
    fail_msg("\"%s\" must not be", text);
}

static void expect_all_seen(const struct seen *s)
{
    for (size_t i = 0; i < s->n; i++)
        if (!(s->mask & (1u << i)))
            fail_msg("\"%s\" was never seen", s->allowed[i]);
}

/* Runs a scene on a new disk, cuts the power, looks at one file; over many seeds just the allowed
 * texts come, and all of them. */
static void expect_states(struct vfs_sim_options options, void (*scene)(struct vfs *v),
                          const char *path, const char *const *allowed, size_t n)
{
    struct seen seen = {.allowed = allowed, .n = n};

    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct ground g;
        struct rng rng;

        rng_init(&rng, seed);
        ground_init(&g, options);
        scene(g.v);
        vfs_sim_power_loss(g.v, &rng);
        assert_int_equal(vfs_sim_pending(g.v), 0);
        see(&seen, text_of(g.v, path));
        ground_release(&g);
    }
    expect_all_seen(&seen);
}

#define EXPECT_STATES(options, scene, path, ...)                                                   \
    do {                                                                                           \
        static const char *const allowed[] = {__VA_ARGS__};                                        \
        expect_states(options, scene, path, allowed, ARRAY_SIZE(allowed));                         \
    } while (0)

static const struct vfs_sim_options four = {.sector_bytes = 4};
static const struct vfs_sim_options four_ordered = {.sector_bytes = 4, .ordered = true};
static const struct vfs_sim_options four_size_first = {.sector_bytes = 4, .size_before_data = true};

static void synced(struct vfs *v)
{
    put_durable(v, "/f", "aaaabbbb");
}

/* What was synced, with its name, is there after every cut. */
static void synced_stays(void **state)
{
    EXPECT_STATES(four, synced, "/f", "aaaabbbb");
    EXPECT_STATES(four_ordered, synced, "/f", "aaaabbbb");
}

static void overwritten(struct vfs *v)
{
    struct file *f;

    put_durable(v, "/f", "aaaabbbb");
    f = make(v, "/f");
    write_text(f, "XXXXYYYY", 0);
    file_unref(f);
}

/* A write that was not synced is there, is not, or is torn at a sector's edge. */
static void unsynced_write_is_kept_dropped_or_torn(void **state)
{
    EXPECT_STATES(four, overwritten, "/f", "aaaabbbb", "XXXXYYYY", "XXXXbbbb", "aaaaYYYY");
    EXPECT_STATES(four_ordered, overwritten, "/f", "aaaabbbb", "XXXXYYYY", "XXXXbbbb");
}

static void appended(struct vfs *v)
{
    struct file *f;

    put_durable(v, "/f", "aaaa");
    f = make(v, "/f");
    write_text(f, "BBBBCC", 4);
    file_unref(f);
}

/* Of an append that was not synced, sectors are missing: at the end, or in the middle as zeros;
 * with size_before_data the size may be there without any. */
static void unsynced_append_is_torn(void **state)
{
    EXPECT_STATES(four, appended, "/f", "aaaa", "aaaaBBBB", "aaaa0000CC", "aaaaBBBBCC");
    EXPECT_STATES(four_ordered, appended, "/f", "aaaa", "aaaaBBBB", "aaaaBBBBCC");
    EXPECT_STATES(four_size_first, appended, "/f", "aaaa", "aaaaBBBB", "aaaa0000CC", "aaaaBBBBCC",
                  "aaaa000000", "aaaaBBBB00");
}

static void two_in_one_sector(struct vfs *v)
{
    struct file *f;

    put_durable(v, "/f", "aaaa");
    f = make(v, "/f");
    write_text(f, "X", 0);
    write_text(f, "Y", 1);
    file_unref(f);
}

/* A sector is what it was at one moment: a later write is never there without an earlier one beside
 * it. */
static void a_sector_is_of_one_moment(void **state)
{
    EXPECT_STATES(four, two_in_one_sector, "/f", "aaaa", "Xaaa", "XYaa");
}

static void cut_and_written_again(struct vfs *v)
{
    struct file *f;

    put_durable(v, "/f", "aaaabbbb");
    f = make(v, "/f");
    assert_int_equal(file_truncate(f, 4), 0);
    write_text(f, "C", 4);
    file_unref(f);
}

/* A truncation that was not synced may not have happened; bytes that come after it show the cache's
 * zeros around them. */
static void unsynced_truncate_may_not_have_happened(void **state)
{
    EXPECT_STATES(four, cut_and_written_again, "/f", "aaaabbbb", "aaaa", "aaaaC", "aaaaC000");
    EXPECT_STATES(four_ordered, cut_and_written_again, "/f", "aaaabbbb", "aaaa", "aaaaC");
}

static void named_only(struct vfs *v)
{
    struct file *f = make(v, "/f");

    write_text(f, "aaaa", 0);
    assert_int_equal(file_datasync(f), 0);
    file_unref(f);
}

static void filled_only(struct vfs *v)
{
    struct file *f = make(v, "/f");

    assert_int_equal(vfs_sync_dir(v, "/"), 0);
    write_text(f, "aaaa", 0);
    file_unref(f);
}

/* A synced file whose name was not may be missing; a synced name whose file was not may be
 * empty. */
static void name_and_contents_are_two_things(void **state)
{
    EXPECT_STATES(four, named_only, "/f", "-", "aaaa");
    EXPECT_STATES(four, filled_only, "/f", "", "aaaa");
}

static void replaced(struct vfs *v)
{
    struct file *f;

    put_durable(v, "/f", "old");
    f = make(v, "/f.tmp");
    write_text(f, "new", 0);
    assert_int_equal(file_datasync(f), 0);
    file_unref(f);
    assert_int_equal(vfs_rename(v, "/f.tmp", "/f"), 0);
}

static void replaced_carelessly(struct vfs *v)
{
    struct file *f;

    put_durable(v, "/f", "old");
    f = make(v, "/f.tmp");
    write_text(f, "new", 0);
    file_unref(f);
    assert_int_equal(vfs_rename(v, "/f.tmp", "/f"), 0);
}

static void replaced_well(struct vfs *v)
{
    put_durable(v, "/f", "old");
    assert_int_equal(vfs_replace(v, "/f", "new", 3), 0);
}

/* A rename has happened or has not; a name is never without a file. Without the sync before it, the
 * new name may have no contents. */
static void rename_is_whole(void **state)
{
    EXPECT_STATES(four, replaced, "/f", "old", "new");
    EXPECT_STATES(four, replaced_carelessly, "/f", "old", "new", "");
    EXPECT_STATES(four, replaced_well, "/f", "new");
}

static void renamed_twice(struct vfs *v)
{
    put_durable(v, "/f", "one");
    put_durable(v, "/g", "two");
    assert_int_equal(vfs_rename(v, "/f", "/h"), 0);
    assert_int_equal(vfs_rename(v, "/g", "/f"), 0);
}

/* Renames that rest on one another keep their order: neither file is ever lost, and each has one
 * name. */
static void renames_keep_their_order(void **state)
{
    struct seen seen = {.allowed = (const char *const[]){"onetwo-", "-twoone", "two-one"}, .n = 3};

    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct ground g;
        struct rng rng;
        char all[16] = "";
        size_t n = 0;

        rng_init(&rng, seed);
        ground_init(&g, four);
        renamed_twice(g.v);
        vfs_sim_power_loss(g.v, &rng);
        n += (size_t)snprintf(all + n, sizeof(all) - n, "%s", text_of(g.v, "/f"));
        n += (size_t)snprintf(all + n, sizeof(all) - n, "%s", text_of(g.v, "/g"));
        snprintf(all + n, sizeof(all) - n, "%s", text_of(g.v, "/h"));
        see(&seen, all);
        ground_release(&g);
    }
    expect_all_seen(&seen);
}

static void unlinked(struct vfs *v)
{
    put_durable(v, "/f", "old");
    assert_int_equal(vfs_unlink(v, "/f"), 0);
}

static void made_again(struct vfs *v)
{
    struct file *f;

    unlinked(v);
    f = make(v, "/f");
    write_text(f, "new", 0);
    assert_int_equal(file_datasync(f), 0);
    file_unref(f);
}

/* A removal that was not synced may come back, also as the file before. */
static void removed_may_come_back(void **state)
{
    EXPECT_STATES(four, unlinked, "/f", "old", "-");
    EXPECT_STATES(four, made_again, "/f", "old", "-", "new");
}

static void in_new_directory(struct vfs *v)
{
    assert_int_equal(vfs_mkdir(v, "/d"), 0);
    assert_int_equal(vfs_replace(v, "/d/f", "text", 4), 0);
}

static void in_synced_directory(struct vfs *v)
{
    in_new_directory(v);
    assert_int_equal(vfs_sync_dir(v, "/"), 0);
}

/* A file is reachable only when every directory above it has a durable name. */
static void directories_must_be_synced_too(void **state)
{
    EXPECT_STATES(four, in_new_directory, "/d/f", "-", "text");
    EXPECT_STATES(four, in_synced_directory, "/d/f", "text");
}

static void moved_directory(struct vfs *v)
{
    in_synced_directory(v);
    assert_int_equal(vfs_rename(v, "/d", "/e"), 0);
}

/* A renamed directory is under one of its names, with what is in it. */
static void renamed_directory_is_whole(void **state)
{
    EXPECT_STATES(four, moved_directory, "/d/f", "text", "-");
    EXPECT_STATES(four, moved_directory, "/e/f", "text", "-");
}

static void two_files(struct vfs *v)
{
    struct file *f, *g;

    put_durable(v, "/f", "a");
    put_durable(v, "/g", "a");
    f = make(v, "/f");
    g = make(v, "/g");
    write_text(f, "b", 0);
    write_text(g, "b", 0);
    write_text(f, "c", 0);
    file_unref(f);
    file_unref(g);
}

/* An ordered device keeps everything up to one moment, over all files; the other keeps what it
 * likes. */
static void order_is_over_all_files(void **state)
{
    for (int ordered = 0; ordered < 2; ordered++) {
        bool out_of_order = false;

        for (uint64_t seed = 1; seed <= SEEDS; seed++) {
            struct ground g;
            struct rng rng;
            bool late, early;

            rng_init(&rng, seed);
            ground_init(&g, (struct vfs_sim_options){.ordered = ordered});
            two_files(g.v);
            vfs_sim_power_loss(g.v, &rng);
            late = strcmp(text_of(g.v, "/f"), "c") == 0;
            early = strcmp(text_of(g.v, "/g"), "b") == 0;
            out_of_order |= late && !early;
            ground_release(&g);
        }
        assert_int_equal(out_of_order, !ordered);
    }
}

/* A kill loses nothing that was written, makes nothing durable, releases locks, and its handles can
 * only be closed. */
static void kill_keeps_what_the_process_saw(void **state)
{
    struct ground g;
    struct file *f, *again;
    struct buf device;
    char c;
    size_t got;

    ground_init(&g, four);
    f = make(g.v, "/f");
    write_text(f, "text", 0);
    assert_int_equal(file_lock(f), 0);
    vfs_sim_kill(g.v);
    assert_int_equal(file_pread(f, &c, 1, 0, &got), E_IO);
    assert_int_equal(file_pwrite(f, "x", 1, 0), E_IO);
    assert_int_equal(file_datasync(f), E_IO);
    assert_string_equal(text_of(g.v, "/f"), "text");
    again = make(g.v, "/f");
    assert_int_equal(file_lock(again), 0);
    buf_init(&device);
    assert_int_equal(vfs_sim_device_read(g.v, "/f", &device), E_NOENT);
    buf_release(&device);
    assert_int_equal(vfs_sim_open_files(g.v), 2);
    file_unref(f);
    file_unref(again);
    ground_release(&g);
}

/* A file without a name dies with the process that has it open. */
static void unlinked_file_dies_with_its_process(void **state)
{
    struct ground g;
    struct vfs_space before, after;
    struct file *f;

    ground_init(&g, four);
    assert_int_equal(vfs_space(g.v, "/", &before), 0);
    f = make(g.v, "/f");
    write_text(f, "text", 0);
    assert_int_equal(vfs_unlink(g.v, "/f"), 0);
    vfs_sim_kill(g.v);
    assert_int_equal(vfs_space(g.v, "/", &after), 0);
    assert_int_equal(before.free_bytes, after.free_bytes);
    file_unref(f);
    ground_release(&g);
}

/* The disk stops before the chosen change; from there on every call fails, and nothing of it is
 * there later. */
static void stop_is_at_a_change(void **state)
{
    struct ground g;
    struct file *f;
    struct vfs_stat st;

    ground_init(&g, four);
    f = make(g.v, "/f");
    vfs_sim_stop_at(g.v, 2);
    write_text(f, "a", 0);
    assert_int_equal(vfs_stat(g.v, "/f", &st), 0); /* reading is no change */
    assert_false(vfs_sim_is_down(g.v));
    assert_int_equal(vfs_rename(g.v, "/f", "/g"), E_IO);
    assert_true(vfs_sim_is_down(g.v));
    assert_int_equal(vfs_stat(g.v, "/f", &st), E_IO);
    assert_int_equal(file_pwrite(f, "b", 1, 0), E_IO);
    file_unref(f);
    vfs_sim_kill(g.v);
    assert_string_equal(text_of(g.v, "/f"), "a");
    assert_false(is_there(g.v, "/g"));
    ground_release(&g);
}

/* A write at which the disk stops may be done in part; never whole. */
static void stop_tears_a_write(void **state)
{
    struct seen seen = {.allowed = (const char *const[]){"", "a", "ab", "abc"}, .n = 4};

    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct ground g;
        struct file *f;

        ground_init(&g, (struct vfs_sim_options){.seed = seed});
        f = make(g.v, "/f");
        vfs_sim_stop_at(g.v, 1);
        assert_int_equal(file_pwrite(f, "abcd", 4, 0), E_IO);
        file_unref(f);
        vfs_sim_kill(g.v);
        see(&seen, text_of(g.v, "/f"));
        ground_release(&g);
    }
    expect_all_seen(&seen);
}

/* A copy has the same pending operations, and goes its own way from there. */
static void copy_goes_its_own_way(void **state)
{
    struct seen seen = {.allowed = (const char *const[]){"old", "new", ""}, .n = 3};
    struct ground g;
    struct vfs *copy;
    struct file *f;

    ground_init(&g, four);
    replaced_carelessly(g.v);
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct rng rng;

        rng_init(&rng, seed);
        copy = vfs_sim_clone(g.v, NULL);
        vfs_sim_power_loss(copy, &rng);
        see(&seen, text_of(copy, "/f"));
        f = make(copy, "/f");
        write_text(f, "other", 0);
        file_unref(f);
        vfs_sim_free(copy);
        assert_string_equal(text_of(g.v, "/f"), "new");
    }
    expect_all_seen(&seen);
    ground_release(&g);
}

/* The same seed cuts the same way. */
static void same_seed_same_cut(void **state)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        char first[4096];

        for (int i = 0; i < 2; i++) {
            struct ground g;
            struct rng rng;

            rng_init(&rng, seed);
            ground_init(&g, four);
            appended(g.v);
            overwritten(g.v);
            vfs_sim_power_loss(g.v, &rng);
            if (i == 0)
                snprintf(first, sizeof(first), "%s", text_of(g.v, "/f"));
            else
                assert_string_equal(text_of(g.v, "/f"), first);
            ground_release(&g);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(synced_stays),
        cmocka_unit_test(unsynced_write_is_kept_dropped_or_torn),
        cmocka_unit_test(unsynced_append_is_torn),
        cmocka_unit_test(a_sector_is_of_one_moment),
        cmocka_unit_test(unsynced_truncate_may_not_have_happened),
        cmocka_unit_test(name_and_contents_are_two_things),
        cmocka_unit_test(rename_is_whole),
        cmocka_unit_test(renames_keep_their_order),
        cmocka_unit_test(removed_may_come_back),
        cmocka_unit_test(directories_must_be_synced_too),
        cmocka_unit_test(renamed_directory_is_whole),
        cmocka_unit_test(order_is_over_all_files),
        cmocka_unit_test(kill_keeps_what_the_process_saw),
        cmocka_unit_test(unlinked_file_dies_with_its_process),
        cmocka_unit_test(stop_is_at_a_change),
        cmocka_unit_test(stop_tears_a_write),
        cmocka_unit_test(copy_goes_its_own_way),
        cmocka_unit_test(same_seed_same_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
