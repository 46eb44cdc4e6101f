/* Chunks: counted references. */
#include "base.h"
#include "support_death.h"

#include <setjmp.h>

#include <cmocka.h>

struct pool {
    struct chunk *got;
    int n;
};

static void recycle(struct chunk *c, void *arg)
{
    struct pool *pool = arg;

    pool->got = c;
    pool->n++;
}

/* The bytes live until the last reference is dropped (the sanitizer sees a leak or a use after
 * free). */
static void last_reference_frees(void **state)
{
    struct chunk *c = chunk_new(100);

    assert_int_equal((uintptr_t)c->data % 16, 0);
    assert_int_equal(c->cap, 100);
    memset(c->data, 7, c->cap);
    assert_ptr_equal(chunk_ref(c), c);
    chunk_unref(c);
    assert_int_equal(c->data[99], 7);
    chunk_unref(c);
    chunk_unref(NULL);
}

/* A chunk of a pool goes back to it, once, with the last reference. */
static void pooled_chunk_goes_back(void **state)
{
    struct pool pool = {0};
    struct chunk *c = chunk_new(0);

    c->recycle = recycle;
    c->pool = &pool;
    chunk_ref(c);
    chunk_unref(c);
    assert_int_equal(pool.n, 0);
    chunk_unref(c);
    assert_int_equal(pool.n, 1);
    assert_ptr_equal(pool.got, c);
    free(c);
}

static void unref_dead(void *arg)
{
    struct pool pool = {0};
    struct chunk *c = chunk_new(1);

    c->recycle = recycle;
    c->pool = &pool;
    chunk_unref(c);
    chunk_unref(c);
}

/* Dropping more references than there are is a bug. */
static void unref_too_many_aborts(void **state)
{
    assert_true(dies_with(unref_dead, NULL, "refs > 0"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(last_reference_frees),
        cmocka_unit_test(pooled_chunk_goes_back),
        cmocka_unit_test(unref_too_many_aborts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
