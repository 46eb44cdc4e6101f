/* check: each kind of damage is told in the right words, repaired as recovery does, and nothing is
 * changed without --repair. */
#include "inspect_fixture.h"

#define LOG      "/data/t-0/00000000000000000000.log"
#define SECOND   "/data/t-0/00000000000000000010.log"
#define SNAPSHOT "/data/t-0/00000000000000000010.snapshot"

static int check_main(struct vfs *v, char **argv, FILE *out, FILE *err)
{
    return inspect_check_main(v, argv, out, err, NULL);
}

static struct tool_run check(struct fixture *fx, const char *a, const char *b)
{
    const char *const words[] = {FIXTURE_DIR, a, b, NULL};

    return tool_run(check_main, fx->env.vfs, words);
}

/* Two segments of ten batches, 90 bytes each. */
static void make(struct fixture *fx, bool clean)
{
    static const char *const small[] = {"index.interval.bytes=100", "segment.bytes=1048576",
                                        "internal.segment.bytes=900", NULL};

    fixture_init(fx, (const char *const[]){"log.journal.bytes=65536", NULL});
    fixture_topic(fx, small);
    fixture_open(fx);
    for (int i = 0; i < 20; i++) {
        fixture_append(fx, (struct test_batch){.value_bytes = 21, .timestamp_ms = 1000000 + i});
        fixture_settle(fx);
    }
    if (clean)
        fixture_stop(fx);
    else
        fixture_kill(fx);
    assert_int_equal(fixture_file_bytes(fx, LOG), 900);
    assert_int_equal(fixture_file_bytes(fx, SECOND), 900);
}

/* A hash of all names, sizes, times and bytes below a directory. */
struct digest {
    struct vfs *v;
    const char *dir;
    uint64_t sum;
};

static int add_file(void *arg, const char *name, bool is_dir)
{
    struct digest *d = arg;
    char *path = xasprintf("%s/%s", d->dir, name);
    struct digest inner = {d->v, path, 0};
    struct vfs_stat st;
    struct buf b;

    buf_init(&b);
    assert_int_equal(vfs_stat(d->v, path, &st), 0);
    if (is_dir) {
        assert_int_equal(vfs_list(d->v, path, add_file, &inner), 0);
    } else {
        assert_int_equal(vfs_read_all(d->v, path, 1 << 30, &b), 0);
        inner.sum = crc32c(0, b.p, b.n);
        inner.sum = inner.sum * 31 + st.size_bytes + (uint64_t)st.mtime.ms;
    }
    d->sum += (inner.sum + 7) * (crc32c(0, path, strlen(path)) | 1);
    buf_release(&b);
    free(path);
    return 0;
}

static uint64_t digest_of(struct fixture *fx)
{
    struct digest d = {fx->env.vfs, FIXTURE_DIR, 0};

    assert_int_equal(vfs_list(fx->env.vfs, FIXTURE_DIR, add_file, &d), 0);
    return d.sum;
}

/* A directory after a clean stop, and after a kill, is sound, and stays as it is to the byte. */
static void sound(void **state)
{
    for (int clean = 0; clean < 2; clean++) {
        struct fixture fx;
        struct tool_run r;
        uint64_t before;

        make(&fx, clean);
        before = digest_of(&fx);
        clock_sim_advance(fx.clock, 1000000000);
        r = check(&fx, "--records", NULL);
        tool_expect_words(&r,
                          (const char *const[]){clean ? "/data: 1 partitions, 2 segments, 1800 "
                                                        "bytes: sound\n"
                                                      : "sound; the stop was not clean: the next "
                                                        "start recovers\n",
                                                NULL});
        assert_int_equal(r.exit_code, INSPECT_SOUND);
        assert_true(digest_of(&fx) == before);
        tool_release(&r);
        fixture_release(&fx);
    }
}

/* Damages, checks (nothing changes), repairs with the option, and expects a sound directory. */
static void damage_and_repair(struct fixture *fx, const char *const *words, const char *option)
{
    uint64_t before = digest_of(fx);
    struct tool_run r = check(fx, NULL, NULL);

    assert_int_equal(r.exit_code, INSPECT_FAULTS);
    tool_expect_words(&r, words);
    tool_release(&r);
    assert_true(digest_of(fx) == before);
    r = check(fx, "--repair", option);
    if (r.exit_code != INSPECT_SOUND)
        fail_msg("not sound after the repair:\n%s%s", r.out, r.err);
    tool_release(&r);
    r = check(fx, NULL, NULL);
    if (r.exit_code != INSPECT_SOUND || strstr(r.out, "not clean"))
        fail_msg("not sound after the repair:\n%s%s", r.out, r.err);
    tool_release(&r);
}

