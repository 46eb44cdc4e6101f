/* What the transaction coordinator asks the broker for; its markers.
 *
 * Owner: broker.txns and broker.txn_shards, core thread. Its shards are loaded after those of groups, because transactions that are
 * found half-ended put markers there.
 */
#include "parts.h"

#include "record.h"

static void *shard_machine(struct broker *b, int32_t shard, int32_t leader_epoch)
{
    return txnm_shard(b->txns, shard, leader_epoch);
}

static void shard_loaded(void *machine, struct statelog *log)
{
    txn_shard_loaded(machine, log);
}

static const struct shards_kind kind = {.topic = TRANSACTION_TOPIC,
                                        .apply = txn_shard_apply,
                                        .machine = shard_machine,
                                        .loaded = shard_loaded};

int32_t broker_transactions_topic(struct broker *b)
{
    return shards_count(b->txn_shards);
}

/* ---- what the coordinator asks for */

static int32_t txn_n_shards(void *arg)
{
    return broker_transactions_topic(arg);
}

static int16_t txn_shard(void *arg, int32_t shard, struct statelog **out)
{
    return shards_get(((struct broker *)arg)->txn_shards, shard, out);
}

static bool txn_group_partition(void *arg, struct str group_id, struct str *topic,
                                int32_t *partition)
{
    int32_t n = broker_offsets_topic(arg);

    if (n <= 0)
        return false;
    *topic = STR(OFFSETS_TOPIC);
    *partition = group_shard_of(group_id, n);
    return true;
}

/* The id goes into the coordinator's log. Where that is in another directory than the metadata, it could outlive the
 * block that it is of, and be given out again: so the block is durable first. (Kafka's answer, too, while it has no block.) */
static int16_t txn_producer_id(void *arg, int64_t *out)
{
    struct broker *b = arg;

    if (broker_producer_id(b, out) < 0)
        return KE_COORDINATOR_NOT_AVAILABLE;
    if (logm_n_dirs(b->logm) > 1 &&
        log_high_watermark(b->metadata_log) < log_end_offset(b->metadata_log))
        return KE_COORDINATOR_LOAD_IN_PROGRESS;
    return KE_NONE;
}

static int16_t txn_version(void *arg)
{
    int n;
    const struct meta_feature *features = meta_features(((struct broker *)arg)->meta, &n);

    for (int i = 0; i < n; i++)
        if (strcmp(features[i].name, "transaction.version") == 0)
            return features[i].level;
    return TXN_VERSION_0;
}

/* ---- markers */

static enum control_type marker_type(const struct txn_marker *marker)
{
    return marker->committed ? CONTROL_COMMIT : CONTROL_ABORT;
}

/* Through the group coordinator's machine, which gives the offsets free. */
static int write_to_group(struct broker *b, int32_t partition, const struct txn_marker *marker,
                          struct log **log, int16_t *error)
{
    struct statelog_producer producer = {marker->producer_id, marker->producer_epoch};
    uint8_t value[MARKER_VALUE_BYTES];
    struct statelog *s;
    int rc;

    if (shards_get(b->offset_shards, partition, &s))
        return E_AGAIN;
    marker_value_put(value, marker->coordinator_epoch);
    rc = statelog_propose_marker(s, producer, marker_type(marker), bytes_of(value, sizeof(value)),
                                 marker->transaction_version, error);
    if (rc == 0 && !*error)
        *log = statelog_log(s);
    return rc;
}

static struct chunk *marker_batch(struct broker *b, const struct txn_marker *marker, size_t *n)
{
    struct batch_options options = BATCH_OPTIONS_NONE;
    uint8_t key[4], value[MARKER_VALUE_BYTES];
    struct batch_builder bb;
    struct chunk *chunk;
    struct buf out;
    int rc;

    options.attributes = BATCH_TRANSACTIONAL | BATCH_CONTROL;
    options.producer_id = marker->producer_id;
    options.producer_epoch = marker->producer_epoch;
    control_key_put(key, marker_type(marker));
    marker_value_put(value, marker->coordinator_epoch);
    buf_init(&out);
    batch_begin(&bb, &out, options);
    batch_add(&bb, clock_wall(b->env->clock).ms, bytes_of(key, sizeof(key)),
              bytes_of(value, sizeof(value)), NULL, 0);
    rc = batch_end(&bb);
    ASSERT(rc == 0);
    chunk = chunk_new(out.n);
    memcpy(chunk->data, out.p, out.n);
    *n = out.n;
    buf_release(&out);
    return chunk;
}

static int write_to_log(struct broker *b, struct meta_topic *t, int32_t partition,
                        const struct txn_marker *marker, struct log **log, int16_t *error)
{
    struct log_append a = {.origin = LOG_FROM_COORDINATOR,
                           .transaction_version = marker->transaction_version};
    struct log *to;
    int rc = broker_log(b, t, partition, true, &to);

    if (rc < 0)
        return rc;
    a.chunk = marker_batch(b, marker, &a.n_bytes);
    a.p = a.chunk->data;
    rc = log_append(to, &a);
    chunk_unref(a.chunk);
    *error = a.error;
    if (rc == 0 && !a.error)
        *log = to;
    return rc;
}

int broker_write_marker(struct broker *b, struct str topic, int32_t partition,
                        const struct txn_marker *marker, struct log **log, int64_t *end,
                        int16_t *error)
{
    struct meta_topic *t = meta_topic(b->meta, topic);
    int rc;

    ASSERT_CORE();
    *log = NULL;
    *error = KE_NONE;
    if (!t || partition < 0 || partition >= t->n_partitions) {
        *error = KE_UNKNOWN_TOPIC_OR_PARTITION;
        return 0;
    }
    if (strcmp(t->name, TRANSACTION_TOPIC) == 0) { /* the coordinator's own: nobody writes to it in a transaction */
        *error = KE_INVALID_TOPIC_EXCEPTION;
        return 0;
    }
    if (strcmp(t->name, OFFSETS_TOPIC) == 0)
        rc = write_to_group(b, partition, marker, log, error);
    else
        rc = write_to_log(b, t, partition, marker, log, error);
    if (rc == 0 && *log)
        *end = log_end_offset(*log);
    return rc;
}

/* What a partition refuses, or does not exist, needs no marker any more
 * (TransactionMarkerRequestCompletionHandler). */
static int txn_write_marker(void *arg, struct str topic, int32_t partition,
                            const struct txn_marker *marker, struct log **log, int64_t *end)
{
    int16_t error;
    int rc = broker_write_marker(arg, topic, partition, marker, log, end, &error);

    if (rc == 0 && error && error != KE_UNKNOWN_TOPIC_OR_PARTITION)
        diag_warn("%.*s-%d refused the marker of producer %lld, epoch %d: %s", STR_ARG(topic),
                  partition, (long long)marker->producer_id, marker->producer_epoch,
                  kafka_error_name(error));
    return rc;
}

/* ---- life */

void broker_txns_new(struct broker *b)
{
    struct txnm_options options = {.config = b->config,
                                   .shard = txn_shard,
                                   .n_shards = txn_n_shards,
                                   .group_partition = txn_group_partition,
                                   .producer_id = txn_producer_id,
                                   .write_marker = txn_write_marker,
                                   .transaction_version = txn_version,
                                   .arg = b};

    b->txn_shards = shards_new(b, &kind);
    b->txns = txnm_new(b->env, &options);
}
