/* The rules between settings, and what is derived from several.
 *
 * Owner: struct config.
 *
 * Happy path: node.id -> the fallbacks of log.dirs, retention, roll and flush -> single rules ->
 *             the table of "a <= b".
 * Failures:   E_INVALID in the words of Kafka's KafkaConfig.validateValues; derived fields may be
 *             half filled then.
 */
#include "finish.h"
#include "fields.h"
#include "number.h"
#include "text.h"

#define LOG_DIRS_MAX     64
#define MS_PER_MINUTE    60000
#define MS_PER_HOUR      3600000
#define DEDUPE_BYTES_MIN 1048576 /* per cleaner thread */

/* ---- derived values ---------------------------------------------------------------------- */

static int finish_node_id(struct config *c, struct errmsg *msg)
{
    bool node_id_given = config_given_find(c, STR("node.id")) != NULL;

    if (c->broker_id < 0) {
        c->broker_id = c->node_id; /* each is the other's other name */
        return 0;
    }
    if (!node_id_given) {
        c->node_id = c->broker_id;
        return 0;
    }
    if (c->node_id == c->broker_id)
        return 0;
    errmsg_set(msg, "node.id is %lld and broker.id is %lld; they must be the same",
               (long long)c->node_id, (long long)c->broker_id);
    return E_INVALID;
}

static int finish_log_dirs(struct config *c, struct errmsg *msg)
{
    struct str rest = str_of(c->log_dirs != NULL ? c->log_dirs : c->log_dir), item;

    ASSERT(c->n_parsed_log_dirs == 0);
    while (text_next(&rest, ',', &item)) {
        if (c->n_parsed_log_dirs == LOG_DIRS_MAX) {
            errmsg_set(msg, "log.dirs: more than %d directories", LOG_DIRS_MAX);
            return E_INVALID;
        }
        c->parsed_log_dirs = xrealloc_array(c->parsed_log_dirs, (size_t)c->n_parsed_log_dirs + 1,
                                            sizeof(c->parsed_log_dirs[0]));
        c->parsed_log_dirs[c->n_parsed_log_dirs++] = str_dup(item);
    }
    ASSERT(c->n_parsed_log_dirs > 0); /* CONFIG_RULE_NOT_EMPTY */
    return 0;
}

static int64_t or_else(int64_t v, int64_t other)
{
    return v == CONFIG_NULL ? other : v;
}

/* KafkaConfig.logRetentionTimeMillis and its kin: milliseconds, else minutes, else hours. */
static void finish_times(struct config *c)
{
    int64_t minutes = c->log_retention_minutes;
    int64_t retention_ms =
        minutes == CONFIG_NULL ? c->log_retention_hours * MS_PER_HOUR : minutes * MS_PER_MINUTE;

    retention_ms = or_else(c->log_retention_ms, retention_ms);
    c->effective_log_retention_ms = retention_ms < 0 ? -1 : retention_ms;
    c->effective_log_roll_ms = or_else(c->log_roll_ms, c->log_roll_hours * MS_PER_HOUR);
    c->effective_log_roll_jitter_ms =
        or_else(c->log_roll_jitter_ms, c->log_roll_jitter_hours * MS_PER_HOUR);
    c->effective_log_flush_ms =
        or_else(c->log_flush_interval_ms, c->log_flush_scheduler_interval_ms);
}

/* ---- rules ------------------------------------------------------------------------------- */

static int require(bool holds, struct errmsg *msg, const char *otherwise)
{
    if (holds)
        return 0;
    errmsg_set(msg, "%s", otherwise);
    return E_INVALID;
}

static int check_times(const struct config *c, struct errmsg *msg)
{
    int rc = require(c->effective_log_retention_ms != 0, msg,
                     "log.retention.ms must be unlimited (-1) or, equal or greater than 1");

    if (rc == 0)
        rc = require(c->effective_log_roll_ms >= 1, msg,
                     "log.roll.ms must be greater than or equal to 1");
    if (rc == 0)
        rc = require(c->effective_log_roll_jitter_ms >= 0, msg,
                     "log.roll.jitter.ms must be greater than or equal to 0");
    if (rc == 0)
        rc = require(c->effective_log_flush_ms >= 0, msg,
                     "log.flush.interval.ms must be greater than or equal to 0");
    if (rc == 0)
        rc = require(c->connection_failed_authentication_delay_ms < c->connections_max_idle_ms ||
                         c->connections_max_idle_ms <= 0,
                     msg,
                     "connection.failed.authentication.delay.ms should always be less than "
                     "connections.max.idle.ms to prevent failed authentication responses from "
                     "timing out");
    return rc;
}

