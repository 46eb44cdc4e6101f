/* The command line of dump-log: that of kafka-dump-log, and the files may stand alone.
 *
 * Happy path: words -> options and a list of files -> inspect_dump.
 * Failures:   bad usage is one line, and nothing is printed.
 */
#include "inspect.h"
#include "words.h"

enum option {
    OPTION_FILES = 0,
    OPTION_PRINT,
    OPTION_DEEP,
    OPTION_SKIP_METADATA,
    OPTION_MAX_BYTES,
    OPTION_MAX_MESSAGE,
    OPTION_OFFSETS,
    OPTION_TRANSACTIONS,
    OPTION_SHARE_STATE,
    OPTION_METADATA,
    OPTION_REMOTE,
    OPTION_KEY,
    OPTION_VALUE,
    OPTION_SANITY,
    OPTION_VERIFY,
    OPTION_HELP,
    OPTION_HELP_SHORT
};
static const struct word_option options[] = {
    [OPTION_FILES] = {"--files", "files, with commas between them"},
    [OPTION_PRINT] = {"--print-data-log", NULL},
    [OPTION_DEEP] = {"--deep-iteration", NULL},
    [OPTION_SKIP_METADATA] = {"--skip-record-metadata", NULL},
    [OPTION_MAX_BYTES] = {"--max-bytes", "a number of bytes"},
    [OPTION_MAX_MESSAGE] = {"--max-message-size", "a number of bytes"},
    [OPTION_OFFSETS] = {"--offsets-decoder", NULL},
    [OPTION_TRANSACTIONS] = {"--transaction-log-decoder", NULL},
    [OPTION_SHARE_STATE] = {"--share-group-state-decoder", NULL},
    [OPTION_METADATA] = {"--cluster-metadata-decoder", NULL},
    [OPTION_REMOTE] = {"--remote-log-metadata-decoder", NULL},
    [OPTION_KEY] = {"--key-decoder-class", "StringDecoder, LongDecoder or IntegerDecoder"},
    [OPTION_VALUE] = {"--value-decoder-class", "StringDecoder, LongDecoder or IntegerDecoder"},
    [OPTION_SANITY] = {"--index-sanity-check", NULL},
    [OPTION_VERIFY] = {"--verify-index-only", NULL},
    [OPTION_HELP] = {"--help", NULL},
    [OPTION_HELP_SHORT] = {"-h", NULL},
};

static const char help[] =
    "Prints what is in a log's files, line by line as kafka-dump-log does. Reads only; a broker "
    "may\n"
    "have the files open.\n"
    "\n"
    "usage: barnabas dump-log [options] FILE...\n"
    "\n"
    "files: .log, .index, .timeindex, .txnindex, .snapshot (producers), .checkpoint (KRaft\n"
    "snapshots); and leader-epoch-checkpoint, the checkpoints of a data directory,\n"
    "partition.metadata, meta.properties and .barnabas-journal\n"
    "\n"
    "options:\n"
    "  --files A,B,...              the files, as kafka-dump-log takes them\n"
    "  --print-data-log             keys and values, too; implies --deep-iteration\n"
    "  --deep-iteration             a line for each record, not only for each batch\n"
    "  --skip-record-metadata       of records only keys and values\n"
    "  --max-bytes N                only so much of each segment, in whole batches\n"
    "  --offsets-decoder            records are those of __consumer_offsets\n"
    "  --transaction-log-decoder    records are those of __transaction_state\n"
    "  --share-group-state-decoder  records are those of __share_group_state\n"
    "  --cluster-metadata-decoder   records are those of __cluster_metadata\n"
    "  --key-decoder-class CLASS    StringDecoder (default), LongDecoder or IntegerDecoder; "
    "Java's\n"
    "  --value-decoder-class CLASS  package in front is fine\n"
    "  --index-sanity-check         of indexes only what a start looks at\n"
    "  --verify-index-only          compares indexes with the segment; prints what differs\n"
    "  --max-message-size N         the largest batch that an index entry may lead to (5242880)\n"
    "  --help                       this text\n"
    "\n"
    "exit codes: 0 printed, 1 a file is corrupt or can not be read, 2 bad usage\n";

struct dump_args {
    struct dump_options options;
    const char **paths; /* owned array */
    int n_paths;
    char *list; /* of --files, cut at its commas */
    bool help;
};

