/* A member of a consumer group of the newer protocol (KIP-848): beats, gives up what it is told to, takes the rest, commits,
 * and now and then is silent, slow, leaves, or is lost.
 *
 * Owner: struct cg_member; what the members of a group know together is struct cg_group.
 *
 *     OUT --beat, epoch 0--> IN --beat, epoch n--> IN --leave (-1; static: -2), loss, fenced--> OUT
 *
 *     what it is told (target) and what it owns (owned): what is too much is given up, which takes time, and only then
 *     told with the next beat; what is missing is taken at once.
 *
 * Checked: what a member takes nobody else owns, but for one whom the coordinator has fenced, and who was silent or slow for
 * long enough to be; who was fenced is never answered as a member again; in one epoch a partition is assigned to one member;
 * a member's epoch does not go back, and who joins is not behind those who were there; a commit that is taken is not below
 * one that was acknowledged before.
 */
#include "cg.h"

#define API_OFFSET_COMMIT 8
#define API_OFFSET_FETCH  9
#define API_HEARTBEAT     68
#define EPOCH_LEAVE       (-1)
#define EPOCH_AWAY        (-2)
#define NOT_KNOWN         (-2)

struct cg_member {
    struct actor a;
    struct cg_group *group;
    char id[40], instance[16]; /* instance "": not a static member */
    bool topics[CG_TOPICS_MAX], waiting, in;
    const char *assignor;
    int32_t epoch;
    struct cg_set owned, target;
    int64_t
        positions[CG_SET_MAX]; /* by index of owned; NOT_KNOWN before the offsets were fetched */
    bool tell_all;             /* the next beat has all fields: an answer was lost, or the first */
    bool tell_owned;           /* it says what is owned */
    bool doubtful;             /* an answer was lost since the last good one */
    bool may_be_held;          /* its instance id may still be in use */
    int64_t revoked_ns;        /* when the giving up ends; 0: nothing is given up */
    int64_t beat_ns;           /* when the last beat that was answered well was sent */
    int64_t unsure_ns;         /* when the first after it was sent; INT64_MAX: none */
    int64_t
        told_ns; /* of the beat by which the coordinator may have begun to wait; INT64_MAX: it does not */
    int64_t acked_before; /* for the partition of the commit that is on its way, when it was sent */
    int64_t fenced_ns;    /* another one has what is owned here; INT64_MAX: none */
};

static const char *name_of(const struct cg_member *m)
{
    return m->instance[0] ? m->instance : m->id;
}

/* Never much more than the mean: a group settles only when all its members act. */
static void next(struct cg_member *m, int64_t mean_ms)
{
    struct world *w = m->a.w;

    m->waiting = false;
    m->a.next_ns = world_now(w) + 1 + (int64_t)world_below(w, (uint64_t)(2 * mean_ms * NS_PER_MS));
}

/* ---- being out */

static void go_out(struct cg_member *m)
{
    m->in = m->doubtful = m->tell_owned = false;
    m->epoch = 0;
    m->owned.n = m->target.n = 0;
    m->revoked_ns = 0;
    m->unsure_ns = m->told_ns = m->fenced_ns = INT64_MAX;
}

/* Its time may be up: it was silent for a session, or has not given up in time. */
static bool may_be_fenced(const struct cg_member *m)
{
    int64_t now = world_now(m->a.w);
    int64_t waits_ns = MIN(m->unsure_ns, m->told_ns);

    return now - m->beat_ns >= CG_SESSION_MS * NS_PER_MS ||
           (waits_ns < INT64_MAX && now - waits_ns >= CG_REBALANCE_MS * NS_PER_MS);
}

/* False: there was an error, and it has been seen to. */
static bool is_well(struct cg_member *m, const char *what, int16_t error)
{
    struct world *w = m->a.w;

    world_event(w, "%s %s: %s", m->a.name, what, kafka_error_name(error));
    switch (error) {
    case KE_NONE:
        return true;
    case KE_FENCED_MEMBER_EPOCH:
    case KE_UNKNOWN_MEMBER_ID:
    case KE_GROUP_ID_NOT_FOUND:
        if (!may_be_fenced(m) && !(error == KE_FENCED_MEMBER_EPOCH && m->doubtful))
            world_wrong(w, "%s %s: %s, and it is neither silent nor slow", m->a.name, what,
                        kafka_error_name(error));
        go_out(m);
        return false;
    case KE_STALE_MEMBER_EPOCH: /* the next beat tells the new one */
        if (!m->doubtful)
            world_wrong(w, "%s %s: stale, and no answer was lost", m->a.name, what);
        return false;
    case KE_UNRELEASED_INSTANCE_ID:
        if (!m->may_be_held || m->in)
            world_wrong(w, "%s %s: nobody has its instance id", m->a.name, what);
        return false;
    case KE_COORDINATOR_NOT_AVAILABLE: /* a stop */
    case KE_NOT_COORDINATOR:
    case KE_COORDINATOR_LOAD_IN_PROGRESS:
        return false;
    default:
        if (!world_faulty(w))
            world_wrong(w, "%s %s: %s", m->a.name, what, kafka_error_name(error));
        return false;
    }
}