static int check_sizes(const struct config *c, struct errmsg *msg)
{
    int64_t threads = MAX(c->log_cleaner_threads, 1);
    int rc = require(c->log_cleaner_dedupe_buffer_size / threads > DEDUPE_BYTES_MIN, msg,
                     "log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread.");

    if (rc == 0)
        rc = require(c->queued_max_request_bytes <= 0 ||
                         c->queued_max_request_bytes >= c->socket_request_max_bytes,
                     msg,
                     "queued.max.request.bytes must be larger or equal to "
                     "socket.request.max.bytes");
    if (rc == 0)
        rc = require(c->max_connections_per_ip > 0 || c->max_connections_per_ip_overrides[0] != 0,
                     msg,
                     "max.connections.per.ip can be set to zero only if "
                     "max.connections.per.ip.overrides property is set.");
    return rc;
}

static int check_roles(const struct config *c, struct errmsg *msg)
{
    return require(config_list_has(c->process_roles, "broker"), msg,
                   "process.roles must contain broker, because this process is one");
}

/* Pairs of which the first may not be larger, or must be smaller, than the second. */
#define FIELD(f) offsetof(struct config, f)
#define RANGE_OF(group, what)                                                                      \
    {FIELD(group##_min_##what), FIELD(group##_max_##what), false},                                 \
        {FIELD(group##_min_##what), FIELD(group##_##what), false},                                 \
    {                                                                                              \
        FIELD(group##_##what), FIELD(group##_max_##what), false                                    \
    }
static const struct order {
    size_t small_at, large_at;
    bool must_differ;
} orders[] = {
    {FIELD(log_cleaner_min_compaction_lag_ms), FIELD(log_cleaner_max_compaction_lag_ms), false},
    {FIELD(group_min_session_timeout_ms), FIELD(group_max_session_timeout_ms), false},
    RANGE_OF(group_consumer, heartbeat_interval_ms),
    RANGE_OF(group_consumer, session_timeout_ms),
    RANGE_OF(group_consumer, assignment_interval_ms),
    {FIELD(group_consumer_heartbeat_interval_ms), FIELD(group_consumer_session_timeout_ms), true},
    RANGE_OF(group_share, heartbeat_interval_ms),
    RANGE_OF(group_share, session_timeout_ms),
    RANGE_OF(group_share, assignment_interval_ms),
    RANGE_OF(group_share, record_lock_duration_ms),
    RANGE_OF(group_share, delivery_count_limit),
    RANGE_OF(group_share, partition_max_record_locks),
    {FIELD(group_share_heartbeat_interval_ms), FIELD(group_share_session_timeout_ms), true},
    RANGE_OF(group_streams, heartbeat_interval_ms),
    RANGE_OF(group_streams, session_timeout_ms),
    RANGE_OF(group_streams, assignment_interval_ms),
    {FIELD(group_streams_heartbeat_interval_ms), FIELD(group_streams_session_timeout_ms), true},
    {FIELD(group_streams_num_standby_replicas), FIELD(group_streams_max_standby_replicas), false},
    {FIELD(group_streams_num_warmup_replicas), FIELD(group_streams_max_warmup_replicas), false},
    {FIELD(group_streams_min_task_offset_interval_ms), FIELD(group_streams_task_offset_interval_ms),
     false},
};

static int check_orders(const struct config *c, struct errmsg *msg)
{
    for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
        int64_t small = *(const int64_t *)((const char *)c + orders[i].small_at);
        int64_t large = *(const int64_t *)((const char *)c + orders[i].large_at);

        if (small < large || (small == large && !orders[i].must_differ))
            continue;
        errmsg_set(msg, "%s (%lld) must be less than %s%s (%lld)", config_setting_at(orders[i].small_at)->name,
                   (long long)small, orders[i].must_differ ? "" : "or equal to ",
                   config_setting_at(orders[i].large_at)->name, (long long)large);
        return E_INVALID;
    }
    return 0;
}

int finish_values(struct config *c, struct errmsg *msg)
{
    int rc = finish_node_id(c, msg);

    if (rc == 0)
        rc = finish_log_dirs(c, msg);
    if (rc < 0)
        return rc;
    rc = check_roles(c, msg);
    return rc < 0 ? rc : finish_changed(c, msg);
}

int finish_changed(struct config *c, struct errmsg *msg)
{
    int rc;

    finish_times(c);
    rc = check_times(c, msg);
    if (rc == 0)
        rc = check_sizes(c, msg);
    if (rc == 0)
        rc = config_check_ip_limits(c, msg);
    if (rc == 0)
        rc = check_orders(c, msg);
    return rc;
}
