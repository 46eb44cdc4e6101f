/* Errors: their tables and the messages built on the way up. */
#include "base.h"

#include <setjmp.h>

#include <cmocka.h>

#include <errno.h>

/* Every error has a name and a text of its own, and a protocol error that is one. */
static void every_error_is_described(void **state)
{
    static const int all[] = {
#define ERR(name, value, kafka, text) name,
#include "base/err.def"
#undef ERR
    };

    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        assert_true(all[i] < 0);
        assert_true(strncmp(err_name(all[i]), "E_", 2) == 0);
        assert_string_not_equal(err_name(all[i]), "E_UNKNOWN");
        assert_string_not_equal(err_text(all[i]), "unknown error");
        assert_int_not_equal(err_kafka(all[i]), KE_NONE);
        for (size_t k = 0; k < i; k++)
            assert_int_not_equal(all[i], all[k]);
    }
    assert_string_equal(err_name(E_NOSPC), "E_NOSPC");
    assert_int_equal(err_kafka(E_NOSPC), KE_KAFKA_STORAGE_ERROR);
}

/* Success and numbers that are no error have a text, too. */
static void other_numbers_have_a_text(void **state)
{
    assert_string_equal(err_name(0), "OK");
    assert_string_equal(err_text(0), "no error");
    assert_int_equal(err_kafka(0), KE_NONE);
    assert_string_equal(err_name(-9999), "E_UNKNOWN");
    assert_string_equal(err_text(-9999), "unknown error");
    assert_int_equal(err_kafka(-9999), KE_UNKNOWN_SERVER_ERROR);
}

/* Protocol errors are named; a number that is none is "UNKNOWN". */
static void protocol_errors_are_named(void **state)
{
    assert_string_equal(kafka_error_name(KE_NONE), "NONE");
    assert_string_equal(kafka_error_name(6), "NOT_LEADER_OR_FOLLOWER");
    assert_string_equal(kafka_error_name(-1), "UNKNOWN_SERVER_ERROR");
    assert_string_equal(kafka_error_name(9999), "UNKNOWN");
}

/* A full disk is told from all else; what is not known is an input/output error. */
static void errno_becomes_an_error(void **state)
{
    assert_int_equal(err_from_errno(ENOSPC), E_NOSPC);
    assert_int_equal(err_from_errno(EDQUOT), E_NOSPC);
    assert_int_equal(err_from_errno(ENOENT), E_NOENT);
    assert_int_equal(err_from_errno(EROFS), E_ACCESS);
    assert_int_equal(err_from_errno(EMFILE), E_MFILE);
    assert_int_equal(err_from_errno(EIO), E_IO);
    assert_int_equal(err_from_errno(EINVAL), E_IO);
    assert_int_equal(err_from_errno(123456), E_IO);
}

/* The outermost place stands first; nobody has to pass a message. */
static void message_grows_at_the_front(void **state)
{
    struct errmsg m = {""};

    errmsg_set(&m, "open: %s", err_text(E_NOENT));
    errmsg_wrap(&m, "segment %d", 7);
    errmsg_wrap(&m, "log orders-0");
    assert_string_equal(m.text, "log orders-0: segment 7: open: no such file or directory");
    errmsg_set(NULL, "nothing");
    errmsg_wrap(NULL, "nothing");
    m.text[0] = 0;
    errmsg_wrap(&m, "alone");
    assert_string_equal(m.text, "alone");
}

/* A message that is too long is cut, and stays terminated. */
static void long_message_is_cut(void **state)
{
    struct errmsg m = {""};

    for (int i = 0; i < 200; i++)
        errmsg_wrap(&m, "place %d", i);
    assert_int_equal(strlen(m.text), sizeof(m.text) - 1);
    assert_true(strncmp(m.text, "place 199: place 198: ", 22) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_error_is_described),   cmocka_unit_test(other_numbers_have_a_text),
        cmocka_unit_test(protocol_errors_are_named),  cmocka_unit_test(errno_becomes_an_error),
        cmocka_unit_test(message_grows_at_the_front), cmocka_unit_test(long_message_is_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
