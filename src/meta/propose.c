/* Changes on their way into the log.
 *
 * Owner: struct meta_proposal, on the stack of the deciding function.
 *
 * Happy path: meta_proposal_put each record, framed -> meta_propose: one batch -> applied -> settled.
 * Invariant:  a change is atomic, for us and for Kafka: what does not fit into one batch stands
 * between Begin- and EndTransaction records, and counts only when the end is in the log (KIP-868).
 * Failures:   E_NOSPC, E_OFFLINE: nothing was changed.
 */
#include "internal.h"

#define BATCH_BYTES_MAX 1048576u
#define ENTRY_OVERHEAD  40 /* at most: lengths, deltas, header count */

void meta_proposal_init(struct meta_proposal *p)
{
    *p = (struct meta_proposal){0};
    buf_init(&p->bytes);
}

void meta_proposal_release(struct meta_proposal *p)
{
    buf_release(&p->bytes);
    free(p->entries);
    *p = (struct meta_proposal){0};
}

void meta_proposal_put(struct meta_proposal *p, enum meta_record_type type, int16_t version,
                       const void *record)
{
    const struct wire_message_info *info = meta_record_info(type);
    size_t before = p->bytes.n;
    struct wire_writer w;

    ASSERT(version <= info->version_max);
    wire_writer_init(&w, &p->bytes);
    wire_put_uvarint(&w, META_FRAME_VERSION);
    wire_put_uvarint(&w, type);
    wire_put_uvarint(&w, (uint32_t)version);
    info->encode(record, &w, version);
    wire_writer_release(&w);
    if (p->n == p->cap) {
        p->cap = MAX(8, p->cap * 2);
        p->entries = xrealloc_array(p->entries, (size_t)p->cap, sizeof(*p->entries));
    }
    p->entries[p->n++] = (struct statelog_entry){.value.n = p->bytes.n - before};
}

/* Moves the last entry to the front. */
static void last_to_front(struct meta_proposal *p)
{
    struct statelog_entry last = p->entries[p->n - 1];

    memmove(&p->entries[1], &p->entries[0], (size_t)(p->n - 1) * sizeof(*p->entries));
    p->entries[0] = last;
}

static bool fits_one_batch(const struct meta_proposal *p)
{
    return BATCH_HEADER_BYTES + p->bytes.n + (size_t)p->n * ENTRY_OVERHEAD <= BATCH_BYTES_MAX;
}

static void locate(struct meta_proposal *p)
{
    size_t at = 0;

    for (int i = 0; i < p->n; i++) {
        p->entries[i].value.p = p->bytes.p + at;
        at += p->entries[i].value.n;
    }
    ASSERT(at == p->bytes.n);
}

/* Puts the transaction's two records around the others; `bytes` keeps the order of putting, so they
 * are located first. */
static void make_transaction(struct meta_proposal *p)
{
    struct begin_transaction_record begin;
    struct end_transaction_record end;

    begin_transaction_record_init(&begin);
    end_transaction_record_init(&end);
    meta_proposal_put(p, RECORD_END_TRANSACTION, 0, &end);
    meta_proposal_put(p, RECORD_BEGIN_TRANSACTION, 0, &begin);
    locate(p);
    last_to_front(p);
}

int meta_propose(struct meta *m, struct meta_proposal *p)
{
    int rc;

    ASSERT(m->magic == META_MAGIC);
    ASSERT(p->n > 0);
    ASSERT(list_empty(&m->changed));
    if (fits_one_batch(p))
        locate(p);
    else
        make_transaction(p);
    rc = statelog_propose(m->log, p->entries, p->n, NULL, NULL);
    ASSERT(!m->in_transaction);
    meta_settle(m);
    return rc;
}
