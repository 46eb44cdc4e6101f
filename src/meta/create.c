/* Creating topics (ReplicationControlManager.createTopics): checks in its order, then the records.
 *
 * Owner: nobody; everything lives on the stack of one call.
 *
 * Happy path: name -> not there yet -> settings -> partitions or assignments -> TopicRecord,
 *             ConfigRecords by name, PartitionRecords, in one change.
 * Failures:   what the peer did wrong is *error with Kafka's words; E_* when the log refused, with
 *             nothing changed.
 */
#include "internal.h"

static bool check_name(const struct meta *m, struct str name, struct meta_refusal *r)
{
    const struct meta_topic *other;
    struct errmsg fault;

    if (!meta_topic_name_valid(name, &fault))
        return meta_refuse(r, KE_INVALID_TOPIC_EXCEPTION, "%s", fault.text);
    if (meta_topic((struct meta *)m, name))
        return meta_refuse(r, KE_TOPIC_ALREADY_EXISTS, "Topic '%.*s' already exists.",
                           STR_ARG(name));
    other = meta_topic_colliding(m, name);
    if (other)
        return meta_refuse(r, KE_INVALID_TOPIC_EXCEPTION,
                           "Topic '%.*s' collides with existing topic: %s", STR_ARG(name),
                           other->name);
    return true;
}

/* Null values and unknown names are refused before any value is looked at. Then all are checked
 * together. */
static bool check_configs(const struct meta *m, const struct meta_new_topic *t,
                          struct meta_refusal *r)
{
    struct topic_config tc;
    struct errmsg fault;

    for (int i = 0; i < t->n_configs; i++)
        if (!t->configs[i].value.p)
            return meta_refuse(r, KE_INVALID_CONFIG,
                               "Null value not supported for topic configs: %s",
                               diag_escape(t->configs[i].name));
    for (int i = 0; i < t->n_configs; i++)
        if (!config_topic_setting(t->configs[i].name))
            return meta_refuse(r, KE_INVALID_CONFIG, "Unknown topic config name: %s",
                               diag_escape(t->configs[i].name));
    if (meta_topic_config(m, t->configs, t->n_configs, &tc, &fault) < 0)
        return meta_refuse(r, KE_INVALID_CONFIG, "%s", fault.text);
    topic_config_release(&tc);
    return true;
}

static int by_number(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

    return (x > y) - (x < y);
}

/* The replicas of one partition, in ascending order. */
static bool check_sorted_replicas(const struct meta *m, const int32_t *ids, int n,
                                  struct meta_refusal *r)
{
    for (int i = 0; i < n; i++) {
        if (ids[i] != m->node_id)
            return meta_refuse(
                r, KE_INVALID_REPLICA_ASSIGNMENT,
                "The manual partition assignment includes broker %d, but no such broker "
                "is registered.",
                ids[i]);
        if (i > 0)
            return meta_refuse(
                r, KE_INVALID_REPLICA_ASSIGNMENT,
                "The manual partition assignment includes the broker %d more than once.", ids[i]);
    }
    return true;
}

bool meta_check_assignment(const struct meta *m, const struct meta_assignment *a,
                           struct meta_refusal *r)
{
    int32_t *ids;
    bool ok;

    if (a->n_broker_ids <= 0)
        return meta_refuse(r, KE_INVALID_REPLICA_ASSIGNMENT,
                           "The manual partition assignment includes an empty replica list.");
    ids = xmemdup(a->broker_ids, (size_t)a->n_broker_ids * sizeof(*ids));
    qsort(ids, (size_t)a->n_broker_ids, sizeof(*ids), by_number);
    ok = check_sorted_replicas(m, ids, a->n_broker_ids, r);
    free(ids);
    return ok;
}

int16_t meta_check_replicas(const struct meta *m, const struct meta_assignment *a,
                            struct errmsg *why)
{
    int16_t error = KE_NONE;
    struct meta_refusal r = {&error, why};

    meta_check_assignment(m, a, &r);
    return error;
}

