/* The journal: what a power cut takes from the segments comes back, and nothing else is touched. */
#include "log_fixture.h"

#include "directory.h"
#include "spy_vfs.h"

#define JOURNAL FIXTURE_DIR "/" DIR_JOURNAL_NAME

static const char *const small_journal[] = {"log.journal.bytes=262144", NULL};

/* One flushed record (offset 0), and the journal is there. */
static void begin(struct fixture *fx, const char *const *overrides)
{
    fixture_init(fx, overrides);
    fixture_open(fx);
    fixture_append(fx, (struct test_batch){0});
    fixture_settle(fx);
    assert_true(journal_ready(fx->log->dir));
    assert_int_equal(fx->log->recovery_point, 1);
}

static void commit_one(struct fixture *fx)
{
    int64_t end = log_end_offset(fx->log);

    fixture_append(fx, (struct test_batch){0});
    logm_turn(fx->m);
    while (log_high_watermark(fx->log) == end)
        assert_true(lanes_sim_step(fx->env.lanes));
}

static void reopen(struct fixture *fx)
{
    if (fx->m)
        fixture_kill(fx);
    fixture_open(fx);
}

/* Records that were acknowledged through the journal are there after a power cut that took them from the segment. */
static void lost_bytes_of_the_segment_come_back(void **state)
{
    struct fixture fx;
    uint64_t whole, flushed;

    begin(&fx, small_journal);
    flushed = fixture_file_bytes(&fx, fixture_path(&fx, 0, ".log"));
    for (int i = 0; i < 5; i++)
        commit_one(&fx);
    assert_int_equal(fx.log->recovery_point, 1);
    whole = fixture_file_bytes(&fx, fixture_path(&fx, 0, ".log"));
    fixture_kill(&fx);
    fixture_truncate(&fx, fixture_path(&fx, 0, ".log"), flushed);
    reopen(&fx);
    assert_false(logm_was_clean(fx.m));
    assert_int_equal(fixture_file_bytes(&fx, fixture_path(&fx, 0, ".log")), whole);
    assert_int_equal(log_end_offset(fx.log), 6);
    assert_int_equal(fixture_count_records(&fx), 6);
    fixture_release(&fx);
}

/* So are those that became zeroes, or of which a part is missing. */
static void torn_bytes_of_the_segment_are_written_again(void **state)
{
    struct fixture fx;
    uint64_t whole;
    uint8_t zeros[40] = {0};
    struct file *f;

    begin(&fx, small_journal);
    commit_one(&fx);
    commit_one(&fx);
    whole = fixture_file_bytes(&fx, fixture_path(&fx, 0, ".log"));
    fixture_kill(&fx);
    assert_int_equal(vfs_open(fx.env.vfs, fixture_path(&fx, 0, ".log"), VFS_WRITE, &f), 0);
    assert_int_equal(file_pwrite(f, zeros, sizeof(zeros), whole / 3),
                     0); /* the second batch's header */
    assert_int_equal(file_truncate(f, whole - 5), 0);
    file_unref(f);
    reopen(&fx);
    assert_int_equal(log_end_offset(fx.log), 3);
    assert_int_equal(fixture_count_records(&fx), 3);
    fixture_release(&fx);
}

/* After the replay the journal says nothing any more: a second crash finds no entries. */
static void a_replay_ends_with_an_empty_journal(void **state)
{
    struct fixture fx;
    uint64_t flushed;

    begin(&fx, small_journal);
    flushed = fixture_file_bytes(&fx, fixture_path(&fx, 0, ".log"));
    commit_one(&fx);
    reopen(&fx);
    assert_int_equal(log_end_offset(fx.log), 2);
    fixture_kill(&fx);
    fixture_truncate(&fx, fixture_path(&fx, 0, ".log"), flushed);
    reopen(&fx);
    assert_int_equal(log_end_offset(fx.log), 1);
    fixture_release(&fx);
}

/* After a clean stop the journal is empty, even for somebody who finds no marker because another program removed it. */
static void a_clean_stop_empties_the_journal(void **state)
{
    struct fixture fx;
    uint64_t flushed;

    begin(&fx, small_journal);
    flushed = fixture_file_bytes(&fx, fixture_path(&fx, 0, ".log"));
    commit_one(&fx);
    fixture_stop(&fx);
    assert_int_equal(vfs_unlink(fx.env.vfs, FIXTURE_DIR "/" DIR_MARKER_NAME), 0);
    fixture_truncate(&fx, fixture_path(&fx, 0, ".log"), flushed);
    reopen(&fx);
    assert_int_equal(log_end_offset(fx.log), 1);
    fixture_release(&fx);
}

