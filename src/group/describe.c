/* ListGroups, DescribeGroups, DeleteGroups.
 *
 * Owner: the call, its caller's. Core thread. Everything is copied: a group may be gone when the
 * reply leaves.
 */
#include "consumer.h"

/* ---- ListGroups */

/* Text in lower case, without blanks around it. */
static struct str folded(struct str s, struct arena *arena)
{
    struct str copy;

    while (s.n > 0 && (uint8_t)s.p[0] <= ' ') {
        s.p++;
        s.n--;
    }
    while (s.n > 0 && (uint8_t)s.p[s.n - 1] <= ' ')
        s.n--;
    copy = arena_str(arena, s);
    for (size_t i = 0; i < copy.n; i++)
        if (copy.p[i] >= 'A' && copy.p[i] <= 'Z')
            ((char *)copy.p)[i] = (char)(copy.p[i] - 'A' + 'a');
    return copy;
}

/* What is asked for: words in lower case; none: all. Unknown words match nothing. */
struct list_filter {
    struct str *states, *types;
    int32_t n_states, n_types;
};

static struct str *folded_all(const struct str *words, int32_t n, struct arena *arena)
{
    struct str *out = arena_array(arena, (size_t)MAX(n, 0), sizeof(*out));

    for (int32_t i = 0; i < n; i++)
        out[i] = folded(words[i], arena);
    return out;
}

static bool asked_for(const struct str *words, int32_t n, struct str word)
{
    for (int32_t i = 0; i < n; i++)
        if (str_eq(words[i], word))
            return true;
    return n <= 0;
}

static struct str state_text(const struct group *g)
{
    return str_of(g->consumer ? cg_state_name(consumer_group_state(g))
                              : group_state_name(g->state));
}

static struct str type_text(const struct group *g)
{
    return g->consumer ? STR("consumer") : STR("classic");
}

static bool is_wanted(const struct group *g, const struct list_filter *f, struct arena *arena)
{
    return asked_for(f->types, f->n_types, type_text(g)) &&
           (f->n_states <= 0 || asked_for(f->states, f->n_states, folded(state_text(g), arena)));
}

static void list_row(const struct group *g, struct arena *arena,
                     struct list_groups_response_groups *row)
{
    list_groups_response_groups_init(row);
    row->group_id = arena_str(arena, g->id);
    if (g->consumer)
        row->protocol_type = CONSUMER_PROTOCOL_TYPE;
    else
        row->protocol_type = g->protocol_type.p ? arena_str(arena, g->protocol_type) : STR("");
    row->group_state = state_text(g);
    row->group_type = type_text(g);
}

static int16_t list_shard(struct group_shard *s, const struct list_filter *f,
                          struct list_groups_response *rsp, struct arena *arena)
{
    int16_t error = shard_log(s);

    for (struct group *g = s->groups; !error && g; g = g->hh.next)
        if (is_wanted(g, f, arena))
            list_row(g, arena, &rsp->groups[rsp->n_groups++]);
    return error;
}

void groupm_list(struct groupm *m, const struct list_groups_request *rq, int16_t version,
                 struct list_groups_response *rsp, struct group_call *call)
{
    struct list_filter f = {.states =
                                folded_all(rq->states_filter, rq->n_states_filter, call->arena),
                            .types = folded_all(rq->types_filter, rq->n_types_filter, call->arena),
                            .n_states = rq->n_states_filter,
                            .n_types = rq->n_types_filter};
    size_t n = 0;
    int16_t error = m->stopping ? KE_COORDINATOR_NOT_AVAILABLE : KE_NONE;

    ASSERT_CORE();
    for (int32_t i = 0; i < m->n_shards; i++)
        n += m->shards[i] ? HASH_COUNT(m->shards[i]->groups) : 0;
    rsp->groups = arena_array(call->arena, n, sizeof(*rsp->groups));
    for (int32_t i = 0; !error && i < m->n_shards; i++)
        if (m->shards[i] && m->shards[i]->groups)
            error = list_shard(m->shards[i], &f, rsp, call->arena);
    rsp->error_code = error;
    if (error) {
        rsp->n_groups = 0;
        call_end_now(call, 0);
        return;
    }
    call_end_all(m->shards, m->n_shards, call);
}

/* ---- DescribeGroups */

static void describe_members(struct group *g, struct arena *arena,
                             struct describe_groups_response_groups *row)
{
    int32_t i = 0;

