/* Replies: in the order of frames, whole, whatever the order they are made in and however slowly
 * they are read. */
#include "net_fixture.h"

#include "net_impl.h"

#include <sys/socket.h>
#include <unistd.h>

/* Replies made backwards leave forwards. */
static void replies_leave_in_the_order_of_frames(void **state)
{
    struct fixture fx;
    struct up_conn *u;
    int fd;

    fixture_init(&fx);
    fixture_start(&fx);
    fd = client_connect(&fx);
    u = up_last(&fx);
    for (uint8_t i = 0; i < 60; i++)
        client_frame(&fx, fd, &i, 1);
    UNTIL(&fx, u->n_frames == 60);
    for (int i = 59; i >= 1; i--)
        up_echo(u, i);
    for (int i = 0; i < 10; i++)
        fixture_pump(&fx);
    assert_int_equal(client_drain(fd), 0);
    up_echo(u, 0);
    for (int i = 0; i < 60; i++) {
        uint8_t got[5];

        client_read(&fx, fd, got, 5);
        assert_int_equal(got[4], i);
    }
    assert_true(net_all_sent(fx.net));
    close(fd);
    fixture_release(&fx);
}

/* An empty reply sends nothing and lets the next pass (acks=0). */
static void an_empty_reply_passes_its_turn(void **state)
{
    struct fixture fx;
    struct up_conn *u;
    struct out out;
    int fd;

    fixture_init(&fx);
    fixture_start(&fx);
    fd = client_connect(&fx);
    u = up_last(&fx);
    for (int i = 0; i < 3; i++)
        client_frame(&fx, fd, "x", 1);
    UNTIL(&fx, u->n_frames == 3);
    up_echo(u, 1);
    out_init(&out);
    net_reply(u->c, 0, &out, 0);
    out_init(&out);
    net_reply(u->c, 2, &out, 0);
    UNTIL(&fx, net_all_sent(fx.net));
    assert_int_equal(client_drain(fd), 5);
    close(fd);
    fixture_release(&fx);
}

/* A reply of very many pieces, more than one call takes. */
static void many_pieces_make_one_reply(void **state)
{
    struct fixture fx;
    struct chunk *bytes = chunk_new(1000);
    struct out out;
    uint8_t got[1000];
    int fd;

    for (size_t i = 0; i < 1000; i++)
        bytes->data[i] = pattern(1, i);
    fixture_init(&fx);
    fixture_start(&fx);
    fd = client_connect(&fx);
    client_frame(&fx, fd, "x", 1);
    UNTIL(&fx, up_last(&fx)->n_frames == 1);
    out_init(&out);
    for (size_t i = 0; i < 1000; i++)
        out_put_chunk(&out, chunk_ref(bytes), i, 1);
    chunk_unref(bytes);
    net_reply(up_last(&fx)->c, 0, &out, 0);
    client_read(&fx, fd, got, 1000);
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(got[i], pattern(1, i));
    close(fd);
    fixture_release(&fx);
}

/* A peer that does not read gets all of it later, and nobody waits for it. */
static void a_slow_reader_holds_nobody_up(void **state)
{
    struct fixture fx;
    uint8_t *body = pattern_new(4, 3000000);
    int slow, quick;

    fixture_init(&fx);
    fx.echo = true;
    fixture_start(&fx);
    slow = client_connect(&fx);
    quick = client_connect(&fx);
    for (int i = 0; i < 5; i++)
        client_frame(&fx, slow, body, 3000000);
    UNTIL(&fx, fx.conns[0]->n_frames == 5);
    for (int i = 0; i < 20; i++)
        fixture_pump(&fx);
    assert_true(fx.conns[0]->c->blocked);
    for (int i = 0; i < 10; i++) {
        client_frame(&fx, quick, "hello", 5);
        client_read(&fx, quick, body, 9);
    }
    assert_false(net_all_sent(fx.net));
    for (int i = 0; i < 5; i++)
        client_expect_echo(&fx, slow, 4, 3000000);
    assert_true(net_all_sent(fx.net));
    close(slow);
    close(quick);
    free(body);
    fixture_release(&fx);
}

struct real_file {
    struct vfs *vfs;
    struct file *file;
    char path[64];
};

static void real_file_make(struct real_file *f, size_t seed, size_t n)
{
    uint8_t *p = pattern_new(seed, n);

    snprintf(f->path, sizeof(f->path), "/tmp/test_net_send.%d", (int)getpid());
    f->vfs = vfs_posix_new();
    assert_int_equal(vfs_open(f->vfs, f->path, VFS_WRITE | VFS_CREATE | VFS_TRUNCATE, &f->file), 0);
    assert_int_equal(file_pwrite(f->file, p, n, 0), 0);
    free(p);
}

