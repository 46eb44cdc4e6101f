/* The one who creates and deletes topics and looks at things.
 *
 * Owner: struct admin. Topics are created when nothing is known of them, and deleted where they are
 * of the sort that comes and goes.
 */
#include "world.h"

#define API_LIST_OFFSETS  2
#define API_METADATA      3
#define API_DESCRIBE_GROUPS 15
#define API_LIST_GROUPS   16
#define API_CREATE_TOPICS 19
#define API_DELETE_TOPICS 20
#define API_OFFSET_DELETE 47

struct admin {
    struct actor a;
    bool waiting;
};

static void next(struct admin *ad)
{
    ad->waiting = false;
    actor_sleep(&ad->a, ad->a.w->options.think_ms * 2);
}

static void expect_fault(struct admin *ad, const char *what, int16_t error)
{
    if (!world_faulty(ad->a.w))
        world_wrong(ad->a.w, "%s: %s", what, kafka_error_name(error));
}

/* ---- topics --------------------------------------------------------------------------------------- */

static void created(struct call *c, const void *reply)
{
    const struct create_topics_response *rsp = reply;
    struct admin *ad = c->arg;
    struct topic *t = &ad->a.w->topics[c->a];
    int16_t error;

    next(ad);
    if (!rsp)
        return;
    error = rsp->topics[0].error_code;
    world_event(ad->a.w, "create %s: %s", t->name, kafka_error_name(error));
    if (error != KE_NONE) {
        expect_fault(ad, "CreateTopics", error);
        return;
    }
    t->state = TOPIC_THERE;
    /* A directory that had failed when it was asked for is not given any. */
    for (int i = 0; i < t->n_parts; i++) {
        int dir = host_part_dir(ad->a.w, &t->parts[i]);

        if (dir >= 0 && (c->b & 1 << dir))
            world_wrong(ad->a.w, "partition %s-%d was given to a directory that has failed", t->name,
                        i);
    }
}

/* A bit for each. */
static int64_t dirs_offline(const struct world *w)
{
    int64_t mask = 0;

    for (int i = 0; i < w->options.n_dirs; i++)
        mask |= (int64_t)host_dir_offline(w, i) << i;
    return mask;
}

static void create(struct admin *ad, struct topic *t)
{
    struct create_topics_request rq;
    struct create_topics_request_topics row;
    struct kept_configs own;
    struct call *call;

    create_topics_request_init(&rq);
    create_topics_request_topics_init(&row);
    rq.timeout_ms = 30000;
    rq.topics = &row;
    rq.n_topics = 1;
    row.name = str_of(t->name);
    row.num_partitions = t->n_parts;
    row.replication_factor = 1;
    kept_topic_settings(t, &own);
    row.configs = own.rows;
    row.n_configs = own.n;
    t->state = TOPIC_MAYBE_THERE;
    model_reset(t);
    ad->waiting = true;
    call = link_send(ad->a.link, API_CREATE_TOPICS, 7, &rq, created, ad);
    call->a = t->index;
    call->b = dirs_offline(ad->a.w);
}

static void deleted(struct call *c, const void *reply)
{
    const struct delete_topics_response *rsp = reply;
    struct admin *ad = c->arg;
    struct topic *t = &ad->a.w->topics[c->a];
    int16_t error;

    next(ad);
    if (!rsp)
        return;
    error = rsp->responses[0].error_code;
    world_event(ad->a.w, "delete %s: %s", t->name, kafka_error_name(error));
    if (error == KE_NONE)
        t->state = TOPIC_ABSENT;
    else
        expect_fault(ad, "DeleteTopics", error);
}

static void delete (struct admin *ad, struct topic *t)
{
    struct delete_topics_request rq;
    struct delete_topics_request_topics row;

    delete_topics_request_init(&rq);
    delete_topics_request_topics_init(&row);
    rq.topics = &row;
    rq.n_topics = 1;
    rq.timeout_ms = 30000;
    row.name = str_of(t->name);
    t->state = TOPIC_MAYBE_REMOVED;
    ad->waiting = true;
    link_send(ad->a.link, API_DELETE_TOPICS, 6, &rq, deleted, ad)->a = t->index;
}

static void saw_topics(struct call *c, const void *reply)
{
    const struct metadata_response *rsp = reply;
    struct admin *ad = c->arg;
    struct world *w = ad->a.w;

    next(ad);
    for (int i = 0; i < w->n_topics && rsp; i++) {
        struct topic *t = &w->topics[i];
        const struct metadata_response_topics *row = NULL;

        for (int r = 0; r < rsp->n_topics; r++)
            if (str_is(rsp->topics[r].name, t->name) && rsp->topics[r].error_code == KE_NONE)
                row = &rsp->topics[r];
        if (!row && t->state == TOPIC_THERE)
            world_wrong(w, "topic %s was created and is not there", t->name);
        if (row && t->state == TOPIC_ABSENT)
            world_wrong(w, "topic %s was deleted and is there", t->name);
        if (row && row->n_partitions != t->n_parts)
            world_wrong(w, "topic %s has %d partitions", t->name, row->n_partitions);
        t->state = row ? TOPIC_THERE : TOPIC_ABSENT;
    }
}

