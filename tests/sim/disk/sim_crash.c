/* The end of a process and the end of the power.
 *
 * A power cut, for each file:
 *
 *     sectors     |  0  |  1  |  2  |  3  |
 *     write A     |aaaaaaaaaaa|     |     |
 *     write B     |     |  bbbbbbbbb|     |
 *     size -> 900 |     |    |
 *
 * Each write has a fate: kept, dropped, or torn: some of its sectors kept. A sector is one piece of
 * memory: where a later write is kept, what earlier ones put there is too. So for each sector the
 * last write that is kept decides ("last"), and all up to it are done there.
 *
 * A size change is kept or not on its own, and with size_before_data a dropped write may still have
 * made its file longer. On an ordered device one moment is drawn: all before it is kept, the write
 * at it may be torn, nothing after it is there.
 */
#include "sim_impl.h"

/* How a power cut decides. */
struct cut {
    struct rng *rng;
    bool ordered, size_before_data;
    uint32_t sector_bytes;
    uint64_t seq;               /* of an ordered device: the operation that it stopped at */
    uint32_t data_kept_percent; /* drawn once, so that all-kept and all-dropped come often */
    uint32_t names_kept_percent;
};

static bool chance(struct cut *cut, uint32_t percent)
{
    return rng_below(cut->rng, 100) < percent;
}

static bool op_kept(struct cut *cut, uint64_t seq, uint32_t percent)
{
    return cut->ordered ? seq < cut->seq : chance(cut, percent);
}

/* ---- one file -------------------------------------------------------------------------------- */

/* For each sector, one more than the index of the last operation that is kept there. */
static uint32_t *new_sectors(const struct sim_node *n, const struct cut *cut, uint64_t *n_sectors)
{
    uint64_t end = MAX(n->durable.size, n->live.size);

    for (uint32_t i = 0; i < n->n_ops; i++)
        end = MAX(end, n->ops[i].at + n->ops[i].n);
    *n_sectors = end / cut->sector_bytes + 1;
    return xcalloc(*n_sectors, sizeof(uint32_t));
}

/* A write that is neither kept nor dropped. The ordered device has its first sectors; the other the
 * first, the last, all but one, or any. */
static void tear(struct cut *cut, uint32_t *last, uint64_t first, uint64_t end, uint32_t mark)
{
    uint64_t at = first + rng_below(cut->rng, end - first + 1);
    uint64_t how = cut->ordered ? 0 : rng_below(cut->rng, 4);

    for (uint64_t s = first; s < end; s++) {
        bool kept[] = {s < at, s >= at, s != at, chance(cut, 50)};

        if (kept[how])
            last[s] = mark;
    }
}

static void choose_write(struct cut *cut, const struct data_op *op, uint32_t *last, uint32_t mark)
{
    uint64_t first = op->at / cut->sector_bytes;
    uint64_t end = (op->at + op->n - 1) / cut->sector_bytes + 1;

    if (op_kept(cut, op->seq, cut->data_kept_percent)) {
        for (uint64_t s = first; s < end; s++)
            last[s] = mark;
        return;
    }
    if (cut->ordered ? op->seq == cut->seq : chance(cut, 50))
        tear(cut, last, first, end, mark);
}

/* Does what is kept of one write; sector by sector. */
static void do_write(struct sim_node *n, const struct cut *cut, const struct data_op *op,
                     const uint32_t *last, uint32_t mark)
{
    uint64_t at = op->at;
    uint64_t end = op->at + op->n;

    while (at < end) {
        uint64_t s = at / cut->sector_bytes;
        uint64_t stop = MIN(end, (s + 1) * cut->sector_bytes);

        if (last[s] >= mark)
            content_write(&n->durable, op->bytes->p + (at - op->at), stop - at, at);
        at = stop;
    }
}

static void do_size(struct sim_node *n, struct cut *cut, const struct data_op *op,
                    const uint32_t *last, uint32_t mark)
{
    uint64_t s = op->at / cut->sector_bytes;

    if (op_kept(cut, op->seq, cut->data_kept_percent))
        content_resize(&n->durable, op->at);
    else if (last[s] > mark) /* a sector that was written after the cut shows its zeros */
        content_zero(&n->durable, op->at, (s + 1) * cut->sector_bytes);
}

static void do_op(struct sim_node *n, struct cut *cut, const struct data_op *op,
                  const uint32_t *last, uint32_t mark)
{
    if (op->kind == DATA_SIZE) {
        do_size(n, cut, op, last, mark);
        return;
    }
    do_write(n, cut, op, last, mark);
    if (op->grows && cut->size_before_data && (!cut->ordered || op->seq <= cut->seq) &&
        n->durable.size < op->at + op->n && chance(cut, 50))
        content_resize(&n->durable, op->at + op->n);
}

