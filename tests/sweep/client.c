/* A client that takes every answer.
 *
 * Owner: struct client borrows the box and the ledger; its connection is the box's.
 *
 *     sent -> answered: acked | refused (nothing of it is there) | "maybe" -> unknown
 *          -> closed, or the disk is down: unknown
 *          -> not answered within a virtual minute: a violation
 */
#include "client.h"

#include "record.h"
#include "report.h"

#define API_PRODUCE           0
#define API_FETCH             1
#define API_LIST_OFFSETS      2
#define API_METADATA          3
#define API_OFFSET_COMMIT     8
#define API_OFFSET_FETCH      9
#define API_CREATE_TOPICS     19
#define API_DELETE_TOPICS     20
#define API_INIT_PRODUCER_ID  22
#define PRODUCE_VERSION       9
#define FETCH_VERSION         12
#define OFFSET_COMMIT_VERSION 8
#define OFFSET_FETCH_VERSION  7
#define RECORD_PADDING        "................................................................"
#define FETCH_BYTES           4096
#define GROUP                 "group"

bool client_gone(const struct client *c)
{
    return c->box->broker->failed || (c->box->deaf && c->box->deaf(c->box));
}

static struct box_conn *connection(struct client *c)
{
    if (c->conn && c->conn->closed) {
        box_disconnect(c->conn);
        c->conn = NULL;
    }
    if (!c->conn)
        c->conn = box_connect(c->box);
    return c->conn;
}

/* Waits for the reply of a frame: some turns, then a virtual minute. NULL: there is none. */
static void *await(struct client *c, struct box_conn *conn, uint64_t frame, int16_t key,
                   int16_t version)
{
    void *reply = box_reply(conn, frame, key, version);

    for (int i = 0; i < 30 && !reply && !conn->closed && !client_gone(c); i++) {
        box_turn(c->box);
        reply = box_reply(conn, frame, key, version);
    }
    for (int i = 0; i < 12 && !reply && !conn->closed && !client_gone(c); i++) {
        box_advance_ms(c->box, 5000);
        reply = box_reply(conn, frame, key, version);
    }
    if (!reply && !conn->closed && !client_gone(c))
        violation("API key %d was not answered within a minute", key);
    if (!reply && c->must_work)
        violation("API key %d: %s", key,
                  conn->closed ? conn->why ? conn->why : "closed" : "no answer");
    return reply;
}

void *client_call(struct client *c, int16_t key, int16_t version, const void *request)
{
    struct box_conn *conn = connection(c);

    return await(c, conn, box_send(conn, key, version, request), key, version);
}

/* What an error says, and whether it may be said at all. */
static enum fate fate_of(const struct client *c, const char *what, int16_t error)
{
    if (error == KE_NONE)
        return FATE_ACKED;
    if (c->must_work)
        violation("%s: %s", what, kafka_error_name(error));
    switch (error) {
    case KE_KAFKA_STORAGE_ERROR:
    case KE_UNKNOWN_TOPIC_OR_PARTITION:
    case KE_NOT_LEADER_OR_FOLLOWER:
    case KE_LEADER_NOT_AVAILABLE:
    case KE_COORDINATOR_NOT_AVAILABLE:
    case KE_COORDINATOR_LOAD_IN_PROGRESS:
    case KE_NOT_COORDINATOR:
        return FATE_REFUSED;
    case KE_REQUEST_TIMED_OUT:
    case KE_NOT_ENOUGH_REPLICAS_AFTER_APPEND:
        return FATE_UNKNOWN;
    default:
        violation("%s: %s is no answer to a disk that fails", what, kafka_error_name(error));
        return FATE_UNKNOWN;
    }
}

/* ---- topics --------------------------------------------------------------------------------- */

