/* Random requests against a whole broker in one process: bad input harms nobody.
 *
 *   requests SEED [--runs N] [--requests N] [--events]
 *
 * A few connections send requests of every API, in every version that is served, full of values that mostly make sense (make.c), many
 * taken from what was answered (seen.c). Each must be answered, or its connection closed; nothing may stop the broker; and when they
 * are done it still serves an honest client, also after a restart.
 */
#include "internal.h"
#include "requests.h"

#include <inttypes.h>
#include <stdio.h>
#include <setjmp.h>
#include <cmocka.h>

#define CONNECTIONS  4
#define PENDING_MAX  64 /* of one connection */
#define END_MS       1200000
#define HONEST_TOPIC "honest"

struct sent {
    uint64_t frame;
    int16_t key, version;
};
struct speaker {
    struct box_conn *conn;
    struct sent pending[PENDING_MAX];
    int n_pending;
};
struct run {
    struct box box;
    struct maker maker;
    struct arena arena; /* of the request being made */
    struct seen seen;
    struct speaker speakers[CONNECTIONS];
    bool events;
    uint64_t n_sent, n_answered, n_closed;
};
struct options {
    uint64_t seed, n_runs, n_requests;
    bool events;
};

static void show(struct run *r, const char *what, const struct sent *s,
                 const struct wire_message_info *info, const void *m)
{
    struct buf text;

    if (!r->events)
        return;
    buf_init(&text);
    info->dump(m, &text, s->version);
    printf("%s %" PRIu64 " %s v%d %.*s\n", what, s->frame, info->name, s->version, (int)text.n,
           (const char *)text.p);
    fflush(stdout);
    buf_release(&text);
}

/* ---- replies */

/* Replies that say something new; others give back what they were asked. */
static bool is_source(int16_t key)
{
    static const int16_t sources[] = {1, 3, 11, 13, 19, 22, 26, 32, 55, 68, 75};

    for (size_t i = 0; i < ARRAY_SIZE(sources); i++)
        if (sources[i] == key)
            return true;
    return false;
}

static void take_replies(struct run *r, struct speaker *sp)
{
    int kept = 0;

    for (int i = 0; i < sp->n_pending; i++) {
        struct sent *s = &sp->pending[i];
        const struct wire_message_info *info = &wire_api_find(s->key)->response;
        void *reply = box_take_reply(sp->conn, s->frame, s->key, s->version);

        if (!reply) {
            sp->pending[kept++] = *s;
            continue;
        }
        r->n_answered++;
        show(r, "<", s, info, reply);
        if (is_source(s->key))
            seen_message(&r->seen, info->shape, reply, s->version);
    }
    sp->n_pending = kept;
    arena_release(&r->box.arena);
    arena_init(&r->box.arena);
    if (sp->conn->closed) {
        if (r->events)
            printf("closed: %s\n", sp->conn->why ? sp->conn->why : "");
        r->n_closed++;
        box_disconnect(sp->conn);
        *sp = (struct speaker){.conn = box_connect(&r->box)};
    }
}

static void settle(struct run *r)
{
    for (int i = 0; i < 4; i++)
        box_turn(&r->box);
    for (int i = 0; i < CONNECTIONS; i++)
        take_replies(r, &r->speakers[i]);
}

/* ---- requests */

/* Those that lead to others are asked for more often: what they make is what the others are about. */
static const struct api_handler *choose(struct run *r)
{
    static const int16_t often[] = {0, 1, 8, 11, 14, 19, 22, 24, 25, 26, 28, 68};

    if (rng_below(&r->maker.rng, 2) == 0)
        return api_handler_find(often[rng_below(&r->maker.rng, ARRAY_SIZE(often))]);
    return &api_handlers[rng_below(&r->maker.rng, (uint64_t)api_n_handlers)];
}

/* What hardly ever comes about by chance: to join a group. */
static void tidy(int16_t key, void *request)
{
    if (key == 11) {
        struct join_group_request *rq = request;

        rq->session_timeout_ms = 10000;
        rq->protocol_type = STR("consumer");
        rq->group_instance_id = (struct str){0};
    } else if (key == 68) {
        struct consumer_group_heartbeat_request *rq = request;

        rq->instance_id = (struct str){0};
        rq->server_assignor = (struct str){0};
        if (rq->member_epoch == 0) {
            rq->rebalance_timeout_ms = 10000;
            rq->n_topic_partitions = 0;
        }
    }
}

/* No reply is due, so none can be missed. */
static bool is_mute(int16_t key, const void *request)
{
    return key == 0 && ((const struct produce_request *)request)->acks == 0;
}

