/* The text format of java.util.Properties. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "properties.h"

/* Reads all pairs as "line:key=value|line:key=value"; the last number is the result when it is not
 * 0. */
static char *pairs_of(const char *text, size_t n)
{
    struct properties p;
    struct errmsg msg;
    struct buf out;
    int line, rc;
    char *all;

    buf_init(&out);
    properties_init(&p, bytes_of(text, n));
    while ((rc = properties_next(&p, &line, &msg)) > 0) {
        buf_printf(&out, "%s%d:%s", out.n > 0 ? "|" : "", line, buf_cstr(&p.key));
        buf_printf(&out, "=%s", buf_cstr(&p.value));
    }
    if (rc < 0)
        buf_printf(&out, "|%d:%d", line, rc);
    all = xstrdup(buf_cstr(&out));
    buf_release(&out);
    properties_release(&p);
    return all;
}

static void gives(const char *text, const char *expected)
{
    char *all = pairs_of(text, strlen(text));

    assert_string_equal(all, expected);
    free(all);
}

/* Key and value are parted by =, : or white space, with white space around. */
static void separators(void **state)
{
    gives("a=b", "1:a=b");
    gives("a:b\n", "1:a=b");
    gives("a b", "1:a=b");
    gives("a\tb", "1:a=b");
    gives("  a  =  b  ", "1:a=b  ");
    gives("a = = b", "1:a== b");
    gives("a  :: b", "1:a=: b");
    gives("a", "1:a=");
    gives("a=", "1:a=");
    gives("=b", "1:=b");
    gives("a=b=c:d e", "1:a=b=c:d e");
}

/* Blank lines and lines that begin with # or ! are nothing; lines end in \n, \r or \r\n. */
static void comments_and_line_ends(void **state)
{
    gives("", "");
    gives("\n \t\f\n# x=1\n  ! y=2\na=1\n", "5:a=1");
    gives("a=1\r\nb=2\rc=3\n\rd=4", "1:a=1|2:b=2|3:c=3|5:d=4");
    gives("a=#no comment", "1:a=#no comment");
    gives("# never continued \\\na=1", "2:a=1");
    gives("#", "");
}

/* A backslash at the end joins the next line, whatever it looks like, without its leading white
 * space. */
static void continuations(void **state)
{
    gives("a=1,\\\n   2,\\\r\n\t3\nb=4", "1:a=1,2,3|4:b=4");
    gives("a=1\\\n# not a comment\nb=2", "1:a=1# not a comment|3:b=2");
    gives("a=1\\\n\nb=2", "1:a=1|3:b=2");
    gives("a=1\\\\\nb=2", "1:a=1\\|2:b=2");
    gives("a=1\\\\\\\nb", "1:a=1\\b");
    gives("lo\\\n  ng=1", "1:long=1");
    gives("a=1\\", "1:a=1");
    gives("a=1\\\n", "1:a=1");
}

/* A line that holds only a backslash has not begun yet: what follows may be a comment. */
static void lone_backslashes(void **state)
{
    gives("\\\n# comment\na=1", "3:a=1");
    gives("\\\n\na=1", "3:a=1");
    gives("\\\n  a=1", "2:a=1");
    gives("\\", "");
    gives("\\\n\\\n", "");
}

/* Escapes in keys and values; a needless backslash goes. */
static void escapes(void **state)
{
    gives("a=\\t\\n\\r\\f\\q\\\\", "1:a=\t\n\r\fq\\");
    gives("a\\=b\\:c\\ d=e", "1:a=b:c d=e");
    gives("\\#a=1", "1:#a=1");
    gives("a=\\ b", "1:a= b");
    gives("a=\\u0041\\u00e9\\u20AC", "1:a=A\xC3\xA9\xE2\x82\xAC");
    gives("a=\\ud83d\\ude00", "1:a=\xF0\x9F\x98\x80");
    gives("a=\\ud83dx\\ude00", "1:a=\xEF\xBF\xBDx\xEF\xBF\xBD");
}

/* A broken \u escape and a character 0 stop the reading at their line. */
static void broken_text_is_an_error(void **state)
{
    gives("ok=1\na=\\u12", "1:ok=1|2:-13");
    gives("a=\\u12g4", "|1:-13");
    gives("\\uzzzz=1", "|1:-13");
    gives("a=\\u", "|1:-13");
    gives("a=\\u0000", "|1:-13");
}

/* Bytes are UTF-8 where they can be, else ISO 8859-1; a byte order mark is skipped. */
static void encodings(void **state)
{
    gives("a=\xC3\xA9", "1:a=\xC3\xA9");
    gives("a=\xE9", "1:a=\xC3\xA9");
    gives("\xEF\xBB\xBF"
          "a=1",
          "1:a=1");
}

/* A zero byte in the file is refused, not the end of the text. */
static void zero_bytes(void **state)
{
    static const char text[] = "a=1\nb=\0002";
    char *all = pairs_of(text, sizeof(text) - 1);

    assert_string_equal(all, "1:a=1|2:-13");
    free(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(separators),    cmocka_unit_test(comments_and_line_ends),
        cmocka_unit_test(continuations), cmocka_unit_test(lone_backslashes),
        cmocka_unit_test(escapes),       cmocka_unit_test(broken_text_is_an_error),
        cmocka_unit_test(encodings),     cmocka_unit_test(zero_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
