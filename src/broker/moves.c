/* Partitions that move between log directories (ReplicaManager.alterReplicaLogDirs, AssignmentsManager).
 *
 * Owner: broker.moves, core thread; one entry for each partition that moves. log_move does the work (src/log/move.c).
 *
 * Happy path: broker_move_log -> the metadata names the directory where the log is, durably -> it is copied while it serves -> switching: a
 *             compaction of it is dropped -> switched: the metadata names the new directory -> when that is durable: log_move_end. What a
 *             stop or a kill has interrupted is begun anew after the start (logm_n_futures).
 * Invariant:  the metadata always names one of two copies, and that one has all that was promised: a log is let go only when the record
 *             is durable.
 * Failures:   one that ends early is said in the log, and the partition stays where it is. While the metadata cannot be written
 *             the log stays held: the broker is about to end then.
 */
#include "parts.h"

#define THROTTLE "replica.alter.log.dirs.io.max.bytes.per.second"

struct move {
    struct log_move v;
    struct statelog_wait wait;
    struct list link; /* in broker.moves */
    struct broker *b;
    char *topic;
    struct uuid topic_id;
    int32_t partition;
    bool has_begun; /* v is at work */
    int then;       /* where it is wanted meanwhile; -1 */
};

static const char *value_of(const struct broker *b, struct str broker_name)
{
    int n;
    const struct config_pair *pairs = meta_configs(b->meta, META_RESOURCE_BROKER, broker_name, &n);

    for (int i = 0; i < n; i++)
        if (str_is(pairs[i].name, THROTTLE))
            return pairs[i].value.p;
    return NULL;
}

/* Directories that something moves to; each takes one partition at a time. */
static int64_t n_targets(const struct broker *b)
{
    int64_t n = 0;

    for (int dir = 0; dir < logm_n_dirs(b->logm); dir++) {
        bool any = false;

        LIST_FOREACH(it, &b->moves)
        {
            any |= CONTAINER_OF(it, struct move, link)->v.dir == dir;
        }
        n += any;
    }
    return n;
}

/* Of the broker's own value, the cluster's, or none, the part of each directory. (Kafka's quota is one for all of them, too.) */
static int64_t bytes_per_second(const struct broker *b)
{
    char name[16];
    const char *text;
    int64_t all;

    snprintf(name, sizeof(name), "%d", b->node_id);
    text = value_of(b, str_of(name));
    if (!text)
        text = value_of(b, str_of(""));
    if (!text)
        return INT64_MAX;
    all = strtoll(text, NULL, 10);
    return all > 0 ? MAX(all / MAX(n_targets(b), 1), 1) : 0;
}

static struct meta_topic *topic_of(const struct move *mv)
{
    struct meta_topic *t = meta_topic(mv->b->meta, str_of(mv->topic));

    return t && uuid_eq(t->id, mv->topic_id) && mv->partition < t->n_partitions ? t : NULL;
}

static void move_free(struct move *mv)
{
    list_remove(&mv->link);
    free(mv->topic);
    free(mv);
}

static bool switching(struct log_move *v)
{
    struct move *mv = CONTAINER_OF(v, struct move, v);

    return !mv->b->cleaner || cleaner_let_go(mv->b->cleaner, v->log);
}

static void named(struct statelog_wait *w, int rc)
{
    struct move *mv = CONTAINER_OF(w, struct move, wait);

    if (rc == 0)
        log_move_end(&mv->v);
    else
        log_move_lost(&mv->v);
}

static int switched(struct log_move *v)
{
    struct move *mv = CONTAINER_OF(v, struct move, v);
    struct meta_topic *t = topic_of(mv);
    int rc = t ? meta_assign_dir(mv->b->meta, t, mv->partition, v->dir) : E_CANCELED;

    if (rc == 0)
        meta_after(mv->b->meta, &mv->wait, named);
    return rc;
}

static void tell(const struct move *mv, int rc)
{
    const char *dir = logm_dir_path(mv->b->logm, mv->v.dir);

    if (rc == 0)
        diag_info("%s-%d was moved to %s", mv->topic, mv->partition, dir);
    else if (rc != E_CANCELED)
        diag_error("%s-%d was not moved to %s: %s", mv->topic, mv->partition, dir, err_text(rc));
}

static void done(struct log_move *v, int rc)
{
    struct move *mv = CONTAINER_OF(v, struct move, v);
    struct broker *b = mv->b;
    struct meta_topic *t = b->stopping || b->freeing ? NULL : topic_of(mv);
    int then = mv->then, partition = mv->partition;

    if (!b->freeing)
        statelog_wait_cancel(&mv->wait);
    tell(mv, rc);
    move_free(mv);
    if (t && then >= 0)
        broker_move_log(b, t, partition, then);
    if (t)
        broker_moves_configured(b); /* the others get its part */
}

