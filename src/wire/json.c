/* A message as JSON, in the form that Kafka's tools print it (the generated JsonConverter classes,
 * written out by Jackson).
 *
 * Happy path: the fields that the version has, in the schema's order; a tagged one only where it
 *             differs from its default.
 * Invariant:  text is taken as it is: the wire has UTF-8, and so has JSON.
 *
 * Recursion is as deep as the schemas nest, which no peer can change.
 */
#include <inttypes.h>
#include <math.h>

#include "walk.h"

struct json {
    struct buf *out;
    int16_t version;
    wire_json_instead *instead;
    void *arg;
};

static void put_message(const struct json *j, const struct wire_struct_info *info, const void *m);

/* ---- text, bytes, numbers ------------------------------------------------------------------- */

/* Two characters where JSON has such a form. */
static char short_escape(char c)
{
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    const char *at = c ? strchr(from, c) : NULL;

    return at ? to[at - from] : 0;
}

static void put_text(struct buf *out, struct str v)
{
    buf_put_str(out, "\"");
    for (size_t i = 0; i < v.n; i++) {
        char c = v.p[i], escaped = short_escape(c);

        if (escaped)
            buf_printf(out, "\\%c", escaped);
        else if ((unsigned char)c < 0x20)
            buf_printf(out, "\\u%04X", (unsigned)c);
        else
            buf_put(out, &c, 1);
    }
    buf_put_str(out, "\"");
}

static void put_base64(struct buf *out, struct bytes v)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    buf_put_str(out, "\"");
    for (size_t i = 0; i < v.n; i += 3) {
        size_t left = MIN(v.n - i, 3);
        uint32_t bits = (uint32_t)v.p[i] << 16;
        char four[4];

        bits |= left > 1 ? (uint32_t)v.p[i + 1] << 8 : 0;
        bits |= left > 2 ? v.p[i + 2] : 0;
        for (int k = 0; k < 4; k++)
            four[k] = (size_t)k <= left ? digits[bits >> (18 - 6 * k) & 63] : '=';
        buf_put(out, four, 4);
    }
    buf_put_str(out, "\"");
}

/* Double.toString: the shortest digits that name the number; plain from 0.001 to 10,000,000. */
static void put_double(struct buf *out, double v)
{
    char digits[40];
    int precision = 0, exponent;
    char *e;

    if (!isfinite(v)) {
        buf_put_str(out, isnan(v) ? "\"NaN\"" : v > 0 ? "\"Infinity\"" : "\"-Infinity\"");
        return;
    }
    do
        snprintf(digits, sizeof(digits), "%.*e", precision++, v);
    while (precision <= 17 && strtod(digits, NULL) != v);
    e = strchr(digits, 'e');
    exponent = (int)strtol(e + 1, NULL, 10);
    if (v == 0 || (exponent >= -3 && exponent < 7)) {
        buf_printf(out, "%.*f", MAX(precision - 1 - exponent, 1), v);
        return;
    }
    *e = 0;
    buf_printf(out, "%s%sE%d", digits, strchr(digits, '.') ? "" : ".0", exponent);
}

static void put_scalar(struct buf *out, int type, const void *at)
{
    switch (type) {
    case WIRE_INT8:
        buf_printf(out, "%d", *(const int8_t *)at);
        break;
    case WIRE_INT16:
        buf_printf(out, "%d", *(const int16_t *)at);
        break;
    case WIRE_INT32:
        buf_printf(out, "%" PRId32, *(const int32_t *)at);
        break;
    case WIRE_INT64:
        buf_printf(out, "%" PRId64, *(const int64_t *)at);
        break;
    case WIRE_UINT16:
        buf_printf(out, "%u", *(const uint16_t *)at);
        break;
    case WIRE_UINT32:
        buf_printf(out, "%" PRIu32, *(const uint32_t *)at);
        break;
    case WIRE_FLOAT64:
        put_double(out, *(const double *)at);
        break;
    case WIRE_BOOL:
        buf_put_str(out, *(const bool *)at ? "true" : "false");
        break;
    default:
        ASSERT(!"a scalar");
    }
}

/* ---- fields --------------------------------------------------------------------------------- */

static void put_bytes(const struct json *j, const struct wire_field_info *f, struct bytes v)
{
    if (!v.p)
        buf_put_str(j->out, "null");
    else if (!j->instead || !j->instead(j->arg, f->json_name, v, j->out))
        put_base64(j->out, v);
}

