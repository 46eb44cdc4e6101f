/* The fixture of statelog's tests: see machine.h. */
#include "machine.h"

static void apply(void *arg, const struct statelog_record *r)
{
    struct machine *x = arg;
    struct seen *s;

    if (x->n_seen == x->cap_seen) {
        x->cap_seen = MAX(64, x->cap_seen * 2);
        x->seen = xrealloc_array(x->seen, (size_t)x->cap_seen, sizeof(*x->seen));
    }
    s = &x->seen[x->n_seen++];
    *s = (struct seen){.offset = r->offset,
                       .timestamp_ms = r->timestamp_ms,
                       .key = bytes_dup(r->key),
                       .value = bytes_dup(r->value),
                       .control = r->control,
                       .transactional = r->transactional,
                       .producer_id = r->producer_id,
                       .leader_epoch = r->leader_epoch};
}

static void forget(struct machine *x)
{
    for (int i = 0; i < x->n_seen; i++) {
        free((void *)x->seen[i].key.p);
        free((void *)x->seen[i].value.p);
    }
    free(x->seen);
    x->seen = NULL;
    x->n_seen = x->cap_seen = 0;
}

void machine_init(struct machine *x, enum log_origin origin)
{
    *x = (struct machine){0};
    thread_mark(THREAD_CORE);
    x->env.clock = clock_sim_new((struct wall){1000000});
    x->env.vfs = vfs_mem_new(x->env.clock);
    x->env.lanes = lanes_sim_new();
    rng_init(&x->env.rng, 5);
    timers_init(&x->env.timers);
    config_init(&x->config);
    assert_int_equal(config_override(&x->config, "log.dirs=/data", &x->msg), 0);
    assert_int_equal(config_finish(&x->config, true, &x->msg), 0);
    x->options = (struct statelog_options){
        .apply = apply, .machine = x, .origin = origin, .leader_epoch = 3};
}

void machine_open_log(struct machine *x)
{
    struct logm_options lo = {.config = &x->config};
    struct config_pair own = {STR("cleanup.policy"), STR("compact")};
    struct uuid id = {{9, 9}};
    struct topic_config tc;

    if (x->topic_setting) {
        const char *equals = strchr(x->topic_setting, '=');

        own.name = (struct str){x->topic_setting, (size_t)(equals - x->topic_setting)};
        own.value = str_of(equals + 1);
    }
    assert_int_equal(logm_open(&x->env, &lo, &x->m, &x->msg), 0);
    assert_int_equal(topic_config_init(&tc, &x->config, &own, 1, &x->msg), 0);
    assert_int_equal(log_open(x->m, "state", 0, id, &tc, 3, -1, &x->log, &x->msg), 0);
    topic_config_release(&tc);
    x->options.log = x->log;
}

int machine_open(struct machine *x)
{
    int rc;

    forget(x);
    machine_open_log(x);
    rc = statelog_open(&x->env, &x->options, &x->s, &x->msg);
    if (rc < 0)
        x->s = NULL;
    return rc;
}

void machine_settle(struct machine *x)
{
    do
        logm_turn(x->m);
    while (lanes_sim_step(x->env.lanes));
}

void machine_close(struct machine *x, bool clean)
{
    statelog_close(x->s);
    x->s = NULL;
    if (clean) {
        logm_flush_all(x->m);
        for (int i = 0; i < 100 && !logm_quiet(x->m); i++)
            machine_settle(x);
        assert_true(logm_quiet(x->m));
    }
    while (lanes_sim_step(x->env.lanes))
        ;
    logm_close(x->m, clean);
    x->m = NULL;
}

void machine_release(struct machine *x)
{
    if (x->m)
        machine_close(x, false);
    forget(x);
    config_release(&x->config);
    timers_release(&x->env.timers);
    lanes_sim_free(x->env.lanes);
    assert_int_equal(vfs_mem_open_files(x->env.vfs), 0);
    vfs_mem_free(x->env.vfs);
    clock_sim_free(x->env.clock);
}

static struct bytes text_bytes(const char *text)
{
    return text ? bytes_of(text, strlen(text)) : (struct bytes){0};
}

struct statelog_entry entry(const char *key, const char *value)
{
    return (struct statelog_entry){.key = text_bytes(key), .value = text_bytes(value)};
}

bool seen_is(const struct machine *x, int i, int64_t offset, const char *key, const char *value)
{
    return i < x->n_seen && x->seen[i].offset == offset &&
           bytes_eq(x->seen[i].key, text_bytes(key)) &&
           bytes_eq(x->seen[i].value, text_bytes(value));
}

void machine_append(struct machine *x, struct batch_options options, int n_records)
{
    struct log_append a = {.origin = LOG_FROM_COORDINATOR};
    struct batch_builder bb;
    struct buf out;

    buf_init(&out);
    batch_begin(&bb, &out, options);
    for (int i = 0; i < n_records; i++)
        batch_add(&bb, 77 + i, text_bytes("k"), text_bytes("v"), NULL, 0);
    assert_int_equal(batch_end(&bb), 0);
    a.chunk = chunk_new(out.n);
    memcpy(a.chunk->data, out.p, out.n);
    a.p = a.chunk->data;
    a.n_bytes = out.n;
    assert_int_equal(log_append(x->log, &a), 0);
    assert_int_equal(a.error, KE_NONE);
    chunk_unref(a.chunk);
    buf_release(&out);
}

const char *machine_segment_path(void)
{
    return "/data/state-0/00000000000000000000.log";
}
