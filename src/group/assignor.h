/* The server-side assignors of consumer groups (KIP-848): who gets which partition.
 *
 * Pure functions: the same spec gives the same answer, nothing is kept between two calls, and all memory, the answer's
 * too, comes from the arena of the call. They follow Apache Kafka 4.4 (org.apache.kafka.coordinator.group.assignor:
 * RangeAssignor, UniformAssignor) step by step, so that a group has the same assignment here and there.
 *
 * Where Kafka goes through a hash map, the order here is that of the spec's arrays: `members` as they stand, `topics`
 * as they stand. Give both in the same order each time (groups: members in the order they came, topics by name), or the
 * assignment is balanced all the same, but needs more moves than it should.
 */
#ifndef BARNABAS_GROUP_ASSIGNOR_H
#define BARNABAS_GROUP_ASSIGNOR_H

#include "base.h"

/* A topic that exists and that at least one member is subscribed to. Others may stand in the array; nobody gets them. */
struct assignor_topic {
    struct uuid id;       /* no id twice; the last tie-break of `uniform` */
    int32_t n_partitions; /* 0 .. ; the sum over all topics stays below 2^31 */
};

/* One partition: an index into spec->topics, and the number of the partition in it. */
struct assignor_partition {
    int32_t topic;
    int32_t partition; /* below the topic's n_partitions */
};

struct assignor_member {
    struct str member_id;   /* no id twice */
    struct str instance_id; /* of a static member; null: dynamic */
    /* The topics that it is subscribed to and that exist, by name or by regular expression: indices, ascending, none
     * twice. May be empty. */
    const int32_t *topics;
    int32_t n_topics;
    /* Its current *target* assignment (not what it has confirmed). Ascending by topic, then partition; nothing twice,
     * nothing that another member has too. The caller leaves out what no longer exists; topics that the member is no
     * longer subscribed to may stand here, they are taken away. */
    const struct assignor_partition *owned;
    int32_t n_owned;
    /* Out: its new target assignment, ascending by topic, then partition; in the arena (NULL when there is none). */
    struct assignor_partition *assigned;
    int32_t n_assigned;
};

struct assignor_spec {
    const struct assignor_topic *topics;
    int32_t n_topics;
    struct assignor_member *members; /* in and out */
    int32_t n_members;
    /* Kafka's SubscriptionType: all members have the same subscription. It is the caller who knows, because names of
     * topics that do not exist count too (SubscriptionCount, ModernGroup.subscriptionType). If true, `topics` of all
     * members must be the same; if false, they may still be. */
    bool homogeneous;
};

struct assignor {
    const char *
        name; /* what `group.consumer.assignors` and the field ServerAssignor say: "uniform", "range" */
    /* Fills `assigned` and `n_assigned` of every member. Every partition of a topic with a subscriber is given to exactly
     * one of its subscribers. Cannot fail; a spec that breaks the rules above is a bug (ASSERT). Costs about
     * O((partitions + members + subscriptions) * log); 1,000 members with 10,000 partitions take some milliseconds. */
    void (*assign)(struct assignor_spec *spec, struct arena *arena);
};

/* The assignor of this name, static; NULL when there is none. */
const struct assignor *assignor_find(struct str name);

#endif
