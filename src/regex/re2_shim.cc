/* RE2 behind four C functions: the only C++ here.
 *
 * Owner: struct regex, core thread.
 *
 * RE2 throws nothing. Where its automaton outgrows the budget it goes on with a slower one, still linear; where even
 * the program is too large the pattern has a fault. Captures are of no use here and would cost time.
 */
#include "re2_shim.h"

#include <re2/re2.h>

#include <cstdint>

struct re2_pattern {
    re2_pattern(const re2::StringPiece &text, const RE2::Options &options) : re2(text, options)
    {
    }
    RE2 re2;
};

static enum re2_fault fault_of(RE2::ErrorCode code)
{
    switch (code) {
    case RE2::NoError:
        return RE2_FAULT_NONE;
    case RE2::ErrorBadEscape:
        return RE2_FAULT_ESCAPE;
    case RE2::ErrorBadCharClass:
        return RE2_FAULT_CHAR_CLASS;
    case RE2::ErrorBadCharRange:
        return RE2_FAULT_CHAR_RANGE;
    case RE2::ErrorMissingBracket:
        return RE2_FAULT_MISSING_BRACKET;
    case RE2::ErrorMissingParen:
        return RE2_FAULT_MISSING_PAREN;
    case RE2::ErrorUnexpectedParen:
        return RE2_FAULT_UNEXPECTED_PAREN;
    case RE2::ErrorTrailingBackslash:
        return RE2_FAULT_TRAILING_BACKSLASH;
    case RE2::ErrorRepeatArgument:
        return RE2_FAULT_REPEAT_ARGUMENT;
    case RE2::ErrorRepeatSize:
        return RE2_FAULT_REPEAT_SIZE;
    case RE2::ErrorRepeatOp:
        return RE2_FAULT_REPEAT_OP;
    case RE2::ErrorBadPerlOp:
        return RE2_FAULT_PERL_OP;
    case RE2::ErrorBadUTF8:
        return RE2_FAULT_UTF8;
    case RE2::ErrorBadNamedCapture:
        return RE2_FAULT_NAMED_CAPTURE;
    case RE2::ErrorPatternTooLarge:
        return RE2_FAULT_TOO_LARGE;
    case RE2::ErrorInternal:
        break;
    }
    return RE2_FAULT_INTERNAL;
}

struct re2_pattern *re2_pattern_new(const char *text, size_t n, size_t bytes_max)
{
    RE2::Options options;

    options.set_log_errors(false);
    options.set_max_mem((int64_t)bytes_max);
    return new re2_pattern(re2::StringPiece(text, n), options);
}

enum re2_fault re2_pattern_fault(const struct re2_pattern *p)
{
    return fault_of(p->re2.error_code());
}

bool re2_pattern_matches(const struct re2_pattern *p, const char *text, size_t n)
{
    return p->re2.Match(re2::StringPiece(text, n), 0, n, RE2::ANCHOR_BOTH, nullptr, 0);
}

void re2_pattern_free(struct re2_pattern *p)
{
    delete p;
}
