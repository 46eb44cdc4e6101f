/* What the clients know of a partition, and what must follow from it.
 *
 * Owner: struct topic.
 *
 * Every record has an id, given in the order in which its batch was first sent. A record that was
 * acknowledged or read has a place, an offset, which nobody else may ever have; after a crash only
 * what was not promised may lose its place, and what lost it must not come back unless its producer
 * repeats it.
 */
#include "world.h"

static void part_release(struct part *p)
{
    free(p->ids);
    free(p->flags);
    free(p->info);
}

void model_reset(struct topic *t)
{
    t->incarnation++;
    for (int i = 0; i < t->n_parts; i++) {
        part_release(&t->parts[i]);
        t->parts[i] = (struct part){.topic = t, .index = i};
    }
}

void model_release(struct topic *t)
{
    for (int i = 0; i < t->n_parts; i++)
        part_release(&t->parts[i]);
}

int64_t model_new_ids(struct part *p, int n, int producer, bool idempotent)
{
    int64_t first = p->n_ids;

    while (p->n_ids + n > p->cap_ids) {
        p->cap_ids = p->cap_ids ? p->cap_ids * 2 : 256;
        p->info = xrealloc_array(p->info, (size_t)p->cap_ids, sizeof(*p->info));
    }
    for (int i = 0; i < n; i++)
        p->info[p->n_ids++] =
            (struct id_info){.offset = -1, .producer = producer, .idempotent = idempotent,
                             .sent_ns = world_now(p->topic->w), .n_jumps = p->topic->w->n_jumps};
    return first;
}

static void grow(struct part *p, int64_t n)
{
    while (n > p->cap) {
        p->cap = p->cap ? p->cap * 2 : 256;
        p->ids = xrealloc_array(p->ids, (size_t)p->cap, sizeof(*p->ids));
        p->flags = xrealloc_array(p->flags, (size_t)p->cap, sizeof(*p->flags));
    }
    for (; p->n < n; p->n++) {
        p->ids[p->n] = -1;
        p->flags[p->n] = 0;
    }
}

static void place(struct part *p, int64_t offset, int64_t id, uint8_t flag)
{
    struct world *w = p->topic->w;
    const char *name = p->topic->name;
    struct id_info *info;

    if (id < 0 || id >= p->n_ids)
        world_wrong(w, "%s-%d offset %lld: record %lld was never sent", name, p->index,
                    (long long)offset, (long long)id);
    info = &p->info[id];
    if (info->state == ID_REFUSED)
        world_wrong(w, "%s-%d offset %lld: record %lld was refused, or lost before", name, p->index,
                    (long long)offset, (long long)id);
    if (info->offset >= 0 && info->offset != offset)
        world_wrong(w, "%s-%d: record %lld is at offset %lld and at %lld", name, p->index,
                    (long long)id, (long long)info->offset, (long long)offset);
    grow(p, offset + 1);
    if (p->ids[offset] >= 0 && p->ids[offset] != id)
        world_wrong(w, "%s-%d offset %lld: record %lld, it was %lld before", name, p->index,
                    (long long)offset, (long long)id, (long long)p->ids[offset]);
    p->ids[offset] = id;
    p->flags[offset] |= flag;
    info->offset = offset;
}

void model_acked(struct part *p, int64_t first_id, int n, int64_t base_offset, int acks)
{
    for (int i = 0; i < n; i++)
        place(p, base_offset + i, first_id + i, acks < 0 ? SLOT_ACKED_ALL : SLOT_ACKED_ONE);
    p->topic->w->n_acked += (uint64_t)n;
}

void model_refused(struct part *p, int64_t first_id, int n)
{
    for (int64_t id = first_id; id < first_id + n; id++) {
        if (p->info[id].offset >= 0)
            world_wrong(p->topic->w, "%s-%d: record %lld was refused and is at offset %lld",
                        p->topic->name, p->index, (long long)id, (long long)p->info[id].offset);
        p->info[id].state = ID_REFUSED;
    }
}

void model_seen(struct part *p, int64_t offset, int64_t id)
{
    place(p, offset, id, SLOT_READ);
    p->topic->w->n_read++;
}

/* ---- after a restart -------------------------------------------------------------------------------- */

/* What may be missing: all that is not durable by the topic's policy. */
static bool may_be_gone(const struct part *p, uint8_t flags, bool lossy)
{
    if (!lossy)
        return flags == 0;
    return !p->topic->durable || !(flags & (SLOT_ACKED_ALL | SLOT_READ));
}

/* The log goes from start to n: what was outside is gone, if it may be. */
static void cut(struct part *p, int64_t start, int64_t n, bool lossy)
{
    for (int64_t offset = p->start; offset < p->n; offset++) {
        if (p->ids[offset] < 0 || (offset >= start && offset < n))
            continue;
        if (offset < start && kept_has(p, POLICY_DELETE)) {
            if (!lossy || p->topic->durable)
                kept_expired(p, offset);
        } else if (!may_be_gone(p, p->flags[offset], lossy))
            world_wrong(p->topic->w,
                        "%s-%d offset %lld: record %lld was %s and is gone; the log is %lld to %lld",
                        p->topic->name, p->index, (long long)offset, (long long)p->ids[offset],
                        p->flags[offset] & SLOT_READ        ? "read"
                        : p->flags[offset] & SLOT_ACKED_ALL ? "acknowledged (acks=all)"
                                                            : "acknowledged (acks=1)",
                        (long long)start, (long long)n);
        p->lost_acked |= !p->topic->durable && p->flags[offset];
        p->info[p->ids[offset]].offset = -1;
        p->ids[offset] = -1;
    }
    p->expired_unseen |= start > p->n;
    p->start = start;
    p->n = MIN(p->n, n);
}

/* Of one producer the records are in the order of their ids: first sent, first there. */
static void check_order(const struct part *p, const int64_t *ids, int64_t start, int64_t n)
{
    int64_t last[ACTORS_MAX];

    memset(last, 0xff, sizeof(last));
    for (int64_t i = start; i < n; i++) {
        int producer = ids[i] < 0 ? -1 : p->info[ids[i]].producer;

        if (producer < 0)
            continue;
        if (ids[i] <= last[producer])
            world_wrong(p->topic->w, "%s-%d offset %lld: record %lld of producer %d after %lld",
                        p->topic->name, p->index, (long long)i, (long long)ids[i], producer,
                        (long long)last[producer]);
        last[producer] = ids[i];
    }
}

void model_settle(struct part *p, const int64_t *ids, int64_t start, int64_t n, bool lossy)
{
    /* Names that were never flushed may be lost: of the first segments, then the log begins later. */
    if (start != p->start && !kept_has(p, POLICY_DELETE) && (p->topic->durable || !lossy || start < p->start))
        world_wrong(p->topic->w, "%s-%d begins at %lld, it was %lld", p->topic->name, p->index,
                    (long long)start, (long long)p->start);
    cut(p, start, n, lossy);
    for (int64_t i = start; i < n; i++)
        if (ids[i] >= 0)
            place(p, i, ids[i], SLOT_READ);
    grow(p, n);
    if (kept_has(p, POLICY_COMPACT))
        kept_check(p, ids, start, n, lossy);
    check_order(p, ids, start, n);
    /* What is not there now was never acknowledged: only a repeat may bring it; or a power cut, where retention took it. */
    for (int64_t id = 0; id < p->n_ids; id++)
        if (p->info[id].offset < 0 && !p->info[id].idempotent && !kept_has(p, POLICY_DELETE))
            p->info[id].state = ID_REFUSED;
}
