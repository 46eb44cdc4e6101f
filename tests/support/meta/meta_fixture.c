/* The fixture of meta's tests: see meta_fixture.h. */
#include "meta_fixture.h"

#define LOG_DIR "/data/" METADATA_TOPIC "-0"

static void topic_created(void *arg, struct meta_topic *t)
{
    struct fixture *fx = arg;

    buf_printf(&fx->told, "created %s %d %s\n", t->name, t->n_partitions,
               t->config.durable ? "durable" : "fast");
}

static void partitions_added(void *arg, struct meta_topic *t, int32_t first_new)
{
    struct fixture *fx = arg;

    buf_printf(&fx->told, "grown %s from %d to %d\n", t->name, first_new, t->n_partitions);
}

static void topic_deleted(void *arg, struct meta_topic *t)
{
    struct fixture *fx = arg;

    assert_null(meta_topic(fx->m, str_of(t->name)));
    buf_printf(&fx->told, "deleted %s\n", t->name);
}

static void topic_configured(void *arg, struct meta_topic *t)
{
    struct fixture *fx = arg;

    buf_printf(&fx->told, "configured %s\n", t->name);
}

void fixture_init(struct fixture *fx, const char *const *overrides)
{
    *fx = (struct fixture){.n_dir_ids = 1, .node_id = 1};
    thread_mark(THREAD_CORE);
    fx->env.clock = clock_sim_new((struct wall){1000000});
    fx->env.vfs = vfs_mem_new(fx->env.clock);
    fx->env.lanes = lanes_sim_new();
    rng_init(&fx->env.rng, 5);
    timers_init(&fx->env.timers);
    config_init(&fx->config);
    assert_int_equal(config_override(&fx->config, "log.dirs=/data", &fx->msg), 0);
    for (int i = 0; overrides && overrides[i]; i++)
        assert_int_equal(config_override(&fx->config, overrides[i], &fx->msg), 0);
    assert_int_equal(config_finish(&fx->config, true, &fx->msg), 0);
    for (size_t i = 0; i < ARRAY_SIZE(fx->dir_ids); i++)
        fx->dir_ids[i] = (struct uuid){{7, (uint8_t)i}};
    buf_init(&fx->told);
}

void fixture_release(struct fixture *fx)
{
    if (fx->logm)
        fixture_close(fx, false);
    buf_release(&fx->told);
    config_release(&fx->config);
    timers_release(&fx->env.timers);
    lanes_sim_free(fx->env.lanes);
    assert_int_equal(vfs_mem_open_files(fx->env.vfs), 0);
    vfs_mem_free(fx->env.vfs);
    clock_sim_free(fx->env.clock);
}

void fixture_open_log(struct fixture *fx)
{
    static const struct config_pair own[] = {{STR("cleanup.policy"), STR("delete")},
                                             {STR("max.message.bytes"), STR("10000000")}};
    struct logm_options lo = {.config = &fx->config};
    struct uuid id = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
    struct topic_config tc;

    assert_int_equal(logm_open(&fx->env, &lo, &fx->logm, &fx->msg), 0);
    assert_int_equal(topic_config_init(&tc, &fx->config, own, 2, &fx->msg), 0);
    assert_int_equal(log_open(fx->logm, METADATA_TOPIC, 0, id, &tc, 1, 0, &fx->log, &fx->msg), 0);
    topic_config_release(&tc);
}

int fixture_open_meta(struct fixture *fx)
{
    struct meta_endpoint ep = {STR("PLAINTEXT"), STR("localhost"), 9092, 0};
    struct meta_options o = {
        .config = &fx->config,
        .log = fx->log,
        .dir_path = fx->look_for_snapshot ? LOG_DIR : NULL,
        .node_id = fx->node_id,
        .dir_ids = fx->dir_ids,
        .n_dir_ids = fx->n_dir_ids,
        .endpoints = &ep,
        .n_endpoints = 1,
        .observer = {.topic_created = topic_created,
                     .partitions_added = partitions_added,
                     .topic_deleted = topic_deleted,
                     .topic_configured = topic_configured,
                     .arg = fx}};
    int rc = meta_open(&fx->env, &o, &fx->m, &fx->msg);

    if (rc < 0)
        fx->m = NULL;
    return rc;
}

void fixture_open(struct fixture *fx)
{
    fixture_open_log(fx);
    if (fixture_open_meta(fx) < 0)
        fail_msg("%s", fx->msg.text);
}

void fixture_settle(struct fixture *fx)
{
    do
        logm_turn(fx->logm);
    while (lanes_sim_step(fx->env.lanes));
}

void fixture_close(struct fixture *fx, bool clean)
{
    meta_close(fx->m);
    fx->m = NULL;
    if (clean) {
        logm_flush_all(fx->logm);
        for (int i = 0; i < 100 && !logm_quiet(fx->logm); i++)
            fixture_settle(fx);
        assert_true(logm_quiet(fx->logm));
    }
    while (lanes_sim_step(fx->env.lanes))
        ;
    logm_close(fx->logm, clean);
    fx->logm = NULL;
}

const char *fixture_told(struct fixture *fx)
{
    const char *text = buf_cstr(&fx->told);

    fx->told.n = 0;
    return text;
}

struct meta_topic *fixture_create(struct fixture *fx, struct meta_new_topic nt)
{
    struct meta_topic *t = NULL;

