/* Variable-length integers: seven bits a byte, lowest first, the top bit says that more follow.
 *
 *     300 = 1 0010 1100  ->  1010 1100 | 0000 0010
 *
 * Signed ones are zigzagged first (0, -1, 1, -2 -> 0, 1, 2, 3), so that small negative numbers are
 * short.
 *
 * Failures:   0 when the input ends early or goes on past the type's most bytes. Bits above the
 *             type in the last byte are dropped, as Kafka does (ByteUtils.readUnsignedVarint); long
 *             forms of short numbers are taken, too.
 */
#include "base.h"

size_t varint_get_unsigned(const uint8_t *p, const uint8_t *end, uint32_t *out)
{
    size_t n_max;
    uint32_t v = 0;

    if (p < end && *p < 0x80) {
        *out = *p;
        return 1;
    }
    n_max = MIN((size_t)(end - p), VARINT_BYTES_MAX);
    for (size_t i = 0; i < n_max; i++) {
        v |= (uint32_t)(p[i] & 0x7F) << (7 * i);
        if (p[i] < 0x80) {
            *out = v;
            return i + 1;
        }
    }
    return 0;
}

size_t varint_get(const uint8_t *p, const uint8_t *end, int32_t *out)
{
    uint32_t v;
    size_t n = varint_get_unsigned(p, end, &v);

    if (n)
        *out = (int32_t)(v >> 1 ^ (0 - (v & 1)));
    return n;
}

size_t varlong_get(const uint8_t *p, const uint8_t *end, int64_t *out)
{
    size_t n_max = MIN((size_t)(end - p), VARLONG_BYTES_MAX);
    uint64_t v = 0;

    for (size_t i = 0; i < n_max; i++) {
        v |= (uint64_t)(p[i] & 0x7F) << (7 * i);
        if (p[i] < 0x80) {
            *out = (int64_t)(v >> 1 ^ (0 - (v & 1)));
            return i + 1;
        }
    }
    return 0;
}

static inline size_t put_groups(uint8_t *p, uint64_t v)
{
    size_t n = 0;

    while (v >= 0x80) {
        p[n++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    p[n++] = (uint8_t)v;
    return n;
}

static inline uint32_t zigzag32(int32_t v)
{
    return (uint32_t)v << 1 ^ (uint32_t)(v >> 31);
}

static inline uint64_t zigzag64(int64_t v)
{
    return (uint64_t)v << 1 ^ (uint64_t)(v >> 63);
}

/* One byte for every seven bits begun: bits * 9 / 64 + 1 is that quotient for all of 0..63. */
static inline size_t size_groups(uint64_t v)
{
    unsigned top_bit = 63u - (unsigned)__builtin_clzll(v | 1);

    return (top_bit * 9 + 73) / 64;
}

size_t varint_put_unsigned(uint8_t *p, uint32_t v)
{
    return put_groups(p, v);
}

size_t varint_put(uint8_t *p, int32_t v)
{
    return put_groups(p, zigzag32(v));
}

size_t varlong_put(uint8_t *p, int64_t v)
{
    return put_groups(p, zigzag64(v));
}

size_t varint_size_unsigned(uint32_t v)
{
    return size_groups(v);
}

size_t varint_size(int32_t v)
{
    return size_groups(zigzag32(v));
}

size_t varlong_size(int64_t v)
{
    return size_groups(zigzag64(v));
}
