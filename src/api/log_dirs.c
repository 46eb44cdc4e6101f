/* DescribeLogDirs (ReplicaManager.describeLogDirs): what each log directory holds.
 *
 * Owner: the request; rows live in its arena.
 *
 * Happy path: each directory -> its space -> the partitions that were asked for and lie in it, by topic.
 * Failures:   a directory that is offline is KAFKA_STORAGE_ERROR and shows nothing.
 */
#include "rows.h"

/* What was asked for, sorted out once. */
#define NOT_WANTED (-1) /* or it cannot be told where it is */
struct place {
    int dir;
    uint64_t size_bytes; /* 0 while nothing was written to it */
    int future_dir;      /* where it moves to; NOT_WANTED: it does not */
    uint64_t future_bytes;
    int64_t future_lag;
};
struct wanted_topic {
    struct meta_topic *t;
    struct place *places; /* of each partition */
};
struct description {
    struct request *rq;
    struct wanted_topic *topics;
    int n_topics;
};

/* After the switch there is one copy that counts, or soon will: no future one is shown. */
static struct place place_of_log(const struct log *log)
{
    struct place p = {.dir = log_dir_index(log), .size_bytes = log_size_bytes(log), .future_dir = NOT_WANTED};
    const struct log_move *v = log_moving(log);

    if (v && v->dir != p.dir) {
        p.future_dir = v->dir;
        p.future_bytes = log_move_size_bytes(v);
        p.future_lag = MAX(0, log_end_offset(log) - log_move_end_offset(v));
    }
    return p;
}

static struct place place_of(struct description *d, struct meta_topic *t, int32_t i)
{
    struct broker *b = d->rq->broker;
    struct log *log;
    int dir;

    if (broker_log(b, t, i, false, &log) < 0)
        return (struct place){.dir = NOT_WANTED, .future_dir = NOT_WANTED};
    if (log)
        return place_of_log(log);
    dir = broker_dir_of(b, t->partitions[i].dir_id);
    return (struct place){.dir = MAX(dir, 0), .future_dir = NOT_WANTED};
}

static struct wanted_topic *want(struct description *d, struct meta_topic *t)
{
    struct wanted_topic *w = &d->topics[d->n_topics++];

    w->t = t;
    w->places = arena_array(&d->rq->arena, (size_t)t->n_partitions, sizeof(*w->places));
    return w;
}

static void want_all(struct description *d)
{
    struct meta *m = d->rq->broker->meta;
    struct meta_topic **topics = meta_topics_sorted(m);

    d->topics = arena_array(&d->rq->arena, (size_t)meta_n_topics(m), sizeof(*d->topics));
    for (int i = 0; i < meta_n_topics(m); i++) {
        struct wanted_topic *w = want(d, topics[i]);

        for (int32_t p = 0; p < topics[i]->n_partitions; p++)
            w->places[p] = place_of(d, topics[i], p);
    }
}

/* Unknown topics and partitions are left out, as in Kafka. */
static void want_some(struct description *d, const struct describe_log_dirs_request *body)
{
    d->topics = arena_array(&d->rq->arena, (size_t)body->n_topics, sizeof(*d->topics));
    for (int32_t i = 0; i < body->n_topics; i++) {
        const struct describe_log_dirs_request_topics *asked = &body->topics[i];
        struct meta_topic *t = meta_topic(d->rq->broker->meta, asked->topic);
        struct wanted_topic *w;

        if (!t)
            continue;
        w = want(d, t);
        for (int32_t p = 0; p < t->n_partitions; p++)
            w->places[p] = (struct place){.dir = NOT_WANTED, .future_dir = NOT_WANTED};
        for (int32_t p = 0; p < asked->n_partitions; p++)
            if (asked->partitions[p] >= 0 && asked->partitions[p] < t->n_partitions)
                w->places[asked->partitions[p]] = place_of(d, t, asked->partitions[p]);
    }
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

        bool is_future = w->places[i].future_dir == dir;

        if (w->places[i].dir != dir && !is_future)
            continue;
        describe_log_dirs_response_results_topics_partitions_init(p);
        p->partition_index = i;
        p->partition_size = (int64_t)(is_future ? w->places[i].future_bytes : w->places[i].size_bytes);
        p->offset_lag = is_future ? w->places[i].future_lag : 0;
        p->is_future_key = is_future;
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
