/* The journal: one preallocated file through which small commits of all partitions go to the disk.
 *
 *     | header block | header block | half 0: entries ... | half 1: entries ... |
 *
 *   All big-endian, blocks of 4096.
 *
 *     header    0 magic u32  |  4 crc u32 (of 8..32)  |  8 version u32  | 12 zero u32
 *              16 generation u64  | 24 file bytes u64
 *              twice, so that one torn or rotten block is no loss; the higher generation counts
 *     entry     0 magic u32  |  4 crc u32 (of 8..total)  |  8 generation u64  | 16 sequence u64
 *              24 total bytes u32  | 28 bytes of all parts u32  | 32 number of parts u32
 *              36 zero u32  | parts  | contents, in the same order
 *     part      0 topic id  | 16 segment base i64  | 24 position u64  | 32 end offset i64
 *              40 bytes u32  | 44 name bytes u16  | 46 zero u16
 *              name "<topic>-<p>", zero-filled to a multiple of 8
 *
 * Owner: struct log_dir, core thread; journal_write runs on the commit lane, the making of the file
 * on the flush lane.
 *
 *   A half: FREE --the other is full--> CURRENT --no room--> FULL --a flush begins--> FLUSHING
 *                                                                  --it ends--> FREE
 *
 * Entries begin at block boundaries: writing one never touches a block of an earlier one, which may
 * be acknowledged already, and never has to read what is in the block. Sequences rise by one over
 * both halves; in a half that is being overwritten, what is left of the last round has lower ones.
 * The file is zero-filled once and then recycled, so that the fdatasync of an entry has no metadata
 * to write.
 *
 * Invariant:  an entry counts while its generation is the header's. The generation changes
 *             (journal_reset) only when all segments are flushed: at a clean stop and at the end of
 *             a replay. A half is overwritten only when all that its entries cover is flushed.
 * Failures:   no journal can be made (space): commits sync their segments. A failed write or sync
 *             is the commit's failure.
 */
#include "directory.h"

#define JOURNAL_VERSION   1
#define HEADER_USED_BYTES 32
#define MAKE_STEP_BYTES   (1u << 20)
#define MAKE_SYNC_BYTES   (8u << 20) /* a sync of the whole file at once would hold up commits */
#define MAKE_RETRY_MS     (60 * 1000)

static const uint8_t zero_block[JOURNAL_BLOCK_BYTES];

static uint64_t blocks_up(uint64_t n)
{
    return (n + JOURNAL_BLOCK_BYTES - 1) / JOURNAL_BLOCK_BYTES * JOURNAL_BLOCK_BYTES;
}

static uint64_t half_bytes_of(uint64_t file_bytes)
{
    ASSERT(file_bytes >= JOURNAL_BYTES_MIN);
    return (file_bytes - JOURNAL_HEADER_BYTES) / 2 / JOURNAL_BLOCK_BYTES * JOURNAL_BLOCK_BYTES;
}

static uint64_t wanted_bytes(const struct log_dir *d)
{
    int64_t bytes = d->m->config->log_journal_bytes;

    if (bytes == 0)
        return 0;
    return blocks_up((uint64_t)MAX(bytes, (int64_t)JOURNAL_BYTES_MIN));
}

/* ---- the header ----------------------------------------------------------------------------- */

static int write_header(struct file *f, uint64_t generation, uint64_t file_bytes)
{
    uint8_t block[JOURNAL_BLOCK_BYTES] = {0};
    struct piece pieces[2] = {{block, sizeof(block)}, {block, sizeof(block)}};
    int rc;

    put_be32(block, JOURNAL_MAGIC);
    put_be32(block + 8, JOURNAL_VERSION);
    put_be64(block + 16, generation);
    put_be64(block + 24, file_bytes);
    put_be32(block + 4, crc32c(0, block + 8, HEADER_USED_BYTES - 8));
    rc = file_pwritev(f, pieces, 2, 0);
    return rc < 0 ? rc : file_datasync(f);
}

