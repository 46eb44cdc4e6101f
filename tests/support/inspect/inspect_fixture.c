/* See inspect_fixture.h. */
#include "inspect_fixture.h"

struct tool_run tool_run(tool_main *tool, struct vfs *v, const char *const *words)
{
    char *argv[TOOL_WORDS_MAX + 1] = {0};
    struct tool_run r = {0};
    size_t n_out, n_err;
    FILE *out = open_memstream(&r.out, &n_out), *err = open_memstream(&r.err, &n_err);

    for (int i = 0; words[i]; i++) {
        assert_true(i < TOOL_WORDS_MAX);
        argv[i] = xstrdup(words[i]);
    }
    r.exit_code = tool(v, argv, out, err);
    for (int i = 0; argv[i]; i++)
        free(argv[i]);
    (void)fclose(out);
    (void)fclose(err);
    return r;
}

void tool_release(struct tool_run *r)
{
    free(r->out);
    free(r->err);
    *r = (struct tool_run){0};
}

void tool_expect(struct tool_run r, int exit_code, const char *out, const char *err)
{
    assert_string_equal(r.err, err);
    assert_string_equal(r.out, out);
    assert_int_equal(r.exit_code, exit_code);
    tool_release(&r);
}

void tool_expect_words(const struct tool_run *r, const char *const *texts)
{
    for (int i = 0; texts[i]; i++) {
        if (!strstr(r->out, texts[i]))
            fail_msg("\"%s\" is not in:\n%s%s", texts[i], r->out, r->err);
    }
}
