/* Markers, restarts, timeouts and expiry (src/txn/ending.c, apply.c, expiry.c, partitions.c). */
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

/* ---- order and number of commits */

/* No marker before the Prepare record is durable. */
static void markers_after_prepare(void **state)
{
    struct desk_answer *a;

    desk_add(&d, p, 3);
    a = desk_ask_end(&d, p, true, 4);
    assert_int_equal(d.n_markers, 0);
    desk_turn(&d);
    assert_int_equal(d.n_markers, 0);
    desk_settle(&d);
    assert_int_equal(d.n_markers, 1);
    assert_true(a->done);
}

/* How many flushes an EndTxn of n partitions waits for. */
static int flushes_of(int n)
{
    struct desk_answer *a;
    int flushes = 0;

    for (int32_t i = 0; i < n; i++)
        desk_add(&d, p, i);
    a = desk_ask_end(&d, p, true, 4);
    while (!a->done) {
        logm_turn(d.logm);
        if (a->done)
            break;
        assert_true(lanes_sim_step(d.env.lanes) || logm_wants_turn(d.logm));
        flushes++;
        assert_true(flushes < 100);
    }
    desk_settle(&d);
    assert_int_equal(d.n_markers, n);
    d.n_markers = 0;
    return flushes;
}

/* Twelve partitions cost what one costs. */
static void flushes_do_not_grow_with_partitions(void **state)
{
    int one, twelve;

    flushes_of(12); /* their logs are made */
    one = flushes_of(1);
    twelve = flushes_of(12);
    assert_int_equal(one, twelve);
    assert_true(one <= 3);
}

/* The markers of a partition that cannot be written come later, the others are not repeated. */
static void markers_are_tried_again(void **state)
{
    desk_add(&d, p, 3);
    d.markers_rc = E_NOSPC;
    assert_int_equal(desk_end(&d, p, true), KE_NONE);
    desk_pass_ms(&d, 5000);
    assert_string_equal(desk_state(&d, "x"), "PrepareCommit 1000:0 t-3");
    assert_false(txnm_settled(d.m));
    d.markers_rc = 0;
    desk_pass_ms(&d, 1000);
    assert_string_equal(desk_state(&d, "x"), "CompleteCommit 1000:0");
    assert_true(txnm_settled(d.m));
    desk_pass_ms(&d, 5000);
    assert_int_equal(d.n_markers, 1);
}

/* A partition that is gone needs no marker. */
static void partition_is_gone(void **state)
{
    desk_add(&d, p, 3);
    desk_add(&d, p, 999);
    assert_int_equal(desk_end(&d, p, true), KE_NONE);
    assert_string_equal(desk_state(&d, "x"), "CompleteCommit 1000:0");
}

/* ---- restarts */

/* Killed at every step of EndTxn: the transaction ends the way that was decided, or is still
 * open; and it is the same after a clean stop. */
static void killed_at_every_step(void **state)
{
    bool ended = false;

    for (int steps = 0; !ended; steps++) {
        struct desk_answer *a;

        p = NOBODY("x");
        while (desk_init(&d, &p) == KE_CONCURRENT_TRANSACTIONS)
            ;
        desk_write(&d, p, 1);
        desk_write(&d, p, 2);
        d.n_markers = 0;
        a = desk_ask_end(&d, p, true, 5);
        for (int i = 0; i < steps && !a->done; i++) {
            logm_turn(d.logm);
            lanes_sim_step(d.env.lanes);
        }
        ended = a->done;
        desk_restart(&d, false);
        desk_pass_ms(&d, 10);
        assert_memory_equal(desk_state(&d, "x"), "CompleteCommit ", 15);
        assert_true(desk_markers_of(&d, 1) >= 1);
        assert_true(desk_markers_of(&d, 2) >= 1);
        for (int i = 0; i < d.n_markers; i++) {
            assert_true(d.markers[i].marker.committed);
            assert_int_equal(d.markers[i].marker.producer_epoch, p.epoch + 1);
        }
        assert_true(steps < 100);
    }
}

