/* What one durable commit costs, by how many partitions it dirtied, how much each got, how many
 * producers wait for it, and how it is made durable. The table in src/log/README.directory.md, and
 * with it the rule in src/log/commit.c, come from here.
 *
 *     each      fdatasync of each file, one after the other
 *     syncfs    one call for the file system
 *     journal   all bytes once more in a zero-filled file, and one fdatasync of that; the files are
 *               written back by syncfs when half of it is full, in the background
 *
 * One producer: a batch to each partition, the commit, the next round. A hundred: a hundred batches,
 * spread over the partitions (at least one for each), in every commit, and while it runs the next
 * hundred are appended. No broker takes part. Prints a line of key=value for each case.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common.h"

static const char USAGE[] = "usage: bench_commits FOLDER SECONDS [BATCH_BYTES [PARTITIONS]]\n"
                            "Each case takes so many seconds, and at least 3 commits. Files are made "
                            "in FOLDER, and removed.\n";

enum {
    PARTITIONS_MAX = 1000,
    PRODUCERS_MAX = 100,
    JOURNAL_BYTES = 64 << 20,
    BLOCK_BYTES = 4096,
    PIECES_MAX = 1000, /* of one writev */
    COMMITS_MIN = 3,
    COMMITS_MAX = 20000,
};

enum way { WAY_EACH = 0, WAY_SYNCFS, WAY_JOURNAL };
#define WAYS 3
static const char *const WAY_NAMES[WAYS] = {"each", "syncfs", "journal"};

struct bench {
    const char *folder;
    double seconds;
    uint8_t *batch;
    int journal;
    off_t journal_at;
    pthread_t flusher;
    bool flusher_runs;

    /* the case */
    size_t batch_bytes;
    int partitions, producers, batches; /* in each commit */
    enum way way;
    int files[PARTITIONS_MAX];
    off_t ends[PARTITIONS_MAX];
};

/* ---- files ----------------------------------------------------------------------------------- */

static char *path_of(const struct bench *b, const char *name, int i, char path[4096])
{
    snprintf(path, 4096, "%s/%s-%d", b->folder, name, i);
    return path;
}

