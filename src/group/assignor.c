/* The table of assignors, and the array of owners that they fill.
 *
 * Owner: nobody; everything lives in the arena of one call.
 *
 * An assignor decides owner[partition]; owners_give turns that into one sorted list per member, which
 * also makes sure that no partition has two owners: it has one place.
 */
#include "assignor.h"

#include "assignor_owners.h"

static const struct assignor ASSIGNORS[] = {
    {.name = "uniform", .assign = assign_uniform},
    {.name = "range", .assign = assign_range},
};

const struct assignor *assignor_find(struct str name)
{
    for (size_t i = 0; i < ARRAY_SIZE(ASSIGNORS); i++)
        if (str_is(name, ASSIGNORS[i].name))
            return &ASSIGNORS[i];
    return NULL;
}

void owners_init(struct owners *o, const struct assignor_spec *spec, struct arena *arena)
{
    o->base = arena_array(arena, (size_t)spec->n_topics + 1, sizeof(*o->base));
    for (int32_t t = 0; t < spec->n_topics; t++) {
        ASSERT(spec->topics[t].n_partitions >= 0);
        ASSERT(spec->topics[t].n_partitions <= INT32_MAX - o->base[t]);
        o->base[t + 1] = o->base[t] + spec->topics[t].n_partitions;
    }
    o->of = arena_array(arena, (size_t)o->base[spec->n_topics], sizeof(*o->of));
    for (int32_t i = 0; i < o->base[spec->n_topics]; i++)
        o->of[i] = NO_OWNER;
}

void owners_take_present(struct owners *o, const struct assignor_spec *spec)
{
    for (int32_t m = 0; m < spec->n_members; m++) {
        const struct assignor_member *member = &spec->members[m];
        int32_t at = 0; /* in the member's topics: both lists ascend */

        for (int32_t i = 0; i < member->n_owned; i++) {
            struct assignor_partition p = member->owned[i];

            ASSERT(p.topic >= 0 && p.topic < spec->n_topics);
            ASSERT(p.partition >= 0 && p.partition < spec->topics[p.topic].n_partitions);
            while (at < member->n_topics && member->topics[at] < p.topic)
                at++;
            if (at == member->n_topics || member->topics[at] != p.topic)
                continue;
            ASSERT(*owner_at(o, p.topic, p.partition) == NO_OWNER);
            *owner_at(o, p.topic, p.partition) = m;
        }
    }
}

void owners_give(const struct owners *o, struct assignor_spec *spec, struct arena *arena)
{
    int32_t n = o->base[spec->n_topics];
    int32_t *sizes = arena_array(arena, (size_t)spec->n_members, sizeof(*sizes));

    for (int32_t i = 0; i < n; i++)
        if (o->of[i] != NO_OWNER)
            sizes[o->of[i]]++;
    for (int32_t m = 0; m < spec->n_members; m++) {
        struct assignor_member *member = &spec->members[m];

        member->n_assigned = 0;
        member->assigned =
            sizes[m] ? arena_array(arena, (size_t)sizes[m], sizeof(*member->assigned)) : NULL;
    }
    for (int32_t t = 0; t < spec->n_topics; t++) {
        for (int32_t p = 0; p < spec->topics[t].n_partitions; p++) {
            int32_t owner = *owner_at(o, t, p);
            struct assignor_member *member;

            if (owner == NO_OWNER)
                continue;
            member = &spec->members[owner];
            ASSERT(member->n_assigned < sizes[owner]);
            member->assigned[member->n_assigned++] =
                (struct assignor_partition){.topic = t, .partition = p};
        }
    }
}