/* Each of 0..n-1 must be there once, in any order. */
static bool check_partitions_named(const struct meta_new_topic *t, struct meta_refusal *r)
{
    int32_t *numbers = xcalloc((size_t)t->n_assignments, sizeof(*numbers));
    bool ok = true;

    for (int i = 0; i < t->n_assignments; i++)
        numbers[i] = t->assignments[i].partition;
    qsort(numbers, (size_t)t->n_assignments, sizeof(*numbers), by_number);
    for (int i = 1; ok && i < t->n_assignments; i++)
        if (numbers[i] == numbers[i - 1])
            ok = meta_refuse(r, KE_INVALID_REPLICA_ASSIGNMENT,
                             "Found multiple manual partition assignments for partition %d",
                             numbers[i]);
    for (int i = 0; ok && i < t->n_assignments; i++)
        if (numbers[i] != i)
            ok = meta_refuse(r, KE_INVALID_REPLICA_ASSIGNMENT,
                             "partitions should be a consecutive 0-based integer sequence");
    free(numbers);
    return ok;
}

static bool check_manual(const struct meta *m, const struct meta_new_topic *t,
                         struct meta_refusal *r)
{
    if (t->replication_factor != -1)
        return meta_refuse(
            r, KE_INVALID_REQUEST,
            "A manual partition assignment was specified, but replication factor was not "
            "set to -1.");
    if (t->n_partitions != -1)
        return meta_refuse(
            r, KE_INVALID_REQUEST,
            "A manual partition assignment was specified, but numPartitions was not set to -1.");
    for (int i = 0; i < t->n_assignments; i++)
        if (!meta_check_assignment(m, &t->assignments[i], r))
            return false;
    return check_partitions_named(t, r);
}

/* One node can hold one replica. Of the coordinators' topics more are not asked for seriously: it
 * is the brokers' default. */
static bool check_replication(const struct meta *m, const struct meta_new_topic *t,
                              struct meta_refusal *r)
{
    int64_t n =
        t->replication_factor == -1 ? m->config->default_replication_factor : t->replication_factor;

    if (n > 1 && meta_topic_name_internal(t->name)) {
        diag_info("topic %.*s: replication factor %lld is taken as 1, on a single node",
                  STR_ARG(t->name), (long long)n);
        return true;
    }
    if (n == 1)
        return true;
    return meta_refuse(
        r, KE_INVALID_REPLICATION_FACTOR,
        "Unable to replicate the partition %lld time(s): The target replication factor "
        "of %lld cannot be "
        "reached because only 1 broker(s) are registered or some brokers have all their "
        "log directories "
        "cordoned.",
        (long long)n, (long long)n);
}

static bool check_numbers(const struct meta *m, const struct meta_new_topic *t,
                          struct meta_refusal *r)
{
    if (t->n_assignments > 0)
        return check_manual(m, t, r);
    if (t->replication_factor < -1 || t->replication_factor == 0)
        return meta_refuse(
            r, KE_INVALID_REPLICATION_FACTOR,
            "Replication factor must be larger than 0, or -1 to use the default value.");
    if (t->n_partitions < -1 || t->n_partitions == 0)
        return meta_refuse(r, KE_INVALID_PARTITIONS,
                           "Number of partitions was set to an invalid non-positive value.");
    return check_replication(m, t, r);
}

static bool check_limit(int32_t n_partitions, struct meta_refusal *r)
{
    if (n_partitions <= META_TOPIC_PARTITIONS_MAX)
        return true;
    return meta_refuse(r, KE_INVALID_PARTITIONS, "Number of partitions is above the limit of %d.",
                       META_TOPIC_PARTITIONS_MAX);
}

int32_t meta_new_topic_partitions(const struct meta *m, const struct meta_new_topic *t)
{
    if (t->n_assignments > 0)
        return t->n_assignments;
    return t->n_partitions == -1 ? (int32_t)m->config->num_partitions : t->n_partitions;
}

