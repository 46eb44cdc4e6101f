/* The runtime under the state machines: proposing, applying, waiting.
 *
 * Owner: struct statelog, core thread.
 *
 * Happy path: entries -> batches in one chunk -> one log_append -> apply each, in order ->
 *             log_wait_durable -> then.
 * Invariant:  what is applied is in the log, in the same order; `end` is the offset after the last
 *             applied record.
 * Failures:   an append that fails, fails whole (the log writes a chunk all or not at all), so
 *             nothing was applied. A commit that fails later takes the log directory offline, and
 *             every wait is told E_OFFLINE; nothing is undone.
 */
#include "internal.h"

int statelog_open(struct env *env, const struct statelog_options *options, struct statelog **out,
                  struct errmsg *msg)
{
    struct statelog *s = xcalloc(1, sizeof(*s));
    int rc;

    ASSERT_CORE();
    ASSERT(options->log);
    ASSERT(options->apply);
    ASSERT(options->origin != LOG_FROM_CLIENT);
    s->magic = STATELOG_MAGIC;
    s->options = *options;
    s->env = env;
    if (s->options.batch_bytes_max == 0)
        s->options.batch_bytes_max = STATELOG_BATCH_BYTES;
    list_init(&s->waits);
    s->end = log_start_offset(options->log);
    rc = statelog_replay(s, msg);
    if (rc < 0) {
        statelog_close(s);
        return rc;
    }
    *out = s;
    return 0;
}

void statelog_close(struct statelog *s)
{
    if (!s)
        return;
    ASSERT(s->magic == STATELOG_MAGIC);
    ASSERT(!s->applying);
    LIST_FOREACH_SAFE(it, &s->waits)
    statelog_wait_cancel(CONTAINER_OF(it, struct statelog_wait, link));
    ASSERT(list_empty(&s->waits));
    s->magic = 0;
    free(s);
}

void statelog_give_up(struct statelog *s)
{
    struct list *first;

    ASSERT(s->magic == STATELOG_MAGIC);
    while ((first = list_first(&s->waits))) {
        struct statelog_wait *w = CONTAINER_OF(first, struct statelog_wait, link);

        statelog_wait_cancel(w);
        w->then(w, E_OFFLINE);
    }
}

int64_t statelog_end(const struct statelog *s)
{
    return s->end;
}

void statelog_apply_one(struct statelog *s, const struct statelog_record *r)
{
    ASSERT(!s->applying);
    ASSERT(r->offset >= s->end);
    s->applying = true;
    s->options.apply(s->options.machine, r);
    s->applying = false;
    s->end = r->offset + 1;
}

/* ---- proposing ------------------------------------------------------------------------------- */

/* The most that an entry can take in a batch: lengths, deltas and the header count are at most so
 * many varints. */
static size_t entry_bytes_max(const struct statelog_entry *e)
{
    return e->key.n + e->value.n + 6 * VARINT_BYTES_MAX + VARLONG_BYTES_MAX;
}

/* How many entries from the first on fit into one batch; 0 when not even one does. */
static int entries_for_batch(const struct statelog *s, const struct statelog_entry *entries, int n)
{
    size_t bytes = BATCH_HEADER_BYTES;
    int count = 0;

    while (count < n && bytes + entry_bytes_max(&entries[count]) <= s->options.batch_bytes_max)
        bytes += entry_bytes_max(&entries[count++]);
    return count;
}

/* What all batches of one proposal have in common. */
struct batch_kind {
    int16_t attributes;
    struct statelog_producer producer;
    int16_t transaction_version; /* of markers */
    int16_t *error;              /* where a producer that is refused is told; NULL: there is none */
};
#define KIND_PLAIN ((struct batch_kind){.producer = {NO_PRODUCER_ID, NO_PRODUCER_EPOCH}})

/* CoordinatorRuntime gives the batches of a transaction the sequence 0; markers have none. */
static struct batch_options batch_options(const struct statelog *s, int64_t base_offset,
                                          const struct batch_kind *kind)
{
    struct batch_options o = BATCH_OPTIONS_NONE;

    o.base_offset = base_offset;
    o.leader_epoch = s->options.leader_epoch;
    o.attributes = kind->attributes;
    o.producer_id = kind->producer.id;
    o.producer_epoch = kind->producer.epoch;
    if (kind->attributes == BATCH_TRANSACTIONAL)
        o.base_sequence = 0;
    return o;
}

