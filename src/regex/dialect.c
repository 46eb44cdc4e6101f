/* Where the syntax of RE2/J is not that of RE2.
 *
 *   (?<name>re)   is (?P<name>re) in the RE2 of Debian 12
 *   \é            a backslash before a letter beyond ASCII means nothing in RE2/J, and is a fault in RE2
 *   \C            is one byte in RE2, and a fault in RE2/J, which knows only characters
 *
 * One walk over the bytes, which has to know quotations (\Q...\E) and classes ([...]), because "(?<" is nothing special
 * there. What is wrong otherwise is copied as it stands: RE2 finds it.
 */
#include "dialect.h"

static bool starts(struct str text, size_t at, const char *with)
{
    size_t n = strlen(with);

    return n <= text.n - at && memcmp(text.p + at, with, n) == 0;
}

/* The end of what begins at `at` and ends with `with`, which belongs to it; the end of the text without one. */
static size_t after(struct str text, size_t at, const char *with)
{
    while (at < text.n && !starts(text, at, with))
        at++;
    return at < text.n ? at + strlen(with) : text.n;
}

/* The end of the class that begins at `at`, but for escapes in it: there it stops. */
static size_t class_run(struct str text, size_t at, bool first)
{
    if (first) {
        at++; /* [ */
        at += at < text.n && text.p[at] == '^';
        at += at < text.n && text.p[at] == ']';
    }
    while (at < text.n && text.p[at] != ']' && text.p[at] != '\\')
        at = starts(text, at, "[:") ? after(text, at, ":]") : at + 1;
    return at;
}

/* A backslash and what it stands before; 0 for what RE2/J does not know. */
static size_t put_escape(struct str text, size_t at, bool in_class, struct buf *out)
{
    bool beyond_ascii = at + 1 < text.n && (unsigned char)text.p[at + 1] >= 0x80;
    size_t end = MIN(at + 2, text.n);

    if (starts(text, at, "\\C"))
        return 0;
    if (!in_class && starts(text, at, "\\Q"))
        end = after(text, at, "\\E");
    if (beyond_ascii)
        at++;
    buf_put(out, text.p + at, end - at);
    return end;
}

bool dialect_to_re2(struct str pattern, struct buf *out)
{
    bool in_class = false;

    for (size_t at = 0, end; at < pattern.n; at = end) {
        if (pattern.p[at] == '\\') {
            end = put_escape(pattern, at, in_class, out);
            if (end == 0)
                return false;
            continue;
        }
        if (!in_class && starts(pattern, at, "(?<")) {
            buf_put_str(out, "(?P<");
            end = at + 3;
            continue;
        }
        if (in_class && pattern.p[at] == ']') {
            in_class = false;
            end = at + 1;
        } else if (in_class || pattern.p[at] == '[') {
            end = class_run(pattern, at, !in_class);
            in_class = true;
        } else {
            end = at + 1;
        }
        buf_put(out, pattern.p + at, end - at);
    }
    return true;
}
