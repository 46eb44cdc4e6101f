/* The sweep: a short life of a broker on the simulated disk, with
 *
 *   a kill, and power cuts of several kinds    before the 1st, 2nd, 3rd ... change that it makes, until there are no more;
 *   a fault of each kind                       at the 1st, 2nd, 3rd ... operation that it can strike, until there are no more;
 *
 * and after each a start on what is left, and everything checked that clients were promised (life.c, ledger.c, txn_verify.c, check_dir.c).
 *
 * For the first group the life is lived once: before each change the disk is copied, and what would have happened goes on in the copy,
 * with a copy of the clients' ledger. For the second it is lived once per fault.
 *
 * A case is an operation and a kind. Without --full every SPREADth of them is looked at, always the same ones: each kind at every
 * SPREADth operation, and hardly an operation without any.
 *
 * There are two lives: files (files_life.c) and transactions (txn_life.c).
 *
 * usage: sweep [LIFE] [--full]       without LIFE: files
 *        sweep [LIFE] KIND AT        one case alone, with every file operation told
 *        sweep [LIFE] export DIR     lives once and writes what it leaves to DIR, for other readers
 */
#include "life.h"
#include "report.h"

#define START_MS    1750000000000
#define SPREAD   19 /* has no divisor in common with the numbers of kinds */

/* ---- kills and power cuts ------------------------------------------------------------------- */

struct cut_kind {
    const char *name;
    uint64_t seed;         /* 0: no power cut, the process ends */
    uint32_t sector_bytes; /* small ones tear batches everywhere, also in what no CRC covers */
    bool ordered, size_before_data, twice;
};
static const struct cut_kind cuts[] = {
    {"kill", 0, 512, false, false, false},          {"power", 1, 512, false, false, false},
    {"power-small", 2, 8, false, false, false},     {"power-size", 3, 512, false, true, false},
    {"power-size-small", 4, 8, false, true, false}, {"power-ordered", 5, 8, true, true, false},
    {"power-twice", 6, 512, false, true, true},     {"power-twice-small", 7, 8, false, false, true},
};

static struct {
    const char *kind; /* NULL: everything */
    uint64_t at;
} only;
static unsigned spread = SPREAD; /* 1: all cases */
static const struct script *script = &script_files;

/* Whether a case is to be looked at; if so, it is where a death would be. */
static bool begin_case(const char *name, uint64_t at, size_t kind, size_t n_kinds)
{
    if (only.kind && (strcmp(only.kind, name) != 0 || only.at != at))
        return false;
    if (!only.kind && (at * n_kinds + kind) % spread != 0)
        return false;
    if (at < sweep.from_at || (at == sweep.from_at && kind < sweep.from_kind))
        return false;
    sweep.from_at = at;
    sweep.from_kind = kind + 1;
    sweep.kind = name;
    sweep.at = at;
    sweep.n_cases++;
    return true;
}

static void tell(void *arg, const char *line)
{
    fprintf(stderr, "%s%s\n", (const char *)arg, line);
}

static void note_misuse(void *arg, const char *text)
{
    violation("misuse of the disk: %s", text);
}

static void check_copy(const struct cut_kind *kind, struct vfs *v, struct life *original,
                       uint64_t change)
{
    struct clock *clock = clock_sim_new(clock_wall(original->clock));
    struct vfs *copy = vfs_sim_clone(v, clock);
    struct life l;
    struct rng rng;

    rng_init(&rng, change * ARRAY_SIZE(cuts) + kind->seed);
    vfs_sim_set_device(copy, kind->sector_bytes, kind->ordered, kind->size_before_data);
    if (only.kind)
        vfs_sim_set_trace(copy, tell, (void *)"   after: ");
    if (kind->seed)
        vfs_sim_power_loss(copy, &rng);
    life_init(&l, original->script, copy, clock);
    life_copy_knowledge(&l, original);
    if (kind->twice)
        life_check_twice(&l, kind->seed > 0, &rng);
    else
        life_check(&l, kind->seed > 0);
    life_release(&l);
    vfs_sim_free(copy);
    clock_sim_free(clock);
}

static void before_change(void *arg, struct vfs *v, uint64_t change)
{
    enum thread_kind before = thread_mark(THREAD_CORE);
    const char *kind = sweep.kind, *phase = sweep.phase;

    for (size_t i = 0; i < ARRAY_SIZE(cuts); i++)
        if (begin_case(cuts[i].name, change, i, ARRAY_SIZE(cuts)))
            check_copy(&cuts[i], v, arg, change);
    sweep.kind = kind;
    sweep.at = change;
    sweep.phase = phase;
    thread_mark(before);
}

