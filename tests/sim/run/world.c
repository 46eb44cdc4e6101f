/* Time, events, and who acts when.
 *
 * Owner: struct world.
 *
 * Happy path: the earliest of: a reply, a job, a turn, an actor, trouble -> the clock moves there ->
 *             it happens -> again.
 * Invariant:  whatever is random comes from world.rng, in the order of events.
 */
#include "world.h"

#include <unistd.h>

#define START_MS 1750000000000LL

int64_t world_now(const struct world *w)
{
    return clock_mono(w->clock).ns;
}

void world_event(struct world *w, const char *fmt, ...)
{
    char text[300];
    va_list args;
    int n = snprintf(text, sizeof(text), "%lld.%06lld ", (long long)(world_now(w) / 1000000000),
                     (long long)(world_now(w) / 1000 % 1000000));

    va_start(args, fmt);
    vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, args);
    va_end(args);
    for (const char *p = text; *p; p++)
        w->hash = (w->hash ^ (uint8_t)*p) * 1099511628211u;
    w->n_events++;
    if (w->print)
        puts(text);
}

void world_wrong(struct world *w, const char *fmt, ...)
{
    va_list args;

    printf("wrong: at %.3f s: ", (double)world_now(w) / 1e9);
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    printf("\nseed %llu: wrong, %llu events, hash %016llx\n", (unsigned long long)w->seed,
           (unsigned long long)w->n_events, (unsigned long long)w->hash);
    fflush(NULL);
    _exit(1);
}

bool world_faulty(const struct world *w)
{
    return world_now(w) < w->faults_until_ns || host_any_offline(w);
}

uint64_t world_below(struct world *w, uint64_t n)
{
    return rng_below(&w->rng, n);
}

bool world_chance(struct world *w, uint32_t per_thousand)
{
    return rng_below(&w->rng, 1000) < per_thousand;
}

int64_t world_spread_ns(struct world *w, int64_t mean_ns)
{
    int64_t ns = mean_ns > 0 ? (int64_t)rng_below(&w->rng, (uint64_t)mean_ns * 2) : 0;

    return world_chance(w, 10) ? ns * 20 : ns;
}

/* ---- actors ------------------------------------------------------------------------------------ */

void actor_add(struct world *w, struct actor *a, const char *kind, int number,
               void (*step)(struct actor *))
{
    ASSERT(w->n_actors < ACTORS_MAX);
    a->w = w;
    snprintf(a->name, sizeof(a->name), "%s%d", kind, number);
    a->step = step;
    a->next_ns = world_now(w);
    w->actors[w->n_actors++] = a;
}

void actor_sleep(struct actor *a, int64_t mean_ms)
{
    a->next_ns = world_now(a->w) + 1 + world_spread_ns(a->w, mean_ms * NS_PER_MS);
}

bool actor_connect(struct actor *a)
{
    if (a->link && a->link->closed) {
        struct link *l = a->link;

        a->link = NULL;
        link_close(l);
        if (a->broken)
            a->broken(a);
    }
    if (!a->link && a->w->host.broker)
        a->link = link_open(a->w);
    if (!a->link)
        actor_sleep(a, 500);
    return a->link != NULL;
}

static struct actor *next_actor(const struct world *w)
{
    struct actor *best = NULL;

    for (int i = 0; i < w->n_actors && !w->paused; i++)
        if (w->actors[i]->next_ns < INT64_MAX && (!best || w->actors[i]->next_ns < best->next_ns))
            best = w->actors[i];
    return best;
}

static bool act(struct world *w)
{
    struct actor *a = next_actor(w);

    if (!a || a->next_ns > world_now(w))
        return false;
    a->next_ns = INT64_MAX;
    a->step(a);
    host_wake(w);
    return true;
}

/* ---- time --------------------------------------------------------------------------------------- */

static int64_t next_ns(const struct world *w)
{
    const struct actor *a = next_actor(w);
    int64_t at = MIN(links_next(w), host_next(w));

    if (a)
        at = MIN(at, a->next_ns);
    return MIN(at, w->paused ? INT64_MAX : trouble_next(w));
}

void world_run(struct world *w, int64_t until_ns)
{
    while (!host_is_dead(w)) {
        int64_t at = next_ns(w);

        if (at > until_ns) {
            clock_sim_advance(w->clock, MAX(until_ns - world_now(w), 0));
            return;
        }
        clock_sim_advance(w->clock, MAX(at - world_now(w), 0));
        if (links_deliver(w) || host_step(w) || act(w))
            continue;
        if (!w->paused && trouble_next(w) <= world_now(w)) {
            links_check(w);
            trouble_step(w);
            return;
        }
    }
}

/* ---- one request alone ---------------------------------------------------------------------------- */

struct asked {
    struct arena *arena;
    const void *reply;
    bool ended;
};

