/* Replies on their way out. */
#include "sys.h"

#include <setjmp.h>

#include <cmocka.h>

struct ground {
    struct clock *clock;
    struct vfs *vfs;
    struct file *file; /* holds "0123456789" */
};

static int setup(void **state)
{
    struct ground *g = xcalloc(1, sizeof(*g));

    g->clock = clock_sim_new((struct wall){0});
    g->vfs = vfs_mem_new(g->clock);
    assert_int_equal(vfs_open(g->vfs, "f", VFS_WRITE | VFS_CREATE, &g->file), 0);
    assert_int_equal(file_pwrite(g->file, "0123456789", 10, 0), 0);
    *state = g;
    return 0;
}

static int teardown(void **state)
{
    struct ground *g = *state;

    file_unref(g->file);
    vfs_mem_free(g->vfs);
    clock_sim_free(g->clock);
    free(g);
    return 0;
}

static struct chunk *chunk_of(const char *text)
{
    struct chunk *c = chunk_new(strlen(text));

    memcpy(c->data, text, strlen(text));
    return c;
}

/* Pieces come out in order, chunks and files mixed; the file may lose its name and its other
 * references meanwhile. */
static void pieces_are_read_in_order(void **state)
{
    struct ground *g = *state;
    struct out o;
    char text[32] = {0};

    out_init(&o);
    out_put_chunk(&o, chunk_of("<header>"), 0, 8);
    out_put_file(&o, g->file, 3, 4);
    out_put_chunk(&o, chunk_of("xABx"), 1, 2);
    for (int i = 0; i < 5; i++)
        out_put_file(&o, g->file, (uint64_t)i, 1);
    file_unref(g->file);
    g->file = NULL;
    assert_int_equal(vfs_unlink(g->vfs, "f"), 0);
    assert_int_equal(o.total_bytes, 19);
    assert_int_equal(o.n_pieces, 8);
    assert_int_equal(out_read(&o, (uint8_t *)text), 0);
    assert_string_equal(text, "<header>3456AB01234");
    assert_int_equal(vfs_mem_open_files(g->vfs), 1);
    out_release(&o);
    assert_int_equal(vfs_mem_open_files(g->vfs), 0);
    assert_int_equal(o.total_bytes, 0);
}

/* An empty piece is none, and its reference is taken all the same. */
static void empty_pieces_vanish(void **state)
{
    struct ground *g = *state;
    struct chunk *c = chunk_of("abc");
    struct out o;

    out_init(&o);
    out_put_chunk(&o, chunk_ref(c), 3, 0);
    out_put_file(&o, g->file, 10, 0);
    assert_int_equal(o.n_pieces, 0);
    assert_int_equal(c->refs, 1);
    assert_int_equal(g->file->refs, 1);
    assert_int_equal(out_read(&o, NULL), 0);
    out_release(&o);
    chunk_unref(c);
}

/* Moving takes the references along and leaves nothing. */
static void move_takes_everything(void **state)
{
    struct ground *g = *state;
    struct chunk *c = chunk_of("abc");
    struct out from, to;
    char text[4] = {0};

    out_init(&from);
    out_init(&to);
    out_put_chunk(&from, chunk_ref(c), 0, 3);
    out_put_file(&from, g->file, 0, 1);
    out_move(&from, &to);
    assert_int_equal(from.n_pieces, 0);
    assert_int_equal(from.total_bytes, 0);
    out_release(&from);
    assert_int_equal(c->refs, 2);
    assert_int_equal(out_read(&to, (uint8_t *)text), 0);
    assert_memory_equal(text, "abc0", 4);
    out_release(&to);
    assert_int_equal(c->refs, 1);
    chunk_unref(c);
}

/* A range that the file no longer has is an error, not made-up bytes. */
static void missing_range_is_an_error(void **state)
{
    struct ground *g = *state;
    struct out o;
    uint8_t bytes[8];

    out_init(&o);
    out_put_file(&o, g->file, 5, 8);
    assert_int_equal(out_read(&o, bytes), E_EOF);
    out_release(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pieces_are_read_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(empty_pieces_vanish, setup, teardown),
        cmocka_unit_test_setup_teardown(move_takes_everything, setup, teardown),
        cmocka_unit_test_setup_teardown(missing_range_is_an_error, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
