/* Index files: offset -> position, and timestamp -> offset.
 *
 * Owner: the segment, core thread.
 *
 * Happy path: entries are added in order -> they wait in memory -> a run of them is written at the
 *             end of the file.
 * Invariant:  the file holds n_written whole entries; what waits follows them; both fields of the
 *             entries rise.
 * Failures:   E_* of the file. E_CORRUPT from index_load: the segment rebuilds both indexes.
 *
 * The files are opened for each run that is written and for each search: a reader that goes on
 * where it stopped never comes here, and ten thousand partitions must not hold ten thousand index
 * files open.
 */
#include "segment.h"

struct index_format {
    const char *suffix;
    size_t entry_bytes;
    size_t offset_at; /* of the relative offset in an entry */
};
static const struct index_format formats[] = {
    [INDEX_OFFSET] = {".index", INDEX_OFFSET_ENTRY_BYTES, 0},
    [INDEX_TIME] = {".timeindex", INDEX_TIME_ENTRY_BYTES, 8},
};
#define ENTRY_BYTES_MAX INDEX_TIME_ENTRY_BYTES

static struct vfs *vfs_of(const struct segment *s)
{
    return s->log->m->env->vfs;
}

static char *path_of(const struct index *x, const struct segment *s, char path[SEGMENT_PATH_MAX])
{
    return segment_path(s, formats[x->kind].suffix, path);
}

size_t index_entry_bytes(const struct index *x)
{
    ASSERT((size_t)x->kind < ARRAY_SIZE(formats));
    return formats[x->kind].entry_bytes;
}

uint32_t index_count(const struct index *x)
{
    return x->n_written + x->n_pending;
}

static int load_from(struct index *x, struct file *f)
{
    const struct index_format *format = &formats[x->kind];
    uint8_t entry[ENTRY_BYTES_MAX];
    uint64_t size;
    int rc = file_size(f, &size);

    if (rc < 0)
        return rc;
    if (size % format->entry_bytes != 0 || size / format->entry_bytes > UINT32_MAX)
        return E_CORRUPT;
    x->n_written = (uint32_t)(size / format->entry_bytes);
    if (x->n_written == 0)
        return 0;
    rc = file_pread_full(f, entry, format->entry_bytes, size - format->entry_bytes);
    if (rc < 0)
        return rc;
    /* A time entry may name the base offset itself, so there the timestamp has to tell zeroes
     * apart. */
    if (x->kind == INDEX_OFFSET && (int32_t)get_be32(entry) <= 0)
        return E_CORRUPT;
    if (x->kind == INDEX_TIME && ((int32_t)get_be32(entry + 8) < 0 || (int64_t)get_be64(entry) < 0))
        return E_CORRUPT;
    if (x->kind == INDEX_TIME && get_be64(entry) == 0 && get_be32(entry + 8) == 0)
        return E_CORRUPT;
    return 0;
}

int index_create(struct index *x, const struct segment *s)
{
    char path[SEGMENT_PATH_MAX];
    struct file *f;
    int rc;

    ASSERT(x->n_pending == 0);
    rc = vfs_open(vfs_of(s), path_of(x, s, path), VFS_WRITE | VFS_CREATE | VFS_TRUNCATE, &f);
    if (rc < 0)
        return rc;
    file_unref(f);
    x->n_written = 0;
    x->missing = false;
    x->loaded = true;
    return 0;
}

int index_drop(struct index *x, const struct segment *s)
{
    char path[SEGMENT_PATH_MAX];
    int rc = vfs_unlink(vfs_of(s), path_of(x, s, path));

    if (rc == 0) /* a power cut must not bring it back */
        s->log->names_are_new = true;
    index_release(x);
    x->n_written = 0;
    x->loaded = false;
    return rc == E_NOENT ? 0 : rc;
}

int index_forget_cache(const struct index *x, const struct segment *s)
{
    char path[SEGMENT_PATH_MAX];
    struct file *f;
    int rc = vfs_open(vfs_of(s), path_of(x, s, path), VFS_READ, &f);

    if (rc < 0)
        return rc == E_NOENT ? 0 : rc;
    (void)file_drop_cache(f, 0); /* advice */
    file_unref(f);
    return 0;
}

int index_load(struct index *x, const struct segment *s)
{
    char path[SEGMENT_PATH_MAX];
    struct file *f;
    int rc;

    ASSERT(x->n_pending == 0);
    x->n_written = 0;
    rc = vfs_open(vfs_of(s), path_of(x, s, path), VFS_READ, &f);
    x->missing = rc == E_NOENT;
    if (rc == 0) {
        rc = load_from(x, f);
        file_unref(f);
    } else if (rc == E_NOENT) {
        rc = 0;
    }
    if (rc < 0)
        x->n_written = 0;
    x->loaded = rc == 0;
    return rc;
}

