/* Writing a KRaft snapshot (RecordsSnapshotWriter, SnapshotGenerator): the state of now in a file beside the log.
 *
 * Owner: struct meta.snapshot while one is on its way; it dies when it is written, or with the metadata.
 *
 * Happy path: enough changed, or long ago -> the timer -> the state as records, in memory; the log goes on in a new segment ->
 *             what it says is durable in the log -> a job on the lane writes the file aside, syncs, renames -> trim.c.
 * Invariant:  a snapshot never says more than the log holds: it is written only when its end is durable.
 * Failures:   a file that cannot be written is one line in the log, and is tried again when more has changed; nothing depends
 *             on it.
 */
#include "internal.h"

#define NS_PER_MS       1000000
#define BATCH_BYTES_MAX ((size_t)512 * 1024)

struct meta_snapshot {
    struct meta *m;
    struct statelog_wait wait;
    struct job job;
    struct vfs *vfs;
    char *dir_path, *name;
    struct buf bytes;
    int rc; /* of the job */
};

/* ---- the state as records ---------------------------------------------------------------------- */

struct writing {
    const struct meta *m;
    struct batch_builder bb;
    struct buf *out;
    int64_t next_offset, now_ms;
    bool open; /* bb has begun */
};

static struct batch_options options_at(const struct writing *w, int16_t attributes)
{
    struct batch_options o = BATCH_OPTIONS_NONE;

    o.base_offset = w->next_offset;
    o.leader_epoch = log_leader_epoch(w->m->log_file);
    o.attributes = attributes;
    return o;
}

static void end_batch(struct writing *w)
{
    int rc;

    if (!w->open)
        return;
    rc = batch_end(&w->bb);
    ASSERT(rc == 0);
    w->open = false;
}

static void put_value(void *arg, struct bytes value)
{
    struct writing *w = arg;

    if (w->open && w->bb.body.n + value.n > BATCH_BYTES_MAX)
        end_batch(w);
    if (!w->open) {
        batch_begin(&w->bb, w->out, options_at(w, 0));
        w->open = true;
    }
    batch_add(&w->bb, w->now_ms, (struct bytes){NULL, 0}, value, NULL, 0);
    w->next_offset++;
}

static void put(struct writing *w, enum meta_record_type type, int16_t version, const void *record)
{
    struct statelog_proposal p;

    statelog_proposal_init(&p);
    meta_proposal_put(&p, type, version, record);
    put_value(w, statelog_proposal_entry(&p, 0).value);
    statelog_proposal_release(&p);
}

/* A header or footer: a control batch of its own. */
static void put_control(struct writing *w, enum control_type type, struct bytes value)
{
    uint8_t key[4];
    int rc;

    end_batch(w);
    control_key_put(key, type);
    batch_begin(&w->bb, w->out, options_at(w, BATCH_CONTROL));
    batch_add(&w->bb, w->now_ms, bytes_of(key, sizeof(key)), value, NULL, 0);
    rc = batch_end(&w->bb);
    ASSERT(rc == 0);
    w->next_offset++;
}

static void put_header(struct writing *w)
{
    struct snapshot_header_record header;
    struct wire_writer out;
    struct buf value;

    snapshot_header_record_init(&header);
    header.last_contained_log_timestamp = w->now_ms;
    buf_init(&value);
    wire_writer_init(&out, &value);
    snapshot_header_record_encode(&header, &out, 0);
    wire_writer_release(&out);
    put_control(w, CONTROL_SNAPSHOT_HEADER, bytes_of(value.p, value.n));
    buf_release(&value);
}

static void put_footer(struct writing *w)
{
    struct snapshot_footer_record footer;
    struct wire_writer out;
    struct buf value;

    snapshot_footer_record_init(&footer);
    buf_init(&value);
    wire_writer_init(&out, &value);
    snapshot_footer_record_encode(&footer, &out, 0);
    wire_writer_release(&out);
    put_control(w, CONTROL_SNAPSHOT_FOOTER, bytes_of(value.p, value.n));
    buf_release(&value);
}

