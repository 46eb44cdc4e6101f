/* DescribeTopicPartitions: topics by name, page by page (KIP-966).
 *
 * Owner: the request; rows live in its arena.
 *
 * Happy path: the names from the cursor's on, sorted -> rows until the limit of partitions is used
 *             up -> the next cursor.
 * Failures:   a cursor that is not among the topics, or negative: INVALID_REQUEST in every row.
 */
#include "rows.h"

struct page {
    struct request *rq;
    struct str *names; /* sorted, each once */
    int n_names;
    int32_t left; /* partitions that may still be shown */
    bool all;     /* no names were given: what cannot be shown is left out */
};

static int by_text(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static bool after_cursor(const struct describe_topic_partitions_request *body, struct str name)
{
    return !body->cursor || str_cmp(name, body->cursor->topic_name) >= 0;
}

static void names_of_all(struct page *p)
{
    const struct describe_topic_partitions_request *body = p->rq->body;
    struct meta *m = p->rq->broker->meta;
    struct meta_topic **topics = meta_topics_sorted(m);

    p->names = arena_array(&p->rq->arena, (size_t)meta_n_topics(m), sizeof(*p->names));
    for (int i = 0; i < meta_n_topics(m); i++)
        if (after_cursor(body, str_of(topics[i]->name)))
            p->names[p->n_names++] = str_of(topics[i]->name);
}

static void names_asked(struct page *p)
{
    const struct describe_topic_partitions_request *body = p->rq->body;
    int n = 0;

    p->names = arena_array(&p->rq->arena, (size_t)body->n_topics, sizeof(*p->names));
    for (int32_t i = 0; i < body->n_topics; i++)
        if (after_cursor(body, body->topics[i].name))
            p->names[n++] = body->topics[i].name;
    qsort(p->names, (size_t)n, sizeof(*p->names), by_text);
    for (int i = 0; i < n; i++)
        if (i == 0 || !str_eq(p->names[i], p->names[i - 1]))
            p->names[p->n_names++] = p->names[i];
}

static bool cursor_valid(const struct page *p)
{
    const struct describe_topic_partitions_request *body = p->rq->body;

    if (!body->cursor)
        return true;
    if (body->cursor->partition_index < 0)
        return false;
    return p->all || (p->n_names > 0 && str_eq(p->names[0], body->cursor->topic_name));
}

static struct describe_topic_partitions_response_topics *new_row(struct request *rq,
                                                                 struct str name)
{
    struct describe_topic_partitions_response *rsp = rq->response;
    struct describe_topic_partitions_response_topics *row = &rsp->topics[rsp->n_topics++];

    describe_topic_partitions_response_topics_init(row);
    row->name = name;
    return row;
}

static void refuse(struct request *rq)
{
    const struct describe_topic_partitions_request *body = rq->body;
    struct describe_topic_partitions_response *rsp = rq->response;

    rsp->topics = arena_array(&rq->arena, (size_t)body->n_topics, sizeof(*rsp->topics));
    rsp->n_topics = 0;
    for (int32_t i = 0; i < body->n_topics; i++)
        new_row(rq, body->topics[i].name)->error_code = KE_INVALID_REQUEST;
}

static void set_cursor(struct page *p, struct str name, int32_t partition)
{
    struct describe_topic_partitions_response *rsp = p->rq->response;

    rsp->next_cursor = arena_alloc(&p->rq->arena, sizeof(*rsp->next_cursor));
    describe_topic_partitions_response_next_cursor_init(rsp->next_cursor);
    rsp->next_cursor->topic_name = name;
    rsp->next_cursor->partition_index = partition;
}

static void fill_partition(struct request *rq, const struct meta_topic *t, int32_t i, int32_t *self,
                           struct describe_topic_partitions_response_topics_partitions *row)
{
    bool offline = api_partition_offline(rq->broker, &t->partitions[i]);

    describe_topic_partitions_response_topics_partitions_init(row);
    row->error_code = offline ? KE_LEADER_NOT_AVAILABLE : KE_NONE;
    row->partition_index = i;
    row->leader_id = offline ? -1 : rq->broker->node_id;
    row->leader_epoch = t->partitions[i].leader_epoch;
    row->replica_nodes = row->isr_nodes = row->offline_replicas = self;
    row->eligible_leader_replicas = row->last_known_elr = self; /* both empty, not null */
    row->n_eligible_leader_replicas = row->n_last_known_elr = 0;
    row->n_replica_nodes = row->n_isr_nodes = 1;
    row->n_offline_replicas = offline ? 1 : 0;
}

/* As many partitions as are left to show; the cursor when these are not all. */
static void topic_row(struct page *p, const struct meta_topic *t)
{
    const struct describe_topic_partitions_request *body = p->rq->body;
    struct describe_topic_partitions_response_topics *row = new_row(p->rq, str_of(t->name));
    int32_t from = body->cursor && str_is(body->cursor->topic_name, t->name)
                       ? body->cursor->partition_index
                       : 0;
    int32_t to = MIN(t->n_partitions, (int64_t)from + p->left), n = MAX(to - from, 0);
    int32_t *self = arena_array(&p->rq->arena, 1, sizeof(*self));

    self[0] = p->rq->broker->node_id;
    row->topic_id = t->id;
    row->is_internal = t->internal;
    row->partitions = arena_array(&p->rq->arena, (size_t)n, sizeof(*row->partitions));
    row->n_partitions = n;
    for (int32_t i = 0; i < n; i++)
        fill_partition(p->rq, t, from + i, self, &row->partitions[i]);
    p->left -= n;
    if (to < t->n_partitions)
        set_cursor(p, str_of(t->name), to);
}

static void fill_operations(struct request *rq,
                            struct describe_topic_partitions_response_topics *row)
{
    row->topic_authorized_operations = security_allowed_operations(
        rq->broker->security, &rq->conn->principal, RESOURCE_TOPIC, row->name);
}

static void show(struct page *p, struct str name)
{
    struct describe_topic_partitions_response *rsp = p->rq->response;
    struct meta_topic *t = meta_topic(p->rq->broker->meta, name);

    if (t)
        topic_row(p, t);
    else
        new_row(p->rq, name)->error_code = meta_topic_name_valid(name, NULL)
                                               ? KE_UNKNOWN_TOPIC_OR_PARTITION
                                               : KE_INVALID_TOPIC_EXCEPTION;
    fill_operations(p->rq, &rsp->topics[rsp->n_topics - 1]);
}

static void show_all(struct page *p)
{
    struct describe_topic_partitions_response *rsp = p->rq->response;

    rsp->topics = arena_array(&p->rq->arena, (size_t)p->n_names, sizeof(*rsp->topics));
    rsp->n_topics = 0;
    for (int i = 0; i < p->n_names && !rsp->next_cursor; i++) {
        if (!request_allowed(p->rq, ACL_DESCRIBE, RESOURCE_TOPIC, p->names[i])) {
            if (!p->all)
                new_row(p->rq, p->names[i])->error_code = KE_TOPIC_AUTHORIZATION_FAILED;
        } else if (p->left == 0) {
            set_cursor(p, p->names[i], 0);
        } else {
            show(p, p->names[i]);
        }
    }
}

void api_describe_topic_partitions_handle(struct request *rq)
{
    const struct describe_topic_partitions_request *body = rq->body;
    struct describe_topic_partitions_response *rsp = rq->response;
    int64_t limit =
        MIN(rq->broker->config->max_request_partition_size_limit, body->response_partition_limit);
    struct page p = {.rq = rq, .left = (int32_t)MAX(limit, 1), .all = body->n_topics == 0};

    rsp->throttle_time_ms = rq->throttle_ms;
    if (p.all)
        names_of_all(&p);
    else
        names_asked(&p);
    if (!cursor_valid(&p)) {
        refuse(rq);
        request_reply(rq);
        return;
    }
    show_all(&p);
    request_reply_after_meta(rq);
}
