/* The script of a few transactions: of both generations, one after another and side by side, committed, aborted, abandoned, fenced, open
 * over a clean stop and over a kill.
 *
 * Owner: struct life; there is no state here.
 */
#include "life.h"

#include "report.h"

#define SETTLE_MS                                                                                  \
    15000 /* whatever is open is aborted by then: TXN_TIMEOUT_MS, and the next look for such */

static const char *const overrides[] = {
    "log.journal.bytes=49152",
    "offsets.topic.num.partitions=1",
    "transaction.state.log.num.partitions=1",
    "log.index.interval.bytes=100",
    "log.flush.offset.checkpoint.interval.ms=20000",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms=2000",
    NULL};

static void create_topic(struct life *l)
{
    txns_create_topic(&l->client, &l->txns);
}

static void read_all(struct life *l)
{
    txns_verify(&l->client, &l->txns, false);
}

static void commit_second_generation(struct life *l)
{
    txns_begin(&l->client, &l->txns, WHO_TV2, TXN_ALL_PARTS, true);
    txns_end(&l->client, &l->txns, WHO_TV2, true);
    txns_repeat_end(&l->client, &l->txns, WHO_TV2, true);
    read_all(l);
}

static void commit_first_generation(struct life *l)
{
    txns_begin(&l->client, &l->txns, WHO_TV1, 3, true);
    txns_end(&l->client, &l->txns, WHO_TV1, true);
    read_all(l);
}

static void abort_both(struct life *l)
{
    txns_begin(&l->client, &l->txns, WHO_TV2, 3, true);
    txns_go_on(&l->client, &l->txns, WHO_TV2, 4);
    txns_begin(&l->client, &l->txns, WHO_TV1, 6, false);
    txns_end(&l->client, &l->txns, WHO_TV2, false);
    txns_end(&l->client, &l->txns, WHO_TV1, false);
    read_all(l);
}

/* It is never ended by its producer; another commits beside it, and is not seen past it before its time is up. */
static void abandon(struct life *l)
{
    txns_begin(&l->client, &l->txns, WHO_LATE, 5, false);
    txns_begin(&l->client, &l->txns, WHO_TV2, 3, true);
    txns_end(&l->client, &l->txns, WHO_TV2, true);
}

static void fence(struct life *l)
{
    txns_begin(&l->client, &l->txns, WHO_TV2, 3, false);
    txns_fence(&l->client, &l->txns, WHO_TV2);
    txns_begin(&l->client, &l->txns, WHO_TV2, 6, true);
    txns_end(&l->client, &l->txns, WHO_TV2, true);
    read_all(l);
}

static void begin_both(struct life *l)
{
    txns_begin(&l->client, &l->txns, WHO_TV1, 3, true);
    txns_begin(&l->client, &l->txns, WHO_TV2, 5, false);
}

static void commit_both(struct life *l)
{
    txns_go_on(&l->client, &l->txns, WHO_TV1, 4);
    txns_end(&l->client, &l->txns, WHO_TV1, true);
    txns_end(&l->client, &l->txns, WHO_TV2, true);
    read_all(l);
}

static const struct step steps[] = {
    {"creating the topic", create_topic},
    {"committing, TV2", commit_second_generation},
    {"committing, TV1", commit_first_generation},
    {"aborting", abort_both},
    {"abandoning", abandon},
    {"time passing", life_let_time_pass},
    {"fencing", fence},
    {"beginning before a clean stop", begin_both},
    {"restarting cleanly", life_restart_cleanly},
    {"committing after a clean stop", commit_both},
    {"beginning before a kill", begin_both},
    {"restarting as killed", life_restart_as_killed},
    {"committing after a kill", commit_both},
    {"beginning before the end", begin_both},
};

/* In every second case the producers ask again for their ends, in the others they are gone. */
static void verify(struct life *l, bool power_lost)
{
    if (l->txns.topic_there) /* what was answered is there at once, power cut or not */
        read_all(l);
    if (sweep.at % 2 == 0)
        txns_ask_ends(&l->client, &l->txns);
    box_advance_ms(&l->box, SETTLE_MS);
    txns_verify(&l->client, &l->txns, true);
}

static void use(struct life *l)
{
    create_topic(l);
    for (int i = 0; i < WHOS; i++) {
        txns_begin(&l->client, &l->txns, (enum who)i, TXN_ALL_PARTS, true);
        txns_end(&l->client, &l->txns, (enum who)i, true);
    }
    read_all(l);
}

const struct script script_transactions = {.name = "transactions",
                                           .overrides = overrides,
                                           .steps = steps,
                                           .n_steps = ARRAY_SIZE(steps),
                                           .verify = verify,
                                           .use = use};
