/* dump-log: what it prints of the files that a log leaves. That the lines are those of Apache Kafka's
 * tool is shown by tests/compat/disk/test_dump_log.py. */
#include "inspect_fixture.h"

#define LOG   "/data/t-0/00000000000000000000.log"
#define INDEX "/data/t-0/00000000000000000000.index"
#define TIMES "/data/t-0/00000000000000000000.timeindex"

static struct tool_run dump(struct fixture *fx, const char *option, const char *path)
{
    const char *const words[] = {path, option, NULL};

    return tool_run(inspect_dump_main, fx->env.vfs, words);
}

/* A log with an idempotent producer's batch of two records, and one more. */
static void make(struct fixture *fx, bool clean)
{
    static const char *const every_batch[] = {"index.interval.bytes=0", NULL};

    fixture_init(fx, NULL);
    fixture_topic(fx, every_batch);
    fixture_open(fx);
    fixture_append(fx, (struct test_batch){.n_records = 2, .producer_id = 9, .value_bytes = 3});
    fixture_append(fx, (struct test_batch){.timestamp_ms = 2000000});
    fixture_settle(fx);
    if (clean)
        fixture_stop(fx);
    else
        fixture_kill(fx);
}

/* Each batch is a line. */
static void batches(void **state)
{
    struct fixture fx;

    make(&fx, true);
    tool_expect(
        dump(&fx, NULL, LOG), INSPECT_SOUND,
        "Dumping " LOG "\n"
        "Log starting offset: 0\n"
        "baseOffset: 0 lastOffset: 1 count: 2 baseSequence: 0 lastSequence: 1 producerId: 9 "
        "producerEpoch: 0 partitionLeaderEpoch: 0 isTransactional: false isControl: false "
        "deleteHorizonMs: OptionalLong.empty position: 0 CreateTime: 1000001 size: 83 magic: 2 "
        "compresscodec: none crc: 1659520889 isvalid: true\n"
        "baseOffset: 2 lastOffset: 2 count: 1 baseSequence: -1 lastSequence: -1 producerId: -1 "
        "producerEpoch: -1 partitionLeaderEpoch: 0 isTransactional: false isControl: false "
        "deleteHorizonMs: OptionalLong.empty position: 83 CreateTime: 2000000 size: 79 magic: 2 "
        "compresscodec: none crc: 926493864 isvalid: true\n",
        "");
    fixture_release(&fx);
}

/* A wrong checksum is said in the batch's line; what is no batch ends the file. */
static void damage(void **state)
{
    struct fixture fx;
    struct tool_run r;

    make(&fx, true);
    fixture_flip(&fx, LOG, 70);
    fixture_truncate(&fx, LOG, 150);
    r = dump(&fx, NULL, LOG);
    tool_expect_words(&r, (const char *const[]){"isvalid: false\n",
                                                "Found 67 invalid bytes at the end of "
                                                "00000000000000000000.log\n",
                                                NULL});
    tool_release(&r);
    fixture_release(&fx);
}

/* Each record is a line, with key and value where they are asked for. */
static void records(void **state)
{
    struct fixture fx;
    struct tool_run r;

    make(&fx, true);
    r = dump(&fx, "--print-data-log", LOG);
    tool_expect_words(&r,
                      (const char *const[]){"| offset: 0 CreateTime: 1000000 keySize: 1 valueSize: "
                                            "3 sequence: 0 headerKeys: [] key: k payload: ",
                                            NULL});
    tool_release(&r);
    r = dump(&fx, "--skip-record-metadata", LOG);
    assert_null(strstr(r.out, "| "));
    tool_release(&r);
    fixture_release(&fx);
}

/* Entries of both indexes, and one that leads to another batch. */
static void indexes(void **state)
{
    struct fixture fx;

    make(&fx, true);
    tool_expect(dump(&fx, NULL, INDEX), INSPECT_SOUND,
                "Dumping " INDEX "\noffset: 2 position: 83\n", "");
    tool_expect(dump(&fx, NULL, TIMES), INSPECT_SOUND,
                "Dumping " TIMES "\ntimestamp: 2000000 offset: 2\n", "");
    tool_expect(dump(&fx, "--index-sanity-check", TIMES), INSPECT_SOUND,
                "Dumping " TIMES "\n" TIMES " passed sanity check.\n", "");
    fixture_flip(&fx, INDEX, 1);
    fixture_flip(&fx, TIMES, 7);
    tool_expect(dump(&fx, "--verify-index-only", INDEX), INSPECT_SOUND, "Dumping " INDEX "\n",
                "Mismatches in :" INDEX "\n  Index offset: 4194306, log offset: 2\n");
    tool_expect(dump(&fx, "--verify-index-only", TIMES), INSPECT_SOUND, "Dumping " TIMES "\n",
                "Found timestamp mismatch in :" TIMES
                "\n  Index timestamp: 2000064, log timestamp: 2000000\n");
    fixture_truncate(&fx, INDEX, 7);
    tool_expect(dump(&fx, "--index-sanity-check", INDEX), INSPECT_SOUND,
                "Dumping " INDEX "\n" INDEX " is empty.\n", "");
    fixture_release(&fx);
}

