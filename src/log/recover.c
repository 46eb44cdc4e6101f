/* Recovery of one log after an unclean stop, or where a clean one does not look like it.
 *
 * Owner: struct log, core thread, before the log is served.
 *
 * Happy path: forget the page cache -> find the recovery point in its segment -> producers and
 *             epochs up to it -> from there on check every batch (length, CRC, offsets that follow
 *             one another) and build indexes, producers, epochs -> cut at the first bad one ->
 *             write what is kept past the recovery point again, and sync it.
 * Invariant:  what is below the recovery point is trusted (its headers lead to it); what is kept
 *             past it was checked and is on the disk when log_recover returns. Its indexes follow
 *             with the first flush (indexed_point).
 * Failures:   nothing good behind a bad batch: a torn tail, cut (mark: recover_torn_tail). Good
 *             batches behind it: rot; they are kept aside (".corrupt"), with an error line. The
 *             same below the recovery point: E_CORRUPT, the log is not served, nothing is changed.
 *             A write or sync that fails: E_OFFLINE. No space for an index: that segment goes
 *             without one, and whoever wants it builds it. Anything else (no descriptor, a read
 *             that fails): the log is not served, and the next start recovers it again.
 */
#include "segment.h"

#define SCAN_BYTES (1024 * 1024) /* read at a time */

struct recovery {
    struct log *l;
    struct errmsg *msg;
    int64_t trusted; /* the recovery point */
    int64_t gaps_until; /* at or past it a gap in the offsets is damage */
    struct wall now;
    /* where the scan is */
    int i; /* in segment i */
    uint64_t position;
    int64_t expected; /* the next batch begins here, or, in a compacted log, after */
    /* where what must be written again begins */
    int first_i;
    uint64_t first_position;
    bool bad;
};

static struct segment *here(const struct recovery *r)
{
    return r->l->segments[r->i];
}

/* ---- up to the recovery point --------------------------------------------------------------- */

/* Headers only, up to the recovery point. */
static int walk_trusted(struct recovery *r)
{
    struct segment *s = here(r);
    struct walk w;
    struct batch b;
    uint64_t position;
    uint32_t n_entries;
    int rc = trust_indexes(s, r->trusted, &r->position, &r->expected);

    n_entries = index_count(&s->offsets);
    remake_begin(s);
    if (rc == 0)
        rc = walk_init(&w, s, r->position, s->size_bytes);
    while (rc >= 0 && r->expected < r->trusted) {
        rc = walk_next(&w, &b, &position);
        if (rc > 0 && b.base_offset < r->expected)
            rc = E_CORRUPT;
        if (rc <= 0)
            break;
        if (b.base_offset >= r->trusted)
            break;
        segment_index_batch(s, &b, position);
        r->position = w.position;
        r->expected = batch_last_offset(&b) + 1;
    }
    if (index_count(&s->offsets) > n_entries) /* entries were missing below the recovery point */
        remake_made(s);
    else
        remake_cancel(s);
    if (rc == E_CORRUPT || rc == E_EOF) {
        r->bad = true;
        return 0;
    }
    return MIN(rc, 0);
}

/* ---- from there on -------------------------------------------------------------------------- */

struct window {
    struct file *file;
    struct buf bytes; /* of the file from `at` on */
    uint64_t at;
};

/* The batch at r->position, whole, or NULL when there is none that could be read: *rc tells why. */
static const uint8_t *read_batch(struct recovery *r, struct window *w, struct batch *b, int *rc)
{
    struct segment *s = here(r);
    uint64_t left = s->size_bytes - r->position;
    uint64_t want = BATCH_HEADER_BYTES;

    *rc = left < want ? E_CORRUPT : 0;
    for (int round = 0; *rc == 0 && round < 2; round++) {
        if (r->position < w->at || r->position + want > w->at + w->bytes.n) {
            uint64_t n = MIN(left, MAX(want, SCAN_BYTES));

            w->bytes.n = 0;
            w->at = r->position;
            *rc = file_pread_full(w->file, buf_grow(&w->bytes, n), n, w->at);
        }
        if (*rc == 0 && round == 0) {
            *rc = batch_decode(w->bytes.p + (r->position - w->at), b) < 0 ? E_CORRUPT : 0;
            want = b->total_bytes;
            if (*rc == 0 && want > left)
                *rc = E_CORRUPT;
        }
    }
    if (*rc == 0 && !PLANTED(skip_crc) &&
        batch_check(w->bytes.p + (r->position - w->at), want, b) < 0)
        *rc = E_CORRUPT;
    return *rc == 0 ? w->bytes.p + (r->position - w->at) : NULL;
}

/* Below it compaction may have left gaps: ours ends at a recovery point that was noted before; another broker's, or one of which
 * nothing is noted any more, anywhere. */
static int64_t gaps_until(const struct log *l, bool strict)
{
    if (!strict)
        return INT64_MAX;
    if (!(l->config.cleanup & CLEANUP_COMPACT))
        return 0;
    if (!l->dir->was_ours || checkpoint_recovery_point(l->m, l->dir, l->name_key) < 0)
        return INT64_MAX;
    return MAX(l->recovery_point, l->first_dirty_offset);
}

