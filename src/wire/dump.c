/* A message as text, for people: {name=value items=[{...}, ...]} with the fields that its version
 * has.
 *
 * Recursion is as deep as the schemas nest, which no peer can change.
 */
#include <inttypes.h>

#include "walk.h"

#define DUMPED_BYTES_MAX 32

size_t walk_value_bytes(const struct wire_field_info *f)
{
    static const uint8_t bytes[] = {
        [WIRE_INT8] = sizeof(int8_t),        [WIRE_INT16] = sizeof(int16_t),
        [WIRE_INT32] = sizeof(int32_t),      [WIRE_INT64] = sizeof(int64_t),
        [WIRE_UINT16] = sizeof(uint16_t),    [WIRE_UINT32] = sizeof(uint32_t),
        [WIRE_FLOAT64] = sizeof(double),     [WIRE_BOOL] = sizeof(bool),
        [WIRE_UUID] = sizeof(struct uuid),   [WIRE_STRING] = sizeof(struct str),
        [WIRE_BYTES] = sizeof(struct bytes), [WIRE_RECORDS] = sizeof(struct wire_records),
    };

    ASSERT(f->type <= WIRE_STRUCT);
    return f->type == WIRE_STRUCT ? f->of->bytes : bytes[f->type];
}

static void dump_str(const void *at, struct buf *out)
{
    struct str v = *(const struct str *)at;

    if (v.p == NULL)
        buf_put_str(out, "null");
    else
        buf_printf(out, "\"%s\"", diag_escape(v));
}

static void dump_bytes(const void *at, struct buf *out)
{
    struct bytes v = *(const struct bytes *)at;

    if (v.p == NULL) {
        buf_put_str(out, "null");
        return;
    }
    buf_printf(out, "%zu:", v.n);
    for (size_t i = 0; i < MIN(v.n, DUMPED_BYTES_MAX); i++)
        buf_printf(out, "%02x", v.p[i]);
    if (v.n > DUMPED_BYTES_MAX)
        buf_put_str(out, "...");
}

static void dump_uuid(const void *at, struct buf *out)
{
    char text[UUID_TEXT_BYTES + 1];

    uuid_text(*(const struct uuid *)at, text);
    buf_put_str(out, text);
}

static void dump_records(const void *at, struct buf *out)
{
    const struct wire_records *v = at;

    if (v->p == NULL && v->source == NULL)
        buf_put_str(out, "null");
    else
        buf_printf(out, "<%zu bytes>", v->n_bytes);
}

static void dump_scalar(int type, const void *at, struct buf *out)
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
        buf_printf(out, "%g", *(const double *)at);
        break;
    case WIRE_BOOL:
        buf_put_str(out, *(const bool *)at ? "true" : "false");
        break;
    default:
        ASSERT(!"a scalar");
    }
}

static void dump_value(const struct wire_field_info *f, const void *at, struct buf *out,
                       int16_t version)
{
    switch (f->type) {
    case WIRE_STRUCT:
        wire_dump(f->of, at, out, version);
        break;
    case WIRE_STRING:
        dump_str(at, out);
        break;
    case WIRE_BYTES:
        dump_bytes(at, out);
        break;
    case WIRE_UUID:
        dump_uuid(at, out);
        break;
    case WIRE_RECORDS:
        dump_records(at, out);
        break;
    default:
        dump_scalar(f->type, at, out);
    }
}

static void dump_array(const struct wire_field_info *f, const uint8_t *m, struct buf *out,
                       int16_t version)
{
    const uint8_t *elements = *(const uint8_t *const *)(m + f->offset);
    int32_t n = *(const int32_t *)(m + f->count_offset);

    if (n < 0) {
        buf_put_str(out, "null");
        return;
    }
    buf_put_str(out, "[");
    for (int32_t i = 0; i < n; i++) {
        buf_put_str(out, i > 0 ? ", " : "");
        dump_value(f, elements + (size_t)i * walk_value_bytes(f), out, version);
    }
    buf_put_str(out, "]");
}

static void dump_field(const struct wire_field_info *f, const uint8_t *m, struct buf *out,
                       int16_t version)
{
    const uint8_t *at = m + f->offset;

    if (walk_is_array(f)) {
        dump_array(f, m, out, version);
        return;
    }
    if (f->pointer)
        at = *(const uint8_t *const *)at;
    if (at == NULL)
        buf_put_str(out, "null");
    else
        dump_value(f, at, out, version);
}

void wire_dump(const struct wire_struct_info *info, const void *m, struct buf *out, int16_t version)
{
    const char *between = "";

    buf_put_str(out, "{");
    for (int i = 0; i < info->n_fields; i++) {
        const struct wire_field_info *f = &info->fields[i];

        if (!walk_present(f, version))
            continue;
        buf_printf(out, "%s%s=", between, f->name);
        dump_field(f, m, out, version);
        between = " ";
    }
    buf_put_str(out, "}");
}
