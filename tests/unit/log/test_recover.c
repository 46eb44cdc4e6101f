/* Starting again after a kill, a torn write, rot, lost or torn derived files. */
#include "log_fixture.h"

#include "segment.h"

static int setup(void **state)
{
    struct fixture *fx = xcalloc(1, sizeof(*fx));

    /* Without a journal: what is cut here would be replayed from it. */
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

/* Ten batches of two records in segments of some batches each; none of it below a recovery point. */
static void fill(struct fixture *fx, const char *segment_bytes)
{
    fixture_topic(fx, (const char *[]){segment_bytes, "index.interval.bytes=100",
                                       "flush.messages=1000000", NULL});
    fixture_open(fx);
    for (int i = 0; i < 10; i++)
        fixture_append(
            fx, (struct test_batch){
                    .n_records = 2, .producer_id = 4, .sequence = 2 * i, .value_bytes = 100});
}

static uint64_t batch_bytes(struct fixture *fx)
{
    size_t n;

    chunk_unref(fixture_batch(
        fx, (struct test_batch){.n_records = 2, .producer_id = 4, .value_bytes = 100}, &n));
    return n;
}

/* A killed process loses nothing that was appended: the files have it. */
static void kill_loses_nothing(void **state)
{
    struct fixture *fx = *state;

    fill(fx, "internal.segment.bytes=1000");
    fixture_kill(fx);
    fixture_open(fx);
    assert_false(logm_was_clean(fx->m));
    assert_int_equal(log_end_offset(fx->log), 20);
    assert_int_equal(log_high_watermark(fx->log), 20);
    assert_int_equal(fixture_count_records(fx), 20);
    assert_int_equal(
        fixture_append(fx, (struct test_batch){.n_records = 2, .producer_id = 4, .sequence = 20}),
        20);
}

/* Wherever the last write was torn, the log goes on after the last whole batch. */
static void torn_tail_is_cut(void **state)
{
    struct fixture *fx = *state;
    uint64_t n = batch_bytes(fx), cuts[] = {1, 16, 17, 60, 61, 62, n - 1};

    fill(fx, "internal.segment.bytes=100000");
    for (size_t i = 0; i < ARRAY_SIZE(cuts); i++) {
        uint64_t marks = mark_count("recover_torn_tail");
        int64_t end = log_end_offset(fx->log);

        fixture_kill(fx);
        fixture_truncate(fx, fixture_path(fx, 0, ".log"), 9 * n + cuts[i]);
        fixture_open(fx);
        assert_int_equal(end, 20);
        assert_int_equal(log_end_offset(fx->log), 18);
        assert_int_equal(mark_count("recover_torn_tail"), marks + 1);
        assert_int_equal(fixture_file_bytes(fx, fixture_path(fx, 0, ".log")), 9 * n);
        assert_int_equal(fixture_count_records(fx), 18);
        assert_int_equal(fixture_append(fx, (struct test_batch){.n_records = 2,
                                                                .producer_id = 4,
                                                                .sequence = 18,
                                                                .value_bytes = 100}),
                         18);
    }
}

/* Zeroes behind the last batch, as a power cut leaves them. */
static void zeroes_at_the_end_are_cut(void **state)
{
    struct fixture *fx = *state;
    uint64_t n = batch_bytes(fx);

    fill(fx, "internal.segment.bytes=100000");
    fixture_kill(fx);
    fixture_truncate(fx, fixture_path(fx, 0, ".log"), 10 * n + 5000);
    fixture_open(fx);
    assert_int_equal(log_end_offset(fx->log), 20);
    assert_int_equal(fixture_file_bytes(fx, fixture_path(fx, 0, ".log")), 10 * n);
}

/* A bad batch with good ones behind it is rot: the log is cut there, and the rest is kept aside. */
static void rot_is_kept_aside(void **state)
{
    struct fixture *fx = *state;
    uint64_t n = batch_bytes(fx), marks = mark_count("recover_rot");

    fill(fx, "internal.segment.bytes=100000");
    fixture_kill(fx);
    fixture_flip(fx, fixture_path(fx, 0, ".log"), 4 * n + 80);
    fixture_open(fx);
    assert_int_equal(log_end_offset(fx->log), 8);
    assert_int_equal(mark_count("recover_rot"), marks + 1);
    assert_int_equal(fixture_file_bytes(fx, fixture_path(fx, 0, ".log.corrupt")), 6 * n);
    assert_int_equal(fixture_count_records(fx), 8);
}

/* Rot in a segment that others follow: they are kept aside, too. */
static void rot_sets_later_segments_aside(void **state)
{
    struct fixture *fx = *state;

    fill(fx, "internal.segment.bytes=1000");
    assert_int_equal(log_n_segments(fx->log), 4);
    fixture_kill(fx);
    fixture_flip(fx, fixture_path(fx, 6, ".log"), 100);
    fixture_open(fx);
    assert_int_equal(log_end_offset(fx->log), 6);
    assert_true(fixture_exists(fx, fixture_path(fx, 6, ".log.corrupt")));
    assert_true(fixture_exists(fx, fixture_path(fx, 12, ".log.corrupt")));
    assert_false(fixture_exists(fx, fixture_path(fx, 12, ".log")));
    assert_false(fixture_exists(fx, fixture_path(fx, 12, ".snapshot")));
    assert_int_equal(fixture_append(fx, (struct test_batch){.producer_id = 4, .sequence = 6}), 6);
    assert_int_equal(fixture_count_records(fx), 7);
}

/* The name of a segment is lost, as by a power cut before anything was flushed: what follows does not belong to the log that is
 * left, and is kept aside. */
static void a_gap_between_segments_ends_the_log(void **state)
{
    struct fixture *fx = *state;

    fill(fx, "internal.segment.bytes=1000");
    assert_int_equal(log_n_segments(fx->log), 4);
    fixture_kill(fx);
    assert_int_equal(vfs_unlink(fx->env.vfs, fixture_path(fx, 6, ".log")), 0);
    fixture_open(fx);
    assert_int_equal(log_end_offset(fx->log), 6);
    assert_int_equal(log_n_segments(fx->log), 1);
    assert_true(fixture_exists(fx, fixture_path(fx, 12, ".log.corrupt")));
    assert_true(fixture_exists(fx, fixture_path(fx, 18, ".log.corrupt")));
    assert_int_equal(fixture_append(fx, (struct test_batch){.producer_id = 4, .sequence = 6}), 6);
    assert_int_equal(fixture_count_records(fx), 7);
}

static void write_recovery_point(struct fixture *fx, int offset)
{
    char text[32];
    int n = snprintf(text, sizeof(text), "0\n1\nt 0 %d\n", offset);

    fixture_write_file(fx, FIXTURE_DIR "/recovery-point-offset-checkpoint", text, (size_t)n);
}

/* In a compacted log there may be gaps, but none past the recovery point that was noted: there something is missing. Where the
 * journal does not show that this was the last broker, another one may have compacted. */
static void a_gap_past_what_may_be_compacted_ends_the_log(void **state)
{
    for (int journal = 0; journal < 2; journal++) {
        for (int noted = 0; noted <= 12; noted += 12) {
            struct fixture fx;
            bool damage = journal && noted < 6;

            fixture_init(&fx, (const char *[]){journal ? "log.journal.bytes=49152" : "log.journal.bytes=0", NULL});
            fixture_topic(&fx, (const char *[]){"cleanup.policy=compact", "internal.segment.bytes=1000", NULL});
            fixture_open(&fx);
            for (int i = 0; i < 10; i++) {
                fixture_append(&fx, (struct test_batch){.n_records = 2, .value_bytes = 100});
                if (i < 2) /* the first commit makes the journal, the second is in it */
                    fixture_settle(&fx);
            }
            fixture_kill(&fx);
            write_recovery_point(&fx, noted);
            fixture_truncate(&fx, fixture_path(&fx, 6, ".log"), 2 * fixture_file_bytes(&fx, fixture_path(&fx, 6, ".log")) / 3);
            fixture_open(&fx);
            assert_int_equal(log_end_offset(fx.log), damage ? 10 : 20);
            assert_int_equal(fixture_exists(&fx, fixture_path(&fx, 12, ".log.corrupt")), damage);
            fixture_release(&fx);
        }
    }
}

/* The checksum covers neither the base offset nor the epoch: an offset that does not follow is
 * damage. */
static void offset_that_does_not_follow_is_damage(void **state)
{
    struct fixture *fx = *state;
    uint64_t n = batch_bytes(fx);

    fill(fx, "internal.segment.bytes=100000");
    fixture_settle(fx);
    fixture_stop(fx);
    assert_int_equal(fixture_open_manager(fx), 0);
    assert_int_equal(fixture_open_log(fx), 0);
    for (int i = 0; i < 3; i++)
        fixture_append(fx, (struct test_batch){.n_records = 2, .value_bytes = 100});
    fixture_kill(fx);
    fixture_flip(fx, fixture_path(fx, 0, ".log"),
                 10 * n + 6); /* the second batch past the recovery point is at 10 n + ... */
    fixture_open(fx);
    assert_int_equal(log_end_offset(fx->log), 20);
    assert_true(fixture_exists(fx, fixture_path(fx, 0, ".log.corrupt")));
}

/* Damage below the recovery point, with good batches behind it: the log is not served, and nothing
 * of it is changed. */
static void rot_below_the_recovery_point_is_not_served(void **state)
{
    struct fixture *fx = *state;
    uint64_t n = batch_bytes(fx), size;

    fill(fx, "internal.segment.bytes=100000");
    fixture_stop(fx);
    assert_int_equal(fixture_open_manager(fx), 0);
    fixture_kill(fx); /* unclean now, but all is below the recovery point */
    fixture_flip(fx, fixture_path(fx, 0, ".log"), 4 * n + BATCH_MAGIC_AT);
    fixture_truncate(fx, fixture_path(fx, 0, ".index"), 0);
    size = fixture_file_bytes(fx, fixture_path(fx, 0, ".log"));
    assert_int_equal(fixture_open_manager(fx), 0);
    assert_int_equal(fixture_open_log(fx), E_CORRUPT);
    assert_non_null(strstr(fx->msg.text, "below the recovery point"));
    assert_int_equal(fixture_file_bytes(fx, fixture_path(fx, 0, ".log")), size);
}

/* Lost, torn and zero-filled indexes after a kill are built anew, as they were. */
static void indexes_are_rebuilt_as_they_were(void **state)
{
    struct fixture *fx = *state;
    struct buf before[2], after;
    const char *suffixes[] = {".index", ".timeindex"};

    fill(fx, "internal.segment.bytes=1000");
    fixture_settle(fx);
    for (int i = 0; i < 2; i++)
        fixture_read_file(fx, fixture_path(fx, 6, suffixes[i]), &before[i]);
    assert_true(before[0].n > 0 && before[1].n > 0);
    fixture_kill(fx);
    fixture_truncate(fx, fixture_path(fx, 6, ".index"), 10000);
    fixture_truncate(fx, fixture_path(fx, 6, ".timeindex"), 0);
    fixture_open(fx);
    assert_int_equal(fixture_count_records(fx), 20);
    for (int i = 0; i < 2; i++) {
        fixture_read_file(fx, fixture_path(fx, 6, suffixes[i]), &after);
        assert_int_equal(after.n, before[i].n);
        assert_memory_equal(after.p, before[i].p, after.n);
        buf_release(&after);
        buf_release(&before[i]);
    }
}

/* A clean start without index files builds them; with them it rebuilds nothing. */
static void clean_start_trusts_what_fits(void **state)
{
    struct fixture *fx = *state;
    uint64_t marks;

    fill(fx, "internal.segment.bytes=100000");
    fixture_stop(fx);
    marks = mark_count("index_rebuilt");
    fixture_open(fx);
    assert_true(logm_was_clean(fx->m));
    assert_int_equal(log_end_offset(fx->log), 20);
    assert_int_equal(fixture_count_records(fx), 20);
    assert_int_equal(mark_count("index_rebuilt"), marks);
    fixture_stop(fx);
    fixture_truncate(fx, fixture_path(fx, 0, ".index"), 7);
    fixture_open(fx);
    assert_int_equal(mark_count("index_rebuilt"), marks + 1);
    assert_int_equal(log_end_offset(fx->log), 20);
}

/* After a clean stop all is flushed: a last batch that is not whole has rotted. It is neither served nor cut off, and the
 * log goes on behind it. */
static void clean_marker_does_not_hide_a_torn_tail(void **state)
{
    struct fixture *fx = *state;
    uint64_t n = batch_bytes(fx), size = 10 * n - 3;
    struct log_read r;

    fill(fx, "internal.segment.bytes=100000");
    fixture_stop(fx);
    fixture_truncate(fx, fixture_path(fx, 0, ".log"), size);
    assert_int_equal(fixture_open_manager(fx), 0);
    assert_int_equal(fixture_open_log(fx), 0);
    assert_int_equal(log_end_offset(fx->log), 20);
    assert_int_equal(log_read(fx->log, 18, 1, true, READ_UNCOMMITTED, &r), E_ROT);
    assert_int_equal(log_read(fx->log, 17, 1, true, READ_UNCOMMITTED, &r), 0);
    assert_int_equal(fixture_file_bytes(fx, fixture_path(fx, 0, ".log")), size);
    assert_int_equal(fixture_append(fx, (struct test_batch){.n_records = 2}), 20);
    fixture_settle(fx);
    assert_int_equal(log_read(fx->log, 19, 1, true, READ_UNCOMMITTED, &r), E_ROT);
    assert_int_equal(log_read(fx->log, 20, 1, true, READ_UNCOMMITTED, &r), 0);
    assert_int_equal(r.position, size);
    fixture_stop(fx);
    fixture_open(fx);
    assert_int_equal(log_end_offset(fx->log), 22);
}

/* A lost or torn epoch file comes back from the batches. */
static void epochs_come_back_from_the_batches(void **state)
{
    struct fixture *fx = *state;
    const char *path = FIXTURE_DIR "/t-0/leader-epoch-checkpoint";
    struct buf text;

    fill(fx, "internal.segment.bytes=1000");
    fixture_stop(fx);
    fixture_write_file(fx, path, "0\n1\n", 4);
    fixture_open(fx);
    assert_int_equal(log_epoch_at(fx->log, 5), 0);
    fixture_kill(fx);
    fixture_write_file(fx, path, "", 0);
    fixture_open(fx);
    assert_int_equal(log_epoch_at(fx->log, 5), 0);
    fixture_read_file(fx, path, &text);
    assert_string_equal(buf_cstr(&text), "0\n1\n0 0\n");
    buf_release(&text);
}

/* Unfinished work of a cleaner is thrown away, finished work is put in place. */
static void leftovers_of_a_cleaner_are_settled(void **state)
{
    struct fixture *fx = *state;
    struct buf bytes;

    fill(fx, "internal.segment.bytes=1000");
    fixture_stop(fx);
    fixture_read_file(fx, fixture_path(fx, 0, ".log"), &bytes);
    fixture_write_file(fx, fixture_path(fx, 0, ".log.swap"), bytes.p, bytes.n);
    buf_release(&bytes);
    fixture_truncate(fx, fixture_path(fx, 0, ".log"), 10);
    fixture_write_file(fx, fixture_path(fx, 6, ".log.cleaned"), "x", 1);
    fixture_write_file(fx, fixture_path(fx, 12, ".log.swap"), "x", 1);
    fixture_write_file(fx, fixture_path(fx, 6, ".log.deleted"), "x", 1);
    fixture_write_file(fx, fixture_path(fx, 7, ".index"), "x", 1);
    fixture_open(fx);
    assert_int_equal(log_end_offset(fx->log), 20);
    assert_int_equal(fixture_count_records(fx), 20);
    assert_false(fixture_exists(fx, fixture_path(fx, 0, ".log.swap")));
    assert_false(fixture_exists(fx, fixture_path(fx, 12, ".log.swap")));
    assert_false(fixture_exists(fx, fixture_path(fx, 6, ".log.cleaned")));
    assert_false(fixture_exists(fx, fixture_path(fx, 6, ".log.deleted")));
    assert_false(fixture_exists(fx, fixture_path(fx, 7, ".index")));
}

/* A power cut may take the new name of an index and leave that of its .log: the index is there under the one before. What is called an
 * index beside a .log.swap is an old one; beside a .log.cleaned even a .swap is no index of what is there. */
static void late_indexes_of_a_cleaner_are_taken(void **state)
{
    static const struct {
        const char *log, *index;
        bool taken;
    } cases[] = {{".log.swap", ".index.cleaned", true}, {".log.swap", ".index.swap", true}, {"", ".index.swap", true},
                 {".log.swap", ".index", false},        {".log.cleaned", ".index.swap", false}};

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct fixture *fx = *state;
        struct buf log, index;

        fill(fx, "internal.segment.bytes=1000");
        fixture_stop(fx);
        fixture_read_file(fx, fixture_path(fx, 0, ".log"), &log);
        fixture_read_file(fx, fixture_path(fx, 0, ".index"), &index);
        assert_true(index.n > 0);
        assert_int_equal(vfs_unlink(fx->env.vfs, fixture_path(fx, 0, ".index")), 0);
        if (cases[i].log[0])
            fixture_write_file(fx, fixture_path(fx, 0, cases[i].log), log.p, log.n);
        fixture_write_file(fx, fixture_path(fx, 0, cases[i].index), index.p, index.n);
        fixture_open(fx);
        assert_int_equal(log_end_offset(fx->log), 20);
        assert_int_equal(fixture_exists(fx, fixture_path(fx, 0, ".index")), cases[i].taken);
        assert_false(fixture_exists(fx, fixture_path(fx, 0, ".index.swap")));
        assert_false(fixture_exists(fx, fixture_path(fx, 0, ".index.cleaned")));
        buf_release(&log);
        buf_release(&index);
        teardown(state);
        setup(state);
    }
}

