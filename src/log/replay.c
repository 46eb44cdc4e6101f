/* Replaying the journal after an unclean stop, before anything else looks at the partitions.
 *
 * Owner: struct log_dir, core thread, in logm_open.
 *
 * Happy path: the half with the lower sequence first -> entry after entry -> each part's batches,
 *             where their place in the segment does not hold them -> datasync of all segments that
 *             were looked at -> (journal.c) the generation changes.
 *             A batch is written again only when all of this holds; otherwise it is stale, or there
 *             already:
 *             - the partition's directory is there, with the topic id of the part (or with none to
 *               be read);
 *             - it is not below the checkpointed recovery point;
 *             - the segment file is there: its name was durable before the entry was written, so
 *               who misses was deleted;
 *             - it would not leave a hole behind the end of the file;
 *             - no valid batch is at its place: it would be this one, whole, or the segment was
 *               made over since. This one with other bytes before its CRC is this one, damaged.
 * Invariant:  all bytes of a log below a counting entry's are in flushed segments or in earlier
 *             counting entries. A replay that is cut short is done again from the start with the
 *             same result.
 * Failures:   an entry that is cut off is the last one, and was never acknowledged. Valid entries
 *             behind a bad one mean rot: said as an error, and they are replayed. Errors of the
 *             files end the start.
 */
#include "directory.h"

#define TOUCHED_MAX     512
#define PLACE_BYTES_MAX (128u << 20) /* of a batch that may be in the place of ours */
#define UNCOVERED_BYTES 17           /* base offset, length, leader epoch, magic: before the CRC */

struct entry {
    uint64_t sequence;
    const uint8_t *parts;
    uint32_t parts_bytes, n_parts;
    const uint8_t *contents;
    size_t contents_bytes;
    uint64_t file_bytes; /* padding included */
};
struct touched {
    char *path;
    struct file *file;
    UT_hash_handle by_path;
};
struct replay {
    struct log_dir *d;
    struct file *journal;
    uint64_t generation, half_bytes;
    uint8_t *buffer;  /* of the entry */
    struct buf place; /* what is in the segment */
    struct touched *touched;
    uint32_t n_touched;
    uint64_t n_entries, n_batches;
    struct errmsg *msg;
};

/* ---- reading entries ------------------------------------------------------------------------ */

static uint64_t half_position(const struct replay *r, int half)
{
    return JOURNAL_HEADER_BYTES + (uint64_t)half * r->half_bytes;
}

/* The length of an entry whose header makes sense; 0 when it does not. */
static uint32_t header_total(const struct replay *r, const uint8_t *p, uint64_t room)
{
    uint32_t total = get_be32(p + 24), parts = get_be32(p + 28);

    if (get_be32(p) != JOURNAL_ENTRY_MAGIC || get_be64(p + 8) != r->generation)
        return 0;
    if (total > JOURNAL_ENTRY_BYTES_MAX || total > room || total < JOURNAL_ENTRY_HEADER_BYTES ||
        parts > total - JOURNAL_ENTRY_HEADER_BYTES)
        return 0;
    return total;
}

/* 1: a valid entry is there, in r->buffer; 0: none; or an error of the file. */
static int read_entry(struct replay *r, int half, uint64_t at, struct entry *e)
{
    uint64_t position = half_position(r, half) + at;
    uint8_t *p = r->buffer;
    uint32_t total;
    int rc = file_pread_full(r->journal, p, JOURNAL_BLOCK_BYTES, position);

    if (rc < 0)
        return rc;
    total = header_total(r, p, r->half_bytes - at);
    if (total == 0)
        return 0;
    if (total > JOURNAL_BLOCK_BYTES)
        rc = file_pread_full(r->journal, p + JOURNAL_BLOCK_BYTES, total - JOURNAL_BLOCK_BYTES,
                             position + JOURNAL_BLOCK_BYTES);
    if (rc < 0)
        return rc;
    if (crc32c(0, p + 8, total - 8) != get_be32(p + 4))
        return 0;
    e->sequence = get_be64(p + 16);
    e->parts = p + JOURNAL_ENTRY_HEADER_BYTES;
    e->parts_bytes = get_be32(p + 28);
    e->n_parts = get_be32(p + 32);
    e->contents = e->parts + e->parts_bytes;
    e->contents_bytes = total - JOURNAL_ENTRY_HEADER_BYTES - e->parts_bytes;
    e->file_bytes =
        ((uint64_t)total + JOURNAL_BLOCK_BYTES - 1) / JOURNAL_BLOCK_BYTES * JOURNAL_BLOCK_BYTES;
    return 1;
}

