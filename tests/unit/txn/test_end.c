/* Partitions of a transaction, and its end, in both generations (src/txn/partitions.c, end.c). */
#include "desk.h"

#include "internal.h"

static struct desk d;
static struct desk_producer p;

static int setup(void **state)
{
    return desk_open_with(&d, &p);
}

static int teardown(void **state)
{
    desk_close(&d);
    return 0;
}

/* ---- partitions */

/* The first partition begins the transaction; what is in already writes nothing. */
static void partitions_are_added_once(void **state)
{
    int64_t records;

    assert_int_equal(desk_add(&d, p, 3), KE_NONE);
    assert_string_equal(desk_state(&d, "x"), "Ongoing 1000:0 t-3");
    records = desk_records(&d);
    assert_int_equal(desk_add(&d, p, 3), KE_NONE);
    assert_int_equal(desk_records(&d), records);
    assert_int_equal(desk_add(&d, p, 1), KE_NONE);
    assert_string_equal(desk_state(&d, "x"), "Ongoing 1000:0 t-1 t-3");
}

static void who_may_not_add(void **state)
{
    struct desk_producer wrong = p;

    wrong.producer_id++;
    assert_int_equal(desk_add(&d, wrong, 3), KE_INVALID_PRODUCER_ID_MAPPING);
    wrong = p;
    wrong.epoch++;
    assert_int_equal(desk_add(&d, wrong, 3), KE_PRODUCER_FENCED);
    assert_int_equal(desk_add(&d, NOBODY("unknown"), 3), KE_INVALID_PRODUCER_ID_MAPPING);
    assert_int_equal(desk_add(&d, NOBODY(""), 3), KE_INVALID_REQUEST);
    assert_string_equal(desk_state(&d, "x"), "Empty 1000:0");
}

/* A verification changes nothing, and says of each partition whether it is in. */
static void verification(void **state)
{
    int32_t partitions[] = {3, 4};
    struct desk_answer *a;

    desk_add(&d, p, 3);
    a = desk_ask_add(&d, p, partitions, 2, true);
    desk_settle(&d);
    assert_int_equal(a->add.error, KE_NONE);
    assert_int_equal(a->add.partitions[0].error, KE_NONE);
    assert_int_equal(a->add.partitions[1].error, KE_TRANSACTION_ABORTABLE);
    assert_string_equal(desk_state(&d, "x"), "Ongoing 1000:0 t-3");
}

/* What Produce asks: the same, in its own words. */
static void verification_for_produce(void **state)
{
    struct desk_producer fenced = p;

    assert_int_equal(desk_verify(&d, p, 3), KE_TRANSACTION_ABORTABLE);
    desk_add(&d, p, 3);
    assert_int_equal(desk_verify(&d, p, 3), KE_NONE);
    assert_int_equal(desk_verify(&d, p, 4), KE_TRANSACTION_ABORTABLE);
    fenced.epoch--;
    assert_int_equal(desk_verify(&d, fenced, 3), KE_INVALID_PRODUCER_EPOCH);
    desk_end(&d, p, true);
    assert_int_equal(desk_verify(&d, p, 3), KE_TRANSACTION_ABORTABLE);
}

/* TV2: the first write puts its partition in. */
static void first_write_adds(void **state)
{
    assert_int_equal(desk_write(&d, p, 3), KE_NONE);
    assert_int_equal(desk_write(&d, p, 3), KE_NONE);
    assert_int_equal(desk_write(&d, p, 5), KE_NONE);
    assert_string_equal(desk_state(&d, "x"), "Ongoing 1000:0 t-3 t-5");
}

/* A record of it that does not fit into a batch is refused; the transaction stays as it was. */
static void too_many_partitions(void **state)
{
    int32_t n = 300000; /* 4 bytes each, in a batch of 1 MiB */
    int32_t *partitions = xcalloc((size_t)n, sizeof(*partitions));
    struct desk_answer *a;

    desk_add(&d, p, 1);
    for (int32_t i = 0; i < n; i++)
        partitions[i] = n - i;
    a = desk_ask_add(&d, p, partitions, n, false);
    desk_settle(&d);
    assert_int_equal(a->add.error, KE_UNKNOWN_SERVER_ERROR);
    assert_string_equal(desk_state(&d, "x"), "Ongoing 1000:0 t-1");
    a = desk_ask_add(&d, p, partitions, 1000, false);
    desk_settle(&d);
    assert_int_equal(a->add.error, KE_NONE);
    free(partitions);
}

