/* UTF-8, as Java reads and hashes it.
 *
 * Failures:   text that is not UTF-8 hashes as if each bad byte were U+FFFD; who must not accept it
 *             asks utf8_valid first.
 */
#include "base.h"

#define REPLACEMENT 0xFFFD

/* What a first byte says: bits that it carries, how many bytes follow, the least code point that
 * needs so many. */
static const struct lead {
    uint8_t mask, value, n_more;
    uint32_t least;
} leads[] = {
    {0xE0, 0xC0, 1, 0x80},
    {0xF0, 0xE0, 2, 0x800},
    {0xF8, 0xF0, 3, 0x10000},
};

/* Reads the code point at p; returns its bytes, or 0 when there is none that is well-formed. */
static size_t sequence_get(const uint8_t *p, const uint8_t *end, const struct lead *lead,
                           uint32_t *out)
{
    uint32_t code = p[0] & (uint8_t)~lead->mask;

    if ((size_t)(end - p) <= lead->n_more)
        return 0;
    for (size_t i = 1; i <= lead->n_more; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 0;
        code = code << 6 | (p[i] & 0x3F);
    }
    if (code < lead->least || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
        return 0;
    *out = code;
    return (size_t)lead->n_more + 1;
}

static size_t code_point_get(const uint8_t *p, const uint8_t *end, uint32_t *out)
{
    ASSERT(p < end);
    *out = p[0];
    if (p[0] < 0x80)
        return 1;
    for (size_t i = 0; i < ARRAY_SIZE(leads); i++)
        if ((p[0] & leads[i].mask) == leads[i].value)
            return sequence_get(p, end, &leads[i], out);
    return 0;
}

bool utf8_valid(struct str s)
{
    const uint8_t *p = (const uint8_t *)s.p;
    const uint8_t *end = s.n ? p + s.n : p;

    while (p < end) {
        uint32_t code;
        size_t n = code_point_get(p, end, &code);

        if (n == 0)
            return false;
        p += n;
    }
    return true;
}

int32_t java_hash(struct str s)
{
    const uint8_t *p = (const uint8_t *)s.p;
    const uint8_t *end = s.n ? p + s.n : p;
    uint32_t h = 0;

    while (p < end) {
        uint32_t code;
        size_t n = code_point_get(p, end, &code);

        if (n == 0) {
            code = REPLACEMENT;
            n = 1;
        }
        if (code >= 0x10000) {
            h = 31 * h + (0xD800 + ((code - 0x10000) >> 10));
            code = 0xDC00 + ((code - 0x10000) & 0x3FF);
        }
        h = 31 * h + code;
        p += n;
    }
    return (int32_t)h;
}

int32_t java_abs(int32_t h)
{
    if (h == INT32_MIN)
        return 0;
    return h < 0 ? -h : h;
}