static void old_is_named(struct statelog_wait *w, int rc)
{
    struct move *mv = CONTAINER_OF(w, struct move, wait);
    struct meta_topic *t = topic_of(mv);
    struct log *log = t ? t->partitions[mv->partition].log : NULL;

    if (rc == 0 && (!log || mv->b->stopping))
        rc = E_CANCELED;
    if (rc == 0)
        rc = log_move_begin(log, &mv->v);
    mv->has_begun = rc == 0;
    if (rc < 0)
        done(&mv->v, rc);
}

static struct move *move_of(const struct broker *b, const struct meta_topic *t, int32_t partition)
{
    LIST_FOREACH(it, &b->moves)
    {
        struct move *mv = CONTAINER_OF(it, struct move, link);

        if (mv->partition == partition && uuid_eq(mv->topic_id, t->id))
            return mv;
    }
    return NULL;
}

/* Where the metadata names neither of two copies, a start could not tell which counts. */
static void begin(struct broker *b, struct meta_topic *t, int32_t partition, int from, int dir)
{
    struct move *mv = xcalloc(1, sizeof(*mv));
    int rc = 0;

    mv->b = b;
    mv->topic = xstrdup(t->name);
    mv->topic_id = t->id;
    mv->partition = partition;
    mv->then = -1;
    list_init(&mv->link);
    list_push(&b->moves, &mv->link);
    mv->v.dir = dir;
    mv->v.switching = switching;
    mv->v.switched = switched;
    mv->v.done = done;
    if (broker_dir_of(b, t->partitions[partition].dir_id) != from)
        rc = meta_assign_dir(b->meta, t, partition, from);
    if (rc < 0) {
        done(&mv->v, rc);
        return;
    }
    broker_moves_configured(b);
    meta_after(b->meta, &mv->wait, old_is_named);
}

void broker_move_log(struct broker *b, struct meta_topic *t, int32_t partition, int dir)
{
    struct log *log = t->partitions[partition].log;
    struct move *mv = move_of(b, t, partition);

    ASSERT(dir >= 0);
    ASSERT(log);
    if (mv && mv->v.dir == dir) {
        mv->then = -1;
    } else if (mv) {
        mv->then = dir;
        if (mv->has_begun)
            log_move_cancel(&mv->v); /* which may be its end */
        else
            done(&mv->v, E_CANCELED);
    } else if (log_dir_index(log) != dir) {
        begin(b, t, partition, log_dir_index(log), dir);
    }
}

void broker_moves_configured(struct broker *b)
{
    int64_t rate =
        list_empty(&b->moves) ? 0 : bytes_per_second(b); /* none while the metadata is being read */

    LIST_FOREACH(it, &b->moves)
    {
        struct move *mv = CONTAINER_OF(it, struct move, link);

        if (mv->has_begun)
            log_move_set_rate(&mv->v, rate);
        else
            mv->v.bytes_per_second = rate;
    }
}

/* A copy of what is nowhere else: of a topic that was deleted, or of a partition that is lost. */
static void leave_alone(struct broker *b, int i, bool is_known)
{
    const struct logm_future *f = logm_future_get(b->logm, i);

    if (is_known)
        diag_warn("%s is left from moving a partition that is nowhere else; it is not used",
                  f->path);
    else
        (void)logm_future_set_stray(b->logm, i); /* said where it happens */
}

void broker_moves_go_on(struct broker *b)
{
    for (int i = 0; i < logm_n_futures(b->logm); i++) {
        const struct logm_future *f = logm_future_get(b->logm, i);
        struct meta_topic *t = meta_topic_by_id(b->meta, f->topic_id);
        bool is_known = t && f->partition < t->n_partitions;
        struct log *log;

        if (f->path)
            leave_alone(b, i, is_known);
        if (f->path || !is_known || broker_log(b, t, f->partition, false, &log) < 0 || !log)
            continue;
        diag_info("%s-%d goes on moving to %s", t->name, f->partition,
                  logm_dir_path(b->logm, f->dir));
        broker_move_log(b, t, f->partition, f->dir);
    }
}

void broker_moves_release(struct broker *b)
{
    LIST_FOREACH_SAFE(it, &b->moves)
    {
        struct move *mv = CONTAINER_OF(it, struct move, link);

        if (!mv->has_begun) /* otherwise its log's end is its end */
            move_free(mv);
    }
}
