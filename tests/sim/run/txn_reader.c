/* A reader of committed records, and of the offsets that transactions commit. The first one makes the topics.
 *
 * Owner: struct reader.
 *
 * Happy path: Fetch of all partitions, isolation read_committed -> every record that is left is of a committed transaction ->
 *             positions move -> again; now and then OffsetFetch, or all from the start.
 * In the end: idle when nothing is open any more: every last stable offset is the high watermark, no offset is pending.
 */
#include "txn.h"

#define API_FETCH         1
#define API_OFFSET_FETCH  9
#define API_CREATE_TOPICS 19

struct reader {
    struct actor a;
    struct txns *all;
    int number;
    int n_stable; /* in the end: so many groups have an offset that waits for nothing */
    bool waiting, uses_session, settled;
    int32_t session_id, session_epoch, max_wait_ms, min_bytes, max_bytes;
    int64_t positions[TXN_PARTS_MAX];
    int64_t known[TXN_PARTS_MAX]; /* stable offsets, when the request was sent */
    int64_t told, seen;           /* of a group, when the request was sent */
};

static void next(struct reader *r)
{
    r->waiting = false;
    actor_sleep(&r->a, MIN(r->a.w->options.think_ms, 2000));
    if (r->a.w->draining) /* nobody thinks for minutes now */
        r->a.next_ns = MIN(r->a.next_ns, world_now(r->a.w) + 1000 * NS_PER_MS);
}

/* ---- topics */

static void created(struct call *c, const void *reply)
{
    const struct create_topics_response *rsp = reply;
    struct reader *r = c->arg;
    bool all = rsp != NULL;

    next(r);
    for (int i = 0; rsp && i < rsp->n_topics; i++) {
        int16_t error = rsp->topics[i].error_code;

        world_event(r->a.w, "create %s: %s", r->all->topics[i].name, kafka_error_name(error));
        if (error != KE_NONE && error != KE_TOPIC_ALREADY_EXISTS && !world_faulty(r->a.w))
            world_wrong(r->a.w, "create %s: %s", r->all->topics[i].name, kafka_error_name(error));
        all &= error == KE_NONE || error == KE_TOPIC_ALREADY_EXISTS;
    }
    r->all->topics_there = all;
}

static void create(struct reader *r)
{
    struct create_topics_request_topics rows[TXN_TOPICS_MAX];
    struct txn_configs own[TXN_TOPICS_MAX];
    struct create_topics_request rq;

    create_topics_request_init(&rq);
    rq.timeout_ms = 30000;
    rq.topics = rows;
    rq.n_topics = r->all->n_topics;
    for (int i = 0; i < r->all->n_topics; i++) {
        const struct txn_topic *t = &r->all->topics[i];

        create_topics_request_topics_init(&rows[i]);
        rows[i].name = str_of(t->name);
        rows[i].num_partitions = t->n_parts;
        rows[i].replication_factor = 1;
        txn_topic_settings(t, &own[i]);
        rows[i].configs = own[i].rows;
        rows[i].n_configs = own[i].n;
    }
    r->waiting = true;
    link_send(r->a.link, API_CREATE_TOPICS, 7, &rq, created, r);
}

/* ---- records */

static void take_row(struct reader *r, struct txn_part *p,
                     const struct fetch_response_responses_partitions *row)
{
    struct world *w = r->a.w;
    struct txn_scan scan;

    switch (row->error_code) {
    case KE_NONE:
        txn_scan_begin(&scan, p, true, r->positions[p->number]);
        txn_scan_row(&scan, row);
        txn_stable(p, r->known[p->number], row->last_stable_offset, row->high_watermark);
        r->positions[p->number] = scan.at;
        break;
    case KE_OFFSET_OUT_OF_RANGE:
        if (!p->weak)
            world_wrong(w, "%s: %s: %lld is out of range", r->a.name, p->name,
                        (long long)r->positions[p->number]);
        r->positions[p->number] = 0;
        break;
    default:
        if (!world_faulty(w))
            world_wrong(w, "%s: %s: Fetch: %s", r->a.name, p->name,
                        kafka_error_name(row->error_code));
    }
    if (w->draining && row->last_stable_offset != row->high_watermark)
        world_event(w, "%s: stable up to %lld of %lld", p->name, (long long)row->last_stable_offset,
                    (long long)row->high_watermark);
    r->settled &= row->error_code == KE_NONE && row->last_stable_offset == row->high_watermark;
}

