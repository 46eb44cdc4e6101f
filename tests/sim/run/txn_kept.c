/* Topics that are compacted and written in transactions.
 *
 * Owner: struct txns.
 *
 * A record's key follows from its number. A reader of committed records finds the last committed value of every key: whatever is known
 * and not there was aborted, or a later record of its key is there that was committed. What was aborted takes nobody's place.
 */
#include "txn.h"

#define KEYS 6

void txn_topic_choose(struct txns *all, struct txn_topic *t, int number)
{
    static const int sizes[] = {3000, 6000, 16000, 1 << 20};
    static const int tombstones_ms[] = {0, 5000, 60000}, segments_ms[] = {10000, 60000, 600000};
    struct world *w = all->w;

    t->durable = number == 0 || world_chance(w, 700);
    t->compacted = world_chance(w, 500);
    t->segment_bytes = sizes[world_below(w, ARRAY_SIZE(sizes) - t->compacted)];
    t->n_parts = 1 + (int)world_below(w, number == 0 ? 3 : 2);
    t->delete_retention_ms = tombstones_ms[world_below(w, ARRAY_SIZE(tombstones_ms))];
    t->segment_ms = segments_ms[world_below(w, ARRAY_SIZE(segments_ms))];
    snprintf(t->name, sizeof(t->name), "%s%d", t->compacted ? "txnkeys" : "txn", number);
    world_event(w, "%s: %d partitions, segments of %d bytes%s", t->name, t->n_parts,
                t->segment_bytes, t->durable ? "" : ", not durable");
}

static void put(struct txn_configs *c, const char *name, const char *value)
{
    ASSERT(c->n < TXN_CONFIGS_MAX);
    create_topics_request_topics_configs_init(&c->rows[c->n]);
    snprintf(c->text[c->n], sizeof(c->text[c->n]), "%s", value);
    c->rows[c->n].name = str_of(name);
    c->rows[c->n].value = str_of(c->text[c->n]);
    c->n++;
}

static void put_number(struct txn_configs *c, const char *name, int value)
{
    char text[16];

    snprintf(text, sizeof(text), "%d", value);
    put(c, name, text);
}

void txn_topic_settings(const struct txn_topic *t, struct txn_configs *c)
{
    c->n = 0;
    put_number(c, "internal.segment.bytes", t->segment_bytes);
    put(c, "flush.messages", t->durable ? "1" : "9223372036854775807");
    put(c, "retention.ms", "-1");
    if (!t->compacted)
        return;
    put(c, "cleanup.policy", "compact");
    put(c, "min.cleanable.dirty.ratio", "0.01");
    put_number(c, "delete.retention.ms", t->delete_retention_ms);
    put_number(c, "segment.ms", t->segment_ms);
    put_number(c, "file.delete.delay.ms", 10000);
}

static int key_of(int64_t record)
{
    return (int)(((uint64_t)record * 0x9e3779b97f4a7c15u >> 32) % KEYS);
}

struct bytes txn_key(const struct txn_topic *t, int64_t record, char text[TXN_KEY_TEXT_MAX])
{
    if (!t->compacted)
        return (struct bytes){NULL, 0};
    return bytes_of(text, (size_t)snprintf(text, TXN_KEY_TEXT_MAX, "key%d", key_of(record)));
}

void txn_kept_check(struct txn_part *p, const bool *there, int64_t n)
{
    struct txns *all = p->all;
    bool covered[KEYS] = {false};

    for (int64_t offset = MIN(n, p->n); offset-- > 0 && !p->weak;) {
        int64_t record = p->slots[offset], txn;

        if (record < 0)
            continue;
        txn = all->records[record].txn;
        if (there[offset]) {
            covered[key_of(record)] |= all->txns[txn].end == TXN_END_COMMITTED;
            continue;
        }
        all->w->n_compacted += !p->gone[offset];
        p->gone[offset] = true;
        if (covered[key_of(record)])
            continue;
        if (all->txns[txn].end == TXN_END_COMMITTED)
            world_wrong(all->w,
                        "%s offset %lld: record %lld of transaction %lld, the last of key%d that "
                        "is committed, is gone",
                        p->name, (long long)offset, (long long)record, (long long)txn,
                        key_of(record));
        txn_ended(all, txn, TXN_END_ABORTED, p->name); /* else it would be there */
    }
}
