/* A transactional producer, of either generation. Several have the same transactional id, and fence one another.
 *
 * Owner: struct producer; one request is on its way at a time, and is sent again until it is answered for good.
 *
 *     none --InitProducerId--> ready --> [ AddPartitionsToTxn -> Produce | AddOffsetsToTxn -> TxnOffsetCommit ] ...
 *                                ^                 |           |
 *                                +---- EndTxn <----+           +--> forgotten, or fenced: none
 *
 * TV1 (librdkafka): partitions and groups are added before they are written to; the epoch stays. TV2 (KIP-890): the write adds
 * them; the epoch grows with each EndTxn.
 * A producer is told that it is fenced only if somebody else has asked for its id since, or its time was up.
 */
#include "txn.h"

#include "record.h"

#define API_PRODUCE           0
#define API_INIT_PRODUCER_ID  22
#define API_ADD_PARTITIONS    24
#define API_ADD_OFFSETS       25
#define API_END_TXN           26
#define API_TXN_OFFSET_COMMIT 28
#define RETRY_MS              200

enum phase { PHASE_NONE = 0, PHASE_READY, PHASE_WORK, PHASE_END };
enum op { OP_NONE = 0, OP_PRODUCE, OP_OFFSETS };

struct batch_out {
    bool due; /* to be sent, again and again */
    int64_t first_record;
    int n;
    struct buf bytes;
};
struct producer {
    struct actor a;
    struct txns *all;
    struct txn_id *id;
    int id_number;
    bool v2, waiting, unsure; /* unsure: the end was sent and not answered */
    enum phase phase;
    int32_t timeout_ms;
    int64_t producer_id;
    int16_t epoch;
    int my_init;         /* id->n_inits when the one was sent that was answered */
    int32_t known_epoch; /* id->epoch, when InitProducerId was sent */
    bool bump;           /* the next InitProducerId names what it has (KIP-360) */
    int32_t sequences[TXN_PARTS_MAX];
    /* the transaction */
    int64_t txn, begin_ns, jumped_ms;
    int n_ops;
    enum op op;
    struct batch_out out[TXN_PARTS_MAX];
    bool added[TXN_PARTS_MAX], offsets_added,
        anything; /* anything: something was sent that may have begun it */
    bool commit;
};

static struct producer *producer_of(struct actor *a)
{
    return CONTAINER_OF(a, struct producer, a);
}

static void tell(struct producer *p, const char *what, int16_t error)
{
    world_event(p->a.w, "%s txn %lld (%lld, %d) %s: %s", p->a.name, (long long)p->txn,
                (long long)p->producer_id, p->epoch, what, kafka_error_name(error));
}

static void drop_batches(struct producer *p)
{
    for (int i = 0; i < p->all->n_parts; i++) {
        buf_release(&p->out[i].bytes);
        p->out[i] = (struct batch_out){0};
    }
    p->op = OP_NONE;
}

static void to_phase(struct producer *p, enum phase phase)
{
    bool was_busy = p->phase == PHASE_WORK || p->phase == PHASE_END;
    bool is_busy = phase == PHASE_WORK || phase == PHASE_END;

    p->all->n_busy += is_busy - was_busy;
    p->phase = phase;
}

/* What was open stays so, for the coordinator. */
static void forget(struct producer *p)
{
    drop_batches(p);
    to_phase(p, PHASE_NONE);
    p->unsure = false;
}

static void step_later(struct producer *p, int64_t mean_ms)
{
    p->waiting = false;
    actor_sleep(&p->a, mean_ms);
    if (p->a.w->draining) /* nobody thinks for minutes now */
        p->a.next_ns = MIN(p->a.next_ns, world_now(p->a.w) + 1000 * NS_PER_MS);
}

/* ---- what answers mean -------------------------------------------------------------------------------- */

static bool may_be_fenced(const struct producer *p)
{
    const struct world *w = p->a.w;

    if (p->id->n_inits != p->my_init)
        return true;
    return (p->phase == PHASE_WORK || p->phase == PHASE_END) &&
           (world_now(w) - p->begin_ns >= p->timeout_ms * NS_PER_MS ||
            w->jumped_ms != p->jumped_ms);
}

static bool any_weak(const struct producer *p)
{
    for (int i = 0; i < p->all->n_parts; i++)
        if (p->all->parts[i].weak)
            return true;
    return false;
}

enum verdict { AGAIN = 0, GOOD, FENCED, SPOILED };
static enum verdict judge(struct producer *p, const char *what, int16_t error)
{
    struct world *w = p->a.w;
    bool right = true;
    enum verdict v = AGAIN;

