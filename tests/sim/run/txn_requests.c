/* The requests of a transactional producer, in both generations, and what their answers tell.
 *
 * Owner: struct producer; one is on its way at a time.
 */
#include "txn_producer.h"

#include "record.h"

#define API_PRODUCE           0
#define API_INIT_PRODUCER_ID  22
#define API_ADD_PARTITIONS    24
#define API_ADD_OFFSETS       25
#define API_END_TXN           26
#define API_TXN_OFFSET_COMMIT 28

/* ---- InitProducerId ------------------------------------------------------------------------------------- */

static void check_ids(struct producer *p, const struct init_producer_id_response *rsp, bool bumped)
{
    struct txn_id *id = p->id;

    if (rsp->producer_id != id->producer_id) {
        if (id->producer_id >= 0)
            world_wrong(p->a.w, "%s: producer id %lld, it was %lld", id->name,
                        (long long)rsp->producer_id, (long long)id->producer_id);
        world_producer_id(p->a.w, rsp->producer_id);
    } else if (rsp->producer_epoch <= (bumped ? p->epoch : p->known_epoch)) {
        world_wrong(p->a.w, "%s: epoch %d, it was %d", id->name, rsp->producer_epoch,
                    p->known_epoch);
    }
    id->producer_id = rsp->producer_id;
    if (rsp->producer_epoch > id->epoch) { /* else a later one was answered first */
        id->epoch = rsp->producer_epoch;
        id->holder = p;
        id->holder_ns = world_now(p->a.w);
    }
}

static void got_id(struct call *c, const void *reply)
{
    const struct init_producer_id_response *rsp = reply;
    struct producer *p = c->arg;
    enum verdict v;

    tp_step_later(p, RETRY_MS);
    if (!rsp)
        return;
    p->txn = -1;
    v = rsp->error_code == KE_PRODUCER_FENCED && c->b
            ? FENCED
            : tp_judge(p, "InitProducerId", rsp->error_code);
    if (v == FENCED)
        p->bump = false;
    if (v != GOOD)
        return;
    check_ids(p, rsp, c->b);
    p->producer_id = rsp->producer_id;
    p->epoch = rsp->producer_epoch;
    p->my_init = (int)c->a;
    tp_tell(p, "begins", KE_NONE);
    p->bump = false;
    memset(p->sequences, 0, sizeof(p->sequences));
    tp_to_phase(p, PHASE_READY);
}

void tp_ask_id(struct producer *p)
{
    struct init_producer_id_request rq;
    struct call *c;

    if (!p->bump) {
        p->v2 = world_chance(p->a.w, 500);
        p->timeout_ms = (int32_t)(3000 + world_below(p->a.w, 40000));
    }
    init_producer_id_request_init(&rq);
    rq.transactional_id = str_of(p->id->name);
    rq.transaction_timeout_ms = p->timeout_ms;
    if (p->bump) {
        rq.producer_id = p->producer_id;
        rq.producer_epoch = p->epoch;
    }
    p->waiting = true;
    p->known_epoch = p->id->epoch;
    p->id->n_inits++;
    c = link_send(p->a.link, API_INIT_PRODUCER_ID, 4, &rq, got_id, p);
    c->a = p->id->n_inits;
    c->b = p->bump;
}

/* ---- AddPartitionsToTxn, AddOffsetsToTxn: TV1 --------------------------------------------------------------- */

static void added_partitions(struct call *c, const void *reply)
{
    const struct add_partitions_to_txn_response *rsp = reply;
    struct producer *p = c->arg;
    int16_t error = KE_NONE;

    tp_step_later(p, RETRY_MS);
    if (!rsp)
        return;
    for (int t = 0; t < rsp->n_results_by_topic_v3_and_below; t++)
        for (int i = 0; i < rsp->results_by_topic_v3_and_below[t].n_results_by_partition; i++)
            error =
                rsp->results_by_topic_v3_and_below[t].results_by_partition[i].partition_error_code;
    if (tp_dealt_with(p, tp_judge(p, "AddPartitionsToTxn", error)))
        return;
    tp_check_holder(p, c, "AddPartitionsToTxn");
    for (int i = 0; i < p->all->n_parts; i++)
        p->added[i] |= (c->a >> i) & 1;
}

