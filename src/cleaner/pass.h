/* One step of compacting a log, for a lane: reads a few megabytes of a segment, and writes what is left. */
#ifndef BARNABAS_CLEANER_PASS_H
#define BARNABAS_CLEANER_PASS_H

#include "filter.h"

enum pass_what {
    PASS_BUILD = 0, /* keys of the source into the map */
    PASS_COPY,      /* what stays of the source into the output */
    PASS_FINISH,    /* the output's indexes; all of it synced */
};
struct pass {
    struct vfs *vfs;
    struct offset_map map;
    struct cleaned_txns build_txns; /* of the dirty part */
    struct filter filter;
    int64_t first_dirty;
    uint64_t window_bytes;  /* read at a time */
    uint64_t quantum_bytes; /* at most so much is read in a step, and a batch */
    /* of this step */
    enum pass_what what;
    struct file *source; /* a reference */
    uint64_t source_bytes, position;
    bool keep_last; /* the last batch of this source stays, empty at least */
    /* the output; paths are owned */
    char *out_path, *index_path, *timeindex_path, *txnindex_path, *mtime_of;
    bool has_txn_index; /* there were entries */
    struct file *out; /* NULL: not made yet */
    int64_t out_base;
    uint64_t out_bytes;
    int64_t index_interval;
    struct buf offsets, times; /* index entries */
    uint64_t since_index;
    int64_t max_timestamp_ms, max_timestamp_offset, indexed_timestamp_ms;
    /* found */
    int rc;
    bool write_failed; /* rc is of a write or sync, not of a read */
    bool full;         /* of the map: the batch at `position` did not fit */
    uint64_t n_bytes;  /* read and written in this step */
    /* the lane's own */
    struct buf window, left, scratch;
    uint64_t window_at;
};
void pass_begin_source(struct pass *p, struct file *source, uint64_t source_bytes);
void pass_begin_output(struct pass *p, int64_t base);
void pass_run(struct pass *p); /* lane */
void pass_end_output(struct pass *p); /* core: drops the file and the paths */
void pass_release(struct pass *p);

#endif
