/* Proposing and waiting: what a machine sees, and when what it decided is durable. */
#include "machine.h"

struct waiter {
    struct statelog_wait wait;
    int n_told, rc;
};

static void told(struct statelog_wait *w, int rc)
{
    struct waiter *x = CONTAINER_OF(w, struct waiter, wait);

    x->n_told++;
    x->rc = rc;
}

/* What is proposed is applied at once, in order, with the offsets of the log; the waiter hears of
 * it only after a commit. */
static void entries_are_applied_at_once_and_durable_later(void **state)
{
    struct statelog_entry es[] = {entry("a", "1"), entry("b", NULL), entry(NULL, "3")};
    struct waiter w = {.n_told = 0};
    struct machine x;

    machine_init(&x, LOG_FROM_COORDINATOR);
    assert_int_equal(machine_open(&x), 0);
    assert_int_equal(statelog_propose(x.s, es, 3, &w.wait, told), 0);
    assert_int_equal(x.n_seen, 3);
    assert_true(seen_is(&x, 0, 0, "a", "1"));
    assert_true(seen_is(&x, 1, 1, "b", NULL));
    assert_true(seen_is(&x, 2, 2, NULL, "3"));
    assert_int_equal(x.seen[0].timestamp_ms, 1000000);
    assert_int_equal(x.seen[0].leader_epoch, 3);
    assert_int_equal(x.seen[0].producer_id, NO_PRODUCER_ID);
    assert_int_equal(statelog_end(x.s), 3);
    assert_int_equal(w.n_told, 0);
    machine_settle(&x);
    assert_int_equal(w.n_told, 1);
    assert_int_equal(w.rc, 0);
    assert_int_equal(log_high_watermark(x.log), 3);
    machine_release(&x);
}

/* After a restart the machine is shown the same records again, and goes on behind them. */
static void a_restart_replays_everything(void **state)
{
    struct statelog_entry e;
    struct machine x;
    char value[16];

    machine_init(&x, LOG_FROM_COORDINATOR);
    assert_int_equal(machine_open(&x), 0);
    for (int i = 0; i < 100; i++) {
        snprintf(value, sizeof(value), "%d", i);
        e = entry("k", value);
        assert_int_equal(statelog_propose(x.s, &e, 1, NULL, NULL), 0);
    }
    machine_close(&x, true);
    assert_int_equal(machine_open(&x), 0);
    assert_int_equal(x.n_seen, 100);
    for (int i = 0; i < 100; i++) {
        snprintf(value, sizeof(value), "%d", i);
        assert_true(seen_is(&x, i, i, "k", value));
    }
    assert_int_equal(statelog_end(x.s), 100);
    e = entry("k", "more");
    assert_int_equal(statelog_propose(x.s, &e, 1, NULL, NULL), 0);
    assert_true(seen_is(&x, 100, 100, "k", "more"));
    machine_release(&x);
}

/* A proposal that is larger than a batch goes into several, of which each keeps to the limit; they
 * are read back as one. */
static void a_large_proposal_is_split_into_batches(void **state)
{
    struct statelog_entry es[50];
    struct log_read got;
    struct machine x;
    char value[200];
    struct buf bytes;
    int n_batches = 0;

    memset(value, 'v', sizeof(value));
    for (int i = 0; i < 50; i++)
        es[i] = (struct statelog_entry){.value = bytes_of(value, sizeof(value))};
    machine_init(&x, LOG_FROM_RAFT);
    x.options.batch_bytes_max = 1000;
    assert_int_equal(machine_open(&x), 0);
    assert_int_equal(statelog_propose(x.s, es, 50, NULL, NULL), 0);
    assert_int_equal(x.n_seen, 50);
    assert_int_equal(log_end_offset(x.log), 50);
    assert_int_equal(log_read_to_end(x.log, 0, 1 << 20, &got), 0);
    buf_init(&bytes);
    assert_int_equal(
        file_pread_full(got.file, buf_grow(&bytes, got.n_bytes), got.n_bytes, got.position), 0);
    for (size_t at = 0; at < bytes.n; n_batches++) {
        struct batch b;

        assert_int_equal(batch_check(bytes.p + at, bytes.n - at, &b), 0);
        assert_true(b.total_bytes <= 1000);
        assert_int_equal(b.leader_epoch, 3);
        at += b.total_bytes;
    }
    buf_release(&bytes);
    assert_true(n_batches > 10);
    machine_close(&x, true);
    assert_int_equal(machine_open(&x), 0);
    assert_int_equal(x.n_seen, 50);
    machine_release(&x);
}