static void look_at_topics(struct admin *ad)
{
    struct metadata_request rq;

    metadata_request_init(&rq);
    rq.n_topics = -1; /* null: all */
    ad->waiting = true;
    link_send(ad->a.link, API_METADATA, 12, &rq, saw_topics, ad);
}

/* ---- offsets, groups --------------------------------------------------------------------------------- */

/* The latest offset is past all that was read when it was asked for, the earliest is where the log begins. */
static void saw_offsets(struct call *c, const void *reply)
{
    const struct list_offsets_response *rsp = reply;
    const struct list_offsets_response_topics_partitions *row;
    struct admin *ad = c->arg;
    bool latest = c->a < 0;

    next(ad);
    if (!rsp)
        return;
    row = &rsp->topics[0].partitions[0];
    world_event(ad->a.w, "%s offset: %lld, %s", latest ? "latest" : "earliest",
                (long long)row->offset, kafka_error_name(row->error_code));
    if (row->error_code != KE_NONE && row->error_code != KE_UNKNOWN_TOPIC_OR_PARTITION)
        expect_fault(ad, "ListOffsets", row->error_code);
    else if (row->error_code == KE_NONE && (latest ? row->offset < c->b : row->offset != c->b))
        world_wrong(ad->a.w, "ListOffsets %s: %lld, %lld were there",
                    latest ? "latest" : "earliest", (long long)row->offset, (long long)c->b);
}

static int64_t end_of_read(const struct part *p)
{
    int64_t n = p->n;

    while (n > 0 && !(p->flags[n - 1] & SLOT_READ))
        n--;
    return n;
}

static void look_at_offsets(struct admin *ad, struct topic *t)
{
    struct list_offsets_request_topics_partitions row;
    struct list_offsets_request_topics topic;
    struct list_offsets_request rq;
    int part = (int)world_below(ad->a.w, (uint64_t)t->n_parts);
    bool latest = world_chance(ad->a.w, 600) || kept_has(&t->parts[part], POLICY_DELETE);
    int64_t there = latest ? end_of_read(&t->parts[part]) : t->parts[part].start;
    struct call *c;

    list_offsets_request_init(&rq);
    list_offsets_request_topics_init(&topic);
    list_offsets_request_topics_partitions_init(&row);
    rq.replica_id = -1;
    rq.topics = &topic;
    rq.n_topics = 1;
    topic.name = str_of(t->name);
    topic.partitions = &row;
    topic.n_partitions = 1;
    row.partition_index = part;
    row.timestamp = latest ? -1 : -2;
    ad->waiting = true;
    c = link_send(ad->a.link, API_LIST_OFFSETS, 7, &rq, saw_offsets, ad);
    c->a = row.timestamp == -1 ? -1 : 0;
    c->b = there;
}

static void saw_groups(struct call *c, const void *reply)
{
    const struct list_groups_response *rsp = reply;
    struct admin *ad = c->arg;

    next(ad);
    if (rsp && rsp->error_code != KE_NONE)
        expect_fault(ad, "ListGroups", rsp->error_code);
}

static void look_at_groups(struct admin *ad)
{
    struct list_groups_request rq;

    list_groups_request_init(&rq);
    ad->waiting = true;
    link_send(ad->a.link, API_LIST_GROUPS, 4, &rq, saw_groups, ad);
}

static bool is_group_error(int16_t error)
{
    return error == KE_COORDINATOR_NOT_AVAILABLE || error == KE_NOT_COORDINATOR ||
           error == KE_COORDINATOR_LOAD_IN_PROGRESS;
}

/* No partition is assigned twice. */
static void saw_group(struct call *c, const void *reply)
{
    static const char *const states[] = {"PreparingRebalance", "CompletingRebalance", "Stable", "Empty",
                                         "Dead"};
    const struct describe_groups_response *rsp = reply;
    const struct describe_groups_response_groups *g;
    struct admin *ad = c->arg;
    bool owned[PARTITIONS_MAX] = {false}, known = false;

    next(ad);
    if (!rsp)
        return;
    g = &rsp->groups[0];
    world_event(ad->a.w, "describe %.*s: %s %.*s, %d members", STR_ARG(g->group_id),
                kafka_error_name(g->error_code), STR_ARG(g->group_state), g->n_members);
    if (g->error_code != KE_NONE) {
        if (g->error_code != KE_GROUP_ID_NOT_FOUND && !is_group_error(g->error_code))
            expect_fault(ad, "DescribeGroups", g->error_code);
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(states); i++)
        known |= str_is(g->group_state, states[i]);
    if (!known)
        world_wrong(ad->a.w, "DescribeGroups: state %.*s", STR_ARG(g->group_state));
    for (int i = 0; str_is(g->group_state, "Stable") && i < g->n_members; i++) {
        const struct bytes own = g->members[i].member_assignment;

        for (size_t k = 0; k < own.n; k++) {
            if (own.p[k] >= PARTITIONS_MAX || owned[own.p[k]])
                world_wrong(ad->a.w, "DescribeGroups: partition %d is assigned twice", own.p[k]);
            owned[own.p[k]] = true;
        }
    }
}

