/* Members of a group, and the ids that wait to become members (ClassicGroup, ClassicGroupMember).
 *
 * Owner: struct group owns its members; core thread.
 *
 * Invariant:  n_members and n_awaiting_join count what the hashes hold; `leader` is a member or
 *             NULL, and NULL only while there is none; a static member is in both hashes.
 */
#include "internal.h"

struct member *member_find(struct group *g, struct str id)
{
    struct member *m;

    HASH_FIND(by_id, g->members, id.p, id.n, m);
    return m;
}

struct member *member_find_static(struct group *g, struct str instance_id)
{
    struct member *m;

    HASH_FIND(by_instance, g->statics, instance_id.p, instance_id.n, m);
    return m;
}

int16_t member_check(struct group *g, struct str id, struct str instance_id, struct member **out)
{
    *out = NULL;
    if (instance_id.p) {
        struct member *m = member_find_static(g, instance_id);

        if (!m)
            return KE_UNKNOWN_MEMBER_ID;
        if (!str_eq(m->id, id))
            return KE_FENCED_INSTANCE_ID;
    }
    *out = member_find(g, id);
    return *out ? KE_NONE : KE_UNKNOWN_MEMBER_ID;
}

/* ---- protocols of a member: one block, the array first, then names and metadata */

static size_t protocols_bytes(const struct member_details *d)
{
    size_t bytes = (size_t)d->n_protocols * sizeof(struct member_protocol);

    for (int32_t i = 0; i < d->n_protocols; i++)
        bytes += d->protocols[i].name.n + d->protocols[i].metadata.n;
    return bytes;
}

bool member_fits(const struct group *g, const struct member *m, const struct member_details *d)
{
    size_t others = g->metadata_bytes - (m ? m->protocols_bytes : 0);

    ASSERT(IMPLIES(m, m->protocols_bytes <= g->metadata_bytes));
    return others + protocols_bytes(d) <= GROUP_METADATA_BYTES_MAX;
}

static void member_set_protocols(struct member *m, const struct member_details *d)
{
    size_t bytes = protocols_bytes(d);
    struct member_protocol *own = xmalloc(MAX(bytes, 1));
    uint8_t *at = (uint8_t *)(own + d->n_protocols);

    for (int32_t i = 0; i < d->n_protocols; i++) {
        const struct join_group_request_protocols *p = &d->protocols[i];

        own[i].name = (struct str){(const char *)at, p->name.n};
        if (p->name.n)
            memcpy(at, p->name.p, p->name.n);
        at += p->name.n;
        own[i].metadata = bytes_of(at, p->metadata.n);
        if (p->metadata.n)
            memcpy(at, p->metadata.p, p->metadata.n);
        at += p->metadata.n;
    }
    ASSERT(at == (uint8_t *)own + bytes);
    free(m->protocols);
    m->protocols = own;
    m->n_protocols = d->n_protocols;
    m->group->metadata_bytes += bytes - m->protocols_bytes;
    m->protocols_bytes = bytes;
}

bool member_matches(const struct member *m, const struct member_details *d)
{
    if (m->n_protocols != d->n_protocols)
        return false;
    for (int32_t i = 0; i < d->n_protocols; i++) {
        const struct member_protocol *own = &m->protocols[i];
        const struct join_group_request_protocols *p = &d->protocols[i];

        if (!str_eq(own->name, p->name) || own->metadata.n != p->metadata.n)
            return false;
        if (p->metadata.n && memcmp(own->metadata.p, p->metadata.p, p->metadata.n) != 0)
            return false;
    }
    return true;
}

struct bytes member_metadata(const struct member *m, struct str protocol)
{
    for (int32_t i = 0; i < m->n_protocols; i++)
        if (str_eq(m->protocols[i].name, protocol))
            return m->protocols[i].metadata;
    return bytes_of("", 0);
}

/* ---- members */

struct member *member_add(struct group *g, const struct member_details *d)
{
    struct member *m = xcalloc(1, sizeof(*m));

