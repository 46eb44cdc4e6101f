/* The script of a short life, and what must hold after it.
 *
 * Owner: struct life owns the box; the disk and the clock are the sweep's.
 */
#include "life.h"

#include "check_dir.h"
#include "report.h"

#define STARTS_MAX 4

static void set_startup(struct box *b, bool on)
{
    vfs_sim_set_startup(b->env.vfs, on);
}

static bool is_down(struct box *b)
{
    return vfs_sim_is_down(b->env.vfs);
}

void life_init(struct life *l, struct vfs *v, struct clock *clock)
{
    static const char *const overrides[] = {
        "log.journal.bytes=49152",           "offsets.topic.num.partitions=1",
        "log.index.interval.bytes=100",      "log.flush.offset.checkpoint.interval.ms=20000",
        "log.segment.delete.delay.ms=10000", "log.cleaner.backoff.ms=5000",
        "log.initial.task.delay.ms=5000",    "log.retention.check.interval.ms=10000",
        "metadata.log.max.record.bytes.between.snapshots=700",
        "metadata.max.retention.bytes=0",    NULL};

    *l = (struct life){.v = v, .clock = clock};
    box_init_on(&l->box, v, clock, overrides);
    l->box.blocking = set_startup;
    l->box.deaf = is_down;
    l->box.tolerant = true;
    ledger_init(&l->ledger);
    l->client = (struct client){.box = &l->box, .ledger = &l->ledger};
}

static void expect_no_open_files(struct life *l)
{
    if (vfs_sim_open_files(l->v) > 0)
        violation("%zu files are still open", vfs_sim_open_files(l->v));
}

void life_release(struct life *l)
{
    if (l->up)
        life_stop(l, false);
    box_release(&l->box);
}

bool life_start(struct life *l)
{
    for (int i = 0; i < STARTS_MAX; i++) {
        uint64_t fired = vfs_sim_faults_fired(l->v);
        struct errmsg msg = {0};
        int rc = box_try_start(&l->box, &msg);

        l->client.conn = NULL;
        sweep.n_restarts++;
        if (rc == 0) {
            l->up = true;
            return true;
        }
        expect_no_open_files(l);
        if (vfs_sim_is_down(l->v))
            return false;
        if (msg.text[0] == 0)
            violation("the broker did not start (%s), and said nothing", err_name(rc));
        if (vfs_sim_faults_fired(l->v) == fired) {
            violation("the broker did not start: %s: %s", err_name(rc), msg.text);
            return false;
        }
        vfs_sim_kill(l->v);
    }
    violation("the broker did not start in %d tries", STARTS_MAX);
    return false;
}

void life_stop(struct life *l, bool clean)
{
    bool ended;

    if (!l->up)
        return;
    ended = box_try_stop(&l->box, clean);
    if (clean && !ended && l->client.must_work)
        violation("a clean stop did not come to its end");
    l->up = false;
    l->client.conn = NULL;
    expect_no_open_files(l);
    if (!vfs_sim_is_down(l->v))
        vfs_sim_kill(l->v);
}

/* ---- the script ----------------------------------------------------------------------------- */

static void create_topics(struct life *l)
{
    for (int t = 0; t < TOPICS; t++)
        client_create_topic(&l->client, (enum topic)t);
}

static void produce_first(struct life *l)
{
    struct client *c = &l->client;

    client_producer_id(c);
    client_produce(c, TOPIC_PLAIN, 0, 2, -1);
    client_produce(c, TOPIC_PLAIN, 0, 1, 1);
    client_produce(c, TOPIC_PLAIN, 1, 3, -1);
    client_produce(c, TOPIC_IDEM, 0, 2, -1);
    client_produce(c, TOPIC_LOOSE, 0, 2, -1);
    client_produce(c, TOPIC_GONE, 0, 2, -1);
    client_read_all(c);
}

static void produce_and_repeat(struct life *l)
{
    struct client *c = &l->client;

    client_repeat(c);
    client_produce(c, TOPIC_IDEM, 0, 3, -1);
    client_produce(c, TOPIC_PLAIN, 0, 4, 1);
    client_produce(c, TOPIC_LOOSE, 0, 3, 1);
    client_commit(c, 2);
    client_read_all(c);
}

static void produce_together(struct life *l)
{
    client_produce_together(&l->client);
    client_read_all(&l->client);
}

static void roll(struct life *l)
{
    for (int i = 0; i < 3; i++) {
        client_produce(&l->client, TOPIC_PLAIN, 0, 4, -1);
        client_produce(&l->client, TOPIC_IDEM, 0, 4, -1);
    }
    client_commit(&l->client, 5);
}

/* Until there is something to compact, and to delete. */
static void fill_keys(struct life *l)
{
    for (int i = 0; i < 5; i++) {
        client_produce(&l->client, TOPIC_KEYS, 0, 4, -1);
        client_produce(&l->client, TOPIC_OLD, 0, 4, -1);
    }
    client_read_all(&l->client);
}

