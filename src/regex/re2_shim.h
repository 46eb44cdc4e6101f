/* RE2, as C sees it: the door between regex.c and re2_shim.cc. Nothing of base.h here, which is not C++. */
#ifndef BARNABAS_REGEX_RE2_SHIM_H
#define BARNABAS_REGEX_RE2_SHIM_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct re2_pattern;

/* Why a pattern is not one. */
enum re2_fault {
    RE2_FAULT_NONE = 0,
    RE2_FAULT_INTERNAL,
    RE2_FAULT_ESCAPE,
    RE2_FAULT_CHAR_CLASS,
    RE2_FAULT_CHAR_RANGE,
    RE2_FAULT_MISSING_BRACKET,
    RE2_FAULT_MISSING_PAREN,
    RE2_FAULT_UNEXPECTED_PAREN,
    RE2_FAULT_TRAILING_BACKSLASH,
    RE2_FAULT_REPEAT_ARGUMENT,
    RE2_FAULT_REPEAT_SIZE,
    RE2_FAULT_REPEAT_OP,
    RE2_FAULT_PERL_OP,
    RE2_FAULT_UTF8,
    RE2_FAULT_NAMED_CAPTURE,
    RE2_FAULT_TOO_LARGE,
};

/* Never NULL; ask re2_pattern_fault. The caller frees it. */
struct re2_pattern *re2_pattern_new(const char *text, size_t n, size_t bytes_max);
enum re2_fault re2_pattern_fault(const struct re2_pattern *p);
bool re2_pattern_matches(const struct re2_pattern *p, const char *text, size_t n);
void re2_pattern_free(struct re2_pattern *p);

#ifdef __cplusplus
}
#endif
#endif