void index_release(struct index *x)
{
    free(x->pending);
    x->pending = NULL;
    x->n_pending = x->cap_pending = 0;
    x->in_memory = false;
}

int index_flush(struct index *x, const struct segment *s)
{
    char path[SEGMENT_PATH_MAX];
    size_t n = index_entry_bytes(x);
    struct file *f;
    int rc;

    ASSERT(IMPLIES(x->n_pending > 0, x->loaded));
    if (x->in_memory || (x->n_pending == 0 && !x->missing))
        return 0;
    rc = vfs_open(vfs_of(s), path_of(x, s, path), VFS_WRITE | VFS_CREATE, &f);
    if (rc < 0)
        return rc;
    if (x->missing) /* the file is made: a name that is to be synced before anybody counts on what is in it */
        s->log->names_are_new = true;
    x->missing = false;
    if (x->n_pending > 0)
        rc = file_pwrite(f, x->pending, x->n_pending * n, x->n_written * (uint64_t)n);
    if (rc == 0) {
        x->n_written += x->n_pending;
        x->n_pending = 0;
    }
    file_unref(f);
    return rc;
}

/* Room for one more waiting entry. Where the run cannot be written now, the entry is done without:
 * a sparse index may be sparser still, and the end of the segment (segment_seal) sees to it that
 * the last one is there. */
static int make_room(struct index *x, const struct segment *s, uint8_t **out)
{
    int rc = 0;

    ASSERT(x->loaded);
    if (x->n_pending >= INDEX_PENDING_MAX)
        rc = index_flush(x, s);
    if (rc < 0)
        return rc;
    if (x->n_pending == x->cap_pending) { /* past that maximum in memory only */
        x->cap_pending = MAX(INDEX_PENDING_MAX, x->cap_pending * 2);
        x->pending = xrealloc_array(x->pending, x->cap_pending, index_entry_bytes(x));
    }
    *out = x->pending + x->n_pending * index_entry_bytes(x);
    return 0;
}

int index_add_offset(struct index *x, const struct segment *s, struct offset_entry e)
{
    int64_t relative = e.offset - s->base_offset;
    uint8_t *p;
    int rc = make_room(x, s, &p);

    ASSERT(x->kind == INDEX_OFFSET);
    ASSERT(relative >= 0 && relative <= INT32_MAX);
    if (rc < 0)
        return rc;
    put_be32(p, (uint32_t)relative);
    put_be32(p + 4, e.position);
    x->n_pending++;
    return 0;
}

int index_add_time(struct index *x, const struct segment *s, struct time_entry e)
{
    int64_t relative = e.offset - s->base_offset;
    uint8_t *p;
    int rc = make_room(x, s, &p);

    ASSERT(x->kind == INDEX_TIME);
    ASSERT(relative >= 0 && relative <= INT32_MAX);
    if (rc < 0)
        return rc;
    put_be64(p, (uint64_t)e.timestamp_ms);
    put_be32(p + 8, (uint32_t)relative);
    x->n_pending++;
    return 0;
}

/* Also makes an index whole that could not be loaded: cut back to nothing. */
int index_truncate(struct index *x, const struct segment *s, uint32_t n_entries)
{
    char path[SEGMENT_PATH_MAX];
    struct file *f;
    int rc;

    ASSERT(n_entries == 0 || x->loaded);
    ASSERT(n_entries == 0 || n_entries <= index_count(x));
    if (x->loaded && n_entries >= x->n_written) {
        x->n_pending = n_entries - x->n_written;
        return 0;
    }
    x->n_pending = 0;
    rc = vfs_open(vfs_of(s), path_of(x, s, path), VFS_WRITE, &f);
    if (rc == 0) {
        rc = file_truncate(f, n_entries * (uint64_t)index_entry_bytes(x));
        file_unref(f);
    } else if (rc == E_NOENT && n_entries == 0) {
        x->missing = true;
        rc = 0;
    }
    if (rc == 0)
        x->n_written = n_entries;
    x->loaded = rc == 0;
    return rc;
}

int index_open(struct index_reader *r, const struct index *x, const struct segment *s)
{
    char path[SEGMENT_PATH_MAX];

    ASSERT(x->loaded);
    *r = (struct index_reader){.x = x, .base_offset = s->base_offset};
    return x->n_written ? vfs_open(vfs_of(s), path_of(x, s, path), VFS_READ, &r->file) : 0;
}

void index_close(struct index_reader *r)
{
    file_unref(r->file);
    r->file = NULL;
}

static int get_entry(struct index_reader *r, uint32_t i, uint8_t entry[ENTRY_BYTES_MAX])
{
    const struct index *x = r->x;
    size_t n = index_entry_bytes(x);

    ASSERT(i < index_count(x));
    if (i < x->n_written)
        return file_pread_full(r->file, entry, n, i * (uint64_t)n);
    memcpy(entry, x->pending + (i - x->n_written) * n, n);
    return 0;
}

