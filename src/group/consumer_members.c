/* Changes of a consumer group, as its records make them; each keeps the counts in step.
 *
 * Owner: struct group, core thread. Only consumer_apply.c calls this (and the group's end).
 *
 * Invariant:  the counts of topics, regular expressions, assignors and classic protocols are those of the members; `owners`
 *             holds every partition that a member has or has not yet given up, with that member's epoch; a static
 *             member is in both hashes.
 * Failures:   none: a record that contradicts another (a partition with two owners) leaves the higher epoch, and the
 *             lower one is not removed by it.
 */
#include "consumer.h"

/* ---- counts */

static void count_add(struct cg_count **counts, struct str name, int32_t members, int32_t regexes)
{
    struct cg_count *c = NULL;

    HASH_FIND(hh, *counts, name.p, name.n, c);
    if (!c) {
        c = xcalloc(1, sizeof(*c));
        c->name = text_copy(name);
        HASH_ADD_KEYPTR(hh, *counts, c->name.p, c->name.n, c);
    }
    c->n_members += members;
    c->n_regexes += regexes;
    ASSERT(c->n_members >= 0);
    ASSERT(c->n_regexes >= 0);
    if (c->n_members > 0 || c->n_regexes > 0)
        return;
    HASH_DELETE(hh, *counts, c);
    text_free(&c->name);
    free(c);
}

static void count_details(struct consumer_group *cg, const struct cg_details *d, int32_t sign)
{
    for (int32_t i = 0; i < d->n_topics; i++)
        count_add(&cg->topics, d->topics[i], sign, 0);
    if (cg_has_regex(d))
        count_add(&cg->regexes, d->regex, sign, 0);
    if (d->assignor.p)
        count_add(&cg->assignors, d->assignor, sign, 0);
    if (!d->classic)
        return;
    cg->n_classic += sign;
    for (int32_t i = 0; i < d->classic->n_protocols; i++)
        count_add(&cg->protocols, d->classic->protocols[i].name, sign, 0);
}

/* ---- owners */

static struct cg_owners *owners_get(struct consumer_group *cg, struct uuid topic, int32_t partition)
{
    struct cg_owners *o = NULL;

    HASH_FIND(hh, cg->owners, &topic, sizeof(topic), o);
    if (!o) {
        o = xcalloc(1, sizeof(*o));
        o->topic = topic;
        HASH_ADD(hh, cg->owners, topic, sizeof(o->topic), o);
    }
    if (partition >= o->n) {
        int32_t n = MAX(partition + 1, o->n + o->n / 2);

        o->epochs = xrealloc_array(o->epochs, (size_t)n, sizeof(*o->epochs));
        while (o->n < n)
            o->epochs[o->n++] = NO_EPOCH;
    }
    return o;
}

/* Epochs below -1 are stored as they come (-2: a static member that is away). */
static void owners_add(struct consumer_group *cg, const struct cg_partitions *ps, int32_t epoch)
{
    for (int32_t i = 0; i < ps->n; i++) {
        struct cg_owners *o = owners_get(cg, ps->items[i].topic, ps->items[i].partition);
        int32_t *at = &o->epochs[ps->items[i].partition];

        if (*at == NO_EPOCH)
            o->n_owned++;
        else if (*at >= epoch)
            continue;
        *at = epoch;
    }
}

static void owners_remove(struct consumer_group *cg, const struct cg_partitions *ps, int32_t epoch)
{
    for (int32_t i = 0; i < ps->n; i++) {
        struct uuid topic = ps->items[i].topic;
        struct cg_owners *o = NULL;

        HASH_FIND(hh, cg->owners, &topic, sizeof(topic), o);
        if (!o || ps->items[i].partition >= o->n || o->epochs[ps->items[i].partition] != epoch)
            continue;
        o->epochs[ps->items[i].partition] = NO_EPOCH;
        if (--o->n_owned > 0)
            continue;
        HASH_DELETE(hh, cg->owners, o);
        free(o->epochs);
        free(o);
    }
}

/* An epoch of -1 owns nothing: such a member's tombstone is on its way. */
static void owners_of(struct cg_member *m, void (*change)(struct consumer_group *,
                                                          const struct cg_partitions *, int32_t))
{
    if (m->current.epoch == NO_EPOCH)
        return;
    change(m->group->consumer, &m->current.assigned, m->current.epoch);
    change(m->group->consumer, &m->current.revoking, m->current.epoch);
}

/* ---- members */

struct cg_member *cg_member_add(struct group *g, struct str id)
{
    struct cg_member *m = xcalloc(1, sizeof(*m));

    ASSERT(!cg_member_find(g, id));
    m->magic = CONSUMER_MEMBER_MAGIC;
    m->group = g;
    m->id = text_copy(id);
    m->details = cg_details_new();
    m->details_block = cg_details_own(&m->details);
    m->current = (struct cg_current){.previous_epoch = -1};
    cg_timers_init(m);
    HASH_ADD_KEYPTR(by_id, g->consumer->members, m->id.p, m->id.n, m);
    g->consumer->n_members++;
    return m;
}

