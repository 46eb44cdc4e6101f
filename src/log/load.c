/* Loading a partition directory (LogLoader, LogSegment.sanityCheck).
 *
 * Owner: struct log, core thread.
 *
 * Happy path: the files are listed -> interrupted work of a cleaner is finished or undone ->
 *             segments ascend -> the end is found by a short walk from the last index entry ->
 *             epochs, producers.
 * Invariant:  after log_load, start <= end, recovery point <= end, and the last segment ends at
 *             end.
 * Failures:   after an unclean stop, or where something does not fit, recovery (recover.c). A
 *             directory that is another topic's, or that holds what cannot be a segment: E_FORMAT,
 *             nothing is changed.
 *
 *   NNN.log.deleted, NNN.*.cleaned, *.tmp   unfinished or done with: removed
 *   NNN.log.swap                            a finished replacement of what is in its range
 *   NNN.index without NNN.log               removed
 */
#include "segment.h"

#define METADATA_BYTES_MAX 4096
#define SWAP               ".swap"
#define CLEANED            ".cleaned"

int64_t offset_of_file_name(const char *name, const char *suffix)
{
    int64_t v = 0;
    int i = 0;

    for (; i < 20 && name[i] >= '0' && name[i] <= '9'; i++) {
        if (v > (SEGMENT_BASE_MAX - (name[i] - '0')) / 10)
            return -1;
        v = v * 10 + (name[i] - '0');
    }
    return i == 20 && strcmp(name + i, suffix) == 0 ? v : -1;
}

static bool ends_with(const char *name, const char *suffix)
{
    size_t n = strlen(name), m = strlen(suffix);

    return n >= m && strcmp(name + n - m, suffix) == 0;
}

/* ---- names ---------------------------------------------------------------------------------- */

struct names {
    char **p;
    int n, cap;
};