static void real_file_end(struct real_file *f)
{
    assert_int_equal(f->file->refs, 1);
    file_unref(f->file);
    assert_int_equal(vfs_unlink(f->vfs, f->path), 0);
    vfs_posix_free(f->vfs);
}

static void send_ranges(struct fixture *fx, struct file *file, int fd, size_t seed, size_t n)
{
    struct up_conn *u = up_last(fx);
    int first = u->n_frames;

    for (int i = 0; i < 3; i++)
        client_frame(fx, fd, "x", 1);
    UNTIL(fx, u->n_frames == first + 3);
    for (int i = 2; i >= 0; i--) {
        struct chunk *head = chunk_new(4);
        struct out out;

        put_be32(head->data, (uint32_t)n);
        out_init(&out);
        out_put_chunk(&out, head, 0, 4);
        out_put_file(&out, file, 0, n / 2);
        out_put_file(&out, file, n / 2, n - n / 2);
        net_reply(u->c, (uint64_t)(first + i), &out, 0);
    }
    for (int i = 0; i < 3; i++)
        client_expect_echo(fx, fd, seed, n);
}

/* Headers and file ranges through sendfile: small, and larger than any socket buffer. */
static void file_ranges_arrive_whole(void **state)
{
    struct fixture fx;
    struct real_file f;
    int fd;

    real_file_make(&f, 5, 12000000);
    fixture_init(&fx);
    fixture_start(&fx);
    fd = client_connect(&fx);
    send_ranges(&fx, f.file, fd, 5, 2);
    send_ranges(&fx, f.file, fd, 5, 12000000);
    close(fd);
    fixture_release(&fx);
    real_file_end(&f);
}

/* The same from a file that has no descriptor. */
static void ranges_of_files_in_memory_arrive_whole(void **state)
{
    struct fixture fx;
    struct vfs *vfs;
    struct file *file;
    uint8_t *p = pattern_new(6, 3000000);
    int fd;

    fixture_init(&fx);
    fixture_start(&fx);
    vfs = vfs_mem_new(fx.clock);
    assert_int_equal(vfs_open(vfs, "/f", VFS_WRITE | VFS_CREATE, &file), 0);
    assert_int_equal(file_pwrite(file, p, 3000000, 0), 0);
    fd = client_connect(&fx);
    send_ranges(&fx, file, fd, 6, 3000000);
    close(fd);
    file_unref(file);
    vfs_mem_free(vfs);
    free(p);
    fixture_release(&fx);
}

/* A file that gives less than was promised ends the connection: its stream would have a hole. */
static void a_file_too_short_ends_the_connection(void **state)
{
    struct fixture fx;
    struct real_file f;
    struct out out;
    int fd;

    real_file_make(&f, 7, 1000);
    fixture_init(&fx);
    fixture_start(&fx);
    fd = client_connect(&fx);
    client_frame(&fx, fd, "x", 1);
    UNTIL(&fx, up_last(&fx)->n_frames == 1);
    out_init(&out);
    out_put_file(&out, f.file, 0, 2000);
    net_reply(up_last(&fx)->c, 0, &out, 0);
    UNTIL(&fx, fx.n_closed == 1);
    assert_int_equal(fx.n_lines, 1);
    assert_non_null(strstr(fx.lines, "can not be read from the log"));
    close(fd);
    fixture_release(&fx);
    real_file_end(&f);
}

/* What the peer sent before it said "no more" is answered; then the connection ends. */
static void a_half_closed_peer_gets_its_replies(void **state)
{
    struct fixture fx;
    struct up_conn *u;
    int fd;

    fixture_init(&fx);
    fixture_start(&fx);
    fd = client_connect(&fx);
    u = up_last(&fx);
    client_frame(&fx, fd, "a", 1);
    client_frame(&fx, fd, "b", 1);
    shutdown(fd, SHUT_WR);
    UNTIL(&fx, u->n_frames == 2);
    for (int i = 0; i < 20; i++)
        fixture_pump(&fx);
    assert_false(u->closed);
    up_echo(u, 1);
    up_echo(u, 0);
    UNTIL(&fx, u->closed);
    assert_int_equal(client_drain(fd), 10);
    assert_true(client_is_closed(fd));
    assert_int_equal(fx.n_lines, 0);
    close(fd);
    fixture_release(&fx);
}

