/* Log lines. */
#include "base.h"
#include "support_death.h"

#include <setjmp.h>

#include <cmocka.h>

struct caught {
    enum diag_level level;
    char text[2000];
    int n;
};

static void catch (enum diag_level level, const char *text, void *arg)
{
    struct caught *c = arg;

    c->level = level;
    snprintf(c->text, sizeof(c->text), "%s", text);
    c->n++;
}

static int reset(void **state)
{
    diag_set_sink(NULL, NULL);
    diag_set_clock(NULL);
    diag_set_level(DIAG_INFO);
    diag_unset_area_level(DIAG_AREA_LOG);
    return 0;
}

/* The sink gets the level and the bare text. */
static void sink_gets_level_and_text(void **state)
{
    struct caught c = {0};

    diag_set_sink(catch, &c);
    diag_warn("disk %s is %d%% full", "/data", 97);
    assert_int_equal(c.n, 1);
    assert_int_equal(c.level, DIAG_WARN);
    assert_string_equal(c.text, "disk /data is 97% full");
}

/* What is below the level is not told; the default leaves out debug lines. */
static void level_decides_what_is_told(void **state)
{
    struct caught c = {0};

    diag_set_sink(catch, &c);
    diag_debug("quiet");
    assert_int_equal(c.n, 0);
    diag_set_level(DIAG_ERROR);
    diag_warn("quiet");
    assert_int_equal(c.n, 0);
    diag_error("loud");
    assert_int_equal(c.n, 1);
    diag_set_level(DIAG_DEBUG);
    diag_debug("now");
    assert_int_equal(c.n, 2);
}

/* An area has the root's level unless it has its own; what is said here is the root's. */
static void areas_have_levels(void **state)
{
    struct caught c = {0};

    diag_set_sink(catch, &c);
    diag_set_level(DIAG_WARN);
    assert_int_equal(diag_area_level(DIAG_AREA_LOG), DIAG_WARN);
    diag_say(DIAG_AREA_LOG, DIAG_INFO, "quiet");
    diag_set_area_level(DIAG_AREA_LOG, DIAG_DEBUG);
    diag_info("quiet");
    diag_say(DIAG_AREA_NET, DIAG_INFO, "quiet");
    assert_int_equal(c.n, 0);
    diag_say(DIAG_AREA_LOG, DIAG_DEBUG, "loud");
    assert_int_equal(c.n, 1);
    diag_set_level(DIAG_ERROR);
    assert_int_equal(diag_area_level(DIAG_AREA_LOG), DIAG_DEBUG);
    diag_unset_area_level(DIAG_AREA_LOG);
    assert_int_equal(diag_area_level(DIAG_AREA_LOG), DIAG_ERROR);
}

static void areas_have_names(void **state)
{
    enum diag_area area;

    for (int i = 0; i < DIAG_N_AREAS; i++) {
        assert_true(diag_area_of(str_of(diag_area_name((enum diag_area)i)), &area));
        assert_int_equal(area, i);
    }
    assert_true(diag_area_of(STR("root"), &area));
    assert_int_equal(area, DIAG_AREA_ROOT);
    assert_false(diag_area_of(STR("Log"), &area));
    assert_false(diag_area_of(STR(""), &area));
}

/* A text without end is cut. */
static void long_text_is_cut(void **state)
{
    struct caught c = {0};

    diag_set_sink(catch, &c);
    diag_info("%*d", 5000, 1);
    assert_int_equal(strlen(c.text), 1000);
}

static void noon(char *out, size_t n)
{
    snprintf(out, n, "2026-11-22 12:00:00.000");
}

static void tell_and_die(void *arg)
{
    diag_set_clock(arg ? noon : NULL);
    diag_info("hello");
    diag_say(DIAG_AREA_LOG, DIAG_WARN, "hello");
    abort();
}

/* Without a sink a line goes to stderr, with the time in front when there is a clock. */
static void default_sink_writes_to_stderr(void **state)
{
    int yes = 1;

    assert_true(dies_with(tell_and_die, &yes, "2026-11-22 12:00:00.000 INFO  [root] hello\n"));
    assert_true(dies_with(tell_and_die, NULL, "WARN  [log] hello\n"));
}

/* Nothing from a peer can forge a line or move a terminal's cursor. */
static void escape_leaves_only_printable_ascii(void **state)
{
    assert_string_equal(diag_escape(STR("plain text~")), "plain text~");
    assert_string_equal(diag_escape((struct str){"a\nb\x1b\0\xff", 6}), "a\\x0ab\\x1b\\x00\\xff");
    assert_string_equal(diag_escape(str_of(NULL)), "");
    assert_string_equal(diag_escape(STR("\x7f")), "\\x7f");
}

/* Escaped text is cut at 200 characters, and says so. */
static void escape_is_cut(void **state)
{
    char text[300];
    const char *out;

    memset(text, 'x', sizeof(text));
    assert_int_equal(strlen(diag_escape((struct str){text, 200})), 200);
    out = diag_escape((struct str){text, 201});
    assert_int_equal(strlen(out), 203);
    assert_string_equal(out + 200, "...");
    memset(text, 1, sizeof(text));
    assert_int_equal(strlen(diag_escape((struct str){text, 50})), 200);
    assert_int_equal(strlen(diag_escape((struct str){text, 51})), 203);
}

/* Eight escaped texts can stand in one line. */
static void eight_escapes_live_side_by_side(void **state)
{
    const char *texts[8];

    for (int i = 0; i < 8; i++)
        texts[i] = diag_escape((struct str){&"abcdefgh"[i], 1});
    for (int i = 0; i < 8; i++)
        assert_int_equal(texts[i][0], 'a' + i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(sink_gets_level_and_text, reset),
        cmocka_unit_test_teardown(level_decides_what_is_told, reset),
        cmocka_unit_test_teardown(areas_have_levels, reset),
        cmocka_unit_test(areas_have_names),
        cmocka_unit_test_teardown(long_text_is_cut, reset),
        cmocka_unit_test_teardown(default_sink_writes_to_stderr, reset),
        cmocka_unit_test(escape_leaves_only_printable_ascii),
        cmocka_unit_test(escape_is_cut),
        cmocka_unit_test(eight_escapes_live_side_by_side),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
