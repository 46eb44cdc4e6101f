/* What a tool prints, as text; over the files of log_fixture.h. */
#ifndef BARNABAS_TEST_INSPECT_FIXTURE_H
#define BARNABAS_TEST_INSPECT_FIXTURE_H

#include "inspect.h"
#include "log_fixture.h"

#define TOOL_WORDS_MAX 16
struct tool_run {
    int exit_code;
    char *out, *err; /* owned */
};
typedef int tool_main(struct vfs *v, char **argv, FILE *out, FILE *err);
/* Runs a tool with the words, ended by NULL. */
struct tool_run tool_run(tool_main *tool, struct vfs *v, const char *const *words);
void tool_release(struct tool_run *r);
/* Both texts and the exit code, compared; then released. */
void tool_expect(struct tool_run r, int exit_code, const char *out, const char *err);
/* Whether each text, ended by NULL, is in what was printed; fails with all of it when not. */
void tool_expect_words(const struct tool_run *r, const char *const *texts);

#endif