    ASSERT(!member_find(g, d->id));
    ASSERT(IMPLIES(d->instance_id.p, !member_find_static(g, d->instance_id)));
    if (g->n_members == 0)
        text_set(&g->protocol_type, d->protocol_type);
    m->magic = MEMBER_MAGIC;
    m->group = g;
    m->id = text_copy(d->id);
    m->instance_id = text_copy(d->instance_id);
    m->client_id = text_copy(d->client_id.p ? d->client_id : STR(""));
    m->client_host = text_copy(d->client_host.p ? d->client_host : STR(""));
    m->rebalance_timeout_ms = d->rebalance_timeout_ms;
    m->session_timeout_ms = d->session_timeout_ms;
    timer_init(&m->session, session_fired);
    member_set_protocols(m, d);
    HASH_ADD_KEYPTR(by_id, g->members, m->id.p, m->id.n, m);
    if (m->instance_id.p)
        HASH_ADD_KEYPTR(by_instance, g->statics, m->instance_id.p, m->instance_id.n, m);
    g->n_members++;
    protocols_count(m);
    if (!g->leader)
        g->leader = m;
    return m;
}

void member_update(struct member *m, const struct member_details *d)
{
    protocols_uncount(m);
    member_set_protocols(m, d);
    protocols_count(m);
    m->rebalance_timeout_ms = d->rebalance_timeout_ms;
    m->session_timeout_ms = d->session_timeout_ms;
}

void member_rename(struct member *m, struct str id)
{
    struct group *g = m->group;

    ASSERT(!member_find(g, id));
    HASH_DELETE(by_id, g->members, m);
    text_set(&m->id, id);
    HASH_ADD_KEYPTR(by_id, g->members, m->id.p, m->id.n, m);
}

void member_set_assignment(struct member *m, struct bytes assignment)
{
    struct bytes own = assignment.n ? bytes_dup(assignment) : (struct bytes){NULL, 0};

    free((void *)m->assignment.p);
    m->assignment = own;
}

void member_set_awaiting_join(struct member *m, bool awaiting)
{
    if (m->awaiting_join == awaiting)
        return;
    m->awaiting_join = awaiting;
    ASSERT(awaiting || m->group->n_awaiting_join > 0);
    m->group->n_awaiting_join += awaiting ? 1 : -1;
}

void member_set_pending_sync(struct member *m, bool pending)
{
    if (m->pending_sync == pending)
        return;
    m->pending_sync = pending;
    ASSERT(pending || m->group->n_pending_sync > 0);
    m->group->n_pending_sync += pending ? 1 : -1;
}

void member_remove(struct member *m)
{
    struct group *g = m->group;

    ASSERT(m->magic == MEMBER_MAGIC);
    member_fail_join(m, STR(""), KE_UNKNOWN_MEMBER_ID);
    member_fail_sync(m, KE_UNKNOWN_MEMBER_ID);
    member_set_pending_sync(m, false);
    ASSERT(!m->awaiting_join);
    protocols_uncount(m);
    HASH_DELETE(by_id, g->members, m);
    if (m->instance_id.p)
        HASH_DELETE(by_instance, g->statics, m);
    g->n_members--;
    if (g->leader == m)
        g->leader = g->members; /* the oldest that is left */
    timer_cancel(groupm_timers(g->shard->m), &m->session);
    m->magic = 0;
    free((void *)m->assignment.p);
    ASSERT(m->protocols_bytes <= g->metadata_bytes);
    g->metadata_bytes -= m->protocols_bytes;
    free(m->protocols);
    text_free(&m->client_host);
    text_free(&m->client_id);
    text_free(&m->instance_id);
    text_free(&m->id);
    free(m);
}

/* ---- ids that were handed out */

struct pending_member *pending_find(struct group *g, struct str id)
{
    struct pending_member *p;

    HASH_FIND(hh, g->pending, id.p, id.n, p);
    return p;
}

void pending_add(struct group *g, struct str id, int32_t session_timeout_ms)
{
    struct pending_member *p = xcalloc(1, sizeof(*p));
    struct groupm *m = g->shard->m;

    ASSERT(!member_find(g, id));
    ASSERT(HASH_COUNT(g->pending) < PENDING_MEMBERS_MAX);
    p->group = g;
    p->id = text_copy(id);
    timer_init(&p->session, session_pending_fired);
    HASH_ADD_KEYPTR(hh, g->pending, p->id.p, p->id.n, p);
    timer_set(groupm_timers(m), &p->session, groupm_after_ms(m, session_timeout_ms));
}

void pending_remove(struct pending_member *p)
{
    struct group *g = p->group;

    timer_cancel(groupm_timers(g->shard->m), &p->session);
    HASH_DELETE(hh, g->pending, p);
    text_free(&p->id);
    free(p);
}
