/* Deleting: a log out of memory at once, its directory by name at once, its bytes later.
 *
 * Owner: core thread; the unlinking runs on the flush lane.
 *
 * Happy path: log_delete -> log_detach (waits are canceled, queued bytes dropped) -> rename to
 *             "<topic>-<p>.<32 hex>-delete" -> after file.delete.delay.ms, in the first turn at the
 *             earliest, a job removes the tree. A start submits nothing to a lane, so that one that
 *             fails has nothing to wait for.
 * Invariant:  a name that ends with "-delete" belongs to nobody; whatever carries it at a start is
 *             removed. The rename is not synced: who deletes a topic has said so durably in the
 *             metadata log before, and a directory that comes back after a power cut has a topic id
 *             that no topic has.
 * Failures:   a directory that can not be renamed takes the log directory offline (E_NOSPC: the
 *             directory's own name would not fit; it is emptied in place). What can not be unlinked
 *             is said once and left to the next start.
 */
#include "directory.h"

#define REMOVAL_MAGIC 0x52454d56u

struct removal {
    uint32_t magic;
    struct log_dir *d;
    char *path;
    struct list link; /* d->removals */
    struct timer timer;
    struct job job;
    struct vfs *vfs;
    bool running;
    int rc;
};

static void removal_free(struct removal *r)
{
    ASSERT(r->magic == REMOVAL_MAGIC);
    timer_cancel(&r->d->m->env->timers, &r->timer);
    list_remove(&r->link);
    r->magic = 0;
    free(r->path);
    free(r);
}

static int remove_path(struct vfs *v, const char *path)
{
    struct vfs_stat st;
    int rc = vfs_stat(v, path, &st);

    if (rc == E_NOENT)
        return 0;
    if (rc < 0)
        return rc;
    return st.is_dir ? vfs_remove_tree(v, path) : vfs_unlink(v, path);
}

static void remove_work(struct job *j)
{
    struct removal *r = CONTAINER_OF(j, struct removal, job);

    ASSERT_LANE();
    r->rc = remove_path(r->vfs, r->path);
}

static void remove_done(struct job *j)
{
    struct removal *r = CONTAINER_OF(j, struct removal, job);

    ASSERT_CORE();
    if (r->rc < 0)
        diag_warn("%s can not be removed: %s", r->path, err_text(r->rc));
    removal_free(r);
}

static void remove_fire(struct timer *t)
{
    struct removal *r = CONTAINER_OF(t, struct removal, timer);

    ASSERT(!r->running);
    r->running = true;
    lane_submit(&r->d->flush_lane, &r->job, remove_work, remove_done);
}

void remove_later(struct log_dir *d, const char *path, int64_t delay_ms)
{
    struct removal *r = xcalloc(1, sizeof(*r));
    struct env *env = d->m->env;

    ASSERT_CORE();
    ASSERT(delay_ms >= 0);
    r->magic = REMOVAL_MAGIC;
    r->d = d;
    r->vfs = env->vfs;
    r->path = xstrdup(path);
    list_init(&r->link);
    list_push(&d->removals, &r->link);
    timer_init(&r->timer, remove_fire);
    timer_set(&env->timers, &r->timer, mono_after_ms(clock_mono(env->clock), delay_ms));
}

bool remove_idle(const struct log_dir *d)
{
    LIST_FOREACH(it, &d->removals)
    {
        if (CONTAINER_OF(it, struct removal, link)->running)
            return false;
    }
    return true;
}

void remove_release(struct log_dir *d)
{
    struct list *first;

    ASSERT(remove_idle(d));
    while ((first = list_first(&d->removals)))
        removal_free(CONTAINER_OF(first, struct removal, link));
}

void dir_set_aside(struct log_dir *d, const char *path, const char *name_key, size_t topic_bytes, int64_t delay_ms)
{
    struct vfs *v = d->m->env->vfs;
    char name[DIR_NAME_MAX + 1];
    char aside[DIR_PATH_MAX];
    int rc;

    dir_aside_name(&d->m->env->rng, name_key, topic_bytes, DIR_DELETE_SUFFIX, name);
    dir_file_path(d, name, aside);
    rc = vfs_rename(v, path, aside);
    if (rc == 0) {
        remove_later(d, aside, delay_ms);
        return;
    }
    if (rc == E_NOSPC)
        rc = vfs_remove_tree(v, path);
    if (rc < 0 && rc != E_NOENT)
        (void)dir_fail(d, "rename", path, rc); /* sticky: what follows asks d->offline */
}

void log_delete(struct log *l)
{
    struct log_dir *d = l->dir;
    struct dir_entry *e = l->entry;
    char *path = xstrdup(l->path);
    int64_t delay_ms = l->config.file_delete_delay_ms;
    char name_key[DIR_NAME_MAX + 1];
    size_t topic_bytes = e->topic_bytes;

    ASSERT_CORE();
    ASSERT(l->magic == LOG_MAGIC);
    ASSERT(e->log == l);
    ASSERT(strlen(e->name_key) <= DIR_NAME_MAX);
    memcpy(name_key, e->name_key, strlen(e->name_key) + 1);
    move_log_deleted(l);
    log_detach(l);
    log_free(l);
    dir_entry_remove(d, e);
    checkpoint_note(d, CHECKPOINT_RECOVERY);
    dir_set_aside(d, path, name_key, topic_bytes, delay_ms);
    free(path);
}

void log_set_file_aside(struct log *l, const char *name)
{
    struct log_dir *d = l->dir;
    char *from = xasprintf("%s/%s", l->path, name), *to = xasprintf("%s.deleted", from);
    int rc = E_OFFLINE;

    ASSERT_CORE();
    ASSERT(l->magic == LOG_MAGIC);
    if (!d->offline)
        rc = vfs_rename(d->m->env->vfs, from, to);
    if (rc == 0)
        remove_later(d, to, l->config.file_delete_delay_ms);
    else if (rc == E_NOSPC)
        rc = vfs_unlink(d->m->env->vfs, from);
    if (rc < 0 && rc != E_NOENT)
        (void)dir_fail(d, "rename", from, rc); /* sticky */
    free(from);
    free(to);
}
