/* `barnabas check DIR`: the command line, and the order of things.
 *
 * Owner: struct check, for one look at one directory; a repair takes a second look.
 *
 * Happy path: lock -> a start in memory (meta.properties, checkpoints, journal, the list of
 *             partitions) -> topics -> each partition -> what a recovery would do, where there is
 *             something to do -> with --repair: it is done, and all is looked at again.
 * Invariant:  without --repair nothing is opened for writing but the lock file, which must be there
 *             already, and into which nothing is written.
 */
#include "check.h"
#include "words.h"

enum option { OPTION_REPAIR = 0, OPTION_CUT, OPTION_RECORDS, OPTION_HELP, OPTION_HELP_SHORT };
static const struct word_option options[] = {
    [OPTION_REPAIR] = {"--repair", NULL},   [OPTION_CUT] = {"--cut", NULL},
    [OPTION_RECORDS] = {"--records", NULL}, [OPTION_HELP] = {"--help", NULL},
    [OPTION_HELP_SHORT] = {"-h", NULL},
};

static const char help[] =
    "Verifies the data directory of a broker that is stopped: batches (framing, checksums, "
    "offsets\n"
    "that follow one another), indexes, producer and KRaft snapshots, leader epochs, checkpoints,\n"
    "meta.properties and the journal; tells what is wrong, and what a recovery would do.\n"
    "Changes nothing, unless it is told to.\n"
    "\n"
    "usage: barnabas check [options] DIR\n"
    "\n"
    "options:\n"
    "  --records  look into the batches, too: each record, decompressed\n"
    "  --repair   do what a recovery does, then check again\n"
    "  --cut      with --repair: also where records that were flushed are damaged, which a "
    "recovery\n"
    "             refuses: cut there; good batches behind it are kept aside as *.corrupt\n"
    "  --help     this text\n"
    "\n"
    "exit codes: 0 sound, 1 faults (after --repair: faults that are left), 2 bad usage,\n"
    "73 a broker uses the directory\n";

/* ---- telling -------------------------------------------------------------------------------- */

static void tell(const struct check *c, const struct check_partition *p, const char *kind,
                 const char *fmt, va_list args)
{
    struct buf text;

    if (c->quiet)
        return;
    if (c->progress)
        fputs("\r\033[K", c->progress);
    buf_init(&text);
    buf_vprintf(&text, fmt, args);
    fprintf(c->out, "%s%s: %s\n", kind, p ? p->name : c->dir, buf_cstr(&text));
    buf_release(&text);
}

void check_fault(struct check *c, struct check_partition *p, const char *fmt, ...)
{
    va_list args;

    c->n_faults++;
    if (p)
        p->n_faults++;
    va_start(args, fmt);
    tell(c, p, "FAULT ", fmt, args);
    va_end(args);
}

void check_note(struct check *c, const struct check_partition *p, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    tell(c, p, "      ", fmt, args);
    va_end(args);
}

/* ---- one look ------------------------------------------------------------------------------- */

/* The node that the directory belongs to: the start compares it with its own setting. */
static void take_node_id(struct check *c, struct errmsg *msg)
{
    char *path = xasprintf("%s/meta.properties", c->dir);
    struct buf b;

    buf_init(&b);
    if (vfs_read_all(c->vfs, path, 65536, &b) == 0) {
        const char *at = strstr(buf_cstr(&b), "node.id=");
        char *setting = at ? xasprintf("node.id=%ld", strtol(at + 8, NULL, 10)) : NULL;

        if (setting)
            (void)config_override(&c->config, setting, msg);
        free(setting);
    }
    buf_release(&b);
    free(path);
}

static int begin(struct check *c, struct errmsg *msg)
{
    char *dirs = xasprintf("log.dirs=%s", c->dir);
    int rc;

    config_init(&c->config);
    buf_init(&c->scratch);
    take_node_id(c, msg);
    rc = config_override(&c->config, dirs, msg);
    if (rc == 0)
        rc = config_finish(&c->config, false, msg);
    free(dirs);
    return rc < 0 ? rc : check_open(c, msg);
}

static void end(struct check *c)
{
    for (int i = 0; i < c->n_partitions; i++) {
        struct check_partition *p = &c->partitions[i];

        for (int k = 0; k < p->n_bad_snapshots; k++)
            free(p->bad_snapshots[k]);
        free(p->bad_snapshots);
        free(p->name);
        free(p->topic);
    }
    free(c->partitions);
    check_release_topics(c);
    config_release(&c->config);
    buf_release(&c->scratch);
}

static void look(struct check *c)
{
    check_load_topics(c);
    for (int i = 0; i < c->n_partitions; i++) {
        struct check_partition *p = &c->partitions[i];

        if (uuid_is_zero(p->topic_id))
            p->topic_id = check_topic_id(c, p->topic);
        check_partition(c, p);
    }
    if (c->progress)
        fputs("\r\033[K", c->progress);
}