static void add_path(struct dump_args *a, const char *path)
{
    a->paths = xrealloc_array(a->paths, (size_t)a->n_paths + 1, sizeof(*a->paths));
    a->paths[a->n_paths++] = path;
}

static void add_list(struct dump_args *a, const char *list)
{
    char *p, *rest;

    free(a->list);
    a->list = rest = xstrdup(list);
    while ((p = strsep(&rest, ",")))
        if (*p)
            add_path(a, p);
}

static int parse_plain(const struct words *w, int option, const char *value, enum dump_plain *out,
                       struct errmsg *msg)
{
    static const char *const names[] = {"StringDecoder", "LongDecoder", "IntegerDecoder"};
    const char *dot = strrchr(value, '.');

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (strcmp(dot ? dot + 1 : value, names[i]) != 0)
            continue;
        *out = (enum dump_plain)i;
        return 0;
    }
    errmsg_set(msg, "%s takes %s; Java classes can not be loaded", w->options[option].name,
               w->options[option].value);
    return E_INVALID;
}

static int apply(struct dump_args *a, const struct words *w, int option, const char *value,
                 struct errmsg *msg)
{
    struct dump_options *o = &a->options;

    o->print_data = o->print_data || option == OPTION_PRINT ||
                    (option >= OPTION_OFFSETS && option <= OPTION_VALUE);
    switch ((enum option)option) {
    case OPTION_FILES:
        add_list(a, value);
        return 0;
    case OPTION_PRINT:
        return 0;
    case OPTION_DEEP:
        o->deep = true;
        return 0;
    case OPTION_SKIP_METADATA:
        o->no_metadata = true;
        return 0;
    case OPTION_MAX_BYTES:
        return words_number(w, option, value, INT32_MAX, &o->max_bytes, msg);
    case OPTION_MAX_MESSAGE:
        return words_number(w, option, value, INT32_MAX, &o->max_message_bytes, msg);
    case OPTION_OFFSETS:
    case OPTION_TRANSACTIONS:
    case OPTION_SHARE_STATE:
    case OPTION_METADATA:
        o->decoder = (enum dump_decoder)(DUMP_OFFSETS + option - OPTION_OFFSETS);
        return 0;
    case OPTION_REMOTE:
        errmsg_set(msg, "--remote-log-metadata-decoder: there is no tiered storage here");
        return E_INVALID;
    case OPTION_KEY:
        return parse_plain(w, option, value, &o->key, msg);
    case OPTION_VALUE:
        return parse_plain(w, option, value, &o->value, msg);
    case OPTION_SANITY:
        o->sanity_only = true;
        return 0;
    case OPTION_VERIFY:
        o->verify_only = true;
        return 0;
    case OPTION_HELP:
    case OPTION_HELP_SHORT:
        a->help = true;
        return 0;
    }
    return E_INVALID;
}
STATIC_ASSERT(OPTION_METADATA - OPTION_OFFSETS == DUMP_CLUSTER_METADATA - DUMP_OFFSETS,
              "decoders in the order of their options");

static int parse(struct dump_args *a, struct words *w, struct errmsg *msg)
{
    const char *value;
    int option, rc;

    while ((rc = words_next(w, &option, &value, msg)) > 0) {
        if (rc == 2)
            add_path(a, value);
        else if (apply(a, w, option, value, msg) < 0)
            return E_INVALID;
    }
    if (rc == 0 && a->n_paths == 0 && !a->help) {
        errmsg_set(msg, "no file is named; see barnabas dump-log --help");
        rc = E_INVALID;
    }
    return rc;
}

int inspect_dump_main(struct vfs *v, char **argv, FILE *out, FILE *err)
{
    struct words w = {"dump-log", options, ARRAY_SIZE(options), argv};
    struct dump_args a = {.options = DUMP_OPTIONS_NONE};
    struct errmsg msg = {0};
    int exit_code;

    if (parse(&a, &w, &msg) < 0) {
        fprintf(err, "barnabas dump-log: %s\n", msg.text);
        exit_code = INSPECT_USAGE;
    } else if (a.help) {
        fputs(help, out);
        exit_code = INSPECT_SOUND;
    } else {
        exit_code = inspect_dump(v, &a.options, a.paths, a.n_paths, out, err) < 0 ? INSPECT_FAULTS
                                                                                  : INSPECT_SOUND;
    }
    free(a.paths);
    free(a.list);
    return exit_code;
}
