/* The quota function, without quotas: nothing is throttled.
 *
 * Owner: struct quota, core thread. It keeps what was charged in all, per kind, so that the places
 * that charge can be tested.
 */
#include "quota.h"

struct quota {
    double charged[QUOTA_CONTROLLER_MUTATION + 1];
};

struct quota *quota_new(void)
{
    return xcalloc(1, sizeof(struct quota));
}

void quota_free(struct quota *q)
{
    free(q);
}

int32_t quota_charge(struct quota *q, enum quota_kind kind, struct str user, struct str client_id,
                     double amount, struct mono now)
{
    ASSERT(amount >= 0);
    q->charged[kind] += amount;
    return 0;
}
