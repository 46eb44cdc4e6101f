/* One partition's log: its life, and what is asked of it.
 *
 * Owner: struct log is the log manager's (m->logs), core thread.
 *
 *   1  log_open: placed, filled, attached        nothing is served yet
 *   2  log_load: segments, offsets, producers    (load.c, recover.c)
 *   3  log_opened                                append, read, wait
 *   4  log_finish (a clean stop) or log_delete   nothing is appended any more
 *   5  log_unload, log_free
 *
 * Invariant:  start <= end; segments ascend by base offset; the last one is the active one and
 *             there is always one.
 * Failures:   a log that can not be loaded leaves nothing behind in memory and its files as
 *             recovery left them.
 */
#include "segment.h"

static char *copy_text(const char *s)
{
    return s ? xstrdup(s) : NULL;
}

/* A copy with text of its own: which fields are text is in the table of settings. */
static void config_copy(struct topic_config *to, const struct topic_config *from)
{
    *to = *from;
#define COPY_BOOLEAN(field)
#define COPY_INT(field)
#define COPY_SHORT(field)
#define COPY_LONG(field)
#define COPY_DOUBLE(field)
#define COPY_STRING(field)              to->field = copy_text(from->field);
#define COPY_LIST(field)                COPY_STRING(field)
#define COPY_CLASS(field)               COPY_STRING(field)
#define COPY_PASSWORD(field)            COPY_STRING(field)
#define SETTING(field, name, type, ...) COPY_##type(field)
#define SETTING_ACCEPTED(name, type, ...)
#include "config/topic_settings.def"
#undef SETTING
#undef SETTING_ACCEPTED
}

static struct log *log_new(struct logm *m, const char *topic, int32_t partition,
                           const struct topic_config *config)
{
    struct log *l = xcalloc(1, sizeof(*l));

    l->magic = LOG_MAGIC;
    l->m = m;
    l->topic = xstrdup(topic);
    l->partition = partition;
    l->name_key = xasprintf("%s-%d", topic, partition);
    l->extra_snapshots[0] = -1;
    l->extra_snapshots[1] = -1;
    l->held_from = INT64_MAX;
    config_copy(&l->config, config);
    places_forget(l);
    return l;
}

void log_free(struct log *l)
{
    if (!l)
        return;
    ASSERT(l->magic == LOG_MAGIC);
    log_unload(l);
    topic_config_release(&l->config);
    l->magic = 0;
    free(l->topic);
    free(l->name_key);
    free(l->path);
    free(l);
}

void log_say_why(struct errmsg *msg, int rc)
{
    if (msg && !msg->text[0])
        errmsg_set(msg, "%s", err_text(rc));
}

/* Where it is, or will be. A log that could not be recovered at the start is not tried again: recovery
 * blocks, and it would be done in the middle of service. */
static int place(struct log *l, int wanted, bool *exists, struct errmsg *msg)
{
    int rc = dir_place(l->m, l->name_key, wanted, &l->dir, exists);

    if (rc == 0 && *exists && dir_is_refused(l->dir, l->name_key)) {
        errmsg_set(msg, "%s: could not be recovered at the start", l->name_key);
        return E_OFFLINE;
    }
    if (rc < 0)
        errmsg_set(msg, "%s: %s", l->name_key, err_text(rc));
    return rc;
}

int log_open(struct logm *m, const char *topic, int32_t partition, struct uuid topic_id,
             const struct topic_config *config, int32_t leader_epoch, int dir, struct log **out,
             struct errmsg *msg)
{
    struct log *l;
    bool exists;
    int rc;

    ASSERT_CORE();
    ASSERT(m->magic == LOGM_MAGIC);
    ASSERT(partition >= 0);
    *out = NULL;
    l = log_new(m, topic, partition, config);
    l->topic_id = topic_id;
    l->leader_epoch = leader_epoch;
    rc = place(l, dir, &exists, msg);
    if (rc < 0) {
        log_free(l);
        return rc;
    }
    l->path = xasprintf("%s/%s", l->dir->path, l->name_key);
    log_attach(l);
    errmsg_set(msg, "%s", "");
    rc = log_load(l, !exists, msg);
    if (rc < 0) {
        log_say_why(msg, rc);
        errmsg_wrap(msg, "%s", l->name_key);
        dir_refuse(l->dir, l->name_key);
        log_detach(l);
        log_free(l);
        return rc;
    }
    log_opened(l);
    *out = l;
    return 0;
}

