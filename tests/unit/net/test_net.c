/* Listeners, and the life of it all: open, start, stop, close. */
#include "net_fixture.h"

#include "net_impl.h"

#include <unistd.h>

/* "localhost" is both loopback addresses, with one port, also when the system picks it. */
static void localhost_is_both_loopback_addresses(void **state)
{
    struct fixture fx;
    int v4, v6;

    fixture_init(&fx);
    fx.listener.host = "localhost";
    fixture_start(&fx);
    v4 = client_connect_to("127.0.0.1", fx.port);
    assert_true(v4 >= 0);
    UNTIL(&fx, fx.n_conns == 1);
    assert_string_equal(fx.conns[0]->peer.peer_host, "127.0.0.1");
    assert_string_equal(fx.conns[0]->peer.local_host, "localhost");
    assert_int_equal(fx.conns[0]->peer.local_port, fx.port);
    assert_true(fx.conns[0]->peer.peer_port > 0);
    v6 = client_connect_to("::1", fx.port);
    if (v6 >= 0) { /* this machine has IPv6 */
        UNTIL(&fx, fx.n_conns == 2);
        assert_string_equal(fx.conns[1]->peer.peer_host, "::1");
        assert_string_equal(fx.conns[1]->peer.local_host, "localhost");
        close(v6);
    }
    close(v4);
    fixture_release(&fx);
}

/* The empty host is every address; an IPv4 peer is shown as such. */
static void the_empty_host_is_every_address(void **state)
{
    struct fixture fx;
    int fd;

    fixture_init(&fx);
    fx.listener.host = "";
    fixture_start(&fx);
    fd = client_connect(&fx);
    assert_string_equal(fx.conns[0]->peer.peer_host, "127.0.0.1");
    assert_string_equal(fx.conns[0]->peer.local_host, "localhost");
    close(fd);
    fd = client_connect_to("::1", fx.port);
    if (fd >= 0) {
        UNTIL(&fx, fx.n_conns == 2);
        assert_string_equal(fx.conns[1]->peer.peer_host, "::1");
        close(fd);
    }
    fixture_release(&fx);
}

static int open_fails(struct fixture *fx, struct errmsg *msg)
{
    struct net *n = NULL;
    int rc = net_open(&fx->options, &n, msg);

    assert_true(rc < 0);
    assert_null(n);
    return rc;
}

/* A port that is taken is an error that names the listener and the address; nothing stays open. */
static void a_taken_port_is_a_clear_error(void **state)
{
    static const char *const hosts[] = {"127.0.0.1", "localhost", ""};

    for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
        struct fixture first, second;
        struct errmsg msg = {0};
        char expected[100];

        fixture_init(&first);
        first.listener.host = hosts[i];
        fixture_start(&first);
        fixture_init(&second);
        second.listener.host = hosts[i];
        second.listener.port = first.port;
        assert_int_equal(open_fails(&second, &msg), E_INUSE);
        snprintf(expected, sizeof(expected),
                 "listener PLAINTEXT: %s:%d is taken by another program",
                 hosts[i][0] ? hosts[i] : "every address", first.port);
        assert_string_equal(msg.text, expected);
        fixture_release(&second);
        fixture_release(&first);
    }
}

/* A host that is not of this machine, or no host at all, is an error of the settings. */
static void a_strange_host_is_a_clear_error(void **state)
{
    struct fixture fx;
    struct errmsg msg = {0};

    fixture_init(&fx);
    fx.listener.host = "192.0.2.1";
    assert_int_equal(open_fails(&fx, &msg), E_INVALID);
    assert_string_equal(msg.text,
                        "listener PLAINTEXT: 192.0.2.1 is not an address of this machine");
    fx.listener.host = "no such host";
    assert_int_equal(open_fails(&fx, &msg), E_INVALID);
    assert_non_null(strstr(msg.text, "listener PLAINTEXT: host no such host: "));
    fixture_release(&fx);
}

/* Between open and start the port is ours, and who connects waits; nobody is turned away. */
static void who_comes_before_the_start_waits(void **state)
{
    struct fixture fx;
    struct errmsg msg = {0};
    uint8_t got[6];
    int fd;

    fixture_init(&fx);
    fx.echo = true;
    assert_int_equal(net_open(&fx.options, &fx.net, &msg), 0);
    fx.port = net_listener_port(fx.net, 0);
    fd = client_connect_to("127.0.0.1", fx.port);
    assert_true(fd >= 0);
    client_frame(&fx, fd, "hi", 2);
    for (int i = 0; i < 10; i++)
        fixture_pump(&fx);
    assert_int_equal(fx.n_conns, 0);
    net_start(fx.net);
    client_read(&fx, fd, got, 6);
    close(fd);
    fixture_release(&fx);
}

