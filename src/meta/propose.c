/* Changes on their way into the log.
 *
 * Owner: a proposal, on the stack of the deciding function.
 *
 * Happy path: meta_proposal_put each record, framed -> meta_propose: one batch -> applied ->
 *             settled.
 * Invariant:  a change is atomic, for us and for Kafka: what does not fit into one batch stands
 *             between Begin- and EndTransaction records, and counts only when the end is in the log
 *             (KIP-868).
 * Failures:   E_NOSPC, E_OFFLINE: nothing was changed.
 */
#include "internal.h"

#define BATCH_BYTES_MAX 1048576u
#define ENTRY_OVERHEAD  40 /* at most: lengths, deltas, header count */

void meta_proposal_put(struct statelog_proposal *p, enum meta_record_type type, int16_t version,
                       const void *record)
{
    const struct wire_message_info *info = meta_record_info(type);
    struct wire_writer w;

    ASSERT(version <= info->version_max);
    statelog_proposal_begin(p);
    wire_writer_init(&w, &p->bytes);
    wire_put_uvarint(&w, META_FRAME_VERSION);
    wire_put_uvarint(&w, type);
    wire_put_uvarint(&w, (uint32_t)version);
    info->encode(record, &w, version);
    wire_writer_release(&w);
    statelog_proposal_value_end(p);
}

/* Moves the last entry to the front. */
static void last_to_front(struct statelog_proposal *p)
{
    struct statelog_place last = p->items[p->n - 1];

    memmove(&p->items[1], &p->items[0], (size_t)(p->n - 1) * sizeof(*p->items));
    p->items[0] = last;
}

static bool fits_one_batch(const struct statelog_proposal *p)
{
    return BATCH_HEADER_BYTES + p->bytes.n + (size_t)p->n * ENTRY_OVERHEAD <= BATCH_BYTES_MAX;
}

/* Puts the transaction's two records around the others. */
static void make_transaction(struct statelog_proposal *p)
{
    struct begin_transaction_record begin;
    struct end_transaction_record end;

    begin_transaction_record_init(&begin);
    end_transaction_record_init(&end);
    meta_proposal_put(p, RECORD_END_TRANSACTION, 0, &end);
    meta_proposal_put(p, RECORD_BEGIN_TRANSACTION, 0, &begin);
    last_to_front(p);
}

int meta_propose(struct meta *m, struct statelog_proposal *p)
{
    int rc;

    ASSERT(m->magic == META_MAGIC);
    ASSERT(p->n > 0);
    ASSERT(list_empty(&m->changed));
    if (!fits_one_batch(p))
        make_transaction(p);
    rc = statelog_proposal_send(p, m->log);
    ASSERT(!m->in_transaction);
    meta_settle(m);
    meta_snapshot_consider(m);
    return rc;
}
