/* The stage of one scenario: a disk, a clock, a broker when one runs, and named clients. */
#ifndef SCENARIO_STAGE_H
#define SCENARIO_STAGE_H

#include "box.h"
#include "names.h"
#include "vfs_sim.h"

struct stage {
    int peer_port; /* not 0: another broker, behind a socket; there is no box then */
    struct clock *clock;
    struct vfs *disk;
    struct box box;
    bool up;        /* a broker runs */
    bool box_ready; /* box is initialised */
    char **settings;
    size_t n_settings;
    struct list clients;
    struct names names;
    struct rng rng;
    struct buf *out;   /* of the command that runs */
    bool wants_log;    /* the broker's warnings and errors are output */
    unsigned n_errors; /* commands that make no sense */
};
void stage_init(struct stage *s, int peer_port);
void stage_release(struct stage *s);
/* Runs one command; what it and the broker have to say goes to out, a line each. */
void stage_run(struct stage *s, const char *command, struct buf *out);

/* For commands: a line of output. */
void stage_say(struct stage *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* A command that makes no sense: the file fails, whatever it expects. */
void stage_error(struct stage *s, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* clients.c: "NAME: [send] Api vN field=value ..." */
void clients_run(struct stage *s, struct str name, const char *rest);
void clients_disconnect(struct stage *s, const char *name);
/* Turns the broker some times without moving the clock, and prints what came. */
void clients_settle(struct stage *s);
void clients_wait_ms(struct stage *s, int64_t ms); /* on a peer */
/* Prints the replies that came, and who was disconnected. */
void clients_collect(struct stage *s);
void clients_forget(struct stage *s); /* the broker ended: all connections are gone */

/* disk.c */
void disk_fault(struct stage *s, const char *rest); /* KIND OP [nth=N] [path=P] [lasting] */
void disk_space(struct stage *s, const char *rest); /* free=BYTES | free=plenty */
void disk_rot(struct stage *s, const char *rest);   /* PATH BYTE */
void disk_list(struct stage *s, const char *rest);  /* PATH */

#endif