static int collect_name(void *arg, const char *name, bool is_dir)
{
    struct names *names = arg;

    if (is_dir)
        return 0;
    if (names->n == names->cap) {
        names->cap = MAX(16, names->cap * 2);
        names->p = xrealloc_array(names->p, (size_t)names->cap, sizeof(*names->p));
    }
    names->p[names->n++] = xstrdup(name);
    return 0;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted: of one kind, by offset. */
static int names_read(struct log *l, struct names *names)
{
    int rc;

    *names = (struct names){0};
    rc = vfs_list(l->m->env->vfs, l->path, collect_name, names);
    if (rc == 0 && names->n > 0)
        qsort(names->p, (size_t)names->n, sizeof(*names->p), by_text);
    return rc;
}

static void names_release(struct names *names)
{
    for (int i = 0; i < names->n; i++)
        free(names->p[i]);
    free(names->p);
}

static int remove_name(struct log *l, const char *name)
{
    char *path = xasprintf("%s/%s", l->path, name);
    int rc = vfs_unlink(l->m->env->vfs, path);

    free(path);
    return rc == E_NOENT ? 0 : rc;
}

/* ---- leftovers of a cleaner ----------------------------------------------------------------- */

/* After the last batch of a file that is not a segment yet. */
static int end_of_file(struct log *l, const char *name, int64_t *end_offset)
{
    char *path = xasprintf("%s/%s", l->path, name);
    uint8_t header[BATCH_HEADER_BYTES];
    struct file *f;
    struct batch b;
    uint64_t at = 0, size;
    int rc = vfs_open(l->m->env->vfs, path, VFS_READ, &f);

    free(path);
    if (rc < 0)
        return rc;
    rc = file_size(f, &size);
    while (rc == 0 && at < size) {
        rc = file_pread_full(f, header, sizeof(header), at);
        if (rc == 0)
            rc = batch_decode(header, &b) < 0 ? E_CORRUPT : 0;
        if (rc == 0)
            *end_offset = batch_last_offset(&b) + 1;
        at += rc == 0 ? b.total_bytes : 0;
    }
    file_unref(f);
    return rc;
}

struct swaps {
    int64_t cleaned_min; /* base of the first unfinished file */
    int64_t from, to;    /* what the finished ones replace */
};

static int read_swaps(struct log *l, const struct names *names, struct swaps *sw)
{
    *sw = (struct swaps){INT64_MAX, INT64_MAX, 0};
    for (int i = 0; i < names->n; i++) {
        int64_t base = offset_of_file_name(names->p[i], ".log.cleaned");

        if (base >= 0)
            sw->cleaned_min = MIN(sw->cleaned_min, base);
    }
    for (int i = 0; i < names->n; i++) {
        int64_t base = offset_of_file_name(names->p[i], ".log" SWAP), end = base;
        int rc;

        if (base < 0 || base >= sw->cleaned_min)
            continue;
        rc = end_of_file(l, names->p[i], &end);
        if (rc < 0)
            return rc;
        sw->from = MIN(sw->from, base);
        sw->to = MAX(sw->to, end);
    }
    return 0;
}

static bool has_name(const struct names *names, int64_t base, const char *suffix)
{
    for (int i = 0; i < names->n; i++)
        if (offset_of_file_name(names->p[i], suffix) == base)
            return true;
    return false;
}

static int64_t base_of_any(const char *name)
{
    int64_t v = -1;
    char digits[21];

    if (strlen(name) < 20)
        return -1;
    memcpy(digits, name, 20);
    digits[20] = 0;
    v = offset_of_file_name(digits, "");
    return v;
}

static bool is_segment_file(const char *name)
{
    return ends_with(name, ".log") || ends_with(name, ".index") || ends_with(name, ".timeindex") ||
           ends_with(name, ".txnindex");
}

/* An index of a finished replacement: .swap, or, where a power cut took one rename and not the other, .cleaned. */
static bool is_late_index(const struct names *names, const char *name)
{
    int64_t base = base_of_any(name);

    return base >= 0 && ends_with(name, CLEANED) && !ends_with(name, ".log" CLEANED) &&
           has_name(names, base, ".log" SWAP) && !has_name(names, base, ".log" CLEANED);
}

/* What happens to one file; *gone when it is not to be looked at any more. */
static int settle(struct log *l, const struct names *names, const struct swaps *sw, const char *name, bool *gone)
{
    int64_t base = base_of_any(name);

    *gone = ends_with(name, ".deleted") || ends_with(name, ".tmp") ||
            (ends_with(name, CLEANED) && !is_late_index(names, name));
    if (base >= 0 && ends_with(name, SWAP))
        *gone = base >= sw->cleaned_min;
    if (base >= 0 && is_segment_file(name))
        *gone = base >= sw->from && base < sw->to;
    return *gone ? remove_name(l, name) : 0;
}

static int take(struct log *l, const char *name, const char *suffix)
{
    char *from = xasprintf("%s/%s", l->path, name);
    char *to = xasprintf("%.*s", (int)(strlen(from) - strlen(suffix)), from);
    int rc = vfs_rename(l->m->env->vfs, from, to);

    free(from);
    free(to);
    return rc;
}

static int finish_leftovers(struct log *l, const struct names *names)
{
    struct swaps sw;
    int rc = read_swaps(l, names, &sw);
    bool gone, changed = false;

    for (int i = 0; rc == 0 && i < names->n; i++) {
        rc = settle(l, names, &sw, names->p[i], &gone);
        changed = changed || gone;
    }
    for (int i = 0; rc == 0 && i < names->n; i++) {
        const char *name = names->p[i];
        bool is_swap = ends_with(name, SWAP);

        if (base_of_any(name) < 0 || base_of_any(name) >= sw.cleaned_min || (!is_swap && !is_late_index(names, name)))
            continue;
        rc = take(l, name, is_swap ? SWAP : CLEANED);
        changed = true;
    }
    l->names_are_new = l->names_are_new || changed;
    return rc;
}

/* ---- segments ------------------------------------------------------------------------------- */

static int add_segment(struct log *l, int64_t base, struct errmsg *msg)
{
    char path[SEGMENT_PATH_MAX];
    struct vfs_stat st;
    int rc = vfs_stat(l->m->env->vfs, log_file_path(l, base, ".log", path), &st);

    if (rc == 0 && st.size_bytes > INT32_MAX)
        rc = E_FORMAT;
    if (rc < 0) {
        errmsg_set(msg, "segment %lld: %s", (long long)base, err_text(rc));
        return rc;
    }
    log_segments_insert(l, segment_new(l, base, st.size_bytes));
    l->size_bytes += st.size_bytes;
    return 0;
}

static int find_segments(struct log *l, const struct names *names, struct errmsg *msg)
{
    int rc = 0;

    for (int i = 0; rc == 0 && i < names->n; i++) {
        int64_t base = offset_of_file_name(names->p[i], ".log");

        if (base >= 0)
            rc = add_segment(l, base, msg);
    }
    for (int i = 0; rc == 0 && i < names->n; i++) {
        int64_t base = base_of_any(names->p[i]);
        struct segment *s = base >= 0 ? log_segment_at_base(l, base) : NULL;

        if (s && offset_of_file_name(names->p[i], ".txnindex") == base)
            s->txns.exists = true;
        if (is_segment_file(names->p[i]) && base >= 0 && !s)
            rc = remove_name(l, names->p[i]);
    }
    return rc;
}

int load_directory(struct log *l, struct errmsg *msg)
{
    struct names names;
    int rc = names_read(l, &names);

    if (rc == 0)
        rc = finish_leftovers(l, &names);
    names_release(&names);
    if (rc < 0) {
        errmsg_set(msg, "directory %s: %s", l->path, err_text(rc));
        return rc;
    }
    rc = names_read(l, &names);
    if (rc == 0)
        rc = find_segments(l, &names, msg);
    names_release(&names);
    return rc;
}

/* ---- partition.metadata --------------------------------------------------------------------- */

static int metadata_write(struct log *l, const char *path)
{
    char id[UUID_TEXT_BYTES + 1], text[64];
    struct file *f;
    int n, rc;

    uuid_text(l->topic_id, id);
    n = snprintf(text, sizeof(text), "version: 0\ntopic_id: %s", id);
    rc = vfs_open(l->m->env->vfs, path, VFS_WRITE | VFS_CREATE | VFS_TRUNCATE, &f);
    if (rc < 0)
        return rc;
    rc = file_pwrite(f, text, (size_t)n, 0);
    file_unref(f);
    l->names_are_new = true;
    l->metadata_is_new = true;
    return rc;
}

/* The same bytes again, in place: pages that a failed sync has lost are written this time, and a torn write changes nothing. */
static int metadata_write_again(struct log *l, const char *path, const struct buf *text)
{
    struct file *f;
    int rc = vfs_open(l->m->env->vfs, path, VFS_WRITE, &f);

    if (rc < 0)
        return rc;
    rc = file_pwrite(f, text->p, text->n, 0);
    file_unref(f);
    l->metadata_is_new = true;
    return rc;
}

int metadata_make(struct log *l)
{
    char *path = xasprintf("%s/" METADATA_FILE, l->path);
    int rc = metadata_write(l, path);

    free(path);
    l->metadata_is_missing = rc < 0;
    return rc;
}

int metadata_sync(struct log *l)
{
    char *path = xasprintf("%s/" METADATA_FILE, l->path);
    struct file *f;
    int rc = vfs_open(l->m->env->vfs, path, VFS_WRITE, &f);

    free(path);
    if (rc == 0) {
        rc = file_datasync(f);
        file_unref(f);
    }
    return rc == E_NOENT ? 0 : rc; /* without a topic id there is none */
}

static bool metadata_parse(struct buf *text, struct uuid *id)
{
    const char *p = buf_cstr(text), *at = strstr(p, "topic_id: ");
    size_t n;

    if (strncmp(p, "version: 0\n", 11) != 0 || !at)
        return false;
    at += strlen("topic_id: ");
    n = strcspn(at, "\r\n");
    return uuid_parse((struct str){at, n}, id);
}

int metadata_check(struct log *l, bool may_be_lost, struct errmsg *msg)
{
    char *path = xasprintf("%s/" METADATA_FILE, l->path);
    struct uuid id;
    struct buf text;
    bool wanted = !uuid_is_zero(l->topic_id);
    int rc;

    buf_init(&text);
    rc = vfs_read_all(l->m->env->vfs, path, METADATA_BYTES_MAX, &text);
    if (rc == 0 && metadata_parse(&text, &id)) {
        if (!wanted)
            l->topic_id = id;
        else if (!uuid_eq(id, l->topic_id)) {
            errmsg_set(msg, METADATA_FILE " names another topic id");
            rc = E_FORMAT;
        }
        if (rc == 0 && may_be_lost)
            rc = metadata_write_again(l, path, &text);
    } else if ((rc == 0 || rc == E_NOENT) && dir_id_is_unread(l->dir, l->name_key)) {
        errmsg_set(msg, METADATA_FILE " does not say whose it is");
        rc = E_FORMAT; /* the next start sets the directory aside */
    } else if (rc == 0 || rc == E_NOENT) {
        /* Missing, or torn: it is written at once with the directory, and synced with the first
         * commit. */
        rc = wanted ? metadata_write(l, path) : 0;
        l->metadata_is_missing = rc == E_NOSPC && l->n_segments > 0;
        if (l->metadata_is_missing)
            rc = 0; /* a full disk does not stop a start: the next append writes it */
    }
    if (rc < 0 && rc != E_FORMAT)
        errmsg_set(msg, METADATA_FILE ": %s", err_text(rc));
    buf_release(&text);
    free(path);
    return rc;
}
