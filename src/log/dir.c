/* A log directory: its lock, its partitions, its clean-shutdown marker.
 *
 * Owner: struct log_dir, core thread; at start and stop only, so it blocks.
 *
 * At start:   lock -> meta.properties (properties.c) -> list the partitions -> is the marker there?
 *             -> (logm.c: the journal) -> dir_unmark.
 * At a clean stop, last of all: dir_mark.
 * Invariant:  the marker is there only while nobody has changed the directory since a stop at which
 *             all was flushed. It is removed, and its removal synced, before any partition is
 *             touched (KAFKA-10471), and written only when every log that needed recovery got it
 *             (KAFKA-15375, KAFKA-13773).
 * Failures:   anything at start is an error in one line; nothing was changed then but a lock file.
 */
#include "directory.h"

#define PARTITION_METADATA_NAME      "partition.metadata"
#define PARTITION_METADATA_BYTES_MAX 4096
#define MARKER_TEXT                  "{\"version\":0,\"brokerEpoch\":%lld}" /* CleanShutdownFileHandler.Content */
#define TOPIC_BYTES_MAX              249

char *dir_file_path(const struct log_dir *d, const char *name, char out[DIR_PATH_MAX])
{
    int n = snprintf(out, DIR_PATH_MAX, "%s/%s", d->path, name);

    ASSERT(n > 0);
    ASSERT(n < DIR_PATH_MAX);
    return out;
}

/* ---- names ---------------------------------------------------------------------------------- */

static bool topic_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

static bool topic_name(const char *p, size_t n)
{
    if (n == 0 || n > TOPIC_BYTES_MAX || (n <= 2 && memcmp(p, "..", n) == 0))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!topic_char(p[i]))
            return false;
    }
    return true;
}

bool dir_parse_name(const char *name, size_t *topic_bytes, int32_t *partition)
{
    const char *dash = strrchr(name, '-');
    int64_t number = 0;

    if (!dash || !topic_name(name, (size_t)(dash - name)) || !dash[1])
        return false;
    for (const char *p = dash + 1; *p; p++) {
        if (*p < '0' || *p > '9')
            return false;
        number = number * 10 + (*p - '0');
        if (number > INT32_MAX)
            return false;
    }
    *topic_bytes = (size_t)(dash - name);
    *partition = (int32_t)number;
    return dash[1] != '0' || !dash[2]; /* "007" is not what we would write */
}

static bool ends_with(const char *name, const char *suffix)
{
    size_t n = strlen(name), n_suffix = strlen(suffix);

    return n > n_suffix && memcmp(name + n - n_suffix, suffix, n_suffix) == 0;
}

bool dir_is_future(const char *name)
{
    return ends_with(name, DIR_FUTURE_SUFFIX) && strchr(name, '.');
}

void dir_aside_name(struct rng *rng, const char *name_key, size_t topic_bytes, const char *suffix,
                    char out[DIR_NAME_MAX + 1])
{
    struct uuid u = rng_uuid(rng);
    char hex[33];
    size_t room;
    int n;

    for (int i = 0; i < 16; i++)
        snprintf(hex + (size_t)i * 2, 3, "%02x", u.b[i]);
    room = DIR_NAME_MAX - strlen(name_key + topic_bytes) - 1 - 32 - strlen(suffix);
    n = snprintf(out, DIR_NAME_MAX + 1, "%.*s%s.%s%s", (int)MIN(topic_bytes, room), name_key,
                 name_key + topic_bytes, hex, suffix);
    ASSERT(n > 0);
    ASSERT(n <= DIR_NAME_MAX);
}

/* ---- entries -------------------------------------------------------------------------------- */

static struct dir_entry *find_any(const struct log_dir *d, const char *name_key)
{
    struct dir_entry *e;

    HASH_FIND(by_name, d->entries, name_key, strlen(name_key), e);
    return e;
}

struct dir_entry *dir_entry_find(const struct log_dir *d, const char *name_key)
{
    struct dir_entry *e = find_any(d, name_key);

    return e && !e->gone ? e : NULL;
}

static struct dir_entry *entry_new(struct log_dir *d, const char *name_key)
{
    struct dir_entry *e = xcalloc(1, sizeof(*e));
    size_t topic_bytes = 0;
    bool is_name = dir_parse_name(name_key, &topic_bytes, &e->partition);

    ASSERT(is_name);
    e->name_key = xstrdup(name_key);
    e->topic_bytes = (uint16_t)topic_bytes;
    for (int k = 0; k < CHECKPOINT_KINDS; k++)
        e->value[k] = e->written[k] = CHECKPOINT_NONE;
    HASH_ADD_KEYPTR(by_name, d->entries, e->name_key, strlen(e->name_key), e);
    return e;
}