    fx->msg.text[0] = 0;
    assert_int_equal(meta_create_topic(fx->m, &nt, &t, &fx->error, &fx->msg), 0);
    return t;
}

struct meta_topic *fixture_topic(struct fixture *fx, const char *name, int32_t n)
{
    struct meta_topic *t = fixture_create(
        fx,
        (struct meta_new_topic){.name = str_of(name), .n_partitions = n, .replication_factor = -1});

    if (!t)
        fail_msg("%s", fx->msg.text);
    return t;
}

static void dump_value(struct bytes value, struct buf *out)
{
    struct arena arena;
    struct wire_reader r;
    uint32_t frame, type, version;

    arena_init(&arena);
    wire_reader_init(&r, value, &arena);
    frame = wire_get_uvarint(&r);
    type = wire_get_uvarint(&r);
    version = wire_get_uvarint(&r);
    assert_int_equal(frame, 1);
    for (int i = 0; i < wire_n_record_schemas; i++) {
        const struct wire_record_schema *s = &wire_record_schemas[i];
        void *record;

        if (strcmp(s->family, "metadata") != 0 || s->type != (int16_t)type)
            continue;
        record = arena_alloc(&arena, s->info.struct_bytes);
        assert_int_equal(s->info.decode(record, &r, (int16_t)version), 0);
        assert_ptr_equal(r.at, r.end);
        buf_printf(out, "%s v%u ", s->info.name, version);
        s->info.dump(record, out, (int16_t)version);
        buf_printf(out, "\n");
    }
    arena_release(&arena);
}

static void dump_batch(const uint8_t *p, const struct batch *b, struct buf *out)
{
    struct record_iter it;
    struct record r;
    struct buf scratch;

    buf_init(&scratch);
    assert_int_equal(record_iter_init(&it, p, b, 1 << 20, &scratch), 0);
    while (record_iter_next(&it, &r) == 1) {
        if (b->attributes & BATCH_CONTROL)
            buf_printf(out, "control of %zu bytes, epoch %d\n", r.value.n, b->leader_epoch);
        else
            dump_value(r.value, out);
    }
    buf_printf(out, "-\n");
    buf_release(&scratch);
}

void fixture_dump(struct fixture *fx, struct buf *out)
{
    struct log_read got;
    struct buf bytes;

    assert_int_equal(log_read_to_end(fx->log, 0, 16 << 20, &got), 0);
    buf_init(&bytes);
    assert_int_equal(
        file_pread_full(got.file, buf_grow(&bytes, got.n_bytes), got.n_bytes, got.position), 0);
    for (size_t at = 0; at < bytes.n;) {
        struct batch b;

        assert_int_equal(batch_check(bytes.p + at, bytes.n - at, &b), 0);
        dump_batch(bytes.p + at, &b, out);
        at += b.total_bytes;
    }
    buf_release(&bytes);
}

void fixture_put_golden(struct fixture *fx, const char *golden, const char *name)
{
    struct logm_options lo = {.config = &fx->config};
    struct vfs *disk = vfs_posix_new();
    char *from = xasprintf("tests/golden/meta/%s", golden), *to = xasprintf(LOG_DIR "/%s", name);
    struct buf b;

    /* Once empty, for meta.properties. */
    assert_int_equal(logm_open(&fx->env, &lo, &fx->logm, &fx->msg), 0);
    fixture_close(fx, true);
    buf_init(&b);
    assert_int_equal(vfs_read_all(disk, from, 1 << 20, &b), 0);
    assert_int_equal(vfs_mkdirs(fx->env.vfs, LOG_DIR, &fx->msg), 0);
    assert_int_equal(vfs_replace(fx->env.vfs, to, b.p, b.n), 0);
    buf_release(&b);
    free(from);
    free(to);
    vfs_posix_free(disk);
}

void fixture_append_value(struct fixture *fx, struct bytes value)
{
    struct batch_options options = BATCH_OPTIONS_NONE;
    struct log_append a = {.origin = LOG_FROM_RAFT};
    struct batch_builder bb;
    struct buf out;

    options.base_offset = log_end_offset(fx->log);
    options.leader_epoch = 1;
    buf_init(&out);
    batch_begin(&bb, &out, options);
    batch_add(&bb, 1, (struct bytes){0}, value, NULL, 0);
    assert_int_equal(batch_end(&bb), 0);
    a.chunk = chunk_new(out.n);
    memcpy(a.chunk->data, out.p, out.n);
    a.p = a.chunk->data;
    a.n_bytes = out.n;
    assert_int_equal(log_append(fx->log, &a), 0);
    assert_int_equal(a.error, KE_NONE);
    chunk_unref(a.chunk);
    buf_release(&out);
}

void fixture_append_record(struct fixture *fx, const char *schema_name, int16_t version,
                           const void *record)
{
    const struct wire_record_schema *s = NULL;
    struct wire_writer w;
    struct buf value;

    for (int i = 0; i < wire_n_record_schemas; i++)
        if (!strcmp(wire_record_schemas[i].info.name, schema_name))
            s = &wire_record_schemas[i];
    assert_non_null(s);
    buf_init(&value);
    wire_writer_init(&w, &value);
    wire_put_uvarint(&w, 1);
    wire_put_uvarint(&w, (uint32_t)s->type);
    wire_put_uvarint(&w, (uint32_t)version);
    s->info.encode(record, &w, version);
    wire_writer_release(&w);
    fixture_append_value(fx, bytes_of(value.p, value.n));
    buf_release(&value);
}