static int make_file(const struct bench *b, const char *name, int i)
{
    char path[4096];
    int fd = open(path_of(b, name, i, path), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    if (fd < 0)
        die("%s", path);
    return fd;
}

static void remove_file(const struct bench *b, const char *name, int i, int fd)
{
    char path[4096];

    close(fd);
    unlink(path_of(b, name, i, path));
}

static void make_journal(struct bench *b)
{
    uint8_t *zeros = allocate(1 << 20);

    b->journal = make_file(b, "journal", 0);
    for (off_t at = 0; at < JOURNAL_BYTES; at += 1 << 20)
        if (pwrite(b->journal, zeros, 1 << 20, at) != 1 << 20)
            die("journal");
    if (fsync(b->journal) < 0)
        die("journal");
    free(zeros);
}

/* ---- a commit -------------------------------------------------------------------------------- */

static void append_all(struct bench *b)
{
    for (int i = 0; i < b->batches; i++) {
        int p = i % b->partitions;

        if (pwrite(b->files[p], b->batch, b->batch_bytes, b->ends[p]) != (ssize_t)b->batch_bytes)
            die("append");
        b->ends[p] += (off_t)b->batch_bytes;
    }
}

static void *flush_files(void *arg)
{
    struct bench *b = arg;

    syncfs(b->journal);
    return NULL;
}

static size_t journal_bytes(const struct bench *b)
{
    size_t n = (size_t)b->batches * b->batch_bytes;

    return (n + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;
}

/* The other half is free when the flush that began with it has ended. */
static void change_half(struct bench *b)
{
    if (b->flusher_runs)
        pthread_join(b->flusher, NULL);
    if (pthread_create(&b->flusher, NULL, flush_files, b) != 0)
        die("thread");
    b->flusher_runs = true;
    b->journal_at = b->journal_at < JOURNAL_BYTES / 2 ? JOURNAL_BYTES / 2 : 0;
}

static void journal_commit(struct bench *b)
{
    size_t n = journal_bytes(b);
    off_t half_end = b->journal_at < JOURNAL_BYTES / 2 ? JOURNAL_BYTES / 2 : JOURNAL_BYTES;

    if (b->journal_at + (off_t)n > half_end)
        change_half(b);
    for (size_t left = n; left > 0;) {
        struct iovec pieces[PIECES_MAX];
        size_t take = 0;
        int count = 0;

        for (; count < PIECES_MAX && take < left; count++) {
            size_t m = left - take < b->batch_bytes ? left - take : b->batch_bytes;

            pieces[count] = (struct iovec){b->batch, m};
            take += m;
        }
        if (pwritev(b->journal, pieces, count, b->journal_at) != (ssize_t)take)
            die("journal");
        b->journal_at += (off_t)take;
        left -= take;
    }
    if (fdatasync(b->journal) < 0)
        die("journal");
}

static void *commit(void *arg)
{
    struct bench *b = arg;

    if (b->way == WAY_JOURNAL)
        journal_commit(b);
    else if (b->way == WAY_SYNCFS && syncfs(b->journal) < 0)
        die("syncfs");
    for (int i = 0; b->way == WAY_EACH && i < b->partitions; i++)
        if (fdatasync(b->files[i]) < 0)
            die("fdatasync");
    return NULL;
}

static void round_among_others(struct bench *b)
{
    pthread_t committer;

    if (pthread_create(&committer, NULL, commit, b) != 0)
        die("thread");
    append_all(b);
    pthread_join(committer, NULL);
}

/* ---- a case ---------------------------------------------------------------------------------- */

static void begin(struct bench *b)
{
    for (int i = 0; i < b->partitions; i++) {
        b->files[i] = make_file(b, "partition", i);
        b->ends[i] = 0;
    }
    sync();
    append_all(b);
}

static void end(struct bench *b)
{
    if (b->flusher_runs)
        pthread_join(b->flusher, NULL);
    b->flusher_runs = false;
    for (int i = 0; i < b->partitions; i++)
        remove_file(b, "partition", i, b->files[i]);
}

static double measure_round(struct bench *b)
{
    int64_t start_ns = now_ns();
    double seconds;

    if (b->producers > 1) {
        round_among_others(b);
        return seconds_since(start_ns);
    }
    (void)commit(b);
    seconds = seconds_since(start_ns);
    append_all(b);
    return seconds;
}

static void run(struct bench *b)
{
    double *seconds = allocate(COMMITS_MAX * sizeof(*seconds));
    size_t n = 0;
    int64_t start_ns;
    double total;

    b->batches = b->partitions;
    if (b->producers > b->batches)
        b->batches = b->producers;
    if (b->way == WAY_JOURNAL && journal_bytes(b) > JOURNAL_BYTES / 2) {
        free(seconds);
        return;
    }
    begin(b);
    start_ns = now_ns();
    while (n < COMMITS_MAX && (n < COMMITS_MIN || seconds_since(start_ns) < b->seconds))
        seconds[n++] = measure_round(b);
    total = seconds_since(start_ns);
    end(b);
    sort_doubles(seconds, n);
    printf("batch_bytes=%zu partitions=%d producers=%d way=%s commits=%zu p10_ms=%.3f "
           "p50_ms=%.3f p99_ms=%.3f mb_s=%.1f\n",
           b->batch_bytes, b->partitions, b->producers, WAY_NAMES[b->way], n,
           percentile(seconds, n, 0.1) * 1e3, percentile(seconds, n, 0.5) * 1e3,
           percentile(seconds, n, 0.99) * 1e3,
           (double)n * (double)b->batches * (double)b->batch_bytes / total / 1e6);
    fflush(stdout);
    free(seconds);
}

int main(int argc, char **argv)
{
    static const size_t SIZES[] = {200, 16384, 1000000};
    static const int PARTITIONS[] = {1, 3, 10, 100, 1000}, PRODUCERS[] = {1, PRODUCERS_MAX};
    struct bench *b = allocate(sizeof(*b));
    uint64_t only_bytes, only_partitions;

    if (argc < 3) {
        fputs(USAGE, stderr);
        return 2;
    }
    b->folder = argv[1];
    b->seconds = (double)number(argv[2]);
    only_bytes = argc > 3 ? number(argv[3]) : 0;
    only_partitions = argc > 4 ? number(argv[4]) : 0;
    b->batch = allocate(SIZES[2]);
    memset(b->batch, 7, SIZES[2]);
    make_journal(b);
    for (int s = 0; s < 3; s++) {
        for (int k = 0; k < 5; k++) {
            for (int i = 0; i < 2 * WAYS; i++) {
                b->batch_bytes = SIZES[s];
                b->partitions = PARTITIONS[k];
                b->producers = PRODUCERS[i / WAYS];
                b->way = (enum way)(i % WAYS);
                if ((!only_bytes || only_bytes == b->batch_bytes) &&
                    (!only_partitions || only_partitions == (uint64_t)b->partitions))
                    run(b);
            }
        }
    }
    remove_file(b, "journal", 0, b->journal);
    free(b->batch);
    free(b);
    return 0;
}
