/* Limits: of connections, of time, of memory; each at its bound and one beyond. */
#include "net_fixture.h"

#include "net_impl.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* Connects without waiting for the up side. */
static int knock(struct fixture *fx)
{
    int fd = client_connect_to("127.0.0.1", fx->port);

    assert_true(fd >= 0);
    return fd;
}

/* The last one that max.connections allows is served, the next is closed, with one line; when one
 * goes, one may come. */
static void connections_beyond_the_limit_are_closed(void **state)
{
    struct fixture fx;
    int fds[3], more;

    fixture_init(&fx);
    fx.options.limits.conns_max = 3;
    fixture_start(&fx);
    for (int i = 0; i < 3; i++)
        fds[i] = client_connect(&fx);
    for (int i = 0; i < 5; i++) {
        more = knock(&fx);
        UNTIL(&fx, client_is_closed(more));
        close(more);
    }
    assert_int_equal(fx.n_lines, 1);
    assert_non_null(strstr(fx.lines, "refused: the limit of connections (3) is reached"));
    assert_int_equal(fx.metrics.value[M_connections_refused_total], 5);
    assert_int_equal(fx.metrics.value[M_connections_open], 3);
    close(fds[1]);
    UNTIL(&fx, fx.n_closed == 1);
    fds[1] = client_connect(&fx);
    fixture_advance_ms(&fx, QUIET_S * 1000);
    more = knock(&fx);
    UNTIL(&fx, client_is_closed(more));
    close(more);
    assert_int_equal(fx.n_lines, 2);
    assert_non_null(strstr(fx.lines, "(4 more since the last such line)"));
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    fixture_release(&fx);
}

/* max.connections.per.ip counts by address. */
static void connections_of_one_address_are_limited(void **state)
{
    struct fixture fx;
    int fds[2], more;

    fixture_init(&fx);
    fx.options.limits.conns_per_ip_max = 2;
    fixture_start(&fx);
    for (int i = 0; i < 2; i++)
        fds[i] = client_connect(&fx);
    more = knock(&fx);
    UNTIL(&fx, client_is_closed(more));
    close(more);
    assert_non_null(strstr(fx.lines, "127.0.0.1 refused: max.connections.per.ip (2) is reached"));
    close(fds[0]);
    UNTIL(&fx, fx.n_closed == 1);
    fds[0] = client_connect(&fx);
    close(fds[0]);
    close(fds[1]);
    UNTIL(&fx, fx.n_closed == 3);
    assert_null(fx.net->by_ip);
    fixture_release(&fx);
}

static void three_for_all(void *arg, const char *host, struct net_limits *l)
{
    assert_string_equal(host, "127.0.0.1");
    l->conns_per_ip_max = 3;
}

/* What the up side says when somebody comes counts. */
static void limits_are_asked_for_anew(void **state)
{
    struct fixture fx;
    int fds[3], more;

    fixture_init(&fx);
    fx.options.limits.conns_per_ip_max = 2;
    fx.options.up.limits = three_for_all;
    fixture_start(&fx);
    for (int i = 0; i < 3; i++)
        fds[i] = client_connect(&fx);
    more = knock(&fx);
    UNTIL(&fx, client_is_closed(more));
    close(more);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    fixture_release(&fx);
}

/* max.connection.creation.rate: who comes too soon waits for the next second, and is served. */
static void so_many_in_a_second(void **state)
{
    struct fixture fx;
    int fds[5];

    fixture_init(&fx);
    fx.options.limits.conns_per_second_max = 2;
    fixture_start(&fx);
    for (int i = 0; i < 5; i++)
        fds[i] = knock(&fx);
    UNTIL(&fx, fx.n_conns == 2);
    for (int i = 0; i < 100; i++)
        fixture_pump(&fx);
    assert_int_equal(fx.n_conns, 2);
    fixture_advance_ms(&fx, 1000);
    UNTIL(&fx, fx.n_conns == 4);
    fixture_advance_ms(&fx, 1000);
    UNTIL(&fx, fx.n_conns == 5);
    assert_int_equal(fx.n_lines, 0);
    for (int i = 0; i < 5; i++)
        close(fds[i]);
    fixture_release(&fx);
}