void client_create_topic(struct client *c, enum topic topic)
{
    struct create_topics_request rq;
    struct create_topics_request_topics row;
    struct create_topics_request_topics_configs own[3];
    struct create_topics_response *rsp;
    int16_t error;

    create_topics_request_init(&rq);
    create_topics_request_topics_init(&row);
    for (size_t i = 0; i < ARRAY_SIZE(own); i++)
        create_topics_request_topics_configs_init(&own[i]);
    rq.timeout_ms = 30000;
    rq.topics = &row;
    rq.n_topics = 1;
    row.name = str_of(topic_names[topic]);
    row.num_partitions = topic_partitions[topic];
    row.replication_factor = 1;
    row.configs = own;
    row.n_configs = 1;
    own[0].name = STR("internal.segment.bytes");
    own[0].value = STR("900");
    if (topic == TOPIC_LOOSE) {
        own[0].name = STR("flush.messages");
        own[0].value = STR("9223372036854775807");
    } else if (topic == TOPIC_KEYS) {
        own[row.n_configs].name = STR("cleanup.policy");
        own[row.n_configs++].value = STR("compact");
        own[row.n_configs].name = STR("min.cleanable.dirty.ratio");
        own[row.n_configs++].value = STR("0.01");
    } else if (topic == TOPIC_OLD) {
        own[row.n_configs].name = STR("retention.bytes");
        own[row.n_configs++].value = STR("1000");
    }
    if (c->ledger->topics[topic] == TOPIC_THERE)
        return;
    c->ledger->topics[topic] = TOPIC_MAYBE_THERE;
    rsp = client_call(c, API_CREATE_TOPICS, 7, &rq);
    if (!rsp)
        return;
    error = rsp->topics[0].error_code;
    if (error == KE_TOPIC_ALREADY_EXISTS || fate_of(c, "CreateTopics", error) == FATE_ACKED)
        c->ledger->topics[topic] = TOPIC_THERE;
}

void client_delete_topic(struct client *c, enum topic topic)
{
    struct delete_topics_request rq;
    struct delete_topics_request_topics row;
    struct delete_topics_response *rsp;

    if (c->ledger->topics[topic] == TOPIC_ABSENT || c->ledger->topics[topic] == TOPIC_REMOVED)
        return;
    delete_topics_request_init(&rq);
    delete_topics_request_topics_init(&row);
    rq.topics = &row;
    rq.n_topics = 1;
    rq.timeout_ms = 30000;
    row.name = str_of(topic_names[topic]);
    c->ledger->topics[topic] = TOPIC_MAYBE_REMOVED;
    rsp = client_call(c, API_DELETE_TOPICS, 6, &rq);
    if (rsp && (rsp->responses[0].error_code == KE_UNKNOWN_TOPIC_OR_PARTITION ||
                fate_of(c, "DeleteTopics", rsp->responses[0].error_code) == FATE_ACKED))
        c->ledger->topics[topic] = TOPIC_REMOVED;
}

static const struct metadata_response_topics *find_row(const struct metadata_response *rsp,
                                                       enum topic topic)
{
    for (int32_t i = 0; i < rsp->n_topics; i++)
        if (rsp->topics[i].error_code == KE_NONE && str_is(rsp->topics[i].name, topic_names[topic]))
            return &rsp->topics[i];
    return NULL;
}

static void verify_topics(struct client *c)
{
    struct metadata_request rq;
    const struct metadata_response *rsp;

    metadata_request_init(&rq);
    rq.n_topics = -1; /* null: all */
    rsp = client_call(c, API_METADATA, 12, &rq);
    for (int t = 0; t < TOPICS && rsp; t++) {
        const struct metadata_response_topics *row = find_row(rsp, (enum topic)t);
        enum topic_state state = c->ledger->topics[t];

        if (!row && state == TOPIC_THERE)
            violation("topic %s was created and is not there", topic_names[t]);
        if (row && (state == TOPIC_REMOVED || state == TOPIC_ABSENT))
            violation("topic %s %s and is there", topic_names[t],
                      state == TOPIC_REMOVED ? "was deleted" : "was never asked for");
        if (row && row->n_partitions != topic_partitions[t])
            violation("topic %s has %d partitions", topic_names[t], row->n_partitions);
        if (state == TOPIC_MAYBE_THERE || state == TOPIC_MAYBE_REMOVED)
            c->ledger->topics[t] = row                          ? TOPIC_THERE
                                   : state == TOPIC_MAYBE_THERE ? TOPIC_ABSENT
                                                                : TOPIC_REMOVED;
    }
}

