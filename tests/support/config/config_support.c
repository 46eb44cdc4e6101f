/* What the tests of config share: a config from a text, and the log lines that loading wrote.
 *
 * Owner: one buffer of this file, emptied by captured_start.
 */
#include "config_support.h"

static char lines[8192];

static void sink(enum diag_level level, const char *text, void *arg)
{
    static const char *const names[] = {"DEBUG", "INFO", "WARN", "ERROR"};
    size_t n = strlen(lines);

    snprintf(lines + n, sizeof(lines) - n, "%s %s\n", names[level], text);
}

void captured_start(void)
{
    lines[0] = 0;
    diag_set_level(DIAG_INFO);
    diag_set_sink(sink, NULL);
}

const char *captured(void)
{
    return lines;
}

int captured_count(const char *part)
{
    int n = 0;

    for (const char *line = lines; *line != 0;) {
        const char *end = strchr(line, '\n');
        const char *found = strstr(line, part);

        ASSERT(end != NULL);
        n += found != NULL && found < end;
        line = end + 1;
    }
    return n;
}

int config_from_text(struct config *c, const char *text, bool strict, struct errmsg *msg)
{
    int rc;

    captured_start();
    config_init(c);
    rc = config_load_text(c, "t.properties", bytes_of(text, strlen(text)), msg);
    if (rc == 0)
        rc = config_finish(c, strict, msg);
    return rc;
}

void config_must_load(struct config *c, const char *text)
{
    struct errmsg msg;
    int rc = config_from_text(c, text, false, &msg);

    if (rc < 0)
        fprintf(stderr, "%s\n", msg.text);
    ASSERT(rc == 0);
}
