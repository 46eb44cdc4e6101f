/* A consumer: reads its topic's partitions from where it was, now and then from the start again.
 *
 * Owner: struct consumer.
 *
 * Happy path: Fetch of all its partitions (in a session, or each time whole) -> every record must be the one that
 *             was acknowledged, or read by anybody, at its offset -> positions move -> again.
 */
#include "world.h"

#include "record.h"

#define API_FETCH 1

struct consumer {
    struct actor a;
    struct topic *topic;
    bool waiting, uses_session;
    int incarnation;
    int32_t session_id, session_epoch, max_wait_ms, min_bytes, max_bytes;
    int64_t positions[PARTITIONS_MAX];
};

static void parse_value(struct part *p, const struct record *r, int64_t *id)
{
    struct world *w = p->topic->w;
    struct bytes value = kept_value(p, r);
    char text[64];
    int incarnation = -1, partition = -1;
    long long number = -1;

    snprintf(text, sizeof(text), "%.*s", (int)MIN(value.n, sizeof(text) - 1), value.p);
    if (sscanf(text, "%d %d %lld ", &incarnation, &partition, &number) != 3)
        world_wrong(w, "%s-%d offset %lld: a record that nobody sent", p->topic->name, p->index,
                    (long long)r->offset);
    if (incarnation != p->topic->incarnation || partition != p->index)
        world_wrong(w, "%s-%d offset %lld: a record of partition %d of incarnation %d, this is %d",
                    p->topic->name, p->index, (long long)r->offset, partition, incarnation,
                    p->topic->incarnation);
    *id = number;
    kept_expect(p, r, number);
}

int64_t read_records(struct part *p, struct bytes bytes, int64_t from,
                     void (*take)(struct part *, int64_t, int64_t, void *), void *arg)
{
    struct world *w = p->topic->w;
    struct buf scratch;
    struct batch b;

    buf_init(&scratch);
    while (bytes.n >= BATCH_HEADER_BYTES && batch_decode(bytes.p, &b) == 0 &&
           b.total_bytes <= bytes.n) {
        struct record_iter it;
        struct record r;
        int64_t id;

        if (batch_check(bytes.p, bytes.n, &b) < 0 ||
            record_iter_init(&it, bytes.p, &b, 1 << 20, &scratch) < 0)
            world_wrong(w, "%s-%d: a damaged batch was served at offset %lld", p->topic->name,
                        p->index, (long long)b.base_offset);
        while (record_iter_next(&it, &r) == 1) {
            if (r.offset < from)
                continue;
            if (r.offset != from && !kept_has(p, POLICY_COMPACT))
                world_wrong(w, "%s-%d: offset %lld where %lld is due", p->topic->name, p->index,
                            (long long)r.offset, (long long)from);
            parse_value(p, &r, &id);
            take(p, r.offset, id, arg);
            from = r.offset + 1;
        }
        if (kept_has(p, POLICY_COMPACT))
            from = MAX(from, batch_last_offset(&b) + 1);
        bytes.p += b.total_bytes;
        bytes.n -= b.total_bytes;
    }
    buf_release(&scratch);
    return from;
}

static void take_seen(struct part *p, int64_t offset, int64_t id, void *arg)
{
    model_seen(p, offset, id);
}

static void take_row(struct consumer *c, const struct fetch_response_responses_partitions *row)
{
    struct world *w = c->a.w;
    struct part *p = &c->topic->parts[row->partition_index];
    int64_t *position = &c->positions[row->partition_index], before;

    switch (row->error_code) {
    case KE_NONE:
        before = *position;
        *position = read_records(p, (struct bytes){row->records.p, row->records.n_bytes}, *position,
                                 take_seen, NULL);
        if (*position > before && *position > row->high_watermark)
            world_wrong(w, "%s-%d: read to %lld, the high watermark is %lld", p->topic->name,
                        p->index, (long long)*position, (long long)row->high_watermark);
        break;
    case KE_OFFSET_OUT_OF_RANGE:
        if (!p->lost_acked && !kept_has(p, POLICY_DELETE))
            world_wrong(w, "%s: %s-%d: %lld is out of range", c->a.name, p->topic->name, p->index,
                        (long long)*position);
        *position = *position == p->start && kept_has(p, POLICY_DELETE) ? p->n : p->start;
        break;
    case KE_UNKNOWN_TOPIC_OR_PARTITION:
        if (c->topic->state == TOPIC_THERE && !c->topic->churn)
            world_wrong(w, "%s: the topic %s is gone", c->a.name, c->topic->name);
        break;
    default:
        if (!world_faulty(w))
            world_wrong(w, "%s: Fetch: %s", c->a.name, kafka_error_name(row->error_code));
    }
}

