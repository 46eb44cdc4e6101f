/* Appending to a partition log.
 *
 * Owner: struct log, core thread. What makes it durable runs on the directory's lanes (commit.c).
 *
 * Happy path: validate -> the producer's sequence -> roll where due -> space -> assign offsets
 *             (patched in place) -> one pwrite -> indexes, producers, epochs -> commit_appended.
 * Invariant:  what is below end_offset is in the file, whole; everything after the write cannot
 *             fail, because all of it is derived.
 * Failures:   up to the write nothing has changed but the bytes handed in. A write that fails is
 *             cut back: E_NOSPC, and the log goes on when space returns; any other failure takes
 *             the directory offline (E_OFFLINE).
 */
#include "segment.h"

#include "metrics.h"

#define SNAPSHOT_EVERY_BYTES                                                                       \
    (64 * 1024 * 1024) /* a replay of producer state is never much longer */

/* ---- rolling -------------------------------------------------------------------------------- */

/* LogSegment.timeWaitedForRoll: by the records' own time where they have one. */
static int segment_age(struct segment *s, int64_t timestamp_ms, struct wall now, int64_t *age_ms)
{
    int64_t first_ms;
    int rc = segment_first_timestamp(s, &first_ms);

    if (rc == 0)
        *age_ms = first_ms >= 0 ? timestamp_ms - first_ms : now.ms - s->created.ms;
    return rc;
}

static bool indexes_full(const struct segment *s)
{
    uint64_t bytes = (uint64_t)s->log->config.segment_index_bytes;

    return index_count(&s->offsets) >= bytes / INDEX_OFFSET_ENTRY_BYTES ||
           index_count(&s->times) + 1 >= bytes / INDEX_TIME_ENTRY_BYTES;
}

/* LogConfig.maxSegmentMs: what may have to be compacted soon does not stay in the active segment. */
static int64_t segment_ms_max(const struct topic_config *c)
{
    bool bounded = (c->cleanup & CLEANUP_COMPACT) && c->max_compaction_lag_ms > 0;

    return bounded ? MIN(c->segment_ms, c->max_compaction_lag_ms) : c->segment_ms;
}

/* LogSegment.shouldRoll. */
static int must_roll(struct segment *s, const struct append_bytes *w, struct wall now, bool *roll)
{
    const struct topic_config *c = &s->log->config;
    int64_t last_offset = s->log->end_offset + w->n_offsets - 1, age_ms;
    int rc = 0;

    *roll = last_offset - s->base_offset > INT32_MAX;
    if (s->size_bytes == 0 || *roll)
        return 0;
    if (s->size_bytes + w->n_bytes > log_segment_bytes_max(s->log) || indexes_full(s)) {
        *roll = true;
        return 0;
    }
    rc = segment_age(s, w->max_timestamp_ms, now, &age_ms);
    if (rc == 0)
        *roll = age_ms > segment_ms_max(c) - s->jitter_ms;
    return rc;
}

/* The new file last: who finds it knows that the old segment is finished. Where something can not be
 * made, the old one goes on, with a time entry more. */
int log_roll(struct log *l, int64_t base_offset)
{
    struct segment *old = log_active(l), *s;
    int rc;

    ASSERT(base_offset > old->base_offset);
    ASSERT(base_offset == l->end_offset);
    rc = segment_finish(old);
    if (rc == 0)
        rc = snapshot_save(l, base_offset);
    if (rc == 0)
        rc = segment_create(l, base_offset, &s);
    if (rc < 0)
        return rc;
    log_segments_insert(l, s);
    l->names_are_new = true;
    commit_named(l);
    trace("log rolled", base_offset, l->n_segments);
    return 0;
}

static int roll_if_due(struct log *l, const struct append_bytes *w, struct wall now)
{
    bool roll = false;
    int rc = segment_need_indexes(log_active(l));

    if (rc == 0)
        rc = must_roll(log_active(l), w, now, &roll);
    return rc < 0 || !roll ? rc : log_roll(l, l->end_offset);
}

