/* dump: files by their names, and what was wrong with them at the end (DumpLogSegments.main).
 *
 * Owner: struct dump, for one call of inspect_dump.
 *
 * Happy path: file after file -> its printer, by suffix -> notes to err.
 * Failures:   a file that can not be read is one line in err; the others are printed.
 */
#include "dump.h"

static const struct {
    const char *suffix;
    void (*print)(struct dump *d);
} printers[] = {
    {".log", dump_log},
    {".checkpoint", dump_log},
    {".index", dump_offset_index},
    {".timeindex", dump_time_index},
    {".snapshot", dump_snapshot},
    {".txnindex", dump_txn_index},
    /* which kafka-dump-log ignores */
    {".barnabas-journal", dump_journal},
    {"leader-epoch-checkpoint", dump_text},
    {"recovery-point-offset-checkpoint", dump_text},
    {"log-start-offset-checkpoint", dump_text},
    {"replication-offset-checkpoint", dump_text},
    {"cleaner-offset-checkpoint", dump_text},
    {"partition.metadata", dump_text},
    {"meta.properties", dump_text},
    {".kafka_cleanshutdown", dump_text},
    {"quorum-state", dump_text},
};

void dump_note(struct dump *d, enum dump_note kind, int64_t a, int64_t b)
{
    struct dump_notes *notes = &d->notes[kind];

    if (notes->n == NOTES_MAX)
        return;
    if ((notes->n & (notes->n - 1)) == 0)
        notes->p = xrealloc_array(notes->p, MAX(notes->n * 2, 1), sizeof(*notes->p));
    notes->p[notes->n++] = (struct dump_noted){d->file, a, b};
}

void dump_fail(struct dump *d, const char *path, int rc)
{
    fprintf(d->err, "%s: %s\n", path, err_text(rc));
    if (d->rc == 0)
        d->rc = rc;
}

static const struct {
    const char *head; /* NULL: the same for all files */
    const char *line;
    bool later_first; /* within a file */
} note_texts[NOTE_KINDS] = {
    [NOTE_INDEX_MISMATCH] = {"Mismatches in :%s\n", "  Index offset: %lld, log offset: %lld\n",
                             true},
    [NOTE_TIME_MISMATCH] = {"Found timestamp mismatch in :%s\n",
                            "  Index timestamp: %lld, log timestamp: %lld\n", false},
    [NOTE_TIME_ORDER] = {"Found out of order timestamp in :%s\n",
                         "  Index timestamp: %lld, Previously indexed timestamp: %lld\n", false},
    [NOTE_TIME_NOT_FOUND] = {"The following indexed offsets are not found in the log.\n",
                             "Indexed offset: %lld, found log offset: %lld\n", false},
    [NOTE_NOT_CONSECUTIVE] = {"Non-consecutive offsets in %s\n", "  %lld is followed by %lld\n",
                              true},
};

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static void print_file_notes(struct dump *d, enum dump_note kind, uint32_t from, uint32_t to)
{
    const struct dump_noted *p = d->notes[kind].p;

    fprintf(d->err, note_texts[kind].head, d->paths[p[from].file]);
    for (uint32_t i = from; i < to; i++) {
        const struct dump_noted *at = &p[note_texts[kind].later_first ? to - 1 - (i - from) : i];

        fprintf(d->err, note_texts[kind].line, (long long)at->a, (long long)at->b);
    }
}
#pragma GCC diagnostic pop

static void print_notes(struct dump *d)
{
    for (int kind = 0; kind < NOTE_KINDS; kind++) {
        const struct dump_notes *notes = &d->notes[kind];

        for (uint32_t from = 0, to; from < notes->n; from = to) {
            for (to = from; to < notes->n && notes->p[to].file == notes->p[from].file;)
                to++;
            print_file_notes(d, (enum dump_note)kind, from, to);
        }
        free(notes->p);
    }
}

static void dump_file(struct dump *d)
{
    fprintf(d->out, "Dumping %s\n", d->path);
    for (size_t i = 0; i < ARRAY_SIZE(printers); i++) {
        if (name_ends(d->name, printers[i].suffix)) {
            printers[i].print(d);
            return;
        }
    }
    fprintf(d->err, "Ignoring unknown file %s\n", d->path);
}

int inspect_dump(struct vfs *v, const struct dump_options *o, const char *const *paths, int n_paths,
                 FILE *out, FILE *err)
{
    struct dump d = {.vfs = v, .options = o, .paths = paths, .out = out, .err = err};

    ASSERT(o->max_bytes >= 0);
    buf_init(&d.scratch);
    buf_init(&d.text);
    arena_init(&d.arena);
    for (int i = 0; i < n_paths; i++) {
        d.file = i;
        d.path = paths[i];
        d.name = name_of_path(paths[i]);
        dump_file(&d);
    }
    fflush(out);
    print_notes(&d);
    arena_release(&d.arena);
    buf_release(&d.text);
    buf_release(&d.scratch);
    return d.rc;
}
