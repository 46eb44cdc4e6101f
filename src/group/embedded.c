/* The clients' own bytes inside JoinGroup and SyncGroup: subscriptions and assignments of the "consumer" protocol
 * (org.apache.kafka.clients.consumer.internals.ConsumerProtocol).
 *
 *     i16 version | fields of ConsumerProtocolSubscription or ConsumerProtocolAssignment
 *
 * Owner: the arena that the caller gives; texts are slices of the bytes.
 *
 * Failures:   whatever does not read as such is E_CORRUPT; a version newer than ours is read as ours.
 */
#include "consumer.h"

#define EMBEDDED_VERSION_MAX 3

int16_t embedded_version(struct bytes b)
{
    int16_t version = b.n >= 2 ? (int16_t)get_be16(b.p) : -1;

    return version < 0 ? -1 : MIN(version, EMBEDDED_VERSION_MAX);
}

int embedded_subscription(struct bytes b, struct arena *arena,
                          struct consumer_protocol_subscription *out)
{
    int16_t version = embedded_version(b);
    struct wire_reader r;

    if (version < 0)
        return E_CORRUPT;
    wire_reader_init(&r, bytes_of(b.p + 2, b.n - 2), arena);
    return consumer_protocol_subscription_decode(out, &r, version);
}

int embedded_assignment(struct bytes b, struct arena *arena,
                        struct consumer_protocol_assignment *out)
{
    int16_t version = embedded_version(b);
    struct wire_reader r;

    if (version < 0)
        return E_CORRUPT;
    wire_reader_init(&r, bytes_of(b.p + 2, b.n - 2), arena);
    return consumer_protocol_assignment_decode(out, &r, version);
}

struct bytes embedded_assignment_put(struct groupm *m, const struct cg_partitions *ps,
                                     int16_t version, struct arena *arena)
{
    const struct groupm_options *o = &m->options;
    struct consumer_protocol_assignment a;
    struct wire_writer w;
    struct bytes out;
    struct buf buf;

    ASSERT(version >= 0);
    consumer_protocol_assignment_init(&a);
    a.assigned_partitions = arena_array(arena, (size_t)ps->n, sizeof(*a.assigned_partitions));
    for (int32_t at = 0, n; at < ps->n; at += n) {
        struct consumer_protocol_assignment_assigned_partitions *row =
            &a.assigned_partitions[a.n_assigned_partitions];
        struct str name = o->topic_name(o->arg, ps->items[at].topic);

        n = cg_partitions_run(ps, at);
        if (!name.p)
            continue;
        a.n_assigned_partitions++;
        row->topic = name;
        row->n_partitions = n;
        row->partitions = arena_array(arena, (size_t)n, sizeof(*row->partitions));
        for (int32_t i = 0; i < n; i++)
            row->partitions[i] = ps->items[at + i].partition;
    }
    buf_init(&buf);
    wire_writer_init(&w, &buf);
    wire_put_int16(&w, version);
    consumer_protocol_assignment_encode(&a, &w, version);
    wire_writer_release(&w);
    out = arena_bytes(arena, bytes_of(buf.p, buf.n));
    buf_release(&buf);
    return out;
}
