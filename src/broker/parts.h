/* What broker's files ask of one another. */
#ifndef BARNABAS_BROKER_PARTS_H
#define BARNABAS_BROKER_PARTS_H

#include "broker.h"

/* partitions.c */
struct meta_observer broker_observer(struct broker *b);
void broker_set_strays_aside(struct broker *b);
void broker_recover_all(struct broker *b);
void broker_deletions_release(struct broker *b);
/* How the cleaner sees the partitions. */
struct cleaner *broker_cleaner_new(struct broker *b);

/* coordinators.c: the shards of __consumer_offsets */
struct groupm *broker_groups_new(struct broker *b);
int broker_groups_load(struct broker *b, struct errmsg *msg);
void broker_groups_close(struct broker *b);
/* The shard as the group coordinator gets it: 0 or a kafka_error. */
int16_t broker_offset_shard(struct broker *b, int32_t shard, struct statelog **out);
/* A shard of a coordinator's topic cannot be opened: one line a minute, for all of them. */
void broker_tell_shard(struct broker *b, const char *topic, int32_t shard, const struct errmsg *msg);

/* transactions.c: the shards of __transaction_state */
struct txnm *broker_txns_new(struct broker *b);
int broker_txns_load(struct broker *b, struct errmsg *msg);
void broker_txns_close(struct broker *b);

#endif
