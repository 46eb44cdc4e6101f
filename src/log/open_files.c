/* Which .log files are open.
 *
 * Owner: struct logm (two lists, longest unused first), core thread.
 *
 * Happy path: segment_file opens at first use and moves the segment to the young end -> past the
 *             limits the oldest are closed.
 * Invariant:  a segment is in one of the lists exactly while its file is open: open_sealed, or
 *             open_active for the last of its log.
 * Failures:   E_MFILE and the like from the open. A file with bytes that no flush has covered is
 *             not closed: an error of its writeback would be told to nobody.
 */
#include "segment.h"

#define CLOSE_TRIES_MAX 8 /* looked at before giving up for this time */

static void lists_ready(struct logm *m)
{
    if (!m->open_sealed.next)
        list_init(&m->open_sealed);
    if (!m->open_active.next)
        list_init(&m->open_active);
}

static uint32_t *count_of(const struct segment *s)
{
    return s->sealed ? &s->log->m->n_open_sealed : &s->log->m->n_open_active;
}

static struct list *list_of(const struct segment *s)
{
    return s->sealed ? &s->log->m->open_sealed : &s->log->m->open_active;
}

void segment_close_file(struct segment *s)
{
    if (!s->file)
        return;
    ASSERT(*count_of(s) > 0);
    list_remove(&s->in_open);
    --*count_of(s);
    file_unref(s->file);
    s->file = NULL;
}

static bool may_close(const struct segment *s)
{
    return segment_end_offset(s) <= s->log->recovery_point;
}

static bool close_one(struct list *open, const struct segment *but)
{
    int tries = 0;

    LIST_FOREACH_SAFE(it, open)
    {
        struct segment *s = CONTAINER_OF(it, struct segment, in_open);

        if (s != but && may_close(s)) {
            segment_close_file(s);
            return true;
        }
        if (++tries == CLOSE_TRIES_MAX)
            break;
    }
    return false;
}

static void keep_limits(struct logm *m, const struct segment *but)
{
    if (m->n_open_sealed > LOG_OPEN_SEALED_MAX)
        close_one(&m->open_sealed, but);
    if (m->n_open_sealed + m->n_open_active > LOG_OPEN_FILES_MAX &&
        !close_one(&m->open_sealed, but))
        close_one(&m->open_active, but);
}

void segment_file_opened(struct segment *s)
{
    ASSERT(s->file);
    lists_ready(s->log->m);
    list_push(list_of(s), &s->in_open);
    ++*count_of(s);
    keep_limits(s->log->m, s);
}

static void set_sealed(struct segment *s, bool sealed)
{
    if (s->file) {
        list_remove(&s->in_open);
        --*count_of(s);
    }
    s->sealed = sealed;
    if (s->file)
        segment_file_opened(s);
}

void segment_set_sealed(struct segment *s)
{
    ASSERT(!s->sealed);
    set_sealed(s, true);
}

void segment_set_active(struct segment *s)
{
    set_sealed(s, false);
}

int segment_file(struct segment *s, struct file **out)
{
    char path[SEGMENT_PATH_MAX];
    int rc;

    ASSERT(s->magic == SEGMENT_MAGIC);
    if (s->file) {
        if (list_of(s)->prev != &s->in_open) {
            list_remove(&s->in_open);
            list_push(list_of(s), &s->in_open);
        }
        *out = s->file;
        return 0;
    }
    /* For writing even when sealed: recovery cuts and rewrites it. */
    rc = vfs_open(s->log->m->env->vfs, segment_path(s, ".log", path), VFS_WRITE, &s->file);
    if (rc < 0)
        return rc;
    segment_file_opened(s);
    *out = s->file;
    return 0;
}
