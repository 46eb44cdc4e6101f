/* How a short life is lived, whatever its script, and what must hold after it.
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

void life_init(struct life *l, const struct script *script, struct vfs *v, struct clock *clock)
{
    *l = (struct life){.script = script, .v = v, .clock = clock};
    box_init_on(&l->box, v, clock, script->overrides);
    l->box.blocking = set_startup;
    l->box.deaf = is_down;
    l->box.tolerant = true;
    ledger_init(&l->ledger);
    l->client = (struct client){.box = &l->box, .ledger = &l->ledger};
    txns_init(&l->txns);
}

void life_copy_knowledge(struct life *l, const struct life *from)
{
    l->ledger = from->ledger;
    l->txns = from->txns;
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

/* ---- steps and the script ----------------------------------------------------------------------- */

void life_let_time_pass(struct life *l)
{
    if (!vfs_sim_is_down(l->v))
        box_advance_ms(&l->box, 30000);
}

void life_restart_cleanly(struct life *l)
{
    life_stop(l, true);
    if (!vfs_sim_is_down(l->v))
        (void)life_start(l);
}

void life_restart_as_killed(struct life *l)
{
    life_stop(l, false);
    if (!vfs_sim_is_down(l->v))
        (void)life_start(l);
}

/* The process of a broker whose last directory failed ends, and is started again. */
static void restart_when_failed(struct life *l)
{
    if (!l->up || !l->box.broker->failed || vfs_sim_is_down(l->v))
        return;
    if (l->client.must_work)
        violation("the log directory went offline");
    life_restart_as_killed(l);
}

void life_run(struct life *l, bool must_work)
{
    l->client.must_work = must_work;
    sweep.phase = "first start";
    (void)life_start(l);
    for (size_t i = 0; i < l->script->n_steps && l->up && !vfs_sim_is_down(l->v); i++) {
        sweep.phase = l->script->steps[i].name;
        l->script->steps[i].run(l);
        restart_when_failed(l);
    }
    sweep.phase = "last stop";
    life_stop(l, true);
}

/* ---- after it ------------------------------------------------------------------------------- */

static void wrong_file(void *arg, const char *text)
{
    violation("%s", text);
}

static int find_in_second(void *arg, const char *name, bool is_dir)
{
    struct life *l = arg;
    char path[300];
    struct vfs_stat st;

    snprintf(path, sizeof(path), LIFE_DIR_2 "/%s", name);
    if (is_dir && vfs_stat(l->v, path, &st) == 0)
        violation("%s is in two log directories", name);
    return 0;
}

static void check_files(struct life *l)
{
    sweep.n_sparse += check_dir(l->v, LIFE_DIR, LIFE_INDEX_INTERVAL, wrong_file, NULL);
    sweep.n_sparse += check_dir(l->v, LIFE_DIR_2, LIFE_INDEX_INTERVAL, wrong_file, NULL);
    (void)vfs_list(l->v, LIFE_DIR, find_in_second, l);
}

void life_check(struct life *l, bool power_lost)
{
    l->client.must_work = true;
    sweep.phase = "start after it";
    if (!life_start(l))
        return;
    sweep.phase = "verifying after it";
    l->script->verify(l, power_lost);
    sweep.phase = "using it after it";
    l->script->use(l);
    sweep.phase = "clean stop after it";
    life_stop(l, true);
    check_files(l);
    sweep.phase = "clean start after it";
    if (!life_start(l))
        return;
    if (!logm_was_clean(l->box.broker->logm))
        violation("the start after a clean stop was not clean");
    l->script->verify(l, false);
    sweep.phase = "last stop after it";
    life_stop(l, true);
}

void life_check_twice(struct life *l, bool power_lost, struct rng *rng)
{
    l->client.must_work = true;
    sweep.phase = "start after it";
    if (!life_start(l))
        return;
    l->script->verify(l, power_lost);
    sweep.phase = "second power cut";
    life_stop(l, false);
    vfs_sim_power_loss(l->v, rng);
    sweep.phase = "start after the second power cut";
    if (!life_start(l))
        return;
    sweep.phase = "verifying after the second power cut";
    l->script->verify(l, true);
    life_stop(l, true);
    check_files(l);
}