/* ---- producing ------------------------------------------------------------------------------ */

void client_producer_id(struct client *c)
{
    struct init_producer_id_request rq;
    const struct init_producer_id_response *rsp;

    if (c->ledger->producer_id >= 0)
        return;
    init_producer_id_request_init(&rq);
    rq.transactional_id = (struct str){NULL, 0};
    rsp = client_call(c, API_INIT_PRODUCER_ID, 4, &rq);
    if (rsp && fate_of(c, "InitProducerId", rsp->error_code) == FATE_ACKED)
        c->ledger->producer_id = rsp->producer_id;
}

/* A compacted topic's tombstone has its number in a header. */
static void add_record(struct batch_builder *bb, const struct client *c, enum topic topic, int number)
{
    char value[160], key[16];
    int n = snprintf(value, sizeof(value), "%d " RECORD_PADDING, number);
    int n_key = snprintf(key, sizeof(key), "key%d", ledger_key(number));
    int64_t now_ms = clock_wall(c->box->env.clock).ms;
    struct record_header header = {STR("number"), bytes_of(value, (size_t)n)};

    if (topic != TOPIC_KEYS)
        batch_add(bb, now_ms, (struct bytes){NULL, 0}, header.value, NULL, 0);
    else if (ledger_is_tombstone(number))
        batch_add(bb, now_ms, bytes_of(key, (size_t)n_key), (struct bytes){NULL, 0}, &header, 1);
    else
        batch_add(bb, now_ms, bytes_of(key, (size_t)n_key), header.value, NULL, 0);
}

static struct wire_records batch_of(const struct client *c, const struct sent *s)
{
    struct batch_options options = BATCH_OPTIONS_NONE;
    struct batch_builder bb;
    struct buf out;
    struct bytes kept;

    if (s->sequence >= 0) {
        options.producer_id = c->ledger->producer_id;
        options.producer_epoch = 0;
        options.base_sequence = s->sequence;
    }
    buf_init(&out);
    batch_begin(&bb, &out, options);
    for (int i = 0; i < s->n; i++)
        add_record(&bb, c, s->topic, s->first + i);
    ASSERT(batch_end(&bb) == 0);
    kept = arena_bytes(&c->box->arena, (struct bytes){out.p, out.n});
    buf_release(&out);
    return (struct wire_records){.p = kept.p, .n_bytes = kept.n};
}

static uint64_t send_batch(struct client *c, struct box_conn *conn, const struct sent *s)
{
    struct produce_request rq;
    struct produce_request_topic_data topic;
    struct produce_request_topic_data_partition_data partition;

    produce_request_init(&rq);
    produce_request_topic_data_init(&topic);
    produce_request_topic_data_partition_data_init(&partition);
    rq.acks = (int16_t)s->acks;
    rq.timeout_ms = 30000;
    rq.topic_data = &topic;
    rq.n_topic_data = 1;
    topic.name = str_of(topic_names[s->topic]);
    topic.partition_data = &partition;
    topic.n_partition_data = 1;
    partition.index = s->partition;
    partition.records = batch_of(c, s);
    return box_send(conn, API_PRODUCE, PRODUCE_VERSION, &rq);
}