    tell(p, what, error);
    switch (error) {
    case KE_NONE:
        return GOOD;
    case KE_CONCURRENT_TRANSACTIONS:
    case KE_COORDINATOR_LOAD_IN_PROGRESS:
        break;
    case KE_NOT_ENOUGH_REPLICAS: /* the transaction before, or this one, is being ended */
        right = may_be_fenced(p) || world_faulty(w);
        break;
    case KE_COORDINATOR_NOT_AVAILABLE:
    case KE_KAFKA_STORAGE_ERROR:
    case KE_REQUEST_TIMED_OUT:
        right = world_faulty(w);
        break;
    case KE_PRODUCER_FENCED:
    case KE_INVALID_PRODUCER_EPOCH:
        right = may_be_fenced(p);
        v = FENCED;
        break;
    case KE_INVALID_TXN_STATE: /* TV2: it was aborted when its time was up */
    case KE_TRANSACTION_ABORTABLE:
        right = may_be_fenced(p);
        v = SPOILED;
        break;
    case KE_OUT_OF_ORDER_SEQUENCE_NUMBER:
        right = any_weak(p) || may_be_fenced(p);
        v = SPOILED;
        break;
    default:
        right = false;
    }
    if (!right)
        world_wrong(w, "%s: transaction %lld: %s: %s", p->a.name, (long long)p->txn, what,
                    kafka_error_name(error));
    return v;
}

/* Something was carried out: it must not be of one who was fenced before. */
static void check_holder(struct producer *p, const struct call *c, const char *what)
{
    if (p->id->holder && p->id->holder != p && c->sent_ns > p->id->holder_ns)
        world_wrong(p->a.w,
                    "%s: transaction %lld: %s was carried out after %s was given to another",
                    p->a.name, (long long)p->txn, what, p->id->name);
}

/* Fenced, or spoiled: returns whether it was dealt with. */
static bool dealt_with(struct producer *p, enum verdict v)
{
    if (v == FENCED) {
        p->all->n_fenced++;
        p->bump = false;
        forget(p);
        step_later(p, p->a.w->options.think_ms * 5);
        return true;
    }
    if (v == SPOILED) {
        if (p->phase == PHASE_END) {
            p->bump = false;
            forget(p);
        } else {
            drop_batches(p);
            p->commit = false;
            p->bump = true;
            to_phase(p, PHASE_END);
        }
        step_later(p, RETRY_MS);
        return true;
    }
    if (v == AGAIN)
        step_later(p, RETRY_MS);
    return v == AGAIN;
}

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

    step_later(p, RETRY_MS);
    if (!rsp)
        return;
    p->txn = -1;
    v = rsp->error_code == KE_PRODUCER_FENCED && c->b ? FENCED
                                                      : judge(p, "InitProducerId", rsp->error_code);
    if (v == FENCED)
        p->bump = false;
    if (v != GOOD)
        return;
    check_ids(p, rsp, c->b);
    p->producer_id = rsp->producer_id;
    p->epoch = rsp->producer_epoch;
    p->my_init = (int)c->a;
    tell(p, "begins", KE_NONE);
    p->bump = false;
    memset(p->sequences, 0, sizeof(p->sequences));
    to_phase(p, PHASE_READY);
}

static void ask_id(struct producer *p)
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

    step_later(p, RETRY_MS);
    if (!rsp)
        return;
    for (int t = 0; t < rsp->n_results_by_topic_v3_and_below; t++)
        for (int i = 0; i < rsp->results_by_topic_v3_and_below[t].n_results_by_partition; i++)
            error =
                rsp->results_by_topic_v3_and_below[t].results_by_partition[i].partition_error_code;
    if (dealt_with(p, judge(p, "AddPartitionsToTxn", error)))
        return;
    check_holder(p, c, "AddPartitionsToTxn");
    for (int i = 0; i < p->all->n_parts; i++)
        p->added[i] |= (c->a >> i) & 1;
}

static bool must_add(const struct producer *p)
{
    for (int i = 0; i < p->all->n_parts && !p->v2; i++)
        if (p->out[i].due && !p->added[i])
            return true;
    return false;
}

static void add_partitions(struct producer *p)
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

    step_later(p, RETRY_MS);
    if (!rsp || dealt_with(p, judge(p, "AddOffsetsToTxn", rsp->error_code)))
        return;
    check_holder(p, c, "AddOffsetsToTxn");
    p->offsets_added = true;
}

static void add_offsets(struct producer *p)
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

static void build(struct producer *p, int part)
{
    struct batch_options options = BATCH_OPTIONS_NONE;
    struct batch_out *o = &p->out[part];
    struct world *w = p->a.w;
    struct batch_builder bb;
    char value[400];

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
        batch_add(&bb, clock_wall(w->clock).ms, (struct bytes){NULL, 0},
                  bytes_of(value, (size_t)(n + padding)), NULL, 0);
    }
    ASSERT(batch_end(&bb) == 0);
}

static bool any_due(const struct producer *p)
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
    check_holder(p, c, "Produce");
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

    step_later(p, RETRY_MS);
    for (int t = 0; rsp && t < rsp->n_responses; t++)
        for (int i = 0; i < rsp->responses[t].n_partition_responses; i++) {
            const struct produce_response_responses_partition_responses *row =
                &rsp->responses[t].partition_responses[i];
            int part = part_of(p, rsp->responses[t].name, row->index);
            enum verdict v = judge(p, p->all->parts[part].name, row->error_code);

            if (v == GOOD)
                part_produced(p, c, part, row->base_offset);
            else if (worst == GOOD || worst == AGAIN)
                worst = v;
        }
    if (!rsp && world_chance(p->a.w, 600)) /* what takes the broker takes the producer, too */
        forget(p);
    if (!rsp || dealt_with(p, worst))
        return;
    p->op = OP_NONE;
}

