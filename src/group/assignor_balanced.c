/* `uniform` for members with different subscriptions.
 *
 * Owner: nobody; everything lives in the arena of one call.
 *
 * 1. Everybody keeps what it has and is still subscribed to.
 * 2. What has no owner is given to the least loaded subscribers; topics with many partitions per
 *    subscriber come first, because they are the hardest to place.
 * 3. Topic by topic, partitions go from the most to the least loaded subscribers until they differ by one; again and
 *    again until a whole round moved nothing, or MAX_ROUNDS.
 *
 * After step 3 the subscribers of any one topic differ by one at most, if the others have partitions of
 * it to give up; through a chain of topics two members may differ by more. As Kafka's
 * UniformHeterogeneousAssignmentBuilder, whose limit of rounds this is.
 */
#include "assignor_balancer.h"
#include "assignor_owners.h"

#define MAX_ROUNDS 16

struct balance {
    const struct assignor_spec *spec;
    struct owners owners;
    struct balancer balancer;
    int32_t *sizes;       /* per member: how many partitions it has */
    int32_t *base;        /* per topic: where its subscribers begin; one entry more: the sum */
    int32_t *subscribers; /* members, ascending within a topic */
    /* The partitions of the topic that is being balanced, those of one owner together: [starts[m], ends[m]) belong to
     * the subscriber m. */
    int32_t *grouped, *starts, *ends;
};

static int32_t n_subscribers(const struct balance *b, int32_t topic)
{
    return b->base[topic + 1] - b->base[topic];
}

static void find_subscribers(struct balance *b, struct arena *arena)
{
    const struct assignor_spec *spec = b->spec;
    int32_t *next;
    size_t n = 0;

    b->base = arena_array(arena, (size_t)spec->n_topics + 1, sizeof(*b->base));
    next = arena_array(arena, (size_t)spec->n_topics + 1, sizeof(*next));
    for (int32_t m = 0; m < spec->n_members; m++) {
        n += (size_t)spec->members[m].n_topics;
        for (int32_t i = 0; i < spec->members[m].n_topics; i++)
            b->base[spec->members[m].topics[i] + 1]++;
    }
    ASSERT(n <= INT32_MAX);
    for (int32_t t = 0; t < spec->n_topics; t++) {
        b->base[t + 1] += b->base[t];
        next[t] = b->base[t];
    }
    b->subscribers = arena_array(arena, n, sizeof(*b->subscribers));
    for (int32_t m = 0; m < spec->n_members; m++)
        for (int32_t i = 0; i < spec->members[m].n_topics; i++)
            b->subscribers[next[spec->members[m].topics[i]]++] = m;
}

/* java.util.UUID-like order of Kafka's Uuid: two signed 64-bit numbers. */
static int compare_ids(struct uuid a, struct uuid b)
{
    a.b[0] ^= 0x80;
    b.b[0] ^= 0x80;
    a.b[8] ^= 0x80;
    b.b[8] ^= 0x80;
    return memcmp(a.b, b.b, sizeof(a.b));
}

/* More partitions per subscriber first, then fewer subscribers, then the id. The quotients are compared as
 * doubles, as Kafka compares them. */
static int hardest_first(const void *x, const void *y, void *arg)
{
    const struct balance *b = arg;
    int32_t tx = *(const int32_t *)x, ty = *(const int32_t *)y;
    int32_t nx = n_subscribers(b, tx), ny = n_subscribers(b, ty);
    double per_x = (double)b->spec->topics[tx].n_partitions / nx;
    double per_y = (double)b->spec->topics[ty].n_partitions / ny;

    if (per_x != per_y)
        return per_x > per_y ? -1 : 1;
    if (nx != ny)
        return nx < ny ? -1 : 1;
    return compare_ids(b->spec->topics[tx].id, b->spec->topics[ty].id);
}

/* The topics with so many subscribers or more, the hardest first. */
static int32_t topics_in_order(struct balance *b, int32_t n_subscribers_min, int32_t *order)
{
    int32_t n = 0;

    for (int32_t t = 0; t < b->spec->n_topics; t++)
        if (n_subscribers(b, t) >= n_subscribers_min)
            order[n++] = t;
    qsort_r(order, (size_t)n, sizeof(*order), hardest_first, b);
    return n;
}

static void give(struct balance *b, int32_t topic, int32_t partition, int32_t member)
{
    int32_t *owner = owner_at(&b->owners, topic, partition);

    if (*owner != NO_OWNER)
        b->sizes[*owner]--;
    *owner = member;
    b->sizes[member]++;
}

