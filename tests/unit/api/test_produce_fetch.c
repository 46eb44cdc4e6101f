/* The whole broker in one process, without a socket: produce, fetch, restart. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "box.h"
#include "metrics.h"

/* What is produced with acks=all is read back, at its offsets. */
static void produced_records_are_fetched(void **state)
{
    struct box b;
    struct box_conn *c;
    int64_t base;
    int16_t error;

    box_start(&b, NULL);
    c = box_connect(&b);
    box_create_topic(c, "orders", 3, NULL, NULL);
    assert_int_equal(box_produce(c, "orders", 1, box_batch(&b, "a", 2, -1, -1, -1), -1, &base), 0);
    assert_int_equal(base, 0);
    assert_int_equal(box_produce(c, "orders", 1, box_batch(&b, "b", 3, -1, -1, -1), -1, &base), 0);
    assert_int_equal(base, 2);
    assert_string_equal(box_fetch(c, "orders", 1, 0, &error), "a0,a1,b0,b1,b2,");
    assert_string_equal(box_fetch(c, "orders", 1, 2, &error), "b0,b1,b2,");
    assert_string_equal(box_fetch(c, "orders", 0, 0, &error), "");
    assert_int_equal(error, KE_NONE);
    box_fetch(c, "orders", 1, 6, &error);
    assert_int_equal(error, KE_OFFSET_OUT_OF_RANGE);
    box_fetch(c, "nowhere", 0, 0, &error);
    assert_int_equal(error, KE_UNKNOWN_TOPIC_OR_PARTITION);
    box_end(&b);
}

/* A clean restart and a kill both keep every record, and offsets go on where they were. */
static void restart_keeps_records(void **state)
{
    for (int clean = 0; clean < 2; clean++) {
        struct box b;
        struct box_conn *c;
        int64_t base;
        int16_t error;

        box_start(&b, NULL);
        c = box_connect(&b);
        box_create_topic(c, "orders", 1, NULL, NULL);
        assert_int_equal(box_produce(c, "orders", 0, box_batch(&b, "a", 2, -1, -1, -1), -1, &base),
                         0);
        box_restart(&b, clean);
        c = box_connect(&b);
        assert_string_equal(box_fetch(c, "orders", 0, 0, &error), "a0,a1,");
        assert_int_equal(box_produce(c, "orders", 0, box_batch(&b, "b", 1, -1, -1, -1), -1, &base),
                         0);
        assert_int_equal(base, 2);
        box_end(&b);
    }
}

/* acks=1 is answered from the page cache, in the same turn; nobody reads the record before it is
 * durable. */
static void acks_one_is_answered_before_the_flush(void **state)
{
    struct box b;
    struct box_conn *c;
    struct produce_request rq;
    struct produce_request_topic_data td;
    struct produce_request_topic_data_partition_data pd;
    uint64_t one, all;

    box_start(&b, NULL);
    c = box_connect(&b);
    box_create_topic(c, "orders", 1, NULL, NULL);
    produce_request_init(&rq);
    produce_request_topic_data_init(&td);
    produce_request_topic_data_partition_data_init(&pd);
    rq.timeout_ms = 1000;
    rq.topic_data = &td;
    rq.n_topic_data = 1;
    td.name = STR("orders");
    td.partition_data = &pd;
    td.n_partition_data = 1;
    pd.records = box_batch(&b, "a", 1, -1, -1, -1);
    rq.acks = 1;
    one = box_send(c, 0, 9, &rq);
    assert_non_null(box_reply(c, one, 0, 9));
    rq.acks = -1;
    pd.records = box_batch(&b, "b", 1, -1, -1, -1);
    all = box_send(c, 0, 9, &rq);
    assert_null(box_reply(c, all, 0, 9));
    for (int i = 0; i < 10; i++)
        box_turn(&b);
    assert_non_null(box_reply(c, all, 0, 9));
    box_end(&b);
}

/* An idempotent producer's repeat is answered with the first offset and written once, also after a
 * restart. */
static void idempotent_repeat_is_written_once(void **state)
{
    struct box b;
    struct box_conn *c;
    struct init_producer_id_request rq;
    struct init_producer_id_response *id;
    int64_t base;
    int16_t error;

    box_start(&b, NULL);
    c = box_connect(&b);
    box_create_topic(c, "orders", 1, NULL, NULL);
    init_producer_id_request_init(&rq);
    rq.transactional_id = (struct str){NULL, 0};
    id = box_call(c, 22, 4, &rq);
    assert_int_equal(id->error_code, KE_NONE);
    assert_true(id->producer_id >= 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            box_produce(c, "orders", 0, box_batch(&b, "a", 2, id->producer_id, 0, 0), -1, &base),
            0);
        assert_int_equal(base, 0);
    }
    box_restart(&b, true);
    c = box_connect(&b);
    assert_int_equal(
        box_produce(c, "orders", 0, box_batch(&b, "a", 2, id->producer_id, 0, 0), -1, &base), 0);
    assert_int_equal(base, 0);
    assert_int_equal(
        box_produce(c, "orders", 0, box_batch(&b, "c", 1, id->producer_id, 0, 5), -1, &base),
        KE_OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_string_equal(box_fetch(c, "orders", 0, 0, &error), "a0,a1,");
    box_end(&b);
}

