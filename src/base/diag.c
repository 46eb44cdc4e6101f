/* Log lines.
 *
 * Owner: the sink and the clock are the process's, set once before other threads start; levels may change at any time;
 *        any thread writes.
 *
 * Happy path: below the level of its area: nothing. Else format -> cut at 1,000 bytes -> sink, or one write of
 *             "<time> <LEVEL> [<area>] <text>\n" to stderr, so that lines of two threads do not mix.
 */
#include "base.h"

#define TEXT_BYTES_MAX   1000
#define ESCAPE_CHARS_MAX 200
#define ESCAPE_BUFFERS   8
#define STAMP_BYTES      32

static void (*sink)(enum diag_level level, const char *text, void *arg);
static void *sink_arg;
static void (*clock_text)(char *out, size_t n);
/* Of each area, the least that is told: AS_ROOT is 0, so that those not named here begin so. */
#define AS_ROOT  0
#define LEAST(l) ((int)(l) + 1)
static _Atomic int levels[DIAG_N_AREAS] = {[DIAG_AREA_ROOT] = LEAST(DIAG_INFO)};

static const char *const area_names[] = {
#define NAME(id, name) [DIAG_AREA_##id] = (name),
    DIAG_AREAS(NAME)
#undef NAME
};

static const char *const level_names[] = {
    [DIAG_DEBUG] = "DEBUG", [DIAG_INFO] = "INFO", [DIAG_WARN] = "WARN", [DIAG_ERROR] = "ERROR"};

void diag_set_sink(void (*new_sink)(enum diag_level level, const char *text, void *arg), void *arg)
{
    sink = new_sink;
    sink_arg = arg;
}

void diag_set_clock(void (*new_clock_text)(char *out, size_t n))
{
    clock_text = new_clock_text;
}

void diag_set_level(enum diag_level least)
{
    diag_set_area_level(DIAG_AREA_ROOT, least);
}

void diag_set_area_level(enum diag_area area, enum diag_level least)
{
    ASSERT(area < DIAG_N_AREAS);
    levels[area] = LEAST(least);
}

void diag_unset_area_level(enum diag_area area)
{
    ASSERT(area < DIAG_N_AREAS);
    ASSERT(area != DIAG_AREA_ROOT);
    levels[area] = AS_ROOT;
}

enum diag_level diag_area_level(enum diag_area area)
{
    int own;

    ASSERT(area < DIAG_N_AREAS);
    own = levels[area];
    return (enum diag_level)((own == AS_ROOT ? levels[DIAG_AREA_ROOT] : own) - LEAST(0));
}

const char *diag_area_name(enum diag_area area)
{
    ASSERT(area < DIAG_N_AREAS);
    return area_names[area];
}

bool diag_area_of(struct str name, enum diag_area *area)
{
    for (size_t i = 0; i < DIAG_N_AREAS; i++)
        if (str_is(name, area_names[i])) {
            *area = (enum diag_area)i;
            return true;
        }
    return false;
}

const char *diag_level_name(enum diag_level level)
{
    ASSERT((size_t)level < ARRAY_SIZE(level_names));
    return level_names[level];
}

bool diag_level_of(struct str text, enum diag_level *level)
{
    static const struct {
        const char *word;
        enum diag_level level;
    } others[] = {{"TRACE", DIAG_DEBUG}, {"FATAL", DIAG_ERROR}};

    for (size_t i = 0; i < ARRAY_SIZE(level_names); i++) {
        *level = (enum diag_level)i;
        if (str_is(text, level_names[i]))
            return true;
    }
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        *level = others[i].level;
        if (str_is(text, others[i].word))
            return true;
    }
    return false;
}

static void write_line(FILE *out, enum diag_area area, enum diag_level level, const char *text)
{
    char stamp[STAMP_BYTES] = "";
    char line[STAMP_BYTES + TEXT_BYTES_MAX + 32];

    if (clock_text)
        clock_text(stamp, sizeof(stamp));
    snprintf(line, sizeof(line), "%s%s%-5s [%s] %s\n", stamp, stamp[0] ? " " : "",
             level_names[level], area_names[area], text);
    fputs(line, out);
}

void diag_say(enum diag_area area, enum diag_level level, const char *fmt, ...)
{
    char text[TEXT_BYTES_MAX + 1];
    va_list args;

    ASSERT((size_t)level < ARRAY_SIZE(level_names));
    if (level < diag_area_level(area))
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (sink)
        sink(level, text, sink_arg);
    else
        write_line(stderr, area, level, text);
}

const char *diag_escape(struct str s)
{
    static const char hex[] = "0123456789abcdef";
    static _Thread_local char buffers[ESCAPE_BUFFERS][ESCAPE_CHARS_MAX + 4];
    static _Thread_local unsigned turn;
    char *out = buffers[turn++ % ESCAPE_BUFFERS];
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = (uint8_t)s.p[i];
        bool printable = c >= 0x20 && c < 0x7F;

        if (n + (printable ? 1 : 4) > ESCAPE_CHARS_MAX) {
            memcpy(out + n, "...", 3);
            n += 3;
            break;
        }
        if (printable) {
            out[n++] = (char)c;
        } else {
            out[n++] = '\\';
            out[n++] = 'x';
            out[n++] = hex[c >> 4];
            out[n++] = hex[c & 15];
        }
    }
    out[n] = 0;
    return out;
}
