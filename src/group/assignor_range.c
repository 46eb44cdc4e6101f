/* `range`: of each topic every subscriber gets one run of partitions; nothing is sticky but the order of
 * the members.
 *
 * Owner: nobody; everything lives in the arena of one call.
 *
 * Static members come first, by instance id, then the others, by member id: so a static member that
 * comes back with a new member id has its old runs. Members with the same subscription and topics
 * of the same size get the same numbers of each topic (co-partitioning). As Kafka's RangeAssignor;
 * ids are compared as bytes (Kafka: as UTF-16, which differs only beyond U+D7FF).
 */
#include "assignor_owners.h"

struct range {
    int32_t n_subscribers;
    int32_t n_served; /* subscribers that have their run */
    int32_t next;     /* the first partition that nobody has */
};

static int by_instance(const void *a, const void *b)
{
    const struct assignor_member *x = *(const struct assignor_member *const *)a;
    const struct assignor_member *y = *(const struct assignor_member *const *)b;

    if (x->instance_id.p && y->instance_id.p)
        return str_cmp(x->instance_id, y->instance_id);
    if (x->instance_id.p || y->instance_id.p)
        return x->instance_id.p ? -1 : 1;
    return str_cmp(x->member_id, y->member_id);
}

static const struct assignor_member **members_in_order(const struct assignor_spec *spec,
                                                       struct arena *arena)
{
    const struct assignor_member **order =
        arena_array(arena, (size_t)spec->n_members, sizeof(struct assignor_member *));

    for (int32_t m = 0; m < spec->n_members; m++)
        order[m] = &spec->members[m];
    qsort(order, (size_t)spec->n_members, sizeof(struct assignor_member *), by_instance);
    return order;
}

/* The remainder of the division goes to the first subscribers, one each. */
static void give_run(struct range *r, int32_t n_partitions, int32_t *owners, int32_t owner)
{
    int32_t quota = n_partitions / r->n_subscribers;
    int32_t end;

    ASSERT(r->n_served < r->n_subscribers);
    if (r->n_served < n_partitions % r->n_subscribers)
        quota++;
    end = r->next + quota;
    ASSERT(end <= n_partitions);
    while (r->next < end)
        owners[r->next++] = owner;
    r->n_served++;
}

void assign_range(struct assignor_spec *spec, struct arena *arena)
{
    const struct assignor_member **order = members_in_order(spec, arena);
    struct range *ranges = arena_array(arena, (size_t)spec->n_topics, sizeof(*ranges));
    struct owners owners;

    owners_init(&owners, spec, arena);
    for (int32_t m = 0; m < spec->n_members; m++)
        for (int32_t i = 0; i < spec->members[m].n_topics; i++)
            ranges[spec->members[m].topics[i]].n_subscribers++;
    for (int32_t m = 0; m < spec->n_members; m++)
        for (int32_t i = 0; i < order[m]->n_topics; i++) {
            int32_t t = order[m]->topics[i];

            give_run(&ranges[t], spec->topics[t].n_partitions, owner_at(&owners, t, 0),
                     (int32_t)(order[m] - spec->members));
        }
    owners_give(&owners, spec, arena);
}
