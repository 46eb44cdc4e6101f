/* Transactional producers of a short life, of both generations: TV1 adds partitions and groups before it writes to them; TV2 (KIP-890)
 * does not, and its epoch grows with each end.
 *
 * Owner: struct txns holds the values; requests go over struct client.
 *
 *     NONE --InitProducerId--> READY --a write is sent--> WORK --EndTxn is sent--> END --answered--> READY
 *       ^                                                  |                        |
 *       +-------------- fenced, or spoiled -----------------+------------------------+
 *
 * What is answered with "again" is sent again after a virtual second, a few times. What is known changes before a request is sent and when
 * it is answered, so that a copy made between has what the client knows then.
 */
#include "txn_client.h"

#include "record.h"
#include "report.h"

#define API_PRODUCE           0
#define API_CREATE_TOPICS     19
#define API_INIT_PRODUCER_ID  22
#define API_ADD_PARTITIONS    24
#define API_ADD_OFFSETS       25
#define API_END_TXN           26
#define API_TXN_OFFSET_COMMIT 28
#define TRIES                 8
#define RETRY_MS              1000

static const struct {
    const char *id;
    bool v2;
} kinds[WHOS] = {{"generation-2", true}, {"generation-1", false}, {"late", true}};

void txns_init(struct txns *t)
{
    *t = (struct txns){0};
    for (int i = 0; i < WHOS; i++)
        t->producers[i] = (struct producer){.who = (enum who)i, .producer_id = -1, .txn = -1};
}

static int64_t now_ms(const struct client *c)
{
    return clock_wall(c->box->env.clock).ms;
}

/* ---- what answers mean ------------------------------------------------------------------------ */

enum verdict { VERDICT_NONE = 0, VERDICT_GOOD, VERDICT_AGAIN, VERDICT_FENCED, VERDICT_SPOILED };

/* Its time was up: the coordinator may have aborted it. */
static bool is_late(const struct client *c, const struct producer *p)
{
    return p->txn >= 0 && now_ms(c) - p->begun_ms >= TXN_TIMEOUT_MS;
}

static enum verdict verdict_of(int16_t error)
{
    switch (error) {
    case KE_NONE:
        return VERDICT_GOOD;
    case KE_CONCURRENT_TRANSACTIONS:
    case KE_COORDINATOR_LOAD_IN_PROGRESS:
    case KE_COORDINATOR_NOT_AVAILABLE:
    case KE_NOT_COORDINATOR:
    case KE_NOT_LEADER_OR_FOLLOWER:
    case KE_NOT_ENOUGH_REPLICAS:
    case KE_REQUEST_TIMED_OUT:
    case KE_UNKNOWN_TOPIC_OR_PARTITION:
    case KE_KAFKA_STORAGE_ERROR:
        return VERDICT_AGAIN;
    case KE_PRODUCER_FENCED:
    case KE_INVALID_PRODUCER_EPOCH:
        return VERDICT_FENCED;
    case KE_INVALID_TXN_STATE:
    case KE_TRANSACTION_ABORTABLE:
    case KE_OUT_OF_ORDER_SEQUENCE_NUMBER:
        return VERDICT_SPOILED;
    default:
        return VERDICT_NONE;
    }
}

/* Whether an answer may be given at all. */
static enum verdict judge(const struct client *c, const struct producer *p, const char *what,
                          int16_t error)
{
    enum verdict v = verdict_of(error);
    bool right = v == VERDICT_GOOD || error == KE_CONCURRENT_TRANSACTIONS ||
                 error == KE_COORDINATOR_LOAD_IN_PROGRESS;

    if (v == VERDICT_AGAIN)
        right |= !c->must_work;
    else if (v == VERDICT_FENCED)
        right = is_late(c, p);
    else if (v == VERDICT_SPOILED)
        right = is_late(c, p) || !p->good;
    if (!right)
        violation("%s of %s: %s", what, kinds[p->who].id, kafka_error_name(error));
    return v;
}

/* Between two tries. */
static bool wait_for_next(struct client *c)
{
    if (client_gone(c))
        return false;
    box_advance_ms(c->box, RETRY_MS);
    return !client_gone(c);
}

static void forget(struct producer *p)
{
    p->phase = PRODUCER_NONE;
    p->txn = -1;
}