/* Lives once on a new disk. */
static void sweep_cuts(void)
{
    struct clock *clock = clock_sim_new((struct wall){START_MS});
    struct vfs_sim_options options = {.misuse = note_misuse};
    struct vfs *v = vfs_sim_new(clock, &options);
    struct life l;

    sweep.kind = "life";
    life_init(&l, script, v, clock);
    vfs_sim_on_change(v, before_change, &l);
    if (only.kind)
        vfs_sim_set_trace(v, tell, (void *)"");
    life_run(&l, true);
    sweep.n_operations = vfs_sim_changes(v);
    vfs_sim_on_change(v, NULL, NULL);
    life_check(&l, false);
    life_release(&l);
    vfs_sim_free(v);
    clock_sim_free(clock);
}

/* Nothing goes wrong; the directory goes to the machine's file system. */
static int export_life(const char *host_dir)
{
    struct clock *clock = clock_sim_new((struct wall){START_MS});
    struct vfs *v = vfs_sim_new(clock, NULL);
    struct life l;
    int rc;

    life_init(&l, script, v, clock);
    life_run(&l, true);
    life_release(&l);
    rc = vfs_sim_export(v, host_dir);
    vfs_sim_free(v);
    clock_sim_free(clock);
    return rc < 0 || sweep.n_violations ? 1 : 0;
}

/* ---- faults --------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    enum vfs_sim_fault_kind kind;
    bool loses; /* what was in the page cache */
} faults[] = {
    {"EIO", SIM_EIO, false},     {"ENOSPC", SIM_ENOSPC, false}, {"EMFILE", SIM_EMFILE, false},
    {"SHORT", SIM_SHORT, false}, {"LOSE", SIM_LOSE, true},
};

/* One life with one fault. False: there were not so many operations. */
static bool live_with_fault(size_t which, uint64_t at)
{
    struct clock *clock = clock_sim_new((struct wall){START_MS});
    struct vfs_sim_options options = {.seed = at, .misuse = note_misuse};
    struct vfs *v = vfs_sim_new(clock, &options);
    struct vfs_sim_fault fault = {.kind = faults[which].kind, .nth = at};
    struct life l;
    struct rng rng;
    bool fired;

    rng_init(&rng, at);
    vfs_sim_add_fault(v, &fault);
    if (only.kind)
        vfs_sim_set_trace(v, tell, (void *)"");
    life_init(&l, script, v, clock);
    life_run(&l, false);
    fired = vfs_sim_faults_fired(v) > 0;
    vfs_sim_lift_faults(v);
    if (fired)
        life_check_twice(&l, faults[which].loses, &rng);
    life_release(&l);
    vfs_sim_free(v);
    clock_sim_free(clock);
    return fired;
}

/* All kinds in one row: a case is (operation, kind), so that what is behind a death goes on. */
static void sweep_faults(void)
{
    bool more[ARRAY_SIZE(faults)];
    bool any = true;

    memset(more, 1, sizeof(more));
    for (uint64_t at = only.kind ? only.at : sweep.from_at; any; at++) {
        any = false;
        for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
            if (!more[i] || (only.kind && strcmp(only.kind, faults[i].name) != 0))
                continue;
            if (!begin_case(faults[i].name, at, i, ARRAY_SIZE(faults))) {
                any = !only.kind;
                continue;
            }
            more[i] = live_with_fault(i, at) && !only.kind;
            any |= more[i];
            if (more[i])
                sweep.n_operations = at;
        }
    }
}

/* The broker's own log is told only where one case is looked at. */
static void take_log_line(enum diag_level level, const char *text, void *arg)
{
    if (only.kind)
        fprintf(stderr, "   log: %s\n", text);
}

static void run(const char *what, void (*fn)(void), size_t n_kinds)
{
    sweep.n_operations = sweep.n_cases = sweep.n_restarts = sweep.n_sparse = 0;
    report_run(fn);
    printf("%s: %llu operations x %zu kinds, one case in %u: %llu cases, %llu restarts; %llu "
           "indexes sparser than without restarts\n",
           what, (unsigned long long)sweep.n_operations, n_kinds, spread,
           (unsigned long long)sweep.n_cases, (unsigned long long)sweep.n_restarts,
           (unsigned long long)sweep.n_sparse);
}

int main(int argc, char **argv)
{
    static const struct script *const scripts[] = {&script_files, &script_transactions, &script_moves};

    for (size_t i = 0; i < ARRAY_SIZE(scripts) && argc > 1; i++)
        if (strcmp(argv[1], scripts[i]->name) == 0) {
            script = scripts[i];
            argc--;
            argv++;
            break;
        }
    if (argc == 2 && strcmp(argv[1], "--full") == 0)
        spread = 1;
    if (argc > 2) {
        only.kind = argv[1];
        only.at = strtoull(argv[2], NULL, 10);
    }
    report_init();
    diag_set_sink(take_log_line, NULL);
    if (only.kind && strcmp(only.kind, "export") == 0)
        return export_life(argv[2]);
    run("kills and power cuts", sweep_cuts, ARRAY_SIZE(cuts));
    run("faults", sweep_faults, ARRAY_SIZE(faults));
    if (sweep.n_violations)
        report_print();
    return sweep.n_violations ? 1 : 0;
}
