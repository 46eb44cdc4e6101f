/* Reading a message.
 *
 * Owner: whoever has the reader, on its stack.
 *
 * Invariant:  at <= end; after an error at == end and error is E_CORRUPT, so that every later read
 *             fails at once and gives zeroes.
 * Failures:   a length is compared with the bytes left before it is used; an array's count times
 *             the least its elements take must fit in the bytes left, and all the elements of one
 *             frame are at most WIRE_ELEMENTS_MAX, before the arena is asked. So the memory that a
 *             frame costs is bounded by its own size.
 */
#include "wire.h"

static void fail(struct wire_reader *r)
{
    r->error = E_CORRUPT;
    r->at = r->end;
}

/* The next n bytes, NULL after an error. */
static const uint8_t *next(struct wire_reader *r, size_t n)
{
    const uint8_t *p = r->at;

    if ((size_t)(r->end - r->at) < n) {
        fail(r);
        return NULL;
    }
    r->at += n;
    return p;
}

void wire_reader_init(struct wire_reader *r, struct bytes in, struct arena *arena)
{
    static const uint8_t nothing[1];

    ASSERT(arena != NULL);
    ASSERT(in.p != NULL || in.n == 0);
    if (in.p == NULL)
        in.p = nothing;
    *r = (struct wire_reader){.at = in.p, .end = in.p + in.n, .arena = arena};
}

int8_t wire_get_int8(struct wire_reader *r)
{
    const uint8_t *p = next(r, 1);

    return p ? (int8_t)*p : 0;
}

bool wire_get_bool(struct wire_reader *r)
{
    return wire_get_int8(r) != 0;
}

uint16_t wire_get_uint16(struct wire_reader *r)
{
    const uint8_t *p = next(r, 2);

    return p ? get_be16(p) : 0;
}

int16_t wire_get_int16(struct wire_reader *r)
{
    return (int16_t)wire_get_uint16(r);
}

uint32_t wire_get_uint32(struct wire_reader *r)
{
    const uint8_t *p = next(r, 4);

    return p ? get_be32(p) : 0;
}

int32_t wire_get_int32(struct wire_reader *r)
{
    return (int32_t)wire_get_uint32(r);
}

int64_t wire_get_int64(struct wire_reader *r)
{
    const uint8_t *p = next(r, 8);

    return p ? (int64_t)get_be64(p) : 0;
}

double wire_get_float64(struct wire_reader *r)
{
    int64_t bits = wire_get_int64(r);
    double v;

    STATIC_ASSERT(sizeof(v) == sizeof(bits), "a double has 8 bytes");
    memcpy(&v, &bits, sizeof(v));
    return v;
}

struct uuid wire_get_uuid(struct wire_reader *r)
{
    struct uuid v = UUID_ZERO;
    const uint8_t *p = next(r, sizeof(v.b));

    if (p)
        memcpy(v.b, p, sizeof(v.b));
    return v;
}

uint32_t wire_get_uvarint(struct wire_reader *r)
{
    uint32_t v = 0;
    size_t n = varint_get_unsigned(r->at, r->end, &v);

    if (n == 0) {
        fail(r);
        return 0;
    }
    r->at += n;
    return v;
}

/* ---- what has a length ----------------------------------------------------------------------- */

/* A length or a count as flexible versions write it, one more than it is; -1 null. */
static int64_t compact_length(struct wire_reader *r)
{
    return (int64_t)wire_get_uvarint(r) - 1;
}

/* The bytes of something of that length; p NULL when it is null or after an error. Null where it
 * must not be is an error. */
static struct bytes sized(struct wire_reader *r, int64_t length, bool nullable)
{
    struct bytes v = {NULL, 0};

    if (r->error)
        return v;
    if (length >= 0) {
        v.p = next(r, (size_t)length);
        v.n = v.p ? (size_t)length : 0;
    } else if (!nullable) {
        fail(r);
    }
    return v;
}

