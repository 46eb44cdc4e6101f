/* The directory of a partition that Apache Kafka 4.4 wrote, with committed, aborted and open transactions
 * (scripts/golden/log/make): read as its own consumer reads it, from every offset, after a clean start, and after one that had to
 * make everything anew from the batches. */
#include "log_fixture.h"

#include "segment.h"

#include <dirent.h>
#include <stdio.h>

#define GOLDEN "tests/golden/log/transactions"
#define MAX_OFFSETS 64

struct expected {
    int64_t end[2];             /* by isolation */
    bool is_read[2][MAX_OFFSETS];
    struct log_producer producers[8];
    int n_producers;
};

static int setup(void **state)
{
    struct fixture *fx = xcalloc(1, sizeof(*fx));

    fixture_init(fx, NULL);
    *state = fx;
    return 0;
}

static int teardown(void **state)
{
    fixture_release(*state);
    free(*state);
    return 0;
}

static void expect_line(struct expected *e, const char *line)
{
    struct log_producer *p = &e->producers[e->n_producers];
    long long id, ms, first, offset;
    int epoch;
    char word[32];

    if (sscanf(line, "producer %lld %d %d %lld %d %lld", &id, &epoch, &p->last_sequence, &ms, &p->coordinator_epoch,
               &first) == 6) {
        p->producer_id = id;
        p->producer_epoch = (int16_t)epoch;
        p->last_timestamp_ms = ms;
        p->txn_first_offset = first;
        e->n_producers++;
    } else if (sscanf(line, "%31s end %lld", word, &offset) == 2) {
        e->end[strcmp(word, "read_committed") == 0] = offset;
    } else {
        assert_int_equal(sscanf(line, "%31s %lld", word, &offset), 2);
        assert_true(offset < MAX_OFFSETS);
        e->is_read[strcmp(word, "read_committed") == 0][offset] = true;
    }
}

static void expect(struct expected *e)
{
    FILE *f = fopen(GOLDEN "/expected.txt", "r");
    char line[256];

    assert_non_null(f);
    *e = (struct expected){0};
    while (fgets(line, sizeof(line), f))
        expect_line(e, line);
    (void)fclose(f);
    assert_true(e->n_producers > 0);
}

static size_t read_golden(const char *name, uint8_t bytes[4096])
{
    char path[512];
    FILE *f;
    size_t n;

    (void)snprintf(path, sizeof(path), GOLDEN "/%s", name);
    f = fopen(path, "rb");
    assert_non_null(f);
    n = fread(bytes, 1, 4096, f);
    assert_true(n < 4096);
    (void)fclose(f);
    return n;
}

/* Its files, or only the batches, are those of our log. */
static void place_files(struct fixture *fx, bool only_batches)
{
    DIR *d = opendir(GOLDEN);
    struct dirent *e;
    uint8_t bytes[4096];
    char path[512];

    assert_non_null(d);
    while ((e = readdir(d))) {
        bool is_wanted = strlen(e->d_name) > 20 && e->d_name[0] == '0';

        if (!is_wanted || (only_batches && !strstr(e->d_name, ".log")))
            continue;
        (void)snprintf(path, sizeof(path), FIXTURE_DIR "/t-0/%s", e->d_name);
        fixture_write_file(fx, path, bytes, read_golden(e->d_name, bytes));
    }
    (void)closedir(d);
}

/* What a consumer shows of one batch: it drops control batches, and those of a producer from where it was aborted up to the
 * marker. (CompletedFetch) */
static bool is_shown(const struct batch *b, struct log_aborted_list *aborted)
{
    bool drop = false;

    for (uint32_t i = 0; i < aborted->n; i++) {
        struct log_aborted *a = &aborted->p[i];

        if (a->producer_id != b->producer_id || a->first_offset > b->base_offset || a->last_offset < b->base_offset)
            continue;
        drop = (b->attributes & BATCH_TRANSACTIONAL) != 0;
    }
    return !drop && !(b->attributes & BATCH_CONTROL);
}

