/* The broker's process: its loop, its lanes, its beginning and its ends.
 *
 * Owner: world.host, the one thread.
 *
 *     none --start--> serves --the disk stops, or the last directory fails--> dead --host_end--> none
 *                            --host_stop_clean--> none
 *
 * A job of a lane takes time before its work, and again between its work and its `done`: other lanes,
 * frames and turns happen between them. Turns come a little after what they are for, so that what
 * arrives meanwhile shares them.
 */
#include "world.h"

#include "check_dir.h"
#include "metrics.h"

#define INDEX_INTERVAL 100
#define TURNS_MAX   2000
#define TURN_NS_MAX 300000

static struct world *world_of(struct lanes *l)
{
    struct host *h = CONTAINER_OF(l, struct host, lanes);

    return CONTAINER_OF(h, struct world, host);
}

/* ---- lanes ------------------------------------------------------------------------------------- */

static int64_t disk_time(struct world *w)
{
    return 1 + world_spread_ns(w, w->options.flush_ns);
}

static void lanes_start(struct lanes *l, struct lane *lane, struct job *j)
{
    struct world *w = world_of(l);
    struct host *h = &w->host;

    ASSERT(h->n_jobs < JOBS_MAX);
    h->jobs[h->n_jobs++] = (struct sim_job){.job = j, .at_ns = world_now(w) + disk_time(w)};
}

static void run_job(struct world *w, int i)
{
    struct host *h = &w->host;
    struct sim_job *sj = &h->jobs[i];
    struct job *j = sj->job;
    enum thread_kind before;

    if (!sj->worked) {
        sj->worked = true;
        before = thread_mark(THREAD_LANE);
        j->work(j);
        thread_mark(before);
        sj->at_ns = world_now(w) + disk_time(w) + vfs_sim_take_latency_ns(w->vfs);
        return;
    }
    for (h->n_jobs--; i < h->n_jobs; i++)
        h->jobs[i] = h->jobs[i + 1];
    lanes_job_done(&h->lanes, j);
    host_wake(w);
}

static int next_job(const struct host *h)
{
    int best = -1;

    for (int i = 0; i < h->n_jobs; i++)
        if (best < 0 || h->jobs[i].at_ns < h->jobs[best].at_ns)
            best = i;
    return best;
}

static void run_all_jobs(struct world *w)
{
    int i;

    while ((i = next_job(&w->host)) >= 0)
        run_job(w, i);
}

/* ---- the loop ------------------------------------------------------------------------------------ */

void host_wake(struct world *w)
{
    struct host *h = &w->host;
    int64_t at = world_now(w) + (int64_t)world_below(w, TURN_NS_MAX);

    if (h->broker)
        h->turn_ns = MIN(h->turn_ns, at);
}

bool host_is_dead(const struct world *w)
{
    return w->host.broker && (vfs_sim_is_down(w->vfs) || w->host.broker->failed);
}

int64_t host_next(const struct world *w)
{
    const struct host *h = &w->host;
    int64_t at = h->turn_ns;
    struct mono deadline;
    int i = next_job(h);

    if (i >= 0)
        at = MIN(at, h->jobs[i].at_ns);
    if (h->broker && broker_next_deadline(h->broker, &deadline))
        at = MIN(at, deadline.ns);
    return at;
}

bool host_step(struct world *w)
{
    struct host *h = &w->host;
    struct mono deadline;
    int i = next_job(h);

    if (i >= 0 && h->jobs[i].at_ns <= world_now(w)) {
        run_job(w, i);
        return true;
    }
    if (!h->broker)
        return false;
    if (h->turn_ns > world_now(w) &&
        !(broker_next_deadline(h->broker, &deadline) && deadline.ns <= world_now(w)))
        return false;
    h->turn_ns = INT64_MAX;
    h->n_turns++;
    broker_turn(h->broker);
    return true;
}

/* ---- beginning and ends ---------------------------------------------------------------------------- */

const char *host_dir(const struct world *w, int i, char out[HOST_DIR_MAX])
{
    ASSERT(i < w->options.n_dirs);
    snprintf(out, HOST_DIR_MAX, i == 0 ? "/data" : "/data%d", i);
    return out;
}

bool host_any_offline(const struct world *w)
{
    const struct broker *b = w->host.broker;

    for (int i = 0; b && i < logm_n_dirs(b->logm); i++)
        if (logm_dir_offline(b->logm, i))
            return true;
    return false;
}

int host_part_dir(const struct world *w, const struct part *p)
{
    struct broker *b = w->host.broker;
    struct meta_topic *t = meta_topic(b->meta, str_of(p->topic->name));
    struct log *l = t && p->index < t->n_partitions ? t->partitions[p->index].log : NULL;

    if (l)
        return log_dir_index(l);
    for (int i = 0; t && p->index < t->n_partitions && i < logm_n_dirs(b->logm); i++) /* never written to: where it would be */
        if (uuid_eq(t->partitions[p->index].dir_id, logm_dir_id(b->logm, i)))
            return i;
    return -1;
}

