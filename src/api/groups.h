/* What the handlers of groups and of their offsets share. */
#ifndef BARNABAS_API_GROUPS_H
#define BARNABAS_API_GROUPS_H

#include "internal.h"

/* A request that the group coordinator has in work; in the request's arena. */
struct group_request {
    struct group_call call;
    struct request *rq;
};
struct group_request *group_request_new(struct request *rq, void (*done)(struct group_call *));
struct group_request *group_request_of(struct group_call *call);
struct group_client group_request_client(struct request *rq);
bool group_request_allowed(struct request *rq, enum acl_operation op, struct str group_id);

#endif