/* With a marker there the journal does not count, whatever is in it; and it does not count later either. */
static void a_marker_beats_the_journal(void **state)
{
    struct fixture fx;
    uint64_t flushed;

    begin(&fx, small_journal);
    flushed = fixture_file_bytes(&fx, fixture_path(&fx, 0, ".log"));
    commit_one(&fx);
    fixture_kill(&fx);
    fixture_truncate(&fx, fixture_path(&fx, 0, ".log"), flushed);
    fixture_write_file(&fx, FIXTURE_DIR "/" DIR_MARKER_NAME, "{}", 2);
    reopen(&fx);
    assert_true(logm_was_clean(fx.m));
    assert_int_equal(log_end_offset(fx.log), 1);
    reopen(&fx);
    assert_int_equal(log_end_offset(fx.log), 1);
    fixture_release(&fx);
}

/* The marker goes only when the journal has been reset: in the other order a crash in between would replay what is stale. */
static void the_journal_is_reset_before_the_marker_goes(void **state)
{
    struct spy_vfs *spy;
    struct fixture fx;
    const char *unlinked;

    begin(&fx, small_journal);
    fixture_stop(&fx);
    spy = spy_vfs_new(fx.env.vfs);
    fx.env.vfs = &spy->vfs;
    assert_int_equal(fixture_open_manager(&fx), 0);
    unlinked = strchr(spy->log, SPY_UNLINK);
    assert_non_null(unlinked);
    assert_true(unlinked - spy->log >= 2);
    assert_memory_equal(unlinked - 2, "wfud", 4);
    fixture_kill(&fx);
    fx.env.vfs = spy->under;
    spy_vfs_free(spy);
    fixture_release(&fx);
}

/* A batch that is at its place is not written again, and one that was put there since is not overwritten. */
static void a_place_that_was_made_over_is_left_alone(void **state)
{
    struct fixture fx;
    struct chunk *other;
    struct buf bytes;
    uint64_t flushed;
    struct file *f;
    size_t n;

    begin(&fx, small_journal);
    flushed = fixture_file_bytes(&fx, fixture_path(&fx, 0, ".log"));
    commit_one(&fx);
    fixture_kill(&fx);
    other = fixture_batch(&fx, (struct test_batch){.timestamp_ms = 5, .base_offset = 7}, &n);
    assert_int_equal(fixture_file_bytes(&fx, fixture_path(&fx, 0, ".log")), flushed + n);
    assert_int_equal(vfs_open(fx.env.vfs, fixture_path(&fx, 0, ".log"), VFS_WRITE, &f), 0);
    assert_int_equal(file_pwrite(f, other->data, n, flushed), 0);
    file_unref(f);
    assert_int_equal(fixture_open_manager(&fx), 0);
    fixture_read_file(&fx, fixture_path(&fx, 0, ".log"), &bytes);
    assert_memory_equal(bytes.p + flushed, other->data, n);
    buf_release(&bytes);
    chunk_unref(other);
    fixture_release(&fx);
}

/* The first bytes of a batch are not covered by its CRC: where they were lost, its checksum is still right. They come back. */
static void a_batch_whose_first_bytes_are_lost_is_written_again(void **state)
{
    static const size_t lost[] = {8, 12, 16, 17, 21};

    for (size_t i = 0; i < ARRAY_SIZE(lost); i++) {
        uint8_t zeros[21] = {0};
        struct buf before, after;
        struct fixture fx;
        uint64_t flushed;
        struct file *f;

        begin(&fx, small_journal);
        flushed = fixture_file_bytes(&fx, fixture_path(&fx, 0, ".log"));
        commit_one(&fx);
        commit_one(&fx);
        fixture_kill(&fx);
        fixture_read_file(&fx, fixture_path(&fx, 0, ".log"), &before);
        assert_int_equal(vfs_open(fx.env.vfs, fixture_path(&fx, 0, ".log"), VFS_WRITE, &f), 0);
        assert_int_equal(file_pwrite(f, zeros, lost[i], flushed), 0);
        file_unref(f);
        reopen(&fx);
        assert_int_equal(log_end_offset(fx.log), 3);
        fixture_read_file(&fx, fixture_path(&fx, 0, ".log"), &after);
        assert_int_equal(after.n, before.n);
        assert_memory_equal(after.p, before.p, after.n);
        buf_release(&before);
        buf_release(&after);
        fixture_release(&fx);
    }
}

