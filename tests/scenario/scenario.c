/* scenario [--rewrite] [--broken] [--peer=PORT] FILE...: runs files of commands and compares what is said with what is
 * expected.
 *
 * A line that begins with '#', and an empty one, is for people. A line that begins with four blanks
 * is expected output. Any other line is a command; one that ends in '\' goes on in the next line.
 * A file whose first line is "# broken: why" is skipped, unless --broken is given.
 *
 * --peer runs the file against a broker on a port of this machine, in real time: what differs is
 * printed. Commands that no client can give are passed over.
 *
 * Exit code: 0 all as expected (or rewritten), 1 not, 77 everything was skipped.
 */
#include <ctype.h>

#include "stage.h"

#define EXIT_SKIPPED 77
#define INDENT       "    "
#define BROKEN       "# broken:"

struct options {
    bool rewrite, broken;
    int peer_port;
};
struct script {
    const char *path;
    struct buf text;     /* the file */
    struct buf expected; /* under the command that ran last */
    struct buf said;
    struct buf command; /* with its lines joined */
    struct buf rewritten;
    unsigned line, command_line;
    unsigned n_differences;
};

static bool read_file(const char *path, struct buf *out)
{
    FILE *f = fopen(path, "r");
    char part[4096];
    size_t n;

    if (!f)
        return false;
    while ((n = fread(part, 1, sizeof(part), f)) > 0)
        buf_put(out, part, n);
    fclose(f);
    (void)buf_cstr(out);
    return true;
}

static bool write_file(const char *path, const struct buf *text)
{
    FILE *f = fopen(path, "w");
    bool ok = f && fwrite(text->p, 1, text->n, f) == text->n;

    return f && fclose(f) == 0 && ok;
}

static void print_lines(const char *mark, struct buf *text)
{
    const char *at = buf_cstr(text);

    for (; *at; at += strcspn(at, "\n"), at += *at == '\n')
        printf("  %s %.*s\n", mark, (int)strcspn(at, "\n"), at);
}

/* The output of a command is complete: what was said takes the place of what was expected. */
static void end_command(struct script *f)
{
    const char *at = buf_cstr(&f->said);

    if (f->command.n == 0)
        return;
    for (; *at; at += strcspn(at, "\n"), at += *at == '\n')
        buf_printf(&f->rewritten, INDENT "%.*s\n", (int)strcspn(at, "\n"), at);
    if (f->said.n != f->expected.n ||
        (f->said.n > 0 && memcmp(f->said.p, f->expected.p, f->said.n) != 0)) {
        f->n_differences++;
        printf("%s:%u: %s\n", f->path, f->command_line, buf_cstr(&f->command));
        print_lines("-", &f->expected);
        print_lines("+", &f->said);
    }
    f->command.n = f->said.n = f->expected.n = 0;
}

/* One line, without its end; commands run when their last line was read. */
static void take_line(struct script *f, struct stage *s, struct str line, bool *goes_on)
{
    struct str text = line;

    if (!*goes_on && line.n > 4 && memcmp(line.p, INDENT, 4) == 0 && f->command.n > 0) {
        buf_printf(&f->expected, "%.*s\n", (int)(line.n - 4), line.p + 4);
        return;
    }
    if (!*goes_on) {
        end_command(f);
        f->command_line = f->line;
    }
    buf_printf(&f->rewritten, "%.*s\n", STR_ARG(line));
    if (!*goes_on && (line.n == 0 || line.p[0] == '#'))
        return;
    while (*goes_on && text.n > 0 && text.p[0] == ' ')
        text = (struct str){text.p + 1, text.n - 1};
    *goes_on = text.n > 0 && text.p[text.n - 1] == '\\';
    buf_put(&f->command, text.p, text.n - *goes_on);
    if (!*goes_on)
        stage_run(s, buf_cstr(&f->command), &f->said);
}

static void run_lines(struct script *f, struct stage *s)
{
    const char *at = buf_cstr(&f->text);
    bool goes_on = false;

    while (*at) {
        size_t n = strcspn(at, "\n");
        size_t kept = n;

        while (kept > 0 && isspace((unsigned char)at[kept - 1]))
            kept--;
        f->line++;
        take_line(f, s, (struct str){at, kept}, &goes_on);
        at += n + (at[n] == '\n');
    }
    end_command(f);
}

static bool run_script(struct script *f, const struct options *o)
{
    struct stage s;
    bool ok;

    stage_init(&s, o->peer_port);
    run_lines(f, &s);
    stage_release(&s);
    if (s.n_errors > 0)
        printf("%s: %u errors that no expectation covers\n", f->path, s.n_errors);
    ok = s.n_errors == 0 && (f->n_differences == 0 || o->rewrite);
    if (ok && f->n_differences > 0)
        ok = write_file(f->path, &f->rewritten);
    return ok;
}

/* 0, 1 or EXIT_SKIPPED. */
static int run_file(const char *path, const struct options *o)
{
    struct script f = {.path = path};
    int result = 1;

    buf_init(&f.text);
    buf_init(&f.expected);
    buf_init(&f.said);
    buf_init(&f.command);
    buf_init(&f.rewritten);
    if (!read_file(path, &f.text)) {
        printf("%s: cannot be read\n", path);
    } else if (!o->broken && strncmp(buf_cstr(&f.text), BROKEN, strlen(BROKEN)) == 0) {
        const char *why = (const char *)f.text.p + strlen(BROKEN);

        printf("%s: skipped, broken:%.*s\n", path, (int)strcspn(why, "\n"), why);
        result = EXIT_SKIPPED;
    } else {
        result = !run_script(&f, o);
    }
    buf_release(&f.text);
    buf_release(&f.expected);
    buf_release(&f.said);
    buf_release(&f.command);
    buf_release(&f.rewritten);
    return result;
}

int main(int argc, char **argv)
{
    struct options o = {.rewrite = false};
    bool failed = false, ran = false;
    int i = 1;

    for (; i < argc && argv[i][0] == '-'; i++) {
        o.rewrite |= strcmp(argv[i], "--rewrite") == 0;
        o.broken |= strcmp(argv[i], "--broken") == 0;
        if (strncmp(argv[i], "--peer=", 7) == 0)
            o.peer_port = (int)strtol(argv[i] + 7, NULL, 10);
    }
    if (i == argc) {
        fprintf(stderr, "usage: scenario [--rewrite] [--broken] [--peer=PORT] FILE...\n");
        return 2;
    }
    for (; i < argc; i++) {
        int result = run_file(argv[i], &o);

        failed |= result == 1;
        ran |= result != EXIT_SKIPPED;
    }
    return failed ? 1 : ran ? 0 : EXIT_SKIPPED;
}