static void offsets_add_the_groups_partition(void **state)
{
    struct add_offsets_to_txn_request rq = {STR("x"), p.producer_id, p.epoch, STR("group")};
    struct desk_answer *a = desk_ask_add(&d, p, NULL, 0, true);
    struct add_offsets_to_txn_response rsp = {0};

    desk_settle(&d);
    a->done = false;
    txnm_add_offsets(d.m, &rq, &rsp, &a->call);
    desk_settle(&d);
    assert_int_equal(rsp.error_code, KE_NONE);
    assert_string_equal(desk_state(&d, "x"), "Ongoing 1000:0 __consumer_offsets-5");
}

/* ---- EndTxn, first generation */

static void commit_and_abort(void **state)
{
    for (int commit = 0; commit < 2; commit++) {
        d.n_markers = 0;
        desk_add(&d, p, 3);
        desk_add(&d, p, 5);
        assert_int_equal(desk_end(&d, p, commit), KE_NONE);
        assert_string_equal(desk_state(&d, "x"),
                            commit ? "CompleteCommit 1000:0" : "CompleteAbort 1000:0");
        assert_int_equal(d.n_markers, 2);
        assert_int_equal(d.markers[0].marker.committed, commit);
        assert_int_equal(d.markers[0].marker.producer_epoch, 0);
        assert_int_equal(desk_end(&d, p, commit), KE_NONE); /* the answer was lost */
        assert_int_equal(desk_end(&d, p, !commit), KE_INVALID_TXN_STATE);
        assert_int_equal(d.n_markers, 2);
    }
}

static void who_may_not_end(void **state)
{
    struct desk_producer wrong = p;

    assert_int_equal(desk_end(&d, p, true), KE_INVALID_TXN_STATE); /* Empty */
    desk_add(&d, p, 3);
    wrong.producer_id++;
    assert_int_equal(desk_end(&d, wrong, true), KE_INVALID_PRODUCER_ID_MAPPING);
    wrong = p;
    wrong.epoch++;
    assert_int_equal(desk_end(&d, wrong, true), KE_PRODUCER_FENCED);
    assert_int_equal(desk_end(&d, NOBODY("unknown"), true), KE_INVALID_PRODUCER_ID_MAPPING);
    assert_int_equal(desk_end(&d, NOBODY(""), true), KE_INVALID_REQUEST);
    assert_int_equal(d.n_markers, 0);
}

/* While markers cannot be written: the outcome is fixed, everything else waits. */
static void in_prepare(void **state)
{
    struct desk_producer v2 = p;

    desk_add(&d, p, 3);
    d.markers_rc = E_NOSPC;
    assert_int_equal(desk_end(&d, p, true), KE_NONE);
    assert_int_equal(desk_end(&d, p, true), KE_CONCURRENT_TRANSACTIONS);
    assert_int_equal(desk_end(&d, p, false), KE_INVALID_TXN_STATE);
    assert_int_equal(desk_add(&d, p, 4), KE_CONCURRENT_TRANSACTIONS);
    assert_int_equal(desk_write(&d, p, 4), KE_CONCURRENT_TRANSACTIONS);
    assert_int_equal(desk_verify(&d, p, 3), KE_CONCURRENT_TRANSACTIONS);
    assert_int_equal(desk_end_v2(&d, &v2, true), KE_PRODUCER_FENCED);
}

/* ---- EndTxn, second generation */

/* The epoch grows with each end, and the answer has it; a repeat with the old one gets the same. */
static void epoch_grows_with_each_end(void **state)
{
    for (int i = 0; i < 3; i++) {
        struct desk_producer before = p, again = p;

        desk_write(&d, p, 3);
        assert_int_equal(desk_end_v2(&d, &p, true), KE_NONE);
        assert_int_equal(p.epoch, before.epoch + 1);
        assert_int_equal(d.markers[i].marker.producer_epoch, p.epoch);
        assert_int_equal(d.markers[i].marker.transaction_version, 2);
        assert_int_equal(desk_end_v2(&d, &again, true), KE_NONE);
        assert_int_equal(again.epoch, p.epoch);
        again = before;
        assert_int_equal(desk_end_v2(&d, &again, false), KE_INVALID_TXN_STATE);
        assert_int_equal(desk_write(&d, before, 3), KE_INVALID_PRODUCER_EPOCH);
    }
    assert_int_equal(d.n_markers, 3);
}