/* True when one of the two blocks is whole. */
static bool parse_header(const uint8_t *p, uint64_t *generation, uint64_t *file_bytes)
{
    bool found = false;

    for (int i = 0; i < 2; i++, p += JOURNAL_BLOCK_BYTES) {
        uint64_t g = get_be64(p + 16);

        if (get_be32(p) != JOURNAL_MAGIC || get_be32(p + 8) != JOURNAL_VERSION ||
            get_be32(p + 4) != crc32c(0, p + 8, HEADER_USED_BYTES - 8))
            continue;
        if (found && g < *generation)
            continue;
        found = true;
        *generation = g;
        *file_bytes = get_be64(p + 24);
    }
    return found && *file_bytes >= JOURNAL_BYTES_MIN;
}

int journal_reset(struct journal *j)
{
    int rc;

    ASSERT(j->file);
    j->generation++;
    rc = write_header(j->file, j->generation, j->file_bytes);
    j->sequence_next = 1;
    j->half = 0;
    j->at = 0;
    j->half_state[0] = JOURNAL_HALF_CURRENT;
    j->half_state[1] = JOURNAL_HALF_FREE;
    return rc;
}

/* ---- life ----------------------------------------------------------------------------------- */

static struct journal *journal_new(struct log_dir *d, uint64_t file_bytes)
{
    struct journal *j = xcalloc(1, sizeof(*j));

    j->d = d;
    j->file_bytes = file_bytes;
    j->half_bytes = half_bytes_of(file_bytes);
    j->sequence_next = 1;
    j->half_state[0] = JOURNAL_HALF_CURRENT;
    return j;
}

void journal_close(struct log_dir *d)
{
    if (!d->journal)
        return;
    ASSERT(!d->journal->making);
    file_unref(d->journal->file);
    free(d->journal);
    d->journal = NULL;
}

/* A file that is there: its generation, or `usable` false. */
static int read_header(struct file *f, uint64_t *generation, uint64_t *file_bytes, bool *usable)
{
    uint8_t *blocks = xmalloc(JOURNAL_HEADER_BYTES);
    uint64_t size;
    int rc;

    *usable = false;
    rc = file_drop_cache(f, 0);
    if (rc == 0)
        rc = file_size(f, &size);
    if (rc == 0)
        rc = file_pread_full(f, blocks, JOURNAL_HEADER_BYTES, 0);
    if (rc == 0)
        *usable = parse_header(blocks, generation, file_bytes) && *file_bytes <= size;
    free(blocks);
    return rc == E_EOF ? 0 : rc;
}

/* The file as it is found becomes the journal, with no entry that counts. */
static int take_over(struct log_dir *d, struct file *f, uint64_t generation, uint64_t file_bytes,
                     bool replay, struct errmsg *msg)
{
    struct journal *j;
    int rc = 0;

    if (replay)
        rc = journal_replay(d, f, generation, file_bytes, msg);
    if (rc < 0)
        return rc;
    j = journal_new(d, file_bytes);
    j->file = file_ref(f);
    j->generation = generation;
    d->journal = j;
    rc = journal_reset(j);
    if (rc < 0)
        errmsg_set(msg, "%s/" DIR_JOURNAL_NAME ": %s", d->path, err_text(rc));
    return rc;
}

int journal_open(struct log_dir *d, bool replay, struct errmsg *msg)
{
    struct vfs *v = d->m->env->vfs;
    char path[DIR_PATH_MAX];
    uint64_t generation = 0, file_bytes = 0;
    struct file *f;
    bool usable;
    int rc = vfs_open(v, dir_file_path(d, DIR_JOURNAL_NAME, path), VFS_WRITE, &f);

    ASSERT(!d->journal);
    if (rc == E_NOENT)
        return 0;
    if (rc == 0)
        rc = read_header(f, &generation, &file_bytes, &usable);
    if (rc < 0) {
        errmsg_set(msg, "%s: %s", path, err_text(rc));
        goto out;
    }
    if (usable)
        rc = take_over(d, f, generation, file_bytes, replay, msg);
    else
        MARK(journal_without_header); /* it was being made when the power failed */
    if (rc < 0)
        goto out;
    if (!usable || file_bytes != wanted_bytes(d)) {
        journal_close(d);
        rc = vfs_unlink(v, path); /* should it come back, no entry of it counts */
        if (rc < 0)
            errmsg_set(msg, "%s: %s", path, err_text(rc));
    }
out:
    file_unref(f);
    if (rc < 0)
        journal_close(d);
    return rc;
}