/* ---- what it is told */

void cg_member_loses(struct cg_member *m, struct cg_place p, const char *to)
{
    if (!cg_set_has(&m->owned, p))
        return;
    if (!may_be_fenced(m))
        world_wrong(m->a.w, "%s: partition %d is given to %s and %s has not let go of it",
                    m->group->name, p.partition, to, m->a.name);
    m->fenced_ns = MIN(m->fenced_ns, world_now(m->a.w));
}

static void note_assigned(struct cg_member *m, struct cg_place p)
{
    struct cg_slot *s = cg_slot_get(m->group, p);

    if (s->epoch == m->epoch && strcmp(s->owner, name_of(m)) != 0)
        world_wrong(m->a.w, "%s epoch %d: partition %d is %s's and %s's", m->group->name, m->epoch,
                    p.partition, s->owner, name_of(m));
    if (m->epoch < s->epoch)
        return;
    s->epoch = m->epoch;
    snprintf(s->owner, sizeof(s->owner), "%s", name_of(m));
}

static void take(struct cg_member *m)
{
    for (int i = 0; i < m->target.n; i++) {
        if (cg_set_has(&m->owned, m->target.items[i]))
            continue;
        for (int k = 0; k < m->group->n_members; k++)
            if (m->group->members[k] != m)
                cg_member_loses(m->group->members[k], m->target.items[i], m->a.name);
        m->positions[m->owned.n] = NOT_KNOWN;
        cg_set_add(&m->owned, m->target.items[i]);
        m->tell_owned = true;
    }
}

static void give_up(struct cg_member *m)
{
    int n = 0;

    for (int i = 0; i < m->owned.n; i++) {
        if (!cg_set_has(&m->target, m->owned.items[i]))
            continue;
        m->positions[n] = m->positions[i];
        m->owned.items[n++] = m->owned.items[i];
    }
    world_event(m->a.w, "%s gives up %d", m->a.name, m->owned.n - n);
    m->owned.n = n;
    m->revoked_ns = 0;
    m->tell_owned = true;
}

/* Towards what it was told. */
static void reconcile(struct cg_member *m)
{
    struct world *w = m->a.w;
    int64_t mean_ms = world_chance(w, 50) && !w->draining ? CG_REBALANCE_MS : 500;

    if (m->revoked_ns && world_now(w) >= m->revoked_ns)
        give_up(m);
    if (!m->revoked_ns && !cg_set_within(&m->owned, &m->target))
        m->revoked_ns =
            world_now(w) + 1 + (int64_t)world_below(w, (uint64_t)(2 * mean_ms * NS_PER_MS));
    if (!m->revoked_ns)
        take(m);
}

static void read_target(struct cg_member *m, const struct consumer_group_heartbeat_response *rsp)
{
    m->target.n = 0;
    for (int t = 0; t < rsp->assignment->n_topic_partitions; t++)
        for (int i = 0; i < rsp->assignment->topic_partitions[t].n_partitions; i++) {
            struct cg_place p = {rsp->assignment->topic_partitions[t].topic_id,
                                 rsp->assignment->topic_partitions[t].partitions[i]};

            cg_set_add(&m->target, p);
            note_assigned(m, p);
        }
}

static void check_epoch(struct cg_member *m, int32_t epoch, int64_t epoch_max)
{
    if (m->in && epoch < m->epoch)
        world_wrong(m->a.w, "%s: epoch %d after %d", m->a.name, epoch, m->epoch);
    if (!m->in && epoch < epoch_max) {
        if (!cg_may_begin_anew(m->group))
            world_wrong(m->a.w, "%s joins in epoch %d, %s had %lld", m->a.name, epoch,
                        m->group->name, (long long)epoch_max);
        cg_begin_anew(m->group);
    }
    m->epoch = epoch;
    m->group->epoch_max = MAX(m->group->epoch_max, epoch);
}

