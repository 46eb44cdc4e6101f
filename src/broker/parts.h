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

#endif