static void fetched(struct call *call, const void *reply)
{
    const struct fetch_response *rsp = reply;
    struct consumer *c = call->arg;

    c->waiting = false;
    actor_sleep(&c->a, c->a.w->options.think_ms);
    if (!rsp || c->incarnation != c->topic->incarnation) {
        c->session_id = c->session_epoch = 0;
        return;
    }
    world_event(c->a.w, "%s %s: %s", c->a.name, c->topic->name, kafka_error_name(rsp->error_code));
    if (rsp->error_code == KE_FETCH_SESSION_ID_NOT_FOUND ||
        rsp->error_code == KE_INVALID_FETCH_SESSION_EPOCH) {
        c->session_id = c->session_epoch = 0;
        return;
    }
    if (rsp->error_code != KE_NONE && !world_faulty(c->a.w))
        world_wrong(c->a.w, "%s: Fetch: %s", c->a.name, kafka_error_name(rsp->error_code));
    for (int t = 0; t < rsp->n_responses; t++)
        for (int i = 0; i < rsp->responses[t].n_partitions; i++)
            take_row(c, &rsp->responses[t].partitions[i]);
    if (c->uses_session) {
        c->session_id = rsp->session_id;
        c->session_epoch = rsp->session_id ? c->session_epoch + 1 : 0;
    }
}

static void fetch(struct consumer *c)
{
    struct fetch_request_topics_partitions rows[PARTITIONS_MAX];
    struct fetch_request_topics t;
    struct fetch_request rq;

    fetch_request_init(&rq);
    fetch_request_topics_init(&t);
    rq.session_id = c->session_id;
    rq.session_epoch = c->uses_session ? c->session_epoch : -1;
    rq.max_wait_ms = c->max_wait_ms;
    rq.min_bytes = c->min_bytes;
    rq.max_bytes = c->max_bytes;
    rq.topics = &t;
    rq.n_topics = 1;
    t.topic = str_of(c->topic->name);
    t.partitions = rows;
    t.n_partitions = c->topic->n_parts;
    for (int i = 0; i < c->topic->n_parts; i++) {
        fetch_request_topics_partitions_init(&rows[i]);
        rows[i].partition = i;
        rows[i].fetch_offset = c->positions[i];
        rows[i].partition_max_bytes = c->max_bytes;
    }
    c->waiting = true;
    link_send(c->a.link, API_FETCH, 12, &rq, fetched, c)->limit_ms += c->max_wait_ms;
}

static void step(struct actor *a)
{
    struct consumer *c = CONTAINER_OF(a, struct consumer, a);

    if (!actor_connect(a))
        return;
    if (c->topic->state != TOPIC_THERE || a->w->draining) {
        actor_sleep(a, a->w->options.think_ms);
        return;
    }
    if (c->incarnation != c->topic->incarnation || world_chance(a->w, 10)) {
        c->incarnation = c->topic->incarnation;
        for (int i = 0; i < c->topic->n_parts; i++)
            c->positions[i] = c->topic->parts[i].start;
        c->session_id = c->session_epoch = 0;
    }
    fetch(c);
}

static bool idle(const struct actor *a)
{
    return !CONTAINER_OF(a, const struct consumer, a)->waiting;
}

static void release(struct actor *a)
{
    free(CONTAINER_OF(a, struct consumer, a));
}

struct actor *consumer_new(struct world *w, int number, struct topic *t)
{
    static const int32_t sizes[] = {300, 5000, 1 << 20};
    struct consumer *c = xcalloc(1, sizeof(*c));

    actor_add(w, &c->a, "consumer", number, step);
    c->a.idle = idle;
    c->a.release = release;
    c->topic = t;
    c->uses_session = world_chance(w, 500);
    c->max_wait_ms = (int32_t)world_below(w, 10000);
    c->min_bytes = (int32_t)world_below(w, 3000);
    c->max_bytes = sizes[world_below(w, ARRAY_SIZE(sizes))];
    return &c->a;
}
