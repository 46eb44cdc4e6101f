/* What the group coordinator asks the broker for.
 *
 * Owner: broker.groups and broker.offset_shards, core thread.
 */
#include "parts.h"

static void *shard_machine(struct broker *b, int32_t shard, int32_t leader_epoch)
{
    return groupm_shard(b->groups, shard);
}

static void shard_loaded(void *machine, struct statelog *log)
{
    group_shard_loaded(machine);
}

static const struct shards_kind kind = {.topic = OFFSETS_TOPIC,
                                        .apply = group_shard_apply,
                                        .machine = shard_machine,
                                        .loaded = shard_loaded};

int32_t broker_offsets_topic(struct broker *b)
{
    return shards_count(b->offset_shards);
}

static int32_t group_n_shards(void *arg)
{
    return broker_offsets_topic(arg);
}

static int16_t group_shard_get(void *arg, int32_t shard, struct statelog **out)
{
    return shards_get(((struct broker *)arg)->offset_shards, shard, out);
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

void broker_groups_new(struct broker *b)
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

    b->offset_shards = shards_new(b, &kind);
    b->groups = groupm_new(b->env, &options);
}
