/* Regular expressions: the same verdicts and matches as RE2/J, and no pattern that takes much time or memory. */
#include "regex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define LINE_BYTES_MAX 4096
#define NAMES_MAX      64

struct golden {
    char *names[NAMES_MAX];
    int n_names;
    int n_ok, n_bad;
};

/* Cuts the next part off the line; ∅ is the empty text. */
static char *next_part(char **at)
{
    char *part = strsep(at, "\t");

    assert_non_null(part);
    if (strcmp(part, "∅") == 0)
        *part = '\0';
    return part;
}

static void check_matches(const struct golden *g, const char *pattern, const struct regex *r,
                          const char *expected)
{
    char text[256] = "";
    size_t n = 0;

    for (int i = 0; i < g->n_names; i++)
        if (regex_matches(r, str_of(g->names[i])))
            n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%d", n ? " " : "", i);
    if (strcmp(text, expected) != 0)
        fail_msg("%s matches \"%s\", in RE2/J \"%s\"", pattern, text, expected);
}

/* Where RE2 stays RE2 (src/regex/regex.c): these mean something in RE2/J or nothing, and are refused or taken here. */
static const struct {
    const char *pattern;
    bool ok;
} DIFFERENCES[] = {
    {"(a{100}){11}", false},
    {"((a{100}){100}){100}", false},
    {"(((a{30}){30}){30}){30}", false},
    {"(?P<n>a)(?P<n>b)", true},
    {"a{99999999999}", true},
    {"[[:]]", true},
};

static bool differs(bool ok, const char *pattern)
{
    struct regex *r;

    for (size_t i = 0; i < ARRAY_SIZE(DIFFERENCES); i++) {
        if (strcmp(DIFFERENCES[i].pattern, pattern) != 0)
            continue;
        assert_int_not_equal(DIFFERENCES[i].ok, ok);
        assert_int_equal(regex_compile(str_of(pattern), &r, NULL) == 0, DIFFERENCES[i].ok);
        regex_free(r);
        return true;
    }
    return false;
}

static void check_pattern(struct golden *g, bool ok, const char *pattern, const char *expected)
{
    struct errmsg msg = {0};
    struct regex *r;
    int rc = regex_compile(str_of(pattern), &r, &msg);

    if (ok) {
        if (rc < 0)
            fail_msg("%s is refused: %s", pattern, msg.text);
        check_matches(g, pattern, r, expected);
        g->n_ok++;
    } else {
        if (rc != E_INVALID)
            fail_msg("%s is taken, RE2/J says: %s", pattern, expected);
        assert_null(r);
        if (strcmp(msg.text, expected) != 0)
            fail_msg("%s: \"%s\", in RE2/J \"%s\"", pattern, msg.text, expected);
        g->n_bad++;
    }
    regex_free(r);
}

/* Every pattern of tests/golden/regex (scripts/golden/regex) means the same here and in RE2/J. */
static void test_as_re2j(void **state)
{
    FILE *f = fopen("tests/golden/regex/re2j.txt", "r");
    char line[LINE_BYTES_MAX];
    struct golden g = {0};

    assert_non_null(f);
    while (fgets(line, sizeof(line), f)) {
        char *at = line;
        char *kind, *text;

        line[strcspn(line, "\n")] = '\0';
        kind = next_part(&at);
        text = next_part(&at);
        if (strcmp(kind, "name") == 0)
            g.names[g.n_names++] = xstrdup(text);
        else if (!differs(strcmp(kind, "ok") == 0, text))
            check_pattern(&g, strcmp(kind, "ok") == 0, text, next_part(&at));
    }
    fclose(f);
    assert_int_equal(g.n_names, 36);
    assert_true(g.n_ok > 150);
    assert_true(g.n_bad > 60);
    for (int i = 0; i < g.n_names; i++)
        free(g.names[i]);
}

