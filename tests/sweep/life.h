/* A short life of a broker: a script of requests, restarts included, that uses everything that writes files. */
#ifndef SWEEP_LIFE_H
#define SWEEP_LIFE_H

#include "client.h"
#include "vfs_sim.h"

#define LIFE_INDEX_INTERVAL 100
#define LIFE_DIR            "/data"

struct life {
    struct vfs *v; /* borrowed, like the clock */
    struct clock *clock;
    struct box box;
    struct ledger ledger;
    struct client client;
    bool up; /* a broker runs */
};
void life_init(struct life *l, struct vfs *v, struct clock *clock);
void life_release(
    struct life *l); /* ends a broker that runs as if killed; checks that no file is left open */
/* Starts the broker; where a fault strikes, again, as whoever supervises it would. False: it does not start. */
bool life_start(struct life *l);
/* Ends it, cleanly or as if killed. A clean stop that fails ends as a kill. */
void life_stop(struct life *l, bool clean);
/* The whole script. With `must_work` every error is a violation. Leaves the broker stopped. */
void life_run(struct life *l, bool must_work);
/* On what a life has left: start, verify, use, stop, check the files, start clean, verify, stop. */
void life_check(struct life *l, bool power_lost);
/* Start, verify, read; then the power fails again: what was read must stay. */
void life_check_twice(struct life *l, bool power_lost, struct rng *rng);

#endif
