/* The one who moves partitions between log directories, where there are several.
 *
 * Owner: struct mover. Any partition, of the coordinators' topics too, to any directory, also while it moves already; at a pace that it
 * changes now and then. In the end every move must come to its end.
 */
#include "world.h"

#define API_ALTER_LOG_DIRS    34
#define API_DESCRIBE_LOG_DIRS 35
#define API_ALTER_CONFIGS     44
#define BROKER_RESOURCE       4

struct mover {
    struct actor a;
    bool waiting;
    bool is_slow; /* a pace may have been set */
};

static void next(struct mover *m)
{
    m->waiting = false;
    actor_sleep(&m->a, m->a.w->options.think_ms * 3);
}

/* ---- moving --------------------------------------------------------------------------------------- */

static void answered(struct call *c, const void *reply)
{
    const struct alter_replica_log_dirs_response *rsp = reply;
    struct mover *m = c->arg;
    struct world *w = m->a.w;
    int16_t error;

    next(m);
    if (!rsp)
        return;
    error = rsp->results[0].partitions[0].error_code;
    world_event(w, "move %.*s-%lld to directory %lld: %s", STR_ARG(rsp->results[0].topic_name),
                (long long)c->a, (long long)c->b, kafka_error_name(error));
    if (error != KE_NONE && error != KE_REPLICA_NOT_AVAILABLE && !world_faulty(w))
        world_wrong(w, "AlterReplicaLogDirs: %s", kafka_error_name(error));
    w->n_moves += error == KE_NONE;
}

static void move(struct mover *m)
{
    struct alter_replica_log_dirs_request_dirs_topics topic;
    struct alter_replica_log_dirs_request_dirs row;
    struct alter_replica_log_dirs_request rq;
    struct world *w = m->a.w;
    int i = (int)world_below(w, (uint64_t)w->n_topics + 2),
        dir = (int)world_below(w, (uint64_t)w->options.n_dirs);
    int32_t partition =
        (int32_t)world_below(w, i < w->n_topics ? (uint64_t)w->topics[i].n_parts : 2);
    char path[HOST_DIR_MAX];
    struct call *c;

    alter_replica_log_dirs_request_init(&rq);
    alter_replica_log_dirs_request_dirs_init(&row);
    alter_replica_log_dirs_request_dirs_topics_init(&topic);
    rq.dirs = &row;
    rq.n_dirs = 1;
    row.path = str_of(host_dir(w, dir, path));
    row.topics = &topic;
    row.n_topics = 1;
    topic.name = str_of(i < w->n_topics    ? w->topics[i].name
                        : i == w->n_topics ? "__consumer_offsets"
                                           : "__transaction_state");
    topic.partitions = &partition;
    topic.n_partitions = 1;
    m->waiting = true;
    c = link_send(m->a.link, API_ALTER_LOG_DIRS, 2, &rq, answered, m);
    c->a = partition;
    c->b = dir;
}

/* ---- its pace ------------------------------------------------------------------------------------- */

static void pace_set(struct call *c, const void *reply)
{
    const struct incremental_alter_configs_response *rsp = reply;
    struct mover *m = c->arg;

    next(m);
    if (!rsp)
        return;
    world_event(m->a.w, "pace %lld: %s", (long long)c->a,
                kafka_error_name(rsp->responses[0].error_code));
    if (rsp->responses[0].error_code != KE_NONE && !world_faulty(m->a.w))
        world_wrong(m->a.w, "IncrementalAlterConfigs: %s",
                    kafka_error_name(rsp->responses[0].error_code));
    m->is_slow = c->a >= 0 || rsp->responses[0].error_code != KE_NONE;
}

