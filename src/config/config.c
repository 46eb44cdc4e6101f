/* The broker's settings: defaults, file, overrides.
 *
 * Owner: struct config; the core thread, or whoever loads it before there is one.
 *
 *   config_init -> config_load_text (once at most) -> config_override (any number)
 *               -> config_finish -> read only -> config_release
 *
 * Happy path: each pair is noted in `given` (the last of a name counts), then parsed by its row
 *             and stored in its field.
 * Failures:   E_INVALID with file, line, key and what would be valid; the config may only be
 *             released then.
 */
#include "config.h"

#include "fields.h"
#include "finish.h"
#include "listeners.h"
#include "names.h"
#include "properties.h"
#include "text.h"

void config_init(struct config *c)
{
    *c = (struct config){0};
    fields_init(c, config_broker_settings, config_n_broker_settings);
}

void config_release(struct config *c)
{
    fields_release(c, config_broker_settings, config_n_broker_settings);
    listeners_release(c);
    for (int i = 0; i < c->n_parsed_log_dirs; i++)
        free(c->parsed_log_dirs[i]);
    free(c->parsed_log_dirs);
    for (int i = 0; i < c->n_given; i++) {
        free(c->given[i].name);
        free(c->given[i].text);
    }
    free(c->given);
    free(c->file_name);
    *c = (struct config){0};
}

/* ---- what was given ---------------------------------------------------------------------- */

static struct config_given *find_given(const struct config *c, struct str name)
{
    for (int i = 0; i < c->n_given; i++)
        if (str_is(name, c->given[i].name))
            return &c->given[i];
    return NULL;
}

const struct config_given *config_given_find(const struct config *c, struct str name)
{
    return find_given(c, name);
}

static void note(struct config *c, struct str name, struct str text, enum config_source source,
                 int line)
{
    struct config_given *g = find_given(c, name);

    if (g == NULL) {
        c->given = xrealloc_array(c->given, (size_t)c->n_given + 1, sizeof(c->given[0]));
        g = &c->given[c->n_given++];
        *g = (struct config_given){.name = str_dup(name)};
    } else if (g->source == CONFIG_FROM_FILE && source == CONFIG_FROM_FILE) {
        diag_warn("%s:%d: %s is set again (first on line %d); the last value counts", c->file_name,
                  line, diag_escape(name), g->line);
    }
    free(g->text);
    g->text = str_dup(text);
    g->source = source;
    g->line = line;
}

/* Parses what was given under a known name and stores it, if it has a field. */
static int store(struct config *c, const struct config_given *g, struct errmsg *msg)
{
    const struct config_setting *st = config_broker_setting(str_of(g->name));
    const struct config_setting *of_listener = name_listener_setting(str_of(g->name));
    union config_value v;
    struct errmsg why;

    if (st == NULL && of_listener == NULL)
        return 0;
    if (config_parse(st != NULL ? st : of_listener, str_of(g->text), &v, &why) < 0) {
        st = st != NULL ? st : of_listener;
        errmsg_set(msg, "%s: %s (valid: %s%s%s)", g->name, why.text, config_type_name(st->type),
                   st->valid != NULL ? " " : "", st->valid != NULL ? st->valid : "");
        return E_INVALID;
    }
    if (st != NULL && st->field_at != SIZE_MAX)
        field_set(c, st, v);
    else
        value_release(st != NULL ? st : of_listener, &v);
    return 0;
}

const char *config_type_name(enum config_type type)
{
    static const char *const names[] = {
        [CONFIG_UNKNOWN] = "UNKNOWN",   [CONFIG_BOOLEAN] = "BOOLEAN", [CONFIG_STRING] = "STRING",
        [CONFIG_INT] = "INT",           [CONFIG_SHORT] = "SHORT",     [CONFIG_LONG] = "LONG",
        [CONFIG_DOUBLE] = "DOUBLE",     [CONFIG_LIST] = "LIST",       [CONFIG_CLASS] = "CLASS",
        [CONFIG_PASSWORD] = "PASSWORD",
    };

    ASSERT(type < ARRAY_SIZE(names));
    return names[type];
}

/* ---- loading ----------------------------------------------------------------------------- */