/* ---- producers ------------------------------------------------------------------------------ */

static void answer_duplicate(struct log_append *a, const struct producer_batch *d)
{
    MARK(append_duplicate);
    a->duplicate = true;
    a->base_offset = d->last_offset - d->offset_delta;
    a->last_offset = d->last_offset;
    a->append_time_ms = d->timestamp_ms;
}

/* What is behind a batch that found no space is not looked at: see append_in_turn. */
static void check_producers(struct log *l, struct log_append *a, const struct append_bytes *w)
{
    const struct producer_batch *duplicate;
    struct batch b = w->first;

    for (size_t at = 0; at < w->n_bytes; at += b.total_bytes) {
        if (at > 0) {
            int rc = batch_decode(w->p + at, &b);

            ASSERT(rc == 0);
        }
        if (a->origin == LOG_FROM_CLIENT &&
            held_check(l->producers, &b, clock_mono(l->m->env->clock)))
            return;
        a->error = producers_check(l->producers, l, &b, w->p + at, a, &duplicate, &a->reason);
        if (a->error)
            return;
        if (duplicate)
            answer_duplicate(a, duplicate);
    }
}

/* ---- the append ----------------------------------------------------------------------------- */

static void assign(const struct log *l, const struct log_append *a, const struct append_bytes *w)
{
    int64_t offset = l->end_offset;
    struct batch b;

    if (a->origin == LOG_FROM_RAFT)
        return;
    for (size_t at = 0; at < w->n_bytes; at += b.total_bytes) {
        int rc;

        batch_set_base_offset(w->p + at, offset);
        batch_set_leader_epoch(w->p + at, l->leader_epoch);
        rc = batch_decode(w->p + at, &b);
        ASSERT(rc == 0);
        offset += b.last_offset_delta + 1;
    }
    ASSERT(offset == l->end_offset + w->n_offsets);
}

static void account_batch(struct log *l, struct segment *s, const struct batch *b, const uint8_t *p,
                          uint64_t position, struct wall now)
{
    struct ended_txn ended;

    ASSERT(b->base_offset == l->end_offset);
    segment_index_batch(s, b, position);
    l->end_offset = batch_last_offset(b) + 1;
    if (producers_apply(l->producers, b, p, now, &ended))
        log_txn_ended(l, s, &ended);
    if (epochs_assign(l->epochs, b->leader_epoch, b->base_offset) && epochs_save(l) < 0)
        trace("leader epochs not saved", b->leader_epoch,
              b->base_offset); /* derived; log_finish tries again */
}

static void account(struct log *l, const struct append_bytes *w, uint64_t position)
{
    struct segment *s = log_active(l);
    struct wall now = clock_wall_later(l->m->env->clock);
    struct batch b;

    for (size_t at = 0; at < w->n_bytes; at += b.total_bytes) {
        int rc = batch_decode(w->p + at, &b);

        ASSERT(rc == 0);
        account_batch(l, s, &b, w->p + at, position + at, now);
        metric_add(l->m->env->metrics, M_log_append_batches_total, 1);
    }
    l->size_bytes += w->n_bytes;
    l->bytes_since_snapshot += w->n_bytes;
    metric_add(l->m->env->metrics, M_log_append_bytes_total, (int64_t)w->n_bytes);
    places_add_end(l, s);
    /* One that can not be written now is tried again after the next append. */
    if (l->bytes_since_snapshot > SNAPSHOT_EVERY_BYTES)
        (void)snapshot_save(l, l->end_offset);
}

/* Rolls, reserves, writes. */
static int put(struct log *l, const struct log_append *a, const struct append_bytes *w,
               struct wall now)
{
    int rc = l->metadata_is_missing ? metadata_make(l) : 0;

    if (rc == 0)
        rc = roll_if_due(l, w, now);
    if (rc == 0)
        rc = segment_reserve(log_active(l), w->n_bytes, a->origin != LOG_FROM_CLIENT);
    if (rc == 0) {
        assign(l, a, w);
        rc = segment_write(log_active(l), w->p, w->n_bytes);
    }
    return rc;
}

