/* A reply into text.
 *
 * On one line where it fits; otherwise the plain fields of a struct are a line and each array of
 * structs is a block under it. Recursion is as deep as the schemas nest.
 */
#include <inttypes.h>

#include "text.h"

#define NEAR_START_MS 315360000000 /* ten years */

/* Shown also where they hold their default: a reader looks for them. */
static const char *const always[] = {"index",  "partition_index", "base_offset",
                                     "offset", "high_watermark",  "committed_offset"};

static bool is_named(const struct wire_field_info *f, const char *name)
{
    return strcmp(f->name, name) == 0;
}

static bool shown_anyway(const struct wire_field_info *f)
{
    for (size_t i = 0; i < ARRAY_SIZE(always); i++)
        if (is_named(f, always[i]))
            return true;
    return false;
}

static bool present(const struct text_out *o, const struct wire_field_info *f)
{
    return o->version >= f->version_min && o->version <= f->version_max;
}

static bool any_shown(const struct text_out *o, const struct wire_struct_info *info,
                      const uint8_t *m);

static bool shown(const struct text_out *o, const struct wire_struct_info *info,
                  const struct wire_field_info *f, const uint8_t *m)
{
    static const uint8_t bytes[] = {
        [WIRE_INT8] = 1,    [WIRE_INT16] = 2,           [WIRE_INT32] = 4,
        [WIRE_INT64] = 8,   [WIRE_UINT16] = 2,          [WIRE_UINT32] = 4,
        [WIRE_FLOAT64] = 8, [WIRE_BOOL] = sizeof(bool), [WIRE_UUID] = 16,
    };
    const uint8_t *at = m + f->offset, *default_at = (const uint8_t *)info->defaults + f->offset;

    if (!present(o, f))
        return false;
    if (f->count_offset) {
        int32_t n = *(const int32_t *)(m + f->count_offset);

        return n > 0 || n != *(const int32_t *)((const uint8_t *)info->defaults + f->count_offset);
    }
    if (f->pointer)
        return *(void *const *)at != NULL;
    if (f->type == WIRE_STRUCT)
        return any_shown(o, f->of, at);
    if (f->type == WIRE_STRING)
        return !str_eq(*(const struct str *)at, *(const struct str *)default_at);
    if (f->type == WIRE_BYTES)
        return ((const struct bytes *)at)->n > 0 ||
               !((const struct bytes *)at)->p != !((const struct bytes *)default_at)->p;
    if (f->type == WIRE_RECORDS)
        return ((const struct wire_records *)at)->n_bytes > 0;
    return shown_anyway(f) || memcmp(at, default_at, bytes[f->type]) != 0;
}

static bool any_shown(const struct text_out *o, const struct wire_struct_info *info,
                      const uint8_t *m)
{
    for (int i = 0; i < info->n_fields; i++)
        if (shown(o, info, &info->fields[i], m))
            return true;
    return false;
}

static bool is_plain(struct bytes v)
{
    for (size_t i = 0; i < v.n; i++)
        if (v.p[i] <= ' ' || v.p[i] > '~' || strchr("[]{}|\"", v.p[i]))
            return false;
    return v.n > 0;
}

static bool is_text(struct bytes v)
{
    for (size_t i = 0; i < v.n; i++)
        if (v.p[i] < ' ' || v.p[i] > '~')
            return false;
    return true;
}

static void put_str(struct text_out *o, const struct wire_field_info *f, struct str v)
{
    bool plain = is_plain(bytes_of(v.p, v.n));

    if (!v.p) {
        buf_put_str(o->out, "null");
        return;
    }
    if (is_named(f, "cluster_id") || (is_named(f, "host") && v.n > 0)) {
        char *raw = str_dup(v);

        names_print(o->names, is_named(f, "host") ? "host" : "cluster", raw, o->out);
        free(raw);
        return;
    }
    buf_put_str(o->out, plain ? "" : "\"");
    names_print_text(o->names, v, o->out);
    buf_put_str(o->out, plain ? "" : "\"");
}

