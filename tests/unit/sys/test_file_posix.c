/* What only the operating system's files do: descriptors, locks between processes, short writes. */
#include "sys.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct ground {
    struct vfs *vfs;
    char root[64], path[80];
};

static int setup(void **state)
{
    struct ground *g = xcalloc(1, sizeof(*g));

    g->vfs = vfs_posix_new();
    snprintf(g->root, sizeof(g->root), "/tmp/barnabas-posix-XXXXXX");
    assert_non_null(mkdtemp(g->root));
    snprintf(g->path, sizeof(g->path), "%s/a", g->root);
    *state = g;
    return 0;
}

static int teardown(void **state)
{
    struct ground *g = *state;

    assert_int_equal(vfs_remove_tree(g->vfs, g->root), 0);
    vfs_posix_free(g->vfs);
    free(g);
    return 0;
}

static struct file *create(struct ground *g)
{
    struct file *f;

    assert_int_equal(vfs_open(g->vfs, g->path, VFS_WRITE | VFS_CREATE, &f), 0);
    return f;
}

/* Runs fn in a child; what it returns is the child's exit code. */
static int in_child(int (*fn)(struct ground *g), struct ground *g)
{
    pid_t child = fork();
    int status;

    assert_true(child >= 0);
    if (child == 0)
        _exit(fn(g));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* As Java's FileChannel.tryLock does it: a POSIX lock of the whole file. */
static int classic_lock_is_refused(struct ground *g)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open(g->path, O_RDWR);

    return fd >= 0 && fcntl(fd, F_SETLK, &lock) < 0 ? 0 : 1;
}

static int our_lock_is_refused(struct ground *g)
{
    struct file *f;

    if (vfs_open(g->vfs, g->path, VFS_WRITE, &f) < 0)
        return 1;
    return file_lock(f) == E_LOCKED ? 0 : 2;
}

/* Another process sees our lock, whether it takes ours or the one that Java takes. */
static void other_processes_see_the_lock(void **state)
{
    struct ground *g = *state;
    struct file *f = create(g);

    assert_int_equal(file_lock(f), 0);
    assert_int_equal(in_child(classic_lock_is_refused, g), 0);
    assert_int_equal(in_child(our_lock_is_refused, g), 0);
    file_unref(f);
    assert_int_equal(in_child(classic_lock_is_refused, g), 1);
}

static int write_past_the_file_limit(struct ground *g)
{
    struct rlimit limit = {1000, 1000};
    static char bytes[1500];
    struct piece pieces[2] = {{bytes, 700}, {bytes + 700, 800}};
    struct file *f;
    uint64_t size = 0;

    signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &limit) < 0 || vfs_open(g->vfs, g->path, VFS_WRITE, &f) < 0)
        return 1;
    if (file_pwritev(f, pieces, 2, 0) != E_NOSPC)
        return 2;
    return file_size(f, &size) == 0 && size == 1000 ? 0 : 3;
}

/* A short write is continued, and what stops it is told: here at the limit of a file's size, in the
 * second piece. */
static void short_write_goes_on_until_the_error(void **state)
{
    struct ground *g = *state;

    file_unref(create(g));
    assert_int_equal(in_child(write_past_the_file_limit, g), 0);
}

/* The descriptor is the file's, is not inherited, and is closed with the last reference. */
static void descriptor_lives_with_the_references(void **state)
{
    struct file *f = create(*state);
    int fd = file_fd(f);

    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    file_ref(f);
    file_unref(f);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    file_unref(f);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
}

/* What was just written is warm, at every length and past the end. */
static void written_pages_are_warm(void **state)
{
    struct file *f = create(*state);
    static char bytes[50000];

    assert_int_equal(file_pwrite(f, bytes, sizeof(bytes), 0), 0);
    assert_true(file_is_warm(f, 0, 1));
    assert_true(file_is_warm(f, 4000, 4097));
    assert_true(file_is_warm(f, 0, sizeof(bytes)));
    assert_true(file_is_warm(f, 40000, 100000));
    assert_true(file_is_warm(f, 0, 0));
    file_unref(f);
}

static bool is_cold(struct file *f, uint64_t from, uint64_t until)
{
    for (uint64_t at = from; at < until; at += 4096) {
        if (file_is_warm(f, at, 1))
            return false;
    }
    return true;
}

/* Dropping the cache from a place on leaves nothing behind it, though the kernel keeps a large write in one piece that begins before,
 * and what is dirty: after a failed sync those pages may hold what the disk never got. */
static void dropped_pages_are_gone(void **state)
{
    struct file *f = create(*state);
    static char bytes[1 << 20];

    assert_int_equal(file_pwrite(f, bytes, sizeof(bytes), 0), 0);
    assert_int_equal(file_datasync(f), 0);
    assert_int_equal(file_drop_cache(f, 0), 0);
    if (file_is_warm(f, 0, 1)) /* a file system in memory */
        skip();
    assert_int_equal(file_pwrite(f, bytes, sizeof(bytes), 0), 0);
    assert_int_equal(file_datasync(f), 0);
    assert_int_equal(file_pwrite(f, bytes, 100, 900000), 0); /* a dirty page in its midst */
    for (int i = 0; i < 100 && !is_cold(f, 70000, sizeof(bytes)); i++) /* the kernel leaves a page that somebody holds just then */
        assert_int_equal(file_drop_cache(f, 70000), 0);
    assert_true(is_cold(f, 70000, sizeof(bytes)));
    file_unref(f);
}

/* A link to a directory is removed with the tree that holds it; what it points to stays. */
static void remove_tree_does_not_follow_links(void **state)
{
    struct ground *g = *state;
    char *inside = xasprintf("%s/tree/link", g->root);
    char *tree = xasprintf("%s/tree", g->root);
    char *outside = xasprintf("%s/outside", g->root);
    char *kept = xasprintf("%s/outside/kept", g->root);
    struct vfs_stat st;

    assert_int_equal(vfs_mkdir(g->vfs, tree), 0);
    assert_int_equal(vfs_mkdir(g->vfs, outside), 0);
    assert_int_equal(vfs_replace(g->vfs, kept, "x", 1), 0);
    assert_int_equal(symlink(outside, inside), 0);
    assert_int_equal(vfs_remove_tree(g->vfs, tree), 0);
    assert_int_equal(vfs_stat(g->vfs, tree, &st), E_NOENT);
    assert_int_equal(vfs_stat(g->vfs, kept, &st), 0);
    free(inside);
    free(tree);
    free(outside);
    free(kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(other_processes_see_the_lock, setup, teardown),
        cmocka_unit_test_setup_teardown(short_write_goes_on_until_the_error, setup, teardown),
        cmocka_unit_test_setup_teardown(descriptor_lives_with_the_references, setup, teardown),
        cmocka_unit_test_setup_teardown(written_pages_are_warm, setup, teardown),
        cmocka_unit_test_setup_teardown(dropped_pages_are_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(remove_tree_does_not_follow_links, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
