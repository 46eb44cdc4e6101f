/* What a start and its recovery make of a directory: done by `log` itself, over an overlay (and then
 * told), or on the files.
 *
 * Owner: struct check.
 *
 * Happy path: the directory is made one that a recovery looks at: after a clean stop the marker goes,
 *             and before it the journal, of which nothing counts; recovery points are lowered to
 *             before the first fault that a recovery rebuilds; bad snapshots go -> logm_open ->
 *             log_open of each partition -> logm_close, which writes the marker.
 * Invariant:  a recovery point is lowered over a bad batch only where the user said --cut: below it
 *             recovery refuses, since flushed records do not tear.
 * Failures:   what the log says of itself (diag) is told; a partition that can not be opened stays
 *             as it is.
 */
#include "check.h"

#include "overlay.h"

#define CHECKPOINT_NAME      "recovery-point-offset-checkpoint"
#define CHECKPOINT_BYTES_MAX (256u << 20)

struct stage {
    struct check *c;
    bool opening; /* of the whole directory: what is said is a fault */
    bool dry;
    struct check_partition *p;
    struct vfs *vfs;
    struct env env;
    struct logm *m;
};

/* ---- what the log says ---------------------------------------------------------------------- */

static void hear(enum diag_level level, const char *text, void *arg)
{
    struct stage *s = arg;

    if (level < DIAG_INFO || s->c->quiet)
        return;
    if (s->opening && level >= DIAG_WARN)
        check_fault(s->c, NULL, "%s", text);
    else if (!s->opening)
        check_note(s->c, s->p, "%s: %s", s->dry ? "recovery would say" : "recovery", text);
}

/* Indexes, snapshots and epochs are derived: what becomes of them is no news. */
static bool is_derived(const char *path)
{
    return name_ends(path, "index") || name_ends(path, ".snapshot") ||
           name_ends(path, "leader-epoch-checkpoint");
}

static void hear_change(void *arg, enum overlay_change change, const char *path, const char *from,
                        uint64_t n_bytes)
{
    static const char *const words[] = {
        [OVERLAY_CUT] = "cut: bytes",
        [OVERLAY_CHANGED] = "written again: bytes",
        [OVERLAY_MADE] = "made: bytes",
        [OVERLAY_RENAMED] = "the new name of an old file: bytes",
        [OVERLAY_REMOVED] = "removed: bytes",
    };
    struct stage *s = arg;

    if (!is_derived(path))
        check_note(s->c, s->p, "recovery would leave %s %s %llu", name_of_path(path), words[change],
                   (unsigned long long)n_bytes);
}

/* ---- life ----------------------------------------------------------------------------------- */

static void stage_init(struct stage *s, struct check *c, bool dry)
{
    *s = (struct stage){.c = c, .dry = dry, .vfs = dry ? overlay_new(c->vfs) : c->vfs};
    s->env.vfs = s->vfs;
    s->env.clock = clock_real_new();
    s->env.lanes = lanes_sim_new();
    rng_init(&s->env.rng, (uint64_t)clock_wall(s->env.clock).ms);
    timers_init(&s->env.timers);
    diag_set_sink(hear, s);
}

static void stage_release(struct stage *s)
{
    while (lanes_sim_step(s->env.lanes))
        ;
    logm_close(s->m, false);
    diag_set_sink(NULL, NULL);
    timers_release(&s->env.timers);
    lanes_sim_free(s->env.lanes);
    clock_real_free(s->env.clock);
    if (s->dry)
        overlay_free(s->vfs);
}

static int stage_open(struct stage *s, struct errmsg *msg)
{
    struct logm_options options = {.config = &s->c->config};

    return logm_open(&s->env, &options, &s->m, msg);
}

/* ---- recovery points ------------------------------------------------------------------------ */

static int64_t wanted_point(const struct check *c, const struct check_partition *p)
{
    int64_t point = p->recovery_point;

    if (p->bad_batch_segment != INT64_MAX && p->bad_offset < point) {
        if (!c->cut)
            return point;
        point = MIN(p->bad_batch_segment, p->bad_offset);
    }
    return MIN(point, p->bad_index_segment);
}

