/* What OffsetCommit and TxnOffsetCommit share. */
#ifndef BARNABAS_GROUP_COMMIT_H
#define BARNABAS_GROUP_COMMIT_H

#include "consumer.h"

#define COMMIT_VERSION_KIP_848                                                                     \
    9 /* of OffsetCommit: the first that members of consumer groups may use */

struct commit {
    struct groupm *m;
    struct group_shard *s;             /* NULL: nothing was looked up */
    struct group *g;                   /* NULL: a simple group that does not exist yet */
    const struct cg_member *cg_member; /* of a consumer group: who commits; NULL: nobody in it */
    const struct statelog_producer *producer; /* in whose transaction; NULL: in none */
    const struct offset_commit_request *rq;
    struct offset_commit_response *rsp;
    struct statelog_proposal p;
    struct str *names; /* by topic; null: unknown */
    int64_t now_ms, expire_ms;
};
/* Everything but the waiting; `version` is that of OffsetCommit. */
void commit_run(struct commit *c, int16_t version, struct arena *arena);

#endif
