/* Subscriptions by regular expression: what they match is stored, and looked at again when topics come and from time to time
 * (GroupMetadataManager.maybeUpdateRegularExpressions, TopicRegexResolver).
 *
 * Owner: struct cg_beat while a heartbeat is decided; afterwards the group's records.
 *
 * Happy path: a heartbeat brings a new expression, or it is time -> after its records were applied all expressions of the
 *             group are matched against all topics that the member may describe -> a record for each; the group's epoch
 *             grows when one matches other topics than before. The member gets them with its next heartbeat.
 * Failures:   an expression that RE2 refuses is refused in the heartbeat that brings it; one from a record matches nothing.
 */
#include "consumer.h"
#include "regex.h"

/* Between two evaluations, whatever happens (REGEX_BATCH_REFRESH_MIN_INTERVAL_MS). */
#define REFRESH_INTERVAL_MS_MIN 10000

static int check_regex(struct cg_beat *b, struct str pattern)
{
    struct errmsg why = {0};
    struct regex *regex;

    if (regex_compile(pattern, &regex, &why) < 0)
        return cg_beat_fail(b, KE_INVALID_REGULAR_EXPRESSION,
                            "SubscribedTopicRegex `%.*s` is not a valid regular expression: %s.",
                            STR_ARG(pattern), why.text);
    regex_free(regex);
    return 0;
}

/* The member's expression is another one now. *is_new: nobody in the group had it. */
static int change_regex(struct cg_beat *b, bool *is_new)
{
    struct cg_count *counts = b->g->consumer->regexes;

    b->regex_changed = true;
    if (cg_has_regex(&b->old) && cg_count_of(counts, b->old.regex) == 1)
        propose_cg_regex_tombstone(&b->p, b->group_id, b->old.regex);
    if (!cg_has_regex(&b->new)) {
        b->regex_resolved = cg_has_regex(&b->old);
        return 0;
    }
    if (cg_count_of(counts, b->new.regex) == 0) {
        *is_new = true;
        return check_regex(b, b->new.regex);
    }
    b->regex_resolved = cg_regex_find(b->g, b->new.regex) != NULL;
    return 0;
}

/* How many expressions there will be. */
static uint32_t n_regexes_after(const struct cg_beat *b)
{
    struct cg_count *counts = b->g->consumer->regexes;
    uint32_t n = HASH_COUNT(counts);

    if (!b->regex_changed)
        return n;
    n -= cg_has_regex(&b->old) && cg_count_of(counts, b->old.regex) == 1;
    n += cg_has_regex(&b->new) && cg_count_of(counts, b->new.regex) == 0;
    return n;
}

static int64_t new_topics_version(struct groupm *m)
{
    if (m->new_topics_version < 0)
        m->new_topics_version = m->options.metadata_version(m->options.arg);
    return m->new_topics_version;
}

int cg_beat_regexes(struct cg_beat *b)
{
    const struct consumer_group *cg = b->g->consumer;
    const struct cg_regex *any = cg->resolved;
    int64_t now_ms = groupm_now_ms(b->m), refreshed_ms = any ? any->timestamp_ms : INT64_MIN;
    bool stale = false;
    uint32_t n;

    if ((cg_has_regex(&b->old) || cg_has_regex(&b->new)) && !str_eq(b->old.regex, b->new.regex) &&
        change_regex(b, &stale) < 0)
        return -1;
    if (!stale && !cg->regexes)
        return 0;
    if (any && now_ms <= refreshed_ms + REFRESH_INTERVAL_MS_MIN)
        return 0;
    n = n_regexes_after(b);
    stale |= n != HASH_COUNT(cg->resolved);
    stale |= (any ? any->version : 0) < new_topics_version(b->m);
    stale |= any &&
             now_ms > refreshed_ms + b->m->options.config->group_consumer_regex_refresh_interval_ms;
    b->regexes_stale = stale && n > 0;
    return 0;
}

/* ---- evaluating */

static int32_t match(struct groupm *m, struct str pattern, const struct group_sight *sight,
                     struct str *out)
{
    const struct groupm_options *o = &m->options;
    struct regex *regex;
    int32_t n = 0;

    if (regex_compile(pattern, &regex, NULL) < 0)
        return 0;
    for (int32_t i = 0; i < o->n_topics(o->arg); i++) {
        struct str name = o->topic_at(o->arg, i);

        if (regex_matches(regex, name) &&
            (!sight->may_describe || sight->may_describe(sight->arg, name)))
            out[n++] = name;
    }
    regex_free(regex);
    return n;
}

static bool same_topics(const struct cg_regex *a, const struct cg_regex *b)
{
    struct cg_details x = {.topics = a ? a->topics : NULL, .n_topics = a ? a->n_topics : 0};
    struct cg_details y = {.topics = b->topics, .n_topics = b->n_topics};

    return cg_topics_equal(&x, &y);
}

/* handleRegularExpressionsResult */
void cg_resolve_regexes(struct groupm *m, struct group_shard *s, struct str group_id,
                        const struct group_sight *sight, struct arena *arena)
{
    const struct groupm_options *o = &m->options;
    struct group *g = group_find(s, group_id);
    struct cg_subscriptions subs;
    struct statelog_proposal p;
    bool bump = false;
    int64_t hash;
    int rc;

    if (!g || !g->consumer)
        return;
    subs = cg_subscriptions_of(g, arena);
    statelog_proposal_init(&p);
    for (const struct cg_count *c = g->consumer->regexes; c; c = c->hh.next) {
        struct cg_regex *before = cg_regex_find(g, c->name);
        struct cg_regex now = {
            .regex = c->name,
            .topics = arena_array(arena, (size_t)o->n_topics(o->arg), sizeof(*now.topics)),
            .version = o->metadata_version(o->arg),
            .timestamp_ms = groupm_now_ms(m)};

        now.n_topics = cg_sort_names(now.topics, match(m, c->name, sight, now.topics));
        propose_cg_regex(&p, g->id, &now);
        if (same_topics(before, &now))
            continue;
        bump = true;
        if (before)
            cg_subscriptions_regex(&subs, before->topics, before->n_topics, -1);
        cg_subscriptions_regex(&subs, now.topics, now.n_topics, 1);
    }
    cg_subscriptions_settle(&subs);
    hash = cg_metadata_hash(m, &subs);
    bump |= hash != g->consumer->metadata_hash;
    if (bump)
        propose_cg_epoch(&p, g->id, g->consumer->epoch + 1, hash);
    rc = proposal_send(&p, s);
    if (rc < 0)
        diag_warn("group %s: what its regular expressions match cannot be stored: %s",
                  diag_escape(group_id), err_text(rc));
    else if (bump)
        g->consumer->refreshed_at = m->topics_changed;
    statelog_proposal_release(&p);
}
