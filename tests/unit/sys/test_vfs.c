/* The promises of a vfs, kept by the files of the operating system and by those in memory: every
 * test runs on both. */
#include "sys.h"

#include <setjmp.h>
#include <unistd.h>

#include <cmocka.h>

struct ground {
    bool in_memory;
    struct clock *clock;
    struct vfs *vfs;
    char root[64]; /* an empty directory */
    char path_buffers[8][256];
    unsigned path_turn;
};

/* A path below the root; the last eight stay. */
static const char *at(struct ground *g, const char *name)
{
    char *out = g->path_buffers[g->path_turn++ % 8];

    snprintf(out, sizeof(g->path_buffers[0]), "%s/%s", g->root, name);
    return out;
}

static int setup(void **state, bool in_memory)
{
    struct ground *g = xcalloc(1, sizeof(*g));

    g->in_memory = in_memory;
    if (in_memory) {
        g->clock = clock_sim_new((struct wall){1700000000123});
        g->vfs = vfs_mem_new(g->clock);
        snprintf(g->root, sizeof(g->root), "/data");
        assert_int_equal(vfs_mkdir(g->vfs, g->root), 0);
    } else {
        g->clock = clock_real_new();
        g->vfs = vfs_posix_new();
        snprintf(g->root, sizeof(g->root), "/tmp/barnabas-vfs-XXXXXX");
        assert_non_null(mkdtemp(g->root));
    }
    *state = g;
    return 0;
}

static int setup_posix(void **state)
{
    return setup(state, false);
}

static int setup_memory(void **state)
{
    return setup(state, true);
}

static int teardown(void **state)
{
    struct ground *g = *state;

    assert_int_equal(vfs_remove_tree(g->vfs, g->root), 0);
    if (g->in_memory) {
        assert_int_equal(vfs_mem_open_files(g->vfs), 0);
        vfs_mem_free(g->vfs);
        clock_sim_free(g->clock);
    } else {
        vfs_posix_free(g->vfs);
        clock_real_free(g->clock);
    }
    free(g);
    return 0;
}

static struct file *open_file(struct ground *g, const char *name, int flags)
{
    struct file *f = NULL;

    assert_int_equal(vfs_open(g->vfs, at(g, name), flags, &f), 0);
    return f;
}

static struct file *create(struct ground *g, const char *name)
{
    return open_file(g, name, VFS_WRITE | VFS_CREATE);
}

static void put_text(struct ground *g, const char *name, const char *text)
{
    struct file *f = open_file(g, name, VFS_WRITE | VFS_CREATE | VFS_TRUNCATE);

    assert_int_equal(file_pwrite(f, text, strlen(text), 0), 0);
    file_unref(f);
}

static void expect_text(struct ground *g, const char *name, const char *text)
{
    struct buf b;

    buf_init(&b);
    assert_int_equal(vfs_read_all(g->vfs, at(g, name), 1 << 20, &b), 0);
    assert_string_equal(buf_cstr(&b), text);
    buf_release(&b);
}

static bool is_there(struct ground *g, const char *name)
{
    struct vfs_stat st;
    int rc = vfs_stat(g->vfs, at(g, name), &st);

    assert_true(rc == 0 || rc == E_NOENT);
    return rc == 0;
}

/* What was written is read, up to the end and not past it. */
static void reads_what_was_written(void **state)
{
    struct file *f = create(*state, "a");
    char text[16] = {0};
    size_t got;
    uint64_t size;

    assert_int_equal(file_pwrite(f, "hello world", 11, 0), 0);
    assert_int_equal(file_pread(f, text, 16, 0, &got), 0);
    assert_int_equal(got, 11);
    assert_string_equal(text, "hello world");
    assert_int_equal(file_pread(f, text, 5, 6, &got), 0);
    assert_memory_equal(text, "world", 5);
    assert_int_equal(file_pread(f, text, 5, 11, &got), 0);
    assert_int_equal(got, 0);
    assert_int_equal(file_pread(f, text, 5, 1000, &got), 0);
    assert_int_equal(got, 0);
    assert_int_equal(file_pread_full(f, text, 11, 0), 0);
    assert_int_equal(file_pread_full(f, text, 12, 0), E_EOF);
    assert_int_equal(file_size(f, &size), 0);
    assert_int_equal(size, 11);
    file_unref(f);
}