/* A part that would leave a hole behind the end of the file is stale. */
static void no_hole_is_made(void **state)
{
    struct fixture fx;

    begin(&fx, small_journal);
    commit_one(&fx);
    fixture_kill(&fx);
    fixture_truncate(&fx, fixture_path(&fx, 0, ".log"), 3);
    assert_int_equal(fixture_open_manager(&fx), 0);
    assert_int_equal(fixture_file_bytes(&fx, fixture_path(&fx, 0, ".log")), 3);
    fixture_release(&fx);
}

/* A segment file that is not there was deleted, because its name was durable before the entry was written. */
static void a_deleted_segment_is_not_made_again(void **state)
{
    struct fixture fx;

    begin(&fx, small_journal);
    commit_one(&fx);
    fixture_kill(&fx);
    assert_int_equal(vfs_unlink(fx.env.vfs, fixture_path(&fx, 0, ".log")), 0);
    assert_int_equal(fixture_open_manager(&fx), 0);
    assert_false(fixture_exists(&fx, fixture_path(&fx, 0, ".log")));
    fixture_release(&fx);
}

/* Records of a topic that was deleted do not go into a new one of the same name. */
static void another_topic_of_the_same_name_is_left_alone(void **state)
{
    static const char other[] = "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ";
    struct fixture fx;
    uint64_t flushed;

    begin(&fx, small_journal);
    flushed = fixture_file_bytes(&fx, fixture_path(&fx, 0, ".log"));
    commit_one(&fx);
    fixture_kill(&fx);
    fixture_truncate(&fx, fixture_path(&fx, 0, ".log"), flushed);
    fixture_write_file(&fx, FIXTURE_DIR "/t-0/partition.metadata", other, strlen(other));
    assert_int_equal(fixture_open_manager(&fx), 0);
    assert_int_equal(fixture_file_bytes(&fx, fixture_path(&fx, 0, ".log")), flushed);
    fixture_release(&fx);
}

/* What the checkpoint says is flushed is not looked at. */
static void what_is_below_the_recovery_point_is_left_alone(void **state)
{
    static const char checkpoint[] = "0\n1\nt 0 2\n";
    struct fixture fx;
    uint64_t flushed;

    begin(&fx, small_journal);
    flushed = fixture_file_bytes(&fx, fixture_path(&fx, 0, ".log"));
    commit_one(&fx);
    fixture_kill(&fx);
    fixture_truncate(&fx, fixture_path(&fx, 0, ".log"), flushed);
    fixture_write_file(&fx, FIXTURE_DIR "/recovery-point-offset-checkpoint", checkpoint,
                       strlen(checkpoint));
    assert_int_equal(fixture_open_manager(&fx), 0);
    assert_int_equal(fixture_file_bytes(&fx, fixture_path(&fx, 0, ".log")), flushed);
    fixture_release(&fx);
}

/* An entry that is cut off counts for nothing; the ones before it do. */
static void the_last_entry_may_be_torn(void **state)
{
    struct fixture fx;
    uint64_t flushed;

    begin(&fx, small_journal);
    flushed = fixture_file_bytes(&fx, fixture_path(&fx, 0, ".log"));
    commit_one(&fx);
    commit_one(&fx);
    fixture_kill(&fx);
    fixture_truncate(&fx, fixture_path(&fx, 0, ".log"), flushed);
    fixture_flip(&fx, JOURNAL, JOURNAL_HEADER_BYTES + JOURNAL_BLOCK_BYTES + 100);
    reopen(&fx);
    assert_int_equal(log_end_offset(fx.log), 2);
    fixture_release(&fx);
}

/* A damaged entry in the middle is an error to be told, and the entries behind it still count where they can. */
static void entries_behind_a_damaged_one_are_replayed(void **state)
{
    uint64_t rot = mark_count("journal_rot");
    struct fixture fx;

    begin(&fx, small_journal);
    for (int i = 0; i < 3; i++)
        commit_one(&fx);
    fixture_kill(&fx); /* the segment has all of it: only its last batch is lost */
    fixture_truncate(&fx, fixture_path(&fx, 0, ".log"),
                     fixture_file_bytes(&fx, fixture_path(&fx, 0, ".log")) / 4 * 3);
    fixture_flip(&fx, JOURNAL, JOURNAL_HEADER_BYTES + JOURNAL_BLOCK_BYTES + 100);
    reopen(&fx);
    assert_int_equal(mark_count("journal_rot"), rot + 1);
    assert_int_equal(log_end_offset(fx.log), 4);
    fixture_release(&fx);
}

