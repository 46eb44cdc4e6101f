/* The shards of a coordinator: one statelog per partition of its topic, __consumer_offsets or __transaction_state.
 *
 * Owner: struct shards, broker's; core thread. A shard whose partition was ever written to is loaded at the start; others are
 * opened when the first group or transactional id falls into them. The topic is made at the first use, as Kafka's coordinators make
 * theirs. How many partitions it has then counts as long as the process and the topic live: partitions that are added later
 * would move the groups, so they count from the next start on (as in Kafka).
 * Failures: a shard that cannot be opened answers COORDINATOR_NOT_AVAILABLE and is tried again when it is asked for again.
 */
#include "parts.h"

#define SHARD_ERROR_EVERY_MS 60000

struct shards {
    struct broker *b;
    const struct shards_kind *kind;
    struct statelog **logs; /* by partition; NULL until opened */
    int32_t n;
};

struct shards *shards_new(struct broker *b, const struct shards_kind *kind)
{
    struct shards *s = xcalloc(1, sizeof(*s));

    s->b = b;
    s->kind = kind;
    return s;
}

static struct meta_topic *topic_of(const struct shards *s)
{
    return meta_topic(s->b->meta, str_of(s->kind->topic));
}

static void begin(struct shards *s, const struct meta_topic *t)
{
    if (s->n > 0)
        return;
    s->n = t->n_partitions;
    s->logs = xcalloc((size_t)s->n, sizeof(struct statelog *));
}

static int shard_open(struct shards *s, struct meta_topic *t, int32_t shard, struct errmsg *msg)
{
    int32_t leader_epoch = t->partitions[shard].leader_epoch;
    struct statelog_options options = {
        .apply = s->kind->apply, .origin = LOG_FROM_COORDINATOR, .leader_epoch = leader_epoch};
    int rc = broker_log(s->b, t, shard, true, &options.log);

    if (rc < 0) {
        errmsg_set(msg, "%s", err_text(rc));
        return rc;
    }
    options.machine = s->kind->machine(s->b, shard, leader_epoch);
    rc = statelog_open(s->b->env, &options, &s->logs[shard], msg);
    if (rc == 0)
        s->kind->loaded(options.machine, s->logs[shard]);
    return rc;
}

int32_t shards_count(struct shards *s)
{
    struct meta_topic *t = topic_of(s);
    struct errmsg why = {0};
    int16_t error = KE_NONE;
    int rc;

    if (!t) {
        rc = meta_create_internal_topic(s->b->meta, str_of(s->kind->topic), &t, &error, &why);
        if (rc < 0 || error) {
            diag_warn("cannot create %s: %s", s->kind->topic, rc < 0 ? err_text(rc) : why.text);
            return 0;
        }
    }
    begin(s, t);
    return s->n;
}

/* Every request of its groups or transactional ids comes here: one line a minute is enough for all shards. */
static void tell(struct shards *s, int32_t shard, const struct errmsg *msg)
{
    struct broker *b = s->b;
    struct mono now = clock_mono(b->env->clock);

    if (b->n_shard_errors++ > 0 && now.ns < b->shard_errors_quiet_until.ns)
        return;
    diag_error("cannot open %s-%d: %s (%u requests of coordinators refused so far)", s->kind->topic,
               shard, msg->text, b->n_shard_errors);
    b->shard_errors_quiet_until = mono_after_ms(now, SHARD_ERROR_EVERY_MS);
}

int16_t shards_get(struct shards *s, int32_t shard, struct statelog **out)
{
    struct meta_topic *t = topic_of(s);
    struct errmsg msg = {0};
    int rc = 0;

    *out = NULL;
    if (s->b->stopping || !t || shard >= s->n)
        return KE_COORDINATOR_NOT_AVAILABLE;
    if (!s->logs[shard])
        rc = shard_open(s, t, shard, &msg);
    if (rc < 0) {
        if (rc != E_AGAIN) /* the directory of a topic that was deleted a moment ago is still there */
            tell(s, shard, &msg);
        return KE_COORDINATOR_NOT_AVAILABLE;
    }
    *out = s->logs[shard];
    return KE_NONE;
}

int shards_load(struct shards *s, struct errmsg *msg)
{
    struct meta_topic *t = topic_of(s);
    int rc;

    if (!t)
        return 0;
    begin(s, t);
    for (int32_t i = 0; i < s->n; i++) {
        if (!log_exists(s->b->logm, t->name, i))
            continue;
        rc = shard_open(s, t, i, msg);
        if (rc == E_OFFLINE) { /* what is in it has no coordinator until the next start: who asks for it is told so, not that it is empty */
            (void)s->kind->machine(s->b, i, t->partitions[i].leader_epoch);
            continue;
        }
        if (rc < 0) {
            errmsg_wrap(msg, "%s-%d", s->kind->topic, i);
            return rc;
        }
    }
    return 0;
}

bool shards_all_loaded(const struct shards *s)
{
    for (int32_t i = 0; i < s->n; i++)
        if (!s->logs[i] && log_exists(s->b->logm, s->kind->topic, i))
            return false;
    return true;
}

struct statelog **shards_take(struct shards *s, int32_t *n)
{
    struct statelog **logs = s->logs;

    *n = s->n;
    s->logs = NULL;
    s->n = 0;
    return logs;
}

void shards_free(struct shards *s)
{
    if (!s)
        return;
    for (int32_t i = 0; i < s->n; i++)
        statelog_close(s->logs[i]);
    free(s->logs);
    free(s);
}
