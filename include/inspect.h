/* inspect: looking into files that a broker wrote, from outside: what is in them (dump), whether they are sound and what a recovery
 * would do to them (check).
 *
 * Both run without a broker, in any process, on the broker's own code: batches and records are read by `record` and `wire`, and what
 * recovery does is not written here a second time: it is done by `log`, over files whose changes are kept in memory (overlay.c).
 */
#ifndef BARNABAS_INSPECT_H
#define BARNABAS_INSPECT_H

#include "base.h"
#include "sys.h"

/* ---- dump ----------------------------------------------------------------------------------------------------------- */

/* How keys and values are shown. */
enum dump_decoder {
    DUMP_PLAIN = 0,        /* by dump_options.key and .value */
    DUMP_OFFSETS,          /* __consumer_offsets */
    DUMP_TRANSACTIONS,     /* __transaction_state */
    DUMP_SHARE_STATE,      /* __share_group_state */
    DUMP_CLUSTER_METADATA, /* __cluster_metadata */
};
enum dump_plain { DUMP_STRING = 0, DUMP_LONG, DUMP_INTEGER };
struct dump_options {
    bool print_data;  /* keys and values; implies deep */
    bool deep;        /* each record, not only each batch */
    bool no_metadata; /* of records: nothing but keys and values */
    bool verify_only; /* indexes: the faults only, not the entries */
    bool sanity_only; /* indexes: only what a start looks at */
    enum dump_decoder decoder;
    enum dump_plain key, value;
    int64_t max_bytes;         /* of each segment; batches that end past it are left out */
    int64_t max_message_bytes; /* an index entry's batch is looked for in so many bytes */
};
#define DUMP_OPTIONS_NONE ((struct dump_options){.max_bytes = INT32_MAX, .max_message_bytes = 5 << 20})
/* Prints files by their names, line by line as kafka-dump-log (org.apache.kafka.tools.DumpLogSegments) of Apache Kafka 4.3 does: .log
 * and .checkpoint, .index, .timeindex, .txnindex, .snapshot; and, which it does not know, leader-epoch-checkpoint and the checkpoints
 * of a log directory, partition.metadata, meta.properties and the journal. Reads only; a broker may have the files open. What is
 * wrong with indexes and offsets goes to err when all files are done. 0, or the first E_* (said in err; the other files are
 * printed all the same). */
int inspect_dump(struct vfs *v, const struct dump_options *o, const char *const *paths, int n_paths, FILE *out, FILE *err);

/* ---- the tools, with their command lines --------------------------------------------------------------------------- */

/* What a tool's process ends with. */
enum inspect_exit {
    INSPECT_SOUND = 0, /* done; nothing was wrong */
    INSPECT_FAULTS = 1, /* done; something is wrong with the files, or could not be read */
    INSPECT_USAGE = 2,
    INSPECT_LOCKED = 73, /* the directory belongs to a broker that runs */
};
/* `barnabas dump-log`. argv: what follows the tool's name, ended by NULL. */
int inspect_dump_main(struct vfs *v, char **argv, FILE *out, FILE *err);
/* `barnabas check`: verifies the log directory of a broker that is stopped, and tells what its recovery would do. Changes nothing,
 * unless --repair says so. progress: a terminal, where long work shows how far it is; NULL: none. */
int inspect_check_main(struct vfs *v, char **argv, FILE *out, FILE *err, FILE *progress);

#endif
