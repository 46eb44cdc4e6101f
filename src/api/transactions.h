/* What the handlers of transactions share. */
#ifndef BARNABAS_API_TRANSACTIONS_H
#define BARNABAS_API_TRANSACTIONS_H

#include "internal.h"

/* A request that the transaction coordinator has in work; in the request's arena. */
struct txn_request {
    struct txn_call call;
    struct request *rq;
};
struct txn_request *txn_request_new(struct request *rq, void (*done)(struct txn_call *));
/* The request, to be replied to; NULL where it was dropped, because a flush failed. */
struct request *txn_request_end(struct txn_call *call);
bool txn_request_allowed(struct request *rq, enum acl_operation op, struct str transactional_id);

#endif
