/* All codecs: round trips, limits, bombs, damage, framing. */
#include "codec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define FIRST CODEC_GZIP /* the codecs that really compress */

/* n bytes that compress a little: runs of random letters. */
static struct buf sample(size_t n)
{
    struct buf b;
    struct rng rng;
    uint8_t byte = 0;

    rng_init(&rng, n);
    buf_init(&b);
    buf_reserve(&b, n);
    for (size_t i = 0; i < n; i++) {
        if (rng_below(&rng, 3) == 0)
            byte = (uint8_t)('a' + rng_below(&rng, 26));
        b.p[b.n++] = byte;
    }
    return b;
}

static struct buf compressed(enum codec c, struct bytes in)
{
    struct buf b;

    buf_init(&b);
    assert_int_equal(codec_compress(c, in, INT32_MIN, &b), 0);
    return b;
}

static struct bytes bytes_in(const struct buf *b)
{
    return (struct bytes){b->p, b->n};
}

/* Names go both ways; "uncompressed" is what brokers call none; nothing else is taken. */
static void names_go_both_ways(void **state)
{
    enum codec c;

    for (int i = 0; i < CODEC_COUNT; i++) {
        assert_true(codec_parse(str_of(codec_name((enum codec)i)), &c));
        assert_int_equal(c, i);
    }
    assert_true(codec_parse(STR("uncompressed"), &c));
    assert_int_equal(c, CODEC_NONE);
    assert_false(codec_parse(STR("producer"), &c));
    assert_false(codec_parse(STR("GZIP"), &c));
    assert_false(codec_parse(STR(""), &c));
    assert_false(codec_parse(str_of(NULL), &c));
}

static void check_round_trip(enum codec c, struct bytes in, int32_t level)
{
    struct buf packed, out;

    buf_init(&packed);
    buf_init(&out);
    buf_put_str(&packed, "head");
    buf_put_str(&out, "kept");
    assert_int_equal(codec_compress(c, in, level, &packed), 0);
    assert_memory_equal(packed.p, "head", 4);
    assert_int_equal(codec_decompress(c, bytes_of(packed.p + 4, packed.n - 4), in.n, &out), 0);
    assert_int_equal(out.n, in.n + 4);
    assert_memory_equal(out.p, "kept", 4);
    if (in.n)
        assert_memory_equal(out.p + 4, in.p, in.n);
    buf_release(&packed);
    buf_release(&out);
}

/* Every codec gives back every size around the borders of its blocks, behind what the output
 * already holds. */
static void round_trips_every_size(void **state)
{
    static const size_t sizes[] = {0,     1,     2,     100,   4095,  4096,   4097,   32767,
                                   32768, 32769, 65535, 65536, 65537, 131073, 1000000};

    for (int c = 0; c < CODEC_COUNT; c++) {
        for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
            struct buf in = sample(sizes[i]);

            check_round_trip((enum codec)c, bytes_in(&in), INT32_MIN);
            buf_release(&in);
        }
    }
}

/* Every level inside Kafka's bounds works, the next ones outside are refused. */
static void levels_are_bounded(void **state)
{
    static const struct {
        enum codec codec;
        int32_t level;
        int rc;
    } cases[] = {
        {CODEC_GZIP, -1, 0},         {CODEC_GZIP, 1, 0},
        {CODEC_GZIP, 9, 0},          {CODEC_GZIP, 0, E_INVALID},
        {CODEC_GZIP, -2, E_INVALID}, {CODEC_GZIP, 10, E_INVALID},
        {CODEC_LZ4, 1, 0},           {CODEC_LZ4, 9, 0},
        {CODEC_LZ4, 10, 0},          {CODEC_LZ4, 17, 0},
        {CODEC_LZ4, 0, E_INVALID},   {CODEC_LZ4, 18, E_INVALID},
        {CODEC_ZSTD, -131072, 0},    {CODEC_ZSTD, 22, 0},
        {CODEC_ZSTD, 23, E_INVALID}, {CODEC_ZSTD, -131073, E_INVALID},
        {CODEC_SNAPPY, 5, 0},        {CODEC_NONE, 5, 0},
    };
    struct buf in = sample(10000);

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct buf out;

        buf_init(&out);
        assert_int_equal(codec_compress(cases[i].codec, bytes_in(&in), cases[i].level, &out),
                         cases[i].rc);
        assert_int_equal(out.n > 0, cases[i].rc == 0);
        buf_release(&out);
        if (cases[i].rc == 0)
            check_round_trip(cases[i].codec, bytes_in(&in), cases[i].level);
    }
    buf_release(&in);
}

