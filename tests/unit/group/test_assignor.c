/* What every assignment must be, whatever the group: whole, balanced, sticky, the same each time. */
#include "assignor.h"

#include "base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define TOPICS_MAX  40
#define MEMBERS_MAX 60
#define LIVES       150
#define STEPS       8

/* A group whose members and topics a seed chooses. The present assignment of a step is the target of the one before. */
struct life {
    struct rng rng;
    struct arena arenas[2]; /* of the step before, whose answer is read, and of this one */
    int step;
    bool one_subscription;
    struct assignor_topic topics[TOPICS_MAX];
    struct assignor_member members[MEMBERS_MAX];
    struct assignor_spec spec;
};

static struct arena *life_arena(struct life *l)
{
    return &l->arenas[l->step % 2];
}

static void subscribe(struct life *l, struct assignor_member *m)
{
    int32_t *topics = arena_array(life_arena(l), TOPICS_MAX, sizeof(*topics));
    uint64_t often = rng_below(&l->rng, 4) + 1;

    m->topics = topics;
    m->n_topics = 0;
    for (int32_t t = 0; t < l->spec.n_topics; t++)
        if (l->one_subscription || rng_below(&l->rng, 4) < often)
            topics[m->n_topics++] = t;
}

static void join(struct life *l)
{
    struct assignor_member *m = &l->members[l->spec.n_members++];

    *m = (struct assignor_member){
        .member_id = arena_printf(life_arena(l), "m%llu", (unsigned long long)rng_next(&l->rng))};
    subscribe(l, m);
}

static void life_begin(struct life *l, uint64_t seed, bool one_subscription)
{
    *l = (struct life){.one_subscription = one_subscription};
    arena_init(&l->arenas[0]);
    arena_init(&l->arenas[1]);
    rng_init(&l->rng, seed);
    l->spec = (struct assignor_spec){
        .topics = l->topics, .members = l->members, .homogeneous = one_subscription};
    l->spec.n_topics = (int32_t)rng_below(&l->rng, TOPICS_MAX) + 1;
    for (int32_t t = 0; t < l->spec.n_topics; t++)
        l->topics[t] = (struct assignor_topic){.id = rng_uuid(&l->rng),
                                               .n_partitions = (int32_t)rng_below(&l->rng, 12)};
    for (uint64_t n = rng_below(&l->rng, MEMBERS_MAX / 2) + 1; n > 0; n--)
        join(l);
}

static void life_end(struct life *l)
{
    arena_release(&l->arenas[0]);
    arena_release(&l->arenas[1]);
}

/* What stays moves to the arena of the new step, and its target becomes what it owns. */
static void keep_member(struct life *l, struct assignor_member *m)
{
    struct arena *a = life_arena(l);
    int32_t *topics = arena_array(a, TOPICS_MAX, sizeof(*topics));
    struct assignor_partition *owned = arena_array(a, (size_t)m->n_assigned, sizeof(*owned));

    if (m->n_topics)
        memcpy(topics, m->topics, (size_t)m->n_topics * sizeof(*topics));
    if (m->n_assigned)
        memcpy(owned, m->assigned, (size_t)m->n_assigned * sizeof(*owned));
    *m = (struct assignor_member){.member_id = arena_str(a, m->member_id),
                                  .topics = topics,
                                  .n_topics = m->n_topics,
                                  .owned = owned,
                                  .n_owned = m->n_assigned};
}

static void life_step(struct life *l)
{
    l->step++;
    arena_release(life_arena(l));
    arena_init(life_arena(l));
    for (int32_t i = 0; i < l->spec.n_members; i++)
        keep_member(l, &l->members[i]);
}

/* A member joins, leaves, or changes its mind; a topic grows. */
static void life_change(struct life *l)
{
    uint64_t what = rng_below(&l->rng, l->one_subscription ? 3 : 4);
    int32_t any = (int32_t)rng_below(&l->rng, (uint64_t)l->spec.n_members);

    if (what == 0 && l->spec.n_members < MEMBERS_MAX)
        join(l);
    else if (what == 1 && l->spec.n_members > 1)
        l->members[any] = l->members[--l->spec.n_members];
    else if (what == 2)
        l->topics[rng_below(&l->rng, (uint64_t)l->spec.n_topics)].n_partitions += 3;
    else if (what == 3)
        subscribe(l, &l->members[any]);
}

static bool subscribed(const struct assignor_member *m, int32_t topic)
{
    for (int32_t i = 0; i < m->n_topics; i++)
        if (m->topics[i] == topic)
            return true;
    return false;
}

