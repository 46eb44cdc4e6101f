/* Offsets of transactions that have not ended.
 *
 * Owner: struct group_shard, core thread.
 *
 * Happy path: records of a transactional batch are kept aside by producer id -> a commit marker
 *             puts them where other offsets are, unless a later record was there first; an abort
 *             marker drops them. (OffsetMetadataManager.replayEndTransactionMarker)
 */
#include "internal.h"

struct pending_offset {
    struct str group, topic;
    struct str metadata;
    struct offset_entry entry; /* without metadata */
    bool removed;              /* a tombstone came meanwhile */
};
struct pending_txn {
    int64_t producer_id;
    struct pending_offset *offsets;
    uint32_t n, cap;
    UT_hash_handle hh;
};

static struct pending_txn *txn_get(struct group_shard *s, int64_t producer_id)
{
    struct pending_txn *t;

    HASH_FIND(hh, s->txns, &producer_id, sizeof(producer_id), t);
    if (t)
        return t;
    t = xcalloc(1, sizeof(*t));
    t->producer_id = producer_id;
    HASH_ADD(hh, s->txns, producer_id, sizeof(t->producer_id), t);
    return t;
}

static void txn_free(struct group_shard *s, struct pending_txn *t)
{
    HASH_DELETE(hh, s->txns, t);
    for (uint32_t i = 0; i < t->n; i++) {
        text_free(&t->offsets[i].group);
        text_free(&t->offsets[i].topic);
        text_free(&t->offsets[i].metadata);
    }
    free(t->offsets);
    free(t);
}

/* Of two commits of one partition the later record counts, whatever the order of the markers. */
static void commit_one(struct group_shard *s, const struct pending_offset *o)
{
    struct group *g = group_find(s, o->group);
    const struct offset_entry *there = g ? offsets_find(g, o->topic, o->entry.partition) : NULL;

    if (o->removed || (there && there->at > o->entry.at))
        return;
    if (!g)
        g = group_add(s, o->group);
    offsets_put(g, o->topic, &o->entry, o->metadata);
}

void txn_put(struct group_shard *s, int64_t producer_id, struct str group, struct str topic,
             const struct offset_entry *e, struct str metadata)
{
    struct pending_txn *t = txn_get(s, producer_id);

    if (t->n == t->cap) {
        t->cap = MAX(4, t->cap * 2);
        t->offsets = xrealloc_array(t->offsets, t->cap, sizeof(*t->offsets));
    }
    t->offsets[t->n++] = (struct pending_offset){.group = text_copy(group),
                                                 .topic = text_copy(topic),
                                                 .metadata = text_copy(metadata),
                                                 .entry = *e};
    if (PLANTED(early_offsets))
        commit_one(s, &t->offsets[t->n - 1]);
}

void txn_end(struct group_shard *s, int64_t producer_id, bool committed)
{
    struct pending_txn *t;

    HASH_FIND(hh, s->txns, &producer_id, sizeof(producer_id), t);
    if (!t)
        return;
    for (uint32_t i = 0; committed && i < t->n; i++)
        commit_one(s, &t->offsets[i]);
    txn_free(s, t);
}

static bool is(const struct pending_offset *o, struct str group, struct str topic,
               int32_t partition)
{
    return !o->removed && o->entry.partition == partition && str_eq(o->topic, topic) &&
           str_eq(o->group, group);
}

void txn_remove_offset(struct group_shard *s, struct str group, struct str topic, int32_t partition)
{
    for (struct pending_txn *t = s->txns; t; t = t->hh.next)
        for (uint32_t i = 0; i < t->n; i++)
            if (is(&t->offsets[i], group, topic, partition))
                t->offsets[i].removed = true;
}

bool txn_has_offset(const struct group_shard *s, struct str group, struct str topic,
                    int32_t partition)
{
    for (struct pending_txn *t = s->txns; t; t = t->hh.next)
        for (uint32_t i = 0; i < t->n; i++)
            if (is(&t->offsets[i], group, topic, partition))
                return true;
    return false;
}

void propose_txn_tombstones(struct statelog_proposal *p, struct group *g)
{
    for (struct pending_txn *t = g->shard->txns; t; t = t->hh.next)
        for (uint32_t i = 0; i < t->n; i++) {
            const struct pending_offset *o = &t->offsets[i];

            if (!o->removed && str_eq(o->group, g->id) &&
                !offsets_find(g, o->topic, o->entry.partition))
                propose_offset_tombstone(p, g->id, o->topic, o->entry.partition);
        }
}

bool txn_has_group(const struct group_shard *s, struct str group)
{
    for (struct pending_txn *t = s->txns; t; t = t->hh.next)
        for (uint32_t i = 0; i < t->n; i++)
            if (!t->offsets[i].removed && str_eq(t->offsets[i].group, group))
                return true;
    return false;
}

void txn_release(struct group_shard *s)
{
    while (s->txns)
        txn_free(s, s->txns);
}
