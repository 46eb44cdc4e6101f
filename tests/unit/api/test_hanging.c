/* Transactions that a log has open and their coordinator does not know of, as a power cut or the deletion of the coordinator's topic
 * leaves them (src/broker/hanging.c): here records are written into a log behind the coordinator's back, and the broker is killed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "box.h"

#define API_DELETE_TOPICS    20
#define API_INIT_PRODUCER_ID 22
#define API_END_TXN          26

static struct box box;
static struct box_conn *conn;
static int64_t producer_id;

static int setup(void **state)
{
    box_start(&box, "transaction.state.log.num.partitions=1", NULL);
    conn = box_connect(&box);
    box_create_topic(conn, "t", 3, NULL, NULL);
    return 0;
}

static int teardown(void **state)
{
    box_end(&box);
    return 0;
}

static void begin(void)
{
    struct init_producer_id_request rq;
    struct init_producer_id_response *rsp;

    init_producer_id_request_init(&rq);
    rq.transactional_id = STR("x");
    rq.transaction_timeout_ms = 60000;
    rsp = box_call(conn, API_INIT_PRODUCER_ID, 4, &rq);
    assert_int_equal(rsp->error_code, KE_NONE);
    assert_int_equal(rsp->producer_epoch, 0);
    producer_id = rsp->producer_id;
}

static struct log *log_of(int32_t partition)
{
    struct log *log;

    assert_int_equal(
        broker_log(box.broker, meta_topic(box.broker->meta, STR("t")), partition, true, &log), 0);
    return log;
}

static void write_unknown(int32_t partition, int64_t id, int16_t epoch)
{
    struct log_append a = {.origin = LOG_FROM_CLIENT, .verified = true};
    struct batch_options options = BATCH_OPTIONS_NONE;
    struct batch_builder bb;
    struct buf bytes;

    options.attributes = BATCH_TRANSACTIONAL;
    options.producer_id = id;
    options.producer_epoch = epoch;
    options.base_sequence = 0;
    buf_init(&bytes);
    batch_begin(&bb, &bytes, options);
    batch_add(&bb, clock_wall(box.env.clock).ms, (struct bytes){NULL, 0}, bytes_of("v", 1), NULL,
              0);
    assert_int_equal(batch_end(&bb), 0);
    a.chunk = chunk_new(bytes.n);
    memcpy(a.chunk->data, bytes.p, bytes.n);
    a.p = a.chunk->data;
    a.n_bytes = bytes.n;
    assert_int_equal(log_append(log_of(partition), &a), 0);
    assert_int_equal(a.error, KE_NONE);
    chunk_unref(a.chunk);
    buf_release(&bytes);
}

static void again(void)
{
    box_restart(&box, false);
    conn = box_connect(&box);
    for (int i = 0; i < 8; i++)
        box_turn(&box);
}

static int16_t end_txn(int16_t epoch, bool commit)
{
    struct end_txn_request rq;
    struct end_txn_response *rsp;

    end_txn_request_init(&rq);
    rq.transactional_id = STR("x");
    rq.producer_id = producer_id;
    rq.producer_epoch = epoch;
    rq.committed = commit;
    rsp = box_call(conn, API_END_TXN, 5, &rq);
    return rsp->error_code;
}

static bool is_open(int32_t partition)
{
    return log_stable_offset(log_of(partition)) < log_end_offset(log_of(partition));
}

/* A record and its marker are there, and it was aborted, or not. */
static void ended(int32_t partition, bool aborted)
{
    struct log_aborted_list list = {0};

    assert_int_equal(log_end_offset(log_of(partition)), 2);
    assert_int_equal(log_stable_offset(log_of(partition)), 2);
    assert_int_equal(log_aborted_between(log_of(partition), 0, 2, &list), 0);
    assert_int_equal(list.n, aborted);
    log_aborted_list_release(&list);
}

/* Nobody knows the producer: aborted, and once. */
static void of_nobody(void **state)
{
    begin();
    write_unknown(1, producer_id + 77, 3);
    again();
    ended(1, true);
    again();
    ended(1, true);
}

/* The first note of a transaction is lost: the transaction begins, its producer goes on and commits. */
static void of_a_transaction_that_begins(void **state)
{
    begin();
    write_unknown(1, producer_id, 0);
    write_unknown(2, producer_id, 0);
    again();
    assert_true(is_open(1));
    assert_true(is_open(2));
    assert_int_equal(end_txn(0, true), KE_NONE);
    ended(1, false);
    ended(2, false);
}

/* The same, and nobody comes: its time runs out. */
static void of_a_transaction_that_begins_and_times_out(void **state)
{
    begin();
    write_unknown(1, producer_id, 0);
    again();
    assert_true(is_open(1));
    box_advance_ms(&box, 71000);
    ended(1, true);
}

/* The one before was committed, and this marker is lost. The log does not come first: its own marker has the epoch of the records. */
static void of_the_last_transaction(void **state)
{
    for (int commit = 0; commit < 2; commit++) {
        int16_t epoch = (int16_t)commit;

        if (commit == 0)
            begin();
        write_unknown(0, producer_id, epoch);
        again();
        assert_int_equal(end_txn(epoch, commit), KE_NONE);
        assert_false(is_open(0));
        write_unknown(1 + commit, producer_id, epoch);
        again();
        ended(1 + commit, !commit);
    }
}

/* The coordinator's topic is deleted: its transactions are aborted when that is durable, and not before, for a power cut may bring
 * the topic back. */
static void of_a_deleted_coordinator(void **state)
{
    struct str name = STR("__transaction_state");
    struct delete_topics_request rq;

    begin();
    assert_int_equal(end_txn(0, false), KE_NONE);
    write_unknown(1, producer_id, 1);
    delete_topics_request_init(&rq);
    rq.topic_names = &name;
    rq.n_topic_names = 1;
    rq.timeout_ms = 1000;
    box_send(conn, API_DELETE_TOPICS, 4, &rq);
    for (int i = 0; i < 4; i++)
        broker_turn(box.broker); /* the commit has begun, its job has not run */
    assert_int_equal(log_end_offset(log_of(1)), 1);
    for (int i = 0; i < 8; i++)
        box_turn(&box);
    ended(1, true);
    again();
    ended(1, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(of_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(of_a_transaction_that_begins, setup, teardown),
        cmocka_unit_test_setup_teardown(of_a_transaction_that_begins_and_times_out, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(of_the_last_transaction, setup, teardown),
        cmocka_unit_test_setup_teardown(of_a_deleted_coordinator, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
