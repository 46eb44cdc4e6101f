/* Uuids as text. */
#include "base.h"

#include <setjmp.h>

#include <cmocka.h>

/* Known texts: zero, the id of the metadata topic (0, 1), and all bits. */
static void known_ids_have_kafkas_text(void **state)
{
    char text[UUID_TEXT_BYTES + 1];
    struct uuid u = UUID_ZERO;

    uuid_text(u, text);
    assert_string_equal(text, "AAAAAAAAAAAAAAAAAAAAAA");
    u.b[15] = 1;
    uuid_text(u, text);
    assert_string_equal(text, "AAAAAAAAAAAAAAAAAAAAAQ");
    memset(u.b, 0xff, sizeof(u.b));
    uuid_text(u, text);
    assert_string_equal(text, "_____________________w");
}

/* Every id comes back from its text. */
static void ids_round_trip(void **state)
{
    struct rng rng;

    rng_init(&rng, 3);
    for (int i = 0; i < 2000; i++) {
        char text[UUID_TEXT_BYTES + 1];
        struct uuid u, back;

        put_be64(u.b, rng_next(&rng));
        put_be64(u.b + 8, rng_next(&rng));
        uuid_text(u, text);
        assert_int_equal(strlen(text), UUID_TEXT_BYTES);
        assert_true(uuid_parse(str_of(text), &back));
        assert_true(uuid_eq(u, back));
    }
}

/* Padding is taken, as Java's decoder takes it. */
static void padding_is_taken(void **state)
{
    struct uuid u;

    assert_true(uuid_parse(STR("AAAAAAAAAAAAAAAAAAAAAQ=="), &u));
    assert_int_equal(u.b[15], 1);
}

/* Other lengths and other characters are refused, and the result is left alone. */
static void other_text_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "A",
        "AAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAAA=",
        "AAAAAAAAAAAAAAAAAAAA+A",
        "AAAAAAAAAAAAAAAAAAAA/A",
        "AAAAAAAAAAAAAAAAAAAA==",
        "AAAAAAAAAA AAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAAAAA",
    };
    struct uuid u = {{42}};

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_false(uuid_parse(str_of(bad[i]), &u));
    assert_false(uuid_parse(str_of(NULL), &u));
    assert_false(uuid_parse((struct str){"AAAAAAAAAAAAAAAAAAAAA\0", 22}, &u));
    assert_int_equal(u.b[0], 42);
    assert_false(uuid_is_zero(u));
    assert_true(uuid_is_zero(UUID_ZERO));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_ids_have_kafkas_text),
        cmocka_unit_test(ids_round_trip),
        cmocka_unit_test(padding_is_taken),
        cmocka_unit_test(other_text_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
