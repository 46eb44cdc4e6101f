/* Regular expressions: what is refused before RE2 sees it, and why a pattern is refused, in RE2/J's words.
 *
 * Owner: whoever compiled the pattern, core thread.
 *
 * Where RE2 and Kafka's RE2/J differ, RE2/J wins (dialect.c, FAULTS); tests/golden/regex holds what it says. What is left:
 * RE2 refuses repetitions of repetitions beyond 1,000 in all, takes one name for two groups, and takes a{99999999999} and
 * [[:]] as they stand.
 */
#include "regex.h"

#include "dialect.h"
#include "re2_shim.h"

#define REGEX_MAGIC 0x72656778u

struct regex {
    uint32_t magic;
    struct re2_pattern *pattern;
};

/* com.google.re2j.Parser's ERR_ texts. */
static const char *const FAULTS[] = {
    [RE2_FAULT_INTERNAL] = "regexp/syntax: internal error",
    [RE2_FAULT_ESCAPE] = "invalid escape sequence",
    [RE2_FAULT_CHAR_CLASS] = "invalid character class",
    [RE2_FAULT_CHAR_RANGE] = "invalid character class range",
    [RE2_FAULT_MISSING_BRACKET] = "missing closing ]",
    [RE2_FAULT_MISSING_PAREN] = "missing closing )",
    [RE2_FAULT_UNEXPECTED_PAREN] = "regexp/syntax: internal error",
    [RE2_FAULT_TRAILING_BACKSLASH] = "trailing backslash at end of expression",
    [RE2_FAULT_REPEAT_ARGUMENT] = "missing argument to repetition operator",
    [RE2_FAULT_REPEAT_SIZE] = "invalid repeat count",
    [RE2_FAULT_REPEAT_OP] = "invalid nested repetition operator",
    [RE2_FAULT_PERL_OP] = "invalid or unsupported Perl syntax",
    [RE2_FAULT_UTF8] = "invalid UTF-8",
    [RE2_FAULT_NAMED_CAPTURE] = "invalid named capture",
    [RE2_FAULT_TOO_LARGE] = "it takes too much memory",
};

static enum re2_fault compile(struct str pattern, struct re2_pattern **out)
{
    enum re2_fault fault = RE2_FAULT_ESCAPE;
    struct buf text;

    *out = NULL;
    buf_init(&text);
    if (dialect_to_re2(pattern, &text)) {
        *out = re2_pattern_new((const char *)text.p, text.n, REGEX_BYTES_MAX);
        fault = re2_pattern_fault(*out);
    }
    buf_release(&text);
    return fault;
}

int regex_compile(struct str pattern, struct regex **out, struct errmsg *msg)
{
    struct re2_pattern *compiled;
    enum re2_fault fault;

    *out = NULL;
    if (!pattern.p) {
        errmsg_set(msg, "no pattern");
        return E_INVALID;
    }
    if (pattern.n > REGEX_PATTERN_BYTES_MAX) {
        errmsg_set(msg, "longer than %zu bytes", REGEX_PATTERN_BYTES_MAX);
        return E_LIMIT;
    }
    fault = compile(pattern, &compiled);
    if (fault != RE2_FAULT_NONE) {
        ASSERT((size_t)fault < ARRAY_SIZE(FAULTS));
        errmsg_set(msg, "%s", FAULTS[fault]);
        re2_pattern_free(compiled);
        return fault == RE2_FAULT_TOO_LARGE ? E_LIMIT : E_INVALID;
    }
    *out = xcalloc(1, sizeof(**out));
    **out = (struct regex){.magic = REGEX_MAGIC, .pattern = compiled};
    return 0;
}

bool regex_matches(const struct regex *r, struct str text)
{
    ASSERT(r->magic == REGEX_MAGIC);
    return re2_pattern_matches(r->pattern, text.p ? text.p : "", text.n);
}

void regex_free(struct regex *r)
{
    if (!r)
        return;
    ASSERT(r->magic == REGEX_MAGIC);
    re2_pattern_free(r->pattern);
    r->magic = 0;
    free(r);
}
