/* quota: how fast. One function is charged for every request, where Kafka charges; it tells how long to throttle.
 *
 * Without quotas in the metadata, which is the default, nothing is throttled.
 */
#ifndef BARNABAS_QUOTA_H
#define BARNABAS_QUOTA_H

#include "base.h"

enum quota_kind { QUOTA_PRODUCE = 0, QUOTA_FETCH, QUOTA_REQUEST, QUOTA_CONTROLLER_MUTATION };
struct quota;
struct quota *quota_new(void);
void quota_free(struct quota *q);
/* Charges `amount` (bytes, microseconds of core thread, or mutations) to user and client id; returns throttle_time_ms. */
int32_t quota_charge(struct quota *q, enum quota_kind kind, struct str user, struct str client_id, double amount,
                     struct mono now);

#endif
