/* InitProducerId with a transactional id (src/txn/init.c). */
#include "desk.h"

#include "internal.h"

static struct desk d;

static int setup(void **state)
{
    desk_open(&d, NULL);
    return 0;
}

static int teardown(void **state)
{
    desk_close(&d);
    return 0;
}

/* A new transactional id gets a new producer id and epoch 0; each later one the next epoch. */
static void new_then_bumped(void **state)
{
    struct desk_producer p = NOBODY("x"), other = NOBODY("y");

    assert_int_equal(desk_init(&d, &p), KE_NONE);
    assert_int_equal(p.producer_id, 1000);
    assert_int_equal(p.epoch, 0);
    assert_string_equal(desk_state(&d, "x"), "Empty 1000:0");
    assert_int_equal(desk_init(&d, &p), KE_NONE);
    assert_int_equal(p.epoch, 1);
    assert_int_equal(desk_init(&d, &other), KE_NONE);
    assert_int_equal(other.producer_id, 1001);
}

/* The answer waits until the record is durable. */
static void answer_waits_for_the_record(void **state)
{
    struct desk_answer *a = desk_ask_init(&d, NOBODY("x"), 1000);

    assert_false(a->done);
    desk_turn(&d); /* the commit has begun, its job has not run */
    assert_false(a->done);
    desk_settle(&d);
    assert_true(a->done);
}

/* transaction.max.timeout.ms and 0 are the bounds of the timeout. */
static void timeout_has_bounds(void **state)
{
    static const struct {
        int32_t timeout_ms;
        int16_t error;
    } rows[] = {{0, KE_INVALID_TRANSACTION_TIMEOUT},
                {-1, KE_INVALID_TRANSACTION_TIMEOUT},
                {1, KE_NONE},
                {900000, KE_NONE},
                {900001, KE_INVALID_TRANSACTION_TIMEOUT}};

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct desk_answer *a = desk_ask_init(&d, NOBODY("x"), rows[i].timeout_ms);

        desk_settle(&d);
        assert_int_equal(a->init.error_code, rows[i].error);
    }
}

/* KIP-360: a producer that says who it is goes on with the next epoch; the repeat of that very
 * request gets the same; anything older is fenced. */
static void expected_epoch(void **state)
{
    struct desk_producer p = NOBODY("x"), before, older;

    desk_init(&d, &p);
    older = p;
    assert_int_equal(desk_init_again(&d, &p), KE_NONE);
    assert_int_equal(p.epoch, 1);
    before = p;
    assert_int_equal(desk_init_again(&d, &p), KE_NONE);
    assert_int_equal(p.epoch, 2);
    assert_int_equal(desk_init_again(&d, &before), KE_NONE);
    assert_int_equal(before.epoch, 2);
    assert_int_equal(desk_init_again(&d, &older), KE_PRODUCER_FENCED);
    /* a newer instance came: the repeat is fenced, too */
    before.epoch = 1;
    desk_init(&d, &p);
    assert_int_equal(desk_init_again(&d, &before), KE_PRODUCER_FENCED);
}

/* Somebody else's producer id is fenced. */
static void expected_producer_id(void **state)
{
    struct desk_producer p = NOBODY("x"), other;

    desk_init(&d, &p);
    other = p;
    other.producer_id++;
    assert_int_equal(desk_init_again(&d, &other), KE_PRODUCER_FENCED);
}

/* For a transactional id that is not known, what the producer expects does not count. */
static void expected_of_nobody(void **state)
{
    struct desk_producer p = {"x", 77, 3};

    assert_int_equal(desk_init_again(&d, &p), KE_NONE);
    assert_int_equal(p.producer_id, 1000);
    assert_int_equal(p.epoch, 0);
}

/* 32,766 is the last epoch of a producer; then a new producer id comes. */
static void epochs_run_out(void **state)
{
    struct desk_producer p = NOBODY("x"), retry;

    desk_found(&d, (struct desk_producer){"x", 5, INT16_MAX - 2}, TXN_EMPTY);
    assert_int_equal(desk_init(&d, &p), KE_NONE);
    assert_int_equal(p.epoch, INT16_MAX - 1);
    assert_int_equal(p.producer_id, 5);
    retry = p;
    assert_int_equal(desk_init_again(&d, &p), KE_NONE);
    assert_int_equal(p.epoch, 0);
    assert_int_equal(p.producer_id, 1000);
    /* its repeat, still under the old id */
    assert_int_equal(desk_init_again(&d, &retry), KE_NONE);
    assert_int_equal(retry.producer_id, 1000);
    assert_int_equal(retry.epoch, 0);
}