int index_get_offset(struct index_reader *r, uint32_t i, struct offset_entry *out)
{
    uint8_t entry[ENTRY_BYTES_MAX];
    int rc = get_entry(r, i, entry);

    ASSERT(r->x->kind == INDEX_OFFSET);
    if (rc == 0)
        *out =
            (struct offset_entry){r->base_offset + (int32_t)get_be32(entry), get_be32(entry + 4)};
    return rc;
}

int index_get_time(struct index_reader *r, uint32_t i, struct time_entry *out)
{
    uint8_t entry[ENTRY_BYTES_MAX];
    int rc = get_entry(r, i, entry);

    ASSERT(r->x->kind == INDEX_TIME);
    if (rc == 0)
        *out = (struct time_entry){(int64_t)get_be64(entry),
                                   r->base_offset + (int32_t)get_be32(entry + 8)};
    return rc;
}

/* ---- how much of it can be what an append made ---------------------------------------------- */

#define SOUND_BYTES 98304 /* read at a time: whole entries of both kinds */

struct sound {
    const struct segment *s;
    int64_t until;    /* entries of offsets below it */
    int64_t value;    /* of the last entry: position or timestamp */
    int64_t relative; /* and its offset */
};

/* Both fields rise, from above zero; but a time entry may name the first record. */
static bool entry_follows(const struct index *x, struct sound *q, const uint8_t *entry)
{
    int64_t relative = (int32_t)get_be32(entry + formats[x->kind].offset_at);
    int64_t value =
        x->kind == INDEX_OFFSET ? (int64_t)get_be32(entry + 4) : (int64_t)get_be64(entry);

    if (relative <= q->relative || value <= q->value || q->s->base_offset + relative >= q->until)
        return false;
    if (x->kind == INDEX_OFFSET && (uint64_t)value >= q->s->size_bytes)
        return false;
    q->relative = relative;
    q->value = value;
    return true;
}

int index_count_sound(const struct index *x, const struct segment *s, int64_t until, uint32_t *n)
{
    struct sound q = {.s = s, .until = until};
    size_t each = index_entry_bytes(x);
    struct index_reader r;
    uint8_t *bytes;
    bool good = true;
    int rc;

    ASSERT(x->n_pending == 0);
    *n = 0;
    q.relative = x->kind == INDEX_OFFSET ? 0 : -1;
    rc = index_open(&r, x, s);
    if (rc < 0)
        return rc;
    bytes = xmalloc(SOUND_BYTES);
    while (rc == 0 && good && *n < x->n_written) {
        uint32_t m = MIN((uint32_t)(SOUND_BYTES / each), x->n_written - *n);

        rc = file_pread_full(r.file, bytes, m * each, *n * (uint64_t)each);
        for (uint32_t i = 0; rc == 0 && i < m && good; i++) {
            good = entry_follows(x, &q, bytes + i * each);
            *n += good;
        }
    }
    free(bytes);
    index_close(&r);
    return rc;
}

/* ---- searching ------------------------------------------------------------------------------ */

/* Whether an entry comes before `what`. */
typedef bool below_fn(const uint8_t *entry, int64_t base_offset, int64_t what);

static bool offset_below(const uint8_t *entry, int64_t base_offset, int64_t what)
{
    return base_offset + (int32_t)get_be32(entry) < what;
}

static bool position_below(const uint8_t *entry, int64_t base_offset, int64_t what)
{
    return get_be32(entry + 4) < what;
}

static bool time_below(const uint8_t *entry, int64_t base_offset, int64_t what)
{
    return (int64_t)get_be64(entry) < what;
}

static int count_below(struct index_reader *r, below_fn *below, int64_t what, uint32_t *n)
{
    uint32_t low = 0, high = index_count(r->x);
    uint8_t entry[ENTRY_BYTES_MAX];

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int rc = get_entry(r, middle, entry);

        if (rc < 0)
            return rc;
        if (below(entry, r->base_offset, what))
            low = middle + 1;
        else
            high = middle;
    }
    *n = low;
    return 0;
}

int index_count_below_offset(struct index_reader *r, int64_t offset, uint32_t *n)
{
    ASSERT(r->x->kind == INDEX_OFFSET);
    return count_below(r, offset_below, offset, n);
}

int index_count_below_position(struct index_reader *r, uint64_t position, uint32_t *n)
{
    ASSERT(r->x->kind == INDEX_OFFSET);
    return count_below(r, position_below, (int64_t)position, n);
}

int index_count_below_time(struct index_reader *r, int64_t timestamp_ms, uint32_t *n)
{
    ASSERT(r->x->kind == INDEX_TIME);
    return count_below(r, time_below, timestamp_ms, n);
}