/* Pieces end up one after the other, empty ones too, and more of them than the kernel takes at
 * once. */
static void many_pieces_are_one_write(void **state)
{
    struct file *f = create(*state, "a");
    static struct piece pieces[3000];
    static uint8_t want[3000 * 3], got[3000 * 3];
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
        size_t length = i % 4;

        memset(want + n, (int)i, length);
        pieces[i] = (struct piece){length ? want + n : NULL, length};
        n += length;
    }
    assert_int_equal(file_pwritev(f, pieces, ARRAY_SIZE(pieces), 100), 0);
    assert_int_equal(file_pread_full(f, got, n, 100), 0);
    assert_memory_equal(got, want, n);
    assert_int_equal(file_pread_full(f, got, n + 1, 100), E_EOF);
    assert_int_equal(file_pwritev(f, pieces, 0, 0), 0);
    file_unref(f);
}

/* A hole is zero, and so is what comes back after a cut. */
static void holes_and_cuts_are_zero(void **state)
{
    struct file *f = create(*state, "a");
    uint8_t bytes[8];

    assert_int_equal(file_pwrite(f, "x", 1, 7), 0);
    assert_int_equal(file_pread_full(f, bytes, 8, 0), 0);
    assert_memory_equal(bytes, "\0\0\0\0\0\0\0x", 8);
    assert_int_equal(file_pwrite(f, "abcdefgh", 8, 0), 0);
    assert_int_equal(file_truncate(f, 3), 0);
    assert_int_equal(file_pread_full(f, bytes, 4, 0), E_EOF);
    assert_int_equal(file_truncate(f, 8), 0);
    assert_int_equal(file_pread_full(f, bytes, 8, 0), 0);
    assert_memory_equal(bytes, "abc\0\0\0\0\0", 8);
    file_unref(f);
}

/* Reserving leaves the size alone; datasync and dropping the cache succeed and lose nothing. */
static void reserve_sync_and_drop_leave_the_content(void **state)
{
    struct file *f = create(*state, "a");
    uint64_t size;
    char text[3];

    assert_int_equal(file_pwrite(f, "abc", 3, 0), 0);
    assert_int_equal(file_reserve(f, 0, 1 << 16), 0);
    assert_int_equal(file_reserve(f, 0, 0), 0);
    assert_int_equal(file_size(f, &size), 0);
    assert_int_equal(size, 3);
    assert_int_equal(file_datasync(f), 0);
    assert_true(file_is_warm(f, 0, 3));
    assert_int_equal(file_drop_cache(f, 0), 0);
    assert_int_equal(file_pread_full(f, text, 3, 0), 0);
    assert_memory_equal(text, "abc", 3);
    file_unref(f);
}

/* Opening follows its flags. */
static void open_follows_its_flags(void **state)
{
    struct ground *g = *state;
    struct file *f;
    uint64_t size;

    assert_int_equal(vfs_open(g->vfs, at(g, "a"), VFS_READ, &f), E_NOENT);
    assert_null(f);
    assert_int_equal(vfs_open(g->vfs, at(g, "a"), VFS_WRITE, &f), E_NOENT);
    assert_int_equal(vfs_open(g->vfs, at(g, "no/a"), VFS_WRITE | VFS_CREATE, &f), E_NOENT);
    f = open_file(g, "a", VFS_WRITE | VFS_CREATE | VFS_EXCLUSIVE);
    assert_int_equal(file_pwrite(f, "abc", 3, 0), 0);
    file_unref(f);
    assert_int_equal(vfs_open(g->vfs, at(g, "a"), VFS_WRITE | VFS_CREATE | VFS_EXCLUSIVE, &f),
                     E_EXIST);
    f = create(g, "a");
    assert_int_equal(file_size(f, &size), 0);
    assert_int_equal(size, 3);
    file_unref(f);
    f = open_file(g, "a", VFS_WRITE | VFS_TRUNCATE);
    assert_int_equal(file_size(f, &size), 0);
    assert_int_equal(size, 0);
    file_unref(f);
    f = open_file(g, "a", VFS_READ);
    assert_int_equal(file_pwrite(f, "x", 1, 0), E_IO);
    file_unref(f);
}