bool tp_must_add(const struct producer *p)
{
    for (int i = 0; i < p->all->n_parts && !p->v2; i++)
        if (p->out[i].due && !p->added[i])
            return true;
    return false;
}

void tp_add_partitions(struct producer *p)
{
    struct add_partitions_to_txn_request_transactions_topics topics[TXN_TOPICS_MAX];
    int32_t indexes[TXN_PARTS_MAX];
    struct add_partitions_to_txn_request rq;
    struct call *c;
    int64_t mask = 0;
    int at = 0;

    add_partitions_to_txn_request_init(&rq);
    rq.v3_and_below_transactional_id = str_of(p->id->name);
    rq.v3_and_below_producer_id = p->producer_id;
    rq.v3_and_below_producer_epoch = p->epoch;
    rq.v3_and_below_topics = topics;
    for (int t = 0; t < p->all->n_topics; t++) {
        const struct txn_topic *topic = &p->all->topics[t];
        int first = at;

        for (int i = 0; i < topic->n_parts; i++)
            if (p->out[topic->first_part + i].due && !p->added[topic->first_part + i]) {
                indexes[at++] = i;
                mask |= 1 << (topic->first_part + i);
            }
        if (at == first)
            continue;
        add_partitions_to_txn_request_transactions_topics_init(&topics[rq.n_v3_and_below_topics]);
        topics[rq.n_v3_and_below_topics].name = str_of(topic->name);
        topics[rq.n_v3_and_below_topics].partitions = &indexes[first];
        topics[rq.n_v3_and_below_topics].n_partitions = at - first;
        rq.n_v3_and_below_topics++;
    }
    p->waiting = p->anything = true;
    c = link_send(p->a.link, API_ADD_PARTITIONS, 3, &rq, added_partitions, p);
    c->a = mask;
}

static void added_offsets(struct call *c, const void *reply)
{
    const struct add_offsets_to_txn_response *rsp = reply;
    struct producer *p = c->arg;

    tp_step_later(p, RETRY_MS);
    if (!rsp || tp_dealt_with(p, tp_judge(p, "AddOffsetsToTxn", rsp->error_code)))
        return;
    tp_check_holder(p, c, "AddOffsetsToTxn");
    p->offsets_added = true;
}

void tp_add_offsets(struct producer *p)
{
    struct add_offsets_to_txn_request rq;

    add_offsets_to_txn_request_init(&rq);
    rq.transactional_id = str_of(p->id->name);
    rq.producer_id = p->producer_id;
    rq.producer_epoch = p->epoch;
    rq.group_id = str_of(p->id->group);
    p->waiting = p->anything = true;
    link_send(p->a.link, API_ADD_OFFSETS, 3, &rq, added_offsets, p);
}

/* ---- Produce ------------------------------------------------------------------------------------------------- */

void tp_build(struct producer *p, int part)
{
    struct batch_options options = BATCH_OPTIONS_NONE;
    struct batch_out *o = &p->out[part];
    struct world *w = p->a.w;
    struct batch_builder bb;
    char value[400], key[TXN_KEY_TEXT_MAX];

    o->due = true;
    o->n = 1 + (int)world_below(w, 4);
    o->first_record = txn_records_new(p->all, p->txn, o->n);
    options.attributes = BATCH_TRANSACTIONAL | (world_chance(w, 200) ? CODEC_LZ4 : CODEC_NONE);
    options.producer_id = p->producer_id;
    options.producer_epoch = p->epoch;
    options.base_sequence = p->sequences[part];
    p->sequences[part] += o->n;
    buf_init(&o->bytes);
    batch_begin(&bb, &o->bytes, options);
    for (int i = 0; i < o->n; i++) {
        int n = snprintf(value, sizeof(value), "T%lld %d %lld ", (long long)p->txn, part,
                         (long long)(o->first_record + i));
        int padding = (int)world_below(w, MIN(w->options.record_bytes_max, 300u));

        memset(value + n, 'a' + i, (size_t)padding);
        batch_add(&bb, clock_wall(w->clock).ms,
                  txn_key(p->all->parts[part].topic, o->first_record + i, key),
                  bytes_of(value, (size_t)(n + padding)), NULL, 0);
    }
    ASSERT(batch_end(&bb) == 0);
}

