/* security: who may do what. One function decides; every handler calls it where Kafka does.
 *
 * Without an authorizer (authorizer.class.name empty, the default) everything is allowed.
 */
#ifndef BARNABAS_SECURITY_H
#define BARNABAS_SECURITY_H

#include "base.h"

/* AclOperation and ResourceType, with Kafka's numbers. */
enum acl_operation {
    ACL_UNKNOWN = 0, ACL_ANY = 1, ACL_ALL = 2, ACL_READ = 3, ACL_WRITE = 4, ACL_CREATE = 5, ACL_DELETE = 6,
    ACL_ALTER = 7, ACL_DESCRIBE = 8, ACL_CLUSTER_ACTION = 9, ACL_DESCRIBE_CONFIGS = 10, ACL_ALTER_CONFIGS = 11,
    ACL_IDEMPOTENT_WRITE = 12, ACL_CREATE_TOKENS = 13, ACL_DESCRIBE_TOKENS = 14, ACL_TWO_PHASE_COMMIT = 15,
};
enum acl_resource {
    RESOURCE_TOPIC = 2, RESOURCE_GROUP = 3, RESOURCE_CLUSTER = 4, RESOURCE_TRANSACTIONAL_ID = 5,
    RESOURCE_DELEGATION_TOKEN = 6, RESOURCE_USER = 7,
};
#define CLUSTER_RESOURCE_NAME STR("kafka-cluster")

/* Who is asking: from the connection. */
struct principal {
    struct str type, name; /* "User", "ANONYMOUS" */
    struct str host;       /* the peer's address, text */
};
struct security;
struct security *security_new(void);
void security_free(struct security *s);
/* Whether the principal may; also counts and logs refusals. (StandardAuthorizer) */
bool security_allows(struct security *s, const struct principal *who, enum acl_operation op,
                     enum acl_resource resource, struct str name);
/* The bit field that Metadata and DescribeCluster show when asked for authorized operations. */
int32_t security_allowed_operations(struct security *s, const struct principal *who, enum acl_resource resource,
                                    struct str name);

#endif