static int64_t consume(struct fixture *fx, const struct log_read *r, enum isolation isolation, bool shown[MAX_OFFSETS])
{
    struct log_aborted_list aborted = {0};
    int64_t next = r->offset;
    struct batch b;
    uint8_t *bytes = xmalloc(r->n_bytes);

    if (isolation == READ_COMMITTED)
        assert_int_equal(log_aborted_of_read(fx->log, r, &aborted), 0);
    assert_int_equal(file_pread_full(r->file, bytes, r->n_bytes, r->position), 0);
    for (uint32_t at = 0; at < r->n_bytes; at += b.total_bytes) {
        assert_int_equal(batch_check(bytes + at, r->n_bytes - at, &b), 0);
        assert_int_equal(b.record_count, 1);
        if (b.base_offset >= r->offset)
            shown[b.base_offset] = is_shown(&b, &aborted);
        next = batch_last_offset(&b) + 1;
    }
    free(bytes);
    log_aborted_list_release(&aborted);
    return next;
}

/* In steps of one batch, and in one. */
static void check_reader(struct fixture *fx, const struct expected *e, enum isolation isolation, int64_t from, uint32_t step)
{
    bool shown[MAX_OFFSETS] = {false};
    int64_t offset = from;
    struct log_read r;

    while (offset < e->end[isolation]) {
        assert_int_equal(log_read(fx->log, offset, step, true, isolation, &r), 0);
        assert_int_equal(r.error, KE_NONE);
        assert_true(r.n_bytes > 0);
        offset = consume(fx, &r, isolation, shown);
    }
    assert_int_equal(offset, e->end[isolation]);
    for (int64_t i = 0; i < MAX_OFFSETS; i++)
        assert_int_equal(shown[i], i >= from && e->is_read[isolation][i]);
}

static void check(struct fixture *fx, const struct expected *e)
{
    struct log_producer p;

    assert_int_equal(log_high_watermark(fx->log), e->end[READ_UNCOMMITTED]);
    assert_int_equal(log_stable_offset(fx->log), e->end[READ_COMMITTED]);
    assert_int_equal(log_n_segments(fx->log), 3);
    for (int64_t from = 0; from < e->end[READ_UNCOMMITTED]; from++) {
        check_reader(fx, e, READ_UNCOMMITTED, from, 1 << 20);
        check_reader(fx, e, READ_UNCOMMITTED, from, 1);
        if (from < e->end[READ_COMMITTED])
            check_reader(fx, e, READ_COMMITTED, from, 1 << 20);
        if (from < e->end[READ_COMMITTED])
            check_reader(fx, e, READ_COMMITTED, from, 1);
    }
    assert_int_equal(log_n_producers(fx->log), e->n_producers);
    for (int i = 0; i < e->n_producers; i++) {
        assert_true(log_producer_get(fx->log, e->producers[i].producer_id, &p));
        assert_int_equal(p.producer_epoch, e->producers[i].producer_epoch);
        assert_int_equal(p.last_sequence, e->producers[i].last_sequence);
        assert_int_equal(p.last_timestamp_ms, e->producers[i].last_timestamp_ms);
        assert_int_equal(p.coordinator_epoch, e->producers[i].coordinator_epoch);
        assert_int_equal(p.txn_first_offset, e->producers[i].txn_first_offset);
    }
}

static void kafkas_files_are_read_as_kafka_reads_them(void **state)
{
    struct fixture *fx = *state;
    struct expected e;

    expect(&e);
    fixture_open(fx);
    fixture_stop(fx);
    place_files(fx, false);
    fixture_open(fx);
    check(fx, &e);
}

/* And what we leave is what Kafka left. */
static void what_is_made_anew_is_what_kafka_wrote(void **state)
{
    static const int64_t bases[] = {0, 7, 13};
    struct fixture *fx = *state;
    struct expected e;

    expect(&e);
    fixture_open(fx);
    fixture_settle(fx);
    fixture_kill(fx);
    place_files(fx, true);
    fixture_open(fx);
    check(fx, &e);
    fixture_stop(fx);
    for (size_t i = 0; i < ARRAY_SIZE(bases); i++) {
        uint8_t bytes[4096];
        char name[64];
        struct buf ours;
        size_t n;

        (void)snprintf(name, sizeof(name), "%020lld.txnindex", (long long)bases[i]);
        n = read_golden(name, bytes);
        fixture_read_file(fx, fixture_path(fx, bases[i], ".txnindex"), &ours);
        assert_int_equal(ours.n, n);
        assert_memory_equal(ours.p, bytes, n);
        buf_release(&ours);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(kafkas_files_are_read_as_kafka_reads_them, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_made_anew_is_what_kafka_wrote, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