typedef int point_fn(struct check *c, struct str topic, int64_t partition, int64_t *offset);

static struct check_partition *find_partition(struct check *c, struct str topic, int64_t number)
{
    for (int i = 0; i < c->n_partitions; i++) {
        if (c->partitions[i].number == number && str_is(topic, c->partitions[i].topic))
            return &c->partitions[i];
    }
    return NULL;
}

static int take_point(struct check *c, struct str topic, int64_t partition, int64_t *offset)
{
    struct check_partition *p = find_partition(c, topic, partition);

    if (p)
        p->recovery_point = *offset;
    return 0;
}

static int lower_point(struct check *c, struct str topic, int64_t partition, int64_t *offset)
{
    const struct check_partition *p = find_partition(c, topic, partition);

    if (!p || wanted_point(c, p) >= *offset)
        return 0;
    *offset = wanted_point(c, p);
    return 1;
}

/* "topic partition offset"; what is no such line is left out, as the start does with the whole file. */
static int each_point(struct check *c, struct vfs *v, point_fn *fn, struct buf *text,
                      int *n_changed)
{
    char *path = xasprintf("%s/" CHECKPOINT_NAME, c->dir);
    struct buf old;
    char *line, *rest, *end;
    int n = 0, rc;

    buf_init(&old);
    *n_changed = 0;
    rc = vfs_read_all(v, path, CHECKPOINT_BYTES_MAX, &old);
    (void)buf_cstr(&old);
    for (rest = rc == 0 ? (char *)old.p : NULL; rest && (line = strsep(&rest, "\n")); n++) {
        char *topic_end = strchr(line, ' ');
        long long partition, offset;
        int64_t now;

        if (n < 2 || !topic_end || sscanf(topic_end, " %lld %lld", &partition, &offset) != 2) {
            if (*line)
                buf_printf(text, "%s\n", line);
            continue;
        }
        now = offset;
        end = topic_end;
        *n_changed += fn(c, (struct str){line, (size_t)(end - line)}, partition, &now);
        buf_printf(text, "%.*s %lld %lld\n", (int)(end - line), line, partition, (long long)now);
    }
    buf_release(&old);
    free(path);
    return rc == E_NOENT ? 0 : rc;
}

static int lower_points(struct stage *s)
{
    char *path = xasprintf("%s/" CHECKPOINT_NAME, s->c->dir);
    struct buf text;
    int n_changed, rc;

    buf_init(&text);
    rc = each_point(s->c, s->vfs, lower_point, &text, &n_changed);
    if (rc == 0 && n_changed > 0)
        rc = vfs_replace(s->vfs, path, text.p, text.n);
    buf_release(&text);
    free(path);
    return rc;
}

/* ---- before the start ----------------------------------------------------------------------- */

static int remove_file(struct vfs *v, const char *dir, const char *name)
{
    char *path = xasprintf("%s/%s", dir, name);
    int rc = vfs_unlink(v, path);

    free(path);
    return rc == E_NOENT ? 0 : rc;
}

/* After a clean stop nothing of the journal counts: without the marker it would. */
static int doubt_clean_stop(struct stage *s)
{
    struct check *c = s->c;
    int rc = remove_file(s->vfs, c->dir, ".barnabas-journal");

    if (rc == 0)
        rc = vfs_sync_dir(s->vfs, c->dir);
    if (rc == 0)
        rc = lower_points(s);
    if (rc == 0)
        rc = remove_file(s->vfs, c->dir, ".kafka_cleanshutdown");
    return rc < 0 ? rc : vfs_sync_dir(s->vfs, c->dir);
}

