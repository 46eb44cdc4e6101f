/* Records into state: the only place where the state of meta changes.
 *
 * Owner: struct meta, core thread; called by statelog while proposing and while replaying, and by
 * the snapshot's loader.
 *
 *   value:  frame version | record type | record version | body
 *           three unsigned varints, the first is 1; the body is the record's in that version
 *
 * Happy path: frame -> row of the table by type -> decode into an arena -> the row's function.
 *             Between Begin- and EndTransaction records are held, and applied at the end, as KRaft
 *             does (KIP-868).
 * Failures:   a record that cannot be read, or that contradicts what is there, is reported and
 *             skipped: it was written, perhaps by somebody else, and stays in the log. What forbids
 *             serving is kept in load_error (meta_load_failed).
 */
#include "internal.h"

void meta_load_failed(struct meta *m, int rc, const char *fmt, ...)
{
    char text[sizeof(m->load_why.text)];
    va_list args;

    ASSERT(rc < 0);
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (m->load_error)
        return;
    m->load_error = rc;
    errmsg_set(&m->load_why, "%s", text);
}

static void odd(int64_t offset, const char *what)
{
    diag_warn("metadata record at offset %lld: %s; skipped", (long long)offset, what);
}

/* ---- one function per record type ------------------------------------------------------------ */

static void apply_topic(struct meta *m, const void *record, int64_t offset)
{
    const struct topic_record *r = record;

    if (!meta_topic_name_valid(r->name, NULL))
        odd(offset, "a topic whose name is not valid");
    else if (meta_topic(m, r->name) || meta_topic_by_id(m, r->topic_id))
        odd(offset, "a topic that exists already");
    else
        meta_topic_add(m, r->name, r->topic_id);
}

/* We are every partition's only replica. */
static bool is_ours(struct meta *m, const struct meta_topic *t, int32_t partition,
                    const int32_t *replicas, int n)
{
    for (int i = 0; i < n; i++)
        if (replicas[i] == m->node_id)
            return true;
    meta_load_failed(m, E_FORMAT,
                     "the metadata is of a cluster with other brokers: topic %s partition %d is "
                     "not on broker %d",
                     t->name, partition, m->node_id);
    return false;
}

static void count_dir(struct meta *m, struct uuid id, int change)
{
    for (int i = 0; i < m->n_dir_ids; i++)
        if (uuid_eq(m->dir_ids[i], id))
            m->dir_partitions[i] += change;
}

/* The directory of our replica. */
static struct uuid dir_of(const struct meta *m, const int32_t *replicas, int n,
                          const struct uuid *dirs, int n_dirs)
{
    for (int i = 0; i < n && i < n_dirs; i++)
        if (replicas[i] == m->node_id)
            return dirs[i];
    return UUID_ZERO;
}

static void apply_partition(struct meta *m, const void *record, int64_t offset)
{
    const struct partition_record *r = record;
    struct meta_topic *t = meta_topic_by_id(m, r->topic_id);
    struct meta_partition *p;

    if (!t) {
        odd(offset, "a partition of an unknown topic");
        return;
    }
    if (!is_ours(m, t, r->partition_id, r->replicas, r->n_replicas))
        return;
    if (r->partition_id != t->n_partitions || t->n_partitions >= META_TOPIC_PARTITIONS_MAX) {
        odd(offset, "a partition out of order");
        return;
    }
    if (!(t->changes & CHANGE_PARTITIONS))
        t->first_new = t->n_partitions;
    p = meta_topic_partition_add(t);
    p->leader_epoch = r->leader_epoch;
    p->partition_epoch = r->partition_epoch;
    p->dir_id = dir_of(m, r->replicas, r->n_replicas, r->directories, r->n_directories);
    count_dir(m, p->dir_id, 1);
    meta_preference_used(m, str_of(t->name), r->partition_id);
    meta_topic_changed(m, t, CHANGE_PARTITIONS);
}

#define NO_LEADER_CHANGE (-2)