/* With no file left, who comes is closed, not left hanging; served again when files are there. */
static void without_files_who_comes_is_closed(void **state)
{
    struct rlimit before, none;
    struct fixture fx;
    int fd, again, fill[64], n_fill = 0, next;

    fixture_init(&fx);
    fixture_start(&fx);
    fd = knock(&fx); /* in the backlog; net takes it only now */
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    next = dup(0);
    close(next);
    none = before;
    none.rlim_cur = (rlim_t)next;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    while (n_fill < 64 && (fill[n_fill] = dup(0)) >= 0)
        n_fill++;
    UNTIL(&fx, client_is_closed(fd));
    assert_int_equal(fx.n_conns, 0);
    assert_int_equal(fx.n_lines, 1);
    assert_non_null(strstr(fx.lines, "as many files open as it may"));
    while (n_fill > 0)
        close(fill[--n_fill]);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    again = client_connect(&fx);
    assert_true(fx.net->spare_fd >= 0);
    close(fd);
    close(again);
    fixture_release(&fx);
}

/* A machine that allows few files says so at the start, and keeps a quarter of them for the log. */
static void few_files_are_told_at_the_start(void **state)
{
    struct rlimit before, few;
    struct fixture fx;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = (struct rlimit){1000, before.rlim_max};
    fixture_init(&fx);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    fixture_start(&fx);
    /* The soft limit was raised to the hard one. */
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &few), 0);
    assert_int_equal(few.rlim_cur, before.rlim_max);
    assert_int_equal(fx.net->conns_by_files, MIN(before.rlim_max / 4 * 3, (rlim_t)INT32_MAX));
    if (before.rlim_max / 4 * 3 < 2000)
        assert_non_null(strstr(fx.lines, "connections can be served"));
    else
        assert_int_equal(fx.n_lines, 0);
    fixture_release(&fx);
}

/* 2,000 connections at once, each served; idle, they take a few kilobytes each. */
static void two_thousand_connections_are_served(void **state)
{
    enum { N = 2000 };
    static int fds[N];
    struct fixture fx;
    struct rlimit limit;

    fixture_init(&fx);
    fx.echo = true;
    fixture_start(&fx);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_cur < 2 * N + 100) {
        fixture_release(&fx);
        skip(); /* client and server are one process here */
    }
    for (int i = 0; i < N; i++)
        fds[i] = client_connect(&fx);
    for (int i = 0; i < N; i++)
        client_frame(&fx, fds[i], &i, sizeof(i));
    for (int i = 0; i < N; i++) {
        uint8_t got[4 + sizeof(i)];

        client_read(&fx, fds[i], got, sizeof(got));
        assert_memory_equal(got + 4, &i, sizeof(i));
    }
    assert_true(sizeof(struct net_conn) < 1024);
    assert_true(fx.net->pool->held_bytes <= SCRATCH_BYTES);
    for (int i = 0; i < N; i++) {
        assert_null(fx.conns[i]->c->rx);
        assert_null(fx.conns[i]->c->backlog);
    }
    assert_int_equal(fx.metrics.value[M_connections_open], N);
    for (int i = 0; i < N; i++)
        close(fds[i]);
    UNTIL(&fx, fx.n_closed == N);
    fixture_release(&fx);
}

/* Nothing in work and nothing said for connections.max.idle.ms: closed without a word. Who waits
 * for a reply is not idle. */