/* ---- beats */

/* The answer was lost: what the coordinator did is not known. */
static void lost(struct cg_member *m)
{
    m->doubtful = m->tell_all = true;
}

static void beaten(struct call *c, const void *reply)
{
    const struct consumer_group_heartbeat_response *rsp = reply;
    struct cg_member *m = c->arg;

    next(m, CG_BEAT_MS / 2);
    if (!rsp) {
        lost(m);
        return;
    }
    if (!is_well(m, m->in ? "beat" : "join", rsp->error_code)) {
        m->tell_all = true;
        return;
    }
    if (c->sent_ns > m->fenced_ns)
        world_wrong(m->a.w, "%s is a member of %s, and another one has its partition", m->a.name,
                    m->group->name);
    check_epoch(m, rsp->member_epoch, c->a);
    world_event(m->a.w, "%s is in epoch %d", m->a.name, m->epoch);
    snprintf(m->id, sizeof(m->id), "%.*s", STR_ARG(rsp->member_id));
    if (rsp->assignment)
        read_target(m, rsp);
    m->told_ns = cg_set_within(&m->owned, &m->target) ? INT64_MAX : MIN(m->told_ns, m->unsure_ns);
    m->beat_ns = c->sent_ns;
    m->unsure_ns = INT64_MAX;
    m->doubtful = false;
    m->in = true;
    reconcile(m);
}

/* The rows of a set, one per topic. */
struct rows {
    struct consumer_group_heartbeat_request_topic_partitions topics[CG_SET_MAX];
    int32_t partitions[CG_SET_MAX][CG_PARTS_MAX];
    int32_t n;
};

static void put_row(struct rows *r, struct cg_place p)
{
    int32_t i = 0;

    while (i < r->n && !uuid_eq(r->topics[i].topic_id, p.id))
        i++;
    if (i == r->n) {
        consumer_group_heartbeat_request_topic_partitions_init(&r->topics[r->n++]);
        r->topics[i].topic_id = p.id;
        r->topics[i].partitions = r->partitions[i];
    }
    r->partitions[i][r->topics[i].n_partitions++] = p.partition;
}

static void beat(struct cg_member *m)
{
    struct consumer_group_heartbeat_request rq;
    struct str names[CG_TOPICS_MAX];
    struct rows rows = {.n = 0};
    bool all = m->tell_all || !m->in;

    consumer_group_heartbeat_request_init(&rq);
    rq.group_id = str_of(m->group->name);
    rq.member_id = str_of(m->id);
    rq.member_epoch = m->epoch;
    rq.instance_id = m->instance[0] ? str_of(m->instance) : (struct str){NULL, 0};
    rq.n_topic_partitions = rq.n_subscribed_topic_names = -1;
    if (all) {
        rq.rebalance_timeout_ms = CG_REBALANCE_MS;
        rq.server_assignor = str_of(m->assignor);
        rq.subscribed_topic_names = names;
        rq.n_subscribed_topic_names = 0;
        for (int t = 0; t < CG_TOPICS_MAX; t++)
            if (m->topics[t])
                names[rq.n_subscribed_topic_names++] = str_of(m->group->all->topics[t].name);
    }
    if (all || m->tell_owned) {
        for (int i = 0; i < m->owned.n; i++)
            put_row(&rows, m->owned.items[i]);
        rq.topic_partitions = rows.topics;
        rq.n_topic_partitions = rows.n;
    }
    m->tell_all = m->tell_owned = false;
    m->may_be_held |= !m->in;
    m->unsure_ns = MIN(m->unsure_ns, world_now(m->a.w));
    m->waiting = true;
    link_send(m->a.link, API_HEARTBEAT, 1, &rq, beaten, m)->a = m->group->epoch_max;
}

static void join(struct cg_member *m)
{
    char text[UUID_TEXT_BYTES + 1];

    if (!m->id[0]) {
        uuid_text(rng_uuid(&m->a.w->rng), text);
        snprintf(m->id, sizeof(m->id), "%s", text);
    }
    m->tell_all = true;
    m->beat_ns = world_now(m->a.w);
    beat(m);
}

static void left(struct call *c, const void *reply)
{
    const struct consumer_group_heartbeat_response *rsp = reply;
    struct cg_member *m = c->arg;

    next(m, 4000);
    if (rsp && rsp->error_code == KE_NONE)
        m->may_be_held = false;
}