/* ---- segments ------------------------------------------------------------------------------- */

static int let_go(struct replay *r)
{
    struct touched *t, *tmp;
    int rc = 0;

    HASH_ITER(by_path, r->touched, t, tmp)
    {
        if (rc == 0)
            rc = file_datasync(t->file);
        if (rc < 0)
            errmsg_set(r->msg, "%s: %s", t->path, err_text(rc));
        HASH_DELETE(by_path, r->touched, t);
        file_unref(t->file);
        free(t->path);
        free(t);
    }
    r->n_touched = 0;
    return rc;
}

/* The segment's file; *file NULL when it is not there any more. Borrowed. `from` is where the first part goes: the others of this
 * segment go behind it, and from there on only the device is asked, since after a failed fsync the page cache may hold what the
 * disk does not. */
static int touch(struct replay *r, const char *path, uint64_t from, struct file **file)
{
    struct touched *t;
    int rc;

    HASH_FIND(by_path, r->touched, path, strlen(path), t);
    *file = t ? t->file : NULL;
    if (t)
        return 0;
    if (r->n_touched == TOUCHED_MAX) {
        rc = let_go(r);
        if (rc < 0)
            return rc;
    }
    rc = vfs_open(r->d->m->env->vfs, path, VFS_WRITE, file);
    if (rc == E_NOENT)
        return 0;
    if (rc == 0) {
        rc = file_drop_cache(*file, from);
        if (rc < 0)
            file_unref(*file);
    }
    if (rc < 0) {
        errmsg_set(r->msg, "%s: %s", path, err_text(rc));
        return rc;
    }
    t = xcalloc(1, sizeof(*t));
    t->path = xstrdup(path);
    t->file = *file;
    HASH_ADD_KEYPTR(by_path, r->touched, t->path, strlen(t->path), t);
    r->n_touched++;
    return 0;
}

/* Whether a valid batch is at this place: 1, 0, or an error. It is this very one, or another: then
 * the place was made over. A right CRC alone does not say so: the bytes before it may be lost. */
static int is_taken(struct replay *r, struct file *f, const uint8_t *p, const struct batch *b,
                    uint64_t position)
{
    struct batch there;
    size_t got;
    int rc;

    r->place.n = 0;
    rc = file_pread(f, buf_grow(&r->place, b->total_bytes), b->total_bytes, position, &got);
    if (rc < 0)
        return rc;
    if (got == b->total_bytes && memcmp(r->place.p + UNCOVERED_BYTES, p + UNCOVERED_BYTES,
                                        b->total_bytes - UNCOVERED_BYTES) == 0)
        return memcmp(r->place.p, p, UNCOVERED_BYTES) == 0;
    if (got < BATCH_HEADER_BYTES || batch_decode(r->place.p, &there) < 0)
        return 0;
    if (there.total_bytes > got) { /* longer than ours */
        if (there.total_bytes > PLACE_BYTES_MAX)
            return 0;
        r->place.n = 0;
        rc = file_pread(f, buf_grow(&r->place, there.total_bytes), there.total_bytes, position,
                        &got);
        if (rc < 0)
            return rc;
    }
    return batch_check(r->place.p, got, &there) == 0;
}