/* ---- the topic --------------------------------------------------------------------------------- */

void txns_create_topic(struct client *c, struct txns *t)
{
    struct create_topics_request_topics_configs own;
    struct create_topics_request_topics row;
    struct create_topics_request rq;
    const struct create_topics_response *rsp;
    int16_t error;

    create_topics_request_init(&rq);
    create_topics_request_topics_init(&row);
    create_topics_request_topics_configs_init(&own);
    rq.timeout_ms = 30000;
    rq.topics = &row;
    rq.n_topics = 1;
    row.name = STR(TXN_TOPIC);
    row.num_partitions = TXN_PARTS;
    row.replication_factor = 1;
    row.configs = &own;
    row.n_configs = 1;
    own.name = STR("internal.segment.bytes");
    own.value = STR("900");
    rsp = client_call(c, API_CREATE_TOPICS, 7, &rq);
    if (!rsp)
        return;
    error = rsp->topics[0].error_code;
    if (error == KE_NONE || error == KE_TOPIC_ALREADY_EXISTS)
        t->topic_there = true;
    else if (c->must_work)
        violation("CreateTopics: %s", kafka_error_name(error));
}

/* ---- InitProducerId ------------------------------------------------------------------------------ */

static void take_id(struct producer *p, const struct init_producer_id_response *rsp)
{
    if (p->producer_id >= 0 && rsp->producer_id != p->producer_id)
        violation("%s: producer id %lld, it was %lld", kinds[p->who].id,
                  (long long)rsp->producer_id, (long long)p->producer_id);
    else if (p->producer_id >= 0 && rsp->producer_epoch <= p->epoch)
        violation("%s: epoch %d, it was %d", kinds[p->who].id, rsp->producer_epoch, p->epoch);
    p->producer_id = rsp->producer_id;
    p->epoch = rsp->producer_epoch;
    memset(p->sequences, 0, sizeof(p->sequences));
    p->phase = PRODUCER_READY;
    p->txn = -1;
}

static bool init_producer(struct client *c, struct producer *p)
{
    struct init_producer_id_request rq;

    init_producer_id_request_init(&rq);
    rq.transactional_id = str_of(kinds[p->who].id);
    rq.transaction_timeout_ms = TXN_TIMEOUT_MS;
    for (int i = 0; i < TRIES; i++) {
        const struct init_producer_id_response *rsp = client_call(c, API_INIT_PRODUCER_ID, 4, &rq);
        enum verdict v = rsp ? judge(c, p, "InitProducerId", rsp->error_code) : VERDICT_AGAIN;

        if (v == VERDICT_GOOD)
            take_id(p, rsp);
        if (v != VERDICT_AGAIN || !wait_for_next(c))
            break;
    }
    if (p->phase != PRODUCER_READY && c->must_work)
        violation("%s: no producer id in %d tries", kinds[p->who].id, TRIES);
    return p->phase == PRODUCER_READY;
}

/* ---- writing -------------------------------------------------------------------------------------- */

static struct wire_records batch_of(const struct client *c, const struct producer *p, int part)
{
    struct batch_options options = BATCH_OPTIONS_NONE;
    struct batch_builder bb;
    struct bytes kept;
    struct buf out;

    options.attributes = BATCH_TRANSACTIONAL;
    options.producer_id = p->producer_id;
    options.producer_epoch = p->epoch;
    options.base_sequence = p->sequences[part];
    buf_init(&out);
    batch_begin(&bb, &out, options);
    for (int i = 0; i < TXN_PART_RECORDS; i++) {
        char value[80];
        int n = snprintf(value, sizeof(value), "%d %d %-40d", part, p->txn * TXN_PART_RECORDS + i,
                         p->txn);

        batch_add(&bb, now_ms(c), (struct bytes){NULL, 0}, bytes_of(value, (size_t)n), NULL, 0);
    }
    ASSERT(batch_end(&bb) == 0);
    kept = arena_bytes(&c->box->arena, (struct bytes){out.p, out.n});
    buf_release(&out);
    return (struct wire_records){.p = kept.p, .n_bytes = kept.n};
}

static enum verdict worse(enum verdict a, enum verdict b)
{
    return MAX(a, b);
}