static void put_feature(struct writing *w, const struct meta_feature *f)
{
    struct feature_level_record r;

    feature_level_record_init(&r);
    r.name = str_of(f->name);
    r.feature_level = f->level;
    put(w, RECORD_FEATURE_LEVEL, 0, &r);
}

/* metadata.version comes first: it says how to read the rest. */
static void put_features(struct writing *w)
{
    const struct meta_feature *version = meta_feature_find(w->m, STR("metadata.version"));

    if (version)
        put_feature(w, version);
    for (int i = 0; i < w->m->n_features; i++)
        if (&w->m->features[i] != version)
            put_feature(w, &w->m->features[i]);
}

static void put_configs(struct writing *w, int8_t type, struct str name,
                        const struct config_pair *pairs, int n)
{
    for (int i = 0; i < n; i++) {
        struct config_record r;

        config_record_init(&r);
        r.resource_type = type;
        r.resource_name = name;
        r.name = pairs[i].name;
        r.value = pairs[i].value;
        put(w, RECORD_CONFIG, 0, &r);
    }
}

static void put_topic(struct writing *w, const struct meta_topic *t)
{
    struct topic_record r;

    topic_record_init(&r);
    r.name = str_of(t->name);
    r.topic_id = t->id;
    put(w, RECORD_TOPIC, 0, &r);
    for (int32_t i = 0; i < t->n_partitions; i++) {
        const struct meta_partition *p = &t->partitions[i];
        int32_t node = w->m->node_id;
        struct partition_record pr;

        partition_record_init(&pr);
        pr.partition_id = i;
        pr.topic_id = t->id;
        pr.replicas = pr.isr = &node;
        pr.n_replicas = pr.n_isr = 1;
        pr.leader = node;
        pr.leader_epoch = p->leader_epoch;
        pr.partition_epoch = p->partition_epoch;
        pr.directories = (struct uuid *)&p->dir_id;
        pr.n_directories = 1;
        put(w, RECORD_PARTITION, 2, &pr);
    }
    put_configs(w, META_RESOURCE_TOPIC, str_of(t->name), t->configs, t->n_configs);
}

static void put_resources(struct writing *w)
{
    for (const struct meta_resource *r = w->m->resources; r; r = r->hh.next) {
        const char *slash = strchr(r->key, '/');

        put_configs(w, (int8_t)strtol(r->key, NULL, 10), str_of(slash + 1), r->pairs, r->n_pairs);
    }
}

static void put_producer_ids(struct writing *w)
{
    struct producer_ids_record r;

    if (w->m->producer_id_next == 0)
        return;
    producer_ids_record_init(&r);
    r.broker_id = w->m->node_id;
    r.broker_epoch = w->m->broker_epoch;
    r.next_producer_id = w->m->producer_id_next;
    put(w, RECORD_PRODUCER_IDS, 0, &r);
}

static void write_state(struct meta *m, struct buf *out)
{
    struct writing w = {.m = m, .out = out, .now_ms = clock_wall_later(m->env->clock).ms};
    struct meta_topic **topics = meta_topics_sorted(m);

    put_header(&w);
    put_features(&w);
    meta_kept_each(m, put_value, &w);
    for (int i = 0; i < m->n_topics; i++)
        put_topic(&w, topics[i]);
    put_resources(&w);
    put_producer_ids(&w);
    put_footer(&w);
}

/* ---- the file: on the lane --------------------------------------------------------------------- */

static int write_unsynced(struct meta_snapshot *s, const char *path)
{
    struct file *f;
    int rc = vfs_open(s->vfs, path, VFS_WRITE | VFS_CREATE, &f);

    if (rc < 0)
        return rc;
    rc = file_pwrite(f, s->bytes.p, s->bytes.n, 0);
    file_unref(f);
    return rc;
}

