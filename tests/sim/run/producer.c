/* A producer: plain, which sends once, or idempotent, which repeats until it is answered.
 *
 * Owner: struct producer; its batches are its own until they are answered.
 *
 *     idempotent: no id -> InitProducerId -> up to five batches in flight -> one fails, or the connection is
 *                 lost: nothing new until all that is unanswered was sent again, in order, same sequences
 *
 * An idempotent producer is told OUT_OF_ORDER_SEQUENCE only behind a batch that failed, or where a
 * power cut took acknowledged records that nobody promised to keep: then it takes a new id.
 */
#include "world.h"

#include "record.h"

#define API_PRODUCE          0
#define API_INIT_PRODUCER_ID 22
#define IN_FLIGHT_MAX        5

struct outgoing {
    struct list item; /* in producer.queue */
    struct producer *owner;
    struct part *part;
    int incarnation;
    int64_t first_id;
    int n;
    bool in_flight;
    struct buf bytes;
};
struct producer {
    struct actor a;
    struct topic *topic;
    int number;
    bool idempotent, asking, retrying;
    int acks, in_flight_max;
    int64_t producer_id;
    int32_t sequences[PARTITIONS_MAX];
    struct list queue; /* unanswered, oldest first */
};

static struct producer *producer_of(struct actor *a)
{
    return CONTAINER_OF(a, struct producer, a);
}

static int n_queued(const struct producer *p, bool in_flight)
{
    int n = 0;

    LIST_FOREACH(it, &p->queue)
    n += !in_flight || CONTAINER_OF(it, struct outgoing, item)->in_flight;
    return n;
}

static void drop(struct outgoing *o)
{
    list_remove(&o->item);
    buf_release(&o->bytes);
    free(o);
}

static void wake(struct producer *p)
{
    if (p->a.next_ns == INT64_MAX)
        actor_sleep(&p->a, p->retrying ? 100 : p->a.w->options.think_ms);
}

/* ---- batches ------------------------------------------------------------------------------------ */

static void put_record(const struct outgoing *o, struct batch_builder *bb, int64_t id, struct bytes value,
                       char key_text[KEPT_TEXT_MAX])
{
    struct record_header header;
    struct bytes key;
    int n_headers;

    kept_record(o->part, id, &value, key_text, &key, &header, &n_headers);
    batch_add(bb, clock_wall(o->part->topic->w->clock).ms, key, value, &header, n_headers);
}

static void build(struct producer *p, struct outgoing *o, int32_t sequence)
{
    struct batch_options options = BATCH_OPTIONS_NONE;
    struct world *w = p->a.w;
    struct batch_builder bb;
    char value[2100], key_text[KEPT_TEXT_MAX];

    if (p->idempotent) {
        options.producer_id = p->producer_id;
        options.producer_epoch = 0;
        options.base_sequence = sequence;
    }
    options.attributes = world_chance(w, 200) ? CODEC_LZ4 : CODEC_NONE;
    batch_begin(&bb, &o->bytes, options);
    for (int i = 0; i < o->n; i++) {
        int n = snprintf(value, sizeof(value), "%d %d %lld ", o->incarnation, o->part->index,
                         (long long)(o->first_id + i));
        int padding = (int)world_below(w, w->options.record_bytes_max);

        for (int at = 0; at < padding; at++)
            value[n + at] = (char)('a' + (at * 7 + i) % 26);
        put_record(o, &bb, o->first_id + i, bytes_of(value, (size_t)(n + padding)), key_text);
    }
    ASSERT(batch_end(&bb) == 0);
}

static struct outgoing *make_batch(struct producer *p)
{
    struct world *w = p->a.w;
    int partition = (int)world_below(w, (uint64_t)p->topic->n_parts);
    struct outgoing *o = xcalloc(1, sizeof(*o));

    o->owner = p;
    o->part = &p->topic->parts[partition];
    o->incarnation = p->topic->incarnation;
    o->n = 1 + (int)world_below(w, world_chance(w, 200) ? 20 : 4);
    o->n = MIN(o->n, MAX(1, (w->options.segment_bytes[p->topic->index] - 200) /
                                (int)(w->options.record_bytes_max + 60)));
    o->first_id = model_new_ids(o->part, o->n, p->number, p->idempotent);
    buf_init(&o->bytes);
    build(p, o, p->sequences[partition]);
    p->sequences[partition] += o->n;
    list_push(&p->queue, &o->item);
    return o;
}

