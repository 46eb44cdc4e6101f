/* Fetch sessions (KIP-227; FetchSession, FetchManager): a client names its partitions once and then
 * only what changes.
 *
 * Owner: struct api_state, core thread. A session is found by its id; its partitions keep the
 * client's order, and those that gave data move to the end, so that every partition gets its turn.
 * Any edit of a session takes a new edit number: a fetch that waited compares it before it uses
 * pointers into the session.
 *
 *   epoch  | id 0                            | id n
 *   0      | full fetch, makes a session     | forgets n, then the same
 *   -1     | full fetch without a session    | forgets n, then the same
 *   e > 0  | refused                         | incremental; e must be the next one
 */
#include "fetch.h"

#define SESSION_IDLE_MS 120000
#define EPOCH_INITIAL   0
#define EPOCH_FINAL     (-1)

struct session_part {
    UT_hash_handle hh;
    struct list order;
    int32_t partition;
    int64_t offset;
    int32_t max_bytes;
    int32_t leader_epoch, last_fetched_epoch;
    int64_t shown_high_watermark, shown_start_offset; /* -1: show it at the next answer */
    struct uuid id;
    struct str name; /* points into key */
    size_t key_bytes;
    uint8_t key[]; /* topic id, partition, name */
};
struct fetch_session {
    UT_hash_handle hh;
    struct list age;
    int32_t id;
    int32_t epoch; /* the one that the next request must bring */
    bool by_id;
    uint64_t edit;
    struct mono used;
    struct session_part *parts; /* uthash by key */
    struct list order;
};

#define KEY_NAME_AT (sizeof(struct uuid) + sizeof(int32_t))

static void state_free(void *state)
{
    struct api_state *s = state;

    fetch_sessions_free(s);
    free(s);
}

struct api_state *api_state(struct broker *b)
{
    struct api_state *s = b->api;

    if (s)
        return s;
    s = xcalloc(1, sizeof(*s));
    list_init(&s->session_age);
    for (size_t i = 0; i < ARRAY_SIZE(s->cold_lanes); i++)
        lane_init(&s->cold_lanes[i], b->env->lanes, "cold reads");
    b->api = s;
    b->api_free = state_free;
    return s;
}

/* ---- a session's partitions ------------------------------------------------------------------ */

static struct session_part *part_new(struct str name, struct uuid id, int32_t partition)
{
    struct session_part *p = xcalloc(1, sizeof(*p) + KEY_NAME_AT + name.n);

    p->id = id;
    p->partition = partition;
    p->key_bytes = KEY_NAME_AT + name.n;
    memcpy(p->key, id.b, sizeof(id.b));
    memcpy(p->key + sizeof(id.b), &partition, sizeof(partition));
    if (name.n)
        memcpy(p->key + KEY_NAME_AT, name.p, name.n);
    p->name = (struct str){name.p ? (const char *)p->key + KEY_NAME_AT : NULL, name.n};
    list_init(&p->order);
    return p;
}

static void part_free(struct fetch_session *s, struct session_part *p)
{
    HASH_DEL(s->parts, p);
    list_remove(&p->order);
    free(p);
}

static void part_forget(struct fetch_session *s, struct str name, struct uuid id, int32_t partition)
{
    struct session_part *probe = part_new(name, id, partition), *found;

    HASH_FIND(hh, s->parts, probe->key, probe->key_bytes, found);
    if (found)
        part_free(s, found);
    free(probe);
}

static void part_update(struct fetch_session *s, const struct fetch_request_topics *t,
                        const struct fetch_request_topics_partitions *rp)
{
    struct session_part *p =
        part_new(s->by_id ? (struct str){NULL, 0} : t->topic, t->topic_id, rp->partition);
    struct session_part *found;

    HASH_FIND(hh, s->parts, p->key, p->key_bytes, found);
    if (found) {
        free(p);
        p = found;
    } else {
        p->shown_high_watermark = p->shown_start_offset = -1;
        HASH_ADD_KEYPTR(hh, s->parts, p->key, p->key_bytes, p);
        list_push(&s->order, &p->order);
    }
    p->offset = rp->fetch_offset;
    p->max_bytes = rp->partition_max_bytes;
    p->leader_epoch = rp->current_leader_epoch;
    p->last_fetched_epoch = rp->last_fetched_epoch;
}

