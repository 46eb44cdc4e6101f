/* A whole broker in one test process; see box.h. */
#include "box.h"

#include "metrics.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define TURNS_MAX 200
#define START_MS  1750000000000

static void transport_close(void *carrier, uint64_t frame, const char *why)
{
    struct box_conn *c = carrier;

    c->closed = true;
    free(c->why);
    c->why = why ? xstrdup(why) : NULL;
}

static void transport_reply(void *carrier, uint64_t frame, struct out *out, int64_t mute_ms)
{
    struct box_conn *c = carrier;
    struct box_reply *r;
    int rc = 0;

    if (c->box->deaf && c->box->deaf(c->box)) {
        out_release(out);
        return;
    }
    r = xcalloc(1, sizeof(*r));
    r->frame = frame;
    buf_init(&r->bytes);
    if (out->total_bytes)
        rc = out_read(out, buf_grow(&r->bytes, out->total_bytes));
    out_release(out);
    if (rc < 0) { /* as net does when sendfile fails */
        assert_true(c->box->tolerant);
        transport_close(c, frame, "the reply could not be read");
        buf_release(&r->bytes);
        free(r);
        return;
    }
    list_push(&c->replies, &r->link);
}

static void set_blocking(struct box *b, bool on)
{
    if (b->blocking)
        b->blocking(b, on);
}

int box_try_start(struct box *b, struct errmsg *msg)
{
    struct meta_endpoint endpoint = {STR("PLAINTEXT"), STR("localhost"), 9092, 0};
    struct broker_options options = {
        .config = &b->config, .endpoints = &endpoint, .n_endpoints = 1};
    int rc;

    timers_init(&b->env.timers);
    set_blocking(b, true);
    rc = broker_start(&b->env, &options, &b->broker, msg);
    set_blocking(b, false);
    while (rc < 0 && lanes_sim_step(b->env.lanes))
        ;
    if (rc < 0)
        timers_release(&b->env.timers);
    return rc;
}

static void start(struct box *b)
{
    struct errmsg msg = {0};
    int rc = box_try_start(b, &msg);

    if (rc < 0)
        print_error("broker_start: %s\n", msg.text);
    assert_int_equal(rc, 0);
}

/* Everything but the vfs, the clock and the broker. */
static void init(struct box *b)
{
    struct errmsg msg = {0};

    thread_mark(THREAD_CORE);
    *b = (struct box){0};
    arena_init(&b->arena);
    list_init(&b->conns);
    b->metrics = xcalloc(1, sizeof(*b->metrics));
    b->env.lanes = lanes_sim_new();
    b->env.metrics = b->metrics;
    rng_init(&b->env.rng, 1);
    config_init(&b->config);
    assert_int_equal(config_override(&b->config, "log.dirs=/data", &msg), 0);
}

static void override(struct box *b, const char *text)
{
    struct errmsg msg = {0};

    if (config_override(&b->config, text, &msg) < 0)
        fail_msg("%s", msg.text);
}

static void finish(struct box *b)
{
    struct errmsg msg = {0};

    if (config_finish(&b->config, true, &msg) < 0)
        fail_msg("%s", msg.text);
}

void box_init_on(struct box *b, struct vfs *vfs, struct clock *clock, const char *const *overrides)
{
    init(b);
    b->env.vfs = vfs;
    b->env.clock = clock;
    for (; *overrides; overrides++)
        override(b, *overrides);
    finish(b);
}

static void override_all(struct box *b, va_list args)
{
    const char *text;

    while ((text = va_arg(args, const char *)))
        override(b, text);
    finish(b);
}

void box_start_on(struct box *b, struct vfs *vfs, struct clock *clock, ...)
{
    va_list args;

    init(b);
    b->env.vfs = vfs;
    b->env.clock = clock;
    va_start(args, clock);
    override_all(b, args);
    va_end(args);
    start(b);
}

void box_start(struct box *b, ...)
{
    va_list args;

    init(b);
    b->owns_ground = true;
    b->env.clock = clock_sim_new((struct wall){START_MS});
    b->env.vfs = vfs_mem_new(b->env.clock);
    va_start(args, b);
    override_all(b, args);
    va_end(args);
    start(b);
}

