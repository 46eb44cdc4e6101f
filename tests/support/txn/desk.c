/* The coordinator that the tests of transactions talk to: see desk.h. */
#include "desk.h"

#include "record.h"

#define DESK_DIR "/data"

/* ---- the broker's side */

static int32_t n_shards(void *arg)
{
    return DESK_SHARDS;
}

static struct log *log_get(struct desk *d, const char *topic, int32_t partition)
{
    struct uuid id = {{7, topic[0] == 't', (uint8_t)(partition + 1)}};
    struct log *log;

    if (log_open(d->logm, topic, partition, id, &d->topic, 0, -1, &log, &d->msg) < 0)
        fail_msg("%s", d->msg.text);
    return log;
}

static void shard_open(struct desk *d, int32_t shard)
{
    struct statelog_options o = {.apply = txn_shard_apply, .origin = LOG_FROM_COORDINATOR};

    d->logs[shard] = log_get(d, "__transaction_state", shard);
    o.log = d->logs[shard];
    o.machine = txnm_shard(d->m, shard, 5);
    if (statelog_open(&d->env, &o, &d->shards[shard], &d->msg) < 0)
        fail_msg("%s", d->msg.text);
    txn_shard_loaded(o.machine, d->shards[shard]);
}

static int16_t shard_get(void *arg, int32_t shard, struct statelog **out)
{
    struct desk *d = arg;

    *out = NULL;
    if (d->unavailable)
        return KE_COORDINATOR_NOT_AVAILABLE;
    if (!d->shards[shard])
        shard_open(d, shard);
    *out = d->shards[shard];
    return KE_NONE;
}

static bool group_partition(void *arg, struct str group_id, struct str *topic, int32_t *partition)
{
    *topic = STR("__consumer_offsets");
    *partition = (int32_t)group_id.n;
    return true;
}

static int16_t producer_id(void *arg, int64_t *out)
{
    struct desk *d = arg;

    if (d->producer_id_error)
        return d->producer_id_error;
    *out = d->next_producer_id++;
    return KE_NONE;
}

static int16_t transaction_version(void *arg)
{
    return ((struct desk *)arg)->level;
}

static int append_marker(struct log *log, const struct txn_marker *marker)
{
    struct batch_options options = BATCH_OPTIONS_NONE;
    struct log_append a = {.origin = LOG_FROM_COORDINATOR,
                           .transaction_version = marker->transaction_version};
    uint8_t key[4], value[MARKER_VALUE_BYTES];
    struct batch_builder bb;
    struct buf out;
    int rc;

    options.attributes = BATCH_TRANSACTIONAL | BATCH_CONTROL;
    options.producer_id = marker->producer_id;
    options.producer_epoch = marker->producer_epoch;
    marker_value_put(value, marker->coordinator_epoch);
    control_key_put(key, marker->committed ? CONTROL_COMMIT : CONTROL_ABORT);
    buf_init(&out);
    batch_begin(&bb, &out, options);
    batch_add(&bb, DESK_START_MS, bytes_of(key, 4), bytes_of(value, sizeof(value)), NULL, 0);
    assert_int_equal(batch_end(&bb), 0);
    a.chunk = chunk_new(out.n);
    a.n_bytes = out.n;
    memcpy(a.chunk->data, out.p, out.n);
    a.p = a.chunk->data;
    buf_release(&out);
    rc = log_append(log, &a);
    chunk_unref(a.chunk);
    assert_int_equal(a.error, KE_NONE);
    return rc;
}

static int write_marker(void *arg, struct str topic, int32_t partition,
                        const struct txn_marker *marker, struct log **log, int64_t *end)
{
    struct desk *d = arg;
    struct desk_marker *to = &d->markers[d->n_markers];

    *log = NULL;
    if (d->markers_rc < 0)
        return d->markers_rc;
    assert_true(d->n_markers++ < DESK_MARKERS);
    snprintf(to->topic, sizeof(to->topic), "%.*s", STR_ARG(topic));
    to->partition = partition;
    to->marker = *marker;
    if (!str_is(topic, "t") || partition >= DESK_PARTITIONS)
        return 0; /* gone */
    if (!d->partitions[partition])
        d->partitions[partition] = log_get(d, "t", partition);
    *log = d->partitions[partition];
    assert_int_equal(append_marker(*log, marker), 0);
    *end = log_end_offset(*log);
    return 0;
}

