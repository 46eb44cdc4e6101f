/* Reading files in big steps: batches one after the other, entries of an index. Inner header of
 * inspect. */
#ifndef INSPECT_SCAN_H
#define INSPECT_SCAN_H

#include "inspect.h"
#include "record.h"

/* The batches of a file, from a position on. */
struct scan {
    struct file *file;
    uint64_t position; /* of the next batch */
    uint64_t end;      /* of the file, or where the caller wants no more */
    uint64_t window_at;
    struct buf window; /* of the file from window_at on */
};
/* E_* of the file; release with scan_close in either case. */
int scan_open(struct scan *s, struct vfs *v, const char *path);
void scan_close(struct scan *s);
/* 1: a batch that lies wholly in the file, in memory until the next call; its CRC and counts were not
 * looked at. 0: the end. E_CORRUPT: what is there can be no batch, or leaves the file. E_* of the file. */
int scan_next(struct scan *s, struct batch *b, const uint8_t **p, uint64_t *position);

/* Entries of one size. */
struct entries {
    struct file *file;
    size_t each; /* bytes of one */
    uint64_t file_bytes;
    uint32_t n;
    uint32_t first; /* of those in memory */
    struct buf window;
};
#define OFFSET_ENTRY_BYTES 8  /* i32 offset - base, i32 position */
#define TIME_ENTRY_BYTES   12 /* i64 timestamp, i32 offset - base */
#define TXN_ENTRY_BYTES    34 /* i16 version, i64 producer id, first, last and last stable offset */
int entries_open(struct entries *x, struct vfs *v, const char *path, size_t each);
void entries_close(struct entries *x);
int entries_get(struct entries *x, uint32_t i, const uint8_t **entry); /* until the next call */

/* The offset in the name of a segment's file or a snapshot: its 20 digits, whatever follows; -1. */
int64_t offset_in_name(const char *name);
const char *name_of_path(const char *path); /* what follows the last slash */
bool name_ends(const char *name, const char *suffix);

#endif
