/* The one who creates, grows and deletes the topics of consumer groups.
 *
 * Owner: struct cg_admin. Whatever was asked for and not answered is looked up before the next.
 */
#include "cg.h"

#define API_METADATA          3
#define API_CREATE_TOPICS     19
#define API_DELETE_TOPICS     20
#define API_CREATE_PARTITIONS 37

struct cg_admin {
    struct actor a;
    struct cgroups *all;
    bool waiting;
};

static void next(struct cg_admin *ad)
{
    ad->waiting = false;
    actor_sleep(&ad->a, 2000);
}

/* Known again: the answer says what there is. Otherwise it is looked up. */
static void check(struct cg_admin *ad, const char *what, const struct cg_topic *t, int16_t error)
{
    world_event(ad->a.w, "%s %s: %s", what, t->name, kafka_error_name(error));
    if (error != KE_NONE && !world_faulty(ad->a.w))
        world_wrong(ad->a.w, "%s %s: %s", what, t->name, kafka_error_name(error));
}

static void saw(struct call *c, const void *reply)
{
    const struct metadata_response *rsp = reply;
    struct cg_admin *ad = c->arg;

    next(ad);
    for (int i = 0; i < ad->all->n_topics && rsp; i++) {
        struct cg_topic *t = &ad->all->topics[i];
        const struct metadata_response_topics *row = NULL;

        for (int r = 0; r < rsp->n_topics; r++)
            if (str_is(rsp->topics[r].name, t->name) && rsp->topics[r].error_code == KE_NONE)
                row = &rsp->topics[r];
        if (!t->unsure && t->there != (row != NULL))
            world_wrong(ad->a.w, "topic %s %s", t->name,
                        row ? "was deleted and is there" : "is gone");
        if (!t->unsure && row &&
            (!uuid_eq(t->id, row->topic_id) || t->n_parts != row->n_partitions))
            world_wrong(ad->a.w, "topic %s has %d partitions, it had %d, or another id", t->name,
                        row->n_partitions, t->n_parts);
        t->unsure = false;
        t->there = row != NULL;
        t->id = row ? row->topic_id : UUID_ZERO;
        t->n_parts = row ? row->n_partitions : 0;
    }
}

static void look(struct cg_admin *ad)
{
    struct metadata_request rq;

    metadata_request_init(&rq);
    rq.n_topics = -1; /* null: all */
    ad->waiting = true;
    link_send(ad->a.link, API_METADATA, 12, &rq, saw, ad);
}

static void created(struct call *c, const void *reply)
{
    const struct create_topics_response *rsp = reply;
    struct cg_admin *ad = c->arg;

    next(ad);
    if (rsp)
        check(ad, "create", &ad->all->topics[c->a], rsp->topics[0].error_code);
}

static void create(struct cg_admin *ad, int i)
{
    struct cg_topic *t = &ad->all->topics[i];
    struct create_topics_request_topics row;
    struct create_topics_request rq;

    create_topics_request_init(&rq);
    create_topics_request_topics_init(&row);
    rq.timeout_ms = 30000;
    rq.topics = &row;
    rq.n_topics = 1;
    row.name = str_of(t->name);
    row.num_partitions = 1 + (int32_t)world_below(ad->a.w, 4);
    row.replication_factor = 1;
    t->unsure = ad->waiting = true;
    link_send(ad->a.link, API_CREATE_TOPICS, 7, &rq, created, ad)->a = i;
}

static void deleted(struct call *c, const void *reply)
{
    const struct delete_topics_response *rsp = reply;
    struct cg_admin *ad = c->arg;

    next(ad);
    if (rsp)
        check(ad, "delete", &ad->all->topics[c->a], rsp->responses[0].error_code);
}

static void remove_topic(struct cg_admin *ad, int i)
{
    struct cg_topic *t = &ad->all->topics[i];
    struct delete_topics_request_topics row;
    struct delete_topics_request rq;

    delete_topics_request_init(&rq);
    delete_topics_request_topics_init(&row);
    rq.topics = &row;
    rq.n_topics = 1;
    rq.timeout_ms = 30000;
    row.name = str_of(t->name);
    t->unsure = ad->waiting = true;
    link_send(ad->a.link, API_DELETE_TOPICS, 6, &rq, deleted, ad)->a = i;
}

static void grown(struct call *c, const void *reply)
{
    const struct create_partitions_response *rsp = reply;
    struct cg_admin *ad = c->arg;

    next(ad);
    if (rsp)
        check(ad, "grow", &ad->all->topics[c->a], rsp->results[0].error_code);
}

static void grow(struct cg_admin *ad, int i)
{
    struct cg_topic *t = &ad->all->topics[i];
    struct create_partitions_request_topics row;
    struct create_partitions_request rq;

    create_partitions_request_init(&rq);
    create_partitions_request_topics_init(&row);
    rq.topics = &row;
    rq.n_topics = 1;
    rq.timeout_ms = 30000;
    row.name = str_of(t->name);
    row.count = t->n_parts + 1;
    row.n_assignments = -1;
    t->unsure = ad->waiting = true;
    link_send(ad->a.link, API_CREATE_PARTITIONS, 3, &rq, grown, ad)->a = i;
}

static void step(struct actor *a)
{
    struct cg_admin *ad = CONTAINER_OF(a, struct cg_admin, a);
    struct world *w = a->w;
    int i = (int)world_below(w, (uint64_t)ad->all->n_topics);
    const struct cg_topic *t = &ad->all->topics[i];
    bool unsure = false;

    if (ad->waiting || !actor_connect(a))
        return;
    for (int k = 0; k < ad->all->n_topics; k++)
        unsure |= ad->all->topics[k].unsure;
    if (unsure || w->draining)
        look(ad);
    else if (!t->there && world_chance(w, 600))
        create(ad, i);
    else if (t->there && i > 0 && world_chance(w, 15)) /* the first one stays */
        remove_topic(ad, i);
    else if (t->there && t->n_parts < CG_PARTS_MAX && world_chance(w, 30))
        grow(ad, i);
    else
        look(ad);
}

static bool idle(const struct actor *a)
{
    return !CONTAINER_OF(a, const struct cg_admin, a)->waiting && cgroups_settled(a->w);
}

static void release(struct actor *a)
{
    free(CONTAINER_OF(a, struct cg_admin, a));
}

void cg_admin_new(struct cgroups *all)
{
    struct cg_admin *ad = xcalloc(1, sizeof(*ad));

    actor_add(all->w, &ad->a, "cgadmin", 0, step);
    ad->a.idle = idle;
    ad->a.release = release;
    ad->all = all;
}