/* ---- making it ------------------------------------------------------------------------------ */

static int fill_with_zeros(struct file *f, uint64_t file_bytes)
{
    uint8_t *zeros = xcalloc(1, MAKE_STEP_BYTES);
    int rc = 0;

    for (uint64_t at = 0; at < file_bytes && rc == 0; at += MAKE_STEP_BYTES) {
        rc = file_pwrite(f, zeros, (size_t)MIN(file_bytes - at, MAKE_STEP_BYTES), at);
        if (rc == 0 && (at + MAKE_STEP_BYTES) % MAKE_SYNC_BYTES == 0)
            rc = file_datasync(f);
    }
    free(zeros);
    return rc;
}

static int make_file(struct journal *j, struct file *f)
{
    struct log_dir *d = j->d;
    int rc = fill_with_zeros(f, j->file_bytes);

    if (rc == 0)
        rc = file_datasync(f); /* before the header: it says that all below it is zero */
    if (rc == 0)
        rc = write_header(f, j->generation, j->file_bytes);
    if (rc == 0)
        rc = vfs_sync_dir(d->m->env->vfs, d->path);
    return rc;
}

static int make(struct journal *j)
{
    struct vfs *v = j->d->m->env->vfs;
    char path[DIR_PATH_MAX];
    struct vfs_space space;
    int rc = vfs_space(v, j->d->path, &space);

    if (rc == 0 && space.free_bytes / 4 < j->file_bytes)
        rc = E_NOSPC;
    if (rc == 0)
        rc = vfs_open(v, dir_file_path(j->d, DIR_JOURNAL_NAME, path),
                      VFS_WRITE | VFS_CREATE | VFS_TRUNCATE, &j->made);
    if (rc < 0)
        return rc;
    rc = make_file(j, j->made);
    if (rc < 0) /* without a header it is nothing; the next start removes it, too */
        (void)vfs_unlink(v, path);
    return rc;
}

static void make_work(struct job *job)
{
    struct journal *j = CONTAINER_OF(job, struct journal, make_job);

    ASSERT_LANE();
    j->make_rc = make(j);
    if (j->make_rc != E_NOSPC)
        (void)dir_synced(j->d, j->make_rc);
}

static void make_done(struct job *job)
{
    struct journal *j = CONTAINER_OF(job, struct journal, make_job);

    ASSERT_CORE();
    ASSERT(j->making);
    ASSERT(!j->file);
    j->making = false;
    j->make_rc = dir_sync_result(j->d, j->make_rc);
    if (j->make_rc == 0)
        j->file = j->made;
    else
        file_unref(j->made);
    j->made = NULL;
    if (j->make_rc == 0)
        return;
    if (j->make_rc != E_NOSPC) {
        (void)dir_fail(j->d, "make " DIR_JOURNAL_NAME, j->d->path, j->make_rc); /* sticky */
        return;
    }
    if (!j->failed)
        diag_warn(
            "log directory %s: no space for a journal of %llu bytes; commits are slower without",
            j->d->path, (unsigned long long)j->file_bytes);
    j->failed = true;
    j->retry = mono_after_ms(clock_mono(j->d->m->env->clock), MAKE_RETRY_MS);
}

void journal_want(struct log_dir *d)
{
    struct env *env = d->m->env;
    struct journal *j = d->journal;
    uint64_t file_bytes = wanted_bytes(d);

    if ((j && (j->file || j->making)) || file_bytes == 0)
        return;
    if (!j)
        j = d->journal = journal_new(d, file_bytes);
    else if (clock_mono(env->clock).ns < j->retry.ns)
        return;
    j->generation = rng_next(&env->rng) >> 2; /* what an older file left on the disk has another */
    j->making = true;
    lane_submit(&d->flush_lane, &j->make_job, make_work, make_done);
}

bool journal_ready(const struct log_dir *d)
{
    return d->journal && d->journal->file;
}