static void static_forget(struct cg_member *m)
{
    struct consumer_group *cg = m->group->consumer;

    if (m->details.instance_id.p && cg_member_find_static(m->group, m->details.instance_id) == m)
        HASH_DELETE(by_instance, cg->statics, m);
}

static void static_learn(struct cg_member *m)
{
    struct consumer_group *cg = m->group->consumer;
    struct cg_member *other = cg_member_find_static(m->group, m->details.instance_id);

    if (other)
        HASH_DELETE(by_instance, cg->statics, other);
    if (m->details.instance_id.p)
        HASH_ADD_KEYPTR(by_instance, cg->statics, m->details.instance_id.p,
                        m->details.instance_id.n, m);
}

void cg_member_set_details(struct cg_member *m, const struct cg_details *d)
{
    struct cg_details own = *d;
    void *block = cg_details_own(&own);

    ASSERT(m->magic == CONSUMER_MEMBER_MAGIC);
    count_details(m->group->consumer, &m->details, -1);
    static_forget(m);
    free(m->details_block);
    m->details = own;
    m->details_block = block;
    count_details(m->group->consumer, &m->details, 1);
    static_learn(m);
}

void cg_member_set_current(struct cg_member *m, const struct cg_current *c)
{
    ASSERT(m->magic == CONSUMER_MEMBER_MAGIC);
    owners_of(m, owners_remove);
    cg_partitions_release(&m->current.assigned);
    cg_partitions_release(&m->current.revoking);
    m->current = *c;
    m->current.assigned = cg_partitions_copy(&c->assigned);
    m->current.revoking = cg_partitions_copy(&c->revoking);
    owners_of(m, owners_add);
}

void cg_member_remove(struct cg_member *m)
{
    struct consumer_group *cg = m->group->consumer;

    ASSERT(m->magic == CONSUMER_MEMBER_MAGIC);
    owners_of(m, owners_remove);
    count_details(cg, &m->details, -1);
    static_forget(m);
    HASH_DELETE(by_id, cg->members, m);
    cg->n_members--;
    cg_timers_cancel(m);
    cg_partitions_release(&m->current.assigned);
    cg_partitions_release(&m->current.revoking);
    free(m->details_block);
    text_free(&m->id);
    m->magic = 0;
    free(m);
}

/* ---- targets */

void cg_target_set(struct group *g, struct str member_id, const struct cg_partitions *ps)
{
    struct cg_target *t = cg_target_find(g, member_id);

    if (!t) {
        t = xcalloc(1, sizeof(*t));
        t->member_id = text_copy(member_id);
        HASH_ADD_KEYPTR(hh, g->consumer->targets, t->member_id.p, t->member_id.n, t);
    }
    cg_partitions_release(&t->partitions);
    t->partitions = cg_partitions_copy(ps);
}

void cg_target_remove(struct group *g, struct str member_id)
{
    struct cg_target *t = cg_target_find(g, member_id);

    if (!t)
        return;
    HASH_DELETE(hh, g->consumer->targets, t);
    cg_partitions_release(&t->partitions);
    text_free(&t->member_id);
    free(t);
}

/* ---- regular expressions */

static struct str *names_copy(const struct str *names, int32_t n)
{
    size_t bytes = (size_t)n * sizeof(*names);
    struct str *own;
    char *at;

    for (int32_t i = 0; i < n; i++)
        bytes += names[i].n;
    own = xmalloc(MAX(bytes, 1));
    at = (char *)(own + n);
    for (int32_t i = 0; i < n; i++) {
        if (names[i].n)
            memcpy(at, names[i].p, names[i].n);
        own[i] = (struct str){at, names[i].n};
        at += names[i].n;
    }
    return own;
}

void cg_regex_remove(struct group *g, struct str regex)
{
    struct cg_regex *r = cg_regex_find(g, regex);

    if (!r)
        return;
    for (int32_t i = 0; i < r->n_topics; i++)
        count_add(&g->consumer->topics, r->topics[i], 0, -1);
    HASH_DELETE(hh, g->consumer->resolved, r);
    text_free(&r->regex);
    free(r->topics);
    free(r);
}

void cg_regex_set(struct group *g, struct str regex, struct str *topics, int32_t n, int64_t version,
                  int64_t ms)
{
    struct cg_regex *r = xcalloc(1, sizeof(*r));

    cg_regex_remove(g, regex);
    r->regex = text_copy(regex);
    r->n_topics = cg_sort_names(topics, n);
    r->topics = names_copy(topics, r->n_topics);
    r->version = version;
    r->timestamp_ms = ms;
    for (int32_t i = 0; i < r->n_topics; i++)
        count_add(&g->consumer->topics, r->topics[i], 0, 1);
    HASH_ADD_KEYPTR(hh, g->consumer->resolved, r->regex.p, r->regex.n, r);
}