static void take_answer(struct client *c, struct sent *s, const struct produce_response *rsp)
{
    const struct produce_response_responses_partition_responses *row;
    enum fate fate;

    if (!rsp)
        return;
    row = &rsp->responses[0].partition_responses[0];
    fate = fate_of(c, "Produce", row->error_code);
    if (s->fate == FATE_ACKED && fate == FATE_ACKED && s->base_offset != row->base_offset)
        violation("Produce again: offset %lld, first it was %lld", (long long)row->base_offset,
                  (long long)s->base_offset);
    if (s->fate == FATE_ACKED)
        return;
    s->fate = fate;
    if (fate == FATE_ACKED)
        s->base_offset = row->base_offset;
}

static void send_and_wait(struct client *c, struct sent *s)
{
    struct box_conn *conn = connection(c);

    take_answer(c, s, await(c, conn, send_batch(c, conn, s), API_PRODUCE, PRODUCE_VERSION));
}

/* Sends what is unanswered, in order, until something stays so. True: all is answered. */
static bool answer_all(struct client *c)
{
    struct sent *s;

    while ((s = ledger_unanswered(c->ledger))) {
        send_and_wait(c, s);
        if (s->fate != FATE_ACKED)
            return false;
    }
    return true;
}

void client_produce(struct client *c, enum topic topic, int partition, int n, int acks)
{
    struct sent *s;

    if (client_gone(c) || (topic == TOPIC_IDEM && (c->ledger->producer_id < 0 || !answer_all(c))))
        return;
    s = ledger_send(c->ledger, topic, partition, n, acks);
    send_and_wait(c, s);
}

void client_repeat(struct client *c)
{
    struct sent *s = ledger_last_idempotent(c->ledger);

    if (s && answer_all(c))
        send_and_wait(c, s);
}

void client_produce_together(struct client *c)
{
    static const struct {
        enum topic topic;
        int partition, acks;
    } all[] = {
        {TOPIC_PLAIN, 0, -1}, {TOPIC_PLAIN, 1, -1}, {TOPIC_LOOSE, 0, -1},
        {TOPIC_PLAIN, 0, 1},  {TOPIC_PLAIN, 0, -1},
    };
    struct box_conn *conn = connection(c);
    struct sent *sent[ARRAY_SIZE(all)];
    uint64_t frames[ARRAY_SIZE(all)];
    size_t n = 0;

    for (; n < ARRAY_SIZE(all) && !conn->closed && !client_gone(c); n++) {
        sent[n] = ledger_send(c->ledger, all[n].topic, all[n].partition, 2, all[n].acks);
        frames[n] = send_batch(c, conn, sent[n]);
    }
    for (size_t i = 0; i < n; i++)
        take_answer(c, sent[i], await(c, conn, frames[i], API_PRODUCE, PRODUCE_VERSION));
}

/* ---- reading -------------------------------------------------------------------------------- */

static void skip_to(struct view *out, int64_t offset)
{
    ASSERT(offset <= VIEW_MAX);
    while (out->n < offset)
        out->numbers[out->n++] = NUMBER_NONE;
}

/* One number per record; offsets must follow one another, but for what was compacted away. */
static void take_record(struct view *out, const struct record *r, enum topic topic, int partition)
{
    const char *name = topic_names[topic];
    struct record copy = *r;
    struct record_header header;
    struct bytes value = r->value.p || record_header_next(&copy, &header) != 1 ? r->value : header.value;
    int number = -1;

    for (size_t i = 0; i < value.n && value.p[i] >= '0' && value.p[i] <= '9'; i++)
        number = (i ? number * 10 : 0) + (value.p[i] - '0');
    if (topic == TOPIC_KEYS) {
        skip_to(out, r->offset);
        if (ledger_is_tombstone(number) != !r->value.p || r->key.n != 4 || r->key.p[3] != '0' + ledger_key(number))
            violation("%s-%d: record %d has another key, or another value", name, partition, number);
    }
    if (r->offset != out->n)
        violation("%s-%d: offset %lld after %lld", name, partition, (long long)r->offset,
                  (long long)out->n - 1);
    ASSERT(out->n < VIEW_MAX);
    out->numbers[out->n++] = number;
}