static void leave(struct cg_member *m, int32_t epoch)
{
    struct consumer_group_heartbeat_request rq;

    consumer_group_heartbeat_request_init(&rq);
    rq.group_id = str_of(m->group->name);
    rq.member_id = str_of(m->id);
    rq.member_epoch = epoch;
    rq.instance_id = m->instance[0] ? str_of(m->instance) : (struct str){NULL, 0};
    rq.n_topic_partitions = rq.n_subscribed_topic_names = -1;
    world_event(m->a.w, "%s leaves: %d", m->a.name, epoch);
    go_out(m);
    m->waiting = true;
    link_send(m->a.link, API_HEARTBEAT, 1, &rq, left, m);
    if (world_chance(m->a.w, 500))
        m->id[0] = 0;
}

/* ---- offsets */

static void committed(struct call *c, const void *reply)
{
    const struct offset_commit_response *rsp = reply;
    struct cg_member *m = c->arg;
    struct cg_slot *s = &m->group->slots[c->a];
    int16_t error;

    next(m, CG_BEAT_MS / 2);
    if (!rsp)
        return;
    error = rsp->topics[0].partitions[0].error_code;
    if (error == KE_UNKNOWN_TOPIC_ID && !cg_topic_is_live(m->group->all, s->place.id))
        return;
    if (!is_well(m, "commit", error))
        return;
    if (c->sent_ns > m->fenced_ns)
        world_wrong(m->a.w, "%s commits to %s, and another one has its partition", m->a.name,
                    m->group->name);
    if (c->b < m->acked_before)
        world_wrong(m->a.w, "%s commits %lld for partition %d, and it is taken; %lld was committed",
                    m->a.name, (long long)c->b, s->place.partition, (long long)m->acked_before);
    s->acked = MAX(s->acked, c->b);
    m->a.w->n_committed++;
}

static void commit(struct cg_member *m, int i)
{
    struct offset_commit_request_topics_partitions p;
    struct offset_commit_request_topics t;
    struct offset_commit_request rq;
    struct cg_slot *s = cg_slot_get(m->group, m->owned.items[i]);
    struct call *c;

    m->positions[i] += 1 + (int64_t)world_below(m->a.w, 10);
    m->acked_before = s->acked;
    s->tried = MAX(s->tried, m->positions[i]);
    offset_commit_request_init(&rq);
    offset_commit_request_topics_init(&t);
    offset_commit_request_topics_partitions_init(&p);
    rq.group_id = str_of(m->group->name);
    rq.generation_id_or_member_epoch = m->epoch;
    rq.member_id = str_of(m->id);
    rq.group_instance_id = m->instance[0] ? str_of(m->instance) : (struct str){NULL, 0};
    rq.topics = &t;
    rq.n_topics = 1;
    t.topic_id = s->place.id;
    t.partitions = &p;
    t.n_partitions = 1;
    p.partition_index = s->place.partition;
    p.committed_offset = m->positions[i];
    p.committed_metadata = STR("");
    m->waiting = true;
    c = link_send(m->a.link, API_OFFSET_COMMIT, 10, &rq, committed, m);
    c->a = s - m->group->slots;
    c->b = m->positions[i];
}

static void fetched(struct call *c, const void *reply)
{
    const struct offset_fetch_response *rsp = reply;
    struct cg_member *m = c->arg;
    struct cg_slot *s = &m->group->slots[c->a];
    const struct offset_fetch_response_groups_topics_partitions *row;

    next(m, CG_BEAT_MS / 4);
    if (!rsp || !is_well(m, "offset fetch", rsp->groups[0].error_code))
        return;
    row = &rsp->groups[0].topics[0].partitions[0];
    if (row->error_code == KE_UNKNOWN_TOPIC_ID && !cg_topic_is_live(m->group->all, s->place.id))
        return;
    if (row->error_code != KE_NONE) {
        (void)is_well(m, "offset fetch", row->error_code);
        return;
    }
    cg_fetched(m->group, s, c->b, row->committed_offset);
    for (int i = 0; i < m->owned.n; i++)
        if (cg_slot_get(m->group, m->owned.items[i]) == s)
            m->positions[i] = MAX(row->committed_offset, 0);
}