/* A directory is no file, and a file no directory. */
static void directories_are_no_files(void **state)
{
    struct ground *g = *state;
    struct file *f;
    struct vfs_stat st;

    put_text(g, "file", "x");
    assert_int_equal(vfs_mkdir(g->vfs, at(g, "dir")), 0);
    assert_int_equal(vfs_open(g->vfs, at(g, "dir"), VFS_READ, &f), E_ISDIR);
    assert_int_equal(vfs_open(g->vfs, at(g, "dir"), VFS_WRITE, &f), E_ISDIR);
    assert_int_equal(vfs_unlink(g->vfs, at(g, "dir")), E_ISDIR);
    assert_int_equal(vfs_rmdir(g->vfs, at(g, "file")), E_ISDIR);
    assert_int_equal(vfs_mkdir(g->vfs, at(g, "dir")), E_EXIST);
    assert_int_equal(vfs_mkdir(g->vfs, at(g, "file")), E_EXIST);
    assert_int_equal(vfs_mkdir(g->vfs, at(g, "no/dir")), E_NOENT);
    assert_int_equal(vfs_stat(g->vfs, at(g, "file/x"), &st), E_ISDIR);
    assert_int_equal(vfs_sync_dir(g->vfs, at(g, "file")), E_ISDIR);
    assert_int_equal(vfs_stat(g->vfs, at(g, "dir"), &st), 0);
    assert_true(st.is_dir);
    assert_int_equal(vfs_stat(g->vfs, at(g, "file"), &st), 0);
    assert_false(st.is_dir);
    assert_int_equal(st.size_bytes, 1);
}

/* An open file outlives its name, and a new one of that name is another. */
static void open_file_survives_unlink(void **state)
{
    struct ground *g = *state;
    struct file *f = create(g, "a");
    char text[3];

    assert_int_equal(file_pwrite(f, "old", 3, 0), 0);
    assert_int_equal(vfs_unlink(g->vfs, at(g, "a")), 0);
    assert_int_equal(vfs_unlink(g->vfs, at(g, "a")), E_NOENT);
    assert_false(is_there(g, "a"));
    put_text(g, "a", "new");
    assert_int_equal(file_pread_full(f, text, 3, 0), 0);
    assert_memory_equal(text, "old", 3);
    assert_int_equal(file_pwrite(f, "OLD", 3, 0), 0);
    expect_text(g, "a", "new");
    file_unref(f);
}

/* A file lives as long as its last reference. */
static void last_reference_closes(void **state)
{
    struct file *f = create(*state, "a");

    assert_ptr_equal(file_ref(f), f);
    file_unref(f);
    assert_int_equal(file_pwrite(f, "abc", 3, 0), 0);
    file_unref(f);
    file_unref(NULL);
}

/* Renaming a file replaces the one of that name, whose readers keep it. */
static void rename_replaces_a_file(void **state)
{
    struct ground *g = *state;
    struct file *f;
    char text[3];

    put_text(g, "from", "new");
    put_text(g, "to", "old");
    f = open_file(g, "to", VFS_READ);
    assert_int_equal(vfs_rename(g->vfs, at(g, "from"), at(g, "to")), 0);
    assert_false(is_there(g, "from"));
    expect_text(g, "to", "new");
    assert_int_equal(file_pread_full(f, text, 3, 0), 0);
    assert_memory_equal(text, "old", 3);
    file_unref(f);
    assert_int_equal(vfs_rename(g->vfs, at(g, "to"), at(g, "to")), 0);
    expect_text(g, "to", "new");
    assert_int_equal(vfs_rename(g->vfs, at(g, "from"), at(g, "to")), E_NOENT);
    assert_int_equal(vfs_rename(g->vfs, at(g, "to"), at(g, "no/to")), E_NOENT);
}