static int note_all(struct config *c, struct properties *p, struct errmsg *msg)
{
    int line = 0, rc;

    while ((rc = properties_next(p, &line, msg)) > 0)
        note(c, (struct str){buf_cstr(&p->key), p->key.n},
             text_trim((struct str){buf_cstr(&p->value), p->value.n}), CONFIG_FROM_FILE, line);
    if (rc < 0)
        errmsg_wrap(msg, "%s:%d", c->file_name, line);
    return rc;
}

int config_load_text(struct config *c, const char *file_name, struct bytes text, struct errmsg *msg)
{
    struct properties p;
    int rc;

    ASSERT(c->file_name == NULL);
    c->file_name = xstrdup(file_name);
    properties_init(&p, text);
    rc = note_all(c, &p, msg);
    properties_release(&p);
    for (int i = 0; rc == 0 && i < c->n_given; i++) {
        rc = store(c, &c->given[i], msg);
        if (rc < 0)
            errmsg_wrap(msg, "%s:%d", file_name, c->given[i].line);
    }
    return rc;
}

int config_override(struct config *c, const char *key_equals_value, struct errmsg *msg)
{
    struct str all = str_of(key_equals_value);
    const char *equals = strchr(key_equals_value, '=');
    struct str key;
    int rc;

    key = text_trim((struct str){all.p, equals == NULL ? 0 : (size_t)(equals - all.p)});
    if (key.n == 0) {
        errmsg_set(msg, "override %s: valid is key=value", diag_escape(all));
        return E_INVALID;
    }
    note(c, key, text_trim(str_of(equals + 1)), CONFIG_FROM_OVERRIDE, 0);
    rc = store(c, find_given(c, key), msg);
    if (rc < 0)
        errmsg_wrap(msg, "override");
    return rc;
}

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Where `name` stands in `text` as a whole word; NULL when it does not. */
static const char *find_word(const char *text, const char *name)
{
    size_t n = strlen(name);

    for (const char *at = text; n > 0 && (at = strstr(at, name)) != NULL; at++) {
        bool begins = at == text || (!is_name_char(at[-1]) && at[-1] != '.');
        bool ends = !is_name_char(at[n]) && (at[n] != '.' || !is_name_char(at[n + 1]));

        if (begins && ends)
            return at;
    }
    return NULL;
}

/* Puts the place in front of a message about several settings: that of the first one that it names
 * and that was given. */
static void wrap_place(const struct config *c, struct errmsg *msg)
{
    const struct config_given *first = NULL;
    const char *first_at = NULL;

    if (msg == NULL)
        return;
    for (int i = 0; i < c->n_given; i++) {
        const char *at = find_word(msg->text, c->given[i].name);

        if (at != NULL && (first == NULL || at < first_at)) {
            first = &c->given[i];
            first_at = at;
        }
    }
    if (first != NULL && first->source == CONFIG_FROM_OVERRIDE)
        errmsg_wrap(msg, "override");
    else if (first != NULL)
        errmsg_wrap(msg, "%s:%d", c->file_name, first->line);
    else if (c->file_name != NULL)
        errmsg_wrap(msg, "%s", c->file_name);
}

int config_finish(struct config *c, bool strict, struct errmsg *msg)
{
    int rc = finish_names(c, strict, msg);

    if (rc < 0)
        return rc;
    rc = finish_values(c, msg);
    if (rc == 0)
        rc = listeners_parse(c, msg);
    if (rc < 0)
        wrap_place(c, msg);
    return rc;
}

/* ---- reading ----------------------------------------------------------------------------- */

char *config_text(const struct config *c, const struct config_setting *st)
{
    const struct config_given *g = config_given_find(c, str_of(st->name));
    union config_value v;
    struct errmsg msg;
    char *text;
    int rc;

    if (st->field_at != SIZE_MAX) {
        v = field_get(c, st);
        return config_value_text(st, &v);
    }
    rc = config_parse(st, str_of(g != NULL ? g->text : st->default_text), &v, &msg);
    ASSERT(rc == 0); /* store() has parsed it, and a unit test the defaults */
    text = config_value_text(st, &v);
    value_release(st, &v);
    return text;
}
