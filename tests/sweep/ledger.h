/* What the clients of a short life know: what they sent, what was answered, what they have read. All of it is values, so that a copy
 * of a ledger is the knowledge of one moment. */
#ifndef SWEEP_LEDGER_H
#define SWEEP_LEDGER_H

#include "base.h"

enum topic {
    TOPIC_PLAIN = 0, /* two partitions, small segments, acks=all and acks=1 */
    TOPIC_IDEM,      /* an idempotent producer's */
    TOPIC_LOOSE,     /* flush.messages is Kafka's own: a power cut may take what was acknowledged */
    TOPIC_GONE,      /* deleted on the way */
    TOPIC_KEYS,      /* compacted */
    TOPIC_OLD,       /* no larger than retention.bytes */
    TOPICS,
};
#define PARTITIONS_MAX 2
extern const char *const topic_names[TOPICS];
extern const int topic_partitions[TOPICS];

enum topic_state {
    TOPIC_ABSENT = 0,
    TOPIC_MAYBE_THERE, /* its creation was not answered */
    TOPIC_THERE,
    TOPIC_MAYBE_REMOVED,
    TOPIC_REMOVED,
};
enum fate {
    FATE_UNKNOWN = 0, /* not answered, or answered with "maybe" */
    FATE_ACKED,
    FATE_REFUSED, /* nothing of it may ever be seen */
};
/* A batch: records `first` to first + n of its partition, numbered as they were sent. */
struct sent {
    enum topic topic;
    int partition, first, n;
    int acks;
    enum fate fate;
    int64_t base_offset; /* as answered; -1 */
    int32_t sequence;    /* of an idempotent producer; -1 */
};
#define SENT_MAX 128
#define VIEW_MAX 256
/* The numbers of the records of a partition, by offset from 0. */
#define NUMBER_NONE (-1) /* it was compacted away, or lies below the log start */
struct view {
    int64_t n;
    int numbers[VIEW_MAX];
};
struct ledger {
    struct sent sent[SENT_MAX];
    int n_sent;
    int next_number[TOPICS][PARTITIONS_MAX];
    struct view read[TOPICS][PARTITIONS_MAX];
    enum topic_state topics[TOPICS];
    int64_t producer_id; /* -1: none yet */
    int32_t sequence_next;
    int64_t committed;       /* acknowledged; -1 none */
    int64_t committed_tried; /* the highest that was sent */
};
/* Of TOPIC_KEYS, by a record's number. */
#define LEDGER_KEYS 3
int ledger_key(int number);
bool ledger_is_tombstone(int number);
bool topic_loses(enum topic topic); /* by rules: compaction or retention */
void ledger_init(struct ledger *l);
struct sent *ledger_send(struct ledger *l, enum topic topic, int partition, int n, int acks);
/* The idempotent batch that is to be sent (again) before any other; NULL. */
struct sent *ledger_unanswered(struct ledger *l);
/* The newest batch of the idempotent producer; NULL. */
struct sent *ledger_last_idempotent(struct ledger *l);
/* Compares what a partition holds with what is known of it, and reports. power_lost: what was not promised may be missing. */
void ledger_compare(const struct ledger *l, enum topic topic, int partition,
                    const struct view *view, bool power_lost);
/* What is not there now must never come: unanswered batches that are missing count as refused. */
void ledger_settle(struct ledger *l, enum topic topic, int partition, const struct view *view);

#endif