/* -1: none. */
static void set_pace(struct mover *m, int64_t bytes)
{
    struct incremental_alter_configs_request_resources_configs config;
    struct incremental_alter_configs_request_resources row;
    struct incremental_alter_configs_request rq;
    char text[24];

    incremental_alter_configs_request_init(&rq);
    incremental_alter_configs_request_resources_init(&row);
    incremental_alter_configs_request_resources_configs_init(&config);
    snprintf(text, sizeof(text), "%lld", (long long)bytes);
    rq.resources = &row;
    rq.n_resources = 1;
    row.resource_type = BROKER_RESOURCE;
    row.resource_name = STR("");
    row.configs = &config;
    row.n_configs = 1;
    config.name = STR("replica.alter.log.dirs.io.max.bytes.per.second");
    config.config_operation = bytes < 0; /* DELETE */
    config.value = bytes < 0 ? (struct str){NULL, 0} : str_of(text);
    m->waiting = true;
    m->is_slow = true;
    link_send(m->a.link, API_ALTER_CONFIGS, 1, &rq, pace_set, m)->a = bytes;
}

/* ---- what is where -------------------------------------------------------------------------------- */

/* In how many directories a partition is. */
struct places {
    int n_current, n_future, current_dir, future_dir;
};

static struct places places_of(const struct describe_log_dirs_response *rsp, const struct topic *t,
                               int32_t partition)
{
    struct places at = {0, 0, -1, -1};

    for (int d = 0; d < rsp->n_results; d++)
        for (int i = 0; i < rsp->results[d].n_topics; i++)
            for (int k = 0; k < rsp->results[d].topics[i].n_partitions &&
                            str_is(rsp->results[d].topics[i].name, t->name);
                 k++) {
                const struct describe_log_dirs_response_results_topics_partitions *p =
                    &rsp->results[d].topics[i].partitions[k];

                if (p->partition_index != partition)
                    continue;
                *(p->is_future_key ? &at.n_future : &at.n_current) += 1;
                *(p->is_future_key ? &at.future_dir : &at.current_dir) = d;
                if (p->offset_lag < 0 || (!p->is_future_key && p->offset_lag > 0))
                    world_wrong(t->w, "DescribeLogDirs: a lag of %lld", (long long)p->offset_lag);
            }
    return at;
}

static void saw_dirs(struct call *c, const void *reply)
{
    const struct describe_log_dirs_response *rsp = reply;
    struct mover *m = c->arg;
    struct world *w = m->a.w;

    next(m);
    for (int i = 0; rsp && i < w->n_topics; i++)
        for (int p = 0; p < w->topics[i].n_parts; p++) {
            struct places at = places_of(rsp, &w->topics[i], p);

            if (at.n_current > 1 || at.n_future > 1 ||
                (at.n_future && at.current_dir == at.future_dir))
                world_wrong(w, "%s-%d is in %d directories, and moves to %d", w->topics[i].name, p,
                            at.n_current, at.n_future);
        }
}

static void look(struct mover *m)
{
    struct describe_log_dirs_request rq;

    describe_log_dirs_request_init(&rq);
    rq.n_topics = -1; /* null: all */
    m->waiting = true;
    link_send(m->a.link, API_DESCRIBE_LOG_DIRS, 4, &rq, saw_dirs, m);
}

/* ---- steps ---------------------------------------------------------------------------------------- */

static void step(struct actor *a)
{
    static const int64_t paces[] = {-1, -1, 0, 2000, 50000};
    struct mover *m = CONTAINER_OF(a, struct mover, a);
    struct world *w = a->w;

    if (m->waiting || !actor_connect(a))
        return;
    if (w->draining && m->is_slow)
        set_pace(m, -1);
    else if (w->draining || world_chance(w, 200))
        look(m);
    else if (world_chance(w, 150))
        set_pace(m, paces[world_below(w, ARRAY_SIZE(paces))]);
    else
        move(m);
}

static bool idle(const struct actor *a)
{
    const struct mover *m = CONTAINER_OF(a, const struct mover, a);
    const struct broker *b = a->w->host.broker;

    return !m->waiting && !m->is_slow && b && list_empty((struct list *)&b->moves);
}

static void release(struct actor *a)
{
    free(CONTAINER_OF(a, struct mover, a));
}

struct actor *mover_new(struct world *w)
{
    struct mover *m = xcalloc(1, sizeof(*m));

    actor_add(w, &m->a, "mover", 0, step);
    m->a.idle = idle;
    m->a.release = release;
    return &m->a;
}
