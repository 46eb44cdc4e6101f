/* Writing a message.
 *
 * Owner: whoever has the writer, on its stack; the bytes belong to the buf.
 *
 * Happy path: puts append to the buf. Record bytes that live elsewhere are not copied: a splice
 *             says before which byte of the buf they belong, and whoever sends puts them there.
 * Counting:   a writer without a buf adds up what would be written, spliced bytes included; M_size
 *             is M_encode into such a writer, so the two cannot differ.
 * Failures:   none; a value that has no encoding is a bug and asserts.
 */
#include "wire.h"

void wire_writer_init(struct wire_writer *w, struct buf *out)
{
    ASSERT(out != NULL);
    *w = (struct wire_writer){.out = out};
}

void wire_writer_release(struct wire_writer *w)
{
    free(w->splices);
    *w = (struct wire_writer){.out = NULL};
}

/* Where the next n bytes go; NULL when counting. */
static uint8_t *room(struct wire_writer *w, size_t n)
{
    if (w->out != NULL)
        return buf_grow(w->out, n);
    w->n_counted += n;
    return NULL;
}

static void put(struct wire_writer *w, const void *p, size_t n)
{
    uint8_t *to;

    if (n == 0)
        return;
    to = room(w, n);
    if (to)
        memcpy(to, p, n);
}

void wire_put_int8(struct wire_writer *w, int8_t v)
{
    uint8_t *to = room(w, 1);

    if (to)
        *to = (uint8_t)v;
}

void wire_put_bool(struct wire_writer *w, bool v)
{
    wire_put_int8(w, v ? 1 : 0);
}

void wire_put_uint16(struct wire_writer *w, uint16_t v)
{
    uint8_t *to = room(w, 2);

    if (to)
        put_be16(to, v);
}

void wire_put_int16(struct wire_writer *w, int16_t v)
{
    wire_put_uint16(w, (uint16_t)v);
}

void wire_put_uint32(struct wire_writer *w, uint32_t v)
{
    uint8_t *to = room(w, 4);

    if (to)
        put_be32(to, v);
}

void wire_put_int32(struct wire_writer *w, int32_t v)
{
    wire_put_uint32(w, (uint32_t)v);
}

void wire_put_int64(struct wire_writer *w, int64_t v)
{
    uint8_t *to = room(w, 8);

    if (to)
        put_be64(to, (uint64_t)v);
}

void wire_put_float64(struct wire_writer *w, double v)
{
    int64_t bits;

    STATIC_ASSERT(sizeof(v) == sizeof(bits), "a double has 8 bytes");
    memcpy(&bits, &v, sizeof(bits));
    wire_put_int64(w, bits);
}

void wire_put_uuid(struct wire_writer *w, struct uuid v)
{
    put(w, v.b, sizeof(v.b));
}

void wire_put_uvarint(struct wire_writer *w, uint32_t v)
{
    uint8_t bytes[VARINT_BYTES_MAX];

    put(w, bytes, varint_put_unsigned(bytes, v));
}

/* ---- what has a length ----------------------------------------------------------------------- */

/* Flexible versions write a length as one more than it is, 0 for null. */
static void put_compact_length(struct wire_writer *w, size_t n, bool null)
{
    ASSERT(n < INT32_MAX);
    wire_put_uvarint(w, null ? 0 : (uint32_t)n + 1);
}

void wire_put_str(struct wire_writer *w, struct str v, bool flexible)
{
    ASSERT(v.n <= INT16_MAX);
    ASSERT(IMPLIES(v.p == NULL, v.n == 0));
    if (flexible)
        put_compact_length(w, v.n, v.p == NULL);
    else
        wire_put_int16(w, v.p ? (int16_t)v.n : -1);
    put(w, v.p, v.n);
}

static void put_bytes_length(struct wire_writer *w, size_t n, bool null, bool flexible)
{
    ASSERT(n < INT32_MAX);
    if (flexible)
        put_compact_length(w, n, null);
    else
        wire_put_int32(w, null ? -1 : (int32_t)n);
}