static void entry_free(struct log_dir *d, struct dir_entry *e)
{
    HASH_DELETE(by_name, d->entries, e);
    free(e->name_key);
    free(e);
}

struct dir_entry *dir_entry_add(struct log_dir *d, const char *name_key)
{
    struct dir_entry *e = find_any(d, name_key);

    d->n_entries++;
    if (!e)
        return entry_new(d, name_key);
    ASSERT(e->gone);
    e->gone = false;
    e->topic_id = UUID_ZERO;
    e->id_unread = false;
    for (int k = 0; k < CHECKPOINT_KINDS; k++) {
        bool may_be_in_file = e->written[k] != CHECKPOINT_NONE || e->value[k] != CHECKPOINT_NONE;

        e->stale[k] = may_be_in_file ? STALE_LINE : STALE_NONE;
        if (may_be_in_file)
            checkpoint_want(d, (enum checkpoint_kind)k);
    }
    return e;
}

void dir_entry_add_gone(struct log_dir *d, const char *name_key, enum checkpoint_kind kind,
                        int64_t offset)
{
    struct dir_entry *e = find_any(d, name_key);

    if (!e) {
        e = entry_new(d, name_key);
        e->gone = true;
    }
    ASSERT(e->gone);
    e->value[kind] = e->written[kind] = offset;
}

void dir_entry_remove(struct log_dir *d, struct dir_entry *e)
{
    ASSERT(!e->log);
    ASSERT(!e->gone);
    ASSERT(d->n_entries > 0);
    d->n_entries--;
    if (e->unrecovered)
        d->n_unrecovered--;
    e->unrecovered = false;
    e->refused = false;
    e->gone = true;
    for (int k = 0; k < CHECKPOINT_KINDS; k++)
        checkpoint_want(d, (enum checkpoint_kind)k);
}

void dir_refuse(struct log_dir *d, const char *name_key)
{
    struct dir_entry *e = dir_entry_find(d, name_key);

    if (e && e->unrecovered)
        e->refused = true;
}

bool dir_id_is_unread(const struct log_dir *d, const char *name_key)
{
    const struct dir_entry *e = dir_entry_find(d, name_key);

    return e && e->id_unread && !d->was_clean;
}

bool dir_is_refused(const struct log_dir *d, const char *name_key)
{
    const struct dir_entry *e = dir_entry_find(d, name_key);

    return e && e->refused;
}

void dir_entry_forget(struct log_dir *d, struct dir_entry *e)
{
    ASSERT(e->gone);
    entry_free(d, e);
}

/* ---- start ---------------------------------------------------------------------------------- */

static int take_lock(struct log_dir *d, struct errmsg *msg)
{
    char path[DIR_PATH_MAX];
    int rc = vfs_open(d->m->env->vfs, dir_file_path(d, DIR_LOCK_NAME, path), VFS_WRITE | VFS_CREATE,
                      &d->lock);

    if (rc < 0) {
        errmsg_set(msg, "log directory %s: %s: %s", d->path, DIR_LOCK_NAME, err_text(rc));
        return rc;
    }
    rc = file_lock(d->lock);
    if (rc == E_LOCKED)
        errmsg_set(msg, "log directory %s is used by another broker (its file %s is locked)",
                   d->path, DIR_LOCK_NAME);
    else if (rc < 0)
        errmsg_set(msg, "log directory %s: %s: %s", d->path, DIR_LOCK_NAME, err_text(rc));
    return rc;
}

struct listing {
    struct log_dir *d;
    struct buf *leftovers;
};

static int list_entry(void *arg, const char *name, bool is_dir)
{
    struct listing *at = arg;
    size_t topic_bytes;
    int32_t partition;

    if (!is_dir)
        return 0;
    if (ends_with(name, DIR_DELETE_SUFFIX) || dir_is_future(name))
        buf_put(at->leftovers, name, strlen(name) + 1);
    else if (dir_parse_name(name, &topic_bytes, &partition))
        (void)dir_entry_add(at->d, name);
    else if (ends_with(name, DIR_STRAY_SUFFIX))
        diag_warn("%s/%s was set aside, and is not used; it may be removed", at->d->path, name);
    return 0;
}

