/* The group coordinator's shards: one statelog per partition of __consumer_offsets.
 *
 * Owner: broker.offset_shards, core thread. A shard whose partition was ever written to is loaded
 * at the start; others are made when the first group falls into them. The topic is made at the
 * first use, as Kafka's coordinators make theirs.
 */
#include "parts.h"

#define SHARD_ERROR_EVERY_MS 60000

static int shard_open(struct broker *b, struct meta_topic *t, int32_t shard, struct errmsg *msg)
{
    struct statelog_options options = {.apply = group_shard_apply, .origin = LOG_FROM_COORDINATOR};
    struct log *log;
    int rc = broker_log(b, t, shard, true, &log);

    if (rc < 0) {
        errmsg_set(msg, "%s", err_text(rc));
        return rc;
    }
    options.log = log;
    options.machine = groupm_shard(b->groups, shard);
    options.leader_epoch = t->partitions[shard].leader_epoch;
    rc = statelog_open(b->env, &options, &b->offset_shards[shard], msg);
    if (rc == 0)
        group_shard_loaded(options.machine);
    return rc;
}

static void shards_grow(struct broker *b, int32_t n)
{
    if (n <= b->n_offset_shards)
        return;
    b->offset_shards = xrealloc_array(b->offset_shards, (size_t)n, sizeof(*b->offset_shards));
    for (int32_t i = b->n_offset_shards; i < n; i++)
        b->offset_shards[i] = NULL;
    b->n_offset_shards = n;
}

int32_t broker_offsets_topic(struct broker *b)
{
    struct meta_topic *t = meta_topic(b->meta, STR(OFFSETS_TOPIC));
    struct errmsg why = {0};
    int16_t error = KE_NONE;
    int rc;

    if (!t) {
        rc = meta_create_internal_topic(b->meta, STR(OFFSETS_TOPIC), &t, &error, &why);
        if (rc < 0 || error) {
            diag_warn("cannot create %s: %s", OFFSETS_TOPIC, rc < 0 ? err_text(rc) : why.text);
            return 0;
        }
    }
    shards_grow(b, t->n_partitions);
    return t->n_partitions;
}

static int32_t group_n_shards(void *arg)
{
    return broker_offsets_topic(arg);
}

/* Every request of its groups or transactional ids comes here: one line a minute is enough for all shards. */
void broker_tell_shard(struct broker *b, const char *topic, int32_t shard, const struct errmsg *msg)
{
    struct mono now = clock_mono(b->env->clock);

    if (b->n_shard_errors++ > 0 && now.ns < b->shard_errors_quiet_until.ns)
        return;
    diag_error("cannot open %s-%d: %s (%u requests of coordinators refused so far)", topic, shard,
               msg->text, b->n_shard_errors);
    b->shard_errors_quiet_until = mono_after_ms(now, SHARD_ERROR_EVERY_MS);
}

static int16_t group_shard_get(void *arg, int32_t shard, struct statelog **out)
{
    struct broker *b = arg;
    struct meta_topic *t = meta_topic(b->meta, STR(OFFSETS_TOPIC));
    struct errmsg msg = {0};

    *out = NULL;
    if (b->stopping || !t || shard >= b->n_offset_shards)
        return KE_COORDINATOR_NOT_AVAILABLE;
    if (!b->offset_shards[shard] && shard_open(b, t, shard, &msg) < 0) {
        broker_tell_shard(b, OFFSETS_TOPIC, shard, &msg);
        return KE_COORDINATOR_NOT_AVAILABLE;
    }
    *out = b->offset_shards[shard];
    return KE_NONE;
}

int16_t broker_offset_shard(struct broker *b, int32_t shard, struct statelog **out)
{
    return group_shard_get(b, shard, out);
}

static struct str topic_name(void *arg, struct uuid id)
{
    struct meta_topic *t = meta_topic_by_id(((struct broker *)arg)->meta, id);

    return t ? str_of(t->name) : (struct str){NULL, 0};
}

static struct uuid topic_id(void *arg, struct str name)
{
    struct meta_topic *t = meta_topic(((struct broker *)arg)->meta, name);

    return t ? t->id : UUID_ZERO;
}

static int32_t topic_partitions(void *arg, struct str name)
{
    struct meta_topic *t = meta_topic(((struct broker *)arg)->meta, name);

    return t ? t->n_partitions : 0;
}

static int32_t n_topics(void *arg)
{
    return meta_n_topics(((struct broker *)arg)->meta);
}

static struct str topic_at(void *arg, int32_t i)
{
    return str_of(meta_topics_sorted(((struct broker *)arg)->meta)[i]->name);
}

static int64_t metadata_version(void *arg)
{
    return meta_end(((struct broker *)arg)->meta);
}

static const struct config_pair *group_configs(void *arg, struct str group_id, int *n)
{
    return meta_configs(((struct broker *)arg)->meta, META_RESOURCE_GROUP, group_id, n);
}

struct groupm *broker_groups_new(struct broker *b)
{
    struct groupm_options options = {.config = b->config,
                                     .shard = group_shard_get,
                                     .n_shards = group_n_shards,
                                     .topic_name = topic_name,
                                     .topic_id = topic_id,
                                     .topic_partitions = topic_partitions,
                                     .n_topics = n_topics,
                                     .topic_at = topic_at,
                                     .metadata_version = metadata_version,
                                     .group_configs = group_configs,
                                     .arg = b};

    return groupm_new(b->env, &options);
}

int broker_groups_load(struct broker *b, struct errmsg *msg)
{
    struct meta_topic *t = meta_topic(b->meta, STR(OFFSETS_TOPIC));
    int rc;

    if (!t)
        return 0;
    shards_grow(b, t->n_partitions);
    for (int32_t i = 0; i < t->n_partitions; i++) {
        if (!log_exists(b->logm, t->name, i))
            continue;
        rc = shard_open(b, t, i, msg);
        if (rc == E_OFFLINE) /* its groups have no coordinator until the next start */
            continue;
        if (rc < 0) {
            errmsg_wrap(msg, "%s-%d", OFFSETS_TOPIC, i);
            return rc;
        }
    }
    return 0;
}

void broker_groups_close(struct broker *b)
{
    for (int32_t i = 0; i < b->n_offset_shards; i++)
        if (b->offset_shards[i])
            statelog_close(b->offset_shards[i]);
    free(b->offset_shards);
    b->offset_shards = NULL;
    b->n_offset_shards = 0;
}
