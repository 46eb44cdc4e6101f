/* Records of __transaction_state, proposed (TransactionLog.keyToBytes, valueToBytes).
 *
 *     key    i16 0 | transactional id
 *     value  i16 version | fields          null: a tombstone
 *
 * Version 1 from transaction.version 1 on, as Kafka 4.4 writes it; 0 before.
 */
#include "internal.h"

static void put_key(struct statelog_proposal *p, struct wire_writer *w, struct str id)
{
    struct transaction_log_key key = {.transactional_id = id};

    statelog_proposal_begin(p);
    wire_writer_init(w, &p->bytes);
    wire_put_int16(w, 0);
    transaction_log_key_encode(&key, w, 0);
    statelog_proposal_key_end(p);
}

/* ---- the partitions */

/* Of the transaction, and those that are added: `all` is for their names and numbers. */
static void gather(const struct txn_proposal *p, struct transaction *all)
{
    for (const struct txn_topic *t = p->t ? p->t->topics : NULL; t; t = t->hh.next)
        for (int32_t i = 0; i < t->n; i++)
            txn_topics_append(all, t->name, t->partitions[i]);
    for (int32_t i = 0; i < p->n_more; i++)
        txn_topics_append(all, p->more[i].topic, p->more[i].partition);
    txn_topics_sort(all);
}

/* Borrows from `all`. The array is the caller's. */
static void put_partitions(const struct transaction *all, struct transaction_log_value *value)
{
    value->transaction_partitions = xcalloc(MAX(HASH_CNT(hh, all->topics), 1u),
                                            sizeof(*value->transaction_partitions));
    for (const struct txn_topic *t = all->topics; t; t = t->hh.next) {
        struct transaction_log_value_transaction_partitions *row =
            &value->transaction_partitions[value->n_transaction_partitions++];

        row->topic = t->name;
        row->partition_ids = t->partitions;
        row->n_partition_ids = t->n;
    }
}

/* ---- proposing */

static void put_value(const struct txn_proposal *p, struct statelog_proposal *to,
                      struct wire_writer *w)
{
    const struct txnm_options *o = &p->shard->m->options;
    int16_t version = o->transaction_version(o->arg) >= TXN_VERSION_1 ? 1 : 0;
    struct transaction all = {0};
    struct transaction_log_value value;

    transaction_log_value_init(&value);
    value.producer_id = p->v.producer_id;
    value.producer_epoch = p->v.producer_epoch;
    value.transaction_timeout_ms = p->v.timeout_ms;
    value.transaction_status = (int8_t)p->v.state;
    value.transaction_last_update_timestamp_ms = p->v.update_ms;
    value.transaction_start_timestamp_ms = p->v.start_ms;
    if (version >= 1) {
        value.previous_producer_id = p->v.previous_producer_id;
        value.next_producer_id = p->v.next_producer_id;
        value.client_transaction_version = p->v.client_version;
    }
    gather(p, &all);
    if (p->v.state == TXN_EMPTY)
        value.n_transaction_partitions = -1; /* null */
    else
        put_partitions(&all, &value);
    wire_put_int16(w, version);
    transaction_log_value_encode(&value, w, version);
    statelog_proposal_value_end(to);
    free(value.transaction_partitions);
    txn_topics_clear(&all);
}

static int send(struct txn_shard *s, struct statelog_proposal *p, struct wire_writer *w)
{
    int rc;

    ASSERT(s->log);
    wire_writer_release(w);
    rc = statelog_proposal_send(p, s->log);
    statelog_proposal_release(p);
    return rc;
}

int txn_propose(const struct txn_proposal *p)
{
    struct transaction *t = transaction_find(p->shard, p->id);
    struct statelog_proposal out;
    struct wire_writer w;

    ASSERT(IMPLIES(p->t, p->t == t));
    ASSERT(txn_move_allowed(t ? t->v.state : TXN_EMPTY, p->v.state, p->v.client_version));
    ASSERT(p->v.producer_id >= 0);
    ASSERT(p->v.producer_epoch >= 0);
    ASSERT(IMPLIES(p->v.state == TXN_EMPTY, !p->t && p->n_more == 0));
    statelog_proposal_init(&out);
    put_key(&out, &w, p->id);
    put_value(p, &out, &w);
    return send(p->shard, &out, &w);
}

int txn_propose_tombstone(struct transaction *t)
{
    struct statelog_proposal out;
    struct wire_writer w;

    ASSERT(txn_move_allowed(t->v.state, TXN_DEAD, t->v.client_version));
    statelog_proposal_init(&out);
    put_key(&out, &w, t->id);
    return send(t->shard, &out, &w);
}
