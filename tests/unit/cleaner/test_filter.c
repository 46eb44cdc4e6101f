/* What compaction leaves of a batch. */
#include "filter.h"

#include <setjmp.h>

#include <cmocka.h>

#define NOW_MS     1000000
#define RETAIN_MS  5000
static const uint64_t zero_key[2];

struct ground {
    struct offset_map map;
    struct filter filter;
    struct buf batch, out;
    struct batch b, left;
};

static struct ground *ground_new(void)
{
    struct ground *g = xcalloc(1, sizeof(*g));

    offset_map_init(&g->map, zero_key, 0, 1 << 20, 0.9);
    g->filter = (struct filter){
        .map = &g->map, .latest = 1000, .now_ms = NOW_MS, .delete_retention_ms = RETAIN_MS};
    return g;
}

static void ground_free(struct ground *g)
{
    offset_map_release(&g->map);
    filter_release(&g->filter);
    buf_release(&g->batch);
    buf_release(&g->out);
    free(g);
}

static struct bytes text(const char *s)
{
    return s ? bytes_of(s, strlen(s)) : bytes_of(NULL, 0);
}

/* "key=value" each, "key" for a tombstone, "=value" without a key; ended by NULL. Offsets from `base` on. */
static void make(struct ground *g, int64_t base, int16_t attributes, const char *const *records)
{
    struct batch_options options = BATCH_OPTIONS_NONE;
    struct batch_builder bb;
    int64_t ms = 100;
    int rc;

    g->batch.n = 0;
    options.base_offset = base;
    options.attributes = attributes;
    options.producer_id = 7;
    options.producer_epoch = 2;
    options.base_sequence = 40;
    batch_begin(&bb, &g->batch, options);
    for (; *records; records++) {
        const char *equals = strchr(*records, '=');
        size_t n = equals ? (size_t)(equals - *records) : strlen(*records);

        batch_add(&bb, ms++, n > 0 ? bytes_of(*records, n) : text(NULL), text(equals ? equals + 1 : NULL), NULL, 0);
    }
    rc = batch_end(&bb);
    assert_int_equal(rc, 0);
    assert_int_equal(batch_check(g->batch.p, g->batch.n, &g->b), 0);
}

static void learn(struct ground *g)
{
    struct buf scratch;
    bool fits;

    buf_init(&scratch);
    assert_int_equal(filter_add_keys(&g->map, g->batch.p, &g->b, 0, &scratch, &fits), 0);
    assert_true(fits);
    buf_release(&scratch);
}

static void run(struct ground *g, bool must_stay)
{
    g->out.n = 0;
    assert_int_equal(filter_batch(&g->filter, g->batch.p, &g->b, must_stay, &g->out, &g->left), 0);
    if (g->out.n > 0)
        assert_int_equal(batch_check(g->out.p, g->out.n, &g->left), 0);
}

/* What was left becomes the batch of the next pass. */
static void again(struct ground *g)
{
    g->batch.n = 0;
    buf_put(&g->batch, g->out.p, g->out.n);
    g->b = g->left;
}

/* "offset:timestamp:key=value" of what is left, with a space behind each. */
static void expect_left(struct ground *g, const char *expected)
{
    struct record_iter it;
    struct record r;
    struct buf scratch, shown;

    buf_init(&scratch);
    buf_init(&shown);
    if (g->out.n > 0) {
        assert_int_equal(record_iter_init(&it, g->out.p, &g->left, 1 << 20, &scratch), 0);
        while (record_iter_next(&it, &r) == 1)
            buf_printf(&shown, "%lld:%lld:%.*s=%.*s ", (long long)r.offset, (long long)r.timestamp_ms, (int)r.key.n,
                       r.key.p ? (const char *)r.key.p : "", (int)r.value.n, r.value.p ? (const char *)r.value.p : "");
    }
    assert_string_equal(buf_cstr(&shown), expected);
    buf_release(&scratch);
    buf_release(&shown);
}

/* The last record of each key stays, at its own offset and time, in a batch that spans what it spanned, with its codec. */
static void the_last_of_each_key_stays(void **state)
{
    for (int codec = 0; codec < CODEC_COUNT; codec++) {
        struct ground *g = ground_new();

        make(g, 10, (int16_t)codec, (const char *const[]){"a=1", "b=1", "=x", "a=2", NULL});
        learn(g);
        run(g, false);
        expect_left(g, "11:101:b=1 13:103:a=2 ");
        assert_int_equal(g->left.base_offset, 10);
        assert_int_equal(batch_last_offset(&g->left), 13);
        assert_int_equal(batch_codec(&g->left), codec);
        assert_int_equal(g->left.base_sequence, 40);
        assert_int_equal(g->left.producer_epoch, 2);
        assert_int_equal(g->left.max_timestamp_ms, 103);
        ground_free(g);
    }
}

