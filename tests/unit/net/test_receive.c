/* Bytes to frames: however they are cut, together or apart. */
#include "net_fixture.h"

#include "net_impl.h"

#include <unistd.h>

static const size_t small_sizes[] = {0, 1, 3, 4, 100, 2048, 2049, 5000, 0, 17};

static size_t put_frames(uint8_t *p, const size_t *sizes, size_t n_sizes)
{
    size_t n = 0;

    for (size_t i = 0; i < n_sizes; i++) {
        put_be32(p + n, (uint32_t)sizes[i]);
        n += 4;
        for (size_t k = 0; k < sizes[i]; k++)
            p[n++] = pattern(i, k);
    }
    return n;
}

static void expect_frames(struct up_conn *u, const size_t *sizes, size_t n_sizes)
{
    assert_int_equal(u->n_frames, n_sizes);
    for (size_t i = 0; i < n_sizes; i++) {
        assert_int_equal(u->frames[i].n, sizes[i]);
        for (size_t k = 0; k < sizes[i]; k++)
            assert_int_equal(u->frames[i].body[k], pattern(i, k));
    }
}

/* Several frames that come at once go up in one turn, each whole. */
static void coalesced_frames_go_up_together(void **state)
{
    struct fixture fx;
    uint8_t *p = xmalloc(20000);
    size_t n = put_frames(p, small_sizes, ARRAY_SIZE(small_sizes));
    int fd, turns;

    fixture_init(&fx);
    fixture_start(&fx);
    fd = client_connect(&fx);
    client_send(&fx, fd, p, n);
    turns = fx.n_turns;
    UNTIL(&fx, up_last(&fx)->n_frames > 0);
    assert_int_equal(fx.n_turns, turns + 1);
    expect_frames(up_last(&fx), small_sizes, ARRAY_SIZE(small_sizes));
    close(fd);
    free(p);
    fixture_release(&fx);
}

/* A cut at any byte changes nothing. */
static void frames_may_be_cut_at_every_byte(void **state)
{
    static const size_t sizes[] = {0, 5, 0, 2060, 1};
    uint8_t p[3000];
    size_t n = put_frames(p, sizes, ARRAY_SIZE(sizes));

    for (size_t cut = 1; cut < n; cut += cut < 40 || cut > n - 20 ? 1 : 97) {
        struct fixture fx;
        int fd;

        fixture_init(&fx);
        fixture_start(&fx);
        fd = client_connect(&fx);
        client_send(&fx, fd, p, cut);
        fixture_pump(&fx);
        fixture_pump(&fx);
        client_send(&fx, fd, p + cut, n - cut);
        UNTIL(&fx, up_last(&fx)->n_frames == (int)ARRAY_SIZE(sizes));
        expect_frames(up_last(&fx), sizes, ARRAY_SIZE(sizes));
        close(fd);
        fixture_release(&fx);
    }
}

/* One byte in each turn, two connections in turn: neither disturbs the other. */
static void bytes_one_by_one(void **state)
{
    static const size_t sizes[] = {3, 0, 2100, 9};
    struct fixture fx;
    uint8_t p[3000];
    size_t n = put_frames(p, sizes, ARRAY_SIZE(sizes));
    int a, b;

    fixture_init(&fx);
    fixture_start(&fx);
    a = client_connect(&fx);
    b = client_connect(&fx);
    for (size_t i = 0; i < n; i++) {
        client_send(&fx, a, p + i, 1);
        client_send(&fx, b, p + i, 1);
        fixture_pump(&fx);
    }
    UNTIL(&fx, fx.conns[0]->n_frames == 4 && fx.conns[1]->n_frames == 4);
    expect_frames(fx.conns[0], sizes, ARRAY_SIZE(sizes));
    expect_frames(fx.conns[1], sizes, ARRAY_SIZE(sizes));
    close(a);
    close(b);
    fixture_release(&fx);
}

/* Sizes around every boundary of the buffers, many of each, held by the up side until the end: none
 * is overwritten. */