/* ---- life */

static void start(struct desk *d)
{
    struct logm_options lo = {.config = &d->config};
    struct txnm_options to = {.config = &d->config,
                              .shard = shard_get,
                              .n_shards = n_shards,
                              .group_partition = group_partition,
                              .producer_id = producer_id,
                              .write_marker = write_marker,
                              .transaction_version = transaction_version,
                              .arg = d};

    if (logm_open(&d->env, &lo, &d->logm, &d->msg) < 0)
        fail_msg("%s", d->msg.text);
    d->m = txnm_new(&d->env, &to);
    for (int32_t i = 0; i < DESK_SHARDS; i++)
        if (log_exists(d->logm, "__transaction_state", i))
            shard_open(d, i);
}

static void stop(struct desk *d, bool clean)
{
    if (clean) {
        txnm_stop(d->m);
        logm_flush_all(d->logm);
        for (int i = 0; i < 100 && !logm_quiet(d->logm); i++)
            desk_settle(d);
        assert_true(logm_quiet(d->logm));
    }
    while (lanes_sim_step(d->env.lanes))
        ;
    txnm_free(d->m);
    d->m = NULL;
    for (int i = 0; i < DESK_SHARDS; i++) {
        statelog_close(d->shards[i]);
        d->shards[i] = NULL;
        d->logs[i] = NULL;
    }
    memset(d->partitions, 0, sizeof(d->partitions));
    logm_close(d->logm, clean);
    d->logm = NULL;
}

static void quiet_sink(enum diag_level level, const char *line, void *arg)
{
}

void desk_open(struct desk *d, const char *const *overrides)
{
    struct config_pair own[] = {{STR("flush.messages"), STR("1")}};

    memset(d, 0, sizeof(*d));
    thread_mark(THREAD_CORE);
    diag_set_sink(quiet_sink, NULL);
    list_init(&d->answers);
    d->level = TXN_VERSION_2;
    d->next_producer_id = 1000;
    d->clock = clock_sim_new((struct wall){DESK_START_MS});
    d->env.clock = d->clock;
    d->env.vfs = vfs_mem_new(d->clock);
    d->env.lanes = lanes_sim_new();
    rng_init(&d->env.rng, 11);
    timers_init(&d->env.timers);
    config_init(&d->config);
    assert_int_equal(config_override(&d->config, "log.dirs=" DESK_DIR, &d->msg), 0);
    for (int i = 0; overrides && overrides[i]; i++)
        assert_int_equal(config_override(&d->config, overrides[i], &d->msg), 0);
    assert_int_equal(config_finish(&d->config, true, &d->msg), 0);
    assert_int_equal(topic_config_init(&d->topic, &d->config, own, 1, &d->msg), 0);
    start(d);
}

void desk_restart(struct desk *d, bool clean)
{
    stop(d, clean);
    start(d);
}

void desk_close(struct desk *d)
{
    stop(d, true);
    LIST_FOREACH_SAFE(it, &d->answers)
    {
        struct desk_answer *a = CONTAINER_OF(it, struct desk_answer, link);

        arena_release(&a->arena);
        free(a);
    }
    topic_config_release(&d->topic);
    config_release(&d->config);
    assert_int_equal(d->env.timers.n, 0); /* nothing of a transaction may outlive it */
    timers_release(&d->env.timers);
    lanes_sim_free(d->env.lanes);
    assert_int_equal(vfs_mem_open_files(d->env.vfs), 0);
    vfs_mem_free(d->env.vfs);
    clock_sim_free(d->clock);
    diag_set_sink(NULL, NULL);
}

void desk_turn(struct desk *d)
{
    logm_turn(d->logm);
}

void desk_settle(struct desk *d)
{
    do
        logm_turn(d->logm);
    while (lanes_sim_step(d->env.lanes) || logm_wants_turn(d->logm));
}

