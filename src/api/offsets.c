/* ListOffsets and OffsetForLeaderEpoch.
 *
 * Happy path: topic -> partition -> what the log knows -> reply at once. Finding a time may read a
 *             few batches.
 * Failures:   what is named twice in one ListOffsets is answered once, with INVALID_REQUEST
 *             (ReplicaManager.fetchOffset).
 */
#include "internal.h"

/* Special timestamps (ListOffsetsRequest), and the version that brought each. */
enum special_timestamp {
    LATEST_TIMESTAMP = -1,
    EARLIEST_TIMESTAMP = -2,
    MAX_TIMESTAMP = -3,                     /* v7, KIP-734 */
    EARLIEST_LOCAL_TIMESTAMP = -4,          /* v8 */
    LATEST_TIERED_TIMESTAMP = -5,           /* v9 */
    EARLIEST_PENDING_UPLOAD_TIMESTAMP = -6, /* v11 */
};

typedef struct list_offsets_response_topics_partitions list_row;

/* One partition of a request, where more than one may name it. */
struct asked {
    struct str topic;
    int32_t partition;
    int32_t i; /* in the order of the request */
};

static int asked_cmp(const void *a, const void *b)
{
    const struct asked *x = a, *y = b;
    int rc = str_cmp(x->topic, y->topic);

    if (rc == 0)
        rc = (x->partition > y->partition) - (x->partition < y->partition);
    return rc ? rc : (x->i > y->i) - (x->i < y->i);
}

enum asked_often { ASKED_ONCE = 0, ASKED_AGAIN, ASKED_FIRST };

/* For each partition in the order of the request: is it named more than once
 * (ListOffsetsRequest.duplicatePartitions)? */
static uint8_t *find_repeats(struct request *rq)
{
    const struct list_offsets_request *body = rq->body;
    struct asked *asked;
    uint8_t *often;
    size_t n = 0;

    for (int32_t i = 0; i < body->n_topics; i++)
        n += (size_t)body->topics[i].n_partitions;
    asked = arena_array(&rq->arena, n, sizeof(*asked));
    often = arena_array(&rq->arena, n, sizeof(*often));
    n = 0;
    for (int32_t i = 0; i < body->n_topics; i++) {
        const struct list_offsets_request_topics *t = &body->topics[i];

        for (int32_t j = 0; j < t->n_partitions; j++, n++)
            asked[n] = (struct asked){t->name, t->partitions[j].partition_index, (int32_t)n};
    }
    qsort(asked, n, sizeof(*asked), asked_cmp);
    for (size_t k = 1; k < n; k++) {
        if (!str_eq(asked[k].topic, asked[k - 1].topic) ||
            asked[k].partition != asked[k - 1].partition)
            continue;
        often[asked[k].i] = ASKED_AGAIN;
        if (often[asked[k - 1].i] == ASKED_ONCE)
            often[asked[k - 1].i] = ASKED_FIRST;
    }
    return often;
}

static bool timestamp_known(int64_t timestamp, int16_t version)
{
    switch (timestamp) {
    case MAX_TIMESTAMP:
        return version >= 7;
    case EARLIEST_LOCAL_TIMESTAMP:
        return version >= 8;
    case LATEST_TIERED_TIMESTAMP:
        return version >= 9;
    case EARLIEST_PENDING_UPLOAD_TIMESTAMP:
        return version >= 11;
    default:
        return timestamp >= EARLIEST_TIMESTAMP;
    }
}

struct found {
    int64_t offset, timestamp;
    int32_t epoch;
};

/* Without tiers everything is local and nothing was uploaded or waits for it. */
static int look_up(struct log *log, int64_t timestamp, enum isolation isolation, struct found *out)
{
    *out = (struct found){-1, -1, NO_LEADER_EPOCH};
    switch (timestamp) {
    case LATEST_TIMESTAMP:
        out->offset =
            isolation == READ_COMMITTED ? log_stable_offset(log) : log_high_watermark(log);
        out->epoch = log_leader_epoch(log);
        return 0;
    case EARLIEST_TIMESTAMP:
    case EARLIEST_LOCAL_TIMESTAMP:
        out->offset = log_start_offset(log);
        /* An empty log is of the epoch that its leader began. */
        out->epoch = out->offset < log_end_offset(log) ? log_epoch_at(log, out->offset)
                                                       : log_leader_epoch(log);
        return 0;
    case MAX_TIMESTAMP:
        return log_offset_of_max_timestamp(log, isolation, &out->offset, &out->timestamp, &out->epoch);
    case LATEST_TIERED_TIMESTAMP:
    case EARLIEST_PENDING_UPLOAD_TIMESTAMP:
        return 0;
    default:
        return log_offset_for_time(log, timestamp, isolation, &out->offset, &out->timestamp,
                                   &out->epoch);
    }
}

/* What an empty log that was never written to answers. */
static struct found look_up_nothing(int64_t timestamp, int32_t leader_epoch)
{
    bool bound = timestamp == LATEST_TIMESTAMP || timestamp == EARLIEST_TIMESTAMP ||
                 timestamp == EARLIEST_LOCAL_TIMESTAMP;

    return (struct found){bound ? 0 : -1, -1, bound ? leader_epoch : NO_LEADER_EPOCH};
}

