/* OffsetCommit.
 *
 * Owner: the call, its caller's. Core thread.
 *
 * Happy path: topics are looked up (an unknown one is its own rows' error) -> the group says
 *             whether this member may commit now -> one record per partition -> applied -> answered
 *             when durable.
 * Failures:   what the group refuses is the error of every partition that was fine so far.
 */
#include "commit.h"

typedef struct offset_commit_request_topics commit_topic;
typedef struct offset_commit_request_topics_partitions commit_part;
typedef struct offset_commit_response_topics commit_topic_row;

/* ---- who may commit: ClassicGroup.validateOffsetCommit */

static bool names_nobody(const struct offset_commit_request *rq)
{
    return rq->generation_id_or_member_epoch < 0 && rq->member_id.n == 0 &&
           !rq->group_instance_id.p;
}

static int16_t commit_allowed(struct group *g, const struct offset_commit_request *rq, bool in_txn,
                              struct member **m)
{
    int32_t generation = rq->generation_id_or_member_epoch;
    int16_t error;

    *m = NULL;
    if (generation < 0 && g->state == GROUP_EMPTY)
        return KE_NONE; /* an administrator, or a consumer that assigns itself */
    if (names_nobody(rq))
        return in_txn ? KE_NONE : KE_UNKNOWN_MEMBER_ID; /* a producer need not say who consumes */
    error = member_check(g, rq->member_id, rq->group_instance_id, m);
    if (error)
        return error;
    if (generation != g->generation)
        return KE_ILLEGAL_GENERATION;
    return !in_txn && g->state == GROUP_COMPLETING ? KE_REBALANCE_IN_PROGRESS : KE_NONE;
}

static int16_t commit_check(struct commit *c, int16_t version)
{
    bool simple = c->rq->generation_id_or_member_epoch < 0;
    int16_t error = shard_of(c->m, c->rq->group_id, simple, &c->s);
    struct member *member;

    if (error)
        return error;
    c->g = group_find(c->s, c->rq->group_id);
    if (!c->g && simple)
        return KE_NONE;
    if (!c->g)
        return version >= 9 ? KE_GROUP_ID_NOT_FOUND : KE_ILLEGAL_GENERATION;
    if (c->g->consumer && c->producer && names_nobody(c->rq))
        return KE_NONE;
    if (c->g->consumer)
        return cg_commit_allowed(c->g, c->rq, c->producer ? COMMIT_VERSION_KIP_848 : version,
                                 &c->cg_member);
    error = commit_allowed(c->g, c->rq, c->producer != NULL, &member);
    if (!error && member)
        session_touch(member); /* a commit is a sign of life */
    return error;
}

/* ---- rows */

/* Unknown topics and partitions. Returns how many are fine. */
static int64_t commit_rows(struct commit *c, int16_t version, struct arena *arena)
{
    const struct groupm_options *o = &c->m->options;
    int64_t n_fine = 0;

    c->rsp->n_topics = c->rq->n_topics;
    c->rsp->topics = arena_array(arena, (size_t)c->rq->n_topics, sizeof(*c->rsp->topics));
    c->names = arena_array(arena, (size_t)c->rq->n_topics, sizeof(*c->names));
    for (int32_t i = 0; i < c->rq->n_topics; i++) {
        const commit_topic *t = &c->rq->topics[i];
        commit_topic_row *row = &c->rsp->topics[i];
        struct str name = version >= 10 ? o->topic_name(o->arg, t->topic_id) : t->name;
        int32_t n_partitions = name.p ? o->topic_partitions(o->arg, name) : 0;

        offset_commit_response_topics_init(row);
        row->name = t->name;
        row->topic_id = t->topic_id;
        c->names[i] = name;
        row->n_partitions = t->n_partitions;
        row->partitions = arena_array(arena, (size_t)t->n_partitions, sizeof(*row->partitions));
        for (int32_t j = 0; j < t->n_partitions; j++) {
            int32_t index = t->partitions[j].partition_index;

            offset_commit_response_topics_partitions_init(&row->partitions[j]);
            row->partitions[j].partition_index = index;
            if (!name.p)
                row->partitions[j].error_code = KE_UNKNOWN_TOPIC_ID;
            else if (index < 0 || index >= n_partitions)
                row->partitions[j].error_code = KE_UNKNOWN_TOPIC_OR_PARTITION;
            else
                n_fine++;
        }
    }
    return n_fine;
}

static void commit_fail(struct commit *c, int16_t error)
{
    for (int32_t i = 0; i < c->rsp->n_topics; i++)
        for (int32_t j = 0; j < c->rsp->topics[i].n_partitions; j++)
            if (!c->rsp->topics[i].partitions[j].error_code)
                c->rsp->topics[i].partitions[j].error_code = error;
}