void desk_pass_ms(struct desk *d, int64_t ms)
{
    struct mono end = mono_after_ms(clock_mono(d->clock), ms);

    desk_settle(d);
    for (;;) {
        struct mono next;
        int64_t now = clock_mono(d->clock).ns;

        if (!timers_next(&d->env.timers, &next) || next.ns > end.ns)
            next = end;
        if (next.ns > now)
            clock_sim_advance(d->clock, next.ns - now);
        timers_fire(&d->env.timers, clock_mono(d->clock));
        desk_settle(d);
        if (next.ns >= end.ns)
            break;
    }
}

int64_t desk_records(struct desk *d)
{
    int64_t n = 0;

    for (int i = 0; i < DESK_SHARDS; i++)
        n += d->shards[i] ? statelog_end(d->shards[i]) : 0;
    return n;
}

void desk_record(struct desk *d, const char *id, const struct transaction_log_value *v,
                 int16_t version)
{
    struct transaction_log_key key = {.transactional_id = str_of(id)};
    struct statelog *s;
    struct statelog_proposal p;
    struct wire_writer w;

    assert_int_equal(shard_get(d, txn_shard_of(str_of(id), DESK_SHARDS), &s), KE_NONE);
    statelog_proposal_init(&p);
    statelog_proposal_begin(&p);
    wire_writer_init(&w, &p.bytes);
    wire_put_int16(&w, 0);
    transaction_log_key_encode(&key, &w, 0);
    statelog_proposal_key_end(&p);
    wire_put_int16(&w, version);
    if (version <= 1)
        transaction_log_value_encode(v, &w, version);
    statelog_proposal_value_end(&p);
    wire_writer_release(&w);
    assert_int_equal(statelog_proposal_send(&p, s), 0);
    statelog_proposal_release(&p);
}

void desk_found(struct desk *d, struct desk_producer p, int8_t status)
{
    struct transaction_log_value v;

    transaction_log_value_init(&v);
    v.producer_id = p.producer_id;
    v.producer_epoch = p.epoch;
    v.transaction_timeout_ms = 60000;
    v.transaction_status = status;
    v.transaction_start_timestamp_ms = DESK_START_MS;
    v.transaction_last_update_timestamp_ms = DESK_START_MS;
    desk_record(d, p.id, &v, 1);
}

/* ---- asking */

static void answered(struct txn_call *call)
{
    struct desk_answer *a = CONTAINER_OF(call, struct desk_answer, call);

    assert_false(a->done);
    a->done = true;
}

static struct desk_answer *answer_new(struct desk *d)
{
    struct desk_answer *a = xcalloc(1, sizeof(*a));

    list_push(&d->answers, &a->link);
    arena_init(&a->arena);
    a->call.done = answered;
    a->call.arena = &a->arena;
    return a;
}

static struct txn_producer producer_of(struct desk_producer p)
{
    return (struct txn_producer){str_of(p.id), p.producer_id, p.epoch};
}

struct desk_answer *desk_ask_init(struct desk *d, struct desk_producer expected, int32_t timeout_ms)
{
    struct init_producer_id_request rq = {.transactional_id = str_of(expected.id),
                                          .transaction_timeout_ms = timeout_ms,
                                          .producer_id = expected.producer_id,
                                          .producer_epoch = expected.epoch};
    struct desk_answer *a = answer_new(d);

    txnm_init_producer_id(d->m, &rq, &a->init, &a->call);
    return a;
}

struct desk_answer *desk_ask_add(struct desk *d, struct desk_producer p, const int32_t *partitions,
                                 int n, bool verify_only)
{
    struct desk_answer *a = answer_new(d);

    a->add.producer = producer_of(p);
    a->add.verify_only = verify_only;
    a->add.n_partitions = n;
    a->add.partitions = arena_array(&a->arena, (size_t)n, sizeof(*a->add.partitions));
    for (int i = 0; i < n; i++)
        a->add.partitions[i] = (struct txn_partition){STR("t"), partitions[i], KE_NONE};
    txnm_add_partitions(d->m, &a->add, 1, &a->call);
    return a;
}