/* Version 0 answers with a list: the offset, if there is one. */
static void fill_found(struct request *rq, list_row *row, const struct found *found)
{
    if (rq->version == 0) {
        row->old_style_offsets = arena_array(&rq->arena, 1, sizeof(*row->old_style_offsets));
        row->old_style_offsets[0] = found->offset;
        row->n_old_style_offsets = found->offset >= 0;
        return;
    }
    row->offset = found->offset;
    row->timestamp = found->timestamp;
    if (rq->version >= 4)
        row->leader_epoch = found->epoch;
}

static void list_partition(struct request *rq, struct meta_topic *t, int16_t topic_error,
                           const struct list_offsets_request_topics_partitions *part, list_row *row)
{
    const struct list_offsets_request *body = rq->body;
    enum isolation isolation = body->isolation_level == 1 ? READ_COMMITTED : READ_UNCOMMITTED;
    struct found found;
    struct log *log;
    int rc;

    list_offsets_response_topics_partitions_init(row);
    row->partition_index = part->partition_index;
    row->error_code = topic_error;
    if (!row->error_code)
        row->error_code =
            request_partition_check(t, part->partition_index, part->current_leader_epoch);
    if (!row->error_code && !timestamp_known(part->timestamp, rq->version))
        row->error_code = KE_UNSUPPORTED_VERSION;
    if (row->error_code)
        return;
    rc = broker_log(rq->broker, t, part->partition_index, false, &log);
    if (rc == 0 && log)
        rc = look_up(log, part->timestamp, isolation, &found);
    else if (rc == 0)
        found = look_up_nothing(part->timestamp, t->partitions[part->partition_index].leader_epoch);
    if (rc < 0)
        row->error_code = (int16_t)err_kafka(rc);
    else
        fill_found(rq, row, &found);
}

void api_list_offsets_handle(struct request *rq)
{
    const struct list_offsets_request *body = rq->body;
    struct list_offsets_response *rsp = rq->response;
    const uint8_t *often = find_repeats(rq);

    rsp->n_topics = body->n_topics;
    rsp->topics = arena_array(&rq->arena, (size_t)body->n_topics, sizeof(*rsp->topics));
    for (int32_t i = 0; i < body->n_topics; i++) {
        const struct list_offsets_request_topics *rt = &body->topics[i];
        struct list_offsets_response_topics *st = &rsp->topics[i];
        int16_t error;
        struct meta_topic *t = request_topic(rq, false, rt->name, UUID_ZERO, &error);

        if (!request_allowed(rq, ACL_DESCRIBE, RESOURCE_TOPIC, rt->name))
            error = KE_TOPIC_AUTHORIZATION_FAILED;
        list_offsets_response_topics_init(st);
        st->name = rt->name;
        st->partitions = arena_array(&rq->arena, (size_t)rt->n_partitions, sizeof(*st->partitions));
        for (int32_t j = 0; j < rt->n_partitions; j++, often++) {
            int16_t refusal = error == KE_TOPIC_AUTHORIZATION_FAILED ? error : KE_INVALID_REQUEST;

            if (*often != ASKED_AGAIN)
                list_partition(rq, t, *often == ASKED_ONCE ? error : refusal, &rt->partitions[j],
                               &st->partitions[st->n_partitions++]);
        }
    }
    request_reply(rq);
}

static void epoch_partition(struct request *rq, struct meta_topic *t, int16_t topic_error,
                            const struct offset_for_leader_epoch_request_topics_partitions *part,
                            struct offset_for_leader_epoch_response_topics_partitions *row)
{
    struct log *log;
    int rc;

    offset_for_leader_epoch_response_topics_partitions_init(row);
    row->partition = part->partition;
    row->error_code = topic_error;
    if (!row->error_code)
        row->error_code = request_partition_check(t, part->partition, part->current_leader_epoch);
    if (row->error_code)
        return;
    rc = broker_log(rq->broker, t, part->partition, false, &log);
    if (rc < 0)
        row->error_code = (int16_t)err_kafka(rc);
    else if (log)
        log_epoch_end(log, part->leader_epoch, &row->leader_epoch, &row->end_offset);
    else if (part->leader_epoch == t->partitions[part->partition].leader_epoch) {
        row->leader_epoch = part->leader_epoch;
        row->end_offset = 0;
    }
}

void api_offset_for_leader_epoch_handle(struct request *rq)
{
    const struct offset_for_leader_epoch_request *body = rq->body;
    struct offset_for_leader_epoch_response *rsp = rq->response;

    rsp->n_topics = body->n_topics;
    rsp->topics = arena_array(&rq->arena, (size_t)body->n_topics, sizeof(*rsp->topics));
    for (int32_t i = 0; i < body->n_topics; i++) {
        const struct offset_for_leader_epoch_request_topics *rt = &body->topics[i];
        struct offset_for_leader_epoch_response_topics *st = &rsp->topics[i];
        int16_t error;
        struct meta_topic *t = request_topic(rq, false, rt->topic, UUID_ZERO, &error);

        if (!request_allowed(rq, ACL_DESCRIBE, RESOURCE_TOPIC, rt->topic))
            error = KE_TOPIC_AUTHORIZATION_FAILED;
        offset_for_leader_epoch_response_topics_init(st);
        st->topic = rt->topic;
        st->n_partitions = rt->n_partitions;
        st->partitions = arena_array(&rq->arena, (size_t)rt->n_partitions, sizeof(*st->partitions));
        for (int32_t j = 0; j < rt->n_partitions; j++)
            epoch_partition(rq, t, error, &rt->partitions[j], &st->partitions[j]);
    }
    request_reply(rq);
}