/* An entry that no batch can hold is refused, with all that was proposed beside it: nothing is
 * appended, nothing applied. */
static void an_entry_over_the_limit_refuses_the_whole_proposal(void **state)
{
    struct statelog_entry es[2] = {entry("a", "1")};
    char value[1000] = {0};
    struct machine x;

    es[1].value = bytes_of(value, sizeof(value));
    machine_init(&x, LOG_FROM_COORDINATOR);
    x.options.batch_bytes_max = 1000;
    assert_int_equal(machine_open(&x), 0);
    assert_int_equal(statelog_propose(x.s, es, 2, NULL, NULL), E_LIMIT);
    assert_int_equal(x.n_seen, 0);
    assert_int_equal(statelog_end(x.s), 0);
    assert_int_equal(log_end_offset(x.log), 0);
    assert_int_equal(statelog_propose(x.s, es, 1, NULL, NULL), 0);
    assert_int_equal(x.n_seen, 1);
    machine_release(&x);
}

/* What the log's own limit refuses is E_LIMIT too. */
static void the_logs_own_limit_is_told(void **state)
{
    struct statelog_entry e;
    char value[2000] = {0};
    struct machine x;

    e = (struct statelog_entry){.key = bytes_of("k", 1), .value = bytes_of(value, sizeof(value))};
    machine_init(&x, LOG_FROM_COORDINATOR);
    x.topic_setting = "max.message.bytes=1000";
    assert_int_equal(machine_open(&x), 0);
    assert_int_equal(statelog_propose(x.s, &e, 1, NULL, NULL), E_LIMIT);
    assert_int_equal(x.n_seen, 0);
    machine_release(&x);
}

/* A full disk refuses and changes nothing; when there is space again, proposing goes on. */
static void a_full_disk_changes_nothing(void **state)
{
    struct statelog_entry e;
    struct machine x;
    char value[100000] = {0};
    int rc = 0, n = 0;

    e = (struct statelog_entry){.key = bytes_of("k", 1), .value = bytes_of(value, sizeof(value))};
    machine_init(&x, LOG_FROM_COORDINATOR);
    assert_int_equal(machine_open(&x), 0);
    machine_settle(&x);
    vfs_mem_set_space(x.env.vfs, 200u << 20);
    while (rc == 0 && n < 10000) {
        rc = statelog_propose(x.s, &e, 1, NULL, NULL);
        n += rc == 0;
    }
    assert_int_equal(rc, E_NOSPC);
    assert_int_equal(x.n_seen, n);
    assert_int_equal(statelog_end(x.s), n);
    vfs_mem_set_space(x.env.vfs, 800u << 20);
    assert_int_equal(statelog_propose(x.s, &e, 1, NULL, NULL), 0);
    assert_int_equal(x.n_seen, n + 1);
    machine_release(&x);
}

/* A control record is marked as one, for apply and for the log, and has its type as key. */
static void a_control_record_is_marked(void **state)
{
    struct machine x;
    int16_t type;

    machine_init(&x, LOG_FROM_RAFT);
    assert_int_equal(machine_open(&x), 0);
    assert_int_equal(statelog_propose_control(x.s, CONTROL_LEADER_CHANGE, bytes_of("lc", 2)), 0);
    assert_int_equal(x.n_seen, 1);
    assert_true(x.seen[0].control);
    machine_close(&x, true);
    assert_int_equal(machine_open(&x), 0);
    assert_int_equal(x.n_seen, 1);
    assert_true(x.seen[0].control);
    assert_int_equal(control_key_get(x.seen[0].key, &type), 0);
    assert_int_equal(type, CONTROL_LEADER_CHANGE);
    assert_true(bytes_eq(x.seen[0].value, bytes_of("lc", 2)));
    machine_release(&x);
}

