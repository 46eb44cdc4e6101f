/* Messages that Apache Kafka's own classes wrote (scripts/golden/wire): every message in every
 * version.
 *
 * "defaults" lines are Kafka's message with nothing set; ours at its defaults must be the same
 * bytes. In "named" lines each field holds a value made of its own name, so that a field that is
 * read from another's place, or in another type, shows. "nulls" lines
 * are the same with null wherever the version has null.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "wire_each.h"

#define GOLDEN "tests/golden/wire/messages.txt"

struct golden {
    const struct wire_message_info *info;
    int16_t version;
    char what[16];
    uint8_t *bytes;
    size_t n;
};

static int hex_digit(char c)
{
    return c >= 'a' ? c - 'a' + 10 : c - '0';
}

static void parse_hex(struct golden *g, const char *hex)
{
    size_t n = strcmp(hex, "-") == 0 ? 0 : strlen(hex) / 2;

    g->bytes = xmalloc(MAX(n, 1));
    g->n = n;
    for (size_t i = 0; i < n; i++)
        g->bytes[i] = (uint8_t)(hex_digit(hex[2 * i]) * 16 + hex_digit(hex[2 * i + 1]));
}

static void parse_line(char *line, struct golden *g)
{
    char name[100], hex_start[2];
    int version, at = 0;

    assert_int_equal(sscanf(line, "%99s %d %15s %n%1s", name, &version, g->what, &at, hex_start),
                     4);
    line[strcspn(line, "\n")] = 0;
    g->info = wire_each_find(name);
    if (g->info == NULL)
        fail_msg("no schema %s", name);
    g->version = (int16_t)version;
    parse_hex(g, line + at);
}

/* Calls test for each line of that kind; returns how many there were. */
static int each_golden(const char *what, void (*test)(const struct golden *g))
{
    FILE *in = fopen(GOLDEN, "r");
    char *line = NULL;
    size_t cap = 0;
    int n = 0;

    if (in == NULL)
        fail_msg("%s cannot be opened", GOLDEN);
    while (getline(&line, &cap, in) >= 0) {
        struct golden g;

        if (line[0] == '#')
            continue;
        parse_line(line, &g);
        if (strcmp(g.what, what) == 0) {
            test(&g);
            n++;
        }
        free(g.bytes);
    }
    free(line);
    fclose(in);
    return n;
}

static void assert_bytes(const struct golden *g, const struct buf *ours)
{
    struct buf text;

    if (ours->n == g->n && (g->n == 0 || memcmp(ours->p, g->bytes, g->n) == 0))
        return;
    buf_init(&text);
    for (size_t i = 0; i < ours->n; i++)
        buf_printf(&text, "%02x", ours->p[i]);
    fail_msg("%s v%d %s: ours is %s", g->info->name, g->version, g->what, buf_cstr(&text));
}

static void check_defaults(const struct golden *g)
{
    struct wire_case c;
    struct buf ours;
    void *m;

    wire_case_init(&c, g->info, g->version);
    buf_init(&ours);
    m = arena_alloc(&c.arena, g->info->struct_bytes);
    g->info->init(m);
    wire_case_encode(&c, m, &ours);
    assert_bytes(g, &ours);
    buf_release(&ours);
    wire_case_release(&c);
}

/* ---- values made of names (see WireGolden.java) ---------------------------------------------- */

static void plain_name(const char *name, const char *suffix, char out[100])
{
    size_t n = 0;

    for (; *name; name++) {
        if (*name != '_')
            out[n++] = *name;
        ASSERT(n < 98);
    }
    out[n] = 0;
    if (suffix[0])
        out[n++] = suffix[0];
    out[n] = 0;
}

static void check_number(const struct wire_field_info *f, const void *at, int32_t hash)
{
    int64_t wide = (int64_t)hash * 31;

    if (f->type == WIRE_INT8)
        assert_int_equal(*(const int8_t *)at, (int8_t)hash);
    else if (f->type == WIRE_INT16)
        assert_int_equal(*(const int16_t *)at, (int16_t)hash);
    else if (f->type == WIRE_INT32)
        assert_int_equal(*(const int32_t *)at, hash);
    else if (f->type == WIRE_INT64)
        assert_true(*(const int64_t *)at == wide);
    else if (f->type == WIRE_UINT16)
        assert_int_equal(*(const uint16_t *)at, (uint16_t)hash);
    else if (f->type == WIRE_UINT32)
        assert_int_equal(*(const uint32_t *)at, (uint32_t)wide);
    else if (f->type == WIRE_FLOAT64)
        assert_true(*(const double *)at == hash / 8.0);
    else if (f->type == WIRE_BOOL)
        assert_true(*(const bool *)at);
    else
        fail_msg("%s: type %d", f->name, f->type);
}

