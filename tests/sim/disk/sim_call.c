/* What happens to every operation before the disk does it: it is counted, may be the one at which
 * the disk stops, may be misuse, and may fail or be slow.
 *
 *     begin:  count -> (down: E_IO) -> hook, stop -> misuse? -> faults
 *             the operation itself
 *     end:    the trace
 */
#include "sim_impl.h"

#include <fnmatch.h>

#define CHANGES                                                                                    \
    (SIM_OP(SIM_RENAME) | SIM_OP(SIM_UNLINK) | SIM_OP(SIM_MKDIR) | SIM_OP(SIM_RMDIR) |             \
     SIM_OP(SIM_SYNC_DIR) | SIM_OP(SIM_SYNC_ALL) | SIM_OP(SIM_PWRITEV) | SIM_OP(SIM_DATASYNC) |    \
     SIM_OP(SIM_TRUNCATE) | SIM_OP(SIM_RESERVE))
#define SYNCS (SIM_OP(SIM_DATASYNC) | SIM_OP(SIM_SYNC_DIR) | SIM_OP(SIM_SYNC_ALL))
#define ALL   (SIM_OP(SIM_OPS) - 1)

static const char *const op_names[SIM_OPS] = {
    [SIM_OPEN] = "open",
    [SIM_STAT] = "stat",
    [SIM_RENAME] = "rename",
    [SIM_UNLINK] = "unlink",
    [SIM_MKDIR] = "mkdir",
    [SIM_RMDIR] = "rmdir",
    [SIM_LIST] = "list",
    [SIM_SYNC_DIR] = "sync_dir",
    [SIM_SYNC_ALL] = "sync_all",
    [SIM_SPACE] = "space",
    [SIM_PREAD] = "pread",
    [SIM_PWRITEV] = "pwritev",
    [SIM_DATASYNC] = "datasync",
    [SIM_TRUNCATE] = "truncate",
    [SIM_RESERVE] = "reserve",
    [SIM_SIZE] = "size",
    [SIM_SET_MTIME] = "set_mtime",
    [SIM_LOCK] = "lock",
    [SIM_DROP_CACHE] = "drop_cache",
};

/* What each fault can happen to, and what it answers. */
static const struct {
    const char *name;
    uint32_t ops;
    int rc;
} fault_kinds[SIM_FAULTS] = {
    [SIM_EIO] = {"EIO", ALL, E_IO},
    [SIM_ENOSPC] = {"ENOSPC", CHANGES & ~(SIM_OP(SIM_UNLINK) | SIM_OP(SIM_RMDIR)), E_NOSPC},
    [SIM_EMFILE] = {"EMFILE",
                    SIM_OP(SIM_OPEN) | SIM_OP(SIM_LIST) | SIM_OP(SIM_SYNC_DIR) |
                        SIM_OP(SIM_SYNC_ALL),
                    E_MFILE},
    [SIM_SHORT] = {"SHORT", SIM_OP(SIM_PWRITEV), E_NOSPC},
    [SIM_LOSE] = {"LOSE", SIM_OP(SIM_DATASYNC) | SIM_OP(SIM_SYNC_ALL), E_IO},
    [SIM_ROT] = {"ROT", SIM_OP(SIM_PREAD), 0},
    [SIM_SLOW] = {"SLOW", ALL, 0},
};

const char *vfs_sim_op_name(enum vfs_sim_op op)
{
    ASSERT(op < SIM_OPS);
    return op_names[op];
}

const char *vfs_sim_fault_name(enum vfs_sim_fault_kind kind)
{
    ASSERT(kind < SIM_FAULTS);
    return fault_kinds[kind].name;
}

void sim_misuse(struct sim *s, const char *fmt, ...)
{
    struct buf text;
    va_list args;

    buf_init(&text);
    va_start(args, fmt);
    buf_vprintf(&text, fmt, args);
    va_end(args);
    if (s->options.misuse) {
        s->options.misuse(s->options.arg, buf_cstr(&text));
    } else {
        fprintf(stderr, "misuse of the disk: %s\n", buf_cstr(&text));
        base_assert_failed("misuse of the simulated disk", __FILE__, __LINE__);
    }
    buf_release(&text);
}

/* ---- faults ---------------------------------------------------------------------------------- */

static bool fault_fits(const struct vfs_sim_fault *f, const struct call *c)
{
    uint32_t ops = fault_kinds[f->kind].ops & (f->ops == SIM_ANY_OP ? ALL : f->ops);

    /* Opening takes space only where it makes a file. */
    if (f->kind == SIM_ENOSPC && c->op == SIM_OPEN && c->change)
        ops |= SIM_OP(SIM_OPEN) & (f->ops == SIM_ANY_OP ? ALL : f->ops);
    if (f->kind == SIM_ENOSPC && c->op == SIM_TRUNCATE && c->n == 0) /* it does not grow */
        return false;
    if (!(ops & SIM_OP(c->op)))
        return false;
    return !f->path || fnmatch(f->path, c->path, 0) == 0 ||
           (c->path2 && fnmatch(f->path, c->path2, 0) == 0);
}

