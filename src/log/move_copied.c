/* Moving a log to another log directory: which segments the copy has, and which comes next.
 *
 * Owner: struct log_move, core thread.
 *
 * Happy path: move_drop_gone: what the log does not have any more leaves the copy -> move_next_source: the first segment that is not copied
 *             whole -> (move.c copies a slice of it) -> again.
 * Invariant:  the row of what is copied ascends by base offset. An entry is the copy of the log's segment of the same serial, or it leaves: a
 *             segment that was compacted is another one.
 */
#include "move_internal.h"

struct segment *move_source_of(const struct log_move *v, const struct log_move_copied *c)
{
    struct segment *s = log_segment_at_base(v->log, c->base_offset);

    return s && s->serial == c->serial ? s : NULL;
}

void move_drop_copy(struct log_move *v, uint32_t i)
{
    static const char *const suffixes[] = {".log", ".index", ".timeindex", ".txnindex",
                                           ".snapshot"};
    char path[SEGMENT_PATH_MAX];

    ASSERT(i < v->n_copied);
    for (size_t k = 0; k < ARRAY_SIZE(suffixes); k++)
        (void)vfs_unlink(v->m->env->vfs,
                         move_path(v->path, v->copied[i].base_offset, suffixes[k], path));
    memmove(&v->copied[i], &v->copied[i + 1], (v->n_copied - i - 1) * sizeof(*v->copied));
    v->n_copied--;
}

/* What the log does not have any more. */
void move_drop_gone(struct log_move *v)
{
    for (uint32_t i = v->n_copied; i-- > 0;)
        if (!move_source_of(v, &v->copied[i]))
            move_drop_copy(v, i);
}

static void insert(struct log_move *v, uint32_t i, const struct segment *s)
{
    if (v->n_copied == v->cap_copied) {
        v->cap_copied = MAX(16, v->cap_copied * 2);
        v->copied = xrealloc_array(v->copied, v->cap_copied, sizeof(*v->copied));
    }
    memmove(&v->copied[i + 1], &v->copied[i], (v->n_copied - i) * sizeof(*v->copied));
    v->n_copied++;
    v->copied[i] = (struct log_move_copied){s->base_offset, s->serial, 0, false};
}

/* How much of it the copy has; it is the first that is not copied whole. */
static uint64_t begun(const struct log_move *v, const struct segment *s)
{
    return v->serial == s->serial ? v->position : 0;
}

/* Of the active segment a tail may be left, but nothing that was there when the log was held; nor, if that was nothing, its name, which
 * says where the log ends. */
static bool is_enough(const struct log_move *v, const struct segment *s)
{
    bool has_held = v->serial == s->serial && v->position >= v->held_position;

    return !s->sealed && s->size_bytes - begun(v, s) <= MOVE_TAIL_BYTES &&
           (s->serial != v->held_serial || has_held);
}

static void copy_from_start(struct log_move *v, const struct segment *s)
{
    v->position = v->walked = 0;
    v->serial = s->serial;
    v->copied_end = v->walked_end = MAX(s->base_offset, v->log->start_offset);
}

/* The first segment that is not copied whole; NULL: only a tail of the active one is left. Both rows ascend, and every one that is copied
 * is the log's. */
struct segment *move_next_source(struct log_move *v)
{
    for (uint32_t i = 0; i < (uint32_t)v->log->n_segments; i++) {
        struct segment *s = v->log->segments[i];

        if (is_enough(v, s))
            return NULL;
        if (i < v->n_copied && v->copied[i].serial == s->serial && v->copied[i].whole)
            continue;
        if (i >= v->n_copied || v->copied[i].serial != s->serial)
            insert(v, i, s);
        if (v->serial != s->serial)
            copy_from_start(v, s); /* as well when it was left for one before it */
        v->at = i;
        return s;
    }
    return NULL;
}

uint64_t log_move_size_bytes(const struct log_move *v)
{
    uint64_t n = 0;

    for (uint32_t i = 0; i < v->n_copied; i++)
        n += v->copied[i].size_bytes; /* so far */
    return n;
}
