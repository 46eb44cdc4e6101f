/* Indexes that were made anew from the headers reach their files in an order that a power cut cannot turn into a lie.
 *
 * Owner: the segment, core thread.
 *
 * Happy path: the offset index is cut, both are filled in memory -> the cut is synced -> the time index is written and synced ->
 *             the offset index is written and synced.
 * Invariant:  where the device has an offset entry that was made anew, it has all time entries before it: what is told of the
 *             largest timestamp (times.c, retention) rests on that. Nothing else does: recovery and loading take what there is of
 *             the offset index, and walk headers behind it.
 * Failures:   an index that cannot be written or synced stays where it is on its way, and holds indexed_point back; the next flush
 *             goes on. A process that ends first leaves an offset index that is short or empty, and the next one begins again.
 */
#include "internal.h"
#include "segment.h"

static const char *const synced_suffix[] = {
    [REMADE_CUT] = ".index",
    [REMADE_TIMES] = ".timeindex",
    [REMADE_OFFSETS] = ".index",
};

static void set_in_memory(struct segment *s, bool on)
{
    s->offsets.in_memory = on;
    s->times.in_memory = on;
}

void remake_begin(struct segment *s)
{
    s->remaking = REMADE_CUT;
    s->remade_listed = false;
    set_in_memory(s, true);
}

void remake_cancel(struct segment *s)
{
    s->remaking = REMADE_NONE;
    set_in_memory(s, false);
}

void remake_made(struct segment *s)
{
    ASSERT(s->remaking == REMADE_CUT);
    s->log->any_remade = true;
    commit_remade(s->log);
}

/* What may be written at this step. */
static int write_step(struct segment *s)
{
    if (s->remaking == REMADE_CUT)
        return 0;
    s->times.in_memory = false;
    if (s->remaking == REMADE_OFFSETS)
        s->offsets.in_memory = false;
    return segment_write_indexes(s);
}

static int step_done(struct segment *s)
{
    s->remaking = s->remaking == REMADE_OFFSETS ? REMADE_NONE : s->remaking + 1;
    s->remade_listed = false;
    return s->remaking == REMADE_NONE && s->sealed ? segment_finish(s) : 0;
}

bool remake_collect(struct log *l, struct flush_list *f)
{
    char path[SEGMENT_PATH_MAX];
    bool any = false;

    ASSERT_CORE();
    for (int i = 0; l->any_remade && i < l->n_segments; i++) {
        struct segment *s = l->segments[i];

        if (s->remaking == REMADE_NONE)
            continue;
        any = true;
        s->remade_listed = write_step(s) >= 0;
        if (s->remade_listed)
            flush_list_path(f, segment_path(s, synced_suffix[s->remaking], path));
    }
    l->any_remade = any;
    return any;
}

void remake_synced(struct log *l)
{
    bool goes_on = false;

    ASSERT_CORE();
    for (int i = 0; l->any_remade && i < l->n_segments; i++) {
        struct segment *s = l->segments[i];

        goes_on |= s->remade_listed;
        if (s->remade_listed && step_done(s) < 0)
            trace("indexes made anew are not finished", s->base_offset, 0); /* log_finish tries again */
    }
    if (goes_on) /* otherwise nothing could be written: at the next interval (flush_tick) */
        commit_remade(l);
}

/* Now, on this thread: the log is about to be closed. */
int remake_finish(struct segment *s)
{
    int rc = 0;

    while (rc == 0 && s->remaking != REMADE_NONE) {
        char path[SEGMENT_PATH_MAX];
        struct file *f;

        rc = MIN(write_step(s), 0);
        if (rc == 0)
            rc = vfs_open(s->log->m->env->vfs, segment_path(s, synced_suffix[s->remaking], path), VFS_READ, &f);
        if (rc == 0) {
            rc = file_datasync(f);
            file_unref(f);
        }
        if (rc == E_NOENT)
            rc = 0;
        if (rc == 0)
            rc = step_done(s);
    }
    return rc;
}