bool tp_any_due(const struct producer *p)
{
    for (int i = 0; i < p->all->n_parts; i++)
        if (p->out[i].due)
            return true;
    return false;
}

static void part_produced(struct producer *p, const struct call *c, int part, int64_t base_offset)
{
    struct batch_out *o = &p->out[part];

    if (!o->due)
        world_wrong(p->a.w, "%s: an answer about %s, which was not written to", p->a.name,
                    p->all->parts[part].name);
    tp_check_holder(p, c, "Produce");
    txn_acked(&p->all->parts[part], o->first_record, o->n, base_offset);
    o->due = false;
    buf_release(&o->bytes);
}

static int part_of(const struct producer *p, struct str topic, int32_t index)
{
    for (int t = 0; t < p->all->n_topics; t++)
        if (str_is(topic, p->all->topics[t].name))
            return p->all->topics[t].first_part + index;
    world_wrong(p->a.w, "%s: an answer about another topic", p->a.name);
}

static void produced(struct call *c, const void *reply)
{
    const struct produce_response *rsp = reply;
    struct producer *p = c->arg;
    enum verdict worst = GOOD;

    tp_step_later(p, RETRY_MS);
    for (int t = 0; rsp && t < rsp->n_responses; t++)
        for (int i = 0; i < rsp->responses[t].n_partition_responses; i++) {
            const struct produce_response_responses_partition_responses *row =
                &rsp->responses[t].partition_responses[i];
            int part = part_of(p, rsp->responses[t].name, row->index);
            enum verdict v = tp_judge(p, p->all->parts[part].name, row->error_code);

            if (v == GOOD)
                part_produced(p, c, part, row->base_offset);
            else if (worst == GOOD || worst == AGAIN)
                worst = v;
        }
    if (!rsp && world_chance(p->a.w, 600)) /* what takes the broker takes the producer, too */
        tp_forget(p);
    if (!rsp || tp_dealt_with(p, worst))
        return;
    p->op = OP_NONE;
}

void tp_produce(struct producer *p)
{
    struct produce_request_topic_data_partition_data rows[TXN_PARTS_MAX];
    struct produce_request_topic_data topics[TXN_TOPICS_MAX];
    struct produce_request rq;
    int at = 0;

    produce_request_init(&rq);
    rq.transactional_id = str_of(p->id->name);
    rq.acks = -1;
    rq.timeout_ms = 30000;
    rq.topic_data = topics;
    for (int t = 0; t < p->all->n_topics; t++) {
        const struct txn_topic *topic = &p->all->topics[t];
        int first = at;

        for (int i = 0; i < topic->n_parts; i++) {
            const struct batch_out *o = &p->out[topic->first_part + i];

            if (!o->due)
                continue;
            produce_request_topic_data_partition_data_init(&rows[at]);
            rows[at].index = i;
            rows[at++].records = (struct wire_records){.p = o->bytes.p, .n_bytes = o->bytes.n};
        }
        if (at == first)
            continue;
        produce_request_topic_data_init(&topics[rq.n_topic_data]);
        topics[rq.n_topic_data].name = str_of(topic->name);
        topics[rq.n_topic_data].partition_data = &rows[first];
        topics[rq.n_topic_data++].n_partition_data = at - first;
    }
    p->waiting = p->anything = true;
    link_send(p->a.link, API_PRODUCE,
              p->v2                       ? 12
              : world_chance(p->a.w, 500) ? 9
                                          : 11,
              &rq, produced, p);
}

