/* Leader epochs: the file, and the questions that are asked of it. */
#include "log_fixture.h"

#include "segment.h"

static struct epochs *three(void)
{
    struct epochs *e = epochs_new();

    assert_true(epochs_assign(e, 2, 10));
    assert_true(epochs_assign(e, 4, 20));
    assert_true(epochs_assign(e, 7, 30));
    return e;
}

/* The answers of LeaderEpochFileCache.endOffsetFor: before all, between, at, after. */
static void epoch_ends_are_kafkas(void **state)
{
    static const struct {
        int32_t asked, epoch;
        int64_t end;
    } cases[] = {{-1, -1, -1}, {0, 0, 10}, {1, 1, 10}, {2, 2, 20}, {3, 2, 20},
                 {4, 4, 30},   {6, 4, 30}, {7, 7, 99}, {8, -1, -1}};
    struct epochs *e = three(), *none = epochs_new();
    int32_t epoch;
    int64_t end;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        epochs_end(e, cases[i].asked, 99, &epoch, &end);
        assert_int_equal(epoch, cases[i].epoch);
        assert_int_equal(end, cases[i].end);
    }
    epochs_end(none, 0, 99, &epoch, &end);
    assert_int_equal(epoch, -1);
    assert_int_equal(end, -1);
    epochs_free(e);
    epochs_free(none);
}

/* Which epoch wrote an offset. */
static void epoch_of_an_offset(void **state)
{
    struct epochs *e = three();

    (void)state;
    assert_int_equal(epochs_at(e, 9), -1);
    assert_int_equal(epochs_at(e, 10), 2);
    assert_int_equal(epochs_at(e, 19), 2);
    assert_int_equal(epochs_at(e, 30), 7);
    assert_int_equal(epochs_at(e, INT64_MAX), 7);
    epochs_free(e);
}

/* Epochs only rise; one that wrote nothing is replaced. */
static void assigning_only_rises(void **state)
{
    struct epochs *e = three();

    (void)state;
    assert_false(epochs_assign(e, 7, 40));
    assert_false(epochs_assign(e, 6, 40));
    assert_false(epochs_assign(e, -1, 40));
    assert_true(epochs_assign(e, 9, 30));
    assert_int_equal(e->n, 3);
    assert_int_equal(epochs_latest(e), 9);
    assert_int_equal(epochs_at(e, 29), 4);
    epochs_free(e);
}

/* Cutting at either end. */
static void truncation_keeps_what_is_inside(void **state)
{
    struct epochs *e = three();

    (void)state;
    epochs_truncate_end(e, 30);
    assert_int_equal(epochs_latest(e), 4);
    epochs_truncate_start(e, 15);
    assert_int_equal(e->entries[0].epoch, 2);
    assert_int_equal(e->entries[0].start_offset, 15);
    epochs_truncate_start(e, 20);
    assert_int_equal(e->n, 1);
    assert_int_equal(e->entries[0].epoch, 4);
    epochs_truncate_end(e, 20);
    assert_int_equal(e->n, 0);
    epochs_free(e);
}

/* What is printed is read again; what is no such file is refused and leaves nothing. */
static void file_is_checked(void **state)
{
    static const char *const bad[] = {"",
                                      "0",
                                      "0\n",
                                      "1\n0\n",
                                      "0\n1\n",
                                      "0\n1\n0\n",
                                      "0\n1\n0 0",
                                      "0\n1\n0 0\n1 5\n",
                                      "0\n2\n0 0\n",
                                      "0\n2\n0 5\n1 5\n",
                                      "0\n2\n1 0\n1 5\n",
                                      "0\n1\n-1 0\n",
                                      "0\n1\n0 99999999999999999999\n",
                                      "0\n1\n0  0\n",
                                      "0\n99999999999\n",
                                      "x\n1\n0 0\n"};
    struct epochs *e = three();
    struct buf text;

    (void)state;
    buf_init(&text);
    epochs_print(e, &text);
    assert_string_equal(buf_cstr(&text), "0\n3\n2 10\n4 20\n7 30\n");
    assert_int_equal(epochs_parse(e, bytes_of(text.p, text.n)), 0);
    assert_int_equal(e->n, 3);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_int_equal(epochs_parse(e, bytes_of(bad[i], strlen(bad[i]))), E_CORRUPT);
        assert_int_equal(e->n, 0);
    }
    assert_int_equal(epochs_parse(e, bytes_of("0\n0\n", 4)), 0);
    buf_release(&text);
    epochs_free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(epoch_ends_are_kafkas), cmocka_unit_test(epoch_of_an_offset),
        cmocka_unit_test(assigning_only_rises),  cmocka_unit_test(truncation_keeps_what_is_inside),
        cmocka_unit_test(file_is_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
