/* cleaner: what old records cost: retention by time, size and log start, and compaction to the last value of each key (LogManager,
 * LogCleaner).
 *
 * Core thread; compaction reads and writes on lanes of its own. It knows partitions only by what the broker tells of them, so that
 * a log that nobody uses is opened only when there is something to do in it.
 */
#ifndef BARNABAS_CLEANER_H
#define BARNABAS_CLEANER_H

#include "config.h"
#include "log.h"
#include "sys.h"

/* Where a walk over all partitions is; zero: before the first. */
struct cleaner_cursor {
    int topic;
    int32_t partition;
};
struct cleaner_partition {
    const char *topic;
    int32_t partition;
    const struct topic_config *config;
    struct log *log; /* NULL while it is not open */
};
struct cleaner_options {
    const struct config *config; /* read anew every time: settings may change while running */
    struct logm *logm;
    /* The next partition that may have records, whether its log is open or not; false after the last. Partitions that come and go
     * meanwhile may be met twice or missed. */
    bool (*next)(void *arg, struct cleaner_cursor *at, struct cleaner_partition *out);
    uint64_t (*count)(void *arg); /* about how many there are */
    int (*open)(void *arg, const char *topic, int32_t partition, struct log **out);
    void *arg;
};
struct cleaner;
struct cleaner *cleaner_new(struct env *env, const struct cleaner_options *options);
/* No job of it runs (cleaner_idle). NULL is fine. */
void cleaner_free(struct cleaner *c);
/* Nothing new is begun. */
void cleaner_stop(struct cleaner *c);
bool cleaner_idle(const struct cleaner *c);
/* The broker's settings have changed. */
void cleaner_configured(struct cleaner *c);
/* Whether it leaves this log alone. False: what is being done with it is given up, and soon it does; nothing new is begun while
 * log_is_uncleanable. */
bool cleaner_let_go(struct cleaner *c, const struct log *l);
/* Must be called before a log is deleted: what is being done with it is given up. */
void cleaner_forget(struct cleaner *c, const struct log *l);

/* When the oldest segment is to be deleted for its age; -1: never, as things are. */
int64_t cleaner_next_expiry_ms(struct log *l);
/* Size, offsets, segments, dirty ratio, last compaction and next expiry of every partition, in Prometheus' text format:
 * log_size_bytes{topic,partition} and so on. A partition whose log is not open has the first two only. */
void cleaner_print(struct cleaner *c, struct buf *out);

#endif