static void produce(struct producer *p)
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

    step_later(p, RETRY_MS);
    if (!rsp || dealt_with(p, judge(p, "TxnOffsetCommit", rsp->topics[0].partitions[0].error_code)))
        return;
    check_holder(p, c, "TxnOffsetCommit");
    p->all->txns[p->txn].offset_acked = true;
    p->op = OP_NONE;
}

static void commit_offsets(struct producer *p)
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

    step_later(p, p->a.w->options.think_ms);
    if (!rsp && world_chance(p->a.w, 300))
        forget(p);
    if (!rsp || dealt_with(p, judge(p, p->commit ? "commit" : "abort", rsp->error_code)))
        return;
    if (p->commit)
        check_holder(p, c, "EndTxn");
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
    to_phase(p, p->bump ? PHASE_NONE : PHASE_READY);
}

static void end(struct producer *p)
{
    struct end_txn_request rq;

    if (!p->anything) { /* nobody knows of it */
        txn_ended(p->all, p->txn, TXN_END_ABORTED, p->a.name);
        to_phase(p, PHASE_READY);
        step_later(p, RETRY_MS);
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

/* ---- steps -------------------------------------------------------------------------------------------------------------- */

static void begin(struct producer *p)
{
    struct world *w = p->a.w;

    p->txn = txn_begin(p->all, p->id_number);
    p->begin_ns = world_now(w);
    p->jumped_ms = w->jumped_ms;
    p->n_ops = 1 + (int)world_below(w, 5);
    p->offsets_added = p->anything = false;
    p->commit = world_chance(w, 750);
    memset(p->added, 0, sizeof(p->added));
    to_phase(p, PHASE_WORK);
}

/* What comes next in the transaction; false: its end. */
static bool choose_op(struct producer *p)
{
    struct world *w = p->a.w;

    if (p->n_ops-- == 0)
        return false;
    if (world_chance(w, 200)) {
        p->op = OP_OFFSETS;
        return true;
    }
    p->op = OP_PRODUCE;
    for (int n = 1 + (int)world_below(w, 3); n > 0; n--) {
        int part = (int)world_below(w, (uint64_t)p->all->n_parts);

        if (!p->out[part].due)
            build(p, part);
    }
    return true;
}

static void work(struct producer *p)
{
    if (p->op == OP_NONE && !choose_op(p)) {
        to_phase(p, PHASE_END);
        step_later(p, world_chance(p->a.w, 50) ? 20000 : 100); /* now and then one is away */
        return;
    }
    if (p->op == OP_PRODUCE && must_add(p))
        add_partitions(p);
    else if (p->op == OP_PRODUCE && any_due(p))
        produce(p);
    else if (p->op == OP_OFFSETS && !p->v2 && !p->offsets_added)
        add_offsets(p);
    else if (p->op == OP_OFFSETS)
        commit_offsets(p);
    else
        p->op = OP_NONE;
}

static void step(struct actor *a)
{
    struct producer *p = producer_of(a);
    struct world *w = a->w;

    if (p->waiting || !actor_connect(a))
        return;
    actor_sleep(a, RETRY_MS);
    if (!p->all->topics_there)
        return;
    if (w->draining && (p->phase == PHASE_NONE || p->phase == PHASE_READY))
        return;
    a->next_ns = INT64_MAX;
    if (p->phase != PHASE_NONE && world_chance(w, 15)) { /* it crashes, and knows nothing */
        world_event(w, "%s forgets all", a->name);
        p->bump = false;
        forget(p);
        step_later(p, world_chance(w, 300) ? 40000 : w->options.think_ms);
        return;
    }
    switch (p->phase) {
    case PHASE_NONE:
        ask_id(p);
        break;
    case PHASE_READY:
        begin(p);
        step_later(p, MIN(w->options.think_ms, 1000));
        break;
    case PHASE_WORK:
        work(p);
        break;
    case PHASE_END:
        end(p);
        break;
    }
    if (!p->waiting && a->next_ns == INT64_MAX)
        actor_sleep(a, RETRY_MS);
}

static bool idle(const struct actor *a)
{
    const struct producer *p = CONTAINER_OF(a, const struct producer, a);

    return !p->waiting && (p->phase == PHASE_NONE || p->phase == PHASE_READY);
}

static void release(struct actor *a)
{
    drop_batches(producer_of(a));
    free(producer_of(a));
}

void txn_producer_new(struct txns *all, int id, int number)
{
    struct producer *p = xcalloc(1, sizeof(*p));

    actor_add(all->w, &p->a, "txn", number, step);
    p->a.idle = idle;
    p->a.release = release;
    p->all = all;
    p->id = &all->ids[id];
    p->id_number = id;
    p->txn = p->producer_id = -1;
    p->epoch = -1;
}