/* PartitionRegistration.merge, as far as a single replica goes. */
static void apply_partition_change(struct meta *m, const void *record, int64_t offset)
{
    const struct partition_change_record *r = record;
    struct meta_topic *t = meta_topic_by_id(m, r->topic_id);
    struct meta_partition *p;

    if (!t || r->partition_id < 0 || r->partition_id >= t->n_partitions) {
        odd(offset, "a change of an unknown partition");
        return;
    }
    p = &t->partitions[r->partition_id];
    if (r->leader != NO_LEADER_CHANGE)
        p->leader_epoch++;
    p->partition_epoch++;
    if (r->n_replicas >= 0 && !is_ours(m, t, r->partition_id, r->replicas, r->n_replicas))
        return;
    if (r->n_directories > 0) {
        count_dir(m, p->dir_id, -1);
        /* Without a new list of replicas the order is the old one; alone, we are the first. */
        p->dir_id = r->n_replicas > 0
                        ? dir_of(m, r->replicas, r->n_replicas, r->directories, r->n_directories)
                        : r->directories[0];
        count_dir(m, p->dir_id, 1);
    }
}

static void apply_remove_topic(struct meta *m, const void *record, int64_t offset)
{
    const struct remove_topic_record *r = record;
    struct meta_topic *t = meta_topic_by_id(m, r->topic_id);

    if (!t) {
        odd(offset, "the removal of an unknown topic");
        return;
    }
    for (int32_t i = 0; i < t->n_partitions; i++)
        count_dir(m, t->partitions[i].dir_id, -1);
    meta_topic_remove(m, t);
}

static struct meta_resource *resource_get(struct meta *m, int type, struct str name)
{
    char *key = xasprintf("%d/%.*s", type, STR_ARG(name));
    struct meta_resource *r;

    HASH_FIND_STR(m->resources, key, r);
    if (r) {
        free(key);
        return r;
    }
    r = xcalloc(1, sizeof(*r));
    r->key = key;
    HASH_ADD_KEYPTR(hh, m->resources, r->key, strlen(r->key), r);
    return r;
}

static void apply_config(struct meta *m, const void *record, int64_t offset)
{
    const struct config_record *r = record;

    if (r->resource_type == META_RESOURCE_TOPIC) {
        struct meta_topic *t = meta_topic(m, r->resource_name);

        if (!t) {
            odd(offset, "a setting of an unknown topic");
            return;
        }
        meta_pairs_set(&t->configs, &t->n_configs, r->name, r->value);
        meta_topic_changed(m, t, CHANGE_CONFIG);
        return;
    }
    struct meta_resource *res = resource_get(m, r->resource_type, r->resource_name);

    meta_pairs_set(&res->pairs, &res->n_pairs, r->name, r->value);
    if (r->resource_type == META_RESOURCE_BROKER) { /* it may be the default of topics' settings */
        struct meta_topic *t, *next;

        m->brokers_configured = true;
        HASH_ITER(by_name, m->by_name, t, next)
        meta_topic_changed(m, t, CHANGE_CONFIG);
    }
}

static void apply_feature_level(struct meta *m, const void *record, int64_t offset)
{
    const struct feature_level_record *r = record;
    struct meta_feature *f = meta_feature_find(m, r->name);

    if (f && r->feature_level == 0) { /* level 0 is not finalized at all */
        free((void *)f->name);
        *f = m->features[--m->n_features];
        return;
    }
    if (!f && r->feature_level != 0) {
        m->features = xrealloc_array(m->features, (size_t)m->n_features + 1, sizeof(*m->features));
        f = &m->features[m->n_features++];
        f->name = str_dup(r->name);
    }
    if (f)
        f->level = r->feature_level;
}

static void apply_register_broker(struct meta *m, const void *record, int64_t offset)
{
    const struct register_broker_record *r = record;

    if (r->broker_id != m->node_id)
        return;
    m->broker_epoch = r->broker_epoch;
    m->registered = true;
}

/* The epoch stays: what this broker writes goes on under it until the next start. */
static void apply_unregister_broker(struct meta *m, const void *record, int64_t offset)
{
    const struct unregister_broker_record *r = record;

    if (r->broker_id == m->node_id)
        m->registered = false;
}

static void apply_producer_ids(struct meta *m, const void *record, int64_t offset)
{
    const struct producer_ids_record *r = record;

    if (r->next_producer_id < m->producer_id_next)
        odd(offset, "producer ids that go backwards");
    else
        m->producer_id_next = r->next_producer_id;
}

/* ---- transactions (KIP-868) ------------------------------------------------------------------ */

static void apply_begin_transaction(struct meta *m, const void *record, int64_t offset)
{
    if (m->in_transaction)
        odd(offset, "a transaction inside a transaction");
    m->in_transaction = true;
}

void meta_drop_held(struct meta *m)
{
    for (int i = 0; i < m->n_held; i++)
        free((void *)m->held[i].value.p);
    m->n_held = 0;
    m->in_transaction = false;
}