/* Lists ascend, everybody has only what it is subscribed to, and every partition that anybody is subscribed to has
 * one owner. */
static void check_whole(const struct assignor_spec *spec)
{
    int32_t n_given = 0, n_wanted = 0;
    uint8_t *owners = xcalloc(TOPICS_MAX, 256);

    for (int32_t i = 0; i < spec->n_members; i++) {
        const struct assignor_member *m = &spec->members[i];

        for (int32_t k = 0; k < m->n_assigned; k++) {
            struct assignor_partition p = m->assigned[k];

            assert_true(subscribed(m, p.topic));
            assert_in_range(p.partition, 0, spec->topics[p.topic].n_partitions - 1);
            assert_int_equal(owners[p.topic * 256 + p.partition]++, 0);
            if (k > 0)
                assert_true(m->assigned[k - 1].topic < p.topic ||
                            m->assigned[k - 1].partition < p.partition);
        }
        n_given += m->n_assigned;
    }
    for (int32_t t = 0; t < spec->n_topics; t++)
        for (int32_t i = 0; i < spec->n_members; i++)
            if (subscribed(&spec->members[i], t)) {
                n_wanted += spec->topics[t].n_partitions;
                break;
            }
    assert_int_equal(n_given, n_wanted);
    free(owners);
}

static int32_t n_kept(const struct assignor_member *m)
{
    int32_t n = 0;

    for (int32_t i = 0, k = 0; i < m->n_owned && k < m->n_assigned;) {
        int32_t order = m->owned[i].topic != m->assigned[k].topic
                            ? m->owned[i].topic - m->assigned[k].topic
                            : m->owned[i].partition - m->assigned[k].partition;

        n += order == 0;
        i += order <= 0;
        k += order >= 0;
    }
    return n;
}

/* Shares differ by one at most, and no other assignment with such shares would have moved less. */
static void check_equal_shares(const struct assignor_spec *spec)
{
    int32_t n = 0, kept = 0, could_keep = 0, n_above = 0, share;

    for (int32_t i = 0; i < spec->n_members; i++)
        n += spec->members[i].n_assigned;
    share = n / spec->n_members;
    for (int32_t i = 0; i < spec->n_members; i++) {
        const struct assignor_member *m = &spec->members[i];

        assert_in_range(m->n_assigned, share, share + (n % spec->n_members ? 1 : 0));
        kept += n_kept(m);
        could_keep += MIN(m->n_owned, share);
        n_above += m->n_owned > share;
    }
    assert_int_equal(kept, could_keep + MIN(n_above, n % spec->n_members));
}

/* No partition could go to a subscriber that has two less. */
static void check_balanced(const struct assignor_spec *spec)
{
    for (int32_t i = 0; i < spec->n_members; i++) {
        const struct assignor_member *m = &spec->members[i];

        for (int32_t k = 0; k < m->n_assigned; k++)
            for (int32_t other = 0; other < spec->n_members; other++)
                if (subscribed(&spec->members[other], m->assigned[k].topic))
                    assert_true(m->n_assigned - spec->members[other].n_assigned <= 1);
    }
}

static void check_same_again(struct life *l, const struct assignor *assignor)
{
    struct assignor_member again[MEMBERS_MAX];
    struct assignor_spec spec = l->spec;

    memcpy(again, l->members, sizeof(again));
    spec.members = again;
    assignor->assign(&spec, life_arena(l));
    for (int32_t i = 0; i < spec.n_members; i++) {
        size_t bytes = (size_t)again[i].n_assigned * sizeof(*again[i].assigned);

        assert_int_equal(again[i].n_assigned, l->members[i].n_assigned);
        if (bytes)
            assert_memory_equal(again[i].assigned, l->members[i].assigned, bytes);
    }
}

static void live(const char *name, bool one_subscription,
                 void (*check)(const struct assignor_spec *spec))
{
    const struct assignor *assignor = assignor_find(str_of(name));

    assert_non_null(assignor);
    for (uint64_t seed = 1; seed <= LIVES; seed++) {
        struct life l;

        life_begin(&l, seed, one_subscription);
        for (int step = 0; step < STEPS; step++) {
            assignor->assign(&l.spec, life_arena(&l));
            check_whole(&l.spec);
            if (check)
                check(&l.spec);
            check_same_again(&l, assignor);
            life_step(&l);
            for (uint64_t n = rng_below(&l.rng, 3); n > 0; n--)
                life_change(&l);
        }
        life_end(&l);
    }
}

/* Equal subscriptions: equal shares, by the least possible number of moves. */
static void test_uniform_of_one_subscription(void **state)
{
    live("uniform", true, check_equal_shares);
}

