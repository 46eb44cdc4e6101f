/* Compaction under every fault: at each change of the disk the process is killed, or the power fails; at each operation an error.
 *
 * A life: keys are written, overwritten and deleted, in small segments, and compacted several times. After whatever happened: every
 * record that is read was written at that offset, and the last one of each key is the last that was acknowledged, or nothing where that
 * is a tombstone.
 */
#include "cleaner.h"
#include "disk_env.h"

#include <setjmp.h>

#include <cmocka.h>

#define KEYS        5
#define RECORDS_MAX 200
#define START_MS    1000000
#define RETAIN_MS   60000

struct site {
    struct env env;
    struct clock *clock;
    struct config config;
    struct topic_config topic;
    struct logm *m;
    struct log *log;
    struct cleaner *cleaner;
};
/* What was written: a value, or -1 for a tombstone, by offset. */
struct model {
    int keys[RECORDS_MAX], values[RECORDS_MAX];
    int64_t written_ms[RECORDS_MAX];
    int n, n_acked;
};
static struct model life_model;
static uint64_t n_cases, n_compactions;
static const char *case_kind = "life";
static uint64_t case_at;

#define check(cond)                                                                                \
    do {                                                                                           \
        if (!(cond))                                                                               \
            fail_msg("%s, at %llu: %s", case_kind, (unsigned long long)case_at, #cond);            \
    } while (0)

/* ---- a broker's worth ----------------------------------------------------------------------- */

static bool next_partition(void *arg, struct cleaner_cursor *at, struct cleaner_partition *out)
{
    struct site *s = arg;

    if (at->partition > 0)
        return false;
    *out = (struct cleaner_partition){.topic = "t", .partition = 0, .config = &s->topic, .log = s->log};
    at->partition = 1;
    return true;
}

static uint64_t one_partition(void *arg)
{
    return 1;
}

static int open_partition(void *arg, const char *topic, int32_t partition, struct log **out)
{
    *out = ((struct site *)arg)->log;
    return 0;
}

static void site_init(struct site *s, struct vfs *v, struct clock *clock)
{
    static const struct config_pair pairs[] = {
        {STR("cleanup.policy"), STR("compact")},          {STR("internal.segment.bytes"), STR("400")},
        {STR("min.cleanable.dirty.ratio"), STR("0.01")},  {STR("delete.retention.ms"), STR("60000")},
        {STR("file.delete.delay.ms"), STR("1000")},       {STR("index.interval.bytes"), STR("100")},
    };
    static const char *const settings[] = {"log.dirs=/data", "log.journal.bytes=49152", "log.cleaner.backoff.ms=5000",
                                           "log.flush.offset.checkpoint.interval.ms=5000", NULL};

    *s = (struct site){.clock = clock};
    disk_env_init(&s->env, v, clock);
    disk_config_init(&s->config, settings, &s->topic, pairs, ARRAY_SIZE(pairs));
}

static int site_open(struct site *s)
{
    struct logm_options options = {.config = &s->config};
    struct cleaner_options co = {.config = &s->config,
                                 .next = next_partition,
                                 .count = one_partition,
                                 .open = open_partition,
                                 .arg = s};
    struct errmsg msg = {0};
    int rc;

    vfs_sim_set_startup(s->env.vfs, true);
    rc = logm_open(&s->env, &options, &s->m, &msg);
    if (rc == 0)
        rc = log_open(s->m, "t", 0, (struct uuid){{1}}, &s->topic, 0, -1, &s->log, &msg);
    vfs_sim_set_startup(s->env.vfs, false);
    if (rc < 0)
        return rc;
    co.logm = s->m;
    s->cleaner = cleaner_new(&s->env, &co);
    return 0;
}

static void settle(struct site *s)
{
    disk_settle(&s->env, s->m);
}

static void advance(struct site *s, int64_t ms)
{
    disk_advance(&s->env, s->m, ms);
}

static void site_close(struct site *s, bool clean)
{
    vfs_sim_set_startup(s->env.vfs, true);
    if (s->cleaner)
        cleaner_stop(s->cleaner);
    while (s->m && lanes_sim_step(s->env.lanes))
        ;
    if (clean) {
        logm_flush_all(s->m);
        settle(s);
    }
    cleaner_free(s->cleaner);
    logm_close(s->m, clean && s->m && logm_quiet(s->m));
    s->cleaner = NULL;
    s->m = NULL;
    s->log = NULL;
    vfs_sim_set_startup(s->env.vfs, false);
}

static void site_release(struct site *s)
{
    site_close(s, false);
    topic_config_release(&s->topic);
    config_release(&s->config);
    disk_env_release(&s->env);
}

/* ---- writing and reading -------------------------------------------------------------------- */

/* False: it was refused, or the directory is offline. */
static bool put(struct site *s, struct model *m, int key, int value)
{
    struct batch_options options = BATCH_OPTIONS_NONE;
    struct batch_builder bb;
    struct log_append a = {.origin = LOG_FROM_COORDINATOR};
    char key_text[16], value_text[64];
    struct buf out;
    int rc, n_key = snprintf(key_text, sizeof(key_text), "key%d", key);
    int n_value = snprintf(value_text, sizeof(value_text), "%d ......................", value);

    m->keys[m->n] = key;
    m->values[m->n] = value;
    m->written_ms[m->n] = clock_wall(s->clock).ms;
    m->n++;
    buf_init(&out);
    batch_begin(&bb, &out, options);
    batch_add(&bb, clock_wall(s->clock).ms, bytes_of(key_text, (size_t)n_key),
              value < 0 ? bytes_of(NULL, 0) : bytes_of(value_text, (size_t)n_value), NULL, 0);
    rc = batch_end(&bb);
    assert_int_equal(rc, 0);
    a.chunk = chunk_new(out.n);
    memcpy(a.chunk->data, out.p, out.n);
    a.p = a.chunk->data;
    a.n_bytes = out.n;
    rc = log_append(s->log, &a);
    chunk_unref(a.chunk);
    buf_release(&out);
    if (rc < 0)
        return false;
    check(a.base_offset == m->n - 1);
    settle(s);
    m->n_acked = MAX(m->n_acked, (int)log_high_watermark(s->log));
    return m->n_acked == m->n;
}

static void compare(struct site *s, const struct model *m)
{
    int64_t offset = log_start_offset(s->log), end = log_end_offset(s->log), last_seen = -1;
    int64_t found_at[KEYS], due_at[KEYS];
    int found[KEYS], due[KEYS];
    struct buf bytes, scratch;

    check(offset == 0);
    check(end >= m->n_acked);
    check(end <= m->n);
    for (int i = 0; i < KEYS; i++)
        found[i] = due[i] = -1, found_at[i] = due_at[i] = -1;
    buf_init(&bytes);
    buf_init(&scratch);
    while (offset < end) {
        struct record_iter it;
        struct record r;
        struct log_read lr;
        struct batch b;

        check(log_read_to_end(s->log, offset, 1, &lr) == 0);
        check(lr.file != NULL);
        bytes.n = 0;
        check(file_pread_full(lr.file, buf_grow(&bytes, lr.n_bytes), lr.n_bytes, lr.position) == 0);
        check(batch_check(bytes.p, lr.n_bytes, &b) == 0);
        check(batch_last_offset(&b) >= offset);
        check(record_iter_init(&it, bytes.p, &b, 1 << 20, &scratch) == 0);
        while (record_iter_next(&it, &r) == 1) {
            int key = r.key.p[3] - '0', value = -1;

            if (r.value.p)
                (void)sscanf((const char *)r.value.p, "%d", &value);
            check(r.offset > last_seen);
            check(r.offset < m->n && m->keys[r.offset] == key && m->values[r.offset] == value);
            last_seen = r.offset;
            found[key] = value;
            found_at[key] = r.offset;
        }
        offset = batch_last_offset(&b) + 1;
    }
    for (int64_t i = 0; i < end; i++)
        due[m->keys[i]] = m->values[i], due_at[m->keys[i]] = i;
    for (int i = 0; i < KEYS; i++) {
        check(found[i] == due[i]);
        /* A tombstone has delete.retention.ms at least. */
        if (due_at[i] >= 0 && clock_wall(s->clock).ms < m->written_ms[due_at[i]] + RETAIN_MS)
            check(found_at[i] == due_at[i]);
    }
    buf_release(&bytes);
    buf_release(&scratch);
}

static bool put_round(struct site *s, struct model *m, int n)
{
    for (int i = 0; i < n; i++) {
        int key = (m->n * 7 + i / 3) % KEYS;

        if (!put(s, m, key, m->n % 4 == 3 ? -1 : m->n))
            return false;
    }
    return true;
}

/* Three rounds of writing; in between time passes, and compaction runs: tombstones get their time, and go. */
static void live(struct site *s, struct model *m)
{
    for (int i = 0; i < 3; i++) {
        if (!put_round(s, m, 10))
            return;
        advance(s, 15000);
        if (log_last_cleaned(s->log).ms > 0)
            n_compactions++;
        advance(s, RETAIN_MS);
    }
    (void)put_round(s, m, 2);
}

/* ---- after it ------------------------------------------------------------------------------- */

/* Starts, reads, compacts the rest, reads, stops cleanly, starts, reads. */
static void look_after(struct vfs *v, struct clock *clock, const struct model *m)
{
    struct site s;
    struct model more = *m;

    n_cases++;
    site_init(&s, v, clock);
    check(site_open(&s) == 0);
    compare(&s, m);
    more.n = (int)log_end_offset(s.log);
    more.n_acked = more.n;
    check(put_round(&s, &more, 6));
    advance(&s, 15000);
    compare(&s, &more);
    site_close(&s, true);
    check(site_open(&s) == 0);
    check(logm_was_clean(s.m));
    compare(&s, &more);
    site_release(&s);
}

static const struct {
    const char *name;
    uint64_t seed; /* 0: a kill */
    bool ordered;
} cuts[] = {{"kill", 0, false}, {"power cut, one by one", 1, false}, {"power cut, in order", 3, true}};

static void before_change(void *arg, struct vfs *v, uint64_t change)
{
    enum thread_kind before = thread_mark(THREAD_CORE);

    for (size_t i = 0; i < ARRAY_SIZE(cuts); i++) {
        struct clock *clock = clock_sim_new(clock_wall(arg));
        struct vfs *copy = vfs_sim_clone(v, clock);
        struct rng rng;

        case_kind = cuts[i].name;
        case_at = change;
        rng_init(&rng, change * 31 + cuts[i].seed);
        vfs_sim_set_device(copy, 512, cuts[i].ordered, true);
        if (cuts[i].seed)
            vfs_sim_power_loss(copy, &rng);
        else
            vfs_sim_kill(copy);
        if (life_model.n > 0)
            look_after(copy, clock, &life_model);
        vfs_sim_free(copy);
        clock_sim_free(clock);
    }
    case_kind = "life";
    thread_mark(before);
}

static void quiet(enum diag_level level, const char *text, void *arg)
{
}

static void at_every_change_the_process_or_the_power_ends(void **state)
{
    struct clock *clock = clock_sim_new((struct wall){START_MS});
    struct vfs *v = vfs_sim_new(clock, NULL);
    struct site s;

    diag_set_sink(quiet, NULL);
    life_model = (struct model){.n = 0};
    site_init(&s, v, clock);
    assert_int_equal(site_open(&s), 0);
    vfs_sim_on_change(v, before_change, clock);
    live(&s, &life_model);
    vfs_sim_on_change(v, NULL, NULL);
    assert_int_equal(life_model.n, 32);
    assert_true(n_compactions >= 3);
    assert_true(log_n_segments(s.log) < 8);
    compare(&s, &life_model);
    site_close(&s, true);
    site_release(&s);
    vfs_sim_free(v);
    clock_sim_free(clock);
    print_message("%llu changes were the last one\n", (unsigned long long)n_cases);
    assert_true(n_cases > 500);
}

static bool live_with(enum vfs_sim_fault_kind kind, uint64_t nth)
{
    struct clock *clock = clock_sim_new((struct wall){START_MS});
    struct vfs_sim_options options = {.seed = nth};
    struct vfs *v = vfs_sim_new(clock, &options);
    struct vfs_sim_fault fault = {.kind = kind, .nth = nth};
    struct model m = {.n = 0};
    struct site s;
    bool fired;

    case_kind = vfs_sim_fault_name(kind);
    case_at = nth;
    site_init(&s, v, clock);
    assert_int_equal(site_open(&s), 0);
    vfs_sim_add_fault(v, &fault);
    live(&s, &m);
    fired = vfs_sim_faults_fired(v) > 0;
    vfs_sim_lift_faults(v);
    site_release(&s);
    vfs_sim_kill(v);
    if (m.n > 0)
        look_after(v, clock, &m);
    vfs_sim_free(v);
    clock_sim_free(clock);
    return fired;
}

static void every_operation_may_fail_once(void **state)
{
    diag_set_sink(quiet, NULL);
    each_fault_once(live_with);
    case_kind = "life";
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_every_change_the_process_or_the_power_ends),
        cmocka_unit_test(every_operation_may_fail_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