/* Where the time index is missing and the other is not, the newest record is sought in the whole segment: what is behind the last
 * entry of the other is not all of it. */
static void a_missing_time_index_is_made_anew(void **state)
{
    struct fixture *fx = *state;
    struct log_segment s;

    fixture_topic(fx, (const char *[]){"internal.segment.bytes=1000", "index.interval.bytes=100", NULL});
    fixture_open(fx);
    for (int i = 0; i < 10; i++)
        fixture_append(fx, (struct test_batch){.value_bytes = 200, .timestamp_ms = FIXTURE_START_MS - i});
    fixture_stop(fx);
    assert_int_equal(vfs_unlink(fx->env.vfs, fixture_path(fx, 0, ".timeindex")), 0);
    fixture_open(fx);
    assert_true(log_n_segments(fx->log) > 1);
    assert_int_equal(log_segment_get(fx->log, 0, &s), 0);
    assert_int_equal(s.timestamp_ms, FIXTURE_START_MS);
}

/* A directory of another topic id is refused. */
static void another_topics_directory_is_refused(void **state)
{
    struct fixture *fx = *state;
    struct uuid other = {{9}};

    fill(fx, "internal.segment.bytes=1000");
    fixture_stop(fx);
    assert_int_equal(fixture_open_manager(fx), 0);
    assert_int_equal(log_open(fx->m, "t", 0, other, &fx->topic, 0, -1, &fx->log, &fx->msg),
                     E_FORMAT);
}