static void idle_connections_are_closed(void **state)
{
    struct fixture fx;
    int idle, waiting, fresh;

    fixture_init(&fx);
    fx.options.idle_ms_max = 10000;
    fixture_start(&fx);
    idle = client_connect(&fx);
    waiting = client_connect(&fx);
    client_frame(&fx, waiting, "x", 1);
    UNTIL(&fx, fx.conns[1]->n_frames == 1);
    fixture_advance_ms(&fx, 5000);
    fresh = client_connect(&fx);
    fixture_advance_ms(&fx, 4000);
    assert_int_equal(fx.n_closed, 0);
    fixture_advance_ms(&fx, 2000);
    assert_true(fx.conns[0]->closed);
    assert_int_equal(fx.n_closed, 1);
    assert_int_equal(fx.n_lines, 0);
    fixture_advance_ms(&fx, 5000);
    assert_true(fx.conns[2]->closed);
    assert_false(fx.conns[1]->closed);
    up_echo(fx.conns[1], 0);
    UNTIL(&fx, net_all_sent(fx.net));
    fixture_advance_ms(&fx, 11000);
    assert_int_equal(fx.n_closed, 3);
    close(idle);
    close(waiting);
    close(fresh);
    fixture_release(&fx);
}

/* -1 is never. */
static void idle_connections_may_stay_for_ever(void **state)
{
    struct fixture fx;
    int fd;

    fixture_init(&fx);
    fx.options.idle_ms_max = -1;
    fixture_start(&fx);
    fd = client_connect(&fx);
    for (int i = 0; i < 20; i++)
        fixture_advance_ms(&fx, 86400000);
    assert_int_equal(fx.n_closed, 0);
    close(fd);
    fixture_release(&fx);
}

/* A frame that trickles in ends its connection; one that is large and comes steadily may take
 * longer. */
static void a_frame_that_trickles_ends_the_connection(void **state)
{
    struct fixture fx;
    uint8_t *bytes = pattern_new(1, 10000);
    int slow, steady;

    fixture_init(&fx);
    fixture_start(&fx);
    slow = client_connect(&fx);
    steady = client_connect(&fx);
    client_send(&fx, slow, "\0\x10\0\0", 4);
    client_send(&fx, steady, "\0\x10\0\0", 4);
    for (int s = 0; s < 29; s++) {
        client_send(&fx, slow, "z", 1);
        client_send(&fx, steady, bytes, 2000);
        fixture_pump(&fx);
        fixture_advance_ms(&fx, 1000);
    }
    assert_int_equal(fx.n_closed, 0);
    for (int s = 0; s < 30; s++) {
        client_send(&fx, steady, bytes, 2000);
        fixture_pump(&fx);
        fixture_advance_ms(&fx, 1000);
    }
    assert_true(fx.conns[0]->closed);
    assert_false(fx.conns[1]->closed);
    assert_int_equal(fx.n_lines, 1);
    assert_non_null(strstr(fx.lines, "a request came too slowly"));
    close(slow);
    close(steady);
    free(bytes);
    fixture_release(&fx);
}

/* The length alone, half of it even, is a begun frame, too. */
static void half_a_length_does_not_wait_for_ever(void **state)
{
    struct fixture fx;
    int fd;

    fixture_init(&fx);
    fixture_start(&fx);
    fd = client_connect(&fx);
    client_send(&fx, fd, "\0\0", 2);
    fixture_pump(&fx);
    fixture_pump(&fx);
    for (int s = 0; s < 32; s++)
        fixture_advance_ms(&fx, 1000);
    assert_int_equal(fx.n_closed, 1);
    close(fd);
    fixture_release(&fx);
}

/* Who takes nothing of its replies for send_stall_ms_max is dropped; who takes a little is not. */
static void a_peer_that_takes_nothing_is_dropped(void **state)
{
    struct fixture fx;
    uint8_t *body = pattern_new(1, 4000000), *sink = xmalloc(1000000);
    int fds[2];

    fixture_init(&fx);
    fx.echo = true;
    fixture_start(&fx);
    for (int i = 0; i < 2; i++) {
        fds[i] = client_connect(&fx);
        for (int k = 0; k < 4; k++)
            client_frame(&fx, fds[i], body, 4000000);
    }
    UNTIL(&fx, fx.conns[0]->c->blocked && fx.conns[1]->c->blocked);
    for (int s = 0; s < 5; s++) {
        fixture_advance_ms(&fx, 14000);
        client_read(&fx, fds[1], sink, 1000000);
        for (int i = 0; i < 20; i++)
            fixture_pump(&fx);
    }
    assert_true(fx.conns[0]->closed);
    assert_false(fx.conns[1]->closed);
    assert_int_equal(fx.n_lines, 1);
    assert_non_null(strstr(fx.lines, "it took no byte of its replies for 60 s"));
    close(fds[0]);
    close(fds[1]);
    free(body);
    free(sink);
    fixture_release(&fx);
}

