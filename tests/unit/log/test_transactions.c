/* Transactions in the log: what may be appended, where committed readers stop, what was aborted, and that all of it outlives
 * restarts (ProducerStateManager, ProducerAppendInfo, TransactionIndex). */
#include "log_fixture.h"

#include "segment.h"

static int setup(void **state)
{
    struct fixture *fx = xcalloc(1, sizeof(*fx));

    fixture_init(fx, (const char *[]){"log.journal.bytes=0", NULL});
    *state = fx;
    return 0;
}

static int teardown(void **state)
{
    fixture_release(*state);
    free(*state);
    return 0;
}

static struct test_batch data(int64_t id, int16_t epoch, int32_t sequence, int n_records)
{
    return (struct test_batch){.producer_id = id,
                               .producer_epoch = epoch,
                               .sequence = sequence,
                               .n_records = n_records,
                               .attributes = BATCH_TRANSACTIONAL,
                               .verified = true};
}

static struct test_batch marker(int64_t id, int16_t epoch, bool commits)
{
    return (struct test_batch){
        .producer_id = id, .producer_epoch = epoch, .is_marker = true, .commits = commits, .coordinator_epoch = 3};
}

static int16_t end_error(struct fixture *fx, struct test_batch tb)
{
    struct log_append a;

    assert_int_equal(fixture_append_as(fx, LOG_FROM_COORDINATOR, tb, &a), 0);
    return a.error;
}

static void end(struct fixture *fx, struct test_batch tb)
{
    assert_int_equal(end_error(fx, tb), KE_NONE);
}

/* The first batch of a transaction needs the coordinator's word, those behind it do not; nor does a repeat. After the marker all
 * begins anew. */
static void a_transaction_begins_when_it_was_verified(void **state)
{
    struct fixture *fx = *state;
    struct test_batch unverified = data(7, 0, 0, 2);
    struct log_append a;

    unverified.verified = false;
    fixture_open(fx);
    assert_int_equal(fixture_append_error(fx, unverified), KE_INVALID_TXN_STATE);
    assert_int_equal(log_end_offset(fx->log), 0);
    assert_int_equal(fixture_append(fx, data(7, 0, 0, 2)), 0);
    assert_int_equal(fixture_append_as(fx, LOG_FROM_CLIENT, unverified, &a), 0);
    assert_true(a.duplicate);
    unverified.sequence = 2;
    assert_int_equal(fixture_append_error(fx, unverified), KE_NONE);
    end(fx, marker(7, 0, true));
    assert_int_equal(fixture_append_as(fx, LOG_FROM_CLIENT, unverified, &a), 0);
    assert_true(a.duplicate);
    unverified.sequence = 4;
    assert_int_equal(fixture_append_error(fx, unverified), KE_INVALID_TXN_STATE);
    /* One that is open for another epoch is not this one. */
    fixture_append(fx, data(7, 0, 4, 1));
    unverified.producer_epoch = 1;
    unverified.sequence = 0;
    assert_int_equal(fixture_append_error(fx, unverified), KE_INVALID_TXN_STATE);
}

/* What a fenced producer asks for is no reason to refuse the one that fences it. */
static void a_fenced_producer_holds_nobody_up(void **state)
{
    struct fixture *fx = *state;

    fixture_open(fx);
    assert_int_equal(fixture_append(fx, data(7, 1, 0, 2)), 0);
    assert_true(log_must_verify(fx->log, 7, 0, 0, true));
    assert_int_equal(fixture_append_error(fx, data(7, 0, 0, 2)), KE_INVALID_PRODUCER_EPOCH);
    assert_int_equal(fixture_append(fx, data(7, 1, 2, 2)), 2);
}

static void verification_can_be_switched_off(void **state)
{
    struct fixture *fx = *state;
    struct test_batch unverified = data(7, 0, 0, 2);

    unverified.verified = false;
    fx->config.transaction_partition_verification_enable = false;
    fixture_open(fx);
    assert_int_equal(fixture_append_error(fx, unverified), KE_NONE);
}