static void session_apply_request(struct fetch_session *s, const struct fetch_request *body)
{
    for (int32_t i = 0; i < body->n_topics; i++)
        for (int32_t j = 0; j < body->topics[i].n_partitions; j++)
            part_update(s, &body->topics[i], &body->topics[i].partitions[j]);
    for (int32_t i = 0; i < body->n_forgotten_topics_data; i++) {
        const struct fetch_request_forgotten_topics_data *t = &body->forgotten_topics_data[i];

        for (int32_t j = 0; j < t->n_partitions; j++)
            part_forget(s, s->by_id ? (struct str){NULL, 0} : t->topic, t->topic_id,
                        t->partitions[j]);
    }
}

/* ---- sessions -------------------------------------------------------------------------------- */

static struct fetch_session *session_find(struct api_state *st, int32_t id)
{
    struct fetch_session *s;

    HASH_FIND_INT(st->sessions, &id, s);
    return s;
}

static void session_free(struct api_state *st, struct fetch_session *s)
{
    LIST_FOREACH_SAFE(it, &s->order)
    part_free(s, CONTAINER_OF(it, struct session_part, order));
    HASH_DEL(st->sessions, s);
    list_remove(&s->age);
    free(s);
}

void fetch_sessions_free(struct api_state *st)
{
    LIST_FOREACH_SAFE(it, &st->session_age)
    session_free(st, CONTAINER_OF(it, struct fetch_session, age));
}

/* A place for one more: free, or that of a session that has been idle long enough. */
static bool make_room(struct broker *b, struct api_state *st, struct mono now)
{
    int64_t slots = b->config->max_incremental_fetch_session_cache_slots;
    struct list *oldest = list_first(&st->session_age);
    struct fetch_session *s;

    if (HASH_COUNT(st->sessions) < (size_t)MAX(slots, 0))
        return true;
    if (!oldest || slots <= 0)
        return false;
    s = CONTAINER_OF(oldest, struct fetch_session, age);
    if (mono_after_ms(s->used, SESSION_IDLE_MS).ns > now.ns)
        return false;
    session_free(st, s);
    return true;
}

static void session_touch(struct api_state *st, struct fetch_session *s, struct mono now)
{
    s->used = now;
    s->edit = ++st->session_edits;
    list_remove(&s->age);
    list_push(&st->session_age, &s->age);
}

static struct fetch_session *session_new(struct request *rq, struct api_state *st)
{
    struct fetch_session *s;
    int32_t id;

    if (!make_room(rq->broker, st, rq->received))
        return NULL;
    do
        id = (int32_t)(1 + rng_below(&rq->broker->env->rng, INT32_MAX - 1));
    while (session_find(st, id));
    s = xcalloc(1, sizeof(*s));
    s->id = id;
    s->epoch = 1;
    s->by_id = rq->version >= 13;
    list_init(&s->order);
    list_init(&s->age);
    HASH_ADD_INT(st->sessions, id, s);
    session_touch(st, s, rq->received);
    return s;
}

/* ---- plans ----------------------------------------------------------------------------------- */

static void plan_from_request(struct request *rq, struct fetch_plan *plan)
{
    const struct fetch_request *body = rq->body;
    int32_t n = 0;

    for (int32_t i = 0; i < body->n_topics; i++)
        n += body->topics[i].n_partitions;
    plan->parts = arena_array(&rq->arena, (size_t)n, sizeof(*plan->parts));
    for (int32_t i = 0; i < body->n_topics; i++) {
        const struct fetch_request_topics *t = &body->topics[i];

        for (int32_t j = 0; j < t->n_partitions; j++) {
            const struct fetch_request_topics_partitions *rp = &t->partitions[j];

            plan->parts[plan->n_parts++] =
                (struct fetch_part){.name = t->topic,
                                    .id = t->topic_id,
                                    .partition = rp->partition,
                                    .offset = rp->fetch_offset,
                                    .max_bytes = rp->partition_max_bytes,
                                    .leader_epoch = rp->current_leader_epoch,
                                    .last_fetched_epoch = rp->last_fetched_epoch};
        }
    }
}

