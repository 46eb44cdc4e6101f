/* Topics whose records go by rules: retention and compaction; and what must hold of them.
 *
 * Owner: none; the choices are in options, what is known in the model.
 *
 * In a compacted topic a record's key, and whether it is a tombstone, follow from its id. What is known and not there any more must
 * have a reason:
 *
 *     compaction   a later record of its key; or it is a tombstone that has had delete.retention.ms. Never in the active
 *                  segment, nor within min.compaction.lag.ms. It never comes back; nor does a value whose tombstone has gone
 *     retention    it is older than retention.ms; or the log is still as large as retention.bytes
 *
 * Ages are of the monotonic clock, for records that no jump of the calendar has made older or younger.
 */
#include "world.h"

#define KEYS            8
#define BACKOFF_MS      3000
#define ROUND_MS        10000
#define FIRST_ROUND_MS  2000
#define TOMBSTONES_IN   5 /* one of so many */

static int64_t pick(struct rng *rng, const int64_t *from, size_t n)
{
    return from[rng_below(rng, n)];
}
#define PICK(rng, ...)                                                                             \
    pick(rng, (const int64_t[]){__VA_ARGS__}, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t))

/* ---- what a seed chooses ---------------------------------------------------------------------- */

void kept_choose(struct options *o, struct rng *rng)
{
    for (int i = 1; i < o->n_topics; i++) { /* the groups read the first one */
        struct kept_rules *k = &o->kept[i];

        k->policy = (int)PICK(rng, POLICY_NONE, POLICY_DELETE, POLICY_COMPACT, POLICY_COMPACT,
                              POLICY_COMPACT | POLICY_DELETE);
        k->retention_ms = PICK(rng, 20000, 120000, 600000);
        k->retention_bytes = PICK(rng, -1, -1, 3 * (int64_t)o->segment_bytes[i]);
        k->delete_retention_ms = PICK(rng, 0, 30000, 300000);
        k->min_lag_ms = PICK(rng, 0, 0, 0, 40000);
        k->max_lag_ms = PICK(rng, INT64_MAX, INT64_MAX, 60000);
        k->segment_ms = PICK(rng, 30000, 200000, 604800000);
        k->half_dirty = rng_below(rng, 3) == 0;
    }
    o->cleaner_threads = (int)PICK(rng, 1, 1, 2);
    o->cleaner_io_bytes = PICK(rng, INT32_MAX, INT32_MAX, 20000);
    o->roll_ms = PICK(rng, 20000, 100000, 604800000);
}

int kept_broker_settings(const struct options *o, char out[KEPT_SETTINGS_MAX][KEPT_TEXT_MAX])
{
    int n = 0;

    snprintf(out[n++], KEPT_TEXT_MAX, "log.cleaner.backoff.ms=%d", BACKOFF_MS);
    snprintf(out[n++], KEPT_TEXT_MAX, "log.retention.check.interval.ms=%d", ROUND_MS);
    snprintf(out[n++], KEPT_TEXT_MAX, "log.initial.task.delay.ms=%d", FIRST_ROUND_MS);
    snprintf(out[n++], KEPT_TEXT_MAX, "log.cleaner.threads=%d", o->cleaner_threads);
    snprintf(out[n++], KEPT_TEXT_MAX, "log.cleaner.io.max.bytes.per.second=%lld", (long long)o->cleaner_io_bytes);
    snprintf(out[n++], KEPT_TEXT_MAX, "log.cleaner.min.cleanable.ratio=0.1");
    snprintf(out[n++], KEPT_TEXT_MAX, "log.cleaner.delete.retention.ms=60000");
    snprintf(out[n++], KEPT_TEXT_MAX, "log.roll.ms=%lld", (long long)o->roll_ms); /* of internal topics, too */
    ASSERT(n <= KEPT_SETTINGS_MAX);
    return n;
}

static const char *policy_text(int policy)
{
    return policy == (POLICY_COMPACT | POLICY_DELETE) ? "compact,delete"
           : policy == POLICY_COMPACT                 ? "compact"
                                                      : "delete";
}

void kept_tell(struct world *w, const struct topic *t)
{
    const struct kept_rules *k = &w->options.kept[t->index];

    if (k->policy == POLICY_NONE)
        return;
    world_event(w, "%s: %s, retention %lld ms, %lld bytes; tombstones %lld ms, lag %lld to %lld ms, segments %lld ms", t->name,
                policy_text(k->policy), (long long)k->retention_ms, (long long)k->retention_bytes,
                (long long)k->delete_retention_ms, (long long)k->min_lag_ms, (long long)k->max_lag_ms, (long long)k->segment_ms);
}