static void say(struct run *r, struct speaker *sp)
{
    const struct api_handler *h = choose(r);
    const struct wire_api *api = wire_api_find(h->key);
    struct sent s = {
        .key = h->key,
        .version =
            (int16_t)(h->min_decoded +
                      (int16_t)rng_below(&r->maker.rng, (uint64_t)(h->max - h->min_decoded + 1)))};
    void *request = arena_alloc(&r->arena, api->request.struct_bytes);

    r->maker.version = s.version;
    r->maker.careful = rng_below(&r->maker.rng, 3) != 0;
    r->maker.wall_ms = clock_wall(r->box.env.clock).ms;
    make_message(&r->maker, api->request.shape, request);
    if (r->maker.careful)
        tidy(s.key, request);
    s.frame = sp->conn->frame_next;
    show(r, ">", &s, &api->request, request);
    box_send(sp->conn, s.key, s.version, request);
    r->n_sent++;
    if (!is_mute(s.key, request))
        sp->pending[sp->n_pending++] = s;
    arena_release(&r->arena);
    arena_init(&r->arena);
}

static void one_request(struct run *r)
{
    struct speaker *sp = &r->speakers[rng_below(&r->maker.rng, CONNECTIONS)];

    if (sp->n_pending < PENDING_MAX)
        say(r, sp);
    if (rng_below(&r->maker.rng, 4) != 0)
        settle(r);
    if (rng_below(&r->maker.rng, 50) == 0)
        box_advance_ms(&r->box, (int64_t)rng_below(&r->maker.rng, 30000));
    if (rng_below(&r->maker.rng, 200) == 0) {
        box_disconnect(sp->conn);
        *sp = (struct speaker){.conn = box_connect(&r->box)};
    }
}

/* ---- the run */

/* Somebody who asks for nothing odd; the topic's settings do not depend on what the others have set. */
static void honest_client(struct run *r, int round)
{
    struct box_conn *c = box_connect(&r->box);
    int64_t base = -1;
    int16_t error;

    if (round == 0)
        box_create_topic(c, HONEST_TOPIC, 1, "max.message.bytes", "1000000");
    error = box_produce(c, HONEST_TOPIC, 0, box_batch(&r->box, "v", 2, -1, -1, -1), 1, &base);
    assert_int_equal(error, KE_NONE);
    assert_int_equal(base, 2 * round);
    assert_non_null(box_fetch(c, HONEST_TOPIC, 0, 0, &error));
    box_disconnect(c);
}

static void all_answered(struct run *r)
{
    box_advance_ms(&r->box, END_MS);
    for (int i = 0; i < CONNECTIONS; i++) {
        struct speaker *sp = &r->speakers[i];

        take_replies(r, sp);
        for (int k = 0; k < sp->n_pending; k++)
            print_error("no answer to frame %" PRIu64 ": %s v%d\n", sp->pending[k].frame,
                        wire_api_find(sp->pending[k].key)->name, sp->pending[k].version);
        assert_int_equal(sp->n_pending, 0);
    }
}

static void one_run(const struct options *o, uint64_t seed)
{
    struct run *r = xcalloc(1, sizeof(*r));

    r->events = o->events;
    arena_init(&r->arena);
    r->maker = (struct maker){.arena = &r->arena, .seen = &r->seen};
    rng_init(&r->maker.rng, seed);
    box_start(&r->box, "offsets.topic.num.partitions=3", "transaction.state.log.num.partitions=3",
              "log.dirs=/data,/data1", NULL);
    r->box.tolerant = true;
    for (int i = 0; i < CONNECTIONS; i++)
        r->speakers[i].conn = box_connect(&r->box);
    for (uint64_t i = 0; i < o->n_requests; i++)
        one_request(r);
    all_answered(r);
    honest_client(r, 0);
    box_restart(&r->box, seed % 2 == 0);
    honest_client(r, 1);
    printf("%" PRIu64 ": %" PRIu64 " requests, %" PRIu64 " answered, %" PRIu64
           " connections closed\n",
           seed, r->n_sent, r->n_answered, r->n_closed);
    box_end(&r->box);
    arena_release(&r->arena);
    free(r);
}

int main(int argc, char **argv)
{
    struct options o = {.seed = 1, .n_runs = 1, .n_requests = 1500};

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--runs") == 0 && i + 1 < argc)
            o.n_runs = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--requests") == 0 && i + 1 < argc)
            o.n_requests = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--events") == 0)
            o.events = true;
        else
            o.seed = strtoull(argv[i], NULL, 10);
    }
    diag_set_level(o.events ? DIAG_INFO : DIAG_ERROR + 1);
    for (uint64_t seed = o.seed; seed < o.seed + o.n_runs; seed++) {
        fprintf(stderr, "seed %" PRIu64 "\n", seed);
        one_run(&o, seed);
    }
    return 0;
}