static void cut_file(struct sim_node *n, struct cut *cut)
{
    uint64_t n_sectors;
    uint32_t *last;

    if (n->n_ops == 0)
        return;
    last = new_sectors(n, cut, &n_sectors);
    for (uint32_t i = 0; i < n->n_ops; i++)
        if (n->ops[i].kind == DATA_WRITE)
            choose_write(cut, &n->ops[i], last, i + 1);
    for (uint32_t i = 0; i < n->n_ops; i++)
        do_op(n, cut, &n->ops[i], last, i + 1);
    if (chance(cut, 50))
        n->durable_mtime = n->mtime;
    data_drop_ops(n);
    free(last);
}

/* ---- the whole disk -------------------------------------------------------------------------- */

static struct cut draw_cut(struct sim *s, struct rng *rng)
{
    static const uint32_t moods[] = {0, 20, 50, 80, 100};
    struct cut cut = {.rng = rng,
                      .ordered = s->options.ordered,
                      .size_before_data = s->options.size_before_data,
                      .sector_bytes = s->options.sector_bytes};
    uint64_t *seqs;
    uint64_t n = 0;

    cut.data_kept_percent = moods[rng_below(rng, ARRAY_SIZE(moods))];
    cut.names_kept_percent = moods[rng_below(rng, ARRAY_SIZE(moods))];
    cut.seq = s->seq_next;
    if (!cut.ordered || vfs_sim_pending(&s->vfs) == 0)
        return cut;
    seqs = xcalloc(vfs_sim_pending(&s->vfs), sizeof(*seqs));
    for (uint32_t i = 0; i < s->n_name_ops; i++)
        seqs[n++] = s->name_ops[i].seq;
    LIST_FOREACH(it, &s->nodes)
    {
        const struct sim_node *node = CONTAINER_OF(it, struct sim_node, link);

        for (uint32_t i = 0; i < node->n_ops; i++)
            seqs[n++] = node->ops[i].seq;
    }
    n = rng_below(rng, n + 1);
    if (n < vfs_sim_pending(&s->vfs))
        cut.seq = seqs[n];
    free(seqs);
    return cut;
}

static void forget_live(struct sim *s, struct sim_node *n)
{
    names_clear(s, &n->live_names);
    content_release(&n->live);
    data_clear_gaps(n);
    n->parent = NULL;
    n->stale = false;
    n->reserved_bytes = 0;
}

/* What the process sees is what the device has. */
static void show_durable(struct sim *s, struct sim_node *n)
{
    struct sim_entry *e;
    struct sim_entry *next;

    content_share(&n->live, &n->durable);
    n->mtime = n->durable_mtime;
    n->cold = s->options.cold_reads;
    HASH_ITER(hh, n->durable_names, e, next)
    {
        ASSERT(!e->node->parent);
        names_set(s, &n->live_names, e->name, e->node);
        e->node->parent = n;
    }
}

static void count_all_space(struct sim *s)
{
    LIST_FOREACH(it, &s->nodes)
    node_count_space(s, CONTAINER_OF(it, struct sim_node, link));
}

void vfs_sim_kill(struct vfs *v)
{
    struct sim *s = sim_of(v);

    s->generation++;
    s->down = false;
    s->stop_at = 0;
    LIST_FOREACH(it, &s->nodes)
    {
        struct sim_node *n = CONTAINER_OF(it, struct sim_node, link);

        n->n_open = 0;
        n->writer = NULL;
        n->locked = false;
    }
    count_all_space(s);
}

void vfs_sim_power_loss(struct vfs *v, struct rng *rng)
{
    struct sim *s = sim_of(v);
    struct cut cut = draw_cut(s, rng);
    struct sim_node **held;
    size_t n_held;

    vfs_sim_kill(v);
    LIST_FOREACH(it, &s->nodes)
    cut_file(CONTAINER_OF(it, struct sim_node, link), &cut);
    for (uint32_t i = 0; i < s->n_name_ops; i++)
        s->name_ops[i].kept = op_kept(&cut, s->name_ops[i].seq, cut.names_kept_percent);
    sim_settle_names(s, true);
    held = sim_hold_all(s, &n_held); /* a node may lose its last name on the way */
    for (size_t i = 0; i < n_held; i++)
        forget_live(s, held[i]);
    for (size_t i = 0; i < n_held; i++)
        show_durable(s, held[i]);
    sim_let_go(s, held, n_held);
    count_all_space(s);
}

void vfs_sim_stop_at(struct vfs *v, uint64_t n)
{
    struct sim *s = sim_of(v);

    s->stop_at = n ? s->n_changes + n : 0;
}

bool vfs_sim_is_down(struct vfs *v)
{
    return sim_of(v)->down;
}

void vfs_sim_on_change(struct vfs *v, void (*hook)(void *arg, struct vfs *v, uint64_t change),
                       void *arg)
{
    struct sim *s = sim_of(v);

    s->hook = hook;
    s->hook_arg = arg;
}
