/* Bytes and text that somebody else owns.
 *
 * Invariant:  p == NULL is the protocol's null and goes with n == 0. Null equals only null and
 *             sorts before all else.
 */
#include "base.h"

struct str str_of(const char *c_string)
{
    return (struct str){c_string, c_string ? strlen(c_string) : 0};
}

struct bytes bytes_of(const void *p, size_t n)
{
    ASSERT(p || n == 0);
    return (struct bytes){p, n};
}

bool bytes_eq(struct bytes a, struct bytes b)
{
    if (!a.p || !b.p)
        return a.p == b.p;
    return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

bool str_eq(struct str a, struct str b)
{
    return bytes_eq(bytes_of(a.p, a.n), bytes_of(b.p, b.n));
}

bool str_is(struct str a, const char *c_string)
{
    return str_eq(a, str_of(c_string));
}

int str_cmp(struct str a, struct str b)
{
    int order;

    if (!a.p || !b.p)
        return (a.p != NULL) - (b.p != NULL);
    order = memcmp(a.p, b.p, MIN(a.n, b.n));
    return order ? order : (a.n > b.n) - (a.n < b.n);
}

char *str_dup(struct str s)
{
    char *copy;

    if (!s.p)
        return NULL;
    copy = xmalloc(s.n + 1);
    memcpy(copy, s.p, s.n);
    copy[s.n] = 0;
    return copy;
}

struct bytes bytes_dup(struct bytes b)
{
    if (!b.p)
        return b;
    return (struct bytes){xmemdup(b.p, b.n), b.n};
}
