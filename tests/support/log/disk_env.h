/* What tests of a log on the simulated disk stand on: an environment, settings, turns until all is quiet, and every fault in turn. */
#ifndef BARNABAS_TEST_LOG_DISK_ENV_H
#define BARNABAS_TEST_LOG_DISK_ENV_H

#include "log.h"
#include "vfs_sim.h"

/* The core thread's, with simulated lanes; v and clock stay the caller's. */
void disk_env_init(struct env *env, struct vfs *v, struct clock *clock);
void disk_env_release(struct env *env);
/* Of the broker "key=value", ended by NULL; of the topic n pairs. They must be good. */
void disk_config_init(struct config *config, const char *const *overrides, struct topic_config *topic,
                      const struct config_pair *pairs, int n);
/* Turns and jobs until nothing happens any more. */
void disk_settle(struct env *env, struct logm *m);
void disk_advance(struct env *env, struct logm *m, int64_t ms); /* and settles after each timer */
/* live_with, with each kind of fault at the first operation, the second, ... until it says that the fault did not happen. */
void each_fault_once(bool (*live_with)(enum vfs_sim_fault_kind kind, uint64_t nth));

#endif