/* What a client's append of so many bytes finds too little. */
static void tell_full(struct log *l, const struct log_append *a, size_t n_bytes)
{
    uint64_t keep =
        a->origin == LOG_FROM_CLIENT ? (uint64_t)l->m->config->log_min_free_bytes : 0;
    struct vfs_space space;

    if (vfs_space(l->m->env->vfs, l->dir->path, &space) < 0 || space.free_bytes >= keep + n_bytes) {
        diag_error("%s: no space left for %zu bytes; records are refused until there is",
                   l->dir->path, n_bytes);
        return;
    }
    diag_error("%s: no space left: %llu bytes are free, %llu are missing (%zu to be written, %llu kept "
               "for offset commits and metadata: log.min.free.bytes); records are refused until there is",
               l->dir->path, (unsigned long long)space.free_bytes,
               (unsigned long long)(keep + n_bytes - space.free_bytes), n_bytes,
               (unsigned long long)keep);
}

static void tell_space(struct log *l, const struct log_append *a, size_t n_bytes, int rc)
{
    struct log_dir *d = l->dir;

    if (rc == E_NOSPC && !d->full)
        tell_full(l, a, n_bytes);
    if (rc == 0 && d->full)
        diag_info("%s: there is space again; records are taken", d->path);
    if (rc == E_NOSPC || rc == 0)
        d->full = rc == E_NOSPC;
}

/* What is neither done nor a lack of space: the state of the files is in doubt. */
static int fail(struct log *l, int rc)
{
    if (rc == E_NOSPC || rc == E_OFFLINE || rc == E_MFILE)
        return rc;
    return dir_fail(l->dir, "append", l->path, rc);
}

static int append(struct log *l, struct log_append *a, const struct append_bytes *w,
                  struct wall now)
{
    int64_t base_offset = l->end_offset;
    int rc = put(l, a, w, now);
    uint64_t position;

    tell_space(l, a, w->n_bytes, rc);
    if (rc < 0)
        return fail(l, rc);
    position = log_active(l)->size_bytes - w->n_bytes;
    account(l, w, position);
    ASSERT(l->end_offset == base_offset + w->n_offsets);
    a->base_offset = base_offset;
    a->last_offset = l->end_offset - 1;
    commit_appended(l, w->chunk, w->p, (uint32_t)w->n_bytes, log_active(l)->base_offset, position,
                    (int32_t)w->n_offsets);
    return 0;
}

/* A client's batch behind one that found no space waits for that one: it gets the same error. */
static int append_in_turn(struct log *l, struct log_append *a, const struct append_bytes *w,
                          struct wall now)
{
    struct mono at = clock_mono(l->m->env->clock);
    int rc;

    if (a->origin != LOG_FROM_CLIENT)
        return append(l, a, w, now);
    if (held_check(l->producers, &w->first, at)) {
        MARK(append_held);
        return E_NOSPC;
    }
    rc = append(l, a, w, now);
    if (rc == 0)
        held_written(l->producers, &w->first);
    else if (rc != E_OFFLINE)
        held_refused(l->producers, &w->first, at);
    return rc;
}

int log_append(struct log *l, struct log_append *a)
{
    struct wall now = clock_wall(l->m->env->clock);
    struct append_bytes w;
    int rc = 0;

    ASSERT_CORE();
    ASSERT(l->magic == LOG_MAGIC);
    a->error = KE_NONE;
    a->record_errors = NULL;
    a->n_record_errors = 0;
    a->base_offset = -1;
    a->last_offset = -1;
    a->append_time_ms = NO_TIMESTAMP;
    a->start_offset = l->start_offset;
    a->duplicate = false;
    if (l->dir->offline || l->deleted)
        return E_OFFLINE;
    validate_append(l, a, &w, now);
    if (!a->error)
        check_producers(l, a, &w);
    if (!a->error && !a->duplicate)
        rc = append_in_turn(l, a, &w, now);
    if (w.ours)
        chunk_unref(w.chunk);
    return rc;
}
