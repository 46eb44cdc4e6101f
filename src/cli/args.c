/* The command line: like Kafka's start script, and --help and --version.
 *
 * Happy path: each word is an option of the table, its value, or the one file of settings.
 */
#include "args.h"

#include <uv.h>

#define PROTOCOL_OF "4.4" /* of Apache Kafka */

enum option {
    OPTION_OVERRIDE = 0,
    OPTION_STRICT,
    OPTION_READY_FILE,
    OPTION_HELP,
    OPTION_VERSION,
    OPTION_APIS
};
static const struct {
    const char *name;
    enum option option;
    const char *value; /* what it takes, for people; NULL: nothing */
} options[] = {
    {"--override", OPTION_OVERRIDE, "key=value"},
    {"--strict", OPTION_STRICT, NULL},
    {"--ready-file", OPTION_READY_FILE, "a path"},
    {"--help", OPTION_HELP, NULL},
    {"-h", OPTION_HELP, NULL},
    {"--version", OPTION_VERSION, NULL},
    {"--apis", OPTION_APIS, NULL},
};

static const char help[] =
    "Barnabas " BARNABAS_VERSION ", a Kafka-compatible broker for one machine.\n"
    "\n"
    "usage: barnabas [server.properties] [options]\n"
    "       barnabas dump-log [options] FILE...       prints what is in a log's files\n"
    "       barnabas check [options] DIR              verifies the data of a stopped broker\n"
    "\n"
    "Without a file of settings it listens on localhost:9092, for this machine only, and keeps\n"
    "its data in ./barnabas-data. There is no setup: an empty directory is made ready at the "
    "start.\n"
    "\n"
    "options:\n"
    "  --override KEY=VALUE   a setting, over what the file says; may be given many times\n"
    "  --strict               a setting that nobody knows is an error, not a warning\n"
    "  --ready-file PATH      written when the broker serves: host:port of each listener, a line "
    "each\n"
    "  --version              what this is, and what it is made of\n"
    "  --apis                 what is served: key, name and versions of each API, one a line\n"
    "  --help                 this text\n"
    "\n"
    "examples:\n"
    "  barnabas\n"
    "  barnabas /etc/barnabas/server.properties\n"
    "  barnabas --override listeners=PLAINTEXT://:9092 --override log.dirs=/var/lib/barnabas\n"
    "  barnabas --override listeners=PLAINTEXT://localhost:0 --ready-file /tmp/ready\n"
    "\n"
    "  kafka-topics --bootstrap-server localhost:9092 --create --topic orders --partitions 3\n"
    "  kafka-console-producer --bootstrap-server localhost:9092 --topic orders\n"
    "  kafka-console-consumer --bootstrap-server localhost:9092 --topic orders --from-beginning\n"
    "\n"
    "Settings have Apache Kafka's names and formats; config/server.properties of the project "
    "lists\n"
    "each with its meaning and default.\n"
    "\n"
    "SIGTERM or SIGINT stops it cleanly: requests in work are answered, all is flushed; a second "
    "one\n"
    "ends it at once, which loses nothing that was acknowledged. SIGUSR1 prints the metrics, with the\n"
    "size and growth of every partition, on standard output.\n"
    "\n"
    "exit codes:\n"
    "   0  stopped as it was told to\n"
    "   1  could not start: settings, a taken port, a data directory that can not be used\n"
    "   2  bad usage\n"
    "  73  the data directory is in use by another broker\n"
    "  74  the last data directory failed (a write or flush went wrong); see the log\n";

void args_print_help(FILE *out)
{
    fputs(help, out);
}

void args_print_version(FILE *out)
{
    fprintf(out, "barnabas %s (Kafka-compatible, protocol of Apache Kafka %s)\n", BARNABAS_VERSION,
            PROTOCOL_OF);
    fprintf(out, "libuv %s, built with %s %s\n", uv_version_string(),
#ifdef __clang__
            "clang",
#else
            "gcc",
#endif
            __VERSION__);
}

static int find(const char *word, size_t n)
{
    for (size_t i = 0; i < ARRAY_SIZE(options); i++)
        if (strlen(options[i].name) == n && memcmp(options[i].name, word, n) == 0)
            return (int)i;
    return -1;
}

static int apply(struct args *a, enum option option, const char *value, struct errmsg *msg)
{
    switch (option) {
    case OPTION_OVERRIDE:
        if (!strchr(value, '=')) {
            errmsg_set(msg, "--override takes key=value, not \"%s\"", value);
            return E_INVALID;
        }
        a->overrides[a->n_overrides++] = value;
        return 0;
    case OPTION_READY_FILE:
        a->ready_path = value;
        return 0;
    case OPTION_STRICT:
        a->strict = true;
        return 0;
    case OPTION_HELP:
        a->action = ARGS_HELP;
        return 0;
    case OPTION_VERSION:
        a->action = ARGS_VERSION;
        return 0;
    case OPTION_APIS:
        a->action = ARGS_APIS;
        return 0;
    }
    return E_INVALID;
}

static int parse_option(struct args *a, char **argv, int *i, struct errmsg *msg)
{
    const char *word = argv[*i], *equals = strchr(word, '='), *value = NULL;
    int found = find(word, equals ? (size_t)(equals - word) : strlen(word));

    if (found < 0) {
        errmsg_set(msg, "there is no option %s; see barnabas --help", word);
        return E_INVALID;
    }
    if (equals && !options[found].value) {
        errmsg_set(msg, "%s takes no value", options[found].name);
        return E_INVALID;
    }
    if (options[found].value) {
        value = equals ? equals + 1 : argv[*i + 1];
        *i += !equals;
        if (!value || !*value) {
            errmsg_set(msg, "%s takes %s", options[found].name, options[found].value);
            return E_INVALID;
        }
    }
    return apply(a, options[found].option, value, msg);
}

int args_parse(struct args *a, int argc, char **argv, struct errmsg *msg)
{
    ASSERT(!argv[argc]);
    *a = (struct args){.overrides = xcalloc((size_t)argc + 1, sizeof(*a->overrides))};
    for (int i = 1; i < argc; i++) {
        int rc;

        if (argv[i][0] == '-') {
            rc = parse_option(a, argv, &i, msg);
            if (rc < 0)
                return rc;
        } else if (a->config_path) {
            errmsg_set(msg, "one file of settings, not two: %s, %s", a->config_path, argv[i]);
            return E_INVALID;
        } else {
            a->config_path = argv[i];
        }
    }
    return 0;
}

void args_release(struct args *a)
{
    free(a->overrides);
    *a = (struct args){0};
}