/* ---- TxnOffsetCommit --------------------------------------------------------------------------------------------- */

static void committed_offsets(struct call *c, const void *reply)
{
    const struct txn_offset_commit_response *rsp = reply;
    struct producer *p = c->arg;

    tp_step_later(p, RETRY_MS);
    if (!rsp ||
        tp_dealt_with(p, tp_judge(p, "TxnOffsetCommit", rsp->topics[0].partitions[0].error_code)))
        return;
    tp_check_holder(p, c, "TxnOffsetCommit");
    p->all->txns[p->txn].offset_acked = true;
    p->op = OP_NONE;
}

void tp_commit_offsets(struct producer *p)
{
    struct txn_offset_commit_request_topics_partitions row;
    struct txn_offset_commit_request_topics topic;
    struct txn_offset_commit_request rq;

    txn_offset_commit_request_init(&rq);
    txn_offset_commit_request_topics_init(&topic);
    txn_offset_commit_request_topics_partitions_init(&row);
    rq.transactional_id = str_of(p->id->name);
    rq.group_id = str_of(p->id->group);
    rq.producer_id = p->producer_id;
    rq.producer_epoch = p->epoch;
    rq.topics = &topic;
    rq.n_topics = 1;
    topic.name = str_of(p->all->topics[0].name);
    topic.partitions = &row;
    topic.n_partitions = 1;
    row.committed_offset = p->txn;
    row.committed_metadata = STR("");
    p->waiting = p->anything = true;
    link_send(p->a.link, API_TXN_OFFSET_COMMIT, p->v2 ? 5 : 3, &rq, committed_offsets, p);
}

/* ---- EndTxn ---------------------------------------------------------------------------------------------------------- */

static void ended(struct call *c, const void *reply)
{
    const struct end_txn_response *rsp = reply;
    struct producer *p = c->arg;

    tp_step_later(p, p->a.w->options.think_ms);
    if (!rsp && world_chance(p->a.w, 300))
        tp_forget(p);
    if (!rsp || tp_dealt_with(p, tp_judge(p, p->commit ? "commit" : "abort", rsp->error_code)))
        return;
    if (p->commit)
        tp_check_holder(p, c, "EndTxn");
    txn_told(p->all, p->txn, p->commit ? TXN_END_COMMITTED : TXN_END_ABORTED);
    if (p->v2) {
        if (rsp->producer_id != p->producer_id || rsp->producer_epoch != p->epoch + 1)
            world_wrong(p->a.w, "%s: EndTxn: goes on with (%lld, %d), it was (%lld, %d)", p->a.name,
                        (long long)rsp->producer_id, rsp->producer_epoch, (long long)p->producer_id,
                        p->epoch);
        p->epoch = rsp->producer_epoch;
        p->id->epoch = MAX(p->id->epoch, p->epoch);
        memset(p->sequences, 0, sizeof(p->sequences));
    }
    tp_to_phase(p, p->bump ? PHASE_NONE : PHASE_READY);
}

void tp_end(struct producer *p)
{
    struct end_txn_request rq;

    if (!p->anything) { /* nobody knows of it */
        txn_ended(p->all, p->txn, TXN_END_ABORTED, p->a.name);
        tp_to_phase(p, PHASE_READY);
        tp_step_later(p, RETRY_MS);
        return;
    }
    end_txn_request_init(&rq);
    rq.transactional_id = str_of(p->id->name);
    rq.producer_id = p->producer_id;
    rq.producer_epoch = p->epoch;
    rq.committed = p->commit;
    p->all->txns[p->txn].commit_sent |= p->commit;
    p->waiting = true;
    link_send(p->a.link, API_END_TXN, p->v2 ? 5 : 3, &rq, ended, p);
}
