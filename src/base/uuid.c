/* Kafka's Uuid: 16 bytes as 22 characters of URL-safe base64.
 *
 *     5 groups of 3 bytes -> 20 characters
 *     the last byte       ->  2 characters: 6 bits, then 2 bits and 4 zeros
 *
 * Failures:   uuid_parse takes what Uuid.fromString takes, also padding and stray low bits, and
 *             says false to the rest.
 */
#include "base.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

bool uuid_eq(struct uuid a, struct uuid b)
{
    return memcmp(a.b, b.b, sizeof(a.b)) == 0;
}

bool uuid_is_zero(struct uuid u)
{
    return uuid_eq(u, UUID_ZERO);
}

void uuid_text(struct uuid u, char out[UUID_TEXT_BYTES + 1])
{
    uint32_t bits = 0;
    unsigned n_bits = 0;
    size_t n = 0;

    for (size_t i = 0; i < sizeof(u.b); i++) {
        bits = bits << 8 | u.b[i];
        for (n_bits += 8; n_bits >= 6; n_bits -= 6)
            out[n++] = digits[bits >> (n_bits - 6) & 63];
    }
    out[n++] = digits[bits << (6 - n_bits) & 63];
    ASSERT(n == UUID_TEXT_BYTES);
    out[n] = 0;
}

static int digit_value(char c)
{
    const char *at = c ? strchr(digits, c) : NULL;

    return at ? (int)(at - digits) : -1;
}

bool uuid_parse(struct str text, struct uuid *out)
{
    struct uuid u = UUID_ZERO;
    uint32_t bits = 0;
    unsigned n_bits = 0;
    size_t n = 0;

    if (text.n == UUID_TEXT_BYTES + 2 && memcmp(text.p + UUID_TEXT_BYTES, "==", 2) == 0)
        text.n = UUID_TEXT_BYTES;
    if (text.n != UUID_TEXT_BYTES)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        int value = digit_value(text.p[i]);

        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            u.b[n++] = (uint8_t)(bits >> n_bits);
        }
    }
    ASSERT(n == sizeof(u.b));
    *out = u;
    return true;
}