/* Every class of bytes in a header, of the fifth batch of the first segment. */
static void header_bytes(void **state)
{
    static const struct {
        int at;
        const char *words[3];
    } rows[] = {
        {7,
         {"FAULT t-0: 00000000000000000000.log: position 360, offset 4: ", "a gap in the offsets",
          NULL}},
        {0, {"the offset does not follow", NULL}},
        {8, {"a batch reaches past the end of the file", NULL}},
        {16, {"no batch: magic", NULL}},
        {17, {"wrong checksum", NULL}},
        {22, {"wrong checksum", NULL}},
        {26, {"wrong checksum", NULL}},
        {34, {"wrong checksum", NULL}},
        {42, {"wrong checksum", NULL}},
        {50, {"wrong checksum", NULL}},
        {52, {"wrong checksum", NULL}},
        {56, {"wrong checksum", NULL}},
        {60, {"wrong checksum", NULL}},
        {70, {"wrong checksum", NULL}},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct fixture fx;

        make(&fx, true);
        fixture_flip(&fx, LOG, 360 + (uint64_t)rows[i].at);
        damage_and_repair(&fx, rows[i].words, "--cut");
        assert_int_equal(fixture_file_bytes(&fx, LOG), 360);
        assert_true(fixture_exists(&fx, LOG ".corrupt")); /* nothing that was flushed is lost */
        assert_true(fixture_exists(&fx, SECOND ".corrupt"));
        fixture_release(&fx);
    }
}

/* Flushed records that are damaged stay as they are unless the user says otherwise. */
static void flushed_damage_is_left(void **state)
{
    struct fixture fx;
    struct tool_run r;

    make(&fx, true);
    fixture_flip(&fx, LOG, 450 + 70);
    r = check(&fx, "--repair", NULL);
    assert_int_equal(r.exit_code, INSPECT_FAULTS);
    tool_expect_words(&r, (const char *const[]){"wrong checksum", "--repair --cut cuts there",
                                                "recovered; checking again", NULL});
    tool_release(&r);
    assert_int_equal(fixture_file_bytes(&fx, LOG), 900);
    assert_int_equal(fixture_file_bytes(&fx, SECOND), 900);
    fixture_release(&fx);
}

/* After a kill, a torn tail past the recovery point: recovery cuts it, where the journal does not
 * give it back. */
static void torn_tail(void **state)
{
    struct fixture fx;

    make(&fx, false);
    assert_int_equal(vfs_unlink(fx.env.vfs, "/data/.barnabas-journal"), 0);
    fixture_truncate(&fx, SECOND, 900 - 40);
    damage_and_repair(
        &fx,
        (const char *const[]){"position 810, offset 19: a torn tail, shorter than a "
                              "batch's header: bytes, of a header (50, 61)",
                              "a torn tail of 50 bytes is cut at offset 19",
                              "recovery would leave 00000000000000000010.log cut: bytes "
                              "50\n",
                              NULL},
        NULL);
    assert_int_equal(fixture_file_bytes(&fx, SECOND), 810);
    fixture_release(&fx);
}

/* The same, and the journal has it: recovery writes it again, and nothing is cut. */
static void torn_tail_in_the_journal(void **state)
{
    struct fixture fx;

    make(&fx, false);
    fixture_truncate(&fx, SECOND, 900 - 40);
    damage_and_repair(&fx, (const char *const[]){"a torn tail", "journal replayed", NULL}, NULL);
    assert_int_equal(fixture_file_bytes(&fx, SECOND), 900);
    fixture_release(&fx);
}