bool host_dir_offline(const struct world *w, int dir)
{
    return w->host.broker && logm_dir_offline(w->host.broker->logm, dir);
}

bool host_part_offline(const struct world *w, const struct part *p)
{
    struct broker *b = w->host.broker;
    struct meta_topic *t = meta_topic(b->meta, str_of(p->topic->name));
    struct log *l = NULL;

    if (!t || p->index >= t->n_partitions)
        return false;
    if (broker_log(b, t, p->index, false, &l) < 0)
        return true;
    for (int i = 0; !l && i < logm_n_dirs(b->logm); i++) /* never written to: where it would be */
        if (uuid_eq(t->partitions[p->index].dir_id, logm_dir_id(b->logm, i)))
            return logm_dir_offline(b->logm, i);
    return l && logm_dir_offline(b->logm, log_dir_index(l));
}

static void override(struct host *h, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void override(struct host *h, const char *fmt, ...)
{
    struct errmsg msg = {0};
    char text[200];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (config_override(&h->config, text, &msg) < 0)
        base_assert_failed(msg.text, text, 0);
}

void host_init(struct world *w)
{
    struct host *h = &w->host;
    char kept[KEPT_SETTINGS_MAX][KEPT_TEXT_MAX];
    struct errmsg msg = {0};
    int n_kept = kept_broker_settings(&w->options, kept);

    h->lanes = (struct lanes){.start = lanes_start};
    h->metrics = xcalloc(1, sizeof(*h->metrics));
    h->env = (struct env){.vfs = w->vfs, .clock = w->clock, .lanes = &h->lanes};
    h->env.metrics = h->metrics;
    h->turn_ns = INT64_MAX;
    config_init(&h->config);
    override(h, "log.dirs=%s", w->options.n_dirs == 1   ? "/data"
                               : w->options.n_dirs == 2 ? "/data,/data1"
                                                        : "/data,/data1,/data2");
    override(h, "offsets.topic.num.partitions=2");
    override(h, "transaction.state.log.num.partitions=2");
    override(h, "group.consumer.min.session.timeout.ms=%d", CG_SESSION_MS);
    override(h, "group.consumer.session.timeout.ms=%d", CG_SESSION_MS);
    override(h, "group.consumer.min.heartbeat.interval.ms=%d", CG_BEAT_MS);
    override(h, "group.consumer.heartbeat.interval.ms=%d", CG_BEAT_MS);
    override(h, "log.index.interval.bytes=%d", INDEX_INTERVAL);
    override(h, "log.segment.delete.delay.ms=10000");
    override(h, "metadata.log.max.record.bytes.between.snapshots=2000");
    override(h, "metadata.max.retention.bytes=8000");
    override(h, "log.journal.bytes=%lld", (long long)w->options.journal_bytes);
    override(h, "log.flush.offset.checkpoint.interval.ms=%lld",
             (long long)w->options.checkpoint_ms);
    for (int i = 0; i < n_kept; i++)
        override(h, "%s", kept[i]);
    if (config_finish(&h->config, true, &msg) < 0)
        base_assert_failed(msg.text, __FILE__, __LINE__);
}

void host_release(struct world *w)
{
    ASSERT(!w->host.broker);
    ASSERT(w->host.n_jobs == 0);
    config_release(&w->host.config);
    free(w->host.metrics);
}

bool host_start(struct world *w)
{
    struct meta_endpoint endpoint = {STR("PLAINTEXT"), STR("localhost"), 9092, 0};
    struct host *h = &w->host;
    struct broker_options options = {
        .config = &h->config, .endpoints = &endpoint, .n_endpoints = 1};
    struct errmsg msg = {0};
    int rc;

    ASSERT(!h->broker);
    w->n_starts++;
    timers_init(&h->env.timers);
    rng_init(&h->env.rng, rng_next(&w->rng));
    vfs_sim_set_startup(w->vfs, true);
    rc = broker_start(&h->env, &options, &h->broker, &msg);
    vfs_sim_set_startup(w->vfs, false);
    world_event(w, "start: %s", err_name(rc));
    if (rc == 0) {
        host_wake(w);
        return true;
    }
    if (!vfs_sim_is_down(w->vfs))
        world_wrong(w, "the broker did not start: %s: %s", err_name(rc), msg.text);
    run_all_jobs(w);
    timers_release(&h->env.timers);
    if (vfs_sim_open_files(w->vfs))
        world_wrong(w, "%zu files are open after a start that failed", vfs_sim_open_files(w->vfs));
    return false;
}

static void end(struct world *w, bool clean)
{
    struct host *h = &w->host;

    run_all_jobs(w);
    vfs_sim_set_startup(w->vfs, true);
    broker_free(h->broker, clean);
    h->broker = NULL;
    run_all_jobs(w);
    vfs_sim_set_startup(w->vfs, false);
    if (h->env.timers.n)
        world_wrong(w, "%u timers are left after the end", h->env.timers.n);
    timers_release(&h->env.timers);
    h->turn_ns = INT64_MAX;
    if (vfs_sim_open_files(w->vfs))
        world_wrong(w, "%zu files are still open after the end", vfs_sim_open_files(w->vfs));
}

/* Requests end when nobody is there to take the answer. */
static void quiet(struct world *w)
{
    links_close_all(w);
    for (int i = 0; i < TURNS_MAX && api_in_work(w->host.broker) > 0; i++) {
        broker_turn(w->host.broker);
        run_all_jobs(w);
    }
}

void host_end(struct world *w, bool power)
{
    world_event(w, power ? "the power fails" : "killed");
    if (w->host.broker) {
        if (!vfs_sim_is_down(w->vfs))
            vfs_sim_stop_at(w->vfs, 1); /* what this process still does reaches no disk */
        quiet(w);
        end(w, false);
    }
    if (power)
        vfs_sim_power_loss(w->vfs, &w->rng);
    else
        vfs_sim_kill(w->vfs);
    vfs_sim_stop_at(w->vfs, 0);
    w->n_crashes++;
}

/* Recovery passes over the hole that lost pages leave in a compacted log that is not durable (verify.c). */
static bool may_have_hole(const struct world *w, const char *text)
{
    char part[32];

    for (int i = 0; i < w->n_topics && strstr(text, " after an end at "); i++) {
        snprintf(part, sizeof(part), "/%s-", w->topics[i].name);
        if (!w->topics[i].durable && (w->options.kept[i].policy & POLICY_COMPACT) && strstr(text, part))
            return true;
    }
    return false;
}

static void wrong_file(void *arg, const char *text)
{
    if (!may_have_hole(arg, text))
        world_wrong(arg, "after a clean stop: %s", text);
}

/* "topic-0" of one directory. */
static int note_name(void *arg, const char *name, bool is_dir)
{
    if (is_dir && !strchr(name, '.'))
        buf_printf(arg, "%s\n", name);
    return 0;
}

static int look_for_name(void *arg, const char *name, bool is_dir)
{
    struct world *w = arg;
    struct buf *seen = w->host.names;
    char *line = xasprintf("\n%s\n", name);

    if (is_dir && strstr(buf_cstr(seen), line))
        world_wrong(w, "after a clean stop: %s is in two log directories", name);
    free(line);
    return 0;
}

static void check_names(struct world *w)
{
    char dir[HOST_DIR_MAX];
    struct buf seen;

    buf_init(&seen);
    buf_printf(&seen, "\n");
    w->host.names = &seen;
    for (int i = 0; i < w->options.n_dirs; i++) {
        (void)vfs_list(w->vfs, host_dir(w, i, dir), look_for_name, w);
        (void)vfs_list(w->vfs, host_dir(w, i, dir), note_name, &seen);
    }
    w->host.names = NULL;
    buf_release(&seen);
}

/* Segments and indexes by Kafka's rules, without the broker. */
static void check_files(struct world *w)
{
    char dir[HOST_DIR_MAX];

    vfs_sim_set_startup(w->vfs, true);
    for (int i = 0; i < w->options.n_dirs; i++)
        (void)check_dir(w->vfs, host_dir(w, i, dir), INDEX_INTERVAL, wrong_file, w);
    check_names(w);
    vfs_sim_set_startup(w->vfs, false);
}

bool host_stop_clean(struct world *w, uint64_t *digest, bool *settled)
{
    bool whole = !host_any_offline(w);
    struct host *h = &w->host;

    world_event(w, "clean stop");
    broker_stop(h->broker);
    api_hurry(h->broker);
    for (int i = 0; i < TURNS_MAX && !broker_stopped(h->broker) && !host_is_dead(w); i++) {
        broker_turn(h->broker);
        run_all_jobs(w);
    }
    if (host_is_dead(w))
        return false;
    whole &= !host_any_offline(w);
    if (!broker_stopped(h->broker))
        world_wrong(w, "a clean stop does not come to its end: %d requests in work",
                    api_in_work(h->broker));
    quiet(w);
    *settled = whole && groupm_settled(h->broker->groups) && txnm_settled(h->broker->txns);
    *digest = broker_digest(h->broker);
    end(w, true);
    if (vfs_sim_is_down(w->vfs)) {
        world_event(w, "the clean stop was cut off");
        return false;
    }
    vfs_sim_kill(w->vfs);
    if (whole)
        check_files(w);
    return true;
}