static int replay_batch(struct replay *r, struct file *f, const uint8_t *p, const struct batch *b,
                        uint64_t position)
{
    uint64_t size;
    int rc = file_size(f, &size);

    if (rc < 0)
        return rc;
    if (position > size) {
        MARK(replay_would_leave_a_hole);
        return 0;
    }
    rc = is_taken(r, f, p, b, position);
    if (rc != 0)
        return MIN(rc, 0);
    MARK(replay_writes);
    r->n_batches++;
    return file_pwrite(f, p, b->total_bytes, position);
}

/* ---- parts ---------------------------------------------------------------------------------- */

struct part {
    struct uuid topic_id;
    int64_t segment_base, end_offset;
    uint64_t position;
    uint32_t n_bytes;
    char name_key[DIR_NAME_MAX + 1];
};

/* Takes a part off the front. The entry's CRC was right, so a part that makes no sense is a bug of
 * who wrote it. */
static bool take_part(struct entry *e, struct part *out)
{
    const uint8_t *p = e->parts;
    size_t n_name, n;

    if (e->parts_bytes < JOURNAL_PART_BYTES)
        return false;
    n_name = get_be16(p + 44);
    n = (JOURNAL_PART_BYTES + n_name + 7) / 8 * 8;
    if (n_name > DIR_NAME_MAX || n > e->parts_bytes)
        return false;
    memcpy(out->topic_id.b, p, 16);
    out->segment_base = (int64_t)get_be64(p + 16);
    out->position = get_be64(p + 24);
    out->end_offset = (int64_t)get_be64(p + 32);
    out->n_bytes = get_be32(p + 40);
    memcpy(out->name_key, p + JOURNAL_PART_BYTES, n_name);
    out->name_key[n_name] = 0;
    e->parts += n;
    e->parts_bytes -= (uint32_t)n;
    return out->n_bytes <= e->contents_bytes && out->segment_base >= 0 && out->end_offset > 0 &&
           out->position <= INT64_MAX / 2;
}

static bool is_wanted(const struct replay *r, const struct part *part)
{
    const struct dir_entry *e = dir_entry_find(r->d, part->name_key);

    if (!e)
        return false;
    if (!uuid_is_zero(e->topic_id) && !uuid_eq(e->topic_id, part->topic_id)) {
        MARK(replay_other_topic);
        return false;
    }
    return part->end_offset > e->value[CHECKPOINT_RECOVERY];
}

static int replay_part(struct replay *r, const struct part *part, const uint8_t *p)
{
    char path[DIR_PATH_MAX];
    struct file *f;
    uint32_t at = 0;
    int n = snprintf(path, sizeof(path), "%s/%s/%020lld.log", r->d->path, part->name_key,
                     (long long)part->segment_base);
    int rc;

    ASSERT(n > 0 && (size_t)n < sizeof(path));
    rc = touch(r, path, part->position, &f);
    if (rc < 0 || !f)
        return rc;
    while (rc == 0 && part->n_bytes - at >= BATCH_HEADER_BYTES) {
        struct batch b;

        if (batch_check(p + at, part->n_bytes - at, &b) < 0)
            break; /* nothing that recovery would keep */
        rc = replay_batch(r, f, p + at, &b, part->position + at);
        at += b.total_bytes;
    }
    if (rc < 0)
        errmsg_set(r->msg, "%s: %s", path, err_text(rc));
    return rc;
}

static int replay_entry(struct replay *r, struct entry *e)
{
    int rc = 0;

    for (uint32_t i = 0; i < e->n_parts && rc == 0; i++) {
        struct part part;

        if (!take_part(e, &part)) {
            diag_error("%s/" DIR_JOURNAL_NAME ": entry %llu makes no sense; left out", r->d->path,
                       (unsigned long long)e->sequence);
            return 0;
        }
        if (is_wanted(r, &part))
            rc = replay_part(r, &part, e->contents);
        e->contents += part.n_bytes;
        e->contents_bytes -= part.n_bytes;
    }
    r->n_entries++;
    return rc;
}

/* ---- halves --------------------------------------------------------------------------------- */

