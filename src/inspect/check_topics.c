/* Topics, from the records of __cluster_metadata-0: a check must know which are compacted, and a
 * repair opens each log with its own settings.
 *
 * Owner: struct check.
 *
 * Happy path: snapshots, then segments, in the order of their names -> TopicRecord, ConfigRecord,
 *             RemoveTopicRecord.
 * Failures:   what can not be read is left out: the check of that partition tells it.
 */
#include "check.h"

#include "wire.h"

#define METADATA_DIR      "__cluster_metadata-0"
#define RECORDS_BYTES_MAX (64u << 20)
#define RESOURCE_TOPIC    2

enum { TOPIC_RECORD = 2, CONFIG_RECORD = 4, REMOVE_TOPIC_RECORD = 9 };

static struct check_topic *take(struct check *c, struct str name)
{
    struct check_topic *t;

    HASH_FIND(by_name, c->topics, name.p, name.n, t);
    if (!t) {
        t = xcalloc(1, sizeof(*t));
        t->name = str_dup(name);
        HASH_ADD_KEYPTR(by_name, c->topics, t->name, name.n, t);
    }
    return t;
}

static void drop_pair(struct check_topic *t, int i)
{
    free((void *)(uintptr_t)t->pairs[i].name.p);
    free((void *)(uintptr_t)t->pairs[i].value.p);
    t->pairs[i] = t->pairs[--t->n_pairs];
}

static void free_topic(struct check *c, struct check_topic *t)
{
    HASH_DELETE(by_name, c->topics, t);
    while (t->n_pairs > 0)
        drop_pair(t, t->n_pairs - 1);
    free(t->pairs);
    free(t->name);
    free(t);
}

void check_release_topics(struct check *c)
{
    struct check_topic *t, *tmp;

    HASH_ITER(by_name, c->topics, t, tmp)
    free_topic(c, t);
}

static void set_pair(struct check_topic *t, struct str name, struct str value)
{
    for (int i = 0; i < t->n_pairs; i++) {
        if (str_eq(t->pairs[i].name, name)) {
            drop_pair(t, i);
            break;
        }
    }
    if (!value.p)
        return;
    t->pairs = xrealloc_array(t->pairs, (size_t)t->n_pairs + 1, sizeof(*t->pairs));
    t->pairs[t->n_pairs++] =
        (struct config_pair){{str_dup(name), name.n}, {str_dup(value), value.n}};
}

static void apply_topic(struct check *c, struct wire_reader *r, int16_t version)
{
    struct topic_record m;

    if (topic_record_decode(&m, r, version) == 0)
        take(c, m.name)->id = m.topic_id;
}

static void apply_config(struct check *c, struct wire_reader *r, int16_t version)
{
    struct config_record m;

    if (config_record_decode(&m, r, version) == 0 && m.resource_type == RESOURCE_TOPIC)
        set_pair(take(c, m.resource_name), m.name, m.value);
}

static void apply_remove(struct check *c, struct wire_reader *r, int16_t version)
{
    struct remove_topic_record m;
    struct check_topic *t, *tmp;

    if (remove_topic_record_decode(&m, r, version) < 0)
        return;
    HASH_ITER(by_name, c->topics, t, tmp)
    {
        if (uuid_eq(t->id, m.topic_id))
            free_topic(c, t);
    }
}

static void apply(struct check *c, struct bytes value)
{
    const uint8_t *end = value.p + value.n;
    struct wire_reader r;
    struct arena arena;
    uint32_t head[3];

    for (int i = 0; i < 3; i++) {
        size_t n = value.p ? varint_get_unsigned(value.p, end, &head[i]) : 0;

        if (n == 0)
            return;
        value.p += n;
    }
    if (head[2] > INT16_MAX)
        return;
    arena_init(&arena);
    wire_reader_init(&r, (struct bytes){value.p, (size_t)(end - value.p)}, &arena);
    if (head[1] == TOPIC_RECORD)
        apply_topic(c, &r, (int16_t)head[2]);
    else if (head[1] == CONFIG_RECORD)
        apply_config(c, &r, (int16_t)head[2]);
    else if (head[1] == REMOVE_TOPIC_RECORD)
        apply_remove(c, &r, (int16_t)head[2]);
    arena_release(&arena);
}

static void read_file(struct check *c, const char *path)
{
    const uint8_t *p;
    struct scan s;
    struct batch b, checked;
    uint64_t position;
    int rc = scan_open(&s, c->vfs, path);

    while (rc == 0 && scan_next(&s, &b, &p, &position) > 0) {
        struct record_iter it;
        struct record r;

        if (batch_check(p, b.total_bytes, &checked) < 0 || b.attributes & BATCH_CONTROL ||
            record_iter_init(&it, p, &b, RECORDS_BYTES_MAX, &c->scratch) < 0)
            continue;
        while (record_iter_next(&it, &r) > 0)
            apply(c, r.value);
    }
    scan_close(&s);
}

struct metadata_files {
    char **names;
    int n;
};

static int collect(void *arg, const char *name, bool is_dir)
{
    struct metadata_files *f = arg;

    if (is_dir || !(name_ends(name, ".log") || name_ends(name, ".checkpoint")))
        return 0;
    f->names = xrealloc_array(f->names, (size_t)f->n + 1, sizeof(*f->names));
    f->names[f->n++] = xstrdup(name);
    return 0;
}

/* Of one offset the snapshot first: "NNN-EEE.checkpoint" comes before "NNN.log". */
static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void check_load_topics(struct check *c)
{
    char *dir = xasprintf("%s/" METADATA_DIR, c->dir);
    struct metadata_files f = {0};

    (void)vfs_list(c->vfs, dir, collect, &f);
    if (f.n > 0)
        qsort(f.names, (size_t)f.n, sizeof(*f.names), by_name);
    for (int i = 0; i < f.n; i++) {
        char *path = xasprintf("%s/%s", dir, f.names[i]);

        read_file(c, path);
        free(path);
        free(f.names[i]);
    }
    free(f.names);
    free(dir);
}

static struct check_topic *find(const struct check *c, const char *topic)
{
    struct check_topic *t;

    HASH_FIND(by_name, c->topics, topic, strlen(topic), t);
    return t;
}

struct uuid check_topic_id(const struct check *c, const char *topic)
{
    const struct check_topic *t = find(c, topic);

    return t ? t->id : UUID_ZERO;
}

void check_topic_config(struct check *c, const char *topic, struct topic_config *out)
{
    static const struct config_pair compact = {{"cleanup.policy", 14}, {"compact", 7}};
    const struct check_topic *t = find(c, topic);
    bool internal = strncmp(topic, "__", 2) == 0 && strcmp(topic, "__cluster_metadata") != 0;

    if (t && t->n_pairs > 0 && topic_config_init(out, &c->config, t->pairs, t->n_pairs, NULL) == 0)
        return;
    if (topic_config_init(out, &c->config, &compact, internal ? 1 : 0, NULL) < 0)
        ASSERT(!"defaults are valid");
}
