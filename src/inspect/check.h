/* Checking a log directory. Inner header of inspect. */
#ifndef INSPECT_CHECK_H
#define INSPECT_CHECK_H

#include "config.h"
#include "log.h"
#include "scan.h"

/* A topic, as the metadata log has it. */
struct check_topic {
    char *name; /* owned, as the text of the pairs */
    struct uuid id;
    struct config_pair *pairs;
    int n_pairs;
    UT_hash_handle by_name;
};

struct check_partition {
    char *name; /* "<topic>-<partition>" */
    char *topic;
    int32_t number;
    struct uuid topic_id;
    bool compacted;
    int64_t recovery_point; /* of the checkpoint; -1: none */
    int n_faults;
    int64_t bad_batch_segment; /* base of the first segment with a bad batch; INT64_MAX: none */
    int64_t bad_offset;        /* where the offsets end that can be read, with the former */
    int64_t bad_index_segment; /* the same of an index, or of what else recovery builds */
    bool rebuild;              /* something derived is bad that a recovery writes anew anyway */
    char **bad_snapshots;      /* paths, owned */
    int n_bad_snapshots;
};

struct check {
    struct vfs *vfs;
    const char *dir;
    FILE *out;
    FILE *progress; /* a terminal; NULL: none */
    bool records;   /* look into the batches, too */
    bool repair, cut;
    bool may_lower; /* recovery points, to before a fault */
    bool quiet;     /* faults are counted, not told */
    struct config config;
    struct check_topic *topics;
    struct check_partition *partitions;
    int n_partitions;
    bool clean;
    uint64_t n_segments, n_bytes;
    int n_faults, n_bad_partitions, n_left;
    struct buf scratch;
};

/* A line about the directory (p NULL) or a partition: something is wrong; or it is only told. */
void check_fault(struct check *c, struct check_partition *p, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
void check_note(struct check *c, const struct check_partition *p, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* check_topics.c: names, ids and settings of __cluster_metadata-0, as far as it can be read. */
void check_load_topics(struct check *c);
void check_release_topics(struct check *c);
/* The settings of a partition's topic; the broker's defaults where nothing is known. */
void check_topic_config(struct check *c, const char *topic, struct topic_config *out);
struct uuid check_topic_id(const struct check *c, const char *topic);

/* check_partition.c, check_segment.c */
void check_partition(struct check *c, struct check_partition *p);
struct segment_facts {
    int64_t base;
    bool last;          /* the active one */
    bool index_is_sure; /* below the recovery point, or after a clean stop */
    int64_t interval_bytes;
};
/* From *expected, the end of what is before it; *expected becomes its own end. False: what follows it
 * is not to be looked at. */
bool check_segment(struct check *c, struct check_partition *p, const struct segment_facts *facts,
                   int64_t *expected);
char *check_path(const struct check *c, const struct check_partition *p, const char *name);

/* check_index.c: a segment's two indexes, compared while its batches go by. */
struct index_check {
    struct check *c;
    struct check_partition *p;
    const struct segment_facts *facts;
    struct entries offsets, times;
    uint32_t offset_next, time_next;
    bool offsets_bad, times_bad, offsets_there, times_there;
    bool times_open; /* zeros end them */
    int64_t max_timestamp_ms;
    uint64_t bytes_since;
};
void index_check_begin(struct index_check *x, struct check *c, struct check_partition *p,
                       const struct segment_facts *facts);
void index_check_batch(struct index_check *x, const struct batch *b, uint64_t position);
/* whole: all batches of the segment went by. */
void index_check_end(struct index_check *x, bool whole);

/* check_recover.c: what recovery makes of it. On the files themselves, or (`dry`) in memory, telling. */
int check_recover(struct check *c, bool dry, struct errmsg *msg);
/* Opens the directory as a start does, in memory: its faults are those that the start tells. Fills
 * the partitions. */
int check_open(struct check *c, struct errmsg *msg);

#endif