/* statelog_after, and a proposal of nothing, wait for what others proposed before. */
static void a_reader_waits_for_what_it_may_have_seen(void **state)
{
    struct waiter writer = {.n_told = 0}, reader = {.n_told = 0}, empty = {.n_told = 0};
    struct statelog_entry e = entry("a", "1");
    struct machine x;

    machine_init(&x, LOG_FROM_COORDINATOR);
    assert_int_equal(machine_open(&x), 0);
    assert_int_equal(statelog_propose(x.s, &e, 1, &writer.wait, told), 0);
    statelog_after(x.s, &reader.wait, told);
    assert_int_equal(statelog_propose(x.s, NULL, 0, &empty.wait, told), 0);
    assert_int_equal(reader.n_told + empty.n_told, 0);
    machine_settle(&x);
    assert_int_equal(writer.n_told, 1);
    assert_int_equal(reader.n_told, 1);
    assert_int_equal(empty.n_told, 1);
    /* With nothing pending a wait is told in the next turn. */
    statelog_after(x.s, &reader.wait, told);
    assert_int_equal(reader.n_told, 1);
    machine_settle(&x);
    assert_int_equal(reader.n_told, 2);
    machine_release(&x);
}

/* A cancelled wait is never told, one that never waited may be cancelled, and closing cancels what
 * is left. */
static void cancelled_waits_are_silent(void **state)
{
    struct waiter a = {.n_told = 0}, b = {.n_told = 0}, idle = {.n_told = 0};
    struct statelog_entry e = entry("a", "1");
    struct machine x;

    machine_init(&x, LOG_FROM_COORDINATOR);
    assert_int_equal(machine_open(&x), 0);
    assert_int_equal(statelog_propose(x.s, &e, 1, &a.wait, told), 0);
    statelog_after(x.s, &b.wait, told);
    statelog_wait_cancel(&idle.wait);
    statelog_wait_cancel(&a.wait);
    statelog_wait_cancel(&a.wait);
    statelog_close(x.s);
    x.s = NULL;
    machine_settle(&x);
    assert_int_equal(a.n_told + b.n_told + idle.n_told, 0);
    machine_release(&x);
}

/* When the log is deleted under a wait, the waiter is told that it can never be durable. */
static void a_deleted_log_fails_its_waits(void **state)
{
    struct waiter w = {.n_told = 0};
    struct statelog_entry e = entry("a", "1");
    struct machine x;

    machine_init(&x, LOG_FROM_COORDINATOR);
    assert_int_equal(machine_open(&x), 0);
    assert_int_equal(statelog_propose(x.s, &e, 1, &w.wait, told), 0);
    log_delete(x.log);
    machine_settle(&x);
    assert_int_equal(w.n_told, 1);
    assert_int_equal(w.rc, E_OFFLINE);
    machine_release(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_are_applied_at_once_and_durable_later),
        cmocka_unit_test(a_restart_replays_everything),
        cmocka_unit_test(a_large_proposal_is_split_into_batches),
        cmocka_unit_test(an_entry_over_the_limit_refuses_the_whole_proposal),
        cmocka_unit_test(the_logs_own_limit_is_told),
        cmocka_unit_test(a_full_disk_changes_nothing),
        cmocka_unit_test(a_control_record_is_marked),
        cmocka_unit_test(a_reader_waits_for_what_it_may_have_seen),
        cmocka_unit_test(cancelled_waits_are_silent),
        cmocka_unit_test(a_deleted_log_fails_its_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
