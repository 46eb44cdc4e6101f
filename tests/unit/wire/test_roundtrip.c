/* Every message in every version: what is encoded is what is decoded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "wire_each.h"

#define FILLS 30

static void assert_same(const struct buf *a, const struct buf *b, const struct wire_case *c,
                        const char *what)
{
    if (a->n != b->n || (a->n > 0 && memcmp(a->p, b->p, a->n) != 0))
        fail_msg("%s v%d: %s differ", c->info->name, c->version, what);
}

/* Decodes c->encoded while its block lives, and compares text and bytes with the original. */
static void check(struct wire_case *c)
{
    void *copy = arena_alloc(&c->arena, c->info->struct_bytes);
    struct buf again, text, text_again;
    struct wire_reader r;

    wire_reader_init(&r, bytes_of(c->encoded.p, c->encoded.n), &c->arena);
    if (c->info->decode(copy, &r, c->version) != 0 || r.at != r.end)
        fail_msg("%s v%d: not decoded whole", c->info->name, c->version);
    buf_init(&again);
    buf_init(&text);
    buf_init(&text_again);
    wire_case_encode(c, copy, &again);
    c->info->dump(c->filled, &text, c->version);
    c->info->dump(copy, &text_again, c->version);
    assert_same(&again, &c->encoded, c, "bytes");
    assert_same(&text, &text_again, c, "dumps");
    buf_release(&text_again);
    buf_release(&text);
    buf_release(&again);
}

static void each_version(void (*test)(struct wire_case *c, struct rng *rng))
{
    struct rng rng;

    rng_init(&rng, 1);
    for (int i = 0; i < wire_each_count(); i++) {
        const struct wire_message_info *info = wire_each_get(i);

        for (int16_t version = info->version_min; version <= info->version_max; version++) {
            struct wire_case c;

            wire_case_init(&c, info, version);
            test(&c, &rng);
            wire_case_release(&c);
        }
    }
}

static void filled(struct wire_case *c, struct rng *rng)
{
    for (int i = 0; i < FILLS; i++) {
        wire_case_fill(c, rng);
        assert_int_equal(c->info->size(c->filled, c->version), c->encoded.n);
        check(c);
    }
}

/* Random values in all fields come back, and size tells the bytes that encode writes. */
static void every_message_comes_back(void **state)
{
    (void)state;
    each_version(filled);
}

static void defaults(struct wire_case *c, struct rng *rng)
{
    (void)rng;
    c->filled = arena_alloc(&c->arena, c->info->struct_bytes);
    memset(c->filled, 0xaa, c->info->struct_bytes);
    c->info->init(c->filled);
    wire_case_encode(c, c->filled, &c->encoded);
    assert_int_equal(c->info->size(c->filled, c->version), c->encoded.n);
    check(c);
}

/* A message at its defaults can be encoded in every version. */
static void every_default_comes_back(void **state)
{
    (void)state;
    each_version(defaults);
}

/* A version outside the message's range is refused by decode, on both sides. */
static void unknown_versions_are_refused(void **state)
{
    (void)state;
    for (int i = 0; i < wire_each_count(); i++) {
        const struct wire_message_info *info = wire_each_get(i);
        struct wire_case c;
        uint8_t zeroes[256] = {0};
        void *m;
        size_t left;

        wire_case_init(&c, info, (int16_t)(info->version_max + 1));
        assert_int_equal(wire_case_decode(&c, zeroes, sizeof(zeroes), &m, &left), E_CORRUPT);
        c.version = (int16_t)(info->version_min - 1);
        assert_int_equal(wire_case_decode(&c, zeroes, sizeof(zeroes), &m, &left), E_CORRUPT);
        wire_case_release(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_comes_back),
        cmocka_unit_test(every_default_comes_back),
        cmocka_unit_test(unknown_versions_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