/* Exactly max_bytes may come out; one less is E_LIMIT and leaves the output as it was. */
static void the_limit_is_exact(void **state)
{
    static const size_t sizes[] = {1, 4096, 100000};

    for (int c = 0; c < CODEC_COUNT; c++) {
        for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
            struct buf in = sample(sizes[i]), packed = compressed((enum codec)c, bytes_in(&in)),
                       out;

            buf_init(&out);
            buf_put_str(&out, "kept");
            assert_int_equal(codec_decompress((enum codec)c, bytes_in(&packed), in.n - 1, &out),
                             E_LIMIT);
            assert_int_equal(out.n, 4);
            assert_int_equal(codec_decompress((enum codec)c, bytes_in(&packed), in.n, &out), 0);
            assert_int_equal(out.n, in.n + 4);
            buf_release(&out);
            buf_release(&packed);
            buf_release(&in);
        }
    }
}

/* 64 MB in a few kilobytes end in E_LIMIT, with memory of the limit's size, not of the bomb's. */
static void bombs_stay_small(void **state)
{
    size_t n = (size_t)64 << 20, limit = (size_t)1 << 20;
    uint8_t *zeros = xcalloc(1, n);

    for (int c = FIRST; c < CODEC_COUNT; c++) {
        struct buf packed = compressed((enum codec)c, bytes_of(zeros, n)), out;

        buf_init(&out);
        assert_true(packed.n < n / 10);
        assert_int_equal(codec_decompress((enum codec)c, bytes_in(&packed), limit, &out), E_LIMIT);
        assert_int_equal(out.n, 0);
        assert_true(out.cap <= 4 * MAX(limit, 4 * packed.n));
        buf_release(&out);
        buf_release(&packed);
    }
    free(zeros);
}

/* A few bytes that announce gigabytes make no memory grow. */
static void announced_lengths_are_not_believed(void **state)
{
    static const uint8_t snappy[] = {0xff, 0xff, 0xff, 0xff, 0x07, 0x00, 'a'}; /* 2^31 - 1 bytes */
    static const uint8_t zstd[] = {0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0xff, 0xff,
                                   0xff, 0x7f, 0x01, 0x00, 0x00}; /* as many, in a single segment */
    static const uint8_t block[] = {0x82, 'S', 'N', 'A', 'P', 'P',  'Y',  0,    0,    0, 0,
                                    1,    0,   0,   0,   1,   0x7f, 0xff, 0xff, 0xff, 1, 0};
    struct buf out;

    buf_init(&out);
    assert_int_equal(
        codec_decompress(CODEC_SNAPPY, bytes_of(snappy, sizeof(snappy)), 1u << 31, &out),
        E_CORRUPT);
    assert_int_equal(codec_decompress(CODEC_SNAPPY, bytes_of(block, sizeof(block)), 1u << 31, &out),
                     E_CORRUPT);
    assert_true(codec_decompress(CODEC_ZSTD, bytes_of(zstd, sizeof(zstd)), 1u << 31, &out) < 0);
    assert_true(out.cap <= 8192);
    buf_release(&out);
}

