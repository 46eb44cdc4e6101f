/* What a member says of itself: compared, and copied into one block.
 *
 * Owner: of the block, its member; of everything else, the request or record that it was read from.
 *
 * Invariant:  topics are sorted and none is there twice, so that two subscriptions are compared in one walk.
 */
#include "consumer.h"

struct cg_details cg_details_new(void)
{
    return (struct cg_details){
        .client_id = STR(""), .client_host = STR(""), .regex = STR(""), .rebalance_timeout_ms = -1};
}

/* ---- names */

static int by_name(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

int32_t cg_sort_names(struct str *names, int32_t n)
{
    int32_t left = 0;

    if (n > 1)
        qsort(names, (size_t)n, sizeof(*names), by_name);
    for (int32_t i = 0; i < n; i++)
        if (left == 0 || !str_eq(names[left - 1], names[i]))
            names[left++] = names[i];
    return left;
}

bool cg_names_contain(const struct str *names, int32_t n, struct str name)
{
    return n > 0 && bsearch(&name, names, (size_t)n, sizeof(*names), by_name) != NULL;
}

/* ---- compared */

bool cg_topics_equal(const struct cg_details *a, const struct cg_details *b)
{
    if (a->n_topics != b->n_topics)
        return false;
    for (int32_t i = 0; i < a->n_topics; i++)
        if (!str_eq(a->topics[i], b->topics[i]))
            return false;
    return true;
}

static bool classic_equal(const struct cg_classic *a, const struct cg_classic *b)
{
    if (!a || !b)
        return a == b;
    if (a->session_timeout_ms != b->session_timeout_ms || a->n_protocols != b->n_protocols)
        return false;
    for (int32_t i = 0; i < a->n_protocols; i++)
        if (!str_eq(a->protocols[i].name, b->protocols[i].name) ||
            !bytes_eq(a->protocols[i].metadata, b->protocols[i].metadata))
            return false;
    return true;
}

bool cg_details_equal(const struct cg_details *a, const struct cg_details *b)
{
    return a->rebalance_timeout_ms == b->rebalance_timeout_ms &&
           str_eq(a->instance_id, b->instance_id) && str_eq(a->rack_id, b->rack_id) &&
           str_eq(a->client_id, b->client_id) && str_eq(a->client_host, b->client_host) &&
           str_eq(a->regex, b->regex) && str_eq(a->assignor, b->assignor) &&
           cg_topics_equal(a, b) && classic_equal(a->classic, b->classic);
}

bool cg_has_regex(const struct cg_details *d)
{
    return d && d->regex.n > 0;
}

/* ---- copied: the structs first, then all text */

struct block {
    char *at, *end;
};

static void text_own(struct block *b, struct str *s)
{
    if (!s->p)
        return;
    if (s->n)
        memcpy(b->at, s->p, s->n);
    s->p = b->at;
    b->at += s->n;
    ASSERT(b->at <= b->end);
}

static void bytes_own(struct block *b, struct bytes *v)
{
    struct str s = {(const char *)v->p, v->n};

    text_own(b, &s);
    *v = bytes_of(s.p, s.n);
}

static size_t text_bytes(const struct cg_details *d)
{
    size_t n = d->instance_id.n + d->rack_id.n + d->client_id.n + d->client_host.n + d->regex.n +
               d->assignor.n;

    for (int32_t i = 0; i < d->n_topics; i++)
        n += d->topics[i].n;
    for (int32_t i = 0; d->classic && i < d->classic->n_protocols; i++)
        n += d->classic->protocols[i].name.n + d->classic->protocols[i].metadata.n;
    return n;
}

void *cg_details_own(struct cg_details *d)
{
    int32_t n_protocols = d->classic ? d->classic->n_protocols : 0;
    size_t topics_bytes = (size_t)d->n_topics * sizeof(struct str);
    size_t protocols_bytes = (size_t)n_protocols * sizeof(struct member_protocol);
    size_t fixed = sizeof(struct cg_classic) + topics_bytes + protocols_bytes;
    size_t bytes = fixed + text_bytes(d) + 1;
    struct cg_classic *classic = xmalloc(bytes);
    struct member_protocol *protocols = (struct member_protocol *)(classic + 1);
    struct str *topics = (struct str *)(protocols + n_protocols);
    struct block b = {(char *)classic + fixed, (char *)classic + bytes};

    if (d->classic) {
        *classic = *d->classic;
        if (n_protocols > 0)
            memcpy(protocols, d->classic->protocols, protocols_bytes);
        classic->protocols = protocols;
        for (int32_t i = 0; i < n_protocols; i++) {
            text_own(&b, &protocols[i].name);
            bytes_own(&b, &protocols[i].metadata);
        }
        d->classic = classic;
    }
    if (d->n_topics > 0)
        memcpy(topics, d->topics, topics_bytes);
    d->topics = topics;
    for (int32_t i = 0; i < d->n_topics; i++)
        text_own(&b, &topics[i]);
    text_own(&b, &d->instance_id);
    text_own(&b, &d->rack_id);
    text_own(&b, &d->client_id);
    text_own(&b, &d->client_host);
    text_own(&b, &d->regex);
    text_own(&b, &d->assignor);
    return classic;
}