/* The up side may refuse a connection; `closed` is not called for it. */
static void the_up_side_may_refuse(void **state)
{
    struct fixture fx;
    int fd;

    fixture_init(&fx);
    fx.refuse = true;
    fixture_start(&fx);
    fd = client_connect_to("127.0.0.1", fx.port);
    UNTIL(&fx, client_is_closed(fd));
    assert_int_equal(fx.n_closed, 0);
    close(fd);
    fixture_release(&fx);
}

/* A stop: nobody new, nothing new, but what is in work is answered. */
static void a_stop_still_answers(void **state)
{
    struct fixture fx;
    struct up_conn *u;
    int fd;

    fixture_init(&fx);
    fixture_start(&fx);
    fd = client_connect(&fx);
    u = up_last(&fx);
    client_frame(&fx, fd, "x", 1);
    UNTIL(&fx, u->n_frames == 1);
    net_stop_reading(fx.net);
    client_frame(&fx, fd, "y", 1);
    for (int i = 0; i < 20; i++)
        fixture_pump(&fx);
    assert_int_equal(u->n_frames, 1);
    assert_int_equal(client_connect_to("127.0.0.1", fx.port), -1);
    assert_false(net_all_sent(fx.net));
    up_echo(u, 0);
    UNTIL(&fx, net_all_sent(fx.net));
    assert_int_equal(client_drain(fd), 5);
    close(fd);
    fixture_release(&fx);
}

/* A close with frames in work, half received ones and unsent replies lets go of all of it. */
static void a_close_lets_go_of_everything(void **state)
{
    struct fixture fx;
    uint8_t *body = pattern_new(1, 4000000);
    int fds[3];

    fixture_init(&fx);
    fixture_start(&fx);
    for (int i = 0; i < 3; i++)
        fds[i] = client_connect(&fx);
    client_frame(&fx, fds[0], "in work", 7);
    client_send(&fx, fds[1], "\0\0\x10\0half", 8);
    for (int i = 0; i < 4; i++)
        client_frame(&fx, fds[2], body, 4000000);
    UNTIL(&fx, fx.conns[2]->n_frames == 4);
    for (int i = 3; i >= 0; i--)
        up_echo(fx.conns[2], i);
    for (int i = 0; i < 10; i++)
        fixture_pump(&fx);
    assert_true(fx.conns[2]->c->blocked);
    fixture_release(&fx);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    free(body);
}

static bool soon(void *arg, struct mono *at)
{
    struct fixture *fx = arg;

    at->ns = clock_mono(fx->clock).ns + 1;
    return fx->n_turns < 3;
}

/* What the up side calls its deadline brings a turn although no socket has anything; without one
 * the loop rests. */
static void a_deadline_brings_a_turn(void **state)
{
    struct fixture fx;

    fixture_init(&fx);
    fx.options.up.deadline = soon;
    fixture_start(&fx);
    while (fx.n_turns < 3) /* waits in the poll: the alarm is a millisecond of real time */
        uv_run(&fx.loop, UV_RUN_ONCE);
    fixture_pump(&fx);
    assert_int_equal(fx.net->alarm_at.ns, INT64_MAX);
    assert_false(uv_is_active((uv_handle_t *)&fx.net->alarm));
    fixture_release(&fx);
}

/* net_wake is one turn. */
static void a_wake_is_one_turn(void **state)
{
    struct fixture fx;
    int turns;

    fixture_init(&fx);
    fixture_start(&fx);
    fixture_pump(&fx);
    turns = fx.n_turns;
    net_wake(fx.net);
    net_wake(fx.net);
    assert_int_equal(uv_backend_timeout(&fx.loop), 0);
    uv_run(&fx.loop, UV_RUN_ONCE);
    assert_int_equal(fx.n_turns, turns + 1);
    assert_int_not_equal(uv_backend_timeout(&fx.loop), 0);
    fixture_release(&fx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(localhost_is_both_loopback_addresses),
        cmocka_unit_test(the_empty_host_is_every_address),
        cmocka_unit_test(a_taken_port_is_a_clear_error),
        cmocka_unit_test(a_strange_host_is_a_clear_error),
        cmocka_unit_test(who_comes_before_the_start_waits),
        cmocka_unit_test(the_up_side_may_refuse),
        cmocka_unit_test(a_stop_still_answers),
        cmocka_unit_test(a_close_lets_go_of_everything),
        cmocka_unit_test(a_deadline_brings_a_turn),
        cmocka_unit_test(a_wake_is_one_turn),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