static void put_uuid(struct buf *out, struct uuid v)
{
    char text[UUID_TEXT_BYTES + 1];

    uuid_text(v, text);
    buf_printf(out, "\"%s\"", text);
}

static void put_value(const struct json *j, const struct wire_field_info *f, const void *at)
{
    const struct wire_records *records = at;

    switch (f->type) {
    case WIRE_STRUCT:
        put_message(j, f->of, at);
        break;
    case WIRE_STRING:
        if (((const struct str *)at)->p)
            put_text(j->out, *(const struct str *)at);
        else
            buf_put_str(j->out, "null");
        break;
    case WIRE_BYTES:
        put_bytes(j, f, *(const struct bytes *)at);
        break;
    case WIRE_UUID:
        put_uuid(j->out, *(const struct uuid *)at);
        break;
    case WIRE_RECORDS:
        put_bytes(j, f, (struct bytes){records->p, records->n_bytes});
        break;
    default:
        put_scalar(j->out, f->type, at);
    }
}

static void put_array(const struct json *j, const struct wire_field_info *f, const uint8_t *m)
{
    const uint8_t *elements = *(const uint8_t *const *)(m + f->offset);
    int32_t n = *(const int32_t *)(m + f->count_offset);

    if (n < 0) {
        buf_put_str(j->out, "null");
        return;
    }
    buf_put_str(j->out, "[");
    for (int32_t i = 0; i < n; i++) {
        buf_put_str(j->out, i > 0 ? "," : "");
        put_value(j, f, elements + (size_t)i * walk_value_bytes(f));
    }
    buf_put_str(j->out, "]");
}

static void put_field(const struct json *j, const struct wire_field_info *f, const uint8_t *m)
{
    const uint8_t *at = m + f->offset;

    if (walk_is_array(f)) {
        put_array(j, f, m);
        return;
    }
    if (f->pointer)
        at = *(const uint8_t *const *)at;
    if (at)
        put_value(j, f, at);
    else
        buf_put_str(j->out, "null");
}

static bool is_default(const struct wire_field_info *f, const uint8_t *m, const uint8_t *defaults);

static bool all_default(const struct wire_struct_info *info, const uint8_t *m)
{
    bool all = true;

    for (int i = 0; i < info->n_fields && all; i++)
        all = is_default(&info->fields[i], m, info->defaults);
    return all;
}

static bool is_default(const struct wire_field_info *f, const uint8_t *m, const uint8_t *defaults)
{
    const uint8_t *at = m + f->offset, *other = defaults + f->offset;

    if (walk_is_array(f)) {
        int32_t n = *(const int32_t *)(m + f->count_offset);

        return n <= 0 && n == *(const int32_t *)(defaults + f->count_offset);
    }
    if (f->pointer) {
        at = *(const uint8_t *const *)at;
        other = *(const uint8_t *const *)other;
        return !at || !other ? at == other : all_default(f->of, at);
    }
    switch (f->type) {
    case WIRE_STRUCT:
        return all_default(f->of, at);
    case WIRE_STRING:
        return str_eq(*(const struct str *)at, *(const struct str *)other);
    case WIRE_BYTES:
        return bytes_eq(*(const struct bytes *)at, *(const struct bytes *)other);
    default:
        return memcmp(at, other, walk_value_bytes(f)) == 0;
    }
}

static bool is_shown(const struct json *j, const struct wire_struct_info *info,
                     const struct wire_field_info *f, const void *m)
{
    bool tagged = j->version >= f->tagged_min && j->version <= f->tagged_max;

    return walk_present(f, j->version) && !(tagged && is_default(f, m, info->defaults));
}

static void put_message(const struct json *j, const struct wire_struct_info *info, const void *m)
{
    const char *between = "";

    buf_put_str(j->out, "{");
    for (int i = 0; i < info->n_fields; i++) {
        const struct wire_field_info *f = &info->fields[i];

        if (!is_shown(j, info, f, m))
            continue;
        buf_printf(j->out, "%s\"%s\":", between, f->json_name);
        put_field(j, f, m);
        between = ",";
    }
    buf_put_str(j->out, "}");
}

void wire_json(const struct wire_struct_info *info, const void *m, struct buf *out, int16_t version,
               wire_json_instead *instead, void *arg)
{
    const struct json j = {.out = out, .version = version, .instead = instead, .arg = arg};

    ASSERT(info);
    put_message(&j, info, m);
}
