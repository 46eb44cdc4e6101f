/* See move_site.h. */
#include "move_site.h"

static const char *case_kind = "life";
static uint64_t case_at;

void site_case(const char *kind, uint64_t at)
{
    case_kind = kind;
    case_at = at;
}

void site_failed(const char *cond)
{
    fail_msg("%s, at %llu: %s", case_kind, (unsigned long long)case_at, cond);
}

/* ---- a broker's worth ----------------------------------------------------------------------- */

void site_init(struct site *s, struct vfs *v, struct clock *clock, struct site_model *model,
               struct site_options options)
{
    if (!options.segment_bytes)
        options.segment_bytes = "400";
    if (!options.value_bytes)
        options.value_bytes = 30;
    *s = (struct site){.clock = clock, .model = model, .options = options};
    const struct config_pair pairs[] = {
        {STR("internal.segment.bytes"), str_of(s->options.segment_bytes)},
        {STR("file.delete.delay.ms"), STR("1000")},
        {STR("index.interval.bytes"), STR("100")},
        {STR("flush.messages"), options.is_volatile ? STR("1000000") : STR("1")},
    };
    static const char *const settings[] = {"log.dirs=/a,/b", "log.journal.bytes=49152",
                                           "log.flush.offset.checkpoint.interval.ms=5000", NULL};

    disk_env_init(&s->env, v, clock);
    disk_config_init(&s->config, settings, &s->topic, pairs, ARRAY_SIZE(pairs));
}

/* Two copies: the one that the metadata does not name is set aside, as the broker does. */
static int settle_copies(struct site *s)
{
    int rc = 0, n = 0;

    for (int i = 0; i < logm_n_found(s->m); i++)
        n += logm_found_get(s->m, i)->topic[0] == 't';
    check(n <= 2);
    for (int i = 0; n == 2 && i < logm_n_found(s->m) && rc == 0; i++) {
        const struct logm_found *f = logm_found_get(s->m, i);

        if (f->topic[0] == 't' && f->dir != s->model->dir)
            rc = logm_found_set_stray(s->m, i);
    }
    return rc;
}

int site_open(struct site *s)
{
    struct logm_options options = {.config = &s->config};
    struct errmsg msg = {0};
    int rc;

    vfs_sim_set_startup(s->env.vfs, true);
    rc = logm_open(&s->env, &options, &s->m, &msg);
    if (rc == 0)
        rc = settle_copies(s);
    if (rc == 0)
        rc = log_open(s->m, "t", 0, (struct uuid){{1}}, &s->topic, 0, 0, &s->log, &msg);
    vfs_sim_set_startup(s->env.vfs, false);
    if (rc < 0)
        print_message("%s\n", msg.text);
    return rc;
}

void site_settle(struct site *s)
{
    disk_settle(&s->env, s->m);
}

void site_advance(struct site *s, int64_t ms)
{
    disk_advance(&s->env, s->m, ms);
}

void site_close(struct site *s, bool clean)
{
    vfs_sim_set_startup(s->env.vfs, true);
    while (s->m && lanes_sim_step(s->env.lanes))
        ;
    if (clean) {
        logm_flush_all(s->m);
        site_settle(s);
    }
    logm_close(s->m, clean && s->m && logm_quiet(s->m));
    s->m = NULL;
    s->log = NULL;
    vfs_sim_set_startup(s->env.vfs, false);
}

void site_release(struct site *s)
{
    site_close(s, false);
    topic_config_release(&s->topic);
    config_release(&s->config);
    disk_env_release(&s->env);
}

/* ---- writing and reading -------------------------------------------------------------------- */

void site_count_acked(struct site *s)
{
    if (s->log)
        s->model->n_acked = MAX(s->model->n_acked, (int)log_high_watermark(s->log));
}

