/* Several entries in one buffer, to be proposed together.
 *
 * Owner: struct statelog_proposal, whoever decides; core thread.
 *
 *     bytes | key 0 | value 0 | key 1 | key 2 | value 2 | ...
 *             at      key_end   end                             of items[0]
 *
 * Happy path: begin -> the key is written -> key_end -> the value is written -> value_end -> ... ->
 *             send: now that the buffer does not move any more, places become entries.
 * Invariant:  at <= key_end <= end <= bytes.n, for every item.
 */
#include "internal.h"

void statelog_proposal_init(struct statelog_proposal *p)
{
    *p = (struct statelog_proposal){0};
    buf_init(&p->bytes);
}

void statelog_proposal_release(struct statelog_proposal *p)
{
    buf_release(&p->bytes);
    free(p->items);
    *p = (struct statelog_proposal){0};
}

static struct statelog_place *last(struct statelog_proposal *p)
{
    ASSERT(p->n > 0);
    return &p->items[p->n - 1];
}

void statelog_proposal_begin(struct statelog_proposal *p)
{
    size_t at = p->bytes.n;

    if (p->n == p->cap) {
        p->cap = MAX(4, p->cap * 2);
        p->items = xrealloc_array(p->items, (size_t)p->cap, sizeof(*p->items));
    }
    p->items[p->n++] = (struct statelog_place){.at = at, .key_end = at, .end = at};
}

void statelog_proposal_key_end(struct statelog_proposal *p)
{
    struct statelog_place *item = last(p);

    ASSERT(!item->has_key);
    ASSERT(!item->has_value);
    item->has_key = true;
    item->key_end = item->end = p->bytes.n;
}

void statelog_proposal_value_end(struct statelog_proposal *p)
{
    struct statelog_place *item = last(p);

    ASSERT(!item->has_value);
    item->has_value = true;
    item->end = p->bytes.n;
}

static struct bytes written(const struct statelog_proposal *p, bool is_there, size_t at, size_t end)
{
    ASSERT(at <= end);
    ASSERT(end <= p->bytes.n);
    if (!is_there)
        return bytes_of(NULL, 0);
    return at < end ? bytes_of(p->bytes.p + at, end - at) : bytes_of("", 0);
}

struct statelog_entry statelog_proposal_entry(const struct statelog_proposal *p, int i)
{
    const struct statelog_place *item;

    ASSERT(i >= 0);
    ASSERT(i < p->n);
    item = &p->items[i];
    return (struct statelog_entry){
        .key = written(p, item->has_key, item->at, item->key_end),
        .value = written(p, item->has_value, item->key_end, item->end),
    };
}

static struct statelog_entry *all(const struct statelog_proposal *p)
{
    struct statelog_entry *entries = xcalloc((size_t)p->n, sizeof(*entries));

    for (int i = 0; i < p->n; i++)
        entries[i] = statelog_proposal_entry(p, i);
    return entries;
}

int statelog_proposal_send(const struct statelog_proposal *p, struct statelog *s)
{
    struct statelog_entry *entries;
    int rc;

    if (p->n == 0)
        return 0;
    entries = all(p);
    rc = statelog_propose(s, entries, p->n, NULL, NULL);
    free(entries);
    return rc;
}

int statelog_proposal_send_transactional(const struct statelog_proposal *p, struct statelog *s,
                                         struct statelog_producer producer, int16_t *error)
{
    struct statelog_entry *entries;
    int rc;

    *error = KE_NONE;
    if (p->n == 0)
        return 0;
    entries = all(p);
    rc = statelog_propose_transactional(s, producer, entries, p->n, error);
    free(entries);
    return rc;
}