int dir_read_topic_id(struct vfs *v, const char *partition_path, struct uuid *out)
{
    static const char key[] = "topic_id: ";
    char path[DIR_PATH_MAX];
    struct buf text;
    const char *at;
    size_t n;
    int rc;

    *out = UUID_ZERO;
    n = (size_t)snprintf(path, sizeof(path), "%s/" PARTITION_METADATA_NAME, partition_path);
    ASSERT(n < sizeof(path));
    buf_init(&text);
    rc = vfs_read_all(v, path, PARTITION_METADATA_BYTES_MAX, &text);
    if (rc < 0)
        goto out;
    at = strstr(buf_cstr(&text), key);
    n = at ? strcspn(at + strlen(key), "\r\n") : 0;
    if (!at || !uuid_parse((struct str){at + strlen(key), n}, out))
        rc = E_FORMAT;
out:
    buf_release(&text);
    return rc == E_NOENT ? 0 : rc;
}

static void read_topic_ids(struct log_dir *d)
{
    char path[DIR_PATH_MAX];

    for (struct dir_entry *e = d->entries; e; e = e->by_name.next) {
        int rc =
            dir_read_topic_id(d->m->env->vfs, dir_file_path(d, e->name_key, path), &e->topic_id);

        e->id_unread = rc < 0 && rc != E_FORMAT;
        if (rc < 0)
            diag_warn("%s/" PARTITION_METADATA_NAME ": %s%s", path, err_text(rc),
                      rc == E_FORMAT ? "; taken as missing" : "");
    }
}

static int find_marker(struct log_dir *d)
{
    struct vfs_stat st;
    char path[DIR_PATH_MAX];
    int rc = vfs_stat(d->m->env->vfs, dir_file_path(d, DIR_MARKER_NAME, path), &st);

    d->was_clean = rc == 0;
    return rc == E_NOENT ? 0 : rc;
}

/* What a stop without the marker means for each partition: nobody has looked at it yet. */
static void count_unrecovered(struct log_dir *d)
{
    ASSERT(d->n_unrecovered == 0);
    if (d->was_clean)
        return;
    for (struct dir_entry *e = d->entries; e; e = e->by_name.next)
        e->unrecovered = true; /* no gone ones are known yet */
    d->n_unrecovered = d->n_entries;
}

int dir_open(struct log_dir *d, struct uuid *cluster_id, struct buf *leftovers, struct errmsg *msg)
{
    struct listing at = {d, leftovers};
    bool is_new;
    int rc;

    rc = vfs_mkdirs(d->m->env->vfs, d->path, msg);
    if (rc < 0) {
        errmsg_wrap(msg, "log directory %s", d->path);
        return rc;
    }
    rc = take_lock(d, msg);
    if (rc == 0)
        rc = properties_open(d, cluster_id, &is_new, msg);
    if (rc < 0)
        return rc;
    rc = vfs_watch(d->m->env->vfs, d->path); /* before anything is written: flush_list_sync relies on it */
    if (rc == 0)
        rc = vfs_list(d->m->env->vfs, d->path, list_entry, &at);
    if (rc == 0)
        rc = find_marker(d);
    if (rc < 0) {
        errmsg_set(msg, "log directory %s: %s", d->path, err_text(rc));
        return rc;
    }
    if (is_new && d->n_entries == 0)
        d->was_clean = true;
    count_unrecovered(d);
    read_topic_ids(d);
    return checkpoint_load(d, msg);
}

void dir_close(struct log_dir *d)
{
    struct dir_entry *e, *tmp;

    HASH_ITER(by_name, d->entries, e, tmp)
    entry_free(d, e);
    d->n_entries = 0;
    file_unref(d->lock);
    d->lock = NULL;
}

/* ---- the marker ----------------------------------------------------------------------------- */

int dir_unmark(struct log_dir *d, struct errmsg *msg)
{
    struct vfs *v = d->m->env->vfs;
    char path[DIR_PATH_MAX];
    int rc = vfs_unlink(v, dir_file_path(d, DIR_MARKER_NAME, path));

    if (rc == E_NOENT && d->n_entries == 0)
        return 0;
    /* Of what an unclean stop left, the names may not be durable, and it will be served. */
    if (rc == 0 || rc == E_NOENT)
        rc = vfs_sync_dir(v, d->path);
    if (rc < 0)
        errmsg_set(msg, "%s can not be removed: %s", path, err_text(rc));
    return rc;
}

int dir_mark(struct log_dir *d)
{
    char path[DIR_PATH_MAX], text[64];
    int n = snprintf(text, sizeof(text), MARKER_TEXT, (long long)d->m->broker_epoch);

    ASSERT(!d->offline);
    ASSERT(d->n_unrecovered == 0);
    return vfs_replace(d->m->env->vfs, dir_file_path(d, DIR_MARKER_NAME, path), text, (size_t)n);
}
