/* OffsetDelete, and the offsets of a deleted topic.
 *
 * Owner: the call, its caller's. Core thread.
 *
 * Happy path: the group may lose offsets -> of topics that its members do not read, one tombstone
 *             per partition that has an offset -> applied -> answered when durable.
 */
#include "consumer.h"

typedef struct offset_delete_response_topics delete_topic_row;

/* ClassicGroup.validateOffsetDelete: of a group with members, only offsets of topics that they do
 * not read. */
static int16_t delete_check(const struct group *g)
{
    if (!g)
        return KE_GROUP_ID_NOT_FOUND;
    if (!g->consumer && g->state != GROUP_EMPTY && !group_uses_consumer_protocol(g))
        return KE_NON_EMPTY_GROUP;
    return KE_NONE;
}

static void delete_rows(struct groupm *m, const struct offset_delete_request *rq,
                        struct offset_delete_response *rsp, struct arena *arena)
{
    rsp->n_topics = rq->n_topics;
    rsp->topics = arena_array(arena, (size_t)rq->n_topics, sizeof(*rsp->topics));
    for (int32_t i = 0; i < rq->n_topics; i++) {
        const struct offset_delete_request_topics *t = &rq->topics[i];
        int32_t n_partitions = m->options.topic_partitions(m->options.arg, t->name);
        delete_topic_row *row = &rsp->topics[i];

        offset_delete_response_topics_init(row);
        row->name = t->name;
        row->n_partitions = t->n_partitions;
        row->partitions = arena_array(arena, (size_t)t->n_partitions, sizeof(*row->partitions));
        for (int32_t j = 0; j < t->n_partitions; j++) {
            int32_t index = t->partitions[j].partition_index;

            offset_delete_response_topics_partitions_init(&row->partitions[j]);
            row->partitions[j].partition_index = index;
            if (index < 0 || index >= n_partitions)
                row->partitions[j].error_code = KE_UNKNOWN_TOPIC_OR_PARTITION;
        }
    }
}

static void delete_propose(struct statelog_proposal *p, struct group *g,
                           struct offset_delete_response *rsp)
{
    for (int32_t i = 0; i < rsp->n_topics; i++) {
        delete_topic_row *row = &rsp->topics[i];
        bool read = group_subscribed(g, row->name);
        struct group_topic *t = offsets_topic(g, row->name);

        for (int32_t j = 0; j < row->n_partitions; j++) {
            int32_t index = row->partitions[j].partition_index;

            if (row->partitions[j].error_code)
                continue;
            if (read)
                row->partitions[j].error_code = KE_GROUP_SUBSCRIBED_TO_TOPIC;
            else if ((t && offsets_find_in(t, index)) ||
                     txn_has_offset(g->shard, g->id, row->name, index))
                propose_offset_tombstone(p, g->id, row->name, index);
        }
    }
}

void groupm_offset_delete(struct groupm *m, const struct offset_delete_request *rq, int16_t version,
                          struct offset_delete_response *rsp, struct group_call *call)
{
    struct group_shard *s = NULL;
    struct group *g = NULL;
    struct statelog_proposal p;
    int16_t error;

    ASSERT_CORE();
    error = group_get_named(m, rq->group_id, &s, &g);
    if (!error)
        error = delete_check(g);
    if (!error) {
        delete_rows(m, rq, rsp, call->arena);
        statelog_proposal_init(&p);
        delete_propose(&p, g, rsp);
        error = proposal_error(proposal_send(&p, s));
        statelog_proposal_release(&p);
    }
    if (error)
        rsp->n_topics = 0;
    rsp->error_code = error;
    call_end(s, call);
}

/* ---- a topic is gone */

void groupm_topic_deleted(struct groupm *m, struct str topic)
{
    struct topic_name *name = NULL;
    struct statelog_proposal *proposals;

    ASSERT_CORE();
    groupm_topic_changed(m, false);
    HASH_FIND(hh, m->topic_names, topic.p, topic.n, name);
    if (!name)
        return;
    proposals = xcalloc((size_t)m->n_shards, sizeof(*proposals));
    LIST_FOREACH(it, &name->users)
    {
        struct group_topic *t = CONTAINER_OF(it, struct group_topic, link);
        struct statelog_proposal *p = &proposals[t->group->shard->index];

        for (uint32_t i = 0; i < t->n; i++)
            propose_offset_tombstone(p, t->group->id, name->name, t->entries[i].partition);
    }
    for (int32_t i = 0; i < m->n_shards; i++) {
        int rc = proposal_send(&proposals[i], m->shards[i]);

        if (rc < 0)
            diag_warn("the offsets of topic %s in __consumer_offsets-%d stay: %s",
                      diag_escape(topic), i, err_text(rc));
        statelog_proposal_release(&proposals[i]);
    }
    free(proposals);
}