bool log_exists(const struct logm *m, const char *topic, int32_t partition)
{
    char *key = xasprintf("%s-%d", topic, partition);
    struct log_dir *d;
    bool exists = false;

    (void)dir_place(m, key, -1, &d, &exists); /* in a directory that is offline it is there, too */
    free(key);
    return exists;
}

void log_set_config(struct log *l, const struct topic_config *config)
{
    struct topic_config old = l->config;

    ASSERT(l->magic == LOG_MAGIC);
    config_copy(&l->config, config);
    commit_config_changed(l, old.durable);
    topic_config_release(&old);
}

const struct topic_config *log_config(const struct log *l)
{
    return &l->config;
}

/* ---- what it says --------------------------------------------------------------------------- */

const char *log_topic(const struct log *l)
{
    return l->topic;
}

int32_t log_partition(const struct log *l)
{
    return l->partition;
}

int log_dir_index(const struct log *l)
{
    return l->dir->index;
}

int64_t log_start_offset(const struct log *l)
{
    return l->start_offset;
}

int64_t log_end_offset(const struct log *l)
{
    return l->end_offset;
}

int64_t log_high_watermark(const struct log *l)
{
    return l->high_watermark;
}

int64_t log_stable_offset(const struct log *l)
{
    return l->stable_offset;
}

uint64_t log_size_bytes(const struct log *l)
{
    return l->size_bytes;
}

int log_n_segments(const struct log *l)
{
    return l->n_segments;
}

int32_t log_leader_epoch(const struct log *l)
{
    return l->leader_epoch;
}

int64_t log_segment_base_of(const struct log *l, int64_t offset)
{
    int i = log_segment_floor(l, offset);

    return l->segments[MAX(i, 0)]->base_offset;
}

uint64_t log_segment_bytes_max(const struct log *l)
{
    return (uint64_t)l->config.effective_segment_bytes;
}

void log_file_of(const struct log *l, int64_t offset, struct errmsg *out)
{
    errmsg_set(out, "%s/%020lld.log", l->path, (long long)log_segment_base_of(l, offset));
}

void log_epoch_end(const struct log *l, int32_t epoch, int32_t *found_epoch, int64_t *end_offset)
{
    epochs_end(l->epochs, epoch, l->end_offset, found_epoch, end_offset);
}

int32_t log_epoch_at(const struct log *l, int64_t offset)
{
    return epochs_at(l->epochs, offset);
}

uint64_t log_producers_digest(const struct log *l)
{
    return producers_digest(l->producers);
}

void log_expire_producers(struct log *l, struct wall now)
{
    producers_expire(l->producers, now, l->m->config->producer_id_expiration_ms);
}

/* ---- what a flush has to do ----------------------------------------------------------------- */

void flush_list_release(struct flush_list *f)
{
    for (uint32_t i = 0; i < f->n; i++)
        file_unref(f->files[i]);
    for (uint32_t i = 0; i < f->n_dirs; i++)
        free(f->dirs[i]);
    for (uint32_t i = 0; i < f->n_paths; i++)
        free(f->paths[i]);
    free(f->files);
    free(f->dirs);
    free(f->paths);
    *f = (struct flush_list){0};
}

static void list_file(struct flush_list *f, struct file *file)
{
    if (f->n == f->cap) {
        f->cap = MAX(8, f->cap * 2);
        f->files = xrealloc_array(f->files, f->cap, sizeof(*f->files));
    }
    f->files[f->n++] = file_ref(file);
}

static void list_dir(struct flush_list *f, const char *path)
{
    if (f->n_dirs > 0 && strcmp(f->dirs[f->n_dirs - 1], path) == 0)
        return;
    if (f->n_dirs == f->cap_dirs) {
        f->cap_dirs = MAX(4, f->cap_dirs * 2);
        f->dirs = xrealloc_array(f->dirs, f->cap_dirs, sizeof(*f->dirs));
    }
    f->dirs[f->n_dirs++] = xstrdup(path);
}