/* A repeat while the markers are on their way. */
static void repeat_in_prepare(void **state)
{
    struct desk_producer before = p, again = p;

    desk_write(&d, p, 3);
    d.markers_rc = E_NOSPC;
    assert_int_equal(desk_end_v2(&d, &p, false), KE_NONE);
    assert_int_equal(desk_end_v2(&d, &again, false), KE_CONCURRENT_TRANSACTIONS);
    assert_int_equal(desk_end_v2(&d, &again, true), KE_INVALID_TXN_STATE);
    again = p;
    assert_int_equal(desk_end_v2(&d, &again, false), KE_PRODUCER_FENCED);
    d.markers_rc = 0;
    desk_pass_ms(&d, 1000);
    assert_int_equal(desk_end_v2(&d, &before, false), KE_NONE);
    assert_int_equal(before.epoch, p.epoch);
}

/* A producer may abort before any of its writes came here; it may not commit nothing. */
static void abort_of_nothing(void **state)
{
    struct desk_producer again = p;

    assert_int_equal(desk_end_v2(&d, &again, true), KE_INVALID_TXN_STATE);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(desk_end_v2(&d, &p, false), KE_NONE);
        assert_int_equal(p.epoch, i + 1);
    }
    assert_string_equal(desk_state(&d, "x"), "CompleteAbort 1000:3");
    again = p;
    assert_int_equal(desk_end_v2(&d, &again, true), KE_INVALID_TXN_STATE);
    assert_int_equal(d.n_markers, 0);
}

/* The last epoch: the transaction ends under 32,767, and the producer goes on with a new id. */
static void epochs_run_out(void **state)
{
    struct desk_producer before, again;

    p = (struct desk_producer){"x", 5, INT16_MAX - 1};
    desk_found(&d, p, TXN_EMPTY);
    before = again = p;
    desk_write(&d, p, 3);
    assert_int_equal(desk_end_v2(&d, &p, true), KE_NONE);
    assert_int_equal(p.producer_id, 1001);
    assert_int_equal(p.epoch, 0);
    assert_int_equal(d.markers[0].marker.producer_id, 5);
    assert_int_equal(d.markers[0].marker.producer_epoch, INT16_MAX);
    assert_string_equal(desk_state(&d, "x"), "CompleteCommit 1001:0");
    assert_int_equal(desk_end_v2(&d, &again, true), KE_NONE);
    assert_int_equal(again.producer_id, 1001);
    assert_int_equal(desk_write(&d, before, 3), KE_INVALID_PRODUCER_ID_MAPPING);
    assert_int_equal(desk_write(&d, p, 3), KE_NONE);
}

/* No new producer id to be had: the transaction stays open, the client asks again. */
static void epochs_run_out_without_a_producer_id(void **state)
{
    p = (struct desk_producer){"x", 5, INT16_MAX - 1};
    desk_found(&d, p, TXN_EMPTY);
    desk_write(&d, p, 3);
    d.producer_id_error = KE_COORDINATOR_LOAD_IN_PROGRESS;
    assert_int_equal(desk_end_v2(&d, &p, true), KE_COORDINATOR_LOAD_IN_PROGRESS);
    assert_string_equal(desk_state(&d, "x"), "Ongoing 5:32766 t-3");
    d.producer_id_error = KE_NONE;
    assert_int_equal(desk_end_v2(&d, &p, true), KE_NONE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(partitions_are_added_once),
        TEST(who_may_not_add),
        TEST(verification),
        TEST(verification_for_produce),
        TEST(first_write_adds),
        TEST(too_many_partitions),
        TEST(offsets_add_the_groups_partition),
        TEST(commit_and_abort),
        TEST(who_may_not_end),
        TEST(in_prepare),
        TEST(epoch_grows_with_each_end),
        TEST(repeat_in_prepare),
        TEST(abort_of_nothing),
        TEST(epochs_run_out),
        TEST(epochs_run_out_without_a_producer_id),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
