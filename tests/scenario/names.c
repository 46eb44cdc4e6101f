/* Names for unstable values.
 *
 * Owner: struct names, the stage of one file; names live as long as the file runs, restarts
 * included.
 */
#include "names.h"

#define UUID_HEX_BYTES 36

void names_init(struct names *s)
{
    *s = (struct names){.start_ms = NAMES_START_MS};
}

void names_release(struct names *s)
{
    for (size_t i = 0; i < s->n; i++) {
        free(s->rows[i].kind);
        free(s->rows[i].raw);
    }
    free(s->rows);
    names_init(s);
}

static struct name *find_or_add(struct names *s, const char *kind, const char *raw)
{
    struct name *row;
    unsigned number = 1;

    for (size_t i = 0; i < s->n; i++) {
        if (strcmp(s->rows[i].kind, kind) != 0)
            continue;
        if (strcmp(s->rows[i].raw, raw) == 0)
            return &s->rows[i];
        number++;
    }
    s->rows = xrealloc_array(s->rows, s->n + 1, sizeof(*s->rows));
    row = &s->rows[s->n++];
    *row = (struct name){.kind = xstrdup(kind), .raw = xstrdup(raw), .number = number};
    return row;
}

void names_print(struct names *s, const char *kind, const char *raw, struct buf *out)
{
    const struct name *row = find_or_add(s, kind, raw);

    buf_printf(out, "<%s-%u>", row->kind, row->number);
}

const char *names_find(const struct names *s, struct str name)
{
    char label[64];

    for (size_t i = 0; i < s->n; i++) {
        snprintf(label, sizeof(label), "<%s-%u>", s->rows[i].kind, s->rows[i].number);
        if (str_is(name, label))
            return s->rows[i].raw;
    }
    return NULL;
}

/* xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx */
static bool is_uuid_hex(const char *p)
{
    for (int i = 0; i < UUID_HEX_BYTES; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;

        if (dash ? p[i] != '-' : !strchr("0123456789abcdef", p[i]))
            return false;
    }
    return true;
}

static bool is_word(char c)
{
    return c > ' ' && c != '(' && c != '\'' && c != '"';
}

/* A whole text that is a Uuid as Kafka writes it: the id that a consumer group gives to a member. */
static bool is_uuid_text(struct str text)
{
    struct uuid u;

    return text.n == UUID_TEXT_BYTES && uuid_parse(text, &u);
}

void names_print_text(struct names *s, struct str text, struct buf *out)
{
    size_t done = 0;

    if (is_uuid_text(text)) {
        char *id = str_dup(text);

        names_print(s, "member", id, out);
        free(id);
        return;
    }
    for (size_t i = 0; i + UUID_HEX_BYTES <= text.n; i++) {
        size_t from = i;
        char *raw;

        if (!is_uuid_hex(text.p + i))
            continue;
        while (from > done && is_word(text.p[from - 1]))
            from--;
        buf_put(out, text.p + done, from - done);
        done = i + UUID_HEX_BYTES;
        raw = str_dup((struct str){text.p + from, done - from});
        names_print(s, "member", raw, out);
        free(raw);
        i = done - 1;
    }
    buf_put(out, text.p + done, text.n - done);
}