static void sum_up(const struct check *c)
{
    fprintf(c->out, "%s: %d partitions, %llu segments, %llu bytes: ", c->dir, c->n_partitions,
            (unsigned long long)c->n_segments, (unsigned long long)c->n_bytes);
    if (c->n_faults == 0)
        fprintf(c->out, "sound%s\n",
                c->clean ? "" : "; the stop was not clean: the next start recovers");
    else
        fprintf(c->out, "%d fault%s, in %d partition%s\n", c->n_faults, c->n_faults == 1 ? "" : "s",
                c->n_bad_partitions, c->n_bad_partitions == 1 ? "" : "s");
}

/* 0, E_*: could not be looked at. */
static int check_once(struct check *c, bool repair, struct errmsg *msg)
{
    int rc = begin(c, msg);

    if (rc == 0) {
        c->may_lower = c->may_lower || c->clean; /* of its journal nothing counts */
        look(c);
        sum_up(c);
        if (c->n_faults > 0 || !c->clean)
            rc = check_recover(c, true, msg);
        if (rc == 0 && repair && (c->n_faults > 0 || !c->clean))
            rc = check_recover(c, false, msg);
    }
    end(c);
    return rc;
}

/* Looks, and repairs where it may, until nothing is left to do; the last look counts. After a kill the
 * first repair is what the next start would do, which leaves the journal empty. Only then may recovery
 * points be lowered: a journal that is replayed from further back could bring back what was replaced
 * since. */
static int check_and_repair(const struct check *c, struct errmsg *msg)
{
    bool done = !c->repair;

    for (int n_looks = 0;; n_looks++) {
        struct check look_now = *c;
        int rc;

        look_now.may_lower = n_looks > 0;
        rc = check_once(&look_now, !done, msg);
        if (rc < 0 || done || (look_now.n_faults == 0 && look_now.clean))
            return rc < 0 ? rc : look_now.n_faults > 0;
        done = look_now.may_lower;
        fprintf(c->out, "%s: recovered; checking again\n", c->dir);
    }
}

/* ---- the lock ------------------------------------------------------------------------------- */

/* Held by us only for the test: nothing must change, and the repair takes it again. */
static int test_lock(struct vfs *v, const char *dir, struct errmsg *msg)
{
    char *path = xasprintf("%s/.lock", dir);
    struct file *f = NULL;
    int rc = vfs_open(v, path, VFS_WRITE, &f);

    if (rc == 0)
        rc = file_lock(f);
    file_unref(f);
    free(path);
    if (rc == E_LOCKED)
        errmsg_set(msg, "%s is used by a broker that runs (its file .lock is locked)", dir);
    return rc == E_LOCKED ? rc : 0; /* no lock file: nobody uses it; not ours to write: only read */
}

static int run(struct check *c, struct errmsg *msg)
{
    struct vfs_stat st;
    int rc = vfs_stat(c->vfs, c->dir, &st);

    if (rc == 0 && !st.is_dir)
        rc = E_INVALID;
    if (rc < 0) {
        errmsg_set(msg, "%s: %s", c->dir, rc == E_INVALID ? "not a directory" : err_text(rc));
        return INSPECT_FAULTS;
    }
    if (test_lock(c->vfs, c->dir, msg) < 0)
        return INSPECT_LOCKED;
    rc = check_and_repair(c, msg);
    return rc < 0 ? INSPECT_FAULTS : rc > 0 ? INSPECT_FAULTS : INSPECT_SOUND;
}

/* ---- words ---------------------------------------------------------------------------------- */

static int parse(struct check *c, struct words *w, bool *wants_help, struct errmsg *msg)
{
    const char *value;
    int option, rc;

    while ((rc = words_next(w, &option, &value, msg)) > 0) {
        if (rc == 2 && c->dir) {
            errmsg_set(msg, "one directory, not two: %s, %s", c->dir, value);
            return E_INVALID;
        }
        if (rc == 2)
            c->dir = value;
        else if (option == OPTION_REPAIR)
            c->repair = true;
        else if (option == OPTION_CUT)
            c->cut = true;
        else if (option == OPTION_RECORDS)
            c->records = true;
        else
            *wants_help = true;
    }
    if (rc == 0 && !c->dir && !*wants_help) {
        errmsg_set(msg, "no directory is named; see barnabas check --help");
        rc = E_INVALID;
    }
    return rc;
}

int inspect_check_main(struct vfs *v, char **argv, FILE *out, FILE *err, FILE *progress)
{
    struct words w = {"check", options, ARRAY_SIZE(options), argv};
    struct check c = {.vfs = v, .out = out, .progress = progress};
    enum thread_kind before = thread_mark(THREAD_CORE);
    struct errmsg msg = {0};
    bool wants_help = false;
    int exit_code = INSPECT_SOUND;

    if (parse(&c, &w, &wants_help, &msg) < 0)
        exit_code = INSPECT_USAGE;
    else if (wants_help)
        fputs(help, out);
    else
        exit_code = run(&c, &msg);
    if (exit_code != INSPECT_SOUND && msg.text[0])
        fprintf(err, "barnabas check: %s\n", msg.text);
    thread_mark(before);
    return exit_code;
}
