/* TxnOffsetCommit: offsets that a transaction commits (OffsetMetadataManager.commitTransactionalOffset).
 *
 * Owner: the call, its caller's. Core thread.
 *
 * Happy path: as OffsetCommit, in a batch of the producer; the offsets are kept aside
 *             (transactions.c) until the marker of the transaction comes. Whether the producer may write here was verified
 *             before.
 * Differs:    a producer need not name a member, and then is not fenced by the group; a rebalance
 *             does not keep it from committing; a member's old epoch is ILLEGAL_GENERATION.
 */
#include "commit.h"

typedef struct txn_offset_commit_request_topics txn_topic;
typedef struct txn_offset_commit_response_topics txn_row;

#define COMMIT_VERSION         8 /* of OffsetCommit, with names */
#define COMMIT_VERSION_WITH_ID 10

static void copy_topic(const txn_topic *from, struct offset_commit_request_topics *to,
                       struct arena *arena)
{
    offset_commit_request_topics_init(to);
    to->name = from->name;
    to->topic_id = from->topic_id;
    to->n_partitions = from->n_partitions;
    to->partitions = arena_array(arena, (size_t)from->n_partitions, sizeof(*to->partitions));
    for (int32_t i = 0; i < from->n_partitions; i++) {
        offset_commit_request_topics_partitions_init(&to->partitions[i]);
        to->partitions[i].partition_index = from->partitions[i].partition_index;
        to->partitions[i].committed_offset = from->partitions[i].committed_offset;
        to->partitions[i].committed_leader_epoch = from->partitions[i].committed_leader_epoch;
        to->partitions[i].committed_metadata = from->partitions[i].committed_metadata;
    }
}

static void copy_request(const struct txn_offset_commit_request *from,
                         struct offset_commit_request *to, struct arena *arena)
{
    offset_commit_request_init(to);
    to->group_id = from->group_id;
    to->generation_id_or_member_epoch = from->generation_id_or_member_epoch;
    to->member_id = from->member_id;
    to->group_instance_id = from->group_instance_id;
    to->retention_time_ms = -1;
    to->n_topics = from->n_topics;
    to->topics = arena_array(arena, (size_t)from->n_topics, sizeof(*to->topics));
    for (int32_t i = 0; i < from->n_topics; i++)
        copy_topic(&from->topics[i], &to->topics[i], arena);
}

/* Errors that the transactional API has other words for. */
static int16_t error_of(int16_t error)
{
    return error == KE_STALE_MEMBER_EPOCH || error == KE_GROUP_ID_NOT_FOUND ? KE_ILLEGAL_GENERATION
                                                                            : error;
}

static void copy_response(const struct offset_commit_response *from,
                          struct txn_offset_commit_response *to, struct arena *arena)
{
    to->n_topics = from->n_topics;
    to->topics = arena_array(arena, (size_t)from->n_topics, sizeof(*to->topics));
    for (int32_t i = 0; i < from->n_topics; i++) {
        const struct offset_commit_response_topics *row = &from->topics[i];
        txn_row *out = &to->topics[i];

        txn_offset_commit_response_topics_init(out);
        out->name = row->name;
        out->topic_id = row->topic_id;
        out->n_partitions = row->n_partitions;
        out->partitions = arena_array(arena, (size_t)row->n_partitions, sizeof(*out->partitions));
        for (int32_t j = 0; j < row->n_partitions; j++) {
            out->partitions[j].partition_index = row->partitions[j].partition_index;
            out->partitions[j].error_code = error_of(row->partitions[j].error_code);
        }
    }
}

void groupm_txn_offset_commit(struct groupm *m, const struct txn_offset_commit_request *rq,
                              int16_t version, struct txn_offset_commit_response *rsp,
                              struct group_call *call)
{
    struct statelog_producer producer = {rq->producer_id, rq->producer_epoch};
    struct offset_commit_request plain;
    struct offset_commit_response plain_rsp = {0};
    struct commit c = {
        .m = m, .rq = &plain, .rsp = &plain_rsp, .producer = &producer, .now_ms = groupm_now_ms(m)};

    copy_request(rq, &plain, call->arena);
    commit_run(&c, version >= 6 ? COMMIT_VERSION_WITH_ID : COMMIT_VERSION, call->arena);
    copy_response(&plain_rsp, rsp, call->arena);
    call_end(c.s, call);
}