/* One request; *due loses the partitions that are acknowledged. */
static enum verdict produce_once(struct client *c, struct producer *p, unsigned *due)
{
    struct produce_request_topic_data_partition_data rows[TXN_PARTS];
    struct produce_request_topic_data topic;
    struct produce_request rq;
    const struct produce_response *rsp;
    enum verdict worst = VERDICT_GOOD;

    produce_request_init(&rq);
    produce_request_topic_data_init(&topic);
    rq.transactional_id = str_of(kinds[p->who].id);
    rq.acks = -1;
    rq.timeout_ms = 30000;
    rq.topic_data = &topic;
    rq.n_topic_data = 1;
    topic.name = STR(TXN_TOPIC);
    topic.partition_data = rows;
    for (int i = 0; i < TXN_PARTS; i++) {
        if (!(*due & 1u << i))
            continue;
        produce_request_topic_data_partition_data_init(&rows[topic.n_partition_data]);
        rows[topic.n_partition_data].index = i;
        rows[topic.n_partition_data++].records = batch_of(c, p, i);
    }
    rsp = client_call(c, API_PRODUCE, kinds[p->who].v2 ? 12 : 11, &rq);
    for (int i = 0; rsp && i < rsp->responses[0].n_partition_responses; i++) {
        const struct produce_response_responses_partition_responses *row =
            &rsp->responses[0].partition_responses[i];
        enum verdict v = judge(c, p, "Produce", row->error_code);

        if (v == VERDICT_GOOD)
            *due &= ~(1u << row->index);
        worst = worse(worst, v);
    }
    return rsp ? worst : VERDICT_AGAIN;
}

static enum verdict produce(struct client *c, struct producer *p, unsigned parts)
{
    unsigned due = parts;
    enum verdict v = VERDICT_AGAIN;

    for (int i = 0; i < TRIES && v == VERDICT_AGAIN && (!i || wait_for_next(c)); i++)
        v = produce_once(c, p, &due);
    for (int i = 0; i < TXN_PARTS && v == VERDICT_GOOD; i++)
        if (parts & 1u << i)
            p->sequences[i] += TXN_PART_RECORDS;
    return v;
}

static enum verdict add_partitions(struct client *c, struct producer *p, unsigned parts)
{
    struct add_partitions_to_txn_request_transactions_topics topic;
    struct add_partitions_to_txn_request rq;
    const struct add_partitions_to_txn_response *rsp;
    int32_t indexes[TXN_PARTS];
    enum verdict v = VERDICT_AGAIN;

    add_partitions_to_txn_request_init(&rq);
    add_partitions_to_txn_request_transactions_topics_init(&topic);
    rq.v3_and_below_transactional_id = str_of(kinds[p->who].id);
    rq.v3_and_below_producer_id = p->producer_id;
    rq.v3_and_below_producer_epoch = p->epoch;
    rq.v3_and_below_topics = &topic;
    rq.n_v3_and_below_topics = 1;
    topic.name = STR(TXN_TOPIC);
    topic.partitions = indexes;
    for (int i = 0; i < TXN_PARTS; i++)
        if (parts & 1u << i)
            indexes[topic.n_partitions++] = i;
    for (int i = 0; i < TRIES && v == VERDICT_AGAIN && (!i || wait_for_next(c)); i++)
        if ((rsp = client_call(c, API_ADD_PARTITIONS, 3, &rq)))
            v = judge(
                c, p, "AddPartitionsToTxn",
                rsp->results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code);
    return v;
}

static enum verdict add_offsets(struct client *c, struct producer *p)
{
    struct add_offsets_to_txn_request rq;
    const struct add_offsets_to_txn_response *rsp;
    enum verdict v = VERDICT_AGAIN;

    add_offsets_to_txn_request_init(&rq);
    rq.transactional_id = str_of(kinds[p->who].id);
    rq.producer_id = p->producer_id;
    rq.producer_epoch = p->epoch;
    rq.group_id = STR(TXN_GROUP);
    for (int i = 0; i < TRIES && v == VERDICT_AGAIN && (!i || wait_for_next(c)); i++)
        if ((rsp = client_call(c, API_ADD_OFFSETS, 3, &rq)))
            v = judge(c, p, "AddOffsetsToTxn", rsp->error_code);
    return v;
}

