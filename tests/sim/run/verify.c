/* After a start: everything that is there, against everything that is known.
 *
 * Requests like any client's, while nobody else asks for anything.
 */
#include "world.h"

#define API_FETCH        1
#define API_LIST_OFFSETS 2
#define API_METADATA     3
#define API_OFFSET_FETCH 9
#define FETCH_BYTES      (1 << 20)

static void verify_topics(struct world *w, struct arena *arena)
{
    struct metadata_request rq;
    const struct metadata_response *rsp;

    metadata_request_init(&rq);
    rq.n_topics = -1;
    rsp = world_ask(w, API_METADATA, 12, &rq, arena);
    for (int i = 0; i < w->n_topics && rsp; i++) {
        struct topic *t = &w->topics[i];
        bool there = false;

        for (int r = 0; r < rsp->n_topics; r++)
            there |= str_is(rsp->topics[r].name, t->name) && rsp->topics[r].error_code == KE_NONE;
        if (!there && t->state == TOPIC_THERE)
            world_wrong(w, "topic %s was created and is not there after a start", t->name);
        if (there && t->state == TOPIC_ABSENT)
            world_wrong(w, "topic %s was deleted and is there after a start", t->name);
        t->state = there ? TOPIC_THERE : TOPIC_ABSENT;
    }
}

struct found {
    int64_t *ids;
    int64_t n, cap;
};

static void push_found(struct found *f, int64_t id)
{
    if (f->n == f->cap) {
        f->cap = f->cap ? f->cap * 2 : 256;
        f->ids = xrealloc_array(f->ids, (size_t)f->cap, sizeof(*f->ids));
    }
    f->ids[f->n++] = id;
}

static void take_found(struct part *p, int64_t offset, int64_t id, void *arg)
{
    struct found *f = arg;

    if (id < 0 || id >= p->n_ids)
        world_wrong(p->topic->w, "%s-%d offset %lld: record %lld was never sent", p->topic->name,
                    p->index, (long long)offset, (long long)id);
    while (f->n < offset) /* compacted away */
        push_found(f, -1);
    push_found(f, id);
}

const struct fetch_response_responses_partitions *
verify_fetch(struct world *w, const char *topic, int32_t partition, int64_t offset, int32_t max_bytes,
             bool committed, struct arena *arena)
{
    struct fetch_request_topics_partitions row;
    struct fetch_request_topics t;
    struct fetch_request rq;
    const struct fetch_response *rsp;

    fetch_request_init(&rq);
    fetch_request_topics_init(&t);
    fetch_request_topics_partitions_init(&row);
    rq.session_epoch = -1;
    rq.max_bytes = max_bytes;
    rq.isolation_level = committed;
    rq.topics = &t;
    rq.n_topics = 1;
    t.topic = str_of(topic);
    t.partitions = &row;
    t.n_partitions = 1;
    row.partition = partition;
    row.fetch_offset = offset;
    row.partition_max_bytes = max_bytes;
    rsp = world_ask(w, API_FETCH, 12, &rq, arena);
    return rsp && rsp->n_responses == 1 ? &rsp->responses[0].partitions[0] : NULL;
}

static int64_t start_of(struct world *w, const struct part *p)
{
    struct list_offsets_request_topics_partitions row;
    struct list_offsets_request_topics topic;
    struct list_offsets_request rq;
    const struct list_offsets_response *rsp;
    struct arena arena;
    int64_t start = -1;

    arena_init(&arena);
    list_offsets_request_init(&rq);
    list_offsets_request_topics_init(&topic);
    list_offsets_request_topics_partitions_init(&row);
    rq.replica_id = -1;
    rq.topics = &topic;
    rq.n_topics = 1;
    topic.name = str_of(p->topic->name);
    topic.partitions = &row;
    topic.n_partitions = 1;
    row.partition_index = p->index;
    row.timestamp = -2; /* earliest */
    rsp = world_ask(w, API_LIST_OFFSETS, 7, &rq, &arena);
    if (rsp && rsp->n_topics == 1 && rsp->topics[0].partitions[0].error_code == KE_NONE)
        start = rsp->topics[0].partitions[0].offset;
    if (start < 0)
        world_wrong(w, "%s-%d has no earliest offset after a start", p->topic->name, p->index);
    arena_release(&arena);
    return start;
}

