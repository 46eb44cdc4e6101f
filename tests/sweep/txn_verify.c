/* What must follow from what the transactional clients know.
 *
 * Owner: nobody; struct txns is the caller's.
 *
 *     at any time     nothing of a transaction that was aborted, or whose commit was never asked for; what a reader saw stays
 *     nothing faulty  all of a transaction whose commit was answered, where no other is open before it
 *     settled         the others one way, the same in all partitions and in the offset; nothing is open; and what was found stays so
 */
#include "txn_client.h"

#include "report.h"

#define API_DESCRIBE_PRODUCERS 61
#define API_LIST_TRANSACTIONS  66

/* How many records of a transaction are there; they must be whole, once and in order. */
static int count(const struct txn_view *view, int part, int txn)
{
    int n = 0;

    for (int i = 0; i < view->n; i++) {
        if (view->records[i] / TXN_PART_RECORDS != txn)
            continue;
        if (view->records[i] % TXN_PART_RECORDS != n)
            violation("%s-%d offset %lld: transaction %d: record %d where %d is due", TXN_TOPIC,
                      part, (long long)view->offsets[i], txn, view->records[i] % TXN_PART_RECORDS,
                      n);
        n++;
    }
    if (n != 0 && n != TXN_PART_RECORDS)
        violation("%s-%d: transaction %d: %d records of %d", TXN_TOPIC, part, txn, n,
                  TXN_PART_RECORDS);
    return n;
}

static void compare_txn(struct txns *t, int number, const struct txn_view *views, bool whole,
                        bool settled)
{
    struct txn *txn = &t->txns[number];
    bool must_be = txn->outcome == TXN_COMMITTED,
         may_be = txn->outcome != TXN_ABORTED && txn->commit_sent;
    unsigned seen = 0, stable = 0;

    for (int i = 0; i < TXN_PARTS; i++) {
        seen |= (unsigned)(count(&views[i], i, number) > 0) << i;
        stable |= (unsigned)views[i].stable << i;
    }
    if (seen & ~txn->parts)
        violation("transaction %d is in partitions that it was not sent to", number);
    if (seen && !may_be)
        violation("transaction %d (%s) is seen in partitions %x", number,
                  txn->outcome == TXN_ABORTED ? "aborted" : "never committed", seen);
    if ((txn->parts & stable & ~seen) && must_be && whole)
        violation("transaction %d was committed to partitions %x, and is seen in %x", number,
                  txn->parts, seen);
    if (!settled)
        return;
    if (seen && seen != txn->parts)
        violation("transaction %d ended both ways: of partitions %x it is seen in %x", number,
                  txn->parts, seen);
    txn->outcome = seen ? TXN_COMMITTED : TXN_ABORTED;
}

static void compare_read(const struct txns *t, int part, const struct txn_view *view)
{
    const struct txn_view *read = &t->read[part];

    for (int i = 0; i < read->n; i++)
        if (i >= view->n || view->records[i] != read->records[i] ||
            view->offsets[i] != read->offsets[i]) {
            violation("%s-%d: a reader saw record %d at offset %lld, now it is %d of %d", TXN_TOPIC,
                      part, read->records[i], (long long)read->offsets[i],
                      i < view->n ? view->records[i] : -1, view->n);
            return;
        }
}

/* The last transaction with an offset that was committed has its say. */
static void compare_offset(struct client *c, const struct txns *t)
{
    int64_t offset = txns_read_offset(c), expected = -1;

    for (int i = 0; i < t->n_txns; i++)
        if (t->txns[i].offsets && t->txns[i].outcome == TXN_COMMITTED)
            expected = i;
    if (offset != expected && offset >= -1)
        violation("the committed offset is %lld, the last transaction with one that was committed "
                  "is %lld",
                  (long long)offset, (long long)expected);
}

static void verify_listed(struct client *c)
{
    struct list_transactions_request rq;
    const struct list_transactions_response *rsp;

    list_transactions_request_init(&rq);
    rsp = client_call(c, API_LIST_TRANSACTIONS, 1, &rq);
    for (int i = 0; rsp && i < rsp->n_transaction_states; i++) {
        struct str state = rsp->transaction_states[i].transaction_state;

        if (!str_is(state, "Empty") && !str_is(state, "CompleteCommit") &&
            !str_is(state, "CompleteAbort"))
            violation("%.*s is %.*s", STR_ARG(rsp->transaction_states[i].transactional_id),
                      STR_ARG(state));
    }
}

static void verify_none_open(struct client *c)
{
    struct describe_producers_request_topics topic;
    struct describe_producers_request rq;
    const struct describe_producers_response *rsp;
    int32_t indexes[TXN_PARTS];

    describe_producers_request_init(&rq);
    describe_producers_request_topics_init(&topic);
    rq.topics = &topic;
    rq.n_topics = 1;
    topic.name = STR(TXN_TOPIC);
    topic.partition_indexes = indexes;
    for (int i = 0; i < TXN_PARTS; i++)
        indexes[topic.n_partition_indexes++] = i;
    rsp = client_call(c, API_DESCRIBE_PRODUCERS, 0, &rq);
    for (int i = 0; rsp && i < rsp->topics[0].n_partitions; i++) {
        const struct describe_producers_response_topics_partitions *row =
            &rsp->topics[0].partitions[i];

        if (row->error_code != KE_NONE)
            violation("DescribeProducers: %s", kafka_error_name(row->error_code));
        for (int k = 0; k < row->n_active_producers; k++)
            if (row->active_producers[k].current_txn_start_offset >= 0)
                violation("%s-%d: a transaction is open from offset %lld on", TXN_TOPIC,
                          row->partition_index,
                          (long long)row->active_producers[k].current_txn_start_offset);
    }
}

void txns_verify(struct client *c, struct txns *t, bool settled)
{
    struct txn_view views[TXN_PARTS];

    if (!t->topic_there)
        return;
    for (int i = 0; i < TXN_PARTS; i++) {
        if (client_gone(c) || !txns_read(c, t, i, &views[i], settled))
            return;
        compare_read(t, i, &views[i]);
    }
    for (int i = 0; i < t->n_txns; i++)
        compare_txn(t, i, views, c->must_work, settled);
    memcpy(t->read, views, sizeof(views));
    if (!settled)
        return;
    compare_offset(c, t);
    verify_listed(c);
    verify_none_open(c);
}
