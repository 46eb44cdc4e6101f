/* Every message in every version, cut short and damaged: decoding refuses or succeeds, and never
 * reads outside the bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "wire_each.h"

#define CUTS_MAX 500 /* per message and version; longer messages are cut at every n-th byte */
#define FLIPS    400

static void each_version(void (*test)(struct wire_case *c, struct rng *rng))
{
    struct rng rng;

    rng_init(&rng, 2);
    for (int i = 0; i < wire_each_count(); i++) {
        const struct wire_message_info *info = wire_each_get(i);

        for (int16_t version = info->version_min; version <= info->version_max; version++) {
            struct wire_case c;

            wire_case_init(&c, info, version);
            wire_case_fill(&c, &rng);
            test(&c, &rng);
            wire_case_release(&c);
        }
    }
}

/* Every byte that encode wrote is needed, so each cut must be refused. */
static void cut(struct wire_case *c, struct rng *rng)
{
    size_t step = c->encoded.n / CUTS_MAX + 1;
    void *m;
    size_t left;

    for (size_t n = rng_below(rng, step); n < c->encoded.n; n += step) {
        int rc = wire_case_decode(c, c->encoded.p, n, &m, &left);

        if (rc != E_CORRUPT)
            fail_msg("%s v%d: %zu of %zu bytes decode with %d", c->info->name, c->version, n,
                     c->encoded.n, rc);
    }
}

/* A message that ends early is refused wherever it ends. */
static void truncations_are_refused(void **state)
{
    (void)state;
    each_version(cut);
}

static void flip(struct wire_case *c, struct rng *rng)
{
    void *m;
    size_t left;

    for (int i = 0; i < FLIPS && c->encoded.n > 0; i++) {
        uint8_t *at = &c->encoded.p[rng_below(rng, c->encoded.n)];
        uint8_t before = *at;
        int rc;

        *at = rng_below(rng, 4) == 0 ? 0xff : (uint8_t)(before ^ (1u << rng_below(rng, 8)));
        rc = wire_case_decode(c, c->encoded.p, c->encoded.n, &m, &left);
        assert_true(rc == 0 || rc == E_CORRUPT);
        assert_true(left <= c->encoded.n);
        *at = before;
    }
}

/* A message with a damaged byte is refused or read as another message, within its bytes. */
static void flipped_bytes_do_no_harm(void **state)
{
    (void)state;
    each_version(flip);
}

static void garbage(struct wire_case *c, struct rng *rng)
{
    uint8_t bytes[96];
    void *m;
    size_t left;

    for (int i = 0; i < 20; i++) {
        size_t n = rng_below(rng, sizeof(bytes));
        int rc;

        for (size_t k = 0; k < n; k++)
            bytes[k] = rng_below(rng, 2) == 0 ? (uint8_t)rng_below(rng, 4) : (uint8_t)rng_next(rng);
        rc = wire_case_decode(c, bytes, n, &m, &left);
        assert_true(rc == 0 || rc == E_CORRUPT);
        assert_true(left <= n);
    }
}

/* Random bytes are refused or read as some message, within the bytes. */
static void garbage_does_no_harm(void **state)
{
    (void)state;
    each_version(garbage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(truncations_are_refused),
        cmocka_unit_test(flipped_bytes_do_no_harm),
        cmocka_unit_test(garbage_does_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
