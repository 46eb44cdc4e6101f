/* log_load: what a partition's files say, put together.
 *
 * Owner: struct log, core thread. See load.c for the directory, recover.c for doubt.
 *
 * Happy path: a clean directory: list, stat, the end of the active segment, epochs, the newest
 *             snapshot.
 * Invariant:  as in load.c.
 * Failures:   E_* with a message; the caller frees what is there.
 */
#include "segment.h"

static int make_directory(struct log *l, struct errmsg *msg)
{
    int rc = vfs_mkdir(l->m->env->vfs, l->path);

    if (rc < 0 && rc != E_EXIST) {
        errmsg_set(msg, "directory %s: %s", l->path, err_text(rc));
        return rc;
    }
    l->dir_is_new = true;
    l->names_are_new = true;
    return 0;
}

static int make_first_segment(struct log *l, int64_t base_offset, struct errmsg *msg)
{
    struct segment *s;
    int rc = segment_create(l, base_offset, &s);

    if (rc < 0) {
        errmsg_set(msg, "segment %lld: %s", (long long)base_offset, err_text(rc));
        return rc;
    }
    log_segments_insert(l, s);
    l->names_are_new = true;
    return 0;
}

static void remove_files(struct log *l, int64_t base_offset)
{
    static const char *const suffixes[] = {".log", ".index", ".timeindex", ".txnindex",
                                           ".snapshot"};
    char path[SEGMENT_PATH_MAX];

    for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++)
        (void)vfs_unlink(l->m->env->vfs, log_file_path(l, base_offset, suffixes[i], path));
}

int log_restart_at(struct log *l, int64_t offset)
{
    struct errmsg msg;

    for (int i = 0; i < l->n_segments; i++) {
        int64_t base_offset = l->segments[i]->base_offset;

        segment_free(l->segments[i]);
        remove_files(l, base_offset);
    }
    l->n_segments = 0;
    l->size_bytes = 0;
    l->start_offset = offset;
    l->end_offset = offset;
    l->first_dirty_offset = -1;
    l->recovery_point = offset;
    l->indexed_point = offset;
    producers_clear(l->producers);
    epochs_truncate_end(l->epochs, offset);
    places_forget(l);
    return make_first_segment(l, offset, &msg);
}

/* ---- epochs --------------------------------------------------------------------------------- */

static int replay_epoch(void *arg, struct segment *s, const struct batch *b, uint64_t position)
{
    struct epochs *e = arg;

    epochs_assign(e, b->leader_epoch, b->base_offset);
    return 0;
}

int epochs_replay(struct log *l, int64_t from, int64_t to)
{
    return log_walk(l, from, to, replay_epoch, l->epochs);
}

/* A file that is torn or missing is built anew from the batches. */
static int load_epochs(struct log *l)
{
    int rc = epochs_load(l);

    if (rc == 0 && (l->epochs->n > 0 || l->end_offset == l->segments[0]->base_offset))
        return 0;
    if (rc < 0 && rc != E_CORRUPT)
        return rc;
    MARK(epochs_rebuilt);
    return epochs_replay(l, l->segments[0]->base_offset, l->end_offset);
}

/* ---- the two ways --------------------------------------------------------------------------- */

/* A clean stop, and headers that do not lead to the end: where the checkpoint says what was there, the
 * damage is passed over. Bytes past it belong to nobody: E_CORRUPT. */
static int load_with_rot(struct log *l, int64_t recovery_point)
{
    struct segment *s = log_active(l);
    int64_t end_offset;
    int rc;

    MARK(load_with_rot);
    index_release(&s->offsets);
    index_release(&s->times);
    l->bears_rot = true;
    l->end_offset = recovery_point; /* as far as the damage may reach */
    rc = segment_load(s, &end_offset);
    if (rc == 0) {
        l->end_offset = end_offset;
        return 0;
    }
    l->bears_rot = false;
    rot_forget(s);
    index_release(&s->offsets);
    index_release(&s->times);
    return rc;
}