static void check_uuid(const struct uuid *u, int32_t hash)
{
    assert_true((int64_t)get_be64(u->b) == (int64_t)hash);
    assert_true((int64_t)get_be64(u->b + 8) == (int64_t)hash * 31);
}

static void check_struct(const struct wire_struct_info *info, const uint8_t *m, int16_t version);

static void check_value(const struct wire_field_info *f, const uint8_t *at, const char *suffix,
                        int16_t version)
{
    char name[100];
    struct str expected;

    plain_name(f->name, suffix, name);
    expected = str_of(name);
    if (f->type == WIRE_STRUCT)
        check_struct(f->of, at, version);
    else if (f->type == WIRE_STRING)
        assert_true(str_eq(*(const struct str *)at, expected));
    else if (f->type == WIRE_BYTES)
        assert_true(bytes_eq(*(const struct bytes *)at, bytes_of(expected.p, expected.n)));
    else if (f->type == WIRE_RECORDS)
        assert_true(bytes_eq(bytes_of(((const struct wire_records *)at)->p,
                                      ((const struct wire_records *)at)->n_bytes),
                             bytes_of(expected.p, expected.n)));
    else if (f->type == WIRE_UUID)
        check_uuid((const struct uuid *)at, java_hash(expected));
    else
        check_number(f, at, java_hash(expected));
}

static size_t value_bytes(const struct wire_field_info *f)
{
    static const size_t bytes[] = {
        1, 2, 4, 8, 2, 4, 8, sizeof(bool), sizeof(struct uuid), sizeof(struct str)};

    if (f->type == WIRE_STRUCT)
        return f->of->bytes;
    return f->type < ARRAY_SIZE(bytes) ? bytes[f->type] : sizeof(struct bytes);
}

static void check_array(const struct wire_field_info *f, const uint8_t *m, int16_t version)
{
    const uint8_t *elements = *(const uint8_t *const *)(m + f->offset);

    assert_int_equal(*(const int32_t *)(m + f->count_offset), f->type == WIRE_STRUCT ? 1 : 2);
    check_value(f, elements, "", version);
    if (f->type != WIRE_STRUCT)
        check_value(f, elements + value_bytes(f), "2", version);
}

static void check_struct(const struct wire_struct_info *info, const uint8_t *m, int16_t version)
{
    for (int i = 0; i < info->n_fields; i++) {
        const struct wire_field_info *f = &info->fields[i];
        const uint8_t *at = m + f->offset;

        if (version < f->version_min || version > f->version_max)
            continue;
        if (f->count_offset)
            check_array(f, m, version);
        else
            check_value(f, f->pointer ? *(const uint8_t *const *)at : at, "", version);
    }
}

/* Decodes the golden bytes, looks at the values when they are made of names, and encodes them
 * again. */
static void check_both_ways(const struct golden *g, bool named)
{
    struct wire_reader r;
    struct wire_case c;
    struct buf ours;
    void *m;

    wire_case_init(&c, g->info, g->version);
    buf_init(&ours);
    m = arena_alloc(&c.arena, g->info->struct_bytes);
    wire_reader_init(&r, bytes_of(g->bytes, g->n), &c.arena);
    if (g->info->decode(m, &r, g->version) != 0 || r.at != r.end)
        fail_msg("%s v%d %s: not decoded whole", g->info->name, g->version, g->what);
    if (named)
        check_struct(g->info->shape, m, g->version);
    wire_case_encode(&c, m, &ours);
    assert_bytes(g, &ours);
    buf_release(&ours);
    wire_case_release(&c);
}

static void check_named(const struct golden *g)
{
    check_both_ways(g, true);
}

static void check_nulls(const struct golden *g)
{
    check_both_ways(g, false);
}

/* ---- the tests ------------------------------------------------------------------------------- */

static int n_versions(void)
{
    int n = 0;

    for (int i = 0; i < wire_each_count(); i++)
        n += wire_each_get(i)->version_max - wire_each_get(i)->version_min + 1;
    return n;
}

/* A message with nothing set has Kafka's bytes, in every version in which Kafka can write it. */
static void defaults_are_kafkas(void **state)
{
    (void)state;
    assert_true(each_golden("defaults", check_defaults) > n_versions() * 9 / 10);
}

/* Kafka's bytes decode into the right fields, and encode to the same bytes, in every version of
 * every message. */
static void kafkas_messages_are_read_and_written(void **state)
{
    (void)state;
    assert_int_equal(each_golden("named", check_named), n_versions());
}

/* The same with null wherever a version has null. */
static void kafkas_nulls_are_read_and_written(void **state)
{
    (void)state;
    assert_int_equal(each_golden("nulls", check_nulls), n_versions());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_kafkas),
        cmocka_unit_test(kafkas_messages_are_read_and_written),
        cmocka_unit_test(kafkas_nulls_are_read_and_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