/* ---- the records ----------------------------------------------------------------------------- */

/* The directory that was given the fewest partitions, of those that are online; counts are moved along by the caller's own
 * array. */
static int least(const int64_t *counts, int n)
{
    int best = 0;

    for (int i = 1; i < n; i++)
        if (counts[i] < counts[best]) /* INT64_MAX: it is offline */
            best = i;
    return best;
}

void meta_proposal_put_partitions(const struct meta *m, struct statelog_proposal *p,
                                  struct str topic, struct uuid topic_id, int32_t from, int32_t to)
{
    int64_t *counts = xmemdup(m->dir_partitions, (size_t)m->n_dir_ids * sizeof(*counts));
    int32_t node = m->node_id;
    struct partition_record r;

    for (int i = 0; i < m->n_dir_ids; i++)
        counts[i] = m->dir_offline[i] ? INT64_MAX : counts[i];
    for (int32_t i = from; i < to; i++) {
        int preferred = meta_preferred_dir(m, topic, i);
        int dir = preferred >= 0 ? preferred : least(counts, m->n_dir_ids);

        counts[dir] += counts[dir] < INT64_MAX;
        partition_record_init(&r);
        r.partition_id = i;
        r.topic_id = topic_id;
        r.replicas = r.isr = &node;
        r.n_replicas = r.n_isr = 1;
        r.leader = node;
        r.leader_epoch = r.partition_epoch = 0;
        r.directories = &m->dir_ids[dir];
        r.n_directories = 1;
        meta_proposal_put(p, RECORD_PARTITION, 2, &r);
    }
    free(counts);
}

/* By name, of two for one name the last. */
static void put_configs(const struct meta_new_topic *t, struct statelog_proposal *p)
{
    struct config_pair *pairs = NULL;
    struct config_record r;
    int n = 0;

    for (int i = 0; i < t->n_configs; i++)
        meta_pairs_set(&pairs, &n, t->configs[i].name, t->configs[i].value);
    for (int i = 0; i < n; i++) {
        config_record_init(&r);
        r.resource_type = META_RESOURCE_TOPIC;
        r.resource_name = t->name;
        r.name = pairs[i].name;
        r.value = pairs[i].value;
        meta_proposal_put(p, RECORD_CONFIG, 0, &r);
    }
    meta_pairs_release(&pairs, &n);
}

static struct uuid fresh_id(struct meta *m)
{
    struct uuid id;

    do
        id = rng_uuid(&m->env->rng);
    while (meta_topic_by_id(m, id));
    return id;
}

static int create(struct meta *m, const struct meta_new_topic *t, struct meta_topic **out)
{
    struct topic_record r;
    struct statelog_proposal p;
    int rc;

    topic_record_init(&r);
    r.name = t->name;
    r.topic_id = fresh_id(m);
    statelog_proposal_init(&p);
    meta_proposal_put(&p, RECORD_TOPIC, 0, &r);
    put_configs(t, &p);
    meta_proposal_put_partitions(m, &p, t->name, r.topic_id, 0, meta_new_topic_partitions(m, t));
    rc = meta_propose(m, &p);
    statelog_proposal_release(&p);
    if (rc == 0 && out)
        *out = meta_topic_by_id(m, r.topic_id);
    ASSERT(IMPLIES(rc == 0, meta_topic(m, t->name)));
    return rc;
}

int meta_create_topic(struct meta *m, const struct meta_new_topic *t, struct meta_topic **out,
                      int16_t *error, struct errmsg *why)
{
    struct meta_refusal r = {error, why};

    ASSERT(m->magic == META_MAGIC);
    *error = KE_NONE;
    if (out)
        *out = NULL;
    if (!check_name(m, t->name, &r) || !check_configs(m, t, &r) || !check_numbers(m, t, &r) ||
        !check_limit(meta_new_topic_partitions(m, t), &r)) {
        ASSERT(*error != KE_NONE);
        return 0;
    }
    return t->validate_only ? 0 : create(m, t, out);
}