static int load_clean(struct log *l, int64_t recovery_point, struct errmsg *msg)
{
    struct segment *s = log_active(l);
    int rc = segment_load(s, &l->end_offset);

    if ((rc == E_CORRUPT || rc == E_EOF) && recovery_point > s->base_offset)
        rc = load_with_rot(l, recovery_point);
    if (rc == E_CORRUPT || rc == E_EOF) {
        diag_error("%s-%d: the stop was clean, but segment %lld is not whole: looking at all of it",
                   l->topic, l->partition, (long long)s->base_offset);
        /* Where the checkpoint is there, it knows what was flushed: none of that is cut. */
        l->recovery_point = MAX(recovery_point, s->base_offset);
        return log_recover(l, false, msg);
    }
    if (rc == 0)
        rc = load_epochs(l);
    if (rc == 0)
        rc = snapshot_load(l, l->end_offset);
    if (rc == 0)
        l->recovery_point = l->indexed_point = l->end_offset;
    else
        errmsg_set(msg, "segment %lld: %s", (long long)s->base_offset, err_text(rc));
    return rc;
}

static int load_unclean(struct log *l, int64_t recovery_point, struct errmsg *msg)
{
    int rc = epochs_load(l);

    l->recovery_point = MAX(recovery_point, l->segments[0]->base_offset);
    /* Torn is as good as missing: rebuilt from the headers. Recovery must not begin before the noted recovery point: it
     * would make indexes anew there, and power may fail again before they are on the disk. */
    if (rc == E_CORRUPT) {
        l->epochs->changed = true;
        rc = 0;
    }
    if (rc < 0) {
        errmsg_set(msg, "leader epochs: %s", err_text(rc));
        return rc;
    }
    return log_recover(l, true, msg);
}

/* LogLoader: a log that ends before its start was moved to keeps nothing. */
static int settle_start(struct log *l, int64_t start_offset)
{
    l->start_offset = MAX(l->segments[0]->base_offset, start_offset);
    if (l->end_offset < l->start_offset) {
        diag_warn("%s-%d: ends at %lld, before its start offset %lld: it goes on there, empty",
                  l->topic, l->partition, (long long)l->end_offset, (long long)l->start_offset);
        return log_restart_at(l, l->start_offset);
    }
    epochs_truncate_end(l->epochs, l->end_offset);
    epochs_truncate_start(l->epochs, l->start_offset);
    return 0;
}

/* After an unclean stop, and no recovery point says that partition.metadata was synced. */
static bool nothing_noted(const struct log *l, int64_t recovery_point)
{
    return !l->dir->was_clean && l->n_segments > 0 &&
           recovery_point <= l->segments[0]->base_offset;
}

int log_load(struct log *l, bool create, struct errmsg *msg)
{
    int64_t recovery_point = checkpoint_recovery_point(l->m, l->dir, l->name_key);
    int64_t start_offset = checkpoint_start_offset(l->m, l->dir, l->name_key);
    int rc = 0;

    ASSERT(!l->epochs);
    l->first_dirty_offset = create ? -1 : checkpoint_cleaner_offset(l->m, l->dir, l->name_key);
    l->epochs = epochs_new();
    l->producers = producers_new();
    if (create)
        rc = make_directory(l, msg);
    if (rc == 0)
        rc = load_directory(l, msg);
    if (rc == 0)
        rc = metadata_check(l, nothing_noted(l, recovery_point), msg);
    if (rc == 0 && l->n_segments == 0)
        rc = make_first_segment(l, create ? 0 : MAX(0, start_offset), msg);
    if (rc == 0)
        rc = create || l->dir->was_clean ? load_clean(l, recovery_point, msg)
                                         : load_unclean(l, recovery_point, msg);
    if (rc == 0)
        rc = settle_start(l, create ? 0 : start_offset);
    if (rc == 0)
        rc = snapshot_remove_strays(l);
    if (rc < 0)
        return rc;
    if (l->names_are_new)
        commit_named(l);
    ASSERT(l->start_offset <= l->end_offset);
    ASSERT(l->recovery_point <= l->end_offset);
    return 0;
}