static void apply_end_transaction(struct meta *m, const void *record, int64_t offset)
{
    m->in_transaction = false;
    for (int i = 0; i < m->n_held; i++)
        meta_apply_value(m, m->held[i].value, m->held[i].offset);
    meta_drop_held(m);
}

static void apply_abort_transaction(struct meta *m, const void *record, int64_t offset)
{
    meta_drop_held(m);
}

static void hold(struct meta *m, struct bytes value, int64_t offset)
{
    if (m->n_held == m->cap_held) {
        m->cap_held = MAX(64, m->cap_held * 2);
        m->held = xrealloc_array(m->held, (size_t)m->cap_held, sizeof(*m->held));
    }
    m->held[m->n_held++] = (struct meta_held){.value = bytes_dup(value), .offset = offset};
}

/* ---- dispatch -------------------------------------------------------------------------------- */

static const struct row {
    enum meta_record_type type;
    bool transaction; /* frames a transaction, is never held */
    void (*apply)(struct meta *m, const void *record, int64_t offset);
} rows[] = {
    {RECORD_REGISTER_BROKER, false, apply_register_broker},
    {RECORD_UNREGISTER_BROKER, false, apply_unregister_broker},
    {RECORD_TOPIC, false, apply_topic},
    {RECORD_PARTITION, false, apply_partition},
    {RECORD_CONFIG, false, apply_config},
    {RECORD_PARTITION_CHANGE, false, apply_partition_change},
    {RECORD_REMOVE_TOPIC, false, apply_remove_topic},
    {RECORD_FEATURE_LEVEL, false, apply_feature_level},
    {RECORD_PRODUCER_IDS, false, apply_producer_ids},
    {RECORD_BEGIN_TRANSACTION, true, apply_begin_transaction},
    {RECORD_END_TRANSACTION, true, apply_end_transaction},
    {RECORD_ABORT_TRANSACTION, true, apply_abort_transaction},
};

static const struct row *row_of(uint32_t type)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (rows[i].type == type)
            return &rows[i];
    return NULL;
}

const struct wire_message_info *meta_record_info(enum meta_record_type type)
{
    for (int i = 0; i < wire_n_record_schemas; i++) {
        const struct wire_record_schema *schema = &wire_record_schemas[i];

        if (schema->type == (int16_t)type && strcmp(schema->family, "metadata") == 0)
            return &schema->info;
    }
    base_assert_failed("the record type has a schema", __FILE__, __LINE__);
}

static void apply_body(struct meta *m, uint32_t type, uint32_t version, struct wire_reader *r,
                       struct bytes value, int64_t offset)
{
    const struct wire_message_info *info = meta_record_info(type);
    const struct row *row = row_of(type);
    void *record;

    if (version > (uint32_t)info->version_max) {
        meta_load_failed(
            m, E_FORMAT,
            "metadata record %s at offset %lld is of version %u, newer than this broker reads",
            info->name, (long long)offset, version);
        odd(offset, "a version that is not known");
        return;
    }
    record = arena_alloc(r->arena, info->struct_bytes);
    if (info->decode(record, r, (int16_t)version) < 0) {
        odd(offset, "it cannot be decoded");
        return;
    }
    if (row)
        row->apply(m, record, offset);
    if (meta_kept_has(type))
        meta_kept_arrived(m, type, record, value, offset);
}

void meta_apply_value(struct meta *m, struct bytes value, int64_t offset)
{
    struct arena arena;
    struct wire_reader r;
    uint32_t frame, type, version;
    const struct row *row;

    arena_init(&arena);
    wire_reader_init(&r, value, &arena);
    frame = wire_get_uvarint(&r);
    type = wire_get_uvarint(&r);
    version = wire_get_uvarint(&r);
    row = row_of(type);
    if (r.error || frame != META_FRAME_VERSION)
        odd(offset, "its frame cannot be read");
    else if (m->in_transaction && !(row && row->transaction))
        hold(m, value, offset);
    else if (row || meta_kept_has(type))
        apply_body(m, type, version, &r, value, offset);
    arena_release(&arena);
}

void meta_apply(void *machine, const struct statelog_record *r)
{
    struct meta *m = CHECKED_CAST(machine, struct meta, META_MAGIC);

    if (r->control || !r->value.p)
        return;
    if (m->loading && r->offset < m->snapshot_end)
        return;
    m->bytes_since_snapshot += (int64_t)r->value.n;
    meta_apply_value(m, r->value, r->offset);
}