static void plan_from_session(struct request *rq, struct fetch_plan *plan)
{
    struct fetch_session *s = plan->session;

    plan->parts = arena_array(&rq->arena, HASH_COUNT(s->parts), sizeof(*plan->parts));
    LIST_FOREACH(it, &s->order)
    {
        struct session_part *p = CONTAINER_OF(it, struct session_part, order);

        plan->parts[plan->n_parts++] = (struct fetch_part){
            .name = p->name.p ? arena_str(&rq->arena, p->name) : p->name,
            .id = p->id,
            .partition = p->partition,
            .offset = p->offset,
            .max_bytes = p->max_bytes,
            .leader_epoch = p->leader_epoch,
            .last_fetched_epoch = p->last_fetched_epoch,
            .remembered = p,
        };
    }
}

static int16_t plan_incremental(struct request *rq, struct api_state *st, struct fetch_plan *plan)
{
    const struct fetch_request *body = rq->body;
    struct fetch_session *s = session_find(st, body->session_id);

    if (!s)
        return KE_FETCH_SESSION_ID_NOT_FOUND;
    if (s->by_id != (rq->version >= 13))
        return KE_FETCH_SESSION_TOPIC_ID_ERROR;
    if (s->epoch != body->session_epoch)
        return KE_INVALID_FETCH_SESSION_EPOCH;
    s->epoch = s->epoch == INT32_MAX ? 1 : s->epoch + 1;
    session_apply_request(s, body);
    session_touch(st, s, rq->received);
    plan->incremental = true;
    plan->session = s;
    return KE_NONE;
}

int16_t fetch_plan_make(struct request *rq, struct fetch_plan *plan)
{
    const struct fetch_request *body = rq->body;
    struct api_state *st = api_state(rq->broker);
    struct fetch_session *old;
    int16_t error;

    *plan = (struct fetch_plan){0};
    if (rq->version >= 7 && body->session_epoch > EPOCH_INITIAL) {
        error = plan_incremental(rq, st, plan);
        if (error)
            return error;
    } else if (rq->version >= 7) {
        old = body->session_id ? session_find(st, body->session_id) : NULL;
        if (old)
            session_free(st, old);
        if (body->session_epoch == EPOCH_INITIAL)
            plan->session = session_new(rq, st);
        else if (body->session_epoch != EPOCH_FINAL)
            return KE_INVALID_FETCH_SESSION_EPOCH;
        if (plan->session)
            session_apply_request(plan->session, body);
    }
    if (plan->session) {
        plan->session_id = plan->session->id;
        plan->session_edit = plan->session->edit;
        plan_from_session(rq, plan);
    } else {
        plan_from_request(rq, plan);
    }
    return KE_NONE;
}

bool fetch_session_same(struct broker *b, const struct fetch_plan *plan)
{
    struct fetch_session *s = session_find(api_state(b), plan->session_id);

    return s && s == plan->session && s->edit == plan->session_edit;
}

bool fetch_session_shows(struct fetch_plan *plan, struct fetch_part *part)
{
    struct session_part *p = part->remembered;
    bool shows = part->n_bytes > 0 || part->diverging_epoch >= 0;

    ASSERT(p);
    if (part->high_watermark != p->shown_high_watermark ||
        part->start_offset != p->shown_start_offset)
        shows = true;
    p->shown_high_watermark = part->high_watermark;
    p->shown_start_offset = part->start_offset;
    if (part->error) {
        p->shown_high_watermark = -1; /* shown again when it is over */
        shows = true;
    }
    if (part->n_bytes > 0) {
        list_remove(&p->order);
        list_push(&plan->session->order, &p->order);
    }
    return shows;
}