int site_append(struct site *s, struct log *l, int number, int64_t *base_offset)
{
    struct batch_options options = BATCH_OPTIONS_NONE;
    struct batch_builder bb;
    struct log_append a = {.origin = LOG_FROM_COORDINATOR};
    char *value = xcalloc(1, s->options.value_bytes); /* it ends with a zero byte */
    struct buf out;
    int rc;

    memset(value, '.', s->options.value_bytes - 1);
    value[snprintf(value, s->options.value_bytes, "%d ", number)] = '.';

    buf_init(&out);
    batch_begin(&bb, &out, options);
    batch_add(&bb, clock_wall(s->clock).ms, bytes_of("k", 1),
              bytes_of(value, s->options.value_bytes), NULL, 0);
    assert_int_equal(batch_end(&bb), 0);
    a.chunk = chunk_new(out.n);
    memcpy(a.chunk->data, out.p, out.n);
    a.p = a.chunk->data;
    a.n_bytes = out.n;
    rc = log_append(l, &a);
    chunk_unref(a.chunk);
    buf_release(&out);
    free(value);
    *base_offset = a.base_offset;
    return rc;
}

/* False: it was refused. */
bool site_put_only(struct site *s)
{
    int64_t base_offset;

    s->model->n++;
    if (site_append(s, s->log, s->model->n - 1, &base_offset) < 0) {
        s->model->n--;
        return false;
    }
    check(base_offset == s->model->n - 1);
    s->model->n_written = s->model->n;
    return true;
}

bool site_put(struct site *s)
{
    bool ok = site_put_only(s);

    site_settle(s);
    site_count_acked(s);
    return ok && s->model->n_acked == s->model->n;
}

/* From its start, each record is the one that was written there. */
void site_compare(struct site *s)
{
    int64_t offset = log_start_offset(s->log), end = log_end_offset(s->log);
    struct buf bytes, scratch;

    check(offset >= s->model->start_noted);
    check(offset <= 4 ||
          s->options.is_volatile); /* one that is not may lose the names of its first segments */
    check(end >= s->model->n_acked);
    check(end <= s->model->n);
    buf_init(&bytes);
    buf_init(&scratch);
    while (offset < end) {
        struct record_iter it;
        struct record r;
        struct log_read lr;
        struct batch b;
        int value = -1;

        check(log_read_to_end(s->log, offset, 1, &lr) == 0);
        check(lr.file != NULL);
        bytes.n = 0;
        check(file_pread_full(lr.file, buf_grow(&bytes, lr.n_bytes), lr.n_bytes, lr.position) == 0);
        check(batch_check(bytes.p, lr.n_bytes, &b) == 0);
        check(record_iter_init(&it, bytes.p, &b, 1 << 20, &scratch) == 0);
        check(record_iter_next(&it, &r) == 1);
        check(r.offset == offset);
        (void)sscanf((const char *)r.value.p, "%d", &value);
        check(value == (int)offset);
        offset++;
    }
    buf_release(&bytes);
    buf_release(&scratch);
}

/* ---- moving --------------------------------------------------------------------------------- */

static bool switching(struct log_move *v)
{
    CONTAINER_OF(v, struct site, move)->n_switching++;
    return true;
}

/* The metadata is written; whether it names the new directory durably is seen later. */
static int switched(struct log_move *v)
{
    struct site *s = CONTAINER_OF(v, struct site, move);

    s->n_switched++;
    s->ends = s->refuses ? 0 : 3;
    return s->refuses;
}

/* The metadata's record is durable. */
void site_end_if_named(struct site *s)
{
    if (!s->ends || s->keeps || --s->ends > 0)
        return;
    s->model->dir = s->move.dir;
    log_move_end(&s->move);
}

static void done(struct log_move *v, int rc)
{
    struct site *s = CONTAINER_OF(v, struct site, move);

    s->n_done++;
    s->rc = rc;
}

void site_begin_move(struct site *s, int dir)
{
    s->move = (struct log_move){.dir = dir,
                                .bytes_per_second = INT64_MAX,
                                .switching = switching,
                                .switched = switched,
                                .done = done};
    s->rc = log_move_begin(s->log, &s->move);
    s->n_done += s->rc < 0;
}

/* Writes while it moves, a record for each job that ends. */
bool site_move(struct site *s, int dir)
{
    int n_before = s->n_done;

    s->ends = 0;
    site_begin_move(s, dir);
    for (int i = 0; i < 200 && s->n_done == n_before; i++) {
        if ((i < 8 || s->ends > 0) && !site_put_only(s))
            break;
        logm_turn(s->m);
        if (!lanes_sim_step(s->env.lanes))
            site_advance(s, 100);
        site_end_if_named(s);
        site_count_acked(s);
    }
    site_settle(s);
    site_count_acked(s);
    return s->n_done > n_before && s->rc == 0;
}