static enum verdict commit_offset(struct client *c, struct producer *p)
{
    struct txn_offset_commit_request_topics_partitions row;
    struct txn_offset_commit_request_topics topic;
    struct txn_offset_commit_request rq;
    const struct txn_offset_commit_response *rsp;
    enum verdict v = VERDICT_AGAIN;

    txn_offset_commit_request_init(&rq);
    txn_offset_commit_request_topics_init(&topic);
    txn_offset_commit_request_topics_partitions_init(&row);
    rq.transactional_id = str_of(kinds[p->who].id);
    rq.group_id = STR(TXN_GROUP);
    rq.producer_id = p->producer_id;
    rq.producer_epoch = p->epoch;
    rq.topics = &topic;
    rq.n_topics = 1;
    topic.name = STR(TXN_TOPIC);
    topic.partitions = &row;
    topic.n_partitions = 1;
    row.committed_offset = p->txn;
    row.committed_metadata = STR("");
    for (int i = 0; i < TRIES && v == VERDICT_AGAIN && (!i || wait_for_next(c)); i++)
        if ((rsp = client_call(c, API_TXN_OFFSET_COMMIT, kinds[p->who].v2 ? 5 : 3, &rq)))
            v = judge(c, p, "TxnOffsetCommit", rsp->topics[0].partitions[0].error_code);
    return v;
}

/* True: it is to go on. */
static bool take_verdict(struct producer *p, enum verdict v)
{
    if (v == VERDICT_FENCED)
        forget(p);
    p->good &= v == VERDICT_GOOD;
    return v == VERDICT_GOOD;
}

static void write_parts(struct client *c, struct txns *t, struct producer *p, unsigned parts)
{
    t->txns[p->txn].parts |= parts;
    if (!kinds[p->who].v2 && !take_verdict(p, add_partitions(c, p, parts)))
        return;
    (void)take_verdict(p, produce(c, p, parts));
}

static void write_offset(struct client *c, struct txns *t, struct producer *p)
{
    t->txns[p->txn].offsets = true;
    if (!kinds[p->who].v2 && !take_verdict(p, add_offsets(c, p)))
        return;
    (void)take_verdict(p, commit_offset(c, p));
}

static int new_txn(struct txns *t, struct producer *p, int64_t at_ms)
{
    ASSERT(t->n_txns < TXN_MAX);
    p->begun_ms = at_ms;
    p->good = true;
    p->phase = PRODUCER_WORK;
    return p->txn = t->n_txns++;
}

/* ---- EndTxn ---------------------------------------------------------------------------------------- */

static void end_answered(struct txns *t, struct producer *p, const struct end_txn_response *rsp,
                         bool commit)
{
    t->txns[p->txn].outcome = commit ? TXN_COMMITTED : TXN_ABORTED;
    if (kinds[p->who].v2) {
        if (rsp->producer_id != p->producer_id || rsp->producer_epoch != p->epoch + 1)
            violation("EndTxn of %s goes on with (%lld, %d), it was (%lld, %d)", kinds[p->who].id,
                      (long long)rsp->producer_id, rsp->producer_epoch, (long long)p->producer_id,
                      p->epoch);
        p->epoch = rsp->producer_epoch;
        memset(p->sequences, 0, sizeof(p->sequences));
    }
    /* TV1 keeps its epoch: a batch that was not answered may have taken its sequence numbers */
    p->phase = p->good || kinds[p->who].v2 ? PRODUCER_READY : PRODUCER_NONE;
    p->txn = -1;
}

static const struct end_txn_response *send_end(struct client *c, const struct producer *p,
                                               bool commit)
{
    struct end_txn_request rq;

    end_txn_request_init(&rq);
    rq.transactional_id = str_of(kinds[p->who].id);
    rq.producer_id = p->producer_id;
    rq.producer_epoch = p->epoch;
    rq.committed = commit;
    return client_call(c, API_END_TXN, kinds[p->who].v2 ? 5 : 3, &rq);
}