static void asked_done(struct call *c, const void *reply)
{
    struct asked *q = c->arg;
    const struct wire_api *api = wire_api_find(c->key);
    struct wire_reader reader;
    void *own;

    q->ended = true;
    if (!reply)
        return;
    /* decoded again, so that it outlives the call */
    wire_reader_init(&reader, arena_bytes(q->arena, (struct bytes){c->bytes.p + 4, c->bytes.n - 4}),
                     q->arena);
    (void)wire_get_int32(&reader);
    if (c->version >= api->response.flexible_from && c->key != 18)
        wire_skip_tags(&reader);
    own = arena_alloc(q->arena, api->response.struct_bytes);
    ASSERT(api->response.decode(own, &reader, c->version) == 0);
    q->reply = own;
}

const void *world_ask(struct world *w, int16_t key, int16_t version, const void *request,
                      struct arena *arena)
{
    struct asked q = {.arena = arena};
    struct link *l = link_open(w);
    int64_t limit = world_now(w) + 60000 * NS_PER_MS;
    bool paused = w->paused;

    w->paused = true;
    link_send(l, key, version, request, asked_done, &q)->lost = false;
    host_wake(w);
    while (!q.ended && !host_is_dead(w) && world_now(w) < limit)
        world_run(w, MIN(world_now(w) + 100 * NS_PER_MS, limit));
    if (!q.ended && !host_is_dead(w))
        world_wrong(w, "API key %d was not answered within a minute", key);
    if (!host_is_dead(w) || w->host.broker)
        link_close(l);
    w->paused = paused;
    return q.reply;
}

/* ---- life ------------------------------------------------------------------------------------------- */

static void note_misuse(void *arg, const char *text)
{
    world_wrong(arg, "misuse of the disk: %s", text);
}

static void add_topics(struct world *w)
{
    w->n_topics = w->options.n_topics;
    for (int i = 0; i < w->n_topics; i++) {
        struct topic *t = &w->topics[i];

        *t = (struct topic){.w = w, .index = i, .n_parts = w->options.n_partitions[i]};
        t->durable = w->options.durable[i];
        t->churn = i >= w->n_topics - w->options.n_churn;
        snprintf(t->name, sizeof(t->name), "%s%d",
                 w->options.kept[i].policy & POLICY_COMPACT ? "keys" : t->churn ? "churn" : "topic", i);
        model_reset(t);
    }
}

static void add_actors(struct world *w)
{
    const struct options *o = &w->options;

    admin_new(w);
    for (int i = 0; i < o->n_producers; i++) {
        bool idempotent = world_chance(w, 500);

        producer_new(w, i, &w->topics[i % w->n_topics], idempotent,
                     idempotent || world_chance(w, 600) ? -1 : 1);
    }
    for (int i = 0; i < o->n_consumers; i++)
        consumer_new(w, i, &w->topics[world_below(w, (uint64_t)MIN(w->n_topics, o->n_producers))]);
    w->n_groups = o->n_groups;
    for (int i = 0; i < o->n_groups; i++) {
        struct group_model *g = &w->groups[i];

        snprintf(g->name, sizeof(g->name), "group%d", i);
        g->topic = &w->topics[0];
        for (int p = 0; p < PARTITIONS_MAX; p++)
            g->acked[p] = g->tried[p] = -1;
        for (int m = 0; m < o->n_members; m++)
            member_new(w, i * 10 + m, g);
    }
    cgroups_new(w);
    txns_new(w);
    if (o->n_dirs > 1)
        mover_new(w);
}

struct world *world_new(uint64_t seed, bool print)
{
    struct world *w = xcalloc(1, sizeof(*w));
    struct vfs_sim_options disk = {.misuse = note_misuse, .arg = w};

    thread_mark(THREAD_CORE);
    w->seed = seed;
    w->print = print;
    w->hash = 14695981039346656037u;
    rng_init(&w->rng, seed);
    list_init(&w->links);
    options_choose(&w->options, &w->rng);
    w->clock = clock_sim_new((struct wall){START_MS});
    disk.seed = seed;
    disk.sector_bytes = w->options.sector_bytes;
    disk.ordered = w->options.ordered;
    disk.size_before_data = w->options.size_before_data;
    w->vfs = vfs_sim_new(w->clock, &disk);
    host_init(w);
    add_topics(w);
    add_actors(w);
    options_tell(w);
    return w;
}

void world_free(struct world *w)
{
    for (int i = 0; i < w->n_actors; i++)
        w->actors[i]->release(w->actors[i]);
    for (int i = 0; i < w->n_topics; i++)
        model_release(&w->topics[i]);
    for (int i = 0; i < w->n_groups; i++)
        group_model_release(&w->groups[i]);
    cgroups_free(w);
    txns_free(w);
    host_release(w);
    vfs_sim_free(w->vfs);
    clock_sim_free(w->clock);
    free(w);
}