/* ---- planning entries ----------------------------------------------------------------------- */

static size_t part_bytes(const struct commit_part *part)
{
    return (JOURNAL_PART_BYTES + strlen(part->l->name_key) + 7) / 8 * 8;
}

/* How many parts, from the first, make one entry: *head without and *total with their contents. 0:
 * the first is too large. */
static uint32_t entry_take(const struct commit_part *parts, uint32_t n, size_t *head, size_t *total)
{
    uint32_t i;

    *head = *total = JOURNAL_ENTRY_HEADER_BYTES;
    for (i = 0; i < n; i++) {
        size_t more = part_bytes(&parts[i]);

        if (*total + more + parts[i].n_bytes > JOURNAL_ENTRY_BYTES_MAX)
            break;
        *head += more;
        *total += more + parts[i].n_bytes;
    }
    return i;
}

struct need {
    uint64_t bytes; /* in the file */
    size_t head_bytes;
    uint32_t n_entries;
};

static bool add_up(const struct commit_part *parts, uint32_t n, struct need *need)
{
    *need = (struct need){0};
    while (n > 0) {
        size_t head, total;
        uint32_t taken = entry_take(parts, n, &head, &total);

        if (taken == 0)
            return false;
        need->bytes += blocks_up(total);
        need->head_bytes += head;
        need->n_entries++;
        parts += taken;
        n -= taken;
    }
    return true;
}

/* Room for so many bytes in the current half, or in the other when that is free. */
static bool make_room(struct journal *j, uint64_t bytes)
{
    int other = 1 - j->half;

    ASSERT(j->half_state[j->half] == JOURNAL_HALF_CURRENT ||
           j->half_state[j->half] == JOURNAL_HALF_FULL);
    if (j->half_state[j->half] == JOURNAL_HALF_CURRENT && bytes <= j->half_bytes - j->at)
        return true;
    if (j->half_state[other] != JOURNAL_HALF_FREE || bytes > j->half_bytes) {
        MARK(journal_has_no_room);
        return false;
    }
    MARK(journal_changes_half);
    j->half_state[j->half] = JOURNAL_HALF_FULL;
    j->half_state[other] = JOURNAL_HALF_CURRENT;
    j->half = other;
    j->at = 0;
    return true;
}

static void put_piece(struct journal_write *w, const void *p, size_t n)
{
    if (w->n_pieces == w->cap_pieces) {
        w->cap_pieces = MAX(64, w->cap_pieces * 2);
        w->pieces = xrealloc_array(w->pieces, w->cap_pieces, sizeof(*w->pieces));
    }
    w->pieces[w->n_pieces++] = (struct piece){p, n};
}

static void put_part(struct buf *head, const struct commit_part *part)
{
    size_t n_name = strlen(part->l->name_key), n = part_bytes(part);
    uint8_t *p = buf_grow(head, n);

    memset(p, 0, n);
    memcpy(p, part->l->topic_id.b, 16);
    put_be64(p + 16, (uint64_t)part->segment_base);
    put_be64(p + 24, part->position);
    put_be64(p + 32, (uint64_t)part->end_offset);
    put_be32(p + 40, part->n_bytes);
    put_be16(p + 44, (uint16_t)n_name);
    memcpy(p + JOURNAL_PART_BYTES, part->l->name_key, n_name);
}

static struct journal_out *push_entry(struct journal_write *w)
{
    if (w->n_entries == w->cap_entries) {
        w->cap_entries = MAX(4, w->cap_entries * 2);
        w->entries = xrealloc_array(w->entries, w->cap_entries, sizeof(*w->entries));
    }
    return &w->entries[w->n_entries++];
}

/* One entry behind the last one. w->head has room already: pieces point into it. */
static uint32_t plan_entry(struct journal *j, const struct commit_part *parts, uint32_t n,
                           struct journal_write *w)
{
    size_t head, total;
    uint32_t taken = entry_take(parts, n, &head, &total);
    struct journal_out *e = push_entry(w);
    uint8_t *p = buf_grow(&w->head, JOURNAL_ENTRY_HEADER_BYTES);

