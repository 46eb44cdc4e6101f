/* Open files of the simulated disk.
 *
 * Owner: a handle keeps its node. It belongs to one life of the process: after a kill or a power
 * cut it fails and can only be closed.
 */
#include "sim_impl.h"

struct sim_file {
    struct file file;
    struct sim *sim;
    struct sim_node *node; /* a reference */
    char *path;            /* as it was opened */
    uint64_t generation;
    bool writable, has_lock;
    int sync_rc; /* of the datasync that failed: sticky, as of vfs_posix */
};

static struct sim_file *file_of(struct file *f)
{
    ASSERT(f->ops == &sim_ops);
    return CONTAINER_OF(f, struct sim_file, file);
}

struct file *sim_file_new(struct sim *s, struct sim_node *n, const char *path, bool writable)
{
    struct sim_file *sf = xcalloc(1, sizeof(*sf));

    ASSERT(!n->is_dir);
    file_init(&sf->file, &sim_ops);
    sf->sim = s;
    sf->node = node_ref(n);
    sf->path = xstrdup(path);
    sf->generation = s->generation;
    sf->writable = writable;
    s->n_open++;
    n->n_open++;
    node_count_space(s, n);
    return &sf->file;
}

static bool is_dead(const struct sim_file *sf)
{
    return sf->generation != sf->sim->generation;
}

void sim_file_close(struct file *f)
{
    struct sim_file *sf = file_of(f);
    struct sim_node *n = sf->node;

    ASSERT(sf->sim->n_open > 0);
    sf->sim->n_open--;
    if (!is_dead(sf)) {
        ASSERT(n->n_open > 0);
        n->n_open--;
        if (n->writer == f)
            n->writer = NULL;
        if (sf->has_lock)
            n->locked = false;
        node_count_space(sf->sim, n);
    }
    node_unref(sf->sim, n);
    free(sf->path);
    free(sf);
}

static struct call call_of(struct sim_file *sf, enum vfs_sim_op op, uint64_t at, uint64_t n)
{
    return (struct call){.s = sf->sim, .op = op, .path = sf->path, .at = at, .n = n};
}

/* Begins a call on a file; a dead handle does nothing and counts as nothing. */
static int begin(struct sim_file *sf, struct call *c)
{
    c->fault = -1;
    return is_dead(sf) ? E_IO : sim_begin(c);
}

/* ---- reading --------------------------------------------------------------------------------- */

static bool is_pending(const struct sim_node *n, uint64_t from, uint64_t to)
{
    for (uint32_t i = 0; i < n->n_ops; i++)
        if (n->ops[i].kind == DATA_WRITE && n->ops[i].at < to && from < n->ops[i].at + n->ops[i].n)
            return true;
    return false;
}

/* Flips a bit of a durable sector that is being read, on the device and in what is read. */
static void rot(struct sim_file *sf, uint64_t at, size_t n)
{
    struct sim_node *node = sf->node;
    uint64_t end = MIN(at + n, MIN(node->durable.size, node->live.size));
    uint64_t victim;
    uint8_t bit = (uint8_t)(1u << rng_below(&sf->sim->rng, 8));

    if (at >= end)
        return;
    victim = at + rng_below(&sf->sim->rng, end - at);
    if (is_pending(node, victim, victim + 1))
        return;
    content_own(&node->durable)[victim] ^= bit;
    content_own(&node->live)[victim] = node->durable.bytes->p[victim];
}

int sim_file_pread(struct file *f, void *p, size_t n, uint64_t at, size_t *got)
{
    struct sim_file *sf = file_of(f);
    struct call c = call_of(sf, SIM_PREAD, at, n);
    int rc = begin(sf, &c);

    if (rc < 0)
        return sim_end(&c, rc);
    if (c.fault == SIM_ROT)
        rot(sf, at, n);
    *got = content_read(&sf->node->live, p, n, at);
    sf->node->cold = false;
    if (data_has_gap(sf->node, at, at + *got))
        sim_misuse(sf->sim, "read of %s at %llu+%zu: never written", sf->path,
                   (unsigned long long)at, n);
    return sim_end(&c, 0);
}

int sim_file_size(struct file *f, uint64_t *out)
{
    struct sim_file *sf = file_of(f);
    struct call c = call_of(sf, SIM_SIZE, 0, 0);
    int rc = begin(sf, &c);

    *out = sf->node->live.size;
    return sim_end(&c, rc);
}

bool sim_file_is_warm(struct file *f, uint64_t at, size_t n)
{
    return !file_of(f)->node->cold;
}

int sim_file_fd(struct file *f)
{
    (void)file_of(f);
    return -1;
}

int sim_file_drop_cache(struct file *f, uint64_t from)
{
    struct sim_file *sf = file_of(f);
    struct call c = call_of(sf, SIM_DROP_CACHE, 0, 0);
    int rc = begin(sf, &c);

    if (rc < 0)
        return sim_end(&c, rc);
    data_refresh(sf->node);
    sf->node->cold = sf->sim->options.cold_reads;
    return sim_end(&c, 0);
}

/* ---- writing --------------------------------------------------------------------------------- */

/* A handle that changes what is in a file is its only one that does, while it is open. */
static void take_writer(struct sim_file *sf)
{
    struct sim_node *n = sf->node;

    if (n->writer && n->writer != &sf->file && !sf->sim->options.two_writers)
        sim_misuse(sf->sim, "%s is written through two handles", sf->path);
    if (!n->writer)
        n->writer = &sf->file;
}