/* A batch whose bytes were damaged is refused, and nothing of it is written. */
static void corrupt_batch_is_refused(void **state)
{
    struct box b;
    struct box_conn *c;
    struct wire_records bad;
    int64_t base;
    int16_t error;

    box_start(&b, NULL);
    c = box_connect(&b);
    box_create_topic(c, "orders", 1, NULL, NULL);
    bad = box_batch(&b, "a", 2, -1, -1, -1);
    ((uint8_t *)bad.p)[bad.n_bytes - 1] ^= 1;
    assert_int_equal(box_produce(c, "orders", 0, bad, -1, &base), KE_CORRUPT_MESSAGE);
    assert_int_equal(base, -1);
    assert_string_equal(box_fetch(c, "orders", 0, 0, &error), "");
    box_end(&b);
}

static uint64_t send_long_poll(struct box_conn *c, int64_t offset, int32_t min_bytes,
                               int32_t wait_ms, int32_t session_id, int32_t session_epoch)
{
    struct fetch_request rq;
    struct fetch_request_topics topic;
    struct fetch_request_topics_partitions partition;

    fetch_request_init(&rq);
    fetch_request_topics_init(&topic);
    fetch_request_topics_partitions_init(&partition);
    rq.session_id = session_id;
    rq.session_epoch = session_epoch;
    rq.max_bytes = 1 << 20;
    rq.min_bytes = min_bytes;
    rq.max_wait_ms = wait_ms;
    topic.topic = STR("orders");
    topic.partitions = &partition;
    topic.n_partitions = 1;
    partition.fetch_offset = offset;
    partition.partition_max_bytes = 1 << 20;
    /* An incremental request names only what changed: nothing. */
    rq.topics = &topic;
    rq.n_topics = session_epoch > 0 && offset < 0 ? 0 : 1;
    return box_send(c, 1, 12, &rq);
}

/* A long poll waits for bytes, is woken by them, and ends by itself when none come. */
static void long_poll_waits_and_wakes(void **state)
{
    struct box b;
    struct box_conn *reader, *writer;
    struct fetch_response *rsp;
    uint64_t frame;

    box_start(&b, NULL);
    reader = box_connect(&b);
    writer = box_connect(&b);
    box_create_topic(writer, "orders", 1, NULL, NULL);
    frame = send_long_poll(reader, 0, 1, 500, 0, -1);
    box_advance_ms(&b, 499);
    assert_null(box_reply(reader, frame, 1, 12));
    box_advance_ms(&b, 2);
    rsp = box_reply(reader, frame, 1, 12);
    assert_non_null(rsp);
    assert_int_equal(rsp->responses[0].partitions[0].records.n_bytes, 0);

    frame = send_long_poll(reader, 0, 1, 500, 0, -1);
    box_turn(&b);
    assert_null(box_reply(reader, frame, 1, 12));
    assert_int_equal(box_produce(writer, "orders", 0, box_batch(&b, "a", 1, -1, -1, -1), -1, NULL),
                     0);
    box_turn(&b);
    rsp = box_reply(reader, frame, 1, 12);
    assert_non_null(rsp);
    assert_true(rsp->responses[0].partitions[0].records.n_bytes > 0);
    box_end(&b);
}

/* Before a clean stop it is answered without records: what was read when it began to wait may have been compacted since. */
static void long_poll_is_hurried(void **state)
{
    struct box b;
    struct box_conn *c;
    struct fetch_response *rsp;
    uint64_t frame;

    box_start(&b, NULL);
    c = box_connect(&b);
    box_create_topic(c, "orders", 1, NULL, NULL);
    assert_int_equal(box_produce(c, "orders", 0, box_batch(&b, "a", 1, -1, -1, -1), -1, NULL), 0);
    frame = send_long_poll(c, 0, 1 << 20, 500, 0, -1);
    box_turn(&b);
    assert_null(box_reply(c, frame, 1, 12));
    api_hurry(b.broker);
    box_turn(&b);
    rsp = box_reply(c, frame, 1, 12);
    assert_non_null(rsp);
    assert_int_equal(rsp->responses[0].partitions[0].error_code, KE_NONE);
    assert_int_equal(rsp->responses[0].partitions[0].high_watermark, 1);
    assert_int_equal(rsp->responses[0].partitions[0].records.n_bytes, 0);
    box_end(&b);
}