/* The producers of a snapshot; one that is damaged is named. */
static void snapshot(void **state)
{
    static const char path[] = "/data/t-0/00000000000000000003.snapshot";
    struct fixture fx;
    struct tool_run r;

    make(&fx, true);
    r = dump(&fx, NULL, path);
    tool_expect_words(&r, (const char *const[]){
                              "\nproducerId: 9 producerEpoch: 0 coordinatorEpoch: -1 "
                              "currentTxnFirstOffset: OptionalLong.empty lastTimestamp: 1000001 "
                              "firstSequence: 0 lastSequence: 1 lastOffset: 1 offsetDelta: 1 "
                              "timestamp: 1000001\n",
                              NULL});
    tool_release(&r);
    fixture_flip(&fx, path, 12);
    r = dump(&fx, NULL, path);
    assert_int_equal(r.exit_code, INSPECT_FAULTS);
    assert_non_null(strstr(r.err, "CRC is no longer valid"));
    tool_release(&r);
    fixture_truncate(&fx, path, 0);
    r = dump(&fx, NULL, path);
    assert_int_equal(r.exit_code, INSPECT_FAULTS);
    tool_release(&r);
    fixture_release(&fx);
}

/* A producer of which there is no batch: nothing, not even a space, follows the timestamp. */
static void snapshot_without_batches(void **state)
{
    static const char path[] = "/data/t-0/00000000000000000003.snapshot";
    static const uint8_t entries[] = {
        0,    0,    0,    1,                            /* one */
        0,    0,    0,    0,    0,    0,    0,    7,    /* producer id */
        0,    2,                                        /* epoch */
        0xff, 0xff, 0xff, 0xff,                         /* last sequence */
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, /* last offset */
        0,    0,    0,    0,                            /* offset delta */
        0,    0,    0,    0,    0,    0,    3,    0xe8, /* timestamp */
        0,    0,    0,    5,                            /* coordinator epoch */
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, /* first offset of its transaction */
    };
    uint8_t file[6 + sizeof(entries)] = {0, 1};
    struct fixture fx;

    make(&fx, true);
    put_be32(file + 2, crc32c(0, entries, sizeof(entries)));
    memcpy(file + 6, entries, sizeof(entries));
    fixture_write_file(&fx, path, file, sizeof(file));
    tool_expect(dump(&fx, NULL, path), INSPECT_SOUND,
                "Dumping /data/t-0/00000000000000000003.snapshot\n"
                "producerId: 7 producerEpoch: 2 coordinatorEpoch: 5 currentTxnFirstOffset: "
                "OptionalLong.empty lastTimestamp: 1000\n",
                "");
    fixture_release(&fx);
}

/* After a kill: the entries that a replay would find. After a clean stop: none. */
static void journal(void **state)
{
    static const char path[] = "/data/.barnabas-journal";
    struct fixture fx;
    struct tool_run r;

    make(&fx, false);
    fixture_open(&fx); /* replays it, and makes it anew */
    fixture_append(&fx, (struct test_batch){.value_bytes = 100});
    fixture_settle(&fx);
    fixture_append(&fx, (struct test_batch){.value_bytes = 100});
    fixture_settle(&fx);
    fixture_kill(&fx);
    r = dump(&fx, NULL, path);
    tool_expect_words(&r,
                      (const char *const[]){"generation: ", "\nsequence: 1 position: 8192 size: ",
                                            "| t-0 topicId: AQIDAAAAAAAAAAAAAAAAAA segment: 0 "
                                            "position: ",
                                            " endOffset: 5\n", NULL});
    tool_release(&r);
    fixture_open(&fx);
    fixture_stop(&fx);
    r = dump(&fx, NULL, path);
    assert_null(strstr(r.out, "sequence: "));
    tool_release(&r);
    fixture_release(&fx);
}

