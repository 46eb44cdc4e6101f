/* What the members have in common: their protocols, the vote, and the topics that they read.
 *
 * Owner: struct group, core thread.
 *
 * Invariant:  counts[p].n_members is the number of members that list p; entries with none are gone.
 * Failures:   subscriptions are the clients' own bytes: one that cannot be read only means that the
 *             group does not know its topics, and then none of its offsets expires early
 *             (ClassicGroup.computeSubscribedTopics).
 */
#include "consumer.h"

/* ---- counting */

static struct protocol_count *count_find(struct group *g, struct str name)
{
    struct protocol_count *c;

    HASH_FIND(hh, g->counts, name.p, name.n, c);
    return c;
}

static struct protocol_count *count_find_or_add(struct group *g, struct str name)
{
    struct protocol_count *c = count_find(g, name);

    if (c)
        return c;
    c = xcalloc(1, sizeof(*c));
    c->name = text_copy(name);
    HASH_ADD_KEYPTR(hh, g->counts, c->name.p, c->name.n, c);
    return c;
}

void protocols_count(struct member *m)
{
    struct group *g = m->group;

    g->stamp++;
    for (int32_t i = 0; i < m->n_protocols; i++) {
        struct protocol_count *c = count_find_or_add(g, m->protocols[i].name);

        if (c->stamp == g->stamp)
            continue;
        c->stamp = g->stamp;
        c->n_members++;
        ASSERT(c->n_members <= g->n_members);
    }
}

void protocols_uncount(struct member *m)
{
    struct group *g = m->group;

    g->stamp++;
    for (int32_t i = 0; i < m->n_protocols; i++) {
        struct protocol_count *c = count_find(g, m->protocols[i].name);

        if (!c || c->stamp == g->stamp)
            continue; /* listed twice */
        c->stamp = g->stamp;
        ASSERT(c->n_members > 0);
        if (--c->n_members > 0)
            continue;
        HASH_DELETE(hh, g->counts, c);
        text_free(&c->name);
        free(c);
    }
}

bool group_supports(struct group *g, const struct member_details *d)
{
    if (g->state == GROUP_EMPTY)
        return d->protocol_type.n > 0 && d->n_protocols > 0;
    if (!str_eq(g->protocol_type, d->protocol_type))
        return false;
    for (int32_t i = 0; i < d->n_protocols; i++) {
        const struct protocol_count *c = count_find(g, d->protocols[i].name);

        if ((c ? c->n_members : 0) == g->n_members)
            return true;
    }
    return false;
}

/* Each member votes for the first of its protocols that all can speak. */
static void vote(struct group *g, const struct member *m)
{
    for (int32_t i = 0; i < m->n_protocols; i++) {
        struct protocol_count *c = count_find(g, m->protocols[i].name);

        ASSERT(c);
        if (c->n_members == g->n_members) {
            c->n_votes++;
            return;
        }
    }
}

struct str group_select_protocol(struct group *g)
{
    const struct protocol_count *best = NULL;

    ASSERT(g->n_members > 0);
    for (struct protocol_count *c = g->counts; c; c = c->hh.next)
        c->n_votes = 0;
    for (struct member *m = g->members; m; m = m->by_id.next)
        vote(g, m);
    for (struct protocol_count *c = g->counts; c; c = c->hh.next)
        if (c->n_votes > 0 && (!best || c->n_votes > best->n_votes))
            best = c;
    return best ? best->name : STR("");
}

/* ---- topics */

bool group_uses_consumer_protocol(const struct group *g)
{
    return str_eq(g->protocol_type, CONSUMER_PROTOCOL_TYPE);
}

void group_forget_topics(struct group *g)
{
    free(g->topics);
    g->topics = NULL;
    g->n_topics = 0;
    g->knows_topics = false;
}

struct topics {
    struct str *items;
    int32_t n, cap;
};

static void topics_put(struct topics *ts, struct str topic)
{
    if (ts->n == ts->cap) {
        ts->cap = MAX(16, ts->cap * 2);
        ts->items = xrealloc_array(ts->items, (size_t)ts->cap, sizeof(*ts->items));
    }
    ts->items[ts->n++] = topic;
}

/* Every version of the subscription begins as version 0 does. The names stay in the member's own
 * bytes. */
static bool topics_of_member(const struct member *m, struct str protocol, struct topics *ts)
{
    struct consumer_protocol_subscription sub;
    struct wire_reader r;
    struct arena arena;
    bool ok;

    arena_init(&arena);
    wire_reader_init(&r, member_metadata(m, protocol), &arena);
    ok = wire_get_int16(&r) >= 0 && consumer_protocol_subscription_decode(&sub, &r, 0) == 0 &&
         !r.error;
    for (int32_t i = 0; ok && i < sub.n_topics; i++)
        topics_put(ts, sub.topics[i]);
    arena_release(&arena);
    return ok;
}

static int by_name(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* Sorts, drops what is there twice, and copies the names behind the array, so that one free drops
 * all. */
static void keep_topics(struct group *g, struct topics *ts)
{
    size_t bytes = 0;
    int32_t n = 0;
    char *at;

    if (ts->n > 0)
        qsort(ts->items, (size_t)ts->n, sizeof(*ts->items), by_name);
    for (int32_t i = 0; i < ts->n; i++)
        if (n == 0 || !str_eq(ts->items[n - 1], ts->items[i])) {
            bytes += ts->items[i].n;
            ts->items[n++] = ts->items[i];
        }
    g->topics = xmalloc(MAX((size_t)n * sizeof(*g->topics) + bytes, 1));
    at = (char *)(g->topics + n);
    for (int32_t i = 0; i < n; i++) {
        if (ts->items[i].n)
            memcpy(at, ts->items[i].p, ts->items[i].n);
        g->topics[i] = (struct str){at, ts->items[i].n};
        at += ts->items[i].n;
    }
    g->n_topics = n;
    g->knows_topics = true;
}

void group_learn_topics(struct group *g)
{
    struct topics ts = {0};
    bool ok = group_uses_consumer_protocol(g) && (g->n_members == 0 || g->protocol.p);

    group_forget_topics(g);
    for (struct member *m = g->members; ok && m; m = m->by_id.next)
        ok = topics_of_member(m, g->protocol, &ts);
    if (ok)
        keep_topics(g, &ts);
    free(ts.items);
}

bool group_subscribed(const struct group *g, struct str topic)
{
    if (g->consumer)
        return cg_is_subscribed(g, topic);
    if (!g->knows_topics)
        return group_uses_consumer_protocol(g);
    return g->n_topics > 0 &&
           bsearch(&topic, g->topics, (size_t)g->n_topics, sizeof(*g->topics), by_name) != NULL;
}