static bool is_due(struct armed_fault *a)
{
    a->seen++;
    return a->fault.lasting ? a->seen >= a->fault.nth : a->seen == a->fault.nth;
}

/* Plays one fault on a call; the error that it gives at once. */
static int strike(struct call *c, const struct vfs_sim_fault *f)
{
    c->s->n_fired++;
    if (f->kind == SIM_SLOW) {
        c->s->latency_ns += f->slow_ns;
        return 0;
    }
    c->fault_rc = f->rc ? f->rc : fault_kinds[f->kind].rc;
    if (f->kind == SIM_SHORT || f->kind == SIM_LOSE || f->kind == SIM_ROT) {
        c->fault = (int)f->kind;
        return 0;
    }
    return c->fault_rc;
}

static int strike_at_random(struct call *c)
{
    int rc = 0;

    for (int kind = 0; kind < SIM_FAULTS && rc == 0 && c->s->has_rates; kind++) {
        struct vfs_sim_fault f = {.kind = (enum vfs_sim_fault_kind)kind,
                                  .ops = c->s->rates[kind].ops,
                                  .slow_ns = c->s->rates[kind].slow_ns};
        uint32_t rate = c->s->rates[kind].per_million;

        if (rate && fault_fits(&f, c) && rng_below(&c->s->rng, 1000000) < rate)
            rc = strike(c, &f);
    }
    return rc;
}

static int strike_as_counted(struct call *c)
{
    int rc = 0;

    for (uint32_t i = 0; i < c->s->n_faults && rc == 0; i++) {
        struct armed_fault *a = &c->s->faults[i];

        if (fault_fits(&a->fault, c) && is_due(a))
            rc = strike(c, &a->fault);
    }
    return rc;
}

void vfs_sim_add_fault(struct vfs *v, const struct vfs_sim_fault *fault)
{
    struct sim *s = sim_of(v);
    struct armed_fault *a;

    ASSERT(fault->kind < SIM_FAULTS);
    s->faults = xrealloc_array(s->faults, s->n_faults + 1, sizeof(*s->faults));
    a = &s->faults[s->n_faults++];
    *a = (struct armed_fault){.fault = *fault};
    a->fault.nth = MAX(fault->nth, 1);
    a->fault.path = fault->path ? xstrdup(fault->path) : NULL;
}

void vfs_sim_set_rate(struct vfs *v, enum vfs_sim_fault_kind kind, uint32_t ops,
                      uint32_t per_million, int64_t slow_ns)
{
    struct sim *s = sim_of(v);

    ASSERT(kind < SIM_FAULTS);
    s->rates[kind].ops = ops;
    s->rates[kind].per_million = per_million;
    s->rates[kind].slow_ns = slow_ns;
    s->has_rates = true;
}

void sim_release_faults(struct sim *s)
{
    for (uint32_t i = 0; i < s->n_faults; i++)
        free((void *)s->faults[i].fault.path);
    free(s->faults);
    s->faults = NULL;
    s->n_faults = 0;
    memset(s->rates, 0, sizeof(s->rates));
    s->has_rates = false;
}

void vfs_sim_lift_faults(struct vfs *v)
{
    sim_release_faults(sim_of(v));
}

/* ---- begin and end --------------------------------------------------------------------------- */

/* Counts a change; true when it is the one at which the disk stops. */
static bool count_change(struct call *c)
{
    struct sim *s = c->s;

    if (s->hook)
        s->hook(s->hook_arg, &s->vfs, s->n_changes + 1);
    s->n_changes++;
    if (s->stop_at == 0 || s->n_changes < s->stop_at)
        return false;
    s->stop_at = 0;
    s->down = true;
    c->torn = c->op == SIM_PWRITEV;
    return true;
}

int sim_begin(struct call *c)
{
    struct sim *s = c->s;
    int rc;

    c->fault = -1;
    c->change |= (CHANGES & SIM_OP(c->op)) != 0;
    if (s->down)
        return E_IO;
    s->n_calls++;
    if (c->change && count_change(c))
        return E_IO;
    if ((SYNCS & SIM_OP(c->op)) && !s->startup && thread_kind() != THREAD_LANE)
        sim_misuse(s, "%s of %s off its lane", op_names[c->op], c->path);
    rc = strike_as_counted(c);
    return rc < 0 ? rc : strike_at_random(c);
}

int sim_end(struct call *c, int rc)
{
    struct sim *s = c->s;
    char line[1024], number[32] = "";

    if (!s->trace)
        return rc;
    if (c->change)
        snprintf(number, sizeof(number), "%s%llu ", s->down ? "X" : "!",
                 (unsigned long long)s->n_changes);
    snprintf(line, sizeof(line), "#%llu %s%s %s%s%s %llu+%llu = %s", (unsigned long long)s->n_calls,
             number, op_names[c->op], c->path, c->path2 ? " -> " : "", c->path2 ? c->path2 : "",
             (unsigned long long)c->at, (unsigned long long)c->n, rc < 0 ? err_name(rc) : "0");
    s->trace(s->trace_arg, line);
    return rc;
}