/* Renaming a directory takes along what is in it, also open files. */
static void rename_moves_a_directory(void **state)
{
    struct ground *g = *state;
    struct file *f;

    assert_int_equal(vfs_mkdir(g->vfs, at(g, "orders-0")), 0);
    assert_int_equal(vfs_mkdir(g->vfs, at(g, "orders-0/sub")), 0);
    put_text(g, "orders-0/sub/log", "abc");
    f = open_file(g, "orders-0/sub/log", VFS_WRITE);
    assert_int_equal(vfs_rename(g->vfs, at(g, "orders-0"), at(g, "orders-0.delete")), 0);
    assert_false(is_there(g, "orders-0"));
    assert_int_equal(file_pwrite(f, "xyz", 3, 0), 0);
    file_unref(f);
    expect_text(g, "orders-0.delete/sub/log", "xyz");
    assert_int_equal(vfs_mkdir(g->vfs, at(g, "orders-0")), 0);
    assert_int_equal(vfs_rename(g->vfs, at(g, "orders-0"), at(g, "orders-0.delete")), E_NOTEMPTY);
    assert_int_equal(vfs_rename(g->vfs, at(g, "orders-0.delete"), at(g, "orders-0")), 0);
    expect_text(g, "orders-0/sub/log", "xyz");
}

/* No directory ends up inside itself, or in the place of a file, or the reverse. */
static void impossible_renames_change_nothing(void **state)
{
    struct ground *g = *state;

    assert_int_equal(vfs_mkdir(g->vfs, at(g, "dir")), 0);
    assert_int_equal(vfs_mkdir(g->vfs, at(g, "dir/sub")), 0);
    put_text(g, "file", "x");
    assert_int_equal(vfs_rename(g->vfs, at(g, "dir"), at(g, "dir/sub/dir")), E_IO);
    assert_int_equal(vfs_rename(g->vfs, at(g, "dir"), at(g, "file")), E_ISDIR);
    assert_int_equal(vfs_rename(g->vfs, at(g, "file"), at(g, "dir/sub")), E_ISDIR);
    assert_true(is_there(g, "dir/sub"));
    expect_text(g, "file", "x");
}

struct seen {
    int n_files, n_dirs, n_before_stop;
    char names[256];
};

static int see(void *arg, const char *name, bool is_dir)
{
    struct seen *seen = arg;

    seen->n_files += !is_dir;
    seen->n_dirs += is_dir;
    snprintf(seen->names + strlen(seen->names), sizeof(seen->names) - strlen(seen->names), "<%s>",
             name);
    return seen->n_before_stop && seen->n_files + seen->n_dirs == seen->n_before_stop ? 77 : 0;
}

/* A listing has every entry once, and stops with what its callback says. */
static void list_has_every_entry_once(void **state)
{
    struct ground *g = *state;
    struct seen seen = {0}, stopped = {.n_before_stop = 2};

    put_text(g, "a", "");
    put_text(g, "b", "");
    assert_int_equal(vfs_mkdir(g->vfs, at(g, "c")), 0);
    put_text(g, "c/hidden", "");
    assert_int_equal(vfs_list(g->vfs, g->root, see, &seen), 0);
    assert_int_equal(seen.n_files, 2);
    assert_int_equal(seen.n_dirs, 1);
    assert_non_null(strstr(seen.names, "<a>"));
    assert_non_null(strstr(seen.names, "<b>"));
    assert_non_null(strstr(seen.names, "<c>"));
    assert_int_equal(strlen(seen.names), 9);
    assert_int_equal(vfs_list(g->vfs, g->root, see, &stopped), 77);
    assert_int_equal(stopped.n_files + stopped.n_dirs, 2);
    assert_int_equal(vfs_list(g->vfs, at(g, "no"), see, &seen), E_NOENT);
    assert_int_equal(vfs_list(g->vfs, at(g, "a"), see, &seen), E_ISDIR);
}

