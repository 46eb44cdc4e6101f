/* barnabas: the command.
 *
 * Happy path: arguments -> settings -> serve, until it is told to stop. Or, where the first word is
 *             a tool's name: the tool.
 */
#include "args.h"
#include "api.h"
#include "inspect.h"
#include "serve.h"
#include "settings.h"

#include <malloc.h>
#include <unistd.h>

/* One thread for each lane that must not wait (commits, reads, cleaning, ...); libuv starts them
 * when first needed. */
#define POOL_THREADS "8"

/* Few arenas and a fixed threshold: memory that was needed once goes back to the system. */
static void tune_memory(void)
{
    mallopt(M_ARENA_MAX, 2);
    mallopt(M_MMAP_THRESHOLD, 256 << 10);
    mallopt(M_TRIM_THRESHOLD, 1 << 20);
}

static int fail(int exit_code, const struct errmsg *msg)
{
    fprintf(stderr, "barnabas: %s\n", msg->text);
    return exit_code;
}

static int run(const struct args *a)
{
    struct vfs *vfs = vfs_posix_new();
    struct errmsg msg = {0};
    struct config c;
    int exit_code = EXIT_CODE_START;

    sys_install_diag_clock();
    config_init(&c);
    if (settings_load(&c, a, vfs, &msg) == 0)
        exit_code = serve(a, &c, vfs, &msg);
    if (msg.text[0])
        fail(exit_code, &msg);
    config_release(&c);
    vfs_posix_free(vfs);
    return exit_code;
}

static void print_apis(void)
{
    struct buf text;

    buf_init(&text);
    api_print_table(&text);
    fputs(buf_cstr(&text), stdout);
    buf_release(&text);
}

static int run_check(struct vfs *v, char **argv, FILE *out, FILE *err)
{
    return inspect_check_main(v, argv, out, err, isatty(STDERR_FILENO) ? err : NULL);
}

static const struct {
    const char *name;
    int (*run)(struct vfs *v, char **argv, FILE *out, FILE *err);
} tools[] = {
    {"dump-log", inspect_dump_main},
    {"check", run_check},
};

/* The exit code, or -1 where the first word names no tool. */
static int run_tool(char **argv)
{
    int exit_code = -1;

    for (size_t i = 0; argv[1] && i < ARRAY_SIZE(tools); i++) {
        struct vfs *vfs;

        if (strcmp(argv[1], tools[i].name) != 0)
            continue;
        vfs = vfs_posix_new();
        exit_code = tools[i].run(vfs, argv + 2, stdout, stderr);
        vfs_posix_free(vfs);
    }
    return exit_code;
}

int main(int argc, char **argv)
{
    struct errmsg msg = {0};
    struct args a;
    int exit_code = run_tool(argv);

    if (exit_code >= 0)
        return exit_code;
    tune_memory();
    setenv("UV_THREADPOOL_SIZE", POOL_THREADS, 0);
    if (args_parse(&a, argc, argv, &msg) < 0) {
        exit_code = fail(EXIT_CODE_USAGE, &msg);
    } else if (a.action == ARGS_HELP) {
        args_print_help(stdout);
        exit_code = EXIT_CODE_OK;
    } else if (a.action == ARGS_VERSION) {
        args_print_version(stdout);
        exit_code = EXIT_CODE_OK;
    } else if (a.action == ARGS_APIS) {
        print_apis();
        exit_code = EXIT_CODE_OK;
    } else {
        exit_code = run(&a);
    }
    args_release(&a);
    return exit_code;
}
