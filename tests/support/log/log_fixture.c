/* The fixture of the log's tests: see log_fixture.h. */
#include "log_fixture.h"

void fixture_init(struct fixture *fx, const char *const *overrides)
{
    memset(fx, 0, sizeof(*fx));
    thread_mark(THREAD_CORE);
    fx->clock = clock_sim_new((struct wall){FIXTURE_START_MS});
    fx->env.clock = fx->clock;
    fx->env.vfs = vfs_mem_new(fx->clock);
    fx->env.lanes = lanes_sim_new();
    rng_init(&fx->env.rng, 7);
    timers_init(&fx->env.timers);
    config_init(&fx->config);
    assert_int_equal(config_override(&fx->config, "log.dirs=" FIXTURE_DIR, &fx->msg), 0);
    for (int i = 0; overrides && overrides[i]; i++)
        assert_int_equal(config_override(&fx->config, overrides[i], &fx->msg), 0);
    assert_int_equal(config_finish(&fx->config, true, &fx->msg), 0);
    assert_int_equal(topic_config_init(&fx->topic, &fx->config, NULL, 0, &fx->msg), 0);
}

void fixture_release(struct fixture *fx)
{
    if (fx->m)
        fixture_kill(fx);
    topic_config_release(&fx->topic);
    config_release(&fx->config);
    timers_release(&fx->env.timers);
    lanes_sim_free(fx->env.lanes);
    assert_int_equal(vfs_mem_open_files(fx->env.vfs), 0);
    vfs_mem_free(fx->env.vfs);
    clock_sim_free(fx->clock);
}

void fixture_topic(struct fixture *fx, const char *const *pairs)
{
    struct config_pair parsed[16];
    int n = 0;

    for (; pairs[n]; n++) {
        const char *equals = strchr(pairs[n], '=');

        assert_true(n < 16);
        parsed[n].name = (struct str){pairs[n], (size_t)(equals - pairs[n])};
        parsed[n].value = str_of(equals + 1);
    }
    topic_config_release(&fx->topic);
    assert_int_equal(topic_config_init(&fx->topic, &fx->config, parsed, n, &fx->msg), 0);
}

int fixture_open_manager(struct fixture *fx)
{
    struct logm_options options = {.config = &fx->config};

    return logm_open(&fx->env, &options, &fx->m, &fx->msg);
}

int fixture_open_log(struct fixture *fx)
{
    struct uuid id = {{1, 2, 3}};

    return log_open(fx->m, "t", 0, id, &fx->topic, 0, -1, &fx->log, &fx->msg);
}

void fixture_open(struct fixture *fx)
{
    assert_int_equal(fixture_open_manager(fx), 0);
    assert_int_equal(fixture_open_log(fx), 0);
}

void fixture_settle(struct fixture *fx)
{
    do
        logm_turn(fx->m);
    while (lanes_sim_step(fx->env.lanes));
}

void fixture_stop(struct fixture *fx)
{
    logm_flush_all(fx->m);
    for (int i = 0; i < 100 && !logm_quiet(fx->m); i++)
        fixture_settle(fx);
    assert_true(logm_quiet(fx->m));
    logm_close(fx->m, true);
    fx->m = NULL;
    fx->log = NULL;
}

void fixture_kill(struct fixture *fx)
{
    while (lanes_sim_step(fx->env.lanes))
        ;
    logm_close(fx->m, false);
    fx->m = NULL;
    fx->log = NULL;
}

void fixture_advance_ms(struct fixture *fx, int64_t ms)
{
    clock_sim_advance(fx->clock, ms * 1000000);
    timers_fire(&fx->env.timers, clock_mono(fx->clock));
}

struct chunk *fixture_batch(struct fixture *fx, struct test_batch tb, size_t *n_bytes)
{
    struct batch_options options = BATCH_OPTIONS_NONE;
    struct batch_builder bb;
    struct chunk *c;
    struct buf out;
    char *value = xcalloc(1, (size_t)(tb.value_bytes ? tb.value_bytes : 10));
    int64_t timestamp_ms = tb.timestamp_ms ? tb.timestamp_ms : clock_wall(fx->clock).ms;
    uint8_t key[4], epoch[MARKER_VALUE_BYTES];