static void verify_part(struct world *w, struct part *p, bool lossy)
{
    struct found found = {NULL, 0, 0};
    struct arena arena;
    int64_t before, high_watermark, start = start_of(w, p), next;

    while (found.n < start)
        push_found(&found, -1);

    do {
        const struct fetch_response_responses_partitions *row;

        arena_init(&arena);
        before = found.n;
        row = verify_fetch(w, p->topic->name, p->index, found.n, FETCH_BYTES, false, &arena);
        if (row && row->error_code == KE_OFFSET_OUT_OF_RANGE && kept_has(p, POLICY_DELETE)) {
            arena_release(&arena);
            start = start_of(w, p); /* it moved meanwhile */
            before = high_watermark = -1;
            while (found.n < start)
                push_found(&found, -1);
            continue;
        }
        if (!row || row->error_code != KE_NONE)
            world_wrong(w, "%s-%d cannot be read after a start: %s", p->topic->name, p->index,
                        row ? kafka_error_name(row->error_code) : "no answer");
        high_watermark = row->high_watermark;
        next = read_records(p, (struct bytes){row->records.p, row->records.n_bytes}, found.n, take_found, &found);
        while (found.n < next)
            push_found(&found, -1);
        arena_release(&arena);
    } while (high_watermark < 0 || (found.n > before && found.n < high_watermark));
    /* Recovery passes over the hole that a power cut leaves in a compacted log, where the journal does not show who was the last. */
    while (!p->topic->durable && kept_has(p, POLICY_COMPACT) && found.n < high_watermark)
        push_found(&found, -1);
    if (found.n != high_watermark)
        world_wrong(w, "%s-%d: the high watermark is %lld, readable are %lld", p->topic->name,
                    p->index, (long long)high_watermark, (long long)found.n);
    world_event(w, "%s-%d holds %lld to %lld, known were %lld", p->topic->name, p->index,
                (long long)start, (long long)found.n, (long long)p->n);
    model_settle(p, found.ids, start, found.n, lossy);
    free(found.ids);
}

static void verify_group(struct world *w, struct group_model *g, struct arena *arena)
{
    struct offset_fetch_request rq;
    struct offset_fetch_request_topics t;
    int32_t indexes[PARTITIONS_MAX];
    const struct offset_fetch_response *rsp;
    int64_t acked[PARTITIONS_MAX];

    offset_fetch_request_init(&rq);
    offset_fetch_request_topics_init(&t);
    for (int i = 0; i < PARTITIONS_MAX; i++)
        indexes[i] = i;
    memcpy(acked, g->acked, sizeof(acked));
    rq.group_id = str_of(g->name);
    rq.topics = &t;
    rq.n_topics = 1;
    t.name = str_of(g->topic->name);
    t.partition_indexes = indexes;
    t.n_partition_indexes = g->topic->n_parts;
    rsp = world_ask(w, API_OFFSET_FETCH, 7, &rq, arena);
    if (!rsp || rsp->error_code != KE_NONE)
        world_wrong(w, "the offsets of %s cannot be fetched after a start", g->name);
    for (int i = 0; i < rsp->topics[0].n_partitions; i++) {
        int p = rsp->topics[0].partitions[i].partition_index;

        group_model_fetched(w, g, p, acked[p], rsp->topics[0].partitions[i].committed_offset);
    }
}

void verify_all(struct world *w, bool lossy)
{
    struct arena arena;

    arena_init(&arena);
    verify_topics(w, &arena);
    for (int i = 0; i < w->n_topics; i++)
        for (int p = 0; p < w->topics[i].n_parts && w->topics[i].state == TOPIC_THERE; p++)
            verify_part(w, &w->topics[i].parts[p], lossy);
    for (int i = 0; i < w->n_groups && w->topics[0].state == TOPIC_THERE; i++)
        verify_group(w, &w->groups[i], &arena);
    arena_release(&arena);
    cgroups_verify(w);
    txns_verify(w, lossy);
}
