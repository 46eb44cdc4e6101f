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

static int16_t check_count(const struct meta_topic *t, int32_t count, struct errmsg *why)
{
    if (count == t->n_partitions)
        errmsg_set(why, "Topic already has %d partition(s).", t->n_partitions);
    else if (count < t->n_partitions)
        errmsg_set(why, "The topic %s currently has %d partition(s); %d would not be an increase.",
                   t->name, t->n_partitions, count);
    else if (count > META_TOPIC_PARTITIONS_MAX)
        errmsg_set(why, "Number of partitions is above the limit of %d.",
                   META_TOPIC_PARTITIONS_MAX);
    else
        return KE_NONE;
    return KE_INVALID_PARTITIONS;
}

int meta_create_partitions(struct meta *m, struct meta_topic *t, int32_t count, bool validate_only,
                           int16_t *error, struct errmsg *why)
{
    struct statelog_proposal p;
    int rc;

    ASSERT(m->magic == META_MAGIC);
    *error = check_count(t, count, why);
    if (*error || validate_only)
        return 0;
    statelog_proposal_init(&p);
    meta_proposal_put_partitions(m, &p, t->id, t->n_partitions, count);
    rc = meta_propose(m, &p);
    statelog_proposal_release(&p);
    ASSERT(IMPLIES(rc == 0, t->n_partitions == count));
    return rc;
}

int meta_allocate_producer_ids(struct meta *m, int64_t *first, int32_t *count)
{
    struct producer_ids_record r;
    struct statelog_proposal p;
    int rc;

    ASSERT(m->magic == META_MAGIC);
    if (m->producer_id_next > INT64_MAX - META_PRODUCER_IDS_BLOCK)
        return E_LIMIT;
    *first = m->producer_id_next;
    *count = META_PRODUCER_IDS_BLOCK;
    if (PLANTED(reuse_producer_id))
        return 0;
    producer_ids_record_init(&r);
    r.broker_id = m->node_id;
    r.broker_epoch = m->broker_epoch;
    r.next_producer_id = *first + *count;
    statelog_proposal_init(&p);
    meta_proposal_put(&p, RECORD_PRODUCER_IDS, 0, &r);
    rc = meta_propose(m, &p);
    statelog_proposal_release(&p);
    ASSERT(IMPLIES(rc == 0, m->producer_id_next == *first + *count));
    return rc;
}
