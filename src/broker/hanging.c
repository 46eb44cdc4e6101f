/* Transactions that a log has open and their coordinator does not end.
 *
 * Owner: broker.hanging, core thread.
 *
 * A write and the coordinator's note of it are two records in two logs, and so are a marker and the note that all markers are
 * written. After a crash one may be there without the other: pages reach the disk in any order, log directories fail one by one,
 * and topics that are not durable keep what they keep. Left alone, such a transaction would hold up readers of committed records
 * for ever, and what its producer sends next would be in no transaction of the coordinator's (Apache Kafka's "hanging
 * transactions"; there a deleted __transaction_state leaves them, too).
 *
 * Happy path: a log is opened and has a transaction open, or the coordinator's topic has been deleted -> noted -> at the end of the
 *             start, or in the next turn: txnm_fate -> nothing to do, put into its transaction again, or a marker.
 * Invariant:  nothing is decided before all transactional ids are known; after an unclean stop all is decided before anybody
 *             is served. With the coordinator's topic, nothing is ended before its deletion is durable: a power cut may bring
 *             the topic back. What it had committed for good stays committed.
 * Failures:   what cannot be written now is tried again every second; while a shard of the coordinator is offline nothing
 *             is decided.
 */
#include "parts.h"

#include "record.h"

#define RETRY_MS 1000

struct hanging {
    struct list link; /* in broker.hanging */
    char *topic;
    int32_t partition;
};

/* A transaction whose coordinator was deleted after it was committed: markers may be missing. */
struct decided {
    struct list link; /* in broker.decided */
    int64_t producer_id;
    int16_t producer_epoch; /* of its records */
};

static void hanging_free(struct hanging *h)
{
    list_remove(&h->link);
    free(h->topic);
    free(h);
}

static void settle_at(struct broker *b, int64_t after_ms)
{
    timer_set(&b->env->timers, &b->hanging_timer,
              mono_after_ms(clock_mono(b->env->clock), after_ms));
}

void broker_hanging_look(struct broker *b, struct log *log)
{
    struct hanging *h;

    if (!b->txns || b->stopping || log_stable_offset(log) == log_end_offset(log) ||
        PLANTED(leave_hanging))
        return;
    h = xcalloc(1, sizeof(*h));
    h->topic = xstrdup(log_topic(log));
    h->partition = log_partition(log);
    list_push(&b->hanging, &h->link);
    settle_at(b, 0);
}

/* ---- one transaction */

static int end(struct broker *b, struct log *log, const struct log_producer *p, bool committed)
{
    struct txn_marker marker = {.producer_id = p->producer_id,
                                .producer_epoch = p->producer_epoch,
                                .coordinator_epoch = MAX(p->coordinator_epoch, 0),
                                .committed = committed};
    struct log *to;
    int64_t end_offset;
    int16_t error;
    int rc = broker_write_marker(b, str_of(log_topic(log)), log_partition(log), &marker, &to,
                                 &end_offset, &error);

    if (rc == 0 && error)
        diag_warn("%s-%d refused the marker of a hanging transaction of producer %lld: %s",
                  log_topic(log), log_partition(log), (long long)p->producer_id,
                  kafka_error_name(error));
    return rc;
}

static const char *what_becomes(enum txn_fate fate)
{
    return fate == TXN_FATE_JOINS       ? "goes on"
           : fate == TXN_FATE_COMMITTED ? "is committed"
                                        : "is aborted";
}

static bool was_committed(const struct broker *b, const struct log_producer *p)
{
    LIST_FOREACH(it, &b->decided)
    {
        const struct decided *d = CONTAINER_OF(it, struct decided, link);

        if (d->producer_id == p->producer_id && d->producer_epoch == p->producer_epoch)
            return true;
    }
    return false;
}

