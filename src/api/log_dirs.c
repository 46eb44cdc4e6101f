/* DescribeLogDirs (ReplicaManager.describeLogDirs): what each log directory holds.
 *
 * Owner: the request; rows live in its arena.
 *
 * Happy path: each directory -> its space -> the partitions that were asked for and lie in it, by topic.
 * Failures:   a directory that is offline is KAFKA_STORAGE_ERROR and shows nothing.
 */
#include "rows.h"

/* What was asked for, sorted out once: per topic either all partitions, or those with a mark. */
struct wanted_topic {
    struct meta_topic *t;
    bool *partitions; /* NULL: all */
};
struct description {
    struct request *rq;
    struct wanted_topic *topics;
    int n_topics;
};

static void want_all(struct description *d)
{
    struct meta *m = d->rq->broker->meta;
    struct meta_topic **topics = meta_topics_sorted(m);

    d->n_topics = meta_n_topics(m);
    d->topics = arena_array(&d->rq->arena, (size_t)d->n_topics, sizeof(*d->topics));
    for (int i = 0; i < d->n_topics; i++)
        d->topics[i] = (struct wanted_topic){.t = topics[i]};
}

/* Unknown topics and partitions are left out, as in Kafka. */
static void want_some(struct description *d, const struct describe_log_dirs_request *body)
{
    struct arena *a = &d->rq->arena;

    d->topics = arena_array(a, (size_t)body->n_topics, sizeof(*d->topics));
    for (int32_t i = 0; i < body->n_topics; i++) {
        const struct describe_log_dirs_request_topics *asked = &body->topics[i];
        struct meta_topic *t = meta_topic(d->rq->broker->meta, asked->topic);
        bool *marks;

        if (!t)
            continue;
        marks = arena_array(a, (size_t)t->n_partitions, sizeof(*marks));
        for (int32_t p = 0; p < asked->n_partitions; p++)
            if (asked->partitions[p] >= 0 && asked->partitions[p] < t->n_partitions)
                marks[asked->partitions[p]] = true;
        d->topics[d->n_topics++] = (struct wanted_topic){t, marks};
    }
}

/* Where the partition lies; *size is 0 while nothing was written to it. -1 when it cannot be told. */
static int dir_of(struct description *d, struct meta_topic *t, int32_t i, uint64_t *size)
{
    struct broker *b = d->rq->broker;
    struct log *log;

    *size = 0;
    if (broker_log(b, t, i, false, &log) < 0)
        return -1;
    if (log) {
        *size = log_size_bytes(log);
        return log_dir_index(log);
    }
    for (int dir = 0; dir < logm_n_dirs(b->logm); dir++)
        if (uuid_eq(logm_dir_id(b->logm, dir), t->partitions[i].dir_id))
            return dir;
    return 0;
}

static void add_topic(struct description *d, const struct wanted_topic *w, int dir,
                      struct describe_log_dirs_response_results *row)
{
    struct describe_log_dirs_response_results_topics *topic = &row->topics[row->n_topics];

    describe_log_dirs_response_results_topics_init(topic);
    topic->name = arena_str(&d->rq->arena, str_of(w->t->name));
    topic->partitions =
        arena_array(&d->rq->arena, (size_t)w->t->n_partitions, sizeof(*topic->partitions));
    topic->n_partitions = 0;
    for (int32_t i = 0; i < w->t->n_partitions; i++) {
        struct describe_log_dirs_response_results_topics_partitions *p =
            &topic->partitions[topic->n_partitions];
        uint64_t size;

        if ((w->partitions && !w->partitions[i]) || dir_of(d, w->t, i, &size) != dir)
            continue;
        describe_log_dirs_response_results_topics_partitions_init(p);
        p->partition_index = i;
        p->partition_size = (int64_t)size;
        topic->n_partitions++;
    }
    if (topic->n_partitions > 0)
        row->n_topics++;
}

static void describe_dir(struct description *d, int dir,
                         struct describe_log_dirs_response_results *row)
{
    struct broker *b = d->rq->broker;
    struct vfs_space space;

    describe_log_dirs_response_results_init(row);
    row->log_dir = str_of(logm_dir_path(b->logm, dir));
    if (logm_dir_offline(b->logm, dir)) {
        row->error_code = KE_KAFKA_STORAGE_ERROR;
        return;
    }
    if (vfs_space(b->env->vfs, logm_dir_path(b->logm, dir), &space) == 0) {
        row->total_bytes = (int64_t)space.total_bytes;
        row->usable_bytes = (int64_t)space.free_bytes;
    }
    row->topics = arena_array(&d->rq->arena, (size_t)d->n_topics, sizeof(*row->topics));
    row->n_topics = 0;
    for (int i = 0; i < d->n_topics; i++)
        add_topic(d, &d->topics[i], dir, row);
}

void api_describe_log_dirs_handle(struct request *rq)
{
    const struct describe_log_dirs_request *body = rq->body;
    struct describe_log_dirs_response *rsp = rq->response;
    struct description d = {.rq = rq};
    int n = logm_n_dirs(rq->broker->logm);

    rsp->throttle_time_ms = rq->throttle_ms;
    if (!request_allowed(rq, ACL_DESCRIBE, RESOURCE_CLUSTER, CLUSTER_RESOURCE_NAME)) {
        rsp->error_code = KE_CLUSTER_AUTHORIZATION_FAILED;
        request_reply(rq);
        return;
    }
    if (body->n_topics < 0)
        want_all(&d);
    else
        want_some(&d, body);
    rsp->results = arena_array(&rq->arena, (size_t)n, sizeof(*rsp->results));
    rsp->n_results = n;
    for (int i = 0; i < n; i++)
        describe_dir(&d, i, &rsp->results[i]);
    request_reply_after_meta(rq);
}
