/* Small helpers over text that the files of config share.
 *
 * Owner: nobody; pure functions.
 */
#include "text.h"

struct str text_trim(struct str s)
{
    while (s.n > 0 && (unsigned char)s.p[0] <= ' ') {
        s.p++;
        s.n--;
    }
    while (s.n > 0 && (unsigned char)s.p[s.n - 1] <= ' ')
        s.n--;
    return s;
}

bool text_next(struct str *rest, char separator, struct str *item)
{
    const char *end;

    ASSERT(rest != NULL);
    if (rest->p == NULL)
        return false;
    end = rest->n > 0 ? memchr(rest->p, separator, rest->n) : NULL;
    if (end == NULL) {
        *item = text_trim(*rest);
        *rest = (struct str){0};
        return true;
    }
    *item = text_trim((struct str){rest->p, (size_t)(end - rest->p)});
    *rest = text_from(*rest, (size_t)(end - rest->p) + 1);
    return true;
}

static char upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

bool text_equal_any_case(struct str a, struct str b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (upper(a.p[i]) != upper(b.p[i]))
            return false;
    return true;
}

bool text_starts(struct str s, const char *prefix)
{
    size_t n = strlen(prefix);

    return s.n >= n && memcmp(s.p, prefix, n) == 0;
}

struct str text_from(struct str s, size_t at)
{
    ASSERT(at <= s.n);
    return (struct str){s.p + at, s.n - at};
}

char *text_upper(struct str s)
{
    char *copy = str_dup(s);

    ASSERT(copy != NULL);
    for (size_t i = 0; i < s.n; i++)
        copy[i] = upper(copy[i]);
    return copy;
}
