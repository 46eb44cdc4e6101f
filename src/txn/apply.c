/* Applying records: the only place where what is durable changes.
 *
 * Owner: struct txn_shard, core thread.
 *
 * Happy path: key -> transactional id; value -> all that is known of it, in place of what was; a
 *             tombstone forgets it. (TransactionStateManager.loadTransactionMetadata)
 * Failures:   a record that cannot be read is reported and skipped: it stays in the log.
 */
#include "internal.h"

#define VALUE_VERSION_MAX 1

struct applying {
    struct txn_shard *s;
    const struct statelog_record *r;
    struct wire_reader key, value;
};

static void apply_values(struct transaction *t, const struct transaction_log_value *v)
{
    struct txnm *m = t->shard->m;
    bool goes_on = t->v.state == TXN_ONGOING && v->transaction_start_timestamp_ms == t->v.start_ms;

    m->producer_id_next = MAX(m->producer_id_next, MIN(MAX(v->producer_id, v->next_producer_id), INT64_MAX - 1) + 1);
    m->n_ongoing -= t->v.state == TXN_ONGOING;
    transaction_set_producer(t, v->producer_id);
    t->v = (struct txn_values){
        .producer_id = v->producer_id,
        .previous_producer_id = v->previous_producer_id,
        .next_producer_id = v->next_producer_id,
        .producer_epoch = v->producer_epoch,
        .timeout_ms = v->transaction_timeout_ms,
        .state = (enum txn_state)v->transaction_status,
        .start_ms = v->transaction_start_timestamp_ms,
        .update_ms = v->transaction_last_update_timestamp_ms,
        .client_version = v->client_transaction_version,
    };
    m->n_ongoing += t->v.state == TXN_ONGOING;
    if (t->v.state == TXN_ONGOING && !goes_on)
        txn_time_begins(t);
}

static void apply_partitions(struct transaction *t, const struct transaction_log_value *v)
{
    txn_topics_clear(t);
    for (int32_t i = 0; i < v->n_transaction_partitions; i++) {
        const struct transaction_log_value_transaction_partitions *row =
            &v->transaction_partitions[i];

        for (int32_t j = 0; j < row->n_partition_ids; j++)
            txn_topics_append(t, row->topic, row->partition_ids[j]);
    }
    txn_topics_sort(t);
}

static int apply_value(struct applying *a, struct str id)
{
    int16_t version = wire_get_int16(&a->value);
    struct transaction *t = transaction_find(a->s, id);
    struct transaction_log_value v;

    if (version < 0 || version > VALUE_VERSION_MAX ||
        transaction_log_value_decode(&v, &a->value, version) < 0)
        return E_CORRUPT;
    if (v.transaction_status < 0 || v.transaction_status >= TXN_DEAD)
        return E_CORRUPT; /* what follows is never written */
    if (!t)
        t = transaction_add(a->s, id, v.producer_id);
    apply_values(t, &v);
    apply_partitions(t, &v);
    return 0;
}

static int apply(struct applying *a)
{
    struct transaction_log_key key;
    struct transaction *t;

    if (wire_get_int16(&a->key) != 0 || transaction_log_key_decode(&key, &a->key, 0) < 0)
        return E_CORRUPT;
    if (a->r->value.p)
        return apply_value(a, key.transactional_id);
    t = transaction_find(a->s, key.transactional_id);
    if (t)
        transaction_remove(t);
    return 0;
}

void txn_shard_apply(void *machine, const struct statelog_record *r)
{
    struct applying a = {.s = CHECKED_CAST(machine, struct txn_shard, TXN_SHARD_MAGIC), .r = r};
    struct arena arena;

    if (r->control)
        return;
    arena_init(&arena);
    wire_reader_init(&a.key, r->key, &arena);
    wire_reader_init(&a.value, r->value, &arena);
    if (apply(&a) < 0)
        diag_error("__transaction_state-%d at offset %lld: a record cannot be read and is skipped",
                   a.s->index, (long long)r->offset);
    arena_release(&arena);
}