/* A pattern that would fill the memory is refused, with its reason. */
static void test_patterns_that_are_too_large(void **state)
{
    static const char *const patterns[] = {"(((x{30}){30}){30}){30}", "((\\pL{100}){10}){10}",
                                           "[\\x{80}-\\x{10FFFF}]{1000}.{1000}\\PL{1000}"};
    struct errmsg msg = {0};
    struct regex *r;

    for (size_t i = 0; i < ARRAY_SIZE(patterns); i++) {
        int rc = regex_compile(str_of(patterns[i]), &r, &msg);

        assert_true(rc == E_LIMIT || rc == E_INVALID);
        assert_null(r);
        assert_true(strlen(msg.text) > 0);
    }
    assert_int_equal(regex_compile(STR("\\pL{1000}"), &r, &msg), E_LIMIT);
    assert_string_equal(msg.text, "it takes too much memory");
}

/* The longest pattern is looked at, one byte more is not. */
static void test_length_of_a_pattern(void **state)
{
    char *text = xmalloc(REGEX_PATTERN_BYTES_MAX + 1);
    struct str pattern = {.p = text, .n = REGEX_PATTERN_BYTES_MAX};
    struct errmsg msg = {0};
    struct regex *r;

    memset(text, 'a', REGEX_PATTERN_BYTES_MAX + 1);
    assert_int_equal(regex_compile(pattern, &r, &msg), 0);
    assert_true(regex_matches(r, pattern));
    regex_free(r);
    pattern.n++;
    assert_int_equal(regex_compile(pattern, &r, &msg), E_LIMIT);
    assert_string_equal(msg.text, "longer than 32768 bytes");
    free(text);
}

/* Brackets within brackets, as deep as they go, do not overflow the stack. */
static void test_deep_nesting(void **state)
{
    size_t half = REGEX_PATTERN_BYTES_MAX / 2 - 1;
    char *text = xmalloc(REGEX_PATTERN_BYTES_MAX);
    struct regex *r;

    memset(text, '(', half);
    text[half] = 'a';
    memset(text + half + 1, ')', half);
    assert_int_equal(regex_compile((struct str){text, 2 * half + 1}, &r, NULL), 0);
    assert_true(regex_matches(r, STR("a")));
    assert_false(regex_matches(r, STR("aa")));
    regex_free(r);
    free(text);
}

/* Patterns at which a backtracking engine never ends: that this test ends is the point. */
static void test_patterns_that_never_end_elsewhere(void **state)
{
    static const char *const patterns[] = {
        "(a+)+b",          "(a|a)*b",         "(a|aa)+b", "(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)b",
        "(x+x+)+y|(a*)*b", "(a?){200}a{200}b"};
    char text[20001];
    struct regex *r;

    memset(text, 'a', sizeof(text));
    for (size_t i = 0; i < ARRAY_SIZE(patterns); i++) {
        assert_int_equal(regex_compile(str_of(patterns[i]), &r, NULL), 0);
        assert_false(regex_matches(r, (struct str){text, sizeof(text)}));
        regex_free(r);
    }
}

/* Bytes that are not text, and the byte zero, are refused or match nothing; nobody is harmed. */
static void test_bytes_that_are_not_text(void **state)
{
    static const char zero[] = {'a', '\0', 'b'};
    struct errmsg msg = {0};
    struct regex *r;

    assert_int_equal(regex_compile((struct str){"\xff(", 2}, &r, &msg), E_INVALID);
    assert_int_equal(regex_compile((struct str){"\xc3", 1}, &r, &msg), E_INVALID);
    assert_string_equal(msg.text, "invalid UTF-8");
    assert_int_equal(regex_compile((struct str){NULL, 0}, &r, &msg), E_INVALID);
    assert_int_equal(regex_compile((struct str){zero, 3}, &r, &msg), 0);
    assert_true(regex_matches(r, (struct str){zero, 3}));
    assert_false(regex_matches(r, STR("a")));
    assert_false(regex_matches(r, (struct str){NULL, 0}));
    regex_free(r);
    regex_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_re2j),
        cmocka_unit_test(test_patterns_that_are_too_large),
        cmocka_unit_test(test_length_of_a_pattern),
        cmocka_unit_test(test_deep_nesting),
        cmocka_unit_test(test_patterns_that_never_end_elsewhere),
        cmocka_unit_test(test_bytes_that_are_not_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
