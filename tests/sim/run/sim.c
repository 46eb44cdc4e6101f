/* The simulator: usage: sim SEED [--events] [--hours N] [--runs N] [--export DIR] [--trace TEXT]
 *
 * One seed is one run: a broker, its clients, and what goes wrong, for virtual hours; then the faults are lifted, everything
 * must be answered within a virtual minute, and all is checked once more. Each run is a child process, so that an assert
 * that fails is a verdict like others. The last line: seed, outcome, hash of the events. --runs N: seeds SEED to SEED + N - 1.
 * --trace TEXT: the events, and the file operations whose line has TEXT in it.
 */
#include "world.h"

#include <sys/wait.h>
#include <unistd.h>

#define HOUR_NS   (3600 * 1000 * NS_PER_MS)
#define MINUTE_NS (60 * 1000 * NS_PER_MS)

static struct {
    uint64_t seed, runs;
    double hours;
    bool events;
    const char *export_dir; /* where the disk of the end goes; NULL */
    const char *trace;      /* what the lines of file operations have in them; NULL: none are printed */
} args = {.runs = 1, .hours = 0.25};

static bool all_idle(const struct world *w)
{
    for (int i = 0; i < w->n_actors; i++)
        if (w->actors[i]->idle && !w->actors[i]->idle(w->actors[i]))
            return false;
    return true;
}

static void run_until(struct world *w, int64_t end_ns, bool (*early)(const struct world *))
{
    while (world_now(w) < end_ns && !(early && early(w))) {
        world_run(w, early ? MIN(end_ns, world_now(w) + 1000 * NS_PER_MS) : end_ns);
        if (host_is_dead(w))
            trouble_recover(w);
    }
}

static void drain(struct world *w)
{
    trouble_end(w);
    if (host_is_dead(w) || host_any_offline(w))
        trouble_recover(w);
    for (int i = 0; i < w->n_actors; i++) /* now and then one thinks for minutes */
        w->actors[i]->next_ns = MIN(w->actors[i]->next_ns, world_now(w) + MINUTE_NS / 2);
    run_until(w, world_now(w) + 2 * MINUTE_NS, all_idle);
    links_check(w);
    for (int i = 0; i < w->n_actors; i++)
        if (w->actors[i]->idle && !w->actors[i]->idle(w->actors[i]))
            world_wrong(w, "%s has not come to an end", w->actors[i]->name);
}

static void file_line(void *arg, const char *text)
{
    if (strstr(text, args.trace))
        printf("   %s\n", text);
}

static void run_seed(uint64_t seed)
{
    struct world *w = world_new(seed, args.events);
    double hours;

    if (args.trace)
        vfs_sim_set_trace(w->vfs, file_line, NULL);
    (void)host_start(w);
    trouble_begin(w);
    run_until(w, world_now(w) + (int64_t)(args.hours * (double)HOUR_NS), NULL);
    drain(w);
    verify_all(w, false);
    txns_verify_end(w);
    trouble_finish(w);
    if (args.export_dir && vfs_sim_export(w->vfs, args.export_dir) < 0)
        world_wrong(w, "cannot write to %s", args.export_dir);
    hours = (double)world_now(w) / (double)HOUR_NS;
    printf("seed %llu: ok, %.1f h, %llu events, %llu acked, %llu read, %llu commits, %llu transactions, "
           "%llu crashes, %llu digests, %llu compacted, %llu expired, %llu moves, hash %016llx\n",
           (unsigned long long)seed, hours, (unsigned long long)w->n_events,
           (unsigned long long)w->n_acked, (unsigned long long)w->n_read,
           (unsigned long long)w->n_committed, (unsigned long long)txns_told(w),
           (unsigned long long)w->n_crashes, (unsigned long long)w->n_digests,
           (unsigned long long)w->n_compacted, (unsigned long long)w->n_expired, (unsigned long long)w->n_moves,
           (unsigned long long)w->hash);
    world_free(w);
}

static void log_line(enum diag_level level, const char *text, void *arg)
{
    if (args.events)
        printf("   log: %s\n", text);
}

/* 0, or 1 where something was wrong. */
static int run_child(uint64_t seed)
{
    int status;
    pid_t pid;

    fflush(NULL);
    pid = fork();
    ASSERT(pid >= 0);
    if (pid == 0) {
        diag_set_sink(log_line, NULL);
        run_seed(seed);
        exit(0);
    }
    ASSERT(waitpid(pid, &status, 0) == pid);
    if (WIFSIGNALED(status))
        printf("seed %llu: died of signal %d, hash 0000000000000000\n", (unsigned long long)seed,
               WTERMSIG(status));
    return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

static bool parse_args(int argc, char **argv)
{
    if (argc < 2)
        return false;
    args.seed = strtoull(argv[1], NULL, 10);
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--events") == 0)
            args.events = true;
        else if (strcmp(argv[i], "--export") == 0 && i + 1 < argc)
            args.export_dir = argv[++i];
        else if (strcmp(argv[i], "--trace") == 0 && i + 1 < argc)
            args.trace = argv[++i];
        else if (strcmp(argv[i], "--hours") == 0 && i + 1 < argc)
            args.hours = strtod(argv[++i], NULL);
        else if (strcmp(argv[i], "--plant") == 0 && i + 1 < argc && plant_choose(argv[i + 1]))
            i++;
        else if (strcmp(argv[i], "--runs") == 0 && i + 1 < argc)
            args.runs = strtoull(argv[++i], NULL, 10);
        else
            return false;
    }
    args.events |= args.trace != NULL;
    return true;
}

int main(int argc, char **argv)
{
    int n_wrong = 0;

    if (!parse_args(argc, argv)) {
        fprintf(stderr,
                "usage: sim SEED [--events] [--hours N] [--runs N] [--export DIR] [--trace TEXT]\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0); /* what was told before a death counts */
    for (uint64_t i = 0; i < args.runs; i++)
        n_wrong += run_child(args.seed + i);
    if (args.runs > 1)
        printf("seeds %llu to %llu: %d wrong\n", (unsigned long long)args.seed,
               (unsigned long long)(args.seed + args.runs - 1), n_wrong);
    return n_wrong > 0;
}