/* Wrong entries, a missing file, half an entry: an index is made anew. */
static void indexes(void **state)
{
    static const struct {
        const char *file;
        int flip; /* -1: removed; -2: cut in an entry; -3: emptied */
        const char *words;
    } rows[] = {
        {".index", 3, "00000000000000000000.index: an entry leads to another batch"},
        {".index", 7, "00000000000000000000.index: an entry leads to no begin of a batch"},
        {".index", -1, "00000000000000000000.index: missing"},
        {".index", -2, "00000000000000000000.index: its size is no whole number of entries"},
        {".timeindex", 7,
         "00000000000000000000.timeindex: an entry's timestamp is not the largest"},
        {".timeindex", 8, "00000000000000000000.timeindex: "},
        {".timeindex", -1, "00000000000000000000.timeindex: missing"},
        {".timeindex", -3,
         "00000000000000000000.timeindex: the last entry is not the largest timestamp"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct fixture fx;
        const char *path;
        uint64_t bytes;

        make(&fx, true);
        path = fixture_path(&fx, 0, rows[i].file);
        bytes = fixture_file_bytes(&fx, path);
        assert_true(bytes > 12);
        if (rows[i].flip >= 0)
            fixture_flip(&fx, path, (uint64_t)rows[i].flip);
        else if (rows[i].flip == -1)
            assert_int_equal(vfs_unlink(fx.env.vfs, path), 0);
        else
            fixture_truncate(&fx, path, rows[i].flip == -2 ? bytes - 1 : 0);
        damage_and_repair(
            &fx, (const char *const[]){rows[i].words, "recovery would make indexes", NULL}, NULL);
        assert_int_equal(fixture_file_bytes(&fx, LOG), 900);
        assert_int_equal(fixture_file_bytes(&fx, SECOND), 900);
        fixture_release(&fx);
    }
}

/* Small files: a snapshot without bytes, epochs that are cut off, half a checkpoint. */
static void small_files(void **state)
{
    static const struct {
        const char *path;
        uint64_t bytes;
        const char *words;
    } rows[] = {
        {SNAPSHOT, 0, "00000000000000000010.snapshot: not a whole producer snapshot (0 bytes)"},
        {SNAPSHOT, 7, "00000000000000000010.snapshot: not a whole producer snapshot (7 bytes)"},
        {"/data/t-0/leader-epoch-checkpoint", 5, "leader-epoch-checkpoint: not whole"},
        {"/data/recovery-point-offset-checkpoint", 6, "FAULT /data: "},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct fixture fx;

        make(&fx, true);
        fixture_truncate(&fx, rows[i].path, rows[i].bytes);
        damage_and_repair(&fx, (const char *const[]){rows[i].words, NULL}, NULL);
        assert_int_equal(fixture_file_bytes(&fx, LOG), 900);
        assert_int_equal(fixture_file_bytes(&fx, SECOND), 900);
        fixture_release(&fx);
    }
}

/* A segment is gone from the middle. */
static void gap_between_segments(void **state)
{
    struct fixture fx;

    make(&fx, true);
    fixture_truncate(&fx, LOG, 810);
    damage_and_repair(
        &fx,
        (const char *const[]){"FAULT t-0: 00000000000000000010.log: position 0, offset 9: "
                              "a gap before this segment: begin, end of the one before it "
                              "(10, 9)",
                              NULL},
        "--cut");
    assert_true(fixture_exists(&fx, SECOND ".corrupt"));
    fixture_release(&fx);
}

/* Leftovers are told, and are no fault. */
static void leftovers(void **state)
{
    struct fixture fx;
    struct tool_run r;

    make(&fx, true);
    fixture_write_file(&fx, "/data/t-0/00000000000000000000.log.deleted", "x", 1);
    fixture_write_file(&fx, "/data/t-0/00000000000000000003.index", "x", 1);
    r = check(&fx, NULL, NULL);
    assert_int_equal(r.exit_code, INSPECT_SOUND);
    tool_expect_words(&r, (const char *const[]){"was about to be removed", "of no segment", NULL});
    tool_release(&r);
    fixture_release(&fx);
}

/* Another node's or no data directory; a broker that runs; bad usage. */
static void refusals(void **state)
{
    static const char *const none[] = {"/nothing", NULL}, *const two[] = {"/data", "/x", NULL};
    struct fixture fx;
    struct tool_run r;

    make(&fx, true);
    fixture_open(&fx);
    tool_expect(check(&fx, NULL, NULL), INSPECT_LOCKED, "",
                "barnabas check: /data is used by a broker that runs (its file .lock is locked)\n");
    fixture_stop(&fx);
    tool_expect(tool_run(check_main, fx.env.vfs, none), INSPECT_FAULTS, "",
                "barnabas check: /nothing: no such file or directory\n");
    tool_expect(tool_run(check_main, fx.env.vfs, two), INSPECT_USAGE, "",
                "barnabas check: one directory, not two: /data, /x\n");
    tool_expect(check(&fx, "--bogus", NULL), INSPECT_USAGE, "",
                "barnabas check: there is no option --bogus; see barnabas check --help\n");
    fixture_truncate(&fx, "/data/meta.properties", 20);
    r = check(&fx, NULL, NULL);
    assert_int_equal(r.exit_code, INSPECT_FAULTS);
    assert_non_null(strstr(r.err, "meta.properties"));
    tool_release(&r);
    fixture_release(&fx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound),
        cmocka_unit_test(header_bytes),
        cmocka_unit_test(flushed_damage_is_left),
        cmocka_unit_test(torn_tail),
        cmocka_unit_test(torn_tail_in_the_journal),
        cmocka_unit_test(indexes),
        cmocka_unit_test(small_files),
        cmocka_unit_test(gap_between_segments),
        cmocka_unit_test(leftovers),
        cmocka_unit_test(refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