/* Offsets must follow one another: the CRC covers neither the base offset nor the length, and what is behind bytes that a power
 * cut took was not there without them. */
static bool comes_next(const struct recovery *r, int64_t base_offset)
{
    return base_offset == r->expected || (base_offset > r->expected && r->expected < r->gaps_until);
}

static bool follows(const struct recovery *r, const struct batch *b)
{
    const struct segment *s = here(r);

    return comes_next(r, b->base_offset) &&
           b->base_offset - s->base_offset <= INT32_MAX - (int64_t)b->last_offset_delta;
}

static void take_batch(struct recovery *r, const struct batch *b, const uint8_t *p)
{
    struct log *l = r->l;
    struct ended_txn ended;

    segment_index_batch(here(r), b, r->position);
    if (producers_apply(l->producers, b, p, (struct wall){NO_TIMESTAMP}, &ended) && ended.aborted)
        txn_index_add(here(r), &ended.txn);
    epochs_assign(l->epochs, b->leader_epoch, b->base_offset);
    r->position += b->total_bytes;
    r->expected = batch_last_offset(b) + 1;
}

/* One segment, from r->position. */
static int scan_segment(struct recovery *r)
{
    struct segment *s = here(r);
    struct window w = {0};
    struct batch b;
    int rc = segment_file(s, &w.file);

    buf_init(&w.bytes);
    while (rc == 0 && !r->bad && r->position < s->size_bytes) {
        const uint8_t *p = read_batch(r, &w, &b, &rc);

        if (p && follows(r, &b)) {
            take_batch(r, &b, p);
        } else if (p || rc == E_CORRUPT || rc == E_EOF) {
            r->bad = true;
            rc = 0;
        }
    }
    buf_release(&w.bytes);
    return rc;
}

/* The next segment must begin where this one ends. */
static bool next_follows(const struct recovery *r)
{
    return comes_next(r, r->l->segments[r->i + 1]->base_offset);
}

/* A full disk does not stop a start: the indexes are derived. */
static int finish(struct segment *s)
{
    int rc = segment_finish(s);

    if (rc != E_NOSPC)
        return rc;
    MARK(recover_without_index);
    return segment_drop_indexes(s);
}

static int scan(struct recovery *r)
{
    int rc = 0;

    while (rc == 0 && !r->bad) {
        rc = scan_segment(r);
        if (rc < 0 || r->bad || r->i + 1 == r->l->n_segments)
            break;
        if (!next_follows(r)) {
            r->bad = true;
            break;
        }
        rc = finish(here(r));
        r->i++;
        r->position = 0;
        r->expected = MAX(r->expected, here(r)->base_offset);
        if (rc == 0)
            rc = trust_indexes(here(r), here(r)->base_offset, &r->position, &r->expected);
        if (rc == 0)
            rc = txn_index_truncate(here(r), here(r)->base_offset);
    }
    return rc;
}

/* ---- what is bad ---------------------------------------------------------------------------- */

static int cut(struct recovery *r)
{
    struct log *l = r->l;
    bool good = salvage_any(l, r->i, r->position, r->expected);
    uint64_t bytes = here(r)->size_bytes - r->position;
    int rc = 0;

    /* What was flushed is not torn: it has rotted, and it is for a person to decide what goes. */
    if (r->expected < r->trusted) {
        errmsg_set(r->msg,
                   "segment %lld is corrupt at position %llu (offset %lld), below the recovery "
                   "point %lld%s",
                   (long long)here(r)->base_offset, (unsigned long long)r->position,
                   (long long)r->expected, (long long)r->trusted,
                   good ? ", and good batches follow" : "");
        return E_CORRUPT;
    }
    if (good) {
        MARK(recover_rot);
        diag_error("%s: corrupt at offset %lld (segment %lld, position %llu), and good batches "
                   "follow: cut there, the rest is kept "
                   "in *.corrupt",
                   l->path, (long long)r->expected, (long long)here(r)->base_offset,
                   (unsigned long long)r->position);
        rc = salvage(l, r->i, r->position);
        l->names_are_new = true;
    } else {
        MARK(recover_torn_tail);
        diag_warn("%s: a torn tail of %llu bytes is cut at offset %lld", l->path,
                  (unsigned long long)bytes, (long long)r->expected);
    }
    if (rc == 0)
        rc = log_cut(l, r->i, r->position, r->expected);
    return rc;
}

/* ---- what is kept --------------------------------------------------------------------------- */

/* A failed write or flush. What only wanted a descriptor or space changed nothing: this log is not
 * served then, and the directory is as good as before. */
static int failed(const struct log *l, int rc)
{
    if (rc == 0 || rc == E_MFILE || rc == E_NOSPC)
        return rc;
    return dir_fail(l->dir, "sync after recovery", l->path, rc);
}