/* ---- answers -------------------------------------------------------------------------------------- */

static bool is_first_of_part(const struct producer *p, const struct outgoing *o)
{
    LIST_FOREACH(it, &p->queue)
    {
        const struct outgoing *other = CONTAINER_OF(it, struct outgoing, item);

        if (other->part == o->part)
            return other == o;
    }
    return true;
}

/* All that is unanswered stays unknown; a new id, sequences from 0. */
static void begin_anew(struct producer *p)
{
    world_event(p->a.w, "%s begins anew", p->a.name);
    p->producer_id = -1;
    p->retrying = false;
    memset(p->sequences, 0, sizeof(p->sequences));
    LIST_FOREACH_SAFE(it, &p->queue)
    {
        struct outgoing *o = CONTAINER_OF(it, struct outgoing, item);

        if (!o->in_flight) {
            drop(o);
            continue;
        }
        o->owner = NULL; /* its answer finds nobody */
        list_remove(&o->item);
    }
}

static void fail(struct producer *p, struct outgoing *o, int16_t error)
{
    struct world *w = p->a.w;

    switch (error) {
    case KE_KAFKA_STORAGE_ERROR:
    case KE_REQUEST_TIMED_OUT:
    case KE_NOT_ENOUGH_REPLICAS_AFTER_APPEND:
        /* One directory that failed leaves the rest serving. */
        if (world_now(w) >= w->faults_until_ns && !host_part_offline(w, o->part))
            world_wrong(w, "%s: Produce: %s, and nothing is wrong with the disk", p->a.name,
                        kafka_error_name(error));
        if (!p->idempotent && error == KE_KAFKA_STORAGE_ERROR)
            model_refused(o->part, o->first_id, o->n);
        break;
    case KE_UNKNOWN_TOPIC_OR_PARTITION:
        if (!p->topic->churn && p->topic->state == TOPIC_THERE)
            world_wrong(w, "%s: the topic %s is gone", p->a.name, p->topic->name);
        break;
    case KE_OUT_OF_ORDER_SEQUENCE_NUMBER:
        if (!p->idempotent || (is_first_of_part(p, o) && !o->part->lost_acked && !o->part->expired_unseen))
            world_wrong(w, "%s: %s-%d record %lld is out of sequence", p->a.name, p->topic->name,
                        o->part->index, (long long)o->first_id);
        break;
    default:
        world_wrong(w, "%s: Produce: %s", p->a.name, kafka_error_name(error));
    }
    if (!p->idempotent) {
        drop(o);
    } else if (error == KE_OUT_OF_ORDER_SEQUENCE_NUMBER && is_first_of_part(p, o)) {
        o->in_flight = false;
        begin_anew(p);
    } else {
        o->in_flight = false;
        p->retrying = true;
    }
}

static void produced(struct call *c, const void *reply)
{
    const struct produce_response *rsp = reply;
    const struct produce_response_responses_partition_responses *row;
    struct outgoing *o = c->arg;
    struct producer *p = o->owner;

    if (!p || o->incarnation != o->part->topic->incarnation) {
        if (p)
            wake(p);
        drop(o);
        return;
    }
    if (!reply) {
        o->in_flight = false;
        p->retrying = true;
        if (!p->idempotent)
            drop(o);
        wake(p);
        return;
    }
    row = &rsp->responses[0].partition_responses[0];
    world_event(p->a.w, "%s %s-%d records %lld+%d: %s at %lld", p->a.name, p->topic->name,
                o->part->index, (long long)o->first_id, o->n, kafka_error_name(row->error_code),
                (long long)row->base_offset);
    if (row->error_code == KE_NONE) {
        model_acked(o->part, o->first_id, o->n, row->base_offset, p->acks);
        drop(o);
    } else {
        fail(p, o, row->error_code);
    }
    wake(p);
}

static void send_batch(struct producer *p, struct outgoing *o)
{
    struct produce_request rq;
    struct produce_request_topic_data topic;
    struct produce_request_topic_data_partition_data partition;

    produce_request_init(&rq);
    produce_request_topic_data_init(&topic);
    produce_request_topic_data_partition_data_init(&partition);
    rq.acks = (int16_t)p->acks;
    rq.timeout_ms = 30000;
    rq.topic_data = &topic;
    rq.n_topic_data = 1;
    topic.name = str_of(p->topic->name);
    topic.partition_data = &partition;
    topic.n_partition_data = 1;
    partition.index = o->part->index;
    partition.records = (struct wire_records){.p = o->bytes.p, .n_bytes = o->bytes.n};
    o->in_flight = true;
    link_send(p->a.link, API_PRODUCE, 9, &rq, produced, o);
}

