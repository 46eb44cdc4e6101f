/* The broker: start, turn, stop.
 *
 * Owner: struct broker, core thread.
 *
 * Start:      log directories (locks, journal replay) -> metadata replayed -> strays set aside ->
 *             after an unclean stop all logs recovered -> groups and transactions replayed -> open
 *             transactions that the coordinator has lost are settled. Then it serves.
 * Turn:       due timers, then the logs' turn: waits fire, replies are made, the next commit
 *             starts.
 * Stop:       long polls are answered, everything is flushed; when nothing is in work and the lanes
 *             are idle, the checkpoints and the clean-shutdown marker are written by broker_free.
 * Failure:    when the log directory with the metadata goes offline, or the last one, `failed` tells the process to end with exit
 *             code 74.
 */
#include "parts.h"

#define METADATA_DIR 0 /* the first of log.dirs, as metadata.log.dir defaults to */

static void log_dir_offline(void *arg, const char *dir, bool all)
{
    struct broker *b = arg;

    diag_error("log directory %s is offline: a write or flush failed; it is not used again until a "
               "restart",
               dir);
    for (int i = 0; i < logm_n_dirs(b->logm) && b->meta; i++)
        if (strcmp(logm_dir_path(b->logm, i), dir) == 0)
            meta_set_dir_offline(b->meta, i);
    /* Without its metadata a broker can say nothing (KafkaRaftServer ends then, too). */
    b->failed |= all || logm_dir_offline(b->logm, METADATA_DIR);
}

static struct str number(char out[24], int64_t n)
{
    snprintf(out, 24, "%lld", (long long)n);
    return str_of(out);
}

/* Its settings are those of KafkaRaftLog.createLog; meta trims it. */
static int open_metadata_log(struct broker *b, struct errmsg *msg)
{
    /* Topic id of the metadata topic, fixed (Uuid.METADATA_TOPIC_ID). */
    struct uuid id = {{[15] = 1}};
    char bytes[24], ms[24];
    struct config_pair own[] = {
        {STR("cleanup.policy"), STR("delete")},    {STR("retention.ms"), STR("-1")},
        {STR("flush.messages"), STR("1")},         {STR("segment.bytes"), number(bytes, b->config->metadata_log_segment_bytes)},
        {STR("segment.ms"), number(ms, b->config->metadata_log_segment_ms)},
        {STR("file.delete.delay.ms"), STR("60000")},
    };
    struct topic_config config;
    int rc = topic_config_init(&config, b->config, own, ARRAY_SIZE(own), msg);

    if (rc < 0)
        return rc;
    rc = log_open(b->logm, METADATA_TOPIC, 0, id, &config, 1, METADATA_DIR, &b->metadata_log, msg);
    topic_config_release(&config);
    return rc;
}

static int open_metadata(struct broker *b, const struct broker_options *options, struct errmsg *msg)
{
    int n_dirs = logm_n_dirs(b->logm);
    struct uuid *dir_ids = xcalloc((size_t)n_dirs, sizeof(*dir_ids));
    struct meta_options mo = {.config = b->config,
                              .cluster_id = logm_cluster_id(b->logm),
                              .node_id = b->node_id,
                              .dir_ids = dir_ids,
                              .n_dir_ids = n_dirs,
                              .endpoints = options->endpoints,
                              .n_endpoints = options->n_endpoints,
                              .observer = broker_observer(b)};
    int rc;
    char *dir_path = xasprintf("%s/%s-0", logm_dir_path(b->logm, METADATA_DIR), METADATA_TOPIC);

    for (int i = 0; i < n_dirs; i++)
        dir_ids[i] = logm_dir_id(b->logm, i);
    rc = open_metadata_log(b, msg);
    if (rc == 0) {
        mo.log = b->metadata_log;
        mo.dir_path = dir_path;
        rc = meta_open(b->env, &mo, &b->meta, msg);
    }
    free(dir_path);
    free(dir_ids);
    return rc;
}