void wire_put_bytes(struct wire_writer *w, struct bytes v, bool flexible)
{
    ASSERT(IMPLIES(v.p == NULL, v.n == 0));
    put_bytes_length(w, v.n, v.p == NULL, flexible);
    put(w, v.p, v.n);
}

static void put_splice(struct wire_writer *w, const struct wire_records *v)
{
    if (w->n_splices == w->cap_splices) {
        w->cap_splices = MAX(8, w->cap_splices * 2);
        w->splices = xrealloc_array(w->splices, w->cap_splices, sizeof(*w->splices));
    }
    w->splices[w->n_splices++] = (struct wire_splice){
        .at = w->out->n,
        .source = v->source,
        .position = v->position,
        .n_bytes = v->n_bytes,
    };
}

void wire_put_records(struct wire_writer *w, const struct wire_records *v, bool flexible)
{
    bool null = v->p == NULL && v->source == NULL;

    ASSERT(v->p == NULL || v->source == NULL);
    ASSERT(IMPLIES(null, v->n_bytes == 0));
    put_bytes_length(w, v->n_bytes, null, flexible);
    if (v->source != NULL && w->out != NULL && v->n_bytes > 0)
        put_splice(w, v);
    else if (v->source != NULL && w->out == NULL)
        w->n_counted += v->n_bytes;
    else
        put(w, v->p, v->n_bytes);
}

/* ---- arrays ---------------------------------------------------------------------------------- */

void wire_put_count(struct wire_writer *w, int32_t n, bool flexible)
{
    ASSERT(n >= -1);
    if (flexible)
        wire_put_uvarint(w, (uint32_t)(n + 1));
    else
        wire_put_int32(w, n);
}

#define PUT_ARRAY(name, type, put_element)                                                         \
    void wire_put_##name(struct wire_writer *w, const type *v, int32_t n, bool flexible)           \
    {                                                                                              \
        wire_put_count(w, n, flexible);                                                            \
        for (int32_t i = 0; i < n; i++)                                                            \
            put_element;                                                                           \
    }
PUT_ARRAY(int8s, int8_t, wire_put_int8(w, v[i]))
PUT_ARRAY(int16s, int16_t, wire_put_int16(w, v[i]))
PUT_ARRAY(int32s, int32_t, wire_put_int32(w, v[i]))
PUT_ARRAY(int64s, int64_t, wire_put_int64(w, v[i]))
PUT_ARRAY(uuids, struct uuid, wire_put_uuid(w, v[i]))

static void put_element_str(struct wire_writer *w, struct str v, bool flexible)
{
    ASSERT(v.p != NULL);
    wire_put_str(w, v, flexible);
}
PUT_ARRAY(strs, struct str, put_element_str(w, v[i], flexible))

/* ---- tags ------------------------------------------------------------------------------------ */

/* The content's length is not known yet: one byte is kept for it, which is enough for nearly all.
 */
size_t wire_put_tag_begin(struct wire_writer *w, uint32_t tag)
{
    wire_put_uvarint(w, tag);
    wire_put_int8(w, 0);
    return w->out ? w->out->n : w->n_counted;
}

void wire_put_tag_end(struct wire_writer *w, size_t begin)
{
    size_t n = (w->out ? w->out->n : w->n_counted) - begin;
    size_t length_bytes = varint_size_unsigned((uint32_t)n);

    ASSERT(begin > 0);
    ASSERT(n < INT32_MAX);
    ASSERT(w->n_splices == 0 || w->splices[w->n_splices - 1].at < begin);
    room(w, length_bytes - 1);
    if (w->out) {
        uint8_t *content = w->out->p + begin;

        memmove(content + length_bytes - 1, content, n);
        varint_put_unsigned(content - 1, (uint32_t)n);
    }
}