void box_turn(struct box *b)
{
    broker_turn(b->broker);
    while (lanes_sim_step(b->env.lanes))
        ;
}

static void settle(struct box *b)
{
    for (int i = 0; i < 8; i++)
        box_turn(b);
}

void box_advance_ms(struct box *b, int64_t ms)
{
    struct mono until = mono_after_ms(clock_mono(b->env.clock), ms), at;

    settle(b);
    while (broker_next_deadline(b->broker, &at) && at.ns <= until.ns) {
        int64_t now = clock_mono(b->env.clock).ns;

        clock_sim_advance(b->env.clock, MAX(at.ns - now, 0));
        settle(b);
    }
    clock_sim_advance(b->env.clock, until.ns - clock_mono(b->env.clock).ns);
    settle(b);
}

bool box_try_stop(struct box *b, bool clean)
{
    if (clean) {
        broker_stop(b->broker);
        api_hurry(b->broker);
        for (int i = 0; i < TURNS_MAX && !broker_stopped(b->broker); i++)
            box_turn(b);
        clean = broker_stopped(b->broker);
    }
    LIST_FOREACH_SAFE(it, &b->conns)
    box_disconnect(CONTAINER_OF(it, struct box_conn, link));
    for (int i = 0; i < TURNS_MAX && api_in_work(b->broker) > 0; i++)
        box_turn(b);
    set_blocking(b, true);
    broker_free(b->broker, clean);
    b->broker = NULL;
    while (lanes_sim_step(b->env.lanes))
        ;
    set_blocking(b, false);
    timers_release(&b->env.timers);
    return clean;
}

static void stop(struct box *b, bool clean)
{
    assert_int_equal(box_try_stop(b, clean), clean);
}

void box_restart(struct box *b, bool clean)
{
    stop(b, clean);
    start(b);
}

void box_release(struct box *b)
{
    ASSERT(!b->broker);
    config_release(&b->config);
    lanes_sim_free(b->env.lanes);
    arena_release(&b->arena);
    free(b->metrics);
}

void box_end(struct box *b)
{
    stop(b, true);
    if (b->owns_ground) {
        assert_int_equal(vfs_mem_open_files(b->env.vfs), 0);
        vfs_mem_free(b->env.vfs);
        clock_sim_free(b->env.clock);
    }
    box_release(b);
}

struct box_conn *box_connect(struct box *b)
{
    static const struct api_transport transport = {transport_reply, transport_close};
    static const struct api_peer peer = {.listener = "PLAINTEXT",
                                         .peer_host = "127.0.0.1",
                                         .peer_port = 40000,
                                         .local_host = "localhost",
                                         .local_port = 9092};
    struct box_conn *c = xcalloc(1, sizeof(*c));

    c->box = b;
    list_init(&c->replies);
    list_push(&b->conns, &c->link);
    c->api = api_opened(b->broker, &transport, c, &peer);
    return c;
}

static void free_reply(struct box_reply *r)
{
    list_remove(&r->link);
    buf_release(&r->bytes);
    free(r);
}

void box_disconnect(struct box_conn *c)
{
    api_closed(c->api);
    LIST_FOREACH_SAFE(it, &c->replies)
    free_reply(CONTAINER_OF(it, struct box_reply, link));
    list_remove(&c->link);
    free(c->why);
    free(c);
}

uint64_t box_send_raw(struct box_conn *c, struct bytes body)
{
    struct chunk *chunk = chunk_new(body.n);

    memcpy(chunk->data, body.p, body.n);
    api_frame(c->api, c->frame_next, chunk, chunk->data, body.n);
    chunk_unref(chunk);
    return c->frame_next++;
}

