/* What all assignors work on: the owner of each partition, in one flat array. */
#ifndef BARNABAS_GROUP_ASSIGNOR_OWNERS_H
#define BARNABAS_GROUP_ASSIGNOR_OWNERS_H

#include "assignor.h"

#define NO_OWNER (-1)

struct owners {
    int32_t *base; /* per topic: where its partition 0 stands in `of`; one entry more: the sum */
    int32_t *of;   /* per partition: the index of a member, or NO_OWNER */
};

/* Nobody owns anything; lives in the arena. */
void owners_init(struct owners *o, const struct assignor_spec *spec, struct arena *arena);
/* What the members own at present, but only of topics that they are subscribed to. */
void owners_take_present(struct owners *o, const struct assignor_spec *spec);
/* Fills `assigned` of every member. */
void owners_give(const struct owners *o, struct assignor_spec *spec, struct arena *arena);

static inline int32_t *owner_at(const struct owners *o, int32_t topic, int32_t partition)
{
    return &o->of[o->base[topic] + partition];
}

void assign_range(struct assignor_spec *spec, struct arena *arena);
void assign_uniform(struct assignor_spec *spec, struct arena *arena);
/* `uniform` for members with different subscriptions. */
void assign_balanced(struct assignor_spec *spec, struct arena *arena);

#endif