static void work(struct job *j)
{
    struct meta_snapshot *s = CONTAINER_OF(j, struct meta_snapshot, job);
    char *path = xasprintf("%s/%s", s->dir_path, s->name);

    s->rc = PLANTED(snapshot_unsynced) ? write_unsynced(s, path)
                                       : vfs_replace(s->vfs, path, s->bytes.p, s->bytes.n);
    free(path);
}

/* ---- the life of one --------------------------------------------------------------------------- */

static void snapshot_free(struct meta_snapshot *s)
{
    s->m->snapshot = NULL;
    statelog_wait_cancel(&s->wait);
    buf_release(&s->bytes);
    free(s->dir_path);
    free(s->name);
    free(s);
}

static void written(struct job *j)
{
    struct meta_snapshot *s = CONTAINER_OF(j, struct meta_snapshot, job);
    struct meta *m = s->m;

    if (s->rc < 0)
        diag_warn("the snapshot %s of the metadata was not written: %s", s->name, err_text(s->rc));
    else
        meta_trim_add(m, s->name, s->bytes.n);
    snapshot_free(s);
    meta_trim(m);
    meta_snapshot_consider(m);
}

static void durable(struct statelog_wait *wait, int rc)
{
    struct meta_snapshot *s = CONTAINER_OF(wait, struct meta_snapshot, wait);

    if (rc < 0)
        snapshot_free(s);
    else
        lane_submit(&s->m->lane, &s->job, work, written);
}

/* The new segment begins where the snapshot ends, so that all before it can leave. Without space for one less can leave. */
static void take(struct meta *m)
{
    struct meta_snapshot *s = xcalloc(1, sizeof(*s));

    s->m = m;
    s->vfs = m->env->vfs;
    s->dir_path = xstrdup(m->dir_path);
    s->name = xasprintf("%020lld-%010d.checkpoint", (long long)statelog_end(m->log),
                        log_leader_epoch(m->log_file));
    buf_init(&s->bytes);
    write_state(m, &s->bytes);
    (void)log_roll_active(m->log_file);
    m->snapshot = s;
    m->bytes_since_snapshot = 0;
    statelog_after(m->log, &s->wait, durable);
}

/* ---- when -------------------------------------------------------------------------------------- */

static void set_timer(struct meta *m, int64_t ms)
{
    struct mono now = clock_mono(m->env->clock);

    timer_set(&m->env->timers, &m->snapshot_timer, (struct mono){now.ns + ms * NS_PER_MS});
}

static void fire(struct timer *t)
{
    struct meta *m = CONTAINER_OF(t, struct meta, snapshot_timer);

    if (m->bytes_since_snapshot > 0 && !m->snapshot)
        take(m);
    meta_snapshot_consider(m);
}

/* The job of a snapshot that is on its way considers again when it is done. */
void meta_snapshot_consider(struct meta *m)
{
    int64_t interval_ms = m->config->metadata_log_max_snapshot_interval_ms;

    if (!m->dir_path || m->snapshot)
        return;
    if (m->bytes_since_snapshot >= m->config->metadata_log_max_record_bytes_between_snapshots)
        set_timer(m, 0);
    else if (m->bytes_since_snapshot > 0 && interval_ms > 0 && !timer_armed(&m->snapshot_timer))
        set_timer(m, interval_ms);
}

void meta_snapshots_init(struct meta *m, const char *dir_path)
{
    m->dir_path = dir_path ? xstrdup(dir_path) : NULL;
    lane_init(&m->lane, m->env->lanes, "metadata snapshot");
    timer_init(&m->snapshot_timer, fire);
}

void meta_snapshots_release(struct meta *m)
{
    timer_cancel(&m->env->timers, &m->snapshot_timer);
    if (m->snapshot)
        snapshot_free(m->snapshot);
    free(m->dir_path);
}

bool meta_quiet(const struct meta *m)
{
    return !m->snapshot;
}
