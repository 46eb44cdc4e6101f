/* regex: regular expressions over the names of topics, as a group's members send them (KIP-848).
 *
 * The syntax is RE2's, the one that Kafka's RE2/J takes; the engine is RE2: time grows with the length of the text and
 * nothing else, whatever the pattern, and a pattern that needs too much memory is refused. The only module that
 * includes <re2/re2.h>, and the only one with a file in C++.
 */
#ifndef BARNABAS_REGEX_H
#define BARNABAS_REGEX_H

#include "base.h"

/* What one pattern may take, compiled and at work. Most take some kilobytes. */
#define REGEX_BYTES_MAX ((size_t)1 << 20)
/* Longer patterns are refused before they are looked at. A topic's name has 249 characters. */
#define REGEX_PATTERN_BYTES_MAX ((size_t)32768)

struct regex;

/* Compiles a pattern. 0, and *out is the caller's, who frees it; E_INVALID where it is no regular expression, with the
 * words of RE2/J in msg ("missing closing )"); E_LIMIT where it is too long or would take too much memory. msg may be
 * NULL. Null is no pattern: E_INVALID. */
int regex_compile(struct str pattern, struct regex **out, struct errmsg *msg);
/* Whether the whole text is what the pattern describes (Pattern.matcher(text).matches()). */
bool regex_matches(const struct regex *r, struct str text);
void regex_free(struct regex *r);

#endif
