/* Printing files. Inner header of inspect. */
#ifndef INSPECT_DUMP_H
#define INSPECT_DUMP_H

#include "scan.h"

/* What is said in err after the last file, in this order. */
enum dump_note {
    NOTE_INDEX_MISMATCH = 0,
    NOTE_TIME_MISMATCH,
    NOTE_TIME_ORDER,
    NOTE_TIME_NOT_FOUND,
    NOTE_NOT_CONSECUTIVE,
    NOTE_KINDS
};
struct dump_notes {
    struct dump_noted {
        int file; /* of the arguments */
        int64_t a, b;
    } * p;
    uint32_t n;
};
#define NOTES_MAX 100000 /* of a kind; more would help nobody */
struct dump {
    struct vfs *vfs;
    const struct dump_options *options;
    const char *const *paths;
    int file; /* the one in work */
    const char *path, *name;
    FILE *out, *err;
    struct dump_notes notes[NOTE_KINDS];
    int rc;             /* the first error */
    struct buf scratch; /* records of a compressed batch */
    struct buf text;
    struct arena arena;
};
void dump_note(struct dump *d, enum dump_note kind, int64_t a, int64_t b);
/* An error of a file, as a line in err. */
void dump_fail(struct dump *d, const char *path, int rc);

void dump_log(struct dump *d); /* .log, .checkpoint */
void dump_offset_index(struct dump *d);
void dump_time_index(struct dump *d);
void dump_txn_index(struct dump *d);
void dump_snapshot(struct dump *d);
void dump_text(struct dump *d);    /* files that are text: as they are */
void dump_journal(struct dump *d); /* .barnabas-journal */

/* decode.c: key and payload of a record as the decoder shows them, in d->text: first the key (*n_key bytes, -1: none), then
 * the payload (*n_payload, -1: none). */
void decode_record(struct dump *d, const struct record *r, int64_t *n_key, int64_t *n_payload);
/* What a control record says, with a blank in front, as kafka-dump-log prints it. */
void decode_control(struct dump *d, const struct record *r, struct buf *out);

#endif