/* Kafka's Readable refuses strings longer than an int16 can say, in flexible versions too. */
struct str wire_get_str(struct wire_reader *r, bool flexible, bool nullable)
{
    int64_t length = flexible ? compact_length(r) : wire_get_int16(r);
    struct bytes v;

    if (length > INT16_MAX)
        fail(r);
    v = sized(r, length, nullable);
    return (struct str){.p = (const char *)v.p, .n = v.n};
}

struct bytes wire_get_bytes(struct wire_reader *r, bool flexible, bool nullable)
{
    return sized(r, flexible ? compact_length(r) : wire_get_int32(r), nullable);
}

struct wire_records wire_get_records(struct wire_reader *r, bool flexible, bool nullable)
{
    struct bytes v = wire_get_bytes(r, flexible, nullable);

    return (struct wire_records){.p = v.p, .n_bytes = v.n};
}

/* ---- arrays ---------------------------------------------------------------------------------- */

int32_t wire_get_count(struct wire_reader *r, bool flexible, bool nullable,
                       size_t element_bytes_min)
{
    int64_t n = flexible ? compact_length(r) : wire_get_int32(r);

    ASSERT(element_bytes_min > 0);
    if (r->error)
        return 0;
    if (n < 0) {
        if (!nullable)
            fail(r);
        return nullable ? -1 : 0;
    }
    if ((uint64_t)n > (size_t)(r->end - r->at) / element_bytes_min ||
        n > WIRE_ELEMENTS_MAX - r->n_elements) {
        fail(r);
        return 0;
    }
    r->n_elements += (uint32_t)n;
    ASSERT(r->n_elements <= WIRE_ELEMENTS_MAX);
    return (int32_t)n;
}

void *wire_get_elements(struct wire_reader *r, int32_t n, size_t element_bytes)
{
    return n > 0 ? arena_array(r->arena, (size_t)n, element_bytes) : NULL;
}

#define GET_ARRAY(name, type, bytes_min, get)                                                      \
    type *wire_get_##name(struct wire_reader *r, bool flexible, bool nullable, int32_t *n)         \
    {                                                                                              \
        type *v;                                                                                   \
                                                                                                   \
        *n = wire_get_count(r, flexible, nullable, bytes_min);                                     \
        v = wire_get_elements(r, *n, sizeof(type));                                                \
        for (int32_t i = 0; i < *n; i++)                                                           \
            v[i] = get;                                                                            \
        return v;                                                                                  \
    }
GET_ARRAY(int8s, int8_t, 1, wire_get_int8(r))
GET_ARRAY(int16s, int16_t, 2, wire_get_int16(r))
GET_ARRAY(int32s, int32_t, 4, wire_get_int32(r))
GET_ARRAY(int64s, int64_t, 8, wire_get_int64(r))
GET_ARRAY(uuids, struct uuid, sizeof(struct uuid), wire_get_uuid(r))
GET_ARRAY(strs, struct str, flexible ? 1 : 2, wire_get_str(r, flexible, false))

/* ---- tags ------------------------------------------------------------------------------------ */

uint32_t wire_get_tag(struct wire_reader *r, struct wire_reader *field)
{
    uint32_t tag = wire_get_uvarint(r);
    uint32_t n = wire_get_uvarint(r);
    const uint8_t *p = next(r, n);

    *field = *r;
    if (p) {
        field->at = p;
        field->end = p + n;
    }
    return tag;
}

void wire_end_tag(struct wire_reader *r, const struct wire_reader *field)
{
    ASSERT(field->n_elements >= r->n_elements);
    r->n_elements = field->n_elements;
    if (field->error || field->at != field->end)
        fail(r);
}

void wire_skip_tags(struct wire_reader *r)
{
    for (uint32_t n = wire_get_uvarint(r); n > 0 && !r->error; n--) {
        wire_get_uvarint(r);
        next(r, wire_get_uvarint(r));
    }
}
