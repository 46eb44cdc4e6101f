/* Retention: which segments leave (UnifiedLog.deleteOldSegments).
 *
 *   below the log start     always
 *   by size                 policy delete: the oldest, while all the others hold at least retention.bytes
 *   by time                 policy delete: the oldest, while their largest timestamp is past retention.ms
 *
 * Owner: none; called for one open log at a time.
 *
 * Invariant:  only what lies below the high watermark leaves. The active segment leaves when all do, and is rolled for that; an
 *             empty one stays.
 * Failures:   a segment whose largest timestamp cannot be read ends the search there.
 */
#include "internal.h"

enum reason { REASON_START = 0, REASON_SIZE, REASON_TIME };

struct search {
    struct log *l;
    const struct topic_config *config;
    struct wall now;
    enum reason reason;
    int64_t over_bytes; /* REASON_SIZE: so much may go */
    int64_t newest_ms;  /* of what leaves */
    uint64_t bytes;
};

static bool leaves(struct search *k, const struct log_segment *s, bool is_last)
{
    switch (k->reason) {
    case REASON_START:
        return !is_last && s->end_offset <= log_start_offset(k->l);
    case REASON_SIZE:
        if (k->over_bytes < (int64_t)s->size_bytes)
            return false;
        k->over_bytes -= (int64_t)s->size_bytes;
        return true;
    case REASON_TIME:
        return k->now.ms - s->timestamp_ms > k->config->retention_ms;
    }
    return false;
}

static int count_leaving(struct search *k, int *n)
{
    int n_segments = log_n_segments(k->l), rc = 0;

    for (*n = 0; *n < n_segments; ++*n) {
        struct log_segment s;
        bool is_last = *n == n_segments - 1;

        rc = log_segment_get(k->l, *n, &s);
        if (rc < 0 || s.end_offset > log_high_watermark(k->l) || (is_last && s.size_bytes == 0) ||
            !leaves(k, &s, is_last))
            break;
        k->newest_ms = MAX(k->newest_ms, s.timestamp_ms);
        k->bytes += s.size_bytes;
    }
    return rc;
}

static void say(const struct search *k, int n, int64_t from)
{
    struct log *l = k->l;
    char why[160];

    if (k->reason == REASON_START)
        snprintf(why, sizeof(why), "they lie below the log start");
    else if (k->reason == REASON_SIZE)
        snprintf(why, sizeof(why), "the log was larger than retention.bytes=%lld",
                 (long long)k->config->retention_bytes);
    else
        snprintf(why, sizeof(why), "their newest record is %lld s old, retention.ms=%lld",
                 (long long)(k->now.ms - k->newest_ms) / 1000, (long long)k->config->retention_ms);
    diag_info("%s-%d: %d segment%s deleted, offsets %lld to %lld, %llu bytes: %s", log_topic(l),
              log_partition(l), n, n == 1 ? "" : "s", (long long)from,
              (long long)log_start_offset(l) - 1, (unsigned long long)k->bytes, why);
}

static int delete_for(struct log *l, enum reason reason, struct wall now)
{
    const struct topic_config *config = log_config(l);
    struct search k = {.l = l, .config = config, .now = now, .reason = reason, .newest_ms = INT64_MIN};
    struct log_segment first;
    int n, rc;

    if (reason == REASON_SIZE)
        k.over_bytes = (int64_t)log_size_bytes(l) - config->retention_bytes;
    rc = count_leaving(&k, &n);
    if (n == 0)
        return rc;
    rc = log_segment_get(l, 0, &first);
    if (rc == 0)
        rc = log_delete_segments(l, n);
    if (rc == 0)
        say(&k, n, first.base_offset);
    return rc;
}

int retention_apply(struct log *l, struct wall now)
{
    const struct topic_config *c = log_config(l);
    bool deletes = c->cleanup & CLEANUP_DELETE;
    int rc = delete_for(l, REASON_START, now);

    if (rc == 0 && deletes && c->retention_bytes >= 0)
        rc = delete_for(l, REASON_SIZE, now);
    if (rc == 0 && deletes && c->retention_ms >= 0)
        rc = delete_for(l, REASON_TIME, now);
    return rc;
}

bool retention_wants(const struct log_peek *peek, const struct topic_config *c, struct wall now)
{
    if (peek->front_below_start)
        return true;
    if (!(c->cleanup & CLEANUP_DELETE) || peek->size_bytes == 0)
        return false;
    if (c->retention_bytes >= 0 && peek->size_bytes >= (uint64_t)c->retention_bytes + peek->oldest_bytes)
        return true;
    return c->retention_ms >= 0 && now.ms - peek->oldest_timestamp_ms > c->retention_ms;
}

int64_t cleaner_next_expiry_ms(struct log *l)
{
    const struct topic_config *c = log_config(l);
    struct log_segment first;

    if (!(c->cleanup & CLEANUP_DELETE) || c->retention_ms < 0 || log_size_bytes(l) == 0)
        return -1;
    if (log_segment_get(l, 0, &first) < 0 || first.timestamp_ms > INT64_MAX - 1 - c->retention_ms)
        return -1;
    return first.timestamp_ms + c->retention_ms + 1;
}