static int build(const struct statelog *s, const struct statelog_entry *entries, int n,
                 const struct batch_kind *kind, int64_t now_ms, struct buf *out)
{
    for (int done = 0; done < n;) {
        int count = entries_for_batch(s, entries + done, n - done);
        struct batch_builder bb;
        int rc;

        if (count == 0)
            return E_LIMIT;
        batch_begin(&bb, out, batch_options(s, s->end + done, kind));
        for (int i = done; i < done + count; i++)
            batch_add(&bb, now_ms, entries[i].key, entries[i].value, NULL, 0);
        rc = batch_end(&bb);
        ASSERT(rc == 0);
        done += count;
    }
    return 0;
}

/* The log answers a refusal with a protocol error; from our own records it can only be a limit, or
 * a bug. */
static int refused(const struct statelog *s, const struct batch_kind *kind,
                   const struct log_append *a)
{
    if (kind->error && a->error != KE_MESSAGE_TOO_LARGE && a->error != KE_RECORD_LIST_TOO_LARGE) {
        *kind->error = a->error;
        return E_INVALID;
    }
    diag_error("%s-%d refused our own records: %s %s", log_topic(s->options.log),
               log_partition(s->options.log), kafka_error_name(a->error), a->reason.text);
    return a->error == KE_MESSAGE_TOO_LARGE || a->error == KE_RECORD_LIST_TOO_LARGE ? E_LIMIT
                                                                                    : E_INVALID;
}

static int append(struct statelog *s, const struct buf *batches, int n,
                  const struct batch_kind *kind)
{
    struct log_append a = {.origin = s->options.origin,
                           .n_bytes = batches->n,
                           .transaction_version = kind->transaction_version};
    int rc;

    a.chunk = chunk_new(batches->n);
    memcpy(a.chunk->data, batches->p, batches->n);
    a.p = a.chunk->data;
    rc = log_append(s->options.log, &a);
    chunk_unref(a.chunk);
    if (rc < 0)
        return rc;
    if (a.error)
        return refused(s, kind, &a);
    ASSERT(a.base_offset == s->end);
    ASSERT(a.last_offset == s->end + n - 1);
    return 0;
}

static int propose(struct statelog *s, const struct statelog_entry *entries, int n,
                   struct batch_kind kind)
{
    int64_t now_ms = clock_wall(s->env->clock).ms, base = s->end;
    struct buf batches;
    int rc;

    ASSERT(!s->applying);
    ASSERT(log_end_offset(s->options.log) == s->end);
    buf_init(&batches);
    rc = build(s, entries, n, &kind, now_ms, &batches);
    if (rc == 0)
        rc = append(s, &batches, n, &kind);
    buf_release(&batches);
    for (int i = 0; rc == 0 && i < n; i++) {
        struct statelog_record r = {.key = entries[i].key,
                                    .value = entries[i].value,
                                    .offset = base + i,
                                    .timestamp_ms = now_ms,
                                    .producer_id = kind.producer.id,
                                    .producer_epoch = kind.producer.epoch,
                                    .leader_epoch = s->options.leader_epoch,
                                    .transactional = (kind.attributes & BATCH_TRANSACTIONAL) != 0,
                                    .control = (kind.attributes & BATCH_CONTROL) != 0};
        statelog_apply_one(s, &r);
    }
    return rc;
}

int statelog_propose(struct statelog *s, const struct statelog_entry *entries, int n,
                     struct statelog_wait *w, void (*then)(struct statelog_wait *, int))
{
    ASSERT_CORE();
    ASSERT(s->magic == STATELOG_MAGIC);
    ASSERT(n >= 0);
    ASSERT(IMPLIES(w, then));
    if (n > 0) {
        int rc = propose(s, entries, n, KIND_PLAIN);

        if (rc < 0)
            return rc;
    }
    if (w)
        statelog_after(s, w, then);
    return 0;
}