/* The same bytes again: pages that a failed flush has marked clean are written this time. */
static int rewrite(struct segment *s, uint64_t from, uint8_t *bytes)
{
    struct file *f;
    int rc = segment_file(s, &f);

    for (uint64_t at = from; rc == 0 && at < s->size_bytes; at += SCAN_BYTES) {
        size_t n = MIN(SCAN_BYTES, s->size_bytes - at);

        rc = file_pread_full(f, bytes, n, at);
        if (rc == 0)
            rc = failed(s->log, file_pwrite(f, bytes, n, at));
    }
    return rc == 0 ? failed(s->log, file_datasync(f)) : rc;
}

/* A noted recovery point past the begin says that the names which were there then are durable. (The log's own name:
 * dir_unmark.) */
static bool names_may_be_new(const struct recovery *r)
{
    const struct log *l = r->l;

    return r->bad || l->names_are_new || r->first_i + 1 < l->n_segments ||
           r->trusted <= l->segments[0]->base_offset;
}

static int make_durable(struct recovery *r)
{
    struct log *l = r->l;
    uint8_t *bytes = xmalloc(SCAN_BYTES);
    int rc = 0;

    for (int i = r->first_i; rc == 0 && i < l->n_segments; i++) {
        struct segment *s = l->segments[i];

        rc = rewrite(s, i == r->first_i ? MIN(r->first_position, s->size_bytes) : 0, bytes);
    }
    free(bytes);
    /* What is served from here on must not lose its topic. */
    if (rc == 0 && l->metadata_is_new)
        rc = failed(l, metadata_sync(l));
    if (rc == 0 && names_may_be_new(r))
        rc = failed(l, vfs_sync_dir(l->m->env->vfs, l->path));
    if (rc < 0)
        return rc;
    l->metadata_is_new = false;
    l->names_are_new = false;
    l->recovery_point = l->end_offset;
    return 0;
}

/* Nothing lies past the recovery point. */
static bool nothing_to_do(struct recovery *r)
{
    struct log *l = r->l;

    if (r->bad || l->names_are_new || r->first_i + 1 < l->n_segments ||
        r->first_position < log_active(l)->size_bytes)
        return false;
    /* Of a log that never had a commit not even the names are sure. */
    l->dir_is_new = l->end_offset == 0;
    l->metadata_is_new |= l->end_offset == 0;
    l->names_are_new = l->metadata_is_new;
    l->recovery_point = l->end_offset;
    return true;
}

static void forget_cache(const struct recovery *r)
{
    for (int i = r->first_i; i < r->l->n_segments; i++) {
        uint64_t from = i == r->first_i ? r->first_position : 0;
        struct file *f;

        if (segment_file(r->l->segments[i], &f) == 0)
            (void)file_drop_cache(f, from); /* advice; what is kept is written again anyway */
    }
}

static int up_to_trusted(struct recovery *r)
{
    struct log *l = r->l;
    int rc = walk_trusted(r);

    if (rc < 0)
        return rc;
    if (!r->bad && r->expected < r->trusted && r->position == here(r)->size_bytes)
        diag_error("%s: ends at offset %lld, before its recovery point %lld", l->path,
                   (long long)r->expected, (long long)r->trusted);
    if (l->epochs->n == 0)
        rc = epochs_replay(l, l->segments[0]->base_offset, r->expected);
    if (rc == 0)
        rc = txn_index_trust(here(r), r->expected);
    return rc < 0 ? rc : snapshot_load(l, r->expected);
}

/* The next start must not do it all again: a flush of the indexes, and the recovery point is noted. */
static void note_recovered(struct recovery *r)
{
    struct log *l = r->l;

    l->indexed_point = MIN(r->trusted, l->end_offset);
    if (l->indexed_point < l->end_offset)
        commit_recovered(l);
}

int log_recover(struct log *l, bool strict, struct errmsg *msg)
{
    struct recovery r = {.l = l, .msg = msg, .trusted = l->recovery_point, .gaps_until = gaps_until(l, strict)};
    int rc;

    ASSERT_CORE();
    /* A segment that ends at the recovery point may have been the active one when it was flushed:
     * its indexes are not sure yet (log_collect_indexes). */
    r.first_i = r.i = MAX(0, log_segment_floor(l, r.trusted - 1));
    rc = up_to_trusted(&r);
    r.first_position = r.position;
    forget_cache(&r); /* of what is past the recovery point, only the device knows */
    if (rc == 0)
        rc = scan(&r);
    if (rc == 0 && r.bad)
        rc = cut(&r);
    l->end_offset = r.expected;
    if (rc == 0)
        note_recovered(&r);
    if (rc == 0 && nothing_to_do(&r)) {
        if (l->epochs->changed && epochs_save(l) < 0)
            trace("leader epochs not written after recovery", l->end_offset, 0);
        return 0;
    }
    if (rc == 0)
        rc = make_durable(&r);
    if (rc < 0) {
        log_say_why(msg, rc);
        errmsg_wrap(msg, "recovery");
        return rc;
    }
    epochs_truncate_end(l->epochs, l->end_offset);
    l->epochs->changed = true;
    if (epochs_save(l) < 0 || snapshot_save(l, l->end_offset) < 0)
        trace("derived files not written after recovery", l->end_offset,
              0); /* the next start does without them */
    return 0;
}
