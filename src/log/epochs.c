/* Leader epochs: since which offset each has written (LeaderEpochFileCache; the file
 * leader-epoch-checkpoint).
 *
 * Owner: struct log, core thread.
 *
 * File:       "0\n" version, "<n>\n", then n lines "<epoch> <start offset>\n".
 * Happy path: load -> assign as batches come -> the file is written when an entry is new.
 * Invariant:  epochs and start offsets both rise.
 * Failures:   E_CORRUPT for a file that is not of this form: recovery and replay build the entries
 *             anew from the batches. The file is not synced: it is derived.
 */
#include "segment.h"

#define EPOCHS_FILE           "leader-epoch-checkpoint"
#define EPOCHS_FILE_BYTES_MAX (16 * 1024 * 1024)
#define CHECKPOINT_VERSION    0

struct epochs *epochs_new(void)
{
    return xcalloc(1, sizeof(struct epochs));
}

void epochs_free(struct epochs *e)
{
    if (!e)
        return;
    free(e->entries);
    free(e);
}

static void append(struct epochs *e, int32_t epoch, int64_t start_offset)
{
    if (e->n == e->cap) {
        e->cap = MAX(1, e->cap * 2);
        e->entries = xrealloc_array(e->entries, (size_t)e->cap, sizeof(*e->entries));
    }
    e->entries[e->n++] = (struct epoch_entry){epoch, start_offset};
}

static bool sound(const struct epochs *e)
{
    for (int i = 1; i < e->n; i++) {
        if (e->entries[i - 1].epoch >= e->entries[i].epoch)
            return false;
        if (e->entries[i - 1].start_offset >= e->entries[i].start_offset)
            return false;
    }
    return e->n == 0 || (e->entries[0].epoch >= 0 && e->entries[0].start_offset >= 0);
}

/* A decimal number up to `end_mark`, which is passed over. */
static bool take_number(const char **at, const char *end, char end_mark, int64_t max, int64_t *out)
{
    const char *p = *at;
    int64_t v = 0;

    for (; p < end && *p >= '0' && *p <= '9'; p++) {
        if (v > (max - (*p - '0')) / 10)
            return false;
        v = v * 10 + (*p - '0');
    }
    if (p == *at || p == end || *p != end_mark)
        return false;
    *at = p + 1;
    *out = v;
    return true;
}

int epochs_parse(struct epochs *e, struct bytes text)
{
    const char *at = (const char *)text.p, *end = at + text.n;
    int64_t version, count, epoch, start_offset;
    bool ok;

    e->n = 0;
    ok = take_number(&at, end, '\n', INT32_MAX, &version) && version == CHECKPOINT_VERSION &&
         take_number(&at, end, '\n', INT32_MAX, &count);
    while (ok && count-- > 0) {
        ok = take_number(&at, end, ' ', INT32_MAX, &epoch) &&
             take_number(&at, end, '\n', INT64_MAX, &start_offset);
        if (ok)
            append(e, (int32_t)epoch, start_offset);
    }
    if (ok && at == end && sound(e))
        return 0;
    e->n = 0;
    return E_CORRUPT;
}

void epochs_print(const struct epochs *e, struct buf *out)
{
    ASSERT(sound(e));
    buf_printf(out, "%d\n%d\n", CHECKPOINT_VERSION, e->n);
    for (int i = 0; i < e->n; i++)
        buf_printf(out, "%d %lld\n", e->entries[i].epoch, (long long)e->entries[i].start_offset);
}

int32_t epochs_latest(const struct epochs *e)
{
    return e->n > 0 ? e->entries[e->n - 1].epoch : -1;
}

bool epochs_assign(struct epochs *e, int32_t epoch, int64_t start_offset)
{
    if (epoch < 0 || epoch <= epochs_latest(e))
        return false;
    /* An epoch that wrote nothing is replaced by the next one. */
    if (e->n > 0 && e->entries[e->n - 1].start_offset >= start_offset)
        epochs_truncate_end(e, start_offset);
    append(e, epoch, start_offset);
    e->changed = true;
    ASSERT_SLOW(sound(e));
    return true;
}

int32_t epochs_at(const struct epochs *e, int64_t offset)
{
    for (int i = e->n - 1; i >= 0; i--) {
        if (e->entries[i].start_offset <= offset)
            return e->entries[i].epoch;
    }
    return -1;
}

/* LeaderEpochFileCache.endOffsetFor. */
void epochs_end(const struct epochs *e, int32_t epoch, int64_t log_end, int32_t *found_epoch,
                int64_t *end_offset)
{
    int higher = 0;

    *found_epoch = -1;
    *end_offset = -1;
    if (epoch < 0 || epoch > epochs_latest(e))
        return;
    while (higher < e->n && e->entries[higher].epoch <= epoch)
        higher++;
    /* Asked for one before all that is known: it can have written nothing past where the first
     * known one begins. */
    *found_epoch = higher > 0 ? e->entries[higher - 1].epoch : epoch;
    *end_offset = higher < e->n ? e->entries[higher].start_offset : log_end;
}

void epochs_truncate_end(struct epochs *e, int64_t end_offset)
{
    while (e->n > 0 && e->entries[e->n - 1].start_offset >= end_offset) {
        e->n--;
        e->changed = true;
    }
}

void epochs_truncate_start(struct epochs *e, int64_t start_offset)
{
    int gone = 0;

    while (gone + 1 < e->n && e->entries[gone + 1].start_offset <= start_offset)
        gone++;
    if (gone > 0) {
        memmove(e->entries, e->entries + gone, (size_t)(e->n - gone) * sizeof(*e->entries));
        e->n -= gone;
        e->changed = true;
    }
    if (e->n > 0 && e->entries[0].start_offset < start_offset) {
        e->entries[0].start_offset = start_offset;
        e->changed = true;
    }
}

static void path_of(const struct log *l, const char *suffix, char out[SEGMENT_PATH_MAX])
{
    int n = snprintf(out, SEGMENT_PATH_MAX, "%s/" EPOCHS_FILE "%s", l->path, suffix);

    ASSERT(n > 0 && n < SEGMENT_PATH_MAX);
}

int epochs_load(struct log *l)
{
    char path[SEGMENT_PATH_MAX];
    struct buf text;
    int rc;

    path_of(l, "", path);
    buf_init(&text);
    rc = vfs_read_all(l->m->env->vfs, path, EPOCHS_FILE_BYTES_MAX, &text);
    if (rc == 0)
        rc = epochs_parse(l->epochs, bytes_of(text.p, text.n));
    else if (rc == E_NOENT)
        rc = 0;
    else if (rc == E_LIMIT)
        rc = E_CORRUPT;
    l->epochs->changed = false;
    buf_release(&text);
    return rc;
}

int epochs_save(struct log *l)
{
    char path[SEGMENT_PATH_MAX], aside[SEGMENT_PATH_MAX];
    struct vfs *v = l->m->env->vfs;
    struct file *f;
    struct buf text;
    int rc;

    path_of(l, "", path);
    path_of(l, ".tmp", aside);
    buf_init(&text);
    epochs_print(l->epochs, &text);
    rc = vfs_open(v, aside, VFS_WRITE | VFS_CREATE | VFS_TRUNCATE, &f);
    if (rc == 0) {
        rc = file_pwrite(f, text.p, text.n, 0);
        file_unref(f);
    }
    if (rc == 0)
        rc = vfs_rename(v, aside, path);
    buf_release(&text);
    if (rc == 0)
        l->epochs->changed = false;
    return rc;
}