static void look_at_group(struct admin *ad, struct group_model *g)
{
    struct describe_groups_request rq;
    struct str name = str_of(g->name);

    describe_groups_request_init(&rq);
    rq.groups = &name;
    rq.n_groups = 1;
    ad->waiting = true;
    link_send(ad->a.link, API_DESCRIBE_GROUPS, 5, &rq, saw_group, ad);
}

static void deleted_offsets(struct call *c, const void *reply)
{
    const struct offset_delete_response *rsp = reply;
    struct admin *ad = c->arg;
    struct group_model *g = &ad->a.w->groups[c->a];

    next(ad);
    if (!rsp)
        return; /* they may be there or not */
    world_event(ad->a.w, "delete offsets of %s: %s", g->name, kafka_error_name(rsp->error_code));
    if (rsp->error_code != KE_NONE && rsp->error_code != KE_GROUP_ID_NOT_FOUND &&
        rsp->error_code != KE_NON_EMPTY_GROUP && !is_group_error(rsp->error_code)) {
        expect_fault(ad, "OffsetDelete", rsp->error_code);
        return;
    }
    for (int p = 0; p < g->topic->n_parts; p++) {
        int16_t error = rsp->error_code;

        if (error == KE_NONE)
            error = rsp->topics[0].partitions[p].error_code;
        if (rsp->error_code == KE_NONE && error != KE_NONE && error != KE_GROUP_SUBSCRIBED_TO_TOPIC)
            expect_fault(ad, "OffsetDelete", error);
        else
            group_model_delete_ended(g, p, error == KE_NONE);
    }
}

static void delete_offsets(struct admin *ad, int group)
{
    struct group_model *g = &ad->a.w->groups[group];
    struct offset_delete_request_topics_partitions rows[PARTITIONS_MAX];
    struct offset_delete_request_topics topic;
    struct offset_delete_request rq;

    offset_delete_request_init(&rq);
    offset_delete_request_topics_init(&topic);
    for (int p = 0; p < g->topic->n_parts; p++) {
        offset_delete_request_topics_partitions_init(&rows[p]);
        rows[p].partition_index = p;
    }
    rq.group_id = str_of(g->name);
    rq.topics = &topic;
    rq.n_topics = 1;
    topic.name = str_of(g->topic->name);
    topic.partitions = rows;
    topic.n_partitions = g->topic->n_parts;
    ad->waiting = true;
    group_model_delete_begins(g);
    link_send(ad->a.link, API_OFFSET_DELETE, 0, &rq, deleted_offsets, ad)->a = group;
}

static void see_to_groups(struct admin *ad)
{
    struct world *w = ad->a.w;
    int group = w->n_groups ? (int)world_below(w, (uint64_t)w->n_groups) : -1;

    if (group < 0 || world_chance(w, 300))
        look_at_groups(ad);
    else if (world_chance(w, 600) || w->groups[group].topic->state != TOPIC_THERE)
        look_at_group(ad, &w->groups[group]);
    else
        delete_offsets(ad, group);
}

/* ---- steps --------------------------------------------------------------------------------------------- */

/* True when a topic's state asks for something. */
static bool settle_topics(struct admin *ad)
{
    struct world *w = ad->a.w;

    for (int i = 0; i < w->n_topics; i++) {
        struct topic *t = &w->topics[i];

        if (t->state == TOPIC_MAYBE_THERE || t->state == TOPIC_MAYBE_REMOVED) {
            look_at_topics(ad);
            return true;
        }
        if (t->state == TOPIC_ABSENT && (!t->churn || world_chance(w, 300)) && !w->draining) {
            create(ad, t);
            return true;
        }
    }
    return false;
}

static void step(struct actor *a)
{
    struct admin *ad = CONTAINER_OF(a, struct admin, a);
    struct world *w = a->w;
    struct topic *t = &w->topics[world_below(w, (uint64_t)w->n_topics)];

    if (ad->waiting || !actor_connect(a) || settle_topics(ad))
        return;
    if (t->churn && t->state == TOPIC_THERE && world_chance(w, 100) && !w->draining)
        delete (ad, t);
    else if (t->state == TOPIC_THERE && world_chance(w, 600))
        look_at_offsets(ad, t);
    else if (world_chance(w, 600))
        see_to_groups(ad);
    else
        look_at_topics(ad);
}

static bool idle(const struct actor *a)
{
    return !CONTAINER_OF(a, const struct admin, a)->waiting;
}

static void release(struct actor *a)
{
    free(CONTAINER_OF(a, struct admin, a));
}

struct actor *admin_new(struct world *w)
{
    struct admin *ad = xcalloc(1, sizeof(*ad));

    actor_add(w, &ad->a, "admin", 0, step);
    ad->a.idle = idle;
    ad->a.release = release;
    return &ad->a;
}