static void give_free(struct balance *b, int32_t topic)
{
    bool loaded = false;

    for (int32_t p = 0; p < b->spec->topics[topic].n_partitions; p++) {
        if (*owner_at(&b->owners, topic, p) != NO_OWNER)
            continue;
        if (!loaded)
            balancer_load(&b->balancer, &b->subscribers[b->base[topic]], n_subscribers(b, topic));
        loaded = true;
        give(b, topic, p, balancer_next_least(&b->balancer));
    }
}

/* The subscribers of the topic differ by one at most. */
static bool even(const struct balance *b, int32_t topic)
{
    int32_t min = INT32_MAX, max = 0;

    for (int32_t i = b->base[topic]; i < b->base[topic + 1]; i++) {
        min = MIN(min, b->sizes[b->subscribers[i]]);
        max = MAX(max, b->sizes[b->subscribers[i]]);
    }
    return max - min <= 1;
}

static void group_by_owner(struct balance *b, int32_t topic)
{
    int32_t n = b->spec->topics[topic].n_partitions;
    int32_t at = 0;

    for (int32_t i = b->base[topic]; i < b->base[topic + 1]; i++)
        b->ends[b->subscribers[i]] = 0;
    for (int32_t p = 0; p < n; p++)
        b->ends[*owner_at(&b->owners, topic, p)]++;
    for (int32_t i = b->base[topic]; i < b->base[topic + 1]; i++) {
        int32_t m = b->subscribers[i];
        int32_t n_owned = b->ends[m];

        b->starts[m] = b->ends[m] = at;
        at += n_owned;
    }
    ASSERT(at == n); /* every owner is a subscriber */
    for (int32_t p = 0; p < n; p++)
        b->grouped[b->ends[*owner_at(&b->owners, topic, p)]++] = p;
}

/* A most loaded subscriber that has a partition of the topic; NO_MEMBER when there is none left. */
static int32_t next_giver(struct balance *b)
{
    for (;;) {
        int32_t m = balancer_next_most(&b->balancer);

        if (m == NO_MEMBER || b->ends[m] > b->starts[m])
            return m;
        balancer_exclude(&b->balancer);
    }
}

static bool balance_topic(struct balance *b, int32_t topic)
{
    bool moved = false;

    if (even(b, topic))
        return false;
    balancer_load(&b->balancer, &b->subscribers[b->base[topic]], n_subscribers(b, topic));
    group_by_owner(b, topic);
    while (!balancer_even(&b->balancer)) {
        int32_t from = next_giver(b);
        int32_t to;

        if (from == NO_MEMBER)
            break;
        to = balancer_next_least(&b->balancer);
        if (balancer_even(&b->balancer))
            break;
        give(b, topic, b->grouped[--b->ends[from]], to);
        moved = true;
    }
    return moved;
}

static void balance_topics(struct balance *b, const int32_t *order, int32_t n)
{
    int32_t last_moved = 0; /* where the present round of "nothing moved" began */

    for (int32_t turn = 0; turn < MAX_ROUNDS * n; turn++) {
        if (turn > 0 && turn % n == last_moved)
            return;
        if (balance_topic(b, order[turn % n]))
            last_moved = turn % n;
    }
}

void assign_balanced(struct assignor_spec *spec, struct arena *arena)
{
    struct balance b = {.spec = spec};
    int32_t *order = arena_array(arena, (size_t)spec->n_topics, sizeof(*order));
    int32_t n_partitions_max = 0;
    int32_t n;

    owners_init(&b.owners, spec, arena);
    owners_take_present(&b.owners, spec);
    find_subscribers(&b, arena);
    b.sizes = arena_array(arena, (size_t)spec->n_members, sizeof(*b.sizes));
    b.starts = arena_array(arena, (size_t)spec->n_members, sizeof(*b.starts));
    b.ends = arena_array(arena, (size_t)spec->n_members, sizeof(*b.ends));
    for (int32_t t = 0; t < spec->n_topics; t++)
        n_partitions_max = MAX(n_partitions_max, spec->topics[t].n_partitions);
    b.grouped = arena_array(arena, (size_t)n_partitions_max, sizeof(*b.grouped));
    for (int32_t i = 0; i < b.owners.base[spec->n_topics]; i++)
        if (b.owners.of[i] != NO_OWNER)
            b.sizes[b.owners.of[i]]++;
    balancer_init(&b.balancer, b.sizes, spec->n_members, arena);

    n = topics_in_order(&b, 1, order);
    for (int32_t i = 0; i < n; i++)
        give_free(&b, order[i]);
    n = topics_in_order(&b, 2, order);
    balance_topics(&b, order, n);
    owners_give(&b.owners, spec, arena);
}