uint64_t sim_size_limit(const struct sim *s, const struct sim_node *n)
{
    uint64_t others = s->used_bytes - n->counted_bytes;
    uint64_t total = s->options.total_bytes;

    return MAX(total > others ? total - others : 0, n->counted_bytes);
}

/* Writes the first `wanted` bytes of the pieces, as far as the space goes. */
static int write_some(struct sim_file *sf, const struct piece *pieces, int n_pieces, uint64_t at,
                      uint64_t wanted)
{
    uint64_t limit = sim_size_limit(sf->sim, sf->node);
    int rc = 0;

    for (int i = 0; i < n_pieces && rc == 0; i++) {
        uint64_t n = MIN(pieces[i].n, wanted);
        uint64_t room = limit > at ? limit - at : 0;

        if (n > room && at + n > sf->node->live.size)
            rc = E_NOSPC;
        data_write(sf->sim, sf->node, pieces[i].p, rc < 0 ? MIN(n, room) : n, at);
        at += n;
        wanted -= n;
    }
    sf->node->mtime = clock_wall(sf->sim->clock);
    node_count_space(sf->sim, sf->node);
    return rc;
}

static uint64_t total(const struct piece *pieces, int n_pieces)
{
    uint64_t n = 0;

    for (int i = 0; i < n_pieces; i++)
        n += pieces[i].n;
    return n;
}

int sim_file_pwritev(struct file *f, const struct piece *pieces, int n_pieces, uint64_t at)
{
    struct sim_file *sf = file_of(f);
    struct call c = call_of(sf, SIM_PWRITEV, at, total(pieces, n_pieces));
    int rc = begin(sf, &c);

    if (rc < 0 && !c.torn)
        return sim_end(&c, rc);
    if (!sf->writable)
        return sim_end(&c, E_IO);
    take_writer(sf);
    if ((c.torn || c.fault == SIM_SHORT) && c.n > 0) {
        (void)write_some(sf, pieces, n_pieces, at, rng_below(&sf->sim->rng, c.n));
        return sim_end(&c, rc < 0 ? rc : c.fault_rc);
    }
    return sim_end(&c, write_some(sf, pieces, n_pieces, at, c.n));
}

static int truncate_checked(struct sim_file *sf, uint64_t size_bytes)
{
    struct sim_node *n = sf->node;

    if (!sf->writable)
        return E_IO;
    take_writer(sf);
    if (size_bytes > sim_size_limit(sf->sim, n))
        return E_NOSPC;
    if (size_bytes <= n->live.size)
        n->reserved_bytes = MIN(n->reserved_bytes, size_bytes);
    data_resize(sf->sim, n, size_bytes);
    n->mtime = clock_wall(sf->sim->clock);
    node_count_space(sf->sim, n);
    return 0;
}

int sim_file_truncate(struct file *f, uint64_t size_bytes)
{
    struct sim_file *sf = file_of(f);
    uint64_t size = sf->node->live.size;
    struct call c =
        call_of(sf, SIM_TRUNCATE, size_bytes, size_bytes > size ? size_bytes - size : 0);
    int rc = begin(sf, &c);

    return sim_end(&c, rc < 0 ? rc : truncate_checked(sf, size_bytes));
}

static int reserve_checked(struct sim_file *sf, uint64_t end)
{
    if (!sf->writable)
        return E_IO;
    if (end > sim_size_limit(sf->sim, sf->node))
        return E_NOSPC;
    sf->node->reserved_bytes = MAX(sf->node->reserved_bytes, end);
    node_count_space(sf->sim, sf->node);
    return 0;
}

int sim_file_reserve(struct file *f, uint64_t at, uint64_t n)
{
    struct sim_file *sf = file_of(f);
    struct call c = call_of(sf, SIM_RESERVE, at, n);
    int rc = begin(sf, &c);

    return sim_end(&c, rc < 0 ? rc : reserve_checked(sf, at + n));
}

int sim_file_set_mtime(struct file *f, struct wall mtime)
{
    struct sim_file *sf = file_of(f);
    struct call c = call_of(sf, SIM_SET_MTIME, 0, 0);
    int rc = begin(sf, &c);

    if (rc == 0)
        sf->node->mtime = mtime;
    return sim_end(&c, rc);
}

int sim_file_datasync(struct file *f)
{
    struct sim_file *sf = file_of(f);
    struct call c = call_of(sf, SIM_DATASYNC, 0, sf->node->n_ops);
    int rc = begin(sf, &c);

    if (rc == 0 && sf->sync_rc < 0)
        return sim_end(&c, sf->sync_rc);
    if (rc == 0 && c.fault == SIM_LOSE) {
        data_lose(sf->node);
        rc = c.fault_rc;
    }
    if (rc < 0) {
        sf->sync_rc = rc;
        return sim_end(&c, rc);
    }
    data_sync(sf->node);
    return sim_end(&c, 0);
}

int sim_file_lock(struct file *f)
{
    struct sim_file *sf = file_of(f);
    struct call c = call_of(sf, SIM_LOCK, 0, 0);
    int rc = begin(sf, &c);

    if (rc == 0 && sf->node->locked && !sf->has_lock)
        rc = E_LOCKED;
    if (rc == 0)
        sf->node->locked = sf->has_lock = true;
    return sim_end(&c, rc);
}