/* Recovering twice is recovering once. */
static void recovery_is_idempotent(void **state)
{
    struct fixture *fx = *state;
    uint64_t n = batch_bytes(fx);

    fill(fx, "internal.segment.bytes=100000");
    fixture_kill(fx);
    fixture_flip(fx, fixture_path(fx, 0, ".log"), 7 * n + 100);
    for (int i = 0; i < 3; i++) {
        fixture_open(fx);
        assert_int_equal(log_end_offset(fx->log), 14);
        assert_int_equal(fixture_count_records(fx), 14);
        fixture_kill(fx);
    }
}

static const char *any_file(struct fixture *fx, struct rng *r, bool derived)
{
    static const char *const suffixes[] = {".index", ".timeindex", ".snapshot",
                                           ".log",   ".log",       ".log"};
    static const int64_t bases[] = {0, 6, 12, 18, 20};

    return fixture_path(fx, bases[rng_below(r, ARRAY_SIZE(bases))],
                        suffixes[rng_below(r, derived ? 3 : 6)]);
}

static void damage(struct fixture *fx, struct rng *r, bool derived)
{
    const char *path = any_file(fx, r, derived);
    uint64_t size;

    if (!fixture_exists(fx, path))
        return;
    size = fixture_file_bytes(fx, path);
    if (size == 0)
        return;
    switch (rng_below(r, 3)) {
    case 0:
        fixture_flip(fx, path, rng_below(r, size));
        break;
    case 1:
        fixture_truncate(fx, path, rng_below(r, size));
        break;
    default:
        fixture_truncate(fx, path, size + rng_below(r, 300));
    }
}