/* Whole batches from the offset that is wanted; a cut one at the end is left out. */
static bool take_batches(struct view *out, struct bytes bytes, enum topic topic, int partition)
{
    const char *name = topic_names[topic];
    struct buf scratch;
    struct batch b;
    bool some = false;

    buf_init(&scratch);
    while (bytes.n >= BATCH_HEADER_BYTES && batch_decode(bytes.p, &b) == 0 &&
           b.total_bytes <= bytes.n) {
        struct record_iter it;
        struct record r;

        if (batch_check(bytes.p, bytes.n, &b) < 0)
            violation("%s-%d: a damaged batch was served at offset %lld", name, partition,
                      (long long)out->n);
        else if (record_iter_init(&it, bytes.p, &b, 1 << 20, &scratch) == 0)
            while (record_iter_next(&it, &r) == 1)
                if (r.offset >= out->n)
                    take_record(out, &r, topic, partition);
        if (topic == TOPIC_KEYS)
            skip_to(out, batch_last_offset(&b) + 1);
        some = true;
        bytes.p += b.total_bytes;
        bytes.n -= b.total_bytes;
    }
    buf_release(&scratch);
    return some;
}

static const struct fetch_response_responses_partitions *fetch(struct client *c, enum topic topic,
                                                               int partition, int64_t offset)
{
    struct fetch_request rq;
    struct fetch_request_topics t;
    struct fetch_request_topics_partitions p;
    const struct fetch_response *rsp;

    fetch_request_init(&rq);
    fetch_request_topics_init(&t);
    fetch_request_topics_partitions_init(&p);
    rq.session_epoch = -1;
    rq.max_bytes = FETCH_BYTES;
    rq.topics = &t;
    rq.n_topics = 1;
    t.topic = str_of(topic_names[topic]);
    t.partitions = &p;
    t.n_partitions = 1;
    p.partition = partition;
    p.fetch_offset = offset;
    p.partition_max_bytes = FETCH_BYTES;
    rsp = client_call(c, API_FETCH, FETCH_VERSION, &rq);
    return rsp && rsp->n_responses == 1 ? &rsp->responses[0].partitions[0] : NULL;
}

static bool read_start(struct client *c, enum topic topic, struct view *out)
{
    struct list_offsets_request rq;
    struct list_offsets_request_topics t;
    struct list_offsets_request_topics_partitions p;
    const struct list_offsets_response *rsp;

    list_offsets_request_init(&rq);
    list_offsets_request_topics_init(&t);
    list_offsets_request_topics_partitions_init(&p);
    rq.replica_id = -1;
    rq.topics = &t;
    rq.n_topics = 1;
    t.name = str_of(topic_names[topic]);
    t.partitions = &p;
    t.n_partitions = 1;
    p.timestamp = -2; /* earliest */
    rsp = client_call(c, API_LIST_OFFSETS, 7, &rq);
    if (!rsp || fate_of(c, "ListOffsets", rsp->topics[0].partitions[0].error_code) != FATE_ACKED)
        return false;
    skip_to(out, rsp->topics[0].partitions[0].offset);
    return true;
}

bool client_read(struct client *c, enum topic topic, int partition, struct view *out)
{
    const char *name = topic_names[topic];
    int64_t high_watermark = 0;

    out->n = 0;
    if (topic == TOPIC_OLD && !read_start(c, topic, out))
        return false;
    do {
        const struct fetch_response_responses_partitions *row = fetch(c, topic, partition, out->n);

        if (!row || fate_of(c, "Fetch", row->error_code) != FATE_ACKED)
            return false;
        high_watermark = row->high_watermark;
        if (!take_batches(out, (struct bytes){row->records.p, row->records.n_bytes}, topic,
                          partition))
            break;
    } while (out->n < high_watermark);
    if (out->n != high_watermark)
        violation("%s-%d: high watermark %lld, readable are %lld", name, partition,
                  (long long)high_watermark, (long long)out->n);
    return true;
}

