/* Numbers as Java reads and writes them.
 *
 * Owner: nobody; pure functions.
 * Failures:   what Java would refuse is refused; no partial reading ("1_000", "12 "). Digits of
 *             other scripts, which Java takes, are refused too.
 */
#include "number.h"

#include <math.h>

#define DOUBLE_TEXT_MAX 1100 /* longer than any double's exact decimal digits */

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool hex_digit(char c)
{
    return digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool number_parse_long(struct str s, int64_t min, int64_t max, int64_t *out)
{
    size_t i = 0;
    bool negative = false;
    int64_t v = 0;

    ASSERT(min <= max);
    if (s.n > 0 && (s.p[0] == '-' || s.p[0] == '+'))
        negative = s.p[i++] == '-';
    if (i == s.n)
        return false;
    for (; i < s.n; i++) {
        if (!digit(s.p[i]) || __builtin_mul_overflow(v, 10, &v))
            return false;
        if (negative ? __builtin_sub_overflow(v, s.p[i] - '0', &v)
                     : __builtin_add_overflow(v, s.p[i] - '0', &v))
            return false;
    }
    if (v < min || v > max)
        return false;
    *out = v;
    return true;
}

/* Skips digits and returns how many there were. */
static size_t skip(const char **p, bool (*is)(char))
{
    const char *start = *p;

    while (is(**p))
        (*p)++;
    return (size_t)(*p - start);
}

/* Whether terminated text from p on has the form of Java's FloatingPointLiteral; *end is where its
 * suffix begins. */
static bool double_form(const char *p, const char **end)
{
    bool hex = p[0] == '0' && (p[1] == 'x' || p[1] == 'X');
    bool (*is)(char) = hex ? hex_digit : digit;
    size_t n_digits;

    if (hex)
        p += 2;
    n_digits = skip(&p, is);
    if (*p == '.') {
        p++;
        n_digits += skip(&p, is);
    }
    if (n_digits == 0)
        return false;
    if (hex ? (*p == 'p' || *p == 'P') : (*p == 'e' || *p == 'E')) {
        p++;
        if (*p == '-' || *p == '+')
            p++;
        if (skip(&p, digit) == 0)
            return false;
    } else if (hex) {
        return false;
    }
    *end = p;
    return true;
}

bool number_parse_double(struct str s, double *out)
{
    char text[DOUBLE_TEXT_MAX + 1];
    char *p = text;
    const char *end;

    if (s.n == 0 || s.n > DOUBLE_TEXT_MAX || memchr(s.p, 0, s.n) != NULL)
        return false;
    memcpy(text, s.p, s.n);
    text[s.n] = 0;
    if (*p == '-' || *p == '+')
        p++;
    if (strcmp(p, "Infinity") == 0) {
        *out = text[0] == '-' ? -INFINITY : INFINITY;
        return true;
    }
    if (!double_form(p, &end))
        return false;
    if (*end != 0 && (strchr("fFdD", *end) == NULL || end[1] != 0))
        return false;
    text[end - text] = 0;
    *out = strtod(text, NULL);
    return true;
}

/* "123" with the exponent of its first digit, as plain decimal with at least one digit after the
 * point. */
static void put_plain(struct buf *b, const char *digits, int exponent)
{
    int n = (int)strlen(digits);

    if (exponent < 0) {
        buf_put_str(b, "0.");
        for (int i = exponent + 1; i < 0; i++)
            buf_put_str(b, "0");
        buf_put_str(b, digits);
        return;
    }
    for (int i = 0; i <= exponent || i < n; i++) {
        if (i == exponent + 1)
            buf_put_str(b, ".");
        buf_put(b, i < n ? &digits[i] : "0", 1);
    }
    if (n <= exponent + 1)
        buf_put_str(b, ".0");
}

char *number_double_text(double d)
{
    char shortest[40], digits[20];
    int n_digits = 0, exponent;
    const char *p;
    struct buf b;
    char *text;

    ASSERT(!isnan(d));
    if (isinf(d))
        return xstrdup(d < 0 ? "-Infinity" : "Infinity");
    if (d == 0)
        return xstrdup(signbit(d) ? "-0.0" : "0.0");
    for (int places = 0; places <= 16; places++) {
        snprintf(shortest, sizeof(shortest), "%.*e", places, fabs(d));
        if (strtod(shortest, NULL) == fabs(d))
            break;
    }
    for (p = shortest; *p != 'e'; p++)
        if (*p != '.')
            digits[n_digits++] = *p;
    while (n_digits > 1 && digits[n_digits - 1] == '0')
        n_digits--;
    digits[n_digits] = 0;
    exponent = (int)strtol(p + 1, NULL, 10);

    buf_init(&b);
    buf_put_str(&b, d < 0 ? "-" : "");
    if (exponent >= -3 && exponent < 7)
        put_plain(&b, digits, exponent);
    else
        buf_printf(&b, "%c.%sE%d", digits[0], n_digits > 1 ? digits + 1 : "0", exponent);
    text = xstrdup(buf_cstr(&b));
    buf_release(&b);
    return text;
}
