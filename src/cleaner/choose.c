/* Which log is compacted next (LogCleanerManager.grabFilthiestCompactedLog, cleanableOffsets, maxCompactionDelay).
 *
 * Owner: none; looks at one open log at a time.
 *
 *     log start ............ first dirty ................ end .................. log end
 *     |------ clean bytes ------|------ dirty bytes ------|-- left alone --|
 *
 *   left alone: the active segment; records past the last stable offset, or younger than min.compaction.lag.ms; and what a journal may be
 *   replayed over (log_cleanable_end).
 */
#include "internal.h"

/* The base of the first segment that is too young. */
static int64_t young_from(struct log *l, int64_t first_dirty, int64_t end, struct wall now)
{
    int64_t lag_ms = log_config(l)->min_compaction_lag_ms;
    struct log_segment s;

    for (int i = 0; lag_ms > 0 && i < log_n_segments(l); i++) {
        if (log_segment_get(l, i, &s) < 0 || s.base_offset >= end)
            break;
        if (s.end_offset > first_dirty && s.timestamp_ms > now.ms - lag_ms)
            return s.base_offset;
    }
    return end;
}

/* Some dirty segment's first records are older than max.compaction.lag.ms. */
static bool is_overdue(struct log *l, int64_t first_dirty, int64_t end, struct wall now)
{
    int64_t lag_ms = log_config(l)->max_compaction_lag_ms, first_ms;
    struct log_segment s;

    if (lag_ms == INT64_MAX)
        return false;
    for (int i = 0; i < log_n_segments(l); i++) {
        if (log_segment_get(l, i, &s) < 0 || s.base_offset >= end)
            break;
        if (s.end_offset > first_dirty && log_segment_first_timestamp(l, i, &first_ms) == 0 && first_ms > 0 &&
            now.ms - first_ms > lag_ms)
            return true;
    }
    return false;
}

void choose_measure(struct log *l, struct wall now, struct cleanable *out)
{
    struct log_segment s;

    *out = (struct cleanable){.log = l, .first_dirty = log_first_dirty(l), .end = log_cleanable_end(l)};
    out->end = young_from(l, out->first_dirty, out->end, now);
    for (int i = 0; i < log_n_segments(l); i++) {
        if (log_segment_get(l, i, &s) < 0)
            break;
        if (s.end_offset <= out->first_dirty)
            out->clean_bytes += s.size_bytes;
        else if (s.base_offset < out->end)
            out->dirty_bytes += s.size_bytes;
    }
    if (out->dirty_bytes > 0)
        out->ratio = (double)out->dirty_bytes / (double)(out->clean_bytes + out->dirty_bytes);
}

bool choose_is_due(const struct cleanable *k, struct wall now)
{
    if (k->dirty_bytes == 0)
        return false;
    return k->ratio > log_config(k->log)->min_cleanable_dirty_ratio || is_overdue(k->log, k->first_dirty, k->end, now);
}
