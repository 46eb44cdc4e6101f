/* What compaction leaves of transactions: of their records, and of the markers that end them. */
#include "filter_ground.h"

#define PLAIN_TXN BATCH_TRANSACTIONAL

static void aborted(struct ground *g, int64_t first_offset, int64_t last_offset)
{
    struct log_aborted a = {GROUND_PRODUCER, first_offset, last_offset, last_offset + 1};
    struct log_aborted_list list = {.p = &a, .n = 1};

    cleaned_txns_add(&g->filter.txns, &list);
}

static void next_pass(struct ground *g)
{
    cleaned_txns_release(&g->filter.txns);
}

static void run_data(struct ground *g, int64_t base, const char *const *records)
{
    ground_make(g, base, PLAIN_TXN, records);
    ground_run(g, false);
}

static void run_marker(struct ground *g, int64_t offset, bool commits)
{
    ground_make_marker(g, offset, commits);
    ground_run(g, false);
}

/* Records of an aborted transaction go at once, though nothing supersedes them and the map does not reach so far. */
static void aborted_records_go_at_once(void **state)
{
    struct ground *g = ground_new();

    aborted(g, 10, 20);
    g->filter.latest = 5;
    run_data(g, 10, (const char *const[]){"a=1", "b", NULL});
    assert_int_equal(g->out.n, 0);
    run_data(g, 15, (const char *const[]){"c=1", NULL});
    assert_int_equal(g->out.n, 0);
    /* Another producer's, and a plain batch of the same one's, are no part of it. */
    ground_make(g, 16, 0, (const char *const[]){"d=1", NULL});
    ground_run(g, false);
    assert_int_equal(g->out.n, g->batch.n);
    ground_free(g);
}

/* What was committed is compacted like anything else; so are the transactions before and behind an aborted one. */
static void committed_records_are_compacted(void **state)
{
    struct ground *g = ground_new();

    ground_make(g, 30, PLAIN_TXN, (const char *const[]){"a=9", NULL});
    ground_learn(g);
    aborted(g, 20, 21);
    run_data(g, 10, (const char *const[]){"a=1", "b=1", NULL});
    ground_expect_left(g, "11:101:b=1 ");
    run_marker(g, 12, true);
    assert_int_equal(g->out.n, g->batch.n);
    run_data(g, 20, (const char *const[]){"b=2", NULL});
    assert_int_equal(g->out.n, 0);
    run_marker(g, 21, false);
    assert_int_equal(g->out.n, g->batch.n);
    run_data(g, 30, (const char *const[]){"a=9", NULL});
    ground_expect_left(g, "30:100:a=9 ");
    ground_free(g);
}

/* A marker stays as it is while there is a batch of its transaction. Then it gets a time, and goes when that has come. */
static void a_marker_goes_in_two_passes(void **state)
{
    for (int commits = 0; commits < 2; commits++) {
        struct ground *g = ground_new();

        if (!commits)
            aborted(g, 10, 12);
        run_data(g, 10, (const char *const[]){"a=1", NULL});
        run_marker(g, 12, commits);
        assert_int_equal(g->out.n, g->batch.n);
        assert_int_equal(g->filter.txns.kept.n, commits ? 0 : 1);
        next_pass(g);
        ground_run(g, false);
        assert_true(g->left.attributes & BATCH_DELETE_HORIZON);
        assert_int_equal(g->left.base_timestamp_ms, GROUND_NOW_MS + GROUND_RETAIN_MS);
        assert_int_equal(g->left.record_count, 1);
        assert_int_equal(g->left.max_timestamp_ms, 100);
        assert_int_equal(g->filter.txns.kept.n, 0);
        ground_again(g);
        g->filter.now_ms += GROUND_RETAIN_MS - 1;
        ground_run(g, false);
        assert_int_equal(g->out.n, g->batch.n);
        g->filter.now_ms++;
        ground_run(g, false);
        assert_int_equal(g->out.n, 0);
        ground_free(g);
    }
}

