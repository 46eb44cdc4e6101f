/* AlterReplicaLogDirs (ReplicaManager.alterReplicaLogDirs): in which log directory partitions lie.
 *
 * Owner: the request; rows live in its arena.
 *
 * Happy path: each partition, of two directories for one the last -> it is there already, or was never written to: then only the
 *             metadata changes -> the reply when that is durable. One with records begins to move (broker/moves.c), and the reply does
 *             not wait for it; naming the directory where it is ends a move. For a partition that does not exist yet the directory
 *             is remembered until it is made.
 * Failures:   per partition.
 */
#include "rows.h"

struct wish {
    struct str topic, path;
    int32_t partition;
    int32_t order; /* in the request */
};

static int by_partition(const void *a, const void *b)
{
    const struct wish *x = a, *y = b;
    int rc = memcmp(x->topic.p, y->topic.p, MIN(x->topic.n, y->topic.n));

    if (rc == 0 && x->topic.n != y->topic.n)
        rc = x->topic.n < y->topic.n ? -1 : 1;
    if (rc == 0 && x->partition != y->partition)
        rc = x->partition < y->partition ? -1 : 1;
    return rc ? rc : x->order - y->order;
}

static bool same_topic(const struct wish *x, const struct wish *y)
{
    return x->topic.n == y->topic.n && memcmp(x->topic.p, y->topic.p, x->topic.n) == 0;
}

static int32_t count_wishes(const struct alter_replica_log_dirs_request *body)
{
    int32_t n = 0;

    for (int32_t d = 0; d < body->n_dirs; d++)
        for (int32_t t = 0; t < body->dirs[d].n_topics; t++)
            n += body->dirs[d].topics[t].n_partitions;
    return n;
}

/* By topic and partition. */
static struct wish *sorted_wishes(struct request *rq, int32_t *n)
{
    const struct alter_replica_log_dirs_request *body = rq->body;
    struct wish *wishes = arena_array(&rq->arena, (size_t)count_wishes(body), sizeof(*wishes));

    *n = 0;
    for (int32_t d = 0; d < body->n_dirs; d++)
        for (int32_t t = 0; t < body->dirs[d].n_topics; t++)
            for (int32_t p = 0; p < body->dirs[d].topics[t].n_partitions; p++, ++*n)
                wishes[*n] = (struct wish){.topic = body->dirs[d].topics[t].name,
                                           .path = body->dirs[d].path,
                                           .partition = body->dirs[d].topics[t].partitions[p],
                                           .order = *n};
    if (*n > 0)
        qsort(wishes, (size_t)*n, sizeof(*wishes), by_partition);
    return wishes;
}

/* ---- one partition ----------------------------------------------------------------------------- */

static int dir_named(const struct logm *m, struct str path)
{
    for (int i = 0; i < logm_n_dirs(m); i++)
        if (str_is(path, logm_dir_path(m, i)))
            return i;
    return -1;
}

static int16_t place(struct broker *b, struct meta_topic *t, int32_t partition, int dir)
{
    struct log *log;

    if (api_partition_offline(b, &t->partitions[partition]) || broker_log(b, t, partition, false, &log) < 0)
        return KE_KAFKA_STORAGE_ERROR;
    if (log)
        broker_move_log(b, t, partition, dir);
    if (log && log_dir_index(log) != dir)
        return KE_NONE;
    if (broker_dir_of(b, t->partitions[partition].dir_id) == dir)
        return KE_NONE;
    return (int16_t)err_kafka(meta_assign_dir(b->meta, t, partition, dir));
}

static int16_t alter(struct broker *b, const struct wish *w)
{
    struct meta_topic *t = meta_topic(b->meta, w->topic);
    int dir = dir_named(b->logm, w->path);

    if (dir < 0)
        return KE_LOG_DIR_NOT_FOUND;
    if (logm_dir_offline(b->logm, dir))
        return KE_KAFKA_STORAGE_ERROR;
    if (t && w->partition >= 0 && w->partition < t->n_partitions)
        return place(b, t, w->partition, dir);
    if (w->partition >= 0 && meta_topic_name_valid(w->topic, NULL))
        meta_prefer_dir(b->meta, w->topic, w->partition, dir);
    return KE_REPLICA_NOT_AVAILABLE;
}

/* ---- the reply --------------------------------------------------------------------------------- */

static void answer_topic(struct request *rq, const struct wish *wishes, int32_t n, bool allowed,
                         struct alter_replica_log_dirs_response_results *row)
{
    alter_replica_log_dirs_response_results_init(row);
    row->topic_name = wishes[0].topic;
    row->partitions = arena_array(&rq->arena, (size_t)n, sizeof(*row->partitions));
    row->n_partitions = 0;
    for (int32_t i = 0; i < n; i++) {
        struct alter_replica_log_dirs_response_results_partitions *p;

        if (i + 1 < n && wishes[i + 1].partition == wishes[i].partition)
            continue;
        p = &row->partitions[row->n_partitions++];
        alter_replica_log_dirs_response_results_partitions_init(p);
        p->partition_index = wishes[i].partition;
        p->error_code = allowed ? alter(rq->broker, &wishes[i]) : KE_CLUSTER_AUTHORIZATION_FAILED;
    }
}

void api_alter_replica_log_dirs_handle(struct request *rq)
{
    struct alter_replica_log_dirs_response *rsp = rq->response;
    bool allowed = request_allowed(rq, ACL_ALTER, RESOURCE_CLUSTER, CLUSTER_RESOURCE_NAME);
    int32_t n;
    const struct wish *wishes = sorted_wishes(rq, &n);

    rsp->throttle_time_ms = rq->throttle_ms;
    rsp->results = arena_array(&rq->arena, (size_t)n, sizeof(*rsp->results));
    rsp->n_results = 0;
    for (int32_t from = 0, to; from < n; from = to) {
        for (to = from + 1; to < n && same_topic(&wishes[from], &wishes[to]);)
            to++;
        answer_topic(rq, wishes + from, to - from, allowed, &rsp->results[rsp->n_results++]);
    }
    request_reply_after_meta(rq);
}