    row->n_members = (int32_t)g->n_members;
    row->members = arena_array(arena, g->n_members, sizeof(*row->members));
    for (struct member *m = g->members; m; m = m->by_id.next) {
        struct describe_groups_response_groups_members *mr = &row->members[i++];
        struct bytes metadata = {NULL, 0};

        describe_groups_response_groups_members_init(mr);
        mr->member_id = arena_str(arena, m->id);
        mr->group_instance_id = arena_str(arena, m->instance_id);
        mr->client_id = arena_str(arena, m->client_id);
        mr->client_host = arena_str(arena, m->client_host);
        if (g->state == GROUP_STABLE)
            metadata = member_metadata(m, g->protocol);
        mr->member_metadata = metadata.n ? arena_bytes(arena, metadata) : bytes_of("", 0);
        mr->member_assignment =
            m->assignment.n ? arena_bytes(arena, m->assignment) : bytes_of("", 0);
    }
}

static void describe_group(struct group *g, struct arena *arena,
                           struct describe_groups_response_groups *row)
{
    row->group_state = str_of(group_state_name(g->state));
    row->protocol_type = g->protocol_type.p ? arena_str(arena, g->protocol_type) : STR("");
    if (g->state == GROUP_STABLE)
        row->protocol_data = arena_str(arena, g->protocol);
    describe_members(g, arena, row);
}

/* Before v6 a group that is not there is Dead, and no error (KIP-1043). A consumer group is not one of
 * these. */
static void describe_unknown(struct str id, bool is_consumer_group, int16_t version,
                             struct arena *arena, struct describe_groups_response_groups *row)
{
    row->group_state = str_of(group_state_name(GROUP_DEAD));
    if (version < 6)
        return;
    row->error_code = KE_GROUP_ID_NOT_FOUND;
    row->error_message = arena_printf(
        arena, is_consumer_group ? "Group %.*s is not a classic group." : "Group %.*s not found.",
        STR_ARG(id));
}

void groupm_describe(struct groupm *m, const struct describe_groups_request *rq, int16_t version,
                     struct describe_groups_response *rsp, struct group_call *call)
{
    struct group_shard **shards =
        arena_array(call->arena, (size_t)rq->n_groups, sizeof(struct group_shard *));

    ASSERT_CORE();
    rsp->n_groups = rq->n_groups;
    rsp->groups = arena_array(call->arena, (size_t)rq->n_groups, sizeof(*rsp->groups));
    for (int32_t i = 0; i < rq->n_groups; i++) {
        struct describe_groups_response_groups *row = &rsp->groups[i];
        struct group *g;

        describe_groups_response_groups_init(row);
        row->group_id = rq->groups[i];
        row->error_code = group_get(m, rq->groups[i], &shards[i], &g);
        if (row->error_code)
            shards[i] = NULL;
        else if (g && !g->consumer)
            describe_group(g, call->arena, row);
        else
            describe_unknown(rq->groups[i], g != NULL, version, call->arena, row);
    }
    call_end_all(shards, rq->n_groups, call);
}

/* ---- DeleteGroups */

/* A name that was asked for already. */
struct seen {
    struct str name;
    UT_hash_handle hh;
};

static bool seen_before(struct seen **all, struct str name, struct arena *arena)
{
    struct seen *s;

    HASH_FIND(hh, *all, name.p, name.n, s);
    if (s)
        return true;
    s = arena_alloc(arena, sizeof(*s));
    s->name = name;
    HASH_ADD_KEYPTR(hh, *all, s->name.p, s->name.n, s);
    return false;
}

static int16_t delete_group(struct groupm *m, struct str id, struct group_shard **s)
{
    struct statelog_proposal p;
    struct group *g;
    int16_t error = group_get(m, id, s, &g);

    if (error)
        return error;
    if (!g)
        return KE_GROUP_ID_NOT_FOUND;
    if (!group_is_empty(g))
        return KE_NON_EMPTY_GROUP;
    statelog_proposal_init(&p);
    propose_all_offset_tombstones(&p, g);
    propose_tombstones(&p, g);
    error = proposal_error(proposal_send(&p, *s));
    statelog_proposal_release(&p);
    return error;
}

void groupm_delete(struct groupm *m, const struct delete_groups_request *rq, int16_t version,
                   struct delete_groups_response *rsp, struct group_call *call)
{
    struct group_shard **shards =
        arena_array(call->arena, (size_t)rq->n_groups_names, sizeof(struct group_shard *));
    struct seen *seen = NULL;

    ASSERT_CORE();
    rsp->results = arena_array(call->arena, (size_t)rq->n_groups_names, sizeof(*rsp->results));
    for (int32_t i = 0; i < rq->n_groups_names; i++) {
        struct delete_groups_response_results *row = &rsp->results[rsp->n_results];
        struct str id = rq->groups_names[i];

        if (seen_before(&seen, id, call->arena))
            continue;
        delete_groups_response_results_init(row);
        row->group_id = id;
        row->error_code = delete_group(m, id, &shards[i]);
        rsp->n_results++;
    }
    HASH_CLEAR(hh, seen);
    call_end_all(shards, rq->n_groups_names, call);
}