/* Files that are text are shown as they are; others are passed over; one that is missing is said. */
static void other_files(void **state)
{
    static const char *const words[] = {"--files",
                                        "/data/t-0/leader-epoch-checkpoint,/data/none.log,/data/x",
                                        "/data/t-0/partition.metadata", NULL};
    struct fixture fx;

    make(&fx, true);
    tool_expect(tool_run(inspect_dump_main, fx.env.vfs, words), INSPECT_FAULTS,
                "Dumping /data/t-0/leader-epoch-checkpoint\n0\n1\n0 0\n"
                "Dumping /data/none.log\nLog starting offset: 0\n"
                "Dumping /data/x\n"
                "Dumping /data/t-0/partition.metadata\nversion: 0\n"
                "topic_id: AQIDAAAAAAAAAAAAAAAAAA\n",
                "/data/none.log: no such file or directory\nIgnoring unknown file /data/x\n");
    fixture_release(&fx);
}

static char *read_golden(struct vfs *posix, struct vfs *mem, const char *path, const char *name)
{
    struct file *f;
    struct buf b;

    buf_init(&b);
    assert_int_equal(vfs_read_all(posix, path, 1 << 20, &b), 0);
    assert_int_equal(vfs_open(mem, name, VFS_WRITE | VFS_CREATE, &f), 0);
    assert_int_equal(file_pwrite(f, b.p, b.n, 0), 0);
    file_unref(f);
    buf_release(&b);
    return NULL;
}

/* Records of the metadata log and the control records of a snapshot, written by Apache Kafka. */
static void metadata(void **state)
{
    static const char name[] = "/00000000000000000000-0000000000.checkpoint";
    struct vfs *posix = vfs_posix_new();
    struct fixture fx;
    struct tool_run r;

    fixture_init(&fx, NULL);
    read_golden(posix, fx.env.vfs, "tests/golden/meta/kafka-4.4.0-format.checkpoint", name);
    r = dump(&fx, "--cluster-metadata-decoder", name);
    tool_expect_words(&r,
                      (const char *const[]){
                          "Snapshot end offset: 0, epoch: 0\n",
                          " SnapshotHeader {\"version\":0,\"lastContainedLogTimestamp\":",
                          " payload: {\"type\":\"FEATURE_LEVEL_RECORD\",\"version\":0,\"data\":{"
                          "\"name\":\"metadata.version\",\"featureLevel\":",
                          " SnapshotFooter {\"version\":0}\n", NULL});
    tool_release(&r);
    vfs_posix_free(posix);
    fixture_release(&fx);
}

static void expect_usage(struct fixture *fx, const char *a, const char *b, const char *err)
{
    const char *const words[] = {a, b, NULL};

    tool_expect(tool_run(inspect_dump_main, fx->env.vfs, words), INSPECT_USAGE, "", err);
}

/* Bad usage is one line. */
static void usage(void **state)
{
    struct fixture fx;
    struct tool_run r;

    fixture_init(&fx, NULL);
    expect_usage(&fx, NULL, NULL,
                 "barnabas dump-log: no file is named; see barnabas dump-log --help\n");
    expect_usage(&fx, "--bogus", NULL,
                 "barnabas dump-log: there is no option --bogus; see barnabas dump-log --help\n");
    expect_usage(&fx, "--files", NULL,
                 "barnabas dump-log: --files takes files, with commas between them\n");
    expect_usage(&fx, "x.log", "--max-bytes=1x",
                 "barnabas dump-log: --max-bytes takes a number of bytes up to 2147483647, not "
                 "\"1x\"\n");
    expect_usage(&fx, "--deep-iteration=1", NULL,
                 "barnabas dump-log: --deep-iteration takes no value\n");
    expect_usage(&fx, "--key-decoder-class", "my.Decoder",
                 "barnabas dump-log: --key-decoder-class takes StringDecoder, LongDecoder or "
                 "IntegerDecoder; Java classes can not be loaded\n");
    r = dump(&fx, NULL, "--help");
    assert_int_equal(r.exit_code, INSPECT_SOUND);
    tool_expect_words(&r, (const char *const[]){"usage: barnabas dump-log", "--max-bytes", NULL});
    tool_release(&r);
    fixture_release(&fx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches),  cmocka_unit_test(damage),
        cmocka_unit_test(records),  cmocka_unit_test(indexes),
        cmocka_unit_test(snapshot), cmocka_unit_test(snapshot_without_batches),
        cmocka_unit_test(journal),  cmocka_unit_test(other_files),
        cmocka_unit_test(metadata), cmocka_unit_test(usage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