/* The coordinator's own batches, like offsets that a transaction commits, need no word from itself. */
static void the_coordinator_is_not_asked_about_its_own(void **state)
{
    struct fixture *fx = *state;
    struct test_batch own = data(7, 0, -1, 2);

    own.verified = false;
    fixture_open(fx);
    end(fx, own);
    assert_int_equal(log_stable_offset(fx->log), 0);
    end(fx, marker(7, 0, true));
    fixture_settle(fx);
    assert_int_equal(log_stable_offset(fx->log), 3);
}

/* While a transaction is open, its producer writes nothing else. */
static void plain_batches_are_refused_in_a_transaction(void **state)
{
    struct fixture *fx = *state;
    struct test_batch plain = data(7, 0, 1, 1);

    plain.attributes = 0;
    fixture_open(fx);
    fixture_append(fx, data(7, 0, 0, 1));
    assert_int_equal(fixture_append_error(fx, plain), KE_INVALID_TXN_STATE);
    end(fx, marker(7, 0, true));
    assert_int_equal(fixture_append_error(fx, plain), KE_NONE);
}

/* Of first batches that came before the coordinator agreed, the one with the lowest sequence is written first; of KIP-890's
 * producers nothing but 0 begins. */
static void first_batches_keep_their_order(void **state)
{
    struct fixture *fx = *state;

    fixture_open(fx);
    assert_true(log_must_verify(fx->log, 7, 0, 5, false));
    assert_true(log_must_verify(fx->log, 7, 0, 6, false));
    assert_int_equal(fixture_append_error(fx, data(7, 0, 6, 1)), KE_OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_int_equal(fixture_append_error(fx, data(7, 0, 5, 1)), KE_NONE);
    assert_false(log_must_verify(fx->log, 7, 0, 6, false));
    assert_true(log_must_verify(fx->log, 7, 1, 0, false));
    assert_int_equal(fixture_append_error(fx, data(7, 0, 6, 1)), KE_OUT_OF_ORDER_SEQUENCE_NUMBER);
    end(fx, marker(7, 0, true)); /* and with it what was being verified */
    assert_int_equal(fixture_append_error(fx, data(7, 0, 6, 1)), KE_NONE);

    assert_true(log_must_verify(fx->log, 8, 0, 3, true));
    assert_int_equal(fixture_append_error(fx, data(8, 0, 3, 1)), KE_OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_true(log_must_verify(fx->log, 8, 0, 0, true));
    assert_int_equal(fixture_append_error(fx, data(8, 0, 0, 1)), KE_NONE);
    /* A newer epoch begins anew. */
    assert_true(log_must_verify(fx->log, 9, 0, 0, false));
    assert_true(log_must_verify(fx->log, 9, 1, 4, false));
    assert_int_equal(fixture_append_error(fx, data(9, 1, 4, 1)), KE_NONE);
}

/* What is never written is forgotten. */
static void verifications_expire_like_producers(void **state)
{
    struct fixture *fx = *state;

    fixture_open(fx);
    assert_true(log_must_verify(fx->log, 7, 0, 0, false));
    log_expire_producers(fx->log, (struct wall){FIXTURE_START_MS + 86399999});
    assert_non_null(verification_find(fx->log->producers, 7));
    log_expire_producers(fx->log, (struct wall){FIXTURE_START_MS + 86400000});
    assert_null(verification_find(fx->log->producers, 7));
}

/* Up to transaction version 1 a marker has its data's epoch, or a newer one; of version 2 a newer one, but for a repeat. */
static void markers_fence(void **state)
{
    struct fixture *fx = *state;
    struct test_batch m = marker(7, 5, true);

    fixture_open(fx);
    end(fx, m); /* of a producer that is not known */
    m.coordinator_epoch = 2;
    assert_int_equal(end_error(fx, m), KE_TRANSACTION_COORDINATOR_FENCED);
    m.coordinator_epoch = 3;
    m.producer_epoch = 4;
    assert_int_equal(end_error(fx, m), KE_INVALID_PRODUCER_EPOCH);
    assert_int_equal(fixture_append_error(fx, data(7, 4, 0, 1)), KE_INVALID_PRODUCER_EPOCH);
    fixture_append(fx, data(7, 5, 0, 1));
    m.producer_epoch = 5;
    m.transaction_version = 2;
    assert_int_equal(end_error(fx, m), KE_INVALID_PRODUCER_EPOCH);
    m.producer_epoch = 6;
    assert_int_equal(end_error(fx, m), KE_NONE);
    assert_int_equal(end_error(fx, m), KE_NONE);
    m.producer_epoch = 5;
    assert_int_equal(end_error(fx, m), KE_INVALID_PRODUCER_EPOCH);
    /* Where there is no newer one. */
    fixture_append(fx, data(8, INT16_MAX, 0, 1));
    m = marker(8, INT16_MAX, false);
    m.transaction_version = 2;
    assert_int_equal(end_error(fx, m), KE_NONE);
}

/* The stable offset stays at the oldest transaction that is open, and at one that has ended until the marker is durable. */
static void the_stable_offset_waits_for_the_oldest(void **state)
{
    struct fixture *fx = *state;
    struct log_read r;

    fixture_open(fx);
    fixture_append(fx, (struct test_batch){.n_records = 2});
    fixture_append(fx, data(7, 0, 0, 3)); /* 2..4 */
    fixture_append(fx, data(8, 0, 0, 3)); /* 5..7 */
    fixture_settle(fx);
    assert_int_equal(log_high_watermark(fx->log), 8);
    assert_int_equal(log_stable_offset(fx->log), 2);
    end(fx, marker(8, 0, true)); /* 8 */
    fixture_settle(fx);
    assert_int_equal(log_stable_offset(fx->log), 2);
    assert_int_equal(log_read(fx->log, 0, 1 << 20, true, READ_COMMITTED, &r), 0);
    assert_int_equal(r.stable_offset, 2);
    assert_int_equal(log_read(fx->log, 2, 1 << 20, true, READ_COMMITTED, &r), 0);
    assert_int_equal(r.n_bytes, 0);
    assert_int_equal(log_read(fx->log, 2, 1 << 20, true, READ_UNCOMMITTED, &r), 0);
    assert_true(r.n_bytes > 0);
    end(fx, marker(7, 0, false)); /* 9 */
    assert_int_equal(log_stable_offset(fx->log), 2); /* not flushed yet */
    fixture_settle(fx);
    assert_int_equal(log_stable_offset(fx->log), 10);
    assert_int_equal(log_read(fx->log, 2, 1 << 20, true, READ_COMMITTED, &r), 0);
    assert_true(r.n_bytes > 0);
}

static void count_fired(struct log_wait *w, int rc);
struct waiter {
    struct log_wait wait;
    int n_fired;
};
static void count_fired(struct log_wait *w, int rc)
{
    assert_int_equal(rc, 0);
    CONTAINER_OF(w, struct waiter, wait)->n_fired++;
}

/* A reader of committed records is woken by the marker, when it is durable. */
static void the_marker_wakes_committed_readers(void **state)
{
    struct fixture *fx = *state;
    struct waiter w = {0};

    fixture_open(fx);
    fixture_append(fx, data(7, 0, 0, 1));
    log_wait_readable(fx->log, &w.wait, 0, READ_COMMITTED, count_fired);
    fixture_settle(fx);
    assert_int_equal(w.n_fired, 0);
    end(fx, marker(7, 0, true));
    logm_turn(fx->m);
    assert_int_equal(w.n_fired, 0);
    fixture_settle(fx);
    assert_int_equal(w.n_fired, 1);
}

/* Times and the largest one are looked for below the stable offset. */
static void times_are_looked_for_below_the_stable_offset(void **state)
{
    struct fixture *fx = *state;
    struct test_batch later = data(7, 0, 0, 1);
    int64_t offset, ms;
    int32_t epoch;

    later.timestamp_ms = FIXTURE_START_MS + 50;
    fixture_open(fx);
    fixture_append(fx, (struct test_batch){.timestamp_ms = FIXTURE_START_MS});
    fixture_append(fx, later);
    fixture_settle(fx);
    assert_int_equal(log_offset_for_time(fx->log, FIXTURE_START_MS + 1, READ_UNCOMMITTED, &offset, &ms, &epoch), 0);
    assert_int_equal(offset, 1);
    assert_int_equal(log_offset_for_time(fx->log, FIXTURE_START_MS + 1, READ_COMMITTED, &offset, &ms, &epoch), 0);
    assert_int_equal(offset, -1);
    assert_int_equal(log_offset_of_max_timestamp(fx->log, READ_UNCOMMITTED, &offset, &ms, &epoch), 0);
    assert_int_equal(offset, 1);
    assert_int_equal(log_offset_of_max_timestamp(fx->log, READ_COMMITTED, &offset, &ms, &epoch), 0);
    assert_int_equal(offset, -1);
}

/* DescribeProducers. */
static void producers_are_told(void **state)
{
    struct fixture *fx = *state;
    struct log_producer p;

    fixture_open(fx);
    assert_int_equal(log_n_producers(fx->log), 0);
    assert_false(log_producer_get(fx->log, 7, &p));
    fixture_append(fx, data(7, 2, 0, 3));
    log_producers_list(fx->log, &p);
    assert_int_equal(p.producer_id, 7);
    assert_int_equal(p.producer_epoch, 2);
    assert_int_equal(p.last_sequence, 2);
    assert_int_equal(p.last_timestamp_ms, FIXTURE_START_MS + 2);
    assert_int_equal(p.coordinator_epoch, -1);
    assert_int_equal(p.txn_first_offset, 0);
    end(fx, marker(7, 3, false));
    assert_true(log_producer_get(fx->log, 7, &p));
    assert_int_equal(p.last_sequence, -1);
    assert_int_equal(p.coordinator_epoch, 3);
    assert_int_equal(p.txn_first_offset, -1);
}

/* ---- the index -------------------------------------------------------------------------------- */

/* Apache Kafka's bytes; the stable offset is that of the others that are open. */
static void aborts_are_noted_as_kafka_does(void **state)
{
    static const uint8_t want[2][INDEX_TXN_ENTRY_BYTES] = {
        {0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0},
        {0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 4}};
    struct fixture *fx = *state;
    struct buf file;

    fixture_open(fx);
    assert_false(fixture_exists(fx, fixture_path(fx, 0, ".txnindex")));
    fixture_append(fx, data(7, 0, 0, 1));
    fixture_append(fx, data(8, 0, 0, 1));
    end(fx, marker(8, 0, false));
    end(fx, marker(7, 0, false));
    end(fx, marker(7, 0, false)); /* of nothing */
    fixture_append(fx, data(8, 0, 1, 1));
    end(fx, marker(8, 0, true));
    fixture_stop(fx);
    fixture_read_file(fx, fixture_path(fx, 0, ".txnindex"), &file);
    assert_int_equal(file.n, sizeof(want));
    assert_memory_equal(file.p, want, sizeof(want));
    buf_release(&file);
}

/* A reader is told of what overlaps with what it reads: from the offset asked for to the next index entry. */
static void readers_are_told_what_was_aborted(void **state)
{
    struct log_aborted_list aborted = {0};
    struct fixture *fx = *state;
    struct log_read r;

    fixture_topic(fx, (const char *[]){"index.interval.bytes=0", NULL});
    fixture_open(fx);
    fixture_append(fx, data(7, 0, 0, 1)); /* 0 */
    end(fx, marker(7, 0, false));         /* 1 */
    fixture_append(fx, data(7, 0, 1, 1)); /* 2 */
    fixture_append(fx, data(8, 0, 0, 1)); /* 3 */
    end(fx, marker(8, 0, false));         /* 4 */
    end(fx, marker(7, 0, true));          /* 5 */
    fixture_append(fx, data(9, 0, 0, 1)); /* 6 */
    end(fx, marker(9, 0, false));         /* 7 */
    fixture_settle(fx);
    assert_int_equal(log_read(fx->log, 2, 1, true, READ_COMMITTED, &r), 0);
    assert_int_equal(log_aborted_of_read(fx->log, &r, &aborted), 0);
    assert_int_equal(aborted.n, 0);
    assert_int_equal(log_read(fx->log, 2, 1 << 20, true, READ_COMMITTED, &r), 0);
    assert_int_equal(log_aborted_of_read(fx->log, &r, &aborted), 0);
    assert_int_equal(aborted.n, 2);
    assert_int_equal(aborted.p[0].producer_id, 8);
    assert_int_equal(aborted.p[0].first_offset, 3);
    assert_int_equal(aborted.p[1].producer_id, 9);
    aborted.n = 0;
    assert_int_equal(log_aborted_between(fx->log, 1, 4, &aborted), 0);
    assert_int_equal(aborted.n, 2);
    assert_int_equal(aborted.p[0].producer_id, 7);
    assert_int_equal(aborted.p[1].producer_id, 8);
    log_aborted_list_release(&aborted);
}

/* ---- restarts --------------------------------------------------------------------------------- */

#define IDS 5
struct model {
    int32_t sequence[IDS];
    int64_t first[IDS]; /* -1 */
    struct log_aborted aborted[600];
    uint32_t n;
};

static int64_t model_stable(const struct model *m, int64_t end_offset)
{
    int64_t first = end_offset;

    for (int i = 0; i < IDS; i++)
        if (m->first[i] >= 0)
            first = MIN(first, m->first[i]);
    return first;
}

static void step(struct fixture *fx, struct model *m, struct rng *rng)
{
    int id = (int)rng_below(rng, IDS);
    bool commits = rng_below(rng, 2) == 0;
    int n = 1 + (int)rng_below(rng, 3);

    if (m->first[id] < 0 || rng_below(rng, 3) > 0) {
        int64_t offset = fixture_append(fx, data(id + 1, 0, m->sequence[id], n));

        m->sequence[id] += n;
        m->first[id] = m->first[id] < 0 ? offset : m->first[id];
        return;
    }
    end(fx, marker(id + 1, 0, commits));
    if (!commits) {
        int64_t first = m->first[id], last = log_end_offset(fx->log) - 1;

        m->first[id] = -1;
        m->aborted[m->n++] = (struct log_aborted){id + 1, first, last, model_stable(m, last + 1)};
    }
    m->first[id] = -1;
}

static void check_model(struct fixture *fx, const struct model *m)
{
    struct log_aborted_list aborted = {0};
    struct log_producer p;

    fixture_settle(fx);
    assert_int_equal(log_stable_offset(fx->log), model_stable(m, log_end_offset(fx->log)));
    assert_int_equal(log_aborted_between(fx->log, 0, log_end_offset(fx->log), &aborted), 0);
    assert_int_equal(aborted.n, m->n);
    if (m->n > 0)
        assert_memory_equal(aborted.p, m->aborted, m->n * sizeof(aborted.p[0]));
    for (int i = 0; i < IDS; i++)
        if (m->first[i] >= 0) {
            assert_true(log_producer_get(fx->log, i + 1, &p));
            assert_int_equal(p.txn_first_offset, m->first[i]);
        }
    log_aborted_list_release(&aborted);
}

/* Every derived file may be lost or spoilt, in any segment. */
static void spoil(struct fixture *fx, struct rng *rng, const int64_t *bases, int n)
{
    int64_t base = bases[rng_below(rng, (uint64_t)n)];
    const char *path = fixture_path(fx, base, ".txnindex");

    if (!fixture_exists(fx, path) || fixture_file_bytes(fx, path) == 0)
        return;
    if (rng_below(rng, 2) == 0)
        fixture_truncate(fx, path, fixture_file_bytes(fx, path) - 1 - rng_below(rng, 20));
    else
        fixture_flip(fx, path, rng_below(rng, 2)); /* the version of the first entry */
    if (rng_below(rng, 2) == 0 && fixture_exists(fx, fixture_path(fx, base, ".snapshot")))
        fixture_truncate(fx, fixture_path(fx, base, ".snapshot"), 3);
}

/* Many transactions over many segments: after clean stops and kills, with indexes that were spoilt, the log says the same. */
static void all_of_it_outlives_restarts(void **state)
{
    struct fixture *fx = *state;
    struct rng rng;
    struct model m = {.first = {-1, -1, -1, -1, -1}};

    rng_init(&rng, 20);
    fixture_topic(fx, (const char *[]){"internal.segment.bytes=2000", NULL});
    fixture_open(fx);
    for (int round = 0; round < 30; round++) {
        int64_t bases[200];
        int n = 0;

        for (int i = 0; i < 20; i++)
            step(fx, &m, &rng);
        check_model(fx, &m);
        for (; n < fx->log->n_segments && n < 200; n++)
            bases[n] = fx->log->segments[n]->base_offset;
        if (rng_below(&rng, 3) == 0)
            fixture_advance_ms(fx, 70000); /* a checkpoint: recovery begins there */
        fixture_settle(fx);
        if (rng_below(&rng, 2) == 0)
            fixture_stop(fx);
        else
            fixture_kill(fx);
        if (rng_below(&rng, 2) == 0)
            spoil(fx, &rng, bases, n);
        fixture_open(fx);
        check_model(fx, &m);
    }
    assert_true(m.n > 50);
    assert_true(fx->log->n_segments > 5);
    assert_true(mark_count("txn_index_rebuilt") > 0);
}

/* What a torn tail takes of the log, it takes of the index: the transaction is open again. */
static void a_marker_that_is_cut_has_not_been(void **state)
{
    struct log_aborted_list aborted = {0};
    struct fixture *fx = *state;
    uint64_t size;

    fixture_open(fx);
    fixture_append(fx, data(7, 0, 0, 1));
    fixture_settle(fx);
    size = fixture_file_bytes(fx, fixture_path(fx, 0, ".log"));
    end(fx, marker(7, 0, false));
    fixture_settle(fx);
    fixture_kill(fx);
    fixture_truncate(fx, fixture_path(fx, 0, ".log"), size + 20);
    fixture_open(fx);
    assert_int_equal(log_end_offset(fx->log), 1);
    assert_int_equal(log_stable_offset(fx->log), 0);
    assert_int_equal(log_aborted_between(fx->log, 0, 1, &aborted), 0);
    assert_int_equal(aborted.n, 0);
    end(fx, marker(7, 0, false));
    fixture_settle(fx);
    assert_int_equal(log_aborted_between(fx->log, 0, 2, &aborted), 0);
    assert_int_equal(aborted.n, 1);
    assert_int_equal(aborted.p[0].last_offset, 1);
    log_aborted_list_release(&aborted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_transaction_begins_when_it_was_verified, setup, teardown),
        cmocka_unit_test_setup_teardown(a_fenced_producer_holds_nobody_up, setup, teardown),
        cmocka_unit_test_setup_teardown(verification_can_be_switched_off, setup, teardown),
        cmocka_unit_test_setup_teardown(the_coordinator_is_not_asked_about_its_own, setup, teardown),
        cmocka_unit_test_setup_teardown(plain_batches_are_refused_in_a_transaction, setup, teardown),
        cmocka_unit_test_setup_teardown(first_batches_keep_their_order, setup, teardown),
        cmocka_unit_test_setup_teardown(verifications_expire_like_producers, setup, teardown),
        cmocka_unit_test_setup_teardown(markers_fence, setup, teardown),
        cmocka_unit_test_setup_teardown(the_stable_offset_waits_for_the_oldest, setup, teardown),
        cmocka_unit_test_setup_teardown(the_marker_wakes_committed_readers, setup, teardown),
        cmocka_unit_test_setup_teardown(times_are_looked_for_below_the_stable_offset, setup, teardown),
        cmocka_unit_test_setup_teardown(producers_are_told, setup, teardown),
        cmocka_unit_test_setup_teardown(aborts_are_noted_as_kafka_does, setup, teardown),
        cmocka_unit_test_setup_teardown(readers_are_told_what_was_aborted, setup, teardown),
        cmocka_unit_test_setup_teardown(all_of_it_outlives_restarts, setup, teardown),
        cmocka_unit_test_setup_teardown(a_marker_that_is_cut_has_not_been, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
