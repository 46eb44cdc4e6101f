/* Partitions: which log belongs to which partition of the metadata.
 *
 * Owner: struct meta_partition.log, core thread. A partition that nobody wrote to has no directory
 * and no log: topics of ten thousand partitions cost a metadata record each and nothing more. A log
 * is opened when it is first asked for, and made by whoever writes first (or waits for the first
 * write).
 */
#include "parts.h"

int broker_dir_of(const struct broker *b, struct uuid id)
{
    for (int i = 0; i < logm_n_dirs(b->logm); i++)
        if (uuid_eq(logm_dir_id(b->logm, i), id))
            return i;
    return -1;
}

int broker_log(struct broker *b, struct meta_topic *t, int32_t partition, bool make,
               struct log **out)
{
    struct meta_partition *p;
    struct errmsg msg = {0};
    int rc;

    ASSERT(partition >= 0);
    ASSERT(partition < t->n_partitions);
    p = &t->partitions[partition];
    *out = p->log;
    if (p->log || (!make && !log_exists(b->logm, t->name, partition)))
        return 0;
    if (broker_topic_is_being_deleted(b, t->name)) {
        *out = NULL; /* an older topic of this name has not let go of its directories */
        return E_AGAIN;
    }
    rc = log_open(b->logm, t->name, partition, t->id, &t->config, p->leader_epoch,
                  broker_dir_of(b, p->dir_id), &p->log, &msg);
    if (rc < 0 && rc != E_OFFLINE) /* that was said once, where it happened */
        diag_error("cannot open a log: %s", msg.text); /* which begins with its name */
    *out = p->log;
    if (rc == 0)
        broker_hanging_look(b, p->log);
    return rc == E_CORRUPT ? E_OFFLINE : rc; /* it is not served, as when it is asked for again */
}

static void topic_created(void *arg, struct meta_topic *t)
{
    struct broker *b = arg;

    if (b->groups)
        groupm_topic_changed(b->groups, true);
}

static void partitions_added(void *arg, struct meta_topic *t, int32_t first_new)
{
    struct broker *b = arg;

    if (b->groups)
        groupm_topic_changed(b->groups, false);
}

/* A topic that the metadata has no more, while that is not durable: a power cut may still bring it
 * back, so its directories keep their names until then. */
struct deletion {
    struct statelog_wait wait;
    struct list link; /* in broker.deletions */
    struct broker *b;
    char *topic;
    struct statelog **shards; /* of a coordinator's topic: what still waits for them is told then */
    int32_t n_shards;
    int32_t n_logs;
    struct log *logs[];
};

static void deletion_free(struct deletion *d)
{
    for (int32_t i = 0; i < d->n_shards; i++)
        statelog_close(d->shards[i]);
    free(d->shards);
    list_remove(&d->link);
    free(d->topic);
    free(d);
}

static void deletion_durable(struct statelog_wait *w, int rc)
{
    struct deletion *d = CONTAINER_OF(w, struct deletion, wait);

    for (int32_t i = 0; i < d->n_shards; i++)
        if (d->shards[i])
            statelog_give_up(d->shards[i]);
    for (int32_t i = 0; rc == 0 && i < d->n_logs; i++)
        log_delete(d->logs[i]);
    if (rc == 0 && strcmp(d->topic, TRANSACTION_TOPIC) == 0)
        broker_hanging_coordinator_gone(d->b);
    deletion_free(d);
}

void broker_deletions_release(struct broker *b)
{
    LIST_FOREACH_SAFE(it, &b->deletions)
    {
        deletion_free(CONTAINER_OF(it, struct deletion, link));
    }
}

bool broker_topic_is_being_deleted(const struct broker *b, const char *topic)
{
    LIST_FOREACH(it, &b->deletions)
    {
        if (strcmp(CONTAINER_OF(it, struct deletion, link)->topic, topic) == 0)
            return true;
    }
    return false;
}

/* Its coordinator forgets all that it held, as when the partitions of Kafka's go to another broker, where they are empty. */
static void coordinator_deleted(struct broker *b, struct deletion *d)
{
    if (b->groups && strcmp(d->topic, OFFSETS_TOPIC) == 0) {
        groupm_forget(b->groups);
        d->shards = shards_take(b->offset_shards, &d->n_shards);
    } else if (b->txns && strcmp(d->topic, TRANSACTION_TOPIC) == 0) {
        broker_hanging_coordinator_goes(b);
        txnm_forget(b->txns);
        d->shards = shards_take(b->txn_shards, &d->n_shards);
    }
}

static void topic_deleted(void *arg, struct meta_topic *t)
{
    struct broker *b = arg;
    struct deletion *d = xcalloc(1, sizeof(*d) + (size_t)t->n_partitions * sizeof(d->logs[0]));

    d->b = b;
    d->topic = xstrdup(t->name);
    for (int32_t i = 0; i < t->n_partitions; i++) {
        struct log *log;

        if (broker_log(b, t, i, false, &log) == 0 && log) {
            d->logs[d->n_logs++] = log;
            if (b->cleaner)
                cleaner_forget(b->cleaner, log);
        }
        t->partitions[i].log = NULL;
    }
    list_push(&b->deletions, &d->link);
    coordinator_deleted(b, d);
    meta_after(b->meta, &d->wait, deletion_durable);
    if (b->groups)
        groupm_topic_deleted(b->groups, str_of(t->name));
}

