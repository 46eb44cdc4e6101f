/* java.time.Duration.parse: "P1DT2H3M4.5S".
 *
 * Owner: nobody; pure.
 * Happy path: [sign] P [nD] [T [nH] [nM] [n.fS]], each number with a sign of its own, at least
 *             one part, and at least one after a T.
 */
#include "config.h"
#include "number.h"

/* One part of a duration: its letter, its length, and whether it stands after the T. */
static const struct unit {
    char letter;
    bool after_t;
    int64_t ms;
} units[] = {{'D', false, 86400000}, {'H', true, 3600000}, {'M', true, 60000}, {'S', true, 1000}};

static char upper_at(struct str s, size_t i)
{
    if (i >= s.n)
        return 0;
    return s.p[i] >= 'a' && s.p[i] <= 'z' ? (char)(s.p[i] - 'a' + 'A') : s.p[i];
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Reads ".5" or ",5" at *at, at most nine digits, as milliseconds rounded down; nothing there is 0.
 */
static bool fraction(struct str s, size_t *at, int64_t *ms)
{
    int64_t scale = 100;
    size_t start;

    *ms = 0;
    if (upper_at(s, *at) != '.' && upper_at(s, *at) != ',')
        return true;
    start = ++*at;
    for (; is_digit(upper_at(s, *at)); ++*at) {
        *ms += (s.p[*at] - '0') * scale;
        scale /= 10;
    }
    return *at - start <= 9;
}

/* Reads one part at *at. `first` is the least index into units that may still come; it moves past
 * the one that came. */
static bool part(struct str s, size_t *at, bool after_t, size_t *first, int64_t *ms)
{
    size_t start = *at, i;
    bool negative = upper_at(s, *at) == '-';
    int64_t whole, fraction_ms;

    if (negative || upper_at(s, *at) == '+')
        ++*at;
    while (is_digit(upper_at(s, *at)))
        ++*at;
    if (!number_parse_long((struct str){s.p + start, *at - start}, INT64_MIN, INT64_MAX, &whole))
        return false;
    start = *at;
    if (!fraction(s, at, &fraction_ms))
        return false;
    for (i = *first; i < ARRAY_SIZE(units); i++)
        if (units[i].letter == upper_at(s, *at) && units[i].after_t == after_t)
            break;
    if (i == ARRAY_SIZE(units) || (*at != start && units[i].letter != 'S'))
        return false;
    ++*at;
    *first = i + 1;
    if (__builtin_mul_overflow(whole, units[i].ms, &whole))
        return false;
    return !__builtin_add_overflow(whole, negative ? -fraction_ms : fraction_ms, ms);
}

bool config_parse_duration(struct str s, int64_t *ms)
{
    size_t at = 0, first = 0, n_parts = 0, n_parts_at_t = 0;
    bool negative = upper_at(s, 0) == '-', after_t = false;
    int64_t total = 0, one;

    ASSERT(ms != NULL);
    if (negative || upper_at(s, 0) == '+')
        at++;
    if (upper_at(s, at++) != 'P')
        return false;
    while (at < s.n) {
        if (upper_at(s, at) == 'T' && !after_t) {
            after_t = true;
            n_parts_at_t = n_parts;
            at++;
            continue;
        }
        if (!part(s, &at, after_t, &first, &one) || __builtin_add_overflow(total, one, &total))
            return false;
        n_parts++;
    }
    if (n_parts == 0 || (after_t && n_parts == n_parts_at_t))
        return false;
    if (negative && __builtin_sub_overflow((int64_t)0, total, &total))
        return false;
    *ms = total;
    return true;
}