/* Until it is answered for good, or the tries are over. */
static void end(struct client *c, struct txns *t, struct producer *p)
{
    bool commit = t->txns[p->txn].commit_sent;

    for (int i = 0; i < TRIES && p->phase == PRODUCER_END && (!i || wait_for_next(c)); i++) {
        const struct end_txn_response *rsp = send_end(c, p, commit);
        enum verdict v =
            rsp ? judge(c, p, commit ? "commit" : "abort", rsp->error_code) : VERDICT_AGAIN;

        if (v == VERDICT_GOOD)
            end_answered(t, p, rsp, commit);
        else if (v != VERDICT_AGAIN)
            forget(p);
    }
    if (p->phase == PRODUCER_END && c->must_work)
        violation("EndTxn of %s: not answered in %d tries", kinds[p->who].id, TRIES);
}

void txns_end(struct client *c, struct txns *t, enum who who, bool commit)
{
    struct producer *p = &t->producers[who];

    if (p->phase == PRODUCER_WORK && !client_gone(c)) {
        t->txns[p->txn].commit_sent = commit && p->good;
        p->phase = PRODUCER_END;
    }
    if (p->phase == PRODUCER_END && !client_gone(c))
        end(c, t, p);
}

void txns_repeat_end(struct client *c, struct txns *t, enum who who, bool commit)
{
    struct producer before = t->producers[who];
    const struct end_txn_response *rsp;

    if (before.phase != PRODUCER_READY || client_gone(c))
        return;
    before.epoch = (int16_t)(before.epoch - kinds[who].v2);
    rsp = send_end(c, &before, commit);
    if (!rsp || judge(c, &before, "EndTxn again", rsp->error_code) != VERDICT_GOOD)
        return;
    if (kinds[who].v2 && rsp->producer_epoch != t->producers[who].epoch)
        violation("EndTxn of %s again: epoch %d, first it was %d", kinds[who].id,
                  rsp->producer_epoch, t->producers[who].epoch);
}

void txns_ask_ends(struct client *c, struct txns *t)
{
    for (int i = 0; i < WHOS; i++)
        if (t->producers[i].phase == PRODUCER_END && !client_gone(c))
            end(c, t, &t->producers[i]);
}

/* ---- whole transactions ------------------------------------------------------------------------------- */

void txns_begin(struct client *c, struct txns *t, enum who who, unsigned parts, bool offsets)
{
    struct producer *p = &t->producers[who];

    txns_end(c, t, who, false);
    if (client_gone(c) || !t->topic_there || p->phase == PRODUCER_END ||
        (p->phase == PRODUCER_NONE && !init_producer(c, p)))
        return;
    new_txn(t, p, now_ms(c));
    write_parts(c, t, p, parts);
    if (p->phase == PRODUCER_WORK && p->good && offsets)
        write_offset(c, t, p);
}

void txns_go_on(struct client *c, struct txns *t, enum who who, unsigned parts)
{
    struct producer *p = &t->producers[who];

    if (p->phase == PRODUCER_WORK && p->good && !client_gone(c))
        write_parts(c, t, p, parts);
}

/* What one who was fenced asks for must be refused, and nothing of it be seen. */
static void try_fenced(struct client *c, struct txns *t, struct producer *old)
{
    const struct end_txn_response *rsp;
    unsigned due = 1;

    old->begun_ms = 0; /* it may be told so */
    if (old->phase != PRODUCER_WORK)
        old->txn = t->n_txns++;
    t->txns[old->txn].parts |= due;
    t->txns[old->txn].outcome = TXN_ABORTED;
    if (produce_once(c, old, &due) == VERDICT_GOOD)
        violation("%s: one who was fenced has written", kinds[old->who].id);
    if (client_gone(c))
        return;
    rsp = send_end(c, old, true);
    if (rsp && judge(c, old, "EndTxn of a fenced one", rsp->error_code) == VERDICT_GOOD)
        violation("%s: one who was fenced has committed", kinds[old->who].id);
}

void txns_fence(struct client *c, struct txns *t, enum who who)
{
    struct producer *p = &t->producers[who], old = *p;

    if (client_gone(c) || !t->topic_there ||
        (old.phase != PRODUCER_WORK && old.phase != PRODUCER_READY))
        return;
    forget(p);
    if (init_producer(c, p) && !client_gone(c))
        try_fenced(c, t, &old);
}
