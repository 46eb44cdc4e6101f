/* Removing a directory with all that is in it.
 *
 * Happy path: list the directory, unlink its files, note its directories -> list those ... -> rmdir
 *             all, the deepest (the last noted) first. Names are collected before the first unlink:
 *             a listing that changes underneath may skip entries. No recursion: the depth is the
 *             file system's, not ours.
 * Failures:   the first error ends it; what was removed stays removed, and calling again goes on.
 *             What is gone already is no error.
 */
#include "sys.h"

struct names {
    struct vfs *vfs;
    const char *dir;
    char **files, **dirs;
    size_t n_files, n_dirs;
};

static void names_put(char ***names, size_t *n, char *name)
{
    if ((*n & (*n - 1)) == 0)
        *names = xrealloc_array(*names, MAX(*n * 2, 1), sizeof(**names));
    (*names)[(*n)++] = name;
}

static int take_entry(void *arg, const char *name, bool is_dir)
{
    struct names *names = arg;
    char *path = xasprintf("%s/%s", names->dir, name);

    if (is_dir)
        names_put(&names->dirs, &names->n_dirs, path);
    else
        names_put(&names->files, &names->n_files, path);
    return 0;
}

static int or_gone(int rc)
{
    return rc == E_NOENT ? 0 : rc;
}

/* Empties one directory of its files; its directories go to the end of names->dirs. */
static int clear_dir(struct names *names, const char *dir)
{
    int rc;

    ASSERT(names->n_files == 0);
    names->dir = dir;
    rc = or_gone(vfs_list(names->vfs, dir, take_entry, names));
    while (names->n_files > 0) {
        char *path = names->files[--names->n_files];

        if (rc == 0)
            rc = or_gone(vfs_unlink(names->vfs, path));
        free(path);
    }
    free(names->files);
    names->files = NULL;
    return rc;
}

int vfs_remove_tree(struct vfs *v, const char *path)
{
    struct names names = {.vfs = v};
    struct vfs_stat st;
    int rc = vfs_stat(v, path, &st);

    if (rc < 0)
        return or_gone(rc);
    if (!st.is_dir)
        return or_gone(vfs_unlink(v, path));
    names_put(&names.dirs, &names.n_dirs, xstrdup(path));
    for (size_t i = 0; i < names.n_dirs && rc == 0; i++)
        rc = clear_dir(&names, names.dirs[i]);
    while (names.n_dirs > 0) {
        char *dir = names.dirs[--names.n_dirs];

        if (rc == 0)
            rc = or_gone(vfs_rmdir(v, dir));
        free(dir);
    }
    free(names.dirs);
    return rc;
}
