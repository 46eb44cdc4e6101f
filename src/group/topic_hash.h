/* Hashes by which a consumer group notices that the topics of its subscription changed (KIP-848, MetadataHash of
 * ConsumerGroupMetadataValue). The same numbers as Apache Kafka 4.4's (org.apache.kafka.coordinator.group.Utils), so that a
 * group goes on undisturbed on the other broker. */
#ifndef BARNABAS_GROUP_TOPIC_HASH_H
#define BARNABAS_GROUP_TOPIC_HASH_H

#include "base.h"

/* One topic of a subscription. */
struct topic_hash {
    struct str name; /* none twice */
    int64_t hash;    /* topic_hash_of */
};

/* Utils.computeTopicHash of a topic that exists; a topic that does not exist has 0 (and no place in
 * topic_hashes_of_group). rack: `broker.rack`, null without one; every partition has its one replica here. */
int64_t topic_hash_of(struct uuid id, struct str name, int32_t n_partitions, struct str rack);
/* Utils.computeGroupHash: over the subscribed topics that exist (ModernGroup.computeMetadataHash); sorts them by name.
 * 0 for none. */
int64_t topic_hashes_of_group(struct topic_hash *topics, size_t n);

#endif