    options.attributes = tb.attributes;
    options.base_offset = tb.base_offset;
    options.leader_epoch = tb.leader_epoch;
    if (tb.producer_id) {
        options.producer_id = tb.producer_id;
        options.producer_epoch = tb.producer_epoch;
        options.base_sequence = tb.sequence;
    }
    if (tb.is_marker) {
        options.attributes = BATCH_TRANSACTIONAL | BATCH_CONTROL;
        options.base_sequence = NO_SEQUENCE;
        control_key_put(key, tb.commits ? CONTROL_COMMIT : CONTROL_ABORT);
        marker_value_put(epoch, tb.coordinator_epoch);
    }
    buf_init(&out);
    batch_begin(&bb, &out, options);
    if (tb.is_marker)
        batch_add(&bb, timestamp_ms, bytes_of(key, sizeof(key)), bytes_of(epoch, sizeof(epoch)), NULL, 0);
    for (int i = 0; !tb.is_marker && i < (tb.n_records ? tb.n_records : 1); i++)
        batch_add(&bb, timestamp_ms + i, tb.no_keys ? (struct bytes){0} : bytes_of("k", 1),
                  bytes_of(value, (size_t)(tb.value_bytes ? tb.value_bytes : 10)), NULL, 0);
    assert_int_equal(batch_end(&bb), 0);
    c = chunk_new(out.n);
    memcpy(c->data, out.p, out.n);
    *n_bytes = out.n;
    buf_release(&out);
    free(value);
    return c;
}

int fixture_append_as(struct fixture *fx, enum log_origin origin, struct test_batch tb,
                      struct log_append *a)
{
    int rc;

    memset(a, 0, sizeof(*a));
    a->chunk = fixture_batch(fx, tb, &a->n_bytes);
    a->p = a->chunk->data;
    a->origin = origin;
    a->verified = tb.verified;
    a->transaction_version = tb.transaction_version;
    rc = log_append(fx->log, a);
    chunk_unref(a->chunk);
    a->chunk = NULL;
    a->p = NULL;
    return rc;
}

int64_t fixture_append(struct fixture *fx, struct test_batch tb)
{
    struct log_append a;

    assert_int_equal(fixture_append_as(fx, LOG_FROM_CLIENT, tb, &a), 0);
    if (a.error)
        fail_msg("append: %s: %s", kafka_error_name(a.error), a.reason.text);
    return a.base_offset;
}

int16_t fixture_append_error(struct fixture *fx, struct test_batch tb)
{
    struct log_append a;

    assert_int_equal(fixture_append_as(fx, LOG_FROM_CLIENT, tb, &a), 0);
    return a.error;
}

int64_t fixture_count_records(struct fixture *fx)
{
    int64_t offset = log_start_offset(fx->log), n = 0;
    struct buf bytes;

    buf_init(&bytes);
    while (offset < log_end_offset(fx->log)) {
        struct log_read r;
        struct batch b;

        assert_int_equal(log_read_to_end(fx->log, offset, 1, &r), 0);
        assert_int_equal(r.error, KE_NONE);
        assert_non_null(r.file);
        bytes.n = 0;
        assert_int_equal(
            file_pread_full(r.file, buf_grow(&bytes, r.n_bytes), r.n_bytes, r.position), 0);
        assert_int_equal(batch_check(bytes.p, r.n_bytes, &b), 0);
        assert_true(b.base_offset <= offset && offset <= batch_last_offset(&b));
        n += b.record_count;
        offset = batch_last_offset(&b) + 1;
    }
    buf_release(&bytes);
    return n;
}

const char *fixture_path(struct fixture *fx, int64_t offset, const char *suffix)
{
    static char paths[4][256];
    static int next;
    char *out = paths[next++ % 4];

    (void)snprintf(out, sizeof(paths[0]), FIXTURE_DIR "/t-0/%020lld%s", (long long)offset, suffix);
    return out;
}

bool fixture_exists(struct fixture *fx, const char *path)
{
    struct vfs_stat st;

    return vfs_stat(fx->env.vfs, path, &st) == 0;
}

void fixture_read_file(struct fixture *fx, const char *path, struct buf *out)
{
    buf_init(out);
    assert_int_equal(vfs_read_all(fx->env.vfs, path, 64 * 1024 * 1024, out), 0);
}

void fixture_write_file(struct fixture *fx, const char *path, const void *p, size_t n)
{
    struct file *f;

    assert_int_equal(vfs_open(fx->env.vfs, path, VFS_WRITE | VFS_CREATE | VFS_TRUNCATE, &f), 0);
    assert_int_equal(file_pwrite(f, p, n, 0), 0);
    file_unref(f);
}

void fixture_flip(struct fixture *fx, const char *path, uint64_t at)
{
    struct file *f;
    uint8_t byte;

    assert_int_equal(vfs_open(fx->env.vfs, path, VFS_WRITE, &f), 0);
    assert_int_equal(file_pread_full(f, &byte, 1, at), 0);
    byte ^= 0x40;
    assert_int_equal(file_pwrite(f, &byte, 1, at), 0);
    file_unref(f);
}

void fixture_truncate(struct fixture *fx, const char *path, uint64_t size)
{
    struct file *f;

    assert_int_equal(vfs_open(fx->env.vfs, path, VFS_WRITE, &f), 0);
    assert_int_equal(file_truncate(f, size), 0);
    file_unref(f);
}

uint64_t fixture_file_bytes(struct fixture *fx, const char *path)
{
    struct vfs_stat st;

    assert_int_equal(vfs_stat(fx->env.vfs, path, &st), 0);
    return st.size_bytes;
}