/* A fetch session answers only what changed, insists on its epochs, and is forgotten at its final
 * epoch. */
static void fetch_session_answers_changes(void **state)
{
    struct box b;
    struct box_conn *c;
    struct fetch_response *rsp;
    int32_t id;
    uint64_t frame;

    box_start(&b, NULL);
    c = box_connect(&b);
    box_create_topic(c, "orders", 1, NULL, NULL);
    frame = send_long_poll(c, 0, 1, 0, 0, 0);
    box_turn(&b);
    rsp = box_reply(c, frame, 1, 12);
    id = rsp->session_id;
    assert_true(id != 0);
    assert_int_equal(rsp->n_responses, 1);

    frame = send_long_poll(c, -1, 1, 0, id, 1);
    box_turn(&b);
    rsp = box_reply(c, frame, 1, 12);
    assert_int_equal(rsp->error_code, KE_NONE);
    assert_int_equal(rsp->n_responses, 0);

    assert_int_equal(box_produce(c, "orders", 0, box_batch(&b, "a", 1, -1, -1, -1), -1, NULL), 0);
    frame = send_long_poll(c, -1, 1, 0, id, 2);
    box_turn(&b);
    rsp = box_reply(c, frame, 1, 12);
    assert_int_equal(rsp->n_responses, 1);
    assert_int_equal(rsp->responses[0].partitions[0].high_watermark, 1);

    frame = send_long_poll(c, -1, 1, 0, id, 2);
    box_turn(&b);
    rsp = box_reply(c, frame, 1, 12);
    assert_int_equal(rsp->error_code, KE_INVALID_FETCH_SESSION_EPOCH);

    send_long_poll(c, 0, 1, 0, id, -1);
    frame = send_long_poll(c, -1, 1, 0, id, 3);
    box_turn(&b);
    rsp = box_reply(c, frame, 1, 12);
    assert_int_equal(rsp->error_code, KE_FETCH_SESSION_ID_NOT_FOUND);
    box_end(&b);
}

/* A frame that cannot be read, an unknown API and an unknown version each close that connection
 * only. */
static void bad_frames_close_their_connection(void **state)
{
    static const uint8_t bad[][16] = {
        {0, 3, 0, 99, 0, 0, 0, 1, 0, 0},     /* Metadata version 99 */
        {1, 44, 0, 0, 0, 0, 0, 1, 0, 0},     /* API key 300 */
        {0, 3, 0, 1, 0, 0, 0, 1, 0, 0, 127}, /* a body that ends early */
        {0, 3, 0},                           /* no header */
    };
    static const size_t bytes[] = {10, 10, 11, 3};
    struct box b;
    struct box_conn *good;

    box_start(&b, NULL);
    good = box_connect(&b);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct box_conn *c = box_connect(&b);

        box_send_raw(c, (struct bytes){bad[i], bytes[i]});
        assert_true(c->closed);
        assert_non_null(c->why);
    }
    box_create_topic(good, "orders", 1, NULL, NULL);
    assert_int_equal(b.metrics->value[M_requests_malformed_total], 4);
    box_end(&b);
}

/* ApiVersions of an unknown version is answered in version 0, with the error and its own row
 * (KIP-511). */
static void unknown_api_versions_is_answered(void **state)
{
    static const uint8_t asked[] = {0, 18, 0, 99, 0, 0, 0, 0, 0xff, 0xff};
    struct box b;
    struct box_conn *c;
    struct api_versions_response *rsp;

    box_start(&b, NULL);
    c = box_connect(&b);
    box_send_raw(c, bytes_of(asked, sizeof(asked)));
    rsp = box_reply(c, 0, 18, 0);
    assert_non_null(rsp);
    assert_int_equal(rsp->error_code, KE_UNSUPPORTED_VERSION);
    assert_int_equal(rsp->n_api_keys, 1);
    assert_int_equal(rsp->api_keys[0].api_key, 18);
    assert_int_equal(rsp->api_keys[0].max_version, 5);
    assert_false(c->closed);
    box_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(produced_records_are_fetched),
        cmocka_unit_test(restart_keeps_records),
        cmocka_unit_test(acks_one_is_answered_before_the_flush),
        cmocka_unit_test(idempotent_repeat_is_written_once),
        cmocka_unit_test(corrupt_batch_is_refused),
        cmocka_unit_test(long_poll_waits_and_wakes),
        cmocka_unit_test(long_poll_is_hurried),
        cmocka_unit_test(fetch_session_answers_changes),
        cmocka_unit_test(bad_frames_close_their_connection),
        cmocka_unit_test(unknown_api_versions_is_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