/* A reset while frames are in work ends the connection at once, and their replies are released. */
static void a_reset_ends_the_connection_with_frames_in_work(void **state)
{
    const struct linger abort_it = {.l_onoff = 1, .l_linger = 0};
    struct fixture fx;
    struct up_conn *u;
    int fd;

    fixture_init(&fx);
    fixture_start(&fx);
    fd = client_connect(&fx);
    u = up_last(&fx);
    for (int i = 0; i < 3; i++)
        client_frame(&fx, fd, "x", 1);
    UNTIL(&fx, u->n_frames == 3);
    up_echo(u, 2);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort_it, sizeof(abort_it));
    close(fd);
    UNTIL(&fx, u->closed);
    assert_true(net_all_sent(fx.net));
    assert_int_equal(fx.n_lines, 0);
    fixture_release(&fx);
}

/* The same when it was not read from any more: a reset is still seen. */
static void a_reset_of_a_peer_that_is_not_read_is_seen(void **state)
{
    const struct linger abort_it = {.l_onoff = 1, .l_linger = 0};
    struct fixture fx;
    struct up_conn *u;
    int fd;

    fixture_init(&fx);
    fx.options.in_work_max = 2;
    fixture_start(&fx);
    fd = client_connect(&fx);
    u = up_last(&fx);
    for (int i = 0; i < 2; i++)
        client_frame(&fx, fd, "x", 1);
    UNTIL(&fx, u->n_frames == 2);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort_it, sizeof(abort_it));
    close(fd);
    UNTIL(&fx, u->closed);
    fixture_release(&fx);
}

/* A close takes its place in the order: replies before it leave, the others do not, and one line
 * says why. */
static void a_close_waits_for_the_replies_before_it(void **state)
{
    struct fixture fx;
    struct up_conn *u;
    int fd;

    fixture_init(&fx);
    fixture_start(&fx);
    fd = client_connect(&fx);
    u = up_last(&fx);
    for (int i = 0; i < 4; i++)
        client_frame(&fx, fd, "x", 1);
    UNTIL(&fx, u->n_frames == 4);
    up_echo(u, 3);
    net_conn_close(u->c, 2, "a bad request");
    net_conn_close(u->c, 3, "a later one");
    up_echo(u, 1);
    client_frame(&fx, fd, "not read any more", 17);
    for (int i = 0; i < 20; i++)
        fixture_pump(&fx);
    assert_false(u->closed);
    assert_int_equal(u->n_frames, 4);
    up_echo(u, 0);
    UNTIL(&fx, u->closed);
    assert_int_equal(fx.n_lines, 1);
    assert_non_null(strstr(fx.lines, "closed: a bad request"));
    assert_true(net_all_sent(fx.net));
    close(fd);
    fixture_release(&fx);
}

/* Muted means not read from, until the time is over; the reply itself leaves at once (KIP-219). */
static void a_muted_connection_is_not_read(void **state)
{
    struct fixture fx;
    struct up_conn *u;
    struct chunk *chunk = chunk_new(4);
    struct out out;
    int fd;

    fixture_init(&fx);
    fixture_start(&fx);
    fd = client_connect(&fx);
    u = up_last(&fx);
    client_frame(&fx, fd, "x", 1);
    UNTIL(&fx, u->n_frames == 1);
    put_be32(chunk->data, 0);
    out_init(&out);
    out_put_chunk(&out, chunk, 0, 4);
    net_reply(u->c, 0, &out, 500);
    UNTIL(&fx, net_all_sent(fx.net));
    assert_int_equal(client_drain(fd), 4);
    client_frame(&fx, fd, "y", 1);
    fixture_advance_ms(&fx, 499);
    for (int i = 0; i < 20; i++)
        fixture_pump(&fx);
    assert_int_equal(u->n_frames, 1);
    fixture_advance_ms(&fx, 1);
    UNTIL(&fx, u->n_frames == 2);
    close(fd);
    fixture_release(&fx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_leave_in_the_order_of_frames),
        cmocka_unit_test(an_empty_reply_passes_its_turn),
        cmocka_unit_test(many_pieces_make_one_reply),
        cmocka_unit_test(a_slow_reader_holds_nobody_up),
        cmocka_unit_test(file_ranges_arrive_whole),
        cmocka_unit_test(ranges_of_files_in_memory_arrive_whole),
        cmocka_unit_test(a_file_too_short_ends_the_connection),
        cmocka_unit_test(a_half_closed_peer_gets_its_replies),
        cmocka_unit_test(a_reset_ends_the_connection_with_frames_in_work),
        cmocka_unit_test(a_reset_of_a_peer_that_is_not_read_is_seen),
        cmocka_unit_test(a_close_waits_for_the_replies_before_it),
        cmocka_unit_test(a_muted_connection_is_not_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