static void fetch_offset(struct cg_member *m, int i)
{
    struct offset_fetch_request_groups_topics t;
    struct offset_fetch_request_groups g;
    struct offset_fetch_request rq;
    struct cg_slot *s = cg_slot_get(m->group, m->owned.items[i]);
    struct call *c;

    offset_fetch_request_init(&rq);
    offset_fetch_request_groups_init(&g);
    offset_fetch_request_groups_topics_init(&t);
    rq.groups = &g;
    rq.n_groups = 1;
    g.group_id = str_of(m->group->name);
    g.member_id = str_of(m->id);
    g.member_epoch = m->epoch;
    g.topics = &t;
    g.n_topics = 1;
    t.topic_id = s->place.id;
    t.partition_indexes = &s->place.partition;
    t.n_partition_indexes = 1;
    m->waiting = true;
    c = link_send(m->a.link, API_OFFSET_FETCH, 10, &rq, fetched, m);
    c->a = s - m->group->slots;
    c->b = s->acked;
}

/* ---- steps */

/* Silently gone, without a memory; or only silent, and then it goes on as if nothing were. */
static void fall_silent(struct cg_member *m)
{
    bool forgets = world_chance(m->a.w, 500);

    world_event(m->a.w, "%s %s", m->a.name, forgets ? "vanishes" : "is silent");
    if (forgets) {
        go_out(m);
        m->id[0] = 0;
    }
    m->a.next_ns = world_now(m->a.w) + (int64_t)world_below(m->a.w, 2 * CG_SESSION_MS * NS_PER_MS);
}

/* Another subscription, or another wish for an assignor. */
static void change_mind(struct cg_member *m)
{
    m->topics[world_below(m->a.w, CG_TOPICS_MAX)] ^= true;
    m->topics[0] = true;
    m->assignor = world_chance(m->a.w, 500) ? "uniform" : "range";
    m->tell_all = true;
    beat(m);
}

static void live(struct cg_member *m)
{
    struct world *w = m->a.w;
    int i = m->owned.n ? (int)world_below(w, (uint64_t)m->owned.n) : -1;

    reconcile(m);
    if (i >= m->owned.n)
        i = -1;
    if (w->draining)
        beat(m);
    else if (world_chance(w, 4))
        fall_silent(m);
    else if (world_chance(w, 6))
        leave(m, m->instance[0] && world_chance(w, 700) ? EPOCH_AWAY : EPOCH_LEAVE);
    else if (world_chance(w, 5))
        change_mind(m);
    else if (i >= 0 && m->positions[i] == NOT_KNOWN && world_chance(w, 700))
        fetch_offset(m, i);
    else if (i >= 0 && m->positions[i] >= 0 && world_chance(w, 300))
        commit(m, i);
    else
        beat(m);
}

static void step(struct actor *a)
{
    struct cg_member *m = CONTAINER_OF(a, struct cg_member, a);

    (void)cgroups_settled(a->w);
    if (m->waiting || m->group->settled || !actor_connect(a))
        return;
    if (m->in)
        live(m);
    else
        join(m);
}

static bool idle(const struct actor *a)
{
    return !CONTAINER_OF(a, const struct cg_member, a)->waiting;
}

static void release(struct actor *a)
{
    free(CONTAINER_OF(a, struct cg_member, a));
}

/* ---- what the group asks */

const struct cg_set *cg_member_owns(const struct cg_member *m)
{
    return &m->owned;
}

bool cg_member_wants(const struct cg_member *m, int topic)
{
    return m->topics[topic];
}

bool cg_member_rests(const struct cg_member *m, int32_t *epoch)
{
    *epoch = m->epoch;
    return m->in && !m->tell_owned && !m->revoked_ns && cg_set_within(&m->owned, &m->target) &&
           cg_set_within(&m->target, &m->owned);
}

void cg_member_tell(const struct cg_member *m)
{
    world_event(m->a.w, "%s %s: %s, epoch %d, owns %d, is to own %d%s", m->a.name, m->id,
                m->in ? "in" : "out", m->epoch, m->owned.n, m->target.n,
                m->waiting ? ", waits" : "");
}

void cg_member_new(struct cg_group *g, int number)
{
    struct world *w = g->all->w;
    struct cg_member *m = xcalloc(1, sizeof(*m));

    ASSERT(g->n_members < CG_MEMBERS_MAX);
    actor_add(w, &m->a, "cgmember", number, step);
    m->a.idle = idle;
    m->a.release = release;
    m->group = g;
    g->members[g->n_members++] = m;
    if (world_chance(w, 300))
        snprintf(m->instance, sizeof(m->instance), "ci%d", number);
    for (int t = 0; t < CG_TOPICS_MAX; t++)
        m->topics[t] = t == 0 || world_chance(w, 600);
    m->assignor = world_chance(w, 700) ? "uniform" : "range";
    go_out(m);
}