/* An ongoing transaction goes on after a restart, and its time runs on. */
static void ongoing_goes_on(void **state)
{
    uint64_t digest;

    desk_add(&d, p, 3);
    digest = txnm_digest(d.m);
    desk_pass_ms(&d, 30000);
    desk_restart(&d, true);
    assert_int_equal(txnm_digest(d.m), digest);
    assert_string_equal(desk_state(&d, "x"), "Ongoing 1000:0 t-3");
    assert_int_equal(desk_add(&d, p, 4), KE_NONE);
    desk_pass_ms(&d, 40000);
    assert_string_equal(desk_state(&d, "x"), "CompleteAbort 1000:1");
}

/* Records of other versions and states are reported and skipped. */
static void unreadable_records_are_skipped(void **state)
{
    struct transaction_log_value v;

    transaction_log_value_init(&v);
    v.producer_id = 9;
    desk_record(&d, "x", &v, 2);
    v.transaction_status = TXN_DEAD;
    desk_record(&d, "x", &v, 1);
    assert_string_equal(desk_state(&d, "x"), "Empty 1000:0");
}

/* transaction.version 0: records that older brokers read; the state is the same after a restart. */
static void old_records(void **state)
{
    struct desk_producer q = NOBODY("q");

    d.level = TXN_VERSION_0;
    desk_init(&d, &q);
    desk_add(&d, q, 3);
    desk_restart(&d, true);
    assert_string_equal(desk_state(&d, "q"), "Ongoing 1001:0 t-3");
}

/* ---- time */

/* Looked for every 10 s: a transaction that is older than its timeout is aborted, its producer
 * fenced. */
static void timed_out(void **state)
{
    desk_add(&d, p, 3);
    desk_pass_ms(&d, 60000);
    assert_string_equal(desk_state(&d, "x"), "Ongoing 1000:0 t-3");
    desk_pass_ms(&d, 10000);
    assert_string_equal(desk_state(&d, "x"), "CompleteAbort 1000:1");
    assert_int_equal(desk_add(&d, p, 3), KE_PRODUCER_FENCED);
    assert_int_equal(desk_end(&d, p, true), KE_PRODUCER_FENCED);
}

/* TV2: its epoch grows once, so that the producer can go on with the epoch that it asks for. */
static void timed_out_v2(void **state)
{
    desk_write(&d, p, 3);
    desk_pass_ms(&d, 70000);
    assert_string_equal(desk_state(&d, "x"), "CompleteAbort 1000:1");
    assert_int_equal(desk_write(&d, p, 3), KE_INVALID_PRODUCER_EPOCH);
    assert_int_equal(desk_init_again(&d, &p), KE_NONE);
    assert_int_equal(p.epoch, 1);
}

/* A calendar that jumps ahead ends nothing. */
static void calendar_jumps(void **state)
{
    desk_add(&d, p, 3);
    clock_sim_jump_wall(d.clock, 86400000);
    desk_pass_ms(&d, 20000);
    assert_string_equal(desk_state(&d, "x"), "Ongoing 1000:0 t-3");
}

/* Nor does it keep one open that has begun since, whichever way it jumps. */
static void calendar_jumps_before(void **state)
{
    for (int64_t ms = -86400000; ms <= 86400000; ms += 2 * 86400000) {
        clock_sim_jump_wall(d.clock, ms);
        assert_int_equal(desk_init(&d, &p), KE_NONE);
        desk_add(&d, p, 3);
        desk_pass_ms(&d, 50000);
        assert_int_equal(desk_add(&d, p, 4), KE_NONE);
        desk_pass_ms(&d, 20000);
        assert_int_equal(desk_add(&d, p, 3), KE_PRODUCER_FENCED);
    }
}

/* After a restart the time goes on where it was; when the calendar is behind, all of it is left. */
static void time_goes_on_after_a_restart(void **state)
{
    desk_add(&d, p, 3);
    desk_pass_ms(&d, 50000);
    desk_restart(&d, true);
    desk_pass_ms(&d, 20000);
    assert_string_equal(desk_state(&d, "x"), "CompleteAbort 1000:1");
    assert_int_equal(desk_init(&d, &p), KE_NONE);
    desk_add(&d, p, 3);
    clock_sim_jump_wall(d.clock, -86400000);
    desk_restart(&d, true);
    desk_pass_ms(&d, 50000);
    assert_string_equal(desk_state(&d, "x"), "Ongoing 1000:2 t-3");
    desk_pass_ms(&d, 20000);
    assert_string_equal(desk_state(&d, "x"), "CompleteAbort 1000:3");
}