static void fetched(struct call *call, const void *reply)
{
    const struct fetch_response *rsp = reply;
    struct reader *r = call->arg;
    bool quiet = call->a;

    next(r);
    r->settled = quiet;
    if (!rsp || rsp->error_code == KE_FETCH_SESSION_ID_NOT_FOUND ||
        rsp->error_code == KE_INVALID_FETCH_SESSION_EPOCH) {
        r->session_id = r->session_epoch = 0;
        r->settled = false;
        return;
    }
    world_event(r->a.w, "%s: %s, %d busy", r->a.name, kafka_error_name(rsp->error_code),
                r->all->n_busy);
    if (rsp->error_code != KE_NONE && !world_faulty(r->a.w))
        world_wrong(r->a.w, "%s: Fetch: %s", r->a.name, kafka_error_name(rsp->error_code));
    for (int t = 0; t < rsp->n_responses; t++)
        for (int i = 0; i < r->all->n_topics; i++)
            for (int p = 0; str_is(rsp->responses[t].topic, r->all->topics[i].name) &&
                            p < rsp->responses[t].n_partitions;
                 p++) {
                const struct fetch_response_responses_partitions *row =
                    &rsp->responses[t].partitions[p];

                take_row(r, &r->all->parts[r->all->topics[i].first_part + row->partition_index],
                         row);
            }
    if (r->session_epoch >= 0) {
        r->session_id = rsp->session_id;
        r->session_epoch = rsp->session_id ? r->session_epoch + 1 : 0;
    }
}

static void fetch(struct reader *r)
{
    struct fetch_request_topics_partitions rows[TXN_PARTS_MAX];
    struct fetch_request_topics topics[TXN_TOPICS_MAX];
    bool whole = r->a.w->draining; /* an answer of a session leaves out what has not changed */
    struct fetch_request rq;
    struct call *c;

    if (whole || !r->uses_session)
        r->session_epoch = -1;
    fetch_request_init(&rq);
    rq.session_id = whole ? 0 : r->session_id;
    rq.session_epoch = r->session_epoch;
    rq.max_wait_ms = whole ? 100 : r->max_wait_ms;
    rq.min_bytes = r->min_bytes;
    rq.max_bytes = r->max_bytes;
    rq.isolation_level = 1;
    rq.topics = topics;
    rq.n_topics = r->all->n_topics;
    for (int t = 0; t < r->all->n_topics; t++) {
        const struct txn_topic *topic = &r->all->topics[t];

        fetch_request_topics_init(&topics[t]);
        topics[t].topic = str_of(topic->name);
        topics[t].partitions = &rows[topic->first_part];
        topics[t].n_partitions = topic->n_parts;
        for (int i = 0; i < topic->n_parts; i++) {
            int p = topic->first_part + i;

            fetch_request_topics_partitions_init(&rows[p]);
            rows[p].partition = i;
            rows[p].fetch_offset = r->positions[p];
            rows[p].partition_max_bytes = r->max_bytes;
            r->known[p] = r->all->parts[p].stable;
        }
    }
    r->waiting = true;
    c = link_send(r->a.link, API_FETCH, 12, &rq, fetched, r);
    c->limit_ms += rq.max_wait_ms;
    c->a = whole && r->all->n_busy == 0;
}

/* ---- offsets */