/* ---- ids -------------------------------------------------------------------------------------------- */

void world_producer_id(struct world *w, int64_t id)
{
    for (int i = 0; i < w->n_producer_ids; i++)
        if (w->producer_ids[i] == id)
            world_wrong(w, "producer id %lld was given twice", (long long)id);
    ASSERT(w->n_producer_ids < PRODUCER_IDS_MAX);
    w->producer_ids[w->n_producer_ids++] = id;
}

static void got_producer_id(struct call *c, const void *reply)
{
    const struct init_producer_id_response *rsp = reply;
    struct producer *p = c->arg;

    p->asking = false;
    actor_sleep(&p->a, 100);
    if (!rsp)
        return;
    world_event(p->a.w, "%s id %lld: %s", p->a.name, (long long)rsp->producer_id,
                kafka_error_name(rsp->error_code));
    if (rsp->error_code == KE_NONE) {
        world_producer_id(p->a.w, rsp->producer_id);
        p->producer_id = rsp->producer_id;
    } else if (!world_faulty(p->a.w)) {
        world_wrong(p->a.w, "InitProducerId: %s", kafka_error_name(rsp->error_code));
    }
}

static void ask_producer_id(struct producer *p)
{
    struct init_producer_id_request rq;

    init_producer_id_request_init(&rq);
    rq.transactional_id = (struct str){NULL, 0};
    p->asking = true;
    link_send(p->a.link, API_INIT_PRODUCER_ID, 4, &rq, got_producer_id, p);
}

/* ---- steps ------------------------------------------------------------------------------------------ */

static void repeat(struct producer *p)
{
    p->retrying = false;
    LIST_FOREACH(it, &p->queue)
    send_batch(p, CONTAINER_OF(it, struct outgoing, item));
}

static void forget_old_topic(struct producer *p)
{
    LIST_FOREACH_SAFE(it, &p->queue)
    {
        struct outgoing *o = CONTAINER_OF(it, struct outgoing, item);

        if (o->incarnation != p->topic->incarnation && !o->in_flight) {
            drop(o);
            memset(p->sequences, 0, sizeof(p->sequences));
            p->producer_id = -1;
        }
    }
}

static void produce_new(struct producer *p)
{
    int n = 1 + (int)world_below(p->a.w, world_chance(p->a.w, 300) ? 3 : 1);

    if (p->idempotent && list_empty(&p->queue) && world_chance(p->a.w, 10))
        begin_anew(p);
    for (; n > 0 && (!p->idempotent || p->producer_id >= 0); n--)
        if (n_queued(p, false) < p->in_flight_max)
            send_batch(p, make_batch(p));
}

static void step(struct actor *a)
{
    struct producer *p = producer_of(a);

    if (!actor_connect(a))
        return;
    actor_sleep(a, a->w->options.think_ms);
    forget_old_topic(p);
    if (p->topic->state != TOPIC_THERE || p->asking)
        return;
    if (p->idempotent && p->producer_id < 0 && (!a->w->draining || !list_empty(&p->queue)))
        ask_producer_id(p);
    else if (p->retrying && n_queued(p, true) == 0)
        repeat(p);
    else if (!p->retrying && !a->w->draining)
        produce_new(p);
}

static bool idle(const struct actor *a)
{
    const struct producer *p = CONTAINER_OF(a, const struct producer, a);

    return !p->asking && (p->topic->state != TOPIC_THERE || list_empty(&p->queue));
}

static void release(struct actor *a)
{
    struct producer *p = producer_of(a);

    LIST_FOREACH_SAFE(it, &p->queue)
    drop(CONTAINER_OF(it, struct outgoing, item));
    free(p);
}

struct actor *producer_new(struct world *w, int number, struct topic *t, bool idempotent, int acks)
{
    struct producer *p = xcalloc(1, sizeof(*p));

    actor_add(w, &p->a, idempotent ? "idem" : "plain", number, step);
    p->a.idle = idle;
    p->a.release = release;
    p->topic = t;
    p->number = number;
    p->idempotent = idempotent;
    p->acks = acks;
    p->in_flight_max = 1 + (int)world_below(w, IN_FLIGHT_MAX);
    p->producer_id = -1;
    list_init(&p->queue);
    return &p->a;
}