static void put_bytes(struct text_out *o, const char *field, struct bytes v)
{
    if (!v.p) {
        buf_put_str(o->out, "null");
    } else if (is_plain(v)) {
        buf_put(o->out, v.p, v.n);
    } else if (is_text(v)) {
        buf_printf(o->out, "\"%.*s\"", (int)v.n, (const char *)v.p);
    } else if (!text_out_embedded(v, strstr(field, "assignment") != NULL, o->out)) {
        buf_put_str(o->out, "0x");
        for (size_t i = 0; i < v.n; i++)
            buf_printf(o->out, "%02x", v.p[i]);
    }
}

void text_out_bytes(struct text_out *o, struct bytes v)
{
    put_bytes(o, "", v);
}

static void put_named_number(struct text_out *o, const char *kind, int64_t v)
{
    char raw[24];

    snprintf(raw, sizeof(raw), "%" PRId64, v);
    names_print(o->names, kind, raw, o->out);
}

static void put_int64(struct text_out *o, const struct wire_field_info *f, int64_t v)
{
    int64_t start_ms = o->names->start_ms;

    if (is_named(f, "producer_id") && v >= 0)
        put_named_number(o, "pid", v);
    else if (v > start_ms - NEAR_START_MS && v < start_ms + NEAR_START_MS)
        buf_printf(o->out, "T%+" PRId64, v - start_ms);
    else
        buf_printf(o->out, "%" PRId64, v);
}

static bool is_error(const struct wire_field_info *f)
{
    size_t n = strlen(f->name);

    return f->type == WIRE_INT16 && n >= 10 && strcmp(f->name + n - 10, "error_code") == 0;
}

static void put_uuid(struct text_out *o, struct uuid v)
{
    char raw[UUID_TEXT_BYTES + 1];

    uuid_text(v, raw);
    if (uuid_is_zero(v))
        buf_put_str(o->out, raw);
    else
        names_print(o->names, "id", raw, o->out);
}

static void put_struct(struct text_out *o, const struct wire_struct_info *info, const void *m);

static void put_value(struct text_out *o, const struct wire_field_info *f, const void *at)
{
    switch (f->type) {
    case WIRE_STRUCT:
        buf_put_str(o->out, "{");
        put_struct(o, f->of, at);
        buf_put_str(o->out, "}");
        break;
    case WIRE_STRING:
        put_str(o, f, *(const struct str *)at);
        break;
    case WIRE_BYTES:
        put_bytes(o, f->name, *(const struct bytes *)at);
        break;
    case WIRE_RECORDS:
        text_out_records(o, at);
        break;
    case WIRE_UUID:
        put_uuid(o, *(const struct uuid *)at);
        break;
    case WIRE_BOOL:
        buf_put_str(o->out, *(const bool *)at ? "true" : "false");
        break;
    case WIRE_INT8:
        buf_printf(o->out, "%d", *(const int8_t *)at);
        break;
    case WIRE_INT16:
        if (is_error(f))
            buf_put_str(o->out, kafka_error_name(*(const int16_t *)at));
        else
            buf_printf(o->out, "%d", *(const int16_t *)at);
        break;
    case WIRE_UINT16:
        buf_printf(o->out, "%u", *(const uint16_t *)at);
        break;
    case WIRE_INT32:
        if (is_named(f, "session_id") && *(const int32_t *)at != 0)
            put_named_number(o, "session", *(const int32_t *)at);
        else if (is_named(f, "port") && *(const int32_t *)at > 0)
            put_named_number(o, "port", *(const int32_t *)at);
        else
            buf_printf(o->out, "%" PRId32, *(const int32_t *)at);
        break;
    case WIRE_UINT32:
        buf_printf(o->out, "%" PRIu32, *(const uint32_t *)at);
        break;
    case WIRE_INT64:
        put_int64(o, f, *(const int64_t *)at);
        break;
    default:
        buf_printf(o->out, "%g", *(const double *)at);
    }
}

static size_t value_bytes(const struct wire_field_info *f)
{
    switch (f->type) {
    case WIRE_STRUCT:
        return f->of->bytes;
    case WIRE_STRING:
        return sizeof(struct str);
    case WIRE_BYTES:
        return sizeof(struct bytes);
    case WIRE_UUID:
        return sizeof(struct uuid);
    case WIRE_INT8:
    case WIRE_BOOL:
        return 1;
    case WIRE_INT16:
    case WIRE_UINT16:
        return 2;
    case WIRE_INT32:
    case WIRE_UINT32:
        return 4;
    default:
        ASSERT(f->type != WIRE_RECORDS);
        return 8;
    }
}

