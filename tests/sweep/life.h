/* A short life of a broker: a script of requests, restarts included. There are two scripts: script_files uses everything that writes
 * files; script_transactions is a few transactions; script_moves has two log directories, and partitions that move. */
#ifndef SWEEP_LIFE_H
#define SWEEP_LIFE_H

#include "client.h"
#include "txn_client.h"
#include "vfs_sim.h"

#define LIFE_INDEX_INTERVAL 100
#define LIFE_DIR            "/data"
#define LIFE_DIR_2          "/data1" /* script_moves */

struct life;
struct step {
    const char *name;
    void (*run)(struct life *l);
};
struct script {
    const char *name;
    const char *const *overrides; /* of the broker's configuration; ends with NULL */
    const struct step *steps;
    size_t n_steps;
    void (*verify)(struct life *l, bool power_lost); /* everything that is known, against what the broker says */
    void (*use)(struct life *l);                     /* everything that is there takes writes */
};
extern const struct script script_files, script_transactions, script_moves;

struct life {
    const struct script *script;
    struct vfs *v; /* borrowed, like the clock */
    struct clock *clock;
    struct box box;
    struct ledger ledger;
    struct client client;
    struct txns txns; /* what the clients of script_transactions know */
    bool up; /* a broker runs */
};
void life_init(struct life *l, const struct script *script, struct vfs *v, struct clock *clock);
/* What the clients of another life know, they know here, too. */
void life_copy_knowledge(struct life *l, const struct life *from);
void life_release(
    struct life *l); /* ends a broker that runs as if killed; checks that no file is left open */
/* Starts the broker; where a fault strikes, again, as whoever supervises it would. False: it does not start. */
bool life_start(struct life *l);
/* Ends it, cleanly or as if killed. A clean stop that fails ends as a kill. */
void life_stop(struct life *l, bool clean);
/* Steps that scripts share. */
void life_let_time_pass(struct life *l); /* 30 s */
void life_restart_cleanly(struct life *l);
void life_restart_as_killed(struct life *l);
/* The whole script. With `must_work` every error is a violation. Leaves the broker stopped. */
void life_run(struct life *l, bool must_work);
/* On what a life has left: start, verify, use, stop, check the files, start clean, verify, stop. */
void life_check(struct life *l, bool power_lost);
/* Start, verify, read; then the power fails again: what was read must stay. */
void life_check_twice(struct life *l, bool power_lost, struct rng *rng);

#endif
