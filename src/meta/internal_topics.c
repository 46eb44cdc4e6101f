/* The coordinators' topics: partitions and settings from the broker's settings
 * (DefaultAutoTopicCreationManager.creatableTopic).
 *
 * Owner: nobody.
 *
 * A minimum of in-sync replicas above 1 is taken as 1, as the replication factor is: its default is
 * made for three brokers, and on one it would refuse every write.
 */
#include "internal.h"

#define CONFIGS_MAX 5

struct plan {
    struct meta_new_topic topic;
    struct config_pair configs[CONFIGS_MAX];
    char segment_bytes[24];
};

static void plan_config(struct plan *p, const char *name, const char *value)
{
    ASSERT(p->topic.n_configs < CONFIGS_MAX);
    p->configs[p->topic.n_configs++] = (struct config_pair){str_of(name), str_of(value)};
}

static void plan_segment_bytes(struct plan *p, int64_t bytes)
{
    snprintf(p->segment_bytes, sizeof(p->segment_bytes), "%lld", (long long)bytes);
    plan_config(p, "segment.bytes", p->segment_bytes);
}

static void plan_offsets(const struct config *c, struct plan *p)
{
    p->topic.n_partitions = (int32_t)c->offsets_topic_num_partitions;
    p->topic.replication_factor = (int16_t)c->offsets_topic_replication_factor;
    plan_config(p, "cleanup.policy", "compact");
    plan_config(p, "compression.type", "producer");
    plan_segment_bytes(p, c->offsets_topic_segment_bytes);
}

static void plan_transactions(const struct config *c, struct plan *p)
{
    p->topic.n_partitions = (int32_t)c->transaction_state_log_num_partitions;
    p->topic.replication_factor = (int16_t)c->transaction_state_log_replication_factor;
    plan_config(p, "cleanup.policy", "compact");
    plan_config(p, "compression.type", "uncompressed");
    plan_config(p, "min.insync.replicas", "1");
    plan_segment_bytes(p, c->transaction_state_log_segment_bytes);
    plan_config(p, "unclean.leader.election.enable", "false");
}

static void plan_share(const struct config *c, struct plan *p)
{
    p->topic.n_partitions = (int32_t)c->share_coordinator_state_topic_num_partitions;
    p->topic.replication_factor = (int16_t)c->share_coordinator_state_topic_replication_factor;
    plan_config(p, "cleanup.policy", "delete");
    plan_config(p, "compression.type", "producer");
    plan_config(p, "min.insync.replicas", "1");
    plan_config(p, "retention.ms", "-1");
    plan_segment_bytes(p, c->share_coordinator_state_topic_segment_bytes);
}

static const struct {
    const char *name;
    void (*plan)(const struct config *c, struct plan *p);
} plans[] = {
    {OFFSETS_TOPIC, plan_offsets},
    {TRANSACTION_TOPIC, plan_transactions},
    {SHARE_TOPIC, plan_share},
};

int meta_create_internal_topic(struct meta *m, struct str name, struct meta_topic **out,
                               int16_t *error, struct errmsg *why)
{
    struct plan p = {.topic = {.name = name}};

    ASSERT(meta_topic_name_internal(name));
    p.topic.configs = p.configs;
    for (size_t i = 0; i < ARRAY_SIZE(plans); i++)
        if (str_is(name, plans[i].name))
            plans[i].plan(m->config, &p);
    return meta_create_topic(m, &p.topic, out, error, why);
}
