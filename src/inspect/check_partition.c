/* One partition's directory: its segments in order, and the small files beside them.
 *
 * Owner: struct check.
 *
 * Happy path: list -> segments by their offsets, each from where the one before it ended ->
 *             leader-epoch-checkpoint, producer snapshots, KRaft snapshots, partition.metadata ->
 *             leftovers of interrupted work, which are only noted.
 * Failures:   told; nothing is changed.
 */
#include "check.h"

#define SMALL_FILE_BYTES_MAX (256u << 20)

struct files {
    char **names;
    int n, cap;
};

static int collect(void *arg, const char *name, bool is_dir)
{
    struct files *f = arg;

    if (is_dir)
        return 0;
    if (f->n == f->cap) {
        f->cap = MAX(16, f->cap * 2);
        f->names = xrealloc_array(f->names, (size_t)f->cap, sizeof(*f->names));
    }
    f->names[f->n++] = xstrdup(name);
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

char *check_path(const struct check *c, const struct check_partition *p, const char *name)
{
    return xasprintf("%s/%s/%s", c->dir, p->name, name);
}

static int read_small(struct check *c, const struct check_partition *p, const char *name,
                      struct buf *b)
{
    char *path = check_path(c, p, name);
    int rc;

    buf_init(b);
    rc = vfs_read_all(c->vfs, path, SMALL_FILE_BYTES_MAX, b);
    free(path);
    return rc;
}

static bool is_segment(const char *name)
{
    return offset_in_name(name) >= 0 && strcmp(name + 20, ".log") == 0;
}

/* ---- segments ------------------------------------------------------------------------------- */

static void check_segments(struct check *c, struct check_partition *p, const struct files *f)
{
    struct topic_config config;
    int64_t expected = -1;
    int last = -1;
    bool go_on = true;

    for (int i = 0; i < f->n; i++)
        last = is_segment(f->names[i]) ? i : last;
    if (last < 0) {
        check_note(c, p, "no segment: it begins empty");
        return;
    }
    check_topic_config(c, p->topic, &config);
    p->compacted = config.cleanup & CLEANUP_COMPACT;
    for (int i = 0; i <= last && go_on; i++) {
        struct segment_facts facts = {offset_in_name(f->names[i]), i == last, c->clean,
                                      config.index_interval_bytes};
        int64_t next = INT64_MAX;

        if (!is_segment(f->names[i]))
            continue;
        for (int k = i + 1; k <= last && next == INT64_MAX; k++)
            next = is_segment(f->names[k]) ? offset_in_name(f->names[k]) : next;
        facts.index_is_sure = c->clean || next < p->recovery_point;
        go_on = check_segment(c, p, &facts, &expected);
        if (!go_on && i < last)
            check_note(c, p, "what follows %s was not looked at", f->names[i]);
    }
    if (go_on && p->recovery_point > expected)
        check_fault(c, p,
                    "ends at offset %lld, before its recovery point %lld: flushed records are gone",
                    (long long)expected, (long long)p->recovery_point);
    topic_config_release(&config);
}

/* ---- small files ---------------------------------------------------------------------------- */

/* "0", a count, and so many lines "epoch offset", both rising (LeaderEpochCheckpointFile). */
static bool epochs_hold(const char *text)
{
    long long count, epoch, offset, last_epoch = -1, last_offset = -1;
    int n = 0;

    if (sscanf(text, "0\n%lld\n%n", &count, &n) != 1 || n == 0)
        return false;
    for (text += n; count > 0 && sscanf(text, "%lld %lld%n", &epoch, &offset, &n) == 2; count--) {
        if (epoch <= last_epoch || offset <= last_offset || text[n] != '\n')
            return false;
        last_epoch = epoch;
        last_offset = offset;
        text += n + 1;
    }
    return count == 0 && !*text;
}

static void check_epochs(struct check *c, struct check_partition *p, const char *name)
{
    struct buf b;
    int rc = read_small(c, p, name, &b);

    if (rc < 0 || memchr(b.p ? b.p : (const uint8_t *)"", 0, b.n) || !epochs_hold(buf_cstr(&b))) {
        check_fault(c, p, "%s: %s", name, rc < 0 ? err_text(rc) : "not whole");
        p->rebuild = true;
    }
    buf_release(&b);
}

/* | i16 version 1 | u32 CRC-32C of what follows | i32 count | entries of 46 bytes (src/log/snapshot.c) */
static void check_snapshot(struct check *c, struct check_partition *p, const char *name)
{
    struct buf b;
    int rc = read_small(c, p, name, &b);
    bool whole = rc == 0 && b.n >= 10 && get_be16(b.p) == 1 &&
                 crc32c(0, b.p + 6, b.n - 6) == get_be32(b.p + 2) &&
                 b.n == 10 + (size_t)46 * get_be32(b.p + 6);

    if (!whole) {
        check_fault(c, p, "%s: %s (%llu bytes)", name,
                    rc < 0 ? err_text(rc) : "not a whole producer snapshot",
                    (unsigned long long)b.n);
        p->bad_snapshots =
            xrealloc_array(p->bad_snapshots, (size_t)p->n_bad_snapshots + 1, sizeof(char *));
        p->bad_snapshots[p->n_bad_snapshots++] = check_path(c, p, name);
    }
    buf_release(&b);
}

/* A KRaft snapshot begins and ends with a control batch. Nobody can make it anew but who wrote it. */
static void check_kraft_snapshot(struct check *c, struct check_partition *p, const char *name)
{
    char *path = check_path(c, p, name);
    struct batch b = {0}, checked;
    const uint8_t *bytes;
    struct scan s;
    uint64_t position;
    int n = 0, rc = scan_open(&s, c->vfs, path);
    bool begins = false;

    while (rc == 0 && (rc = scan_next(&s, &b, &bytes, &position)) > 0) {
        rc = batch_check(bytes, b.total_bytes, &checked) < 0 ? E_CORRUPT : 0;
        begins = n == 0 ? b.attributes & BATCH_CONTROL : begins;
        n++;
    }
    if (rc < 0 || !begins || n < 2 || !(b.attributes & BATCH_CONTROL))
        check_fault(c, p,
                    "%s: not a whole snapshot: position %llu of %llu bytes; restore it, or remove "
                    "it where the log before it is still there",
                    name, (unsigned long long)s.position, (unsigned long long)s.end);
    c->n_bytes += s.end;
    scan_close(&s);
    free(path);
}

static void check_metadata(struct check *c, struct check_partition *p, const char *name)
{
    static const char head[] = "version: 0\ntopic_id: ";
    struct uuid known = check_topic_id(c, p->topic), id = UUID_ZERO;
    struct buf b;
    int rc = read_small(c, p, name, &b);
    const char *text = rc == 0 ? buf_cstr(&b) : "";
    bool good = strncmp(text, head, sizeof(head) - 1) == 0;

    if (good) {
        text += sizeof(head) - 1;
        good = uuid_parse((struct str){text, strcspn(text, "\r\n")}, &id);
    }
    if (!good)
        check_fault(c, p, "%s: %s", name, rc < 0 ? err_text(rc) : "not whole");
    else if (!uuid_is_zero(known) && !uuid_eq(known, id))
        check_fault(c, p, "%s: another topic id than in the metadata log", name);
    buf_release(&b);
}

static const struct {
    const char *suffix;
    const char *what;
} leftovers[] = {
    {".deleted", "was about to be removed"},
    {".cleaned", "left from an interrupted cleaning: removed at the next start"},
    {".swap", "left from an interrupted cleaning: put in place at the next start"},
    {".tmp", "left from an interrupted write: removed at the next start"},
    {".corrupt", "kept aside by an earlier recovery; yours to look at or remove"},
};

static void check_other(struct check *c, struct check_partition *p, const char *name)
{
    char log[32], *path;
    struct vfs_stat st;

    for (size_t i = 0; i < ARRAY_SIZE(leftovers); i++) {
        if (name_ends(name, leftovers[i].suffix))
            check_note(c, p, "%s: %s", name, leftovers[i].what);
    }
    if (offset_in_name(name) < 0 ||
        !(strcmp(name + 20, ".index") == 0 || strcmp(name + 20, ".timeindex") == 0))
        return;
    snprintf(log, sizeof(log), "%.20s.log", name);
    path = check_path(c, p, log);
    if (vfs_stat(c->vfs, path, &st) == E_NOENT)
        check_note(c, p, "%s: of no segment: removed at the next start", name);
    free(path);
}

static void check_file(struct check *c, struct check_partition *p, const char *name)
{
    if (strcmp(name, "leader-epoch-checkpoint") == 0)
        check_epochs(c, p, name);
    else if (strcmp(name, "partition.metadata") == 0)
        check_metadata(c, p, name);
    else if (offset_in_name(name) >= 0 && strcmp(name + 20, ".snapshot") == 0)
        check_snapshot(c, p, name);
    else if (offset_in_name(name) >= 0 && name[20] == '-' && name_ends(name, ".checkpoint"))
        check_kraft_snapshot(c, p, name);
    else
        check_other(c, p, name);
}

void check_partition(struct check *c, struct check_partition *p)
{
    char *path = xasprintf("%s/%s", c->dir, p->name);
    struct files f = {0};
    int rc = vfs_list(c->vfs, path, collect, &f);

    p->bad_batch_segment = p->bad_index_segment = INT64_MAX;
    if (rc < 0)
        check_fault(c, p, "%s", err_text(rc));
    if (f.n > 0)
        qsort(f.names, (size_t)f.n, sizeof(*f.names), by_name);
    check_segments(c, p, &f);
    for (int i = 0; i < f.n; i++) {
        check_file(c, p, f.names[i]);
        free(f.names[i]);
    }
    free(f.names);
    free(path);
    if (p->n_faults > 0)
        c->n_bad_partitions++;
}
