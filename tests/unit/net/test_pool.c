/* Chunks that go round. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pool.h"

/* Whatever the size, the chunk is large enough, and not much larger. */
static void chunks_fit_their_size(void **state)
{
    struct pool *p = pool_new();

    for (size_t n = 1; n < (size_t)300 << 20; n = n * 9 / 8 + 1) {
        for (size_t near = n > 2 ? n - 2 : 1; near <= n + 2; near++) {
            struct chunk *c = pool_get(p, near);

            assert_true(c->cap >= near);
            assert_true(near > 4096 ? c->cap < near + near / 2 + 1 : c->cap <= 4096);
            assert_int_equal(p->held_bytes, c->cap);
            chunk_unref(c);
            pool_trim(p);
            pool_trim(p);
        }
    }
    assert_int_equal(p->held_bytes, 0);
    pool_free(p);
}

/* What was let go of is taken again, the newest first, and its bytes are left as they are while
 * somebody holds it. */
static void released_chunks_come_back(void **state)
{
    struct pool *p = pool_new();
    struct chunk *a = pool_get(p, 100000), *b = pool_get(p, 100000);

    assert_ptr_not_equal(a, b);
    memset(a->data, 'a', a->cap);
    chunk_ref(a);
    chunk_unref(a);
    chunk_unref(b);
    assert_ptr_equal(pool_get(p, 100000), b);
    for (size_t i = 0; i < a->cap; i++)
        assert_int_equal(a->data[i], 'a');
    chunk_unref(a);
    assert_true(pool_has(p, 100000));
    assert_ptr_equal(pool_get(p, 99999), a);
    chunk_unref(a);
    chunk_unref(b);
    pool_free(p);
}

/* A used chunk of up to twice the size is taken before new memory is; a larger one is not. */
static void a_somewhat_larger_chunk_does(void **state)
{
    struct pool *p = pool_new();
    struct chunk *c = pool_get(p, 128 << 10);

    chunk_unref(c);
    assert_true(pool_has(p, 64 << 10));
    assert_false(pool_has(p, 48 << 10));
    assert_false(pool_has(p, (128 << 10) + 1));
    pool_free(p);
}

/* Small chunks are of exact size and not kept. */
static void small_chunks_are_exact(void **state)
{
    struct pool *p = pool_new();
    struct chunk *c = pool_get(p, 100);

    assert_int_equal(c->cap, 100);
    assert_int_equal(p->held_bytes, 100);
    chunk_unref(c);
    assert_int_equal(p->held_bytes, 0);
    assert_int_equal(p->free_bytes, 0);
    pool_free(p);
}

/* No more than the limit is kept. */
static void the_free_lists_are_bounded(void **state)
{
    struct pool *p = pool_new();
    struct chunk *c[100];

    for (size_t i = 0; i < ARRAY_SIZE(c); i++)
        c[i] = pool_get(p, 1 << 20);
    for (size_t i = 0; i < ARRAY_SIZE(c); i++)
        chunk_unref(c[i]);
    assert_int_equal(p->free_bytes, POOL_FREE_BYTES_MAX);
    assert_int_equal(p->held_bytes, 0);
    pool_free(p);
}

/* A trim frees what nobody took since the one before, and nothing else. */
static void trim_frees_what_lay_idle(void **state)
{
    struct pool *p = pool_new();
    struct chunk *a = pool_get(p, 1 << 20), *b = pool_get(p, 1 << 20);
    size_t one = a->cap;

    chunk_unref(a);
    chunk_unref(b);
    pool_trim(p);
    assert_int_equal(p->free_bytes, 2 * one);
    chunk_unref(pool_get(p, 1 << 20));
    pool_trim(p);
    assert_int_equal(p->free_bytes, one);
    pool_trim(p);
    assert_int_equal(p->free_bytes, 0);
    pool_free(p);
}

/* Growing keeps the bytes, both into a used chunk and into new memory, and the count of held bytes
 * is right. */
static void growing_keeps_the_bytes(void **state)
{
    struct pool *p = pool_new();
    struct chunk *c = pool_get(p, 5000), *used;

    memset(c->data, 'x', 5000);
    c = pool_grow(p, c, 5000, 200000);
    assert_true(c->cap >= 200000);
    assert_int_equal(p->held_bytes, c->cap);
    used = pool_get(p, 1 << 20);
    chunk_unref(used);
    c = pool_grow(p, c, 5000, 1 << 20);
    assert_ptr_equal(c, used);
    assert_int_equal(p->held_bytes, c->cap);
    for (int i = 0; i < 5000; i++)
        assert_int_equal(c->data[i], 'x');
    chunk_unref(c);
    pool_free(p);
}

/* A chunk may outlive the net whose pool it is from: the log's journal does that. */
static void a_chunk_outlives_its_pool(void **state)
{
    struct pool *p = pool_new();
    struct chunk *c = pool_get(p, 1 << 20), *d = pool_get(p, 100);

    pool_free(p);
    memset(c->data, 1, c->cap);
    chunk_unref(c);
    chunk_unref(d); /* the leak checker sees whether this freed all */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_fit_their_size),        cmocka_unit_test(released_chunks_come_back),
        cmocka_unit_test(a_somewhat_larger_chunk_does), cmocka_unit_test(small_chunks_are_exact),
        cmocka_unit_test(the_free_lists_are_bounded),   cmocka_unit_test(trim_frees_what_lay_idle),
        cmocka_unit_test(growing_keeps_the_bytes),      cmocka_unit_test(a_chunk_outlives_its_pool),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
