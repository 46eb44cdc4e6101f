/* Who may commit and fetch offsets of a consumer group (ConsumerGroup.validateOffsetCommit, validateOffsetFetch).
 *
 * A commit carries the member's epoch. One that is older than the member's is taken, too, for partitions that the member has
 * had since then (KIP-1251): the records that it is about are its own.
 */
#include "consumer.h"

static int16_t epoch_error(const struct cg_member *m)
{
    return m->details.classic ? KE_ILLEGAL_GENERATION : KE_STALE_MEMBER_EPOCH;
}

int16_t cg_commit_allowed(const struct group *g, const struct offset_commit_request *rq,
                          int16_t version, const struct cg_member **m)
{
    int32_t epoch = rq->generation_id_or_member_epoch;

    *m = NULL;
    if (epoch < 0 && g->consumer->n_members == 0)
        return KE_NONE; /* an administrator, or a consumer that assigns itself */
    *m = cg_member_find(g, rq->member_id);
    if (!*m)
        return KE_UNKNOWN_MEMBER_ID;
    if (!(*m)->details.classic && version < 9)
        return KE_UNSUPPORTED_VERSION;
    return epoch > (*m)->current.epoch ? epoch_error(*m) : KE_NONE;
}

int16_t cg_commit_partition_allowed(const struct cg_member *m, int32_t epoch, struct uuid topic,
                                    int32_t partition)
{
    const struct cg_partition *p;

    if (!m || epoch == m->current.epoch)
        return KE_NONE;
    p = cg_partitions_find(&m->current.assigned, topic, partition);
    if (!p)
        p = cg_partitions_find(&m->current.revoking, topic, partition);
    return !p || epoch < p->epoch ? epoch_error(m) : KE_NONE;
}

int16_t cg_fetch_allowed(const struct group *g, struct str member_id, int32_t epoch)
{
    const struct cg_member *m;

    if (!member_id.p && epoch < 0)
        return KE_NONE;
    m = cg_member_find(g, member_id);
    if (!m)
        return KE_UNKNOWN_MEMBER_ID;
    return epoch == m->current.epoch ? KE_NONE : epoch_error(m);
}