static void remove_topic(struct life *l)
{
    client_delete_topic(&l->client, TOPIC_GONE);
    client_produce(&l->client, TOPIC_PLAIN, 1, 1, -1);
}

static void let_time_pass(struct life *l)
{
    if (!vfs_sim_is_down(l->v))
        box_advance_ms(&l->box, 30000);
}

static void restart_cleanly(struct life *l)
{
    life_stop(l, true);
    if (!vfs_sim_is_down(l->v))
        (void)life_start(l);
}

static void restart_as_killed(struct life *l)
{
    life_stop(l, false);
    if (!vfs_sim_is_down(l->v))
        (void)life_start(l);
}

static void produce_last(struct life *l)
{
    client_repeat(&l->client);
    client_produce(&l->client, TOPIC_IDEM, 0, 1, -1);
    client_produce(&l->client, TOPIC_PLAIN, 0, 1, -1);
    client_produce(&l->client, TOPIC_LOOSE, 0, 1, -1);
    client_commit(&l->client, 7);
    client_read_all(&l->client);
}

static const struct {
    const char *name;
    void (*run)(struct life *l);
} steps[] = {
    {"creating topics", create_topics},
    {"producing", produce_first},
    {"repeating", produce_and_repeat},
    {"producing together", produce_together},
    {"rolling", roll},
    {"filling what is compacted", fill_keys},
    {"time passing", let_time_pass},
    {"deleting a topic", remove_topic},
    {"time passing again", let_time_pass},
    {"restarting cleanly", restart_cleanly},
    {"producing after a clean stop", produce_last},
    {"restarting as killed", restart_as_killed},
    {"producing after a kill", produce_last},
    {"time passing at the end", let_time_pass},
};

/* The process of a broker whose last directory failed ends, and is started again. */
static void restart_when_failed(struct life *l)
{
    if (!l->up || !l->box.broker->failed || vfs_sim_is_down(l->v))
        return;
    if (l->client.must_work)
        violation("the log directory went offline");
    restart_as_killed(l);
}

void life_run(struct life *l, bool must_work)
{
    l->client.must_work = must_work;
    sweep.phase = "first start";
    (void)life_start(l);
    for (size_t i = 0; i < ARRAY_SIZE(steps) && l->up && !vfs_sim_is_down(l->v); i++) {
        sweep.phase = steps[i].name;
        steps[i].run(l);
        restart_when_failed(l);
    }
    sweep.phase = "last stop";
    life_stop(l, true);
}

/* ---- after it ------------------------------------------------------------------------------- */

/* Everything that is there takes writes. */
static void use(struct life *l)
{
    struct client *c = &l->client;

    if (c->ledger->topics[TOPIC_IDEM] == TOPIC_THERE) {
        client_producer_id(c);
        client_repeat(c);
        client_produce(c, TOPIC_IDEM, 0, 1, -1);
    }
    for (int t = 0; t < TOPICS; t++)
        for (int p = 0; p < topic_partitions[t] && c->ledger->topics[t] == TOPIC_THERE; p++)
            if (t != TOPIC_IDEM)
                client_produce(c, (enum topic)t, p, 1, -1);
    client_commit(c, c->ledger->committed_tried + 1);
    client_read_all(c);
}

static void wrong_file(void *arg, const char *text)
{
    violation("%s", text);
}

void life_check(struct life *l, bool power_lost)
{
    l->client.must_work = true;
    sweep.phase = "start after it";
    if (!life_start(l))
        return;
    sweep.phase = "verifying after it";
    client_verify(&l->client, power_lost);
    sweep.phase = "using it after it";
    use(l);
    sweep.phase = "clean stop after it";
    life_stop(l, true);
    sweep.n_sparse += check_dir(l->v, LIFE_DIR, LIFE_INDEX_INTERVAL, wrong_file, NULL);
    sweep.phase = "clean start after it";
    if (!life_start(l))
        return;
    if (!logm_was_clean(l->box.broker->logm))
        violation("the start after a clean stop was not clean");
    client_verify(&l->client, false);
    sweep.phase = "last stop after it";
    life_stop(l, true);
}

void life_check_twice(struct life *l, bool power_lost, struct rng *rng)
{
    l->client.must_work = true;
    sweep.phase = "start after it";
    if (!life_start(l))
        return;
    client_verify(&l->client, power_lost);
    sweep.phase = "second power cut";
    life_stop(l, false);
    vfs_sim_power_loss(l->v, rng);
    sweep.phase = "start after the second power cut";
    if (!life_start(l))
        return;
    sweep.phase = "verifying after the second power cut";
    client_verify(&l->client, true);
    life_stop(l, true);
    sweep.n_sparse += check_dir(l->v, LIFE_DIR, LIFE_INDEX_INTERVAL, wrong_file, NULL);
}
