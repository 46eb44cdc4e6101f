/* What compaction leaves of a batch. */
#include "filter_ground.h"

/* The last record of each key stays, at its own offset and time, in a batch that spans what it spanned, with its codec. */
static void the_last_of_each_key_stays(void **state)
{
    for (int codec = 0; codec < CODEC_COUNT; codec++) {
        struct ground *g = ground_new();

        ground_make(g, 10, (int16_t)codec, (const char *const[]){"a=1", "b=1", "=x", "a=2", NULL});
        ground_learn(g);
        ground_run(g, false);
        ground_expect_left(g, "11:101:b=1 13:103:a=2 ");
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

    ground_make(g, 10, CODEC_ZSTD, (const char *const[]){"a=1", "b=1", NULL});
    ground_learn(g);
    ground_run(g, false);
    assert_int_equal(g->out.n, g->batch.n);
    assert_memory_equal(g->out.p, g->batch.p, g->out.n);
    ground_free(g);
}

/* Superseded by a later batch: nothing is left; or a header, where the file would end earlier. */
static void an_empty_batch_goes_or_is_a_header(void **state)
{
    struct ground *g = ground_new();

    ground_make(g, 20, CODEC_LZ4, (const char *const[]){"a=9", NULL});
    ground_learn(g);
    ground_make(g, 10, CODEC_LZ4, (const char *const[]){"a=1", "a=2", NULL});
    ground_run(g, false);
    assert_int_equal(g->out.n, 0);
    ground_run(g, true);
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
    ground_make(g, 20, 0, (const char *const[]){"a=9", NULL});
    ground_learn(g);
    ground_make(g, 10, 0, (const char *const[]){"a=1", "a=2", NULL});
    ground_run(g, false);
    assert_int_equal(g->left.record_count, 0);
    assert_int_equal(g->left.producer_id, 7);
    assert_int_equal(batch_last_sequence(&g->left), 41);
    ground_make(g, 5, 0, (const char *const[]){"a=1", NULL});
    ground_run(g, false);
    assert_int_equal(g->out.n, 0);
    ground_free(g);
}

/* The first pass sets the horizon and moves no record's time; a pass before it keeps the tombstone, one at it does not. */
static void a_tombstone_goes_in_two_passes(void **state)
{
    for (int codec = 0; codec < CODEC_COUNT; codec++) {
        struct ground *g = ground_new();

        ground_make(g, 10, (int16_t)codec, (const char *const[]){"a", "b=1", NULL});
        ground_learn(g);
        ground_run(g, false);
        ground_expect_left(g, "10:100:a= 11:101:b=1 ");
        assert_true(g->left.attributes & BATCH_DELETE_HORIZON);
        assert_int_equal(g->left.base_timestamp_ms, GROUND_NOW_MS + GROUND_RETAIN_MS);
        ground_again(g);
        g->filter.now_ms = GROUND_NOW_MS + GROUND_RETAIN_MS - 1;
        ground_run(g, false);
        ground_expect_left(g, "10:100:a= 11:101:b=1 ");
        assert_int_equal(g->left.base_timestamp_ms, GROUND_NOW_MS + GROUND_RETAIN_MS);
        ground_again(g);
        g->filter.now_ms = GROUND_NOW_MS + GROUND_RETAIN_MS;
        ground_run(g, false);
        ground_expect_left(g, "11:101:b=1 ");
        ground_free(g);
    }
}

/* Past what the map knows everything stays, also without a key. */
static void what_the_map_does_not_know_stays(void **state)
{
    struct ground *g = ground_new();

    ground_make(g, 10, 0, (const char *const[]){"a=1", "=x", "a=2", NULL});
    ground_learn(g);
    g->filter.latest = 9;
    ground_run(g, false);
    ground_expect_left(g, "10:100:a=1 11:101:=x 12:102:a=2 ");
    ground_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_of_each_key_stays),       cmocka_unit_test(what_stays_whole_is_not_touched),
        cmocka_unit_test(an_empty_batch_goes_or_is_a_header), cmocka_unit_test(the_last_batch_of_a_producer_stays),
        cmocka_unit_test(a_tombstone_goes_in_two_passes),   cmocka_unit_test(what_the_map_does_not_know_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