/* Nothing is not a compressed form of anything. */
static void empty_input_is_corrupt(void **state)
{
    struct buf out;

    buf_init(&out);
    for (int c = FIRST; c < CODEC_COUNT; c++)
        assert_int_equal(codec_decompress((enum codec)c, (struct bytes){NULL, 0}, 100, &out),
                         E_CORRUPT);
    buf_release(&out);
}

/* Every truncation is refused, but where it falls between two blocks of the snappy framing, which
 * has no end mark. */
static void refuses_every_truncation(void **state)
{
    struct buf in = sample(1500);

    for (int c = FIRST; c < CODEC_COUNT; c++) {
        struct buf packed = compressed((enum codec)c, bytes_in(&in)), out;

        buf_init(&out);
        for (size_t n = 0; n < packed.n; n++) {
            uint8_t *p = xmemdup(packed.p, n ? n : 1);
            int rc = codec_decompress((enum codec)c, bytes_of(p, n), 10000, &out);

            assert_int_equal(rc, c == CODEC_SNAPPY && n == 16 ? 0 : E_CORRUPT);
            assert_int_equal(out.n, 0);
            free(p);
        }
        buf_release(&out);
        buf_release(&packed);
    }
    buf_release(&in);
}

/* Every flip of a bit is refused or harmless, and never makes more than the limit. */
static void survives_every_flip(void **state)
{
    struct buf in = sample(600);

    for (int c = FIRST; c < CODEC_COUNT; c++) {
        struct buf packed = compressed((enum codec)c, bytes_in(&in)), out;
        size_t n_refused = 0;

        buf_init(&out);
        for (size_t i = 0; i < packed.n * 8; i++) {
            uint8_t *p = xmemdup(packed.p, packed.n);
            int rc;

            p[i / 8] ^= (uint8_t)(1 << i % 8);
            out.n = 0;
            rc = codec_decompress((enum codec)c, bytes_of(p, packed.n), 2000, &out);
            assert_true(rc == 0 || rc == E_CORRUPT || rc == E_LIMIT);
            assert_true(out.n <= (rc == 0 ? 2000 : 0));
            n_refused += rc < 0;
            free(p);
        }
        assert_true(n_refused > 0);
        buf_release(&out);
        buf_release(&packed);
    }
    buf_release(&in);
}

/* Two members, frames or streams behind one another are one; anything else behind one is refused.
 */
static void concatenated_streams_are_one(void **state)
{
    struct buf a = sample(5000), b = sample(7000);

    for (int c = FIRST; c < CODEC_COUNT; c++) {
        struct buf packed = compressed((enum codec)c, bytes_in(&a)), out;

        buf_init(&out);
        assert_int_equal(codec_compress((enum codec)c, bytes_in(&b), INT32_MIN, &packed), 0);
        assert_int_equal(codec_decompress((enum codec)c, bytes_in(&packed), 12000, &out), 0);
        assert_int_equal(out.n, 12000);
        assert_memory_equal(out.p, a.p, a.n);
        assert_memory_equal(out.p + a.n, b.p, b.n);
        out.n = 0;
        assert_int_equal(codec_decompress((enum codec)c, bytes_in(&packed), 11999, &out), E_LIMIT);
        buf_put_str(&packed, "rubbish");
        assert_int_equal(codec_decompress((enum codec)c, bytes_in(&packed), 12000, &out),
                         E_CORRUPT);
        assert_int_equal(out.n, 0);
        buf_release(&out);
        buf_release(&packed);
    }
    buf_release(&a);
    buf_release(&b);
}

/* librdkafka may send one raw block without the framing. */
static void snappy_takes_a_raw_block(void **state)
{
    struct buf in = sample(3000), packed = compressed(CODEC_SNAPPY, bytes_in(&in)), out;
    struct bytes raw = {packed.p + 20, packed.n - 20}; /* behind the header and the one length */

    buf_init(&out);
    assert_int_equal(codec_decompress(CODEC_SNAPPY, raw, 3000, &out), 0);
    assert_int_equal(out.n, 3000);
    assert_memory_equal(out.p, in.p, in.n);
    out.n = 0;
    assert_int_equal(codec_decompress(CODEC_SNAPPY, raw, 2999, &out), E_LIMIT);
    buf_release(&out);
    buf_release(&packed);
    buf_release(&in);
}