/* When half received frames hold all there is, the largest goes, and the others can end. */
static void a_dead_end_of_half_received_frames_is_left(void **state)
{
    enum { N = 12, BYTES = 1000000 };
    struct fixture fx;
    uint8_t *body = pattern_new(1, BYTES), head[4];
    int fds[N], n_whole = 0;

    fixture_init(&fx);
    fx.options.frame_bytes_max = BYTES;
    fx.options.queued_bytes_max = 1;
    fixture_start(&fx);
    put_be32(head, BYTES);
    for (int i = 0; i < N; i++) {
        fds[i] = client_connect(&fx);
        client_send_some(&fx, fds[i], head, 4);
        client_send_some(&fx, fds[i], body, BYTES / 2);
    }
    assert_true(fx.net->over);
    for (int i = 0; i < N; i++)
        client_send_some(&fx, fds[i], body + BYTES / 2, BYTES / 2);
    for (int i = 0; i < N; i++)
        assert_int_equal(fx.conns[i]->n_frames, 0);
    for (int s = 0; s < 40; s++) {
        fixture_advance_ms(&fx, 1000);
        for (int i = 0; i < N; i++) {
            struct up_conn *u = fx.conns[i];

            if (u->closed || u->n_frames == 0 || u->frames[0].answered)
                continue;
            n_whole++;
            up_reply(u, 0, "", 0);
            up_forget(u, 0);
        }
        for (int i = 0; i < 10; i++)
            fixture_pump(&fx);
    }
    assert_true(fx.n_closed >= 1);
    assert_int_equal(n_whole, N - fx.n_closed);
    assert_true(n_whole > N / 2);
    assert_non_null(strstr(fx.lines, "full of incomplete ones"));
    for (int i = 0; i < N; i++)
        close(fds[i]);
    free(body);
    fixture_release(&fx);
}

/* After the last connection nothing is kept, and nothing wakes the process up any more. */
static void memory_goes_back_when_nobody_is_there(void **state)
{
    struct fixture fx;
    uint8_t *body = pattern_new(1, 1000000);
    int fd;

    fixture_init(&fx);
    fx.echo = true;
    fixture_start(&fx);
    fd = client_connect(&fx);
    client_frame(&fx, fd, body, 1000000);
    client_expect_echo(&fx, fd, 1, 1000000);
    close(fd);
    UNTIL(&fx, fx.n_closed == 1);
    assert_true(fx.net->pool->free_bytes > 0);
    for (int s = 0; s < 4 * TRIM_SWEEPS; s++)
        fixture_advance_ms(&fx, SWEEP_MS);
    assert_int_equal(fx.net->pool->free_bytes, 0);
    assert_int_equal(fx.net->pool->held_bytes, 0);
    assert_false(timer_armed(&fx.net->sweep));
    free(body);
    fixture_release(&fx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connections_beyond_the_limit_are_closed),
        cmocka_unit_test(connections_of_one_address_are_limited),
        cmocka_unit_test(limits_are_asked_for_anew),
        cmocka_unit_test(so_many_in_a_second),
        cmocka_unit_test(without_files_who_comes_is_closed),
        cmocka_unit_test(few_files_are_told_at_the_start),
        cmocka_unit_test(two_thousand_connections_are_served),
        cmocka_unit_test(idle_connections_are_closed),
        cmocka_unit_test(idle_connections_may_stay_for_ever),
        cmocka_unit_test(a_frame_that_trickles_ends_the_connection),
        cmocka_unit_test(half_a_length_does_not_wait_for_ever),
        cmocka_unit_test(a_peer_that_takes_nothing_is_dropped),
        cmocka_unit_test(a_dead_end_of_half_received_frames_is_left),
        cmocka_unit_test(memory_goes_back_when_nobody_is_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