/* Kafka's answer has no row for a topic without partitions. */
static void commit_drop_empty(struct offset_commit_response *rsp)
{
    int32_t n = 0;

    for (int32_t i = 0; i < rsp->n_topics; i++)
        if (rsp->topics[i].n_partitions > 0)
            rsp->topics[n++] = rsp->topics[i];
    rsp->n_topics = n;
}

/* String.length of Java: UTF-16 units. */
static int64_t utf16_units(struct str s)
{
    int64_t n = 0;

    for (size_t i = 0; i < s.n; i++) {
        uint8_t b = (uint8_t)s.p[i];

        n += (b & 0xc0) != 0x80;
        n += b >= 0xf0;
    }
    return n;
}

static int16_t commit_part_propose(struct commit *c, struct str topic, struct uuid topic_id,
                                   const commit_part *part)
{
    struct offset_entry e = {
        .partition = part->partition_index,
        .offset = part->committed_offset,
        .leader_epoch = part->committed_leader_epoch,
        .commit_ms = part->commit_timestamp == -1 ? c->now_ms : part->commit_timestamp,
        .expire_ms = c->expire_ms,
        .topic_id = topic_id,
    };

    if (utf16_units(part->committed_metadata) > c->m->options.config->offset_metadata_max_bytes)
        return KE_OFFSET_METADATA_TOO_LARGE;
    propose_offset(&c->p, c->rq->group_id, topic, &e, part->committed_metadata);
    return KE_NONE;
}

/* A member of a consumer group whose epoch has moved on: one partition that is not its own any more
 * refuses all. */
static int16_t commit_epochs_check(const struct commit *c)
{
    const struct groupm_options *o = &c->m->options;
    int32_t epoch = c->rq->generation_id_or_member_epoch;

    for (int32_t i = 0; c->cg_member && i < c->rsp->n_topics; i++) {
        const commit_topic_row *row = &c->rsp->topics[i];
        struct uuid id = c->names[i].p ? o->topic_id(o->arg, c->names[i]) : UUID_ZERO;

        for (int32_t j = 0; j < row->n_partitions; j++) {
            const commit_part *part = &c->rq->topics[i].partitions[j];
            int16_t error = KE_NONE;

            if (!row->partitions[j].error_code)
                error = cg_commit_partition_allowed(c->cg_member, epoch, id, part->partition_index);
            if (error)
                return error;
        }
    }
    return KE_NONE;
}

static void commit_propose(struct commit *c)
{
    const struct groupm_options *o = &c->m->options;

    for (int32_t i = 0; i < c->rq->n_topics; i++) {
        commit_topic_row *row = &c->rsp->topics[i];
        struct str name = c->names[i];
        struct uuid id = name.p ? o->topic_id(o->arg, name) : UUID_ZERO;

        for (int32_t j = 0; j < row->n_partitions; j++)
            if (!row->partitions[j].error_code)
                row->partitions[j].error_code =
                    commit_part_propose(c, name, id, &c->rq->topics[i].partitions[j]);
    }
}

/* retention_time of v2-4. */
static int64_t expire_ms(int64_t now_ms, int64_t retention_ms)
{
    if (retention_ms == -1)
        return NO_TIME;
    return retention_ms > INT64_MAX - now_ms ? INT64_MAX : now_ms + retention_ms;
}

static int16_t commit_send(struct commit *c)
{
    int16_t error;
    int rc;

    if (c->p.n == 0 || !c->producer)
        return proposal_error(proposal_send(&c->p, c->s));
    error = shard_log(c->s);
    if (error)
        return error;
    rc = statelog_proposal_send_transactional(&c->p, c->s->log, *c->producer, &error);
    return error ? error : proposal_error(rc);
}

void commit_run(struct commit *c, int16_t version, struct arena *arena)
{
    int64_t n_fine = commit_rows(c, version, arena);
    int16_t error;

    ASSERT_CORE();
    if (n_fine == 0) {
        commit_drop_empty(c->rsp);
        return;
    }
    c->expire_ms = expire_ms(c->now_ms, c->rq->retention_time_ms);
    statelog_proposal_init(&c->p);
    error = commit_check(c, version);
    if (!error)
        error = commit_epochs_check(c);
    if (!error) {
        commit_propose(c);
        error = commit_send(c);
    }
    if (error)
        commit_fail(c, error);
    commit_drop_empty(c->rsp);
    statelog_proposal_release(&c->p);
}

void groupm_offset_commit(struct groupm *m, const struct group_client *who,
                          const struct offset_commit_request *rq, int16_t version,
                          struct offset_commit_response *rsp, struct group_call *call)
{
    struct commit c = {.m = m, .rq = rq, .rsp = rsp, .now_ms = groupm_now_ms(m)};

    commit_run(&c, version, call->arena);
    call_end(c.s, call);
}