/* All parents are made; being there is fine; a file in the way is told by its name. */
static void mkdirs_makes_all_parents(void **state)
{
    struct ground *g = *state;
    struct errmsg msg = {""};

    assert_int_equal(vfs_mkdirs(g->vfs, at(g, "a/b//c/"), &msg), 0);
    assert_true(is_there(g, "a/b/c"));
    assert_int_equal(vfs_mkdirs(g->vfs, at(g, "a/b/c"), NULL), 0);
    put_text(g, "a/file", "x");
    assert_string_equal(msg.text, "");
    assert_int_equal(vfs_mkdirs(g->vfs, at(g, "a/file/d"), &msg), E_ISDIR);
    assert_non_null(strstr(msg.text, "a/file: "));
    assert_int_equal(vfs_mkdirs(g->vfs, at(g, "a/file"), &msg), E_ISDIR);
}

/* Replacing leaves the new content under the name and nothing aside. */
static void replace_leaves_only_the_new_content(void **state)
{
    struct ground *g = *state;

    assert_int_equal(vfs_replace(g->vfs, at(g, "checkpoint"), "one", 3), 0);
    expect_text(g, "checkpoint", "one");
    assert_int_equal(vfs_replace(g->vfs, at(g, "checkpoint"), "longer", 6), 0);
    expect_text(g, "checkpoint", "longer");
    put_text(g, "checkpoint.tmp", "left over from a crash, and long");
    assert_int_equal(vfs_replace(g->vfs, at(g, "checkpoint"), "", 0), 0);
    expect_text(g, "checkpoint", "");
    assert_false(is_there(g, "checkpoint.tmp"));
}

/* What cannot be put in place is taken away again. */
static void failed_replace_leaves_nothing_aside(void **state)
{
    struct ground *g = *state;

    assert_int_equal(vfs_mkdir(g->vfs, at(g, "dir")), 0);
    assert_int_equal(vfs_replace(g->vfs, at(g, "dir"), "x", 1), E_ISDIR);
    assert_false(is_there(g, "dir.tmp"));
    assert_int_equal(vfs_replace(g->vfs, at(g, "no/file"), "x", 1), E_NOENT);
}

/* Reading a whole file stops at the limit, appends, and leaves the buffer alone on an error. */
static void read_all_has_a_limit(void **state)
{
    struct ground *g = *state;
    struct buf b;

    buf_init(&b);
    put_text(g, "a", "12345");
    assert_int_equal(vfs_read_all(g->vfs, at(g, "a"), 4, &b), E_LIMIT);
    assert_int_equal(vfs_read_all(g->vfs, at(g, "no"), 4, &b), E_NOENT);
    assert_int_equal(b.n, 0);
    assert_int_equal(vfs_read_all(g->vfs, at(g, "a"), 5, &b), 0);
    assert_int_equal(vfs_read_all(g->vfs, at(g, "a"), 5, &b), 0);
    assert_string_equal(buf_cstr(&b), "1234512345");
    buf_release(&b);
}

/* A tree goes with all that is in it; what is not there is gone already. */
static void remove_tree_removes_all(void **state)
{
    struct ground *g = *state;

    assert_int_equal(vfs_mkdirs(g->vfs, at(g, "t/a/b/c"), NULL), 0);
    assert_int_equal(vfs_mkdirs(g->vfs, at(g, "t/d"), NULL), 0);
    for (int i = 0; i < 30; i++) {
        char name[32];

        snprintf(name, sizeof(name), "t/a/%s%d", i % 2 ? "b/" : "", i);
        put_text(g, name, "x");
    }
    put_text(g, "beside", "x");
    assert_int_equal(vfs_remove_tree(g->vfs, at(g, "t")), 0);
    assert_false(is_there(g, "t"));
    assert_true(is_there(g, "beside"));
    assert_int_equal(vfs_remove_tree(g->vfs, at(g, "t")), 0);
    assert_int_equal(vfs_remove_tree(g->vfs, at(g, "beside")), 0);
    assert_false(is_there(g, "beside"));
}