void log_collect_flush(struct log *l, struct flush_list *f)
{
    char path[SEGMENT_PATH_MAX];

    ASSERT_CORE();
    for (int i = l->n_segments - 1; i >= 0; i--) {
        struct segment *s = l->segments[i];
        struct file *file;
        int rc;

        if (segment_end_offset(s) <= l->recovery_point)
            break;
        rc = segment_file(s, &file);
        if (rc == 0)
            list_file(f, file);
        else
            dir_fail(l->dir, "open for a flush", segment_path(s, ".log", path), rc);
    }
}

void log_flushed(struct log *l, int64_t recovery_point)
{
    ASSERT(recovery_point <= l->end_offset);
    ASSERT(l->recovery_point >= recovery_point);
}

void flush_list_path(struct flush_list *f, const char *path)
{
    if (f->n_paths == f->cap_paths) {
        f->cap_paths = MAX(4, f->cap_paths * 2);
        f->paths = xrealloc_array(f->paths, f->cap_paths, sizeof(*f->paths));
    }
    f->paths[f->n_paths++] = xstrdup(path);
}

/* The first whose indexes are not on the disk for sure: it ends at the point or past it. */
static int first_unsynced(const struct log *l)
{
    return MAX(0, log_segment_floor(l, l->indexed_point - 1));
}

bool log_collect_indexes(struct log *l, struct flush_list *f)
{
    static const char *const suffixes[] = {".index", ".timeindex", ".txnindex"};
    char path[SEGMENT_PATH_MAX];
    bool all_written = !remake_collect(l, f);

    ASSERT_CORE();
    for (int i = first_unsynced(l); i < l->n_segments; i++) {
        size_t n = txn_index_is_empty(l->segments[i]) ? 2 : ARRAY_SIZE(suffixes);

        if (segment_write_indexes(l->segments[i]) != 0)
            all_written = false;
        for (size_t k = 0; k < n; k++)
            flush_list_path(f, segment_path(l->segments[i], suffixes[k], path));
    }
    return all_written;
}

/* Torn by a power cut, it would make the partition nobody's. There is none without a topic id. */
static int list_metadata(struct log *l, struct flush_list *f)
{
    char *path = xasprintf("%s/" METADATA_FILE, l->path);
    struct file *file;
    int rc = vfs_open(l->m->env->vfs, path, VFS_WRITE, &file);

    if (rc == 0) {
        list_file(f, file);
        file_unref(file);
    }
    free(path);
    return rc == E_NOENT ? 0 : rc;
}

void log_collect_names(struct log *l, struct flush_list *f)
{
    struct file *file;
    int rc;

    ASSERT_CORE();
    if (!l->names_are_new && !l->dir_is_new)
        return;
    rc = segment_file(log_active(l), &file);
    if (rc == 0)
        list_file(f, file);
    if (rc == 0 && (l->metadata_is_new || l->dir_is_new))
        rc = list_metadata(l, f);
    list_dir(f, l->path);
    if (l->dir_is_new)
        list_dir(f, l->dir->path);
    if (rc < 0)
        dir_fail(l->dir, "open for a sync", l->path, rc);
    l->names_are_new = false;
    l->dir_is_new = false;
    l->metadata_is_new = false;
}

/* ---- the end of its life -------------------------------------------------------------------- */

int log_finish(struct log *l)
{
    int rc = 0;

    ASSERT_CORE();
    for (int i = 0; rc == 0 && i < l->n_segments; i++) {
        rc = remake_finish(l->segments[i]);
        if (rc == 0)
            rc = segment_finish(l->segments[i]);
    }
    if (rc == 0 && l->extra_snapshots[0] != l->end_offset &&
        log_active(l)->base_offset != l->end_offset)
        rc = snapshot_save(l, l->end_offset);
    if (rc == 0 && l->epochs->changed)
        rc = epochs_save(l);
    return rc;
}

void log_unload(struct log *l)
{
    for (int i = 0; i < l->n_segments; i++)
        segment_free(l->segments[i]);
    free(l->segments);
    free(l->ended);
    l->ended = NULL;
    l->segments = NULL;
    l->n_segments = 0;
    l->cap_segments = 0;
    epochs_free(l->epochs);
    producers_free(l->producers);
    l->epochs = NULL;
    l->producers = NULL;
}