/* Header v1, or v2 where the request is flexible. */
uint64_t box_send(struct box_conn *c, int16_t key, int16_t version, const void *request)
{
    const struct wire_api *api = wire_api_find(key);
    struct wire_writer w;
    struct buf body;
    uint64_t frame;

    buf_init(&body);
    wire_writer_init(&w, &body);
    wire_put_int16(&w, key);
    wire_put_int16(&w, version);
    wire_put_int32(&w, (int32_t)c->frame_next);
    wire_put_str(&w, STR("box"), false);
    if (version >= api->request.flexible_from)
        wire_put_uvarint(&w, 0);
    api->request.encode(request, &w, version);
    frame = box_send_raw(c, (struct bytes){body.p, body.n});
    wire_writer_release(&w);
    buf_release(&body);
    return frame;
}

static struct box_reply *find_reply(struct box_conn *c, uint64_t frame)
{
    LIST_FOREACH(it, &c->replies)
    {
        struct box_reply *r = CONTAINER_OF(it, struct box_reply, link);

        if (r->frame == frame)
            return r;
    }
    return NULL;
}

static void *decode_reply(struct box *b, const struct box_reply *r, int16_t key, int16_t version)
{
    const struct wire_api *api = wire_api_find(key);
    struct wire_reader reader;
    struct bytes copy;
    void *out;

    assert_true(r->bytes.n >= 8);
    assert_int_equal(get_be32(r->bytes.p), r->bytes.n - 4);
    copy = arena_bytes(&b->arena, (struct bytes){r->bytes.p + 4, r->bytes.n - 4});
    wire_reader_init(&reader, copy, &b->arena);
    assert_int_equal(wire_get_int32(&reader), (int32_t)r->frame);
    if (version >= api->response.flexible_from && key != 18)
        wire_skip_tags(&reader);
    out = arena_alloc(&b->arena, api->response.struct_bytes);
    assert_int_equal(api->response.decode(out, &reader, version), 0);
    assert_ptr_equal(reader.at, reader.end);
    return out;
}

void *box_reply(struct box_conn *c, uint64_t frame, int16_t key, int16_t version)
{
    struct box_reply *r = find_reply(c, frame);

    return r ? decode_reply(c->box, r, key, version) : NULL;
}

void *box_take_reply(struct box_conn *c, uint64_t frame, int16_t key, int16_t version)
{
    struct box_reply *r = find_reply(c, frame);
    void *out = r ? decode_reply(c->box, r, key, version) : NULL;

    if (r)
        free_reply(r);
    return out;
}

void *box_try_call(struct box_conn *c, int16_t key, int16_t version, const void *request)
{
    uint64_t frame = box_send(c, key, version, request);
    void *reply = box_reply(c, frame, key, version);

    for (int i = 0; i < TURNS_MAX && !reply && !c->closed; i++) {
        box_turn(c->box);
        reply = box_reply(c, frame, key, version);
    }
    return reply;
}

void *box_call(struct box_conn *c, int16_t key, int16_t version, const void *request)
{
    void *reply = box_try_call(c, key, version, request);

    if (!reply)
        fail_msg("no reply to API key %d version %d%s%s", key, version,
                 c->closed ? ", closed: " : "", c->closed && c->why ? c->why : "");
    return reply;
}

void box_create_topic(struct box_conn *c, const char *name, int32_t n_partitions,
                      const char *config_name, const char *config_value)
{
    struct create_topics_request rq;
    struct create_topics_request_topics topic;
    struct create_topics_request_topics_configs config;
    struct create_topics_response *rsp;

    create_topics_request_init(&rq);
    create_topics_request_topics_init(&topic);
    create_topics_request_topics_configs_init(&config);
    rq.timeout_ms = 1000;
    rq.topics = &topic;
    rq.n_topics = 1;
    topic.name = str_of(name);
    topic.num_partitions = n_partitions;
    topic.replication_factor = 1;
    config.name = str_of(config_name);
    config.value = str_of(config_value);
    topic.configs = &config;
    topic.n_configs = config_name != NULL;
    rsp = box_call(c, 19, 7, &rq);
    assert_int_equal(rsp->n_topics, 1);
    assert_int_equal(rsp->topics[0].error_code, KE_NONE);
}