static void frames_of_all_sizes_survive_while_held(void **state)
{
    static const size_t sizes[] = {1,
                                   COPY_BYTES_MAX - 1,
                                   COPY_BYTES_MAX,
                                   COPY_BYTES_MAX + 1,
                                   65535,
                                   65536,
                                   65537,
                                   BIG_FRAME_BYTES - 1,
                                   BIG_FRAME_BYTES,
                                   BIG_FRAME_BYTES + 1,
                                   262139,
                                   SCRATCH_BYTES - 4,
                                   SCRATCH_BYTES,
                                   SCRATCH_BYTES + 1,
                                   1000000,
                                   1 << 20,
                                   (1 << 20) + 50,
                                   3000000,
                                   16384,
                                   16384};
    struct fixture fx;
    struct up_conn *u;
    uint8_t *p = xmalloc(12 << 20);
    size_t n = put_frames(p, sizes, ARRAY_SIZE(sizes));
    int fd;

    assert_true(n < 12 << 20);
    fixture_init(&fx);
    fixture_start(&fx);
    fd = client_connect(&fx);
    u = up_last(&fx);
    for (int round = 0; round < 3; round++) {
        client_send(&fx, fd, p, n);
        UNTIL(&fx, u->n_frames == (int)ARRAY_SIZE(sizes));
        expect_frames(u, sizes, ARRAY_SIZE(sizes));
        for (int i = 0; i < u->n_frames; i++) {
            up_forget(u, i);
        }
        for (int i = 0; i < u->n_frames; i++) {
            struct out out;

            out_init(&out);
            net_reply(u->c, u->frames[i].number, &out, 0);
        }
        fixture_pump(&fx);
        close(fd);
        fd = client_connect(&fx);
        u = up_last(&fx);
    }
    close(fd);
    free(p);
    fixture_release(&fx);
}

/* The pool is warm after the first large frames: the next take the same memory again. */
static void large_frames_reuse_their_chunks(void **state)
{
    struct fixture fx;
    uint8_t *body = pattern_new(1, 1000000);
    struct chunk *seen[8];
    int n_seen = 0, fd;

    fixture_init(&fx);
    fixture_start(&fx);
    fd = client_connect(&fx);
    for (int i = 0; i < 20; i++) {
        struct up_conn *u = up_last(&fx);
        int k;

        client_frame(&fx, fd, body, 1000000);
        UNTIL(&fx, u->n_frames == i + 1);
        for (k = 0; k < n_seen && seen[k] != u->frames[i].chunk; k++)
            ;
        if (k == n_seen) {
            assert_true(n_seen < 3);
            seen[n_seen++] = u->frames[i].chunk;
        }
        up_reply(u, i, "ok", 2);
        up_forget(u, i);
    }
    close(fd);
    free(body);
    fixture_release(&fx);
}

/* An announced length takes no memory: what is held follows what has arrived. */
static void memory_follows_what_arrived(void **state)
{
    struct fixture fx;
    struct net_conn *c;
    uint8_t head[4], *some = pattern_new(1, 300000);
    int fd;

    fixture_init(&fx);
    fixture_start(&fx);
    fd = client_connect(&fx);
    c = up_last(&fx)->c;
    put_be32(head, 100 << 20);
    client_send(&fx, fd, head, 4);
    client_send(&fx, fd, some, 100);
    UNTIL(&fx, c->rx && c->rx_have == 100);
    assert_true(c->rx->cap <= WHOLE_BYTES_MAX);
    client_send(&fx, fd, some, 300000);
    UNTIL(&fx, c->rx_have == 300100);
    assert_true(c->rx->cap <= 2 * 4 * 300100);
    close(fd);
    free(some);
    fixture_release(&fx);
}