    ASSERT(taken > 0);
    memset(p, 0, JOURNAL_ENTRY_HEADER_BYTES);
    put_be32(p, JOURNAL_ENTRY_MAGIC);
    put_be64(p + 8, j->generation);
    put_be64(p + 16, j->sequence_next++);
    put_be32(p + 24, (uint32_t)total);
    put_be32(p + 28, (uint32_t)(head - JOURNAL_ENTRY_HEADER_BYTES));
    put_be32(p + 32, taken);
    for (uint32_t i = 0; i < taken; i++)
        put_part(&w->head, &parts[i]);
    ASSERT(p + head == w->head.p + w->head.n);
    e->position = JOURNAL_HEADER_BYTES + (uint64_t)j->half * j->half_bytes + j->at;
    e->first_piece = w->n_pieces;
    put_piece(w, p, head);
    for (uint32_t i = 0; i < taken; i++)
        put_piece(w, parts[i].p, parts[i].n_bytes);
    e->n_pieces = w->n_pieces - e->first_piece;
    put_piece(w, zero_block, blocks_up(total) - total);
    j->at += blocks_up(total);
    w->total_bytes += blocks_up(total);
    return taken;
}

bool journal_plan(struct journal *j, const struct commit_part *parts, uint32_t n,
                  struct journal_write *w)
{
    struct need need;

    ASSERT_CORE();
    ASSERT(n > 0);
    ASSERT(!w->file);
    if (!add_up(parts, n, &need) || !make_room(j, need.bytes))
        return false;
    w->head.n = 0;
    w->n_pieces = w->n_entries = 0;
    w->total_bytes = 0;
    buf_reserve(&w->head, need.head_bytes);
    while (n > 0) {
        uint32_t taken = plan_entry(j, parts, n, w);

        parts += taken;
        n -= taken;
    }
    ASSERT(w->n_entries == need.n_entries);
    ASSERT(w->total_bytes == need.bytes);
    ASSERT(j->at <= j->half_bytes);
    w->file = file_ref(j->file);
    return true;
}

/* ---- writing them --------------------------------------------------------------------------- */

static void seal_entry(struct journal_write *w, const struct journal_out *e)
{
    const struct piece *pieces = w->pieces + e->first_piece;
    uint8_t *head = w->head.p + ((const uint8_t *)pieces[0].p - w->head.p);
    uint32_t crc = crc32c(0, head + 8, pieces[0].n - 8);

    for (uint32_t i = 1; i < e->n_pieces; i++)
        crc = crc32c(crc, pieces[i].p, pieces[i].n);
    put_be32(head + 4, crc);
}

int journal_write(struct journal_write *w)
{
    int rc;

    ASSERT_LANE();
    ASSERT(w->n_entries > 0);
    for (uint32_t i = 0; i < w->n_entries; i++)
        seal_entry(w, &w->entries[i]);
    rc = file_pwritev(w->file, w->pieces, (int)w->n_pieces, w->entries[0].position);
    return rc < 0 ? rc : file_datasync(w->file);
}

void journal_write_put(struct journal_write *w)
{
    file_unref(w->file);
    w->file = NULL;
}

void journal_write_release(struct journal_write *w)
{
    ASSERT(!w->file);
    buf_release(&w->head);
    free(w->pieces);
    free(w->entries);
    *w = (struct journal_write){0};
}

/* ---- halves --------------------------------------------------------------------------------- */

bool journal_wants_flush(const struct journal *j)
{
    return j->half_state[0] == JOURNAL_HALF_FULL || j->half_state[1] == JOURNAL_HALF_FULL;
}

int journal_flush_begins(struct journal *j)
{
    int half = j->half_state[0] == JOURNAL_HALF_FULL ? 0 : 1;

    ASSERT(j->half_state[half] == JOURNAL_HALF_FULL);
    ASSERT(half != j->half);
    j->half_state[half] = JOURNAL_HALF_FLUSHING;
    return half;
}

void journal_half_flushed(struct journal *j, int half)
{
    ASSERT(j->half_state[half] == JOURNAL_HALF_FLUSHING);
    j->half_state[half] = JOURNAL_HALF_FREE;
}