static void topic_configured(void *arg, struct meta_topic *t)
{
    for (int32_t i = 0; i < t->n_partitions; i++)
        if (t->partitions[i].log)
            log_set_config(t->partitions[i].log, &t->config);
}

static void broker_configured(void *arg)
{
    struct broker *b = arg;

    if (b->cleaner)
        cleaner_configured(b->cleaner);
    broker_moves_configured(b);
}

struct meta_observer broker_observer(struct broker *b)
{
    return (struct meta_observer){.topic_created = topic_created,
                                  .partitions_added = partitions_added,
                                  .topic_deleted = topic_deleted,
                                  .topic_configured = topic_configured,
                                  .broker_configured = broker_configured,
                                  .arg = b};
}

/* Another log directory has the same partition, of the topic that its partition.metadata names. */
static bool has_namesake(const struct logm *m, int i)
{
    const struct logm_found *f = logm_found_get(m, i), *next;

    if (i + 1 == logm_n_found(m))
        return false;
    next = logm_found_get(m, i + 1); /* ids rise, zero is the first */
    return f->partition == next->partition && strcmp(f->topic, next->topic) == 0;
}

/* Whose topic is not known. partition.metadata is durable before any record of the partition is, so after an unclean stop such a
 * directory holds nothing that was promised, or it is what a deletion has left: Kafka sets it aside, too
 * (LogManager.isStrayKraftReplica). After a clean stop it is the only one's of its name: somebody has copied it here. */
static bool is_nobodys(const struct logm *m, int i)
{
    const struct logm_found *f = logm_found_get(m, i);

    return uuid_is_zero(f->topic_id) && !f->id_unread && (!f->was_clean || has_namesake(m, i));
}

static bool same_partition(const struct logm_found *x, const struct logm_found *y)
{
    return x->partition == y->partition && strcmp(x->topic, y->topic) == 0 && uuid_eq(x->topic_id, y->topic_id);
}

/* Two directories have this partition, for it was being moved from one to the other: the metadata says which counts. Where it names
 * neither, the one that comes first does. */
static bool is_other_copy(const struct broker *b, int i, const struct meta_topic *t)
{
    const struct logm_found *f = logm_found_get(b->logm, i);
    int named = broker_dir_of(b, t->partitions[f->partition].dir_id), first = i, n = logm_n_found(b->logm);
    bool is_there = false;

    while (first > 0 && same_partition(logm_found_get(b->logm, first - 1), f))
        first--;
    for (int k = first; k < n && same_partition(logm_found_get(b->logm, k), f); k++)
        is_there |= logm_found_get(b->logm, k)->dir == named;
    return is_there ? f->dir != named : i != first;
}

/* A directory that no topic of the metadata owns is set aside, as Kafka does: never removed, never
 * served. */
void broker_set_strays_aside(struct broker *b)
{
    for (int i = 0; i < logm_n_found(b->logm); i++) {
        const struct logm_found *f = logm_found_get(b->logm, i);
        struct meta_topic *t = meta_topic(b->meta, str_of(f->topic));
        bool same_id = t && !is_nobodys(b->logm, i) &&
                       (uuid_is_zero(f->topic_id) || uuid_eq(t->id, f->topic_id));

        same_id = same_id && f->partition < t->n_partitions;
        if (str_is(str_of(f->topic), METADATA_TOPIC) || (same_id && !is_other_copy(b, i, t)))
            continue;
        if (same_id)
            diag_warn("%s-%d was being moved; what is in %s does not count: setting it aside", f->topic, f->partition,
                      logm_dir_path(b->logm, f->dir));
        else
            diag_warn("the directory of %s-%d belongs to no topic of the metadata: setting it aside",
                      f->topic, f->partition);
        if (logm_found_set_stray(b->logm, i) < 0)
            diag_error("cannot set the directory of %s-%d aside", f->topic, f->partition);
    }
}

/* After an unclean stop every log is opened, and so recovered, before anything is served. One that
 * cannot be is left offline; the others are not held up. */
void broker_recover_all(struct broker *b)
{
    struct log *log;
    int n = 0;

    for (int i = 0; i < logm_n_found(b->logm); i++) {
        const struct logm_found *f = logm_found_get(b->logm, i);
        struct meta_topic *t = meta_topic(b->meta, str_of(f->topic));

        if (t && f->partition < t->n_partitions && broker_log(b, t, f->partition, false, &log) == 0)
            n += log != NULL;
    }
    if (n)
        diag_info("recovered %d logs after an unclean stop", n);
}

uint64_t broker_n_partitions(const struct broker *b)
{
    struct meta_topic **topics = meta_topics_sorted(b->meta);
    uint64_t n = 0;

    for (int i = 0; i < meta_n_topics(b->meta); i++)
        n += (uint64_t)topics[i]->n_partitions;
    return n;
}
