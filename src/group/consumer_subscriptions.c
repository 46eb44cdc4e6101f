/* Which topics the members of a consumer group read, as it is and as it will be after a change.
 *
 * Owner: the arena of whoever asks.
 *
 * Happy path: the group's counts -> the changes that are about to be made, as +1 and -1 -> settle: by name, sums,
 *             nothing that is zero -> the hash of the metadata, whether all members have the same subscription.
 * Rules:      ModernGroup.computeSubscribedTopicNames, computeMetadataHash; ConsumerGroup.subscriptionType.
 */
#include "consumer.h"
#include "topic_hash.h"

static void put(struct cg_subscriptions *s, struct str topic, int32_t members, int32_t regexes)
{
    if (s->n == s->cap) {
        int32_t cap = MAX(16, s->cap * 2);
        struct cg_subscription *items = arena_array(s->arena, (size_t)cap, sizeof(*items));

        if (s->n > 0)
            memcpy(items, s->items, (size_t)s->n * sizeof(*items));
        s->items = items;
        s->cap = cap;
    }
    s->items[s->n++] = (struct cg_subscription){topic, members, regexes};
}

struct cg_subscriptions cg_subscriptions_of(const struct group *g, struct arena *arena)
{
    struct cg_subscriptions s = {.arena = arena};

    for (struct cg_count *c = g ? g->consumer->topics : NULL; c; c = c->hh.next)
        put(&s, c->name, c->n_members, c->n_regexes);
    return s;
}

void cg_subscriptions_member(struct cg_subscriptions *s, const struct cg_details *d, int32_t sign)
{
    for (int32_t i = 0; i < d->n_topics; i++)
        put(s, d->topics[i], sign, 0);
}

void cg_subscriptions_regex(struct cg_subscriptions *s, const struct str *topics, int32_t n,
                            int32_t sign)
{
    for (int32_t i = 0; i < n; i++)
        put(s, topics[i], 0, sign);
}

static int by_topic(const void *a, const void *b)
{
    return str_cmp(((const struct cg_subscription *)a)->topic,
                   ((const struct cg_subscription *)b)->topic);
}

void cg_subscriptions_settle(struct cg_subscriptions *s)
{
    int32_t n = 0;

    if (s->n > 1)
        qsort(s->items, (size_t)s->n, sizeof(*s->items), by_topic);
    for (int32_t i = 0, j; i < s->n; i = j) {
        struct cg_subscription sum = s->items[i];

        for (j = i + 1; j < s->n && str_eq(s->items[j].topic, sum.topic); j++) {
            sum.n_members += s->items[j].n_members;
            sum.n_regexes += s->items[j].n_regexes;
        }
        ASSERT(sum.n_members >= 0);
        ASSERT(sum.n_regexes >= 0);
        if (sum.n_members > 0 || sum.n_regexes > 0)
            s->items[n++] = sum;
    }
    s->n = n;
}

int64_t cg_metadata_hash(struct groupm *m, const struct cg_subscriptions *s)
{
    const struct groupm_options *o = &m->options;
    struct str rack = str_of(o->config->broker_rack);
    struct topic_hash *topics = arena_array(s->arena, (size_t)s->n, sizeof(*topics));
    size_t n = 0;

    for (int32_t i = 0; i < s->n; i++) {
        struct str name = s->items[i].topic;
        int32_t n_partitions = o->topic_partitions(o->arg, name);

        if (n_partitions > 0)
            topics[n++] = (struct topic_hash){
                name, topic_hash_of(o->topic_id(o->arg, name), name, n_partitions, rack)};
    }
    return topic_hashes_of_group(topics, n);
}

/* ---- the same for all? */

/* How many different regular expressions there will be, and how many members will have one of them (any: when there is one,
 * it is that). */
static int32_t n_regexes_after(const struct group *g, struct cg_change change,
                               int32_t *n_members_of_one)
{
    struct cg_count *counts = g ? g->consumer->regexes : NULL;
    bool was = cg_has_regex(change.old), will_be = cg_has_regex(change.new);
    bool counted = false;
    int32_t n = 0;

    *n_members_of_one = 0;
    for (struct cg_count *c = counts; c; c = c->hh.next) {
        int32_t members = c->n_members;

        members -= was && str_eq(c->name, change.old->regex);
        if (will_be && str_eq(c->name, change.new->regex)) {
            members++;
            counted = true;
        }
        if (members == 0)
            continue;
        *n_members_of_one = members;
        n++;
    }
    if (will_be && !counted) {
        *n_members_of_one = 1;
        n++;
    }
    return n;
}

bool cg_is_homogeneous(const struct group *g, struct cg_change change,
                       const struct cg_subscriptions *s, int32_t n_members)
{
    int32_t n_of_one;
    int32_t n = n_regexes_after(g, change, &n_of_one);

    if (n > 0 && n_of_one != n_members)
        return false;
    for (int32_t i = 0; i < s->n; i++) {
        const struct cg_subscription *it = &s->items[i];

        if (n == 0 ? it->n_members != n_members : it->n_regexes != 1 || it->n_members > 0)
            return false;
    }
    return true;
}

struct str *cg_topics_of(const struct group *g, const struct cg_details *d, struct arena *arena,
                         int32_t *n)
{
    const struct cg_regex *r = g && cg_has_regex(d) ? cg_regex_find(g, d->regex) : NULL;
    struct str *names;

    if (!r || r->n_topics == 0) {
        *n = d->n_topics;
        return d->topics;
    }
    names = arena_array(arena, (size_t)d->n_topics + (size_t)r->n_topics, sizeof(*names));
    for (int32_t i = 0; i < d->n_topics; i++)
        names[i] = d->topics[i];
    for (int32_t i = 0; i < r->n_topics; i++)
        names[d->n_topics + i] = r->topics[i];
    *n = cg_sort_names(names, d->n_topics + r->n_topics);
    return names;
}