static bool settle_one(struct broker *b, struct log *log, const struct log_producer *p)
{
    struct str topic = str_of(log_topic(log));
    int32_t partition = log_partition(log);
    enum txn_fate fate = txnm_fate(b->txns, p->producer_id, p->producer_epoch, topic, partition);
    bool done;

    if (fate == TXN_FATE_OPEN)
        return true;
    if (fate == TXN_FATE_ABORTED && was_committed(b, p))
        fate = TXN_FATE_COMMITTED;
    if (fate == TXN_FATE_JOINS)
        done = txnm_join(b->txns, p->producer_id, topic, partition) == KE_NONE;
    else
        done = end(b, log, p, fate == TXN_FATE_COMMITTED) == 0;
    if (done)
        diag_info(
            "%s-%d: a transaction of producer %lld, epoch %d, that its coordinator has lost %s",
            log_topic(log), partition, (long long)p->producer_id, p->producer_epoch,
            what_becomes(fate));
    return done;
}

/* ---- one log */

static bool settle_log(struct broker *b, struct log *log)
{
    uint32_t n = log_n_producers(log);
    struct log_producer *producers = xcalloc(MAX(n, 1u), sizeof(*producers));
    bool all = true;

    log_producers_list(log, producers);
    for (uint32_t i = 0; i < n; i++)
        if (producers[i].txn_first_offset >= 0)
            all &= settle_one(b, log, &producers[i]);
    free(producers);
    return all;
}

/* Whether there is nothing more to do. */
static bool settle(struct broker *b, const struct hanging *h)
{
    struct meta_topic *t = meta_topic(b->meta, str_of(h->topic));
    struct log *log = NULL;

    if (!t || h->partition >= t->n_partitions || broker_log(b, t, h->partition, false, &log) < 0 ||
        !log)
        return true;
    return settle_log(b, log);
}

/* ---- all of them */

static void settle_all(struct broker *b)
{
    bool known =
        shards_all_loaded(b->txn_shards) && !broker_topic_is_being_deleted(b, TRANSACTION_TOPIC);

    LIST_FOREACH_SAFE(it, &b->hanging)
    {
        struct hanging *h = CONTAINER_OF(it, struct hanging, link);

        if (known && settle(b, h))
            hanging_free(h);
    }
    if (!list_empty(&b->hanging))
        settle_at(b, RETRY_MS);
}

static void settle_fired(struct timer *timer)
{
    settle_all(CONTAINER_OF(timer, struct broker, hanging_timer));
}

/* ---- the coordinator's topic is deleted */

static void keep_decision(void *arg, int64_t producer_id, int16_t producer_epoch)
{
    struct broker *b = arg;
    struct decided *d = xcalloc(1, sizeof(*d));

    d->producer_id = producer_id;
    d->producer_epoch = producer_epoch;
    list_push(&b->decided, &d->link);
}

void broker_hanging_coordinator_goes(struct broker *b)
{
    txnm_each_committed(b->txns, keep_decision, b);
}

static void look_at_all(struct broker *b)
{
    struct meta_topic **topics = meta_topics_sorted(b->meta);

    for (int i = 0; i < meta_n_topics(b->meta); i++)
        for (int32_t p = 0; p < topics[i]->n_partitions; p++)
            if (topics[i]->partitions[p].log)
                broker_hanging_look(b, topics[i]->partitions[p].log);
}

void broker_hanging_coordinator_gone(struct broker *b)
{
    look_at_all(b);
}

/* ---- life */

void broker_hanging_init(struct broker *b)
{
    list_init(&b->hanging);
    list_init(&b->decided);
    timer_init(&b->hanging_timer, settle_fired);
}

void broker_hanging_start(struct broker *b)
{
    if (!logm_was_clean(b->logm))
        look_at_all(b);
    settle_all(b);
}

void broker_hanging_stop(struct broker *b)
{
    timer_cancel(&b->env->timers, &b->hanging_timer);
    LIST_FOREACH_SAFE(it, &b->hanging)
    {
        hanging_free(CONTAINER_OF(it, struct hanging, link));
    }
    LIST_FOREACH_SAFE(it, &b->decided)
    {
        struct decided *d = CONTAINER_OF(it, struct decided, link);

        list_remove(&d->link);
        free(d);
    }
}
