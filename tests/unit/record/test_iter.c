/* Walking records: golden batches of every codec, and damaged ones. */
#include "golden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const char *const golden_names[] = {
    "mixed-none",    "mixed-gzip",
    "mixed-snappy",  "mixed-lz4",
    "mixed-zstd",    "large-gzip",
    "large-snappy",  "large-lz4",
    "large-zstd",    "lz4-level-12",
    "zstd-level-22", "log-append-time",
    "transactional", "marker-commit",
    "marker-abort",  "compacted-with-delete-horizon",
    "emptied",       "idempotent-sequence-wraps",
};

static struct buf golden_named(const char *name, const char *suffix)
{
    char *file = xasprintf("%s%s", name, suffix);
    struct buf b = golden_file(file);

    free(file);
    return b;
}

/* What we read in a batch of Kafka's is what Kafka reads. */
static void reads_what_kafka_wrote(void **state)
{
    for (size_t i = 0; i < ARRAY_SIZE(golden_names); i++) {
        struct buf batch = golden_named(golden_names[i], ".bin");
        struct buf expected = golden_named(golden_names[i], ".txt"), seen;

        buf_init(&seen);
        assert_int_equal(golden_dump(bytes_of(batch.p, batch.n), &seen), 0);
        assert_string_equal(buf_cstr(&seen), buf_cstr(&expected));
        buf_release(&seen);
        buf_release(&expected);
        buf_release(&batch);
    }
}

/* Walks the whole batch, headers too; the first failure, or 0. */
static int walk(const uint8_t *p, const struct batch *b, size_t max_bytes)
{
    struct buf scratch;
    struct record_header h;
    struct record_iter it;
    struct record r;
    int rc;

    buf_init(&scratch);
    rc = record_iter_init(&it, p, b, max_bytes, &scratch);
    while (rc == 0 && (rc = record_iter_next(&it, &r)) > 0)
        while ((rc = record_header_next(&r, &h)) > 0)
            assert_non_null(h.key.p);
    if (rc < 0)
        assert_int_equal(record_iter_next(&it, &r), 0);
    buf_release(&scratch);
    return rc;
}

/* A compressed body may come to max_bytes and not to one more. */
static void obeys_the_limit(void **state)
{
    struct buf none = golden_file("mixed-none.bin"), zstd = golden_file("mixed-zstd.bin");
    size_t n = none.n - BATCH_HEADER_BYTES;
    struct batch b;

    assert_int_equal(batch_check(zstd.p, zstd.n, &b), 0);
    assert_int_equal(walk(zstd.p, &b, n), 0);
    assert_int_equal(walk(zstd.p, &b, n - 1), E_LIMIT);
    buf_release(&none);
    buf_release(&zstd);
}

/* Without looking at the CRC, any byte changed in any codec's batch is read without a fault, or is
 * refused. */
static void survives_every_flip(void **state)
{
    int n_refused = 0;

    for (size_t k = 0; k < 5; k++) {
        struct buf f = golden_named(golden_names[k], ".bin");

        for (size_t i = BATCH_CRC_FROM * 8; i < f.n * 8; i++) {
            uint8_t *p = xmemdup(f.p, f.n);
            struct batch b;
            int rc;

            p[i / 8] ^= (uint8_t)(1 << i % 8);
            if (batch_decode(p, &b) == 0) {
                rc = walk(p, &b, 100000);
                assert_true(rc == 0 || rc == E_CORRUPT || rc == E_LIMIT);
                n_refused += rc < 0;
            }
            free(p);
        }
        buf_release(&f);
    }
    assert_true(n_refused > 1000);
}

/* A batch that ends early, whatever its codec, is refused by the walk. */
static void refuses_every_truncation(void **state)
{
    for (size_t k = 0; k < 5; k++) {
        struct buf f = golden_named(golden_names[k], ".bin");

        for (size_t n = BATCH_HEADER_BYTES; n < f.n; n++) {
            uint8_t *p = xmemdup(f.p, n);
            struct batch b;

            put_be32(p + BATCH_LENGTH_AT, (uint32_t)(n - BATCH_PREFIX_BYTES));
            assert_int_equal(batch_decode(p, &b), 0);
            assert_int_equal(walk(p, &b, 100000), E_CORRUPT);
            free(p);
        }
        buf_release(&f);
    }
}

/* A record may not claim an offset outside its batch; fewer records than bytes, and unknown codecs,
 * are corrupt. */
static void refuses_contradictions(void **state)
{
    struct buf f = golden_file("mixed-none.bin");
    struct batch b;

    assert_int_equal(batch_decode(f.p, &b), 0);
    b.last_offset_delta = 5;
    assert_int_equal(walk(f.p, &b, 0), E_CORRUPT);
    b.last_offset_delta = 6;
    b.record_count = 6;
    assert_int_equal(walk(f.p, &b, 0), E_CORRUPT);
    b.record_count = 8;
    assert_int_equal(walk(f.p, &b, 0), E_CORRUPT);
    b.record_count = 7;
    assert_int_equal(walk(f.p, &b, 0), 0);
    b.attributes = 5;
    assert_int_equal(walk(f.p, &b, 0), E_CORRUPT);
    buf_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_kafka_wrote), cmocka_unit_test(obeys_the_limit),
        cmocka_unit_test(survives_every_flip),    cmocka_unit_test(refuses_every_truncation),
        cmocka_unit_test(refuses_contradictions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
