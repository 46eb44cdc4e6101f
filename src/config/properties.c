/* The text format of java.util.Properties.
 *
 * Owner: struct properties, on the caller's stack.
 *
 *   natural line   up to \n, \r or \r\n
 *   skipped        blank, or # or ! first, where a logical line would begin
 *   continued      after an odd number of \ at its end, without the white space that follows
 *   logical line   white space, key, [white space] [= or :] [white space], value
 *   escapes        \t \n \r \f \uXXXX (UTF-16); \ before anything else stands for that
 *
 * Happy path: logical line -> split at the first separator that is not escaped -> undo escapes.
 * Failures:   a broken \u escape and a character 0 stop the reading with E_INVALID; everything
 *             else is a pair, as in Java (which also makes an empty one of a last lone backslash).
 */
#include "properties.h"

#define BYTE_ORDER_MARK "\xEF\xBB\xBF"

static void put_utf8(struct buf *b, uint32_t c)
{
    uint8_t out[4];

    if (c < 0x80) {
        out[0] = (uint8_t)c;
        buf_put(b, out, 1);
    } else if (c < 0x800) {
        out[0] = (uint8_t)(0xC0 | c >> 6);
        out[1] = (uint8_t)(0x80 | (c & 0x3F));
        buf_put(b, out, 2);
    } else if (c < 0x10000) {
        out[0] = (uint8_t)(0xE0 | c >> 12);
        out[1] = (uint8_t)(0x80 | (c >> 6 & 0x3F));
        out[2] = (uint8_t)(0x80 | (c & 0x3F));
        buf_put(b, out, 3);
    } else {
        ASSERT(c < 0x110000);
        out[0] = (uint8_t)(0xF0 | c >> 18);
        out[1] = (uint8_t)(0x80 | (c >> 12 & 0x3F));
        out[2] = (uint8_t)(0x80 | (c >> 6 & 0x3F));
        out[3] = (uint8_t)(0x80 | (c & 0x3F));
        buf_put(b, out, 4);
    }
}

void properties_init(struct properties *p, struct bytes text)
{
    *p = (struct properties){.line = 1};
    buf_init(&p->text);
    buf_init(&p->raw);
    buf_init(&p->key);
    buf_init(&p->value);
    if (text.n == 0)
        return;
    if (utf8_valid((struct str){(const char *)text.p, text.n}))
        buf_put(&p->text, text.p, text.n);
    else
        for (size_t i = 0; i < text.n; i++)
            put_utf8(&p->text, text.p[i]);
    if (p->text.n >= 3 && memcmp(p->text.p, BYTE_ORDER_MARK, 3) == 0)
        p->at = 3;
}

void properties_release(struct properties *p)
{
    buf_release(&p->text);
    buf_release(&p->raw);
    buf_release(&p->key);
    buf_release(&p->value);
}

static bool is_white(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\f';
}

static bool is_line_end(uint8_t c)
{
    return c == '\n' || c == '\r';
}

/* ---- logical lines ----------------------------------------------------------------------- */

static bool at_end(const struct properties *p)
{
    return p->at == p->text.n;
}

/* Moves past one line end, if there is one here. */
static void take_line_end(struct properties *p)
{
    if (at_end(p))
        return;
    ASSERT(is_line_end(p->text.p[p->at]));
    if (p->text.p[p->at] == '\r' && p->at + 1 < p->text.n && p->text.p[p->at + 1] == '\n')
        p->at++;
    p->at++;
    p->line++;
}

static void skip_white(struct properties *p)
{
    while (!at_end(p) && is_white(p->text.p[p->at]))
        p->at++;
}

/* Puts the rest of the natural line into raw. True when it goes on in the next one. */
static bool take_natural_line(struct properties *p)
{
    bool escaped = false;

    for (; !at_end(p) && !is_line_end(p->text.p[p->at]); p->at++) {
        uint8_t c = p->text.p[p->at];

        escaped = c == '\\' && !escaped;
        buf_put(&p->raw, &c, 1);
    }
    take_line_end(p);
    if (escaped)
        p->raw.n--; /* also at the end of the text, as in Java */
    return escaped && !at_end(p);
}

/* Moves to the next line that is neither blank nor a comment. False at the end of the text. */
static bool find_content(struct properties *p)
{
    for (skip_white(p); !at_end(p); skip_white(p)) {
        uint8_t c = p->text.p[p->at];

        if (c != '#' && c != '!' && !is_line_end(c))
            return true;
        while (!at_end(p) && !is_line_end(p->text.p[p->at]))
            p->at++;
        take_line_end(p);
    }
    return false;
}