/* Idle for seven days: forgotten, for good. Ongoing ones are not. */
static void transactional_ids_expire(void **state)
{
    desk_pass_ms(&d, 7LL * 86400000 - 7200000);
    assert_string_equal(desk_state(&d, "x"), "Empty 1000:0");
    desk_pass_ms(&d, 3 * 3600000);
    assert_string_equal(desk_state(&d, "x"), "TRANSACTIONAL_ID_NOT_FOUND");
    desk_restart(&d, true);
    assert_string_equal(desk_state(&d, "x"), "TRANSACTIONAL_ID_NOT_FOUND");
    assert_int_equal(desk_add(&d, p, 3), KE_INVALID_PRODUCER_ID_MAPPING);
}

/* ---- open transactions that a log is found with */

static enum txn_fate fate(struct desk_producer q, int epoch, int32_t partition)
{
    return txnm_fate(d.m, q.producer_id, (int16_t)epoch, STR("t"), partition);
}

/* TV2: an epoch is a transaction. What its note is missing of goes on with it; of the one before, the end is known. */
static void fates(void **state)
{
    assert_int_equal(txnm_fate(d.m, 12345, 0, STR("t"), 3), TXN_FATE_ABORTED);
    assert_int_equal(fate(p, 0, 3), TXN_FATE_JOINS); /* the first of the first: Empty */
    desk_write(&d, p, 3);
    assert_int_equal(fate(p, 0, 3), TXN_FATE_OPEN);
    assert_int_equal(fate(p, 0, 4), TXN_FATE_JOINS);
    desk_end_v2(&d, &p, true);
    assert_int_equal(fate(p, 0, 3), TXN_FATE_COMMITTED);
    assert_int_equal(fate(p, 1, 3), TXN_FATE_JOINS);
    desk_write(&d, p, 3);
    assert_int_equal(fate(p, 0, 3), TXN_FATE_ABORTED);
    desk_end_v2(&d, &p, false);
    assert_int_equal(fate(p, 1, 3), TXN_FATE_ABORTED);
    desk_init(&d, &p);
    assert_int_equal(fate(p, 2, 3), TXN_FATE_ABORTED);
    assert_int_equal(fate(p, 3, 3), TXN_FATE_JOINS);
}

/* TV1: the note is durable before the first record is sent, so only a marker can be missing. */
static void fates_v1(void **state)
{
    desk_add(&d, p, 3);
    assert_int_equal(fate(p, 0, 3), TXN_FATE_OPEN);
    assert_int_equal(fate(p, 0, 4), TXN_FATE_ABORTED);
    desk_end(&d, p, false);
    assert_int_equal(fate(p, 0, 3), TXN_FATE_ABORTED);
    desk_add(&d, p, 3);
    desk_end(&d, p, true);
    assert_int_equal(fate(p, 0, 3), TXN_FATE_COMMITTED);
    desk_init(&d, &p);
    assert_int_equal(fate(p, 0, 3), TXN_FATE_ABORTED);
}

/* While its Prepare record is on its way to the disk, or its markers, the coordinator will end it. */
static void fates_while_it_ends(void **state)
{
    desk_write(&d, p, 3);
    desk_ask_end(&d, p, true, 5);
    assert_int_equal(fate(p, 0, 3), TXN_FATE_OPEN);
    assert_int_equal(fate(p, 0, 4), TXN_FATE_ABORTED);
    /* The next one was begun when this was over: it cannot join yet. */
    assert_int_equal(fate(p, 1, 3), TXN_FATE_JOINS);
    assert_int_equal(txnm_join(d.m, p.producer_id, STR("t"), 3), KE_CONCURRENT_TRANSACTIONS);
    desk_settle(&d);
    assert_int_equal(fate(p, 1, 3), TXN_FATE_JOINS);
    assert_int_equal(txnm_join(d.m, p.producer_id, STR("t"), 3), KE_NONE);
}

