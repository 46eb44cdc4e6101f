/* Reading the fields of a record: what batch_check.c and iter.c share.
 *
 *   length varint | attributes i8 | timestampDelta varlong | offsetDelta varint
 *   keyLength varint | key | valueLength varint | value | headerCount varint | headers
 *   a header: keyLength varint | key | valueLength varint | value
 *
 * Every function takes the place to read at and the end of what may be read, and returns the place
 * behind, or NULL. They are inline, with the one and two byte numbers first, because Produce runs
 * them on every record.
 */
#ifndef BARNABAS_RECORD_PARSE_H
#define BARNABAS_RECORD_PARSE_H

#include "record.h"

#define LIKELY(x)   __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

static inline int32_t unzigzag(uint32_t v)
{
    return (int32_t)(v >> 1 ^ (0 - (v & 1)));
}

static inline const uint8_t *read_varint(const uint8_t *p, const uint8_t *end, int32_t *out)
{
    size_t n;

    if (LIKELY(end - p >= 2)) {
        if (LIKELY(p[0] < 0x80)) {
            *out = unzigzag(p[0]);
            return p + 1;
        }
        if (LIKELY(p[1] < 0x80)) {
            *out = unzigzag((p[0] & 0x7Fu) | (uint32_t)p[1] << 7);
            return p + 2;
        }
    }
    n = varint_get(p, end, out);
    return n ? p + n : NULL;
}

static inline const uint8_t *read_varlong(const uint8_t *p, const uint8_t *end, int64_t *out)
{
    size_t n;

    if (LIKELY(end - p >= 2)) {
        if (LIKELY(p[0] < 0x80)) {
            *out = unzigzag(p[0]);
            return p + 1;
        }
        if (LIKELY(p[1] < 0x80)) {
            *out = unzigzag((p[0] & 0x7Fu) | (uint32_t)p[1] << 7);
            return p + 2;
        }
    }
    n = varlong_get(p, end, out);
    return n ? p + n : NULL;
}

/* A length and its bytes. Any negative length is null (Utils.readBytes). */
static inline const uint8_t *read_bytes(const uint8_t *p, const uint8_t *end, struct bytes *out)
{
    int32_t n;

    p = read_varint(p, end, &n);
    if (UNLIKELY(!p || n > end - p))
        return NULL;
    if (n < 0) {
        *out = (struct bytes){NULL, 0};
        return p;
    }
    *out = (struct bytes){p, (size_t)n};
    return p + n;
}

/* One header. Its key may not be null. */
static inline const uint8_t *read_header(const uint8_t *p, const uint8_t *end, struct bytes *key,
                                         struct bytes *value)
{
    p = read_bytes(p, end, key);
    if (!p || !key->p)
        return NULL;
    return read_bytes(p, end, value);
}

/* The fields behind a record's length, up to its `end`; *delta_ms is still relative to the batch.
 * The headers are left to headers_check. */
static inline const uint8_t *read_fields(const uint8_t *p, const uint8_t *end, struct record *r,
                                         int64_t *delta_ms)
{
    if (UNLIKELY(p == end))
        return NULL;
    p++; /* attributes: none is in use, and Kafka ignores them (DefaultRecord.readFrom) */
    if (UNLIKELY(!(p = read_varlong(p, end, delta_ms))))
        return NULL;
    if (UNLIKELY(!(p = read_varint(p, end, &r->offset_delta))))
        return NULL;
    if (UNLIKELY(!(p = read_bytes(p, end, &r->key))))
        return NULL;
    if (UNLIKELY(!(p = read_bytes(p, end, &r->value))))
        return NULL;
    if (UNLIKELY(!(p = read_varint(p, end, &r->n_headers))))
        return NULL;
    r->headers = p;
    r->headers_end = end;
    return p;
}

/* Whether the headers of r are well-formed and end where the record ends. */
static inline bool headers_ok(const struct record *r)
{
    const uint8_t *p = r->headers;
    struct bytes key, value;

    if (r->n_headers < 0 || r->n_headers > r->headers_end - p)
        return false;
    for (int32_t i = 0; i < r->n_headers && p; i++)
        p = read_header(p, r->headers_end, &key, &value);
    return p == r->headers_end;
}

/* A sum that wraps, as Java's does. */
static inline int64_t wrapping_add(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

#endif