/* A batch of which all stays is the same bytes. */
static void what_stays_whole_is_not_touched(void **state)
{
    struct ground *g = ground_new();

    make(g, 10, CODEC_ZSTD, (const char *const[]){"a=1", "b=1", NULL});
    learn(g);
    run(g, false);
    assert_int_equal(g->out.n, g->batch.n);
    assert_memory_equal(g->out.p, g->batch.p, g->out.n);
    ground_free(g);
}

/* Superseded by a later batch: nothing is left; or a header, where the file would end earlier. */
static void an_empty_batch_goes_or_is_a_header(void **state)
{
    struct ground *g = ground_new();

    make(g, 20, CODEC_LZ4, (const char *const[]){"a=9", NULL});
    learn(g);
    make(g, 10, CODEC_LZ4, (const char *const[]){"a=1", "a=2", NULL});
    run(g, false);
    assert_int_equal(g->out.n, 0);
    run(g, true);
    assert_int_equal(g->out.n, BATCH_HEADER_BYTES);
    assert_int_equal(g->left.record_count, 0);
    assert_int_equal(batch_last_offset(&g->left), 11);
    assert_int_equal(batch_codec(&g->left), CODEC_NONE);
    ground_free(g);
}

/* The batch with a producer's last sequence stays as a header: the next broker must know it. */
static void the_last_batch_of_a_producer_stays(void **state)
{
    struct ground *g = ground_new();
    const struct log_producer_end ends[] = {{3, 11, 0}, {7, 11, 2}, {9, 5, 0}};

    g->filter.producers = ends;
    g->filter.n_producers = 3;
    make(g, 20, 0, (const char *const[]){"a=9", NULL});
    learn(g);
    make(g, 10, 0, (const char *const[]){"a=1", "a=2", NULL});
    run(g, false);
    assert_int_equal(g->left.record_count, 0);
    assert_int_equal(g->left.producer_id, 7);
    assert_int_equal(batch_last_sequence(&g->left), 41);
    make(g, 5, 0, (const char *const[]){"a=1", NULL});
    run(g, false);
    assert_int_equal(g->out.n, 0);
    ground_free(g);
}

/* The first pass sets the horizon and moves no record's time; a pass before it keeps the tombstone, one at it does not. */
static void a_tombstone_goes_in_two_passes(void **state)
{
    for (int codec = 0; codec < CODEC_COUNT; codec++) {
        struct ground *g = ground_new();

        make(g, 10, (int16_t)codec, (const char *const[]){"a", "b=1", NULL});
        learn(g);
        run(g, false);
        expect_left(g, "10:100:a= 11:101:b=1 ");
        assert_true(g->left.attributes & BATCH_DELETE_HORIZON);
        assert_int_equal(g->left.base_timestamp_ms, NOW_MS + RETAIN_MS);
        again(g);
        g->filter.now_ms = NOW_MS + RETAIN_MS - 1;
        run(g, false);
        expect_left(g, "10:100:a= 11:101:b=1 ");
        assert_int_equal(g->left.base_timestamp_ms, NOW_MS + RETAIN_MS);
        again(g);
        g->filter.now_ms = NOW_MS + RETAIN_MS;
        run(g, false);
        expect_left(g, "11:101:b=1 ");
        ground_free(g);
    }
}

/* Past what the map knows everything stays, also without a key. */
static void what_the_map_does_not_know_stays(void **state)
{
    struct ground *g = ground_new();

    make(g, 10, 0, (const char *const[]){"a=1", "=x", "a=2", NULL});
    learn(g);
    g->filter.latest = 9;
    run(g, false);
    expect_left(g, "10:100:a=1 11:101:=x 12:102:a=2 ");
    ground_free(g);
}

/* A record of a transaction, which may have been aborted, supersedes nothing. */
static void transactions_supersede_nothing(void **state)
{
    struct ground *g = ground_new();

    make(g, 20, BATCH_TRANSACTIONAL, (const char *const[]){"a=9", NULL});
    learn(g);
    make(g, 10, 0, (const char *const[]){"a=1", NULL});
    run(g, false);
    expect_left(g, "10:100:a=1 ");
    make(g, 30, BATCH_TRANSACTIONAL | BATCH_CONTROL, (const char *const[]){"a=9", NULL});
    run(g, false);
    assert_int_equal(g->out.n, g->batch.n);
    ground_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_of_each_key_stays),       cmocka_unit_test(what_stays_whole_is_not_touched),
        cmocka_unit_test(an_empty_batch_goes_or_is_a_header), cmocka_unit_test(the_last_batch_of_a_producer_stays),
        cmocka_unit_test(a_tombstone_goes_in_two_passes),   cmocka_unit_test(what_the_map_does_not_know_stays),
        cmocka_unit_test(transactions_supersede_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