/* Only an empty directory can be removed. */
static void rmdir_wants_an_empty_directory(void **state)
{
    struct ground *g = *state;

    assert_int_equal(vfs_mkdirs(g->vfs, at(g, "a/b"), NULL), 0);
    assert_int_equal(vfs_rmdir(g->vfs, at(g, "a")), E_NOTEMPTY);
    assert_int_equal(vfs_rmdir(g->vfs, at(g, "a/b")), 0);
    assert_int_equal(vfs_rmdir(g->vfs, at(g, "a")), 0);
    assert_int_equal(vfs_rmdir(g->vfs, at(g, "a")), E_NOENT);
}

/* The time of a file is what it is set to, to the millisecond, also before 1970. */
static void mtime_is_kept(void **state)
{
    static const int64_t times_ms[] = {1234567890123, 0, 999, -1, -1000, -1001};
    struct ground *g = *state;
    struct file *f = create(g, "a");
    struct vfs_stat st;

    for (size_t i = 0; i < ARRAY_SIZE(times_ms); i++) {
        assert_int_equal(file_set_mtime(f, (struct wall){times_ms[i]}), 0);
        assert_int_equal(vfs_stat(g->vfs, at(g, "a"), &st), 0);
        assert_true(st.mtime.ms == times_ms[i]);
    }
    file_unref(f);
}

/* A second open of a locked file cannot lock it, in the same process either; closing gives the lock
 * back. */
static void lock_is_exclusive_in_the_process(void **state)
{
    struct ground *g = *state;
    struct file *a = create(g, ".lock");
    struct file *b = create(g, ".lock");

    assert_int_equal(file_lock(a), 0);
    assert_int_equal(file_lock(a), 0);
    assert_int_equal(file_lock(b), E_LOCKED);
    file_unref(b);
    b = create(g, ".lock");
    assert_int_equal(file_lock(b), E_LOCKED);
    file_unref(a);
    assert_int_equal(file_lock(b), 0);
    file_unref(b);
}

/* Space is told for any path that is there, and names can be made durable. */
static void space_and_sync_need_a_path_that_is_there(void **state)
{
    struct ground *g = *state;
    struct vfs_space space = {0};

    assert_int_equal(vfs_space(g->vfs, g->root, &space), 0);
    assert_true(space.total_bytes > 0);
    assert_int_equal(vfs_space(g->vfs, at(g, "no"), &space), E_NOENT);
    assert_int_equal(vfs_sync_dir(g->vfs, g->root), 0);
    assert_int_equal(vfs_sync_dir(g->vfs, at(g, "no")), E_NOENT);
    assert_int_equal(vfs_sync_all(g->vfs, g->root), 0);
    assert_int_equal(vfs_sync_all(g->vfs, at(g, "no")), E_NOENT);
    assert_int_equal(vfs_watch(g->vfs, g->root), 0);
    assert_int_equal(vfs_watch(g->vfs, g->root), 0);
    assert_int_equal(vfs_sync_all(g->vfs, g->root), 0);
}

#define ON_BOTH(test)                                                                              \
    {#test " (posix)", test, setup_posix, teardown, NULL},                                         \
    {                                                                                              \
#test " (memory)", test, setup_memory, teardown, NULL                                      \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(reads_what_was_written),
        ON_BOTH(many_pieces_are_one_write),
        ON_BOTH(holes_and_cuts_are_zero),
        ON_BOTH(reserve_sync_and_drop_leave_the_content),
        ON_BOTH(open_follows_its_flags),
        ON_BOTH(directories_are_no_files),
        ON_BOTH(open_file_survives_unlink),
        ON_BOTH(last_reference_closes),
        ON_BOTH(rename_replaces_a_file),
        ON_BOTH(rename_moves_a_directory),
        ON_BOTH(impossible_renames_change_nothing),
        ON_BOTH(list_has_every_entry_once),
        ON_BOTH(mkdirs_makes_all_parents),
        ON_BOTH(replace_leaves_only_the_new_content),
        ON_BOTH(failed_replace_leaves_nothing_aside),
        ON_BOTH(read_all_has_a_limit),
        ON_BOTH(remove_tree_removes_all),
        ON_BOTH(rmdir_wants_an_empty_directory),
        ON_BOTH(mtime_is_kept),
        ON_BOTH(lock_is_exclusive_in_the_process),
        ON_BOTH(space_and_sync_need_a_path_that_is_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