/* Epochs that are used up, and a producer that is not the one that used them. */
static void epochs_run_out_for_another(void **state)
{
    struct desk_producer p = {"x", 5, 100};

    desk_found(&d, (struct desk_producer){"x", 5, INT16_MAX - 1}, TXN_EMPTY);
    assert_int_equal(desk_init_again(&d, &p), KE_PRODUCER_FENCED);
    p = NOBODY("x");
    assert_int_equal(desk_init(&d, &p), KE_NONE);
    assert_int_equal(p.producer_id, 1000);
}

/* No producer id to be had: the client asks again; nothing has changed. */
static void no_producer_id(void **state)
{
    struct desk_producer p = NOBODY("x");

    d.producer_id_error = KE_COORDINATOR_LOAD_IN_PROGRESS;
    assert_int_equal(desk_init(&d, &p), KE_COORDINATOR_LOAD_IN_PROGRESS);
    assert_string_equal(desk_state(&d, "x"), "TRANSACTIONAL_ID_NOT_FOUND");
    d.producer_id_error = KE_NONE;
    assert_int_equal(desk_init(&d, &p), KE_NONE);
}

/* An ongoing transaction is aborted first, under an epoch that nobody gets. */
static void ongoing_is_aborted_first(void **state)
{
    struct desk_producer p = NOBODY("x"), next = NOBODY("x");

    desk_init(&d, &p);
    desk_add(&d, p, 3);
    assert_int_equal(desk_init(&d, &next), KE_CONCURRENT_TRANSACTIONS);
    assert_string_equal(desk_state(&d, "x"), "CompleteAbort 1000:1");
    assert_int_equal(d.n_markers, 1);
    assert_int_equal(d.markers[0].marker.producer_epoch, 1);
    assert_false(d.markers[0].marker.committed);
    assert_int_equal(d.markers[0].marker.coordinator_epoch, 5);
    assert_int_equal(desk_end(&d, p, true), KE_PRODUCER_FENCED);
    assert_int_equal(desk_init(&d, &next), KE_NONE);
    assert_int_equal(next.epoch, 2);
}

/* The abort is the broker's, of whatever generation the client is: with transaction.version 2 a client that says who it is
 * gets the new epoch itself; before, it is fenced. */
static void abort_is_of_the_brokers_generation(void **state)
{
    static const struct {
        const char *id;
        int16_t level, of_the_marker, error;
    } rows[] = {{"x", TXN_VERSION_2, TXN_VERSION_2, KE_NONE},
                {"y", TXN_VERSION_1, TXN_VERSION_0, KE_PRODUCER_FENCED},
                {"z", TXN_VERSION_0, TXN_VERSION_0, KE_PRODUCER_FENCED}};

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct desk_producer p = NOBODY(rows[i].id);

        d.level = rows[i].level;
        d.n_markers = 0;
        desk_init(&d, &p);
        desk_add(&d, p, 3);
        assert_int_equal(desk_init_again(&d, &p), KE_CONCURRENT_TRANSACTIONS);
        assert_int_equal(d.markers[0].marker.producer_epoch, 1);
        assert_int_equal(d.markers[0].marker.transaction_version, rows[i].of_the_marker);
        assert_int_equal(desk_init_again(&d, &p), rows[i].error);
        assert_int_equal(p.epoch, rows[i].error ? 0 : 1);
    }
}

/* While a transaction is being ended the client is told to ask again. */
static void while_it_ends(void **state)
{
    struct desk_producer p = NOBODY("x"), next = NOBODY("x");

    desk_init(&d, &p);
    desk_add(&d, p, 3);
    d.markers_rc = E_NOSPC;
    assert_int_equal(desk_end(&d, p, true), KE_NONE);
    assert_string_equal(desk_state(&d, "x"), "PrepareCommit 1000:0 t-3");
    assert_int_equal(desk_init(&d, &next), KE_CONCURRENT_TRANSACTIONS);
    d.markers_rc = 0;
    desk_pass_ms(&d, 1000);
    assert_int_equal(desk_init(&d, &next), KE_NONE);
    assert_int_equal(next.epoch, 1);
}

/* A shard that cannot be had. */
static void no_coordinator(void **state)
{
    struct desk_producer p = NOBODY("x");

    d.unavailable = true;
    assert_int_equal(desk_init(&d, &p), KE_COORDINATOR_NOT_AVAILABLE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(new_then_bumped),
        TEST(answer_waits_for_the_record),
        TEST(timeout_has_bounds),
        TEST(expected_epoch),
        TEST(expected_producer_id),
        TEST(expected_of_nobody),
        TEST(epochs_run_out),
        TEST(epochs_run_out_for_another),
        TEST(no_producer_id),
        TEST(ongoing_is_aborted_first),
        TEST(while_it_ends),
        TEST(no_coordinator),
        TEST(abort_is_of_the_brokers_generation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
