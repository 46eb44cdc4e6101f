/* Transactions, as a cleaner meets them on its way through a log (CleanedTransactionMetadata). */
#ifndef BARNABAS_CLEANER_CLEANED_TXNS_H
#define BARNABAS_CLEANER_CLEANED_TXNS_H

#include "log.h"
#include "record.h"

struct met_txn; /* cleaned_txns.c */
struct cleaned_txns {
    struct log_aborted_list waiting; /* by first offset; those before `at` were met */
    uint32_t at;
    struct met_txn *aborted, *committed; /* uthash by producer id: met, and their marker was not yet */
    struct log_aborted_list kept;        /* aborted ones with a marker that stays: the output's .txnindex; whoever writes that empties it */
};
void cleaned_txns_release(struct cleaned_txns *t);
/* The aborted transactions of the part of the log that comes next; one may be added again while it is open. */
void cleaned_txns_add(struct cleaned_txns *t, const struct log_aborted_list *more);
/* The next batch, not a control batch. True: its transaction was aborted, so nothing of it is needed. */
bool cleaned_txns_meet(struct cleaned_txns *t, const struct batch *b);
/* The next batch, a whole control batch. *done: it ends a transaction of which nothing was met, or has no record. E_CORRUPT. */
int cleaned_txns_meet_marker(struct cleaned_txns *t, const uint8_t *p, const struct batch *b, bool *done);

#endif