static void put_array(struct text_out *o, const struct wire_field_info *f, const uint8_t *m)
{
    const uint8_t *elements = *(const uint8_t *const *)(m + f->offset);
    int32_t n = *(const int32_t *)(m + f->count_offset);

    if (n < 0) {
        buf_put_str(o->out, "null");
        return;
    }
    buf_put_str(o->out, "[");
    for (int32_t i = 0; i < n; i++) {
        buf_put_str(o->out, i > 0 ? " " : "");
        put_value(o, f, elements + (size_t)i * value_bytes(f));
    }
    buf_put_str(o->out, "]");
}

static void put_field(struct text_out *o, const struct wire_field_info *f, const uint8_t *m)
{
    const uint8_t *at = m + f->offset;

    buf_printf(o->out, "%s=", f->name);
    if (f->count_offset)
        put_array(o, f, m);
    else
        put_value(o, f, f->pointer ? *(const uint8_t *const *)at : at);
}

static void put_struct(struct text_out *o, const struct wire_struct_info *info, const void *m)
{
    const char *between = "";

    for (int i = 0; i < info->n_fields; i++) {
        if (!shown(o, info, &info->fields[i], m))
            continue;
        buf_put_str(o->out, between);
        put_field(o, &info->fields[i], m);
        between = " ";
    }
}

static bool is_block(const struct wire_field_info *f, const uint8_t *m)
{
    return f->count_offset && f->type == WIRE_STRUCT &&
           *(const int32_t *)(m + f->count_offset) >= 0;
}

static void new_line(struct text_out *o, int indent)
{
    buf_printf(o->out, "\n%*s", indent, "");
}

static void put_block(struct text_out *o, const struct wire_field_info *f, const uint8_t *m,
                      size_t width, int indent)
{
    const uint8_t *elements = *(const uint8_t *const *)(m + f->offset);
    int32_t n = *(const int32_t *)(m + f->count_offset);

    buf_printf(o->out, "%s:", f->name);
    for (int32_t i = 0; i < n; i++) {
        new_line(o, indent + 2);
        text_out_message(o, f->of, elements + (size_t)i * f->of->bytes, width, indent + 2);
    }
}

/* Plain fields fill lines, the first of them from column `indent`; arrays of structs follow. */
static void put_folded(struct text_out *o, const struct wire_struct_info *info, const uint8_t *m,
                       size_t width, int indent)
{
    struct buf *out = o->out;
    size_t column = 0;

    for (int i = 0; i < info->n_fields; i++) {
        struct buf word;

        if (is_block(&info->fields[i], m) || !shown(o, info, &info->fields[i], m))
            continue;
        buf_init(&word);
        o->out = &word;
        put_field(o, &info->fields[i], m);
        o->out = out;
        if (column > 0 && column + 1 + word.n > width) {
            new_line(o, indent + 4);
            column = (size_t)indent + 4;
        } else if (column > 0) {
            buf_put_str(out, " ");
            column++;
        } else {
            column = (size_t)indent;
        }
        buf_put(out, word.p, word.n);
        column += word.n;
        buf_release(&word);
    }
    for (int i = 0; i < info->n_fields; i++) {
        if (!is_block(&info->fields[i], m) || !shown(o, info, &info->fields[i], m))
            continue;
        if (column > 0)
            new_line(o, indent);
        put_block(o, &info->fields[i], m, width, indent);
        column = 1;
    }
}

/* Names are given in the order of the fields, whether or not the line is then folded. */
void text_out_message(struct text_out *o, const struct wire_struct_info *info, const void *m,
                      size_t width, int indent)
{
    struct buf line, *out = o->out;

    buf_init(&line);
    o->out = &line;
    put_struct(o, info, m);
    o->out = out;
    if (line.n == 0)
        buf_put_str(out, "ok");
    else if (line.n + (size_t)indent <= width)
        buf_put(out, line.p, line.n);
    else
        put_folded(o, info, m, width, indent);
    buf_release(&line);
}