/* Whatever is damaged past the recovery point, and whatever derived file anywhere: what is served
 * are whole batches whose offsets follow, new records are taken, and the next start, unclean again,
 * finds the same. */
static void any_damage_leaves_a_valid_prefix(void **state)
{
    struct fixture *fx = *state;
    struct rng r;

    rng_init(&r, 11);
    diag_set_level(DIAG_ERROR + 1);
    for (int round = 0; round < 300; round++) {
        bool clean = rng_below(&r, 2);
        int64_t end, n;

        fill(fx, "internal.segment.bytes=1000");
        if (rng_below(&r, 2))
            fixture_settle(fx);
        if (clean)
            fixture_stop(fx);
        else
            fixture_kill(fx);
        for (uint64_t i = rng_below(&r, 4); i < 4; i++)
            damage(fx, &r, clean);
        assert_int_equal(fixture_open_manager(fx), 0);
        if (fixture_open_log(fx) == 0) {
            end = log_end_offset(fx->log);
            n = fixture_count_records(fx);
            assert_true(end <= 20);
            assert_true(n <= end);
            fixture_append(fx, (struct test_batch){.n_records = 3});
            fixture_kill(fx);
            fixture_open(fx);
            assert_int_equal(log_end_offset(fx->log), end + 3);
            assert_int_equal(fixture_count_records(fx), n + 3);
        }
        fixture_kill(fx);
        assert_int_equal(vfs_remove_tree(fx->env.vfs, FIXTURE_DIR), 0);
    }
    diag_set_level(DIAG_INFO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(kill_loses_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(torn_tail_is_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(zeroes_at_the_end_are_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(rot_is_kept_aside, setup, teardown),
        cmocka_unit_test_setup_teardown(rot_sets_later_segments_aside, setup, teardown),
        cmocka_unit_test_setup_teardown(a_gap_between_segments_ends_the_log, setup, teardown),
        cmocka_unit_test(a_gap_past_what_may_be_compacted_ends_the_log),
        cmocka_unit_test_setup_teardown(offset_that_does_not_follow_is_damage, setup, teardown),
        cmocka_unit_test_setup_teardown(rot_below_the_recovery_point_is_not_served, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(indexes_are_rebuilt_as_they_were, setup, teardown),
        cmocka_unit_test_setup_teardown(clean_start_trusts_what_fits, setup, teardown),
        cmocka_unit_test_setup_teardown(clean_marker_does_not_hide_a_torn_tail, setup, teardown),
        cmocka_unit_test_setup_teardown(epochs_come_back_from_the_batches, setup, teardown),
        cmocka_unit_test_setup_teardown(leftovers_of_a_cleaner_are_settled, setup, teardown),
        cmocka_unit_test_setup_teardown(late_indexes_of_a_cleaner_are_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(a_missing_time_index_is_made_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(another_topics_directory_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(recovery_is_idempotent, setup, teardown),
        cmocka_unit_test_setup_teardown(any_damage_leaves_a_valid_prefix, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
