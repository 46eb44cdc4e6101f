/* Replay: whatever a log may hold comes back in order; a log that is wrong is refused. */
#include "machine.h"

/* Batches of any size, also larger than one read, compressed ones and those of producers come back
 * record by record. */
static void batches_of_every_kind_are_replayed(void **state)
{
    struct batch_options plain = BATCH_OPTIONS_NONE, packed = plain, transactional = plain;
    struct machine x;
    int next = 0;

    machine_init(&x, LOG_FROM_COORDINATOR);
    x.topic_setting = "max.message.bytes=10000000";
    machine_open_log(&x);
    packed.attributes = CODEC_ZSTD;
    transactional.attributes = BATCH_TRANSACTIONAL;
    transactional.producer_id = 7;
    transactional.producer_epoch = 1;
    transactional.base_sequence = 0;
    machine_append(&x, plain, 1);
    machine_append(&x, packed, 1000);
    machine_append(&x, transactional, 2);
    machine_append(&x, plain, 200000); /* over 1 MiB */
    machine_append(&x, plain, 3);
    machine_close(&x, true);
    x.options.batch_bytes_max = 0;
    assert_int_equal(machine_open(&x), 0);
    assert_int_equal(x.n_seen, 201006);
    for (int i = 0; i < x.n_seen; i++, next++)
        if (!seen_is(&x, i, next, "k", "v"))
            fail_msg("record %d", i);
    assert_true(x.seen[1001].transactional);
    assert_int_equal(x.seen[1001].producer_id, 7);
    assert_false(x.seen[1003].transactional);
    assert_int_equal(x.seen[1002].timestamp_ms, 78);
    assert_int_equal(statelog_end(x.s), 201006);
    machine_release(&x);
}

/* A log goes over many segments; replay too. */
static void replay_goes_over_segments(void **state)
{
    struct machine x;

    machine_init(&x, LOG_FROM_COORDINATOR);
    x.topic_setting = "internal.segment.bytes=1000";
    machine_open_log(&x);
    for (int i = 0; i < 200; i++)
        machine_append(&x, BATCH_OPTIONS_NONE, 3);
    assert_true(log_n_segments(x.log) > 10);
    machine_close(&x, true);
    assert_int_equal(machine_open(&x), 0);
    assert_int_equal(x.n_seen, 600);
    assert_true(seen_is(&x, 599, 599, "k", "v"));
    machine_release(&x);
}

/* An empty log is ready at once. */
static void an_empty_log_has_nothing_to_show(void **state)
{
    struct machine x;

    machine_init(&x, LOG_FROM_RAFT);
    assert_int_equal(machine_open(&x), 0);
    assert_int_equal(x.n_seen, 0);
    assert_int_equal(statelog_end(x.s), 0);
    machine_release(&x);
}

static void flip(struct machine *x, uint64_t at)
{
    struct file *f;
    uint8_t byte;

    assert_int_equal(vfs_open(x->env.vfs, machine_segment_path(), VFS_WRITE, &f), 0);
    assert_int_equal(file_pread_full(f, &byte, 1, at), 0);
    byte ^= 0x40;
    assert_int_equal(file_pwrite(f, &byte, 1, at), 0);
    file_unref(f);
}

/* Rot that a clean start does not look for is found by the checksum: the machine does not start
 * with half of its state, and the message says where. */
static void rot_is_refused_with_its_place(void **state)
{
    uint64_t first_bytes;
    struct machine x;

    machine_init(&x, LOG_FROM_COORDINATOR);
    machine_open_log(&x);
    machine_append(&x, BATCH_OPTIONS_NONE, 1);
    first_bytes = log_size_bytes(x.log);
    machine_append(&x, BATCH_OPTIONS_NONE, 1);
    machine_append(&x, BATCH_OPTIONS_NONE, 1);
    machine_close(&x, true);
    flip(&x, first_bytes + BATCH_HEADER_BYTES + 4);
    assert_int_equal(machine_open(&x), E_CORRUPT);
    assert_non_null(strstr(x.msg.text, "state-0 at offset 1"));
    assert_int_equal(x.n_seen, 1);
    machine_release(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_of_every_kind_are_replayed),
        cmocka_unit_test(replay_goes_over_segments),
        cmocka_unit_test(an_empty_log_has_nothing_to_show),
        cmocka_unit_test(rot_is_refused_with_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