struct wire_records box_batch(struct box *b, const char *prefix, int n, int64_t producer_id,
                              int16_t epoch, int32_t sequence)
{
    struct batch_options options = BATCH_OPTIONS_NONE;
    struct batch_builder bb;
    struct buf out;
    struct bytes kept;
    char value[64];

    options.producer_id = producer_id;
    options.producer_epoch = epoch;
    options.base_sequence = sequence;
    buf_init(&out);
    batch_begin(&bb, &out, options);
    for (int i = 0; i < n; i++) {
        int len = snprintf(value, sizeof(value), "%s%d", prefix, i);

        batch_add(&bb, clock_wall(b->env.clock).ms, (struct bytes){NULL, 0},
                  bytes_of(value, (size_t)len), NULL, 0);
    }
    assert_int_equal(batch_end(&bb), 0);
    kept = arena_bytes(&b->arena, (struct bytes){out.p, out.n});
    buf_release(&out);
    return (struct wire_records){.p = kept.p, .n_bytes = kept.n};
}

int16_t box_produce(struct box_conn *c, const char *topic, int32_t partition,
                    struct wire_records records, int16_t acks, int64_t *base_offset)
{
    struct produce_request rq;
    struct produce_request_topic_data td;
    struct produce_request_topic_data_partition_data pd;
    struct produce_response *rsp;

    produce_request_init(&rq);
    produce_request_topic_data_init(&td);
    produce_request_topic_data_partition_data_init(&pd);
    rq.acks = acks;
    rq.timeout_ms = 30000;
    rq.topic_data = &td;
    rq.n_topic_data = 1;
    td.name = str_of(topic);
    td.partition_data = &pd;
    td.n_partition_data = 1;
    pd.index = partition;
    pd.records = records;
    rsp = box_call(c, 0, 9, &rq);
    assert_int_equal(rsp->n_responses, 1);
    assert_int_equal(rsp->responses[0].n_partition_responses, 1);
    if (base_offset)
        *base_offset = rsp->responses[0].partition_responses[0].base_offset;
    return rsp->responses[0].partition_responses[0].error_code;
}

static void append_values(struct buf *out, struct bytes records)
{
    struct record_iter it;
    struct record r;
    struct batch batch;
    struct buf scratch;

    buf_init(&scratch);
    while (records.n >= BATCH_HEADER_BYTES) {
        if (batch_check(records.p, records.n, &batch) < 0)
            break; /* the tail may be cut */
        assert_int_equal(record_iter_init(&it, records.p, &batch, 1 << 20, &scratch), 0);
        while (record_iter_next(&it, &r) == 1) {
            buf_put(out, r.value.p, r.value.n);
            buf_put_str(out, ",");
        }
        records.p += batch.total_bytes;
        records.n -= batch.total_bytes;
    }
    buf_release(&scratch);
}

char *box_fetch(struct box_conn *c, const char *topic, int32_t partition, int64_t offset,
                int16_t *error)
{
    struct fetch_request rq;
    struct fetch_request_topics t;
    struct fetch_request_topics_partitions p;
    struct fetch_response *rsp;
    struct fetch_response_responses_partitions *row;
    struct buf out;
    char *text;

    fetch_request_init(&rq);
    fetch_request_topics_init(&t);
    fetch_request_topics_partitions_init(&p);
    rq.session_epoch = -1;
    rq.max_bytes = 1 << 20;
    rq.topics = &t;
    rq.n_topics = 1;
    t.topic = str_of(topic);
    t.partitions = &p;
    t.n_partitions = 1;
    p.partition = partition;
    p.fetch_offset = offset;
    p.partition_max_bytes = 1 << 20;
    rsp = box_call(c, 1, 12, &rq);
    assert_int_equal(rsp->n_responses, 1);
    row = &rsp->responses[0].partitions[0];
    if (error)
        *error = row->error_code;
    buf_init(&out);
    append_values(&out, (struct bytes){row->records.p, row->records.n_bytes});
    text = (char *)arena_str(&c->box->arena, str_of(buf_cstr(&out))).p;
    buf_release(&out);
    return text;
}