/* A marker that is the last thing of its producer keeps its epoch: as a header, when its time has come. */
static void the_last_marker_of_a_producer_stays(void **state)
{
    struct ground *g = ground_new();
    struct log_producer_end end = {GROUND_PRODUCER, -1, GROUND_EPOCH};

    g->filter.producers = &end;
    g->filter.n_producers = 1;
    run_marker(g, 12, true);
    ground_again(g);
    g->filter.now_ms += GROUND_RETAIN_MS;
    ground_run(g, false);
    assert_int_equal(g->left.record_count, 0);
    assert_int_equal(g->left.producer_epoch, GROUND_EPOCH);
    assert_true(g->left.attributes & BATCH_CONTROL);
    ground_again(g);
    ground_run(g, false);
    assert_int_equal(g->left.record_count, 0);
    /* The producer has gone on, or was forgotten. */
    end.last_offset = 40;
    ground_run(g, false);
    assert_int_equal(g->out.n, 0);
    end = (struct log_producer_end){GROUND_PRODUCER, -1, GROUND_EPOCH + 1};
    ground_run(g, false);
    assert_int_equal(g->out.n, 0);
    ground_free(g);
}

/* An empty batch with a producer's last sequence is a batch of its transaction: marker and index entry stay with it. */
static void an_empty_batch_keeps_the_marker(void **state)
{
    struct ground *g = ground_new();
    struct log_producer_end end = {GROUND_PRODUCER, 10, GROUND_EPOCH};

    g->filter.producers = &end;
    g->filter.n_producers = 1;
    for (int pass = 0; pass < 2; pass++) {
        next_pass(g);
        aborted(g, 10, 11);
        if (pass == 0)
            ground_make(g, 10, PLAIN_TXN, (const char *const[]){"a=1", NULL});
        else
            ground_again(g);
        ground_run(g, false);
        assert_int_equal(g->left.record_count, 0);
        assert_int_equal(g->left.base_sequence, GROUND_SEQUENCE);
        assert_true(g->left.attributes & BATCH_TRANSACTIONAL);
        if (pass == 0) {
            struct batch data = g->left;
            struct buf kept = g->out;

            g->out = (struct buf){0};
            run_marker(g, 11, false);
            assert_int_equal(g->out.n, g->batch.n);
            assert_int_equal(g->filter.txns.kept.n, 1);
            buf_release(&g->out);
            g->out = kept;
            g->left = data;
        }
    }
    ground_make_marker(g, 11, false);
    ground_run(g, false);
    assert_int_equal(g->out.n, g->batch.n);
    assert_int_equal(g->filter.txns.kept.n, 1);
    ground_free(g);
}

/* A transaction over two segments is told of twice; its marker ends it once. */
static void a_transaction_may_be_told_of_again(void **state)
{
    struct ground *g = ground_new();

    aborted(g, 10, 30);
    run_data(g, 10, (const char *const[]){"a=1", NULL});
    aborted(g, 10, 30);
    run_data(g, 20, (const char *const[]){"a=2", NULL});
    assert_int_equal(g->out.n, 0);
    run_marker(g, 30, false);
    assert_int_equal(g->filter.txns.kept.n, 1);
    assert_int_equal(g->filter.txns.kept.p[0].first_offset, 10);
    run_data(g, 31, (const char *const[]){"a=3", NULL});
    ground_expect_left(g, "31:100:a=3 ");
    ground_free(g);
}

/* A control batch of another kind stays; one whose key cannot be read is damage. */
static void other_control_batches_stay(void **state)
{
    struct ground *g = ground_new();
    struct bytes key;

    ground_make(g, 10, BATCH_CONTROL | BATCH_TRANSACTIONAL, (const char *const[]){"abcd=1", NULL});
    key = bytes_of(g->batch.p + BATCH_HEADER_BYTES + 5, 4);
    assert_memory_equal(key.p, "abcd", 4);
    ground_run(g, false);
    assert_int_equal(g->out.n, g->batch.n);
    ground_make(g, 11, BATCH_CONTROL | BATCH_TRANSACTIONAL, (const char *const[]){"a=1", NULL});
    g->out.n = 0;
    assert_int_equal(filter_batch(&g->filter, g->batch.p, &g->b, false, &g->out, &g->left), E_CORRUPT);
    ground_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(aborted_records_go_at_once),
        cmocka_unit_test(committed_records_are_compacted),
        cmocka_unit_test(a_marker_goes_in_two_passes),
        cmocka_unit_test(the_last_marker_of_a_producer_stays),
        cmocka_unit_test(an_empty_batch_keeps_the_marker),
        cmocka_unit_test(a_transaction_may_be_told_of_again),
        cmocka_unit_test(other_control_batches_stay),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