static void put(struct kept_configs *c, const char *name, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void put(struct kept_configs *c, const char *name, const char *fmt, ...)
{
    va_list args;

    ASSERT(c->n < KEPT_CONFIGS_MAX);
    va_start(args, fmt);
    vsnprintf(c->text[c->n], KEPT_TEXT_MAX, fmt, args);
    va_end(args);
    create_topics_request_topics_configs_init(&c->rows[c->n]);
    c->rows[c->n].name = str_of(name);
    c->rows[c->n].value = str_of(c->text[c->n]);
    c->n++;
}

void kept_topic_settings(const struct topic *t, struct kept_configs *c)
{
    const struct options *o = &t->w->options;
    const struct kept_rules *k = &o->kept[t->index];

    c->n = 0;
    put(c, "internal.segment.bytes", "%d", o->segment_bytes[t->index]);
    put(c, "flush.messages", "%s", t->durable ? "1" : "9223372036854775807");
    if (k->policy == POLICY_NONE)
        return;
    put(c, "cleanup.policy", "%s", policy_text(k->policy));
    put(c, "segment.ms", "%lld", (long long)k->segment_ms);
    put(c, "file.delete.delay.ms", "%d", 10000);
    if (k->policy & POLICY_DELETE) {
        put(c, "retention.ms", "%lld", (long long)k->retention_ms);
        put(c, "retention.bytes", "%lld", (long long)k->retention_bytes);
    }
    put(c, "delete.retention.ms", "%lld", (long long)k->delete_retention_ms);
    put(c, "min.compaction.lag.ms", "%lld", (long long)k->min_lag_ms);
    put(c, "max.compaction.lag.ms", "%lld", (long long)k->max_lag_ms);
    put(c, "min.cleanable.dirty.ratio", "%s", k->half_dirty ? "0.5" : "0.01");
}

/* ---- what is sent ------------------------------------------------------------------------------ */

static const struct kept_rules *rules(const struct part *p)
{
    return &p->topic->w->options.kept[p->topic->index];
}

bool kept_has(const struct part *p, enum policy policy)
{
    return rules(p)->policy & policy;
}

static uint64_t mix(int64_t id)
{
    uint64_t h = (uint64_t)id * 0x9e3779b97f4a7c15u;

    return h ^ (h >> 29);
}

static int key_of(int64_t id)
{
    return (int)(mix(id) % KEYS);
}

static bool is_tombstone(int64_t id)
{
    return mix(id) / KEYS % TOMBSTONES_IN == 0;
}

void kept_record(const struct part *p, int64_t id, struct bytes *value, char key_text[KEPT_TEXT_MAX], struct bytes *key,
                 struct record_header *header, int *n_headers)
{
    *key = (struct bytes){NULL, 0};
    *n_headers = 0;
    if (!kept_has(p, POLICY_COMPACT))
        return;
    *key = bytes_of(key_text, (size_t)snprintf(key_text, KEPT_TEXT_MAX, "key%d", key_of(id)));
    if (!is_tombstone(id))
        return;
    *header = (struct record_header){STR("value"), *value};
    *n_headers = 1;
    *value = (struct bytes){NULL, 0};
}

struct bytes kept_value(const struct part *p, const struct record *r)
{
    struct record copy = *r;
    struct record_header header;

    if (r->value.p || record_header_next(&copy, &header) != 1)
        return r->value;
    return header.value;
}

void kept_expect(const struct part *p, const struct record *r, int64_t id)
{
    char want[KEPT_TEXT_MAX];
    int n = snprintf(want, sizeof(want), "key%d", key_of(id));

    if (!kept_has(p, POLICY_COMPACT))
        return;
    if (r->key.n != (size_t)n || memcmp(r->key.p, want, (size_t)n) != 0 || !r->value.p != is_tombstone(id))
        world_wrong(p->topic->w, "%s-%d offset %lld: record %lld has another key, or lost its value", p->topic->name, p->index,
                    (long long)r->offset, (long long)id);
}

/* ---- what must hold ---------------------------------------------------------------------------- */

/* False only where it is certain. */
static bool may_be_older(const struct part *p, int64_t id, int64_t than_ms)
{
    const struct world *w = p->topic->w;
    const struct id_info *info = &p->info[id];

    return info->n_jumps != w->n_jumps || world_now(w) - info->sent_ns >= than_ms * NS_PER_MS;
}

static struct log *log_of(const struct part *p)
{
    struct broker *b = p->topic->w->host.broker;
    struct meta_topic *t = meta_topic(b->meta, str_of(p->topic->name));
    struct log *l = NULL;

    if (!t || p->index >= t->n_partitions || broker_log(b, t, p->index, false, &l) < 0)
        return NULL;
    return l;
}

void kept_expired(const struct part *p, int64_t offset)
{
    const struct kept_rules *k = rules(p);
    int64_t id = p->ids[offset];
    struct log *l = log_of(p);

    p->topic->w->n_expired++;
    if (may_be_older(p, id, k->retention_ms))
        return;
    /* What nobody was promised may have been cut off since; a compacted log may have shrunk. */
    if (k->retention_bytes >= 0 && l &&
        (kept_has(p, POLICY_COMPACT) ||
         (int64_t)log_size_bytes(l) + p->topic->w->options.segment_bytes[p->topic->index] >= k->retention_bytes))
        return;
    world_wrong(p->topic->w, "%s-%d offset %lld: record %lld went %lld ms after it was sent", p->topic->name, p->index,
                (long long)offset, (long long)id, (long long)((world_now(p->topic->w) - p->info[id].sent_ns) / NS_PER_MS));
}

/* A tombstone of that key that nobody has seen, and that may have come and gone. */
static bool unseen_tombstone(const struct part *p, int key)
{
    for (int64_t id = 0; id < p->n_ids; id++)
        if (p->info[id].offset < 0 && p->info[id].state != ID_REFUSED && key_of(id) == key && is_tombstone(id) &&
            may_be_older(p, id, rules(p)->delete_retention_ms))
            return true;
    return false;
}

enum cover { COVER_NONE = 0, COVER_THERE, COVER_GONE }; /* a later record of the key: none, one that is there, a tombstone that has gone */

static void missing(struct part *p, int64_t offset, enum cover *cover, int64_t active, bool may_be_lost)
{
    int64_t id = p->ids[offset];
    struct world *w = p->topic->w;

    if (may_be_lost && (*cover == COVER_NONE || offset >= active || !may_be_older(p, id, rules(p)->min_lag_ms))) {
        /* Where nobody wrote down which broker was the last, recovery passes over what a power cut took. */
        p->info[id].offset = -1;
        p->ids[offset] = -1;
        p->lost_acked = true;
        return;
    }
    if (offset >= active)
        world_wrong(w, "%s-%d offset %lld: record %lld is gone from the active segment", p->topic->name, p->index,
                    (long long)offset, (long long)id);
    if (!may_be_older(p, id, rules(p)->min_lag_ms))
        world_wrong(w, "%s-%d offset %lld: record %lld went within min.compaction.lag.ms", p->topic->name, p->index,
                    (long long)offset, (long long)id);
    w->n_compacted += !(p->flags[offset] & SLOT_GONE);
    p->flags[offset] |= SLOT_GONE;
    if (*cover != COVER_NONE)
        return;
    if (is_tombstone(id) && may_be_older(p, id, rules(p)->delete_retention_ms))
        *cover = COVER_GONE;
    else if (!unseen_tombstone(p, key_of(id)))
        world_wrong(w, "%s-%d offset %lld: record %lld, the last of key%d, is gone%s", p->topic->name, p->index,
                    (long long)offset, (long long)id, key_of(id), is_tombstone(id) ? ": a tombstone before its time" : "");
}

static void there(const struct part *p, int64_t offset, int64_t id, enum cover *cover)
{
    if (p->flags[offset] & SLOT_GONE)
        world_wrong(p->topic->w, "%s-%d offset %lld: record %lld was gone and is back", p->topic->name, p->index,
                    (long long)offset, (long long)id);
    if (*cover == COVER_GONE)
        world_wrong(p->topic->w, "%s-%d offset %lld: record %lld of key%d is there, and its tombstone is gone", p->topic->name,
                    p->index, (long long)offset, (long long)id, key_of(id));
    *cover = COVER_THERE;
}

void kept_check(struct part *p, const int64_t *ids, int64_t start, int64_t n, bool lossy)
{
    enum cover cover[KEYS] = {COVER_NONE};
    int64_t active = INT64_MAX;
    struct log_segment s;
    struct log *l = log_of(p);

    if (l && log_segment_get(l, log_n_segments(l) - 1, &s) == 0)
        active = MAX(s.base_offset, p->cut_end);
    if (lossy)
        p->cut_end = MAX(p->cut_end, n);
    for (int64_t offset = n; offset-- > start;) {
        if (ids[offset] >= 0)
            there(p, offset, ids[offset], &cover[key_of(ids[offset])]);
        else if (p->ids[offset] >= 0)
            missing(p, offset, &cover[key_of(p->ids[offset])], active,
                    lossy && !p->topic->durable);
    }
}
