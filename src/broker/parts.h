/* What broker's files ask of one another. */
#ifndef BARNABAS_BROKER_PARTS_H
#define BARNABAS_BROKER_PARTS_H

#include "broker.h"

/* partitions.c */
struct meta_observer broker_observer(struct broker *b);
void broker_set_strays_aside(struct broker *b);
void broker_recover_all(struct broker *b);
void broker_deletions_release(struct broker *b);
bool broker_topic_is_being_deleted(const struct broker *b, const char *topic); /* which is not durable yet */
/* How the cleaner sees the partitions. */
struct cleaner *broker_cleaner_new(struct broker *b);

/* moves.c */
void broker_moves_configured(struct broker *b); /* settings of the broker have changed */
void broker_moves_go_on(struct broker *b);      /* at the start, after all was loaded: those that had not ended */
void broker_moves_release(struct broker *b);    /* after the metadata was closed, before the logs are */

/* shards.c: the partitions of a coordinator's topic, each the log of one of its machines */
struct shards_kind {
    const char *topic;
    statelog_apply_fn *apply;
    /* The machine of a shard, to be filled by apply; and it has been. */
    void *(*machine)(struct broker *b, int32_t shard, int32_t leader_epoch);
    void (*loaded)(void *machine, struct statelog *log);
};
struct shards *shards_new(struct broker *b, const struct shards_kind *kind);
/* How many there are; the topic is made when it is missing. 0: it cannot be made now. */
int32_t shards_count(struct shards *s);
/* The log of one, opened when it is first asked for. 0 or a kafka_error. */
int16_t shards_get(struct shards *s, int32_t shard, struct statelog **out);
/* Those that were ever written to, at the start; a directory that is offline is passed over. 0, or E_* with msg. */
int shards_load(struct shards *s, struct errmsg *msg);
bool shards_all_loaded(const struct shards *s); /* all of those */
/* The topic has been deleted: hands over all logs (NULL: never opened), which are then the caller's to close. */
struct statelog **shards_take(struct shards *s, int32_t *n);
void shards_free(struct shards *s);

/* coordinators.c: groups, in __consumer_offsets */
void broker_groups_new(struct broker *b);

/* transactions.c: transactions, in __transaction_state */
void broker_txns_new(struct broker *b);

/* hanging.c: open transactions that the coordinator may have lost */
void broker_hanging_init(struct broker *b);
void broker_hanging_look(struct broker *b, struct log *log); /* it was opened */
void broker_hanging_start(struct broker *b);                 /* after all was loaded, before anybody is served */
/* The coordinator's topic is being deleted, while it still knows its transactions; and it has been. */
void broker_hanging_coordinator_goes(struct broker *b);
void broker_hanging_coordinator_gone(struct broker *b);
void broker_hanging_stop(struct broker *b); /* again is fine */

#endif
