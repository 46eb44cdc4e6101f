/* The authorization function, without an authorizer: everything is allowed.
 *
 * Owner: struct security, core thread.
 * Happy path: a handler asks, and is told yes.
 */
#include "security.h"

struct security {
    uint64_t n_asked;
};

struct security *security_new(void)
{
    return xcalloc(1, sizeof(struct security));
}

void security_free(struct security *s)
{
    free(s);
}

bool security_allows(struct security *s, const struct principal *who, enum acl_operation op,
                     enum acl_resource resource, struct str name)
{
    ASSERT(who->name.p);
    s->n_asked++;
    return true;
}

/* Which operations a kind of resource knows (AclEntry.supportedOperations). */
static int32_t supported_operations(enum acl_resource resource)
{
    switch (resource) {
    case RESOURCE_TOPIC:
        return 1 << ACL_READ | 1 << ACL_WRITE | 1 << ACL_CREATE | 1 << ACL_DESCRIBE |
               1 << ACL_DELETE | 1 << ACL_ALTER | 1 << ACL_DESCRIBE_CONFIGS |
               1 << ACL_ALTER_CONFIGS;
    case RESOURCE_GROUP:
        return 1 << ACL_READ | 1 << ACL_DESCRIBE | 1 << ACL_DELETE | 1 << ACL_DESCRIBE_CONFIGS |
               1 << ACL_ALTER_CONFIGS;
    case RESOURCE_CLUSTER:
        return 1 << ACL_CREATE | 1 << ACL_CLUSTER_ACTION | 1 << ACL_DESCRIBE_CONFIGS |
               1 << ACL_ALTER_CONFIGS | 1 << ACL_IDEMPOTENT_WRITE | 1 << ACL_ALTER |
               1 << ACL_DESCRIBE;
    case RESOURCE_TRANSACTIONAL_ID:
        return 1 << ACL_DESCRIBE | 1 << ACL_WRITE | 1 << ACL_TWO_PHASE_COMMIT;
    case RESOURCE_DELEGATION_TOKEN:
        return 1 << ACL_DESCRIBE;
    case RESOURCE_USER:
        return 1 << ACL_CREATE_TOKENS | 1 << ACL_DESCRIBE_TOKENS;
    }
    return 0;
}

int32_t security_allowed_operations(struct security *s, const struct principal *who,
                                    enum acl_resource resource, struct str name)
{
    int32_t known = supported_operations(resource), allowed = 0;

    for (int op = ACL_READ; op <= ACL_TWO_PHASE_COMMIT; op++)
        if ((known >> op & 1) && security_allows(s, who, (enum acl_operation)op, resource, name))
            allowed |= 1 << op;
    return allowed;
}