/* One of the two header blocks is enough. */
static void one_header_block_may_be_lost(void **state)
{
    for (int i = 0; i < 2; i++) {
        struct fixture fx;
        uint64_t flushed;

        begin(&fx, small_journal);
        flushed = fixture_file_bytes(&fx, fixture_path(&fx, 0, ".log"));
        commit_one(&fx);
        fixture_kill(&fx);
        fixture_truncate(&fx, fixture_path(&fx, 0, ".log"), flushed);
        fixture_flip(&fx, JOURNAL, (uint64_t)i * JOURNAL_BLOCK_BYTES + 20);
        reopen(&fx);
        assert_int_equal(log_end_offset(fx.log), 2);
        fixture_release(&fx);
    }
}

/* A file without a header was being made when the process ended: it goes, and a new one is made. */
static void a_file_without_a_header_is_made_again(void **state)
{
    struct fixture fx;

    fixture_init(&fx, small_journal);
    assert_int_equal(fixture_open_manager(&fx), 0);
    fixture_kill(&fx);
    fixture_write_file(&fx, JOURNAL, "zero", 4);
    fixture_open(&fx);
    assert_false(fixture_exists(&fx, JOURNAL));
    fixture_append(&fx, (struct test_batch){0});
    fixture_settle(&fx);
    assert_true(journal_ready(fx.log->dir));
    assert_int_equal(fixture_file_bytes(&fx, JOURNAL), 262144);
    fixture_release(&fx);
}

/* Another size in the settings, or none: the old file goes, after its entries were replayed. */
static void a_new_size_replaces_the_file(void **state)
{
    struct fixture fx;
    uint64_t flushed;

    begin(&fx, small_journal);
    flushed = fixture_file_bytes(&fx, fixture_path(&fx, 0, ".log"));
    commit_one(&fx);
    fixture_kill(&fx);
    fixture_truncate(&fx, fixture_path(&fx, 0, ".log"), flushed);
    fx.config.log_journal_bytes = 0;
    reopen(&fx);
    assert_int_equal(log_end_offset(fx.log), 2);
    assert_false(fixture_exists(&fx, JOURNAL));
    fixture_append(&fx, (struct test_batch){0});
    fixture_settle(&fx);
    assert_null(fx.log->dir->journal);
    assert_int_equal(log_high_watermark(fx.log), 3);
    fixture_release(&fx);
}

/* No space for it: commits sync their segments, and it is made later when there is. */
static void without_space_commits_go_on(void **state)
{
    struct fixture fx;

    fixture_init(&fx,
                 (const char *const[]){"log.journal.bytes=8388608", "log.min.free.bytes=0", NULL});
    vfs_mem_set_space(fx.env.vfs, 24 << 20);
    fixture_open(&fx);
    fixture_append(&fx, (struct test_batch){0});
    fixture_settle(&fx);
    assert_false(journal_ready(fx.log->dir));
    commit_one(&fx);
    assert_int_equal(log_high_watermark(fx.log), 2);
    assert_false(logm_dir_offline(fx.m, 0));
    vfs_mem_set_space(fx.env.vfs, 256 << 20);
    fixture_advance_ms(&fx, 60 * 1000);
    commit_one(&fx);
    fixture_settle(&fx);
    assert_true(journal_ready(fx.log->dir));
    fixture_release(&fx);
}

/* ---- halves --------------------------------------------------------------------------------- */

/* A half that is full waits for a flush; meanwhile the other is used, and when that is full, too, segments are synced. */
static void halves_take_turns(void **state)
{
    struct fixture fx;
    struct journal *j;
    int n_entries;

    begin(&fx, (const char *const[]){"log.journal.bytes=40960", NULL}); /* halves of 4 blocks */
    j = fx.log->dir->journal;
    n_entries = (int)(j->half_bytes / JOURNAL_BLOCK_BYTES);
    assert_int_equal(n_entries, 4);
    for (int i = 0; i < n_entries; i++)
        commit_one(&fx);
    assert_int_equal(j->half, 0);
    fixture_append(&fx, (struct test_batch){0});
    commit_start(fx.log->dir); /* the flush does not begin yet */
    assert_int_equal(j->half, 1);
    assert_int_equal(j->half_state[0], JOURNAL_HALF_FULL);
    logm_turn(fx.m);
    assert_int_equal(j->half_state[0], JOURNAL_HALF_FLUSHING);
    fixture_settle(&fx);
    assert_int_equal(j->half_state[0], JOURNAL_HALF_FREE);
    assert_int_equal(fx.log->recovery_point, log_end_offset(fx.log));
    fixture_release(&fx);
}