/* Entries of a half, in order. Behind a bad one a valid one with a higher sequence is looked for as
 * far as an entry can reach. */
static int replay_half(struct replay *r, int half, uint64_t *sequence_last)
{
    uint64_t at = 0, bad_at = UINT64_MAX;
    int rc = 0;

    while (at + JOURNAL_BLOCK_BYTES <= r->half_bytes && rc >= 0) {
        struct entry e;

        rc = read_entry(r, half, at, &e);
        if (rc < 0) {
            errmsg_set(r->msg, "%s/" DIR_JOURNAL_NAME ": %s", r->d->path, err_text(rc));
            break;
        }
        if (rc == 0 || e.sequence <= *sequence_last) {
            bad_at = MIN(bad_at, at);
            at += JOURNAL_BLOCK_BYTES;
            if (at - bad_at > JOURNAL_ENTRY_BYTES_MAX)
                break;
            continue;
        }
        if (bad_at != UINT64_MAX &&
            *sequence_last > 0) { /* otherwise: the half was begun anew, and cut off */
            MARK(journal_rot);
            diag_error(
                "%s/" DIR_JOURNAL_NAME
                ": damaged between entries %llu and %llu: the disk has lost what was flushed",
                r->d->path, (unsigned long long)*sequence_last, (unsigned long long)e.sequence);
        }
        bad_at = UINT64_MAX;
        *sequence_last = e.sequence;
        at += e.file_bytes;
        rc = replay_entry(r, &e);
    }
    return MIN(rc, 0);
}

/* Sequence of the first entry that is valid, as far as one can reach; UINT64_MAX without one. */
static int first_sequence(struct replay *r, int half, uint64_t *out)
{
    uint64_t end = MIN(r->half_bytes, JOURNAL_ENTRY_BYTES_MAX + JOURNAL_BLOCK_BYTES);
    int rc = 0;

    *out = UINT64_MAX;
    for (uint64_t at = 0; at + JOURNAL_BLOCK_BYTES <= end && rc == 0; at += JOURNAL_BLOCK_BYTES) {
        struct entry e;

        rc = read_entry(r, half, at, &e);
        if (rc == 1)
            *out = e.sequence;
    }
    if (rc < 0)
        errmsg_set(r->msg, "%s/" DIR_JOURNAL_NAME ": %s", r->d->path, err_text(rc));
    return MIN(rc, 0);
}

static int replay_halves(struct replay *r)
{
    uint64_t first[2], last = 0;
    int rc = first_sequence(r, 0, &first[0]);

    if (rc == 0)
        rc = first_sequence(r, 1, &first[1]);
    for (int i = 0; i < 2 && rc == 0; i++) {
        int half = first[0] <= first[1] ? i : 1 - i;

        if (first[half] != UINT64_MAX)
            rc = replay_half(r, half, &last);
    }
    return rc;
}

int journal_replay(struct log_dir *d, struct file *file, uint64_t generation, uint64_t file_bytes,
                   struct errmsg *msg)
{
    struct replay r = {
        .d = d,
        .journal = file,
        .generation = generation,
        .half_bytes =
            (file_bytes - JOURNAL_HEADER_BYTES) / 2 / JOURNAL_BLOCK_BYTES * JOURNAL_BLOCK_BYTES,
        .buffer = xmalloc(JOURNAL_ENTRY_BYTES_MAX + JOURNAL_BLOCK_BYTES),
        .msg = msg,
    };
    int rc, rc_sync;

    buf_init(&r.place);
    rc = replay_halves(&r);
    rc_sync = let_go(&r);
    if (rc == 0)
        rc = rc_sync;
    d->was_ours = r.n_entries > 0;
    if (rc == 0 && r.n_entries > 0)
        diag_info("log directory %s: journal replayed: %llu entries, %llu batches written again",
                  d->path, (unsigned long long)r.n_entries, (unsigned long long)r.n_batches);
    buf_release(&r.place);
    free(r.buffer);
    return rc;
}
