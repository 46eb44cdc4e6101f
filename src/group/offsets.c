/* The committed offsets of a group, in memory.
 *
 *     group -> topics, by the address of the name that all groups share
 *                -> entries: one per partition, unordered
 *                -> slots:   partition -> index + 1, once there are more than a few entries
 *
 * Owner: struct group; names: struct groupm. Core thread.
 *
 * Invariant:  a topic without entries, and a name without users, are gone. slots, when there, holds
 *             each entry once and is at most half full.
 */
#include "internal.h"

#define SLOTS_FROM 9 /* as many entries as make a search worth a table */

/* ---- names */

static struct topic_name *name_find(struct groupm *m, struct str topic)
{
    struct topic_name *t;

    HASH_FIND(hh, m->topic_names, topic.p, topic.n, t);
    return t;
}

static struct topic_name *name_get(struct groupm *m, struct str topic)
{
    struct topic_name *t = name_find(m, topic);

    if (t)
        return t;
    t = xcalloc(1, sizeof(*t));
    t->name = text_copy(topic);
    list_init(&t->users);
    HASH_ADD_KEYPTR(hh, m->topic_names, t->name.p, t->name.n, t);
    return t;
}

static void name_free(struct groupm *m, struct topic_name *t)
{
    ASSERT(list_empty(&t->users));
    HASH_DELETE(hh, m->topic_names, t);
    text_free(&t->name);
    free(t);
}

void topic_names_release(struct groupm *m)
{
    while (m->topic_names)
        name_free(m, m->topic_names);
}

/* ---- slots */

static uint32_t slot_of(const struct group_topic *t, int32_t partition)
{
    return ((uint32_t)partition * 2654435761u) & (t->n_slots - 1);
}

/* Where the partition is, or the free slot where it would be. */
static uint32_t slot_find(const struct group_topic *t, int32_t partition)
{
    uint32_t at = slot_of(t, partition);

    while (t->slots[at] && t->entries[t->slots[at] - 1].partition != partition)
        at = (at + 1) & (t->n_slots - 1);
    return at;
}

static void slots_build(struct group_topic *t)
{
    free(t->slots);
    t->n_slots = 32;
    while (t->n_slots < t->n * 4)
        t->n_slots *= 2;
    t->slots = xcalloc(t->n_slots, sizeof(*t->slots));
    for (uint32_t i = 0; i < t->n; i++)
        t->slots[slot_find(t, t->entries[i].partition)] = i + 1;
}

static void slots_drop(struct group_topic *t)
{
    free(t->slots);
    t->slots = NULL;
    t->n_slots = 0;
}

/* Closes the gap behind a removed slot: whatever may no longer be found past it moves into it. */
static void slot_remove(struct group_topic *t, uint32_t gap)
{
    uint32_t mask = t->n_slots - 1, at = gap;

    for (;;) {
        uint32_t home;

        t->slots[gap] = 0;
        do {
            at = (at + 1) & mask;
            if (!t->slots[at])
                return;
            home = slot_of(t, t->entries[t->slots[at] - 1].partition);
        } while (((at - home) & mask) < ((at - gap) & mask));
        t->slots[gap] = t->slots[at];
        gap = at;
    }
}

/* ---- entries */

struct offset_entry *offsets_find_in(struct group_topic *t, int32_t partition)
{
    if (t->slots) {
        uint32_t at = slot_find(t, partition);

        return t->slots[at] ? &t->entries[t->slots[at] - 1] : NULL;
    }
    for (uint32_t i = 0; i < t->n; i++)
        if (t->entries[i].partition == partition)
            return &t->entries[i];
    return NULL;
}

struct group_topic *offsets_topic(struct group *g, struct str topic)
{
    struct topic_name *name = name_find(g->shard->m, topic);
    struct group_topic *t = NULL;

    if (name)
        HASH_FIND_PTR(g->offsets, &name, t);
    return t;
}

struct offset_entry *offsets_find(struct group *g, struct str topic, int32_t partition)
{
    struct group_topic *t = offsets_topic(g, topic);

    return t ? offsets_find_in(t, partition) : NULL;
}

static struct group_topic *topic_get(struct group *g, struct str topic)
{
    struct topic_name *name = name_get(g->shard->m, topic);
    struct group_topic *t;

    HASH_FIND_PTR(g->offsets, &name, t);
    if (t)
        return t;
    t = xcalloc(1, sizeof(*t));
    t->topic = name;
    t->group = g;
    list_push(&name->users, &t->link);
    HASH_ADD_PTR(g->offsets, topic, t);
    return t;
}

static void topic_free(struct group_topic *t)
{
    struct topic_name *name = t->topic;

    for (uint32_t i = 0; i < t->n; i++)
        free(t->entries[i].metadata);
    HASH_DELETE(hh, t->group->offsets, t);
    list_remove(&t->link);
    if (list_empty(&name->users))
        name_free(t->group->shard->m, name);
    free(t->slots);
    free(t->entries);
    free(t);
}

static struct offset_entry *entry_add(struct group_topic *t, int32_t partition)
{
    if (t->n == t->cap) {
        t->cap = t->cap == 0 ? 1 : t->cap + t->cap / 2 + 1;
        t->entries = xrealloc_array(t->entries, t->cap, sizeof(*t->entries));
    }
    t->entries[t->n] = (struct offset_entry){.partition = partition};
    t->n++;
    if (t->slots && t->n * 2 <= t->n_slots)
        t->slots[slot_find(t, partition)] = t->n;
    else if (t->n >= SLOTS_FROM)
        slots_build(t);
    return &t->entries[t->n - 1];
}

static struct offset_text *text_block(struct str s)
{
    struct offset_text *b;

    if (s.n == 0)
        return NULL;
    b = xmalloc(sizeof(*b) + s.n);
    b->n = (uint32_t)s.n;
    memcpy(b->p, s.p, s.n);
    return b;
}

struct str offset_metadata(const struct offset_entry *e)
{
    return e->metadata ? (struct str){e->metadata->p, e->metadata->n} : STR("");
}

void offsets_put(struct group *g, struct str topic, const struct offset_entry *e,
                 struct str metadata)
{
    struct group_topic *t = topic_get(g, topic);
    struct offset_entry *own = offsets_find_in(t, e->partition);

    if (!own)
        own = entry_add(t, e->partition);
    ASSERT(own->partition == e->partition);
    free(own->metadata);
    *own = *e;
    own->metadata = text_block(metadata);
}

void offsets_remove(struct group *g, struct str topic, int32_t partition)
{
    struct group_topic *t = offsets_topic(g, topic);
    struct offset_entry *e = t ? offsets_find_in(t, partition) : NULL;
    struct offset_entry *last;

    if (!e)
        return;
    free(e->metadata);
    last = &t->entries[t->n - 1];
    if (t->slots) {
        uint32_t slot = slot_find(t, partition), slot_last = slot_find(t, last->partition);

        t->slots[slot_last] = (uint32_t)(e - t->entries) + 1;
        *e = *last; /* the removed slot now points at an entry of another partition */
        slot_remove(t, slot);
    } else {
        *e = *last;
    }
    t->n--;
    if (t->n == 0)
        topic_free(t);
    else if (t->n < SLOTS_FROM)
        slots_drop(t);
}

void offsets_clear(struct group *g)
{
    while (g->offsets)
        topic_free(g->offsets);
}