/* While the flush of the other half has not ended, a commit syncs the segments. */
static void a_commit_never_overwrites_a_half_that_is_not_flushed(void **state)
{
    struct fixture fx;
    struct journal *j;

    begin(&fx, (const char *const[]){"log.journal.bytes=40960", NULL});
    j = fx.log->dir->journal;
    for (int i = 0; i < 4; i++)
        commit_one(&fx);
    j->half_state[1] = JOURNAL_HALF_FLUSHING; /* as if that took very long */
    commit_one(&fx);
    assert_int_equal(j->half, 0);
    assert_int_equal(j->at, j->half_bytes);
    assert_int_equal(fx.log->recovery_point, 6);
    j->half_state[1] = JOURNAL_HALF_FREE;
    commit_one(&fx);
    assert_int_equal(j->half, 1);
    fixture_release(&fx);
}

/* Many rounds through both halves, a power cut anywhere: all that was acknowledged is there. */
static void any_number_of_rounds_can_be_replayed(void **state)
{
    for (int n = 1; n <= 30; n++) {
        struct fixture fx;

        begin(&fx, (const char *const[]){"log.journal.bytes=40960", NULL});
        for (int i = 0; i < n; i++) {
            commit_one(&fx);
            if (i % 3 == 0)
                fixture_settle(&fx);
        }
        int64_t flushed = fx.log->recovery_point;
        uint64_t each = fixture_file_bytes(&fx, fixture_path(&fx, 0, ".log")) / (uint64_t)(n + 1);
        fixture_kill(&fx);
        fixture_truncate(&fx, fixture_path(&fx, 0, ".log"), each * (uint64_t)flushed);
        reopen(&fx);
        assert_int_equal(log_end_offset(fx.log), n + 1);
        assert_int_equal(fixture_count_records(&fx), n + 1);
        fixture_release(&fx);
    }
}

/* A commit of many parts is split into entries of limited size. */
static void a_large_commit_is_several_entries(void **state)
{
    struct fixture fx;
    struct log *logs[40];
    uint64_t sequence;

    fixture_init(&fx, (const char *const[]){"log.journal.bytes=16777216", NULL});
    fixture_open(&fx);
    for (int i = 0; i < 40; i++) {
        assert_int_equal(log_open(fx.m, "u", i, UUID_ZERO, &fx.topic, 0, -1, &logs[i], &fx.msg), 0);
        fx.log = logs[i];
        fixture_append(&fx, (struct test_batch){0});
    }
    fixture_settle(&fx);
    sequence = logs[0]->dir->journal->sequence_next;
    for (int i = 0; i < 40; i++) {
        fx.log = logs[i];
        fixture_append(&fx, (struct test_batch){.value_bytes = 60000});
    }
    fixture_settle(&fx);
    assert_int_equal(logs[0]->dir->journal->sequence_next, sequence + 3);
    assert_int_equal(log_high_watermark(logs[39]), 2);
    assert_int_equal(logs[39]->recovery_point, 1);
    fixture_kill(&fx);
    fixture_truncate(&fx, FIXTURE_DIR "/u-39/00000000000000000000.log", 79);
    assert_int_equal(fixture_open_manager(&fx), 0);
    assert_true(fixture_file_bytes(&fx, FIXTURE_DIR "/u-39/00000000000000000000.log") > 60000);
    fixture_release(&fx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lost_bytes_of_the_segment_come_back),
        cmocka_unit_test(torn_bytes_of_the_segment_are_written_again),
        cmocka_unit_test(a_replay_ends_with_an_empty_journal),
        cmocka_unit_test(a_clean_stop_empties_the_journal),
        cmocka_unit_test(a_marker_beats_the_journal),
        cmocka_unit_test(the_journal_is_reset_before_the_marker_goes),
        cmocka_unit_test(a_place_that_was_made_over_is_left_alone),
        cmocka_unit_test(a_batch_whose_first_bytes_are_lost_is_written_again),
        cmocka_unit_test(no_hole_is_made),
        cmocka_unit_test(a_deleted_segment_is_not_made_again),
        cmocka_unit_test(another_topic_of_the_same_name_is_left_alone),
        cmocka_unit_test(what_is_below_the_recovery_point_is_left_alone),
        cmocka_unit_test(the_last_entry_may_be_torn),
        cmocka_unit_test(entries_behind_a_damaged_one_are_replayed),
        cmocka_unit_test(one_header_block_may_be_lost),
        cmocka_unit_test(a_file_without_a_header_is_made_again),
        cmocka_unit_test(a_new_size_replaces_the_file),
        cmocka_unit_test(without_space_commits_go_on),
        cmocka_unit_test(halves_take_turns),
        cmocka_unit_test(a_commit_never_overwrites_a_half_that_is_not_flushed),
        cmocka_unit_test(any_number_of_rounds_can_be_replayed),
        cmocka_unit_test(a_large_commit_is_several_entries),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