static void expect_refusal(const uint8_t *p, size_t n, const char *text)
{
    struct fixture fx;
    int bad, good;

    fixture_init(&fx);
    fx.options.frame_bytes_max = 1000;
    fx.echo = true;
    fixture_start(&fx);
    good = client_connect(&fx);
    bad = client_connect(&fx);
    client_send(&fx, bad, p, n);
    UNTIL(&fx, client_is_closed(bad));
    assert_true(fx.conns[1]->closed);
    assert_int_equal(fx.conns[1]->n_frames, 0);
    assert_int_equal(fx.n_lines, 1);
    assert_non_null(strstr(fx.lines, "connection from 127.0.0.1:"));
    assert_non_null(strstr(fx.lines, text));
    assert_int_equal(fx.metrics.value[M_requests_malformed_total], 1);
    client_frame(&fx, good, "still served", 12);
    UNTIL(&fx, client_drain(good) == 16);
    close(bad);
    close(good);
    fixture_release(&fx);
}

/* A length that is negative or over the limit ends that connection, with one line that says why,
 * and nothing else. */
static void impossible_lengths_end_the_connection(void **state)
{
    expect_refusal((const uint8_t *)"\xff\xff\xff\xff", 4, "negative size (-1)");
    expect_refusal((const uint8_t *)"\x80\0\0\0 garbage", 12, "negative size (-2147483648)");
    expect_refusal((const uint8_t *)"\0\0\x03\xe9", 4,
                   "1001 bytes is larger than socket.request.max.bytes (1000)");
    expect_refusal((const uint8_t *)"GET / HTTP/1.1\r\n\r\n", 18, "this looks like HTTP");
    expect_refusal((const uint8_t *)"\x16\x03\x01\x02\0\1", 6, "this looks like TLS");
}

/* The largest allowed frame is served. */
static void the_limit_itself_is_allowed(void **state)
{
    struct fixture fx;
    uint8_t *body = pattern_new(2, 1000);
    int fd;

    fixture_init(&fx);
    fx.options.frame_bytes_max = 1000;
    fx.echo = true;
    fixture_start(&fx);
    fd = client_connect(&fx);
    client_frame(&fx, fd, body, 1000);
    client_expect_echo(&fx, fd, 2, 1000);
    close(fd);
    free(body);
    fixture_release(&fx);
}

/* A peer that ends in the middle of a frame is told of in one line; the frame never goes up. */
static void a_truncated_frame_is_dropped(void **state)
{
    struct fixture fx;
    int fd;

    fixture_init(&fx);
    fixture_start(&fx);
    fd = client_connect(&fx);
    client_send(&fx, fd,
                "\0\0\0\x0a"
                "12345",
                9);
    fixture_pump(&fx);
    close(fd);
    UNTIL(&fx, fx.n_closed == 1);
    assert_int_equal(up_last(&fx)->n_frames, 0);
    assert_int_equal(fx.n_lines, 1);
    assert_non_null(strstr(fx.lines, "after 5 of the 10 bytes of a request"));
    fd = client_connect(&fx);
    client_send(&fx, fd, "\0\0", 2);
    fixture_pump(&fx);
    close(fd);
    UNTIL(&fx, fx.n_closed == 2);
    assert_int_equal(fx.n_lines, 2);
    assert_non_null(strstr(fx.lines, "after 2 bytes of a request"));
    fixture_release(&fx);
}

/* More small frames in one packet than may be in work: the rest waits, in order, and is not
 * lost. */
static void frames_beyond_the_limit_in_work_wait(void **state)
{
    struct fixture fx;
    struct up_conn *u;
    int fd;

    fixture_init(&fx);
    fx.options.in_work_max = 10;
    fixture_start(&fx);
    fd = client_connect(&fx);
    u = up_last(&fx);
    for (uint8_t i = 0; i < 100; i++)
        client_frame(&fx, fd, &i, 1);
    UNTIL(&fx, u->n_frames == 10);
    for (int i = 0; i < 50; i++)
        fixture_pump(&fx);
    assert_int_equal(u->n_frames, 10);
    up_echo(u, 0);
    fixture_pump(&fx);
    fixture_pump(&fx);
    assert_int_equal(u->n_frames, 10); /* 9 in work are not below 90 % */
    for (int i = 1; i < 100; i++) {
        UNTIL(&fx, u->n_frames > i);
        assert_true(u->n_frames <= i + 10);
        assert_int_equal(u->frames[i].body[0], i);
        up_echo(u, i);
    }
    UNTIL(&fx, net_all_sent(fx.net));
    for (int i = 0; i < 100; i++) {
        uint8_t got[5];

        client_read(&fx, fd, got, 5);
        assert_int_equal(got[4], i);
    }
    close(fd);
    fixture_release(&fx);
}

