/* What a producer may send, beside what Apache Kafka's LogValidator says of the same bytes. */
#include "golden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define TIME 1700000000000

/* As Produce does it: the whole batch, then what only producers must keep to. */
static int produce(const struct buf *f, struct errmsg *why)
{
    struct batch b;
    int rc = batch_check(f->p, f->n, &b);

    return rc < 0 ? rc : batch_check_produced(f->p, &b, why);
}

/* Where we refuse what Kafka stores: see the head of batch_check.c. */
static bool stricter_than_kafka(const char *name)
{
    static const char *const names[] = {"offset-delta-from-1", "offset-delta-twice",
                                        "offset-delta-gap", "delete-horizon"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* Each batch that a producer might send gets the verdict that Kafka's own validator gave it. */
static void judges_as_kafka(void **state)
{
    struct buf verdicts = golden_file("produced/verdicts.txt");
    FILE *f = fmemopen(verdicts.p, verdicts.n, "r");
    char name[64], verdict[64], path[128];
    int n = 0;

    while (fscanf(f, "%63s %63s", name, verdict) == 2) {
        bool accepted = strcmp(verdict, "accepted") == 0 && !stricter_than_kafka(name);
        struct errmsg why = {0};
        struct buf batch;
        int rc;

        snprintf(path, sizeof(path), "produced/%s.bin", name);
        batch = golden_file(path);
        rc = produce(&batch, &why);
        if (rc != (accepted ? 0 : E_INVALID))
            fail_msg("%s: Kafka: %s, ours: %d (%s)", name, verdict, rc, why.text);
        buf_release(&batch);
        n++;
    }
    assert_int_equal(n, 46);
    fclose(f);
    buf_release(&verdicts);
}

static const char *reason(const char *name)
{
    static struct errmsg why;
    struct buf f = golden_file(name);

    why.text[0] = 0;
    assert_int_equal(produce(&f, &why), E_INVALID);
    buf_release(&f);
    return why.text;
}

/* A refusal says which record and why. */
static void gives_reasons(void **state)
{
    struct buf f = golden_file("produced/control.bin");

    assert_non_null(strstr(reason("produced/control.bin"), "control records"));
    assert_non_null(strstr(reason("produced/offset-delta-gap.bin"), "record 1: its offset delta"));
    assert_non_null(strstr(reason("produced/null-header-key.bin"), "record 0: its lengths"));
    assert_non_null(strstr(reason("produced/bytes-behind-records.bin"), "bytes follow"));
    assert_int_equal(produce(&f, NULL), E_INVALID);
    buf_release(&f);
}

/* The records of a compressed batch are not looked at; its header is. */
static void leaves_compressed_records_alone(void **state)
{
    struct buf f = golden_file("mixed-gzip.bin");
    struct record_facts facts;
    struct batch b;

    memset(f.p + BATCH_HEADER_BYTES, 0xff, f.n - BATCH_HEADER_BYTES);
    assert_int_equal(batch_decode(f.p, &b), 0);
    assert_int_equal(batch_check_records(f.p, &b, &facts, NULL), 0);
    assert_int_equal(facts.n_without_key, 0);
    assert_int_equal(facts.max_timestamp_ms, NO_TIMESTAMP);
    assert_int_equal(facts.min_timestamp_ms, NO_TIMESTAMP);
    b.record_count--;
    assert_int_equal(batch_check_produced(f.p, &b, NULL), E_INVALID);
    buf_release(&f);
}

/* The walk reports the range of timestamps and the records without a key. */
static void reports_facts(void **state)
{
    struct buf f = golden_file("mixed-none.bin");
    struct record_facts facts;
    struct batch b;

    assert_int_equal(batch_check(f.p, f.n, &b), 0);
    assert_int_equal(batch_check_records(f.p, &b, &facts, NULL), 0);
    assert_int_equal(facts.n_without_key, 2);
    assert_int_equal(facts.max_timestamp_ms, TIME + 4000000000);
    assert_int_equal(facts.min_timestamp_ms, TIME - 1000);
    buf_release(&f);
}

/* A record without a timestamp does not count as an early one. */
static void no_timestamp_is_not_early(void **state)
{
    struct batch_builder bb;
    struct record_facts facts;
    struct batch b;
    struct buf f;

    buf_init(&f);
    batch_begin(&bb, &f, BATCH_OPTIONS_NONE);
    batch_add(&bb, NO_TIMESTAMP, (struct bytes){0}, (struct bytes){0}, NULL, 0);
    assert_int_equal(batch_end(&bb), 0);
    assert_int_equal(batch_check(f.p, f.n, &b), 0);
    assert_int_equal(batch_check_records(f.p, &b, &facts, NULL), 0);
    assert_int_equal(facts.max_timestamp_ms, NO_TIMESTAMP);
    assert_int_equal(facts.min_timestamp_ms, NO_TIMESTAMP);
    buf_release(&f);
}

/* Copies exactly n bytes to their own allocation, so that the sanitizer sees every read past them.
 */
static uint8_t *exact(const uint8_t *p, size_t n)
{
    return xmemdup(p, n ? n : 1);
}

/* Every truncation of a batch is refused. */
static void refuses_every_truncation(void **state)
{
    struct buf f = golden_file("mixed-none.bin");
    struct batch b;

    for (size_t n = 0; n < f.n; n++) {
        uint8_t *p = exact(f.p, n);

        assert_int_equal(batch_check(p, n, &b), E_CORRUPT);
        free(p);
    }
    buf_release(&f);
}

/* Bytes that are cut off, under a length and a CRC that agree with what is left, are noticed by the
 * walk. */
static void refuses_every_signed_truncation(void **state)
{
    struct buf f = golden_file("mixed-none.bin");
    struct batch b;

    for (size_t n = BATCH_HEADER_BYTES; n < f.n; n++) {
        uint8_t *p = exact(f.p, n);

        put_be32(p + BATCH_LENGTH_AT, (uint32_t)(n - BATCH_PREFIX_BYTES));
        put_be32(p + BATCH_CRC_AT, crc32c(0, p + BATCH_CRC_FROM, n - BATCH_CRC_FROM));
        assert_int_equal(batch_check(p, n, &b), 0);
        assert_int_equal(batch_check_produced(p, &b, NULL), E_INVALID);
        free(p);
    }
    buf_release(&f);
}

/* Every flip of one bit is refused, but in the two fields that the CRC does not cover. */
static void refuses_every_flip(void **state)
{
    struct buf f = golden_file("mixed-none.bin");
    struct batch b;

    for (size_t i = 0; i < f.n * 8; i++) {
        bool covered = i / 8 >= BATCH_LENGTH_AT && (i / 8 < 12 || i / 8 >= BATCH_MAGIC_AT);

        f.p[i / 8] ^= (uint8_t)(1 << i % 8);
        assert_int_equal(batch_check(f.p, f.n, &b), covered ? E_CORRUPT : 0);
        f.p[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    buf_release(&f);
}

/* A byte changed by somebody who signs it again harms nobody, and what passes can be walked to its
 * end. */
static void what_passes_can_be_walked(void **state)
{
    struct buf f = golden_file("mixed-none.bin"), scratch;
    int n_passed = 0, n_refused = 0;

    buf_init(&scratch);
    for (size_t i = BATCH_CRC_FROM * 256; i < f.n * 256; i++) {
        uint8_t *p = exact(f.p, f.n);
        struct record_iter it;
        struct record r;
        struct batch b;
        int rc;

        p[i / 256] = (uint8_t)i;
        put_be32(p + BATCH_CRC_AT, crc32c(0, p + BATCH_CRC_FROM, f.n - BATCH_CRC_FROM));
        rc = batch_check(p, f.n, &b);
        if (rc == 0)
            rc = batch_check_produced(p, &b, NULL);
        if (rc == 0 && batch_codec(&b) == CODEC_NONE) {
            assert_int_equal(record_iter_init(&it, p, &b, 1000, &scratch), 0);
            while ((rc = record_iter_next(&it, &r)) > 0) {
            }
            assert_int_equal(rc, 0);
        }
        n_passed += rc == 0;
        n_refused += rc < 0;
        free(p);
    }
    assert_true(n_passed > 0);
    assert_true(n_refused > 0);
    buf_release(&scratch);
    buf_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judges_as_kafka),
        cmocka_unit_test(gives_reasons),
        cmocka_unit_test(leaves_compressed_records_alone),
        cmocka_unit_test(reports_facts),
        cmocka_unit_test(no_timestamp_is_not_early),
        cmocka_unit_test(refuses_every_truncation),
        cmocka_unit_test(refuses_every_signed_truncation),
        cmocka_unit_test(refuses_every_flip),
        cmocka_unit_test(what_passes_can_be_walked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
