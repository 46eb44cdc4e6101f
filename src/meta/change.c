/* Deleting topics, adding partitions, handing out producer ids.
 *
 * Owner: nobody; decisions over struct meta.
 *
 * Failures:   what the peer did wrong is *error with Kafka's words; E_* when the log refused, with
 *             nothing changed.
 */
#include "internal.h"

int meta_delete_topic(struct meta *m, struct meta_topic *t, int16_t *error, struct errmsg *why)
{
    struct remove_topic_record r;
    struct statelog_proposal p;
    int rc;

    ASSERT(m->magic == META_MAGIC);
    ASSERT(meta_topic_by_id(m, t->id) == t);
    *error = KE_NONE;
    remove_topic_record_init(&r);
    r.topic_id = t->id;
    statelog_proposal_init(&p);
    meta_proposal_put(&p, RECORD_REMOVE_TOPIC, 0, &r);
    rc = meta_propose(m, &p);
    statelog_proposal_release(&p);
    return rc;
}

static bool check_count(const struct meta_topic *t, int32_t count, struct meta_refusal *r)
{
    if (count == t->n_partitions)
        return meta_refuse(r, KE_INVALID_PARTITIONS, "Topic already has %d partition(s).",
                           t->n_partitions);
    if (count < t->n_partitions)
        return meta_refuse(
            r, KE_INVALID_PARTITIONS,
            "The topic %s currently has %d partition(s); %d would not be an increase.", t->name,
            t->n_partitions, count);
    if (count > META_TOPIC_PARTITIONS_MAX)
        return meta_refuse(r, KE_INVALID_PARTITIONS,
                           "Number of partitions is above the limit of %d.",
                           META_TOPIC_PARTITIONS_MAX);
    return true;
}

static bool check_assignments(const struct meta *m, const struct meta_topic *t,
                              const struct meta_more_partitions *more, struct meta_refusal *r)
{
    int32_t n = more->count - t->n_partitions;

    if (more->n_assignments >= 0 && more->n_assignments != n)
        return meta_refuse(r, KE_INVALID_REPLICA_ASSIGNMENT,
                           "Attempted to add %d additional partition(s), but only %d "
                           "assignment(s) were specified.",
                           n, more->n_assignments);
    for (int i = 0; i < more->n_assignments; i++)
        if (!meta_check_assignment(m, &more->assignments[i], r))
            return false;
    return true;
}

int meta_create_partitions(struct meta *m, struct meta_topic *t,
                           const struct meta_more_partitions *more, int16_t *error,
                           struct errmsg *why)
{
    struct meta_refusal r = {error, why};
    struct statelog_proposal p;
    int rc;

    ASSERT(m->magic == META_MAGIC);
    *error = KE_NONE;
    if (!check_count(t, more->count, &r) || !check_assignments(m, t, more, &r) ||
        more->validate_only)
        return 0;
    statelog_proposal_init(&p);
    meta_proposal_put_partitions(m, &p, str_of(t->name), t->id, t->n_partitions, more->count);
    rc = meta_propose(m, &p);
    statelog_proposal_release(&p);
    ASSERT(IMPLIES(rc == 0, t->n_partitions == more->count));
    return rc;
}

int meta_allocate_producer_ids(struct meta *m, int64_t at_least, int64_t *first, int32_t *count)
{
    int64_t next = MAX(m->producer_id_next, at_least);
    struct producer_ids_record r;
    struct statelog_proposal p;
    int rc = 0;

    ASSERT(m->magic == META_MAGIC);
    if (next > INT64_MAX - META_PRODUCER_IDS_BLOCK)
        return E_LIMIT;
    if (PLANTED(reuse_producer_id))
        goto out;
    producer_ids_record_init(&r);
    r.broker_id = m->node_id;
    r.broker_epoch = m->broker_epoch;
    r.next_producer_id = next + META_PRODUCER_IDS_BLOCK;
    statelog_proposal_init(&p);
    meta_proposal_put(&p, RECORD_PRODUCER_IDS, 0, &r);
    rc = meta_propose(m, &p);
    statelog_proposal_release(&p);
    ASSERT(IMPLIES(rc == 0, m->producer_id_next == next + META_PRODUCER_IDS_BLOCK));
out:
    if (rc == 0) { /* what failed has given nothing */
        *first = next;
        *count = META_PRODUCER_IDS_BLOCK;
    }
    return rc;
}

int meta_unregister_broker(struct meta *m, int32_t broker_id, int16_t *error, struct errmsg *why)
{
    struct meta_refusal refusal = {error, why};
    struct unregister_broker_record r;
    struct statelog_proposal p;
    int rc;

    ASSERT(m->magic == META_MAGIC);
    *error = KE_NONE;
    if (broker_id != m->node_id || !m->registered) {
        meta_refuse(&refusal, KE_BROKER_ID_NOT_REGISTERED,
                    "Broker ID %d is not currently registered", broker_id);
        return 0;
    }
    unregister_broker_record_init(&r);
    r.broker_id = broker_id;
    r.broker_epoch = m->broker_epoch;
    statelog_proposal_init(&p);
    meta_proposal_put(&p, RECORD_UNREGISTER_BROKER, 0, &r);
    rc = meta_propose(m, &p);
    statelog_proposal_release(&p);
    return rc;
}