/* The next logical line, continued ones joined, into raw. False at the end of the text. As long as
 * it is empty (a lone backslash), it has not begun: what follows may be blank or a comment. */
static bool take_logical_line(struct properties *p, int *line)
{
    bool goes_on;

    p->raw.n = 0;
    while (p->raw.n == 0) {
        if (!find_content(p))
            return false;
        *line = p->line;
        goes_on = take_natural_line(p);
        while (goes_on && p->raw.n > 0) {
            skip_white(p);
            goes_on = take_natural_line(p);
        }
    }
    return true;
}

/* ---- escapes ----------------------------------------------------------------------------- */

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* The UTF-16 unit of "\uXXXX" at *at, which moves past it; -1 when there is none. */
static int32_t unit_at(struct bytes raw, size_t *at)
{
    int32_t unit = 0;

    if (raw.n - *at < 6 || raw.p[*at] != '\\' || raw.p[*at + 1] != 'u')
        return -1;
    for (size_t i = *at + 2; i < *at + 6; i++) {
        int v = hex_value(raw.p[i]);

        if (v < 0)
            return -1;
        unit = unit << 4 | v;
    }
    *at += 6;
    return unit;
}

/* Undoes "\uXXXX" at *at, with its low half when it is the high half of a pair. A half alone
 * becomes U+FFFD. */
static bool undo_unicode(struct bytes raw, size_t *at, struct buf *out)
{
    int32_t unit = unit_at(raw, at), low;
    size_t after;

    if (unit < 0)
        return false;
    if (unit >= 0xD800 && unit < 0xDC00) {
        after = *at;
        low = unit_at(raw, &after);
        if (low >= 0xDC00 && low < 0xE000) {
            *at = after;
            unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
        }
    }
    put_utf8(out, unit >= 0xD800 && unit < 0xE000 ? 0xFFFD : (uint32_t)unit);
    return true;
}

static bool undo_escapes(struct bytes raw, struct buf *out)
{
    static const char from[] = "tnrf", to[] = "\t\n\r\f";
    const char *found;

    out->n = 0;
    for (size_t at = 0; at < raw.n;) {
        if (raw.p[at] != '\\') {
            buf_put(out, &raw.p[at++], 1);
            continue;
        }
        ASSERT(at + 1 < raw.n); /* take_natural_line drops a last odd one */
        if (raw.p[at + 1] == 'u') {
            if (!undo_unicode(raw, &at, out))
                return false;
            continue;
        }
        found = memchr(from, raw.p[at + 1], sizeof(from) - 1);
        buf_put(out, found != NULL ? (const void *)&to[found - from] : &raw.p[at + 1], 1);
        at += 2;
    }
    return true;
}

/* ---- pairs ------------------------------------------------------------------------------- */

static size_t key_end(struct bytes raw)
{
    size_t i = 0;

    while (i < raw.n && raw.p[i] != '=' && raw.p[i] != ':' && !is_white(raw.p[i]))
        i += raw.p[i] == '\\' ? 2 : 1;
    return MIN(i, raw.n);
}

static size_t value_start(struct bytes raw, size_t i)
{
    while (i < raw.n && is_white(raw.p[i]))
        i++;
    if (i < raw.n && (raw.p[i] == '=' || raw.p[i] == ':'))
        i++;
    while (i < raw.n && is_white(raw.p[i]))
        i++;
    return i;
}

static bool has_zero(const struct buf *b)
{
    return b->n > 0 && memchr(b->p, 0, b->n) != NULL;
}

int properties_next(struct properties *p, int *line, struct errmsg *msg)
{
    struct bytes raw;
    size_t end, start;

    if (!take_logical_line(p, line))
        return 0;
    raw = bytes_of(p->raw.p, p->raw.n);
    end = key_end(raw);
    start = value_start(raw, end);
    if (!undo_escapes(bytes_of(raw.p, end), &p->key) ||
        !undo_escapes(bytes_of(raw.p + start, raw.n - start), &p->value)) {
        errmsg_set(msg, "Malformed \\uxxxx encoding; valid is \\u and four hexadecimal digits");
        return E_INVALID;
    }
    if (has_zero(&p->key) || has_zero(&p->value)) {
        errmsg_set(msg, "the character 0 is not allowed in a name or value");
        return E_INVALID;
    }
    return 1;
}