/* The same, where the next one has a new producer id. */
static void fates_of_the_next_producer_id(void **state)
{
    int64_t next = d.next_producer_id;

    p = (struct desk_producer){"y", 5, 32766};
    desk_found(&d, p, TXN_EMPTY);
    assert_int_equal(desk_write(&d, p, 3), KE_NONE);
    assert_int_equal(txnm_fate(d.m, next, 0, STR("t"), 3), TXN_FATE_ABORTED);
    desk_ask_end(&d, p, true, 5);
    assert_int_equal(txnm_fate(d.m, next, 0, STR("t"), 3), TXN_FATE_JOINS);
    assert_int_equal(txnm_join(d.m, next, STR("t"), 3), KE_CONCURRENT_TRANSACTIONS);
    desk_settle(&d);
    assert_int_equal(txnm_join(d.m, next, STR("t"), 3), KE_NONE);
}

/* A partition joins the transaction that is going on, or begins one. */
static void joins(void **state)
{
    assert_int_equal(txnm_join(d.m, p.producer_id, STR("t"), 3), KE_NONE);
    assert_string_equal(desk_state(&d, "x"), "Ongoing 1000:0 t-3");
    assert_int_equal(txnm_join(d.m, p.producer_id, STR("t"), 4), KE_NONE);
    assert_string_equal(desk_state(&d, "x"), "Ongoing 1000:0 t-3 t-4");
    desk_restart(&d, true);
    assert_string_equal(desk_state(&d, "x"), "Ongoing 1000:0 t-3 t-4");
    assert_int_equal(desk_end_v2(&d, &p, true), KE_NONE);
    assert_int_equal(desk_markers_of(&d, 4), 1);
}

/* ---- lists */

static int listed(const char *state, int64_t producer_id, int64_t duration_ms)
{
    struct list_transactions_request rq = {.duration_filter = duration_ms};
    struct txn_sight sight = {0};
    struct str states[] = {str_of(state)};
    struct desk_answer *a = desk_ask_add(&d, p, NULL, 0, true);
    int n;

    desk_settle(&d);
    a->done = false;
    rq.state_filters = states;
    rq.n_state_filters = state ? 1 : 0;
    rq.producer_id_filters = &producer_id;
    rq.n_producer_id_filters = producer_id < 0 ? 0 : 1;
    txnm_list(d.m, &rq, &sight, &a->list, &a->call);
    desk_settle(&d);
    assert_true(a->done);
    n = a->list.n_transaction_states;
    return a->list.n_unknown_state_filters > 0 ? -n - 1 : n;
}

static void lists_are_filtered(void **state)
{
    struct desk_producer other = NOBODY("y");

    desk_init(&d, &other);
    desk_add(&d, other, 3);
    desk_pass_ms(&d, 1000);
    assert_int_equal(listed(NULL, -1, -1), 2);
    assert_int_equal(listed("Ongoing", -1, -1), 1);
    assert_int_equal(listed("CompleteCommit", -1, -1), 0);
    assert_int_equal(listed("Nonsense", -1, -1), -1); /* none, and the name is told */
    assert_int_equal(listed(NULL, other.producer_id, -1), 1);
    assert_int_equal(listed("Ongoing", -1, 999), 1);
    assert_int_equal(listed("Ongoing", -1, 1000), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(markers_after_prepare),
        TEST(flushes_do_not_grow_with_partitions),
        TEST(markers_are_tried_again),
        TEST(partition_is_gone),
        TEST(killed_at_every_step),
        TEST(ongoing_goes_on),
        TEST(unreadable_records_are_skipped),
        TEST(old_records),
        TEST(timed_out),
        TEST(timed_out_v2),
        TEST(calendar_jumps_before),
        TEST(time_goes_on_after_a_restart),
        TEST(fates_v1),
        TEST(fates_while_it_ends),
        TEST(fates_of_the_next_producer_id),
        TEST(joins),
        TEST(calendar_jumps),
        TEST(transactional_ids_expire),
        TEST(fates),
        TEST(lists_are_filtered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