int statelog_propose_control(struct statelog *s, enum control_type type, struct bytes value)
{
    uint8_t key[4];
    struct statelog_entry e = {.key = {.p = key, .n = sizeof(key)}, .value = value};
    struct batch_kind kind = KIND_PLAIN;

    ASSERT_CORE();
    ASSERT(s->magic == STATELOG_MAGIC);
    control_key_put(key, type);
    kind.attributes = BATCH_CONTROL;
    return propose(s, &e, 1, kind);
}

/* ---- transactions */

static int propose_in_txn(struct statelog *s, const struct statelog_entry *entries, int n,
                          const struct batch_kind *kind)
{
    int rc;

    ASSERT_CORE();
    ASSERT(s->magic == STATELOG_MAGIC);
    ASSERT(kind->producer.id >= 0);
    ASSERT(n > 0);
    *kind->error = KE_NONE;
    rc = propose(s, entries, n, *kind);
    return *kind->error ? 0 : rc;
}

int statelog_propose_transactional(struct statelog *s, struct statelog_producer producer,
                                   const struct statelog_entry *entries, int n, int16_t *error)
{
    struct batch_kind kind = {
        .attributes = BATCH_TRANSACTIONAL, .producer = producer, .error = error};

    return propose_in_txn(s, entries, n, &kind);
}

int statelog_propose_marker(struct statelog *s, struct statelog_producer producer,
                            enum control_type type, struct bytes value, int16_t transaction_version,
                            int16_t *error)
{
    uint8_t key[4];
    struct statelog_entry e = {.key = {.p = key, .n = sizeof(key)}, .value = value};
    struct batch_kind kind = {.attributes = BATCH_TRANSACTIONAL | BATCH_CONTROL,
                              .producer = producer,
                              .transaction_version = transaction_version,
                              .error = error};

    ASSERT(type == CONTROL_COMMIT || type == CONTROL_ABORT);
    control_key_put(key, type);
    return propose_in_txn(s, &e, 1, &kind);
}

struct log *statelog_log(const struct statelog *s)
{
    return s->options.log;
}

/* ---- waiting --------------------------------------------------------------------------------- */

static void fired(struct log_wait *lw, int rc)
{
    struct statelog_wait *w = CONTAINER_OF(lw, struct statelog_wait, wait);

    list_remove(&w->link);
    w->then(w, rc == 0 ? 0 : E_OFFLINE); /* a deleted log is as gone as a failed one */
}

void statelog_after(struct statelog *s, struct statelog_wait *w,
                    void (*then)(struct statelog_wait *, int))
{
    ASSERT_CORE();
    ASSERT(s->magic == STATELOG_MAGIC);
    ASSERT(!w->wait.log);
    w->then = then;
    list_push(&s->waits, &w->link);
    log_wait_durable(s->options.log, &w->wait, s->end, fired);
}

void statelog_wait_cancel(struct statelog_wait *w)
{
    if (!w->wait.log)
        return;
    log_wait_cancel(&w->wait);
    list_remove(&w->link);
}

/* ---- several at once */

struct wait_part {
    struct statelog_wait wait;
    struct statelog_waits *all;
};

static void part_durable(struct statelog_wait *w, int rc)
{
    struct statelog_waits *all = CONTAINER_OF(w, struct wait_part, wait)->all;

    ASSERT(all->n_left > 0);
    if (rc < 0)
        all->rc = rc;
    if (--all->n_left == 0)
        all->then(all, all->rc);
}

void statelog_after_all(struct statelog **logs, int n, struct arena *arena,
                        struct statelog_waits *w, void (*then)(struct statelog_waits *, int))
{
    struct wait_part *parts = arena_array(arena, (size_t)n, sizeof(*parts));

    *w = (struct statelog_waits){.then = then};
    for (int i = 0; i < n; i++) {
        if (!logs[i])
            continue;
        parts[i].all = w;
        w->n_left++;
        statelog_after(logs[i], &parts[i].wait, part_durable);
    }
    if (w->n_left == 0)
        then(w, 0);
}