static void got_offsets(struct call *c, const void *reply)
{
    const struct offset_fetch_response *rsp = reply;
    struct reader *r = c->arg;
    struct world *w = r->a.w;
    int64_t got;
    int16_t error;

    next(r);
    if (!rsp)
        return;
    error = rsp->error_code ? rsp->error_code : rsp->topics[0].partitions[0].error_code;
    got = error ? -1 : rsp->topics[0].partitions[0].committed_offset;
    world_event(w, "%s %s: %s, %lld", r->a.name, r->all->ids[c->a].group, kafka_error_name(error),
                (long long)got);
    if (error == KE_NONE)
        txn_offset_fetched(r->all, (int)c->a, r->told, r->seen, got);
    else if (error == KE_UNSTABLE_OFFSET_COMMIT ? !c->b : !world_faulty(w))
        world_wrong(w, "%s: OffsetFetch: %s", r->all->ids[c->a].group, kafka_error_name(error));
    if (w->draining && error == KE_NONE && c->a == r->n_stable)
        r->n_stable++;
    else if (w->draining)
        actor_sleep(&r->a, 1000); /* its transaction has still to run out of time */
}

static void fetch_offsets(struct reader *r, int i)
{
    struct offset_fetch_request_topics t;
    struct offset_fetch_request rq;
    struct call *c;
    int32_t index = 0;

    offset_fetch_request_init(&rq);
    offset_fetch_request_topics_init(&t);
    rq.group_id = str_of(r->all->ids[i].group);
    rq.topics = &t;
    rq.n_topics = 1;
    rq.require_stable = r->a.w->draining || world_chance(r->a.w, 500);
    t.name = str_of(r->all->topics[0].name);
    t.partition_indexes = &index;
    t.n_partition_indexes = 1;
    /* EndTxn is answered when the end is decided: only who waits for stable offsets sees it at once. */
    r->told = rq.require_stable ? r->all->ids[i].offset_told : -1;
    r->seen = r->all->ids[i].offset_seen;
    r->waiting = true;
    c = link_send(r->a.link, API_OFFSET_FETCH, 7, &rq, got_offsets, r);
    c->a = i;
    c->b = rq.require_stable;
}

/* ---- steps */

/* In the end: everything is read, and no offset waits for a transaction. */
static bool idle(const struct actor *a)
{
    const struct reader *r = CONTAINER_OF(a, const struct reader, a);

    return !r->waiting && r->settled && r->all->n_busy == 0 && r->n_stable == r->all->n_ids;
}

static void step(struct actor *a)
{
    struct reader *r = CONTAINER_OF(a, struct reader, a);
    struct world *w = a->w;

    if (r->waiting || !actor_connect(a))
        return;
    if (!r->all->topics_there) {
        actor_sleep(a, 500);
        if (r->number == 0)
            create(r);
        return;
    }
    if (world_chance(w, 10)) {
        memset(r->positions, 0, sizeof(r->positions));
        r->session_id = r->session_epoch = 0;
    }
    if (w->draining && r->settled && r->all->n_busy == 0 && r->n_stable < r->all->n_ids)
        fetch_offsets(r, r->n_stable);
    else if (!w->draining && world_chance(w, 200))
        fetch_offsets(r, (int)world_below(w, (uint64_t)r->all->n_ids));
    else
        fetch(r);
}

static void release(struct actor *a)
{
    free(CONTAINER_OF(a, struct reader, a));
}

void txn_reader_new(struct txns *all, int number)
{
    static const int32_t sizes[] = {300, 5000, 1 << 20};
    struct world *w = all->w;
    struct reader *r = xcalloc(1, sizeof(*r));

    actor_add(w, &r->a, "txreader", number, step);
    r->a.idle = idle;
    r->a.release = release;
    r->all = all;
    r->number = number;
    r->uses_session = world_chance(w, 500);
    r->max_wait_ms = (int32_t)world_below(w, 10000);
    r->min_bytes = (int32_t)world_below(w, 3000);
    r->max_bytes = sizes[world_below(w, ARRAY_SIZE(sizes))];
}