struct desk_answer *desk_ask_end(struct desk *d, struct desk_producer p, bool commit,
                                 int16_t version)
{
    struct end_txn_request rq = {.transactional_id = str_of(p.id),
                                 .producer_id = p.producer_id,
                                 .producer_epoch = p.epoch,
                                 .committed = commit};
    struct desk_answer *a = answer_new(d);

    txnm_end(d->m, &rq, version, &a->end, &a->call);
    return a;
}

static struct desk_answer *settled(struct desk *d, struct desk_answer *a)
{
    desk_settle(d);
    assert_true(a->done);
    assert_int_equal(a->call.rc, 0);
    return a;
}

static int16_t init(struct desk *d, struct desk_producer expected, struct desk_producer *p)
{
    struct desk_answer *a = settled(d, desk_ask_init(d, expected, 60000));

    if (a->init.error_code)
        return a->init.error_code;
    p->producer_id = a->init.producer_id;
    p->epoch = a->init.producer_epoch;
    return KE_NONE;
}

int16_t desk_init(struct desk *d, struct desk_producer *p)
{
    return init(d, NOBODY(p->id), p);
}

int desk_open_with(struct desk *d, struct desk_producer *p)
{
    desk_open(d, NULL);
    *p = NOBODY("x");
    return desk_init(d, p);
}

int16_t desk_init_again(struct desk *d, struct desk_producer *p)
{
    return init(d, *p, p);
}

int16_t desk_add(struct desk *d, struct desk_producer p, int32_t partition)
{
    return settled(d, desk_ask_add(d, p, &partition, 1, false))->add.error;
}

int16_t desk_write(struct desk *d, struct desk_producer p, int32_t partition)
{
    struct txn_producer producer = producer_of(p);
    struct statelog *log;
    int16_t error = txnm_verify_or_add(d->m, &producer, STR("t"), partition, &log);

    assert_int_equal(error != KE_NONE, log == NULL);
    desk_settle(d);
    return error;
}

int16_t desk_verify(struct desk *d, struct desk_producer p, int32_t partition)
{
    struct txn_producer producer = producer_of(p);

    return txnm_verify(d->m, &producer, STR("t"), partition);
}

int16_t desk_end(struct desk *d, struct desk_producer p, bool commit)
{
    return settled(d, desk_ask_end(d, p, commit, 4))->end.error_code;
}

int16_t desk_end_v2(struct desk *d, struct desk_producer *p, bool commit)
{
    struct desk_answer *a = settled(d, desk_ask_end(d, *p, commit, 5));

    if (a->end.error_code)
        return a->end.error_code;
    p->producer_id = a->end.producer_id;
    p->epoch = a->end.producer_epoch;
    return KE_NONE;
}

/* ---- looking */

const char *desk_state(struct desk *d, const char *id)
{
    struct desk_answer *a = answer_new(d);
    struct describe_transactions_response_transaction_states row = {.transactional_id = str_of(id)};
    struct buf out;
    const char *text;

    a->describe.n_transaction_states = 1;
    a->describe.transaction_states = &row;
    txnm_describe(d->m, &a->describe, &a->call);
    settled(d, a);
    if (row.error_code)
        return kafka_error_name(row.error_code);
    buf_init(&out);
    buf_printf(&out, "%.*s %lld:%d", STR_ARG(row.transaction_state), (long long)row.producer_id,
               row.producer_epoch);
    for (int32_t i = 0; i < row.n_topics; i++)
        for (int32_t j = 0; j < row.topics[i].n_partitions; j++)
            buf_printf(&out, " %.*s-%d", STR_ARG(row.topics[i].topic), row.topics[i].partitions[j]);
    text = arena_str(&a->arena, str_of(buf_cstr(&out))).p;
    buf_release(&out);
    return text;
}

int desk_markers_of(const struct desk *d, int32_t partition)
{
    int n = 0;

    for (int i = 0; i < d->n_markers; i++)
        n += d->markers[i].partition == partition;
    return n;
}
