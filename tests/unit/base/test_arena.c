/* Arenas: zeroed, aligned, apart from one another, gone at once. */
#include "base.h"
#include "support_death.h"

#include <setjmp.h>

#include <cmocka.h>

static bool all_zero(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i])
            return false;
    return true;
}

/* Every allocation is zeroed, aligned to 16 and overlaps none before it, for sizes on both sides of
 * a block's. */
static void allocations_are_zeroed_aligned_and_apart(void **state)
{
    static const size_t sizes[] = {0, 1, 15, 16, 17, 1000, 1024, 1025, 4064, 4096, 70000};
    uint8_t *places[ARRAY_SIZE(sizes) * 20];
    struct arena a;

    arena_init(&a);
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        size_t n = sizes[i % ARRAY_SIZE(sizes)];

        places[i] = arena_alloc(&a, n);
        assert_int_equal((uintptr_t)places[i] % 16, 0);
        assert_true(all_zero(places[i], n));
        memset(places[i], (int)i + 1, n);
    }
    for (size_t i = 0; i < ARRAY_SIZE(places); i++)
        for (size_t k = 0; k < sizes[i % ARRAY_SIZE(sizes)]; k++)
            assert_int_equal(places[i][k], (uint8_t)(i + 1));
    arena_release(&a);
    assert_int_equal(a.total_bytes, 0);
}

/* A large piece does not throw away the rest of the block that is being filled. */
static void large_piece_leaves_the_block_in_use(void **state)
{
    struct arena a;
    uint8_t *before, *after;

    arena_init(&a);
    before = arena_alloc(&a, 16);
    arena_alloc(&a, 100000);
    after = arena_alloc(&a, 16);
    assert_ptr_equal(after, before + 16);
    assert_true(a.total_bytes >= 100000 + 4096);
    arena_release(&a);
}

/* An arena that was never used takes nothing and can be released, twice, and used again. */
static void unused_arena_takes_nothing(void **state)
{
    struct arena a;

    arena_init(&a);
    assert_int_equal(a.total_bytes, 0);
    arena_release(&a);
    arena_release(&a);
    assert_non_null(arena_alloc(&a, 1));
    arena_release(&a);
}

/* Copies of text are terminated; null stays null and empty stays empty. */
static void text_is_copied_with_its_null(void **state)
{
    struct arena a;
    char text[] = "topic";
    struct str copy;

    arena_init(&a);
    copy = arena_str(&a, str_of(text));
    text[0] = 'T';
    assert_string_equal(copy.p, "topic");
    assert_int_equal(copy.n, 5);
    assert_null(arena_str(&a, str_of(NULL)).p);
    assert_non_null(arena_str(&a, STR("")).p);
    assert_null(arena_bytes(&a, (struct bytes){0}).p);
    assert_non_null(arena_bytes(&a, bytes_of("", 0)).p);
    assert_memory_equal(arena_bytes(&a, bytes_of("xyz", 3)).p, "xyz", 3);
    copy = arena_printf(&a, "%s-%d", "orders", 12);
    assert_true(str_is(copy, "orders-12"));
    assert_string_equal(copy.p, "orders-12");
    arena_release(&a);
}

static void overflow_array(void *arg)
{
    struct arena a;

    arena_init(&a);
    arena_array(&a, SIZE_MAX / 2, 4);
}

/* A product that overflows is a bug, not a small array. */
static void overflowing_array_aborts(void **state)
{
    assert_true(dies_with(overflow_array, NULL, "assert failed"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations_are_zeroed_aligned_and_apart),
        cmocka_unit_test(large_piece_leaves_the_block_in_use),
        cmocka_unit_test(unused_arena_takes_nothing),
        cmocka_unit_test(text_is_copied_with_its_null),
        cmocka_unit_test(overflowing_array_aborts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