/* Different subscriptions: balanced as far as moves of single partitions can make it. */
static void test_uniform_of_many_subscriptions(void **state)
{
    live("uniform", false, check_balanced);
}

static void test_range_is_whole(void **state)
{
    live("range", true, NULL);
    live("range", false, NULL);
}

/* A group in which nothing changed keeps everything, whatever its subscriptions are. */
static void test_nothing_moves_without_a_reason(void **state)
{
    for (uint64_t seed = 1; seed <= LIVES; seed++) {
        struct life l;

        life_begin(&l, seed, seed % 2 == 0);
        for (int step = 0; step < 2; step++) {
            assignor_find(STR("uniform"))->assign(&l.spec, life_arena(&l));
            for (int32_t i = 0; step > 0 && i < l.spec.n_members; i++) {
                assert_int_equal(l.members[i].n_assigned, l.members[i].n_owned);
                assert_int_equal(n_kept(&l.members[i]), l.members[i].n_owned);
            }
            life_step(&l);
        }
        life_end(&l);
    }
}

static void check_run(const struct assignor_member *m, int32_t i, int32_t topic, int32_t partition)
{
    assert_true(i < m->n_assigned);
    assert_int_equal(m->assigned[i].topic, topic);
    assert_int_equal(m->assigned[i].partition, partition);
}

/* Static members come first, by instance id, and have the same numbers of topics of the same size. */
static void test_range_runs(void **state)
{
    static const int32_t both[] = {0, 1};
    struct assignor_topic topics[] = {{.id = {{1}}, .n_partitions = 4},
                                      {.id = {{2}}, .n_partitions = 4}};
    struct assignor_member members[] = {
        {.member_id = STR("a"), .topics = both, .n_topics = 2},
        {.member_id = STR("z"), .instance_id = STR("i1"), .topics = both, .n_topics = 2},
        {.member_id = STR("y"), .instance_id = STR("i2"), .topics = both, .n_topics = 2},
    };
    struct assignor_spec spec = {
        .topics = topics, .n_topics = 2, .members = members, .n_members = 3, .homogeneous = true};
    struct arena arena;

    arena_init(&arena);
    assignor_find(STR("range"))->assign(&spec, &arena);
    check_run(&members[1], 0, 0, 0);
    check_run(&members[1], 1, 0, 1);
    check_run(&members[1], 2, 1, 0);
    check_run(&members[1], 3, 1, 1);
    check_run(&members[2], 0, 0, 2);
    check_run(&members[2], 1, 1, 2);
    check_run(&members[0], 0, 0, 3);
    check_run(&members[0], 1, 1, 3);
    arena_release(&arena);
}

/* Nobody, nothing to read, and more members than partitions. */
static void test_empty_groups(void **state)
{
    static const int32_t first[] = {0};
    static const char *const names[] = {"uniform", "range"};
    struct assignor_topic topic = {.id = {{1}}, .n_partitions = 1};

    for (int i = 0; i < 4; i++) {
        const struct assignor *assignor = assignor_find(str_of(names[i / 2]));
        struct assignor_member members[] = {{.member_id = STR("a")}, {.member_id = STR("b")}};
        struct assignor_spec spec = {.members = members, .homogeneous = i % 2 == 0};
        struct arena arena;

        arena_init(&arena);
        assignor->assign(&spec, &arena);
        spec.n_members = 2;
        assignor->assign(&spec, &arena);
        assert_int_equal(members[0].n_assigned + members[1].n_assigned, 0);
        assert_null(members[0].assigned);
        spec.topics = &topic;
        spec.n_topics = 1;
        for (int m = 0; m < 2; m++) {
            members[m].topics = first;
            members[m].n_topics = 1;
        }
        assignor->assign(&spec, &arena);
        assert_int_equal(members[0].n_assigned + members[1].n_assigned, 1);
        arena_release(&arena);
    }
}

static void test_names(void **state)
{
    assert_string_equal(assignor_find(STR("uniform"))->name, "uniform");
    assert_string_equal(assignor_find(STR("range"))->name, "range");
    assert_null(assignor_find(STR("Range")));
    assert_null(assignor_find(STR("roundrobin")));
    assert_null(assignor_find((struct str){0}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_uniform_of_one_subscription),
        cmocka_unit_test(test_uniform_of_many_subscriptions),
        cmocka_unit_test(test_range_is_whole),
        cmocka_unit_test(test_nothing_moves_without_a_reason),
        cmocka_unit_test(test_range_runs),
        cmocka_unit_test(test_empty_groups),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