/* Snappy is written as snappy-java frames it: blocks of 32 KB behind a header of version 1. */
static void snappy_is_framed_as_java_frames_it(void **state)
{
    static const uint8_t header[16] = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0,
                                       0,    0,   0,   1,   0,   0,   0,   1};
    struct buf in = sample(32769), packed = compressed(CODEC_SNAPPY, bytes_in(&in)), out;
    uint32_t first = get_be32(packed.p + 16);

    buf_init(&out);
    assert_memory_equal(packed.p, header, sizeof(header));
    assert_int_equal(packed.n, 20 + first + 4 + get_be32(packed.p + 20 + first));
    packed.p[11] = 0; /* a version before the first */
    assert_int_equal(codec_decompress(CODEC_SNAPPY, bytes_in(&packed), 40000, &out), E_CORRUPT);
    buf_release(&out);
    buf_release(&packed);
    buf_release(&in);
}

/* LZ4 is written as Kafka's reader wants it: version 1, independent blocks of 64 KB, no content
 * checksum or size. */
static void lz4_is_framed_as_kafka_reads_it(void **state)
{
    struct buf in = sample(100), packed = compressed(CODEC_LZ4, bytes_in(&in));

    assert_memory_equal(packed.p, ((uint8_t[]){0x04, 0x22, 0x4d, 0x18, 0x60, 0x40}), 6);
    buf_release(&packed);
    buf_release(&in);
}

/* A zstd frame without content size, as a streaming writer makes it. (One raw block of three bytes,
 * window 1 KB.) */
static void zstd_takes_a_frame_without_its_size(void **state)
{
    static const uint8_t frame[] = {0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x00, 0x19, 0, 0, 'a', 'b', 'c'};
    struct buf out;

    buf_init(&out);
    assert_int_equal(codec_decompress(CODEC_ZSTD, bytes_of(frame, sizeof(frame)), 3, &out), 0);
    assert_int_equal(out.n, 3);
    assert_memory_equal(out.p, "abc", 3);
    buf_release(&out);
}

/* A window of 128 MB is taken, as level 22 asks for it; twice that is over the limit. */
static void zstd_windows_are_bounded(void **state)
{
    uint8_t frame[] = {0x28, 0xb5, 0x2f, 0xfd, 0x00, (27 - 10) << 3, 0x19, 0, 0, 'a', 'b', 'c'};
    struct buf out;

    buf_init(&out);
    assert_int_equal(codec_decompress(CODEC_ZSTD, bytes_of(frame, sizeof(frame)), 3, &out), 0);
    frame[5] = (28 - 10) << 3;
    assert_int_equal(codec_decompress(CODEC_ZSTD, bytes_of(frame, sizeof(frame)), 3, &out),
                     E_LIMIT);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_go_both_ways),
        cmocka_unit_test(round_trips_every_size),
        cmocka_unit_test(levels_are_bounded),
        cmocka_unit_test(the_limit_is_exact),
        cmocka_unit_test(bombs_stay_small),
        cmocka_unit_test(announced_lengths_are_not_believed),
        cmocka_unit_test(empty_input_is_corrupt),
        cmocka_unit_test(refuses_every_truncation),
        cmocka_unit_test(survives_every_flip),
        cmocka_unit_test(concatenated_streams_are_one),
        cmocka_unit_test(snappy_takes_a_raw_block),
        cmocka_unit_test(snappy_is_framed_as_java_frames_it),
        cmocka_unit_test(lz4_is_framed_as_kafka_reads_it),
        cmocka_unit_test(zstd_takes_a_frame_without_its_size),
        cmocka_unit_test(zstd_windows_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