void client_read_all(struct client *c)
{
    for (int t = 0; t < TOPICS; t++) {
        for (int p = 0; p < topic_partitions[t] && c->ledger->topics[t] == TOPIC_THERE; p++) {
            struct view view;

            if (client_gone(c) || !client_read(c, (enum topic)t, p, &view))
                continue;
            /* acks=1 is acknowledged before readers see it; after a fault they may never. */
            ledger_compare(c->ledger, (enum topic)t, p, &view, !c->must_work);
            c->ledger->read[t][p] = view;
        }
    }
}

/* ---- offsets -------------------------------------------------------------------------------- */

void client_commit(struct client *c, int64_t offset)
{
    struct offset_commit_request rq;
    struct offset_commit_request_topics t;
    struct offset_commit_request_topics_partitions p;
    const struct offset_commit_response *rsp;
    int16_t error;

    if (c->ledger->topics[TOPIC_PLAIN] != TOPIC_THERE)
        return;
    offset_commit_request_init(&rq);
    offset_commit_request_topics_init(&t);
    offset_commit_request_topics_partitions_init(&p);
    rq.group_id = STR(GROUP);
    rq.member_id = STR("");
    rq.topics = &t;
    rq.n_topics = 1;
    t.name = str_of(topic_names[TOPIC_PLAIN]);
    t.partitions = &p;
    t.n_partitions = 1;
    p.committed_offset = offset;
    p.committed_metadata = STR("");
    c->ledger->committed_tried = MAX(c->ledger->committed_tried, offset);
    rsp = client_call(c, API_OFFSET_COMMIT, OFFSET_COMMIT_VERSION, &rq);
    if (!rsp)
        return;
    error = rsp->topics[0].partitions[0].error_code;
    if (fate_of(c, "OffsetCommit", error) == FATE_ACKED)
        c->ledger->committed = offset;
}

static void verify_committed(struct client *c)
{
    struct offset_fetch_request rq;
    struct offset_fetch_request_topics t;
    int32_t partition = 0;
    const struct offset_fetch_response *rsp;
    int64_t offset;

    if (c->ledger->topics[TOPIC_PLAIN] != TOPIC_THERE)
        return;
    offset_fetch_request_init(&rq);
    offset_fetch_request_topics_init(&t);
    rq.group_id = STR(GROUP);
    rq.topics = &t;
    rq.n_topics = 1;
    t.name = str_of(topic_names[TOPIC_PLAIN]);
    t.partition_indexes = &partition;
    t.n_partition_indexes = 1;
    rsp = client_call(c, API_OFFSET_FETCH, OFFSET_FETCH_VERSION, &rq);
    if (!rsp || fate_of(c, "OffsetFetch", rsp->error_code) != FATE_ACKED)
        return;
    offset = rsp->topics[0].partitions[0].committed_offset;
    if (offset < c->ledger->committed || offset > c->ledger->committed_tried)
        violation("committed offset %lld: acknowledged is %lld, tried was %lld", (long long)offset,
                  (long long)c->ledger->committed, (long long)c->ledger->committed_tried);
    c->ledger->committed = offset;
}

/* ---- all of it ------------------------------------------------------------------------------ */

void client_verify(struct client *c, bool power_lost)
{
    verify_topics(c);
    for (int t = 0; t < TOPICS; t++) {
        for (int p = 0; p < topic_partitions[t] && c->ledger->topics[t] == TOPIC_THERE; p++) {
            struct view view;

            if (!client_read(c, (enum topic)t, p, &view))
                continue;
            ledger_compare(c->ledger, (enum topic)t, p, &view, power_lost);
            ledger_settle(c->ledger, (enum topic)t, p, &view);
        }
    }
    verify_committed(c);
}
