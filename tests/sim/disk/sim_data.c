/* What is in simulated files: the view of the process, the device's, and the pending operations
 * between.
 *
 * Invariant:  unless the file is stale, live = durable with ops done in their order. Stale: a
 *             failed sync has marked pages clean that the device never got, or a sector has rotted;
 *             the cache still shows the good bytes until it is dropped.
 */
#include "sim_impl.h"

static struct data_op *new_op(struct sim *s, struct sim_node *n)
{
    if (n->n_ops == n->cap_ops) {
        n->cap_ops = MAX(n->cap_ops * 2, 8);
        n->ops = xrealloc_array(n->ops, n->cap_ops, sizeof(*n->ops));
    }
    n->ops[n->n_ops] = (struct data_op){.seq = s->seq_next++};
    return &n->ops[n->n_ops++];
}

/* ---- gaps ------------------------------------------------------------------------------------ */

void data_clear_gaps(struct sim_node *n)
{
    free(n->gaps);
    n->gaps = NULL;
    n->n_gaps = 0;
}

static void add_gap(struct sim_node *n, uint64_t from, uint64_t to)
{
    if (from >= to)
        return;
    n->gaps = xrealloc_array(n->gaps, n->n_gaps + 1, sizeof(*n->gaps));
    n->gaps[n->n_gaps++] = (struct range){from, to};
}

/* [from, to) is known again: written, or cut off. */
static void fill_gaps(struct sim_node *n, uint64_t from, uint64_t to)
{
    uint32_t n_before = n->n_gaps;
    struct range *before = n->gaps;

    if (n_before == 0)
        return;
    n->gaps = NULL;
    n->n_gaps = 0;
    for (uint32_t i = 0; i < n_before; i++) {
        add_gap(n, before[i].from, MIN(before[i].to, from));
        add_gap(n, MAX(before[i].from, to), before[i].to);
    }
    free(before);
}

bool data_has_gap(const struct sim_node *n, uint64_t from, uint64_t to)
{
    for (uint32_t i = 0; i < n->n_gaps; i++)
        if (n->gaps[i].from < to && from < n->gaps[i].to)
            return true;
    return false;
}

/* ---- writing --------------------------------------------------------------------------------- */

void data_write(struct sim *s, struct sim_node *n, const void *p, uint64_t bytes, uint64_t at)
{
    struct data_op *op;

    if (bytes == 0)
        return;
    op = new_op(s, n);
    op->kind = DATA_WRITE;
    op->at = at;
    op->n = bytes;
    op->bytes = sim_bytes_new(p, bytes);
    op->grows = at + bytes > n->live.size;
    fill_gaps(n, at, at + bytes);
    add_gap(n, n->live.size, at);
    content_write(&n->live, p, bytes, at);
}

void data_resize(struct sim *s, struct sim_node *n, uint64_t size)
{
    struct data_op *op;

    if (size == n->live.size)
        return;
    op = new_op(s, n);
    op->kind = DATA_SIZE;
    op->at = size;
    fill_gaps(n, size, UINT64_MAX);
    content_resize(&n->live, size);
}

/* ---- syncing --------------------------------------------------------------------------------- */

static void apply(struct content *c, const struct data_op *op)
{
    if (op->kind == DATA_SIZE)
        content_resize(c, op->at);
    else
        content_write(c, op->bytes->p, op->n, op->at);
}

void data_drop_ops(struct sim_node *n)
{
    for (uint32_t i = 0; i < n->n_ops; i++)
        sim_bytes_unref(n->ops[i].bytes);
    n->n_ops = 0;
}

void data_sync(struct sim_node *n)
{
    for (uint32_t i = 0; i < n->n_ops; i++)
        apply(&n->durable, &n->ops[i]);
    data_drop_ops(n);
    n->durable_mtime = n->mtime;
    ASSERT(n->stale || n->durable.size == n->live.size);
}

/* Sizes are the file system's own and stay pending; the data is gone. */
void data_lose(struct sim_node *n)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < n->n_ops; i++) {
        struct data_op op = n->ops[i];

        n->stale |= op.kind == DATA_WRITE;
        sim_bytes_unref(op.bytes);
        op.bytes = NULL;
        if (op.kind == DATA_WRITE && !op.grows)
            continue;
        if (op.kind == DATA_WRITE)
            op.at += op.n;
        op.kind = DATA_SIZE;
        n->ops[kept++] = op;
    }
    n->n_ops = kept;
}

void data_refresh(struct sim_node *n)
{
    if (!n->stale)
        return;
    content_release(&n->live);
    content_share(&n->live, &n->durable);
    for (uint32_t i = 0; i < n->n_ops; i++)
        apply(&n->live, &n->ops[i]);
    n->stale = false;
    data_clear_gaps(n);
}
