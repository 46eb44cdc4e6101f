/* What move.c, move_copied.c and move_switch.c share. */
#ifndef BARNABAS_LOG_MOVE_INTERNAL_H
#define BARNABAS_LOG_MOVE_INTERNAL_H

#include "directory.h"
#include "segment.h"

#define MOVE_TAIL_BYTES (1u << 20) /* copied at once, on the core thread: no more */
#define MOVE_RETRY_MS   100

/* A segment that was copied, or is being copied. It is the log's only while that has one of this serial. */
struct log_move_copied {
    int64_t base_offset;
    uint64_t serial, size_bytes; /* of the copy */
    bool whole;
};

/* move_copied.c. */
struct segment *move_source_of(const struct log_move *v,
                               const struct log_move_copied *c); /* NULL: the log has it no more */
void move_drop_copy(struct log_move *v, uint32_t i);
void move_drop_gone(struct log_move *v); /* what the log does not have any more */
/* The first segment that is not copied whole, noted as the one that is; NULL: only a tail of the active one is left. */
struct segment *move_next_source(struct log_move *v);

/* "<directory>/NNN<suffix>" */
char *move_path(const char *dir, int64_t base, const char *suffix, char out[SEGMENT_PATH_MAX]);
/* Copies a small file whole, where there is one. Any thread. E_* of the writing; *rc_read: of the reading. */
int move_copy_file(struct vfs *v, const char *from, const char *to, bool sync, int *rc_read);
void move_submit(struct log_move *v, void (*work)(struct job *), void (*done)(struct job *));
/* After a job. 0, or why the move is over. */
int move_outcome(struct log_move *v);
void move_next(struct log_move *v);                    /* goes on, or is over */
void move_again(struct log_move *v, int64_t delay_ns); /* goes on later */
void move_over(struct log_move *v, int rc);            /* it has ended */
/* The copy has all of the segments but for a tail of the active one, from `position` on: a step nearer to the end. 0: it is done, or a
 * job runs; 1: there is more to copy; E_AGAIN: not now; E_*: the move is over. */
int move_switch(struct log_move *v);
void move_let_go(struct log_move *v); /* of the log, wherever it is */
void move_drop_old(
    struct log_move *v); /* after the switch: the directory that does not count any more */

#endif