/* Above the total nothing is read from anybody; below 90 % of it everybody is. */
static void too_many_bytes_held_stop_reading(void **state)
{
    struct fixture fx;
    uint8_t *body = pattern_new(3, 1000000), *whole;
    struct up_conn *a, *b;
    int fd_a, fd_b, n_before;
    size_t n_sent;

    fixture_init(&fx);
    fx.options.frame_bytes_max = 2000000;
    fx.options.queued_bytes_max = 5000000;
    fixture_start(&fx);
    fd_a = client_connect(&fx);
    fd_b = client_connect(&fx);
    a = fx.conns[0];
    b = fx.conns[1];
    whole = xmalloc(8 * 1000004);
    for (int i = 0; i < 8; i++) {
        put_be32(whole + i * 1000004, 1000000);
        memcpy(whole + i * 1000004 + 4, body, 1000000);
    }
    n_sent = client_send_some(&fx, fd_a, whole, 8 * 1000004);
    for (int k = 0; k < 200; k++)
        fixture_pump(&fx);
    n_before = a->n_frames;
    assert_in_range(n_before, 4, 6);
    assert_true(fx.net->over);
    client_frame(&fx, fd_b, "late", 4);
    for (int k = 0; k < 100; k++)
        fixture_pump(&fx);
    assert_int_equal(b->n_frames, 0);
    for (int i = 0; i < n_before; i++) {
        up_reply(a, i, "", 0);
        up_forget(a, i);
    }
    UNTIL(&fx, b->n_frames == 1);
    up_echo(b, 0);
    client_send(&fx, fd_a, whole + n_sent, 8 * 1000004 - n_sent);
    UNTIL(&fx, a->n_frames == 8);
    assert_memory_equal(a->frames[7].body, body, 1000000);
    close(fd_a);
    close(fd_b);
    free(body);
    free(whole);
    fixture_release(&fx);
}

/* A long poll of some bytes does not hold the buffer that it came in. */
static void small_frames_hold_little(void **state)
{
    struct fixture fx;
    int fds[50];

    fixture_init(&fx);
    fixture_start(&fx);
    for (int i = 0; i < 50; i++) {
        fds[i] = client_connect(&fx);
        client_frame(&fx, fds[i], "a fetch that waits", 18);
    }
    UNTIL(&fx, fx.conns[49]->n_frames == 1);
    assert_true(fx.net->pool->held_bytes < 2 * SCRATCH_BYTES);
    for (int i = 0; i < 50; i++)
        close(fds[i]);
    fixture_release(&fx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(coalesced_frames_go_up_together),
        cmocka_unit_test(frames_may_be_cut_at_every_byte),
        cmocka_unit_test(bytes_one_by_one),
        cmocka_unit_test(frames_of_all_sizes_survive_while_held),
        cmocka_unit_test(large_frames_reuse_their_chunks),
        cmocka_unit_test(memory_follows_what_arrived),
        cmocka_unit_test(impossible_lengths_end_the_connection),
        cmocka_unit_test(the_limit_itself_is_allowed),
        cmocka_unit_test(a_truncated_frame_is_dropped),
        cmocka_unit_test(frames_beyond_the_limit_in_work_wait),
        cmocka_unit_test(too_many_bytes_held_stop_reading),
        cmocka_unit_test(small_frames_hold_little),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