static int prepare(struct stage *s, struct errmsg *msg)
{
    struct check *c = s->c;
    int rc = c->clean ? doubt_clean_stop(s) : c->may_lower ? lower_points(s) : 0;

    for (int i = 0; rc == 0 && i < c->n_partitions; i++) {
        struct check_partition *p = &c->partitions[i];

        for (int k = 0; rc == 0 && k < p->n_bad_snapshots; k++) {
            rc = vfs_unlink(s->vfs, p->bad_snapshots[k]);
            rc = rc == E_NOENT ? 0 : rc;
        }
    }
    if (rc < 0)
        errmsg_set(msg, "%s: %s", c->dir, err_text(rc));
    return rc;
}

/* ---- the partitions ------------------------------------------------------------------------- */

static void recover_partition(struct stage *s, struct check_partition *p)
{
    char *path = xasprintf("%s/%s", s->c->dir, p->name);
    struct topic_config config;
    struct errmsg msg = {0};
    struct log *l;
    int rc;

    s->p = p;
    check_topic_config(s->c, p->topic, &config);
    rc = log_open(s->m, p->topic, p->number, p->topic_id, &config, 0, -1, &l, &msg);
    topic_config_release(&config);
    if (rc < 0)
        check_note(s->c, p, "recovery %s: %s", s->dry ? "would refuse it" : "refuses it", msg.text);
    if (s->dry && (p->bad_index_segment != INT64_MAX || p->rebuild || p->n_bad_snapshots > 0))
        check_note(s->c, p,
                   "recovery would make indexes, epochs and snapshots that are not whole anew");
    if (s->dry && p->bad_offset < p->recovery_point && !s->c->cut &&
        p->bad_batch_segment != INT64_MAX)
        check_note(s->c, p,
                   "flushed records are damaged: --repair leaves them, --repair --cut cuts "
                   "there and keeps the rest aside as *.corrupt");
    if (s->dry)
        overlay_changes(s->vfs, path, hear_change, s);
    s->p = NULL;
    free(path);
}

static int finish(struct stage *s)
{
    logm_flush_all(s->m);
    while (!logm_quiet(s->m)) {
        logm_turn(s->m);
        while (lanes_sim_step(s->env.lanes))
            ;
    }
    if (logm_dir_offline(s->m, 0))
        return E_OFFLINE;
    logm_close(s->m, true);
    s->m = NULL;
    return 0;
}

int check_recover(struct check *c, bool dry, struct errmsg *msg)
{
    struct stage s;
    int rc;

    stage_init(&s, c, dry);
    rc = prepare(&s, msg);
    if (rc == 0)
        rc = stage_open(&s, msg);
    for (int i = 0; rc == 0 && i < c->n_partitions; i++) {
        if (!dry || !c->clean || c->partitions[i].n_faults > 0)
            recover_partition(&s, &c->partitions[i]);
    }
    if (rc == 0 && !dry)
        rc = finish(&s);
    if (rc == E_OFFLINE)
        errmsg_set(msg, "%s: a write or flush failed", c->dir);
    stage_release(&s);
    return rc;
}

/* ---- the first look ------------------------------------------------------------------------- */

static void list_partitions(struct stage *s)
{
    struct check *c = s->c;

    c->n_partitions = logm_n_found(s->m);
    c->partitions = xcalloc((size_t)c->n_partitions + 1, sizeof(*c->partitions));
    for (int i = 0; i < c->n_partitions; i++) {
        const struct logm_found *f = logm_found_get(s->m, i);

        c->partitions[i] = (struct check_partition){
            .name = xasprintf("%s-%d", f->topic, f->partition),
            .topic = xstrdup(f->topic),
            .number = f->partition,
            .topic_id = f->topic_id,
            .recovery_point = -1,
        };
    }
}

int check_open(struct check *c, struct errmsg *msg)
{
    struct buf text;
    struct stage s;
    int n_changed, rc;

    stage_init(&s, c, true);
    s.opening = true;
    rc = stage_open(&s, msg);
    if (rc == 0) {
        c->clean = logm_was_clean(s.m);
        list_partitions(&s);
    }
    stage_release(&s);
    buf_init(&text);
    if (rc == 0)
        (void)each_point(c, c->vfs, take_point, &text, &n_changed);
    buf_release(&text);
    return rc;
}
