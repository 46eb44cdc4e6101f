/* `uniform` for members that all have the same subscription: equal shares, and as little moves as can be.
 *
 * Owner: nobody; everything lives in the arena of one call.
 *
 * With P partitions and M members everybody gets P / M, and P % M members get one more. Each member keeps
 * what it has up to its share; what is left over, and what nobody had, goes to those with room, in order.
 * Who gets one more: the first members that already have it, and, so that the last ones are not
 * left without, any member that no other could replace. As Kafka's UniformHomogeneousAssignmentBuilder.
 */
#include "assignor_owners.h"

struct uniform {
    struct assignor_spec *spec;
    struct owners owners;
    int32_t *rooms; /* per member: how many partitions it still takes */
    int32_t *
        free; /* partitions without an owner, as places in owners.of; in the order they are given */
    int32_t n_free;
};

static int32_t n_subscribed_partitions(const struct assignor_spec *spec)
{
    const struct assignor_member *m = &spec->members[0];
    int32_t n = 0;

    for (int32_t i = 0; i < m->n_topics; i++)
        n += spec->topics[m->topics[i]].n_partitions;
    return n;
}

static void find_free(struct uniform *u)
{
    const struct assignor_member *m = &u->spec->members[0];

    for (int32_t i = 0; i < m->n_topics; i++)
        for (int32_t p = 0; p < u->spec->topics[m->topics[i]].n_partitions; p++)
            if (*owner_at(&u->owners, m->topics[i], p) == NO_OWNER)
                u->free[u->n_free++] = u->owners.base[m->topics[i]] + p;
}

/* The member keeps its partitions up to the quota, the others become free; returns the room that is left. */
static int32_t keep(struct uniform *u, int32_t index, int32_t quota)
{
    const struct assignor_member *m = &u->spec->members[index];

    for (int32_t i = 0; i < m->n_owned; i++) {
        int32_t *owner = owner_at(&u->owners, m->owned[i].topic, m->owned[i].partition);

        if (*owner != index) /* not subscribed to it any more */
            continue;
        if (quota > 0) {
            quota--;
            continue;
        }
        *owner = NO_OWNER;
        u->free[u->n_free++] = (int32_t)(owner - u->owners.of);
    }
    return quota;
}

static void share_out(struct uniform *u, int32_t n_partitions)
{
    int32_t n_members = u->spec->n_members;
    int32_t n_extra = n_partitions % n_members; /* members that get one more, still to be found */

    for (int32_t m = 0; m < n_members; m++) {
        bool extra = n_extra > 0;
        int32_t room = keep(u, m, n_partitions / n_members + (extra ? 1 : 0));

        if (extra && room > 0 && n_members - m > n_extra) { /* others can take it */
            extra = false;
            room--;
        }
        if (extra)
            n_extra--;
        u->rooms[m] = room;
    }
    ASSERT(n_extra == 0);
}

static void give_free(struct uniform *u)
{
    int32_t at = 0;

    for (int32_t m = 0; m < u->spec->n_members; m++)
        for (int32_t room = u->rooms[m]; room > 0 && at < u->n_free; room--)
            u->owners.of[u->free[at++]] = m;
    ASSERT(at == u->n_free);
}

static bool same_topics(const struct assignor_member *a, const struct assignor_member *b)
{
    return a->n_topics == b->n_topics &&
           (a->n_topics == 0 ||
            memcmp(a->topics, b->topics, (size_t)a->n_topics * sizeof(*a->topics)) == 0);
}

static void assign_equal_shares(struct assignor_spec *spec, struct arena *arena)
{
    int32_t n_partitions = n_subscribed_partitions(spec);
    struct uniform u = {.spec = spec};

    for (int32_t m = 1; m < spec->n_members; m++)
        ASSERT(same_topics(&spec->members[0], &spec->members[m]));
    owners_init(&u.owners, spec, arena);
    owners_take_present(&u.owners, spec);
    u.rooms = arena_array(arena, (size_t)spec->n_members, sizeof(*u.rooms));
    u.free = arena_array(arena, (size_t)n_partitions, sizeof(*u.free));
    find_free(&u);
    share_out(&u, n_partitions);
    give_free(&u);
    owners_give(&u.owners, spec, arena);
}

void assign_uniform(struct assignor_spec *spec, struct arena *arena)
{
    if (spec->n_members == 0)
        return;
    if (spec->homogeneous)
        assign_equal_shares(spec, arena);
    else
        assign_balanced(spec, arena);
}
