/* Segments and indexes of a stopped broker, by Kafka's rules (LogSegment.append, onBecomeInactiveSegment) and no code of the log's.
 *
 *   index      | last offset of a batch - base | its position |          when more than the interval was written since the last one
 *   timeindex  | timestamp | last offset of its batch - base |          with it, where the largest timestamp grew; and when closed
 *
 * Which batches have entries also depends on when the broker was started again: counting begins anew then, as in Kafka. So entries are
 * checked one by one, and indexes with fewer than a broker that never stopped would have made are counted.
 */
#include "check_dir.h"

#include "record.h"

#define FILE_BYTES_MAX (64u << 20)
#define SUFFIX_LOG     ".log"
#define NAME_DIGITS    20

struct checker {
    struct vfs *v;
    char *path; /* of the directory that is listed */
    uint32_t interval;
    int64_t *bases;
    int n_bases, cap_bases;
    char **dirs;
    int n_dirs, cap_dirs;
    uint64_t n_sparse;
    check_dir_wrong *wrong;
    void *arg;
};

static void violation(struct checker *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void violation(struct checker *c, const char *fmt, ...)
{
    char text[400];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    c->wrong(c->arg, text);
}

static bool ends_with(const char *name, const char *suffix)
{
    size_t n = strlen(name), k = strlen(suffix);

    return n >= k && strcmp(name + n - k, suffix) == 0;
}

static bool read_file(struct checker *c, int64_t base, const char *suffix, struct buf *out)
{
    char *path = xasprintf("%s/%020lld%s", c->path, (long long)base, suffix);
    int rc = vfs_read_all(c->v, path, FILE_BYTES_MAX, out);

    if (rc < 0 && rc != E_NOENT)
        violation(c, "%s: %s", path, err_name(rc));
    free(path);
    return rc == 0;
}

/* ---- the batches of a segment --------------------------------------------------------------- */

struct place {
    int64_t last_offset; /* relative, like all in an index */
    uint32_t position, bytes;
    int64_t max_ms;
    bool grows; /* the first batch with so large a timestamp */
};
struct segment_view {
    int64_t base, next;
    struct place *places;
    size_t n;
    int64_t newest_ms;
};

/* What is compacted: by the names that the simulator and the sweep give, and those of internal topics. */
static bool may_have_gaps(const struct checker *c)
{
    static const char *const compacted[] = {"keys", "txnkeys", "__consumer_offsets",
                                            "__transaction_state"};
    const char *slash = strrchr(c->path, '/'), *name = slash ? slash + 1 : c->path;

    for (size_t i = 0; i < ARRAY_SIZE(compacted); i++)
        if (strncmp(name, compacted[i], strlen(compacted[i])) == 0)
            return true;
    return false;
}

static void take_batches(struct checker *c, struct segment_view *s, const struct buf *log)
{
    struct batch b;

    for (size_t at = 0; at < log->n; at += b.total_bytes) {
        if (batch_check(log->p + at, log->n - at, &b) < 0) {
            violation(c, "%s/%020lld.log: no whole batch at %zu of %zu", c->path, (long long)s->base,
                      at, log->n);
            return;
        }
        if (b.base_offset != s->next && (b.base_offset < s->next || !may_have_gaps(c)))
            violation(c, "%s/%020lld.log: offset %lld at %zu, expected %lld", c->path,
                      (long long)s->base, (long long)b.base_offset, at, (long long)s->next);
        s->next = batch_last_offset(&b) + 1;
        if ((s->n & (s->n - 1)) == 0) /* room doubles */
            s->places = xrealloc_array(s->places, MAX(16, s->n * 2), sizeof(*s->places));
        s->places[s->n++] = (struct place){.last_offset = s->next - 1 - s->base,
                                           .position = (uint32_t)at,
                                           .bytes = b.total_bytes,
                                           .max_ms = b.max_timestamp_ms,
                                           .grows = b.max_timestamp_ms > s->newest_ms};
        s->newest_ms = MAX(s->newest_ms, b.max_timestamp_ms);
    }
}

static const struct place *place_of(const struct segment_view *s, uint32_t last_offset)
{
    size_t low = 0, high = s->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (s->places[middle].last_offset < (int64_t)last_offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low < s->n && s->places[low].last_offset == last_offset ? &s->places[low] : NULL;
}

/* ---- its indexes ---------------------------------------------------------------------------- */

/* Every entry is one that an append makes, in order. False: the first that is not is at *bad. */
static bool offsets_good(const struct segment_view *s, const struct buf *index, size_t *bad)
{
    int64_t last = -1;

    for (size_t at = 0; at + 8 <= index->n; at += 8) {
        uint32_t offset = get_be32(index->p + at);
        const struct place *p = place_of(s, offset);

        *bad = at / 8;
        if (!p || p->position != get_be32(index->p + at + 4) || (int64_t)offset <= last)
            return false;
        last = offset;
    }
    *bad = index->n / 8;
    return index->n % 8 == 0;
}

/* *bad: the first entry that is not good, or how many there are. */
static bool times_good(const struct segment_view *s, const struct buf *index, size_t *bad)
{
    int64_t last_ms = -1;

    for (size_t at = 0; at + 12 <= index->n; at += 12) {
        int64_t ms = (int64_t)get_be64(index->p + at);
        const struct place *p = place_of(s, get_be32(index->p + at + 8));

        *bad = at / 12;
        if (!p || p->max_ms != ms || !p->grows || ms <= last_ms)
            return false;
        last_ms = ms;
    }
    *bad = index->n / 12;
    return index->n % 12 == 0 && last_ms == s->newest_ms;
}

/* Entries that LogSegment.append makes, one process from the first batch to the last. */
static size_t offsets_due(const struct segment_view *s, uint32_t interval)
{
    uint32_t since = 0;
    size_t n = 0;

    for (size_t i = 0; i < s->n; i++) {
        if (since > interval) {
            n++;
            since = 0;
        }
        since += s->places[i].bytes;
    }
    return n;
}

/* "(5,100) (9,420)": what is in an index, some before the one at `bad`. */
static const char *entries_text(const struct buf *index, size_t bad, bool times, struct buf *out)
{
    size_t each = times ? 12 : 8;

    for (size_t at = (bad > 2 ? bad - 2 : 0) * each; at + each <= index->n && at <= (bad + 1) * each; at += each) {
        const uint8_t *p = index->p + at;

        if (times)
            buf_printf(out, " (%lld,%u)", (long long)get_be64(p), get_be32(p + 8));
        else
            buf_printf(out, " (%u,%u)", get_be32(p), get_be32(p + 4));
    }
    buf_printf(out, index->n % each ? " and a part of one" : "");
    return buf_cstr(out);
}

/* Where there was no space for them a segment goes without both of its indexes: Apache Kafka makes them anew, as we do. had_other: the
 * other one is there. Whether this one is. */
static bool check_index(struct checker *c, const struct segment_view *s, bool times, bool had_other)
{
    struct buf index, text;
    size_t bad = 0;
    bool is_there;

    buf_init(&index);
    buf_init(&text);
    is_there = read_file(c, s->base, times ? ".timeindex" : ".index", &index);
    if (!is_there && !had_other)
        c->n_sparse++;
    else if (times ? !times_good(s, &index, &bad) : !offsets_good(s, &index, &bad))
        violation(c, "%s/%020lld%s has%s: not what its log gives, entry %zu; the largest timestamp is %lld",
                  c->path, (long long)s->base, times ? ".timeindex" : ".index",
                  entries_text(&index, bad, times, &text), bad, (long long)s->newest_ms);
    if (!times && index.n / 8 < offsets_due(s, c->interval))
        c->n_sparse++;
    buf_release(&index);
    buf_release(&text);
    return is_there;
}

static int64_t check_segment(struct checker *c, int64_t base)
{
    struct segment_view s = {.base = base, .next = base, .newest_ms = -1};
    struct buf log;

    buf_init(&log);
    (void)read_file(c, base, SUFFIX_LOG, &log);
    take_batches(c, &s, &log);
    (void)check_index(c, &s, true, check_index(c, &s, false, true));
    buf_release(&log);
    free(s.places);
    return s.next;
}

static int take_file(void *arg, const char *name, bool is_dir)
{
    struct checker *c = arg;

    if (ends_with(name, ".tmp") || ends_with(name, ".swap") || ends_with(name, ".cleaned"))
        violation(c, "%s/%s was left over", c->path, name);
    if (ends_with(name, SUFFIX_LOG) && strlen(name) == NAME_DIGITS + strlen(SUFFIX_LOG)) {
        if (c->n_bases == c->cap_bases) {
            c->cap_bases = c->cap_bases ? c->cap_bases * 2 : 64;
            c->bases = xrealloc_array(c->bases, (size_t)c->cap_bases, sizeof(*c->bases));
        }
        c->bases[c->n_bases++] = strtoll(name, NULL, 10);
    }
    return 0;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static void check_partition(struct checker *c, char *path)
{
    int64_t next = -1;

    c->path = path;
    c->n_bases = 0;
    (void)vfs_list(c->v, path, take_file, c);
    qsort(c->bases, (size_t)c->n_bases, sizeof(*c->bases), by_value);
    if ((c->n_bases == 0) != ends_with(path, "-future")) /* Kafka goes on with one: from nothing */
        violation(c, "%s: %d segments", path, c->n_bases);
    for (int i = 0; i < c->n_bases; i++) {
        /* Recovery keeps the name of a segment whose bytes a power cut took, behind a gap that compaction may have left: offsets are
         * not given twice. */
        if (next >= 0 && c->bases[i] != next && (c->bases[i] < next || !may_have_gaps(c)))
            violation(c, "%s: segment %lld after an end at %lld", path, (long long)c->bases[i],
                      (long long)next);
        next = check_segment(c, c->bases[i]);
    }
}

static int take_dir(void *arg, const char *name, bool is_dir)
{
    struct checker *c = arg;

    if (is_dir && !ends_with(name, "-delete") && !ends_with(name, "-stray")) {
        if (c->n_dirs == c->cap_dirs) {
            c->cap_dirs = c->cap_dirs ? c->cap_dirs * 2 : 64;
            c->dirs = xrealloc_array(c->dirs, (size_t)c->cap_dirs, sizeof(*c->dirs));
        }
        c->dirs[c->n_dirs++] = xasprintf("%s/%s", c->path, name);
    } else if (!is_dir) {
        return take_file(arg, name, false);
    }
    return 0;
}

uint64_t check_dir(struct vfs *v, const char *path, uint32_t index_interval_bytes,
                   check_dir_wrong *wrong, void *arg)
{
    struct checker c = {.v = v, .interval = index_interval_bytes, .wrong = wrong, .arg = arg};
    char *root = xstrdup(path);

    c.path = root;
    (void)vfs_list(v, path, take_dir, &c);
    for (int i = 0; i < c.n_dirs; i++) {
        check_partition(&c, c.dirs[i]);
        free(c.dirs[i]);
    }
    free(c.dirs);
    free(c.bases);
    free(root);
    return c.n_sparse;
}