int broker_start(struct env *env, const struct broker_options *options, struct broker **out,
                 struct errmsg *msg)
{
    struct broker *b = xcalloc(1, sizeof(*b));
    struct logm_options lo = {.config = options->config, .offline = log_dir_offline, .arg = b};
    int rc;

    ASSERT_CORE();
    *out = NULL;
    b->env = env;
    b->config = options->config;
    b->node_id = (int32_t)options->config->node_id;
    list_init(&b->requests);
    list_init(&b->deletions);
    list_init(&b->moves);
    broker_hanging_init(b);
    b->security = security_new();
    b->quota = quota_new();
    rc = logm_open(env, &lo, &b->logm, msg);
    if (rc == 0)
        rc = open_metadata(b, options, msg);
    if (rc < 0)
        goto out;
    logm_set_broker_epoch(b->logm, meta_broker_epoch(b->meta));
    broker_set_strays_aside(b);
    if (!logm_was_clean(b->logm))
        broker_recover_all(b);
    if (logm_dir_offline(b->logm, METADATA_DIR)) {
        errmsg_set(msg, "%s: %s", logm_dir_path(b->logm, METADATA_DIR), err_text(E_OFFLINE));
        rc = E_OFFLINE;
        goto out;
    }
    broker_groups_new(b);
    broker_txns_new(b);
    rc = shards_load(b->offset_shards, msg);
    if (rc == 0)
        rc = shards_load(b->txn_shards, msg);
    if (rc < 0)
        goto out;
    broker_hanging_start(b);
    b->cleaner = broker_cleaner_new(b);
    broker_moves_go_on(b);
    *out = b;
out:
    if (rc < 0)
        broker_free(b, false);
    return rc;
}

void broker_turn(struct broker *b)
{
    ASSERT_CORE();
    timers_fire(&b->env->timers, clock_mono(b->env->clock));
    logm_turn(b->logm);
}

bool broker_next_deadline(const struct broker *b, struct mono *at)
{
    if (logm_wants_turn(b->logm)) {
        *at = clock_mono(b->env->clock);
        return true;
    }
    return timers_next(&b->env->timers, at);
}

void broker_stop(struct broker *b)
{
    b->stopping = true;
    groupm_stop(b->groups);
    txnm_stop(b->txns);
    broker_hanging_stop(b);
    cleaner_stop(b->cleaner);
    logm_flush_all(b->logm);
}

bool broker_stopped(const struct broker *b)
{
    return b->stopping && list_empty(&b->requests) && meta_quiet(b->meta) &&
           cleaner_idle(b->cleaner) && logm_quiet(b->logm);
}

void broker_free(struct broker *b, bool clean)
{
    if (!b)
        return;
    b->freeing = true;
    if (b->api_free)
        b->api_free(b->api);
    cleaner_free(b->cleaner);
    broker_hanging_stop(b);
    txnm_free(b->txns);
    shards_free(b->txn_shards);
    shards_free(b->offset_shards);
    if (b->groups)
        groupm_free(b->groups);
    if (b->meta)
        meta_close(b->meta);
    broker_deletions_release(b);
    broker_moves_release(b);
    if (b->logm)
        logm_close(b->logm, clean);
    quota_free(b->quota);
    security_free(b->security);
    free(b);
}

/* The record of a transactional id, with its producer id, may reach the disk before the block that this is of: files are flushed one
 * after another. So a block begins past what the coordinator has found. */
int broker_producer_id(struct broker *b, int64_t *producer_id)
{
    int64_t first;
    int32_t count;
    int rc;

    if (b->producer_id_next == b->producer_id_end) {
        rc = meta_allocate_producer_ids(b->meta, txnm_producer_id_next(b->txns), &first, &count);
        if (rc < 0)
            return rc;
        b->producer_id_next = first;
        b->producer_id_end = first + count;
    }
    *producer_id = b->producer_id_next++;
    return 0;
}
