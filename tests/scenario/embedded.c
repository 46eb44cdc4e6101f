/* The clients' own bytes inside JoinGroup and SyncGroup, as text: ConsumerProtocolSubscription, versions 0 and 1, and
 * ConsumerProtocolAssignment, version 0.
 *
 *     subscription:a,b          topics a and b
 *     subscription:a;a:0:1      topic a, of which it owns partitions 0 and 1 (version 1)
 *     assignment:a:0:1,b:2      partitions 0 and 1 of a, 2 of b
 */
#include "text.h"
#include "wire.h"

static struct str take_until(struct str *rest, char stop)
{
    const char *at = rest->n > 0 ? memchr(rest->p, stop, rest->n) : NULL;
    struct str word = {rest->p, at ? (size_t)(at - rest->p) : rest->n};
    size_t used = word.n + (at != NULL);

    *rest = (struct str){rest->p + used, rest->n - used};
    return word;
}

static int32_t number_of(struct str s)
{
    int32_t v = 0;

    for (size_t i = 0; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++)
        v = v * 10 + (s.p[i] - '0');
    return v;
}

static struct bytes finished(struct text_in *in, struct wire_writer *w, struct buf *buf)
{
    struct bytes out = arena_bytes(in->arena, bytes_of(buf->p, buf->n));

    wire_writer_release(w);
    buf_release(buf);
    return out;
}

/* "a:0:1": the topic, then its partitions. */
static struct consumer_protocol_assignment_assigned_partitions partitions_of(struct text_in *in,
                                                                             struct str item)
{
    struct consumer_protocol_assignment_assigned_partitions row = {.topic = take_until(&item, ':')};

    row.partitions = arena_array(in->arena, item.n + 1, sizeof(*row.partitions));
    while (item.n > 0)
        row.partitions[row.n_partitions++] = number_of(take_until(&item, ':'));
    return row;
}

struct bytes text_in_subscription(struct text_in *in, struct str text)
{
    struct str topics = take_until(&text, ';');
    int16_t version = text.n > 0 ? 1 : 0;
    struct consumer_protocol_subscription s;
    struct wire_writer w;
    struct buf buf;

    consumer_protocol_subscription_init(&s);
    s.topics = arena_array(in->arena, topics.n + 1, sizeof(*s.topics));
    while (topics.n > 0)
        s.topics[s.n_topics++] = take_until(&topics, ',');
    s.owned_partitions = arena_array(in->arena, text.n + 1, sizeof(*s.owned_partitions));
    while (text.n > 0) {
        struct consumer_protocol_assignment_assigned_partitions row =
            partitions_of(in, take_until(&text, ','));

        s.owned_partitions[s.n_owned_partitions++] =
            (struct consumer_protocol_subscription_owned_partitions){
                .topic = row.topic, .partitions = row.partitions, .n_partitions = row.n_partitions};
    }
    buf_init(&buf);
    wire_writer_init(&w, &buf);
    wire_put_int16(&w, version);
    consumer_protocol_subscription_encode(&s, &w, version);
    return finished(in, &w, &buf);
}

struct bytes text_in_assignment(struct text_in *in, struct str text)
{
    struct consumer_protocol_assignment a;
    struct wire_writer w;
    struct buf buf;

    consumer_protocol_assignment_init(&a);
    a.assigned_partitions = arena_array(in->arena, text.n + 1, sizeof(*a.assigned_partitions));
    while (text.n > 0)
        a.assigned_partitions[a.n_assigned_partitions++] =
            partitions_of(in, take_until(&text, ','));
    buf_init(&buf);
    wire_writer_init(&w, &buf);
    wire_put_int16(&w, 0);
    consumer_protocol_assignment_encode(&a, &w, 0);
    return finished(in, &w, &buf);
}

/* ---- printed */

static void print_partitions(struct buf *out, bool first, struct str topic,
                             const int32_t *partitions, int32_t n)
{
    buf_printf(out, "%s%.*s", first ? "" : ",", STR_ARG(topic));
    for (int32_t i = 0; i < n; i++)
        buf_printf(out, ":%d", partitions[i]);
}

static bool print_subscription(struct wire_reader *r, int16_t version, struct buf *out)
{
    struct consumer_protocol_subscription s;

    if (consumer_protocol_subscription_decode(&s, r, version) < 0 || r->at != r->end)
        return false;
    buf_put_str(out, "subscription:");
    for (int32_t i = 0; i < s.n_topics; i++)
        buf_printf(out, "%s%.*s", i > 0 ? "," : "", STR_ARG(s.topics[i]));
    for (int32_t i = 0; i < s.n_owned_partitions; i++) {
        if (i == 0)
            buf_put_str(out, ";");
        print_partitions(out, i == 0, s.owned_partitions[i].topic, s.owned_partitions[i].partitions,
                         s.owned_partitions[i].n_partitions);
    }
    return true;
}

static bool print_assignment(struct wire_reader *r, int16_t version, struct buf *out)
{
    struct consumer_protocol_assignment a;

    if (consumer_protocol_assignment_decode(&a, r, version) < 0 || r->at != r->end)
        return false;
    buf_put_str(out, "assignment:");
    for (int32_t i = 0; i < a.n_assigned_partitions; i++)
        print_partitions(out, i == 0, a.assigned_partitions[i].topic,
                         a.assigned_partitions[i].partitions,
                         a.assigned_partitions[i].n_partitions);
    return true;
}

/* An assignment without partitions reads as a subscription to nothing, too: the field's name tells. */
bool text_out_embedded(struct bytes v, bool is_assignment, struct buf *out)
{
    int16_t version = v.n >= 10 ? (int16_t)get_be16(v.p) : -1;
    struct arena arena;
    struct wire_reader r;
    bool ok;

    if (version < 0 || version > 1)
        return false;
    arena_init(&arena);
    wire_reader_init(&r, bytes_of(v.p + 2, v.n - 2), &arena);
    ok = is_assignment ? print_assignment(&r, version, out) : print_subscription(&r, version, out);
    arena_release(&arena);
    return ok;
}
